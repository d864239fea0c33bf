"""Readers of economy, local finance, tenure, rents and permits: dirty values, figures checked by hand."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import polars as pl
import pytest

from bourg.errors import SourceFormatError
from measure_tools import facts, read, read_mirror, values_of, write

# Job seekers

MONTHS = [
    "janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre", "novembre",
    "décembre",
]  # fmt: skip


def test_job_seekers_mean_needs_twelve_months(tmp_path: Path) -> None:
    lines = [f"1053,{month}_2024,{100 + 10 * rank}" for rank, month in enumerate(MONTHS)]
    lines += [f"01344,{month} 2024,390" for month in MONTHS[:11]]
    lines += [f"01283,{month}_2024,{'s' if month == 'mai' else 5}" for month in MONTHS]
    lines += ["01,janvier_2024,9000", "971,janvier_2024,9000", "reg11,janvier_2024,9000", "01053,carnaval_2024,3"]
    path = write(tmp_path / "d.csv", "codgeo,YEAR,Demandeurs_Emploi\n" + "\n".join(lines) + "\n")
    tables, report = read("demandeurs_emploi", "mensuel_2020_2024", path)
    frame = tables["job_seekers"]
    assert facts(frame, "01053", 2024) == {"MEAN": (155.0, "ok")}
    assert facts(frame, "01344", 2024) == {"MEAN": (None, "missing")}
    assert facts(frame, "01283", 2024) == {"MEAN": (None, "secret")}
    assert report.rejected["mois illisible"].count == 1
    assert any("régions" in note for note in report.notes)


@pytest.mark.mirror
def test_job_seekers_means(mirror: Path) -> None:
    tables, report = read_mirror("demandeurs_emploi", "mensuel_2020_2024", mirror)
    frame = tables["job_seekers"]
    # awk over the file: 2262.5, 1025.83, 1302.5 and 644.167 in 2024; 2454.17 in 2020.
    for code, year, value in (
        ("12145", 2024, 2263),
        ("35236", 2024, 1026),
        ("29103", 2024, 1303),
        ("12208", 2024, 644),
        ("12145", 2020, 2454),
    ):
        assert facts(frame, code, year) == {"MEAN": (float(value), "ok")}
    # One of 46 towns that the third party repeated, with the same figures: counted once.
    assert facts(frame, "01313", 2020)["MEAN"][1] == "ok"
    assert report.mended["valeurs contradictoires d'une même commune, dites manquantes"] == 593
    assert frame.filter(pl.col("code") == "95370").is_empty()


@pytest.mark.mirror
def test_figures_given_to_a_village_by_mistake_are_not_shown(mirror: Path) -> None:
    frame = read_mirror("demandeurs_emploi", "mensuel_2020_2024", mirror)[0]["job_seekers"]
    # Mousson has a hundred inhabitants: these are the job seekers of Pont-à-Mousson.
    assert facts(frame, "54390", 2024) == {"MEAN": (1333.0, "ok")}
    people = pl.DataFrame({"code": ["54390", "12145"], "year": [2021, 2021], "pmun": [102, 21_859]})
    found = values_of(["economy.job_seekers"], "54390", "12145", job_seekers=frame, population=people)
    assert found["economy.job_seekers", "54390"]["status"] == "missing"
    assert found["economy.job_seekers", "12145"]["value"] == 2263


@pytest.mark.mirror
def test_job_seekers_of_the_dares(mirror: Path) -> None:
    frame = read_mirror("demandeurs_emploi", "dares", mirror)[0]["job_seekers"]
    assert facts(frame, "91540", 2024)["Q4"] == (310.0, "ok")
    assert facts(frame, "91027", 2024)["Q4"] == (3065.0, "ok")
    assert facts(frame, "91001", 2015)["Q4"] == (10.0, "ok")
    assert facts(frame, "91001", 2015)["Q4_UNDER_25"] == (0.0, "ok")


# Flores

FLORES = "GEO;GEO_OBJECT;ACTIVITY;NUMBER_EMPL;LEGAL_FORM_WITH_PUBLIC;FLORES_MEASURE;OBS_STATUS;TIME_PERIOD;OBS_VALUE\n"


def test_flores_totals_employers_and_secrets(tmp_path: Path) -> None:
    lines = [
        "12145;COM;_T;_T;1T9X7;UNIT_LOC;A;2024;640",
        "12145;COM;_T;E0;1T9X7;UNIT_LOC;A;2024;430",
        "12145;COM;_T;_T;1T9X7;EMPL3112;A;2024;9800",
        "12145;COM;FZ;_T;1T9X7;UNIT_LOC;A;2024;60",
        "12145;COM;_T;E1T4;1T9X7;UNIT_LOC;A;2024;120",
        "12;DEP;_T;_T;1T9X7;UNIT_LOC;A;2024;20000",
        "2024-COM-12202;COM;_T;_T;1T9X7;UNIT_LOC;A;2024;0",
        "12202;COM;_T;_T;1T9X7;EMPL3112;O;2024;",
    ]
    path = tmp_path / "flores.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("DS_FLORES_A17_2024_data.csv", FLORES + "\n".join(lines) + "\n")
        archive.writestr("DS_FLORES_A17_2024_metadata.csv", "COD_VAR;LIB\n" * 500)
    frame = read("flores", "2024", path)[0]["establishments"]
    assert facts(frame, "12145", 2024) == {"UNITS": (640.0, "ok"), "EMPLOYERS": (210.0, "ok"), "JOBS": (9800.0, "ok")}
    assert facts(frame, "12202", 2024) == {"UNITS": (0.0, "ok"), "JOBS": (None, "missing")}
    secret = FLORES.replace("OBS_STATUS", "CONF_STATUS;OBS_STATUS") + "12145;COM;_T;_T;1T9X7;EMPL3112;C;A;2024;\n"
    frame = read("flores", "2024", write(tmp_path / "f.csv", secret))[0]["establishments"]
    assert facts(frame, "12145") == {"JOBS": (None, "secret")}


# OFGL and taxes

OFGL = "Exercice;Code Insee 2024 Commune;Catégorie;Type de budget;Agrégat;Montant;Population totale\n"


def test_ofgl_keeps_communes_main_budgets_and_possible_amounts(tmp_path: Path) -> None:
    lines = [
        "2023;1004;Commune;Budget principal;Dépenses de fonctionnement;1000000,50;15000",
        "2023;1004;Commune;Budget annexe;Dépenses de fonctionnement;5000;15000",
        "2023;01004;Commune;Budget principal;Epargne brute;-2000;15000",
        "2023;01004;Commune;Budget principal;Encours de dette;-1;15000",
        "2023;01004;Commune;Budget principal;Charges financières;3;15000",
        "2023;01004;PARIS;Budget principal;Encours de dette;7;15000",
    ]
    path = write(tmp_path / "o.csv", OFGL + "\n".join(lines) + "\n", "utf-8-sig")
    tables, report = read("ofgl", "communes", path)
    assert facts(tables["finances"], "01004", 2023) == {
        "DRF": (1000000.5, "ok"),
        "GROSS": (-2000.0, "ok"),
        "DEBT": (None, "missing"),
        "POPULATION": (15000.0, "ok"),
    }
    assert report.mended["montant négatif d'un agrégat qui ne peut pas l'être, dit manquant"] == 1
    assert report.rejected["ligne d'une collectivité qui n'est pas une commune"].count == 1


@pytest.mark.mirror
def test_finance_indicators_equal_the_amounts_per_inhabitant_of_ofgl(mirror: Path) -> None:
    finances = read_mirror("ofgl", "echantillon", mirror)[0]["finances"]
    expected = {
        # Published by OFGL in « Montant en € par habitant ».
        "operating_spending": 1016.2390899668326,
        "operating_revenue": 1125.0242951907132,
        "debt": 1594.3631073797678,
        "gross_savings": 108.7852052238806,
        # 2 452 673.02 ÷ 4 902 337.37 and 7 691 207.63 ÷ 524 779.83, by hand.
        "staff_share": 50.030686077,
        "debt_years": 14.6560656,
    }
    found = values_of([f"finance.{name}" for name in expected], "31135", "31136", finances=finances)
    for name, value in expected.items():
        row = found[f"finance.{name}", "31135"]
        assert row["value"] == pytest.approx(value, rel=1e-8)
        assert row["period"] == "2023"
        assert found[f"finance.{name}", "31136"]["status"] == "missing"


def test_taxes_flags_and_rates(tmp_path: Path) -> None:
    content = "code_commune;type_taxe;taux\n1004;THLV;0.25\n01005;THLV;\n01006;TLV;\n01007;;\n01008;IFI;0.1\n"
    tables, report = read("taxes_vacance", "2023", write(tmp_path / "t.csv", content))
    frame = tables["vacancy_taxes"]
    assert facts(frame, "01004") == {"THLV": (1.0, "ok"), "THLV_RATE": (25.0, "ok"), "TLV": (0.0, "ok")}
    assert facts(frame, "01005")["THLV_RATE"] == (None, "missing")
    assert facts(frame, "01006") == {"THLV": (0.0, "ok"), "THLV_RATE": (None, "not_applicable"), "TLV": (1.0, "ok")}
    assert facts(frame, "01007")["THLV_RATE"] == (None, "not_applicable")
    assert report.rejected["taxe inconnue"].examples == ["IFI"]


@pytest.mark.mirror
def test_taxes_of_some_towns(mirror: Path) -> None:
    frame = read_mirror("taxes_vacance", "2023", mirror)[0]["vacancy_taxes"]
    assert facts(frame, "12145")["THLV_RATE"] == (100 * 0.214448242652584, "ok")
    assert facts(frame, "12208")["THLV_RATE"] == (100 * 0.116516491306619, "ok")
    assert facts(frame, "2A004")["TLV"] == (1.0, "ok")
    assert facts(frame, "35236")["THLV"] == (0.0, "ok")
    assert frame.filter((pl.col("variable") == "THLV") & (pl.col("value") == 1)).height == 4627
    assert frame.filter((pl.col("variable") == "TLV") & (pl.col("value") == 1)).height == 1181


# Tenure, rents, permits, commuting


@pytest.mark.mirror
def test_tenure_adds_rooms_and_types(mirror: Path) -> None:
    frame = read_mirror("statut_occupation", "2023_95", mirror)[0]["tenure"]
    # Independent sums with the csv module.
    expected = {
        "95355": (2493.22037, 1241.57472, 496.46001, 714.56673, 40.61891),
        "95652": (2286.13542, 1727.04435, 408.93694, 111.86219, 38.29194),
    }
    for code, values in expected.items():
        found = facts(frame, code, 2023)
        names = ("TOTAL", "OWNERS", "PRIVATE_TENANTS", "SOCIAL_TENANTS", "FREE")
        assert tuple(found[name][0] for name in names) == pytest.approx(values, rel=1e-12)


def test_tenure_with_an_unknown_cell_is_missing(tmp_path: Path) -> None:
    tenures = ["Propriétaire", "Locataire de logement parc privé vide", "Locataire de logement parc social vide"]
    header = ",".join(f'"1 pièce\n{name}\nMaison"' for name in tenures)
    content = f"Code géographique,Libellé géographique,{header}\n1004,A,3,1.5,\n95355,B,4,0,2\n"
    frame = read("statut_occupation", "2023_95", write(tmp_path / "t.csv", content))[0]["tenure"]
    assert facts(frame, "01004")["SOCIAL_TENANTS"] == (None, "missing")
    assert facts(frame, "01004")["TOTAL"] == (None, "missing")
    assert facts(frame, "95355")["TOTAL"] == (6.0, "ok")


@pytest.mark.mirror
def test_rents_are_copied_and_estimated(mirror: Path) -> None:
    flats = read_mirror("loyers", "appartements_2025_95", mirror)[0]["rents"]
    houses = read_mirror("loyers", "maisons_2025_95", mirror)[0]["rents"]
    assert facts(flats, "95355", 2025)["FLAT"] == (15.3371855312771, "estimated")
    assert facts(flats, "95652", 2025)["FLAT"] == (16.8510990726082, "estimated")
    assert facts(houses, "95355", 2025)["HOUSE"] == (12.5921035632153, "estimated")
    assert facts(houses, "95652", 2025) == {
        "HOUSE": (17.080804090503, "estimated"),
        "HOUSE_LOW": (13.3182531383387, "estimated"),
        "HOUSE_HIGH": (21.906316492685, "estimated"),
    }


@pytest.mark.mirror
def test_permits_of_some_towns(mirror: Path) -> None:
    frame = read_mirror("sitadel", "2025_95", mirror)[0]["permits"]
    assert facts(frame, "95018", 2025) == {
        "DWELLINGS": (271.0, "ok"),
        "INDIVIDUAL": (77.0, "ok"),
        "COLLECTIVE": (194.0, "ok"),
    }
    assert [facts(frame, "95355", year)["DWELLINGS"][0] for year in range(2022, 2026)] == [6, 24, 1, 5]


def test_permits_without_value_are_missing(tmp_path: Path) -> None:
    content = (
        "ANNEE;COMM;TYPE_LGT;LOG_AUT;LOG_COM\n2025;1004;Tous Logements;;\n2025;1004;Individuel pur;2;\n"
        "2025;1004;Individuel groupe;;\n2025;1004;Péniche;4;\n"
    )
    tables, report = read("sitadel", "2025_95", write(tmp_path / "s.csv", content))
    assert facts(tables["permits"], "01004") == {"DWELLINGS": (None, "missing"), "INDIVIDUAL": (None, "missing")}
    assert report.rejected["type de logement inconnu"].examples == ["Péniche"]


@pytest.mark.mirror
def test_commuting_profiles(mirror: Path) -> None:
    frame = read_mirror("navettes", "2022_95", mirror)[0]["commuting"]
    told = facts(frame, "95355", 2022)
    assert {name: told[name] for name in ("RESIDENTS", "LOCAL", "JOBS")} == {
        "RESIDENTS": (2547.6, "ok"),
        "LOCAL": (534.4, "ok"),
        "JOBS": (2132.2, "ok"),
    }
    found = values_of(["economy.work_in_commune_share"], "95355", commuting=frame)
    assert found["economy.work_in_commune_share", "95355"]["value"] == pytest.approx(100 * 534.4 / 2547.6)


@pytest.mark.parametrize(
    "content",
    [
        "COMMUNE;ARM;DCLT;IPONDI\n95355;ZZZZZ;95355;1.5\n95355;ZZZZZ;75101;2,5\n95652;ZZZZZ;95355;4\n95652;ZZZZZ;AL000;1\n",
        (
            "CODGEO;LIBGEO;DCLT;L_DCLT;NBFLUX_C22_ACTOCC15P\n95355;A;95355;A;1.5\n95355;A;75101;P;2.5\n"
            "95652;B;95355;A;4\n95652;B;AL000;E;1\n"
        ),
    ],
    ids=["mobpro", "flows"],
)
def test_commuting_national_layouts(tmp_path: Path, content: str) -> None:
    frame = read("navettes", "2022_95", write(tmp_path / "RP2022_mobpro.csv", content))[0]["commuting"]
    assert facts(frame, "95355") == {
        "RESIDENTS": (4.0, "ok"),
        "LOCAL": (1.5, "ok"),
        "JOBS": (5.5, "ok"),
        "FIRST_OUT": (2.5, "ok"),
    }
    assert facts(frame, "95652") == {"RESIDENTS": (5.0, "ok"), "LOCAL": (0.0, "ok"), "FIRST_OUT": (4.0, "ok")}
    assert facts(frame, "75101") == {"JOBS": (2.5, "ok")}


@pytest.mark.parametrize("content", ['{"95355": ', '{"95355": {"code": "95355"}}', "[1, 2]"])
def test_commuting_bad_json_is_a_typed_error(tmp_path: Path, content: str) -> None:
    with pytest.raises(SourceFormatError, match="JSON"):
        read("navettes", "2022_95", write(tmp_path / "p.json", content))
    grouped = {"code": "CC", "kind": "epci", "residents": 1, "local": 1, "workers": 1}
    with pytest.raises(SourceFormatError, match="Aucune ligne"):
        read("navettes", "2022_95", write(tmp_path / "g.json", json.dumps({"CC": grouped})))
