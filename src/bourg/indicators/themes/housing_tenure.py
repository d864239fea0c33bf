"""Housing: tenure of main residences (census) and authorised dwellings (Sitadel)."""

from __future__ import annotations

import polars as pl

from bourg.geography.levels import LEVELS
from bourg.indicators.measures import latest, measured, quotient, together
from bourg.indicators.registry import indicator

_TENURE = "Insee, recensement de la population, exploitation principale"


def _declare_tenure(name: str, variable: str, label: str, formula: str) -> None:
    @indicator(
        id=f"housing.{name}",
        label=label,
        unit="%",
        theme="housing",
        kind="share",
        levels=LEVELS,
        sources=("statut_occupation",),
        direction="neutral",
        secrecy=None,
        decimals=1,
        period="year",
        formula=f"100 × résidences principales occupées par {formula} ÷ résidences principales.",
        limits="Statut déclaré par l'occupant, effectifs pondérés : instable sous 200 logements. Le miroir ne décrit "
        "que le Val-d'Oise, ailleurs la part manque.",
        reference=_TENURE,
    )
    def tenure_share(tenure: pl.LazyFrame) -> pl.LazyFrame:
        """Share of a tenure among main residences (percent)."""
        return quotient(together(tenure, variable, "TOTAL"), pl.col(variable), pl.col("TOTAL"), 100)


_declare_tenure("owners_share", "OWNERS", "Part des propriétaires", "leur propriétaire")
_declare_tenure(
    "private_tenants_share",
    "PRIVATE_TENANTS",
    "Part des locataires du parc privé",
    "un locataire du parc privé, vide ou meublé",
)
_declare_tenure(
    "social_tenants_share", "SOCIAL_TENANTS", "Part des locataires du parc social", "un locataire du parc social (vide)"
)


# Authorised dwellings

_SITADEL = "SDES, Sitadel, logements autorisés en date réelle ou de prise en compte"
_SITADEL_LIMITS = (
    "Autoriser n'est pas construire : une part des permis est abandonnée. Les dernières années sont révisées."
)
_SPAN = 3


@indicator(
    id="housing.authorised",
    label="Logements autorisés dans l'année",
    unit="logements",
    theme="housing",
    kind="count",
    levels=LEVELS,
    sources=("sitadel",),
    direction="neutral",
    secrecy=None,
    decimals=0,
    period="year",
    formula="Logements autorisés (LOG_AUT, tous logements) de la dernière année, additionnés sur les communes.",
    limits=_SITADEL_LIMITS + " Une seule opération peut faire l'année d'une petite commune.",
    reference=_SITADEL,
)
def authorised(permits: pl.LazyFrame) -> pl.LazyFrame:
    """Dwellings authorised in the last year."""
    return measured(latest(permits, "DWELLINGS"))


@indicator(
    id="housing.authorised_per_1000",
    label="Logements autorisés par an pour 1 000 logements",
    unit="pour 1 000 logements et par an",
    theme="housing",
    kind="ratio",
    levels=LEVELS,
    sources=("sitadel", "iris"),
    direction="neutral",
    secrecy=None,
    decimals=1,
    period="year",
    formula="1 000 × moyenne des logements autorisés des trois dernières années ÷ logements (recensement).",
    limits=_SITADEL_LIMITS + " Le dénominateur est le recensement de 2021.",
    reference=_SITADEL,
)
def authorised_per_1000(permits: pl.LazyFrame, iris: pl.LazyFrame) -> pl.LazyFrame:
    """Mean of the last three years per 1,000 dwellings; a year that lacks makes it missing."""
    rows = permits.filter(pl.col("wide") & (pl.col("variable") == "DWELLINGS"))
    last = rows.filter("latest").select(last=pl.col("year").max())
    window = rows.join(last, how="cross").filter(pl.col("year") > pl.col("last") - _SPAN)
    means = (
        window.group_by("code")
        .agg(
            pl.col("value").mean(),
            pl.col("status").drop_nulls().first(),
            years=pl.len(),
            known=pl.col("value").count(),
            period=pl.concat_str(pl.col("year").min(), pl.col("year").max(), separator="-"),
        )
        .filter((pl.col("years") == _SPAN) & (pl.col("known") == _SPAN))
    )
    joined = means.join(iris.select("code", "dwellings"), on="code", how="left")
    return quotient(joined, pl.col("value"), pl.col("dwellings"), 1000)
