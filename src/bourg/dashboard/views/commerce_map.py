"""The map of shops: coloured by group, with the centre and the commune drawn, and a legend that counts."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import polars as pl
import shapely
from shapely.geometry.base import BaseGeometry

from bourg.commerce.typology import typology
from bourg.dashboard.layer_map import Layer, Legend, LegendItem
from bourg.maps.choropleth import Palette
from bourg.portrait.themes.commerce import CommercePage
from bourg.text import count_of, format_number

SHOPS = "commerces"
_CENTRE, _HALL = 12, 13
# Twelve groups, then the centre and the town hall; each stands out from the ground by 3:1 at least.
PALETTE = Palette(
    ("#5b2a86", "#2e7d32", "#8d6e00", "#c2185b", "#0277bd", "#a04fb5", "#00796b", "#5d4037", "#c43e0f", "#37474f",
     "#757575", "#7c7b00", "#0f6e6e", "#1a1a1a"),
    ("#c9a4ef", "#8bd48f", "#e6c34a", "#ff86b0", "#74c4f5", "#e3a6f0", "#62d5c6", "#d0a794", "#ff9a6b", "#b8c7cf",
     "#9e9e9e", "#dbe16a", "#6fd0c8", "#f2f2f2"),
)  # fmt: skip


def _point(longitude: float, latitude: float, properties: dict[str, Any]) -> dict[str, Any]:
    geometry = {"type": "Point", "coordinates": [round(longitude, 6), round(latitude, 6)]}
    return {"type": "Feature", "properties": properties, "geometry": geometry}


def _collection(features: list[dict[str, Any]]) -> dict[str, Any]:
    return {"type": "FeatureCollection", "features": features}


def _area(shape: BaseGeometry, properties: dict[str, Any]) -> dict[str, Any]:
    return _collection([
        {"type": "Feature", "properties": properties, "geometry": shapely.geometry.mapping(shape)}
    ])  # fmt: skip


def shown_shops(page: CommercePage, groups: Collection[str]) -> pl.DataFrame:
    """Return the open shops of the chosen groups; of all of them when none is chosen."""
    return page.shops.filter(pl.col("group").is_in(list(groups))) if groups else page.shops


def map_layers(page: CommercePage, groups: Collection[str]) -> tuple[list[Layer], Legend]:
    """Return the layers and the legend: commune, centre, shops of the chosen groups, town hall."""
    order = {group: rank for rank, group in enumerate(typology().groups)}
    chosen = shown_shops(page, groups)
    located = chosen.filter(pl.col("longitude").is_not_null() & (pl.col("place") != "position_fausse"))
    mark = "\n◆ démonstration" if page.shops_demo else ""
    points = [
        _point(row["longitude"], row["latitude"], {
            "code": f"{index}", "nom": row["name"] or f"{row['type_label']} (sans nom connu)",
            "texte": f"{row['type_label']}\n{row['class_label']} : {row['evidence_label']}\n{row['place_label']}{mark}",
            "couleur": order[row["group"]],
        })
        for index, row in enumerate(located.iter_rows(named=True))
    ]  # fmt: skip
    layers = []
    if page.outline is not None:
        town = _area(page.outline, {"code": page.code, "nom": page.name})
        layers.append(Layer("commune", "polygons", town, style="outline", label=page.name, interactive=False))
    if page.centre is not None and page.centre.polygon is not None:
        drawn = _area(page.centre.polygon, {"code": "centre", "nom": "Centre", "couleur": _CENTRE})
        layers.append(
            Layer("centre", "polygons", drawn, palette=PALETTE, opacity=0.25, weight=3, interactive=False,
                  label="Périmètre du centre")
        )  # fmt: skip
    if page.town_hall is not None:
        hall = _collection([_point(*page.town_hall, {"code": "mairie", "nom": "Mairie", "couleur": _HALL})])
        layers.append(Layer("mairie", "points", hall, palette=PALETTE, radius=8, label="Mairie"))
    if points:
        layers.append(Layer(SHOPS, "points", _collection(points), palette=PALETTE, radius=5, label="Commerces"))
    return layers, _legend(page, chosen, located, order)


def _legend(page: CommercePage, chosen: pl.DataFrame, located: pl.DataFrame, order: dict[str, int]) -> Legend:
    counts = dict(located.group_by("group").len().iter_rows())
    items = [
        LegendItem(label, format_number(counts[group]), order[group])
        for group, label in typology().groups.items()
        if group in counts
    ]
    if page.has_centre:
        items.append(LegendItem("périmètre du centre", "", _CENTRE))
    if page.town_hall is not None:
        items.append(LegendItem("mairie", "", _HALL))
    lost = chosen.height - located.height
    note = f"{count_of(lost, 'commerce')} sans position utilisable : pas sur la carte." if lost else ""
    mark = " ◆" if page.shops_demo else ""
    return Legend(f"Commerces ouverts par groupe, d'après Sirene{mark}", items, PALETTE, note)


def map_bounds(page: CommercePage) -> list[float]:
    """Return the frame of the map: the centre and what surrounds it, else the shops, else the commune."""
    if page.centre is not None and page.centre.polygon is not None:
        west, south, east, north = page.centre.polygon.bounds
        wide, high = max(east - west, 0.004), max(north - south, 0.003)
        return [west - wide / 3, south - high / 3, east + wide / 3, north + high / 3]
    if page.outline is not None:
        return list(page.outline.bounds)
    table = page.shops.drop_nulls(["longitude", "latitude"])
    points = table.select("longitude", "latitude").rows() or ([page.town_hall] if page.town_hall else [(2.5, 46.6)])
    margin = 0.01
    return [
        min(x for x, _ in points) - margin, min(y for _, y in points) - margin,
        max(x for x, _ in points) + margin, max(y for _, y in points) + margin,
    ]  # fmt: skip
