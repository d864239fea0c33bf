"""LOVAC: private dwellings, those vacant, and those vacant for more than two years, by commune and edition."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl

from bourg.sources import measures
from bourg.sources.layouts import column, fold, optional
from bourg.sources.reading import ReadContext, Tables
from bourg.sources.tabular import open_table

_EDITION = re.compile(r"(?:ff)?pp(vacantplus2ans|vacant|total)(\d{2})")
_VARIABLES = {"vacantplus2ans": "VACANT_2Y", "vacant": "VACANT", "total": "PRIVATE"}
LAYOUTS = {
    "communes": {
        "code": column("CODGEO", pattern=r"codgeo\d{2}"),
        "name": optional("LIBGEO", pattern=r"libgeo\d{2}"),
        "edition": column("pp_vacant_plus_2ans", pattern=_EDITION.pattern),
    },
}


def read(path: Path, context: ReadContext) -> Tables:
    """Return ``lovac``: dwellings by commune, edition of LOVAC (the year of the column) and variable.

    ``VACANT_26`` is the vacancy of the 1st of January 2025: the edition is kept as the year because that is how the
    producer numbers its series and its breaks. ``s`` (fewer than 11 dwellings) is secret, never zero.
    """
    report = context.report
    with open_table(
        path, LAYOUTS, report, members=("*commune*.csv", "*.csv", "*.xlsx"), sheets=("*com*", "*")
    ) as table:
        names = {name: match for name in table.header if (match := _EDITION.fullmatch(fold(name)))}
        wide = table.read(*names)
    long = wide.unpivot(index="code", on=list(names), variable_name="column", value_name="raw")
    long = measures.parsed(long, report).with_columns(
        variable=pl.col("column").replace_strict({name: _VARIABLES[m.group(1)] for name, m in names.items()}),
        year=pl.col("column").replace_strict(
            {name: 2000 + int(m.group(2)) for name, m in names.items()}, return_dtype=pl.Int32
        ),
    )
    return {"lovac": measures.finish(long, report, additive=_VARIABLES.values())}
