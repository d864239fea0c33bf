"""Cells of official files as Polars expressions: text, numbers, dates, codes, coordinates."""

from __future__ import annotations

import polars as pl

from bourg.geography.codes import normalise_codes
from bourg.sources.report import MAX_EXAMPLES, ReadReport

# Ordinary, no-break, narrow no-break, thin and figure spaces: all are met inside French numbers.
_SPACES = r"[ \t\u00a0\u202f\u2009\u2007']"
_NULLS = ("NA", "NaN", "nan", "NULL", "null", "None")

# latitude min, latitude max, longitude min, longitude max: metropole, Antilles with the northern islands, Guyane,
# Réunion, Mayotte, Saint-Pierre-et-Miquelon, Polynésie, Nouvelle-Calédonie, Wallis-et-Futuna.
FRENCH_BOXES = (
    (41.0, 51.6, -5.6, 10.0),
    (14.2, 18.3, -63.4, -60.7),
    (2.0, 6.1, -54.8, -51.4),
    (-21.6, -20.7, 55.0, 56.0),
    (-13.2, -12.4, 44.8, 45.5),
    (46.6, 47.3, -56.7, -55.9),
    (-28.2, -7.5, -155.2, -134.0),
    (-23.2, -17.5, 157.8, 172.3),
    (-14.6, -13.0, -178.4, -175.9),
)


def text(column: pl.Expr) -> pl.Expr:
    """Return trimmed text; empty cells, and the ``NA``/``NaN`` that statistical tools write, become null."""
    trimmed = column.cast(pl.String).str.strip_chars(" \t\r\n\u00a0\u202f\ufeff")
    return pl.when(~trimmed.is_in(["", *_NULLS])).then(trimmed)


def excel_cell(column: pl.Expr) -> pl.Expr:
    """Return the content of spreadsheet cells written ``="01001"`` to protect a leading zero."""
    return column.str.replace(r'^\s*=\s*"+(.*?)"+\s*$', "$1")


def number(column: pl.Expr) -> pl.Expr:
    """Return Float64 from text: decimal comma or point, spaces inside; unreadable text becomes null."""
    cleaned = column.cast(pl.String).str.replace_all(_SPACES, "").str.replace(",", ".", literal=True)
    value = cleaned.cast(pl.Float64, strict=False)
    return pl.when(value.is_finite()).then(value)


def integer(column: pl.Expr) -> pl.Expr:
    """Return Int64 from text (``1 234``, ``1234.0``); a value that is not whole becomes null."""
    value = number(column)
    return pl.when(value.round() == value).then(value).cast(pl.Int64, strict=False)


def date(column: pl.Expr) -> pl.Expr:
    """Return Date from ``2021-03-12``, ``12/03/2021`` or ``12-03-2021`` (a time after it is ignored)."""
    head = column.cast(pl.String).str.strip_chars().str.slice(0, 10)
    formats = ("%Y-%m-%d", "%d/%m/%Y", "%d-%m-%Y", "%Y/%m/%d")
    return pl.coalesce(head.str.to_date(form, strict=False) for form in formats)


def postal_code(column: pl.Expr) -> pl.Expr:
    """Return five-character postal codes; a lost leading zero is given back, anything else becomes null."""
    cleaned = column.cast(pl.String).str.replace_all(_SPACES, "").str.replace(r"\.0+$", "")
    padded = cleaned.str.replace(r"^(\d{4})$", "0${1}")
    return pl.when(padded.str.contains(r"^\d{5}$")).then(padded)


def mend_codes(frame: pl.DataFrame, report: ReadReport, column: str = "code", *, drop: bool = True) -> pl.DataFrame:
    """Return the frame with commune codes mended, the repairs and the unreadable codes counted.

    Parameters
    ----------
    frame
        Rows with a text column of commune codes.
    report
        Where to count.
    column
        Name of the code column.
    drop
        Leave out the rows whose code cannot be read (or is empty); otherwise their code is null.
    """
    frame = frame.with_columns(normalise_codes(pl.col(column)).alias("_code"))
    short = pl.col(column).str.strip_chars().str.contains(r"^\d{4}(\.0+)?$")
    wrong = pl.col("_code").is_null() & pl.col(column).is_not_null()
    counts = frame.select(
        short=short.sum(),
        floats=(pl.col("_code").is_not_null() & pl.col(column).str.contains(".", literal=True)).sum(),
        wrong=wrong.sum(),
        empty=pl.col(column).is_null().sum(),
    ).row(0, named=True)
    report.mend("code commune à quatre caractères : zéro de tête rendu", counts["short"])
    report.mend("code commune écrit comme un nombre décimal", counts["floats"])
    if counts["wrong"]:
        examples = frame.filter(wrong)[column].head(MAX_EXAMPLES).to_list()
        if drop:
            report.reject("code commune illisible", counts["wrong"], examples)
        else:
            report.mend(f"code commune illisible, vidé (par exemple « {examples[0]} »)", counts["wrong"])
    if drop:
        report.reject("code commune vide", counts["empty"])
        frame = frame.filter(pl.col("_code").is_not_null())
    return frame.with_columns(pl.col("_code").alias(column)).drop("_code")


def _in_france(latitude: pl.Expr, longitude: pl.Expr) -> pl.Expr:
    return pl.any_horizontal(
        latitude.is_between(south, north) & longitude.is_between(west, east)
        for south, north, west, east in FRENCH_BOXES
    )


def split_point(column: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    """Return latitude and longitude (text) from one ``lat,lon`` cell, brackets and spaces allowed."""
    parts = (
        column.cast(pl.String)
        .str.strip_chars("[]() \"'")
        .str.extract_groups(r"^(-?\d+(?:\.\d+)?)\s*[,; ]\s*(-?\d+(?:\.\d+)?)$")
    )
    return parts.struct.field("1"), parts.struct.field("2")


def check_points(frame: pl.DataFrame, report: ReadReport, given: pl.Expr) -> pl.DataFrame:
    """Return the frame with its impossible points nulled and counted.

    A point outside every French territory locates nothing; when the two numbers exchanged would fall in France
    they were swapped, which is counted apart but not guessed: a wrong place is worse than a missing one.

    Parameters
    ----------
    frame
        Rows with Float64 ``latitude`` and ``longitude`` (degrees).
    report
        Where to count.
    given
        True where the file wrote something, so that an unreadable text is told from an empty cell.
    """
    latitude, longitude = pl.col("latitude"), pl.col("longitude")
    located = latitude.is_finite() & longitude.is_finite()
    located = located.fill_null(value=False)
    good = located & _in_france(latitude, longitude).fill_null(value=False)
    frame = frame.with_columns(_good=good)
    faulty = frame.filter(~pl.col("_good") & given)
    if faulty.height:
        swapped = located & _in_france(longitude, latitude).fill_null(value=False)
        counts = faulty.select(unread=(~located).sum(), swapped=swapped.sum(), outside=(located & ~swapped).sum()).row(
            0, named=True
        )
        report.mend("coordonnées illisibles, vidées", counts["unread"])
        report.mend("latitude et longitude inversées, vidées", counts["swapped"])
        report.mend("coordonnées hors de France, vidées", counts["outside"])
    if not frame["_good"].all():
        frame = frame.with_columns(
            pl.when(pl.col("_good")).then(latitude).alias("latitude"),
            pl.when(pl.col("_good")).then(longitude).alias("longitude"),
        )
    return frame.drop("_good")


def mend_points(frame: pl.DataFrame, report: ReadReport) -> pl.DataFrame:
    """Return the frame with Float64 ``latitude`` and ``longitude`` read from text, then checked."""
    frame = frame.with_columns(
        (pl.col("latitude").is_not_null() | pl.col("longitude").is_not_null()).alias("_given"),
        number(pl.col("latitude")).alias("latitude"),
        number(pl.col("longitude")).alias("longitude"),
    )
    return check_points(frame, report, pl.col("_given")).drop("_given")
