"""Extracts of every kind: OpenStreetMap, roads by commune, speed limits as people write them, and bad files."""

from __future__ import annotations

import gzip
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from access_world import grid_town, travel, write
from bourg.access.network.build import build_network
from bourg.access.network.errors import ExtractFormatError, NoStreetError
from bourg.access.network.maxspeed import parse_maxspeed
from bourg.access.network.settings import rule
from bourg.errors import ArchiveError, ParameterError, SourceUnavailableError

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
