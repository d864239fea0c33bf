"""Health professionals and services of the base permanente des équipements, per 10,000 inhabitants."""

from __future__ import annotations

from typing import Literal

import polars as pl

from bourg.geography.levels import LEVELS
from bourg.indicators.helpers import count_by, per_population
from bourg.indicators.parameters import parameter
from bourg.indicators.registry import indicator

PER_10_000 = 10_000
_BREAK = (
    "Les codes et le champ des professions changent selon les éditions, et la source de la BPE change en 2021 : ne pas "
    "comparer les années."
)


def in_edition(counts: pl.LazyFrame, equipment: pl.LazyFrame, codes: list[str]) -> pl.LazyFrame:
    """Keep the counts of the years whose edition has one of the codes: elsewhere an absence is not a zero."""
    years = equipment.filter(pl.col("typequ").is_in(codes)).select("year").unique()
    return counts.join(years, on="year", how="semi")


_LIBERAL = "Professionnels libéraux : ni les salariés des centres de santé, ni ceux des hôpitaux. "


def _declare(name: str, label: str, unit: str, limits: str = _LIBERAL) -> None:
    codes: list[str] = parameter("health_professions")[name]
    direction: Literal["higher_is_better", "neutral"] = "higher_is_better" if limits == _LIBERAL else "neutral"

    @indicator(
        id=f"health.{name}_per_10000",
        label=f"{label} pour 10 000 habitants",
        unit=f"{unit} pour 10 000 hab.",
        theme="health",
        kind="ratio",
        levels=LEVELS,
        sources=("bpe", "populations"),
        direction=direction,
        secrecy=None,
        decimals=1,
        period="year",
        formula=f"10 000 × {label.lower()} de la BPE (codes {', '.join(codes)} selon l'édition) ÷ population "
        "municipale de l'année la plus proche. L'effectif est le nombre compté.",
        limits=limits
        + "La BPE compte des lieux d'exercice, pas du temps de travail : un professionnel présent un jour "
        "par semaine compte pour un. Elle ne dit ni les délais, ni qui prend de nouveaux patients, ni ce qui existe "
        "dans la commune voisine.",
        reference="Insee, base permanente des équipements (BPE)",
        series_break=_BREAK,
    )
    def professionals(equipment: pl.LazyFrame, population: pl.LazyFrame, coverage: pl.LazyFrame) -> pl.LazyFrame:
        """Professionals or services of one kind per 10,000 inhabitants."""
        chosen = equipment.filter(pl.col("typequ").is_in(codes))
        counts = in_edition(count_by(coverage, "equipment", chosen), equipment, codes)
        return per_population(counts, population, PER_10_000, same_year=True)


_declare("gp", "Médecins généralistes", "médecins")
_declare("nurses", "Infirmiers", "infirmiers")
_declare("dentists", "Chirurgiens-dentistes", "dentistes")
_declare("physiotherapists", "Masseurs-kinésithérapeutes", "kinésithérapeutes")
_declare("midwives", "Sages-femmes", "sages-femmes")
_declare("pharmacies", "Pharmacies", "pharmacies", "Une ouverture dépend de seuils de population fixés par la loi. ")
