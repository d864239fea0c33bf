"""The long table of measures that many official files become: one row per commune, year and variable."""

from __future__ import annotations

from collections.abc import Collection

import polars as pl

from bourg.sources import cells
from bourg.sources.report import MAX_EXAMPLES, ReadReport

SCHEMA: dict[str, pl.DataType] = {
    "code": pl.String(),
    "year": pl.Int32(),
    "variable": pl.String(),
    "value": pl.Float64(),
    "status": pl.String(),
}
# s, ns, c: statistical secrecy; nd, so and dots: not available, without object.
SECRET = ("s", "ns", "c", "secret")
ABSENT = ("nd", "n/d", "so", "n/a", "-", ".", "..")


def percent(column: pl.Expr) -> pl.Expr:
    """Return Float64 from text such as ``35,28%`` or ``0,00 €``: the unit is dropped, the number is kept."""
    return cells.number(column.cast(pl.String).str.replace_all(r"[%€\x80]", "").str.strip_chars())


def parsed(frame: pl.DataFrame, report: ReadReport, raw: str = "raw") -> pl.DataFrame:
    """Return the frame with Float64 ``value`` and ``status`` read from the text column ``raw``.

    Secrets and absences are told apart; a text that is neither is counted and called missing, never zero.
    """
    text = pl.col(raw).str.to_lowercase().str.strip_chars()
    frame = frame.with_columns(value=percent(pl.col(raw)), _text=text)
    odd = pl.col("value").is_null() & text.is_not_null() & ~text.is_in([*SECRET, *ABSENT])
    unread = frame.filter(odd)
    if unread.height:
        shown = ", ".join(f"« {item} »" for item in unread[raw].unique(maintain_order=True).head(MAX_EXAMPLES))
        report.mend(f"valeur illisible, dite manquante ({shown})", unread.height)
    return frame.with_columns(
        status=pl.when(pl.col("_text").is_in(SECRET))
        .then(pl.lit("secret"))
        .when(pl.col("value").is_null())
        .then(pl.lit("missing"))
        .otherwise(pl.lit("ok"))
    ).drop("_text")


def finish(frame: pl.DataFrame, report: ReadReport, *, additive: Collection[str] = ()) -> pl.DataFrame:
    """Return the typed long table: codes mended, repeated rows told once, contradictions called missing.

    Parameters
    ----------
    frame
        ``code`` (text of the file), ``year``, ``variable``, ``value``, ``status``.
    report
        Where to count.
    additive
        Variables whose rows of one commune add up (several budgets or sections of one town) instead of contradicting.
    """
    frame = cells.mend_codes(frame, report).select(pl.col(name).cast(dtype) for name, dtype in SCHEMA.items())
    keys = ["code", "year", "variable"]
    unique = frame.unique(maintain_order=True)
    report.mend("ligne répétée à l'identique, comptée une fois", frame.height - unique.height)
    several = unique.filter(pl.len().over(keys) > 1)
    if several.height:
        alone = unique.filter(pl.len().over(keys) == 1)
        usable = pl.col("variable").is_in(list(additive)).first() & (pl.col("status") == "ok").all()
        merged = several.group_by(keys, maintain_order=True).agg(
            value=pl.when(usable).then(pl.col("value").sum()),
            status=pl.when((pl.col("status") == "secret").any())
            .then(pl.lit("secret"))
            .when(usable)
            .then(pl.lit("ok"))
            .otherwise(pl.lit("missing")),
        )
        lost = merged.filter(pl.col("status") != "ok").height
        report.mend("valeurs contradictoires d'une même commune, dites manquantes", lost)
        unique = pl.concat([alone, merged])
    report.rows_kept += unique.height
    return unique.sort(keys)
