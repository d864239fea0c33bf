"""What indicator functions share: counts with true zeros, ratios with a reason when there is none."""

from __future__ import annotations

import polars as pl

PER = 1000


def covered(coverage: pl.LazyFrame, table: str, role: str = "latest") -> pl.LazyFrame:
    """Return ``code, year`` of the units that ``table`` wholly describes, for the year that has this role."""
    return coverage.filter((pl.col("table") == table) & (pl.col("role") == role)).select("code", "year")


def count_by(
    coverage: pl.LazyFrame, table: str, rows: pl.LazyFrame, column: str = "n", *, role: str = "latest"
) -> pl.LazyFrame:
    """Sum ``column`` by unit: zero where the table covers the unit and has no row, nothing where it does not.

    A null among the rows makes the sum null: an unknown number of seats is not zero.

    Returns
    -------
    LazyFrame
        ``code, year, value (Int64), n, period`` (``period`` is null for tables without a year).
    """
    scaffold = covered(coverage, table, role)
    yearly = "year" in rows.collect_schema()
    keys = ["code", "year"] if yearly else ["code"]
    whole = pl.when(pl.col(column).null_count() == 0).then(pl.col(column).sum())
    sums = rows.group_by(keys).agg(whole.cast(pl.Int64).alias("value"), present=pl.lit(value=True))
    value = pl.when(pl.col("present").is_null()).then(0).otherwise(pl.col("value")).cast(pl.Int64)
    return scaffold.join(sums, on=keys, how="left").select(
        "code", "year", value=value, n=value, period=pl.col("year").cast(pl.String)
    )


def ratio(numerator: pl.Expr, denominator: pl.Expr, factor: float = 1.0) -> list[pl.Expr]:
    """Return the columns ``value`` and ``status``: nothing is divided by zero, and 0/0 is not 0."""
    zero = denominator == 0
    return [
        pl.when(~zero).then(factor * numerator / denominator).alias("value"),
        pl.when(zero).then(pl.lit("not_applicable")).alias("status"),
    ]


def latest_population(population: pl.LazyFrame) -> pl.LazyFrame:
    """Return ``code, pmun, year`` of the latest national population."""
    return population.filter("latest").select("code", "pmun", "year")


def per_population(
    counts: pl.LazyFrame, population: pl.LazyFrame, factor: float = PER, *, same_year: bool = False
) -> pl.LazyFrame:
    """Divide counts (``code, year, value, n, period``) by the municipal population of the same unit.

    Parameters
    ----------
    same_year
        Take the population of the year nearest to the counts instead of the latest one (denominators of the same
        vintage, ANCHORS D6); the year is the same for all units.
    """
    return with_population(counts, population, same_year=same_year).select(
        "code", "n", "period", *ratio(pl.col("value"), pl.col("pmun"), factor)
    )


def with_population(counts: pl.LazyFrame, population: pl.LazyFrame, *, same_year: bool = False) -> pl.LazyFrame:
    """Return the counts with the population of the unit, ``pmun``, chosen as in :func:`per_population`."""
    denominator = _nearest(population, counts) if same_year else latest_population(population)
    return counts.join(denominator.select("code", "pmun"), on="code", how="left")


def _nearest(population: pl.LazyFrame, counts: pl.LazyFrame) -> pl.LazyFrame:
    target = counts.select(target=pl.col("year").max())
    gap = (pl.col("year") - pl.col("target")).abs()
    nearest = population.join(target, how="cross").filter(gap == gap.min())
    return nearest.filter(pl.col("year") == pl.col("year").min())


def share_of(counts: pl.LazyFrame, total: pl.LazyFrame) -> pl.LazyFrame:
    """Return counts in percent of ``total`` (both from :func:`count_by`); ``n`` is the size of the whole."""
    whole = total.select("code", whole="value")
    return counts.join(whole, on="code", how="left").select(
        "code", "period", *ratio(pl.col("value"), pl.col("whole"), 100), n="whole"
    )
