"""Families of indicators: variants of one reality, of which a page shows one at a time."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from bourg.compare.settings import setting

_SUFFIX = re.compile(r"_(count|per_1000|per_10000|per_100|share|rate|total|annual)$")


@cache
def _declared() -> tuple[dict[str, str], tuple[tuple[re.Pattern[str], str], ...]]:
    content: dict[str, Any] = setting("families")
    exact = {name: family for family, names in content["families"].items() for name in names}
    patterns = tuple((re.compile(item["match"]), item["family"]) for item in content["patterns"])
    return exact, patterns


@cache
def family_of(indicator: str) -> str:
    """Return the family of an indicator: the declared one, else its id without « _count », « _per_1000 »….

    Counts, rates and shares of the same thing fall in the same family even when nothing declares it.
    """
    exact, patterns = _declared()
    if indicator in exact:
        return exact[indicator]
    for pattern, family in patterns:
        if found := pattern.fullmatch(indicator):
            return found.expand(family)
    return _SUFFIX.sub("", indicator)


@cache
def place_in_family(indicator: str) -> int:
    """Return the place of an indicator in the declared list of its family: the first one speaks for the others."""
    names = setting("families")["families"].get(family_of(indicator), ())
    return names.index(indicator) if indicator in names else len(names)
