"""The page of a town through AppTest: who the town is, its figures, the ways to it and from it."""

from __future__ import annotations

import re
from html import unescape

import polars as pl
import pytest

from bourg.portrait.document import THEMES, make_portrait
from bourg.portrait.observatory import Observatory
from bourg.portrait.strips import unbroken
from bourg.settings import Settings
from bourg.store.snapshot import Snapshot
from dashboard_tools import (
    buttons,
    check_figures,
    html_of,
    number,
    read_places,
    read_populations,
    serve,
    sound,
    start,
    texts,
    turn_to,
)
from town_tools import (
    BIG,
    NUMBER,
    ROW,
    SECTIONS,
    card,
    cards,
    chosen,
    go_to,
    open_themes,
    piece,
    read_values,
    town_map,
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


@pytest.fixture(scope="module")
def values(small_snapshot: Snapshot) -> pl.DataFrame:
    return read_values(small_snapshot)


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
    data = town_map(app)
    assert data["commune"]["code"] == "12145"
    assert data["deep_link"] is False


def test_sections_of_the_town_page_have_a_way_to_each(small_observatory: Observatory) -> None:
    app = start({"commune": "12145"}, page="ville")
    assert [item.value for item in app.header] == ["Ce qui distingue Millau", *SECTIONS]
    ways = re.findall(r'<a href="#(\w+)">', piece(app, 'class="sommaire"'))
    assert ways == [item.proto.anchor for item in app.header]
    # The headline is the same sentence as the one of the command line and of JSON.
    assert unbroken(make_portrait(small_observatory, "12145").headline()) in texts(app)


def test_town_of_the_programme_gives_the_date_of_its_agreement(small_observatory: Observatory) -> None:
    town = next(row for row in small_observatory.pvd.values() if row["signature_date"] is not None)
    shown = texts(start({"commune": town["code"]}, page="ville"))
    assert "Petites Villes de demain : **oui**, convention signée le " in shown
    assert f" {town['signature_date'].year} ◆" in shown


# ---- Its figures ---------------------------------------------------------------------------------------------------


def test_figures_of_the_town_are_those_of_the_snapshot_and_the_generated_ones_are_marked(
    small_observatory: Observatory, values: pl.DataFrame
) -> None:
    app = start({"commune": "12145"}, page="ville")
    portrait = make_portrait(small_observatory, "12145")
    assert [tab.label for tab in app.tabs] == list(portrait.themes)
    found = cards(app)
    assert len(found) == len(portrait.key_figures) >= 8
    here = values.filter(pl.col("code") == "12145")
    origin = dict(here.select("indicator", "status").iter_rows())
    exact = dict(here.select("indicator", "value").iter_rows())
    for sheet in portrait.key_figures:
        (title,) = [title for title in found if unescape(title.split(" <")[0]) == unbroken(sheet.label)]
        assert ("◆ démo" in title) == (origin[sheet.indicator] == "demo"), sheet.label
        shown = BIG.search(found[title])
        assert shown is not None
        assert shown[1] is None
        assert number(shown[2]) == pytest.approx(exact[sheet.indicator], abs=0.51 * 10**-sheet.decimals)
        for part in (
            "Fiche du chiffre",
            "<dt>Formule</dt>",
            "<dt>Source</dt>",
            "<dt>Ce que ce chiffre ne dit pas</dt>",
        ):
            assert part in found[title]
        ranked = any(item.comparator == "size_class" for item in sheet.comparisons)
        assert ranked == bool(re.search(r"communes de 20.000 à 49.999 habitants", found[title].split("<details>")[0]))
    assert portrait.sheets["population.total"].comparisons
    # Both kinds are there, or the comparison above would prove nothing.
    assert {"ok", "demo"} <= {origin[sheet.indicator] for sheet in portrait.key_figures}


def test_every_figure_of_every_theme_can_be_reached_and_only_the_open_theme_is_sent(
    small_observatory: Observatory, values: pl.DataFrame
) -> None:
    app = start({"commune": "12145"}, page="ville")
    sheets = make_portrait(small_observatory, "12145").sheets
    here = {row["indicator"]: row for row in values.filter(pl.col("code") == "12145").iter_rows(named=True)}
    assert set(sheets) == set(here)
    labels = [tab.label for tab in app.tabs]
    names = {label: name for name, label in THEMES.items()}
    given: set[str] = set()
    for label in labels:
        app.session_state["ville-theme"] = label
        sound(app.run())
        assert open_themes(app, labels) == [label]
        mine = {key: sheet for key, sheet in sheets.items() if sheet.theme == names[label]}
        known = {key for key in mine if here[key]["value"] is not None}
        title = f"<caption>{label}</caption><thead>" if known else "Aucun chiffre n'est disponible pour le thème"
        # Apostrophes of labels are escaped in the page, as everything else.
        table = piece(app, title.replace(f">{label}<", f">{label.replace(chr(39), '&#x27;')}<"))
        rows = {
            key: (unescape(name), unescape(re.sub(r"<.*", "", value)), value) for name, value, key in ROW.findall(table)
        }
        assert set(rows) == known
        for key, (name, text, cell) in rows.items():
            sheet = mine[key]
            assert name == unbroken(sheet.label)
            assert ("◆ démo" in cell) == (here[key]["status"] == "demo"), key
            figure = NUMBER.match(text)
            assert figure is not None, text
            assert number(figure[0]) == pytest.approx(here[key]["value"], abs=0.51 * 10**-sheet.decimals), key
        absent = [unescape(item) for item in re.findall(r"<li>(.*?)</li>", table)]
        assert sorted(absent) == sorted(f"{mine[key].label} : {mine[key].text}" for key in set(mine) - known)
        given |= set(mine)
    assert given == set(here)


def test_key_figures_come_first_in_their_theme(small_observatory: Observatory) -> None:
    app = start({"commune": "12145", "theme": "culture"}, page="ville")
    order = [key for _, _, key in ROW.findall(piece(app, "<caption>Culture</caption><thead>"))]
    keys = [sheet.indicator for sheet in make_portrait(small_observatory, "12145").key_figures]
    first = [key for key in order if key in keys]
    assert len(first) == 2 < len(order)
    assert order[:2] == first


def test_missing_figures_are_never_shown_as_zero() -> None:
    app = start({"commune": "97608"}, page="ville")
    shown = BIG.search(card(app, "Population municipale"))
    assert shown is not None
    assert (shown[1], shown[2]) == (" absent", "donnée manquante")
    # Without a value there is neither strip nor rank.
    before = card(app, "Population municipale").split("<details>")[0]
    assert "bandes" not in before
    assert "rang" not in before
    content = html_of(app)
    assert "Aucun chiffre n'est disponible pour le thème « Population »" in unescape(content)
    assert re.search(r"<li>Population municipale : donnée manquante</li>", content)


def test_a_true_zero_is_a_figure(values: pl.DataFrame) -> None:
    emptied = values.filter((pl.col("code") == "55039") & (pl.col("indicator") == "population.total"))
    assert emptied.select("value", "status").row(0) == (0.0, "ok")
    shown = BIG.search(card(start({"commune": "55039"}, page="ville"), "Population municipale"))
    assert shown is not None
    assert (shown[1], shown[2]) == (None, "0")


# ---- From one town or page to another ------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["abc", "12999", "![a](//a.fr)"])
def test_wrong_town_is_told_and_another_can_be_searched(value: str) -> None:
    app = start({"commune": value}, page="ville")
    (error,) = app.error
    assert "commune" in error.value
    assert re.search(r"(?<!\\)!\[", error.value) is None
    go_to(app, "12145")
    assert app.error == []
    assert [item.value for item in app.title] == ["Millau"]
    assert app.query_params == {"commune": "12145"}


def test_choices_of_the_address_survive_a_wrong_town() -> None:
    app = start({"commune": "12999", "comparer": "pvd", "theme": "housing"}, page="ville")
    assert len(app.error) == 1
    go_to(app, "12145")
    assert app.query_params == {"commune": "12145", "comparer": "pvd", "theme": "housing"}
    assert chosen(app) == ("pvd", "Logement")


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
    (link,) = [item.proto for item in app.get("page_link") if item.proto.label == "Voir sur la carte culturelle"]
    assert link.query_string == "commune=12202&type=Monument&categorie=patrimoine"
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
