"""Vega-Lite specifications as plain dictionaries: the same on a page, in a static file and on paper.

They carry their data and name no address, so that nothing is asked from another host.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bourg.portrait.charts import BASE, Evolution, Landmark
from bourg.text import format_value

SCHEMA = "https://vega.github.io/schema/vega-lite/v5.json"
LOCALE = {"number": {"decimal": ",", "thousands": "\u202f", "grouping": [3], "currency": ["", "\u00a0€"]}}
# Each stands out from white and from the dark background by 3:1 at least (tests/test_charts.py).
PALETTE = (
    "#b8621b", "#2f7fb8", "#3c8c4a", "#8f62c0", "#c2476f", "#8a7200", "#0f8a8a", "#a4553f", "#5c77d0", "#6c7d86",
)  # fmt: skip
NEUTRAL = "#7d8288"
# A colour is never alone to tell two towns apart: lines differ by their dashes, points by their shapes.
_DASHES = ((1, 0), (6, 3), (2, 2), (8, 3, 2, 3), (4, 2), (10, 4), (3, 3, 1, 3), (12, 3), (5, 5), (1, 3))
_SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-right", "triangle-left")
_HEIGHT = 240
# Share of the height that a number at the end of a line takes.
_LABEL_GAP = 0.055
# Height of a drawing of lines, at least, as a share of its highest value.
_LEAST_SPAN = 0.25
# A lowest value under this share of the highest leaves room for the zero.
_FROM_ZERO = 0.4


def evolution_spec(
    series: Sequence[Evolution], *, index: bool = False, landmark: Landmark | None = None, height: int = _HEIGHT
) -> dict[str, Any]:
    """Return the drawing of one series for one or several towns.

    A line never crosses a missing year nor a break that cuts: each run of points is a line of its own. The median of
    a set (``landmark``) is a grey dashed line; what is secret is a cross at the foot of its year.

    Parameters
    ----------
    series
        The same series for one to ten towns.
    index
        Draw 100 at the first year of each comparable part instead of the values.

    Raises
    ------
    ValueError
        When the towns are not given the same series.
    """
    if len({item.id for item in series}) != 1:
        raise ValueError("one series at a time, for one or several towns")
    first = series[0]
    names = [item.name for item in series]
    bars = _bars(series, index=index)
    scale = None if bars else _span(series, index=index, landmark=landmark)
    layers = _break_layers(series)
    if landmark:
        layers.append(_landmark_layer(landmark, index=index, span=scale))
    layers += _bar_layers(first) if bars else _line_layers(series, names, index=index, span=scale)
    if len(series) == 1:
        layers += _secret_layer(first)
    years = [point.year for item in series for point in item.points]
    span = [min(years), max(years)] if years else [0, 1]
    pad = 0.6 if bars else max(0.3, 0.02 * (span[1] - span[0]))
    # Room for the numbers at the end of the lines.
    right = pad * (2 if len(series) > 1 else 1)
    axis = {
        "title": None, "format": "d", "tickMinStep": 1, "tickCount": min(8, span[1] - span[0] + 1), "grid": False,
        "labelOverlap": True,
    }  # fmt: skip
    return {
        "$schema": SCHEMA,
        "description": describe(series, landmark=landmark, index=index),
        "width": "container",
        "height": height,
        "autosize": {"type": "fit", "contains": "padding"},
        "config": {"locale": LOCALE, "view": {"stroke": None}},
        "encoding": {
            "x": {
                "field": "year", "type": "quantitative", "axis": axis,
                "scale": {"domain": [span[0] - pad, span[1] + right], "nice": False, "zero": False},
            },
        },
        "layer": layers,
    }  # fmt: skip


def describe(series: Sequence[Evolution], *, landmark: Landmark | None = None, index: bool = False) -> str:
    """Return the text that stands for the drawing, for those who cannot see it."""
    parts = [f"{series[0].label}, {'indice 100 à la première année' if index else series[0].unit}."]
    for item in series:
        usable = item.usable
        if usable:
            parts.append(f"{item.name} : {usable[0].text} en {usable[0].year}, {usable[-1].text} en {usable[-1].year}.")
    if landmark:
        parts.append(f"En pointillé gris : {landmark.label}.")
    parts += [f"Rupture de série en {item.year}." for item in series[0].breaks if item.cuts]
    parts.append("Les mêmes points sont dans le tableau qui suit.")
    return " ".join(parts)


def _span(series: Sequence[Evolution], *, index: bool, landmark: Landmark | None) -> tuple[float, float]:
    """Return the ends of the vertical axis of lines: wide enough not to make a cliff of a small change."""
    values = [point.index if index else point.value for item in series for point in item.usable]
    if landmark:
        values += [value for *_, value in (landmark.indexes if index else landmark.values)]
    known = [value for value in values if value is not None]
    if not known:
        return 0.0, 1.0
    low, high = min(known), max(known)
    if 0 <= low <= _FROM_ZERO * high:
        return 0.0, high
    lacking = max(_LEAST_SPAN * abs(high) - (high - low), 0.0)
    return (max(low - lacking / 2, 0.0) if low >= 0 else low - lacking / 2), high + lacking / 2


def not_from_zero(series: Sequence[Evolution], *, index: bool = False, landmark: Landmark | None = None) -> bool:
    """Tell whether the vertical axis starts above zero, which a reader must be told."""
    if _bars(series, index=index):
        return False
    return _span(series, index=index, landmark=landmark)[0] > 0


def _bars(series: Sequence[Evolution], *, index: bool) -> bool:
    return series[0].mark == "bar" and len(series) == 1 and not index


def _y(
    *, index: bool, decimals: int = 0, zero: bool = False, span: tuple[float, float] | None = None
) -> dict[str, Any]:
    form = "d" if index or not decimals else f",.{decimals}f"
    # Vega-Lite would write 1k for thousands without a format of its own.
    axis = {"title": None, "format": form if index else ("," + form).replace(",,", ","), "tickCount": 5}
    scale: dict[str, Any] = {"zero": zero, "nice": True}
    if span:
        scale["domain"] = list(span)
    return {"field": "value", "type": "quantitative", "axis": axis, "scale": scale}


def _tooltip(*extra: tuple[str, str]) -> list[dict[str, str]]:
    return [{"field": "year", "type": "quantitative", "format": "d", "title": "Année"}] + [
        {"field": name, "type": "nominal", "title": title} for name, title in extra
    ]


def _values(item: Evolution, town: int, *, index: bool) -> list[dict[str, Any]]:
    rows = []
    for number, run in enumerate(item.runs):
        for point in run:
            value = point.index if index else point.value
            if value is None:
                continue
            text = f"{format_value(value, '', 1)} ({point.text})" if index else point.text
            rows.append(
                {"year": point.year, "value": value, "town": item.name, "text": text, "run": f"{town}-{number}"}
            )
    return rows


def _line_layers(
    series: Sequence[Evolution], names: list[str], *, index: bool, span: tuple[float, float] | None
) -> list[dict[str, Any]]:
    rows = [row for town, item in enumerate(series) for row in _values(item, town, index=index)]
    several = len(series) > 1

    def scale(values: Sequence[Any]) -> dict[str, Any]:
        kept = [values[rank % len(values)] for rank in range(len(names))]
        return {"field": "town", "type": "nominal", "scale": {"domain": names, "range": kept}, "legend": None}

    y = _y(index=index, decimals=series[0].decimals, span=span)
    encoding = {"y": y, "color": scale(PALETTE), "detail": {"field": "run"}}
    shown = {"shape": scale(_SHAPES)} if several else {}
    dashes = {"strokeDash": scale([list(item) for item in _DASHES])} if several else {}
    many = sum(len(item.points) for item in series) > 60
    point = {"type": "point", "filled": True, "opacity": 1, "size": 25 if many else 45}
    tooltip = _tooltip(("town", "Commune"), ("text", "Valeur"))
    numbers = _number_layer(series, scale(PALETTE), y, index=index) if several else []
    return [
        *numbers,
        {"data": {"values": rows}, "mark": {"type": "line", "strokeWidth": 2.2}, "encoding": {**encoding, **dashes}},
        {"data": {"values": rows}, "mark": point, "encoding": {**encoding, **shown, "tooltip": tooltip}},
    ]


def _number_layer(
    series: Sequence[Evolution], color: dict[str, Any], y: dict[str, Any], *, index: bool
) -> list[dict[str, Any]]:
    """Return the number of each town at the end of its line, moved apart where lines end together."""
    low, high = _span(series, index=index, landmark=None)
    least = (high - low) * _LABEL_GAP
    ends: list[tuple[float, int, int, str]] = []
    for rank, item in enumerate(series):
        last = item.usable[-1] if item.usable else None
        value = None if last is None else last.index if index else last.value
        if last is not None and value is not None:
            ends.append((value, rank, last.year, item.name))
    rows: list[dict[str, Any]] = []
    place = float("-inf")
    for value, rank, year, name in sorted(ends):
        place = max(value, place + least)
        rows.append({"year": year, "value": place, "town": name, "label": str(rank + 1)})
    mark = {"type": "text", "align": "left", "dx": 7, "fontSize": 12, "fontWeight": "bold"}
    encoding = {"y": y, "text": {"field": "label"}, "color": color}
    return [{"data": {"values": rows}, "mark": mark, "encoding": encoding}]


def _bar_layers(item: Evolution) -> list[dict[str, Any]]:
    years = len(item.points) or 1
    return [
        {
            "data": {"values": _values(item, 0, index=False)},
            "mark": {"type": "bar", "size": max(4, min(26, 220 // years)), "color": PALETTE[0]},
            "encoding": {"y": _y(index=False, decimals=item.decimals, zero=True),
                         "tooltip": _tooltip(("text", "Valeur"))},
        }
    ]  # fmt: skip


def _landmark_layer(landmark: Landmark, *, index: bool, span: tuple[float, float] | None) -> dict[str, Any]:
    rows = [
        {"year": year, "value": value, "part": part, "text": format_value(value, "", 1), "set": landmark.label}
        for year, part, value in (landmark.indexes if index else landmark.values)
    ]
    return {
        "data": {"values": rows},
        "mark": {"type": "line", "color": NEUTRAL, "strokeDash": [5, 4], "strokeWidth": 2, "point": {"color": NEUTRAL}},
        "encoding": {"y": _y(index=index, span=span), "detail": {"field": "part"},
                     "tooltip": _tooltip(("set", "Repère"), ("text", "Médiane"))},
    }  # fmt: skip


def _break_layers(series: Sequence[Evolution]) -> list[dict[str, Any]]:
    breaks = {item.year: item for one in series for item in one.breaks}
    if not breaks:
        return []
    rows = [
        {"year": item.year - 0.5, "label": "rupture" if item.cuts else "", "text": item.label,
         "cuts": item.cuts}
        for item in breaks.values()
    ]  # fmt: skip
    tooltip = [{"field": "text", "type": "nominal", "title": "Rupture de série"}]
    dash = {"condition": {"test": "datum.cuts", "value": [1, 0]}, "value": [2, 3]}
    return [
        {"data": {"values": rows}, "mark": {"type": "rule", "color": NEUTRAL, "strokeWidth": 1.5},
         "encoding": {"strokeDash": dash, "tooltip": tooltip}},
        {"data": {"values": rows},
         "mark": {"type": "text", "align": "left", "baseline": "top", "dx": 4, "fontSize": 11, "color": NEUTRAL},
         "encoding": {"y": {"value": 0}, "text": {"field": "label"}, "tooltip": tooltip}},
    ]  # fmt: skip


def _secret_layer(item: Evolution) -> list[dict[str, Any]]:
    rows = [{"year": point.year, "text": point.text} for point in item.points if point.status == "secret"]
    if not rows:
        return []
    mark = {"type": "text", "text": "✕", "color": NEUTRAL, "fontSize": 12, "baseline": "bottom", "dy": -2}
    encoding = {"y": {"value": "height"}, "tooltip": _tooltip(("text", "Statut"))}
    return [{"data": {"values": rows}, "mark": mark, "encoding": encoding}]


def index_base_text() -> str:
    """Return the sentence that explains the index."""
    return f"Indice {BASE:.0f} à la première année connue ; il repart de {BASE:.0f} après chaque rupture de série."
