"""Snapshots: a folder of plain Parquet files, dated, checksummed, put in service in one step.

A snapshot is never edited. ``CURRENT`` names the one in service; it is replaced only when the next one is complete,
so a build that is killed or that meets a full disk leaves the last good snapshot untouched.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from bourg.errors import SnapshotError, StorageError
from bourg.sources.files import sha256_of, write_atomic
from bourg.store.cache import PART, writing

SCHEMA_VERSION = 1
_CURRENT = "CURRENT"
_KEPT = 3
_MANIFEST = ("id", "created", "bourg", "cog", "tables", "sources", "files")


@dataclass(frozen=True)
class Snapshot:
    """An opened snapshot.

    Attributes
    ----------
    folder
        Where its files are.
    manifest
        Content of ``manifest.json``: id, date, files with their SHA-256, sources with vintage, origin and checksum.
    """

    folder: Path
    manifest: dict[str, Any] = field(repr=False)

    @property
    def id(self) -> str:
        """Return the identifier, which depends on the content only."""
        return str(self.manifest["id"])

    @property
    def demo(self) -> bool:
        """Tell whether at least one source is generated."""
        return any(item["origin"] == "demo" for item in self.manifest["sources"])

    def path(self, name: str) -> Path:
        """Return the path of a file of the snapshot.

        Raises
        ------
        SnapshotError
            When the snapshot does not have this file.
        """
        if name not in self.manifest["files"]:
            raise SnapshotError(
                f"L'instantané {self.id} n'a pas de fichier « {name} ».", next_step="reconstruisez-le : bourg build."
            )
        return self.folder / name

    def has_table(self, name: str) -> bool:
        """Tell whether the snapshot holds this table."""
        return f"tables/{name}.parquet" in self.manifest["files"]

    def table(self, name: str) -> pl.LazyFrame:
        """Return a table, lazily."""
        return pl.scan_parquet(self.path(f"tables/{name}.parquet"))

    def read_json(self, name: str) -> Any:  # noqa: ANN401 - JSON
        """Return the content of a JSON file of the snapshot."""
        return json.loads(self.path(name).read_text(encoding="utf-8"))

    def verify(self) -> list[str]:
        """Return, in French, what differs from the manifest; an empty list means a sound snapshot."""
        problems = []
        for name, entry in self.manifest["files"].items():
            path = self.folder / name
            if not path.is_file():
                problems.append(f"{name} : fichier absent")
            elif path.stat().st_size != entry["size"] or sha256_of(path) != entry["sha256"]:
                problems.append(f"{name} : contenu modifié depuis la construction")
        return problems


class SnapshotStore:
    """The snapshots of one installation.

    Parameters
    ----------
    root
        Folder of the snapshots (``Settings.snapshots``).
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def current_id(self) -> str | None:
        """Return the id of the snapshot in service, ``None`` when there is none."""
        pointer = self.root / _CURRENT
        return pointer.read_text(encoding="utf-8", errors="replace").strip() or None if pointer.is_file() else None

    def current(self) -> Snapshot:
        """Open the snapshot in service.

        Raises
        ------
        SnapshotError
            When there is none, or when it is damaged or of another version.
        """
        if (identifier := self.current_id()) is None:
            raise SnapshotError(
                "Aucun instantané n'est construit.",
                where=str(self.root),
                next_step="construisez-en un : « bourg demo » (sans réseau) ou « bourg fetch » puis « bourg build ».",
            )
        return self.open(identifier)

    def open(self, identifier: str) -> Snapshot:
        """Open one snapshot; sizes are checked here, checksums by :meth:`Snapshot.verify`.

        Raises
        ------
        SnapshotError
            When it is missing, damaged or of another version.
        """
        folder = self.root / identifier
        rebuild = "reconstruisez-le : « bourg build » ou « bourg demo »."
        try:
            manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
            version = manifest["schema"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise SnapshotError(
                "L'instantané est illisible.", where=str(folder), why=_reason(error), next_step=rebuild
            ) from error
        if version != SCHEMA_VERSION:
            raise SnapshotError(
                "L'instantané vient d'une autre version de Bourg.",
                where=str(folder),
                why=f"format {version}, attendu {SCHEMA_VERSION}.",
                next_step=rebuild,
            )
        try:
            lacking = [name for name in _MANIFEST if name not in manifest]
            sizes = {name: int(entry["size"]) for name, entry in manifest["files"].items()}
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise SnapshotError(
                "L'instantané est abîmé.", where=str(folder / "manifest.json"), why=_reason(error), next_step=rebuild
            ) from error
        if lacking:
            raise SnapshotError(
                "L'instantané est abîmé.",
                where=str(folder / "manifest.json"),
                why=f"il n'y a plus : {', '.join(lacking)}.",
                next_step=rebuild,
            )
        for name, size in sizes.items():
            path = folder / name
            if not path.is_file():
                raise SnapshotError(
                    "L'instantané est abîmé.", where=str(path), why="fichier absent.", next_step=rebuild
                )
            if (found := path.stat().st_size) != size:
                raise SnapshotError(
                    "L'instantané est abîmé.",
                    where=str(path),
                    why=f"{found} octets au lieu de {size}.",
                    next_step=rebuild,
                )
        return Snapshot(folder, manifest)

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the right to build: one build at a time in a folder; a killed build frees it by itself.

        Raises
        ------
        StorageError
            When another build is under way or the folder cannot be written.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.root / ".lock", os.O_CREAT | os.O_RDWR, 0o644)
        except OSError as error:
            raise StorageError(
                "Le dossier des instantanés ne peut pas être écrit.",
                where=str(self.root),
                why=str(error),
                next_step="choisissez un autre dossier avec BOURG_HOME.",
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(descriptor)
            raise StorageError(
                "Une construction est déjà en cours dans ce dossier.",
                where=str(self.root),
                next_step="attendez qu'elle finisse, ou donnez un autre dossier avec BOURG_HOME.",
            ) from error
        try:
            yield
        finally:
            os.close(descriptor)

    @contextlib.contextmanager
    def part(self) -> Iterator[Path]:
        """Give an empty folder to fill for :meth:`publish`; it is gone afterwards, published or not.

        Raises
        ------
        StorageError
            When the disk refuses.
        """
        with writing(self.root):
            part = Path(tempfile.mkdtemp(prefix=PART, dir=self.root))
        try:
            yield part
        finally:
            shutil.rmtree(part, ignore_errors=True)

    def sweep(self) -> None:
        """Delete what killed builds left; only the holder of the lock may call it."""
        for path in self.root.glob(f"{PART}*"):
            shutil.rmtree(path, ignore_errors=True)

    def publish(self, part: Path, manifest: dict[str, Any]) -> Snapshot:
        """Put the complete folder ``part`` in service and return the snapshot.

        The manifest is written last; the folder is renamed, then ``CURRENT`` is replaced. Older snapshots are
        deleted, the last three are kept.
        """
        files = {}
        for path in sorted(path for path in part.rglob("*") if path.is_file()):
            _flush(path)
            files[str(path.relative_to(part))] = {"size": path.stat().st_size, "sha256": sha256_of(path)}
        manifest = {**manifest, "schema": SCHEMA_VERSION, "files": files}
        write_atomic(part / "manifest.json", json.dumps(manifest, ensure_ascii=False, indent=1).encode())
        # Temporary folders are private; a snapshot may be served by another account.
        part.chmod(0o755)
        final, copy = self.root / manifest["id"], 1
        while final.exists():
            if self._holds(final.name, files):
                os.utime(final)
                break
            # A damaged folder has taken the name: it may still be in service, so it is not touched.
            copy += 1
            final = self.root / f"{manifest['id']}-{copy}"
        else:
            part.replace(final)
        write_atomic(self.root / _CURRENT, (final.name + "\n").encode())
        self._forget_old()
        return self.open(final.name)

    def _holds(self, identifier: str, files: dict[str, dict[str, Any]]) -> bool:
        """Tell whether a snapshot is sound and made of these very files."""
        try:
            snapshot = self.open(identifier)
        except SnapshotError:
            return False
        return bool(snapshot.manifest["files"] == files) and not snapshot.verify()

    def _forget_old(self) -> None:
        folders = [path for path in self.root.iterdir() if (path / "manifest.json").is_file()]
        folders.sort(key=lambda path: path.stat().st_mtime_ns, reverse=True)
        for path in folders[_KEPT:]:
            if path.name != self.current_id():
                shutil.rmtree(path, ignore_errors=True)


def _flush(path: Path) -> None:
    """Have the content on disk before the snapshot is named: a power cut must not leave an empty file in service."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _reason(error: Exception) -> str:
    return f"attribut absent : {error}" if isinstance(error, KeyError) else str(error)
