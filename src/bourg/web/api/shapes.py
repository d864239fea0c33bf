"""Outlines kept in memory: which commune is at a point, which ones a tile draws, and GeoJSON of each level."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from bourg.maps import MAPS_FOLDER
from bourg.maps.choropleth import epci_outlines, feature_collection
from bourg.maps.files import read_gzip
from bourg.maps.outlines import DEPARTEMENTS_FILE, communes_file
from bourg.portrait.observatory import Observatory
from bourg.web.api.mvt import BUFFER, EXTENT, Geometries, encode_geometries

# Under this zoom a tile draws the departments: a screen has no room for the communes.
COMMUNES_FROM_ZOOM = 7
MOST_ZOOM = 14
_TILES_KEPT = 400


def mercator(coordinates: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return longitudes and latitudes in Web Mercator, scaled to the unit square, y downwards."""
    latitude = np.radians(np.clip(coordinates[:, 1], -85.051129, 85.051129))
    x = (coordinates[:, 0] + 180) / 360
    return np.column_stack([x, (1 - np.arcsinh(np.tan(latitude)) / np.pi) / 2])


@dataclass(frozen=True)
class TileShapes:
    """What a tile draws: layer, codes, encoded geometries."""

    layer: str
    codes: tuple[str, ...]
    shapes: tuple[bytes, ...]


class _Layer:
    """Polygons of one level, in the unit square, with their spatial index."""

    def __init__(self, codes: list[str], geometries: Geometries) -> None:
        self.codes = codes
        self.geometries = shapely.transform(geometries, mercator)
        self.tree = shapely.STRtree(self.geometries)


class Shapes:
    """Outlines of one snapshot.

    Parameters
    ----------
    observatory
        The opened snapshot.
    """

    def __init__(self, observatory: Observatory) -> None:
        self._observatory = observatory
        self._folder = observatory.snapshot.folder / MAPS_FOLDER
        self._tiles: OrderedDict[tuple[int, int, int], TileShapes] = OrderedDict()
        self._unions: dict[str, bytes] = {}
        self._lock = threading.Lock()

    @cached_property
    def _communes(self) -> _Layer:
        outlines = self._observatory.snapshot.table("outlines").drop_nulls("wkb").sort("code").collect()
        return _Layer(outlines["code"].to_list(), shapely.from_wkb(outlines["wkb"].to_list()))

    @cached_property
    def _departements(self) -> _Layer:
        features = json.loads(read_gzip(self._folder / DEPARTEMENTS_FILE))["features"]
        texts = [json.dumps(item["geometry"]) for item in features]
        return _Layer([item["properties"]["code"] for item in features], shapely.from_geojson(texts))

    def commune_at(self, longitude: float, latitude: float) -> str | None:
        """Return the code of the commune of a point, the first one on a border, ``None`` outside all of them."""
        point = shapely.Point(mercator(np.array([[longitude, latitude]]))[0])
        found = self._communes.tree.query(point, predicate="intersects")
        return min(self._communes.codes[index] for index in found) if len(found) else None

    def tile(self, z: int, x: int, y: int) -> TileShapes:
        """Return what one tile draws; made once, then kept."""
        key = z, x, y
        with self._lock:
            if key in self._tiles:
                self._tiles.move_to_end(key)
                return self._tiles[key]
        made = self._make_tile(z, x, y)
        with self._lock:
            self._tiles[key] = made
            while len(self._tiles) > _TILES_KEPT:
                self._tiles.popitem(last=False)
        return made

    def _make_tile(self, z: int, x: int, y: int) -> TileShapes:
        name = "communes" if z >= COMMUNES_FROM_ZOOM else "departements"
        layer = self._communes if name == "communes" else self._departements
        side = 2.0**-z
        margin = side * BUFFER / EXTENT
        box = shapely.box(x * side - margin, y * side - margin, (x + 1) * side + margin, (y + 1) * side + margin)
        chosen = np.sort(layer.tree.query(box, predicate="intersects"))
        corner, scale = np.array([x * side, y * side]), EXTENT / side
        drawn = shapely.transform(layer.geometries[chosen], lambda points: (points - corner) * scale)
        drawn = shapely.clip_by_rect(drawn, -BUFFER, -BUFFER, EXTENT + BUFFER, EXTENT + BUFFER)
        # Valid polygons on the whole-number grid: neighbours keep the same corners.
        drawn = shapely.set_precision(shapely.make_valid(drawn), 1.0)
        return TileShapes(name, tuple(layer.codes[index] for index in chosen), tuple(encode_geometries(drawn)))

    # -- GeoJSON ----------------------------------------------------------------------------------------------------

    def communes_of(self, departement: str) -> list[dict[str, Any]]:
        """Return the features of the communes of a department.

        Raises
        ------
        SnapshotError
            When the file is missing or damaged.
        """
        return self._features(read_gzip(self._folder / communes_file(departement)))

    def departements(self) -> list[dict[str, Any]]:
        """Return the features of the departments; errors as :meth:`communes_of`."""
        return self._features(read_gzip(self._folder / DEPARTEMENTS_FILE))

    def epci(self, region: str | None) -> list[dict[str, Any]]:
        """Return the features of the intercommunalities of a region, or of the country (two seconds the first time).

        Raises
        ------
        UnknownTerritoryError
            When none has an outline.
        """
        key = region or "FR"
        if key not in self._unions:
            communes = self._observatory.communes.select("code", "epci", "region")
            names = dict(self._observatory.snapshot.table("epci").select("code", "name").collect().iter_rows())
            outlines = self._observatory.snapshot.table("outlines")
            self._unions[key] = epci_outlines(communes, outlines, names, region)
        return self._features(self._unions[key])

    def regions(self) -> list[dict[str, Any]]:
        """Return the features of the regions: the departments put together; errors as :meth:`communes_of`."""
        region_of = dict(self._observatory.departements.select("code", "region").iter_rows())
        names = dict(self._observatory.snapshot.table("regions").select("code", "name").collect().iter_rows())
        members: dict[str, list[shapely.Geometry]] = {}
        for item in self.departements():
            shape = shapely.from_geojson(json.dumps(item["geometry"]))
            if (region := region_of.get(item["properties"]["code"])) is not None:
                members.setdefault(region, []).append(shape)
        codes = sorted(members)
        shapes = [shapely.set_precision(shapely.union_all(members[code]), 1e-4) for code in codes]
        return self._features(feature_collection(shapes, [(code, names.get(code, code)) for code in codes]))

    @staticmethod
    def _features(content: bytes) -> list[dict[str, Any]]:
        features: list[dict[str, Any]] = json.loads(content)["features"]
        return features
