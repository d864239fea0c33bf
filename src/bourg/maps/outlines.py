"""Outlines of departments and communes for the map, made once at build."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import shapely

from bourg.errors import SnapshotError, UnknownTerritoryError
from bourg.geography.codes import departement_of
from bourg.maps.files import gz_path, read_gzip, write_gzip

DEPARTEMENTS_FILE = "departements.json"

# Tolerances in degrees (the square root of the area a corner may lose): about 650 m on the national view,
# 100 m on the commune view. Both are under two pixels at the largest zoom where the layer is drawn.
_DEPARTEMENT_TOLERANCE = 0.006
_COMMUNE_TOLERANCE = 0.001
# Below this many points a commune, the source is already generalised and simplifying gains nothing.
_ALREADY_SIMPLE = 60
# Decimals of a degree: 11 m, far finer than the generalised outlines.
_DIGITS = 4

_Geometries = npt.NDArray[np.object_]


@dataclass(frozen=True)
class OutlinesInfo:
    """What was written: numbers of outlines, communes without one, bytes of ``departements.json.gz``."""

    communes: int
    departements: int
    without_outline: int
    departements_size_gz: int
    communes_size_gz: int

    def to_dict(self) -> dict[str, int]:
        """Return plain JSON types."""
        return asdict(self)


@dataclass(frozen=True)
class CommuneShape:
    """Outline of a commune, ready for the map.

    Attributes
    ----------
    code, name
        Code and name of the commune.
    geometry
        GeoJSON geometry (EPSG:4326).
    bounds
        West, south, east, north, in degrees.
    """

    code: str
    name: str
    geometry: dict[str, Any]
    bounds: tuple[float, float, float, float]


def communes_file(departement: str) -> str:
    """Return the name of the file that holds the communes of a department."""
    return f"communes-{departement}.json"


def write_outlines(
    polygons: pl.DataFrame, out: Path, *, departement_names: dict[str, str] | None = None
) -> OutlinesInfo:
    """Write ``departements.json`` and one ``communes-<department>.json`` per department, compressed.

    Departments are simplified together, so that two neighbours keep the same border. All of it takes about five
    seconds for 35,000 communes.

    Parameters
    ----------
    polygons
        ``code, name, departement, wkb`` (EPSG:4326); ``wkb`` may be null: the commune is counted, not drawn.
    out
        Folder, usually ``<snapshot>/cartes``.
    departement_names
        Code to name; the code alone is shown for a department that is not there.

    Raises
    ------
    SnapshotError
        When no polygon is given.
    StorageError
        When the folder cannot be written.
    """
    drawn = polygons.filter(pl.col("wkb").is_not_null()).sort("departement", "code")
    if drawn.is_empty():
        raise SnapshotError("Aucun contour de commune : la carte ne peut pas être faite.", where="communes")
    geometries: _Geometries = shapely.from_wkb(drawn["wkb"].to_list())
    departements = drawn["departement"].to_numpy()
    codes, starts = np.unique(departements, return_index=True)
    groups = np.split(np.arange(drawn.height), starts[1:])
    # Shapely and zlib free the interpreter while they work: threads use every core.
    with ThreadPoolExecutor() as pool:
        unions = np.array(list(pool.map(lambda group: _union(geometries[group]), groups)), dtype=object)
    size = _write_departements(codes, unions, departement_names or {}, out)

    if shapely.get_num_coordinates(geometries).sum() > _ALREADY_SIMPLE * drawn.height:
        geometries = shapely.coverage_simplify(geometries, _COMMUNE_TOLERANCE)
    names = drawn.select("code", "name").rows()

    def write_communes(code: str, group: npt.NDArray[np.int64]) -> int:
        features = _features(geometries[group], [names[index] for index in group])
        return write_gzip(out / communes_file(code), _collection(features))

    with ThreadPoolExecutor() as pool:
        total = sum(pool.map(write_communes, codes.tolist(), groups))
    return OutlinesInfo(
        communes=drawn.height,
        departements=len(codes),
        without_outline=polygons.height - drawn.height,
        departements_size_gz=size,
        communes_size_gz=total,
    )


def _union(geometries: _Geometries) -> shapely.Geometry:
    """Return the outline of a department; the fast union needs communes that neither overlap nor leave slits."""
    if shapely.coverage_is_valid(geometries):
        return shapely.coverage_union_all(geometries)
    return shapely.union_all(geometries)


def _write_departements(codes: npt.NDArray[Any], unions: _Geometries, names: dict[str, str], out: Path) -> int:
    simple = shapely.coverage_simplify(unions, _DEPARTEMENT_TOLERANCE)
    # An island smaller than the tolerance vanishes from the drawing; a whole department never does.
    simple = np.where(shapely.is_empty(simple), unions, simple)
    labels = [(str(code), names.get(str(code), str(code))) for code in codes]
    return write_gzip(out / DEPARTEMENTS_FILE, _collection(_features(simple, labels)))


def _features(geometries: _Geometries, labels: list[tuple[str, str]]) -> list[dict[str, Any]]:
    anchors = shapely.get_coordinates(shapely.point_on_surface(geometries)).round(_DIGITS).tolist()
    boxes = shapely.bounds(geometries).round(_DIGITS).tolist()
    return [
        {
            "type": "Feature",
            "properties": {"code": code, "nom": name, "ancre": anchor},
            "bbox": box,
            "geometry": {"type": "MultiPolygon", "coordinates": _coordinates(geometry)},
        }
        for (code, name), geometry, anchor, box in zip(labels, geometries, anchors, boxes, strict=True)
    ]


def _coordinates(geometry: shapely.Geometry) -> list[list[list[list[float]]]]:
    """Return the coordinates of a multipolygon, rounded; rings that rounding flattens are left out."""
    polygons = []
    for part in shapely.get_parts(geometry):
        rings = []
        for ring in (part.exterior, *part.interiors):
            points = shapely.get_coordinates(ring).round(_DIGITS)
            kept = np.concatenate(([True], (np.diff(points, axis=0) != 0).any(axis=1)))
            points = points[kept]
            if len(points) >= 4:
                rings.append(points.tolist())
            elif ring is part.exterior:
                break
        if rings:
            polygons.append(rings)
    return polygons


def _collection(features: list[dict[str, Any]]) -> bytes:
    content = {"type": "FeatureCollection", "features": features}
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


def commune_geometry(folder: Path, code: str) -> CommuneShape:
    """Return the outline of a commune from the files written in ``folder``.

    Raises
    ------
    UnknownTerritoryError
        When the commune has no outline.
    SnapshotError
        When the files of the map are damaged.
    """
    path = folder / communes_file(departement_of(code))
    stored = gz_path(path)
    if stored.is_file() and (shape := _shapes(path, stored.stat().st_mtime_ns).get(code)):
        return shape
    raise UnknownTerritoryError(
        f"La commune {code} n'a pas de contour.",
        where=path.name,
        next_step="vérifiez le code ; la carte s'affiche sans contour pour cette commune.",
    )


@lru_cache(maxsize=32)
def _shapes(path: Path, _modified: int) -> dict[str, CommuneShape]:
    """Return the outlines of one department; ``_modified`` renews the cache when the file changes."""
    try:
        features = json.loads(read_gzip(path))["features"]
        return {
            item["properties"]["code"]: CommuneShape(
                item["properties"]["code"], item["properties"]["nom"], item["geometry"], tuple(item["bbox"])
            )
            for item in features
        }
    except (ValueError, KeyError, TypeError) as error:
        raise SnapshotError(
            "Les contours des communes sont illisibles.",
            where=path.name,
            why=str(error),
            next_step="reconstruisez l'instantané : bourg build.",
        ) from error
