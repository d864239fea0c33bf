"""What the address of a page says, checked; and the way back from widgets to the address."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import streamlit as st

from bourg.errors import BourgError, ParameterError
from bourg.portrait.observatory import Observatory

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
