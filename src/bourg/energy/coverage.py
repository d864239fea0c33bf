"""Sums of which a little is unknown, and the coverage of the consumption by the production."""

from __future__ import annotations

import polars as pl

from bourg.indicators.parameters import parameter


def partial(value: pl.Expr, known: pl.Expr, unknown: pl.Expr, secret: pl.Expr | None = None) -> list[pl.Expr]:
    """Return ``value`` and ``status`` of a sum whose unknown part weighs ``unknown`` against ``known``.

    Nothing unknown: the sum, without a status. A share up to the declared limit: the sum, ``estimated`` (it is a lower
    bound). Beyond: ``secret`` when most of the unknown part is withheld, ``missing`` otherwise.

    Parameters
    ----------
    known, unknown, secret
        Weights (power in kW, or installations); ``secret`` is the withheld part of ``unknown``.
    """
    limit = float(parameter("energy_unknown_share", package="bourg.energy"))
    lost = unknown > limit * (known + unknown)
    withheld = (2 * secret > unknown) if secret is not None else pl.lit(value=False)
    return [
        pl.when(~lost).then(value).alias("value"),
        pl.when(lost & withheld)
        .then(pl.lit("secret"))
        .when(lost)
        .then(pl.lit("missing"))
        .when(unknown > 0)
        .then(pl.lit("estimated"))
        .alias("status"),
    ]


def coverage_rate(produced_kwh: pl.Expr, used_mwh: pl.Expr) -> list[pl.Expr]:
    """Return ``value`` (%) and ``status``: energy produced over energy used; above 100 a territory exports."""
    none = used_mwh <= 0
    return [
        pl.when(~none).then(100 * produced_kwh / 1000 / used_mwh).alias("value"),
        pl.when(none).then(pl.lit("not_applicable")).alias("status"),
    ]
