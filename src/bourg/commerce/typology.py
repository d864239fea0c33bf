"""The typology of shops: one crosswalk between NAF, BPE and OpenStreetMap, declared in YAML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import polars as pl
from pydantic import BaseModel, ConfigDict, ValidationError

from bourg.errors import DeclarationError
from bourg.indicators.parameters import parameter

PACKAGE = "bourg.commerce"


def rules() -> Mapping[str, int]:
    """Return the thresholds and windows of this section (``parameters/commerce_rules.yaml``)."""
    found: Mapping[str, int] = parameter("commerce_rules", package=PACKAGE)
    return found


class _Declared(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    group: str
    label: str
    naf: tuple[str, ...]
    bpe: tuple[str, ...] = ()
    osm: tuple[str, ...]


@dataclass(frozen=True)
class ShopType:
    """A type of shop.

    Attributes
    ----------
    naf
        APE codes (NAF rév. 2, ``47.11D``).
    bpe
        TYPEQU codes; empty when the BPE does not tell the type apart.
    osm
        ``key=value`` tags.
    """

    id: str
    group: str
    label: str
    naf: tuple[str, ...]
    bpe: tuple[str, ...]
    osm: tuple[str, ...]


@dataclass(frozen=True)
class Typology:
    """Groups (French labels), types by id, and the three ways back from a source to a type."""

    groups: Mapping[str, str]
    types: Mapping[str, ShopType]
    excluded: Mapping[str, str]
    osm_keys: tuple[str, ...]

    def by(self, source: str) -> dict[str, str]:
        """Return code or tag -> type id, for ``naf``, ``bpe`` or ``osm``."""
        return {code: kind.id for kind in self.types.values() for code in getattr(kind, source)}

    def group_of(self) -> dict[str, str]:
        """Return type id -> group id."""
        return {kind.id: kind.group for kind in self.types.values()}

    def label(self, key: str) -> str:
        """Return the French label of a type or of a group."""
        return self.types[key].label if key in self.types else self.groups[key]


@cache
def typology() -> Typology:
    """Return the declared typology.

    Raises
    ------
    DeclarationError
        Unknown group or attribute, or a code given to two types: a shop would count twice.
    """
    declared = parameter("shop_typology", package=PACKAGE)
    types: dict[str, ShopType] = {}
    for key, entry in declared["types"].items():
        try:
            checked = _Declared.model_validate({**entry, "naf": [str(code) for code in entry.get("naf", [])]})
        except ValidationError as error:
            raise DeclarationError("Un type de commerce est mal déclaré.", where=key, why=str(error)) from error
        types[key] = ShopType(key, checked.group, checked.label, checked.naf, checked.bpe, checked.osm)
    found = Typology(declared["groups"], types, declared["excluded"], tuple(declared["osm_keys"]))
    if strangers := {kind.group for kind in types.values()} - set(found.groups):
        raise DeclarationError("Un type de commerce est d'un groupe inconnu.", where=", ".join(sorted(strangers)))
    for source in ("naf", "bpe", "osm"):
        codes = [code for kind in types.values() for code in getattr(kind, source)]
        if twice := sorted({code for code in codes if codes.count(code) > 1}):
            raise DeclarationError("Un code est donné à deux types de commerces.", where=", ".join(twice))
    if both := sorted(set(found.excluded) & set(found.by("naf"))):
        raise DeclarationError("Une activité est à la fois classée et exclue.", where=", ".join(both))
    return found


def type_of(column: pl.Expr, source: str) -> pl.Expr:
    """Return the type id of a column of NAF or TYPEQU codes; null for what is not a shop.

    NAF codes are read with or without their point (``47.11D``, ``4711D``).
    """
    table = typology().by(source)
    if source == "naf":
        table |= {code.replace(".", ""): kind for code, kind in table.items()}
    return column.replace_strict(table, default=None, return_dtype=pl.String)


def group_of(column: pl.Expr) -> pl.Expr:
    """Return the group id of a column of type ids."""
    return column.replace_strict(typology().group_of(), default=None, return_dtype=pl.String)


def osm_types(tags: Mapping[str, str]) -> tuple[str | None, tuple[str, ...]]:
    """Return the main type of an OpenStreetMap object and the other types it has.

    A shop with two activities counts once: the first key of ``osm_keys`` that names a type wins, then the first value
    of a list (``bakery;cafe``). A place whose tags begin with ``disused:`` or ``was:`` is no shop any more.

    Examples
    --------
    >>> osm_types({"amenity": "cafe", "shop": "bakery;pastry"})
    ('bakery', ('cafe',))
    """
    found = typology()
    table = found.by("osm")
    kinds = [
        table[f"{key}={value.strip().lower()}"]
        for key in found.osm_keys
        for value in tags.get(key, "").split(";")
        if f"{key}={value.strip().lower()}" in table
    ]
    distinct = tuple(dict.fromkeys(kinds))
    return (distinct[0], distinct[1:]) if distinct else (None, ())


def vacant_tag(tags: Mapping[str, str]) -> bool:
    """Tell whether an OpenStreetMap object is said to be an empty shop (``disused:shop``, ``shop=vacant``)."""
    return "disused:shop" in tags or tags.get("shop", "").lower() in {"vacant", "empty"}
