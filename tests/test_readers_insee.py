"""Readers of INSEE formats: BPE, Filosofi, populations, COG, passages, appartenance."""

from __future__ import annotations

import gzip
import zipfile
from pathlib import Path

import polars as pl
import pytest

from bourg.errors import SourceFormatError
from bourg.sources.model import Resource, get_source
from bourg.sources.reading import Tables, read_resource
from bourg.sources.report import ReadReport

BPE_ENSEMBLE = "REG;DEP;DEPCOM;DCIRIS;AN;TYPEQU;NB_EQUIP\n"
BPE_LOCATED = "AN;NOMRS;DEPCOM;DEP;REG;DOM;SDOM;TYPEQU;SIRET;LAMBERT_X;LAMBERT_Y;LONGITUDE;LATITUDE;QUALITE_XY;DCIRIS\n"


def read(source_id: str, resource_id: str, path: Path) -> tuple[Tables, ReadReport]:
    source = get_source(source_id)
    resource = next(item for item in source.resources if item.id == resource_id)
    return read_resource(path, source, resource)


def write(path: Path, content: str, encoding: str = "utf-8") -> Path:
    path.write_text(content, encoding=encoding)
    return path


def one(frame: pl.DataFrame, **keys: object) -> dict[str, object]:
    """Return the only row that has these values."""
    found = frame.filter(*(pl.col(name) == value for name, value in keys.items()))
    assert found.height == 1, found
    return found.row(0, named=True)


# BPE


def test_bpe_ensemble_iris_lost_zeros_and_rejects(tmp_path: Path) -> None:
    lines = [
        "84;01;1004;01004_0101;2019;A104;1",
        "84;01;1004.0;01004_0101;2019;A104;2",
        "94;2A;2A004;2A004_0102;2019;A104;4",
        "94;2A;2a006;2A006;2019;A104;1",
        "84;01;01001;01001;2019;historic;1",
        "84;01;XXXXX;XXXXX;2019;A104;1",
        "84;01;01001;01001;2019;A104;beaucoup",
        "84;01;01001;01001_IND;2019;A401;1 000",
    ]
    path = write(tmp_path / "bpe.csv", BPE_ENSEMBLE + "\n".join(lines) + "\n")
    tables, report = read("bpe", "2019", path)
    frame = tables["equipment"]
    assert set(frame.rows()) == {
        ("01004", "010040101", 2019, "A104", 3),
        ("2A004", "2A0040102", 2019, "A104", 4),
        ("2A006", "2A0060000", 2019, "A104", 1),
        ("01001", None, 2019, "A401", 1000),
    }
    assert frame.schema["year"] == pl.Int32
    assert report.mended["code commune à quatre caractères : zéro de tête rendu"] == 2
    assert report.rejected["ligne qui n'est pas un équipement de la BPE"].examples == ["historic"]
    assert report.rejected["code commune illisible ou vide"].examples == ["XXXXX"]
    assert report.rejected["nombre d'équipements illisible"].count == 1
    assert (report.rows_read, report.rows_kept) == (8, 5)


@pytest.mark.parametrize("wrapping", ["csv", "zip", "gz", "parquet"])
def test_bpe_located_one_row_per_facility(tmp_path: Path, wrapping: str) -> None:
    lines = [
        "2023;Mairie;01001;01;84;A;A1;A129;;1;2;4.92;46.15;B;01001",
        '2023;"La Poste; bureau";01001;01;84;A;A2;A206;;1;2;4.93;46.15;A;01001',
        "2023;Autre;1001;01;84;A;A2;A206;;1;2;46.15;4.93;A;01001",
        "2023;;2A004;2A;94;B;B1;B104;;;;;;_Z;2A0040101",
        "2023;;2A004;2A;94;B;B1;B104;;;;_Z;_Z;_Z;2A0040101",
    ]
    content = BPE_LOCATED + "\n".join(lines) + "\n"
    path = write(tmp_path / "BPE23.csv", content)
    if wrapping == "zip":
        path = tmp_path / "BPE23.zip"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("BPE23.csv", content)
            archive.writestr("varmod_bpe23.csv", "COD_VAR;LIB\n" * 500)
    elif wrapping == "gz":
        path = tmp_path / "BPE23.csv.gz"
        path.write_bytes(gzip.compress(content.encode()))
    elif wrapping == "parquet":
        frame = pl.read_csv(
            path, separator=";", schema_overrides={"DEPCOM": pl.String, "LONGITUDE": pl.String, "LATITUDE": pl.String}
        )
        path = tmp_path / "BPE23.parquet"
        frame.write_parquet(path)
    tables, report = read("bpe", "2023", path)
    assert set(tables["equipment"].rows()) == {
        ("01001", "010010000", 2023, "A129", 1),
        ("01001", "010010000", 2023, "A206", 2),
        ("2A004", "2A0040101", 2023, "B104", 2),
    }
    points = tables["equipment_points"]
    assert points.height == 5
    assert points.row(0) == ("01001", 2023, "A129", 4.92, 46.15, "B")
    assert points["longitude"].null_count() == 3
    assert report.mended["latitude et longitude inversées, vidées"] == 1
    assert "coordonnées illisibles, vidées" not in report.mended


def test_bpe_decimal_comma_coordinates(tmp_path: Path) -> None:
    path = write(tmp_path / "BPE23.csv", BPE_LOCATED + "2023;;01001;01;84;A;A1;A129;;1;2;4,92;46,15;B;01001\n")
    tables, _ = read("bpe", "2023", path)
    assert tables["equipment_points"].row(0)[3:5] == (4.92, 46.15)


def test_bpe_lambert_only_is_counted_not_placed(tmp_path: Path) -> None:
    path = write(
        tmp_path / "b.csv", "AN;DEPCOM;DCIRIS;TYPEQU;LAMBERT_X;LAMBERT_Y;QUALITE_XY\n2020;01001;01001;A129;1;2;B\n"
    )
    tables, report = read("bpe", "2023", path)
    assert tables["equipment"].rows() == [("01001", "010010000", 2020, "A129", 1)]
    assert "equipment_points" not in tables
    assert any("Lambert" in note for note in report.notes)


def test_bpe_melodi_ignores_totals_other_levels_and_measures(tmp_path: Path) -> None:
    names = "GEO GEO_OBJECT FACILITY_DOM FACILITY_SDOM FACILITY_TYPE BPE_MEASURE TIME_PERIOD OBS_STATUS OBS_VALUE"
    header = ";".join(f'"{name}"' for name in names.split()) + "\n"
    lines = [
        '"01001";"COM";"A";"A1";"A129";"FACILITIES";"2024";"A";"1"',
        '"01001";"COM";"A";"A1";"_T";"FACILITIES";"2024";"A";"1"',
        '"01001";"COM";"_T";"_T";"_T";"FACILITIES";"2024";"A";"1"',
        '"01001";"COM";"A";"A1";"A129";"FACILITIES_PER";"2024";"A";"12.5"',
        '"01";"DEP";"A";"A1";"A129";"FACILITIES";"2024";"A";"400"',
        '"2A004";"COM";"A";"A1";"A129";"FACILITIES";"2024";"A";"2.0"',
        '"2024-COM-12145";"COM";"A";"A1";"A129";"FACILITIES";"2024";"A";"3"',
    ]
    path = write(tmp_path / "DS_BPE_2024_data.csv", header + "\n".join(lines) + "\n")
    tables, _ = read("bpe", "2023", path)
    assert tables["equipment"].rows() == [
        ("01001", None, 2024, "A129", 1),
        ("12145", None, 2024, "A129", 3),
        ("2A004", None, 2024, "A129", 2),
    ]


def test_bpe_without_any_facility_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "b.csv", BPE_ENSEMBLE + "84;01;01001;01001;2019;leisure;1\n")
    with pytest.raises(SourceFormatError, match=r"Aucune ligne(?s:.)*équipement de la BPE \(1\)"):
        read("bpe", "2019", path)


def test_bpe_missing_column(tmp_path: Path) -> None:
    path = write(tmp_path / "bpe19.csv", "REG;DEP;DEPCOM;AN;NB_EQUIP\n84;01;01001;2019;1\n")
    with pytest.raises(SourceFormatError, match="manquent : TYPEQU") as caught:
        read("bpe", "2019", path)
    assert "bpe19.csv" in caught.value.where


@pytest.mark.mirror
def test_bpe_2019_national_file(mirror: Path) -> None:
    tables, report = read("bpe", "2019", mirror / "03_bpe/bpe19_ensemble.csv.gz")
    frame = tables["equipment"]
    # Independent figures: awk over the unpacked file.
    assert frame.height == report.rows_kept == 1_060_614
    assert frame["n"].sum() == 2_607_293
    assert frame.filter(pl.col("code") == "2A004")["n"].sum() == 3886
    assert frame.filter(pl.col("code") == "12145")["n"].sum() == 1040
    assert frame.filter(pl.col("code").str.starts_with("2A") | pl.col("code").str.starts_with("2B")).height == 6746
    assert one(frame, code="12145", typequ="F303")["n"] == 1
    assert report.rejected == {}


@pytest.mark.mirror
def test_bpe_2018_extract(mirror: Path) -> None:
    tables, _ = read("bpe", "2018", mirror / "03_bpe/bpe18_ensemble_extrait_01_04_12_35_48_56_95.csv")
    assert tables["equipment"].height == 64_459
    assert tables["equipment"].filter(pl.col("code") == "12145")["n"].sum() == 1010


@pytest.mark.mirror
def test_bpe_gironde_rows_that_are_not_bpe(mirror: Path) -> None:
    tables, report = read("bpe", "2023_gironde", mirror / "03_bpe/bpe23_gironde_xy_categories.csv")
    assert set(tables) == {"equipment_points"}
    points = tables["equipment_points"]
    assert (report.rows_read, points.height) == (44_273, 42_158)
    rejection = report.rejected["ligne qui n'est pas un équipement de la BPE"]
    assert (rejection.count, rejection.examples) == (2115, ["historic", "leisure"])
    assert points["code"].null_count() == points.height
    assert points["year"].unique().to_list() == [2023]


# Filosofi


def test_filosofi_statuses_commas_and_years(tmp_path: Path) -> None:
    content = (
        "CODGEO;LIBGEO;NBMENFISC20;MED20;TP6020;TP60AGE120;D120;RD20\n"
        "1001;Bourg;346;25820;s;s;so;3,1\n2A004;Ajaccio;1 234;ns;12,5;nd;x;\n"
    )
    tables, report = read("filosofi", "2021", write(tmp_path / "cc.csv", content, "cp1252"))
    frame = tables["income"]
    assert frame["year"].unique().to_list() == [2020]
    assert set(frame["variable"]) == {"NBMENFISC", "MED", "TP60", "TP60AGE1", "D1", "RD"}
    assert {row[2]: row[3:] for row in frame.filter(pl.col("code") == "01001").iter_rows()} == {
        "NBMENFISC": (346.0, "ok"),
        "MED": (25820.0, "ok"),
        "TP60": (None, "secret"),
        "TP60AGE1": (None, "secret"),
        "D1": (None, "missing"),
        "RD": (3.1, "ok"),
    }
    assert {row[2]: row[3:] for row in frame.filter(pl.col("code") == "2A004").iter_rows()} == {
        "NBMENFISC": (1234.0, "ok"),
        "MED": (None, "secret"),
        "TP60": (12.5, "ok"),
        "TP60AGE1": (None, "missing"),
        "D1": (None, "missing"),
        "RD": (None, "missing"),
    }
    assert report.mended["valeur illisible, dite manquante"] == 1


def test_filosofi_detailed_archive_with_poverty_beside(tmp_path: Path) -> None:
    path = tmp_path / "indic-struct-distrib-revenu-2021-COMMUNES_csv.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(
            "FILO2021_DISP_COM.csv",
            "CODGEO;LIBGEO;NBMEN21;NBPERS21;Q121;Q221;Q321;D121;D921;RD21\n01004;A;6855;15092;1;21660;3;11890;36450;3,1\n",
        )
        archive.writestr(
            "FILO2021_DISP_Pauvres_COM.csv",
            "CODGEO;LIBGEO;NBMEN21;NBPERS21;TP6021;TP60AGE121\n01004;A;6855;15092;17;22\n",
        )
        archive.writestr("meta_FILO2021_DISP_COM.csv", "COD_VAR;LIB_VAR\n" * 4000)
    tables, _ = read("filosofi", "2021", path)
    values = dict(tables["income"].select("variable", "value").iter_rows())
    assert values["MED"] == 21660
    assert values["TP60"] == 17
    assert values["NBMENFISC"] == 6855
    assert values["RD"] == 3.1


def test_filosofi_2_long_layout(tmp_path: Path) -> None:
    header = "GEO;GEO_OBJECT;FILOSOFI_MEASURE;UNIT_MEASURE;UNIT_MULT;CONF_STATUS;OBS_STATUS;TIME_PERIOD;OBS_VALUE\n"
    lines = [
        "01001;COM;MED_SL;EUR_YR;0;F;A;2023;27890",
        "01001;COM;PR_MD60;PT;0;C;A;2023;",
        "2A004;COM;PR_MD60;PT;0;F;A;2023;18.4",
        "55039;COM;MED_SL;EUR_YR;0;F;O;2023;",
        "01001;COM;NEW_MEASURE;PT;0;F;A;2023;1",
        "01;DEP;MED_SL;EUR_YR;0;F;A;2023;24000",
    ]
    tables, _ = read("filosofi", "2023", write(tmp_path / "data.csv", header + "\n".join(lines) + "\n"))
    assert set(tables["income"].rows()) == {
        ("01001", 2023, "MED", 27890.0, "ok"),
        ("01001", 2023, "TP60", None, "secret"),
        ("2A004", 2023, "TP60", 18.4, "ok"),
        ("55039", 2023, "MED", None, "missing"),
        ("01001", 2023, "NEW_MEASURE", 1.0, "ok"),
    }


@pytest.mark.mirror
def test_filosofi_2021_official(mirror: Path) -> None:
    tables, report = read("filosofi", "2021", mirror / "05_insee/cc_filosofi_2021_COM.csv")
    frame = tables["income"]
    assert report.rows_read == 34_909
    assert frame.height == 34_909 * 27
    assert frame.filter(variable="MED", status="secret").height == 3593
    assert frame.filter(status="secret").height == 751_348
    assert frame.filter(status="missing").height == 324
    assert frame.filter(pl.col("status") != "ok")["value"].null_count() == 751_672
    millau = dict(frame.filter(code="12145").select("variable", "value").iter_rows())
    assert millau["MED"] == 21240
    assert millau["TP60"] == 16.0
    assert millau["PIMPOT"] == -14.0
    assert millau["TP60AGE1"] == 27.0
    assert millau["RD"] == 3.0
    assert report.mended == {}


# Populations


def test_populations_spaces_and_split_code(tmp_path: Path) -> None:
    content = (
        "Code région;Nom de la région;Code département;Code arrondissement;Code canton;Code commune;Nom de la commune;"
        "Population municipale;Population comptée à part;Population totale\n"
        "84;Auvergne-Rhône-Alpes;01;2;08;001;L'Abergement-Clémenciat;776;18;794\n"
        "94;Corse;2A;1;99;004;Ajaccio;70 659;1 208;71 867\n"
        "01;Guadeloupe;971;1;99;101;Les Abymes;53\u202f491;500;53 991\n"
    )
    tables, _ = read("populations", "legales_2021", write(tmp_path / "communes.csv", content, "utf-8"))
    assert tables["population"].rows() == [
        ("01001", "L'Abergement-Clémenciat", 2021, 776, 18, 794),
        ("2A004", "Ajaccio", 2021, 70659, 1208, 71867),
        ("97101", "Les Abymes", 2021, 53491, 500, 53991),
    ]


def test_populations_where_com_is_a_name(tmp_path: Path) -> None:
    content = "CODREG;REG;CODDEP;CODARR;CODCAN;CODCOM;COM;PMUN;PCAP;PTOT\n84;ARA;01;2;08;1;Bourg-Neuf;10;0;10\n"
    tables, _ = read("populations", "legales_2021", write(tmp_path / "a.csv", content))
    assert tables["population"].row(0)[:4] == ("01001", "Bourg-Neuf", 2021, 10)


def test_populations_melodi(tmp_path: Path) -> None:
    content = (
        "GEO;GEO_OBJECT;POPREF_MEASURE;TIME_PERIOD;OBS_VALUE\n01001;COM;PMUN;2022;840\n01001;COM;PTOT;2022;859\n"
        "01001;COM;PCAP;2022;19\n01;DEP;PMUN;2022;1\n"
    )
    tables, _ = read("populations", "legales_2021", write(tmp_path / "a.csv", content))
    assert tables["population"].rows() == [("01001", None, 2022, 840, 19, 859)]


def test_populations_historical_workbook_years(tmp_path: Path) -> None:
    titles = "Chiffres détaillés,,,\nFrance,,,\nMise en ligne,,,\n©Insee,,,\nCode géographique,,,\n"
    content = (
        titles + "CODGEO,REG,DEP,LIBGEO,PMUN22,PMUN06,PSDC99,PTOT36,PTOT1931,PTOT1876\n01001,84,01,X,1,2,3,4,5,6\n"
    )
    tables, _ = read("populations", "historiques_1876_2018", write(tmp_path / "a.csv", content))
    assert dict(tables["population"].select("year", "pmun").iter_rows()) == {
        2022: 1, 2006: 2, 1999: 3, 1936: 4, 1931: 5, 1876: 6,
    }  # fmt: skip


@pytest.mark.mirror
def test_populations_of_millau_agree_between_three_files(mirror: Path) -> None:
    legal, report = read("populations", "legales_2021", mirror / "05_insee/populations_legales_2021.csv")
    assert report.rows_kept == 34_970
    assert one(legal["population"], code="12145") == {
        "code": "12145", "name": "Millau", "year": 2021, "pmun": 21712, "pcap": 687, "ptot": 22399,
    }  # fmt: skip
    wide, report = read(
        "populations", "observatoire_2013_2021", mirror / "05_insee/populations_municipales_2013_2021_communes.csv.gz"
    )
    series = dict(wide["population"].filter(code="12145").select("year", "pmun").iter_rows())
    assert series == dict(
        zip(range(2013, 2022), [22205, 22064, 22234, 22200, 22109, 22002, 21979, 21482, 21712], strict=True)
    )
    # Overseas codes have six digits there: 973353 is Maripasoula, 97353.
    assert report.mended["code d'outre-mer à six chiffres, ramené à cinq"] == 112 * 9
    assert one(wide["population"], code="97353", year=2021)["pmun"] == 9177
    past, _ = read("populations", "historiques_1876_2018", mirror / "05_insee/base-pop-historiques-1876-2018.zip")
    history = dict(past["population"].filter(code="12145").select("year", "pmun").iter_rows())
    assert (history[2018], history[1999], history[1936], history[1876]) == (22002, 21339, 16437, 15695)
    assert len(history) == 32


# COG, passages, appartenance


@pytest.mark.mirror
def test_cog_2023(mirror: Path) -> None:
    tables, _ = read("cog", "2023", mirror / "04_geo/v_commune_2023.csv")
    frame = tables["cog"]
    assert dict(frame["type"].value_counts().iter_rows()) == {"COM": 34945, "COMD": 2081, "COMA": 492, "ARM": 45}
    assert one(frame, code="12145")["name"] == "Millau"
    assert one(frame, code="75108")["parent"] == "75056"
    delegated = frame.filter(type="COMD")
    assert delegated["departement"].null_count() == delegated.height
    assert delegated["parent"].null_count() == 0


def test_cog_other_vintage_in_lower_case(tmp_path: Path) -> None:
    content = (
        "typecom,com,reg,dep,arr,tncc,ncc,nccenr,libelle,can,comparent\n"
        "COM,2A004,94,2A,2A1,1,AJACCIO,Ajaccio,Ajaccio,2A99,\n"
    )
    tables, _ = read("cog", "2023", write(tmp_path / "communes-01012019.csv", content))
    assert tables["cog"].row(0) == ("2A004", "COM", "Ajaccio", "2A", "94", None)


@pytest.mark.mirror
def test_passages_ods(mirror: Path) -> None:
    tables, report = read("passages", "2025", mirror / "04_geo/geocodes_passage_annuel.csv")
    frame = tables["passages"]
    assert frame.height == 36_759
    assert report.rejected["ligne d'un autre niveau que la commune"].count == 196
    assert frame.filter(old_code="55298")["new_code"].to_list() == ["55138", "55298"]
    assert frame.filter(old_code="14472")["new_code"].to_list() == ["14654"]
    assert frame.filter(pl.col("old_code") != pl.col("new_code")).height == 1871


def test_passages_insee_layouts(tmp_path: Path) -> None:
    initial = (
        "Table,,\nNIVGEO,CODGEO_INI,CODGEO_2024,LIBGEO_2024\nCOM,01033,01033,Valserhône\nCOM,01091,01033,Valserhône\n"
    )
    tables, report = read("passages", "2025", write(tmp_path / "a.csv", initial.replace("Table,,", "Table,,,")))
    assert tables["passages"].rows() == [("01033", "01033"), ("01091", "01033")]
    assert any("2024" in note for note in report.notes)
    annual = (
        "CODGEO_2003;CODGEO_2018;CODGEO_2025;CODGEO_2026\n01091;01091;01033;01033\n01033;01033;01033;01033\n"
        "1018;;01018;01015\n55298;55298;55298;55298\n55298;55298;55138;55138\n"
    )
    tables, report = read("passages", "2025", write(tmp_path / "b.csv", annual))
    assert any("2025" in note for note in report.notes)
    assert set(tables["passages"].rows()) == {
        ("01091", "01033"), ("01033", "01033"), ("01018", "01018"), ("01015", "01018"), ("55298", "55298"),
        ("55298", "55138"), ("55138", "55138"),
    }  # fmt: skip


@pytest.mark.mirror
def test_appartenance_workbook(mirror: Path) -> None:
    tables, report = read("appartenance", "2024", mirror / "04_geo/table-appartenance-geo-communes-2024.xlsx")
    membership, zones = tables["membership"], tables["zones"]
    assert membership.height == report.rows_read == 34_935
    assert one(membership, code="12145") == {
        "code": "12145", "name": "Millau", "departement": "12", "region": "76", "epci": "241200567",
        "arrondissement": "121", "zone_emploi": "7614", "unite_urbaine": "12401", "aire_attraction": "224",
        "bassin_vie": "12145",
    }  # fmt: skip
    # The islands without EPCI: absence is written ZZZZZZZZZ in the file.
    assert membership.filter(pl.col("epci").is_null())["code"].to_list() == ["22016", "29083", "29155", "85113"]
    assert zones.filter(level="EPCI").height == 1256
    assert one(zones, level="EPCI", code="241200567")["n_communes"] == membership.filter(epci="241200567").height


def test_appartenance_csv_counts_zones(tmp_path: Path) -> None:
    content = (
        "CODGEO;LIBGEO;DEP;REG;EPCI;ARR;ZE2020;UU2020;AAV2020;BV2022\n"
        "1001;A;01;84;200069193;012;8405;01000;524;01093\n"
        "01002;B;01;84;ZZZZZZZZZ;011;8405;01000;000;01004\n"
    )
    tables, report = read("appartenance", "2024", write(tmp_path / "t.csv", content))
    assert tables["membership"]["epci"].to_list() == ["200069193", None]
    assert one(tables["zones"], level="ZE2020")["n_communes"] == 2
    assert tables["zones"].filter(level="EPCI").height == 1
    assert any("noms des zones" in note for note in report.notes)


@pytest.mark.parametrize(
    ("source_id", "resource_id"),
    [
        ("cog", "2023"),
        ("passages", "2025"),
        ("populations", "legales_2021"),
        ("filosofi", "2021"),
        ("appartenance", "2024"),
        ("bpe", "2023"),
    ],
)
def test_wrong_file_names_source_columns_and_next_step(tmp_path: Path, source_id: str, resource_id: str) -> None:
    path = write(tmp_path / "autre.csv", "colonne1;colonne2\n1;2\n")
    with pytest.raises(SourceFormatError, match="manque") as caught:
        read(source_id, resource_id, path)
    assert "autre.csv" in caught.value.where
    assert "colonne1, colonne2" in caught.value.why
    assert caught.value.next_step


def test_vintage_without_year_is_refused(tmp_path: Path) -> None:
    source = get_source("bpe")
    path = write(tmp_path / "b.csv", "DEPCOM;TYPEQU;NB_EQUIP\n01001;A129;1\n")
    with pytest.raises(SourceFormatError, match="année"):
        read_resource(path, source, Resource(id="x", vintage="inconnu", layout="x"))


def test_file_without_any_usable_row_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "p.csv", "COM;Commune;PMUN;PCAP;PTOT\nXX;Nulle part;1;0;1\n")
    with pytest.raises(SourceFormatError, match="Aucune ligne") as caught:
        read("populations", "legales_2021", path)
    assert "code commune illisible (1)" in caught.value.why


def test_unexpected_number_of_rows_is_said(tmp_path: Path) -> None:
    path = write(tmp_path / "p.csv", "COM;Commune;PMUN;PCAP;PTOT\n01001;Bourg;1;0;1\n")
    _, report = read("populations", "legales_2021", path)
    assert any("1 lignes lues" in note for note in report.notes)
