"""The OpenAPI 3.1 document, made from the declarations of the operations."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

import bourg
from bourg.web.api import models
from bourg.web.api.formats import FORMATS
from bourg.web.api.operations import OPERATIONS, Operation
from bourg.web.api.parameters import Parameter
from bourg.web.api.problems import KINDS, MEDIA, PREFIX

_TAGS = {
    "Communes": "Trouver une commune et lire ce qui la décrit.",
    "Valeurs": "Valeurs des indicateurs, toujours avec leur statut.",
    "Comparaisons": "Communes côte à côte, villes semblables, temps d'accès.",
    "Catalogue": "Indicateurs, sources et territoires.",
    "Cartes": "Lieux, contours et tuiles.",
}
_DESCRIPTION = """\
API ouverte de Bourg, l'observatoire des petites villes : en lecture seule, sans clé ni compte.

- Une valeur va toujours avec son **statut** : manquante, secrète, sans objet ou non accessible, elle est nulle, et ce
  n'est jamais un zéro. Une valeur fabriquée (démonstration) porte `demo: true`, et la réponse un avertissement.
- Chaque réponse dit l'instantané, les sources et leurs licences (`meta`, en-têtes `X-Bourg-…`, métadonnées Parquet).
- Les listes se parcourent avec `page` et `size`, ou l'en-tête `Link`. `format=csv` et `format=parquet` donnent des
  fichiers.
- `ETag` et `If-None-Match` évitent de recharger ce qui n'a pas changé.
- Toute erreur est un problème en français (`application/problem+json`) qui dit quoi, où, pourquoi et que faire.
"""
_REFUSALS = {
    404: ("adresse-inconnue", "territoire-inconnu", "indicateur-inconnu", "source-inconnue", "page-inconnue",
          "sans-donnee", "reseau-absent"),
    406: ("format-refuse",),
    413: ("reponse-trop-grosse",),
    414: ("adresse-trop-longue",),
    422: ("parametre-inconnu", "parametre-manquant", "parametre-invalide", "code-illisible"),
    429: ("trop-de-demandes", "delai-depasse"),
    503: ("instantane-absent",),
}  # fmt: skip
_HEADERS = {
    "ETag": "Empreinte de la réponse, à redonner dans If-None-Match.",
    "Link": "Pages suivantes et précédentes, description de l'API.",
    "X-Bourg-Instantane": "Identifiant de l'instantané.",
    "X-Bourg-Demonstration": "« oui » quand la réponse contient une valeur de démonstration.",
    "X-Bourg-Sources": "Identifiants des sources, séparés par des virgules.",
}
_COMMON: tuple[type[BaseModel], ...] = (models.Meta, models.PagedMeta, models.Problem)


def _parameter(item: Parameter, place: str) -> dict[str, Any]:
    described: dict[str, Any] = {
        "name": item.name,
        "in": place,
        "description": item.description,
        "required": place == "path" or item.required,
        "schema": item.schema(),
    }
    if item.example is not None:
        described["example"] = [item.example] if item.most > 1 else item.example
    return described


def _reference(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{model.__name__}"}


def _content(operation: Operation, form: str) -> dict[str, Any]:
    """Return the schema of the answer in one format."""
    if form in ("csv", "mvt", "parquet"):
        return {"schema": {"type": "string"} if form == "csv" else {}}
    meta = _reference(models.PagedMeta if operation.paged else models.Meta)
    if form == "geojson":
        properties = _reference(operation.model) if operation.model else {"type": "object"}
        feature = {
            "type": "object",
            "required": ["type", "geometry", "properties"],
            "properties": {
                "type": {"const": "Feature"},
                "geometry": {"type": ["object", "null"]},
                "properties": properties,
            },
        }
        return {
            "schema": {
                "type": "object",
                "required": ["type", "features", "meta"],
                "properties": {
                    "type": {"const": "FeatureCollection"},
                    "features": {"type": "array", "items": feature},
                    "meta": meta,
                },
            }
        }
    one = _reference(operation.model) if operation.model else {"type": "object"}
    data = {"type": "array", "items": one} if operation.paged else one
    return {"schema": {"type": "object", "required": ["data", "meta"], "properties": {"data": data, "meta": meta}}}


def _responses(operation: Operation) -> dict[str, Any]:
    answered = {
        "description": "La réponse.",
        "headers": {name: {"description": text, "schema": {"type": "string"}} for name, text in _HEADERS.items()},
        "content": {FORMATS[form].media: _content(operation, form) for form in operation.formats},
    }
    refused = {
        str(status): {
            "description": " ".join(f"{KINDS[slug].title} : {KINDS[slug].meaning}" for slug in slugs),
            "content": {MEDIA: {"schema": _reference(models.Problem)}},
        }
        for status, slugs in _REFUSALS.items()
    }
    return {"200": answered, "304": {"description": "Inchangée depuis l'ETag donné."}, **refused}


def openapi() -> dict[str, Any]:
    """Return the OpenAPI document as plain JSON types."""
    paths = {
        PREFIX + operation.path: {
            "get": {
                "operationId": operation.id,
                "summary": operation.summary,
                "description": operation.description,
                "tags": [operation.tag],
                "parameters": [
                    *(_parameter(item, "path") for item in operation.inside),
                    *(_parameter(item, "query") for item in operation.parameters),
                ],
                "responses": _responses(operation),
            }
        }
        for operation in OPERATIONS
    }
    used = dict.fromkeys((*_COMMON, *(item.model for item in OPERATIONS if item.model is not None)))
    _, schemas = models_json_schema(
        [(model, "serialization") for model in used], ref_template="#/components/schemas/{model}"
    )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "API de Bourg",
            "version": "1",
            "summary": "Les petites villes françaises en données ouvertes.",
            "description": _DESCRIPTION,
            "license": {"name": "Code : MIT ; données : licence de chaque source", "url": f"{PREFIX}/sources"},
            "x-bourg-version": bourg.__version__,
        },
        "tags": [{"name": name, "description": text} for name, text in _TAGS.items()],
        "paths": paths,
        "components": {"schemas": schemas["$defs"]},
    }


@cache
def openapi_bytes() -> bytes:
    """Return the document as JSON, the same bytes for the same version."""
    return json.dumps(openapi(), ensure_ascii=False, separators=(",", ":")).encode()
