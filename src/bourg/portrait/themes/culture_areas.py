"""The territories of the page of culture, and what it is told against."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import shapely

from bourg.culture.base import CultureBase, Ints, make_base
from bourg.errors import ParameterError, UnknownTerritoryError
from bourg.geography.codes import departement_expr
from bourg.geography.levels import FRANCE_CODE
from bourg.geography.names import departement_with_article
from bourg.indicators.units import FRANCE_LABELS, FRANCE_METROPOLITAN, FRANCE_WITHOUT_MAYOTTE
from bourg.maps.files import gz_path, read_gzip
from bourg.maps.outlines import DEPARTEMENTS_FILE, commune_geometry
from bourg.portrait.observatory import MAP_FOLDER, Observatory

TERRITORIES = ("commune", "epci", "departement", "region", "france")
# Levels that have a map of their communes.
MAPPED = ("epci", "departement", "region")
_CONTRACTED = {2: "au ", 4: "aux ", 6: "aux "}
# Square degrees: about 9 km².
_SLIT = 0.001
Box = tuple[float, float, float, float]


@dataclass(frozen=True, eq=False)
class Area:
    """A territory.

    Attributes
    ----------
    level, code, name
        Which one.
    where
        Its name to end a sentence: « à Millau », « dans l'Aveyron ».
    rows
        Positions of its communes in the base.
    codes
        Codes of its communes, sorted.
    """

    level: str
    code: str
    name: str
    where: str
    rows: Ints
    codes: tuple[str, ...]


@lru_cache(maxsize=4)
def culture_base(observatory: Observatory) -> CultureBase:
    """Return the places of the snapshot by commune; made once for each observatory."""
    halls = observatory.snapshot.table("town_halls").select("code", x="longitude", y="latitude").collect()
    columns = ("code", "name", "departement", "region", "epci", "population", "area_km2", "longitude", "latitude")
    communes = (
        observatory.communes.select(columns)
        .join(halls.unique("code", keep="first", maintain_order=True), on="code", how="left")
        .with_columns(longitude=pl.coalesce("x", "longitude"), latitude=pl.coalesce("y", "latitude"))
        .select(columns)
    )
    covered = described(observatory, "culture_places", observatory.places)
    places = observatory.places.select("place_id", "name", "type", "code", "longitude", "latitude")
    demo = bool(observatory.places["demo"].any())
    return make_base(communes, places, covered=covered, demo=demo)


def described(observatory: Observatory, table: str, rows: pl.DataFrame) -> frozenset[str]:
    """Return the communes that a list of places or events describes, as the indicators understand it.

    An overseas department without a single row in a national list is not described by it: its communes are unknown,
    not at zero (:func:`bourg.indicators.units.commune_coverage`).
    """
    seen = set(rows.select(departement_expr(pl.col("code")).unique()).to_series().drop_nulls())
    communes = observatory.communes.select("code", department=departement_expr(pl.col("code")))
    return frozenset(
        code
        for code, department in communes.iter_rows()
        if observatory.covers(table, code) and (not department.startswith("97") or department in seen)
    )


@lru_cache(maxsize=16)
def _members(observatory: Observatory, level: str) -> dict[str, Ints]:
    """Return the positions of the communes of every territory of a level."""
    communes = culture_base(observatory).communes
    every = np.arange(communes.height, dtype=np.int64)
    if level == "commune":
        return dict(zip(communes["code"], every[:, None], strict=True))
    if level == "france":
        mayotte, overseas = (communes["code"].str.starts_with(start).to_numpy() for start in ("976", "97"))
        return {FRANCE_CODE: every, FRANCE_WITHOUT_MAYOTTE: every[~mayotte], FRANCE_METROPOLITAN: every[~overseas]}
    grouped = communes.with_row_index("row").group_by(level).agg(pl.col("row").cast(pl.Int64).sort())
    return {code: np.array(rows, dtype=np.int64) for code, rows in grouped.iter_rows() if code is not None}


def rows_of(observatory: Observatory, level: str, code: str) -> Ints:
    """Return the positions in the base of the communes of a territory; ``KeyError`` when it has none."""
    return _members(observatory, level)[code]


def area_of(observatory: Observatory, code: str, level: str) -> Area:
    """Return the territory of a level that holds a commune.

    Raises
    ------
    UnknownTerritoryError
        When the code names no commune, or the commune is in no intercommunality.
    ParameterError
        When there is no such level.
    """
    if level not in TERRITORIES:
        raise ParameterError(
            f"Le territoire « {level[:40]} » n'existe pas.", next_step=f"choisissez parmi : {', '.join(TERRITORIES)}."
        )
    row = observatory.commune(code)
    if level == "france":
        field = _france(observatory)
        return _area(observatory, level, field, FRANCE_LABELS[field], f"en {FRANCE_LABELS[field]}")
    own = row["code"] if level == "commune" else row[level]
    if own is None:
        raise UnknownTerritoryError(
            f"{row['name']} n'est dans aucune intercommunalité.", next_step="choisissez le département ou la région."
        )
    name = row["name"] if level == "commune" else row[f"{level}_name"]
    return _area(observatory, level, own, name, _at(row) if level == "commune" else _within(level, name, row))


@lru_cache(maxsize=4)
def _france(observatory: Observatory) -> str:
    """Return the widest field of France that the list of places describes wholly, else the whole country."""
    base = culture_base(observatory)
    return next(
        (code for code in FRANCE_LABELS if base.covered[rows_of(observatory, "france", code)].all()), FRANCE_CODE
    )


@lru_cache(maxsize=512)
def _area(observatory: Observatory, level: str, code: str, name: str, where: str) -> Area:
    rows = rows_of(observatory, level, code)
    return Area(level, code, name, where, rows, tuple(culture_base(observatory).communes["code"][rows]))


def _at(row: dict[str, Any]) -> str:
    """Return « à Millau », « au Rozier », « aux Mées »."""
    contracted = _CONTRACTED.get(row["tncc"])
    return f"{contracted}{row['plain_name']}" if contracted and row["plain_name"] else f"à {row['name']}"


def _within(level: str, name: str, row: dict[str, Any]) -> str:
    if level == "departement":
        with_article = departement_with_article(name, row["departement_tncc"])
        if with_article == name:
            return f"à {name}"
        # « en Vendée » but « dans la Drôme »: the usage of each is avoided.
        return f"dans le département de {with_article}" if with_article.startswith("la ") else f"dans {with_article}"
    if level == "region":
        return f"en région {name}"
    return f"dans la {name}" if name.startswith(("Communauté", "Métropole")) else f"dans l'intercommunalité {name}"


def ring_of(observatory: Observatory, code: str, level: str) -> Area:
    """Return the territory whose spread is told: the territory itself, and around a commune its intercommunality.

    A commune that is in none is told within its department. Errors are those of :func:`area_of`.
    """
    if level != "commune":
        return area_of(observatory, code, level)
    return area_of(observatory, code, "epci" if observatory.commune(code)["epci"] else "departement")


def larger_areas(observatory: Observatory, code: str, level: str) -> tuple[Area, ...]:
    """Return the territories that hold one of ``level``, from the nearest to France, each of them larger.

    Overseas a region is its department: it is told once.
    """
    row = observatory.commune(code)
    size = len(area_of(observatory, code, level).rows)
    found: list[Area] = []
    for name in TERRITORIES[TERRITORIES.index(level) + 1 :]:
        if name == "france" or row[name]:
            area = area_of(observatory, code, name)
            if len(area.rows) > size:
                size = len(area.rows)
                found.append(area)
    return tuple(found)


def box_of(observatory: Observatory, area: Area) -> Box | None:
    """Return west, south, east, north of a territory, ``None`` when none of its communes has an outline."""
    inside = observatory.communes.filter(pl.col("code").is_in(list(area.codes)))
    west, south, east, north = inside.select(pl.min("xmin", "ymin"), pl.max("xmax", "ymax")).row(0)
    return None if west is None else (west, south, east, north)


def outline_of(observatory: Observatory, area: Area) -> shapely.Geometry | None:
    """Return the outline of a territory (EPSG:4326), generalised as on the maps; ``None`` when it has none."""
    return _outline(observatory, area.level, area.code, area.codes)


@lru_cache(maxsize=24)
def _outline(observatory: Observatory, level: str, code: str, codes: tuple[str, ...]) -> shapely.Geometry | None:
    folder = observatory.snapshot.path(f"{MAP_FOLDER}/{DEPARTEMENTS_FILE}.gz").parent
    if level in ("departement", "region"):
        wanted = [code]
        if level == "region":
            wanted = observatory.departements.filter(pl.col("region") == code)["code"].to_list()
        shapes = _departements(folder, gz_path(folder / DEPARTEMENTS_FILE).stat().st_mtime_ns)
        parts = [shapes[name] for name in wanted if name in shapes]
    else:
        parts = []
        for commune in codes:
            try:
                parts.append(shapely.make_valid(shapely.geometry.shape(commune_geometry(folder, commune).geometry)))
            except UnknownTerritoryError:
                # Four communes have no outline in the source: the others are drawn, and the page says it.
                continue
    return _without_slits(shapely.union_all(parts)) if parts else None


def _without_slits(geometry: shapely.Geometry) -> shapely.Geometry:
    """Return an outline without its tiny holes: neighbours that are generalised apart leave slits between them."""
    whole = [
        shapely.Polygon(part.exterior, [ring for ring in part.interiors if shapely.Polygon(ring).area > _SLIT])
        for part in shapely.get_parts(geometry)
        if isinstance(part, shapely.Polygon)
    ]
    return shapely.MultiPolygon(whole)


@lru_cache(maxsize=2)
def _departements(folder: Path, _modified: int) -> dict[str, shapely.Geometry]:
    features = json.loads(read_gzip(folder / DEPARTEMENTS_FILE))["features"]
    return {
        item["properties"]["code"]: shapely.make_valid(shapely.geometry.shape(item["geometry"])) for item in features
    }
