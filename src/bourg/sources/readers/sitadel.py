"""Sitadel: dwellings authorised by commune, year and kind."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from bourg.sources import cells, measures
from bourg.sources.layouts import column, fold
from bourg.sources.reading import ReadContext, Tables
from bourg.sources.tabular import open_table

LAYOUTS = {
    "annual": {
        "code": column("COMM", "COM", "CODGEO"),
        "year": column("ANNEE"),
        "kind": column("TYPE_LGT"),
        "raw": column("LOG_AUT"),
    },
}
_KINDS = {
    "touslogements": "DWELLINGS",
    "individuelpur": "INDIVIDUAL",
    "individuelgroupe": "INDIVIDUAL",
    "collectif": "COLLECTIVE",
}


def read(path: Path, context: ReadContext) -> Tables:
    """Return ``permits``: dwellings authorised, by commune, year and kind (``INDIVIDUAL`` is pure and grouped).

    Residences (students, old people) are in ``DWELLINGS`` only.
    """
    report = context.report
    with open_table(path, LAYOUTS, report) as table:
        frame = table.read()
    folded = {text: fold(text) for text in frame["kind"].drop_nulls().unique().to_list()}
    kinds = {text: _KINDS.get(short) for text, short in folded.items()}
    frame = frame.with_columns(
        variable=pl.col("kind").replace_strict(kinds, default=None, return_dtype=pl.String),
        year=cells.integer(pl.col("year")),
    )
    unknown = frame.filter(
        pl.col("variable").is_null()
        & ~pl.col("kind").is_in([text for text, short in folded.items() if short == "residence"])
    )
    report.reject("type de logement inconnu", unknown.height, unknown["kind"].drop_nulls().unique().to_list())
    rows = measures.parsed(frame.filter(pl.col("variable").is_not_null()), report)
    # The two kinds of individual dwellings of one commune and year are one figure: null when one is unknown.
    known = (pl.col("status") == "ok").all()
    summed = (
        rows.unique(["code", "year", "kind"], keep="first", maintain_order=True)
        .group_by("code", "year", "variable", maintain_order=True)
        .agg(
            value=pl.when(known).then(pl.col("value").sum()),
            status=pl.when((pl.col("status") == "secret").any())
            .then(pl.lit("secret"))
            .when(known)
            .then(pl.lit("ok"))
            .otherwise(pl.lit("missing")),
        )
    )
    return {"permits": measures.finish(summed, report)}
