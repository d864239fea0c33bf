"""Families of facilities that a resident understands, and what each source calls them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from typing import Any

from bourg.errors import DeclarationError, ParameterError
from bourg.indicators.parameters import load_parameter, parameter
from bourg.text import unaccented

_PACKAGE = "bourg.access"
# Tags that take an object out of use, whatever else it says.
_OUT_OF_USE = ("disused", "abandoned", "demolished", "ruins")


def fold(text: str) -> str:
    """Return a text in small letters, without accents, hyphens or apostrophes."""
    return re.sub(r"[\s'’-]+", " ", unaccented(text)).strip()


@dataclass(frozen=True)
class OsmRule:
    """Tags that an object must have; the text of a rule is explained in ``facility_families.yaml``."""

    tests: tuple[tuple[str, tuple[str | None, ...]], ...]

    def holds(self, tags: Mapping[str, str]) -> bool:
        """Tell whether the tags of an object agree with every test."""
        return all(_agrees(tags.get(key), allowed) for key, allowed in self.tests)


@dataclass(frozen=True)
class Family:
    """A family of facilities.

    Attributes
    ----------
    id, label, plural, group
        ``pharmacie``, its French names, and its group (a key of :func:`groups`).
    bpe, finess, basilic
        Types of the BPE, categories of FINESS and types of Basilic.
    tables
        Snapshot tables that belong to the family as a whole.
    osm
        Alternative rules on OSM tags.
    merge_m
        Distance under which two sources may speak of the same place, metres.
    """

    id: str
    label: str
    plural: str
    group: str
    merge_m: float
    bpe: tuple[str, ...] = ()
    finess: tuple[str, ...] = ()
    basilic: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    osm: tuple[OsmRule, ...] = ()


def _agrees(value: str | None, allowed: tuple[str | None, ...]) -> bool:
    for wanted in allowed:
        if wanted is None or value is None:
            if wanted is value:
                return True
        elif wanted == "*" or (re.search(wanted[1:], fold(value)) if wanted.startswith("~") else value == wanted):
            return True
    return False


def _several(value: Any) -> tuple[Any, ...]:  # noqa: ANN401 - any YAML value
    return tuple(value) if isinstance(value, list) else (value,)


def _rule(declared: Mapping[str, Any]) -> OsmRule:
    return OsmRule(tuple((key, _several(value)) for key, value in declared.items()))


def _attribute(key: str, value: Any) -> Any:  # noqa: ANN401 - any YAML value
    if key == "osm":
        return tuple(_rule(rule) for rule in value)
    return tuple(value) if isinstance(value, list) else value


@cache
def families() -> dict[str, Family]:
    """Return every family by its id, in the order of the groups.

    Raises
    ------
    DeclarationError
        When a family has an unknown attribute or group.
    """
    declared = parameter("facility_families", package=_PACKAGE)
    found = {}
    for name, item in declared["families"].items():
        fields = {key: _attribute(key, value) for key, value in item.items()}
        try:
            found[name] = Family(id=name, **fields)
        except TypeError as error:
            raise DeclarationError("Une famille est mal déclarée.", where=name, why=str(error)) from error
        if found[name].group not in declared["groups"]:
            raise DeclarationError("Le groupe d'une famille n'existe pas.", where=name, why=found[name].group)
    return found


def groups() -> dict[str, str]:
    """Return the French label of every group by its id."""
    return dict(parameter("facility_families", package=_PACKAGE)["groups"])


def reference() -> str:
    """Return the French text that documents the crosswalk."""
    return load_parameter("facility_families", _PACKAGE).reference


def family(name: str) -> Family:
    """Return one family, by its id or by its French label in the singular or the plural.

    Raises
    ------
    ParameterError
        When there is no such family; near ids are suggested.
    """
    known = families()
    if name in known:
        return known[name]
    by_label = {
        fold(text): item for item in known.values() for text in (item.id.replace("_", " "), item.label, item.plural)
    }
    wanted = fold(name.replace("_", " "))
    if wanted in by_label:
        return by_label[wanted]
    near = list(dict.fromkeys(by_label[text].id for text in get_close_matches(wanted, by_label, n=3, cutoff=0.6)))
    raise ParameterError(
        f"La famille d'équipements « {name[:60]} » n'existe pas.",
        next_step=f"choisissez parmi : {', '.join(near or known)}.",
    )


def chosen_families(names: Iterable[str] | None) -> tuple[Family, ...]:
    """Return the families named, all of them for ``None``; the errors are those of :func:`family`."""
    if names is None:
        return tuple(families().values())
    return tuple(dict.fromkeys(family(name) for name in names))


@cache
def osm_tags() -> tuple[tuple[str, str], ...]:
    """Return the tags (key and value) that the first test of the rules want: an object without any is no facility."""
    first = [rule.tests[0] for item in families().values() for rule in item.osm]
    return tuple(sorted({(key, value) for key, allowed in first for value in allowed if value is not None}))


def families_of_tags(tags: Mapping[str, str], wanted: Iterable[Family] | None = None) -> list[Family]:
    """Return the families of an OSM object; none when it is out of use (``disused=yes``, ``disused:shop``…)."""
    if any(tags.get(key, "no") != "no" for key in _OUT_OF_USE):
        return []
    candidates = families().values() if wanted is None else wanted
    return [item for item in candidates if any(rule.holds(tags) for rule in item.osm)]
