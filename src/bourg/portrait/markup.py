"""Text on its way to a public page: escaped, set in French type, without invisible marks."""

from __future__ import annotations

import re
from functools import lru_cache
from html import escape

from bourg.geography.names import normalise_name
from bourg.text import NBSP, NNBSP

# Marks that turn the direction of the text around them, and control characters: no name needs them, and one of them
# in a name would rewrite the line that shows it.
_INVISIBLE = dict.fromkeys(
    [*range(9), 11, 12, *range(14, 32), *range(0x7F, 0xA0), 0x061C, 0x200B, 0x200E, 0x200F, *range(0x202A, 0x202F),
     *range(0x2060, 0x206A), 0xFEFF]
)  # fmt: skip
_THOUSANDS = re.compile(r"(?<=\d) (?=\d{3}(?!\d))")
_WIDE = re.compile(r" (?=[:»%€])|(?<=«) ")
_NARROW = re.compile(r" (?=[;?!])")
_APOSTROPHE = re.compile(r"(?<=\w)'(?=\w)")
_SLUG = 60


def plain(text: str) -> str:
    """Return a text without control characters nor marks of direction."""
    return text.translate(_INVISIBLE)


@lru_cache(maxsize=65_536)
def typeset(text: str) -> str:
    """Return a text with French spaces and apostrophes, and without invisible marks; it is not escaped."""
    text = _THOUSANDS.sub(NNBSP, plain(text))
    return _APOSTROPHE.sub("’", _NARROW.sub(NNBSP, _WIDE.sub(NBSP, text)))


@lru_cache(maxsize=65_536)
def shown(text: str) -> str:
    """Return a text ready to stand between two tags or in a quoted attribute."""
    return escape(typeset(text), quote=True)


def sentence(text: str) -> str:
    """Return a text that starts with a capital and ends with a full stop."""
    return f"{text[:1].upper()}{text[1:]}".removesuffix(".") + "." if text else ""


def slug_of(name: str) -> str:
    """Return the part of an address that a reader recognises: ``l-abergement-clemenciat``.

    >>> slug_of("L'Abergement-Clémenciat")
    'l-abergement-clemenciat'
    """
    return normalise_name(name).replace(" ", "-")[:_SLUG].strip("-") or "commune"
