"""Programmes: how much of a territory is in « Petites villes de demain »."""

from __future__ import annotations

import polars as pl

from bourg.geography.levels import Level
from bourg.indicators.helpers import count_by
from bourg.indicators.registry import indicator

# A commune is in the programme or not: that is no figure, it belongs to its identity.
_LEVELS: tuple[Level, ...] = ("epci", "departement", "region", "france")


@indicator(
    id="programmes.pvd_communes",
    label="Communes du programme Petites villes de demain",
    unit="communes",
    theme="programmes",
    kind="count",
    levels=_LEVELS,
    sources=("pvd",),
    direction="neutral",
    secrecy=None,
    decimals=0,
    period="vintage",
    formula="Nombre de communes du territoire inscrites sur la liste officielle du programme.",
    limits="Être dans le programme ne dit rien de l'avancement des projets.",
    reference="ANCT, liste des communes Petites villes de demain",
)
def pvd_communes(pvd: pl.LazyFrame, coverage: pl.LazyFrame) -> pl.LazyFrame:
    """Communes of the programme."""
    return count_by(coverage, "pvd", pvd)
