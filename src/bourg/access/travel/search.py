"""Searches on one graph: what the compiled kernels need is prepared here, and kept from one search to the next."""

from __future__ import annotations

import threading
from typing import cast

import numpy as np
from numpy.typing import NDArray

from bourg.access.compiled import Floats, Ints, Longs, Singles
from bourg.access.network.graph import Graph
from bourg.access.travel.kernels import from_one_kernel, matrix_kernel, nearest_kernel, reachable_kernel

# More slots than this and the buckets are made wider.
_MAX_SLOTS = 1 << 20


def _frozen(array: NDArray[np.generic], dtype: type) -> NDArray[np.generic]:
    """Return a read-only plain view: memory-mapped or not, every graph then has one compiled type."""
    view = np.ascontiguousarray(array, dtype=dtype).view(np.ndarray)[:]
    view.flags.writeable = False
    return view


def longs(array: NDArray[np.generic]) -> Longs:
    """Return a read-only view as int64."""
    return cast("Longs", _frozen(array, np.int64))


def ints(array: NDArray[np.generic]) -> Ints:
    """Return a read-only view as int32."""
    return cast("Ints", _frozen(array, np.int32))


def singles(array: NDArray[np.generic]) -> Singles:
    """Return a read-only view as float32."""
    return cast("Singles", _frozen(array, np.float32))


def floats(array: NDArray[np.generic]) -> Floats:
    """Return a read-only view as float64."""
    return cast("Floats", _frozen(array, np.float64))


class _Workspace(threading.local):
    """Labels kept between searches of one thread, so that a short search does not pay for a large graph."""

    best: Floats = np.empty(0)
    source: Ints = np.empty(0, dtype=np.int32)

    def labels(self, n_nodes: int) -> tuple[Floats, Ints]:
        """Return the labels, all infinite and all −1: searches that end leave them so."""
        if len(self.best) < n_nodes:
            self.best = np.full(n_nodes, np.inf)
            self.source = np.full(n_nodes, -1, dtype=np.int32)
        return self.best, self.source


_WORKSPACE = _Workspace()


class Search:
    """The searches on one graph, in the sense of its edges; give ``graph.reverse`` for times *to* the seeds.

    Parameters
    ----------
    graph
        Graph of one mode.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.n_nodes = graph.n_nodes
        self.indptr = longs(graph.indptr)
        self.heads = ints(graph.heads)
        self.seconds = singles(graph.seconds)
        # A sample is enough: the width changes the speed only.
        sample = self.seconds[:: max(1, len(self.seconds) // 50_000)]
        self._width = max(2 * float(sample.mean()), 1e-3) if len(sample) else 1.0
        self._longest: float | None = None

    def _ring(self, limit: float) -> tuple[float, int]:
        """Return the width of a bucket and how many make a ring as long as the longest step."""
        if np.isfinite(limit):
            span = limit
        else:
            if self._longest is None:
                self._longest = float(self.seconds.max(initial=0.0))
            span = self._longest
        width = max(self._width, span / (_MAX_SLOTS - 4))
        return width, int(span / width) + 4

    def nearest(self, seeds_node: Ints, seeds_s: Singles, limit: float = np.inf) -> tuple[Floats, Ints]:
        """Return for every node the shortest time from a seed and the index of that seed (infinite and −1: none).

        Parameters
        ----------
        seeds_node, seeds_s
            Shape ``(n_seeds,)``: nodes (−1 is skipped) and seconds already spent there.
        limit
            Seconds after which the search stops; a time equal to the limit is kept.
        """
        nodes, spent = ints(seeds_node), singles(seeds_s)
        return nearest_kernel(self.indptr, self.heads, self.seconds, nodes, spent, float(limit), *self._ring(limit))

    def within(self, seeds_node: Ints, seeds_s: Singles, limit: float) -> tuple[Ints, Floats]:
        """Return the nodes within ``limit`` seconds, ascending, and their times; other nodes cost nothing."""
        nodes, spent = ints(seeds_node), singles(seeds_s)
        ring = self._ring(limit)
        labels = _WORKSPACE.labels(self.n_nodes)
        return from_one_kernel(self.indptr, self.heads, self.seconds, nodes, spent, float(limit), *ring, *labels)

    def clean_labels(self) -> Floats:
        """Return the labels of this thread, infinite everywhere: who writes them must leave them so."""
        return _WORKSPACE.labels(self.n_nodes)[0]

    def pairs(
        self,
        starts: tuple[Ints, Singles],
        targets: tuple[Ints, Ints, Singles],
        direct: tuple[Longs, Ints, Floats],
        n_targets: int,
        limit: float,
    ) -> tuple[Ints, Ints, Singles]:
        """Return the sparse times from each start to the targets: row, target, seconds, sorted.

        Parameters
        ----------
        starts
            Nodes and seconds, shape ``(n_starts, k)``.
        targets
            Targets sorted by node, in compressed rows: first entry of each node, index of the target, seconds.
        direct
            Trips that pass no node, in compressed rows by start: first entry, index of the target, seconds.
        n_targets
            Number of targets.
        limit
            Seconds, infinite for none.
        """
        arrays = (
            ints(starts[0]), singles(starts[1]),
            ints(targets[0]), ints(targets[1]), singles(targets[2]),
            longs(direct[0]), ints(direct[1]), floats(direct[2]),
        )  # fmt: skip
        ring = self._ring(limit)
        labels = _WORKSPACE.labels(self.n_nodes)
        graph = (self.indptr, self.heads, self.seconds)
        return matrix_kernel(*graph, *arrays, int(n_targets), float(limit), *ring, *labels)  # type: ignore[arg-type]

    def reachable(self, seeds_node: Ints) -> NDArray[np.bool_]:
        """Tell the nodes that some path, however long, leads to from a seed."""
        return reachable_kernel(self.indptr, self.heads, ints(seeds_node))
