"""Golden figures: the whole build on the real files of the mirror, against the same files read with ``csv`` alone."""

from __future__ import annotations

import csv
from collections import defaultdict
from pathlib import Path

import polars as pl
import pytest

import golden_tools
from bourg.indicators.units import FRANCE_WITHOUT_MAYOTTE
from bourg.portrait.document import make_portrait
from bourg.portrait.observatory import Observatory
from bourg.settings import Settings
from bourg.store.snapshot import Snapshot
from golden_tools import MISSING, SECRET, TOWNS, code_of, rows

pytestmark = [pytest.mark.mirror, pytest.mark.xdist_group("golden")]
census, former, snapshot, values = golden_tools.census, golden_tools.former, golden_tools.snapshot, golden_tools.values


# The towns


@pytest.mark.parametrize("code", TOWNS)
def test_the_town_is_the_one_meant(snapshot: Snapshot, code: str) -> None:
    communes = snapshot.table("communes").filter(pl.col("code") == code).collect()
    assert communes["name"].to_list() == [TOWNS[code]]


@pytest.mark.parametrize("code", TOWNS)
def test_population_is_that_of_the_decree(values, former, census, snapshot, code: str) -> None:
    expected = sum(census[old] for old in former[code] if old in census)
    assert expected > 0
    assert values["population.total", "commune", code] == (float(expected), "ok")
    communes = snapshot.table("communes").filter(pl.col("code") == code).collect()
    assert communes.select("population", "population_year").rows() == [(expected, 2021)]


def test_populations_chosen_for_their_size(census: dict[str, int]) -> None:
    assert census["01448"] == 400
    assert 19_900 < census["84054"] < 20_000
    assert census["12145"] == 21_712


@pytest.mark.parametrize("code", TOWNS)
def test_median_income_is_that_of_filosofi(values, former, mirror: Path, code: str) -> None:
    found = [row for row in rows(mirror / "05_insee" / "cc_filosofi_2021_COM.csv") if row["CODGEO"] in former[code]]
    for column, indicator in (("MED21", "income.median"), ("TP6021", "income.poverty_rate")):
        published = values[indicator, "commune", code]
        if len(found) != 1:
            # A median of two towns is not the median of the town they became.
            assert published == MISSING
        elif found[0][column] in {"s", "ns"}:
            assert published == SECRET
        elif found[0][column] in {"", "nd", "so"}:
            assert published[0] is None
        else:
            assert published == (float(found[0][column].replace(",", ".")), "ok")


def test_secret_missing_and_zero_are_three_things(values) -> None:
    assert values["income.poverty_rate", "commune", "29155"] == SECRET
    assert values["income.median", "commune", "29155"] == (20790.0, "ok")
    assert values["income.median", "commune", "97608"] == MISSING
    assert values["income.median", "commune", "93066"] == MISSING
    assert values["population.total", "commune", "97608"] == MISSING
    assert values["culture.cinema_screens", "commune", "29155"] == (0.0, "ok")
    assert values["culture.inhabitants_per_screen", "commune", "29155"] == (None, "not_applicable")


@pytest.fixture(scope="session")
def equipment(mirror: Path) -> dict[str, int]:
    """Facilities of the BPE 2019 by commune of then."""
    counts: dict[str, int] = defaultdict(int)
    for row in rows(mirror / "03_bpe" / "bpe19_ensemble.csv.gz"):
        counts[row["DEPCOM"]] += int(row["NB_EQUIP"])
    return counts


@pytest.mark.parametrize("code", TOWNS)
def test_equipment_is_the_sum_of_the_bpe(values, former, equipment, code: str) -> None:
    expected = sum(equipment[old] for old in former[code] if old in equipment)
    assert expected > 0
    assert values["equipment.total_count", "commune", code] == (float(expected), "ok")


@pytest.fixture(scope="session")
def screens(mirror: Path) -> dict[str, int]:
    """Screens of the fixed cinemas in 2023, by commune."""
    path = next((mirror / "02_culture").glob("cinemas_etablissements_annual_data_*.csv"))
    counts: dict[str, int] = defaultdict(int)
    for row in rows(path):
        if row["year"] == "2023" and not row["GENRE"].upper().startswith("ITIN"):
            counts[code_of(row["DEPCOM"] or row["CODE COMMUNE"])] += int(row["ECRANS"])
    return counts


@pytest.mark.parametrize("code", TOWNS)
def test_screens_are_those_of_the_cnc(values, former, screens, code: str) -> None:
    expected = sum(screens.get(old, 0) for old in former[code])
    described = any(known.startswith(code[:3] if code.startswith("97") else code[:2]) for known in screens)
    # The file leaves the overseas departments out: it does not say that Saint-Denis has no cinema.
    assert described is (not code.startswith("97"))
    assert values["culture.cinema_screens", "commune", code] == ((float(expected), "ok") if described else MISSING)


@pytest.fixture(scope="session")
def festivals(mirror: Path) -> dict[str, int]:
    """Festivals by the code of their main commune, its lost zero given back."""
    path = mirror / "02_culture" / "festivals-global-festivals-pl.csv"
    with path.open(encoding="utf-8") as stream:
        table = csv.DictReader((line.lstrip("\ufeff") for line in stream), delimiter=";")
        counts: dict[str, int] = defaultdict(int)
        for row in table:
            counts[code_of(row["Code Insee commune"])] += 1
    return counts


@pytest.mark.parametrize("code", TOWNS)
def test_festivals_are_those_of_the_list(values, former, festivals, code: str) -> None:
    expected = sum(festivals.get(old, 0) for old in former[code])
    assert values["culture.festivals_count", "commune", code] == (float(expected), "ok")


@pytest.fixture(scope="session")
def counted_places(mirror: Path) -> dict[str, int]:
    """Cultural places counted by commune."""
    path = mirror / "02_culture" / "basilic_comptes_par_commune.csv"
    return {code_of(row["code_insee"]): int(row["nombre_d_equipements_culturels"]) for row in rows(path)}


@pytest.mark.parametrize("code", TOWNS)
def test_places_are_those_counted_by_basilic(values, former, counted_places, code: str) -> None:
    expected = sum(counted_places.get(old, 0) for old in former[code])
    assert values["culture.places_count", "commune", code] == (float(expected), "ok")


@pytest.fixture(scope="session")
def programme(mirror: Path) -> set[str]:
    """Towns of the complete list of the programme."""
    return {row["insee_com"] for row in rows(mirror / "01_programmes" / "pvd_beneficiaires_2024.csv", ",")}


@pytest.fixture(scope="session")
def observatory(snapshot: Snapshot, shared_tmp: Path) -> Observatory:
    return Observatory(snapshot, Settings(home=shared_tmp / "golden"))


@pytest.mark.parametrize("code", TOWNS)
def test_the_programme_has_the_towns_of_its_list(observatory: Observatory, programme: set[str], code: str) -> None:
    told = make_portrait(observatory, code).identity.pvd
    assert told["beneficiaire"] is (code in programme)
    # The complete list has no date of signature: unknown stays unknown.
    assert (told["depuis"], told["demo"]) == (None, False)


def test_towns_named_by_the_brief_are_in_the_programme(programme: set[str]) -> None:
    assert {"54397", "50076", "30133", "04209"} <= programme
    assert len(programme) == 1645


def test_identifiers_come_from_the_older_crossing_table(observatory: Observatory, mirror: Path) -> None:
    path = mirror / "01_programmes" / "anct_croisement_dispositifs_ngeo-anct-cog2023.csv"
    known = {row["insee_com"]: row["id_pvd"] for row in rows(path, ",") if row["id_pvd"]}
    told = observatory.pvd
    assert {code: told[code]["pvd_id"] for code in TOWNS if code in told} == {
        code: known.get(code) for code in TOWNS if code in told
    }


# The country


def test_every_population_of_the_decree_is_found_again(values, former, census, snapshot) -> None:
    together = {
        code
        for move in snapshot.read_json("report.json")["passages"]["population"].values()
        for item in move["non_deplacees"]
        for code in item["cibles"]
    }
    wrong, compared = {}, 0
    for code in snapshot.table("communes").select("code").collect()["code"]:
        published = values["population.total", "commune", code]
        if code in together or code.startswith("976"):
            assert published == MISSING
            continue
        compared += 1
        expected = sum(census[old] for old in former[code] if old in census)
        if published != (float(expected), "ok"):
            wrong[code] = (published, expected)
    assert wrong == {}
    assert compared > 34_800
    assert values["population.total", "france", FRANCE_WITHOUT_MAYOTTE] == (float(sum(census.values())), "ok")


def test_every_facility_of_the_bpe_is_in_the_country(values, equipment, snapshot) -> None:
    table = snapshot.table("equipment").filter(pl.col("year") == 2019).select(pl.col("n").sum()).collect()
    assert table.item() == sum(equipment.values())


def test_museums_are_in_the_town_they_name(snapshot: Snapshot) -> None:
    """One museum in twelve only has the centre of its postal code as a point, in the next commune."""
    table = snapshot.table("museums").select("city", "postal_code", "code").collect()
    placed = {(city, postal): code for city, postal, code in table.rows()}
    assert placed["SISTERON", "04200"] == "04209"
    assert placed["RODEZ", "12000"] == "12202"
    assert placed["GRENOBLE Cedex 1", "38031"] == "38185"
    assert table["code"].null_count() <= 5


def test_nothing_is_generated_and_nothing_failed(snapshot: Snapshot) -> None:
    assert not snapshot.demo
    report = snapshot.read_json("report.json")
    assert (report["echecs"], report["violations"]) == ([], [])
    statuses = pl.scan_parquet(snapshot.path("values.parquet")).select(pl.col("status").unique()).collect()
    assert "demo" not in statuses["status"].to_list()
    assert snapshot.verify() == []
