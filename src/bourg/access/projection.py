"""Metres on a sphere, through local equirectangular projections: exact to a millimetre over a street."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

EARTH_M = 6_371_008.8
METRES_PER_DEGREE = EARTH_M * np.pi / 180
_PIECE = 1 << 18


def steps_m(lon: NDArray[np.float64], lat: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the metres between consecutive points (local equirectangular projection), one fewer than the points."""
    found = np.empty(max(len(lon) - 1, 0))
    # By pieces: a country has tens of millions of points, and each operation a temporary of that size.
    for begin in range(0, len(found), _PIECE):
        x, y = lon[begin : begin + _PIECE + 1], lat[begin : begin + _PIECE + 1]
        middle = np.radians((y[1:] + y[:-1]) / 2)
        found[begin : begin + _PIECE] = np.hypot(np.diff(x) * np.cos(middle), np.diff(y)) * METRES_PER_DEGREE
    return found
