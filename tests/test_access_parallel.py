"""Areas with a buffer give the numbers of a single run, on one process, on several, and on Dask."""

from __future__ import annotations

import sys
import types
from functools import partial

import numpy as np
import polars as pl
import pytest
from distributed import Client, LocalCluster

from bourg.access.network.synthetic import METRES_PER_DEGREE, SyntheticNetwork, grid_network
from bourg.access.travel.parallel import buffered, cut, nearest_partitioned, run_partitioned, top_speed
from bourg.access.travel.points import place
from bourg.access.travel.times import BEYOND, OK, UNREACHABLE, UNSNAPPED, nearest
from bourg.errors import ParameterError, SourceUnavailableError

TOWN = partial(grid_network, 40, 40, dropped=0.42, one_way=0.3, jitter=0.3, seed=6)


@pytest.fixture(scope="module")
def town() -> SyntheticNetwork:
    return TOWN()


@pytest.fixture(scope="module")
def points(town: SyntheticNetwork) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Origins in four quarters, some of them nowhere, and shops of two kinds."""
    west, south, east, north = town.bbox
    where = np.random.default_rng(8).uniform((west, south), (east, north), (600, 2))
    origins = pl.DataFrame({"longitude": where[:560, 0], "latitude": where[:560, 1]}).with_columns(
        pl.format("p{}", pl.int_range(560)).alias("point_id"),
        pl.format("{}{}", pl.col("longitude") > (west + east) / 2, pl.col("latitude") > (south + north) / 2).alias(
            "quarter"
        ),
        pl.when(pl.int_range(560) % 97 == 0).then(None).otherwise(pl.col("latitude")).alias("latitude"),
    )
    shops = pl.DataFrame({"longitude": where[560:, 0], "latitude": where[560:, 1]}).with_columns(
        pl.format("f{}", pl.int_range(40)).alias("facility_id"),
        pl.Series("kind", ["bank", *["school"] * 19] * 2),
    )
    return origins, shops


def square(value: int, buffer_m: float) -> tuple[int, float]:
    return value * value, buffer_m


@pytest.mark.parametrize("mode", ["foot", "bike", "car"])
@pytest.mark.parametrize("direction", ["to", "from"])
def test_four_quarters_are_the_single_run_to_the_bit(town, points, mode: str, direction: str) -> None:
    origins, shops = points
    limit = {"foot": 6.0, "bike": 3.0, "car": 1.2}[mode]
    whole = nearest(town, origins, shops, mode, limit_min=limit, by="kind", direction=direction)
    parts = nearest_partitioned(
        TOWN, origins, shops, mode, limit_min=limit, area="quarter", by="kind", direction=direction, workers=1
    )
    assert set(whole["status"]) == {OK, BEYOND, UNREACHABLE, UNSNAPPED}
    assert parts.equals(whole)


def test_the_buffer_is_needed_and_enough(town, points) -> None:
    origins, shops = points
    limit, speed = 6.0, top_speed(town.graph("foot"))
    assert speed == pytest.approx(5 / 3.6, rel=1e-3)
    whole = nearest(town, origins, shops, "foot", limit_min=limit)
    wrong = {}
    for share in (0.0, 1.0):
        wrong[share] = 0
        for _, quarter in origins.with_row_index().group_by("quarter"):
            placed = place(town, quarter, "foot", identifier="point_id")
            nodes = placed.snapped.departures_node
            lon, lat = (values[nodes[nodes >= 0]] for values in (town.graph("foot").lon, town.graph("foot").lat))
            core = (lon.min(), lat.min(), lon.max(), lat.max())
            part = cut(town, "foot", buffered(core, share * limit * 60 * speed))
            found = nearest(
                part,
                part.adopt(placed),
                part.adopt(place(town, shops, "foot")),
                "foot",
                limit_min=limit,
                settle_unreachable=False,
            )
            expected = whole[quarter["index"]]
            wrong[share] += (~found["minutes"].eq_missing(expected["minutes"])).sum()
            assert set(found["status"]) <= {OK, BEYOND, UNSNAPPED}
    assert wrong[1.0] == 0
    assert wrong[0.0] > 0


def test_top_speed_is_that_of_the_fastest_edge(town) -> None:
    graph = town.graph("car")
    assert top_speed(graph) == pytest.approx(40 / 3.6, rel=1e-3)
    graph = grid_network(3, 3).graph("car")
    graph.seconds[4] /= 3
    assert top_speed(graph) == pytest.approx(3 * 40 / 3.6, rel=1e-3)
    graph.seconds[4] = 0
    assert top_speed(graph) == np.inf
    assert buffered((1, 2, 3, 4), np.inf) == (-180.0, -90.0, 180.0, 90.0)


def test_bounds_grow_by_the_metres_asked() -> None:
    west, south, east, north = buffered((2.0, 46.0, 3.0, 47.0), 10_000)
    assert (46.0 - south) * METRES_PER_DEGREE == pytest.approx(10_000, rel=2e-3)
    assert (47.0 - north) * METRES_PER_DEGREE == pytest.approx(-10_000, rel=2e-3)
    widest = np.cos(np.radians(47)) * METRES_PER_DEGREE
    assert (2.0 - west) * widest >= 10_000
    assert (east - 3.0) * widest >= 10_000


def test_processes_and_dask_give_the_same_results(town, points) -> None:
    origins, shops = points
    call = partial(nearest_partitioned, TOWN, origins, shops, "bike", limit_min=3, area="quarter")
    here = call(workers=1)
    assert here.equals(nearest(town, origins, shops, "bike", limit_min=3))
    assert call(workers=2).equals(here)
    with (
        LocalCluster(n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        assert call(scheduler=client).equals(here)
        assert call(scheduler=cluster.scheduler_address).equals(here)
        assert run_partitioned([3, 1, 2], square, buffer_m=5.0, scheduler=client) == [(9, 5.0), (1, 5.0), (4, 5.0)]


def test_order_of_the_areas_is_kept_and_no_area_is_no_work() -> None:
    assert run_partitioned([3, 1, 2], square, buffer_m=5.0, workers=1) == [(9, 5.0), (1, 5.0), (4, 5.0)]
    assert run_partitioned([], square, buffer_m=5.0) == []


def test_no_origin_and_no_facility_are_answers(points) -> None:
    origins, shops = points
    call = partial(nearest_partitioned, TOWN, mode="foot", limit_min=5, area="quarter", workers=1)
    none = call(origins=origins.clear(), facilities=shops, by="kind")
    assert none.is_empty()
    assert none.columns == ["origin", "kind", "facility", "minutes", "status"]
    alone = call(origins=origins, facilities=shops.clear())
    assert set(alone["status"]) == {UNREACHABLE, UNSNAPPED}


def test_bad_arguments_are_refused_in_words(points) -> None:
    origins, shops = points
    call = partial(nearest_partitioned, TOWN, origins, shops, "foot")
    with pytest.raises(ParameterError, match="durée limite"):
        call(limit_min=np.inf, area="quarter")
    with pytest.raises(ParameterError, match="colonne des morceaux"):
        call(limit_min=5, area="region")
    with pytest.raises(ParameterError, match="au moins un processus"):
        run_partitioned([1], square, buffer_m=0.0, workers=0)
    with pytest.raises(ParameterError, match="un mode"):
        cut(TOWN(), "foot", (0, 0, 1, 1)).graph("car")
    with pytest.raises(SourceUnavailableError, match="ordonnanceur Dask"):
        run_partitioned([1], square, buffer_m=0.0, scheduler="nulle-part")


def test_processes_do_not_run_the_main_script_again(tmp_path, monkeypatch):
    """A page of the dashboard is the main script of its server: a process that ran it again would fail."""
    script = tmp_path / "principal.py"
    script.write_text("raise SystemExit('relancé')\n", encoding="utf-8")
    main = types.ModuleType("__main__")
    main.__file__ = str(script)
    monkeypatch.setitem(sys.modules, "__main__", main)
    assert run_partitioned([2.0, 3.0], max, buffer_m=1.0, workers=2) == [2.0, 3.0]
    assert sys.modules["__main__"] is main
