"""Command on accessibility: the assessment against the RGAA, with the results of the automated checker."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bourg.cli.base import JsonOption, app, print_json, print_table, print_text
from bourg.cli.french import FrenchCommand
from bourg.sources.files import storage_errors, write_atomic
from bourg.text import count_of, format_date

if TYPE_CHECKING:
    from bourg.accessibility import Assessment


@app.command(cls=FrenchCommand)
def accessibility(
    output: Annotated[
        Path | None, typer.Option("-o", "--sortie", help="Écrit les 106 critères dans ce fichier CSV.")
    ] = None,
    axe: Annotated[
        Path | None, typer.Option("--axe", help="Résultats d'axe-core écrits par les tests (BOURG_AXE_OUT).")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Donne l'auto-évaluation de l'accessibilité (RGAA) : critères, taux, ce qui échoue et où le lire autrement."""
    from bourg.accessibility import load_assessment, merged, read_axe  # noqa: PLC0415
    from bourg.accessibility.assessment import RESULTS, SIDES  # noqa: PLC0415
    from bourg.accessibility.automated import unclaimed  # noqa: PLC0415
    from bourg.accessibility.sheet import rate_line, to_csv, to_dict  # noqa: PLC0415

    assessment = load_assessment()
    report = read_axe(axe) if axe is not None else None
    if report is not None:
        assessment = merged(assessment, report)
    if output is not None:
        with storage_errors(output):
            write_atomic(output, to_csv(assessment).encode())
    if as_json:
        print_json(to_dict(assessment, report))
        return
    print_text(f"{assessment.standard}, évaluation du {format_date(assessment.date)}")
    print_table(
        ["", *(label.capitalize() for label in RESULTS.values()), "Taux"],
        [rate_line(assessment, side) for side in (*SIDES, None)],
    )
    _print_failures(assessment)
    if report is not None:
        print_text(f"\naxe-core {report.axe} : {count_of(len(report.pages), 'page vérifiée', 'pages vérifiées')}.")
        for side, failures in unclaimed(assessment, report).items():
            for rule, families in failures.items():
                print_text(f"  {SIDES[side]}, règle {rule} (sans critère) : {', '.join(families)}")
    if output is not None:
        print_text(f"\nLes 106 critères : {output}")


def _print_failures(assessment: Assessment) -> None:
    for item in assessment.criteria():
        for verdict, label in ((item.public, "pages publiques"), (item.dashboard, "tableau de bord")):
            if verdict.result == "non_conforme":
                print_text(f"\n{item.id} {item.title} ({label})\n  {verdict.fails}\n  Que faire : {verdict.fix}")
                if verdict.elsewhere:
                    print_text(f"  Ailleurs : {verdict.elsewhere}")
