"""Compiled loops of isochrones: streets reached, and the time field around them on a grid of metres."""

# Compiled loops share nothing but their arguments, and pay for calls.
# ruff: noqa: PLR0917, C901
from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bourg.access.compiled import Floats, Ints, Longs, Singles, compiled


@compiled
def runs_kernel(
    indptr: Longs,
    heads: Ints,
    seconds: Singles,
    segment: Ints,
    base: Ints,
    segment_a: Ints,
    segment_b: Ints,
    nodes: Ints,
    times: Floats,
    best: Floats,
) -> tuple[Ints, Floats, Floats, Floats, Floats]:
    """Return the streets entered from the nodes: segment, end entered (0 or 1), place left, seconds there and then.

    A street entered from both ends is left where the two meet. ``best`` is infinite everywhere, and is left so.
    """
    size = 0
    for i in range(len(nodes)):
        size += indptr[nodes[i] + 1] - indptr[nodes[i]]
        best[nodes[i]] = times[i]
    which = np.empty(size, dtype=np.int32)
    entered, left, at, cost = np.empty(size), np.empty(size), np.empty(size), np.empty(size)
    n = 0
    for i in range(len(nodes)):
        first = indptr[nodes[i]]
        place = base[nodes[i]]
        for edge in range(first, indptr[nodes[i] + 1]):
            street = segment[edge]
            if street < 0:
                continue
            backward = segment_a[street] != place
            share = 1.0
            if segment_a[street] == segment_b[street]:
                # A street that comes back to its start: its second edge runs it the other way.
                for other in range(first, edge):
                    backward = backward or segment[other] == street
            else:
                head = heads[edge]
                there = best[head]
                if there < np.inf:
                    for other in range(indptr[head], indptr[head + 1]):
                        both = seconds[edge] + seconds[other]
                        if segment[other] == street and both > 0:
                            share = min(share, (there + seconds[other] - times[i]) / both)
            if share <= 0:
                continue
            which[n] = street
            entered[n] = 1.0 if backward else 0.0
            left[n] = 1.0 - share if backward else share
            at[n] = times[i]
            cost[n] = seconds[edge] * share
            n += 1
    for i in range(len(nodes)):
        best[nodes[i]] = np.inf
    return which[:n], entered[:n], left[:n], at[:n], cost[:n]


@compiled
def bounds_kernel(which: Ints, first: Longs, coords: NDArray[np.float64]) -> tuple[float, float, float, float]:
    """Return west, south, east and north of some segments."""
    west, south, east, north = np.inf, np.inf, -np.inf, -np.inf
    for i in range(len(which)):
        for k in range(first[which[i]], first[which[i] + 1]):
            west, east = min(west, coords[k, 0]), max(east, coords[k, 0])
            south, north = min(south, coords[k, 1]), max(north, coords[k, 1])
    return west, south, east, north


@compiled
def _stamp(
    field: NDArray[np.float32],
    seed_x: NDArray[np.float32],
    seed_y: NDArray[np.float32],
    seed_s: NDArray[np.float32],
    x: float,
    y: float,
    time: float,
    band: float,
    pace: float,
) -> None:
    """Give a place of the street, in cells, to the four grid nodes around it."""
    column, row = int(x), int(y)
    for j in range(row, row + 2):
        for i in range(column, column + 2):
            away = np.sqrt((i - x) ** 2 + (j - y) ** 2)
            value = np.float32(time + max(0.0, away - band) * pace)
            if value < field[j, i]:
                field[j, i] = value
                seed_x[j, i], seed_y[j, i], seed_s[j, i] = x, y, time


@compiled
def _sweep(
    field: NDArray[np.float32],
    seed_x: NDArray[np.float32],
    seed_y: NDArray[np.float32],
    seed_s: NDArray[np.float32],
    band: float,
    pace: float,
    reach: float,
) -> None:
    """Hand the nearest places from node to node, as far as ``reach``."""
    # The nearest places are handed from node to node, down then up (Danielsson 1980, with times as weights).
    rows, columns = field.shape
    for sweep in range(2):
        for r in range(rows):
            j = r if sweep == 0 else rows - 1 - r
            back = j - 1 if sweep == 0 else j + 1
            for sense in range(2):
                for c in range(columns):
                    i = c if sense == 0 else columns - 1 - c
                    beside = i - 1 if sense == 0 else i + 1
                    for neighbour in range(4):
                        if neighbour == 0:
                            jj, ii = j, beside
                        else:
                            if sense == 1:
                                break
                            jj, ii = back, i + neighbour - 2
                        if jj < 0 or jj >= rows or ii < 0 or ii >= columns or field[jj, ii] == np.inf:
                            continue
                        dx, dy = i - seed_x[jj, ii], j - seed_y[jj, ii]
                        squared = dx * dx + dy * dy
                        if squared > reach * reach:
                            continue
                        value = np.float32(seed_s[jj, ii] + max(0.0, np.sqrt(squared) - band) * pace)
                        if value < field[j, i]:
                            field[j, i] = value
                            seed_x[j, i], seed_y[j, i] = seed_x[jj, ii], seed_y[jj, ii]
                            seed_s[j, i] = seed_s[jj, ii]


@compiled
def field_kernel(
    which: Ints,
    entered: Floats,
    left: Floats,
    at: Floats,
    cost: Floats,
    first: Longs,
    coords: NDArray[np.float64],
    origin: tuple[float, float],
    scale: tuple[float, float],
    shape: tuple[int, int],
    limit: float,
    band: float,
    pace: float,
    reach: float,
) -> NDArray[np.float32]:
    """Return the time of every grid node: that of a place of a street, then straight on foot.

    Parameters
    ----------
    which, entered, left, at, cost
        Streets run: segment, fractions where it is entered and left, seconds there, seconds from one to the other.
    first, coords
        Lines of the segments.
    origin, scale
        Longitude and latitude of the grid node (0, 0); cells per degree.
    shape
        Rows and columns.
    limit
        Seconds after which streets are cut.
    band
        Cells around a street that cost nothing.
    pace
        Seconds per cell outside the band.
    reach
        Cells from a street at most.
    """
    field = np.full(shape, np.inf, dtype=np.float32)
    seed_x = np.zeros(shape, dtype=np.float32)
    seed_y = np.zeros(shape, dtype=np.float32)
    seed_s = np.zeros(shape, dtype=np.float32)
    for run in range(len(which)):
        low, high = first[which[run]], first[which[run] + 1]
        length = 0.0
        for k in range(low + 1, high):
            dx, dy = (coords[k, 0] - coords[k - 1, 0]) * scale[0], (coords[k, 1] - coords[k - 1, 1]) * scale[1]
            length += np.sqrt(dx * dx + dy * dy)
        rate = cost[run] / abs(left[run] - entered[run]) if left[run] != entered[run] else np.inf
        share = 1.0 if cost[run] <= limit - at[run] else (limit - at[run]) / cost[run]
        end = entered[run] + (left[run] - entered[run]) * share
        start, stop = min(entered[run], end), max(entered[run], end)
        done = 0.0
        for k in range(low + 1, high):
            x, y = (coords[k - 1, 0] - origin[0]) * scale[0], (coords[k - 1, 1] - origin[1]) * scale[1]
            dx, dy = (coords[k, 0] - coords[k - 1, 0]) * scale[0], (coords[k, 1] - coords[k - 1, 1]) * scale[1]
            leg = np.sqrt(dx * dx + dy * dy)
            before = done / length if length > 0 else 0.0
            done += leg
            after = done / length if length > 0 else 1.0
            lowest, highest = max(start, before), min(stop, after)
            if highest < lowest:
                continue
            steps = int((highest - lowest) * length * 2) + 1
            for step in range(steps + 1):
                fraction = lowest + (highest - lowest) * step / steps
                along = (fraction - before) / (after - before) if after > before else 0.0
                offset = abs(fraction - entered[run])
                time = at[run] + (offset * rate if offset > 0 else 0.0)
                _stamp(field, seed_x, seed_y, seed_s, x + dx * along, y + dy * along, time, band, pace)
    _sweep(field, seed_x, seed_y, seed_s, band, pace, reach)
    return field
