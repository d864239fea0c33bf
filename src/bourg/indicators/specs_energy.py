"""Tables of energy: installations, lines that only a larger territory can claim, yearly production.

Importing this module adds them to :data:`bourg.indicators.tables.TABLES`.
"""

from __future__ import annotations

from typing import Literal

import polars as pl

from bourg.geography.levels import Level
from bourg.indicators.parameters import parameter
from bourg.indicators.tables import TABLES, TableSpec

INSTALLED = "energy_installations"
_COLUMNS: dict[str, pl.DataType] = {
    "code": pl.String(),
    "sector": pl.String(),
    "power_kw": pl.Float64(),
    "n": pl.Int64(),
    "small": pl.Boolean(),
    "commissioning_year": pl.Int32(),
    "year_injected_kwh": pl.Float64(),
    "energy_status": pl.String(),
}
# n, unpowered: installations, and those of unknown power. kWh known; power whose energy is unknown, of which withheld.
SUMS = ("n", "unpowered", "power_kw", "small_kw", "kwh", "unknown_kw", "secret_kw", "dated_kw", "recent_kw")


def _installations(frame: pl.LazyFrame) -> pl.LazyFrame:
    """Sum the lines of a territory by sector, what is unknown apart from what is known."""
    power = pl.col("power_kw").fill_null(0.0)
    year = pl.col("commissioning_year")
    span = parameter("energy_recent_years", package="bourg.energy")
    dated = year.is_not_null()
    recent = (year > year.max() - span).fill_null(value=False)
    silent = pl.col("year_injected_kwh").is_null()
    withheld = silent & (pl.col("energy_status") == "secret").fill_null(value=False)
    return (
        frame.with_columns(
            unpowered=pl.when(pl.col("power_kw").is_null()).then("n").otherwise(0),
            small_kw=pl.when(pl.col("small").fill_null(value=False)).then(power).otherwise(0.0),
            kwh=pl.col("year_injected_kwh").fill_null(0.0),
            unknown_kw=pl.when(silent).then(power).otherwise(0.0),
            secret_kw=pl.when(withheld).then(power).otherwise(0.0),
            dated_kw=pl.when(dated).then(power).otherwise(0.0),
            recent_kw=pl.when(recent).then(power).otherwise(0.0),
            power_kw=power,
        )
        .group_by("code", "sector")
        .agg(pl.col(name).sum() for name in SUMS)
    )


def _production(frame: pl.LazyFrame) -> pl.LazyFrame:
    """Add merged communes up, then flag the last year known about as widely as the best one."""
    secret = (pl.col("status") == "secret").any()
    lost = pl.col("mwh").null_count() > 0
    merged = frame.group_by("code", "year", "sector").agg(
        mwh=pl.when(~lost & ~secret).then(pl.col("mwh").sum()),
        status=pl.when(secret).then(pl.lit("secret")).when(lost).then(pl.lit("missing")),
    )
    counts = merged.group_by("year").agg(pl.col("code").n_unique().alias("n_codes"))
    wide = pl.col("n_codes") >= parameter("population_year_min_share") * pl.col("n_codes").max()
    years = counts.filter(wide).select("year", latest=pl.col("year") == pl.col("year").max())
    return merged.join(years, on="year", how="left").with_columns(pl.col("latest").fill_null(value=False))


def _spec(absence: Literal["zero", "missing"], level: Level = "commune") -> TableSpec:
    return TableSpec(_COLUMNS, absence, ("sector",), SUMS, _installations, level=level)


TABLES[INSTALLED] = _spec("zero")
# Lines without a commune count from the smallest territory that holds them.
TABLES["energy_unplaced_departement"] = _spec("missing", "departement")
TABLES["energy_unplaced_region"] = _spec("missing", "region")
TABLES["energy_unplaced_france"] = _spec("missing", "france")
TABLES["energy_production"] = TableSpec(
    {"code": pl.String(), "year": pl.Int32(), "sector": pl.String(), "mwh": pl.Float64(), "status": pl.String()},
    "missing",
    ("year", "sector", "latest"),
    ("mwh",),
    _production,
)
