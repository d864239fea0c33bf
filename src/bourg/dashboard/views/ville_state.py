"""What the address of a town's page says (``?comparer=similar&theme=housing``), checked, and the way back to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import streamlit as st

from bourg.errors import BourgError, ParameterError


@dataclass(frozen=True)
class Choice:
    """One choice of the page, held by a widget and by a parameter of the address.

    Attributes
    ----------
    parameter
        Name in the address.
    key
        Key of the widget.
    words
        French words for a value, to begin a sentence: « Le thème ».
    values
        What the address may say, and the value of the widget for it.
    default
        Left out of the address, one of the keys of ``values``.
    refused
        Values that exist and do not suit this town, with the reason.
    """

    parameter: str
    key: str
    words: str
    values: Mapping[str, str]
    default: str
    refused: Mapping[str, str]

    def restore(self) -> BourgError | None:
        """Take the choice from the address when it says something new, else from the last visit of the page."""
        given = st.query_params.get(self.parameter, "").strip().casefold()
        problem = None
        if given and given != st.session_state.get(self._seen):
            if given in self.values:
                st.session_state[self.key] = self.values[given]
            else:
                problem = self._problem(given)
        if st.session_state.get(self.key) is None:
            # Streamlit forgets the widgets that another page did not draw.
            st.session_state[self.key] = st.session_state.get(self._kept)
        if st.session_state[self.key] not in self.values.values():
            st.session_state[self.key] = self.values[self.default]
        return problem

    def write(self) -> str:
        """Write the choice in the address, so that it can be copied and sent, and return it."""
        value = st.session_state[self.key]
        name = next(name for name, shown in self.values.items() if shown == value)
        wanted = None if name == self.default else name
        if st.query_params.get(self.parameter) != wanted:
            if wanted is None:
                del st.query_params[self.parameter]
            else:
                st.query_params[self.parameter] = wanted
        st.session_state[self._seen], st.session_state[self._kept] = wanted, value
        return name

    @property
    def _seen(self) -> str:
        return f"{self.key}-adresse"

    @property
    def _kept(self) -> str:
        return f"{self.key}-garde"

    def _problem(self, given: str) -> BourgError:
        return ParameterError(
            f"{self.words} « {given[:60]} » "
            + ("ne convient pas à cette commune." if given in self.refused else "n'existe pas ; il est ignoré."),
            where=f"?{self.parameter}=",
            why=self.refused.get(given, ""),
            next_step=f"choisissez parmi : {', '.join(self.values)}.",
        )
