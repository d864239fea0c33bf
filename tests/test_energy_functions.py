"""Pure functions of energy: quotient, partial sums, years, masts, places; the generated files of the theme."""

from __future__ import annotations

import datetime as dt
import hashlib
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bourg.energy.coverage import coverage_rate, partial
from bourg.energy.evolution import power_by_year
from bourg.energy.masts import wind_farms
from bourg.energy.places import installations_geo
from bourg.energy.sectors import GROUPS, LABELS, REGION_OF
from bourg.energy.specialisation import shrunk_quotient
from bourg.sources.demo import energy as demo
from bourg.sources.demo.labels import DEPARTEMENTS, REGIONS
from bourg.sources.demo.territory import Territory, build_territory
from bourg.sources.model import get_source
from bourg.sources.readers.installations_energie import SECTORS
from bourg.sources.reading import read_resource
from bourg.store.snapshot import Snapshot

COLUMNS = {
    "installation_id": pl.String, "name": pl.String, "code": pl.String, "iris": pl.String, "departement": pl.String,
    "region": pl.String, "sector": pl.String, "technology": pl.String, "power_kw": pl.Float64, "n": pl.Int64,
    "small": pl.Boolean, "masts": pl.Int64, "commissioning_date": pl.Date, "commissioning_year": pl.Int32,
    "year_injected_kwh": pl.Float64, "energy_status": pl.String, "operator": pl.String, "level": pl.String,
}  # fmt: skip


def installation(**values: object) -> dict[str, object]:
    base = {"code": "48095", "sector": "wind", "n": 1, "small": False, "energy_status": "ok", "level": "commune"}
    return {**dict.fromkeys(COLUMNS), "departement": "48", "region": "76", **base, **values}


def table(*rows: dict[str, object]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=COLUMNS, orient="row")


def quotient(part: float, whole: float, reference: float, n: int) -> tuple[float | None, str | None]:
    frame = pl.DataFrame({"part": [part], "whole": [whole], "r": [reference], "n": [n]})
    return frame.select(shrunk_quotient(pl.col("part"), pl.col("whole"), pl.col("r"), pl.col("n"))).row(0)


def test_the_quotient_of_the_textbook_on_counts() -> None:
    # e_ij = 12 of e_i = 40, region 20 %: (12 + 30 x 0.2) / (40 + 30) / 0.2
    assert quotient(12, 40, 0.2, 40)[0] == pytest.approx(18 / 70 / 0.2)
    assert quotient(12, 40, 0.2, 29) == (None, "not_applicable")
    assert quotient(0, 0, 0.2, 40) == (None, "not_applicable")
    assert quotient(0, 40, 0.0, 40) == (None, "not_applicable")


@given(st.floats(0, 1), st.floats(0.01, 1), st.integers(30, 10_000))
def test_the_quotient_is_between_one_and_the_raw_ratio(share: float, reference: float, n: int) -> None:
    value, _ = quotient(share, 1.0, reference, n)
    assert value is not None
    raw = share / reference
    assert min(raw, 1) - 1e-9 <= value <= max(raw, 1) + 1e-9


def test_partial_sums_say_what_they_are() -> None:
    frame = pl.DataFrame({"known": [100.0, 96.0, 50.0, 0.0, 0.0], "unknown": [0.0, 4.0, 50.0, 10.0, 0.0],
                          "secret": [0.0, 4.0, 20.0, 10.0, 0.0]})  # fmt: skip
    told = frame.select(partial(pl.col("known"), pl.col("known"), pl.col("unknown"), pl.col("secret"))).rows()
    assert told == [(100.0, None), (96.0, "estimated"), (None, "missing"), (None, "secret"), (0.0, None)]


def test_coverage_is_in_percent_of_megawatt_hours() -> None:
    frame = pl.DataFrame({"kwh": [2e6, 0.0, 5.0], "mwh": [1000.0, 10.0, 0.0]})
    told = frame.select(coverage_rate(pl.col("kwh"), pl.col("mwh"))).rows()
    assert told == [(200.0, None), (0.0, None), (None, "not_applicable")]


def test_power_over_the_years_leaves_the_undated_apart() -> None:
    rows = [
        installation(power_kw=100.0, commissioning_date=dt.date(2010, 5, 1)),
        installation(power_kw=50.0, commissioning_date=dt.date(2012, 5, 1)),
        installation(power_kw=None, commissioning_date=dt.date(2015, 5, 1)),
        installation(power_kw=30.0, commissioning_date=dt.date(2018, 5, 1)),
        installation(sector="solar", power_kw=500.0, n=90),
    ]
    told = power_by_year(table(*rows)).select("label", "year", "power_kw", "n", "cumulated_kw").rows()
    assert told == [
        ("solaire", None, 500.0, 90, None), ("éolien", 2010, 100.0, 1, 100.0), ("éolien", 2012, 50.0, 1, 150.0),
        ("éolien", 2015, None, 1, None), ("éolien", 2018, 30.0, 1, None),
    ]  # fmt: skip


def test_a_mast_has_an_estimate_only_when_masts_and_production_are_known() -> None:
    farms = wind_farms(
        table(
            installation(installation_id="a", masts=6, year_injected_kwh=24e6),
            installation(installation_id="b", year_injected_kwh=24e6),
            installation(installation_id="c", masts=6, energy_status="secret"),
            installation(installation_id="d", masts=6, year_injected_kwh=24e6, code=None, level="region"),
            installation(installation_id="e", sector="solar", masts=6, year_injected_kwh=24e6),
        )
    )
    told = {row["installation_id"]: (row["mast_kwh"], row["mast_status"]) for row in farms.to_dicts()}
    assert told == {"a": (4e6, "estimated"), "b": (None, "missing"), "c": (None, "secret")}


def test_the_map_gives_the_finest_honest_point() -> None:
    rows = table(
        installation(installation_id="a", masts=6, year_injected_kwh=24e6, commissioning_date=dt.date(2010, 5, 1)),
        installation(installation_id="b", sector="solar", iris="480950101", level="iris"),
        installation(installation_id="c", code=None, level="departement"),
        installation(installation_id="d", code="48999"),
    )
    communes = pl.DataFrame({"code": ["48095"], "longitude": [3.5], "latitude": [44.5]})
    iris = pl.DataFrame({"iris": ["480950101"], "longitude": [3.6], "latitude": [44.6]})
    mapped = installations_geo(rows, communes, iris)
    assert mapped.placed.select("installation_id", "place", "longitude", "latitude").rows() == [
        ("a", "commune", 3.5, 44.5),
        ("b", "iris", 3.6, 44.6),
    ]
    assert mapped.unplaced["installation_id"].to_list() == ["c", "d"]
    first = mapped.to_geojson()["features"][0]
    assert first["geometry"]["coordinates"] == [3.5, 44.5]
    assert first["properties"]["commissioning_date"] == "2010-05-01"
    assert (first["properties"]["mast_kwh"], first["properties"]["mast_status"]) == (4e6, "estimated")
    coarse = installations_geo(rows, communes).placed
    assert coarse["place"].unique().to_list() == ["commune"]


def test_sectors_and_regions_are_complete() -> None:
    grouped = [sector for sectors in GROUPS.values() for sector in sectors]
    assert sorted(grouped) == sorted(set(SECTORS.values())) == sorted(LABELS)
    assert set(REGION_OF) == set(DEPARTEMENTS)
    assert set(REGION_OF.values()) == set(REGIONS)


# The generated files


@pytest.fixture(scope="module")
def territory(registry: dict[str, pl.DataFrame]) -> Territory:
    return build_territory(registry["communes"], registry["iris"], epci=registry["epci"])


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory, territory: Territory) -> dict[str, pl.DataFrame]:
    folder = tmp_path_factory.mktemp("energy")
    demo.write_register(folder, territory, 7, dirty=True)
    demo.write_production(folder, territory, 7)
    demo.write_consumption(folder, territory, 7)
    tables: dict[str, pl.DataFrame] = {}
    for name in ("registre_installations", "production_electrique", "consommation_energie"):
        source = get_source(name)
        resource = next(item for item in source.resources if item.demo)
        tables |= read_resource(folder / str(resource.demo), source, resource)[0]
    return tables


def test_the_demonstration_has_the_national_totals(generated: dict[str, pl.DataFrame]) -> None:
    sums = generated["energy_installations"].group_by("sector").agg(pl.col("power_kw").sum() / 1e6, pl.col("n").sum())
    power = {sector: gigawatts for sector, gigawatts, _ in sums.iter_rows()}
    for sector, expected in (("solar", 25.0), ("wind", 22.9), ("hydro", 25.7), ("bio", 2.2), ("thermal", 17.0)):
        assert power[sector] == pytest.approx(expected, rel=0.15)
    used = generated["energy_use"].group_by("variable").agg(pl.col("value").sum() / 1e6)
    told = dict(used.iter_rows())
    assert told["ELEC"] == pytest.approx(400, rel=0.01)
    assert told["GAS"] == pytest.approx(290, rel=0.01)
    solar = generated["energy_production"].filter(pl.col("sector") == "solar")
    assert {"ok", "secret"} == set(solar["status"])
    assert not solar["code"].str.contains(r"^(2[AB]|97)").any()


def test_both_files_of_production_speak_of_the_same_sites(generated: dict[str, pl.DataFrame]) -> None:
    farms = generated["energy_installations"].filter(
        (pl.col("sector") == "wind") & (pl.col("power_kw") < 12_000) & ~pl.col("departement").str.contains("2|97")
    )
    towns = generated["energy_production"].filter((pl.col("sector") == "wind") & (pl.col("mwh") > 0))["code"].unique()
    told = farms.filter(pl.col("year_injected_kwh") > 0)["code"].drop_nulls().unique()
    assert told.is_in(towns.to_list()).mean() > 0.99


def test_the_theme_is_in_the_snapshot(small_snapshot: Snapshot) -> None:
    values = (
        pl.scan_parquet(small_snapshot.path("values.parquet"))
        .filter(pl.col("indicator").str.starts_with("energy."))
        .collect()
    )
    power = values.filter(pl.col("indicator") == "energy.power_solar")
    lozere = power.filter((pl.col("level") == "departement") & (pl.col("code") == "48")).row(0, named=True)
    towns = power.filter((pl.col("level") == "commune") & pl.col("code").str.starts_with("48"))
    # The roofs without a commune: 38.5 kW in each department of the demonstration.
    assert lozere["status"] == "demo"
    assert lozere["value"] == pytest.approx(towns["value"].sum() + 38.5)
    rate = values.filter((pl.col("indicator") == "energy.coverage_rate") & (pl.col("code") == "48"))
    assert rate["status"].to_list() == ["demo"]


def test_same_seed_same_bytes(tmp_path: Path, territory: Territory) -> None:
    def digest(folder: str, seed: int) -> list[str]:
        target = tmp_path / folder
        target.mkdir()
        files = [
            demo.write_register(target, territory, seed, dirty=False), demo.write_production(target, territory, seed),
            demo.write_consumption(target, territory, seed),
        ]  # fmt: skip
        return [hashlib.sha256(path.read_bytes()).hexdigest() for path in files]

    first = digest("a", 1)
    assert first == digest("b", 1)
    assert all(one != other for one, other in zip(first, digest("c", 2), strict=True))
