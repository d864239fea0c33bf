"""Sectors of a commune around its town hall, so that places without a name can still be told and found."""

from __future__ import annotations

import numpy as np
import polars as pl

from bourg.access.projection import METRES_PER_DEGREE

_WINDS = ("nord", "nord-est", "est", "sud-est", "sud", "sud-ouest", "ouest", "nord-ouest")
_CENTRE_M = 500.0
# Outer sides of the rings, kilometres; the last one has none.
_RINGS = (1.0, 2.0, 3.0, 5.0, 10.0)


def with_sectors(points: pl.DataFrame, centre: tuple[float, float]) -> pl.DataFrame:
    """Add ``place``: the direction and the distance of each point from the town hall, as the crow flies.

    The cut does not depend on what is asked, so that two answers can be compared place by place.

    Parameters
    ----------
    points
        Table with ``longitude`` and ``latitude``.
    centre
        Longitude and latitude of the town hall.
    """
    east = (points["longitude"].to_numpy() - centre[0]) * METRES_PER_DEGREE * np.cos(np.radians(centre[1]))
    north = (points["latitude"].to_numpy() - centre[1]) * METRES_PER_DEGREE
    distance = np.hypot(east, north)
    wind = np.round(np.degrees(np.arctan2(east, north)) / 45).astype(np.int64) % 8
    ring = np.searchsorted(np.array(_RINGS) * 1000, distance, side="right")
    names = [
        "Centre, à moins de 500 m de la mairie" if metres < _CENTRE_M else f"{_name(int(w))}, {_between(int(r))}"
        for metres, w, r in zip(distance, wind, ring, strict=True)
    ]
    return points.with_columns(place=pl.Series(names, dtype=pl.String))


def _name(wind: int) -> str:
    return f"À l'{_WINDS[wind]}" if _WINDS[wind][0] in "eo" else f"Au {_WINDS[wind]}"


def _between(ring: int) -> str:
    bounds = ("0,5", *(f"{side:.0f}" for side in _RINGS))
    if ring == len(_RINGS):
        return f"à plus de {bounds[-1]} km de la mairie"
    return f"de {bounds[ring]} à {bounds[ring + 1]} km de la mairie"
