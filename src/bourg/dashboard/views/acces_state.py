"""What the address of the access page says, checked; the changes that a visitor tries, and the way back."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

import streamlit as st

from bourg.access.network.graph import MODES
from bourg.access.places.crosswalk import family
from bourg.dashboard.address import AddressReader
from bourg.dashboard.page_state import PageState, TownState
from bourg.errors import BourgError, ParameterError
from bourg.portrait.observatory import Observatory

THRESHOLDS = (5, 10, 15, 20, 30)
FIRST_FAMILY, FIRST_THRESHOLD = "pharmacie", 15
MOST_CHANGES = 12
# Addresses are copied into mails: one line, more or less.
_MOST_LETTERS = 600
Point = tuple[float, float]
T = TypeVar("T")


@dataclass(frozen=True)
class AccessState(TownState):
    """Everything that the address of the page restores.

    Attributes
    ----------
    family, mode, threshold
        Id of the family, mode, minutes.
    closed
        Ids of the facilities that would close.
    opened
        Places of those that would open, longitude and latitude.
    start
        Point whose isochrone is shown.
    """

    family: str = FIRST_FAMILY
    mode: str = MODES[0]
    threshold: int = FIRST_THRESHOLD
    closed: tuple[str, ...] = ()
    opened: tuple[Point, ...] = ()
    start: Point | None = None

    @property
    def changed(self) -> bool:
        """Whether something would close or open."""
        return bool(self.closed or self.opened)

    def address(self) -> dict[str, list[str]]:
        """Return the address that restores the state; long lists of changes are left out (see ``is_short``)."""
        if self.commune is None:
            return {}
        wanted = {
            "commune": [self.commune], "vers": [self.family], "mode": [self.mode], "seuil": [str(self.threshold)],
        }  # fmt: skip
        if self.is_short:
            wanted |= {"ferme": list(self.closed), "ouvre": [_text(point) for point in self.opened]}
        if self.start is not None:
            wanted["depuis"] = [_text(self.start)]
        return {name: values for name, values in wanted.items() if values}

    @property
    def is_short(self) -> bool:
        """Whether the changes fit in the address."""
        return sum(len(name) for name in self.closed) + 20 * len(self.opened) <= _MOST_LETTERS


def _text(point: Point) -> str:
    return f"{point[0]:.5f},{point[1]:.5f}"


def state() -> AccessState:
    """Return the state of this session."""
    return PAGE.get()


def read_state(observatory: Observatory) -> tuple[AccessState, list[BourgError]]:
    """Read ``?commune=35236&vers=pharmacie&mode=foot&seuil=15&ferme=osm:n1&ouvre=-2.08,47.65&depuis=-2.08,47.65``."""
    address = AddressReader(observatory)
    opened = [address.attempt(partial(_point, "ouvre", given), None) for given in st.query_params.get_all("ouvre")]
    closed = list(dict.fromkeys(st.query_params.get_all("ferme")))
    if len(opened) + len(closed) > MOST_CHANGES:
        address.problems.append(too_many())
        closed, opened = closed[:MOST_CHANGES], opened[: max(MOST_CHANGES - len(closed), 0)]
    start = address.text("depuis")
    found = AccessState(
        commune=address.commune(),
        family=address.attempt(lambda: family(address.text("vers") or FIRST_FAMILY).id, FIRST_FAMILY),
        mode=address.one("mode", MODES, "Le mode") or MODES[0],
        threshold=int(address.one("seuil", map(str, THRESHOLDS), "Le seuil") or FIRST_THRESHOLD),
        closed=tuple(closed),
        opened=tuple(dict.fromkeys(point for point in opened if point is not None)),
        start=address.attempt(lambda: _point("depuis", start), None) if start else None,
    )
    return found, address.problems


def _point(name: str, given: str) -> Point:
    match = re.fullmatch(r"(-?\d{1,3}(?:\.\d{1,12})?),(-?\d{1,3}(?:\.\d{1,12})?)", given.strip())
    longitude, latitude = (float(part) for part in match.groups()) if match else (999.0, 999.0)
    if not (abs(longitude) <= 180 and abs(latitude) <= 90):
        raise ParameterError(
            f"Le lieu « {given[:60]} » ne se lit pas ; il est ignoré.",
            where=f"?{name}=",
            next_step="écrivez la longitude, une virgule, la latitude, en degrés : -2.0849,47.6505.",
        )
    return round(longitude, 5), round(latitude, 5)


def too_many() -> ParameterError:
    """Return the error of a list of changes that is too long."""
    return ParameterError(
        f"Au plus {MOST_CHANGES} changements à la fois ; les suivants sont ignorés.",
        next_step="annulez un changement pour en essayer un autre.",
    )


# ---- Changes ---------------------------------------------------------------------------------------------------------


def update(**values: object) -> None:
    """Replace parts of the state; another town or family starts without changes."""
    before = state()
    after = replace(before, **values)  # type: ignore[arg-type]
    if after.commune != before.commune:
        after = replace(after, closed=(), opened=(), start=None)
    elif after.family != before.family:
        after = replace(after, closed=(), opened=())
    if (after.commune, after.family) != (before.commune, before.family):
        PAGE.past = []
    PAGE.put(after)


def change(closed: tuple[str, ...], opened: tuple[Point, ...]) -> None:
    """Replace what would close and open; :func:`undo` takes it back.

    Raises
    ------
    ParameterError
        When there are too many changes.
    """
    before = state()
    if len(closed) + len(opened) > MOST_CHANGES:
        raise too_many()
    if (closed, opened) != (before.closed, before.opened):
        PAGE.past = [*PAGE.past, (before.closed, before.opened)][-30:]
        PAGE.put(replace(before, closed=closed, opened=opened))


def can_undo() -> bool:
    """Whether a change can be taken back."""
    return bool(PAGE.past)


def undo() -> None:
    """Take back the last change."""
    past = PAGE.past
    if past:
        closed, opened = past[-1]
        PAGE.past = past[:-1]
        PAGE.put(replace(state(), closed=closed, opened=opened))


PAGE = PageState[AccessState]("acces", read_state, update)
