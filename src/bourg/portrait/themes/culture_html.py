"""The page of culture as plain HTML: cards, tables with their bars, lists; no script, every text escaped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape

import polars as pl

from bourg.compare.comparators import comparators
from bourg.culture.categories import CategoryCount
from bourg.culture.festivals import Festivals
from bourg.geography.levels import LEVEL_LABELS
from bourg.indicators.engine import USABLE
from bourg.indicators.values import ValueSheet
from bourg.portrait.html import DEMO_MARK, STYLE, key_figure_cards, sheet_details
from bourg.portrait.side_by_side import scrolling
from bourg.portrait.strips import unbroken
from bourg.portrait.themes.culture import CulturePage
from bourg.portrait.themes.culture_svg import colours
from bourg.portrait.themes.culture_words import any_of, capital, kilometres, share
from bourg.store.spreadsheets import safe_cell
from bourg.text import NBSP, count_of, format_number, format_unit

OWN_STYLE = """
<style>
.culture table { margin-bottom: .4rem; }
.culture .pastille { display: inline-block; width: .8rem; height: .8rem; border-radius: .2rem; margin-right: .4rem;
  vertical-align: -.05rem; }
.culture td.n { font-variant-numeric: tabular-nums; white-space: nowrap; }
.culture td small, .culture th small { font-weight: 400; opacity: .85; display: block; }
.culture .barres th[scope=row] { width: 46%; } .culture .barres td:last-child { width: 38%; }
.culture td[data-nom=Part] { min-width: 5.5rem; } .culture .barre.nulle { display: none; }
.culture .serre { max-width: 40rem; }
.culture .large caption span { display: inline-block; position: sticky; left: 0; max-width: min(84vw, 60rem); }
.culture .large th[scope=col] { min-width: 4.5rem; } .culture .large td small { white-space: normal; min-width: 7rem; }
@media (max-width: 640px) {
  .fiches.culture .empile thead { display: none; }
  .culture .empile tr { display: block; padding: .35rem 0;
    border-bottom: 1px solid color-mix(in srgb, currentColor 18%, transparent); }
  .culture .empile th, .culture .empile td { display: block; border: 0; padding: .08rem 0; width: auto; }
  .culture .empile td[data-nom]::before { content: attr(data-nom) " : "; opacity: .85; }
  .culture .empile td.vide { display: none; }
}
</style>
"""
_UNKNOWN = "inconnu"


def wrap(content: str) -> str:
    """Return a fragment with its style."""
    return f'{STYLE}{OWN_STYLE}<div class="fiches culture">{content}</div>'


def _mark(*, demo: bool) -> str:
    return f" {DEMO_MARK}" if demo else ""


def _shown(text: str) -> str:
    return escape(unbroken(text))


def _table(caption: str, heads: Sequence[str], rows: Iterable[str], *, kind: str = "empile", demo: bool = False) -> str:
    columns = "".join(f'<th scope="col">{escape(head)}</th>' if head else "<td></td>" for head in heads)
    return (
        f'<table class="{kind}"><caption><span>{_shown(caption)}{_mark(demo=demo)}</span></caption>'
        f"<thead><tr>{columns}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    )


def _cell(head: str, text: str, *, detail: str = "") -> str:
    more = f"<small>{_shown(detail)}</small>" if detail else ""
    empty = " vide" if not text else ""
    return f'<td class="n{empty}" data-nom="{escape(head, quote=True)}">{_shown(text)}{more}</td>'


# ---- Key figures -----------------------------------------------------------------------------------------------------


def key_cards(page: CulturePage) -> str:
    """Return the key figures: with strips and ranks for a town, beside the larger territories otherwise."""
    if page.chosen is not None:
        return key_figure_cards(page.key_figures, page.chosen.comparator.id)
    return plain_cards(page.key_figures)


def plain_cards(sheets: Iterable[ValueSheet]) -> str:
    """Return figures as cards that tell the same figure in the territories around, each with its value sheet."""
    return wrap(f'<div class="cartes">{"".join(_card(sheet) for sheet in sheets)}</div>')


def _card(sheet: ValueSheet) -> str:
    usable = sheet.status in USABLE and sheet.value is not None
    percent = sheet.unit == "%"
    number = sheet.text
    if usable and sheet.value is not None and not percent:
        number = format_number(sheet.value, sheet.decimals)
    unit = ", ".join(part for part in (format_unit(sheet.value or 0, sheet.unit) if usable and not percent else "",
                                       sheet.territory) if part)  # fmt: skip
    near = [_shown(f"{item.name} : {item.text}") for item in sheet.elsewhere if item.status in USABLE]
    landmarks = f'<span class="reperes">{"<br>".join(near)}</span>' if near else ""
    return (
        f'<div class="carte"><h3>{_shown(sheet.label)}{_mark(demo=sheet.demo)}</h3>'
        f'<p class="chiffre"><span class="grand{"" if usable else " absent"}">{escape(number)}</span> '
        f'<span class="periode">{_shown(unit)}</span></p>{landmarks}{sheet_details(sheet)}</div>'
    )


# ---- Categories ------------------------------------------------------------------------------------------------------


def categories_table(page: CulturePage) -> str:
    """Return places by category with a bar each, beside the set of communes and the larger territories."""
    made = page.breakdown
    if made is None or not made.total:
        return ""
    heads = ["Catégorie", "Lieux", "Part", f"Pour 1{NBSP}000 hab."]
    heads += [_against_head(item.kind, item.label, page) for item in page.against]
    chosen = colours(made)
    rows = []
    for item in made.categories:
        part = made.share(item.n) or 0.0
        bar = (
            f'<td data-nom="Part">{escape(share(part))}<span class="barre{"" if item.n else " nulle"}" '
            f'aria-hidden="true" style="width:{part:.1f}%;background:{chosen[item.id]};opacity:1"></span></td>'
        )
        cells = [_cell("Lieux", format_number(item.n)), bar, _cell(heads[3], _rate(made.per_1000(item)))]
        for head, other in zip(heads[4:], page.against, strict=True):
            there = next(found for found in other.breakdown.categories if found.id == item.id)
            there_share = share(other.breakdown.share(there.n) or 0.0)
            cells.append(_cell(head, _rate(other.breakdown.per_1000(there)), detail=there_share))
        dot = f'<i class="pastille" aria-hidden="true" style="background:{chosen[item.id]}"></i>'
        rows.append(f'<tr><th scope="row">{dot}{_shown(capital(item.label))}</th>{"".join(cells)}</tr>')
    caption = f"Lieux culturels {page.area.where}, par catégorie ; ailleurs, lieux pour 1 000 habitants et part"
    return wrap(scrolling(_table(caption, heads, rows, kind="large", demo=page.demo), caption))


def _against_head(kind: str, label: str, page: CulturePage) -> str:
    if kind == "set" and page.chosen is not None:
        return comparators()[page.chosen.comparator.id].label
    return _short(kind, label)


def _short(level: str, name: str) -> str:
    """Return the head of a column: the name of an intercommunality would be wider than its figures."""
    return LEVEL_LABELS[level] if level == "epci" else name


def _rate(value: float | None) -> str:
    return _UNKNOWN if value is None else format_number(value, 2)


def types_table(page: CulturePage) -> str:
    """Return every type with its category, folded: what the outer ring of the sunburst shows."""
    made = page.breakdown
    if made is None or not made.total:
        return ""
    rows = [
        f'<tr><th scope="row">{_shown(kind.label)}</th>{_cell("Catégorie", item.label)}'
        f"{_cell('Lieux', format_number(kind.n))}{_cell('Part', share(made.share(kind.n) or 0.0))}</tr>"
        for item in made.categories
        for kind in item.types
    ]
    table = _table(f"Types de lieux {page.area.where}", ("Type", "Catégorie", "Lieux", "Part"), rows, demo=page.demo)
    return wrap(f"<details><summary>Tous les types, en tableau ({len(rows)})</summary>{table}</details>")


def missing_types(page: CulturePage) -> list[str]:
    """Return the labels of the categories of the typology that the territory lacks."""
    if page.breakdown is None:
        return []
    lacking: list[CategoryCount] = [
        item for item in page.breakdown.categories if not item.n and item.id != "non_classe"
    ]
    return [item.label for item in lacking]


# ---- Kinds -----------------------------------------------------------------------------------------------------------


def kinds_table(page: CulturePage) -> str:
    """Return each kind of place: here, the nearest one, who has one at home around and in larger territories."""
    town = page.area.level == "commune"
    around = [_short(item.level, item.name) for item in page.kinds[0].sheet.elsewhere] if page.kinds else []
    heads = ["Lieu", "Ici", "Le plus proche de la mairie, à vol d'oiseau"] if town else ["Lieu", "Lieux", "Communes"]
    heads += [_short(page.ring.level, page.ring.name), *around]
    rows = []
    for row in page.kinds:
        first = [_cell(heads[1], _UNKNOWN if row.here is None else (format_number(row.here) if row.here else "aucun"))]
        if town:
            km = _UNKNOWN if row.nearest_km is None else kilometres(row.nearest_km)
            where = f"{row.nearest or 'sans nom'}, {row.nearest_commune or 'commune inconnue'}"
            first.append(_cell(heads[2], km, detail=where if row.nearest_km is not None else ""))
        else:
            served = row.served
            told = _UNKNOWN if served is None else f"{format_number(served.communes)} sur {served.of_communes}"
            median = "" if served is None or served.median_km is None else (
                f"la moitié des habitants à {kilometres(served.median_km)} ou moins"
            )  # fmt: skip
            first.append(_cell(heads[2], told, detail=median))
        shares = [row.sheet.value, *(item.value for item in row.sheet.elsewhere)]
        first += [
            _cell(head, _UNKNOWN if value is None else share(value))
            for head, value in zip(heads[3:], shares, strict=True)
        ]
        rows.append(f'<tr><th scope="row">{_shown(capital(row.kind.label))}</th>{"".join(first)}</tr>')
    caption = "Part des habitants dont la commune a au moins un lieu de chaque genre"
    if town:
        caption = f"Ce qu'il y a {page.area.where}, le plus proche, et part des habitants dont la commune en a un"
    return wrap(scrolling(_table(caption, heads, rows, kind="large", demo=page.demo), caption))


# ---- Deserts ---------------------------------------------------------------------------------------------------------


def deserts_table(page: CulturePage, *, shown: int = 12, most: int = 200) -> str:
    """Return the communes concerned, the most peopled first; those after ``shown`` are folded, ``most`` in all."""
    far = page.deserts.far
    if far.is_empty():
        return ""
    lines = [_desert_row(row) for row in far.head(most).iter_rows(named=True)]
    heads = ("Commune", "Habitants", "Distance", "Le plus proche")
    kind = page.deserts.kind
    caption = f"Communes à plus de {kilometres(kind.desert_km)} de {any_of(kind)}, à vol d'oiseau depuis la mairie"
    made = _table(caption, heads, lines[:shown], demo=page.demo)
    if len(lines) > shown:
        rest = _table(f"{caption} (suite)", heads, lines[shown:], demo=page.demo)
        left = far.height - shown
        note = f"<p>Les {most} communes les plus peuplées ; le fichier à télécharger les a toutes.</p>" \
            if far.height > most else ""  # fmt: skip
        made += (
            f"<details><summary>{count_of(left, 'autre commune', 'autres communes')}</summary>{rest}{note}</details>"
        )
    return wrap(made)


def _desert_row(row: Mapping[str, object]) -> str:
    people, km = row["population"], row["distance_km"]
    told = _UNKNOWN if not isinstance(people, int) else format_number(people)
    distance = kilometres(km) if isinstance(km, float) and km < 1000 else "aucun connu à moins de 1 000 km"
    near = (
        f"{row['nearest'] or 'sans nom'}, {row['nearest_commune'] or 'commune inconnue'}"
        if row["nearest_commune"]
        else ""
    )
    href = f"/culture?commune={escape(str(row['code']), quote=True)}"
    return (
        f'<tr><th scope="row"><a href="{href}" target="_self">{_shown(str(row["name"]))}</a></th>'
        f"{_cell('Habitants', told)}{_cell('Distance', distance)}"
        f'<td data-nom="Le plus proche">{_shown(near)}</td></tr>'
    )


def deserts_csv(page: CulturePage) -> bytes:
    """Return every commune of the ring seen from the kind of place, for a spreadsheet (UTF-8 with its mark, ``;``)."""
    words = {"home": "dans la commune", "near": "sous le seuil", "far": "désert", "unknown": "inconnu"}
    table = page.deserts.table.select(
        pl.col("code"), nom="name", habitants="population", statut=pl.col("status").replace(words),
        lieux_dans_la_commune="places", distance_km=pl.col("distance_km").round(2), plus_proche="nearest",
        commune_du_plus_proche="nearest_commune",
        demonstration=pl.lit("oui" if page.demo else "non"),
    )  # fmt: skip
    # A spreadsheet would run a name that starts like a formula.
    safe = [
        pl.Series(name, [None if text is None else safe_cell(text) for text in table[name]], dtype=pl.String)
        for name in ("nom", "plus_proche", "commune_du_plus_proche")
    ]
    return b"\xef\xbb\xbf" + table.with_columns(safe).write_csv(separator=";", line_terminator="\r\n").encode()


# ---- Density ---------------------------------------------------------------------------------------------------------


def densest_table(page: CulturePage) -> str:
    """Return the communes with the most places, by the measure of the map."""
    found = page.density
    if found is None or found.densest.is_empty():
        return ""
    heads = ("Commune", "Lieux", "Par km²", f"Pour 1{NBSP}000 hab.", "Sur la carte, à la mairie")
    rows = [
        f'<tr><th scope="row">{_shown(row["name"])}</th>{_cell(heads[1], format_number(row["places"]))}'
        f"{_cell(heads[2], _rate(row['per_km2']))}{_cell(heads[3], _rate(row['per_1000']))}"
        f"{_cell(heads[4], _rate(row['smoothed']))}</tr>"
        for row in found.densest.iter_rows(named=True)
    ]
    by = "par km²" if found.measure == "km2" else "pour 1 000 habitants"
    caption = f"Communes qui ont le plus de lieux {by}"
    return wrap(scrolling(_table(caption, heads, rows, kind="large", demo=page.demo), caption))


# ---- Festivals -------------------------------------------------------------------------------------------------------


def counts_bars(caption: str, head: str, counts: Mapping[str, int], *, demo: bool) -> str:
    """Return counts as a table with a bar in each row."""
    largest = max([*counts.values(), 1])
    rows = [
        f'<tr><th scope="row">{_shown(capital(label))}</th><td class="n">{format_number(count)}</td>'
        f'<td aria-hidden="true"><span class="barre{"" if count else " nulle"}" '
        f'style="width:{100 * count / largest:.1f}%"></span></td></tr>'
        for label, count in counts.items()
    ]
    return wrap(f'<div class="serre">{_table(caption, (head, "Festivals", ""), rows, kind="barres", demo=demo)}</div>')


def festivals_table(
    page: CulturePage, found: Festivals, names: Mapping[str, str], *, shown: int = 8, most: int = 200
) -> str:
    """Return the festivals, by discipline then name; those after ``shown`` are folded, ``most`` in all."""
    if not found.total:
        return ""
    heads = ("Festival", "Commune", "Discipline", "Saison", "Créé en")
    lines = [
        f'<tr><th scope="row">{_shown(row["name"] or "sans nom")}</th>{_cell(heads[1], names.get(row["code"], ""))}'
        f"{_cell(heads[2], row['discipline'])}{_cell(heads[3], row['season'])}"
        f"{_cell(heads[4], str(row['creation_year'] or ''))}</tr>"
        for row in found.table.head(most).iter_rows(named=True)
    ]
    caption = f"Festivals {page.area.where}" if found is page.festivals else f"Festivals {page.ring.where}"
    made = _table(caption, heads, lines[:shown], demo=found.demo)
    if len(lines) > shown:
        rest = _table(f"{caption} (suite)", heads, lines[shown:], demo=found.demo)
        left = found.total - shown
        cut = f"<p>Les {most} premiers seulement : la liste entière est dans les données de l'instantané.</p>" \
            if found.total > most else ""  # fmt: skip
        made += (
            f"<details><summary>{count_of(left, 'autre festival', 'autres festivals')}</summary>{rest}{cut}</details>"
        )
    return wrap(made)
