"""What the commands share: the application, its options, its ways of printing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from bourg.cli.french import FrenchGroup
from bourg.errors import ParameterError
from bourg.settings import Settings, load_settings

app = typer.Typer(
    name="bourg",
    cls=FrenchGroup,
    subcommand_metavar="COMMANDE [ARGUMENTS]...",
    help="Bourg, l'observatoire ouvert des petites villes. Pour commencer : « bourg demo » puis « bourg serve ».",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
console = Console(stderr=True, highlight=False, soft_wrap=True)

JsonOption = Annotated[bool, typer.Option("--json", help="Sortie JSON sur la sortie standard.")]
MirrorOption = Annotated[
    Path | None, typer.Option("--mirror", help="Dossier de fichiers officiels à lire d'abord (ou BOURG_MIRROR).")
]
TownArgument = Annotated[str, typer.Argument(metavar="CODE", help="Code Insee, ou nom sans ambiguïté.")]


def print_text(text: str) -> None:
    """Print on the standard output."""
    typer.echo(text)


def print_json(content: object) -> None:
    """Print plain types as JSON on the standard output."""
    typer.echo(json.dumps(content, ensure_ascii=False, indent=2))


def print_table(columns: list[str], rows: list[list[str]]) -> None:
    """Print aligned columns."""
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*row)
    Console(highlight=False).print(table)


def settings_of(mirror: Path | None = None) -> Settings:
    """Return the settings of this run.

    Raises
    ------
    ParameterError
        When the folder of the mirror does not exist.
    """
    settings = load_settings(mirror=mirror)
    if settings.mirror is not None and not settings.mirror.is_dir():
        raise ParameterError(
            "Le dossier du miroir n'existe pas.",
            where=str(settings.mirror),
            next_step="vérifiez le chemin de --mirror, ou la variable BOURG_MIRROR.",
        )
    return settings
