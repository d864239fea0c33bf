"""Themes of the extractor, declared in ``parameters/themes/*.yaml``: objects, their categories, their columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache
from importlib import resources
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from bourg.access.places.crosswalk import Family, OsmRule, families, families_of_tags, fold
from bourg.commerce.typology import osm_types, typology, vacant_tag
from bourg.errors import DeclarationError, ParameterError
from bourg.indicators.parameters import parameter
from bourg.yamls import load_yaml

PACKAGE = "bourg.extract"
NAME, ADDRESS = "name", "address"
_CORE = {NAME: "nom", ADDRESS: "adresse"}
_CORE_LABELS = {NAME: "Nom", ADDRESS: "Adresse"}
# What may name a person when the place is the practice of one, or a private house.
WITHHELD = frozenset({NAME, "brand", "brand_wikidata", "operator", "network", "website", "siret", "wikidata"})
# Tags that name a person or a reader's private notes: no column may be filled with them.
FORBIDDEN_KEYS = frozenset({
    "phone", "contact:phone", "contact:mobile", "mobile", "fax", "contact:fax", "email", "contact:email", "note",
    "fixme", "contact:facebook", "contact:instagram", "user", "uid", "changeset",
})  # fmt: skip
_VACANT, _OTHER_SHOP = "vacant", "other_shop"


@dataclass(frozen=True)
class Column:
    """A column filled by the first of some tags that an object has.

    Attributes
    ----------
    id, heading, label
        ``wheelchair``, its heading in files (``acces_fauteuil``), its French name.
    keys
        OpenStreetMap keys, the preferred one first.
    labels
        French text of usual values; other values are left as they are.
    """

    id: str
    heading: str
    label: str
    keys: tuple[str, ...]
    labels: Mapping[str, str] = field(default_factory=dict)

    def value(self, tags: Mapping[str, str]) -> str | None:
        """Return the value of an object, ``None`` when no tag gives it."""
        for key in self.keys:
            if text := tags.get(key, "").strip():
                return self.labels.get(text, text)
        return None


@dataclass(frozen=True)
class Category:
    """A category of a theme.

    Attributes
    ----------
    family
        Its French label and its rules on tags.
    group
        French name of the group that it belongs to.
    personal
        Whether names are left out, because they may be those of a person.
    expected
        Columns that a complete object fills; empty when nothing is expected of it.
    """

    family: Family
    group: str
    personal: bool
    expected: tuple[str, ...]

    @property
    def label(self) -> str:
        """French label, with a capital letter."""
        return self.family.label[:1].upper() + self.family.label[1:]


@dataclass(frozen=True)
class Selector:
    """Objects wanted from a source: a key, and its values (``None`` for all); ``lists`` also takes ``a;b``."""

    key: str
    values: tuple[str, ...] | None
    lists: bool = False


@dataclass(frozen=True)
class Theme:
    """A theme: its categories in order (the first that fits an object is its category) and its columns."""

    id: str
    label: str
    summary: str
    columns: tuple[Column, ...]
    categories: Mapping[str, Category]
    address: bool
    shops: bool

    def selectors(self) -> tuple[Selector, ...]:
        """Return what to ask a source for; it gives more than the theme, :meth:`classify` has the last word."""
        found: dict[str, set[str] | None] = {}
        for category in self.categories.values():
            for rule in category.family.osm:
                key, allowed = rule.tests[0]
                values = {value for value in allowed if value is not None}
                known = found.setdefault(key, set())
                if known is not None:
                    known |= values
        if self.shops:
            found |= {"shop": None, "disused:shop": None}
        return tuple(
            Selector(key, None if values is None else tuple(sorted(values)), self.shops)
            for key, values in sorted(found.items())
        )

    def classify(self, tags: Mapping[str, str]) -> tuple[Category, tuple[Category, ...]] | None:
        """Return the category of an object and the others it fits; ``None`` when it is not of the theme."""
        if self.shops:
            return self._classify_shop(tags)
        here = families_of_tags(tags, [category.family for category in self.categories.values()])
        found = [self.categories[item.id] for item in here]
        return (found[0], tuple(found[1:])) if found else None

    def _classify_shop(self, tags: Mapping[str, str]) -> tuple[Category, tuple[Category, ...]] | None:
        if not families_of_tags(tags, [_IN_USE]):
            return None
        main, others = osm_types(tags)
        if main is None and vacant_tag(tags):
            main = _VACANT
        if main is None and tags.get("shop", "no") != "no":
            main = _OTHER_SHOP
        return None if main is None else (self.categories[main], tuple(self.categories[name] for name in others))

    def tag_of(self, category: Category, tags: Mapping[str, str]) -> str:
        """Return the tag that made an object belong to a category: ``shop=bakery``."""
        rules = [rule for rule in category.family.osm if rule.holds(tags)]
        keys = [rule.tests[0][0] for rule in rules]
        if self.shops:
            wanted = {key: set(allowed) for rule in category.family.osm for key, allowed in rule.tests}
            keys = [
                key for key in wanted if wanted[key] & {part.strip().lower() for part in tags.get(key, "").split(";")}
            ]
            keys += [key for key in ("shop", "disused:shop") if key in tags]
        return f"{keys[0]}={tags[keys[0]]}"

    def headings(self) -> dict[str, str]:
        """Return id -> heading of the columns of the theme, in order: name, tags, address."""
        tags = {column.id: column.heading for column in self.columns}
        return {NAME: _CORE[NAME], **tags, **({ADDRESS: _CORE[ADDRESS]} if self.address else {})}

    def labels(self) -> dict[str, str]:
        """Return id -> French label of the columns of the theme."""
        tags = {column.id: column.label for column in self.columns}
        return {NAME: _CORE_LABELS[NAME], **tags, **({ADDRESS: _CORE_LABELS[ADDRESS]} if self.address else {})}


# A rule without any test: only the tags that say « out of use » refuse it.
_IN_USE = Family("en_service", "", "", "", 0.0, osm=(OsmRule(()),))


class _DeclaredCategory(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    family: str | None = None
    id: str | None = None
    label: str | None = None
    group: str | None = None
    personal: bool = False
    expected: tuple[str, ...] | None = None
    osm: tuple[dict[str, Any], ...] = ()


class _DeclaredTheme(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    label: str
    summary: str
    columns: tuple[str, ...]
    expected: tuple[str, ...]
    address: bool = False
    shops: bool = False
    groups: dict[str, str] = {}
    categories: tuple[_DeclaredCategory, ...] = ()


@cache
def columns() -> dict[str, Column]:
    """Return every column by its id.

    Raises
    ------
    DeclarationError
        When a column would hold what may name a person.
    """
    found = {}
    for name, item in parameter("columns", package=PACKAGE).items():
        keys = tuple(item["keys"])
        if wrong := sorted(FORBIDDEN_KEYS.intersection(keys)):
            raise DeclarationError(
                "Une colonne reprendrait des données personnelles.", where=name, why=", ".join(wrong)
            )
        found[name] = Column(name, item["heading"], item["label"], keys, dict(item.get("labels", {})))
    return found


@cache
def themes() -> dict[str, Theme]:
    """Return every theme by its id, in the order of their labels.

    Raises
    ------
    DeclarationError
        When a file has an unknown attribute, family, group or column.
    """
    found = []
    for path in resources.files(PACKAGE).joinpath("parameters", "themes").iterdir():
        if path.name.endswith(".yaml"):
            try:
                declared = _DeclaredTheme.model_validate(load_yaml(path.read_text(encoding="utf-8")))
            except (ValidationError, yaml.YAMLError) as error:
                raise DeclarationError("Un thème est mal déclaré.", where=path.name, why=str(error)) from error
            found.append(make_theme(declared.model_dump()))
    return {theme.id: theme for theme in sorted(found, key=lambda theme: fold(theme.label))}


def make_theme(content: Mapping[str, Any]) -> Theme:
    """Return the theme that a mapping declares (the content of a YAML file).

    Raises
    ------
    DeclarationError
        When it has an unknown attribute, family, group or column.
    """
    try:
        declared = _DeclaredTheme.model_validate(content)
    except ValidationError as error:
        raise DeclarationError("Un thème est mal déclaré.", where=str(content.get("id")), why=str(error)) from error
    made = _shop_categories(declared) if declared.shops else {}
    for item in declared.categories:
        category = _category(item, declared)
        if category.family.id in made:
            raise DeclarationError("Une catégorie est déclarée deux fois.", where=f"{declared.id}.{category.family.id}")
        made[category.family.id] = category
    known = {NAME, ADDRESS, *columns()}
    used = {*declared.columns, *(name for category in made.values() for name in category.expected)}
    if strangers := sorted(used - known):
        raise DeclarationError("Un thème nomme une colonne inconnue.", where=declared.id, why=", ".join(strangers))
    kept = tuple(columns()[name] for name in declared.columns)
    return Theme(declared.id, declared.label, declared.summary, kept, made, declared.address, declared.shops)


def _category(item: _DeclaredCategory, theme: _DeclaredTheme) -> Category:
    where = f"{theme.id}.{item.family or item.id}"
    if item.family is not None:
        if item.family not in families() or item.osm:
            raise DeclarationError("Une catégorie nomme une famille inconnue, ou lui ajoute des règles.", where=where)
        kind = families()[item.family]
    elif item.id and item.label and item.osm:
        rules = tuple(OsmRule(tuple((key, _several(value)) for key, value in rule.items())) for rule in item.osm)
        kind = Family(item.id, item.label, item.label, theme.id, 0.0, osm=rules)
    else:
        raise DeclarationError("Une catégorie a besoin d'une famille, ou d'un nom et de règles.", where=where)
    if item.group is not None and item.group not in theme.groups:
        raise DeclarationError("Le groupe d'une catégorie n'existe pas.", where=where, why=item.group)
    group = theme.label if item.group is None else theme.groups[item.group]
    expected = theme.expected if item.expected is None else item.expected
    return Category(kind, group, item.personal, expected)


def _several(value: Any) -> tuple[Any, ...]:  # noqa: ANN401 - any YAML value
    return tuple(value) if isinstance(value, list) else (value,)


def _shop_categories(theme: _DeclaredTheme) -> dict[str, Category]:
    """Return the types of shops of the typology as categories, then empty premises."""
    found = typology()
    made = {}
    for kind in found.types.values():
        by_key: dict[str, list[str]] = {}
        for tag in kind.osm:
            key, _, value = tag.partition("=")
            by_key.setdefault(key, []).append(value)
        rules = tuple(OsmRule(((key, tuple(values)),)) for key, values in by_key.items())
        family = Family(kind.id, kind.label, kind.label, kind.group, 0.0, osm=rules)
        made[kind.id] = Category(family, found.groups[kind.group], personal=False, expected=theme.expected)
    vacant = Family(_VACANT, "Local vide", "Locaux vides", _VACANT, 0.0)
    made[_VACANT] = Category(vacant, "Locaux vides", personal=False, expected=())
    return made


def theme_named(name: str) -> Theme:
    """Return one theme by its id or its French label.

    Raises
    ------
    ParameterError
        When there is no such theme; near names are suggested.
    """
    known = themes()
    wanted = fold(name.replace("_", " "))
    by_name = {fold(text.replace("_", " ")): item for item in known.values() for text in (item.id, item.label)}
    if wanted in by_name:
        return by_name[wanted]
    near = list(dict.fromkeys(by_name[text].id for text in get_close_matches(wanted, by_name, n=3, cutoff=0.6)))
    raise ParameterError(
        f"Le thème « {name[:60]} » n'existe pas.", next_step=f"choisissez parmi : {', '.join(near or known)}."
    )
