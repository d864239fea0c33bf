"""The read side: everything a page, a command or a route asks of the snapshot in service."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, lru_cache
from typing import Any

import polars as pl

from bourg.compare import stored
from bourg.compare.comparators import Comparators
from bourg.compare.matrix import CommuneMatrix
from bourg.compare.profiles import Profiles
from bourg.compare.ranking import QUANTILES
from bourg.errors import SnapshotError
from bourg.geography.search import CommuneIndex, Match
from bourg.indicators.values import Elsewhere, SourceNote, source_notes
from bourg.settings import Settings
from bourg.store.snapshot import Snapshot, SnapshotStore

MAP_FOLDER = "cartes"
VALUE_COLUMNS = ("indicator", "level", "code", "period", "value", "status", "n", "source_ids")


class Observatory:
    """One opened snapshot and the small indexes kept in memory.

    Parameters
    ----------
    snapshot
        The snapshot to read.
    settings
        Folders of the installation.
    """

    def __init__(self, snapshot: Snapshot, settings: Settings) -> None:
        self.snapshot = snapshot
        self.settings = settings
        # Values of departments, regions and France, kept by the portraits that tell them.
        self.larger_territories: dict[tuple[str, str], dict[str, Elsewhere]] = {}

    @cached_property
    def communes(self) -> pl.DataFrame:
        """Communes of the reference geography, with population and names of what they belong to."""
        departements = self.departements.select(departement="code", departement_name="name", departement_tncc="tncc")
        regions = self.snapshot.table("regions").select(region="code", region_name="name").collect()
        epci = self.snapshot.table("epci").select(epci="code", epci_name="name", epci_kind="kind").collect()
        communes = self.snapshot.table("communes").collect()
        return (
            communes.join(departements, on="departement", how="left")
            .join(regions, on="region", how="left")
            .join(epci, on="epci", how="left")
            .sort("code")
        )

    @cached_property
    def departements(self) -> pl.DataFrame:
        """Departments: ``code, name, tncc, region``."""
        return self.snapshot.table("departements").collect()

    @cached_property
    def index(self) -> CommuneIndex:
        """Search index of the communes."""
        former = self.snapshot.table("former_communes").collect()
        return CommuneIndex(self.communes, self.departements, former)

    @cached_property
    def pvd(self) -> dict[str, dict[str, Any]]:
        """Towns of the programme: code -> ``pvd_id, signature_date``; empty when no list was read."""
        if not self.snapshot.has_table("pvd"):
            return {}
        rows = self.snapshot.table("pvd").collect().iter_rows(named=True)
        return {row["code"]: row for row in rows}

    @cached_property
    def places(self) -> pl.DataFrame:
        """Cultural places with their category, their commune's name and whether they are generated.

        Columns ``place_id, name, type, category, detail, label, code, commune, departement, longitude, latitude,
        demo``; no row when no list of places was read.
        """
        names = self.communes.select("code", commune="name", departement="departement")
        places = self.snapshot.table("culture_places").collect()
        return places.join(names, on="code", how="left").select(list(_PLACES_SCHEMA))

    @cached_property
    def matrix(self) -> CommuneMatrix:
        """Every value of every commune, what comparisons are made on: read from memory-mapped files of the snapshot."""
        return stored.open_matrix(self.snapshot)

    @cached_property
    def comparators(self) -> Comparators:
        """Sets of communes a town is compared with."""
        structure = stored.open_structure(self.snapshot, self.matrix.codes)
        pvd = set(self.pvd) if self.snapshot.has_table("pvd") else None
        levels = self.snapshot.table("centrality").collect() if self.snapshot.has_table("centrality") else None
        return Comparators(self.matrix, self.communes, pvd=pvd, centrality=levels, structure=structure)

    @cached_property
    def profiles(self) -> Profiles:
        """Types of small towns, and the type of every commune."""
        return stored.open_profiles(self.snapshot)

    @cached_property
    def names(self) -> dict[str, str]:
        """Name of every commune, by code."""
        return dict(self.communes.select("code", "name").iter_rows())

    def neighbours(self, code: str) -> pl.DataFrame:
        """Return the similar towns of a commune as the build kept them: ``code, rank, neighbour, distance``."""
        table = pl.scan_parquet(self.snapshot.path(stored.NEIGHBOURS))
        return table.filter(pl.col("code") == code).sort("rank").collect()

    @cached_property
    def _summaries(self) -> tuple[pl.DataFrame, dict[tuple[str, str], tuple[int, int]]]:
        table = pl.read_parquet(self.snapshot.path(stored.SUMMARIES))
        runs = table.select(pl.struct("comparator", "set_id").rle()).unnest("comparator").unnest("value")
        ends = runs["len"].cum_sum().to_list()
        places = zip(runs["comparator"], runs["set_id"], ends, runs["len"], strict=True)
        columns = ("indicator", "period", "demo", "n", *QUANTILES)
        return table.select(columns), {(name, set_id): (end - size, size) for name, set_id, end, size in places}

    def summary(self, comparator: str, set_id: str) -> dict[tuple[str, str, bool], tuple[int, tuple[float, ...]]]:
        """Return what one set looks like: ``(indicator, period, demo) -> (n, quantiles)``.

        Quantiles are those of :data:`bourg.compare.ranking.QUANTILES`. Empty for a set with too few values.
        """
        table, places = self._summaries
        start, size = places.get((comparator, set_id), (0, 0))
        return {row[:3]: (row[3], row[4:]) for row in table.slice(start, size).rows()}

    def table_info(self, name: str) -> dict[str, Any]:
        """Return what the manifest says of a table: sources, origin, number of rows and of communes covered.

        Raises
        ------
        SnapshotError
            When the snapshot has no such table.
        """
        tables: dict[str, dict[str, Any]] = self.snapshot.manifest["tables"]
        if name not in tables:
            raise SnapshotError(
                f"L'instantané n'a pas de table « {name} ».", next_step="reconstruisez-le : bourg build."
            )
        return tables[name]

    @cached_property
    def _coverage(self) -> dict[str, frozenset[str]]:
        content: dict[str, list[str] | None] = self.snapshot.read_json("coverage.json")
        return {name: frozenset(codes) for name, codes in content.items() if codes is not None}

    def covers(self, table: str, code: str) -> bool:
        """Tell whether a table describes a commune: outside, nothing found means missing and not zero."""
        if table not in self.snapshot.manifest["tables"]:
            return False
        return table not in self._coverage or code in self._coverage[table]

    def sources(self, ids: Sequence[str] | None = None) -> list[dict[str, Any]]:
        """Return the resources read for this snapshot, of some sources or of all."""
        read: list[dict[str, Any]] = self.snapshot.manifest["sources"]
        return [item for item in read if ids is None or item["id"] in ids]

    @cached_property
    def _vintages(self) -> dict[str, str]:
        vintages: dict[str, str] = {}
        for item in self.sources():
            vintages.setdefault(item["id"], item["vintage"])
        return vintages

    @cached_property
    def _notes(self) -> dict[str, tuple[SourceNote, ...]]:
        return {}

    def source_notes(self, source_ids: str) -> tuple[SourceNote, ...]:
        """Return what a reader needs to find again the sources of a value, with the vintages read."""
        if source_ids not in self._notes:
            self._notes[source_ids] = source_notes(source_ids, self._vintages)
        return self._notes[source_ids]

    def commune(self, code: str) -> dict[str, Any]:
        """Return the row of :attr:`communes` of a resolved code.

        Raises
        ------
        UnknownTerritoryError
            When the code is not in the reference geography.
        """
        match: Match = self.index.get(code)
        return self.communes.row(self._rows["communes"][match.code], named=True)

    @cached_property
    def _rows(self) -> dict[str, dict[str, int]]:
        """Row of each code in the tables of one row per commune."""
        tables = {"communes": self.communes, "town_halls": self._town_halls, "councils": self._councils}
        found: dict[str, dict[str, int]] = {}
        for name, table in tables.items():
            rows = enumerate(table["code"].to_list())
            # Where a code has two rows the first one speaks.
            found[name] = {code: index for index, code in reversed(list(rows))}
        return found

    def values(self, territories: Sequence[tuple[str, str]]) -> pl.DataFrame:
        """Return the values (:data:`VALUE_COLUMNS`) of some territories, given as ``(level, code)``."""
        by_level: dict[str, list[str]] = {}
        for level, code in territories:
            by_level.setdefault(level, []).append(code)
        wanted = [(pl.col("level") == level) & pl.col("code").is_in(codes) for level, codes in by_level.items()]
        table = pl.scan_parquet(self.snapshot.path("values.parquet"))
        return table.filter(pl.any_horizontal(wanted)).collect()

    @cached_property
    def _town_halls(self) -> pl.DataFrame:
        return self.snapshot.table("town_halls").collect()

    @cached_property
    def _councils(self) -> pl.DataFrame:
        return self.snapshot.table("councils").collect()

    def town_hall(self, code: str) -> dict[str, Any]:
        """Return address, phone, website, hours and position of the town hall; empty when unknown."""
        row = self._rows["town_halls"].get(code)
        return {} if row is None else self._town_halls.row(row, named=True)

    def council(self, code: str) -> dict[str, Any]:
        """Return seats, women and deputies of the municipal council; empty when unknown."""
        row = self._rows["councils"].get(code)
        return {} if row is None else self._councils.row(row, named=True)


_PLACES_SCHEMA = {
    "place_id": pl.String, "name": pl.String, "type": pl.String, "category": pl.String, "detail": pl.String,
    "label": pl.String, "code": pl.String, "commune": pl.String, "departement": pl.String, "longitude": pl.Float64,
    "latitude": pl.Float64, "demo": pl.Boolean,
}  # fmt: skip


@lru_cache(maxsize=2)
def _opened(root: str, identifier: str, settings: Settings) -> Observatory:
    del root
    return Observatory(SnapshotStore(settings.snapshots).open(identifier), settings)


def open_observatory(settings: Settings) -> Observatory:
    """Open the snapshot in service; the same object is returned until another snapshot replaces it.

    Raises
    ------
    SnapshotError
        When there is no usable snapshot.
    """
    store = SnapshotStore(settings.snapshots)
    identifier = store.current_id()
    if identifier is None:
        store.current()  # raises with what to do
    return _opened(str(settings.snapshots), str(identifier), settings)
