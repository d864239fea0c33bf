"""The command line ``bourg``."""

from bourg.cli.run import app, main

__all__ = ["app", "main"]
