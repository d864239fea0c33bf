"""One figure on the public page of a town: its value, its strip, its place in each set, and its sheet."""

from __future__ import annotations

from functools import cache, lru_cache

from bourg.compare.comparators import SIMILAR, SIZE, comparators
from bourg.indicators.engine import USABLE
from bourg.indicators.parameters import parameter
from bourg.indicators.rank_words import Comparison
from bourg.indicators.values import Distribution, Elsewhere, SourceNote, ValueSheet, declaration_of
from bourg.portrait.drawings import strip
from bourg.portrait.markup import sentence, shown
from bourg.portrait.strips import COMPARATORS, ordinal
from bourg.text import format_number, format_unit, format_value

DRAWN = (SIZE, SIMILAR)
# From this many communes on, a place is told as a share: the exact rank among thousands says nothing more.
RANK_UP_TO = 200
# Larger territories near enough for their totals to mean something beside those of a town.
NEAR = ("epci", "departement")
# Sets whose rows are kept once written, by the identity of the object: hashing twelve fields costs as much.
_KEPT = 100_000
_ROWS: dict[int, tuple[Distribution, int, tuple[str, str]]] = {}
DEMO = ' <abbr class="demo" title="Valeur de démonstration, fabriquée">◆ démo</abbr>'


def figure_item(sheet: ValueSheet, method: str) -> str:
    """Return a figure of a theme as an item of a list; ``method`` is the address of the page that describes it."""
    period = f' <span class="periode">{shown(sheet.period)}</span>' if sheet.period else ""
    return (
        f'<li id="{sheet.indicator}"><h3>{shown(sheet.label)}</h3><p class="valeur">{figure_number(sheet)}{period}</p>'
        f'<p class="place">{figure_place(sheet)}</p>{_details(sheet, method)}</li>'
    )


def figure_number(sheet: ValueSheet) -> str:
    """Return the value with its unit and its mark, or why there is none."""
    if sheet.status in USABLE and sheet.value is not None:
        number = format_number(sheet.value, sheet.decimals)
        unit = f" {shown(format_unit(sheet.value, sheet.unit))}" if sheet.unit else ""
        return f"<b>{number}</b>{unit}{DEMO if sheet.demo else ''}"
    return f'<b class="absent">{shown(sheet.text)}</b>'


def figure_place(sheet: ValueSheet) -> str:
    """Return the strip of a figure, and what it shows in words."""
    if sheet.status not in USABLE or sheet.value is None:
        return shown(sheet.explanation)
    told = sheet.compared_with(SIZE)
    words = sentence(told.sentence) if told else "Pas de rang parmi les communes de même taille."
    spread = next((item for item in sheet.distributions if item.comparator == SIZE), None)
    if spread is not None and spread.n >= _least():
        median = _median_words(spread.median, "%" if sheet.unit.startswith("%") else "", sheet.decimals)
        return f"{strip(sheet, DRAWN)}<span>{shown(words)}{median}</span>"
    return f"{strip(sheet, DRAWN)}<span>{shown(words)}</span>"


@lru_cache(maxsize=16_384)
def _median_words(median: float, unit: str, decimals: int) -> str:
    return shown(f" Médiane : {format_value(median, unit, decimals)}.")


def _details(sheet: ValueSheet, method: str) -> str:
    entries = []
    if sheet.status != "ok":
        entries.append(("Statut", f"{sheet.status_label}. {sheet.explanation}"))
    if sheet.n is not None:
        entries.append(("Effectif", format_number(sheet.n)))
    rows = "".join(_entry(name, text) for name, text in entries)
    rows += "".join([_entry(item.name or item.level_label, item.text) for item in landmarks(sheet)])
    sources = ", ".join(_source_link(source) for source in sheet.sources)
    more = f'<p><a href="{method}#{sheet.indicator}">Méthode de ce chiffre</a></p>' if method else ""
    fixed = _fixed(sheet.formula, sheet.limits, sheet.secrecy or "", sheet.series_break or "", sheet.reference)
    return (
        f'<details><summary>Fiche<span class="lu">&nbsp;: {shown(sheet.label)}</span></summary>{_sets_table(sheet)}'
        f"<dl>{rows}<dt>Source</dt><dd>{sources or 'aucune source lue'}</dd>{fixed}</dl>{more}</details>"
    )


@lru_cache(maxsize=65_536)
def _entry(name: str, text: str) -> str:
    return f"<dt>{shown(name)}</dt><dd>{shown(text)}</dd>"


def landmarks(sheet: ValueSheet) -> list[Elsewhere]:
    """Return the values of the larger territories that help to read a figure: the total of a region is none."""
    told = [item for item in sheet.elsewhere if item.status in USABLE]
    if declaration_of(sheet.indicator).kind != "count":
        return told
    return [item for item in told if item.level in NEAR]


@lru_cache(maxsize=1024)
def _fixed(formula: str, limits: str, secrecy: str, series_break: str, reference: str) -> str:
    """Return what a sheet says of the indicator, whatever the town."""
    rows = [
        ("Formule", formula), ("Ce que ce chiffre ne dit pas", limits), ("Secret", secrecy),
        ("Rupture de série", series_break), ("Référence", reference),
    ]  # fmt: skip
    return "".join(f"<dt>{name}</dt><dd>{shown(text)}</dd>" for name, text in rows if text)


@lru_cache(maxsize=4096)
def _source_link(source: SourceNote) -> str:
    vintage = f" ({shown(source.vintage)})" if source.vintage else ""
    return f'<a href="#s-{source.id}">{shown(source.title)}</a>{vintage}'


def _sets_table(sheet: ValueSheet) -> str:
    places = {item.comparator: item for item in sheet.comparisons}
    spreads = {item.comparator: item for item in sheet.distributions}
    rows = [
        _set_row(sheet, places.get(name), spreads.get(name))
        for name in COMPARATORS
        if name in places or name in spreads
    ]
    if not rows:
        return ""
    return f"{_table_head(sheet.unit)}{''.join(rows)}</tbody></table>"


@lru_cache(maxsize=1024)
def _table_head(unit: str) -> str:
    caption = shown(f"Parmi les autres{f', en {unit}' if unit else ''}")
    head = '<th scope="col">Ensemble<th scope="col">Place<th scope="col">Quart bas<th scope="col">Médiane'
    return f'<table><caption>{caption}</caption><thead><tr>{head}<th scope="col">Quart haut</tr></thead><tbody>'


def place_words(place: Comparison) -> str:
    """Return « 12e sur 59 », or « au-dessus de 72 % » in a set so large that a rank says no more."""
    percentile = place.percentile_strict
    if place.n_set < RANK_UP_TO or percentile is None:
        return _rank_words(place.rank, place.n_set)
    rounded = round(percentile)
    return _share_words(rounded, percentile in (0, 100))


@lru_cache(maxsize=65_536)
def _rank_words(rank: int, count: int) -> str:
    return f"{ordinal(rank)} sur {format_number(count)}"


@lru_cache(maxsize=512)
def _share_words(rounded: int, end: bool) -> str:  # noqa: FBT001 - a key of the cache
    """Return « au-dessus de 72 % »; a share that rounds to 0 or 100 without being at this end is told as such."""
    if rounded in (0, 100) and not end:
        return f"au-dessus de {'moins de 1' if rounded == 0 else 'plus de 99'} %"
    return f"au-dessus de {rounded} %"


@lru_cache(maxsize=1024)
def _set_label(comparator: str, set_label: str) -> str:
    label = comparators()[comparator].label
    return shown(f"{label} : {set_label}" if set_label not in ("", label) else label)


def _set_row(sheet: ValueSheet, place: Comparison | None, spread: Distribution | None) -> str:
    rank = shown(place_words(place)) if place is not None else "pas de rang"
    if spread is not None and spread.n >= _least():
        before, after = _around_rank(spread, sheet.decimals)
        return f"{before}{rank}{after}"
    known = place or spread
    label = _set_label(known.comparator, known.set_label) if known else ""
    return f'<tr><th scope="row">{label}<td>{rank}<td>–<td>–<td>–</tr>'


def _around_rank(spread: Distribution, decimals: int) -> tuple[str, str]:
    """Return what stands around the place in the row of a set: written once for all the towns that share it."""
    known = _ROWS.get(id(spread))
    if known is not None and known[0] is spread and known[1] == decimals:
        return known[2]
    cells = "<td>".join([format_number(value, decimals) for value in (spread.q1, spread.median, spread.q3)])
    label = _set_label(spread.comparator, spread.set_label)
    made = (f'<tr><th scope="row">{label}<td>', f"<td>{cells}</tr>")
    # Those of similar towns belong to one town: they are not kept.
    if spread.comparator != SIMILAR:
        if len(_ROWS) >= _KEPT:
            _ROWS.clear()
        _ROWS[id(spread)] = (spread, decimals, made)
    return made


@cache
def _least() -> int:
    return int(parameter("ranking_min_set"))
