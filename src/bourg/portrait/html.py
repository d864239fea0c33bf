"""Value sheets as plain HTML: a table per theme, a strip per figure, the whole sheet one click away.

Used inside the dashboard, and meant for the static pages: no script, no request, every text escaped.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape

from bourg.indicators.engine import USABLE
from bourg.indicators.values import Comparison, ValueSheet
from bourg.text import count_of, format_number

_DEMO_TITLE = "Valeur de démonstration, fabriquée : elle ne dit rien de la commune réelle."
DEMO_MARK = f'<abbr class="demo" title="{_DEMO_TITLE}">◆ démo</abbr>'

STYLE = """
<style>
.fiches table { width: 100%; border-collapse: collapse; font-size: .95rem; }
.fiches caption { text-align: left; font-weight: 600; padding: .4rem 0; }
.fiches th, .fiches td { text-align: left; vertical-align: top; padding: .45rem .6rem .45rem 0;
  border-bottom: 1px solid color-mix(in srgb, currentColor 18%, transparent); }
.fiches th[scope=row] { font-weight: 500; min-width: 11rem; }
.fiches td.valeur { white-space: nowrap; font-variant-numeric: tabular-nums; font-weight: 650; }
.fiches .periode, .fiches .reperes { display: block; font-size: .82rem; opacity: .82; font-weight: 400;
  white-space: normal; }
.fiches .demo { font-size: .75rem; font-weight: 600; border: 1px solid currentColor; border-radius: .3rem;
  padding: 0 .3rem; text-decoration: none; white-space: nowrap; cursor: help; }
.fiches details { font-size: .88rem; margin-top: .2rem; }
.fiches summary { cursor: pointer; text-decoration: underline; text-underline-offset: .15em; }
.fiches summary:focus-visible { outline: 2px solid currentColor; outline-offset: 2px; }
.fiches dl { display: grid; grid-template-columns: minmax(5.5rem, 30%) 1fr; gap: .2rem .8rem; margin: .4rem 0; }
.fiches a { color: inherit; }
.fiches dt { font-weight: 600; } .fiches dd { margin: 0; overflow-wrap: anywhere; }
.fiches .bande { display: block; position: relative; width: 11rem; max-width: 100%; height: 1.1rem; margin: .15rem 0;
  background: linear-gradient(currentColor, currentColor) center / 100% 1px no-repeat; opacity: .9; }
.fiches .bande i { position: absolute; top: 0; bottom: 0; width: .35rem; margin-left: -.175rem;
  background: currentColor; border-radius: .1rem; }
.fiches .bande b { position: absolute; left: 50%; top: .3rem; bottom: .3rem; width: 1px; background: currentColor;
  opacity: .6; }
.fiches .cartes { display: grid; grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); gap: .8rem; }
.fiches .carte { border: 1px solid color-mix(in srgb, currentColor 22%, transparent); border-radius: .5rem;
  padding: .8rem 1rem; }
.fiches .carte h3 { font-size: .95rem; font-weight: 600; margin: 0; padding: 0; }
.fiches .carte .grand { font-size: 1.9rem; line-height: 1.25; font-variant-numeric: tabular-nums; margin: .1rem 0 0; }
.fiches .barre { display: block; height: .55rem; min-width: 2px; border-radius: .15rem; background: currentColor;
  opacity: .65; }
@media (max-width: 640px) {
  .fiches thead { display: none; }
  .fiches tr { display: block; padding: .4rem 0;
    border-bottom: 1px solid color-mix(in srgb, currentColor 25%, transparent); }
  .fiches th, .fiches td { display: block; border: 0; padding: .12rem 0; }
  .fiches dl { grid-template-columns: 1fr; }
}
</style>
"""


def strip(comparison: Comparison) -> str:
    """Return the place of the town among its comparators, as a small drawing; its sentence is written beside it.

    The mark goes from 0 (lowest of the set) to 100 (highest); the middle tick is the median.
    """
    return f'<span class="bande" aria-hidden="true"><b></b><i style="left:{comparison.percentile_mid:.1f}%"></i></span>'


def _sentences(sheet: ValueSheet) -> str:
    return "".join(
        f'{strip(item)}<span class="reperes">{escape(item.sentence[0].upper() + item.sentence[1:])}</span>'
        for item in sheet.comparisons
    )


def key_figure_cards(sheets: Iterable[ValueSheet]) -> str:
    """Return the key figures as a grid of cards, each with its value sheet."""
    cards = []
    for sheet in sheets:
        usable = sheet.status in USABLE and sheet.value is not None
        number = format_number(sheet.value, sheet.decimals) if usable and sheet.value is not None else sheet.text
        unit = f"{sheet.unit}, {sheet.period}" if usable and sheet.unit else sheet.period
        mark = f" {DEMO_MARK}" if sheet.demo else ""
        cards.append(
            f'<div class="carte"><h3>{escape(sheet.label)}{mark}</h3><p class="grand">{escape(number)}</p>'
            f'<span class="periode">{escape(unit)}</span>{_sentences(sheet)}{sheet_details(sheet)}</div>'
        )
    return f'{STYLE}<div class="fiches"><div class="cartes">{"".join(cards)}</div></div>'


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
        f'{STYLE}<div class="fiches"><table><caption>{escape(title)}{mark}</caption><thead><tr>'
        f'<th scope="col">{escape(head)}</th><th scope="col">Nombre</th><td></td></tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def sheet_details(sheet: ValueSheet) -> str:
    """Return the value sheet, folded: status, formula, sources, limits, larger territories."""
    entries = [("Statut", f"{sheet.status_label}. {sheet.explanation}"), ("Formule", sheet.formula)]
    entries += [("Effectif", format_number(sheet.n))] if sheet.n is not None else []
    entries += [("Comparaison", item.sentence) for item in sheet.comparisons]
    entries += [(item.name or item.level_label, item.text) for item in sheet.elsewhere if item.status in USABLE]
    rows = [(escape(name), escape(text)) for name, text in entries]
    for source in sheet.sources:
        vintage = f", {escape(source.vintage)}" if source.vintage else ""
        page = escape(source.landing_page, quote=True)
        link = f'<a href="{page}" rel="noopener" target="_blank">{escape(source.title)}</a>'
        rows.append(("Source", f"{link} ({escape(source.producer)}{vintage}, {escape(source.licence)})"))
    rows.append(("Ce que ce chiffre ne dit pas", escape(sheet.limits)))
    rows += [("Secret", escape(sheet.secrecy))] if sheet.secrecy else []
    rows += [("Rupture de série", escape(sheet.series_break))] if sheet.series_break else []
    rows.append(("Référence", escape(sheet.reference)))
    rows.append(("Identifiant", f"<code>{escape(sheet.indicator)}</code>"))
    items = "".join(f"<dt>{name}</dt><dd>{text}</dd>" for name, text in rows)
    return f"<details><summary>Fiche du chiffre</summary><dl>{items}</dl></details>"


def _row(sheet: ValueSheet) -> str:
    mark = f" {DEMO_MARK}" if sheet.demo else ""
    period = f'<span class="periode">{escape(sheet.period)}</span>' if sheet.period else ""
    near = [
        f"{escape(item.name)} : {escape(item.text)}"
        for item in sheet.elsewhere
        if item.status in USABLE and item.level in {"departement", "france"}
    ]
    landmarks = f'<span class="reperes">{"<br>".join(near)}</span>' if near else ""
    return (
        f'<tr><th scope="row">{escape(sheet.label)}{sheet_details(sheet)}</th>'
        f'<td class="valeur">{escape(sheet.text)}{mark}{period}{landmarks}</td><td>{_sentences(sheet)}</td></tr>'
    )


def theme_table(title: str, sheets: Iterable[ValueSheet]) -> str:
    """Return the figures of a theme: those that have a value, then a folded list of the others with the reason."""
    sheets = list(sheets)
    given = [sheet for sheet in sheets if sheet.status in USABLE]
    absent = [sheet for sheet in sheets if sheet.status not in USABLE]
    parts = [STYLE, '<div class="fiches">']
    if given:
        titles = ("Indicateur", "Valeur", "Parmi les communes de même taille")
        columns = "".join(f'<th scope="col">{name}</th>' for name in titles)
        rows = "".join(_row(sheet) for sheet in given)
        parts.append(
            f"<table><caption>{escape(title)}</caption><thead><tr>{columns}</tr></thead><tbody>{rows}</tbody></table>"
        )
    else:
        parts.append(f"<p>Aucun chiffre n'est disponible pour le thème « {escape(title)} ».</p>")
    if absent:
        items = "".join(f"<li>{escape(sheet.label)} : {escape(sheet.text)}</li>" for sheet in absent)
        summary = f"{count_of(len(absent), 'chiffre')} sans valeur, et pourquoi"
        parts.append(f"<details><summary>{summary}</summary><ul>{items}</ul></details>")
    parts.append("</div>")
    return "".join(parts)


def neighbours_table(title: str, rows: Iterable[tuple[str, str, str, bool]]) -> str:
    """Return similar towns as a table: ``(code, name, reasons, demo)``, each name leading to the page of the town."""
    lines = "".join(
        f'<tr><th scope="row"><a href="/ville?commune={escape(code, quote=True)}" target="_self">{escape(name)}</a>'
        f"{f' {DEMO_MARK}' if demo else ''}</th><td>{escape(reasons)}</td></tr>"
        for code, name, reasons, demo in rows
    )
    head = '<thead><tr><th scope="col">Ville</th><th scope="col">Pourquoi elle lui ressemble</th></tr></thead>'
    table = f"<table><caption>{escape(title)}</caption>{head}<tbody>{lines}</tbody></table>"
    return f'{STYLE}<div class="fiches">{table}</div>'
