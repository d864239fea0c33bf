"""What the access page computes, kept between runs: the study of a town, its times, what a change would do."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, Literal, TypeVar

import numpy as np
import polars as pl
import shapely
import streamlit as st
from pyproj import Transformer

from bourg.access.network.graph import MODES
from bourg.access.places.crosswalk import families, family
from bourg.access.places.sectors import with_sectors
from bourg.access.study import Reach, TownAccess, open_town_access
from bourg.access.travel.isochrones import Isochrone
from bourg.access.travel.reach import quarter_hour, reach_indicators, unserved_places
from bourg.portrait.observatory import Observatory
from bourg.settings import Settings
from bourg.sources.readers.carreaux import CELL_PATTERN, SIDE_M

ISOCHRONE_MINUTES = (5.0, 10.0, 15.0)
_KEPT = 48
_ENOUGH_NAMES = 3
Point = tuple[float, float]
Signature = tuple[tuple[str, int], ...]
T = TypeVar("T")


@dataclass(frozen=True)
class Answers:
    """Times to one family, by mode, before or after changes.

    Attributes
    ----------
    facilities
        The facilities, after changes.
    reaches
        Mode -> times and figures.
    curves
        ``mode, minutes, share``; share from 0 to 1, null when no time is known.
    """

    facilities: pl.DataFrame
    reaches: Mapping[str, Reach]
    curves: pl.DataFrame


@dataclass(frozen=True)
class Quarter:
    """The « ville du quart d'heure » by one mode.

    Attributes
    ----------
    score, families
        Mean share and mean number of the declared families reached; ``None`` when too few are known.
    declared
        Number of families looked for.
    unknown
        Families of which no facility is known.
    shares
        Family -> share of the inhabitants who reach it in 15 minutes, 0 to 1.
    """

    score: float | None
    families: float | None
    declared: int
    unknown: tuple[str, ...]
    shares: Mapping[str, float | None]


@dataclass(frozen=True)
class Difference:
    """What changes would do, for one mode and one threshold.

    Attributes
    ----------
    lost, gained
        Inhabitants who would go over the threshold, and come under it.
    """

    lost: float
    gained: float


class Desk:
    """The study of a town and its last answers.

    Parameters
    ----------
    observatory
        Snapshot in service.
    access
        The study.
    """

    def __init__(self, observatory: Observatory, access: TownAccess) -> None:
        self.access = access
        self.code = access.code
        row = observatory.commune(access.code)
        self.name: str = row["name"]
        hall = access.snapshot.table("town_halls").filter(pl.col("code") == self.code)
        halls = hall.select("longitude", "latitude").collect().drop_nulls().rows()
        first = access.population.table.select("longitude", "latitude").mean().row(0)
        # The town hall, else the point of the commune, else the middle of its inhabitants.
        declared = [(row["longitude"], row["latitude"])] if None not in (row["longitude"], row["latitude"]) else []
        self.centre: Point = [*halls, *declared, first][0]
        outlines = access.snapshot.table("outlines").filter(pl.col("code") == self.code).collect()["wkb"].to_list()
        self.outline = shapely.from_wkb(outlines[0]) if outlines and outlines[0] is not None else None
        self._kept: OrderedDict[Hashable, object] = OrderedDict()

    def _once(self, key: Hashable, make: Callable[[], T]) -> T:
        found = self._kept.get(key)
        if found is None:
            found = self._kept[key] = make()
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return found  # type: ignore[return-value]  # the key tells the type

    @cached_property
    def shapes(self) -> tuple[Literal["polygons", "points"], dict[str, Any]]:
        """Kind of layer and shapes of the inhabitants (:func:`people_shapes`)."""
        return people_shapes(self.access.population.table)

    @cached_property
    def outline_shape(self) -> dict[str, Any]:
        """Outline of the commune as a GeoJSON geometry, empty when there is none."""
        return {} if self.outline is None else dict(shapely.geometry.mapping(self.outline.simplify(5e-5)))

    @cached_property
    def counts(self) -> dict[str, tuple[int, int]]:
        """Number of facilities by family, in the commune and in the whole box of the streets."""
        table = self.access.facilities.table
        here = pl.col("code") == self.code
        if self.outline is not None:
            x, y = table["longitude"].to_numpy(), table["latitude"].to_numpy()
            here = pl.lit(pl.Series(shapely.contains_xy(self.outline, x, y)))
        known = table.with_columns(here=here).group_by("family").agg(pl.col("here").sum(), pl.len())
        found = {name: (inside, total) for name, inside, total in known.iter_rows()}
        return {name: found.get(name, (0, 0)) for name in families()}

    def answers(self, name: str, closed: tuple[str, ...] = (), opened: tuple[Point, ...] = ()) -> Answers:
        """Return the times to a family for the three modes; errors are those of :meth:`TownAccess.reach`."""
        closed, opened = tuple(sorted(closed)), tuple(sorted(opened))
        return self._once(("answers", name, closed, opened), lambda: self._answers(name, closed, opened))

    def _answers(self, name: str, closed: tuple[str, ...], opened: tuple[Point, ...]) -> Answers:
        changes = [(longitude, latitude, name) for longitude, latitude in opened]
        reaches = {mode: self.access.reach(mode, name, closed=closed, opened=changes) for mode in MODES}
        curves = pl.concat([minute_curve(item) for item in reaches.values()])
        facilities = self.access.facilities_of(family(name), closed=closed, opened=changes)
        return Answers(facilities, reaches, curves)

    def quarter(self) -> dict[str, Quarter]:
        """Return the quarter of an hour by mode; nothing when no facility of its families is known."""
        return self._once("quarter", self._quarter)

    def _quarter(self) -> dict[str, Quarter]:
        found = {}
        for mode in MODES:
            table = self.access.quarter_hour(mode)
            if table.is_empty():
                continue
            row = quarter_hour(table, by=())[0].row(0, named=True)
            figures = reach_indicators(table, limit_min=15.0, by=())
            shares = dict(figures.select("family", "within_15").iter_rows())
            found[mode] = Quarter(
                row["score"], row["families"], row["declared"], tuple(row["unknown_families"]), shares
            )
        return found

    def isochrone(self, point: Point, mode: str) -> Isochrone:
        """Return what is within 5, 10 and 15 minutes of a point."""
        return self._once(("isochrone", point, mode), lambda: self.access.isochrone(*point, mode, ISOCHRONE_MINUTES))

    def inside(self, found: Isochrone) -> list[float]:
        """Return the inhabitants of the commune whose point is inside each area of an isochrone."""
        table = self.access.population.table.filter(pl.col("inhabitants").is_not_null())
        x, y, people = (table[name].to_numpy() for name in ("longitude", "latitude", "inhabitants"))
        return [float(people[shapely.contains_xy(area, x, y)].sum()) for area in found.polygons]

    @cached_property
    def has_names(self) -> bool:
        """Whether the extract names enough places of the commune (hamlets, quarters) to tell one from another."""
        named = self.access.installed.hamlets
        if self.outline is None or named.height < _ENOUGH_NAMES:
            return False
        inside = shapely.contains_xy(self.outline, named["longitude"].to_numpy(), named["latitude"].to_numpy())
        return int(inside.sum()) >= _ENOUGH_NAMES

    def unserved(self, reach: Reach, threshold: float) -> pl.DataFrame:
        """Return the places farther than a threshold, by named place, else by sector around the town hall."""
        if self.has_names:
            return self.access.unserved(reach, threshold)
        return unserved_places(with_sectors(reach.table, self.centre), threshold, by="place")

    @cached_property
    def covered_area(self) -> float | None:
        """Share of the commune's area inside the box of the streets; ``None`` without an outline."""
        if self.outline is None or not self.outline.area:
            return None
        box = shapely.box(*self.access.installed.network.bbox)
        return float(shapely.intersection(self.outline, box).area / self.outline.area)


@cache
def _to_degrees(epsg: int) -> Transformer:
    return Transformer.from_crs(epsg, 4326, always_xy=True)


def _square(point_id: str) -> list[list[float]] | None:
    """Return the corners of a square from its identifier, which is its place in its own projection."""
    match = re.match(CELL_PATTERN.rstrip("$") + r"(_|$)", point_id)
    if match is None:
        return None
    epsg, north, east = (int(part) for part in match.groups()[:3])
    x, y = np.array([0, 1, 1, 0, 0]) * SIDE_M + east, np.array([0, 0, 1, 1, 0]) * SIDE_M + north
    return np.column_stack(_to_degrees(epsg).transform(x, y)).round(6).tolist()  # type: ignore[no-any-return]


def people_shapes(table: pl.DataFrame) -> tuple[Literal["polygons", "points"], dict[str, Any]]:
    """Return the kind of layer and the shapes of the inhabitants: squares of 200 m when they are, else points."""
    shapes = []
    kinds = set()
    for point_id, x, y, method in table.select("point_id", "longitude", "latitude", "method").iter_rows():
        ring = _square(point_id) if method == "carreaux_200m" else None
        geometry = {"type": "Polygon", "coordinates": [ring]} if ring else {
            "type": "Point", "coordinates": [round(x, 6), round(y, 6)],
        }  # fmt: skip
        kinds.add("polygons" if ring else "points")
        shapes.append({"type": "Feature", "properties": {"id": point_id}, "geometry": geometry})
    return ("polygons" if kinds == {"polygons"} else "points"), {"type": "FeatureCollection", "features": shapes}


def minute_curve(reach: Reach) -> pl.DataFrame:
    """Return :func:`bourg.access.travel.reach.share_curve` at every minute up to the limit, in one pass."""
    rows = reach.table.filter(pl.col("inhabitants").is_not_null() & (pl.col("status") != "unsnapped"))
    people = rows["inhabitants"].to_numpy()
    times = rows.select(pl.when(pl.col("status") == "ok").then("minutes"))["minutes"].fill_null(np.inf).to_numpy()
    minutes = np.arange(1.0, np.floor(reach.limit_min) + 1)
    order = np.argsort(times, kind="stable")
    sums = np.concatenate([[0.0], np.cumsum(people[order])])
    within = sums[np.searchsorted(times[order], minutes, side="right")]
    shares = within / sums[-1] if sums[-1] > 0 else np.full(len(minutes), np.nan)
    table = pl.DataFrame({"mode": reach.mode, "minutes": minutes, "share": shares})
    return table.with_columns(pl.col("share").fill_nan(None))


def far(threshold: float) -> pl.Expr:
    """Tell the points that are not served in time, those whose time is unknown included."""
    return ((pl.col("status") != "ok") | (pl.col("minutes") > threshold)).fill_null(value=True)


def difference(before: Reach, after: Reach, threshold: float) -> Difference:
    """Compare the times before and after changes, point by point."""
    people = before.table["inhabitants"].fill_null(0.0).to_numpy()
    was, would = (item.table.select(late=far(threshold))["late"].to_numpy() for item in (before, after))
    return Difference(lost=float(people[~was & would].sum()), gained=float(people[was & ~would].sum()))


def networks_signature(settings: Settings) -> Signature:
    """Return what changes when a network is installed, replaced or removed."""
    manifests = sorted(settings.networks.glob("*/manifest.json"))
    return tuple((path.parent.name, path.stat().st_mtime_ns) for path in manifests if path.parent.name[0] != ".")


@st.cache_resource(max_entries=6, show_spinner="Ouverture du réseau de rues…")
def _desk(snapshot_id: str, networks: Signature, code: str, _observatory: Observatory) -> Desk:
    del snapshot_id, networks  # part of the cache key
    access = open_town_access(_observatory.snapshot, _observatory.settings, code, name=_observatory.names[code])
    return Desk(_observatory, access)


def desk_of(observatory: Observatory, code: str) -> Desk:
    """Return the study of a commune; the last few are kept.

    Raises
    ------
    NoNetworkError
        When no installed network covers the commune.
    """
    return _desk(observatory.snapshot.id, networks_signature(observatory.settings), code, observatory)
