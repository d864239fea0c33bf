"""Ministère de la Culture: musées de France, in the exports of both generations of OpenDataSoft."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from bourg.sources import cells
from bourg.sources.jsonrecords import is_json, read_records
from bourg.sources.layouts import column, optional
from bourg.sources.reading import ReadContext, Tables
from bourg.sources.tabular import open_frame, open_table

LAYOUTS = {
    "musees": {
        "name": column("nom_officiel_du_musee", "nom_du_musee", "Nom officiel du musée", "nom officiel"),
        "city": column("commune", "ville"),
        "postal_code": optional("code_postal", "cp", "code postal"),
        "departement_name": optional("departement", "nomdep", "département"),
        "museum_id": optional("identifiant_museofile", "ref_musee", "identifiant museofile", "identifiant", "ref"),
        "code": optional("code_insee", "code_insee_commune", "insee"),
        "point": optional("geolocalisation", "coordonnees_finales", "geo_point_2d", "coordonnees"),
        "latitude": optional("latitude"),
        "longitude": optional("longitude"),
    }
}


def read(path: Path, context: ReadContext) -> Tables:
    """Return ``museums``: museum_id, name, city, postal_code, departement_name, code, longitude, latitude.

    The exports have no INSEE code: ``code`` is null and the museum is located by its point.
    """
    report = context.report
    if is_json(path):
        table = open_frame(path, read_records(path), LAYOUTS, report)
        frame = table.read()
    else:
        with open_table(path, LAYOUTS, report, members=("*musee*.csv", "*museo*.csv", "*.csv")) as table:
            frame = table.read()
    frame = frame.with_row_index("row", offset=1)
    if "code" in table.columns:
        frame = cells.mend_codes(frame, report, drop=False)
    else:
        report.note("le fichier n'a pas de code Insee : les musées sont à situer par leurs coordonnées")
    latitude, longitude = cells.split_point(pl.col("point"))
    own = pl.col("latitude").is_not_null() & pl.col("longitude").is_not_null()
    broken = pl.col("point").is_not_null() & latitude.is_null() & ~own
    report.mend("coordonnées illisibles, vidées", int(frame.select(broken.sum()).item()))
    frame = frame.with_columns(
        latitude=pl.when(own).then(pl.col("latitude")).otherwise(latitude),
        longitude=pl.when(own).then(pl.col("longitude")).otherwise(longitude),
        postal_code=cells.postal_code(pl.col("postal_code")),
        museum_id=pl.coalesce("museum_id", pl.lit("ligne-") + pl.col("row").cast(pl.String)),
    )
    result = cells.mend_points(frame, report).select(
        "museum_id", "name", "city", "postal_code", "departement_name", "code", "longitude", "latitude"
    )
    report.rows_kept += result.height
    return {"museums": result}
