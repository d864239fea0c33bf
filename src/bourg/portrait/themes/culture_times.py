"""Travel times to culture, through the access engine: rows of its table of median times, or why there are none."""

from __future__ import annotations

from collections.abc import Mapping

from bourg.access.places.crosswalk import Family, family
from bourg.access.study import Reach, TownAccess, open_town_access
from bourg.culture.kinds import kinds
from bourg.portrait.observatory import Observatory

MODES = ("foot", "bike", "car")
TimeRows = list[tuple[Family, Mapping[str, Reach | None]]]


def culture_families() -> tuple[str, ...]:
    """Return the families of the access engine that are about culture, in the order of the kinds."""
    return tuple(item.family for item in kinds().values() if item.family is not None)


def town_times(observatory: Observatory, code: str) -> tuple[TimeRows, bool]:
    """Return the times from a town to each kind of cultural place, and whether something of it is generated.

    Raises
    ------
    NoNetworkError
        When no installed network covers the commune; the message says how to install one.
    NetworkFolderError
        When the installed networks cannot be read.
    """
    access = open_town_access(observatory.snapshot, observatory.settings, code, name=observatory.names[code])
    return time_rows(access)


def time_rows(access: TownAccess) -> tuple[TimeRows, bool]:
    """Return the rows of :func:`bourg.portrait.access_html.town_table` of a study already opened."""
    rows: TimeRows = []
    demo = access.demo
    for name in culture_families():
        wanted = family(name)
        places = access.facilities_of(wanted)
        known = places.height > 0
        demo = demo or bool(places["demo"].any())
        rows.append((wanted, {mode: access.reach(mode, name) if known else None for mode in MODES}))
    return rows, demo
