"""Public pages of the server: the page of any town, its address of today, and French answers to bad addresses."""

from __future__ import annotations

import asyncio
import gzip
import re
from dataclasses import dataclass

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Match

from bourg.settings import Settings
from bourg.store.snapshot import Snapshot, SnapshotStore
from bourg.web.middleware import middleware
from bourg.web.public_pages import public_routes


@dataclass(frozen=True)
class Context:
    settings: Settings

    def current_snapshot(self) -> Snapshot:
        return SnapshotStore(self.settings.snapshots).current()

    def search(self, query: str, limit: int) -> list[object]:
        raise NotImplementedError


@pytest.fixture(scope="module")
def app(small_settings: Settings) -> Starlette:
    return Starlette(routes=list(public_routes(Context(small_settings))), middleware=middleware())


def ask(app: Starlette, url: str, headers: dict[str, str] | None = None, method: str = "GET") -> httpx.Response:
    async def asked() -> httpx.Response:
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="https://bourg.test") as client:
            return await client.request(method, url, headers=headers)

    return asyncio.run(asked())


def test_page_of_a_town(app: Starlette) -> None:
    answer = ask(app, "/ville/12145-millau")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    text = answer.text
    assert "<h1>Millau" in text
    assert '<html lang="fr">' in text
    assert '<link rel="canonical" href="https://bourg.test/ville/12145-millau">' in text
    assert 'property="og:title" content="Millau (Aveyron)' in text
    # The middleware that mends the shell of the dashboard leaves it alone.
    assert "modulepreload" not in text
    assert "<script" not in text
    data = ask(app, "/ville/12145-millau/portrait.json")
    assert data.json()["commune"]["nom"] == "Millau"


def test_headers_and_cache(app: Starlette) -> None:
    answer = ask(app, "/ville/12145-millau", {"accept-encoding": "gzip"})
    policy = answer.headers["content-security-policy"]
    assert "unsafe-inline" not in policy
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'self'" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "set-cookie" not in answer.headers
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["etag"].endswith('-gz"')
    assert len(gzip.compress(answer.content, 6)) < 60_000
    again = ask(app, "/ville/12145-millau", {"accept-encoding": "gzip", "if-none-match": answer.headers["etag"]})
    assert again.status_code == 304
    assert again.content == b""
    assert again.headers["content-security-policy"] == policy
    head = ask(app, "/ville/12145-millau", method="HEAD")
    assert head.status_code == 200
    assert head.content == b""


def test_style_sheet(app: Starlette) -> None:
    text = ask(app, "/ville/12145-millau").text
    address = re.search(r'<link rel="stylesheet" href="([^"]+)"', text)
    assert address
    answer = ask(app, address[1])
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/css")
    assert "immutable" in answer.headers["cache-control"]
    assert ask(app, "/bourg/public/../../etc/passwd").status_code == 404
    assert ask(app, "/bourg/public/autre.css").status_code == 404


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("/ville/12145", "/ville/12145-millau"),
        ("/ville/12145-ancien-nom", "/ville/12145-millau"),
        ("/ville/12145-Millau", "/ville/12145-millau"),
        ("/ville/2a004-ajaccio", "/ville/2A004-ajaccio"),
        ("/ville/1001", "/ville/01001-l-abergement-clemenciat"),
        # A district of Paris: the page is the one of the city.
        ("/ville/75101-paris-1er", "/ville/75056-paris"),
        ("/ville/12145-x/portrait.json", "/ville/12145-millau/portrait.json"),
        ("/ville/12145-x%0d%0aSet-Cookie:%20a", "/ville/12145-millau"),
    ],
)
def test_redirected(app: Starlette, given: str, wanted: str) -> None:
    answer = ask(app, given)
    assert (answer.status_code, answer.headers["location"]) == (301, wanted)
    assert "set-cookie" not in answer.headers


def test_merged_commune(app: Starlette, small_snapshot: Snapshot) -> None:
    former = small_snapshot.table("former_communes").collect()
    codes = set(small_snapshot.table("communes").collect()["code"])
    code, parent = next((row[0], row[3]) for row in former.iter_rows() if row[0] not in codes and row[3] in codes)
    answer = ask(app, f"/ville/{code}-x")
    assert answer.status_code == 301
    assert answer.headers["location"].startswith(f"/ville/{parent}-")


@pytest.mark.parametrize(
    "address",
    [
        "/ville/99999-millau", "/ville/millau", "/ville/12145-millau/autre", "/ville/%3Cscript%3Ealert(1)%3C/script%3E",
        "/ville/%E2%80%AE", "/ville/" + "a" * 3000, "/methode/rien", "/methode/rien/encore", "/ville/12999-",
    ],
)  # fmt: skip
def test_missing_in_french(app: Starlette, address: str) -> None:
    answer = ask(app, address)
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html")
    assert "<h1>Cette page n’existe pas</h1>" in answer.text
    assert "<script" not in answer.text
    assert "\u202e" not in answer.text
    assert "content-security-policy" in answer.headers


def test_near_matches(app: Starlette) -> None:
    assert 'href="/ville/12145-millau"' in ask(app, "/ville/99999-milau").text


def test_dashboard_keeps_its_path(app: Starlette) -> None:
    for address in ("/ville", "/ville/"):
        scope = {"type": "http", "method": "GET", "path": address, "headers": []}
        assert not any(route.matches(scope)[0] == Match.FULL for route in app.routes)


def test_method_pages(app: Starlette) -> None:
    assert 'href="/methode/housing"' in ask(app, "/methode").text
    page = ask(app, "/methode/housing")
    assert page.status_code == 200
    assert 'id="housing.vacancy_rate"' in page.text


def test_without_snapshot(tmp_path_factory: pytest.TempPathFactory) -> None:
    empty = Settings(home=tmp_path_factory.mktemp("vide"))
    app = Starlette(routes=list(public_routes(Context(empty))))
    answer = ask(app, "/ville/12145-millau")
    assert answer.status_code == 503
    assert "instantané" in answer.text
    assert answer.headers["content-type"].startswith("text/html")
