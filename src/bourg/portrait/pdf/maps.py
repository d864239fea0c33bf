"""The intercommunality of a town as a map on paper: its communes coloured by one figure, the town outlined."""

from __future__ import annotations

from math import cos, radians
from typing import Any

import numpy as np
import polars as pl
import shapely
from numpy.typing import NDArray

from bourg.compare.matrix import CommuneMatrix
from bourg.indicators.engine import USABLE
from bourg.indicators.values import declaration_of, value_text
from bourg.maps.choropleth import classify, palette_of
from bourg.portrait.markup import typeset
from bourg.portrait.observatory import Observatory
from bourg.portrait.pdf.drawings import INK, SOFT
from bourg.text import count_of

# The first of these that enough communes know is drawn.
_FIGURES = ("population.change_annual", "population.density", "culture.places_per_1000")
_WIDTH, _HEIGHT = 560, 300
_TOLERANCE = 0.5
_LEAST = 3
_UNKNOWN = "#ffffff"


def epci_map(observatory: Observatory, code: str) -> dict[str, Any] | None:
    """Return the map of the communes around a town, ``None`` without intercommunality, outlines or values.

    Returns
    -------
    dict
        ``svg``, ``alt``, ``title`` (the figure and the years), ``legend`` (``[colour, words]``), ``demo``.
    """
    town = observatory.commune(code)
    if town["epci"] is None:
        return None
    members = observatory.communes.filter(pl.col("epci") == town["epci"]).select("code", "name").sort("code")
    if members.height < _LEAST:
        return None
    table = observatory.snapshot.table("outlines").filter(pl.col("code").is_in(members["code"].to_list()))
    drawn = table.filter(pl.col("wkb").is_not_null()).collect().join(members, on="code", how="inner").sort("code")
    matrix = observatory.matrix
    codes = drawn["code"].to_list()
    chosen = next((name for name in _FIGURES if name in matrix.rows and _known(matrix, name, codes) >= _LEAST), None)
    if chosen is None or code not in codes:
        return None
    return _drawn(matrix, chosen, codes, drawn["wkb"].to_list(), town)


def _known(matrix: CommuneMatrix, indicator: str, codes: list[str]) -> int:
    row = matrix.rows[indicator]
    return sum(matrix.status(row, matrix.positions[code]) in USABLE for code in codes if code in matrix.positions)


def _drawn(
    matrix: CommuneMatrix, indicator: str, codes: list[str], wkb: list[bytes], town: dict[str, Any]
) -> dict[str, Any]:
    declared = declaration_of(indicator)
    row = matrix.rows[indicator]
    places = [matrix.positions.get(code) for code in codes]
    statuses = ["missing" if place is None else matrix.status(row, place) for place in places]
    values = [
        float(matrix.values[row, place]) if place is not None and status in USABLE else None
        for place, status in zip(places, statuses, strict=True)
    ]
    classes = classify(values, decimals=declared.decimals, change=declared.kind == "change")
    colours = palette_of(classes).light
    mine = codes.index(town["code"])
    shapes = _projected(wkb)
    paths = "".join(
        f'<path d="{_path(shape)}" fill="{_UNKNOWN if index is None else colours[index]}" stroke="{SOFT}" '
        f'stroke-width="0.6"/>'
        for shape, index in zip(shapes, classes.index, strict=True)
    )
    west, north, east, south = shapely.total_bounds(shapes).tolist()
    edge = f'<path d="{_path(shapes[mine])}" fill="none" stroke-linejoin="round" '
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{west - 4:.1f} {north - 4:.1f} {east - west + 8:.1f} '
        f'{south - north + 8:.1f}">{paths}{edge}stroke="#fff" stroke-width="6"/>{edge}stroke="{INK}" '
        'stroke-width="3"/></svg>'
    )
    legend = [
        [colours[rank], item.label(_unit(declared.unit), declared.decimals)] for rank, item in enumerate(classes.items)
    ]
    lacking = statuses.count("secret"), sum(status not in {*USABLE, "secret"} for status in statuses)
    legend += [[_UNKNOWN, "secret statistique" if lacking[1] == 0 else "sans valeur"]] if any(lacking) else []
    place = matrix.positions[town["code"]]
    period, demo = matrix.period_demo(row, place)
    known = sorted(value for value in values if value is not None)
    own = value_text(indicator, values[mine], statuses[mine])
    low, high = (value_text(indicator, value, "ok") for value in (known[0], known[-1]))
    title = f"{declared.label}{f', {period}' if period else ''}"
    return {
        "svg": svg,
        "alt": typeset(
            f"Carte. {title}, dans {count_of(len(codes), 'commune')} de l'intercommunalité : de {low} à {high} ; "
            f"{town['name']} : {own}."
        ),
        "title": typeset(title),
        "legend": [[colour, typeset(words)] for colour, words in legend],
        "demo": demo or any(status == "demo" for status in statuses),
        "epci": typeset(town["epci_name"]),
    }  # fmt: skip


def _unit(unit: str) -> str:
    return "%" if unit.startswith("%") else unit


def _projected(wkb: list[bytes]) -> NDArray[np.object_]:
    """Return outlines in the pixels of the map, simplified together so that neighbours keep one border."""
    shapes = shapely.from_wkb(wkb)
    west, south, east, north = shapely.total_bounds(shapes).tolist()
    flat = cos(radians((south + north) / 2))
    scale = min(_WIDTH / max((east - west) * flat, 1e-9), _HEIGHT / max(north - south, 1e-9))

    def project(points: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.column_stack([(points[:, 0] - west) * flat * scale, (north - points[:, 1]) * scale])

    moved = shapely.transform(shapes, project)
    simple: NDArray[np.object_] = shapely.coverage_simplify(moved, _TOLERANCE)
    return simple


def _path(geometry: shapely.Geometry) -> str:
    parts = []
    for polygon in shapely.get_parts(geometry):
        for ring in (polygon.exterior, *polygon.interiors):
            points = shapely.get_coordinates(ring).round(1).tolist()
            parts.append("M" + "L".join(f"{x:g} {y:g}" for x, y in points[:-1]) + "z")
    return "".join(parts)
