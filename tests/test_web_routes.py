"""HTTP routes: caching, exports, bad input. No request may end in a 5xx answer."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import re
from dataclasses import dataclass
from html import unescape
from pathlib import Path

import httpx
import polars as pl
import pytest
import shapely
from starlette.applications import Starlette

from bourg.errors import SnapshotError
from bourg.maps import MAPS_FOLDER
from bourg.maps.outlines import write_outlines
from bourg.maps.places import MAX_ROWS, PlaceFilter, select_places
from bourg.maps.points import write_points
from bourg.settings import Settings, load_settings
from bourg.store.spreadsheets import safe_cell
from bourg.web import assets
from bourg.web.middleware import middleware
from bourg.web.routes import routes

EVIL = '=HYPERLINK("http://x")</script>{{7*7}}<img src=x onerror=alert(1)>'
COMMUNES = pl.DataFrame({"code": ["12145", "48095"], "name": ["Millau", "Mende"]})
PLACES = pl.DataFrame(
    {
        "place_id": ["1", "2", "3", "4"],
        "name": ["Beffroi", EVIL, "Cinéma « Le Trianon » ; salle 1", "Sans position"],
        "type": ["Monument", "Théâtre", "Cinéma", "Musée"],
        "category": ["patrimoine", "spectacle vivant", "autre vivant", "autre vivant"],
        "code": ["12145", "12145", "48095", "12145"],
        "longitude": [3.0789, 3.08, 3.5, None],
        "latitude": [44.1, 44.101, 44.518, None],
        "demo": [False, True, False, False],
    }
)


class Client:
    """Ask an ASGI application without a socket; an exception inside it gives a 500 answer, as on a server."""

    def __init__(self, app: Starlette) -> None:
        self._app = app

    def request(self, method: str, url: str, headers: dict[str, str] | None = None) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(app=self._app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                return await client.request(method, url, headers=headers)

        return asyncio.run(ask())

    def get(self, url: str, headers: dict[str, str] | None = None) -> httpx.Response:
        return self.request("GET", url, headers)


@dataclass(frozen=True)
class FakeSnapshot:
    folder: Path
    id: str = "abc123"

    def table(self, name: str) -> pl.LazyFrame:
        return {"culture_places": PLACES, "communes": COMMUNES}[name].lazy()


@dataclass(frozen=True)
class FakeMatch:
    code: str

    def to_dict(self) -> dict[str, object]:
        return {"code": self.code}


@dataclass
class FakeContext:
    settings: Settings
    snapshot: FakeSnapshot | None

    def current_snapshot(self) -> FakeSnapshot:
        if self.snapshot is None:
            raise SnapshotError("Aucun instantané n'est construit.")
        return self.snapshot

    def search(self, query: str, limit: int) -> list[FakeMatch]:
        return [FakeMatch("12145")][:limit] if query == "millau" else []


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> FakeContext:
    folder = tmp_path_factory.mktemp("snapshot")
    boxes = [shapely.to_wkb(shapely.box(3.0, 44.0, 3.2, 44.2)), shapely.to_wkb(shapely.box(3.4, 44.4, 3.6, 44.6))]
    polygons = COMMUNES.with_columns(departement=pl.col("code").str.slice(0, 2), wkb=pl.Series(boxes))
    write_outlines(polygons, folder / MAPS_FOLDER)
    write_points(PLACES, COMMUNES, folder / MAPS_FOLDER, snapshot_id="abc123")
    settings = load_settings()
    assets.ensure_assets(settings)
    return FakeContext(settings, FakeSnapshot(folder))


@pytest.fixture
def client(context: FakeContext) -> Client:
    return Client(Starlette(routes=routes(context), middleware=middleware()))


MAP_FILES = (
    "/bourg/points/abc123.bin", "/bourg/noms/abc123.txt", "/bourg/contours/abc123/departements.json",
    "/bourg/contours/abc123/communes-12.json",
)  # fmt: skip


@pytest.mark.parametrize("url", MAP_FILES)
def test_files_of_the_map_are_compressed_cached_and_revalidated(client: Client, url: str) -> None:
    zipped = client.get(url, headers={"accept-encoding": "gzip"})
    assert zipped.status_code == 200
    assert zipped.headers["content-encoding"] == "gzip"
    assert "immutable" in zipped.headers["cache-control"]
    plain = client.get(url, headers={"accept-encoding": "gzip;q=0, identity"})
    assert "content-encoding" not in plain.headers
    assert plain.content == zipped.content
    assert plain.headers["etag"] != zipped.headers["etag"]
    again = client.get(url, headers={"accept-encoding": "gzip", "if-none-match": f'W/{zipped.headers["etag"]}, "x"'})
    assert (again.status_code, again.content) == (304, b"")
    head = client.request("HEAD", url, headers={"accept-encoding": "gzip"})
    assert (head.status_code, head.content) == (200, b"")
    assert int(head.headers["content-length"]) == int(zipped.headers["content-length"])


BAD = {
    "/bourg/points/autre.bin": 404,
    "/bourg/points/..%2f..%2fetc%2fpasswd.bin": 404,
    "/bourg/contours/abc123/communes-33.json": 404,
    "/bourg/contours/abc123/communes-..%2fx.json": 404,
    "/bourg/contours/abc123/communes-éé.json": 400,
    "/bourg/assets/package.json": 404,
    "/bourg/assets/v/..%2fpackage.json": 404,
    "/bourg/export/lieux.csv?commune=Millau": 400,
    "/bourg/export/lieux.csv?commune=33063": 404,
    "/bourg/export/lieux.csv?commune=12145&commune=48095": 400,
    "/bourg/export/lieux.csv?departement=99": 400,
    "/bourg/export/lieux.csv?departement=33": 404,
    "/bourg/export/lieux.csv?type=Piscine": 400,
    "/bourg/export/lieux.csv?categorie=" + "x" * 200: 400,
    "/bourg/export/lieux.csv?bbox=1,2,3": 400,
    "/bourg/export/lieux.csv?bbox=a,b,c,d": 400,
    "/bourg/export/lieux.csv?bbox=nan,0,1,1": 400,
    "/bourg/export/lieux.csv?bbox=3,44,2,45": 400,
    "/bourg/export/lieux.csv?bbox=1e999,0,1,1": 400,
    "/bourg/export/lieux.csv?couleur=bleu": 400,
    "/bourg/export/lieux.geojson?commune=0": 400,
    "/bourg/export/carte-99999.html": 400,
    "/bourg/export/carte-33063.html": 404,
    "/bourg/export/carte-12145.html?x=1": 400,
    "/bourg/recherche": 400,
    "/bourg/recherche?q=" + "x" * 101: 400,
    "/bourg/": 404,
    "/bourg/rien/du/tout": 404,
}


@pytest.mark.parametrize("url", BAD)
def test_bad_input_has_a_typed_french_answer(client: Client, url: str) -> None:
    answer = client.get(url)
    assert answer.status_code == BAD[url], answer.text
    body = answer.json()
    assert set(body) == {"erreur", "quoi", "ou", "pourquoi", "que_faire"}
    assert body["quoi"]
    assert "Traceback" not in answer.text


def test_other_methods_are_refused_in_french(client: Client) -> None:
    answer = client.request("POST", "/bourg/export/lieux.csv")
    assert answer.status_code == 405
    assert "GET" in answer.json()["quoi"]


def test_without_a_snapshot_the_answer_is_503(context: FakeContext) -> None:
    empty = FakeContext(context.settings, None)
    client = Client(Starlette(routes=routes(empty)))
    for url in ("/bourg/points/abc123.bin", "/bourg/export/lieux.csv", "/bourg/export/carte-12145.html"):
        answer = client.get(url)
        assert (answer.status_code, answer.json()["erreur"]) == (503, "SnapshotError")


def _rows(content: bytes) -> list[dict[str, str]]:
    assert content.startswith(b"\xef\xbb\xbf")
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig")), delimiter=";"))


def test_csv_holds_every_place_and_runs_no_formula(client: Client) -> None:
    answer = client.get("/bourg/export/lieux.csv")
    rows = _rows(answer.content)
    assert [row["nom"] for row in rows] == ["'" + EVIL, "Beffroi", "Sans position", "Cinéma « Le Trianon » ; salle 1"]
    assert rows[2]["longitude"] == ""
    assert rows[1]["longitude"] == "3.078900"
    assert [row["donnee_de_demonstration"] for row in rows] == ["oui", "non", "non", "non"]
    assert "demonstration.csv" in answer.headers["content-disposition"]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "＝"])
def test_formula_starts_are_escaped(start: str) -> None:
    assert safe_cell(f"{start}1") == f"'{start}1"
    assert safe_cell(f"a{start}1") == f"a{start}1"


def test_filters_of_the_exports(client: Client) -> None:
    def names(query: str) -> list[str]:
        return [row["identifiant"] for row in _rows(client.get(f"/bourg/export/lieux.csv?{query}").content)]

    assert names("commune=12145&type=Monument&type=Musée") == ["1", "4"]
    assert names("departement=48") == ["3"]
    assert names("categorie=spectacle vivant") == ["2"]
    assert names("bbox=3.079,44,4,45") == ["2", "3"]
    assert names("bbox=0,0,1,1") == []


def test_geojson_keeps_the_places_without_position(client: Client) -> None:
    answer = client.get("/bourg/export/lieux.geojson?commune=12145")
    content = answer.json()
    assert answer.headers["content-type"] == "application/geo+json"
    assert "démonstration" in content["avertissement"]
    assert [f["geometry"] and f["geometry"]["coordinates"] for f in content["features"]] == [
        [3.08, 44.101], [3.0789, 44.1], None,
    ]  # fmt: skip
    assert content["features"][1]["properties"]["commune"] == "Millau"
    assert "avertissement" not in client.get("/bourg/export/lieux.geojson?commune=48095").json()


def test_an_export_has_a_limit() -> None:
    many = pl.LazyFrame({"place_id": [str(i) for i in range(MAX_ROWS + 1)]}).with_columns(
        name=pl.lit("x"), type=pl.lit("Musée"), category=pl.lit("patrimoine"), code=pl.lit("12145"),
        longitude=pl.lit(3.0), latitude=pl.lit(44.0),
    )  # fmt: skip
    with pytest.raises(ValueError, match="trop gros") as caught:
        select_places(many, COMMUNES.lazy(), PlaceFilter())
    assert caught.value.http_status == 413  # type: ignore[attr-defined]
    heavy = many.head(70_000).with_columns(name=pl.lit("y" * 1000))
    with pytest.raises(ValueError, match="Mo"):
        select_places(heavy, COMMUNES.lazy(), PlaceFilter())


def test_town_map_is_whole_safe_and_repeatable(client: Client) -> None:
    answer = client.get("/bourg/export/carte-12145.html")
    html = answer.text
    assert '<html lang="fr">' in html
    assert "Millau (12145)" in html
    assert "Données de démonstration" in html
    assert "default-src 'none'" in unescape(html)
    assert "user-scalable=no" not in html
    # Libraries are inside: nothing is loaded by address.
    assert not re.search(r"<(?:script|link|img|iframe|object)\b[^>]*\b(?:src|href)\s*=", html)
    # The name of a place is neither a template, nor HTML, nor the end of a script.
    assert "{{7*7}}" in html
    assert "<img src=x" not in html
    assert html.count("</script>") == html.count("<script>")
    assert html == client.get("/bourg/export/carte-12145.html").text


def test_search(client: Client) -> None:
    assert client.get("/bourg/recherche?q=millau").json() == {"q": "millau", "resultats": [{"code": "12145"}]}
    assert client.get("/bourg/recherche?q=zzz").json()["resultats"] == []


def test_assets_are_immutable_under_the_current_version_only(client: Client) -> None:
    version = assets.assets_version()
    for name in ("leaflet.js", "supercluster.js", "culture_map.js", "culture_map.css"):
        current = client.get(f"/bourg/assets/{version}/{name}")
        assert current.status_code == 200
        assert "immutable" in current.headers["cache-control"]
        assert client.get(f"/bourg/assets/old/{name}").headers["cache-control"] == "no-cache"
    assert client.get("/bourg/assets/culture_map.js").content == assets.own_assets()["culture_map.js"].read_bytes()


def test_search_and_errors_are_plain_json(client: Client) -> None:
    assert json.loads(client.get("/bourg/rien").content)["erreur"] == "UnknownPageError"
