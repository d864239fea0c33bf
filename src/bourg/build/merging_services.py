"""How the tables of services, health, mobility and safety are brought together: what ``store.tables`` needs to know.

Tables of several sources (``programmes``) or of several lists of the same places (``france_services``) are merged here;
the others keep the best file.
"""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

# Tables whose ``code`` is a commune, to be moved to the reference geography.
COMMUNE_CODES = frozenset({
    "programmes", "housing_operations", "france_services", "carpool_places", "emergency_distance", "maternities",
    "crime", "health_facilities", "dwelling_energy", "apl", "commuting_flows",
    "energy_installations", "energy_sites", "energy_production", "population_cells",
})  # fmt: skip
# Tables that several resources describe together.
COMPLETED = frozenset({"programmes", "france_services"})


def merge_programmes(frames: list[pl.DataFrame]) -> pl.DataFrame:
    """Keep one row per commune and programme: a list of one programme adds its dates to the cross table.

    A signed convention wins over a planned one; the identifier and the dates come from the first list that has them.
    """
    rows = pl.concat(frames, how="vertical_relaxed").filter(pl.col("code").is_not_null())
    signed = (pl.col("status") == "signed").any()
    first = [
        pl.col(name).drop_nulls().first().alias(name)
        for name in ("programme_id", "signature_date", "end_date", "source", "vintage")
    ]
    merged = rows.group_by("code", "programme", maintain_order=True).agg(
        *first, status=pl.when(signed).then(pl.lit("signed")).otherwise(pl.col("status").first())
    )
    return merged.select(rows.columns).sort("code", "programme")


def merge_france_services(frames: list[pl.DataFrame]) -> pl.DataFrame:
    """Keep the structures of the first list; the others only tell what it does not say of them (name, point).

    A structure that another list puts in another commune has moved since: nothing of it is taken.
    """
    base = frames[0].filter(pl.col("code").is_not_null())
    told = ["name", "kind", "itinerant"]
    for other in frames[1:]:
        extra = other.unique(["place_id", "code"], keep="first", maintain_order=True)
        base = base.join(extra, on=["place_id", "code"], how="left", suffix="_other", maintain_order="left")
        # A point is a pair: its two numbers come from one list.
        located = pl.col("longitude").is_not_null() & pl.col("latitude").is_not_null()
        base = base.with_columns(
            *(pl.coalesce(name, f"{name}_other").alias(name) for name in told),
            *(pl.when(located).then(name).otherwise(f"{name}_other").alias(name) for name in ("longitude", "latitude")),
        ).select(frames[0].columns)
    return base.sort("code", "place_id")


COMBINE: dict[str, Callable[[list[pl.DataFrame]], pl.DataFrame]] = {
    "programmes": merge_programmes,
    "france_services": merge_france_services,
}
