"""What the address of the page of culture says, checked: town, territory, comparison, typology, desert, density.

``?commune=12145&territoire=epci&comparer=similar&typologie=ministere&lieu=cinema&densite=habitants&lissage=5``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeVar

from bourg.culture.density import density_rules
from bourg.culture.kinds import kinds
from bourg.dashboard.address import AddressReader
from bourg.dashboard.page_state import PageState, TownState
from bourg.errors import BourgError
from bourg.indicators.typologies import TYPOLOGIES
from bourg.portrait.observatory import Observatory
from bourg.portrait.strips import COMPARATORS
from bourg.portrait.themes.culture_areas import TERRITORIES
from bourg.portrait.themes.culture_density import MEASURES

T = TypeVar("T")


@dataclass(frozen=True)
class CultureState(TownState):
    """Everything that the address of the page restores; what stands by default is left out of it.

    Attributes
    ----------
    territory, typology, desert, measure
        Ids, as in ``make_culture_page``.
    comparator
        Set of communes; ``None`` leaves the choice to the document.
    bandwidth
        Kilometres of the kernel; ``None`` is that of the territory.
    """

    territory: str = TERRITORIES[0]
    comparator: str | None = None
    typology: str = TYPOLOGIES[0]
    desert: str = "vivant"
    measure: str = "km2"
    bandwidth: float | None = None

    def address(self) -> dict[str, list[str]]:
        """Return the address that restores the state."""
        if self.commune is None:
            return {}
        start = CultureState()
        told = {
            "territoire": (self.territory, start.territory), "comparer": (self.comparator, start.comparator),
            "typologie": (self.typology, start.typology), "lieu": (self.desert, start.desert),
            "densite": (self.measure, start.measure),
            "lissage": (None if self.bandwidth is None else f"{self.bandwidth:g}", None),
        }  # fmt: skip
        wanted = {name: [value] for name, (value, usual) in told.items() if value is not None and value != usual}
        return {"commune": [self.commune], **wanted}


def state() -> CultureState:
    """Return the state of this session."""
    return PAGE.get()


def update(**values: object) -> None:
    """Replace parts of the state."""
    PAGE.put(replace(state(), **values))  # type: ignore[arg-type]


def read_state(observatory: Observatory) -> tuple[CultureState, list[BourgError]]:
    """Read the address; what is wrong is told and left out."""
    address, start = AddressReader(observatory), CultureState()
    bandwidth = address.one("lissage", [f"{choice:g}" for choice in density_rules()["choices"]])
    return CultureState(
        commune=address.commune(),
        territory=address.one("territoire", TERRITORIES) or start.territory,
        comparator=address.one("comparer", COMPARATORS),
        typology=address.one("typologie", TYPOLOGIES) or start.typology,
        desert=address.one("lieu", kinds()) or start.desert,
        measure=address.one("densite", MEASURES) or start.measure,
        bandwidth=None if bandwidth is None else float(bandwidth),
    ), address.problems


PAGE = PageState[CultureState]("culture", read_state, update)
