"""Census: main residences by tenure, from the detailed table by rooms, tenure and type of dwelling."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl

from bourg.errors import SourceFormatError
from bourg.sources import cells, measures
from bourg.sources.layouts import column, fold
from bourg.sources.reading import ReadContext, Tables
from bourg.sources.tabular import open_table

_ROOMS = r"\d(?:piece|pieces|piecesouplus)"
_TENURES = {
    "proprietaire": "OWNERS",
    "locatairedelogementparcprivevide": "PRIVATE_TENANTS",
    "locatairedelogementmeuble": "PRIVATE_TENANTS",
    "locatairedelogementparcsocialvide": "SOCIAL_TENANTS",
    "logegratuitement": "FREE",
}
_CELL = re.compile(rf"{_ROOMS}({'|'.join(_TENURES)})(?:maison|appartement|autreslogements.*)")
LAYOUTS = {
    "detailed": {
        "code": column("Code géographique", "CODGEO"),
        "name": column("Libellé géographique", "LIBGEO"),
        "owners": column("1 pièce Propriétaire Maison", pattern=rf"{_ROOMS}proprietaire.*"),
        "social": column(
            "1 pièce Locataire de logement parc social vide Maison", pattern=rf"{_ROOMS}locatairedelogementparcsocial.*"
        ),
    },
}


def read(path: Path, context: ReadContext) -> Tables:
    """Return ``tenure``: main residences (weighted, not whole) by commune and tenure, and their total.

    Raises
    ------
    SourceFormatError
        When the declared vintage has no year.
    """
    report = context.report
    match = re.search(r"20\d{2}", context.resource.vintage)
    if match is None:
        raise SourceFormatError("Le millésime de la ressource n'est pas déclaré.", where=context.resource.id)
    with open_table(path, LAYOUTS, report, sheets=("com*", "*")) as table:
        names = {name: _TENURES[m.group(1)] for name in table.header if (m := _CELL.fullmatch(fold(name)))}
        frame = table.read(*names)
    numbers = frame.select("code", *(cells.number(pl.col(name)).alias(name) for name in names))

    def total(columns: list[str]) -> pl.Expr:
        # A null among the cells makes the sum unknown.
        known = pl.all_horizontal(pl.col(name).is_not_null() for name in columns)
        return pl.when(known).then(pl.sum_horizontal(columns))

    sums = {
        tenure: total([name for name, found in names.items() if found == tenure])
        for tenure in dict.fromkeys(names.values())
    }
    wide = numbers.select("code", TOTAL=total(list(names)), **sums)
    long = wide.unpivot(index="code", variable_name="variable", value_name="value").with_columns(
        year=pl.lit(int(match.group()), dtype=pl.Int32),
        status=pl.when(pl.col("value").is_null()).then(pl.lit("missing")).otherwise(pl.lit("ok")),
    )
    return {"tenure": measures.finish(long, report)}
