"""Street networks made of nothing: towns in a grid, streets alone, and a graph as large as the country's.

They have the shapes of a real network, so that searches can be checked on cases whose answer is known and measured at
sizes for which no extract is at hand. Nothing here describes a real place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray

from bourg.access.network.graph import MODES, SNAP_OK, SNAP_TOO_FAR, Graph, Segments, Snapped

METRES_PER_DEGREE = 111_194.9266  # on a sphere of 6,371,008.8 m
SPEEDS_KMH: Mapping[str, float] = {"foot": 5.0, "bike": 15.0, "car": 40.0}


@dataclass(frozen=True)
class SyntheticNetwork:
    """A network held in memory, with the interface of an opened extract.

    Attributes
    ----------
    segments
        Its pieces of street.
    graphs
        One graph per mode.
    forward_s, backward_s
        Seconds to run each segment in each mode, infinite when not allowed.
    """

    segments: Segments
    graphs: Mapping[str, Graph]
    forward_s: Mapping[str, NDArray[np.float32]]
    backward_s: Mapping[str, NDArray[np.float32]]

    @property
    def bbox(self) -> tuple[float, float, float, float]:
        """West, south, east and north of the streets."""
        low, high = self.segments.coords.min(axis=0), self.segments.coords.max(axis=0)
        return float(low[0]), float(low[1]), float(high[0]), float(high[1])

    def graph(self, mode: str) -> Graph:
        """Return the graph of one mode."""
        return self.graphs[mode]

    def snap(self, points: NDArray[np.float64], mode: str, *, limit_m: float | None = None) -> Snapped:
        """Put points, shape ``(n, 2)``, on the nearest segment of the mode; the way to the street takes no time."""
        forward, backward = self.forward_s[mode], self.backward_s[mode]
        usable = np.flatnonzero(np.isfinite(forward) | np.isfinite(backward))
        n = len(points)
        scale = np.array([np.cos(np.radians(self.segments.coords[:, 1].mean())), 1.0]) * METRES_PER_DEGREE
        spans = [slice(self.segments.first[i], self.segments.first[i + 1]) for i in usable]
        lines = [shapely.LineString(self.segments.coords[span] * scale) for span in spans]
        where = shapely.points(points * scale)
        nearest = shapely.STRtree(lines).nearest(where)
        chosen = np.array(lines, dtype=object)[nearest]
        along = shapely.line_locate_point(chosen, where, normalized=True)
        place = shapely.get_coordinates(shapely.line_interpolate_point(chosen, along, normalized=True))
        distance = shapely.distance(where, shapely.points(place))
        ok = np.asarray(distance <= (np.inf if limit_m is None else limit_m))
        segment = np.where(ok, usable[nearest], -1).astype(np.int32)
        fraction = along.astype(np.float32)
        ahead, back = forward[segment], backward[segment]
        ends = self.segments.b[segment], self.segments.a[segment]
        leaving = _ends(ends, (_part(ahead, 1 - fraction), _part(back, fraction)), ok)
        coming = _ends(ends[::-1], (_part(ahead, fraction), _part(back, 1 - fraction)), ok)
        return Snapped(
            np.where(ok, SNAP_OK, SNAP_TOO_FAR).astype(np.uint8), segment, fraction,
            np.asarray(distance, dtype=np.float32),
            place[:, 0] / scale[0], place[:, 1] / scale[1], *leaving, *coming, ahead, back,
            np.zeros(n, dtype=np.float32),
        )  # fmt: skip


def _part(seconds: NDArray[np.float32], share: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.where(np.isfinite(seconds), np.where(np.isfinite(seconds), seconds, 0) * share, np.inf)


def _ends(
    nodes: tuple[NDArray[np.int32], ...], seconds: tuple[NDArray[np.float32], ...], ok: NDArray[np.bool_]
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    times = np.stack(seconds, axis=1).astype(np.float32)
    times[~ok] = np.inf
    return np.where(np.isfinite(times), np.stack(nodes, axis=1), -1).astype(np.int32), times


def street_network(
    places: ArrayLike,
    a: ArrayLike,
    b: ArrayLike,
    *,
    speeds_kmh: Mapping[str, float] = SPEEDS_KMH,
    forward: ArrayLike | None = None,
    backward: ArrayLike | None = None,
) -> SyntheticNetwork:
    """Make a network of straight segments.

    Parameters
    ----------
    places
        Longitude and latitude of the nodes, shape ``(n_nodes, 2)``.
    a, b
        Ends of the segments.
    speeds_kmh
        Speed of each mode.
    forward, backward
        Segments open from ``a`` to ``b`` and back to vehicles; all by default. Walkers go both ways.
    """
    where = np.asarray(places, dtype=np.float64)
    tail, head = np.asarray(a, dtype=np.int32), np.asarray(b, dtype=np.int32)
    cosine = np.cos(np.radians((where[tail, 1] + where[head, 1]) / 2))
    step = (where[head] - where[tail]) * np.stack([cosine, np.ones_like(cosine)], axis=1) * METRES_PER_DEGREE
    length = np.hypot(step[:, 0], step[:, 1]).astype(np.float32)
    everything = np.ones(len(tail), dtype=bool)
    opened = {"forward": everything if forward is None else np.asarray(forward, dtype=bool)}
    opened["backward"] = everything if backward is None else np.asarray(backward, dtype=bool)
    coords = np.stack([where[tail], where[head]], axis=1).reshape(-1, 2)
    first = np.arange(0, 2 * len(tail) + 1, 2, dtype=np.int64)
    segments = Segments(tail, head, length, coords, first, np.arange(len(tail), dtype=np.int64))
    times: dict[str, dict[str, NDArray[np.float32]]] = {"forward": {}, "backward": {}}
    graphs = {}
    for mode, speed in speeds_kmh.items():
        seconds = (length / np.float32(speed / 3.6)).astype(np.float32)
        for sense, allowed in opened.items():
            times[sense][mode] = np.where(everything if mode == "foot" else allowed, seconds, np.float32(np.inf))
        graphs[mode] = directed_graph(mode, where, (tail, head), times["forward"][mode], times["backward"][mode])
    return SyntheticNetwork(segments, graphs, times["forward"], times["backward"])


def directed_graph(
    mode: str,
    places: NDArray[np.float64],
    ends: tuple[NDArray[np.int32], NDArray[np.int32]],
    forward_s: NDArray[np.float32],
    backward_s: NDArray[np.float32],
) -> Graph:
    """Make the graph of one mode from segments and their times, infinite where the mode may not go."""
    a, b = ends
    tails, heads = np.concatenate([a, b]), np.concatenate([b, a])
    seconds = np.concatenate([forward_s, backward_s])
    segment = np.tile(np.arange(len(a), dtype=np.int32), 2)
    kept = np.flatnonzero(np.isfinite(seconds))
    kept = kept[np.argsort(tails[kept], kind="stable")]
    indptr = np.zeros(len(places) + 1, dtype=np.int64)
    np.cumsum(np.bincount(tails[kept], minlength=len(places)), out=indptr[1:])
    lon, lat = np.ascontiguousarray(places[:, 0]), np.ascontiguousarray(places[:, 1])
    base = np.arange(len(places), dtype=np.int32)
    return Graph(mode, indptr, heads[kept], seconds[kept], segment[kept], lon, lat, base)


def grid_network(
    columns: int,
    rows: int,
    *,
    step_m: float = 100.0,
    centre: tuple[float, float] = (2.5, 46.5),
    dropped: float = 0.0,
    one_way: float = 0.0,
    jitter: float = 0.0,
    seed: int = 0,
    speeds_kmh: Mapping[str, float] = SPEEDS_KMH,
) -> SyntheticNetwork:
    """Make a town in a grid; node ``row * columns + column``, from the south-west.

    Parameters
    ----------
    columns, rows
        Streets running north and east.
    step_m
        Side of a block.
    centre
        Longitude and latitude of the middle.
    dropped, one_way
        Shares of segments taken away, and closed in one sense to vehicles.
    jitter
        Largest move of a crossing, as a share of the side.
    seed
        Of the random draws.
    speeds_kmh
        Speed of each mode.
    """
    rng = np.random.default_rng(seed)
    index = np.arange(columns * rows, dtype=np.int32).reshape(rows, columns)
    a = np.concatenate([index[:, :-1].ravel(), index[:-1].ravel()])
    b = np.concatenate([index[:, 1:].ravel(), index[1:].ravel()])
    y, x = np.divmod(np.arange(columns * rows), columns)
    metres = np.stack([x - (columns - 1) / 2, y - (rows - 1) / 2], axis=1) * step_m
    metres += rng.uniform(-jitter, jitter, metres.shape) * step_m
    latitude = centre[1] + metres[:, 1] / METRES_PER_DEGREE
    longitude = centre[0] + metres[:, 0] / METRES_PER_DEGREE / np.cos(np.radians(latitude if jitter else centre[1]))
    kept = rng.random(len(a)) >= dropped
    a, b = a[kept], b[kept]
    closed = rng.random(len(a)) < one_way
    ahead = rng.random(len(a)) < 0.5
    return street_network(
        np.stack([longitude, latitude], axis=1), a, b,
        speeds_kmh=speeds_kmh, forward=~closed | ahead, backward=~closed | ~ahead,
    )  # fmt: skip


def national_graph(n_nodes: int, mode: str = "foot", *, seed: int = 0) -> Graph:
    """Make one graph of about ``n_nodes`` nodes, nearly all joined, as dense and as broken as the streets of a city.

    A third of the segments of a grid is taken away (2.6 edges leave a node), and times are log-normal with a median of
    45 s on foot: what a contracted extract of a city of 76,000 nodes has. Nodes are numbered tile by tile, as an
    extract sorted by place is.

    Parameters
    ----------
    n_nodes
        Wanted number of nodes; the next square is made.
    mode
        Its mode: the times follow the usual speed.
    seed
        Of the random draws.
    """
    if mode not in MODES:
        raise ValueError(mode)
    rng = np.random.default_rng(seed)
    side = int(np.ceil(np.sqrt(n_nodes)))
    tile = 32
    y, x = np.divmod(np.arange(side * side), side)
    # Numbered by tiles of 32 x 32: neighbours stay close in memory.
    order = np.lexsort((x, y, x // tile, y // tile))
    index = np.empty(side * side, dtype=np.int32)
    index[order] = np.arange(side * side, dtype=np.int32)
    square = index.reshape(side, side)
    a = np.concatenate([square[:, :-1].ravel(), square[:-1].ravel()])
    b = np.concatenate([square[:, 1:].ravel(), square[1:].ravel()])
    kept = rng.random(len(a)) >= 0.345
    a, b = a[kept], b[kept]
    seconds = rng.lognormal(np.log(45.0 * SPEEDS_KMH["foot"] / SPEEDS_KMH[mode]), 1.25, len(a)).astype(np.float32)
    step = 9.0 / side
    places = np.stack([-4.0 + x[order] * step, 42.5 + y[order] * step], axis=1)
    return directed_graph(mode, places, (a, b), seconds, seconds)
