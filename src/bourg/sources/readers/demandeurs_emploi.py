"""Job seekers by commune: monthly counts of towns over 5,000 inhabitants, quarterly counts of the Dares."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from bourg.sources import measures
from bourg.sources.layouts import Table, column, fold
from bourg.sources.reading import ReadContext, Tables
from bourg.sources.tabular import open_table

_MONTHS = (
    "janvier", "fevrier", "mars", "avril", "mai", "juin", "juillet", "aout", "septembre", "octobre", "novembre",
    "decembre",
)  # fmt: skip
LAYOUTS = {
    "monthly": {
        "code": column("codgeo", "Code commune"),
        "month": column("YEAR", "mois"),
        "raw": column("Demandeurs_Emploi", "Nombre de demandeurs d'emploi"),
    },
    "quarterly": {
        "code": column("Code commune", "code_commune"),
        "date": column("Date"),
        "category": column("Catégorie"),
        "sex": column("Sexe"),
        "age": column("Tranche d'âge"),
        "raw": column("Nombre de demandeurs d'emploi", "nombre_de_demandeurs_d_emploi"),
    },
}


def _monthly(table: Table) -> pl.DataFrame:
    """Return the mean of the twelve months: a year with fewer months has none."""
    report = table.report
    everything = table.read()
    frame = everything.filter(~pl.col("code").str.contains(r"^(\d{2}|2[AB]|97\d|reg\d{2})$").fill_null(value=False))
    if frame.height < everything.height:
        report.note(f"{everything.height - frame.height} lignes de départements et de régions, laissées de côté")
    folded = {text: fold(text) for text in frame["month"].drop_nulls().unique().to_list()}
    month = pl.col("month").replace_strict(folded, default=None, return_dtype=pl.String)
    frame = frame.with_columns(
        rank=month.str.extract(r"^([a-z]+)").replace_strict(
            {name: rank for rank, name in enumerate(_MONTHS)}, default=None, return_dtype=pl.Int32
        ),
        year=month.str.extract(r"(\d{4})$").cast(pl.Int32),
    )
    known = frame.filter(pl.col("rank").is_not_null() & pl.col("year").is_not_null())
    report.reject("mois illisible", frame.height - known.height)
    months = measures.parsed(known, report).with_columns(variable=pl.format("M{}", pl.col("rank")))
    typed = measures.finish(months, report)
    report.rows_kept -= typed.height
    secret = (pl.col("status") == "secret").any()
    complete = (pl.len() == len(_MONTHS)) & (pl.col("status") == "ok").all()
    means = typed.group_by("code", "year").agg(
        # Rounded to the person, so that sums over communes are those of what is shown.
        value=pl.when(complete).then((pl.col("value").mean() + 0.5).floor()),
        status=pl.when(secret).then(pl.lit("secret")).when(complete).then(pl.lit("ok")).otherwise(pl.lit("missing")),
    )
    return means.with_columns(variable=pl.lit("MEAN"))


def _quarterly(table: Table) -> pl.DataFrame:
    """Return the fourth quarters of all job seekers of categories A, B and C, and of the young and the old."""
    frame = table.read()
    totals = frame.filter(
        (pl.col("sex").str.to_lowercase() == "total")
        & pl.col("date").str.contains("T4$")
        & pl.col("category").str.replace_all(r"[^A-Z]", "").is_in(["ABC"])
    )
    table.report.note("seuls les quatrièmes trimestres des catégories A, B et C, hommes et femmes, sont gardés")
    ages = {"total": "Q4", "moinsde25ans": "Q4_UNDER_25", "50ansetplus": "Q4_50_PLUS"}
    folded = {text: ages.get(fold(text)) for text in totals["age"].drop_nulls().unique().to_list()}
    named = totals.with_columns(
        variable=pl.col("age").replace_strict(folded, default=None, return_dtype=pl.String),
        year=pl.col("date").str.slice(0, 4).cast(pl.Int32, strict=False),
    ).filter(pl.col("variable").is_not_null())
    return measures.parsed(named, table.report)


def read(path: Path, context: ReadContext) -> Tables:
    """Return ``job_seekers``: persons by commune, year and variable (``MEAN`` of twelve months, ``Q4``…).

    A commune that the file does not list is unknown, never without job seekers.
    """
    with open_table(path, LAYOUTS, context.report) as table:
        long = _monthly(table) if table.layout == "monthly" else _quarterly(table)
    return {"job_seekers": measures.finish(long, context.report)}
