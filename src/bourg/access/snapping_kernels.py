"""Compiled loops of :mod:`bourg.access.snapping`."""

# Compiled loops share nothing but their arguments.
# ruff: noqa: PLR0917, C901, PLR0912, PLR0915, ARG001, FBT001
from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bourg.access.kernels import compiled

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Ints = NDArray[np.int32]
Longs = NDArray[np.int64]
Bytes = NDArray[np.uint8]

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
    indptr: Longs,
    edge_segment: Ints,
    edge_direction: Bytes,
    copy_base: Ints,
    copy_node: Ints,
    copy_layer: Bytes,
    tails: Ints,
    edges: Longs,
) -> int:
    """List the edges that run a segment in one direction from all the nodes at a place; return their number.

    In a destination-only street, only the copies of the wanted pocket count.
    """
    count = 0
    at = np.searchsorted(copy_base, start)
    node, layer = start, 0
    while True:
        if (in_pocket and layer == pocket) or (not in_pocket and layer == 0):
            for e in range(indptr[node], indptr[node + 1]):
                if edge_segment[e] == wanted_segment and edge_direction[e] == wanted_direction and count < len(tails):
                    tails[count] = node
                    edges[count] = e
                    count += 1
        if at >= len(copy_base) or copy_base[at] != start:
            break
        node, layer = copy_node[at], copy_layer[at]
        at += 1
    return count


@compiled
def ways_out(
    a: Ints,
    b: Ints,
    segment: Ints,
    fraction: Floats,
    connect: Floats,
    run: Floats,
    flags: Bytes,
    indptr: Longs,
    heads: Ints,
    seconds: Singles,
    edge_segment: Ints,
    edge_direction: Bytes,
    copy_base: Ints,
    copy_node: Ints,
    copy_layer: Bytes,
) -> tuple[Ints, Singles]:
    """Return the nodes reached when leaving each point along its segment, and the seconds to get there."""
    n = len(segment)
    nodes = np.full((n, 2), -1, dtype=np.int32)
    times = np.full((n, 2), np.inf, dtype=np.float32)
    tails, edges = np.empty(64, dtype=np.int32), np.empty(64, dtype=np.int64)
    for i in range(n):
        s = segment[i]
        if s < 0:
            continue
        for d in range(2):
            if not np.isfinite(run[i, d]):
                continue
            start = a[s] if d == 0 else b[s]
            inside = flags[s] & (4 if d == 0 else 8) > 0
            count = _edges_of(
                start, s, d, 1, inside, indptr, edge_segment, edge_direction, copy_base, copy_node, copy_layer,
                tails, edges,
            )  # fmt: skip
            if count == 0:
                continue
            e = edges[0]
            done = fraction[i] if d == 0 else 1 - fraction[i]
            nodes[i, d] = heads[e]
            times[i, d] = connect[i] + max(seconds[e] - done * run[i, d], 0.0)
    return nodes, times


@compiled
def ways_in(
    a: Ints,
    b: Ints,
    segment: Ints,
    fraction: Floats,
    connect: Floats,
    run: Floats,
    flags: Bytes,
    indptr: Longs,
    heads: Ints,
    seconds: Singles,
    edge_segment: Ints,
    edge_direction: Bytes,
    copy_base: Ints,
    copy_node: Ints,
    copy_layer: Bytes,
) -> tuple[Ints, Singles]:
    """Return the nodes from which each point is reached along its segment, and the seconds from there."""
    n = len(segment)
    width = 2
    nodes = np.full((n, width), -1, dtype=np.int32)
    times = np.full((n, width), np.inf, dtype=np.float32)
    tails, edges = np.empty(64, dtype=np.int32), np.empty(64, dtype=np.int64)
    for i in range(n):
        s = segment[i]
        if s < 0:
            continue
        used = 0
        for d in range(2):
            if not np.isfinite(run[i, d]):
                continue
            start = a[s] if d == 0 else b[s]
            inside = flags[s] & (4 if d == 0 else 8) > 0
            count = _edges_of(
                start, s, d, 2, inside, indptr, edge_segment, edge_direction, copy_base, copy_node, copy_layer,
                tails, edges,
            )  # fmt: skip
            if used + count > width:
                larger = used + count
                more_nodes = np.full((n, larger), -1, dtype=np.int32)
                more_times = np.full((n, larger), np.inf, dtype=np.float32)
                more_nodes[:, :width] = nodes
                more_times[:, :width] = times
                nodes, times, width = more_nodes, more_times, larger
            done = fraction[i] if d == 0 else 1 - fraction[i]
            for c in range(count):
                nodes[i, used] = tails[c]
                times[i, used] = connect[i] + done * run[i, d]
                used += 1
    return nodes, times
