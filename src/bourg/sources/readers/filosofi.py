"""Filosofi: income and poverty by commune, in the comparator, the detailed files and the Melodi layout."""

from __future__ import annotations

import re
import zipfile
from collections import Counter
from pathlib import Path

import polars as pl

from bourg.sources import cells
from bourg.sources.archives import zip_members
from bourg.sources.layouts import Table, column, fold, optional
from bourg.sources.melodi import MELODI, melodi_communes
from bourg.sources.reading import ReadContext, Tables
from bourg.sources.tabular import open_table

_YEARLY = re.compile(r"([A-Z][A-Z0-9]*?)(\d{2})")
LAYOUTS = {
    "melodi": {**MELODI, "variable": column("FILOSOFI_MEASURE")},
    "wide": {
        "code": column("CODGEO", "COM"),
        "name": optional("LIBGEO"),
        "yearly": column("MED21", pattern=r"(med|q2|tp60|nbmenfisc|nbpers|nbmen)\d{2}"),
    },
}
# Measures of Filosofi 2 (Melodi) and the names that the same measures had until 2021.
MEASURES = {
    "MED_SL": "MED",
    "PR_MD60": "TP60",
    "D1_SL": "D1",
    "D9_SL": "D9",
    "IR_D9_D1_SL": "RD",
    "S_HH_TAX": "PIMP",
    "NUM_HH": "NBMENFISC",
    "NUM_PER": "NBPERSMENFISC",
    "S_EI_DI": "PACT",
    "S_EI_DI_SAL": "PTSA",
    "S_EI_DI_UNE": "PCHO",
    "S_EI_DI_N_SAL": "PBEN",
    "S_RET_PEN_DI": "PPEN",
    "S_INC_ASS_DI": "PPAT",
    "S_SOC_BEN_DI": "PPSOC",
    "S_SOC_BEN_DI_FAM_BEN": "PPFAM",
    "S_SOC_BEN_DI_MIN_SOC": "PPMINI",
    "S_SOC_BEN_DI_HOU_BEN": "PPLOGT",
    "S_DIR_TAX_DI": "PIMPOT",
}
# The detailed files (FILO2021_DISP_COM) name the median Q2 and the tax households NBMEN.
_SYNONYMS = {"Q2": "MED", "NBMEN": "NBMENFISC", "NBPERS": "NBPERSMENFISC"}
# s: statistical secrecy; ns: too few households to be published. nd: not available; so: without object.
_SECRET = ("s", "ns", "c")
_MISSING = ("nd", "so", "n/a", "-", ".")
_MEMBERS = ("cc_filosofi*com*.csv", "*disp_com.csv", "ds_filosofi*_data.csv", "*filosofi*", "*.csv", "*.xlsx")


def _wide(table: Table) -> pl.DataFrame:
    suffixes = {name: match for name in table.header if (match := _YEARLY.fullmatch(name.strip().upper()))}
    # D1 21 and TP60 21 only make sense with the year shared by all the columns.
    year = Counter(match.group(2) for match in suffixes.values()).most_common(1)[0][0]
    variables = {}
    for name in table.header:
        clean = name.strip().upper()
        if clean.endswith(year) and fold(name) not in {"codgeo", "libgeo"}:
            variable = clean[: -len(year)].rstrip("_")
            variables[name] = _SYNONYMS.get(variable, variable)
    wide = table.read(*variables)
    long = wide.unpivot(index="code", on=list(variables), variable_name="column", value_name="raw")
    raw = pl.col("raw").str.to_lowercase()
    number = cells.number(pl.col("raw"))
    odd = pl.col("raw").is_not_null() & number.is_null() & ~raw.is_in([*_SECRET, *_MISSING])
    table.report.mend("valeur illisible, dite manquante", int(long.select(odd.sum()).item()))
    return long.select(
        "code",
        pl.lit(2000 + int(year), dtype=pl.Int32).alias("year"),
        pl.col("column").replace_strict(variables, return_dtype=pl.String).alias("variable"),
        number.alias("value"),
        pl.when(raw.is_in(_SECRET))
        .then(pl.lit("secret"))
        .when(number.is_null())
        .then(pl.lit("missing"))
        .otherwise(pl.lit("ok"))
        .alias("status"),
    )


def _melodi(table: Table) -> pl.DataFrame:
    frame = melodi_communes(table.read(), table.report)
    return frame.select(
        "code",
        "year",
        pl.col("variable").str.to_uppercase().replace(MEASURES),
        pl.col("number").alias("value"),
        "status",
    )


def _poverty_member(path: Path) -> tuple[str, ...] | None:
    """Return the pattern of the poverty file that INSEE puts beside the distribution in the same archive."""
    if not zipfile.is_zipfile(path):
        return None
    names = [member.filename.lower() for member in zip_members(path)]
    return ("*disp_pauvres_com.csv",) if any(name.endswith("disp_pauvres_com.csv") for name in names) else None


def _read_member(path: Path, context: ReadContext, members: tuple[str, ...]) -> pl.DataFrame:
    with open_table(path, LAYOUTS, context.report, members=members, sheets=("com*", "*")) as table:
        return _melodi(table) if table.layout == "melodi" else _wide(table)


def read(path: Path, context: ReadContext) -> Tables:
    """Return ``income``: code, year, variable, value, status (ok, secret, missing), one row per value.

    Units are those of INSEE: euros a year per consumption unit (MED, D1, D9), per cent (TP60, PIMP, P…),
    counts (NBMENFISC, NBPERSMENFISC), ratio (RD). A secret value is never a zero.
    """
    report = context.report
    frame = _read_member(path, context, _MEMBERS)
    if poverty := _poverty_member(path):
        frame = pl.concat([frame, _read_member(path, context, poverty)])
    frame = cells.mend_codes(frame, report)
    unique = frame.unique(["code", "year", "variable"], keep="first", maintain_order=True)
    report.rows_kept += unique.height
    return {"income": unique.sort("code", "year", "variable")}
