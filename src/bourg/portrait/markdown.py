"""The portrait as Markdown: headings and tables that any editor, forge or converter reads."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from bourg.compare.comparators import comparators
from bourg.indicators.engine import USABLE
from bourg.indicators.parameters import parameter
from bourg.indicators.values import SourceNote, ValueSheet
from bourg.portrait.charts import Evolution, breaks_text, drawable, summary
from bourg.portrait.document import DEFAULT_COMPARATOR, Portrait
from bourg.portrait.markup import sentence, typeset
from bourg.portrait.page import TownPage, chosen_set
from bourg.portrait.page_figures import place_words
from bourg.text import count_of, format_date, format_number

# What could open a tag, a link, an emphasis, a cell or a heading inside a text.
_SPECIAL = re.compile(r"([\\`*_\[\]{}|~#<>$])")
_LINES = re.compile(r"\s*[\r\n\u2028\u2029]+\s*")


def told(text: str) -> str:
    """Return a text set in French type, on one line, that Markdown shows as it is."""
    return _SPECIAL.sub(r"\\\1", _LINES.sub(" ", typeset(text)).replace("&", "&amp;"))


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; cells are plain texts."""
    lines = [heads, *rows]
    drawn = ["| " + " | ".join(told(cell) for cell in line) + " |" for line in lines]
    drawn.insert(1, "|" + " --- |" * len(heads))
    return "\n".join(drawn)


def portrait_markdown(page: TownPage) -> str:
    """Return the whole portrait: identity, figures by theme, series, similar towns, sources."""
    portrait = page.portrait
    parts = [f"# {told(portrait.identity.name)}", told(portrait.headline())]
    if any(sheet.demo for sheet in portrait.sheets.values()) or any(item.demo for item in page.series):
        parts.append(
            "**Données de démonstration.** Les valeurs marquées ◆ sont fabriquées dans les formats officiels : elles "
            "ne disent rien de la commune réelle."
        )
    if portrait.key_figures:
        parts += ["## Chiffres clés", _figures(portrait.key_figures)]
    parts += _sets_apart(portrait)
    for label, sheets in portrait.themes.items():
        parts += [f"## {told(label)}", *_theme(sheets)]
    if series := drawable(page.series):
        parts.append("## Évolutions")
        for item in series:
            parts += _evolution(item)
    parts += _similar(portrait)
    parts += _sources(portrait)
    return "\n\n".join(part for part in parts if part) + "\n"


def _figures(sheets: Iterable[ValueSheet]) -> str:
    heads = ("Chiffre", "Valeur", "Période", "Médiane, même taille", "Place, même taille")
    return table(heads, [_row(sheet) for sheet in sheets])


def _row(sheet: ValueSheet) -> list[str]:
    place = sheet.compared_with(DEFAULT_COMPARATOR)
    spread = next((item for item in sheet.distributions if item.comparator == DEFAULT_COMPARATOR), None)
    enough = spread is not None and spread.n >= parameter("ranking_min_set") and sheet.status in USABLE
    return [
        sheet.label, sheet.text + (" ◆" if sheet.demo else ""), sheet.period if sheet.status in USABLE else "",
        format_number(spread.median, sheet.decimals) if spread is not None and enough else "–",
        place_words(place) if place else "–",
    ]  # fmt: skip


def _theme(sheets: Sequence[ValueSheet]) -> list[str]:
    given = [sheet for sheet in sheets if sheet.status in USABLE]
    absent = [sheet for sheet in sheets if sheet.status not in USABLE]
    parts = [_figures(given)] if given else ["Aucun chiffre n’est disponible pour ce thème."]
    if absent:
        items = "\n".join(f"- {told(f'{sheet.label} : {sheet.text}')}" for sheet in absent)
        parts += [f"{count_of(len(absent), 'chiffre')} sans valeur, et pourquoi :", items]
    return parts


def _sets_apart(portrait: Portrait) -> list[str]:
    found = portrait.specificities[chosen_set(portrait)]
    label = comparators()[found.comparator].label.lower()
    # A portrait cut down to a theme tells what sets the town apart in that theme.
    kept = [trait.sentence for trait in found.traits if trait.indicator in portrait.sheets]
    nothing = found.message or "Aucun chiffre de ce thème n’est parmi ce qui la distingue le plus."
    words = "\n".join(f"- {told(text)}" for text in kept) or told(nothing)
    return ["## Ce qui la distingue", told(f"Comparée aux communes de l’ensemble « {label} »."), words]


def _evolution(item: Evolution) -> list[str]:
    mark = " ◆" if item.demo else ""
    unit = f" ({item.unit})" if item.unit else ""
    notes = [summary(item), *(sentence(text) for text in breaks_text([item])), item.note]
    rows = [(str(point.year), point.text) for point in item.points]
    return [
        f"### {told(item.label + unit)}{mark}",
        told(" ".join(filter(None, notes))),
        table(("Année", "Valeur"), rows),
    ]


def _similar(portrait: Portrait) -> list[str]:
    found = portrait.similar
    if found is None or not found.neighbours:
        why = found.message if found else "L’instantané n’a pas les données qui permettent de les trouver."
        return ["## Villes semblables", told(why)]
    rows = [(near.code, near.name + (" ◆" if near.demo else ""), near.sentence) for near in found.neighbours]
    return ["## Villes semblables", told(found.message), table(("Code", "Ville", "Pourquoi elle lui ressemble"), rows)]


def _sources(portrait: Portrait) -> list[str]:
    used: dict[SourceNote, int] = {}
    for sheet in portrait.sheets.values():
        for source in sheet.sources:
            used[source] = used.get(source, 0) + 1
    rows = [
        (note.title, note.producer, note.vintage, note.licence, format_number(used[note]))
        for note in sorted(used, key=lambda note: (note.title, note.id))
    ]
    made = portrait.snapshot
    return [
        "## Sources",
        table(("Source", "Producteur", "Millésime", "Licence", "Chiffres"), rows) if rows else "Aucune source lue.",
        told(
            f"Instantané {made['id']} du {format_date(made['date'][:10])}, géographie au 1er janvier {made['cog']}. "
            "Un chiffre manquant n’est pas un zéro ; un chiffre secret non plus."
        ),
    ]
