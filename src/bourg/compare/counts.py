"""How many communes of a set are below, equal to or above a town, and what of these counts may be published."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bourg.compare.families import family_of
from bourg.compare.matrix import CommuneMatrix, Floats, Ints
from bourg.indicators.parameters import parameter

if TYPE_CHECKING:
    from bourg.compare.comparators import ComparisonSet

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


def counts_in_sets(
    matrix: CommuneMatrix,
    position: int,
    rows: Ints,
    sets: Iterable[ComparisonSet],
    ordered: Callable[[ComparisonSet], tuple[Floats, Ints] | None],
) -> Iterator[tuple[ComparisonSet, Ints, Ints, Ints]]:
    """Count a town in several sets.

    Parameters
    ----------
    rows
        Rows of the indicators, of which the town has a usable value.
    ordered
        Gives the sorted values of a set, the town's included when it is a member, or ``None``.

    Yields
    ------
    chosen, known, below, equal
        The sets that are neither ``empty`` nor ``absent``; for each row, the communes with a value (the town
        included), those below the town, the others equal to it.
    """
    if rows.size == 0:
        return
    for chosen in sets:
        if chosen.status in ("empty", "absent"):
            continue
        if not chosen.by_family and (whole := ordered(chosen)) is not None:
            yield chosen, *counts_among_sorted(matrix, position, rows, whole, inside=chosen.inside)
            continue
        known, below, equal = (np.zeros(rows.size, dtype=np.int64) for _ in range(3))
        for mask, members in family_groups(matrix, rows, chosen):
            if mask.any():
                known[mask], below[mask], equal[mask] = counts_among(matrix, position, rows[mask], members)
        yield chosen, known + 1, below, equal


def family_groups(matrix: CommuneMatrix, rows: Ints, chosen: ComparisonSet) -> Iterator[tuple[NDArray[np.bool_], Ints]]:
    """Yield which of some indicators have members of their own in a set, by family, then those that have the others."""
    left = np.ones(rows.size, dtype=np.bool_)
    if chosen.by_family:
        names, numbers = _families(matrix.indicators)
        families = numbers[rows]
        for name, members in chosen.by_family.items():
            mask = families == names.get(name, -1)
            left &= ~mask
            yield mask, members
    yield left, chosen.members


@lru_cache(maxsize=8)
def _families(indicators: tuple[str, ...]) -> tuple[dict[str, int], Ints]:
    """Return the number of each family, and the number of the family of each indicator."""
    found = [family_of(name) for name in indicators]
    names = {name: index for index, name in enumerate(dict.fromkeys(found))}
    return names, np.array([names[name] for name in found], dtype=np.int64)


def least_of(*, percentiles: bool) -> int:
    """Return the values from which the place of a town in a set is published."""
    return int(parameter("ranking_min_set")) if percentiles else 2


def published(
    known: int, below: int, equal: int, *, least: int, percentiles: bool
) -> tuple[int | None, int | None, float | None, float | None, int | None]:
    """Return what may be published of the counts of a town in a set (ANCHORS D12).

    Parameters
    ----------
    known, below, equal
        Communes with a value (the town included), those below it, the others equal to it.
    least
        Values under which nothing is (:func:`least_of`).
    percentiles
        Whether the comparator has percentages.

    Returns
    -------
    n_below, n_equal, percentile_strict, percentile_mid, rank
        ``None`` for what may not.
    """
    if known < least:
        return None, None, None, None, None
    rank = known - below - equal
    if not percentiles:
        return below, equal, None, None, rank
    return below, equal, 100 * below / (known - 1), 100 * (below + 0.5 * (equal + 1)) / known, rank
