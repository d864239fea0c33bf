"""Backup and restore of an installation: what cannot be rebuilt, and what would be long to rebuild.

Statistics are rebuilt from the sources; the backup keeps the snapshot in service all the same, because a producer may
have changed or withdrawn a file since. Downloads, caches and generated files are left out: they come back alone.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

from bourg import __version__
from bourg.errors import BourgError, ParameterError, SnapshotError
from bourg.settings import Settings
from bourg.sources.files import CHUNK, publish, sha256_of, storage_errors, write_atomic
from bourg.store.snapshot import SnapshotStore

Progress = Callable[[str, float], None]
_MANIFEST = "sauvegarde.json"
_VERSION = 1
_SNAPSHOTS = "snapshots"
_CURRENT = f"{_SNAPSHOTS}/CURRENT"
# Folders of the installation that are kept whole; each entry inside is replaced as one.
_KEPT = ("networks", "footfall", "osm")
_MOST_FILES = 1_000_000
_MOST_MANIFEST = 500 << 20


class BackupError(BourgError, ValueError):
    """An archive that is not a backup of Bourg, or that is damaged."""

    exit_code = 4


@dataclass(frozen=True)
class BackupReport:
    """What was kept or restored: archive, snapshot, entries (``networks/redon``…), files and bytes."""

    archive: str
    snapshot: str
    entries: tuple[str, ...]
    files: int
    size: int

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return asdict(self)


def backup(settings: Settings, archive: Path, progress: Progress | None = None) -> BackupReport:
    """Write the backup of an installation; the archive appears complete or not at all.

    Parameters
    ----------
    settings
        The installation.
    archive
        File to write (``.tar``); an older backup of that name is replaced.
    progress
        Called with a French label and the share done.

    Raises
    ------
    SnapshotError
        When no snapshot is in service, or when it is damaged.
    ParameterError
        When the archive would be inside what it keeps.
    StorageError
        When the disk refuses.
    """
    snapshot = SnapshotStore(settings.snapshots).current()
    kept = [snapshot.folder, *_entries(settings)]
    if any(archive.resolve().is_relative_to(folder.resolve()) for folder in kept):
        raise ParameterError(
            "La sauvegarde serait dans ce qu'elle garde.", where=str(archive), next_step="donnez un autre dossier."
        )
    paths = sorted(path for folder in kept for path in folder.rglob("*") if path.is_file())
    names = {path.relative_to(settings.home).as_posix(): path for path in paths}
    sizes = {name: path.stat().st_size for name, path in names.items()}
    total = sum(sizes.values()) or 1
    files = {name: {"size": sizes[name], "sha256": sha256_of(path)} for name, path in names.items()}
    content = {"version": _VERSION, "bourg": __version__, "snapshot": snapshot.folder.name, "files": files}
    part = archive.with_name(f".{archive.name}.part")
    done = 0
    with storage_errors(archive), contextlib.ExitStack() as cleaning:
        archive.parent.mkdir(parents=True, exist_ok=True)
        cleaning.callback(part.unlink, missing_ok=True)
        with tarfile.open(part, "w", format=tarfile.PAX_FORMAT) as tar:
            text = json.dumps(content, ensure_ascii=False, sort_keys=True).encode()
            tar.addfile(_member(_MANIFEST, len(text)), io.BytesIO(text))
            for name, path in names.items():
                if progress:
                    progress(name, done / total)
                with path.open("rb") as stream:
                    tar.addfile(_member(name, sizes[name]), stream)
                done += sizes[name]
        publish(part, archive)
    folders = tuple(folder.relative_to(settings.home).as_posix() for folder in kept)
    return BackupReport(str(archive), snapshot.folder.name, folders, len(files), total)


def restore(
    settings: Settings, archive: Path, *, replace: bool = False, progress: Progress | None = None
) -> BackupReport:
    """Put a backup back; nothing changes before the whole archive has been read and checked.

    Parameters
    ----------
    settings
        The installation, empty or not.
    archive
        File made by :func:`backup`.
    replace
        Allow to replace the snapshot in service, and networks and series of the same name.
    progress
        Called with a French label and the share done.

    Raises
    ------
    BackupError
        When the file is not a backup, is cut or was changed.
    ParameterError
        When the installation already has something that would be replaced, and ``replace`` is false.
    StorageError
        When the disk refuses.
    """
    store = SnapshotStore(settings.snapshots)
    with storage_errors(settings.home):
        settings.home.mkdir(parents=True, exist_ok=True)
    with (
        store.lock(),
        storage_errors(settings.home),
        tempfile.TemporaryDirectory(dir=settings.home, prefix=".restauration-") as temporary,
    ):
        work = Path(temporary)
        content = _extracted(archive, work / "nouveau", progress)
        identifier = str(content["snapshot"])
        entries = _units(content["files"])
        taken = [name for name in entries if (settings.home / name).exists()]
        current = store.current_id()
        # The same snapshot is the same bytes: putting it back takes nothing away.
        lost = [name for name in taken if name != f"{_SNAPSHOTS}/{current}" or current != identifier]
        if not replace and (lost or current not in (None, identifier)):
            raise ParameterError(
                "Cette installation contient déjà ce que la sauvegarde remettrait.", where=str(settings.home),
                why=f"déjà là : {', '.join(lost[:5]) or f'un instantané en service, {current}'}.",
                next_step="relancez avec --remplacer, ou donnez un dossier vide avec BOURG_HOME.",
            )  # fmt: skip
        SnapshotStore(work / "nouveau" / _SNAPSHOTS).open(identifier)
        for number, name in enumerate(entries):
            if name == f"{_SNAPSHOTS}/{current}" and _sound(store):
                continue  # in service and sound: readers are not disturbed
            _swap(work / "nouveau" / name, settings.home / name, work / f"ancien-{number}")
        write_atomic(settings.home / _CURRENT, f"{identifier}\n".encode())
    sizes = [int(entry["size"]) for entry in content["files"].values()]
    return BackupReport(str(archive), identifier, tuple(entries), len(sizes), sum(sizes))


def _sound(store: SnapshotStore) -> bool:
    try:
        return not store.current().verify()
    except SnapshotError:
        return False


def _entries(settings: Settings) -> list[Path]:
    found = [settings.home / name for name in _KEPT]
    return [entry for folder in found if folder.is_dir() for entry in sorted(folder.iterdir()) if _whole(entry)]


def _whole(entry: Path) -> bool:
    # What a killed command left half-written starts with a dot.
    return not entry.name.startswith(".")


def _member(name: str, size: int) -> tarfile.TarInfo:
    """Return a member without owner nor date: the same installation gives the same archive."""
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.mtime = size, 0o644, 0
    return info


def _units(files: dict[str, Any]) -> list[str]:
    """Return the folders or files that are put back as one: ``snapshots/s1…``, ``networks/redon``."""
    return sorted({"/".join(PurePosixPath(name).parts[:2]) for name in files})


def _swap(new: Path, final: Path, old: Path) -> None:
    final.parent.mkdir(parents=True, exist_ok=True)
    if final.exists():
        final.rename(old)
    new.rename(final)


def _extracted(archive: Path, folder: Path, progress: Progress | None) -> dict[str, Any]:
    """Read the archive into a folder, checking names, sizes and checksums; return its manifest."""
    try:
        with _opened(archive) as tar:
            content = _read_manifest(tar, archive)
            files: dict[str, dict[str, Any]] = content["files"]
            needed = sum(int(entry["size"]) for entry in files.values())
            if needed > shutil.disk_usage(folder.parent).free:
                raise ParameterError(
                    "Il n'y a pas assez de place pour remettre cette sauvegarde.", where=str(folder.parent),
                    why=f"il faut {needed} octets.", next_step="libérez de la place, ou changez BOURG_HOME.",
                )  # fmt: skip
            done, left = 0, dict(files)
            while (member := tar.next()) is not None:
                entry = left.pop(member.name, None)
                stream = tar.extractfile(member) if member.isreg() else None
                if entry is None or stream is None or member.size != entry["size"]:
                    raise _damaged(archive, f"« {member.name[:80]} » n'est pas décrit ainsi")
                if progress:
                    progress(member.name, done / max(needed, 1))
                if _copied(stream, folder / member.name) != entry["sha256"]:
                    raise _damaged(archive, f"« {member.name[:80]} » a changé")
                done += member.size
            if left:
                raise _damaged(archive, f"il manque {len(left)} fichiers, dont « {next(iter(left))[:80]} »")
    except (tarfile.TarError, EOFError) as error:
        raise _damaged(archive, str(error)) from error
    return content


@contextlib.contextmanager
def _opened(archive: Path) -> Iterator[tarfile.TarFile]:
    try:
        tar = tarfile.open(archive, "r:")  # noqa: SIM115 - closed below, with errors of its own
    except FileNotFoundError as error:
        raise ParameterError(
            "La sauvegarde n'existe pas.", where=str(archive), next_step="vérifiez le chemin."
        ) from error
    except (tarfile.TarError, OSError) as error:
        raise _damaged(archive, str(error)) from error
    with tar:
        yield tar


def _read_manifest(tar: tarfile.TarFile, archive: Path) -> dict[str, Any]:
    first = tar.next()
    stream = tar.extractfile(first) if first and first.name == _MANIFEST and first.isreg() else None
    if first is None or stream is None or first.size > _MOST_MANIFEST:
        raise _damaged(archive, "ce n'est pas une sauvegarde de Bourg")
    try:
        content: dict[str, Any] = json.loads(stream.read())
        version, files, identifier = content["version"], content["files"], content["snapshot"]
        names = [PurePosixPath(name) for name in files]
        sound = len(names) <= _MOST_FILES and all(
            len(name.parts) > 1 and name.parts[0] in (_SNAPSHOTS, *_KEPT) and _plain(name) and isinstance(size, int)
            for name, size in zip(names, (entry["size"] for entry in files.values()), strict=True)
        )
        sound = sound and all(isinstance(entry["sha256"], str) for entry in files.values())
        sound = sound and f"{_SNAPSHOTS}/{identifier}/manifest.json" in files
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _damaged(archive, f"sa description est illisible ({error})") from error
    if version != _VERSION:
        raise BackupError(
            "Cette sauvegarde vient d'une autre version de Bourg.", where=str(archive),
            why=f"format {version}, attendu {_VERSION}.", next_step="restaurez-la avec la version qui l'a faite.",
        )  # fmt: skip
    if not sound:
        raise _damaged(archive, "sa description nomme des fichiers qui ne peuvent pas en être")
    return content


def _plain(name: PurePosixPath) -> bool:
    return not name.is_absolute() and not {"..", "."} & set(name.parts) and "\\" not in str(name)


def _copied(stream: IO[bytes], path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with path.open("wb") as out:
        while block := stream.read(CHUNK):
            digest.update(block)
            out.write(block)
        out.flush()
        os.fsync(out.fileno())
    return digest.hexdigest()


def _damaged(archive: Path, why: str) -> BackupError:
    return BackupError(
        "La sauvegarde ne peut pas être restaurée.", where=str(archive), why=f"{why}.",
        next_step="rien n'a été changé ; essayez une autre sauvegarde.",
    )  # fmt: skip
