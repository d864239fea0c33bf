"""The page ``docs/indicators.md``, made from the declarations: ``python -m bourg.indicators.documentation > FILE``."""

from __future__ import annotations

import sys
from itertools import groupby

from bourg.geography.levels import LEVEL_LABELS
from bourg.indicators.parameters import load_parameter, size_classes
from bourg.indicators.registry import Indicator, load_indicators
from bourg.indicators.typologies import TYPOLOGIES, load_typology
from bourg.indicators.values import status_explanation, status_label
from bourg.text import count_of, format_date

THEME_LABELS = {
    "culture": "Culture",
    "economy": "Économie et emploi",
    "environment": "Environnement et énergie",
    "equipment": "Équipements",
    "finance": "Finances locales",
    "health": "Santé",
    "housing": "Logement",
    "income": "Revenus",
    "mobility": "Mobilités",
    "population": "Population",
    "programmes": "Programmes",
    "safety": "Sécurité",
}
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
_KINDS = {
    "count": "dénombrement (s'additionne)",
    "share": "part (0 à 100 %)",
    "ratio": "rapport",
    "change": "évolution",
    "amount": "montant",
    "index": "indice",
}


def render() -> str:
    """Return the whole Markdown page, in French."""
    indicators = list(load_indicators().values())
    lines = [
        "# Les indicateurs",
        "",
        "Page produite par `python -m bourg.indicators.documentation` à partir des déclarations : ne pas la modifier.",
        "",
        f"Bourg publie {count_of(len(indicators), 'indicateur')}. Un chiffre absent dit toujours pourquoi :",
        "",
    ]
    lines += [
        f"- `{status}` (valeur {status_label(status)}) : {status_explanation(status)}"
        for status in ("ok", "missing", "secret", "not_applicable", "estimated", "demo")
    ]
    lines += ["", *_ranks(), *_parameters(), *_typologies()]
    for theme, group in groupby(indicators, key=lambda item: item.declaration.theme):
        lines += [f"## {THEME_LABELS[theme]}", ""]
        for item in group:
            lines += section(item)
    return "\n".join(lines).rstrip() + "\n"


def section(item: Indicator) -> list[str]:
    """Return the lines of one indicator."""
    declared = item.declaration
    levels = ", ".join(LEVEL_LABELS[level].lower() for level in declared.levels)
    lines = [
        f"### {declared.label}",
        "",
        f"`{declared.id}`",
        "",
        f"- Unité : {declared.unit or 'sans unité'} ; {_KINDS[declared.kind]}",
        f"- Niveaux : {levels}",
        f"- Formule : {declared.formula}",
        f"- Sources : {', '.join(f'`{name}`' for name in declared.sources)}",
        f"- Ce que ce chiffre ne dit pas : {declared.limits}",
    ]
    if declared.secrecy:
        lines.append(f"- Secret : {declared.secrecy}")
    if declared.series_break:
        lines.append(f"- Rupture de série : {declared.series_break}")
    return [*lines, f"- Référence : {declared.reference}", ""]


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


if __name__ == "__main__":
    sys.stdout.write(render())
