"""What the address of the page of energy says, checked: town, territory, year, comparison, installation."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bourg.dashboard.address import AddressReader
from bourg.dashboard.page_state import PageState, TownState
from bourg.errors import BourgError
from bourg.portrait.observatory import Observatory
from bourg.portrait.strips import COMPARATORS, DEFAULT
from bourg.portrait.themes.energy_model import TERRITORIES

_LONGEST = 60


@dataclass(frozen=True)
class EnergyState(TownState):
    """Everything that the address of the page restores.

    Attributes
    ----------
    territory, comparator
        Ids, checked.
    year
        Year of the consumption; ``None`` for the last one.
    chosen
        Installation or commune whose sheet is shown under the map.
    """

    territory: str = TERRITORIES[0]
    comparator: str = DEFAULT
    year: int | None = None
    chosen: str | None = None

    def address(self) -> dict[str, list[str]]:
        """Return the address that restores the state; what is usual is left out."""
        if self.commune is None:
            return {}
        wanted = {"commune": [self.commune]}
        if self.territory != TERRITORIES[0]:
            wanted["territoire"] = [self.territory]
        if self.comparator != DEFAULT:
            wanted["comparer"] = [self.comparator]
        if self.year is not None:
            wanted["annee"] = [str(self.year)]
        if self.chosen is not None:
            wanted["installation"] = [self.chosen]
        return wanted


def state() -> EnergyState:
    """Return the state of this session."""
    return PAGE.get()


def update(**values: object) -> None:
    """Replace parts of the state; another town or territory has other installations, another town other years."""
    before = state()
    after = replace(before, **values)  # type: ignore[arg-type]
    if (after.commune, after.territory) != (before.commune, before.territory) and "chosen" not in values:
        after = replace(after, chosen=None, year=None)
    PAGE.put(after)


def read_state(observatory: Observatory) -> tuple[EnergyState, list[BourgError]]:
    """Read ``?commune=12145&territoire=epci&comparer=similar&annee=2023&installation=L000123``."""
    address = AddressReader(observatory)
    made = EnergyState(
        commune=address.commune(),
        territory=address.one("territoire", TERRITORIES, "Le territoire") or TERRITORIES[0],
        comparator=address.one("comparer", COMPARATORS, "L'ensemble de comparaison") or DEFAULT,
        year=address.year("annee", 2023),
        chosen=address.text("installation")[:_LONGEST] or None,
    )
    return made, address.problems


PAGE = PageState[EnergyState]("energie", read_state, update)
