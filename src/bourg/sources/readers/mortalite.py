"""Standardised mortality by department, sex and cause: one row each, rates per 100,000 inhabitants."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from bourg.sources import cells, measures
from bourg.sources.layouts import column
from bourg.sources.reading import ReadContext, Tables
from bourg.sources.tabular import open_table

LAYOUTS = {
    "causes": {
        "year": column("annee"),
        "code": column("departement"),
        "sex": column("sexe"),
        "cause": column("cause"),
        "measure": column("indicateur"),
        "raw": column("valeur"),
    }
}
# Chapter of the classification (its number begins the label) -> variable; ALL_CAUSES adds all the chapters.
CHAPTERS = {2: "TUMOURS", 7: "CIRCULATORY", 8: "RESPIRATORY", 17: "EXTERNAL"}
# The eighteen chapters are a partition of the causes: rates on the same standard population add up.
_CHAPTER_COUNT = 18
_BOTH_SEXES = "tous sexes"


def read(path: Path, context: ReadContext) -> Tables:
    """Return ``mortality``: deaths per 100,000 inhabitants, standardised, by department, year and variable.

    ``code`` is that of a department. ``ALL_CAUSES`` is the sum of the eighteen chapters, missing when one is.
    """
    report = context.report
    with open_table(path, LAYOUTS, report) as table:
        frame = table.read()
    both = frame.filter(
        (pl.col("sex").str.to_lowercase() == _BOTH_SEXES) & pl.col("measure").str.contains("standardis")
    )
    report.note("seuls les taux des deux sexes réunis sont gardés")
    named = both.with_columns(
        code=pl.col("code").str.zfill(2).str.to_uppercase(),
        chapter=pl.col("cause").str.extract(r"^(\d+)\.").cast(pl.Int32, strict=False),
        year=cells.integer(pl.col("year")).cast(pl.Int32),
    )
    known = named.filter(
        pl.col("chapter").is_not_null()
        & pl.col("year").is_not_null()
        & pl.col("code").str.contains(r"^(\d{2}|2[AB]|97\d)$")
    )
    report.reject("département, année ou cause illisible", named.height - known.height)
    typed = measures.parsed(known, report).unique(["code", "year", "chapter"], keep="first", maintain_order=True)
    report.reject("département et cause déjà lus", known.height - typed.height)
    complete = (pl.len() == _CHAPTER_COUNT) & (pl.col("status") == "ok").all()
    total = typed.group_by("code", "year").agg(
        variable=pl.lit("ALL_CAUSES"),
        # Published to the tenth: the sum has no more decimals than its parts.
        value=pl.when(complete).then(pl.col("value").sum().round(1)),
        status=pl.when(complete).then(pl.lit("ok")).otherwise(pl.lit("missing")),
    )
    chosen = typed.filter(pl.col("chapter").is_in(list(CHAPTERS))).with_columns(
        variable=pl.col("chapter").replace_strict(CHAPTERS, return_dtype=pl.String)
    )
    names = list(measures.SCHEMA)
    result = pl.concat([chosen.select(names), total.select(names)]).sort("code", "year", "variable")
    report.rows_kept += result.height
    return {"mortality": result}
