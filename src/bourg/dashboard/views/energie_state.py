"""What the address of the page of energy says, checked: town, territory, year, comparison, installation."""

from __future__ import annotations

from dataclasses import dataclass, replace

import streamlit as st

from bourg.dashboard.page_state import PageState, TownState
from bourg.dashboard.state import commune_of_address
from bourg.errors import BourgError, ParameterError
from bourg.portrait.observatory import Observatory
from bourg.portrait.strips import COMPARATORS, DEFAULT
from bourg.portrait.themes.energy_model import TERRITORIES

_LONGEST = 60


@dataclass(frozen=True)
class EnergyState(TownState):
    """Everything that the address of the page restores.

    Attributes
    ----------
    territory, comparator
        Ids, checked.
    year
        Year of the consumption; ``None`` for the last one.
    chosen
        Installation or commune whose sheet is shown under the map.
    """

    territory: str = TERRITORIES[0]
    comparator: str = DEFAULT
    year: int | None = None
    chosen: str | None = None

    def address(self) -> dict[str, list[str]]:
        """Return the address that restores the state; what is usual is left out."""
        if self.commune is None:
            return {}
        wanted = {"commune": [self.commune]}
        if self.territory != TERRITORIES[0]:
            wanted["territoire"] = [self.territory]
        if self.comparator != DEFAULT:
            wanted["comparer"] = [self.comparator]
        if self.year is not None:
            wanted["annee"] = [str(self.year)]
        if self.chosen is not None:
            wanted["installation"] = [self.chosen]
        return wanted


def state() -> EnergyState:
    """Return the state of this session."""
    return PAGE.get()


def update(**values: object) -> None:
    """Replace parts of the state; another town or territory has other installations, another town other years."""
    before = state()
    after = replace(before, **values)  # type: ignore[arg-type]
    if (after.commune, after.territory) != (before.commune, before.territory) and "chosen" not in values:
        after = replace(after, chosen=None, year=None)
    PAGE.put(after)


def read_state(observatory: Observatory) -> tuple[EnergyState, list[BourgError]]:
    """Read ``?commune=12145&territoire=epci&comparer=similar&annee=2023&installation=L000123``."""
    problems: list[BourgError] = []
    commune = None
    try:
        commune = commune_of_address(observatory)
    except BourgError as error:
        problems.append(error)
    made = EnergyState(
        commune=commune,
        territory=_one("territoire", TERRITORIES, "Le territoire", problems) or TERRITORIES[0],
        comparator=_one("comparer", COMPARATORS, "L'ensemble de comparaison", problems) or DEFAULT,
        year=_year(problems),
        chosen=(st.query_params.get("installation") or "")[:_LONGEST] or None,
    )
    return made, problems


def _one(parameter: str, allowed: tuple[str, ...], words: str, problems: list[BourgError]) -> str | None:
    given = st.query_params.get(parameter, "").strip().casefold()
    if not given or given in allowed:
        return given or None
    problems.append(
        ParameterError(
            f"{words} « {given[:_LONGEST]} » n'existe pas ; il est ignoré.",
            where=f"?{parameter}=",
            next_step=f"choisissez parmi : {', '.join(allowed)}.",
        )
    )
    return None


def _year(problems: list[BourgError]) -> int | None:
    given = st.query_params.get("annee", "").strip()
    if not given:
        return None
    if len(given) == 4 and given.isascii() and given.isdigit():
        return int(given)
    problems.append(
        ParameterError(
            f"L'année « {given[:_LONGEST]} » ne se lit pas ; elle est ignorée.",
            where="?annee=",
            next_step="écrivez quatre chiffres : 2023.",
        )
    )
    return None


PAGE = PageState[EnergyState]("energie", read_state, update)
