"""The read side: everything a page, a command or a route asks of the snapshot in service."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, lru_cache
from typing import Any

import polars as pl

from bourg.compare.comparators import Comparators
from bourg.compare.matrix import CommuneMatrix, commune_matrix
from bourg.compare.structure import structure_of
from bourg.errors import SnapshotError
from bourg.geography.search import CommuneIndex, Match
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
        """Every value of every commune, in memory: what comparisons are made on (a second or two to load)."""
        return commune_matrix(pl.scan_parquet(self.snapshot.path("values.parquet")), self.communes["code"].to_list())

    @cached_property
    def comparators(self) -> Comparators:
        """Sets of communes a town is compared with."""
        try:
            structure = structure_of(self.matrix)
        except SnapshotError:
            # Comparisons by territory and size stay possible; similar towns say that they are not.
            structure = None
        pvd = set(self.pvd) if self.snapshot.has_table("pvd") else None
        return Comparators(self.matrix, self.communes, pvd=pvd, structure=structure)

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

    def commune(self, code: str) -> dict[str, Any]:
        """Return the row of :attr:`communes` of a resolved code.

        Raises
        ------
        UnknownTerritoryError
            When the code is not in the reference geography.
        """
        match: Match = self.index.get(code)
        return self.communes.row(by_predicate=pl.col("code") == match.code, named=True)

    def values(self, territories: Sequence[tuple[str, str]]) -> pl.DataFrame:
        """Return the values (:data:`VALUE_COLUMNS`) of some territories, given as ``(level, code)``."""
        wanted = [(pl.col("code") == code) & (pl.col("level") == level) for level, code in territories]
        table = pl.scan_parquet(self.snapshot.path("values.parquet"))
        return table.filter(pl.any_horizontal(wanted)).collect()

    def ranks(self, code: str) -> pl.DataFrame:
        """Return the ranks of one commune, all comparators."""
        return pl.scan_parquet(self.snapshot.path("ranks.parquet")).filter(pl.col("code") == code).collect()

    def town_hall(self, code: str) -> dict[str, Any]:
        """Return address, phone, website, hours and position of the town hall; empty when unknown."""
        rows = self.snapshot.table("town_halls").filter(pl.col("code") == code).collect().to_dicts()
        return rows[0] if rows else {}

    def council(self, code: str) -> dict[str, Any]:
        """Return seats, women and deputies of the municipal council; empty when unknown."""
        rows = self.snapshot.table("councils").filter(pl.col("code") == code).collect().to_dicts()
        return rows[0] if rows else {}


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
