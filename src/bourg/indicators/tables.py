"""The typed tables indicators read, and how each is summed from communes to larger territories.

``prepare`` runs once on the whole table and gives one row per commune and key; the engine then relabels ``code`` and
sums the same columns for every level, so that an indicator is written once for all levels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import polars as pl

from bourg.errors import SnapshotError
from bourg.geography.levels import Level
from bourg.indicators.parameters import parameter
from bourg.indicators.typologies import FESTIVAL, categorise, normalised

# Given by the engine to the functions that name them: territories, and what the tables of events cover.
PSEUDO_TABLES = ("units", "coverage")

INCOME_COUNTS = ("NBMENFISC", "NBPERSMENFISC")


@dataclass(frozen=True)
class TableInput:
    """A typed table as the build hands it over, codes already in the reference geography.

    Attributes
    ----------
    frame
        The rows, with the columns of :data:`TABLES`.
    source_ids
        Sources really read, written beside every value.
    origin_demo
        True when the rows were generated for the demonstration.
    coverage
        Commune codes the table describes; ``None`` for the whole country. Inside, a commune without row has zero
        places; outside, its value is missing.
    cog
        Vintage of the commune codes of the original file.
    vintage
        French text of the vintage, the period of the values of tables without a year.
    year_coverage
        Year -> coverage, for the years of a table that differ from ``coverage`` (a regional extract of one year).
    undivided
        Groups of communes that the original files describe as one (split since): each is missing by itself, and so is
        any larger territory that holds a part of a group only.
    """

    frame: pl.LazyFrame
    source_ids: tuple[str, ...]
    origin_demo: bool = False
    coverage: frozenset[str] | None = None
    cog: int | None = None
    vintage: str = ""
    year_coverage: Mapping[int, frozenset[str] | None] = field(default_factory=dict)
    undivided: tuple[tuple[str, ...], ...] = ()

    def covered(self, year: int | None) -> frozenset[str] | None:
        """Return the communes described for ``year``, ``None`` for all of them."""
        return self.coverage if year is None else self.year_coverage.get(year, self.coverage)


@dataclass(frozen=True)
class TableSpec:
    """What the engine knows of a table.

    Attributes
    ----------
    columns
        Columns needed and their types.
    absence
        What a commune without row means inside the coverage: ``zero`` (a list of places) or ``missing`` (a table of
        measures).
    keys, sums
        Columns that tell rows of one commune apart, and columns that add up.
    prepare
        Whole table -> one row per ``code`` and ``keys``.
    series_break
        Name of the dated parameter that holds the first year of the new series.
    compared
        Column whose values must exist in both years of an evolution; the engine then adds the key ``comparable``.
    level
        Level of the units that ``code`` names. A table of departments speaks of departments only: it is neither summed
        nor told of their communes.
    """

    columns: Mapping[str, pl.DataType]
    absence: Literal["zero", "missing"]
    keys: tuple[str, ...]
    sums: tuple[str, ...]
    prepare: Callable[[pl.LazyFrame], pl.LazyFrame]
    series_break: str | None = None
    compared: str | None = None
    level: Level = "commune"

    @property
    def yearly(self) -> bool:
        """Whether rows carry a year."""
        return "year" in self.keys


def strict_sum(column: str) -> pl.Expr:
    """Return a sum that is null as soon as one term is null: never a partial sum."""
    return pl.when(pl.col(column).null_count() == 0).then(pl.col(column).sum()).alias(column)


def _population(frame: pl.LazyFrame) -> pl.LazyFrame:
    """Sum the parts of merged communes, keep the years known almost everywhere, flag the ends of the window."""
    share = parameter("population_year_min_share")
    span = parameter("population_change_window")
    yearly = frame.group_by("code", "year").agg(strict_sum("pmun")).filter(pl.col("pmun").is_not_null())
    counts = yearly.group_by("year").len("n_codes")
    usable = counts.filter(pl.col("n_codes") >= share * pl.col("n_codes").max()).with_columns(
        last_year=pl.col("year").max()
    )
    window = pl.col("year") >= pl.col("last_year") - span
    years = usable.with_columns(
        latest=pl.col("year") == pl.col("last_year"),
        earliest=(pl.col("year") == pl.col("year").filter(window).min()) & (pl.col("year") < pl.col("last_year")),
    ).select("year", "latest", "earliest")
    return yearly.join(years, on="year", how="inner")


_IRIS = ("population", "age_0_19", "age_20_64", "age_65_plus")
_HOUSING = ("dwellings", "main_residences", "second_homes", "vacant", "houses", "flats")


def _iris(frame: pl.LazyFrame) -> pl.LazyFrame:
    return frame.group_by("code").agg(strict_sum(name) for name in (*_IRIS, *_HOUSING))


def _places(frame: pl.LazyFrame) -> pl.LazyFrame:
    """Count places by type; a festival is an event and never counts as a place (ANCHORS D6)."""
    return (
        frame.group_by("code", normalised(pl.col("type")).alias("type"))
        .agg(pl.len().cast(pl.Int64).alias("n"))
        .filter(categorise(pl.col("type"), "brief") != FESTIVAL)
    )


def _counts(frame: pl.LazyFrame) -> pl.LazyFrame:
    return frame.group_by("code").agg(pl.col("n").sum()).with_columns(type=pl.lit(None, dtype=pl.String))


def _cinemas(frame: pl.LazyFrame) -> pl.LazyFrame:
    """Sum fixed cinemas; an itinerant one is attached to its seat and shows films elsewhere.

    Itinerant rows stay, at zero: they tell that the year was described. A cinema of unknown size makes the sum unknown.
    """
    fixed = ~pl.col("kind").str.to_uppercase().str.starts_with("ITIN").fill_null(value=False)
    numbers = [pl.when(fixed).then(pl.col(name)).otherwise(0).alias(name) for name in ("screens", "seats")]
    counted = frame.with_columns(*numbers, n=fixed.cast(pl.Int64))
    return counted.group_by("code", "year").agg(strict_sum(name) for name in ("screens", "seats", "n"))


def _rows(frame: pl.LazyFrame) -> pl.LazyFrame:
    return frame.group_by("code").agg(pl.len().cast(pl.Int64).alias("n"))


def _members(frame: pl.LazyFrame) -> pl.LazyFrame:
    """Count a commune once, even when several rows (former communes) name it."""
    return frame.select("code").unique().with_columns(n=pl.lit(1, dtype=pl.Int64))


def _equipment(frame: pl.LazyFrame) -> pl.LazyFrame:
    return frame.group_by("code", "year", "typequ").agg(pl.col("n").sum())


def _income(frame: pl.LazyFrame) -> pl.LazyFrame:
    """Keep the latest year; two rows of one commune (a merger) add up for counts only, else nothing can be said."""
    several = pl.len() > 1
    count = pl.col("variable").first().is_in(INCOME_COUNTS)
    secret = (pl.col("status") == "secret").any()
    lost = pl.col("value").null_count() > 0
    return (
        frame.filter(pl.col("year") == pl.col("year").max())
        .group_by("code", "year", "variable")
        .agg(
            value=pl.when(~lost & ~secret & (count | ~several)).then(pl.col("value").sum()),
            status=pl.when(secret).then(pl.lit("secret")).when(lost | (several & ~count)).then(pl.lit("missing")),
        )
    )


def _same(frame: pl.LazyFrame) -> pl.LazyFrame:
    return frame


TABLES: dict[str, TableSpec] = {
    "communes": TableSpec(
        {
            "code": pl.String(),
            "name": pl.String(),
            "departement": pl.String(),
            "region": pl.String(),
            "epci": pl.String(),
            "area_km2": pl.Float64(),
        },
        "missing",
        (),
        ("area_km2",),
        _same,
    ),
    "population": TableSpec(
        {"code": pl.String(), "year": pl.Int32(), "pmun": pl.Int64()},
        "missing",
        ("year", "latest", "earliest"),
        ("pmun",),
        _population,
    ),
    "iris": TableSpec(
        {"code": pl.String(), **{name: pl.Int64() for name in (*_IRIS, *_HOUSING)}},
        "missing",
        (),
        (*_IRIS, *_HOUSING),
        _iris,
    ),
    "income": TableSpec(
        {
            "code": pl.String(),
            "year": pl.Int32(),
            "variable": pl.String(),
            "value": pl.Float64(),
            "status": pl.String(),
        },
        "missing",
        ("year", "variable"),
        ("value",),
        _income,
    ),
    "culture_places": TableSpec({"code": pl.String(), "type": pl.String()}, "zero", ("type",), ("n",), _places),
    "culture_counts": TableSpec({"code": pl.String(), "n": pl.Int64()}, "zero", ("type",), ("n",), _counts),
    "cinemas": TableSpec(
        {
            "code": pl.String(),
            "year": pl.Int32(),
            "screens": pl.Int64(),
            "seats": pl.Int64(),
            "kind": pl.String(),
        },
        "zero",
        ("year",),
        ("screens", "seats", "n"),
        _cinemas,
    ),
    "festivals": TableSpec({"code": pl.String()}, "zero", (), ("n",), _rows),
    "museums": TableSpec({"code": pl.String()}, "zero", (), ("n",), _rows),
    "equipment": TableSpec(
        {"code": pl.String(), "year": pl.Int32(), "typequ": pl.String(), "n": pl.Int64()},
        "zero",
        ("year", "typequ", "comparable"),
        ("n",),
        _equipment,
        series_break="bpe_series_break",
        compared="typequ",
    ),
    "pvd": TableSpec({"code": pl.String()}, "zero", (), ("n",), _members),
}


def select_columns(name: str, frame: pl.LazyFrame) -> pl.LazyFrame:
    """Return the needed columns of a table, with their types.

    Raises
    ------
    SnapshotError
        When a column is absent: the table was written by another version.
    """
    needed = TABLES[name].columns
    present = frame.collect_schema().names()
    if absent := [column for column in needed if column not in present]:
        raise SnapshotError(
            f"La table « {name} » est incomplète.",
            where=f"colonne {', '.join(absent)}",
            next_step="relancez la construction : bourg build.",
        )
    return frame.select(pl.col(column).cast(dtype) for column, dtype in needed.items())


import bourg.indicators.specs_commerce  # noqa: E402 - adds its tables to TABLES
import bourg.indicators.specs_energy  # noqa: E402 - adds its tables to TABLES
import bourg.indicators.specs_housing  # noqa: E402 - adds its tables to TABLES
import bourg.indicators.specs_services  # noqa: E402, F401 - adds its tables to TABLES
