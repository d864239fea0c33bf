"""The drawings of the pages, made whole for paper: the same SVG with its colours inside, and its text alternative."""

from __future__ import annotations

from collections.abc import Sequence

from bourg.indicators.values import ValueSheet
from bourg.portrait import drawings
from bourg.portrait.charts import Evolution

# Colours of the public page on paper. A reader who sees no colour still has the shapes, the words and the alternative.
INK, SOFT, LINE, TOWN, PALE, HALF = "#1b1f24", "#4d5660", "#c9ced4", "#9a3c00", "#d3d8de", "#93a1b0"
FONT = "Source Sans 3"
_STYLE = (
    # The variable font starts at its thinnest: the weight is asked as an axis, the only way SVG gives it.
    f"text{{font-family:'{FONT}';font-variation-settings:'wght' 400;font-size:11px;fill:{SOFT}}}"
    f".fin{{text-anchor:end}}.mid{{text-anchor:middle}}"
    f".x,.g{{stroke:{LINE};fill:none}}.g{{stroke-dasharray:2 3}}.l{{fill:{PALE}}}.q{{fill:{HALF}}}"
    f".m{{stroke:{INK};stroke-width:2}}.v{{fill:{TOWN};stroke:#fff;stroke-width:1}}"
    f".t{{fill:none;stroke:{TOWN};stroke-width:2}}.o,.b{{fill:{TOWN}}}.r{{stroke:{SOFT};stroke-width:1.2}}"
    f".p{{stroke-dasharray:2 3}}.dep{{fill:#fff;stroke:{HALF}}}.epci{{fill:{PALE};stroke:{HALF}}}"
    f".com{{fill:{TOWN}}}.rond{{fill:none;stroke:{TOWN};stroke-width:2}}"
)


def whole(svg: str) -> str:
    """Return a drawing of the pages as an SVG document that stands alone; an empty text stays empty."""
    if not svg:
        return ""
    opening, _, rest = svg.partition(">")
    opening = opening.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
    # The multiplication sign of the fonts stands for the cross, which they do not have.
    return f"{opening}><style>{_STYLE}</style>{rest}".replace("✕", "×")


def drawing(svg: str, alt: str) -> dict[str, str] | None:
    """Return what the template shows of a drawing, ``None`` without drawing."""
    return {"svg": whole(svg), "alt": alt} if svg else None


def map_drawing(svg: str, alt: str) -> dict[str, str] | None:
    """Return the map that locates the town."""
    return drawing(svg, alt)


def strip_drawing(sheet: ValueSheet, comparators: Sequence[str], alt: str) -> dict[str, str] | None:
    """Return the strip of a figure, ``None`` when there is nothing to compare it with."""
    return drawing(drawings.strip(sheet, comparators), alt)


def chart_drawing(series: Evolution, alt: str) -> dict[str, str] | None:
    """Return one series of the town."""
    return drawing(drawings.chart(series), alt)
