"""Dated parameters: thresholds and windows live in YAML, with a reference, never inside formulas."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bourg.errors import DeclarationError, ParameterError
from bourg.yamls import load_yaml


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DatedValue(_Strict):
    """A value in force from a day on."""

    start: dt.date = Field(alias="from")
    value: Any


class Parameter(_Strict):
    """A declared constant: French label, unit, reference, and its values by date."""

    name: str
    label: str
    unit: str
    reference: str
    values: tuple[DatedValue, ...] = Field(min_length=1)


@dataclass(frozen=True)
class SizeClass:
    """Communes of ``low`` to ``high`` inhabitants, both included; ``high`` is ``None`` for the last class."""

    id: str
    label: str
    low: int
    high: int | None


@cache
def load_parameter(name: str, package: str = "bourg.indicators") -> Parameter:
    """Return one declared parameter of a package, read from its folder ``parameters``.

    Raises
    ------
    ParameterError
        When no file declares it.
    DeclarationError
        When its file has a missing or unknown attribute.
    """
    path = resources.files(package).joinpath("parameters", f"{name}.yaml")
    if not name.isidentifier() or not path.is_file():
        raise ParameterError(f"Le paramètre « {name[:60]} » n'existe pas.")
    try:
        declared = Parameter.model_validate(load_yaml(path.read_text(encoding="utf-8")))
    except (ValidationError, yaml.YAMLError) as error:
        raise DeclarationError("Un paramètre est mal déclaré.", where=f"{name}.yaml", why=str(error)) from error
    if declared.name != name:
        raise DeclarationError("Le nom d'un paramètre doit être celui de son fichier.", where=f"{name}.yaml")
    return declared


def parameter(name: str, date: dt.date | None = None, package: str = "bourg.indicators") -> Any:  # noqa: ANN401
    """Return the value of a parameter in force on ``date`` (the latest one by default).

    Raises
    ------
    ParameterError
        When the parameter does not exist, or had no value yet on that date.
    """
    declared = load_parameter(name, package)
    in_force = [item for item in declared.values if date is None or item.start <= date]
    if not in_force:
        raise ParameterError(f"Le paramètre « {name} » n'a pas de valeur au {date}.")
    return max(in_force, key=lambda item: item.start).value


def size_classes(date: dt.date | None = None) -> tuple[SizeClass, ...]:
    """Return the size classes of communes, the smallest first."""
    return tuple(SizeClass(**item) for item in parameter("size_classes", date))
