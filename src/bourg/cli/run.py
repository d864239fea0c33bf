"""The command line: runs a command, turns typed errors into French messages and exit codes."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

import typer

# Each module adds its commands to the application: the order is the one of the help.
from bourg.cli import data, towns, access, commerce, extract, site, opendata, accessibility, service  # isort: skip
from bourg.cli.base import app, print_json
from bourg.cli.french import ClickException, NoArgsIsHelpError, PipeClosedError, usage_error
from bourg.errors import BourgError

__all__ = [
    "access", "accessibility", "app", "commerce", "data", "extract", "main", "opendata", "service", "site", "towns",
]  # fmt: skip

# What shells give to a program stopped by Ctrl+C.
_INTERRUPTED = 130


def _fail(error: BourgError, *, as_json: bool) -> int:
    if as_json:
        print_json(error.to_dict())
    else:
        typer.echo(str(error), err=True)
    return error.exit_code


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; a typed error is printed in French and gives its exit code, never a stack trace."""
    given = sys.argv[1:] if arguments is None else arguments
    try:
        code = _run(given)
        sys.stdout.flush()
    except (BrokenPipeError, PipeClosedError):
        # Nothing is wrong, and nothing more can be written.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    sys.exit(code)


def _run(given: list[str]) -> int:
    command: Callable[..., Any] = typer.main.get_command(app)
    try:
        result = command(args=given, prog_name="bourg", standalone_mode=False)
        code = result if isinstance(result, int) else 0
    except BourgError as error:
        return _fail(error, as_json="--json" in given)
    except NoArgsIsHelpError as error:
        typer.echo(error.format_message(), err=True)
        return 2
    except ClickException as error:
        return _fail(usage_error(error), as_json="--json" in given)
    except (typer.Abort, KeyboardInterrupt):
        code = _INTERRUPTED
    if code == _INTERRUPTED:
        typer.echo("Interrompu : l'instantané en service n'a pas changé.", err=True)
    return code
