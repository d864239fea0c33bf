"""Indicators of access on tables small enough to be worked out by hand."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bourg.access.travel.reach import (
    join_nearest,
    minutes_text,
    quarter_hour,
    reach_indicators,
    share_curve,
    unserved_places,
    weighted_quantile,
    with_levels,
)
from bourg.errors import ParameterError
from bourg.indicators.parameters import parameter

SCHEMA = {
    "point_id": pl.String, "code": pl.String, "inhabitants": pl.Float64, "minutes": pl.Float64, "status": pl.String,
}  # fmt: skip


def reach(*rows: tuple[str, str, float | None, float | None, str], family: str = "pharmacie") -> pl.DataFrame:
    frame = pl.DataFrame(rows, schema=SCHEMA, orient="row")
    return frame.with_columns(family=pl.lit(family), mode=pl.lit("foot"), longitude=pl.lit(2.0), latitude=pl.lit(48.0))


TOWN = reach(
    ("p1", "01001", 40.0, 4.0, "ok"),
    ("p2", "01001", 10.0, 12.0, "ok"),
    ("p3", "01001", 45.0, 25.0, "ok"),
    ("p4", "01001", 5.0, None, "beyond"),
    ("q1", "01002", 30.0, 5.0, "ok"),
    ("q2", "01002", 70.0, None, "beyond"),
)


def test_median_and_shares_by_commune() -> None:
    first, second = reach_indicators(TOWN, limit_min=30).rows(named=True)
    assert (first["median"], first["median_status"], first["p90"], first["p90_status"]) == (12.0, "ok", 25.0, "ok")
    assert [first[f"within_{t}"] for t in (5, 10, 15, 20, 30)] == pytest.approx([0.4, 0.4, 0.5, 0.5, 0.95])
    assert first["out_of_reach"] == pytest.approx(0.05)
    # More than half are beyond the limit: the median is « plus de 30 min », not a missing value.
    assert (second["median"], second["median_status"]) == (None, "beyond")
    assert second["within_5"] == pytest.approx(0.3)
    assert minutes_text(second["median"], second["median_status"], 30) == "plus de 30\u00a0min"
    assert minutes_text(first["median"], "ok", 30) == "12\u00a0min"


def test_a_larger_place_is_made_of_its_points() -> None:
    communes = pl.DataFrame({"code": ["01001", "01002"], "epci": ["E", "E"], "departement": ["01", "01"]})
    rows = with_levels(TOWN, communes)
    (whole,) = reach_indicators(rows, limit_min=30, by=("epci",)).rows(named=True)
    assert (whole["epci"], whole["inhabitants"], whole["median"]) == ("E", 200.0, 25.0)
    assert whole["out_of_reach"] == pytest.approx(0.375)
    (everything,) = reach_indicators(rows, limit_min=30, by=()).rows(named=True)
    assert everything["median"] == 25.0


def test_beyond_unreachable_and_unknown_are_three_things() -> None:
    table = reach(
        ("a", "1", 10.0, 3.0, "ok"), ("b", "1", 30.0, None, "unreachable"),
        ("c", "2", 10.0, 3.0, "ok"), ("d", "2", 90.0, None, "unsnapped"),
        ("e", "3", 10.0, 3.0, "ok"), ("f", "3", 10.0, None, "unsnapped"), ("g", "3", 5.0, None, "beyond"),
        ("h", "4", None, 3.0, "ok"),
    )  # fmt: skip
    rows = {row["code"]: row for row in reach_indicators(table, limit_min=20).rows(named=True)}
    assert rows["1"]["median_status"] == "unreachable"
    assert (rows["2"]["median_status"], rows["2"]["within_5"], rows["2"]["unknown"]) == ("unknown", None, 90.0)
    # Known inhabitants only: 10 within 5 minutes out of 15.
    assert (rows["3"]["median"], rows["3"]["p90_status"]) == (3.0, "beyond")
    assert rows["3"]["within_5"] == pytest.approx(2 / 3)
    # A threshold above the limit of the search cannot be told.
    assert rows["3"]["within_30"] is None
    assert "4" not in rows
    assert minutes_text(None, "unreachable", 20) == "inaccessible par ce réseau"
    assert minutes_text(None, "unknown", 20) == "inconnu : loin de toute rue"
    assert minutes_text(0.4, "ok", 20) == "moins d'1\u00a0min"


@given(
    st.lists(st.tuples(st.floats(0, 100), st.integers(0, 50)), min_size=1, max_size=30),
    st.sampled_from([0.1, 0.5, 0.9, 1.0]),
)
def test_quantile_is_the_smallest_time_that_holds_the_share(rows: list[tuple[float, int]], share: float) -> None:
    minutes, weights = np.array([row[0] for row in rows]), np.array([float(row[1]) for row in rows])
    found = weighted_quantile(minutes, weights, share)
    if weights.sum() == 0:
        assert np.isnan(found)
        return
    assert weights[minutes <= found].sum() >= share * weights.sum() * (1 - 1e-9)
    assert weights[minutes < found].sum() < share * weights.sum() * (1 + 1e-9)


def test_quantile_of_whole_people_repeats_them() -> None:
    minutes, people = np.array([7.0, 1.0, np.inf, 4.0]), np.array([2, 3, 1, 4])
    one_by_one = np.sort(np.repeat(minutes, people))
    for rank in range(1, 11):
        assert weighted_quantile(minutes, people.astype(float), rank / 10) == one_by_one[rank - 1]


def test_curve() -> None:
    rows = share_curve(TOWN, [0, 5, 12, 30])
    assert rows.select("minutes", "share").rows() == [
        (0.0, 0.0), (5.0, 0.35), (12.0, 0.4), (30.0, pytest.approx(0.625)),
    ]  # fmt: skip


def test_quarter_hour_score() -> None:
    declared = parameter("quarter_hour", package="bourg.access")["families"]
    near = [reach(("a", "1", 30.0, 14.0, "ok"), ("b", "1", 10.0, 40.0, "ok"), family=name) for name in declared[:9]]
    far = [
        reach(("a", "1", 30.0, None, "beyond"), ("b", "1", 10.0, 15.0, "ok"), family=name) for name in declared[9:12]
    ]
    other = reach(("a", "1", 30.0, 1.0, "ok"), ("b", "1", 10.0, 1.0, "ok"), family="piscine")
    score, points = quarter_hour(pl.concat([*near, *far, other]))
    (row,) = score.rows(named=True)
    # 30 inhabitants reach 9 families of 12 and 10 reach 3 of 12.
    assert row["score"] == pytest.approx((30 * 9 / 12 + 10 * 3 / 12) / 40)
    assert row["score_low"] == pytest.approx(row["score"] * 12 / len(declared))
    assert row["families"] == pytest.approx((30 * 9 + 10 * 3) / 40)
    assert (row["known"], row["declared"]) == (12, len(declared))
    assert sorted(row["unknown_families"]) == sorted(declared[12:])
    assert points.select("point_id", "reached", "known").rows() == [("a", 9, 12), ("b", 3, 12)]
    # Too few families are known: the score is not told.
    (little,) = quarter_hour(pl.concat(near[:2]))[0].rows(named=True)
    assert little["score"] is None
    assert 12 <= len(declared) <= 20


def test_unserved_places_go_to_the_nearest_hamlet() -> None:
    table = TOWN.with_columns(
        longitude=pl.Series([2.0, 2.0, 2.1, 2.15, 2.2, 2.3]), latitude=pl.Series([48.0, 48.0, 48.1, 48.15, 48.2, 48.3])
    )
    hamlets = pl.DataFrame({"name": ["Le Bas", "Le Haut"], "longitude": [2.1, 2.29], "latitude": [48.1, 48.3]})
    rows = unserved_places(table, 20, places=hamlets)
    assert rows.select("place", "points", "inhabitants", "minutes", "beyond").rows() == [
        ("Le Haut", 1, 70.0, None, 70.0),
        ("Le Bas", 2, 50.0, 25.0, 5.0),
    ]
    assert rows["longitude"].to_list() == pytest.approx([2.3, (2.1 * 45 + 2.15 * 5) / 50])
    by_commune = unserved_places(table, 20)
    assert by_commune.select("place", "inhabitants").rows() == [("01002", 70.0), ("01001", 50.0)]
    assert unserved_places(table.filter(pl.col("status") == "ok"), 60, places=hamlets).is_empty()


def test_times_are_joined_by_id_or_by_rank() -> None:
    points = pl.DataFrame({"point_id": ["a", "b"], "inhabitants": [1.0, 2.0]})
    times = pl.DataFrame(
        {"origin": [0, 1], "facility": ["x", None], "minutes": [3.0, None], "status": ["ok", "beyond"]}
    )
    by_rank = join_nearest(points, times, family="gare", mode="bike")
    assert by_rank.select("point_id", "minutes", "family", "mode").rows() == [
        ("a", 3.0, "gare", "bike"),
        ("b", None, "gare", "bike"),
    ]
    by_id = join_nearest(points, times.with_columns(origin=pl.Series(["a", "b"])), family="gare", mode="bike")
    assert by_id.equals(by_rank)
    with pytest.raises(ParameterError, match="pas de temps"):
        join_nearest(points, times.head(1), family="gare", mode="bike")


def test_bad_tables_are_refused() -> None:
    with pytest.raises(ParameterError, match="incomplète"):
        reach_indicators(TOWN.drop("status"), limit_min=30)
    with pytest.raises(ParameterError, match="n'existe pas"):
        reach_indicators(reach(("a", "1", 1.0, 1.0, "perdu")), limit_min=30)
    with pytest.raises(ParameterError, match="pas de temps"):
        reach_indicators(reach(("a", "1", 1.0, None, "ok")), limit_min=30)
    assert reach_indicators(TOWN.clear(), limit_min=30).is_empty()
