"""Communes far from a kind of cultural place: none at home, and the nearest beyond a declared distance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bourg.culture.base import CultureBase, Ints
from bourg.culture.kinds import PACKAGE, Kind
from bourg.indicators.parameters import parameter

HOME, NEAR, FAR, UNKNOWN = "home", "near", "far", "unknown"
STATUSES = (HOME, NEAR, FAR, UNKNOWN)


@dataclass(frozen=True)
class Deserts:
    """Communes of a territory seen from one kind of place.

    Attributes
    ----------
    kind
        The kind, with its distance.
    table
        One row per commune: ``code, name, population, status, places, distance_km, nearest`` (name of the nearest
        place), ``nearest_commune``. Status: ``home`` (one in the commune), ``near`` (the nearest within the distance),
        ``far`` (a desert), ``unknown`` (the list of places, or the position of the commune, is missing).
    """

    kind: Kind
    table: pl.DataFrame

    def count(self, status: str) -> int:
        """Return the communes of a status."""
        return self.table.filter(pl.col("status") == status).height

    def people(self, status: str) -> int:
        """Return the inhabitants of the communes of a status, those of unknown population left out."""
        return int(self.table.filter(pl.col("status") == status)["population"].sum() or 0)

    @property
    def share(self) -> float | None:
        """Percent of the inhabitants in a desert among those whose commune is known; ``None`` when too few are."""
        known = sum(self.people(status) for status in (HOME, NEAR, FAR))
        return share_known(self.people(FAR), known, self.people(UNKNOWN))

    @property
    def far(self) -> pl.DataFrame:
        """The deserts, the most peopled first."""
        chosen = self.table.filter(pl.col("status") == FAR)
        return chosen.sort(["population", "code"], descending=[True, False], nulls_last=True)


def _statuses(base: CultureBase, rows: Ints, wanted: Kind) -> NDArray[np.object_]:
    distance, covered, limit = base.nearest(wanted)[0][rows], base.covered[rows], wanted.desert_km
    doubtful = ~covered | ~base.located[rows] | (base.away_from_unknown[rows] <= limit)
    status = np.full(len(rows), FAR, dtype=object)
    status[(distance > limit) & doubtful] = UNKNOWN
    status[distance <= limit] = NEAR
    status[base.count(wanted)[rows] > 0] = HOME
    return status


def desert_share(base: CultureBase, rows: Ints, wanted: Kind) -> float | None:
    """Return the percent of the inhabitants in a desert, as :attr:`Deserts.share`."""
    status, people = _statuses(base, rows, wanted), base.population[rows]
    unknown = float(np.nansum(people[status == UNKNOWN]))
    return share_known(float(np.nansum(people[status == FAR])), float(np.nansum(people)) - unknown, unknown)


def share_known(part: float, known: float, unknown: float) -> float | None:
    """Return ``part`` in percent of ``known``; ``None`` when too much is unknown (``culture_known_share``)."""
    least = float(parameter("culture_known_share", package=PACKAGE))
    return 100 * part / known if known > 0 and known >= least * (known + unknown) else None


def find_deserts(base: CultureBase, rows: Ints, wanted: Kind) -> Deserts:
    """Return the communes ``rows`` seen from a kind of place.

    A commune is told « far » only when the list describes it and every commune within the distance: what is not known
    there could be near. A place at hand is always told.
    """
    counts, covered = base.count(wanted)[rows], base.covered[rows]
    distance, place = (values[rows] for values in base.nearest(wanted))
    status = _statuses(base, rows, wanted)
    names = base.places.select("name", "code").with_row_index("place").with_columns(pl.col("place").cast(pl.Int64))
    communes = base.communes.select(nearest_code="code", nearest_commune="name")
    shown = np.where(np.isfinite(distance), distance, np.nan)
    table = (
        base.communes[rows]
        .select("code", "name", "population")
        .with_columns(
            status=pl.Series(status.tolist(), dtype=pl.String),
            places=pl.when(pl.Series(covered)).then(pl.Series(counts)),
            distance_km=pl.Series(shown).fill_nan(None),
            place=pl.Series(place),
        )
        .join(names.select("place", nearest="name", nearest_code="code"), on="place", how="left", maintain_order="left")
        .join(communes, on="nearest_code", how="left", maintain_order="left")
    )
    return Deserts(wanted, table.drop("place", "nearest_code"))
