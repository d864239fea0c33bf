"""Answers of the operations, before and after they are written in a format."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from typing import Any
from urllib.parse import quote, urlencode

import polars as pl

from bourg.web.api.data import ApiData
from bourg.web.api.formats import (
    FORMATS,
    MOST_ROWS,
    csv_table,
    dump,
    geojson_table,
    json_table,
    parquet_table,
)
from bourg.web.api.problems import PREFIX, TooLargeError, UnknownPageError

MOST_BYTES = 16 * 1024 * 1024
DEMO_NOTICE = (
    "Cette réponse contient des valeurs de démonstration, fabriquées : elles ne disent rien des territoires réels."
)
_SMALL = 1_000
# Brotli is an extra: without its library, gzip serves everybody.
_BROTLI: Callable[..., bytes] | None = import_module("brotli").compress if find_spec("brotli") else None
_CODINGS = ("br", "gzip") if _BROTLI else ("gzip",)


@dataclass(frozen=True)
class Table:
    """Rows, given page by page.

    Attributes
    ----------
    frame
        All the rows, before the page is cut.
    sources
        Ids of the sources of the rows.
    demo
        Whether a row is generated.
    extra
        More entries of ``meta``.
    """

    frame: pl.DataFrame
    sources: Sequence[str] = ()
    demo: bool = False
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Document:
    """One object; the other attributes are those of :class:`Table`."""

    data: Any
    sources: Sequence[str] = ()
    demo: bool = False
    extra: Mapping[str, Any] = field(default_factory=dict)
    geojson: bool = False


@dataclass(frozen=True)
class Raw:
    """Bytes that are their own format."""

    body: bytes
    sources: Sequence[str] = ()
    demo: bool = False


Answer = Table | Document | Raw


@dataclass(frozen=True)
class Written:
    """An answer ready to be sent: body, perhaps compressed, and headers."""

    body: bytes
    headers: Mapping[str, str]

    def packed(self, coding: str) -> Written:
        """Return the same, compressed with ``br`` or ``gzip``; a small body is left as it is."""
        if not coding or len(self.body) < _SMALL:
            return self
        body = (
            _BROTLI(self.body, quality=4)
            if coding == "br" and _BROTLI is not None
            else gzip.compress(self.body, compresslevel=5, mtime=0)
        )
        return Written(body, {**self.headers, "Content-Encoding": coding})


def values_table(frame: pl.DataFrame, extra: Mapping[str, Any] | None = None) -> Table:
    """Return rows of values with their sources and their demo mark."""
    sources = frame["source_ids"].explode(empty_as_null=True, keep_nulls=True).drop_nulls().unique().sort().to_list()
    return Table(frame, sources, bool(frame["demo"].any()), extra or {})


def _meta(data: ApiData, answer: Answer) -> dict[str, Any]:
    sources = data.sources(answer.sources)
    licences = sorted({item["licence"] for item in sources})
    extra = {} if isinstance(answer, Raw) else dict(answer.extra)
    return {
        "snapshot": data.snapshot,
        "demo": answer.demo,
        "notice": DEMO_NOTICE if answer.demo else None,
        "licence": licences,
        "sources": sources,
        **extra,
    }


def address(path: str, values: Mapping[str, Any], **changed: Any) -> str:  # noqa: ANN401 - any parameter
    """Return an address made again from checked values: nothing of the request is copied as it is."""
    pairs: list[tuple[str, str]] = []
    for name, value in {**values, **changed}.items():
        for item in value if isinstance(value, tuple) else (value,):
            text = str(item).lower() if isinstance(item, bool) else str(item)
            pairs += [(name, text)] if item is not None else []
    return quote(path, safe="/:,-._~") + (f"?{urlencode(pairs)}" if pairs else "")


def _page(
    answer: Table, form: str, path: str, values: Mapping[str, Any], rows: int
) -> tuple[pl.DataFrame, dict[str, Any]]:
    """Return the rows of the page asked for, and what is told of the pages."""
    rules = FORMATS[form]
    size = values.get("size") or (rows if form == "json" else rules.default_rows)
    if size > rules.most_rows:
        raise TooLargeError(
            f"{size} lignes par page, c'est trop en {form}.",
            where="size",
            why=f"{rules.most_rows} au plus.",
            next_step=f"parcourez les pages, ou demandez format=csv ou format=parquet ({MOST_ROWS} lignes au plus).",
        )
    page, total = values.get("page") or 1, answer.frame.height
    last = max(1, -(-total // size))
    if page > last:
        raise UnknownPageError(
            f"La page {page} n'existe pas.",
            where="page",
            why=f"la liste a {total} lignes, soit {last} pages de {size}.",
        )
    numbers = {"first": 1, "prev": page - 1, "next": page + 1, "last": last}
    kept = {name: number for name, number in numbers.items() if 1 <= number <= last}
    given = {name: value for name, value in values.items() if value is not None}
    links = {name: address(path, given, page=number) for name, number in kept.items()}
    told = {"total": total, "page": page, "size": size, "pages": last, "links": links}
    return answer.frame.slice((page - 1) * size, size), told


def write(
    data: ApiData,
    answer: Answer,
    form: str,
    path: str,
    values: Mapping[str, Any],
    *,
    name: str,
    coding: str = "",
    rows: int = 100,
) -> Written:
    """Write an answer in a format, with its headers.

    Parameters
    ----------
    path, values
        Address of the answer: its path and its checked parameters.
    name
        Stem of the file, for the formats that are downloaded.
    rows
        Rows of a JSON page when none is asked for.
    coding
        ``br``, ``gzip`` or nothing; small bodies and Parquet travel as they are.

    Raises
    ------
    TooLargeError, UnknownPageError
        When the page is over the caps, or after the last one.
    """
    meta = _meta(data, answer)
    links = [f'<{PREFIX}/openapi.json>; rel="service-desc"', f'<{PREFIX}/>; rel="service-doc"']
    if isinstance(answer, Raw):
        body = answer.body
    elif isinstance(answer, Document):
        body = dump({**answer.data, "meta": meta} if answer.geojson else {"data": answer.data, "meta": meta})
    else:
        frame, told = _page(answer, form, path, values, rows)
        links += [f'<{target}>; rel="{relation}"' for relation, target in told["links"].items()]
        meta |= told
        match form:
            case "csv":
                body = csv_table(frame)
            case "parquet":
                body = parquet_table(frame, meta)
            case "geojson":
                body = geojson_table(frame, meta)
            case _:
                body = json_table(frame, meta)
    if len(body) > MOST_BYTES:
        raise TooLargeError(
            f"La réponse pèserait {len(body) // 1_000_000} Mo.",
            why=f"{MOST_BYTES // 1_000_000} Mo au plus.",
            next_step="réduisez le territoire ou la taille de la page.",
        )
    media = FORMATS[form].media
    headers = {
        "Content-Type": f"{media}; charset=utf-8" if media.startswith("text/") else media,
        "Link": ", ".join(links),
        "X-Bourg-Instantane": data.snapshot["id"],
        "X-Bourg-Demonstration": "oui" if answer.demo else "non",
        "X-Bourg-Sources": ",".join(sorted(set(answer.sources))),
    }
    if isinstance(answer, Table):
        headers["X-Total-Count"] = str(meta["total"])
    if extension := FORMATS[form].extension:
        stem = re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-")[:80] + ("-demonstration" if answer.demo else "")
        headers["Content-Disposition"] = f'attachment; filename="bourg-{stem}.{extension}"'
    written = Written(body, headers)
    return written if form == "parquet" else written.packed(coding)


def coding_of(header: str) -> str:
    """Return the compression to use for a header ``Accept-Encoding``: ``br``, ``gzip`` or nothing."""
    qualities: dict[str, float] = {}
    for part in header.lower()[:500].split(","):
        name, _, rest = part.partition(";")
        match = re.fullmatch(r"\s*q\s*=\s*([01](?:\.\d{0,3})?)\s*", rest) if rest else None
        if rest and match is None:
            continue
        qualities[name.strip()] = float(match[1]) if match else 1.0
    chosen = [(qualities.get(name, qualities.get("*", 0.0)), -index, name) for index, name in enumerate(_CODINGS)]
    quality, _, best = max(chosen)
    return best if quality > 0 else ""
