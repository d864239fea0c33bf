"""What the address of the page « Extraire » says, checked: theme, commune and level, source."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bourg.dashboard.address import AddressReader
from bourg.dashboard.page_state import PageState, TownState
from bourg.errors import BourgError
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
    address = AddressReader(observatory)
    made = ExtractState(
        commune=address.commune(),
        level=address.one("niveau", LEVELS, "Le niveau") or FIRST_LEVEL,
        theme=address.attempt(lambda: theme_named(address.text("theme") or FIRST_THEME).id, FIRST_THEME),
        source=address.text("source")[:200] or None,
    )
    return made, address.problems


PAGE = PageState[ExtractState]("extraire", read_state, update)
