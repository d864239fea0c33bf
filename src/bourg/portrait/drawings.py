"""Small drawings of the public pages, as SVG written by hand: strips, lines, bars, the map that locates a town.

They hold no style of their own (the style sheet has it), no script and no text that is not also written beside them.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

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
    least, decimals = _least(), sheet.decimals
    spreads = {item.comparator: item for item in sheet.distributions if item.n >= least}
    # Drawn from the numbers as they are written: a change that no one can read leaves the drawing as it is.
    drawn = [_rounded(spreads[name], decimals) for name in comparators if name in spreads]
    if not drawn:
        return ""
    scale = scale_of(drawn, decimals)
    rows = "".join([_strip_line(spread, sheet.value, scale, index) for index, spread in enumerate(drawn)])
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


def _rounded(spread: Distribution, decimals: int) -> Distribution:
    # Made by hand: a general copy takes ten times as long, three hundred times a page.
    return Distribution(
        spread.comparator, spread.label, spread.set_label, spread.n, round(spread.minimum, decimals),
        round(spread.p10, decimals), round(spread.q1, decimals), round(spread.median, decimals),
        round(spread.q3, decimals), round(spread.p90, decimals), round(spread.maximum, decimals), spread.demo,
    )  # fmt: skip


def _strip_line(spread: Distribution, value: float, scale: Scale, index: int) -> str:
    top = index * _ROW
    low, high = scale.low, scale.high
    if high > low:
        pixels = _WIDTH / (high - low)
        p10, q1, middle, q3, p90, here = [
            _LEFT + round((number - low) * pixels)
            for number in (spread.p10, spread.q1, spread.median, spread.q3, spread.p90, value)
        ]
    else:
        p10 = q1 = middle = q3 = p90 = here = _LEFT + _WIDTH // 2
    line = top + 8
    if value < low:
        town = f'<path class="v" d="M{_LEFT - 3} {line}l7-5v10z"/>'
    elif value > high:
        town = f'<path class="v" d="M{_LEFT + _WIDTH + 3} {line}l-7-5v10z"/>'
    else:
        town = f'<circle class="v" cx="{here}" cy="{line}" r="4.5"/>'
    return (
        f'<text x="0" y="{top + 12}">{SHORT[spread.comparator]}</text><path class="x" d="M{_LEFT} {line}h{_WIDTH}"/>'
        f'<rect class="l" x="{p10}" y="{top + 6}" width="{max(p90 - p10, 1)}" height="4"/>'
        f'<rect class="q" x="{q1}" y="{top + 4}" width="{max(q3 - q1, 1)}" height="8"/>'
        f'<path class="m" d="M{middle} {top + 1}v14"/>{town}'
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
