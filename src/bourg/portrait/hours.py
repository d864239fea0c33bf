"""Opening hours of a town hall, as a person would say them."""

from __future__ import annotations

import json

_DAYS = ("lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche")


def _time(text: str) -> str:
    hour, minute = text.split(":")[:2]
    return f"{int(hour)} h" if minute == "00" else f"{int(hour)} h {minute}"


def describe_hours(text: str | None) -> list[str]:
    """Return one French line per group of days, in the order of the week.

    Parameters
    ----------
    text
        JSON of the directory: ``[[first_day, last_day, [[open, close], …]], …]``; ``None`` when unknown.

    Returns
    -------
    list of str
        ``["du lundi au vendredi : 8 h – 12 h, 13 h 30 – 17 h 30"]``; empty when the hours are not known.
    """
    if not text:
        return []
    lines: list[tuple[int, str]] = []
    for first, last, slots in json.loads(text):
        hours = ", ".join(f"{_time(start)} – {_time(end)}" for start, end in slots)
        days = first if first == last else f"du {first} au {last}"
        lines.append((_DAYS.index(first) if first in _DAYS else len(_DAYS), f"{days} : {hours}" if hours else days))
    return [line for _, line in sorted(lines)]
