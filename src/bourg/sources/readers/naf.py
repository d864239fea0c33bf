"""NAF rév. 2: the labels of the nomenclature of activities, from the official workbook of INSEE."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from bourg.sources.layouts import column
from bourg.sources.reading import ReadContext, Tables
from bourg.sources.tabular import open_table

LAYOUTS = {
    "short": {
        "naf": column("Code"),
        "label": column("Intitulés de la NAF rév. 2, version finale"),
        "label_65": column("Intitulés NAF rév. 2, en 65 caractères"),
        "label_40": column("Intitulés NAF rév. 2, en 40 caractères"),
    }
}
_SUBCLASS = r"^\d{2}\.\d{2}[A-Z]$"
_LEVELS = {"section": r"^SECTION [A-U]$", "division": r"^\d{2}$", "groupe": r"^\d{2}\.\d$", "classe": r"^\d{2}\.\d{2}$",
           "sous_classe": _SUBCLASS}  # fmt: skip


def read(path: Path, context: ReadContext) -> Tables:
    """Return ``naf_labels``: ``naf, level, label, label_65, label_40``, in the order of the nomenclature.

    Raises
    ------
    SourceFormatError
        Missing columns, or a workbook that is damaged.
    """
    report = context.report
    with open_table(path, LAYOUTS, report) as table:
        frame = table.read()
    level = pl.coalesce(
        pl.when(pl.col("naf").str.contains(pattern)).then(pl.lit(name)) for name, pattern in _LEVELS.items()
    )
    frame = frame.with_columns(level=level)
    strange = frame.filter(pl.col("level").is_null() & pl.col("naf").is_not_null())
    report.reject("code qui n'est pas de la NAF rév. 2", strange.height, strange["naf"].head(5).to_list())
    kept = frame.filter(pl.col("level").is_not_null())
    report.rows_kept += kept.height
    return {"naf_labels": kept.select("naf", "level", "label", "label_65", "label_40")}
