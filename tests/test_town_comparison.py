"""The page of a town through AppTest: what it is compared with, and how the address keeps it."""

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
from dashboard_tools import serve, sound, start, texts, turn_to
from town_tools import card, chosen, go_to, open_themes, piece, read_values


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, small_settings: Settings) -> None:
    serve(monkeypatch, small_settings)


@pytest.fixture(scope="module")
def values(small_snapshot: Snapshot) -> pl.DataFrame:
    return read_values(small_snapshot)


@pytest.mark.parametrize(
    ("address", "kept", "expected"),
    [
        ({"comparer": "pvd", "theme": "culture"}, {"comparer": "pvd", "theme": "culture"}, ("pvd", "Culture")),
        ({"comparer": " SIMILAR "}, {"comparer": "similar"}, ("similar", "Population")),
        ({"theme": "housing"}, {"theme": "housing"}, ("size_class", "Logement")),
        ({"comparer": "size_class", "theme": "population"}, {}, ("size_class", "Population")),
    ],
)
def test_address_restores_the_comparison_and_the_theme(
    address: dict[str, str], kept: dict[str, str], expected: tuple[str, str]
) -> None:
    app = start({"commune": "12145", **address}, page="ville")
    assert not app.error
    assert app.query_params == {"commune": "12145", **kept}
    assert chosen(app) == expected
    assert open_themes(app, [tab.label for tab in app.tabs]) == [expected[1]]


def test_choices_are_written_in_the_address_and_left_out_of_it_when_they_are_the_usual_ones() -> None:
    app = start({"commune": "12145"}, page="ville")
    assert app.query_params == {"commune": "12145"}
    sound(app.selectbox(key="ville-comparer").set_value("departement").run())
    assert app.query_params == {"commune": "12145", "comparer": "departement"}
    app.session_state["ville-theme"] = "Logement"
    sound(app.run())
    assert app.query_params == {"commune": "12145", "comparer": "departement", "theme": "housing"}
    sound(app.selectbox(key="ville-comparer").set_value("size_class").run())
    assert app.query_params == {"commune": "12145", "theme": "housing"}
    app.session_state["ville-theme"] = "Population"
    sound(app.run())
    assert app.query_params == {"commune": "12145"}


def test_comparison_and_theme_are_kept_when_the_town_changes() -> None:
    app = start({"commune": "12145", "comparer": "pvd", "theme": "culture"}, page="ville")
    go_to(app, "12202")
    assert [item.value for item in app.title] == ["Rodez"]
    assert app.query_params == {"commune": "12202", "comparer": "pvd", "theme": "culture"}
    # In Mayotte the populations are unknown: the programme is the usual set there, so the address does not name it.
    go_to(app, "97608")
    assert app.query_params == {"commune": "97608", "theme": "culture"}
    assert chosen(app) == ("pvd", "Culture")
    go_to(app, "12145")
    assert app.query_params == {"commune": "12145", "comparer": "pvd", "theme": "culture"}
    assert chosen(app) == ("pvd", "Culture")


def test_set_that_the_next_town_lacks_gives_way_to_its_usual_one() -> None:
    app = start({"commune": "12145", "comparer": "similar"}, page="ville")
    go_to(app, "15031")
    assert not app.error
    assert app.query_params == {"commune": "15031"}
    assert chosen(app)[0] == "size_class"


def test_comparison_and_theme_are_found_again_after_another_page() -> None:
    app = start({"commune": "12145", "comparer": "epci", "theme": "housing"}, page="ville")
    sound(turn_to(app, "sources").run())
    sound(turn_to(app, "ville").run())
    assert chosen(app) == ("epci", "Logement")
    assert app.query_params == {"commune": "12145", "comparer": "epci", "theme": "housing"}


@pytest.mark.parametrize(
    ("code", "address", "kept", "told"),
    [
        ("12145", {"comparer": "pvdd", "theme": "safety"}, {"theme": "safety"},
         ("« pvdd » n'existe pas ; il est ignoré", "?comparer=", "Que faire")),
        ("12145", {"comparer": "pvd", "theme": "zzz"}, {"comparer": "pvd"},
         ("« zzz » n'existe pas ; il est ignoré", "?theme=", "population, housing")),
        ("97608", {"comparer": "size_class", "theme": "culture"}, {"theme": "culture"},
         ("ne convient pas à cette commune", "?comparer=", "Pourquoi")),
        ("15031", {"comparer": "similar", "theme": "housing"}, {"theme": "housing"},
         ("ne convient pas à cette commune", "?comparer=", "Trop de données de structure manquent")),
        ("12145", {"comparer": "<b>x</b>![a](//b.fr)"}, {},
         (r"\<b\>x\</b\>\!\[a\](//b.fr)", "n'existe pas", "Que faire")),
    ],
)  # fmt: skip
def test_wrong_choices_of_the_address_are_told_and_the_rest_is_kept(
    code: str, address: dict[str, str], kept: dict[str, str], told: tuple[str, ...]
) -> None:
    app = start({"commune": code, **address}, page="ville")
    (error,) = app.error
    for part in told:
        assert part in error.value
    assert app.query_params == {"commune": code, **kept}
    comparator, theme = chosen(app)
    assert THEMES[kept.get("theme", "population")] == theme
    assert comparator == kept.get("comparer", "pvd" if code == "97608" else "size_class")
    assert piece(app, '<div class="cartes">')
    # Told once: the address is right again.
    assert not sound(app.run()).error


def test_two_wrong_choices_are_told_one_by_one() -> None:
    app = start({"commune": "12145", "comparer": "nimp", "theme": "zzz"}, page="ville")
    assert [re.findall(r"« (\w+) »", item.value) for item in app.error] == [["nimp"], ["zzz"]]


def test_comparison_chosen_governs_ranks_strips_and_what_sets_the_town_apart(
    small_observatory: Observatory, small_snapshot: Snapshot, values: pl.DataFrame
) -> None:
    app = start({"commune": "12145", "comparer": "departement"}, page="ville")
    communes = pl.read_parquet(small_snapshot.folder / "tables" / "communes.parquet")
    near = communes.filter(pl.col("departement") == "12")["code"]
    ages = values.filter((pl.col("indicator") == "population.share_65_plus") & pl.col("code").is_in(near.to_list()))
    exact = dict(ages.drop_nulls("value").select("code", "value").iter_rows())
    value = exact.pop("12145")
    share = 100 * sum(other < value for other in exact.values()) / len(exact)
    content = card(app, "Part des 65 ans ou plus").split("<details>")[0]
    told = re.search(r"Plus élevé que dans (\d+)\s% des (\d+)\sautres communes du département", content)
    assert told is not None
    assert int(told[1]) == pytest.approx(share, abs=1)
    assert int(told[2]) == len(exact) > 200
    table = piece(app, "<caption>Population</caption><thead>")
    assert "Place (département)" in table
    for block in (content, table):
        assert set(re.findall(r'<span class="ligne choisi"[^>]*><span class="nom">(.*?)</span>', block)) == {
            "Département"
        }
    apart = make_portrait(small_observatory, "12145").specificities
    shown = texts(app)
    for trait in apart["departement"].traits:
        assert unbroken(trait.sentence) in shown
    others = {unbroken(trait.sentence) for trait in apart["size_class"].traits}
    assert not [sentence for sentence in others if sentence in shown]


def test_what_sets_the_town_apart_is_marked_when_it_is_generated(small_observatory: Observatory) -> None:
    app = start({"commune": "12145"}, page="ville")
    traits = make_portrait(small_observatory, "12145").specificities["size_class"].traits
    assert {trait.demo for trait in traits} == {True, False}
    (shown,) = [item.value for item in app.markdown if item.value.startswith("- ") and " que dans " in item.value]
    assert shown.split("\n") == [f"- {unbroken(trait.sentence)}{' ◆' * trait.demo}" for trait in traits]
    assert "aucune cause n'est affirmée" in texts(app)


def test_small_or_empty_sets_give_no_percentage() -> None:
    content = card(start({"commune": "12145", "comparer": "epci"}, page="ville"), "Part des 65 ans ou plus")
    before = unescape(content.split("<details>")[0])
    assert "Intercommunalité : 15\xa0communes, il en faut 20 pour une bande." in before
    told = re.search(r"Plus élevé que dans (\d+) des (\d+)\sautres communes de l'intercommunalité", before)
    assert told is not None
    assert int(told[1]) < int(told[2]) == 14
    alone = start({"commune": "75056", "comparer": "departement"}, page="ville")
    assert "Aucune autre commune dans cet ensemble : rien à comparer." in [item.value for item in alone.info]
    assert "Pas de rang dans cet ensemble." in card(alone, "Part des 65 ans ou plus")
