"""Isochrones: lengths and areas known in advance, nested, valid, the same at every run."""

from __future__ import annotations

import itertools
import math

import numpy as np
import polars as pl
import pytest
import shapely

from bourg.access.network.synthetic import METRES_PER_DEGREE, SyntheticNetwork, grid_network, street_network
from bourg.access.travel.field import runs_kernel
from bourg.access.travel.isochrones import MINUTES, Isochrone, Outline, Streets, isochrones, streets_within
from bourg.access.travel.points import place
from bourg.access.travel.search import Search
from bourg.access.travel.times import limit_seconds
from bourg.errors import ParameterError

CENTRE = np.array([[2.5, 46.5]])
STEP = 100 / METRES_PER_DEGREE


@pytest.fixture(scope="module")
def town() -> SyntheticNetwork:
    """A broken town: streets missing, one-ways, crossings moved."""
    return grid_network(60, 60, dropped=0.35, one_way=0.3, jitter=0.3, seed=2)


def straight_street(pieces: int = 40, **closed: list[bool]) -> SyntheticNetwork:
    """Pieces of 100 m along the equator."""
    a = np.arange(pieces)
    return street_network([(i * STEP, 0.0) for i in range(pieces + 1)], a, a + 1, **closed)


def length_m(network: SyntheticNetwork, point: np.ndarray, minutes: float, mode: str = "foot") -> float:
    return isochrones(network, point, mode, [minutes])[0].streets_km[0] * 1000


@pytest.mark.parametrize("minutes", [1, 5, 7.3])
def test_a_street_alone_is_reached_on_the_exact_length_both_ways(minutes: float) -> None:
    street = straight_street()
    middle = np.array([[20.3 * STEP, 0.0]])
    assert length_m(street, middle, minutes) == pytest.approx(2 * minutes * 5000 / 60, rel=1e-4)
    # The end of the street comes first on one side, then on both.
    assert length_m(street, np.array([[1 * STEP, 0.0]]), 5) == pytest.approx(100 + 5 * 5000 / 60, rel=1e-4)
    assert length_m(street, middle, 60) == pytest.approx(4000, rel=1e-4)


def test_a_one_way_street_is_reached_ahead_only_and_reaches_back() -> None:
    street = straight_street(backward=[False] * 40)
    point = np.array([[20.25 * STEP, 0.0]])
    ahead, back = (isochrones(street, point, "car", [2], direction=way)[0] for way in ("from", "to"))
    assert ahead.streets_km[0] == pytest.approx(2 * 40 / 60, rel=1e-4)
    assert back.streets_km[0] == pytest.approx(2 * 40 / 60, rel=1e-4)
    west, _, east, _ = (np.array(ahead.polygons[0].bounds) / STEP) - 20.25
    assert -1.5 < west < 0
    assert east == pytest.approx(2 * 40_000 / 60 / 100, abs=0.3)
    assert back.polygons[0].bounds[2] / STEP - 20.25 < 1.5


def test_the_far_side_of_a_block_is_cut_where_the_two_ends_meet() -> None:
    # A loop of four 100 m sides: half of it each way round.
    corners = [(0.0, 0.0), (STEP, 0.0), (STEP, STEP), (0.0, STEP)]
    block = street_network(corners, [0, 1, 2, 3], [1, 2, 3, 0])
    places = place(block, np.array([[0.5 * STEP, 0.0]]), "foot")
    minutes = 170 / 5000 * 60
    streets = streets_within(block, Search(block.graph("foot")), places, 0, limit_seconds(30))
    segment, low, high = streets.within(limit_seconds(minutes))
    pieces = {(s, round(a, 3), round(b, 3)) for s, a, b in zip(segment.tolist(), low, high, strict=True)}
    assert pieces == {(0, 0.0, 1.0), (1, 0.0, 1.0), (3, 0.0, 1.0), (2, 0.0, 0.2), (2, 0.8, 1.0)}
    everything = streets.within(limit_seconds(30))
    assert [round(float(value), 6) for value in everything[2] - everything[1]] == [1.0] * 4


def test_a_street_that_comes_back_to_its_start_is_entered_from_both_ends() -> None:
    one, ends = np.zeros(1, dtype=np.int32), np.zeros(2, dtype=np.int32)
    which, entered, left, at, cost = runs_kernel(
        np.array([0, 2]), ends, np.full(2, 60, dtype=np.float32), ends, one, one, one, one, np.array([5.0]),
        np.array([np.inf]),
    )  # fmt: skip
    loop = Streets(which, entered, left, at, cost)
    assert entered.tolist() == [0.0, 1.0]
    assert [values.tolist() for values in loop.within(20.0)] == [[0, 0], [0.0, 0.75], [0.25, 1.0]]
    assert [values.tolist() for values in loop.within(40.0)] == [[0], [0.0], [1.0]]


def test_area_of_a_city_in_a_grid_is_that_of_the_diamond() -> None:
    city = grid_network(80, 80)
    found = isochrones(city, CENTRE, "foot", [10, 15, 20])[0]
    for minutes, area in zip(found.minutes, found.area_km2, strict=True):
        radius = minutes * 5 / 60
        assert area == pytest.approx(2 * radius**2, rel=0.04)
    # Streets of the diamond: 20 km of streets per km2, on two sides of each block.
    assert found.streets_km[2] == pytest.approx(20 * 2 * (20 * 5 / 60) ** 2, rel=0.02)
    bounds = np.array(found.polygons[2].bounds)
    half = (bounds[3] - bounds[1]) / 2 * METRES_PER_DEGREE
    assert half == pytest.approx(20 * 5000 / 60, abs=35)


@pytest.mark.parametrize("mode", ["foot", "bike", "car"])
@pytest.mark.parametrize("direction", ["from", "to"])
def test_outlines_are_valid_nested_and_repeatable(town: SyntheticNetwork, mode: str, direction: str) -> None:
    west, south, east, north = town.bbox
    points = np.random.default_rng(3).uniform((west, south), (east, north), (4, 2))
    found = isochrones(town, points, mode, direction=direction)
    again = isochrones(town, points, mode, reversed(MINUTES), direction=direction)
    assert [item.minutes for item in found] == [tuple(float(value) for value in MINUTES)] * 4
    for one, same in zip(found, again, strict=True):
        assert all(shapely.is_valid(one.polygons))
        assert all(outer.covers(inner) for inner, outer in itertools.pairwise(one.polygons))
        assert list(one.area_km2) == sorted(one.area_km2)
        assert list(one.streets_km) == sorted(one.streets_km)
        assert [shapely.to_wkb(area) for area in one.polygons] == [shapely.to_wkb(area) for area in same.polygons]


def test_outlines_hold_the_nodes_reached_and_no_node_out_of_reach(town: SyntheticNetwork) -> None:
    places = place(town, CENTRE, "foot")
    found = isochrones(town, places, "foot", [5, 15], outline=Outline(hole_m2=0.0))[0]
    graph = town.graph("foot")
    for minutes, area in zip(found.minutes, found.polygons, strict=True):
        snapped = places.snapped
        nodes, times = Search(graph).within(snapped.departures_node[0], snapped.departures_s[0], minutes * 60)
        # Half a cell at the edge is within what the grid can tell: 25 m, some 20 s.
        sure = nodes[times < minutes * 60 - 20]
        assert len(sure) > 10
        assert area.covers(shapely.points(graph.lon[sure], graph.lat[sure])).all()
        others = np.setdiff1d(
            np.arange(graph.n_nodes),
            Search(graph).within(snapped.departures_node[0], snapped.departures_s[0], minutes * 60 + 60)[0],
        )
        near = shapely.distance(area, shapely.points(graph.lon[others], graph.lat[others])) == 0
        # A node out of reach may stand near a street that is reached, within the way allowed off the streets.
        assert near.mean() < 0.02


def test_holes_are_kept_only_above_the_stated_size() -> None:
    # A ring road of 1.6 km around nothing.
    turn = np.linspace(0, 2 * math.pi, 40, endpoint=False)
    ring = np.stack([np.cos(turn), np.sin(turn)], axis=1) * 800 / METRES_PER_DEGREE
    road = street_network(ring, np.arange(40), (np.arange(40) + 1) % 40)
    start = ring[:1]
    kept = isochrones(road, start, "bike", [30], outline=Outline(reach_m=100, hole_m2=500_000))[0]
    filled = isochrones(road, start, "bike", [30], outline=Outline(reach_m=100, hole_m2=3_000_000))[0]
    assert len(kept.polygons[0].interiors) == 1
    assert len(filled.polygons[0].interiors) == 0
    assert filled.area_km2[0] == pytest.approx(math.pi * 0.9**2, rel=0.03)
    assert kept.area_km2[0] == pytest.approx(math.pi * (0.9**2 - 0.7**2), rel=0.12)


def test_an_island_in_a_filled_hole_makes_no_invalid_area() -> None:
    # The ring road, and a street in its middle joined to it by a tunnel without place (one edge, no line).
    turn = np.linspace(0, 2 * math.pi, 40, endpoint=False)
    ring = np.stack([np.cos(turn), np.sin(turn)], axis=1) * 800 / METRES_PER_DEGREE
    inside = np.array([[-0.0005, 0.0], [0.0005, 0.0]])
    a, b = [*range(40), 40, 0], [*((i + 1) % 40 for i in range(40)), 41, 40]
    road = street_network(np.concatenate([ring, inside]), a, b)
    graph = road.graph("foot")
    graph.segment[graph.segment == 41] = -1
    filled, kept = (
        isochrones(road, ring[:1], "foot", [60], outline=Outline(reach_m=100, hole_m2=hole))[0].polygons[0]
        for hole in (3_000_000, 100_000)
    )
    assert filled.is_valid
    assert filled.geom_type == "Polygon"
    assert kept.is_valid
    assert kept.geom_type == "MultiPolygon"


def test_a_point_on_no_street_has_a_status_and_nothing_else(town: SyntheticNetwork) -> None:
    points = pl.DataFrame({"id": ["sea", "town"], "longitude": [None, 2.5], "latitude": [46.5, 46.5]})
    sea, here = isochrones(town, points, "foot", [5])
    assert sea == Isochrone("sea", "unsnapped", (5.0,), (), (), (), 0.0)
    assert (here.origin, here.status) == ("town", "ok")


def test_a_dead_end_without_way_out_still_has_an_area() -> None:
    street = straight_street(2, backward=[True, True], forward=[False, False])
    found = isochrones(street, np.array([[0.0, 0.0]]), "car", [5])[0]
    assert found.streets_km == (0.0,)
    assert found.area_km2[0] == pytest.approx(math.pi * 0.25**2, rel=0.1)


@pytest.mark.parametrize("minutes", [[], [0], [5, -1], [math.inf], [math.nan]])
def test_times_that_are_no_durations_are_refused(town: SyntheticNetwork, minutes: list[float]) -> None:
    with pytest.raises(ParameterError, match="durée"):
        isochrones(town, CENTRE, "foot", minutes)
