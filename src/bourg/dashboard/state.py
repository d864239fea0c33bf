"""What the address of a page says, checked; and the way back from widgets to the address."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches

import streamlit as st

from bourg.compare.comparators import LISTED, comparators
from bourg.errors import BourgError, ParameterError
from bourg.indicators.registry import load_indicators
from bourg.indicators.theme_labels import THEMES
from bourg.portrait.comparison import MOST_TOWNS
from bourg.portrait.observatory import Observatory

# Views of the page of comparison, by their name in the address.
COMPARE_VIEWS = {
    "apercu": "Coup d'œil", "tableau": "Tableau", "rangs": "Rangs", "graphique": "Graphique", "evolution": "Évolution",
}  # fmt: skip
CATEGORIES = ("patrimoine", "spectacle vivant", "autre vivant")
# The map writes its own view in the address; pages must not erase it.
_VIEW = ("lat", "lon", "z")


@dataclass
class MapState:
    """State of the culture map: everything that its address restores.

    Attributes
    ----------
    commune
        INSEE code of the chosen commune.
    types, categories
        French labels kept; empty means all.
    problems
        What the address said wrongly; the rest of it is kept.
    """

    commune: str | None = None
    types: list[str] = field(default_factory=list)
    categories: list[str] = field(default_factory=list)
    problems: list[BourgError] = field(default_factory=list)


def commune_of_address(observatory: Observatory) -> str | None:
    """Return the commune named by ``?commune=``, ``None`` without the parameter.

    Raises
    ------
    MalformedCodeError, UnknownTerritoryError
        When it names no commune.
    """
    given = st.query_params.get("commune")
    return observatory.index.get(given).code if given else None


def read_map_state(observatory: Observatory, known_types: Sequence[str]) -> MapState:
    """Read ``?commune=12145&type=Musée&categorie=patrimoine``; what is wrong is told and left out."""
    state = MapState()
    try:
        state.commune = commune_of_address(observatory)
    except BourgError as error:
        state.problems.append(error)
    state.types = _kept("type", known_types, state.problems)
    state.categories = _kept("categorie", CATEGORIES, state.problems)
    return state


def _kept(parameter: str, allowed: Iterable[str], problems: list[BourgError]) -> list[str]:
    by_key = {label.casefold(): label for label in allowed}
    kept: list[str] = []
    for given in st.query_params.get_all(parameter):
        label = by_key.get(given.strip().casefold())
        if label is None:
            problems.append(
                ParameterError(
                    f"Le filtre « {given[:60]} » n'existe pas ; il est ignoré.",
                    where=f"?{parameter}=",
                    next_step=f"choisissez parmi : {', '.join(by_key.values())}.",
                )
            )
        elif label not in kept:
            kept.append(label)
    return kept


def address_of_map() -> dict[str, list[str]]:
    """Return the part of the address that holds the state of the map, the view left aside."""
    return {name: st.query_params.get_all(name) for name in st.query_params if name not in _VIEW}


def write_map_state(commune: str | None, types: Sequence[str], categories: Sequence[str]) -> None:
    """Write the state in the address, so that it can be copied and sent; the view is left as it is."""
    wanted: dict[str, list[str]] = {}
    if commune:
        wanted["commune"] = [commune]
    if types:
        wanted["type"] = list(types)
    if categories:
        wanted["categorie"] = list(categories)
    current = address_of_map()
    if current != wanted:
        view = {name: st.query_params.get_all(name) for name in _VIEW if name in st.query_params}
        # Choosing another town asks for its own frame: the old view would win over it.
        keep = view if current.get("commune") == wanted.get("commune") else {}
        st.query_params.from_dict({**wanted, **keep})


@dataclass
class CompareState:
    """State of the page of comparison: everything that its address restores.

    Attributes
    ----------
    communes
        INSEE codes, in the order of the address, ten at most.
    view, theme, indicator, comparator
        Ids; ``None`` when the address says nothing of them.
    problems
        What the address said wrongly; the rest of it is kept.
    """

    communes: list[str] = field(default_factory=list)
    view: str | None = None
    theme: str | None = None
    indicator: str | None = None
    comparator: str | None = None
    problems: list[BourgError] = field(default_factory=list)


def read_compare_state(observatory: Observatory) -> CompareState:
    """Read ``?commune=12145&commune=35236&vue=tableau&theme=housing&indicateur=…&comparateur=pvd``."""
    state = CompareState()
    for given in st.query_params.get_all("commune"):
        try:
            code = observatory.index.get(given).code
        except BourgError as error:
            state.problems.append(error)
            continue
        if code not in state.communes:
            state.communes.append(code)
    if len(state.communes) > MOST_TOWNS:
        left = state.communes[MOST_TOWNS:]
        state.communes = state.communes[:MOST_TOWNS]
        state.problems.append(
            ParameterError(
                f"La comparaison s'arrête à {MOST_TOWNS} communes : {', '.join(left[:MOST_TOWNS])} "
                f"{'est laissée' if len(left) == 1 else 'sont laissées'} de côté.",
                where="?commune=",
                next_step="retirez une commune pour en mettre une autre.",
            )
        )
    state.view = _one("vue", COMPARE_VIEWS, state.problems)
    state.theme = _one("theme", THEMES, state.problems)
    state.indicator = _one("indicateur", load_indicators(), state.problems)
    state.comparator = _one("comparateur", [name for name in comparators() if name != LISTED], state.problems)
    return state


def _one(parameter: str, allowed: Iterable[str], problems: list[BourgError]) -> str | None:
    """Return the value of a parameter that takes one of a few ids; another one is told and left out."""
    given = st.query_params.get(parameter)
    if not given:
        return None
    known = list(allowed)
    if given in known:
        return given
    close = get_close_matches(given[:60], known, n=3, cutoff=0.5)
    problems.append(
        ParameterError(
            f"La valeur « {given[:60]} » n'existe pas ; elle est ignorée.",
            where=f"?{parameter}=",
            next_step=f"choisissez parmi : {', '.join(close or known[:12])}.",
        )
    )
    return None


def compare_address(state: CompareState) -> dict[str, list[str]]:
    """Return the address that restores a state."""
    wanted = {"commune": list(state.communes)} if state.communes else {}
    single = {
        "vue": state.view, "theme": state.theme, "indicateur": state.indicator, "comparateur": state.comparator,
    }  # fmt: skip
    return {**wanted, **{name: [value] for name, value in single.items() if value}}


def current_address() -> dict[str, list[str]]:
    """Return the whole address, every parameter as a list."""
    return {name: st.query_params.get_all(name) for name in st.query_params}


def write_address(wanted: dict[str, list[str]]) -> None:
    """Write an address, when it differs from the current one."""
    if current_address() != wanted:
        st.query_params.from_dict(wanted)
