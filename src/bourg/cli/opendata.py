"""Commands on open data: the data package, the DCAT-AP catalogue, the reuse card of data.gouv.fr."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from bourg.cli.base import JsonOption, app, console, print_json, print_text, settings_of
from bourg.cli.french import FrenchCommand, FrenchGroup
from bourg.cli.progress import StepBar
from bourg.text import count_of, format_value

opendata_app = typer.Typer(
    name="opendata", cls=FrenchGroup, no_args_is_help=True, rich_markup_mode=None,
    subcommand_metavar="COMMANDE [ARGUMENTS]...",
    help="Données ouvertes : paquet de données, catalogue DCAT, fiche de réutilisation.",
)  # fmt: skip
app.add_typer(opendata_app)
_TITLE = "Bourg, l'observatoire ouvert des petites villes"
_DESCRIPTION = (
    "Portraits des communes françaises comparées à celles qui leur ressemblent : chiffres clés, particularités, "
    "commerces, culture, énergie, temps d'accès à pied, à vélo et en voiture. Chaque chiffre donne sa formule, sa "
    "source et ses limites, et chacun peut le recalculer."
)


class Syntax(StrEnum):
    """Forms of the catalogue."""

    TURTLE = "turtle"
    JSON_LD = "json-ld"


class Environment(StrEnum):
    """Sites of data.gouv.fr."""

    DEMO = "demo"
    WWW = "www"


@opendata_app.command("package", cls=FrenchCommand)
def package(
    folder: Annotated[Path, typer.Argument(metavar="DOSSIER", help="Dossier du paquet : vide, nouveau ou à refaire.")],
    as_json: JsonOption = False,
) -> None:
    """Écrit l'instantané en paquet de données (Frictionless) : CSV, Parquet, GeoParquet et leur description."""
    from bourg.opendata.package import write_package  # noqa: PLC0415
    from bourg.portrait.observatory import open_observatory  # noqa: PLC0415

    observatory = open_observatory(settings_of())
    with StepBar(console, "Paquet de données", quiet=as_json) as bar:
        report = write_package(observatory, folder, bar.advance)
    if as_json:
        print_json(report.to_dict())
        return
    print_text(
        f"{count_of(report.resources, 'ressource')}, {count_of(report.rows, 'ligne')}, "
        f"{format_value(report.size / 1e6, 'Mo', 1)} : {folder}"
    )


@opendata_app.command("catalogue", cls=FrenchCommand)
def catalogue(
    address: Annotated[str, typer.Option("--adresse", help="Adresse publique où les données sont en ligne.")],
    publisher: Annotated[str, typer.Option("--editeur", help="Qui publie : « Ville de … », « Agence … ».")],
    contact: Annotated[str, typer.Option("--contact", help="Adresse électronique d'un service.")] = "",
    syntax: Annotated[Syntax, typer.Option("--format", help="Syntaxe du catalogue.")] = Syntax.TURTLE,
    output: Annotated[Path | None, typer.Option("--sortie", "-o", help="Fichier ; sinon la sortie standard.")] = None,
) -> None:
    """Écrit le catalogue DCAT-AP de ce qui est publié, que data.gouv.fr et data.europa.eu savent moissonner."""
    from bourg.opendata.dcat import Publisher  # noqa: PLC0415
    from bourg.opendata.dcat import catalogue as written  # noqa: PLC0415
    from bourg.portrait.observatory import open_observatory  # noqa: PLC0415
    from bourg.sources.files import write_atomic  # noqa: PLC0415

    content = written(open_observatory(settings_of()), Publisher(publisher, address, contact), syntax.value)
    if output is None:
        print_text(content.decode())
        return
    write_atomic(output, content)
    print_text(f"Catalogue : {output}")


@opendata_app.command("reuse", cls=FrenchCommand)
def reuse(
    url: Annotated[str, typer.Option("--adresse", help="Adresse publique de l'observatoire.")],
    title: Annotated[str, typer.Option("--titre", help="Titre de la fiche.")] = _TITLE,
    description: Annotated[str, typer.Option("--description", help="Texte de la fiche (Markdown).")] = _DESCRIPTION,
    kind: Annotated[str, typer.Option("--type", help="application, visualization, api…")] = "application",
    topic: Annotated[str, typer.Option("--theme", help="Thème de data.gouv.fr.")] = "society_and_demography",
    image: Annotated[str, typer.Option("--image", help="Adresse publique d'une image.")] = "",
    datasets: Annotated[
        list[str] | None,
        typer.Option("--jeu", help="Jeu de données lié (répétable) ; sinon, ceux que l'instantané a lus."),
    ] = None,
    tags: Annotated[list[str] | None, typer.Option("--mot", help="Mot-clé (répétable).")] = None,
    sending: Annotated[
        bool, typer.Option("--send", "--envoyer", help="Envoie la fiche avec votre clé (BOURG_DATAGOUV_KEY).")
    ] = False,
    environment: Annotated[
        Environment, typer.Option("--site", help="demo.data.gouv.fr pour essayer, ou www.")
    ] = Environment.DEMO,
) -> None:
    """Prépare et vérifie la fiche de réutilisation pour data.gouv.fr ; ne l'envoie que si vous le demandez."""
    from bourg.opendata.reuse import ReuseCard, dataset_of, linked_datasets, send  # noqa: PLC0415
    from bourg.portrait.observatory import open_observatory  # noqa: PLC0415

    linked = tuple(map(dataset_of, datasets)) if datasets else linked_datasets(open_observatory(settings_of()))
    card = ReuseCard(
        title=title, description=description, kind=kind, topic=topic, url=url, datasets=linked, image=image,
        tags=tuple(tags or ("communes", "petites-villes-de-demain")),
    ).checked()  # fmt: skip
    print_json(card.payload())
    if sending:
        page = send(card, os.environ.get("BOURG_DATAGOUV_KEY", ""), environment.value)
        typer.echo(f"Fiche envoyée : {page}", err=True)
    else:
        typer.echo("Fiche vérifiée, non envoyée. Pour l'envoyer : --send (essai sur demo.data.gouv.fr).", err=True)
