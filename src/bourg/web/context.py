"""What the routes need to know of the rest of Bourg."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import polars as pl

from bourg.settings import Settings


class SnapshotView(Protocol):
    """An opened snapshot, as the routes see it."""

    @property
    def id(self) -> str:
        """Identifier, different for each content."""

    @property
    def folder(self) -> Path:
        """Folder of the files."""

    def table(self, name: str) -> pl.LazyFrame:
        """Return a table, lazily."""


class Found(Protocol):
    """A commune found by the search."""

    def to_dict(self) -> dict[str, object]:
        """Return plain JSON types."""


class WebContext(Protocol):
    """The state of the server."""

    @property
    def settings(self) -> Settings:
        """Folders of the installation."""

    def current_snapshot(self) -> SnapshotView:
        """Return the snapshot in service.

        Raises
        ------
        SnapshotError
            When there is none.
        """

    def search(self, query: str, limit: int) -> Sequence[Found]:
        """Return the communes that fit a name, a postal code or an INSEE code; nothing when none does."""
