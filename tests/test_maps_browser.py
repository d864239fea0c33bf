"""The map in the system's Chromium: keyboard, details, filters, theme, empty view, failure; no other host is asked."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
import shapely
from playwright.sync_api import Browser, Page, expect, sync_playwright

from bourg.maps import MAPS_FOLDER
from bourg.maps.outlines import write_outlines
from bourg.maps.points import write_points
from bourg.settings import load_settings
from bourg.web.assets import ensure_assets

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

ARGUMENTS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
SERVER = """
from pathlib import Path
import polars as pl
import streamlit as st
from bourg.settings import load_settings
from bourg.web.middleware import middleware
from bourg.web.routes import routes

HERE = Path(__file__).parent

class Snapshot:
    id = "essai"
    folder = HERE
    def table(self, name):
        return pl.scan_parquet(HERE / f"{name}.parquet")

class Context:
    settings = load_settings()
    def current_snapshot(self):
        return Snapshot()
    def search(self, query, limit):
        return []

app = st.App(HERE / "page.py", routes=routes(Context()), middleware=middleware())
"""
PAGE = """
import streamlit as st
from bourg.dashboard.map_component import culture_map

st.set_page_config(layout="wide")
st.title("Carte culturelle")
chosen = st.multiselect("Catégorie", ["patrimoine", "spectacle vivant", "autre vivant"])
town = {"code": "12145", "name": "Millau", "bounds": [3.0, 44.0, 3.2, 44.2]} if st.query_params.get("commune") else None
result = culture_map(snapshot_id="essai", categories=chosen or None, commune=town, height=420)
st.write(f"fiche : {result.chosen} ; sans filtre : {result.reset}")
"""
SAME = [3.1, 44.1]


def _data(folder: Path) -> None:
    communes = pl.DataFrame({"code": ["12145", "48095"], "name": ["Millau", "Mende"], "departement": ["12", "48"]})
    boxes = [shapely.box(3.0, 44.0, 3.2, 44.2), shapely.box(3.4, 44.4, 3.6, 44.6)]
    write_outlines(communes.with_columns(wkb=pl.Series([shapely.to_wkb(b) for b in boxes])), folder / MAPS_FOLDER)
    rows = [
        ("1", "<b>Beffroi</b> & tour", "Monument", "patrimoine", "12145", 3.05, 44.05, True),
        ("2", "Maison du peuple", "Théâtre", "spectacle vivant", "12145", *SAME, False),
        ("3", "Halle", "Scène", "spectacle vivant", "12145", *SAME, False),
        ("4", "Trianon", "Cinéma", "autre vivant", "48095", 3.5, 44.5, False),
    ]
    names = ("place_id", "name", "type", "category", "code", "longitude", "latitude", "demo")
    places = pl.DataFrame(rows, schema=names, orient="row")
    write_points(places, communes, folder / MAPS_FOLDER, sources=["Liste d'essai"])
    places.write_parquet(folder / "culture_places.parquet")
    communes.write_parquet(folder / "communes.parquet")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    ensure_assets(load_settings())
    folder = tmp_path_factory.mktemp("map")
    _data(folder)
    (folder / "page.py").write_text(PAGE, encoding="utf-8")
    (folder / "serve.py").write_text(SERVER, encoding="utf-8")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", str(folder / "serve.py"), f"--server.port={port}"]
    options = ["--server.address=127.0.0.1", "--server.headless=true", "--browser.gatherUsageStats=false"]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen([*command, *options], cwd=folder, stdout=log, stderr=log, start_new_session=True)
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            time.sleep(0.1)
            try:
                urllib.request.urlopen(f"{url}/_stcore/health", timeout=1).close()
            except OSError:
                continue
            break
        else:
            pytest.fail((folder / "log").read_text())
        yield url
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(20)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        if os.environ.get("CI"):
            pytest.fail("aucun navigateur : installez chromium (apt-get install chromium)")
        pytest.skip("aucun navigateur sur cette machine : installez chromium")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield launched
        launched.close()


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1100, "height": 1000}, locale="fr-FR", color_scheme="light")
    opened = context.new_page()
    outside: list[str] = []
    errors: list[str] = []
    opened.on("request", lambda r: outside.append(r.url) if not r.url.startswith((address, "data:", "blob:")) else None)
    opened.on("pageerror", lambda error: errors.append(str(error)))
    yield opened
    context.close()
    assert outside == []
    assert errors == []


def show(page: Page, url: str) -> None:
    page.goto(url)
    page.locator('.culture-map[data-state="ready"]').wait_for(timeout=30_000)
    # Names come after the places.
    expect(page.locator(".culture-map tbody")).not_to_contain_text("…")


def figures(page: Page, text: str) -> None:
    expect(page.locator("[data-part=statistics]")).to_contain_text(text)


def choose(page: Page, category: str) -> None:
    page.get_by_role("combobox").first.click()
    page.get_by_role("option", name=category).click()
    # The open list hides the rest of the page from assistive technologies, and from the locators by role.
    page.keyboard.press("Escape")


def focused(page: Page) -> str:
    """Return the accessible name, or the text, of the focused element, through the shadow root."""
    return str(
        page.evaluate(
            """() => {
              let node = document.activeElement;
              while (node?.shadowRoot?.activeElement) node = node.shadowRoot.activeElement;
              return node?.getAttribute('aria-label') ?? node?.textContent ?? '';
            }"""
        )
    )


def test_keyboard_details_and_return_of_the_focus(page: Page, address: str) -> None:
    show(page, f"{address}/?commune=12145")
    figures(page, "3 lieux affichés sur 4, dont 1 patrimoine, 2 spectacle vivant. Millau : 3 lieux avec ces filtres.")
    place = page.locator(".place").first
    expect(place).to_have_attribute("aria-label", "<b>Beffroi</b> & tour, Monument, Millau")
    place.focus()
    page.keyboard.press("Enter")
    popup = page.get_by_role("dialog", name="Beffroi")
    expect(popup).to_contain_text("<b>Beffroi</b> & tour")
    expect(popup).to_contain_text("Donnée de démonstration")
    expect(popup).to_contain_text("Liste d'essai")
    assert focused(page) == "Voir la fiche de la commune"
    page.keyboard.press("Enter")
    expect(page.get_by_text("fiche : 12145")).to_be_visible()
    page.keyboard.press("Escape")
    expect(popup).to_have_count(0)
    assert focused(page).startswith("<b>Beffroi</b>")


def test_places_at_the_same_spot_can_all_be_opened(page: Page, address: str) -> None:
    show(page, f"{address}/?lat={SAME[1]}&lon={SAME[0]}&z=18")
    cluster = page.get_by_role("button", name="Groupe de 2 lieux")
    cluster.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name="2 lieux à cet endroit")).to_be_visible()
    page.get_by_role("button", name="Halle, Scène, Millau").click()
    expect(page.get_by_role("dialog", name="Halle")).to_contain_text("spectacle vivant")


def test_filters_keep_the_map_and_its_view(page: Page, address: str) -> None:
    loaded: list[str] = []
    page.on("request", lambda request: loaded.append(request.url) if "/bourg/points/" in request.url else None)
    show(page, f"{address}/?commune=12145")
    page.locator(".leaflet-map-pane").evaluate("(pane) => { window.before = pane; }")
    choose(page, "patrimoine")
    figures(page, "1 lieu affiché sur 4, dont 1 patrimoine. Millau : 1 lieu avec ces filtres.")
    assert page.evaluate("() => window.before.isConnected")
    assert len(loaded) == 1
    link = page.get_by_role("link", name="Lieux visibles en CSV").get_attribute("href")
    assert link is not None
    assert "categorie=patrimoine" in link
    assert page.request.get(address + link).text().count("\n") == 2
    expect(page.get_by_role("link", name="Carte de Millau")).to_have_attribute("href", "/bourg/export/carte-12145.html")


def test_view_goes_to_the_address_and_comes_back(page: Page, address: str) -> None:
    show(page, f"{address}/?commune=12145")
    page.get_by_role("region", name="Carte des lieux culturels").focus()
    page.keyboard.press("+")
    page.keyboard.press("ArrowRight")
    page.wait_for_function("() => /lat=44.*&lon=3.*&z=/.test(location.search)")
    assert "commune=12145" in page.url
    before = page.locator("[data-part=statistics]").inner_text()
    again = page.url
    page.goto("about:blank")
    show(page, again)
    figures(page, before)


def test_empty_view_offers_a_way_out(page: Page, address: str) -> None:
    show(page, f"{address}/?lat=44.1&lon=3.1&z=12")
    choose(page, "autre vivant")
    expect(page.locator("[data-part=empty]")).to_contain_text("Aucun lieu ici avec ces filtres : autre vivant.")
    page.get_by_role("button", name="Retirer les filtres").click()
    expect(page.get_by_text("sans filtre : True")).to_be_visible()
    page.get_by_role("button", name="Voir toute la France").click()
    figures(page, "1 lieu affiché sur 4")
    expect(page.locator("[data-part=empty]")).to_be_hidden()


def test_table_is_sorted_and_leads_to_the_map(page: Page, address: str) -> None:
    show(page, address)
    names = page.locator(".culture-map tbody th")
    expect(names.first).to_contain_text("<b>Beffroi</b> & tour")
    page.locator("thead").get_by_role("button", name="Nom").click()
    page.locator("thead").get_by_role("button", name="Nom").click()
    expect(names.first).to_contain_text("Trianon")
    page.get_by_role("button", name="Voir sur la carte : Trianon").click()
    expect(page.get_by_role("dialog", name="Trianon")).to_contain_text("Mende (48095)")


def test_theme_follows_the_browser(page: Page, address: str) -> None:
    show(page, address)
    zone = page.locator(".culture-map .map")
    light = zone.evaluate("(node) => getComputedStyle(node).backgroundColor")
    page.emulate_media(color_scheme="dark")
    expect(zone).not_to_have_css("background-color", light)


def test_failure_is_told_and_can_be_tried_again(page: Page, address: str) -> None:
    page.route("**/bourg/points/**", lambda route: route.abort())
    page.goto(address)
    error = page.locator("[data-part=error]")
    expect(error).to_contain_text("La carte n’a pas pu être chargée. Le serveur ne répond pas")
    page.unroute("**/bourg/points/**")
    page.get_by_role("button", name="Réessayer").click()
    figures(page, "4 lieux affichés sur 4")


def test_exported_map_works_from_a_file(page: Page, address: str, browser: Browser, tmp_path: Path) -> None:
    show(page, address)
    html = page.request.get(f"{address}/bourg/export/carte-12145.html").text()
    (tmp_path / "carte.html").write_text(html, encoding="utf-8")
    context = browser.new_context(offline=True)
    alone = context.new_page()
    errors: list[str] = []
    asked: list[str] = []
    alone.on("pageerror", lambda error: errors.append(str(error)))
    alone.on("request", lambda request: asked.append(request.url))
    alone.goto((tmp_path / "carte.html").as_uri())
    expect(alone.get_by_role("button", name="2 lieux, ouvrir")).to_be_visible()
    alone.get_by_role("button", name="<b>Beffroi</b> & tour, Monument").click()
    expect(alone.locator(".leaflet-popup-content")).to_contain_text("<b>Beffroi</b> & tour")
    assert errors == []
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    context.close()
