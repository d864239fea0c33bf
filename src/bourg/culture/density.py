"""Density of places as a smooth surface: a Gaussian kernel of fixed width on a grid in kilometres, drawn as contours.

Density at a point = Σ_i K_h(d_i), with K_h the two-dimensional Gaussian of standard deviation h (B. W. Silverman, 1986,
equation 4.1): places per km². Points are first shared among the cells of a fine grid, which widens the kernel by less
than one per cent. The rate for 1,000 inhabitants is the quotient of two such surfaces, that of the places
and that of the inhabitants, both with the same h. Places around the territory count, so that it has no false edge.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import shapely
from contourpy import FillType, contour_generator

from bourg.culture.base import EARTH_KM, Bools, Floats
from bourg.culture.kinds import PACKAGE
from bourg.indicators.parameters import parameter

Point = tuple[float, float]
_STEPS = (1.0, 2.0, 5.0)
# Cells of the grid on its longest side: a region stays under 20 ms.
_MOST_CELLS = 220
_DIGITS = 5


@cache
def density_rules() -> dict[str, Any]:
    """Return the parameter ``culture_density``."""
    return dict(parameter("culture_density", package=PACKAGE))


@dataclass(frozen=True)
class Surface:
    """A density on a grid.

    Attributes
    ----------
    x, y
        Coordinates of the columns and rows, kilometres from ``centre``.
    z
        Values, shape ``(len(y), len(x))``; not a number where no rate is given.
    bandwidth_km
        Standard deviation of the kernel.
    centre
        Longitude and latitude of the centre of the local projection (:func:`project`).
    """

    x: Floats
    y: Floats
    z: Floats
    bandwidth_km: float
    centre: Point

    def degrees(self) -> tuple[Floats, Floats]:
        """Return longitude and latitude of every cell, shape of :attr:`z`."""
        x, y = np.meshgrid(self.x, self.y)
        return unproject(self.centre, x, y)

    def at(self, longitude: Floats, latitude: Floats) -> Floats:
        """Return the values between the four cells around some points, not a number outside the grid."""
        axes = (self.x, self.y)
        points = project(self.centre, longitude, latitude)
        places = [(values - axis[0]) / (axis[1] - axis[0]) for values, axis in zip(points, axes, strict=True)]
        held = [(place >= 0) & (place < len(axis) - 1) for place, axis in zip(places, axes, strict=True)]
        inside = held[0] & held[1]
        column, line = (np.where(inside, np.floor(place), 0).astype(np.int64) for place in places)
        right, up = places[0] - column, places[1] - line
        low = self.z[line, column] * (1 - right) + self.z[line, column + 1] * right
        high = self.z[line + 1, column] * (1 - right) + self.z[line + 1, column + 1] * right
        return np.where(inside, low * (1 - up) + high * up, np.nan)


def project(centre: Point, longitude: Floats, latitude: Floats) -> tuple[Floats, Floats]:
    """Return kilometres east and north in the equal-area azimuthal projection of Lambert, on the sphere.

    J. P. Snyder, Map Projections: A Working Manual, 1987, equations 24-2, 22-4 and 22-5. Areas are exact; 300 km from
    the centre distances are wrong by less than a thousandth.
    """
    start, middle = math.radians(centre[0]), math.radians(centre[1])
    turn, phi = np.radians(longitude) - start, np.radians(latitude)
    cosine = math.sin(middle) * np.sin(phi) + math.cos(middle) * np.cos(phi) * np.cos(turn)
    scale = EARTH_KM * np.sqrt(2 / np.maximum(1 + cosine, 1e-12))
    north = math.cos(middle) * np.sin(phi) - math.sin(middle) * np.cos(phi) * np.cos(turn)
    return scale * np.cos(phi) * np.sin(turn), scale * north


def unproject(centre: Point, x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Return the degrees of points of :func:`project` (Snyder, 1987, equations 20-14, 20-15, 20-18 and 24-16)."""
    middle = math.radians(centre[1])
    distance = np.hypot(x, y)
    angle = 2 * np.arcsin(np.clip(distance / (2 * EARTH_KM), 0.0, 1.0))
    ratio = np.divide(y, distance, out=np.zeros_like(distance), where=distance > 0)
    phi = np.arcsin(np.clip(np.cos(angle) * math.sin(middle) + ratio * np.sin(angle) * math.cos(middle), -1.0, 1.0))
    turn = np.arctan2(
        x * np.sin(angle), distance * math.cos(middle) * np.cos(angle) - y * math.sin(middle) * np.sin(angle)
    )
    return centre[0] + np.degrees(np.where(distance > 0, turn, 0.0)), np.degrees(phi)


def _grid(centre: Point, bounds: tuple[float, float, float, float], bandwidth: float) -> tuple[Floats, Floats]:
    west, south, east, north = bounds
    edge = np.linspace(0, 1, 9)
    lon = np.concatenate([west + (east - west) * edge] * 2 + [np.full(9, west), np.full(9, east)])
    lat = np.concatenate([np.full(9, south), np.full(9, north)] + [south + (north - south) * edge] * 2)
    x, y = project(centre, lon, lat)
    rules = density_rules()
    longest = max(float(np.ptp(x)), float(np.ptp(y)))
    step = max(bandwidth / rules["cells"], longest / _MOST_CELLS)
    axes = [np.arange(values.min() - step, values.max() + 2 * step, step) for values in (x, y)]
    return axes[0], axes[1]


def kernel_density(
    longitude: Floats, latitude: Floats, weights: Floats, bounds: tuple[float, float, float, float], bandwidth: float
) -> Surface:
    """Return the density of weighted points over a box.

    Parameters
    ----------
    longitude, latitude
        Points, degrees; those that are not numbers are left out.
    weights
        Weight of each point, 1 for a place.
    bounds
        West, south, east, north of the box, degrees; points around it count too.
    bandwidth
        Standard deviation of the kernel, kilometres.

    Raises
    ------
    ValueError
        When the bandwidth is not positive.
    """
    if not bandwidth > 0:
        raise ValueError("a bandwidth is a positive length")
    centre = ((bounds[0] + bounds[2]) / 2, (bounds[1] + bounds[3]) / 2)
    x, y = _grid(centre, bounds, bandwidth)
    step, reach = float(x[1] - x[0]), float(density_rules()["reach"]) * bandwidth
    pad = math.ceil(reach / step)
    wide = [np.arange(axis[0] - pad * step, axis[-1] + (pad + 0.5) * step, step) for axis in (x, y)]
    near = _around(longitude, latitude, bounds, 1.5 * reach) & np.isfinite(weights)
    mass = _binned(project(centre, longitude[near], latitude[near]), weights[near], wide[0], wide[1])
    along, across = (
        np.exp(-0.5 * ((axis[:, None] - cells[None, :]) / bandwidth) ** 2) / (bandwidth * math.sqrt(2 * math.pi))
        for axis, cells in ((x, wide[0]), (y, wide[1]))
    )
    # The kernel is the product of its two sides: the sum over the cells is two products of matrices.
    return Surface(x, y, across @ mass @ along.T, bandwidth, centre)


def _around(longitude: Floats, latitude: Floats, bounds: tuple[float, float, float, float], km: float) -> Bools:
    """Tell the points in a box widened by some kilometres: projecting the whole country would take longer."""
    west, south, east, north = bounds
    high = km / 111
    wide = high / max(math.cos(math.radians(max(abs(south), abs(north)))), 0.05)
    inside = (longitude >= west - wide) & (longitude <= east + wide)
    return np.asarray(inside & (latitude >= south - high) & (latitude <= north + high), dtype=bool)


def _binned(points: tuple[Floats, Floats], weights: Floats, x: Floats, y: Floats) -> Floats:
    """Share each point among the four cells around it (linear binning: M. P. Wand, 1994); those outside are lost."""
    mass = np.zeros((len(y), len(x)))
    places = [(values - axis[0]) / (axis[1] - axis[0]) for values, axis in zip(points, (x, y), strict=True)]
    column, line = (np.floor(place).astype(np.int64) for place in places)
    kept = (column >= 0) & (column < len(x) - 1) & (line >= 0) & (line < len(y) - 1)
    column, line, weights = column[kept], line[kept], weights[kept]
    right, up = places[0][kept] - column, places[1][kept] - line
    for down, left, part in (
        (0, 0, (1 - right) * (1 - up)), (0, 1, right * (1 - up)), (1, 0, (1 - right) * up), (1, 1, right * up),
    ):  # fmt: skip
        np.add.at(mass, (line + down, column + left), weights * part)
    return mass


def rate_surface(places: Surface, people: Surface) -> Surface:
    """Return places for 1,000 inhabitants, not a number where hardly anybody lives (``least_people`` per km²)."""
    enough = people.z >= density_rules()["least_people"]
    rate = np.divide(1000 * places.z, people.z, out=np.full(places.z.shape, np.nan), where=enough)
    return Surface(places.x, places.y, rate, places.bandwidth_km, places.centre)


def breaks_of(largest: float, classes: int) -> list[float]:
    """Return increasing round bounds (1, 2, 5 × 10ⁿ) under the largest value, ``classes`` of them at most.

    The first one is where the drawing begins; the last class has no upper bound.
    """
    if not largest > 0:
        return []
    power = math.floor(math.log10(largest)) + 1
    # A tiny excess of the division must not lose a bound.
    series = [step * 10.0**exponent for exponent in range(power, power - classes - 2, -1) for step in _STEPS[::-1]]
    under = [float(f"{value:.6g}") for value in series if value < largest * (1 - 1e-9)]
    return sorted(under[:classes])


@dataclass(frozen=True)
class Band:
    """One filled contour: bounds (no upper one for the last) and its area on the map, degrees (EPSG:4326)."""

    low: float
    high: float | None
    area: shapely.Geometry


def bands(surface: Surface, breaks: list[float], clip: shapely.Geometry | None = None) -> list[Band]:
    """Return the filled contours of a surface between its breaks, cut to an area given in degrees; none is empty."""
    found: list[Band] = []
    z = np.ma.masked_invalid(surface.z)
    if not breaks or z.count() == 0:
        return found
    lines = contour_generator(surface.x, surface.y, z, fill_type=FillType.OuterOffset)
    ends: list[float | None] = [*breaks[1:], None]
    if clip is not None:
        shapely.prepare(clip)
    for low, high in zip(breaks, ends, strict=True):
        top = float(z.max()) * 2 if high is None else high
        area = _polygons(lines.filled(low, top), surface.centre)
        if clip is not None:
            area = shapely.intersection(area, clip)
        area = _only_areas(area)
        if not shapely.is_empty(area):
            found.append(Band(low, high, area))
    return found


def _polygons(filled: Any, centre: Point) -> shapely.Geometry:  # noqa: ANN401 - lists of contourpy
    polygons = []
    for points, offsets in zip(*filled, strict=True):
        lon, lat = unproject(centre, points[:, 0], points[:, 1])
        rounded = np.column_stack([lon, lat]).round(_DIGITS)
        rings = [rounded[start:end] for start, end in pairwise(offsets.tolist())]
        kept = [ring for ring in rings if len(ring) >= 4]
        if kept and kept[0] is rings[0]:
            polygons.append(shapely.Polygon(kept[0], kept[1:]))
    return shapely.make_valid(shapely.multipolygons(polygons)) if polygons else shapely.MultiPolygon()


def _only_areas(geometry: shapely.Geometry) -> shapely.Geometry:
    """Return the polygons of a geometry: cutting may leave points and lines."""
    parts = [part for part in shapely.get_parts(geometry) if part.geom_type in ("Polygon", "MultiPolygon")]
    flat = [item for part in parts for item in shapely.get_parts(part)]
    return shapely.MultiPolygon(flat)
