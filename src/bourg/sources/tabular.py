"""Official tables, whatever their wrapping, as lazy frames of text with the logical columns of a reader.

CSV (any separator and encoding met in official files), gzip, zip, Parquet and spreadsheets are told apart by their
first bytes, never by their name. Large CSV files are scanned by Polars in its streaming engine.
"""

from __future__ import annotations

import codecs
import contextlib
import fnmatch
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import fastexcel
import polars as pl

from bourg.errors import SourceFormatError
from bourg.sources import sniffing
from bourg.sources.archives import choose_member, damaged, extract_member, gunzip, refuse_bomb, zip_members
from bourg.sources.files import storage_errors
from bourg.sources.layouts import Layout, Table, fold, match_layout, missing_columns, no_rows, unique_names
from bourg.sources.report import ReadReport

HEADER_DEPTH = 30
# Beyond these, lines that do not fit the header mean a wrong format rather than a few bad lines.
MAX_RAGGED_SHARE = 0.01
MAX_RAGGED_FREE = 10


@dataclass
class _Header:
    layout: str
    columns: dict[str, str]
    names: list[str]
    line: int
    separator: str


def _find_header(path: Path, text_path: Path, layouts: Mapping[str, Layout]) -> _Header:
    best: tuple[int, int, list[str]] | None = None
    for separator in sniffing.SEPARATORS:
        for line, record in sniffing.head_records(text_path, separator, HEADER_DEPTH):
            names = unique_names(record)
            if match := match_layout(layouts, names):
                return _Header(match[0], match[1], names, line, separator)
            hits = max(sum(f.find(names) is not None for f in layout.values()) for layout in layouts.values())
            # Without any known column, the line cut in the most pieces shows best what the file has.
            if best is None or (hits, len(names) if line == 1 else 0) > (best[0], len(best[2]) if best[1] == 1 else 0):
                best = (hits, line, names)
    _, line, names = best or (0, 1, [])
    raise missing_columns(path, layouts, names, line)


def _scan_text(
    path: Path, work: Path, layouts: Mapping[str, Layout], report: ReadReport, *, scratch: Path, encoding: str | None
) -> Table:
    text_path = work
    look = sniffing.examine(text_path, encoding)
    if look.encoding != "utf-8":
        report.note(f"encodage {sniffing.encoding_name(look.encoding)}, converti en UTF-8")
        converted = scratch / "utf8.csv"
        sniffing.to_utf8(text_path, converted, look.encoding)
        text_path = converted
        look = sniffing.examine(text_path)
    if look.boms > 1:
        report.note(f"{look.boms} marques d'ordre des octets (BOM) en tête, ignorées")
    header = _find_header(path, text_path, layouts)
    sniffing.count(text_path, header.separator, look)
    width = len(header.names)
    before, head_separators = _head_counts(text_path, header)
    rows = look.lines - before
    if rows <= 0:
        raise no_rows(path)
    if look.odd_quotes or look.separators - head_separators != (width - 1) * rows:
        cleaned = scratch / "clean.csv"
        ragged = sniffing.drop_ragged(text_path, cleaned, header.separator, width, header.line)
        _judge(path, ragged)
        report.reject("nombre de champs différent de l'en-tête", ragged.count, ragged.examples)
        text_path, rows = cleaned, ragged.records - ragged.count
        if rows <= 0:
            raise no_rows(path)
    frame = pl.scan_csv(
        text_path,
        separator=header.separator,
        has_header=False,
        skip_lines=header.line,
        schema=dict.fromkeys(header.names, pl.String()),
        glob=False,
    )
    layout = layouts[header.layout]
    return Table(path, header.layout, layout, header.columns, header.names, frame, report, rows, look.excel_cells)


def _head_counts(text_path: Path, header: _Header) -> tuple[int, int]:
    """Return line ends and separators, outside quotes, in the title and header lines."""
    with text_path.open("rb") as stream:
        head = b"".join(stream.readline() for _ in range(header.line))
    bare = sniffing.quoted_field(header.separator).sub(b"", head.lstrip(codecs.BOM_UTF8))
    return bare.count(b"\n") + (not bare.endswith(b"\n")), bare.count(header.separator.encode())


def _judge(path: Path, ragged: sniffing.Ragged) -> None:
    if ragged.short_end:
        raise SourceFormatError(
            "Le fichier est tronqué : sa dernière ligne est incomplète.",
            where=f"{path.name}, {ragged.short_end}",
            next_step="téléchargez-le à nouveau (bourg fetch).",
        )
    if ragged.count > max(MAX_RAGGED_FREE, MAX_RAGGED_SHARE * ragged.records):
        raise SourceFormatError(
            "Trop de lignes n'ont pas le nombre de champs de l'en-tête.",
            where=f"{path.name}, {ragged.examples[0]}",
            why=f"{ragged.count} lignes sur {ragged.records}.",
            next_step="vérifiez le séparateur et les guillemets du fichier.",
        )


def _from_rows(path: Path, raw: pl.DataFrame, layouts: Mapping[str, Layout], report: ReadReport) -> Table:
    """Find the header of a sheet read without header, then name the columns."""
    best: tuple[int, int, list[str]] = (-1, 1, [])
    for index, row in enumerate(raw.head(HEADER_DEPTH).iter_rows()):
        names = unique_names([str(cell) if cell is not None else "" for cell in row])
        if match := match_layout(layouts, names):
            data = raw.slice(index + 1).rename(dict(zip(raw.columns, names, strict=True)))
            fields = layouts[match[0]]
            return Table(path, match[0], fields, match[1], names, data.lazy(), report, data.height, excel_cells=True)
        hits = max(sum(f.find(names) is not None for f in layout.values()) for layout in layouts.values())
        if hits > best[0]:
            best = (hits, index + 1, names)
    raise missing_columns(path, layouts, best[2], best[1])


def read_sheet(path: Path, sheets: Sequence[str]) -> pl.DataFrame | None:
    """Return the first sheet whose name matches one of ``sheets`` (shell patterns), as text without header.

    Raises
    ------
    ArchiveError
        When the workbook is damaged or unpacks to an unreasonable size.
    """
    with path.open("rb") as stream:
        if stream.read(4) == b"PK\x03\x04":
            members = zip_members(path)
            refuse_bomb(path.stat().st_size, sum(member.file_size for member in members), path.name)
    try:
        reader = fastexcel.read_excel(path)
        names = [n for p in sheets for n in reader.sheet_names if fnmatch.fnmatch(fold(n), p)]
        if not names:
            return None
        return reader.load_sheet(names[0], header_row=None, dtypes="string").to_polars()
    except fastexcel.FastExcelError as error:
        raise damaged(path.name, str(error).split("\n", 1)[0]) from error


def _open_sheet(
    path: Path, work: Path, layouts: Mapping[str, Layout], report: ReadReport, sheets: Sequence[str]
) -> Table:
    raw = read_sheet(work, sheets)
    if raw is None:
        raise SourceFormatError(
            "Le classeur n'a pas l'onglet attendu.",
            where=path.name,
            why=f"onglet cherché : {', '.join(sheets)}.",
            next_step="vérifiez que c'est le bon fichier (bourg sources --explain).",
        )
    return _from_rows(path, raw, layouts, report)


def _open_parquet(path: Path, work: Path, layouts: Mapping[str, Layout], report: ReadReport) -> Table:
    try:
        frame = pl.scan_parquet(work, glob=False)
        names = frame.collect_schema().names()
        rows = frame.select(pl.len()).collect().item()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise damaged(path.name, str(error).split("\n", 1)[0][:200]) from error
    match = match_layout(layouts, names)
    if match is None:
        raise missing_columns(path, layouts, names, 1)
    if rows == 0:
        raise no_rows(path)
    text = frame.with_columns(pl.all().cast(pl.String))
    return Table(path, match[0], layouts[match[0]], match[1], names, text, report, rows)


def _scratch_parent() -> str | None:
    # /tmp is often in memory; unpacked national files must not count as memory.
    if "TMPDIR" not in os.environ and os.access("/var/tmp", os.W_OK):  # noqa: S108
        return "/var/tmp"  # noqa: S108
    return None


def _kind(path: Path) -> str:
    with path.open("rb") as stream:
        start = stream.read(8)
    if start.startswith(b"PK\x03\x04"):
        names = {member.filename for member in zip_members(path)}
        return "sheet" if names & {"xl/workbook.xml", "content.xml", "xl/workbook.bin"} else "zip"
    if start.startswith(b"PK"):
        return "zip"
    if start.startswith(b"\x1f\x8b"):
        return "gzip"
    if start.startswith(b"PAR1"):
        return "parquet"
    return "sheet" if start.startswith(b"\xd0\xcf\x11\xe0") else "text"


def is_workbook(path: Path, members: tuple[str, ...]) -> bool:
    """Tell whether a file, or the member of the zip that would be read, is a spreadsheet.

    Raises
    ------
    ArchiveError
        Damaged archive, or no such member.
    """
    kind = _kind(path)
    return kind == "sheet" or (kind == "zip" and choose_member(path, members).lower().endswith((".xlsx", ".xls")))


def open_frame(path: Path, frame: pl.DataFrame, layouts: Mapping[str, Layout], report: ReadReport) -> Table:
    """Return the table of a frame of text read by other means (JSON), its columns matched to a layout.

    Raises
    ------
    SourceFormatError
        When columns are missing.
    """
    match = match_layout(layouts, frame.columns)
    if match is None:
        raise missing_columns(path, layouts, frame.columns, 1)
    return Table(path, match[0], layouts[match[0]], match[1], frame.columns, frame.lazy(), report, frame.height)


@contextlib.contextmanager
def open_table(
    path: Path,
    layouts: Mapping[str, Layout],
    report: ReadReport,
    *,
    members: tuple[str, ...] = ("*.csv", "*.txt", "*.parquet", "*.xlsx", "*.xls"),
    sheets: Sequence[str] = ("*",),
    encoding: str | None = None,
) -> Iterator[Table]:
    """Open an official table in whatever wrapping it comes.

    Parameters
    ----------
    path
        CSV, gzip, zip, Parquet or spreadsheet, told apart by content.
    layouts
        Known layouts, the most specific first. The header is searched in the first 30 lines.
    report
        Where encodings, repairs and rejections are counted.
    members
        Patterns of the member to read in a zip, the best first.
    sheets
        Patterns of the sheet to read in a workbook, on folded names.
    encoding
        Encoding to trust instead of the guess (CP850).

    Raises
    ------
    SourceFormatError
        Empty file, header only, missing columns, truncated or mostly ragged file.
    ArchiveError
        Damaged, encrypted or oversized archive.
    StorageError
        No room left for the unpacked copy, which is removed at the end.
    """
    if not path.is_file():
        raise SourceFormatError("Le fichier n'existe pas.", where=str(path), next_step="vérifiez le chemin donné.")
    with storage_errors(Path(_scratch_parent() or tempfile.gettempdir())):
        scratch = tempfile.TemporaryDirectory(prefix="bourg-", dir=_scratch_parent())
    with scratch as folder:
        work = path
        # A gzip in a zip (or the reverse) is unwrapped once more, not endlessly.
        for depth in range(2):
            kind = _kind(work)
            target = Path(folder) / f"unpacked-{depth}"
            if kind == "zip":
                extract_member(work, choose_member(work, members), target)
            elif kind == "gzip":
                gunzip(work, target)
            else:
                break
            work = target
        kind = _kind(work)
        if kind == "sheet":
            yield _open_sheet(path, work, layouts, report, sheets)
        elif kind == "parquet":
            yield _open_parquet(path, work, layouts, report)
        elif kind == "text":
            yield _scan_text(path, work, layouts, report, scratch=Path(folder), encoding=encoding)
        else:
            raise damaged(path.name, "trop d'archives emboîtées")
