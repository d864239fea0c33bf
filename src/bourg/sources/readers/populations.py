"""Populations: the legal file of one year, the multi-year tables, and the Melodi layout."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl

from bourg.errors import SourceFormatError
from bourg.geography.codes import COMMUNE_PATTERN
from bourg.sources import cells
from bourg.sources.layouts import Table, column, fold, optional
from bourg.sources.melodi import MELODI, melodi_communes
from bourg.sources.reading import ReadContext, Tables
from bourg.sources.report import ReadReport
from bourg.sources.tabular import open_table

# PMUN18, PSDC99, PTOT54, PTOT1931, P21_POP, p13_pop, PMUN2021.
_YEARLY = re.compile(r"(?:p(?:mun|sdc|tot|pop)?|d)(\d{4}|\d{2})(?:pop)?")
_PMUN = column("PMUN", "Population municipale", pattern=r"pmun\d{2,4}")
_PCAP = optional("PCAP", "Population comptée à part", pattern=r"pcap\d{2,4}")
_PTOT = optional("PTOT", "Population totale", pattern=r"ptot\d{2,4}")
LAYOUTS = {
    "melodi": {**MELODI, "measure": column("POPREF_MEASURE")},
    "legales": {
        "code": column("COM", "CODGEO", "DEPCOM", "Code géographique"),
        "name": optional("Commune", "LIBGEO", "Nom de la commune"),
        "pcap": column("PCAP", "Population comptée à part", pattern=r"pcap\d{2,4}"),
        "pmun": _PMUN,
        "ptot": _PTOT,
        "dep": optional("DEP", "CODDEP", "Code département"),
        "short": optional("CODCOM", "Code commune"),
    },
    # Files whose code is cut in two: department, then three digits.
    "legales_coupe": {
        "code": column("CODCOM", "Code commune"),
        "dep": column("CODDEP", "Code département", "DEP"),
        "name": optional("COM", "Commune", "Nom de la commune"),
        "pmun": _PMUN,
        "pcap": _PCAP,
        "ptot": _PTOT,
    },
    "series": {
        "code": column("CODGEO", "COM", "code_insee"),
        "name": optional("LIBGEO", "Commune", "libelle"),
        "yearly": column("PMUN18", pattern=_YEARLY.pattern),
    },
}


def _full_year(digits: str) -> int:
    if len(digits) == 4:
        return int(digits)
    # Censuses go back to 1876 but two digits were only used from 1936 on.
    return int(digits) + (2000 if int(digits) <= 30 else 1900)


def _one_year(frame: pl.DataFrame, table: Table, context: ReadContext) -> pl.DataFrame:
    suffix = re.search(r"(\d{2,4})$", fold(table.columns["pmun"]))
    found = suffix or re.search(r"(\d{4})", context.resource.vintage)
    if found is None:
        raise SourceFormatError(
            "L'année de la population est inconnue.",
            where=table.path.name,
            next_step="indiquez le millésime dans le catalogue des sources.",
        )
    return frame.select(
        "code",
        "name",
        pl.lit(_full_year(found.group(1)), dtype=pl.Int32).alias("year"),
        *(cells.integer(pl.col(name)).alias(name) for name in ("pmun", "pcap", "ptot")),
    )


def _series(table: Table) -> pl.DataFrame:
    years = {
        name: match.group(1) for name in table.header if (match := _YEARLY.fullmatch(fold(name))) and name != "code"
    }
    wide = table.read(*years)
    long = wide.select("code", "name", *years).unpivot(
        index=["code", "name"], on=list(years), variable_name="column", value_name="raw"
    )
    names = {name: _full_year(digits) for name, digits in years.items()}
    if min(names.values()) < 2006:
        table.report.note("avant 2006, population sans doubles comptes (1962-1999) puis population totale")
    none = pl.lit(None, dtype=pl.Int64)
    return long.select(
        "code",
        "name",
        pl.col("column").replace_strict(names, return_dtype=pl.Int32).alias("year"),
        cells.integer(pl.col("raw")).alias("pmun"),
        none.alias("pcap"),
        none.alias("ptot"),
    )


def _melodi(table: Table) -> pl.DataFrame:
    frame = melodi_communes(table.read(), table.report)
    wide = frame.with_columns(pl.col("measure").str.to_uppercase()).pivot(
        on="measure",
        index=["code", "year"],
        values="number",
        aggregate_function="first",
        on_columns=["PMUN", "PCAP", "PTOT"],
    )
    counts = (pl.col(name.upper()).round().cast(pl.Int64).alias(name) for name in ("pmun", "pcap", "ptot"))
    return wide.select("code", pl.lit(None, dtype=pl.String).alias("name"), "year", *counts)


def _overseas(frame: pl.DataFrame, report: ReadReport) -> pl.DataFrame:
    """Mend the codes glued from a three-digit department and a three-digit commune (973 + 353 = 97353)."""
    glued = pl.col("code").str.contains(r"^97([1-8])\d{3}$")
    same = pl.col("code").str.slice(2, 1) == pl.col("code").str.slice(3, 1)
    mended = (glued & same).fill_null(value=False)
    report.mend("code d'outre-mer à six chiffres, ramené à cinq", int(frame.select(mended.sum()).item()))
    short = pl.col("code").str.slice(0, 2) + pl.col("code").str.slice(3)
    return frame.with_columns(code=pl.when(mended).then(short).otherwise(pl.col("code")))


def read(path: Path, context: ReadContext) -> Tables:
    """Return ``population``: code, name, year, pmun, pcap, ptot (inhabitants, null when the file has none)."""
    report = context.report
    members = ("*pop-historiques*.csv", "donnees_communes.csv", "*_data.csv", "*pop*.csv", "*.csv", "*.xlsx")
    with open_table(path, LAYOUTS, report, members=members, sheets=("com*", "*pop*", "*")) as table:
        if table.layout == "melodi":
            frame = _melodi(table)
        elif table.layout == "series":
            frame = _series(table)
        else:
            raw = table.read()
            cut = {"dep", "short"} <= table.columns.keys()
            # Some vintages call COM the name of the commune and CODCOM the end of its code.
            if cut and not raw["code"].head(200).str.contains(COMMUNE_PATTERN).any():
                end = pl.col("short").str.zfill(3)
                raw = raw.with_columns(name=pl.col("code"), code=pl.col("dep").str.slice(0, 2) + end)
            elif table.layout == "legales_coupe":
                raw = raw.with_columns(code=pl.col("dep").str.slice(0, 2) + pl.col("code").str.zfill(3))
            frame = _one_year(raw, table, context)
    frame = cells.mend_codes(_overseas(frame, report), report)
    known = frame.filter(pl.any_horizontal(pl.col("pmun", "pcap", "ptot").is_not_null()))
    report.reject("population illisible ou absente", frame.height - known.height)
    unique = known.unique(["code", "year"], keep="first", maintain_order=True)
    report.reject("commune répétée pour la même année", known.height - unique.height)
    report.rows_kept += unique.height
    return {"population": unique.sort("code", "year")}
