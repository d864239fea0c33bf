"""Carte des loyers: predicted advertised rents per m², all charges included, with their prediction interval."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl

from bourg.errors import SourceFormatError
from bourg.sources import measures
from bourg.sources.layouts import column, optional
from bourg.sources.reading import ReadContext, Tables
from bourg.sources.tabular import open_table

LAYOUTS = {
    "communes": {
        "code": column("INSEE_C", "INSEE"),
        "rent": column("loypredm2"),
        "low": optional("lwr.IPm2", "lwr_IPm2"),
        "high": optional("upr.IPm2", "upr_IPm2"),
    },
}


def read(path: Path, context: ReadContext) -> Tables:
    """Return ``rents``: euros per m² by commune (``HOUSE`` or ``FLAT``, ``_LOW`` and ``_HIGH`` bounds), all estimated.

    The kind of dwelling is that of the resource (its id starts with ``maisons`` or ``appartements``): the files do
    not tell it.

    Raises
    ------
    SourceFormatError
        When the declared vintage has no year.
    """
    report = context.report
    match = re.search(r"20\d{2}", context.resource.vintage)
    if match is None:
        raise SourceFormatError("Le millésime de la ressource n'est pas déclaré.", where=context.resource.id)
    kind = "HOUSE" if context.resource.id.startswith("maisons") else "FLAT"
    names = {"rent": kind, "low": f"{kind}_LOW", "high": f"{kind}_HIGH"}
    with open_table(path, LAYOUTS, report) as table:
        present = [name for name in names if name in table.columns]
        frame = table.read()
    long = frame.unpivot(index="code", on=present, variable_name="variable", value_name="raw")
    long = measures.parsed(long, report).with_columns(
        pl.col("variable").replace(names),
        pl.col("status").replace("ok", "estimated"),
        year=pl.lit(int(match.group()), dtype=pl.Int32),
    )
    return {"rents": measures.finish(long, report)}
