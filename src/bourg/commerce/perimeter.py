"""Declared perimeters of a town centre: GeoJSON polygons, checked before they are drawn."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import shapely
from shapely.errors import GEOSException
from shapely.geometry.base import BaseGeometry

from bourg.commerce.centre import Perimeter, in_metres, metres_per_degree
from bourg.errors import SourceFormatError
from bourg.text import NBSP, count_of, format_number

MAX_BYTES = 5_000_000
MAX_DISTANCE_M = 2_000
_WGS84 = ("CRS84", "4326")
_ADVICE = "donnez un GeoJSON de polygones en longitude et latitude (EPSG:4326), par exemple celui d'une ORT."


class PerimeterError(SourceFormatError):
    """A declared perimeter that cannot be used: empty, invalid, in another projection, far from the commune."""


def read_perimeter(source: Path | bytes, outline: BaseGeometry, *, name: str = "") -> Perimeter:
    """Read and check a declared perimeter.

    Parameters
    ----------
    source
        GeoJSON file, or its content (an upload).
    outline
        The commune, EPSG:4326.
    name
        What to call it; by default the property ``nom`` or ``name`` of the first feature, else the file name.

    Raises
    ------
    PerimeterError
        Not GeoJSON, no polygon, invalid geometry, another projection, swapped coordinates, far from the commune.
    """
    where = source.name if isinstance(source, Path) else name or "périmètre envoyé"
    try:
        content = source.read_bytes() if isinstance(source, Path) else source
    except OSError as error:
        raise PerimeterError("Le périmètre ne peut pas être lu.", where=where, why=error.strerror or "") from error
    if len(content) > MAX_BYTES:
        raise PerimeterError("Le fichier du périmètre est trop gros.", where=where, next_step=_ADVICE)
    try:
        told = json.loads(content.decode("utf-8-sig"))
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise PerimeterError(
            "Le périmètre n'est pas un fichier GeoJSON.", where=where, why=str(error)[:200], next_step=_ADVICE
        ) from error
    if not isinstance(told, dict):
        raise PerimeterError("Le périmètre n'est pas un fichier GeoJSON.", where=where, next_step=_ADVICE)
    _check_crs(told, where)
    shapes, title = _shapes(told, where)
    notes: list[str] = []
    polygons = [shape for shape in shapes if shape.geom_type in {"Polygon", "MultiPolygon"} and not shape.is_empty]
    if len(polygons) < len(shapes):
        left = len(shapes) - len(polygons)
        notes.append(f"{count_of(left, 'objet')} du fichier sans surface{NBSP}: laissé de côté")
    if not polygons:
        raise PerimeterError("Le périmètre est vide : le fichier n'a aucun polygone.", where=where, next_step=_ADVICE)
    _check_degrees(polygons, outline, where)
    for shape in polygons:
        if not shape.is_valid:
            raise PerimeterError(
                "La géométrie du périmètre n'est pas valide.", where=where, why=shapely.is_valid_reason(shape),
                next_step="corrigez le polygone (un contour ne se croise pas) dans votre logiciel de cartographie.",
            )  # fmt: skip
    merged = shapely.normalize(shapely.union_all(polygons))
    notes += _check_place(merged, outline, where)
    return Perimeter(merged, (name or title or where)[:120], tuple(notes))


def _check_crs(told: dict[str, Any], where: str) -> None:
    crs = told.get("crs")
    label = str(crs.get("properties", {}).get("name", "")) if isinstance(crs, dict) else ""
    if label and not label.endswith(_WGS84):
        raise PerimeterError(
            "Le périmètre est dans une autre projection.", where=where, why=f"le fichier annonce {label[:80]}.",
            next_step="exportez-le en longitude et latitude (EPSG:4326).",
        )  # fmt: skip


def _shapes(told: dict[str, Any], where: str) -> tuple[list[BaseGeometry], str]:
    kind = told.get("type")
    features = told.get("features") if kind == "FeatureCollection" else [told]
    if not isinstance(features, list) or not all(isinstance(item, dict) for item in features):
        raise PerimeterError("Le périmètre n'est pas un fichier GeoJSON.", where=where, next_step=_ADVICE)
    geometries = [item.get("geometry") if item.get("type") == "Feature" else item for item in features]
    title = ""
    for item in features:
        properties = item.get("properties")
        if not title and isinstance(properties, dict):
            title = str(properties.get("nom") or properties.get("name") or "")
    shapes: list[BaseGeometry] = []
    for geometry in geometries:
        if geometry is None:
            continue
        try:
            found = shapely.from_geojson(json.dumps(geometry))
        except (GEOSException, ValueError) as error:
            raise PerimeterError(
                "Une géométrie du périmètre est illisible.", where=where, why=str(error)[:200], next_step=_ADVICE
            ) from error
        shapes.extend(shapely.get_parts(found) if found.geom_type == "GeometryCollection" else [found])
    return shapes, title


def _check_degrees(polygons: list[BaseGeometry], outline: BaseGeometry, where: str) -> None:
    west, south, east, north = shapely.total_bounds(polygons)
    if not (-180 <= west <= east <= 180 and -90 <= south <= north <= 90):
        raise PerimeterError(
            "Le périmètre est dans une autre projection.", where=where,
            why=f"ses coordonnées ({format_number(west)}, {format_number(south)}) ne sont pas des degrés.",
            next_step="exportez-le en longitude et latitude (EPSG:4326) ; le Lambert 93 n'est pas accepté.",
        )  # fmt: skip
    swapped = shapely.box(south, west, north, east)
    if swapped.intersects(outline) and not shapely.box(west, south, east, north).intersects(outline):
        raise PerimeterError(
            "La longitude et la latitude du périmètre sont inversées.", where=where,
            next_step="le GeoJSON écrit d'abord la longitude, puis la latitude.",
        )  # fmt: skip


def _check_place(shape: BaseGeometry, outline: BaseGeometry, where: str) -> list[str]:
    scale = metres_per_degree(float(outline.centroid.y))
    town, drawn = in_metres(outline, scale), in_metres(shape, scale)
    distance = drawn.distance(town)
    if distance > MAX_DISTANCE_M or drawn.area == 0:
        raise PerimeterError(
            "Le périmètre n'est pas dans la commune.", where=where,
            why=f"il en est à {format_number(distance / 1000, 1)}{NBSP}km.",
            next_step="vérifiez que c'est le bon fichier, ou la bonne commune.",
        )  # fmt: skip
    out = 100 * drawn.difference(town).area / drawn.area
    if distance > 0 or out > 99:
        raise PerimeterError(
            "Le périmètre n'est pas dans la commune.", where=where, why="il ne la recouvre en aucun point utile.",
            next_step="vérifiez que c'est le bon fichier, ou la bonne commune.",
        )  # fmt: skip
    return [f"{format_number(out)}{NBSP}% du périmètre est hors de la commune"] if out >= 1 else []
