"""The network: contraction, the same bytes twice, folders that are none, and real extracts."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from access_world import BLOCK, KM_LAT, KM_LON, LAT, RESIDENTIAL, World, grid_town, travel
from bourg.access.network.build import build_network
from bourg.access.network.errors import ExtractFormatError, NetworkFolderError
from bourg.access.network.graph import MODES, SNAP_OK
from bourg.access.network.store import Network, open_network
from bourg.errors import StorageError


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
    world = World.at(*((0.1 * i, 0) for i in range(5)))
    world.way([1, 2], RESIDENTIAL)
    world.way([2, 3], {**RESIDENTIAL, "name": "Rue des Lilas"})
    world.way([3, 4], {**RESIDENTIAL, "maxspeed": "30"})
    # Written the other way round: it stays a segment of its own.
    world.way([5, 4], {**RESIDENTIAL, "maxspeed": "30"})
    network = world.build(tmp_path)
    assert sorted(network.segments.length_m.round().tolist()) == [100, 100, 200]


def test_a_ring_without_junction_is_kept(tmp_path: Path) -> None:
    world = World.at(*BLOCK)
    world.way([1, 2, 3], RESIDENTIAL)
    world.way([3, 4, 1], RESIDENTIAL)
    network = world.build(tmp_path)
    assert len(network.segments) == 1
    assert network.segments.length_m.sum() == pytest.approx(400, rel=1e-3)
    seconds = travel(network, "foot", world.between(1, 2), world.between(3, 4))
    assert seconds == pytest.approx(200 / 5 * 3.6, rel=0.01)


def test_repeated_and_missing_nodes(tmp_path: Path) -> None:
    world = World.at(*((0.1 * i, 0) for i in range(4)))
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
