"""Results of build steps, kept by the digest of everything they depend on."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path

import polars as pl

import bourg
from bourg.errors import StorageError
from bourg.sources.files import storage_errors

# EFBIG and "os error 27/28/122" are how size limits and full disks reach us through Polars.
_DISK_FULL = ("os error 28", "os error 27", "os error 122", "No space left", "File too large", "quota exceeded")


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
    """Folders of results, one per step and digest; a folder is complete or absent.

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

    def has(self, name: str, key: str) -> bool:
        """Tell whether the step already has a result for this key."""
        return (self.root / f"{name}-{key}").is_dir()

    def step(self, name: str, key: str, make: Callable[[Path], None]) -> Path:
        """Return the folder of the step, calling ``make(folder)`` only when no result has this key.

        Raises
        ------
        StorageError
            When the disk refuses; nothing is left behind.
        """
        final = self.root / f"{name}-{key}"
        self.used.add(final)
        if final.is_dir():
            self.reused.append(name)
            return final
        with writing(final):
            self.root.mkdir(parents=True, exist_ok=True)
            part = Path(tempfile.mkdtemp(prefix=".part-", dir=self.root))
        try:
            with writing(final):
                make(part)
                part.replace(final)
        finally:
            shutil.rmtree(part, ignore_errors=True)
        self.made.append(name)
        return final

    def prune(self, keep: Iterable[Path] = ()) -> None:
        """Delete the results that neither this build nor ``keep`` uses, and what a killed build left."""
        kept = {path.name for path in [*self.used, *keep]}
        for path in self.root.iterdir():
            if path.name not in kept:
                shutil.rmtree(path, ignore_errors=True)


def link_or_copy(source: Path, target: Path) -> None:
    """Put ``source`` at ``target`` without using disk twice when the file system allows it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
