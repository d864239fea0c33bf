"""Open the pages of the dashboard in Streamlit's AppTest, and read what they show."""

from __future__ import annotations

import json
import re
from typing import Any

import polars as pl
import pytest
from streamlit.testing.v1 import AppTest

from bourg.dashboard import preparation
from bourg.dashboard.server import SCRIPT
from bourg.settings import Settings
from bourg.store.snapshot import Snapshot
from browser_tools import link_libraries

MAP_TITLE = "Les lieux culturels, ville par ville"
CATEGORIES = {
    "Patrimoine": "patrimoine", "Spectacle vivant": "spectacle vivant", "Autres lieux vivants": "autre vivant",
}  # fmt: skip


def serve(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    """Serve the snapshot of an installation, already prepared, until the end of the test."""
    link_libraries(settings)
    monkeypatch.setenv("BOURG_HOME", str(settings.home))
    monkeypatch.delenv("BOURG_MIRROR", raising=False)
    for name, value in {"ready": True, "error": None, "label": "Prêt", "share": 1.0}.items():
        monkeypatch.setattr(preparation.STATE, name, value)


def read_places(snapshot: Snapshot) -> pl.DataFrame:
    """Return the places, read from their file without any of the code under test."""
    return pl.read_parquet(snapshot.folder / "tables" / "culture_places.parquet")


def read_populations(snapshot: Snapshot) -> dict[str, int | None]:
    """Return the population of every commune, read in the same way."""
    communes = pl.read_parquet(snapshot.folder / "tables" / "communes.parquet")
    return dict(communes.select("code", "population").iter_rows())


def start(address: dict[str, Any] | None = None, page: str = "") -> AppTest:
    """Open the dashboard at a page (``""`` is the map) with the parameters of its address."""
    app = AppTest.from_file(str(SCRIPT), default_timeout=60)
    if page:
        app.run()
        turn_to(app, page)
    for name, value in (address or {}).items():
        app.query_params[name] = value
    return sound(app.run())


def turn_to(app: AppTest, page: str) -> AppTest:
    """Go to a page through the navigation, which empties the address."""
    app._page_hash = next(key for key, info in app._registered_pages.items() if info["url_pathname"] == page)
    app.query_params.clear()
    return app


def sound(app: AppTest) -> AppTest:
    """Check that no exception reached the page."""
    assert [item.value for item in app.exception] == []
    return app


def number(text: str) -> float:
    return float(re.sub(r"[\u202f\u00a0]", "", text).replace(",", ".").replace("−", "-"))


def metrics(app: AppTest) -> dict[str, str]:
    return {item.label.replace(" ◆", ""): str(item.value) for item in app.metric}


def by_category(app: AppTest) -> dict[str, int]:
    found = re.findall(r"^(.+?) : \*\*(.+?)\*\*", "\n".join(item.value for item in app.caption), flags=re.MULTILINE)
    return {label: int(number(count)) for label, count in found if label in CATEGORIES}


def map_data(app: AppTest) -> dict[str, Any]:
    """Return what the map received through the websocket."""
    (component,) = app.get("bidi_component")
    content: dict[str, Any] = json.loads(component.proto.json)
    return content


def html_of(app: AppTest) -> str:
    return "".join(item.proto.body for item in app.get("html"))


def buttons(app: AppTest, prefix: str) -> dict[str, str]:
    return {str(item.key): item.label for item in app.button if str(item.key).startswith(prefix)}


def texts(app: AppTest) -> str:
    return "\n".join(str(item.value) for kind in ("markdown", "text", "caption", "info") for item in getattr(app, kind))


def expected(places: pl.DataFrame, populations: dict[str, int | None], commune: str | None) -> tuple[int, float]:
    """Return the number of places and their number per 1,000 inhabitants where the population is known."""
    scope = [commune] if commune else list(populations)
    known = {code: populations[code] for code in scope if populations[code] is not None}
    here = places.filter(pl.col("code").is_in(scope))
    people = sum(value for value in known.values() if value)
    return here.height, 1000 * here.filter(pl.col("code").is_in(list(known))).height / people


def check_figures(
    app: AppTest, places: pl.DataFrame, populations: dict[str, int | None], commune: str | None = None
) -> None:
    count, rate = expected(places, populations, commune)
    shown = metrics(app)
    assert number(shown["Lieux retenus"]) == count
    assert number(shown["Pour 1 000 hab."]) == pytest.approx(rate, abs=0.005001)
    here = places.filter(pl.col("code") == commune) if commune else places
    assert by_category(app) == {
        label: here.filter(pl.col("category") == name).height for label, name in CATEGORIES.items()
    }
