"""What the address of the page of culture says, checked: town, territory, comparison, typology, desert, density.

``?commune=12145&territoire=epci&comparer=similar&typologie=ministere&lieu=cinema&densite=habitants&lissage=5``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TypeVar

import streamlit as st

from bourg.culture.density import density_rules
from bourg.culture.kinds import kinds
from bourg.dashboard.page_state import PageState, TownState
from bourg.dashboard.state import commune_of_address
from bourg.errors import BourgError, ParameterError
from bourg.indicators.typologies import TYPOLOGIES
from bourg.portrait.observatory import Observatory
from bourg.portrait.strips import COMPARATORS
from bourg.portrait.themes.culture_areas import TERRITORIES
from bourg.portrait.themes.culture_density import MEASURES

T = TypeVar("T")


@dataclass(frozen=True)
class CultureState(TownState):
    """Everything that the address of the page restores; what stands by default is left out of it.

    Attributes
    ----------
    territory, typology, desert, measure
        Ids, as in ``make_culture_page``.
    comparator
        Set of communes; ``None`` leaves the choice to the document.
    bandwidth
        Kilometres of the kernel; ``None`` is that of the territory.
    """

    territory: str = TERRITORIES[0]
    comparator: str | None = None
    typology: str = TYPOLOGIES[0]
    desert: str = "vivant"
    measure: str = "km2"
    bandwidth: float | None = None

    def address(self) -> dict[str, list[str]]:
        """Return the address that restores the state."""
        if self.commune is None:
            return {}
        start = CultureState()
        told = {
            "territoire": (self.territory, start.territory), "comparer": (self.comparator, start.comparator),
            "typologie": (self.typology, start.typology), "lieu": (self.desert, start.desert),
            "densite": (self.measure, start.measure),
            "lissage": (None if self.bandwidth is None else f"{self.bandwidth:g}", None),
        }  # fmt: skip
        wanted = {name: [value] for name, (value, usual) in told.items() if value is not None and value != usual}
        return {"commune": [self.commune], **wanted}


def state() -> CultureState:
    """Return the state of this session."""
    return PAGE.get()


def update(**values: object) -> None:
    """Replace parts of the state."""
    PAGE.put(replace(state(), **values))  # type: ignore[arg-type]


def read_state(observatory: Observatory) -> tuple[CultureState, list[BourgError]]:
    """Read the address; what is wrong is told and left out."""
    problems: list[BourgError] = []
    start = CultureState()

    def attempt(read: Callable[[], T], otherwise: T) -> T:
        try:
            return read()
        except BourgError as error:
            problems.append(error)
            return otherwise

    def one(name: str, known: Iterable[str], otherwise: str) -> str:
        return attempt(lambda: _one(name, known) or otherwise, otherwise)

    return CultureState(
        commune=attempt(lambda: commune_of_address(observatory), None),
        territory=one("territoire", TERRITORIES, start.territory),
        comparator=attempt(lambda: _one("comparer", COMPARATORS), None),
        typology=one("typologie", TYPOLOGIES, start.typology),
        desert=one("lieu", kinds(), start.desert),
        measure=one("densite", MEASURES, start.measure),
        bandwidth=attempt(_bandwidth, None),
    ), problems


def _one(name: str, known: Iterable[str]) -> str | None:
    given, allowed = st.query_params.get(name), list(known)
    if not given or given in allowed:
        return given or None
    raise ParameterError(
        f"La valeur « {given[:60]} » n'existe pas ; elle est ignorée.",
        where=f"?{name}=",
        next_step=f"choisissez parmi : {', '.join(allowed)}.",
    )


def _bandwidth() -> float | None:
    choices = [f"{choice:g}" for choice in density_rules()["choices"]]
    given = _one("lissage", choices)
    return None if given is None else float(given)


PAGE = PageState[CultureState]("culture", read_state, update)
