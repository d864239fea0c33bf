"""Small parts of the page of shops: words of the types, state of the address, heat table of footfall."""

from __future__ import annotations

from dataclasses import asdict

import polars as pl
import pytest

from bourg.commerce.centre import CentreRule, default_rule
from bourg.commerce.footfall import WEEKDAYS, Profile
from bourg.commerce.typology import typology
from bourg.dashboard.views import commerce_state
from bourg.dashboard.views.commerce_state import RULE_FIELDS, CommerceState
from bourg.errors import ParameterError
from bourg.portrait.themes.commerce_footfall import heat_table, profile_sentences
from bourg.portrait.themes.commerce_words import named, none_of


def test_every_type_has_its_words_and_agreement() -> None:
    for kind in typology().types:
        words = named(kind)
        assert (words is None) == (typology().types[kind].group == "other")
        assert words is None or words.split()[0] in {"un", "une"}
    assert (named("fishmonger"), none_of("fishmonger")) == ("une poissonnerie", "aucune")
    assert none_of("supermarket") == "aucun"


def test_heat_table_tells_unmeasured_from_zero() -> None:
    rows = [(day, hour, None if day == 7 else float(hour == 10) * day, 0 if day == 7 else 3)
            for day in range(1, 8) for hour in range(24)]  # fmt: skip
    table = pl.DataFrame(rows, schema=["weekday", "hour", "mean", "hours"], orient="row")
    week = Profile(table, 432, 2, "Phrase.")
    made = heat_table(week)
    assert made.count("non mesuré") == 24
    assert made.count(">0</td>") == 6 * 23
    told = profile_sentences(week)
    assert WEEKDAYS[5] in told[1]
    assert WEEKDAYS[6] not in told[1]
    assert told[2].startswith("2")


def test_the_address_holds_the_whole_state() -> None:
    assert CommerceState().address() == {}
    state = CommerceState("12145", "similar", "bpe", 2015, CentreRule(1500, 500, 1, 200, 2, 1000), ("food", "care"))
    assert state.address() == {
        "commune": ["12145"], "groupe": ["food", "care"], "comparer": ["similar"], "source": ["bpe"],
        "depuis": ["2015"], "regle": ["1500,500,1,200,2"],
    }  # fmt: skip
    assert set(RULE_FIELDS) < set(asdict(default_rule()))
    with pytest.raises(ParameterError):
        commerce_state.rule_of({"start_m": 1e9})
