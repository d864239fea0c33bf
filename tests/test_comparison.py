"""Similar towns, what sets a town apart, and towns side by side, as the pages and the command line give them."""

from __future__ import annotations

import json

import pytest

from bourg.cli import main
from bourg.errors import ParameterError, UnknownTerritoryError
from bourg.portrait.comparison import compare_towns, sets_apart, similar_to
from bourg.portrait.html import neighbours_table


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
    html = neighbours_table("Titre <b>", [("12145", "<script>alert(1)</script>", "a & b", True)])
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
