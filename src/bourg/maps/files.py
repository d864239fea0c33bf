"""Files of the map: kept compressed, as they travel to the browser; same input, same bytes."""

from __future__ import annotations

import gzip
from pathlib import Path

from bourg.errors import SnapshotError, StorageError

_LEVEL = 6


def gz_path(path: Path) -> Path:
    """Return where :func:`write_gzip` puts ``path``."""
    return path.with_name(path.name + ".gz")


def write_gzip(path: Path, content: bytes) -> int:
    """Write ``<path>.gz`` and return its size in bytes.

    The gzip header carries no date and no name, so that the same content always gives the same file. The plain
    file is not kept: it would take four times the room, and every browser accepts gzip.

    Raises
    ------
    StorageError
        When the folder cannot be written.
    """
    compressed = gzip.compress(content, compresslevel=_LEVEL, mtime=0)
    target = gz_path(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(compressed)
    except OSError as error:
        raise StorageError(
            "Un fichier de la carte n'a pas pu être écrit.",
            where=str(target),
            why=str(error),
            next_step="libérez de la place, puis relancez : bourg build.",
        ) from error
    return len(compressed)


def read_gzip(path: Path) -> bytes:
    """Return the content written by :func:`write_gzip`.

    Raises
    ------
    SnapshotError
        When the file is missing or damaged.
    """
    target = gz_path(path)
    try:
        return gzip.decompress(target.read_bytes())
    except (OSError, EOFError) as error:
        raise SnapshotError(
            "Un fichier de la carte est absent ou abîmé.",
            where=target.name,
            why=str(error),
            next_step="reconstruisez l'instantané : bourg build.",
        ) from error
