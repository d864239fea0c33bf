"""SRU inventory: the rate of social housing of the towns the law concerns, and what it asks of them."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl

from bourg.errors import SourceFormatError
from bourg.sources import measures
from bourg.sources.layouts import column, optional
from bourg.sources.reading import ReadContext, Tables
from bourg.sources.tabular import open_table

_RATE = re.compile(r"Taux_SRU_au_01_01_(\d{4})", re.IGNORECASE)
LAYOUTS = {
    "inventory": {
        "code": column("Code_INSEE_commune", "Code INSEE"),
        "concerned": optional("Commune_sru", pattern=r"communesruau0101\d{4}"),
        "rate": column("Taux_SRU", pattern=r"tauxsruau0101\d{4}"),
        "dwellings": optional("Nombre_lls", pattern=r"nombrellsinventaireau0101\d{4}"),
        "target": optional("Taux_cible", pattern=r"tauxciblecommune.*"),
        "deficit": optional("commune_deficitaire"),
        "breach": optional("Commune_carencée"),
    },
}
_VARIABLES = {
    "rate": "RATE",
    "dwellings": "DWELLINGS",
    "target": "TARGET",
    "deficit": "DEFICIT",
    "breach": "BREACH",
}


def read(path: Path, context: ReadContext) -> Tables:
    """Return ``sru``: per cent (``RATE``, ``TARGET``), dwellings, and 0/1 flags, by commune and inventory year.

    A commune listed without being concerned has no rate (``not_applicable``); one that is not listed is unknown.

    Raises
    ------
    SourceFormatError
        When the rate column does not carry its year.
    """
    report = context.report
    with open_table(path, LAYOUTS, report) as table:
        match = _RATE.search(table.columns["rate"])
        if match is None:
            raise SourceFormatError(
                "L'année de l'inventaire SRU est absente de l'en-tête.",
                where=f"{path.name}, colonne {table.columns['rate']}",
                next_step="prenez le fichier officiel « Communes et inventaire SRU ».",
            )
        present = [name for name in _VARIABLES if name in table.columns]
        frame = table.read()
    long = frame.unpivot(index=["code", "concerned"], on=present, variable_name="variable", value_name="raw")
    outside = (pl.col("concerned") == "0").fill_null(value=False)
    long = measures.parsed(long, report).with_columns(
        pl.col("variable").replace(_VARIABLES),
        year=pl.lit(int(match.group(1)), dtype=pl.Int32),
        value=pl.when(~outside).then("value"),
        status=pl.when(outside).then(pl.lit("not_applicable")).otherwise("status"),
    )
    return {"sru": measures.finish(long, report)}
