"""Local finance: accounts of communes per inhabitant (OFGL), taxes on vacant dwellings."""

from __future__ import annotations

from typing import Literal

import polars as pl

from bourg.geography.levels import LEVELS
from bourg.indicators.measures import latest, measured, quotient, together
from bourg.indicators.registry import indicator

_OFGL = "OFGL, base des communes consolidée (comptes de la DGFiP), définition des agrégats"
_LIMITS = (
    "Budget principal et budgets annexes réunis. Une commune qui a confié l'eau, les écoles ou la voirie à son "
    "intercommunalité dépense moins sans rendre moins de services : comparer des communes de même organisation."
)
_PEOPLE = " La population est la population totale du même fichier et du même exercice."


def _declare_per_inhabitant(name: str, variable: str, label: str, what: str, kind: Literal["amount", "change"]) -> None:
    @indicator(
        id=f"finance.{name}",
        label=label,
        unit="€ par habitant",
        theme="finance",
        kind=kind,
        levels=LEVELS,
        sources=("ofgl",),
        direction="neutral",
        secrecy=None,
        decimals=0,
        period="year",
        formula=f"{what} ÷ population totale du fichier.",
        limits=_LIMITS + _PEOPLE,
        reference=_OFGL,
    )
    def per_inhabitant(finances: pl.LazyFrame) -> pl.LazyFrame:
        """Euros per inhabitant, with the population of the same file and year."""
        return quotient(together(finances, variable, "POPULATION"), pl.col(variable), pl.col("POPULATION"))


for _name, _variable, _label, _what in (
    ("operating_spending", "DRF", "Dépenses de fonctionnement par habitant", "Dépenses de fonctionnement"),
    ("operating_revenue", "RRF", "Recettes de fonctionnement par habitant", "Recettes de fonctionnement"),
    ("equipment_spending", "EQUIPMENT", "Dépenses d'équipement par habitant", "Dépenses d'équipement"),
    ("debt", "DEBT", "Encours de dette par habitant", "Encours de dette au 31 décembre"),
    ("gross_savings", "GROSS", "Épargne brute par habitant", "Recettes − dépenses de fonctionnement"),
    ("local_taxes", "TAXES", "Impôts locaux par habitant", "Impôts locaux"),
    ("state_grant", "DGF", "Dotation globale de fonctionnement par habitant", "Dotation globale de fonctionnement"),
):
    _declare_per_inhabitant(_name, _variable, _label, _what, "change" if _variable == "GROSS" else "amount")


def _declare_rate(
    name: str, part: str, whole: str, label: str, *, formula: str, limits: str, kind: Literal["ratio", "change"]
) -> None:
    @indicator(
        id=f"finance.{name}",
        label=label,
        unit="%",
        theme="finance",
        kind=kind,
        levels=LEVELS,
        sources=("ofgl",),
        direction="neutral",
        secrecy=None,
        decimals=1,
        period="year",
        formula=formula,
        limits=limits + _LIMITS,
        reference=_OFGL,
    )
    def rate(finances: pl.LazyFrame) -> pl.LazyFrame:
        """Ratio of two aggregates of the same year (percent)."""
        return quotient(together(finances, part, whole), pl.col(part), pl.col(whole), 100)


_declare_rate(
    "savings_rate",
    "GROSS",
    "RRF",
    "Taux d'épargne brute",
    formula="100 × épargne brute ÷ recettes de fonctionnement.",
    limits="Ne dit pas si l'épargne suffit à rembourser les emprunts. ",
    # Savings may be negative: no share of a whole.
    kind="change",
)
_declare_rate(
    "staff_share",
    "STAFF",
    "DRF",
    "Poids des frais de personnel dans le fonctionnement",
    formula="100 × frais de personnel ÷ dépenses de fonctionnement.",
    limits="Une régie emploie, une délégation achète : la part dépend du mode de gestion. ",
    kind="ratio",
)


@indicator(
    id="finance.debt_years",
    label="Capacité de désendettement",
    unit="années",
    theme="finance",
    kind="ratio",
    levels=LEVELS,
    sources=("ofgl",),
    direction="lower_is_better",
    secrecy=None,
    decimals=1,
    period="year",
    formula="Encours de dette ÷ épargne brute ; sans objet quand l'épargne brute est nulle ou négative.",
    limits="Suppose une épargne constante, toute consacrée au remboursement. " + _LIMITS,
    reference=_OFGL,
)
def debt_years(finances: pl.LazyFrame) -> pl.LazyFrame:
    """Years of gross savings needed to repay the debt; meaningless without savings."""
    rows = together(finances, "DEBT", "GROSS")
    saving = pl.when(pl.col("GROSS") > 0).then(pl.col("GROSS")).when(pl.col("GROSS").is_not_null()).then(0.0)
    return quotient(rows.with_columns(saving=saving), pl.col("DEBT"), pl.col("saving")).with_columns(n=None)


# Taxes on vacant dwellings

_CGI = "Code général des impôts, articles 232 (TLV) et 1407 bis (THLV)"
_TAX_LIMITS = (
    "Situation de 2023, avant l'élargissement du zonage de la TLV par le décret du 25 août 2023. Être taxé ne dit rien "
    "du nombre de logements vacants."
)


def _declare_tax(name: str, variable: str, label: str, formula: str) -> None:
    @indicator(
        id=f"finance.{name}",
        label=label,
        unit="communes",
        theme="finance",
        kind="count",
        levels=LEVELS,
        sources=("taxes_vacance",),
        direction="neutral",
        secrecy=None,
        decimals=0,
        period="year",
        formula=formula,
        limits=_TAX_LIMITS,
        reference=_CGI,
    )
    def communes(vacancy_taxes: pl.LazyFrame) -> pl.LazyFrame:
        """Communes under the tax: 1 or 0 for a commune, their number above."""
        return measured(latest(vacancy_taxes, variable))


_declare_tax(
    "tlv_communes",
    "TLV",
    "Communes soumises à la taxe sur les logements vacants (TLV)",
    "Nombre de communes où l'État applique la TLV (1 ou 0 pour une commune).",
)
_declare_tax(
    "thlv_communes",
    "THLV",
    "Communes qui ont voté la taxe d'habitation sur les logements vacants (THLV)",
    "Nombre de communes qui ont voté la THLV (1 ou 0 pour une commune).",
)


@indicator(
    id="finance.thlv_rate",
    label="Taux de la taxe d'habitation sur les logements vacants (THLV)",
    unit="%",
    theme="finance",
    kind="ratio",
    levels=("commune",),
    sources=("taxes_vacance",),
    direction="neutral",
    secrecy=None,
    decimals=2,
    period="year",
    formula="Taux voté, tel que publié (100 × la part du fichier) ; sans objet où la THLV n'est pas votée.",
    limits=_TAX_LIMITS + " Une commune sur deux l'a votée sans taux publié : le sien est manquant, jamais zéro.",
    reference=_CGI,
)
def thlv_rate(vacancy_taxes: pl.LazyFrame) -> pl.LazyFrame:
    """Rate of the THLV (percent)."""
    return measured(latest(vacancy_taxes, "THLV_RATE"))
