"""The page of a town through AppTest: similar towns, evolution, maps, sources, and the special communes."""

from __future__ import annotations

import re
from html import unescape
from urllib.parse import parse_qs, urlsplit

import polars as pl
import pytest

from bourg.portrait.document import make_portrait
from bourg.portrait.observatory import Observatory
from bourg.settings import Settings
from bourg.store.snapshot import Snapshot
from dashboard_tools import html_of, number, read_places, serve, start, texts
from town_tools import SECTIONS, choropleth, go_to, piece, read_values, town_map


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, small_settings: Settings) -> None:
    serve(monkeypatch, small_settings)


@pytest.fixture(scope="module")
def places(small_snapshot: Snapshot) -> pl.DataFrame:
    return read_places(small_snapshot)


@pytest.fixture(scope="module")
def values(small_snapshot: Snapshot) -> pl.DataFrame:
    return read_values(small_snapshot)


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
