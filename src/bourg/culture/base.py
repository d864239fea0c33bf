"""The places of the whole country as arrays, in the order of the communes: what every figure of culture is made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from bourg.culture.kinds import Kind, kinds
from bourg.indicators.typologies import FESTIVAL, categorise, normalise_label

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
# IUGG mean radius: distances on the sphere, under 0.6 % from those of the ellipsoid.
EARTH_KM = 6371.0088


def unit_vectors(longitude: Floats, latitude: Floats) -> Floats:
    """Return points of the unit sphere, shape ``(n, 3)``, from degrees."""
    lon, lat = np.radians(longitude), np.radians(latitude)
    return np.column_stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])


def chord_to_km(chord: Floats) -> Floats:
    """Return great-circle distances from chords of the unit sphere; infinite stays infinite."""
    half = np.clip(np.asarray(chord, dtype=np.float64) / 2, 0.0, 1.0)
    return np.where(np.isfinite(chord), 2 * EARTH_KM * np.arcsin(half), np.inf)


@dataclass(frozen=True)
class CultureBase:
    """Cultural places by commune.

    Attributes
    ----------
    communes
        ``code, name, departement, region, epci, population, area_km2, longitude, latitude, covered``, sorted by code;
        the position is that of the town hall, else that of the commune, else null. ``covered``: the typed list of
        places describes the commune; outside nothing is known, which is not zero.
    places
        ``place_id, name, type, code, longitude, latitude``, one row per place (festivals left out); a place without
        coordinates stands at the town hall of its commune. Null coordinates: not even that is known.
    demo
        Whether the places are generated.
    """

    communes: pl.DataFrame
    places: pl.DataFrame
    demo: bool
    _nearest: dict[str, tuple[Floats, Ints]] = field(default_factory=dict, compare=False, repr=False)
    _counts: dict[str, Ints] = field(default_factory=dict, compare=False, repr=False)

    @cached_property
    def position(self) -> dict[str, int]:
        """Row of each commune in the arrays."""
        return {code: row for row, code in enumerate(self.communes["code"])}

    @cached_property
    def population(self) -> Floats:
        """Inhabitants of each commune, not a number where unknown."""
        return self.communes["population"].cast(pl.Float64).fill_null(np.nan).to_numpy()

    @cached_property
    def covered(self) -> Bools:
        """Whether the list of places describes each commune."""
        return self.communes["covered"].to_numpy()

    @cached_property
    def types(self) -> tuple[str, ...]:
        """Labels of the types present, in alphabetical order of their comparison key."""
        return tuple(sorted(set(self._labels.values()), key=normalise_label))

    @cached_property
    def _labels(self) -> dict[str, str]:
        """Every spelling of a type -> the most frequent one."""
        counts = self.places.group_by("type").len().sort(["len", "type"], descending=[True, False])
        first: dict[str, str] = {}
        return {label: first.setdefault(normalise_label(label), label) for label in counts["type"]}

    @cached_property
    def counts(self) -> Ints:
        """Places by commune and type, shape ``(communes, types)``."""
        found = np.zeros((self.communes.height, len(self.types)), dtype=np.int64)
        column = {label: index for index, label in enumerate(self.types)}
        spelt = {label: column[shown] for label, shown in self._labels.items()}
        rows = self.places.filter(pl.col("code").is_not_null()).group_by("code", "type").len()
        known = rows.filter(pl.col("code").is_in(self.communes["code"].implode()))
        if known.height:
            lines = known["code"].replace_strict(self.position, return_dtype=pl.Int64).to_numpy()
            columns = known["type"].replace_strict(spelt, return_dtype=pl.Int64).to_numpy()
            np.add.at(found, (lines, columns), known["len"].to_numpy())
        return found

    def columns_of(self, wanted: Kind) -> Ints:
        """Return the columns of :attr:`counts` of a kind."""
        keys = {normalise_label(label) for label in wanted.types}
        return np.array([i for i, label in enumerate(self.types) if normalise_label(label) in keys], dtype=np.int64)

    def count(self, wanted: Kind) -> Ints:
        """Return the places of a kind in each commune."""
        if wanted.id not in self._counts:
            self._counts[wanted.id] = self.counts[:, self.columns_of(wanted)].sum(axis=1)
        return self._counts[wanted.id]

    def categories(self, typology: str) -> list[str]:
        """Return the category of each type of :attr:`types`; errors are those of ``categorise``."""
        types = pl.DataFrame({"type": list(self.types)}, schema={"type": pl.String})
        return types.select(categorise(pl.col("type"), typology))["type"].to_list()

    @cached_property
    def _points(self) -> pl.DataFrame:
        located = self.places.with_row_index("row").filter(pl.col("longitude").is_not_null())
        return located.with_columns(type=pl.col("type").replace(self._labels))

    def nearest(self, wanted: Kind) -> tuple[Floats, Ints]:
        """Return, as the crow flies from the town hall of every commune, the nearest place of a kind.

        Parameters
        ----------
        wanted
            The kind; its answer is kept.

        Returns
        -------
        tuple
            Kilometres, and row in :attr:`places`. Without any place, or for a commune without position, infinite
            and -1.
        """
        if wanted.id not in self._nearest:
            labels = [self.types[index] for index in self.columns_of(wanted)]
            chosen = self._points.filter(pl.col("type").is_in(labels))
            distance, found = np.full(len(self.vectors), np.inf), np.full(len(self.vectors), -1, dtype=np.int64)
            known = self.located
            if chosen.height and known.any():
                tree = cKDTree(unit_vectors(chosen["longitude"].to_numpy(), chosen["latitude"].to_numpy()))
                chord, index = tree.query(self.vectors[known])
                distance[known], found[known] = chord_to_km(chord), chosen["row"].cast(pl.Int64).to_numpy()[index]
            self._nearest[wanted.id] = distance, found
        return self._nearest[wanted.id]

    @cached_property
    def located(self) -> Bools:
        """Whether the position of each commune is known."""
        return np.asarray(np.isfinite(self.vectors).all(axis=1), dtype=bool)

    @cached_property
    def vectors(self) -> Floats:
        """Town halls on the unit sphere, not numbers where unknown."""
        table = self.communes.select(pl.col("longitude", "latitude").cast(pl.Float64).fill_null(np.nan))
        return unit_vectors(table["longitude"].to_numpy(), table["latitude"].to_numpy())

    @cached_property
    def away_from_unknown(self) -> Floats:
        """Kilometres from each commune to the nearest one that the list leaves out: a place may be there, unknown."""
        distance = np.full(len(self.vectors), np.inf)
        out = self.vectors[~self.covered & self.located]
        if len(out):
            distance[self.located] = chord_to_km(cKDTree(out).query(self.vectors[self.located])[0])
        return distance


def make_base(
    communes: pl.DataFrame, places: pl.DataFrame, *, covered: frozenset[str] | None, demo: bool
) -> CultureBase:
    """Return the base of some communes and places.

    Parameters
    ----------
    communes
        ``code, name, departement, region, epci, population, area_km2, longitude, latitude``.
    places
        ``place_id, name, type, code, longitude, latitude``; events of the list of festivals are left out.
    covered
        Communes that the list of places describes, ``None`` for all of them.
    demo
        Whether the places are generated.
    """
    ordered = communes.sort("code").with_columns(
        covered=pl.lit(value=True) if covered is None else pl.col("code").is_in(sorted(covered))
    )
    halls = ordered.select("code", hall_lon="longitude", hall_lat="latitude")
    missing = pl.col("longitude").is_null() | pl.col("latitude").is_null()
    events = {label for label in places["type"].unique().drop_nulls() if _is_event(label)}
    listed = (
        places.filter(~pl.col("type").is_in(sorted(events)))
        .join(halls, on="code", how="left", maintain_order="left")
        .with_columns(
            longitude=pl.when(missing).then("hall_lon").otherwise("longitude"),
            latitude=pl.when(missing).then("hall_lat").otherwise("latitude"),
        )
        .select("place_id", "name", "type", "code", "longitude", "latitude")
    )
    return CultureBase(ordered, listed, demo)


def _is_event(label: str) -> bool:
    return str(pl.select(categorise(pl.lit(label), "brief")).item()) == FESTIVAL


__all__ = ["EARTH_KM", "CultureBase", "chord_to_km", "kinds", "make_base", "unit_vectors"]
