"""Times of every inhabitant of several communes, department by department: the same figures as one run, at any size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import polars as pl

from bourg.access.network.installed import InstalledNetwork
from bourg.access.network.store import open_network
from bourg.access.places.crosswalk import Family, family
from bourg.access.travel.catchments import (
    LABELS,
    Catchment,
    Variant,
    apl_type,
    default_weights,
    floating_catchment,
    sensitivity_band,
)
from bourg.access.travel.parallel import nearest_partitioned
from bourg.access.travel.points import check_mode
from bourg.access.travel.reach import join_nearest, reach_indicators
from bourg.access.travel.times import matrix
from bourg.errors import ParameterError
from bourg.store.snapshot import Snapshot


@dataclass(frozen=True)
class TerritoryTimes:
    """Times to one family of facilities, by one mode.

    Attributes
    ----------
    communes
        One row per commune, as :func:`bourg.access.travel.reach.reach_indicators` gives them, with ``name``
        and ``demo``.
    points
        One row per point of the population: ``point_id, code, inhabitants, facility, minutes, status``…
    facilities
        Number of facilities of the family on the network.
    """

    communes: pl.DataFrame
    points: pl.DataFrame
    facilities: int


def territory_times(
    snapshot: Snapshot,
    installed: InstalledNetwork,
    departements: Sequence[str],
    mode: str,
    name: str,
    *,
    limit_min: float = 30.0,
    scheduler: str | None = None,
    workers: int | None = None,
) -> TerritoryTimes:
    """Return the times of the inhabitants of whole departments to a family of facilities.

    Each department is computed apart, on the streets around it that the limit allows to reach; what lies beyond the
    limit is ``beyond``, never missing.

    Parameters
    ----------
    departements
        Codes of departments; those of the communes inside the network when empty.
    mode, name, limit_min
        As for :meth:`bourg.access.study.TownAccess.reach`.
    scheduler
        ``None``: processes of this machine; ``local`` or the address of a Dask scheduler.
    workers
        Number of processes of this machine.

    Raises
    ------
    ParameterError
        Unknown mode, family or department; no commune inside the network; bad limit.
    SourceUnavailableError
        When the Dask scheduler does not answer.
    """
    place = _territory(snapshot, installed, departements, mode, name)
    points, facilities = place.points, place.facilities
    found = nearest_partitioned(
        partial(open_network, installed.folder), points, facilities, mode,
        limit_min=limit_min, area="departement", identifier="point_id", scheduler=scheduler, workers=workers,
    )  # fmt: skip
    reach = join_nearest(points, found, family=place.family.id, mode=mode)
    communes = reach_indicators(reach, limit_min=limit_min).join(place.communes, on="code", how="left").sort("code")
    return TerritoryTimes(communes, reach, facilities.height)


def territory_catchment(
    snapshot: Snapshot,
    installed: InstalledNetwork,
    departements: Sequence[str],
    mode: str,
    name: str,
    *,
    variant: Variant = "e2sfca",
) -> tuple[pl.DataFrame, Catchment]:
    """Return how much of a family of facilities there is for each inhabitant, competition of the others included.

    Every facility counts for one: what it can do is not known.

    Parameters
    ----------
    departements, mode, name
        As for :func:`territory_times`.
    variant
        ``2sfca``, ``e2sfca``, ``3sfca`` or ``apl``: see :func:`bourg.access.travel.catchments.floating_catchment`.

    Returns
    -------
    tuple
        One row per commune, ``code, name, demo, inhabitants, score, low, high``: facilities for 10,000 inhabitants,
        mean over the inhabitants, and when all times are 15 % longer and shorter; and the catchment itself.

    Raises
    ------
    ParameterError
        As :func:`territory_times`, or unknown variant.
    """
    place = _territory(snapshot, installed, departements, mode, name)
    people = place.points.filter(pl.col("inhabitants") > 0)
    demand = people.select(origin="point_id", demand="inhabitants")
    supply = place.facilities.select(destination="facility_id", supply=pl.lit(1.0))
    weights = default_weights(variant) if variant in LABELS else None
    limit = max(weights or {20.0: 1.0}) * 1.2
    od = matrix(installed.network, people, place.facilities, mode, limit_min=limit)
    if variant == "apl":
        made = apl_type(od, demand.rename({"demand": "inhabitants"}), supply)
    else:
        made = floating_catchment(od, demand, supply, variant=variant)
    band = sensitivity_band(od, demand, supply, variant=variant, od_limit_min=limit).select("origin", "low", "high")
    mean = {
        column: (pl.col(column) * pl.col("inhabitants")).sum() / pl.col("inhabitants").sum() * 10_000
        for column in ("score", "low", "high")
    }
    rows = (
        people.join(made.scores, left_on="point_id", right_on="origin")
        .join(band, left_on="point_id", right_on="origin")
        .group_by("code")
        .agg(**mean, inhabitants=pl.col("inhabitants").sum())
    )
    told = rows.join(place.communes, on="code", how="left").sort("code")
    return told.select("code", "name", "demo", "inhabitants", "score", "low", "high"), made


@dataclass(frozen=True)
class _Territory:
    family: Family
    points: pl.DataFrame
    facilities: pl.DataFrame
    communes: pl.DataFrame


def _territory(
    snapshot: Snapshot, installed: InstalledNetwork, departements: Sequence[str], mode: str, name: str
) -> _Territory:
    check_mode(mode)
    wanted = family(name)
    west, south, east, north = installed.network.bbox
    table = snapshot.table("communes").select("code", "name", "departement", "longitude", "latitude").collect()
    if strangers := sorted(set(departements) - set(table["departement"])):
        raise ParameterError(
            f"Le département « {strangers[0][:10]} » n'existe pas.", next_step="donnez des codes comme 04, 2A ou 974."
        )
    inside = pl.col("longitude").is_between(west, east) & pl.col("latitude").is_between(south, north)
    chosen = table.filter(
        inside & (pl.col("departement").is_in(list(departements)) if departements else pl.lit(value=True))
    )
    if chosen.is_empty():
        raise ParameterError(
            "Aucune commune demandée n'est dans l'emprise du réseau.",
            where=installed.name,
            next_step="choisissez un autre réseau ou un autre département : bourg network list.",
        )
    people = installed.inhabitants_of(snapshot, chosen["code"].to_list()).table
    points = people.join(chosen.select("code", "departement"), on="code", how="left", maintain_order="left")
    facilities = installed.facilities_of(snapshot, [wanted.id]).of(wanted.id)
    names = table.select("code", "name").join(points.group_by("code").agg(pl.col("demo").any()), on="code", how="inner")
    return _Territory(wanted, points, facilities, names)
