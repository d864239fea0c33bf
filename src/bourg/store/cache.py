"""Results of build steps, kept by the digest of everything they depend on."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path

import polars as pl

import bourg
from bourg.errors import StorageError
from bourg.sources.files import sha256_of, storage_errors, write_atomic

# What a finished step holds, written last: a step without its seal, or that differs from it, is made again.
SEAL = "etape.json"
# Work in progress: folders of this prefix are complete nowhere and belong to the build under way.
PART = ".part-"

# How size limits and full disks reach us through Polars; "transport error" when they strike a header of Parquet.
_DISK_FULL = (
    "os error 28", "os error 27", "os error 122", "No space left", "File too large", "quota exceeded",
    "thrift: transport error",
)  # fmt: skip


def digest(*parts: object) -> str:
    """Return a 16-character digest of the text of ``parts``."""
    joined = "\x1f".join(str(part) for part in parts)
    return hashlib.sha256(joined.encode()).hexdigest()[:16]


@cache
def code_digest(*packages: str) -> str:
    """Return a digest of the source files of some of our packages, so that changed code redoes its steps."""
    root = Path(bourg.__file__).parent
    hasher = hashlib.sha256(bourg.__version__.encode())
    for package in packages:
        target = root / package
        files = sorted(target.rglob("*")) if target.is_dir() else [target]
        for path in files:
            if path.suffix in {".py", ".yaml"}:
                hasher.update(str(path.relative_to(root)).encode())
                hasher.update(path.read_bytes())
    return hasher.hexdigest()[:16]


@contextlib.contextmanager
def writing(where: Path) -> Iterator[None]:
    """Say disk errors in French, those that Polars raises as its own included.

    Raises
    ------
    StorageError
        Disk full, file too large, read-only folder.
    """
    try:
        with storage_errors(where):
            yield
    except StorageError:
        raise
    except (OSError, pl.exceptions.PolarsError) as error:
        if not any(text in str(error) for text in _DISK_FULL):
            raise
        raise StorageError(
            "Le fichier n'a pas pu être écrit.",
            where=str(where),
            why="il n'y a plus de place sur le disque, ou la taille de fichier permise est dépassée.",
            next_step="libérez de la place ou choisissez un autre dossier avec BOURG_HOME, puis relancez : "
            "le dernier instantané reste en service.",
        ) from error


class StepCache:
    """Folders of results, one per step and digest; a folder is complete and as it was made, or it is not used.

    Parameters
    ----------
    root
        Folder of the cache.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.used: set[Path] = set()
        self.made: list[str] = []
        self.reused: list[str] = []
        self._sound: dict[Path, bool] = {}

    def has(self, name: str, key: str) -> bool:
        """Tell whether the step already has a sound result for this key.

        Files are shared with the snapshots (hard links): one that was damaged there must not come back here.
        """
        folder = self.root / f"{name}-{key}"
        if folder not in self._sound:
            self._sound[folder] = _is_sound(folder)
        return self._sound[folder]

    def step(self, name: str, key: str, make: Callable[[Path], None]) -> Path:
        """Return the folder of the step, calling ``make(folder)`` only when no sound result has this key.

        Raises
        ------
        StorageError
            When the disk refuses; nothing is left behind.
        """
        final = self.root / f"{name}-{key}"
        self.used.add(final)
        if self.has(name, key):
            self.reused.append(name)
            return final
        with writing(final):
            self.root.mkdir(parents=True, exist_ok=True)
            shutil.rmtree(final, ignore_errors=True)
            part = Path(tempfile.mkdtemp(prefix=PART, dir=self.root))
        try:
            with writing(final):
                make(part)
                (part / SEAL).write_text(json.dumps(_contents(part)), encoding="utf-8")
                part.replace(final)
        finally:
            shutil.rmtree(part, ignore_errors=True)
        self._sound[final] = True
        self.made.append(name)
        return final

    def sweep(self) -> None:
        """Delete what killed builds left; only the holder of the build lock may call it."""
        for path in self.root.glob(f"{PART}*"):
            shutil.rmtree(path, ignore_errors=True)

    def prune(self, keep: Iterable[Path] = ()) -> None:
        """Delete the results that neither this build nor ``keep`` uses."""
        kept = {path.name for path in [*self.used, *keep]}
        for path in self.root.iterdir():
            if path.name not in kept:
                shutil.rmtree(path, ignore_errors=True)


def _contents(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != SEAL)
    return {str(path.relative_to(folder)): sha256_of(path) for path in files}


def _is_sound(folder: Path) -> bool:
    try:
        sealed = json.loads((folder / SEAL).read_text(encoding="utf-8"))
        return bool(sealed == _contents(folder))
    except (OSError, ValueError):
        return False


def link_or_copy(source: Path, target: Path) -> None:
    """Put ``source`` at ``target`` without using disk twice when the file system allows it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


class Checksums:
    """Checksums of files already seen, by path, size and time of change: a 300 MB file is hashed once.

    Parameters
    ----------
    path
        Where they are kept.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._known: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            self._known = {}

    def of(self, path: Path) -> str:
        """Return the SHA-256 of a file."""
        stat = path.stat()
        key = f"{path.resolve()}|{stat.st_size}|{stat.st_mtime_ns}"
        if key not in self._known:
            self._known[key] = sha256_of(path)
        return self._known[key]

    def save(self) -> None:
        """Keep what was hashed for the next build.

        Raises
        ------
        StorageError
            When the disk refuses.
        """
        with writing(self.path):
            write_atomic(self.path, json.dumps(self._known, indent=0).encode())
