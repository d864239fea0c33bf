"""Small helpers on files: checksums, atomic writes, and disk errors said in French."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from bourg.errors import StorageError

CHUNK = 1 << 20
_WHY = {
    errno.ENOSPC: "il n'y a plus de place sur le disque.",
    errno.EDQUOT: "le quota de disque est atteint.",
    errno.EROFS: "le dossier est en lecture seule.",
    errno.EACCES: "l'écriture n'est pas permise dans ce dossier.",
    errno.EPERM: "l'écriture n'est pas permise dans ce dossier.",
}


@contextlib.contextmanager
def storage_errors(where: Path) -> Iterator[None]:
    """Turn the disk errors that a user can cure (full, read-only…) into :class:`StorageError`.

    Raises
    ------
    StorageError
        Disk full, quota reached, read-only folder, permission denied.
    """
    try:
        yield
    except OSError as error:
        if isinstance(error, StorageError) or error.errno not in _WHY:
            raise
        raise StorageError(
            "Le fichier n'a pas pu être écrit.",
            where=str(where),
            why=_WHY[error.errno],
            next_step="libérez de la place ou choisissez un autre dossier avec BOURG_HOME, puis relancez la commande.",
        ) from error


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, read by blocks."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(CHUNK):
            digest.update(block)
    return digest.hexdigest()


def publish(part: Path, final: Path) -> None:
    """Put a complete ``.part`` file in service: flushed to disk, then renamed in one step.

    Raises
    ------
    StorageError
        Disk full or read-only.
    """
    with storage_errors(final):
        with part.open("rb+") as stream:
            os.fsync(stream.fileno())
        part.replace(final)
        folder = os.open(final.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def write_atomic(final: Path, content: bytes) -> None:
    """Write a small file so that a reader sees the old content or the new one, never a half.

    Raises
    ------
    StorageError
        Disk full or read-only; the old file is untouched.
    """
    part = final.with_name(final.name + ".part")
    with storage_errors(final):
        final.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(content)
    publish(part, final)
