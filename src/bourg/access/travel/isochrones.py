"""Isochrones: the streets reached within a time, cut where it runs out, and the outline of what they serve.

The streets are exact: each is entered from both ends, and cut at the fraction where the time runs out. The outline adds
a stated way from the street, straight on foot: the time of every node of one grid gives all the contours of a point, so
that a shorter time lies strictly inside a longer one.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import contourpy
import numpy as np
import shapely
from numpy.typing import NDArray

from bourg.access.network.graph import SNAP_OK, Segments
from bourg.access.travel.field import bounds_kernel, field_kernel, runs_kernel
from bourg.access.travel.points import NetworkLike, Places, Points, place
from bourg.access.travel.search import Search, floats, ints, longs
from bourg.access.travel.times import OK, UNSNAPPED, Direction, check_direction, limit_seconds
from bourg.errors import ParameterError

MINUTES = (5, 10, 15, 20, 30)
METRES_PER_DEGREE = 111_194.9266
_CELLS_M = (25.0, 50.0, 100.0, 200.0, 400.0)
_MOST_CELLS = 600_000
# Simplification of the outlines, in cells: under what a marching square can show.
_TOLERANCE = 0.4


@dataclass(frozen=True)
class Outline:
    """How an outline leaves the streets.

    Attributes
    ----------
    speed_kmh
        Speed away from the streets, straight.
    reach_m
        Longest way from a street.
    hole_m2
        Holes smaller than this are filled.
    """

    speed_kmh: float = 3.6
    reach_m: float = 150.0
    hole_m2: float = 100_000.0


OUTLINES: Mapping[str, Outline] = {
    "foot": Outline(),
    "bike": Outline(hole_m2=500_000.0),
    "car": Outline(reach_m=250.0, hole_m2=2_000_000.0),
}


@dataclass(frozen=True)
class Streets:
    """Streets run from a point: each is entered at a fraction and left at another, in a straight count of seconds.

    Attributes
    ----------
    segment
        Shape ``(n,)``: street segment; the same one may be run from both ends.
    entered, left
        Fractions where it is entered and where it would be left.
    at_s, cost_s
        Seconds on entering, and seconds from one place to the other.
    """

    segment: NDArray[np.int32]
    entered: NDArray[np.float64]
    left: NDArray[np.float64]
    at_s: NDArray[np.float64]
    cost_s: NDArray[np.float64]

    def within(self, limit_s: float) -> tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.float64]]:
        """Return the pieces of segment reached in ``limit_s`` seconds, merged: segment, first and last fraction."""
        kept = np.flatnonzero(self.at_s <= limit_s)
        spare, cost = limit_s - self.at_s[kept], self.cost_s[kept]
        share = np.where(cost <= spare, 1.0, spare / np.where(cost > 0, cost, 1.0))
        end = self.entered[kept] + (self.left[kept] - self.entered[kept]) * share
        low, high = np.minimum(self.entered[kept], end), np.maximum(self.entered[kept], end)
        order = np.lexsort((low, self.segment[kept]))
        segment, low, high = self.segment[kept][order], low[order], high[order]
        if not len(segment):
            return segment, low, high
        # Fractions are at most 1: adding twice the segment keeps the running maximum inside a segment.
        shift = 2.0 * segment
        furthest = np.maximum.accumulate(high + shift)
        starts = np.flatnonzero(np.concatenate([[True], low[1:] + shift[1:] > furthest[:-1]]))
        ends = np.maximum.reduceat(high, starts)
        return segment[starts], low[starts], ends


@dataclass(frozen=True)
class Isochrone:
    """What is within some times of a point.

    Attributes
    ----------
    origin
        Identifier of the point.
    status
        ``ok``, or ``unsnapped`` when it is too far from any street: everything else is then empty.
    minutes
        Times, ascending.
    polygons
        One valid area per time, longitude and latitude, each inside the next.
    area_km2
        Their areas.
    streets_km
        Exact length of the streets reached in each time, counted once.
    cell_m
        Side of the grid they were drawn on.
    """

    origin: object
    status: str
    minutes: tuple[float, ...]
    polygons: tuple[shapely.Polygon | shapely.MultiPolygon, ...]
    area_km2: tuple[float, ...]
    streets_km: tuple[float, ...]
    cell_m: float


def isochrones(
    network: NetworkLike,
    points: Points,
    mode: str,
    minutes: Sequence[float] = MINUTES,
    *,
    direction: Direction = "from",
    outline: Outline | None = None,
) -> list[Isochrone]:
    """Return the isochrones of each point.

    Parameters
    ----------
    network, mode
        Network and mode.
    points
        Points, table or places (see :func:`bourg.access.travel.points.place`).
    minutes
        Times, in any order; doubles are dropped.
    direction
        ``from``: what can be reached from the point; ``to``: from where the point can be reached.
    outline
        How the outline leaves the streets; :data:`OUTLINES` of the mode by default.

    Raises
    ------
    ParameterError
        No time, or one that is not positive and finite; bad mode or points.
    """
    times = sorted({float(value) for value in minutes})
    if not times or not np.isfinite(times[-1]):
        raise ParameterError("Il faut au moins une durée, et des durées finies.", next_step="Par exemple 5, 10 et 15.")
    limits = [limit_seconds(value) for value in times]
    check_direction(direction)
    places = place(network, points, mode)
    shape = outline or OUTLINES[mode]
    graph = network.graph(mode)
    search = Search(graph if direction == "from" else graph.reverse)
    found = []
    for row in range(len(places)):
        if places.snapped.status[row] != SNAP_OK:
            found.append(Isochrone(places.ids[row], UNSNAPPED, tuple(times), (), (), (), 0.0))
            continue
        streets = streets_within(network, search, places, row, limits[-1], direction=direction)
        where = float(places.snapped.lon[row]), float(places.snapped.lat[row])
        polygons, areas, cell = _outlines(streets, network.segments, where, limits, shape)
        lengths = tuple(_length_km(streets, network.segments, limit) for limit in limits)
        found.append(Isochrone(places.ids[row], OK, tuple(times), polygons, areas, lengths, cell))
    return found


def streets_within(
    network: NetworkLike, search: Search, places: Places, row: int, limit_s: float, *, direction: Direction = "from"
) -> Streets:
    """Return the streets entered within ``limit_s`` seconds of one point, for :meth:`Streets.within`."""
    snapped, segments = places.snapped, network.segments
    away = direction == "from"
    ends = (snapped.departures_node, snapped.departures_s) if away else (snapped.arrivals_node, snapped.arrivals_s)
    nodes, times = search.within(ends[0][row], ends[1][row], limit_s)
    graph = search.graph
    runs = runs_kernel(
        search.indptr, search.heads, search.seconds, ints(graph.segment), ints(graph.base), ints(segments.a),
        ints(segments.b),
        nodes, times, search.clean_labels(),
    )  # fmt: skip
    here, fraction = snapped.segment[row], float(snapped.fraction[row])
    ahead, back = (snapped.forward_s, snapped.backward_s) if away else (snapped.backward_s, snapped.forward_s)
    own = [
        (end, float(whole) * abs(end - fraction))
        for end, whole in ((1.0, ahead[row]), (0.0, back[row]))
        if np.isfinite(whole)
    ]
    segment, entered, left, at, cost = runs
    n = len(own)
    return Streets(
        np.concatenate([segment, np.full(n, here, dtype=np.int32)]),
        np.concatenate([entered, np.full(n, fraction)]),
        np.concatenate([left, [end for end, _ in own]]),
        np.concatenate([at, np.full(n, float(snapped.connect_s[row]))]),
        np.concatenate([cost, [seconds for _, seconds in own]]),
    )


def _length_km(streets: Streets, segments: Segments, limit_s: float) -> float:
    segment, low, high = streets.within(limit_s)
    return float(((high - low) * segments.length_m[segment]).sum()) / 1000


def _outlines(
    streets: Streets, segments: Segments, where: tuple[float, float], limits: list[float], outline: Outline
) -> tuple[tuple[shapely.Polygon | shapely.MultiPolygon, ...], tuple[float, ...], float]:
    first, coords = longs(segments.first), floats(segments.coords)
    metres = METRES_PER_DEGREE * float(np.cos(np.radians(where[1]))), METRES_PER_DEGREE
    west, south, east, north = bounds_kernel(streets.segment, first, coords)
    if not len(streets.segment):
        west, south, east, north = *where, *where
    size = (east - west) * metres[0] + 2 * outline.reach_m, (north - south) * metres[1] + 2 * outline.reach_m
    cell = next((side for side in _CELLS_M if size[0] * size[1] <= _MOST_CELLS * side * side), _CELLS_M[-1])
    scale = metres[0] / cell, metres[1] / cell
    # Nodes stand at whole numbers of cells from the point; two more rings stay outside every contour.
    margin = outline.reach_m / cell + 2
    low = np.floor((west - where[0]) * scale[0] - margin), np.floor((south - where[1]) * scale[1] - margin)
    high = np.ceil((east - where[0]) * scale[0] + margin), np.ceil((north - where[1]) * scale[1] + margin)
    origin = where[0] + low[0] / scale[0], where[1] + low[1] / scale[1]
    shape = int(high[1] - low[1]) + 1, int(high[0] - low[0]) + 1
    pace = cell / (outline.speed_kmh / 3.6)
    field = field_kernel(
        streets.segment, streets.entered, streets.left, streets.at_s, streets.cost_s, first, coords, origin, scale,
        shape, limits[-1], 0.5, pace, outline.reach_m / cell,
    )  # fmt: skip
    np.minimum(field, np.float32(limits[-1] + 2 * pace), out=field)
    raw = [_rings(field, limit, outline.hole_m2 / cell**2) for limit in limits]
    for tolerance in (_TOLERANCE, 0.0):
        shapes = _polygons(raw, tolerance)
        if _nested(shapes):
            break
    areas = tuple(float(area.area) * cell**2 / 1e6 for area in shapes)
    degrees = np.array([1 / scale[0], 1 / scale[1]])
    placed = shapely.transform(np.array(shapes, dtype=object), lambda xy: xy * degrees + origin)
    return tuple(placed), areas, cell


# Rings of one area: the outer one, then its holes.
_Rings = list[NDArray[np.float64]]


def _rings(field: NDArray[np.float32], limit: float, least_hole: float) -> list[_Rings]:
    """Return the areas of the field up to ``limit``, as rings in cells; smaller holes and what they hold are left."""
    inside = field <= limit
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    if not len(rows):
        return []
    top, left = max(rows[0] - 1, 0), max(columns[0] - 1, 0)
    window = field[top : rows[-1] + 2, left : columns[-1] + 2]
    # Half-way between two float32 values: no node is ever exactly on a contour.
    level = (limit + float(np.nextafter(np.float32(limit), np.float32(np.inf)))) / 2
    corner = np.array([left, top])
    drawn = contourpy.contour_generator(z=window, name="serial", fill_type=contourpy.FillType.OuterOffset)
    areas: list[_Rings] = []
    filled: list[NDArray[np.float64]] = []
    for xy, offsets in zip(*drawn.filled(-1.0, level), strict=True):
        rings = [xy[start:stop] + corner for start, stop in itertools.pairwise(offsets)]
        holes = [ring for ring in rings[1:] if _area(ring) >= least_hole]
        filled += [ring for ring in rings[1:] if _area(ring) < least_hole]
        areas.append([rings[0], *holes])
    if filled and len(areas) > 1:
        tree = shapely.STRtree([shapely.Polygon(ring) for ring in filled])
        swallowed = set(tree.query(shapely.points([rings[0][0] for rings in areas]), predicate="within")[0].tolist())
        areas = [rings for index, rings in enumerate(areas) if index not in swallowed]
    return areas


def _area(ring: NDArray[np.float64]) -> float:
    x, y = (ring - ring[0]).T
    return abs(float(np.dot(x[:-1], y[1:]) - np.dot(x[1:], y[:-1]))) / 2


def _polygons(raw: list[list[_Rings]], tolerance: float) -> list[shapely.Polygon | shapely.MultiPolygon]:
    """Make the areas, all their rings simplified together so that none crosses another."""
    rings = [ring for areas in raw for parts in areas for ring in parts]
    if tolerance and rings:
        lines = shapely.MultiLineString(rings)
        simple = shapely.get_parts(shapely.simplify(lines, tolerance, preserve_topology=True))
        rings = [shapely.get_coordinates(line) for line in simple]
    following = iter(rings)
    shapes = []
    for areas in raw:
        made = [shapely.Polygon(next(following), [next(following) for _ in parts[1:]]) for parts in areas]
        shapes.append(made[0] if len(made) == 1 else shapely.MultiPolygon(made))
    return shapes


def _nested(shapes: list[shapely.Polygon | shapely.MultiPolygon]) -> bool:
    return all(shapely.is_valid(shapes)) and all(outer.covers(inner) for inner, outer in itertools.pairwise(shapes))
