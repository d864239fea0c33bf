"""Leave out the rows of Sirene that are no shop before their text becomes a table.

Five establishments in six are not shops. A compiled loop walks once over the bytes of a block, copies the lines that
may be one, and counts those it leaves out. It only leaves out what it is sure of: a line that looks odd is kept for the
reader to judge, and a block whose lines cannot be told apart is given back whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar, cast

import numba
import numpy as np
import numpy.typing as npt

from bourg.sources.csvblocks import Sifted

_F = TypeVar("_F", bound=Callable[..., object])
Bytes = npt.NDArray[np.uint8]
Longs = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]
# Columns the loop looks at, in the order of its ranks.
ROLES = ("siret", "state", "start", "naf", "nomenclature")
_SIRET_BYTES, _DATE_BYTES = 14, 10
_QUOTE, _LINE_END, _RETURN = ord('"'), ord("\n"), ord("\r")
_OPEN, _CLOSED = ord("A"), ord("F")


def _compiled(function: _F) -> _F:
    return cast("_F", numba.njit(cache=True, nogil=True)(function))


@_compiled
def _word(data: Bytes, start: int, stop: int) -> int:
    """Return up to eight bytes as one number; zero for none or for more."""
    value = np.uint64(0)
    if stop - start <= 8:
        for index in range(start, stop):
            value = (value << np.uint64(8)) | np.uint64(data[index])
    return value  # type: ignore[return-value]


@_compiled
def _rank(words: Words, value: int) -> int:
    for index in range(words.size):
        if words[index] == value:
            return index
    return -1


@_compiled
def _among(words: Words, value: int) -> bool:
    """Tell whether a number is in a sorted list."""
    low, high = 0, words.size
    while low < high:
        middle = (low + high) // 2
        if words[middle] < value:
            low = middle + 1
        else:
            high = middle
    return bool(low < words.size and words[low] == value)


@_compiled
def _quote_end(data: Bytes, place: int, separator: int) -> int:
    """Return what follows the quoted field that begins at ``place``: the size when nothing does, -1 when it is odd."""
    size, position = data.size, place + 1
    while position + 1 < size and not (data[position] == _QUOTE and data[position + 1] != _QUOTE):
        position += 2 if data[position] == _QUOTE else 1
    position = min(position + 1, size)
    if position < size and data[position] not in (separator, _LINE_END, _RETURN):
        return -1
    return int(position)


@_compiled
def _line_end(data: Bytes, begin: int, roles: Longs, separator: int, bounds: Longs) -> int:
    """Write the bounds of the fields that have a role; return the end of the line, or the signs of ``_quote_end``.

    The bounds of a field whose text only the reader can tell are -1.
    """
    mark, highest = np.uint8(separator), np.uint8(max(separator, _QUOTE))
    size, position, place, field = data.size, begin, begin, 0
    while position < size:
        value = data[position]
        # Most bytes are above every mark: one comparison passes over them.
        if value > highest:
            position += 1
        elif value == mark or value == _LINE_END:  # noqa: PLR1714, SIM109 - a tuple is slower once compiled
            role = roles[field]
            if role >= 0:
                bounds[role, 0], bounds[role, 1] = _unquoted(data, place, position)
            if value == _LINE_END:
                return position if field == roles.size - 1 else -1
            field += 1
            if field == roles.size:
                return -1
            position += 1
            place = position
        elif value == _QUOTE:
            position = _quote_end(data, place, separator) if position == place else -1
            if position < 0:
                return -1
        else:
            position += 1
    return int(size)


@_compiled
def _unquoted(data: Bytes, place: int, stop: int) -> tuple[int, int]:
    quoted = 1 if data[place] == _QUOTE else 0
    # An empty text between quotes is not the same as nothing.
    if (quoted and stop - place <= 2) or (stop > place and data[stop - 1] == _RETURN):
        return -1, -1
    return place + quoted, stop - quoted


@_compiled
def _left_out(data: Bytes, bounds: Longs, codes: Words, schemes: Words) -> int:
    """Return the nomenclature of a line that is surely no shop (its rank, the last one for none), -1 for the others."""
    state, start = bounds[1, 0], bounds[2, 1] - bounds[2, 0]
    if (
        bounds[:, 0].min() < 0
        or bounds[0, 1] - bounds[0, 0] != _SIRET_BYTES
        or bounds[1, 1] - state != 1
        or (data[state] != _OPEN and data[state] != _CLOSED)
        or 0 < start < _DATE_BYTES
    ):
        return -1
    scheme = schemes.size
    if bounds[4, 1] > bounds[4, 0]:
        scheme = _rank(schemes, _word(data, bounds[4, 0], bounds[4, 1]))
    if scheme in (0, schemes.size) and _among(codes, _word(data, bounds[3, 0], bounds[3, 1])):
        return -1
    return int(scheme)


@_compiled
def _sift(  # noqa: PLR0917
    data: Bytes, out: Bytes, numbers: Longs, counts: Longs, roles: Longs, codes: Words, schemes: Words, separator: int
) -> tuple[int, int, int, int]:
    """Copy the lines that may be shops; return lines seen (-1: they cannot be told apart), kept, bytes read, written.

    ``counts[k]`` receives the lines left out whose nomenclature is ``schemes[k]``, the last one those without any.
    """
    bounds = np.zeros((len(ROLES), 2), dtype=np.int64)
    begin = rows = kept = written = 0
    while begin < data.size:
        stop = _line_end(data, begin, roles, separator, bounds)
        if stop < 0:
            return -1, 0, 0, 0
        if stop >= data.size:
            break
        scheme = _left_out(data, bounds, codes, schemes)
        if scheme >= 0:
            counts[scheme] += 1
        else:
            length = stop + 1 - begin
            out[written : written + length] = data[begin : stop + 1]
            numbers[kept] = rows
            written += length
            kept += 1
        rows += 1
        begin = stop + 1
    return rows, kept, begin, written


def _words(texts: Iterable[str]) -> Words:
    return np.array([int.from_bytes(text.encode(), "big") for text in texts], dtype=np.uint64)


class Sieve:
    """The sieve of one file.

    Parameters
    ----------
    places
        Logical column -> rank in the file; the five of :data:`ROLES` are needed.
    width
        Number of columns of the file.
    codes
        Activities of shops, at most eight bytes each.
    schemes
        Known nomenclatures, at most eight bytes each; the first is the one the codes belong to.

    Attributes
    ----------
    left_out
        Nomenclature (``None`` when the file gives none) -> rows left out so far.
    """

    def __init__(
        self,
        places: Mapping[str, int],
        width: int,
        separator: str,
        *,
        codes: Iterable[str],
        schemes: tuple[str, ...],
    ) -> None:
        self._roles = np.full(width, -1, dtype=np.int64)
        for role, name in enumerate(ROLES):
            self._roles[places[name]] = role
        self._codes, self._schemes = np.sort(_words(codes)), _words(schemes)
        self._separator = ord(separator)
        self._names = (*schemes, None)
        self._out: Bytes = np.empty(0, dtype=np.uint8)
        self.left_out: dict[str | None, int] = {}

    def __call__(self, data: bytes) -> Sifted | None:
        """Return the lines that may be shops; ``None`` when the block has to be read record by record."""
        block = np.frombuffer(data, dtype=np.uint8)
        if self._out.size < block.size:
            self._out = np.empty(block.size, dtype=np.uint8)
        numbers = np.empty(block.size // self._roles.size + 1, dtype=np.int64)
        counts = np.zeros(len(self._names), dtype=np.int64)
        rows, kept, used, written = _sift(
            block, self._out, numbers, counts, self._roles, self._codes, self._schemes, self._separator
        )
        if rows < 0:
            return None
        for name, count in zip(self._names, counts.tolist(), strict=True):
            if count:
                self.left_out[name] = self.left_out.get(name, 0) + count
        return Sifted(self._out[:written].tobytes(), numbers[:kept].copy(), rows, used)
