"""Housing market: sales and prices (DVF), predicted rents."""

from __future__ import annotations

import polars as pl

from bourg.indicators.measures import latest, measured, quotient
from bourg.indicators.registry import indicator

_DVF = "DGFiP, demandes de valeurs foncières (décret n° 2018-1350 du 28 décembre 2018), geo-DVF d'Etalab"
_DVF_SECRECY = (
    "Aucun prix n'est donné sous 11 ventes : il est « secret », jamais zéro. Les conditions d'usage de DVF interdisent "
    "de réidentifier une personne ; Bourg ne garde aucune transaction."
)
_DVF_LIMITS = (
    "Ventes d'un seul logement, hors ventes sur plan, échanges et lots de plusieurs logements ; l'état du bien n'est "
    "pas connu. L'Alsace, la Moselle et Mayotte ne sont pas couvertes, et seuls les départements lus ont une valeur."
)
_MEAN_LIMITS = (
    "Moyenne, et non médiane, de maisons et d'appartements mêlés : quelques ventes la déplacent. Retraitement "
    "universitaire de DVF. L'Alsace, la Moselle et Mayotte ne sont pas couvertes."
)
# First year of the window of the evolution of prices: the closest to this many years before the last one.
_YEARS = 5


def _with_sales(table: pl.LazyFrame, price: str, sales: str) -> pl.LazyFrame:
    counts = latest(table, sales).select("code", "year", n="value")
    rows = latest(table, price).join(counts, on=["code", "year"], how="left")
    return rows.select("code", "value", "status", "period", "n")


def _declare_price(name: str, price: str, sales: str, label: str, formula: str) -> None:
    @indicator(
        id=f"housing.{name}",
        label=label,
        unit="€ par m²",
        theme="housing",
        kind="amount",
        levels=("commune",),
        sources=("dvf",),
        direction="neutral",
        secrecy=_DVF_SECRECY,
        decimals=0,
        period="year",
        formula=formula,
        limits=_DVF_LIMITS,
        reference=_DVF,
    )
    def price_m2(property_prices: pl.LazyFrame) -> pl.LazyFrame:
        """Price per m² of the last year, with the number of sales it comes from."""
        return _with_sales(property_prices, price, sales)


_declare_price(
    "price_m2_house",
    "MEDIAN_M2_HOUSE",
    "SALES_HOUSE",
    "Prix médian des maisons au m² (DVF)",
    formula="Médiane des prix de vente rapportés à la surface bâtie, pour les ventes d'une seule maison de l'année.",
)
_declare_price(
    "price_m2_flat",
    "MEDIAN_M2_FLAT",
    "SALES_FLAT",
    "Prix médian des appartements au m² (DVF)",
    formula="Médiane des prix de vente rapportés à la surface bâtie, pour les ventes d'un seul appartement de l'année.",
)


@indicator(
    id="housing.price_m2_mean",
    label="Prix moyen au m², maisons et appartements",
    unit="€ par m²",
    theme="housing",
    kind="amount",
    levels=("commune",),
    sources=("prix_communes",),
    direction="neutral",
    secrecy=_DVF_SECRECY,
    decimals=0,
    period="year",
    formula="Moyenne des prix au m² des ventes de maisons et d'appartements de l'année, publiée par le producteur.",
    limits=_MEAN_LIMITS,
    reference=_DVF,
)
def price_m2_mean(mean_prices: pl.LazyFrame) -> pl.LazyFrame:
    """Mean price per m² of the last year, with the number of sales it comes from."""
    return _with_sales(mean_prices, "MEAN_M2", "SALES")


def _declare_sales(name: str, variable: str, label: str, formula: str) -> None:
    @indicator(
        id=f"housing.{name}",
        label=label,
        unit="ventes",
        theme="housing",
        kind="count",
        levels=("commune",),
        sources=("dvf",),
        direction="neutral",
        secrecy=None,
        decimals=0,
        period="year",
        formula=formula,
        limits=_DVF_LIMITS,
        reference=_DVF,
    )
    def sales(property_prices: pl.LazyFrame) -> pl.LazyFrame:
        """Sales of the last year."""
        return measured(latest(property_prices, variable))


_declare_sales(
    "sales_houses",
    "SALES_HOUSE",
    "Ventes de maisons dans l'année (DVF)",
    formula="Mutations « Vente » d'une seule maison, dépendances comprises, avec prix et surface.",
)
_declare_sales(
    "sales_flats",
    "SALES_FLAT",
    "Ventes d'appartements dans l'année (DVF)",
    formula="Mutations « Vente » d'un seul appartement, dépendances comprises, avec prix et surface.",
)


@indicator(
    id="housing.sales",
    label="Ventes de logements dans l'année",
    unit="ventes",
    theme="housing",
    kind="count",
    levels=("commune",),
    sources=("prix_communes",),
    direction="neutral",
    secrecy=None,
    decimals=0,
    period="year",
    formula="Nombre de ventes de maisons et d'appartements de l'année, publié par le producteur.",
    limits=_MEAN_LIMITS,
    reference=_DVF,
)
def all_sales(mean_prices: pl.LazyFrame) -> pl.LazyFrame:
    """Sales of the last year."""
    return measured(latest(mean_prices, "SALES"))


@indicator(
    id="housing.price_m2_house_change",
    label="Évolution du prix médian des maisons au m² (DVF)",
    unit="%",
    theme="housing",
    kind="change",
    levels=("commune",),
    sources=("dvf",),
    direction="neutral",
    secrecy=_DVF_SECRECY,
    decimals=1,
    period="year",
    formula="100 × (médiane de la dernière année − médiane de la plus ancienne des cinq années d'avant) ÷ celle-ci ; "
    "les deux doivent reposer sur 11 ventes au moins.",
    limits="Les biens vendus ne sont pas les mêmes d'une année à l'autre : une médiane monte aussi quand de plus beaux "
    "biens se vendent. " + _DVF_LIMITS,
    reference=_DVF,
)
def price_m2_house_change(property_prices: pl.LazyFrame) -> pl.LazyFrame:
    """Change of the median between the ends of the window (percent); secret when one end is."""
    rows = property_prices.filter(pl.col("wide") & (pl.col("variable") == "MEDIAN_M2_HOUSE"))
    last = rows.filter("latest").select("code", "value", "status", last_year="year")
    window = rows.join(rows.filter("latest").select(last=pl.col("year").max()), how="cross").filter(
        pl.col("year").is_between(pl.col("last") - _YEARS, pl.col("last") - 1)
    )
    first = window.filter(pl.col("year") == pl.col("year").min()).select(
        "code", first="value", first_status="status", first_year="year"
    )
    ends = last.join(first, on="code", how="inner").with_columns(
        status=pl.coalesce("status", "first_status"),
        period=pl.concat_str("first_year", "last_year", separator="-"),
    )
    return quotient(ends, pl.col("value") - pl.col("first"), pl.col("first"), 100)


# Rents


def _declare_rent(name: str, variable: str, label: str, kind: str) -> None:
    @indicator(
        id=f"housing.{name}",
        label=label,
        unit="€ par m² et par mois",
        theme="housing",
        kind="amount",
        levels=("commune",),
        sources=("loyers",),
        direction="neutral",
        secrecy=None,
        decimals=1,
        period="year",
        formula=f"Loyer d'annonce charges comprises prédit par le modèle de l'ANIL pour {kind} type.",
        limits="Prédiction et non observation : faute d'annonces, la valeur de plus d'une commune sur deux est celle "
        "d'un groupe de communes voisines. Les loyers payés par les locataires en place sont plus bas.",
        reference="DGALN et ANIL, carte des loyers, note méthodologique",
    )
    def rent(rents: pl.LazyFrame) -> pl.LazyFrame:
        """Predicted rent, always estimated."""
        return measured(latest(rents, variable))


_declare_rent("rent_flat", "FLAT", "Loyer d'annonce prédit des appartements", "un appartement")
_declare_rent("rent_house", "HOUSE", "Loyer d'annonce prédit des maisons", "une maison")
