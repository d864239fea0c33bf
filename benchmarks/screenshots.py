"""Images of the documentation: the three pages, light and dark, and the map and the town on a phone.

Run with ``python benchmarks/screenshots.py http://localhost:8501`` while the observatory is running. Each PNG is
reduced to as few colours as needed to weigh less than 300 kB.
"""

from __future__ import annotations

import argparse
import io
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

ARGUMENTS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
MAX_BYTES = 300_000
COLOURS = (256, 128, 64, 32)


@dataclass(frozen=True)
class Shot:
    """One image: its name, the address it shows, the theme, and the size of the window in pixels."""

    name: str
    path: str
    theme: Literal["light", "dark"]
    width: int
    height: int


DESKTOP = {"carte": ("/", 1180), "ville": ("/ville?commune={town}", 1500), "sources": ("/sources", 1000)}
PHONE = {"carte": "/?commune={town}", "ville": "/ville?commune={town}"}
THEMES: dict[str, Literal["light", "dark"]] = {"clair": "light", "sombre": "dark"}


def shots(town: str) -> list[Shot]:
    """Return the images to make."""
    desktop = [
        Shot(f"{page}-{label}", path.format(town=town), theme, 1280, height)
        for page, (path, height) in DESKTOP.items()
        for label, theme in THEMES.items()
    ]
    return desktop + [
        Shot(f"{page}-mobile", path.format(town=town), "light", 380, 1500) for page, path in PHONE.items()
    ]


def take(browser: Browser, address: str, shot: Shot) -> Image.Image:
    """Open the page in a new profile and return what the window shows once everything is drawn."""
    context = browser.new_context(
        viewport={"width": shot.width, "height": shot.height}, color_scheme=shot.theme, locale="fr-FR"
    )
    try:
        page = context.new_page()
        page.goto(address + shot.path)
        settle(page, has_map="sources" not in shot.name)
        return Image.open(io.BytesIO(page.screenshot(animations="disabled"))).convert("RGB")
    finally:
        context.close()


def settle(page: Page, *, has_map: bool) -> None:
    """Wait for the footer, and for the names of the places when the page has a map."""
    page.get_by_text("logiciel libre").wait_for(state="attached", timeout=60_000)
    if has_map:
        page.locator('.culture-map[data-state="ready"]').wait_for(timeout=60_000)
        page.wait_for_function(
            "() => [...document.querySelectorAll('*')].some((node) => node.shadowRoot"
            "?.querySelector('.culture-map tbody')?.textContent.includes('…') === false)"
        )
    page.wait_for_timeout(1500)


def save(image: Image.Image, path: Path) -> int:
    """Write a PNG under :data:`MAX_BYTES`, and return its size in bytes."""
    content = b""
    # Full colours when they fit: a palette turns the purple of the marks grey in the dark theme.
    for colours in (None, *COLOURS):
        buffer = io.BytesIO()
        reduced = image if colours is None else image.quantize(colours, kmeans=2, dither=Image.Dither.NONE)
        reduced.save(buffer, "PNG", optimize=True)
        content = buffer.getvalue()
        if len(content) < MAX_BYTES:
            path.write_bytes(content)
            return len(content)
    raise ValueError(f"{path.name} : {len(content)} octets, {MAX_BYTES} au plus")


def main() -> int:
    """Make the images."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "address", nargs="?", default="http://localhost:8501", help="address of the running observatory"
    )
    parser.add_argument("--town", default="12145", help="INSEE code of the town shown")
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parents[1] / "docs" / "images")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=list(ARGUMENTS))
        for shot in shots(options.town):
            size = save(take(browser, options.address.rstrip("/"), shot), options.out / f"{shot.name}.png")
            print(f"{shot.name}.png : {size / 1000:.0f} ko", flush=True)
        browser.close()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
