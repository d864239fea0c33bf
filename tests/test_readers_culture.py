"""Readers of the culture formats (Basilic, CNC, festivals, museums) and of the PVD lists."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import polars as pl
import pytest

from bourg.errors import SourceFormatError
from bourg.sources.model import get_source
from bourg.sources.readers.basilic import FESTIVAL_TYPES, PLACE_COLUMNS
from bourg.sources.reading import Tables, read_resource
from bourg.sources.report import ReadReport


def read(source_id: str, resource_id: str, path: Path) -> tuple[Tables, ReadReport]:
    source = get_source(source_id)
    resource = next(item for item in source.resources if item.id == resource_id)
    return read_resource(path, source, resource)


def write(path: Path, content: str, encoding: str = "utf-8") -> Path:
    path.write_text(content, encoding=encoding)
    return path


# PVD, its four layouts


def test_pvd_official_list_dates_and_several_ids(tmp_path: Path) -> None:
    content = (
        '"insee_com","lib_com","id_pvd","date_signature"\n"01033","Valserhône","pvd-84-01-1","2021-03-12"\n'
        '"2A041","Bonifacio","pvd-94-2A-1;pvd-94-2A-2","12/03/2021"\n"03292","Tronget","pvd-84-03-19",\n'
        '"03293","Autre","pvd-84-03-20","bientôt"\n"01033","Valserhône","pvd-84-01-1","2021-03-12"\n'
    )
    tables, report = read("pvd", "2026", write(tmp_path / "pvd.csv", content))
    frame = tables["pvd"]
    assert frame.schema == {"code": pl.String, "name": pl.String, "pvd_id": pl.String, "signature_date": pl.Date}
    assert frame.rows() == [
        ("01033", "Valserhône", "pvd-84-01-1", dt.date(2021, 3, 12)),
        ("03292", "Tronget", "pvd-84-03-19", None),
        ("03293", "Autre", "pvd-84-03-20", None),
        ("2A041", "Bonifacio", "pvd-94-2A-1 ; pvd-94-2A-2", dt.date(2021, 3, 12)),
    ]
    assert report.mended["date de signature illisible, vidée"] == 1
    assert report.rejected["commune déjà présente dans la liste"].count == 1


@pytest.mark.mirror
def test_pvd_reduced_list_of_2024(mirror: Path) -> None:
    tables, report = read("pvd", "2026", mirror / "01_programmes/pvd_beneficiaires_2024.csv")
    assert tables["pvd"].height == 1645
    assert tables["pvd"]["code"].is_in(["04209"]).any()
    assert not tables["pvd"]["code"].is_in(["12145"]).any()
    assert report.mended == {}


@pytest.mark.mirror
def test_pvd_damaged_latin1_copy(mirror: Path) -> None:
    tables, report = read("pvd", "2026", mirror / "01_programmes/pvd_etude_cas_latin1_sans_zero.csv")
    assert tables["pvd"].height == 1633
    assert report.mended["code commune à quatre caractères : zéro de tête rendu"] == 127
    assert tables["pvd"].filter(code="01072")["name"].to_list() == ["Ceyzériat"]
    assert tables["pvd"]["code"].str.len_chars().unique().to_list() == [5]
    good, _ = read("pvd", "2026", mirror / "01_programmes/pvd_beneficiaires_2024.csv")
    # Codes, not names: every mended code is one of the good list, up to the few towns that left the programme.
    assert tables["pvd"].join(good["pvd"], on="code", how="anti").height <= 15


@pytest.mark.mirror
def test_pvd_cross_table_and_recent_beginning(mirror: Path) -> None:
    tables, report = read("pvd", "ngeo2023", mirror / "01_programmes/anct_croisement_dispositifs_ngeo-anct-cog2023.csv")
    assert report.rows_read == 35_039
    assert tables["pvd"].height == 1653
    assert tables["pvd"].filter(pl.col("code").str.contains("^2[AB]")).height == 12
    recent, _ = read("pvd", "2026", mirror / "00_echantillons_saisis/liste-pvd-com2025-20260427.debut.csv")
    assert recent["pvd"].height == 35
    assert recent["pvd"].filter(code="03292")["signature_date"].to_list() == [None]
    assert recent["pvd"].filter(code="04209")["signature_date"].to_list() == [dt.date(2021, 4, 9)]


# Basilic


TECHNICAL = (
    "Rang;Type_equipement_ou_lieu;Precision_equipement;Nom;Label_et_appellation;Domaine;Adresse_postale;Code_Postal;"
    "libelle_geographique;Code_Insee;Coordonnees GPS [lat,lon];Demographie_AP;Identifiant_deps_à_partir__de_2022\n"
)
LABELS = (
    "Nom;Type équipement ou lieu;Précision équipement;Label et appellation;Domaine;Adresse postale;Code postal;"
    "code_insee;Latitude;Longitude;Demographie_AP;Identifiant_deps_a_partir_de_2022\n"
)


def test_basilic_national_with_dictionary_names(tmp_path: Path) -> None:
    content = TECHNICAL + (
        "1;Bibliothèque;;Médiathèque;;Bibliothèques;1 rue;12100;Millau;12145;44.1,3.08;Actif;BIBL_12145_1\n"
        "2;Cinéma;;Cinéma;;Cinéma;;1000;Bourg;1053;46.2,5.2;Actif;CINE_01053_1\n"
        "3;Monument;;Pont;;Patrimoine;;;;2A004,2A006;41.9,8.7;Actif;MONU_2A004_1\n"
        "4;Théâtre;;Fermé;;;;12100;Millau;12145;44.1,3.08;Inactif;THEA_12145_1\n"
        "5;Musée;;Sans point;;;;12100;Millau;XXXXX;MF Mobile;Actif;MUSE_12145_1\n"
        "6;Musée;;Double;;;;12100;Millau;12145;3.08,44.1;Actif;MUSE_12145_1\n"
    )
    tables, report = read("basilic", "national", write(tmp_path / "b.csv", content))
    places = tables["culture_places"]
    assert tuple(places.columns) == PLACE_COLUMNS
    assert places["code"].to_list() == ["12145", "01053", "2A004", None, "12145"]
    assert places["postal_code"].to_list() == ["12100", "01000", None, "12100", "12100"]
    assert places["latitude"].to_list() == [44.1, 46.2, 41.9, None, None]
    assert places["place_id"].to_list()[3:] == ["MUSE_12145_1", "MUSE_12145_1-2"]
    assert report.rejected["lieu déclaré inactif par le producteur"].count == 1
    assert report.mended["lieu à cheval sur plusieurs communes : première commune gardée"] == 1
    assert report.mended["latitude et longitude inversées, vidées"] == 1
    assert report.mended["coordonnées illisibles, vidées"] == 1
    assert report.mended["code postal à quatre chiffres : zéro de tête rendu"] == 1


def test_basilic_national_with_labels_and_separate_coordinates(tmp_path: Path) -> None:
    content = LABELS + "Médiathèque;Bibliothèque;;;Livre;1 rue;01000;01053;46,2;5,2;Actif;B1\n"
    tables, _ = read("basilic", "national", write(tmp_path / "b.csv", content, "utf-8-sig"))
    assert tables["culture_places"].row(0, named=True) == {
        "place_id": "B1", "name": "Médiathèque", "type": "Bibliothèque", "detail": None, "label": None,
        "domain": "Livre", "address": "1 rue", "code": "01053", "postal_code": "01000", "longitude": 5.2,
        "latitude": 46.2,
    }  # fmt: skip


def test_basilic_of_the_brief_sample_has_no_code(tmp_path: Path) -> None:
    content = (
        "commune,code postal,type,catégorie,latitude,longitude\nMillau,12100,Musée,patrimoine,44.1,3.08\n"
        "Saint-Denis,93200,Théâtre,spectacle vivant,48.93,2.35\n"
        "Saint-Denis,97400,Théâtre,spectacle vivant,-20.88,55.45\n"
    )
    tables, report = read("basilic", "national", write(tmp_path / "mock_cultural_data.csv", content))
    places = tables["culture_places"]
    # Homonyms: nothing is ever found by its name; the point will say which Saint-Denis it is.
    assert places["code"].to_list() == [None, None, None]
    assert places["longitude"].to_list() == [3.08, 2.35, 55.45]
    assert places["domain"].to_list() == ["patrimoine", "spectacle vivant", "spectacle vivant"]
    assert any("coordonnées" in note for note in report.notes)


def test_basilic_extract_mixed_quotes_repeated_header_and_festivals(tmp_path: Path) -> None:
    header = (
        '"Nom commune principale";"Code Insee commune";"Région";"Département";"Code Postal";"Type";"Nom d\'evenement";'
        '"Latitude";"Longitude";"PTOT";"Petite commune"\n'
    )
    content = header + (
        'Ablis;"78003";R;D;78660;Bibliothèque;Médiathèque;"48.51";" 1.83";3767;oui\n'
        + header
        + "Aléria;2B009;R;D;20270;Monument;Fort;42.1;9.5;2200;oui\n"
        "Annot;4008;R;D;4240;Livre, littérature;Salon;43.96;6.67;1000;oui\n"
        "Annot;04008;R;D;4240;Musique;Concerts;43.96;6.67;1000;oui\n"
    )
    tables, report = read("basilic", "extrait_pvd", write(tmp_path / "b.csv", content))
    assert tables["culture_places"]["code"].to_list() == ["78003", "2B009"]
    assert tables["culture_places"]["longitude"].to_list() == [1.83, 9.5]
    assert tables["festivals"]["discipline"].to_list() == ["Livre, littérature", "Musique"]
    assert tables["festivals"]["code"].to_list() == ["04008", "04008"]
    assert report.rejected["ligne d'en-tête répétée dans les données"].count == 1
    assert report.mended["code commune à quatre caractères : zéro de tête rendu"] == 1


@pytest.mark.mirror
def test_basilic_pvd_extract_of_the_mirror(mirror: Path) -> None:
    tables, report = read("basilic", "extrait_pvd", mirror / "02_culture/basilic_festivals_communes_pvd.csv")
    places, festivals = tables["culture_places"], tables["festivals"]
    assert report.rows_read == 11_931
    assert (places.height, festivals.height) == (10_806, 1125)
    assert not places["type"].is_in(FESTIVAL_TYPES).any()
    counts = dict(places["type"].value_counts().iter_rows())
    assert (counts["Monument"], counts["Bibliothèque"], counts["Cinéma"]) == (7101, 1855, 668)
    assert report.mended["code postal à quatre chiffres : zéro de tête rendu"] == 719
    assert places["postal_code"].str.len_chars().drop_nulls().unique().to_list() == [5]
    assert places.filter(pl.col("code").str.contains("^2[AB]")).height == 102
    assert places["place_id"].is_unique().all()


@pytest.mark.mirror
def test_basilic_counts(mirror: Path) -> None:
    tables, report = read("basilic", "comptes", mirror / "02_culture/basilic_comptes_par_commune.csv")
    assert report.rows_read == 22_288
    assert tables["culture_counts"].row(0) == ("01001", 1)
    assert report.rejected["code commune illisible"].examples == ["99999"]


# CNC


def test_cinemas_both_families_of_columns(tmp_path: Path) -> None:
    content = (
        '"id";"year";"AE";"ART ET ESSAI";"CODE COMMUNE";"COMMUNE";"DEPCOM";"ECRANS";"FAUTEUILS";"GENRE";"NAutoC";'
        '"NOM ETABLISSEMENT";"NomEtab";"N°AUTO"\n'
        ";2023;OUI;;;Bourg ;1053;4;552.0;FIXE;10;; LE REX;\n"
        ";2022;;NON;1053;Bourg;;4;0;FIXE;;LE REX;;10\n"
        ";2022;;C;2A004;Ajaccio;;1;120;itinerant;;;;11\n"
    )
    tables, report = read("cinemas_cnc", "annuel", write(tmp_path / "c.csv", content))
    assert tables["cinemas"].rows() == [
        ("10", "LE REX", "01053", 2022, 4, None, "FIXE", False),
        ("10", "LE REX", "01053", 2023, 4, 552, "FIXE", True),
        ("11", None, "2A004", 2022, 1, 120, "ITINERANT", True),
    ]
    assert report.mended["zéro fauteuil : nombre inconnu, vidé"] == 1


def test_cinemas_one_year_edition(tmp_path: Path) -> None:
    content = "nom;commune;code_insee;ecrans;fauteuils;entrees_2022;ae;genre\nREX;Bourg;01053;2;200;1000;AE;Fixe\n"
    tables, _ = read("cinemas_cnc", "annuel", write(tmp_path / "c.csv", content))
    assert tables["cinemas"].row(0)[2:] == ("01053", 2022, 2, 200, "FIXE", True)


@pytest.mark.mirror
def test_cinemas_of_the_mirror(mirror: Path) -> None:
    path = mirror / "02_culture/cinemas_etablissements_annual_data_202411191450.csv"
    tables, _ = read("cinemas_cnc", "annuel", path)
    frame = tables["cinemas"]
    assert frame.height == 43_132
    years = dict(frame["year"].value_counts().iter_rows())
    assert (years[2022], years[2023]) == (2061, 2056)
    assert frame["code"].null_count() == 0
    millau = frame.filter(code="12145", year=2023)
    assert millau.rows() == [("262622", "LES CINEMAS DE MILLAU", "12145", 2023, 4, 552, "FIXE", True)]
    assert frame.filter(code="12145", year=2019)["seats"].to_list() == [581]


# Festivals and museums


@pytest.mark.mirror
def test_festivals_double_bom_and_short_codes(mirror: Path) -> None:
    tables, report = read("festivals", "global", mirror / "02_culture/festivals-global-festivals-pl.csv")
    frame = tables["festivals"]
    assert frame.height == 7283
    assert report.mended["code commune à quatre caractères : zéro de tête rendu"] == 563
    assert frame["code"].null_count() == 24
    assert frame.filter(code="12145").sort("festival_id")["name"].to_list() == [
        "Festival Polar, vin et compagnie",
        "Les Givrées, éco-festhivernal de chansons françaises",
        "Millau jazz festival",
        "Natural Games",
    ]
    assert frame.filter(festival_id="FEST_39073_1020").row(0)[5:] == (2014, 5.6278782462, 46.8746666632)


@pytest.mark.mirror
def test_museums_records_of_the_first_api(mirror: Path) -> None:
    tables, report = read("musees", "2019", mirror / "02_culture/musees-de-france_2019.json")
    frame = tables["museums"]
    assert frame.height == 1253
    assert frame.filter(museum_id="1214501").rows() == [
        ("1214501", "Musée Municipal de Millau", "MILLAU", "12100", "AVEYRON", None, 3.10621950967, 44.0898281066)
    ]
    assert any("coordonnées" in note for note in report.notes)


def test_museums_of_the_second_api(tmp_path: Path) -> None:
    rows = [
        {
            "nom_officiel_du_musee": "Musée de Millau", "commune": "Millau", "code_postal": "12100",
            "departement": "Aveyron", "identifiant_museofile": "M0571",
            "geolocalisation": {"lon": 3.07, "lat": 44.1}, "latitude": None, "longitude": None,
        },
        {"nom_officiel_du_musee": "Sans point", "commune": "X", "code_postal": "1000", "identifiant_museofile": "M1"},
    ]  # fmt: skip
    path = write(tmp_path / "m.json", json.dumps(rows))
    tables, _ = read("musees", "2019", path)
    assert tables["museums"].rows() == [
        ("M0571", "Musée de Millau", "Millau", "12100", "Aveyron", None, 3.07, 44.1),
        ("M1", "Sans point", "X", "01000", None, None, None, None),
    ]
    content = "nom_officiel_du_musee;commune;code_postal;geolocalisation;code_insee\nMusée;Bourg;01000;46.2, 5.2;1053\n"
    tables, _ = read("musees", "2019", write(tmp_path / "m.csv", content))
    assert tables["museums"].row(0) == ("ligne-1", "Musée", "Bourg", "01000", None, "01053", 5.2, 46.2)
    collection = {"type": "FeatureCollection", "features": [{"properties": {"nom_du_musee": "A", "ville": "B"}}]}
    tables, _ = read("musees", "2019", write(tmp_path / "m.geojson", json.dumps(collection)))
    assert tables["museums"].row(0)[:3] == ("ligne-1", "A", "B")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('[{"nom_du_musee": "A", "ville"', r"tronqué(?s:.)*ligne 1, colonne 31"),
        ('{"results": {"a": 1}}', "liste d'enregistrements"),
        ("[]", "aucun enregistrement"),
        ('[{"nom_du_musee": "A"}]', "manquent : commune"),
    ],
)
def test_bad_json(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(SourceFormatError, match=message) as caught:
        read("musees", "2019", write(tmp_path / "m.json", content))
    assert "m.json" in caught.value.where


@pytest.mark.parametrize(
    ("source_id", "resource_id"),
    [("pvd", "2026"), ("basilic", "national"), ("cinemas_cnc", "annuel"), ("festivals", "global"), ("musees", "2019")],
)
def test_wrong_file(tmp_path: Path, source_id: str, resource_id: str) -> None:
    path = write(tmp_path / "autre.csv", "colonne1;colonne2\n1;2\n")
    with pytest.raises(SourceFormatError, match="manque") as caught:
        read(source_id, resource_id, path)
    assert "autre.csv" in caught.value.where
    assert "colonne1, colonne2" in caught.value.why
