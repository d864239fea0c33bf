"""The shops of a town as plain HTML: tables whose rows bear their bars, lists, no script; every text escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

import polars as pl

from bourg.commerce.centre import GroupShare
from bourg.commerce.chains import CLASSES, INDEPENDENT, NETWORK, UNDETERMINED
from bourg.commerce.typology import rules, typology
from bourg.portrait.html import DEMO_MARK
from bourg.portrait.side_by_side import scrolling
from bourg.portrait.strips import unbroken
from bourg.portrait.themes.commerce_flows import Flows
from bourg.portrait.themes.commerce_mix import Mix, MixRow
from bourg.portrait.themes.commerce_shops import ClassRow
from bourg.portrait.themes.commerce_summary import PlaceDiversity
from bourg.text import NBSP, count_of, format_date, format_number, format_value

STYLE = """
<style>
.commerces { --ville: light-dark(#9a3c00, #ffb37a); --centre: light-dark(#0f6e6e, #6fd0c8);
  --pair: light-dark(#6c7d86, #9fb0b9); }
.commerces p { margin: .2rem 0; font-size: .92rem; }
.commerces ul { margin: .2rem 0; padding-left: 1.1rem; } .commerces li { margin: .2rem 0; font-size: .95rem; }
.commerces .duo { display: grid; gap: .4rem 2rem;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr)); }
.commerces .duo h3 { font-size: 1rem; font-weight: 600; margin: .3rem 0 0; padding: 0; }
.commerces .resume li { font-size: 1.05rem; line-height: 1.45; max-width: 62rem; }
.commerces details { font-size: .88rem; margin-top: .3rem; }
.commerces summary { cursor: pointer; text-decoration: underline; text-underline-offset: .15em; }
.commerces summary:focus-visible, .commerces .defile:focus-visible { outline: 2px solid currentColor;
  outline-offset: 2px; }
.commerces .defile { overflow-x: auto; max-width: 100%; }
.commerces table { border-collapse: collapse; width: 100%; font-size: .9rem; }
.commerces caption { text-align: left; font-weight: 600; padding: .4rem 0; }
.commerces th, .commerces td { text-align: left; vertical-align: top; padding: .3rem .7rem .3rem 0;
  border-bottom: 1px solid color-mix(in srgb, currentColor 16%, transparent); font-variant-numeric: tabular-nums; }
.commerces th[scope=row] { font-weight: 500; min-width: 9rem; }
.commerces td.nombre { white-space: nowrap; }
.commerces td.barres { width: 38%; min-width: 9rem; }
.commerces .b { display: block; height: .5rem; border-radius: .1rem; margin: .12rem 0; min-width: 1px; }
.commerces .b.v { background: var(--ville); }
.commerces .b.c { background: repeating-linear-gradient(45deg, var(--centre) 0 4px, transparent 4px 6px);
  box-shadow: inset 0 0 0 1px var(--centre); }
.commerces .b.e { height: .25rem; background: var(--pair); }
.commerces .legende { display: flex; flex-wrap: wrap; gap: .2rem 1.1rem; font-size: .85rem; }
.commerces .legende .b { display: inline-block; width: 1.8rem; vertical-align: middle; }
.commerces .classes { display: flex; height: 1.5rem; border-radius: .3rem; overflow: hidden; margin: .3rem 0;
  border: 1px solid currentColor; }
.commerces .classes i { display: block; height: 100%; min-width: 1px; }
.commerces .r { background: var(--ville); }
.commerces .u { background: repeating-linear-gradient(45deg, currentColor 0 1px, transparent 1px 7px); }
.commerces .d { background: color-mix(in srgb, var(--centre) 65%, transparent); }
.commerces .cle { display: inline-block; width: 1.1rem; height: .8rem; border: 1px solid currentColor;
  vertical-align: middle; }
.commerces .chaleur td { text-align: center; padding: .15rem .2rem; font-size: .78rem; border: 0; min-width: 1.9rem; }
.commerces .chaleur th { font-size: .78rem; padding: .15rem .3rem .15rem 0; border: 0; min-width: 0; }
.commerces .demo { font-size: .75rem; font-weight: 600; border: 1px solid currentColor; border-radius: .3rem;
  padding: 0 .3rem; text-decoration: none; white-space: nowrap; cursor: help; }
@media (max-width: 640px) {
  .commerces .mix thead { position: absolute; clip-path: inset(50%); }
  .commerces .mix tr { display: grid; grid-template-columns: 1fr 1fr; padding: .35rem 0;
    border-bottom: 1px solid color-mix(in srgb, currentColor 18%, transparent); }
  .commerces .mix th, .commerces .mix td { border: 0; padding: 0; }
  .commerces .mix th[scope=row], .commerces .mix td.barres { grid-column: 1 / -1; width: auto; }
  .commerces .liste thead { position: absolute; clip-path: inset(50%); }
  .commerces .liste tr { display: block; padding: .35rem 0;
    border-bottom: 1px solid color-mix(in srgb, currentColor 18%, transparent); }
  .commerces .liste th, .commerces .liste td { display: inline; border: 0; padding: 0; }
  .commerces .liste th { display: block; font-weight: 600; }
  .commerces .liste td:empty { display: none; }
  .commerces .mix td.nombre { white-space: normal; }
  .commerces .liste td:not(:last-child)::after { content: " · "; }
  .commerces .mix td[data-nom]::before { content: attr(data-nom) " : "; opacity: .85; font-size: .8rem; }
}
</style>
"""
_SHOWN_SENTENCES = 6


def wrap(*parts: str) -> str:
    """Return fragments with their style."""
    return f'{STYLE}<div class="commerces">{"".join(parts)}</div>'


def _shown(text: str) -> str:
    return escape(unbroken(text))


def _mark(*, demo: bool) -> str:
    return f" {DEMO_MARK}" if demo else ""


def table(
    caption: str, heads: Sequence[str], rows: Iterable[Sequence[str]], *, demo: bool = False, kind: str = ""
) -> str:
    """Return a table that scrolls by itself; the first cell of a row is its heading, texts are escaped here."""
    head = "".join(f'<th scope="col">{_shown(text)}</th>' for text in heads)
    lines = "".join(
        f'<tr><th scope="row">{_shown(row[0])}</th>{"".join(f"<td>{_shown(cell)}</td>" for cell in row[1:])}</tr>'
        for row in rows
    )
    made = (
        f'<table class="{kind}"><caption>{_shown(caption)}{_mark(demo=demo)}</caption><thead><tr>{head}</tr></thead>'
        f"<tbody>{lines}</tbody></table>"
    )
    return scrolling(made, f"{caption}, tableau qui défile")


def folded(summary: str, content: str) -> str:
    """Return a content that opens on demand."""
    return f"<details><summary>{_shown(summary)}</summary>{content}</details>"


def summary_list(sentences: Sequence[str], *, demo: bool) -> str:
    """Return the first sentences of the page."""
    items = "".join(f"<li>{_shown(text)}</li>" for text in sentences)
    return f'<ul class="resume">{items}</ul>' + (f"<p>{DEMO_MARK} Chiffres fabriqués.</p>" if demo else "")


# ---- Composition -----------------------------------------------------------------------------------------------------


def difference_lists(mix: Mix) -> str:
    """Return what towns compared usually have and the town has not, and what it has and they seldom have."""
    if mix.message:
        return f"<p>{_shown(mix.message)}</p>"
    parts = (
        ("Ce qui manque ici", mix.lacking, f"Rien que les {mix.among} aient le plus souvent."),
        ("Ce qui est rare ailleurs", mix.rare, f"Rien que les {mix.among} aient rarement."),
    )
    made = "".join(f"<div><h3>{title}</h3>{_sentences(told, none)}</div>" for title, told, none in parts)
    return f'<div class="duo">{made}</div>'


def _sentences(told: Sequence[str], none: str) -> str:
    if not told:
        return f"<p>{_shown(none)}</p>"

    def listed(part: Sequence[str]) -> str:
        return f"<ul>{''.join(f'<li>{_shown(text)}</li>' for text in part)}</ul>"

    rest = told[_SHOWN_SENTENCES:]
    return listed(told[:_SHOWN_SENTENCES]) + (folded(f"{count_of(len(rest), 'autre')}", listed(rest)) if rest else "")


def _percent(share: float | None) -> str:
    return "–" if share is None else format_value(share, "%", 1)


def _mean(mean: float) -> str:
    """Return a mean number of shops; a little is not nothing."""
    return "moins de 0,1" if 0 < mean < 0.05 else format_number(mean, 1)


def mix_legend(mix: Mix, set_label: str) -> str:
    """Return the meaning of the bars."""
    keys = [("v", "la commune")]
    keys += [("c", "son centre (hachuré)")] if mix.centre_total is not None else []
    keys += [("e", f"moyenne de l'ensemble « {set_label} » (trait fin)")] if not mix.message else []
    items = "".join(f'<span><span class="b {name}"></span> {_shown(label)}</span>' for name, label in keys)
    return f'<p class="legende">{items}</p>'


def mix_table(mix: Mix, set_label: str, *, groups: bool) -> str:
    """Return the composition by group or by type: bars and their figures are one table."""
    rows = mix.groups if groups else mix.types
    what = "groupe" if groups else "type"
    heads = [what.capitalize(), "Commune"]
    heads += ["Centre"] if mix.centre_total is not None else []
    heads += [f"Moyenne : {set_label}"] if not mix.message else []
    heads += ["En ont au moins un"] if not mix.message and not groups else []
    longest = max((share for row in rows for share in (row.share, row.centre_share, row.set_share) if share), default=1)
    head = "".join(f'<th scope="col">{_shown(text)}</th>' for text in heads) + "<td></td>"
    body = "".join(
        _mix_row(mix, row, heads[1:], longest, groups=groups) for row in rows if row.n or row.set_mean or row.centre
    )
    caption = f"Composition par {what} : part des commerces{_period(mix)}"
    return (
        f'<table class="mix"><caption>{_shown(caption)}{_mark(demo=mix.demo)}</caption><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table>"
    )


def _period(mix: Mix) -> str:
    return f", {mix.period}" if mix.period.isdigit() else ""


def _mix_row(mix: Mix, row: MixRow, heads: Sequence[str], longest: float, *, groups: bool) -> str:
    cells = [f"{format_number(row.n)} ({_percent(row.share)})"]
    bars = [("v", row.share)]
    if mix.centre_total is not None:
        cells.append(f"{format_number(row.centre or 0)} ({_percent(row.centre_share)})")
        bars.append(("c", row.centre_share))
    if not mix.message:
        cells.append(f"{_mean(row.set_mean or 0)} ({_percent(row.set_share)})")
        bars.append(("e", row.set_share))
        if not groups:
            cells.append(f"{format_number(row.present or 0)} sur{NBSP}{format_number(mix.compared)}")
    drawn = "".join(
        f'<span class="b {name}" style="width:{100 * share / longest:.1f}%"></span>' for name, share in bars if share
    )
    told = "".join(
        f'<td class="nombre" data-nom="{escape(head, quote=True)}">{_shown(cell)}</td>'
        for head, cell in zip(heads, cells, strict=True)
    )
    return f'<tr><th scope="row">{_shown(row.label)}</th>{told}<td class="barres" aria-hidden="true">{drawn}</td></tr>'


def diversity_table(places: Sequence[PlaceDiversity], *, demo: bool) -> str:
    """Return the diversity of the town, of its centre and of the rest."""
    size = rules()["rarefaction"]
    heads = ("Lieu", "Commerces", "Types", "Types à parts égales", f"Types sur {size} commerces tirés au hasard")
    rows = [
        (item.label, format_number(item.shops), format_number(item.types), format_number(item.effective, 1),
         "trop peu de commerces" if item.rarefied is None else format_number(item.rarefied, 1))
        for item in places
    ]  # fmt: skip
    return table("Variété des commerces ouverts, d'après Sirene", heads, rows, demo=demo)


def centre_table(groups: Sequence[GroupShare], *, demo: bool) -> str:
    """Return the shops inside and outside the centre by group; those without place are apart."""
    heads = ("Groupe", "Dans le centre", "Hors du centre", "Sans position utilisable", "Part dans le centre")
    rows = [
        (item.label, format_number(item.inside), format_number(item.outside), format_number(item.unplaced),
         _percent(item.share))
        for item in groups
    ]  # fmt: skip
    return table("Dans le centre et au-dehors, par groupe", heads, rows, demo=demo)


# ---- Classes ---------------------------------------------------------------------------------------------------------

_CLASS_MARKS = ((NETWORK, "r"), (UNDETERMINED, "u"), (INDEPENDENT, "d"))


def _class_counts(row: ClassRow) -> dict[str, int]:
    return {NETWORK: row.network, INDEPENDENT: row.independent, UNDETERMINED: row.undetermined}


def class_bar(row: ClassRow) -> str:
    """Return the three classes as one bar, its legend and what it says aloud."""
    counts = _class_counts(row)
    parts = "".join(
        f'<i class="{mark}" style="width:{100 * counts[name] / row.n:.2f}%"></i>'
        for name, mark in _CLASS_MARKS
        if counts[name]
    )
    words = [f"{CLASSES[name]} : {format_number(counts[name])} ({_percent(100 * counts[name] / row.n)})"
             for name, _ in _CLASS_MARKS]  # fmt: skip
    keys = "".join(
        f'<span><i class="cle {mark}"></i> {_shown(word)}</span>'
        for (_, mark), word in zip(_CLASS_MARKS, words, strict=True)
    )
    label = escape(unbroken(" ; ".join(words)), quote=True)
    return f'<div class="classes" role="img" aria-label="{label}">{parts}</div><p class="legende">{keys}</p>'


def class_table(whole: ClassRow, rows: Sequence[ClassRow], *, demo: bool) -> str:
    """Return the classes by group with the bounds of the share of network brands."""

    def bounds(row: ClassRow) -> str:
        if row.low is None or row.low == row.high:
            return _percent(row.low)
        return f"de {_percent(row.low)} à {_percent(row.high)}"

    heads = ("Groupe", "Commerces", "Enseignes de réseau", "Indépendants", "Indéterminés", "Part des enseignes")
    lines = [
        (row.label, format_number(row.n), format_number(row.network), format_number(row.independent),
         format_number(row.undetermined), bounds(row))
        for row in (*rows, whole)
    ]  # fmt: skip
    return table("Enseignes, indépendants et indéterminés par groupe", heads, lines, demo=demo)


def evidence_table(rows: Sequence[tuple[str, str, int]], *, demo: bool) -> str:
    """Return on what evidence shops were classed."""
    heads = ("Preuve", "Classe", "Commerces")
    lines = [(f"{proof[0].upper()}{proof[1:]}", name, format_number(n)) for name, proof, n in rows]
    return table("Ce qui a décidé de la classe", heads, lines, demo=demo)


# ---- Evolution -------------------------------------------------------------------------------------------------------


def signed(value: int) -> str:
    """Return « +3 », « −2 » or « 0 »."""
    return f"+{format_number(value)}" if value > 0 else format_number(value)


def years_table(flows: Flows, *, demo: bool) -> str:
    """Return openings, closures, net and stock by year."""
    heads = ("Année", "Ouvertures", "Fermetures", "Solde", "Ouverts au 31 décembre")
    rows = [
        (str(year), format_number(opened), format_number(closed), signed(net), format_number(stock))
        for year, opened, closed, net, stock in flows.years.iter_rows()
    ]
    return table("Ouvertures et fermetures par année", heads, rows, demo=demo)


def kinds_table(flows: Flows, *, groups: bool, demo: bool) -> str:
    """Return openings, closures and net of the window by group or by type."""
    first, last = flows.window
    heads = ("Groupe" if groups else "Type", "Ouvertures", "Fermetures", "Solde", f"Ouverts fin {last}")
    rows = [
        (label, format_number(opened), format_number(closed), signed(net), format_number(stock))
        for _, label, opened, closed, net, stock in (flows.groups if groups else flows.types).iter_rows()
    ]
    what = "groupe" if groups else "type"
    return table(f"Ouvertures et fermetures par {what}, de {first} à {last}", heads, rows, demo=demo)


def survival_table(flows: Flows, name: str, set_label: str, *, demo: bool) -> str:
    """Return the points of the curves of survival, with the shops followed."""
    ages = sorted(set(flows.survival["age"]))
    points = {(who, age): (survival, followed) for who, age, followed, _, survival in flows.survival.iter_rows()}
    curves = [("ville", name)] + ([("ensemble", set_label)] if flows.compared else [])

    def cell(who: str, age: int) -> str:
        if (who, age) not in points:
            return f"moins de {rules()['survival_min']} commerces suivis"
        survival, followed = points[who, age]
        return f"{_percent(survival)} ({count_of(followed, 'suivi', 'suivis')})"

    heads = ("Après", *(label for _, label in curves))
    rows = [(count_of(age + 1, "an"), *(cell(who, age) for who, _ in curves)) for age in ages]
    return table("Commerces encore ouverts", heads, rows, demo=demo)


def closures_table(closures: pl.DataFrame, *, demo: bool) -> str:
    """Return the last closures, and whether another shop came at the same address."""
    words = {True: "oui", False: "non", None: "pas encore connu, ou adresse inconnue"}
    rows = [
        (format_date(closed), kind or "", name or "sans nom connu", words[replaced])
        for name, kind, closed, replaced in closures.iter_rows()
    ]
    heads = ("Date", "Type", "Nom", "Remplacé à la même adresse")
    return table("Dernières fermetures", heads, rows, demo=demo)


def addresses_sentence(addresses: dict[str, int]) -> str:
    """Return replacement and empty addresses in words; nothing is called a rate of vacancy."""
    months, years = rules()["replacement_months"], rules()["vacancy_years"]
    followed = addresses["followed"]
    first = (
        f"Sur {count_of(followed, 'fermeture')} de plus de {months} mois à une adresse connue, "
        f"{count_of(addresses['replaced'], 'a été suivie', 'ont été suivies')} d'un autre commerce au même endroit en "
        f"moins de {months} mois."
        if followed
        else f"Aucune fermeture à une adresse connue n'est assez ancienne (plus de {months} mois) pour dire si elle a "
        "été remplacée."
    )
    empty = count_of(addresses["vacant"], "adresse")
    return (
        f"{first} {empty} sans commerce depuis plus de {months} mois (et moins de {years} ans), pour "
        f"{count_of(addresses['occupied'], 'adresse occupée', 'adresses occupées')} : un indice, pas un relevé de "
        "locaux vides."
    )


def group_options() -> dict[str, str]:
    """Return the groups of shops and their labels, for filters and legends."""
    return dict(typology().groups)
