"""Taxes on vacant dwellings: communes under the TLV, communes that voted the THLV and their rate."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl

from bourg.errors import SourceFormatError
from bourg.sources import measures
from bourg.sources.layouts import column
from bourg.sources.reading import ReadContext, Tables
from bourg.sources.tabular import open_table

LAYOUTS = {
    "rates": {
        "code": column("code_commune", "CODE INSEE", "codgeo"),
        "tax": column("type_taxe"),
        "raw": column("taux"),
    },
}


def read(path: Path, context: ReadContext) -> Tables:
    """Return ``vacancy_taxes``: ``TLV`` and ``THLV`` (1 or 0) and ``THLV_RATE`` (per cent), by commune.

    A commune without the THLV has no rate; one that voted it without a published rate has a missing rate.

    Raises
    ------
    SourceFormatError
        When the declared vintage has no year.
    """
    report = context.report
    match = re.search(r"20\d{2}", context.resource.vintage)
    if match is None:
        raise SourceFormatError("Le millésime de la ressource n'est pas déclaré.", where=context.resource.id)
    with open_table(path, LAYOUTS, report) as table:
        frame = table.read().with_columns(pl.col("tax").str.to_uppercase())
    frame = measures.parsed(frame, report).with_columns(year=pl.lit(int(match.group()), dtype=pl.Int32))
    known = pl.col("tax").is_null() | pl.col("tax").is_in(["TLV", "THLV"])
    report.reject("taxe inconnue", frame.filter(~known).height, frame.filter(~known)["tax"].to_list())
    frame = frame.filter(known)
    voted = (pl.col("tax") == "THLV").fill_null(value=False)
    flags = [
        frame.with_columns(
            variable=pl.lit(name),
            value=(pl.col("tax") == name).fill_null(value=False).cast(pl.Float64),
            status=pl.lit("ok"),
        )
        for name in ("TLV", "THLV")
    ]
    rates = frame.with_columns(
        variable=pl.lit("THLV_RATE"),
        # Shares in the file (0.2144), per cent everywhere else.
        value=pl.when(voted).then(100 * pl.col("value")),
        status=pl.when(voted).then("status").otherwise(pl.lit("not_applicable")),
    )
    return {"vacancy_taxes": measures.finish(pl.concat([*flags, rates]), report)}
