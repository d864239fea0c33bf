"""Dated parameters of the network, read from ``access/parameters/*.yaml``."""

from __future__ import annotations

import datetime as dt
import hashlib
from functools import cache
from importlib import resources
from typing import Any

from bourg.indicators.parameters import parameter

_PACKAGE = "bourg.access"
RULE_FILES = ("access_rules", "junctions", "slope", "snapping", "speeds")
# To be raised when the code gives another network for the same rules.
BUILD_VERSION = 1


@cache
def rule(name: str, date: dt.date | None = None) -> Any:  # noqa: ANN401 (a mapping)
    """Return the value in force on ``date`` (the latest one by default); errors are those of :func:`parameter`."""
    return parameter(name, date, _PACKAGE)


def rules_hash() -> str:
    """Return the SHA-256 of the rules that made a network: files and version of the code."""
    digest = hashlib.sha256(f"bourg-network-{BUILD_VERSION}".encode())
    for name in RULE_FILES:
        digest.update(resources.files(_PACKAGE).joinpath("parameters", f"{name}.yaml").read_bytes())
    return digest.hexdigest()
