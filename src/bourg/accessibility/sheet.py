"""The assessment as a table: CSV for a spreadsheet, JSON for a program, lines for a terminal."""

from __future__ import annotations

import csv
import io
from typing import Any

from bourg.accessibility.assessment import RESULTS, SIDES, Assessment, Side, Verdict, rates
from bourg.accessibility.automated import AxeReport, unclaimed
from bourg.store.spreadsheets import safe_cell
from bourg.text import format_value

COLUMNS = (
    "theme", "critere", "intitule", "cote", "resultat", "controles", "note", "ce_qui_echoue", "que_faire", "ou_le_lire",
)  # fmt: skip
_BOM = "\ufeff"
_KINDS = {"axe": "axe-core", "test": "test", "main": "à la main"}


def checks_text(verdict: Verdict, day: str) -> str:
    """Return how a verdict was reached: rules, tests, and what was looked at by hand with its day."""
    told = []
    for item in verdict.checks:
        kind, _, what = item.partition(":")
        told.append(f"{_KINDS[kind]}{f' ({day})' if kind == 'main' else ''} : {what}")
    return " ; ".join(told)


def to_csv(assessment: Assessment) -> str:
    """Return two rows for each criterion, one for each side: UTF-8 with its mark, ``;``."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=";", lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for theme in assessment.themes:
        for item in theme.criteria:
            for side, label in SIDES.items():
                verdict = item.verdict(side)
                row = (
                    theme.label, item.id, item.title, label, RESULTS[verdict.result],
                    checks_text(verdict, assessment.date.isoformat()), verdict.note, verdict.fails, verdict.fix,
                    verdict.elsewhere,
                )  # fmt: skip
                writer.writerow([safe_cell(text) for text in row])
    return _BOM + buffer.getvalue()


def to_dict(assessment: Assessment, report: AxeReport | None = None) -> dict[str, Any]:
    """Return the assessment, its rates, and the results of the checker when they were given, in plain JSON types."""
    sides: dict[str, Any] = {side: rates(assessment, side).to_dict() for side in SIDES}
    content: dict[str, Any] = {
        "referentiel": assessment.standard, "date": assessment.date.isoformat(),
        "taux": {**sides, "ensemble": rates(assessment).to_dict()},
        "criteres": [
            {"critere": item.id, "theme": theme.label, "intitule": item.title,
             **{side: _verdict(item.verdict(side)) for side in SIDES}}
            for theme in assessment.themes for item in theme.criteria
        ],
    }  # fmt: skip
    if report is not None:
        content["axe"] = {**report.to_dict(), "sans_critere": unclaimed(assessment, report)}
    return content


def _verdict(verdict: Verdict) -> dict[str, Any]:
    told = {
        "resultat": RESULTS[verdict.result], "controles": list(verdict.checks), "note": verdict.note,
        "ce_qui_echoue": verdict.fails, "que_faire": verdict.fix, "ou_le_lire": verdict.elsewhere,
    }  # fmt: skip
    return {name: value for name, value in told.items() if value}


def rate_line(assessment: Assessment, side: Side | None) -> list[str]:
    """Return a row of the table of rates: name, results, rate."""
    found = rates(assessment, side)
    rate = found.rate
    return [
        "Ensemble" if side is None else SIDES[side], str(found.conforme), str(found.non_conforme),
        str(found.non_applicable), str(found.non_teste), "–" if rate is None else format_value(rate, "%", 1),
    ]  # fmt: skip
