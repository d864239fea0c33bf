"""ADEME: energy performance diagnoses of dwellings, counted by commune and label (one row per diagnosis, or counts)."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from bourg.sources import cells
from bourg.sources.jsonrecords import is_json, read_records
from bourg.sources.layouts import Table, column
from bourg.sources.reading import ReadContext, Tables
from bourg.sources.tabular import open_frame, open_table

LABELS = ("A", "B", "C", "D", "E", "F", "G")
LAYOUTS = {
    # Names of the base since July 2021, then of its first publication.
    "diagnostics": {
        "code": column("code_insee_ban", "Code_INSEE_(BAN)", "code_insee_commune_actualise"),
        "label": column("etiquette_dpe", "Etiquette_DPE", "classe_consommation_energie"),
    },
    "agrege": {"code": column("code", "codgeo"), "classes": column("classes"), "total": column("total")},
}


def _counted(table: Table, context: ReadContext) -> pl.DataFrame:
    """Count diagnoses by commune and label: the national file has more than ten million rows."""
    report = context.report
    lazy = table.pick_raw().group_by("code", "label").agg(pl.len().cast(pl.Int64).alias("rows"))
    groups = table.tidy(table.collect(lazy), ["code", "label"]).with_columns(pl.col("label").str.to_uppercase())
    report.rows_read += int(groups["rows"].sum())
    unknown = ~pl.col("label").is_in(LABELS).fill_null(value=False)
    strangers = groups.filter(unknown)
    report.reject("étiquette énergie absente ou inconnue", int(strangers["rows"].sum()))
    located = groups.filter(~unknown & pl.col("code").is_not_null())
    report.reject("diagnostic sans code commune", int(groups.filter(~unknown & pl.col("code").is_null())["rows"].sum()))
    return located.group_by("code").agg(
        pl.col("rows").filter(pl.col("label") == name).sum().alias(name) for name in LABELS
    )


def _aggregated(table: Table, context: ReadContext) -> pl.DataFrame:
    """Read counts by label written as one object in a cell, and check them against the total of the row."""
    frame = table.read()
    counts = [pl.col("classes").str.extract(rf"'{name}': (\d+)").cast(pl.Int64).alias(name) for name in LABELS]
    frame = frame.with_columns(*counts, total=cells.integer(pl.col("total")))
    agree = (pl.sum_horizontal(LABELS) == pl.col("total")) & pl.all_horizontal(pl.col(*LABELS).is_not_null())
    agree = agree.fill_null(value=False)
    wrong = frame.filter(~agree)
    context.report.reject("étiquettes dont la somme n'est pas le total", wrong.height, wrong["code"].head(3).to_list())
    return frame.filter(agree).select("code", *LABELS)


def read(path: Path, context: ReadContext) -> Tables:
    """Return ``dwelling_energy``: code, A, B, C, D, E, F, G (numbers of diagnoses of existing dwellings)."""
    report = context.report
    if is_json(path):
        table = open_frame(path, read_records(path), LAYOUTS, report)
        counts = _counted(table, context) if table.layout == "diagnostics" else _aggregated(table, context)
    else:
        with open_table(path, LAYOUTS, report, members=("*dpe*.csv", "*.csv", "*.parquet")) as table:
            counts = _counted(table, context) if table.layout == "diagnostics" else _aggregated(table, context)
    mended = cells.mend_codes(counts, report)
    result = mended.group_by("code").agg(pl.col(*LABELS).sum()).sort("code")
    report.rows_kept += result.height
    return {"dwelling_energy": result}
