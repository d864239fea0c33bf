"""How many communes of a set are below, equal to or above a town, and what of these counts may be published."""

from __future__ import annotations

import numpy as np
import polars as pl

from bourg.compare.matrix import CommuneMatrix, Floats, Ints
from bourg.indicators.parameters import parameter

_PIECE = 16_384


def counts_among(matrix: CommuneMatrix, position: int, rows: Ints, members: Ints) -> tuple[Ints, Ints, Ints]:
    """Return, for each indicator, the members with a value of the same lot, those below the town and those equal."""
    counts = np.zeros((3, rows.size), dtype=np.int64)
    mixed = set(matrix.several_lots.tolist())
    # Pieces that stay in the processor's cache: twice as fast as one large gather.
    step = max(1, _PIECE // max(members.size, 1))
    for start in range(0, rows.size, step):
        part = rows[start : start + step]
        others = matrix.values[part[:, None], members]
        for index in [index for index, row in enumerate(part.tolist()) if row in mixed]:
            stranger = matrix.lots[part[index], members] != matrix.lots[part[index], position]
            others[index, stranger] = np.nan
        here: Floats = matrix.values[part, position][:, None]
        for line, compared in enumerate((others < here, others == here, others > here)):
            counts[line, start : start + step] = np.count_nonzero(compared, axis=1)
    return counts.sum(axis=0), counts[0], counts[1]


def counts_among_sorted(
    matrix: CommuneMatrix, position: int, rows: Ints, whole: tuple[Floats, Ints], *, inside: bool
) -> tuple[Ints, Ints, Ints]:
    """Count as :func:`counts_among`, the town included in the first count, from the sorted values of a set."""
    values, counts = whole
    lines = matrix.first_line[rows] + matrix.lots[rows, position]
    low, high = np.empty(rows.size, dtype=np.int64), np.empty(rows.size, dtype=np.int64)
    sizes = counts[lines]
    here = matrix.values[rows, position].tolist()
    for index, (line, size, value) in enumerate(zip(lines.tolist(), sizes.tolist(), here, strict=True)):
        known = values[line, :size]
        low[index], high[index] = known.searchsorted(value, "left"), known.searchsorted(value, "right")
    return sizes + (not inside), low, high - low - inside


def published(counts: pl.DataFrame) -> pl.DataFrame:
    """Keep what may be published of ``n_set, n_below, n_equal``, and add percentiles and rank (ANCHORS D12).

    ``percentiles`` tells, row by row, whether the comparator has percentages.
    """
    enough = pl.col("n_set") >= pl.when("percentiles").then(parameter("ranking_min_set")).otherwise(2)
    shown = enough & pl.col("percentiles")
    return counts.with_columns(
        n_below=pl.when(enough).then("n_below"),
        n_equal=pl.when(enough).then("n_equal"),
        percentile_strict=pl.when(shown).then(100 * pl.col("n_below") / (pl.col("n_set") - 1)),
        percentile_mid=pl.when(shown).then(100 * (pl.col("n_below") + 0.5 * (pl.col("n_equal") + 1)) / pl.col("n_set")),
        rank=pl.when(enough).then(pl.col("n_set") - pl.col("n_below") - pl.col("n_equal")),
    )
