"""Commands on towns and figures: indicators, portrait, similar, compare."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from bourg.cli.base import JsonOption, TownArgument, app, print_json, print_table, print_text, settings_of
from bourg.cli.french import FrenchCommand
from bourg.text import format_value


class OutputFormat(StrEnum):
    """Forms of a portrait."""

    TEXT = "text"
    JSON = "json"
    HTML = "html"
    MD = "md"
    PDF = "pdf"


@app.command(cls=FrenchCommand)
def indicators(
    explain: Annotated[str | None, typer.Option("--explain", help="Décrit un indicateur.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Liste les indicateurs, ou en décrit un (formule, sources, limites)."""  # noqa: D401 - French
    from bourg.indicators.registry import get_indicator, load_indicators  # noqa: PLC0415

    if explain:
        declaration = get_indicator(explain).declaration
        if as_json:
            print_json(declaration.model_dump(mode="json"))
            return
        print_text("\n".join([
            f"{declaration.label} ({declaration.id})", f"Unité : {declaration.unit}", f"Thème : {declaration.theme}",
            f"Niveaux : {', '.join(declaration.levels)}", f"Formule : {declaration.formula}",
            f"Sources : {', '.join(declaration.sources)}", f"Ce que ce chiffre ne dit pas : {declaration.limits}",
            f"Référence : {declaration.reference}",
        ]))  # fmt: skip
        return
    known = [item.declaration for item in load_indicators().values()]
    if as_json:
        print_json([item.model_dump(mode="json") for item in known])
        return
    print_table(["Identifiant", "Indicateur", "Unité", "Thème"], [[d.id, d.label, d.unit, d.theme] for d in known])


@app.command(cls=FrenchCommand)
def portrait(
    commune: TownArgument,
    output: Annotated[
        OutputFormat | None,
        typer.Option("--format", help="Forme de la sortie (celle du nom du fichier par défaut, sinon text)."),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FICHIER", help="Fichier à écrire (PDF : portrait-CODE-NOM.pdf ici)."),
    ] = None,
    theme: Annotated[str | None, typer.Option("--theme", help="Un seul thème : commerce, culture, energie…")] = None,
    among: Annotated[
        str | None, typer.Option("--parmi", metavar="CODES", help="Compare aussi à ces communes : 12202,12176…")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Affiche ou écrit le portrait d'une commune : texte, JSON, HTML, Markdown ou PDF."""
    from bourg.cli.portraits import format_of, portrait_content, write_file  # noqa: PLC0415
    from bourg.portrait.observatory import open_observatory  # noqa: PLC0415

    form = OutputFormat.JSON if as_json else OutputFormat(format_of(output, file))
    observatory = open_observatory(settings_of())
    codes = among.replace(",", " ").split() if among else None
    made = portrait_content(observatory, observatory.index.resolve(commune).code, form, theme=theme, among=codes)
    if file is None and form is not OutputFormat.PDF:
        print_text(made.content.decode().removesuffix("\n"))
        return
    path = write_file(file or Path(f"portrait-{made.name}.{form}"), made.content)
    print_text(f"{path} : {format_value(len(made.content) / 1000, 'ko')}.")


@app.command(cls=FrenchCommand)
def similar(
    commune: TownArgument,
    number: Annotated[int | None, typer.Option("--number", "-k", help="Nombre de villes (15 par défaut).")] = None,
    as_json: JsonOption = False,
) -> None:
    """Liste les villes les plus semblables par leur structure, avec les raisons."""  # noqa: D401 - French
    from bourg.portrait.comparison import similar_to  # noqa: PLC0415
    from bourg.portrait.observatory import open_observatory  # noqa: PLC0415

    observatory = open_observatory(settings_of())
    match = observatory.index.resolve(commune)
    found = similar_to(observatory, match.code, k=number)
    if as_json:
        print_json(found.to_dict())
        return
    print_text(f"Villes semblables à {match.label}")
    if found.message:
        print_text(found.message)
    for town in found.neighbours:
        departement = observatory.index.get(town.code).departement_name
        print_text(
            f"{town.rank:>3}. {town.code} {town.name} ({departement}) : {town.sentence}{' ◆' if town.demo else ''}"
        )
    if found.stability is not None:
        print_text(
            f"Stabilité : {found.stability:.2f} (1 = mêmes villes si l'on retire une caractéristique).".replace(
                ".", ",", 1
            )
        )


@app.command(cls=FrenchCommand)
def compare(
    communes: Annotated[
        list[str], typer.Argument(metavar="CODE...", help="De 2 à 10 codes Insee, ou noms sans ambiguïté.")
    ],
    as_json: JsonOption = False,
) -> None:
    """Met les chiffres de plusieurs communes côte à côte."""
    from bourg.portrait.comparison import compare_towns  # noqa: PLC0415
    from bourg.portrait.observatory import open_observatory  # noqa: PLC0415

    table = compare_towns(open_observatory(settings_of()), communes)
    if as_json:
        print_json(table.to_dict())
        return
    rows = [[f"{item.label}{' ◆' if item.demo else ''}", *item.texts.values()] for item in table.figures]
    print_table(["Indicateur", *(f"{name} ({code})" for code, name in table.towns.items())], rows)
