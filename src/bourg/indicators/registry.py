"""The registry: an indicator is a function and its declaration, checked when its module is imported."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Annotated, Literal

import polars as pl
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from bourg.errors import DeclarationError, UnknownIndicatorError
from bourg.geography.levels import Level
from bourg.indicators.tables import PSEUDO_TABLES, TABLES
from bourg.indicators.theme_labels import THEMES

Compute = Callable[..., pl.LazyFrame]
Text = Annotated[str, Field(min_length=1)]


class Declaration(BaseModel):
    """The attributes of an indicator; a missing or an unknown one is refused.

    Attributes
    ----------
    id
        ``theme.name``, unique.
    label, unit, formula, limits, reference
        French texts shown in the value sheet. ``limits`` is « ce que ce chiffre ne dit pas ».
    kind
        ``count`` values add up from communes to every level; ``share`` values lie between 0 and 100 %;
        ``ratio``, ``change``, ``amount`` and ``index`` do neither.
    levels
        Levels the indicator has a meaning for; a median exists for communes only.
    sources
        Ids of the catalogue, for the documentation; the values carry the ids really read.
    direction
        Whether more is better; most figures are ``neutral``.
    secrecy
        French text of the secrecy rule, or ``None`` when the inputs have none.
    secrecy_rule
        Rule applied to the values before publication (parameter ``secrecy_rules``); it protects a count.
    protected_count
        Count whose secret cells this value would give away: it is secret with them. ``None`` for the count itself.
    decimals
        Decimals shown.
    period
        ``year``: the function returns a ``period`` column; ``vintage``: the vintage of its first table.
    series_break
        French note on a break of the series, when there is one.
    fallback
        Table of the function -> table used instead for the units that the first one does not cover.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Annotated[str, Field(pattern=r"^[a-z_]+\.[a-z0-9_]+$")]
    label: Text
    unit: str
    theme: Text
    kind: Literal["count", "share", "ratio", "change", "amount", "index"]
    levels: Annotated[tuple[Level, ...], Field(min_length=1)]
    sources: Annotated[tuple[str, ...], Field(min_length=1)]
    direction: Literal["higher_is_better", "lower_is_better", "neutral"]
    secrecy: str | None
    decimals: Annotated[int, Field(ge=0, le=6)]
    period: Literal["year", "vintage"]
    formula: Text
    limits: Text
    reference: Text
    series_break: str | None = None
    secrecy_rule: str | None = None
    protected_count: str | None = None
    fallback: Mapping[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _check(self) -> Declaration:
        if self.theme not in THEMES:
            raise ValueError(f"le thème « {self.theme} » n'existe pas")
        if not self.id.startswith(f"{self.theme}."):
            raise ValueError(f"l'identifiant doit commencer par le thème « {self.theme}. »")
        if self.secrecy_rule and not self.secrecy:
            raise ValueError("la règle de secret appliquée doit être dite dans « secrecy »")
        if self.secrecy_rule and self.kind != "count" and not self.protected_count:
            raise ValueError("une règle de secret protège un dénombrement : nommez-le dans « protected_count »")
        if len(set(self.levels)) != len(self.levels):
            raise ValueError("un niveau est déclaré deux fois")
        return self


@dataclass(frozen=True)
class Indicator:
    """A declaration and its function.

    Attributes
    ----------
    declaration
        The checked attributes.
    compute
        ``tables -> LazyFrame[code, value, n?, status?, period?]``; a code left out means « missing ».
    tables
        Names of the parameters of ``compute``, pseudo-tables (``units``, ``coverage``) included.
    """

    declaration: Declaration
    compute: Compute
    tables: tuple[str, ...]

    @property
    def id(self) -> str:
        """Identifier, ``theme.name``."""
        return self.declaration.id

    @property
    def data_tables(self) -> tuple[str, ...]:
        """Tables read, without the pseudo-tables."""
        return tuple(name for name in self.tables if name not in PSEUDO_TABLES)


_REGISTRY: dict[str, Indicator] = {}


def indicator(**attributes: object) -> Callable[[Compute], Compute]:
    """Declare the decorated function as an indicator (attributes: :class:`Declaration`).

    Raises
    ------
    DeclarationError
        When an attribute is missing, unknown or malformed, when the id is taken, or when a parameter of the
        function is not a known table. The message names the indicator.
    """

    def register(function: Compute) -> Compute:
        name = str(attributes.get("id", function.__name__))
        declared = _declare(name, attributes)
        parameters = tuple(inspect.signature(function).parameters)
        _check_tables(declared, parameters)
        if declared.id in _REGISTRY:
            raise DeclarationError(f"L'indicateur « {name} » est déclaré deux fois.", where=function.__module__)
        _REGISTRY[declared.id] = Indicator(declared, function, parameters)
        return function

    return register


def _declare(name: str, attributes: Mapping[str, object]) -> Declaration:
    try:
        return Declaration.model_validate(attributes)
    except ValidationError as error:
        reasons = []
        for item in error.errors():
            field = ".".join(str(part) for part in item["loc"]) or "déclaration"
            kind = {"missing": "attribut manquant", "extra_forbidden": "attribut inconnu"}.get(item["type"])
            reasons.append(f"{field} : {kind or item['msg']}")
        raise DeclarationError(
            f"L'indicateur « {name} » est mal déclaré.",
            why=" ; ".join(reasons),
            next_step="corrigez les attributs de @indicator (voir bourg.indicators.registry.Declaration).",
        ) from error


def _check_tables(declared: Declaration, parameters: tuple[str, ...]) -> None:
    known = {*TABLES, *PSEUDO_TABLES}
    named = (*parameters, *declared.fallback.values())
    unknown = [name for name in named if name not in known]
    if unknown or not any(name in TABLES for name in parameters):
        raise DeclarationError(
            f"L'indicateur « {declared.id} » ne lit pas de table connue.",
            where=", ".join(unknown) or "aucun paramètre",
            next_step=f"nommez les paramètres parmi : {', '.join(sorted(known))}.",
        )
    if strangers := [name for name in declared.fallback if name not in parameters]:
        raise DeclarationError(
            f"L'indicateur « {declared.id} » remplace une table qu'il ne lit pas.", where=", ".join(strangers)
        )


@cache
def _import_themes() -> None:
    package = import_module("bourg.indicators.themes")
    for module in sorted(item.name for item in iter_modules(package.__path__)):
        import_module(f"bourg.indicators.themes.{module}")


def load_indicators() -> dict[str, Indicator]:
    """Import every theme and return the indicators by id, in alphabetical order.

    Raises
    ------
    DeclarationError
        When a theme declares an indicator badly.
    """
    _import_themes()
    return dict(sorted(_REGISTRY.items()))


def get_indicator(indicator_id: str) -> Indicator:
    """Return one indicator.

    Raises
    ------
    UnknownIndicatorError
        When there is none of that id; the message proposes the closest ones.
    """
    _import_themes()
    if indicator_id in _REGISTRY:
        return _REGISTRY[indicator_id]
    known = load_indicators()
    shown = str(indicator_id)[:60]
    close = get_close_matches(shown, known, n=3, cutoff=0.5)
    hint = f"vouliez-vous dire {' ou '.join(close)} ? " if close else ""
    raise UnknownIndicatorError(
        f"L'indicateur « {shown} » n'existe pas.", next_step=f"{hint}La liste est donnée par : bourg indicators."
    )
