"""The density of places of a territory: contours, their classes, and the densest communes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
import shapely

from bourg.culture.base import CultureBase, Floats
from bourg.culture.density import Band, Surface, bands, breaks_of, density_rules, kernel_density, rate_surface
from bourg.errors import ParameterError
from bourg.portrait.observatory import Observatory
from bourg.portrait.themes.culture_areas import Area, box_of, outline_of

MEASURES = {"km2": "lieux par km²", "habitants": "lieux pour 1 000 habitants"}
_SHOWN = 12
# Beyond the map: what lies further than four bandwidths counts for nothing.
_LEAST_AREA_KM2 = 0.01


@dataclass(frozen=True, eq=False)
class DensityMap:
    """A density of places.

    Attributes
    ----------
    area
        The territory.
    measure
        One of :data:`MEASURES`.
    bandwidth_km
        Standard deviation of the kernel.
    bands
        Filled contours from the lowest to the highest, cut to the territory.
    outline, box
        The territory: area (EPSG:4326) and west, south, east, north.
    densest
        Communes with the most: ``code, name, places, population, per_km2, per_1000, smoothed``; ``smoothed`` is the
        surface at the town hall.
    without_point
        Places whose position is not known: they are counted, not drawn.
    """

    area: Area
    measure: str
    bandwidth_km: float
    bands: tuple[Band, ...]
    outline: shapely.Geometry
    box: tuple[float, float, float, float]
    densest: pl.DataFrame
    without_point: int

    @property
    def unit(self) -> str:
        """French words of the measure."""
        return MEASURES[self.measure]


def bandwidth_of(level: str, asked: float | None) -> float:
    """Return the bandwidth in kilometres: the one asked for, else that of the level.

    Raises
    ------
    ParameterError
        When it is not one of the declared choices.
    """
    rules = density_rules()
    if asked is None:
        return float(rules["bandwidth_km"][level])
    if asked not in rules["choices"]:
        choices = ", ".join(f"{choice}" for choice in rules["choices"])
        raise ParameterError(
            f"Un lissage de {asked:g} km n'est pas proposé.", next_step=f"choisissez parmi : {choices} km."
        )
    return float(asked)


def density_map(
    observatory: Observatory, base: CultureBase, area: Area, *, measure: str = "km2", bandwidth: float | None = None
) -> DensityMap | None:
    """Return the density of the places of a territory, all types.

    Returns
    -------
    DensityMap or None
        ``None`` where the typed list leaves a commune out, or nothing has an outline.

    Raises
    ------
    ParameterError
        When the measure or the bandwidth is not proposed.
    """
    if measure not in MEASURES:
        raise ParameterError(
            f"La densité « {measure[:40]} » n'existe pas.", next_step=f"choisissez parmi : {', '.join(MEASURES)}."
        )
    width = bandwidth_of(area.level, bandwidth)
    box, outline = box_of(observatory, area), outline_of(observatory, area)
    if box is None or outline is None or not bool(base.covered[area.rows].all()):
        return None
    surface = _surface(base, box, width, measure)
    inside = _inside(surface, outline)
    largest = float(np.nanmax(np.where(inside, surface.z, np.nan))) if np.isfinite(surface.z[inside]).any() else 0.0
    drawn = bands(surface, breaks_of(largest, int(density_rules()["classes"])), outline)
    mine = base.places.filter(pl.col("code").is_in(list(area.codes)))
    return DensityMap(
        area, measure, width, tuple(drawn), outline, box, _densest(base, area, surface, measure),
        mine.filter(pl.col("longitude").is_null()).height,
    )  # fmt: skip


def _surface(base: CultureBase, box: tuple[float, float, float, float], width: float, measure: str) -> Surface:
    placed = base.places.filter(pl.col("longitude").is_not_null())
    lon, lat = placed["longitude"].to_numpy(), placed["latitude"].to_numpy()
    places = kernel_density(lon, lat, np.ones(len(lon)), box, width)
    if measure == "km2":
        return places
    lon, lat = (base.communes[name].cast(pl.Float64).fill_null(np.nan).to_numpy() for name in ("longitude", "latitude"))
    return rate_surface(places, kernel_density(lon, lat, base.population, box, width))


def _inside(surface: Surface, outline: shapely.Geometry) -> np.ndarray:
    lon, lat = surface.degrees()
    found = shapely.contains_xy(outline, lon.ravel(), lat.ravel()).reshape(surface.z.shape)
    # A territory smaller than a cell has no centre of a cell inside it.
    return np.asarray(found if found.any() else np.ones_like(found), dtype=bool)


def _densest(base: CultureBase, area: Area, surface: Surface, measure: str) -> pl.DataFrame:
    communes = base.communes[area.rows]
    counts = base.counts[area.rows].sum(axis=1)
    lon, lat = (communes[name].cast(pl.Float64).fill_null(np.nan).to_numpy() for name in ("longitude", "latitude"))
    smoothed: Floats = np.full(len(counts), np.nan)
    known = np.isfinite(lon) & np.isfinite(lat)
    smoothed[known] = surface.at(lon[known], lat[known])
    n = pl.Series("places", counts)
    table = communes.select("code", "name", "population", "area_km2").with_columns(
        places=n,
        per_km2=pl.when(pl.col("area_km2") > _LEAST_AREA_KM2).then(n / pl.col("area_km2")),
        per_1000=pl.when(pl.col("population") > 0).then(1000 * n / pl.col("population")),
        smoothed=pl.Series(smoothed).fill_nan(None),
    )
    by = "per_km2" if measure == "km2" else "per_1000"
    return table.filter(n > 0).sort([by, "code"], descending=[True, False], nulls_last=True).head(_SHOWN)
