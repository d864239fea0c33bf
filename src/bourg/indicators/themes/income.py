"""Income and poverty of households (Filosofi): published for communes, secret below the producer's thresholds."""

from __future__ import annotations

from typing import Literal

import polars as pl

from bourg.geography.levels import Level
from bourg.indicators.registry import indicator

_SECRECY = (
    "Secret statistique posé par l'Insee (communes de moins de 50 ménages ou de moins de 100 personnes, et diffusion "
    "réduite des plus petites) : la valeur est « secrète », jamais zéro."
)
_REFERENCE = "Insee-DGFiP-Cnaf-Cnav-CCMSA, fichier localisé social et fiscal (Filosofi), note méthodologique"
_FIELD = (
    "Ménages fiscaux ordinaires : ni les personnes sans abri, ni les étudiants rattachés à leurs parents. La "
    "Guadeloupe, la Guyane et Mayotte ne sont pas publiées. Les données de 2023 et après ne se comparent pas aux "
    "précédentes."
)
_BREAK = "Filosofi a été refondu pour les revenus 2022 et suivants : les deux séries ne se comparent pas."


def _declare(
    name: str,
    variable: str,
    label: str,
    *,
    unit: str,
    formula: str,
    kind: Literal["amount", "share", "ratio", "count"],
    decimals: int,
    levels: tuple[Level, ...] = ("commune",),
    more: str = "",
) -> None:
    @indicator(
        id=f"income.{name}",
        label=label,
        unit=unit,
        theme="income",
        kind=kind,
        levels=levels,
        sources=("filosofi",),
        direction="neutral",
        secrecy=_SECRECY,
        decimals=decimals,
        period="year",
        formula=formula,
        limits=more + _FIELD,
        reference=_REFERENCE,
        series_break=_BREAK,
    )
    def published(income: pl.LazyFrame) -> pl.LazyFrame:
        """Figure published by Insee for the commune, with its secrecy."""
        households = income.filter(pl.col("variable") == "NBMENFISC").select("code", n="value")
        return (
            income.filter(pl.col("variable") == variable)
            .join(households, on="code", how="left")
            .select("code", "value", "status", "n", period=pl.col("year").cast(pl.String))
        )


_declare(
    "median",
    "MED",
    "Niveau de vie médian",
    unit="€ par an et par unité de consommation",
    formula="Médiane du revenu disponible par unité de consommation, publiée par l'Insee (non recalculable par somme).",
    kind="amount",
    decimals=0,
    more="La moitié des habitants vit avec moins, l'autre avec plus : ne dit rien des écarts. ",
)
_declare(
    "poverty_rate",
    "TP60",
    "Taux de pauvreté",
    unit="%",
    formula="Part des habitants dont le niveau de vie est inférieur à 60 % du niveau de vie médian national.",
    kind="share",
    decimals=1,
    more="Le seuil est national : il ignore le coût local du logement. ",
)
_declare(
    "decile_1",
    "D1",
    "Niveau de vie maximal des 10 % les plus modestes (1er décile)",
    unit="€ par an et par unité de consommation",
    formula="Niveau de vie au-dessous duquel se trouvent 10 % des habitants (Insee).",
    kind="amount",
    decimals=0,
)
_declare(
    "decile_9",
    "D9",
    "Niveau de vie minimal des 10 % les plus aisés (9e décile)",
    unit="€ par an et par unité de consommation",
    formula="Niveau de vie au-dessus duquel se trouvent 10 % des habitants (Insee).",
    kind="amount",
    decimals=0,
)
_declare(
    "decile_ratio",
    "RD",
    "Rapport interdécile (D9/D1)",
    unit="",
    formula="Neuvième décile ÷ premier décile du niveau de vie, publié par l'Insee.",
    kind="ratio",
    decimals=1,
    more="Ne décrit ni les très hauts revenus, ni les patrimoines. ",
)
_declare(
    "taxed_share",
    "PIMP",
    "Part des ménages fiscaux imposés",
    unit="%",
    formula="100 × ménages fiscaux soumis à l'impôt sur le revenu ÷ ménages fiscaux (Insee).",
    kind="share",
    decimals=1,
    more="Dépend des règles fiscales de l'année autant que des revenus. ",
)
_declare(
    "pensions_share",
    "PPEN",
    "Part des pensions et retraites dans le revenu disponible",
    unit="%",
    formula="100 × pensions, retraites et rentes ÷ revenu disponible des ménages (Insee).",
    kind="share",
    decimals=1,
    more="Une part élevée peut venir d'habitants âgés comme de salaires bas. ",
)
_declare(
    "tax_households",
    "NBMENFISC",
    "Nombre de ménages fiscaux",
    unit="ménages",
    formula="Ménages fiscaux recensés par l'Insee, additionnés sur les communes de l'intercommunalité.",
    kind="count",
    decimals=0,
    levels=("commune", "epci"),
    more="Une seule commune secrète rend secret le total de l'intercommunalité. ",
)
