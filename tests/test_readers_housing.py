"""Readers of housing tables: dirty values, secrecy, and figures checked against the official files."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from bourg.build.merging_measures import combine_measures
from bourg.errors import SourceFormatError
from bourg.sources import measures
from bourg.sources.report import ReadReport
from measure_tools import facts, raw_rows, read, read_mirror, values_of, write

# Shared cells


def test_parsed_tells_secret_missing_and_unreadable_apart() -> None:
    report = ReadReport()
    texts = ["s", "NS", "nd", None, "35,28%", "0", "1 234,5", "0,00 €", "beaucoup"]
    frame = measures.parsed(pl.DataFrame({"raw": texts}), report)
    assert frame["status"].to_list() == ["secret", "secret", "missing", "missing", "ok", "ok", "ok", "ok", "missing"]
    assert frame["value"].to_list() == [None, None, None, None, 35.28, 0.0, 1234.5, 0.0, None]
    assert report.mended == {"valeur illisible, dite manquante (« beaucoup »)": 1}


def test_finish_never_chooses_between_contradictions() -> None:
    report = ReadReport()
    rows = [("1001", 10.0), ("01001", 10.0), ("01002", 1.0), ("01002", 2.0), ("XX", 5.0)]
    frame = pl.DataFrame(
        [(code, 2024, "RATE", value, "ok") for code, value in rows], schema=measures.SCHEMA, orient="row"
    )
    result = measures.finish(frame, report)
    assert facts(result, "01001") == {"RATE": (10.0, "ok")}
    assert facts(result, "01002") == {"RATE": (None, "missing")}
    assert report.mended["ligne répétée à l'identique, comptée une fois"] == 1
    assert report.mended["valeurs contradictoires d'une même commune, dites manquantes"] == 1
    assert report.rejected["code commune illisible"].examples == ["XX"]
    added = measures.finish(frame, ReadReport(), additive=("RATE",))
    assert facts(added, "01002") == {"RATE": (3.0, "ok")}


def test_combined_files_complete_one_another_and_never_add_up() -> None:
    def frame(rows: list[tuple[Any, ...]]) -> pl.DataFrame:
        return pl.DataFrame(rows, schema=measures.SCHEMA, orient="row")

    first = frame([("01001", 2025, "A", 5.0, "ok"), ("75056", 2025, "A", 1.0, "ok"), ("75056", 2025, "A", 2.0, "ok")])
    second = frame([("01001", 2025, "A", 9.0, "ok"), ("01001", 2025, "B", 7.0, "ok"), ("01001", 2026, "A", 6.0, "ok")])
    combined = combine_measures([first, second])
    assert combined.select("code", "year", "variable", "value").rows() == [
        ("01001", 2025, "A", 5.0),
        ("01001", 2025, "B", 7.0),
        ("01001", 2026, "A", 6.0),
        ("75056", 2025, "A", 1.0),
        ("75056", 2025, "A", 2.0),
    ]


# LOVAC


@pytest.mark.parametrize("prefix", ["ff_pp_total", "pp_total"])
def test_lovac_editions_and_secrets(tmp_path: Path, prefix: str) -> None:
    content = (
        f"CODGEO_25;LIBGEO_25;pp_vacant_25;pp_vacant_plus_2ans_25;{prefix}_24;pp_vacant_24;EPCI_25\n"
        "1004;Ambérieu;374;207;5 949;628;240100883\n2A004;Ajaccio;0;s;s;;241000000\n"
    )
    tables, report = read("lovac", "2025", write(tmp_path / "l.csv", content, "cp1252"))
    frame = tables["lovac"]
    assert facts(frame, "01004", 2025) == {"VACANT": (374.0, "ok"), "VACANT_2Y": (207.0, "ok")}
    assert facts(frame, "01004", 2024) == {"PRIVATE": (5949.0, "ok"), "VACANT": (628.0, "ok")}
    assert facts(frame, "2A004", 2025) == {"VACANT": (0.0, "ok"), "VACANT_2Y": (None, "secret")}
    assert facts(frame, "2A004", 2024) == {"PRIVATE": (None, "secret"), "VACANT": (None, "missing")}
    assert report.mended["code commune à quatre caractères : zéro de tête rendu"] == 4


def test_lovac_without_its_columns_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceFormatError, match="pp_vacant_plus_2ans"):
        read("lovac", "2025", write(tmp_path / "l.csv", "CODGEO_25;LIBGEO_25;autre\n01004;A;3\n"))


@pytest.mark.mirror
def test_lovac_equals_the_official_file_everywhere(mirror: Path) -> None:
    frame = read_mirror("lovac", "2025", mirror)[0]["lovac"]
    rows = raw_rows(mirror / "10_dvf_dpe/lovac_communes_2025_plus2ans.csv", ";")
    column = "pp_vacant_plus_2ans_25"
    expected = {
        row["CODGEO_25"]: (None, "secret") if row[column] == "s" else (float(row[column]), "ok") for row in rows
    }
    found = {code: (value, status) for code, value, status in frame.select("code", "value", "status").iter_rows()}
    assert found == expected
    assert len(found) == 34_912
    for code, value in (("04209", 297), ("12145", 918), ("2A004", 1387), ("97608", 145), ("35236", 231)):
        assert found[code] == (value, "ok")
    assert found["01001"] == (None, "secret")


@pytest.mark.mirror
def test_lovac_2026_of_one_department(mirror: Path) -> None:
    frame = read_mirror("lovac", "2026_95", mirror)[0]["lovac"]
    assert facts(frame, "95355", 2026) == {"VACANT": (236.0, "ok"), "VACANT_2Y": (107.0, "ok")}
    assert facts(frame, "95355", 2025) == {
        "PRIVATE": (2054.0, "ok"),
        "VACANT": (186.0, "ok"),
        "VACANT_2Y": (117.0, "ok"),
    }
    assert facts(frame, "95002", 2025) == {
        "PRIVATE": (None, "secret"),
        "VACANT": (23.0, "ok"),
        "VACANT_2Y": (11.0, "ok"),
    }
    assert facts(frame, "95652", 2020)["VACANT"] == (282.0, "ok")


# RPLS and SRU


def test_rpls_secret_details_are_secret_in_both_files(tmp_path: Path) -> None:
    counts = (
        "DEPCOM_ARM,LIBCOM,nb_loues,nb_vacants,nb_vides,nb_ls\n"
        "1001,A,31,1,0,32\n01002,B,,,,4\n01003,C,0,0,0,0\n01004,D,9,1,0,10\n"
    )
    tables, _ = read("rpls", "effectifs_2024", write(tmp_path / "e.csv", counts, "utf-8-sig"))
    stock = {code: n for code, _, n in tables["social_housing"].iter_rows()}
    assert stock == {"01001": 32, "01002": 4, "01003": 0, "01004": 10}
    frame = tables["rpls_rates"]
    assert facts(frame, "01001") == {"RENTED": (31.0, "ok"), "VACANT": (1.0, "ok")}
    assert facts(frame, "01002") == {"RENTED": (None, "secret"), "VACANT": (None, "secret")}
    assert facts(frame, "01003") == {"RENTED": (0.0, "ok"), "VACANT": (0.0, "ok")}
    # The producer would have emptied these cells: a file that forgot to does not undo the secrecy.
    assert facts(frame, "01004") == {"RENTED": (None, "secret"), "VACANT": (None, "secret")}
    rates = (
        "REG,DEP,DEPCOM_ARM,LIBCOM,densite,nb_ls,tx_vac,tx_mob\n"
        "84,01,01001,A,9.38,32,3.1,9.09\n84,01,01002,B,2.1,4,25,50\n"
    )
    frame = read("rpls", "taux_2024", write(tmp_path / "t.csv", rates))[0]["rpls_rates"]
    assert facts(frame, "01001") == {"DENSITY": (9.38, "ok"), "MOBILITY": (9.09, "ok")}
    assert facts(frame, "01002") == {"DENSITY": (2.1, "ok"), "MOBILITY": (None, "secret")}


@pytest.mark.mirror
def test_rpls_equals_the_official_file(mirror: Path) -> None:
    tables, report = read_mirror("rpls", "effectifs_2024", mirror)
    rows = raw_rows(mirror / "13_logement_social/rpls_2024_communes_effectifs.csv", ",")
    assert {code: n for code, _, n in tables["social_housing"].iter_rows()} == {
        row["DEPCOM_ARM"]: int(row["nb_ls"]) for row in rows
    }
    details = tables["rpls_rates"]
    assert facts(details, "12145") == {"RENTED": (1337.0, "ok"), "VACANT": (32.0, "ok")}
    assert facts(details, "97101") == {"RENTED": (9319.0, "ok"), "VACANT": (239.0, "ok")}
    # Every empty cell of the file is secret; a dozen communes without dwelling have none of it.
    assert details.filter(pl.col("status") == "secret").height == 2 * sum(0 < int(row["nb_ls"]) < 11 for row in rows)
    assert report.rejected == {}
    rates = read_mirror("rpls", "taux_2024", mirror)[0]["rpls_rates"]
    assert facts(rates, "01004") == {"DENSITY": (30.42, "ok"), "MOBILITY": (10.1169, "ok")}


def test_sru_text_percentages_and_towns_outside_the_law(tmp_path: Path) -> None:
    content = (
        "Code_INSEE_commune;Nom_commune;Commune_sru_au_01_01_2025;Commune_sru_au_01_01_2024;"
        "Nombre_lls_ Inventaire_au_01_01_2024;Taux_SRU_au_01_01_2024;commune_deficitaire;Commune_carencée;"
        "Taux_cible_commune_2023_2025\n"
        "95018;ARGENTEUIL;1;1;15 102;35,28%;0;0;25%\n1004;AMBERIEU;0;0;;;;;\n"
    )
    frame = read("sru", "2025_95", write(tmp_path / "sru.csv", content, "cp1252"))[0]["sru"]
    assert facts(frame, "95018", 2024) == {
        "RATE": (35.28, "ok"),
        "DWELLINGS": (15102.0, "ok"),
        "TARGET": (25.0, "ok"),
        "DEFICIT": (0.0, "ok"),
        "BREACH": (0.0, "ok"),
    }
    assert {status for _, status in facts(frame, "01004").values()} == {"not_applicable"}


def test_sru_without_year_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceFormatError, match="Taux_SRU"):
        read("sru", "2025_95", write(tmp_path / "sru.csv", "Code_INSEE_commune;Taux_SRU\n95018;35,28%\n"))


@pytest.mark.mirror
def test_sru_equals_the_official_file(mirror: Path) -> None:
    frame = read_mirror("sru", "2025_95", mirror)[0]["sru"]
    rows = raw_rows(mirror / "13_logement_social/sru_95.csv", ";", "cp1252")
    rates = {
        row["Code_INSEE_commune"]: float(row["Taux_SRU_au_01_01_2024"].strip("%").replace(",", ".")) for row in rows
    }
    found = frame.filter(pl.col("variable") == "RATE")
    assert dict(found.select("code", "value").iter_rows()) == rates
    assert len(rates) == 64
    assert facts(frame, "95351")["RATE"] == (23.99, "ok")
    assert "95355" not in rates


# DVF

DVF = (
    "id_mutation,date_mutation,nature_mutation,valeur_fonciere,code_commune,id_parcelle,lot1_numero,"
    "code_type_local,surface_reelle_bati,nombre_pieces_principales\n"
)


def _sales(count: int, kind: str = "1", start: int = 0, code: str = "95355") -> list[str]:
    return [
        f"m{start + rank},2024-03-01,Vente,{(1000 + 10 * rank) * 100},{code},p{start + rank},,{kind},100,4"
        for rank in range(count)
    ]


def test_dvf_counts_sales_of_one_dwelling_only(tmp_path: Path) -> None:
    lines = [
        *_sales(11),
        # The same house on two natures of land, and its garage: one sale.
        "m0,2024-03-01,Vente,100000,95355,p0,,1,100,4",
        "m0,2024-03-01,Vente,100000,95355,p0,,3,,0",
        # Two flats at once, a shop with its flat, an exchange, a sale off plan, a symbolic price, no surface.
        "x1,2024-03-01,Vente,300000,95355,p90,1,2,50,2",
        "x1,2024-03-01,Vente,300000,95355,p90,2,2,60,3",
        "x2,2024-03-01,Vente,300000,95355,p91,,1,90,4",
        "x2,2024-03-01,Vente,300000,95355,p91,,4,40,0",
        "x3,2024-03-01,Echange,300000,95355,p92,,1,90,4",
        "x4,2024-03-01,Vente en l'état futur d'achèvement,300000,95355,p93,,1,90,4",
        "x5,2024-03-01,Vente,1,95355,p94,,1,90,4",
        "x6,2024-03-01,Vente,200000,95355,p95,,1,,4",
        *_sales(10, "2", start=100),
    ]
    path = tmp_path / "dvf.csv.gz"
    path.write_bytes(gzip.compress((DVF + "\n".join(lines) + "\n").encode()))
    tables, report = read("dvf", "2024_95", path)
    assert facts(tables["property_prices"], "95355", 2024) == {
        "SALES_HOUSE": (11.0, "ok"),
        "MEDIAN_M2_HOUSE": (1050.0, "ok"),
        "SALES_FLAT": (10.0, "ok"),
        "MEDIAN_M2_FLAT": (None, "secret"),
    }
    assert report.rejected["logement vendu sans prix ou sans surface"].count == 2


def test_dvf_french_dates_commas_and_lost_zeros(tmp_path: Path) -> None:
    lines = [line.replace(",", ";").replace("2024-03-01", "01/03/2024") for line in _sales(11, code="1004")]
    lines[0] = lines[0].replace(";100000;", ";100000,00;")
    path = write(tmp_path / "dvf.csv", DVF.replace(",", ";") + "\n".join(lines) + "\n", "cp1252")
    frame = read("dvf", "2024_95", path)[0]["property_prices"]
    assert facts(frame, "01004", 2024)["MEDIAN_M2_HOUSE"] == (1050.0, "ok")


@pytest.mark.mirror
def test_dvf_2025_medians(mirror: Path) -> None:
    tables, report = read_mirror("dvf", "2025_95", mirror)
    frame = tables["property_prices"]
    # Independent figures: csv and statistics modules of Python over the unpacked file.
    expected = {
        "95355": (44, 2437.1560675883256, 14, 1909.5238095238096),
        "95652": (53, 3016.9491525423728, 10, None),
        "95370": (32, 2873.9772727272725, 4, None),
        "95351": (51, 2912.087912087912, 50, 3366.600790513834),
        "95250": (86, 2749.701848539058, 12, 2993.761770244821),
        "95018": (344, 3805.940594059406, 473, 3083.3333333333335),
    }
    for code, (houses, house, flats, flat) in expected.items():
        found = facts(frame, code, 2025)
        assert found["SALES_HOUSE"] == (houses, "ok")
        assert found["MEDIAN_M2_HOUSE"] == (house, "ok")
        assert found["SALES_FLAT"] == (flats, "ok")
        assert found["MEDIAN_M2_FLAT"] == ((flat, "ok") if flat else (None, "secret"))
    assert facts(frame, "95002", 2025) == {"SALES_HOUSE": (10.0, "ok"), "MEDIAN_M2_HOUSE": (None, "secret")}
    assert report.rows_read == 39_954


@pytest.mark.mirror
def test_dvf_file_that_went_through_a_spreadsheet(mirror: Path) -> None:
    frame = read("dvf", "2025_95", mirror / "10_dvf_dpe/DVF-83-Toulon-2024-2025_brut.csv")[0]["property_prices"]
    assert set(frame["code"]) == {"83137"}
    assert set(frame["year"]) == {2024, 2025}
    assert facts(frame, "83137", 2024)["SALES_FLAT"][0] > 500  # type: ignore[operator]


@pytest.mark.mirror
def test_mean_prices_equal_the_file_or_are_secret(mirror: Path) -> None:
    frame = read_mirror("prix_communes", "2024", mirror)[0]["mean_prices"]
    assert facts(frame, "12145") == {"SALES": (272.0, "ok"), "MEAN_M2": (1979.0, "ok")}
    assert facts(frame, "2A004") == {"SALES": (651.0, "ok"), "MEAN_M2": (3956.0, "ok")}
    assert facts(frame, "01001") == {"SALES": (4.0, "ok"), "MEAN_M2": (None, "secret")}
    rows = raw_rows(mirror / "10_dvf_dpe/indicateurs_immobiliers_communes_2024.csv", ",")
    shown = frame.filter((pl.col("variable") == "MEAN_M2") & (pl.col("status") == "ok"))
    assert dict(shown.select("code", "value").iter_rows()) == {
        row["INSEE_COM"]: float(row["Prixm2Moyen"])
        for row in rows
        if int(row["nb_mutations"]) >= 11 and row["INSEE_COM"] != "NA"
    }


# From the files to the values


@pytest.mark.mirror
def test_values_are_missing_outside_the_department_and_years_do_not_mix(mirror: Path) -> None:
    lovac = combine_measures([read_mirror("lovac", name, mirror)[0]["lovac"] for name in ("2025", "2026_95")])
    ids = ["housing.lovac_vacant_2y", "housing.lovac_vacancy_rate", "housing.lovac_vacant_change"]
    found = values_of(ids, "95355", "12145", "01001", lovac=lovac)
    national = {code: found["housing.lovac_vacant_2y", code] for code in ("95355", "12145", "01001")}
    # The edition of 2026 covers one department: all communes keep that of 2025, so that they can be ranked together.
    assert {row["period"] for row in national.values()} == {"2025"}
    assert [national[code]["value"] for code in ("95355", "12145")] == [117.0, 918.0]
    assert national["01001"]["status"] == "secret"
    rate = found["housing.lovac_vacancy_rate", "95355"]
    assert (rate["value"], rate["period"]) == (pytest.approx(100 * 186 / 2054), "2025")
    assert found["housing.lovac_vacancy_rate", "12145"]["status"] == "missing"
    change = found["housing.lovac_vacant_change", "95355"]
    assert (change["value"], change["period"]) == (pytest.approx(100 * (236 - 186) / 186), "2025-2026")
    # Before the break of 2025 there is nothing to compare 2025 with.
    alone = lovac.filter(pl.col("year") <= 2025)
    blocked = values_of(["housing.lovac_vacant_change"], "95355", lovac=alone)
    assert blocked["housing.lovac_vacant_change", "95355"]["status"] == "not_applicable"
