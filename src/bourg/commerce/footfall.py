"""What footfall series say: profile of the week, comparison of two periods; and the names other modules need.

Only hours and days wholly measured enter a mean; the others are counted and told. See :mod:`.footfall_series`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import polars as pl

from bourg.commerce.footfall_series import (
    PARIS,
    SERIES_SCHEMA,
    CounterSummary,
    Footfall,
    FootfallError,
    ImportAnswer,
    PeriodTotal,
    Refusal,
    daily,
    hourly,
    summaries,
    total,
)  # fmt: skip
from bourg.errors import ParameterError
from bourg.text import NBSP, count_of, format_number

__all__ = [
    "PARIS", "SERIES_SCHEMA", "WEEKDAYS", "Comparison", "CounterSummary", "Footfall", "FootfallError", "ImportAnswer",
    "PeriodTotal", "Profile", "Refusal", "compare", "daily", "easter", "hourly", "profile", "public_holidays",
    "summaries", "total",
]  # fmt: skip
WEEKDAYS = ("lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche")
_MONDAY = 1


@dataclass(frozen=True)
class Profile:
    """Mean passages per hour of the week.

    Attributes
    ----------
    table
        168 rows: ``weekday`` (1 Monday … 7), ``hour`` (0 … 23, local), ``mean`` (passages per hour, null when no such
        hour was wholly measured), ``hours`` (hours measured).
    hours_used, hours_incomplete
        Hours that enter the means, and hours partly measured that do not.
    sentence
        French sentence: the busiest hour, and what the means rest on.
    """

    table: pl.DataFrame
    hours_used: int
    hours_incomplete: int
    sentence: str


@dataclass(frozen=True)
class Comparison:
    """Two periods side by side, weekday by weekday.

    Attributes
    ----------
    table
        ``weekday`` (1…7), ``label``, ``first_days``, ``first_mean``, ``second_days``, ``second_mean``,
        ``change`` (percent, null when one mean is missing or the first is zero).
    first_mean, second_mean
        Passages of a mean day over the weekdays that both periods have, each weekday with the same weight;
        ``None`` when there is none.
    change
        Percent from the first to the second, ``None`` without both.
    weekdays
        Weekdays compared.
    incomplete
        Days left out because they were not wholly measured, in the two periods.
    holidays
        Days left out because they are in ``without``.
    sentence
        French sentence.
    """

    table: pl.DataFrame
    first_mean: float | None
    second_mean: float | None
    change: float | None
    weekdays: tuple[int, ...]
    incomplete: tuple[int, int]
    holidays: tuple[int, int]
    sentence: str


def easter(year: int) -> dt.date:
    """Return Easter Sunday of the Gregorian calendar (algorithm of Meeus, Jones and Butcher)."""
    a, b, c = year % 19, year // 100, year % 100
    h = (19 * a + b - b // 4 - (b - (b + 8) // 25 + 1) // 3 + 15) % 30
    rest = (32 + 2 * (b % 4) + 2 * (c // 4) - h - c % 4) % 7
    m = (a + 11 * h + 22 * rest) // 451
    month, day = divmod(h + rest - 7 * m + 114, 31)
    return dt.date(year, month, day + 1)


def public_holidays(years: Iterable[int]) -> frozenset[dt.date]:
    """Return the eleven national public holidays (Code du travail, article L3133-1) of each year."""
    days: set[dt.date] = set()
    for year in years:
        fixed = ((1, 1), (5, 1), (5, 8), (7, 14), (8, 15), (11, 1), (11, 11), (12, 25))
        days |= {dt.date(year, month, day) for month, day in fixed}
        days |= {easter(year) + dt.timedelta(days=shift) for shift in (1, 39, 50)}
    return frozenset(days)


def profile(
    footfall: Footfall,
    *,
    counters: Collection[str] | None = None,
    first: dt.date | None = None,
    last: dt.date | None = None,
    without: Collection[dt.date] = (),
) -> Profile:
    """Return the mean hour of each weekday.

    Parameters
    ----------
    counters
        Counters added together; all by default. An hour counts only when each of them was measured.
    first, last
        Local days included; the whole series by default.
    without
        Days left out (:func:`public_holidays`, market days…).

    Raises
    ------
    FootfallError
        When no hour is wholly measured (daily files).
    """
    hours = hourly(footfall, counters=counters).with_columns(
        local=pl.col("start").dt.convert_time_zone(footfall.timezone)
    )
    day = pl.col("local").dt.date()
    hours = hours.filter(~day.is_in(sorted(without)))
    if first is not None:
        hours = hours.filter(day >= first)
    if last is not None:
        hours = hours.filter(day <= last)
    used = hours.filter(pl.col("count").is_not_null())
    if used.is_empty():
        raise FootfallError(
            "Aucune heure n'est entièrement mesurée : il n'y a pas de profil par heure.",
            why="les relevés sont d'un pas plus long que l'heure, ou troués.",
            next_step="choisissez d'autres dates ou un seul compteur, ou comparez deux périodes jour par jour.",
        )
    means = used.group_by(
        weekday=pl.col("local").dt.weekday().cast(pl.Int32), hour=pl.col("local").dt.hour().cast(pl.Int32)
    ).agg(mean=pl.col("count").mean(), hours=pl.len().cast(pl.Int64))
    grid = pl.DataFrame(
        {
            "weekday": [d for d in range(_MONDAY, 8) for _ in range(24)],
            "hour": [h for _ in range(7) for h in range(24)],
        },
        schema={"weekday": pl.Int32, "hour": pl.Int32},
    )
    table = grid.join(means, on=["weekday", "hour"], how="left", maintain_order="left").with_columns(
        pl.col("hours").fill_null(0)
    )
    top = table.filter(pl.col("mean").is_not_null()).sort("mean", "weekday", "hour", descending=[True, False, False])
    best = top.row(0, named=True)
    sentence = (
        f"L'heure la plus fréquentée est le {WEEKDAYS[best['weekday'] - 1]} de {best['hour']}{NBSP}h à "
        f"{best['hour'] + 1}{NBSP}h ({count_of(round(best['mean']), 'passage')} en moyenne), d'après "
        f"{count_of(used.height, 'heure mesurée', 'heures mesurées')}."
    )
    return Profile(table, used.height, hours.height - used.height, sentence)


def _period(
    table: pl.DataFrame, bounds: tuple[dt.date, dt.date], without: Collection[dt.date], name: str
) -> tuple[pl.DataFrame, int, int]:
    """Return ``weekday, <name>_days, <name>_mean``, the days incomplete and those set aside."""
    span = (bounds[1] - bounds[0]).days + 1
    if span < 1:
        raise ParameterError("La fin de la période précède son début.", where=f"{bounds[0]} → {bounds[1]}")
    wanted = {bounds[0] + dt.timedelta(days=shift) for shift in range(span)}
    aside = wanted & set(without)
    inside = table.filter(pl.col("day").is_in(sorted(wanted - aside)) & pl.col("count").is_not_null())
    means = inside.group_by(weekday=pl.col("day").dt.weekday().cast(pl.Int32)).agg(
        pl.len().cast(pl.Int64).alias(f"{name}_days"), pl.col("count").mean().alias(f"{name}_mean")
    )
    return means, len(wanted) - len(aside) - inside.height, len(aside)


def compare(
    footfall: Footfall,
    first: tuple[dt.date, dt.date],
    second: tuple[dt.date, dt.date],
    *,
    counters: Collection[str] | None = None,
    without: Collection[dt.date] = (),
    hours: tuple[int, int] = (0, 24),
) -> Comparison:
    """Compare two periods on the same weekdays, wholly measured days only.

    Parameters
    ----------
    first, second
        First and last local days, included.
    without
        Days left out of both (:func:`public_holidays`, fairs…).
    hours
        Part of the day compared, local hours.

    Raises
    ------
    ParameterError
        When a period is reversed, hours are wrong, or a counter is unknown.
    """
    table = daily(footfall, counters=counters, hours=hours)
    one, incomplete_one, aside_one = _period(table, first, without, "first")
    two, incomplete_two, aside_two = _period(table, second, without, "second")
    week = pl.DataFrame({"weekday": list(range(_MONDAY, 8)), "label": list(WEEKDAYS)}).cast({"weekday": pl.Int32})
    change = pl.when(pl.col("first_mean") > 0).then(
        100 * (pl.col("second_mean") - pl.col("first_mean")) / pl.col("first_mean")
    )
    merged = week.join(one, on="weekday", how="left", maintain_order="left")
    merged = merged.join(two, on="weekday", how="left", maintain_order="left").with_columns(
        pl.col("first_days", "second_days").fill_null(0), change=change
    )
    both = merged.filter(pl.col("first_mean").is_not_null() & pl.col("second_mean").is_not_null())
    before, after = (float(both[name].mean()) if both.height else None for name in ("first_mean", "second_mean"))  # type: ignore[arg-type]
    moved = 100 * (after - before) / before if before and after is not None else None
    return Comparison(
        merged.select("weekday", "label", "first_days", "first_mean", "second_days", "second_mean", "change"),
        before, after, moved, tuple(both["weekday"]), (incomplete_one, incomplete_two), (aside_one, aside_two),
        _told(before, after, moved, both["label"].to_list(), incomplete_one + incomplete_two),
    )  # fmt: skip


def _told(
    before: float | None, after: float | None, change: float | None, labels: Sequence[str], incomplete: int
) -> str:
    if before is None or after is None:
        return "Aucun jour de la semaine n'est entièrement mesuré dans les deux périodes : elles ne se comparent pas."
    moved = "" if change is None else f", soit {'+' if change > 0 else ''}{format_number(change, 1)}{NBSP}%"
    days = "tous les jours de la semaine" if len(labels) == len(WEEKDAYS) else ", ".join(labels)
    left = f" {count_of(incomplete, 'jour incomplet écarté', 'jours incomplets écartés')}." if incomplete else ""
    return (
        f"Un jour moyen passe de {format_number(before)} à {format_number(after)} passages{moved} (jours comparés "
        f"à poids égal{NBSP}: {days}).{left}"
    )
