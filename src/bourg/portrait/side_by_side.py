"""Towns side by side as plain HTML: table, ranks, bars and strips; no script, no request, every text escaped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from bourg.portrait.chart_specs import NEUTRAL, PALETTE
from bourg.portrait.html import DEMO_MARK

# Share of the width under which two dots would hide one another.
_NEAR = 6.5
_LEAST_BAR = 0.4

SIDE_STYLE = """
<style>
.cotes .defile { overflow-x: auto; max-width: 100%; border: 1px solid color-mix(in srgb, currentColor 18%, transparent);
  border-radius: .4rem; }
.cotes .defile:focus-visible { outline: 2px solid currentColor; outline-offset: 2px; }
.cotes table { border-collapse: separate; border-spacing: 0; width: 100%; font-size: .92rem; }
.cotes caption { text-align: left; font-weight: 600; padding: .5rem .7rem; }
.cotes th, .cotes td { text-align: left; vertical-align: top; padding: .45rem .7rem; min-width: 7.2rem;
  border-bottom: 1px solid color-mix(in srgb, currentColor 16%, transparent); font-variant-numeric: tabular-nums; }
.cotes thead th { vertical-align: bottom; font-weight: 600; }
.cotes th:first-child { position: sticky; left: 0; z-index: 1; min-width: 11rem; max-width: 19rem; font-weight: 500;
  background: light-dark(#ffffff, #17181b); border-right: 1px solid color-mix(in srgb, currentColor 16%, transparent); }
.cotes td.extreme { font-weight: 700; }
.cotes .rang { display: block; font-size: .8rem; opacity: .85; font-weight: 400; }
.cotes .absent { font-style: italic; opacity: .85; }
.cotes details { font-size: .85rem; margin-top: .15rem; font-weight: 400; }
.cotes summary { cursor: pointer; text-decoration: underline; text-underline-offset: .15em; }
.cotes summary:focus-visible { outline: 2px solid currentColor; outline-offset: 2px; }
.cotes dl { margin: .3rem 0; padding: 0; } .cotes dt { margin: .3rem 0 0; padding: 0; font-weight: 600; }
.cotes dd { margin: 0; padding: 0; overflow-wrap: anywhere; } .cotes dt, .cotes dd { font-size: .85rem; }
.cotes a { color: inherit; }
.cotes th dl { position: relative; width: min(24rem, 74vw); padding: .2rem .7rem .6rem; border-radius: .4rem;
  background: light-dark(#f5f1ea, #23252a); border: 1px solid color-mix(in srgb, currentColor 22%, transparent); }
.cotes .demo { font-size: .75rem; font-weight: 600; border: 1px solid currentColor; border-radius: .3rem;
  padding: 0 .3rem; text-decoration: none; white-space: nowrap; cursor: help; }
.cotes .pastille { display: inline-flex; align-items: center; justify-content: center; min-width: 1.45rem;
  height: 1.45rem; border-radius: 1rem; color: #ffffff; font-size: .8rem; font-weight: 700; line-height: 1; }
.cotes .legende { display: flex; flex-wrap: wrap; gap: .35rem .9rem; padding: 0; margin: .3rem 0 .8rem;
  list-style: none; }
.cotes .legende li { display: inline-flex; gap: .35rem; align-items: center; margin: 0; }
.cotes .titre { font-size: 1.05rem; font-weight: 600; padding: 0; margin: .2rem 0; }
.cotes .barres { display: grid; gap: .55rem; margin: .5rem 0; }
.cotes .ligne { display: grid; grid-template-columns: minmax(6rem, 13rem) 1fr; gap: .2rem .8rem; align-items: center; }
.cotes .ligne .nom { font-weight: 500; overflow-wrap: anywhere; }
.cotes .piste { position: relative; height: 1.5rem; background: color-mix(in srgb, currentColor 7%, transparent); }
.cotes .piste i { position: absolute; top: 0; bottom: 0; border-radius: .1rem; }
.cotes .piste u { position: absolute; top: -.28rem; bottom: -.28rem; width: 0; border-left: 2px dashed; opacity: .8; }
.cotes .piste s { position: absolute; top: 0; bottom: 0; width: 1px; background: currentColor; opacity: .7; }
.cotes .piste b { position: absolute; top: 0; line-height: 1.5rem; padding: 0 .35rem; font-size: .88rem;
  white-space: nowrap; font-weight: 650; background: light-dark(#ffffffd0, #17181bd0); }
.cotes .unite { display: block; font-size: .8rem; opacity: .85; font-weight: 400; }
.cotes .bande { display: block; position: relative; width: 6rem; height: .9rem; margin: .1rem 0;
  background: linear-gradient(currentColor, currentColor) center / 100% 1px no-repeat; }
.cotes .bande i { position: absolute; top: .1rem; bottom: .1rem; width: .3rem; margin-left: -.15rem;
  background: currentColor; }
.cotes .bandeaux { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 21rem), 1fr)); gap: .9rem; }
.cotes .bandeau { border: 1px solid color-mix(in srgb, currentColor 22%, transparent); border-radius: .5rem;
  padding: .7rem .9rem; }
.cotes .bandeau h2 { font-size: .95rem; font-weight: 600; margin: 0 0 .2rem; padding: 0; }
.cotes .axe { position: relative; margin: .35rem .8rem .1rem; border-bottom: 1px solid; }
.cotes .axe .pastille { position: absolute; transform: translateX(-50%); }
.cotes .axe u { position: absolute; bottom: -.3rem; height: .9rem; border-left: 2px dashed; opacity: .75; }
.cotes .bouts { display: flex; justify-content: space-between; font-size: .82rem; gap: .5rem; opacity: .9; }
.cotes .bandeau p { font-size: .82rem; margin: .2rem 0 0; opacity: .9; }
@media (max-width: 640px) {
  .cotes th:first-child { min-width: 8.2rem; max-width: 9.5rem; }
  .cotes .ligne { grid-template-columns: 1fr; }
}
</style>
"""


@dataclass(frozen=True)
class Cell:
    """One value of one town.

    Attributes
    ----------
    text
        French text, with its unit or the reason why there is no value.
    value
        ``None`` without a usable value.
    demo
        Whether the value is generated.
    detail
        Second line, empty most of the time (a rank, a period).
    place
        Position in a set, from 0 (lowest) to 100 (highest), drawn as a small strip.
    """

    text: str
    value: float | None
    demo: bool = False
    detail: str = ""
    place: float | None = None


@dataclass(frozen=True)
class Row:
    """One indicator for every town.

    Attributes
    ----------
    label, unit
        French texts of the indicator; ``unit`` is empty when the cells bear it.
    cells
        Town code -> value.
    landmarks
        ``(label, text, value)`` of medians.
    details
        Folded sheet, HTML already escaped; empty when there is none.
    marked
        Whether the highest and the lowest value are told.
    """

    label: str
    cells: Mapping[str, Cell]
    unit: str = ""
    landmarks: tuple[tuple[str, str, float | None], ...] = ()
    details: str = ""
    marked: bool = True


def extremes(cells: Mapping[str, Cell]) -> dict[str, str]:
    """Return the mark of the highest and of the lowest value by town, in words; equality has none.

    Values that are written alike share the mark: a reader sees no difference between them. Generated and real values
    are not compared: with both, nothing is marked.
    """
    known = {code: cell for code, cell in cells.items() if cell.value is not None}
    values = {code: cell.value for code, cell in known.items() if cell.value is not None}
    if len(values) < 2 or min(values.values()) == max(values.values()) or len({c.demo for c in known.values()}) > 1:
        return {}
    low, high = min(values.values()), max(values.values())
    highest = {known[code].text for code, value in values.items() if value == high}
    lowest = {known[code].text for code, value in values.items() if value == low} - highest
    marks = {code: "▲ max." for code, cell in known.items() if cell.text in highest}
    return marks | {code: "▼ min." for code, cell in known.items() if cell.text in lowest}


def badge(rank: int) -> str:
    """Return the numbered dot of a town."""
    return f'<span class="pastille" style="background:{PALETTE[rank % len(PALETTE)]}">{rank + 1}</span>'


def legend(towns: Sequence[str]) -> str:
    """Return the numbered dots with the names of the towns."""
    items = "".join(f"<li>{badge(rank)} {escape(name)}</li>" for rank, name in enumerate(towns))
    return f'<ol class="legende" aria-label="Villes comparées">{items}</ol>'


def wrap(content: str) -> str:
    """Return a fragment with its style."""
    return f'{SIDE_STYLE}<div class="cotes">{content}</div>'


def scrolling(table: str, label: str) -> str:
    """Return a table that scrolls sideways in its own frame, reachable by keyboard."""
    return f'<div class="defile" role="region" tabindex="0" aria-label="{escape(label, quote=True)}">{table}</div>'


def towns_table(title: str, towns: Mapping[str, str], rows: Iterable[Row], landmarks: Sequence[str] = ()) -> str:
    """Return the indicators in rows and the towns in columns; the highest and the lowest are told in words."""
    head = "".join(f'<th scope="col">{badge(rank)} {escape(name)}</th>' for rank, name in enumerate(towns.values()))
    head += "".join(f'<th scope="col">{escape(label)}</th>' for label in landmarks)
    lines = "".join(_line(row, towns, landmarks) for row in rows)
    table = (
        f"<table><caption>{escape(title)}</caption><thead><tr>"
        f'<th scope="col">Indicateur</th>{head}</tr></thead><tbody>{lines}</tbody></table>'
    )
    return scrolling(table, f"{title}, tableau qui défile")


def _line(row: Row, towns: Mapping[str, str], landmarks: Sequence[str]) -> str:
    marks = extremes(row.cells) if row.marked else {}
    cells = "".join(_cell(row.cells[code], marks.get(code, "")) for code in towns)
    given = {label: text for label, text, _ in row.landmarks}
    cells += "".join(f"<td>{escape(given.get(label, '–'))}</td>" for label in landmarks)
    return f'<tr><th scope="row">{escape(row.label)}{_unit(row)}{row.details}</th>{cells}</tr>'


def _unit(row: Row) -> str:
    return f'<span class="unite">{escape(row.unit)}</span>' if row.unit else ""


def _cell(cell: Cell, mark: str) -> str:
    demo = f" {DEMO_MARK}" if cell.demo else ""
    second = " · ".join(part for part in (mark, cell.detail) if part)
    under = f'<span class="rang">{escape(second)}</span>' if second else ""
    if cell.value is None:
        return f'<td><span class="absent">{escape(cell.text)}</span>{under}</td>'
    drawn = ""
    if cell.place is not None:
        drawn = f'<span class="bande" aria-hidden="true"><i style="left:{cell.place:.1f}%"></i></span>'
    return f"<td{' class=extreme' if mark else ''}>{escape(cell.text)}{demo}{drawn}{under}</td>"


def bars(row: Row, towns: Mapping[str, str]) -> str:
    """Return one indicator as bars from zero, the landmarks as dashed lines; each bar bears its value in words."""
    values = [cell.value for cell in row.cells.values() if cell.value is not None]
    marks = [(label, text, value) for label, text, value in row.landmarks if value is not None]
    if not values:
        return "<p>Aucune de ces villes n'a de valeur pour cet indicateur.</p>"
    low = min(0.0, *values, *(value for *_, value in marks))
    high = max(0.0, *values, *(value for *_, value in marks))
    # Room on the right for the texts of the longest bars.
    width = (high - low) or 1.0

    def place(value: float) -> float:
        return 78 * (value - low) / width

    lines = []
    for rank, (code, name) in enumerate(towns.items()):
        cell = row.cells[code]
        label = f'<span class="nom">{badge(rank)} {escape(name)}</span>'
        if cell.value is None:
            lines.append(f'<div class="ligne">{label}<span class="absent">{escape(cell.text)}</span></div>')
            continue
        start, end = sorted((place(0.0), place(cell.value)))
        color = PALETTE[rank % len(PALETTE)]
        demo = " ◆" if cell.demo else ""
        dashes = "".join(
            f'<u style="left:{place(value):.2f}%" title="{escape(name, quote=True)}"></u>' for name, _, value in marks
        )
        lines.append(
            f'<div class="ligne">{label}<div class="piste">'
            f'<i style="left:{start:.2f}%;width:{max(end - start, _LEAST_BAR):.2f}%;background:{color}"></i>'
            f'<s style="left:{place(0.0):.2f}%"></s>{dashes}<b style="left:{end:.2f}%">{escape(cell.text)}{demo}</b>'
            "</div></div>"
        )
    notes = " · ".join(f"┊ {escape(label)} : {escape(text)}" for label, text, _ in marks)
    foot = f'<p class="repere">{notes}</p>' if notes else ""
    return f'<h2 class="titre">{escape(row.label)}{_unit(row)}</h2><div class="barres">{"".join(lines)}</div>{foot}'


def lanes(places: Sequence[float], *, near: float = _NEAR) -> list[int]:
    """Return the lane of each dot, 0 at the bottom, so that no dot hides another one.

    Parameters
    ----------
    places
        Positions along the strip, in percent.
    """
    last: list[float] = []
    found = [0] * len(places)
    for index in sorted(range(len(places)), key=lambda item: (places[item], item)):
        lane = next((rank for rank, end in enumerate(last) if places[index] - end >= near), len(last))
        if lane == len(last):
            last.append(0.0)
        last[lane] = places[index]
        found[index] = lane
    return found


def strips(rows: Iterable[Row], towns: Mapping[str, str]) -> str:
    """Return one strip per indicator, every town a numbered dot from the lowest to the highest; one looks, then reads.

    The scale of a strip goes from its lowest to its highest value, median included: it compares towns, not indicators.
    """
    return f'<div class="bandeaux">{"".join(_strip(row, towns) for row in rows)}</div>'


def _strip(row: Row, towns: Mapping[str, str]) -> str:
    known = [(rank, code) for rank, code in enumerate(towns) if row.cells[code].value is not None]
    title = (
        f"<h2>{escape(row.label)}{f' {DEMO_MARK}' if any(c.demo for c in row.cells.values()) else ''}{_unit(row)}</h2>"
    )
    absent = [f"{name} : {row.cells[code].text}" for code, name in towns.items() if row.cells[code].value is None]
    tail = f"<p>{escape(' · '.join(absent))}</p>" if absent else ""
    if not known:
        return f'<section class="bandeau">{title}{tail}</section>'
    marks = [(label, text, value) for label, text, value in row.landmarks if value is not None][:1]
    values = {code: row.cells[code].value or 0.0 for _, code in known}
    span = [*values.values(), *(value for *_, value in marks)]
    low, high = min(span), max(span)

    def place(value: float) -> float:
        return 100 * (value - low) / (high - low) if high > low else 50.0

    levels = lanes([place(values[code]) for _, code in known])
    told = {code: escape(f"{towns[code]} : {row.cells[code].text}", quote=True) for _, code in known}
    dots = "".join(
        f'<span class="pastille" style="left:{place(values[code]):.1f}%;bottom:{0.35 + 1.6 * lane:.2f}rem;'
        f'background:{PALETTE[rank % len(PALETTE)]}" title="{told[code]}"'
        f' aria-label="{told[code]}" role="img">{rank + 1}</span>'
        for (rank, code), lane in zip(known, levels, strict=True)
    )
    median = "".join(f'<u style="left:{place(value):.1f}%;border-color:{NEUTRAL}"></u>' for *_, value in marks)
    texts = {row.cells[code].value: row.cells[code].text for _, code in known}
    texts |= {value: text for _, text, value in marks if value not in texts}
    ends = f"<span>{escape(texts[low])}</span><span>{escape(texts[high])}</span>" if high > low else ""
    ends = ends or f"<span>{escape(texts[low])} partout</span>"
    note = "".join(f"<p>┊ {escape(label)} : {escape(text)}</p>" for label, text, _ in marks)
    return (
        f'<section class="bandeau">{title}<div class="axe" style="height:{2.1 + 1.6 * max(levels):.2f}rem">'
        f'{dots}{median}</div><div class="bouts">{ends}</div>{note}{tail}{row.details}</section>'
    )


def years_table(
    title: str, names: Sequence[str], rows: Iterable[tuple[int, Sequence[str]]], notes: Sequence[str] = ()
) -> str:
    """Return the points of an evolution as a table, folded: years in rows, towns in columns, then what to know."""
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in names)
    lines = "".join(
        f'<tr><th scope="row">{year}</th>{"".join(f"<td>{escape(text)}</td>" for text in texts)}</tr>'
        for year, texts in rows
    )
    table = (
        f'<table><caption>{escape(title)}</caption><thead><tr><th scope="col">Année</th>{head}</tr></thead>'
        f"<tbody>{lines}</tbody></table>"
    )
    under = "".join(f"<p>{escape(note)}</p>" for note in notes)
    summary = "Les chiffres de ce graphique et leurs sources"
    return f"<details><summary>{summary}</summary>{scrolling(table, title)}{under}</details>"
