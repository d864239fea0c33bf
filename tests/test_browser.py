"""The real server in the system's Chromium: find a town, filter, theme, deep link, keyboard, exports, small screens.

Each test also checks what its pages asked and complained about: nothing from another host, no refusal, no error.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import polars as pl
import pytest
from playwright.sync_api import Browser, Download, Page, expect

from bourg.settings import Settings
from bourg.store.snapshot import Snapshot
from browser_tools import Watch, focused, link_libraries, running_browser, running_server, wait_for_map

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

LIGHT, DARK = "rgb(255, 255, 255)", "rgb(23, 24, 27)"
MILLAU = "12145"


@pytest.fixture(scope="module")
def address(small_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    link_libraries(small_settings)
    with running_server(small_settings.home, tmp_path_factory.mktemp("server") / "log") as url:
        yield url


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_browser() as launched:
        yield launched


@pytest.fixture
def watch(address: str) -> Iterator[Watch]:
    watching = Watch()
    yield watching
    assert watching.asked
    assert watching.outside(address) == []
    assert watching.unexpected_refusals() == []
    assert watching.complaints == []


@pytest.fixture
def open_page(browser: Browser, address: str, watch: Watch) -> Iterator[Callable[..., Page]]:
    """Return a function that opens a path in a new, empty profile, and waits for the map when there is one."""
    contexts = []

    def opened(path: str, *, width: int = 1280, height: int = 1000, has_map: bool = True) -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": height}, locale="fr-FR", color_scheme="light", accept_downloads=True
        )
        contexts.append(context)
        watch.attach(context)
        page = context.new_page()
        page.goto(address + path)
        if has_map:
            wait_for_map(page)
        return page

    yield opened
    broken = [page.url for context in contexts for page in context.pages if page.get_by_test_id("stException").count()]
    for context in contexts:
        context.close()
    assert broken == []


@pytest.fixture(scope="module")
def places(small_snapshot: Snapshot) -> pl.DataFrame:
    return pl.read_parquet(small_snapshot.folder / "tables" / "culture_places.parquet")


def here(places: pl.DataFrame, code: str = MILLAU, **wanted: str) -> pl.DataFrame:
    """Return the places of a commune with the given values."""
    return places.filter(pl.col("code") == code, *[pl.col(name) == value for name, value in wanted.items()])


def figures(page: Page) -> str:
    return page.locator("[data-part=statistics]").inner_text().replace("\u202f", "").replace("\u00a0", " ")


def kept(page: Page, count: int) -> None:
    """Wait until the figure beside the map is ``count``."""
    metric = page.locator("[data-testid=stMetric]").filter(has_text="Lieux retenus")
    expect(metric.locator("[data-testid=stMetricValue]")).to_have_text(f"{count:,}".replace(",", "\u202f"))


def in_box(places: pl.DataFrame, page: Page) -> pl.DataFrame:
    """Return the places in the area that the map says it shows (the frame of its own export link)."""
    link = page.get_by_role("link", name="Lieux visibles en CSV").get_attribute("href") or ""
    west, south, east, north = (float(value) for value in parse_qs(urlsplit(link).query)["bbox"][0].split(","))
    return places.filter(pl.col("longitude").is_between(west, east), pl.col("latitude").is_between(south, north))


def choose_type(page: Page, label: str) -> None:
    page.get_by_role("combobox", name=re.compile("Types de lieux")).click()
    page.get_by_role("option", name=re.compile(rf"^{re.escape(label)} \(")).click()
    # The open list hides the rest of the page from assistive technologies, and from the locators by role.
    page.keyboard.press("Escape")


def download(page: Page, name: str | re.Pattern[str], role: str = "link") -> Download:
    with page.expect_download() as waiting:
        page.get_by_role(role, name=name).click()
    return waiting.value


def content(downloaded: Download) -> bytes:
    return Path(downloaded.path()).read_bytes()


# ---- The first page ------------------------------------------------------------------------------------------------


def test_first_page_is_french_light_in_bytes_and_complete(
    open_page: Callable[..., Page], watch: Watch, places: pl.DataFrame
) -> None:
    page = open_page("/")
    assert page.locator("html").get_attribute("lang") == "fr"
    assert "Bourg" in page.title()
    expect(page.get_by_role("heading", name="Les lieux culturels, ville par ville")).to_be_visible()
    expect(page.get_by_text("Données de démonstration.").first).to_be_visible()
    located = places.filter(pl.col("longitude").is_not_null() & pl.col("latitude").is_not_null())
    assert figures(page).startswith(f"{in_box(places, page).height} lieux affichés sur {located.height}, dont ")
    kept(page, places.height)
    assert 0 < watch.received < 200_000


def test_town_is_found_framed_filtered_and_found_again_by_its_address(
    open_page: Callable[..., Page], places: pl.DataFrame
) -> None:
    page = open_page("/")
    field = page.get_by_label("Chercher une commune")
    field.fill("millau")
    field.press("Enter")
    page.get_by_role("button", name="Millau (Aveyron, 12) · 12100").click()
    kept(page, here(places).height)
    expect(page.locator(".outline.chosen")).to_be_visible()
    frame, outline = page.locator(".map").bounding_box(), page.locator(".outline.chosen").bounding_box()
    assert frame is not None
    assert outline is not None
    # The whole outline is on the map, and takes most of its height or of its width.
    assert frame["x"] <= outline["x"] <= outline["x"] + outline["width"] <= frame["x"] + frame["width"]
    assert frame["y"] <= outline["y"] <= outline["y"] + outline["height"] <= frame["y"] + frame["height"]
    assert max(outline["width"] / frame["width"], outline["height"] / frame["height"]) > 0.6
    expect(page.locator("[data-part=statistics]")).to_contain_text(f"Millau : {here(places).height} lieux")

    choose_type(page, "Monument")
    monuments = here(places, type="Monument").height
    assert 0 < monuments < here(places).height
    kept(page, monuments)
    expect(page.locator("[data-part=statistics]")).to_contain_text(f"Millau : {monuments} lieux avec ces filtres.")
    shown = in_box(places.filter(pl.col("type") == "Monument"), page).height
    assert figures(page).startswith(f"{shown} lieux affichés sur ")
    expect(page.get_by_role("heading", name="Millau")).to_be_visible()

    # The address of this state, sent to someone else, opens the same state.
    page.wait_for_function("() => /commune=12145.*type=Monument.*lat=.*lon=.*z=/.test(location.search)")
    framed = parse_qs(urlsplit(page.url).query)["z"][0]
    page.get_by_role("region", name="Carte des lieux culturels").focus()
    page.keyboard.press("+")
    page.wait_for_function("(zoom) => new URLSearchParams(location.search).get('z') !== zoom", arg=framed)
    expected = figures(page)
    again = open_page(page.url.removeprefix(page.evaluate("() => location.origin")))
    kept(again, monuments)
    assert figures(again) == expected
    expect(again.get_by_role("heading", name="Millau")).to_be_visible()
    expect(again.get_by_text(re.compile(r"^Monument \("))).to_be_visible()


def test_theme_follows_the_browser(open_page: Callable[..., Page]) -> None:
    page = open_page("/")
    parts = [page.locator("[data-testid=stApp]"), page.locator(".culture-map .leaflet-container")]
    for part in parts:
        expect(part).to_have_css("background-color", LIGHT)
    land = page.locator(".outline.departement").first.evaluate("(node) => getComputedStyle(node).fill")
    page.emulate_media(color_scheme="dark")
    for part in parts:
        expect(part).to_have_css("background-color", DARK)
    expect(page.locator(".outline.departement").first).not_to_have_css("fill", land)
    page.emulate_media(color_scheme="light")
    for part in parts:
        expect(part).to_have_css("background-color", LIGHT)


def test_place_is_opened_and_closed_by_keyboard_alone(open_page: Callable[..., Page], places: pl.DataFrame) -> None:
    place = here(places, type="Cinéma").row(0, named=True)
    page = open_page(f"/?commune={MILLAU}&lat={place['latitude']}&lon={place['longitude']}&z=17")
    page.get_by_role("region", name="Carte des lieux culturels").focus()
    label = f"{place['name']}, Cinéma, Millau"
    for _ in range(30):
        page.keyboard.press("Tab")
        if focused(page) == label:
            break
    assert focused(page) == label
    page.keyboard.press("Enter")
    details = page.get_by_role("dialog", name=place["name"])
    expect(details).to_contain_text("Millau (12145)")
    expect(details).to_contain_text("Donnée de démonstration")
    page.keyboard.press("Escape")
    expect(details).to_have_count(0)
    assert focused(page) == label

    # Again, and on to the page of the town, without a mouse.
    page.keyboard.press("Enter")
    expect(details).to_be_visible()
    assert focused(page) == "Voir la fiche de la commune"
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Millau", exact=True)).to_be_visible()
    page.wait_for_url("**/ville?commune=12145")


# ---- The town, coming and going ------------------------------------------------------------------------------------


def test_town_page_value_sheet_and_portrait(open_page: Callable[..., Page], small_snapshot: Snapshot) -> None:
    page = open_page("/ville?commune=12145")
    expect(page.get_by_text("Conseil municipal : ")).to_be_visible()
    title = page.get_by_role("heading", name="Population municipale", exact=True)
    card = page.locator(".carte").filter(has=title)
    expect(card.locator(".grand")).to_have_text("21\u202f711")
    assert card.get_by_text("Formule").count() == 1
    expect(card.get_by_text("Formule")).to_be_hidden()
    card.get_by_text("Fiche du chiffre").click()
    expect(card.get_by_text("Formule")).to_be_visible()
    expect(card.get_by_text("Ce que ce chiffre ne dit pas")).to_be_visible()
    page.get_by_role("tab", name="Culture").click()
    expect(page.get_by_role("row").filter(has_text="Lieux culturels pour 1 000 habitants").first).to_be_visible()
    portrait = json.loads(content(download(page, re.compile("Portrait complet"), "button")))
    assert portrait["commune"]["nom"] == "Millau"
    assert portrait["instantane"]["id"] == small_snapshot.id
    assert 21711 in [sheet["value"] for sheet in portrait["indicateurs"] if sheet["indicator"] == "population.total"]


def test_place_of_a_neighbour_leads_to_the_page_of_its_town(open_page: Callable[..., Page]) -> None:
    page = open_page("/ville?commune=12145")
    place = page.locator('.place[aria-label]:not([aria-label$=", Millau"])').first
    town = str(place.get_attribute("aria-label")).rsplit(", ", 1)[1]
    place.focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Voir la fiche de la commune").click()
    expect(page.get_by_role("heading", name=town, exact=True)).to_be_visible()
    expect(page.locator("[data-part=statistics]")).to_contain_text(f"{town} : ")
    assert "commune=12145" not in page.url


def test_wrong_town_is_told_and_the_search_still_works(open_page: Callable[..., Page]) -> None:
    page = open_page("/ville?commune=abc", has_map=False)
    expect(page.get_by_role("alert").filter(has_text="n'est pas un code commune")).to_be_visible()
    field = page.get_by_label("Chercher une commune")
    field.fill("12100")
    field.press("Enter")
    page.get_by_role("button", name="Millau (Aveyron, 12)").click()
    expect(page.get_by_role("heading", name="Millau", exact=True)).to_be_visible()
    page.wait_for_url("**/ville?commune=12145")
    expect(page.get_by_text("n'est pas un code commune")).to_have_count(0)


def test_coming_back_to_the_map_keeps_the_filters(open_page: Callable[..., Page], places: pl.DataFrame) -> None:
    page = open_page("/?categorie=patrimoine")
    heritage = places.filter(pl.col("category") == "patrimoine").height
    kept(page, heritage)
    page.get_by_role("link", name="Sources et méthode").click()
    expect(page.get_by_role("heading", name="Sources et méthode")).to_be_visible()
    page.get_by_role("link", name="Carte culturelle").click()
    wait_for_map(page)
    kept(page, heritage)
    page.wait_for_function("() => location.search.includes('categorie=patrimoine')")


def test_address_cannot_make_the_page_call_another_host(open_page: Callable[..., Page]) -> None:
    picture = "![x](http://ailleurs.invalid/x.png)<img src=http://ailleurs.invalid/y.png>"
    page = open_page(f"/?commune={quote(picture)}&type={quote(picture)}")
    expect(page.get_by_role("alert").filter(has_text="Le filtre « ![x](http://ailleurs")).to_be_visible()
    expect(page.get_by_role("alert").filter(has_text="n'est pas un code commune")).to_be_visible()
    # The fixture checks that nothing was asked of it.


# ---- Exports -------------------------------------------------------------------------------------------------------


def test_exports_hold_what_is_shown(
    open_page: Callable[..., Page], places: pl.DataFrame, browser: Browser, tmp_path: Path
) -> None:
    page = open_page(f"/?commune={MILLAU}&type=Monument")
    expected = in_box(places.filter(pl.col("type") == "Monument"), page)
    assert expected.height > 0

    table = content(download(page, re.compile("Lieux visibles en CSV")))
    assert table.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(io.StringIO(table.decode("utf-8-sig")), delimiter=";"))
    assert sorted(row["identifiant"] for row in rows) == sorted(expected["place_id"])
    assert {row["type"] for row in rows} == {"Monument"}
    assert {row["donnee_de_demonstration"] for row in rows} == {"oui"}

    collection = json.loads(content(download(page, re.compile("Lieux visibles en GeoJSON"))))
    assert "démonstration" in collection["avertissement"]
    assert sorted(item["properties"]["identifiant"] for item in collection["features"]) == sorted(expected["place_id"])
    longitude, latitude = collection["features"][0]["geometry"]["coordinates"]
    assert (2 < longitude < 4, 43 < latitude < 45) == (True, True)

    standalone = download(page, re.compile("Carte de Millau en une page HTML"))
    assert standalone.suggested_filename.endswith(".html")
    (tmp_path / "carte.html").write_bytes(content(standalone))
    context = browser.new_context(offline=True, locale="fr-FR")
    try:
        watching = Watch()
        watching.attach(context)
        alone = context.new_page()
        alone.goto((tmp_path / "carte.html").as_uri())
        expect(alone.locator("html")).to_have_attribute("lang", "fr")
        expect(alone.locator(".leaflet-marker-icon").first).to_be_visible()
        expect(alone.locator("path.leaflet-interactive, .leaflet-overlay-pane path").first).to_be_visible()
        expect(alone.locator("tbody tr")).to_have_count(here(places).height)
        assert {urlsplit(url).scheme for url in watching.asked} <= {"file", "data", "blob"}
        assert watching.complaints == []
    finally:
        context.close()


def test_the_watch_itself_sees_another_host_and_an_error(address: str, browser: Browser) -> None:
    context = browser.new_context()
    try:
        watching = Watch()
        watching.attach(context)
        page = context.new_page()
        page.goto(f"{address}/bourg/inconnu")
        page.evaluate("fetch('http://ailleurs.invalid/x.png').catch(() => null)")
        page.evaluate("setTimeout(() => { throw new Error('panne'); })")
        page.wait_for_timeout(200)
        assert watching.outside(address) == ["http://ailleurs.invalid/x.png"]
        assert [text.split()[0] for text in watching.unexpected_refusals()] == ["404"]
        assert any("panne" in text for text in watching.complaints)
    finally:
        context.close()


# ---- Small screens, unknown addresses ------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/?commune=12145", "/ville?commune=12145", "/ville", "/sources"])
def test_nothing_overflows_a_phone(open_page: Callable[..., Page], path: str) -> None:
    page = open_page(path, width=380, height=800, has_map="commune" in path)
    expect(page.get_by_text("logiciel libre")).to_be_visible()
    widths = page.evaluate(
        """() => [document.documentElement, document.body, ...document.querySelectorAll('[data-testid=stMain]')]
          .map((node) => [node.scrollWidth, node.clientWidth])"""
    )
    assert len(widths) == 3
    assert all(scroll <= client for scroll, client in widths), widths
    assert page.locator("html").get_attribute("lang") == "fr"


def test_unknown_address_of_the_data_answers_in_french(address: str, browser: Browser) -> None:
    context = browser.new_context(locale="fr-FR")
    try:
        for path in (
            "/bourg/inconnu",
            "/bourg/points/abc.bin",
            "/bourg/export/carte-99999.html",
            "/bourg/assets/x/../y",
        ):
            answer = context.request.get(address + path)
            assert answer.status in {400, 404}, path
            body = answer.json()
            assert set(body) == {"erreur", "quoi", "ou", "pourquoi", "que_faire"}
            assert body["quoi"].endswith(".")
        unknown = context.request.get(f"{address}/bourg/inconnu")
        assert unknown.status == 404
        assert unknown.headers["content-type"].startswith("application/json")
        assert "n'existe pas" in unknown.json()["quoi"]
    finally:
        context.close()
