"""Ranks of every commune in every set, one comparator at a time, in narrow types."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bourg.compare.comparators import PVD, SIMILAR, Comparators, comparators
from bourg.compare.families import family_of
from bourg.compare.matrix import NO_LOT, CommuneMatrix, Ints
from bourg.compare.structure import IQR_SCALE, MAD_SCALE
from bourg.indicators.parameters import parameter

Counts = NDArray[np.uint16]
# Indicators ranked in one query: enough to keep both cores busy, few enough to stay small in memory.
_CHUNK = 24
_ROWS = 2048


def all_ranks(
    sets: Comparators, only: Iterable[str] | None = None, *, neighbours: NDArray[np.int32] | None = None
) -> Iterator[tuple[str, pl.DataFrame]]:
    """Rank every commune for every indicator, one comparator after the other.

    Parameters
    ----------
    sets
        The memberships.
    only
        Comparators; by default all those the snapshot can give, hand-picked lists left out.
    neighbours
        Positions of the similar towns, shape ``(communes, k)``, −1 for none: required for ``similar``, which is
        left out without it. Indicators of the family of a feature are not ranked among similar towns here (their
        towns would have been chosen by the outcome): :func:`bourg.compare.comparators.town_ranks` does it one town
        at a time.

    Yields
    ------
    comparator, DataFrame
        ``indicator (Enum), code (Enum), n_set, n_below, n_equal (UInt16), percentile_strict, percentile_mid
        (Float32)``, one row per usable value of a commune that has a set, sorted by indicator and code. Nulls as in
        :func:`bourg.compare.comparators.town_ranks`.
    """
    wanted = list(comparators()) if only is None else list(only)
    for name in wanted:
        if name in sets.partitions:
            yield name, _frame(sets.matrix, name, *_partition(sets.matrix, sets.partitions[name]))
        elif name == PVD and sets.pvd is not None:
            yield name, _frame(sets.matrix, name, *_among(sets.matrix, sets.pvd))
        elif name == SIMILAR and neighbours is not None:
            families = sets.structure.families if sets.structure else frozenset()
            yield name, _frame(sets.matrix, name, *_near(sets.matrix, neighbours, families))


def _partition(matrix: CommuneMatrix, groups: pl.Series) -> tuple[Counts, Counts, Counts]:
    """Count inside the sets of a partition; the commune itself is among the counts of its set."""
    shape = matrix.values.shape
    n_set, below, equal = (np.zeros(shape, dtype=np.uint16) for _ in range(3))
    physical = groups.rank("dense").cast(pl.UInt32).alias("set")
    inside = np.flatnonzero(physical.is_not_null().to_numpy())
    several = set(matrix.several_lots.tolist())
    for start in range(0, shape[0], _CHUNK):
        rows = range(start, min(start + _CHUNK, shape[0]))
        columns: dict[str, pl.Series] = {"set": physical}
        for row in rows:
            columns[f"v{row}"] = pl.Series(matrix.values[row], nan_to_null=True)
            if row in several:
                columns[f"l{row}"] = pl.Series(matrix.lots[row])
        frame = pl.DataFrame(columns).drop_nulls("set").lazy()
        counted = frame.select(
            expression.cast(pl.UInt16).alias(f"{kind}{row}")
            for row in rows
            for kind, expression in _ranked(row, ["set", f"l{row}"] if row in several else ["set"]).items()
        ).collect()
        for row in rows:
            known = counted[f"n{row}"].to_numpy()
            least = counted[f"b{row}"].fill_null(1).to_numpy()
            most = counted[f"u{row}"].fill_null(1).to_numpy()
            n_set[row, inside], below[row, inside], equal[row, inside] = known, least - 1, most - least
    return n_set, below, equal


def _ranked(row: int, keys: list[str]) -> dict[str, pl.Expr]:
    value = pl.col(f"v{row}")
    return {
        "n": value.count().over(keys),
        "b": value.rank("min").over(keys),
        "u": value.rank("max").over(keys),
    }


def _among(matrix: CommuneMatrix, members: Ints) -> tuple[Counts, Counts, Counts]:
    """Count every commune among one set, whether it belongs to it or not."""
    shape = matrix.values.shape
    n_set, below, equal = (np.zeros(shape, dtype=np.uint16) for _ in range(3))
    belongs = np.zeros(shape[1], dtype=bool)
    belongs[members] = True
    for row in range(shape[0]):
        for lot in range(len(matrix.lot_keys[row])):
            here = np.flatnonzero(matrix.lots[row] == lot)
            ordered = np.sort(matrix.values[row, here[belongs[here]]])
            values = matrix.values[row, here]
            low = np.searchsorted(ordered, values, side="left")
            high = np.searchsorted(ordered, values, side="right")
            n_set[row, here] = ordered.size + ~belongs[here]
            below[row, here] = low
            equal[row, here] = high - low - belongs[here]
    return n_set, below, equal


def _near(
    matrix: CommuneMatrix, neighbours: NDArray[np.int32], families: frozenset[str]
) -> tuple[Counts, Counts, Counts]:
    """Count every commune among its own similar towns."""
    shape = matrix.values.shape
    n_set, below, equal = (np.zeros(shape, dtype=np.uint16) for _ in range(3))
    nobody = neighbours < 0
    several = set(matrix.several_lots.tolist())
    for row, name in enumerate(matrix.indicators):
        if family_of(name) in families:
            continue
        values = np.ascontiguousarray(matrix.values[row])
        for start in range(0, shape[1], _ROWS):
            part = slice(start, start + _ROWS)
            others = values[neighbours[part]]
            others[nobody[part]] = np.nan
            if row in several:
                others[matrix.lots[row][neighbours[part]] != matrix.lots[row][part, None]] = np.nan
            here = values[part, None]
            below[row, part] = np.count_nonzero(others < here, axis=1)
            equal[row, part] = np.count_nonzero(others == here, axis=1)
            n_set[row, part] = 1 + below[row, part] + equal[row, part] + np.count_nonzero(others > here, axis=1)
    n_set[:, nobody.all(axis=1)] = 0
    return n_set, below, equal


def _frame(matrix: CommuneMatrix, comparator: str, n_set: Counts, below: Counts, equal: Counts) -> pl.DataFrame:
    """Return the counts that may be published, long, without the values that are not usable."""
    kept = (matrix.lots != NO_LOT) & (n_set > 0)
    row, column = (part.astype(np.uint32) for part in np.nonzero(kept))
    sizes, lower, same = n_set[kept], below[kept], equal[kept]
    percent = comparators()[comparator].percentiles
    enough = sizes >= (parameter("ranking_min_set") if percent else 2)
    size, low = sizes.astype(np.float32), lower.astype(np.float32)
    nan = np.float32("nan")
    strict = np.divide(100 * low, size - 1, out=np.full(size.size, nan), where=enough & percent)
    middle = 100 * (low + np.float32(0.5) * (same.astype(np.float32) + 1))
    mid = np.divide(middle, size, out=np.full(size.size, nan), where=enough & percent)
    hidden = pl.Series(enough)
    return pl.DataFrame(
        {
            "indicator": pl.Series(matrix.indicators, dtype=pl.Enum(matrix.indicators)).gather(row),
            "code": pl.Series(matrix.codes, dtype=pl.Enum(matrix.codes)).gather(column),
            "n_set": sizes,
            "n_below": lower,
            "n_equal": same,
            "percentile_strict": pl.Series(strict, nan_to_null=True),
            "percentile_mid": pl.Series(mid, nan_to_null=True),
            "shown": hidden,
        }
    ).select(
        "indicator", "code", "n_set",
        *(pl.when("shown").then(name).alias(name) for name in ("n_below", "n_equal")),
        "percentile_strict", "percentile_mid",
    )  # fmt: skip


def summaries(sets: Comparators, only: Iterable[str] | None = None) -> pl.DataFrame:
    """Return what a set looks like, indicator by indicator: the table behind strips and medians.

    Returns
    -------
    DataFrame
        ``comparator, set_id, indicator, period, demo, n, q05, q25, median, q75, q95, spread``; ``spread`` is 1.4826 ×
        MAD, or the interquartile range ÷ 1.349 when more than half of the values are equal. Sets with fewer than 20
        values are left out, except those of comparators without percentages (3 values or more).
    """
    matrix = sets.matrix
    wanted = [name for name in sets.partitions if only is None or name in set(only)]
    groups = {name: sets.partitions[name] for name in wanted}
    if sets.pvd is not None and (only is None or PVD in set(only)):
        groups[PVD] = pl.Series([None] * len(matrix.codes), dtype=pl.String).scatter(sets.pvd, PVD)
    parts = []
    for name, series in groups.items():
        least = parameter("ranking_min_set") if comparators()[name].percentiles else 3
        for row, indicator in enumerate(matrix.indicators):
            keys = matrix.lot_keys[row]
            if not keys:
                continue
            lots = pl.DataFrame(
                {"lot": range(len(keys)), "period": [key[0] for key in keys], "demo": [key[1] for key in keys]},
                schema_overrides={"lot": pl.UInt8},
            ).lazy()
            frame = pl.LazyFrame(
                {"set_id": series, "lot": matrix.lots[row], "value": pl.Series(matrix.values[row], nan_to_null=True)}
            ).drop_nulls()
            parts.append(_summary(frame, least).join(lots, on="lot").drop("lot").with_columns(
                comparator=pl.lit(name), indicator=pl.lit(indicator)
            ))  # fmt: skip
    columns = ("comparator", "set_id", "indicator", "period", "demo", "n", *_QUANTILES, "spread")
    if not parts:
        return pl.DataFrame(schema=dict.fromkeys(columns, pl.String))
    return pl.concat(pl.collect_all(parts)).select(columns).sort("comparator", "set_id", "indicator", "period", "demo")


_QUANTILES = {"q05": 0.05, "q25": 0.25, "median": 0.5, "q75": 0.75, "q95": 0.95}


def _summary(frame: pl.LazyFrame, least: int) -> pl.LazyFrame:
    value = pl.col("value")
    mad = MAD_SCALE * (value - value.median()).abs().median()
    spread = (value.quantile(0.75, "linear") - value.quantile(0.25, "linear")) / IQR_SCALE
    return (
        frame.group_by("set_id", "lot")
        .agg(
            n=pl.len().cast(pl.Int64),
            **{name: value.quantile(level, "linear") for name, level in _QUANTILES.items()},
            spread=pl.when(mad > 0).then(mad).otherwise(spread),
        )
        .filter(pl.col("n") >= least)
    )
