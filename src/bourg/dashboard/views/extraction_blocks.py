"""Blocks of the page « Extraire »: map, table of the categories, list of the objects, files, method, empty states."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import polars as pl
import shapely
import streamlit as st

from bourg.dashboard import layout
from bourg.dashboard.layer_map import Layer, Legend, LegendItem, layer_map
from bourg.extract.engine import ATTRIBUTION, Extraction
from bourg.extract.files import DOWNLOAD_PAGE, WHOLE, LocalExtract
from bourg.extract.overpass import OVERPASS_VARIABLE
from bourg.extract.sentences import share_text
from bourg.extract.territory import Box
from bourg.extract.themes import NAME
from bourg.extract.writers import EXTENSIONS, FORMATS, MEDIA, file_name, write
from bourg.maps.choropleth import Palette
from bourg.portrait.access_html import wrap
from bourg.portrait.markup import shown
from bourg.text import NBSP, count_of, format_number

MOST_DRAWN = 5_000
_MOST_LISTED = 200
_MOST_PICKED = 400
_LISTED = ("address", "opening_hours", "operator", "power", "capacity", "sport", "wheelchair")
# Colours told apart by most eyes (Okabe and Ito), then a grey for the groups beyond; names are beside them.
_PALETTE = Palette(
    ("#0072b2", "#d55e00", "#00795c", "#a3478a", "#8a6d00", "#1b7ea6", "#444444", "#7a7a7a"),
    ("#4fb0ec", "#ff9b54", "#4fd6ac", "#ec9fd0", "#f0dc5a", "#9bd8f7", "#e6e6e6", "#a0a0a0"),
)
_REST = len(_PALETTE.light) - 1
_HELP = {
    "csv": "Pour un tableur : UTF-8, points-virgules.",
    "geojson": "Pour un SIG ou une carte en ligne.",
    "geoparquet": "Pour QGIS, R, Python, DuckDB : compact, colonnes typées.",
}

_METHOD = """- Colonnes : identifiant OpenStreetMap, nature, groupe, catégorie, étiquette, {held}, code Insee \
et nom de la commune, longitude, latitude, surface, complétude.
- Lieu : un point par objet ; celui d'une surface est à l'intérieur, celui d'une ligne en son milieu. La colonne \
« geometrie » garde la nature de l'objet.
- Commune : celle dont le contour (généralisé) contient le point ; près d'une limite, elle peut être fausse.
- Un lieu dessiné deux fois dans OpenStreetMap (un point et un bâtiment) compte deux fois.
- Jamais repris : téléphone, courriel, contributeurs, notes ; et les noms qui peuvent être ceux d'une personne \
(cabinets, panneaux solaires des maisons)."""
_STEPS = f"""1. Téléchargez l'extrait de la région (fichier `.osm.pbf`) sur [{DOWNLOAD_PAGE}]({DOWNLOAD_PAGE}), \
rubrique Europe puis France : les régions y ont leurs noms d'avant 2016.
2. Placez-le dans le dossier `osm` du dossier de travail de Bourg (`BOURG_HOME`, que dit la commande `bourg doctor`).
3. Rechargez cette page : il est reconnu aussitôt."""


def group_colours(found: Extraction) -> dict[str, int]:
    """Return the colour of each group, the most numerous first; those beyond the palette share the last one.

    A theme of one group is coloured by category.
    """
    counts = found.table[_by(found)].value_counts(sort=True).sort("count", _by(found), descending=[True, False])
    return {name: min(rank, _REST) for rank, name in enumerate(counts[_by(found)])}


def _by(found: Extraction) -> str:
    return "group" if found.table["group"].n_unique() > 1 else "category"


def map_block(found: Extraction, box: Box | None, snapshot_id: str) -> None:
    """Draw the objects, the outline of the territory, and the box of an extract that does not hold all of it."""
    colours, by = group_colours(found), _by(found)
    table = found.table.head(MOST_DRAWN)
    points = [
        {"type": "Feature", "geometry": {"type": "Point", "coordinates": [round(x, 6), round(y, 6)]},
         "properties": {"code": ref, "nom": name or category, "couleur": colours[group],
                        "texte": "\n".join(part for part in (category, tag, commune) if part)}}
        for ref, name, category, group, x, y, tag, commune in table.select(
            "osm_id", NAME, "category", pl.col(by).alias("_by"), "longitude", "latitude", "tag", "commune"
        ).iter_rows()
    ]  # fmt: skip
    territory, layers = found.territory, list[Layer]()
    if territory.outline is not None:
        layers.append(Layer("territoire", "polygons", _feature(territory.outline), style="outline", weight=2.2,
                            interactive=False, label=f"Contour de {territory.name}"))  # fmt: skip
    if box is not None and found.source.share < WHOLE:
        layers.append(Layer("emprise", "polygons", _feature(shapely.box(*box)), style="quiet", weight=2,
                            interactive=False, label="Emprise de l'extrait"))  # fmt: skip
    layers.append(Layer("objets", "points", {"type": "FeatureCollection", "features": points}, palette=_PALETTE,
                        label=found.theme.label, radius=6))  # fmt: skip
    layer_map(
        key="extraire-carte", layers=layers, bounds=_frame(found), height=460, legend=_legend(found, colours, by),
        label=f"{found.theme.label} : {territory.name}", snapshot_id=snapshot_id,
        picker="objets" if table.height <= _MOST_PICKED else None,
    )  # fmt: skip


def _frame(found: Extraction) -> Box:
    """Return what the map shows first: the territory, or its objects when the source only holds a part of it."""
    if found.source.share >= WHOLE:
        return found.territory.bounds
    x, y = found.table["longitude"], found.table["latitude"]
    margin = 0.002
    low, high = (float(x.min()), float(y.min())), (float(x.max()), float(y.max()))  # type: ignore[arg-type]
    return low[0] - margin, low[1] - margin, high[0] + margin, high[1] + margin


def _feature(shape: shapely.Geometry) -> dict[str, Any]:
    simple = shapely.simplify(shape, 0.0005)
    return {"type": "Feature", "properties": {"code": "x"}, "geometry": json.loads(shapely.to_geojson(simple))}


def _legend(found: Extraction, colours: dict[str, int], by: str) -> Legend:
    counts = dict(found.table[by].value_counts().iter_rows())
    items = [
        LegendItem(name, format_number(counts[name]), rank)
        for name, rank in colours.items()
        if rank < _REST or len(colours) == _REST + 1
    ]
    if len(colours) > _REST + 1:
        rest = [name for name, rank in colours.items() if rank == _REST]
        items.append(LegendItem("Autres", format_number(sum(counts[name] for name in rest)), _REST))
    told = [ATTRIBUTION]
    if found.table.height > MOST_DRAWN:
        told.append(f"seuls {format_number(MOST_DRAWN)} objets sont dessinés, tous sont comptés et dans les fichiers")
    if found.source.share < WHOLE:
        told.append("rectangle fin : emprise de l'extrait")
    return Legend(found.theme.label, items, _PALETTE, f"{' ; '.join(told)}.")


def counts_block(found: Extraction) -> None:
    """Show the number of objects by category, how many have a name, and how complete they are."""
    rows, last = [], None
    groups = found.table["group"].n_unique() > 1
    order = {group: rank for rank, group in enumerate(dict.fromkeys(found.table["group"]))}
    counts = sorted(found.counts().iter_rows(), key=lambda row: order[row[0]])
    for group, category, count, named, completeness in counts:
        if groups and group != last:
            rows.append(f'<tr><th scope="rowgroup" colspan="4"><strong>{shown(group)}</strong></th></tr>')
            last = group
        personal = found.withheld and _is_personal(found, category)
        full = "–" if completeness is None else f"{format_number(completeness)}{NBSP}%"
        rows.append(
            f'<tr><th scope="row">{shown(category)}</th><td>{format_number(count)}</td>'
            f"<td>{'non repris' if personal else format_number(named)}</td><td>{full}</td></tr>"
        )
    head = "".join(f'<th scope="col">{text}</th>' for text in ("Catégorie", "Objets", "Nommés", "Complétude"))
    caption = f"{shown(found.theme.label)} : {shown(found.territory.name)}"
    st.html(wrap(
        f'<div class="defile" tabindex="0" role="region" aria-label="Objets par catégorie"><table><caption>{caption}'
        f"</caption><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    ))  # fmt: skip
    st.caption(
        "Complétude : part moyenne des renseignements attendus (nom, horaires, accès…) qu'OpenStreetMap donne pour "
        "chaque objet. Elle ne dit pas si tous les lieux réels sont sur la carte."
    )


def _is_personal(found: Extraction, label: str) -> bool:
    return any(item.personal for item in found.theme.categories.values() if item.label == label)


def list_block(found: Extraction) -> None:
    """List the first objects, folded; the files hold them all."""
    table = found.table.head(_MOST_LISTED)
    title = "Liste des objets" if found.table.height <= _MOST_LISTED else f"Les {_MOST_LISTED} premiers objets"
    labels = found.theme.labels()
    # Columns that say something here, two at most: the rest is in the files.
    told = [name for name in _LISTED if name in labels and table[name].is_not_null().any()][:2]
    head = "".join(
        f'<th scope="col">{shown(text)}</th>'
        for text in ("Nom", "Catégorie", *(labels[name] for name in told), "Commune")
    )
    rows = []
    for name, category_id, category, commune, *rest in table.select(
        NAME, "category_id", "category", "commune", *told
    ).iter_rows():
        absent = "(nom non repris)" if found.theme.categories[category_id].personal else "(sans nom)"
        cells = "".join(f"<td>{shown(text or '–')}</td>" for text in (category, *rest, commune))
        rows.append(f'<tr><th scope="row">{shown(name or absent)}</th>{cells}</tr>')
    with st.expander(title, icon=":material/list:"):
        st.html(wrap(
            '<div class="defile" tabindex="0" role="region" aria-label="Liste des objets"><table class="lieux"><thead>'
            f"<tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
        ))  # fmt: skip
        if found.table.height > _MOST_LISTED:
            st.caption(f"Les {format_number(found.table.height)} objets sont dans les fichiers.")


def files_block(found: Extraction) -> None:
    """Offer the three files; each is made when it is asked for."""
    with st.container(horizontal=True, gap="small"):
        for form, label in FORMATS.items():
            st.download_button(
                f"{label} (.{EXTENSIONS[form]})", partial(write, found, form), file_name(found, form),
                MEDIA[form], icon=":material/download:", key=f"extraire-{form}", on_click="ignore", help=_HELP[form],
            )  # fmt: skip
    st.caption(
        "Chaque fichier porte sa licence (ODbL), son attribution et la date des données. Citer : « © les contributeurs "
        "d'OpenStreetMap ». Une base tirée de ces données se partage sous la même licence. L'adresse de cette page "
        "garde vos choix : copiez-la pour les partager."
    )


def method_block(found: Extraction) -> None:
    """Say what is taken, how a commune is given, what is left out."""
    with st.expander("Ce que contient l'extraction", icon=":material/straighten:"):
        held = ", ".join(text.lower() for text in found.theme.labels().values())
        # One paragraph per line.
        st.markdown(f"- {layout.plain(found.theme.summary)}\n{_METHOD.format(held=layout.plain(held))}")
        place = found.territory
        st.caption("La même extraction en ligne de commande :")
        source = " --overpass" if found.source.kind == "overpass" else ""
        st.code(
            f"bourg extract {found.theme.id} {place.code}{source} -o {file_name(found, 'csv')}",
            language=None,
            wrap_lines=True,
        )


def other_way() -> None:
    """Say, folded, how to do without a server."""
    with st.expander("Sans serveur : installer un extrait", icon=":material/download:"):
        st.markdown(_STEPS)


def no_extract(extracts: list[LocalExtract], name: str, *, overpass: bool) -> None:
    """Say that no local extract covers the territory, where to get one and where to put it."""
    st.info(f"Aucun extrait OpenStreetMap de cette machine ne couvre {layout.plain(name)}.", icon=":material/map:")
    st.markdown(_STEPS)
    if extracts:
        held = ", ".join(f"« {layout.plain(item.name)} »" for item in extracts[:8])
        st.caption(f"{count_of(len(extracts), 'extrait présent', 'extraits présents')} : {held}.")
    if not overpass:
        st.caption(
            f"Autre voie : le réglage {OVERPASS_VARIABLE} nomme un serveur Overpass, interrogé seulement sur demande."
        )


def coverage_label(extract: LocalExtract, share: float) -> str:
    """Return ``bretagne.osm.pbf (100 % du territoire, données de 2024-05-01)``."""
    date = extract.date[:10] if extract.date else "date inconnue"
    return f"{extract.name} ({share_text(share)} du territoire, {date})"
