"""The figures of the PDF: cards of key figures, and tables of themes that keep to the pages there are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bourg.compare.comparators import SIMILAR, SIZE
from bourg.indicators.engine import USABLE
from bourg.indicators.parameters import parameter
from bourg.indicators.rank_words import Comparison
from bourg.indicators.theme_labels import THEMES
from bourg.indicators.values import ValueSheet
from bourg.portrait.document import KEY_FIGURES, Portrait
from bourg.portrait.markup import sentence, typeset
from bourg.portrait.page_figures import RANK_UP_TO, place_words
from bourg.portrait.pdf.drawings import strip_drawing
from bourg.portrait.strips import description, lines_of, scale_of
from bourg.text import count_of, format_number, format_unit, join_words

# Rows of figures that fit the pages left by the rest: eight pages at most, whatever the snapshot knows.
MOST_ROWS = 82
DEPARTEMENT = "departement"
_LABELS_TOLD = 3
_LEAST_KEYS = 4


def comparator_of(portrait: Portrait) -> str:
    """Return what the figures are compared with: the communes of the same size, else those of the department."""
    known = {item.comparator.id for item in portrait.sets if item.status in ("ok", "small")}
    return SIZE if SIZE in known or DEPARTEMENT not in known else DEPARTEMENT


def key_sheets(portrait: Portrait) -> list[ValueSheet]:
    """Return the key figures, or the first known figures of a portrait cut down to a theme that has none of them."""
    keys = portrait.key_figures
    if len(keys) < _LEAST_KEYS:
        others = [sheet for sheet in portrait.sheets.values() if sheet.status in USABLE and sheet not in keys]
        keys = [*keys, *others[: 2 * _LEAST_KEYS - len(keys)]]
    return keys


def _number(sheet: ValueSheet) -> tuple[str, str]:
    """Return the number and its unit, or the words that stand for it and nothing."""
    if sheet.status in USABLE and sheet.value is not None:
        unit = format_unit(round(sheet.value, sheet.decimals), sheet.unit) if sheet.unit else ""
        return format_number(sheet.value, sheet.decimals), typeset(unit)
    return typeset(sheet.text), ""


def key_card(sheet: ValueSheet, comparator: str) -> dict[str, Any]:
    """Return the card of a key figure: its number, its strip, its place in words."""
    number, unit = _number(sheet)
    usable = sheet.status in USABLE and sheet.value is not None
    alt = typeset(description(sheet, [line for line in lines_of(sheet, comparator) if line.spread])) if usable else ""
    told = sheet.compared_with(comparator)
    words = sentence(told.sentence) if told else "Pas de rang : trop peu de communes comparables."
    return {
        "label": typeset(sheet.label), "number": number, "unit": unit, "period": typeset(sheet.period),
        "demo": sheet.demo, "absent": not usable, "strip": strip_drawing(sheet, (comparator, SIMILAR), alt),
        "words": typeset(words if usable else sheet.explanation),
    }  # fmt: skip


def theme_tables(portrait: Portrait, comparator: str) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the themes with their rows, and in words those of which nothing is known."""
    by_theme: dict[str, list[ValueSheet]] = {}
    for sheet in portrait.sheets.values():
        by_theme.setdefault(sheet.theme, []).append(sheet)
    given = {theme: [item for item in items if item.status in USABLE] for theme, items in by_theme.items()}
    most = rows_a_theme([len(items) for items in given.values()], MOST_ROWS)
    known, unknown = [], []
    for theme, label in THEMES.items():
        if theme not in by_theme:
            continue
        absent = [sheet for sheet in by_theme[theme] if sheet.status not in USABLE]
        if not given[theme]:
            reasons = join_words(sorted({sheet.text for sheet in absent}))
            unknown.append(typeset(f"{label} : {count_of(len(absent), 'chiffre')} sans valeur ({reasons})."))
            continue
        shown = most_telling(given[theme], most, comparator)
        left = len(given[theme]) - len(shown)
        rows = [_row(sheet, comparator) for sheet in shown]
        known.append({
            "label": typeset(label), "rows": rows, "compared": any(row["strip"] or row["place"] for row in rows),
            "left": typeset(_left_words(left)) if left else "", "absent": [typeset(text) for text in _absent(absent)],
        })  # fmt: skip
    return known, unknown


def _left_words(left: int) -> str:
    if left == 1:
        return "Un autre chiffre de ce thème est sur la page publique de la commune."
    return f"{format_number(left)} autres chiffres de ce thème sont sur la page publique de la commune."


def rows_a_theme(counts: Sequence[int], most: int) -> int:
    """Return the largest number of rows that every theme may have so that there are at most ``most`` in all.

    >>> rows_a_theme([3, 30, 30], 23)
    10
    """
    limit = max(counts, default=0)
    while limit > 1 and sum(min(count, limit) for count in counts) > most:
        limit -= 1
    return limit


def most_telling(sheets: Sequence[ValueSheet], most: int, comparator: str = SIZE) -> list[ValueSheet]:
    """Return at most ``most`` figures, in their order: the key figures, then the farthest from the middle of the ranks.

    The ranks are those among the communes of one comparator; a figure without rank comes last.
    """

    def order(sheet: ValueSheet) -> tuple[bool, float, str]:
        told = sheet.compared_with(comparator)
        middle = told.percentile_mid if told is not None else None
        return sheet.indicator not in KEY_FIGURES, -abs(middle - 50) if middle is not None else 1.0, sheet.indicator

    kept = {sheet.indicator for sheet in sorted(sheets, key=order)[:most]}
    return [sheet for sheet in sheets if sheet.indicator in kept]


def _row(sheet: ValueSheet, comparator: str) -> dict[str, Any]:
    number, unit = _number(sheet)
    told = sheet.compared_with(comparator)
    spread = next((item for item in sheet.distributions if item.comparator == comparator), None)
    enough = spread is not None and spread.n >= parameter("ranking_min_set")
    strip: dict[str, Any] | None = None
    if spread is not None and enough and sheet.value is not None:
        scale = scale_of([spread], sheet.decimals)
        marks = (spread.p10, spread.q1, spread.median, spread.q3, spread.p90, sheet.value)
        strip = {"marks": [round(scale.place(mark), 1) for mark in marks], "side": scale.side(sheet.value)}
    return {
        "label": typeset(sheet.label), "number": number, "unit": unit, "period": typeset(sheet.period),
        "demo": sheet.demo, "strip": strip, "place": typeset(_place(told)) if told else "",
        "median": format_number(spread.median, sheet.decimals) if spread is not None and enough else "–",
    }  # fmt: skip


def _place(told: Comparison) -> str:
    """Return a place in a few words; extremes that a rounded share would hide are said as such."""
    share = told.percentile_strict
    if told.n_set < RANK_UP_TO or share is None:
        return place_words(told)
    if round(share) == 100:
        return "plus que 99 %"
    return "aucune plus basse" if share == 0 else f"plus que {max(round(share), 1)} %"


def _absent(sheets: Sequence[ValueSheet]) -> list[str]:
    """Return one sentence per reason why figures have no value, with the first ones by name."""
    by_status: dict[str, list[ValueSheet]] = {}
    for sheet in sheets:
        by_status.setdefault(sheet.status, []).append(sheet)
    told = []
    for status in sorted(by_status):
        items = by_status[status]
        names = [sheet.label for sheet in items[:_LABELS_TOLD]]
        more = len(items) - len(names)
        words = ", ".join(names) + (f" et {count_of(more, 'autre')}" if more else "")
        told.append(f"{items[0].text.capitalize()} ({len(items)}) : {words}.")
    return told
