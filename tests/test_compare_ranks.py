"""Comparators and ranks: hand-computed sets, every commune against one town at a time, bad input."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from bourg.compare.comparators import Comparators, comparators, size_class, town_ranks
from bourg.compare.matrix import CommuneMatrix, commune_matrix
from bourg.compare.ranking import all_ranks, summaries, summary_among
from bourg.compare.structure import Feature, structure_of
from bourg.errors import ParameterError, SnapshotError, UnknownIndicatorError, UnknownTerritoryError

CODES = [f"{index:05d}" for index in range(1, 61)]


def value_rows(indicator: str, values: dict[str, float | None], *, period: str = "2021", status: str = "ok"):
    return [
        (indicator, "commune", code, period, value, status if value is not None else "missing")
        for code, value in values.items()
    ]


def table(*groups) -> pl.DataFrame:
    columns = ["indicator", "level", "code", "period", "value", "status"]
    return pl.DataFrame([row for group in groups for row in group], schema=columns, orient="row")


def communes() -> pl.DataFrame:
    """Sixty communes: 30 in department 01, 30 in 02; EPCI of 5; a third of each department is in no EPCI."""
    return pl.DataFrame(
        {
            "code": CODES,
            "departement": ["01"] * 30 + ["02"] * 30,
            "region": ["84"] * 60,
            "epci": [f"E{i // 5}" if i % 3 else None for i in range(60)],
            "population": [300] * 20 + [3_000] * 39 + [None],
        }
    )


@pytest.fixture
def matrix() -> CommuneMatrix:
    rising = {code: float(index) for index, code in enumerate(CODES)}
    ties = {code: float(index // 10) for index, code in enumerate(CODES)}
    holes = {code: (None if index % 7 == 0 else float(-index)) for index, code in enumerate(CODES)}
    mixed = value_rows("population.density", dict(list(rising.items())[:25]), status="demo")
    mixed += value_rows("population.density", dict(list(rising.items())[25:]))
    return commune_matrix(
        table(value_rows("population.total", rising), value_rows("housing.vacancy_rate", ties),
              value_rows("income.median", holes), mixed),
        CODES,
    )  # fmt: skip


@pytest.fixture
def sets(matrix) -> Comparators:
    return Comparators(matrix, communes(), pvd=CODES[10:40])


def one(frame: pl.DataFrame, indicator: str, comparator: str) -> dict:
    return frame.row(by_predicate=(pl.col("indicator") == indicator) & (pl.col("comparator") == comparator), named=True)


def test_ranks_by_hand(matrix, sets):
    ranks = town_ranks(matrix, CODES[24], sets.of(CODES[24]))
    rising = one(ranks, "population.total", "departement")
    # 24 of the 29 others are below, none equal: 100 × 24/29, 100 × 24.5/30, sixth from the top.
    assert (rising["n_set"], rising["n_below"], rising["n_equal"], rising["rank"]) == (30, 24, 0, 6)
    assert rising["percentile_strict"] == pytest.approx(100 * 24 / 29)
    assert rising["percentile_mid"] == pytest.approx(100 * 24.5 / 30)
    ties = one(ranks, "housing.vacancy_rate", "departement")
    assert (ties["n_below"], ties["n_equal"], ties["rank"]) == (20, 9, 1)
    assert ties["percentile_mid"] == pytest.approx(100 * 25 / 30)


def test_town_outside_a_set_is_ranked_as_if_it_joined(matrix, sets):
    outside = one(town_ranks(matrix, CODES[50], sets.of(CODES[50], ["pvd"])), "population.total", "pvd")
    assert (outside["n_set"], outside["n_below"], outside["percentile_strict"]) == (31, 30, 100)
    inside = one(town_ranks(matrix, CODES[10], sets.of(CODES[10], ["pvd"])), "population.total", "pvd")
    assert (inside["n_set"], inside["n_below"], inside["percentile_strict"]) == (30, 0, 0)


def test_epci_and_list_give_ranks_without_percentages(matrix, sets):
    chosen = sets.of(CODES[4], ["epci"])[0]
    assert chosen.codes(matrix) == [CODES[1], CODES[2]]
    epci = one(town_ranks(matrix, CODES[4], [chosen]), "population.total", "epci")
    assert (epci["n_set"], epci["rank"], epci["percentile_strict"], epci["percentile_mid"]) == (3, 1, None, None)
    picked = sets.listed(CODES[4], [CODES[0], CODES[8], CODES[8], CODES[4]])
    listed = one(town_ranks(matrix, CODES[4], [picked]), "population.total", "list")
    assert (listed["n_set"], listed["n_below"], listed["rank"], listed["percentile_mid"]) == (3, 1, 2, None)


def test_under_twenty_communes_nothing_is_published(matrix, sets):
    few = Comparators(matrix, communes(), pvd=CODES[:15])
    chosen = few.of(CODES[3], ["pvd"])[0]
    assert chosen.status == "small"
    assert "20" in chosen.message
    row = one(town_ranks(matrix, CODES[3], [chosen]), "population.total", "pvd")
    assert row["n_set"] == 15
    assert [row[name] for name in ("n_below", "n_equal", "rank", "percentile_strict", "percentile_mid")] == [None] * 5


def test_twenty_is_enough_and_missing_values_do_not_count(matrix):
    exact = Comparators(matrix, communes(), pvd=CODES[:20])
    ranks = town_ranks(matrix, CODES[3], exact.of(CODES[3], ["pvd"]))
    assert one(ranks, "population.total", "pvd")["percentile_mid"] == pytest.approx(100 * 3.5 / 20)
    # income.median is missing for 3 of the 20.
    assert one(ranks, "income.median", "pvd")["n_set"] == 17
    assert one(ranks, "income.median", "pvd")["percentile_mid"] is None


def test_generated_and_real_values_are_never_ranked_together(matrix, sets):
    region = one(town_ranks(matrix, CODES[0], sets.of(CODES[0], ["region"])), "population.density", "region")
    assert (region["demo"], region["n_set"]) == (True, 25)
    region = one(town_ranks(matrix, CODES[59], sets.of(CODES[59], ["region"])), "population.density", "region")
    assert (region["demo"], region["n_set"]) == (False, 35)


def test_absent_and_empty_sets_say_so(matrix, sets):
    by_id = {item.comparator.id: item for item in sets.of(CODES[59])}
    assert list(by_id) == [name for name in comparators() if name != "list"]
    assert by_id["size_class"].status == "absent"
    assert by_id["centrality"].status == "absent"
    assert "Aucune table" in by_id["centrality"].message
    assert by_id["similar"].status == "absent"
    alone = sets.listed(CODES[0], [CODES[0]])
    assert alone.status == "empty"
    assert town_ranks(matrix, CODES[0], [alone, by_id["centrality"]]).is_empty()
    assert sets.listed(CODES[0], []).status == "empty"
    assert Comparators(matrix, communes()).of(CODES[0], ["pvd"])[0].status == "absent"


def test_centrality_comes_from_a_table(matrix):
    levels = pl.DataFrame({"code": CODES[:45], "level": [2] * 25 + [1] * 20})
    chosen = Comparators(matrix, communes(), centrality=levels).of(CODES[0], ["centrality"])[0]
    assert (chosen.status, chosen.members.size) == ("ok", 24)


def test_bad_input_is_named(matrix, sets):
    with pytest.raises(UnknownTerritoryError, match="99998, abc"):
        sets.listed(CODES[0], [CODES[1], "99998", "abc"])
    with pytest.raises(UnknownTerritoryError, match="99999"):
        sets.of("99999")
    with pytest.raises(ParameterError, match="planete"):
        sets.of(CODES[0], ["planete"])
    with pytest.raises(UnknownIndicatorError, match=r"nothing\.here"):
        town_ranks(matrix, CODES[0], sets.of(CODES[0]), ["nothing.here"])
    with pytest.raises(SnapshotError, match="population"):
        Comparators(matrix, communes().drop("population"))
    twice = table(value_rows("population.total", {CODES[0]: 1.0}), value_rows("population.total", {CODES[0]: 2.0}))
    with pytest.raises(SnapshotError, match="deux fois"):
        commune_matrix(twice, CODES)
    strange = table([("population.total", "commune", CODES[0], "2021", 1.0, "guess")])
    with pytest.raises(SnapshotError, match="guess"):
        commune_matrix(strange, CODES)


def test_former_codes_go_through_the_gate(matrix, sets):
    moved = sets.listed(CODES[0], ["OLD", CODES[2]], resolve=lambda code: CODES[1] if code == "OLD" else code)
    assert moved.codes(matrix) == [CODES[1], CODES[2]]


def test_every_commune_at_once_gives_what_one_at_a_time_gives(matrix, sets):
    generator = np.random.default_rng(3)
    neighbours = np.array([generator.permutation(np.delete(np.arange(60), i))[:25] for i in range(60)], dtype=np.int32)
    found = dict(all_ranks(sets, neighbours=neighbours))
    assert set(found) == {"departement", "region", "epci", "pvd", "size_class", "similar"}
    columns = ["indicator", "code", "n_set", "n_below", "n_equal"]
    for name in ("departement", "region", "epci", "pvd", "size_class"):
        whole = found[name].select(pl.col(columns).cast(pl.String)).sort("indicator", "code")
        parts = [town_ranks(matrix, code, sets.of(code, [name])) for code in CODES]
        single = pl.concat(parts).select(pl.col(columns).cast(pl.String)).sort("indicator", "code")
        # A commune alone in its set has no row one at a time, and a set of one here.
        assert whole.filter(pl.col("n_set") != "1").equals(single.filter(pl.col("n_set") != "1")), name
    near = found["similar"].filter((pl.col("indicator") == "population.total") & (pl.col("code") == CODES[30]))
    assert near["n_below"].to_list() == [int((neighbours[30] < 30).sum())]


def test_summaries_by_hand(sets):
    frame = summaries(sets, ["departement", "pvd"])
    row = frame.row(by_predicate=(pl.col("indicator") == "population.total") & (pl.col("set_id") == "01"), named=True)
    # 0..29, linear quantiles: 29 gaps of 1.
    found = tuple(row[name] for name in ("n", "minimum", "p10", "q1", "median", "q3", "p90", "maximum"))
    assert found == pytest.approx((30, 0, 2.9, 7.25, 14.5, 21.75, 26.1, 29))
    assert frame.filter(pl.col("n") < 20).is_empty()
    # Generated values are summed up apart: 25 of them here, the 5 real ones of the department are too few.
    demo = frame.filter((pl.col("indicator") == "population.density") & (pl.col("comparator") == "departement"))
    assert demo.select("set_id", "demo", "n").rows() == [("01", True, 25), ("02", False, 30)]
    keys = ["comparator", "set_id", "indicator", "period", "demo"]
    assert frame.equals(frame.sort(keys))


def test_summaries_agree_with_polars_and_with_one_set_at_a_time(matrix, sets):
    frame = summaries(sets, ["region"])
    for name in ("population.total", "housing.vacancy_rate", "income.median"):
        known = pl.Series(matrix.values[matrix.row(name)], nan_to_null=True).drop_nulls()
        row = frame.row(by_predicate=pl.col("indicator") == name, named=True)
        assert row["n"] == known.len()
        for column, level in (("minimum", 0), ("p10", 0.1), ("q1", 0.25), ("median", 0.5), ("q3", 0.75), ("p90", 0.9)):
            assert row[column] == pytest.approx(known.quantile(level, "linear"))
        # The same set without the town: one value less, unless it has none.
        chosen = sets.of(CODES[1], ["region"])[0]
        count, figures = summary_among(matrix, 1, chosen)[name, "2021", False]
        others = pl.Series(np.delete(matrix.values[matrix.row(name)], 1), nan_to_null=True).drop_nulls()
        assert (count, figures[3]) == (others.len(), pytest.approx(others.median()))


def test_ranks_are_the_same_once_a_set_has_been_sorted(monkeypatch, matrix):
    monkeypatch.setattr("bourg.compare.comparators._LARGE", 2)
    sets = Comparators(matrix, communes(), pvd=CODES[10:40])
    names = ["departement", "region", "epci", "pvd", "size_class"]
    for code in CODES:
        chosen = sets.of(code, names)
        direct = town_ranks(matrix, code, chosen)
        assert sets.ranks(code, chosen).equals(direct)
        assert sets.ranks(code, chosen).equals(direct)
    assert sum(item is not None for item in sets._sorted.values()) > 10


def test_sorted_sets_are_forgotten_when_they_are_too_large(monkeypatch, matrix):
    monkeypatch.setattr("bourg.compare.comparators._LARGE", 2)
    monkeypatch.setattr("bourg.compare.comparators._SORTED_BYTES", 1)
    sets = Comparators(matrix, communes())
    chosen = sets.of(CODES[3], ["departement"])[0]
    assert sets.ordered(chosen) is None
    assert sets.ordered(chosen) is not None
    assert sets._sorted == {}


def test_sets_of_a_comparator_hold_every_commune_once(sets):
    found = sets.sets_of("departement")
    assert {name: part.tolist() for name, part in found.items()} == {"01": list(range(30)), "02": list(range(30, 60))}
    assert sum(part.size for part in sets.sets_of("epci").values()) == 40
    assert list(sets.sets_of("pvd")) == ["pvd"]
    with pytest.raises(ParameterError, match="similar"):
        sets.sets_of("similar")


def test_a_town_is_told_among_the_others_or_beside_them(sets):
    inside = {name: sets.of(CODES[15], [name])[0].inside for name in ("departement", "pvd")}
    assert inside == {"departement": True, "pvd": True}
    assert not sets.of(CODES[50], ["pvd"])[0].inside
    assert not sets.listed(CODES[0], [CODES[0], CODES[1]]).inside


def test_size_classes_follow_the_population():
    frame = pl.DataFrame({"population": [0, 499, 500, 1999, 2000, 19999, 20000, 50000, None]})
    assert frame.select(size_class(pl.col("population"))).to_series().to_list() == [
        "0-499", "0-499", "500-1999", "500-1999", "2000-4999", "10000-19999", "20000-49999", "50000+", None,
    ]  # fmt: skip


def test_similar_set_leaves_the_outcome_out(matrix):
    generator = np.random.default_rng(1)
    names = ("population.total", "housing.vacancy_rate", "population.share_65_plus")
    values = table(
        *(value_rows(name, dict(zip(CODES, generator.uniform(1, 50, 60).tolist(), strict=True))) for name in names)
    )
    space = commune_matrix(values, CODES)
    features = [Feature(indicator=name, transform="none", weight=1, winsorise=(0, 1)) for name in names]
    chosen = Comparators(space, communes(), structure=structure_of(space, features)).of(CODES[0], ["similar"])[0]
    assert chosen.members.size == 50
    assert 0 not in chosen.members
    assert set(chosen.by_family) == {"size", "vacancy", "age"}
    assert chosen.members_for("vacancy").tolist() != chosen.members.tolist()
    assert chosen.members_for("income").tolist() == chosen.members.tolist()
