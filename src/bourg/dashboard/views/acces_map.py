"""The map of access: inhabitants coloured by minutes, facilities, isochrone of a point, facilities tried."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
import shapely

from bourg.access.network.graph import MODE_LABELS
from bourg.access.study import LIMIT_MIN, Reach
from bourg.access.travel.isochrones import Isochrone
from bourg.access.travel.reach import minutes_text
from bourg.dashboard.layer_map import Feature, Layer, Legend, LegendItem, Pattern
from bourg.dashboard.views.acces_data import Answers, Desk, far
from bourg.dashboard.views.acces_state import AccessState
from bourg.maps.choropleth import Palette, sequential
from bourg.portrait.access_html import minutes, people_text
from bourg.text import NBSP, format_number, join_words

CLASSES = (5, 10, 15, 20, 30)
FACILITIES, PROJECTS = "equipements", "projets"
_NEAREST = 400
# Under this share the town is not whole inside the box of the streets.
_WHOLE = 0.999
_LEAST_KM2 = 0.005
_PATTERNS: dict[str, tuple[Pattern, str]] = {
    "beyond": ("not_applicable", f"plus de {LIMIT_MIN:.0f}{NBSP}min"),
    "unreachable": ("unreachable", "aucun chemin par ce réseau"),
    "unsnapped": ("missing", "temps inconnu : hors du réseau ou loin de toute rue"),
}
_SOURCES = {
    "osm": "OpenStreetMap", "bpe": "base permanente des équipements", "finess": "Finess", "basilic": "Basilic",
    "projet": "projet",
}  # fmt: skip
_ISO, _FACILITY, _PROJECT = len(CLASSES), len(CLASSES) + 3, len(CLASSES) + 4
_BASE = sequential(len(CLASSES))
# Classes, then the three areas of an isochrone, then facilities and projects: one palette, so one legend.
PALETTE = Palette(
    (*_BASE.light, "#8a3a00", "#d06f1c", "#f0b27a", "#c2185b", "#00695c"),
    (*_BASE.dark, "#ffdcb8", "#f29b4b", "#a85612", "#ff8fb8", "#7fe0d0"),
)


def _class_of(status: str, time: float | None) -> tuple[int | None, Pattern | None]:
    if status != "ok" or time is None:
        return None, _PATTERNS[status][0]
    return int(np.searchsorted(CLASSES, time, side="left")), None


def people_features(reach: Reach, names: Mapping[str, str]) -> dict[str, Feature]:
    """Return what is known of each square or point."""
    found = {}
    mode = MODE_LABELS[reach.mode]
    columns = ("point_id", "inhabitants", "minutes", "status", "facility", "method")
    for point_id, people, time, status, facility, method in reach.table.select(columns).iter_rows():
        colour, pattern = _class_of(status, time)
        told = minutes_text(time, status, reach.limit_min)
        lines = ["Population inconnue" if people is None else people_text(people), f"{told} {mode}"]
        if status == "ok" and facility is not None:
            lines.append(names.get(facility, ""))
        title = "Carreau de 200 m" if method == "carreaux_200m" else "Habitants"
        found[point_id] = Feature(title, "\n".join(line for line in lines if line), colour, pattern)
    return found


def facility_names(table: pl.DataFrame, label: str) -> dict[str, str]:
    """Return the name of each facility; without one, its family and its rank."""
    shown = f"{label[0].upper()}{label[1:]}"
    names = {}
    for rank, (identifier, name) in enumerate(table.select("facility_id", "name").iter_rows(), start=1):
        names[identifier] = name or f"{shown} n°{NBSP}{rank} (sans nom dans la source)"
    return names


def nearest_facilities(table: pl.DataFrame, centre: tuple[float, float]) -> pl.DataFrame:
    """Return the facilities nearest to a place, as the crow flies, the nearest first."""
    wide = float(np.cos(np.radians(centre[1])))
    away = ((pl.col("longitude") - centre[0]) * wide) ** 2 + (pl.col("latitude") - centre[1]) ** 2
    return table.sort(away, "facility_id").head(_NEAREST)


def _collection(points: list[tuple[float, float, dict[str, Any]]]) -> dict[str, Any]:
    features = [
        {"type": "Feature", "properties": properties,
         "geometry": {"type": "Point", "coordinates": [round(x, 6), round(y, 6)]}}
        for x, y, properties in points
    ]  # fmt: skip
    return {"type": "FeatureCollection", "features": features}


def _facility_layers(desk: Desk, state: AccessState, before: Answers, names: Mapping[str, str]) -> list[Layer]:
    points = []
    for row in nearest_facilities(before.facilities, desk.centre).iter_rows(named=True):
        closed = row["facility_id"] in state.closed
        text = f"Source : {_SOURCES.get(row['source'], row['source'])}{' ◆' if row['demo'] else ''}"
        if row["place"] == "commune":
            text += "\nPlacé à la mairie : la source ne dit que la commune"
        points.append((row["longitude"], row["latitude"], {
            "code": row["facility_id"], "nom": names[row["facility_id"]],
            "texte": f"Fermerait\n{text}" if closed else text, "couleur": None if closed else _FACILITY,
            "motif": "secret" if closed else None,
        }))  # fmt: skip
    projects = [
        (x, y, {"code": f"{x},{y}", "nom": f"Projet n°{NBSP}{rank}", "texte": "Ouvrirait ici", "couleur": _PROJECT})
        for rank, (x, y) in enumerate(state.opened, start=1)
    ]
    label = before.reaches["foot"].family.plural
    layers = []
    if points:
        layers.append(Layer(FACILITIES, "points", _collection(points), palette=PALETTE, label=label, radius=6))
    if projects:
        layers.append(Layer(PROJECTS, "points", _collection(projects), palette=PALETTE, label="Projets", radius=10))
    return layers


def _isochrone_layers(state: AccessState, found: Isochrone) -> list[Layer]:
    shapes = [
        {"type": "Feature", "geometry": shapely.geometry.mapping(area),
         "properties": {"code": f"{time:.0f}", "couleur": _ISO + rank}}
        for rank, (time, area) in enumerate(zip(found.minutes, found.polygons, strict=True))
    ]  # fmt: skip
    areas = {"type": "FeatureCollection", "features": shapes[::-1]}
    layers = [
        Layer("isochrone", "polygons", areas, palette=PALETTE, opacity=0.5, weight=2, interactive=False,
              label="Ce qu'on atteint en 5, 10 et 15 minutes"),
    ]  # fmt: skip
    if state.start is not None:
        start = _collection([(*state.start, {"code": "depart", "nom": "Point de départ"})])
        layers.append(Layer("depart", "points", start, radius=5, label="Point de départ"))
    return layers


def map_layers(
    desk: Desk, state: AccessState, before: Answers, after: Answers, found: Isochrone | None
) -> tuple[list[Layer], Legend]:
    """Return the layers of the map and their legend.

    Parameters
    ----------
    desk, state
        The town, and what is asked.
    before, after
        Times without and with the changes tried.
    found
        Isochrone to draw, if any.
    """
    reach = after.reaches[state.mode]
    names = facility_names(before.facilities, reach.family.label)
    names |= dict(after.facilities.filter(source="projet").select("facility_id", "name").iter_rows())
    kind, shapes = desk.shapes
    drawn = found is not None and found.polygons
    people = Layer(
        "habitants", kind, shapes, people_features(reach, names), id_property="id", palette=PALETTE,
        label=f"Habitants, selon les minutes {MODE_LABELS[reach.mode]}", opacity=0.25 if drawn else 0.85,
        radius=5,
    )  # fmt: skip
    layers = [people]
    late = reach.table.filter(far(state.threshold) & (pl.col("status") != "unsnapped"))["point_id"].to_list()
    if late:
        marked, source = (
            ({name: Feature("") for name in late}, shapes) if kind == "points" else (None, _zones(shapes, late))
        )
        layers.append(
            Layer("non-desservis", kind, source, marked, id_property="id", style="outline", weight=1.3,
                  interactive=False, radius=7, label=f"À plus de {state.threshold} min")
        )  # fmt: skip
    if found is not None and found.polygons:
        layers += _isochrone_layers(state, found)
    if desk.outline is not None:
        outline = {"type": "Feature", "properties": {"code": desk.code}, "geometry": desk.outline_shape}
        layers.append(Layer("commune", "polygons", outline, style="outline", interactive=False, weight=2.2,
                            label=f"Contour de {desk.name}"))  # fmt: skip
    if (desk.covered_area or 0.0) < _WHOLE:
        box = shapely.geometry.mapping(shapely.box(*desk.access.installed.network.bbox))
        layers.append(Layer("emprise", "polygons", {"type": "Feature", "properties": {"code": "e"}, "geometry": box},
                            style="quiet", interactive=False, weight=2, label="Emprise du réseau de rues"))  # fmt: skip
    layers += _facility_layers(desk, state, before, names)
    return layers, _legend(desk, state, reach, before, found)


def _zones(shapes: dict[str, Any], names: list[str]) -> dict[str, Any]:
    """Return the area of some squares as one shape: its border alone is drawn."""
    wanted = set(names)
    squares = [
        shapely.Polygon(shape["geometry"]["coordinates"][0])
        for shape in shapes["features"]
        if shape["properties"]["id"] in wanted
    ]
    area = shapely.geometry.mapping(shapely.union_all(squares))
    return {"type": "Feature", "properties": {"id": "zones"}, "geometry": area}


def _legend(desk: Desk, state: AccessState, reach: Reach, before: Answers, found: Isochrone | None) -> Legend:
    people: dict[int | Pattern | None, float] = {}
    for status, time, count in reach.table.select("status", "minutes", "inhabitants").iter_rows():
        colour, pattern = _class_of(status, time)
        key = pattern or colour
        people[key] = people.get(key, 0.0) + (count or 0.0)
    lows = (0, *CLASSES[:-1])
    items = [
        LegendItem(
            f"{minutes(high)} ou moins" if not low else f"{low} à {minutes(high)}", people_text(people[rank]), rank
        )
        for rank, (low, high) in enumerate(zip(lows, CLASSES, strict=True))
        if rank in people
    ]
    items += [
        LegendItem(label, people_text(people[pattern]), None, pattern)
        for pattern, label in _PATTERNS.values()
        if pattern in people
    ]
    if found is not None and found.polygons:
        items += [LegendItem(f"en {time:.0f}{NBSP}min depuis le point", "", _ISO + rank)
                  for rank, time in enumerate(found.minutes)]  # fmt: skip
    count = before.facilities.height - len(state.closed)
    if count:
        one, many = reach.family.label, reach.family.plural
        items.append(LegendItem(many if count > 1 else one, format_number(count), _FACILITY))
    if state.closed:
        items.append(LegendItem("fermerait" if len(state.closed) == 1 else "fermeraient",
                                format_number(len(state.closed)), None, "secret"))  # fmt: skip
    if state.opened:
        items.append(LegendItem("projet" if len(state.opened) == 1 else "projets", format_number(len(state.opened)),
                                _PROJECT))  # fmt: skip
    notes = [f"Entourés : à plus de {minutes(state.threshold)}, ou sans chemin"]
    if (desk.covered_area or 0.0) < _WHOLE:
        notes.append("rectangle fin : emprise du réseau de rues")
    if before.facilities.height > _NEAREST:
        notes.append(f"seuls les {_NEAREST} équipements les plus proches sont dessinés, tous sont comptés")
    mark = " ◆" if desk.access.demo else ""
    return Legend(
        f"Temps {MODE_LABELS[reach.mode]} jusqu'à l'équipement « {reach.family.label} » le plus proche{mark}",
        items, PALETTE, f"{' ; '.join(notes)}.",
    )  # fmt: skip


def map_bounds(desk: Desk, found: Isochrone | None) -> list[float]:
    """Return the frame of the map: the commune, widened to the isochrone."""
    if desk.outline is not None:
        sides = [desk.outline.bounds]
    else:
        table = desk.access.population.table
        x, y = table["longitude"], table["latitude"]
        margin = 0.01
        sides = [(x.min() - margin, y.min() - margin, x.max() + margin, y.max() + margin)]  # type: ignore[operator]
    if found is not None and found.polygons:
        sides.append(found.polygons[-1].bounds)
    columns = list(zip(*sides, strict=True))
    return [min(columns[0]), min(columns[1]), max(columns[2]), max(columns[3])]


def isochrone_sentence(desk: Desk, found: Isochrone, mode: str) -> str:
    """Return the area of each time and the inhabitants of the commune who live there."""
    if not found.polygons:
        return "Ce point est trop loin de toute rue de ce réseau : il n'a pas d'isochrone. Cliquez plus près d'une rue."
    parts = [
        f"en {minutes(time)} : {format_number(area, 1 if area >= 0.1 else 2)}{NBSP}km² et {people_text(people)}"
        if area >= _LEAST_KM2
        else f"en {minutes(time)} : rien, la rue est plus loin que cela"
        for time, area, people in zip(found.minutes, found.area_km2, desk.inside(found), strict=True)
    ]
    return (
        f"Depuis ce point, {MODE_LABELS[mode]}, {join_words(parts)} de {desk.name} "
        "(ceux des communes voisines ne sont pas comptés)."
    )
