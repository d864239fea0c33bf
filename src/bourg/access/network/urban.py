"""Built-up areas: where a street without a limit is limited to 50 km/h."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from bourg.access.network.graph import Segments
from bourg.access.network.rules import WayRules
from bourg.access.projection import METRES_PER_DEGREE


def built_up(
    segments: Segments,
    rules: WayRules,
    profile: NDArray[np.int32],
    nodes: NDArray[np.float64],
    *,
    rule: Mapping[str, float],
) -> NDArray[np.bool_]:
    """Tell which segments lie in a built-up area: by their tags, else by the density of town streets or junctions.

    Parameters
    ----------
    segments, rules, profile
        Segments, rules of the sets of tags, and the set of each segment.
    nodes
        Shape ``(n_base, 2)``: longitude and latitude of the base nodes.
    rule
        Parameter ``speeds``, part ``urban``: ``cell_m``, ``streets_m_per_km2`` and ``junctions_per_km2``.
    """
    middle = (segments.first[:-1] + segments.first[1:]) // 2
    x, y = segments.coords[middle, 0], segments.coords[middle, 1]
    said = rules.place[profile]
    town, road = rules.town[profile], rules.road[profile]
    metres = np.where(town, segments.length_m, 0)
    arms = np.bincount(np.concatenate([segments.a[road], segments.b[road]]), minlength=len(nodes))
    crossing = arms >= 3
    size = rule["cell_m"] / METRES_PER_DEGREE
    area = (3 * rule["cell_m"] / 1000) ** 2
    places = np.column_stack([x, y])
    streets = _nearby(places[town], metres[town], places, size)
    junctions = _nearby(nodes[crossing], np.ones(int(crossing.sum())), places, size)
    dense = (streets >= rule["streets_m_per_km2"] * area) | (junctions >= rule["junctions_per_km2"] * area)
    urban: NDArray[np.bool_] = np.where(said >= 0, said == 1, dense)
    return urban


def _nearby(
    points: NDArray[np.float64], weights: NDArray[np.float64], at: NDArray[np.float64], size: float
) -> NDArray[np.float64]:
    """Return the weight found in the 3 × 3 cells around each place."""
    keys, inverse = np.unique(_cells(points[:, 0], points[:, 1], size), return_inverse=True)
    total = np.bincount(inverse, weights=weights, minlength=len(keys))
    found = np.zeros(len(at))
    if not len(keys):
        return found
    for row in (-1, 0, 1):
        for column in (-1, 0, 1):
            lat = at[:, 1] + row * size
            wanted = _cells(at[:, 0], lat, size, column)
            place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
            found += np.where(keys[place] == wanted, total[place], 0)
    return found


def _cells(lon: NDArray[np.float64], lat: NDArray[np.float64], size: float, shift: int = 0) -> NDArray[np.int64]:
    """Return the cell of each place, on rows of equal height whose cells have the same width in metres."""
    row = np.floor(lat / size).astype(np.int64)
    column = np.floor(lon * np.cos(np.radians((row + 0.5) * size)) / size).astype(np.int64) + shift
    key: NDArray[np.int64] = (row << np.int64(32)) + column
    return key
