"""DREES: potential accessibility of general practitioners (APL), by commune, in the workbook or its CSV copies."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl

from bourg.errors import SourceFormatError
from bourg.sources import cells
from bourg.sources.layouts import column, optional
from bourg.sources.reading import ReadContext, Tables
from bourg.sources.tabular import open_table

LAYOUTS = {
    "apl": {
        "code": column("codgeo", "Code commune INSEE", "code_commune", "insee_com"),
        "apl": column(
            "apl_med_gen", "APL aux médecins généralistes", "apl", pattern=r"aplauxmedecinsgeneralistes(20\d\d)?"
        ),
        "year": optional("annee", "year"),
    }
}


def _year(context: ReadContext) -> int:
    found = re.search(r"20\d{2}", context.resource.vintage)
    if found is None:
        raise SourceFormatError(
            "L'année de l'accessibilité est inconnue.",
            where=context.source.id,
            next_step="indiquez le millésime dans le catalogue des sources.",
        )
    return int(found.group())


def read(path: Path, context: ReadContext) -> Tables:
    """Return ``apl``: code, year, value (consultations accessible per inhabitant and year, null when unknown)."""
    report = context.report
    with open_table(path, LAYOUTS, report, sheets=("apl*20*", "apl*", "*")) as table:
        frame = table.read()
    # The workbook has a line of units under its header.
    units = pl.col("code").str.contains(r"\d").fill_null(value=False)
    report.note(f"{frame.filter(~units).height} ligne de titre ou d'unités laissée de côté")
    frame = cells.mend_codes(frame.filter(units), report)
    value = cells.number(pl.col("apl"))
    default = None if "year" in table.columns else _year(context)
    frame = frame.with_columns(
        value=pl.when(value >= 0).then(value), year=cells.integer(pl.col("year")).fill_null(default).cast(pl.Int32)
    )
    unread = frame.filter(pl.col("value").is_null() & pl.col("apl").is_not_null())
    report.mend("accessibilité illisible ou négative, vidée", unread.height)
    dated = frame.filter(pl.col("year").is_not_null())
    report.reject("année illisible", frame.height - dated.height)
    result = dated.select("code", "year", "value")
    unique = result.unique(["code", "year"], keep="first", maintain_order=True)
    report.reject("commune déjà présente dans le fichier", result.height - unique.height)
    report.rows_kept += unique.height
    return {"apl": unique.sort("code", "year")}
