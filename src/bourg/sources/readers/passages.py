"""Passages from the codes of past years to those of a reference year, in the three layouts met."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl

from bourg.geography.codes import normalise_codes
from bourg.settings import REFERENCE_COG
from bourg.sources.layouts import column, fold, optional
from bourg.sources.reading import ReadContext, Tables
from bourg.sources.tabular import open_table

LAYOUTS = {
    "ods": {
        "level": column("Niveau"),
        "old_code": column("Ancien Code Officiel"),
        "new_code": column("Code Courant Officiel"),
        "year": optional("Année"),
    },
    # « Table de passage » sheet: CODGEO_INI (any past code) and CODGEO_2025.
    "initial": {"old_code": column("CODGEO_INI"), "new_code": column("CODGEO_2025", pattern=r"codgeo\d{4}")},
    # table_passage_annuelle: one column per year; only the header is matched here.
    "annual": {"first": column("CODGEO_2003", pattern=r"codgeo\d{4}")},
}
_YEAR = re.compile(r"codgeo(\d{4})")


def _years(header: list[str]) -> dict[int, str]:
    found = {name: _YEAR.fullmatch(fold(name)) for name in header}
    return {int(match.group(1)): name for name, match in found.items() if match}


def read(path: Path, context: ReadContext) -> Tables:
    """Return ``passages``: old_code, new_code; several rows for one old code are a split.

    Only communes are kept. In the wide layouts the target is the reference year when the file has it, else the
    latest year.
    """
    report = context.report
    sheets = ("tabledepassage", "com", "*")
    with open_table(path, LAYOUTS, report, members=("*passage*", "*.csv", "*.xlsx"), sheets=sheets) as table:
        if table.layout == "ods":
            frame = table.read()
            communes = frame.filter(pl.col("level").str.to_uppercase() == "COM")
            report.reject("ligne d'un autre niveau que la commune", frame.height - communes.height)
            pairs = communes.select("old_code", "new_code")
        else:
            years = _years(table.header)
            target = REFERENCE_COG if REFERENCE_COG in years else max(years)
            report.note(f"codes ramenés au 1er janvier {target}")
            olds = [name for name in table.header if fold(name) == "codgeoini"]
            olds += [name for year, name in sorted(years.items()) if year != target]
            frame = table.read(*dict.fromkeys([*olds, years[target]]))
            new = frame[years[target]]
            pairs = pl.concat([pl.DataFrame({"old_code": frame[name], "new_code": new}) for name in olds])
    mended = pairs.select(old_code=normalise_codes(pl.col("old_code")), new_code=normalise_codes(pl.col("new_code")))
    known = mended.drop_nulls().unique().sort("old_code", "new_code")
    unreadable = pairs.drop_nulls().height - mended.drop_nulls().height
    report.reject("code commune illisible", unreadable)
    report.rows_kept += known.height
    return {"passages": known}
