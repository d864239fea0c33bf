"""What the address of the page « Extraire » says, checked: theme, commune and level, source."""

from __future__ import annotations

from dataclasses import dataclass, replace

import streamlit as st

from bourg.dashboard.page_state import PageState, TownState
from bourg.dashboard.state import commune_of_address
from bourg.errors import BourgError, ParameterError
from bourg.extract.territory import LEVELS
from bourg.extract.themes import theme_named
from bourg.portrait.observatory import Observatory

FIRST_THEME, FIRST_LEVEL = "commerce", "commune"
OVERPASS = "overpass"


@dataclass(frozen=True)
class ExtractState(TownState):
    """Everything that the address of the page restores.

    Attributes
    ----------
    level
        ``commune``, or what contains it: ``epci``, ``departement``.
    theme
        Id of the theme.
    source
        Name of a local extract, ``overpass``, or ``None`` for the best local extract.
    """

    level: str = FIRST_LEVEL
    theme: str = FIRST_THEME
    source: str | None = None

    def address(self) -> dict[str, list[str]]:
        """Return the address that restores the state."""
        if self.commune is None:
            return {} if self.theme == FIRST_THEME else {"theme": [self.theme]}
        wanted = {"commune": [self.commune], "niveau": [self.level], "theme": [self.theme]}
        return wanted if self.source is None else {**wanted, "source": [self.source]}


def state() -> ExtractState:
    """Return the state of this session."""
    return PAGE.get()


def update(**values: object) -> None:
    """Replace parts of the state; another territory takes its best extract again."""
    before = state()
    after = replace(before, **values)  # type: ignore[arg-type]
    if (after.commune, after.level) != (before.commune, before.level) and after.source != OVERPASS:
        after = replace(after, source=None)
    PAGE.put(after)


def read_state(observatory: Observatory) -> tuple[ExtractState, list[BourgError]]:
    """Read ``?commune=35236&niveau=epci&theme=sante&source=bretagne.osm.pbf``; what is wrong is left out."""
    problems: list[BourgError] = []
    commune, theme = None, FIRST_THEME
    try:
        commune = commune_of_address(observatory)
    except BourgError as error:
        problems.append(error)
    try:
        theme = theme_named(st.query_params.get("theme") or FIRST_THEME).id
    except BourgError as error:
        problems.append(error)
    level = st.query_params.get("niveau") or FIRST_LEVEL
    if level not in LEVELS:
        problems.append(ParameterError(
            f"Le niveau « {level[:60]} » n'existe pas ; il est ignoré.", where="?niveau=",
            next_step=f"choisissez parmi : {', '.join(LEVELS)}.",
        ))  # fmt: skip
        level = FIRST_LEVEL
    return ExtractState(commune, level, theme, (st.query_params.get("source") or "")[:200] or None), problems


PAGE = PageState[ExtractState]("extraire", read_state, update)
