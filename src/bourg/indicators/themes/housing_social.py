"""Housing: vacant private dwellings (LOVAC) and social housing (RPLS, SRU)."""

from __future__ import annotations

from typing import Literal

import polars as pl

from bourg.geography.levels import LEVELS
from bourg.indicators.helpers import count_by, ratio
from bourg.indicators.measures import latest, measured, quotient, together
from bourg.indicators.registry import indicator

_LOVAC = "DGALN et Cerema, LOVAC open data par commune, dictionnaire des variables"
_LOVAC_SECRECY = (
    "Secret fiscal posé par le producteur sous 11 logements : la valeur est « secrète », jamais zéro, et tout total "
    "qui contient une commune secrète l'est aussi."
)
_LOVAC_BREAK = (
    "Ruptures de série entre les éditions 2022 et 2023 (fin de la taxe d'habitation des résidences principales) puis "
    "2024 et 2025 (données avant la chaîne de traitement fiscale)."
)
# First editions of the series that can be compared with one another.
LOVAC_SERIES = (2023, 2025)
_LOVAC_LIMITS = (
    "Parc privé seulement, au sens du fisc : une résidence secondaire peu occupée peut y passer pour vacante. "
    "L'année est celle de l'édition ; la situation est celle du 1er janvier précédent."
)


def _declare_lovac_count(name: str, variable: str, label: str, formula: str) -> None:
    @indicator(
        id=f"housing.{name}",
        label=label,
        unit="logements",
        theme="housing",
        kind="count",
        levels=LEVELS,
        sources=("lovac",),
        direction="neutral",
        secrecy=_LOVAC_SECRECY,
        decimals=0,
        period="year",
        formula=formula,
        limits=_LOVAC_LIMITS,
        reference=_LOVAC,
        series_break=_LOVAC_BREAK,
    )
    def dwellings(lovac: pl.LazyFrame) -> pl.LazyFrame:
        """Vacant private dwellings published for the commune, summed above."""
        return measured(latest(lovac, variable))


_declare_lovac_count(
    "lovac_vacant",
    "VACANT",
    "Logements vacants du parc privé (LOVAC)",
    "Logements privés vacants au 1er janvier, toutes durées (pp_vacant), additionnés sur les communes.",
)
_declare_lovac_count(
    "lovac_vacant_2y",
    "VACANT_2Y",
    "Logements privés vacants depuis plus de deux ans (LOVAC)",
    "Logements privés vacants depuis plus de deux ans (pp_vacant_plus_2ans), additionnés sur les communes.",
)


def _declare_lovac_share(name: str, part: str, whole: str, label: str, formula: str) -> None:
    @indicator(
        id=f"housing.{name}",
        label=label,
        unit="%",
        theme="housing",
        kind="share",
        levels=LEVELS,
        sources=("lovac",),
        direction="neutral",
        secrecy=_LOVAC_SECRECY,
        decimals=1,
        period="year",
        formula=formula,
        limits=_LOVAC_LIMITS,
        reference=_LOVAC,
        series_break=_LOVAC_BREAK,
    )
    def share(lovac: pl.LazyFrame) -> pl.LazyFrame:
        """Share between two figures of the same edition (percent)."""
        return quotient(together(lovac, part, whole), pl.col(part), pl.col(whole), 100)


_declare_lovac_share(
    "lovac_vacancy_rate",
    "VACANT",
    "PRIVATE",
    "Taux de vacance du parc privé (LOVAC)",
    "100 × logements privés vacants ÷ logements du parc privé, dans la même édition.",
)
_declare_lovac_share(
    "lovac_vacancy_2y_rate",
    "VACANT_2Y",
    "PRIVATE",
    "Taux de vacance de plus de deux ans du parc privé (LOVAC)",
    "100 × logements privés vacants depuis plus de deux ans ÷ logements du parc privé, dans la même édition.",
)
_declare_lovac_share(
    "lovac_2y_among_vacant",
    "VACANT_2Y",
    "VACANT",
    "Part des logements vacants depuis plus de deux ans parmi les vacants (LOVAC)",
    "100 × logements privés vacants depuis plus de deux ans ÷ logements privés vacants, dans la même édition.",
)


@indicator(
    id="housing.lovac_2y_per_1000",
    label="Logements privés vacants depuis plus de deux ans pour 1 000 logements",
    unit="pour 1 000 logements",
    theme="housing",
    kind="ratio",
    levels=LEVELS,
    sources=("lovac", "iris"),
    direction="neutral",
    secrecy=_LOVAC_SECRECY,
    decimals=1,
    period="year",
    formula="1 000 × logements privés vacants depuis plus de deux ans (LOVAC) ÷ ensemble des logements (recensement).",
    limits=_LOVAC_LIMITS
    + " Le dénominateur est le recensement de 2021, parc social compris : les deux sources n'ont pas la même date.",
    reference=_LOVAC,
    series_break=_LOVAC_BREAK,
)
def lovac_2y_per_1000(lovac: pl.LazyFrame, iris: pl.LazyFrame) -> pl.LazyFrame:
    """Long vacancy per 1,000 dwellings of the census."""
    rows = latest(lovac, "VACANT_2Y").join(iris.select("code", "dwellings"), on="code", how="left")
    return quotient(rows, pl.col("value"), pl.col("dwellings"), 1000)


@indicator(
    id="housing.lovac_vacant_change",
    label="Évolution du nombre de logements privés vacants (LOVAC)",
    unit="%",
    theme="housing",
    kind="change",
    levels=LEVELS,
    sources=("lovac",),
    direction="neutral",
    secrecy=_LOVAC_SECRECY,
    decimals=1,
    period="year",
    formula="100 × (logements vacants de la dernière édition − de la première de la même série) ÷ ceux de la première. "
    "Sans autre édition de la même série, l'évolution est sans objet.",
    limits="Quelques logements font varier fortement le taux d'une petite commune. " + _LOVAC_LIMITS,
    reference=_LOVAC,
    series_break=_LOVAC_BREAK,
)
def lovac_vacant_change(lovac: pl.LazyFrame) -> pl.LazyFrame:
    """Change inside one series of editions (percent): never across a break."""
    series = pl.sum_horizontal((pl.col("year") >= first).cast(pl.Int32) for first in LOVAC_SERIES)
    rows = lovac.filter(pl.col("wide") & (pl.col("variable") == "VACANT")).with_columns(series=series)
    last = rows.filter("latest").select("code", "series", "value", "status", last_year="year")
    firsts = rows.group_by("series").agg(pl.col("year").min())
    first = rows.join(firsts, on=["series", "year"], how="semi").select(
        "code", "series", first="value", first_status="status", first_year="year"
    )
    ends = last.join(first, on=["code", "series"], how="inner")
    alone = pl.col("first_year") == pl.col("last_year")
    secret = (pl.col("status") == "secret") | (pl.col("first_status") == "secret")
    reason = (
        pl.when(alone)
        .then(pl.lit("not_applicable"))
        .when(secret.fill_null(value=False))
        .then(pl.lit("secret"))
        .otherwise(pl.coalesce("status", "first_status"))
    )
    rows = ends.with_columns(
        reason=reason,
        period=pl.when(alone)
        .then(pl.col("last_year").cast(pl.String))
        .otherwise(pl.concat_str("first_year", "last_year", separator="-")),
    ).drop("status")
    return quotient(rows.rename({"reason": "status"}), pl.col("value") - pl.col("first"), pl.col("first"), 100)


# Social housing

_RPLS = "SDES, répertoire des logements locatifs des bailleurs sociaux (RPLS)"
_RPLS_LIMITS = (
    "Logements des bailleurs sociaux seulement : ni les logements communaux, ni le parc privé conventionné. Ce n'est "
    "pas le compte de la loi SRU."
)
_RPLS_SECRECY = "Sous 11 logements sociaux, le SDES ne publie que leur nombre : le détail est « secret », jamais zéro."


@indicator(
    id="housing.social_dwellings",
    label="Nombre de logements sociaux (RPLS)",
    unit="logements",
    theme="housing",
    kind="count",
    levels=LEVELS,
    sources=("rpls",),
    direction="neutral",
    secrecy=None,
    decimals=0,
    period="year",
    formula="Logements des bailleurs sociaux au 1er janvier (nb_ls), additionnés sur les communes. Une commune que le "
    "répertoire ne cite pas n'en a aucun.",
    limits=_RPLS_LIMITS,
    reference=_RPLS,
)
def social_dwellings(social_housing: pl.LazyFrame, coverage: pl.LazyFrame) -> pl.LazyFrame:
    """Dwellings of social lessors: a true zero where the register has none."""
    return count_by(coverage, "social_housing", social_housing)


@indicator(
    id="housing.social_per_1000",
    label="Logements sociaux pour 1 000 logements",
    unit="pour 1 000 logements",
    theme="housing",
    kind="ratio",
    levels=LEVELS,
    sources=("rpls", "iris"),
    direction="neutral",
    secrecy=None,
    decimals=1,
    period="year",
    formula="1 000 × logements sociaux (RPLS) ÷ ensemble des logements (recensement).",
    limits=_RPLS_LIMITS + " Les logements sont ceux du recensement de 2021 : les deux sources n'ont pas la même date.",
    reference=_RPLS,
)
def social_per_1000(social_housing: pl.LazyFrame, coverage: pl.LazyFrame, iris: pl.LazyFrame) -> pl.LazyFrame:
    """Social dwellings per 1,000 dwellings of the census."""
    counts = count_by(coverage, "social_housing", social_housing)
    rows = counts.join(iris.select("code", "dwellings"), on="code", how="left")
    return rows.select("code", "period", "n", *ratio(pl.col("value"), pl.col("dwellings"), 1000))


def _declare_rpls_rate(
    name: str, variable: str, label: str, *, unit: str, formula: str, kind: Literal["share", "ratio"]
) -> None:
    @indicator(
        id=f"housing.{name}",
        label=label,
        unit=unit,
        theme="housing",
        kind=kind,
        levels=("commune",),
        sources=("rpls",),
        direction="neutral",
        secrecy=_RPLS_SECRECY,
        decimals=1,
        period="year",
        formula=formula,
        limits=_RPLS_LIMITS + " Une commune sans logement social n'a pas de taux.",
        reference=_RPLS,
    )
    def published(rpls_rates: pl.LazyFrame) -> pl.LazyFrame:
        """Rate published by SDES for the commune."""
        return measured(latest(rpls_rates, variable))


_declare_rpls_rate(
    "social_density",
    "DENSITY",
    "Densité de logements sociaux (RPLS)",
    unit="pour 100 résidences principales",
    formula="100 × logements sociaux ÷ résidences principales, publiée par le SDES.",
    kind="ratio",
)
_declare_rpls_rate(
    "social_mobility_rate",
    "MOBILITY",
    "Taux de mobilité du parc social (RPLS)",
    unit="%",
    formula="100 × emménagements de l'année dans le parc en service depuis un an ÷ logements loués ou vacants, publié "
    "par le SDES.",
    kind="share",
)


@indicator(
    id="housing.social_vacancy_rate",
    label="Taux de vacance du parc social (RPLS)",
    unit="%",
    theme="housing",
    kind="share",
    levels=("commune",),
    sources=("rpls",),
    direction="neutral",
    secrecy=_RPLS_SECRECY,
    decimals=1,
    period="year",
    formula="100 × logements sociaux vacants ÷ (loués + vacants) ; les logements vides pour travaux, vente ou "
    "démolition n'y entrent pas.",
    limits=_RPLS_LIMITS,
    reference=_RPLS,
)
def social_vacancy_rate(rpls_rates: pl.LazyFrame) -> pl.LazyFrame:
    """Vacant social dwellings among those offered (percent)."""
    rows = together(rpls_rates, "RENTED", "VACANT")
    return quotient(rows, pl.col("VACANT"), pl.col("RENTED") + pl.col("VACANT"), 100)


_SRU = "Code de la construction et de l'habitation, articles L. 302-5 et suivants (loi SRU, article 55)"
_SRU_LIMITS = (
    "Seules les communes du périmètre de la loi ont un taux : ailleurs il manque, ce n'est pas zéro. L'inventaire "
    "SRU ne compte pas les mêmes logements que le répertoire des bailleurs."
)


@indicator(
    id="housing.sru_rate",
    label="Taux de logements sociaux au sens de la loi SRU",
    unit="%",
    theme="housing",
    kind="share",
    levels=("commune",),
    sources=("sru",),
    direction="neutral",
    secrecy=None,
    decimals=2,
    period="year",
    formula="Taux publié de l'inventaire SRU au 1er janvier : logements sociaux décomptés ÷ résidences principales.",
    limits=_SRU_LIMITS,
    reference=_SRU,
)
def sru_rate(sru: pl.LazyFrame) -> pl.LazyFrame:
    """Give the published SRU rate (percent)."""
    return measured(latest(sru, "RATE"))


@indicator(
    id="housing.sru_gap",
    label="Écart au taux SRU visé",
    unit="points",
    theme="housing",
    kind="change",
    levels=("commune",),
    sources=("sru",),
    direction="neutral",
    secrecy=None,
    decimals=2,
    period="year",
    formula="Taux SRU de la commune − taux que la loi lui fixe (20 % ou 25 %) ; négatif : il manque des logements.",
    limits=_SRU_LIMITS,
    reference=_SRU,
)
def sru_gap(sru: pl.LazyFrame) -> pl.LazyFrame:
    """Subtract the target of the law from the published rate (points)."""
    rows = together(sru, "RATE", "TARGET")
    return rows.select("code", "status", "period", value=pl.col("RATE") - pl.col("TARGET"))
