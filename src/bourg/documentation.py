"""Pages of ``docs/`` made from the code, so that no indicator, source or command is left undocumented."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import click
import typer

from bourg.indicators.documentation import render as render_indicators
from bourg.indicators.documentation import render_pages
from bourg.sources.files import storage_errors, write_atomic
from bourg.sources.model import Source, load_catalogue

_CODES = """
## Codes de sortie

| Code | Sens |
|---|---|
| 0 | tout va bien |
| 2 | commande ou code mal écrits |
| 3 | commune ou indicateur inconnu |
| 4 | une source au moins n'a pas pu être lue |
| 5 | source introuvable |
| 6 | disque plein, ou construction déjà en cours |
| 7 | pas d'instantané utilisable |
| 130 | interrompu |

## Réglages

- `BOURG_HOME` : dossier de travail (téléchargements, démonstration, instantanés).
- `BOURG_MIRROR` : dossier de fichiers officiels à lire d'abord, comme `--mirror`.
- `BOURG_ADDRESS` : adresse publique du serveur (`https://bourg.exemple.fr`), pour les liens canoniques et les aperçus ;
  sans elle, celle que le lecteur a demandée.
- `BOURG_CONTACT` : adresse électronique ou page à qui signaler un défaut d'accessibilité.
- `BOURG_API_RATE` : demandes admises par l'API, par minute et par adresse (voir [l'API](api.md)).
- `BOURG_OVERPASS` : serveur Overpass de l'[extracteur](extraction.md) ; rien ne lui est demandé sans ce réglage.
- `BOURG_DATAGOUV_KEY` : votre clé, pour [envoyer une fiche de réutilisation](opendata.md).

Les variables propres à une mise en ligne sont sur [ses pages](deploiement/README.md).
"""
_MADE = "Page produite par `bourg docs` : ne pas la modifier."


def _source(source: Source) -> list[str]:
    lines = [
        f"## {source.title}",
        "",
        f"- Identifiant : `{source.id}`",
        f"- Producteur : {source.producer}",
        f"- Licence : {source.licence}",
        f"- Mise à jour : {source.rhythm}",
        f"- Grain : {source.grain}" + (f", communes du COG {source.cog}" if source.cog else ""),
        f"- Page officielle : <{source.landing_page}>",
        f"- Tables produites : {', '.join(f'`{name}`' for name in source.tables)}",
        "",
        "| Ressource | Millésime | Format | Couverture | Fichier du miroir |",
        "|---|---|---|---|---|",
    ]
    for item in source.resources:
        mirror = "<br>".join(f"`{path}`" for path in item.mirror) or "–"
        lines.append(f"| `{item.id}` | {item.vintage} | {item.layout} | {item.coverage} | {mirror} |")
    lines.append("")
    lines += [f"- Attention (`{item.id}`) : {text}" for item in source.resources for text in item.caveats]
    lines += [f"- {text}" for text in source.caveats]
    return [*lines, ""]


def render_sources() -> str:
    """Return ``sources.md``."""
    lines = ["# Les sources", "", _MADE, ""]
    for source in load_catalogue().values():
        lines += _source(source)
    return "\n".join(lines).rstrip() + "\n"


def render_commands() -> str:
    """Return ``commandes.md``: every command with its arguments and options."""
    from bourg.cli import app  # noqa: PLC0415 - the command line imports this module

    group = typer.main.get_command(app)
    lines = ["# Les commandes", "", _MADE, "", "Chaque commande a son aide : `bourg COMMANDE --help`.", ""]
    for name, command in sorted(group.commands.items()):  # type: ignore[attr-defined]
        lines += [f"## bourg {name}", "", (command.help or "").strip(), ""]
        lines += [
            f"- `{_spelling(parameter)}` : {_help(parameter)}"
            for parameter in command.params
            if parameter.name != "help"
        ]
        lines.append("")
    return "\n".join(lines).rstrip() + "\n" + _CODES


def _spelling(parameter: click.Parameter) -> str:
    if parameter.param_type_name == "argument":
        return str(getattr(parameter, "metavar", None) or parameter.name).upper()
    return ", ".join(parameter.opts)


def _help(parameter: click.Parameter) -> str:
    return str(getattr(parameter, "help", None) or "")


PAGES = {"indicators.md": render_indicators, "sources.md": render_sources, "commandes.md": render_commands}
# Pages of indicators have a folder of their own: what is there and is not made any more is removed.
INDICATORS = "indicateurs"
EXAMPLES = Path(__file__).resolve().parents[2] / "tests" / "examples"


def made_pages(examples: Path = EXAMPLES) -> dict[str, str]:
    """Return path inside the docs -> text of every page made from the code.

    Raises
    ------
    DeclarationError
        When an indicator has no example: the pages are made from a copy of the repository.
    """
    return {name: render() for name, render in PAGES.items()} | render_pages(examples)


def _strangers(folder: Path, pages: Collection[str]) -> list[str]:
    """Return the pages of indicators that no longer exist."""
    found = (f"{INDICATORS}/{path.name}" for path in (folder / INDICATORS).glob("*.md"))
    return sorted(name for name in found if name not in pages)


def outdated_pages(folder: Path) -> list[str]:
    """Return the names of the pages of ``folder`` that differ from what the code says, or should not be there."""
    pages = made_pages()
    late = [
        name for name, text in pages.items()
        if not (folder / name).is_file() or (folder / name).read_text(encoding="utf-8") != text
    ]  # fmt: skip
    return late + _strangers(folder, pages)


def write_pages(folder: Path) -> list[str]:
    """Write every page in ``folder``, remove those of indicators that no longer exist, and return the names written.

    Raises
    ------
    StorageError
        When the folder cannot be written.
    DeclarationError
        When an indicator has no example.
    """
    pages = made_pages()
    with storage_errors(folder):
        (folder / INDICATORS).mkdir(parents=True, exist_ok=True)
        for name in _strangers(folder, pages):
            (folder / name).unlink()
    for name, text in pages.items():
        write_atomic(folder / name, text.encode())
    return list(pages)
