"""Where installations go on a map: the centre of their IRIS when it is given, of their commune otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

from bourg.energy.masts import wind_farms
from bourg.energy.sectors import LABELS

_SHOWN = (
    "installation_id", "name", "code", "sector", "sector_label", "technology", "power_kw", "n", "small", "masts",
    "commissioning_date", "year_injected_kwh", "energy_status", "mast_kwh", "mast_status", "place", "longitude",
    "latitude",
)  # fmt: skip


@dataclass(frozen=True)
class MappedInstallations:
    """Installations on the map, and those that no commune locates.

    Attributes
    ----------
    placed
        One row per line of the register: what is known, ``place`` (``iris`` or ``commune``: whose centre the point is),
        ``longitude, latitude`` (degrees). Lines of one commune share its point: the register gives no address.
    unplaced
        Lines without a commune, or whose commune has no centre.
    """

    placed: pl.DataFrame
    unplaced: pl.DataFrame

    def to_geojson(self) -> dict[str, Any]:
        """Return the placed rows as a GeoJSON collection of points (WGS84)."""
        features = [
            {
                "type": "Feature",
                "geometry": {"type": "Point", "coordinates": [row.pop("longitude"), row.pop("latitude")]},
                "properties": {key: str(item) if key == "commissioning_date" and item else item
                               for key, item in row.items()},
            }
            for row in self.placed.to_dicts()
        ]  # fmt: skip
        return {"type": "FeatureCollection", "features": features}


def installations_geo(
    installations: pl.DataFrame, communes: pl.DataFrame, iris_points: pl.DataFrame | None = None
) -> MappedInstallations:
    """Return the installations with the finest honest point.

    Parameters
    ----------
    installations
        Rows of ``energy_installations`` or ``energy_sites``, filtered on the territory wanted.
    communes
        ``code, longitude, latitude`` of the centres.
    iris_points
        ``iris, longitude, latitude`` of the centres of the IRIS, when they are known.
    """
    masts = wind_farms(installations).select("installation_id", "mast_kwh", "mast_status")
    rows = installations.join(masts, on="installation_id", how="left", maintain_order="left").join(
        communes.select("code", "longitude", "latitude"), on="code", how="left", maintain_order="left"
    )
    fine = iris_points if iris_points is not None else communes.select(iris="code").clear()
    if iris_points is None:
        fine = fine.with_columns(longitude=pl.lit(None, pl.Float64), latitude=pl.lit(None, pl.Float64))
    rows = rows.join(fine.select("iris", x="longitude", y="latitude"), on="iris", how="left", maintain_order="left")
    located = pl.col("x").is_not_null() & pl.col("y").is_not_null()
    rows = rows.with_columns(
        sector_label=pl.col("sector").replace_strict(LABELS),
        place=pl.when(located).then(pl.lit("iris")).otherwise(pl.lit("commune")),
        longitude=pl.when(located).then("x").otherwise("longitude"),
        latitude=pl.when(located).then("y").otherwise("latitude"),
    )
    here = pl.col("longitude").is_not_null() & pl.col("latitude").is_not_null()
    return MappedInstallations(
        rows.filter(here).select(_SHOWN), rows.filter(~here).select(*_SHOWN[:-3], "departement", "region", "level")
    )
