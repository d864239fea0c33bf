"""Populations: official files first, completed by what the registries know of every commune."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

_COLUMNS = ("code", "name", "year", "pmun", "pcap", "ptot")
_REGISTRY_YEAR = 2017
_IRIS_YEAR = 2021


def complete_populations(official: pl.DataFrame | None, communes: pl.DataFrame, iris: pl.DataFrame) -> pl.DataFrame:
    """Return ``code, name, year, pmun, pcap, ptot``, one row per commune and year, official files first.

    Parameters
    ----------
    official
        Table of the official files in the reference geography, ``None`` when no real one was read.
    communes
        Registry communes (``code, pmun_2017``).
    iris
        Census by IRIS in the reference geography (``code, population``), summed by commune.
    """
    of_2021 = iris.group_by("code").agg(pmun=pl.col("population").sum()).with_columns(year=pl.lit(_IRIS_YEAR, pl.Int32))
    of_2017 = communes.select("code", pmun="pmun_2017", year=pl.lit(_REGISTRY_YEAR, pl.Int32))
    empty = {column: pl.lit(None, pl.Int64) for column in ("pcap", "ptot")}
    frames = [official.select(_COLUMNS)] if official is not None else []
    frames += [
        frame.with_columns(**empty, name=pl.lit(None, pl.String)).select(_COLUMNS) for frame in (of_2021, of_2017)
    ]
    known = pl.concat(frames, how="vertical_relaxed").filter(pl.col("pmun").is_not_null())
    return known.unique(["code", "year"], keep="first", maintain_order=True).sort("code", "year")


def with_latest_population(
    communes: pl.DataFrame, populations: pl.DataFrame, undivided: Iterable[tuple[str, ...]]
) -> pl.DataFrame:
    """Add ``population, population_year`` to the communes: the latest known.

    What was one commune at the census has a population of its own in the registry only, which knows today's communes.
    """
    together = [code for group in undivided for code in group]
    registry = communes.filter(pl.col("code").is_in(together)).select(
        "code", year=pl.lit(_REGISTRY_YEAR, pl.Int32), pmun="pmun_2017"
    )
    alone = populations.filter(~pl.col("code").is_in(together)).select("code", "year", "pmun")
    latest = (
        pl.concat([alone, registry])
        .filter(pl.col("pmun").is_not_null())
        .group_by("code")
        .agg(population=pl.col("pmun").sort_by("year").last(), population_year=pl.col("year").max())
    )
    return communes.join(latest, on="code", how="left")
