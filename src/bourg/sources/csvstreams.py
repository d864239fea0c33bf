"""The bytes of very large text files, block after block, straight from their zip or gzip."""

from __future__ import annotations

import contextlib
import gzip
import zipfile
import zlib
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

from bourg.errors import ArchiveError
from bourg.sources.archives import choose_member, damaged

# Below the size from which the system gives each block new pages, which costs more than to fill them.
BLOCK = 8 * 1024**2
# A national file of Sirene unpacks to about ten gigabytes; nothing is written, so the cap is only against bombs.
MAX_STREAMED_BYTES = 64 * 1024**3
MAX_RATIO = 250
_AHEAD = 4
_PIECE = 256 * 1024
_FREE_BYTES = 128 * 1024**2
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, OSError)


def _filled(stream: IO[bytes] | gzip.GzipFile) -> bytes:
    """Return the next block; small pieces spare the archive from moving again and again what it has not inflated."""
    pieces, missing = [], BLOCK
    while missing and (piece := stream.read(min(missing, _PIECE))):
        pieces.append(piece)
        missing -= len(piece)
    return b"".join(pieces)


def _chunks(stream: IO[bytes] | gzip.GzipFile, packed: int | None, where: str) -> Iterator[bytes]:
    total = 0
    while True:
        try:
            block = _filled(stream)
        except _DAMAGED as error:
            raise damaged(where, str(error) or type(error).__name__) from error
        if not block:
            return
        total += len(block)
        if packed is not None and (total > MAX_STREAMED_BYTES or (total > _FREE_BYTES and total > MAX_RATIO * packed)):
            raise ArchiveError(
                "L'archive se déplie en un contenu démesuré : elle est refusée.",
                where=where,
                why=f"plus de {total // 1024**2} Mo pour {packed // 1024} ko compressés.",
                next_step="téléchargez à nouveau le fichier depuis la page officielle de la source.",
            )
        yield block


@contextlib.contextmanager
def opened(path: Path, members: tuple[str, ...]) -> Iterator[tuple[str, Iterator[bytes]]]:
    """Yield the kind of content (``text`` or ``parquet``) and its blocks.

    Parameters
    ----------
    members
        Patterns of the member to read in a zip.

    Raises
    ------
    ArchiveError
        Encrypted, damaged or oversized archive, the last two when its blocks are read.
    """
    with path.open("rb") as stream:
        start = stream.read(8)
    size = max(path.stat().st_size, 1)
    if start.startswith(b"PK"):
        member = choose_member(path, members)
        with zipfile.ZipFile(path) as archive:
            declared = archive.getinfo(member)
            if declared.flag_bits & 0x1:
                raise ArchiveError(
                    "L'archive est protégée par un mot de passe.",
                    where=path.name,
                    next_step="prenez le fichier public de la source, qui n'est pas chiffré.",
                )
            try:
                inside = archive.open(member)
            except (zipfile.BadZipFile, NotImplementedError) as error:
                raise damaged(path.name, str(error)) from error
            with inside:
                yield "text", _chunks(inside, max(declared.compress_size, 1), f"{path.name} → {member}")
    elif start.startswith(b"\x1f\x8b"):
        with gzip.open(path) as unpacked:
            yield "text", _chunks(unpacked, size, path.name)
    elif start.startswith(b"PAR1"):
        yield "parquet", iter(())
    else:
        with path.open("rb") as plain:
            yield "text", _chunks(plain, None, path.name)


def with_first(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    """Yield a block, unless it is empty, and those that follow."""
    if first:
        yield first
    yield from rest


def ahead(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield blocks that one thread inflates in advance, a few of them at most."""
    with ThreadPoolExecutor(1) as pool:
        waiting = deque(pool.submit(next, blocks, None) for _ in range(_AHEAD))
        while (block := waiting.popleft().result()) is not None:
            waiting.append(pool.submit(next, blocks, None))
            yield block
