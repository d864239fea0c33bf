"""Compiled searches on a street graph: shortest times from many places at once, or from many places one by one.

Every search is a label-correcting Dijkstra over a ring of buckets (Dial 1969; delta-stepping of Meyer and Sanders 2003,
run sequentially): a node waits in the bucket ``time / width``, buckets are emptied in order, and a label that improves
inside the current bucket is run again. The width only changes the speed, never the result. Labels are float64 sums of
float32 weights, exact for weights of a street network, so results depend on no order of visit; equal times go to the
seed of smallest index.
"""

# Compiled loops share nothing but their arguments, and pay for calls.
# ruff: noqa: PLR0917, C901, PLR0912, PLR0915
from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bourg.access.compiled import Floats, Ints, Longs, Singles, compiled


@compiled
def _grown_ints(array: Ints) -> Ints:
    larger = np.empty(2 * len(array), dtype=np.int32)
    larger[: len(array)] = array
    return larger


@compiled
def _grown_floats(array: Floats) -> Floats:
    larger = np.empty(2 * len(array), dtype=np.float64)
    larger[: len(array)] = array
    return larger


@compiled
def _spread(
    indptr: Longs,
    heads: Ints,
    seconds: Singles,
    seeds_node: Ints,
    seeds_s: Singles,
    limit: float,
    width: float,
    slots: Ints,
    best: Floats,
    source: Ints,
    touched: Ints,
    pool_node: Ints,
    pool_next: Ints,
    pool_s: Floats,
) -> tuple[int, Ints, Ints, Ints, Floats]:
    """Fill ``best`` and ``source`` from the seeds; return how many nodes were touched, and the arrays that grew.

    ``best`` must be infinite everywhere and ``slots`` −1 on entry; ``slots`` is left so.
    """
    n_slots = len(slots)
    inverse = 1.0 / width
    n_touched, used, free, waiting = 0, 0, -1, 0
    first = np.inf
    for i in range(len(seeds_node)):
        if seeds_node[i] >= 0 and seeds_s[i] < first:
            first = np.float64(seeds_s[i])
    if not first <= limit:
        return 0, touched, pool_node, pool_next, pool_s
    # Seeds further than one turn of the ring wait in its last slot and are put back when they come up too early.
    current = np.int64(first * inverse)
    for i in range(len(seeds_node)):
        node = seeds_node[i]
        if node < 0 or not seeds_s[i] <= limit:
            continue
        time = np.float64(seeds_s[i])
        if time > best[node] or (time == best[node] and source[node] <= i):
            continue
        if best[node] == np.inf:
            if n_touched == len(touched):
                touched = _grown_ints(touched)
            touched[n_touched] = node
            n_touched += 1
        best[node] = time
        source[node] = i
        if used == len(pool_node):
            pool_node, pool_next, pool_s = _grown_ints(pool_node), _grown_ints(pool_next), _grown_floats(pool_s)
        bucket = min(np.int64(time * inverse), current + n_slots - 1)
        slot = bucket % n_slots
        pool_node[used] = node
        pool_s[used] = time
        pool_next[used] = slots[slot]
        slots[slot] = used
        used += 1
        waiting += 1
    while waiting > 0:
        slot = current % n_slots
        entry = slots[slot]
        if entry < 0:
            current += 1
            continue
        slots[slot] = pool_next[entry]
        node = pool_node[entry]
        time = pool_s[entry]
        bucket = np.int64(time * inverse)
        if bucket > current:
            slot = min(bucket, current + n_slots - 1) % n_slots
            pool_next[entry] = slots[slot]
            slots[slot] = entry
            continue
        pool_next[entry] = free
        free = entry
        waiting -= 1
        if time > best[node]:
            continue
        seed = source[node]
        for edge in range(indptr[node], indptr[node + 1]):
            there = time + np.float64(seconds[edge])
            head = heads[edge]
            known = best[head]
            if there > known or there > limit or (there == known and source[head] <= seed):
                continue
            if known == np.inf:
                if n_touched == len(touched):
                    touched = _grown_ints(touched)
                touched[n_touched] = head
                n_touched += 1
            best[head] = there
            source[head] = seed
            if free >= 0:
                entry = free
                free = pool_next[entry]
            else:
                if used == len(pool_node):
                    pool_node, pool_next = _grown_ints(pool_node), _grown_ints(pool_next)
                    pool_s = _grown_floats(pool_s)
                entry = used
                used += 1
            slot = np.int64(there * inverse) % n_slots
            pool_node[entry] = head
            pool_s[entry] = there
            pool_next[entry] = slots[slot]
            slots[slot] = entry
            waiting += 1
    return n_touched, touched, pool_node, pool_next, pool_s


@compiled
def nearest_kernel(
    indptr: Longs,
    heads: Ints,
    seconds: Singles,
    seeds_node: Ints,
    seeds_s: Singles,
    limit: float,
    width: float,
    n_slots: int,
) -> tuple[Floats, Ints]:
    """Search once from all seeds; return times (infinite: not reached) and seeds (−1) of every node."""
    n_nodes = len(indptr) - 1
    best = np.full(n_nodes, np.inf)
    source = np.full(n_nodes, -1, dtype=np.int32)
    size = len(seeds_node) + 1024
    _spread(
        indptr, heads, seconds, seeds_node, seeds_s, limit, width, np.full(n_slots, -1, dtype=np.int32), best, source,
        np.empty(n_nodes, dtype=np.int32), np.empty(size, dtype=np.int32), np.empty(size, dtype=np.int32),
        np.empty(size, dtype=np.float64),
    )  # fmt: skip
    return best, source


@compiled
def from_one_kernel(
    indptr: Longs,
    heads: Ints,
    seconds: Singles,
    seeds_node: Ints,
    seeds_s: Singles,
    limit: float,
    width: float,
    n_slots: int,
    best: Floats,
    source: Ints,
) -> tuple[Ints, Floats]:
    """Search within a limit; return the nodes reached, ascending, and their times; labels are cleaned."""
    touched = np.empty(1024, dtype=np.int32)
    count, touched, _, _, _ = _spread(
        indptr, heads, seconds, seeds_node, seeds_s, limit, width, np.full(n_slots, -1, dtype=np.int32), best, source,
        touched, np.empty(1024, dtype=np.int32), np.empty(1024, dtype=np.int32), np.empty(1024, dtype=np.float64),
    )  # fmt: skip
    nodes = np.sort(touched[:count])
    times = best[nodes]
    best[nodes] = np.inf
    source[nodes] = -1
    return nodes, times


@compiled
def matrix_kernel(
    indptr: Longs,
    heads: Ints,
    seconds: Singles,
    starts_node: NDArray[np.int32],
    starts_s: NDArray[np.float32],
    targets_first: Ints,
    targets_index: Ints,
    targets_s: Singles,
    direct_first: Longs,
    direct_index: Ints,
    direct_s: Floats,
    n_targets: int,
    limit: float,
    width: float,
    n_slots: int,
    best: Floats,
    source: Ints,
) -> tuple[Ints, Ints, Singles]:
    """Search from each start in turn; return row, target and seconds of the pairs within the limit."""
    rows, columns = np.empty(1024, dtype=np.int32), np.empty(1024, dtype=np.int32)
    times = np.empty(1024, dtype=np.float64)
    touched, found = np.empty(1024, dtype=np.int32), np.empty(n_targets, dtype=np.int32)
    reached = np.full(n_targets, np.inf)
    slots = np.full(n_slots, -1, dtype=np.int32)
    pool_node, pool_next = np.empty(1024, dtype=np.int32), np.empty(1024, dtype=np.int32)
    pool_s = np.empty(1024, dtype=np.float64)
    n_out = 0
    for row in range(len(starts_node)):
        count, touched, pool_node, pool_next, pool_s = _spread(
            indptr, heads, seconds, starts_node[row], starts_s[row], limit, width, slots, best, source, touched,
            pool_node, pool_next, pool_s,
        )  # fmt: skip
        n_found = 0
        for entry in range(direct_first[row], direct_first[row + 1]):
            target = direct_index[entry]
            if direct_s[entry] <= limit and direct_s[entry] < reached[target]:
                if reached[target] == np.inf:
                    found[n_found] = target
                    n_found += 1
                reached[target] = direct_s[entry]
        for i in range(count):
            node = touched[i]
            time = best[node]
            best[node] = np.inf
            source[node] = -1
            for entry in range(targets_first[node], targets_first[node + 1]):
                total = time + np.float64(targets_s[entry])
                target = targets_index[entry]
                if total <= limit and total < reached[target]:
                    if reached[target] == np.inf:
                        found[n_found] = target
                        n_found += 1
                    reached[target] = total
        found[:n_found].sort()
        while n_out + n_found > len(rows):
            rows, columns, times = _grown_ints(rows), _grown_ints(columns), _grown_floats(times)
        for i in range(n_found):
            rows[n_out] = row
            columns[n_out] = found[i]
            times[n_out] = reached[found[i]]
            reached[found[i]] = np.inf
            n_out += 1
    return rows[:n_out].copy(), columns[:n_out].copy(), times[:n_out].astype(np.float32)


@compiled
def reachable_kernel(indptr: Longs, heads: Ints, seeds_node: Ints) -> NDArray[np.bool_]:
    """Tell the nodes that some path leads to from the seeds."""
    n_nodes = len(indptr) - 1
    seen = np.zeros(n_nodes, dtype=np.bool_)
    stack = np.empty(n_nodes, dtype=np.int32)
    height = 0
    for node in seeds_node:
        if node >= 0 and not seen[node]:
            seen[node] = True
            stack[height] = node
            height += 1
    while height > 0:
        height -= 1
        node = stack[height]
        for edge in range(indptr[node], indptr[node + 1]):
            head = heads[edge]
            if not seen[head]:
                seen[head] = True
                stack[height] = head
                height += 1
    return seen
