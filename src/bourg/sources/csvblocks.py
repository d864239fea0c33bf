"""Very large CSV files read by blocks, straight from their zip or gzip: nothing is unpacked on the disk.

The national files of Sirene are CSV of ten gigabytes in a zip of three. One thread inflates while the blocks before are
parsed, and the caller keeps what it needs of each block: memory stays that of a few blocks. A caller that needs few
lines may give a sieve, which sees the bytes before they become a table.
"""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from bourg.errors import SourceFormatError
from bourg.sources import csvstreams, sniffing
from bourg.sources.archives import damaged
from bourg.sources.layouts import Layout, match_layout, missing_columns, no_rows, unique_names
from bourg.sources.report import MAX_EXAMPLES, ReadReport

PARQUET_ROWS = 1_000_000
# A sieve is compiled or loaded on its first call: small files go without.
SIEVED_FROM = 64 * 1024**2
# Bytes kept by the sieve that are put together before they are parsed.
BATCH = 8 * 1024**2
MAX_RAGGED_SHARE = 0.01
MAX_RAGGED_FREE = 10
_MAX_RECORD = 4 * 1024**2
_BOM = b"\xef\xbb\xbf"
_QUOTE, _LINE_END = ord('"'), ord("\n")
Bytes = npt.NDArray[np.uint8]
Longs = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Sifted:
    """What a sieve keeps of a block: whole lines, their ranks among the ``rows`` it met, and the bytes these took."""

    data: bytes
    numbers: Longs
    rows: int
    used: int


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
    sieve
        Leaves out lines that the caller has no use for, or answers ``None`` when it cannot tell lines apart; asked
        from :data:`SIEVED_FROM` bytes on.
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
    sieve: Callable[[bytes], Sifted | None] | None = None

    @property
    def places(self) -> dict[str, int]:
        """Logical name -> rank of its column in the file."""
        return {name: self.header.index(column) for name, column in self.columns.items()}

    def frames(self) -> Iterator[tuple[pl.DataFrame, Longs]]:
        """Yield frames of text with the logical columns, absent ones null, and the ranks of their rows in the file.

        Wrong lines are counted as rejected; lines that the sieve leaves out are only counted in :attr:`rows`.

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

    def _slices(self, lazy: pl.LazyFrame) -> Iterator[tuple[pl.DataFrame, Longs]]:
        chosen = [
            (pl.col(self.columns[name]).cast(pl.String) if name in self.columns else _absent()).alias(name)
            for name in self.fields
        ]
        try:
            total = lazy.select(pl.len()).collect().item()
            for start in range(0, total, PARQUET_ROWS):
                frame = lazy.slice(start, PARQUET_ROWS).select(chosen).collect(engine="streaming")
                self.rows += frame.height
                yield frame, np.arange(start, start + frame.height)
        except (pl.exceptions.PolarsError, OSError) as error:
            raise damaged(self.path.name, str(error).split("\n", 1)[0][:200]) from error

    def _blocks(self, source: Iterator[bytes]) -> Iterator[tuple[pl.DataFrame, Longs]]:
        carry, met = b"", 0
        kept: list[Sifted] = []
        for block in csvstreams.ahead(source):
            met += len(block)
            data = carry + block
            if self.sieve and met > SIEVED_FROM and (sifted := self.sieve(data)):
                carry = data[sifted.used :]
                self._check_record(carry)
                kept.append(dataclasses.replace(sifted, numbers=sifted.numbers + self.rows))
                self.rows += sifted.rows
                if sum(len(each.data) for each in kept) >= BATCH:
                    yield from self._gathered(kept)
                continue
            yield from self._gathered(kept)
            cut = block.rfind(b"\n") + 1
            if not cut:
                carry = data
                self._check_record(carry)
                continue
            cut += len(carry)
            data, rest = data[:cut], data[cut:]
            before = self.rows
            data, left = self._whole(data)
            carry = left + rest
            if data:
                frame = self._parse(data)
                yield frame, np.arange(before, before + frame.height)
        yield from self._gathered(kept)
        if carry.strip():
            yield from self._last(carry)

    def _gathered(self, kept: list[Sifted]) -> Iterator[tuple[pl.DataFrame, Longs]]:
        """Parse what the sieve kept, and forget it."""
        data = b"".join(each.data for each in kept)
        if data:
            yield self._parse(data), np.concatenate([each.numbers for each in kept])
        kept.clear()

    def _last(self, carry: bytes) -> Iterator[tuple[pl.DataFrame, Longs]]:
        """Read what follows the last line end: a whole record, or the sign of a file cut short."""
        records = list(csv.reader(io.StringIO(_decode(carry), newline=""), delimiter=self.separator))
        if len(records) != 1 or len(records[0]) != len(self.header) or _odd(carry):
            raise SourceFormatError(
                "Le fichier est tronqué : sa dernière ligne est incomplète.",
                where=f"{self.path.name}, ligne {self.rows + 2}",
                next_step="téléchargez-le à nouveau (bourg fetch).",
            )
        self.rows += 1
        yield self._parse(carry + b"\n"), np.array([self.rows - 1])

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
        places = self.places
        wanted = sorted(places.values())

        def parsed(content: bytes) -> pl.DataFrame:
            # A field between quotes that is empty is no more than one without.
            return pl.read_csv(
                content,
                separator=self.separator,
                has_header=False,
                infer_schema=False,
                columns=wanted,
                null_values="",
            )

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
    with csvstreams.opened(path, members) as (kind, blocks):
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
                source = csvstreams.with_first(rest if end else b"", blocks)
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
