"""Completeness of the baskets of facilities of local, intermediate and structuring centres (ANCHORS D1)."""

from __future__ import annotations

import polars as pl

from bourg.geography.levels import Level
from bourg.indicators.baskets import BasketId, basket
from bourg.indicators.helpers import count_by, ratio
from bourg.indicators.registry import indicator

# At the level of a department or more every basket is full: the figure says something of a town and its surroundings.
_LEVELS: tuple[Level, ...] = ("commune", "epci")


def _declare(name: BasketId, label: str, size: str) -> None:
    types = basket(name).codes().lazy()

    @indicator(
        id=f"equipment.basket_{name}",
        label=f"Panier d'équipements d'un centre {label} : part des types présents",
        unit="%",
        theme="equipment",
        kind="share",
        levels=_LEVELS,
        sources=("bpe",),
        direction="higher_is_better",
        secrecy=None,
        decimals=0,
        period="year",
        formula=f"100 × types du panier présents ÷ types du panier recensés par l'édition de la BPE ({size} dans la "
        "liste du paramètre « service_baskets », qui contient les paniers plus petits). L'effectif est le nombre de "
        "types présents.",
        limits="Un seul équipement suffit pour qu'un type soit présent : le panier ne dit rien du nombre, des horaires "
        "ni de la qualité. Ce n'est pas le niveau de centralité publié par l'ANCT : la liste des types est arrêtée par "
        "Bourg. Un équipement de la commune voisine n'est pas compté.",
        reference="ANCT et INRAE, Centralités : comment les identifier et quels rôles dans les dynamiques locales et "
        "intercommunales ?, 2020",
        series_break="La nomenclature de la BPE change d'une édition à l'autre, et sa source en 2021 : ne pas comparer "
        "les années.",
    )
    def completeness(equipment: pl.LazyFrame, coverage: pl.LazyFrame) -> pl.LazyFrame:
        """Share of the types of a basket that are present."""
        found = equipment.filter(pl.col("n") > 0).join(types, on="typequ", how="inner")
        size_by_year = found.group_by("year").agg(pl.col("basket_type").n_unique().alias("size"))
        present = found.group_by("code", "year").agg(pl.col("basket_type").n_unique().alias("n"))
        counts = count_by(coverage, "equipment", present)
        # A type that nobody has was not surveyed by this edition: it must not count as absent.
        sized = counts.join(size_by_year, on="year", how="inner")
        return sized.select("code", "n", "period", *ratio(pl.col("value"), pl.col("size"), 100))


_declare("local", "local", "12 types")
_declare("intermediate", "intermédiaire", "29 types")
_declare("structuring", "structurant", "69 types")
