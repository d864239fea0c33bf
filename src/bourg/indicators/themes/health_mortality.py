"""Health: standardised mortality of departments, by great causes."""

from __future__ import annotations

import polars as pl

from bourg.indicators.measures import latest, measured
from bourg.indicators.registry import indicator

_LIMITS = (
    "Donnée du département : aucune commune n'a la sienne. Standardisé : deux départements se comparent à âge égal, ce "
    "n'est pas le nombre de décès. Ne dit rien de l'offre de soins."
)


def _declare(name: str, variable: str, label: str, what: str) -> None:
    @indicator(
        id=f"health.{name}",
        label=label,
        unit="décès pour 100 000 hab.",
        theme="health",
        kind="ratio",
        levels=("departement",),
        sources=("mortalite",),
        direction="lower_is_better",
        secrecy=None,
        decimals=1,
        period="year",
        formula=f"Taux standardisé par âge et sexe, hommes et femmes réunis : {what}.",
        limits=_LIMITS,
        reference="Inserm-CépiDc, statistiques des causes médicales de décès ; Santé publique France",
    )
    def rate(mortality: pl.LazyFrame) -> pl.LazyFrame:
        """Standardised deaths per 100,000 inhabitants of the department, as published."""
        return measured(latest(mortality, variable))


_declare("mortality", "ALL_CAUSES", "Mortalité standardisée, toutes causes", "somme des dix-huit chapitres de causes")
_declare("mortality_tumours", "TUMOURS", "Mortalité standardisée par tumeur", "chapitre 2, tumeurs")
_declare(
    "mortality_circulatory",
    "CIRCULATORY",
    "Mortalité standardisée par maladie de l'appareil circulatoire",
    "chapitre 7, maladies de l'appareil circulatoire",
)
_declare(
    "mortality_respiratory",
    "RESPIRATORY",
    "Mortalité standardisée par maladie de l'appareil respiratoire",
    "chapitre 8, maladies de l'appareil respiratoire",
)
_declare(
    "mortality_external",
    "EXTERNAL",
    "Mortalité standardisée par accident, suicide ou autre cause externe",
    "chapitre 17, causes externes de mortalité",
)
