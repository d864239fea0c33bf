"""Every page of the dashboard through Streamlit's AppTest: figures, search, filters, addresses, special communes."""

from __future__ import annotations

import json
import re
import threading
from html import unescape
from pathlib import Path
from typing import Any

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
from browser_tools import link_libraries

MAP_TITLE = "Les lieux culturels, ville par ville"
CATEGORIES = {
    "Patrimoine": "patrimoine", "Spectacle vivant": "spectacle vivant", "Autres lieux vivants": "autre vivant",
}  # fmt: skip


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, small_settings: Settings) -> Path:
    """Serve the small snapshot, already prepared."""
    link_libraries(small_settings)
    monkeypatch.setenv("BOURG_HOME", str(small_settings.home))
    monkeypatch.delenv("BOURG_MIRROR", raising=False)
    for name, value in {"ready": True, "error": None, "label": "Prêt", "share": 1.0}.items():
        monkeypatch.setattr(preparation.STATE, name, value)
    return small_settings.home


@pytest.fixture(scope="module")
def places(small_snapshot: Snapshot) -> pl.DataFrame:
    """The places, read from their file without any of the code under test."""
    return pl.read_parquet(small_snapshot.folder / "tables" / "culture_places.parquet")


@pytest.fixture(scope="module")
def populations(small_snapshot: Snapshot) -> dict[str, int | None]:
    communes = pl.read_parquet(small_snapshot.folder / "tables" / "communes.parquet")
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
    return float(re.sub(r"[\u202f\u00a0]", "", text).replace(",", "."))


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


# ---- The map -------------------------------------------------------------------------------------------------------


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


def test_map_page_tells_the_figures_of_the_country(
    places: pl.DataFrame, populations: dict[str, int | None], small_snapshot: Snapshot
) -> None:
    app = start()
    assert [item.value for item in app.title] == [MAP_TITLE]
    check_figures(app, places, populations)
    data = map_data(app)
    assert (data["snapshot"], data["types"], data["categories"], data["commune"]) == (
        small_snapshot.id, None, None, None,
    )  # fmt: skip
    counts = places["type"].value_counts()
    options = app.multiselect(key="carte-types").options
    assert len(options) == counts.height
    largest = counts.sort("count", descending=True).row(0)
    assert options[0].startswith(f"{largest[0]} (")
    assert number(options[0].split("(")[1].rstrip(")")) == largest[1]


def test_demonstration_is_told_and_marked() -> None:
    app = start()
    assert len(app.warning) == 1
    assert "Données de démonstration" in app.warning[0].value
    assert all("◆" in item.label for item in app.metric)
    lines = [line for item in app.caption for line in item.value.splitlines() if "**" in line]
    assert len(lines) == len(CATEGORIES)
    assert all(line.rstrip().endswith("◆") for line in lines)


@pytest.mark.parametrize(
    ("query", "first", "others"),
    [
        ("millau", "12145", set()),
        ("MILLAU", "12145", set()),
        ("12145", "12145", set()),
        ("12100", "12145", {"12084"}),
        ("st affrique", "12208", set()),
        ("saint-denis", "97411", {"93066", "30247"}),
        ("saint denis (974)", "97411", set()),
        ("ajaccio", "2A004", set()),
        ("97615", "97608", set()),
    ],
)
def test_search_finds_towns(query: str, first: str, others: set[str]) -> None:
    app = start()
    sound(app.text_input(key="carte-recherche").set_value(query).run())
    found = buttons(app, "carte-")
    assert next(iter(found)) == f"carte-{first}"
    assert {f"carte-{code}" for code in others} <= set(found)
    # Homonyms are told apart by their department.
    assert all(re.search(r"\(.+, (\d\d|2[AB]|9[78]\d)\)", label) for label in found.values())
    assert len(set(found.values())) == len(found)


@pytest.mark.parametrize(
    ("query", "text", "number_of_buttons"),
    [
        ("millau", "1\xa0commune trouvée", 1),
        ("51300", "47\xa0communes trouvées", 47),
        ("saint", "Les 50 premières communes trouvées : précisez le nom", 50),
        ("milau", "Aucune commune n'a exactement ce nom. Vouliez-vous dire :", None),
    ],
)
def test_search_says_how_much_it_found(query: str, text: str, number_of_buttons: int | None) -> None:
    app = start()
    sound(app.text_input(key="carte-recherche").set_value(query).run())
    assert text in texts(app)
    if number_of_buttons is None:
        assert "carte-12145" in buttons(app, "carte-")
    else:
        assert len(buttons(app, "carte-")) == number_of_buttons


def test_search_that_finds_nothing_says_what_to_try() -> None:
    app = start()
    sound(app.text_input(key="carte-recherche").set_value("zzqq ![x](//a.fr/b)").run())
    assert buttons(app, "carte-") == {}
    assert "Aucune commune ne correspond" in app.info[0].value
    assert "code postal" in app.info[0].value
    assert "![" not in app.info[0].value


def test_choosing_a_town_frames_it_and_writes_the_address(
    places: pl.DataFrame, populations: dict[str, int | None], small_observatory: Observatory
) -> None:
    app = start()
    app.text_input(key="carte-recherche").set_value("millau").run()
    sound(app.button(key="carte-12145").click().run())
    assert app.query_params == {"commune": "12145"}
    assert app.text_input(key="carte-recherche").value == ""
    check_figures(app, places, populations, "12145")
    row = small_observatory.commune("12145")
    assert map_data(app)["commune"] == {
        "code": "12145", "name": "Millau", "bounds": [row["xmin"], row["ymin"], row["xmax"], row["ymax"]],
    }  # fmt: skip
    (back,) = [item for item in app.button if item.label == "Toute la France"]
    sound(back.click().run())
    assert app.query_params == {}
    check_figures(app, places, populations)


@pytest.mark.parametrize("commune", [None, "12145", "75056"])
def test_filters_change_the_figures(
    places: pl.DataFrame, populations: dict[str, int | None], commune: str | None
) -> None:
    app = start({"commune": commune} if commune else None)
    types = app.multiselect(key="carte-types")
    chosen = [label for label in types.options if label.startswith(("Bibliothèque (", "Théâtre ("))]
    sound(types.set_value(chosen).run())
    narrowed = places.filter(pl.col("type").is_in(["Bibliothèque", "Théâtre"]))
    assert 0 < narrowed.height < places.height
    check_figures(app, narrowed, populations, commune)
    assert map_data(app)["types"] == ["Bibliothèque", "Théâtre"]

    sound(app.button_group(key="carte-categories").set_value(["spectacle vivant"]).run())
    both = narrowed.filter(pl.col("category") == "spectacle vivant")
    assert 0 < both.height < narrowed.height
    check_figures(app, both, populations, commune)
    assert app.query_params == {
        **({"commune": commune} if commune else {}),
        "type": ["Bibliothèque", "Théâtre"], "categorie": "spectacle vivant",
    }  # fmt: skip

    (clear,) = [item for item in app.button if item.label == "Effacer les filtres"]
    sound(clear.click().run())
    check_figures(app, places, populations, commune)
    assert map_data(app)["types"] is None


def test_deep_link_restores_everything(places: pl.DataFrame, populations: dict[str, int | None]) -> None:
    app = start(
        {"commune": "12145", "type": "Monument", "categorie": "patrimoine", "lat": "44.1", "lon": "3.08", "z": "13"}
    )
    monuments = places.filter((pl.col("type") == "Monument") & (pl.col("category") == "patrimoine"))
    check_figures(app, monuments, populations, "12145")
    assert [item.value for item in app.subheader] == ["Millau"]
    data = map_data(app)
    assert (data["types"], data["categories"], data["commune"]["code"]) == (["Monument"], ["patrimoine"], "12145")
    # The view belongs to the map: it is left in the address.
    assert app.query_params == {
        "commune": "12145", "type": "Monument", "categorie": "patrimoine", "lat": "44.1", "lon": "3.08", "z": "13",
    }  # fmt: skip
    # Another town asks for its own frame.
    app.text_input(key="carte-recherche").set_value("rodez").run()
    sound(app.button(key="carte-12202").click().run())
    assert app.query_params == {"commune": "12202", "type": "Monument", "categorie": "patrimoine"}


def test_address_is_mended_when_it_has_one_reading() -> None:
    app = start({"commune": "4112", "type": ["monument", "MONUMENT"], "categorie": " Patrimoine "})
    assert app.error == []
    assert app.query_params == {"commune": "04112", "type": "Monument", "categorie": "patrimoine"}


@pytest.mark.parametrize(
    ("parameter", "value", "message"),
    [
        ("commune", "abc", "n'est pas un code commune"),
        ("commune", "99999", "n'est pas un code commune"),
        ("commune", "12999", "Aucune commune n'a le code"),
        ("commune", "' OR 1=1 --", "n'est pas un code commune"),
        ("type", "Discothèque", "Le filtre « Discothèque » n'existe pas"),
        ("categorie", "musique", "Le filtre « musique » n'existe pas"),
        ("type", "x" * 3000, "n'existe pas"),
        ("type", "![a](//a.fr/b)<img src=//a.fr>", "n'existe pas"),
    ],
)
def test_wrong_address_is_told_and_the_rest_is_kept(
    parameter: str, value: str, message: str, places: pl.DataFrame, populations: dict[str, int | None]
) -> None:
    right = {"commune": "12145", "type": "Monument"}
    app = start({**right, parameter: value})
    (error,) = app.error
    assert message in error.value
    assert "Que faire : " in error.value
    assert len(error.value) < 1500
    # A picture written in the address would call another host.
    assert re.search(r"(?<!\\)(!\[|\]\(|<img)", error.value) is None
    kept = {name: given for name, given in right.items() if name != parameter}
    assert app.query_params == kept
    narrowed = places.filter(pl.col("type") == "Monument") if "type" in kept else places
    check_figures(app, narrowed, populations, kept.get("commune"))
    sound(app.text_input(key="carte-recherche").set_value("rodez").run())
    assert "carte-12202" in buttons(app, "carte-")


def test_merged_commune_leads_to_the_one_it_joined() -> None:
    app = start({"commune": "75111"})
    assert app.query_params == {"commune": "75056"}
    assert [item.value for item in app.subheader] == ["Paris"]


def test_town_without_any_place_is_told_apart_from_one_the_list_leaves_out(
    places: pl.DataFrame, populations: dict[str, int | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = next(code for code in populations if code.startswith("12") and code not in set(places["code"]))
    app = start({"commune": empty})
    assert metrics(app) == {"Lieux retenus": "0", "Pour 1 000 hab.": "0,00"}
    assert [item.value for item in app.info] == ["Aucun lieu culturel n'est recensé dans cette commune."]

    covers = Observatory.covers
    monkeypatch.setattr(Observatory, "covers", lambda self, table, code: code != empty and covers(self, table, code))
    carte._described.clear()
    try:
        app = start({"commune": empty})
    finally:
        carte._described.clear()
    assert metrics(app) == {"Lieux retenus": "inconnu", "Pour 1 000 hab.": "inconnu"}
    assert "ce n'est pas un zéro" in app.info[0].value


def test_mayotte_has_places_and_no_known_population(places: pl.DataFrame) -> None:
    app = start({"commune": "97608"})
    count = places.filter(pl.col("code") == "97608").height
    assert count > 0
    assert metrics(app) == {"Lieux retenus": str(count), "Pour 1 000 hab.": "inconnu"}
    assert map_data(app)["commune"]["bounds"][1] < -12


def test_commune_without_outline_shows_its_department(small_observatory: Observatory) -> None:
    app = start({"commune": "15031"})
    west, south, east, north = map_data(app)["commune"]["bounds"]
    row = small_observatory.commune("15014")  # Aurillac
    assert west < row["xmin"] < row["xmax"] < east
    assert south < row["ymin"] < row["ymax"] < north
    assert "Le contour de Celles manque" in texts(app)


def test_view_of_the_map_is_never_erased_by_a_run() -> None:
    app = start({"lat": "48.1", "lon": "-1.6", "z": "10"})
    assert app.query_params == {"lat": "48.1", "lon": "-1.6", "z": "10"}
    sound(app.button_group(key="carte-categories").set_value(["patrimoine"]).run())
    assert app.query_params == {"categorie": "patrimoine"} | {"lat": "48.1", "lon": "-1.6", "z": "10"}


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
