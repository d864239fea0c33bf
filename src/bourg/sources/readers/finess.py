"""FINESS: health and social establishments, in the open-data names of columns or in the raw extraction of the State.

The raw extraction (etalab-cs1100502 and cs1100507) has no header: one record per line, told apart by its first field.
"""

from __future__ import annotations

import codecs
from pathlib import Path

import polars as pl

from bourg.errors import SourceFormatError
from bourg.sources import cells
from bourg.sources.layouts import column, optional
from bourg.sources.reading import ReadContext, Tables
from bourg.sources.tabular import open_table

LAYOUTS = {
    "ods": {
        "facility_id": column("numero finess etablissement", "nofinesset", "finess_et"),
        "name": optional("rslongue", "raison_sociale", "rs"),
        "code": column("code_insee", "com_code", "insee_com"),
        "category_code": column("categetab", "categorie_code"),
        "latitude": optional("latitude"),
        "longitude": optional("longitude"),
    }
}
# Categories of establishments (nomenclature of FINESS) -> kind followed here. Pharmacies often bear the name of a
# person, and the BPE counts them.
KINDS = {"603": "health_house", "124": "health_centre", "500": "care_home"}
_RAW_START = b"finess;etalab"
_RAW_RECORD = "structureet;"
_RAW = {"facility_id": 1, "short_name": 3, "long_name": 4, "commune": 12, "departement": 13, "category_code": 18}


def _is_raw(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(64).removeprefix(codecs.BOM_UTF8).lower().startswith(_RAW_START)


def _raw(path: Path, context: ReadContext) -> pl.DataFrame:
    """Read the raw extraction; its projected coordinates are left aside, the commune is known by its code."""
    try:
        # Records of two widths and bare quotes: lines are read whole, then cut.
        lines = pl.read_csv(
            path,
            has_header=False,
            separator="\x01",
            quote_char=None,
            schema={"line": pl.String()},
            encoding="utf8-lossy",
        )
    except pl.exceptions.PolarsError as error:
        raise SourceFormatError(
            "L'extraction FINESS ne peut pas être lue.", where=path.name, why=str(error).split("\n", 1)[0][:300]
        ) from error
    fields = pl.col("line").str.split(";")
    records = lines.filter(pl.col("line").str.starts_with(_RAW_RECORD)).select(
        cells.text(fields.list.get(rank, null_on_oob=True)).alias(name) for name, rank in _RAW.items()
    )
    if records.is_empty():
        raise SourceFormatError("L'extraction FINESS n'a aucun établissement.", where=path.name)
    context.report.rows_read += records.height
    none = pl.lit(None, dtype=pl.String)
    # Overseas departments are written 9A to 9F, and the three figures of the commune begin with the last of 971.
    metropole = pl.col("departement").str.replace(r"^9[A-F]$", "97").str.slice(0, 2)
    return records.with_columns(
        code=metropole + pl.col("commune"), name=pl.coalesce("long_name", "short_name"), latitude=none, longitude=none
    )


def read(path: Path, context: ReadContext) -> Tables:
    """Return ``health_facilities``: facility_id, name, code, category_code, kind, longitude, latitude.

    One row per establishment; only the categories of :data:`KINDS` are kept. Telephones are never read.
    """
    report = context.report
    if path.is_file() and _is_raw(path):
        frame = _raw(path, context)
    else:
        with open_table(path, LAYOUTS, report, members=("*finess*.csv", "*.csv")) as table:
            frame = table.read()
    followed = frame.filter(pl.col("category_code").is_in(list(KINDS)))
    report.note(f"{frame.height - followed.height} lignes d'autres catégories d'établissements laissées de côté")
    located = cells.mend_points(cells.mend_codes(followed, report), report)
    result = located.select(
        "facility_id",
        "name",
        "code",
        "category_code",
        kind=pl.col("category_code").replace_strict(KINDS),
        longitude="longitude",
        latitude="latitude",
    )
    # The open-data names repeat an establishment for each of its activities.
    unique = result.unique("facility_id", keep="first", maintain_order=True)
    report.note(f"{result.height - unique.height} lignes d'un établissement déjà lu (une par activité)")
    report.rows_kept += unique.height
    return {"health_facilities": unique.sort("code", "facility_id")}
