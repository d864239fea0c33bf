"""Territorial levels an indicator can be given for."""

from __future__ import annotations

from typing import Literal, get_args

Level = Literal["commune", "epci", "departement", "region", "france"]
LEVELS: tuple[Level, ...] = get_args(Level)

LEVEL_LABELS: dict[str, str] = {
    "commune": "Commune",
    "epci": "Intercommunalité",
    "departement": "Département",
    "region": "Région",
    "france": "France",
}
FRANCE_CODE = "FR"
