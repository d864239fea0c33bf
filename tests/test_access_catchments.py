"""Floating catchments: the published example, PySAL on the same tables, conservation of supply, refusals."""

from __future__ import annotations

import datetime as dt
import warnings
from collections.abc import Callable

import numpy as np
import polars as pl
import pytest

from bourg.access.travel.catchments import (
    apl_type,
    default_weights,
    floating_catchment,
    sensitivity_band,
    step_weights,
)
from bourg.errors import ParameterError

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from access import fca

TRACTS = ("1", "2", "3")
PEOPLE = pl.DataFrame({"origin": TRACTS, "demand": [100.0, 50.0, 10.0]})
DOCTORS = pl.DataFrame({"destination": TRACTS, "supply": [15.0, 20.0, 100.0]})
# Inbound, outbound and cross-city minutes of the hospital example of PySAL, and its published scores.
SCENARIOS = [(40, 40, 80), (20, 40, 80), (40, 20, 80), (20, 20, 40)]
GRAVITY = [
    (0.331444, 0.579828, 7.286418),
    (0.435340, 0.683724, 5.727977),
    (0.331072, 0.577858, 7.299992),
    (0.442568, 0.666758, 5.740525),
]
THREE = [
    (0.156257, 0.406216, 9.906352),
    (0.173814, 0.423772, 9.643002),
    (0.156526, 0.406373, 9.902877),
    (0.174802, 0.424036, 9.631801),
]
PLAIN = [(0.761364, 0.958333, 1.094697)] * 3 + [(0.843750,) * 3]
STEPS = [
    (0.747592, 0.959256, 1.227799),
    (0.765449, 0.977113, 0.959942),
    (0.743506, 0.940476, 1.362554),
    (0.835417, 0.852083, 0.885417),
]


def inverse(minutes: np.ndarray) -> np.ndarray:
    return 1 / minutes


def hospital(inbound: float, outbound: float, cross: float) -> pl.DataFrame:
    times = {("1", "3"): inbound, ("2", "3"): inbound, ("3", "1"): outbound, ("3", "2"): outbound}
    times |= {("1", "2"): cross, ("2", "1"): cross} | {(tract, tract): 1 for tract in TRACTS}
    rows = [(origin, destination, float(minutes)) for (origin, destination), minutes in times.items()]
    return pl.DataFrame(rows, schema=["origin", "destination", "minutes"], orient="row")


@pytest.mark.parametrize("case", range(4))
def test_hospital_example(case: int) -> None:
    od = hospital(*SCENARIOS[case])

    def scores(**options: object) -> list[float]:
        return floating_catchment(od, PEOPLE, DOCTORS, **options).scores["score"].to_list()  # type: ignore[arg-type]

    assert scores(weights=inverse, variant="2sfca", limit_min=61) == pytest.approx(GRAVITY[case], abs=5e-7)
    assert scores(weights=inverse, variant="3sfca", limit_min=61) == pytest.approx(THREE[case], abs=5e-7)
    assert scores(weights={61: 1}, variant="2sfca") == pytest.approx(PLAIN[case], abs=5e-7)
    assert scores(weights={20: 1, 40: 0.68, 60: 0.22}) == pytest.approx(STEPS[case], abs=5e-7)


def random_tables(seed: int) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    rng = np.random.default_rng(seed)
    n, m = int(rng.integers(5, 60)), int(rng.integers(2, 20))
    people = pl.DataFrame({"origin": [f"p{i}" for i in range(n)], "demand": rng.integers(0, 900, n).astype(float)})
    offers = pl.DataFrame({"destination": [f"s{j}" for j in range(m)], "supply": rng.random(m) * 12})
    kept = rng.random((n, m)) < 0.5
    # Whole minutes fall on the bounds of the steps, where a mistake would show.
    i, j = np.nonzero(kept)
    minutes = np.round(rng.random(i.size) * 70, int(rng.integers(0, 3)))
    od = pl.DataFrame({
        "origin": people["origin"].gather(i), "destination": offers["destination"].gather(j), "minutes": minutes,
    })  # fmt: skip
    return od, people, offers


def pysal(
    function: Callable[..., object],
    tables: tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame],
    steps: dict[float, float],
) -> dict[str, float]:
    """Return the scores of PySAL: its frames, its weights."""
    od, people, offers = tables
    bounds = sorted(steps)

    def weight(minutes: float) -> float:
        return next((steps[bound] for bound in bounds if minutes <= bound), 0.0)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = function(
            demand_df=people.to_pandas().set_index("origin"),
            supply_df=offers.to_pandas().set_index("destination"),
            cost_df=od.to_pandas(),
            max_cost=max(steps),
            demand_index=True,
            demand_name="demand",
            supply_index=True,
            supply_name="supply",
            cost_origin="origin",
            cost_dest="destination",
            cost_name="minutes",
            weight_fn=weight,
        )
    return found.to_dict()  # type: ignore[attr-defined, no-any-return]


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("variant", ["2sfca", "e2sfca", "3sfca", "apl"])
def test_same_scores_as_pysal(seed: int, variant: str) -> None:
    od, people, offers = random_tables(seed)
    steps = default_weights(variant)  # type: ignore[arg-type]
    made = floating_catchment(od, people, offers, variant=variant)  # type: ignore[arg-type]
    function = fca.three_stage_fca if variant == "3sfca" else fca.two_stage_fca
    expected = {key: value for key, value in pysal(function, (od, people, offers), steps).items() if np.isfinite(value)}
    ours = dict(made.scores.select("origin", "score").iter_rows())
    assert {key: ours[key] for key in expected} == pytest.approx(expected, abs=1e-9, rel=1e-9)
    assert all(score == 0 for key, score in ours.items() if key not in expected)
    # What people get is what is offered to somebody, no more and no less.
    given = float((made.scores["score"] * people["demand"]).sum())
    reached = made.supplies.filter(status="ok")["supply"].sum()
    assert given == pytest.approx(reached, rel=1e-12)
    assert set(made.scores.filter(pl.col("reached") == 0)["status"]) <= {"none_reached"}


def test_supply_without_anybody_near_is_said() -> None:
    od = pl.DataFrame({"origin": ["a"], "destination": ["x"], "minutes": [5.0]})
    people = pl.DataFrame({"origin": ["a", "b"], "demand": [10.0, 4.0]})
    offers = pl.DataFrame({"destination": ["x", "y"], "supply": [2.0, 7.0]})
    made = floating_catchment(od, people, offers, variant="2sfca")
    assert made.supplies.select("destination", "ratio", "status").rows() == [("x", 0.2, "ok"), ("y", None, "no_demand")]
    assert made.scores.rows() == [("a", 0.2, 1, "ok"), ("b", 0.0, 0, "none_reached")]


def test_steps_include_their_bound() -> None:
    weigh = step_weights({10: 1.0, 20: 0.68})
    times = np.array([0.0, 10.0, 10.0 + 1e-12, 10.001, 20.0, 20.1])
    assert weigh(times).tolist() == [1.0, 1.0, 1.0, 0.68, 0.68, 0.0]


def test_apl_type_is_dated_and_never_called_apl() -> None:
    od = pl.DataFrame({"origin": ["a", "a"], "destination": ["x", "y"], "minutes": [12.0, 18.0]})
    people = pl.DataFrame({"origin": ["a"], "inhabitants": [300.0], "age_0_19": [100.0], "age_65_plus": [50.0]})
    offers = pl.DataFrame({"destination": ["x", "y"], "supply": [900.0, 600.0]})
    today = apl_type(od, people, offers)
    assert today.label == "estimation de type APL"
    assert today.scores["score"].to_list() == pytest.approx([5.0])
    assert any("pas l'APL publiée par la Drees" in note for note in today.notes)
    assert any("pas pondérée par l'âge" in note for note in today.notes)
    # In 2013 the supply counted up to 15 minutes only.
    before = apl_type(od, people, offers, date=dt.date(2013, 1, 1))
    assert before.scores.select("score", "reached").rows() == [(pytest.approx(3.0), 1)]
    aged = apl_type(od, people, offers, needs={"age_0_19": 0.5, "age_65_plus": 2.0})
    assert aged.scores["score"].to_list() == pytest.approx([1500 / 150])
    published = apl_type(od, pl.DataFrame({"origin": ["a"], "standardised": [250.0]}), offers)
    assert published.scores["score"].to_list() == pytest.approx([6.0])
    with pytest.raises(ParameterError, match="classe d'âge"):
        apl_type(od, people, offers, needs={"age_20_64": 1.0})


def test_sensitivity_to_times() -> None:
    od = pl.DataFrame({"origin": ["a", "b"], "destination": ["x", "x"], "minutes": [9.0, 11.0]})
    people = pl.DataFrame({"origin": ["a", "b"], "demand": [10.0, 10.0]})
    offers = pl.DataFrame({"destination": ["x"], "supply": [1.0]})
    weights = {10: 1.0, 20: 0.5}
    band = sensitivity_band(od, people, offers, weights, od_limit_min=24)
    # At 9 and 11 min: 1/(10+5). Shorter: both within 10. Longer (10.35 and 12.65): both in the second step.
    assert band["score"].to_list() == pytest.approx([1 / 15, 0.5 / 15])
    assert band["low"].to_list() == pytest.approx([0.05, 0.5 / 15])
    assert band["high"].to_list() == pytest.approx([1 / 15, 0.05])
    with pytest.raises(ParameterError, match="s'arrête trop tôt"):
        sensitivity_band(od, people, offers, weights, od_limit_min=20)
    with pytest.raises(ParameterError, match="marge"):
        sensitivity_band(od, people, offers, weights, shift=1.5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"minutes": [-1.0, 2.0]}, "négatif"),
        ({"minutes": [float("nan"), 2.0]}, "inconnu"),
        ({"minutes": [None, 2.0]}, "inconnu"),
        ({"origin": ["a", "a"]}, "trajet est répété"),
    ],
)
def test_bad_times_are_refused(change: dict[str, list[object]], message: str) -> None:
    od = pl.DataFrame({"origin": ["a", "b"], "destination": ["x", "x"], "minutes": [1.0, 2.0]} | change, strict=False)
    people = pl.DataFrame({"origin": ["a", "b"], "demand": [1.0, 1.0]})
    offers = pl.DataFrame({"destination": ["x"], "supply": [1.0]})
    with pytest.raises(ParameterError, match=message):
        floating_catchment(od, people, offers)


def test_bad_values_are_refused() -> None:
    od = pl.DataFrame({"origin": ["a"], "destination": ["x"], "minutes": [1.0]})
    people = pl.DataFrame({"origin": ["a"], "demand": [1.0]})
    offers = pl.DataFrame({"destination": ["x"], "supply": [1.0]})
    with pytest.raises(ParameterError, match="inconnue ou négative"):
        floating_catchment(od, people.with_columns(demand=pl.lit(None, dtype=pl.Float64)), offers)
    with pytest.raises(ParameterError, match="répété"):
        floating_catchment(od, people, pl.concat([offers, offers]))
    with pytest.raises(ParameterError, match="n'existe pas"):
        floating_catchment(od, people, offers, variant="4sfca")  # type: ignore[arg-type]
    for steps in ({}, {10: -1.0}, {-5: 1.0}, {float("nan"): 1.0}):
        with pytest.raises(ParameterError, match="paliers"):
            floating_catchment(od, people, offers, steps)
    empty = floating_catchment(od.clear(), people, offers)
    assert empty.scores.rows() == [("a", 0.0, 0, "none_reached")]
