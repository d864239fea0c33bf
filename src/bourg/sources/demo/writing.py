"""Files of the generator: written beside their place, then put in service in one step."""

from __future__ import annotations

import contextlib
import io
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
import polars as pl

from bourg.sources.files import publish, storage_errors

Progress = Callable[[str, float], None]
QuoteStyle = Literal["necessary", "always", "non_numeric", "never"]


def stream_of(seed: int, name: str) -> np.random.Generator:
    """Return the random stream of one file: adding a file never changes the others."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, zlib.crc32(name.encode())])))


@contextlib.contextmanager
def atomic_file(final: Path) -> Iterator[BinaryIO]:
    """Open ``final.part``; a complete file takes the place of ``final``, an interrupted one is removed.

    Raises
    ------
    StorageError
        Disk full or folder that cannot be written; the old file is untouched.
    """
    part = final.with_name(final.name + ".part")
    with storage_errors(final):
        final.parent.mkdir(parents=True, exist_ok=True)
        try:
            with part.open("wb") as stream:
                yield stream
            publish(part, final)
        finally:
            part.unlink(missing_ok=True)


def append_csv(
    stream: BinaryIO,
    frame: pl.DataFrame,
    *,
    header: bool = False,
    separator: str = ";",
    quote: QuoteStyle = "necessary",
    newline: str = "\n",
) -> None:
    """Append a frame as CSV; bytes go through Python so that a full disk is an ``OSError``, not a panic."""
    buffer = io.BytesIO()
    frame.write_csv(buffer, include_header=header, separator=separator, quote_style=quote, line_terminator=newline)
    stream.write(buffer.getbuffer())


def write_csv(
    final: Path,
    frame: pl.DataFrame,
    *,
    separator: str = ";",
    quote: QuoteStyle = "necessary",
    newline: str = "\n",
    prefix: bytes = b"",
) -> Path:
    """Write one whole CSV file.

    Raises
    ------
    StorageError
        Disk full or folder that cannot be written.
    """
    with atomic_file(final) as stream:
        stream.write(prefix)
        append_csv(stream, frame, header=True, separator=separator, quote=quote, newline=newline)
    return final
