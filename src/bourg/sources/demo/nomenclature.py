"""The BPE nomenclature as the generator uses it (``indicators/parameters/typequ.yaml``)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources

from bourg.errors import DeclarationError
from bourg.yamls import load_yaml

TYPEQU_FILE = "indicators/parameters/typequ.yaml"


@dataclass(frozen=True)
class FacilityType:
    """One TYPEQU with its national figures.

    Attributes
    ----------
    totals
        Vintage -> (facilities, communes with at least one) in the whole country.
    """

    code: str
    label: str
    domain: str
    subdomain: str
    totals: dict[int, tuple[int, int]]


@cache
def facility_types() -> tuple[FacilityType, ...]:
    """Return every type of the nomenclature in code order.

    Raises
    ------
    DeclarationError
        When the file has an entry without label, domain or figure.
    """
    text = resources.files("bourg").joinpath(TYPEQU_FILE).read_text(encoding="utf-8")
    found = []
    for code, entry in sorted(load_yaml(text)["types"].items()):
        try:
            totals = {
                year: (int(entry[f"n{year}"][0]), int(entry[f"n{year}"][1]))
                for year in (2019, 2023)
                if f"n{year}" in entry
            }
            found.append(FacilityType(code, entry["label"], entry["domain"], entry["subdomain"], totals))
        except (KeyError, TypeError, IndexError) as error:
            raise DeclarationError(
                "Un type d'équipement est mal déclaré.", where=f"{TYPEQU_FILE}, {code}", why=repr(error)
            ) from error
    return tuple(found)
