"""Diversity of the shops of a territory: Shannon, Simpson, effective number of types, rarefaction.

With p_k the share of type k among N shops of S types:
H' = −Σ p_k ln p_k (Shannon 1948) ; evenness J = H'/ln S ; Simpson interaction 1 − Σ p_k² (Simpson 1949: probability
that two shops drawn with replacement differ) ; effective number e^H' (Hill 1973) ; rarefied richness
E[S_m] = Σ_k (1 − C(N − N_k, m)/C(N, m)) (Hurlbert 1971), the number of types among m shops drawn at random.
"""

from __future__ import annotations

from functools import reduce

import polars as pl


def _absent(m: int) -> pl.Expr:
    """Return C(N − N_k, m)/C(N, m) as a product: exact without factorials, zero as soon as one factor is."""
    whole, own = pl.col("total").cast(pl.Float64), pl.col("n").cast(pl.Float64)
    factors = (pl.max_horizontal(whole - own - i, pl.lit(0.0)) / (whole - i) for i in range(m))
    return reduce(lambda product, factor: product * factor, factors, pl.lit(1.0))


def diversity(counts: pl.LazyFrame, *, by: str = "code", kind: str = "type", m: int) -> pl.LazyFrame:
    """Return the diversity of each territory.

    Parameters
    ----------
    counts
        ``by, kind, n`` (shops, whole numbers); several rows of one type add up, zero and null kinds are left out.
    m
        Shops drawn for the rarefied number of types; null for a territory with fewer than ``m`` shops.

    Returns
    -------
    LazyFrame
        ``by, shops, types, shannon (nats), evenness (null for one type), simpson, effective, rarefied``, one row per
        territory that has a shop.

    Raises
    ------
    ValueError
        When ``m`` is less than 1.
    """
    if m < 1:
        raise ValueError("m must be at least 1")
    own = (
        counts.filter(pl.col(kind).is_not_null() & (pl.col("n") > 0))
        .group_by(by, kind)
        .agg(pl.col("n").sum())
        .with_columns(total=pl.col("n").sum().over(by))
        .with_columns(p=pl.col("n") / pl.col("total"))
        # One order of summation: same bytes out.
        .sort(by, kind)
    )
    enough = pl.col("total").first() >= m
    return (
        own.group_by(by, maintain_order=True)
        .agg(
            shops=pl.col("total").first().cast(pl.Int64),
            types=pl.len().cast(pl.Int64),
            shannon=(-(pl.col("p") * pl.col("p").log()).sum()) + 0.0,
            simpson=(pl.col("p") * (1 - pl.col("p"))).sum(),
            rarefied=pl.when(enough).then((1 - _absent(m)).sum()),
        )
        .with_columns(
            evenness=pl.when(pl.col("types") > 1).then(pl.col("shannon") / pl.col("types").cast(pl.Float64).log()),
            effective=pl.col("shannon").exp(),
        )
    )


def composition(counts: pl.LazyFrame, *, by: str = "code", kind: str = "group") -> pl.LazyFrame:
    """Return ``by, kind, n, total, share`` (percent): the parts of each territory sum to 100."""
    own = counts.filter(pl.col(kind).is_not_null()).group_by(by, kind).agg(pl.col("n").sum())
    total = pl.col("n").sum().over(by)
    return own.with_columns(total=total, share=pl.when(total > 0).then(100 * pl.col("n") / total)).sort(by, kind)
