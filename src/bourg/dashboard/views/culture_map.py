"""The maps of the page of culture: communes far from a kind of place, and the density of places as filled contours."""

from __future__ import annotations

import json
from typing import Any

import shapely
import streamlit as st

from bourg.culture.deserts import FAR, HOME, NEAR, STATUSES, UNKNOWN
from bourg.dashboard import layout
from bourg.dashboard.layer_map import Feature, Layer, Legend, LegendItem, Pattern, layer_map
from bourg.geography.codes import departement_of
from bourg.maps.choropleth import Palette, sequential
from bourg.portrait.observatory import Observatory
from bourg.portrait.themes.culture import CulturePage
from bourg.portrait.themes.culture_areas import box_of, outline_of
from bourg.portrait.themes.culture_density import DensityMap
from bourg.portrait.themes.culture_words import any_of, kilometres, mark
from bourg.text import NBSP, count_of, format_number

_HEIGHT = 460
# Pale where there is a place, dark where there is none near: what is looked for stands out.
_DESERT = Palette(("#d7ecdf", "#f3d9a4", "#a8480b"), ("#2d4a3c", "#7a5a1e", "#ffb37a"))
_COLOURS = {HOME: 0, NEAR: 1, FAR: 2}
_TOLERANCE = 0.0006


def desert_map(observatory: Observatory, page: CulturePage) -> None:
    """Draw the communes of the ring by their status; a commune that is not known is hatched."""
    box = box_of(observatory, page.ring)
    if box is None:
        st.caption("Aucun contour ne permet de dessiner ces communes.")
        return
    found = page.deserts
    kind = found.kind
    features = {
        row["code"]: Feature(
            row["name"],
            _desert_text(row, kind.label, demo=page.demo),
            _COLOURS.get(row["status"]),
            "missing" if row["status"] == UNKNOWN else None,
            f"/culture?commune={row['code']}",
        )
        for row in found.table.iter_rows(named=True)
    }
    base = f"/bourg/contours/{observatory.snapshot.id}"
    sources = [f"{base}/communes-{name}.json" for name in sorted({departement_of(code) for code in page.ring.codes})]
    layers = [Layer("communes", "polygons", sources, features, palette=_DESERT, label="Communes", opacity=0.85)]
    if page.area.level == "commune":
        own = {page.area.code: Feature(page.name)}
        layers.append(Layer("ville", "polygons", sources, own, style="outline", interactive=False, weight=2.4))
    limit = kilometres(kind.desert_km)
    words: dict[str, tuple[str, int | None, Pattern | None]] = {
        HOME: (f"{kind.words} dans la commune", 0, None),
        NEAR: (f"aucun ici, le plus proche à {limit} ou moins", 1, None),
        FAR: (f"le plus proche à plus de {limit}", 2, None),
        UNKNOWN: ("inconnu", None, "missing"),
    }
    items = [
        LegendItem(text, count_of(found.count(name), "commune"), colour, pattern)
        for name, (text, colour, pattern) in ((name, words[name]) for name in STATUSES)
        if found.count(name)
    ]
    result = layer_map(
        key="culture-deserts", layers=layers, bounds=box, height=_HEIGHT,
        legend=Legend(f"Où y a-t-il {kind.words} ?{mark(demo=page.demo)} — {page.ring.name}", items, _DESERT,
                      "À vol d'oiseau, depuis la mairie de chaque commune."),
        label=f"Communes loin de {any_of(kind)} {page.ring.where}", snapshot_id=observatory.snapshot.id,
        picker="communes", link_label="Voir la culture de cette commune",
    )  # fmt: skip
    if result.opened is not None and result.opened in features:
        st.switch_page(layout.page("culture"), query_params={"commune": result.opened})


def _desert_text(row: dict[str, object], label: str, *, demo: bool) -> str:
    people = row["population"]
    lines = [count_of(people, "habitant") if isinstance(people, int) else "population inconnue"]
    km = row["distance_km"]
    if row["status"] == HOME:
        lines.append(f"{label} : {row['places']} dans la commune{mark(demo=demo)}")
    elif row["status"] == UNKNOWN:
        lines.append("La liste des lieux ne suffit pas à le dire")
    elif isinstance(km, float):
        lines.append(f"{row['nearest'] or 'sans nom'} ({row['nearest_commune'] or 'commune inconnue'})")
        lines.append(f"à {kilometres(km)}{mark(demo=demo)}")
    return "\n".join(lines)


def _geojson(shape: shapely.Geometry) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(shapely.to_geojson(shape))
    return found


def density_layers(found: DensityMap) -> tuple[list[Layer], Palette]:
    """Return the contours, one shape a class, under the outline of the territory."""
    palette = sequential(max(len(found.bands), 1))
    shapes = [
        {"type": "Feature", "geometry": _geojson(band.area),
         "properties": {"code": f"{rank}", "nom": band_label(found, rank), "texte": found.unit, "couleur": rank}}
        for rank, band in enumerate(found.bands)
    ]  # fmt: skip
    layers = []
    if shapes:
        layers.append(
            Layer("densite", "polygons", {"type": "FeatureCollection", "features": shapes}, palette=palette,
                  label=f"Densité des lieux culturels, {found.unit}", opacity=0.7, weight=0.6)
        )  # fmt: skip
    outline = {"type": "Feature", "properties": {"code": found.area.code},
               "geometry": _geojson(shapely.simplify(found.outline, _TOLERANCE))}  # fmt: skip
    layers.append(
        Layer("contour", "polygons", outline, style="outline", interactive=False, weight=2, label=found.area.name)
    )
    return layers, palette


def band_label(found: DensityMap, rank: int) -> str:
    """Return « 0,05 à 0,1 », and « 0,2 ou plus » for the last class."""
    band = found.bands[rank]
    low = format_number(band.low, _decimals(band.low))
    return f"{low} ou plus" if band.high is None else f"{low} à {format_number(band.high, _decimals(band.high))}"


def _decimals(value: float) -> int:
    text = f"{value:.6f}".rstrip("0")
    return len(text.split(".")[1])


def density_map_of(observatory: Observatory, page: CulturePage, found: DensityMap) -> None:
    """Draw the density of the places of the ring."""
    layers, palette = density_layers(found)
    if page.area.level == "commune" and (own := outline_of(observatory, page.area)) is not None:
        shape = {"type": "Feature", "properties": {"code": page.code}, "geometry": _geojson(own)}
        layers.append(
            Layer("ville", "polygons", shape, style="outline", interactive=False, weight=1.4, label=page.name)
        )
    items = [LegendItem(band_label(found, rank), "", rank) for rank in range(len(found.bands))]
    km = kilometres(found.bandwidth_km)
    note = f"Sans couleur : moins que la première classe. Lissage : {km}."
    if found.measure == "habitants":
        note = f"Sans couleur : moins que la première classe, ou presque personne n'y habite. Lissage : {km}."
    layer_map(
        key="culture-densite", layers=layers, bounds=found.box, height=_HEIGHT,
        legend=Legend(f"{found.unit[0].upper()}{found.unit[1:]}{mark(demo=page.demo)} — {found.area.name}", items,
                      palette if found.bands else None, note),
        label=f"Densité des lieux culturels {page.ring.where}, {found.unit}", snapshot_id=observatory.snapshot.id,
    )  # fmt: skip
    if found.without_point:
        st.caption(
            f"{count_of(found.without_point, 'lieu', 'lieux')} sans position connue{NBSP}: comptés dans le tableau, "
            "absents du dessin."
        )
