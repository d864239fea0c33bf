"""Turn restrictions: the node where one may not turn is split by the street one comes from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bourg.access.network.raw import Restriction

if TYPE_CHECKING:
    from bourg.access.network.contraction import Streets
    from bourg.access.network.modes import Edges


@dataclass(frozen=True)
class Turns:
    """Forbidden turns of a mode: for each base node and each street end one comes by, the ends one may not leave by.

    A street end is ``2 × segment + end``, end 0 being ``a`` and 1 ``b``.
    """

    forbidden: dict[tuple[int, int], frozenset[int]]

    @property
    def via(self) -> NDArray[np.int32]:
        """Base nodes concerned, sorted."""
        return np.array(sorted({node for node, _ in self.forbidden}), dtype=np.int32)


def find_turns(streets: Streets, restrictions: Sequence[Restriction], mode: str) -> Turns:
    """Return the forbidden turns of a mode over the segments; those whose streets are not in the extract are left."""
    wanted = [item for item in restrictions if mode in item.modes]
    if not wanted:
        return Turns({})
    node_order = np.argsort(streets.node_of, kind="stable")
    via_ids = np.array([item.via for item in wanted], dtype=np.int64)
    place = np.minimum(np.searchsorted(streets.node_of[node_order], via_ids), len(node_order) - 1)
    via = np.where(streets.node_of[node_order[place]] == via_ids, node_order[place], -1)
    ends = _ends(streets, np.unique(via[via >= 0]))
    found: dict[tuple[int, int], set[int]] = {}
    for item, node in zip(wanted, via.tolist(), strict=True):
        around = ends.get(node, [])
        coming = [end for end, way in around if way in item.from_ways]
        leaving = {end for end, way in around if way in item.to_ways}
        if not coming or not leaving:
            continue
        everywhere = {end for end, _ in around}
        for end in coming:
            if item.only:
                barred = everywhere - (leaving - {end} or leaving)
            elif item.from_ways == item.to_ways:
                barred = {end}
            else:
                barred = leaving - {end}
            found.setdefault((node, end), set()).update(barred)
    return Turns({key: frozenset(barred) for key, barred in sorted(found.items()) if barred})


def _ends(streets: Streets, nodes: NDArray[np.int64]) -> dict[int, list[tuple[int, int]]]:
    """Return, by node, the street ends that touch it with their OSM way."""
    found: dict[int, list[tuple[int, int]]] = {}
    for end, (at, way) in enumerate(((streets.segments.a, streets.way_a), (streets.segments.b, streets.way_b))):
        for segment in np.flatnonzero(np.isin(at, nodes)).tolist():
            found.setdefault(int(at[segment]), []).append((2 * segment + end, int(way[segment])))
    return found


def apply_restrictions(
    edges: Edges, base: NDArray[np.int32], layer: NDArray[np.uint8], n_base: int, turns: Turns
) -> tuple[Edges, NDArray[np.int32], NDArray[np.uint8], int]:
    """Add the copies of nodes that know where one comes from; return the graph and the number of copies.

    Every copy keeps the ways out that are allowed. Copies exist in each layer of the node and are linked like the
    originals, so that a destination-only street opens no way round a restriction.
    """
    if not turns.forbidden:
        return edges, base, layer, 0
    street = edges.direction < 2
    leaving = edges.segment.astype(np.int64) * 2 + (edges.direction == 1)
    arriving = edges.segment.astype(np.int64) * 2 + (edges.direction == 0)
    is_via = np.isin(base, turns.via)
    out_of = _group(edges.tail, is_via)
    nodes_of: dict[int, list[int]] = {}
    for node in np.flatnonzero(is_via).tolist():
        nodes_of.setdefault(int(base[node]), []).append(node)
    copies: dict[tuple[int, int], int] = {}
    places: list[int] = []
    arrives = {(int(edges.head[e]), int(arriving[e])) for e in np.flatnonzero(street & is_via[edges.head]).tolist()}
    for via, end in turns.forbidden:
        family = nodes_of.get(via, [])
        if any((node, end) in arrives for node in family):
            for node in family:
                copies[node, end] = len(base) + len(places)
                places.append(node)
    origin: list[int] = []
    tails: list[int] = []
    heads: list[int] = []
    for (node, end), copy in copies.items():
        barred = turns.forbidden[int(base[node]), end]
        for e in out_of.get(node, []):
            if street[e] and int(leaving[e]) in barred:
                continue
            origin.append(e)
            tails.append(copy)
            heads.append(int(edges.head[e]) if street[e] else copies.get((int(edges.head[e]), end), int(edges.head[e])))
    more = edges.select(np.array(origin, dtype=np.int64))
    more.tail = np.array(tails, dtype=np.int32)
    more.head = np.array(heads, dtype=np.int32)
    joined = type(edges).join(edges, more)
    arriving = joined.segment.astype(np.int64) * 2 + (joined.direction == 0)
    coming = np.flatnonzero((joined.direction < 2) & np.isin(joined.head, np.array(places, dtype=np.int32)))
    head = joined.head.copy()
    for e in coming.tolist():
        head[e] = copies.get((int(head[e]), int(arriving[e])), int(head[e]))
    joined.head = head
    base = np.concatenate([base, base[np.array(places, dtype=np.int64)]]).astype(np.int32)
    was = np.concatenate([np.zeros(n_base, dtype=np.uint8), layer])
    layer = np.concatenate([layer, was[np.array(places, dtype=np.int64)]])
    return joined, base, layer, len(places)


def _group(tail: NDArray[np.int32], wanted: NDArray[np.bool_]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for e in np.flatnonzero(wanted[tail]).tolist():
        found.setdefault(int(tail[e]), []).append(e)
    return found
