"""Pages of the indicators: the index ``docs/indicators.md`` by theme, and one page each in ``docs/indicateurs/``."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from bourg.indicators.documentation_page import MADE, levels_of, page_name, render_page
from bourg.indicators.parameters import load_parameter, size_classes
from bourg.indicators.registry import load_indicators
from bourg.indicators.theme_labels import THEMES
from bourg.indicators.typologies import TYPOLOGIES, load_typology
from bourg.indicators.values import status_explanation, status_label
from bourg.text import count_of, format_date

PARAMETERS = (
    "size_classes",
    "ranking_min_set",
    "population_change_window",
    "population_year_min_share",
    "bpe_series_break",
    "service_baskets",
    "health_professions",
    "national_programmes",
    "energy_floor",
    "secrecy_rules",
)
_RANKS = (
    "Le rang strict d'une commune est 100 × (communes de valeur plus basse) ÷ (autres communes de l'ensemble) ; le "
    "rang moyen compte pour moitié les valeurs égales. L'ensemble est celui des communes de France de même taille, "
    "même indicateur et même période. Les valeurs de démonstration ont leur propre ensemble. Classes :"
)


def render() -> str:
    """Return the index, in French: every indicator by theme, then what they share."""
    indicators = list(load_indicators().values())
    lines = [
        "# Les indicateurs",
        "",
        MADE,
        "",
        f"Bourg publie {count_of(len(indicators), 'indicateur')}. Chacun a sa page : formule, sources, exemple.",
        "",
        "Un chiffre absent dit toujours pourquoi :",
        "",
    ]
    lines += [
        f"- `{status}` (valeur {status_label(status)}) : {status_explanation(status)}"
        for status in ("ok", "missing", "secret", "not_applicable", "estimated", "demo")
    ]
    lines.append("")
    for theme, group in groupby(indicators, key=lambda item: item.declaration.theme):
        lines += [f"## {THEMES[theme]}", "", "| Indicateur | Unité | Niveaux | Sources |", "|---|---|---|---|"]
        for item in group:
            declared = item.declaration
            sources = ", ".join(f"`{name}`" for name in declared.sources)
            lines.append(
                f"| [{declared.label}]({page_name(declared.id)})<br>`{declared.id}` | {declared.unit or 'sans unité'} "
                f"| {levels_of(item)} | {sources} |"
            )
        lines.append("")
    return "\n".join([*lines, *_ranks(), *_parameters(), *_typologies()]).rstrip() + "\n"


def render_pages(examples: Path) -> dict[str, str]:
    """Return path inside ``docs/`` -> page, for every indicator.

    Raises
    ------
    DeclarationError
        When an indicator has no example in ``examples``.
    """
    return {
        page_name(item.id): render_page(item, THEMES[item.declaration.theme], examples)
        for item in load_indicators().values()
    }


def _ranks() -> list[str]:
    return [
        "## Rangs",
        "",
        _RANKS,
        "",
        *(f"- communes {item.label}" for item in size_classes()),
        "",
    ]


def _parameters() -> list[str]:
    lines = ["## Paramètres datés", ""]
    for name in PARAMETERS:
        declared = load_parameter(name)
        lines.append(f"- `{name}` : {declared.label} ({declared.unit}). {declared.reference}")
        if name != "size_classes":
            lines += [f"    - depuis le {format_date(item.start)} : {_shown(item.value)}" for item in declared.values]
    return [*lines, ""]


def _shown(value: object) -> str:
    """Return the value of a parameter as a French reader writes it: « libellé (codes) ; libellé (codes) »."""
    if isinstance(value, dict):
        return " ; ".join(f"{name} ({_shown(item)})" for name, item in value.items())
    if isinstance(value, list):
        return ", ".join(_shown(item) for item in value)
    return str(value)


def _typologies() -> list[str]:
    lines = ["## Typologies des lieux culturels", "", "Un type inconnu d'une typologie y est « non classé ».", ""]
    for name in TYPOLOGIES:
        typology = load_typology(name)
        lines += [f"### Typologie « {name} » : {typology.label}", "", typology.reference, ""]
        lines += [f"- {item.label} : {', '.join(item.types)}" for item in typology.categories.values()]
        lines.append("")
    return lines
