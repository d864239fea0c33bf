"""The other pages through AppTest: the town, the sources, the waiting page and its errors."""

from __future__ import annotations

import re
import threading
from html import unescape
from pathlib import Path

import polars as pl
import pytest
from streamlit.testing.v1 import AppTest

from bourg.dashboard import layout, preparation
from bourg.dashboard.server import SCRIPT
from bourg.dashboard.views import carte
from bourg.errors import StorageError
from bourg.indicators.registry import load_indicators
from bourg.portrait.document import THEMES, make_portrait
from bourg.portrait.observatory import Observatory
from bourg.settings import Settings
from bourg.store.snapshot import Snapshot
from dashboard_tools import (
    MAP_TITLE,
    buttons,
    check_figures,
    html_of,
    map_data,
    number,
    read_places,
    read_populations,
    serve,
    sound,
    start,
    texts,
    turn_to,
)


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, small_settings: Settings) -> None:
    serve(monkeypatch, small_settings)


@pytest.fixture(scope="module")
def places(small_snapshot: Snapshot) -> pl.DataFrame:
    return read_places(small_snapshot)


@pytest.fixture(scope="module")
def populations(small_snapshot: Snapshot) -> dict[str, int | None]:
    return read_populations(small_snapshot)


# ---- The town ------------------------------------------------------------------------------------------------------


def test_town_page_invites_to_search_and_offers_examples(small_observatory: Observatory) -> None:
    app = start(page="ville")
    assert [item.value for item in app.title] == ["Le portrait d'une ville"]
    assert f"{len(small_observatory.pvd)}\xa0communes du programme Petites Villes de demain ◆" in texts(app)
    examples = buttons(app, "exemple-")
    assert len(examples) == 6
    key, label = next(iter(examples.items()))
    sound(app.button(key=key).click().run())
    assert [item.value for item in app.title] == [label]
    assert app.query_params == {"commune": key.removeprefix("exemple-")}


def test_town_page_tells_who_the_town_is(small_observatory: Observatory) -> None:
    app = start({"commune": "12145"}, page="ville")
    assert [item.value for item in app.title] == ["Millau"]
    shown = texts(app)
    for text in ("21\u202f711", "(2021)", "12145", "12100", "Aveyron (12)", "Occitanie", "Millau Grands Causses",
                 "170,2\xa0km²", "Petites Villes de demain", "17 avenue de la République", "8 h – 12 h"):  # fmt: skip
        assert text in shown, text
    assert small_observatory.pvd.get("12145") is None
    assert "Petites Villes de demain : non ◆" in shown
    data = map_data(app)
    assert data["commune"]["code"] == "12145"
    assert data["deep_link"] is False


def test_town_of_the_programme_gives_the_date_of_its_agreement(small_observatory: Observatory) -> None:
    town = next(row for row in small_observatory.pvd.values() if row["signature_date"] is not None)
    shown = texts(start({"commune": town["code"]}, page="ville"))
    assert "Petites Villes de demain : **oui**, convention signée le " in shown
    assert f" {town['signature_date'].year} ◆" in shown


def test_figures_of_the_town_are_those_of_the_snapshot_and_the_generated_ones_are_marked(
    small_observatory: Observatory, small_snapshot: Snapshot
) -> None:
    app = start({"commune": "12145"}, page="ville")
    content = html_of(app)
    portrait = make_portrait(small_observatory, "12145")
    assert {tab.label for tab in app.tabs} == set(portrait.themes)
    cards = dict(re.findall(r'<div class="carte"><h3>(.*?)</h3>(.*?)</details></div>', content, flags=re.DOTALL))
    assert len(cards) == len(portrait.key_figures) >= 8
    values = pl.read_parquet(small_snapshot.folder / "values.parquet").filter(
        (pl.col("level") == "commune") & (pl.col("code") == "12145")
    )
    origin = dict(values.select("indicator", "status").iter_rows())
    exact = dict(values.select("indicator", "value").iter_rows())
    for sheet in portrait.key_figures:
        (title,) = [title for title in cards if unescape(title.split(" <")[0]) == sheet.label]
        assert ("◆ démo" in title) == (origin[sheet.indicator] == "demo"), sheet.label
        shown = re.search(r'<p class="grand">(.*?)</p>', cards[title])
        assert shown is not None
        assert number(shown[1]) == pytest.approx(exact[sheet.indicator], abs=0.51 * 10**-sheet.decimals)
        assert "Fiche du chiffre" in cards[title]
        assert "<dt>Formule</dt>" in cards[title]
        assert "<dt>Source</dt>" in cards[title]
        assert "<dt>Ce que ce chiffre ne dit pas</dt>" in cards[title]
        assert bool(sheet.comparisons) == bool(re.search(r"communes de 20.000 à 49.999 habitants", cards[title]))
    assert portrait.sheets["population.total"].comparisons
    # Both kinds are there, or the comparison above would prove nothing.
    assert {"ok", "demo"} <= {origin[sheet.indicator] for sheet in portrait.key_figures}


def test_places_of_the_town_by_type(places: pl.DataFrame) -> None:
    content = html_of(start({"commune": "75056"}, page="ville"))
    table = content[content.index("Lieux culturels recensés à Paris") :]
    assert "◆ démo" in table[:200]
    rows = re.findall(r'<th scope="row">(.*?)</th><td class="valeur">(.*?)</td>', table)
    counts = places.filter(pl.col("code") == "75056")["type"].value_counts()
    assert {unescape(label): number(count) for label, count in rows} == dict(counts.iter_rows())


@pytest.mark.parametrize(
    ("code", "name", "expected_texts"),
    [
        ("97608", "Dzaoudzi", ["population inconnue", "Population : donnée manquante", "Mayotte (976)"]),
        ("15031", "Celles", ["Superficie : donnée manquante", "Le contour de Celles manque", "Aucun lieu culturel"]),
        ("2B033", "Bastia", ["Haute-Corse (2B)", "Corse", "20200"]),
        ("2A004", "Ajaccio", ["Corse-du-Sud (2A)"]),
        ("75056", "Paris", ["2\u202f133\u202f125", "Paris (75)"]),
        ("97411", "Saint-Denis", ["La Réunion (974)"]),
    ],
)
def test_special_communes(code: str, name: str, expected_texts: list[str]) -> None:
    app = start({"commune": code}, page="ville")
    assert [item.value for item in app.title] == [name]
    shown = texts(app)
    for text in expected_texts:
        assert text in shown


def test_missing_figures_are_never_shown_as_zero() -> None:
    content = html_of(start({"commune": "97608"}, page="ville"))
    card = content[content.index("<h3>Population municipale") :]
    assert re.search(r'<p class="grand">(.*?)</p>', card)[1] == "donnée manquante"
    assert "Aucun chiffre n'est disponible pour le thème « Population »" in unescape(content)
    assert re.search(r"<li>Population municipale : donnée manquante</li>", content)


@pytest.mark.parametrize("value", ["abc", "12999", "![a](//a.fr)"])
def test_wrong_town_is_told_and_another_can_be_searched(value: str) -> None:
    app = start({"commune": value}, page="ville")
    (error,) = app.error
    assert "commune" in error.value
    assert re.search(r"(?<!\\)!\[", error.value) is None
    sound(app.text_input(key="ville-recherche").set_value("12145").run())
    sound(app.button(key="ville-12145").click().run())
    assert app.error == []
    assert [item.value for item in app.title] == ["Millau"]
    assert app.query_params == {"commune": "12145"}


def test_another_town_can_be_chosen_from_the_page_of_a_town() -> None:
    app = start({"commune": "12145"}, page="ville")
    app.text_input(key="ville-recherche").set_value("rodez").run()
    sound(app.button(key="ville-12202").click().run())
    assert [item.value for item in app.title] == ["Rodez"]
    assert app.query_params == {"commune": "12202"}
    assert app.text_input(key="ville-recherche").value == ""


def test_coming_back_to_the_map_keeps_the_filters(places: pl.DataFrame, populations: dict[str, int | None]) -> None:
    app = start({"commune": "12145", "type": "Monument", "categorie": "patrimoine"})
    sound(turn_to(app, "ville").run())
    app.query_params["commune"] = "12202"
    sound(app.run())
    (link,) = app.get("page_link")
    assert link.proto.query_string == "commune=12202&type=Monument&categorie=patrimoine"
    sound(turn_to(app, "").run())
    assert app.query_params == {"commune": "12145", "type": "Monument", "categorie": "patrimoine"}
    monuments = places.filter((pl.col("type") == "Monument") & (pl.col("category") == "patrimoine"))
    check_figures(app, monuments, populations, "12145")


def test_town_chosen_on_the_map_opens_on_its_page() -> None:
    app = start()
    app.text_input(key="carte-recherche").set_value("rodez").run()
    sound(app.button(key="carte-12202").click().run())
    sound(turn_to(app, "ville").run())
    assert [item.value for item in app.title] == ["Rodez"]


# ---- Sources, waiting, errors --------------------------------------------------------------------------------------


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
