"""Small drawings of the public pages, as SVG written by hand: strips, lines, bars, the map that locates a town.

They hold no style of their own (the style sheet has it), no script and no text that is not also written beside them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache, lru_cache

from bourg.indicators.engine import USABLE
from bourg.indicators.parameters import parameter
from bourg.indicators.values import Distribution, ValueSheet
from bourg.portrait.charts import Evolution
from bourg.portrait.strips import SHORT, Scale, scale_of
from bourg.text import format_number

# Pixels: the strip fits a phone of 320 px, the lines are scaled with their column.
_LEFT, _WIDTH, _ROW = 78, 184, 17
_W, _H = 340, 132
_PLOT = (6, 16, 334, 112)
_LEAST_SPAN = 0.25
_FROM_ZERO = 0.4


def strip(sheet: ValueSheet, comparators: Sequence[str]) -> str:
    """Return where a figure stands in the spread of the communes it is compared with; empty when nothing is known.

    Bars go from the first to the last decile, and between the quartiles; a tick marks the median, a disc the town.
    """
    if sheet.status not in USABLE or sheet.value is None:
        return ""
    spreads = {item.comparator: item for item in sheet.distributions if item.n >= _least()}
    drawn = [spreads[name] for name in comparators if name in spreads]
    if not drawn:
        return ""
    # Drawn from the numbers as they are written: a change that no one can read leaves the drawing as it is.
    drawn = [_rounded(spread, sheet.decimals) for spread in drawn]
    scale = scale_of(drawn, sheet.decimals)
    rows = "".join(_strip_line(spread, sheet.value, scale, index) for index, spread in enumerate(drawn))
    base = len(drawn) * _ROW + 9
    ends = [(scale.low, f'x="{_LEFT}"'), (scale.high, f'x="{_LEFT + _WIDTH}" class="fin"')]
    numbers = "".join(
        f'<text {place} y="{base}">{format_number(value, sheet.decimals)}</text>'
        for value, place in (ends if scale.high > scale.low else [])
    )
    height = base + 3 if numbers else base - 8
    return (
        f'<svg class="bande" width="266" height="{height}" viewBox="0 0 266 {height}" aria-hidden="true">'
        f"{rows}{numbers}</svg>"
    )


@cache
def _least() -> int:
    return int(parameter("ranking_min_set"))


@lru_cache(maxsize=65_536)
def _rounded(spread: Distribution, decimals: int) -> Distribution:
    numbers = {
        name: round(getattr(spread, name), decimals)
        for name in ("minimum", "p10", "q1", "median", "q3", "p90", "maximum")
    }
    return replace(spread, **numbers)


def _strip_line(spread: Distribution, value: float, scale: Scale, index: int) -> str:
    top = index * _ROW
    low, high = scale.low, scale.high
    pixels = _WIDTH / (high - low) if high > low else 0.0

    def at(number: float) -> int:
        return _LEFT + (round((number - low) * pixels) if pixels else _WIDTH // 2)

    def bar(name: str, low: float, high: float, y: int, height: int) -> str:
        return f'<rect class="{name}" x="{at(low)}" y="{y}" width="{max(at(high) - at(low), 1)}" height="{height}"/>'

    side, middle = scale.side(value), top + 8
    if side:
        tip, back = (_LEFT - 3, 7) if side == "gauche" else (_LEFT + _WIDTH + 3, -7)
        town = f'<path class="v" d="M{tip} {middle}l{back}-5v10z"/>'
    else:
        town = f'<circle class="v" cx="{at(value)}" cy="{middle}" r="4.5"/>'
    return (
        f'<text x="0" y="{top + 12}">{SHORT[spread.comparator]}</text>'
        f'<path class="x" d="M{_LEFT} {middle}h{_WIDTH}"/>{bar("l", spread.p10, spread.p90, top + 6, 4)}'
        f'{bar("q", spread.q1, spread.q3, top + 4, 8)}<path class="m" d="M{at(spread.median)} {top + 1}v14"/>{town}'
    )


def chart(series: Evolution) -> str:
    """Return one series of a town: lines never cross a missing year nor a break that cuts.

    Raises
    ------
    ValueError
        When no year has a value.
    """
    usable = series.usable
    if not usable:
        raise ValueError("a chart needs at least one value")
    values = [point.value for point in usable if point.value is not None]
    low, high = _span(values, bars=series.mark == "bar")
    first, last = series.points[0].year, series.points[-1].year
    left, top, right, bottom = _PLOT
    bars = series.mark == "bar"
    pad = (right - left) / (2 * (last - first + 1)) if bars else 4.0
    step = (right - left - 2 * pad) / max(last - first, 1)

    def x(year: float) -> float:
        return left + pad + (year - first) * step if last > first else (left + right) / 2

    def y(value: float) -> float:
        return bottom - (value - low) / (high - low) * (bottom - top) if high > low else bottom

    parts = [f'<path class="x" d="M{left} {bottom}H{right}"/>', f'<path class="g" d="M{left} {top}H{right}"/>']
    parts += [
        f'<path class="{"r" if item.cuts else "r p"}" d="M{x(item.year - 0.5):.0f} {top}V{bottom}"/>'
        for item in series.breaks
    ]
    if bars:
        width = max(step * 0.7, 1.5) if last > first else 24.0
        parts += [
            f'<rect class="b" x="{x(point.year) - width / 2:.1f}" y="{y(point.value):.1f}" width="{width:.1f}" '
            f'height="{bottom - y(point.value):.1f}"/>'
            for point in usable
            if point.value is not None
        ]
    else:
        for run in series.runs:
            places = [(x(point.year), y(point.value)) for point in run if point.value is not None]
            line = "L".join(f"{a:.0f} {b:.0f}" for a, b in places)
            parts.append(f'<path class="t" d="M{line}"/>' if len(places) > 1 else "")
            parts += [f'<circle class="o" cx="{a:.0f}" cy="{b:.0f}" r="2.2"/>' for a, b in places]
    parts += [
        f'<text class="mid" x="{x(point.year):.0f}" y="{bottom - 2}">✕</text>'
        for point in series.points
        if point.status == "secret"
    ]
    parts.append(f'<text x="{left}" y="{top - 4}">{format_number(high, series.decimals)}</text>')
    parts.append(f'<text x="{right}" y="{bottom - 4}" class="fin">{format_number(low, series.decimals)}</text>')
    years = [(first, f'x="{left}"'), (last, f'x="{right}" class="fin"')] if last > first else [(first, f'x="{left}"')]
    parts += [f'<text {place} y="{_H - 4}">{year}</text>' for year, place in years]
    return f'<svg class="courbe" viewBox="0 0 {_W} {_H}" aria-hidden="true">{"".join(parts)}</svg>'


def _span(values: Sequence[float], *, bars: bool) -> tuple[float, float]:
    """Return the ends of the vertical axis: bars start at zero; lines never make a cliff of a small change."""
    low, high = min(values), max(values)
    if bars or 0 <= low <= _FROM_ZERO * high:
        return min(low, 0.0), max(high, 0.0)
    lacking = max(_LEAST_SPAN * abs(high) - (high - low), 0.0)
    return (max(low - lacking / 2, 0.0) if low >= 0 else low - lacking / 2), high + lacking / 2


def starts_above_zero(series: Evolution) -> bool:
    """Tell whether the vertical axis starts above zero, which a reader must be told."""
    values = [point.value for point in series.usable if point.value is not None]
    return bool(values) and _span(values, bars=series.mark == "bar")[0] > 0
