"""Access from one commune: its inhabitants, the facilities around, the times between them, and what would change."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

from bourg.access.network.graph import MODE_LABELS, MODES, Snapped
from bourg.access.network.installed import InstalledNetwork, network_for
from bourg.access.places.crosswalk import Family, family
from bourg.access.places.facilities import Facilities, with_changes
from bourg.access.places.population import Population
from bourg.access.travel.isochrones import MINUTES, Isochrone, isochrones
from bourg.access.travel.points import Places, check_mode, place
from bourg.access.travel.reach import join_nearest, minutes_text, reach_indicators, share_curve, unserved_places
from bourg.access.travel.times import limit_seconds, nearest, nearest_by_kind
from bourg.indicators.parameters import parameter
from bourg.settings import Settings
from bourg.store.snapshot import Snapshot

LIMIT_MIN = 30.0
Change = tuple[float, float, str]


@dataclass(frozen=True)
class Reach:
    """Times from the inhabitants of a commune to the nearest facility of one family, by one mode.

    Attributes
    ----------
    mode, family, limit_min
        What was asked.
    table
        One row per point: ``point_id, longitude, latitude, inhabitants, method, code, demo, facility, minutes,
        status, family, mode``.
    facilities
        Number of facilities of the family on the network; without any, no time is known.
    at_town_halls
        Those of them that a source only counts in a commune: they are put at its town hall.
    summary
        Row of :func:`bourg.access.travel.reach.reach_indicators` for the commune.
    """

    mode: str
    family: Family
    limit_min: float
    table: pl.DataFrame
    summary: dict[str, Any]
    facilities: int
    at_town_halls: int

    @property
    def one_point(self) -> bool:
        """Whether all the inhabitants are at one point: nothing is then known of shares or medians."""
        return self.table.height <= 1

    def sentence(self) -> str:
        """Return the main figure in French."""
        mode, label = MODE_LABELS[self.mode], self.family.label
        if not self.facilities:
            return f"Aucune source lue ne dit où trouver l'équipement « {label} » autour d'ici : le temps est inconnu."
        status = self.summary["median_status"]
        if status == "unknown":
            return "Trop d'habitants sont hors du réseau de rues pour dire un temps."
        told = minutes_text(self.summary["median"], status, self.limit_min)
        if self.one_point:
            where = f"Depuis la mairie, l'équipement « {label} » le plus proche est à"
            return f"{where} {told} {mode}." if status == "ok" else f"Depuis la mairie, « {label} » : {told} {mode}."
        if status != "ok":
            return f"Plus de la moitié des habitants n'atteint aucun équipement « {label} » : {told}, {mode}."
        return f"La moitié des habitants est à {told} ou moins, {mode}, de l'équipement « {label} » le plus proche."


class TownAccess:
    """All that can be asked about the access of one commune on one network.

    Parameters
    ----------
    snapshot
        Opened snapshot: population, facilities.
    installed
        Network to use; see :func:`open_town_access`.
    code
        INSEE code of the commune, in the reference geography.
    """

    def __init__(self, snapshot: Snapshot, installed: InstalledNetwork, code: str) -> None:
        self.snapshot, self.installed, self.code = snapshot, installed, code
        self._places: dict[tuple[str, str], Places] = {}

    @cached_property
    def population(self) -> Population:
        """Where the inhabitants live, and by which method it is known."""
        return self.installed.inhabitants_of(self.snapshot, self.code)

    @cached_property
    def facilities(self) -> Facilities:
        """Facilities of the snapshot and of the extract, inside the box of the network."""
        return self.installed.facilities_of(self.snapshot)

    @property
    def demo(self) -> bool:
        """Whether the streets or the places of the inhabitants are generated."""
        return self.installed.demo or bool(self.population.table["demo"].any())

    @cached_property
    def outside_share(self) -> float | None:
        """Share of the inhabitants outside the box of the network, or too far from any street on foot."""
        table = self.population.table
        people = table["inhabitants"].fill_null(0.0).to_numpy()
        if not people.sum() > 0:
            return None
        return float(people[self._origins("foot").snapped.status != 0].sum() / people.sum())

    def _origins(self, mode: str) -> Places:
        key = ("population", mode)
        if key not in self._places:
            points = self.population.table.select("point_id", "longitude", "latitude")
            self._places[key] = place(self.installed.network, points, mode)
        return self._places[key]

    def facilities_of(
        self, wanted: Family, *, closed: Sequence[str] = (), opened: Sequence[Change] = ()
    ) -> pl.DataFrame:
        """Return the facilities of a family, after changes; errors are those of ``with_changes``."""
        table = self.facilities.of(wanted.id)
        return with_changes(table, closed=closed, opened=opened) if closed or opened else table

    def _destinations(self, wanted: Family, mode: str) -> Places:
        key = (wanted.id, mode)
        if key not in self._places:
            self._places[key] = place(self.installed.network, self.facilities_of(wanted), mode)
        return self._places[key]

    def _changed(self, before: Places, facilities: pl.DataFrame) -> Places:
        """Put facilities on the network; only those that are not there already are looked for."""
        rank = {identifier: row for row, identifier in enumerate(before.ids)}
        known = facilities.filter(pl.col("facility_id").is_in(list(rank)))
        added = facilities.filter(~pl.col("facility_id").is_in(list(rank)))
        kept = before.take(np.array([rank[name] for name in known["facility_id"]], dtype=np.int64))
        if added.is_empty():
            return kept
        new = place(self.installed.network, added, before.mode)
        columns = [(getattr(kept.snapped, item.name), getattr(new.snapped, item.name)) for item in fields(Snapped)]
        # Points that are all outside have narrower rows: everything is then looked for again.
        if not len(kept) or any(first.shape[1:] != second.shape[1:] for first, second in columns):
            return place(self.installed.network, pl.concat([known, added]), before.mode)
        return Places(pl.concat([kept.ids, new.ids]), before.mode, Snapped(*map(np.concatenate, columns)))

    def reach(
        self, mode: str, name: str, *, limit_min: float = LIMIT_MIN, closed: Sequence[str] = (),
        opened: Sequence[Change] = (),
    ) -> Reach:  # fmt: skip
        """Return the times of the inhabitants to a family of facilities.

        Parameters
        ----------
        mode
            ``foot``, ``bike`` or ``car``.
        name
            Family, by id or French label.
        limit_min
            Longest trip, minutes.
        closed, opened
            Facilities that would close (ids) and open (longitude, latitude, family).

        Raises
        ------
        ParameterError
            Unknown mode, family or facility; limit that is not positive.
        """
        check_mode(mode)
        limit_seconds(limit_min)
        wanted = family(name)
        network = self.installed.network
        chosen = self.facilities_of(wanted, closed=closed, opened=opened)
        destinations = self._destinations(wanted, mode)
        if closed or opened:
            destinations = self._changed(destinations, chosen)
        found = nearest(network, self._origins(mode), destinations, mode, limit_min=limit_min)
        table = join_nearest(self.population.table, found, family=wanted.id, mode=mode)
        summary = reach_indicators(table, limit_min=limit_min, by=()).row(0, named=True)
        if chosen.is_empty():
            # Nobody is far from what nobody told of.
            summary |= {name: None for name in summary if name.startswith("within_") or name == "out_of_reach"}
            summary |= {name: "unknown" for name in summary if name.endswith("_status")}
        at_town_halls = chosen.filter(pl.col("place") == "commune").height
        return Reach(mode, wanted, limit_min, table, summary, chosen.height, at_town_halls)

    def curves(
        self, name: str, *, limit_min: float = LIMIT_MIN, closed: Sequence[str] = (), opened: Sequence[Change] = ()
    ) -> pl.DataFrame:
        """Return the share of inhabitants within each minute for the three modes: ``mode, minutes, share``."""
        minutes = np.arange(1, math.floor(limit_min) + 1, dtype=np.float64)
        parts = [
            share_curve(
                self.reach(mode, name, limit_min=limit_min, closed=closed, opened=opened).table, minutes.tolist()
            )
            for mode in MODES
        ]
        return pl.concat(parts).select("mode", "minutes", "share")

    def unserved(self, reach: Reach, threshold_min: float) -> pl.DataFrame:
        """Return the places farther than a threshold, the most peopled first; see ``unserved_places``."""
        return unserved_places(reach.table, threshold_min=threshold_min, places=self._hamlets, by="code")

    @cached_property
    def _hamlets(self) -> pl.DataFrame:
        """Named places of the extract, and town halls: those a resident would name."""
        west, south, east, north = self.installed.network.bbox
        inside = pl.col("longitude").is_between(west, east) & pl.col("latitude").is_between(south, north)
        names = self.snapshot.table("communes").select("code", "name")
        halls = self.snapshot.table("town_halls").select("code", "longitude", "latitude").join(names, on="code")
        around = halls.filter(inside).select("name", "longitude", "latitude").collect()
        return pl.concat([self.installed.hamlets, around]).unique("name", keep="first", maintain_order=True)

    def quarter_hour(self, mode: str) -> pl.DataFrame:
        """Return the reach table of the families of the « ville du quart d'heure », each point by each family."""
        rules = parameter("quarter_hour", package="bourg.access")
        wanted = list(rules["families"])
        facilities = self.facilities.table.filter(pl.col("family").is_in(wanted))
        known = [name for name in wanted if facilities.filter(pl.col("family") == name).height]
        found = nearest_by_kind(
            self.installed.network, self._origins(mode), facilities, mode,
            limit_min=float(rules["minutes"]), by="family", kinds=known,
        )  # fmt: skip
        parts = [
            join_nearest(
                self.population.table, found.filter(pl.col("kind") == name).drop("kind"), family=name, mode=mode
            )
            for name in known
        ]
        return pl.concat(parts) if parts else pl.DataFrame()

    def isochrone(
        self,
        longitude: float,
        latitude: float,
        mode: str,
        minutes: Sequence[float] = MINUTES,
        *,
        direction: str = "from",
    ) -> Isochrone:
        """Return what is within some times of a point; errors are those of ``isochrones``."""
        where = np.array([[longitude, latitude]], dtype=np.float64)
        return isochrones(
            self.installed.network, where, mode, minutes, direction="to" if direction == "to" else "from"
        )[0]

    def to_dict(self, reach: Reach, threshold_min: float = 15.0) -> dict[str, Any]:
        """Return the answer as plain JSON types."""
        unserved = self.unserved(reach, threshold_min)
        snapped = self._origins(reach.mode).table()
        manifest = self.installed.network.manifest
        return {
            "commune": self.code,
            "mode": reach.mode,
            "famille": {"id": reach.family.id, "nom": reach.family.label},
            "limite_min": reach.limit_min,
            "phrase": reach.sentence(),
            "resume": reach.summary,
            "un_seul_point": reach.one_point,
            "equipements_places_a_la_mairie": reach.at_town_halls,
            "population": {
                "methode": self.population.sentence(), "points": reach.table.height,
                "part_hors_reseau": self.outside_share,
                "rattachement_median_m": snapped.filter(pl.col("status") == "ok")["distance_m"].median(),
            },
            "equipements": self.facilities_of(reach.family).to_dicts(),
            "equipements_ecartes": self.facilities.rejected.filter(pl.col("family") == reach.family.id).to_dicts(),
            "non_desservis": unserved.to_dicts(),
            "reseau": {
                "nom": self.installed.name, "date": self.installed.date, "licence": manifest["licence"],
                "emprise": list(self.installed.network.bbox), "demonstration": self.installed.demo,
                "avertissements": manifest["warnings"],
            },
            "demonstration": self.demo,
        }  # fmt: skip

    def to_geojson(self, reach: Reach, facilities: pl.DataFrame | None = None) -> dict[str, Any]:
        """Return the points of the inhabitants with their times, and the facilities (those of today by default)."""
        features = [
            _feature(row["longitude"], row["latitude"], {
                "type": "habitants", "id": row["point_id"], "habitants": row["inhabitants"], "minutes": row["minutes"],
                "statut": row["status"], "equipement": row["facility"], "demonstration": row["demo"],
            })
            for row in reach.table.iter_rows(named=True)
        ]  # fmt: skip
        features += [
            _feature(row["longitude"], row["latitude"], {
                "type": "equipement", "id": row["facility_id"], "nom": row["name"], "famille": row["family"],
                "source": row["source"], "demonstration": row["demo"],
            })
            for row in (self.facilities_of(reach.family) if facilities is None else facilities).iter_rows(named=True)
        ]  # fmt: skip
        return {"type": "FeatureCollection", "features": features}


def _feature(longitude: float, latitude: float, properties: dict[str, Any]) -> dict[str, Any]:
    point = {"type": "Point", "coordinates": [round(longitude, 6), round(latitude, 6)]}
    return {"type": "Feature", "geometry": point, "properties": properties}


def open_town_access(
    snapshot: Snapshot, settings: Settings, code: str, *, name: str, network: InstalledNetwork | None = None
) -> TownAccess:
    """Open the study of a commune on the installed network that covers it best.

    Parameters
    ----------
    snapshot, settings
        Snapshot in service and installation.
    code, name
        The commune.
    network
        Network to use instead of the best one.

    Raises
    ------
    NoNetworkError
        When no network covers the commune.
    """
    if network is None:
        row = snapshot.table("communes").filter(pl.col("code") == code).collect().row(0, named=True)
        hall = snapshot.table("town_halls").filter(pl.col("code") == code).select("longitude", "latitude").collect()
        # Two points are enough to choose, and one of them may be wrong.
        places = [(row["longitude"], row["latitude"]), *hall.rows()]
        points = np.array([item for item in places if None not in item], dtype=np.float64).reshape(-1, 2)
        network = network_for(settings, points, where=name)
    return TownAccess(snapshot, network, code)
