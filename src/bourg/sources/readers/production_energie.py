"""Electricity produced on the Enedis grid, by commune, year and sector."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from bourg.errors import SourceFormatError
from bourg.sources import cells, measures
from bourg.sources.jsonrecords import is_json, read_records
from bourg.sources.layouts import Table, column, optional
from bourg.sources.reading import ReadContext, Tables
from bourg.sources.report import MAX_EXAMPLES, ReadReport
from bourg.sources.tabular import open_frame, open_table

SECTORS = {
    "solar": "photovoltaique", "wind": "eolien", "hydro": "hydraulique", "bio": "bio_energie",
    "cogeneration": "cogeneration", "other": "autres_filieres",
}  # fmt: skip
LAYOUTS = {
    "filieres": {
        "code": column("code_commune", "Code commune"),
        "year": column("annee", "Année"),
        "domain": optional("domaine_de_tension", "Domaine de tension"),
        **{f"mwh_{key}": column(f"energie_produite_annuelle_{name}_enedis_mwh") for key, name in SECTORS.items()},
        **{f"sites_{key}": optional(f"nb_sites_{name}_enedis") for key, name in SECTORS.items()},
    }
}
COLUMNS = ("code", "year", "sector", "mwh", "n", "status")
MAX_UNREADABLE = 0.2


def _sector(frame: pl.DataFrame, sector: str, report: ReadReport) -> pl.DataFrame:
    """Return the lines of one sector; an empty cell is a withheld figure where the column writes its zeros."""
    part = frame.select("code", "year", "domain", raw=f"mwh_{sector}", n=cells.integer(pl.col(f"sites_{sector}")))
    part = measures.parsed(part, report).with_columns(sector=pl.lit(sector))
    negative = part.filter(pl.col("value") < 0)
    if negative.height:
        shown = negative.select(pl.format("{} en {} : {}", "code", "year", "raw")).to_series().head(MAX_EXAMPLES)
        listed = ", ".join(f"« {text} »" for text in shown)
        report.mend(f"production négative, dite manquante ({listed})", negative.height)
    below = (pl.col("value") < 0).fill_null(value=False)
    zeros = part.filter(pl.col("value") == 0).height > 0
    withheld = pl.col("raw").is_null() if zeros else pl.lit(value=False)
    return part.with_columns(
        value=pl.when(~below).then("value"),
        status=pl.when(below).then(pl.lit("missing")).when(withheld).then(pl.lit("secret")).otherwise("status"),
    )


def _read(table: Table, context: ReadContext) -> pl.DataFrame:
    report = context.report
    frame = cells.mend_codes(table.read(), report).with_columns(year=cells.integer(pl.col("year")).cast(pl.Int32))
    unread = frame["year"].null_count()
    if unread > MAX_UNREADABLE * max(frame.height, 1):
        raise SourceFormatError(
            "Les colonnes du fichier sont décalées.",
            where=f"{table.path.name}, colonne annee",
            why=f"{unread} années illisibles sur {frame.height} lignes.",
            next_step="téléchargez à nouveau l'export, sans l'ouvrir dans un tableur.",
        )
    report.reject("année illisible", unread)
    frame = frame.filter(pl.col("year").is_not_null())
    once = frame.unique(maintain_order=True)
    report.reject("ligne répétée à l'identique, comptée une fois", frame.height - once.height)
    keys = ["code", "year", "domain"]
    twice = once.filter(pl.len().over(keys) > 1)
    report.mend("lignes contradictoires d'une même commune, dites manquantes", twice.height)
    long = pl.concat([_sector(once, sector, report) for sector in SECTORS])
    unclear = twice.select(keys).unique().with_columns(_unclear=pl.lit(value=True))
    long = long.join(unclear, on=keys, how="left", nulls_equal=True)
    status = pl.when(pl.col("_unclear")).then(pl.lit("missing")).otherwise("status")
    rows = long.with_columns(status=status).group_by("code", "year", "sector").agg(
        value=pl.col("value").sum(),
        n=pl.when(pl.col("n").null_count() == 0).then(pl.col("n").sum()),
        secret=(pl.col("status") == "secret").any(),
        lost=(pl.col("status") == "missing").any(),
    )  # fmt: skip
    known = ~pl.col("secret") & ~pl.col("lost")
    report.rows_kept += rows.height
    return rows.select(
        "code",
        "year",
        "sector",
        mwh=pl.when(known).then("value"),
        n=pl.when(known).then("n"),
        status=pl.when("secret").then(pl.lit("secret")).when("lost").then(pl.lit("missing")).otherwise(pl.lit("ok")),
    ).sort("code", "year", "sector")


def read(path: Path, context: ReadContext) -> Tables:
    """Return ``energy_production``: MWh and sites by commune, year and sector, voltages added up.

    The file writes its zeros: in a sector that does so, an empty cell is a withheld figure, called secret. A commune
    without a line is not described (another distributor may serve it).

    Raises
    ------
    SourceFormatError
        Columns missing, or shifted under their titles.
    """
    if is_json(path):
        return {"energy_production": _read(open_frame(path, read_records(path), LAYOUTS, context.report), context)}
    with open_table(path, LAYOUTS, context.report) as table:
        return {"energy_production": _read(table, context)}
