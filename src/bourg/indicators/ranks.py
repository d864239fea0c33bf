"""Ranks of communes inside a named set, computed once at build time.

Two percentile ranks (ANCHORS D12): ``strict``, 100 × #{j≠i : v_j < v_i} / (n − 1), for « plus élevé que dans X % des
autres communes »; ``mid``, 100 × (#{<} + 0.5 #{=}) / n, for tables. Below 20 communes nothing is published.
"""

from __future__ import annotations

import polars as pl

from bourg.errors import SnapshotError
from bourg.indicators.engine import USABLE
from bourg.indicators.parameters import parameter, size_classes

SIZE_CLASS = "size_class"
_GROUP = ("indicator", "period", "set_id", "demo")


def size_class(population: pl.Expr) -> pl.Expr:
    """Return the id of the size class of a municipal population; null when the population is unknown."""
    return pl.coalesce(
        pl.when(population >= item.low).then(pl.lit(item.id)) for item in sorted(size_classes(), key=lambda c: -c.low)
    )


def set_label(comparator: str, set_id: str) -> str:
    """Return the French words for a set, to follow « communes »: « de 2 000 à 4 999 habitants »."""
    labels = {item.id: item.label for item in size_classes()}
    return labels.get(set_id, set_id) if comparator == SIZE_CLASS else set_id


def percentiles(
    values: pl.DataFrame, communes: pl.DataFrame, *, comparator: str = SIZE_CLASS, sets: pl.DataFrame | None = None
) -> pl.DataFrame:
    """Rank every commune value among the communes of its set, same indicator and same period.

    Generated and real values are never ranked together: each has its own set, told by ``demo``.

    Parameters
    ----------
    values
        Values of :func:`bourg.indicators.engine.compute`; other levels than the commune are left out.
    communes
        ``code, population``: the reference communes, to find size classes.
    comparator
        Name of the comparator written in the result.
    sets
        ``code, set_id`` of another comparator than the size class.

    Returns
    -------
    DataFrame
        ``indicator, code, period, comparator, set_id, demo, n_set, n_below, n_equal, percentile_strict,
        percentile_mid, rank``. ``n_set`` counts the commune itself, ``n_equal`` the others of equal value; ``rank``
        is 1 for the highest value. Every figure is null when the value is not usable, and all but ``n_set`` when the
        set has fewer than 20 communes. Communes without a set are left out.

    Raises
    ------
    SnapshotError
        When ``communes`` has no population and no sets are given.
    """
    if sets is None:
        if "population" not in communes.columns:
            raise SnapshotError("La table des communes n'a pas de population.", next_step="relancez : bourg build.")
        sets = communes.select("code", set_id=size_class(pl.col("population")))
    least = parameter("ranking_min_set")
    usable = pl.col("status").is_in(USABLE)
    rows = (
        values.lazy()
        .filter(pl.col("level") == "commune")
        .select(
            "indicator", "code", "period", pl.when(usable).then("value").alias("value"), demo=pl.col("status") == "demo"
        )
        .join(sets.lazy().filter(pl.col("set_id").is_not_null()), on="code", how="inner", maintain_order="left")
    )
    value = pl.col("value")
    known = value.is_not_null()
    below = value.rank("min").over(_GROUP).cast(pl.Int64) - 1
    up_to = value.rank("max").over(_GROUP).cast(pl.Int64)
    counted = rows.with_columns(
        n_set=pl.when(known).then(value.count().over(_GROUP).cast(pl.Int64)), n_below=below, up_to=up_to
    )
    enough = pl.col("n_set") >= least
    n_equal = pl.col("up_to") - pl.col("n_below") - 1
    return counted.select(
        "indicator",
        "code",
        "period",
        pl.lit(comparator).alias("comparator"),
        "set_id",
        "demo",
        "n_set",
        n_below=pl.when(enough).then("n_below"),
        n_equal=pl.when(enough).then(n_equal),
        percentile_strict=pl.when(enough).then(100 * pl.col("n_below") / (pl.col("n_set") - 1)),
        percentile_mid=pl.when(enough).then(100 * (pl.col("n_below") + 0.5 * (n_equal + 1)) / pl.col("n_set")),
        rank=pl.when(enough).then(pl.col("n_set") - pl.col("up_to") + 1),
    ).collect()
