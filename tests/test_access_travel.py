"""Travel times against a plain Dijkstra, and what is said of places that are not reached."""

from __future__ import annotations

import heapq
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bourg.access.network.build import build_network
from bourg.access.network.graph import SNAP_OK, SNAP_OUTSIDE, SNAP_TOO_FAR, Graph, Snapped
from bourg.access.network.store import Network
from bourg.access.network.synthetic import (
    METRES_PER_DEGREE,
    directed_graph,
    grid_network,
    national_graph,
    street_network,
)
from bourg.access.travel.points import place, unplaced
from bourg.access.travel.search import Search
from bourg.access.travel.times import (
    BEYOND,
    OK,
    UNREACHABLE,
    UNSNAPPED,
    matrix,
    nearest,
    nearest_by_kind,
    nearest_nodes,
)
from bourg.errors import ParameterError


def dijkstra(graph: Graph, seeds: list[tuple[int, float]]) -> tuple[list[float], list[int]]:
    """Times and seeds by the book: a heap of (time, seed, node)."""
    heap = [(seconds, seed, node) for seed, (node, seconds) in enumerate(seeds) if node >= 0]
    heapq.heapify(heap)
    times, source = [math.inf] * graph.n_nodes, [-1] * graph.n_nodes
    while heap:
        time, seed, node = heapq.heappop(heap)
        if source[node] >= 0:
            continue
        times[node], source[node] = time, seed
        for edge in range(graph.indptr[node], graph.indptr[node + 1]):
            heapq.heappush(heap, (time + float(graph.seconds[edge]), seed, int(graph.heads[edge])))
    return times, source


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Small directed graphs: one-ways, zero and equal times, loops, parallel edges, pieces apart."""
    n = draw(st.integers(1, 12))
    node = st.integers(0, n - 1)
    # Eighths are exact, so that equal times are really equal; the long one outruns every ring of buckets.
    times = st.sampled_from([0.0, 0.0, 0.125, 1.0, 1.0, 2.5, 7.0, 60.0, 5000.0, math.inf])
    edges = draw(st.lists(st.tuples(node, node, times, times), max_size=30))
    a, b, forward, backward = (np.array(column) for column in (zip(*edges, strict=True) if edges else [()] * 4))
    ends = a.astype(np.int32), b.astype(np.int32)
    sense = forward.astype(np.float32), backward.astype(np.float32)
    return directed_graph("foot", np.zeros((n, 2)), ends, *sense)


@given(st.data(), graphs())
def test_nearest_of_every_node_is_that_of_a_plain_dijkstra(data: st.DataObject, graph: Graph) -> None:
    node = st.integers(-1, graph.n_nodes - 1)
    seeds = data.draw(st.lists(st.tuples(node, st.sampled_from([0.0, 0.0, 1.0, 3.0, 4000.0])), max_size=5))
    limit = data.draw(st.sampled_from([0.125, 2.5, 61.0, 6000.0, math.inf]))
    nodes, spent = (np.array([seed[i] for seed in seeds]) for i in (0, 1))
    times, source = nearest_nodes(graph, nodes.astype(np.int32), spent.astype(np.float32), limit_s=limit)
    expected, from_seed = dijkstra(graph, seeds)
    within = [time <= limit and math.isfinite(time) for time in expected]
    assert times.dtype == np.float32
    assert times.tolist() == [time if kept else math.inf for time, kept in zip(expected, within, strict=True)]
    assert source.tolist() == [seed if kept else -1 for seed, kept in zip(from_seed, within, strict=True)]
    reached = Search(graph).reachable(nodes.astype(np.int32))
    assert reached.tolist() == [math.isfinite(time) for time in expected]


def on_nodes(nodes: list[int], spent: float = 0.0) -> Snapped:
    """Points standing on nodes, on no common segment."""
    n = len(nodes)
    at, seconds = np.array(nodes, dtype=np.int32).reshape(n, 1), np.full((n, 1), spent, dtype=np.float32)
    none, zero = np.arange(-n, 0, dtype=np.int32), np.zeros(n, dtype=np.float32)
    far = np.full(n, np.inf, dtype=np.float32)
    place_ = np.zeros(n)
    return Snapped(
        np.zeros(n, dtype=np.uint8), none, zero, zero, place_, place_, at, seconds, at, seconds, far, far, zero
    )


@given(st.data(), graphs())
def test_sparse_matrix_is_that_of_a_plain_dijkstra(data: st.DataObject, graph: Graph) -> None:
    from bourg.access.travel.times import matrix_arrays

    nodes = st.lists(st.integers(0, graph.n_nodes - 1), max_size=6)
    origins, destinations = data.draw(nodes), data.draw(nodes)
    limit = data.draw(st.sampled_from([1.5, 4.0, 70.0, math.inf]))
    ends = on_nodes(destinations, 0.5)
    # Segments of the two sides must differ: these points share no street.
    ends = replace(ends, segment=ends.segment - 1000)
    row, column, seconds = matrix_arrays(graph, on_nodes(origins, 0.25), ends, limit)
    expected = {}
    for i, node in enumerate(origins):
        times, _ = dijkstra(graph, [(node, 0.25)])
        for j, other in enumerate(destinations):
            if times[other] + 0.5 <= limit and math.isfinite(times[other]):
                expected[i, j] = times[other] + 0.5
    assert dict(zip(zip(row.tolist(), column.tolist(), strict=True), seconds.tolist(), strict=True)) == expected
    assert list(zip(row.tolist(), column.tolist(), strict=True)) == sorted(expected)


def test_searches_leave_no_trace_and_repeat_to_the_bit() -> None:
    graph = national_graph(2_000, seed=3)
    search = Search(graph)
    seeds, spent = np.array([5], dtype=np.int32), np.zeros(1, dtype=np.float32)
    nodes, times = search.within(seeds, spent, 900.0)
    again, same = search.within(seeds, spent, 900.0)
    dense, _ = search.nearest(seeds, spent)
    assert 10 < len(nodes) < graph.n_nodes
    assert nodes.tolist() == again.tolist() == np.flatnonzero(dense <= 900).tolist()
    assert times.tolist() == same.tolist() == dense[nodes].tolist()


def test_read_only_arrays_of_a_mapped_file_are_searched(tmp_path) -> None:
    graph = national_graph(400)
    np.save(tmp_path / "heads.npy", graph.heads)
    mapped = replace(graph, heads=np.load(tmp_path / "heads.npy", mmap_mode="r"))
    seeds, spent = np.array([0], dtype=np.int32), np.zeros(1, dtype=np.float32)
    assert nearest_nodes(mapped, seeds, spent)[0].tolist() == nearest_nodes(graph, seeds, spent)[0].tolist()


STEP = 100 / METRES_PER_DEGREE  # 100 m at the equator, in degrees


def line_town():
    """A street of ten 100 m pieces along the equator, one-way eastward for cars, and a piece alone far away."""
    places = [(i * STEP, 0.0) for i in range(11)] + [(50 * STEP, 0.0), (51 * STEP, 0.0)]
    a = [*range(10), 11]
    return street_network(places, a, [i + 1 for i in a], backward=[False] * 10 + [True])


def test_trips_inside_a_segment_and_between_segments() -> None:
    town = line_town()
    points = np.array([[0.25 * STEP, 0.0], [0.75 * STEP, 0.0], [3.5 * STEP, 0.0]])
    table = matrix(town, points, points, "foot", limit_min=60)
    metres = {
        (int(o), int(d)): minutes * 5000 / 60
        for o, d, minutes in table.select("origin", "destination", "minutes").rows()
    }
    assert len(metres) == 9
    assert metres[0, 1] == pytest.approx(50, rel=1e-4)
    assert metres[1, 0] == pytest.approx(50, rel=1e-4)
    assert metres[0, 2] == pytest.approx(325, rel=1e-4)
    assert metres[2, 2] == 0.0
    car = matrix(town, points, points, "car", limit_min=60)
    assert car.select("origin", "destination").rows() == [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)]


def test_a_trip_inside_a_one_way_segment_obeys_the_limit_and_its_sense() -> None:
    town = line_town()
    west, east = np.array([[0.1 * STEP, 0.0]]), np.array([[0.9 * STEP, 0.0]])
    for limit, status, pairs in ((0.2, OK, 1), (0.05, BEYOND, 0)):
        assert nearest(town, west, east, "car", limit_min=limit)["status"].to_list() == [status]
        assert matrix(town, west, east, "car", limit_min=limit).height == pairs
    assert nearest(town, east, west, "car", limit_min=5)["status"].to_list() == [UNREACHABLE]


def test_the_two_directions_differ_on_a_one_way_street() -> None:
    town = line_town()
    home, shop = np.array([[2.5 * STEP, 0.0]]), np.array([[1.5 * STEP, 0.0], [9.5 * STEP, 0.0]])
    to = nearest(town, home, shop, "car", limit_min=30)
    back = nearest(town, home, shop, "car", limit_min=30, direction="from")
    assert (to["facility"][0], back["facility"][0]) == (1, 0)
    assert to["minutes"][0] == pytest.approx(0.7 / 40 * 60, rel=1e-4)
    assert back["minutes"][0] == pytest.approx(0.1 / 40 * 60, rel=1e-4)


def test_every_status_is_told_apart() -> None:
    town = line_town()
    origins = pl.DataFrame(
        {
            "point_id": ["near", "far", "alone", "nowhere", "north"],
            "longitude": [0.0, 10 * STEP, 50.5 * STEP, None, 0.0],
            "latitude": [0.0, 0.0, 0.0, 0.0, 91.0],
        }
    )
    shops = pl.DataFrame({"facility_id": ["A", "B"], "longitude": [0.5 * STEP, 0.5 * STEP], "latitude": [0.0, 0.0]})
    table = nearest(town, origins, shops, "foot", limit_min=5)
    assert table["status"].to_list() == [OK, BEYOND, UNREACHABLE, UNSNAPPED, UNSNAPPED]
    assert table["origin"].to_list() == origins["point_id"].to_list()
    assert table["facility"].to_list() == ["A", None, None, None, None]  # equal times: the first row
    assert table["minutes"].is_null().to_list() == [False, True, True, True, True]
    # On a part of a network nothing can be said to be unreachable.
    part = nearest(town, origins, shops, "foot", limit_min=5, settle_unreachable=False)
    assert part["status"].to_list() == [OK, BEYOND, BEYOND, UNSNAPPED, UNSNAPPED]
    assert unplaced(place(town, origins, "foot")).rows() == [("nowhere", "outside", None), ("north", "outside", None)]


def test_limit_is_inclusive_and_unlimited_is_allowed() -> None:
    town = line_town()
    ends = np.array([[0.0, 0.0]]), np.array([[10 * STEP, 0.0]])
    minutes = nearest(town, *ends, "foot", limit_min=math.inf)["minutes"][0]
    assert minutes == pytest.approx(12.0, rel=1e-4)
    assert nearest(town, *ends, "foot", limit_min=minutes + 1e-4)["status"][0] == OK
    assert nearest(town, *ends, "foot", limit_min=minutes - 1e-3)["status"][0] == BEYOND
    assert matrix(town, *ends, "foot", limit_min=minutes - 1e-3).is_empty()


def test_no_facility_is_an_answer() -> None:
    town = line_town()
    origins = np.array([[0.0, 0.0], [np.nan, 0.0]])
    empty = pl.DataFrame(
        schema={"facility_id": pl.String, "longitude": pl.Float64, "latitude": pl.Float64, "kind": str}
    )
    table = nearest(town, origins, empty, "foot", limit_min=5)
    assert table["status"].to_list() == [UNREACHABLE, UNSNAPPED]
    assert table.schema["facility"] == pl.String
    by_kind = nearest_by_kind(town, origins, empty, "foot", limit_min=5, kinds=["bank"])
    assert by_kind["kind"].to_list() == ["bank", "bank"]
    assert by_kind["status"].to_list() == [UNREACHABLE, UNSNAPPED]
    assert (
        nearest(town, origins, empty, "foot", limit_min=5, by="kind").columns
        == table.insert_column(1, pl.Series("kind", ["", ""])).columns
    )
    assert matrix(town, origins, empty, "foot", limit_min=5).is_empty()
    assert nearest(town, origins[:0], origins[:1], "foot", limit_min=5).is_empty()


def test_many_kinds_in_one_go_are_those_of_each_kind() -> None:
    town = grid_network(12, 12, dropped=0.3, one_way=0.3, jitter=0.2, seed=4)
    rng = np.random.default_rng(0)
    west, south, east, north = town.bbox
    where = rng.uniform((west, south), (east, north), (60, 2))
    shops = pl.DataFrame({"longitude": where[:30, 0], "latitude": where[:30, 1]}).with_columns(
        pl.Series("kind", ["bank", "school", None] * 10), pl.Series("facility_id", [f"f{i:02}" for i in range(30)])
    )
    homes = place(town, where[30:], "car")
    both = nearest(town, homes, shops, "car", limit_min=4, by="kind")
    for kind in ("bank", "school"):
        alone = nearest(town, homes, shops.filter(pl.col("kind") == kind), "car", limit_min=4)
        assert both.filter(pl.col("kind") == kind).drop("kind").equals(alone)
    assert both["kind"].unique().sort().to_list() == ["bank", "school"]
    assert both["status"].n_unique() > 1


def test_matrix_and_nearest_agree_whatever_the_side_searched_from() -> None:
    town = grid_network(15, 15, dropped=0.2, one_way=0.4, jitter=0.2, seed=5)
    rng = np.random.default_rng(1)
    west, south, east, north = town.bbox
    where = rng.uniform((west, south), (east, north), (50, 2))
    for mode in ("foot", "car"):
        few, many = place(town, where[:9], mode), place(town, where[9:], mode)
        pairs = matrix(town, many, few, mode, limit_min=6)
        one_by_one = pl.concat(
            [matrix(town, many.take(np.array([i])), few, mode, limit_min=6) for i in range(len(many))]
        )
        assert pairs.select("origin", "destination").equals(one_by_one.select("origin", "destination"))
        assert np.array_equal(pairs["minutes"], one_by_one["minutes"])
        least = pairs.group_by("origin").agg(pl.col("minutes").min()).sort("origin")
        table = nearest(town, many, few, mode, limit_min=6).filter(pl.col("status") == OK).select("origin", "minutes")
        assert 0 < table.height < 41
        assert table.sort("origin").equals(least)


@pytest.mark.parametrize("limit", [0, -5, math.nan])
def test_a_limit_that_is_no_duration_is_refused(limit: float) -> None:
    town, here = line_town(), np.array([[0.0, 0.0]])
    with pytest.raises(ParameterError, match="supérieure à zéro"):
        nearest(town, here, here, "foot", limit_min=limit)
    with pytest.raises(ParameterError, match="supérieure à zéro"):
        matrix(town, here, here, "foot", limit_min=limit)


def test_bad_arguments_are_refused_in_words() -> None:
    town = grid_network(3, 3)
    here = np.array([[2.5, 46.5]])
    with pytest.raises(ParameterError, match="échangées"):
        nearest(town, here[:, ::-1], here, "foot", limit_min=5)
    with pytest.raises(ParameterError, match="à vélo"):
        nearest(town, here, here, "train", limit_min=5)
    with pytest.raises(ParameterError, match="Sens inconnu"):
        nearest(town, here, here, "foot", limit_min=5, direction="both")
    with pytest.raises(ParameterError, match="latitude"):
        nearest(town, pl.DataFrame({"longitude": [1.0]}), here, "foot", limit_min=5)
    with pytest.raises(ParameterError, match="autre mode"):
        nearest(town, place(town, here, "car"), here, "foot", limit_min=5)
    with pytest.raises(ParameterError, match="type"):
        nearest_by_kind(town, here, place(town, here, "foot"), "foot", limit_min=5)


def test_a_point_far_from_any_street_keeps_its_distance() -> None:
    town = grid_network(3, 3)
    points = np.array([[2.5, 46.5], [2.5, 46.7], [np.nan, 46.5]])
    placed = place(town, points, "foot", limit_m=500)
    assert placed.snapped.status.tolist() == [SNAP_OK, SNAP_TOO_FAR, SNAP_OUTSIDE]
    table = placed.table()
    assert table["distance_m"][1] == pytest.approx(0.2 * METRES_PER_DEGREE - 100, abs=1)
    assert table["distance_m"][2] is None


@pytest.fixture(scope="module")
def redon(mirror: Path, tmp_path_factory: pytest.TempPathFactory) -> Network:
    """The centre of a real small town."""
    extract = mirror / "08_osm" / "redon_35236_20190909.osm.pbf"
    return build_network([extract], tmp_path_factory.mktemp("redon") / "network")


@pytest.mark.mirror
@pytest.mark.parametrize("mode", ["foot", "bike", "car"])
def test_a_real_town_gives_the_times_of_a_plain_dijkstra(redon: Network, mode: str) -> None:
    graph = redon.graph(mode)
    nodes = np.random.default_rng(2).choice(graph.n_nodes, 12, replace=False).astype(np.int32)
    spent = np.linspace(0, 110, 12).astype(np.float32)
    for one in (graph, graph.reverse):
        times, source = nearest_nodes(one, nodes, spent)
        expected, seeds = dijkstra(one, list(zip(nodes.tolist(), spent.astype(float).tolist(), strict=True)))
        assert times.tolist() == np.array(expected, dtype=np.float32).tolist()
        assert source.tolist() == seeds
        assert np.isfinite(times).mean() > 0.5


@pytest.mark.mirror
def test_a_real_town_is_walked_both_ways_in_the_same_time(redon: Network) -> None:
    west, south, east, north = redon.bbox
    where = np.random.default_rng(5).uniform((west, south), (east, north), (40, 2))
    pairs = matrix(redon, where, where, "foot", limit_min=60)
    assert pairs.height > 1000
    turned = pairs.join(pairs, left_on=["origin", "destination"], right_on=["destination", "origin"], how="left")
    assert turned["minutes_right"].null_count() == 0
    # Steps and slopes aside, a walk has no sense.
    assert (turned["minutes"] - turned["minutes_right"]).abs().max() < 0.01
