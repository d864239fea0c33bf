"""Sirene, StockEtablissementHistorique: the periods of shops, so that a change of trade is not read as a closing.

The file has one row per period of an establishment and no town: the stock tells where it is. Only the periods whose
activity is a type of shop are kept, neighbouring ones that do not differ being made one.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from bourg.commerce.typology import type_of
from bourg.sources.csvblocks import open_blocks
from bourg.sources.layouts import column
from bourg.sources.readers.sirene import Tally, settle, shop_rows, shop_sieve
from bourg.sources.reading import ReadContext, Tables

MEMBERS = ("stocketablissementhistorique*.csv", "*.csv")
LAYOUTS = {
    "history": {
        "siret": column("siret"),
        "end": column("dateFin"),
        "start": column("dateDebut"),
        "state": column("etatAdministratifEtablissement"),
        # Tells this file from the stock, whose other columns it shares.
        "changed": column("changementEtatAdministratifEtablissement"),
        "naf": column("activitePrincipaleEtablissement"),
        "nomenclature": column("nomenclatureActivitePrincipaleEtablissement"),
    }
}
SCHEMA = {"siret": pl.String, "start": pl.Date, "end": pl.Date, "active": pl.Boolean, "type": pl.String}


def _joined(rows: pl.DataFrame) -> pl.DataFrame:
    """Make one period of neighbouring ones of the same type and state."""
    rows = rows.sort("siret", "start", "end", nulls_last=True)
    same = (
        (pl.col("type") == pl.col("type").shift(1).over("siret"))
        & (pl.col("active") == pl.col("active").shift(1).over("siret"))
        & (pl.col("start") == pl.col("end").shift(1).over("siret").dt.offset_by("1d"))
    ).fill_null(value=False)
    return (
        rows.with_columns(rank=(~same).cast(pl.Int32).cum_sum())
        .group_by("rank", maintain_order=True)
        .agg(
            pl.col("siret").first(),
            pl.col("start").first(),
            pl.col("end").last(),
            pl.col("active").first(),
            pl.col("type").first(),
        )
        .select(list(SCHEMA))
    )


def read(path: Path, context: ReadContext) -> Tables:
    """Return ``shop_periods`` (``siret, start, end, active, type``; ``end`` null for the current period).

    Raises
    ------
    SourceFormatError
        Missing columns, shifted columns, truncated file.
    ArchiveError
        Damaged archive.
    """
    report = context.report
    tally = Tally()
    kept: list[pl.DataFrame] = []

    def date(name: str) -> pl.Expr:
        return pl.col(name).str.slice(0, 10).str.to_date("%Y-%m-%d", strict=False)

    with open_blocks(path, LAYOUTS, report, members=MEMBERS) as blocks:
        sieve = blocks.sieve = shop_sieve(blocks)
        for frame, numbers in blocks.frames():
            part = shop_rows(frame, tally, numbers, blocks.rows, path)
            # Dates are read by block: four bytes a value are kept rather than a text.
            kept.append(
                part.select(
                    "siret",
                    start=date("start"),
                    end=date("end"),
                    closed_text=pl.col("end").is_not_null(),
                    active=pl.col("state") == "A",
                    type=type_of(pl.col("naf"), "naf"),
                )
            )
        report.rows_read += blocks.rows
    settle(tally, sieve, report.rows_read, path, report)
    rows = pl.concat(kept)
    wrong = (
        pl.col("start").is_null()
        | (pl.col("end") < pl.col("start"))
        | (pl.col("closed_text") & pl.col("end").is_null())
    )
    wrong = wrong.fill_null(value=False)
    report.reject("période sans début, ou qui finit avant de commencer", rows.filter(wrong).height)
    rows = rows.filter(~wrong)
    report.rows_kept += rows.height
    return {"shop_periods": _joined(rows)}
