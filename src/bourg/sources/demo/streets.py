"""Streets around a town, generated as an OpenStreetMap extract: town grids, and roads from town to town.

Nothing of the real streets is in it. It lets the access page be tried where no extract was downloaded; what is computed
on it carries the ``demo`` status.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import osmium
import polars as pl
from scipy.sparse import coo_array
from scipy.sparse.csgraph import minimum_spanning_tree
from scipy.spatial import Delaunay

from bourg.sources.demo.counts import Floats

GENERATOR = "bourg-demonstration"
_METRES = 111_320.0
_PEOPLE_PER_BLOCK = 45
_LARGEST_HALF = 22
_LONGEST_ROAD_M = 15_000
# From this population a town has one-way streets and a pedestrian centre.
_TOWN = 3_000


@dataclass
class _Drawing:
    """Nodes (metres around the town) and ways being drawn."""

    x: list[float] = field(default_factory=list)
    y: list[float] = field(default_factory=list)
    ways: list[tuple[dict[str, str], list[int]]] = field(default_factory=list)

    def node(self, x: float, y: float) -> int:
        self.x.append(x)
        self.y.append(y)
        return len(self.x)

    def way(self, nodes: list[int], **tags: str) -> None:
        if len(nodes) > 1:
            self.ways.append((tags, nodes))


def write_streets(
    path: Path, communes: pl.DataFrame, code: str, *, radius_km: float = 20.0, homes: pl.DataFrame | None = None
) -> Path:
    """Write the generated streets around a commune, in the format that the name of the file tells.

    Parameters
    ----------
    path
        ``….osm.pbf`` or ``….osm``; replaced when it exists.
    communes
        ``code, population, longitude, latitude``: all of France or the surroundings.
    code
        The commune in the middle.
    radius_km
        Communes whose centre is nearer are drawn.
    homes
        ``longitude, latitude`` of places of the commune where people live: lanes lead to them.

    Raises
    ------
    ValueError
        When the commune is not in the table, or has no position.
    """
    known = communes.drop_nulls(["longitude", "latitude"]).sort("code")
    middle = known.filter(pl.col("code") == code)
    if middle.is_empty():
        raise ValueError(f"{code} has no position")
    lon, lat = middle["longitude"][0], middle["latitude"][0]
    scale = np.array([_METRES * np.cos(np.radians(lat)), _METRES])
    places = (known.select("longitude", "latitude").to_numpy() - [lon, lat]) * scale
    near = np.hypot(*places.T) <= 1_000 * radius_km
    around, places = known.filter(pl.Series(near)), places[near]
    drawing = _Drawing()
    grids = [
        _grid(drawing, place, town["code"], town["population"] or 100)
        for place, town in zip(places, around.iter_rows(named=True), strict=True)
    ]
    _roads(drawing, places, grids, around["population"].fill_null(100).to_list())
    if homes is not None and homes.height:
        middle_of_town = next(grid for grid, town in zip(grids, around["code"], strict=True) if town == code)
        _lanes(drawing, (homes.select("longitude", "latitude").to_numpy() - [lon, lat]) * scale, middle_of_town)
    degrees = np.column_stack([drawing.x, drawing.y]) / scale + [lon, lat]
    path.unlink(missing_ok=True)
    header = osmium.io.Header()
    header.set("generator", GENERATOR)
    with osmium.SimpleWriter(str(path), header=header) as writer:
        for rank, (x, y) in enumerate(degrees.round(7), start=1):
            writer.add_node(osmium.osm.mutable.Node(id=rank, version=1, location=(float(x), float(y))))
        for rank, (tags, nodes) in enumerate(drawing.ways, start=1):
            writer.add_way(osmium.osm.mutable.Way(id=rank, version=1, tags=tags, nodes=nodes))
    return path


def _grid(drawing: _Drawing, centre: Floats, code: str, population: int) -> dict[tuple[int, int], int]:
    """Draw the streets of one town; return its crossings by row and column, (0, 0) in the middle."""
    rng = np.random.default_rng(zlib.crc32(code.encode()))
    half = int(np.clip(round(np.sqrt(population / _PEOPLE_PER_BLOCK) / 2), 1, _LARGEST_HALF))
    spacing, angle = rng.uniform(75, 110), rng.uniform(0, np.pi / 2)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    crossings: dict[tuple[int, int], int] = {}
    for row in range(-half, half + 1):
        for column in range(-half, half + 1):
            if np.hypot(row, column) > half + 0.3:
                continue
            x, y = turn @ (np.array([column, row]) * spacing + rng.normal(0, 9, 2)) + centre
            crossings[row, column] = drawing.node(float(x), float(y))
    for index in range(-half, half + 1):
        for along in (0, 1):
            keys = sorted(key for key in crossings if key[along] == index)
            drawing.way([crossings[key] for key in keys], **_street(index, along, half, population))
    for row, column in sorted(crossings):
        corner = crossings.get((row + 1, column + 1))
        if corner and rng.random() < 0.06:
            drawing.way([crossings[row, column], corner], highway="footway")
    return crossings


def _street(index: int, along: int, half: int, population: int) -> dict[str, str]:
    if index == 0:
        return {"highway": "secondary" if population >= _TOWN else "tertiary", "maxspeed": "50"}
    if population >= _TOWN:
        if abs(index) == 1 and along:
            return {"highway": "pedestrian", "bicycle": "yes"}
        if abs(index) == 2:
            return {"highway": "residential", "maxspeed": "30", "oneway": "yes" if index > 0 else "-1",
                    "oneway:bicycle": "no"}  # fmt: skip
    if abs(index) <= half / 3:
        return {"highway": "residential", "maxspeed": "30"}
    return {"highway": "living_street" if index % 7 == 3 else "residential"}


def _roads(drawing: _Drawing, places: Floats, grids: list[dict[tuple[int, int], int]], populations: list[int]) -> None:
    """Draw roads between neighbouring towns, from the edge of one to the edge of the other."""
    for first, second in sorted(_neighbours(places)):
        gap = places[second] - places[first]
        length = float(np.hypot(*gap))
        if not 0 < length <= _LONGEST_ROAD_M:
            continue
        ends = [_towards(drawing, grids[first], gap), _towards(drawing, grids[second], -gap)]
        start, stop = (np.array([drawing.x[node - 1], drawing.y[node - 1]]) for node in ends)
        bend = np.array([-gap[1], gap[0]]) / length * length * 0.05 * (1 if (first + second) % 2 else -1)
        between = [start + (stop - start) * share + bend * np.sin(np.pi * share) for share in (0.25, 0.5, 0.75)]
        towns = sum(populations[town] >= _TOWN for town in (first, second))
        kind = ("unclassified", "tertiary", "secondary")[towns]
        middle = [drawing.node(float(x), float(y)) for x, y in between]
        drawing.way([ends[0], *middle, ends[1]], highway=kind)


def _neighbours(places: Floats) -> set[tuple[int, int]]:
    """Return the pairs of places that nothing stands between."""
    if len(places) < 4:
        return {(first, second) for first in range(len(places)) for second in range(first + 1, len(places))}
    corners = Delaunay(places).simplices.tolist()
    return {(min(p, q), max(p, q)) for a, b, c in corners for p, q in ((a, b), (b, c), (a, c))}


def _lanes(drawing: _Drawing, homes: Floats, grid: dict[tuple[int, int], int]) -> None:
    """Join the places where people live to the town by the shortest web of lanes."""
    crossings = np.array(sorted(grid.values()))
    town = np.column_stack([drawing.x, drawing.y])[crossings - 1]
    points = np.concatenate([town, homes])
    nodes = [*crossings.tolist(), *(drawing.node(float(x), float(y)) for x, y in homes)]
    ends = np.array(sorted(_neighbours(points)), dtype=np.int64)
    gaps = np.maximum(np.hypot(*(points[ends[:, 0]] - points[ends[:, 1]]).T), 1.0)
    # The streets of the town cost next to nothing: lanes leave it where they are shortest.
    gaps[(ends < len(town)).all(axis=1)] = 1e-3
    shape = (len(points), len(points))
    tree = minimum_spanning_tree(coo_array((gaps, ends.T), shape=shape).tocsr()).tocoo()
    for first, second in sorted(zip(tree.row.tolist(), tree.col.tolist(), strict=True)):
        if max(first, second) >= len(town):
            drawing.way([nodes[first], nodes[second]], highway="unclassified")


def _towards(drawing: _Drawing, grid: dict[tuple[int, int], int], direction: Floats) -> int:
    return max(grid.values(), key=lambda node: drawing.x[node - 1] * direction[0] + drawing.y[node - 1] * direction[1])
