"""One page of the docs for one indicator: what it is, where it comes from, what it does not say, an example by hand."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from bourg.errors import DeclarationError
from bourg.geography.levels import LEVEL_LABELS, LEVELS
from bourg.indicators.registry import Indicator, load_indicators
from bourg.indicators.values import status_label
from bourg.sources.model import Source, load_catalogue
from bourg.text import count_of, format_number
from bourg.yamls import load_yaml

MADE = "Page produite par `bourg docs` à partir des déclarations : ne pas la modifier."
KINDS = {
    "count": "dénombrement, qui s'additionne",
    "share": "part de 0 à 100 %",
    "ratio": "rapport",
    "change": "évolution",
    "amount": "montant",
    "index": "indice",
}
_DIRECTIONS = {
    "higher_is_better": "une valeur élevée est plutôt favorable",
    "lower_is_better": "une valeur faible est plutôt favorable",
    "neutral": "ni bon ni mauvais en soi",
}
# Rows of an example shown: a reader follows a handful of lines by hand.
_EXAMPLE_ROWS = 12
_RELATED = 6


def page_name(indicator_id: str) -> str:
    """Return the path of a page inside ``docs/``."""
    return f"indicateurs/{indicator_id}.md"


def _level(level: str) -> str:
    return LEVEL_LABELS[level] if level == "france" else LEVEL_LABELS[level].lower()


def levels_of(item: Indicator) -> str:
    """Return the levels of an indicator in French, from the commune up."""
    return ", ".join(_level(level) for level in LEVELS if level in item.declaration.levels)


def render_page(item: Indicator, theme: str, examples: Path) -> str:
    """Return the Markdown page of one indicator.

    Parameters
    ----------
    theme
        French name of its theme.
    examples
        Folder of the YAML examples, which the tests run too.

    Raises
    ------
    DeclarationError
        When the indicator has no readable example.
    """
    declared = item.declaration
    lines = [
        f"# {declared.label}",
        "",
        MADE,
        "",
        f"[Tous les indicateurs](../indicators.md) · {theme} · `{declared.id}`",
        "",
        "## Définition",
        "",
        f"- Formule : {declared.formula}",
        f"- Unité : {declared.unit or 'sans unité'} ; {KINDS[declared.kind]}",
        f"- Niveaux : {levels_of(item)}",
        f"- Période : {'année des données' if declared.period == 'year' else 'millésime du fichier'}",
        f"- Lecture : {_DIRECTIONS[declared.direction]}",
        "",
        "## Ce que ce chiffre ne dit pas",
        "",
        declared.limits,
        "",
        f"- Secret statistique : {declared.secrecy or 'aucun dans les données lues.'}",
        f"- Rupture de série : {declared.series_break or 'aucune connue.'}",
        "",
        "## Sources",
        "",
        *(line for name in declared.sources for line in _source(load_catalogue()[name])),
        "",
        f"Référence : {declared.reference}.".replace("..", "."),
        "",
        "## Un exemple calculé à la main",
        "",
        *_example(item, examples),
        "",
        "## Indicateurs voisins",
        "",
        *(f"- [{other.declaration.label}]({other.id}.md)" for other in related(item)),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _source(source: Source) -> list[str]:
    read = [item for item in source.resources if item.mirror or item.package] or list(source.resources)
    vintages = " ; ".join(dict.fromkeys(item.vintage for item in read))
    return [
        f"- [{source.title}]({source.landing_page}) ({source.producer}), `{source.id}`",
        f"  - Millésimes : {vintages}",
        f"  - Licence : {source.licence} ; mise à jour : {source.rhythm}",
    ]


def related(item: Indicator) -> list[Indicator]:
    """Return the indicators made from the same tables, those of the same theme first; else those of the theme."""
    tables = set(item.data_tables) - {"population"}
    prefix, theme = item.id.split("_")[0], item.declaration.theme

    def closeness(other: Indicator) -> tuple[int, bool, bool, str]:
        shared = len(tables & set(other.data_tables))
        return -shared, other.declaration.theme != theme, not other.id.startswith(prefix), other.id

    others = [other for other in load_indicators().values() if other.id != item.id]
    near = [other for other in others if tables & set(other.data_tables) or other.declaration.theme == theme]
    return sorted(near, key=closeness)[:_RELATED]


@cache
def _loaded(path: Path) -> dict[str, Any]:
    try:
        content = load_yaml(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise DeclarationError(
            "L'exemple d'un indicateur manque ou ne se lit pas.",
            where=path.name,
            why=str(error)[:200],
            next_step="écrivez tests/examples/IDENTIFIANT.yaml, puis relancez : bourg docs (depuis le dépôt).",
        ) from error
    if not isinstance(content, dict) or not content.get("cas"):
        raise DeclarationError("L'exemple d'un indicateur est vide.", where=path.name)
    return content


def _example(item: Indicator, folder: Path) -> list[str]:
    case = _loaded(folder / f"{item.id}.yaml")["cas"][0]
    lines = [str(case["phrase"]).strip(), ""]
    for name, table in case["tables"].items():
        lines += [f"Table `{name}` :", "", *_table(table), ""]
    if any("couverture" in table for table in case["tables"].values()):
        lines += ["Hors des communes que la table décrit, la valeur manque.", ""]
    return [*lines, "Résultat :", "", *(f"- {_result(item, expected)}" for expected in case["attendu"])]


def _table(table: Mapping[str, Any]) -> list[str]:
    names, rows = table["colonnes"], table["lignes"]
    lines = [f"| {' | '.join(names)} |", f"|{'---|' * len(names)}"]
    lines += [f"| {' | '.join(_cell(value) for value in row)} |" for row in rows[:_EXAMPLE_ROWS]]
    if len(rows) > _EXAMPLE_ROWS:
        lines += ["", f"(et {count_of(len(rows) - _EXAMPLE_ROWS, 'autre ligne', 'autres lignes')})"]
    return lines


def _cell(value: object) -> str:
    return "–" if value is None else str(value).replace("|", "\\|")


def _result(item: Indicator, expected: Mapping[str, Any]) -> str:
    level = _level(expected.get("niveau", "commune"))
    status = expected.get("statut", "ok")
    where = f"{level} `{expected['code']}`"
    if "valeur" not in expected:
        return f"{where} : valeur {status_label(status)}"
    value = float(expected["valeur"])
    # An example is exact where the published figure would be rounded: four decimals, the precision of its test.
    shown = format_number(value, 4).rstrip("0").rstrip(",") if value % 1 else format_number(value)
    unit = item.declaration.unit
    said = f"{where} : {shown}{' ' + unit if unit else ''}"
    return said if status == "ok" else f"{said} (valeur {status_label(status)})"
