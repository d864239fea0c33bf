"""Distribution strips: where a figure stands in the spread of the communes it is compared with, as plain HTML.

One line per set of communes: a pale bar from the 10th to the 90th percentile, a dark one between the quartiles, a tick
at the median; the town crosses all the lines. The picture is read aloud as a sentence, and its numbers stand in a
table of the folded sheet (:func:`sets_table`): neither colour nor drawing tells anything alone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor

from bourg.compare.comparators import comparators
from bourg.indicators.engine import USABLE
from bourg.indicators.parameters import parameter
from bourg.indicators.rank_words import Comparison
from bourg.indicators.values import Distribution, ValueSheet
from bourg.text import count_of, format_number, format_value

# Order of the choices: what resembles the town first, then where it is, then its programme.
COMPARATORS = ("size_class", "similar", "departement", "region", "epci", "pvd", "centrality")
DEFAULT = "size_class"
# Drawn on every strip, whatever the set chosen.
ALWAYS = ("similar", "pvd")
SHORT = {
    "size_class": "Même taille", "similar": "Semblables", "departement": "Département", "region": "Région",
    "epci": "Intercommunalité", "pvd": "Toutes les PVD", "centrality": "Même centralité",
}  # fmt: skip
# Around the bars, as a share of their length: room for a town a little outside, not for one that would flatten them.
_MARGIN = 0.35
_THOUSANDS = re.compile(r"(?<=\d) (?=\d{3}(?!\d))")

STYLE = """
.fiches .bandes { display: block; width: 100%; max-width: 24rem; margin: .4rem 0 .3rem; font-weight: 400; }
.fiches .ligne { display: grid; grid-template-columns: 6.3rem 1fr; align-items: center; column-gap: .5rem;
  font-size: .76rem; line-height: 1.15rem; }
.fiches .nom { white-space: nowrap; overflow: hidden; text-overflow: ellipsis; opacity: .85; }
.fiches .choisi .nom { font-weight: 650; opacity: 1; }
.fiches .piste { position: relative; display: block; height: 1.15rem; }
.fiches .piste > * { position: absolute; display: block; }
.fiches .piste::before { content: ""; position: absolute; left: 0; right: 0; top: 50%; height: 1px;
  background: currentColor; opacity: .18; }
.fiches .large10 { top: .36rem; bottom: .36rem; min-width: 1px; background: currentColor; opacity: .22; }
.fiches .large25 { top: .26rem; bottom: .26rem; min-width: 2px; background: currentColor; opacity: .42; }
.fiches .mediane { top: .12rem; bottom: .12rem; width: 2px; margin-left: -1px; background: currentColor; }
.fiches .ville { top: 0; bottom: 0; width: 2px; margin-left: -1px; background: var(--ville); }
.fiches .choisi .ville::after { content: ""; position: absolute; left: 50%; top: 50%; width: .62rem; height: .62rem;
  transform: translate(-50%, -50%); border-radius: 50%; background: var(--ville);
  box-shadow: 0 0 0 2px var(--fond); }
.fiches .fleche { top: 0; line-height: 1.15rem; font-size: .85rem; color: var(--ville); }
.fiches .fleche.gauche { left: -.1rem; } .fiches .fleche.droite { right: -.1rem; }
.fiches .echelle { display: flex; justify-content: space-between; margin-left: 6.8rem; font-size: .7rem; opacity: .8;
  font-variant-numeric: tabular-nums; }
.fiches .peu { font-size: .74rem; opacity: .85; }
.fiches .legende { font-size: .8rem; display: flex; flex-wrap: wrap; gap: .2rem 1rem; margin: 0; }
.fiches .cle { white-space: nowrap; }
.fiches .cle .piste { display: inline-block; width: 1.6rem; vertical-align: middle; }
.fiches .cle .piste::before { display: none; }
"""


@dataclass(frozen=True)
class Line:
    """One line of a strip: its set, and its spread or the reason why there is none."""

    comparator: str
    spread: Distribution | None
    reason: str = ""


@dataclass(frozen=True)
class Scale:
    """Ends of a strip, in the unit of the indicator."""

    low: float
    high: float

    def place(self, value: float) -> float:
        """Return where a value stands, in percent of the width; the middle when the strip has no length."""
        if self.high <= self.low:
            return 50.0
        return 100 * (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)

    def side(self, value: float) -> str:
        """Return ``gauche`` or ``droite`` for a value outside, else an empty text."""
        if value < self.low:
            return "gauche"
        return "droite" if value > self.high else ""


def unbroken(text: str) -> str:
    """Return a text whose numbers are not cut at the end of a line: « 20 000 » with a narrow no-break space."""
    return _THOUSANDS.sub("\u202f", text)


def scale_of(spreads: Sequence[Distribution], decimals: int = 6) -> Scale:
    """Return the scale shared by the lines of a strip.

    It runs from the lowest 10th to the highest 90th percentile, and a little further when communes are there: a few
    extreme communes do not flatten the others. Both ends are rounded outwards, so that what is written is true.

    Raises
    ------
    ValueError
        When there is no spread.
    """
    if not spreads:
        raise ValueError("a strip needs at least one spread")
    low, high = min([item.p10 for item in spreads]), max([item.p90 for item in spreads])
    room = _MARGIN * (high - low)
    step = 10.0**-decimals
    # A thousandth of a step is the noise of the division, not a value.
    return Scale(
        floor(max(min([item.minimum for item in spreads]), low - room) / step + 1e-3) * step,
        ceil(min(max([item.maximum for item in spreads]), high + room) / step - 1e-3) * step,
    )


def lines_of(sheet: ValueSheet, comparator: str) -> list[Line]:
    """Return the lines of a strip: the chosen set, then similar towns and the programme when they differ from it."""
    least = int(parameter("ranking_min_set"))
    spreads = {item.comparator: item for item in sheet.distributions}
    found = []
    for name in dict.fromkeys((comparator, *ALWAYS)):
        spread = spreads.get(name)
        if spread is not None and spread.n >= least:
            found.append(Line(name, spread))
        elif name == comparator:
            count = spread.n if spread is not None else _members(sheet, name)
            few = f"{count_of(count, 'commune')}, il en faut {least} pour une bande."
            found.append(
                Line(name, None, few if count else f"moins de {least} communes avec ce chiffre, pas de bande.")
            )
    return found


def _members(sheet: ValueSheet, comparator: str) -> int:
    return next((item.n_set for item in sheet.comparisons if item.comparator == comparator), 0)


def strip(sheet: ValueSheet, comparator: str) -> str:
    """Return the strip of a figure, empty when it has no usable value."""
    if sheet.status not in USABLE or sheet.value is None:
        return ""
    lines = lines_of(sheet, comparator)
    drawn = [line.spread for line in lines if line.spread is not None]
    reasons = [_reason(line) for line in lines if line.spread is None]
    if not drawn:
        return "".join(f'<span class="peu">{text}</span>' for text in reasons)
    scale = scale_of(drawn, sheet.decimals)
    rows = "".join(_line(line, sheet.value, scale, chosen=line.comparator == comparator) for line in lines)
    ends = (format_number(scale.low, sheet.decimals), format_number(scale.high, sheet.decimals))
    # A strip without length (the same value everywhere) has one mark and no scale.
    numbers = "".join(f"<span>{end}</span>" for end in (ends if scale.high > scale.low else ends[:1]))
    outside = scale.side(sheet.value)
    arrow = {"gauche": "◀ ", "droite": "▶ "}.get(outside, "")
    told = f'<span class="peu">{arrow}hors échelle : {escape(sheet.text)}</span>' if outside else ""
    return (
        f'<span class="bandes" role="img" aria-label="{escape(description(sheet, lines), quote=True)}">{rows}'
        f'<span class="echelle" aria-hidden="true">{numbers}</span></span>{told}{"".join(reasons)}'
    )


def _reason(line: Line) -> str:
    return f'<span class="reperes">{escape(SHORT[line.comparator])} : {escape(line.reason)}</span>'


def _line(line: Line, value: float, scale: Scale, *, chosen: bool) -> str:
    spread = line.spread
    if spread is None:
        return ""
    parts = [
        _bar("large10", scale.place(spread.p10), scale.place(spread.p90)),
        _bar("large25", scale.place(spread.q1), scale.place(spread.q3)),
        f'<i class="mediane" style="left:{scale.place(spread.median):.1f}%"></i>',
    ]
    side = scale.side(value)
    if side:
        parts.append(f'<b class="fleche {side}">{"◀" if side == "gauche" else "▶"}</b>')
    else:
        parts.append(f'<b class="ville" style="left:{scale.place(value):.1f}%"></b>')
    mark = " choisi" if chosen else ""
    name = escape(SHORT[line.comparator])
    return (
        f'<span class="ligne{mark}" aria-hidden="true"><span class="nom">{name}</span>'
        f'<span class="piste">{"".join(parts)}</span></span>'
    )


def _bar(name: str, start: float, end: float) -> str:
    return f'<i class="{name}" style="left:{start:.1f}%;width:{end - start:.1f}%"></i>'


def description(sheet: ValueSheet, lines: Sequence[Line]) -> str:
    """Return the sentence read in place of the drawing: the value, then the spread of each set."""

    def number(value: float) -> str:
        return format_value(value, sheet.unit, sheet.decimals)

    parts = [f"{sheet.territory or sheet.label} : {sheet.text}."]
    for line in lines:
        if (spread := line.spread) is not None:
            mark = " (valeurs de démonstration)" if spread.demo else ""
            parts.append(
                f"{spread.label}{mark} : médiane {number(spread.median)}, la moitié entre "
                f"{number(spread.q1)} et {number(spread.q3)}, huit sur dix entre {number(spread.p10)} et "
                f"{number(spread.p90)}."
            )
    return unbroken(" ".join(parts))


def sets_table(sheet: ValueSheet) -> str:
    """Return the place of a figure in every set, and the spread of the set, as a table; empty without any."""
    places = {item.comparator: item for item in sheet.comparisons}
    spreads = {item.comparator: item for item in sheet.distributions}
    names = [name for name in COMPARATORS if name in places or name in spreads]
    if not names:
        return ""
    heads = ("Ensemble", "Rang", "1er décile", "1er quartile", "Médiane", "3e quartile", "9e décile")
    columns = "".join(f'<th scope="col">{name}</th>' for name in heads)
    rows = "".join(_set_row(sheet, name, places.get(name), spreads.get(name)) for name in names)
    unit = f", en {sheet.unit}" if sheet.unit else ""
    title = (
        f"{sheet.label}{unit} : {sheet.territory or 'la commune'} dans chaque ensemble (rang 1 : valeur la plus élevée)"
    )
    return (
        # Not a region: a figure is shown twice on a page, and two landmarks would have one name.
        f'<div class="defile" role="group" tabindex="0" aria-label="{escape(f"Comparaisons, {sheet.label}")}">'
        f"<table><caption>{escape(unbroken(title))}</caption><thead><tr>{columns}</tr></thead>"
        f"<tbody>{rows}</tbody></table></div>"
    )


def _set_row(sheet: ValueSheet, name: str, place: Comparison | None, spread: Distribution | None) -> str:
    least = int(parameter("ranking_min_set"))
    known = place or spread
    label = comparators()[name].label
    if known is not None and known.set_label not in ("", label):
        label += f" : {known.set_label}"
    rank = f"{ordinal(place.rank)} sur {format_number(place.n_set)}" if place is not None else "pas de rang"
    cells = [rank]
    if spread is not None and spread.n >= least:
        marks = (spread.p10, spread.q1, spread.median, spread.q3, spread.p90)
        cells += [format_number(value, sheet.decimals) for value in marks]
    body = "".join(f"<td>{cell}</td>" for cell in cells)
    if len(cells) == 1:
        body += f'<td colspan="5">moins de {least} communes : pas de répartition</td>'
    return f'<tr><th scope="row">{escape(unbroken(label))}</th>{body}</tr>'


def ordinal(rank: int) -> str:
    """Return « 1er », « 12e », « 1 234e »."""
    return "1er" if rank == 1 else f"{format_number(rank)}e"
