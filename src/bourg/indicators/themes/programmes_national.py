"""National programmes of a territory (ANCT, ORT), France services, housing operations of the Anah."""

from __future__ import annotations

import polars as pl

from bourg.geography.levels import LEVELS, Level
from bourg.indicators.helpers import count_by, per_population
from bourg.indicators.parameters import parameter
from bourg.indicators.registry import indicator

# A commune is in a programme or not: that belongs to its identity; larger territories have a figure.
_LARGER: tuple[Level, ...] = ("epci", "departement", "region", "france")
_LIMITS = "Être dans un programme ne dit rien de l'avancement des projets, ni des sommes versées."


@indicator(
    id="programmes.national_count",
    label="Programmes nationaux dont la commune bénéficie",
    unit="programmes",
    theme="programmes",
    kind="index",
    levels=("commune",),
    sources=("dispositifs_anct", "villes_acv", "ort"),
    direction="neutral",
    secrecy=None,
    decimals=0,
    period="vintage",
    formula="Nombre de programmes différents de la liste du paramètre « national_programmes » dont la convention est "
    "signée ou la commune lauréate.",
    limits=_LIMITS
    + " Certains sont signés par l'intercommunalité (CRTE, territoires d'industrie) : presque toutes les "
    "communes en ont un. Une ORT prévue n'est pas comptée.",
    reference="ANCT, table de croisement des communes et des dispositifs ; DGALN, suivi des ORT",
)
def national_count(programmes: pl.LazyFrame, coverage: pl.LazyFrame) -> pl.LazyFrame:
    """Distinct signed national programmes of a commune."""
    listed = list(parameter("national_programmes"))
    chosen = programmes.filter(pl.col("programme").is_in(listed) & (pl.col("signed") > 0))
    return count_by(coverage, "programmes", chosen.group_by("code").agg(pl.len().alias("n")))


def _declare(programme: str, name: str, label: str, more: str = "") -> None:
    @indicator(
        id=f"programmes.{name}_communes",
        label=label,
        unit="communes",
        theme="programmes",
        kind="count",
        levels=_LARGER,
        sources=("ort",) if programme == "ORT" else ("dispositifs_anct",),
        direction="neutral",
        secrecy=None,
        decimals=0,
        period="year",
        formula="Nombre de communes du territoire inscrites au programme, convention signée.",
        limits=_LIMITS + more,
        reference="ANCT, table de croisement des communes et des dispositifs ; DGALN, suivi des ORT",
    )
    def communes(programmes: pl.LazyFrame, coverage: pl.LazyFrame) -> pl.LazyFrame:
        """Communes of one programme."""
        chosen = programmes.filter(pl.col("programme") == programme)
        counts = count_by(coverage, "programmes", chosen, "signed").drop("period")
        # A list that was not read must not give zeros.
        return counts.join(_period(chosen), how="cross")

    communes.__name__ = f"{name}_communes"


def _period(chosen: pl.LazyFrame) -> pl.LazyFrame:
    """Return the vintage of the list that names most communes of a programme; no row when none was read."""
    lists = chosen.group_by(period="vintage").agg(pl.col("n").sum()).sort(["n", "period"], descending=[True, False])
    return lists.select(pl.col("period").fill_null("")).head(1)


_declare(
    "ORT",
    "ort",
    "Communes en opération de revitalisation de territoire (ORT) signée",
    " Une commune associée à la convention de sa voisine peut manquer dans le suivi.",
)
_declare("ACV", "acv", "Communes du programme Action cœur de ville")
_declare("VA", "va", "Communes du dispositif Villages d'avenir")


@indicator(
    id="programmes.housing_operations",
    label="Opérations programmées de l'habitat en cours (OPAH, PIG…)",
    unit="opérations",
    theme="programmes",
    kind="index",
    levels=("commune",),
    sources=("operations_anah",),
    direction="neutral",
    secrecy=None,
    decimals=0,
    period="vintage",
    formula="Nombre d'opérations programmées de l'Anah qui couvrent la commune et sont en cours au jour du fichier. "
    "L'effectif est le nombre d'opérations en cours ou terminées.",
    limits="Une opération couvre souvent toute l'intercommunalité ; elle ne dit pas combien de logements sont rénovés.",
    reference="Anah, liste des communes couvertes par une opération programmée",
)
def housing_operations(housing_operations: pl.LazyFrame, coverage: pl.LazyFrame) -> pl.LazyFrame:
    """Housing operations in progress."""
    ever = count_by(coverage, "housing_operations", housing_operations).select("code", n="value")
    now = count_by(coverage, "housing_operations", housing_operations, "current").select("code", "value", "period")
    return now.join(ever, on="code", how="left")


@indicator(
    id="equipment.france_services",
    label="Structures France services",
    unit="structures",
    theme="equipment",
    kind="count",
    levels=LEVELS,
    sources=("france_services",),
    direction="neutral",
    secrecy=None,
    decimals=0,
    period="vintage",
    formula="Nombre de structures labellisées France services dont le siège est dans le territoire.",
    limits="Une structure itinérante est comptée à son siège. Ne dit ni les horaires, ni les démarches possibles ; "
    "l'absence de structure ne dit pas qu'il n'y a pas de permanence en mairie.",
    reference="ANCT, liste des structures labellisées France services",
)
def france_services_count(france_services: pl.LazyFrame, coverage: pl.LazyFrame) -> pl.LazyFrame:
    """France services of the territory."""
    return count_by(coverage, "france_services", france_services)


@indicator(
    id="equipment.france_services_per_10000",
    label="Structures France services pour 10 000 habitants",
    unit="structures pour 10 000 hab.",
    theme="equipment",
    kind="ratio",
    levels=LEVELS,
    sources=("france_services", "populations"),
    direction="neutral",
    secrecy=None,
    decimals=1,
    period="vintage",
    formula="10 000 × structures France services ÷ population municipale.",
    limits="Une structure sert souvent un canton entier : le taux d'une petite commune qui en a une est très élevé.",
    reference="ANCT, liste des structures labellisées France services",
)
def france_services_rate(
    france_services: pl.LazyFrame, population: pl.LazyFrame, coverage: pl.LazyFrame
) -> pl.LazyFrame:
    """France services per 10,000 inhabitants."""
    return per_population(count_by(coverage, "france_services", france_services), population, 10_000)
