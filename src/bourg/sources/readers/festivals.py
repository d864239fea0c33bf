"""Ministère de la Culture: list of festivals (double byte order mark, codes that lost their zero)."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from bourg.sources import cells
from bourg.sources.layouts import column, optional
from bourg.sources.reading import ReadContext, Tables
from bourg.sources.tabular import open_table

LAYOUTS = {
    "global": {
        "name": column("Nom du festival", "nom_du_festival"),
        "code": column("Code Insee commune", "code_insee_commune"),
        "discipline": column("Discipline dominante", "discipline_dominante"),
        "festival_id": optional("Identifiant"),
        "period": optional(
            "Période principale de déroulement du festival", "periode_principale_de_deroulement_du_festival"
        ),
        "creation_year": optional("Année de création du festival", "annee_de_creation_du_festival"),
        "point": optional("Géocodage xy", "geocodage_xy"),
    }
}


def read(path: Path, context: ReadContext) -> Tables:
    """Return ``festivals``; a festival whose code cannot be read is kept with a null code and its point."""
    report = context.report
    with open_table(path, LAYOUTS, report, members=("*festival*.csv", "*.csv")) as table:
        frame = table.read().with_row_index("row", offset=1)
    frame = cells.mend_codes(frame, report, drop=False)
    latitude, longitude = cells.split_point(pl.col("point"))
    broken = pl.col("point").is_not_null() & latitude.is_null()
    report.mend("coordonnées illisibles, vidées", int(frame.select(broken.sum()).item()))
    frame = cells.mend_points(frame.with_columns(latitude=latitude, longitude=longitude), report)
    created = cells.integer(pl.col("creation_year").str.extract(r"(\d{4})"))
    result = frame.select(
        pl.coalesce("festival_id", pl.lit("ligne-") + pl.col("row").cast(pl.String)).alias("festival_id"),
        "name",
        "code",
        "discipline",
        "period",
        pl.when(created.is_between(1500, 2100)).then(created).cast(pl.Int32).alias("creation_year"),
        "longitude",
        "latitude",
    )
    report.rows_kept += result.height
    return {"festivals": result}
