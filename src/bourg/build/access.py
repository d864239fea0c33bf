"""The table of access times: each commune that an installed network covers, by the families declared."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from bourg.access.network.graph import MODES, SNAP_OK
from bourg.access.network.installed import InstalledNetwork, installed_networks
from bourg.access.travel.points import place
from bourg.access.travel.reach import join_nearest, quarter_hour, reach_indicators
from bourg.access.travel.times import nearest_by_kind
from bourg.indicators.parameters import parameter
from bourg.settings import Settings
from bourg.store.cache import StepCache, code_digest, digest
from bourg.store.tables import Table, write_table

NAME = "access_times"
SCHEMA = {"code": pl.String, "year": pl.Int32, "variable": pl.String, "value": pl.Float64, "status": pl.String}
# Tables that place inhabitants and facilities; those of the registries first.
_REGISTRY = ("communes", "outlines", "town_halls", "population")
_READ = (
    *_REGISTRY, "population_cells", "iris", "equipment", "equipment_points",
    "culture_places", "cinemas", "health_facilities", "france_services", "maternities",
)  # fmt: skip


@dataclass(frozen=True)
class _Tables:
    """Tables of a build under way, offered as those of a snapshot are."""

    tables: dict[str, Table]

    @property
    def manifest(self) -> dict[str, Any]:
        return {"tables": {name: {"demo": table.demo} for name, table in self.tables.items()}}

    def has_table(self, name: str) -> bool:
        return name in self.tables

    def table(self, name: str) -> pl.LazyFrame:
        return self.tables[name].frame


def access_times(
    cache: StepCache, settings: Settings, tables: dict[str, Table], keys: dict[str, str]
) -> tuple[Table, str] | None:
    """Return the table of access times and the digest of what it was made of; ``None`` without a real network.

    Its rows are ``code, year, variable, value, status``, year that of the streets:

    - ``WITHIN_<mode>_<family>_<minutes>``: inhabitants within that time; ``QUARTER_<mode>``: sum over the inhabitants
      of the share of the quarter-hour families they reach; ``KNOWN_<mode>``: inhabitants whose time is known;
    - ``MEDIAN_<mode>_<family>``: median time in minutes, status ``unreachable`` when more than half of the inhabitants
      reach nothing within the limit.

    Generated streets never enter a snapshot: they are for trying the access page.
    """
    networks = [item for item in installed_networks(settings) if not item.demo]
    if not networks:
        return None
    prints = [digest(item.name, str(sorted(item.network.manifest.items()))) for item in networks]
    read = [f"{name}={keys.get(name, '-')}" for name in _READ]
    key = digest(NAME, code_digest("access", "build/access.py"), *prints, *read)

    def make(folder: Path) -> None:
        write_table(_times(networks, tables), folder / f"{NAME}.parquet")

    path = cache.step(f"table-{NAME}", key, make) / f"{NAME}.parquet"
    frame = pl.scan_parquet(path)
    known = frozenset(frame.select("code").unique().collect()["code"])
    demo = any(tables[name].demo for name in _READ if name in tables)
    rows = frame.select(pl.len()).collect().item()
    vintage = f"réseau de rues de {max(item.date for item in networks)[:4]}"
    used = sorted({source for name in _READ[len(_REGISTRY) :] if name in tables for source in tables[name].sources})
    return Table(NAME, frame, rows, ("osm", *used), demo=demo, coverage=known, vintage=vintage, path=path), key


def _times(networks: list[InstalledNetwork], tables: dict[str, Table]) -> pl.DataFrame:
    rules = parameter("town_indicators", package="bourg.access")
    view = _Tables(tables)
    communes = tables["communes"].frame.select("code", "xmin", "ymin", "xmax", "ymax").drop_nulls().collect()
    parts = [pl.DataFrame(schema=SCHEMA)]
    done: set[str] = set()
    # The widest network first: near the edge of a small one, what is beyond it is unknown.
    for item in sorted(networks, key=_extent, reverse=True):
        west, south, east, north = item.network.bbox
        inside = (pl.col("xmax") > west) & (pl.col("xmin") < east) & (pl.col("ymax") > south) & (pl.col("ymin") < north)
        codes = [code for code in communes.filter(inside)["code"] if code not in done]
        if not codes:
            continue
        found = _network_times(item, view, codes, rules)
        done |= set(found["code"])
        parts.append(found)
    return pl.concat(parts).sort("code", "variable")


def _extent(item: InstalledNetwork) -> tuple[float, str]:
    west, south, east, north = item.network.bbox
    return (east - west) * (north - south), item.name


def _network_times(item: InstalledNetwork, view: Any, codes: list[str], rules: dict[str, Any]) -> pl.DataFrame:  # noqa: ANN401
    # A figure that is published never rests on generated squares.
    people = item.inhabitants_of(view, codes, generate=False).table
    points = people.filter(pl.col("method").is_in(rules["methods"]) & pl.col("inhabitants").is_not_null())
    facilities = item.facilities_of(view).table
    parts = []
    for mode in MODES:
        starts = place(item.network, points.select("point_id", "longitude", "latitude"), mode)
        kept = _covered(points.with_columns(snapped=pl.Series(starts.snapped.status == SNAP_OK)), rules)
        if kept.is_empty():
            continue
        parts.append(
            _mode_times(item, points=points, starts=starts, facilities=facilities, mode=mode, kept=kept, rules=rules)
        )
    rows = pl.concat(parts) if parts else pl.DataFrame(schema={**SCHEMA}).drop("year")
    return rows.with_columns(year=pl.lit(int(item.date[:4]), dtype=pl.Int32)).select(list(SCHEMA))


def _covered(points: pl.DataFrame, rules: dict[str, Any]) -> pl.DataFrame:
    """Return the communes enough inhabitants of which are on the streets: ``code``."""
    people = pl.col("inhabitants")
    shares = points.group_by("code").agg(total=people.sum(), off=people.filter(~pl.col("snapped")).sum())
    kept = (pl.col("total") > 0) & (pl.col("off") <= rules["max_unsnapped_share"] * pl.col("total"))
    return shares.filter(kept).select("code")


def _mode_times(
    item: InstalledNetwork, *, points: pl.DataFrame, starts: Any, facilities: pl.DataFrame, mode: str,  # noqa: ANN401
    kept: pl.DataFrame, rules: dict[str, Any],
) -> pl.DataFrame:  # fmt: skip
    quarter = (
        list(parameter("quarter_hour", package="bourg.access")["families"]) if mode in rules["quarter_hour"] else []
    )
    wanted = sorted(
        {entry["family"] for kind in ("within", "median") for entry in rules[kind] if entry["mode"] == mode}
        | set(quarter)
    )
    known = [name for name in wanted if facilities.filter(pl.col("family") == name).height]
    chosen = facilities.filter(pl.col("family").is_in(known))
    limit = float(rules["limit_min"])
    found = nearest_by_kind(item.network, starts, chosen, mode, limit_min=limit, by="family", kinds=known)
    reach = [
        join_nearest(points, found.filter(pl.col("kind") == name).drop("kind"), family=name, mode=mode)
        for name in known
    ]
    if not reach:
        return pl.DataFrame(schema=SCHEMA).drop("year")
    table = pl.concat(reach).join(kept, on="code", how="semi", maintain_order="left")
    figures = reach_indicators(table, limit_min=limit).with_columns(base=pl.col("inhabitants") - pl.col("unknown"))
    rows = [_rows(figures.unique("code", keep="first", maintain_order=True), f"KNOWN_{mode}", pl.col("base"))]
    for entry in (entry for entry in rules["within"] if entry["mode"] == mode):
        here = figures.filter(pl.col("family") == entry["family"])
        within = pl.col(f"within_{entry['minutes']}") * pl.col("base")
        rows.append(_rows(here, f"WITHIN_{mode}_{entry['family']}_{entry['minutes']}", within))
    for entry in (entry for entry in rules["median"] if entry["mode"] == mode):
        here = figures.filter(pl.col("family") == entry["family"])
        far = pl.col("median_status").is_in(["beyond", "unreachable"])
        status = pl.when(far).then(pl.lit("unreachable"))
        rows.append(_rows(here, f"MEDIAN_{mode}_{entry['family']}", pl.col("median"), status))
    if quarter:
        scores = quarter_hour(table, by=("code",))[0].join(rows[0].select("code", base="value"), on="code")
        rows.append(_rows(scores, f"QUARTER_{mode}", pl.col("score") * pl.col("base")))
    return pl.concat(rows)


def _rows(frame: pl.DataFrame, variable: str, value: pl.Expr, status: pl.Expr | None = None) -> pl.DataFrame:
    given = pl.lit(None, dtype=pl.String) if status is None else status
    return frame.select(
        "code", variable=pl.lit(variable), value=value.cast(pl.Float64), status=given.cast(pl.String)
    ).filter(pl.col("value").is_not_null() | pl.col("status").is_not_null())
