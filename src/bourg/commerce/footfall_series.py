"""Footfall series of counters or operators: what an import gives, hours and days. Nothing is ever estimated.

A period that is not in the file, or that a file leaves empty, is missing and not zero: hours and days that are not
wholly measured are set aside, counted, and enter no mean. Instants are kept in UTC, so that the hour repeated in
October is two hours and the one that does not exist in March is none. The layout of files is in ``docs/commerce.md``.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from bourg.errors import BourgError, ParameterError
from bourg.text import NBSP, count_of, format_date, format_number

PARIS = "Europe/Paris"
SERIES_SCHEMA: dict[str, pl.DataType] = {
    "counter": pl.String(),
    "place": pl.String(),
    "direction": pl.String(),
    "start": pl.Datetime("us", "UTC"),
    "minutes": pl.Int32(),
    "count": pl.Int64(),
    "longitude": pl.Float64(),
    "latitude": pl.Float64(),
}


class FootfallError(BourgError, ValueError):
    """A question that the series given cannot answer."""

    exit_code = 4


@dataclass(frozen=True)
class Refusal:
    """Rows refused for one French reason, with a few examples."""

    reason: str
    count: int
    examples: tuple[str, ...] = ()


@dataclass(frozen=True)
class ImportAnswer:
    """What an import kept and refused.

    Attributes
    ----------
    file
        Name of the file.
    timezone
        Time zone of the hours written without offset.
    rows_read, rows_kept
        Rows of the file, rows of the series.
    refused
        By reason.
    mended
        French description of a repair -> rows.
    notes
        French remarks.
    """

    file: str
    timezone: str
    rows_read: int
    rows_kept: int
    refused: tuple[Refusal, ...] = ()
    mended: dict[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def sentences(self) -> list[str]:
        """Return the answer as French sentences, the main one first."""
        lines = [f"{count_of(self.rows_kept, 'relevé gardé', 'relevés gardés')} sur {format_number(self.rows_read)}."]
        for item in self.refused:
            told = f" (par exemple {item.examples[0]})" if item.examples else ""
            lines.append(f"{count_of(item.count, 'ligne refusée', 'lignes refusées')}{NBSP}: {item.reason}{told}.")
        lines += [f"{count_of(count, 'ligne')}{NBSP}: {what}." for what, count in self.mended.items()]
        return lines + [f"{note[:1].upper()}{note[1:]}." for note in self.notes]

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return {
            "fichier": self.file, "fuseau": self.timezone, "lignes_lues": self.rows_read,
            "lignes_gardees": self.rows_kept, "refus": [asdict(item) for item in self.refused],
            "reparations": dict(self.mended), "remarques": list(self.notes), "phrases": self.sentences(),
        }  # fmt: skip


@dataclass(frozen=True)
class Footfall:
    """An imported series: ``series`` (columns of :data:`SERIES_SCHEMA`, sorted) and the ``answer`` of the import.

    In ``series``, ``start`` is UTC, ``minutes`` the length of the period, ``count`` null when the file says that the
    period was not measured, ``direction`` empty when the file has none.
    """

    series: pl.DataFrame
    answer: ImportAnswer

    @property
    def timezone(self) -> str:
        """Time zone of the place."""
        return self.answer.timezone


@dataclass(frozen=True)
class CounterSummary:
    """One counter: its place, first and last local day, directions, total, hours measured and hours of its span.

    ``coverage`` is in percent of the hours between the first and the last period, all directions; ``gaps`` counts the
    holes; ``step_min`` is the most frequent length of a period.
    """

    counter: str
    place: str
    directions: tuple[str, ...]
    first: dt.date
    last: dt.date
    step_min: int
    total: int
    measured_hours: float
    expected_hours: float
    coverage: float
    gaps: int
    longitude: float | None
    latitude: float | None


@dataclass(frozen=True)
class PeriodTotal:
    """Passages counted between two days included, and the share of the time that was measured (``coverage``, %).

    ``total`` is a sum of what was counted, never extrapolated; ``None`` when nothing was measured.
    """

    first: dt.date
    last: dt.date
    total: int | None
    coverage: float
    sentence: str


def _chosen(series: pl.DataFrame, counters: Collection[str] | None) -> pl.DataFrame:
    if counters is None:
        return series
    known = set(series["counter"])
    if strangers := sorted(set(counters) - known):
        raise ParameterError(
            f"Le compteur « {strangers[0]} » n'est pas dans la série.",
            next_step=f"choisissez parmi : {', '.join(sorted(known))}.",
        )
    return series.filter(pl.col("counter").is_in(sorted(set(counters))))


def _flows(series: pl.DataFrame) -> int:
    """Return the number of pairs of a counter and a direction: each must be measured."""
    return series.select("counter", "direction").n_unique()


def _end() -> pl.Expr:
    return pl.col("start") + pl.duration(minutes=pl.col("minutes"))


def summaries(footfall: Footfall) -> tuple[CounterSummary, ...]:
    """Return one summary per counter, in the order of their ids."""
    found = []
    for (counter,), rows in footfall.series.group_by("counter", maintain_order=True):
        ordered = rows.sort("direction", "start").with_columns(end=_end())
        local = ordered.select(
            first=pl.col("start").min().dt.convert_time_zone(footfall.timezone).dt.date(),
            last=(pl.col("end").max() - pl.duration(microseconds=1)).dt.convert_time_zone(footfall.timezone).dt.date(),
            span=(pl.col("end").max() - pl.col("start").min()).dt.total_minutes(),
        ).row(0, named=True)
        flows = _flows(ordered)
        seen = ordered.filter(pl.col("count").is_not_null())
        measured = int(seen["minutes"].sum())
        holes = ordered.with_columns(before=pl.col("end").shift(1).over("direction"))
        gaps = holes.filter(pl.col("start") > pl.col("before")).height + ordered.height - seen.height
        head = ordered.row(0, named=True)
        steps = ordered.group_by("minutes").len().sort("len", "minutes", descending=[True, False])
        found.append(
            CounterSummary(
                counter=str(counter),
                place=head["place"] or "",
                directions=tuple(sorted(set(ordered["direction"]) - {""})),
                first=local["first"],
                last=local["last"],
                step_min=int(steps["minutes"][0]),
                total=int(seen["count"].sum()),
                measured_hours=measured / 60 / flows,
                expected_hours=local["span"] / 60,
                coverage=100 * measured / (local["span"] * flows),
                gaps=gaps,
                longitude=head["longitude"],
                latitude=head["latitude"],
            )
        )
    return tuple(sorted(found, key=lambda item: item.counter))


def _midnight(day: dt.date, timezone: str, hour: int = 0) -> dt.datetime:
    """Return the instant of a local hour (24 is the next midnight), UTC."""
    shown = day if hour < 24 else day + dt.timedelta(days=1)
    local = dt.datetime.combine(shown, dt.time(hour % 24), tzinfo=ZoneInfo(timezone))
    return local.astimezone(dt.UTC)


def total(footfall: Footfall, first: dt.date, last: dt.date, *, counters: Collection[str] | None = None) -> PeriodTotal:
    """Sum the passages counted from ``first`` to ``last`` included, local days.

    Raises
    ------
    ParameterError
        When ``last`` is before ``first``, or a counter is unknown.
    """
    if last < first:
        raise ParameterError("La fin de la période précède son début.", where=f"{first} → {last}")
    series = _chosen(footfall.series, counters)
    low, high = _midnight(first, footfall.timezone), _midnight(last, footfall.timezone, 24)
    inside = series.filter((pl.col("start") >= low) & (_end() <= high) & pl.col("count").is_not_null())
    expected = (high - low).total_seconds() / 60 * max(_flows(series), 1)
    coverage = 100 * int(inside["minutes"].sum()) / expected
    counted = int(inside["count"].sum()) if inside.height else None
    period = f"le {format_date(first)}" if first == last else f"du {format_date(first)} au {format_date(last)}"
    measured = f"{format_number(coverage, 1)}{NBSP}% des heures de cette période ont été mesurées"
    told = (
        "Aucun passage n'a été mesuré" if counted is None else count_of(counted, "passage compté", "passages comptés")
    )
    return PeriodTotal(first, last, counted, coverage, f"{told} {period} ({measured}).")


def hourly(footfall: Footfall, *, counters: Collection[str] | None = None) -> pl.DataFrame:
    """Return the passages of each hour: ``start`` (UTC), ``count`` (null unless every chosen counter was measured).

    Periods longer than an hour, or astride two hours, say nothing of an hour and are left out.
    """
    series = _chosen(footfall.series, counters)
    # Local hours: some overseas zones are half an hour off.
    local = pl.col("start").dt.convert_time_zone(footfall.timezone)
    hour = local.dt.truncate("1h").dt.convert_time_zone("UTC")
    within = series.with_columns(hour=hour).filter(_end() <= pl.col("hour") + pl.duration(hours=1))
    seen = pl.col("count").is_not_null()
    table = within.group_by("hour").agg(pl.col("count").sum(), minutes=pl.col("minutes").filter(seen).sum())
    full = pl.col("minutes") == 60 * _flows(series)
    return table.select(start="hour", count=pl.when(full).then("count")).sort("start")


def daily(
    footfall: Footfall, *, counters: Collection[str] | None = None, hours: tuple[int, int] = (0, 24)
) -> pl.DataFrame:
    """Return the passages of each local day: ``day``, ``count`` (null unless the hours asked are wholly measured).

    A day of clock change has 23 or 25 hours. Days without any row between the first and the last are there, null.

    Raises
    ------
    ParameterError
        When ``hours`` is not an interval of the day.
    """
    if not 0 <= hours[0] < hours[1] <= 24:
        raise ParameterError("Les heures demandées ne forment pas un intervalle du jour.", where=str(hours))
    series = _chosen(footfall.series, counters)
    schema = {"day": pl.Date, "count": pl.Int64}
    if series.is_empty():
        return pl.DataFrame(schema=schema)
    series = series.with_columns(day=pl.col("start").dt.convert_time_zone(footfall.timezone).dt.date(), end=_end())
    low, high = series.select(a=pl.col("day").min(), b=pl.col("day").max()).row(0)
    days = [low + dt.timedelta(days=shift) for shift in range((high - low).days + 1)]
    bounds = pl.DataFrame(
        {
            "day": days,
            "opens": [_midnight(day, footfall.timezone, hours[0]) for day in days],
            "closes": [_midnight(day, footfall.timezone, hours[1]) for day in days],
        },
        schema={"day": pl.Date, "opens": pl.Datetime("us", "UTC"), "closes": pl.Datetime("us", "UTC")},
    )
    inside = series.join(bounds, on="day").filter(
        (pl.col("start") >= pl.col("opens")) & (pl.col("end") <= pl.col("closes")) & pl.col("count").is_not_null()
    )
    sums = inside.group_by("day").agg(pl.col("count").sum(), minutes=pl.col("minutes").sum())
    expected = (pl.col("closes") - pl.col("opens")).dt.total_minutes() * _flows(series)
    table = bounds.join(sums, on="day", how="left", maintain_order="left")
    return table.select("day", count=pl.when(pl.col("minutes") == expected).then("count")).cast(schema)  # type: ignore[arg-type]
