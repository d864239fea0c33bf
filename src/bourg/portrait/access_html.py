"""Access as plain HTML and sentences: key figures, tables, the quarter of an hour; no script, every text escaped."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

import polars as pl

from bourg.access.network.graph import MODE_LABELS
from bourg.access.places.crosswalk import Family, families
from bourg.access.study import Reach
from bourg.access.travel.reach import minutes_text
from bourg.portrait.html import DEMO_MARK
from bourg.portrait.side_by_side import scrolling
from bourg.text import NBSP, count_of, format_number, format_value, join_words, plural

STYLE = """
<style>
.acces .cartes { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 14.5rem), 1fr)); gap: .7rem; }
.acces .carte { border: 1px solid color-mix(in srgb, currentColor 22%, transparent); border-radius: .5rem;
  padding: .6rem .8rem; min-width: 0; }
.acces .carte h3 { font-size: .92rem; font-weight: 600; margin: 0; padding: 0; line-height: 1.25; }
.acces .carte .grand { font-size: 1.6rem; line-height: 1.25; font-variant-numeric: tabular-nums; margin: .1rem 0 0; }
.acces .carte .grand.long { font-size: 1.15rem; }
.acces p { margin: .15rem 0; font-size: .88rem; }
.acces p.phrase { font-size: 1.12rem; line-height: 1.45; margin: .2rem 0 .5rem; max-width: 60rem; }
.acces details { font-size: .86rem; margin-top: .25rem; }
.acces summary { cursor: pointer; text-decoration: underline; text-underline-offset: .15em; }
.acces summary:focus-visible, .acces .defile:focus-visible { outline: 2px solid currentColor; outline-offset: 2px; }
.acces .defile { overflow-x: auto; max-width: 100%; }
.acces table { border-collapse: collapse; width: 100%; font-size: .92rem; }
.acces caption { text-align: left; font-weight: 600; padding: .4rem 0; }
.acces th, .acces td { text-align: left; vertical-align: top; padding: .35rem .7rem .35rem 0;
  border-bottom: 1px solid color-mix(in srgb, currentColor 18%, transparent); font-variant-numeric: tabular-nums; }
.acces th[scope=row] { font-weight: 500; }
.acces .demo { font-size: .75rem; font-weight: 600; border: 1px solid currentColor; border-radius: .3rem;
  padding: 0 .3rem; text-decoration: none; white-space: nowrap; cursor: help; }
.acces .jauge { display: block; height: .55rem; border-radius: .3rem; margin: .25rem 0;
  background: color-mix(in srgb, currentColor 16%, transparent); overflow: hidden; }
.acces .jauge i { display: block; height: 100%; background: currentColor; opacity: .7; }
.acces a { color: inherit; }
@media (max-width: 640px) {
  .acces .lieux thead { display: none; }
  .acces .lieux tr { display: block; padding: .35rem 0;
    border-bottom: 1px solid color-mix(in srgb, currentColor 18%, transparent); }
  .acces .lieux th, .acces .lieux td { display: inline; border: 0; padding: 0; }
  .acces .lieux th { display: block; font-weight: 600; }
  .acces .lieux td:not(:last-child)::after { content: " · "; }
}
</style>
"""
_NOT_SAID = {
    "median": (
        "La moitié des habitants met moins, l'autre moitié met plus : ce n'est ni un temps moyen, ni celui de "
        "quelqu'un en particulier. Horaires, attente et places disponibles n'y sont pas."
    ),
    "p90": "Un habitant sur dix met plus encore. Le temps suppose une personne qui se déplace sans difficulté.",
    "within": (
        "Être près n'est pas être servi : l'équipement peut être complet, cher ou fermé. Les habitants dont le temps "
        "est inconnu n'entrent pas dans cette part."
    ),
    "far": (
        "Ils peuvent avoir accès par un autre mode, par un transport en commun ou par un service à domicile, que ce "
        "calcul ne connaît pas."
    ),
}


def wrap(content: str) -> str:
    """Return a fragment with its style."""
    return f'{STYLE}<div class="acces">{content}</div>'


def minutes(value: float) -> str:
    """Return ``12 min``."""
    return format_value(value, "min")


def share_text(share: float | None) -> str:
    """Return a share from 0 to 1 as a percentage; what is not all is never written 100 %."""
    if share is None:
        return "inconnue"
    percent = 100 * share
    if 0 < percent < 1:
        return f"moins de 1{NBSP}%"
    if 99 < percent < 100:
        return f"plus de 99{NBSP}%"
    return format_value(percent, "%")


def people_text(people: float) -> str:
    """Return ``1 234 habitants``; fewer than one person is not nobody."""
    if 0 < people < 1:
        return "moins d'un habitant"
    return count_of(round(people), "habitant")


def far_people(reach: Reach, threshold: float) -> float:
    """Return the inhabitants whose known time is over a threshold, or who reach nothing."""
    late = (pl.col("status") != "unsnapped") & ((pl.col("status") != "ok") | (pl.col("minutes") > threshold))
    return float(reach.table.filter(late)["inhabitants"].sum())


def reach_sentence(name: str, reach: Reach, threshold: int) -> str:
    """Return the main figures in one French sentence.

    Parameters
    ----------
    name
        The commune.
    reach
        Times to one family.
    threshold
        Minutes, one of those of ``reach_indicators``.
    """
    summary, mode = reach.summary, MODE_LABELS[reach.mode]
    status = summary["median_status"]
    nearest = f"l'équipement « {reach.family.label} » le plus proche"
    if status == "unknown":
        return f"{name} : trop d'habitants sont hors du réseau de rues pour dire un temps {mode}."
    if status == "unreachable":
        first = f"la moitié des habitants au moins n'a aucun chemin {mode} vers un équipement « {reach.family.label} »"
    elif status == "beyond":
        first = f"la moitié des habitants au moins est à plus de {minutes(reach.limit_min)} {mode} de {nearest}"
    else:
        told = minutes_text(summary["median"], "ok", reach.limit_min)
        within = told if told.startswith("moins") else f"{told} ou moins"
        first = f"la moitié des habitants est à {within} {mode} de {nearest}"
    late = far_people(reach, threshold)
    base = summary["inhabitants"] - summary["unknown"]
    if not late:
        return f"{name} : {first}, et personne n'en est à plus de {minutes(threshold)}."
    return (
        f"{name} : {first} ; {people_text(late)} ({share_text(late / base)}) "
        f"{plural(late, 'est', 'sont')} à plus de {minutes(threshold)}, ou sans chemin."
    )


def figure_cards(reach: Reach, threshold: int, *, demo: bool) -> str:
    """Return the four key figures, each with what it does not say."""
    summary = reach.summary
    mark = f"{NBSP}{DEMO_MARK}" if demo else ""
    within, late = summary[f"within_{threshold}"], far_people(reach, threshold)
    known = summary["inhabitants"] - summary["unknown"]
    cards = [
        ("Temps médian", _time(reach, "median"), "la moitié des habitants met moins", "median"),
        ("9 habitants sur 10", _time(reach, "p90"), "mettent ce temps ou moins", "p90"),
        (
            f"À {minutes(threshold)} ou moins",
            share_text(within),
            "" if within is None else f"soit {people_text(within * known)}",
            "within",
        ),
        (f"À plus de {minutes(threshold)}, ou sans chemin", people_text(late), _unknown(summary["unknown"]), "far"),
    ]
    return f'<div class="cartes">{"".join(_card(*card, mark) for card in cards)}</div>'


def _time(reach: Reach, name: str) -> str:
    if not reach.facilities:
        return "aucun équipement connu"
    return minutes_text(reach.summary[name], reach.summary[f"{name}_status"], reach.limit_min)


def _unknown(people: float) -> str:
    if not people:
        return ""
    return f"et {people_text(people)} dont le temps est inconnu : hors du réseau, ou loin de toute rue"


def _card(title: str, value: str, detail: str, key: str, mark: str) -> str:
    size = " long" if len(value) > 14 else ""
    return (
        f'<div class="carte"><h3>{escape(title)}{mark}</h3><p class="grand{size}">{escape(value)}</p>'
        f"<p>{escape(detail)}</p><details><summary>Ce que ce chiffre ne dit pas</summary>"
        f"<p>{escape(_NOT_SAID[key])}</p></details></div>"
    )


def difference_sentences(lost: float, gained: float, threshold: int, mode: str) -> list[str]:
    """Return what changes would do to the inhabitants, in French."""
    where = f"de {minutes(threshold)} {MODE_LABELS[mode]}"
    told = []
    if lost:
        told.append(f"{people_text(lost)} {plural(lost, 'passerait', 'passeraient')} à plus {where}.")
    if gained:
        told.append(f"{people_text(gained)} {plural(gained, 'passerait', 'passeraient')} à moins {where}.")
    return told or [f"Aucun habitant ne passerait d'un côté à l'autre du seuil {where}."]


def changes_table(rows: Iterable[tuple[str, str, str]]) -> str:
    """Return figures before and after: label, before, after."""
    lines = "".join(
        f'<tr><th scope="row">{escape(label)}</th><td>{escape(before)}</td><td><b>{escape(after)}</b></td></tr>'
        for label, before, after in rows
    )
    return _table("Avant et après", ("", "Aujourd'hui", "Avec ces changements"), lines)


def change_rows(before: Mapping[str, Reach], after: Mapping[str, Reach], threshold: int) -> list[tuple[str, str, str]]:
    """Return, for each mode, the median time and the share within the threshold, before and after."""
    rows = []
    for mode, old in before.items():
        label = MODE_LABELS[mode]
        rows.append((f"Temps médian {label}", _time(old, "median"), _time(after[mode], "median")))
        was, would = (share_text(item.summary[f"within_{threshold}"]) for item in (old, after[mode]))
        rows.append((f"À {minutes(threshold)} ou moins {label}", was, would))
    return rows


def _table(caption: str, heads: Sequence[str], lines: str, *, kind: str = "") -> str:
    head = "".join(f'<th scope="col">{escape(text)}</th>' if text else "<td></td>" for text in heads)
    title = "" if kind else f"<caption>{escape(caption)}</caption>"
    table = f'<table class="{kind}">' + f"{title}<thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>"
    return scrolling(table, f"{caption}, tableau qui défile")


def curve_table(curves: pl.DataFrame, shown: Sequence[int] = (5, 10, 15, 20, 25, 30)) -> str:
    """Return the points of the curve, folded."""
    known = {(mode, int(time)): share for mode, time, share in curves.iter_rows()}
    modes = [mode for mode in MODE_LABELS if any(key[0] == mode for key in known)]
    lines = "".join(
        f'<tr><th scope="row">{escape(minutes(time))}</th>'
        + "".join(f"<td>{escape(share_text(known.get((mode, time))))}</td>" for mode in modes)
        + "</tr>"
        for time in shown
    )
    heads = ("En", *(MODE_LABELS[mode] for mode in modes))
    return (
        f"<details><summary>Les mêmes points en tableau</summary>{_table('Part des habitants', heads, lines)}</details>"
    )


def why_text(row: Mapping[str, float], limit: float) -> str:
    """Return why a place is not served, from the columns of ``unserved_places``."""
    parts = []
    late = row["inhabitants"] - sum(row[name] for name in ("beyond", "unreachable", "unsnapped")) > 1e-6
    if late or row["beyond"]:
        far = f"à plus de {minutes(limit)}"
        parts.append((f"trop loin, une partie {far}" if row["beyond"] else "trop loin") if late else far)
    if row["unreachable"]:
        parts.append("aucun chemin par ce réseau")
    if row["unsnapped"]:
        parts.append("hors du réseau ou loin de toute rue : temps inconnu")
    return join_words(parts) or "population inconnue"


def unserved_table(table: pl.DataFrame, limit: float, *, demo: bool, shown: int = 12) -> str:
    """Return the places not served (``unserved_places``): place, inhabitants, minutes, why; the rest is folded."""
    rows = []
    for row in table.iter_rows(named=True):
        # Rounded up: a place over a threshold of 10 min is never told at 10 min.
        longest = "–" if row["minutes"] is None else f"jusqu'à {minutes(math.ceil(row['minutes']))}"
        rows.append(
            f'<tr><th scope="row">{escape(row["place"])}</th><td>{escape(people_text(row["inhabitants"]))}</td>'
            f"<td>{escape(longest)}</td><td>{escape(why_text(row, limit))}</td></tr>"
        )
    heads = ("Lieu", "Habitants", "Temps", "Pourquoi")
    mark = " ◆" if demo else ""
    made = _table(f"Lieux non desservis{mark}", heads, "".join(rows[:shown]), kind="lieux")
    if len(rows) > shown:
        rest = _table("Lieux non desservis, suite", heads, "".join(rows[shown:]), kind="lieux")
        label = count_of(len(rows) - shown, "autre lieu", "autres lieux")
        made += f"<details><summary>{escape(label)}</summary>{rest}</details>"
    return made


@dataclass(frozen=True)
class QuarterCard:
    """Score of one mode: ``shares`` by family from 0 to 1, ``unknown`` the families of which nothing is known."""

    mode: str
    score: float | None
    families: float | None
    declared: int
    unknown: Sequence[str]
    shares: Mapping[str, float | None]


def quarter_cards(cards: Sequence[QuarterCard], *, demo: bool) -> str:
    """Return the « ville du quart d'heure »: the score of each mode, the families reached or not, or unknown."""
    mark = f"{NBSP}{DEMO_MARK}" if demo else ""
    return f'<div class="cartes">{"".join(_quarter_card(card, mark) for card in cards)}</div>{_quarter_table(cards)}'


def _quarter_card(card: QuarterCard, mark: str) -> str:
    known = card.declared - len(card.unknown)
    if card.score is None or card.families is None:
        figure = f'<p class="grand long">{"trop peu de familles connues" if known else "inconnu"}</p>'
    else:
        figure = (
            f'<p class="grand">{escape(share_text(card.score))}</p><span class="jauge" aria-hidden="true">'
            f'<i style="width:{100 * card.score:.0f}%"></i></span>'
            f"<p>En moyenne, un habitant atteint {escape(format_number(card.families, 1))} des {known} familles "
            "connues.</p>"
        )
    near = [name for name, share in card.shares.items() if share is not None and share >= 0.5]
    away = [name for name, share in card.shares.items() if share is not None and share < 0.5]
    lists = _list("Atteintes par la moitié des habitants ou plus", near) + _list("Par moins de la moitié", away)
    lists += _list("Inconnues (aucun équipement dans les sources)", card.unknown)
    title = MODE_LABELS[card.mode]
    return f'<div class="carte"><h3>{escape(title[0].upper() + title[1:])}{mark}</h3>{figure}{lists}</div>'


def _list(title: str, names: Sequence[str]) -> str:
    if not names:
        return ""
    labels = ", ".join(families()[name].label for name in names)
    return f"<p><b>{escape(title)} :</b> {escape(labels)}.</p>"


def _quarter_table(cards: Sequence[QuarterCard]) -> str:
    names = list(dict.fromkeys(name for card in cards for name in card.shares))
    lines = "".join(
        f'<tr><th scope="row">{escape(families()[name].label)}</th>'
        + "".join(f"<td>{escape(share_text(card.shares.get(name)))}</td>" for card in cards)
        + "</tr>"
        for name in names
    )
    heads = ("Famille", *(MODE_LABELS[card.mode] for card in cards))
    table = _table("Part des habitants qui atteignent chaque famille en 15 min", heads, lines)
    return f"<details><summary>Famille par famille</summary>{table}</details>"


def town_table(rows: Iterable[tuple[Family, Mapping[str, Reach | None]]], *, demo: bool) -> str:
    """Return median times by family and mode, for the page of a town; ``None``: no facility is known."""
    lines, modes = "", list(MODE_LABELS)
    for wanted, reaches in rows:
        cells = [_town_cell(reaches[mode]) for mode in modes]
        lines += f'<tr><th scope="row">{escape(wanted.label)}</th>{"".join(cells)}</tr>'
    caption = f"Temps jusqu'au plus proche : la moitié des habitants met moins{' ◆' if demo else ''}"
    return _table(caption, ("Équipement", *(MODE_LABELS[mode] for mode in modes)), lines)


def _town_cell(reach: Reach | None) -> str:
    if reach is None:
        return "<td>aucun connu</td>"
    near = reach.summary["within_15"]
    detail = "" if near is None else f"<br><small>{escape(share_text(near))} à 15{NBSP}min ou moins</small>"
    return f"<td>{escape(_time(reach, 'median'))}{detail}</td>"
