"""The places as people download them: filters, columns, and cells that a spreadsheet cannot run."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from bourg.errors import ParameterError, SnapshotError
from bourg.geography.codes import departement_expr
from bourg.store.spreadsheets import safe_cell

# 90,000 places weigh about 15 MB of CSV and 35 MB of GeoJSON.
MAX_ROWS = 200_000
MAX_BYTES = 64 * 1024 * 1024
_BATCH = 5_000
_CELL = 500

# Column of the table -> heading of the export.
_COLUMNS = {
    "place_id": "identifiant",
    "name": "nom",
    "type": "type",
    "category": "categorie",
    "detail": "precision",
    "label": "label",
    "address": "adresse",
    "postal_code": "code_postal",
    "code": "code_insee",
    "commune": "commune",
    "longitude": "longitude",
    "latitude": "latitude",
    "demo": "donnee_de_demonstration",
}
DEMO_NOTICE = "Données de démonstration : lieux générés, ils n'existent pas."


def name_order() -> pl.Expr:
    """Return the key that sorts places by name as a reader expects: without accents nor case."""
    return pl.col("name").str.normalize("NFKD").str.replace_all(r"\p{M}", "").str.to_lowercase()


@dataclass(frozen=True)
class PlaceFilter:
    """Which places are wanted; an empty tuple or ``None`` sets no limit.

    Attributes
    ----------
    commune, departement
        Codes.
    types, categories
        Labels, as the map shows them.
    bbox
        West, south, east, north, in degrees: only located places inside.
    """

    commune: str | None = None
    departement: str | None = None
    types: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    bbox: tuple[float, float, float, float] | None = None

    def expression(self) -> pl.Expr:
        """Return the condition on the columns of the table of places."""
        condition = pl.lit(value=True)
        if self.commune is not None:
            condition &= pl.col("code") == self.commune
        if self.departement is not None:
            condition &= departement_expr(pl.col("code")) == self.departement
        if self.types:
            condition &= pl.col("type").is_in(self.types)
        if self.categories:
            condition &= pl.col("category").is_in(self.categories)
        if self.bbox is not None:
            west, south, east, north = self.bbox
            condition &= pl.col("longitude").is_between(west, east) & pl.col("latitude").is_between(south, north)
        return condition


def select_places(places: pl.LazyFrame, communes: pl.LazyFrame, wanted: PlaceFilter) -> pl.DataFrame:
    """Return the places asked for, in the order of the map (commune, then name).

    Parameters
    ----------
    places
        ``place_id, name, type, category, code, longitude, latitude``, and, when known, ``detail, label, address,
        postal_code``, and ``demo`` (Boolean) or ``origin`` (``demo`` marks a generated row).
    communes
        ``code, name``.

    Returns
    -------
    polars.DataFrame
        The columns of the exports, under the names of the table; absent ones are null.

    Raises
    ------
    ParameterError
        When a type or a category does not exist, or when too much is asked for.
    SnapshotError
        When the table lacks a column.
    """
    present = places.collect_schema().names()
    if missing := [
        name for name in ("name", "type", "category", "code", "longitude", "latitude") if name not in present
    ]:
        raise SnapshotError(
            "La table des lieux n'a pas toutes ses colonnes.",
            where="culture_places",
            why=f"absentes : {', '.join(missing)}.",
            next_step="reconstruisez l'instantané : bourg build.",
        )
    _check_labels(places, "type", "type", wanted.types)
    _check_labels(places, "category", "categorie", wanted.categories)
    places = places.with_columns(demo=_demo(present))
    present = [*present, "demo"]
    selection = places.filter(wanted.expression())
    rows = int(selection.select(pl.len()).collect().item())
    if rows > MAX_ROWS:
        raise _too_large(f"{rows} lieux, {MAX_ROWS} au plus")
    names = communes.select("code", pl.col("name").alias("commune"))
    columns = [
        pl.col(name) if name in {*present, "commune"} else pl.lit(None, dtype=pl.String).alias(name)
        for name in _COLUMNS
    ]
    frame = (
        selection.join(names, on="code", how="left").select(columns).sort("code", name_order(), "place_id").collect()
    )
    # Every row repeats the thirteen GeoJSON keys: about 300 bytes beside its own content.
    if (size := int(frame.estimated_size()) + 300 * frame.height) > MAX_BYTES:
        raise _too_large(f"environ {size // 1_000_000} Mo, {MAX_BYTES // 1_000_000} Mo au plus")
    return frame


def _demo(present: list[str]) -> pl.Expr:
    """Return which rows are generated: the column ``demo``, or ``origin``, or none."""
    if "demo" in present:
        return pl.col("demo").fill_null(value=False)
    return (pl.col("origin") == "demo").fill_null(value=False) if "origin" in present else pl.lit(value=False)


def has_demo(places: pl.LazyFrame) -> bool:
    """Tell whether at least one place of the table is generated."""
    found = places.select(_demo(places.collect_schema().names()).any()).collect()
    return bool(found.item())


class ExportTooLargeError(ParameterError):
    """More rows or bytes than one download may hold."""

    http_status = 413


def _too_large(why: str) -> ExportTooLargeError:
    return ExportTooLargeError(
        "Cet export est trop gros.",
        why=why + ".",
        next_step="choisissez un département, une commune ou moins de types.",
    )


def _check_labels(places: pl.LazyFrame, column: str, parameter: str, labels: tuple[str, ...]) -> None:
    if not labels:
        return
    known = places.select(pl.col(column).unique().sort()).collect().to_series().drop_nulls().to_list()
    if unknown := [label for label in labels if label not in known]:
        raise ParameterError(
            f"« {unknown[0][:60]} » n'est pas une valeur connue.",
            where=parameter,
            next_step=f"choisissez parmi : {', '.join(known)}."[:600],
        )


def csv_chunks(frame: pl.DataFrame) -> Iterator[bytes]:
    """Yield a CSV for spreadsheets: UTF-8 with its mark, ``;``, decimal points, one heading row."""
    yield b"\xef\xbb\xbf"
    yield _csv_lines([list(_COLUMNS.values())])
    for batch in frame.iter_slices(_BATCH):
        yield _csv_lines([[_csv_cell(value) for value in row] for row in batch.iter_rows()])


def _csv_cell(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "oui" if value else "non"
        case float():
            return f"{value:.6f}"
        case _:
            return safe_cell(str(value)[:_CELL])


def _csv_lines(rows: list[list[str]]) -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer, delimiter=";", lineterminator="\r\n").writerows(rows)
    return buffer.getvalue().encode()


def geojson_chunks(frame: pl.DataFrame) -> Iterator[bytes]:
    """Yield a GeoJSON collection (RFC 7946); a place without coordinates has a null geometry."""
    head: dict[str, object] = {"type": "FeatureCollection"}
    if bool(frame["demo"].any()):
        head["avertissement"] = DEMO_NOTICE
    yield json.dumps(head, ensure_ascii=False)[:-1].encode() + b', "features": ['
    separator = "\n"
    for batch in frame.iter_slices(_BATCH):
        parts = []
        for row in batch.iter_rows(named=True):
            parts.append(separator + json.dumps(_feature(row), ensure_ascii=False, separators=(",", ":")))
            separator = ",\n"
        yield "".join(parts).encode()
    yield b"\n]}\n"


def _feature(row: dict[str, object]) -> dict[str, object]:
    longitude, latitude = row["longitude"], row["latitude"]
    located = isinstance(longitude, float) and isinstance(latitude, float)
    properties = {
        heading: row[name]
        for name, heading in _COLUMNS.items()
        if name not in {"longitude", "latitude"} and row[name] is not None
    }
    geometry = {"type": "Point", "coordinates": [longitude, latitude]} if located else None
    return {"type": "Feature", "geometry": geometry, "properties": properties}
