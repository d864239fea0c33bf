"""One typed table of facilities from every source; what cannot be placed is listed with its reason."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import shapely

from bourg.access.places.crosswalk import Family, chosen_families, families, family
from bourg.access.places.duplicates import MERGED_SCHEMA, merge_family
from bourg.access.places.facility_tables import snapshot_rows
from bourg.access.places.osm_places import facilities_of_extract
from bourg.errors import ParameterError
from bourg.indicators.parameters import parameter
from bourg.sources.cells import FRENCH_BOXES
from bourg.store.locating import Locator
from bourg.store.snapshot import Snapshot

Box = tuple[float, float, float, float]
# ``place`` is « point », or « commune » when the source only tells the commune (the town hall stands for it).
SCHEMA = {
    "facility_id": pl.String, "family": pl.String, "kind": pl.String, "name": pl.String, "code": pl.String,
    "longitude": pl.Float64, "latitude": pl.Float64, "source": pl.String, "demo": pl.Boolean, "place": pl.String,
}  # fmt: skip
REJECTED_SCHEMA = {**SCHEMA, "reason": pl.String, "action": pl.String}
DROPPED, MOVED = "écarté", "placé à sa commune"
NO_POINT = "sans coordonnées ni commune"
NULL_ISLAND = "coordonnées nulles (0, 0)"
SWAPPED = "latitude et longitude inversées"
ABROAD = "hors de France"
AT_SEA = "en mer ou à l'étranger : loin de toute commune"
FAR = "loin de la commune déclarée"
_DEGREE_M = 111_195.0


@dataclass(frozen=True)
class Facilities:
    """Facilities of a place.

    Attributes
    ----------
    table
        :data:`SCHEMA`, sorted by family then id; every row has coordinates.
    rejected
        The same columns, ``reason`` and ``action`` (French): rows whose own place cannot be right. They are left out
        (:data:`DROPPED`), or put at their commune (:data:`MOVED`) when they have one.
    merged
        ``facility_id, kept, family, distance_m``: rows that told of a facility already there.
    """

    table: pl.DataFrame
    rejected: pl.DataFrame
    merged: pl.DataFrame

    def of(self, name: str) -> pl.DataFrame:
        """Return the facilities of one family; errors are those of :func:`bourg.access.places.crosswalk.family`."""
        return self.table.filter(pl.col("family") == family(name).id)


@dataclass(frozen=True)
class Land:
    """Communes that facilities may be in, to tell land from sea and a place from its commune.

    Attributes
    ----------
    communes
        ``code, longitude, latitude, xmin, ymin, xmax, ymax``.
    outlines
        ``code, wkb``.
    """

    communes: pl.DataFrame
    outlines: pl.DataFrame

    @classmethod
    def of(cls, snapshot: Snapshot, bbox: Box | None = None) -> Land:
        """Return the communes of a snapshot that meet a box (west, south, east, north)."""
        communes = snapshot.table("communes").select("code", "longitude", "latitude", "xmin", "ymin", "xmax", "ymax")
        if bbox is not None:
            west, south, east, north = bbox
            meets = (pl.col("xmin") <= east + 0.05) & (pl.col("xmax") >= west - 0.05)
            communes = communes.filter(
                (meets & (pl.col("ymin") <= north + 0.05) & (pl.col("ymax") >= south - 0.05)).fill_null(value=True)
            )
        kept = communes.collect()
        outlines = snapshot.table("outlines").join(kept.lazy().select("code"), on="code", how="semi").collect()
        return cls(kept, outlines)


def _empty(schema: dict[str, type[pl.DataType]] | None = None) -> pl.DataFrame:
    return pl.DataFrame(schema=schema or SCHEMA)


def _french(x: str, y: str) -> pl.Expr:
    return pl.any_horizontal(
        pl.col(y).is_between(south, north) & pl.col(x).is_between(west, east)
        for south, north, west, east in FRENCH_BOXES
    ).fill_null(value=False)


def check_places(rows: pl.DataFrame, land: Land | None = None) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Tell the facilities that are somewhere from those that are nowhere.

    Parameters
    ----------
    rows
        Facilities (:data:`SCHEMA`), some without coordinates.
    land
        Communes; without them the sea and the wrong commune cannot be told, nor a missing ``code`` found.

    Returns
    -------
    tuple
        The rows that can be reached, and the others with their ``reason``.
    """
    zero = (pl.col("longitude").abs() < 1e-3) & (pl.col("latitude").abs() < 1e-3)
    known = pl.col("longitude").is_finite() & pl.col("latitude").is_finite()
    told = rows.with_columns(
        reason=pl.when(~known.fill_null(value=False))
        .then(pl.lit(NO_POINT))
        .when(zero)
        .then(pl.lit(NULL_ISLAND))
        .when(_french("longitude", "latitude"))
        .then(pl.lit(None, dtype=pl.String))
        .when(_french("latitude", "longitude"))
        .then(pl.lit(SWAPPED))
        .otherwise(pl.lit(ABROAD))
    )
    if land is not None and land.outlines.height:
        told = _on_land(told, land)
    told = told.with_columns(action=pl.lit(DROPPED))
    reasons = pl.col("reason").is_null()
    return told.filter(reasons).select(list(SCHEMA)), told.filter(~reasons).select(list(REJECTED_SCHEMA))


def _on_land(rows: pl.DataFrame, land: Land) -> pl.DataFrame:
    """Find missing communes, and reject what is at sea or away from its commune."""
    limits = parameter("facility_matching", package="bourg.access")
    rows = rows.with_row_index("_row")
    placed = rows.filter(pl.col("reason").is_null())
    # Most facilities are inside the outline of their own commune: one test each, against one polygon.
    shapes = shapely.from_wkb(land.outlines["wkb"].to_list())
    own = placed.select("code").join(
        land.outlines.select("code").with_row_index("at"), on="code", how="left", maintain_order="left"
    )
    declared = own["at"].is_not_null().to_numpy()
    shapely.prepare(shapes)
    x, y = placed["longitude"].to_numpy(), placed["latitude"].to_numpy()
    at_home = np.zeros(placed.height, dtype=bool)
    at_home[declared] = shapely.contains_xy(shapes[own["at"].drop_nulls().to_numpy()], x[declared], y[declared])
    doubtful = placed.filter(pl.Series(~at_home)).select("_row", "longitude", "latitude")
    located = Locator(land.outlines).locate(doubtful["longitude"], doubtful["latitude"])
    outside = doubtful.filter(located.is_null())
    points = shapely.points(outside["longitude"].to_numpy(), outside["latitude"].to_numpy())
    reach = limits["land_tolerance_m"] / (_DEGREE_M * np.cos(np.radians(np.abs(outside["latitude"].to_numpy()))))
    near, _ = shapely.STRtree(shapes).query(points, predicate="dwithin", distance=reach)
    sea = set(outside["_row"].to_list()) - set(outside["_row"].to_numpy()[near].tolist())
    found = doubtful.select("_row", _found=located)
    box = land.communes.select(_own="code", _w="xmin", _s="ymin", _e="xmax", _n="ymax")
    joined = rows.join(found, on="_row", how="left", maintain_order="left").join(
        box, left_on="code", right_on="_own", how="left", maintain_order="left"
    )
    east = pl.max_horizontal(pl.col("_w") - pl.col("longitude"), pl.col("longitude") - pl.col("_e"), 0.0)
    north = pl.max_horizontal(pl.col("_s") - pl.col("latitude"), pl.col("latitude") - pl.col("_n"), 0.0)
    away = _DEGREE_M * ((east * pl.col("latitude").radians().cos()) ** 2 + north**2).sqrt()
    return joined.with_columns(
        reason=pl.when(pl.col("reason").is_not_null())
        .then("reason")
        .when(pl.col("_row").is_in(list(sea)))
        .then(pl.lit(AT_SEA))
        .when(away > limits["far_from_commune_m"])
        .then(pl.lit(FAR)),
        code=pl.coalesce("code", "_found"),
    )


def _at_their_commune(rejected: pl.DataFrame, land: Land | None) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the rejected rows that a known commune still places, put there, and every rejected row with its action."""
    if land is None:
        return _empty(), rejected
    centres = land.communes.select("code", _x="longitude", _y="latitude").drop_nulls()
    saved = pl.col("_x").is_not_null() & (pl.col("place") == "point")
    rows = rejected.join(centres, on="code", how="left", maintain_order="left").with_columns(
        action=pl.when(saved).then(pl.lit(MOVED)).otherwise("action")
    )
    moved = rows.filter(action=MOVED).with_columns(longitude="_x", latitude="_y", place=pl.lit("commune"))
    return moved.select(list(SCHEMA)), rows.select(list(REJECTED_SCHEMA))


def _merge(rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    kept, merged = [_empty()], [pl.DataFrame(schema=MERGED_SCHEMA)]
    for (name,), part in rows.partition_by("family", as_dict=True, maintain_order=True).items():
        one, pairs = merge_family(part, families()[str(name)])
        kept.append(one.select(list(SCHEMA)))
        merged.append(pairs)
    return pl.concat(kept).sort("family", "facility_id"), pl.concat(merged).sort("family", "facility_id")


def make_facilities(rows: pl.DataFrame, land: Land | None = None) -> Facilities:
    """Check and merge rows of :data:`SCHEMA`, in any order and from any sources."""
    placed, rejected = check_places(rows, land)
    moved, rejected = _at_their_commune(rejected, land)
    table, merged = _merge(pl.concat([placed, moved]))
    return Facilities(table, rejected.sort("family", "facility_id"), merged)


def merge_facilities(*parts: Facilities) -> Facilities:
    """Bring facilities of several sources together (:func:`bourg.access.places.duplicates.merge_family`)."""
    table, merged = _merge(pl.concat([_empty(), *(part.table for part in parts)]))
    rejected = pl.concat([_empty(REJECTED_SCHEMA), *(part.rejected for part in parts)]).unique(maintain_order=True)
    before = [part.merged for part in parts]
    return Facilities(table, rejected, pl.concat([*before, merged]).unique(maintain_order=True))


def facilities_from_osm(path: Path, names: Iterable[str] | None = None, *, land: Land | None = None) -> Facilities:
    """Return the facilities of an OpenStreetMap extract (``.osm.pbf``, ``.osm``, ``.osm.gz``).

    Nodes, ways and multipolygons become a point on the object; what is out of use (``disused:*``) is not there.

    Parameters
    ----------
    path
        The extract.
    names
        Ids or French labels of the families wanted, all by default.
    land
        Communes (:meth:`Land.of`): gives each facility its commune and rejects the sea.

    Raises
    ------
    SourceFormatError
        When the extract cannot be read.
    ParameterError
        When a family does not exist.
    """
    placed, lost = facilities_of_extract(path, names)
    extra = {"code": None, "source": "osm", "demo": False, "place": "point"}
    columns = [pl.lit(value, dtype=SCHEMA[name]).alias(name) for name, value in extra.items()]
    made = make_facilities(placed.with_columns(columns).select(list(SCHEMA)), land)
    rejected = pl.concat(
        [made.rejected, lost.with_columns(*columns, action=pl.lit(DROPPED)).select(list(REJECTED_SCHEMA))]
    )
    return Facilities(made.table, rejected.sort("family", "facility_id"), made.merged)


def with_changes(
    facilities: pl.DataFrame, *, closed: Sequence[str] = (), opened: Sequence[tuple[float, float, str]] = ()
) -> pl.DataFrame:
    """Return the facility table as it would be if some closed and others opened.

    Parameters
    ----------
    facilities
        A facility table; it is not changed.
    closed
        Ids of the facilities that close.
    opened
        Longitude, latitude and family of those that open; their source is ``projet``.

    Raises
    ------
    ParameterError
        When an id is not in the table, a family does not exist, or a point is not on the Earth.
    """
    unknown = sorted(set(closed) - set(facilities["facility_id"]))
    if unknown:
        raise ParameterError(
            "Un équipement à fermer n'est pas dans la liste.",
            where=", ".join(unknown[:5]),
            next_step="donnez un identifiant de la table des équipements.",
        )
    rows = []
    for longitude, latitude, name in opened:
        if not (-180 <= longitude <= 180 and -90 <= latitude <= 90):
            raise ParameterError(
                "Le lieu d'un équipement à ouvrir n'est pas sur Terre.",
                where=f"longitude {longitude}, latitude {latitude}",
                next_step="donnez des degrés, la longitude d'abord.",
            )
        chosen = family(name)
        rows.append({
            "facility_id": f"projet:{chosen.id}:{longitude:.6f},{latitude:.6f}", "family": chosen.id,
            "kind": "projet", "name": f"{chosen.label[0].upper()}{chosen.label[1:]} (projet)",
            "longitude": float(longitude), "latitude": float(latitude), "source": "projet", "demo": False,
            "place": "point",
        })  # fmt: skip
    new = pl.DataFrame(rows, schema=SCHEMA).select(
        name if name in SCHEMA else pl.lit(None, dtype=kind).alias(name) for name, kind in facilities.schema.items()
    )
    kept = facilities.filter(~pl.col("facility_id").is_in(list(closed)))
    return pl.concat([kept, new]).unique("facility_id", keep="first", maintain_order=True)


def facilities_from_snapshot(
    snapshot: Snapshot, names: Iterable[str] | None = None, bbox: Box | None = None, *, counts: bool = False
) -> Facilities:
    """Return the facilities that the tables of a snapshot tell, merged.

    Parameters
    ----------
    snapshot
        An opened snapshot; a table it does not have gives nothing.
    names
        Ids or French labels of the families wanted, all by default.
    bbox
        West, south, east, north: only what is inside, and whatever has no place but a commune meeting the box.
    counts
        Add the facilities that the BPE only counts in a commune, at its town hall (``place`` is then ``commune``):
        right from town to town, wrong inside one.

    Raises
    ------
    ParameterError
        When a family does not exist.
    """
    wanted: tuple[Family, ...] = chosen_families(names)
    made = make_facilities(snapshot_rows(snapshot, wanted, bbox, counts=counts), Land.of(snapshot, bbox))
    if bbox is None:
        return made
    west, south, east, north = bbox
    inside = pl.col("longitude").is_between(west, east) & pl.col("latitude").is_between(south, north)
    return Facilities(made.table.filter(inside), made.rejected, made.merged)
