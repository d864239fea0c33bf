"""Parameters of the operations: declared once, read, checked, and described in OpenAPI."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Literal
from urllib.parse import parse_qsl

from bourg.web.api.problems import InvalidParameterError, MissingParameterError, TooLongError, UnknownParameterError

MOST_QUERY = 2_000
_INTEGER = re.compile(r"[+-]?\d{1,9}")
_NUMBER = re.compile(r"[+-]?(?:\d{1,18}\.?\d{0,18}|\.\d{1,18})(?:[eE][+-]?\d{1,3})?")
# No character of command, and no sign of bytes that were not UTF-8.
_TEXT = r"[^\u0000-\u001f\u007f-\u009f\ufffd]+"
_KINDS = {"integer": "un nombre entier", "number": "un nombre", "boolean": "« true » ou « false »"}


@dataclass(frozen=True)
class Box:
    """A box in degrees, written in addresses as ``west,south,east,north``."""

    west: float
    south: float
    east: float
    north: float

    def __str__(self) -> str:
        """Return the text of the address."""
        return ",".join(f"{side:.12g}" for side in self.sides)

    @property
    def sides(self) -> tuple[float, float, float, float]:
        """West, south, east, north."""
        return self.west, self.south, self.east, self.north


@dataclass(frozen=True)
class Parameter:
    """One parameter of the path or of the query.

    Attributes
    ----------
    name, description
        As they are written in addresses and in the document (French).
    kind
        Type of the value read.
    minimum, maximum
        Bounds of a number, both allowed.
    choices
        The only texts allowed, when there are any.
    pattern
        Regular expression that the whole text has to match.
    most
        Times the parameter may be given; over 1 the value read is a tuple.
    advice
        What to do when the text does not match; an example by default.
    parse
        Reads the text further; raises a typed error.
    """

    name: str
    description: str
    kind: Literal["string", "integer", "number", "boolean"] = "string"
    required: bool = False
    default: Any = None
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    pattern: str | None = None
    most: int = 1
    longest: int = 120
    example: Any = None
    advice: str = ""
    parse: Callable[[str], Any] | None = None

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the value."""
        one: dict[str, Any] = {"type": self.kind}
        if self.kind == "string":
            if self.choices:
                one["enum"] = list(self.choices)
            else:
                one |= {"minLength": 1, "maxLength": self.longest}
                one["pattern"] = f"^(?:{self.pattern or _TEXT})$"
        bounds = {"minimum": self.minimum, "maximum": self.maximum}
        one |= {name: bound for name, bound in bounds.items() if bound is not None}
        if self.default is not None:
            one["default"] = self.default
        if self.most > 1:
            return {"type": "array", "items": one, "minItems": 1, "maxItems": self.most}
        return one

    def read(self, text: str) -> Any:  # noqa: ANN401 - the type is the one declared
        """Return the value of one text.

        Raises
        ------
        BourgError
            When it is out of what is declared.
        """
        if not text or len(text) > self.longest:
            raise self._refused(f"un texte de 1 à {self.longest} caractères est attendu.", text)
        if not re.fullmatch(_TEXT, text):
            raise self._refused("le texte a des caractères de commande, ou n'est pas en UTF-8.", "")
        if self.kind != "string":
            return self._scalar(text)
        if self.choices and text not in self.choices:
            near = get_close_matches(text, self.choices, n=3, cutoff=0.5)
            raise self._refused(
                "cette valeur n'est pas dans la liste.",
                text,
                f"choisissez parmi : {', '.join(near or self.choices[:15])}.",
            )
        if self.pattern and not re.fullmatch(self.pattern, text, re.ASCII):
            raise self._refused("le texte n'a pas la forme attendue.", text, self.advice)
        return self.parse(text) if self.parse else text

    def _scalar(self, text: str) -> float | bool:
        value: float | bool
        if self.kind == "boolean" and text in ("true", "false"):
            return text == "true"
        if self.kind == "integer" and text.isascii() and _INTEGER.fullmatch(text):
            value = int(text)
        elif self.kind == "number" and text.isascii() and _NUMBER.fullmatch(text):
            value = float(text)
        else:
            raise self._refused(f"{_KINDS[self.kind]} est attendu.", text)
        low, high = self.minimum, self.maximum
        if not math.isfinite(value) or (low is not None and value < low) or (high is not None and value > high):
            raise self._refused(f"la valeur doit être entre {low:g} et {high:g}.", text)
        return value

    def _refused(self, why: str, text: str, next_step: str = "") -> InvalidParameterError:
        shown = f" « {text[:60]} »" if text else ""
        advice = next_step or (f"exemple : {self.name}={self.example}" if self.example is not None else "")
        return InvalidParameterError(
            f"Le paramètre « {self.name} »{shown} n'est pas accepté.", where=self.name, why=why, next_step=advice
        )


def read_query(declared: Sequence[Parameter], query: bytes) -> dict[str, Any]:
    """Return the values of the parameters of a query, defaults included (``None`` when there is none).

    Raises
    ------
    TooLongError, UnknownParameterError, MissingParameterError, InvalidParameterError
        When the query is not one of the operation; the message names the parameter, and proposes near names.
    """
    if len(query) > MOST_QUERY:
        raise TooLongError("L'adresse est trop longue.", why=f"{MOST_QUERY} caractères au plus après le « ? ».")
    # Bytes that are no UTF-8, raw or encoded, become U+FFFD, which no parameter accepts.
    pairs = parse_qsl(query.decode("utf-8", "replace"), keep_blank_values=True, errors="replace")
    known = {item.name: item for item in declared}
    texts: dict[str, list[str]] = {}
    for name, text in pairs:
        if name not in known:
            raise _unknown(name, list(known))
        texts.setdefault(name, []).append(text)
    return {item.name: _value(item, texts.get(item.name, [])) for item in declared}


def _value(item: Parameter, texts: list[str]) -> Any:  # noqa: ANN401 - the type is the one declared
    if not texts:
        if item.required:
            example = f"exemple : {item.name}={item.example}" if item.example is not None else ""
            raise MissingParameterError(
                f"Le paramètre « {item.name} » manque.", where=item.name, why=item.description, next_step=example
            )
        return () if item.most > 1 else item.default
    if len(texts) > item.most:
        raise InvalidParameterError(
            f"Le paramètre « {item.name} » est donné {len(texts)} fois.",
            where=item.name,
            next_step=f"{item.most} fois au plus.",
        )
    values = [item.read(text) for text in texts]
    return tuple(dict.fromkeys(values)) if item.most > 1 else values[0]


def _unknown(name: str, known: list[str]) -> UnknownParameterError:
    shown = "".join(letter for letter in name[:40] if letter.isprintable())
    near = get_close_matches(name[:40], known, n=2, cutoff=0.5)
    accepted = f"paramètres acceptés : {', '.join(known)}." if known else "cette route n'a pas de paramètre."
    return UnknownParameterError(
        f"Le paramètre « {shown} » n'existe pas.",
        where=shown,
        next_step=f"vouliez-vous dire {' ou '.join(near)} ? {accepted}" if near else accepted,
    )


def canonical(values: Mapping[str, Any]) -> str:
    """Return the same text for every way of asking the same thing, without what is not asked."""
    return "&".join(f"{name}={value!r}" for name, value in sorted(values.items()) if value not in (None, ()))
