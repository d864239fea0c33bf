"""INSEE gridded population (Filosofi, squares of 200 m): CSV, the official zip of three territories, or GeoPackage."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import polars as pl
from pyproj import Transformer

from bourg.errors import ArchiveError, SourceFormatError
from bourg.sources import cells
from bourg.sources.archives import zip_members
from bourg.sources.layouts import column, optional
from bourg.sources.reading import ReadContext, Tables
from bourg.sources.report import MAX_EXAMPLES, ReadReport
from bourg.sources.tabular import open_frame, open_table

LAYOUTS = {
    "carreaux": {
        "cell_id": column("idcar_200m", "Idcar_200m", "IdINSPIRE", "idk"),
        "codes": column("lcog_geo", "Depcom", "depcom"),
        "inhabitants": column("ind", "Ind", "ind_c"),
        "households": optional("men", "Men"),
        "imputed": optional("i_est_200", "I_est_cr", "i_car"),
    }
}
SIDE_M = 200
CELL_PATTERN = r"^CRS(\d+)RES200mN(-?\d+)E(-?\d+)$"
_SEVEN_ZIP = b"7z\xbc\xaf\x27\x1c"
_SQLITE = b"SQLite format 3\x00"


def _refuse_seven_zip(name: str) -> ArchiveError:
    return ArchiveError(
        "Les carreaux sont dans une archive 7z, que Bourg n'ouvre pas.",
        where=name,
        next_step="décompressez-la (7-Zip, p7zip) et donnez le fichier carreaux_200m_met.csv, ou le GeoPackage.",
    )


def _members(path: Path) -> list[str]:
    """Return the names of the CSV files to read in a zip, the one that is no zip being a file of its own."""
    with path.open("rb") as stream:
        start = stream.read(16)
    if start.startswith(_SEVEN_ZIP):
        raise _refuse_seven_zip(path.name)
    if not start.startswith(b"PK"):
        return ["*"]
    names = [member.filename.rsplit("/", 1)[-1] for member in zip_members(path)]
    tables = sorted(name for name in names if re.search(r"(200m|car).*\.csv$", name, re.IGNORECASE))
    if not tables and (packed := [name for name in names if name.lower().endswith(".7z")]):
        raise _refuse_seven_zip(f"{path.name} → {packed[0]}")
    return tables or ["*.csv", "*.parquet"]


def _geopackage(path: Path) -> pl.DataFrame:
    """Return the attributes of the layer that has the squares, as text; their outlines follow from their ids.

    Raises
    ------
    SourceFormatError
        When the file is damaged or has no such layer.
    """
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)) as base:
            layers = [row[0] for row in base.execute("SELECT table_name FROM gpkg_contents ORDER BY table_name")]
            for layer in layers:
                quoted = layer.replace('"', '""')
                columns = [row[1] for row in base.execute(f'PRAGMA table_info("{quoted}")')]
                wanted = {name: field.find(columns) for name, field in LAYOUTS["carreaux"].items()}
                chosen = [name for name in wanted.values() if name is not None]
                if wanted["cell_id"] is None or wanted["inhabitants"] is None:
                    continue
                texts = ", ".join(f'CAST("{name}" AS TEXT)' for name in chosen)
                rows = base.execute(f'SELECT {texts} FROM "{quoted}"').fetchall()  # noqa: S608 (names of the file)
                return pl.DataFrame(rows, schema=dict.fromkeys(chosen, pl.String), orient="row")
    except sqlite3.DatabaseError as error:
        raise SourceFormatError(
            "Le GeoPackage ne peut pas être lu.",
            where=path.name,
            why=str(error),
            next_step="téléchargez-le à nouveau : il est sans doute coupé ou abîmé.",
        ) from error
    raise SourceFormatError("Le GeoPackage n'a pas de couche de carreaux.", where=path.name, why=", ".join(layers))


def _raw(path: Path, context: ReadContext) -> pl.DataFrame:
    if path.is_file():
        with path.open("rb") as stream:
            if stream.read(16) == _SQLITE:
                return open_frame(path, _geopackage(path), LAYOUTS, context.report).read()
    parts = []
    for member in _members(path) if path.is_file() else ["*"]:
        with open_table(path, LAYOUTS, context.report, members=(member,)) as table:
            parts.append(table.read())
    return pl.concat(parts)


def _centres(frame: pl.DataFrame) -> pl.DataFrame:
    """Add the middle of each square, in degrees, from its id: reference system and south-west corner."""
    groups = pl.col("cell_id").str.extract_groups(CELL_PATTERN)
    corners = frame.select(
        epsg=groups.struct.field("1").cast(pl.Int32),
        north=groups.struct.field("2").cast(pl.Float64),
        east=groups.struct.field("3").cast(pl.Float64),
    )
    longitude, latitude = np.empty(frame.height), np.empty(frame.height)
    systems = corners["epsg"].to_numpy()
    for system in np.unique(systems):
        here = systems == system
        to_degrees = Transformer.from_crs(int(system), 4326, always_xy=True)
        east, north = (corners[name].to_numpy()[here] + SIDE_M / 2 for name in ("east", "north"))
        longitude[here], latitude[here] = to_degrees.transform(east, north)
    return frame.with_columns(pl.Series("longitude", longitude), pl.Series("latitude", latitude))


def _with_codes(frame: pl.DataFrame, report: ReadReport) -> pl.DataFrame:
    """Return one row per square and commune: the codes of a square on several communes are written end to end."""
    short = pl.col("codes").str.len_chars() % 5 == 4
    report.mend("codes communes sans leur zéro de tête", int(frame.select(short.sum()).item() or 0))
    padded = pl.when(short).then(pl.lit("0") + pl.col("codes")).otherwise("codes")
    frame = frame.with_columns(codes=padded.str.extract_all(r"\d[0-9AB]\d{3}"), _length=padded.str.len_chars())
    sound = (pl.col("_length") == 5 * pl.col("codes").list.len()) & (pl.col("codes").list.len() > 0)
    wrong = frame.filter(~sound.fill_null(value=False))
    report.reject("carreau sans code commune lisible", wrong.height, wrong["cell_id"].head(MAX_EXAMPLES).to_list())
    rows = frame.filter(sound.fill_null(value=False)).with_columns(
        codes=pl.col("codes").list.unique(maintain_order=True)
    )
    return rows.with_columns(n_codes=pl.col("codes").list.len().cast(pl.Int32)).explode("codes", empty_as_null=True)


def read(path: Path, context: ReadContext) -> Tables:
    """Return ``population_cells``: cell_id, code, n_codes, inhabitants, households, imputed, longitude, latitude.

    One row per square and commune. ``inhabitants`` and ``households`` are those of the whole square: on several
    communes (``n_codes``), whoever uses it shares them. ``imputed`` is true where INSEE estimated the square for the
    secrecy of fewer than 11 households. Longitude and latitude are those of the middle, degrees.

    Raises
    ------
    SourceFormatError
        Unknown layout, truncated file, damaged GeoPackage.
    ArchiveError
        Damaged archive, or 7z archive.
    """
    report = context.report
    frame = _raw(path, context)
    known = pl.col("cell_id").str.contains(CELL_PATTERN).fill_null(value=False)
    strange = frame.filter(~known)
    report.reject("identifiant de carreau illisible", strange.height, strange["cell_id"].head(MAX_EXAMPLES).to_list())
    frame = frame.filter(known).with_columns(cells.number(pl.col("inhabitants")), cells.number(pl.col("households")))
    counted = pl.col("inhabitants").is_not_null() & (pl.col("inhabitants") >= 0)
    report.reject("nombre d'habitants illisible ou négatif", frame.filter(~counted).height)
    frame = frame.filter(counted)
    unique = frame.unique("cell_id", keep="first", maintain_order=True)
    report.reject("carreau déjà présent dans le fichier", frame.height - unique.height)
    report.rows_kept += unique.height
    rows = _with_codes(_centres(unique), report)
    estimated = int(unique.select((cells.number(pl.col("imputed")) > 0).sum()).item() or 0)
    report.note(f"{estimated} carreaux de moins de 11 ménages, estimés par l'Insee pour le secret statistique")
    return {
        "population_cells": rows.select(
            "cell_id",
            pl.col("codes").alias("code"),
            "n_codes",
            "inhabitants",
            "households",
            cells.number(pl.col("imputed")).gt(0).alias("imputed"),
            "longitude",
            "latitude",
        ).sort("code", "cell_id")
    }
