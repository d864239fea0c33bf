"""Classes and colours of a map of values, and the outlines of the intercommunalities that it may draw."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import polars as pl
import shapely

from bourg.errors import UnknownTerritoryError
from bourg.text import format_number, format_value

# Five shades are what an eye still tells apart on small communes; a short list gets fewer.
_MOST_CLASSES = 5
_SHORT_LISTS = ((6, 3), (20, 4))
# Two ways from zero, on each side.
_MOST_ON_A_SIDE = 4
_SHORT_SIDES = ((20, 2), (60, 3))
# Square root, in degrees, of the area a corner may lose: under a pixel when a region fills the screen.
_TOLERANCE = {"region": 0.0015, "france": 0.008}
_GRID = 1e-4

Sign = Literal["negative", "zero", "positive"]


@dataclass(frozen=True)
class ValueClass:
    """One class of a legend.

    Attributes
    ----------
    low, high
        Smallest and largest value of the class, rounded as they are shown.
    count
        Number of values in the class, never zero.
    sign
        ``zero`` when the class holds exact zeros and nothing else; ``negative`` or ``positive`` otherwise.
    """

    low: float
    high: float
    count: int
    sign: Sign

    def label(self, unit: str = "", decimals: int = 0) -> str:
        """Return the French bounds: ``12,3 à 15,6 %``, ``plus de 0 à 1,2 %``, ``0 %``."""
        if self.sign == "zero" or self.low == self.high != 0:
            return format_value(self.low, unit, 0 if self.sign == "zero" else decimals)
        if self.low == self.high:
            return f"{'plus' if self.sign == 'positive' else 'moins'} de 0, arrondi à {format_value(0, unit, decimals)}"
        if self.low == 0:
            return f"plus de 0 à {format_value(self.high, unit, decimals)}"
        if self.high == 0:
            return f"{format_value(self.low, unit, decimals)} à moins de 0"
        return f"{format_number(self.low, decimals)} à {format_value(self.high, unit, decimals)}"


@dataclass(frozen=True)
class Classes:
    """Classes of a list of values, from the lowest to the highest.

    Attributes
    ----------
    items
        The classes; empty when no value is known.
    index
        For each value given, the position of its class; ``None`` for a value that is not known.
    diverging
        Whether the colours go two ways from zero.
    """

    items: tuple[ValueClass, ...]
    index: tuple[int | None, ...]
    diverging: bool


@dataclass(frozen=True)
class Palette:
    """Colours (``#rrggbb``) in the order of the classes, for a light and for a dark page; same length."""

    light: tuple[str, ...]
    dark: tuple[str, ...]


def classify(
    values: Sequence[float | None], *, decimals: int = 0, wanted: int | None = None, change: bool = False
) -> Classes:
    """Cut values into classes of about the same number of members.

    Exact zeros make a class of their own, because « aucun » is not « peu ». On each side of zero the distinct values,
    rounded as they are shown, go to the quantile of their mid-rank: equal values stay together, no class is empty,
    and two legends never name the same bound.

    Parameters
    ----------
    values
        Values in any order; ``None`` and non-finite values get no class.
    decimals
        Decimals shown: values that read the same are in the same class.
    wanted
        Largest number of classes on one side of zero; by default 2 to 5 with the number of values.
    change
        Whether the values are changes: their colours always go two ways from zero.

    Raises
    ------
    ValueError
        When ``wanted`` is under 1.
    """
    if wanted is not None and wanted < 1:
        raise ValueError("il faut au moins une classe")
    keys = [_key(value, decimals) for value in values]
    counts = Counter(key for key in keys if key is not None)
    total = sum(counts.values())
    two_ways = change or {-1, 1} <= {sign for sign, _ in counts}
    short, most = (_SHORT_SIDES, _MOST_ON_A_SIDE) if two_ways else (_SHORT_LISTS, _MOST_CLASSES)
    limit = wanted or next((few for size, few in short if total <= size), most)
    positions: dict[tuple[int, float], int] = {}
    items: list[ValueClass] = []
    names: dict[int, Sign] = {-1: "negative", 0: "zero", 1: "positive"}
    for sign, name in names.items():
        side = sorted(key for key in counts if key[0] == sign)
        for group in _quantiles(side, counts, limit):
            positions |= dict.fromkeys(group, len(items))
            items.append(ValueClass(group[0][1], group[-1][1], sum(counts[key] for key in group), name))
    return Classes(
        items=tuple(items),
        index=tuple(None if key is None else positions[key] for key in keys),
        diverging=two_ways,
    )


def _key(value: float | None, decimals: int) -> tuple[int, float] | None:
    if value is None or not math.isfinite(value):
        return None
    # The sign is that of the exact value: 0,04 is shown as 0,0 and is yet not a zero.
    return (value > 0) - (value < 0), round(float(value), decimals) + 0.0


def _quantiles(
    side: Sequence[tuple[int, float]], counts: Mapping[tuple[int, float], int], limit: int
) -> list[list[tuple[int, float]]]:
    total = sum(counts[key] for key in side)
    groups: dict[int, list[tuple[int, float]]] = {}
    before = 0
    for key in side:
        # Twice the mid-rank, so that everything stays in whole numbers.
        middle = 2 * before + counts[key]
        groups.setdefault(min(limit * middle // (2 * total), limit - 1), []).append(key)
        before += counts[key]
    return list(groups.values())


def palette_of(classes: Classes) -> Palette:
    """Return the colours of the classes: one way from the lowest value, or two ways from zero."""
    if not classes.diverging:
        return sequential(len(classes.items))
    signs = Counter(item.sign for item in classes.items)
    return diverging(signs["negative"], signs["positive"], zero=bool(signs["zero"]))


def sequential(size: int) -> Palette:
    """Return ``size`` colours whose lightness only goes one way: they stay ordered for every kind of sight.

    On a light page the highest value is the darkest; on a dark page it is the lightest.
    """
    steps = [0.5] if size == 1 else [step / max(size - 1, 1) for step in range(size)]
    # From a pale yellow-green to a deep blue-violet, through teal.
    light = [_oklch(0.93 - 0.6 * t, 0.075 + 0.06 * math.sin(math.pi * t), 115 + 165 * t) for t in steps]
    dark = [_oklch(0.36 + 0.57 * t, 0.08 + 0.06 * math.sin(math.pi * t), 285 - 175 * t) for t in steps]
    return Palette(tuple(light), tuple(dark))


def diverging(negative: int, positive: int, *, zero: bool = False) -> Palette:
    """Return colours from brown-orange (lowest) to blue (highest) through grey; the far ends stand out most.

    Orange and blue are told apart by every usual kind of colour blindness.
    """
    light, dark = [], []
    for step in range(negative, 0, -1):
        t = step / max(negative, positive)
        light.append(_oklch(0.9 - 0.42 * t, 0.03 + 0.11 * t, 58))
        dark.append(_oklch(0.42 + 0.42 * t, 0.03 + 0.1 * t, 62))
    if zero:
        light.append(_oklch(0.95, 0, 0))
        dark.append(_oklch(0.3, 0, 0))
    for step in range(1, positive + 1):
        t = step / max(negative, positive)
        light.append(_oklch(0.9 - 0.46 * t, 0.03 + 0.11 * t, 252))
        dark.append(_oklch(0.42 + 0.42 * t, 0.03 + 0.1 * t, 240))
    return Palette(tuple(light), tuple(dark))


def _oklch(lightness: float, chroma: float, hue: float) -> str:
    """Return the sRGB colour of OKLCH coordinates (B. Ottosson, 2020), less vivid when a screen cannot show it."""
    angle = math.radians(hue)
    while True:
        a, b = chroma * math.cos(angle), chroma * math.sin(angle)
        long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
        medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
        short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
        linear = (
            4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
            -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
            -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
        )
        if chroma <= 0 or all(-1e-4 <= part <= 1 + 1e-4 for part in linear):
            return "#" + "".join(f"{round(255 * _gamma(part)):02x}" for part in linear)
        chroma = max(0.0, chroma - 0.004)


def _gamma(linear: float) -> float:
    part = min(max(linear, 0.0), 1.0)
    return 12.92 * part if part <= 0.0031308 else 1.055 * part ** (1 / 2.4) - 0.055


def epci_outlines(
    communes: pl.DataFrame, outlines: pl.LazyFrame, names: Mapping[str, str], region: str | None
) -> bytes:
    """Return the outlines of the intercommunalities of a region, or of the whole country, as GeoJSON.

    An intercommunality that crosses the limit of the region is whole. Properties: ``code``, ``nom``, ``ancre`` (a
    point inside); ``bbox`` on each feature, as in the files of :mod:`bourg.maps.outlines`.

    Parameters
    ----------
    communes
        ``code, epci, region``.
    outlines
        ``code, wkb`` (EPSG:4326).
    names
        Code to name of the intercommunalities.
    region
        Code of the region, ``None`` for the whole country.

    Raises
    ------
    UnknownTerritoryError
        When the region has no intercommunality with an outline.
    """
    grouped = communes.filter(pl.col("epci").is_not_null())
    if region is not None:
        inside = grouped.filter(pl.col("region") == region)["epci"].unique().to_list()
        grouped = grouped.filter(pl.col("epci").is_in(inside))
    members = grouped.select("code", "epci").sort("epci", "code")
    shapes = outlines.filter(pl.col("wkb").is_not_null(), pl.col("code").is_in(members["code"].to_list())).collect()
    drawn = members.join(shapes, on="code", how="inner", maintain_order="left")
    if drawn.is_empty():
        raise UnknownTerritoryError(
            f"La région « {region} » n'a pas d'intercommunalité dessinée." if region else "Aucun contour d'EPCI.",
            where="region",
        )
    geometries = shapely.from_wkb(drawn["wkb"].to_list())
    codes, starts = np.unique(drawn["epci"].to_numpy(), return_index=True)
    unions = np.array([_union(group) for group in np.split(geometries, starts[1:])], dtype=object)
    tolerance = _TOLERANCE["region" if region else "france"]
    simple = shapely.coverage_simplify(unions, tolerance)
    simple = np.where(shapely.is_empty(simple), unions, simple)
    rounded = shapely.set_precision(simple, _GRID)
    rounded = np.where(shapely.is_empty(rounded), simple, rounded)
    return feature_collection(rounded, [(str(code), names.get(str(code), str(code))) for code in codes])


def _union(geometries: Any) -> shapely.Geometry:  # noqa: ANN401 - an array of geometries
    """Return the union of communes; the fast one needs them neither to overlap nor to leave slits."""
    valid = shapely.coverage_is_valid(geometries)
    return shapely.coverage_union_all(geometries) if valid else shapely.union_all(geometries)


def feature_collection(geometries: Iterable[shapely.Geometry], labels: Sequence[tuple[str, str]]) -> bytes:
    """Return compact GeoJSON of polygons with ``code``, ``nom``, ``ancre`` and ``bbox``."""
    shapes = np.array(list(geometries), dtype=object)
    anchors = shapely.get_coordinates(shapely.point_on_surface(shapes)).round(4).tolist()
    boxes = shapely.bounds(shapes).round(4).tolist()
    features = [
        {
            "type": "Feature",
            "properties": {"code": code, "nom": name, "ancre": anchor},
            "bbox": box,
            "geometry": json.loads(text),
        }
        for (code, name), text, anchor, box in zip(labels, shapely.to_geojson(shapes), anchors, boxes, strict=True)
    ]
    content = {"type": "FeatureCollection", "features": features}
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
