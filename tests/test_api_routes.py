"""Every route of the API: answers, formats, pages, conditional requests, refusals in French."""

from __future__ import annotations

import csv
import gzip
import io
import json
from pathlib import Path

import jsonschema
import polars as pl
import pytest
from starlette.applications import Starlette

from api_tools import ApiClient, Context, api_app
from bourg.access.network.demo import install_demo_streets
from bourg.indicators.engine import STATUSES, USABLE
from bourg.portrait.observatory import Observatory
from bourg.settings import Settings
from bourg.web.api.openapi import openapi
from bourg.web.api.operations import OPERATIONS
from bourg.web.api.pages import example
from bourg.web.api.problems import KINDS
from bourg.web.middleware import middleware
from bourg.web.routes import routes

TOWN = "12145"
BY_NAME = {operation.id: operation for operation in OPERATIONS}
TABLES = [operation.id for operation in OPERATIONS if "csv" in operation.formats]
SCHEMAS = openapi()


@pytest.fixture(scope="module")
def client(small_settings: Settings) -> ApiClient:
    return ApiClient(api_app(small_settings))


def asked(name: str) -> str:
    """Return the example of an operation, without the prefix."""
    if name == "places":
        return f"/places?commune={TOWN}"
    return example(BY_NAME[name]).removeprefix("/api/v1")


def with_format(name: str, form: str) -> str:
    address = asked(name)
    return f"{address}{'&' if '?' in address else '?'}format={form}"


def check_schema(name: str, content: object) -> None:
    """Check an answer with the schema of the OpenAPI document."""
    operation = BY_NAME[name]
    media = {"json": "application/json", "geojson": "application/geo+json"}[operation.formats[0]]
    path = SCHEMAS["paths"][f"/api/v1{operation.path}"]["get"]
    schema = path["responses"]["200"]["content"][media]["schema"]
    jsonschema.Draft202012Validator({**schema, "components": SCHEMAS["components"]}).validate(content)


JSON_ROUTES = [operation.id for operation in OPERATIONS if operation.id not in ("tiles", "access")]


@pytest.mark.parametrize("name", JSON_ROUTES)
def test_every_route_answers_with_its_schema_its_sources_and_its_snapshot(
    client: ApiClient, small_observatory: Observatory, name: str
) -> None:
    answer = client.get(asked(name))
    assert answer.status_code == 200, answer.text
    content = answer.json()
    check_schema(name, content)
    meta = content["meta"]
    assert meta["snapshot"]["id"] == answer.headers["x-bourg-instantane"] == small_observatory.snapshot.id
    assert meta["sources"]
    assert meta["licence"] == sorted({item["licence"] for item in meta["sources"]})
    assert meta["demo"] is (answer.headers["x-bourg-demonstration"] == "oui")
    assert (meta["notice"] is not None) is meta["demo"]


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_the_same_in_json_csv_and_parquet(client: ApiClient, name: str) -> None:
    address = asked(name)
    first = BY_NAME[name].formats[0]
    content = client.get(f"{address}{'&' if '?' in address else '?'}size=1000").json()
    rows = content["data"] if first == "json" else content["features"]
    parquet = client.get(with_format(name, "parquet"))
    assert parquet.headers["content-type"] == "application/vnd.apache.parquet"
    frame = pl.read_parquet(io.BytesIO(parquet.content))
    # A JSON page is shorter than a file.
    assert frame.height == content["meta"]["total"]
    assert len(rows) == min(frame.height, 1000)
    stored = json.loads(pl.read_parquet_metadata(io.BytesIO(parquet.content))["bourg"])
    assert stored["sources"] == content["meta"]["sources"]
    assert stored["snapshot"] == content["meta"]["snapshot"]
    if first == "json":
        assert frame.head(len(rows)).to_dicts() == rows
    answer = client.get(with_format(name, "csv"))
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.content.startswith(b"\xef\xbb\xbf")
    assert 'attachment; filename="bourg-' in answer.headers["content-disposition"]
    lines = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig")), delimiter=";"))
    assert lines[0] == frame.columns
    assert len(lines) == frame.height + 1
    by_header = client.get(address, {"accept": "text/csv;q=0.9, application/json;q=0.1"})
    assert by_header.content == answer.content


def test_a_value_that_is_not_known_is_null_and_says_why(client: ApiClient) -> None:
    rows = client.get(f"/communes/{TOWN}/values?size=1000").json()["data"]
    rows += client.get("/communes/97611/values?size=1000").json()["data"]
    assert {"missing", "demo"} <= {row["status"] for row in rows} <= set(STATUSES)
    for row in rows:
        assert (row["value"] is None) is (row["status"] not in USABLE), row
        assert row["text"]
        assert row["demo"] is (row["status"] == "demo")


def test_the_values_are_those_of_the_snapshot(client: ApiClient, small_observatory: Observatory) -> None:
    stored = {row["indicator"]: row for row in small_observatory.values([("commune", TOWN)]).iter_rows(named=True)}
    rows = client.get(f"/communes/{TOWN}/values?size=1000").json()["data"]
    assert {row["indicator"] for row in rows} == set(stored)
    for row in rows:
        expected = stored[row["indicator"]]
        assert (row["status"], row["period"]) == (expected["status"], expected["period"])
        assert row["value"] == (expected["value"] if expected["status"] in USABLE else None)
    one = client.get(f"/values?indicator=population.total&code={TOWN}").json()["data"]
    assert one == [row for row in rows if row["indicator"] == "population.total"]
    theme = client.get(f"/communes/{TOWN}/values?theme=housing").json()["data"]
    assert theme == [row for row in rows if row["theme"] == "housing"]
    two = client.get(f"/communes/{TOWN}/values?indicator=population.total&indicator=culture.places_count").json()
    assert {row["indicator"] for row in two["data"]} == {"population.total", "culture.places_count"}


def test_communes_are_found_by_name_code_point_and_filter(client: ApiClient, small_observatory: Observatory) -> None:
    assert client.get("/communes?q=millau").json()["data"][0]["code"] == TOWN
    found = client.get("/communes?q=saint-denis&departement=974").json()["data"]
    assert found[0]["code"] == "97411"
    assert {row["departement"] for row in found} == {"974"}
    aveyron = client.get("/communes?departement=12&size=1").json()["meta"]["total"]
    assert aveyron == small_observatory.communes.filter(departement="12").height
    towns = client.get("/communes?pvd=true&size=1000").json()
    assert {row["code"] for row in towns["data"]} <= set(small_observatory.pvd)
    assert towns["meta"]["total"] == len(set(small_observatory.pvd) & set(small_observatory.names))
    assert client.get("/communes/at?lon=3.08&lat=44.1").json()["data"]["code"] == TOWN
    assert client.get("/communes/2a004").json()["data"]["code"] == "2A004"
    former = small_observatory.snapshot.table("former_communes").collect()
    gone = former.filter(~pl.col("code").is_in(list(small_observatory.names))).row(0, named=True)
    assert client.get(f"/communes/{gone['code']}").json()["data"]["code"] == gone["parent"]


def test_pages_follow_one_another(client: ApiClient) -> None:
    first = client.get("/communes?departement=12&size=50")
    whole = client.get("/communes?departement=12&size=1000").json()["data"]
    seen = first.json()["data"]
    answer = first
    while following := answer.json()["meta"]["links"].get("next"):
        assert f'<{following}>; rel="next"' in answer.headers["link"]
        answer = client.request("GET", following)
        seen += answer.json()["data"]
    assert seen == whole
    assert answer.headers["x-total-count"] == str(len(whole))
    assert "prev" in answer.json()["meta"]["links"]


def test_levels_and_filters_of_an_indicator(client: ApiClient, small_observatory: Observatory) -> None:
    departements = client.get("/values?indicator=population.total&level=departement&size=1000").json()["data"]
    assert [row["code"] for row in departements] == sorted(small_observatory.departements["code"])
    country = client.get("/values?indicator=population.total&level=france").json()["data"]
    assert {row["code"]: row["name"] for row in country}["FR"] == "France"
    reunion = client.get("/values?indicator=population.total&departement=974&size=1000").json()["data"]
    assert {row["code"][:3] for row in reunion} == {"974"}
    regions = client.get("/territories/region?size=1000").json()["data"]
    communes = sum(row["communes"] for row in regions)
    assert communes == small_observatory.communes.height
    france = client.get("/territories/france").json()["data"]
    assert {row["code"]: row["communes"] for row in france}["FR"] == communes


def test_comparison_gives_every_figure_of_every_town(client: ApiClient) -> None:
    content = client.get(f"/compare?code=35236&code={TOWN}&size=1000").json()
    assert content["meta"]["communes"] == ["35236", TOWN]
    assert [row["code"] for row in content["data"][:2]] == ["35236", TOWN]
    assert content["data"][0]["indicator"] == content["data"][1]["indicator"]


def test_similar_towns_come_with_reasons_and_distance(client: ApiClient) -> None:
    content = client.get(f"/communes/{TOWN}/similar?k=5").json()
    assert [row["rank"] for row in content["data"]] == [1, 2, 3, 4, 5]
    assert all(row["code"] != TOWN and row["reasons"] and row["text"] for row in content["data"])
    distances = [row["distance"] for row in content["data"]]
    assert distances == sorted(distances)


def test_outlines_carry_the_indicator_and_its_status(client: ApiClient, small_observatory: Observatory) -> None:
    content = client.get("/geo/commune.geojson?departement=12&indicator=population.total").json()
    values = client.get("/values?indicator=population.total&departement=12&size=1000").json()["data"]
    known = {row["code"]: (row["value"], row["status"]) for row in values}
    drawn = {item["id"]: item["properties"] for item in content["features"]}
    assert drawn.keys() == known.keys()
    assert {code: (item["value"], item["status"]) for code, item in drawn.items()} == known
    assert len(client.get("/geo/departement.geojson").json()["features"]) == small_observatory.departements.height
    regions = client.get("/geo/region.geojson?indicator=population.total").json()["features"]
    assert {item["id"] for item in regions} == set(small_observatory.departements["region"])
    epci = client.get("/geo/epci.geojson?region=94").json()["features"]
    assert epci
    assert all(item["geometry"]["type"] in ("Polygon", "MultiPolygon") for item in epci)


def test_places_are_points_with_their_demo_mark(client: ApiClient, small_observatory: Observatory) -> None:
    content = client.get("/places?bbox=3.0,44.0,3.2,44.2").json()
    assert content["features"]
    for item in content["features"]:
        longitude, latitude = item["geometry"]["coordinates"]
        assert 3.0 <= longitude <= 3.2
        assert 44.0 <= latitude <= 44.2
        assert item["properties"]["demo"] is True
    assert content["meta"]["demo"] is True
    known = small_observatory.places.filter(code=TOWN)
    assert client.get(f"/places?commune={TOWN}").json()["meta"]["total"] == known.height


def test_access_without_a_network_is_a_typed_problem(client: ApiClient) -> None:
    answer = client.get(f"/communes/{TOWN}/access?to=pharmacie")
    assert answer.status_code == 404
    assert answer.json()["type"] == "/api/v1/#reseau-absent"
    assert "bourg network build" in answer.json()["que_faire"]


@pytest.fixture(scope="module")
def streets(
    small_settings: Settings, small_observatory: Observatory, tmp_path_factory: pytest.TempPathFactory
) -> ApiClient:
    """An installation with generated streets around the town."""
    home = tmp_path_factory.mktemp("api-rues")
    (home / "snapshots").symlink_to(small_settings.snapshots)
    settings = Settings(home=home)
    install_demo_streets(small_observatory.snapshot, settings, TOWN, lambda _label, _share: None)
    return ApiClient(api_app(settings))


def test_access_with_a_network(streets: ApiClient) -> None:
    answer = streets.get(f"/communes/{TOWN}/access?to=pharmacie&mode=car&limit=20")
    assert answer.status_code == 200, answer.text
    content = answer.json()
    check_schema("access", content)
    assert content["data"]["mode"] == "car"
    assert content["data"]["limite_min"] == 20
    assert content["data"]["demonstration"] is content["meta"]["demo"] is True
    assert content["meta"]["network_licence"]
    again = streets.get(
        f"/communes/{TOWN}/access?to=pharmacie&mode=car&limit=20", {"if-none-match": answer.headers["etag"]}
    )
    assert again.status_code == 304
    unknown = streets.get(f"/communes/{TOWN}/access?to=pharmacies-de-mars")
    assert unknown.status_code == 422
    assert "pharmacie" in unknown.json()["que_faire"]


# -- HTTP -------------------------------------------------------------------------------------------------------------


def test_an_answer_is_revalidated_without_being_made_again(client: ApiClient) -> None:
    address = f"/communes/{TOWN}/values"
    answer = client.get(address, {"accept-encoding": "identity"})
    assert "max-age" in answer.headers["cache-control"]
    tag = answer.headers["etag"]
    for sent in (tag, f"W/{tag}", f'"autre", {tag}', "*"):
        unchanged = client.get(address, {"accept-encoding": "identity", "if-none-match": sent})
        assert unchanged.status_code == 304
        assert unchanged.content == b""
        assert unchanged.headers["etag"] == tag
    other = client.get(f"{address}?theme=housing", {"accept-encoding": "identity", "if-none-match": tag})
    assert other.status_code == 200
    assert client.get(f"{address}?page=1", {"accept-encoding": "identity"}).headers["etag"] == tag


def test_answers_are_compressed_as_asked(client: ApiClient) -> None:
    address = f"/communes/{TOWN}/values"
    plain = client.get(address, {"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    tags = {plain.headers["etag"]}
    for coding in ("gzip", "br"):
        packed = client.get(address, {"accept-encoding": f"{coding}, identity;q=0.5"})
        assert packed.headers["content-encoding"] == coding
        assert int(packed.headers["content-length"]) < len(plain.content) / 3
        assert packed.json() == plain.json()
        tags.add(packed.headers["etag"])
    assert len(tags) == 3
    assert "Accept-Encoding" in plain.headers["vary"]
    assert client.get(address, {"accept-encoding": "br;q=0, gzip;q=0"}).headers.get("content-encoding") is None


def test_head_options_and_other_methods(client: ApiClient) -> None:
    whole = client.get("/indicators", {"accept-encoding": "identity"})
    head = client.request("HEAD", "/api/v1/indicators", {"accept-encoding": "identity"})
    assert head.status_code == 200
    assert head.content == b""
    assert head.headers["content-length"] == str(len(whole.content))
    assert head.headers["etag"] == whole.headers["etag"]
    options = client.request("OPTIONS", "/api/v1/indicators", {"origin": "https://exemple.fr"})
    assert options.status_code == 204
    assert options.headers["access-control-allow-methods"] == "GET, HEAD, OPTIONS"
    for method in ("POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"):
        refused = client.request(method, "/api/v1/indicators")
        assert refused.status_code == 405
        assert refused.headers["allow"] == "GET, HEAD, OPTIONS"
        assert refused.json()["type"] == "/api/v1/#methode-refusee"


def test_any_site_may_read_and_nothing_is_run(client: ApiClient) -> None:
    for address in ("/indicators", "/communes/00000", "/", "/openapi.json"):
        headers = client.get(address, {"origin": "https://exemple.fr"}).headers
        assert headers["access-control-allow-origin"] == "*"
        assert headers["x-content-type-options"] == "nosniff"
        assert "unsafe-inline" not in headers["content-security-policy"]
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "set-cookie" not in headers


# -- documents --------------------------------------------------------------------------------------------------------


def test_the_page_describes_every_route_and_problem(client: ApiClient) -> None:
    page = client.get("/")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    for operation in OPERATIONS:
        assert f"id='{operation.id}'" in page.text
    for slug in KINDS:
        assert f"id='{slug}'" in page.text
    assert "<html lang='fr'>" in page.text
    for prefix in ("/api", "/api/", "/api/v1"):
        moved = client.request("GET", prefix)
        assert (moved.status_code, moved.headers["location"]) == (308, "/api/v1/")


def test_the_openapi_document_is_the_one_of_the_operations(client: ApiClient) -> None:
    packed = client.request("GET", "/api/v1/openapi.json", {"accept-encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    document = packed.json()
    assert document == json.loads(json.dumps(SCHEMAS))
    assert len(document["paths"]) == len(OPERATIONS)
    for path in document["paths"].values():
        assert path["get"]["summary"]
        assert {"200", "304", "404", "406", "413", "414", "422", "429", "503"} == set(path["get"]["responses"])
    assert len(gzip.compress(json.dumps(document).encode())) < 20_000


def test_the_manual_names_every_route_and_problem() -> None:
    manual = (Path(__file__).resolve().parents[1] / "docs" / "api.md").read_text(encoding="utf-8")
    for operation in OPERATIONS:
        assert f"`{operation.path}`" in manual
    for slug in KINDS:
        assert f"`{slug}`" in manual
    assert "BOURG_API_RATE" in manual


def test_the_api_stands_beside_the_other_routes_of_the_server(small_settings: Settings) -> None:
    app = Starlette(routes=routes(Context(small_settings)), middleware=middleware())
    assert ApiClient(app).get("/indicators/population.total").json()["data"]["id"] == "population.total"
    assert ApiClient(app).request("GET", "/bourg/rien").json()["erreur"] == "UnknownPageError"
