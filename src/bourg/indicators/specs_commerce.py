"""Tables of shops (Sirene): importing this module adds them to ``TABLES``."""

from __future__ import annotations

import polars as pl

from bourg.commerce.typology import rules
from bourg.indicators.tables import TABLES, TableSpec

TURNOVER = ("followed", "replaced", "occupied", "vacant")
CENTRES = ("centres", "inside", "outside", "unplaced", "food_inside", "food_outside", "shops")


def _shops(frame: pl.LazyFrame) -> pl.LazyFrame:
    """Count open shops by group and class."""
    return frame.filter("open").group_by("code", "group", "chain").agg(pl.len().cast(pl.Int64).alias("n"))


def _flows(frame: pl.LazyFrame) -> pl.LazyFrame:
    """Sum the last years, and keep the stock before the first of them and after the last."""
    last = pl.col("year").max()
    first = pl.max_horizontal(pl.col("year").min(), last - rules()["openings_window"] + 1)
    window = frame.with_columns(first=first, last=last).filter(pl.col("year") >= pl.col("first"))
    totals = window.group_by("code", "year", "first", "last").agg(pl.col("opened", "closed", "stock").sum())
    before = pl.col("stock") - pl.col("opened") + pl.col("closed")
    return (
        totals.group_by("code", "first", "last")
        .agg(
            pl.col("opened").sum(),
            pl.col("closed").sum(),
            stock_end=pl.col("stock").filter(pl.col("year") == pl.col("last")).sum(),
            # A town without a row in the first year had no shop before its first opening.
            stock_start=before.filter(pl.col("year") == pl.col("first")).sum(),
        )
        .select(
            "code",
            *(pl.col(name).cast(pl.Int64) for name in ("opened", "closed", "stock_start", "stock_end")),
            years=(pl.col("last") - pl.col("first") + 1).cast(pl.Int64),
            window=pl.concat_str("first", "last", separator="-"),
        )
    )


def _survival(frame: pl.LazyFrame) -> pl.LazyFrame:
    return frame.group_by("code", "age").agg(pl.col("at_risk", "closed").sum())


def _centres(frame: pl.LazyFrame) -> pl.LazyFrame:
    return frame.group_by("code").agg(pl.col(name).sum() for name in CENTRES)


def _turnover(frame: pl.LazyFrame) -> pl.LazyFrame:
    return frame.group_by("code").agg(pl.col(name).sum() for name in TURNOVER)


SPECS: dict[str, TableSpec] = {
    "shops": TableSpec(
        {"code": pl.String(), "group": pl.String(), "chain": pl.String(), "open": pl.Boolean()},
        "zero",
        ("group", "chain"),
        ("n",),
        _shops,
    ),
    "shop_years": TableSpec(
        {
            "code": pl.String(),
            "type": pl.String(),
            "year": pl.Int32(),
            "opened": pl.Int64(),
            "closed": pl.Int64(),
            "stock": pl.Int64(),
        },
        "zero",
        ("window", "years"),
        ("opened", "closed", "stock_start", "stock_end"),
        _flows,
    ),
    "shop_survival": TableSpec(
        {"code": pl.String(), "age": pl.Int32(), "at_risk": pl.Int64(), "closed": pl.Int64()},
        "zero",
        ("age",),
        ("at_risk", "closed"),
        _survival,
    ),
    "shop_turnover": TableSpec(
        {"code": pl.String(), **dict.fromkeys(TURNOVER, pl.Int64())}, "zero", (), TURNOVER, _turnover
    ),
    "shop_centres": TableSpec(
        {"code": pl.String(), **dict.fromkeys(CENTRES, pl.Int64())}, "zero", (), CENTRES, _centres
    ),
}

TABLES.update(SPECS)
