"""Pages of towns of which a few figures changed: only these are made again, and put in their place in the old files.

The result is, byte for byte, what the whole page would be: the tests compare both.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

KEY_SECTION, TRAITS_SECTION = "chiffres-cles", "distingue"
_FIGURE = re.compile(rb'<li id="([a-z0-9_.]+)">')
_ROW = re.compile(rb'<tr id="([a-z0-9_.]+)">')
_STAMP = re.compile("Page faite avec l’instantané [^<]*?, géographie au".encode())
_DECODER = json.JSONDecoder()


class MendError(ValueError):
    """A file does not have the parts that were to be replaced in it: its page has to be made whole."""


def figures_of(page: bytes) -> dict[bytes, tuple[int, int]]:
    """Return where each figure starts and ends in the page of a town."""
    return _blocks(page, _FIGURE, b"</ul>")


def rows_of(page: bytes) -> dict[bytes, tuple[int, int]]:
    """Return where the line of each figure starts and ends in the page of similar towns."""
    return _blocks(page, _ROW, b"</tbody>")


def _blocks(page: bytes, start: re.Pattern[bytes], end: bytes) -> dict[bytes, tuple[int, int]]:
    found: dict[bytes, tuple[int, int]] = {}
    last: tuple[bytes, int] | None = None
    for match in start.finditer(page):
        if last is not None:
            close = page.find(end, last[1], match.start())
            found[last[0]] = (last[1], match.start() if close < 0 else close)
        last = (match[1], match.start())
    if last is not None:
        close = page.find(end, last[1])
        found[last[0]] = (last[1], close if close >= 0 else len(page))
    return found


def section_of(page: bytes, name: str) -> tuple[int, int]:
    """Return where a section starts and ends.

    Raises
    ------
    MendError
        When the page has no such section.
    """
    start = page.find(f'<section aria-labelledby="{name}">'.encode())
    end = page.find(b"</section>", start)
    if start < 0 or end < 0:
        raise MendError(name)
    return start, end


def mended(
    page: bytes, fresh: bytes, names: Iterable[str], sections: Sequence[str] = (), *, rows: bool = False
) -> bytes:
    """Return a page with the figures of another one.

    Parameters
    ----------
    page, fresh
        The old page, and one where these figures are up to date.
    names
        Indicators; those that neither page shows stay out.
    sections
        Sections to take whole.
    rows
        Whether the figures are lines of a table (the page of similar towns).

    Raises
    ------
    MendError
        When a figure is in one page only, or a section in none.
    """
    places = rows_of if rows else figures_of
    old, new = places(page), places(fresh)
    cuts = []
    for name in names:
        key = name.encode()
        if (key in old) != (key in new):
            raise MendError(name)
        if key in old:
            cuts.append((*old[key], *new[key]))
    cuts += [(*section_of(page, name), *section_of(fresh, name)) for name in sections]
    parts, done = [], 0
    for start, end, from_, to in sorted(cuts):
        parts += [page[done:start], fresh[from_:to]]
        done = end
    return b"".join([*parts, page[done:]])


def stamp_of(page: bytes) -> bytes:
    """Return the words by which a page names its snapshot.

    Raises
    ------
    MendError
        When the page names none.
    """
    found = _STAMP.search(page)
    if found is None:
        raise MendError("instantané")
    return found[0]


def stamped(page: bytes, words: bytes) -> bytes:
    """Return a page that names another snapshot."""
    return page.replace(stamp_of(page), words, 1)


def mended_json(content: bytes, fresh: Mapping[str, Any], snapshot: Mapping[str, Any]) -> bytes:
    """Return the data of a town with some figures up to date.

    Parameters
    ----------
    fresh
        Indicator -> what its entry becomes.
    snapshot
        What the entry of the snapshot becomes.

    Raises
    ------
    MendError
        When an indicator is not there.
    """
    text = content.decode()
    cuts = [(*_entry(text, "instantane"), snapshot), *((*_entry(text, name), value) for name, value in fresh.items())]
    parts, done = [], 0
    for start, end, value in sorted(cuts, key=lambda cut: cut[0]):
        parts += [text[done:start], json.dumps(value, ensure_ascii=False, separators=(",", ":"))]
        done = end
    return "".join([*parts, text[done:]]).encode()


def _entry(text: str, name: str) -> tuple[int, int]:
    mark = f'"{name}":{{"'
    found = text.find(mark)
    if found < 0:
        raise MendError(name)
    start = found + len(mark) - 2
    _, end = _DECODER.raw_decode(text, start)
    return start, end
