"""What the data package declares: its resources, their columns in French, and what it leaves out and why."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Annotated, Literal

import polars as pl
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bourg.errors import DeclarationError
from bourg.yamls import load_yaml

_FILE = "resources.yaml"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Published(_Strict):
    """One resource of the package.

    Attributes
    ----------
    name
        Identifier of the resource, and name of its file.
    file, table, built
        Where its rows come from: a file of the snapshot, one of its tables, or a table made for the package.
    title, description
        French texts.
    key
        Columns that tell its rows apart; empty when the source gives none.
    themes
        Codes of the European vocabulary of data themes (``REGI``, ``EDUC``…).
    geometry
        Whether it is a layer (GeoParquet).
    """

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    title: str
    description: str
    key: tuple[str, ...]
    themes: Annotated[tuple[str, ...], Field(min_length=1)]
    file: str | None = None
    table: str | None = None
    built: Literal["indicators", "communes"] | None = None
    geometry: bool = False


class KeptBack(_Strict):
    """Tables of the snapshot that are not published, and why."""

    reason: str
    tables: tuple[str, ...]


class _Declared(_Strict):
    resources: tuple[Published, ...]
    fields: Mapping[str, str]
    kept_back: tuple[KeptBack, ...]


@cache
def _declared() -> _Declared:
    text = resources.files("bourg.opendata").joinpath(_FILE).read_text(encoding="utf-8")
    try:
        return _Declared.model_validate(load_yaml(text))
    except (ValidationError, yaml.YAMLError) as error:
        raise DeclarationError("Le paquet de données est mal déclaré.", where=_FILE, why=str(error)) from error


def published() -> tuple[Published, ...]:
    """Return the resources of the package, in their order.

    Raises
    ------
    DeclarationError
        When the declaration has a missing or unknown attribute.
    """
    return _declared().resources


def kept_back() -> dict[str, str]:
    """Return the tables that are not published and the reason, by name."""
    return {table: group.reason for group in _declared().kept_back for table in group.tables}


def column_text(resource: str, column: str) -> str:
    """Return the French description of a column.

    Raises
    ------
    DeclarationError
        When the column is not described: a package never holds a column that nobody explains.
    """
    fields = _declared().fields
    text = fields.get(f"{resource}.{column}") or fields.get(column)
    if text is None:
        raise DeclarationError(
            "Une colonne du paquet de données n'est pas décrite.", where=f"{resource}.{column}",
            next_step=f"décrivez-la dans {_FILE}.",
        )  # fmt: skip
    return text


def schema_type(kind: pl.DataType) -> str:
    """Return the type of a column in the words of Table Schema.

    Raises
    ------
    DeclarationError
        When the column has a type that Table Schema does not know.
    """
    if kind.is_integer():
        return "integer"
    if kind.is_numeric():
        return "number"
    named = {
        pl.String: "string", pl.Boolean: "boolean", pl.Date: "date", pl.List: "array", pl.Struct: "object",
        pl.Binary: "any",
    }  # fmt: skip
    if (found := named.get(kind.base_type())) is None:
        raise DeclarationError("Une colonne du paquet de données a un type inconnu.", where=str(kind))
    return found
