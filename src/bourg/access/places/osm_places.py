"""Places of an OpenStreetMap extract as points: facilities, dwellings, addresses."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import osmium
import polars as pl
import shapely
from osmium.filter import KeyFilter, TagFilter

from bourg.access.places.crosswalk import Family, chosen_families, families_of_tags, osm_tags
from bourg.errors import SourceFormatError
from bourg.indicators.parameters import parameter

INCOMPLETE = "géométrie absente ou incomplète dans l'extrait"
_METRES_PER_DEGREE = 111_195.0


@dataclass(frozen=True)
class OsmObject:
    """One object of an extract.

    Attributes
    ----------
    ref
        ``node/1``, ``way/2`` or ``relation/3``.
    tags
        Its tags.
    longitude, latitude
        A point on it, degrees; ``None`` when the extract does not hold its geometry.
    area_m2
        Its area, 0 for a point or a line.
    """

    ref: str
    tags: dict[str, str]
    longitude: float | None
    latitude: float | None
    area_m2: float = 0.0


def _damaged(path: Path, error: Exception) -> SourceFormatError:
    return SourceFormatError(
        "L'extrait OpenStreetMap ne peut pas être lu.",
        where=path.name,
        why=str(error).split("\n", 1)[0][:300],
        next_step="téléchargez-le à nouveau (.osm.pbf, .osm ou .osm.gz) : il est sans doute coupé ou abîmé.",
    )


def _surface(area: Any, wkb: Any) -> tuple[float, float, float]:  # noqa: ANN401 - pyosmium is not typed
    """Return a point inside an area and its size in square metres."""
    shape = shapely.from_wkb(wkb.create_multipolygon(area))
    inside = shapely.point_on_surface(shape)
    scale = _METRES_PER_DEGREE**2 * np.cos(np.radians(inside.y))
    return inside.x, inside.y, float(shape.area * scale)


def _middle(way: Any) -> tuple[float, float] | None:  # noqa: ANN401 - pyosmium is not typed
    """Return the middle of a line along its length (mean corner of a closed one), ``None`` without coordinates."""
    places = [(node.lon, node.lat) for node in way.nodes if node.location.valid()]
    if not places:
        return None
    if len(places) == 1 or way.is_closed():
        return float(np.mean([x for x, _ in places])), float(np.mean([y for _, y in places]))
    point = shapely.line_interpolate_point(shapely.LineString(places), 0.5, normalized=True)
    return point.x, point.y


_Key = tuple[str, int]
_Filter = KeyFilter | TagFilter


def _collect(path: Path, wanted: _Filter) -> tuple[dict[_Key, OsmObject], dict[_Key, tuple[float, float, float]]]:
    """Return the objects that pass the filter, and the point and size of those that are areas."""
    found: dict[_Key, OsmObject] = {}
    areas: dict[_Key, tuple[float, float, float]] = {}
    wkb = osmium.geom.WKBFactory()
    processor: Any = osmium.FileProcessor(str(path)).with_locations().with_areas(wanted).with_filter(wanted)
    for item in processor:
        if item.is_area():
            key = ("way" if item.from_way() else "relation", item.orig_id())
            areas[key] = _surface(item, wkb)
            continue
        kind = "node" if item.is_node() else "way" if item.is_way() else "relation"
        place: tuple[float, float] | None = None
        if kind == "node":
            place = (item.location.lon, item.location.lat) if item.location.valid() else None
        elif kind == "way":
            place = _middle(item)
        tags = {tag.k: tag.v for tag in item.tags}
        longitude, latitude = place or (None, None)
        found[kind, item.id] = OsmObject(f"{kind}/{item.id}", tags, longitude, latitude)
    return found, areas


def _sorted_copy(path: Path, folder: Path) -> Path:
    """Write a copy whose objects are in the order of their ids, which areas need; some exports do not sort."""
    copy = folder / "sorted.osm.pbf"
    merged = osmium.MergeInputReader()
    merged.add_file(str(path))
    with osmium.SimpleWriter(str(copy)) as writer:
        merged.apply(writer)
    return copy


def read_objects(path: Path, wanted: _Filter) -> list[OsmObject]:
    """Return the nodes, ways and multipolygons of an extract that pass a filter, in the order of their references.

    A closed way is an area; when it cannot be assembled (nodes missing from the extract) it is placed by the nodes
    there are. Relations other than multipolygons have no place.

    Raises
    ------
    SourceFormatError
        When the file is missing, damaged, or not an extract.
    """
    if not path.is_file():
        raise SourceFormatError("Le fichier n'existe pas.", where=str(path), next_step="vérifiez le chemin donné.")
    try:
        try:
            found, areas = _collect(path, wanted)
        except RuntimeError as error:
            if "out of order" not in str(error):
                raise
            with tempfile.TemporaryDirectory(prefix="bourg-") as folder:
                found, areas = _collect(_sorted_copy(path, Path(folder)), wanted)
    except RuntimeError as error:
        raise _damaged(path, error) from error
    return [
        replace(item, longitude=areas[key][0], latitude=areas[key][1], area_m2=areas[key][2]) if key in areas else item
        for key, item in sorted(found.items())
    ]


def facilities_of_extract(path: Path, names: Iterable[str] | None = None) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the facilities of an extract, then those that it does not place with their ``reason``.

    Parameters
    ----------
    path
        ``.osm.pbf``, ``.osm`` or ``.osm.gz``.
    names
        Families wanted, all by default.

    Raises
    ------
    SourceFormatError
        When the file cannot be read.
    ParameterError
        When a family does not exist.
    """
    wanted = chosen_families(names)
    rows, lost = [], []
    for item in read_objects(path, TagFilter(*osm_tags())):
        here = families_of_tags(item.tags)
        for family in here:
            if family not in wanted:
                continue
            row = (
                f"osm:{item.ref}" if len(here) == 1 else f"osm:{item.ref}:{family.id}",
                family.id,
                _kind(item.tags, family),
                item.tags.get("name") or item.tags.get("brand"),
                item.longitude,
                item.latitude,
            )
            if item.longitude is None:
                # A stop area or a site only gathers objects that are read for themselves.
                if not item.ref.startswith("relation/") or item.tags.get("type") in {"multipolygon", "boundary"}:
                    lost.append(row)
            else:
                rows.append(row)
    schema = {
        "facility_id": pl.String, "family": pl.String, "kind": pl.String, "name": pl.String,
        "longitude": pl.Float64, "latitude": pl.Float64,
    }  # fmt: skip
    placed, unplaced = (pl.DataFrame(part, schema=schema, orient="row") for part in (rows, lost))
    return placed, unplaced.with_columns(reason=pl.lit(INCOMPLETE))


def _kind(tags: Mapping[str, str], family: Family) -> str:
    rule = next(rule for rule in family.osm if rule.holds(tags))
    key = rule.tests[0][0]
    return f"{key}={tags[key]}"


def dwellings_of_extract(path: Path) -> pl.DataFrame:
    """Return the buildings where people may live: ``point_id, longitude, latitude, weight``.

    The weight is the floor area, footprint by levels (parameter ``dwellings``). Buildings that say another use, that
    are too small, or that a facility other than housing occupies, are left out.

    Raises
    ------
    SourceFormatError
        When the file cannot be read.
    """
    rules = parameter("dwellings", package="bourg.access")
    residential, unspecified = set(rules["residential"]), set(rules["unspecified"])
    rows = []
    for item in read_objects(path, KeyFilter("building")):
        use = item.tags["building"]
        other_use = any(key in item.tags for key in rules["other_use_keys"])
        if item.longitude is None or item.area_m2 < rules["min_m2"]:
            continue
        if use in residential or (use in unspecified and not other_use and item.area_m2 <= rules["max_unspecified_m2"]):
            weight = item.area_m2 * _levels(item.tags, rules)
            rows.append((f"osm:{item.ref}", item.longitude, item.latitude, weight))
    return pl.DataFrame(rows, schema=_POINTS, orient="row")


_POINTS = {"point_id": pl.String, "longitude": pl.Float64, "latitude": pl.Float64, "weight": pl.Float64}


def _levels(tags: Mapping[str, str], rules: Mapping[str, Any]) -> float:
    told = tags.get("building:levels", "").replace(",", ".")
    try:
        levels = float(told)
    except ValueError:
        return float(rules["default_levels"].get(tags["building"], 1))
    return min(max(levels, 1.0), float(rules["max_levels"]))


def addresses_of_extract(path: Path) -> pl.DataFrame:
    """Return the addresses of an extract, one weight each: ``point_id, longitude, latitude, weight``.

    Raises
    ------
    SourceFormatError
        When the file cannot be read.
    """
    rows = [
        (f"osm:{item.ref}", item.longitude, item.latitude, 1.0)
        for item in read_objects(path, KeyFilter("addr:housenumber"))
        if item.longitude is not None
    ]
    return pl.DataFrame(rows, schema=_POINTS, orient="row")


def named_places_of_extract(path: Path) -> pl.DataFrame:
    """Return the hamlets, villages, quarters and localities of an extract: ``name, longitude, latitude``.

    Raises
    ------
    SourceFormatError
        When the file cannot be read.
    """
    kinds = parameter("dwellings", package="bourg.access")["named_places"]
    rows = [
        (item.tags["name"], item.longitude, item.latitude)
        for item in read_objects(path, TagFilter(*(("place", kind) for kind in kinds)))
        if item.longitude is not None and "name" in item.tags
    ]
    return pl.DataFrame(rows, schema={"name": pl.String, "longitude": pl.Float64, "latitude": pl.Float64}, orient="row")


def extent_of_extract(path: Path) -> tuple[float, float, float, float] | None:
    """Return the box an extract says it covers, else that of its nodes: west, south, east, north.

    Returns
    -------
    tuple or None
        Degrees; ``None`` for a file without nodes.

    Raises
    ------
    SourceFormatError
        When the file cannot be read.
    """
    if not path.is_file():
        raise SourceFormatError("Le fichier n'existe pas.", where=str(path), next_step="vérifiez le chemin donné.")
    try:
        with osmium.io.Reader(str(path)) as reader:
            box = reader.header().box()
            if box.valid():
                low, high = box.bottom_left, box.top_right
                return (low.lon, low.lat, high.lon, high.lat)
        nodes: Any = osmium.FileProcessor(str(path), osmium.osm.NODE)
        places = np.array([(node.location.lon, node.location.lat) for node in nodes if node.location.valid()])
    except RuntimeError as error:
        raise _damaged(path, error) from error
    if not len(places):
        return None
    west, south = places.min(axis=0)
    east, north = places.max(axis=0)
    return (float(west), float(south), float(east), float(north))
