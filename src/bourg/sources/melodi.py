"""The long layout of INSEE's Melodi files: one observation per row, communes among other levels."""

from __future__ import annotations

import polars as pl

from bourg.sources import cells
from bourg.sources.layouts import column, optional
from bourg.sources.report import ReadReport

MELODI = {
    "geo": column("GEO"),
    "level": column("GEO_OBJECT"),
    "year": column("TIME_PERIOD"),
    "value": column("OBS_VALUE", "OBS_VALUE_NIVEAU"),
    "conf": optional("CONF_STATUS"),
    "obs": optional("OBS_STATUS"),
    "mult": optional("UNIT_MULT"),
}


def melodi_communes(frame: pl.DataFrame, report: ReadReport) -> pl.DataFrame:
    """Return the rows of communes with ``code``, Int32 ``year``, Float64 ``number`` and ``status``.

    ``GEO`` is a plain code in files (``01001``) and ``2025-COM-01001`` in answers of the API. ``CONF_STATUS`` C is
    statistical secrecy; a value without secrecy and without number is missing (``OBS_STATUS`` O).
    """
    communes = frame.filter(pl.col("level").str.to_uppercase() == "COM")
    levels = frame.height - communes.height
    if levels:
        report.note(f"{levels} lignes d'autres niveaux que la commune, laissées de côté")
    number = cells.number(pl.col("value")) * (10.0 ** cells.number(pl.col("mult")).fill_null(0.0))
    communes = communes.with_columns(
        code=pl.col("geo").str.extract(r"([0-9][0-9AB]?[0-9]{2,4})$"),
        year=cells.integer(pl.col("year").str.slice(0, 4)).cast(pl.Int32),
        number=number,
    ).with_columns(
        status=pl.when(pl.col("conf").str.to_uppercase() == "C")
        .then(pl.lit("secret"))
        .when(pl.col("number").is_null())
        .then(pl.lit("missing"))
        .otherwise(pl.lit("ok"))
    )
    return cells.mend_codes(communes, report).with_columns(
        number=pl.when(pl.col("status") == "ok").then(pl.col("number"))
    )
