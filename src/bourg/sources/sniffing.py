"""Look at the bytes of a text file before it is parsed: encoding, separators, ragged or truncated lines.

One pass by blocks, in C speed and bounded memory: quoted fields are removed from each block, then line ends,
separators and quotes are counted. Only a file whose counts do not add up is read again record by record.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import numpy as np

from bourg.errors import SourceFormatError
from bourg.sources.files import CHUNK, storage_errors
from bourg.sources.report import MAX_EXAMPLES

SEPARATORS = (";", ",", "\t", "|")
_LINE_END = ord("\n")
HEAD_BYTES = 256 * 1024
MAX_FIELD_BYTES = 4 * 1024**2
_BOM = codecs.BOM_UTF8
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_CP1252_HOLES = re.compile(rb"[\x81\x8d\x8f\x90\x9d]")
_NAMES = {"utf-8": "UTF-8", "cp1252": "Windows-1252", "latin-1": "Latin-1", "cp850": "CP850", "utf-16": "UTF-16"}


def encoding_name(encoding: str) -> str:
    """Return the name of an encoding as a reader knows it."""
    return _NAMES.get(encoding, encoding)


@dataclass
class Text:
    """What one pass over a text file found.

    Attributes
    ----------
    encoding
        Python name of the encoding.
    boms
        Number of UTF-8 byte order marks at the start (exports wrapped twice have two).
    lines
        Line ends outside quoted fields, plus an unfinished last line.
    separators
        Occurrences of the separator outside quoted fields.
    odd_quotes
        A quote inside an unquoted field, or one never closed: only a record by record reading can tell.
    excel_cells
        The file has spreadsheet cells such as ``="01001"``.
    """

    encoding: str
    boms: int = 0
    lines: int = 0
    separators: int = 0
    odd_quotes: bool = False
    excel_cells: bool = False


def _check_start(path: Path, head: bytes) -> None:
    if not head.strip(_BOM + b"\x00 \r\n\t"):
        raise SourceFormatError(
            "Le fichier est vide.",
            where=path.name,
            next_step="téléchargez-le à nouveau, ou retirez-le pour que la source soit dite absente.",
        )
    start = head[:512].lstrip(_BOM + b" \r\n\t").lower()
    if start.startswith((b"<!doctype html", b"<html", b"<?xml")):
        raise SourceFormatError(
            "Le fichier est une page web et non un fichier de données.",
            where=path.name,
            why="le site a sans doute répondu par un message d'erreur.",
            next_step="téléchargez à nouveau le fichier depuis la page officielle de la source.",
        )


def _encoding_of(path: Path, declared: str | None) -> str:
    with path.open("rb") as stream:
        head = stream.read(HEAD_BYTES)
        _check_start(path, head)
        if declared:
            return declared
        if head.startswith(_UTF16):
            return "utf-16"
        stream.seek(0)
        decoder = codecs.getincrementaldecoder("utf-8")()
        holes = False
        utf8 = True
        while block := stream.read(CHUNK):
            # isascii is about ten times faster than decoding, and most official files are nearly ASCII.
            if utf8 and not (block.isascii() and decoder.getstate()[0] == b""):
                try:
                    decoder.decode(block)
                except UnicodeDecodeError:
                    utf8 = False
            if not utf8:
                holes = holes or bool(_CP1252_HOLES.search(block))
    if utf8 and decoder.getstate()[0] == b"":
        return "utf-8"
    return "latin-1" if holes else "cp1252"


def quoted_field(separator: str) -> re.Pattern[bytes]:
    """Return the expression of a quoted field: a quote inside an unquoted field (``5" large``) opens nothing."""
    return re.compile(rb"(?<![^\r\n" + re.escape(separator.encode()) + rb'])"[^"]*(?:""[^"]*)*"')


def _outside_quotes(path: Path, separator: str, text: Text) -> Iterator[bytes]:
    """Yield the bytes of a file without its quoted fields."""
    quoted = quoted_field(separator)
    carry = b""
    with path.open("rb") as stream:
        stream.seek(text.boms * len(_BOM))
        while block := stream.read(CHUNK):
            text.excel_cells = text.excel_cells or b'="' in block
            chunk = carry + block
            carry = b""
            if b'"' in chunk:
                if chunk.count(b'"') % 2:
                    cut = chunk.rindex(b'"')
                    chunk, carry = chunk[:cut], chunk[cut:]
                    if len(carry) > MAX_FIELD_BYTES:
                        break
                chunk = quoted.sub(b"", chunk)
                text.odd_quotes = text.odd_quotes or b'"' in chunk
            yield chunk
    if carry:
        text.odd_quotes = True
        yield carry


def examine(path: Path, declared: str | None = None) -> Text:
    """Return the encoding of a text file and its byte order marks; lines are counted by :func:`count`.

    Parameters
    ----------
    path
        The file, not compressed.
    declared
        Encoding to trust instead of the guess: needed for CP850, which nothing tells from CP1252.

    Raises
    ------
    SourceFormatError
        Empty file, or a web page saved in place of the data.
    """
    text = Text(_encoding_of(path, declared))
    with path.open("rb") as stream:
        head = stream.read(12)
    while head.startswith(_BOM):
        text.boms += 1
        head = head[len(_BOM) :]
    return text


def count(path: Path, separator: str, text: Text) -> None:
    """Count lines and separators outside quoted fields into ``text``, and look for spreadsheet cells."""
    code = ord(separator)
    last = b""
    for chunk in _outside_quotes(path, separator, text):
        values = np.frombuffer(chunk, dtype=np.uint8)
        # Several times faster than bytes.count on bytes as frequent as separators.
        text.separators += int(np.count_nonzero(values == code))
        text.lines += int(np.count_nonzero(values == _LINE_END))
        last = chunk[-1:] or last
    text.lines += last != b"\n"


def to_utf8(path: Path, target: Path, encoding: str) -> None:
    """Write a copy in UTF-8 without byte order mark, by blocks.

    Raises
    ------
    SourceFormatError
        When the file is not in that encoding.
    StorageError
        Disk full.
    """
    try:
        with (
            storage_errors(target),
            path.open(encoding=encoding, newline="") as source,
            target.open("w", encoding="utf-8", newline="") as out,
        ):
            first = True
            while block := source.read(CHUNK):
                out.write(block.lstrip("\ufeff") if first else block)
                first = False
    except UnicodeError as error:
        raise SourceFormatError(
            f"Le fichier n'est pas encodé en {encoding_name(encoding)}.", where=path.name, why=str(error)
        ) from error


def head_records(path: Path, separator: str, count: int) -> list[tuple[int, list[str]]]:
    """Return the first records of a UTF-8 file, each with the physical line where it ends (from 1)."""
    with path.open("rb") as stream:
        head = stream.read(HEAD_BYTES).decode("utf-8", errors="ignore")
    reader = csv.reader(io.StringIO(head.lstrip("\ufeff"), newline=""), delimiter=separator)
    found: list[tuple[int, list[str]]] = []
    try:
        for record in reader:
            if record:
                found.append((reader.line_num, record))
            if len(found) == count:
                break
    except csv.Error:
        return found
    return found


@dataclass
class Ragged:
    """Lines that do not have the number of fields of the header.

    ``short_end`` says why the end of the file looks cut, or is empty.
    """

    count: int = 0
    records: int = 0
    examples: list[str] = field(default_factory=list)
    short_end: str = ""


class _Lines:
    """Physical lines of a file, the last one remembered."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self.last = ""

    def __iter__(self) -> Iterator[str]:
        for line in self._stream:
            self.last = line
            yield line


def _unclosed(path: Path, line: int, why: str) -> SourceFormatError:
    return SourceFormatError(
        "Un guillemet est ouvert et jamais fermé.",
        where=f"{path.name}, ligne {line}",
        why=why,
        next_step="ouvrez le fichier à cette ligne, ou téléchargez-le à nouveau s'il a été coupé.",
    )


def drop_ragged(path: Path, target: Path, separator: str, width: int, header_line: int) -> Ragged:
    """Copy a UTF-8 file to ``target`` without the blank lines and those that do not have ``width`` fields.

    Parameters
    ----------
    path, target
        Source and copy; the lines up to ``header_line`` are copied as they are.
    separator
        One character.
    width
        Number of fields of the header.
    header_line
        Physical line of the header (from 1).

    Raises
    ------
    SourceFormatError
        A quoted field that never ends.
    StorageError
        Disk full.
    """
    ragged = Ragged()
    with (
        storage_errors(target),
        path.open(encoding="utf-8", newline="") as source,
        target.open("w", encoding="utf-8", newline="") as out,
    ):
        for _ in range(header_line):
            out.write(source.readline())
        lines = _Lines(source)
        reader = csv.reader(lines, delimiter=separator, skipinitialspace=True)
        writer = csv.writer(out, delimiter=separator, lineterminator="\n")
        start = end = header_line
        record: list[str] = []
        try:
            for record in reader:
                start, end = end + 1, header_line + reader.line_num
                if width > 1 and not any(cell.strip() for cell in record):
                    continue
                ragged.records += 1
                if len(record) == width:
                    writer.writerow(record)
                    continue
                ragged.count += 1
                if len(ragged.examples) < MAX_EXAMPLES:
                    ragged.examples.append(f"ligne {start} : {len(record)} champs au lieu de {width}")
        except csv.Error as error:
            raise _unclosed(path, end + 1, str(error)) from error
    if end > start and len(record) != width:
        raise _unclosed(path, start, "le champ ouvert à cette ligne avale la fin du fichier.")
    if end == start and re.search(rf'(?:^|{re.escape(separator)})"(?:[^"]|"")*$', lines.last.rstrip("\r\n")):
        raise _unclosed(path, start, "la dernière ligne est coupée au milieu d'un champ.")
    # A lone text after the table is a footnote, not a cut.
    if 1 < len(record) < width or (len(record) == 1 < width and not lines.last.endswith("\n")):
        ragged.short_end = f"ligne {start} : {len(record)} champs au lieu de {width}"
    return ragged
