"""Maps of values: outlines written once a page, and for each shade a class of the style sheet, no colour here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import cos, radians

import numpy as np
import shapely
from numpy.typing import NDArray

from bourg.maps.choropleth import Classes, ValueClass, classify
from bourg.portrait.locator import departement_outlines, outline_path
from bourg.portrait.markup import shown
from bourg.portrait.observatory import Observatory
from bourg.text import count_of

# Steps of the two scales of the style sheet: ``q0`` to ``q5``, and ``b4`` to ``b1``, ``z``, ``h1`` to ``h4``.
_STEPS, _SIDES = 5, 4
UNKNOWN = "nc"
# Pixels of the national map, and of the frames of what would be far away or too small on it.
_SIDE, _FRAME, _GAP = 420, 64, 5
_TOLERANCE = 0.8
_MAINLAND_SOUTH = 40.0
_PARIS = ("75", "92", "93", "94")


@dataclass(frozen=True)
class Shapes:
    """Outlines of a map, in pixels: ``paths`` by code, and what is drawn around them."""

    width: int
    height: int
    paths: Mapping[str, str]
    around: str = ""

    def definitions(self) -> str:
        """Return the outlines, to be put once in a page before its first map."""
        shapes = "".join(f'<path id="f{code}" d="{path}"/>' for code, path in self.paths.items())
        return f'<svg class="formes" width="0" height="0" aria-hidden="true"><defs>{shapes}</defs></svg>'


def shade(classes: Classes, index: int | None) -> str:
    """Return the class of the style sheet for one class of values."""
    if index is None:
        return UNKNOWN
    if not classes.diverging:
        last = len(classes.items) - 1
        return f"q{round(index * _STEPS / last) if last else 3}"
    signs = [item.sign for item in classes.items]
    below, above = signs.count("negative"), signs.count("positive")
    sign = signs[index]
    if sign == "zero":
        return "z"
    rank = below - index if sign == "negative" else index - (len(signs) - above) + 1
    return f"{'b' if sign == 'negative' else 'h'}{max(round(_SIDES * rank / max(below, above)), 1)}"


def value_map(
    shapes: Shapes, values: Mapping[str, float | None], *, label: str, unit: str, decimals: int, change: bool,
    members: tuple[str, str],
) -> str:  # fmt: skip
    """Return the map of some values with its legend, which tells how many members each class has.

    Parameters
    ----------
    values
        Value of each member by code, ``None`` when it may not be told; members without outline count in the legend.
    change
        Whether the values are changes (their colours go two ways from zero).
    members
        What the members are called: « commune », « communes ».
    """
    classes = classify(list(values.values()), decimals=decimals, change=change)
    names = {code: shade(classes, index) for code, index in zip(values, classes.index, strict=True)}
    uses = "".join(f'<use href="#f{code}" class="{names.get(code, UNKNOWN)}"/>' for code in shapes.paths)
    return (
        f'<svg class="carte" viewBox="0 0 {shapes.width} {shapes.height}" role="img" '
        f'aria-label="{shown(f"Carte : {label}")}">{shapes.around}{uses}</svg>'
        f"{_legend(classes, list(names.values()), unit, decimals, members)}"
    )


def _legend(classes: Classes, names: Sequence[str], unit: str, decimals: int, members: tuple[str, str]) -> str:
    def entry(name: str, text: str, count: int) -> str:
        return f'<li><i class="teinte {name}"></i>{shown(f"{text} : {count_of(count, *members)}")}</li>'

    rows = [entry(shade(classes, index), _words(item, unit, decimals), item.count)
            for index, item in enumerate(classes.items)]  # fmt: skip
    lacking = sum(name == UNKNOWN for name in names)
    rows += [entry(UNKNOWN, "sans valeur", lacking)] if lacking else []
    return f'<ul class="teintes">{"".join(rows)}</ul>'


def _words(item: ValueClass, unit: str, decimals: int) -> str:
    return item.label("%" if unit.startswith("%") else "", decimals)


def national_shapes(observatory: Observatory) -> Shapes:
    """Return the outlines of the departments: the mainland, then frames for Paris and for what lies overseas."""
    outlines = departement_outlines(observatory)
    home = {code: shape for code, shape in outlines.items() if shapely.bounds(shape)[1] > _MAINLAND_SOUTH}
    if not home:
        return Shapes(_SIDE, _SIDE, {})
    far = {code: shape for code, shape in outlines.items() if code not in home}
    paths, height = _framed(home, (0, 0), _SIDE)
    frames = [[code] for code in sorted(far)] + ([list(_PARIS)] if set(_PARIS) <= set(home) else [])
    around = []
    top = height + _GAP
    for index, codes in enumerate(frames):
        left = index * (_FRAME + _GAP)
        around.append(f'<path class="cadre" d="M{left} {top}h{_FRAME}v{_FRAME}h-{_FRAME}z"/>')
        drawn, _ = _framed({code: outlines[code] for code in codes}, (left + 3, top + 3), _FRAME - 6)
        # Paris is drawn twice, in its place and larger.
        paths |= {code: paths.get(code, "") + path for code, path in drawn.items()}
    return Shapes(_SIDE, height + (_FRAME + 2 * _GAP if frames else 0), paths, "".join(around))


def _framed(
    shapes: Mapping[str, shapely.Geometry], corner: tuple[float, float], side: float
) -> tuple[dict[str, str], int]:
    """Return the outlines in a square of the plane, and the height that they take."""
    bounds = np.array([shapely.bounds(shape) for shape in shapes.values()])
    west, south = bounds[:, :2].min(axis=0).tolist()
    east, north = bounds[:, 2:].max(axis=0).tolist()
    flat = cos(radians((south + north) / 2))
    scale = side / max((east - west) * flat, north - south)

    def project(points: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.column_stack(
            [corner[0] + (points[:, 0] - west) * flat * scale, corner[1] + (north - points[:, 1]) * scale]
        )

    moved = shapely.transform(list(shapes.values()), project)
    simple = shapely.coverage_simplify(moved, _TOLERANCE)
    paths = {code: outline_path(shape) for code, shape in zip(shapes, simple, strict=True)}
    return paths, round((north - south) * scale) + 1
