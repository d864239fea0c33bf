"""Openings, closures, survival, replacement: exact on small towns, and laws on drawn ones."""

from __future__ import annotations

import datetime as dt
import itertools

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bourg.commerce.evolution import (
    complete_years,
    flows,
    intervals,
    replacements,
    shop_survival,
    shop_turnover,
    shop_years,
    survival_curve,
    with_history,
)
from bourg.errors import ParameterError

DAY = dt.date(2024, 12, 31)
Dated = dt.date | None


def _shops(*rows: tuple[str, Dated, Dated], kind: str = "bakery", address: str | None = None) -> pl.DataFrame:
    return pl.DataFrame(
        [
            {"siret": f"{rank:014d}", "code": code, "type": kind, "group": "craft_food", "created": created,
             "closed": closed, "open": closed is None, "observed": DAY, "address": address}
            for rank, (code, created, closed) in enumerate(rows)
        ],
        schema={"siret": pl.String, "code": pl.String, "type": pl.String, "group": pl.String, "created": pl.Date,
                "closed": pl.Date, "open": pl.Boolean, "observed": pl.Date, "address": pl.String},
    )  # fmt: skip


def test_a_year_of_openings_and_closures() -> None:
    table = shop_years(
        _shops(
            ("12145", dt.date(2005, 3, 1), None),
            ("12145", None, dt.date(2012, 5, 1)),
            ("12145", dt.date(2012, 1, 1), dt.date(2012, 12, 31)),
            ("12145", dt.date(2024, 6, 1), None),
        )
    )
    rows = {row["year"]: (row["opened"], row["closed"], row["stock"]) for row in table.iter_rows(named=True)}
    assert rows[2009] == (0, 0, 2)
    assert rows[2012] == (1, 2, 1)
    assert rows[2024] == (1, 0, 2)
    assert set(rows) == set(range(2009, 2025))


def test_the_year_of_the_file_counts_only_when_it_is_whole() -> None:
    assert list(complete_years(dt.date(2012, 12, 31))) == [2009, 2010, 2011, 2012]
    assert list(complete_years(dt.date(2012, 12, 30))) == [2009, 2010, 2011]


def test_nothing_is_said_before_the_break_of_2008() -> None:
    with pytest.raises(ParameterError, match="2008"):
        complete_years(DAY, 2005)
    with pytest.raises(ParameterError, match="NAF"):
        shop_years(_shops(("12145", dt.date(2005, 3, 1), None)), first=2007)


def test_flows_of_a_town() -> None:
    table = shop_years(_shops(("a", dt.date(2005, 1, 1), dt.date(2010, 1, 1)), ("a", dt.date(2010, 3, 1), None)))
    row = flows(table.lazy()).collect().row(by_predicate=pl.col("year") == 2010, named=True)
    assert (row["opened"], row["closed"], row["net"], row["stock"], row["turnover"]) == (1, 1, 0, 1, 100.0)


_DATES = st.dates(dt.date(1990, 1, 1), dt.date(2024, 12, 31))
_LIVES = st.lists(st.tuples(st.sampled_from("ab"), st.none() | _DATES, st.none() | _DATES), min_size=1, max_size=25)


def _valid(lives: list[tuple[str, Dated, Dated]]) -> list[tuple[str, Dated, Dated]]:
    return [(c, b, e) if b is None or e is None or b <= e else (c, e, b) for c, b, e in lives]


@given(_LIVES)
def test_stock_is_what_is_open_on_new_years_eve(lives: list[tuple[str, Dated, Dated]]) -> None:
    lives = _valid(lives)
    table = shop_years(_shops(*lives))
    told = {(row["code"], row["year"]): row["stock"] for row in table.iter_rows(named=True)}
    for code in "ab":
        for year in range(2009, 2025):
            eve = dt.date(year, 12, 31)
            expected = sum(c == code and (b is None or b <= eve) and (e is None or e > eve) for c, b, e in lives)
            assert told.get((code, year), 0) == expected


def test_life_table_censors_what_is_still_open() -> None:
    table = shop_survival(
        _shops(
            ("a", dt.date(2020, 1, 1), dt.date(2020, 7, 1)),
            ("a", dt.date(2020, 1, 1), dt.date(2022, 1, 1)),
            ("a", dt.date(2020, 1, 1), None),
            ("a", dt.date(2024, 6, 1), None),
            ("a", None, None),
            ("a", dt.date(2001, 1, 1), dt.date(2010, 1, 1)),
        )
    )
    rows = {(row["cohort"], row["age"]): (row["at_risk"], row["closed"]) for row in table.iter_rows(named=True)}
    # Five years after 1 January 2020 is 1 January 2025, one day after the file: age 4 is not followed to its end.
    assert rows == {(2020, 0): (3, 1), (2020, 1): (2, 0), (2020, 2): (2, 1), (2020, 3): (1, 0)}
    curve = survival_curve(table.lazy()).collect()
    assert curve["survival"].to_list() == pytest.approx([200 / 3, 200 / 3, 100 / 3, 100 / 3])


@given(_LIVES)
def test_survival_never_grows(lives: list[tuple[str, Dated, Dated]]) -> None:
    curve = survival_curve(shop_survival(_shops(*_valid(lives))).lazy()).collect()
    for (_,), part in curve.group_by("code"):
        values = part.sort("age")["survival"].to_list()
        assert all(0 <= b <= a <= 100 for a, b in itertools.pairwise(values))


def test_without_closing_all_survive() -> None:
    curve = survival_curve(shop_survival(_shops(("a", dt.date(2015, 2, 28), None))).lazy()).collect()
    assert set(curve["survival"]) == {100.0}
    assert curve.height == 9


def test_a_successor_comes_at_the_same_address_in_time() -> None:
    shops = pl.concat(
        [
            _shops(("a", dt.date(2010, 1, 1), dt.date(2020, 1, 1)), ("a", dt.date(2021, 6, 1), None), address="1"),
            _shops(("a", dt.date(2010, 1, 1), dt.date(2018, 1, 1)), ("a", dt.date(2021, 6, 1), None), address="2"),
            _shops(("a", dt.date(2010, 1, 1), dt.date(2024, 1, 1)), address="3"),
            _shops(("a", dt.date(2010, 1, 1), dt.date(2019, 1, 1)), ("a", dt.date(2018, 12, 1), None), address="4"),
            _shops(("b", dt.date(2010, 1, 1), dt.date(2021, 6, 1)), address="1"),
            _shops(("a", dt.date(2010, 1, 1), dt.date(2019, 1, 1)), address=None),
        ]
    )
    told = replacements(shops).sort("code", "closed")
    # 2018: the next shop came after the delay; 2019: registered a month before; 2020: in time; 2024: too early to say.
    assert told["replaced"].to_list() == [False, True, True, None, False]
    row = shop_turnover(shops).row(by_predicate=pl.col("code") == "a", named=True)
    assert (row["occupied"], row["vacant"], row["followed"], row["replaced"]) == (3, 0, 1, 1)
    row = shop_turnover(shops).row(by_predicate=pl.col("code") == "b", named=True)
    assert (row["occupied"], row["vacant"]) == (0, 1)


def test_a_shopping_centre_is_not_one_place() -> None:
    rows = [("a", dt.date(2010, 1, 1), None)] * 13 + [("a", dt.date(2010, 1, 1), dt.date(2020, 1, 1))]
    assert replacements(_shops(*rows, address="centre")).height == 0


def _period(start: dt.date, end: Dated, kind: str = "bakery", *, active: bool = True) -> dict[str, object]:
    return {"siret": "0" * 14, "start": start, "end": end, "active": active, "type": kind}


def test_a_change_of_trade_is_a_closing_of_one_and_an_opening_of_the_other() -> None:
    periods = pl.DataFrame(
        [
            _period(dt.date(2010, 1, 1), dt.date(2012, 12, 31)),
            _period(dt.date(2013, 1, 1), dt.date(2015, 6, 30)),
            _period(dt.date(2015, 7, 1), dt.date(2018, 12, 31), "cafe"),
            _period(dt.date(2019, 1, 1), dt.date(2020, 12, 31), "cafe", active=False),
            _period(dt.date(2021, 1, 1), None, "cafe"),
        ],
        schema_overrides={"end": pl.Date},
    )
    stays = intervals(periods).select("type", "created", "closed").rows()
    assert stays == [
        ("bakery", dt.date(2010, 1, 1), dt.date(2015, 7, 1)),
        ("cafe", dt.date(2015, 7, 1), dt.date(2019, 1, 1)),
        ("cafe", dt.date(2021, 1, 1), None),
    ]
    shops = _shops(("a", dt.date(2008, 5, 1), None), ("a", dt.date(2011, 1, 1), None), kind="cafe")
    both = with_history(shops, periods)
    assert both.height == 4
    # The creation known by the stock is before the first period of the history.
    assert both.filter(pl.col("type") == "bakery")["created"].item() == dt.date(2008, 5, 1)
    assert flows(shop_years(both).lazy()).collect().filter(pl.col("year") == 2016)["stock"].item() == 2
