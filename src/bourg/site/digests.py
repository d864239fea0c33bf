"""What each figure of each page depends on, as one number: computed from arrays, for all the towns of a site at once.

A digest covers a figure as a page shows it: its value, what it is in the larger territories and the places of the town
in large sets as they are written (a share rounded to one percent, rounded quartiles), so that a value changed at the
other end of the country often leaves it as it is. Small sets and similar towns are covered by the values of all their
members: sometimes too much, never too little.
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
from bourg.compare.matrix import NO_LOT, CommuneMatrix, Ints
from bourg.compare.ranking import QUANTILES
from bourg.compare.stored import SUMMARIES
from bourg.indicators.registry import load_indicators
from bourg.indicators.units import FRANCE_LABELS
from bourg.portrait.observatory import Observatory
from bourg.portrait.page_figures import RANK_UP_TO

Digests = NDArray[np.uint64]
_LARGE = ("region", SIZE, CENTRALITY)
_SMALL = ("departement", "epci")
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


def mixed(numbers: Digests, factor: int) -> Digests:
    """Return well mixed numbers: what differs by one bit has nothing in common afterwards."""
    made: Digests = (numbers ^ (numbers >> _SHIFT)) * _FACTORS[factor]
    made ^= made >> _SHIFT
    made *= _FACTORS[factor + 1]
    return made ^ (made >> _SHIFT)


def figure_digests(
    observatory: Observatory, rows: Sequence[Mapping[str, Any]], nearby: Nearby | None
) -> tuple[Digests, Digests, Digests]:
    """Return the digests of the figures of some towns.

    Parameters
    ----------
    rows
        Rows of the communes (:meth:`Observatory.commune`), in the order of the towns.
    nearby
        What they are compared with by resemblance; ``None`` leaves it out.

    Returns
    -------
    figures, frames, traits
        Shape ``(indicators of the matrix, towns)``: everything a figure shows. Shape ``(towns,)``: which figures a
        town has, with which status and sources; what sets it apart from similar towns.
    """
    matrix = observatory.matrix
    columns = np.array([matrix.position(row["code"]) for row in rows], dtype=np.int64)
    figures, frames = _own(observatory, rows)
    figures += _larger(observatory, rows)
    _add_places(observatory, columns, figures)
    return figures, frames, _add_members(observatory, columns, nearby, figures)


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


def _written(column: str) -> pl.Expr:
    """Return what tells apart the numbers that are not written the same, at ``scale`` units of their last decimal.

    A number half way between two others is apart from both: it is rounded to the even one.
    """
    twice = pl.col(column) * pl.col("scale") * 2
    return twice.floor() + twice.ceil()


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
    scale = pl.DataFrame({"indicator": list(declared), "scale": [10.0**one.decimals for one in declared.values()]})
    far = pl.col("level").is_in(["region", "france"])
    hashed = (
        observatory.values(wanted).lazy()
        .filter(~(far & pl.col("indicator").is_in(counts)))
        .join(scale.lazy(), on="indicator", how="left")
        .with_columns(value=_written("value"))
        .select(
            "level", "code", row=_row(matrix),
            digest=pl.struct("level", "code", "indicator", "period", "value", "status").hash(seed=3),
        )
        .drop_nulls("row").collect()
    )  # fmt: skip
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


def _add_places(observatory: Observatory, columns: Ints, figures: Digests) -> None:
    """Add the places of the towns in the large sets, and what these sets look like."""
    matrix, sets = observatory.matrix, observatory.comparators
    shapes = _shapes(observatory)
    none = np.zeros(len(matrix.indicators), dtype=np.uint64)
    for number, name in enumerate((*_LARGE, PVD)):
        if name not in sets.partitions and not (name == PVD and sets.pvd is not None):
            continue
        for rank, (set_id, members) in enumerate(sets.sets_of(name).items()):
            here = np.arange(columns.size) if name == PVD else np.flatnonzero(np.isin(columns, members))
            if here.size:
                figures[:, here] += mixed(shapes.get((name, set_id), none) + np.uint64(rank), 14)[:, None]
                figures[:, here] += _ranks(matrix, columns[here], members) * _FACTORS[20 + number]


def _shapes(observatory: Observatory) -> dict[tuple[str, str], Digests]:
    """Return the digests of what the large sets look like, by indicator, as their quartiles are written."""
    matrix = observatory.matrix
    declared = {name: item.declaration.decimals for name, item in load_indicators().items()}
    scale = pl.DataFrame({"indicator": list(declared), "scale": [10.0**one for one in declared.values()]})
    table = (
        pl.scan_parquet(observatory.snapshot.path(SUMMARIES))
        .filter(pl.col("comparator").is_in([*_LARGE, PVD]))
        .join(scale.lazy(), on="indicator", how="left")
        .with_columns(_written(name).alias(name) for name in QUANTILES)
        .with_columns(n=pl.when(pl.col("n") < RANK_UP_TO).then("n"))
        .select(
            "comparator", "set_id", row=_row(matrix),
            digest=pl.struct("set_id", "indicator", "period", "demo", "n", *QUANTILES).hash(seed=4),
        )
        .drop_nulls("row").group_by("comparator", "set_id", "row").agg(pl.col("digest").sum()).collect()
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


def _add_members(observatory: Observatory, columns: Ints, nearby: Nearby | None, figures: Digests) -> Digests:
    """Add the values of the members of the small sets and of the similar towns; return the digests of the latter."""
    matrix, sets = observatory.matrix, observatory.comparators
    groups = [_groups(sets, name) for name in _SMALL if name in sets.partitions]
    families = sorted(sets.structure.families) if sets.structure else []
    place = {name: index + 1 for index, name in enumerate(families)}
    lines = [place.get(family_of(name), 0) for name in matrix.indicators]
    traits = np.zeros(columns.size, dtype=np.uint64)
    for row in range(len(matrix.indicators)):
        digests = commune_digests(matrix, row)
        figures[row] += digests[columns] * _FACTORS[40]
        for number, (order, starts, group) in enumerate(groups):
            sums = np.add.reduceat(digests[order], starts)
            figures[row] += mixed(sums[group[columns]], 42) * _FACTORS[44 + number]
        if nearby is not None and nearby.members.size:
            whole = np.append(digests, np.uint64(0))
            near = mixed(whole[nearby.members[:, lines[row]]].sum(axis=1, dtype=np.uint64), 48)
            traits += mixed(near + digests[columns] + np.uint64(row), 62)
            figures[row] += near
            # Whether a town has none or nobody looked for them yet makes no difference here.
            beside = whole[np.maximum(nearby.beside, -1)] * _FACTORS[50 : 50 + nearby.beside.shape[1]]
            figures[row] += mixed(beside.sum(axis=1, dtype=np.uint64), 56)
    return traits


def _groups(sets: Comparators, name: str) -> tuple[Ints, Ints, Ints]:
    """Return an order of the communes by set, where each set starts in it, and the number of the set of each one."""
    number = sets.partitions[name].rank("dense").fill_null(0).cast(pl.Int64).to_numpy()
    order = np.argsort(number, kind="stable")
    known, starts = np.unique(number[order], return_index=True)
    place = np.zeros(int(known.max(initial=0)) + 1, dtype=np.int64)
    place[known] = np.arange(known.size)
    return order.astype(np.int64), starts.astype(np.int64), place[number]
