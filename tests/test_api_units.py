"""Parts of the API on their own: tiles, buckets, parameters, formats."""

from __future__ import annotations

import csv
import io
import json
import threading
from itertools import pairwise
from pathlib import Path

import geopandas
import numpy as np
import polars as pl
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from api_tools import ApiClient, api_app
from bourg.errors import BourgError, ParameterError
from bourg.portrait.observatory import Observatory
from bourg.settings import Settings
from bourg.web.api.answers import address, coding_of
from bourg.web.api.formats import choose_format, csv_table, geojson_table, json_table, parquet_table
from bourg.web.api.mvt import encode_geometries, encode_layer, varints
from bourg.web.api.operations import OPERATIONS
from bourg.web.api.parameters import Parameter, read_query
from bourg.web.api.problems import KINDS, RefusedFormatError, kind_of
from bourg.web.api.shapes import Shapes, mercator
from bourg.web.limits import Rate, TokenBuckets, client_key, load_rate

HALF = 20037508.342789244

# -- tiles ------------------------------------------------------------------------------------------------------------


def opened(content: bytes, folder: Path, place: tuple[int, int, int], layer: str) -> geopandas.GeoDataFrame:
    """Read a tile with GDAL, which never saw our code: Web Mercator metres."""
    z, x, y = place
    path = folder / str(z) / str(x) / f"{y}.mvt"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    return geopandas.read_file(path, layer=layer, engine="pyogrio")


def test_a_tile_is_read_by_gdal_with_its_shapes_and_properties(
    small_settings: Settings, small_observatory: Observatory, tmp_path: Path
) -> None:
    client = ApiClient(api_app(small_settings))
    answer = client.get("/tiles/8/130/93.mvt?indicator=population.total")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/vnd.mapbox-vector-tile"
    frame = opened(answer.content, tmp_path, (8, 130, 93), "communes").set_index("code")
    values = small_observatory.matrix.values[small_observatory.matrix.row("population.total")]
    for code, row in frame.iterrows():
        known = values[small_observatory.matrix.position(code)]
        assert (row["value"] == known) or (np.isnan(row["value"]) and np.isnan(known))
        assert row["name"] == small_observatory.names[code]
        assert row["status"] in ("ok", "demo", "missing")
    # A commune in the middle of the tile has the place and the area of its outline.
    side = 2.0**-8
    outlines = small_observatory.snapshot.table("outlines").collect()
    shapes = shapely.transform(shapely.from_wkb(outlines["wkb"].to_list()), mercator)
    inside = shapely.contains(shapely.box(130.1 * side, 93.1 * side, 130.9 * side, 93.9 * side), shapes)
    assert inside.sum() > 50
    for code, shape in zip(outlines["code"].to_numpy()[inside], shapes[inside], strict=True):
        expected = shapely.transform(shape, lambda points: (points * [1, -1] + [-0.5, 0.5]) * 2 * HALF)
        drawn = frame.geometry[code]
        pixel = 2 * HALF * side / 4096
        assert drawn.is_valid
        assert shapely.hausdorff_distance(drawn, expected) < 2 * pixel


def test_small_scales_draw_departments_and_seas_are_empty(small_settings: Settings, tmp_path: Path) -> None:
    client = ApiClient(api_app(small_settings))
    country = opened(client.get("/tiles/4/8/5.mvt").content, tmp_path, (4, 8, 5), "departements")
    assert {"12", "48"} <= set(country["code"])
    sea = client.get("/tiles/9/3/3.mvt")
    assert (sea.status_code, sea.content) == (200, b"")


def test_rings_are_turned_as_the_format_asks(tmp_path: Path) -> None:
    hole = shapely.box(20, 20, 30, 30).exterior
    square = shapely.Polygon(shapely.box(0, 0, 100, 100).exterior, [hole])
    two = shapely.MultiPolygon([shapely.box(200, 200, 300, 300), square])
    flat = shapely.Polygon()
    shapes = encode_geometries(np.array([square, flat, two.reverse()], dtype=object))
    assert shapes[1] == b""
    texts = [{"code": "a", "part": 1.5}, {"code": "vide"}, {"code": "=é", "vrai": True, "rien": None}]
    frame = opened(encode_layer("essai", shapes, texts), tmp_path, (0, 0, 0), "essai")
    assert frame["code"].tolist() == ["a", "=é"]
    pixel = 2 * HALF / 4096
    assert frame.geometry[0].area == pytest.approx((100 * 100 - 10 * 10) * pixel**2)
    assert frame.geometry[1].area == pytest.approx((2 * 100 * 100 - 10 * 10) * pixel**2)
    assert bool(frame["vrai"].iloc[1]) is True
    assert encode_layer("essai", [b""], [{"code": "vide"}]) == b""


@given(st.lists(st.integers(0, 2**35 - 1), max_size=30))
def test_varints_are_read_back(numbers: list[int]) -> None:
    content, starts = varints(np.array(numbers, dtype=np.uint64))
    assert starts[-1] == len(content)
    read = []
    for first, last in pairwise(starts.tolist()):
        read.append(sum((byte & 0x7F) << (7 * index) for index, byte in enumerate(content[first:last])))
        assert all(byte & 0x80 for byte in content[first : last - 1])
        assert not content[last - 1] & 0x80
    assert read == numbers


def test_every_town_hall_is_found_in_its_commune(small_observatory: Observatory) -> None:
    shapes = Shapes(small_observatory)
    halls = small_observatory.snapshot.table("town_halls").drop_nulls("longitude").collect().gather_every(400)
    found = [shapes.commune_at(row["longitude"], row["latitude"]) for row in halls.iter_rows(named=True)]
    agreed = sum(code == given for code, given in zip(halls["code"], found, strict=True))
    # Outlines are generalised: a hall near the limit may fall on the other side.
    assert agreed > 0.93 * halls.height


# -- limits -----------------------------------------------------------------------------------------------------------


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_bucket_empties_and_fills_again() -> None:
    clock = Clock()
    buckets = TokenBuckets(Rate(per_minute=60, burst=3), clock)
    assert [buckets.take("a") for _ in range(3)] == [0, 0, 0]
    assert buckets.take("a") == pytest.approx(1.0)
    assert buckets.take("b") == 0
    clock.now += 0.9
    assert buckets.take("a") == pytest.approx(0.1)
    clock.now += 0.2
    assert buckets.take("a") == 0
    clock.now += 3600
    assert [buckets.take("a") > 0 for _ in range(4)] == [False, False, False, True]


def test_a_heavy_request_costs_more_and_is_never_impossible() -> None:
    clock = Clock()
    buckets = TokenBuckets(Rate(per_minute=60, burst=5), clock)
    assert buckets.take("a", 50) == 0
    assert buckets.take("a", 1) == pytest.approx(1.0)
    assert TokenBuckets(Rate(0, 0)).take("a", 1e9) == 0


def test_the_memory_of_clients_is_bounded_and_safe_between_threads() -> None:
    buckets = TokenBuckets(Rate(per_minute=6, burst=100), Clock(), most=10)
    for index in range(100):
        buckets.take(f"client {index}")
    assert len(buckets) == 10
    taken: list[float] = []

    def ask() -> None:
        taken.extend(buckets.take("x") for _ in range(50))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(wait == 0 for wait in taken) == 100


@pytest.mark.parametrize(
    ("host", "key"),
    [
        ("192.0.2.7", "192.0.2.7"), ("::ffff:192.0.2.7", "192.0.2.7"), ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"), ("testclient", "testclient"), ("", ""),
    ],
)  # fmt: skip
def test_a_client_is_an_address_or_a_network(host: str, key: str) -> None:
    assert client_key({"type": "http", "client": (host, 5)}) == key


@pytest.mark.parametrize(
    ("text", "rate"),
    [("", Rate()), ("0", Rate(0, 0)), ("off", Rate(0, 0)), ("60/10", Rate(60, 10)), ("1200", Rate(1200, 300)),
     ("2", Rate(2, 1))],
)  # fmt: skip
def test_the_rate_is_read_from_the_environment(text: str, rate: Rate) -> None:
    assert load_rate({"BOURG_API_RATE": text}) == rate


@pytest.mark.parametrize("text", ["beaucoup", "-1", "1.5", "10/0", "0/10", "1/2/3"])
def test_a_wrong_rate_is_refused(text: str) -> None:
    with pytest.raises(ParameterError, match="BOURG_API_RATE"):
        load_rate({"BOURG_API_RATE": text})


# -- parameters -------------------------------------------------------------------------------------------------------


@given(st.binary(max_size=80), st.sampled_from([operation.id for operation in OPERATIONS]))
def test_any_query_is_read_or_refused_with_a_typed_error(query: bytes, name: str) -> None:
    declared = next(operation.parameters for operation in OPERATIONS if operation.id == name)
    try:
        told = set(read_query(declared, query))
    except BourgError as error:
        told = {kind_of(error).slug}
    names = {item.name for item in declared}
    assert told == names or told <= {"parametre-inconnu", "parametre-manquant", "parametre-invalide", "code-illisible"}


@given(st.text(max_size=30))
def test_what_is_accepted_fits_the_schema(text: str) -> None:
    for operation in OPERATIONS:
        for item in (*operation.inside, *operation.parameters):
            try:
                value = item.read(text)
            except BourgError:
                continue
            if item.kind in ("integer", "number"):
                schema = item.schema().get("items", item.schema())
                assert schema.get("minimum", value) <= value <= schema.get("maximum", value)
            elif item.choices:
                assert text in item.choices


def test_addresses_of_pages_are_made_again_from_checked_values() -> None:
    made = address("/a b\r\n", {"q": "é&x=1\r\n", "code": ("1", "2"), "pvd": True, "rien": None}, page=2)
    assert made == "/a%20b%0D%0A?q=%C3%A9%26x%3D1%0D%0A&code=1&code=2&pvd=true&page=2"


def test_every_declared_pattern_accepts_its_example() -> None:
    for operation in OPERATIONS:
        for item in (*operation.inside, *operation.query):
            if item.example is not None and item.kind == "string":
                assert item.read(str(item.example)) is not None


# -- formats ----------------------------------------------------------------------------------------------------------

EVIL = [
    "=1+1",
    "+33",
    "-2",
    "@somme",
    "\t=1",
    "\r=1",
    "\n=1",
    "＝1",
    "<script>",
    'bien ; "cité"',
    "\u202etxt.exe",
    None,
]


def hostile() -> pl.DataFrame:
    return pl.DataFrame({
        "name": EVIL, "value": [-1.5, 1e-7, 1e20, None, *[0.0] * (len(EVIL) - 4)],
        "demo": [True, False, None] * 4, "list": [["=a", "b"]] * len(EVIL), "longitude": [2.0] * len(EVIL),
        "latitude": [48.0] * (len(EVIL) - 1) + [None],
    })  # fmt: skip


def test_no_cell_of_a_csv_is_run_by_a_spreadsheet() -> None:
    text = csv_table(hostile()).decode("utf-8-sig")
    rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=";"))
    for given_text, row in zip(EVIL, rows[1:], strict=True):
        assert not row[0].startswith(("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"))
        assert row[0].removeprefix("'") == (given_text or "")
        assert row[3] == "'=a, b"
    assert [row[1] for row in rows[1:5]] == ["-1.5", "0.0000001", "100000000000000000000", ""]
    assert [row[2] for row in rows[1:4]] == ["oui", "non", ""]


def test_other_formats_keep_the_texts_as_they_are() -> None:
    frame = hostile()
    content = json.loads(json_table(frame, {"note": "é"}))
    assert [row["name"] for row in content["data"]] == EVIL
    assert content["meta"] == {"note": "é"}
    assert pl.read_parquet(io.BytesIO(parquet_table(frame, {}))).equals(frame)
    assert parquet_table(frame, {}) == parquet_table(frame, {})
    features = json.loads(geojson_table(frame, {}))["features"]
    assert features[0]["geometry"] == {"type": "Point", "coordinates": [2.0, 48.0]}
    assert features[-1]["geometry"] is None


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("", "json"), ("text/csv", "csv"), ("TEXT/CSV", "csv"), ("text/*", "csv"), ("*/*;q=0.1, text/csv;q=0.5", "csv"),
        ("application/json;q=0, */*", "csv"), ("application/vnd.apache.parquet, application/json;q=0.9", "parquet"),
    ],
)  # fmt: skip
def test_the_format_follows_the_header(accept: str, chosen: str) -> None:
    assert choose_format(("json", "csv", "parquet"), None, accept) == chosen


def test_a_wrong_format_is_told() -> None:
    with pytest.raises(RefusedFormatError, match="parquet"):
        choose_format(("json", "parquet"), "parquets", "")


@given(st.text(max_size=60))
def test_any_header_of_encodings_is_read(header: str) -> None:
    assert coding_of(header) in ("", "br", "gzip")


def test_a_number_out_of_its_bounds_is_told_with_them() -> None:
    item = Parameter("k", "Nombre.", "integer", minimum=1, maximum=100)
    with pytest.raises(ParameterError, match="entre 1 et 100"):
        item.read("101")
    assert item.read("7") == 7
    assert {kind.status for kind in KINDS.values()} == {404, 405, 406, 413, 414, 422, 429, 503}
