"""Base nationale des lieux de covoiturage: one row per place, in the official schema ``lieux-covoiturage``."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from bourg.sources import cells
from bourg.sources.layouts import column, optional
from bourg.sources.reading import ReadContext, Tables
from bourg.sources.tabular import open_table

LAYOUTS = {
    "lieux": {
        "place_id": column("id_lieu"),
        "name": optional("nom_lieu"),
        "code": column("insee", "insee_com"),
        "kind": column("type"),
        "open": optional("ouvert"),
        "spaces": optional("nbre_pl"),
        "longitude": column("Xlong", "longitude"),
        "latitude": column("Ylat", "latitude"),
    }
}
_TRUE = ("true", "1", "oui", "vrai")
_FALSE = ("false", "0", "non", "faux")


def read(path: Path, context: ReadContext) -> Tables:
    """Return ``carpool_places``: place_id, name, code, kind, open, spaces, longitude, latitude.

    ``open`` is null when unknown; ``spaces`` is the number of parking spaces, null when unknown.
    """
    report = context.report
    with open_table(path, LAYOUTS, report) as table:
        frame = cells.mend_codes(table.read(), report)
    state = pl.col("open").str.to_lowercase()
    frame = cells.mend_points(frame, report).with_columns(
        open=pl.when(state.is_in(_TRUE)).then(pl.lit(value=True)).when(state.is_in(_FALSE)).then(pl.lit(value=False)),
        spaces=cells.integer(pl.col("spaces")),
    )
    negative = (pl.col("spaces") < 0).fill_null(value=False)
    report.mend("nombre de places négatif, vidé", int(frame.select(negative.sum()).item()))
    result = frame.with_columns(spaces=pl.when(~negative).then("spaces")).select(
        "place_id", "name", "code", "kind", "open", "spaces", "longitude", "latitude"
    )
    unique = result.unique("place_id", keep="first", maintain_order=True)
    report.reject("lieu déjà présent dans la base", result.height - unique.height)
    report.rows_kept += unique.height
    return {"carpool_places": unique.sort("code", "place_id")}
