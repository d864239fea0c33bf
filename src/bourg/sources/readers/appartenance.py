"""INSEE: which EPCI, employment zone, urban unit, attraction area and living basin each commune belongs to."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from bourg.sources import cells
from bourg.sources.layouts import column, optional
from bourg.sources.reading import ReadContext, Tables
from bourg.sources.report import ReadReport
from bourg.sources.tabular import is_workbook, open_table

LAYOUTS = {
    "com": {
        "code": column("CODGEO"),
        "name": column("LIBGEO"),
        "departement": column("DEP"),
        "region": optional("REG"),
        "epci": column("EPCI"),
        "arrondissement": optional("ARR"),
        "zone_emploi": optional("ZE2020", pattern=r"ze\d{4}"),
        "unite_urbaine": optional("UU2020", pattern=r"uu\d{4}"),
        "aire_attraction": optional("AAV2020", pattern=r"(aav|au)\d{4}"),
        "bassin_vie": optional("BV2022", pattern=r"bv\d{4}"),
    }
}
ZONES = {
    "zones": {
        "level": column("NIVGEO"),
        "code": column("CODGEO"),
        "name": column("LIBGEO"),
        "n_communes": column("NB_COM"),
    }
}
_LEVELS = {
    "epci": "EPCI",
    "zone_emploi": "ZE2020",
    "unite_urbaine": "UU2020",
    "aire_attraction": "AAV2020",
    "bassin_vie": "BV2022",
}


def _zones_from(membership: pl.DataFrame, columns: dict[str, str], report: ReadReport) -> pl.DataFrame:
    report.note("pas d'onglet des zonages : le nombre de communes est compté, les noms des zones manquent")
    parts = [
        membership.drop_nulls(name)
        .group_by(pl.col(name).alias("code"))
        .agg(pl.len().cast(pl.Int64).alias("n_communes"))
        .select(
            pl.lit(columns.get(name, level).upper()).alias("level"),
            "code",
            pl.lit(None, dtype=pl.String).alias("name"),
            "n_communes",
        )
        for name, level in _LEVELS.items()
    ]
    return pl.concat(parts)


def read(path: Path, context: ReadContext) -> Tables:
    """Return ``membership`` (one row per commune) and ``zones`` (level, code, name, n_communes).

    ``ZZZZZZZZZ`` (no such zone, as for islands without EPCI) becomes null; ``AAV2020`` 000 is kept: it is the
    official code of the communes outside every attraction area.
    """
    report = context.report
    members = ("table-appartenance*", "*.xlsx", "*.csv")
    with open_table(path, LAYOUTS, report, members=members, sheets=("com", "com*")) as table:
        frame = table.read()
        columns = dict(table.columns)
        nowhere = pl.all().str.contains(r"^Z{3,}$")
    none = int(frame["epci"].str.contains(r"^Z{3,}$").fill_null(value=False).sum())
    if none:
        report.note(f"{none} communes n'appartiennent à aucune intercommunalité")
    frame = frame.with_columns(pl.when(~nowhere).then(pl.all()).name.keep())
    membership = cells.mend_codes(frame, report).unique("code", keep="first").sort("code")
    report.rows_kept += membership.height
    if is_workbook(path, members):
        # Counted apart: the report is about communes.
        with open_table(path, ZONES, ReadReport(), members=members, sheets=("zonessupra*",)) as table:
            raw = table.read()
        zones = raw.with_columns(n_communes=cells.integer(pl.col("n_communes"))).select(
            "level", "code", "name", "n_communes"
        )
    else:
        zones = _zones_from(membership, columns, report)
    return {"membership": membership, "zones": zones.sort("level", "code")}
