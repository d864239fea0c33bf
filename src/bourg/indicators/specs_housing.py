"""Specs of the tables of housing, economy and local finance: long measures, and the stock of social housing.

Importing this module adds them to :data:`bourg.indicators.tables.TABLES`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

import polars as pl

from bourg.indicators.access_variables import access_counts
from bourg.indicators.parameters import parameter
from bourg.indicators.tables import TABLES, TableSpec, strict_sum

_COLUMNS: dict[str, pl.DataType] = {
    "code": pl.String(),
    "year": pl.Int32(),
    "variable": pl.String(),
    "value": pl.Float64(),
    "status": pl.String(),
}
# Long tables of measures -> variables that add up when communes merge. Rates, medians and prices have no sum.
MEASURES: dict[str, tuple[str, ...]] = {
    "lovac": ("VACANT", "VACANT_2Y", "PRIVATE"),
    "rpls_rates": ("RENTED", "VACANT"),
    "property_prices": ("SALES_HOUSE", "SALES_FLAT"),
    "mean_prices": ("SALES",),
    "job_seekers": ("MEAN", "Q4"),
    "sru": ("DWELLINGS",),
    "finances": (
        "POPULATION", "DRF", "RRF", "DI", "EQUIPMENT", "DEBT", "GROSS", "NET", "STAFF", "TAXES", "DGF",
    ),
    "establishments": ("UNITS", "EMPLOYERS", "JOBS"),
    "tenure": ("TOTAL", "OWNERS", "PRIVATE_TENANTS", "SOCIAL_TENANTS", "FREE"),
    "rents": (),
    "permits": ("DWELLINGS", "INDIVIDUAL", "COLLECTIVE"),
    "vacancy_taxes": (),
    # FIRST_OUT is a maximum: that of a merged commune is not the sum of those of its parts.
    "commuting": ("RESIDENTS", "LOCAL", "JOBS", "CAR", "TRANSIT", "ACTIVE"),
    "local_statistics": ("SPORT_PLACES",),
    "energy_use": (
        "HOMES", "ALL", "ELEC", "GAS",
        *(f"{network}_{sector}" for network in ("ELEC", "GAS")
          for sector in ("HOMES", "SERVICES", "INDUSTRY", "FARMING", "OTHER")),
    ),
    "access_times": access_counts(),
}  # fmt: skip


def _measures(additive: Collection[str]) -> Callable[[pl.LazyFrame], pl.LazyFrame]:
    def prepare(frame: pl.LazyFrame) -> pl.LazyFrame:
        """Merge rows of one commune, then flag the years of each variable known about as widely as the best one.

        ``latest`` is the last of those years: chosen on communes, it is the same for every larger territory.
        """
        adds = pl.col("variable").first().is_in(list(additive))
        secret = (pl.col("status") == "secret").any()
        # Merged communes keep a reason (estimated, without object) only when all of them share it.
        shared = pl.when(pl.col("status").n_unique() == 1).then(pl.col("status").first())
        lost = pl.col("value").null_count() > 0
        # A rate, a price or a flag that is the same in all the parts is that of the whole.
        alike = pl.col("value").n_unique() == 1
        merged = frame.group_by("code", "year", "variable").agg(
            value=pl.when(~lost & ~secret & adds)
            .then(pl.col("value").sum())
            .when(~lost & ~secret & alike)
            .then(pl.col("value").first()),
            status=pl.when(secret)
            .then(pl.lit("secret"))
            .when(shared.is_in(["not_applicable", "estimated", "unreachable"]))
            .then(shared)
            .when(lost | (~adds & ~alike))
            .then(pl.lit("missing")),
        )
        known = (
            merged.filter(pl.col("status").is_null() | (pl.col("status") != "missing"))
            .group_by("variable", "year")
            .len("n_codes")
        )
        share = parameter("population_year_min_share")
        wide = pl.col("n_codes") >= share * pl.col("n_codes").max().over("variable")
        years = (
            known.filter(wide)
            .with_columns(wide=pl.lit(value=True), latest=pl.col("year") == pl.col("year").max().over("variable"))
            .drop("n_codes")
        )
        flags = [pl.col(name).fill_null(value=False) for name in ("wide", "latest")]
        return merged.join(years, on=["variable", "year"], how="left").with_columns(flags)

    return prepare


def _social(frame: pl.LazyFrame) -> pl.LazyFrame:
    return frame.group_by("code", "year").agg(strict_sum("n"))


TABLES.update(
    {
        name: TableSpec(_COLUMNS, "missing", ("year", "variable", "wide", "latest"), ("value",), _measures(additive))
        for name, additive in MEASURES.items()
    }
)
TABLES["mortality"] = TableSpec(
    _COLUMNS, "missing", ("year", "variable", "wide", "latest"), ("value",), _measures(()), level="departement"
)
TABLES["social_housing"] = TableSpec(
    {"code": pl.String(), "year": pl.Int32(), "n": pl.Int64()}, "zero", ("year",), ("n",), _social
)
