"""Comparisons as files: CSV for a spreadsheet, JSON for a program.

Columns of the CSV, one row per indicator and per town, in the order of the page:

========== ==========================================================================================
theme      French theme
indicateur id of the indicator (``housing.vacancy_rate``)
libelle    French label
unite      unit of ``valeur``, empty for a plain number
code_insee code of the commune, a text of five characters
commune    its name
valeur     number with a decimal point and no thousands separator; empty when there is no value
texte      French text of the page, or why there is no value
statut     ok, demo, estimated, secret, missing, not_applicable, unreachable
periode    year or vintage
demonstration oui when the value was generated, else non
========== ==========================================================================================
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from typing import Any

import polars as pl

from bourg.indicators.registry import get_indicator
from bourg.indicators.theme_labels import THEMES
from bourg.portrait.comparison import TownTable
from bourg.store.spreadsheets import safe_cell
from bourg.text import unaccented

COLUMNS = (
    "theme", "indicateur", "libelle", "unite", "code_insee", "commune", "valeur", "texte", "statut", "periode",
    "demonstration",
)  # fmt: skip
BOM = "\ufeff"


def machine_number(value: float | None) -> str:
    """Return the shortest decimal text that gives the number back, without separator nor exponent; empty for none."""
    if value is None:
        return ""
    if value == int(value) and abs(value) < 2**53:
        return str(int(value))
    text = repr(float(value))
    return text if "e" not in text else format(float(value), ".17f").rstrip("0")


def comparison_records(table: TownTable, values: pl.DataFrame) -> list[dict[str, Any]]:
    """Return one record per indicator and town, keys :data:`COLUMNS` (``valeur`` a number, ``demonstration`` a bool).

    Parameters
    ----------
    values
        Rows of the communes (``Observatory.values``): their status and period.
    """
    known: Mapping[tuple[str, str], dict[str, Any]] = {
        (row["indicator"], row["code"]): row for row in values.iter_rows(named=True) if row["level"] == "commune"
    }
    records = []
    for figure in table.figures:
        declared = get_indicator(figure.indicator).declaration
        for code, name in table.towns.items():
            row = known.get((figure.indicator, code), {"status": "missing", "period": ""})
            records.append({
                "theme": THEMES[figure.theme], "indicateur": figure.indicator, "libelle": figure.label,
                "unite": declared.unit, "code_insee": code, "commune": name, "valeur": figure.values[code],
                "texte": figure.texts[code], "statut": row["status"], "periode": row["period"] or "",
                "demonstration": row["status"] == "demo",
            })  # fmt: skip
    return records


def comparison_csv(table: TownTable, values: pl.DataFrame) -> str:
    """Return the comparison as CSV: UTF-8 with a byte order mark, semicolons, one row per indicator and town.

    Numbers keep a decimal point, so that programs read them; the French text stands beside them.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=";", lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for record in comparison_records(table, values):
        cells = {name: safe_cell(str(text)) for name, text in record.items() if name not in ("valeur", "demonstration")}
        cells["valeur"] = machine_number(record["valeur"])
        cells["demonstration"] = "oui" if record["demonstration"] else "non"
        writer.writerow([cells[name] for name in COLUMNS])
    return BOM + buffer.getvalue()


def comparison_json(table: TownTable, values: pl.DataFrame, snapshot: Mapping[str, Any]) -> dict[str, Any]:
    """Return the comparison as plain JSON types: towns, columns in words, records, snapshot.

    Parameters
    ----------
    snapshot
        Manifest of the snapshot.
    """
    return {
        "communes": [{"code_insee": code, "nom": name} for code, name in table.towns.items()],
        "colonnes": list(COLUMNS),
        "valeurs": comparison_records(table, values),
        "instantane": {"id": snapshot["id"], "date": snapshot["created"], "cog": snapshot["cog"]},
    }


def file_name(table: TownTable, extension: str) -> str:
    """Return ``comparaison-millau-redon.csv``: plain letters only, short whatever the towns."""
    text = "-".join(word for name in table.towns.values() for word in re.findall(r"[a-z0-9]+", unaccented(name)))
    if len(text) > 80:
        text = f"{len(table.towns)}-communes-" + "-".join(table.towns).lower()
    return f"comparaison-{text}.{extension}"
