"""Layers of the map of installations, as GeoJSON any map can draw, and the words of one installation."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl
import shapely

from bourg.energy.sectors import GROUPS
from bourg.maps.choropleth import Palette
from bourg.portrait.observatory import Observatory
from bourg.portrait.themes.energy_model import GROUP_LABELS, EnergyPage, Place, sector_label
from bourg.portrait.themes.energy_words import energy_text, power_text
from bourg.text import NBSP, count_of, format_date, format_number

GROUP_OF = {sector: group for group, sectors in GROUPS.items() for sector in sectors}
ORDER = tuple(GROUP_LABELS)
PALETTE = Palette(
    ("#a97800", "#0d7488", "#3f55b8", "#3f7a20", "#5f6369", "#7a4fb0"),
    ("#ffc94d", "#58d0e6", "#9fb0ff", "#9bd873", "#b9bdc4", "#cfa8ff"),
)
# Beyond, one point a commune: thousands of discs hide one another and weigh on a phone.
MOST_SITES = 400
MOST_COMMUNES = 2_000
# Sites of one commune stand around its centre: from one to the next, a share of the height of the map, within bounds
# in degrees of latitude (about 130 and 450 m).
_STEP, _STEPS = 0.012, (0.0012, 0.004)
_GOLDEN = math.pi * (3 - math.sqrt(5))
_RADIUS = {"wind": 9.0, "other": 6.5}
# Many points are drawn smaller, so that those underneath still show.
_MANY, _SMALLER = 500, 0.55
_WORDS = {"secret": "secret : elle n'est pas publiée", "missing": "non publiée"}


@dataclass(frozen=True)
class MapLayer:
    """One layer: points with ``code``, ``nom``, ``texte`` and ``couleur`` (rank in :data:`PALETTE`)."""

    id: str
    label: str
    geojson: dict[str, Any]
    radius: float


@dataclass(frozen=True)
class EnergyMap:
    """The map of the installations.

    Attributes
    ----------
    layers
        Wind farms above the other sites; empty when no site has a point.
    items
        Lines of the legend: label, count, rank of the colour.
    note
        What the points are, and what is not drawn.
    by_commune
        Whether a point is a commune instead of a site.
    """

    layers: tuple[MapLayer, ...]
    items: tuple[tuple[str, str, int], ...]
    note: str
    by_commune: bool


def site_name(row: Mapping[str, Any]) -> str:
    """Return the published name of a site, or its sector without a name."""
    return str(row["name"]) if row["name"] else f"{sector_label(row['sector'])}, site sans nom publié"


def produced_text(row: Mapping[str, Any]) -> str:
    """Return the energy put on the grid in twelve months, or why it is not told."""
    if row["year_injected_kwh"] is None:
        return _WORDS.get(row["energy_status"], _WORDS["missing"])
    return energy_text(row["year_injected_kwh"] / 1000)


def mast_text(row: Mapping[str, Any]) -> str:
    """Return the share of one mast, always called an estimate, or why there is none."""
    if row["mast_kwh"] is not None:
        return f"≈{NBSP}{energy_text(row['mast_kwh'] / 1000)} (estimation : production du parc ÷ nombre de mâts)"
    return "production secrète" if row["mast_status"] == "secret" else "mâts ou production non publiés"


def energy_map(page: EnergyPage, names: Mapping[str, str]) -> EnergyMap:
    """Return the layers of the map of a page.

    Parameters
    ----------
    names
        Names of the communes, by code.
    """
    points = page.points.with_columns(group=pl.col("sector").replace_strict(GROUP_OF))
    counts = dict(points.group_by("group").len().iter_rows())
    items = tuple(
        (GROUP_LABELS[group], format_number(counts[group]), rank) for rank, group in enumerate(ORDER) if group in counts
    )
    by_commune = points.height > MOST_SITES
    mark = " ◆" if page.register.demo else ""
    if by_commune:
        layers, note = _communes(points, names, mark)
    else:
        layers, note = _sites(points, names, mark, _step(page))
    if page.lost.height:
        note += f" {count_of(page.lost.height, 'site')} sans point connu : dans la liste, pas sur la carte."
    return EnergyMap(layers, items, note, by_commune)


def _step(page: EnergyPage) -> float:
    bounds = page.place.bounds
    return _STEPS[0] if bounds is None else min(max(_STEP * (bounds[3] - bounds[1]), _STEPS[0]), _STEPS[1])


def _sites(points: pl.DataFrame, names: Mapping[str, str], mark: str, step: float) -> tuple[tuple[MapLayer, ...], str]:
    seen: dict[tuple[float, float], int] = {}
    features: dict[str, list[dict[str, Any]]] = {"wind": [], "other": []}
    ordered = points.sort("power_kw", "installation_id", descending=[True, False], nulls_last=True)
    for row in ordered.iter_rows(named=True):
        spot = (row["longitude"], row["latitude"])
        rank = seen[spot] = seen.get(spot, -1) + 1
        lines = [
            f"{sector_label(row['sector'])}, {power_text(row['power_kw'])}{mark}",
            f"Injecté en douze mois : {produced_text(row)}",
            names.get(row["code"], row["code"]),
        ]
        kind = "wind" if row["group"] == "wind" else "other"
        features[kind].append(
            _feature(_around(spot, rank, step), row["installation_id"], site_name(row), "\n".join(lines), row["group"])
        )
    note = (
        "Le registre ne donne pas d'adresse : les sites d'une commune sont disposés autour de son centre, le plus "
        "puissant au milieu. Ce n'est pas leur emplacement."
    )
    return _layers(features, {"wind": "Parcs éoliens", "other": "Autres sites de 36 kW et plus"}), note


def _around(spot: tuple[float, float], rank: int, step: float) -> tuple[float, float]:
    """Return a place beside a centre, on a spiral: the same one for the same rank."""
    reach, turn = step * math.sqrt(rank), rank * _GOLDEN
    wide = max(math.cos(math.radians(spot[1])), 0.1)
    return spot[0] + reach * math.sin(turn) / wide, spot[1] + reach * math.cos(turn)


def _communes(points: pl.DataFrame, names: Mapping[str, str], mark: str) -> tuple[tuple[MapLayer, ...], str]:
    by_group = points.group_by("code", "group").agg(
        n=pl.len(), power=pl.col("power_kw").sum(), x=pl.col("longitude").first(), y=pl.col("latitude").first()
    )
    total = by_group.group_by("code").agg(pl.col("power").sum().alias("whole"))
    ranked = total.sort("whole", "code", descending=[True, False])
    kept = ranked.head(MOST_COMMUNES)["code"].to_list()
    parts = by_group.sort("code", "power", "group", descending=[False, True, False]).partition_by(
        "code", as_dict=True, maintain_order=True
    )
    features: dict[str, list[dict[str, Any]]] = {"wind": [], "other": []}
    for code in kept:
        rows = parts[(code,)].to_dicts()
        lines = [
            f"{GROUP_LABELS[row['group']]} : {count_of(row['n'], 'site')}, {power_text(row['power'])}{mark}"
            for row in rows
        ]
        kind = "wind" if rows[0]["group"] == "wind" else "other"
        spot = (rows[0]["x"], rows[0]["y"])
        features[kind].append(_feature(spot, code, names.get(code, code), "\n".join(lines), rows[0]["group"]))
    note = "Un point par commune, de la couleur de sa filière la plus puissante : le registre ne donne pas d'adresse."
    if ranked.height > MOST_COMMUNES:
        note += f" Seules les {format_number(MOST_COMMUNES)} communes les plus puissantes sont dessinées."
    label = {"wind": "Communes où l'éolien est la plus puissante filière", "other": "Autres communes avec un site"}
    return _layers(features, label), note


def _layers(features: Mapping[str, list[dict[str, Any]]], labels: Mapping[str, str]) -> tuple[MapLayer, ...]:
    size = _SMALLER if sum(map(len, features.values())) > _MANY else 1.0
    return tuple(
        MapLayer(name, labels[name], {"type": "FeatureCollection", "features": features[name]}, _RADIUS[name] * size)
        for name in ("other", "wind")
        if features[name]
    )


def _feature(spot: tuple[float, float], code: str, name: str, text: str, group: str) -> dict[str, Any]:
    return {
        "type": "Feature",
        "properties": {"code": code, "nom": name, "texte": text, "couleur": ORDER.index(group)},
        "geometry": {"type": "Point", "coordinates": [round(spot[0], 5), round(spot[1], 5)]},
    }


def installation_lines(page: EnergyPage, identifier: str, names: Mapping[str, str]) -> list[tuple[str, str]] | None:
    """Return what is known of one installation as ``(title, text)``, its name first; ``None`` when it is not here."""
    rows = pl.concat([page.points, page.lost.select(page.points.columns[:-3])], how="diagonal").filter(
        pl.col("installation_id") == identifier
    )
    if rows.is_empty():
        return None
    row = rows.row(0, named=True)
    operator = page.register.sites.filter(pl.col("installation_id") == identifier)["operator"].first()
    place = {"iris": "placée au centre de son quartier (Iris)", "commune": "placée près du centre de la commune"}
    lines = [
        ("", site_name(row)),
        ("Filière", ", ".join(filter(None, (sector_label(row["sector"]), row["technology"])))),
        ("Commune", names.get(row["code"], row["code"] or "inconnue")),
        ("Puissance installée", power_text(row["power_kw"])),
        (
            "Mise en service",
            format_date(row["commissioning_date"]) if row["commissioning_date"] else "date non publiée",
        ),
        ("Injecté en douze mois", produced_text(row)),
    ]
    if row["sector"] == "wind":
        lines += [("Mâts", format_number(row["masts"]) if row["masts"] else "nombre non publié")]
        lines += [("Production d'un mât", mast_text(row))]
    lines += [("Gestionnaire du réseau", str(operator))] if operator else []
    lines += [
        ("Sur la carte", place.get(row["place"] or "", "sans point connu") + " : le registre ne donne pas d'adresse"),
        ("Ce que cette fiche ne dit pas", "L'électricité consommée sur place n'est pas dans l'énergie injectée."),
        ("Source", page.register.source + (" ◆ démonstration" if page.register.demo else "")),
    ]
    return lines


def sites_of(page: EnergyPage, code: str | None = None) -> pl.DataFrame:
    """Return the sites of the territory, or of one of its communes, the most powerful first."""
    rows = page.points if code is None else page.points.filter(pl.col("code") == code)
    return rows.sort("power_kw", "installation_id", descending=[True, False], nulls_last=True)


def territory_outline(observatory: Observatory, place: Place) -> dict[str, Any] | None:
    """Return the outline of a commune or of an EPCI as GeoJSON; ``None`` for larger territories, drawn by the map."""
    if place.level not in {"commune", "epci"} or not observatory.snapshot.has_table("outlines"):
        return None
    rows = observatory.snapshot.table("outlines").filter(pl.col("code").is_in(list(place.communes))).collect()
    shapes = shapely.from_wkb([wkb for wkb in rows["wkb"].to_list() if wkb is not None])
    if not len(shapes):
        return None
    whole = shapely.union_all(shapely.make_valid(shapes)).simplify(5e-4 if place.level == "epci" else 1e-4)
    return {"type": "Feature", "properties": {"code": place.code}, "geometry": shapely.geometry.mapping(whole)}
