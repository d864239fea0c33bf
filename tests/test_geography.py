"""Codes, names, search and the passage to the reference geography."""

from __future__ import annotations

import contextlib

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bourg.errors import BourgError, MalformedCodeError, UnknownTerritoryError
from bourg.geography.codes import departement_of, normalise_codes, parse_commune_code
from bourg.geography.names import normalise_name, of_name
from bourg.geography.passages import Passages
from bourg.geography.search import CommuneIndex


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("01004", "01004"),
        ("1004", "01004"),
        ("1004.0", "01004"),
        (" 2a004 ", "2A004"),
        ("97411", "97411"),
        (1001, "01001"),
        (13114.0, "13114"),
        ("75056", "75056"),
        ("2B033", "2B033"),
    ],
)
def test_codes_are_mended_when_there_is_one_reading(text, code):
    assert parse_commune_code(text) == code


@pytest.mark.parametrize(
    "text",
    [
        "",
        None,
        "1",
        "123456",
        "2C004",
        "2a",
        "00001",
        "96001",
        "99999",
        "Millau",
        "0\x001004",
        "😀",
        "x" * 10_000,
        "٠١٠٠٤",
        "1004.5",
        "nan",
    ],
)
def test_other_texts_are_refused_in_french(text):
    with pytest.raises(MalformedCodeError) as caught:
        parse_commune_code(text)
    assert "code commune" in str(caught.value)
    assert len(str(caught.value)) < 400
    assert isinstance(caught.value, ValueError)


@given(st.text(max_size=12))
def test_any_text_gives_a_code_or_a_typed_error(text):
    try:
        code = parse_commune_code(text)
    except MalformedCodeError:
        return
    assert len(code) == 5
    assert parse_commune_code(code) == code


@given(
    st.lists(
        st.one_of(st.none(), st.text(max_size=8), st.sampled_from(["1001", "2a004", "97411", "1001.0"])), max_size=20
    )
)
def test_columns_and_single_codes_agree(texts):
    column = (
        pl.DataFrame({"c": texts}, schema={"c": pl.String}).select(normalise_codes(pl.col("c"))).to_series().to_list()
    )
    for text, found in zip(texts, column, strict=True):
        try:
            expected = parse_commune_code(text)
        except MalformedCodeError:
            expected = None
        # str.strip of Python and of Polars differ on control characters only.
        if text is None or text == text.strip():
            assert found == expected


def test_departement_overseas_has_three_characters():
    assert departement_of("97411") == "974"
    assert departement_of("2A004") == "2A"


def test_the_reference_geography_is_the_cog_of_2025(registry):
    communes = registry["communes"]
    assert communes.height == 34_875
    assert communes["code"].is_unique().all()
    assert communes["code"].str.len_chars().unique().to_list() == [5]
    assert communes.filter(pl.col("departement").is_in(["2A", "2B"])).height == 360
    assert communes.filter(pl.col("departement") == "976").height == 17
    assert communes["departement"].null_count() == 0


def test_articles_are_given_back(registry):
    names = dict(registry["communes"].select("code", "name").iter_rows())
    assert names["01001"] == "L'Abergement-Clémenciat"
    assert names["97407"] == "Le Port"
    assert of_name("Mées", 4) == "des Mées"


@pytest.fixture(scope="module")
def index(registry) -> CommuneIndex:
    communes = registry["communes"].with_columns(population=pl.col("pmun_2017"))
    return CommuneIndex(communes, registry["departements"], registry["former_communes"])


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("Millau", "12145"),
        ("MILLAU", "12145"),
        ("  millau ", "12145"),
        ("12145", "12145"),
        ("st affrique", "12208"),
        ("Saint-Affrique", "12208"),
        ("saint denis 93", "93066"),
        ("Saint-Denis (La Réunion)", "97411"),
        ("valence drome", "26362"),
        ("labergement clemenciat", "01001"),
        ("L’Abergement-Clémenciat", "01001"),
        ("2a004", "2A004"),
        ("1001", "01001"),
        ("ste-anastasie 30", "30228"),
        ("château arnoux", "04049"),
        ("le port", "97407"),
        ("Milau", "12145"),
        ("bonnoeil", "14087"),
    ],
)
def test_search_finds(index, query, first):
    assert index.search(query)[0].code == first


def test_search_by_postal_code_gives_every_commune_served(index):
    found = index.search("12100")
    assert found[0].code == "12145"
    assert {match.departement for match in found} == {"12"}
    assert len([match for match in found if match.matched == "code postal"]) >= 3
    # 12100 is also the INSEE code of another commune: it is proposed last.
    assert found[-1].matched == "code Insee"
    assert index.search("75011")[0].code == "75056"


def test_homonyms_are_told_apart_by_their_department(index):
    found = index.search("Saint-Denis", limit=5)
    labels = [match.label for match in found]
    assert len(set(labels)) == len(labels)
    assert "Saint-Denis (Seine-Saint-Denis, 93)" in labels
    with pytest.raises(UnknownTerritoryError, match="plusieurs communes") as caught:
        index.resolve("Saint-Denis")
    assert "93066" in str(caught.value)


def test_a_name_with_its_department_or_a_postal_code_is_enough(index):
    assert index.resolve("saint-denis 93").code == "93066"
    assert index.resolve("Valence (Drôme)").code == "26362"
    assert index.resolve("93200").code == "93066"
    with pytest.raises(UnknownTerritoryError, match="Mostuéjouls"):
        index.resolve("12720")


def test_a_merged_commune_leads_to_the_one_it_joined(index, registry):
    assert index.search("Arbignieu")[0].code == "01015"
    former = registry["former_communes"].filter(pl.col("type") == "COMD")
    gone = next(row for row in former.iter_rows(named=True) if row["code"] not in index)
    assert index.get(gone["code"]).code == gone["parent"]


@pytest.mark.parametrize("query", ["", "   ", "\x00", "😀😀😀😀", "'; DROP TABLE", "(" * 200, "zzzzzz"])
def test_hostile_queries_find_nothing(index, query):
    assert index.search(query) == []


@given(st.text(max_size=40))
def test_search_never_fails(text):
    communes = pl.DataFrame(
        {
            "code": ["12145", "93066"],
            "name": ["Millau", "Saint-Denis"],
            "plain_name": ["Millau", "Saint-Denis"],
            "departement": ["12", "93"],
            "population": [22_000, 110_000],
            "postal_codes": [["12100"], ["93200"]],
        }
    )
    departements = pl.DataFrame({"code": ["12", "93"], "name": ["Aveyron", "Seine-Saint-Denis"]})
    former = pl.DataFrame(schema={"code": pl.String, "type": pl.String, "name": pl.String, "parent": pl.String})
    tiny = CommuneIndex(communes, departements, former)
    assert all(match.code in {"12145", "93066"} for match in tiny.search(text))
    with contextlib.suppress(BourgError):
        assert tiny.resolve(text).code in {"12145", "93066"}


def test_normal_form_of_names():
    assert normalise_name("St-Étienne-s/-Loire") == "saint etienne sur loire"
    assert normalise_name("Cœuvres") == "coeuvres"


def _links(*pairs):
    return [pl.DataFrame(pairs, schema=["old_code", "new_code"], orient="row")]


def test_mergers_are_moved_and_unknown_codes_listed():
    passages = Passages(frozenset({"01015"}), _links(("01340", "01015"), ("01015", "01015")))
    moved, report = passages.move(pl.DataFrame({"code": ["01340", "01015", "99999", None], "n": [1, 2, 3, 4]}))
    assert moved.to_dicts() == [{"code": "01015", "n": 1}, {"code": "01015", "n": 2}, {"code": None, "n": 4}]
    assert (report.kept, report.moved) == (1, 1)
    assert [(item.code, item.rows) for item in report.unmoved] == [("99999", 1)]


def test_a_split_commune_is_listed_and_never_shared_out():
    links = _links(("15141", "15141"), ("15141", "15031"), ("15031", "15031"))
    passages = Passages(frozenset({"15141", "15031"}), links)
    before = pl.DataFrame({"code": ["15141"], "n": [10]})
    moved, report = passages.move(before, cog=2023)
    # The rows stay, and the group is told: its communes are missing one by one, the larger territories exact.
    assert moved.to_dicts() == before.to_dicts()
    assert report.undivided == (("15031", "15141"),)
    # A file that already knows the other part is of the new geography: its code names the smaller commune.
    after = pl.DataFrame({"code": ["15141", "15031"], "n": [7, 3]})
    assert passages.move(after, cog=2023)[0].to_dicts() == after.to_dicts()
    assert passages.move(after, cog=2023)[1].undivided == ()
    assert passages.move(before, cog=2025)[1].undivided == ()
    # So is one whose vintage is known to have both.
    known = Passages(frozenset({"15141", "15031"}), links, {2022: frozenset({"15141", "15031"})})
    assert known.move(before, cog=2024)[1].undivided == ()
    assert known.move(before, cog=2021)[1].undivided == (("15031", "15141"),)
