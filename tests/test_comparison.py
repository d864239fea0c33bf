"""Similar towns, what sets a town apart, and towns side by side, as the pages and the command line give them."""

from __future__ import annotations

import json

import pytest

from bourg.cli import main
from bourg.compare.comparators import town_ranks
from bourg.compare.specificities import specificities
from bourg.errors import ParameterError, UnknownIndicatorError, UnknownTerritoryError
from bourg.portrait.comparison import compare_towns, comparison_set, sets_apart, similar_to
from bourg.portrait.document import make_portrait
from bourg.portrait.html import Neighbouring, neighbours_table


def test_similar_towns_are_others_with_reasons(small_observatory):
    found = similar_to(small_observatory, "12145")
    codes = [town.code for town in found.neighbours]
    assert found.status == "ok"
    assert len(codes) == len(set(codes)) == 15
    assert "12145" not in codes
    assert [town.distance for town in found.neighbours] == sorted(town.distance for town in found.neighbours)
    assert all(len(town.reasons) == 3 and town.main_difference for town in found.neighbours)
    assert 0 < found.stability <= 1
    assert similar_to(small_observatory, "12145") == found


def test_a_town_without_data_says_so(small_observatory):
    found = similar_to(small_observatory, "97608")
    assert found.status == "not_enough_data"
    assert found.neighbours == ()
    assert found.message


def test_what_sets_a_town_apart_is_told_in_sentences(small_observatory):
    found = sets_apart(small_observatory, "12145", "size_class")
    assert found.status == "ok"
    effects = [abs(item.effect) for item in found.traits]
    assert effects == sorted(effects, reverse=True)
    families = [item.family for item in found.traits]
    assert len(families) == len(set(families))
    for item in found.traits:
        assert item.value_text.split("\u00a0")[0] in item.sentence
        assert not {"parce", "cause", "grâce"} & set(item.sentence.lower().split())
    with pytest.raises(ParameterError, match="comparateur"):
        sets_apart(small_observatory, "12145", "planète")


def test_a_hand_picked_list_gives_counts_and_no_percentage(small_observatory):
    picked = ["04209", "48095", "12202", "2A004", "12176", "12145"]
    found = sets_apart(small_observatory, "12145", "list", codes=picked)
    assert found.comparator == "list"
    assert found.status in ("ok", "none")
    assert all("%" not in item.sentence.replace(item.value_text, "") for item in found.traits)
    assert all(item.percentile_mid is None for item in found.traits)
    chosen = comparison_set(small_observatory, "12145", "list", codes=picked)
    assert chosen.codes(small_observatory.matrix) == sorted(set(picked) - {"12145"})
    # The code of a merged commune leads to the commune it joined.
    assert comparison_set(small_observatory, "12145", "list", codes=["04100"]).codes(small_observatory.matrix) == [
        "04120"
    ]


def test_bad_lists_are_typed(small_observatory):
    with pytest.raises(UnknownTerritoryError, match="99998") as caught:
        sets_apart(small_observatory, "12145", "list", codes=["04209", "99998", "n'importe quoi"])
    assert caught.value.next_step
    for comparator, codes in (("list", None), ("pvd", ["04209"])):
        with pytest.raises(ParameterError, match="liste"):
            sets_apart(small_observatory, "12145", comparator, codes=codes)
    empty = sets_apart(small_observatory, "12145", "list", codes=[])
    assert (empty.status, empty.traits) == ("no_set", ())
    assert "rien à comparer" in empty.message


def test_an_unknown_indicator_is_named(small_observatory):
    sets = small_observatory.comparators.of("12145")
    with pytest.raises(UnknownIndicatorError, match=r"culture\.rien"):
        town_ranks(small_observatory.matrix, "12145", sets, ["culture.rien"])
    with pytest.raises(UnknownIndicatorError, match=r"culture\.rien"):
        specificities(small_observatory.matrix, "12145", sets[0], indicators=["culture.rien"])


def plain(portrait):
    """The portrait as strict JSON: no NaN gets out."""
    return json.loads(json.dumps(portrait.to_dict(), allow_nan=False))


@pytest.mark.parametrize("code", ["97608", "55039", "29155", "48012", "75056"])
def test_towns_with_little_have_a_useful_portrait(small_observatory, code):
    """Mayotte without census, a village without inhabitants, an island without EPCI, a hamlet, Paris."""
    portrait = make_portrait(small_observatory, code)
    told = plain(portrait)
    assert portrait.to_text().startswith(portrait.identity.name)
    assert "nan" not in portrait.to_text().lower().replace("finan", "").split()
    assert [item["id"] for item in told["comparateurs"]] == [item.comparator.id for item in portrait.sets]
    assert all(item["message"] or item["statut"] == "ok" for item in told["comparateurs"])
    for name in portrait.specificities:
        found = portrait.specificities[name]
        assert found.status == "ok" or found.message
    for sheet in portrait.sheets.values():
        if sheet.value is None:
            assert (sheet.comparisons, sheet.distributions) == ((), ())


def test_a_village_without_inhabitants_divides_nothing(small_observatory):
    portrait = make_portrait(small_observatory, "55039")
    assert portrait.identity.population == 0
    assert portrait.sheets["population.total"].value == 0
    assert portrait.sheets["equipment.total_per_1000"].value is None
    assert portrait.similar is not None
    assert portrait.similar.status in ("ok", "not_enough_data")


def test_every_figure_is_compared_in_every_set_of_the_town(small_observatory):
    portrait = make_portrait(small_observatory, "12145")
    sheet = portrait.sheets["housing.vacancy_rate"]
    compared = {item.comparator: item for item in sheet.comparisons}
    assert set(compared) == {"departement", "region", "epci", "pvd", "size_class", "similar"} - (
        set() if small_observatory.pvd else {"pvd"}
    )
    assert (compared["departement"].set_label, compared["region"].set_label) == ("Aveyron", "Occitanie")
    assert compared["size_class"].set_label == "de 20 000 à 49 999 habitants"
    assert compared["epci"].percentile_strict is None
    assert "%" not in compared["epci"].sentence
    assert compared["similar"].n_set == 51
    assert "50\u00a0villes semblables" in compared["similar"].sentence
    for item in sheet.distributions:
        figures = [item.minimum, item.p10, item.q1, item.median, item.q3, item.p90, item.maximum]
        assert figures == sorted(figures)
        assert item.n >= 3
    spread = {item.comparator: item for item in sheet.distributions}
    assert {"similar", "size_class", "departement"} <= set(spread)
    assert spread["departement"].n == compared["departement"].n_set
    assert spread["similar"].n == compared["similar"].n_set - 1
    told = plain(portrait)
    again = next(item for item in told["indicateurs"] if item["indicator"] == "housing.vacancy_rate")
    assert [item["comparator"] for item in again["distributions"]] == list(spread)
    assert told["villes_semblables"]["neighbours"][0]["code"] == portrait.similar.neighbours[0].code
    assert set(told["particularites"]) == {"size_class", "similar"}


def test_the_type_of_a_town_is_told(small_observatory):
    typed = make_portrait(small_observatory, "04209").profile
    assert typed is not None
    assert typed.title
    assert "communes" in typed.description
    # Over 20 000 inhabitants: outside the field.
    assert make_portrait(small_observatory, "12145").profile is None


def test_neighbours_of_the_build_are_those_of_the_portrait(small_observatory):
    kept = small_observatory.neighbours("12145")
    found = similar_to(small_observatory, "12145")
    assert kept["neighbour"].to_list() == [item.code for item in found.neighbours]
    assert kept["rank"].to_list() == list(range(1, 16))


def test_towns_side_by_side(small_observatory):
    table = compare_towns(small_observatory, ["12145", "Sisteron", "2a004"])
    assert table.towns == {"12145": "Millau", "04209": "Sisteron", "2A004": "Ajaccio"}
    population = next(item for item in table.figures if item.indicator == "population.total")
    # Sums of IRIS, which the producer rounds one by one: the published population of Millau is 21 712.
    assert population.values == {"12145": 21_711, "04209": 7_700, "2A004": 73_822}
    assert not population.demo
    assert population.texts["12145"] == "21\u202f711\u00a0habitants"
    assert all(set(item.texts) == set(table.towns) for item in table.figures)


@pytest.mark.parametrize(
    ("names", "error"),
    [
        (["12145"], ParameterError),
        (["12145", "Millau"], ParameterError),
        (["12145", "99999"], Exception),
        (["12145", "Saint-Denis"], UnknownTerritoryError),
        ([f"0400{n}" for n in (1, 4, 5, 6, 7, 8, 9)] + ["04012", "04013", "04016", "04017"], ParameterError),
    ],
)
def test_lists_that_cannot_be_compared_are_refused(small_observatory, names, error):
    with pytest.raises(error) as caught:
        compare_towns(small_observatory, names)
    assert "\n" not in caught.value.what
    assert caught.value.next_step


def test_names_are_escaped_in_the_table_of_neighbours():
    html = neighbours_table(
        "Titre <b>", [Neighbouring("<script>alert(1)</script>", "a & b", demo=True, page="/ville", compare="/comparer")]
    )
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert "a &amp; b" in html
    assert "démo" in html


def test_commands(small_settings, monkeypatch, capsys):
    monkeypatch.setenv("BOURG_HOME", str(small_settings.home))
    monkeypatch.delenv("BOURG_MIRROR", raising=False)
    for arguments in (["similar", "12145", "--json"], ["compare", "12145", "04209", "--json"]):
        with pytest.raises(SystemExit) as stop:
            main(arguments)
        assert stop.value.code == 0
        assert json.loads(capsys.readouterr().out)
    with pytest.raises(SystemExit) as stop:
        main(["similar", "12145", "-k", "3"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    assert "Villes semblables à Millau (Aveyron, 12)" in text
    assert "Stabilité" in text
    with pytest.raises(SystemExit) as stop:
        main(["compare", "12145"])
    assert stop.value.code == 2
    assert "de 2 à 10 communes" in capsys.readouterr().err
    with pytest.raises(SystemExit) as stop:
        main(["portrait", "12145", "--format", "json"])
    assert stop.value.code == 0
    assert json.loads(capsys.readouterr().out)["commune"]["code"] == "12145"
