"""Sport: facilities of the national census, licences of the federations."""

from __future__ import annotations

import polars as pl

from bourg.geography.levels import LEVELS
from bourg.indicators.helpers import latest_population
from bourg.indicators.measures import latest, measured, quotient
from bourg.indicators.registry import indicator

_CENSUS = "Ministère chargé des sports, recensement des équipements sportifs (RES), repris par l'Insee"
_LIMITS = (
    "Compte tous les équipements ouverts à une pratique, du terrain de boules à la piscine, publics ou privés : ni "
    "leur taille, ni leur état, ni leurs horaires."
)


@indicator(
    id="equipment.sport_places",
    label="Équipements sportifs recensés",
    unit="équipements",
    theme="equipment",
    kind="count",
    levels=LEVELS,
    sources=("statistiques_locales",),
    direction="neutral",
    secrecy=None,
    decimals=0,
    period="year",
    formula="Équipements sportifs du recensement national, additionnés sur les communes.",
    limits=_LIMITS,
    reference=_CENSUS,
)
def sport_places(local_statistics: pl.LazyFrame) -> pl.LazyFrame:
    """Sports facilities."""
    return measured(latest(local_statistics, "SPORT_PLACES"))


@indicator(
    id="equipment.sport_places_per_1000",
    label="Équipements sportifs recensés pour 1 000 habitants",
    unit="équipements pour 1 000 hab.",
    theme="equipment",
    kind="ratio",
    levels=LEVELS,
    sources=("statistiques_locales", "populations"),
    direction="neutral",
    secrecy=None,
    decimals=1,
    period="year",
    formula="1 000 × équipements sportifs ÷ population municipale.",
    limits=_LIMITS + " Le taux d'un village qui a deux terrains dépasse celui de toutes les villes.",
    reference=_CENSUS,
)
def sport_places_per_1000(local_statistics: pl.LazyFrame, population: pl.LazyFrame) -> pl.LazyFrame:
    """Sports facilities per 1,000 inhabitants."""
    people = latest_population(population).select("code", "pmun")
    rows = latest(local_statistics, "SPORT_PLACES").join(people, on="code", how="left")
    return quotient(rows, pl.col("value"), pl.col("pmun"), 1000)


@indicator(
    id="equipment.sport_licences_per_100",
    label="Licences sportives pour 100 habitants",
    unit="licences pour 100 hab.",
    theme="equipment",
    kind="ratio",
    levels=("commune",),
    sources=("statistiques_locales",),
    direction="neutral",
    secrecy=None,
    decimals=1,
    period="year",
    formula="100 × licences des fédérations délivrées aux habitants ÷ population, publié par l'Insee.",
    limits="Au lieu de résidence : une personne peut avoir deux licences, et beaucoup pratiquent sans licence. L'année "
    "2021 est encore celle de la crise sanitaire.",
    reference="Injep, recensement des licences sportives, repris par l'Insee",
)
def sport_licences(local_statistics: pl.LazyFrame) -> pl.LazyFrame:
    """Sports licences per 100 inhabitants, as published."""
    return measured(latest(local_statistics, "SPORT_LICENCES"))
