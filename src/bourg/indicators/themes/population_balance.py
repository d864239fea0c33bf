"""Population: natural and migratory balances, the eldest (« Statistiques locales », Insee)."""

from __future__ import annotations

import polars as pl

from bourg.indicators.measures import latest, measured
from bourg.indicators.registry import indicator

_LIMITS = (
    "Rapporté à la population moyenne de la période, par l'Insee : deux communes qui ont fusionné depuis n'ont pas de "
    "taux commun. Mayotte n'est pas dans cette table."
)


def _declare(name: str, variable: str, label: str, *, formula: str, limits: str) -> None:
    @indicator(
        id=f"population.{name}",
        label=label,
        unit="% par an",
        theme="population",
        kind="change",
        levels=("commune",),
        sources=("statistiques_locales",),
        direction="neutral",
        secrecy=None,
        decimals=2,
        period="year",
        formula=formula,
        limits=limits + _LIMITS,
        reference="Insee, définitions « solde naturel » et « solde migratoire apparent »",
    )
    def balance(local_statistics: pl.LazyFrame) -> pl.LazyFrame:
        """Yearly change of the population due to one balance, as published (percent a year)."""
        return measured(latest(local_statistics, variable))


_declare(
    "natural_change",
    "NATURAL",
    "Évolution annuelle de la population due au solde naturel",
    formula="Taux publié par l'Insee : (naissances − décès) de la période, par an, pour 100 habitants.",
    limits="Une maison de retraite suffit à rendre négatif le solde d'une petite commune. ",
)
_declare(
    "migration_change",
    "MIGRATION",
    "Évolution annuelle de la population due au solde migratoire apparent",
    formula="Taux publié par l'Insee : (évolution de la population − solde naturel) de la période, par an, pour 100 "
    "habitants.",
    limits="Solde « apparent » : arrivées et départs ne sont pas observés, et les défauts de comptage y entrent. ",
)


@indicator(
    id="population.share_75_plus",
    label="Part des 75 ans ou plus",
    unit="%",
    theme="population",
    kind="share",
    levels=("commune",),
    sources=("statistiques_locales",),
    direction="neutral",
    secrecy=None,
    decimals=1,
    period="year",
    formula="100 − somme des parts publiées des moins de 15 ans, 15-29, 30-44, 45-59 et 60-74 ans.",
    limits="Complément de cinq parts arrondies au dixième : exact à 0,3 point près. Les résidents des maisons de "
    "retraite sont comptés là où elles sont.",
    reference="Insee, recensement de la population, Statistiques locales",
)
def share_75_plus(local_statistics: pl.LazyFrame) -> pl.LazyFrame:
    """Share of the inhabitants aged 75 or over (percent)."""
    return measured(latest(local_statistics, "AGE_75_PLUS"))
