"""Housing: stock, vacancy, second homes, flats, household size (census, IRIS table)."""

from __future__ import annotations

import polars as pl

from bourg.geography.levels import LEVELS
from bourg.indicators.helpers import ratio
from bourg.indicators.registry import indicator

_RP = "Insee, recensement de la population, base infracommunale « logement »"
_FIELD = " Mayotte n'est pas dans cette table."


@indicator(
    id="housing.dwellings",
    label="Nombre de logements",
    unit="logements",
    theme="housing",
    kind="count",
    levels=LEVELS,
    sources=("iris",),
    direction="neutral",
    secrecy=None,
    decimals=0,
    period="vintage",
    formula="Résidences principales + résidences secondaires et logements occasionnels + logements vacants.",
    limits="Ne dit ni l'état des logements, ni leur taille, ni leur prix." + _FIELD,
    reference=_RP,
)
def dwellings(iris: pl.LazyFrame) -> pl.LazyFrame:
    """Dwellings of all categories."""
    return iris.select("code", value="dwellings", n="dwellings")


def _declare_share(name: str, column: str, label: str, formula: str, limits: str) -> None:
    @indicator(
        id=f"housing.{name}",
        label=label,
        unit="%",
        theme="housing",
        kind="share",
        levels=LEVELS,
        sources=("iris",),
        direction="neutral",
        secrecy=None,
        decimals=1,
        period="vintage",
        formula=f"100 × {formula} ÷ ensemble des logements.",
        limits=limits + _FIELD,
        reference=_RP,
    )
    def dwellings_share(iris: pl.LazyFrame) -> pl.LazyFrame:
        """Share of a category in the stock of dwellings (percent)."""
        return iris.select("code", *ratio(pl.col(column), pl.col("dwellings"), 100), n="dwellings")


_declare_share(
    "main_residences_share",
    "main_residences",
    "Part des résidences principales",
    "résidences principales",
    "Une résidence principale peut être occupée seul ou à plusieurs, en location ou en propriété.",
)
_declare_share(
    "vacancy_rate",
    "vacant",
    "Part des logements vacants",
    "logements vacants",
    "La vacance du recensement compte tout logement inoccupé au moment de l'enquête, même pour quelques semaines : "
    "elle est plus haute que la vacance de longue durée de LOVAC.",
)
_declare_share(
    "second_homes_share",
    "second_homes",
    "Part des résidences secondaires",
    "résidences secondaires et logements occasionnels",
    "Ne distingue pas une maison de famille d'une location touristique.",
)
_declare_share(
    "flats_share",
    "flats",
    "Part des appartements",
    "appartements",
    "Maisons et appartements ne font pas toujours le total : le recensement a aussi d'autres logements.",
)


@indicator(
    id="housing.household_size",
    label="Nombre d'habitants par résidence principale",
    unit="habitants par logement",
    theme="housing",
    kind="ratio",
    levels=LEVELS,
    sources=("iris",),
    direction="neutral",
    secrecy=None,
    decimals=2,
    period="vintage",
    formula="Population totale ÷ résidences principales : une approximation de la taille moyenne des ménages.",
    limits="La population comprend les personnes en internat, en Ehpad ou en caserne : le vrai nombre de personnes par "
    "ménage est un peu plus bas." + _FIELD,
    reference=_RP,
)
def household_size(iris: pl.LazyFrame) -> pl.LazyFrame:
    """Census population divided by main residences (proxy of the household size)."""
    return iris.select("code", *ratio(pl.col("population"), pl.col("main_residences")), n="main_residences")
