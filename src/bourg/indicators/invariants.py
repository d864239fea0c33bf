"""What must hold for every value of the country; a violation blocks the release of a snapshot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from bourg.geography.levels import LEVELS
from bourg.indicators.engine import STATUSES, USABLE, units_of
from bourg.indicators.registry import Indicator, load_indicators
from bourg.indicators.tables import TableInput
from bourg.indicators.units import Units

_EPSILON = 1e-6
_CULTURE_PARTS = ("culture.living", "culture.heritage", "culture.unclassified")
AGES = ("population.share_0_19", "population.share_20_64", "population.share_65_plus")
HOUSING = ("housing.main_residences_share", "housing.second_homes_share", "housing.vacancy_rate")
# Parts are published rounded to the unit for each IRIS: sums may differ by a few units, more in large cities.
_ROUNDED_UNITS = 3.0
_ROUNDED_SHARE = 0.005


@dataclass(frozen=True)
class Violation:
    """One broken rule: where, how often, and an example."""

    rule: str
    indicator: str
    count: int
    example: str

    def __str__(self) -> str:
        """Return one French line."""
        return f"{self.indicator} : {self.rule} ({self.count} cas, par exemple {self.example})"


def check(
    values: pl.DataFrame,
    *,
    tables: Mapping[str, TableInput] | None = None,
    units: Units | None = None,
) -> list[str]:
    """Return every violation as a French line; an empty list when all invariants hold.

    Parameters
    ----------
    values
        Values of any set of indicators.
    tables
        Tables the values were computed from; with them, sums over communes, completeness and demo marks are checked.
    units
        Territories, when they are already built.
    """
    found = [*keys_unique(values), *statuses_coherent(values), *values_bounded(values), *parts_sum(values)]
    territories = units or (units_of(tables) if tables and "communes" in tables else None)
    if territories is not None:
        found += [*levels_complete(values, territories), *counts_add_up(values, territories, _undivided(tables))]
    if tables is not None:
        found += demo_marked(values, tables)
    return [str(item) for item in found]


def _violations(rule: str, rows: pl.DataFrame) -> list[Violation]:
    """Group faulty rows by indicator."""
    if rows.is_empty():
        return []
    shown = [name for name in ("level", "code", "period", "value", "status", "expected") if name in rows.columns]
    grouped = rows.group_by("indicator", maintain_order=True).agg(
        pl.len().alias("count"), *(pl.col(name).first() for name in shown)
    )
    return [
        Violation(rule, row["indicator"], row["count"], " ".join(f"{name}={row[name]}" for name in shown))
        for row in grouped.sort("indicator").iter_rows(named=True)
    ]


def _of_kind(*kinds: str) -> list[str]:
    return [item.id for item in load_indicators().values() if item.declaration.kind in kinds]


def keys_unique(values: pl.DataFrame) -> list[Violation]:
    """Check that no two values have the same indicator, level, code and period."""
    keys = ["indicator", "level", "code", "period"]
    return _violations("valeur en double", values.filter(pl.struct(keys).is_duplicated()))


def statuses_coherent(values: pl.DataFrame) -> list[Violation]:
    """Check that a usable status has a finite value, any other none, and that all are known."""
    usable = pl.col("status").is_in(USABLE)
    unknown = values.filter(~pl.col("status").is_in(STATUSES) | pl.col("status").is_null())
    hidden = values.filter(~usable & pl.col("value").is_not_null())
    absent = values.filter(usable & ~pl.col("value").is_finite().fill_null(value=False))
    return [
        *_violations("statut inconnu", unknown),
        *_violations("valeur présente malgré son statut", hidden),
        *_violations("valeur absente malgré son statut", absent),
    ]


def values_bounded(values: pl.DataFrame) -> list[Violation]:
    """Check that shares lie in 0-100; counts are whole; counts, ratios and amounts are not negative."""
    shares = values.filter(pl.col("indicator").is_in(_of_kind("share")))
    outside = shares.filter(~pl.col("value").is_between(-_EPSILON, 100 + _EPSILON))
    negative = values.filter(
        pl.col("indicator").is_in(_of_kind("count", "ratio", "amount", "index")) & (pl.col("value") < 0)
    )
    whole = (pl.col("value") - pl.col("value").round(0)).abs() <= _EPSILON
    fractional = values.filter(pl.col("indicator").is_in(_of_kind("count")) & ~whole)
    return [
        *_violations("part hors de 0-100", outside),
        *_violations("valeur négative", negative),
        *_violations("dénombrement non entier", fractional),
    ]


def parts_sum(values: pl.DataFrame) -> list[Violation]:
    """Check that the parts of a whole add up to it: ages, dwellings, categories of each typology."""
    ministry = [name for name in load_indicators() if name.startswith("culture.ministry_") and name.endswith("_share")]
    found: list[Violation] = []
    for parts, rounded in (
        (AGES, True),
        (HOUSING, True),
        (tuple(f"{name}_share" for name in _CULTURE_PARTS), False),
        (tuple(ministry), False),
    ):
        found += _sum_to_hundred(values, parts, rounded=rounded)
    counts = tuple(f"{name}_count" for name in _CULTURE_PARTS)
    totals = values.filter(pl.col("indicator") == "culture.places_count")
    summed = _summed(values, counts).join(totals, on=["level", "code", "period"], how="inner")
    # Where the details are not read, the total comes from another file: nothing to compare.
    wrong = summed.filter(
        (pl.col("sources") == pl.col("source_ids")) & ((pl.col("total") - pl.col("value")).abs() > _EPSILON)
    )
    return found + _violations("les catégories ne font pas le total", wrong.with_columns(expected="total"))


def _summed(values: pl.DataFrame, parts: tuple[str, ...]) -> pl.DataFrame:
    return (
        values.filter(pl.col("indicator").is_in(parts) & pl.col("status").is_in(USABLE))
        .group_by("level", "code", "period", maintain_order=True)
        .agg(
            total=pl.col("value").sum(), whole=pl.col("n").max(), n_parts=pl.len(), sources=pl.col("source_ids").first()
        )
        .filter(pl.col("n_parts") == len(parts))
    )


def _sum_to_hundred(values: pl.DataFrame, parts: tuple[str, ...], *, rounded: bool) -> list[Violation]:
    gap = (pl.col("total") - 100).abs()
    allowed = pl.lit(_EPSILON)
    if rounded:
        allowed = pl.max_horizontal(_ROUNDED_UNITS, _ROUNDED_SHARE * pl.col("whole")) / pl.col("whole") * 100
    wrong = _summed(values, parts).filter(gap > allowed)
    return _violations(
        "les parts ne font pas 100 %", wrong.with_columns(indicator=pl.lit(" + ".join(parts)), value="total")
    )


def levels_complete(values: pl.DataFrame, units: Units) -> list[Violation]:
    """Check that every indicator has a row for every unit of the levels it declares, France included."""
    present = {(name, level): n for name, level, n in values.group_by("indicator", "level").len().iter_rows()}
    found = []
    for item in _declared(values):
        for level in item.declaration.levels:
            expected = units.of(level).height
            n = present.get((item.id, level), 0)
            if n != expected:
                found.append(Violation("territoires absents", item.id, expected - n, f"{level} : {n} sur {expected}"))
    return found


def _declared(values: pl.DataFrame) -> list[Indicator]:
    known = load_indicators()
    return [known[name] for name in values["indicator"].unique().sort().to_list() if name in known]


def _undivided(tables: Mapping[str, TableInput] | None) -> frozenset[str]:
    groups = [group for table in (tables or {}).values() for group in table.undivided]
    return frozenset(code for group in groups for code in group)


def counts_add_up(values: pl.DataFrame, units: Units, undivided: frozenset[str] = frozenset()) -> list[Violation]:
    """Check that a count is the sum of its communes, all of them known or secret: never a partial sum.

    Communes that a file describes together are missing one by one and known as a whole: the units that hold some are
    left out.
    """
    counts = values.filter(pl.col("indicator").is_in(_of_kind("count")))
    of_communes = counts.filter(pl.col("level") == "commune").select(
        "indicator",
        "code",
        "period",
        "value",
        "source_ids",
        usable=pl.col("status").is_in(USABLE),
        hidden=pl.col("status") == "secret",
    )
    measured = of_communes["indicator"].unique().to_list()
    found: list[Violation] = []
    for level in LEVELS[1:]:
        larger = counts.filter(
            (pl.col("level") == level) & pl.col("status").is_in(USABLE) & pl.col("indicator").is_in(measured)
        )
        sums = (
            of_communes.join(units.mapping(level), on="code", how="inner")
            .group_by("indicator", "unit")
            .agg(
                holds_undivided=pl.col("code").is_in(undivided).any(),
                expected=pl.col("value").sum(),
                all_usable=(pl.col("usable") | pl.col("hidden")).all(),
                hidden=pl.col("hidden").any(),
                commune_sources=pl.col("source_ids").unique(),
            )
        )
        joined = larger.join(sums, left_on=["indicator", "code"], right_on=["indicator", "unit"], how="left").filter(
            ~pl.col("holds_undivided").fill_null(value=False)
        )
        # With a fallback, communes and unit may come from different files: their sums need not agree.
        same = (pl.col("commune_sources").list.len() == 1) & (
            pl.col("commune_sources").list.first() == pl.col("source_ids")
        )
        gap = pl.col("value") - pl.col("expected")
        # A secret commune counts in the total, and is never zero: a total of the others alone is a partial sum.
        partial = ~pl.col("all_usable") | (pl.col("hidden") & (gap.abs() <= _EPSILON))
        agree = pl.when("hidden").then(gap > 0).otherwise(gap.abs() <= _EPSILON)
        wrong = (same & ~partial & ~agree) | pl.col("expected").is_null()
        found += _violations("somme partielle", joined.filter(same & partial))
        found += _violations("le total n'est pas la somme des communes", joined.filter(wrong))
    return found


def demo_marked(values: pl.DataFrame, tables: Mapping[str, TableInput]) -> list[Violation]:
    """Check that a value computed from a generated table never passes for a real one."""
    generated = {source for table in tables.values() if table.origin_demo for source in table.source_ids}
    real = {source for table in tables.values() if not table.origin_demo for source in table.source_ids}
    only_generated = sorted(generated - real)
    named = pl.col("source_ids").str.split(",").list.set_intersection(only_generated).list.len() > 0
    return _violations(
        "valeur de démonstration non signalée", values.filter(named & pl.col("status").is_in(["ok", "estimated"]))
    )
