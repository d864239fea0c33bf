"""Shops of Sirene: stock, network brands and independents, openings, closures, survival, replacement, vacancy proxy."""

from __future__ import annotations

from functools import partial as bind

import polars as pl

from bourg.commerce.chains import shares
from bourg.commerce.evolution import survival_curve
from bourg.commerce.typology import rules
from bourg.geography.levels import LEVELS
from bourg.indicators.helpers import count_by, covered, ratio
from bourg.indicators.registry import indicator
from bourg.text import count_of

_SIRENE = "Insee, base Sirene, stock des établissements ; typologie des commerces de Bourg"
_LIMITS = (
    "Sirene décrit des établissements inscrits : une fermeture y est connue avec retard, une activité à domicile y "
    "compte comme une boutique, et seule l'activité principale déclarée est connue."
)
_BREAK = (
    f"Série à partir de {rules()['first_year']} : la nomenclature d'activités a changé le 1er janvier 2008 (NAF rév. "
    "2), aucune évolution n'est calculée avant."
)
_declare = bind(
    indicator,
    theme="commerce",
    levels=LEVELS,
    sources=("sirene",),
    direction="neutral",
    secrecy=None,  # The register is public and counts establishments: no rule of secrecy applies to these counts.
    decimals=1,
    period="vintage",
)
_CHAIN_LIMITS = (
    " Une enseigne de réseau peut être un magasin intégré, une franchise ou l'adhérent d'une coopérative : elle ne dit "
    "pas à qui appartient le magasin. Un commerce sans nom connu, ou dont le nom ne dit que le métier, reste "
    "indéterminé : lire la part entre ses deux bornes."
)


@_declare(
    id="commerce.sirene_count",
    label="Commerces ouverts inscrits dans Sirene",
    unit="établissements",
    kind="count",
    decimals=0,
    formula="Nombre d'établissements actifs dont l'activité principale (NAF) est dans la typologie des commerces.",
    limits=_LIMITS + " Le champ est plus large que celui de la BPE (cafés, assurances, réparation).",
    reference=_SIRENE,
)
def sirene_count(shops: pl.LazyFrame, coverage: pl.LazyFrame) -> pl.LazyFrame:
    """Open shops in the register."""
    return count_by(coverage, "shops", shops).select("code", "value", "n")


def _declare_chain(name: str, column: str, label: str, formula: str) -> None:
    @_declare(
        id=f"commerce.{name}",
        label=label,
        unit="%",
        kind="share",
        formula=formula,
        limits=_LIMITS + _CHAIN_LIMITS,
        reference="ANCHORS D4 ; Insee, base Sirene ; liste d'enseignes de Bourg",
    )
    def chain_share(shops: pl.LazyFrame, coverage: pl.LazyFrame) -> pl.LazyFrame:
        """Share of network brands, or one of its bounds."""
        told = covered(coverage, "shops").select("code").join(shares(shops), on="code", how="left")
        none = pl.when(pl.col(column).is_null()).then(pl.lit("not_applicable"))
        return told.select("code", value=column, n=pl.col("n").fill_null(0), status=none)


_declare_chain(
    "chain_share",
    "share",
    "Part des enseignes de réseau",
    "100 × enseignes de réseau ÷ (enseignes de réseau + indépendants), commerces indéterminés exclus.",
)
_declare_chain(
    "chain_share_low",
    "low",
    "Part des enseignes de réseau, au moins",
    "100 × enseignes de réseau ÷ tous les commerces : tous les indéterminés seraient indépendants.",
)
_declare_chain(
    "chain_share_high",
    "high",
    "Part des enseignes de réseau, au plus",
    "100 × (enseignes de réseau + indéterminés) ÷ tous les commerces : aucun indéterminé ne serait indépendant.",
)


def _flows(shop_years: pl.LazyFrame, coverage: pl.LazyFrame) -> pl.LazyFrame:
    """Return the sums of the window for every covered unit; true zeros where it has no shop."""
    sums = shop_years.group_by("code").agg(
        pl.col("opened", "closed", "stock_start", "stock_end").sum(),
        pl.col("years", "window").first(),
    )
    told = covered(coverage, "shop_years").select("code").join(sums, on="code", how="left")
    return told.with_columns(pl.col("opened", "closed", "stock_start", "stock_end").fill_null(0))


def _declare_flow(name: str, label: str, formula: str, *, top: pl.Expr, bottom: pl.Expr, change: bool = False) -> None:
    @_declare(
        id=f"commerce.{name}",
        label=label,
        unit="%" if change else "pour 100 commerces",
        kind="change" if change else "ratio",
        period="year",
        formula=formula,
        limits=_LIMITS + " Un déménagement compte comme une fermeture et une ouverture, un rachat aussi.",
        reference=_SIRENE,
        series_break=_BREAK,
    )
    def flow(shop_years: pl.LazyFrame, coverage: pl.LazyFrame) -> pl.LazyFrame:
        """Return a rate of openings or closures over the window."""
        told = _flows(shop_years, coverage)
        return told.select("code", *ratio(top, bottom, 100), n="stock_start", period="window")


_YEARLY = pl.col("years").cast(pl.Float64).fill_null(1.0) * pl.col("stock_start")
_declare_flow(
    "openings_rate",
    "Taux annuel d'ouverture de commerces",
    "100 × ouvertures des dernières années ÷ (nombre d'années × commerces ouverts au début).",
    top=pl.col("opened"),
    bottom=_YEARLY,
)
_declare_flow(
    "closures_rate",
    "Taux annuel de fermeture de commerces",
    "100 × fermetures des dernières années ÷ (nombre d'années × commerces ouverts au début).",
    top=pl.col("closed"),
    bottom=_YEARLY,
)
_declare_flow(
    "net_change",
    "Évolution du nombre de commerces inscrits",
    "100 × (ouvertures − fermetures des dernières années) ÷ commerces ouverts au début.",
    top=pl.col("opened") - pl.col("closed"),
    bottom=pl.col("stock_start"),
    change=True,
)


def _declare_survival(years: int) -> None:
    @_declare(
        id=f"commerce.survival_{years}",
        label=f"Part des commerces encore ouverts après {count_of(years, 'an')}",
        unit="%",
        kind="share",
        formula=f"100 × Π (1 − fermés ÷ suivis) sur les {years} premières années de vie des commerces créés depuis "
        f"{rules()['first_year']} ; un commerce encore ouvert n'est suivi que jusqu'au jour du fichier.",
        limits=_LIMITS
        + f" Moins de {rules()['survival_min']} commerces suivis : aucun taux. Une reprise compte comme une "
        "fermeture.",
        reference="E. L. Kaplan et P. Meier, « Nonparametric Estimation from Incomplete Observations », JASA, 1958",
        series_break=_BREAK,
    )
    def survival(shop_survival: pl.LazyFrame, coverage: pl.LazyFrame) -> pl.LazyFrame:
        """Share of shops open after some years, censored on the right."""
        curve = survival_curve(shop_survival).filter(pl.col("age") < years)
        last = curve.group_by("code").agg(
            pl.col("survival").sort_by("age").last(),
            n=pl.col("at_risk").sort_by("age").first(),
            followed=pl.col("at_risk").min(),
            ages=pl.len(),
        )
        told = covered(coverage, "shop_survival").select("code").join(last, on="code", how="left")
        enough = ((pl.col("ages") == years) & (pl.col("followed") >= rules()["survival_min"])).fill_null(value=False)
        return told.select(
            "code",
            value=pl.when(enough).then("survival"),
            status=pl.when(~enough).then(pl.lit("not_applicable")),
            n=pl.col("n").fill_null(0),
        )


for _years in (1, 3, 5):
    _declare_survival(_years)


def _declare_place(name: str, label: str, formula: str, limits: str, *, top: pl.Expr, bottom: pl.Expr) -> None:
    @_declare(
        id=f"commerce.{name}",
        label=label,
        unit="%",
        kind="share",
        formula=formula,
        limits=_LIMITS + limits,
        reference="ANCHORS D3 ; Insee, base Sirene",
        series_break=_BREAK,
    )
    def place(shop_turnover: pl.LazyFrame, coverage: pl.LazyFrame) -> pl.LazyFrame:
        """Return a share of addresses or closures: an estimate, never a survey of premises."""
        told = covered(coverage, "shop_turnover").select("code").join(shop_turnover, on="code", how="left")
        columns = [pl.col(column).fill_null(0) for column in ("followed", "replaced", "occupied", "vacant")]
        rows = told.with_columns(columns).select("code", *ratio(top, bottom, 100), n=bottom)
        return rows.with_columns(status=pl.coalesce("status", pl.lit("estimated")))


_MONTHS = rules()["replacement_months"]
_declare_place(
    "replaced_share",
    "Part des commerces fermés remplacés à la même adresse (estimation)",
    f"100 × fermetures suivies d'un autre commerce à la même adresse en moins de {_MONTHS} mois ÷ fermetures à une "
    f"adresse connue, sur {rules()['vacancy_years']} ans.",
    " Une adresse mal écrite cache un successeur ; les adresses de plus de "
    f"{rules()['shared_address']} commerces (centres commerciaux) sont hors du calcul.",
    top=pl.col("replaced"),
    bottom=pl.col("followed"),
)
_declare_place(
    "vacancy_proxy",
    "Part des locaux commerciaux sans successeur (indice de vacance)",
    f"100 × adresses dont le dernier commerce a fermé depuis plus de {_MONTHS} mois et moins de "
    f"{rules()['vacancy_years']} ans, sans autre depuis ÷ (ces adresses + adresses qui ont un commerce ouvert).",
    " Ce n'est pas un taux de vacance : il n'y a pas de relevé ouvert des locaux vides. Le local a pu devenir un "
    "logement ou un bureau ; un relevé de terrain le dit.",
    top=pl.col("vacant"),
    bottom=pl.col("vacant") + pl.col("occupied"),
)
