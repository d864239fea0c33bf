"""Flores: establishments and jobs by commune, in the long Melodi layout."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from bourg.sources import measures
from bourg.sources.layouts import column, optional
from bourg.sources.melodi import MELODI, melodi_communes
from bourg.sources.reading import ReadContext, Tables
from bourg.sources.tabular import open_table

LAYOUTS = {
    "melodi": {
        **MELODI,
        "measure": column("FLORES_MEASURE"),
        "activity": column("ACTIVITY"),
        "size": optional("NUMBER_EMPL"),
        "legal_form": optional("LEGAL_FORM_WITH_PUBLIC"),
    },
}
_TOTAL = "_T"
# All legal forms but households that employ someone at home.
_FORMS = ("1T9X7", _TOTAL)
_NO_EMPLOYEE = ("E0", "0")


def _select(frame: pl.DataFrame) -> pl.DataFrame:
    """Keep totals over activities and forms, and the rows of the three variables."""
    measure = pl.col("measure").str.to_uppercase()
    size = pl.col("size").fill_null(_TOTAL)
    every = size == _TOTAL
    variable = (
        pl.when((measure == "UNIT_LOC") & every)
        .then(pl.lit("UNITS"))
        .when((measure == "UNIT_LOC") & size.is_in(_NO_EMPLOYEE))
        .then(pl.lit("WITHOUT"))
        .when((measure == "EMPL3112") & every)
        .then(pl.lit("JOBS"))
    )
    totals = (pl.col("activity") == _TOTAL) & pl.col("legal_form").fill_null(_TOTAL).is_in(_FORMS)
    return frame.filter(totals).with_columns(variable=variable).filter(pl.col("variable").is_not_null())


def read(path: Path, context: ReadContext) -> Tables:
    """Return ``establishments``: ``UNITS``, ``EMPLOYERS`` (with at least one employee) and ``JOBS`` by commune, year.

    Employers are the units less those without employee, when the file tells them apart.
    """
    report = context.report
    with open_table(path, LAYOUTS, report, members=("ds_flores*_data.csv", "*flores*.csv", "*.csv")) as table:
        frame = table.read()
    chosen = _select(frame)
    report.note(f"{frame.height - chosen.height} lignes de détail (activités, tailles, formes), laissées de côté")
    typed = melodi_communes(chosen, report).select(
        "code", "year", "variable", pl.col("number").alias("value"), "status"
    )
    keys = ["code", "year"]
    without = typed.filter(pl.col("variable") == "WITHOUT").select(*keys, lone="value", lone_status="status")
    units = typed.filter(pl.col("variable") == "UNITS")
    secret = (pl.col("status") == "secret") | (pl.col("lone_status") == "secret")
    employers = (
        units.join(without, on=keys, how="inner")
        .with_columns(value=pl.col("value") - pl.col("lone"), variable=pl.lit("EMPLOYERS"))
        .with_columns(
            status=pl.when(secret)
            .then(pl.lit("secret"))
            .when(pl.col("value").is_null())
            .then(pl.lit("missing"))
            .otherwise(pl.lit("ok"))
        )
    )
    rows = pl.concat([typed.filter(pl.col("variable") != "WITHOUT"), employers.select(typed.columns)])
    return {"establishments": measures.finish(rows, report)}
