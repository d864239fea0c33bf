"""The engine: typed tables in, one long table of values out.

For every level the tables are relabelled from communes to the units of that level and summed; the same indicator
function then runs on them. A value the function does not give is ``missing``: statuses are never guessed from values.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import polars as pl

from bourg.errors import DeclarationError, SnapshotError
from bourg.geography.levels import LEVELS, Level
from bourg.indicators.registry import Indicator, get_indicator, load_indicators
from bourg.indicators.tables import PSEUDO_TABLES, TABLES, TableInput, select_columns
from bourg.indicators.units import Units, build_units, commune_coverage, lift, lift_coverage

STATUSES = ("ok", "missing", "secret", "not_applicable", "unreachable", "estimated", "demo")
USABLE = ("ok", "estimated", "demo")
VALUES_SCHEMA: dict[str, pl.DataType] = {
    "indicator": pl.String(),
    "level": pl.String(),
    "code": pl.String(),
    "period": pl.String(),
    "value": pl.Float64(),
    "status": pl.String(),
    "n": pl.Int64(),
    "source_ids": pl.String(),
}
# Sums of floats depend on the order of threads in their last digits: same snapshot, same bytes out.
_DIGITS = 11


@dataclass(frozen=True)
class _Prepared:
    """Tables at commune level, and what they cover."""

    frames: dict[str, pl.DataFrame]
    coverage: pl.DataFrame


def compute(
    tables: Mapping[str, TableInput],
    *,
    units: Units | None = None,
    indicators: Iterable[str] | None = None,
    levels: Iterable[Level] = LEVELS,
) -> pl.DataFrame:
    """Compute indicators for every unit of every level they declare.

    Parameters
    ----------
    tables
        Typed tables by name, codes in the reference geography; ``communes`` is required. A table that is absent
        makes the indicators that read it ``missing``. One commune must have one row per year in ``population``
        before mergers: parts of a merged commune add up.
    units
        Territories, when they are already built.
    indicators
        Ids to compute; all by default.
    levels
        Levels to compute; all by default.

    Returns
    -------
    DataFrame
        ``indicator, level, code, period, value, status, n, source_ids``, one row per unit and indicator, sorted by
        indicator, level and code.

    Raises
    ------
    UnknownIndicatorError
        When an id is not in the registry.
    SnapshotError
        When a table lacks a column, or ``communes`` is absent.
    """
    names = sorted(load_indicators() if indicators is None else set(indicators))
    chosen = {name: get_indicator(name) for name in names}
    territories = units or units_of(tables)
    used = {name for item in chosen.values() for name in (*item.data_tables, *item.declaration.fallback.values())}
    prepared = _prepare({name: table for name, table in tables.items() if name in used}, territories)
    wanted = set(levels)
    parts: list[tuple[str, int, pl.DataFrame]] = []
    for position, level in enumerate(LEVELS):
        items = [item for item in chosen.values() if level in item.declaration.levels and level in wanted]
        if not items:
            continue
        frames = _frames_of(level, prepared, territories, tables)
        # One collection a level: a single one over all plans took twice as long to optimise.
        collected = pl.collect_all([_plan(item, level, frames, territories, tables) for item in items])
        parts.extend((item.id, position, part) for item, part in zip(items, collected, strict=True))
    if not parts:
        return pl.DataFrame(schema=VALUES_SCHEMA)
    return pl.concat([part for _, _, part in sorted(parts, key=lambda part: part[:2])])


def units_of(tables: Mapping[str, TableInput]) -> Units:
    """Return the territories described by the tables ``communes`` and ``population``.

    Raises
    ------
    SnapshotError
        When there is no table of communes.
    """
    if "communes" not in tables:
        raise SnapshotError("La table des communes manque.", next_step="relancez la construction : bourg build.")
    return build_units(tables["communes"], tables.get("population"))


def _prepare(tables: Mapping[str, TableInput], units: Units) -> _Prepared:
    names = [name for name in tables if name != "communes"]
    codes = {level: units.of(level).select("code").lazy() for level in {TABLES[name].level for name in names}}
    lazies = [
        TABLES[name]
        .prepare(select_columns(name, tables[name].frame))
        .join(codes[TABLES[name].level], on="code", how="semi")
        for name in names
    ]
    frames = dict(zip(names, pl.collect_all(lazies, engine="streaming"), strict=True)) if names else {}
    coverage = pl.DataFrame(schema={"code": pl.String, "table": pl.String, "year": pl.Int32, "role": pl.String})
    for name, frame in frames.items():
        spec = TABLES[name]
        if spec.absence == "zero":
            covered = commune_coverage(name, tables[name], frame, units.communes)
            coverage = pl.concat([coverage, covered])
            if spec.compared:
                frames[name] = _flag_comparable(frame, covered, spec.compared)
    return _Prepared(frames, coverage)


def _flag_comparable(frame: pl.DataFrame, covered: pl.DataFrame, column: str) -> pl.DataFrame:
    """Add ``comparable``: whether the nomenclature has this value in both years of the evolution."""
    years = covered.select("year", "role").unique().filter(pl.col("role").is_in(["start", "latest"]))
    known = frame.join(years, on="year", how="semi").group_by(column).agg(pl.col("year").n_unique())
    both = known.filter(pl.col("year") == 2)[column]
    return frame.with_columns(comparable=pl.col(column).is_in(both.to_list()))


def _frames_of(
    level: Level, prepared: _Prepared, units: Units, inputs: Mapping[str, TableInput]
) -> dict[str, pl.LazyFrame]:
    frame = units.of(level)
    result = {"units": frame.lazy()}
    # A table of departments has rows for departments, and none for what they hold or what holds them.
    own = {name: table for name, table in prepared.frames.items() if TABLES[name].level == "commune"}
    for name, table in prepared.frames.items():
        if name not in own:
            result[name] = (table if TABLES[name].level == level else table.clear()).lazy()
    if level == "commune":
        result |= {name: table.lazy() for name, table in own.items()}
        return result | {"coverage": prepared.coverage.lazy()}
    mapping = units.mapping(level)
    sizes = frame.select("n_communes", unit="code")
    lifted = [lift(table.lazy(), TABLES[name], mapping, inputs[name].undivided) for name, table in own.items()]
    tables = pl.collect_all(lifted) if lifted else []
    result |= {name: table.lazy() for name, table in zip(own, tables, strict=True)}
    return result | {"coverage": lift_coverage(prepared.coverage, mapping, sizes).lazy()}


def _plan(
    item: Indicator,
    level: Level,
    frames: Mapping[str, pl.LazyFrame],
    territories: Units,
    tables: Mapping[str, TableInput],
) -> pl.LazyFrame:
    """Return the lazy rows of one indicator at one level."""
    base = territories.of(level)
    attempts = [{name: name for name in item.data_tables}]
    if item.declaration.fallback:
        attempts.append({name: item.declaration.fallback.get(name, name) for name in item.data_tables})
        if _wider(item.declaration.fallback, tables):
            # One source for the whole country rather than two that disagree by a few units: sums and ranks hold.
            attempts = attempts[1:]
    results: list[pl.LazyFrame] = []
    for names in attempts:
        if any(source not in frames for source in names.values()):
            continue
        unclear = _divided(level, [tables[source] for source in names.values()], territories)
        result = _run(item, names, frames, tables).filter(~pl.col("code").is_in(unclear))
        results.append(result.join(results[0], on="code", how="anti") if results else result)
    first = tables.get(item.data_tables[0])
    default_period = first.vintage if first and item.declaration.period == "vintage" else ""
    sources = _sources(item, {name: name for name in item.data_tables}, tables)
    if not results:
        empty = {"code": pl.String, "value": pl.Float64, "n": pl.Int64, "status": pl.String}
        results = [pl.LazyFrame(schema={**empty, "period": pl.String, "source_ids": pl.String, "is_demo": pl.Boolean})]
    joined = (
        base.select("code")
        .lazy()
        .join(pl.concat(results), on="code", how="left", maintain_order="left", validate="1:1")
    )
    usable = pl.col("value").is_finite().fill_null(value=False)
    reason = pl.col("status").is_in([status for status in STATUSES if status not in USABLE]).fill_null(value=False)
    status = (
        pl.when(reason)
        .then(pl.col("status"))
        .when(~usable)
        .then(pl.lit("missing"))
        .when("is_demo")
        .then(pl.lit("demo"))
        .otherwise(pl.coalesce("status", pl.lit("ok")))
    )
    return joined.with_columns(status=status).select(
        indicator=pl.lit(item.id),
        level=pl.lit(level),
        code="code",
        period=pl.coalesce("period", pl.col("period").drop_nulls().max(), pl.lit(default_period)),
        # Adding 0.0 turns the -0.0 that a rounded difference may give into 0.0.
        value=pl.when(pl.col("status").is_in(USABLE)).then(pl.col("value").round_sig_figs(_DIGITS) + 0.0),
        status="status",
        n=pl.when(pl.col("status") != "missing").then("n"),
        source_ids=pl.coalesce("source_ids", pl.lit(sources)),
    )


def _divided(level: Level, used: Iterable[TableInput], territories: Units) -> list[str]:
    """Return the units that hold a part only of communes that a table describes together."""
    groups = {group for table in used for group in table.undivided}
    if level == "commune":
        return sorted({code for group in groups for code in group})
    if not groups:
        return []
    holders = dict(territories.mapping(level).group_by("code").agg("unit").iter_rows())
    unclear: set[str] = set()
    for group in groups:
        counts = Counter(unit for code in group for unit in holders.get(code, []))
        unclear.update(unit for unit, count in counts.items() if count < len(group))
    return sorted(unclear)


def _wider(fallback: Mapping[str, str], tables: Mapping[str, TableInput]) -> bool:
    """Tell whether the replacements describe the whole country where the declared tables describe a part of it."""
    pairs = [(tables.get(name), tables.get(other)) for name, other in fallback.items()]
    return all(
        declared is not None and other is not None and declared.coverage is not None and other.coverage is None
        for declared, other in pairs
    )


def _run(
    item: Indicator, names: Mapping[str, str], frames: Mapping[str, pl.LazyFrame], tables: Mapping[str, TableInput]
) -> pl.LazyFrame:
    """Call the function with the tables of one attempt (the declared ones, or their fallbacks)."""
    arguments = {name: frames[names.get(name, name)] for name in item.tables if name in frames or name in names}
    swapped = {replacement: name for name, replacement in names.items() if replacement != name}
    if swapped and "coverage" in arguments:
        kept = arguments["coverage"].filter(~pl.col("table").is_in(list(swapped.values())))
        arguments["coverage"] = kept.with_columns(pl.col("table").replace(swapped))
    result = item.compute(**arguments)
    present = result.collect_schema().names()
    if "value" not in present or (item.declaration.period == "year" and "period" not in present):
        raise DeclarationError(
            f"L'indicateur « {item.id} » ne rend pas les colonnes attendues.", where=", ".join(present)
        )
    vintage = tables[names[item.data_tables[0]]].vintage
    is_demo = any(tables[source].origin_demo for source in names.values())
    period = pl.col("period") if item.declaration.period == "year" else pl.lit(vintage)
    return result.select(
        code="code",
        value=pl.col("value").cast(pl.Float64),
        n=pl.col("n").cast(pl.Int64) if "n" in present else pl.lit(None, dtype=pl.Int64),
        status=pl.col("status").cast(pl.String) if "status" in present else pl.lit(None, dtype=pl.String),
        period=period.cast(pl.String),
        source_ids=pl.lit(_sources(item, names, tables)),
        is_demo=pl.lit(is_demo),
    )


def _sources(item: Indicator, names: Mapping[str, str], tables: Mapping[str, TableInput]) -> str:
    """Return the ids of the sources read, or those declared when no table is there."""
    used = [tables[source].source_ids for source in names.values() if source in tables]
    if "units" in item.tables and "communes" in tables:
        used.append(tables["communes"].source_ids)
    found = dict.fromkeys(source for group in used for source in group)
    return ",".join(found or dict.fromkeys(item.declaration.sources))


__all__ = ["PSEUDO_TABLES", "STATUSES", "USABLE", "VALUES_SCHEMA", "TableInput", "Units", "compute", "units_of"]
