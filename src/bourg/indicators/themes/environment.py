"""Energy of dwellings: share of poorly insulated ones among the diagnoses, never on a handful of homes."""

from __future__ import annotations

import polars as pl

from bourg.indicators.helpers import covered, ratio
from bourg.indicators.parameters import parameter
from bourg.indicators.registry import indicator


@indicator(
    id="environment.dpe_fg_share",
    label="Part des diagnostics énergie de classe F ou G (« passoires »)",
    unit="%",
    theme="environment",
    kind="share",
    levels=("commune", "departement"),
    sources=("dpe",),
    direction="lower_is_better",
    secrecy="Moins de 11 diagnostics : la part est « secrète ». Un département dont les communes secrètes réunissent "
    "moins de 11 diagnostics est secret aussi : la différence avec les communes publiées les révélerait.",
    decimals=1,
    period="vintage",
    formula="100 × diagnostics de classe F ou G ÷ diagnostics de performance énergétique des logements existants "
    "depuis juillet 2021. L'effectif est le nombre de diagnostics.",
    limits="Un diagnostic est fait pour une vente, une location ou des travaux : la part ne vaut pas pour tout le "
    "parc. Un logement peut être compté deux fois. Le calcul des petites surfaces a changé en juillet 2024 et celui de "
    "l'électricité en janvier 2026.",
    reference="ADEME, base des DPE logements existants",
    series_break="Le classement des petites surfaces (2024) et le coefficient de l'électricité (2026) ont changé.",
)
def dpe_fg_share(dwelling_energy: pl.LazyFrame, coverage: pl.LazyFrame) -> pl.LazyFrame:
    """Share of F and G labels among the diagnoses; secret where it would describe fewer than eleven homes."""
    floor = parameter("energy_floor")
    rows = covered(coverage, "dwelling_energy").select("code").join(dwelling_energy, on="code", how="left")
    rows = rows.with_columns(pl.col("n", "poor", "hidden").fill_null(0))
    secret = pl.col("hidden").is_between(1, floor - 1)
    value, reason = ratio(pl.col("poor"), pl.col("n"), 100)
    return rows.with_columns(value, why=reason).select(
        "code",
        value=pl.when(~secret).then("value"),
        n=pl.when(~secret).then("n"),
        status=pl.when(secret).then(pl.lit("secret")).otherwise("why"),
    )
