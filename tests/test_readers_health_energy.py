"""Readers of FINESS, of energy diagnoses and of the accessibility of doctors."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from xml.sax.saxutils import escape

import polars as pl
import pytest

from bourg.errors import SourceFormatError
from bourg.sources.model import get_source
from bourg.sources.reading import Tables, read_resource
from bourg.sources.report import ReadReport


def read(source_id: str, resource_id: str, path: Path) -> tuple[Tables, ReadReport]:
    source = get_source(source_id)
    resource = next(item for item in source.resources if item.id == resource_id)
    return read_resource(path, source, resource)


def write(path: Path, content: str) -> Path:
    path.write_text(content, encoding="utf-8")
    return path


def _record(finess: str, departement: str, commune: str, category: str, name: str) -> str:
    fields = ["structureet", finess, "", name[:8], name, *[""] * 7, commune, departement, "", "", "0102030405", ""]
    return ";".join([*fields, category, "Libellé", *[""] * 12])


def test_raw_extraction_without_header(tmp_path: Path) -> None:
    content = "\n".join(
        [
            "finess;etalab;95;2026-03-11",
            _record("010000001", "01", "004", "603", 'MSP "LES DOMBES"'),
            _record("970100001", "9A", "101", "500", "EHPAD DES ABYMES"),
            _record("2A0000001", "2A", "041", "124", "CENTRE DE SANTE"),
            _record("120000001", "12", "145", "620", "PHARMACIE UNTEL"),
            "geolocalisation;010000001;880000.0;6500000.0;1,ATLASANTE;2026-03-11",
        ]
    )
    tables, report = read("finess", "national", write(tmp_path / "etalab.csv", content + "\n"))
    frame = tables["health_facilities"]
    assert frame.select("facility_id", "code", "kind", "name").rows() == [
        ("010000001", "01004", "health_house", 'MSP "LES DOMBES"'),
        ("2A0000001", "2A041", "health_centre", "CENTRE DE SANTE"),
        ("970100001", "97101", "care_home", "EHPAD DES ABYMES"),
    ]
    assert report.rows_read == 4
    assert frame["longitude"].null_count() == 3
    with pytest.raises(SourceFormatError, match="aucun établissement"):
        read("finess", "national", write(tmp_path / "vide.csv", "finess;etalab;95;2026-03-11\n"))


@pytest.mark.mirror
def test_finess_of_the_mirror_counts_establishments_and_not_activities(mirror: Path) -> None:
    path = mirror / "11_sante/finess_occitanie.csv"
    tables, report = read("finess", "occitanie", path)
    frame = tables["health_facilities"]
    assert report.rows_read == 13_747
    raw = pl.read_csv(path, infer_schema_length=0)
    for kind, category in (("health_house", "603"), ("health_centre", "124"), ("care_home", "500")):
        expected = raw.filter(categetab=category)["numero finess etablissement"].n_unique()
        assert frame.filter(kind=kind).height == expected
    homes = raw.filter(categetab="500", code_insee="12145")["numero finess etablissement"].n_unique()
    assert frame.filter(kind="care_home", code="12145").height == homes > 0


def test_diagnoses_one_by_one_or_counted(tmp_path: Path) -> None:
    header = "numero_dpe,etiquette_dpe,code_insee_ban\n"
    content = header + "1,F,1004\n2,f,01004\n3,C,01004\n4,G,12145\n5,,12145\n6,N,12145\n7,A,\n"
    tables, report = read("dpe", "95", write(tmp_path / "dpe.csv", content))
    assert tables["dwelling_energy"].rows() == [("01004", 0, 0, 1, 0, 0, 2, 0), ("12145", 0, 0, 0, 0, 0, 0, 1)]
    assert report.rows_read == 7
    assert report.rejected["étiquette énergie absente ou inconnue"].count == 2
    assert report.rejected["diagnostic sans code commune"].count == 1
    rows = [
        {"code": "95002", "total": 3, "classes": {"A": 0, "B": 0, "C": 1, "D": 0, "E": 0, "F": 2, "G": 0}},
        {"code": "95008", "total": 9, "classes": {"A": 0, "B": 0, "C": 1, "D": 0, "E": 0, "F": 2, "G": 0}},
    ]
    tables, report = read("dpe", "95", write(tmp_path / "dpe.json", json.dumps(rows)))
    assert tables["dwelling_energy"].rows() == [("95002", 0, 0, 1, 0, 0, 2, 0)]
    assert report.rejected["étiquettes dont la somme n'est pas le total"].count == 1


@pytest.mark.mirror
def test_diagnoses_of_the_mirror(mirror: Path) -> None:
    path = mirror / "07_energie/ademe_dpe_agrege_95.json"
    tables, _ = read("dpe", "95", path)
    official = {
        row["code"]: (row["total"], row["classes"]["F"], row["classes"]["G"]) for row in json.loads(path.read_text())
    }
    frame = tables["dwelling_energy"].with_columns(total=pl.sum_horizontal("A", "B", "C", "D", "E", "F", "G"))
    assert {code: rest for code, *rest in frame.select("code", "total", "F", "G").iter_rows()} == {
        code: list(values) for code, values in official.items()
    }
    assert sum(total < 11 for total, _, _ in official.values()) == 4


def _workbook(path: Path, sheets: dict[str, list[list[str]]]) -> None:
    """Write the least that a spreadsheet needs: one part by sheet, text in the cells."""
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006/relationships"
    kinds = "http://schemas.openxmlformats.org/package/2006/content-types"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(
            "[Content_Types].xml",
            f'<Types xmlns="{kinds}"><Default Extension="xml" ContentType="application/xml"/>'
            '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            "</Types>",
        )
        archive.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{package}"><Relationship Id="r0" Type="{office}/officeDocument" '
            'Target="xl/workbook.xml"/></Relationships>',
        )
        names, links = [], []
        for rank, (name, rows) in enumerate(sheets.items(), start=1):
            names.append(f'<sheet name="{escape(name)}" sheetId="{rank}" r:id="r{rank}"/>')
            links.append(f'<Relationship Id="r{rank}" Type="{office}/worksheet" Target="worksheets/s{rank}.xml"/>')
            lines = "".join(
                f'<row r="{line}">'
                + "".join(
                    f'<c r="{"ABCD"[place]}{line}" t="inlineStr"><is><t>{escape(cell)}</t></is></c>'
                    for place, cell in enumerate(row)
                    if cell
                )
                + "</row>"
                for line, row in enumerate(rows, start=1)
            )
            archive.writestr(
                f"xl/worksheets/s{rank}.xml",
                f'<worksheet xmlns="{main}"><sheetData>{lines}</sheetData></worksheet>',
            )
        archive.writestr(
            "xl/workbook.xml",
            f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets>{"".join(names)}</sheets></workbook>',
        )
        archive.writestr(
            "xl/_rels/workbook.xml.rels", f'<Relationships xmlns="{package}">{"".join(links)}</Relationships>'
        )


def test_accessibility_in_both_forms(tmp_path: Path) -> None:
    content = 'codgeo,libgeo,apl_med_gen\n1004,Ambérieu,"3,25"\n12145,Millau,0\n12202,Rodez,nd\n12145,Millau,1\n'
    tables, report = read("apl", "courant", write(tmp_path / "apl.csv", content))
    assert tables["apl"].rows() == [("01004", 2022, 3.25), ("12145", 2022, 0.0), ("12202", 2022, None)]
    assert report.mended["accessibilité illisible ou négative, vidée"] == 1
    _workbook(
        tmp_path / "apl.xlsx",
        {
            "Paramètres": [["Année", "2022"]],
            "APL 2022": [
                ["Accessibilité potentielle localisée", "", "", ""],
                ["Code commune INSEE", "Commune", "APL aux médecins généralistes", "Population totale 2020"],
                ["", "", "nb de consultations/an/hab. standardisé", ""],
                ["01004", "Ambérieu", "3.25", "14000"],
                ["2A041", "Bonifacio", "2.5", "3000"],
            ],
        },
    )
    tables, _ = read("apl", "courant", tmp_path / "apl.xlsx")
    assert tables["apl"].rows() == [("01004", 2022, 3.25), ("2A041", 2022, 2.5)]


@pytest.mark.parametrize("source_id", ["finess", "dpe", "apl"])
def test_missing_columns_are_named(source_id: str, tmp_path: Path) -> None:
    source = get_source(source_id)
    with pytest.raises(SourceFormatError, match="manque"):
        read_resource(write(tmp_path / "autre.csv", "a,b\n1,2\n"), source, source.resources[0])
