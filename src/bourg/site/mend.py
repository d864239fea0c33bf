"""Pages of towns of which a few figures changed: only these are made again, and put in their place in the old files.

The result is, byte for byte, what the whole page would be: the tests compare both.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

Part = Literal["figure", "key", "line"]
TRAITS_SECTION = "distingue"
# How a figure of a theme, a key figure, and a line of the page of similar towns start and end.
_MARKS: Mapping[Part, tuple[bytes, bytes]] = {
    "figure": (b'<li id="%s">', b"</details></li>"),
    "key": (b'<li><h3><a href="#%s">', b"</p></li>"),
    "line": (b'<tr id="%s">', b"</tr>\n"),
}
_STAMP_STARTS, _STAMP_ENDS = "Page faite avec l’instantané ".encode(), ", géographie au".encode()
_DECODER = json.JSONDecoder()
# Bytes within which the entry of a figure ends, but for a few.
_LENGTH = 4096
_NOTHING: Mapping[str, str] = MappingProxyType({})


class MendError(ValueError):
    """A file does not have the parts that were to be replaced in it: its page has to be made whole."""


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


def mended(page: bytes, fresh: Mapping[Part, Mapping[str, str]], sections: Mapping[str, str] = _NOTHING) -> bytes:
    """Return a page with other figures in the place of some.

    Parameters
    ----------
    page
        The old page.
    fresh
        What is replaced -> indicator -> what it becomes, from the mark by which it starts to the one by which it ends.
    sections
        Section -> what it becomes, from ``<section …>`` to ``</section>``.

    Raises
    ------
    MendError
        When a figure or a section is not in the page.
    """
    cuts = [(*section_of(page, name), text.removesuffix("</section>").encode()) for name, text in sections.items()]
    for part, texts in fresh.items():
        opening, ending = _MARKS[part]
        place = 0
        for name, text in texts.items():
            mark = opening % name.encode()
            # Figures come in the order of the page: what was passed is only read again when one does not.
            start = page.find(mark, place)
            start = page.find(mark) if start < 0 else start
            end = page.find(ending, start) + len(ending)
            if start < 0 or end < len(ending):
                raise MendError(name)
            cuts.append((start, end, text.encode()))
            place = end
    parts, done = [], 0
    for start, end, content in sorted(cuts):
        parts += [page[done:start], content]
        done = end
    return b"".join([*parts, page[done:]])


def stamp_of(page: bytes) -> bytes:
    """Return the words by which a page names its snapshot.

    Raises
    ------
    MendError
        When the page names none.
    """
    start, end = _stamp(page)
    return page[start:end]


def stamped(page: bytes, words: bytes) -> bytes:
    """Return a page that names another snapshot."""
    start, end = _stamp(page)
    return b"".join((page[:start], words, page[end:]))


def _stamp(page: bytes) -> tuple[int, int]:
    # At the end of the page: looked for from there.
    start = page.rfind(_STAMP_STARTS)
    end = page.find(_STAMP_ENDS, start)
    if start < 0 or end < 0:
        raise MendError("instantané")
    return start, end


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
    cuts, place = [_entry(content, "instantane", snapshot, 0)], 0
    for name, value in fresh.items():
        cuts.append(_entry(content, name, value, place))
        place = cuts[-1][1]
    parts, done = [], 0
    for start, end, text in sorted(cuts):
        parts += [content[done:start], text]
        done = end
    return b"".join([*parts, content[done:]])


def _entry(content: bytes, name: str, value: Mapping[str, Any], place: int) -> tuple[int, int, bytes]:
    """Return where an entry of the data starts and ends, and what it becomes; it is first looked for after a place."""
    mark = f'"{name}":{{"'.encode()
    found = content.find(mark, place)
    found = content.find(mark) if found < 0 else found
    if found < 0:
        raise MendError(name)
    start = found + len(mark) - 2
    # Most entries end soon: the rest of the file needs no decoding.
    for size in (_LENGTH, len(content)):
        text = content[start : start + size].decode(errors="ignore")
        with contextlib.suppress(json.JSONDecodeError):
            end = start + len(text[: _DECODER.raw_decode(text)[1]].encode())
            return start, end, json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    raise MendError(name)
