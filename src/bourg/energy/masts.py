"""Wind farms: the yearly production is published by site; the share of one mast is an estimate, and says so."""

from __future__ import annotations

import polars as pl


def wind_farms(installations: pl.DataFrame) -> pl.DataFrame:
    """Return the wind sites with their published production and, where masts are known, an equal share of it.

    Masts of one farm do not turn alike: the share is a mean, never a measure, and its status is ``estimated``.

    Parameters
    ----------
    installations
        Rows of ``energy_installations`` or ``energy_sites``.

    Returns
    -------
    DataFrame
        ``installation_id, name, code, power_kw, n, masts, commissioning_date, year_injected_kwh, energy_status,
        mast_kwh, mast_status``; ``mast_status`` is ``estimated``, ``secret`` (the production is) or ``missing``.
    """
    wind = installations.filter((pl.col("sector") == "wind") & pl.col("level").is_in(["iris", "commune"]))
    shared = pl.col("year_injected_kwh").is_not_null() & (pl.col("masts") >= 1).fill_null(value=False)
    return wind.select(
        "installation_id", "name", "code", "power_kw", "n", "masts", "commissioning_date", "year_injected_kwh",
        "energy_status",
        mast_kwh=pl.when(shared).then(pl.col("year_injected_kwh") / pl.col("masts")),
        mast_status=pl.when(shared).then(pl.lit("estimated"))
        .when(pl.col("energy_status") == "secret").then(pl.lit("secret")).otherwise(pl.lit("missing")),
    ).sort("code", "installation_id")  # fmt: skip
