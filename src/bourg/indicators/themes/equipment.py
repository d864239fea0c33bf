"""Equipment of the base permanente des équipements (BPE): counts by domain, variety, change inside one series."""

from __future__ import annotations

import polars as pl

from bourg.geography.levels import LEVELS
from bourg.indicators.helpers import count_by, covered, per_population, ratio
from bourg.indicators.registry import indicator

_BPE = "Insee, base permanente des équipements (BPE)"
_BREAK = (
    "De 2021 date une rupture de série : le répertoire Sirus remplace Sirene et les unités cessées sortent (environ "
    "460 000 équipements de moins). Aucune évolution n'est calculée entre une année jusqu'à 2020 et une année à partir "
    "de 2021."
)
_LIMITS = (
    "La BPE compte des équipements, pas leur taille, leurs horaires ni leur qualité ; un commerce et un hôpital "
    "comptent chacun pour un."
)
DOMAINS = {
    "A": "Services aux particuliers",
    "B": "Commerces",
    "C": "Enseignement",
    "D": "Santé et action sociale",
    "E": "Transports et déplacements",
    "F": "Sports, loisirs et culture",
    "G": "Tourisme",
}


def _declare(name: str, domain: str | None, label: str, what: str) -> None:
    def chosen(equipment: pl.LazyFrame) -> pl.LazyFrame:
        return equipment if domain is None else equipment.filter(pl.col("typequ").str.starts_with(domain))

    @indicator(
        id=f"equipment.{name}_count",
        label=label,
        unit="équipements",
        theme="equipment",
        kind="count",
        levels=LEVELS,
        sources=("bpe",),
        direction="neutral",
        secrecy=None,
        decimals=0,
        period="year",
        formula=f"Nombre d'équipements {what}, dernière année de la BPE.",
        limits=_LIMITS,
        reference=_BPE,
        series_break=_BREAK,
    )
    def equipment_count(equipment: pl.LazyFrame, coverage: pl.LazyFrame) -> pl.LazyFrame:
        """Facilities of a domain."""
        return count_by(coverage, "equipment", chosen(equipment))

    @indicator(
        id=f"equipment.{name}_per_1000",
        label=f"{label} pour 1 000 habitants",
        unit="équipements pour 1 000 hab.",
        theme="equipment",
        kind="ratio",
        levels=LEVELS,
        sources=("bpe", "populations"),
        direction="neutral",
        secrecy=None,
        decimals=1,
        period="year",
        formula=f"1 000 × équipements {what} ÷ population municipale de l'année la plus proche.",
        limits=_LIMITS + " Une petite ville-centre sert aussi les communes voisines : le taux peut être élevé.",
        reference=_BPE,
        series_break=_BREAK,
    )
    def equipment_rate(equipment: pl.LazyFrame, population: pl.LazyFrame, coverage: pl.LazyFrame) -> pl.LazyFrame:
        """Facilities of a domain per 1,000 inhabitants."""
        return per_population(count_by(coverage, "equipment", chosen(equipment)), population, same_year=True)


_declare("total", None, "Équipements", "de tous les domaines de la BPE")
for _letter, _domain in DOMAINS.items():
    _declare(
        f"domain_{_letter.lower()}",
        _letter,
        f"Équipements : {_domain[0].lower()}{_domain[1:]}",
        f"du domaine {_letter} de la BPE ({_domain[0].lower()}{_domain[1:]})",
    )


@indicator(
    id="equipment.types_count",
    label="Types d'équipements présents",
    unit="types",
    theme="equipment",
    kind="index",
    levels=LEVELS,
    sources=("bpe",),
    direction="neutral",
    secrecy=None,
    decimals=0,
    period="year",
    formula="Nombre de codes TYPEQU différents présents dans le territoire, dernière année de la BPE.",
    limits=_LIMITS + " La nomenclature change d'une édition à l'autre : ne pas comparer les années.",
    reference=_BPE,
    series_break=_BREAK,
)
def types_count(equipment: pl.LazyFrame, coverage: pl.LazyFrame) -> pl.LazyFrame:
    """Distinct TYPEQU codes present."""
    present = equipment.filter(pl.col("n") > 0).group_by("code", "year").agg(pl.col("typequ").n_unique().alias("n"))
    facilities = count_by(coverage, "equipment", equipment).select("code", n="value")
    return count_by(coverage, "equipment", present).select("code", "value", "period").join(facilities, on="code")


@indicator(
    id="equipment.change",
    label="Évolution du nombre d'équipements",
    unit="%",
    theme="equipment",
    kind="change",
    levels=LEVELS,
    sources=("bpe",),
    direction="neutral",
    secrecy=None,
    decimals=1,
    period="year",
    formula="100 × (équipements de la dernière année − équipements de la première) ÷ équipements de la première année, "
    "sur les seuls types présents dans les deux éditions et dans une même série (avant 2021, ou depuis).",
    limits=_LIMITS
    + " Une évolution mêle ouvertures, fermetures et corrections du répertoire ; le champ de certains types (santé, "
    "taxis) change d'une édition à l'autre. Sans objet quand la seule année antérieure est de l'autre côté de la "
    "rupture de 2021.",
    reference="Insee, documentation de la BPE 2021 (passage de Sirene à Sirus)",
    series_break=_BREAK,
)
def change(equipment: pl.LazyFrame, coverage: pl.LazyFrame) -> pl.LazyFrame:
    """Change between two years of one series (percent); not applicable across the break of 2021."""
    first = count_by(coverage, "equipment", equipment.filter("comparable"), role="start")
    last = count_by(coverage, "equipment", equipment.filter("comparable"))
    compared = (
        last.select("code", "n", end="value", end_year="year")
        .join(first.select("code", start="value", start_year="year"), on="code", how="inner")
        .select(
            "code",
            "n",
            *ratio(pl.col("end") - pl.col("start"), pl.col("start"), 100),
            period=pl.concat_str("start_year", "end_year", separator="-"),
        )
    )
    broken = (
        covered(coverage, "equipment", "before_break")
        .join(covered(coverage, "equipment").select("code", end_year="year"), on="code", how="inner")
        .select(
            "code",
            n=pl.lit(None, dtype=pl.Int64),
            value=pl.lit(None, dtype=pl.Float64),
            status=pl.lit("not_applicable"),
            period=pl.concat_str("year", "end_year", separator="-"),
        )
    )
    return pl.concat([compared, broken], how="vertical_relaxed")
