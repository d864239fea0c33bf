"""Points put on a network: where trips start and end, with the points that are on no street kept and told."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bourg.access.network.graph import MODE_LABELS, MODES, SNAP_OUTSIDE, SNAP_TOO_FAR, Graph, Segments, Snapped
from bourg.errors import ParameterError

_IDENTIFIERS = ("point_id", "facility_id", "id")


class NetworkLike(Protocol):
    """What a network must offer: an opened extract, a part of one, or one made for a test."""

    @property
    def segments(self) -> Segments:
        """Pieces of street."""

    @property
    def bbox(self) -> tuple[float, float, float, float]:
        """West, south, east and north."""

    def graph(self, mode: str) -> Graph:
        """Return the graph of one mode."""

    def snap(self, points: NDArray[np.float64], mode: str, *, limit_m: float | None = None) -> Snapped:
        """Put points on the segments that the mode may use."""


@dataclass(frozen=True)
class Places:
    """Points put on the network of one mode: give them instead of points to put them there once.

    Attributes
    ----------
    ids
        Identifier of each point.
    mode
        Mode of the network that they are on.
    snapped
        Where they are.
    kinds
        Kind of each point, when they are facilities of several kinds.
    """

    ids: pl.Series
    mode: str
    snapped: Snapped
    kinds: pl.Series | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def table(self) -> pl.DataFrame:
        """Return ``id``, ``status`` (ok, too_far, outside), ``distance_m`` (null outside) of every point."""
        names = np.array(["ok", "too_far", "outside"])[self.snapped.status]
        distance = pl.Series(self.snapped.distance_m.astype(np.float64)).fill_nan(None)
        distance = distance.set(distance.is_infinite().fill_null(value=False), None)
        return pl.DataFrame({"id": self.ids, "status": names, "distance_m": distance})

    def take(self, rows: NDArray[np.integer]) -> Places:
        """Return some of the places, in the order of ``rows``."""
        snapped = Snapped(*(getattr(self.snapped, field.name)[rows] for field in fields(Snapped)))
        kinds = None if self.kinds is None else self.kinds[rows]
        return Places(self.ids[rows], self.mode, snapped, kinds)


Points = pl.DataFrame | NDArray[np.float64] | Places


def check_mode(mode: str) -> None:
    """Raise a :class:`ParameterError` unless ``mode`` is ``foot``, ``bike`` or ``car``."""
    if mode not in MODES:
        known = ", ".join(f"{name} ({MODE_LABELS[name]})" for name in MODES)
        raise ParameterError(f"Mode de déplacement inconnu : {mode!r}.", next_step=f"Choisir parmi {known}.")


def place(
    network: NetworkLike,
    points: Points,
    mode: str,
    *,
    limit_m: float | None = None,
    identifier: str | None = None,
    by: str | None = None,
) -> Places:
    """Put points on the network of a mode; a point without usable coordinates is kept, as outside.

    Parameters
    ----------
    network
        The network.
    points
        Longitudes and latitudes, shape ``(n, 2)``, named by their row; or a table with ``longitude`` and ``latitude``,
        named by ``identifier``, else ``point_id``, ``facility_id``, ``id`` or the row; or places, returned as they are.
    mode
        ``foot``, ``bike`` or ``car``.
    limit_m
        Longest distance to a street; that of the network by default.
    identifier, by
        Columns of the names and of the kinds.

    Raises
    ------
    ParameterError
        Unknown mode, missing column, or longitudes and latitudes swapped.
    """
    check_mode(mode)
    if isinstance(points, Places):
        if points.mode != mode:
            raise ParameterError(
                "Ces points sont placés sur le réseau d'un autre mode.",
                where=f"{MODE_LABELS[points.mode]} au lieu de {MODE_LABELS[mode]}",
                next_step="Les placer de nouveau pour ce mode.",
            )
        return points
    kinds = None
    if isinstance(points, pl.DataFrame):
        missing = [name for name in ("longitude", "latitude", by, identifier) if name and name not in points.columns]
        if missing:
            raise ParameterError(
                "Il manque des colonnes à la table de points.",
                where=", ".join(missing),
                why=f"Colonnes reçues : {', '.join(points.columns) or 'aucune'}.",
            )
        named = identifier or next((name for name in _IDENTIFIERS if name in points.columns), None)
        ids = points[named] if named else pl.Series(np.arange(points.height))
        where = points.select(pl.col("longitude", "latitude").cast(pl.Float64)).fill_null(np.nan).to_numpy()
        kinds = points[by] if by else None
    else:
        where = np.asarray(points, dtype=np.float64).reshape(-1, 2)
        ids = pl.Series(np.arange(len(where)))
    return Places(ids, mode, _snapped(network, where, mode, limit_m), kinds)


def _snapped(network: NetworkLike, where: NDArray[np.float64], mode: str, limit_m: float | None) -> Snapped:
    usable = np.isfinite(where).all(axis=1) & (np.abs(where[:, 0]) <= 180) & (np.abs(where[:, 1]) <= 90)
    west, south, east, north = network.bbox
    if usable.any():
        lon, lat = where[usable].T
        here = (lon >= west) & (lon <= east) & (lat >= south) & (lat <= north)
        swapped = (lat >= west) & (lat <= east) & (lon >= south) & (lon <= north)
        if swapped.all() and not here.any():
            raise ParameterError(
                "Les longitudes et les latitudes semblent échangées.",
                where=f"premier point : longitude {lon[0]:.4f}, latitude {lat[0]:.4f}",
                why="Aucun point ne tombe sur le réseau, et tous y tombent une fois échangés.",
                next_step="Donner la longitude puis la latitude.",
            )
    if usable.all() and len(where):
        return network.snap(where, mode, limit_m=limit_m)
    found = network.snap(where[usable], mode, limit_m=limit_m) if usable.any() else None
    return _spread_rows(found, usable)


def _spread_rows(found: Snapped | None, usable: NDArray[np.bool_]) -> Snapped:
    """Give back their rows to the points that could be looked for; the others are outside."""
    n, width = len(usable), 1 if found is None else found.departures_node.shape[1]
    empty: dict[str, tuple[float, type, tuple[int, ...]]] = {
        "status": (SNAP_OUTSIDE, np.uint8, (n,)), "segment": (-1, np.int32, (n,)), "fraction": (0, np.float32, (n,)),
        "lon": (np.nan, np.float64, (n,)), "lat": (np.nan, np.float64, (n,)),
        "departures_node": (-1, np.int32, (n, width)), "arrivals_node": (-1, np.int32, (n, width)),
        "departures_s": (np.inf, np.float32, (n, width)), "arrivals_s": (np.inf, np.float32, (n, width)),
    }  # fmt: skip
    arrays: dict[str, NDArray[Any]] = {}
    for field in fields(Snapped):
        value, dtype, shape = empty.get(field.name, (np.inf, np.float32, (n,)))
        arrays[field.name] = np.full(shape, value, dtype=dtype)
        if found is not None:
            arrays[field.name][usable] = getattr(found, field.name)
    return Snapped(**arrays)


def unplaced(places: Places) -> pl.DataFrame:
    """Return the points that are on no street, with the reason: ``id``, ``status``, ``distance_m``."""
    return places.table().filter(pl.Series(np.isin(places.snapped.status, (SNAP_TOO_FAR, SNAP_OUTSIDE))))
