"""Home to work flows of the census: individual file, flows between communes, or profiles already summed."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import polars as pl

from bourg.errors import SourceFormatError
from bourg.sources import cells, measures
from bourg.sources.jsonrecords import MAX_JSON_BYTES, is_json
from bourg.sources.layouts import Table, column, fold, optional
from bourg.sources.reading import ReadContext, Tables
from bourg.sources.report import ReadReport
from bourg.sources.tabular import open_table

LAYOUTS = {
    # One row per employed person (MOBPRO), weighted; Paris, Lyon and Marseille live in ARM, work in DCLT.
    "persons": {
        "home": column("COMMUNE"),
        "work": column("DCLT"),
        "weight": column("IPONDI"),
        "mode": optional("TRANS"),
    },
    "flows": {
        "home": column("CODGEO"),
        "work": column("DCLT"),
        "weight": column("NBFLUX", pattern=r"nbfluxc\d{2}actocc15p"),
    },
}
_PROFILE = {"residents": "RESIDENTS", "local": "LOCAL", "workers": "JOBS"}
# Means of transport to work: codes of MOBPRO (TRANS), first letters of the folded labels of the profiles.
_MODES = {"2": "ACTIVE", "3": "ACTIVE", "5": "CAR", "6": "TRANSIT"}
_MODE_LABELS = {"marche": "ACTIVE", "velo": "ACTIVE", "voiture": "CAR", "transportsencommun": "TRANSIT"}
_ADDITIVE = ("RESIDENTS", "LOCAL", "JOBS", "CAR", "TRANSIT", "ACTIVE")
# Flows kept for each commune, the largest first: the others are few persons each, and uncertain.
FLOWS_KEPT = 10
_COMMUNE = r"^(\d|2[AB])\d+$"
_FLOW_SCHEMA: dict[str, pl.DataType] = {
    "code": pl.String(), "direction": pl.String(), "other": pl.String(), "other_name": pl.String(), "n": pl.Float64(),
}  # fmt: skip


def _flows(table: Table) -> tuple[pl.DataFrame, pl.DataFrame]:
    report = table.report
    frame = table.read().with_columns(cells.number(pl.col("weight")))
    report.reject("poids illisible", frame["weight"].null_count())
    frame = frame.filter(pl.col("weight").is_not_null())
    total = pl.col("weight").sum()
    # Places of work abroad (« AL000 », « 99999 ») are no commune.
    inland = frame.filter(pl.col("work").str.contains(_COMMUNE))
    homes = frame.select(code="home").unique(maintain_order=True)
    parts = {
        "RESIDENTS": frame.group_by(code="home").agg(value=total),
        "LOCAL": frame.filter(pl.col("home") == pl.col("work")).group_by(code="home").agg(value=total),
        "JOBS": inland.group_by(code="work").agg(value=total),
    }
    if "mode" in table.columns:
        moved = frame.with_columns(pl.col("mode").replace_strict(_MODES, default=None, return_dtype=pl.String))
        parts |= {
            name: moved.filter(pl.col("mode") == name).group_by(code="home").agg(value=total)
            for name in dict.fromkeys(_MODES.values())
        }
    pairs = inland.filter(pl.col("home") != pl.col("work")).group_by("home", "work").agg(n=total)
    named = pairs.with_columns(other_name=pl.lit(None, dtype=pl.String))
    flows = pl.concat(
        [
            named.select("other_name", "n", code="home", other="work", direction=pl.lit("out")),
            named.select("other_name", "n", code="work", other="home", direction=pl.lit("in")),
        ]
    ).select(pl.col(name).cast(dtype) for name, dtype in _FLOW_SCHEMA.items())
    parts["FIRST_OUT"] = pairs.group_by(code="home").agg(value=pl.col("n").max())
    for name in set(parts) - {"RESIDENTS", "JOBS"}:
        # Nobody of the commune does so: that is a true zero.
        parts[name] = homes.join(parts[name], on="code", how="left").with_columns(pl.col("value").fill_null(0.0))
    rows = pl.concat([part.with_columns(variable=pl.lit(name)) for name, part in parts.items()])
    return rows, flows


def _modes(profile: dict[str, Any]) -> dict[str, float]:
    """Return the persons by means of transport of one profile; nothing when it does not tell."""
    counts: dict[str, float] = {}
    for item in profile.get("transport") or ():
        label = fold(str(item.get("label", "")))
        name = next((mode for start, mode in _MODE_LABELS.items() if label.startswith(start)), None)
        if name and isinstance(item.get("value"), int | float):
            counts[name] = round(counts.get(name, 0.0) + item["value"], 1)
    return counts


def _listed(profile: dict[str, Any]) -> list[tuple[str, str, str, str | None, float]]:
    """Return the flows that one profile lists, itself left out."""
    code = str(profile["code"])
    return [
        (code, direction, str(item["code"]), str(item.get("label") or "").rsplit(" (", 1)[0] or None, item["value"])
        for direction, field in (("out", "destinations"), ("in", "origins"))
        for item in profile.get(field) or ()
        if {"code", "value"} <= set(item) and str(item["code"]) != code and re.match(_COMMUNE, str(item["code"]))
    ]


def _profiles(path: Path, context: ReadContext) -> tuple[pl.DataFrame, pl.DataFrame]:
    if path.stat().st_size > MAX_JSON_BYTES:
        raise SourceFormatError("Le fichier JSON est trop gros.", where=path.name)
    try:
        content = json.loads(path.read_bytes().decode("utf-8-sig"))
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise SourceFormatError(
            "Le fichier JSON est invalide ou tronqué.", where=path.name, why=str(error)[:200]
        ) from error
    items = list(content.values()) if isinstance(content, dict) else content
    if not isinstance(items, list) or not all(
        isinstance(item, dict) and {"code", *_PROFILE} <= set(item) for item in items
    ):
        raise SourceFormatError(
            "Le fichier JSON n'a pas les profils attendus.",
            where=path.name,
            why=f"champs attendus pour chaque commune : code, {', '.join(_PROFILE)}.",
        )
    communes = [item for item in items if item.get("kind", "commune") == "commune" and not item.get("special")]
    context.report.rows_read += len(items)
    context.report.note(f"{len(items) - len(communes)} profils de regroupements, laissés de côté")
    rows = [(str(item["code"]), variable, item[name]) for item in communes for name, variable in _PROFILE.items()]
    rows += [(str(item["code"]), mode, value) for item in communes for mode, value in _modes(item).items()]
    listed = [flow for item in communes for flow in _listed(item)]
    first: dict[str, float] = {}
    for code, direction, _, _, persons in listed:
        if direction == "out":
            first[code] = max(first.get(code, 0.0), persons)
    rows += [(code, "FIRST_OUT", persons) for code, persons in first.items()]
    schema = {"code": pl.String, "variable": pl.String, "value": pl.Float64}
    return (
        pl.DataFrame(rows, schema=schema, orient="row", strict=False),
        pl.DataFrame(listed, schema=_FLOW_SCHEMA, orient="row", strict=False),
    )


def read(path: Path, context: ReadContext) -> Tables:
    """Return ``commuting`` and ``commuting_flows``: weighted persons aged 15 or more with a job, in the census sense.

    ``commuting`` has, by commune, employed ``RESIDENTS``, those who work in it (``LOCAL``), who go by ``CAR``, by
    ``TRANSIT``, on foot or by bicycle (``ACTIVE``), its ``JOBS``, and ``FIRST_OUT``: its largest flow to another
    commune. ``JOBS`` of an extract only counts the homes it lists. ``commuting_flows`` has the first
    :data:`FLOWS_KEPT` flows of each commune: code, direction (``out``, ``in``), other, other_name, n.

    Raises
    ------
    SourceFormatError
        Unknown layout, or invalid JSON.
    """
    report = context.report
    match = re.search(r"20\d{2}", context.resource.vintage)
    if match is None:
        raise SourceFormatError("Le millésime de la ressource n'est pas déclaré.", where=context.resource.id)
    if path.is_file() and is_json(path):
        rows, flows = _profiles(path, context)
    else:
        with open_table(
            path, LAYOUTS, report, members=("*mobpro*.csv", "*mobpro*.parquet", "base*flux*.csv", "*.csv")
        ) as table:
            rows, flows = _flows(table)
    rows = rows.with_columns(
        year=pl.lit(int(match.group()), dtype=pl.Int32),
        status=pl.when(pl.col("value").is_null()).then(pl.lit("missing")).otherwise(pl.lit("ok")),
    )
    order = ["code", "direction", "n", "other"]
    largest = cells.mend_codes(flows, ReadReport()).sort(order, descending=[False, False, True, False])
    return {
        "commuting": measures.finish(rows, report, additive=_ADDITIVE),
        "commuting_flows": largest.group_by("code", "direction", maintain_order=True).head(FLOWS_KEPT),
    }
