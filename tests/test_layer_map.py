"""The map of layers: what it sends, what it refuses, what comes back; and the contents it leaves on the server."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import shapely
from starlette.applications import Starlette

from bourg.dashboard import layer_map as module
from bourg.dashboard.layer_map import Click, Feature, Layer, Legend, LegendItem, layer_map
from bourg.errors import ParameterError
from bourg.maps.choropleth import sequential
from bourg.settings import Settings, load_settings
from bourg.web.layers import LAYERS, LayerStore, UnknownLayerError
from bourg.web.middleware import middleware
from bourg.web.routes import routes
from test_web_routes import Client

POINT = {"type": "Feature", "properties": {"code": "a"}, "geometry": {"type": "Point", "coordinates": [3.0, 44.0]}}
BOUNDS = (3.0, 44.0, 3.2, 44.2)


@dataclass
class Answer:
    clicked: object = None
    opened: object = None


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """Call the map without a browser and return what would be sent to it, with the result under ``result``."""

    def call(answer: Answer | None = None, **arguments: Any) -> dict[str, Any]:
        received: dict[str, Any] = {}

        def show(*_: str, **given: Any) -> Answer:
            received.update(given["data"])
            return answer or Answer()

        monkeypatch.setattr(module, "show_component", show)
        options = {"key": "carte", "layers": [], "bounds": BOUNDS} | arguments
        return {"result": layer_map(**options), **received}

    return call


def points(count: int, colour: int = 0) -> Layer:
    features = [{**POINT, "properties": {"code": str(number), "couleur": colour}} for number in range(count)]
    return Layer("points", "points", {"type": "FeatureCollection", "features": features}, palette=sequential(3))


def test_a_changed_layer_leaves_the_versions_of_the_others(sent: Callable[..., dict[str, Any]]) -> None:
    outlines = Layer("contours", "polygons", "/bourg/contours/s/communes-12.json", {"12145": Feature("Millau")})
    before = {item["id"]: item for item in sent(layers=[outlines, points(2)])["layers"]}
    after = {item["id"]: item for item in sent(layers=[outlines, points(2, colour=1)])["layers"]}
    assert before["contours"] == after["contours"]
    assert before["points"]["version"] != after["points"]["version"]
    again = {item["id"]: item for item in sent(layers=[outlines, points(2)])["layers"]}
    assert again == before


def test_long_contents_are_left_on_the_server_and_the_page_gets_their_address(
    sent: Callable[..., dict[str, Any]],
) -> None:
    (short,) = sent(layers=[points(2)])["layers"]
    assert len(short["sources"][0]["inline"]["features"]) == 2
    (long,) = sent(layers=[points(2000)])["layers"]
    assert len(json.dumps(long)) < 1000
    digest = long["sources"][0]["url"].removeprefix("/bourg/couches/").removesuffix(".json")
    held = LAYERS.get(digest)
    assert hashlib.sha256(held).hexdigest() == digest
    assert len(json.loads(held)["features"]) == 2000


def test_legend_and_features_are_sent_as_they_are_shown(sent: Callable[..., dict[str, Any]]) -> None:
    palette = sequential(2)
    legend = Legend(
        "Part (%)", [LegendItem("0 à 3 %", "2 communes", 0), LegendItem("Secret", "1", None, "secret")], palette
    )
    features = {"1": Feature("A", "3 %", 0), "2": Feature("B", "secret", None, "secret", "/ville?commune=2")}
    data = sent(layers=[Layer("x", "polygons", ["/bourg/a.json"], features, palette=palette)], legend=legend)
    assert data["layers"][0]["features"]["inline"] == {
        "1": ["A", "3 %", 0, None, None], "2": ["B", "secret", None, "secret", "/ville?commune=2"],
    }  # fmt: skip
    assert [item["pattern"] for item in data["legend"]["items"]] == [None, "secret"]
    assert data["legend"]["palette"] == {"light": list(palette.light), "dark": list(palette.dark)}


@pytest.mark.parametrize(
    "wrong",
    [
        {"layers": [points(1), points(1)]},
        {"layers": [Layer("x", "polygons", "https://example.org/a.json")]},
        {"layers": [Layer("x", "polygons", ["/bourg/a.json", "//example.org/a.json"])]},
        {"bounds": (3.2, 44.0, 3.0, 44.2)},
        {"bounds": (3.0, 44.0, 3.2)},
        {"bounds": (44.0, 130.0, 45.0, 131.0)},
        {"bounds": (float("nan"), 44.0, 3.2, 44.2)},
    ],
)
def test_what_no_browser_should_receive_is_refused(sent: Callable[..., dict[str, Any]], wrong: dict[str, Any]) -> None:
    with pytest.raises(ParameterError):
        sent(**wrong)


@pytest.mark.parametrize(
    ("received", "expected"),
    [
        ({"lon": 3.1, "lat": 44, "layer": "v", "feature_id": "12145"}, Click(3.1, 44.0, "v", "12145")),
        ({"lon": 3.1, "lat": 44.0, "layer": None, "feature_id": 7}, Click(3.1, 44.0)),
        ({"lon": "3.1", "lat": 44.0}, None),
        ({"lon": 3.1, "lat": 144.0}, None),
        ({"lon": True, "lat": 44.0}, None),
        ({"lon": float("nan"), "lat": 44.0}, None),
        ("x", None),
        (None, None),
    ],
)
def test_clicks_are_checked(sent: Callable[..., dict[str, Any]], received: object, expected: Click | None) -> None:
    assert sent(Answer(clicked=received))["result"].clicked == expected


def test_the_store_keeps_the_last_used_within_its_size() -> None:
    store = LayerStore(most_bytes=10)
    first, second = store.put(b"aaaa"), store.put(b"bbbb")
    assert store.get(first) == b"aaaa"
    third = store.put(b"cccc")
    assert store.get(first) == b"aaaa"
    assert store.get(third) == b"cccc"
    with pytest.raises(UnknownLayerError):
        store.get(second)
    alone = store.put(b"d" * 50)
    assert store.get(alone) == b"d" * 50


# ---- Routes ----------------------------------------------------------------------------------------------------------


class _Snapshot:
    id = "abc"
    folder = Path("unused")

    def table(self, name: str) -> pl.LazyFrame:
        codes = ["01001", "01002", "02001"]
        tables = {
            "communes": pl.DataFrame({"code": codes, "epci": ["E1", "E1", None], "region": ["84", "84", "32"]}),
            "epci": pl.DataFrame({"code": ["E1"], "name": ["CC de l'Essai"]}),
            "outlines": pl.DataFrame(
                {"code": codes, "wkb": [shapely.to_wkb(shapely.box(x, 45, x + 0.1, 45.1)) for x in (5.0, 5.1, 3.0)]}
            ),
        }
        return tables[name].lazy()


class _Context:
    settings: Settings = load_settings()

    def current_snapshot(self) -> _Snapshot:
        return _Snapshot()

    def search(self, query: str, limit: int) -> list[Any]:
        del query, limit
        return []


@pytest.fixture(scope="module")
def client() -> Client:
    return Client(Starlette(routes=routes(_Context()), middleware=middleware()))


def test_layers_are_compressed_and_kept_for_ever(client: Client) -> None:
    content = json.dumps({"type": "FeatureCollection", "features": [POINT] * 100}).encode()
    address = f"/bourg/couches/{LAYERS.put(content)}.json"
    answer = client.get(address, headers={"accept-encoding": "gzip"})
    assert answer.status_code == 200
    assert answer.headers["content-encoding"] == "gzip"
    assert "immutable" in answer.headers["cache-control"]
    assert int(answer.headers["content-length"]) < len(content) / 5
    assert answer.content in {content, gzip.compress(content)}
    known = {"accept-encoding": "gzip", "if-none-match": answer.headers["etag"]}
    assert client.get(address, headers=known).status_code == 304
    unknown = client.get(f"/bourg/couches/{'0' * 64}.json")
    assert unknown.status_code == 404
    assert unknown.json()["que_faire"] == "rechargez la page."


@pytest.mark.parametrize("region", ["84", "FR"])
def test_outlines_of_intercommunalities(client: Client, region: str) -> None:
    answer = client.get(f"/bourg/contours/abc/epci-{region}.json")
    assert answer.status_code == 200
    (feature,) = answer.json()["features"]
    assert feature["properties"]["code"] == "E1"
    assert feature["properties"]["nom"] == "CC de l'Essai"
    assert feature["bbox"] == [5.0, 45.0, 5.2, 45.1]
    drawn = shapely.from_geojson(json.dumps(feature["geometry"]))
    assert drawn.area == pytest.approx(0.02)
    assert len(shapely.get_parts(drawn)) == 1


@pytest.mark.parametrize(("region", "status"), [("32", 404), ("99", 404), ("8", 400), ("é4", 400), ("..%2f", 400)])
def test_regions_that_have_none_are_told(client: Client, region: str, status: int) -> None:
    answer = client.get(f"/bourg/contours/abc/epci-{region}.json")
    assert answer.status_code in {status, 404}
    assert answer.status_code < 500
    assert answer.json()["quoi"]


def test_outlines_of_another_snapshot_are_refused(client: Client) -> None:
    assert client.get("/bourg/contours/other/epci-84.json").status_code == 404
