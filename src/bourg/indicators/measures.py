"""What the indicators of long tables of measures share: the year shown, statuses of several variables, ratios."""

from __future__ import annotations

import polars as pl

from bourg.indicators.helpers import ratio

PERIOD = pl.col("year").cast(pl.String).alias("period")


def latest(table: pl.LazyFrame, variable: str) -> pl.LazyFrame:
    """Return ``code, year, value, status, period`` of one variable, in the last year known widely."""
    chosen = table.filter(pl.col("latest") & (pl.col("variable") == variable))
    return chosen.select("code", "year", "value", "status", PERIOD)


def together(table: pl.LazyFrame, *variables: str) -> pl.LazyFrame:
    """Return ``code, year, status, period`` and one column per variable, in the last year that has them all.

    A unit that lacks one of them is left out: its value is missing. The status is that of the worst one: secret when
    one is secret.
    """
    rows = table.filter(pl.col("wide") & pl.col("variable").is_in(variables))
    years = (
        rows.group_by("year").agg(pl.col("variable").n_unique()).filter(pl.col("variable") == len(variables))
    ).select(pl.col("year").max())
    secret = (pl.col("status") == "secret").any()
    return (
        rows.join(years, on="year", how="semi")
        .group_by("code", "year")
        .agg(
            pl.when(secret).then(pl.lit("secret")).otherwise(pl.col("status").drop_nulls().first()).alias("status"),
            pl.len().alias("present"),
            *(pl.col("value").filter(pl.col("variable") == name).first().alias(name) for name in variables),
        )
        .filter(pl.col("present") == len(variables))
        .select("code", "year", "status", *variables, PERIOD)
    )


def quotient(rows: pl.LazyFrame, numerator: pl.Expr, denominator: pl.Expr, factor: float = 1.0) -> pl.LazyFrame:
    """Return ``code, value, status, n, period``: nothing is divided by zero, a known reason wins over it."""
    columns = ratio(numerator, denominator, factor)
    return (
        rows.rename({"status": "reason"})
        .select(
            "code",
            "period",
            *columns,
            pl.col("reason"),
            n=denominator.round().cast(pl.Int64, strict=False),
        )
        .select(
            "code",
            "period",
            "n",
            value=pl.when(pl.col("reason").is_null() | (pl.col("reason") == "estimated")).then("value"),
            status=pl.coalesce("reason", "status"),
        )
    )


def measured(rows: pl.LazyFrame, factor: float = 1.0) -> pl.LazyFrame:
    """Return ``code, value, status, period`` of :func:`latest`, multiplied by ``factor``."""
    return rows.select("code", "status", "period", value=factor * pl.col("value"))
