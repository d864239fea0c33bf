"""Addresses of the pages: the same names in a folder of files and on the server."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cache

from bourg.portrait.markup import slug_of


def town_name(code: str, name: str) -> str:
    """Return ``12145-millau``, the name of the folder and of the route of a town."""
    return f"{code}-{slug_of(name)}"


@dataclass(frozen=True)
class StaticLinks:
    """Addresses relative to a page of the static site, so that it works under any address.

    Attributes
    ----------
    root
        What leads from the page to the root: ``../../``.
    codes
        Communes that have a page.
    departements
        Departments that have a page.
    """

    root: str
    codes: Collection[str]
    departements: Collection[str]

    def home(self) -> str:
        """Return the address of the first page."""
        return self.root

    def town(self, code: str, name: str) -> str:
        """Return the address of a town; empty when it is not in the site."""
        return f"{self.root}ville/{town_name(code, name)}/" if code in self.codes else ""

    def departement(self, code: str) -> str:
        """Return the address of a department; empty when it is not in the site."""
        return f"{self.root}departement/{code}/" if code in self.departements else ""

    def method(self, theme: str) -> str:
        """Return the address of the indicators of a theme."""
        return f"{self.root}methode/{theme}/"

    def compare(self, code: str, name: str) -> str:
        """Return the address of the town beside similar ones, from its own page."""
        del code, name
        return "semblables/"

    def data(self, code: str, name: str) -> str:
        """Return the address of the portrait as JSON, from the page of the town."""
        del code, name
        return "portrait.json"


class ServerLinks:
    """Addresses on the server: every commune has a page; departments are seen in the dashboard."""

    def home(self) -> str:
        """Return the address of the dashboard."""
        return "/"

    def town(self, code: str, name: str) -> str:
        """Return the address of a town."""
        return f"/ville/{town_name(code, name)}"

    def departement(self, code: str) -> str:
        """Return nothing: the server has no page of departments."""
        del code
        return ""

    def method(self, theme: str) -> str:
        """Return the address of the indicators of a theme."""
        return f"/methode/{theme}"

    def compare(self, code: str, name: str) -> str:
        """Return the page of the dashboard that compares towns."""
        del name
        return f"/comparer?commune={code}"

    def data(self, code: str, name: str) -> str:
        """Return the address of the portrait as JSON."""
        return f"/ville/{town_name(code, name)}/portrait.json"


@cache
def static_menu(root: str) -> tuple[tuple[str, str], ...]:
    """Return the main navigation of the static site, from a page at some depth."""
    pages = (("Villes", ""), ("Départements", "departement/"), ("Thèmes", "theme/"), ("Méthode", "methode/"))
    return tuple((label, f"{root}{address}") for label, address in pages)
