"""Travel times between places: the nearest facility of every point, and the table of pairs within a limit.

Times count the way from the point to the street, the street, and the way from the street to the facility. What is not
reached is told by a status, never by a large number.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Literal, cast

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bourg.access.network.graph import SNAP_OK, Graph, Snapped
from bourg.access.travel.points import NetworkLike, Places, Points, place
from bourg.access.travel.search import Search
from bourg.errors import ParameterError

Direction = Literal["to", "from"]
OK, BEYOND, UNREACHABLE, UNSNAPPED = "ok", "beyond", "unreachable", "unsnapped"
STATUSES = (OK, BEYOND, UNREACHABLE, UNSNAPPED)
STATUS_TYPE = pl.Enum(STATUSES)
# Trips that stay on one segment: origin, destination, seconds.
_Trips = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]
_NO_FACILITY = np.iinfo(np.int32).max


def limit_seconds(limit_min: float) -> float:
    """Return a limit in seconds; infinity means none.

    Raises
    ------
    ParameterError
        When it is zero, negative or not a number.
    """
    if not limit_min > 0:
        raise ParameterError(
            "La durée limite doit être supérieure à zéro.",
            where=f"limite : {limit_min} min",
            next_step="Donner un nombre de minutes positif, par exemple 30.",
        )
    return float(limit_min) * 60.0


def check_direction(direction: str) -> None:
    """Raise a :class:`ParameterError` unless ``direction`` is ``to`` or ``from``."""
    if direction not in ("to", "from"):
        raise ParameterError(f"Sens inconnu : {direction!r}.", next_step="Choisir « to » (vers) ou « from » (depuis).")


def nearest_nodes(
    graph: Graph, seeds_node: NDArray[np.int32], seeds_s: NDArray[np.float32], *, limit_s: float = np.inf
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Return the time of every node from its nearest seed, in one search.

    Parameters
    ----------
    graph
        Graph of a mode; its ``reverse`` for times towards the seeds.
    seeds_node, seeds_s
        Shape ``(n_seeds,)``: nodes (−1 is skipped) and seconds already spent.
    limit_s
        Seconds after which the search stops.

    Returns
    -------
    seconds, source
        Shape ``(n_nodes,)``: infinite beyond the limit or when no path exists; index of the seed, the smallest among
        equals, or −1.
    """
    best, source = Search(graph).nearest(seeds_node, seeds_s, limit_s)
    return best.astype(np.float32), source


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="bourg-access")


def _direct(origins: Snapped, destinations: Snapped) -> _Trips:
    """Return the trips that stay on one segment: origin, destination, seconds; sorted by origin."""
    usable = np.flatnonzero(destinations.status == SNAP_OK)
    usable = usable[np.argsort(destinations.segment[usable], kind="stable")]
    segment = destinations.segment[usable]
    low = np.searchsorted(segment, origins.segment, side="left")
    counts = np.where(origins.status == SNAP_OK, np.searchsorted(segment, origins.segment, side="right") - low, 0)
    origin = np.repeat(np.arange(len(origins)), counts)
    rank = np.arange(len(origin)) - np.repeat(np.cumsum(counts) - counts, counts)
    destination = usable[np.repeat(low, counts) + rank]
    ahead = destinations.fraction[destination].astype(np.float64) - origins.fraction[origin]
    whole = np.where(ahead >= 0, origins.forward_s[origin], origins.backward_s[origin]).astype(np.float64)
    # Two points at the same place of the street need not run it, in any sense.
    share = np.abs(ahead)
    run = np.where(share > 0, np.where(np.isfinite(whole), whole, 0.0) * share, 0.0)
    run[(share > 0) & ~np.isfinite(whole)] = np.inf
    seconds = run + origins.connect_s[origin] + destinations.connect_s[destination]
    kept = np.isfinite(seconds)
    return origin[kept], destination[kept], seconds[kept]


@dataclass(frozen=True)
class _Run:
    """The search of one kind of facility: seeds of the facilities, ends of the origins."""

    search: Search
    seeds_node: NDArray[np.int32]
    seeds_s: NDArray[np.float32]
    ends_node: NDArray[np.int32]
    ends_s: NDArray[np.float32]
    limit: float

    def best(self, rows: NDArray[np.int64], direct: _Trips) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return the time of every origin to a facility of ``rows`` and which one (no facility: the largest int)."""
        width = self.seeds_node.shape[1]
        nodes, spent = self.seeds_node[rows].ravel(), self.seeds_s[rows].ravel()
        times, source = self.search.nearest(nodes, spent, self.limit)
        there = np.where(self.ends_node >= 0, times[self.ends_node] + self.ends_s, np.inf)
        seconds = there.min(axis=1, initial=np.inf)
        tied = np.isfinite(there) & (there == seconds[:, None])
        # Rows ascend, so the smallest seed is the smallest facility too.
        chosen = np.where(tied, rows[source[self.ends_node] // width] if len(rows) else _NO_FACILITY, _NO_FACILITY)
        facility = chosen.min(axis=1, initial=_NO_FACILITY).astype(np.int64)
        origin, destination, direct_s = direct
        mine = np.isin(destination, rows)
        order = np.lexsort((destination[mine], direct_s[mine], origin[mine]))
        origin, destination, direct_s = origin[mine][order], destination[mine][order], direct_s[mine][order]
        lead = np.flatnonzero(np.diff(origin, prepend=-1))
        origin, destination, direct_s = origin[lead], destination[lead], direct_s[lead]
        better = (direct_s < seconds[origin]) | ((direct_s == seconds[origin]) & (destination < facility[origin]))
        seconds[origin[better]], facility[origin[better]] = direct_s[better], destination[better]
        return seconds, facility

    def reaches(self, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Tell the origins joined to a facility of ``rows`` by some path, however long."""
        seen = self.search.reachable(self.seeds_node[rows].ravel())
        return cast("NDArray[np.bool_]", (seen[self.ends_node] & (self.ends_node >= 0)).any(axis=1))


def nearest_by_kind(
    network: NetworkLike,
    origins: Points,
    destinations: Points,
    mode: str,
    *,
    limit_min: float,
    direction: Direction = "to",
    by: str = "kind",
    kinds: Sequence[str] | None = None,
    settle_unreachable: bool = True,
) -> pl.DataFrame:
    """Return the nearest facility of each kind for every origin.

    Parameters
    ----------
    network, mode
        Network and mode.
    origins, destinations
        Points, tables or places (see :func:`place`); facilities have a column ``by``.
    limit_min
        Longest trip, minutes; infinity for none.
    direction
        ``to``: from the origin to the facility; ``from``: from the facility to the origin.
    by
        Column of the kinds.
    kinds
        Kinds to answer for, also when no facility has them; those of the facilities by default, sorted.
    settle_unreachable
        Look for paths of any length before writing ``unreachable``. Without it, everything not reached is ``beyond``:
        the only sound answer on a part of a network.

    Returns
    -------
    polars.DataFrame
        ``origin``, ``kind``, ``facility``, ``minutes`` (null unless ok) and ``status``, by kind then origin: ``ok``;
        ``beyond``, a path exists but takes longer than the limit; ``unreachable``, no path at all, or no facility;
        ``unsnapped``, the origin is too far from any street.

    Raises
    ------
    ParameterError
        Bad limit, mode, direction or columns.
    """
    starts = place(network, origins, mode)
    ends = place(network, destinations, mode, by=by)
    if ends.kinds is None:
        raise ParameterError("Les équipements n'ont pas de type.", where=f"colonne {by}")
    named = [str(kind) for kind in ends.kinds.unique().drop_nulls().sort()] if kinds is None else list(kinds)
    text = ends.kinds.cast(pl.String)
    groups = [(text == kind).fill_null(value=False).to_numpy() for kind in named]
    found = _nearest(network, starts, ends, groups, limit_min=limit_min, direction=direction, settle=settle_unreachable)
    tables = [
        frame.select("origin", pl.lit(kind, dtype=pl.String).alias("kind"), "facility", "minutes", "status")
        for kind, frame in zip(named, found, strict=True)
    ]
    if tables:
        return pl.concat(tables)
    schema: dict[str, pl.DataType] = {
        "origin": starts.ids.dtype,
        "kind": pl.String(),
        "facility": ends.ids.dtype,
        "minutes": pl.Float64(),
    }
    return pl.DataFrame(schema={**schema, "status": STATUS_TYPE})


def nearest(
    network: NetworkLike,
    origins: Points,
    destinations: Points,
    mode: str,
    *,
    limit_min: float,
    direction: Direction = "to",
    by: str | None = None,
    settle_unreachable: bool = True,
) -> pl.DataFrame:
    """Return the nearest facility of every origin: ``origin``, ``facility``, ``minutes``, ``status``.

    One search answers for all origins. Arguments, statuses and errors are those of :func:`nearest_by_kind`, which
    answers when ``by`` is given; the smallest row wins among facilities at equal times.
    """
    if by is not None:
        return nearest_by_kind(
            network, origins, destinations, mode,
            limit_min=limit_min, direction=direction, by=by, settle_unreachable=settle_unreachable,
        )  # fmt: skip
    starts, ends = place(network, origins, mode), place(network, destinations, mode)
    everything = [np.ones(len(ends), dtype=bool)]
    return _nearest(
        network, starts, ends, everything, limit_min=limit_min, direction=direction, settle=settle_unreachable
    )[0]


def _nearest(
    network: NetworkLike,
    starts: Places,
    ends: Places,
    groups: list[NDArray[np.bool_]],
    *,
    limit_min: float,
    direction: str,
    settle: bool,
) -> list[pl.DataFrame]:
    limit = limit_seconds(limit_min)
    check_direction(direction)
    graph = network.graph(starts.mode)
    one, other = starts.snapped, ends.snapped
    if direction == "to":
        run = _Run(
            Search(graph.reverse), other.arrivals_node, other.arrivals_s, one.departures_node, one.departures_s, limit
        )
        direct = _direct(one, other)
    else:
        run = _Run(Search(graph), other.departures_node, other.departures_s, one.arrivals_node, one.arrivals_s, limit)
        destination, origin, seconds = _direct(other, one)
        direct = (origin, destination, seconds)
    snapped = one.status == SNAP_OK

    def table(group: NDArray[np.bool_]) -> pl.DataFrame:
        rows = np.flatnonzero(group & (other.status == SNAP_OK))
        seconds, facility = run.best(rows, direct)
        ok = snapped & (seconds <= limit)
        status = np.where(ok, 0, np.where(snapped, 1, 3))
        if settle and (snapped & ~ok).any():
            reached = run.reaches(rows)
            reached[direct[0][np.isin(direct[1], rows)]] = True
            status[snapped & ~ok & ~reached] = 2
        kept = pl.Series(ok)
        index = pl.Series(np.where(ok, facility, 0)).set(~kept, None)
        minutes = pl.Series(np.where(ok, seconds, 0).astype(np.float32).astype(np.float64) / 60).set(~kept, None)
        return pl.DataFrame(
            {
                "origin": starts.ids,
                "facility": ends.ids.gather(index) if len(ends) else pl.Series([None] * len(ok), dtype=ends.ids.dtype),
                "minutes": minutes,
                "status": pl.Series(STATUSES, dtype=STATUS_TYPE).gather(status),
            }
        )

    return list(_threads().map(table, groups)) if len(groups) > 1 else [table(group) for group in groups]


def matrix(network: NetworkLike, origins: Points, destinations: Points, mode: str, *, limit_min: float) -> pl.DataFrame:
    """Return the times of all pairs within a limit, and only them: ``origin``, ``destination``, ``minutes``.

    Searches run from the side that has fewer points, on all processors; their cost follows the limit, not the size of
    the network. Rows are sorted as the points are.

    Parameters
    ----------
    network, mode
        Network and mode.
    origins, destinations
        Points, tables or places (see :func:`place`).
    limit_min
        Longest trip, minutes; infinity for every pair joined by a path.

    Raises
    ------
    ParameterError
        Bad limit, mode or columns.
    """
    starts, ends = place(network, origins, mode), place(network, destinations, mode)
    row, column, seconds = matrix_arrays(network.graph(mode), starts.snapped, ends.snapped, limit_seconds(limit_min))
    minutes = seconds.astype(np.float64) / 60
    return pl.DataFrame({"origin": starts.ids[row], "destination": ends.ids[column], "minutes": minutes})


def matrix_arrays(
    graph: Graph, origins: Snapped, destinations: Snapped, limit_s: float
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """Return the sparse matrix as arrays: row, column, seconds; sorted by row then column."""
    direct = _direct(origins, destinations)
    if len(origins) <= len(destinations):
        starts = (origins.departures_node, origins.departures_s)
        return _pairs(Search(graph), starts, (destinations.arrivals_node, destinations.arrivals_s), direct, limit_s)
    starts = (destinations.arrivals_node, destinations.arrivals_s)
    turned = (direct[1], direct[0], direct[2])
    column, row, seconds = _pairs(
        Search(graph.reverse), starts, (origins.departures_node, origins.departures_s), turned, limit_s
    )
    order = np.lexsort((column, row))
    return row[order], column[order], seconds[order]


def _pairs(
    search: Search,
    starts: tuple[NDArray[np.int32], NDArray[np.float32]],
    targets: tuple[NDArray[np.int32], NDArray[np.float32]],
    direct: _Trips,
    limit: float,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    n_starts, n_targets = len(starts[0]), len(targets[0])
    nodes = targets[0].ravel()
    kept = np.flatnonzero(nodes >= 0)
    kept = kept[np.argsort(nodes[kept], kind="stable")]
    first = np.zeros(search.n_nodes + 1, dtype=np.int32)
    np.cumsum(np.bincount(nodes[kept], minlength=search.n_nodes), out=first[1:])
    entries = (first, (kept // max(1, targets[0].shape[1])).astype(np.int32), targets[1].ravel()[kept])
    by_start = np.argsort(direct[0], kind="stable")
    bounds = np.searchsorted(direct[0][by_start], np.arange(n_starts + 1))
    index, seconds = direct[1][by_start].astype(np.int32), direct[2][by_start]

    def chunk(span: tuple[int, int]) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]:
        low, high = span
        some = (starts[0][low:high], starts[1][low:high])
        row, column, times = search.pairs(some, entries, (bounds[low : high + 1], index, seconds), n_targets, limit)
        return row.astype(np.int64) + low, column, times

    size = max(1, -(-n_starts // (4 * (os.cpu_count() or 1))))
    spans = [(low, min(low + size, n_starts)) for low in range(0, n_starts, size)]
    parts = list(_threads().map(chunk, spans)) if len(spans) > 1 else [chunk(span) for span in spans]
    if not parts:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32)
    row, column, times = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return row.astype(np.int64), column.astype(np.int64), times.astype(np.float32)
