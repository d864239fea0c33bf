"""The network: readers, contraction, files, snapping, slopes, and what bad input answers."""

from __future__ import annotations

import gzip
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from access_world import KM_LAT, KM_LON, LAT, World, travel
from bourg.access import elevation
from bourg.access.coverage import coverage
from bourg.access.elevation import bike_factor, foot_factor
from bourg.access.graph import MODES, SNAP_OK, SNAP_OUTSIDE, SNAP_TOO_FAR
from bourg.access.maxspeed import parse_maxspeed
from bourg.access.network import Network, build_network, open_network
from bourg.access.network_errors import (
    ElevationError,
    ExtractFormatError,
    NetworkFolderError,
    NoStreetError,
    SwappedCoordinatesError,
)
from bourg.access.network_settings import rule
from bourg.errors import ArchiveError, ParameterError, SourceUnavailableError, StorageError

RESIDENTIAL = {"highway": "residential"}


def grid_town(n: int = 6) -> World:
    """A town of ``n`` by ``n`` junctions, 200 m apart, with a bend in every east-west street."""
    world = World()
    for i in range(n):
        for j in range(n):
            world.node(1 + i * n + j, 0.2 * j, 0.2 * i)
            world.node(1001 + i * n + j, 0.2 * j + 0.1, 0.2 * i + 0.01)
    for i in range(n):
        row = [ref for j in range(n) for ref in (1 + i * n + j, 1001 + i * n + j)][:-1]
        world.way(row, RESIDENTIAL)
        world.way([1 + k * n + i for k in range(n)], RESIDENTIAL)
    return world


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> tuple[World, Network]:
    world = grid_town()
    return world, world.build(tmp_path_factory.mktemp("town"))


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


# Contraction


def test_bends_disappear_and_keep_their_place(town: tuple[World, Network]) -> None:
    world, network = town
    # 36 crossings less the 4 corners, where a street of the same kind goes on.
    assert network.manifest["counts"]["nodes"] == 36 - network_joined(network)
    segments = network.segments
    assert (np.diff(segments.first) >= 2).all()
    first, last = segments.coords[segments.first[:-1]], segments.coords[segments.first[1:] - 1]
    graph = network.graph("foot")
    np.testing.assert_array_equal(first, np.column_stack([graph.lon[segments.a], graph.lat[segments.a]]))
    np.testing.assert_array_equal(last, np.column_stack([graph.lon[segments.b], graph.lat[segments.b]]))
    total = 6 * 1000 + 6 * 5 * 2 * (0.1**2 + 0.01**2) ** 0.5 * 1000
    assert segments.length_m.sum() == pytest.approx(total, rel=1e-3)
    assert travel(network, "foot", world.place(1), world.place(36)) == pytest.approx(2000 / 5 * 3.6, rel=0.01)


def network_joined(network: Network) -> int:
    """Number of corners where the end of a street met the start of another: they are no junctions."""
    return sum(1 for ref in network.segments.length_m if ref > 350)


def test_ways_of_the_same_kind_are_joined_and_others_are_not(tmp_path: Path) -> None:
    world = World()
    for i in range(5):
        world.node(i + 1, 0.1 * i, 0)
    world.way([1, 2], RESIDENTIAL)
    world.way([2, 3], {**RESIDENTIAL, "name": "Rue des Lilas"})
    world.way([3, 4], {**RESIDENTIAL, "maxspeed": "30"})
    # Written the other way round: it stays a segment of its own.
    world.way([5, 4], {**RESIDENTIAL, "maxspeed": "30"})
    network = world.build(tmp_path)
    assert sorted(network.segments.length_m.round().tolist()) == [100, 100, 200]


def test_a_ring_without_junction_is_kept(tmp_path: Path) -> None:
    world = World()
    for ref, (x, y) in enumerate(((0, 0), (0.1, 0), (0.1, 0.1), (0, 0.1)), start=1):
        world.node(ref, x, y)
    world.way([1, 2, 3], RESIDENTIAL)
    world.way([3, 4, 1], RESIDENTIAL)
    network = world.build(tmp_path)
    assert len(network.segments) == 1
    assert network.segments.length_m.sum() == pytest.approx(400, rel=1e-3)
    seconds = travel(network, "foot", world.between(1, 2), world.between(3, 4))
    assert seconds == pytest.approx(200 / 5 * 3.6, rel=0.01)


def test_repeated_and_missing_nodes(tmp_path: Path) -> None:
    world = World()
    for i in range(4):
        world.node(i + 1, 0.1 * i, 0)
    world.way([1, 1, 2, 99, 3, 4, 4], RESIDENTIAL)
    network = world.build(tmp_path)
    assert sorted(network.segments.length_m.round().tolist()) == [100, 100]
    assert any("coupées au bord" in warning for warning in network.manifest["warnings"])


@pytest.mark.parametrize("mode", MODES)
def test_graph_is_sound(town: tuple[World, Network], mode: str) -> None:
    network = town[1]
    graph = network.graph(mode)
    assert graph.indptr[0] == 0
    assert graph.indptr[-1] == len(graph.heads)
    assert np.isfinite(graph.seconds).all()
    assert (graph.seconds >= 0).all()
    assert len(graph.lon) == len(graph.base) == graph.n_nodes
    assert (graph.base[: graph.base.max() + 1] == np.arange(graph.base.max() + 1)).all()
    tails = np.repeat(np.arange(graph.n_nodes), np.diff(graph.indptr))
    back = graph.reverse
    back_tails = np.repeat(np.arange(graph.n_nodes), np.diff(back.indptr))
    assert sorted(zip(tails, graph.heads, strict=True)) == sorted(zip(back.heads, back_tails, strict=True))


# Files


def test_same_extract_gives_the_same_bytes(tmp_path: Path) -> None:
    world = grid_town(4)
    path = tmp_path / "a.osm"
    path.write_text(world.xml(), encoding="utf-8")
    one = build_network([path], tmp_path / "one")
    two = build_network([path], tmp_path / "two")
    assert files_of(one.folder) == files_of(two.folder)
    # The order of ways in the file, a BOM and compression change nothing but the hash of the extract.
    world.ways.reverse()
    other = tmp_path / "b.osm.gz"
    other.write_bytes(gzip.compress(b"\xef\xbb\xbf" + world.xml().encode()))
    three = files_of(build_network([other], tmp_path / "three").folder)
    same = files_of(one.folder)
    assert [name for name in same if same[name] != three[name]] == ["manifest.json"]


def test_ways_before_nodes_are_read(tmp_path: Path) -> None:
    world = grid_town(3)
    lines = world.xml().splitlines()
    body = sorted(lines[2:-1], key=lambda line: not line.startswith("<way"))
    (tmp_path / "a.osm").write_text("\n".join([*lines[:2], *body, lines[-1]]), encoding="utf-8")
    network = build_network([tmp_path / "a.osm"], tmp_path / "net")
    assert network.segments.length_m.sum() == pytest.approx(3 * 400 + 3 * 2 * 201.0, rel=0.01)
    assert network.manifest["warnings"] == []


def test_overlapping_extracts_count_a_street_once(tmp_path: Path) -> None:
    world = grid_town(3)
    for name in ("a", "b"):
        (tmp_path / f"{name}.osm").write_text(world.xml(), encoding="utf-8")
    one = build_network([tmp_path / "a.osm"], tmp_path / "one")
    two = build_network([tmp_path / "a.osm", tmp_path / "b.osm"], tmp_path / "two")
    np.testing.assert_array_equal(one.segments.coords, two.segments.coords)
    assert len(two.manifest["sources"]) == 2


def test_a_network_is_replaced_whole_and_foreign_folders_are_left(tmp_path: Path) -> None:
    path = tmp_path / "a.osm"
    path.write_text(grid_town(3).xml(), encoding="utf-8")
    build_network([path], tmp_path / "net")
    path.write_text(grid_town(4).xml(), encoding="utf-8")
    assert build_network([path], tmp_path / "net").manifest["counts"]["ways"] == 8
    path.write_text("<osm", encoding="utf-8")
    with pytest.raises(ExtractFormatError):
        build_network([path], tmp_path / "net")
    assert open_network(tmp_path / "net").manifest["counts"]["ways"] == 8
    assert sorted(item.name for item in tmp_path.iterdir()) == ["a.osm", "net"]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("…", encoding="utf-8")
    path.write_text(grid_town(3).xml(), encoding="utf-8")
    with pytest.raises(StorageError, match="n'est pas un réseau"):
        build_network([path], tmp_path / "mine")
    assert (tmp_path / "mine" / "letter.txt").exists()


def test_manifest_says_where_it_comes_from(town: tuple[World, Network]) -> None:
    manifest = town[1].manifest
    assert "ODbL" in manifest["licence"]
    assert len(manifest["sources"][0]["sha256"]) == len(manifest["rules_sha256"]) == 64
    assert manifest["elevation"] == {"used": False}
    west, south, east, north = town[1].bbox
    assert (west, south) == pytest.approx((2, LAT), abs=1e-6)
    assert (east, north) == pytest.approx((2 + KM_LON, LAT + 1.01 * KM_LAT), abs=1e-6)


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


NODES_ONLY = b'<osm version="0.6"><node id="1" version="1" lon="2" lat="47"/></osm>'


def test_bad_extracts_answer_in_french(tmp_path: Path) -> None:
    whole = grid_town(3).xml().encode()
    cases: list[tuple[str, bytes, type[Exception]]] = [
        ("cut.osm", whole[: len(whole) // 2], ExtractFormatError),
        ("cut.osm.gz", gzip.compress(whole)[:-200], ExtractFormatError),
        ("noise.osm.pbf", b"\x00\x00\x00\x0dgarbage" * 40, ExtractFormatError),
        ("text.osm.pbf", b"not a pbf", ExtractFormatError),
        ("empty.osm.pbf", b"", ExtractFormatError),
        ("streets.shp", whole, ExtractFormatError),
        ("nodes.osm", NODES_ONLY, NoStreetError),
        ("nothing.osm", b'<osm version="0.6"></osm>', NoStreetError),
        ("roads.zip", b"PK\x03\x04 broken", ArchiveError),
    ]
    for name, content, error in cases:
        with pytest.raises(error) as caught:
            build_network([write(tmp_path / name, content)], tmp_path / "net")
        assert name in str(caught.value)
        assert not (tmp_path / "net").exists()
    with pytest.raises(SourceUnavailableError):
        build_network([tmp_path / "absent.osm"], tmp_path / "net")
    with pytest.raises(ParameterError):
        build_network([], tmp_path / "net")


@pytest.mark.mirror
def test_a_truncated_pbf_is_refused(mirror: Path, tmp_path: Path) -> None:
    content = (mirror / "08_osm" / "pont-de-veyle_01306_20220311.osm.pbf").read_bytes()
    for size in (10, 1000, len(content) // 2, len(content) - 10):
        with pytest.raises((ExtractFormatError, NoStreetError)):
            build_network([write(tmp_path / f"cut{size}.osm.pbf", content[:size])], tmp_path / "net")


def test_folders_that_are_no_network(town: tuple[World, Network], tmp_path: Path) -> None:
    with pytest.raises(NetworkFolderError, match="ne contient pas"):
        open_network(tmp_path)
    (tmp_path / "manifest.json").write_text("{", encoding="utf-8")
    with pytest.raises(NetworkFolderError, match="abîmé"):
        open_network(tmp_path)
    (tmp_path / "manifest.json").write_text(json.dumps(town[1].manifest), encoding="utf-8")
    with pytest.raises(NetworkFolderError, match="abîmé"):
        open_network(tmp_path)
    (tmp_path / "manifest.json").write_text(json.dumps(town[1].manifest | {"version": -1}), encoding="utf-8")
    with pytest.raises(NetworkFolderError, match="version"):
        open_network(tmp_path)


# Roads by commune


def road(osm_id: int, line: list[list[float]], fclass: str = "tertiary", **more: object) -> dict[str, object]:
    properties = {"osm_id": str(osm_id), "fclass": fclass, "oneway": "B", "maxspeed": 0, "bridge": "F", "tunnel": "F"}
    return {
        "type": "Feature",
        "properties": properties | more,
        "geometry": {"type": "LineString", "coordinates": line},
    }


def roads_zip(path: Path, communes: list[list[dict[str, object]]]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for i, features in enumerate(communes):
            archive.writestr(f"0400{i}-X.geojson", json.dumps({"type": "FeatureCollection", "features": features}))
    return path


def test_roads_by_commune_meet_at_shared_points_only(tmp_path: Path) -> None:
    whole = [[2.0, 47.0], [2.01, 47.0]]
    communes = [
        # The same line in both communes; one cut at the border; one that crosses both without a common point.
        [road(1, whole), road(2, [[2.01, 47.0], [2.015, 47.0]])],
        [road(1, whole), road(2, [[2.015, 47.0], [2.02, 47.0]]), road(3, [[2.005, 46.99], [2.005, 47.01]])],
    ]
    network = build_network([roads_zip(tmp_path / "roads.zip", communes)], tmp_path / "net")
    assert sorted(network.segments.osm_way.tolist()) == [1, 3]
    assert network.manifest["modes"]["foot"]["largest_component"] == 2
    assert travel(network, "car", (2.001, 47.0), (2.019, 47.0)) is not None
    assert travel(network, "car", (2.001, 47.0), (2.005, 47.008)) is None


def test_roads_by_commune_carry_their_rules(tmp_path: Path) -> None:
    lines = [[[2.0, 47 + i / 20], [2.01, 47 + i / 20]] for i in range(5)]
    features = [
        road(1, lines[0], oneway="F", maxspeed=50),
        road(2, lines[1], oneway="T", maxspeed=50),
        road(3, lines[2], "track_grade4"),
        road(4, lines[3], "motorway"),
        road(5, lines[4], "steps"),
    ]
    network = build_network([roads_zip(tmp_path / "roads.zip", [features])], tmp_path / "net")
    order = np.argsort(network.segments.osm_way)
    kmh = network.segments.length_m[:, None] / network.mode("car").run_s * 3.6
    np.testing.assert_allclose(kmh[order], [[42.5, 0], [0, 42.5], [0, 0], [110.5, 0], [0, 0]], rtol=1e-4)
    walk = network.segments.length_m / network.mode("foot").run_s[:, 0] * 3.6
    np.testing.assert_allclose(walk[order], [5, 5, 5, 0, 3], rtol=1e-4)
    assert any("ni barrières" in warning for warning in network.manifest["warnings"])


def test_bad_roads_by_commune(tmp_path: Path) -> None:
    empty = tmp_path / "empty.zip"
    with zipfile.ZipFile(empty, "w") as archive:
        archive.writestr("readme.txt", "…")
    with pytest.raises(ExtractFormatError, match="aucun fichier GeoJSON"):
        build_network([empty], tmp_path / "net")
    other = roads_zip(tmp_path / "other.zip", [[{"type": "Feature", "properties": {"id": 1}, "geometry": None}]])
    with pytest.raises(ExtractFormatError, match="osm_id"):
        build_network([other], tmp_path / "net")
    both = write(tmp_path / "a.osm", grid_town(3).xml().encode())
    with pytest.raises(ExtractFormatError, match="pas des deux ensemble"):
        build_network([both, roads_zip(tmp_path / "r.zip", [[]])], tmp_path / "net")


# Snapping


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
    world = World()
    world.node(1, 0, 0)
    world.node(2, 1, 0)
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


# Slopes


def raster(path: Path, north_rise: float, *, hole: bool = False) -> Path:
    """An ESRI ASCII grid in degrees whose height grows northwards, as RGE ALTI is written."""
    size, step = 240, 0.0001
    rows = []
    for i in range(size):
        height = (size - 1 - i) * step / KM_LAT * 1000 * north_rise
        rows.append(" ".join("-99999" if hole and j > size // 2 else f"{height:.4f}" for j in range(size)))
    head = f"ncols {size}\nnrows {size}\nxllcorner 1.998\nyllcorner 46.998\ncellsize {step}\nNODATA_value -99999\n"
    path.write_text(head + "\n".join(rows) + "\n", encoding="ascii")
    return path


def test_slopes_slow_walking_and_cycling_in_each_direction(tmp_path: Path) -> None:
    world = World()
    for ref, (x, y) in enumerate(((0, 0), (0, 1), (0.5, 0)), start=1):
        world.node(ref, x, y)
    world.way([1, 2], RESIDENTIAL)
    world.way([1, 3], RESIDENTIAL)
    path = write(tmp_path / "a.osm", world.xml().encode())
    network = build_network([path], tmp_path / "net", elevation=raster(tmp_path / "alti.asc", 0.08))
    assert network.manifest["elevation"]["unknown_samples"] == 0
    up, flat = ((world.place(1), world.place(2)), (world.place(1), world.place(3)))
    for mode, model in (("foot", foot_factor), ("bike", bike_factor)):
        kmh = {"foot": 5, "bike": 15}[mode]
        assert travel(network, mode, *up) == pytest.approx(3600 / kmh * float(model(np.array([0.08]))[0]), rel=0.01)
        assert travel(network, mode, *up[::-1]) == pytest.approx(
            3600 / kmh * float(model(np.array([-0.08]))[0]), rel=0.01
        )
        assert travel(network, mode, *flat) == pytest.approx(1800 / kmh, rel=0.01)
    assert travel(network, "car", *up) == pytest.approx(3600 / 30, rel=0.01)


def test_unknown_heights_are_flat_and_counted(tmp_path: Path) -> None:
    world = World()
    world.node(1, 1, 0)
    world.node(2, 1, 1)
    world.way([1, 2], RESIDENTIAL)
    path = write(tmp_path / "a.osm", world.xml().encode())
    network = build_network([path], tmp_path / "net", elevation=raster(tmp_path / "alti.asc", 0.08, hole=True))
    assert network.manifest["elevation"]["unknown_samples"] == network.manifest["elevation"]["samples"] > 0
    assert "tenue pour plate" in network.manifest["warnings"][0]
    assert travel(network, "foot", world.place(1), world.place(2)) == pytest.approx(720, rel=1e-3)
    with pytest.raises(ElevationError):
        build_network([path], tmp_path / "net", elevation=write(tmp_path / "bad.tif", b"not a raster"))
    with pytest.raises(ElevationError):
        build_network([path], tmp_path / "net", elevation=tmp_path / "absent.tif")


def test_heights_are_read_by_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = raster(tmp_path / "alti.asc", 0.08)
    rng = np.random.default_rng(3)
    lon, lat = rng.uniform(1.997, 2.023, 400), rng.uniform(46.997, 47.023, 400)
    whole = elevation.read_heights(path, lon, lat)
    monkeypatch.setattr(elevation, "_BLOCK", 32)
    np.testing.assert_array_equal(whole, elevation.read_heights(path, lon, lat))
    outside = (lon < 1.998) | (lon > 2.022) | (lat < 46.998) | (lat > 47.022)
    np.testing.assert_array_equal(np.isnan(whole), outside)
    inner = (lat > 46.9981) & (lat < 47.0219) & ~outside
    expected = (lat - 46.99805) / KM_LAT * 1000 * 0.08
    np.testing.assert_allclose(whole[inner], expected[inner], atol=0.01)


def test_a_raster_in_unknown_coordinates_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.osm", grid_town(3).xml().encode())
    grid = tmp_path / "alti.asc"
    grid.write_text("ncols 2\nnrows 2\nxllcorner 500\nyllcorner 900\ncellsize 5\n1 2\n3 4\n", encoding="ascii")
    with pytest.raises(ElevationError, match="système de coordonnées"):
        build_network([path], tmp_path / "net", elevation=grid)


def test_slope_models() -> None:
    # Tobler: 6 km/h at −5 %, 5.04 on the flat.
    assert float(foot_factor(np.zeros(1))[0]) == 1
    assert float(foot_factor(np.array([-0.05]))[0]) == pytest.approx(np.exp(-3.5 * 0.05))
    slopes = np.linspace(-0.3, 0.3, 61)
    bike = bike_factor(slopes)
    assert (np.diff(bike) >= -1e-9).all()
    assert bike_factor(np.zeros(1)) == pytest.approx(1, rel=1e-6)
    settings = rule("slope")["bike"]
    assert bike.max() == pytest.approx(settings["reference_kmh"] / settings["pushing_kmh"])
    assert bike.min() == pytest.approx(1 / settings["downhill_factor"])


# Limits as people write them

WRITTEN = {
    "50": 50,
    "30 mph": 48.28032,
    "30mph": 48.28032,
    "80 km/h": 80,
    "FR:urban": 50,
    "FR:rural": 80,
    "FR:motorway": 130,
    "FR:zone30": 30,
    "FR:zone:30": 30,
    "FR:30": 30,
    "FR:living_street": 20,
    "walk": 6,
    "none": 130,
    "50;30": 30,
    "90|50": 50,
    "signals": None,
    "variable": None,
    "": None,
    "0": None,
    "9999": None,
    "cinquante": None,
}


@pytest.mark.parametrize("text", WRITTEN)
def test_maxspeed_forms(text: str) -> None:
    expected = WRITTEN[text]
    found = parse_maxspeed(text, rule("speeds")["implied"])
    assert found == (None if expected is None else pytest.approx(expected))


@given(st.text(max_size=30))
def test_maxspeed_never_fails(text: str) -> None:
    found = parse_maxspeed(text, rule("speeds")["implied"])
    assert found is None or 0 < found <= 200


# Real extracts

REAL = {
    "redon_35236_20190909": (20, 3),
    "pont-de-veyle_01306_20220311": (37, 3),
    "saint-jean-la-poterie_56223_20190905": (5, 2),
    "monaco-latest_20210421": (110, 60),
    "saint-barthelemy_977": (120, 115),
}


@pytest.mark.mirror
@pytest.mark.parametrize("name", REAL)
def test_real_extracts(mirror: Path, tmp_path: Path, name: str) -> None:
    network = build_network([mirror / "08_osm" / f"{name}.osm.pbf"], tmp_path / "net")
    kilometres = {mode: network.manifest["modes"][mode]["kilometres"] for mode in MODES}
    walked, driven = REAL[name]
    assert kilometres["foot"] >= walked
    assert kilometres["foot"] >= kilometres["car"] >= driven
    for mode in MODES:
        counts = network.manifest["modes"][mode]
        assert counts["small_component_segments"] <= 0.15 * counts["segments"]
        # Every street that the mode may use can be left and reached.
        usable = np.flatnonzero(network.mode(mode).flags & 1)
        segments = network.segments
        middle = (segments.first[:-1] + segments.first[1:]) // 2
        found = network.snap(segments.coords[middle[usable]], mode)
        assert (found.status == SNAP_OK).all()
        assert (found.departures_node >= 0).any(axis=1).all()
        assert (found.arrivals_node >= 0).any(axis=1).all()


@pytest.mark.mirror
@pytest.mark.parametrize(
    ("xml", "pbf"),
    [
        ("redon_35236_20190909.osm.gz", "redon_35236_20190909.osm.pbf"),
        ("pont-de-veyle_01306_20220311.osm", "pont-de-veyle_01306_20220311.osm.pbf"),
        ("saint-jean-la-poterie_56223_20190905.osm.gz", "saint-jean-la-poterie_56223_20190905.osm.pbf"),
    ],
)
def test_xml_and_pbf_give_the_same_network(mirror: Path, tmp_path: Path, xml: str, pbf: str) -> None:
    one = files_of(build_network([mirror / "08_osm" / xml], tmp_path / "one").folder)
    two = files_of(build_network([mirror / "08_osm" / pbf], tmp_path / "two").folder)
    assert [name for name in one if one[name] != two[name]] == ["manifest.json"]


@pytest.mark.mirror
def test_a_whole_department_of_roads(mirror: Path, tmp_path: Path) -> None:
    network = build_network([mirror / "08_osm" / "osm_roads_by_commune_04_202107.zip"], tmp_path / "net")
    counts = network.manifest["modes"]["car"]
    # Digne-les-Bains, Manosque, Barcelonnette: the department is one piece.
    assert counts["largest_component"] > 0.9 * len(np.unique(network.graph("car").heads))
    assert network.manifest["counts"]["ways"] > 60_000
    minutes = {}
    for name, start, end in (
        ("Digne–Manosque", (6.2356, 44.0925), (5.7863, 43.8330)),
        ("Digne–Barcelonnette", (6.2356, 44.0925), (6.6518, 44.3866)),
    ):
        seconds = travel(network, "car", start, end)
        assert seconds is not None
        minutes[name] = seconds / 60
    # Usual times by car: about 50 and 85 minutes.
    assert 40 < minutes["Digne–Manosque"] < 65
    assert 65 < minutes["Digne–Barcelonnette"] < 110
