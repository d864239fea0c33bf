"""Anah: communes covered by a programmed operation for housing (OPAH, PIG…), one row per commune and operation."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path

import polars as pl

from bourg.errors import SourceFormatError
from bourg.sources import cells
from bourg.sources.layouts import column, optional
from bourg.sources.reading import ReadContext, Tables
from bourg.sources.tabular import open_table

LAYOUTS = {
    "operations": {
        "code": column("com_code", "code_commune", "insee_com"),
        "operation_id": column("id_programme"),
        "label": optional("libelle_programme"),
        "kind": column("type_programme"),
        "start_date": column("debut_programme"),
        "end_date": column("fin_programme"),
    }
}


def _published(context: ReadContext) -> dt.date:
    """Return the day of the file: « in progress » has a meaning on a date only, never on that of the build."""
    found = re.search(r"\d{4}-\d{2}-\d{2}", context.resource.vintage)
    if found is None:
        raise SourceFormatError(
            "La date du fichier des opérations est inconnue.",
            where=context.source.id,
            next_step="indiquez le millésime AAAA-MM-JJ dans le catalogue des sources.",
        )
    return dt.date.fromisoformat(found.group())


def read(path: Path, context: ReadContext) -> Tables:
    """Return ``housing_operations``: code, operation_id, label, kind, start_date, end_date, status.

    ``status`` is ``current``, ``ended`` or ``planned`` on the day of the file. Names of operators are left out.
    """
    report = context.report
    with open_table(path, LAYOUTS, report) as table:
        frame = cells.mend_codes(table.read(), report)
    day = pl.lit(_published(context))
    frame = frame.with_columns(start=cells.date(pl.col("start_date")), end=cells.date(pl.col("end_date")))
    undated = frame.filter(pl.col("start").is_null())
    report.reject("date de début illisible", undated.height, undated["start_date"].drop_nulls().head(3).to_list())
    result = frame.filter(pl.col("start").is_not_null()).select(
        "code",
        "operation_id",
        "label",
        "kind",
        start_date="start",
        end_date="end",
        status=pl.when(pl.col("start") > day)
        .then(pl.lit("planned"))
        .when(pl.col("end") < day)
        .then(pl.lit("ended"))
        .otherwise(pl.lit("current")),
    )
    # Arrondissements of one city are one commune here.
    unique = result.unique(["code", "operation_id"], keep="first", maintain_order=True)
    report.reject("commune et opération déjà lues", result.height - unique.height)
    report.rows_kept += unique.height
    return {"housing_operations": unique.sort("code", "operation_id")}
