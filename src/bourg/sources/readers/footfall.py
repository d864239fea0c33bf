"""Footfall files given by a town or an operator: one row per counter and period (layout in ``docs/commerce.md``).

Hours with an offset are instants; hours without one are those of the clock on the wall. When clocks go back, an hour
written twice is two hours, in the order of the file; written once, nobody knows which: it is refused. When they go
forward, an hour that does not exist is refused. Every refusal is counted with its reason.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import polars as pl

from bourg.commerce.footfall import PARIS, SERIES_SCHEMA, Footfall, ImportAnswer, Refusal
from bourg.errors import ParameterError, SourceFormatError
from bourg.sources import cells
from bourg.sources.layouts import column, optional
from bourg.sources.report import MAX_EXAMPLES, ReadReport
from bourg.sources.tabular import open_table
from bourg.text import count_of

LAYOUTS = {
    "comptages": {
        "counter": column("compteur", "id_compteur", "counter", "counter_id", "capteur", "identifiant"),
        "start": column("debut", "date_heure", "horodatage", "date_debut", "datetime", "start", "date"),
        "count": column("passages", "nombre", "comptage", "comptages", "count", "counts", "visiteurs"),
        "minutes": optional("duree_min", "duree", "pas_min", "minutes", "duration_min"),
        "end": optional("fin", "date_fin", "end"),
        "place": optional("lieu", "emplacement", "nom", "site", "place"),
        "direction": optional("sens", "direction"),
        "longitude": optional("longitude", "lon"),
        "latitude": optional("latitude", "lat"),
    }
}
# Overseas departments and collectivities do not keep the time of Paris.
ZONES = {
    "971": "America/Guadeloupe", "972": "America/Martinique", "973": "America/Cayenne", "974": "Indian/Reunion",
    "975": "America/Miquelon", "976": "Indian/Mayotte", "977": "America/St_Barthelemy", "978": "America/Marigot",
    "986": "Pacific/Wallis", "987": "Pacific/Tahiti", "988": "Pacific/Noumea",
}  # fmt: skip
_DAY = 1440
_MAX_MINUTES = 31 * _DAY
_MAX_WRONG_SHARE = 0.01
_MAX_WRONG_FREE = 10
_USUAL_STEP_SHARE = 0.5
_BOTH_WAYS = ("", "total", "tous", "les deux", "deux sens", "both", "all")
_MOMENT = (
    r"^(?:(\d{4})-(\d{2})-(\d{2})|(\d{2})/(\d{2})/(\d{4}))"
    r"(?:[T ](\d{1,2})(?::|h)(\d{2})(?::(\d{2})(?:[.,]\d+)?)?)?\s*(Z|[+-]\d{2}:?\d{2})?$"
)
_COUNTERS = ("counter", "direction")
_ADVICE = "comparez le fichier au format décrit dans docs/commerce.md : une ligne par compteur et par période."


def timezone_of(code: str) -> str:
    """Return the time zone of a commune, from its code."""
    return ZONES.get(code[:3], PARIS)


def read_footfall(path: Path, *, timezone: str = PARIS) -> Footfall:
    """Read a footfall file.

    Parameters
    ----------
    path
        CSV (semicolon, comma, tab or bar), zip, gzip or spreadsheet.
    timezone
        Zone of the hours written without an offset.

    Returns
    -------
    Footfall
        Rows sorted by counter, direction and start, none overlapping another; the answer says what was refused.

    Raises
    ------
    SourceFormatError
        Missing columns, wrong separator, shifted columns, no length of period, no usable row.
    ParameterError
        When the time zone does not exist.
    """
    try:
        ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ParameterError(
            "Ce fuseau horaire n'existe pas.", where=timezone[:60], next_step="par exemple : Europe/Paris."
        ) from error
    report = ReadReport()
    try:
        with open_table(path, LAYOUTS, report) as table:
            has_length = "minutes" in table.columns or "end" in table.columns
            frame = table.read().with_row_index("line", offset=2)
    except SourceFormatError as error:
        # The advice of official files (download again, tell the producer) is not for a file of the town.
        raise type(error)(error.what, where=error.where, why=error.why, next_step=_ADVICE) from error
    rows = _sound(frame, path, report)
    rows = _instants(rows, timezone, report)
    rows = _lengths(rows, timezone, path, report, given=has_length)
    rows = _points(rows, report)
    rows = _one_way(rows, report)
    rows = _distinct(rows, report)
    if rows.is_empty():
        raise SourceFormatError(
            "Aucun relevé du fichier n'est utilisable.", where=path.name, why=" ; ".join(report.rejected),
            next_step="comparez-le au format décrit dans docs/commerce.md.",
        )  # fmt: skip
    if empty := rows["count"].null_count():
        one, many = "période non mesurée : manquante, pas nulle", "périodes non mesurées : manquantes, pas nulles"
        report.note(count_of(empty, one, many))
    report.rows_kept = rows.height
    series = rows.select(pl.col(name).cast(dtype) for name, dtype in SERIES_SCHEMA.items())
    return Footfall(series.sort(*_COUNTERS, "start"), _answer(path.name, timezone, report))


def _answer(name: str, timezone: str, report: ReadReport) -> ImportAnswer:
    refused = tuple(Refusal(reason, item.count, tuple(item.examples)) for reason, item in report.rejected.items())
    return ImportAnswer(
        name, timezone, report.rows_read, report.rows_kept, refused, dict(report.mended), tuple(report.notes)
    )


def _refuse(rows: pl.DataFrame, wrong: pl.Expr, reason: str, report: ReadReport) -> pl.DataFrame:
    """Count the wrong rows under their reason, with their lines, and return the others."""
    marked = rows.with_columns(_wrong=wrong.fill_null(value=False))
    lost = marked.filter("_wrong")
    told = lost.head(MAX_EXAMPLES).select("line", "counter", "written").iter_rows()
    report.reject(reason, lost.height, [f"ligne {line} : {counter}, {written}" for line, counter, written in told])
    return marked.filter(~pl.col("_wrong")).drop("_wrong")


def _moments(texts: pl.Series) -> pl.DataFrame:
    """Return ``wall`` (the clock as written) and ``offset`` (null for local time) of ISO or French moments."""
    parts = texts.str.strip_chars().str.extract_groups(_MOMENT).struct.unnest()
    date = (pl.coalesce(*pair) for pair in (("1", "6"), ("2", "5"), ("3", "4")))
    clock = (pl.col(name).fill_null("00").str.zfill(2) for name in ("7", "8", "9"))
    text = pl.concat_str([*date], separator="-") + " " + pl.concat_str([*clock], separator=":")
    return parts.select(wall=text.str.to_datetime("%Y-%m-%d %H:%M:%S", strict=False), offset="10")


def _shifted(wall: str, offset: str) -> pl.Expr:
    """Return the instant (UTC) of a clock written with its offset; null without one."""
    digits = pl.col(offset).str.replace("Z", "+0000", literal=True).str.replace(":", "", literal=True)
    minutes = digits.str.slice(1, 2).cast(pl.Int32) * 60 + digits.str.slice(3, 2).cast(pl.Int32)
    shift = pl.when(digits.str.starts_with("-")).then(-minutes).otherwise(minutes)
    return (pl.col(wall) - pl.duration(minutes=shift)).dt.replace_time_zone("UTC")


def _zoned(wall: pl.Expr, timezone: str, side: Literal["earliest", "latest"]) -> pl.Expr:
    """Return the instant (UTC) of a local clock; null when that hour does not exist."""
    return wall.dt.replace_time_zone(timezone, ambiguous=side, non_existent="null").dt.convert_time_zone("UTC")


def _sound(frame: pl.DataFrame, path: Path, report: ReadReport) -> pl.DataFrame:
    """Return rows whose counter, moment and count can be read.

    Raises
    ------
    SourceFormatError
        When too many cannot: the values are not under their columns.
    """
    moments = _moments(frame["start"])
    value = cells.number(pl.col("count"))
    rows = frame.rename({"start": "written"}).with_columns(moments.get_columns())
    rows = rows.with_columns(
        value=value, direction=pl.col("direction").fill_null("").str.strip_chars(),
        no_counter=pl.col("counter").is_null(), no_moment=pl.col("wall").is_null(),
        no_count=pl.col("count").is_not_null() & (value.is_null() | (value != value.round())),
    )  # fmt: skip
    wrong = pl.any_horizontal("no_counter", "no_moment", "no_count")
    lost = rows.filter(wrong)
    limit = max(_MAX_WRONG_FREE, _MAX_WRONG_SHARE * rows.height)
    if lost.height > limit or lost.height == rows.height:
        line, written, count = lost.select("line", "written", "count").row(0)
        raise SourceFormatError(
            "Les colonnes du fichier sont décalées, ou ne sont pas celles attendues.",
            where=f"{path.name}, ligne {line} : début « {written} », passages « {count} »",
            why=f"{lost.height} lignes sur {rows.height} n'ont pas de compteur, de date ou de nombre entier lisible.",
            next_step="vérifiez le séparateur et l'ordre des colonnes ; le format est décrit dans docs/commerce.md.",
        )
    rows = _refuse(rows, pl.col("no_counter"), "compteur absent", report)
    rows = _refuse(rows, pl.col("no_moment"), "date ou heure illisible", report)
    rows = _refuse(rows, pl.col("no_count"), "nombre de passages illisible ou décimal", report)
    rows = _refuse(rows, pl.col("value") < 0, "nombre de passages négatif", report)
    return rows.with_columns(count=pl.col("value").cast(pl.Int64)).drop("no_counter", "no_moment", "no_count", "value")


def _instants(rows: pl.DataFrame, timezone: str, report: ReadReport) -> pl.DataFrame:
    """Add ``start`` (UTC); ``local`` tells the rows written in wall-clock time, ``repeated`` the hour of October."""
    rows = rows.with_columns(
        local=pl.col("offset").is_null(), early=_zoned(pl.col("wall"), timezone, "earliest"),
        late=_zoned(pl.col("wall"), timezone, "latest"), told=_shifted("wall", "offset"),
    ).with_columns(repeated=pl.col("local") & (pl.col("early") != pl.col("late")).fill_null(value=False))  # fmt: skip
    rows = _refuse(
        rows, pl.col("local") & pl.col("early").is_null(),
        "heure qui n'existe pas, le jour du passage à l'heure d'été", report,
    )  # fmt: skip
    key = [*_COUNTERS, "wall", "repeated"]
    falling = pl.col("wall").first() > pl.col("wall").last()
    rows = rows.with_columns(
        times=pl.len().over(key), rank=pl.int_range(pl.len()).over(key), falling=falling.over(_COUNTERS)
    )
    once = pl.col("repeated") & (pl.col("times") != 2)
    rows = _refuse(
        rows, once, "heure répétée du passage à l'heure d'hiver, donnée une seule fois ou plus de deux", report
    )
    twice = int(rows["repeated"].sum())
    report.mend("heure répétée du passage à l'heure d'hiver, lue comme deux heures dans l'ordre du fichier", twice)
    second = (pl.col("rank") == 1) != pl.col("falling")
    start = pl.when(~pl.col("local")).then("told").when(pl.col("repeated") & second).then("late").otherwise("early")
    return rows.with_columns(start=start).drop("early", "late", "told", "times", "rank", "falling")


def _lengths(rows: pl.DataFrame, timezone: str, path: Path, report: ReadReport, *, given: bool) -> pl.DataFrame:
    """Add the true length of each period: a local day of clock change has 23 or 25 hours.

    Raises
    ------
    SourceFormatError
        When the file tells neither length nor end, and its periods have no usual step.
    """
    told = cells.number(pl.col("minutes"))
    if not given:
        step = _usual_step(rows, path)
        report.note(f"durée des périodes absente : {step} minutes, l'écart habituel entre deux relevés")
        told = pl.lit(float(step))
    moments = _moments(rows["end"]).rename({"wall": "end_wall", "offset": "end_offset"})
    rows = rows.with_columns(moments.get_columns()).with_columns(told=told)
    # Whole days of the wall clock: midnight to midnight, whatever happened in between.
    days = pl.col("local") & (pl.col("told") > 0) & (pl.col("told") % _DAY == 0)
    after = pl.col("wall") + pl.duration(days=(pl.col("told") / _DAY).floor().cast(pl.Int64))
    walls = (pl.col("end_wall") - pl.col("wall")).dt.total_minutes()
    instants = (
        pl.coalesce(_shifted("end_wall", "end_offset"), _zoned(pl.col("end_wall"), timezone, "earliest"))
        - pl.col("start")
    ).dt.total_minutes()
    minutes = (
        pl.when(days)
        .then((_zoned(after, timezone, "earliest") - pl.col("start")).dt.total_minutes())
        .when(pl.col("told").is_not_null())
        .then(pl.when(pl.col("told") == pl.col("told").round()).then("told"))
        # An hour of October and its end are both written 2 to 3, or 2 to 2.
        .when(pl.col("repeated") & pl.col("end_offset").is_null())
        .then(walls)
        .otherwise(instants)
    )
    rows = rows.with_columns(minutes=minutes.cast(pl.Int64))
    wrong = ~pl.col("minutes").is_between(1, _MAX_MINUTES)
    return _refuse(
        rows, wrong.fill_null(value=True), "durée de la période absente, nulle ou de plus de 31 jours", report
    )


def _usual_step(rows: pl.DataFrame, path: Path) -> int:
    gaps = rows.sort(*_COUNTERS, "start").select(
        gap=(pl.col("start") - pl.col("start").shift(1).over(_COUNTERS)).dt.total_minutes()
    )
    counts = gaps.filter(pl.col("gap") > 0).group_by("gap").len().sort("len", "gap", descending=[True, False])
    if counts.is_empty() or counts["len"][0] < _USUAL_STEP_SHARE * int(counts["len"].sum()):
        raise SourceFormatError(
            "La durée des périodes n'est pas connue.", where=path.name,
            why="le fichier n'a ni colonne duree_min ni colonne fin, et ses relevés n'ont pas de pas régulier.",
            next_step="ajoutez une colonne duree_min (60 pour des relevés horaires).",
        )  # fmt: skip
    return int(counts["gap"][0])


def _points(rows: pl.DataFrame, report: ReadReport) -> pl.DataFrame:
    """Give each counter one place and one position: those of its first row that has them."""
    rows = cells.mend_points(rows, report)
    first = [pl.col(name).drop_nulls().first().over("counter") for name in ("place", "longitude", "latitude")]
    several = rows.group_by("counter").agg(n=pl.col("place").drop_nulls().n_unique()).filter(pl.col("n") > 1)
    if several.height:
        report.note(f"plusieurs lieux écrits pour un même compteur ({', '.join(sorted(several['counter']))})")
    return rows.with_columns(first)


def _one_way(rows: pl.DataFrame, report: ReadReport) -> pl.DataFrame:
    """Leave out the rows that add the two ways up, where the ways are told apart: they would count twice."""
    both = pl.col("direction").str.to_lowercase().is_in(_BOTH_WAYS)
    apart = (~both).any().over("counter")
    rows = _refuse(rows, both & apart, "total des deux sens, déjà compté par sens", report)
    return rows.with_columns(direction=pl.when(both).then(pl.lit("")).otherwise("direction"))


def _distinct(rows: pl.DataFrame, report: ReadReport) -> pl.DataFrame:
    """Leave out repeated, contradictory and overlapping periods."""
    key = [*_COUNTERS, "start", "minutes"]
    rows = rows.sort(*key, "line")
    contrary = pl.col("count").n_unique().over(key) > 1
    rows = _refuse(rows, contrary, "deux nombres différents pour la même période : aucun n'est gardé", report)
    rows = _refuse(rows, ~pl.struct(key).is_first_distinct(), "relevé répété à l'identique", report)
    end = pl.col("start") + pl.duration(minutes="minutes")
    rows = rows.with_columns(end=end).with_columns(before=pl.col("end").cum_max().shift(1).over(_COUNTERS))
    if rows.filter(pl.col("start") < pl.col("before")).is_empty():
        return rows
    kept: list[bool] = []
    # The short periods of a moment come first: hours are kept rather than the total of their day.
    last: dict[tuple[str, str], object] = {}
    for counter, direction, start, stop in rows.select(*_COUNTERS, "start", "end").iter_rows():
        limit = last.get((counter, direction))
        kept.append(limit is None or start >= limit)
        if kept[-1]:
            last[counter, direction] = stop
    free = pl.Series(kept, dtype=pl.Boolean)
    return _refuse(rows.with_columns(_free=free), ~pl.col("_free"), "période qui en recouvre une autre", report)
