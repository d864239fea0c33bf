"""The computed part of a snapshot: values and map layers, each redone only when its inputs change."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import polars as pl

from bourg.build import confidential
from bourg.indicators import engine, invariants
from bourg.indicators.registry import Indicator, load_indicators
from bourg.indicators.tables import TABLES, TableInput
from bourg.indicators.typologies import categorise, load_typology
from bourg.maps.outlines import write_outlines
from bourg.maps.points import write_points
from bourg.sources.model import load_catalogue
from bourg.store.cache import StepCache, code_digest, digest
from bourg.store.tables import Table, sink_table

MAP_FOLDER = "cartes"
VALUES, VIOLATIONS = "values.parquet", "violations.json"
PLACE_COLUMNS = (
    "place_id", "name", "type", "detail", "label", "address", "postal_code", "code", "longitude", "latitude",
)  # fmt: skip


def table_inputs(tables: dict[str, Table]) -> dict[str, TableInput]:
    """Return the tables that indicators read, as the engine wants them."""
    catalogue = load_catalogue()
    return {
        name: TableInput(
            frame=table.frame,
            source_ids=table.sources,
            origin_demo=table.demo,
            coverage=table.coverage,
            cog=catalogue[table.sources[0]].cog,
            vintage=table.vintage,
            year_coverage=table.year_coverage,
            undivided=table.undivided,
        )
        for name, table in tables.items()
        if name in TABLES
    }


def _inputs_key(item: Indicator, keys: dict[str, str], code: str) -> str:
    names = {*item.data_tables, *item.declaration.fallback.values(), "communes", "population"}
    return digest(item.id, code, *(f"{name}={keys.get(name, '-')}" for name in sorted(names)))


@dataclass(frozen=True)
class ValuesStep:
    """Where the values are: ``folder`` of the whole table, ``steps`` of each indicator, and the violations found."""

    folder: Path
    steps: dict[str, Path]
    violations: list[str]


def values(cache: StepCache, tables: dict[str, Table], keys: dict[str, str]) -> ValuesStep:
    """Compute what changed, protect what is secret, check what must hold.

    Every indicator is a step of its own, kept under the digest of the tables it reads: a new vintage of one source
    recomputes the indicators that read it and no other. An indicator that would give away the secret cells of another
    depends on it too.
    """
    code = code_digest(
        "indicators", "geography", "energy", "commerce", "access/parameters", "culture/kinds.py", "culture/parameters"
    )
    indicators = load_indicators()
    inputs = table_inputs(tables)
    steps = {item.id: _inputs_key(item, keys, code) for item in indicators.values()}
    guards = confidential.guards()
    steps |= {name: digest(steps[name], steps[guard.base]) for name, guard in guards.items() if name in steps}
    # A count comes before what is computed from it, whose secret cells are its own.
    order = sorted(steps, key=lambda name: (name in guards and guards[name].base != name, name))
    stale = [name for name, key in steps.items() if not cache.has(f"values-{name}", key)]
    fresh: dict[str, pl.DataFrame] = {}
    units = engine.units_of(inputs) if stale else None
    if stale:
        computed = engine.compute(inputs, units=units, indicators=stale)
        fresh = _by_indicator(computed)
        del computed

    made: dict[str, Path] = {}
    for name in order:

        def make(folder: Path, name: str = name) -> None:
            assert units is not None  # noqa: S101 - a stale step has had its territories built
            computed, guard = fresh.pop(name), guards.get(name)
            if guard is not None:
                counted = computed if guard.base == name else pl.read_parquet(made[guard.base] / VALUES)
                computed = confidential.protected(computed, counted, guard, units)
            found = invariants.check(computed, tables=inputs, units=units)
            found += confidential.given_away(computed, units)
            (folder / VIOLATIONS).write_text(json.dumps(found, ensure_ascii=False), encoding="utf-8")
            computed.write_parquet(folder / VALUES)

        made[name] = cache.step(f"values-{name}", steps[name], make)
    folders = [made[name] for name in steps]

    def gather(folder: Path) -> None:
        found = [text for path in folders for text in json.loads((path / VIOLATIONS).read_text(encoding="utf-8"))]
        # The parts of a whole are told by several indicators: they can only be added up here.
        found += [str(item) for item in invariants.parts_sum(_gathered(folders, VALUES).collect())]
        (folder / VIOLATIONS).write_text(json.dumps(found, ensure_ascii=False), encoding="utf-8")
        sink_table(_gathered(folders, VALUES), folder / VALUES)

    folder = cache.step("values", digest(code, *sorted(path.name for path in folders)), gather)
    return ValuesStep(folder, made, json.loads((folder / VIOLATIONS).read_text(encoding="utf-8")))


def _by_indicator(frame: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Cut a table whose indicators follow one another, without copying it."""
    runs = frame["indicator"].rle().struct
    lengths, names = runs.field("len").to_list(), runs.field("value").to_list()
    starts = accumulate(lengths, initial=0)
    return {name: frame.slice(start, length) for name, start, length in zip(names, starts, lengths, strict=False)}


def _gathered(folders: list[Path], name: str) -> pl.LazyFrame:
    """Return the rows of every indicator, in the order of the indicators."""
    return pl.scan_parquet([folder / name for folder in folders])


def places_with_category(table: Table) -> pl.DataFrame:
    """Return the places with the French label of their map category and the ``demo`` mark of their table."""
    typology = load_typology("carte")
    category = categorise(pl.col("type"), "carte")
    labels = {name: typology.label_of(name) for name in (*typology.categories, "non_classe", "festival")}
    return (
        table.frame.collect()
        .with_columns(category=category.replace_strict(labels), demo=pl.lit(table.demo))
        .select(*PLACE_COLUMNS, "category", "demo")
    )


def maps(cache: StepCache, tables: dict[str, Table], keys: dict[str, str]) -> list[Path]:
    """Write the outlines and the points of the map; return their folders."""
    communes = tables["communes"].frame.collect()
    names = communes.select("code", "name", "departement", "xmin", "ymin", "xmax", "ymax")

    def outlines(folder: Path) -> None:
        polygons = names.select("code", "name", "departement").join(
            tables["outlines"].frame.collect(), on="code", how="left"
        )
        departements = dict(tables["departements"].frame.select("code", "name").collect().iter_rows())
        write_outlines(polygons, folder / MAP_FOLDER, departement_names=departements)

    code = code_digest("maps", "build/layers.py")
    folders = [cache.step("contours", digest(keys["outlines"], code), outlines)]
    places = tables.get("culture_places")
    typology_code = code_digest("indicators/typologies.py", "indicators/typology_tables")

    def points(folder: Path) -> None:
        frame = places_with_category(places) if places else pl.DataFrame(schema=_NO_PLACE)
        titles = [load_catalogue()[source].title for source in places.sources] if places else []
        write_points(frame, names, folder / MAP_FOLDER, sources=titles)
        (folder / "tables").mkdir()
        frame.sort("code", "place_id", nulls_last=True).write_parquet(
            folder / "tables" / "culture_places.parquet", statistics=True, row_group_size=20_000
        )

    key = digest(keys.get("culture_places", "-"), keys["communes"], typology_code, code)
    folders.append(cache.step("lieux", key, points))
    return folders


_NO_PLACE = {
    **dict.fromkeys(
        ("place_id", "name", "type", "detail", "label", "address", "postal_code", "code", "category"), pl.String
    ),
    "longitude": pl.Float64, "latitude": pl.Float64, "demo": pl.Boolean,
}  # fmt: skip
