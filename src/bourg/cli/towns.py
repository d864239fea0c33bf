"""Commands on towns and figures: indicators, portrait, similar, compare."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from bourg.cli.base import JsonOption, TownArgument, app, print_json, print_table, print_text, settings_of
from bourg.cli.french import FrenchCommand


class OutputFormat(StrEnum):
    """Forms of a portrait."""

    TEXT = "text"
    JSON = "json"


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
    output: Annotated[OutputFormat, typer.Option("--format", help="Forme de la sortie.")] = OutputFormat.TEXT,
    theme: Annotated[str | None, typer.Option("--theme", help="Un seul thème : commerce, culture, energie…")] = None,
    among: Annotated[
        str | None, typer.Option("--parmi", metavar="CODES", help="Compare aussi à ces communes : 12202,12176…")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Affiche le portrait d'une commune."""
    from bourg.indicators.theme_labels import theme_of  # noqa: PLC0415
    from bourg.portrait.comparison import sets_apart  # noqa: PLC0415
    from bourg.portrait.document import make_portrait  # noqa: PLC0415
    from bourg.portrait.observatory import open_observatory  # noqa: PLC0415

    observatory = open_observatory(settings_of())
    document = make_portrait(observatory, observatory.index.resolve(commune).code)
    if theme is not None:
        document = document.of_theme(theme_of(theme))
    codes = among.replace(",", " ").split() if among else None
    apart = sets_apart(observatory, document.identity.code, "list", codes=codes) if codes else None
    if as_json or output is OutputFormat.JSON:
        told = document.to_dict()
        if apart is not None:
            told["parmi_les_communes_choisies"] = {
                "codes": codes, "message": apart.message, "phrases": [item.sentence for item in apart.traits],
            }  # fmt: skip
        print_json(told)
        return
    print_text(document.to_text())
    if apart is not None:
        lines = [f"  {item.sentence}{' ◆' if item.demo else ''}" for item in apart.traits]
        print_text("\n".join(["", "PARMI LES COMMUNES CHOISIES", *([apart.message] if apart.message else []), *lines]))


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
