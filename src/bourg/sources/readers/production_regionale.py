"""Electricity produced in each region, by year and sector, all networks together."""

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
    "nuclear": "nucleaire", "thermal": "thermique", "hydro": "hydraulique", "wind": "eolienne", "solar": "solaire",
    "bio": "bioenergies",
}  # fmt: skip
LAYOUTS = {
    "filieres": {
        "code": column("code_insee_region", "Code région"),
        "year": column("annee", "Année"),
        "region": optional("region", "Région"),
        **{f"gwh_{key}": column(f"production_{name}_gwh") for key, name in SECTORS.items()},
    }
}
MAX_UNREADABLE = 0.2
_REGIONS = r"^(0[1-46]|11|24|27|28|32|44|52|53|75|76|84|93|94)$"
_KEYS = ["code", "year"]


def _sector(frame: pl.DataFrame, sector: str, report: ReadReport) -> pl.DataFrame:
    """Return the rows of one sector in MWh; an impossible or empty figure is missing, never zero."""
    part = measures.parsed(frame.select(*_KEYS, "unclear", raw=f"gwh_{sector}"), report)
    negative = part.filter(pl.col("value") < 0)
    if negative.height:
        shown = negative.select(pl.format("région {} en {} : {}", *_KEYS, "raw")).to_series().head(MAX_EXAMPLES)
        listed = ", ".join(f"« {text} »" for text in shown)
        report.mend(f"production négative, dite manquante ({listed})", negative.height)
    lost = (pl.col("value") < 0).fill_null(value=True) | pl.col("unclear")
    status = pl.when(pl.col("status") == "secret").then(pl.lit("secret"))
    return part.select(
        *_KEYS,
        sector=pl.lit(sector),
        mwh=pl.when(~lost).then(pl.col("value") * 1000),
        status=status.when(lost).then(pl.lit("missing")).otherwise(pl.lit("ok")),
    )


def _read(table: Table, context: ReadContext) -> pl.DataFrame:
    report = context.report
    raw = table.read()
    frame = raw.with_columns(
        year=cells.integer(pl.col("year")).cast(pl.Int32),
        code=pl.col("code").str.replace(r"\.0+$", "").str.zfill(2),
    )
    unread = frame["year"].null_count()
    if unread > MAX_UNREADABLE * max(frame.height, 1):
        raise SourceFormatError(
            "Les colonnes du fichier sont décalées.",
            where=f"{table.path.name}, colonne annee",
            why=f"{unread} années illisibles sur {frame.height} lignes.",
            next_step="téléchargez à nouveau l'export, sans l'ouvrir dans un tableur.",
        )
    report.reject("année illisible", unread)
    known = pl.col("code").str.contains(_REGIONS).fill_null(value=False)
    strange = frame.filter(~known)
    report.reject("région inconnue", strange.height, strange["code"].drop_nulls().unique().sort().to_list())
    frame = frame.filter(known & pl.col("year").is_not_null())
    once = frame.unique(maintain_order=True)
    report.reject("ligne répétée à l'identique, comptée une fois", frame.height - once.height)
    twice = pl.len().over(_KEYS) > 1
    report.mend("lignes contradictoires d'une même région, dites manquantes", once.filter(twice).height)
    # One row a region and year; with several, nothing can be said of any sector.
    alone = once.with_columns(unclear=twice).unique(_KEYS, keep="first", maintain_order=True)
    rows = pl.concat([_sector(alone, sector, report) for sector in SECTORS])
    report.rows_kept += alone.height
    return rows.sort("code", "year", "sector")


def read(path: Path, context: ReadContext) -> Tables:
    """Return ``energy_production_region``: ``code`` (region), ``year, sector, mwh, status``.

    Sectors are those of :data:`SECTORS`; the file gives GWh, the table MWh.

    Raises
    ------
    SourceFormatError
        Columns missing, or shifted under their titles.
    """
    if is_json(path):
        rows = _read(open_frame(path, read_records(path), LAYOUTS, context.report), context)
    else:
        with open_table(path, LAYOUTS, context.report) as table:
            rows = _read(table, context)
    return {"energy_production_region": rows}
