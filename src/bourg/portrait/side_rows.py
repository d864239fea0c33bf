"""The rows of a comparison of towns: values with their medians, ranks of each town in its own set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import polars as pl

from bourg.compare.comparators import town_ranks
from bourg.compare.matrix import NO_LOT
from bourg.indicators.engine import USABLE
from bourg.indicators.parameters import parameter
from bourg.indicators.registry import get_indicator
from bourg.indicators.values import value_sheet, value_text
from bourg.portrait.comparison import ComparedFigure, TownTable
from bourg.portrait.html import sheet_details
from bourg.portrait.observatory import Observatory
from bourg.portrait.side_by_side import Cell, Row
from bourg.text import NBSP, format_number

# A longer unit is told once, under the name of the indicator.
_SHORT_UNIT = 4
PVD_LABEL = "Médiane des PVD"
Landmarks = tuple[tuple[str, str, float | None], ...]


def town_values(observatory: Observatory, codes: Sequence[str]) -> pl.DataFrame:
    """Return the rows of the values table of some communes."""
    return observatory.values([("commune", code) for code in codes])


def figure_rows(
    observatory: Observatory, table: TownTable, values: pl.DataFrame, figures: Iterable[ComparedFigure], *,
    details: bool = True,
) -> list[Row]:  # fmt: skip
    """Return the rows of some figures of a comparison.

    Parameters
    ----------
    values
        :func:`town_values` of the same towns: status, period and sources.
    details
        Fold the sheet of each indicator under its name.
    """
    figures = list(figures)
    found = {(row["indicator"], row["code"]): row for row in values.iter_rows(named=True)}
    marks = landmarks(observatory, [figure.indicator for figure in figures], list(table.towns))
    rows = []
    for figure in figures:
        known = {code: found.get((figure.indicator, code)) for code in table.towns}
        periods = {row["period"] for row in known.values() if row and row["status"] in USABLE and row["period"]}
        cells = {
            code: _cell(figure, code, row, several_periods=len(periods) > 1) for code, row in known.items()
        }  # fmt: skip
        usable = [row for row in known.values() if row and row["status"] in USABLE]
        rows.append(
            Row(
                figure.label, cells, unit=_told_once(figure.indicator),
                landmarks=marks.get(figure.indicator, ()),
                details=_details(observatory, usable[0]) if details and usable else "",
            )
        )  # fmt: skip
    return rows


def _details(observatory: Observatory, row: dict[str, Any]) -> str:
    """Return the folded sheet: formula, sources and limits are those of the indicator, numbers those of no town."""
    sheet = value_sheet({**row, "n": None}, sources=observatory.source_notes(row["source_ids"]))
    return sheet_details(sheet)


def _told_once(indicator: str) -> str:
    unit = get_indicator(indicator).declaration.unit
    return unit if len(unit) > _SHORT_UNIT else ""


def _text(indicator: str, value: float | None, status: str) -> str:
    return value_text(indicator, value, status, unit=not _told_once(indicator))


def _cell(figure: ComparedFigure, code: str, row: dict[str, Any] | None, *, several_periods: bool) -> Cell:
    usable = row is not None and row["status"] in USABLE
    return Cell(
        _text(figure.indicator, row["value"], row["status"]) if row else figure.texts[code],
        figure.values[code] if usable else None,
        demo=row is not None and row["status"] == "demo",
        detail=str(row["period"]) if row is not None and usable and several_periods else "",
    )


def landmark_labels(observatory: Observatory, codes: Sequence[str]) -> list[str]:
    """Return the labels of the medians that these towns can share."""
    return [label for label, _ in _sets(observatory, codes)]


def _sets(observatory: Observatory, codes: Sequence[str]) -> list[tuple[str, np.ndarray[Any, np.dtype[np.int64]]]]:
    sets = []
    if observatory.comparators.pvd is not None and observatory.comparators.pvd.size:
        # A median over a generated list of towns is generated, whatever its values are.
        mark = " ◆" if observatory.table_info("pvd")["demo"] else ""
        sets.append((PVD_LABEL + mark, observatory.comparators.pvd))
    towns = observatory.communes.filter(pl.col("code").is_in(list(codes)))
    if towns["departement"].n_unique() == 1:
        same = observatory.communes.filter(pl.col("departement") == towns["departement"][0])
        positions = [
            observatory.matrix.positions[code] for code in same["code"] if code in observatory.matrix.positions
        ]
        sets.append((f"Médiane du département ({towns['departement_name'][0]})", np.array(positions, dtype=np.int64)))
    return sets


def landmarks(observatory: Observatory, indicators: Iterable[str], codes: Sequence[str]) -> dict[str, Landmarks]:
    """Return, by indicator, the medians that stand beside the towns: ``(label, text, value)``.

    A median is made of values of the same period and origin as those of most of the towns, 20 at least.
    """
    matrix, least = observatory.matrix, parameter("ranking_min_set")
    sets = _sets(observatory, codes)
    columns = [matrix.positions[code] for code in codes if code in matrix.positions]
    found: dict[str, Landmarks] = {}
    for name in indicators:
        row = matrix.rows.get(name)
        if row is None:
            continue
        lots = Counter(int(lot) for lot in matrix.lots[row, columns] if lot != NO_LOT)
        if not lots:
            continue
        lot = max(sorted(lots), key=lambda item: lots[item])
        mark = " ◆" if matrix.lot_keys[row][lot][1] else ""
        made = []
        for label, members in sets:
            values = matrix.values[row, members[matrix.lots[row, members] == lot]]
            if values.size >= least:
                median = float(np.median(values))
                made.append((label, _text(name, median, "ok") + mark, median))
        found[name] = tuple(made)
    return found


def rank_rows(
    observatory: Observatory, table: TownTable, figures: Iterable[ComparedFigure], comparator: str
) -> list[Row]:
    """Return the rank of each town in its own set of a comparator, 1 being the highest value.

    Raises
    ------
    ParameterError
        When the comparator is unknown.
    """
    figures = [figure for figure in figures if figure.indicator in observatory.matrix.rows]
    names = [figure.indicator for figure in figures]
    ranks: dict[tuple[str, str], dict[str, Any]] = {}
    messages: dict[str, str] = {}
    for code in table.towns:
        (chosen,) = observatory.comparators.of(code, [comparator])
        messages[code] = chosen.message
        for row in town_ranks(observatory.matrix, code, [chosen], names).iter_rows(named=True):
            ranks[row["indicator"], code] = row
    return [
        Row(
            figure.label,
            {
                code: _rank_cell(figure, code, ranks.get((figure.indicator, code)), messages[code])
                for code in table.towns
            },
            unit=_told_once(figure.indicator),
            marked=False,
        )
        for figure in figures
    ]  # fmt: skip


def _rank_cell(figure: ComparedFigure, code: str, row: dict[str, Any] | None, message: str) -> Cell:
    if figure.values[code] is None:
        return Cell(figure.texts[code], None)
    text = _text(figure.indicator, figure.values[code], "ok")
    if row is None or row["rank"] is None:
        why = message or f"moins de {parameter('ranking_min_set')} communes ont cette valeur : pas de rang"
        return Cell("sans rang", None, detail=f"{text} · {why[0].lower() + why[1:]}")
    place = 100 * (row["n_set"] - row["rank"]) / (row["n_set"] - 1) if row["n_set"] > 1 else None
    return Cell(
        ordinal(row["rank"], row["n_set"]), float(row["rank"]), demo=bool(row["demo"]), detail=text, place=place
    )  # fmt: skip


def ordinal(rank: int, n_set: int) -> str:
    """Return « 1er sur 245 »."""
    return f"{format_number(rank)}{'er' if rank == 1 else 'e'}{NBSP}sur{NBSP}{format_number(n_set)}"
