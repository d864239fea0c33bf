"""Exports of « Statistiques locales » (Insee): one row per commune, one column per indicator, its year in the label."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl

from bourg.errors import SourceFormatError
from bourg.sources import measures
from bourg.sources.layouts import column, fold
from bourg.sources.reading import ReadContext, Tables
from bourg.sources.tabular import open_table

# The label without its years -> variable. Rates the observatory computes itself (per inhabitant) are left aside.
VARIABLES = {
    "tauxdevolutionannueldelapopulationdueausoldenaturel": "NATURAL",
    "tauxdevolutionannueldelapopulationdueausoldemigratoireapparent": "MIGRATION",
    "nombredequipementssportifs": "SPORT_PLACES",
    "nombredelicenciessportifspour100habitants": "SPORT_LICENCES",
    "partdesmoinsde15ans": "AGE_0_14",
    "partdes1529ans": "AGE_15_29",
    "partdes3044ans": "AGE_30_44",
    "partdes4559ans": "AGE_45_59",
    "partdes6074ans": "AGE_60_74",
}
# What is left of 100 once the five classes published are taken out.
_CLASSES = ("AGE_0_14", "AGE_15_29", "AGE_30_44", "AGE_45_59", "AGE_60_74")
_OLDEST = "AGE_75_PLUS"
_LABEL = re.compile(r"(?P<label>.*?)(?:20\d{2})?(?P<year>20\d{2})$")
LAYOUTS = {"export": {"code": column("Code", "CODGEO"), "name": column("Libellé", "LIBGEO")}}
_PARIS = "75056"
# Written in full by the site: neither zero nor secret.
_ABSENT = r"^N/A"


def _named(header: list[str]) -> dict[str, tuple[str, int]]:
    """Return column of the file -> variable and year, for the columns that are used."""
    found: dict[str, tuple[str, int]] = {}
    for name in header:
        match = _LABEL.fullmatch(fold(name))
        if match and match["label"] in VARIABLES:
            found[name] = (VARIABLES[match["label"]], int(match["year"]))
    return found


def _oldest(typed: pl.DataFrame) -> pl.DataFrame:
    """Return the share of the 75 or over, complement of the five other classes of the same year."""
    ages = typed.filter(pl.col("variable").is_in(_CLASSES))
    summed = ages.group_by("code", "year").agg(
        pl.col("value").sum().alias("others"),
        ((pl.len() == len(_CLASSES)) & (pl.col("status") == "ok").all()).alias("known"),
    )
    # Shares are rounded to the tenth: the complement of a commune without elderly people may be −0.1.
    rest = (100 - pl.col("others")).round(1).clip(lower_bound=0.0)
    return summed.select(
        "code",
        "year",
        variable=pl.lit(_OLDEST),
        value=pl.when("known").then(rest),
        status=pl.when("known").then(pl.lit("ok")).otherwise(pl.lit("missing")),
    )


def read(path: Path, context: ReadContext) -> Tables:
    """Return ``local_statistics``: change of the population by its two balances, ages, sport, by commune and year.

    Per cent a year (``NATURAL``, ``MIGRATION``), per cent (``AGE_*``), licences per 100 inhabitants
    (``SPORT_LICENCES``), numbers (``SPORT_PLACES``). The year is the last one of the label.

    Raises
    ------
    SourceFormatError
        When no column is one of those the observatory uses.
    """
    report = context.report
    with open_table(path, LAYOUTS, report) as table:
        names = _named(table.header)
        if not names:
            raise SourceFormatError(
                "L'export n'a aucune des statistiques attendues.",
                where=path.name,
                next_step="exportez les mêmes indicateurs, avec leur année dans le titre de la colonne.",
            )
        wide = table.read(*names)
    long = wide.unpivot(index="code", on=list(names), variable_name="column", value_name="raw")
    # « N/A - division par 0 » is an absence that the file explains.
    long = long.with_columns(raw=pl.when(~pl.col("raw").str.contains(_ABSENT)).then("raw"))
    long = measures.parsed(long, report).with_columns(
        variable=pl.col("column").replace_strict({name: item[0] for name, item in names.items()}),
        year=pl.col("column").replace_strict({name: item[1] for name, item in names.items()}, return_dtype=pl.Int32),
    )
    # The census of sports facilities counts Paris by district: the zero of the city is an absence.
    districts = (pl.col("variable") == "SPORT_PLACES") & (pl.col("code") == _PARIS) & (pl.col("value") == 0)
    long = long.with_columns(
        value=pl.when(~districts).then("value"), status=pl.when(districts).then(pl.lit("missing")).otherwise("status")
    )
    typed = measures.finish(long, report, additive=("SPORT_PLACES",))
    oldest = _oldest(typed).select(typed.columns)
    return {"local_statistics": pl.concat([typed, oldest]).sort("code", "year", "variable")}
