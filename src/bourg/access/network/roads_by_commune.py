"""Road segments of a department cut by commune: a zip of GeoJSON files in the schema of Geofabrik's shapefiles."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bourg.access.network.errors import ExtractFormatError
from bourg.access.network.raw import UNITS_PER_DEGREE, Collector
from bourg.access.network.rules import is_street
from bourg.errors import ArchiveError

_MAX_MEMBER_BYTES = 400_000_000
_FIELDS = ("osm_id", "fclass", "oneway", "maxspeed")
_LINKS = {"unknown": {"highway": "road"}}


def read_roads(path: Path, into: Collector, progress: Callable[[str], None] | None = None) -> None:
    """Add the streets of a zip of road GeoJSON to a collector.

    Nodes are told by their coordinates: lines meet where they share a point, never where they merely cross. A line
    given whole in several communes counts once; the parts of a line cut at borders are joined by their common point.

    Raises
    ------
    ExtractFormatError
        When the archive holds no GeoJSON, or one without the expected fields.
    ArchiveError
        When the archive is damaged or too big.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = sorted(item.filename for item in archive.infolist() if item.filename.lower().endswith(".geojson"))
            if not members:
                raise ExtractFormatError("L'archive ne contient aucun fichier GeoJSON de voirie.", where=path.name)
            known: set[tuple[int, int]] = set()
            for rank, member in enumerate(members):
                if archive.getinfo(member).file_size > _MAX_MEMBER_BYTES:
                    raise ArchiveError("Un fichier de l'archive est démesuré.", where=f"{path.name} / {member}")
                _read_member(archive.read(member), f"{path.name} / {member}", into, known)
                if progress and rank % 50 == 49:
                    progress(f"{rank + 1} communes lues sur {len(members)}")
    except (zipfile.BadZipFile, EOFError, NotImplementedError) as error:
        raise ArchiveError(
            "L'archive de voirie est abîmée.",
            where=path.name,
            why=str(error)[:300],
            next_step="Téléchargez-la de nouveau.",
        ) from error


def _read_member(content: bytes, where: str, into: Collector, known: set[tuple[int, int]]) -> None:
    try:
        features = json.loads(content.decode("utf-8-sig"))["features"]
    except (ValueError, KeyError, TypeError) as error:
        raise ExtractFormatError("Un fichier de voirie n'est pas du GeoJSON.", where=where, why=str(error)) from error
    for feature in features:
        properties, geometry = feature.get("properties") or {}, feature.get("geometry")
        absent = [name for name in _FIELDS if name not in properties]
        if absent:
            raise ExtractFormatError(
                "Un tronçon n'a pas les champs attendus de la voirie de Geofabrik.",
                where=where,
                why=f"champs absents : {', '.join(absent)}",
            )
        tags = _tags(properties)
        if geometry is None or not is_street(tags):
            continue
        lines = geometry["coordinates"] if geometry["type"] == "MultiLineString" else [geometry["coordinates"]]
        profile = into.profile_of(tags.items())
        for line in lines:
            _add_line(int(properties["osm_id"]), profile, line, into, known)


def _add_line(way: int, profile: int, line: list[list[float]], into: Collector, known: set[tuple[int, int]]) -> None:
    points = np.rint(np.asarray(line, dtype=np.float64)[:, :2] * UNITS_PER_DEGREE).astype(np.int64)
    keys = (points[:, 0] + (1 << 31)) << 32 | (points[:, 1] + (1 << 31))
    keep = np.ones(len(keys), dtype=bool)
    keep[1:] = keys[1:] != keys[:-1]
    keys, points = keys[keep], points[keep]
    mark = (way, hash(keys.tobytes()))
    if len(keys) < 2 or mark in known:
        return
    known.add(mark)
    into.add(way, profile, _as_ids(keys), points[:, 0].tolist(), points[:, 1].tolist())


def _as_ids(keys: np.ndarray[Any, np.dtype[np.int64]]) -> list[int]:
    return [int(key) for key in keys]


def _tags(properties: dict[str, Any]) -> dict[str, str]:
    """Return the OSM tags that a record of Geofabrik's shapefiles stands for; 0 is an unknown limit."""
    fclass = str(properties["fclass"])
    tags = dict(_LINKS.get(fclass, {"highway": fclass}))
    if fclass.startswith("track_grade"):
        tags = {"highway": "track", "tracktype": fclass.removeprefix("track_")}
    sense = {"F": "yes", "T": "-1"}.get(str(properties["oneway"]))
    if sense:
        tags["oneway"] = sense
    if properties["maxspeed"]:
        tags["maxspeed"] = str(int(properties["maxspeed"]))
    for key in ("bridge", "tunnel"):
        if properties.get(key) == "T":
            tags[key] = "yes"
    return tags
