"""Power over the years, from the dates of commissioning of what is in service today."""

from __future__ import annotations

import polars as pl

from bourg.energy.sectors import LABELS


def power_by_year(installations: pl.DataFrame) -> pl.DataFrame:
    """Return the power put in service each year, by sector, and its running sum.

    The register lists what runs today: a site taken down since is absent from its past. Lines without a date (sums of
    small installations) have a null year and no running sum.

    Parameters
    ----------
    installations
        Rows of ``energy_installations`` of one territory.

    Returns
    -------
    DataFrame
        ``sector, label, year, power_kw, n, cumulated_kw``, sorted by sector and year. A null power makes that of its
        year null, and the running sum from there.
    """
    known = pl.when(pl.col("power_kw").null_count() == 0).then(pl.col("power_kw").sum())
    yearly = (
        installations.group_by("sector", year=pl.col("commissioning_date").dt.year())
        .agg(power_kw=known, n=pl.col("n").sum())
        .sort("sector", "year", nulls_last=True)
    )
    dated = yearly.filter(pl.col("year").is_not_null())
    lost = pl.col("power_kw").is_null().cum_max().over("sector", order_by="year")
    dated = dated.with_columns(
        cumulated_kw=pl.when(~lost).then(pl.col("power_kw").cum_sum().over("sector", order_by="year"))
    )
    undated = yearly.filter(pl.col("year").is_null()).with_columns(cumulated_kw=pl.lit(None, dtype=pl.Float64))
    return (
        pl.concat([dated, undated])
        .with_columns(label=pl.col("sector").replace_strict(LABELS))
        .select("sector", "label", "year", "power_kw", "n", "cumulated_kw")
        .sort("sector", "year", nulls_last=True)
    )
