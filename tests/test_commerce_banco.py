"""BANCO, the open base of shops: its layout, several activities, wrong rows, and its place beside other sources."""

from __future__ import annotations

import zipfile
from pathlib import Path

import polars as pl
import pytest

from bourg.build.merging import RULES
from bourg.errors import SourceFormatError
from bourg.sources.model import get_source
from bourg.sources.readers.banco import SCHEMA
from bourg.sources.reading import Tables, read_resource
from bourg.sources.report import ReadReport

HEADER = (
    "X;Y;osm_id;type;name;brand;operator;wheelchair;level;siret;profession_ref;wikidata;website;phone;email;facebook;"
    "opening_hours;com_insee;com_nom;address;last_update"
)


def _line(
    osm_id: str, kind: str, name: str, *, brand: str = "", siret: str = "", wikidata: str = "", code: str = "12145",
    x: str = "3.08", y: str = "44.1",
) -> str:  # fmt: skip
    contact = "0102030405;a@b.fr;;Mo-Sa 09:00-19:00"
    place = f"{code};Millau;1 rue Droite"
    return f"{x};{y};{osm_id};{kind};{name};{brand};;yes;;{siret};;{wikidata};;{contact};{place};2024-03-02"


LINES = [
    _line("node/1", '"bakery;cafe"', "Au Blé Doré"),
    _line("way/2", "supermarket", "Carrefour Market", brand="Carrefour Market", wikidata="Q2689639"),
    _line("n3", "pharmacy", "Pharmacie", siret="123 456 789 00011"),
    _line("node/4", "embassy", "Ambassade"),
    _line("node/5", "florist", '"Fleurs; du Mail"', siret="12", wikidata="pas un identifiant", code="1001"),
    _line("node/1", "bakery", "Au Blé Doré"),
    _line("x", "bakery", "Sans objet"),
    _line("node/6", "hairdresser", "Trop loin", x="44.1", y="3.08"),
    _line("node/7", "bakery", "Sans commune", code=""),
]


def _read(path: Path) -> tuple[Tables, ReadReport]:
    source = get_source("banco")
    return read_resource(path, source, source.resources[0])


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("banco") / "banco.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.csv", "DATE_MAJ\n2024-03-02\n")
        archive.writestr("poi_data.csv", "\n".join([HEADER, *LINES]) + "\n")
    return path


def test_the_layout(base: Path) -> None:
    shops = _read(base)[0]["open_shops"]
    assert shops.schema == pl.Schema(SCHEMA)
    assert shops.select("code", "osm_ref", "type", "other_types").rows() == [
        ("01001", "node/5", "florist", None),
        ("12145", "node/1", "bakery", "cafe"),
        ("12145", "node/3", "pharmacy", None),
        ("12145", "node/6", "hairdresser", None),
        ("12145", "way/2", "supermarket", None),
    ]
    known = {row["osm_ref"]: row for row in shops.iter_rows(named=True)}
    assert known["node/5"]["name"] == "Fleurs; du Mail"
    assert (known["node/5"]["siret"], known["node/5"]["osm_wikidata"]) == (None, None)
    assert known["node/3"]["siret"] == "12345678900011"
    assert (known["way/2"]["osm_brand"], known["way/2"]["osm_wikidata"]) == ("Carrefour Market", "Q2689639")
    assert known["node/6"]["longitude"] is None
    assert known["node/1"]["group"] == "craft_food"


def test_what_is_left_out_is_counted(base: Path) -> None:
    report = _read(base)[1]
    assert report.rows_read == len(LINES)
    assert report.rows_kept == 5
    assert {reason: item.count for reason, item in report.rejected.items()} == {
        "code commune vide": 1,
        "identifiant OpenStreetMap illisible": 1,
        "commerce répété (même objet d'OpenStreetMap)": 1,
    }
    assert report.mended["commerce à plusieurs activités, compté dans la première"] == 1
    assert report.mended["latitude et longitude inversées, vidées"] == 1
    assert any("embassy (1)" in note for note in report.notes)


def test_contacts_are_not_kept(base: Path) -> None:
    text = _read(base)[0]["open_shops"].write_csv()
    assert "0102030405" not in text
    assert "a@b.fr" not in text


def test_wrong_files_are_typed(tmp_path: Path) -> None:
    path = tmp_path / "autre.csv"
    path.write_text("a;b\n1;2\n")
    with pytest.raises(SourceFormatError):
        _read(path)
    path.write_text(f"{HEADER}\n" + "\n".join(_line(f"node/{rank}", "embassy", "X") for rank in range(20)) + "\n")
    with pytest.raises(SourceFormatError, match="utilisable"):
        _read(path)


def test_codes_of_the_table_are_moved() -> None:
    assert "open_shops" in RULES.commune_codes
