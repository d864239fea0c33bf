"""What the API refuses: bad or hostile requests, too many, too heavy ones; always in French, never 5xx."""

from __future__ import annotations

from pathlib import Path

import pytest

from api_tools import ApiClient, api_app
from bourg.settings import Settings
from bourg.web.api.problems import KINDS
from bourg.web.limits import Rate


@pytest.fixture(scope="module")
def client(small_settings: Settings) -> ApiClient:
    return ApiClient(api_app(small_settings))


REFUSALS = [
    ("/communes/12999", 404, "territoire-inconnu", "codes voisins"),
    ("/communes/99999", 422, "parametre-invalide", "cinq caractères"),
    ("/communes/zut", 422, "parametre-invalide", "/api/v1/communes?q="),
    ("/communes?departement=99", 422, "parametre-invalide", "departement=12"),
    ("/communes?departement=989", 404, "territoire-inconnu", "territories/departement"),
    ("/communes?departments=12", 422, "parametre-inconnu", "vouliez-vous dire departement"),
    ("/communes?q=", 422, "parametre-invalide", "q=millau"),
    ("/communes?q=a&q=b", 422, "parametre-invalide", "1 fois"),
    ("/communes?q=%00", 422, "parametre-invalide", ""),
    ("/communes?q=%FF%FE", 422, "parametre-invalide", ""),
    ("/communes?pvd=oui", 422, "parametre-invalide", ""),
    ("/communes?size=0", 422, "parametre-invalide", ""),
    ("/communes?size=100000000000", 422, "parametre-invalide", ""),
    ("/communes?size=1e3", 422, "parametre-invalide", ""),
    ("/communes?size=50000", 413, "reponse-trop-grosse", "format=csv"),
    ("/communes?page=999999", 404, "page-inconnue", ""),
    ("/communes?format=xml", 422, "parametre-invalide", "json"),
    ("/communes?q=" + "a" * 3000, 414, "adresse-trop-longue", ""),
    ("/communes/at?lon=3.08", 422, "parametre-manquant", "lat=44.1"),
    ("/communes/at?lon=nan&lat=44", 422, "parametre-invalide", ""),
    ("/communes/at?lon=0&lat=0", 404, "territoire-inconnu", "longitude"),
    ("/communes/at?lon=44.1&lat=300", 422, "parametre-invalide", ""),
    ("/values", 422, "parametre-manquant", "indicator=population.total"),
    ("/values?indicator=population.totl", 404, "indicateur-inconnu", "population.total"),
    ("/values?indicator=../etc/passwd", 422, "parametre-invalide", ""),
    ("/values?indicator=population.total&level=epci&departement=12", 422, "parametre-invalide", "level=commune"),
    ("/values?indicator=population.total&level=pays", 422, "parametre-invalide", "commune"),
    ("/values?indicator=population.total&code=99999", 404, "sans-donnee", "territories/commune"),
    ("/values?indicator=income.median&level=region", 404, "sans-donnee", "commune"),
    ("/compare?code=12145", 422, "parametre-invalide", "code=35236"),
    ("/compare?code=12145&code=12999", 404, "territoire-inconnu", "codes voisins"),
    ("/compare?" + "&".join(f"code=1200{i}" for i in range(10)) + "&code=12145", 422, "parametre-invalide", "10 fois"),
    ("/indicators/population.totl", 404, "indicateur-inconnu", "population.total"),
    ("/sources/bazilic", 404, "source-inconnue", "/api/v1/sources"),
    ("/territories/canton", 422, "parametre-invalide", "commune"),
    ("/places", 422, "parametre-manquant", "bbox="),
    ("/places?bbox=1,2,3", 422, "parametre-invalide", "bbox=2.9"),
    ("/places?bbox=3,44,2,45", 422, "parametre-invalide", "ouest,sud,est,nord"),
    ("/places?departement=12&type=Zoo", 422, "parametre-invalide", "Musée"),
    ("/geo/commune.geojson", 422, "parametre-manquant", "departement=12"),
    ("/geo/departement.geojson?departement=12", 422, "parametre-invalide", "commune.geojson"),
    ("/geo/region.geojson?region=76", 422, "parametre-invalide", "epci.geojson"),
    ("/geo/epci.geojson?region=99", 404, "territoire-inconnu", ""),
    ("/tiles/3/8/0.mvt", 404, "adresse-inconnue", ""),
    ("/tiles/30/0/0.mvt", 422, "parametre-invalide", ""),
    ("/communs", 404, "adresse-inconnue", "/api/v1/communes"),
    ("/communes/12145/", 404, "adresse-inconnue", ""),
    ("/openapi.json?x=1", 422, "parametre-inconnu", "pas de paramètre"),
]  # fmt: skip


@pytest.mark.parametrize(("address", "status", "slug", "advice"), REFUSALS)
def test_bad_requests_get_a_french_problem(
    client: ApiClient, address: str, status: int, slug: str, advice: str
) -> None:
    answer = client.get(address)
    assert answer.status_code == status == KINDS[slug].status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    content = answer.json()
    assert content.keys() == {"type", "title", "status", "detail", "instance", "ou", "pourquoi", "que_faire"}
    assert content["type"] == f"/api/v1/#{slug}"
    assert content["que_faire"]
    assert advice in content["que_faire"]
    assert "Traceback" not in answer.text


def test_a_format_that_is_not_given_is_refused(client: ApiClient) -> None:
    for accept in ("application/xml", "text/html", "application/json;q=0"):
        answer = client.get("/communes", {"accept": accept})
        assert answer.status_code == 406
        assert "text/csv" in answer.json()["que_faire"]
    for accept in ("", "*/*", "n'importe quoi", "application/*;q=0.3, text/html", "text/html,*/*;q=0.8"):
        assert client.get("/communes", {"accept": accept}).headers["content-type"] == "application/json"


HOSTILE = (
    "/../../etc/passwd", "/communes/..%2F..%2Fetc%2Fpasswd", "/communes/%2e%2e/%2e%2e", "/geo/..%2Fcommune.geojson",
    "/communes/12145%0d%0aSet-Cookie:%20a=b", "/sources/%0d%0aX-Evil:%201", "/tiles/1/%2e%2e/0.mvt", "/\\..\\windows",
    "/communes/%F0%9F%98%80", "/communes/" + "9" * 5000, "//exemple.fr", "/%00",
    "/communes?departement=12%0d%0aX-Evil:1", "/communes?q=%E2%80%AEtxt.exe&size=1",
)  # fmt: skip


@pytest.mark.parametrize("address", HOSTILE)
def test_hostile_addresses_change_neither_headers_nor_files(client: ApiClient, address: str) -> None:
    answer = client.get(address)
    assert 400 <= answer.status_code < 500 or answer.json()["data"] == []
    assert "x-evil" not in answer.headers
    assert "set-cookie" not in answer.headers
    assert "root:" not in answer.text


def test_too_many_requests_are_told_when_to_come_back(small_settings: Settings) -> None:
    limited = ApiClient(api_app(small_settings, Rate(per_minute=6, burst=2)))
    assert [limited.get("/indicators").status_code for _ in range(2)] == [200, 200]
    refused = limited.get("/indicators")
    assert refused.status_code == 429
    assert 1 <= int(refused.headers["retry-after"]) <= 10
    assert refused.json()["type"] == "/api/v1/#trop-de-demandes"


def test_a_computation_over_its_time_is_told(small_settings: Settings) -> None:
    refused = ApiClient(api_app(small_settings, seconds=0.0)).get("/sources")
    assert refused.status_code == 429
    assert refused.json()["type"] == "/api/v1/#delai-depasse"
    assert refused.headers["retry-after"] == "5"


def test_an_answer_over_the_cap_of_bytes_is_refused(small_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bourg.web.api.answers.MOST_BYTES", 1000)
    answer = ApiClient(api_app(small_settings)).get("/indicators")
    assert answer.status_code == 413
    assert answer.json()["type"] == "/api/v1/#reponse-trop-grosse"


def test_without_a_snapshot_the_description_stays_and_no_folder_is_told(tmp_path: Path) -> None:
    empty = ApiClient(api_app(Settings(home=tmp_path)))
    answer = empty.get("/communes")
    assert answer.status_code == 503
    assert answer.json()["type"] == "/api/v1/#instantane-absent"
    assert "retry-after" in answer.headers
    assert str(tmp_path) not in answer.text
    assert empty.get("/").status_code == 200
    assert empty.get("/openapi.json").json()["openapi"] == "3.1.0"
