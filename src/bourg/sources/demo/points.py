"""Points inside communes: inside the outline when there is one, inside the bounding box otherwise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl
import shapely

from bourg.sources.demo.counts import Floats, Ints

_ROUNDS = 8
_CENTRED = 0.65  # share of points drawn near the centre, the others anywhere in the box
_SPREAD = 0.12  # standard deviation of the centred ones, as a share of the box
_TOWN = 0.6  # share of the shops of a commune that stand around its town hall
_WALK_M = 110  # mean distance of these to the town hall, metres
_DEGREE_M = 111_320


@dataclass(frozen=True)
class Locator:
    """Where the facilities of each commune may be.

    Attributes
    ----------
    longitude, latitude
        A point inside each commune, degrees (EPSG:4326), shape (n,).
    box
        ``xmin, ymin, xmax, ymax`` of each commune, shape (n, 4).
    shapes
        Outlines, ``None`` where unknown, shape (n,).
    halls
        Longitude and latitude of the town halls, the inner point where unknown, shape (n, 2).
    """

    longitude: Floats
    latitude: Floats
    box: Floats
    shapes: npt.NDArray[np.object_] | None
    halls: Floats

    def draw(self, rng: np.random.Generator, commune: Ints) -> tuple[Floats, Floats]:
        """Return longitudes and latitudes of one point per entry of ``commune`` (positions, any order).

        Rounded to 1e-6 degree. After eight misses a point falls on the commune's own inner point.
        """
        longitude = self.longitude[commune].copy()
        latitude = self.latitude[commune].copy()
        waiting = np.arange(commune.size)
        for _ in range(_ROUNDS):
            if not waiting.size:
                break
            where = commune[waiting]
            x, y = self._candidates(rng, where)
            good = self._inside(where, x, y)
            longitude[waiting[good]] = x[good]
            latitude[waiting[good]] = y[good]
            waiting = waiting[~good]
        return longitude, latitude

    def draw_shops(self, rng: np.random.Generator, commune: Ints) -> tuple[Floats, Floats]:
        """Return the same for shops: most stand around the town hall, closer and closer, the others anywhere."""
        longitude, latitude = self.draw(rng, commune)
        angle, distance = 2 * np.pi * rng.random(commune.size), rng.exponential(_WALK_M, commune.size) / _DEGREE_M
        hall = self.halls[commune]
        x = hall[:, 0] + distance * np.cos(angle) / np.cos(np.radians(hall[:, 1]))
        y = hall[:, 1] + distance * np.sin(angle)
        town = (rng.random(commune.size) < _TOWN) & self._inside(commune, x, y)
        return np.where(town, np.round(x, 6), longitude), np.where(town, np.round(y, 6), latitude)

    def _candidates(self, rng: np.random.Generator, where: Ints) -> tuple[Floats, Floats]:
        box = self.box[where]
        width, height = box[:, 2] - box[:, 0], box[:, 3] - box[:, 1]
        centred = rng.random(where.size) < _CENTRED
        x = np.where(
            centred,
            self.longitude[where] + _SPREAD * width * rng.standard_normal(where.size),
            box[:, 0] + width * rng.random(where.size),
        )
        y = np.where(
            centred,
            self.latitude[where] + _SPREAD * height * rng.standard_normal(where.size),
            box[:, 1] + height * rng.random(where.size),
        )
        return np.asarray(np.round(x, 6), dtype=np.float64), np.asarray(np.round(y, 6), dtype=np.float64)

    def _inside(self, where: Ints, x: Floats, y: Floats) -> npt.NDArray[np.bool_]:
        box = self.box[where]
        in_box = (x >= box[:, 0]) & (x <= box[:, 2]) & (y >= box[:, 1]) & (y <= box[:, 3])
        if self.shapes is None:
            return np.asarray(in_box)
        shapes = self.shapes[where]
        known = ~shapely.is_missing(shapes)
        return np.asarray(in_box & (~known | shapely.contains_xy(shapes, x, y)))


def locator_of(communes: pl.DataFrame, outlines: pl.DataFrame | None, halls: pl.DataFrame | None = None) -> Locator:
    """Build the locator of a communes table (``longitude, latitude, xmin, ymin, xmax, ymax`` in degrees).

    A commune without coordinates gets the middle of the known ones of its department. ``halls`` are the town halls
    (``code, longitude, latitude``).
    """
    columns = ["longitude", "latitude", "xmin", "ymin", "xmax", "ymax"]
    place = communes.select(
        pl.col(name).cast(pl.Float64).fill_null(pl.col(name).mean().over("departement")).fill_null(0.0)
        for name in columns
    ).to_numpy()
    shapes: npt.NDArray[np.object_] | None = None
    if outlines is not None:
        wkb = communes.select("code").join(outlines.select("code", "wkb"), on="code", how="left", maintain_order="left")
        shapes = np.asarray(shapely.from_wkb(wkb["wkb"].to_list()), dtype=object)
        shapely.prepare(shapes)
    town = place[:, :2].copy()
    if halls is not None:
        known = communes.select("code").join(
            halls.unique("code", keep="first", maintain_order=True), on="code", how="left", maintain_order="left"
        )
        found = known.select("longitude", "latitude").to_numpy()
        town = np.where(np.isnan(found), town, found)
    return Locator(place[:, 0].copy(), place[:, 1].copy(), place[:, 2:].copy(), shapes, town)
