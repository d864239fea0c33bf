"""GeoParquet 1.1: a Parquet file that QGIS, GDAL, GeoPandas and DuckDB open as a layer.

Format: https://geoparquet.org/releases/v1.1.0/ (column ``geometry`` in WKB, longitude and latitude in OGC:CRS84,
a ``bbox`` column so that readers skip what they do not look at).
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
import shapely

GEOMETRY = "geometry"
BBOX = "bbox"
_VERSION = "1.1.0"
_ROW_GROUP = 5_000


def geoparquet_bytes(
    frame: pl.DataFrame, *, geometry: str = GEOMETRY, metadata: Mapping[str, Any] | None = None
) -> bytes:
    """Return a table with a column of geometries as a GeoParquet file.

    Parameters
    ----------
    frame
        Any columns and ``geometry``, WKB in longitude and latitude (WGS 84); null where there is none.
    geometry
        Name of the column of geometries.
    metadata
        What else the file says of itself (licence, sources, date): one JSON text under the key ``bourg``.

    Returns
    -------
    bytes
        The file: the columns in their order, then ``bbox`` (``xmin, ymin, xmax, ymax``). Same table, same bytes.
    """
    shapes = shapely.from_wkb(frame[geometry].to_numpy())
    bounds = shapely.bounds(shapes)
    known = ~np.isnan(bounds[:, 0])
    box = pl.DataFrame({
        name: pl.Series(bounds[:, index], dtype=pl.Float64).fill_nan(None)
        for index, name in enumerate(("xmin", "ymin", "xmax", "ymax"))
    })  # fmt: skip
    column: dict[str, Any] = {
        "encoding": "WKB",
        "geometry_types": sorted({shape.geom_type for shape in shapes[known]}),
        "covering": {"bbox": {name: [BBOX, name] for name in box.columns}},
    }
    if known.any():
        column["bbox"] = [*bounds[known, :2].min(axis=0).tolist(), *bounds[known, 2:].max(axis=0).tolist()]
    geo = {"version": _VERSION, "primary_column": geometry, "columns": {geometry: column}}
    texts = {"geo": json.dumps(geo)}
    if metadata:
        texts["bourg"] = json.dumps(metadata, ensure_ascii=False, sort_keys=True)
    buffer = io.BytesIO()
    boxed = frame.with_columns(box.to_struct(BBOX))
    boxed.write_parquet(buffer, compression="zstd", statistics=True, row_group_size=_ROW_GROUP, metadata=texts)
    return buffer.getvalue()
