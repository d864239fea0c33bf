"""Ranks of every commune in every set, one comparator at a time, in narrow types."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bourg.compare.comparators import PVD, SIMILAR, Comparators, ComparisonSet, comparators
from bourg.compare.counts import family_groups
from bourg.compare.families import family_of
from bourg.compare.matrix import NO_LOT, CommuneMatrix, Floats, Ints
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
    """Return what every set looks like, indicator by indicator: the table behind strips and medians.

    Returns
    -------
    DataFrame
        ``comparator, set_id, indicator, period, demo, n, minimum, p10, q1, median, q3, p90, maximum``, sorted;
        quantiles are interpolated linearly. Sets with fewer than 20 values are left out, except those of comparators
        without percentages (3 values or more).
    """
    matrix = sets.matrix
    known = [*sets.partitions, *((PVD,) if sets.pvd is not None else ())]
    rows, lots = matrix.lot_rows
    keys = [matrix.lot_keys[row][lot] for row, lot in zip(rows.tolist(), lots.tolist(), strict=True)]
    names: list[tuple[str, str]] = []
    lines: list[Ints] = []
    found: list[Floats] = []
    for name in known if only is None else [item for item in known if item in set(only)]:
        least = parameter("ranking_min_set") if comparators()[name].percentiles else _LEAST
        for set_id, members in sets.sets_of(name).items():
            values, counts = matrix.sorted_among(members)
            kept = np.flatnonzero(counts >= least)
            names.append((name, set_id))
            lines.append(kept)
            found.append(np.column_stack([counts[kept].astype(np.float64), quantiles(values[kept], counts[kept])]))
    if not names:
        return pl.DataFrame(schema=SUMMARY_SCHEMA)
    line, sizes = np.concatenate(lines), [part.size for part in lines]
    of_set = np.repeat(np.arange(len(names)), sizes)
    figures = np.concatenate(found)
    labels = pl.DataFrame(names, schema={"comparator": pl.String, "set_id": pl.String}, orient="row")
    lot = pl.DataFrame(
        {"indicator": [matrix.indicators[row] for row in rows], "period": [key[0] for key in keys],
         "demo": [key[1] for key in keys]},
        schema={name: SUMMARY_SCHEMA[name] for name in ("indicator", "period", "demo")},
    )  # fmt: skip
    numbers = pl.DataFrame(figures, schema=["n", *QUANTILES], orient="row").with_columns(pl.col("n").cast(pl.Int64))
    table = pl.concat([labels[of_set], lot[line], numbers], how="horizontal")
    return table.sort("comparator", "set_id", "indicator", "period", "demo")


def quantiles(values: Floats, counts: Ints) -> Floats:
    """Return the quantiles :data:`QUANTILES` of lines sorted with NaN last, shape ``(lines, quantiles)``."""
    result = np.empty((len(values), len(QUANTILES)))
    lines = np.arange(len(values))
    for column, level in enumerate(QUANTILES.values()):
        place = (counts - 1) * level
        low = np.floor(place).astype(np.int64)
        high = np.minimum(low + 1, counts - 1)
        under = values[lines, low]
        result[:, column] = under + (values[lines, high] - under) * (place - low)
    return result


QUANTILES = {"minimum": 0.0, "p10": 0.1, "q1": 0.25, "median": 0.5, "q3": 0.75, "p90": 0.9, "maximum": 1.0}
SUMMARY_SCHEMA: dict[str, Any] = {
    "comparator": pl.String, "set_id": pl.String, "indicator": pl.String, "period": pl.String, "demo": pl.Boolean,
    "n": pl.Int64, **dict.fromkeys(QUANTILES, pl.Float64),
}  # fmt: skip
# Values from which a set without percentages is summed up.
_LEAST = 3


def summary_among(
    matrix: CommuneMatrix, position: int, chosen: ComparisonSet, indicators: Collection[str] | None = None
) -> dict[tuple[str, str, bool], tuple[int, tuple[float, ...]]]:
    """Sum up one set for the values of one town: ``(indicator, period, demo) -> (n, quantiles)``.

    For sets that :func:`summaries` does not hold (similar towns, hand-picked lists); the town itself is not counted.
    ``indicators`` are those to sum up; all by default.
    """
    least = (parameter("ranking_min_set") - 1) if chosen.comparator.percentiles else _LEAST
    rows, lots = matrix.lot_rows
    if indicators is not None:
        kept = np.isin(rows, [matrix.rows[name] for name in indicators])
        rows, lots = rows[kept], lots[kept]
    usable = matrix.lots[rows, position] == lots
    found = {}
    for mask, members in family_groups(matrix, rows, chosen):
        here = np.flatnonzero(mask & usable)
        if here.size == 0 or members.size == 0:
            continue
        values = matrix.values[rows[here][:, None], members]
        values[matrix.lots[rows[here][:, None], members] != lots[here][:, None]] = np.nan
        values.sort(axis=1)
        counts = np.count_nonzero(~np.isnan(values), axis=1).astype(np.int64)
        enough = counts >= least
        figures = quantiles(values[enough], counts[enough])
        for line, count, row in zip(here[enough].tolist(), counts[enough].tolist(), figures.tolist(), strict=True):
            name = matrix.indicators[rows[line]]
            period, demo = matrix.lot_keys[rows[line]][lots[line]]
            found[name, period, demo] = (count, tuple(row))
    return found
