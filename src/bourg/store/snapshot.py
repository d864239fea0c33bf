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
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from bourg.errors import SnapshotError, StorageError
from bourg.sources.files import sha256_of, write_atomic

SCHEMA_VERSION = 1
_CURRENT = "CURRENT"
_KEPT = 3


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

    def read_json(self, name: str) -> Any:
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
        return pointer.read_text(encoding="utf-8").strip() or None if pointer.is_file() else None

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
            raise SnapshotError("L'instantané est illisible.", where=str(folder), why=str(error), next_step=rebuild) from error
        if version != SCHEMA_VERSION:
            raise SnapshotError(
                "L'instantané vient d'une autre version de Bourg.",
                where=str(folder),
                why=f"format {version}, attendu {SCHEMA_VERSION}.",
                next_step=rebuild,
            )
        snapshot = Snapshot(folder, manifest)
        for name, entry in manifest["files"].items():
            path = folder / name
            if not path.is_file() or path.stat().st_size != entry["size"]:
                raise SnapshotError("L'instantané est abîmé.", where=str(path), next_step=rebuild)
        return snapshot

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
                "Le dossier des instantanés ne peut pas être écrit.", where=str(self.root), why=str(error),
                next_step="choisissez un autre dossier avec BOURG_HOME.",
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(descriptor)
            raise StorageError(
                "Une construction est déjà en cours dans ce dossier.", where=str(self.root),
                next_step="attendez qu'elle finisse, ou donnez un autre dossier avec BOURG_HOME.",
            ) from error
        try:
            yield
        finally:
            os.close(descriptor)

    def publish(self, part: Path, manifest: dict[str, Any]) -> Snapshot:
        """Put the complete folder ``part`` in service and return the snapshot.

        The manifest is written last; the folder is renamed, then ``CURRENT`` is replaced. Older snapshots are
        deleted, the last three are kept.
        """
        files = {
            str(path.relative_to(part)): {"size": path.stat().st_size, "sha256": sha256_of(path)}
            for path in sorted(part.rglob("*"))
            if path.is_file()
        }
        manifest = {**manifest, "schema": SCHEMA_VERSION, "files": files}
        write_atomic(part / "manifest.json", json.dumps(manifest, ensure_ascii=False, indent=1).encode())
        final, copy = self.root / manifest["id"], 1
        while final.exists():
            if self._same_files(final, files):
                shutil.rmtree(part)
                break
            # A damaged folder has taken the name: it may still be in service, so it is not touched.
            copy += 1
            final = self.root / f"{manifest['id']}-{copy}"
        else:
            part.replace(final)
        write_atomic(self.root / _CURRENT, (final.name + "\n").encode())
        self._forget_old()
        return self.open(final.name)

    @staticmethod
    def _same_files(folder: Path, files: dict[str, dict[str, Any]]) -> bool:
        return all(
            (folder / name).is_file() and sha256_of(folder / name) == entry["sha256"] for name, entry in files.items()
        )

    def _forget_old(self) -> None:
        folders = [path for path in self.root.iterdir() if (path / "manifest.json").is_file()]
        folders.sort(key=lambda path: path.stat().st_mtime_ns, reverse=True)
        for path in folders[_KEPT:]:
            if path.name != self.current_id():
                shutil.rmtree(path, ignore_errors=True)
