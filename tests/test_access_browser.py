"""The access page in the system's Chromium: a click, a place tried, the keyboard, the address, a small screen."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from bourg.access.network.demo import install_demo_streets
from bourg.portrait.observatory import Observatory
from bourg.settings import Settings
from browser_tools import Watch, link_libraries, running_browser, running_server

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

PATH = "/acces?commune=12145&vers=mairie&mode=foot&seuil=15"


@pytest.fixture(scope="module")
def address(
    small_settings: Settings, small_observatory: Observatory, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    settings = Settings(home=tmp_path_factory.mktemp("acces"))
    (settings.home / "snapshots").symlink_to(small_settings.snapshots)
    link_libraries(settings)
    install_demo_streets(small_observatory.snapshot, settings, "12145")
    with running_server(settings.home, tmp_path_factory.mktemp("server") / "log") as url:
        yield url


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_browser() as launched:
        yield launched


@pytest.fixture
def page(browser: Browser, address: str, request: pytest.FixtureRequest) -> Iterator[Page]:
    width = getattr(request, "param", 1280)
    watch = Watch()
    context = browser.new_context(viewport={"width": width, "height": 1000}, locale="fr-FR", color_scheme="light")
    watch.attach(context)
    opened = context.new_page()
    show(opened, address + PATH)
    yield opened
    assert opened.get_by_test_id("stException").count() == 0
    context.close()
    assert watch.outside(address) == []
    assert watch.unexpected_refusals() == []
    assert watch.complaints == []


def show(page: Page, url: str) -> None:
    page.goto(url)
    page.locator('.layer-map[data-state="ready"]').wait_for(timeout=60_000)
    # The list of the facilities comes once the layers are drawn.
    page.locator(".layer-map select").wait_for(timeout=30_000)


def asked(page: Page, name: str) -> list[str]:
    return parse_qs(urlsplit(page.url).query).get(name, [])


def centre_of_the_map(page: Page) -> None:
    page.get_by_role("button", name="Choisir le centre de la carte").click()


def test_a_point_gives_its_isochrone_and_the_address_keeps_it(page: Page) -> None:
    centre_of_the_map(page)
    told = page.get_by_text(re.compile("^Depuis ce point, à pied"))
    expect(told).to_be_visible(timeout=20_000)
    sentence = told.inner_text()
    expect(page.get_by_text("en 15\u00a0min depuis le point")).to_be_visible()
    assert len(asked(page, "depuis")) == 1
    show(page, page.url)
    expect(told).to_have_text(sentence)
    page.get_by_role("button", name="Retirer l'isochrone").click()
    expect(told).to_have_count(0)
    assert asked(page, "depuis") == []


def test_a_facility_is_opened_by_a_click_then_taken_back(page: Page) -> None:
    page.get_by_role("radio", name=re.compile("^ouvre ici")).click()
    expect(page.get_by_role("radio", name=re.compile("^ouvre ici"))).to_be_checked()
    frame = page.locator(".layer-map [data-part=map]")
    frame.scroll_into_view_if_needed()
    box = frame.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 0.5 * box["width"], box["y"] + 0.3 * box["height"])
    expect(page.get_by_text("Avant et après")).to_be_visible(timeout=20_000)
    expect(page.get_by_role("button", name="Retirer le projet n° 1")).to_be_visible()
    assert len(asked(page, "ouvre")) == 1
    page.get_by_role("button", name="Tout remettre").click()
    expect(page.get_by_text("Avant et après")).to_have_count(0)
    page.get_by_role("button", name="Annuler le dernier changement").click()
    expect(page.get_by_text("Avant et après")).to_be_visible()
    assert len(asked(page, "ouvre")) == 1


@pytest.mark.parametrize("page", [380], indirect=True)
def test_nothing_is_wider_than_a_small_screen(page: Page, tmp_path: Path) -> None:
    expect(page.get_by_role("heading", name=re.compile("La ville du quart d'heure"))).to_be_visible(timeout=20_000)
    main = page.get_by_test_id("stMain")
    assert main.evaluate("node => node.scrollWidth - node.clientWidth") <= 0
    wide = page.evaluate(
        """() => [...document.querySelectorAll('.acces *')].filter((node) => !node.closest('.defile')
             && node.getBoundingClientRect().right > window.innerWidth + 1).length"""
    )
    assert wide == 0
    page.get_by_text("Mode", exact=True).scroll_into_view_if_needed()
    page.get_by_role("radio", name="À vélo").click()
    expect(page.get_by_text(re.compile("à vélo de l'équipement|aucun chemin à vélo")).first).to_be_visible()
    assert asked(page, "mode") == ["bike"]
