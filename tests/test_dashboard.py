"""The culture map page through AppTest: figures, search, filters, addresses, special communes."""

from __future__ import annotations

import re

import polars as pl
import pytest

from bourg.dashboard.views import carte
from bourg.portrait.observatory import Observatory
from bourg.settings import Settings
from bourg.store.snapshot import Snapshot
from dashboard_tools import (
    CATEGORIES,
    MAP_TITLE,
    buttons,
    check_figures,
    map_data,
    metrics,
    number,
    read_places,
    read_populations,
    serve,
    sound,
    start,
    texts,
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
    assert [item.value for item in app.header] == ["Millau"]
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
    assert [item.value for item in app.header] == ["Paris"]


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
