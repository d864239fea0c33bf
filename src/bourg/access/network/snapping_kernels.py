"""Compiled loops of :mod:`bourg.access.network.snapping`."""

# Compiled loops share nothing but their arguments.
# ruff: noqa: PLR0917, C901, PLR0912, PLR0915, FBT001
from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bourg.access.compiled import Floats, Ints, Longs, Singles, compiled

Bytes = NDArray[np.uint8]


class Ends(NamedTuple):
    """Nodes at both ends of every segment, and the flags of the segments."""

    a: Ints
    b: Ints
    flags: Bytes


class Placed(NamedTuple):
    """Points on the segments: where, the seconds to get there, and those to run the segment each way."""

    segment: Ints
    fraction: Floats
    connect: Floats
    run: Floats


class Edges(NamedTuple):
    """Edges of a mode, with the copies of its base nodes, sorted by base node, and the layer of each copy."""

    indptr: Longs
    heads: Ints
    seconds: Singles
    segment: Ints
    direction: Bytes
    copy_base: Ints
    copy_node: Ints
    copy_layer: Bytes


_METRES = 6_371_008.8 * np.pi / 180
_ROW = 1 << 32


@compiled
def _project(px: float, py: float, coords: Floats, piece: int, scale: float) -> tuple[float, float]:
    """Return the squared distance (metres) from a point to a straight piece, and the place along it."""
    ax, ay = (coords[piece, 0] - px) * scale, (coords[piece, 1] - py) * _METRES
    bx, by = (coords[piece + 1, 0] - px) * scale, (coords[piece + 1, 1] - py) * _METRES
    dx, dy = bx - ax, by - ay
    square = dx * dx + dy * dy
    t = 0.0
    if square > 0:
        t = min(1.0, max(0.0, -(ax * dx + ay * dy) / square))
    x, y = ax + t * dx, ay + t * dy
    return x * x + y * y, t


@compiled
def nearest_pieces(
    points: Floats,
    coords: Floats,
    first: Longs,
    flags: Bytes,
    keys: Longs,
    cell_first: Longs,
    pieces: Ints,
    owners: Ints,
    step_lon: float,
    step_lat: float,
    limit: float,
) -> tuple[Ints, Floats, Floats, Floats, Floats]:
    """Return segment, fraction, distance, longitude and latitude of the nearest usable place within the limit.

    Cells are looked at ring by ring until nothing nearer can remain. Segments of small pieces of network count only
    when no other lies within the limit. At equal distances, the lowest segment wins.
    """
    n = len(points)
    segment = np.full(n, -1, dtype=np.int32)
    fraction = np.zeros(n)
    distance = np.full(n, np.inf)
    lon, lat = points[:, 0].copy(), points[:, 1].copy()
    for i in range(n):
        px, py = points[i, 0], points[i, 1]
        scale = _METRES * np.cos(np.radians(py))
        column, row = int(np.floor(px / step_lon)), int(np.floor(py / step_lat))
        best, best_piece, best_owner, best_t = np.inf, -1, -1, 0.0
        small, small_piece, small_owner, small_t = np.inf, -1, -1, 0.0
        ring = 0
        while True:
            for r in range(row - ring, row + ring + 1):
                edge = r in (row - ring, row + ring)
                # Whole row at the top and the bottom of the ring, its two end cells elsewhere.
                for side in range(1 if edge or ring == 0 else 2):
                    if edge:
                        low, high = column - ring, column + ring
                    elif side == 0:
                        low, high = column - ring, column - ring
                    else:
                        low, high = column + ring, column + ring
                    cell = np.searchsorted(keys, r * _ROW + low)
                    while cell < len(keys) and keys[cell] <= r * _ROW + high:
                        for item in range(cell_first[cell], cell_first[cell + 1]):
                            owner = owners[item]
                            if not flags[owner] & 1:
                                continue
                            square, t = _project(px, py, coords, pieces[item], scale)
                            if flags[owner] & 2:
                                if square < best or (square == best and owner < best_owner):
                                    best, best_piece, best_owner, best_t = square, pieces[item], owner, t
                            elif square < small or (square == small and owner < small_owner):
                                small, small_piece, small_owner, small_t = square, pieces[item], owner, t
                        cell += 1
            across = min(px - (column - ring) * step_lon, (column + ring + 1) * step_lon - px) * scale
            along = min(py - (row - ring) * step_lat, (row + ring + 1) * step_lat - py) * _METRES
            seen = min(across, along)
            if seen > limit or best <= seen * seen:
                break
            ring += 1
        if best > limit * limit:
            best, best_piece, best_owner, best_t = small, small_piece, small_owner, small_t
        if best_piece < 0 or best > limit * limit:
            continue
        segment[i] = best_owner
        distance[i] = np.sqrt(best)
        lon[i] = coords[best_piece, 0] + best_t * (coords[best_piece + 1, 0] - coords[best_piece, 0])
        lat[i] = coords[best_piece, 1] + best_t * (coords[best_piece + 1, 1] - coords[best_piece, 1])
        total, before = 0.0, 0.0
        for j in range(first[best_owner], first[best_owner + 1] - 1):
            middle = np.cos(np.radians((coords[j, 1] + coords[j + 1, 1]) / 2))
            length = np.hypot((coords[j + 1, 0] - coords[j, 0]) * middle, coords[j + 1, 1] - coords[j, 1])
            if j == best_piece:
                before = total + best_t * length
            total += length
        fraction[i] = before / total if total > 0 else 0.0
    return segment, fraction, distance, lon, lat


@compiled
def _edges_of(
    start: int,
    wanted_segment: int,
    wanted_direction: int,
    pocket: int,
    in_pocket: bool,
    edges: Edges,
    tails: Ints,
    found: Longs,
) -> int:
    """List the edges that run a segment in one direction from all the nodes at a place; return their number.

    In a destination-only street, only the copies of the wanted pocket count.
    """
    count = 0
    at = np.searchsorted(edges.copy_base, start)
    node, layer = start, 0
    while True:
        if (in_pocket and layer == pocket) or (not in_pocket and layer == 0):
            for e in range(edges.indptr[node], edges.indptr[node + 1]):
                wanted = edges.segment[e] == wanted_segment and edges.direction[e] == wanted_direction
                if wanted and count < len(tails):
                    tails[count] = node
                    found[count] = e
                    count += 1
        if at >= len(edges.copy_base) or edges.copy_base[at] != start:
            break
        node, layer = edges.copy_node[at], edges.copy_layer[at]
        at += 1
    return count


@compiled
def ways_out(ends: Ends, placed: Placed, edges: Edges) -> tuple[Ints, Singles]:
    """Return the nodes reached when leaving each point along its segment, and the seconds to get there."""
    n = len(placed.segment)
    nodes = np.full((n, 2), -1, dtype=np.int32)
    times = np.full((n, 2), np.inf, dtype=np.float32)
    tails, found = np.empty(64, dtype=np.int32), np.empty(64, dtype=np.int64)
    for i in range(n):
        s = placed.segment[i]
        if s < 0:
            continue
        for d in range(2):
            if not np.isfinite(placed.run[i, d]):
                continue
            start = ends.a[s] if d == 0 else ends.b[s]
            inside = ends.flags[s] & (4 if d == 0 else 8) > 0
            if _edges_of(start, s, d, 1, inside, edges, tails, found) == 0:
                continue
            e = found[0]
            done = placed.fraction[i] if d == 0 else 1 - placed.fraction[i]
            nodes[i, d] = edges.heads[e]
            times[i, d] = placed.connect[i] + max(edges.seconds[e] - done * placed.run[i, d], 0.0)
    return nodes, times


@compiled
def ways_in(ends: Ends, placed: Placed, edges: Edges) -> tuple[Ints, Singles]:
    """Return the nodes from which each point is reached along its segment, and the seconds from there."""
    n = len(placed.segment)
    width = 2
    nodes = np.full((n, width), -1, dtype=np.int32)
    times = np.full((n, width), np.inf, dtype=np.float32)
    tails, found = np.empty(64, dtype=np.int32), np.empty(64, dtype=np.int64)
    for i in range(n):
        s = placed.segment[i]
        if s < 0:
            continue
        used = 0
        for d in range(2):
            if not np.isfinite(placed.run[i, d]):
                continue
            start = ends.a[s] if d == 0 else ends.b[s]
            inside = ends.flags[s] & (4 if d == 0 else 8) > 0
            count = _edges_of(start, s, d, 2, inside, edges, tails, found)
            if used + count > width:
                larger = used + count
                more_nodes = np.full((n, larger), -1, dtype=np.int32)
                more_times = np.full((n, larger), np.inf, dtype=np.float32)
                more_nodes[:, :width] = nodes
                more_times[:, :width] = times
                nodes, times, width = more_nodes, more_times, larger
            done = placed.fraction[i] if d == 0 else 1 - placed.fraction[i]
            for c in range(count):
                nodes[i, used] = tails[c]
                times[i, used] = placed.connect[i] + done * placed.run[i, d]
                used += 1
    return nodes, times
