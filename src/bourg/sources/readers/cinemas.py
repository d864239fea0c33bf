"""CNC: active cinemas by year; the columns changed name in 2023, and both families live in the same export."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl

from bourg.sources import cells
from bourg.sources.layouts import Column, column, optional
from bourg.sources.reading import ReadContext, Tables
from bourg.sources.tabular import open_table

_COMMON = {
    "year": optional("year", "annee"),
    "dated": optional("entrees_2022", pattern=r"entrees\d{4}"),
    "screens": column("ECRANS"),
    "seats": column("FAUTEUILS"),
    "kind": optional("GENRE"),
    "id_old": optional("N°AUTO", "N° auto"),
    "id_new": optional("NAutoC"),
    "name_old": optional("NOM ETABLISSEMENT", "nom"),
    "name_new": optional("NomEtab"),
    "art_old": optional("ART ET ESSAI"),
    "art_new": optional("AE"),
}
_OLD = ("CODE COMMUNE", "code INSEE")
LAYOUTS: dict[str, dict[str, Column]] = {
    "avant 2023": {"code_old": column(*_OLD), "code_new": optional("DEPCOM"), **_COMMON},
    "depuis 2023": {"code_new": column("DEPCOM"), "code_old": optional(*_OLD), **_COMMON},
}


def read(path: Path, context: ReadContext) -> Tables:
    """Return ``cinemas``: cinema_id, name, code, year, screens, seats, kind, art_house; one row per cinema and year."""
    report = context.report
    with open_table(path, LAYOUTS, report) as table:
        frame = table.read()
    merged = frame.with_columns(
        code=pl.coalesce("code_new", "code_old"),
        cinema_id=pl.coalesce("id_new", "id_old"),
        name=pl.coalesce("name_new", "name_old"),
        art=pl.coalesce("art_new", "art_old").str.to_uppercase(),
        kind=pl.col("kind").str.to_uppercase(),
    )
    if "year" not in table.columns:
        # The one-year edition only writes its year in the name of a column (entrees_2022).
        shown = re.findall(r"\d{4}", table.columns.get("dated", "") or context.resource.vintage)
        merged = merged.with_columns(year=pl.lit(shown[-1] if shown else None, dtype=pl.String))
    merged = cells.mend_codes(merged, report).with_columns(
        year=cells.integer(pl.col("year")).cast(pl.Int32),
        screens=cells.integer(pl.col("screens")),
        seats=cells.integer(pl.col("seats")),
        # NON, OUI, AE, or the category of the subsidy (A to E).
        art_house=pl.when(pl.col("art").is_in(["OUI", "AE", "A", "B", "C", "D", "E"]))
        .then(pl.lit(value=True))
        .when(pl.col("art") == "NON")
        .then(pl.lit(value=False)),
    )
    dated = merged.filter(pl.col("year").is_not_null())
    report.reject("année illisible", merged.height - dated.height)
    unknown = (pl.col("seats") == 0).fill_null(value=False)
    report.mend("zéro fauteuil : nombre inconnu, vidé", int(dated.select(unknown.sum()).item()))
    result = dated.with_columns(seats=pl.when(~unknown).then(pl.col("seats"))).select(
        "cinema_id", "name", "code", "year", "screens", "seats", "kind", "art_house"
    )
    report.rows_kept += result.height
    return {"cinemas": result.sort("code", "year", "cinema_id")}
