"""Slopes: heights read along the streets, and what they do to walking and cycling."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bourg.access.network.contraction import Streets
from bourg.access.network.errors import ElevationError
from bourg.access.network.rules import WayRules
from bourg.access.network.settings import rule

GRAVITY = 9.81
# Side of the parts in which a raster is read, cells.
_BLOCK = 2048


def foot_factor(slope: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return time on a slope over time on the flat, on foot (Tobler 1993); slope is rise over run, positive uphill."""
    settings = rule("slope")["foot"]
    steep, best = settings["steepness"], settings["best"]
    factor: NDArray[np.float64] = np.exp(steep * (np.abs(slope + best) - abs(best)))
    return factor


def bike_factor(slope: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return time on a slope over time on the flat, by bike, at constant power.

    The speed v solves ``P = v (m g (c cos s + sin s) + ½ ρ CdA v²)``, the power P being the one that keeps the
    reference speed on the flat; it stays between pushing pace and ``downhill_factor`` times the flat speed.
    """
    settings = rule("slope")["bike"]
    table = np.linspace(-0.5, 0.5, 401)
    angle = np.arctan(table)
    force = settings["mass_kg"] * GRAVITY * (settings["rolling"] * np.cos(angle) + np.sin(angle))
    drag = settings["air_kg_m3"] * settings["drag_m2"] / 2
    flat = settings["reference_kmh"] / 3.6
    power = flat * (settings["mass_kg"] * GRAVITY * settings["rolling"] + drag * flat**2)
    low, high = np.full(len(table), 0.01), np.full(len(table), 60.0)
    # Power grows with speed from the root on: bisection.
    for _ in range(60):
        middle = (low + high) / 2
        short = middle * (force + drag * middle**2) < power
        low, high = np.where(short, middle, low), np.where(short, high, middle)
    speed = np.clip(low, settings["pushing_kmh"] / 3.6, flat * settings["downhill_factor"])
    factor: NDArray[np.float64] = flat / np.interp(slope, table, speed)
    return factor


def slope_factors(
    streets: Streets, rules: WayRules, elevation: Path | None
) -> tuple[dict[str, NDArray[np.float32]], dict[str, Any]]:
    """Return, for foot and bike, the factor of time along and against each segment, and facts for the manifest.

    Each segment is cut in steps of about ``step_m``; bridges, tunnels, ferries and steps are flat, and so is what the
    raster does not know, which is counted.

    Raises
    ------
    ElevationError
        When the raster cannot be read or says no coordinate system.
    """
    if elevation is None:
        return {}, {"used": False}
    settings = rule("slope")
    segments = streets.segments
    steps = np.maximum(1, np.rint(segments.length_m / settings["step_m"])).astype(np.int64)
    steps[rules.flat[streets.profile]] = 1
    lon, lat = _along(streets, steps)
    heights = read_heights(elevation, lon, lat)
    start = np.cumsum(steps + 1) - (steps + 1)
    inner = np.ones(len(lon), dtype=bool)
    inner[start + steps] = False
    at = np.flatnonzero(inner)
    owner = np.repeat(np.arange(len(segments)), steps)
    run = np.maximum(segments.length_m / steps, 0.1)[owner]
    slope = (heights[at + 1] - heights[at]) / run
    unknown = ~np.isfinite(slope)
    slope[unknown | rules.flat[streets.profile][owner]] = 0
    slope = np.clip(slope, -settings["steepest"], settings["steepest"])
    first = np.cumsum(steps) - steps
    factors = {}
    for mode, model in (("foot", foot_factor), ("bike", bike_factor)):
        both = [np.add.reduceat(model(sign * slope), first) / steps for sign in (1.0, -1.0)]
        factors[mode] = np.stack(both, axis=1).astype(np.float32)
    missing = int(np.isnan(heights).sum())
    facts: dict[str, Any] = {
        "used": True,
        "file": elevation.name,
        "samples": len(heights),
        "unknown_samples": missing,
        "warnings": [],
    }
    if missing:
        facts["warnings"] = [
            f"Altitude inconnue sur {100 * missing / len(heights):.1f} % des points : la rue y est tenue pour plate."
        ]
    return factors, facts


def _along(streets: Streets, steps: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return points at equal distances along each segment, ends included: ``steps + 1`` of them."""
    segments = streets.segments
    coords = segments.coords
    total = np.zeros(len(coords))
    middle = np.radians((coords[1:, 1] + coords[:-1, 1]) / 2)
    total[1:] = np.cumsum(np.hypot(np.diff(coords[:, 0]) * np.cos(middle), np.diff(coords[:, 1])))
    begin, finish = total[segments.first[:-1]], total[segments.first[1:] - 1]
    owner = np.repeat(np.arange(len(segments)), steps + 1)
    rank = np.arange(len(owner)) - np.repeat(np.cumsum(steps + 1) - (steps + 1), steps + 1)
    wanted = begin[owner] + (finish - begin)[owner] * rank / steps[owner]
    place = np.clip(
        np.searchsorted(total, wanted, side="right") - 1, segments.first[:-1][owner], segments.first[1:][owner] - 2
    )
    length = total[place + 1] - total[place]
    part = np.clip(np.divide(wanted - total[place], length, out=np.zeros_like(wanted), where=length > 0), 0, 1)
    points = coords[place] + (coords[place + 1] - coords[place]) * part[:, None]
    return points[:, 0], points[:, 1]


def read_heights(path: Path, lon: NDArray[np.float64], lat: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the height at each place, metres, between the four cells around it; not a number where unknown.

    Raises
    ------
    ElevationError
        When the raster cannot be read, or when its coordinate system is neither said nor told by its numbers.
    """
    # Heavy to import, and needed only with a raster.
    import rasterio  # noqa: PLC0415
    from rasterio.crs import CRS  # noqa: PLC0415
    from rasterio.errors import RasterioError  # noqa: PLC0415
    from rasterio.warp import transform  # noqa: PLC0415

    try:
        with rasterio.open(path) as raster:
            crs = raster.crs or _guess(raster.bounds, path.name)
            x, y = (np.asarray(v) for v in transform(CRS.from_epsg(4326), crs, lon, lat))
            cells = ~raster.transform
            column = cells.a * x + cells.b * y + cells.c - 0.5
            row = cells.d * x + cells.e * y + cells.f - 0.5
            return _sample(raster, column, row)
    except ElevationError:
        raise
    except (RasterioError, OSError, ValueError) as error:
        raise ElevationError("Le modèle d'altitude ne se lit pas.", where=path.name, why=str(error)[:300]) from error


def _sample(raster: Any, column: NDArray[np.float64], row: NDArray[np.float64]) -> NDArray[np.float64]:  # noqa: ANN401
    """Read the raster block by block: a department at one metre does not fit in memory."""
    from rasterio.windows import Window  # noqa: PLC0415

    inside = (column >= -0.5) & (row >= -0.5) & (column <= raster.width - 0.5) & (row <= raster.height - 0.5)
    found = np.full(len(column), np.nan)
    column, row = np.clip(column, 0, raster.width - 1), np.clip(row, 0, raster.height - 1)
    blocks_wide = raster.width // _BLOCK + 1
    block = np.where(inside, row // _BLOCK * blocks_wide + column // _BLOCK, -1).astype(np.int64)
    order = np.argsort(block, kind="stable")
    numbers, starts = np.unique(block[order], return_index=True)
    for number, members in zip(numbers.tolist(), np.split(order, starts[1:]), strict=True):
        if number < 0:
            continue
        left, top = number % blocks_wide * _BLOCK, number // blocks_wide * _BLOCK
        size = min(_BLOCK + 1, raster.width - left), min(_BLOCK + 1, raster.height - top)
        cells = raster.read(1, window=Window(left, top, *size), masked=True)
        values = cells.astype(np.float64).filled(np.nan)
        found[members] = _bilinear(values, column[members] - left, row[members] - top)
    return found


def _guess(bounds: Any, name: str) -> Any:  # noqa: ANN401 (rasterio objects)
    """Tell Lambert-93 and WGS84 by their numbers: ESRI ASCII grids carry no coordinate system."""
    from rasterio.crs import CRS  # noqa: PLC0415

    if -180 <= bounds.left < bounds.right <= 180 and -90 <= bounds.bottom < bounds.top <= 90:
        return CRS.from_epsg(4326)
    if 0 <= bounds.left < bounds.right <= 1_300_000 and 6_000_000 <= bounds.bottom < bounds.top <= 7_200_000:
        return CRS.from_epsg(2154)
    raise ElevationError(
        "Le modèle d'altitude ne dit pas son système de coordonnées.",
        where=name,
        next_step="Ajoutez un fichier .prj, ou convertissez-le en GeoTIFF.",
    )


def _bilinear(
    values: NDArray[np.float64], column: NDArray[np.float64], row: NDArray[np.float64]
) -> NDArray[np.float64]:
    height, width = values.shape
    c0 = np.minimum(column.astype(np.int64), max(width - 2, 0))
    r0 = np.minimum(row.astype(np.int64), max(height - 2, 0))
    c1, r1 = np.minimum(c0 + 1, width - 1), np.minimum(r0 + 1, height - 1)
    u, v = column - c0, row - r0
    found: NDArray[np.float64] = (
        values[r0, c0] * (1 - u) * (1 - v)
        + values[r0, c1] * u * (1 - v)
        + values[r1, c0] * (1 - u) * v
        + values[r1, c1] * u * v
    )
    return found
