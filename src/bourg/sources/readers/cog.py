"""Code officiel géographique: the yearly ``v_commune`` file of INSEE."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from bourg.sources import cells
from bourg.sources.layouts import column, optional
from bourg.sources.reading import ReadContext, Tables
from bourg.sources.tabular import open_table

LAYOUTS = {
    "v_commune": {
        "type": column("TYPECOM"),
        "code": column("COM"),
        "region": optional("REG"),
        "departement": optional("DEP"),
        "name": column("LIBELLE"),
        "parent": optional("COMPARENT"),
    }
}


def read(path: Path, context: ReadContext) -> Tables:
    """Return ``cog``: code, type (COM, ARM, COMD, COMA), name, departement, region, parent.

    A delegated commune (COMD) may bear the code of its parent: the key is (code, type).
    """
    members = ("v_commune*.csv", "commune*.csv", "*.csv")
    with open_table(path, LAYOUTS, context.report, members=members) as table:
        frame = table.read()
    frame = cells.mend_codes(frame, context.report)
    result = frame.select("code", pl.col("type").str.to_uppercase(), "name", "departement", "region", "parent")
    context.report.rows_kept += result.height
    return {"cog": result.sort("code", "type")}
