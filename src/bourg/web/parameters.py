"""Read the parameters of the addresses: each one is checked, and a wrong one is named in the answer."""

from __future__ import annotations

import math
import re

import polars as pl
from starlette.datastructures import QueryParams

from bourg.errors import ParameterError, UnknownTerritoryError
from bourg.geography.codes import parse_commune_code
from bourg.maps.places import PlaceFilter

_ALLOWED = ("commune", "departement", "type", "categorie", "bbox")
_DEPARTEMENT = re.compile(r"(?:0[1-9]|[1-8]\d|9[0-5]|2[AB]|9[78]\d)")
_MAX_VALUES = 60
_MAX_LENGTH = 120


def read_filter(query: QueryParams) -> PlaceFilter:
    """Return the places asked for by ``?commune=&departement=&type=&categorie=&bbox=``.

    Raises
    ------
    ParameterError
        When a parameter is unknown, repeated, or out of its values.
    MalformedCodeError
        When the commune code cannot be one.
    """
    if unknown := sorted(set(query) - set(_ALLOWED)):
        raise ParameterError(
            f"Le paramètre « {unknown[0][:40]} » n'existe pas.",
            next_step=f"paramètres acceptés : {', '.join(_ALLOWED)}.",
        )
    commune = _single(query, "commune")
    departement = _single(query, "departement")
    bbox = _single(query, "bbox")
    return PlaceFilter(
        commune=parse_commune_code(commune) if commune else None,
        departement=_departement(departement) if departement else None,
        types=_labels(query, "type"),
        categories=_labels(query, "categorie"),
        bbox=_bbox(bbox) if bbox else None,
    )


def _single(query: QueryParams, name: str) -> str:
    values = query.getlist(name)
    if len(values) > 1:
        raise ParameterError(
            f"Le paramètre « {name} » est donné plusieurs fois.", where=name, next_step="gardez-en un seul."
        )
    return values[0].strip() if values else ""


def _labels(query: QueryParams, name: str) -> tuple[str, ...]:
    values = tuple(dict.fromkeys(value.strip() for value in query.getlist(name) if value.strip()))
    if len(values) > _MAX_VALUES or any(len(value) > _MAX_LENGTH for value in values):
        raise ParameterError(
            "Trop de valeurs, ou une valeur trop longue.", where=name, next_step=f"donnez-en {_MAX_VALUES} au plus."
        )
    return values


def _departement(text: str) -> str:
    code = text.upper()
    if not code.isascii() or not _DEPARTEMENT.fullmatch(code):
        raise ParameterError(
            f"« {text[:20]} » n'est pas un code de département.",
            where="departement",
            next_step="exemples : 12, 2A, 974.",
        )
    return code


def _bbox(text: str) -> tuple[float, float, float, float]:
    advice = "écrivez ouest,sud,est,nord en degrés, par exemple bbox=2.9,44.0,3.3,44.2."
    parts = text.split(",")
    try:
        values = [float(part) for part in parts] if len(text) <= _MAX_LENGTH else []
    except ValueError as error:
        raise ParameterError("Le cadre « bbox » n'est pas fait de nombres.", where="bbox", next_step=advice) from error
    if len(values) != 4 or not all(math.isfinite(value) for value in values):
        raise ParameterError("Le cadre « bbox » doit avoir quatre nombres.", where="bbox", next_step=advice)
    west, south, east, north = values
    if not (-180 <= west <= east <= 180 and -90 <= south <= north <= 90):
        raise ParameterError("Le cadre « bbox » sort du monde ou est à l'envers.", where="bbox", next_step=advice)
    return west, south, east, north


def check_territories(wanted: PlaceFilter, communes: pl.LazyFrame) -> str | None:
    """Return the name of the commune asked for, if any.

    Raises
    ------
    UnknownTerritoryError
        When the commune or the department is not in the reference geography.
    """
    if wanted.departement is not None:
        codes = communes.filter(pl.col("code").str.starts_with(wanted.departement)).head(1).collect()
        if codes.is_empty():
            raise UnknownTerritoryError(
                f"Le département « {wanted.departement} » n'a pas de commune.", where="departement"
            )
    return commune_name(wanted.commune, communes) if wanted.commune is not None else None


def commune_name(code: str, communes: pl.LazyFrame) -> str:
    """Return the name of a commune.

    Raises
    ------
    UnknownTerritoryError
        When it is not in the reference geography.
    """
    names = communes.filter(pl.col("code") == code).select("name").collect().to_series().to_list()
    if not names:
        raise UnknownTerritoryError(
            f"La commune « {code} » n'existe pas dans la géographie de référence.",
            where="commune",
            next_step="vérifiez le code, ou cherchez la commune par son nom : /bourg/recherche?q=…",
        )
    return str(names[0])
