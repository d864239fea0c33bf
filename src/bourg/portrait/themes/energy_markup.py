"""Style and small markup of the page of energy: widths are classes, so that no fragment needs a style attribute.

``l37`` is 37 % of the width, ``h37`` of the height, ``x37`` of the way from the left: the same fragment stands in the
dashboard and under the content security policy of the public pages.
"""

from __future__ import annotations

from collections.abc import Sequence

from bourg.indicators.values import ValueSheet, declaration_of
from bourg.portrait.html import DEMO_MARK
from bourg.portrait.html import STYLE as SHEET_STYLE
from bourg.portrait.markup import shown

# 3:1 at least on white and on the dark background; a name or a figure always stands beside (tests/test_energy_page.py).
COLOURS = {
    "solar": "#a97800", "wind": "#138aa0", "hydro": "#5068cf", "bio": "#4d8a2a", "other": "#75797f",
    "storage": "#8f62c0",
}  # fmt: skip
_WIDTHS = "".join(f".energie .l{step}{{width:{step}%}}.energie .h{step}{{height:{step}%}}" for step in range(101))
_MARKS = "".join(f".energie .x{step}{{left:{step}%}}" for step in range(101))
_FILLS = "".join(f".energie .f-{group}{{background:{colour}}}" for group, colour in COLOURS.items())
STYLE = (
    f"{SHEET_STYLE}<style>{_WIDTHS}{_MARKS}{_FILLS}"
    """
.energie p { margin: .2rem 0; }
.energie p.phrase { font-size: 1.12rem; line-height: 1.45; max-width: 62rem; }
.energie p.note { font-size: .9rem; opacity: .9; max-width: 62rem; }
.energie .pile { display: flex; height: 1.1rem; border-radius: .2rem; overflow: hidden; margin: .15rem 0;
  background: color-mix(in srgb, currentColor 12%, transparent); }
.energie .pile i { display: block; height: 100%; min-width: 1px; box-shadow: inset -1px 0 light-dark(#fff, #17181b); }
.energie .trait { display: block; height: .4rem; max-width: 16rem; border-radius: .2rem; margin-top: .2rem;
  background: color-mix(in srgb, currentColor 12%, transparent); }
.energie .trait i { display: block; height: 100%; min-width: 1px; border-radius: .2rem; background: currentColor;
  opacity: .6; }
.energie .trait.moi i { background: var(--ville); opacity: 1; }
.energie .cle { display: inline-flex; align-items: center; gap: .35rem; margin-right: .9rem; white-space: nowrap;
  font-size: .85rem; }
.energie .cle i { display: inline-block; width: .8rem; height: .8rem; border-radius: .15rem; }
.energie .mixes { display: grid; grid-template-columns: minmax(7rem, 15rem) 1fr; gap: .3rem .8rem; align-items: center;
  margin: .4rem 0; font-size: .92rem; }
.energie .annees { display: flex; align-items: flex-end; height: 11rem; gap: 2px; margin-top: .5rem;
  border-bottom: 1px solid currentColor; }
.energie .annees > span { flex: 1; display: flex; flex-direction: column-reverse; height: 100%; min-width: 0; }
.energie .annees i { display: block; min-height: 1px; }
.energie .axe { display: flex; justify-content: space-between; font-size: .8rem; opacity: .9;
  font-variant-numeric: tabular-nums; }
.energie .axe2 { position: relative; display: block; height: 1.2rem; margin: .2rem .5rem;
  background: linear-gradient(currentColor, currentColor) center / 100% 1px no-repeat; }
.energie .axe2 u { position: absolute; top: 0; bottom: 0; border-left: 2px dashed; opacity: .7; }
.energie .axe2 b { position: absolute; top: .2rem; width: .8rem; height: .8rem; margin-left: -.4rem; border-radius: 50%;
  background: var(--ville); }
.energie .face { display: grid; grid-template-columns: minmax(7rem, 12rem) 1fr; gap: .3rem .8rem; align-items: center; }
.energie .peut { background: repeating-linear-gradient(135deg, currentColor 0 2px, transparent 2px 6px); opacity: .55; }
.energie .defile td { vertical-align: top; } .energie td.valeur .demo { font-weight: 600; }
.energie .cote .trait { width: 6.4rem; } .energie .cote td { min-width: 7rem; }
.energie .cote thead th { min-width: 7rem; max-width: 11rem; }
.energie .detail details { display: inline-block; vertical-align: top; margin: 0 1.2rem .2rem 0; }
.energie .detail details[open] { display: block; }
.energie .reseau > * { padding-top: .9rem; } .energie .reseau > th { font-weight: 650; }
.energie table.fiche th[scope=row] { min-width: 8rem; }
.energie .sous th[scope=row] { padding-left: 1rem; font-weight: 400; }
.energie .installation { border: 1px solid color-mix(in srgb, currentColor 25%, transparent); border-radius: .5rem;
  padding: .6rem .9rem; max-width: 44rem; }
.energie .installation h3 { font-size: 1.05rem; margin: 0; padding: 0; }
@media (max-width: 640px) {
  .energie .mixes, .energie .face { grid-template-columns: 1fr; gap: .1rem; }
  .energie .annees { height: 8rem; }
  .energie td[data-t]::before { content: attr(data-t) " : "; font-weight: 400; opacity: .85; }
}
</style>
"""
)


def wrap(content: str) -> str:
    """Return a fragment with its style."""
    return f'{STYLE}<div class="fiches energie">{content}</div>'


def step(share: float) -> int:
    """Return a share as a whole percentage; what exists is never drawn as nothing."""
    return max(1, min(100, round(100 * share))) if share > 0 else 0


def demo_mark(*, demo: bool) -> str:
    """Return the mark of generated values."""
    return f" {DEMO_MARK}" if demo else ""


def table(title: str, heads: Sequence[str], rows: str, *, kind: str = "fiche", demo: bool = False) -> str:
    """Return a table; ``kind`` is its class (``fiche`` folds into blocks on a phone), ``rows`` HTML already made."""
    columns = "".join(f'<th scope="col">{shown(name)}</th>' for name in heads)
    return (
        f'<table class="{kind}"><caption>{shown(title)}{demo_mark(demo=demo)}</caption>'
        f"<thead><tr>{columns}</tr></thead><tbody>{rows}</tbody></table>"
    )


def cell(sheet: ValueSheet | None, head: str = "") -> str:
    """Return the cell of a value, with its mark; ``head`` is told before it on a phone, where columns are folded."""
    told = f' data-t="{shown(head)}"' if head else ""
    if sheet is None:
        return f'<td class="valeur"{told}>–</td>'
    return f'<td class="valeur"{told}>{shown(value_words(sheet))}{demo_mark(demo=sheet.demo)}</td>'


def value_words(sheet: ValueSheet) -> str:
    """Return the text of a value; an estimated amount is a minimum, and another estimate says so."""
    return words_of(sheet.indicator, sheet.text, sheet.status)


def words_of(indicator: str, text: str, status: str) -> str:
    """Return the text of a value of an indicator, as :func:`value_words`."""
    if status != "estimated":
        return text
    least = declaration_of(indicator).kind == "amount" or indicator == "energy.coverage_rate"
    return f"au moins {text}" if least else f"{text} (estimée)"


__all__ = ["COLOURS", "STYLE", "cell", "demo_mark", "shown", "step", "table", "value_words", "words_of", "wrap"]
