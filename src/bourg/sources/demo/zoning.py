"""Study zones made by clustering: living areas, employment zones, attraction areas, urban units.

The real zonings are not in any registry: these are plausible stand-ins around the largest towns, in the official
code formats. EPCI, departments and regions are the true ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
import shapely

from bourg.sources.demo.counts import Floats, Ints
from bourg.sources.demo.territory import Territory
from bourg.sources.demo.writing import write_csv

MEMBERSHIP_FILE = "table-appartenance-geo-communes.csv"
MEMBERSHIP_COLUMNS = (
    "CODGEO", "LIBGEO", "DEP", "CTCD", "REG", "EPCI", "EPT", "ARR", "CANOV", "ZE2020", "UU2020", "AAV2020", "BV2022",
)  # fmt: skip
NO_EPCI = "ZZZZZZZZZ"

# Number of zones in the table of 2024, and the least distance between two centres (km).
_BASINS, _BASIN_GAP = 1_707, 6.5
_EMPLOYMENT, _EMPLOYMENT_GAP = 306, 24.0
# Attraction areas: number, and radius (km) of a town of 1,000 inhabitants with its growth.
_AREAS, _AREA_REACH, _AREA_GROWTH = 699, 5.5, 0.36
_URBAN_UNIT = 2_000


@dataclass(frozen=True)
class Zoning:
    """Codes of each commune of the country (same order as ``Territory.communes``)."""

    bassin_vie: pl.Series
    zone_emploi: pl.Series
    aire_attraction: pl.Series
    unite_urbaine: pl.Series
    basin_centres: Ints


def build_zoning(territory: Territory) -> Zoning:
    """Cluster the communes around the largest towns of their region."""
    codes = territory.communes["code"]
    region = territory.communes["region"].to_numpy()
    x, y = _kilometres(territory)
    basins = _centres(territory.population * territory.centrality, x, y, number=_BASINS, gap=_BASIN_GAP)
    employment = _centres(territory.population, x, y, number=_EMPLOYMENT, gap=_EMPLOYMENT_GAP, region=region)
    near_basin = _nearest(x, y, region, basins)
    near_employment = _nearest(x, y, region, employment)
    return Zoning(
        bassin_vie=codes.gather(near_basin),
        zone_emploi=_employment_codes(region, employment, near_employment),
        aire_attraction=_attraction_areas(territory.population, x, y),
        unite_urbaine=_urban_units(territory),
        basin_centres=basins,
    )


def _kilometres(territory: Territory) -> tuple[Floats, Floats]:
    latitude = territory.locator.latitude
    return territory.locator.longitude * np.cos(np.radians(latitude)) * 111.32, latitude * 110.57


def _centres(
    score: Floats, x: Floats, y: Floats, *, number: int, gap: float, region: npt.NDArray[np.object_] | None = None
) -> Ints:
    """Return the best communes at least ``gap`` km apart; the first of each region comes first when given."""
    order = np.lexsort((np.arange(score.size), -score))
    chosen: list[int] = []
    if region is not None:
        _, first = np.unique(region[order], return_index=True)
        chosen = sorted(int(order[position]) for position in first)
    number = min(number, score.size)
    points = np.empty((number + len(chosen), 2))
    for rank, one in enumerate(chosen):
        points[rank] = x[one], y[one]
    taken = set(chosen)
    for candidate in order.tolist():
        if len(chosen) >= number:
            break
        if candidate in taken:
            continue
        held = points[: len(chosen)]
        if held.size and ((held[:, 0] - x[candidate]) ** 2 + (held[:, 1] - y[candidate]) ** 2).min() < gap * gap:
            continue
        points[len(chosen)] = x[candidate], y[candidate]
        chosen.append(candidate)
    return np.array(sorted(chosen, key=lambda one: (-score[one], one)), dtype=np.int64)


def _nearest(x: Floats, y: Floats, region: npt.NDArray[np.object_], centres: Ints) -> Ints:
    """Return the nearest centre of each commune, in the same region when it has one."""
    near = np.empty(x.size, dtype=np.int64)
    for name in np.unique(region):
        inside = np.flatnonzero(region == name)
        local = centres[region[centres] == name]
        local = local if local.size else centres
        tree = shapely.STRtree(np.asarray(shapely.points(x[local], y[local])))
        near[inside] = local[tree.nearest(shapely.points(x[inside], y[inside]))]
    return near


def _attraction_areas(population: Floats, x: Floats, y: Floats) -> pl.Series:
    """Return the attraction area of each commune: 001 around the largest town…, 000 outside any.

    Towns are taken from the largest; each claims the communes left within a radius that grows with its population.
    """
    owner = np.zeros(population.size, dtype=np.int64)
    areas = 0
    for town in np.lexsort((np.arange(population.size), -population)).tolist():
        if areas == _AREAS:
            break
        if owner[town]:
            continue
        areas += 1
        reach = _AREA_REACH * (population[town] / 1_000) ** _AREA_GROWTH
        near = (x - x[town]) ** 2 + (y - y[town]) ** 2 <= reach * reach
        owner[near & (owner == 0)] = areas
    return pl.Series(owner).cast(pl.String).str.zfill(3)


def _employment_codes(region: npt.NDArray[np.object_], centres: Ints, near: Ints) -> pl.Series:
    """Return region + two digits, numbered by region in code order."""
    codes: dict[int, str] = {}
    seen: dict[str, int] = {}
    for centre in sorted(centres.tolist()):
        name = str(region[centre])
        seen[name] = seen.get(name, 0) + 1
        codes[centre] = f"{name}{seen[name]:02d}"
    return pl.Series([codes[centre] for centre in near.tolist()])


def _urban_units(territory: Territory) -> pl.Series:
    """Return one urban unit for each commune of 2,000 inhabitants or more; ``DD000`` is rural."""
    urban = pl.Series(territory.population >= _URBAN_UNIT)
    table = territory.communes.select("departement").with_columns(urban=urban)
    rank = pl.col("urban").cum_sum().over("departement")
    prefix = pl.col("departement").replace({"971": "9A", "972": "9B", "973": "9C", "974": "9D", "976": "9F"})
    number = pl.when("urban").then(rank + 100).otherwise(0).cast(pl.String).str.zfill(3)
    return table.select(pl.concat_str(prefix, number)).to_series()


def write_membership(target: Path, territory: Territory, zoning: Zoning) -> Path:
    """Write the table of membership in its official columns (separator ``;``)."""
    table = territory.communes.with_columns(
        ze=zoning.zone_emploi, uu=zoning.unite_urbaine, aav=zoning.aire_attraction, bv=zoning.bassin_vie
    )[territory.selected]
    frame = table.select(
        pl.col("code").alias("CODGEO"), pl.col("name").alias("LIBGEO"), pl.col("departement").alias("DEP"),
        pl.format("{}D", "departement").alias("CTCD"), pl.col("region").alias("REG"),
        pl.col("epci").fill_null(NO_EPCI).alias("EPCI"), pl.lit(NO_EPCI).alias("EPT"),
        pl.format("{}1", "departement").alias("ARR"), pl.lit(None, pl.String).alias("CANOV"),
        pl.col("ze").alias("ZE2020"), pl.col("uu").alias("UU2020"), pl.col("aav").alias("AAV2020"),
        pl.col("bv").alias("BV2022"),
    )  # fmt: skip
    return write_csv(target / MEMBERSHIP_FILE, frame.select(MEMBERSHIP_COLUMNS))
