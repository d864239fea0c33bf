"""The shopping centre of a town: a rule that anybody can read and change, or a declared perimeter.

The rule grows from the town hall: shops within ``start_m`` of it that have enough neighbours start the centre, and each
shop that has ``dense_shops`` others within ``link_m`` brings its neighbours in (DBSCAN of Ester et al., 1996, followed
from one place). The outline is the union of discs around the shops kept, its hollows filled. Shops without coordinates
are told apart: they are neither inside nor outside.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import polars as pl
import shapely
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from shapely.geometry.base import BaseGeometry

from bourg.commerce.centre_rule import BOUNDS, LABELS, CentreRule, default_rule
from bourg.commerce.typology import group_of, typology
from bourg.text import NBSP, count_of, format_number

__all__ = [
    "BOUNDS", "FOOD_GROUPS", "INSIDE", "LABELS", "MISPLACED", "OUTSIDE", "PLACES", "UNPLACED", "Centre", "CentreRule",
    "GroupShare", "Perimeter", "centre_of", "default_rule", "in_metres", "members", "metres_per_degree",
]  # fmt: skip
INSIDE, OUTSIDE, UNPLACED, MISPLACED = "dedans", "dehors", "sans_position", "position_fausse"
PLACES = {
    INSIDE: "dans le centre",
    OUTSIDE: "hors du centre",
    UNPLACED: "sans position connue",
    MISPLACED: "position hors de la commune",
}
FOOD_GROUPS = ("food", "craft_food", "supermarkets")
_METRES_PER_DEGREE = 111_195.0
# About ten centimetres.
_GRID = 1e-6
_ARCS = 8
Point = tuple[float, float]
Origin = Literal["rule", "declared", "none"]


@dataclass(frozen=True)
class Perimeter:
    """A declared perimeter, checked.

    Attributes
    ----------
    polygon
        Polygon or MultiPolygon, EPSG:4326.
    name
        What the file calls it, else its file name.
    notes
        French remarks on what was repaired or left aside.
    """

    polygon: BaseGeometry
    name: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class GroupShare:
    """Shops of one group (or of all, ``id`` = ``total``): counts inside, outside, unplaced; ``share`` in percent.

    ``share`` = 100 × inside ÷ (inside + outside), ``None`` when no shop is placed.
    """

    id: str
    label: str
    inside: int
    outside: int
    unplaced: int
    share: float | None


@dataclass(frozen=True)
class Centre:
    """The centre of one town, or the reason why there is none.

    Attributes
    ----------
    origin
        ``rule``, ``declared``, or ``none`` (see ``reason``).
    polygon
        Polygon or MultiPolygon in degrees (EPSG:4326); ``None`` without a centre.
    sentence
        French sentence: the rule, or the declared perimeter.
    reason
        French sentence: why there is no centre; empty otherwise.
    rule
        Rule applied; ``None`` for a declared perimeter.
    inside, outside
        Open shops placed inside and outside; all are outside (0 and n) when there is no centre.
    unplaced
        Open shops without coordinates, or whose coordinates are not in the commune: never counted outside.
    misplaced
        Those of ``unplaced`` whose coordinates are not in the commune.
    share
        100 × inside ÷ (inside + outside); ``None`` without a centre or without placed shops.
    area_ha
        Area in hectares; ``None`` without a centre.
    groups
        Counts by group of shops, in the order of the typology; those with a shop only.
    shops
        The open shops given, with ``place`` (one of :data:`PLACES`).
    notes
        French remarks (declared perimeter repaired…).
    """

    origin: Origin
    polygon: BaseGeometry | None
    sentence: str
    reason: str
    rule: CentreRule | None
    inside: int
    outside: int
    unplaced: int
    misplaced: int
    share: float | None
    area_ha: float | None
    groups: tuple[GroupShare, ...]
    shops: pl.DataFrame
    notes: tuple[str, ...] = ()

    @property
    def unplaced_sentence(self) -> str:
        """French sentence on the shops that cannot be told inside or outside; empty when there are none."""
        if not self.unplaced:
            return ""
        wrong = f", dont {format_number(self.misplaced)} placés hors de la commune" if self.misplaced else ""
        return f"{count_of(self.unplaced, 'commerce')} sans position utilisable{wrong}{NBSP}: ni dedans, ni dehors."

    def to_geojson(self) -> dict[str, Any]:
        """Return a GeoJSON FeatureCollection (EPSG:4326) of the outline; without a feature when there is no centre."""
        if self.polygon is None:
            return {"type": "FeatureCollection", "features": []}
        properties = {
            "origine": self.origin, "regle": self.sentence, "commerces_dedans": self.inside,
            "commerces_dehors": self.outside, "commerces_sans_position": self.unplaced,
        }  # fmt: skip
        geometry = json.loads(shapely.to_geojson(self.polygon))
        feature = {"type": "Feature", "properties": properties, "geometry": geometry}
        return {"type": "FeatureCollection", "features": [feature]}

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types, shops apart."""
        return {
            "origine": self.origin, "phrase": self.sentence, "raison": self.reason,
            "regle": asdict(self.rule) if self.rule else None, "dedans": self.inside, "dehors": self.outside,
            "sans_position": self.unplaced, "position_fausse": self.misplaced, "part": self.share,
            "surface_ha": self.area_ha, "groupes": [asdict(item) for item in self.groups],
            "remarques": list(self.notes),
            "perimetre": json.loads(shapely.to_geojson(self.polygon)) if self.polygon is not None else None,
        }  # fmt: skip


def centre_of(
    shops: pl.DataFrame,
    town_hall: Point | None,
    outline: BaseGeometry | None = None,
    *,
    rule: CentreRule | None = None,
    declared: Perimeter | None = None,
) -> Centre:
    """Draw the centre of a town and count its shops.

    Parameters
    ----------
    shops
        Shops of one commune: ``type, longitude, latitude`` (degrees, null when unknown) and, when known, ``group``
        and ``open`` (closed shops are left out); other columns are kept.
    town_hall
        Longitude and latitude, degrees; ``None`` when unknown.
    outline
        The commune, EPSG:4326: a shop farther than ``far_m`` outside it is misplaced.
    rule
        Parameters; those declared by default.
    declared
        A perimeter that replaces the rule (:func:`bourg.commerce.perimeter.read_perimeter`).

    Returns
    -------
    Centre
        Never an invented centre: with too few shops, or without a town hall, its ``origin`` is ``none``.
    """
    chosen = rule or default_rule()
    known = _open(shops)
    placed = _placed(known, outline, chosen.far_m)
    polygon: BaseGeometry | None = None
    reason = ""
    notes: tuple[str, ...] = ()
    if declared is not None:
        polygon, notes = declared.polygon, declared.notes
        sentence = f"Le centre est le périmètre déclaré «{NBSP}{declared.name}{NBSP}»."
    else:
        sentence = chosen.sentence()
        polygon, reason = _drawn(known, placed, town_hall, chosen)
    place = placed
    if polygon is not None:
        at = np.flatnonzero(placed == OUTSIDE)
        points = shapely.points(known["longitude"].to_numpy()[at], known["latitude"].to_numpy()[at])
        shapely.prepare(polygon)
        place = placed.copy()
        place[at[shapely.covers(polygon, points)]] = INSIDE
    table = known.with_columns(place=pl.Series(place.tolist(), dtype=pl.String))
    counts = dict(Counter(zip(table["group"].to_list(), place.tolist(), strict=True)))
    drawn = polygon is not None
    total = _share("total", "Tous les commerces", counts, None, centre=drawn)
    present = {group for group, _ in counts}
    by_group = [
        _share(key, label, counts, key, centre=drawn) for key, label in typology().groups.items() if key in present
    ]
    return Centre(
        origin="none" if polygon is None else "declared" if declared is not None else "rule",
        polygon=polygon, sentence=sentence, reason=reason, rule=None if declared is not None else chosen,
        inside=total.inside, outside=total.outside, unplaced=total.unplaced,
        misplaced=int((place == MISPLACED).sum()), share=total.share,
        area_ha=None if polygon is None else _hectares(polygon), groups=tuple(by_group), shops=table, notes=notes,
    )  # fmt: skip


def _open(shops: pl.DataFrame) -> pl.DataFrame:
    table = shops.filter(pl.col("open")) if "open" in shops.columns else shops
    if "group" not in table.columns:
        table = table.with_columns(group=group_of(pl.col("type")))
    return table.with_columns(pl.col("longitude", "latitude").cast(pl.Float64))


def _placed(shops: pl.DataFrame, outline: BaseGeometry | None, far_m: float) -> NDArray[np.str_]:
    """Return for each shop ``dehors`` (placed, not yet inside), ``sans_position`` or ``position_fausse``."""
    x, y = shops["longitude"].to_numpy(), shops["latitude"].to_numpy()
    known = np.isfinite(x.astype(np.float64)) & np.isfinite(y.astype(np.float64))
    place = np.where(known, OUTSIDE, UNPLACED).astype("<U20")
    if outline is not None and known.any():
        scale = metres_per_degree(float(outline.centroid.y))
        metric = in_metres(outline, scale)
        shapely.prepare(metric)
        near = shapely.dwithin(metric, shapely.points(x[known] * scale[0], y[known] * scale[1]), far_m)
        place[known] = np.where(near, OUTSIDE, MISPLACED)
    return place


def metres_per_degree(latitude: float) -> tuple[float, float]:
    """Return metres per degree of longitude and of latitude around a parallel."""
    return _METRES_PER_DEGREE * float(np.cos(np.radians(latitude))), _METRES_PER_DEGREE


def in_metres(shape: BaseGeometry, scale: tuple[float, float]) -> BaseGeometry:
    """Return a shape in degrees as one in metres, with the scale of :func:`metres_per_degree`."""
    return shapely.transform(shape, lambda places: places * np.array(scale))


def _hectares(polygon: BaseGeometry) -> float:
    return round(in_metres(polygon, metres_per_degree(float(polygon.centroid.y))).area / 10_000, 2)


def members(points: NDArray[np.float64], start: NDArray[np.float64], rule: CentreRule) -> NDArray[np.bool_]:
    """Return the shops reached from the town hall.

    Parameters
    ----------
    points
        Metres, shape ``(n, 2)``.
    start
        The town hall, metres, shape ``(2,)``.
    rule
        Distances and density.

    Returns
    -------
    ndarray
        Boolean, shape ``(n,)``: dense shops linked to a dense shop near the town hall, and their neighbours.
    """
    reached = np.zeros(len(points), dtype=bool)
    if not len(points):
        return reached
    tree = cKDTree(points)
    around = tree.query_ball_point(points, rule.link_m)
    dense = np.array([len(found) - 1 >= rule.dense_shops for found in around])
    waiting = [index for index in sorted(tree.query_ball_point(start, rule.start_m)) if dense[index]]
    reached[waiting] = True
    while waiting:
        for other in around[waiting.pop()]:
            if not reached[other]:
                reached[other] = True
                if dense[other]:
                    waiting.append(other)
    return reached


def _drawn(
    shops: pl.DataFrame, placed: NDArray[np.str_], town_hall: Point | None, rule: CentreRule
) -> tuple[BaseGeometry | None, str]:
    """Return the outline and an empty reason, or ``None`` and the reason in French."""
    if town_hall is None:
        return None, "La position de la mairie n'est pas connue : la règle n'a pas de point de départ."
    at = np.flatnonzero(placed == OUTSIDE)
    if len(at) < rule.min_shops:
        return None, (
            f"Il n'y a pas de centre par cette règle : {count_of(len(at), 'commerce')} dont la position est "
            f"connue, il en faut {format_number(rule.min_shops)}."
        )
    scale = np.array(metres_per_degree(town_hall[1]))
    points = shops.select("longitude", "latitude").to_numpy()[at] * scale
    kept = members(points, np.array(town_hall) * scale, rule)
    if kept.sum() < rule.min_shops:
        return None, (
            f"Il n'y a pas de centre par cette règle : {count_of(int(kept.sum()), 'commerce')} de proche en proche "
            f"depuis la mairie, il en faut {format_number(rule.min_shops)}."
        )
    # In one order, whatever the order of the rows: same bytes out.
    chosen = np.unique(points[kept], axis=0)
    wide = shapely.union_all(shapely.buffer(shapely.points(chosen), rule.link_m, quad_segs=_ARCS))
    closed = shapely.buffer(wide, rule.edge_m - rule.link_m, quad_segs=_ARCS)
    discs = shapely.union_all(shapely.buffer(shapely.points(chosen), rule.edge_m, quad_segs=_ARCS))
    shape = shapely.transform(shapely.union(closed, discs), lambda places: places / scale)
    return shapely.normalize(shapely.set_precision(shape, _GRID)), ""


def _share(
    key: str, label: str, counts: Mapping[tuple[str | None, str], int], group: str | None, *, centre: bool
) -> GroupShare:
    """Return the counts of one group, or of all without one."""

    def of(*places: str) -> int:
        return sum(n for (kind, place), n in counts.items() if place in places and (group is None or kind == group))

    inside, outside = of(INSIDE), of(OUTSIDE)
    share = 100 * inside / (inside + outside) if centre and inside + outside else None
    return GroupShare(key, label, inside, outside, of(UNPLACED, MISPLACED), share)
