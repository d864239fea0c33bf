"""The folder of a site: refused when it is something else, written file by file, remembered in a manifest."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any, NoReturn

from bourg.errors import BourgError, StorageError

MANIFEST = ".bourg-site.json"
ARRAYS = ".bourg-site.npz"
# Files being written, and those that they replaced, at most so many.
_WORK, _ASIDE = ".bourg-en-cours", 2000
_VERSION = 1


class NotASiteError(BourgError, FileExistsError):
    """A folder that holds something else than a site made by Bourg."""

    exit_code = 2

    __str__ = BourgError.__str__


def digest(content: bytes) -> str:
    """Return the short hash that the manifest keeps of a content."""
    # Most processors have instructions for this one: twice as fast as the others on the gigabyte of a site.
    return hashlib.sha256(content).hexdigest()[:24]


class SiteFolder:
    """The folder where a site is written.

    Parameters
    ----------
    root
        Folder; created when it does not exist.

    Raises
    ------
    NotASiteError
        When it holds files and is not a site.
    StorageError
        When it cannot be read or written.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.manifest: dict[str, Any] = {}
        self.aside: list[Path] = []
        try:
            if root.exists() and not root.is_dir():
                self._refuse("La sortie demandée est un fichier, pas un dossier.", "")
            root.mkdir(parents=True, exist_ok=True)
            if (root / MANIFEST).is_file():
                self.manifest = _read(root / MANIFEST)
            elif any(root.iterdir()):
                self._refuse(
                    "Ce dossier n'est pas vide et n'est pas un site fait par Bourg.",
                    f"il ne contient pas de fichier {MANIFEST}.",
                )
            self._clear()
            self._write(MANIFEST, json.dumps(self.manifest or {"version": _VERSION, "fichiers": {}}).encode())
        except NotASiteError:
            raise
        except OSError as error:
            raise _refused(root, error) from error

    def _refuse(self, what: str, why: str) -> NoReturn:
        raise NotASiteError(
            what, where=str(self.root), why=why,
            next_step="donnez un dossier vide, ou qui n'existe pas encore : rien n'a été effacé ni écrit.",
        )  # fmt: skip

    @classmethod
    def opened(cls, root: Path, files: dict[str, str]) -> SiteFolder:
        """Return the folder that another process has already checked."""
        made = cls.__new__(cls)
        made.root, made.manifest, made.aside = root, {"fichiers": files}, []
        return made

    @property
    def files(self) -> dict[str, str]:
        """Hash of the content of every file of the last run, by path."""
        found: dict[str, str] = self.manifest.get("fichiers", {})
        return found

    def begin(self) -> None:
        """Forget on disk what the last run wrote, until :meth:`finish`: a killed run then trusts no file.

        Raises
        ------
        StorageError
            When the disk refuses.
        """
        unsure = dict.fromkeys(self.files, "")
        try:
            self._write(MANIFEST, json.dumps({"version": _VERSION, "fichiers": unsure}).encode())
        except OSError as error:
            raise _refused(self.root, error) from error

    def write(self, name: str, content: bytes) -> tuple[str, bool]:
        """Write one file unless it already has this content; return its hash, and whether it was written.

        Raises
        ------
        StorageError
            When the disk refuses; the former file is then intact.
        """
        key = digest(content)
        path = self.root / name
        try:
            if self.files.get(name) == key and path.is_file() and path.stat().st_size == len(content):
                return key, False
            self._write(name, content)
        except OSError as error:
            raise _refused(path, error) from error
        return key, True

    def arrays(self) -> bytes:
        """Return the arrays kept by the last run; nothing when there are none, or when they are not its own.

        Raises
        ------
        StorageError
            When the disk refuses.
        """
        path = self.root / ARRAYS
        try:
            content = path.read_bytes() if path.is_file() else b""
        except OSError as error:
            raise _refused(path, error) from error
        return content if digest(content) == self.manifest.get("tableaux") else b""

    def write_arrays(self, content: bytes) -> str:
        """Keep arrays for the next run; return their hash, which the manifest has to hold under « tableaux ».

        Raises
        ------
        StorageError
            When the disk refuses.
        """
        try:
            self._write(ARRAYS, content)
        except OSError as error:
            raise _refused(self.root, error) from error
        return digest(content)

    def _write(self, name: str, content: bytes) -> None:
        path = self.root / name
        part = self.root / _WORK / f"{os.getpid()}.part"
        try:
            try:
                part.write_bytes(content)
            except FileNotFoundError:
                part.parent.mkdir(parents=True, exist_ok=True)
                part.write_bytes(content)
            self._put_aside(path)
            try:
                part.replace(path)
            except FileNotFoundError:
                path.parent.mkdir(parents=True, exist_ok=True)
                part.replace(path)
        except OSError:
            part.unlink(missing_ok=True)
            raise

    def _clear(self) -> None:
        """Delete the files of work, those that a killed run left included."""
        shutil.rmtree(self.root / _WORK, ignore_errors=True)
        self.aside = []

    def _put_aside(self, path: Path) -> None:
        """Keep a file that is about to be replaced until many are deleted together.

        Some file systems (ext4) look long for the place of a new file while others have just been deleted: writing a
        thousand pages anew takes twice as long when each deletes the one before.
        """
        kept = self.aside
        if len(kept) >= _ASIDE:
            while kept:
                kept.pop().unlink(missing_ok=True)
        other = self.root / _WORK / f"{os.getpid()}-{len(kept)}"
        # Without hard links nothing is kept.
        with contextlib.suppress(OSError):
            os.link(path, other)
            kept.append(other)

    def finish(self, manifest: dict[str, Any]) -> list[str]:
        """Write the manifest, then delete the files of the last run that are no longer of the site; return them."""
        gone = sorted(set(self.files) - set(manifest["fichiers"]))
        content = {"version": _VERSION, **manifest}
        try:
            self._write(MANIFEST, json.dumps(content, ensure_ascii=False, sort_keys=True).encode())
            for name in gone:
                path = (self.root / name).resolve()
                # A manifest changed by hand must not make Bourg delete something else.
                if path.is_relative_to(self.root.resolve()):
                    path.unlink(missing_ok=True)
                    _prune(path.parent, self.root.resolve())
            self._clear()
        except OSError as error:
            raise _refused(self.root, error) from error
        self.manifest = content
        return gone


def _prune(folder: Path, root: Path) -> None:
    while folder != root and folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        good = content["version"] == _VERSION and isinstance(content["fichiers"], dict)
    except (ValueError, KeyError, TypeError) as error:
        raise NotASiteError(
            "Le fichier qui décrit le site est illisible.", where=str(path), why=str(error),
            next_step="donnez un dossier vide, ou effacez ce site à la main.",
        ) from error  # fmt: skip
    if not good:
        raise NotASiteError(
            "Ce site a été fait par une autre version de Bourg.", where=str(path),
            next_step="donnez un dossier vide, ou effacez ce site à la main.",
        )  # fmt: skip
    found: dict[str, Any] = content
    return found


def _refused(path: Path, error: OSError) -> StorageError:
    return StorageError(
        "Le site ne peut pas être écrit.", where=str(path), why=error.strerror or str(error),
        next_step="vérifiez les droits et la place libre, ou donnez un autre dossier.",
    )  # fmt: skip
