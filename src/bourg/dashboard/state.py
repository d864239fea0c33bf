"""What the address of a page says, checked; and the way back from widgets to the address."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import streamlit as st

from bourg.compare.comparators import LISTED, comparators
from bourg.dashboard.address import AddressReader
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


def read_map_state(observatory: Observatory, known_types: Sequence[str]) -> MapState:
    """Read ``?commune=12145&type=Musée&categorie=patrimoine``; what is wrong is told and left out."""
    address = AddressReader(observatory)
    return MapState(
        address.commune(), address.several("type", known_types, "Le filtre"),
        address.several("categorie", CATEGORIES, "Le filtre"), address.problems,
    )  # fmt: skip


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
    address = AddressReader(observatory)
    communes = address.communes()
    left = communes[MOST_TOWNS:]
    if left:
        address.problems.append(
            ParameterError(
                f"La comparaison s'arrête à {MOST_TOWNS} communes : {', '.join(left[:MOST_TOWNS])} "
                f"{'est laissée' if len(left) == 1 else 'sont laissées'} de côté.",
                where="?commune=",
                next_step="retirez une commune pour en mettre une autre.",
            )
        )
    return CompareState(
        communes[:MOST_TOWNS], address.one("vue", COMPARE_VIEWS), address.one("theme", THEMES),
        address.one("indicateur", load_indicators()),
        address.one("comparateur", [name for name in comparators() if name != LISTED]), address.problems,
    )  # fmt: skip


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
