"""Command that writes the static site."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from bourg.cli.base import JsonOption, app, console, print_json, print_text, settings_of
from bourg.cli.french import FrenchCommand
from bourg.cli.progress import StepBar
from bourg.text import count_of, format_value


@app.command(cls=FrenchCommand)
def site(
    sortie: Annotated[
        Path, typer.Argument(metavar="DOSSIER", help="Dossier du site : vide, nouveau, ou à mettre à jour.")
    ],
    pvd: Annotated[bool, typer.Option("--pvd", help="Les Petites villes de demain.")] = False,
    departement: Annotated[
        list[str] | None, typer.Option("--departement", help="Les communes d'un département (répétable).")
    ] = None,
    codes: Annotated[
        list[str] | None, typer.Option("--codes", help="Communes, par leur code Insee (répétable, ou 12145,12202).")
    ] = None,
    adresse: Annotated[str, typer.Option("--adresse", help="Adresse publique du site (plan du site, liens).")] = "",
    processus: Annotated[int, typer.Option("--processus", min=0, help="Processus (0 : autant que de cœurs).")] = 0,
    complet: Annotated[bool, typer.Option("--complet", help="Refait toutes les pages, même inchangées.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Écrit le site statique : une page par commune, sans serveur ni JavaScript ; seul ce qui a changé est refait."""
    # Each process works alone: threads of the libraries would only fight for the same cores.
    os.environ.setdefault("POLARS_MAX_THREADS", "2")
    from bourg.portrait.observatory import open_observatory  # noqa: PLC0415
    from bourg.site.generate import generate_site  # noqa: PLC0415
    from bourg.site.selection import chosen_codes  # noqa: PLC0415

    settings = settings_of()
    observatory = open_observatory(settings)
    given = [code for item in codes or [] for code in item.replace(",", " ").split()]
    chosen = chosen_codes(observatory, pvd=pvd, departements=departement or (), codes=given)
    with StepBar(console, "Site", quiet=as_json) as bar:
        report = generate_site(
            settings, sortie, chosen, address=adresse, workers=processus or None, complete=complet,
            progress=bar.advance,
        )  # fmt: skip
    if as_json:
        print_json(report.to_dict())
        return
    print_text(
        f"{count_of(report.towns, 'commune')}, {count_of(report.files, 'fichier')}, "
        f"{format_value(report.size / 1e6, 'Mo', 1)} : {count_of(report.written, 'fichier')} écrits, "
        f"{report.unchanged} inchangés, {report.deleted} supprimés ; "
        f"{count_of(report.made, 'commune refaite', 'communes refaites')}, "
        f"{count_of(report.mended, 'retouchée', 'retouchées')}. Site : {sortie}"
    )
    if not adresse:
        print_text("Avant de publier, donnez l'adresse du site : --adresse https://… (plan du site, liens canoniques).")
