"""Value sheets as plain HTML: a table per theme, a strip per figure, the whole sheet one click away.

Used inside the dashboard, and meant for the static pages: no script, no request, every text escaped.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from bourg.compare.comparators import comparators
from bourg.indicators.engine import USABLE
from bourg.indicators.parameters import parameter
from bourg.indicators.values import SourceNote, ValueSheet
from bourg.portrait import strips
from bourg.text import count_of, format_number, format_value

_DEMO_TITLE = "Valeur de démonstration, fabriquée : elle ne dit rien de la commune réelle."
DEMO_MARK = f'<abbr class="demo" title="{_DEMO_TITLE}">◆ démo</abbr>'

STYLE = (
    """
<style>
.fiches { --ville: light-dark(#9a3c00, #ffb37a); --fond: light-dark(#ffffff, #17181b); }
.fiches table { width: 100%; border-collapse: collapse; font-size: .95rem; }
.fiches caption { text-align: left; font-weight: 600; padding: .4rem 0; }
.fiches th, .fiches td { text-align: left; vertical-align: top; padding: .45rem .6rem .45rem 0;
  border-bottom: 1px solid color-mix(in srgb, currentColor 18%, transparent); }
.fiches th[scope=row] { font-weight: 500; min-width: 11rem; }
.fiches td.valeur { white-space: nowrap; font-variant-numeric: tabular-nums; font-weight: 650; }
.fiches tr.tete > * { border-bottom: 0; padding-bottom: 0; } .fiches tr.detail > td { padding-top: 0; }
.fiches td.place { width: 42%; min-width: 15rem; }
.fiches .periode, .fiches .reperes { display: block; font-size: .82rem; opacity: .85; font-weight: 400;
  white-space: normal; }
.fiches .demo { font-size: .75rem; font-weight: 600; border: 1px solid currentColor; border-radius: .3rem;
  padding: 0 .3rem; text-decoration: none; white-space: nowrap; cursor: help; }
.fiches details { font-size: .88rem; margin-top: .2rem; }
.fiches summary { cursor: pointer; text-decoration: underline; text-underline-offset: .15em; }
.fiches summary:focus-visible, .fiches .defile:focus-visible { outline: 2px solid currentColor; outline-offset: 2px; }
.fiches dl { display: grid; grid-template-columns: minmax(5.5rem, 30%) 1fr; gap: .2rem .8rem; margin: .4rem 0;
  padding: 0; }
.fiches a { color: inherit; }
.fiches dt { font-weight: 600; } .fiches dd { margin: 0; overflow-wrap: anywhere; }
.fiches .cartes { display: grid;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 15.5rem), 1fr)); gap: .7rem; }
.fiches .carte { border: 1px solid color-mix(in srgb, currentColor 22%, transparent); border-radius: .5rem;
  padding: .6rem .8rem; min-width: 0; }
.fiches .carte:has(details[open]) { grid-column: 1 / -1; }
.fiches .carte h3 { font-size: .92rem; font-weight: 600; margin: 0; padding: 0; line-height: 1.25; }
.fiches .carte .chiffre { margin: .1rem 0 0;
  display: flex; flex-wrap: wrap; align-items: baseline; column-gap: .45rem; }
.fiches .carte .grand { font-size: 1.6rem; line-height: 1.2; font-variant-numeric: tabular-nums; white-space: nowrap; }
.fiches .carte .absent { font-size: 1.05rem; white-space: normal; }
.fiches .barre { display: block; height: .55rem; min-width: 2px; border-radius: .15rem; background: currentColor;
  opacity: .65; }
.fiches .defile { overflow-x: auto; max-width: 100%; }
.fiches .defile table { font-size: .82rem; } .fiches .defile caption { font-weight: 500; }
.fiches .defile th[scope=row] { min-width: 8rem; }
.fiches .defile td { white-space: nowrap; font-variant-numeric: tabular-nums; }
.fiches ul.liens { margin: 0; padding-left: 1.1rem; }
@media (max-width: 640px) {
  .fiches .fiche thead { display: none; }
  .fiches .fiche > tbody > tr { display: block; padding: .4rem 0; }
  .fiches .fiche > tbody > tr:not(.tete) {
    border-bottom: 1px solid color-mix(in srgb, currentColor 25%, transparent); }
  .fiches .fiche > tbody > tr > * { display: block; border: 0; padding: .12rem 0; width: auto !important; }
  .fiches .defile thead { display: table-header-group; }
  .fiches dl { grid-template-columns: 1fr; }
}
"""
    + strips.STYLE
    + "</style>\n"
)


@dataclass(frozen=True)
class Neighbouring:
    """A similar town ready to show: ``page`` and ``compare`` are addresses, ``reasons`` French text."""

    name: str
    reasons: str
    demo: bool
    page: str
    compare: str


def _place(sheet: ValueSheet, comparator: str) -> str:
    """Return the strip of a figure and its rank in the chosen set, or why there is none."""
    if sheet.status not in USABLE or sheet.value is None:
        return ""
    found = next((item for item in sheet.comparisons if item.comparator == comparator), None)
    sentence = (
        f"{found.sentence[0].upper()}{found.sentence[1:]}." if found is not None else "Pas de rang dans cet ensemble."
    )
    spread = next((item for item in sheet.distributions if item.comparator == comparator), None)
    if spread is not None and spread.n >= parameter("ranking_min_set"):
        percent = sheet.unit if sheet.unit.startswith("%") else ""
        sentence += f" Médiane : {format_value(spread.median, percent, sheet.decimals)}."
    return f'{strips.strip(sheet, comparator)}<span class="reperes">{_shown(sentence)}</span>'


def _shown(text: str) -> str:
    return escape(strips.unbroken(text))


def key_figure_cards(sheets: Iterable[ValueSheet], comparator: str = strips.DEFAULT) -> str:
    """Return the key figures as a grid of cards, each with its strip and its value sheet."""
    cards = []
    for sheet in sheets:
        usable = sheet.status in USABLE and sheet.value is not None
        number = format_number(sheet.value, sheet.decimals) if usable and sheet.value is not None else sheet.text
        unit = f"{sheet.unit}, {sheet.period}" if usable and sheet.unit else sheet.period
        mark = f" {DEMO_MARK}" if sheet.demo else ""
        cards.append(
            f'<div class="carte"><h3>{_shown(sheet.label)}{mark}</h3>'
            f'<p class="chiffre"><span class="grand{"" if usable else " absent"}">{escape(number)}</span> '
            f'<span class="periode">{_shown(unit)}</span></p>'
            f"{_place(sheet, comparator)}{sheet_details(sheet)}</div>"
        )
    return f'{STYLE}<div class="fiches"><div class="cartes">{"".join(cards)}</div></div>'


def legend() -> str:
    """Return how to read the strips, in words and with the marks themselves."""
    marks = (
        ('<i class="large10" style="left:0;width:100%"></i>', "8 communes sur 10"),
        ('<i class="large25" style="left:0;width:100%"></i>', "la moitié des communes"),
        ('<i class="mediane" style="left:50%"></i>', "médiane"),
    )
    shown = [f'<span class="cle"><span class="piste">{drawing}</span> {words}</span>' for drawing, words in marks]
    town = '<span class="cle choisi"><span class="piste"><b class="ville" style="left:50%"></b></span> la ville</span>'
    return (
        f'{STYLE}<div class="fiches"><p class="legende"><span class="titre">Lire les bandes :</span> {town} '
        f'{" ".join(shown)} <span class="cle">◀ ▶ hors échelle</span></p></div>'
    )


def counts_table(title: str, counts: Mapping[str, int], *, head: str, demo: bool = False) -> str:
    """Return counts as a table with a bar in each row: the picture and its figures are one object."""
    largest = max(counts.values(), default=1)
    mark = f" {DEMO_MARK}" if demo else ""
    rows = "".join(
        f'<tr><th scope="row">{escape(label)}</th><td class="valeur">{format_number(count)}</td>'
        f'<td style="width:60%"><span class="barre" style="width:{100 * count / largest:.1f}%"></span></td></tr>'
        for label, count in counts.items()
    )
    return (
        f'{STYLE}<div class="fiches"><table class="fiche"><caption>{escape(title)}{mark}</caption><thead><tr>'
        f'<th scope="col">{escape(head)}</th><th scope="col">Nombre</th><td></td></tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def sheet_details(sheet: ValueSheet) -> str:
    """Return the value sheet, folded: status, formula, sources, limits, larger territories."""
    entries = [("Statut", f"{sheet.status_label}. {sheet.explanation}"), ("Formule", sheet.formula)]
    entries += [("Effectif", format_number(sheet.n))] if sheet.n is not None else []
    entries += [(item.name or item.level_label, item.text) for item in sheet.elsewhere if item.status in USABLE]
    rows = [(escape(name), escape(text)) for name, text in entries]
    rows += [("Source", _source(source)) for source in sheet.sources]
    rows.append(("Ce que ce chiffre ne dit pas", escape(sheet.limits)))
    rows += [("Secret", escape(sheet.secrecy))] if sheet.secrecy else []
    rows += [("Rupture de série", escape(sheet.series_break))] if sheet.series_break else []
    rows.append(("Référence", escape(sheet.reference)))
    rows.append(("Identifiant", f"<code>{escape(sheet.indicator)}</code>"))
    items = "".join(f"<dt>{name}</dt><dd>{text}</dd>" for name, text in rows)
    return f"<details><summary>Fiche du chiffre</summary>{strips.sets_table(sheet)}<dl>{items}</dl></details>"


def _row(sheet: ValueSheet, comparator: str) -> str:
    mark = f" {DEMO_MARK}" if sheet.demo else ""
    period = f'<span class="periode">{escape(sheet.period)}</span>' if sheet.period else ""
    near = [
        _shown(f"{item.name} : {item.text}")
        for item in sheet.elsewhere
        if item.status in USABLE and item.level in {"departement", "france"}
    ]
    landmarks = f'<span class="reperes">{"<br>".join(near)}</span>' if near else ""
    return (
        f'<tr class="tete"><th scope="row">{_shown(sheet.label)}</th>'
        f'<td class="valeur">{_shown(sheet.text)}{mark}{period}{landmarks}</td>'
        f'<td class="place">{_place(sheet, comparator)}</td></tr>'
        f'<tr class="detail"><td colspan="3">{sheet_details(sheet)}</td></tr>'
    )


def theme_table(title: str, sheets: Iterable[ValueSheet], comparator: str = strips.DEFAULT) -> str:
    """Return the figures of a theme: those that have a value, then a folded list of the others with the reason.

    Parameters
    ----------
    comparator
        Set of communes of the strips and of the rank sentences.
    """
    sheets = list(sheets)
    given = [sheet for sheet in sheets if sheet.status in USABLE]
    absent = [sheet for sheet in sheets if sheet.status not in USABLE]
    parts = [STYLE, '<div class="fiches">']
    if given:
        titles = ("Indicateur", "Valeur", f"Place ({comparators()[comparator].label.lower()})")
        columns = "".join(f'<th scope="col">{name}</th>' for name in titles)
        rows = "".join(_row(sheet, comparator) for sheet in given)
        parts.append(
            f'<table class="fiche"><caption>{escape(title)}</caption><thead><tr>{columns}</tr></thead>'
            f"<tbody>{rows}</tbody></table>"
        )
    else:
        parts.append(f"<p>Aucun chiffre n'est disponible pour le thème « {escape(title)} ».</p>")
    if absent:
        items = "".join(f"<li>{escape(sheet.label)} : {escape(sheet.text)}</li>" for sheet in absent)
        summary = f"{count_of(len(absent), 'chiffre')} sans valeur, et pourquoi"
        parts.append(f"<details><summary>{summary}</summary><ul>{items}</ul></details>")
    parts.append("</div>")
    return "".join(parts)


def neighbours_table(title: str, rows: Sequence[Neighbouring], *, shown: int | None = None) -> str:
    """Return similar towns as a table, each name leading to the page of the town; those after ``shown`` are folded."""
    names = ("Ville", "Pourquoi elle lui ressemble", "Côte à côte")
    head = "".join(f'<th scope="col">{name}</th>' for name in names)

    def table(part: Sequence[Neighbouring], caption: str) -> str:
        lines = "".join(
            f'<tr><th scope="row"><a href="{escape(row.page, quote=True)}" target="_self">{escape(row.name)}</a>'
            f"{f' {DEMO_MARK}' if row.demo else ''}</th><td>{_shown(row.reasons)}</td>"
            f'<td><a href="{escape(row.compare, quote=True)}" target="_self" '
            f'aria-label="Comparer avec {escape(row.name, quote=True)}">comparer</a></td></tr>'
            for row in part
        )
        return (
            f'<table class="fiche"><caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead>'
            f"<tbody>{lines}</tbody></table>"
        )

    first, rest = rows[:shown], rows[shown:] if shown is not None else ()
    folded = (
        f"<details><summary>{count_of(len(rest), 'autre ville semblable', 'autres villes semblables')}</summary>"
        f"{table(rest, 'Les suivantes')}</details>"
        if rest
        else ""
    )
    return f'{STYLE}<div class="fiches">{table(first, title)}{folded}</div>'


def sources_list(sheets: Iterable[ValueSheet]) -> str:
    """Return the sources of some figures as a folded list, the most used first."""
    used: dict[SourceNote, int] = {}
    for sheet in sheets:
        for source in sheet.sources:
            used[source] = used.get(source, 0) + 1
    if not used:
        return ""
    ordered = sorted(used.items(), key=lambda pair: (-pair[1], pair[0].title))
    items = "".join(f"<li>{_source(source)} : {count_of(count, 'chiffre')}</li>" for source, count in ordered)
    summary = f"{count_of(len(used), 'source')} pour cette page"
    return f'{STYLE}<div class="fiches"><details><summary>{summary}</summary><ul>{items}</ul></details></div>'


def _source(source: SourceNote) -> str:
    vintage = f", {escape(source.vintage)}" if source.vintage else ""
    page = escape(source.landing_page, quote=True)
    link = f'<a href="{page}" rel="noopener" target="_blank">{escape(source.title)}</a>'
    return f"{link} ({escape(source.producer)}{vintage}, {escape(source.licence)})"
