"""What the address of the page of shops says, checked: town, comparison, source, first year, rule of the centre.

``?commune=12208&comparer=similar&source=bpe&depuis=2015&regle=300,100,3,40,8&groupe=craft_food``. A declared
perimeter stays in the session: an address is too short to hold one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeVar

from bourg.commerce.centre import CentreRule, Perimeter, default_rule
from bourg.commerce.typology import typology
from bourg.dashboard.address import AddressReader
from bourg.dashboard.page_state import PageState, TownState
from bourg.errors import BourgError, ParameterError
from bourg.portrait.observatory import Observatory
from bourg.portrait.strips import COMPARATORS
from bourg.portrait.themes.commerce_flows import first_year
from bourg.portrait.themes.commerce_mix import REGISTERS, Register

# Parameters of the rule that the page lets change, in the order of the address.
RULE_FIELDS = ("start_m", "link_m", "dense_shops", "edge_m", "min_shops")
_MOST_UNDONE = 30
T = TypeVar("T")


@dataclass(frozen=True)
class CommerceState(TownState):
    """Everything that the page remembers; all but ``declared`` is in the address.

    Attributes
    ----------
    comparator, register, since
        ``None`` leaves the choice to the document.
    rule
        Rule of the centre; ``None`` is the declared one.
    groups
        Groups of shops shown on the map and in the list; empty means all.
    declared
        Perimeter that replaces the rule.
    """

    comparator: str | None = None
    register: Register | None = None
    since: int | None = None
    rule: CentreRule | None = None
    groups: tuple[str, ...] = ()
    declared: Perimeter | None = None

    def address(self) -> dict[str, list[str]]:
        """Return the address that restores the state."""
        if self.commune is None:
            return {}
        wanted = {"commune": [self.commune], "groupe": list(self.groups)}
        single = {"comparer": self.comparator, "source": self.register}
        wanted |= {name: [value] for name, value in single.items() if value}
        if self.since is not None:
            wanted["depuis"] = [str(self.since)]
        if self.rule is not None:
            wanted["regle"] = [",".join(f"{getattr(self.rule, name):g}" for name in RULE_FIELDS)]
        return {name: values for name, values in wanted.items() if values}


def state() -> CommerceState:
    """Return the state of this session."""
    return PAGE.get()


def read_state(observatory: Observatory) -> tuple[CommerceState, list[BourgError]]:
    """Read the address; what is wrong is told and left out."""
    address = AddressReader(observatory)
    register = address.one("source", REGISTERS)
    since = address.year("depuis", first_year(None))
    rule = address.text("regle")
    return CommerceState(
        commune=address.commune(),
        comparator=address.one("comparer", COMPARATORS),
        register=next((name for name in REGISTERS if name == register), None),
        since=None if since is None else address.attempt(lambda: first_year(since), None),
        rule=address.attempt(lambda: _rule(rule), None),
        groups=tuple(address.several("groupe", typology().groups)),
    ), address.problems


def _rule(given: str | None) -> CentreRule | None:
    if not given:
        return None
    parts = given[:80].split(",")
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        numbers = []
    if len(numbers) != len(RULE_FIELDS):
        raise ParameterError(
            f"La règle du centre « {given[:60]} » ne se lit pas ; elle est ignorée.",
            where="?regle=",
            next_step=f"écrivez cinq nombres séparés par des virgules : {', '.join(RULE_FIELDS)}.",
        )
    found = rule_of(dict(zip(RULE_FIELDS, numbers, strict=True)))
    return None if found == default_rule() else found


def rule_of(values: dict[str, float]) -> CentreRule:
    """Return the declared rule with some of its values changed.

    Raises
    ------
    ParameterError
        When a value is out of its bounds.
    """
    whole = ("dense_shops", "min_shops")
    typed = {name: int(value) if name in whole else float(value) for name, value in values.items()}
    return replace(default_rule(), **typed)  # type: ignore[arg-type]


# ---- Changes ---------------------------------------------------------------------------------------------------------


def update(**values: object) -> None:
    """Replace parts of the state; another town starts without declared perimeter."""
    before = state()
    after = replace(before, **values)  # type: ignore[arg-type]
    if after.commune != before.commune:
        after = replace(after, declared=None)
        PAGE.past = []
    PAGE.put(after)


def change_centre(rule: CentreRule | None, declared: Perimeter | None) -> None:
    """Replace the rule and the declared perimeter; :func:`undo` takes it back."""
    before = state()
    if (rule, declared) != (before.rule, before.declared):
        past = [*PAGE.past, (before.rule, before.declared)]
        PAGE.past = past[-_MOST_UNDONE:]
        PAGE.put(replace(before, rule=rule, declared=declared))


def can_undo() -> bool:
    """Whether a change of the centre can be taken back."""
    return bool(PAGE.past)


def undo() -> None:
    """Take back the last change of the centre."""
    past = PAGE.past
    if past:
        rule, declared = past[-1]
        PAGE.past = past[:-1]
        PAGE.put(replace(state(), rule=rule, declared=declared))


PAGE = PageState[CommerceState]("commerces", read_state, update)
