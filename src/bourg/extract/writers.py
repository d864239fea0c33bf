"""An extraction as a file: CSV for a spreadsheet, GeoJSON and GeoParquet for a map.

Every file says its licence, who made the data and their date: in each row of a CSV, in members of a GeoJSON, in the
metadata and the columns of a GeoParquet.
"""

from __future__ import annotations

import csv
import io
import json
import re
from typing import Any, Literal

import polars as pl
import shapely

from bourg.extract.engine import ATTRIBUTION, LICENCE, LICENCE_URL, Extraction
from bourg.extract.territory import describe
from bourg.store.geoparquet import GEOMETRY, geoparquet_bytes
from bourg.store.spreadsheets import safe_cell
from bourg.text import unaccented

Format = Literal["csv", "geojson", "geoparquet"]
FORMATS: dict[Format, str] = {"csv": "CSV", "geojson": "GeoJSON", "geoparquet": "GeoParquet"}
EXTENSIONS: dict[Format, str] = {"csv": "csv", "geojson": "geojson", "geoparquet": "parquet"}
MEDIA: dict[Format, str] = {
    "csv": "text/csv", "geojson": "application/geo+json", "geoparquet": "application/vnd.apache.parquet",
}  # fmt: skip
UNKNOWN_DATE = "inconnue"
_BOM = "\ufeff"
_CELL = 500
_BEFORE = {
    "osm_id": "osm_id", "geometry": "geometrie", "group": "groupe", "category": "categorie",
    "other_categories": "autres_categories", "tag": "etiquette_osm",
}  # fmt: skip
_AFTER = {
    "code": "code_insee", "commune": "commune", "longitude": "longitude", "latitude": "latitude",
    "area_m2": "surface_m2", "completeness": "completude_pct",
}  # fmt: skip
_NOTES = ("date_donnees", "attribution", "licence")


def headings(extraction: Extraction) -> dict[str, str]:
    """Return column of the table -> heading of the files, in order."""
    return {**_BEFORE, **extraction.theme.headings(), **_AFTER}


def notes(extraction: Extraction) -> dict[str, Any]:
    """Return what every file says of itself: theme, territory, source, date, licence, what is left out."""
    source = extraction.source
    return {
        "theme": extraction.theme.label,
        "territoire": describe(extraction.territory),
        "source": "extrait OpenStreetMap" if source.kind == "local" else "serveur Overpass",
        "fichier_source": source.name,
        "date_donnees": source.date or UNKNOWN_DATE,
        "part_du_territoire_couverte": round(source.share, 4),
        "objets": extraction.table.height,
        "objets_sans_geometrie_dans_la_source": extraction.unplaced,
        "noms_non_repris": extraction.withheld,
        "attribution": ATTRIBUTION,
        "licence": LICENCE,
        "licence_url": LICENCE_URL,
    }


def file_name(extraction: Extraction, form: Format) -> str:
    """Return ``osm-commerce-redon-35236.csv``: plain letters only."""
    place = extraction.territory
    told = place.code if place.level == "boite" else f"{place.name} {place.code}"
    words = "-".join(re.findall(r"[a-z0-9]+", unaccented(told)))
    return f"osm-{extraction.theme.id.replace('_', '-')}-{words[:80]}.{EXTENSIONS[form]}"


def write(extraction: Extraction, form: Format) -> bytes:
    """Return the file of an extraction; same extraction, same bytes."""
    match form:
        case "csv":
            return to_csv(extraction).encode()
        case "geojson":
            return json.dumps(to_geojson(extraction), ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
        case "geoparquet":
            return to_geoparquet(extraction)


def to_csv(extraction: Extraction) -> str:
    """Return the CSV: UTF-8 with its mark, ``;``, decimal points, cells that a spreadsheet does not run."""
    names = headings(extraction)
    told = notes(extraction)
    last = [safe_cell(str(told[name])) for name in _NOTES]
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=";", lineterminator="\r\n")
    writer.writerow([*names.values(), *_NOTES])
    for row in extraction.table.select(list(names)).iter_rows():
        writer.writerow([*(_cell(value) for value in row), *last])
    return _BOM + buffer.getvalue()


def _cell(value: object) -> str:
    match value:
        case None:
            return ""
        case float():
            # Seven decimals of a degree are what OpenStreetMap keeps: a centimetre.
            return f"{value:.7f}".rstrip("0").rstrip(".")
        case int():
            return str(value)
        case _:
            return safe_cell(str(value)[:_CELL])


def to_geojson(extraction: Extraction) -> dict[str, Any]:
    """Return the GeoJSON collection (RFC 7946), its notes as members beside ``features``."""
    names = headings(extraction)
    features = []
    for row in extraction.table.select(list(names)).iter_rows(named=True):
        place = [round(row["longitude"], 7), round(row["latitude"], 7)]
        properties = {
            heading: row[name]
            for name, heading in names.items()
            if name not in {"longitude", "latitude"} and row[name] is not None
        }
        features.append({
            "type": "Feature", "id": row["osm_id"], "geometry": {"type": "Point", "coordinates": place},
            "properties": properties,
        })  # fmt: skip
    return {"type": "FeatureCollection", **notes(extraction), "features": features}


def to_geoparquet(extraction: Extraction) -> bytes:
    """Return the GeoParquet file: points in ``geometry``, their boxes in ``bbox``, notes in rows and as metadata."""
    table, told = extraction.table, notes(extraction)
    points = shapely.points(table["longitude"].to_numpy(), table["latitude"].to_numpy())
    frame = table.select(pl.col(name).alias(heading) for name, heading in headings(extraction).items()).with_columns(
        *(pl.lit(str(told[name])).alias(name) for name in _NOTES),
        pl.Series(GEOMETRY, list(shapely.to_wkb(points)), dtype=pl.Binary),
    )
    return geoparquet_bytes(frame, metadata=told)
