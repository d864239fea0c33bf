"""The communes seen by the generator: true population and geography, and the weights drawn from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from bourg.errors import ParameterError
from bourg.sources.demo.counts import Floats, Ints
from bourg.sources.demo.labels import CITIES, CITY_NAMES, DEPARTEMENTS, REGIONS
from bourg.sources.demo.points import Locator, locator_of

# Weight of a commune whose population no registry gives (Mayotte): a round figure, never written to a file.
_UNKNOWN_POPULATION = {"976": 15_000.0}
_DEFAULT_POPULATION = 400.0


@dataclass(frozen=True)
class Territory:
    """National arrays (one entry per commune, code order) and the communes asked for.

    Attributes
    ----------
    communes
        ``code, name, of_name, departement, departement_name, region, region_name, epci, epci_name, postal``.
    population
        Inhabitants, positive even where unknown (a weight, not a figure), shape (n,).
    centrality
        1, more for the first two towns of each EPCI, shape (n,).
    second_homes
        Second homes, shape (n,).
    selected
        Positions of the communes asked for.
    units
        Finest places a facility can be in (IRIS, or commune without IRIS): ``commune`` (position), ``depcom``
        (with municipal districts), ``iris`` (``010040101`` or null), ``weight``.
    unit_bounds
        First unit of each commune, and the number of units, shape (n + 1,).
    unit_weights
        Cumulated weight before each unit, and the total, shape (units + 1,).
    locator
        Where the points of each commune may be.
    """

    communes: pl.DataFrame
    population: Floats
    centrality: Floats
    second_homes: Floats
    selected: Ints
    units: pl.DataFrame
    unit_bounds: Ints
    unit_weights: Floats
    locator: Locator

    @property
    def table(self) -> pl.DataFrame:
        """The communes asked for, with their national ``position``."""
        return self.communes.with_row_index("position")[self.selected]

    def weight(self, size: float, centre: float = 1.0) -> Floats:
        """Return population^size x centrality^centre for the whole country."""
        return np.asarray(self.population**size * self.centrality**centre, dtype=np.float64)

    def draw_units(self, rng: np.random.Generator, position: Ints) -> Ints:
        """Return rows of ``units``, drawn by population, for facilities in the communes ``position``."""
        low, high = self.unit_bounds[position], self.unit_bounds[position + 1]
        cumulated = self.unit_weights
        target = cumulated[low] + rng.random(position.size) * (cumulated[high] - cumulated[low])
        return np.clip(np.searchsorted(cumulated, target, side="right") - 1, low, high - 1).astype(np.int64)


def city_of(code: pl.Expr) -> pl.Expr:
    """Return the commune of a municipal district code (``75108`` -> ``75056``), other codes unchanged."""
    result = code
    for city, (first, last) in CITIES.items():
        result = pl.when(code.is_between(pl.lit(first), pl.lit(last))).then(pl.lit(city)).otherwise(result)
    return result


def district_names(codes: list[str]) -> dict[str, str]:
    """Return ``Paris 8e Arrondissement`` for the codes that are municipal districts."""
    names = {}
    for code in codes:
        for city, (first, last) in CITIES.items():
            if first <= code <= last:
                rank = int(code) - int(first) + 1
                names[code] = f"{CITY_NAMES[city]} {rank}{'er' if rank == 1 else 'e'} Arrondissement"
    return names


def of_name(name: pl.Expr) -> pl.Expr:
    """Return the name after *de*, from the full name: ``du Poizat``, ``des Mées``, ``d'Annot``, ``de Millau``."""
    vowel = name.str.contains(r"^[AEIOUYÀÂÉÈÊËÎÏÔÖÛŒÆaeiou]")
    return (
        pl.when(name.str.starts_with("Le ")).then(pl.lit("du ") + name.str.slice(3))
        .when(name.str.starts_with("Les ")).then(pl.lit("des ") + name.str.slice(4))
        .when(vowel).then(pl.lit("d'") + name)
        .otherwise(pl.lit("de ") + name)
    )  # fmt: skip


def build_territory(
    communes: pl.DataFrame,
    iris: pl.DataFrame,
    *,
    departements: tuple[str, ...] | None = None,
    outlines: pl.DataFrame | None = None,
    epci: pl.DataFrame | None = None,
    halls: pl.DataFrame | None = None,
) -> Territory:
    """Gather what the files need.

    Parameters
    ----------
    communes, iris
        Registry tables (``code, name, departement, region, epci, …`` and ``iris, code, population, …``).
    departements
        Codes of the departments to write, all of them by default.
    outlines
        ``code, wkb`` (EPSG:4326).
    epci
        ``code, name``; without it an intercommunality is named after its code.
    halls
        Town halls (``code, longitude, latitude``), around which shops stand.

    Raises
    ------
    ParameterError
        When a department is unknown or holds no commune.
    """
    for code in departements or ():
        if code not in DEPARTEMENTS:
            raise ParameterError(
                f"Le département « {code[:10]} » n'existe pas.", next_step="donnez des codes comme 04, 2A ou 974."
            )
    if "type" in communes.columns:
        communes = communes.filter(pl.col("type") == "COM")
    communes = communes.sort("code")
    census = iris.group_by(city_of(pl.col("code")).alias("code")).agg(
        pl.col("population").sum(), pl.col("second_homes").sum()
    )
    base = communes.join(census, on="code", how="left", maintain_order="left").with_columns(
        weight=pl.coalesce(
            pl.col("population"),
            pl.col("pmun_2017"),
            pl.col("departement").replace_strict(_UNKNOWN_POPULATION, default=_DEFAULT_POPULATION),
        ).cast(pl.Float64).clip(5.0),
        second_homes=pl.col("second_homes").fill_null(0).cast(pl.Float64),
    )  # fmt: skip
    rank = pl.col("weight").rank("ordinal", descending=True).over("epci")
    base = base.with_columns(
        centrality=pl.when(pl.col("epci").is_null()).then(1.0).when((rank == 1) & (pl.col("weight") < 50_000)).then(2.2)
        .when(rank <= 2).then(1.4)
        .otherwise(1.0)
    )  # fmt: skip
    names = base.select(
        "code", "name", of_name(pl.col("name")).alias("of_name"), "departement",
        pl.col("departement").replace_strict(DEPARTEMENTS, default=None).alias("departement_name"), "region",
        pl.col("region").replace_strict(REGIONS, default=None).alias("region_name"), "epci",
        pl.col("postal_codes").list.first().alias("postal"),
    )  # fmt: skip
    titles = dict(epci.select("code", "name").iter_rows()) if epci is not None else {}
    fallback = pl.format("Intercommunalité {}", pl.col("epci"))
    names = names.with_columns(
        epci_name=pl.coalesce(pl.col("epci").replace_strict(titles, default=None, return_dtype=pl.String), fallback)
    )
    wanted = names["departement"].is_in(departements or list(DEPARTEMENTS))
    selected = wanted.arg_true().to_numpy().astype(np.int64)
    if not selected.size:
        raise ParameterError(
            "Aucune commune dans les départements demandés.", where=", ".join(departements or ()),
            next_step="donnez des codes comme 04, 2A ou 974.",
        )  # fmt: skip
    units = _units(names, base["weight"], iris)
    bounds = np.searchsorted(units["commune"].to_numpy(), np.arange(names.height + 1)).astype(np.int64)
    return Territory(
        communes=names,
        population=base["weight"].to_numpy(),
        centrality=base["centrality"].to_numpy(),
        second_homes=base["second_homes"].to_numpy(),
        selected=selected,
        units=units,
        unit_bounds=bounds,
        unit_weights=np.concatenate([[0.0], np.cumsum(units["weight"].to_numpy())]),
        locator=locator_of(communes, outlines, halls),
    )


def _units(names: pl.DataFrame, weight: pl.Series, iris: pl.DataFrame) -> pl.DataFrame:
    """Return the places of each commune, at least one each, in commune order."""
    positions = names.select("code").with_row_index("commune")
    fine = (
        iris.select("iris", "code", "population")
        .with_columns(city=city_of(pl.col("code")))
        .join(positions, left_on="city", right_on="code")
        .with_columns(several=pl.len().over("commune") > 1)
        .select(
            "commune",
            pl.col("code").alias("depcom"),
            pl.when("several").then(pl.col("iris")).alias("iris"),
            (pl.col("population").fill_null(0).cast(pl.Float64) + 20).alias("weight"),
        )
    )
    plain = positions.with_columns(weight=weight).join(fine, on="commune", how="anti")
    rest = plain.select("commune", pl.col("code").alias("depcom"), pl.lit(None, pl.String).alias("iris"), "weight")
    return pl.concat([fine, rest]).sort("commune", "depcom", "iris")
