"""Help and usage errors of the command line in French: Typer only writes them in English."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from typing import Any

# Typer carries its own copy of Click and does not export these; its version is pinned.
from typer._click.core import Command, Context
from typer._click.exceptions import (
    BadOptionUsage,
    BadParameter,
    ClickException,
    MissingParameter,
    NoArgsIsHelpError,
    NoSuchOption,
    UsageError,
)
from typer._click.formatting import HelpFormatter
from typer.core import TyperCommand, TyperGroup

from bourg.errors import ParameterError

__all__ = ["ClickException", "FrenchCommand", "FrenchGroup", "NoArgsIsHelpError", "PipeClosedError", "usage_error"]

_HEADINGS = {"Commands": "Commandes", "Arguments": "Arguments", "Options": "Options"}
_TEXTS = {
    "Show this message and exit.": "Affiche cette aide.",
    "Install completion for the current shell.": "Installe la complétion pour cet interpréteur de commandes.",
    "Show completion for the current shell, to copy it or customize the installation.": (
        "Affiche la complétion, pour la copier ou l'adapter."
    ),
}
# Types and remarks beside a parameter: "<int range>", "[default: 8501; required]".
_WORDS = (
    (r"<list\[str\]>", "<textes>"), (r"<str>", "<texte>"), (r"<path>", "<chemin>"), (r"<int( range)?>", "<entier>"),
    (r"(?<=[\[ ])default: ", "défaut : "), (r"(?<=[\[ ])required(?=\])", "obligatoire"),
    (r"; (\d+)<=x<=(\d+)", r" ; de \1 à \2"),
)  # fmt: skip


def _french(text: str) -> str:
    text = _TEXTS.get(text, text)
    for pattern, words in _WORDS:
        text = re.sub(pattern, words, text)
    return text


class _Formatter(HelpFormatter):
    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        super().write_usage(prog, args, prefix or "Usage : ")

    def write_heading(self, heading: str) -> None:
        self.write(f"{'':>{self.current_indent}}{_HEADINGS.get(heading, heading)} :\n")

    def write_dl(self, rows: Sequence[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        super().write_dl([(_french(name), _french(text)) for name, text in rows], col_max, col_spacing)


def _help(command: Command, ctx: Context) -> str:
    formatter = _Formatter(width=ctx.terminal_width, max_width=ctx.max_content_width)
    command.format_help(ctx, formatter)
    return formatter.getvalue().rstrip("\n")


class FrenchCommand(TyperCommand):
    """A command whose help is in French."""

    def get_help(self, ctx: Context) -> str:
        """Return the help page."""
        return _help(self, ctx)


class PipeClosedError(Exception):
    """The reader of a pipe (``head``, ``less``) left; Typer would make an exit code 1 of it."""


class FrenchGroup(TyperGroup):
    """The list of commands, with its help and its unknown commands in French."""

    def invoke(self, ctx: Context) -> Any:  # noqa: ANN401 - as in Typer
        """Run a command.

        Raises
        ------
        PipeClosedError
            When nobody reads the output any more.
        """
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise PipeClosedError from error

    def get_help(self, ctx: Context) -> str:
        """Return the help page."""
        return _help(self, ctx)

    def resolve_command(self, ctx: Context, args: list[str]) -> tuple[str | None, Command | None, list[str]]:
        """Find the command named first in ``args``.

        Raises
        ------
        ParameterError
            When there is none, with the closest names.
        """
        name = args[0]
        if self.get_command(ctx, name) is None and not name.startswith("-"):
            near = difflib.get_close_matches(name, self.commands, n=2, cutoff=0.6)
            hint = f"vouliez-vous dire {' ou '.join(f'« {item} »' for item in near)} ? " if near else ""
            raise ParameterError(
                f"La commande « {name[:60]} » n'existe pas.", next_step=f"{hint}La liste est donnée par : bourg --help"
            )
        return super().resolve_command(ctx, args)


def usage_error(error: ClickException) -> ParameterError:
    """Return, in French, an error of Typer about the options and arguments of a command."""
    ctx = error.ctx if isinstance(error, UsageError) else None
    where = ctx.command_path if ctx is not None else "bourg"
    return ParameterError(_what(error), where=where, next_step=f"l'aide est donnée par : {where} --help")


def _what(error: ClickException) -> str:
    match error:
        case MissingParameter(param=param):
            text = f"Il manque {_named(param)}."
        case BadParameter(param=param):
            text = f"La valeur de {_named(param)} ne convient pas : {_reason(error.message)}."
        case NoSuchOption(option_name=name, possibilities=near):
            hint = f" (vouliez-vous dire {' ou '.join(sorted(near))} ?)" if near else ""
            text = f"L'option « {name[:60]} » n'existe pas{hint}."
        case BadOptionUsage(option_name=name):
            wants = "attend une" if "requires" in error.message else "n'attend pas de"
            text = f"L'option « {name[:60]} » {wants} valeur."
        case _:
            extra = re.search(r"unexpected extra argument.*? \((.*)\)", error.message)
            told = f"argument de trop, « {extra.group(1)[:60]} »" if extra else error.format_message()
            text = f"La commande est mal écrite : {told}."
    return text


def _named(param: object) -> str:
    kind = "l'option" if getattr(param, "param_type_name", "") == "option" else "l'argument"
    names = getattr(param, "opts", []) if kind == "l'option" else [getattr(param, "display_name_raw", "")]
    return f"{kind} {' / '.join(names)}"


def _reason(message: str) -> str:
    if found := re.search(r"(greater|less) than or equal to (-?[\d.]+)", message):
        return f"elle doit être {'au moins' if found.group(1) == 'greater' else 'au plus'} {found.group(2)}"
    return "un nombre entier est attendu" if "integer" in message else message
