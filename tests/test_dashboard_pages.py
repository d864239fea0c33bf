"""The other pages through AppTest: the town, the sources, the waiting page and its errors."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterable
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

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
from bourg.portrait.strips import unbroken
from bourg.settings import Settings
from bourg.store.snapshot import Snapshot
from dashboard_tools import (
    MAP_TITLE,
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

SECTIONS = (
    "Chiffres clés", "Tous les chiffres, par thème", "Villes semblables", "Évolution", "Accès aux équipements",
    "Carte d'un indicateur", "Lieux culturels", "Identité et mairie", "Sources et limites",
)  # fmt: skip
_CARD = re.compile(r'<div class="carte"><h3>(.*?)</h3>(.*?)</details></div>', re.DOTALL)
_BIG = re.compile(r'<span class="grand( absent)?">(.*?)</span>')
_ROW = re.compile(
    r'<tr class="tete"><th scope="row">(.*?)</th><td class="valeur">(.*?)</td>.*?<code>(.*?)</code>', re.DOTALL
)
_NUMBER = re.compile(r"[−+]?\d[\d\u202f\u00a0]*(?:,\d+)?")


def components(app: AppTest) -> list[dict[str, Any]]:
    """Return what every map of the page received."""
    return [json.loads(item.proto.json) for item in app.get("bidi_component")]


def town_map(app: AppTest) -> dict[str, Any]:
    """Return what the map of the cultural places received; the page also has the map of an indicator."""
    (found,) = [data for data in components(app) if "commune" in data]
    return found


def choropleth(app: AppTest) -> dict[str, Any]:
    (found,) = [data for data in components(app) if "layers" in data]
    return found


def piece(app: AppTest, mark: str) -> str:
    """Return the only block of HTML that holds a mark, its style sheet aside."""
    blocks = [re.sub(r"<style>.*?</style>", "", item.proto.body, flags=re.DOTALL) for item in app.get("html")]
    (found,) = [block for block in blocks if mark in block]
    return found


def cards(app: AppTest) -> dict[str, str]:
    """Return the cards of the key figures: title, then the rest."""
    return dict(_CARD.findall(piece(app, '<div class="cartes">')))


def card(app: AppTest, label: str) -> str:
    (found,) = [content for title, content in cards(app).items() if unescape(title.split(" <")[0]) == label]
    return found


def open_themes(app: AppTest, labels: Iterable[str]) -> list[str]:
    """Return the themes whose table was sent."""
    content = unescape(html_of(app))
    return [
        label
        for label in labels
        if f'<caption>{label}</caption><thead><tr><th scope="col">Indicateur</th>' in content
        or f"Aucun chiffre n'est disponible pour le thème « {label} »." in content
    ]


def chosen(app: AppTest) -> tuple[str, str]:
    """Return the set of comparison and the theme chosen on the page."""
    return str(app.selectbox(key="ville-comparer").value), str(app.session_state["ville-theme"])


def go_to(app: AppTest, code: str) -> AppTest:
    """Choose another town with the search box of the page."""
    app.text_input(key="ville-recherche").set_value(code).run()
    return sound(app.button(key=f"ville-{code}").click().run())


@pytest.fixture(scope="module")
def values(small_snapshot: Snapshot) -> pl.DataFrame:
    """The values of the communes, read from their file without any of the code under test."""
    return pl.read_parquet(small_snapshot.folder / "values.parquet").filter(pl.col("level") == "commune")


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
        shown = _BIG.search(found[title])
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
            key: (unescape(name), unescape(re.sub(r"<.*", "", value)), value)
            for name, value, key in _ROW.findall(table)
        }
        assert set(rows) == known
        for key, (name, text, cell) in rows.items():
            sheet = mine[key]
            assert name == unbroken(sheet.label)
            assert ("◆ démo" in cell) == (here[key]["status"] == "demo"), key
            figure = _NUMBER.match(text)
            assert figure is not None, text
            assert number(figure[0]) == pytest.approx(here[key]["value"], abs=0.51 * 10**-sheet.decimals), key
        absent = [unescape(item) for item in re.findall(r"<li>(.*?)</li>", table)]
        assert sorted(absent) == sorted(f"{mine[key].label} : {mine[key].text}" for key in set(mine) - known)
        given |= set(mine)
    assert given == set(here)


def test_key_figures_come_first_in_their_theme(small_observatory: Observatory) -> None:
    app = start({"commune": "12145", "theme": "culture"}, page="ville")
    order = [key for _, _, key in _ROW.findall(piece(app, "<caption>Culture</caption><thead>"))]
    keys = [sheet.indicator for sheet in make_portrait(small_observatory, "12145").key_figures]
    first = [key for key in order if key in keys]
    assert len(first) == 2 < len(order)
    assert order[:2] == first


def test_missing_figures_are_never_shown_as_zero() -> None:
    app = start({"commune": "97608"}, page="ville")
    shown = _BIG.search(card(app, "Population municipale"))
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
    shown = _BIG.search(card(start({"commune": "55039"}, page="ville"), "Population municipale"))
    assert shown is not None
    assert (shown[1], shown[2]) == (None, "0")


# ---- What it is compared with --------------------------------------------------------------------------------------


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


# ---- Its other sections --------------------------------------------------------------------------------------------


def test_similar_towns_lead_to_their_page_and_to_the_comparison(small_observatory: Observatory) -> None:
    app = start({"commune": "12145", "comparer": "pvd", "theme": "culture"}, page="ville")
    table = piece(app, "Les villes les plus proches par leur structure")
    rows = re.findall(
        r'<th scope="row"><a href="(.*?)".*?>(.*?)</a>.*?</th><td>(.*?)</td><td><a href="(.*?)"', table, re.DOTALL
    )
    found = make_portrait(small_observatory, "12145").similar
    assert found is not None
    assert len(rows) == len(found.neighbours) > 5
    names = dict(small_observatory.communes.select("code", "name").iter_rows())
    codes = []
    for page, name, reasons, compare in rows:
        address = parse_qs(urlsplit(unescape(page)).query)
        code = address.pop("commune")[0]
        codes.append(code)
        # The page of the other town opens on the same choices.
        assert urlsplit(unescape(page)).path == "/ville"
        assert address == {"comparer": ["pvd"], "theme": ["culture"]}
        assert unescape(name).startswith(f"{names[code]} (")
        assert reasons.startswith("Proche par ")
        assert unescape(compare) == f"/comparer?commune=12145&commune={code}"
    assert codes == [town.code for town in found.neighbours]
    assert "12145" not in codes
    # The first five are in sight, the others folded.
    assert table.split("<details>")[0].count('<th scope="row">') == 5
    (link,) = [item.proto for item in app.get("link_button") if item.proto.url.startswith("/comparer")]
    assert link.label == "Comparer Millau aux 5 premières"
    towns = parse_qs(urlsplit(link.url).query)["commune"]
    assert towns == ["12145", *codes[:5]]
    there = start({"commune": towns}, page="comparer")
    assert not there.error
    assert there.query_params["commune"] == towns


def test_type_of_small_town_is_told_inside_its_field_only(small_observatory: Observatory) -> None:
    profile = make_portrait(small_observatory, "26274").profile
    assert profile is not None
    assert f"**Type de petite ville {profile.id} : " in texts(start({"commune": "26274"}, page="ville"))
    # Millau has more than 20,000 inhabitants: the types do not describe it.
    assert "Type de petite ville" not in texts(start({"commune": "12145"}, page="ville"))


def test_evolution_of_the_town_says_its_points(small_snapshot: Snapshot) -> None:
    communes = pl.read_parquet(small_snapshot.folder / "tables" / "communes.parquet")
    before, after = communes.filter(pl.col("code") == "12145").select("pmun_2017", "population").row(0)
    app = start({"commune": "12145"}, page="ville")
    told = re.search(r"De 2017 à 2021 : ([\d\u202f]+)\xa0habitants, puis ([\d\u202f]+)\xa0habitants", texts(app))
    assert told is not None
    assert (number(told[1]), number(told[2])) == (before, after)
    assert len(app.get("vega_lite_chart")) >= 2
    assert "Les chiffres de ce graphique et leurs sources" in html_of(app)


def test_map_of_an_indicator_shares_the_address_with_the_other_choices() -> None:
    address = {
        "commune": "12145", "comparer": "pvd", "theme": "housing", "indicateur": "housing.vacancy_rate",
        "carte": "departement",
    }  # fmt: skip
    app = start(address, page="ville")
    assert app.query_params == address
    data = choropleth(app)
    assert data["legend"]["title"].startswith("Part des logements vacants (%) — Aveyron")
    go_to(app, "15031")
    assert app.query_params["carte"] == "departement"
    assert "Cantal" in choropleth(app)["legend"]["title"]
    assert "communes sans contour dans la source" in texts(app)


def test_sources_section_counts_what_is_known_missing_and_generated(
    small_observatory: Observatory, values: pl.DataFrame
) -> None:
    app = start({"commune": "12145"}, page="ville")
    here = values.filter(pl.col("code") == "12145")
    known = here.drop_nulls("value")
    counts = (known.height, here.height - known.height, (known["status"] == "demo").sum())
    told = re.search(
        r"(\d+)\xa0chiffres ont une valeur ici, (\d+) n'en ont pas, (\d+)\xa0valeurs sont de démonstration", texts(app)
    )
    assert told is not None
    assert tuple(int(item) for item in told.groups()) == counts
    listed = piece(app, "pour cette page</summary>")
    items = re.findall(r'<li><a href="(https?://.*?)".*?: ([\d\u202f]+)\xa0chiffres?</li>', listed)
    used = known["source_ids"].str.split(",").explode().value_counts()["count"]
    assert sorted(int(number(count)) for _, count in items) == sorted(used)
    assert len(items) == listed.count("<li>") >= 5
    assert f"{len(items)}\xa0sources pour cette page" in listed
    pages = [item.proto.page for item in app.get("page_link")]
    assert "sources" in pages


def test_places_of_the_town_by_type(places: pl.DataFrame) -> None:
    content = html_of(start({"commune": "75056"}, page="ville"))
    table = content[content.index("Lieux culturels recensés à Paris") :]
    table = table[: table.index("</table>")]
    assert "◆ démo" in table[:200]
    rows = re.findall(r'<th scope="row">(.*?)</th><td class="valeur">(.*?)</td>', table)
    counts = places.filter(pl.col("code") == "75056")["type"].value_counts()
    assert {unescape(label): number(count) for label, count in rows} == dict(counts.iter_rows())


@pytest.mark.parametrize(
    ("code", "name", "expected_texts"),
    [
        ("97608", "Dzaoudzi", ["population inconnue", "Population : donnée manquante", "Mayotte (976)",
                               "Trop de données de structure manquent, ou sont nulles, pour trouver des villes",
                               "Population municipale : aucune valeur pour cette commune"]),
        ("15031", "Celles", ["Superficie : donnée manquante", "Le contour de Celles manque", "Aucun lieu culturel",
                             "Rien ne distingue nettement cette commune", "Aucune série de plusieurs années",
                             "Adresse et horaires inconnus"]),
        ("2B033", "Bastia", ["Haute-Corse (2B)", "Corse", "20200"]),
        ("2A004", "Ajaccio", ["Corse-du-Sud (2A)"]),
        ("75056", "Paris", ["2\u202f133\u202f125", "Paris (75)", "Adresse et horaires inconnus", "75001, 75002"]),
        ("97411", "Saint-Denis", ["La Réunion (974)"]),
        ("26274", "Rochefourchat", ["Population : **1** (2021)", "Aucun lieu culturel", "puis 1\xa0habitant"]),
        ("55039", "Beaumont-en-Verdunois", ["Population : **0** (2021)", "zéro chaque année de 2017 à 2021"]),
        ("22016", "Île-de-Bréhat", ["Intercommunalité : aucune"]),
    ],
)  # fmt: skip
def test_special_communes(code: str, name: str, expected_texts: list[str]) -> None:
    app = start({"commune": code}, page="ville")
    assert [item.value for item in app.title] == [name]
    assert not app.error
    assert [item.value for item in app.header] == [f"Ce qui distingue {name}", *SECTIONS]
    shown = texts(app)
    for text in expected_texts:
        assert text in shown, text
    assert town_map(app)["commune"]["code"] == code
    assert choropleth(app)["layers"]
    # The control never offers a set that the town does not have: the islands have no EPCI.
    offered = app.selectbox(key="ville-comparer").options
    assert any(item.startswith("Intercommunalité : ") for item in offered) == (code != "22016")


def test_town_without_similar_ones_offers_no_comparison() -> None:
    app = start({"commune": "97608"}, page="ville")
    assert "Les villes les plus proches par leur structure" not in html_of(app)
    assert not [item for item in app.get("link_button") if item.proto.url.startswith("/comparer")]


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
