"""Rows of the facility table from the tables of a snapshot: BPE, FINESS, Basilic, museums, cinemas, town halls."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import polars as pl

from bourg.access.places.crosswalk import Family
from bourg.store.snapshot import Snapshot

Box = tuple[float, float, float, float]
_COLUMNS = ("facility_id", "family", "kind", "name", "code", "longitude", "latitude", "source", "demo", "place")


def _by_type(wanted: Sequence[Family], attribute: str) -> dict[str, list[str]]:
    """Return the families of every type of a source; a type may belong to several."""
    found: dict[str, list[str]] = {}
    for family in wanted:
        for value in getattr(family, attribute):
            found.setdefault(value, []).append(family.id)
    return found


def _typed(frame: pl.LazyFrame, column: str, types: Mapping[str, list[str]]) -> pl.LazyFrame:
    """Give each row its families, one row per family; the rows of other types leave."""
    table = pl.LazyFrame(
        [(value, family) for value, names in types.items() for family in names],
        schema={column: pl.String, "family": pl.String},
        orient="row",
    )
    return frame.join(table, on=column, how="inner", maintain_order="left")


def _of_table(wanted: Sequence[Family], table: str) -> str | None:
    return next((family.id for family in wanted if table in family.tables), None)


def _bpe(frame: pl.LazyFrame, wanted: Sequence[Family]) -> pl.LazyFrame:
    latest = frame.filter(pl.col("year") == pl.col("year").max())
    rows = _typed(latest, "typequ", _by_type(wanted, "bpe"))
    place = ["family", "typequ", "code", "longitude", "latitude"]
    # The BPE has no id: the rank among the facilities of one type in one commune, in the order of their places.
    rank = pl.int_range(pl.len()).over("family", "typequ", "code", order_by=["longitude", "latitude"]) + 1
    return rows.sort(place, nulls_last=True).select(
        facility_id=pl.format("bpe:{}:{}:{}", pl.col("typequ"), pl.col("code").fill_null("?"), rank),
        family="family",
        kind=pl.lit("BPE ") + pl.col("typequ"),
        name=pl.lit(None, dtype=pl.String),
        code="code",
        longitude="longitude",
        latitude="latitude",
        source=pl.lit("bpe"),
    )


def _bpe_counts(snapshot: Snapshot, wanted: Sequence[Family], local: pl.Expr | None) -> pl.LazyFrame:
    """Return one row per facility that the BPE counts in a commune without placing any there."""
    counts = snapshot.table("equipment")
    if local is not None:
        counts = counts.filter(local)
    if snapshot.has_table("equipment_points"):
        counts = counts.join(snapshot.table("equipment_points").select("code").unique(), on="code", how="anti")
    latest = counts.filter(pl.col("year") == pl.col("year").max().over("code"))
    totals = latest.group_by("code", "typequ").agg(pl.col("n").sum()).filter(pl.col("n") > 0)
    rows = _typed(totals, "typequ", _by_type(wanted, "bpe")).with_columns(rank=pl.int_ranges(1, pl.col("n") + 1))
    nowhere = pl.lit(None, dtype=pl.Float64)
    return (
        rows.sort("family", "typequ", "code")
        .explode("rank", empty_as_null=True)
        .select(
            facility_id=pl.format("bpe:{}:{}:{}", pl.col("typequ"), pl.col("code"), pl.col("rank")),
            family="family",
            kind=pl.lit("BPE ") + pl.col("typequ"),
            name=pl.lit(None, dtype=pl.String),
            code="code",
            longitude=nowhere,
            latitude=nowhere,
            source=pl.lit("bpe"),
        )
    )


def _finess(frame: pl.LazyFrame, wanted: Sequence[Family]) -> pl.LazyFrame:
    rows = _typed(frame, "category_code", _by_type(wanted, "finess"))
    kind = pl.lit("FINESS ") + pl.col("category_code")
    return _plain(rows, "finess", "facility_id", kind, pl.col("family"))


def _basilic(frame: pl.LazyFrame, wanted: Sequence[Family]) -> pl.LazyFrame:
    rows = _typed(frame, "type", _by_type(wanted, "basilic"))
    return _plain(rows, "basilic", "place_id", pl.lit("Basilic ") + pl.col("type"), pl.col("family"))


def _plain(frame: pl.LazyFrame, source: str, key: str, kind: pl.Expr, family: pl.Expr) -> pl.LazyFrame:
    return frame.select(
        facility_id=pl.lit(f"{source}:") + pl.col(key),
        family=family,
        kind=kind,
        name="name",
        code="code",
        longitude="longitude",
        latitude="latitude",
        source=pl.lit(source),
    )


def _whole(source: str, key: str, kind: str) -> Callable[[pl.LazyFrame, Sequence[Family]], pl.LazyFrame]:
    def rows(frame: pl.LazyFrame, wanted: Sequence[Family]) -> pl.LazyFrame:
        return _plain(frame, source, key, pl.lit(kind), pl.lit(_of_table(wanted, source)))

    return rows


def _france_services(frame: pl.LazyFrame, wanted: Sequence[Family]) -> pl.LazyFrame:
    # A bus has no place; a structure known by its id alone is still in its commune.
    fixed = frame.filter(~pl.col("itinerant").fill_null(value=False))
    return _whole("france_services", "place_id", "France services")(fixed, wanted)


def _town_halls(frame: pl.LazyFrame, wanted: Sequence[Family]) -> pl.LazyFrame:
    named = frame.with_columns(name=pl.lit(None, dtype=pl.String))
    return _whole("town_halls", "code", "Mairie")(named, wanted)


def _latest(source: str, key: str, kind: str) -> Callable[[pl.LazyFrame, Sequence[Family]], pl.LazyFrame]:
    def rows(frame: pl.LazyFrame, wanted: Sequence[Family]) -> pl.LazyFrame:
        last = frame.filter(pl.col("year") == pl.col("year").max()).unique(key, keep="first", maintain_order=True)
        if source == "cinemas":
            last = last.filter(pl.col("kind") == "FIXE")
        nowhere = pl.lit(None, dtype=pl.Float64)
        return _whole(source, key, kind)(last.with_columns(longitude=nowhere, latitude=nowhere), wanted)

    return rows


_TABLES: dict[str, Callable[[pl.LazyFrame, Sequence[Family]], pl.LazyFrame]] = {
    "equipment_points": _bpe,
    "health_facilities": _finess,
    "culture_places": _basilic,
    "museums": _whole("museums", "museum_id", "Musée de France"),
    "france_services": _france_services,
    "town_halls": _town_halls,
    "cinemas": _latest("cinemas", "cinema_id", "Cinéma (CNC)"),
    "maternities": _latest("maternities", "maternity_id", "Maternité (DREES)"),
}
_BY_TYPE = {"equipment_points": "bpe", "health_facilities": "finess", "culture_places": "basilic"}


def snapshot_rows(
    snapshot: Snapshot, wanted: Sequence[Family], bbox: Box | None = None, *, counts: bool = False
) -> pl.DataFrame:
    """Return the facilities of every table of a snapshot, before they are checked and merged.

    Parameters
    ----------
    snapshot
        An opened snapshot.
    wanted
        Families.
    bbox
        West, south, east, north, degrees: the facilities of the communes that meet it, and those without a commune.
    counts
        Add the facilities that the BPE counts in a commune where it places none.

    Returns
    -------
    polars.DataFrame
        Columns of ``facilities.SCHEMA``. A facility without coordinates is put at the town hall of its commune (else
        at the point of the commune), which ``place`` says; without a known commune its coordinates stay null.
    """
    parts = []
    local = None if bbox is None else _near(snapshot, bbox)
    for name, read in _TABLES.items():
        column = _BY_TYPE.get(name)
        useful = _by_type(wanted, column) if column else _of_table(wanted, name)
        if not useful or not snapshot.has_table(name):
            continue
        frame = snapshot.table(name)
        if local is not None:
            frame = frame.filter(local)
        demo = pl.lit(bool(snapshot.manifest["tables"][name]["demo"]))
        parts.append(read(frame, wanted).with_columns(demo=demo))
    if counts and _by_type(wanted, "bpe") and snapshot.has_table("equipment"):
        demo = pl.lit(bool(snapshot.manifest["tables"]["equipment"]["demo"]))
        parts.append(_bpe_counts(snapshot, wanted, local).with_columns(demo=demo))
    if not parts:
        kinds = dict.fromkeys(_COLUMNS, pl.String) | {
            "longitude": pl.Float64, "latitude": pl.Float64, "demo": pl.Boolean,
        }  # fmt: skip
        return pl.DataFrame(schema=kinds)
    return _at_communes(pl.concat(parts).collect(), snapshot).select(_COLUMNS)


def _near(snapshot: Snapshot, bbox: Box) -> pl.Expr:
    """Select whole communes that meet a box: their facilities keep their rank, and those without a place are there."""
    west, south, east, north = bbox
    meets = (pl.col("xmin") <= east) & (pl.col("xmax") >= west) & (pl.col("ymin") <= north) & (pl.col("ymax") >= south)
    codes = snapshot.table("communes").filter(meets).select("code").collect()["code"].to_list()
    return pl.col("code").is_in(codes) | pl.col("code").is_null()


def commune_centres(snapshot: Snapshot) -> pl.LazyFrame:
    """Return where each commune is when only its name is known, ``code, _x, _y``: its town hall, else a point inside.

    Some town halls have lost the sign of their longitude: one outside its commune stands for nothing.
    """
    centres = snapshot.table("communes").select("code", "xmin", "ymin", "xmax", "ymax", _x="longitude", _y="latitude")
    if snapshot.has_table("town_halls"):
        halls = snapshot.table("town_halls").select("code", _hx="longitude", _hy="latitude")
        inside = pl.col("_hx").is_between("xmin", "xmax") & pl.col("_hy").is_between("ymin", "ymax")
        inside = inside.fill_null(value=False)
        centres = centres.join(halls, on="code", how="left").with_columns(
            _x=pl.when(inside).then("_hx").otherwise("_x"), _y=pl.when(inside).then("_hy").otherwise("_y")
        )
    return centres.select("code", "_x", "_y")


def _at_communes(rows: pl.DataFrame, snapshot: Snapshot) -> pl.DataFrame:
    """Put the facilities that have a commune and no coordinates at its town hall."""
    lacking = pl.col("longitude").is_null() | pl.col("latitude").is_null()
    joined = rows.join(commune_centres(snapshot).collect(), on="code", how="left", maintain_order="left")
    return joined.with_columns(
        longitude=pl.when(lacking).then("_x").otherwise("longitude"),
        latitude=pl.when(lacking).then("_y").otherwise("latitude"),
        place=pl.when(lacking & pl.col("_x").is_not_null()).then(pl.lit("commune")).otherwise(pl.lit("point")),
    )
