"""Speed of each mode on a street, from its tags and the dated parameter ``speeds``."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from bourg.access.network.maxspeed import says_urban, tagged_limit
from bourg.access.network.settings import rule

Tags = Mapping[str, str]
_CLOCK = re.compile(r"(?:(\d{1,3}):)?(\d{1,3}):(\d{2})")
_ISO = re.compile(r"P(?:(\d+)D)?T?(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?")
_FAST_CLASSES = ("motorway", "motorway_link", "trunk", "trunk_link")


@cache
def _speeds() -> dict[str, Any]:
    found: dict[str, Any] = rule("speeds")
    return found


def car_limit_tagged(tags: Tags, direction: str) -> float | None:
    """Return the limit that the tags give, km/h, ``None`` without one."""
    return tagged_limit(tags, direction, _speeds())


def is_slow_road(tags: Tags) -> bool:
    """Tell whether the street is of a class that the contraflow rule of 30 km/h streets is about."""
    return tags.get("highway") not in _FAST_CLASSES


def place(tags: Tags) -> int:
    """Return 1 in a built-up area according to the tags, 0 outside, −1 when they do not say."""
    said = says_urban(tags)
    if said is None and tags.get("highway") in ("residential", "living_street"):
        return 1
    return -1 if said is None else int(said)


def duration_seconds(text: str) -> float:
    """Return a declared duration (``00:20``, ``1:05:00``, ``20`` minutes, ``PT20M``) in seconds; NaN without one."""
    text = text.strip()
    if text.isdigit() and int(text) > 0:
        return float(text) * 60
    clock = _CLOCK.fullmatch(text)
    if clock:
        if clock[1] is not None:
            total = int(clock[1]) * 3600 + int(clock[2]) * 60 + int(clock[3])
        else:
            total = int(clock[2]) * 3600 + int(clock[3]) * 60
        return float(total) if total else math.nan
    iso = _ISO.fullmatch(text)
    if iso and any(iso.groups()):
        days, hours, minutes, seconds = (int(part or 0) for part in iso.groups())
        return float(((days * 24 + hours) * 60 + minutes) * 60 + seconds)
    return math.nan


def speed(tags: Tags, mode: str, allowed: str, direction: str, *, urban: bool) -> float:
    """Return the speed of a mode, km/h, on a street that it may use.

    Parameters
    ----------
    tags
        Tags of the way.
    mode
        ``foot``, ``bike`` or ``car``.
    allowed
        ``yes``, ``destination``, ``pushed`` or ``walk``.
    direction
        ``forward`` or ``backward``.
    urban
        Whether the street is in a built-up area: it decides the limit of a car without tags.
    """
    table = _speeds()
    if tags.get("route") == "ferry":
        return float(table[mode]["ferry"])
    if mode == "foot":
        return float(table["foot"]["steps" if tags.get("highway") == "steps" else "walk"])
    if mode == "bike":
        return _bike(tags, allowed, table)
    return _car(tags, direction, table, urban=urban)


def _surface(tags: Tags, table: Mapping[str, Any], mode: str) -> float:
    surface = tags.get("surface", "")
    for kind, surfaces in table["surfaces"].items():
        if surface in surfaces:
            return float(table[mode]["surface"][kind])
    return math.inf


def _bike(tags: Tags, allowed: str, table: Mapping[str, Any]) -> float:
    bike, kind = table["bike"], tags.get("highway", "")
    if allowed == "pushed":
        return float(bike["pushed"])
    if allowed == "walk":
        return float(bike["pedestrian"])
    if kind == "track":
        own = bike["track"].get(tags.get("tracktype", "unknown"), bike["track"]["unknown"])
    elif kind == "path":
        own = bike["cycleway"] if tags.get("bicycle") == "designated" else bike["path"]
    elif kind == "pedestrian":
        own = bike["path"] if tags.get("bicycle") == "designated" else bike["pedestrian"]
    else:
        own = {"footway": bike["footway_allowed"], "bridleway": bike["bridleway"], "steps": bike["pushed"]}.get(
            kind, bike["road"]
        )
    return float(min(own, _surface(tags, table, "bike")))


def _car(tags: Tags, direction: str, table: Mapping[str, Any], *, urban: bool) -> float:
    car, kind = table["car"], tags.get("highway", "")
    limit = tagged_limit(tags, direction, table)
    if limit is None:
        two_carriageways = kind == "trunk" and tags.get("oneway") in ("yes", "1", "true", "-1")
        inside, outside = table["legal"].get("trunk_oneway" if two_carriageways else kind, table["legal"]["service"])
        limit = inside if urban else outside
    found = limit * car["factor"]
    if kind in car["caps"]:
        found = min(found, car["caps"][kind][0 if urban else 1])
    if tags.get("junction") in ("roundabout", "circular"):
        found = min(found, car["roundabout"])
    if tags.get("service") in ("driveway", "parking_aisle", "drive-through"):
        found = min(found, car["driveway"])
    return float(min(found, _surface(tags, table, "car")))
