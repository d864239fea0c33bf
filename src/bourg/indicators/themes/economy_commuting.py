"""Home to work flows: means of transport, dependence on the first centre, jobs held by people from elsewhere."""

from __future__ import annotations

import polars as pl

from bourg.indicators.measures import quotient, together
from bourg.indicators.registry import indicator

_REFERENCE = "Insee, recensement de la population, mobilités professionnelles (exploitation complémentaire)"
_LIMITS = (
    "Un seul lieu de travail par personne, sans télétravail ; effectifs pondérés, instables sous 200 actifs. Le miroir "
    "ne décrit que le Val-d'Oise, ailleurs la valeur manque."
)


def _declare(theme: str, name: str, part: str, label: str, *, formula: str, limits: str = "") -> None:
    @indicator(
        id=f"{theme}.{name}",
        label=label,
        unit="%",
        theme=theme,
        kind="share",
        levels=("commune",),
        sources=("navettes",),
        direction="neutral",
        secrecy=None,
        decimals=1,
        period="year",
        formula=formula,
        limits=limits + _LIMITS,
        reference=_REFERENCE,
    )
    def share(commuting: pl.LazyFrame) -> pl.LazyFrame:
        """Share of the employed residents (percent)."""
        return quotient(together(commuting, part, "RESIDENTS"), pl.col(part), pl.col("RESIDENTS"), 100)


_RESIDENTS = " ÷ actifs occupés de 15 ans ou plus qui résident dans la commune."
_declare(
    "mobility",
    "work_by_car_share",
    "CAR",
    "Part des actifs qui vont travailler en voiture",
    formula="100 × actifs occupés dont le mode principal est la voiture, le camion ou la fourgonnette" + _RESIDENTS,
)
_declare(
    "mobility",
    "work_by_transit_share",
    "TRANSIT",
    "Part des actifs qui vont travailler en transports en commun",
    formula="100 × actifs occupés dont le mode principal est un transport en commun" + _RESIDENTS,
)
_declare(
    "mobility",
    "work_active_share",
    "ACTIVE",
    "Part des actifs qui vont travailler à pied ou à vélo",
    formula="100 × actifs occupés dont le mode principal est la marche ou le vélo" + _RESIDENTS,
)
_declare(
    "economy",
    "first_destination_share",
    "FIRST_OUT",
    "Part des actifs qui travaillent dans la première commune de destination",
    formula="100 × actifs occupés qui travaillent dans la commune, autre que la leur, où ils sont le plus nombreux"
    + _RESIDENTS,
    limits="Forte, elle dit une dépendance à un seul pôle ; la table des flux nomme ce pôle. ",
)


@indicator(
    id="economy.jobs_from_outside_share",
    label="Part des emplois occupés par des habitants d'autres communes",
    unit="%",
    theme="economy",
    kind="share",
    levels=("commune",),
    sources=("navettes",),
    direction="neutral",
    secrecy=None,
    decimals=1,
    period="year",
    formula="100 × (actifs qui travaillent dans la commune − ceux qui y résident aussi) ÷ actifs qui travaillent dans "
    "la commune.",
    limits=_LIMITS,
    reference=_REFERENCE,
)
def jobs_from_outside(commuting: pl.LazyFrame) -> pl.LazyFrame:
    """Jobs of the commune held by residents of other communes (percent)."""
    rows = together(commuting, "JOBS", "LOCAL")
    # An extract may leave some homes out of the jobs: fewer jobs than residents who work on the spot tell nothing.
    coherent = rows.with_columns(pl.when(pl.col("JOBS") >= pl.col("LOCAL")).then("JOBS").alias("JOBS"))
    return quotient(coherent, pl.col("JOBS") - pl.col("LOCAL"), pl.col("JOBS"), 100)
