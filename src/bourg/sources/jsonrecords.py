"""JSON exports of OpenDataSoft: records of the first API, flat rows of the second, GeoJSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl

from bourg.errors import SourceFormatError

# JSON is parsed in memory at once: a national list of places is far below this.
MAX_JSON_BYTES = 256 * 1024**2


def is_json(path: Path) -> bool:
    """Tell whether a file starts as JSON."""
    with path.open("rb") as stream:
        return stream.read(64).lstrip(b"\xef\xbb\xbf \r\n\t")[:1] in {b"[", b"{"}


def _cell(value: Any) -> str | None:  # noqa: ANN401 - any JSON value
    if value is None:
        return None
    if isinstance(value, dict) and {"lat", "lon"} <= value.keys():
        return f"{value['lat']},{value['lon']}"
    if isinstance(value, list):
        return ",".join(str(item) for item in value)
    return str(value)


def _rows(content: Any, path: Path) -> list[dict[str, Any]]:  # noqa: ANN401 - any JSON value
    if isinstance(content, dict):
        content = content.get("results") or content.get("records") or content.get("features")
    if not isinstance(content, list) or not all(isinstance(item, dict) for item in content):
        raise SourceFormatError(
            "Le fichier JSON n'est pas une liste d'enregistrements.",
            where=path.name,
            next_step="prenez l'export « JSON » complet du jeu de données.",
        )
    return [item.get("fields") or item.get("properties") or item for item in content]


def read_records(path: Path) -> pl.DataFrame:
    """Return the records of a JSON export as a frame of text; points become ``lat,lon``.

    Raises
    ------
    SourceFormatError
        Truncated or invalid JSON (with line and column), no record, or a file beyond ``MAX_JSON_BYTES``.
    """
    if path.stat().st_size > MAX_JSON_BYTES:
        raise SourceFormatError(
            "Le fichier JSON est trop gros.", where=path.name, next_step="prenez l'export CSV du même jeu de données."
        )
    try:
        content = json.loads(path.read_bytes().decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise SourceFormatError("Le fichier JSON n'est pas en UTF-8.", where=path.name, why=str(error)) from error
    except json.JSONDecodeError as error:
        raise SourceFormatError(
            "Le fichier JSON est invalide ou tronqué.",
            where=f"{path.name}, ligne {error.lineno}, colonne {error.colno}",
            why=error.msg,
            next_step="téléchargez-le à nouveau (bourg fetch).",
        ) from error
    rows = _rows(content, path)
    if not rows:
        raise SourceFormatError("Le fichier ne contient aucun enregistrement.", where=path.name)
    names = list(dict.fromkeys(name for row in rows for name in row))
    return pl.DataFrame(
        {name: [_cell(row.get(name)) for row in rows] for name in names}, schema=dict.fromkeys(names, pl.String())
    )
