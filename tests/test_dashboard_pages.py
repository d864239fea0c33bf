"""The other pages through AppTest: the sources, the waiting page and its errors."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from bourg.dashboard import layout, preparation
from bourg.dashboard.server import SCRIPT
from bourg.dashboard.views import carte
from bourg.errors import StorageError
from bourg.indicators.registry import load_indicators
from bourg.portrait.document import THEMES
from bourg.settings import Settings
from bourg.store.snapshot import Snapshot
from dashboard_tools import MAP_TITLE, number, serve, sound, start, texts


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, small_settings: Settings) -> None:
    serve(monkeypatch, small_settings)


def test_sources_page_lists_what_was_read_what_is_missing_and_every_indicator(small_snapshot: Snapshot) -> None:
    app = start(page="sources")
    read, indicators = (item.value for item in app.table)
    sources = small_snapshot.manifest["sources"]
    assert len(read) == len({(item["id"], item["resource"]) for item in sources})
    assert (read["Origine"] == "◆ démonstration, fabriqué").sum() == sum(item["origin"] == "demo" for item in sources)
    assert "officiel, via un paquet public" in set(read["Origine"])
    basilic = read[read["Source"].str.contains("Basilic")]
    assert number(basilic["Lignes gardées"].item()) > 3000
    assert len(indicators) >= 20
    assert indicators["Formule"].str.len().min() > 5
    assert len(app.expander) >= len({item["id"] for item in sources})
    assert "page officielle" in texts(app)


def test_waiting_page_shows_the_progress_then_the_map(monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()

    def slow(_settings: Settings) -> None:
        preparation.STATE.advance("Lecture de la BPE", 0.4)
        released.wait(30)
        preparation.STATE.ready = True

    monkeypatch.setattr(preparation.STATE, "ready", False)
    monkeypatch.setattr(layout, "prepare", slow)
    app = AppTest.from_file(str(SCRIPT), default_timeout=60)
    try:
        sound(app.run())
        sound(app.run())
        waiting = [thread for thread in threading.enumerate() if thread.name == "bourg-preparation"]
        assert len(waiting) == 1
        assert "prépare ses données" in texts(app)
        (bar,) = app.get("progress")
        assert (bar.proto.value, bar.proto.text) == (40, "Lecture de la BPE")
        assert app.metric == []
    finally:
        released.set()
    waiting[0].join(30)
    sound(app.run())
    assert [item.value for item in app.title] == [MAP_TITLE]


def test_failed_preparation_says_why_and_can_be_tried_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, small_settings: Settings
) -> None:
    home = tmp_path / "home"
    (home / "snapshots").mkdir(parents=True)
    (home / "assets").symlink_to(small_settings.home / "assets")
    (home / "snapshots" / "CURRENT").write_text("perdu\n", encoding="utf-8")
    monkeypatch.setenv("BOURG_HOME", str(home))
    monkeypatch.setattr(preparation.STATE, "ready", False)
    monkeypatch.setattr(preparation.gc, "freeze", lambda: None)
    app = AppTest.from_file(str(SCRIPT), default_timeout=60)
    sound(app.run())
    finish_preparation()
    sound(app.run())
    (error,) = app.error
    assert "illisible" in error.value
    assert "Que faire : " in error.value
    assert "Traceback" not in error.value
    # Someone repairs the folder, then asks again.
    (home / "snapshots").rename(tmp_path / "broken")
    (home / "snapshots").symlink_to(small_settings.snapshots)
    (again,) = [item for item in app.button if item.label == "Réessayer"]
    sound(again.click().run())
    finish_preparation()
    sound(app.run())
    assert app.error == []
    assert [item.value for item in app.title] == [MAP_TITLE]


def finish_preparation() -> None:
    for thread in threading.enumerate():
        if thread.name == "bourg-preparation":
            thread.join(60)
            assert not thread.is_alive()


def test_typed_error_inside_a_page_leaves_the_navigation_usable(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise StorageError("Le disque est plein.", next_step="libérez de la place.")

    monkeypatch.setattr(carte, "_statistics", broken)
    app = start()
    (error,) = app.error
    assert error.value == "**Le disque est plein.**  \nQue faire : libérez de la place."
    monkeypatch.undo()


def test_every_theme_has_a_french_title() -> None:
    assert {indicator.declaration.theme for indicator in load_indicators().values()} <= set(THEMES)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("![a](//b.fr)", r"\!\[a\](//b.fr)"),
        ("2 < 3 $x$ `c`", r"2 \< 3 \$x\$ \`c\`"),
        ("Saint-Affrique", "Saint-Affrique"),
    ],
)
def test_plain_text_is_not_markdown(given: str, shown: str) -> None:
    assert layout.plain(given) == shown
