"""Points put on a network: the nearest street, the time to it, what is outside, and how many inhabitants are served."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import shapely

from access_world import KM_LAT, KM_LON, LAT, RESIDENTIAL, World, grid_town
from bourg.access.network.errors import SwappedCoordinatesError
from bourg.access.network.graph import SNAP_OK, SNAP_OUTSIDE, SNAP_TOO_FAR
from bourg.access.network.store import Network
from bourg.access.travel.coverage import coverage
from bourg.errors import ParameterError


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> tuple[World, Network]:
    world = grid_town()
    return world, world.build(tmp_path_factory.mktemp("town"))


def test_snapping_finds_the_nearest_street_like_shapely(town: tuple[World, Network]) -> None:
    network = town[1]
    rng = np.random.default_rng(7)
    points = np.array([2, LAT]) + rng.uniform(-0.4, 1.4, (500, 2)) * [KM_LON, KM_LAT]
    found = network.snap(points, "foot")
    scale = np.array([1 / KM_LON, 1 / KM_LAT]) * 1000
    segments = network.segments
    lines = [
        shapely.LineString(segments.coords[segments.first[i] : segments.first[i + 1]] * scale)
        for i in range(len(segments))
    ]
    distances = np.array([[shapely.distance(shapely.Point(p * scale), line) for line in lines] for p in points])
    np.testing.assert_allclose(found.distance_m, distances.min(axis=1), rtol=2e-3, atol=0.05)
    chosen = distances[np.arange(len(points)), found.segment]
    np.testing.assert_allclose(chosen, distances.min(axis=1), rtol=2e-3, atol=0.05)
    for i in range(0, 500, 25):
        line = lines[found.segment[i]]
        place = line.interpolate(float(found.fraction[i]), normalized=True)
        assert (place.x, place.y) == pytest.approx((found.lon[i] * scale[0], found.lat[i] * scale[1]), abs=0.5)


def test_snapping_status_and_times(town: tuple[World, Network]) -> None:
    world, network = town
    near, far = world.between(1, 2), (2 + 0.5 * KM_LON, LAT + 5 * KM_LAT)
    hole = (2 + 0.3 * KM_LON, LAT + 0.3 * KM_LAT)
    found = network.snap(np.array([near, far, hole, [np.nan, 47.0]]), "foot", limit_m=50)
    assert found.status.tolist() == [SNAP_OK, SNAP_OUTSIDE, SNAP_TOO_FAR, SNAP_OUTSIDE]
    assert (found.segment[1:] == -1).all()
    assert (found.departures_node[1:] == -1).all()
    assert found.distance_m[1] == pytest.approx(3990, rel=0.01)
    assert found.distance_m[2] >= 90
    assert np.isinf(found.distance_m[3])
    # 10 m from the street at walking pace, then half of a street of 201 m.
    assert found.connect_s[0] == pytest.approx(10 / 5 * 3.6, rel=0.02)
    assert found.departures_s[0] == pytest.approx(np.full(2, (100.5 + 10) / 5 * 3.6), rel=0.03)
    assert found.arrivals_s[0] == pytest.approx(found.departures_s[0][::-1], rel=1e-6)
    nothing = network.snap(np.empty((0, 2)), "car")
    assert len(nothing) == 0


def test_snapping_respects_one_way_streets(tmp_path: Path) -> None:
    world = World.at((0, 0), (1, 0))
    world.way([1, 2], {**RESIDENTIAL, "oneway": "yes"})
    network = world.build(tmp_path)
    graph, segments = network.graph("car"), network.segments
    found = network.snap(np.array([world.between(1, 2, 0.25)]), "car")
    assert found.departures_node[found.departures_node >= 0].tolist() == [segments.b[0]]
    assert found.arrivals_node[found.arrivals_node >= 0].tolist() == [segments.a[0]]
    assert found.departures_s.min() == pytest.approx(0.75 * graph.seconds[0], rel=1e-3)
    assert found.arrivals_s.min() == pytest.approx(0.25 * graph.seconds[0], rel=1e-3)
    assert np.isinf(found.backward_s[0])


def test_small_pieces_of_network_come_last(tmp_path: Path) -> None:
    world = grid_town()
    world.node(5001, 0.28, 0.3)
    world.node(5002, 0.32, 0.3)
    world.way([5001, 5002], RESIDENTIAL)
    network = world.build(tmp_path)
    assert network.manifest["modes"]["foot"]["small_component_segments"] == 1
    point = np.array([world.between(5001, 5002)])
    isolated = int(np.flatnonzero(network.segments.osm_way == world.ways[-1][0])[0])
    assert network.snap(point, "foot").segment[0] != isolated
    assert network.snap(point, "foot", limit_m=50).segment[0] == isolated


def test_swapped_coordinates_are_told(town: tuple[World, Network]) -> None:
    world, network = town
    points = np.array([world.place(1), world.place(20), world.between(1, 2)])
    with pytest.raises(SwappedCoordinatesError, match="inversées"):
        network.snap(points[:, ::-1], "foot")
    # One odd point among many is a point outside, not an error.
    mixed = np.vstack([points, points[:1, ::-1]])
    assert network.snap(mixed, "foot").status.tolist() == [SNAP_OK] * 3 + [SNAP_OUTSIDE]


@pytest.mark.parametrize("limit", [0, -5, float("nan")])
def test_bad_snapping_questions(town: tuple[World, Network], limit: float) -> None:
    network = town[1]
    point = np.array([[2.0, 47.0]])
    with pytest.raises(ParameterError):
        network.snap(point, "foot", limit_m=limit)
    with pytest.raises(ParameterError, match="boat"):
        network.snap(point, "boat")
    with pytest.raises(ParameterError, match="deux colonnes"):
        network.snap(np.zeros((2, 3)), "foot")


def test_coverage_counts_every_inhabitant(town: tuple[World, Network]) -> None:
    world, network = town
    points = np.array([world.place(1), (2 + 0.3 * KM_LON, LAT + 0.3 * KM_LAT), (3.0, 47.0), (np.nan, np.nan)])
    people = np.array([600.0, 100.0, 200.0, 100.0])
    found = coverage(network, points, people, "foot", limit_m=50)
    assert (found.on_network, found.too_far, found.outside) == (600, 100, 300)
    assert found.share == 60
    assert "30,0 % de la population hors de l'extrait (300 habitants)" in found.sentence()
    assert coverage(network, points[:1], people[:1], "foot").complete
    assert coverage(network, points[:1], np.zeros(1), "foot").share is None
    with pytest.raises(ParameterError):
        coverage(network, points, people[:2], "foot")
