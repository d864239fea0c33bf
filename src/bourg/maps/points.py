"""All the located places in one compact binary file, drawn by the browser without going through the websocket.

Layout of ``lieux.bin`` (little endian)::

    4 bytes    b"BPT1"
    uint32     length of the header
    header     JSON, padded with spaces to a multiple of 4
    columns    at the offsets that the header gives, counted from the end of the header

Longitudes and latitudes are whole millionths of a degree. Each is stored as the difference from the row before,
written ``2d`` or ``-2d - 1`` so that it is positive, then split into four planes (all the low bytes first…): places
of one commune follow each other, the high planes are nearly all zero, and gzip halves the file.
The commune is not repeated: ``commune_counts`` says how many rows each commune of the header has.

``noms.txt`` is loaded later: number of communes, their names, then for each row ``name[TAB detail[TAB label]]``.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from bourg.errors import SnapshotError
from bourg.maps.files import write_gzip
from bourg.maps.places import name_order

POINTS_FILE = "lieux.bin"
NAMES_FILE = "noms.txt"
MAGIC = b"BPT1"
SCALE = 1_000_000

CATEGORIES = ("patrimoine", "spectacle vivant", "autre vivant")
UNCLASSIFIED = "non classé"

FLAG_DEMO = 1
FLAG_DOUBTFUL = 2
# A place this far (degrees) outside the box of its commune is drawn, but said to be doubtful.
_TOLERANCE = 0.2

_REQUIRED = ("place_id", "name", "type", "category", "code", "longitude", "latitude")


@dataclass(frozen=True)
class PointsInfo:
    """What was written.

    Attributes
    ----------
    places, located, unlocated
        Rows received, drawn, and without usable coordinates: the last ones appear in tables and exports only.
    doubtful
        Located places that lie far outside their commune.
    communes
        Communes with at least one located place.
    demo
        Whether at least one place is generated.
    size, size_gz
        Bytes of ``lieux.bin``, plain and compressed.
    """

    places: int
    located: int
    unlocated: int
    doubtful: int
    communes: int
    demo: bool
    size: int
    size_gz: int

    def to_dict(self) -> dict[str, int | bool]:
        """Return plain JSON types."""
        return asdict(self)


def write_points(
    places: pl.DataFrame,
    communes: pl.DataFrame,
    out: Path,
    *,
    snapshot_id: str = "",
    sources: Sequence[str] = (),
) -> PointsInfo:
    """Write ``lieux.bin.gz`` and ``noms.txt.gz`` in the folder ``out``.

    Parameters
    ----------
    places
        ``place_id, name, type, category, code, longitude, latitude`` (degrees, EPSG:4326), and, when known,
        ``demo`` (Boolean), ``detail``, ``label``. Rows in any order: the file is sorted.
    communes
        ``code, name``, and, when known, ``xmin, ymin, xmax, ymax`` (degrees) to tell doubtful positions.
    out
        Folder, usually ``<snapshot>/cartes``.
    snapshot_id, sources
        Written in the header; ``sources`` are shown under the map.

    Raises
    ------
    SnapshotError
        When a column is missing, or when there are more than 255 pairs of type and category.
    StorageError
        When the folder cannot be written.
    """
    if missing := [name for name in _REQUIRED if name not in places.columns]:
        raise SnapshotError(
            "La table des lieux ne permet pas de dessiner la carte.",
            where="culture_places",
            why=f"colonnes absentes : {', '.join(missing)}.",
            next_step="reconstruisez l'instantané : bourg build.",
        )
    drawn, unlocated = _drawable(places, communes)
    kinds = drawn.select("type", "category").unique().sort("category", "type")
    if kinds.height > 255:
        raise SnapshotError(
            f"La carte ne sait pas dessiner {kinds.height} types de lieux.", why="elle en accepte 255 au plus."
        )
    kinds = kinds.with_columns(kind=pl.int_range(pl.len(), dtype=pl.UInt8))
    drawn = drawn.join(kinds, on=["type", "category"], how="left", maintain_order="left", nulls_equal=True)
    per_commune = drawn.group_by("code", maintain_order=True).agg(rows=pl.len(), commune=pl.first("commune"))
    categories = [*CATEGORIES, UNCLASSIFIED]
    columns = [
        ("lon", "int32-delta-planes", _planes(drawn["x"].to_numpy())),
        ("lat", "int32-delta-planes", _planes(drawn["y"].to_numpy())),
        ("kind", "uint8", drawn["kind"].to_numpy().tobytes()),
        ("flags", "uint8", drawn["flags"].to_numpy().tobytes()),
        ("commune_counts", "uint16", _counts(per_commune["rows"].to_numpy())),
    ]
    header = {
        "snapshot": snapshot_id,
        "n": drawn.height,
        "unlocated": unlocated,
        "scale": SCALE,
        "demo": bool(drawn["demo"].any()),
        "sources": list(sources),
        "categories": categories,
        "types": [{"label": t, "category": categories.index(c)} for t, c in kinds.select("type", "category").rows()],
        "communes": per_commune["code"].to_list(),
    }
    content = _assemble(header, columns)
    size_gz = write_gzip(out / POINTS_FILE, content)
    write_gzip(out / NAMES_FILE, _names(drawn, per_commune["commune"].to_list()).encode())
    return PointsInfo(
        places=places.height,
        located=drawn.height,
        unlocated=unlocated,
        doubtful=int((drawn["flags"] & FLAG_DOUBTFUL > 0).sum()),
        communes=per_commune.height,
        demo=header["demo"] is True,
        size=len(content),
        size_gz=size_gz,
    )


def _drawable(places: pl.DataFrame, communes: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """Return the rows to draw, sorted by commune then name, and the number of rows without a usable position."""
    lon, lat = pl.col("longitude"), pl.col("latitude")
    usable = lon.is_finite() & lat.is_finite() & (lon.abs() <= 180) & (lat.abs() <= 85) & ~((lon == 0) & (lat == 0))
    located = places.filter(usable.fill_null(value=False))
    optional = [
        pl.col(name) if name in places.columns else pl.lit(default, dtype=dtype).alias(name)
        for name, default, dtype in (
            ("demo", False, pl.Boolean),
            ("detail", None, pl.String),
            ("label", None, pl.String),
        )
    ]
    boxed = {"xmin", "ymin", "xmax", "ymax"} <= set(communes.columns)
    box = ["xmin", "ymin", "xmax", "ymax"] if boxed else []
    known = communes.select("code", pl.col("name").alias("commune"), *box)
    outside = (
        (lon < pl.col("xmin") - _TOLERANCE)
        | (lon > pl.col("xmax") + _TOLERANCE)
        | (lat < pl.col("ymin") - _TOLERANCE)
        | (lat > pl.col("ymax") + _TOLERANCE)
        if boxed
        else pl.lit(value=False)
    )
    drawn = (
        located.with_columns(*optional)
        .with_columns(
            pl.col("code").fill_null(""),
            pl.col("name", "type").fill_null(""),
            pl.col("demo").fill_null(value=False),
            category=pl.when(pl.col("category").is_in(CATEGORIES)).then("category").otherwise(pl.lit(UNCLASSIFIED)),
        )
        .join(known, on="code", how="left")
        .with_columns(
            x=(lon * SCALE).round().cast(pl.Int32),
            y=(lat * SCALE).round().cast(pl.Int32),
            commune=pl.col("commune").fill_null("Commune inconnue"),
            flags=(
                pl.col("demo").cast(pl.UInt8) * FLAG_DEMO
                + outside.fill_null(value=False).cast(pl.UInt8) * FLAG_DOUBTFUL
            ),
            order=name_order(),
        )
        .sort("code", "order", "place_id", "x", "y")
    )
    return drawn, places.height - located.height


def _planes(values: npt.NDArray[np.int32]) -> bytes:
    """Return the differences between rows, made positive, one byte plane after the other."""
    deltas = np.diff(values.astype(np.int64), prepend=0)
    positive = np.where(deltas >= 0, 2 * deltas, -2 * deltas - 1).astype("<u4")
    return np.ascontiguousarray(positive.view(np.uint8).reshape(-1, 4).T).tobytes()


def _counts(rows: npt.NDArray[np.uint32]) -> bytes:
    if rows.size and int(rows.max()) > 65_535:
        raise SnapshotError("Une commune a plus de 65 535 lieux : la carte ne peut pas les compter.")
    return rows.astype("<u2").tobytes()


def _assemble(header: dict[str, object], columns: list[tuple[str, str, bytes]]) -> bytes:
    described, parts, offset = [], [], 0
    for name, kind, content in columns:
        described.append({"name": name, "type": kind, "offset": offset})
        padded = content + bytes(-len(content) % 4)
        parts.append(padded)
        offset += len(padded)
    text = json.dumps({**header, "columns": described}, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    return b"".join([MAGIC, struct.pack("<I", len(text)), text, *parts])


def _names(drawn: pl.DataFrame, communes: list[str]) -> str:
    """Return the text of ``noms.txt``; tabs and line breaks inside a name become spaces."""
    clean = [
        pl.col(name).fill_null("").str.replace_all(r"[\x00-\x1f\x7f\u2028\u2029]+", " ").str.strip_chars()
        for name in ("name", "detail", "label")
    ]
    lines = drawn.select(pl.concat_str(clean, separator="\t").str.strip_chars_end("\t")).to_series()
    heads = [" ".join(name.split()) for name in communes]
    return "\n".join([str(len(heads)), *heads, *lines.to_list()]) + "\n"


def read_header(content: bytes) -> dict[str, object]:
    """Return the header of a points file.

    Raises
    ------
    SnapshotError
        When the bytes are not a points file.
    """
    if content[:4] != MAGIC or len(content) < 8:
        raise SnapshotError("Ce fichier de points n'est pas lisible.", next_step="reconstruisez-le : bourg build.")
    (length,) = struct.unpack("<I", content[4:8])
    header: dict[str, object] = json.loads(content[8 : 8 + length])
    return header
