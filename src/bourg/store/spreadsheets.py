"""Tables for spreadsheets: no text that a program would run as a formula (OWASP, CSV injection)."""

from __future__ import annotations

import re

import polars as pl

# What a spreadsheet takes for the start of a formula, full-width signs included.
FORMULA = "^[=+\\-@\t\r\n＝＋－＠]"


def safe_text(column: pl.Expr) -> pl.Expr:
    """Return a column of texts where what looks like a formula starts with an apostrophe."""
    return pl.when(column.str.contains(FORMULA)).then(pl.concat_str(pl.lit("'"), column)).otherwise(column)


def safe_cell(text: str) -> str:
    """Return a text that a spreadsheet never runs as a formula: an apostrophe makes it a text."""
    return f"'{text}" if re.match(FORMULA, text) else text
