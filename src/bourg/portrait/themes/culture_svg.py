"""The sunburst of cultural places: categories inside, types around; drawn by hand as inline SVG.

It has a title and a description that say everything it shows, and a table stands beside it: neither colour nor drawing
tells anything alone. Colours are the same on a light and on a dark page; only the gaps take the colour of the page.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape

from bourg.culture.categories import Breakdown
from bourg.indicators.typologies import UNCLASSIFIED
from bourg.text import NBSP, count_of, format_number, join_words, plural

# Dark enough for white letters (contrast over 4.5), told apart by lightness and hue; grey is what is unclassified.
COLOURS = ("#0f6e66", "#a8480b", "#7535c9", "#1c62b0", "#9c2a58", "#5d6a10", "#7a4a2a", "#2f5d3a")
GREY = "#5b6470"
# The brief's two families keep their colour in every drawing of culture: heritage is orange, living is green.
_FIXED = {"vivant": COLOURS[0], "patrimoine": COLOURS[1], "spectacle_vivant": COLOURS[2], "autre_vivant": COLOURS[0]}
_SIZE = 440
_CENTRE = _SIZE / 2
_HOLE, _MIDDLE, _EDGE = 62, 132, 214
# Degrees and letters of room that a text needs.
_LEAST_CATEGORY, _LEAST_TYPE = 16.0, 8.5
_MOST_LETTERS = 13
# Beyond this width a text lies flat.
_WIDE = 60.0
_PALE = 0.34


@dataclass(frozen=True)
class Slice:
    """A piece of ring: ``start`` and ``end`` in degrees clockwise from the top, radii in pixels."""

    label: str
    n: int
    start: float
    end: float
    inner: float
    outer: float
    colour: str
    text: str
    ink: str


def colours(made: Breakdown) -> dict[str, str]:
    """Return the colour of each category; two of them never share one while there are enough."""
    found: dict[str, str] = {}
    for item in made.categories:
        fixed = GREY if item.id == UNCLASSIFIED else _FIXED.get(item.id)
        if fixed is not None:
            found[item.id] = fixed
    free = [colour for colour in COLOURS if colour not in found.values()]
    for rank, item in enumerate(item for item in made.categories if item.id not in found):
        found[item.id] = free[rank % len(free)]
    return found


def pale(colour: str, share: float = _PALE) -> str:
    """Return a colour mixed with white; black letters read on it."""
    parts = (int(colour[index : index + 2], 16) for index in (1, 3, 5))
    return "#" + "".join(f"{round(255 - share * (255 - part)):02x}" for part in parts)


def slices(made: Breakdown) -> list[Slice]:
    """Return the pieces of the two rings; without any place, none."""
    if not made.total:
        return []
    chosen, found, start = colours(made), [], 0.0
    for item in made.categories:
        if not item.n:
            continue
        end = start + 360 * item.n / made.total
        colour = chosen[item.id]
        percent = f"{format_number(100 * item.n / made.total)}{NBSP}%"
        text = percent if end - start >= _LEAST_CATEGORY else ""
        found.append(Slice(item.label, item.n, start, end, _HOLE, _MIDDLE, colour, text, "#ffffff"))
        first = start
        for rank, kind in enumerate(item.types):
            last = first + 360 * kind.n / made.total
            name = kind.label if last - first >= _LEAST_TYPE else ""
            fill = pale(colour, _PALE if rank % 2 == 0 else _PALE * 0.72)
            found.append(Slice(kind.label, kind.n, first, last, _MIDDLE + 2, _EDGE, fill, _cut(name), "#15181c"))
            first = last
        start = end
    return found


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_LETTERS else f"{text[: _MOST_LETTERS - 1].rstrip()}…"


def _point(angle: float, radius: float) -> str:
    turned = math.radians(angle - 90)
    return f"{_CENTRE + radius * math.cos(turned):.2f} {_CENTRE + radius * math.sin(turned):.2f}"


def _path(piece: Slice) -> str:
    """Return the path of a piece; a whole ring is two halves, since an arc cannot end where it starts."""
    if piece.end - piece.start >= 359.99:
        circles = "".join(
            f"M{_point(0, radius)}A{radius} {radius} 0 1 1 {_point(180, radius)}A{radius} {radius} 0 1 1 "
            f"{_point(0, radius)}Z"
            for radius in (piece.outer, piece.inner)
        )
        return f'<path fill-rule="evenodd" d="{circles}"'
    large = int(piece.end - piece.start > 180)
    outer, inner = piece.outer, piece.inner
    return (
        f'<path d="M{_point(piece.start, outer)}A{outer} {outer} 0 {large} 1 {_point(piece.end, outer)}'
        f'L{_point(piece.end, inner)}A{inner} {inner} 0 {large} 0 {_point(piece.start, inner)}Z"'
    )


def _label(piece: Slice) -> str:
    if not piece.text:
        return ""
    middle, radius = (piece.start + piece.end) / 2, (piece.inner + piece.outer) / 2
    x, y = _point(middle, radius).split()
    turn = ""
    if piece.inner > _HOLE and piece.end - piece.start < _WIDE:
        # Along the radius; upside-down texts are turned over.
        angle = middle - 90 if middle < 180 else middle + 90
        turn = f' transform="rotate({angle:.1f} {x} {y})"'
    return f'<text x="{x}" y="{y}" fill="{piece.ink}"{turn}>{escape(piece.text)}</text>'


def describe(made: Breakdown) -> str:
    """Return what the drawing shows, in words: each category, its number, its share and its types."""
    parts = []
    for item in made.categories:
        if item.n:
            types = join_words([f"{kind.label.lower()} {format_number(kind.n)}" for kind in item.types])
            parts.append(
                f"{item.label}, {count_of(item.n, 'lieu', 'lieux')}, {format_number(100 * item.n / made.total)}{NBSP}% "
                f"({types})"
            )
    return f"{'. '.join(text[0].upper() + text[1:] for text in parts)}."


def sunburst(made: Breakdown, title: str, *, name: str = "rosace", demo: bool = False) -> str:
    """Return the drawing as inline SVG, empty without any place.

    Parameters
    ----------
    made
        The places.
    title
        French title, read first.
    name
        Prefix of the identifiers, unique in the page.
    demo
        Whether the places are generated: the mark stands under the total.
    """
    pieces = slices(made)
    if not pieces:
        return ""
    shapes = "".join(
        f'{_path(piece)} fill="{piece.colour}"><title>{escape(piece.label)} : '
        f"{escape(count_of(piece.n, 'lieu', 'lieux'))}</title></path>"
        for piece in pieces
    )
    labels = "".join(_label(piece) for piece in pieces)
    mark = f'<text class="note" x="{_CENTRE}" y="{_CENTRE + 36}">◆ démo</text>' if demo else ""
    return (
        f'<svg class="rosace" viewBox="0 0 {_SIZE} {_SIZE}" role="img" aria-labelledby="{name}-titre {name}-texte" '
        f'xmlns="http://www.w3.org/2000/svg"><title id="{name}-titre">{escape(title)}</title>'
        f'<desc id="{name}-texte">{escape(describe(made))}</desc>'
        f'<g class="parts">{shapes}</g><g class="mots" aria-hidden="true">{labels}'
        f'<text class="total" x="{_CENTRE}" y="{_CENTRE - 4}">{format_number(made.total)}</text>'
        f'<text class="note" x="{_CENTRE}" y="{_CENTRE + 18}">{plural(made.total, "lieu", "lieux")}</text>{mark}'
        "</g></svg>"
    )


STYLE = """
<style>
.rosace { display: block; width: 100%; max-width: 27.5rem; height: auto; margin: 0 auto;
  font-family: inherit; }
.rosace .parts path { stroke: light-dark(#ffffff, #17181b); stroke-width: 1.5; }
.rosace .parts path:hover { filter: brightness(1.12); }
.rosace text { font-size: 12.5px; text-anchor: middle; dominant-baseline: central; pointer-events: none; }
.rosace text.total { font-size: 32px; font-weight: 650; fill: currentColor; }
.rosace text.note { font-size: 13px; fill: currentColor; }
</style>
"""
