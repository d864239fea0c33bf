"""Kinds of cultural places that are followed one by one, such as libraries, cinemas and museums."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from bourg.errors import ParameterError
from bourg.indicators.parameters import parameter
from bourg.indicators.typologies import load_typology

PACKAGE = "bourg.culture"
# Kinds that are whole categories of the brief's typology, not lists of types.
_CATEGORIES = ("vivant", "patrimoine")


@dataclass(frozen=True)
class Kind:
    """A kind of cultural place.

    Attributes
    ----------
    id, label, plural
        Identifier and French words: « bibliothèque », « bibliothèques ».
    words
        With its article: « une bibliothèque ».
    types
        Official Basilic types it gathers.
    family
        Family of the access engine whose travel times answer for it, ``None`` for a group of kinds.
    desert_km
        Distance as the crow flies beyond which a commune without one is far from it.
    """

    id: str
    label: str
    plural: str
    words: str
    types: tuple[str, ...]
    family: str | None
    desert_km: float


@cache
def kinds() -> dict[str, Kind]:
    """Return the declared kinds by id, living places first and heritage last (parameter ``culture_kinds``)."""
    declared = parameter("culture_kinds", package=PACKAGE)
    brief = load_typology("brief")
    return {
        name: Kind(
            id=name,
            label=item["label"],
            plural=item["plural"],
            words=item["words"],
            types=brief.categories[name].types if name in _CATEGORIES else tuple(item["types"]),
            family=item["family"],
            desert_km=float(item["desert_km"]),
        )
        for name, item in declared.items()
    }


def kind(name: str) -> Kind:
    """Return one kind.

    Raises
    ------
    ParameterError
        When there is none of that id.
    """
    found = kinds().get(name)
    if found is None:
        raise ParameterError(
            f"Le genre de lieu « {name[:40]} » n'existe pas.", next_step=f"choisissez parmi : {', '.join(kinds())}."
        )
    return found
