"""Dated parameters of the comparison engine, read from ``compare/parameters/*.yaml``."""

from __future__ import annotations

import datetime as dt
from functools import cache
from importlib import resources
from typing import Any

import yaml
from pydantic import ValidationError

from bourg.errors import DeclarationError, ParameterError
from bourg.indicators.parameters import Parameter


@cache
def load_setting(name: str) -> Parameter:
    """Return one declared parameter of the comparison engine.

    Raises
    ------
    ParameterError
        When no file declares it.
    DeclarationError
        When its file has a missing or unknown attribute.
    """
    path = resources.files("bourg.compare").joinpath("parameters", f"{name}.yaml")
    if not name.isidentifier() or not path.is_file():
        raise ParameterError(f"Le paramètre « {name[:60]} » n'existe pas.")
    try:
        declared = Parameter.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (ValidationError, yaml.YAMLError) as error:
        raise DeclarationError("Un paramètre est mal déclaré.", where=f"{name}.yaml", why=str(error)) from error
    if declared.name != name:
        raise DeclarationError("Le nom d'un paramètre doit être celui de son fichier.", where=f"{name}.yaml")
    return declared


def setting(name: str, date: dt.date | None = None) -> Any:  # noqa: ANN401 (a mapping or a list)
    """Return the value in force on ``date`` (the latest one by default).

    Raises
    ------
    ParameterError
        When the parameter does not exist, or had no value yet on that date.
    """
    in_force = [item for item in load_setting(name).values if date is None or item.start <= date]
    if not in_force:
        raise ParameterError(f"Le paramètre « {name} » n'a pas de valeur au {date}.")
    return max(in_force, key=lambda item: item.start).value
