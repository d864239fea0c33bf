"""The curve of access as a Vega-Lite specification, and the places not served as a CSV file."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

import polars as pl

from bourg.access.network.graph import MODE_LABELS
from bourg.portrait.access_html import share_text, why_text
from bourg.portrait.chart_specs import LOCALE, NEUTRAL, PALETTE, SCHEMA
from bourg.portrait.exports import BOM, machine_number
from bourg.store.spreadsheets import safe_cell

COLUMNS = (
    "lieu", "habitants", "minutes_max", "pourquoi", "points", "sans_chemin", "au_dela", "temps_inconnu", "longitude",
    "latitude", "famille", "mode", "seuil_min", "demonstration",
)  # fmt: skip
_COLOURS = {"foot": PALETTE[0], "bike": PALETTE[2], "car": PALETTE[3]}
# Short enough to stay beside the lines on a phone.
_NAMES = {"foot": "pied", "bike": "vélo", "car": "voiture"}
_DASHES = {"foot": [1, 0], "bike": [7, 3], "car": [2, 3]}
# Least gap between the names at the end of the lines, in points of percentage.
_GAP = 8.0


def curve_spec(
    curves: pl.DataFrame, family: str, threshold: int, *, before: pl.DataFrame | None = None, height: int = 300
) -> dict[str, Any]:
    """Return the curve « part des habitants selon les minutes » of the three modes.

    Parameters
    ----------
    curves
        ``mode, minutes, share``; a null share is not drawn.
    family
        French label of the family.
    threshold
        Minutes marked by a full line; the other thresholds are dotted.
    before
        The same table without the changes tried, drawn thin.
    """
    domain = [mode for mode in MODE_LABELS if mode in set(curves["mode"])]
    colour = {
        "field": "mode", "type": "nominal", "legend": None,
        "scale": {"domain": domain, "range": [_COLOURS[mode] for mode in domain]},
    }  # fmt: skip
    dash = {
        "field": "mode", "type": "nominal", "legend": None,
        "scale": {"domain": domain, "range": [_DASHES[mode] for mode in domain]},
    }  # fmt: skip
    y = {
        "field": "percent", "type": "quantitative", "scale": {"domain": [0, 100]},
        "axis": {"title": None, "labelExpr": "datum.label + ' %'", "tickCount": 5},
    }  # fmt: skip
    rows = _rows(curves)
    # A line alone is hard to hit: the nearest minute answers to the pointer.
    tooltip = [
        {"field": "label", "type": "nominal", "title": "Mode"},
        {"field": "minutes", "type": "quantitative", "title": "Minutes"},
        {"field": "text", "type": "nominal", "title": "Part des habitants"},
    ]
    layers: list[dict[str, Any]] = [_thresholds(threshold)]
    if before is not None:
        layers.append({
            "data": {"values": _rows(before)}, "mark": {"type": "line", "strokeWidth": 1.2, "opacity": 0.55},
            "encoding": {"y": y, "color": colour, "strokeDash": dash},
        })  # fmt: skip
    layers += [
        {"data": {"values": rows}, "mark": {"type": "line", "strokeWidth": 2.6},
         "encoding": {"y": y, "color": colour, "strokeDash": dash}},
        {"data": {"values": rows}, "mark": {"type": "point", "size": 160, "opacity": 0},
         "encoding": {"y": y, "tooltip": tooltip}},
        {"data": {"values": _ends(rows, domain)},
         "mark": {"type": "text", "align": "left", "dx": 6, "fontSize": 13, "fontWeight": "bold"},
         "encoding": {"y": y, "text": {"field": "name"}, "color": colour}},
    ]  # fmt: skip
    last = max(row["minutes"] for row in rows)
    axis = {"title": "minutes", "values": [0, 5, 10, 15, 20, 25, 30], "grid": False, "format": "d"}
    return {
        "$schema": SCHEMA,
        "description": describe_curve(curves, family, threshold),
        "width": "container",
        "height": height,
        "autosize": {"type": "fit", "contains": "padding"},
        "config": {"locale": LOCALE, "view": {"stroke": None}},
        "encoding": {
            "x": {"field": "minutes", "type": "quantitative", "axis": axis,
                  "scale": {"domain": [0, 1.25 * last], "nice": False}},
        },
        "layer": layers,
    }  # fmt: skip


def describe_curve(curves: pl.DataFrame, family: str, threshold: int) -> str:
    """Return the text that stands for the curve, for those who cannot see it."""
    parts = [f"Part des habitants selon les minutes jusqu'à l'équipement « {family} » le plus proche."]
    for mode, label in MODE_LABELS.items():
        found = curves.filter(pl.col("mode") == mode, pl.col("minutes") == threshold)["share"].to_list()
        if found:
            parts.append(f"En {threshold} min {label} : {share_text(found[0])}.")
    return " ".join([*parts, "Les mêmes points sont dans le tableau qui suit."])


def _rows(curves: pl.DataFrame) -> list[dict[str, Any]]:
    return [
        {"mode": mode, "label": MODE_LABELS[mode], "name": _NAMES[mode], "minutes": time,
         "percent": round(100 * share, 2), "text": share_text(share)}
        for mode, time, share in curves.drop_nulls("share").iter_rows()
    ]  # fmt: skip


def _ends(rows: list[dict[str, Any]], domain: Sequence[str]) -> list[dict[str, Any]]:
    """Return the name of each mode at the end of its line, moved apart where lines end together."""
    last = {mode: [row for row in rows if row["mode"] == mode][-1:] for mode in domain}
    ends = sorted((row for found in last.values() for row in found), key=lambda row: -row["percent"])
    made, place = [], 100 + _GAP
    for rank, row in enumerate(ends):
        # Down from the top, yet leaving room for those under it.
        place = max(min(row["percent"], place - _GAP), _GAP * (len(ends) - 1 - rank))
        made.append({**row, "percent": place})
    return made


def _thresholds(threshold: int) -> dict[str, Any]:
    rows = [{"minutes": value, "chosen": value == threshold} for value in (5, 10, 15, 20, 30)]
    return {
        "data": {"values": rows},
        "mark": {"type": "rule", "color": NEUTRAL},
        "encoding": {
            "strokeDash": {"condition": {"test": "datum.chosen", "value": [1, 0]}, "value": [2, 4]},
            "strokeWidth": {"condition": {"test": "datum.chosen", "value": 2}, "value": 1},
        },
    }


def unserved_csv(table: pl.DataFrame, *, threshold: int, limit: float, demo: bool) -> str:
    """Return the places not served (``unserved_places``) as a CSV for a spreadsheet, columns :data:`COLUMNS`."""
    stream = io.StringIO()
    stream.write(BOM)
    writer = csv.writer(stream, delimiter=";", lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for row in table.iter_rows(named=True):
        writer.writerow([
            safe_cell(row["place"]), machine_number(round(row["inhabitants"], 1)),
            machine_number(None if row["minutes"] is None else round(row["minutes"], 1)), why_text(row, limit),
            row["points"], machine_number(round(row["unreachable"], 1)), machine_number(round(row["beyond"], 1)),
            machine_number(round(row["unsnapped"], 1)), machine_number(round(row["longitude"], 6)),
            machine_number(round(row["latitude"], 6)), row["family"], row["mode"], threshold, "oui" if demo else "non",
        ])  # fmt: skip
    return stream.getvalue()
