"""What a page about one town remembers, and its address: one mechanism for the pages that have such a state."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

import streamlit as st

from bourg.dashboard import layout
from bourg.dashboard.state import current_address, write_address
from bourg.errors import BourgError
from bourg.portrait.observatory import Observatory

# The town chosen last, on whatever page: every page opens on it.
LAST_TOWN = "ville-code"
_EXAMPLES = 6
Link = tuple[str, str, str]


@dataclass(frozen=True)
class TownState:
    """State of a page about one town, all of it restored by its address.

    Attributes
    ----------
    commune
        INSEE code, ``None`` before a choice.
    """

    commune: str | None = None

    def address(self) -> dict[str, list[str]]:
        """Return the address that restores the state."""
        return {} if self.commune is None else {"commune": [self.commune]}


S = TypeVar("S", bound=TownState)
Read = Callable[[Observatory], tuple[S, list[BourgError]]]


class PageState(Generic[S]):
    """The state of one page in the session.

    Parameters
    ----------
    name
        Name of the page, prefix of its keys in the session.
    read
        Reads the address: the state, and what the address says wrongly.
    update
        Replaces parts of the state, as the page wants it when the town changes.
    """

    def __init__(self, name: str, read: Read[S], update: Callable[..., None]) -> None:
        self.name = name
        self._read, self._update = read, update
        self._state, self._address, self._past = f"{name}-etat", f"{name}-adresse", f"{name}-passe"

    def get(self) -> S:
        """Return the state of this session."""
        found: S = st.session_state[self._state]
        return found

    def put(self, state: S) -> None:
        """Replace the state."""
        st.session_state[self._state] = state

    @property
    def past(self) -> list[Any]:
        """What can be undone, the last change at the end."""
        found: list[Any] = st.session_state.get(self._past, [])
        return found

    @past.setter
    def past(self, changes: list[Any]) -> None:
        st.session_state[self._past] = changes

    def restore(self, observatory: Observatory) -> list[BourgError]:
        """Take the state from the address when it says something new; return what it says wrongly."""
        address, last = current_address(), st.session_state.get(LAST_TOWN)
        if self._state in st.session_state and (not address or address == st.session_state.get(self._address)):
            if not address and last is not None:
                # Back from another page, where another town may have been chosen.
                self._update(commune=last)
            return []
        read, problems = self._read(observatory)
        if read.commune is None and not problems:
            read = replace(read, commune=last)
        self.put(read)
        self.past = []
        return problems

    def write(self) -> None:
        """Write the state in the address."""
        write_address(self.get().address())
        st.session_state[self._address] = current_address()

    def choose(self, code: str) -> None:
        """Take a town found by the search, for this page and for those opened next."""
        self._update(commune=code)
        st.session_state[f"{self.name}-recherche"] = ""
        st.session_state[LAST_TOWN] = code

    def draw_town(self, observatory: Observatory, code: str | None, more: Iterable[Link] = ()) -> None:
        """Draw the search of a town and, when one is chosen, its name and the way to its own page.

        ``more`` are other pages about the town: name in the navigation, label, icon.
        """
        with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
            with st.container(width=340):
                layout.town_search(self.name, self.choose, label="Commune" if code is None else "Changer de commune")
            if code is None:
                return
            st.markdown(f"**{layout.plain(observatory.index.get(code).label)}**", width="content")
            for name, label, icon in (("ville", "Fiche de la ville", ":material/location_city:"), *more):
                st.page_link(layout.page(name), label=label, icon=icon, query_params={"commune": code})

    def draw_examples(self, observatory: Observatory) -> None:
        """Draw a few towns of the programme, as buttons: somewhere to begin."""
        if not observatory.pvd:
            return
        mark = f" {layout.DEMO_MARK}" if observatory.table_info("pvd")["demo"] else ""
        st.caption(f"Quelques Petites Villes de demain{mark} :")
        with st.container(horizontal=True):
            for code in list(observatory.pvd)[:: max(1, len(observatory.pvd) // _EXAMPLES)][:_EXAMPLES]:
                name = observatory.names[code]
                st.button(name, key=f"{self.name}-exemple-{code}", on_click=self.choose, args=(code,))
