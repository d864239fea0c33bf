"""Formats of the answers: which one is asked for, and the bytes of each."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import polars as pl

from bourg.store.spreadsheets import safe_cell, safe_text
from bourg.web.api.problems import RefusedFormatError


@dataclass(frozen=True)
class Format:
    """A format of answer.

    Attributes
    ----------
    media
        Type of the content.
    default_rows, most_rows
        Rows of a page when none is asked for, and at most.
    extension
        Of the file, for the formats that are downloaded.
    """

    media: str
    default_rows: int = 100
    most_rows: int = 1_000
    extension: str = ""


MOST_ROWS = 50_000
FORMATS = {
    "json": Format("application/json"),
    "geojson": Format("application/geo+json", 1_000, 10_000),
    "csv": Format("text/csv", MOST_ROWS, MOST_ROWS, "csv"),
    "parquet": Format("application/vnd.apache.parquet", MOST_ROWS, MOST_ROWS, "parquet"),
    "mvt": Format("application/vnd.mapbox-vector-tile"),
    "html": Format("text/html"),
    "openapi": Format("application/vnd.oai.openapi+json"),
}
_BOM = "\ufeff"
_ITEM = re.compile(r"\s*([\w!#$&^.+*-]+/[\w!#$&^.+*-]+)\s*((?:;[^,]*)?)\Z")
_QUALITY = re.compile(r";\s*q\s*=\s*([01](?:\.\d{0,3})?)\s*(?:;|\Z)")


def _accepted(header: str) -> list[tuple[float, int, str]]:
    """Return ``(quality, precision, media)`` of a header ``Accept``; what cannot be read is left out."""
    found = []
    for part in header.lower()[:1_000].split(","):
        match = _ITEM.match(part)
        if match is None:
            continue
        quality = _QUALITY.search(match[2])
        media = match[1]
        found.append((float(quality[1]) if quality else 1.0, 2 - media.count("*"), media))
    return found


def choose_format(allowed: Sequence[str], asked: str | None, accept: str) -> str:
    """Return the format of the answer: the one of ``?format=``, or the best one of ``Accept``.

    Raises
    ------
    RefusedFormatError
        When the operation gives none of those asked for.
    """
    listed = ", ".join(f"{name} ({FORMATS[name].media})" for name in allowed)
    if asked is not None:
        if asked in allowed:
            return asked
        near = get_close_matches(asked[:40], allowed, n=1, cutoff=0.5)
        hint = f"vouliez-vous dire {near[0]} ? " if near else ""
        raise RefusedFormatError(
            f"Cette route ne répond pas en « {asked[:40]} ».", where="format", next_step=f"{hint}formats : {listed}."
        )
    wanted = _accepted(accept)
    if not wanted:
        return allowed[0]

    def quality(name: str) -> float:
        media = FORMATS[name].media
        family = media.partition("/")[0] + "/*"
        fits = [(precision, q) for q, precision, item in wanted if item in (media, family, "*/*")]
        return max(fits)[1] if fits else 0.0

    best = max(allowed, key=quality)
    if quality(best) <= 0:
        raise RefusedFormatError(
            "Aucun des formats demandés n'existe pour cette route.",
            where="Accept",
            next_step=f"formats : {listed} ; ou retirez l'en-tête Accept.",
        )
    return best


def dump(content: object) -> bytes:
    """Return compact JSON; numbers that JSON cannot write are an error, never a silent ``NaN``."""
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def json_table(frame: pl.DataFrame, meta: Mapping[str, Any]) -> bytes:
    """Return ``{"data": […], "meta": {…}}``."""
    return b'{"data":' + frame.write_json().encode() + b',"meta":' + dump(meta) + b"}"


def geojson_table(frame: pl.DataFrame, meta: Mapping[str, Any]) -> bytes:
    """Return a GeoJSON collection of points (RFC 7946), ``longitude`` and ``latitude`` being the position."""
    names = [name for name in frame.columns if name not in ("longitude", "latitude")]
    features = []
    for row in frame.iter_rows(named=True):
        where = [row["longitude"], row["latitude"]]
        point = None if None in where else {"type": "Point", "coordinates": where}
        properties = {name: row[name] for name in names}
        features.append({"type": "Feature", "geometry": point, "properties": properties})
    return dump({"type": "FeatureCollection", "features": features, "meta": meta})


def _cells(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the columns as a spreadsheet reads them: lists joined, ``oui`` and ``non``, no text that is run."""
    columns = []
    for name, kind in frame.schema.items():
        column = pl.col(name)
        if isinstance(kind, pl.List):
            column = column.cast(pl.List(pl.String)).list.join(", ")
            kind = pl.String()  # noqa: PLW2901 - the joined text is treated as a text
        if kind == pl.Boolean:
            column = pl.when(column).then(pl.lit("oui")).when(~column).then(pl.lit("non"))
        elif kind == pl.String:
            column = safe_text(column)
        columns.append(column.alias(name))
    return frame.select(columns)


def csv_table(frame: pl.DataFrame) -> bytes:
    """Return a CSV for spreadsheets: UTF-8 with its mark, ``;``, decimal points, texts that no spreadsheet runs."""
    headings = [safe_cell(name) for name in frame.columns]
    cells = _cells(frame).rename(dict(zip(frame.columns, headings, strict=True)))
    text = cells.write_csv(separator=";", line_terminator="\r\n", float_scientific=False)
    return (_BOM + text).encode()


def parquet_table(frame: pl.DataFrame, meta: Mapping[str, Any]) -> bytes:
    """Return a Parquet file; the snapshot, the sources and their licences are in its metadata, key ``bourg``."""
    buffer = io.BytesIO()
    frame.write_parquet(buffer, statistics=True, metadata={"bourg": json.dumps(meta, ensure_ascii=False)})
    return buffer.getvalue()
