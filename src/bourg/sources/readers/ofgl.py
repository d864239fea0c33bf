"""OFGL: accounts of communes, one aggregate of one year per row, with the population the producer divides by."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from bourg.sources import cells, measures
from bourg.sources.layouts import column, fold, optional
from bourg.sources.reading import ReadContext, Tables
from bourg.sources.tabular import open_table

LAYOUTS = {
    "communes": {
        "code": column("Code Insee Commune", "com_code", pattern=r"codeinsee\d{4}commune"),
        "year": column("Exercice", "exer"),
        "category": optional("Catégorie", "categ"),
        "budget": optional("Type de budget", "type_de_budget"),
        "aggregate": column("Agrégat", "agregat"),
        "raw": column("Montant", "montant"),
        "population": column("Population totale", "ptot"),
    },
}
AGGREGATES = {
    "Dépenses de fonctionnement": "DRF",
    "Recettes de fonctionnement": "RRF",
    "Dépenses d'investissement hors remb": "DI",
    "Dépenses d'équipement": "EQUIPMENT",
    "Encours de dette": "DEBT",
    "Epargne brute": "GROSS",
    "Epargne nette": "NET",
    "Frais de personnel": "STAFF",
    "Impôts locaux": "TAXES",
    "Dotation globale de fonctionnement": "DGF",
}
# Differences between receipts and expenses: the only aggregates that may be negative.
_BALANCES = ("GROSS", "NET")
_FOLDED = {fold(label): variable for label, variable in AGGREGATES.items()}


def read(path: Path, context: ReadContext) -> Tables:
    """Return ``finances``: euros by commune, year and aggregate, and ``POPULATION``, that of the same file.

    The consolidated file adds main and annexe budgets, flows between them taken out; in the other one only main
    budgets are kept, because its rows cannot be added.
    """
    report = context.report
    with open_table(path, LAYOUTS, report) as table:
        frame = table.read()
        columns = table.columns
    kept = frame
    if "category" in columns:
        kept = kept.filter(pl.col("category").str.to_lowercase() == "commune")
        report.reject("ligne d'une collectivité qui n'est pas une commune", frame.height - kept.height)
    if "budget" in columns:
        main = kept.filter(pl.col("budget").str.to_lowercase().str.contains("principal"))
        report.note(f"{kept.height - main.height} lignes de budgets annexes, laissées de côté")
        kept = main
    folded = {text: _FOLDED.get(fold(text)) for text in kept["aggregate"].drop_nulls().unique().to_list()}
    kept = kept.with_columns(
        variable=pl.col("aggregate").replace_strict(folded, default=None, return_dtype=pl.String),
        year=cells.integer(pl.col("year").str.slice(0, 4)),
    )
    used = kept.filter(pl.col("variable").is_not_null())
    report.note(f"{kept.height - used.height} lignes d'agrégats que l'observatoire n'utilise pas")
    people = kept.select("code", "year", pl.lit("POPULATION").alias("variable"), pl.col("population").alias("raw"))
    rows = pl.concat([used.select("code", "year", "variable", "raw"), people.unique(maintain_order=True)])
    typed = measures.parsed(rows, report)
    odd = (pl.col("value") < 0).fill_null(value=False) & ~pl.col("variable").is_in(_BALANCES)
    report.mend("montant négatif d'un agrégat qui ne peut pas l'être, dit manquant", typed.filter(odd).height)
    typed = typed.with_columns(
        value=pl.when(~odd).then("value"), status=pl.when(odd).then(pl.lit("missing")).otherwise("status")
    )
    return {"finances": measures.finish(typed, report)}
