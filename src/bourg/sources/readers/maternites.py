"""DREES: maternity units of the annual survey of hospitals (SAE), one row per unit and year."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from bourg.sources import cells
from bourg.sources.layouts import column, optional
from bourg.sources.reading import ReadContext, Tables
from bourg.sources.tabular import open_table

LAYOUTS = {
    "maternites": {
        "year": column("ANNEE", "AN"),
        "maternity_id": column("FI_ET", "FI", "nofinesset"),
        "name": optional("NOM_MAT", "RS"),
        "code": column("COM", "CODGEO", "code_commune"),
        "kind": optional("TYPE", "TYPE_MAT"),
        "beds": optional("LIT_OBS"),
        "births": optional("ACCTOT", "ACC_TOT"),
    }
}


def read(path: Path, context: ReadContext) -> Tables:
    """Return ``maternities``: maternity_id, name, code, year, kind (1, 2a, 2b, 3), beds, births.

    ``births`` is the number of deliveries of the year, null when the file has none.
    """
    report = context.report
    with open_table(path, LAYOUTS, report) as table:
        frame = table.read()
    # The health administration writes 9A to 9F for the overseas departments: 9A101 is 97101 (Les Abymes).
    overseas = pl.col("code").str.to_uppercase().str.contains(r"^9[A-F]\d{3}$").fill_null(value=False)
    report.mend("code outre-mer de la santé (9A…) ramené au code Insee", int(frame.select(overseas.sum()).item()))
    frame = frame.with_columns(
        code=pl.when(overseas).then(pl.lit("97") + pl.col("code").str.slice(2)).otherwise("code")
    )
    frame = cells.mend_codes(frame, report)
    frame = frame.with_columns(
        year=cells.integer(pl.col("year")).cast(pl.Int32),
        beds=cells.integer(pl.col("beds")),
        births=cells.integer(pl.col("births")),
        kind=pl.col("kind").str.to_lowercase(),
    )
    dated = frame.filter(pl.col("year").is_not_null())
    report.reject("année illisible", frame.height - dated.height)
    result = dated.select("maternity_id", "name", "code", "year", "kind", "beds", "births")
    unique = result.unique(["maternity_id", "year"], keep="first", maintain_order=True)
    report.reject("maternité déjà lue pour cette année", result.height - unique.height)
    report.rows_kept += unique.height
    return {"maternities": unique.sort("code", "year", "maternity_id")}
