"""Points put on the network: the nearest place of a segment that a mode may use, and the ways out of it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from bourg.access.network.errors import SwappedCoordinatesError
from bourg.access.network.graph import SNAP_OK, SNAP_OUTSIDE, SNAP_TOO_FAR, Segments, Snapped
from bourg.access.network.grid import StreetGrid
from bourg.access.network.modes import ModeNetwork
from bourg.access.network.settings import rule
from bourg.access.network.snapping_kernels import Edges, Ends, Placed, nearest_pieces, ways_in, ways_out
from bourg.access.projection import METRES_PER_DEGREE
from bourg.errors import ParameterError

_FEW = 16


def snap_points(
    segments: Segments,
    grid: StreetGrid,
    mode: ModeNetwork,
    bbox: tuple[float, float, float, float],
    *,
    points: NDArray[np.float64],
    limit_m: float | None,
) -> Snapped:
    """Put points on the network of a mode; see :meth:`bourg.access.network.store.Network.snap`."""
    settings = rule("snapping")
    limit = float(settings["limit_m"][mode.graph.mode] if limit_m is None else limit_m)
    if not limit > 0:
        raise ParameterError("La distance de rattachement doit être positive.", where=f"limit_m = {limit_m}")
    places = np.ascontiguousarray(points, dtype=np.float64)
    if places.size == 0:
        places = places.reshape(0, 2)
    if places.ndim != 2 or places.shape[1] != 2:
        raise ParameterError(
            "Les points se donnent en deux colonnes, longitude puis latitude.", where=f"forme {places.shape}"
        )
    _check_order(places, bbox)
    known = np.isfinite(places).all(axis=1) & (np.abs(places[:, 0]) <= 180) & (np.abs(places[:, 1]) <= 90)
    segment = np.full(len(places), -1, dtype=np.int32)
    distance = np.full(len(places), np.inf)
    fraction, lon, lat = np.zeros(len(places)), places[:, 0].copy(), places[:, 1].copy()
    if known.any():
        found = nearest_pieces(
            places[known],
            segments.coords,
            segments.first,
            mode.flags,
            grid.keys,
            grid.first,
            grid.piece,
            grid.segment,
            grid.step_lon,
            grid.step_lat,
            limit,
        )
        segment[known], fraction[known], distance[known], lon[known], lat[known] = found
    ok = segment >= 0
    far = known & ~ok
    distance[far] = _far_distance(segments, mode, places[far])
    inside = _inside(places, bbox) & known
    status = np.where(ok, SNAP_OK, np.where(inside, SNAP_TOO_FAR, SNAP_OUTSIDE)).astype(np.uint8)
    return _connect(
        segments,
        mode,
        status=status,
        segment=segment,
        fraction=fraction,
        distance=distance,
        lon=lon,
        lat=lat,
        connect_kmh=float(settings["connect_kmh"][mode.graph.mode]),
    )


def _connect(
    segments: Segments,
    mode: ModeNetwork,
    *,
    status: NDArray[np.uint8],
    segment: NDArray[np.int32],
    fraction: NDArray[np.float64],
    distance: NDArray[np.float64],
    lon: NDArray[np.float64],
    lat: NDArray[np.float64],
    connect_kmh: float,
) -> Snapped:
    """Add the seconds to the nodes at the ends of the segments, following one-way and destination-only streets."""
    n = len(segment)
    connect = (distance / (connect_kmh / 3.6)).astype(np.float32)
    ok = status == SNAP_OK
    run = np.full((n, 2), np.inf, dtype=np.float32)
    run[ok] = mode.run_s[segment[ok]]
    ends = Ends(segments.a, segments.b, mode.flags)
    placed = Placed(segment, fraction, connect.astype(np.float64), run.astype(np.float64))
    edges = _edges(mode)
    out_node, out_s = ways_out(ends, placed, edges)
    in_node, in_s = ways_in(ends, placed, edges)
    return Snapped(
        status=status,
        segment=segment,
        fraction=fraction.astype(np.float32),
        distance_m=distance.astype(np.float32),
        lon=lon,
        lat=lat,
        departures_node=out_node,
        departures_s=out_s,
        arrivals_node=in_node,
        arrivals_s=in_s,
        forward_s=run[:, 0],
        backward_s=run[:, 1],
        connect_s=connect,
    )


def _edges(mode: ModeNetwork) -> Edges:
    graph = mode.graph
    n_base = len(graph.base) - len(mode.layer)
    extra = np.asarray(graph.base[n_base:])
    order = np.argsort(extra, kind="stable")
    copies = extra[order], (order + n_base).astype(np.int32), np.asarray(mode.layer)[order]
    return Edges(graph.indptr, graph.heads, graph.seconds, graph.segment, mode.direction, *copies)


def _inside(points: NDArray[np.float64], bbox: tuple[float, float, float, float]) -> NDArray[np.bool_]:
    west, south, east, north = bbox
    x, y = points[:, 0], points[:, 1]
    found: NDArray[np.bool_] = (x >= west) & (x <= east) & (y >= south) & (y <= north)
    return found


def _check_order(points: NDArray[np.float64], bbox: tuple[float, float, float, float]) -> None:
    outside = ~_inside(points, bbox)
    swapped = outside & _inside(points[:, ::-1], bbox)
    if swapped.any() and swapped.sum() * 2 >= len(points):
        x, y = points[int(np.flatnonzero(swapped)[0])]
        raise SwappedCoordinatesError(
            "Longitude et latitude sont sans doute inversées.",
            where=f"longitude {x:g}, latitude {y:g}".replace(".", ","),
            why="Ces points sont hors du réseau, et y seraient si l'on échangeait leurs deux coordonnées.",
            next_step="Donnez la longitude d'abord, puis la latitude.",
        )


def _far_distance(segments: Segments, mode: ModeNetwork, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the distance from far points to the nearest end of a segment that the mode may use, metres."""
    if len(points) == 0:
        return np.zeros(0)
    usable = np.flatnonzero(np.asarray(mode.flags) & 1)
    if len(usable) == 0:
        return np.full(len(points), np.inf)
    ends = np.concatenate([segments.first[:-1][usable], segments.first[1:][usable] - 1])
    streets = _sphere(segments.coords[ends])
    wanted = _sphere(points)
    if len(points) <= _FEW:
        chord = np.array([np.sqrt(((streets - point) ** 2).sum(axis=1).min()) for point in wanted])
    else:
        chord = cKDTree(streets).query(wanted)[0]
    angle: NDArray[np.float64] = 2 * np.arcsin(np.minimum(chord / 2, 1))
    return np.degrees(angle) * METRES_PER_DEGREE


def _sphere(points: NDArray[np.float64]) -> NDArray[np.float64]:
    lon, lat = np.radians(points[:, 0]), np.radians(points[:, 1])
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=1)
