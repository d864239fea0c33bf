"""Power in service year after year, by group of sectors, ready to draw."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from bourg.energy.evolution import power_by_year
from bourg.energy.sectors import GROUPS

# Columns that a phone can show; what is older is one column.
_MOST_YEARS = 20


@dataclass(frozen=True)
class PowerYears:
    """Power of what runs today, by year of commissioning.

    Attributes
    ----------
    years
        From the first to the last year shown, all of them.
    before
        Whether the first year holds all that came earlier.
    cumulated
        Group -> power in service at the end of each year, kW; ``None`` from a year whose power is unknown.
    added
        Power put in service during each year, kW, storage included; ``None`` when one is unknown.
    undated_kw, undated_n
        Power and number of what has no date: mostly the sums of small installations.
    """

    years: tuple[int, ...]
    before: bool
    cumulated: Mapping[str, tuple[float | None, ...]]
    added: tuple[float | None, ...]
    undated_kw: float | None
    undated_n: int

    def totals(self) -> tuple[float | None, ...]:
        """Return the power of all groups at the end of each year, ``None`` when one is unknown."""
        columns = zip(*self.cumulated.values(), strict=True)
        return tuple(_sum(values) for values in columns)


def _sum(values: tuple[float | None, ...]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None


def power_years(installations: pl.DataFrame, last: int | None = None) -> PowerYears | None:
    """Return the power in service at the end of each year; ``None`` when no installation has a date.

    Parameters
    ----------
    installations
        Rows of ``energy_installations`` of one territory.
    last
        Year of the register: a territory where nothing was built since still has its columns until then.
    """
    table = power_by_year(installations)
    undated = table.filter(pl.col("year").is_null())
    dated = table.filter(pl.col("year").is_not_null())
    if dated.is_empty():
        return None
    found = dated["year"]
    end = max(int(found.max()), last or 0)  # type: ignore[arg-type]
    start = max(int(found.min()), end - _MOST_YEARS + 1)  # type: ignore[arg-type]
    years = tuple(range(start, end + 1))
    cumulated: dict[str, tuple[float | None, ...]] = {}
    for group, sectors in GROUPS.items():
        rows = dated.filter(pl.col("sector").is_in(sectors))
        if rows.height:
            cumulated[group] = tuple(_until(rows, year) for year in years)
    early = (dated["year"] < start).any()
    added = tuple(
        _power(dated.filter(pl.col("year") <= year if rank == 0 else pl.col("year") == year))
        for rank, year in enumerate(years)
    )
    return PowerYears(years, early, cumulated, added, _power(undated), int(undated["n"].sum()))


def _power(rows: pl.DataFrame) -> float | None:
    return float(rows["power_kw"].sum()) if rows["power_kw"].null_count() == 0 else None


def _until(rows: pl.DataFrame, year: int) -> float | None:
    return _power(rows.filter(pl.col("year") <= year))
