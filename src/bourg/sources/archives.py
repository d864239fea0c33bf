"""Zip, gzip and lzma files from outside: opened with a cap on what they may unpack to."""

from __future__ import annotations

import fnmatch
import gzip
import lzma
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from bourg.errors import ArchiveError
from bourg.sources.files import CHUNK, storage_errors

# The largest official file read here (national located BPE, about 900 MB of CSV) stays far below this cap.
MAX_UNPACKED_BYTES = 4 * 1024**3
# Official CSV files compress 5 to 40 times; DEFLATE alone cannot exceed about 1,030.
MAX_RATIO = 250
# Below this size the ratio says nothing (a short column repeated) and costs nothing.
RATIO_FREE_BYTES = 64 * 1024**2
# Documentation that producers put beside the data, sometimes larger than a data file.
_ASIDE = re.compile(r"(meta|varmod|dico|dictionnaire|lisez|readme|doc)|.*metadata", re.IGNORECASE)
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, gzip.BadGzipFile, lzma.LZMAError, NotImplementedError)


def refuse_bomb(packed: int, unpacked: int, where: str) -> None:
    """Refuse content that unpacks beyond the declared ratio or absolute cap.

    Raises
    ------
    ArchiveError
        Beyond ``MAX_UNPACKED_BYTES``, or beyond ``MAX_RATIO`` once ``RATIO_FREE_BYTES`` is passed.
    """
    if unpacked > MAX_UNPACKED_BYTES or (unpacked > RATIO_FREE_BYTES and unpacked > MAX_RATIO * max(packed, 1)):
        raise ArchiveError(
            "L'archive se déplie en un contenu démesuré : elle est refusée.",
            where=where,
            why=f"{unpacked // 1024**2} Mo pour {max(packed // 1024, 1)} ko compressés (limites : "
            f"{MAX_UNPACKED_BYTES // 1024**2} Mo, rapport de {MAX_RATIO}).",
            next_step="téléchargez à nouveau le fichier depuis la page officielle de la source.",
        )


def damaged(where: str, why: str) -> ArchiveError:
    """Return the error of an archive cut short or corrupted."""
    return ArchiveError(
        "L'archive est endommagée ou tronquée.",
        where=where,
        why=why,
        next_step="supprimez ce fichier et téléchargez-le à nouveau (bourg fetch).",
    )


def zip_members(path: Path) -> list[zipfile.ZipInfo]:
    """Return the files of a zip (folders left out), the central directory only.

    Raises
    ------
    ArchiveError
        When the zip is damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return [member for member in archive.infolist() if not member.is_dir()]
    except _DAMAGED as error:
        raise damaged(path.name, str(error)) from error


def choose_member(path: Path, patterns: tuple[str, ...]) -> str:
    """Return the name of the member that matches the first pattern that matches one, the largest if several.

    Documentation (``meta_*``, ``varmod_*``…) is only chosen when nothing else matches.

    Parameters
    ----------
    path
        A zip file.
    patterns
        Shell patterns on the file name without its folder, case ignored, the best first.

    Raises
    ------
    ArchiveError
        When the zip is damaged or when no member matches.
    """
    members = zip_members(path)
    for pattern in patterns:
        matching = [m for m in members if fnmatch.fnmatch(m.filename.rsplit("/", 1)[-1].lower(), pattern.lower())]
        data = [m for m in matching if not _ASIDE.match(m.filename.rsplit("/", 1)[-1])]
        if matching:
            return max(data or matching, key=lambda member: member.file_size).filename
    found = ", ".join(m.filename for m in members[:8]) or "aucun"
    raise ArchiveError(
        "L'archive ne contient pas le fichier attendu.",
        where=path.name,
        why=f"attendu : {' ou '.join(patterns)} ; trouvé : {found}.",
        next_step="vérifiez que vous avez bien pris l'archive indiquée par « bourg sources --explain ».",
    )


def _blocks(stream: IO[bytes], packed: int, where: str) -> Iterator[bytes]:
    total = 0
    while True:
        try:
            block = stream.read(CHUNK)
        except _DAMAGED as error:
            raise damaged(where, str(error) or type(error).__name__) from error
        if not block:
            return
        total += len(block)
        refuse_bomb(packed, total, where)
        yield block


def _member_blocks(path: Path, member: str) -> Iterator[bytes]:
    where = f"{path.name} → {member}"
    try:
        with zipfile.ZipFile(path) as archive:
            info = archive.getinfo(member)
            if info.flag_bits & 0x1:
                raise ArchiveError(
                    "L'archive est protégée par un mot de passe.",
                    where=where,
                    next_step="prenez le fichier public de la source, qui n'est pas chiffré.",
                )
            # The declared size may lie: it is checked before, and what really comes out is checked after.
            refuse_bomb(info.compress_size, info.file_size, where)
            with archive.open(info) as stream:
                yield from _blocks(stream, info.compress_size, where)
    except KeyError as error:
        raise ArchiveError("L'archive ne contient pas le fichier attendu.", where=where) from error
    except _DAMAGED as error:
        raise damaged(where, str(error) or type(error).__name__) from error


def _lzma_blocks(blocks: Iterator[bytes], where: str) -> Iterator[bytes]:
    decoder = lzma.LZMADecompressor()
    packed = total = 0
    for data in blocks:
        packed += len(data)
        block = data
        while not decoder.eof:
            try:
                out = decoder.decompress(block, CHUNK)
            except lzma.LZMAError as error:
                raise damaged(where, str(error)) from error
            block = b""
            total += len(out)
            # LZMA reaches far higher ratios than DEFLATE on plain text; only the absolute cap is meaningful.
            if total > MAX_UNPACKED_BYTES:
                refuse_bomb(packed, total, where)
            yield out
            if decoder.needs_input:
                break
    if not decoder.eof:
        raise damaged(where, "la fin du flux lzma manque")


def read_zip_member(path: Path, member: str) -> bytes:
    """Return a member of a zip (or wheel) as bytes, ``.lzma`` and ``.xz`` members unpacked.

    Raises
    ------
    ArchiveError
        Damaged, encrypted or oversized archive, or no such member.
    """
    blocks = _member_blocks(path, member)
    if member.endswith((".lzma", ".xz")):
        blocks = _lzma_blocks(blocks, f"{path.name} → {member}")
    return b"".join(blocks)


def _write(blocks: Iterator[bytes], target: Path) -> None:
    with storage_errors(target), target.open("wb") as out:
        for block in blocks:
            out.write(block)


def extract_member(path: Path, member: str, target: Path) -> None:
    """Write a member of a zip to ``target`` by blocks; the member's own path is never used (no zip-slip).

    Raises
    ------
    ArchiveError
        Damaged, encrypted or oversized archive, or no such member.
    StorageError
        Disk full.
    """
    _write(_member_blocks(path, member), target)


def gunzip(path: Path, target: Path) -> None:
    """Unpack a gzip file to ``target`` by blocks.

    Raises
    ------
    ArchiveError
        Damaged, truncated or oversized file.
    StorageError
        Disk full.
    """
    opener: Callable[[Path], gzip.GzipFile] = gzip.GzipFile
    with opener(path) as stream:
        _write(_blocks(stream, path.stat().st_size, path.name), target)  # type: ignore[arg-type]
