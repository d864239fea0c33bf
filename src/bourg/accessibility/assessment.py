"""The assessment: one verdict for each of the 106 criteria of the RGAA 4.1.2, and the rates computed from them.

The verdicts are declared in ``rgaa.yaml``. Titles there are summaries of ours: the criteria themselves, their tests and
their glossary are those of the official reference (https://accessibilite.numerique.gouv.fr/).
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from bourg.errors import DeclarationError
from bourg.yamls import load_yaml

_FILE = "rgaa.yaml"
# Criteria of each of the 13 themes of RGAA 4.1.2: 106 in all.
THEME_SIZES = (9, 2, 3, 13, 8, 2, 5, 10, 4, 14, 13, 11, 12)

Result = Literal["conforme", "non_conforme", "non_applicable", "non_teste"]
RESULTS: dict[Result, str] = {
    "conforme": "conforme", "non_conforme": "non conforme", "non_applicable": "non applicable",
    "non_teste": "non testé",
}  # fmt: skip
Side = Literal["public", "dashboard"]
SIDES: dict[Side, str] = {"public": "Pages publiques", "dashboard": "Tableau de bord"}
# Half of the criteria that apply: the limit between « partiellement » and « non conforme » (RGAA, obligations).
_PARTIAL = 50.0
_CHECK = re.compile(r"axe:[a-z0-9-]+|test:tests/test_\w+\.py::test_\w+|main:.{8,}")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Verdict(_Strict):
    """What was found for one criterion on one side.

    Attributes
    ----------
    result
        ``non_teste`` when nobody judged it: never taken for a success.
    checks
        How it was checked: ``axe:RULE``, ``test:FILE::FUNCTION`` (run by ``make test``), or ``main:`` and what was
        looked at by hand on the day of the assessment.
    note
        What there is to know of the result; why the criterion does not apply.
    fails, fix
        For ``non_conforme``: what fails, and what to do about it.
    cause
        ``streamlit`` when the failing part is drawn by Streamlit and cannot be changed from here.
    elsewhere
        Where the same content can be read without the obstacle.
    """

    result: Result
    checks: tuple[str, ...] = ()
    note: str = ""
    fails: str = ""
    fix: str = ""
    cause: Literal["", "bourg", "streamlit"] = ""
    elsewhere: str = ""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        for check in self.checks:
            if not _CHECK.fullmatch(check):
                raise ValueError(f"contrôle mal écrit : {check[:80]}")
        if self.result == "conforme" and not self.checks:
            raise ValueError("« conforme » demande au moins un contrôle")
        if self.result == "non_conforme" and not (self.fails and self.fix and self.cause):
            raise ValueError("« non conforme » demande fails, fix et cause")
        if self.result == "non_applicable" and not self.note:
            raise ValueError("« non applicable » demande une note")
        return self

    def rules(self) -> tuple[str, ...]:
        """Return the axe-core rules among the checks."""
        return tuple(item.removeprefix("axe:") for item in self.checks if item.startswith("axe:"))


class Criterion(_Strict):
    """One criterion: its number, a title in our words, a verdict on each side."""

    id: Annotated[str, Field(pattern=r"^\d{1,2}\.\d{1,2}$")]
    title: str
    public: Verdict
    dashboard: Verdict

    def verdict(self, side: Side) -> Verdict:
        """Return the verdict of a side."""
        return self.public if side == "public" else self.dashboard


class Theme(_Strict):
    """One of the 13 themes."""

    number: int
    label: str
    criteria: tuple[Criterion, ...]


class Assessment(_Strict):
    """The whole assessment.

    Attributes
    ----------
    standard
        Name and version of the reference.
    date
        Day the pages were looked at.
    means
        With what: browser, checker, what was not used.
    pages
        For each side, the pages looked at.
    """

    standard: str
    date: dt.date
    means: tuple[str, ...]
    pages: dict[Side, tuple[str, ...]]
    themes: tuple[Theme, ...]

    @model_validator(mode="after")
    def _complete(self) -> Self:
        expected = [f"{theme}.{item}" for theme, size in enumerate(THEME_SIZES, 1) for item in range(1, size + 1)]
        found = [item.id for item in self.criteria()]
        if found != expected:
            wrong = sorted(set(expected) ^ set(found)) or ["ordre ou doublon"]
            raise ValueError(f"les 106 critères sont attendus, une fois chacun et dans l'ordre : {', '.join(wrong)}")
        return self

    def criteria(self) -> Iterator[Criterion]:
        """Yield every criterion, in the order of the reference."""
        for theme in self.themes:
            yield from theme.criteria


@dataclass(frozen=True)
class Rates:
    """How many criteria have each result, and the rate of conformity.

    Attributes
    ----------
    conforme, non_conforme, non_applicable, non_teste
        Number of criteria.
    """

    conforme: int
    non_conforme: int
    non_applicable: int
    non_teste: int

    @property
    def rate(self) -> float | None:
        """Conforming criteria among those that apply and were judged, per cent; ``None`` when there is none."""
        judged = self.conforme + self.non_conforme
        return 100 * self.conforme / judged if judged else None

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        rate = self.rate
        return {
            "conforme": self.conforme, "non_conforme": self.non_conforme, "non_applicable": self.non_applicable,
            "non_teste": self.non_teste, "taux_de_conformite": None if rate is None else round(rate, 1),
        }  # fmt: skip


def rates(assessment: Assessment, side: Side | None = None) -> Rates:
    """Count the results of a side, or of both together.

    Together, a criterion is as bad as its worst side: it fails if it fails on one, it is untested if it is untested on
    one and fails on none; it applies as soon as it applies to one.
    """
    found: dict[Result, int] = dict.fromkeys(RESULTS, 0)
    for item in assessment.criteria():
        results = {item.public.result, item.dashboard.result} if side is None else {item.verdict(side).result}
        worst: tuple[Result, ...] = ("non_conforme", "non_teste", "conforme", "non_applicable")
        found[next(result for result in worst if result in results)] += 1
    return Rates(**found)


@cache
def load_assessment() -> Assessment:
    """Return the assessment of this version.

    Raises
    ------
    DeclarationError
        When the file lacks a criterion, or a verdict lacks what it has to say.
    """
    text = resources.files("bourg.accessibility").joinpath(_FILE).read_text(encoding="utf-8")
    return parse_assessment(text)


def parse_assessment(text: str) -> Assessment:
    """Read an assessment written in YAML.

    Raises
    ------
    DeclarationError
        When it lacks a criterion, or a verdict lacks what it has to say.
    """
    try:
        content = load_yaml(text)
        if isinstance(content, dict):
            content.pop("aliases", None)  # verdicts that several criteria share, named once
        return Assessment.model_validate(content)
    except (ValidationError, yaml.YAMLError) as error:
        raise DeclarationError(
            "L’évaluation de l’accessibilité est mal déclarée.", where=_FILE, why=str(error)[:600],
            next_step="corrigez le critère nommé ; les attributs sont décrits dans bourg/accessibility/assessment.py.",
        ) from error  # fmt: skip


@cache
def footer_text() -> str:
    """Return what the link in the footers says: ``Accessibilité : partiellement conforme``."""
    return f"Accessibilité : {state(rates(load_assessment()))}"


def state(found: Rates) -> str:
    """Return the state of conformity in the words of the law: « totalement », « partiellement » or « non conforme ».

    Total conformity cannot be claimed while a criterion is untested.
    """
    rate = found.rate
    if rate is None or rate < _PARTIAL:
        return "non conforme"
    return "partiellement conforme" if rate < 100 or found.non_teste else "totalement conforme"
