"""Travel times piece by piece: areas with a buffer, on the processors of one machine or on a Dask cluster.

An area needs only the streets that a trip within the limit can touch: those within ``limit x top speed`` of its points,
the top speed being that of the fastest edge of the graph, in a straight line. Within the limit the pieces then give the
numbers of a single run, to the bit. What is beyond the limit is settled once, on the whole graph.
"""

from __future__ import annotations

import importlib
import multiprocessing
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol, TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bourg.access.network.graph import Graph, Segments, Snapped
from bourg.access.travel.points import NetworkLike, Places, place
from bourg.access.travel.search import Search
from bourg.access.travel.times import (
    BEYOND,
    STATUS_TYPE,
    UNREACHABLE,
    Direction,
    check_direction,
    limit_seconds,
    nearest_by_kind,
)
from bourg.errors import ParameterError, SourceUnavailableError
from bourg.processes import no_main_script

METRES_PER_DEGREE = 111_194.9266
_Area = TypeVar("_Area")
_Result = TypeVar("_Result")
Bounds = tuple[float, float, float, float]
_ROW, _ONLY = "_row", "all"


class DaskClient(Protocol):
    """What is asked of a Dask client."""

    def map(self, function: Callable[..., object], values: Sequence[object], *, pure: bool) -> Sequence[object]:
        """Start the work of every value."""

    def gather(self, futures: Sequence[object]) -> Sequence[Any]:
        """Return the results in order."""


def top_speed(graph: Graph) -> float:
    """Return the speed, metres a second, of the edge that goes furthest in a straight line for its time.

    Infinite when some edge takes no time: no buffer is then large enough.
    """
    tails = np.repeat(np.arange(graph.n_nodes), np.diff(graph.indptr))
    heads = np.asarray(graph.heads)
    apart = _metres(graph.lon[tails], graph.lat[tails], graph.lon[heads], graph.lat[heads])
    seconds = np.asarray(graph.seconds, dtype=np.float64)
    moving = apart > 0
    if (seconds[moving] == 0).any():
        return float(np.inf)
    return float((apart[moving] / seconds[moving]).max(initial=0.0))


def _metres(
    lon: NDArray[np.float64], lat: NDArray[np.float64], other_lon: NDArray[np.float64], other_lat: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Great-circle distance (haversine), metres."""
    a, b = np.radians(lat), np.radians(other_lat)
    half = np.sin((b - a) / 2) ** 2 + np.cos(a) * np.cos(b) * np.sin(np.radians(other_lon - lon) / 2) ** 2
    return np.asarray(2 * np.degrees(np.arcsin(np.sqrt(half))) * METRES_PER_DEGREE)


def buffered(bounds: Bounds, metres: float) -> Bounds:
    """Return bounds (west, south, east, north) moved out by ``metres`` at least."""
    if not np.isfinite(metres):
        return -180.0, -90.0, 180.0, 90.0
    west, south, east, north = bounds
    # One part in a thousand more than asked: the sphere, and the rounding of what follows.
    high = 1.001 * metres / METRES_PER_DEGREE
    furthest = min(max(abs(south - high), abs(north + high)), 89.0)
    wide = high / float(np.cos(np.radians(furthest)))
    return west - wide, south - high, east + wide, north + high


@dataclass(frozen=True)
class NetworkPart:
    """One mode of a network, cut to bounds: a network for searches, whose points are put on the whole one.

    Attributes
    ----------
    whole
        The network it comes from.
    mode
        Its only mode.
    bbox
        Bounds of the nodes kept.
    kept
        Nodes of the whole graph that are kept, ascending.
    """

    whole: NetworkLike
    mode: str
    bbox: Bounds
    kept: NDArray[np.int64]
    _graph: Graph
    _number: NDArray[np.int32]

    @property
    def segments(self) -> Segments:
        """Pieces of street of the whole network."""
        return self.whole.segments

    def graph(self, mode: str) -> Graph:
        """Return the graph of its mode."""
        if mode != self.mode:
            raise ParameterError("Cette partie de réseau n'a qu'un mode.", where=f"{mode} au lieu de {self.mode}")
        return self._graph

    def snap(self, points: NDArray[np.float64], mode: str, *, limit_m: float | None = None) -> Snapped:
        """Put points on the whole network; nodes out of the part are dropped."""
        return self._renumbered(self.whole.snap(points, mode, limit_m=limit_m))

    def adopt(self, places: Places) -> Places:
        """Return places of the whole network as places of this part."""
        return replace(places, snapped=self._renumbered(places.snapped))

    def _renumbered(self, snapped: Snapped) -> Snapped:
        leaving, coming = snapped.departures_node, snapped.arrivals_node
        return replace(
            snapped,
            departures_node=np.where(leaving >= 0, self._number[leaving], -1).astype(np.int32),
            arrivals_node=np.where(coming >= 0, self._number[coming], -1).astype(np.int32),
        )


def cut(network: NetworkLike, mode: str, bounds: Bounds) -> NetworkPart:
    """Return the part of one mode whose nodes are within bounds (west, south, east, north)."""
    graph = network.graph(mode)
    west, south, east, north = bounds
    lon, lat = np.asarray(graph.lon), np.asarray(graph.lat)
    inside = (lon >= west) & (lon <= east) & (lat >= south) & (lat <= north)
    kept = np.flatnonzero(inside)
    number = np.full(graph.n_nodes, -1, dtype=np.int32)
    number[kept] = np.arange(len(kept), dtype=np.int32)
    counts = np.diff(graph.indptr)[kept]
    first = np.cumsum(counts) - counts
    edges = np.repeat(np.asarray(graph.indptr)[kept] - first, counts) + np.arange(counts.sum())
    heads = number[graph.heads[edges]]
    stays = heads >= 0
    indptr = np.zeros(len(kept) + 1, dtype=np.int64)
    tails = np.repeat(np.arange(len(kept)), counts)[stays]
    np.cumsum(np.bincount(tails, minlength=len(kept)), out=indptr[1:])
    edges = edges[stays]
    part = Graph(
        mode, indptr, heads[stays], graph.seconds[edges], graph.segment[edges], lon[kept], lat[kept], graph.base[kept]
    )
    return NetworkPart(network, mode, bounds, kept, part, number)


def run_partitioned(
    areas: Sequence[_Area],
    function: Callable[[_Area, float], _Result],
    *,
    buffer_m: float,
    scheduler: str | DaskClient | None = None,
    workers: int | None = None,
) -> list[_Result]:
    """Call ``function(area, buffer_m)`` for every area and return the results in their order.

    Parameters
    ----------
    areas
        What tells an area; sent to the workers, so it must be picklable, as must be ``function``.
    function
        Work of one area.
    buffer_m
        Metres around an area that its work may need: limit x top speed (:func:`top_speed`).
    scheduler
        None: processes of this machine. ``local``: a Dask cluster of this machine. An address (``tcp://…``) or a
        client: that Dask cluster, whose workers must see the same files.
    workers
        Number of local processes; one works in this process.

    Raises
    ------
    SourceUnavailableError
        When the Dask scheduler does not answer.
    ParameterError
        When a number of workers is not positive, or Dask is not installed.
    """
    if workers is not None and workers < 1:
        raise ParameterError("Il faut au moins un processus.", where=f"{workers} demandé")
    call = partial(_call, function=function, buffer_m=buffer_m)
    if scheduler is not None:
        return _on_dask(areas, call, scheduler, workers)
    count = min(workers or os.cpu_count() or 1, len(areas))
    if count <= 1:
        return [call(area) for area in areas]
    # Forking would copy the locks of the threads that Polars and the searches run.
    with no_main_script(), ProcessPoolExecutor(count, mp_context=multiprocessing.get_context("spawn")) as pool:
        return list(pool.map(call, areas))


def _call(area: _Area, function: Callable[[_Area, float], _Result], buffer_m: float) -> _Result:
    return function(area, buffer_m)


def _on_dask(
    areas: Sequence[_Area], call: Callable[[_Area], _Result], scheduler: str | DaskClient, workers: int | None
) -> list[_Result]:
    if not isinstance(scheduler, str):
        return _gathered(scheduler, areas, call)
    try:
        # Heavy, and of no use on one machine.
        dask: Any = importlib.import_module("distributed")
    except ImportError as error:
        raise ParameterError(
            "Dask n'est pas installé.", next_step="Installer « dask » et « distributed », ou omettre l'ordonnanceur."
        ) from error
    if scheduler == "local":
        with (
            dask.LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None) as cluster,
            dask.Client(cluster) as client,
        ):
            return _gathered(client, areas, call)
    try:
        client = dask.Client(scheduler, timeout=10)
    except (OSError, ValueError) as error:
        raise SourceUnavailableError(
            "L'ordonnanceur Dask ne répond pas.",
            where=scheduler,
            why=str(error),
            next_step="Vérifier l'adresse, ou omettre l'ordonnanceur pour calculer sur cette machine.",
        ) from error
    with client:
        return _gathered(client, areas, call)


def _gathered(client: DaskClient, areas: Sequence[_Area], call: Callable[[_Area], _Result]) -> list[_Result]:
    return list(client.gather(client.map(call, areas, pure=False)))


@dataclass(frozen=True)
class _Job:
    """What the work of every area shares."""

    open_network: Callable[[], NetworkLike]
    facilities: Places
    kinds: tuple[str, ...]
    mode: str
    limit_min: float
    direction: Direction

    def __call__(self, origins: pl.DataFrame, buffer_m: float) -> tuple[pl.DataFrame, NDArray[np.int32]]:
        """Return the times of one area, and the nodes where its points meet the whole graph."""
        network = self.open_network()
        graph = network.graph(self.mode)
        starts = place(network, origins, self.mode, identifier=_ROW)
        snapped = starts.snapped
        nodes = snapped.departures_node if self.direction == "to" else snapped.arrivals_node
        met = np.unique(nodes[nodes >= 0])
        lon, lat = graph.lon[met], graph.lat[met]
        core = (lon.min(), lat.min(), lon.max(), lat.max()) if len(met) else (0.0, 0.0, 0.0, 0.0)
        part = cut(network, self.mode, buffered(core, buffer_m))
        table = nearest_by_kind(
            part, part.adopt(starts), part.adopt(self.facilities), self.mode,
            limit_min=self.limit_min, direction=self.direction, kinds=self.kinds,
        )  # fmt: skip
        return table, nodes


def nearest_partitioned(
    open_network: Callable[[], NetworkLike],
    origins: pl.DataFrame,
    facilities: pl.DataFrame,
    mode: str,
    *,
    limit_min: float,
    area: str,
    by: str | None = None,
    identifier: str | None = None,
    direction: Direction = "to",
    scheduler: str | DaskClient | None = None,
    workers: int | None = None,
) -> pl.DataFrame:
    """Return what :func:`bourg.access.travel.times.nearest` returns, computed area by area.

    Times, facilities and statuses are those of the single run, to the bit.

    Parameters
    ----------
    open_network
        Opens the network; called in every worker, so picklable: ``partial(open_network, folder)``.
    origins, facilities
        Tables of points (see :func:`bourg.access.travel.points.place`).
    mode, limit_min, direction, by
        As for :func:`bourg.access.travel.times.nearest`.
    area
        Column of the origins that tells their area, such as the department.
    identifier
        Column that names the origins.
    scheduler, workers
        As for :func:`run_partitioned`.

    Raises
    ------
    ParameterError
        Bad limit, infinite ones included, direction, mode or columns.
    """
    check_direction(direction)
    limit = limit_seconds(limit_min)
    if not np.isfinite(limit):
        raise ParameterError("Un calcul par morceaux demande une durée limite.", next_step="Par exemple 30 minutes.")
    if area not in origins.columns:
        raise ParameterError("La colonne des morceaux manque à la table de points.", where=area)
    named = identifier or next((name for name in ("point_id", "facility_id", "id") if name in origins.columns), None)
    ids = origins[named] if named else pl.Series(np.arange(origins.height))
    network = open_network()
    graph = network.graph(mode)
    kinds = facilities[by].cast(pl.String) if by else pl.Series([_ONLY] * facilities.height, dtype=pl.String)
    ends = replace(place(network, facilities, mode), kinds=kinds)
    wanted = tuple(kinds.unique().drop_nulls().sort()) if by else (_ONLY,)
    numbered = origins.select(pl.col("longitude", "latitude"), pl.col(area).alias("area")).with_row_index(_ROW)
    parts = numbered.partition_by("area", maintain_order=True)
    job = _Job(open_network, ends, wanted, mode, limit_min, direction)
    done = run_partitioned(parts, job, buffer_m=limit * top_speed(graph), scheduler=scheduler, workers=workers)
    settled = _settled(graph, ends, wanted, direction, done)
    rank = pl.DataFrame({"kind": wanted, "_rank": range(len(wanted))}, schema={"kind": pl.String, "_rank": pl.Int64})
    table = settled.join(rank, on="kind").sort("_rank", "origin")
    table = table.select(ids.gather(table["origin"]).alias("origin"), "kind", "facility", "minutes", "status")
    return table if by else table.drop("kind")


def _settled(
    graph: Graph,
    facilities: Places,
    kinds: tuple[str, ...],
    direction: Direction,
    done: list[tuple[pl.DataFrame, NDArray[np.int32]]],
) -> pl.DataFrame:
    """Join the areas; what no path of an area reaches is looked for on the whole graph."""
    frames = []
    towards, seeds = (
        (graph.reverse, facilities.snapped.arrivals_node)
        if direction == "to"
        else (graph, facilities.snapped.departures_node)
    )
    search = Search(towards)
    seen: dict[str, NDArray[np.bool_]] = {}
    for table, nodes in done:
        columns = []
        for kind in kinds:
            mine = table.filter(pl.col("kind") == kind)
            lost = (mine["status"] == UNREACHABLE).to_numpy()
            if lost.any():
                if kind not in seen:
                    rows = (facilities.kinds == kind).fill_null(value=False).to_numpy()  # type: ignore[union-attr]
                    seen[kind] = search.reachable(seeds[rows].ravel())
                joined = (seen[kind][nodes] & (nodes >= 0)).any(axis=1)
                far = pl.Series(lost & joined)
                status = pl.when(far).then(pl.lit(BEYOND, dtype=mine.schema["status"])).otherwise(pl.col("status"))
                mine = mine.with_columns(status.alias("status"))
            columns.append(mine)
        frames += columns
    if frames:
        return pl.concat(frames)
    schema: dict[str, pl.DataType] = {"origin": pl.UInt32(), "kind": pl.String(), "facility": facilities.ids.dtype}
    return pl.DataFrame(schema={**schema, "minutes": pl.Float64(), "status": STATUS_TYPE})
