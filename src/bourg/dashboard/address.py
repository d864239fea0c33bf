"""Reading the address of a page, value by value: what it says wrongly is told, and left out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from difflib import get_close_matches
from functools import partial
from typing import TypeVar

import streamlit as st

from bourg.errors import BourgError, ParameterError
from bourg.portrait.observatory import Observatory

T = TypeVar("T")
# Letters of a wrong value that are told again, and ids that are proposed in its place.
_LONGEST, _PROPOSED = 60, 12


class AddressReader:
    """Reads the address of the page.

    Parameters
    ----------
    observatory
        The opened snapshot, which knows the communes.

    Attributes
    ----------
    problems
        What the address says wrongly, as far as it was read.
    """

    def __init__(self, observatory: Observatory) -> None:
        self._index = observatory.index
        self.problems: list[BourgError] = []

    def attempt(self, read: Callable[[], T], otherwise: T) -> T:
        """Return what a function reads; when it refuses, its refusal is kept and ``otherwise`` stands."""
        try:
            return read()
        except BourgError as error:
            self.problems.append(error)
            return otherwise

    def text(self, parameter: str) -> str:
        """Return the value of a parameter as it is given, empty without it."""
        return str(st.query_params.get(parameter, "")).strip()

    def commune(self) -> str | None:
        """Return the commune named by ``?commune=``."""
        given = self.text("commune")
        return self.attempt(partial(self._code, given), None) if given else None

    def communes(self) -> list[str]:
        """Return the communes named by ``?commune=``, each once, in the order of the address."""
        found = [self.attempt(partial(self._code, given), None) for given in _all("commune")]
        return list(dict.fromkeys(code for code in found if code is not None))

    def _code(self, given: str) -> str:
        return self._index.get(given).code

    def one(self, parameter: str, allowed: Iterable[str], told: str = "La valeur") -> str | None:
        """Return the value of a parameter that takes one of a few ids, whatever its capital letters.

        ``told`` is how a wrong one is named: « Le mode ».
        """
        given = self.text(parameter)
        return self.attempt(partial(_known, parameter, given, allowed, told), None) if given else None

    def several(self, parameter: str, allowed: Iterable[str], told: str = "La valeur") -> list[str]:
        """Return the values of a parameter that may be given several times, each once."""
        known = list(allowed)
        found = [
            self.attempt(partial(_known, parameter, given.strip(), known, told), None) for given in _all(parameter)
        ]
        return list(dict.fromkeys(value for value in found if value is not None))

    def year(self, parameter: str, example: int) -> int | None:
        """Return the year that a parameter gives; ``example`` is proposed for a wrong one."""
        given = self.text(parameter)
        if not given:
            return None
        if len(given) == 4 and given.isascii() and given.isdigit():
            return int(given)
        self.problems.append(ParameterError(
            f"« {given[:_LONGEST]} » n'est pas une année ; elle est ignorée.", where=f"?{parameter}=",
            next_step=f"écrivez quatre chiffres : {example}.",
        ))  # fmt: skip
        return None


def _all(parameter: str) -> list[str]:
    found: list[str] = st.query_params.get_all(parameter)
    return found


def _known(parameter: str, given: str, allowed: Iterable[str], told: str) -> str:
    by_key = {name.casefold(): name for name in allowed}
    if (found := by_key.get(given.casefold())) is not None:
        return found
    close = get_close_matches(given[:_LONGEST].casefold(), by_key, n=3, cutoff=0.5)
    proposed = [by_key[name] for name in close] or list(by_key.values())[:_PROPOSED]
    raise ParameterError(
        f"{told} « {given[:_LONGEST]} » n'existe pas ; le reste de l'adresse est gardé.", where=f"?{parameter}=",
        next_step=f"choisissez parmi : {', '.join(proposed)}.",
    )  # fmt: skip
