"""The picture that other sites show beside a link to a town: its name, three figures, where it is."""

from __future__ import annotations

import io
from typing import Any

from PIL import Image

from bourg.indicators.engine import USABLE
from bourg.portrait.document import Portrait
from bourg.portrait.markup import typeset
from bourg.portrait.page import TownPage
from bourg.portrait.pdf.drawings import map_drawing
from bourg.portrait.pdf.render import made_at, typeset_file
from bourg.text import format_number, format_unit

# Pixels that the networks ask for: wider than that they cut, narrower they show it small.
WIDTH, HEIGHT = 1200, 630
_FIGURES = 3
# Flat colours and their softened edges: more of them would not be seen.
_COLOURS = 96


def social_content(page: TownPage) -> dict[str, Any]:
    """Return what the picture shows, as plain JSON types."""
    portrait = page.portrait
    identity = portrait.identity
    figures = _figures(portrait)
    return {
        "title": typeset(identity.name),
        "name": typeset(identity.name),
        "where": typeset(f"{identity.departement['nom']} ({identity.departement['code']})"),
        "around": typeset(identity.epci["nom"]) if identity.epci else "",
        "figures": figures,
        "demo": any(item["demo"] for item in figures),
        "map": map_drawing(page.map_svg, ""),
    }


def _figures(portrait: Portrait) -> list[dict[str, Any]]:
    known = [sheet for sheet in portrait.key_figures if sheet.status in USABLE and sheet.value is not None]
    # True figures first: a picture goes far from the page that explains the mark.
    chosen = sorted(known, key=lambda sheet: sheet.demo)[:_FIGURES]
    return [
        {
            "label": typeset(sheet.label), "number": format_number(sheet.value or 0.0, sheet.decimals),
            "unit": typeset(format_unit(round(sheet.value or 0.0, sheet.decimals), sheet.unit)) if sheet.unit else "",
            "demo": sheet.demo,
        }
        for sheet in chosen
    ]  # fmt: skip


def social_png(page: TownPage) -> bytes:
    """Return the picture of a town: PNG, 1200 × 630 pixels; the same snapshot gives the same bytes.

    Raises
    ------
    DrawingError
        When typst refuses, or when the fonts are not installed.
    """
    drawn = typeset_file("social.typ", social_content(page), form="png", when=made_at(page.portrait.snapshot))
    with Image.open(io.BytesIO(drawn)) as image:
        flat = image.convert("RGB").quantize(_COLOURS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    buffer = io.BytesIO()
    flat.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
