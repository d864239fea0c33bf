"""Vector tiles: the few messages of the Mapbox Vector Tile format that polygons need.

References
----------
Mapbox Vector Tile specification 2.1 (messages and geometry commands); Protocol Buffers encoding (varints). The
published encoder asks for an older ``protobuf`` than the one the dashboard needs.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

EXTENT = 4096
BUFFER = 64
_MOVE, _LINE, _CLOSE = 1, 2, 7
_POLYGON = 3
_BYTES, _VARINT, _DOUBLE = 2, 0, 1

Geometries = NDArray[np.object_]


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def varints(values: NDArray[np.uint64]) -> tuple[bytes, NDArray[np.int64]]:
    """Return the varints of numbers under 2³⁵, end to end, and where each one starts (one more for the end)."""
    sizes = np.ones(len(values), dtype=np.int64)
    for step in range(1, 5):
        sizes += values >= np.uint64(1) << np.uint64(7 * step)
    starts = np.concatenate([[0], np.cumsum(sizes)])
    out = np.zeros(int(starts[-1]), dtype=np.uint8)
    for step in range(5):
        chosen = sizes > step
        part = (values[chosen] >> np.uint64(7 * step)) & np.uint64(0x7F)
        more = np.where(sizes[chosen] > step + 1, np.uint64(0x80), np.uint64(0))
        out[starts[:-1][chosen] + step] = (part | more).astype(np.uint8)
    return out.tobytes(), starts


def _field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | _BYTES) + _varint(len(content)) + content


def _value(value: object) -> bytes:
    if isinstance(value, bool):
        return _varint(7 << 3 | _VARINT) + _varint(int(value))
    if isinstance(value, float):
        return _varint(3 << 3 | _DOUBLE) + struct.pack("<d", value)
    return _field(1, str(value).encode())


def encode_geometries(geometries: Geometries) -> list[bytes]:
    """Return the geometry of each feature, empty for one that the grid of the tile flattens.

    Parameters
    ----------
    geometries
        Polygons and multipolygons in tile units, with whole coordinates.
    """
    parts, feature_of_part = shapely.get_parts(geometries, return_index=True)
    surfaces = shapely.get_type_id(parts) == shapely.GeometryType.POLYGON
    parts, feature_of_part = parts[surfaces], feature_of_part[surfaces]
    rings, part_of_ring = shapely.get_rings(parts, return_index=True)
    if not len(rings):
        return [b""] * len(geometries)
    outer = np.diff(part_of_ring, prepend=-1) != 0
    closed, ring_of_point = shapely.get_coordinates(rings, return_index=True)
    points = closed.astype(np.int64)
    x, y = points.T
    inside = ring_of_point[1:] == ring_of_point[:-1]
    cross = np.where(inside, x[:-1] * y[1:] - x[1:] * y[:-1], 0)
    area = np.bincount(ring_of_point[:-1], weights=cross, minlength=len(rings))
    # With y downwards, an outer ring has a positive area and a hole a negative one.
    turned = (area > 0) != outer
    kept = area != 0
    last = np.append(~inside, True)  # the point that closes a ring is not written
    wanted = kept[ring_of_point] & ~last
    ring = ring_of_point[wanted]
    sizes = np.bincount(ring, minlength=len(rings))
    first = np.concatenate([[0], np.cumsum(sizes)])[ring]
    rank = np.arange(len(ring)) - first
    points = points[wanted][np.where(turned[ring], first + sizes[ring] - 1 - rank, first + rank)]
    feature = feature_of_part[part_of_ring]
    moves = points - np.concatenate([np.zeros((1, 2), dtype=np.int64), points[:-1]])
    starting = np.diff(feature[ring], prepend=-1) != 0
    moves[starting] = points[starting]
    zigzag = (moves << 1) ^ (moves >> 63)
    # A ring of n points is MoveTo(1), 2 numbers, LineTo(n - 1), 2 (n - 1) numbers, ClosePath(1).
    lengths = np.where(sizes > 0, 2 * sizes + 3, 0)
    ends = np.cumsum(lengths)
    begins = ends - lengths
    out = np.empty(int(ends[-1]), dtype=np.uint64)
    written = sizes > 0
    out[begins[written]] = _MOVE | 1 << 3
    out[begins[written] + 3] = _LINE | (sizes[written] - 1) << 3
    out[ends[written] - 1] = _CLOSE | 1 << 3
    place = begins[ring] + 1 + 2 * rank + (rank > 0)
    out[place], out[place + 1] = zigzag.T
    content, starts = varints(out)
    totals = np.cumsum(np.bincount(feature, weights=lengths, minlength=len(geometries)).astype(np.int64))
    bounds = starts[np.concatenate([[0], totals])]
    return [content[begin:end] for begin, end in pairwise(bounds.tolist())]


def encode_layer(name: str, shapes: Sequence[bytes], properties: Sequence[Mapping[str, Any]]) -> bytes:
    """Return a tile of one layer of polygons.

    Parameters
    ----------
    shapes
        Of :func:`encode_geometries`; a feature without shape is left out.
    properties
        Texts, numbers and booleans of each feature; ``None`` is left out.
    """
    keys: dict[str, int] = {}
    values: dict[tuple[type, object], int] = {}
    features: list[bytes] = []
    for index, (shape, described) in enumerate(zip(shapes, properties, strict=True)):
        if not shape:
            continue
        tags = bytearray()
        for key, value in described.items():
            if value is not None:
                tags += _varint(keys.setdefault(key, len(keys)))
                tags += _varint(values.setdefault((type(value), value), len(values)))
        kind = _varint(3 << 3 | _VARINT) + _varint(_POLYGON)
        identifier = _varint(1 << 3 | _VARINT) + _varint(index + 1)
        features.append(_field(2, identifier + _field(2, bytes(tags)) + kind + _field(4, shape)))
    if not features:
        return b""
    layer = [_varint(15 << 3 | _VARINT) + _varint(2), _field(1, name.encode()), *features]
    layer += [_field(3, key.encode()) for key in keys]
    layer += [_field(4, _value(value)) for _, value in values]
    layer.append(_varint(5 << 3 | _VARINT) + _varint(EXTENT))
    return _field(3, b"".join(layer))
