"""The directed graph of one mode over the segments: directions, speeds, barriers, destination-only streets."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from bourg.access.network.contraction import Streets
from bourg.access.network.graph import MODES, Graph
from bourg.access.network.restrictions import Turns, apply_restrictions
from bourg.access.network.rules import WayRules
from bourg.access.network.settings import rule

# Layers of nodes: open streets; the pocket where a trip starts; the pocket where it ends.
OPEN, START, END = 0, 1, 2
USABLE, BIG, DESTINATION_FORWARD, DESTINATION_BACKWARD = 1, 2, 4, 8


@dataclass
class Edges:
    """Directed edges being built; ``direction`` is 0 from ``a`` to ``b``, 1 back, 2 for links without street."""

    tail: NDArray[np.int32]
    head: NDArray[np.int32]
    seconds: NDArray[np.float32]
    segment: NDArray[np.int32]
    direction: NDArray[np.uint8]

    def select(self, keep: NDArray[np.bool_] | NDArray[np.int64]) -> Edges:
        """Return some of the edges."""
        return Edges(self.tail[keep], self.head[keep], self.seconds[keep], self.segment[keep], self.direction[keep])

    @staticmethod
    def join(*parts: Edges) -> Edges:
        """Return all the edges of several lists."""
        return Edges(
            np.concatenate([part.tail for part in parts]),
            np.concatenate([part.head for part in parts]),
            np.concatenate([part.seconds for part in parts]),
            np.concatenate([part.segment for part in parts]),
            np.concatenate([part.direction for part in parts]),
        )

    @staticmethod
    def links(tail: NDArray[np.int32], head: NDArray[np.int32]) -> Edges:
        """Return edges without length between nodes of the same place."""
        n = len(tail)
        return Edges(
            tail.astype(np.int32),
            head.astype(np.int32),
            np.zeros(n, dtype=np.float32),
            np.full(n, -1, dtype=np.int32),
            np.full(n, 2, dtype=np.uint8),
        )


@dataclass(frozen=True)
class ModeNetwork:
    """What one mode adds to the segments.

    Attributes
    ----------
    graph
        The directed graph.
    direction
        Shape ``(n_edges,)``: 0 along the segment, 1 against it, 2 for a link between copies of a node.
    layer
        Shape ``(n_nodes - n_base,)``: 0 open, 1 start pocket, 2 end pocket.
    run_s
        Shape ``(n_segments, 2)``: seconds along and against the segment, infinite when refused.
    flags
        Shape ``(n_segments,)``: bits :data:`USABLE`, :data:`BIG`, :data:`DESTINATION_FORWARD`,
        :data:`DESTINATION_BACKWARD`.
    component
        Shape ``(n_segments,)``: nodes of the piece of network, within which all reach all, that it belongs to.
    counts
        Figures for the manifest.
    """

    graph: Graph
    direction: NDArray[np.uint8]
    layer: NDArray[np.uint8]
    run_s: NDArray[np.float32]
    flags: NDArray[np.uint8]
    component: NDArray[np.int32]
    counts: dict[str, int]


def build_mode(
    streets: Streets, rules: WayRules, mode: str, turns: Turns, slope: NDArray[np.float32] | None = None
) -> ModeNetwork:
    """Return the network of one mode.

    Parameters
    ----------
    streets
        Segments and their rules.
    rules
        Rules of the sets of tags.
    mode
        ``foot``, ``bike`` or ``car``.
    turns
        Turn restrictions of the mode, told by segments.
    slope
        Shape ``(n_segments, 2)``: factor of time along and against each segment; flat without it.
    """
    m = MODES.index(mode)
    run = _run_seconds(streets, rules, m)
    if slope is not None:
        run *= slope
    destination = rules.destination[:, m, :][streets.profile] & np.isfinite(run)
    edges = _edges(streets, rules, mode, run)
    n_base = len(streets.lon)
    base = np.arange(n_base, dtype=np.int32)
    closed = np.array(sorted(node for node, found in streets.node_rules.items() if found.closed[m]), dtype=np.int64)
    edges, base = _close(edges, base, closed)
    component, largest = _components(edges, len(base), len(streets.segments))
    settings = rule("snapping")["component"]
    threshold = int(min(settings["min_nodes"], max(1, np.ceil(settings["share"] * largest))))
    edges, base, layer, destination, enclaves = _layers(edges, base, n_base, destination, threshold)
    edges, base, layer, applied = apply_restrictions(edges, base, layer, n_base, turns)

    order = np.lexsort((edges.direction, edges.segment, edges.head, edges.tail))
    edges = edges.select(order)
    indptr = np.zeros(len(base) + 1, dtype=np.int64)
    np.cumsum(np.bincount(edges.tail, minlength=len(base)), out=indptr[1:])
    graph = Graph(mode, indptr, edges.head, edges.seconds, edges.segment, streets.lon[base], streets.lat[base], base)
    usable = np.isfinite(run).any(axis=1)
    flags = (
        usable * USABLE
        + (usable & (component >= threshold)) * BIG
        + destination[:, 0] * DESTINATION_FORWARD
        + destination[:, 1] * DESTINATION_BACKWARD
    ).astype(np.uint8)
    counts = {
        "nodes": len(base),
        "edges": len(edges.tail),
        "segments": int(usable.sum()),
        "kilometres": int(streets.segments.length_m[usable].sum(dtype=np.float64) / 1000),
        "destination_segments": int(destination.any(axis=1).sum()),
        "enclave_segments": enclaves,
        "turn_restrictions": applied,
        "closed_nodes": len(closed),
        "largest_component": int(largest),
        "component_threshold": threshold,
        "small_component_segments": int((usable & (component < threshold)).sum()),
    }
    return ModeNetwork(graph, edges.direction, layer, run, flags, component, counts)


def _run_seconds(streets: Streets, rules: WayRules, m: int) -> NDArray[np.float32]:
    """Return the seconds along and against each segment, delays aside; infinite when refused."""
    kmh = rules.kmh[:, m][streets.profile, :, streets.urban.astype(np.int64)].astype(np.float64)
    declared = rules.duration_s[streets.profile]
    own = ~np.isnan(declared)
    kmh[own] = np.where(kmh[own] > 0, (streets.way_length_m[own] / declared[own] * 3.6)[:, None], 0)
    run = np.full(kmh.shape, np.inf, dtype=np.float32)
    np.divide(streets.segments.length_m[:, None] * 3.6, kmh, out=run, where=kmh > 0, casting="same_kind")
    return run


def _edges(streets: Streets, rules: WayRules, mode: str, run: NDArray[np.float32]) -> Edges:
    segments = streets.segments
    ways = [np.flatnonzero(np.isfinite(run[:, d])).astype(np.int32) for d in (0, 1)]
    segment = np.concatenate(ways)
    direction = np.repeat(np.array([0, 1], dtype=np.uint8), [len(ways[0]), len(ways[1])])
    tail = np.where(direction == 0, segments.a[segment], segments.b[segment])
    head = np.where(direction == 0, segments.b[segment], segments.a[segment])
    delays = _Delays(streets, rules, mode, run)
    seconds = run[segment, direction] + delays.of(segment, head, direction)
    return Edges(tail, head, seconds.astype(np.float32), segment, direction)


class _Delays:
    """Seconds lost at the node where an edge arrives: signals, yielding, other junctions, barriers to open."""

    def __init__(self, streets: Streets, rules: WayRules, mode: str, run: NDArray[np.float32]) -> None:
        m = MODES.index(mode)
        self.costs = rule("junctions")[mode]
        n = len(streets.lon)
        segments = streets.segments
        counts = rules.road[streets.profile] & np.isfinite(run).any(axis=1)
        ends = np.concatenate([segments.a[counts], segments.b[counts]])
        ranks = np.tile(rules.priority[streets.profile][counts], 2)
        self.junction = np.bincount(ends, minlength=n) >= 3
        self.highest = np.zeros(n, dtype=np.int8)
        np.maximum.at(self.highest, ends, ranks)
        self.round = np.zeros(n, dtype=bool)
        ring = rules.roundabout[streets.profile] & counts
        self.round[segments.a[ring]] = True
        self.round[segments.b[ring]] = True
        self.rank = rules.priority[streets.profile]
        self.ring = rules.roundabout[streets.profile]
        self.signal = np.zeros(n, dtype=np.int8)
        self.wait = np.zeros(n, dtype=np.float32)
        for node, found in streets.node_rules.items():
            self.signal[node] = found.signal
            self.wait[node] = found.wait_s[m]

    def of(
        self, segment: NDArray[np.int32], head: NDArray[np.int32], direction: NDArray[np.uint8]
    ) -> NDArray[np.float64]:
        """Return the delay of each edge, seconds."""
        costs = self.costs
        yields = np.where(self.round[head], ~self.ring[segment], self.rank[segment] < self.highest[head])
        passing = np.where(self.round[head], 0.0, costs["pass_s"])
        delay = np.where(self.junction[head], np.where(yields, costs["yield_s"], passing), 0.0)
        signal = self.signal[head]
        lit = (signal == 1) | ((signal == 2) & (direction == 0)) | ((signal == 3) & (direction == 1))
        return np.where(lit, costs["signal_s"], delay) + self.wait[head]


def _close(edges: Edges, base: NDArray[np.int32], closed: NDArray[np.int64]) -> tuple[Edges, NDArray[np.int32]]:
    """Give each street its own end at a closed node: one can come up to the barrier from each side, not pass it."""
    if not len(closed):
        return edges, base
    blocked = np.zeros(len(base), dtype=bool)
    blocked[closed] = True
    at_head, at_tail = blocked[edges.head], blocked[edges.tail]
    # End 0 of a segment is a, end 1 is b.
    head_key = edges.segment.astype(np.int64) * 2 + (edges.direction == 0)
    tail_key = edges.segment.astype(np.int64) * 2 + (edges.direction == 1)
    keys = np.concatenate([head_key[at_head], tail_key[at_tail]])
    places = np.concatenate([edges.head[at_head], edges.tail[at_tail]])
    known, index, inverse = np.unique(keys, return_index=True, return_inverse=True)
    fresh = (len(base) + inverse).astype(np.int32)
    head, tail = edges.head.copy(), edges.tail.copy()
    head[at_head] = fresh[: int(at_head.sum())]
    tail[at_tail] = fresh[int(at_head.sum()) :]
    base = np.concatenate([base, places[index].astype(np.int32)]) if len(known) else base
    return Edges(tail, head, edges.seconds, edges.segment, edges.direction), base


def _components(edges: Edges, n_nodes: int, n_segments: int) -> tuple[NDArray[np.int32], int]:
    """Return, by segment, the size of the strongly connected piece it belongs to, and the size of the largest."""
    matrix = csr_array((np.ones(len(edges.tail), dtype=np.int8), (edges.tail, edges.head)), shape=(n_nodes, n_nodes))
    _, label = connected_components(matrix, directed=True, connection="strong")
    size = np.bincount(label)[label]
    found = np.zeros(n_segments, dtype=np.int32)
    np.maximum.at(found, edges.segment, np.minimum(size[edges.tail], size[edges.head]).astype(np.int32))
    return found, int(found.max(initial=0))


def _layers(
    edges: Edges, base: NDArray[np.int32], n_base: int, destination: NDArray[np.bool_], threshold: int
) -> tuple[Edges, NDArray[np.int32], NDArray[np.uint8], NDArray[np.bool_], int]:
    """Copy the nodes of destination-only streets, so that a path uses them only where it starts and where it ends.

    A path goes from the start pocket to the open streets to the end pocket, never back. Small pieces of open street
    that can be reached only through such streets are taken into the pocket.
    """
    n = len(base)
    layer = np.zeros(n - n_base, dtype=np.uint8)
    private = destination[edges.segment, edges.direction]
    if not private.any():
        return edges, base, layer, destination, 0
    enclaves = _enclaves(edges, private, n, threshold)
    if enclaves.any():
        destination = destination.copy()
        destination[edges.segment[enclaves], edges.direction[enclaves]] = True
        private = private | enclaves
    inside = edges.select(private)
    nodes = np.unique(np.concatenate([inside.tail, inside.head]))
    number = np.full(n, -1, dtype=np.int32)
    number[nodes] = np.arange(len(nodes), dtype=np.int32)
    parts = [edges.select(~private)]
    tail, head = number[inside.tail], number[inside.head]
    parts += [
        replace(inside, tail=(tail + shift).astype(np.int32), head=(head + shift).astype(np.int32))
        for shift in (n, n + len(nodes))
    ]
    own = np.arange(len(nodes), dtype=np.int32)
    parts += [Edges.links(own + n, nodes), Edges.links(nodes, own + n + len(nodes))]
    base = np.concatenate([base, base[nodes], base[nodes]])
    layer = np.concatenate([layer, np.repeat(np.array([START, END], dtype=np.uint8), len(nodes))])
    return Edges.join(*parts), base, layer, destination, len(np.unique(edges.segment[enclaves]))


def _enclaves(edges: Edges, private: NDArray[np.bool_], n: int, threshold: int) -> NDArray[np.bool_]:
    """Return the open edges of the small pieces that touch a pocket."""
    is_open = ~private
    matrix = csr_array(
        (np.ones(int(is_open.sum()), dtype=np.int8), (edges.tail[is_open], edges.head[is_open])), shape=(n, n)
    )
    _, label = connected_components(matrix, directed=False)
    size = np.bincount(label)
    touching = np.zeros(len(size), dtype=bool)
    touching[label[edges.tail[private]]] = True
    touching[label[edges.head[private]]] = True
    taken = touching & (size < threshold) & (np.arange(len(size)) != int(size.argmax()))
    found: NDArray[np.bool_] = is_open & taken[label[edges.tail]]
    return found
