"""How the long tables of measures are merged: a fact comes from one file, the best that has it."""

from __future__ import annotations

import polars as pl

from bourg.indicators.specs_housing import MEASURES

# Tables whose ``code`` is a commune and whose files of several vintages complete one another.
MEASURE_TABLES = frozenset(MEASURES)
# Tables of counts of the same readers: one file is enough, its codes are moved too.
COUNT_TABLES = frozenset({"social_housing"})
_KEYS = ("code", "year", "variable")


def combine_measures(frames: list[pl.DataFrame]) -> pl.DataFrame:
    """Return the rows of the first file, completed by what only the next ones say.

    Two rows of one commune in the same file (a merger) are both kept: the spec of the table says what they make.
    """
    combined = frames[0]
    for other in frames[1:]:
        new = other.join(combined.select(_KEYS).unique(), on=_KEYS, how="anti")
        combined = pl.concat([combined, new.select(combined.columns)], how="vertical_relaxed")
    return combined.sort(_KEYS, maintain_order=True)
