"""Culture map against a locally served folium ``FastMarkerCluster`` page: 90,000 places and the outlines.

Run with ``python benchmarks/map_page.py``. Both pages are Streamlit pages on loopback, with the same libraries served
by the same routes, driven by the system's Chromium; nothing comes from another host. Three pages are measured:

- ``bourg``: the component of this project, data by URL;
- ``peer``: folium ``FastMarkerCluster`` built in the page script, as its users write it;
- ``peer, HTML kept``: the same with the finished HTML in ``st.cache_data``, the peer at its best.

Interactive = clusters on screen, and end of the last long task (over 50 ms) before 2 s of quiet. Bytes are counted in
a run of their own, so that counting slows no timed run.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import websockets
from playwright.sync_api import Browser, Page, sync_playwright
from playwright.sync_api import Error as PlaywrightError
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from bourg.build.demonstration import registry_tables
from bourg.maps import MAPS_FOLDER
from bourg.maps.outlines import write_outlines
from bourg.maps.points import write_points
from bourg.settings import load_settings
from bourg.web.assets import ensure_assets

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
TYPES = (
    ("Monument", "patrimoine", 0.5), ("Bibliothèque", "autre vivant", 0.18), ("Librairie", "autre vivant", 0.12),
    ("Scène", "spectacle vivant", 0.06), ("Conservatoire", "autre vivant", 0.05), ("Musée", "patrimoine", 0.04),
    ("Cinéma", "autre vivant", 0.03), ("Théâtre", "spectacle vivant", 0.02),
)  # fmt: skip
TARGETS = {"ratio": 0.4, "websocket_kB": 200, "filter_ms": 500, "rerun_p95_ms": 1000}

SERVER = """
import contextlib, gc
from pathlib import Path
import polars as pl
import streamlit as st
from bourg.settings import load_settings
from bourg.web.middleware import middleware
from bourg.web.routes import routes

HERE = Path(__file__).parent

class Snapshot:
    id = "mesure"
    folder = HERE
    def table(self, name):
        return pl.scan_parquet(HERE / f"{name}.parquet")

class Context:
    settings = load_settings()
    def current_snapshot(self):
        return Snapshot()
    def search(self, query, limit):
        return []

@contextlib.asynccontextmanager
async def lifespan(app):
    gc.collect()
    gc.freeze()  # as the dashboard does
    yield

app = st.App(HERE / "SCRIPT", routes=routes(Context()), middleware=middleware(), lifespan=lifespan)
"""
FILTERS = """
st.set_page_config(layout="wide")
st.title("Carte culturelle")
asked = st.query_params.get_all("categorie")
chosen = st.multiselect("Catégorie", ["patrimoine", "spectacle vivant", "autre vivant"], default=asked or None)
"""
BOURG = (
    "import streamlit as st\nfrom bourg.dashboard.map_component import culture_map\n"
    + FILTERS
    + """
culture_map(snapshot_id="mesure", categories=chosen or None, key="carte")
"""
)
PEER = (
    """
import json
from pathlib import Path
import folium, polars as pl, streamlit as st
from folium.plugins import FastMarkerCluster
from bourg.maps.files import read_gzip
HERE = Path(__file__).parent
LIBS = "/bourg/assets/"
folium.Map.default_js = [("leaflet", LIBS + "leaflet.js")]
folium.Map.default_css = [("leaflet_css", LIBS + "leaflet.css")]
FastMarkerCluster.default_js = [("markercluster", LIBS + "leaflet.markercluster.js")]
FastMarkerCluster.default_css = [("a", LIBS + "MarkerCluster.css"), ("b", LIBS + "MarkerCluster.Default.css")]
"""
    + FILTERS
    + """
@st.cache_data
def places():
    return pl.read_parquet(HERE / "culture_places.parquet", columns=["latitude", "longitude", "category"]).drop_nulls()

@st.cache_data
def outlines():
    return json.loads(read_gzip(HERE / "cartes" / "departements.json"))

CACHE
def page(categories):
    frame = places()
    if categories:
        frame = frame.filter(pl.col("category").is_in(categories))
    drawn = folium.Map([46.6, 2.4], zoom_start=6, tiles=None, max_zoom=18, maxZoom=18)
    folium.GeoJson(outlines(), style_function=lambda _: {"weight": 1, "fillOpacity": 0.1}).add_to(drawn)
    callback = "function (row) { return L.marker(L.latLng(row[0], row[1])); }"
    FastMarkerCluster(frame.select("latitude", "longitude").rows(), callback=callback).add_to(drawn)
    return drawn.get_root().render()

st.iframe(page(tuple(chosen)), height=560)
"""
)
PAGES = {
    "bourg": (BOURG, '.culture-map[data-state="ready"] .leaflet-marker-icon.cluster'),
    "peer": (PEER.replace("CACHE", ""), ".marker-cluster"),
    "peer, HTML kept": (PEER.replace("CACHE", "@st.cache_data"), ".marker-cluster"),
}
# Runs in every frame: the end of each long task, in milliseconds since 1970.
WATCH = """
window.__longTasks = [];
new PerformanceObserver((list) => {
  for (const task of list.getEntries()) {
    window.__longTasks.push(performance.timeOrigin + task.startTime + task.duration);
  }
}).observe({ type: 'longtask', buffered: true });
"""


@dataclass
class Result:
    """Measures of one page, in milliseconds and bytes."""

    interactive: list[float] = field(default_factory=list)
    filtering: list[float] = field(default_factory=list)
    websocket: int = 0
    http: int = 0
    external: list[str] = field(default_factory=list)
    server_filter: list[float] = field(default_factory=list)
    reruns_of_ten: list[float] = field(default_factory=list)


def make_data(folder: Path, n: int) -> None:
    """Write ``n`` generated places, weighted by population, and the outlines of the real communes."""
    tables = registry_tables(load_settings())
    communes = tables["communes"].join(tables["outlines"], on="code", how="left")
    rng = np.random.default_rng(2025)
    weights = communes["pmun_2017"].fill_null(100).to_numpy() + 50.0
    rows = rng.choice(communes.height, n, p=weights / weights.sum())
    kinds = rng.choice(len(TYPES), n, p=[share for _, _, share in TYPES])
    places = pl.DataFrame(
        {
            "place_id": [f"L{i:06d}" for i in range(n)],
            "name": [
                f"{TYPES[kind][0]} {number}" for kind, number in zip(kinds, rng.integers(1, 2000, n), strict=True)
            ],
            "type": [TYPES[kind][0] for kind in kinds],
            "category": [TYPES[kind][1] for kind in kinds],
            "code": communes["code"].gather(rows),
            "longitude": communes["longitude"].gather(rows) + pl.Series(rng.normal(0, 0.008, n)),
            "latitude": communes["latitude"].gather(rows) + pl.Series(rng.normal(0, 0.006, n)),
            "demo": [True] * n,
        }
    )
    places.write_parquet(folder / "culture_places.parquet")
    communes.select("code", "name").write_parquet(folder / "communes.parquet")
    polygons = communes.select("code", "name", "departement", "wkb")
    write_outlines(polygons, folder / MAPS_FOLDER)
    info = write_points(places, communes, folder / MAPS_FOLDER, snapshot_id="mesure")
    print(f"{info.located} lieux, {polygons.height} communes, lieux.bin.gz {info.size_gz / 1e6:.2f} Mo")


@contextmanager
def serve(folder: Path, script: str) -> Iterator[int]:
    """Serve one page script on a free port of loopback; the process is ended at the end."""
    (folder / "page.py").write_text(script, encoding="utf-8")
    (folder / "serve.py").write_text(SERVER.replace("SCRIPT", "page.py"), encoding="utf-8")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    options = ["--server.address=127.0.0.1", "--server.headless=true", "--browser.gatherUsageStats=false"]
    command = [sys.executable, "-m", "streamlit", "run", str(folder / "serve.py"), f"--server.port={port}", *options]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, start_new_session=True)
    try:
        for _ in range(200):
            time.sleep(0.1)
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=1)
            except OSError:
                continue
            break
        yield port
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(20)


def last_long_task(page: Page) -> float:
    """Return when the last long task of any frame ended, in seconds since 1970; 0 without one."""
    ends = [frame.evaluate("() => Math.max(0, ...(window.__longTasks ?? []))") for frame in page.frames]
    return max(ends) / 1000


def settle(page: Page, shown: float) -> float:
    """Wait for 2 s without a long task, and return when the page became interactive."""
    while True:
        end = max(shown, last_long_task(page))
        if time.time() - end > 2:
            return end
        page.wait_for_timeout(200)


def wait_for_map(page: Page, selector: str) -> float:
    """Return when the clusters appeared, in the page or in one of its frames."""
    for _ in range(4000):
        if any(frame.locator(selector).count() for frame in page.frames):
            return time.time()
        page.wait_for_timeout(25)
    raise TimeoutError(f"no map: {selector}")


def load_once(browser: Browser, port: int, selector: str, result: Result, *, count: bool) -> None:
    """Open the page in a new browser profile; time it, or count its bytes."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, locale="fr-FR")
    page = context.new_page()
    page.add_init_script(WATCH)
    page.on("request", lambda request: note_outside(result, request.url, port))
    if count:
        page.on("websocket", lambda ws: ws.on("framereceived", lambda data: _add(result, "websocket", len(data))))
        session = context.new_cdp_session(page)
        session.send("Network.enable")
        session.on("Network.loadingFinished", lambda event: _add(result, "http", int(event["encodedDataLength"])))
    start = time.time()
    page.goto(f"http://127.0.0.1:{port}/")
    end = settle(page, wait_for_map(page, selector))
    if not count:
        result.interactive.append(1000 * (end - start))
        result.filtering.append(filter_once(page, selector))
    context.close()


def note_outside(result: Result, url: str, port: int) -> None:
    """Remember a request that goes to another host."""
    if url.startswith("http") and not url.startswith(f"http://127.0.0.1:{port}/"):
        result.external.append(url)


def _add(result: Result, kind: str, size: int) -> None:
    setattr(result, kind, getattr(result, kind) + size)


def filter_once(page: Page, selector: str) -> float:
    """Keep « spectacle vivant » only, and return the time until the new clusters are there and the page is quiet."""
    query = selector.rsplit(" ", 1)[-1]

    def content() -> str:
        try:
            return "|".join(str(frame.locator(query).all_text_contents()) for frame in page.frames)
        except PlaywrightError:  # the frame of the peer is being replaced
            return ""

    before = content()
    page.get_by_role("combobox").first.click()
    option = page.get_by_role("option", name="spectacle vivant")
    option.wait_for()
    start = time.time()
    option.click()
    while content() == before or not any(frame.locator(selector).count() for frame in page.frames):
        if time.time() - start > 60:
            raise TimeoutError("the filter changed nothing")
        page.wait_for_timeout(25)
    return 1000 * (settle(page, time.time()) - start)


async def rerun(socket_: Any, query: str) -> float:  # noqa: ANN401
    """Ask for a run of the script and return its duration in milliseconds, until the end is received."""
    message = BackMsg()
    message.rerun_script.query_string = query
    start = time.perf_counter()
    await socket_.send(message.SerializeToString())
    while True:
        answer = ForwardMsg()
        answer.ParseFromString(await socket_.recv())
        if answer.WhichOneof("type") == "script_finished":
            return 1000 * (time.perf_counter() - start)


async def user(port: int, reruns: int, pause: float, seed: int) -> list[float]:
    """Behave as one person: a first run, then ``reruns`` changes of filter, with a pause before each."""
    values = ["", "categorie=patrimoine", "categorie=spectacle%20vivant", "categorie=autre%20vivant"]
    uri = f"ws://127.0.0.1:{port}/_stcore/stream"
    async with websockets.connect(uri, subprotocols=["streamlit"], max_size=None) as socket_:  # type: ignore[list-item]
        await rerun(socket_, "")
        durations = []
        for index in range(reruns):
            await asyncio.sleep(pause)
            durations.append(await rerun(socket_, values[(seed + index) % len(values)]))
        return durations


async def crowd(port: int, users: int, reruns: int, pause: float) -> list[float]:
    """Return the durations of all the reruns of several people at once."""
    lists = await asyncio.gather(*(user(port, reruns, pause, seed) for seed in range(users)))
    return [duration for durations in lists for duration in durations]


def measure(folder: Path, runs: int) -> dict[str, Result]:
    """Measure every page."""
    results = {name: Result() for name in PAGES}
    with sync_playwright() as playwright:
        # The pages take turns, so that a slow moment of the machine does not fall on one of them only.
        for index in range(runs + 1):
            for name, (script, selector) in PAGES.items():
                # A new server and a new browser each time: nothing is warm.
                with serve(folder, script) as port:
                    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
                    load_once(browser, port, selector, results[name], count=index == runs)
                    browser.close()
    for name, result in results.items():
        print(f"{name} : {[round(value) for value in result.interactive]} ms", flush=True)
    for name, (script, _) in PAGES.items():
        with serve(folder, script) as port:
            results[name].server_filter = asyncio.run(user(port, 8, 0.2, 1))
            results[name].reruns_of_ten = asyncio.run(crowd(port, 10, 6, 2.0))
    return results


def report(results: dict[str, Result]) -> dict[str, Any]:
    """Print the measures side by side, and return them with the verdict on each target."""
    rows = {}
    for name, result in results.items():
        rows[name] = {
            "interactive_ms": round(statistics.median(result.interactive)),
            "filter_browser_ms": round(statistics.median(result.filtering)),
            "filter_server_ms": round(statistics.median(result.server_filter)),
            "rerun_10_users_p95_ms": round(float(np.percentile(result.reruns_of_ten or [0], 95))),
            "websocket_kB": round(result.websocket / 1000, 1),
            "http_kB": round(result.http / 1000),
            "external_requests": len(result.external),
        }
    for measure_name in rows["bourg"]:
        print(f"{measure_name:24}" + "".join(f"{rows[name][measure_name]!s:>18}" for name in rows))
    ours = rows["bourg"]
    ratios = {
        name: round(ours["interactive_ms"] / row["interactive_ms"], 3) for name, row in rows.items() if row != ours
    }
    print("ratio bourg / pair :", ratios)
    verdict = {
        "ratio": ratios["peer"] <= TARGETS["ratio"],
        "websocket": ours["websocket_kB"] < TARGETS["websocket_kB"],
        "filter": ours["filter_server_ms"] < TARGETS["filter_ms"],
        "ten_users": ours["rerun_10_users_p95_ms"] < TARGETS["rerun_p95_ms"],
        "no_external_request": ours["external_requests"] == 0,
    }
    print("objectifs :", verdict)
    return {"rows": rows, "ratios": ratios, "targets": TARGETS, "verdict": verdict}


def main() -> int:
    """Measure and print; the exit code is 1 when a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--places", type=int, default=90_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", type=Path, help="also write the results in this file")
    options = parser.parse_args()
    ensure_assets(load_settings())
    with tempfile.TemporaryDirectory(prefix="bourg-carte-") as name:
        make_data(Path(name), options.places)
        outcome = report(measure(Path(name), options.runs))
    if options.json:
        options.json.write_text(json.dumps(outcome, indent=1), encoding="utf-8")
    return 0 if all(outcome["verdict"].values()) else 1


if __name__ == "__main__":
    raise SystemExit(main())
