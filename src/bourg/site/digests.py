"""What each figure of each page depends on, as one number: computed from arrays, for all the towns of a site at once.

A digest covers a figure as a page shows it: its value, what it is in the larger territories and the places of the town
in large sets as they are written (a share rounded to one percent, rounded quartiles), so that a value changed at the
other end of the country often leaves it as it is. Of similar towns it covers their number, the rank among them and
their quantiles. Small sets are covered by the values of all their members: sometimes too much, never too little.

What follows from the values of the communes alone is read again only for the indicators of which a value changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bourg.compare.comparators import CENTRALITY, PVD, SIZE, Comparators
from bourg.compare.families import family_of
from bourg.compare.matrix import NO_LOT, CommuneMatrix, Floats, Ints
from bourg.compare.ranking import QUANTILES, quantiles
from bourg.compare.settings import setting
from bourg.compare.stored import SUMMARIES
from bourg.compare.structure import MAD_SCALE
from bourg.indicators.registry import load_indicators
from bourg.indicators.units import FRANCE_LABELS
from bourg.indicators.values import declaration_of
from bourg.portrait.observatory import Observatory
from bourg.portrait.page_figures import DRAWN, RANK_UP_TO

Digests = NDArray[np.uint64]
_LARGE = ("region", SIZE, CENTRALITY)
_SMALL = ("departement", "epci")
_TAILS = [name for name in QUANTILES if name not in ("q1", "median", "q3")]
# Relative noise of the product by which numbers are rounded, with a wide margin.
_UNSURE = 1e-12
_MEDIAN = list(QUANTILES).index("median")
# Odd multipliers, drawn once: one per thing that a digest adds up, so that two changes never cancel out.
_FACTORS = np.random.default_rng(20_250_101).integers(1, 2**63, size=72, dtype=np.uint64) | np.uint64(1)
_SHIFT = np.uint64(29)


@dataclass(frozen=True)
class Nearby:
    """The communes that the pages of towns compare them with by resemblance, as positions in the matrix.

    They follow from the features of structure only: as long as these do not change, they are those of the last run.

    Attributes
    ----------
    members
        Shape ``(towns, 1 + families, size)``: members of the set of similar towns, then of the sets used for the
        indicators of each family (sorted by name); −1 for none.
    beside
        Shape ``(towns, towns shown beside)``: the first similar towns, −1 for none.
    """

    members: NDArray[np.int32]
    beside: NDArray[np.int32]


@dataclass(frozen=True)
class FigureDigests:
    """The digests of the figures of some towns.

    Attributes
    ----------
    rows
        Shape ``(indicators of the matrix,)``: the values of every commune, and the sets that they are compared in.
    own, sets, near, apart
        Shape ``(indicators, towns)``: the figure in the town and in the larger territories; its places in the sets
        of communes; what it is among similar towns; how far apart from them it sets the town, if it does.
    beside
        Shape ``(towns,)``: everything that the comparison with the towns beside shows of these.
    """

    rows: Digests
    own: Digests
    sets: Digests
    near: Digests
    apart: Digests
    beside: Digests

    def fits(self, indicators: int, towns: int) -> bool:
        """Tell whether the shapes are those of so many indicators and towns."""
        whole = {part.shape for part in (self.own, self.sets, self.near, self.apart)}
        return whole == {(indicators, towns)} and self.rows.shape == (indicators,) and self.beside.shape == (towns,)

    def changed(self, before: FigureDigests, town: int, place: int) -> list[int]:
        """Return the rows of the figures of a town that changed; ``place`` is its place in the former digests."""
        pairs = ((self.own, before.own), (self.sets, before.sets), (self.near, before.near))
        found: list[int] = np.flatnonzero(sum(new[:, town] != old[:, place] for new, old in pairs)).tolist()
        return found


def mixed(numbers: Digests, factor: int) -> Digests:
    """Return well mixed numbers: what differs by one bit has nothing in common afterwards."""
    made: Digests = (numbers ^ (numbers >> _SHIFT)) * _FACTORS[factor]
    made ^= made >> _SHIFT
    made *= _FACTORS[factor + 1]
    return made ^ (made >> _SHIFT)


def figure_digests(
    observatory: Observatory,
    rows: Sequence[Mapping[str, Any]],
    nearby: Nearby | None,
    known: FigureDigests | None = None,
) -> tuple[FigureDigests, Digests]:
    """Return the digests of the figures of some towns.

    Parameters
    ----------
    rows
        Rows of the communes (:meth:`Observatory.commune`), in the order of the towns.
    nearby
        What they are compared with by resemblance; ``None`` leaves it out.
    known
        Digests of the same towns, compared with the same others, in another snapshot.

    Returns
    -------
    digests, frames
        Everything the figures show. Shape ``(towns,)``: which figures a town has, with which status and sources.
    """
    matrix = observatory.matrix
    columns = np.array([matrix.position(row["code"]) for row in rows], dtype=np.int64)
    own, frames = _own(observatory, rows)
    own += _larger(observatory, rows)
    shapes = _shapes(observatory)
    keys, beside = _rows_and_beside(observatory, columns, nearby, shapes)
    sets, near, apart = (np.zeros_like(own) for _ in range(3))
    redo = np.arange(len(matrix.indicators))
    if known is not None and known.fits(*own.shape):
        sets, near, apart = known.sets.copy(), known.near.copy(), known.apart.copy()
        redo = np.flatnonzero(known.rows != keys)
    if redo.size:
        part = matrix.only(redo)
        sets[redo] = _places(observatory, part, columns, {key: line[redo] for key, line in shapes.items()})
        near[redo], apart[redo] = _members(observatory, part, columns, nearby)
    return FigureDigests(keys, own, sets, near, apart, beside), frames


def commune_digests(matrix: CommuneMatrix, row: int) -> Digests:
    """Return, for one indicator, a digest of the value of every commune."""
    bits = np.ascontiguousarray(matrix.values[row]).view(np.uint64).copy()
    # Not a number has several writings.
    bits[np.isnan(matrix.values[row])] = 0
    marks = matrix.lots[row].astype(np.uint64) * np.uint64(257) + matrix.statuses[row]
    return mixed(bits + marks * _FACTORS[0] + np.uint64(1), 1)


def _row(matrix: CommuneMatrix) -> pl.Expr:
    """Return the row of each indicator in the matrix, null for those that it does not have."""
    return pl.col("indicator").cast(pl.Enum(matrix.indicators), strict=False).to_physical()


def written(values: Floats, scale: Floats | float) -> Floats:
    """Return what tells apart the numbers that are not written the same, at ``scale`` units of their last decimal.

    Numbers too near the half way between two others for the arithmetic to say how they round are apart from all.
    """
    whole = np.asarray(values * scale)
    unsure = np.abs(whole - np.floor(whole) - 0.5) < _UNSURE * (1 + np.abs(whole))
    # Zero has two writings.
    return np.where(unsure, whole + 0.25, np.rint(whole)) + 0.0


def _as_written(table: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    """Return a table with indicators whose numbers are those told apart by :func:`written`."""
    decimals = {name: item.declaration.decimals for name, item in load_indicators().items()}
    scale = 10.0 ** table["indicator"].replace_strict(decimals, default=6, return_dtype=pl.Float64).to_numpy()
    return table.with_columns(
        pl.Series(name, written(table[name].to_numpy(), scale), nan_to_null=True) for name in columns
    )


def _own(observatory: Observatory, rows: Sequence[Mapping[str, Any]]) -> tuple[Digests, Digests]:
    matrix = observatory.matrix
    codes = [row["code"] for row in rows]
    table = observatory.values([("commune", code) for code in codes])
    hashed = table.lazy().select(
        row=_row(matrix),
        town=pl.col("code").replace_strict(codes, range(len(codes)), return_dtype=pl.Int64),
        whole=pl.struct("indicator", "period", "value", "status", "n", "source_ids").hash(seed=1),
        frame=pl.struct("indicator", "status", "source_ids").hash(seed=2),
    ).drop_nulls("row").collect()  # fmt: skip
    figures = np.zeros((len(matrix.indicators), len(codes)), dtype=np.uint64)
    figures[hashed["row"].to_numpy(), hashed["town"].to_numpy()] = hashed["whole"].to_numpy()
    frames = np.zeros(len(codes), dtype=np.uint64)
    np.add.at(frames, hashed["town"].to_numpy(), hashed["frame"].to_numpy())
    return mixed(figures, 3), frames


def _territories(row: Mapping[str, Any]) -> list[tuple[str, str]]:
    levels = [("epci", row["epci"]), ("departement", row["departement"]), ("region", row["region"])]
    return [(level, code or "") for level, code in levels]


def _larger(observatory: Observatory, rows: Sequence[Mapping[str, Any]]) -> Digests:
    """Return the digests of the larger territories of each town, rounded as its page writes them."""
    matrix = observatory.matrix
    declared = {name: item.declaration for name, item in load_indicators().items()}
    france = [("france", code) for code in FRANCE_LABELS]
    wanted = sorted({pair for row in rows for pair in _territories(row) if pair[1]}) + france
    numbers = {pair: index for index, pair in enumerate(wanted)}
    counts = [name for name, one in declared.items() if one.kind == "count"]
    far = pl.col("level").is_in(["region", "france"])
    told = observatory.values(wanted).filter(~(far & pl.col("indicator").is_in(counts)))
    hashed = _as_written(told, ["value"]).select(
        "level", "code", row=_row(matrix),
        digest=pl.struct("level", "code", "indicator", "period", "value", "status").hash(seed=3),
    ).drop_nulls("row")  # fmt: skip
    table = np.zeros((len(matrix.indicators), len(wanted) + 1), dtype=np.uint64)
    places = [numbers[pair] for pair in zip(hashed["level"], hashed["code"], strict=True)]
    table[hashed["row"].to_numpy(), places] = hashed["digest"].to_numpy()
    table = mixed(table, 5)
    # All the fields of France are read by every page; a territory that does not exist has the last column.
    total = np.repeat(table[:, [numbers[pair] for pair in france]].sum(axis=1, dtype=np.uint64)[:, None], len(rows), 1)
    for rank in range(3):
        lines = [_territories(row)[rank] for row in rows]
        total += table[:, [numbers.get(pair, len(wanted)) for pair in lines]] * _FACTORS[10 + rank]
    return total


def _rows_and_beside(
    observatory: Observatory, columns: Ints, nearby: Nearby | None, shapes: Mapping[tuple[str, str], Digests]
) -> tuple[Digests, Digests]:
    """Return the digest of the values of each indicator, then of what stands beside each town."""
    matrix, sets = observatory.matrix, observatory.comparators
    numbers = np.arange(len(matrix.codes))
    place = numbers.astype(np.uint64) * _FACTORS[64]
    belonging = [part.hash(seed=7).to_numpy() for _, part in sorted(sets.partitions.items())]
    belonging += [np.isin(numbers, sets.pvd).astype(np.uint64)] if sets.pvd is not None else []
    # Of one element: sums of single numbers warn when they wrap round, those of arrays do not.
    members = np.zeros(1, dtype=np.uint64)
    for number, part in enumerate(belonging):
        members += (mixed(part + place, 66) * _FACTORS[20 + number]).sum(dtype=np.uint64)
    keys = np.zeros(len(matrix.indicators), dtype=np.uint64)
    beside = np.zeros(columns.size, dtype=np.uint64)
    lots = pl.Series([repr(pairs) for pairs in matrix.lot_keys], dtype=pl.String).hash(seed=8).to_numpy()
    for row in range(keys.size):
        digests = commune_digests(matrix, row)
        keys[row] = mixed(digests + place, 66).sum(dtype=np.uint64)
        if nearby is not None and nearby.beside.size:
            whole = np.append(digests, np.uint64(0))
            # Whether a town has none or nobody looked for them yet makes no difference here.
            lines = np.column_stack([columns, np.maximum(nearby.beside, -1)])
            shown = whole[lines] * _FACTORS[50 : 50 + lines.shape[1]]
            beside += mixed(shown.sum(axis=1, dtype=np.uint64) + np.uint64(row), 62)
    keys = mixed(keys + members + lots, 68)
    for number, (_, line) in enumerate(sorted(shapes.items())):
        keys += mixed(line + np.uint64(number), 14)
    return keys, beside


def _places(
    observatory: Observatory, matrix: CommuneMatrix, columns: Ints, shapes: Mapping[tuple[str, str], Digests]
) -> Digests:
    """Return the digests of the places of the towns in the sets of communes, and of what these sets look like."""
    sets = observatory.comparators
    found = np.zeros((len(matrix.indicators), columns.size), dtype=np.uint64)
    none = np.zeros(len(matrix.indicators), dtype=np.uint64)
    for number, name in enumerate((*_LARGE, PVD)):
        if name not in sets.partitions and not (name == PVD and sets.pvd is not None):
            continue
        for rank, (set_id, members) in enumerate(sets.sets_of(name).items()):
            here = np.arange(columns.size) if name == PVD else np.flatnonzero(np.isin(columns, members))
            if here.size:
                found[:, here] += mixed(shapes.get((name, set_id), none) + np.uint64(rank), 14)[:, None]
                found[:, here] += _ranks(matrix, columns[here], members) * _FACTORS[20 + number]
    groups = [_groups(sets, name) for name in _SMALL if name in sets.partitions]
    for row in range(len(matrix.indicators)):
        digests = commune_digests(matrix, row)
        for number, (order, starts, group) in enumerate(groups):
            sums = np.add.reduceat(digests[order], starts)
            found[row] += mixed(sums[group[columns]], 42) * _FACTORS[44 + number]
    return found


def _shapes(observatory: Observatory) -> dict[tuple[str, str], Digests]:
    """Return the digests of what the large sets look like, by indicator, as their quartiles are written."""
    matrix = observatory.matrix
    kept = pl.scan_parquet(observatory.snapshot.path(SUMMARIES)).filter(pl.col("comparator").is_in([*_LARGE, PVD]))
    table = (
        _as_written(kept.collect(), list(QUANTILES))
        # Strips are drawn for some sets only: of the others a page writes the quartiles.
        .with_columns(pl.when(pl.col("comparator").is_in(DRAWN)).then(name).alias(name) for name in _TAILS)
        .with_columns(n=pl.when(pl.col("n") < RANK_UP_TO).then("n"))
        .select(
            "comparator", "set_id", row=_row(matrix),
            digest=pl.struct("set_id", "indicator", "period", "demo", "n", *QUANTILES).hash(seed=4),
        )
        .drop_nulls("row").group_by("comparator", "set_id", "row").agg(pl.col("digest").sum())
    )  # fmt: skip
    found: dict[tuple[str, str], Digests] = {}
    for (name, set_id), part in table.group_by("comparator", "set_id"):
        line = np.zeros(len(matrix.indicators), dtype=np.uint64)
        line[part["row"].to_numpy()] = part["digest"].to_numpy()
        found[str(name), str(set_id)] = line
    return found


def _ranks(matrix: CommuneMatrix, columns: Ints, members: Ints) -> Digests:
    """Return the digests of the shares below (rounded) or of the ranks of some communes in one set."""
    found = np.zeros((len(matrix.indicators), columns.size), dtype=np.uint64)
    values, counts = matrix.sorted_among(members)
    inside = np.isin(columns, members)
    for line, (row, lot) in enumerate(zip(*(part.tolist() for part in matrix.lot_rows), strict=True)):
        usable = np.flatnonzero(matrix.lots[row, columns] == lot) if lot != NO_LOT else np.empty(0, dtype=np.int64)
        if usable.size == 0:
            continue
        known = values[line, : counts[line]]
        here = matrix.values[row, columns[usable]]
        low = np.searchsorted(known, here, "left")
        equal = np.searchsorted(known, here, "right") - low - inside[usable]
        others = np.maximum(known.size - inside[usable], 1)
        # The sentence gives the number of the others, and tells ties and extremes apart.
        told = np.zeros((4, usable.size), dtype=np.int64)
        told[0] = known.size
        if known.size < RANK_UP_TO:
            told[1], told[2] = low, equal
        else:
            share, same = 100 * low / others, 100 * equal / others
            edge = (low == 0).astype(np.int64) + 2 * (low + equal == others)
            whole = np.rint(share)
            told[1] = np.where((share > 0) & (whole == 0), -1, np.where((share < 100) & (whole == 100), -2, whole))
            told[2] = np.where(edge > 0, np.rint(same * 10), 0)
            told[3] = edge + 4 * (equal > 0) * (edge > 0)
        numbers = (told.view(np.uint64) * _FACTORS[30:34, None]).sum(axis=0, dtype=np.uint64)
        found[row, usable] = mixed(numbers, 34)
    return found


def _members(
    observatory: Observatory, matrix: CommuneMatrix, columns: Ints, nearby: Nearby | None
) -> tuple[Digests, Digests]:
    """Return the digests of the towns among those that resemble them: as written, then as what sets them apart."""
    found, apart = (np.zeros((len(matrix.indicators), columns.size), dtype=np.uint64) for _ in range(2))
    structure = observatory.comparators.structure
    lines = {name: index + 1 for index, name in enumerate(sorted(structure.families) if structure else ())}
    rules = setting("specificity_rules")
    for row, name in enumerate(matrix.indicators):
        found[row] = commune_digests(matrix, row)[columns] * _FACTORS[40]
        if nearby is None or not nearby.members.size:
            continue
        near, lots = nearby.members[:, lines.get(family_of(name), 0)], matrix.lots[row]
        alike = (near >= 0) & (lots[near] == lots[columns][:, None]) & (lots[columns] != NO_LOT)[:, None]
        values = np.where(alike, matrix.values[row][near], np.nan)
        values.sort(axis=1)
        counts = np.count_nonzero(alike, axis=1).astype(np.int64)
        some = np.flatnonzero(counts)
        values, known, here = values[some], counts[some], matrix.values[row, columns[some]]
        low, equal = (np.count_nonzero(test, axis=1) for test in (values < here[:, None], values == here[:, None]))
        shape, places = quantiles(values, known), np.column_stack([known, low, equal]).astype(np.float64)
        told = written(shape, 10.0 ** declaration_of(name).decimals)
        found[row, some] += _summed(np.column_stack([places, told]), 48)
        # Only a town far from the others, and that passes most of them, is set apart by a figure.
        passed = np.flatnonzero(np.maximum(low, known - low - equal) >= rules["min_share"] * known - 1e-9)
        middle = shape[passed][:, [_MEDIAN - 1, _MEDIAN, _MEDIAN + 1]]
        away = np.sort(np.abs(values[passed] - middle[:, [1]]), axis=1)
        away = quantiles(away, known[passed])[:, [_MEDIAN]]
        spread = MAD_SCALE * away[:, 0]
        far = (spread == 0) | (np.abs(here[passed] - middle[:, 1]) >= 0.999 * rules["min_effect"] * spread)
        # Quartiles only count where more than half of the others are equal.
        middle[spread > 0, ::2] = 0
        told = np.column_stack([places[passed], here[passed], middle, away])
        apart[row, some[passed[far]]] = _summed(told[far], 56)
    return found, apart


def _summed(numbers: Floats, factor: int) -> Digests:
    """Return one digest of each line of numbers."""
    bits = np.ascontiguousarray(numbers).view(np.uint64) * _FACTORS[: numbers.shape[1]]
    total: Digests = mixed(mixed(bits, factor).sum(axis=1, dtype=np.uint64), 62)
    return total


def _groups(sets: Comparators, name: str) -> tuple[Ints, Ints, Ints]:
    """Return an order of the communes by set, where each set starts in it, and the number of the set of each one."""
    number = sets.partitions[name].rank("dense").fill_null(0).cast(pl.Int64).to_numpy()
    order = np.argsort(number, kind="stable")
    known, starts = np.unique(number[order], return_index=True)
    place = np.zeros(int(known.max(initial=0)) + 1, dtype=np.int64)
    place[known] = np.arange(known.size)
    return order.astype(np.int64), starts.astype(np.int64), place[number]
