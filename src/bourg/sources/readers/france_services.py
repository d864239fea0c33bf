"""France services: lists of structures (open data, 2020 geocoded list, GeoJSON) and ids of the ANCT cross table."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from bourg.sources import cells
from bourg.sources.jsonrecords import is_json, read_records
from bourg.sources.layouts import column, optional
from bourg.sources.reading import ReadContext, Tables
from bourg.sources.tabular import open_frame, open_table

_CODE = column("insee_com", "code_insee", "codgeo", "Code commune")
# Mails, telephones and opening remarks are never read: they name people.
LAYOUTS = {
    "croisement": {"code": _CODE, "place_id": column("id_fs"), "other": column("id_pvd")},
    "structures": {
        "place_id": column("id_fs", "MATRICULE", "id"),
        "name": column("lib_france_services", "lib_fs", "nom"),
        "code": _CODE,
        "itinerance": optional("itinerance"),
        "format": optional("format_fs", "categorie"),
        "latitude": optional("latitude", "lat"),
        "longitude": optional("longitude", "lon"),
    },
}
_YES = ("oui", "true", "1")


def _crossed(frame: pl.DataFrame) -> pl.DataFrame:
    ids = frame.filter(pl.col("place_id").is_not_null()).with_columns(pl.col("place_id").str.split(";"))
    none = pl.lit(None, dtype=pl.String)
    return ids.explode("place_id").with_columns(
        pl.col("place_id").str.strip_chars(), name=none, itinerance=none, format=none, latitude=none, longitude=none
    )


def read(path: Path, context: ReadContext) -> Tables:
    """Return ``france_services``: place_id, name, code, kind, itinerant, longitude, latitude.

    ``kind`` is ``espace`` or ``antenne`` (null when the file does not say), ``itinerant`` true for a bus attached to
    its seat. The cross table gives ids without names nor coordinates.
    """
    report = context.report
    if is_json(path):
        table = open_frame(path, read_records(path), LAYOUTS, report)
        frame, layout = table.read(), table.layout
    else:
        with open_table(path, LAYOUTS, report, members=("*services*.csv", "*ngeo*.csv", "*.csv")) as table:
            frame, layout = table.read(), table.layout
    if layout == "croisement":
        report.note("table de croisement : identifiants des structures, sans nom ni coordonnées")
        frame = _crossed(frame)
    # A Corsican code read as letters and a number loses a zero inside: 2B14 has one reading only, 2B014.
    corsican = pl.col("code").str.contains(r"^2[ABab]\d{2}$").fill_null(value=False)
    report.mend("code corse à quatre caractères : zéro rendu", int(frame.select(corsican.sum()).item()))
    frame = frame.with_columns(
        code=pl.when(corsican).then(pl.col("code").str.replace(r"(\d{2})$", "0$1")).otherwise("code")
    )
    frame = cells.mend_points(cells.mend_codes(frame, report), report)
    stated = pl.col("itinerance").str.to_lowercase()
    written = pl.col("format").str.to_lowercase()
    told = pl.any_horizontal(pl.col("itinerance").is_not_null(), pl.col("format").is_not_null())
    result = frame.select(
        "place_id",
        "name",
        "code",
        kind=pl.when(written.str.contains("antenne"))
        .then(pl.lit("antenne"))
        .when(written.is_not_null())
        .then(pl.lit("espace")),
        itinerant=pl.when(told).then(
            stated.is_in(_YES).fill_null(value=False) | written.str.contains("itin").fill_null(value=False)
        ),
        longitude="longitude",
        latitude="latitude",
    )
    unique = result.unique(["place_id", "code"], keep="first", maintain_order=True)
    report.reject("structure déjà présente dans la liste", result.height - unique.height)
    report.rows_kept += unique.height
    return {"france_services": unique.sort("code", "place_id")}
