"""Where the inhabitants of a commune live, as points: squares of 200 m, buildings, addresses, IRIS, town hall."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import shapely

from bourg.access.places.addresses import EXTRACTS, read_addresses
from bourg.access.places.facility_tables import commune_centres
from bourg.access.places.osm_places import dwellings_of_extract, extent_of_extract
from bourg.errors import ParameterError, UnknownTerritoryError
from bourg.indicators.parameters import parameter
from bourg.sources.demo.grid import squares_of
from bourg.store.locating import Locator
from bourg.store.snapshot import Snapshot
from bourg.text import count_of, format_number, join_words

Box = tuple[float, float, float, float]
METHOD_LABELS = {
    "carreaux_200m": "carreaux de 200 m (Insee)",
    "batiments": "bâtiments (OpenStreetMap)",
    "adresses": "adresses",
    "iris": "un point par IRIS",
    "commune": "un seul point, la mairie",
}
SCHEMA = {
    "point_id": pl.String, "longitude": pl.Float64, "latitude": pl.Float64, "inhabitants": pl.Float64,
    "method": pl.String, "code": pl.String, "demo": pl.Boolean,
}  # fmt: skip
_METHODS = {
    "code": pl.String, "method": pl.String, "points": pl.Int64, "inhabitants": pl.Int64, "demo": pl.Boolean,
    "refused": pl.String,
}  # fmt: skip
_WEIGHTED = {
    "point_id": pl.String, "longitude": pl.Float64, "latitude": pl.Float64, "weight": pl.Float64, "code": pl.String,
}  # fmt: skip
# Squares drawn here, for a commune that no source describes.
_GENERATED = "generated"
_HALF_SIDE_M = 100.0
_DEGREE_M = 111_195.0


@dataclass(frozen=True)
class Population:
    """Inhabitants as points.

    Attributes
    ----------
    table
        ``point_id, longitude, latitude, inhabitants, method, code, demo``; the points of a commune add up to its
        municipal population. ``inhabitants`` is null in a commune whose population is unknown.
    methods
        One row per commune: ``code, method, points, inhabitants, demo, refused`` (why the preferred methods were not
        used, French).
    """

    table: pl.DataFrame
    methods: pl.DataFrame

    def sentence(self) -> str:
        """Return, in French, how the inhabitants were placed."""
        parts = []
        groups = self.methods.group_by("method", "demo", maintain_order=True).agg(
            pl.col("points").sum(), pl.col("inhabitants").drop_nulls().implode(), pl.len()
        )
        for method, demo, points, known, communes in groups.iter_rows():
            mark = ", générés pour la démonstration" if demo else ""
            where = f" dans {count_of(communes, 'commune')}" if self.methods.height > 1 else ""
            people = count_of(sum(known), "habitant") if known else "Population inconnue"
            parts.append(f"{people}{where} : {METHOD_LABELS[method]}, {count_of(points, 'point')}{mark}")
        return " ; ".join(parts) + "."


@dataclass
class _Towns:
    """The communes asked for, what they hold, and why a method does not serve them."""

    codes: list[str]
    totals: dict[str, int | None]
    outlines: dict[str, shapely.Geometry]
    reasons: dict[str, list[str]]

    def refuse(self, code: str, method: str, why: str) -> None:
        self.reasons[code].append(f"{METHOD_LABELS[method]} : {why}")


def _towns(snapshot: Snapshot, codes: Sequence[str]) -> _Towns:
    wanted = list(dict.fromkeys(codes))
    rows = snapshot.table("communes").filter(pl.col("code").is_in(wanted)).select("code", "population").collect()
    totals = dict(rows.iter_rows())
    unknown = [code for code in wanted if code not in totals]
    if unknown:
        raise UnknownTerritoryError(
            "Une commune n'existe pas dans l'instantané.",
            where=join_words(unknown[:5]),
            next_step="donnez le code Insee d'une commune actuelle.",
        )
    outlines = snapshot.table("outlines").filter(pl.col("code").is_in(wanted)).collect()
    shapes = dict(zip(outlines["code"], shapely.from_wkb(outlines["wkb"].to_list()), strict=True))
    return _Towns(wanted, totals, shapes, {code: [] for code in wanted})


def _square(longitude: float, latitude: float) -> shapely.Geometry:
    """Return the outline of a square of 200 m, in degrees; its turn against the meridian is neglected."""
    high = _HALF_SIDE_M / _DEGREE_M
    wide = high / float(np.cos(np.radians(latitude)))
    return shapely.box(longitude - wide, latitude - high, longitude + wide, latitude + high)


def _share(outline: shapely.Geometry | None, longitude: float, latitude: float, n_codes: int) -> float:
    """Return the part of a square on several communes that is in one of them."""
    if outline is None:
        return 1 / n_codes
    square = _square(longitude, latitude)
    return float(shapely.area(shapely.intersection(outline, square)) / shapely.area(square))


def _from_cells(snapshot: Snapshot, towns: _Towns) -> pl.DataFrame:
    if not snapshot.has_table("population_cells"):
        for code in towns.codes:
            towns.refuse(code, "carreaux_200m", "l'instantané n'en a pas")
        return pl.DataFrame(schema=_WEIGHTED)
    rows = snapshot.table("population_cells").filter(pl.col("code").is_in(towns.codes)).collect()
    # Two communes of a square may have merged since.
    rows = rows.unique(["cell_id", "code"], keep="first", maintain_order=True)
    shares = [
        1.0 if n == 1 else _share(towns.outlines.get(code), x, y, n)
        for code, n, x, y in rows.select("code", "n_codes", "longitude", "latitude").iter_rows()
    ]
    return rows.select(
        pl.when(pl.col("n_codes") > 1)
        .then(pl.col("cell_id") + "_" + pl.col("code"))
        .otherwise("cell_id")
        .alias("point_id"),
        "longitude",
        "latitude",
        (pl.col("inhabitants") * pl.Series(shares, dtype=pl.Float64)).alias("weight"),
        "code",
    )


def _inside(points: pl.DataFrame, towns: _Towns) -> pl.DataFrame:
    """Give each point its commune among those asked for; the others leave."""
    codes = sorted(towns.outlines)
    outlines = pl.DataFrame(
        {
            "code": codes,
            "wkb": shapely.to_wkb(np.array([towns.outlines[code] for code in codes], dtype=object)).tolist(),
        },
        schema={"code": pl.String, "wkb": pl.Binary},
    )
    if outlines.is_empty() or points.is_empty():
        return pl.DataFrame(schema=_WEIGHTED)
    found = Locator(outlines).locate(points["longitude"], points["latitude"])
    return points.with_columns(code=found).filter(pl.col("code").is_not_null()).select(list(_WEIGHTED))


def _from_extract(points: pl.DataFrame, extent: Box | None, towns: _Towns, method: str) -> pl.DataFrame:
    """Keep the communes that the extract covers and where it has enough points."""
    rules = parameter("dwellings", package="bourg.access")
    frame = shapely.box(*extent) if extent else shapely.Polygon()
    covered = []
    for code, outline in towns.outlines.items():
        share = float(shapely.area(shapely.intersection(outline, frame)) / shapely.area(outline))
        if share >= rules["min_coverage"]:
            covered.append(code)
        else:
            towns.refuse(code, method, f"l'extrait ne couvre que {format_number(100 * share)} % de la commune")
    return _enough(_inside(points, towns).filter(pl.col("code").is_in(covered)), covered, towns, method)


def _enough(rows: pl.DataFrame, codes: Sequence[str], towns: _Towns, method: str) -> pl.DataFrame:
    """Refuse the communes where points are too few to stand for the inhabitants."""
    most = parameter("dwellings", package="bourg.access")["max_inhabitants_per_point"]
    counts = dict(rows.group_by("code").len().iter_rows())
    kept = []
    for code in codes:
        n, total = counts.get(code, 0), towns.totals[code] or 0
        if n and total <= most * n:
            kept.append(code)
        else:
            towns.refuse(code, method, f"{count_of(n, 'point')} pour {format_number(total)} habitants, trop peu")
    return rows.filter(pl.col("code").is_in(kept))


def _from_iris(snapshot: Snapshot, points: pl.DataFrame | None, towns: _Towns) -> pl.DataFrame:
    if points is None or not snapshot.has_table("iris"):
        return pl.DataFrame(schema=_WEIGHTED)
    rows = snapshot.table("iris").filter(pl.col("code").is_in(towns.codes)).select("iris", "code", "population")
    placed = rows.collect().join(points.select("iris", "longitude", "latitude"), on="iris", how="left")
    lacking = set(placed.filter(pl.col("longitude").is_null())["code"])
    for code in sorted(lacking):
        towns.refuse(code, "iris", "un IRIS n'a pas de point")
    return placed.filter(~pl.col("code").is_in(list(lacking))).select(
        pl.col("iris").alias("point_id"),
        "longitude",
        "latitude",
        pl.col("population").cast(pl.Float64).alias("weight"),
        "code",
    )


def _from_buildings(extract: Path | None, dwellings: tuple[pl.DataFrame, Box] | None, towns: _Towns) -> pl.DataFrame:
    if dwellings is not None:
        return _from_extract(*dwellings, towns, "batiments")
    if extract is not None:
        return _from_extract(dwellings_of_extract(extract), extent_of_extract(extract), towns, "batiments")
    return pl.DataFrame(schema=_WEIGHTED)


def _from_addresses(addresses: Path | None, towns: _Towns) -> pl.DataFrame:
    if addresses is None:
        return pl.DataFrame(schema=_WEIGHTED)
    found = read_addresses(addresses)
    if addresses.name.lower().endswith(EXTRACTS):
        return _from_extract(found, extent_of_extract(addresses), towns, "adresses")
    return _enough(_inside(found, towns), towns.codes, towns, "adresses")


def _generated(snapshot: Snapshot, codes: Sequence[str]) -> pl.DataFrame:
    if not codes or not snapshot.has_table("iris"):
        return pl.DataFrame(schema=_WEIGHTED)
    communes, iris, outlines = (
        snapshot.table(name).filter(pl.col("code").is_in(codes)).collect() for name in ("communes", "iris", "outlines")
    )
    parts = [
        squares_of(communes, iris, outlines, code).with_columns(
            code=pl.lit(code), point_id=pl.format("{}-{}", pl.lit(code), pl.int_range(pl.len()))
        )
        for code in codes
    ]
    return pl.concat(parts).with_columns(weight=pl.col("ind").cast(pl.Float64)).select(list(_WEIGHTED))


def _from_centres(snapshot: Snapshot, towns: _Towns) -> pl.DataFrame:
    centres = commune_centres(snapshot).filter(pl.col("code").is_in(towns.codes)).collect()
    return centres.select(
        pl.col("code").alias("point_id"), longitude="_x", latitude="_y", weight=pl.lit(1.0), code="code"
    )


def _order(given: Sequence[str] | None) -> list[str]:
    known = list(METHOD_LABELS)
    chosen = list(given if given is not None else parameter("population_order", package="bourg.access"))
    wrong = [name for name in chosen if name not in known]
    if wrong:
        raise ParameterError(
            f"La manière de placer les habitants « {wrong[0][:40]} » n'existe pas.",
            next_step=f"choisissez parmi : {', '.join(known)}.",
        )
    return chosen


def population_points(
    snapshot: Snapshot,
    codes: str | Sequence[str],
    *,
    extract: Path | None = None,
    dwellings: tuple[pl.DataFrame, Box] | None = None,
    addresses: Path | None = None,
    iris_points: pl.DataFrame | None = None,
    order: Sequence[str] | None = None,
    generate: bool = True,
) -> Population:
    """Place the inhabitants of communes, each by the preferred method that its data allow.

    Parameters
    ----------
    snapshot
        Opened snapshot: communes, outlines, population, and squares when a build read them.
    codes
        INSEE codes of communes.
    extract
        OSM extract, for buildings.
    dwellings
        Instead of an extract, what was read of it (:func:`bourg.access.places.osm_places.dwellings_of_extract`), and
        the box that it covers (west, south, east, north).
    addresses
        Addresses (:func:`bourg.access.places.addresses.read_addresses`).
    iris_points
        ``iris, longitude, latitude``.
    order
        Methods in order of preference (parameter ``population_order`` by default). Generated squares come just before
        the town hall whatever the order. The last resort is always the town hall.
    generate
        Draw squares inside the outline of a commune that no source describes, marked ``demo``, rather than gather its
        inhabitants at the town hall.

    Raises
    ------
    UnknownTerritoryError
        When a commune does not exist.
    ParameterError
        When a method does not exist.
    SourceFormatError
        When a file cannot be read.
    """
    towns = _towns(snapshot, [codes] if isinstance(codes, str) else codes)
    demo = snapshot.has_table("population_cells") and bool(snapshot.manifest["tables"]["population_cells"]["demo"])
    wanted = [name for name in _order(order) if name != "commune"]
    if demo and "carreaux_200m" in wanted:
        wanted = [name for name in wanted if name != "carreaux_200m"] + ["carreaux_200m"]
    taken: list[pl.DataFrame] = []
    found_by = {
        "carreaux_200m": lambda: _from_cells(snapshot, towns),
        "batiments": lambda: _from_buildings(extract, dwellings, towns),
        "adresses": lambda: _from_addresses(addresses, towns),
        "iris": lambda: _from_iris(snapshot, iris_points, towns),
        _GENERATED: lambda: _generated(snapshot, [code for code in towns.codes if code not in done]),
        "commune": lambda: _from_centres(snapshot, towns),
    }
    done: set[str] = set()
    for step in [*wanted, *([_GENERATED] if generate and "carreaux_200m" in wanted else []), "commune"]:
        method = "carreaux_200m" if step == _GENERATED else step
        points = _scaled(found_by[step]().filter(~pl.col("code").is_in(list(done))), towns, method)
        done |= set(points["code"])
        generated = step == _GENERATED or (demo and step == "carreaux_200m")
        taken.append(points.with_columns(method=pl.lit(method), demo=pl.lit(generated)).select(list(SCHEMA)))
    table = pl.concat(taken).sort("code", "point_id")
    return Population(table, _methods(table, towns))


def _scaled(points: pl.DataFrame, towns: _Towns, method: str) -> pl.DataFrame:
    """Turn weights into inhabitants; a commune with inhabitants and no weight is left to the next method."""
    total = pl.col("code").replace_strict(towns.totals, default=None, return_dtype=pl.Float64)
    weights = pl.col("weight").sum().over("code")
    points = points.filter(pl.col("weight") >= 0).with_columns(_total=total, _sum=weights)
    empty = points.filter((pl.col("_sum") <= 0) & (pl.col("_total") > 0))["code"].unique().sort().to_list()
    for code in empty:
        towns.refuse(code, method, "aucun habitant n'y est compté")
    share = pl.when(pl.col("_sum") > 0).then(pl.col("weight") / pl.col("_sum")).otherwise(1 / pl.len().over("code"))
    return points.filter(~pl.col("code").is_in(empty)).with_columns(inhabitants=pl.col("_total") * share)


def _methods(table: pl.DataFrame, towns: _Towns) -> pl.DataFrame:
    found = {row[0]: row[1:] for row in table.group_by("code").agg(
        pl.col("method").first(), pl.len(), pl.col("demo").first()
    ).iter_rows()}  # fmt: skip
    rows = [
        (
            code,
            found[code][0],
            found[code][1],
            towns.totals[code],
            found[code][2],
            " ; ".join(towns.reasons[code]) or None,
        )
        for code in towns.codes
        if code in found
    ]
    return pl.DataFrame(rows, schema=_METHODS, orient="row")
