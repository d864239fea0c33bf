"""The map that locates a town: its outline in its intercommunality and its department, as one small SVG."""

from __future__ import annotations

import json
from functools import lru_cache
from math import cos, radians

import numpy as np
import polars as pl
import shapely
from numpy.typing import NDArray

from bourg.errors import SnapshotError
from bourg.maps.files import read_gzip
from bourg.maps.outlines import DEPARTEMENTS_FILE
from bourg.portrait.markup import shown
from bourg.portrait.observatory import MAP_FOLDER, Observatory

_SIDE = 300
# Pixels under which a corner is not worth its bytes.
_TOLERANCE = 0.7
_SMALL_PX = 4


class Locator:
    """Draws the maps of the communes of one snapshot; outlines of a department are read once and kept for a while.

    Parameters
    ----------
    observatory
        The opened snapshot.
    """

    def __init__(self, observatory: Observatory) -> None:
        self._observatory = observatory
        self._department = lru_cache(maxsize=16)(self._make_department)

    def svg(self, code: str) -> str:
        """Return the map of a commune; empty when its outline or the one of its department is unknown."""
        row = self._observatory.commune(code)
        drawn = self._department(row["departement"])
        if drawn is None or row["code"] not in drawn.communes:
            return ""
        epci = drawn.epci(row["epci"])
        shape = drawn.communes[row["code"]]
        west, north, east, south = shapely.bounds(shape).tolist()
        mark = ""
        if max(east - west, south - north) < _SMALL_PX * 2:
            mark = f'<circle class="rond" cx="{(west + east) / 2:.0f}" cy="{(north + south) / 2:.0f}" r="9"/>'
        around = f'<path class="epci" d="{epci}"/>' if epci else ""
        title = f"{row['name']} dans {row['epci_name'] or 'son département'}, {row['departement_name']}"
        return (
            f'<svg class="situation" viewBox="0 0 {drawn.width} {drawn.height}" role="img" '
            f'aria-label="Carte : {shown(title)}"><path class="dep" d="{drawn.outline}"/>'
            f'{around}<path class="com" d="{outline_path(shape)}"/>{mark}</svg>'
        )

    def communes_of(self, departement: str) -> tuple[int, int, dict[str, str]] | None:
        """Return the width and height of the map of a department, and the path of each of its communes, by code."""
        drawn = self._department(departement)
        if drawn is None:
            return None
        return drawn.width, drawn.height, {code: outline_path(shape) for code, shape in drawn.communes.items()}

    def _make_department(self, code: str) -> _Department | None:
        whole = departement_outlines(self._observatory).get(code)
        if whole is None:
            return None
        mine = self._observatory.communes.filter(pl.col("departement") == code).select("code", "epci")
        table = self._observatory.snapshot.table("outlines").filter(pl.col("code").is_in(mine["code"].to_list()))
        found = table.filter(pl.col("wkb").is_not_null()).collect().join(mine, on="code", how="left").sort("code")
        return _Department(whole, found["code"].to_list(), found["epci"].to_list(), found["wkb"].to_list())


class _Department:
    """Outlines of a department on the plane of its map, in pixels."""

    def __init__(self, whole: shapely.Geometry, codes: list[str], epci: list[str | None], wkb: list[bytes]) -> None:
        west, south, east, north = shapely.bounds(whole).tolist()
        flat = cos(radians((south + north) / 2))
        scale = _SIDE / max((east - west) * flat, north - south)
        self.width, self.height = round((east - west) * flat * scale) + 4, round((north - south) * scale) + 4

        def project(points: NDArray[np.float64]) -> NDArray[np.float64]:
            return np.column_stack([2 + (points[:, 0] - west) * flat * scale, 2 + (north - points[:, 1]) * scale])

        shapes = shapely.transform(shapely.from_wkb(wkb), project)
        simple = shapely.coverage_simplify(shapes, _TOLERANCE) if len(shapes) else shapes
        self._fits = bool(shapely.coverage_is_valid(simple)) if len(shapes) else False
        self.communes: dict[str, shapely.Geometry] = dict(zip(codes, simple, strict=True))
        self._members: dict[str, list[str]] = {}
        for code, group in zip(codes, epci, strict=True):
            if group:
                self._members.setdefault(group, []).append(code)
        self.outline = outline_path(shapely.simplify(shapely.transform(whole, project), _TOLERANCE))
        self._epci: dict[str, str] = {}

    def epci(self, code: str | None) -> str:
        """Return the outline of the part of an intercommunality that lies in the department."""
        if code is None or code not in self._members:
            return ""
        if code not in self._epci:
            members = [self.communes[member] for member in self._members[code]]
            # The fast union needs communes that neither overlap nor leave slits.
            union = shapely.coverage_union_all(members) if self._fits else shapely.union_all(members)
            self._epci[code] = outline_path(shapely.simplify(union, _TOLERANCE))
        return self._epci[code]


@lru_cache(maxsize=2)
def departement_outlines(observatory: Observatory) -> dict[str, shapely.Geometry]:
    """Return the outlines of the departments (EPSG:4326), by code.

    Raises
    ------
    SnapshotError
        When the snapshot holds none, or when they are unreadable.
    """
    path = observatory.snapshot.folder / MAP_FOLDER / DEPARTEMENTS_FILE
    try:
        features = json.loads(read_gzip(path))["features"]
        return {item["properties"]["code"]: shapely.from_geojson(json.dumps(item["geometry"])) for item in features}
    except (ValueError, KeyError, TypeError) as error:
        raise SnapshotError(
            "Les contours des départements sont illisibles.", where=path.name, why=str(error),
            next_step="reconstruisez l'instantané : bourg build.",
        ) from error  # fmt: skip


def outline_path(geometry: shapely.Geometry) -> str:
    """Return the outline as a path: in whole pixels, each point from the one before it."""
    parts = []
    for polygon in shapely.get_parts(geometry):
        if polygon.geom_type != "Polygon":
            continue
        for ring in (polygon.exterior, *polygon.interiors):
            points = np.rint(shapely.get_coordinates(ring)).astype(np.int64)
            steps = np.diff(points, axis=0)
            steps = steps[(steps != 0).any(axis=1)]
            if len(steps) >= 3:
                moves = "".join(f"{'' if dx < 0 else ' '}{dx}{'' if dy < 0 else ' '}{dy}" for dx, dy in steps[:-1])
                parts.append(f"M{points[0, 0]} {points[0, 1]}l{moves.strip()}z")
    return "".join(parts)
