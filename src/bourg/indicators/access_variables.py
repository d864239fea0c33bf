"""Variables of the table of access times, as the parameter ``town_indicators`` declares them."""

from __future__ import annotations

from functools import cache
from typing import Any

from bourg.indicators.parameters import parameter

# The times are computed by ``bourg.access``, which owns the declaration.
_PACKAGE = "bourg.access"


@cache
def declared() -> dict[str, Any]:
    """Return the parameter ``town_indicators``: lists ``within``, ``median`` and ``quarter_hour``, limits."""
    return dict(parameter("town_indicators", package=_PACKAGE))


def within(entry: dict[str, Any]) -> str:
    """Return the variable of the inhabitants within a time: ``WITHIN_foot_pharmacie_15``."""
    return f"WITHIN_{entry['mode']}_{entry['family']}_{entry['minutes']}"


def median(entry: dict[str, Any]) -> str:
    """Return the variable of a median time: ``MEDIAN_foot_pharmacie``."""
    return f"MEDIAN_{entry['mode']}_{entry['family']}"


def known(mode: str) -> str:
    """Return the variable of the inhabitants whose time is known."""
    return f"KNOWN_{mode}"


def quarter(mode: str) -> str:
    """Return the variable of the quarter-hour score, summed over the inhabitants."""
    return f"QUARTER_{mode}"


def access_counts() -> tuple[str, ...]:
    """Return the variables that add up from commune to commune: all but the medians."""
    rules = declared()
    modes = sorted({entry["mode"] for entry in (*rules["within"], *rules["median"])})
    return (*map(known, modes), *map(within, rules["within"]), *map(quarter, rules["quarter_hour"]))
