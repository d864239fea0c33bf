"""Very large CSV files read by blocks, straight from their zip or gzip: nothing is unpacked on the disk.

The national files of Sirene are CSV of ten gigabytes in a zip of three. One thread inflates while Polars parses the
block before with every core, and the caller keeps what it needs of each block: memory stays that of a few blocks.
"""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt
import polars as pl

from bourg.errors import ArchiveError, SourceFormatError
from bourg.sources import sniffing
from bourg.sources.archives import choose_member, damaged
from bourg.sources.layouts import Layout, match_layout, missing_columns, no_rows, unique_names
from bourg.sources.report import MAX_EXAMPLES, ReadReport

BLOCK = 32 * 1024**2
PARQUET_ROWS = 1_000_000
# A national file of Sirene unpacks to about ten gigabytes; nothing is written, so the cap is only against bombs.
MAX_STREAMED_BYTES = 64 * 1024**3
MAX_RATIO = 250
MAX_RAGGED_SHARE = 0.01
MAX_RAGGED_FREE = 10
_MAX_RECORD = 4 * 1024**2
_BOM = b"\xef\xbb\xbf"
_QUOTE, _LINE_END = ord('"'), ord("\n")
Bytes = npt.NDArray[np.uint8]
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, OSError)


@dataclass
class Blocks:
    """An opened large table.

    Attributes
    ----------
    layout
        Name of the layout recognised.
    columns
        Logical name -> name in the file.
    rows
        Data rows met so far, the ragged ones included.
    """

    path: Path
    layout: str
    fields: Layout
    columns: dict[str, str]
    header: list[str]
    report: ReadReport
    source: Iterator[bytes] | pl.LazyFrame
    separator: str = ","
    rows: int = 0
    ragged: int = 0
    _encodings: set[str] = field(default_factory=set)

    def frames(self) -> Iterator[pl.DataFrame]:
        """Yield frames of text with the logical columns, absent ones null; wrong lines are counted as rejected.

        Raises
        ------
        SourceFormatError
            No row, truncated file, or too many lines that do not have the fields of the header.
        ArchiveError
            Damaged or oversized archive.
        """
        if isinstance(self.source, pl.LazyFrame):
            yield from self._slices(self.source)
        else:
            yield from self._blocks(self.source)
        if self.rows - self.ragged <= 0:
            raise no_rows(self.path)
        self._judge()

    def _slices(self, lazy: pl.LazyFrame) -> Iterator[pl.DataFrame]:
        chosen = [
            (pl.col(self.columns[name]).cast(pl.String) if name in self.columns else _absent()).alias(name)
            for name in self.fields
        ]
        try:
            total = lazy.select(pl.len()).collect().item()
            for start in range(0, total, PARQUET_ROWS):
                frame = lazy.slice(start, PARQUET_ROWS).select(chosen).collect(engine="streaming")
                self.rows += frame.height
                yield frame
        except (pl.exceptions.PolarsError, OSError) as error:
            raise damaged(self.path.name, str(error).split("\n", 1)[0][:200]) from error

    def _blocks(self, source: Iterator[bytes]) -> Iterator[pl.DataFrame]:
        carry = b""
        with ThreadPoolExecutor(1) as pool:
            pending = pool.submit(next, source, None)
            while (block := pending.result()) is not None:
                pending = pool.submit(next, source, None)
                cut = block.rfind(b"\n") + 1
                if not cut:
                    carry += block
                    self._check_record(carry)
                    continue
                data, carry = carry + block[:cut], block[cut:]
                data, left = self._whole(data)
                carry = left + carry
                if data:
                    yield self._parse(data)
        if carry.strip():
            yield from self._last(carry)

    def _last(self, carry: bytes) -> Iterator[pl.DataFrame]:
        """Read what follows the last line end: a whole record, or the sign of a file cut short."""
        records = list(csv.reader(io.StringIO(_decode(carry), newline=""), delimiter=self.separator))
        if len(records) != 1 or len(records[0]) != len(self.header) or _odd(carry):
            raise SourceFormatError(
                "Le fichier est tronqué : sa dernière ligne est incomplète.",
                where=f"{self.path.name}, ligne {self.rows + 2}",
                next_step="téléchargez-le à nouveau (bourg fetch).",
            )
        self.rows += 1
        yield self._parse(carry + b"\n")

    def _whole(self, data: bytes) -> tuple[bytes, bytes]:
        """Return the lines of a block that have the fields of the header, and an unfinished last record."""
        width = len(self.header)
        values = np.frombuffer(data, dtype=np.uint8)
        separators = int(np.count_nonzero(values == ord(self.separator)))
        lines = data.count(b"\n")
        sound = True
        if b'"' in data:
            inside, sound = _inside_quotes(values, self.separator)
            separators -= int(np.count_nonzero(inside == ord(self.separator)))
            lines -= int(np.count_nonzero(inside == _LINE_END))
        if sound and separators == (width - 1) * lines:
            self.rows += lines
            return data, b""
        return self._mend(data, width)

    def _mend(self, data: bytes, width: int) -> tuple[bytes, bytes]:
        text = _decode(data)
        out = io.StringIO(newline="")
        writer = csv.writer(out, delimiter=self.separator, lineterminator="\n")
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=self.separator)
        examples: list[str] = []
        wrong = kept = start = 0
        try:
            for record in reader:
                line, start = start, reader.line_num
                if not any(cell.strip() for cell in record):
                    continue
                if record[-1].endswith("\n"):
                    # The block ends inside a quoted field: its record is read again with the next block.
                    left = "".join(text.splitlines(keepends=True)[line:]).encode()
                    self._check_record(left)
                    self._reject(wrong, examples, kept)
                    return out.getvalue().encode(), left
                if len(record) == width:
                    writer.writerow(record)
                    kept += 1
                    continue
                wrong += 1
                if len(examples) < MAX_EXAMPLES:
                    examples.append(f"ligne {self.rows + kept + wrong + 1} : {len(record)} champs au lieu de {width}")
        except csv.Error as error:
            raise _unclosed(self.path, self.rows + kept + 2) from error
        self._reject(wrong, examples, kept)
        return out.getvalue().encode(), b""

    def _reject(self, wrong: int, examples: list[str], kept: int) -> None:
        self.rows += wrong + kept
        self.ragged += wrong
        self.report.reject("nombre de champs différent de l'en-tête", wrong, examples)
        if self.ragged > MAX_RAGGED_FREE and self.ragged > self.rows / 2:
            self._judge()

    def _judge(self) -> None:
        if self.ragged > max(MAX_RAGGED_FREE, MAX_RAGGED_SHARE * self.rows):
            raise SourceFormatError(
                "Trop de lignes n'ont pas le nombre de champs de l'en-tête.",
                where=self.path.name,
                why=f"{self.ragged} lignes sur {self.rows}.",
                next_step="vérifiez le séparateur et les guillemets du fichier.",
            )

    def _check_record(self, data: bytes) -> None:
        if len(data) > _MAX_RECORD:
            raise _unclosed(self.path, self.rows + 2)

    def _parse(self, data: bytes) -> pl.DataFrame:
        places = {name: self.header.index(column) for name, column in self.columns.items()}
        wanted = sorted(places.values())

        def parsed(content: bytes) -> pl.DataFrame:
            return pl.read_csv(content, separator=self.separator, has_header=False, infer_schema=False, columns=wanted)

        try:
            try:
                frame = parsed(data)
            except pl.exceptions.ComputeError:
                frame = parsed(data.decode("cp1252", errors="replace").encode())
                self.report.note("certains passages ne sont pas en UTF-8 : lus comme du Windows-1252")
        except pl.exceptions.PolarsError as error:
            raise SourceFormatError(
                "Le contenu du fichier ne peut pas être lu.",
                where=f"{self.path.name}, vers la ligne {self.rows}",
                why=str(error).split("\n", 1)[0][:300],
                next_step="téléchargez-le à nouveau : il est sans doute coupé ou abîmé.",
            ) from error
        # Columns come back in the order of the file, under names made up by Polars.
        frame.columns = sorted(places, key=lambda name: places[name])
        return frame.select(pl.col(name) if name in places else _absent().alias(name) for name in self.fields)


def _inside_quotes(values: Bytes, separator: str) -> tuple[Bytes, bool]:
    """Return the bytes of quoted fields, and whether each quote stands where a field begins or ends.

    A quote inside an unquoted field opens nothing: only a record by record reading can tell. The two quotes of an
    escaped one close a piece and open the next.
    """
    quotes = np.flatnonzero(values == _QUOTE)
    if quotes.size % 2:
        return values[:0], False
    first, last = quotes[0::2], quotes[1::2]
    edges = np.array([_QUOTE, _LINE_END, ord(separator), ord("\r")], dtype=np.uint8)
    before = values[first - 1][first > 0]
    after = values[last[last + 1 < values.size] + 1]
    sound = bool(np.isin(before, edges).all() and np.isin(after, edges).all())
    sizes = last - first
    ends = np.cumsum(sizes)
    total = int(ends[-1]) if ends.size else 0
    return values[np.arange(total) + np.repeat(first - (ends - sizes), sizes)], sound


def _absent() -> pl.Expr:
    return pl.lit(None, dtype=pl.String)


def _odd(data: bytes) -> bool:
    return data.count(b'"') % 2 == 1


def _decode(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")


def _unclosed(path: Path, line: int) -> SourceFormatError:
    return SourceFormatError(
        "Un guillemet est ouvert et jamais fermé.",
        where=f"{path.name}, vers la ligne {line}",
        next_step="ouvrez le fichier à cette ligne, ou téléchargez-le à nouveau s'il a été coupé.",
    )


def _chunks(stream: IO[bytes] | gzip.GzipFile, packed: int | None, where: str) -> Iterator[bytes]:
    total = 0
    while True:
        try:
            block = stream.read(BLOCK)
        except _DAMAGED as error:
            raise damaged(where, str(error) or type(error).__name__) from error
        if not block:
            return
        total += len(block)
        if packed is not None and (total > MAX_STREAMED_BYTES or (total > BLOCK * 4 and total > MAX_RATIO * packed)):
            raise ArchiveError(
                "L'archive se déplie en un contenu démesuré : elle est refusée.",
                where=where,
                why=f"plus de {total // 1024**2} Mo pour {packed // 1024} ko compressés.",
                next_step="téléchargez à nouveau le fichier depuis la page officielle de la source.",
            )
        yield block


@contextlib.contextmanager
def _opened(path: Path, members: tuple[str, ...]) -> Iterator[tuple[str, Iterator[bytes]]]:
    """Yield the kind of content and its blocks."""
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


def _with_first(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    if first:
        yield first
    yield from rest


@contextlib.contextmanager
def open_blocks(
    path: Path, layouts: Mapping[str, Layout], report: ReadReport, *, members: tuple[str, ...] = ("*.csv",)
) -> Iterator[Blocks]:
    """Open a large official table: CSV, CSV in zip or gzip, or Parquet.

    Parameters
    ----------
    layouts
        Known layouts, the most specific first; the header is the first line.
    members
        Patterns of the member to read in a zip.

    Raises
    ------
    SourceFormatError
        Missing or empty file, or missing columns.
    ArchiveError
        Damaged, encrypted or oversized archive.
    """
    if not path.is_file():
        raise SourceFormatError("Le fichier n'existe pas.", where=str(path), next_step="vérifiez le chemin donné.")
    with _opened(path, members) as (kind, blocks):
        if kind == "parquet":
            yield _parquet(path, layouts, report)
            return
        first = next(blocks, b"")
        while b"\n" not in first and len(first) < _MAX_RECORD and (more := next(blocks, b"")):
            first += more
        while first.startswith(_BOM):
            first = first[len(_BOM) :]
        line, end, rest = first.partition(b"\n")
        if not first.strip(b"\x00 \r\n\t"):
            raise SourceFormatError(
                "Le fichier est vide.",
                where=path.name,
                next_step="téléchargez-le à nouveau, ou retirez-le pour que la source soit dite absente.",
            )
        names: list[str] = []
        for separator in sniffing.SEPARATORS:
            record = _header(line[: 64 * 1024], separator)
            header = unique_names(record)
            if match := match_layout(layouts, header):
                layout, columns = match
                source = _with_first(rest if end else b"", blocks)
                yield Blocks(path, layout, layouts[layout], columns, header, report, source, separator)
                return
            names = max(names, header, key=len)
        raise missing_columns(path, layouts, names, 1)


def _header(line: bytes, separator: str) -> list[str]:
    try:
        return next(csv.reader([_decode(line).rstrip("\r")], delimiter=separator), [])
    except csv.Error:
        return []


def _parquet(path: Path, layouts: Mapping[str, Layout], report: ReadReport) -> Blocks:
    try:
        lazy = pl.scan_parquet(path, glob=False)
        names = lazy.collect_schema().names()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise damaged(path.name, str(error).split("\n", 1)[0][:200]) from error
    match = match_layout(layouts, names)
    if match is None:
        raise missing_columns(path, layouts, names, 1)
    return Blocks(path, match[0], layouts[match[0]], match[1], names, report, lazy)
