"""The real server in a process of its own, and the system's Chromium, for the browser tests and the screenshots."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from bourg.settings import Settings, load_settings
from bourg.web.assets import ensure_assets

ROOT = Path(__file__).resolve().parents[1]
ARGUMENTS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
# Streamlit looks for its own service under the path of the page before it finds it at the root.
_PROBES = ("/_stcore/health", "/_stcore/host-config")


def chromium_path() -> str:
    """Return the browser of the system; without it the test fails where it is required, and is skipped elsewhere."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    message = "aucun navigateur sur cette machine : installez chromium (apt-get install chromium)"
    if os.environ.get("BOURG_BROWSER_REQUIRED") == "1":
        pytest.fail(message)
    pytest.skip(message)


def link_libraries(settings: Settings) -> None:
    """Give an installation the browser libraries of the user's own, downloaded once for all tests."""
    if (settings.home / "assets").exists():
        return
    folder = ensure_assets(load_settings()).parent
    with contextlib.suppress(FileExistsError):  # another worker of the tests was faster
        (settings.home / "assets").symlink_to(folder)


def free_port() -> int:
    """Return a port of loopback that nobody listens to."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def running_server(home: Path, log: Path) -> Iterator[str]:
    """Start the observatory as a user does (``streamlit run app.py``), yield its address, and end it."""
    port = free_port()
    command = [sys.executable, "-m", "streamlit", "run", "app.py", f"--server.port={port}"]
    environment = {**os.environ, "BOURG_HOME": str(home)}
    with log.open("w") as stream:
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=stream, stderr=stream, start_new_session=True, env=environment
        )
    address = f"http://localhost:{port}"
    try:
        for _ in range(300):
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{address}/_stcore/health", timeout=1) as answer:
                if answer.read() == b"ok":
                    break
            if process.poll() is not None:
                pytest.fail(f"le serveur s'est arrêté :\n{log.read_text()}")
            time.sleep(0.1)
        else:
            pytest.fail(f"le serveur ne répond pas :\n{log.read_text()}")
        yield address
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(20)


@contextlib.contextmanager
def running_browser() -> Iterator[Browser]:
    """Start the system's Chromium with a new, empty profile."""
    path = chromium_path()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Watch:
    """Everything that the pages of a context asked, received and complained about.

    Attributes
    ----------
    asked
        Addresses of all the requests.
    refused
        Answers of status 400 and more, as ``"404 http://…"``.
    complaints
        Errors of the console and uncaught exceptions.
    received
        Bytes that came through websockets.
    """

    asked: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    received: int = 0

    def attach(self, context: BrowserContext) -> None:
        """Watch every page of a context, those opened later included."""
        context.on("request", lambda request: self.asked.append(request.url))
        context.on("response", lambda r: self.refused.append(f"{r.status} {r.url}") if r.status >= 400 else None)
        context.on("console", lambda message: self._said(message.type, message.text, str(message.location["url"])))
        context.on("weberror", lambda error: self.complaints.append(str(error.error)))
        context.on("page", self._opened)

    def _opened(self, page: Page) -> None:
        page.on("websocket", lambda channel: channel.on("framereceived", self._frame))

    def _frame(self, content: str | bytes) -> None:
        self.received += len(content)

    def _said(self, kind: str, text: str, where: str) -> None:
        if kind == "error" and not where.endswith(_PROBES):
            self.complaints.append(f"{text} ({where})")

    def outside(self, address: str) -> list[str]:
        """Return the requests made to another host than that of ``address``."""
        host = urlsplit(address).netloc
        return [
            url for url in self.asked if urlsplit(url).scheme not in {"data", "blob"} and urlsplit(url).netloc != host
        ]

    def unexpected_refusals(self) -> list[str]:
        """Return the answers of status 400 and more, Streamlit's own probes under the path of a page left aside."""
        return [text for text in self.refused if not (text.startswith("404 ") and text.endswith(_PROBES))]


def wait_for_map(page: Page) -> None:
    """Wait until the places are drawn and their names known."""
    page.locator('.culture-map[data-state="ready"]').wait_for(timeout=30_000)
    expect(page.locator("[data-part=statistics]")).to_contain_text("sur")
    expect(page.locator(".culture-map tbody")).not_to_contain_text("…")


def focused(page: Page) -> str:
    """Return the accessible name, or the text, of the focused element, through shadow roots."""
    return str(
        page.evaluate(
            """() => {
              let node = document.activeElement;
              while (node?.shadowRoot?.activeElement) node = node.shadowRoot.activeElement;
              return node?.getAttribute('aria-label') ?? node?.textContent ?? '';
            }"""
        )
    )
