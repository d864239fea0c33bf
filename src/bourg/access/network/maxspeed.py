"""Speed limits as people write them in OpenStreetMap, read the French way."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

MILE_KM = 1.609344
_NUMBER = re.compile(r"(\d+(?:[.,]\d+)?)\s*(km/?h|kmh|kph|mph|knots)?")
# FR:30, FR:zone30, FR:zone:30: a country and a number.
_COUNTRY_NUMBER = re.compile(r"[A-Z]{2}(?:-[A-Z]+)?:(?:zone:?)?(\d+)")
_COUNTRY_WORD = re.compile(r"[A-Z]{2}(?:-[A-Z]+)?:([a-z_0-9:]+)")
_FACTORS = {None: 1.0, "mph": MILE_KM, "knots": 1.852}
# Keys that name a regulation instead of a number, the most usual first.
REGULATION_KEYS = ("zone:maxspeed", "maxspeed:type", "source:maxspeed", "zone:traffic")


def parse_maxspeed(text: str, implied: Mapping[str, float]) -> float | None:
    """Return a limit in km/h, or ``None`` when the text gives none (``signals``, ``variable``, a remark).

    Several values (``50;30``) give the lowest: the cautious one. ``none`` gives the motorway limit, since no French
    road is without limit.
    """
    found = [_one(part.strip(), implied) for part in re.split(r"[;|]", text)]
    limits = [item for item in found if item is not None]
    return min(limits) if limits else None


def _one(text: str, implied: Mapping[str, float]) -> float | None:
    number = _NUMBER.fullmatch(text.lower())
    if number:
        value = float(number[1].replace(",", ".")) * _FACTORS.get(number[2], 1.0)
        return value if 0 < value <= 200 else None
    numbered = _COUNTRY_NUMBER.fullmatch(text)
    if numbered:
        return float(numbered[1]) or None
    word = _COUNTRY_WORD.fullmatch(text)
    name = word[1].replace(":", "") if word else text.lower()
    return float(implied[name]) if name in implied else None


def tagged_limit(tags: Mapping[str, str], direction: str, speeds: Mapping[str, Any]) -> float | None:
    """Return the limit that the tags give for cars in one direction (``forward``, ``backward``), km/h or ``None``.

    The sign of the direction comes first, then the sign of the street, then the regulation named by ``zone:maxspeed``,
    ``maxspeed:type``, ``source:maxspeed`` or ``zone:traffic``.
    """
    implied = speeds["implied"]
    for key in (f"maxspeed:{direction}", "maxspeed", *REGULATION_KEYS):
        if key in tags:
            limit = parse_maxspeed(tags[key], implied)
            if limit is not None:
                return limit
    return None


def says_urban(tags: Mapping[str, str]) -> bool | None:
    """Tell whether the tags place the street in a built-up area: ``True``, ``False``, or ``None`` when they do not."""
    for key in ("maxspeed", *REGULATION_KEYS):
        value = tags.get(key, "").lower()
        if value.endswith((":urban", ":zone30", ":zone20", ":living_street")):
            return True
        if value.endswith((":rural", ":motorway", ":trunk")):
            return False
    return None
