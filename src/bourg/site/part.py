"""The snapshot seen through a few indicators: the same portraits, with the figures that changed and no other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from bourg.compare.comparators import SIMILAR, Comparator, Comparators, ComparisonSet, comparators
from bourg.compare.matrix import CommuneMatrix
from bourg.compare.ranking import QUANTILES
from bourg.compare.stored import SUMMARIES
from bourg.indicators.parameters import parameter
from bourg.portrait.observatory import VALUE_COLUMNS, Observatory

if TYPE_CHECKING:
    from bourg.site.digests import Nearby

# Read from the snapshot once, by the whole observatory, and the same through any of its parts.
_SHARED = ("communes", "departements", "pvd", "profiles", "names", "_rows", "_town_halls", "_councils", "_notes")


class KnownSimilar(Comparators):
    """Comparators whose similar towns are known from an earlier run, and never looked for again."""

    known: Mapping[int, ComparisonSet]

    def _similar_set(self, comparator: Comparator, position: int) -> ComparisonSet:
        return self.known[position] if position in self.known else super()._similar_set(comparator, position)


class DirectObservatory(Observatory):
    """An observatory asked for communes of the reference geography: it makes no index of names to find them."""

    @classmethod
    def over(cls, observatory: Observatory) -> DirectObservatory:
        """Return an opened observatory, with everything that it has read."""
        made = cls.__new__(cls)
        made.__dict__ = observatory.__dict__
        return made

    def commune(self, code: str) -> dict[str, Any]:
        """Return the row of a commune."""
        place = self._rows["communes"].get(code)
        return super().commune(code) if place is None else self.communes.row(place, named=True)


class PartialObservatory(DirectObservatory):
    """An observatory that knows some indicators only.

    Parameters
    ----------
    whole
        The observatory it is a part of; what they share is read once.
    indicators
        Ids to keep, of the matrix.
    """

    def __init__(self, whole: Observatory, indicators: Sequence[str]) -> None:
        super().__init__(whole.snapshot, whole.settings)
        self._whole, self._indicators = whole, sorted(indicators)
        self._known: dict[int, ComparisonSet] = {}
        for name in _SHARED:
            self.__dict__[name] = getattr(whole, name)

    def remember(self, codes: Sequence[str], nearby: Nearby | None) -> None:
        """Take in the similar towns of some communes (:func:`known_similar`); those of others are forgotten."""
        self._known.clear()
        self._known |= known_similar(self._whole, codes, nearby)

    @cached_property
    def matrix(self) -> CommuneMatrix:
        """The values of these indicators for every commune."""
        every = self._whole.matrix
        return every.only(np.array([every.row(name) for name in self._indicators], dtype=np.int64))

    @cached_property
    def comparators(self) -> Comparators:
        """Sets of communes a town is compared with: those of the whole observatory."""
        every = self._whole.comparators
        made = KnownSimilar.__new__(KnownSimilar)
        made.__dict__ |= {**every.__dict__, "matrix": self.matrix, "_sorted": {}, "known": self._known}
        # The similar towns shown with their reasons stay as they are: nobody looks for them here.
        made.structure = None
        return made

    @cached_property
    def _summaries(self) -> tuple[pl.DataFrame, dict[tuple[str, str], tuple[int, int]]]:
        kept = pl.scan_parquet(self.snapshot.path(SUMMARIES)).filter(pl.col("indicator").is_in(self._indicators))
        table = kept.collect()
        runs = table.select(pl.struct("comparator", "set_id").rle()).unnest("comparator").unnest("value")
        ends = runs["len"].cum_sum().to_list()
        places = zip(runs["comparator"], runs["set_id"], ends, runs["len"], strict=True)
        columns = ("indicator", "period", "demo", "n", *QUANTILES)
        return table.select(columns), {(name, set_id): (end - size, size) for name, set_id, end, size in places}

    def values(self, territories: Sequence[tuple[str, str]]) -> pl.DataFrame:
        """Return the values (:data:`VALUE_COLUMNS`) of some territories, given as ``(level, code)``."""
        by_level: dict[str, list[str]] = {}
        for level, code in territories:
            by_level.setdefault(level, []).append(code)
        if not by_level:
            return self._table.clear()
        wanted = [(pl.col("level") == level) & pl.col("code").is_in(codes) for level, codes in by_level.items()]
        return self._table.filter(pl.any_horizontal(wanted))

    @cached_property
    def _table(self) -> pl.DataFrame:
        table = pl.scan_parquet(self.snapshot.path("values.parquet"))
        return table.filter(pl.col("indicator").is_in(self._indicators)).select(VALUE_COLUMNS).collect()


def known_similar(whole: Observatory, codes: Sequence[str], nearby: Nearby | None) -> dict[int, ComparisonSet]:
    """Return the similar towns of some communes, by position in the matrix."""
    structure = whole.comparators.structure
    if nearby is None or structure is None:
        return {}
    families, least = sorted(structure.families), int(parameter("ranking_min_set"))
    similar = comparators()[SIMILAR]
    found = {}
    for index, code in enumerate(codes):
        first, *others = (line[line >= 0].astype(np.int64) for line in nearby.members[index])
        position = whole.matrix.position(code)
        if first.size + 1 < least:
            # Too few: what is said of it depends on why.
            (found[position],) = whole.comparators.of(code, [SIMILAR])
        else:
            by_family = dict(zip(families, others, strict=True))
            found[position] = ComparisonSet(
                similar, SIMILAR, similar.among, first, by_family=by_family, inside=False
            )  # fmt: skip
    return found
