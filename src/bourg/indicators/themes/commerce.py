"""Shops of the base permanente des équipements: number, composition by group, diversity, change inside one series."""

from __future__ import annotations

import polars as pl

from bourg.commerce.diversity import diversity
from bourg.commerce.typology import group_of, rules, type_of, typology
from bourg.geography.levels import LEVELS
from bourg.indicators.helpers import count_by, covered, per_population, ratio, share_of
from bourg.indicators.registry import indicator

_BPE = "Insee, base permanente des équipements (BPE) ; typologie des commerces de Bourg"
_BREAK = (
    "Rupture en 2021 : le répertoire Sirus remplace Sirene et les unités cessées sortent. Aucune évolution n'est "
    "calculée entre une année jusqu'à 2020 et une année à partir de 2021."
)
_LIMITS = (
    "Compte les commerces et services en vitrine de la BPE, sans leur taille ni leur chiffre d'affaires ; les cafés, "
    "les assurances et les garages de vente n'y sont pas distingués. La commune entière compte, pas le seul centre."
)
_SIZE = rules()["rarefaction"]
_AUTHORS = {
    "types": _BPE,
    "shannon": "C. E. Shannon, « A Mathematical Theory of Communication », 1948",
    "simpson": "E. H. Simpson, « Measurement of Diversity », Nature, 1949",
    "effective": "M. O. Hill, « Diversity and Evenness », Ecology, 1973",
    "rarefied": "S. H. Hurlbert, « The Nonconcept of Species Diversity », Ecology, 1971",
}
_DIVERSITY = _LIMITS + " La nomenclature change d'une édition à l'autre : ne pas comparer les années."


def _typed(equipment: pl.LazyFrame) -> pl.LazyFrame:
    """Return the shops among facilities, with their type and group."""
    kind = type_of(pl.col("typequ"), "bpe")
    typed = equipment.with_columns(type=kind).filter(pl.col("type").is_not_null())
    return typed.with_columns(group=group_of(pl.col("type")))


@indicator(
    id="commerce.count",
    label="Commerces et services en vitrine",
    unit="commerces",
    theme="commerce",
    kind="count",
    levels=LEVELS,
    sources=("bpe",),
    direction="neutral",
    secrecy=None,
    decimals=0,
    period="year",
    formula="Nombre d'équipements de la BPE dont le type est dans la typologie des commerces, dernière année.",
    limits=_LIMITS,
    reference=_BPE,
    series_break=_BREAK,
)
def count(equipment: pl.LazyFrame, coverage: pl.LazyFrame) -> pl.LazyFrame:
    """Shops of the territory."""
    return count_by(coverage, "equipment", _typed(equipment))


@indicator(
    id="commerce.per_1000",
    label="Commerces et services en vitrine pour 1 000 habitants",
    unit="commerces pour 1 000 hab.",
    theme="commerce",
    kind="ratio",
    levels=LEVELS,
    sources=("bpe", "populations"),
    direction="neutral",
    secrecy=None,
    decimals=1,
    period="year",
    formula="1 000 × commerces de la BPE ÷ population municipale de l'année la plus proche.",
    limits=_LIMITS + " Une petite ville sert aussi les communes voisines et les visiteurs : le taux peut être élevé.",
    reference=_BPE,
    series_break=_BREAK,
)
def per_1000(equipment: pl.LazyFrame, population: pl.LazyFrame, coverage: pl.LazyFrame) -> pl.LazyFrame:
    """Shops per 1,000 inhabitants."""
    return per_population(count_by(coverage, "equipment", _typed(equipment)), population, same_year=True)


def _declare_share(group: str, label: str) -> None:
    @indicator(
        id=f"commerce.share_{group}",
        label=f"Part dans les commerces : {label[0].lower()}{label[1:]}",
        unit="%",
        theme="commerce",
        kind="share",
        levels=LEVELS,
        sources=("bpe",),
        direction="neutral",
        secrecy=None,
        decimals=1,
        period="year",
        formula=f"100 × commerces du groupe « {label} » ÷ commerces de la typologie, dernière année de la BPE. Les "
        "parts des groupes font 100.",
        limits=_LIMITS + " Sur peu de commerces, un seul fait bouger la part de plusieurs points.",
        reference=_BPE,
        series_break=_BREAK,
    )
    def share(equipment: pl.LazyFrame, coverage: pl.LazyFrame) -> pl.LazyFrame:
        """Share of a group of shops."""
        shops = _typed(equipment)
        chosen = count_by(coverage, "equipment", shops.filter(pl.col("group") == group))
        return share_of(chosen, count_by(coverage, "equipment", shops))


for _group, _label in typology().groups.items():
    # A group of which the BPE knows no type would always be at zero.
    if any(kind.bpe for kind in typology().types.values() if kind.group == _group):
        _declare_share(_group, _label)


def _diversity(equipment: pl.LazyFrame, coverage: pl.LazyFrame) -> pl.LazyFrame:
    """Return the diversity of the latest year; nulls where the territory has no shop."""
    years = covered(coverage, "equipment")
    shops = _typed(equipment).join(years, on=["code", "year"], how="semi")
    told = years.join(diversity(shops, m=_SIZE), on="code", how="left")
    return told.with_columns(period=pl.col("year").cast(pl.String), n=pl.col("shops").fill_null(0))


def _declare_diversity(name: str, column: str, label: str, *, unit: str, decimals: int, formula: str) -> None:
    @indicator(
        id=f"commerce.{name}",
        label=label,
        unit=unit,
        theme="commerce",
        kind="index",
        levels=LEVELS,
        sources=("bpe",),
        direction="neutral",
        secrecy=None,
        decimals=decimals,
        period="year",
        formula=formula,
        limits=_DIVERSITY
        + (
            " Un territoire de moins de commerces que le tirage n'a pas de valeur."
            if column == "rarefied"
            else " Dépend du nombre de commerces : entre villes de tailles différentes, comparer plutôt le nombre de "
            "types attendu sur un même tirage."
        ),
        reference=_AUTHORS[column],
        series_break=_BREAK,
    )
    def index(equipment: pl.LazyFrame, coverage: pl.LazyFrame) -> pl.LazyFrame:
        """One figure of the diversity of shops."""
        told = _diversity(equipment, coverage)
        # Without shop there is no type: a true zero for the number of types, no value for the other indices.
        value = pl.col(column).fill_null(0) if column == "types" else pl.col(column)
        none = pl.when(value.is_null()).then(pl.lit("not_applicable"))
        return told.select("code", "n", "period", value=value.cast(pl.Float64), status=none)


_declare_diversity(
    "types_count",
    "types",
    "Types de commerces présents",
    unit="types",
    decimals=0,
    formula="Nombre de types de la typologie des commerces présents dans le territoire, dernière année de la BPE.",
)
_declare_diversity(
    "shannon",
    "shannon",
    "Diversité des commerces (indice de Shannon)",
    unit="",
    decimals=2,
    formula="H' = −Σ pₖ ln pₖ, où pₖ est la part du type k parmi les commerces ; 0 quand tous sont du même type.",
)
_declare_diversity(
    "simpson",
    "simpson",
    "Diversité des commerces (indice de Simpson)",
    unit="",
    decimals=2,
    formula="Σ pₖ (1 − pₖ) : probabilité que deux commerces tirés au hasard, avec remise, soient de types différents.",
)
_declare_diversity(
    "effective_types",
    "effective",
    "Nombre équivalent de types de commerces",
    unit="types",
    decimals=1,
    formula="Exponentielle de l'indice de Shannon : types qui, à parts égales, donneraient la même diversité.",
)
_declare_diversity(
    "rarefied_types",
    "rarefied",
    f"Types de commerces attendus sur {_SIZE} commerces",
    unit="types",
    decimals=1,
    formula=f"Σₖ [1 − C(N − Nₖ, {_SIZE}) ÷ C(N, {_SIZE})] : types différents attendus parmi {_SIZE} commerces tirés au "
    "hasard sans remise, ce qui rend comparables des villes de tailles différentes.",
)


@indicator(
    id="commerce.change",
    label="Évolution du nombre de commerces",
    unit="%",
    theme="commerce",
    kind="change",
    levels=LEVELS,
    sources=("bpe",),
    direction="neutral",
    secrecy=None,
    decimals=1,
    period="year",
    formula="100 × (commerces de la dernière année − commerces de la première) ÷ commerces de la première, sur les "
    "seuls codes TYPEQU présents dans les deux éditions et dans une même série (avant 2021, ou depuis).",
    limits=_LIMITS
    + " Mêle ouvertures, fermetures et corrections du répertoire. Sans objet de part et d'autre de 2021.",
    reference="Insee, documentation de la BPE 2021 (passage de Sirene à Sirus)",
    series_break=_BREAK,
)
def change(equipment: pl.LazyFrame, coverage: pl.LazyFrame) -> pl.LazyFrame:
    """Change between two years of one series (percent); not applicable across the break of 2021."""
    shops = _typed(equipment).filter("comparable")
    first = count_by(coverage, "equipment", shops, role="start")
    last = count_by(coverage, "equipment", shops)
    compared = last.select("code", "n", end="value", end_year="year").join(
        first.select("code", start="value", start_year="year"), on="code", how="inner"
    )
    broken = covered(coverage, "equipment", "before_break").join(
        covered(coverage, "equipment").select("code", end_year="year"), on="code", how="inner"
    )
    none = pl.lit(None, dtype=pl.Float64)
    return pl.concat(
        [
            compared.select(
                "code",
                "n",
                *ratio(pl.col("end") - pl.col("start"), pl.col("start"), 100),
                period=pl.concat_str("start_year", "end_year", separator="-"),
            ),
            broken.select(
                "code",
                n=pl.lit(None, dtype=pl.Int64),
                value=none,
                status=pl.lit("not_applicable"),
                period=pl.concat_str("year", "end_year", separator="-"),
            ),
        ],
        how="vertical_relaxed",
    )
