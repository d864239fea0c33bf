"""Home to work flows of the census: individual file, flows between communes, or profiles already summed."""

from __future__ import annotations

import json
import re
from pathlib import Path

import polars as pl

from bourg.errors import SourceFormatError
from bourg.sources import cells, measures
from bourg.sources.jsonrecords import MAX_JSON_BYTES, is_json
from bourg.sources.layouts import Table, column
from bourg.sources.reading import ReadContext, Tables
from bourg.sources.tabular import open_table

LAYOUTS = {
    # One row per employed person (MOBPRO), weighted; Paris, Lyon and Marseille live in ARM, work in DCLT.
    "persons": {"home": column("COMMUNE"), "work": column("DCLT"), "weight": column("IPONDI")},
    "flows": {
        "home": column("CODGEO"),
        "work": column("DCLT"),
        "weight": column("NBFLUX", pattern=r"nbfluxc\d{2}actocc15p"),
    },
}
_PROFILE = {"residents": "RESIDENTS", "local": "LOCAL", "workers": "JOBS"}


def _flows(table: Table) -> pl.DataFrame:
    report = table.report
    frame = table.read().with_columns(cells.number(pl.col("weight")))
    report.reject("poids illisible", frame["weight"].null_count())
    frame = frame.filter(pl.col("weight").is_not_null())
    local = frame.filter(pl.col("home") == pl.col("work"))
    parts = {
        "RESIDENTS": frame.group_by(code="home").agg(value=pl.col("weight").sum()),
        "LOCAL": local.group_by(code="home").agg(value=pl.col("weight").sum()),
        # Places of work abroad (« AL000 », « 99999 ») are no commune.
        "JOBS": frame.filter(pl.col("work").str.contains(r"^(\d|2[AB])\d+$"))
        .group_by(code="work")
        .agg(value=pl.col("weight").sum()),
    }
    homes = parts["RESIDENTS"].select("code")
    # Nobody works where he lives: that is a true zero.
    parts["LOCAL"] = homes.join(parts["LOCAL"], on="code", how="left").with_columns(pl.col("value").fill_null(0.0))
    return pl.concat([part.with_columns(variable=pl.lit(name)) for name, part in parts.items()])


def _profiles(path: Path, context: ReadContext) -> pl.DataFrame:
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
    return pl.DataFrame(
        rows, schema={"code": pl.String, "variable": pl.String, "value": pl.Float64}, orient="row", strict=False
    )


def read(path: Path, context: ReadContext) -> Tables:
    """Return ``commuting``: employed ``RESIDENTS``, those who work in their commune (``LOCAL``), and its ``JOBS``.

    Weighted persons aged 15 or more, in the census sense. ``JOBS`` of an extract only counts the homes it lists.

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
        rows = _profiles(path, context)
    else:
        with open_table(
            path, LAYOUTS, report, members=("*mobpro*.csv", "*mobpro*.parquet", "base*flux*.csv", "*.csv")
        ) as table:
            rows = _flows(table)
    rows = rows.with_columns(
        year=pl.lit(int(match.group()), dtype=pl.Int32),
        status=pl.when(pl.col("value").is_null()).then(pl.lit("missing")).otherwise(pl.lit("ok")),
    )
    return {"commuting": measures.finish(rows, report, additive=tuple(_PROFILE.values()))}
