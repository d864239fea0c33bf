"""The call every reader answers: a file in, typed tables out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

import polars as pl

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
        When the file is not in one of the layouts that the reader knows.
    """
    reader: Reader = import_module(f"bourg.sources.readers.{source.reader}").read
    context = ReadContext(source, resource)
    return reader(path, context), context.report
