"""Dated parameters of the comparison engine, read from ``compare/parameters/*.yaml``."""

from __future__ import annotations

import datetime as dt
from typing import Any

from bourg.indicators.parameters import Parameter, load_parameter, parameter

_PACKAGE = "bourg.compare"


def load_setting(name: str) -> Parameter:
    """Return one declared parameter of the comparison engine; errors are those of :func:`load_parameter`."""
    return load_parameter(name, _PACKAGE)


def setting(name: str, date: dt.date | None = None) -> Any:  # noqa: ANN401 (a mapping or a list)
    """Return the value in force on ``date`` (the latest one by default); errors are those of :func:`parameter`."""
    return parameter(name, date, _PACKAGE)
