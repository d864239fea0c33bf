"""From lines over shared nodes to segments between junctions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bourg.access.network.graph import Segments
from bourg.access.network.raw import UNITS_PER_DEGREE, RawStreets
from bourg.access.network.rules import NodeRules, WayRules, judge_node
from bourg.access.projection import steps_m


@dataclass(frozen=True)
class Streets:
    """Segments with what the rules of each mode need; arrays by segment unless said.

    Attributes
    ----------
    segments
        The shared geometry.
    lon, lat
        Shape ``(n_base,)``: base nodes.
    profile
        Set of tags.
    way_a, way_b
        OSM way at the two ends: they differ when ways of the same kind were joined.
    way_length_m
        Length of the whole line that the segment is part of when its time is declared, else 0.
    urban
        Whether it lies in a built-up area: not known yet by :func:`contract`.
    node_rules
        Signals and barriers by base node.
    node_of
        OSM node of each base node, shape ``(n_base,)``.
    """

    segments: Segments
    lon: NDArray[np.float64]
    lat: NDArray[np.float64]
    profile: NDArray[np.int32]
    way_a: NDArray[np.int64]
    way_b: NDArray[np.int64]
    way_length_m: NDArray[np.float32]
    urban: NDArray[np.bool_]
    node_rules: dict[int, NodeRules]
    node_of: NDArray[np.int64]


def contract(raw: RawStreets, rules: WayRules) -> Streets:
    """Cut lines at junctions, join them where nothing happens, number nodes and segments by place.

    A node is a junction when lines meet or end there, or when it carries a signal, a barrier or a turn restriction.
    Two lines with the same rules that follow each other at a node that nothing else touches become one segment.
    """
    special = _special(raw)
    start, end, line = _pieces(raw, special)
    a, b = raw.nodes[start], raw.nodes[end]
    root, rank = _chains(a, b, raw.profile[line], special, np.isnan(rules.duration_s))
    node_number, node_order = _number_nodes(raw, np.concatenate([a, b])[_chain_ends(root, rank)])

    order = np.lexsort((rank, root))
    heads = np.flatnonzero(rank[order] == 0)
    tails = np.append(heads[1:], len(order)) - 1
    seg_a, seg_b = node_number[a[order[heads]]], node_number[b[order[tails]]]
    by_place = np.lexsort((start[order[heads]], seg_b, seg_a))
    pieces_of = np.diff(np.append(heads, len(order)))
    order = order[_spread(heads[by_place], pieces_of[by_place])]
    heads, tails, seg_a, seg_b = heads[by_place], tails[by_place], seg_a[by_place], seg_b[by_place]
    counts = pieces_of[by_place]

    first_piece = np.zeros(len(counts) + 1, dtype=np.int64)
    np.cumsum(counts, out=first_piece[1:])
    is_first = np.zeros(len(order), dtype=bool)
    is_first[first_piece[:-1]] = True
    begin = start[order] + ~is_first
    sizes = end[order] - begin + 1
    nodes = raw.nodes[_spread(begin, sizes)]
    coords = np.empty((len(nodes), 2))
    coords[:, 0] = raw.x[nodes] / UNITS_PER_DEGREE
    coords[:, 1] = raw.y[nodes] / UNITS_PER_DEGREE
    first = np.zeros(len(counts) + 1, dtype=np.int64)
    np.cumsum(np.add.reduceat(sizes, first_piece[:-1]) if len(sizes) else sizes, out=first[1:])
    way_a, way_b = raw.way_id[line[order[first_piece[:-1]]]], raw.way_id[line[order[first_piece[1:] - 1]]]
    segments = Segments(
        a=seg_a.astype(np.int32),
        b=seg_b.astype(np.int32),
        length_m=_lengths(coords, first).astype(np.float32),
        coords=coords,
        first=first,
        osm_way=way_a,
    )
    lon, lat = raw.x[node_order] / UNITS_PER_DEGREE, raw.y[node_order] / UNITS_PER_DEGREE
    profile = raw.profile[line[order[first_piece[:-1]]]]
    line_lengths = _line_lengths(raw, ~np.isnan(rules.duration_s))
    return Streets(
        segments=segments,
        lon=lon,
        lat=lat,
        profile=profile,
        way_a=way_a,
        way_b=way_b,
        way_length_m=line_lengths[line[order[first_piece[:-1]]]].astype(np.float32),
        urban=np.zeros(len(segments), dtype=bool),
        node_rules={
            int(node_number[node]): found for node, found in special.items() if found and node_number[node] >= 0
        },
        node_of=raw.node_id[node_order],
    )


def _spread(begin: NDArray[np.int64], sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return ``begin[0], begin[0] + 1, …`` (``sizes[0]`` numbers), then those of ``begin[1]``, and so on."""
    total = int(sizes.sum())
    offsets = np.repeat(begin - (np.cumsum(sizes) - sizes), sizes)
    found: NDArray[np.int64] = np.arange(total, dtype=np.int64) + offsets
    return found


def _special(raw: RawStreets) -> dict[int, NodeRules | None]:
    """Return the nodes that must stay junctions, with their rules."""
    found: dict[int, NodeRules | None] = {}
    via = np.array(sorted({item.via for item in raw.restrictions}), dtype=np.int64)
    for place in np.flatnonzero(np.isin(raw.node_id, via)).tolist():
        found[place] = None
    for node, tags in raw.tagged:
        judged = judge_node(tags)
        if judged is not None:
            found[node] = judged
    return found


def _keys(nodes: Iterable[int]) -> NDArray[np.int64]:
    return np.fromiter(nodes, dtype=np.int64)


def _pieces(
    raw: RawStreets, special: dict[int, NodeRules | None]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Cut lines at junctions; return the positions of the two ends of each piece, and its line."""
    n = len(raw.node_id)
    junction = np.bincount(raw.nodes, minlength=n) > 1
    junction[raw.nodes[raw.first[:-1]]] = True
    junction[raw.nodes[raw.first[1:] - 1]] = True
    junction[_keys(special)] = True
    places = np.flatnonzero(junction[raw.nodes])
    line = np.searchsorted(raw.first, places, side="right") - 1
    same = line[1:] == line[:-1]
    return places[:-1][same], places[1:][same], line[:-1][same]


def _chains(
    a: NDArray[np.int32],
    b: NDArray[np.int32],
    profile: NDArray[np.int32],
    special: dict[int, NodeRules | None],
    joinable: NDArray[np.bool_],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Group pieces that follow each other without anything between; return the first piece and the rank in the group.

    The heads are found by doubling: each round, a piece looks twice as far back.
    """
    n_pieces = len(a)
    n = int(max(a.max(), b.max())) + 1
    through = (np.bincount(a, minlength=n) == 1) & (np.bincount(b, minlength=n) == 1)
    keys = _keys(special)
    through[keys[keys < n]] = False
    ending = np.full(n, -1, dtype=np.int64)
    ending[b] = np.arange(n_pieces)
    before = np.where(through[a], ending[a], -1)
    before[(before >= 0) & (profile[before] != profile)] = -1
    before[~joinable[profile]] = -1
    before[before == np.arange(n_pieces)] = -1
    root, rank = _double(before)
    endless = before[root] >= 0
    if endless.any():
        # Rings without any junction: they open at their first piece.
        members = np.flatnonzero(endless)
        ring = before.copy()
        smallest = members.copy()
        place = np.full(n_pieces, -1, dtype=np.int64)
        place[members] = np.arange(len(members))
        step = ring[members]
        for _ in range(int(np.ceil(np.log2(len(members) + 1))) + 1):
            smallest = np.minimum(smallest, smallest[place[step]])
            step = step[place[step]]
        before[np.unique(smallest)] = -1
        root, rank = _double(before)
    return root, rank


def _double(before: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    own = np.arange(len(before), dtype=np.int64)
    jump = np.where(before >= 0, before, own)
    rank = (before >= 0).astype(np.int64)
    for _ in range(int(np.ceil(np.log2(len(before) + 1))) + 1):
        further = jump[jump]
        if np.array_equal(further, jump):
            break
        rank = rank + rank[jump]
        jump = further
    return jump, rank


def _chain_ends(root: NDArray[np.int64], rank: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the positions, in ``a`` followed by ``b``, of the two ends of each chain."""
    n = len(root)
    longest = np.zeros(n, dtype=np.int64)
    np.maximum.at(longest, root, rank)
    return np.concatenate([np.flatnonzero(rank == 0), n + np.flatnonzero(rank == longest[root])])


def _number_nodes(raw: RawStreets, used: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Give numbers to nodes along a Z curve, so that neighbours are near in memory; −1 for those that vanish."""
    nodes = np.unique(used).astype(np.int64)
    x, y = raw.x[nodes].astype(np.int64), raw.y[nodes].astype(np.int64)
    span = max(int(np.ptp(x)), int(np.ptp(y)), 1)
    code = _interleave((x - x.min()) * 65535 // span) | _interleave((y - y.min()) * 65535 // span) << np.uint64(1)
    order = nodes[np.lexsort((raw.node_id[nodes], code))]
    number = np.full(len(raw.node_id), -1, dtype=np.int32)
    number[order] = np.arange(len(order), dtype=np.int32)
    return number, order


def _interleave(values: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Put a zero between the bits of 16-bit numbers."""
    v = values.astype(np.uint64)
    for shift, mask in ((8, 0x00FF00FF), (4, 0x0F0F0F0F), (2, 0x33333333), (1, 0x55555555)):
        v = (v | v << np.uint64(shift)) & np.uint64(mask)
    return v


def _lengths(coords: NDArray[np.float64], first: NDArray[np.int64]) -> NDArray[np.float64]:
    if len(coords) == 0:
        return np.zeros(0)
    total = np.zeros(len(coords))
    total[1:] = steps_m(coords[:, 0], coords[:, 1])
    np.cumsum(total, out=total)
    lengths: NDArray[np.float64] = total[first[1:] - 1] - total[first[:-1]]
    return lengths


def _line_lengths(raw: RawStreets, declared: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the length of the lines whose set of tags declares a time (ferries), 0 for the others."""
    lengths = np.zeros(len(raw.way_id))
    for line in np.flatnonzero(declared[raw.profile]).tolist():
        nodes = raw.nodes[raw.first[line] : raw.first[line + 1]]
        lengths[line] = steps_m(raw.x[nodes] / UNITS_PER_DEGREE, raw.y[nodes] / UNITS_PER_DEGREE).sum()
    return lengths
