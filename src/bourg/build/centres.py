"""The table of shopping centres: each commune that has shops, its centre by the declared rule, and what is inside."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import shapely

from bourg.commerce.centre import FOOD_GROUPS, INSIDE, OUTSIDE, Centre, centre_of
from bourg.store.cache import StepCache, code_digest, digest
from bourg.store.tables import Table, write_table

NAME = "shop_centres"
COUNTS = (
    "centres", "inside", "outside", "unplaced", "food_inside", "food_outside", "shops",
)  # fmt: skip
SCHEMA = {"code": pl.String, **dict.fromkeys(COUNTS, pl.Int32)}
_READ = ("shops", "town_halls", "outlines")
_COLUMNS = ("code", "type", "group", "longitude", "latitude")


def shop_centres(cache: StepCache, tables: dict[str, Table], keys: dict[str, str]) -> tuple[Table, str] | None:
    """Return the table of centres and the digest of what it was made of; ``None`` without shops or town halls.

    One row per commune that has an open shop: ``centres`` (1, or 0 where the rule finds none), ``shops`` (open),
    ``unplaced`` (without usable coordinates), and ``inside, outside, food_inside, food_outside`` among those placed,
    zero where there is no centre.
    """
    if any(name not in tables for name in _READ):
        return None
    key = digest(
        NAME, code_digest("commerce", "build/centres.py"), *(f"{name}={keys.get(name, '-')}" for name in _READ)
    )

    def make(folder: Path) -> None:
        rows = pl.DataFrame(list(_rows(tables)), schema=SCHEMA, orient="row")
        write_table(rows.sort("code"), folder / f"{NAME}.parquet")
        (folder / "meta.json").write_text(json.dumps({"rows": rows.height}), encoding="utf-8")

    folder = cache.step(f"table-{NAME}", key, make)
    path = folder / f"{NAME}.parquet"
    shops = tables["shops"]
    frame = pl.scan_parquet(path)
    rows = json.loads((folder / "meta.json").read_text(encoding="utf-8"))["rows"]
    table = Table(
        NAME, frame, rows, (*shops.sources, *tables["town_halls"].sources), demo=shops.demo, coverage=shops.coverage,
        vintage=shops.vintage, undivided=shops.undivided, path=path,
    )  # fmt: skip
    return table, key


def _rows(tables: dict[str, Table]) -> Iterator[tuple[object, ...]]:
    halls = {
        code: (longitude, latitude)
        for code, longitude, latitude in tables["town_halls"]
        .frame.select("code", "longitude", "latitude")
        .drop_nulls()
        .collect()
        .iter_rows()
    }
    outlines = dict(tables["outlines"].frame.select("code", "wkb").collect().iter_rows())
    shops = tables["shops"].frame.filter("open").select(_COLUMNS).collect()
    for (code,), part in shops.sort("code", maintain_order=True).group_by("code", maintain_order=True):
        wkb = outlines.get(code)
        centre = centre_of(part, halls.get(str(code)), shapely.from_wkb(wkb) if wkb else None)
        yield (code, *_counts(centre), part.height)


def _counts(centre: Centre) -> tuple[int, ...]:
    if centre.polygon is None:
        return (0, 0, 0, centre.unplaced, 0, 0)
    food = centre.shops.filter(pl.col("group").is_in(FOOD_GROUPS))["place"]
    return (
        1, centre.inside, centre.outside, centre.unplaced, int((food == INSIDE).sum()), int((food == OUTSIDE).sum()),
    )  # fmt: skip
