"""Nearest communes in the space of the features: one town, or all of them in blocks.

Distance: √(Σ w (z_i − z_j)² ÷ Σ w) over the features known on both sides, the weights adding up to 1 over all of
them; two communes whose common features weigh less than a declared share are not compared. The distance is symmetric.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bourg.compare.matrix import Floats
from bourg.compare.structure import Structure

# 128 × 128 × features stays under the size from which OpenBLAS starts threads of its own, which fight with ours.
_BLOCK = 128
_THREADS = 2
# Rounding of the float32 blocks, relative to the squared norms: candidates nearer than that are checked again.
_FLOAT32 = 4e-6
# Leaves searched first, to bound the others.
_FIRST = 20
_HUGE = np.float32(1e30)
# Rounding of sums of squares in float64, with a wide margin.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Filters:
    """Hard filters: a candidate must have the same ``groups`` value, and a ``rank`` at most ``gap`` away.

    Attributes
    ----------
    groups
        Per commune, any integer (metropolitan or overseas, centrality level…); no constraint when ``None``.
    ranks
        Per commune, the number of its size class; −1 when unknown, which excludes it.
    gap
        Size classes of difference allowed.
    """

    groups: NDArray[np.int16] | None = None
    ranks: NDArray[np.int16] | None = None
    gap: int = 1

    def allowed(self, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> NDArray[np.bool_] | None:
        """Return which pairs are allowed, shape ``(rows, columns)``; ``None`` when all are."""
        result: NDArray[np.bool_] | None = None
        if self.groups is not None:
            result = self.groups[rows][:, None] == self.groups[columns][None, :]
        if self.ranks is not None:
            here, there = self.ranks[rows][:, None], self.ranks[columns][None, :]
            near = (np.abs(here - there) <= self.gap) & (here >= 0) & (there >= 0)
            result = near if result is None else result & near
        return result


NO_FILTER = Filters()


class FromOne:
    """The distances of one commune to all, feature by feature: lists without some features cost little more than one.

    Attributes
    ----------
    parts, known
        Shape ``(features, communes)``: ``w (z_i − z_j)²``, 0 where unknown, and the weights of the known features.
    """

    def __init__(
        self, structure: Structure, row: int, *, min_share: float, allowed: NDArray[np.bool_] | None = None
    ) -> None:
        self.weights, self.row, self.min_share, self.allowed = structure.weights, row, min_share, allowed
        values, self.known = structure.filled
        here = structure.known[row]
        if not here.all():
            self.known = self.known * here[:, None]
        self.parts = values - values[:, [row]]
        self.parts *= self.parts
        self.parts *= self.known

    def nearest(self, kept: Sequence[int], k: int) -> tuple[NDArray[np.int64], Floats]:
        """Return positions and distances of the ``k`` nearest communes by the features ``kept``."""
        chosen = list(kept)
        return self._among(np.arange(self.parts.shape[1]), chosen, k)

    def nearest_without(
        self, kept: Sequence[int], drops: Iterable[Collection[int]], k: int, near: NDArray[np.int64]
    ) -> list[NDArray[np.int64]]:
        """Return the positions that :meth:`nearest` gives when features of ``kept`` are dropped, once for each drop.

        Parameters
        ----------
        drops
            The features dropped, each time.
        near
            The ``k`` nearest with all of ``kept``. Without some features they may go away, but the farthest of them
            still bounds the new list: only communes under the largest of these bounds are looked at.
        """
        wholes = list(kept)
        lefts = [[index for index in wholes if index not in drop] for drop in map(set, drops)]
        bounds = [self._among(near, left, k)[1] for left in lefts]
        if near.size < k or any(found.size < k for found in bounds):
            return [self.nearest(left, k)[0] for left in lefts]
        limit = max((float(found[-1]) ** 2 for found in bounds), default=0.0) * (1 + _ROUNDING) + _ROUNDING
        least = np.full(self.parts.shape[1], np.inf)
        sums, _ = self._sums(wholes)
        for left in lefts:
            dropped = [index for index in wholes if index not in left]
            np.minimum(least, sums - self.parts[dropped].sum(axis=0) if dropped else sums, out=least)
        candidates = np.flatnonzero(least <= limit * float(self.weights[wholes].sum()) + _ROUNDING)
        return [self._among(candidates, left, k)[0] for left in lefts]

    def _sums(self, kept: list[int]) -> tuple[Floats, Floats]:
        key = tuple(kept)
        if self._kept != key:
            self._kept, self._cached = key, (self.parts[kept].sum(axis=0), self.known[kept].sum(axis=0))
        return self._cached

    _kept: tuple[int, ...] | None = None
    _cached: tuple[Floats, Floats]

    def _among(self, candidates: NDArray[np.int64], kept: list[int], k: int) -> tuple[NDArray[np.int64], Floats]:
        if not kept:
            return np.empty(0, dtype=np.int64), np.empty(0)
        if candidates.size == self.parts.shape[1]:
            sums, weights = self._sums(kept)
        else:
            sums = self.parts[:, candidates][kept].sum(axis=0)
            weights = self.known[:, candidates][kept].sum(axis=0)
        distances = combine(sums, weights, self.min_share, float(self.weights[kept].sum()))
        distances[candidates == self.row] = np.inf
        found, values = nearest(distances, None, k, None if self.allowed is None else self.allowed[candidates])
        return candidates[found], values


def combine(parts: Floats, known: Floats, min_share: float, total: float) -> Floats:
    """Return distances from sums over the features; infinite where too little is known on both sides."""
    enough = (known >= min_share * total - 1e-12) & (known > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        distance: Floats = np.where(enough, np.sqrt(parts / known), np.inf)
    return distance


def nearest(
    distances: Floats, row: int | None, k: int, allowed: NDArray[np.bool_] | None = None
) -> tuple[NDArray[np.int64], Floats]:
    """Return positions and distances of the ``k`` nearest, nearest first, ties by position; never ``row`` itself."""
    usable = distances.copy()
    if row is not None:
        usable[row] = np.inf
    if allowed is not None:
        usable[~allowed] = np.inf
    if usable.size > k:
        limit = np.partition(usable, k - 1)[k - 1]
        candidates = np.flatnonzero(usable <= limit)
    else:
        candidates = np.arange(usable.size)
    candidates = candidates[np.isfinite(usable[candidates])]
    order = np.lexsort((candidates, usable[candidates]))[:k]
    chosen = candidates[order]
    return chosen.astype(np.int64), usable[chosen]


def all_neighbours(
    structure: Structure,
    k: int,
    *,
    min_share: float,
    without: Sequence[str] = (),
    filters: Filters = NO_FILTER,
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Return the nearest communes of every commune.

    Parameters
    ----------
    k
        Neighbours wanted.
    min_share
        Share of the weights that two communes must have in common.
    without
        Families whose features are left out.

    Returns
    -------
    positions, distances
        Shape ``(communes, k)``; −1 and infinity where a commune has fewer neighbours. The lists are those of
        :func:`nearest` on float64 distances: float32 blocks only choose candidates, with a margin for their rounding.
    """
    kept = structure.kept(without)
    count = len(structure.codes)
    positions = np.full((count, k), -1, dtype=np.int32)
    found = np.full((count, k), np.inf, dtype=np.float32)
    if not kept or count < 2:
        return positions, found
    search = _Search(structure, kept, k, min_share=min_share, filters=filters)
    complete = np.flatnonzero(structure.known[:, kept].all(axis=1))
    partial = np.setdiff1d(np.arange(count), complete)
    whole = _Whole(search, complete)

    def run(leaf: int) -> None:
        rows, places, near, distances = whole.block(leaf, partial)
        positions[rows, places] = near
        found[rows, places] = distances

    with ThreadPoolExecutor(_THREADS) as pool:
        list(pool.map(run, range(len(whole.starts))))
    for row in partial:
        near, distances = search.exact(int(row))
        positions[row, : near.size] = near
        found[row, : near.size] = distances
    return positions, found


class _Search:
    """The exact search of one commune, the rule that the blocks must give back."""

    def __init__(
        self, structure: Structure, kept: Sequence[int], k: int, *, min_share: float, filters: Filters
    ) -> None:
        self.structure, self.kept, self.k, self.min_share, self.filters = structure, list(kept), k, min_share, filters
        self.weights = structure.weights[self.kept]
        self.total = float(self.weights.sum())
        self.z = np.ascontiguousarray(structure.z[:, self.kept])
        self.everyone = np.arange(len(structure.codes))

    def exact(self, row: int) -> tuple[NDArray[np.int64], Floats]:
        """Return the neighbours of one commune among all."""
        return self.among(row, self.everyone)

    def among(self, row: int, candidates: NDArray[np.int64]) -> tuple[NDArray[np.int64], Floats]:
        """Return the neighbours of one commune among sorted candidates."""
        distances = self.distances(np.full(candidates.size, row), candidates)
        allowed = self.filters.allowed(np.array([row]), candidates)
        near, found = nearest(distances, None, self.k, None if allowed is None else allowed[0])
        return candidates[near], found

    def distances(self, rows: NDArray[np.int64], others: NDArray[np.int64]) -> Floats:
        """Return the distances of pairs of communes, infinite from a commune to itself."""
        gaps = self.z[others] - self.z[rows]
        known = ~np.isnan(gaps)
        parts = np.where(known, self.weights * gaps * gaps, 0.0).sum(axis=1)
        result = combine(parts, (known * self.weights).sum(axis=1), self.min_share, self.total)
        result[others == rows] = np.inf
        return result


class _Whole:
    """Communes that have every feature: their distances are one matrix product a block.

    Blocks are the leaves of a k-d tree, so that a block needs only the communes of the leaves its neighbours may be
    in: boxes farther than the k-th candidate of every row are never multiplied.
    """

    def __init__(self, search: _Search, rows: NDArray[np.int64]) -> None:
        self.search = search
        self.points = search.z[rows] * np.sqrt(search.weights / search.total)
        self.order = _kd_order(self.points)
        self.rows = rows[self.order]
        self.points = self.points[self.order]
        self.starts = np.arange(0, len(self.rows), _BLOCK)
        boxes = [self.points[start : start + _BLOCK] for start in self.starts]
        self.low = np.array([box.min(axis=0) for box in boxes])
        self.high = np.array([box.max(axis=0) for box in boxes])
        # The last leaf is filled up with points that are infinitely far.
        padding = len(self.starts) * _BLOCK - len(self.rows)
        single = np.pad(self.points.astype(np.float32), ((0, padding), (0, 0)))
        norms = (single * single).sum(axis=1)
        self.largest = float(norms.max(initial=0.0))
        norms[len(self.rows) :] = np.inf
        self.padded = np.pad(self.rows, (0, padding), mode="edge") if len(self.rows) else self.rows
        self.tiles = single.reshape(-1, _BLOCK, single.shape[1])
        self.norms = norms.reshape(-1, _BLOCK)

    def block(
        self, leaf: int, partial: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], Floats]:
        """Return the neighbours of the communes of a leaf, as ``row, place in its list, neighbour, distance``."""
        k = self.search.k
        gaps = np.maximum(np.maximum(self.low - self.high[leaf], self.low[leaf] - self.high), 0.0)
        box = (gaps * gaps).sum(axis=1)
        order = np.argsort(box, kind="stable")
        near = order[: _FIRST + 2 * k // _BLOCK]
        squares, columns = self._squares(leaf, near)
        error = np.float32(4 * _FLOAT32 * self.largest + 1e-12)
        # What the nearest leaves give bounds the search: in the others only squares under it are looked at.
        limits = self._limit(squares) + error
        found = [self._under(squares, columns, limits)]
        rest = order[len(near) :]
        rest = rest[box[rest] <= float(limits.max())]
        if rest.size:
            found.append(self._under(*self._squares(leaf, rest), limits))
        lines, others, values = (np.concatenate(part) for part in zip(*found, strict=True))
        # The k-th smallest square of each line, found again among all: only squares under it need float64.
        ordered = np.lexsort((values, lines))
        places = _places(lines[ordered])
        cuts = np.full(_BLOCK, _HUGE, dtype=np.float32)
        last = ordered[places == k]
        cuts[lines[last]] = values[last] + error
        rows = self.rows[self.starts[leaf] : self.starts[leaf] + _BLOCK]
        kept = (values <= cuts[lines]) & (lines < rows.size)
        return self._chosen(rows, lines[kept], others[kept], partial)

    def _chosen(
        self, rows: NDArray[np.int64], lines: NDArray[np.int64], others: NDArray[np.int64], partial: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], Floats]:
        """Choose with float64 distances among candidates, and among the communes that lack a feature."""
        more = np.repeat(np.arange(rows.size), partial.size)
        extra = np.tile(partial, rows.size)
        allowed = self.search.filters.allowed(rows, partial)
        if allowed is not None:
            more, extra = more[allowed.ravel()], extra[allowed.ravel()]
        lines, others = np.concatenate([lines, more]), np.concatenate([others, extra])
        distances = self.search.distances(rows[lines], others)
        finite = np.isfinite(distances)
        lines, others, distances = lines[finite], others[finite], distances[finite]
        order = np.lexsort((others, distances, lines))
        places = _places(lines[order])
        order, places = order[places < self.search.k], places[places < self.search.k]
        return rows[lines[order]], places, others[order], distances[order]

    @staticmethod
    def _under(
        squares: NDArray[np.float32], columns: NDArray[np.int64], limits: NDArray[np.float32]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
        """Return line, commune and square of what does not pass the limit of its line."""
        flat = np.flatnonzero(squares <= limits[:, None])
        lines, where = np.divmod(flat, squares.shape[1])
        return lines, columns[where], squares.ravel()[flat]

    def _squares(self, leaf: int, others: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return squared distances from a leaf to others, shape ``(_BLOCK, columns)``, and the communes of columns."""
        here = self.tiles[leaf]
        product = np.matmul(-2 * here, self.tiles[others].transpose(0, 2, 1))
        product += self.norms[others][:, None, :]
        squares = product.transpose(1, 0, 2).reshape(_BLOCK, -1)
        squares += (here * here).sum(axis=1)[:, None]
        columns = self.padded.reshape(-1, _BLOCK)[others].ravel()
        allowed = self.search.filters.allowed(self.padded.reshape(-1, _BLOCK)[leaf], columns)
        if allowed is not None:
            squares[~allowed] = np.inf
        return squares, columns

    def _limit(self, squares: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return, for each row, a square that at least ``k`` others do not pass (the row itself is among them)."""
        count = self.search.k + 1
        if squares.shape[1] <= count:
            return np.full(len(squares), _HUGE, dtype=np.float32)
        cut = np.partition(squares, count - 1, axis=1)[:, count - 1]
        return np.minimum(cut, _HUGE)


def _places(lines: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the place of each item in the run of equal numbers it belongs to, from 0."""
    everyone = np.arange(lines.size)
    starts = np.flatnonzero(np.concatenate([[True], lines[1:] != lines[:-1]])) if lines.size else everyone
    return everyone - np.repeat(starts, np.diff(np.append(starts, lines.size)))


def _kd_order(points: Floats) -> NDArray[np.int64]:
    """Return an order of the points in which every run of ``_BLOCK`` is a small box (median splits)."""
    pending = [np.arange(len(points))]
    done: list[NDArray[np.int64]] = []
    while pending:
        part = pending.pop()
        if len(part) <= _BLOCK:
            done.append(part)
            continue
        inside = points[part]
        widest = int(np.argmax(inside.max(axis=0) - inside.min(axis=0)))
        part = part[np.argsort(inside[:, widest], kind="stable")]
        half = _BLOCK * ((len(part) // _BLOCK + 1) // 2)
        pending += [part[half:], part[:half]]
    return np.concatenate(done).astype(np.int64) if done else np.empty(0, dtype=np.int64)
