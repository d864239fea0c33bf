"""Readers of programmes, France services, car-pooling, emergency distances, maternity units and recorded crime."""

from __future__ import annotations

import datetime as dt
import gzip
import json
from pathlib import Path

import polars as pl
import pytest

from bourg.errors import SourceFormatError
from bourg.sources.model import get_source
from bourg.sources.reading import Tables, read_resource
from bourg.sources.report import ReadReport

SOURCES = {
    "dispositifs_anct", "villes_acv", "ort", "operations_anah", "france_services", "covoiturage", "urgences",
    "maternites", "delinquance",
}  # fmt: skip
PERSONAL = ("mail", "telephone", "tel", "contact", "operateur", "remarques", "actualise", "personne")


def read(source_id: str, resource_id: str, path: Path) -> tuple[Tables, ReadReport]:
    source = get_source(source_id)
    resource = next(item for item in source.resources if item.id == resource_id)
    return read_resource(path, source, resource)


def write(path: Path, content: str, encoding: str = "utf-8") -> Path:
    path.write_text(content, encoding=encoding)
    return path


# Programmes


def test_cross_table_of_2026_has_another_order_and_separator(tmp_path: Path) -> None:
    content = (
        "insee_com;lib_com;id_pvd;id_ti;id_crte;id_acv;id_ami;id_fabp;id_habinclus;id_fs;id_amm;id_acv2;id_va;id_site;"
        "id_cite;id_cde\n"
        '30140;Lasalle;;;crte-76-30-2;;"ami-mas-04 ; ami-mas-05";;hab-1;1264;;;va-30-882;;;\n'
        "1004;Ambérieu;;;;acv-008;;;;634;;acv-008;;;;\n"
    )
    tables, report = read("dispositifs_anct", "croisement2023", write(tmp_path / "ngeo.csv", content))
    rows = tables["programmes"].select("code", "programme", "programme_id", "status", "source").rows()
    assert rows == [
        ("01004", "ACV", "acv-008", "signed", "dispositifs_anct"),
        ("30140", "AMI", "ami-mas-04 ; ami-mas-05", "signed", "dispositifs_anct"),
        ("30140", "CRTE", "crte-76-30-2", "signed", "dispositifs_anct"),
        ("30140", "VA", "va-30-882", "signed", "dispositifs_anct"),
    ]
    assert report.mended["code commune à quatre caractères : zéro de tête rendu"] == 1


def test_list_of_acv_with_french_dates_and_geojson_with_numbers(tmp_path: Path) -> None:
    content = (
        "insee_com,lib_com,id_acv,date_signature\n80001,Abbeville,acv-001,05-07-2018\n01004,Ambérieu,acv-008,bientôt\n"
    )
    tables, report = read("villes_acv", "liste", write(tmp_path / "acv.csv", content))
    assert tables["programmes"].select("code", "programme_id", "signature_date").rows() == [
        ("01004", "acv-008", None),
        ("80001", "acv-001", dt.date(2018, 7, 5)),
    ]
    assert report.mended["date de signature illisible, vidée"] == 1
    point = {"type": "Feature", "properties": {"insee_com": 1004, "id_acv": "ACV008"}, "geometry": None}
    geojson = write(tmp_path / "acv.geojson", json.dumps({"type": "FeatureCollection", "features": [point]}))
    tables, _ = read("villes_acv", "liste", geojson)
    assert tables["programmes"]["code"].to_list() == ["01004"]


def test_ort_multiline_remarks_and_states(tmp_path: Path) -> None:
    content = (
        'Commune,EPCI,Code commune,Signée ?,"Si signée, date de signature",Date de fin estimée,Remarques,Par\n'
        '29 - Brest,Brest Métropole,29019,Signée,2020-06-23,20-02-2026,"Rencontre\nde M. Untel",CENSORED\n'
        "12 - Ailleurs,CC,12202,Non signée,2024-01-01,,,\n"
        "12 - En cours,CC,12208,En cours,,,,\n"
        "12 - Vide,CC,12300,,,,,\n"
    )
    tables, report = read("ort", "suivi", write(tmp_path / "ort.csv", content))
    frame = tables["programmes"]
    assert frame.select("code", "status", "signature_date", "end_date").rows() == [
        ("12202", "planned", None, None),
        ("12208", "planned", None, None),
        ("29019", "signed", dt.date(2020, 6, 23), dt.date(2026, 2, 20)),
    ]
    assert report.rejected["état de la convention non renseigné"].count == 1
    assert report.mended["date de signature d'une convention non signée, vidée"] == 1
    assert not any("Untel" in str(cell) for row in frame.rows() for cell in row)


@pytest.mark.mirror
def test_programmes_of_the_mirror(mirror: Path) -> None:
    crossed, report = read(
        "dispositifs_anct", "croisement2023", mirror / "01_programmes/anct_croisement_dispositifs_ngeo-anct-cog2023.csv"
    )
    assert report.rows_read == 35_039
    counts = dict(crossed["programmes"].group_by("programme").len().iter_rows())
    assert counts == {
        "PVD": 1653, "TI": 18737, "CRTE": 34944, "ACV": 246, "AMI": 3124, "FABP": 2586, "AMM": 2520, "CITE": 219,
        "CDE": 280, "VA": 2498,
    }  # fmt: skip
    sisteron = crossed["programmes"].filter(code="04209")
    assert dict(sisteron.select("programme", "programme_id").iter_rows()) == {
        "PVD": "pvd-93-04-11", "TI": "ti-9307", "CRTE": "crte-93-04-5", "AMM": "amm-alp-32",
    }  # fmt: skip
    acv, _ = read("villes_acv", "liste", mirror / "01_programmes/acv_coeurdeville.geojson")
    assert acv["programmes"].height == 244
    assert acv["programmes"]["code"].str.len_chars().unique().to_list() == [5]
    ort, report = read("ort", "suivi", mirror / "01_programmes/ort.csv")
    assert (report.rows_read, ort["programmes"].height) == (2290, 2213)
    assert ort["programmes"].filter(status="signed").height == 1896
    dates = dict(ort["programmes"].filter(status="signed").select("code", "signature_date").iter_rows())
    assert dates["12145"] == dt.date(2019, 7, 16)
    assert dates["35236"] == dt.date(2020, 1, 22)
    assert "2A041" not in dates


def test_housing_operations_are_judged_on_the_day_of_the_file(tmp_path: Path) -> None:
    content = (
        "com_arm_code,com_code,id_programme,libelle_programme,type_programme,operateur,debut_programme,fin_programme\n"
        "95355,95355,P1,PIG,PIG,UN TEL,2024-10-01,2026-08-04\n95355,95355,P2,OPAH,OPAH,,2020-01-01,2026-08-03\n"
        "95355,95355,P3,OPAH,OPAH,,2026-08-05,2030-01-01\n95355,95355,P4,OPAH,OPAH,,2022-01-01,\n"
        "75101,75056,P5,OPAH,OPAH,,2022-01-01,2030-01-01\n75102,75056,P5,OPAH,OPAH,,2022-01-01,2030-01-01\n"
        "95355,95355,P6,OPAH,OPAH,,jamais,2030-01-01\n"
    )
    tables, report = read("operations_anah", "95", write(tmp_path / "anah.csv", content))
    frame = tables["housing_operations"]
    assert dict(frame.select("operation_id", "status").iter_rows()) == {
        "P1": "current", "P2": "ended", "P3": "planned", "P4": "current", "P5": "current",
    }  # fmt: skip
    assert report.rejected["commune et opération déjà lues"].count == 1
    assert report.rejected["date de début illisible"].count == 1
    source = get_source("operations_anah")
    undated = source.resources[1].model_copy(update={"vintage": "un jour"})
    with pytest.raises(SourceFormatError, match="date"):
        read_resource(tmp_path / "anah.csv", source, undated)


@pytest.mark.mirror
def test_housing_operations_of_the_mirror(mirror: Path) -> None:
    tables, report = read("operations_anah", "95", mirror / "01_programmes/anah_opah_95.csv")
    assert report.rows_read == 348
    assert tables["housing_operations"].filter(code="95355")["status"].to_list() == ["ended", "ended"]


# France services


def test_corsican_code_and_itinerant_structures(tmp_path: Path) -> None:
    content = (
        "MATRICULE,lib_france_services,insee_com,CONTACT.MAIL,TELEPHONE,ITINERANCE,FORMAT_FS,LATITUDE,LONGITUDE\n"
        "1,Valserhône,01033,x@y.fr,0102030405,Non,Espace labellisé,46.1,5.8\n"
        "2,Bus,2B14,,,Oui,Antenne,42.5,9.4\n3,Nulle part,XX,,,,,0,0\n4,Sans rien,12145,,,,,,\n"
    )
    tables, report = read("france_services", "2021", write(tmp_path / "fs.csv", content))
    assert tables["france_services"].select("place_id", "code", "kind", "itinerant", "latitude").rows() == [
        ("1", "01033", "espace", False, 46.1),
        ("4", "12145", None, None, None),
        ("2", "2B014", "antenne", True, 42.5),
    ]
    assert report.mended["code corse à quatre caractères : zéro rendu"] == 1
    assert report.rejected["code commune illisible"].count == 1


@pytest.mark.mirror
def test_france_services_of_the_mirror(mirror: Path) -> None:
    folder = mirror / "01_programmes"
    recent, _ = read("france_services", "croisement2023", folder / "anct_croisement_dispositifs_ngeo-anct-cog2023.csv")
    assert recent["france_services"].height == 2703
    assert recent["france_services"].filter(code="29039")["place_id"].to_list() == ["1875", "2961"]
    located, report = read("france_services", "2021", folder / "france_services_2021.geojson")
    assert located["france_services"].height == report.rows_read == 908
    assert located["france_services"]["longitude"].null_count() == 0
    assert located["france_services"]["itinerant"].sum() == 53
    first, _ = read("france_services", "2020", folder / "france_services_2020_geocode.csv")
    assert first["france_services"].height == 483
    assert first["france_services"]["itinerant"].sum() == 18


# Car-pooling, emergencies, maternity units


def test_carpool_places_states_and_points(tmp_path: Path) -> None:
    content = (
        '"id_lieu","nom_lieu","insee","type","ouvert","Xlong","Ylat","nbre_pl"\n'
        '"a","A","1004","Parking","True","5.34","45.95","12"\n"b","B","12145","Auto-stop","false","3.07","44.10","-2"\n'
        '"c","C","12145","Parking","","44.10","3.07",""\n"a","A","01004","Parking","true","5.34","45.95","12"\n'
    )
    tables, report = read("covoiturage", "courant", write(tmp_path / "bnlc.csv", content))
    assert tables["carpool_places"].select("place_id", "code", "open", "spaces", "latitude").rows() == [
        ("a", "01004", True, 12, 45.95),
        ("b", "12145", False, None, 44.1),
        ("c", "12145", None, None, None),
    ]
    assert report.mended["latitude et longitude inversées, vidées"] == 1
    assert report.mended["nombre de places négatif, vidé"] == 1
    assert report.rejected["lieu déjà présent dans la base"].count == 1


@pytest.mark.mirror
def test_carpool_places_of_both_vintages(mirror: Path) -> None:
    tables, _ = read("covoiturage", "courant", mirror / "14_schemas/bnlc_2026-05.csv")
    assert tables["carpool_places"].height == 2473
    assert tables["carpool_places"]["open"].sum() == 2462
    old, _ = read("covoiturage", "2023", mirror / "14_schemas/bnlc_ancienne_complete.csv")
    assert old["carpool_places"].height == 15_756
    assert old["carpool_places"]["open"].sum() == 15_741
    assert old["carpool_places"].filter(kind="Auto-stop").height == 11_935


def test_unreachable_is_told_from_unknown(tmp_path: Path) -> None:
    content = (
        "code_insee,typecom,distance_urgence_km\n9001,COM,11.96\n29155,COM,inaccessible\n12145,COM,\n"
        "12202,COM,-1\n12300,COMD,4\n12208,COM,0\n"
    )
    tables, report = read("urgences", "occitanie", write(tmp_path / "u.csv", content))
    assert tables["emergency_distance"].rows() == [
        ("09001", 11.96, "ok"),
        ("12145", None, "missing"),
        ("12202", None, "missing"),
        ("12208", 0.0, "ok"),
        ("29155", None, "unreachable"),
    ]
    assert report.mended["distance illisible ou négative, vidée"] == 1
    assert report.rejected["ligne d'un autre niveau que la commune"].count == 1


@pytest.mark.mirror
def test_emergency_distances_of_the_mirror(mirror: Path) -> None:
    tables, report = read("urgences", "occitanie", mirror / "11_sante/distances_urgences_occitanie.csv")
    frame = tables["emergency_distance"]
    assert frame.height == report.rows_read == 4453
    known = dict(frame.select("code", "distance_km").iter_rows())
    assert known["12145"] == 5.228421524343999
    assert known["09001"] == 11.967048868293539
    assert set(frame["code"].str.slice(0, 2)) == {
        "09", "11", "12", "30", "31", "32", "34", "46", "48", "65", "66", "81", "82",
    }  # fmt: skip


@pytest.mark.mirror
def test_maternities_of_the_mirror_overseas_included(mirror: Path) -> None:
    tables, report = read("maternites", "annuel", mirror / "11_sante/maternites_drees.csv")
    frame = tables["maternities"]
    assert frame.height == report.rows_read == 5444
    assert report.mended["code outre-mer de la santé (9A…) ramené au code Insee"] == 219
    assert not report.rejected
    births = frame.filter(year=2023).group_by("code").agg(pl.col("births").sum())
    known = dict(births.iter_rows())
    assert (known["12145"], known["35236"], known["97411"], known["01034"]) == (284, 404, 4061, 330)
    assert frame.filter(year=2023).height == 457


# Recorded crime


def test_crime_secret_zero_and_estimates_never_read(tmp_path: Path) -> None:
    content = (
        "CODGEO_2026;annee;indicateur;unite_de_compte;nombre;taux_pour_mille;est_diffuse;insee_pop;insee_log;"
        "complement_info_nombre;complement_info_taux\n"
        "33001;2025;Cambriolages de logement;Infraction;NA;NA;ndiff;1937;1051;2,4712042;6,4893291\n"
        "33002;2025;Cambriolages de logement;Infraction;0;0,0000000;diff;822;411;NA;NA\n"
        "33003;2025;Vols de véhicule;Véhicule;12;1,5;diff;8000;4000;NA;NA\n"
        "33003;2025;Cambriolages de logement;Infraction;NA;NA;diff;8000;4000;NA;NA\n"
        "33003;2025;Autres coups et blessures volontaires;Victime;7;1;diff;8000;4000;NA;NA\n"
        "33003;;Cambriolages de logement;Infraction;7;1;diff;8000;4000;NA;NA\n"
    )
    path = tmp_path / "donnee-comm.csv.gz"
    path.write_bytes(gzip.compress(content.encode()))
    tables, report = read("delinquance", "33", path)
    assert tables["crime"].select("code", "year", "category", "n", "status").rows() == [
        ("33001", 2025, "burglaries", None, "secret"),
        ("33002", 2025, "burglaries", 0, "ok"),
        ("33003", 2025, "burglaries", None, "missing"),
        ("33003", 2025, "vehicle_thefts", 12, "ok"),
    ]
    assert report.mended["nombre publié mais illisible, manquant"] == 1
    assert report.rejected["année ou indicateur absent"].count == 1
    assert any("Autres coups" in note for note in report.notes)
    assert 2.4712042 not in tables["crime"]["n"].to_list()


def test_crime_layout_before_2024(tmp_path: Path) -> None:
    content = (
        "CODGEO_2023;annee;classe;unité.de.compte;valeur.publiée;faits;tauxpourmille;complementinfoval;"
        "complementinfotaux;POP;millPOP;LOG;millLOG\n"
        "01001;16;Destructions et dégradations volontaires;infraction;ndiff;NA;NA;2;3;767;16;339;16\n"
        "01004;16;Destructions et dégradations volontaires;infraction;diff;133;9,5;NA;NA;14022;16;7000;16\n"
    )
    tables, _ = read("delinquance", "33", write(tmp_path / "donnee.csv", content))
    assert tables["crime"].select("code", "year", "n", "population", "status").rows() == [
        ("01001", 2016, None, 767, "secret"),
        ("01004", 2016, 133, 14022, "ok"),
    ]


@pytest.mark.mirror
def test_crime_of_the_mirror(mirror: Path) -> None:
    path = mirror / "17_divers/delinquance_33_communes.csv"
    tables, report = read("delinquance", "33", path)
    frame = tables["crime"]
    assert report.rows_read == 8560
    assert frame.height == 10 * 535
    assert set(frame["year"]) == {2017}
    # The official file, read by other means: flags, numbers and rates are the same, line by line.
    raw = pl.read_csv(path, infer_schema_length=0).select(
        code="CODGEO_2024",
        label="indicateur",
        flag="est_diffuse",
        number="nombre",
        rate=pl.col("taux_pour_mille").str.replace(",", ".").cast(pl.Float64, strict=False),
    )
    both = frame.join(raw, on=["code", "label"], how="inner")
    assert both.height == frame.height
    assert ((both["status"] == "secret") == (both["flag"] == "ndiff")).all()
    shown = both.filter(status="ok")
    assert (shown["n"] == shown["number"].cast(pl.Int64)).all()
    assert (shown["rate"] == shown["rate_right"]).all()
    assert both.filter(status="secret").select(pl.col("n", "rate").count()).row(0) == (0, 0)


# All of them


@pytest.mark.mirror
@pytest.mark.parametrize("source_id", sorted(SOURCES))
def test_no_personal_column_and_true_codes(source_id: str, mirror: Path) -> None:
    source = get_source(source_id)
    for resource in source.resources:
        found = [path for pattern in resource.mirror for path in sorted(mirror.glob(pattern))]
        for path in found[:1]:
            tables, report = read_resource(path, source, resource)
            assert set(tables) == set(source.tables)
            low, high = resource.rows or (0, 0)
            assert low <= report.rows_read <= high
            for frame in tables.values():
                assert not [name for name in frame.columns if any(word in name.lower() for word in PERSONAL)]
                assert frame["code"].str.contains(r"^\d[0-9AB]\d{3}$").all()
                assert frame["code"].is_sorted()


@pytest.mark.parametrize("source_id", sorted(SOURCES))
def test_missing_columns_are_named(source_id: str, tmp_path: Path) -> None:
    source = get_source(source_id)
    with pytest.raises(SourceFormatError) as caught:
        read_resource(write(tmp_path / "autre.csv", "a,b\n1,2\n"), source, source.resources[0])
    assert "manque" in str(caught.value)
