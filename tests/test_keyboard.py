"""The observatory without a mouse: the way to the content first, a focus that is seen, in order, without a trap."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from bourg.settings import Settings
from browser_tools import focused, link_libraries, running_browser, running_server, wait_for_map

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

TOWN = "/ville/12145-millau"
# The focused element through shadow roots: what marks it, where it stands in the page, whether it is the page itself.
_FOCUS = """() => {
  let node = document.activeElement;
  while (node?.shadowRoot?.activeElement) node = node.shadowRoot.activeElement;
  if (!node || node === document.body) return null;
  const marked = (item) => {
    const style = getComputedStyle(item);
    const outline = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0;
    return outline || style.boxShadow !== 'none';
  };
  const box = node.getBoundingClientRect();
  let around = node;
  let seen = false;
  for (let step = 0; step < 4 && around instanceof Element && !seen; step += 1) {
    seen = marked(around);
    around = around.parentElement;
  }
  return {
    tag: node.tagName, name: (node.getAttribute('aria-label') ?? node.textContent ?? '').trim().slice(0, 60),
    testid: node.getAttribute('data-testid') ?? '', own: marked(node), seen,
    top: box.top + scrollY, left: box.left + scrollX, width: box.width, height: box.height,
  };
}"""


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
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, locale="fr-FR", reduced_motion="reduce")
    yield context.new_page()
    context.close()


def walk(page: Page, most: int) -> list[dict[str, Any]]:
    """Press Tab until the focus leaves the page or ``most`` elements were met."""
    found: list[dict[str, Any]] = []
    for _ in range(most):
        page.keyboard.press("Tab")
        step = page.evaluate(_FOCUS)
        if step is None:
            break
        found.append(step)
    return found


def test_public_page_by_keyboard(page: Page, address: str) -> None:
    page.goto(address + TOWN)
    expected = page.evaluate(
        """() => [...document.querySelectorAll('a[href], summary, [tabindex="0"]')]
          .filter((item) => item.checkVisibility()).length"""
    )
    found = walk(page, 60)
    assert found[0]["name"] == "Aller au contenu"
    assert all(step["own"] for step in found), [step for step in found if not step["own"]]
    assert all(step["width"] > 0 and step["height"] > 0 for step in found)
    # The order of the page: each element is met once, and never above the line of the one before it.
    tops = [step["top"] for step in found[1:] if step["tag"] != "DIV"]
    assert all(after >= before - 40 for before, after in pairwise(tops))
    assert len(found) == min(expected, 60)

    # The way to the content leads to it: what follows is in the main part.
    page.goto(address + TOWN)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "contenu"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('main') !== null")

    # A folded part opens and closes with Enter, and keeps the focus.
    summary = page.locator("main summary").first
    summary.focus()
    page.keyboard.press("Enter")
    assert summary.evaluate("node => node.parentElement.open")
    page.keyboard.press("Enter")
    assert not summary.evaluate("node => node.parentElement.open")
    assert summary.evaluate("node => node === document.activeElement")

    # No trap: from the last element the focus leaves the page, and comes back the other way.
    page.locator("a[href], summary").last.focus()
    assert len(walk(page, 5)) < 5
    page.keyboard.press("Shift+Tab")
    assert page.evaluate(_FOCUS) is not None


def test_dashboard_by_keyboard(page: Page, address: str) -> None:
    page.goto(f"{address}/comparer")
    page.locator("[data-testid=stMain] h1").first.wait_for(timeout=60_000)
    # The page writes its address and is drawn again: its examples come last.
    page.locator("[data-testid=stMain] button").nth(2).wait_for(timeout=60_000)
    expect(page.locator("[data-testid=stApp]")).to_have_attribute(
        "data-test-script-state", "notRunning", timeout=60_000
    )
    found = walk(page, 25)
    assert "main content" in found[0]["name"]
    menu = [step for step in found if step["testid"] == "stTopNavLink"]
    assert len(menu) >= 9
    # Below the menu, whose focus the statement says is too pale, and the main part, everything reached is marked.
    rest = [step for step in found if step["testid"] != "stTopNavLink" and step["tag"] not in {"MAIN", "INPUT"}]
    assert [step["name"] for step in rest if not step["seen"]] == []
    assert len(rest) >= 4
    names = [step["name"] for step in found]
    field = next(index for index, step in enumerate(found) if step["tag"] == "INPUT")
    assert field > max(index for index, step in enumerate(found) if step["testid"] == "stTopNavLink")
    # Nothing holds the focus: no element is met twice in a row.
    assert all(before != after or before["tag"] == "MAIN" for before, after in pairwise(found)), names

    page.goto(f"{address}/comparer")
    page.locator("[data-testid=stMain] h1").first.wait_for(timeout=60_000)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('[data-testid=stMain]') !== null")


def test_map_by_keyboard(page: Page, address: str) -> None:
    """The controls of the map are reached, and left again; ``test_browser.py`` opens and closes a place."""
    page.goto(f"{address}/?commune=12145")
    wait_for_map(page)
    region = page.get_by_role("region", name="Carte des lieux culturels")
    region.focus()
    reached = [focused(page)]
    for _ in range(200):
        page.keyboard.press("Tab")
        reached.append(focused(page))
        if not page.evaluate(
            """() => {
              let node = document.activeElement;
              while (node?.shadowRoot?.activeElement) node = node.shadowRoot.activeElement;
              return Boolean(node?.closest('.leaflet-container'));
            }"""
        ):
            break
    else:
        pytest.fail(f"le clavier reste dans la carte : {reached[-5:]}")
    assert any("Zoom" in name or "zoom" in name for name in reached), reached
