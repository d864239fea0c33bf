"""Arrays of a street network: the shapes that every part of the access engine shares."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

MODES = ("foot", "bike", "car")
MODE_LABELS = {"foot": "à pied", "bike": "à vélo", "car": "en voiture"}
# Status of a point put on the network.
SNAP_OK, SNAP_TOO_FAR, SNAP_OUTSIDE = 0, 1, 2


@dataclass(frozen=True)
class Graph:
    """The directed graph of one mode, in compressed sparse rows; arrays may be memory-mapped and read-only.

    Attributes
    ----------
    mode
        ``foot``, ``bike`` or ``car``.
    indptr
        Shape ``(n_nodes + 1,)``: edges leaving node ``i`` are ``indptr[i]:indptr[i + 1]``.
    heads
        Shape ``(n_edges,)``: node where an edge arrives.
    seconds
        Shape ``(n_edges,)``: time to run it, finite and not negative.
    segment
        Shape ``(n_edges,)``: street segment it runs along, −1 for none.
    lon, lat
        Shape ``(n_nodes,)``, WGS84. Nodes added for turn restrictions and destination-only streets have the place of
        the node they stand for.
    base
        Shape ``(n_nodes,)``: node of the street segments that a node stands for.
    """

    mode: str
    indptr: NDArray[np.int64]
    heads: NDArray[np.int32]
    seconds: NDArray[np.float32]
    segment: NDArray[np.int32]
    lon: NDArray[np.float64]
    lat: NDArray[np.float64]
    base: NDArray[np.int32]

    @property
    def n_nodes(self) -> int:
        """Number of nodes."""
        return len(self.indptr) - 1

    @cached_property
    def reverse(self) -> Graph:
        """The same graph with every edge turned round: times *to* a place are times *from* it there."""
        tails = np.repeat(np.arange(self.n_nodes, dtype=np.int32), np.diff(self.indptr))
        order = np.argsort(self.heads, kind="stable")
        indptr = np.zeros(self.n_nodes + 1, dtype=np.int64)
        np.cumsum(np.bincount(self.heads, minlength=self.n_nodes), out=indptr[1:])
        return Graph(
            self.mode, indptr, tails[order], self.seconds[order], self.segment[order], self.lon, self.lat, self.base
        )


@dataclass(frozen=True)
class Segments:
    """Pieces of street between two base nodes, shared by the modes.

    Attributes
    ----------
    a, b
        Shape ``(n_segments,)``: base nodes at the two ends.
    length_m
        Shape ``(n_segments,)``: length along the street, metres.
    coords
        Shape ``(k, 2)``: longitude and latitude; the line of segment ``i``, from ``a`` to ``b``, is
        ``coords[first[i]:first[i + 1]]``.
    first
        Shape ``(n_segments + 1,)``.
    osm_way
        Shape ``(n_segments,)``: identifier of the OSM way.
    """

    a: NDArray[np.int32]
    b: NDArray[np.int32]
    length_m: NDArray[np.float32]
    coords: NDArray[np.float64]
    first: NDArray[np.int64]
    osm_way: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.a)


@dataclass(frozen=True)
class Snapped:
    """Points put on the network of one mode, at the nearest place of a segment that the mode may use.

    Attributes
    ----------
    status
        Shape ``(n_points,)``: :data:`SNAP_OK`, :data:`SNAP_TOO_FAR` or :data:`SNAP_OUTSIDE`.
    segment, fraction
        Segment (−1 unless ok) and place along it, 0 at ``a`` and 1 at ``b``.
    distance_m
        Straight distance from the point to that place, also given beyond the limit.
    lon, lat
        That place.
    departures_node, departures_s
        Shape ``(n_points, k)``: graph nodes reached when leaving the point (−1: none) and seconds to get there, the
        way from the point to the street included.
    arrivals_node, arrivals_s
        The same when coming to the point.
    forward_s, backward_s
        Seconds to run the whole segment from ``a`` to ``b`` and back, infinite when not allowed: for trips inside one
        segment.
    connect_s
        Seconds between the point and the street.
    """

    status: NDArray[np.uint8]
    segment: NDArray[np.int32]
    fraction: NDArray[np.float32]
    distance_m: NDArray[np.float32]
    lon: NDArray[np.float64]
    lat: NDArray[np.float64]
    departures_node: NDArray[np.int32]
    departures_s: NDArray[np.float32]
    arrivals_node: NDArray[np.int32]
    arrivals_s: NDArray[np.float32]
    forward_s: NDArray[np.float32]
    backward_s: NDArray[np.float32]
    connect_s: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.status)
