"""INSEE codes of communes: always five characters of text, never a number.

References
----------
INSEE, code officiel géographique (metadata of ``v_commune``): two characters of department (``01``-``95``,
``2A``, ``2B``) and three of commune, or three of department (``971``-``989``) and two of commune.
"""

from __future__ import annotations

import re

import polars as pl

from bourg.errors import MalformedCodeError

_COMMUNE = re.compile(r"(?:0[1-9]|[1-8]\d|9[0-5]|2[AB])\d{3}|9[78]\d{3}")
_FLOAT = re.compile(r"(\d{4,5})\.0+")
COMMUNE_PATTERN = rf"^(?:{_COMMUNE.pattern})$"


def parse_commune_code(text: object) -> str:
    """Return the five-character code written in ``text``.

    Spaces around, lower-case ``2a``/``2b``, a lost leading zero (``1001``) and a code that went through a
    floating-point column (``1001.0``) are mended, because they have one reading only. Anything else is refused.

    Raises
    ------
    MalformedCodeError
        When no commune code can be read.
    """
    shown = str(text)[:40]
    cleaned = str(text).strip().upper() if text is not None else ""
    if match := _FLOAT.fullmatch(cleaned):
        cleaned = match.group(1)
    if len(cleaned) == 4 and cleaned.isascii() and cleaned.isdigit():
        cleaned = "0" + cleaned
    if cleaned.isascii() and _COMMUNE.fullmatch(cleaned):
        return cleaned
    raise MalformedCodeError(
        f"« {shown} » n'est pas un code commune.",
        why="un code commune Insee a cinq caractères : 01004, 2A004, 97411…",
        next_step="vérifiez le code, ou cherchez la commune par son nom.",
    )


def normalise_codes(column: pl.Expr) -> pl.Expr:
    """Return the same mending as :func:`parse_commune_code`, for a whole column; unreadable codes become null."""
    cleaned = column.cast(pl.String).str.strip_chars().str.to_uppercase().str.replace(r"^(\d{4,5})\.0+$", "$1")
    padded = pl.when(cleaned.str.contains(r"^\d{4}$")).then(pl.lit("0") + cleaned).otherwise(cleaned)
    return pl.when(padded.str.contains(COMMUNE_PATTERN)).then(padded)


def departement_of(code: str) -> str:
    """Return the department code of a commune code (three characters overseas)."""
    return code[:3] if code.startswith(("97", "98")) else code[:2]


def departement_expr(column: pl.Expr) -> pl.Expr:
    """Return :func:`departement_of` for a whole column."""
    overseas = column.str.slice(0, 2).is_in(["97", "98"])
    return pl.when(overseas).then(column.str.slice(0, 3)).otherwise(column.str.slice(0, 2))
