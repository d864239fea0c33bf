"""Specialisation of a territory in a sector: location quotient with shrinkage (ANCHORS D14)."""

from __future__ import annotations

import polars as pl

from bourg.indicators.parameters import parameter


def shrunk_quotient(part: pl.Expr, whole: pl.Expr, reference: pl.Expr, n: pl.Expr) -> list[pl.Expr]:
    """Return ``value`` and ``status`` of LQ = ((n s + m r) / (n + m)) / r, s being the share of the territory.

    The share leans on n installations and is drawn to the reference share r as if m more installations had it. With
    counts instead of power this is the textbook form (e_ij + m r) / (e_i + m) / r.

    Parameters
    ----------
    part, whole
        Power of the sector and of all sectors in the territory (kW).
    reference
        Share of the sector in the region, from 0 to 1.
    n
        Installations of the territory, all sectors.
    """
    declared = parameter("energy_quotient", package="bourg.energy")
    prior, minimum = float(declared["prior"]), int(declared["minimum"])
    empty = (n < minimum) | (whole <= 0) | (reference <= 0)
    share = (n * part / whole + prior * reference) / (n + prior)
    return [
        pl.when(~empty).then(share / reference).alias("value"),
        pl.when(empty).then(pl.lit("not_applicable")).alias("status"),
    ]
