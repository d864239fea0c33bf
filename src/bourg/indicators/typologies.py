"""Named typologies of cultural places, switchable: the brief's, the ministry's, and the filters of the map.

A label is matched whatever its case, accents, apostrophe or plural. What no typology knows is « non classé », never
dropped. Festivals are events: they have their own category and are never counted with places (ANCHORS D6).
"""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from typing import Any

import polars as pl
from pydantic import BaseModel, ConfigDict, ValidationError

from bourg.errors import DeclarationError, ParameterError
from bourg.text import unaccented
from bourg.yamls import load_yaml

UNCLASSIFIED = "non_classe"
FESTIVAL = "festival"
_OTHER_LABELS = {UNCLASSIFIED: "non classé", FESTIVAL: "festivals"}
TYPOLOGIES = ("brief", "carte", "ministere")


class Category(BaseModel):
    """A category and the official Basilic types it gathers."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    label: str
    types: tuple[str, ...]


class Typology(BaseModel):
    """A named partition of the official types."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    label: str
    reference: str
    categories: dict[str, Category]

    def label_of(self, category: str) -> str:
        """Return the French label of a category, « non classé » and festivals included."""
        return self.categories[category].label if category in self.categories else _OTHER_LABELS[category]


def normalise_label(text: str) -> str:
    """Return the comparison key of a type label: ``"MONUMENTS "`` and ``"Monument"`` have the same."""
    spaced = re.sub(r"[^a-z0-9]+", " ", unaccented(text)).strip()
    return re.sub(r"\b([a-z]{3,})[sx]\b", r"\1", spaced)


def normalised(types: pl.Expr) -> pl.Expr:
    """Return :func:`normalise_label` for a whole column."""
    plain = (
        types.str.to_lowercase()
        .str.replace_many({"œ": "oe", "æ": "ae"})
        .str.normalize("NFKD")
        .str.replace_all(r"\p{M}", "")
    )
    spaced = plain.str.replace_all(r"[^a-z0-9]+", " ").str.strip_chars()
    return spaced.str.replace_all(r"\b([a-z]{3,})[sx]\b", "$1")


def _read(name: str) -> Any:  # noqa: ANN401 (checked by the caller)
    path = resources.files("bourg.indicators").joinpath("typology_tables", f"{name}.yaml")
    return load_yaml(path.read_text(encoding="utf-8"))


@cache
def load_typology(name: str) -> Typology:
    """Return a typology by name (``brief``, ``carte``, ``ministere``).

    Raises
    ------
    ParameterError
        When there is none of that name.
    DeclarationError
        When a type is in two categories, or an attribute is missing or unknown.
    """
    if name not in TYPOLOGIES:
        raise ParameterError(
            f"La typologie « {name[:60]} » n'existe pas.", next_step=f"choisissez parmi : {', '.join(TYPOLOGIES)}."
        )
    try:
        typology = Typology.model_validate(_read(name))
    except ValidationError as error:
        raise DeclarationError("Une typologie est mal déclarée.", where=f"{name}.yaml", why=str(error)) from error
    keys = [normalise_label(label) for category in typology.categories.values() for label in category.types]
    if len(keys) != len(set(keys)):
        raise DeclarationError("Un type est rangé dans deux catégories.", where=f"{name}.yaml")
    return typology


@cache
def _mapping(name: str) -> dict[str, str]:
    typology = load_typology(name)
    mapping = {
        normalise_label(label): category for category, item in typology.categories.items() for label in item.types
    }
    extra = _read("_festivals")
    for alias, official in extra["aliases"].items():
        if normalise_label(official) in mapping:
            mapping[normalise_label(alias)] = mapping[normalise_label(official)]
    mapping.update({normalise_label(label): FESTIVAL for label in extra["types"]})
    return mapping


def categorise(types: pl.Expr, typology: str) -> pl.Expr:
    """Return the category id of each type label, :data:`UNCLASSIFIED` when the typology does not know it.

    Raises
    ------
    ParameterError
        When there is no such typology.
    """
    return normalised(types).replace_strict(_mapping(typology), default=UNCLASSIFIED, return_dtype=pl.String)
