"""Distance from each commune to the nearest emergency department, computed by a third party from FINESS."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from bourg.sources import cells
from bourg.sources.layouts import column, optional
from bourg.sources.reading import ReadContext, Tables
from bourg.sources.tabular import open_table

LAYOUTS = {
    "distances": {
        "code": column("code_insee", "codgeo", "insee_com"),
        "distance": column("distance_urgence_km", "distance_urgences_km", "distance_km"),
        "level": optional("typecom"),
    }
}
# Written by routing tools where no road leads anywhere: neither a distance nor an unknown one.
_UNREACHABLE = ("inf", "infinity", "inaccessible", "non accessible", "unreachable")


def read(path: Path, context: ReadContext) -> Tables:
    """Return ``emergency_distance``: code, distance_km (Float64), status (ok | unreachable | missing)."""
    report = context.report
    with open_table(path, LAYOUTS, report) as table:
        frame = table.read()
    if "level" in table.columns:
        parts = frame.filter(pl.col("level").fill_null("COM") != "COM")
        report.reject("ligne d'un autre niveau que la commune", parts.height)
        frame = frame.filter(pl.col("level").fill_null("COM") == "COM")
    frame = cells.mend_codes(frame, report)
    unreachable = pl.col("distance").str.to_lowercase().is_in(_UNREACHABLE).fill_null(value=False)
    value = cells.number(pl.col("distance"))
    frame = frame.with_columns(
        distance_km=pl.when(value >= 0).then(value),
        status=pl.when(unreachable)
        .then(pl.lit("unreachable"))
        .when(value >= 0)
        .then(pl.lit("ok"))
        .otherwise(pl.lit("missing")),
    )
    unread = frame.filter((pl.col("status") == "missing") & pl.col("distance").is_not_null())
    report.mend("distance illisible ou négative, vidée", unread.height)
    result = frame.select("code", "distance_km", "status")
    unique = result.unique("code", keep="first", maintain_order=True)
    report.reject("commune déjà présente dans le fichier", result.height - unique.height)
    report.rows_kept += unique.height
    return {"emergency_distance": unique.sort("code")}
