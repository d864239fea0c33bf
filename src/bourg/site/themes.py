"""The pages of themes: for each indicator its definition, its spread over the country, its map and its departments."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from bourg.compare.comparators import SIZE
from bourg.indicators.parameters import parameter, size_classes
from bourg.indicators.registry import Declaration, load_indicators
from bourg.indicators.theme_labels import THEMES
from bourg.portrait.markup import shown
from bourg.portrait.observatory import Observatory
from bourg.portrait.strips import Scale
from bourg.site.feeds import JSON_FEED
from bourg.site.layout import fragment, site_page
from bourg.site.shapes import Shapes, national_shapes, value_map
from bourg.site.territories import MARK, Cell, Spread, Territories
from bourg.site.towns import Scope
from bourg.text import format_number, format_value, join_words

_LEFT, _WIDTH, _ROW = 104, 216, 17
# Words of the definition, before the whole of it on the page of methods.
_NAMED = 6


def themes_in_use() -> list[str]:
    """Return the themes that have an indicator, in the order of the pages."""
    used = {item.declaration.theme for item in load_indicators().values()}
    return [theme for theme in THEMES if theme in used]


class ThemePages:
    """Makes the pages of the themes of one site.

    Parameters
    ----------
    observatory
        The opened snapshot.
    scope
        Communes of the site and its address.
    """

    def __init__(self, observatory: Observatory, scope: Scope) -> None:
        self._observatory, self._scope = observatory, scope
        self._territories = Territories(observatory)
        self._shapes: Shapes | None = None
        names = observatory.departements.sort("code")
        self._names: dict[str, str] = dict(zip(names["code"], names["name"], strict=True))

    def files(self, theme: str) -> dict[str, bytes]:
        """Return the path and the content of the files of a theme."""
        declared = [item.declaration for item in load_indicators().values() if item.declaration.theme == theme]
        items = [self._item(one) for one in declared]
        drawn = any(item["map"] for item in items)
        shapes = self._outlines()
        main = fragment(
            "theme.html.j2", label=THEMES[theme], theme=theme, items=items, forms=shapes.definitions() if drawn else "",
            demo=any(item["demo"] for item in items), count=len(items),
        )  # fmt: skip
        about = f"{THEMES[theme]} : {join_words([one.label for one in declared[:_NAMED]])}…"
        folder = f"theme/{theme}/"
        page = site_page(f"{folder}index.html", THEMES[theme], about, main, self._scope.address, data="theme.json")
        data = {
            "theme": {"id": theme, "nom": THEMES[theme]}, "nouveautes": f"../../{JSON_FEED}",
            "indicateurs": {one.id: self._data(one) for one in declared},
        }  # fmt: skip
        content = json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()
        return {f"{folder}index.html": page.encode(), f"{folder}theme.json": content}

    def _outlines(self) -> Shapes:
        if self._shapes is None:
            self._shapes = national_shapes(self._observatory)
        return self._shapes

    def _cells(self, declared: Declaration) -> dict[str, Cell]:
        every = {code: self._territories.departement(code).get(declared.id) for code in self._names}
        return {code: cell for code, cell in every.items() if cell is not None}

    def _spreads(self, declared: Declaration) -> list[tuple[str, Spread]]:
        found = [(item.label, self._territories.spread(SIZE, item.id, declared.id)) for item in size_classes()]
        return [(label, spread) for label, spread in found if spread is not None]

    def _item(self, declared: Declaration) -> dict[str, Any]:
        cells, spreads = self._cells(declared), self._spreads(declared)
        known = {code: cell.value for code, cell in cells.items()}
        usable = [code for code, value in known.items() if value is not None]
        # A map of totals would be a map of the population.
        drawn = declared.kind != "count" and len(usable) >= parameter("ranking_min_set")
        drawing = ""
        if drawn and self._outlines().paths:
            drawing = value_map(
                self._outlines(), {code: known.get(code) for code in self._names}, label=declared.label,
                unit=declared.unit, decimals=declared.decimals, change=declared.kind == "change",
                members=("département", "départements"),
            )  # fmt: skip
        ordered = sorted(usable, key=lambda code: (-(known[code] or 0.0), code))
        france = self._territories.france(declared.id)
        return {
            "id": declared.id, "label": declared.label, "unit": declared.unit, "formula": declared.formula,
            "limits": declared.limits, "map": drawing, "strips": _strips(declared, spreads),
            "france": f"{france[0]} : {france[1].text}" if france and declared.kind != "count" else "",
            "period": ", ".join(sorted({spread.period for _, spread in spreads} - {""})),
            "spreads": [
                (label, format_number(one.n), *(one.text(declared.id, value) for value in (one.q1, one.median, one.q3)))
                for label, one in spreads
            ],
            "departements": [
                {"name": f"{self._names[code]} ({code})", "text": cells[code].text,
                 "address": f"../../departement/{code}/" if code in self._scope.departements else ""}
                for code in ordered
            ],
            "demo": any(one.demo for _, one in spreads) or any(cell.demo for cell in cells.values()),
        }  # fmt: skip

    def _data(self, declared: Declaration) -> dict[str, Any]:
        rounded = declared.decimals
        return {
            "libelle": declared.label, "unite": declared.unit,
            "departements": {
                code: [None if cell.value is None else round(cell.value, rounded), cell.status, cell.period]
                for code, cell in self._cells(declared).items()
            },
            "communes_par_taille": [
                {"taille": label, "communes": one.n, "periode": one.period, "demonstration": one.demo,
                 "q1": round(one.q1, rounded), "mediane": round(one.median, rounded), "q3": round(one.q3, rounded)}
                for label, one in self._spreads(declared)
            ],
        }  # fmt: skip


def _short(label: str) -> str:
    """Return « 500 à 1 999 » from « de 500 à 1 999 habitants »."""
    return label.removeprefix("de ").replace(" habitants", "")


def _strips(declared: Declaration, spreads: Sequence[tuple[str, Spread]]) -> str:
    """Return one bar per size of communes on a common scale: eight in ten, the half, the middle one."""
    if not spreads:
        return ""
    low = min(round(one.p10, declared.decimals) for _, one in spreads)
    high = max(round(one.p90, declared.decimals) for _, one in spreads)
    if high <= low:
        return ""
    scale = Scale(low, high)

    def at(value: float) -> int:
        return _LEFT + round(scale.place(round(value, declared.decimals)) / 100 * _WIDTH)

    rows = []
    for index, (label, one) in enumerate(spreads):
        top = index * _ROW
        rows.append(
            f'<text x="0" y="{top + 12}">{shown(_short(label))}</text><path class="x" d="M{_LEFT} {top + 8}h{_WIDTH}"/>'
            f'<rect class="l" x="{at(one.p10)}" y="{top + 6}" width="{max(at(one.p90) - at(one.p10), 1)}" height="4"/>'
            f'<rect class="q" x="{at(one.q1)}" y="{top + 4}" width="{max(at(one.q3) - at(one.q1), 1)}" height="8"/>'
            f'<path class="m" d="M{at(one.median)} {top + 1}v14"/>'
        )
    base = len(spreads) * _ROW + 11
    percent = "%" if declared.unit.startswith("%") else ""
    ends = (format_value(low, percent, declared.decimals), format_value(high, percent, declared.decimals))
    mark = MARK if any(one.demo for _, one in spreads) else ""
    return (
        f'<svg class="repartition" viewBox="0 0 {_LEFT + _WIDTH} {base + 3}" aria-hidden="true">{"".join(rows)}'
        f'<text x="{_LEFT}" y="{base}">{ends[0]}</text>'
        f'<text x="{_LEFT + _WIDTH}" y="{base}" class="fin">{ends[1]}{mark}</text></svg>'
    )
