"""Addresses of a file, as points: the national address base, a GeoJSON, or an OpenStreetMap extract."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl

from bourg.access.places.osm_places import addresses_of_extract
from bourg.errors import SourceFormatError
from bourg.sources import cells
from bourg.sources.jsonrecords import is_json
from bourg.sources.layouts import column, optional
from bourg.sources.report import ReadReport
from bourg.sources.tabular import open_table

# How the name of an OpenStreetMap extract ends.
EXTRACTS = (".osm.pbf", ".osm", ".osm.gz", ".pbf")
_ADDRESSES = {
    "ban": {
        "longitude": column("lon", "longitude"),
        "latitude": column("lat", "latitude"),
        "id": optional("id", "cle_interop"),
    }
}


def read_addresses(path: Path) -> pl.DataFrame:
    """Return the addresses of a file: ``point_id, longitude, latitude, weight``.

    Parameters
    ----------
    path
        CSV of the Base adresse nationale (``lon, lat``; compressed or not), GeoJSON of points, or OSM extract.

    Raises
    ------
    SourceFormatError
        When the file is none of these, or has no address that can be read.
    """
    if path.name.lower().endswith(EXTRACTS):
        return addresses_of_extract(path)
    if path.is_file() and is_json(path):
        points = _geojson_points(path)
    else:
        report = ReadReport()
        with open_table(path, _ADDRESSES, report, members=("*adresse*.csv", "*.csv")) as table:
            frame = cells.mend_points(table.read().with_row_index("row", offset=1), report)
        points = frame.filter(pl.col("longitude").is_not_null() & pl.col("latitude").is_not_null()).select(
            pl.coalesce("id", pl.lit("adresse-") + pl.col("row").cast(pl.String)).alias("point_id"),
            "longitude",
            "latitude",
        )
    if points.is_empty():
        raise SourceFormatError("Le fichier d'adresses n'a aucun point.", where=path.name)
    return points.unique("point_id", keep="first", maintain_order=True).with_columns(weight=pl.lit(1.0))


def _geojson_points(path: Path) -> pl.DataFrame:
    try:
        features = json.loads(path.read_text(encoding="utf-8"))["features"]
        places = [item["geometry"]["coordinates"] for item in features if item["geometry"]["type"] == "Point"]
        rows = [(f"adresse-{rank}", float(place[0]), float(place[1])) for rank, place in enumerate(places, 1)]
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise SourceFormatError(
            "Le fichier d'adresses n'est pas un GeoJSON de points.",
            where=path.name,
            why=str(error)[:200],
            next_step="donnez une FeatureCollection de points, ou un CSV avec les colonnes lon et lat.",
        ) from error
    return pl.DataFrame(
        rows, schema={"point_id": pl.String, "longitude": pl.Float64, "latitude": pl.Float64}, orient="row"
    )
