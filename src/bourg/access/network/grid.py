"""A grid of the straight pieces of streets, to find the nearest one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bourg.access.network.graph import Segments
from bourg.access.projection import METRES_PER_DEGREE


@dataclass(frozen=True)
class StreetGrid:
    """Straight pieces of streets by square cell, compact and sorted.

    Attributes
    ----------
    keys
        Shape ``(n_cells,)``: cells that hold something, sorted (row in the high bits, column in the low ones).
    first
        Shape ``(n_cells + 1,)``: items of cell ``i`` are ``first[i]:first[i + 1]``.
    piece
        Shape ``(n_items,)``: index of the vertex where the straight piece starts.
    segment
        Shape ``(n_items,)``: its segment.
    step_lon, step_lat
        Size of a cell, degrees.
    """

    keys: NDArray[np.int64]
    first: NDArray[np.int64]
    piece: NDArray[np.int32]
    segment: NDArray[np.int32]
    step_lon: float
    step_lat: float


def build_grid(segments: Segments, cell_m: float) -> StreetGrid:
    """Return the grid of the straight pieces of all segments; a piece lies in every cell of its bounding box.

    Cells are as wide as high at the middle latitude of the extract, and measured exactly everywhere.
    """
    coords = segments.coords
    sizes = np.diff(segments.first)
    owner = np.repeat(np.arange(len(segments), dtype=np.int32), sizes)
    is_piece = np.ones(len(coords), dtype=bool)
    is_piece[segments.first[1:] - 1] = False
    piece = np.flatnonzero(is_piece).astype(np.int32)
    middle = float((coords[:, 1].min() + coords[:, 1].max()) / 2) if len(coords) else 0.0
    step_lat = cell_m / METRES_PER_DEGREE
    step_lon = step_lat / max(float(np.cos(np.radians(middle))), 0.05)
    column = np.floor(coords[:, 0] / step_lon).astype(np.int32)
    row = np.floor(coords[:, 1] / step_lat).astype(np.int32)
    left, right = (f(column[piece], column[piece + 1]) for f in (np.minimum, np.maximum))
    low, high = (f(row[piece], row[piece + 1]) for f in (np.minimum, np.maximum))
    width = right - left + 1
    cells = width * (high - low + 1)
    item = np.repeat(np.arange(len(piece), dtype=np.int32), cells)
    rank = np.arange(len(item), dtype=np.int64)
    rank -= np.repeat(np.cumsum(cells) - cells, cells)
    key = (low[item] + rank // width[item]) * (1 << 32)
    key += left[item] + rank % width[item]
    found = piece[item]
    del item, rank, cells, width, left, right, low, high, piece
    order = np.argsort(key, kind="stable")
    key, found = key[order], found[order]
    del order
    new = np.ones(len(key), dtype=bool)
    new[1:] = key[1:] != key[:-1]
    first = np.append(np.flatnonzero(new), len(key)).astype(np.int64)
    return StreetGrid(key[new], first, found, owner[found], step_lon, step_lat)
