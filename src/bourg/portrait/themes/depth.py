"""The themes that have a page of their own, for the faces that tell one theme: sentences, and everything as data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bourg.portrait.observatory import Observatory
from bourg.portrait.themes.commerce import make_commerce_page
from bourg.portrait.themes.culture import make_culture_page
from bourg.portrait.themes.energy import make_energy_page


@dataclass(frozen=True)
class ThemeDepth:
    """What the page of a theme says.

    Attributes
    ----------
    sentences
        A few French sentences, for somebody who reads nothing else.
    content
        The whole page as plain JSON types.
    """

    sentences: tuple[str, ...]
    content: dict[str, Any]


def _commerce(observatory: Observatory, code: str) -> ThemeDepth:
    page = make_commerce_page(observatory, code)
    return ThemeDepth(page.summary(), page.to_dict())


def _culture(observatory: Observatory, code: str) -> ThemeDepth:
    page = make_culture_page(observatory, code)
    return ThemeDepth(page.summary(), page.to_dict())


def _energy(observatory: Observatory, code: str) -> ThemeDepth:
    page = make_energy_page(observatory, code)
    return ThemeDepth((*page.headline, *page.notes, page.balance.sentence), page.to_dict())


_PAGES: dict[str, Callable[[Observatory, str], ThemeDepth]] = {
    "commerce": _commerce, "culture": _culture, "energy": _energy,
}  # fmt: skip


def theme_depth(observatory: Observatory, code: str, theme: str) -> ThemeDepth | None:
    """Return what the page of a theme says of a commune, ``None`` for a theme without a page.

    Raises
    ------
    UnknownTerritoryError
        When the commune does not exist.
    """
    make = _PAGES.get(theme)
    return make(observatory, code) if make else None
