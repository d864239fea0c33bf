"""RPLS: the stock of social housing by commune, in counts, and the rates that cannot be computed from them."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl

from bourg.errors import SourceFormatError
from bourg.sources import cells, measures
from bourg.sources.layouts import column
from bourg.sources.reading import ReadContext, Tables
from bourg.sources.report import ReadReport
from bourg.sources.tabular import open_table

# Under this number of dwellings SDES publishes the stock and nothing else.
MIN_DWELLINGS = 11
_CODE = column("DEPCOM_ARM", "DEPCOM", "CODGEO", "Code commune")
_DWELLINGS = column("nb_ls", "nb_logements")
LAYOUTS = {
    "counts": {"code": _CODE, "dwellings": _DWELLINGS, "rented": column("nb_loues"), "vacant": column("nb_vacants")},
    "rates": {"code": _CODE, "dwellings": _DWELLINGS, "density": column("densite"), "mobility": column("tx_mob")},
}
_DETAILS = {"rented": "RENTED", "vacant": "VACANT"}
_RATES = {"density": "DENSITY", "mobility": "MOBILITY"}


def _suppressed(frame: pl.DataFrame) -> pl.DataFrame:
    """Say secret what describes fewer than :data:`MIN_DWELLINGS` dwellings, whichever file gives it.

    SDES empties these counts in one table and leaves the rates in the other: together they would give the cells away.
    """
    few = (pl.col("dwellings") > 0) & (pl.col("dwellings") < MIN_DWELLINGS)
    # The density only tells the number of dwellings, which is published.
    few = few.fill_null(value=False) & (pl.col("variable") != "density")
    return frame.with_columns(
        value=pl.when(~few).then("value"), status=pl.when(few).then(pl.lit("secret")).otherwise("status")
    )


def _stock(wide: pl.DataFrame, report: ReadReport) -> pl.DataFrame:
    known = cells.mend_codes(wide, ReadReport()).filter(pl.col("dwellings").is_not_null())
    report.mend("nombre de logements sociaux illisible, dit manquant", wide.height - known.height)
    # Rows repeated as they are count once; sections of one town add up.
    rows = known.select("code", "year", pl.col("dwellings").alias("n"), *_DETAILS).unique(maintain_order=True)
    return rows.group_by("code", "year").agg(pl.col("n").sum()).sort("code")


def read(path: Path, context: ReadContext) -> Tables:
    """Return ``social_housing`` (dwellings) and ``rpls_rates`` (``RENTED``, ``VACANT``), or the published rates.

    ``DENSITY`` is per 100 main residences, ``MOBILITY`` per cent. Dwellings kept off the market (works, sale,
    demolition) are no part of ``VACANT``.

    Raises
    ------
    SourceFormatError
        When the declared vintage has no year.
    """
    report = context.report
    match = re.search(r"20\d{2}", context.resource.vintage)
    if match is None:
        raise SourceFormatError("Le millésime de la ressource n'est pas déclaré.", where=context.resource.id)
    # The tables carry no date: the year is that of the file.
    with open_table(path, LAYOUTS, report, sheets=("*com*", "*")) as table:
        names = _DETAILS if table.layout == "counts" else _RATES
        wide = table.read().with_columns(
            cells.integer(pl.col("dwellings")), year=pl.lit(int(match.group()), dtype=pl.Int32)
        )
    long = wide.unpivot(index=["code", "year", "dwellings"], on=list(names), variable_name="variable", value_name="raw")
    long = _suppressed(measures.parsed(long, report)).with_columns(pl.col("variable").replace(names))
    tables = {"rpls_rates": measures.finish(long, report, additive=_DETAILS.values())}
    if names is _DETAILS:
        tables["social_housing"] = _stock(wide, report)
    return tables
