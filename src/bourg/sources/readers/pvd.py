"""Petites villes de demain: the official list, its reduced or damaged copies, and the ANCT cross table."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from bourg.sources import cells
from bourg.sources.layouts import column, optional
from bourg.sources.reading import ReadContext, Tables
from bourg.sources.tabular import open_table

_CODE = column("insee_com", "code_insee", "codgeo", "Code commune")
_NAME = column("lib_com", "libelle", "libgeo", "commune")
LAYOUTS = {
    # One row per commune of France; the programme is read from id_pvd.
    "croisement": {
        "code": _CODE,
        "name": _NAME,
        "pvd_id": column("id_pvd"),
        "other": column("id_crte", "id_acv"),
        "signature_date": optional("date_signature"),
    },
    "liste": {
        "code": _CODE,
        "name": _NAME,
        "pvd_id": optional("id_pvd"),
        "signature_date": optional("date_signature", "date de signature"),
    },
}


def read(path: Path, context: ReadContext) -> Tables:
    """Return ``pvd``: code, name, pvd_id, signature_date; one row per commune of the programme."""
    report = context.report
    with open_table(path, LAYOUTS, report, members=("*pvd*.csv", "*ngeo*.csv", "*.csv")) as table:
        frame = table.read()
        layout = table.layout
    if layout == "croisement":
        frame = frame.filter(pl.col("pvd_id").is_not_null())
        report.note("table de croisement : seules les communes qui ont un identifiant PVD sont gardées")
    frame = cells.mend_codes(frame, report)
    dates = frame.with_columns(parsed=cells.date(pl.col("signature_date")))
    unreadable = dates.filter(pl.col("parsed").is_null() & pl.col("signature_date").is_not_null())
    report.mend("date de signature illisible, vidée", unreadable.height)
    several = int(frame["pvd_id"].str.contains(";", literal=True).fill_null(value=False).sum())
    if several:
        report.note(f"{several} communes ont plusieurs identifiants PVD, gardés ensemble")
    result = dates.select(
        "code",
        "name",
        pl.col("pvd_id").str.replace_all(r"\s*;\s*", " ; "),
        pl.col("parsed").alias("signature_date"),
    )
    unique = result.unique("code", keep="first", maintain_order=True)
    report.reject("commune déjà présente dans la liste", result.height - unique.height)
    report.rows_kept += unique.height
    return {"pvd": unique.sort("code")}
