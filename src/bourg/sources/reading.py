"""The call every reader answers: a file in, typed tables out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

import polars as pl

from bourg.errors import SourceFormatError
from bourg.sources.model import Resource, Source
from bourg.sources.report import ReadReport

Tables = dict[str, pl.DataFrame]


@dataclass
class ReadContext:
    """What a reader is told besides the path: its declaration, and where to count what it does."""

    source: Source
    resource: Resource
    report: ReadReport = field(default_factory=ReadReport)


Reader = Callable[[Path, ReadContext], Tables]


def read_resource(path: Path, source: Source, resource: Resource) -> tuple[Tables, ReadReport]:
    """Read one file of a source with the reader its declaration names.

    Raises
    ------
    SourceFormatError
        When the file is not in one of the layouts that the reader knows, or when none of its rows can be used.
    """
    reader: Reader = import_module(f"bourg.sources.readers.{source.reader}").read
    context = ReadContext(source, resource)
    tables = reader(path, context)
    report = context.report
    if not any(frame.height for frame in tables.values()):
        reasons = "; ".join(f"{reason} ({entry.count})" for reason, entry in report.rejected.items())
        raise SourceFormatError(
            "Aucune ligne du fichier n'est utilisable.",
            where=path.name,
            why=reasons or "toutes les lignes sont d'un autre niveau que la commune.",
            next_step=f"vérifiez que c'est le bon fichier (bourg sources --explain {source.id}).",
        )
    low, high = resource.rows or (0, report.rows_read)
    if not low <= report.rows_read <= high:
        report.note(f"{report.rows_read} lignes lues, alors que {low} à {high} étaient attendues")
    return tables, report
