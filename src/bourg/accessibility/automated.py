"""Results of axe-core read from a file, and what they change in the assessment.

The file is written by the tests (``BOURG_AXE_OUT``): one entry for each page, side and colour scheme.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from bourg.accessibility.assessment import SIDES, Assessment, Criterion, Side, Theme, Verdict
from bourg.errors import ParameterError

_MOST_BYTES = 20_000_000


class _Node(BaseModel):
    rule: str
    html: str = ""


class AxePage(BaseModel):
    """What the checker said of one page in one colour scheme."""

    model_config = ConfigDict(frozen=True)
    side: Side
    family: str
    scheme: str
    violations: tuple[_Node, ...] = ()
    incomplete: tuple[_Node, ...] = ()
    passes: tuple[str, ...] = ()
    inapplicable: tuple[str, ...] = ()


class AxeReport(BaseModel):
    """Every page checked, and the version of the checker."""

    model_config = ConfigDict(frozen=True)
    axe: str
    pages: tuple[AxePage, ...]

    def failures(self, side: Side) -> dict[str, list[str]]:
        """Return rule -> families of pages where it fails."""
        found: dict[str, set[str]] = {}
        for page in self.pages:
            if page.side == side:
                for node in page.violations:
                    found.setdefault(node.rule, set()).add(page.family)
        return {rule: sorted(families) for rule, families in sorted(found.items())}

    def rules(self, side: Side) -> set[str]:
        """Return the rules that were run on a side."""
        kept = [page for page in self.pages if page.side == side]
        nodes = {node.rule for page in kept for node in (*page.violations, *page.incomplete)}
        return nodes.union(*(set(page.passes) | set(page.inapplicable) for page in kept))

    def to_dict(self) -> dict[str, Any]:
        """Return a summary in plain JSON types."""
        return {
            "version": self.axe,
            "pages": {side: sum(1 for page in self.pages if page.side == side) for side in SIDES},
            "echecs": {side: self.failures(side) for side in SIDES},
        }


def read_axe(path: Path) -> AxeReport:
    """Read the results of the checker.

    Raises
    ------
    ParameterError
        When the file cannot be read or is something else.
    """
    step = "écrivez-le avec : BOURG_AXE_OUT=axe.json pytest tests/test_accessibility.py"
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ParameterError("Ce fichier est trop gros.", where=str(path), next_step=step)
        return AxeReport.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ParameterError(
            "Le fichier des résultats d’axe-core ne se lit pas.", where=str(path), why=str(error), next_step=step
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ParameterError(
            "Ce fichier n’est pas un résultat d’axe-core.", where=f"{path} {place}".strip(),
            why=str(first["msg"])[:200], next_step=step,
        ) from error  # fmt: skip


def merged(assessment: Assessment, report: AxeReport) -> Assessment:
    """Return the assessment with what the checker found: a criterion whose rule fails no longer conforms."""

    def judged(verdict: Verdict, side: Side, failures: dict[str, list[str]]) -> Verdict:
        failed = [rule for rule in verdict.rules() if rule in failures]
        if verdict.result != "conforme" or not failed:
            return verdict
        told = " ; ".join(f"règle {rule} d’axe-core : {', '.join(failures[rule])}" for rule in failed)
        return Verdict(
            result="non_conforme", checks=verdict.checks, note=verdict.note, fails=f"{SIDES[side]} : {told}",
            fix="corriger ce que l’outil signale sur ces pages, puis relancer les tests.", cause="bourg",
        )  # fmt: skip

    public, dashboard = report.failures("public"), report.failures("dashboard")
    themes = [
        Theme(
            number=theme.number, label=theme.label,
            criteria=tuple(
                Criterion(
                    id=item.id, title=item.title, public=judged(item.public, "public", public),
                    dashboard=judged(item.dashboard, "dashboard", dashboard),
                )
                for item in theme.criteria
            ),
        )
        for theme in assessment.themes
    ]  # fmt: skip
    return assessment.model_copy(update={"themes": tuple(themes)})


def unclaimed(assessment: Assessment, report: AxeReport) -> dict[Side, dict[str, list[str]]]:
    """Return the failing rules that no criterion of the side names: nothing found may go unsaid."""
    return {
        side: {
            rule: families
            for rule, families in report.failures(side).items()
            if not any(rule in item.verdict(side).rules() for item in assessment.criteria())
        }
        for side in SIDES
    }
