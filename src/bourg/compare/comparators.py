"""The sets of communes a town is compared with, and its ranks in them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bourg.compare.counts import counts_in_sets, least_of, published
from bourg.compare.matrix import NO_LOT, CommuneMatrix, Floats, Ints
from bourg.compare.neighbours import NO_FILTER, Filters
from bourg.compare.settings import setting
from bourg.compare.similar import nearest_positions
from bourg.compare.structure import Structure
from bourg.errors import ParameterError, SnapshotError, UnknownTerritoryError
from bourg.indicators.parameters import parameter, size_classes

SetStatus = Literal["ok", "small", "empty", "absent"]
LISTED, SIMILAR, PVD, SIZE = "list", "similar", "pvd", "size_class"
CENTRALITY = "centrality"
RANKS_SCHEMA: dict[str, Any] = {
    "indicator": pl.String, "code": pl.String, "period": pl.String, "comparator": pl.String, "set_id": pl.String,
    "demo": pl.Boolean, "n_set": pl.Int64, "n_below": pl.Int64, "n_equal": pl.Int64, "percentile_strict": pl.Float64,
    "percentile_mid": pl.Float64, "rank": pl.Int64,
}  # fmt: skip


@dataclass(frozen=True)
class Comparator:
    """A way to choose communes.

    Attributes
    ----------
    id, label
        ``departement``, « Département ».
    among
        French words for its members, after a number: « communes du département »; ``{set}`` is the label of the set.
    percentiles
        Whether ranks in percent are published (never for an EPCI or a hand-picked list).
    """

    id: str
    label: str
    among: str
    percentiles: bool


@cache
def comparators() -> dict[str, Comparator]:
    """Return the declared comparators by id, in the order of the pages."""
    return {item["id"]: Comparator(**item) for item in setting("comparators")}


@dataclass(frozen=True)
class ComparisonSet:
    """The communes a town is compared with.

    Attributes
    ----------
    comparator, set_id
        Which comparator, and which of its sets (code of the department, id of the size class…).
    among
        French words for the members: « communes de 2 000 à 4 999 habitants ».
    members
        Positions in the matrix, sorted, without the town itself.
    status
        ``ok``; ``small``: fewer than 20 communes with the town, no percentage; ``empty``: nobody else; ``absent``:
        the town has no such set, or the snapshot has no such table.
    message
        French sentence for every status but ``ok``.
    by_family
        Similar towns only: members to use for the indicators of a family, chosen without its features, so that the
        outcome shown never chose the towns it is compared with.
    inside
        Whether the town belongs to the set: it is one of the communes of its department, never one of the towns
        similar to it.
    """

    comparator: Comparator
    set_id: str
    among: str
    members: Ints
    status: SetStatus = "ok"
    message: str = ""
    by_family: Mapping[str, Ints] = field(default_factory=dict)
    inside: bool = True

    def members_for(self, family: str) -> Ints:
        """Return the members for the indicators of a family."""
        return self.by_family.get(family, self.members)

    def codes(self, matrix: CommuneMatrix) -> list[str]:
        """Return the codes of the members."""
        return [matrix.codes[position] for position in self.members]


class Comparators:
    """Memberships of the communes of a matrix, turned into sets on demand.

    Parameters
    ----------
    matrix
        The values.
    communes
        ``code, population`` and, when known, ``departement, region, epci``.
    pvd
        Codes of the towns of the programme; ``None`` when no list was read.
    centrality
        ``code, level``; ``None`` when no table gives it.
    structure
        Space of the similar towns; ``None`` when no feature has a value.
    filters
        Hard filters of the similar towns.

    Raises
    ------
    SnapshotError
        When ``communes`` has no population.
    """

    def __init__(
        self,
        matrix: CommuneMatrix,
        communes: pl.DataFrame,
        *,
        pvd: Collection[str] | None = None,
        centrality: pl.DataFrame | None = None,
        structure: Structure | None = None,
        filters: Filters = NO_FILTER,
    ) -> None:
        if "population" not in communes.columns:
            raise SnapshotError("La table des communes n'a pas de population.", next_step="relancez : bourg build.")
        self.matrix, self.structure, self.filters = matrix, structure, filters
        self.pvd = None if pvd is None else _positions(matrix, pvd)
        ordered = pl.DataFrame({"code": matrix.codes}).join(communes, on="code", how="left", maintain_order="left")
        levels: tuple[str, ...] = ("departement", "region", "epci")
        sets: dict[str, pl.Series] = {name: ordered[name] for name in levels if name in ordered.columns}
        sets[SIZE] = ordered.select(size_class(pl.col("population"))).to_series()
        if centrality is not None:
            given = centrality.select("code", centrality=pl.col("level").cast(pl.String))
            joined = ordered.select("code").join(given, on="code", how="left", maintain_order="left")
            sets[CENTRALITY] = joined["centrality"]
        self.partitions: dict[str, pl.Series] = {name: series.cast(pl.String) for name, series in sets.items()}
        self._similar: dict[int, ComparisonSet] = {}
        self._sorted: dict[tuple[str, str], tuple[Floats, Ints] | None] = {}
        self._guard = threading.Lock()

    @cached_property
    def _groups(self) -> dict[str, NDArray[np.uint32]]:
        """Number of the set of each commune, by comparator; 0 for none."""
        return {
            name: series.rank("dense").fill_null(0).cast(pl.UInt32).to_numpy()
            for name, series in self.partitions.items()
        }

    def sets_of(self, comparator: str) -> dict[str, Ints]:
        """Return the members of every set of a partition (or of the programme), by set id, in alphabetical order.

        Raises
        ------
        ParameterError
            When the snapshot cannot give this comparator, or when it is no partition (similar towns, lists).
        """
        if comparator == PVD and self.pvd is not None:
            return {PVD: self.pvd}
        if comparator not in self.partitions:
            raise ParameterError(f"Le comparateur « {comparator[:40]} » ne découpe pas le pays en ensembles.")
        groups = self._groups[comparator]
        order = np.argsort(groups, kind="stable")
        names = self.partitions[comparator].drop_nulls().unique().sort().to_list()
        cuts = np.searchsorted(groups[order], np.arange(1, len(names) + 2))
        return {name: order[cuts[i] : cuts[i + 1]].astype(np.int64) for i, name in enumerate(names)}

    def of(self, code: str, only: Iterable[str] | None = None) -> tuple[ComparisonSet, ...]:
        """Return the sets of a town, one per declared comparator except the hand-picked list.

        Raises
        ------
        UnknownTerritoryError
            When the code is unknown.
        ParameterError
            When ``only`` names an unknown comparator.
        """
        known = comparators()
        wanted = [name for name in known if name != LISTED] if only is None else list(only)
        if strangers := [name for name in wanted if name not in known or name == LISTED]:
            raise ParameterError(
                f"Le comparateur « {str(strangers[0])[:40]} » n'existe pas.",
                next_step=f"choisissez parmi : {', '.join(name for name in known if name != LISTED)}.",
            )
        position = self.matrix.position(code)
        return tuple(self._set(known[name], position) for name in wanted)

    def listed(self, code: str, codes: Sequence[str], resolve: Callable[[str], str] | None = None) -> ComparisonSet:
        """Return the set of a hand-picked list; the town itself and repeats are left out of the members.

        Parameters
        ----------
        resolve
            Moves a code of a former commune to the reference geography; it must raise on unknown codes.

        Raises
        ------
        UnknownTerritoryError
            When codes of the list are unknown; the message names all of them.
        """
        here = self.matrix.position(code)
        found, wrong = [], []
        for item in codes:
            try:
                found.append(self.matrix.position(resolve(item) if resolve else item))
            except (UnknownTerritoryError, ValueError):
                wrong.append(str(item)[:20])
        if wrong:
            raise UnknownTerritoryError(
                f"Codes de commune inconnus dans la liste : {', '.join(wrong[:10])}"
                + (f" et {len(wrong) - 10} autres." if len(wrong) > 10 else "."),
                next_step="corrigez ces codes ou retirez-les de la liste.",
            )
        return self._made(comparators()[LISTED], LISTED, np.unique(np.array(found, dtype=np.int64)), here)

    def ordered(self, chosen: ComparisonSet) -> tuple[Floats, Ints] | None:
        """Return the values of a large set in increasing order, with their counts, from the second time it is used.

        Sorting a set costs more than comparing one town with it and much less than comparing a hundred: ``None`` the
        first time. Sets used long ago are forgotten.
        """
        name = chosen.comparator.id
        if (name not in self.partitions and name != PVD) or chosen.members.size < _LARGE:
            return None
        key = (name, chosen.set_id)
        # The server asks from several threads: only the bookkeeping is done one at a time.
        with self._guard:
            known, found = key in self._sorted, self._sorted.pop(key, None)
        if known and found is None:
            members = self.pvd if name == PVD else np.flatnonzero((self.partitions[name] == chosen.set_id).to_numpy())
            found = self.matrix.sorted_among(np.asarray(members, dtype=np.int64))
        with self._guard:
            self._sorted[key] = found
            while sum(item[0].nbytes for item in self._sorted.values() if item) > _SORTED_BYTES:
                self._sorted.pop(next(iter(self._sorted)))
        return found

    def ranks(self, code: str, sets: Iterable[ComparisonSet]) -> pl.DataFrame:
        """Rank one town in several sets, as :func:`town_ranks` does, faster for the sets already seen."""
        return town_ranks(self.matrix, code, sets, ordered=self.ordered)

    def _set(self, comparator: Comparator, position: int) -> ComparisonSet:
        if comparator.id == SIMILAR:
            return self._similar_set(comparator, position)
        if comparator.id == PVD:
            if self.pvd is None:
                return _absent(comparator, "La liste des Petites villes de demain n'a pas été lue.")
            return self._made(comparator, PVD, self.pvd, position)
        if comparator.id not in self.partitions:
            return _absent(comparator, f"Aucune table lue ne donne ce comparateur ({comparator.label.lower()}).")
        set_id = self.partitions[comparator.id][position]
        if set_id is None:
            words = f"La commune n'est dans aucun ensemble de ce comparateur ({comparator.label.lower()})."
            return _absent(comparator, words)
        groups = self._groups[comparator.id]
        return self._made(comparator, set_id, np.flatnonzero(groups == groups[position]), position)

    def _similar_set(self, comparator: Comparator, position: int) -> ComparisonSet:
        if self.structure is None:
            return _absent(comparator, "Les données de structure manquent : pas de villes semblables.")
        kept = self._similar.get(position)
        if kept is None:
            size = setting("similar_search")["compared"]
            families = sorted(self.structure.families)
            withouts = [(), *((name,) for name in families)]
            lists = nearest_positions(self.structure, position, size, withouts, self.filters)
            by_family = dict(zip(families, (np.sort(item) for item in lists[1:]), strict=True))
            made = self._made(comparator, SIMILAR, np.sort(lists[0]), position)
            if made.status == "empty":
                made = _absent(comparator, "Trop de données de structure manquent pour trouver des villes semblables.")
            kept = replace(made, by_family=by_family, inside=False)
            with self._guard:
                while len(self._similar) >= _KEPT:
                    self._similar.pop(next(iter(self._similar)))
                self._similar[position] = kept
        return kept

    @staticmethod
    def _made(comparator: Comparator, set_id: str, members: Ints, position: int) -> ComparisonSet:
        others = members[members != position]
        inside = others.size < members.size and comparator.id != LISTED
        among = comparator.among.replace("{set}", _SIZE_LABELS().get(set_id, set_id))
        least = parameter("ranking_min_set")
        if others.size == 0:
            message = "Aucune autre commune dans cet ensemble : rien à comparer."
            return ComparisonSet(comparator, set_id, among, others, "empty", message, inside=inside)
        if others.size + 1 < least and comparator.percentiles:
            message = f"Moins de {least} communes dans cet ensemble : aucun rang n'est publié."
            return ComparisonSet(comparator, set_id, among, others, "small", message, inside=inside)
        return ComparisonSet(comparator, set_id, among, others, inside=inside)


def size_class(population: pl.Expr) -> pl.Expr:
    """Return the id of the size class of a municipal population; null when the population is unknown."""
    return pl.coalesce(
        pl.when(population >= item.low).then(pl.lit(item.id)) for item in sorted(size_classes(), key=lambda c: -c.low)
    )


_KEPT = 512
_LARGE = 100
_SORTED_BYTES = 160_000_000


@cache
def _SIZE_LABELS() -> dict[str, str]:  # noqa: N802 (a constant, read late)
    return {item.id: item.label for item in size_classes()}


def _absent(comparator: Comparator, message: str) -> ComparisonSet:
    return ComparisonSet(comparator, "", comparator.among, np.empty(0, dtype=np.int64), "absent", message)


def _positions(matrix: CommuneMatrix, codes: Collection[str]) -> Ints:
    return np.array(sorted(matrix.positions[code] for code in set(codes) if code in matrix.positions), dtype=np.int64)


def town_ranks(
    matrix: CommuneMatrix,
    code: str,
    sets: Iterable[ComparisonSet],
    indicators: Sequence[str] | None = None,
    *,
    ordered: Callable[[ComparisonSet], tuple[Floats, Ints] | None] = lambda _: None,
) -> pl.DataFrame:
    """Rank one town in several sets.

    Parameters
    ----------
    ordered
        Gives the sorted values of a set, the town's included when it is a member, or ``None``.

    Returns
    -------
    DataFrame
        ``indicator, code, period, comparator, set_id, demo, n_set, n_below, n_equal, percentile_strict,
        percentile_mid, rank``: ``n_set`` counts the town, ``n_equal`` the others of equal value, ``rank`` 1 is the
        highest value. One row per usable value of the town and per set that is neither ``empty``
        nor ``absent``. Under 20 values, all but ``n_set`` are null; a comparator without percentages has its counts
        and ranks from two values on, and no percentile.

    Raises
    ------
    UnknownTerritoryError, UnknownIndicatorError
        When the code or an indicator is unknown.
    """
    rows = list(rank_rows(matrix, code, sets, indicators, ordered=ordered))
    return pl.DataFrame({name: [row[name] for row in rows] for name in RANKS_SCHEMA}, schema=RANKS_SCHEMA)


def rank_rows(
    matrix: CommuneMatrix,
    code: str,
    sets: Iterable[ComparisonSet],
    indicators: Sequence[str] | None = None,
    *,
    ordered: Callable[[ComparisonSet], tuple[Floats, Ints] | None] = lambda _: None,
) -> Iterator[dict[str, Any]]:
    """Yield the rows of :func:`town_ranks`, one by one, set after set: pages read them faster than a table.

    Raises
    ------
    UnknownTerritoryError, UnknownIndicatorError
        As :func:`town_ranks`.
    """
    position = matrix.position(code)
    wanted = range(len(matrix.indicators)) if indicators is None else [matrix.row(name) for name in indicators]
    rows = np.array(wanted, dtype=np.int64)
    rows = rows[matrix.lots[rows, position] != NO_LOT]
    firsts = [
        (matrix.indicators[row], *matrix.lot_keys[row][lot])
        for row, lot in zip(rows.tolist(), matrix.lots[rows, position].tolist(), strict=True)
    ]
    for chosen, *counts in counts_in_sets(matrix, position, rows, sets, ordered):
        comparator, set_id, percentiles = chosen.comparator.id, chosen.set_id, chosen.comparator.percentiles
        least = least_of(percentiles=percentiles)
        every = zip(firsts, *(part.tolist() for part in counts), strict=True)
        for (indicator, period, demo), known, below, equal in every:
            n_below, n_equal, strict, middle, rank = published(
                known, below, equal, least=least, percentiles=percentiles
            )
            yield {
                "indicator": indicator, "code": code, "period": period, "comparator": comparator, "set_id": set_id,
                "demo": demo, "n_set": known, "n_below": n_below, "n_equal": n_equal, "percentile_strict": strict,
                "percentile_mid": middle, "rank": rank,
            }  # fmt: skip
