"""Sirene: the official layouts, the sample of 2019, bad files, personal data, and block boundaries."""

from __future__ import annotations

import datetime as dt
import gzip
import zipfile
from pathlib import Path

import polars as pl
import pytest

from bourg.commerce.chains import INDEPENDENT, NETWORK, UNDETERMINED
from bourg.errors import ArchiveError, SourceFormatError
from bourg.sources import csvblocks, csvstreams
from bourg.sources.demo.sirene import COLUMNS, HISTORY_COLUMNS
from bourg.sources.model import get_source
from bourg.sources.readers import sirene
from bourg.sources.readers.sirene_sieve import Sieve
from bourg.sources.reading import ReadContext, Tables, read_resource
from bourg.sources.report import ReadReport

SHORT = {
    "siret": "siret", "diffusion": "statutDiffusionEtablissement", "created": "dateCreationEtablissement",
    "treated": "dateDernierTraitementEtablissement", "code": "codeCommuneEtablissement", "start": "dateDebut",
    "state": "etatAdministratifEtablissement", "sign": "enseigne1Etablissement", "sign2": "enseigne2Etablissement",
    "usual": "denominationUsuelleEtablissement", "naf": "activitePrincipaleEtablissement",
    "nomenclature": "nomenclatureActivitePrincipaleEtablissement", "employees": "trancheEffectifsEtablissement",
    "employer": "caractereEmployeurEtablissement", "number": "numeroVoieEtablissement",
    "street_type": "typeVoieEtablissement", "street": "libelleVoieEtablissement",
    "x": "coordonneeLambertAbscisseEtablissement", "y": "coordonneeLambertOrdonneeEtablissement",
    "end": "dateFin", "naf25": "activitePrincipaleNAF25Etablissement",
}  # fmt: skip
BASE = {
    "diffusion": "O", "created": "2015-03-01", "treated": "2024-12-31T10:00:00", "code": "12145", "start": "2015-03-01",
    "state": "A", "naf": "10.71C", "nomenclature": "NAFRev2", "employees": "01", "employer": "O", "number": "4",
    "street_type": "RUE", "street": "DROITE",
}  # fmt: skip


def _row(rank: int, **values: str) -> dict[str, str]:
    given = {"siret": f"99{rank:07d}00011", **BASE, **values}
    return {SHORT[name]: value for name, value in given.items()}


def _csv(path: Path, rows: list[dict[str, str]], columns: tuple[str, ...] = COLUMNS) -> Path:
    frame = pl.DataFrame(
        [{name: row.get(name) for name in columns} for row in rows], schema=dict.fromkeys(columns, pl.String)
    )
    frame.write_csv(path)
    return path


def _read(path: Path) -> tuple[Tables, ReadReport]:
    source = get_source("sirene")
    return read_resource(path, source, source.resources[1])


@pytest.fixture(scope="module")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows = [
        _row(1, sign="BOULANGERIE MARIE BLACHÈRE", x="706000.5", y="6333000.5"),
        _row(2, state="F", start="2020-06-01", sign='LE FOURNIL, "CHEZ NOUS"'),
        _row(3, created="2021-02-01", start="2021-02-01", naf="56.30Z", sign="CAFE"),
        _row(4, diffusion="P", sign="MARTIN JEAN", street="[ND]", number="[ND]", code="12145", x="[ND]", y="[ND]"),
        _row(5, naf="47.11D", code="2A004", sign="", usual="MADAME DUPONT"),
        _row(6, naf="62.01Z"),
        _row(7, naf="52.4A", nomenclature="NAF1993", state="F", start="2005-01-01"),
        _row(8, code="97411", created="1900-01-01", employees="NN", sign="[ND]"),
        _row(9, state="F", start="2003-01-01", created="2001-01-01"),
        _row(10, code="75108", naf="1071C"),
        _row(11, code=""),
        _row(12, state="F", start="2012-01-01", created="2014-01-01", number="9"),
    ]
    return _csv(tmp_path_factory.mktemp("sirene") / "StockEtablissement_utf8.csv", rows)


def test_shops_of_the_current_layout(stock: Path) -> None:
    tables, report = _read(stock)
    shops = tables["shops"]
    rows = {row["siret"]: row for row in shops.iter_rows(named=True)}
    assert report.rows_read == 12
    assert dict(shops.schema) == sirene.SCHEMA
    first = rows["99000000100011"]
    assert (first["code"], first["type"], first["group"], first["open"]) == ("12145", "bakery", "craft_food", True)
    assert (first["chain"], first["brand"], first["employees"], first["employer"]) == (
        NETWORK,
        "Marie Blachère",
        "01",
        True,
    )
    assert (first["created"], first["closed"], first["observed"]) == (dt.date(2015, 3, 1), None, dt.date(2024, 12, 31))
    assert (round(first["longitude"], 1), round(first["latitude"], 1)) == (3.1, 44.1)
    closed = rows["99000000200011"]
    assert (closed["closed"], closed["chain"], closed["replaced"]) == (dt.date(2020, 6, 1), INDEPENDENT, True)
    assert rows["99000000300011"]["chain"] == UNDETERMINED
    assert rows["99000001000011"]["naf"] == "10.71C"
    assert rows["99000001000011"]["code"] == "75108"
    overseas = rows["99000000800011"]
    assert (overseas["created"], overseas["employees"], overseas["name"]) == (None, None, None)
    assert rows["99000001200011"]["created"] is None
    assert "99000000600011" not in rows
    assert "99000000700011" not in rows


def test_nothing_of_a_person_is_kept(stock: Path) -> None:
    tables, report = _read(stock)
    hidden = tables["shops"].filter(~pl.col("public"))
    assert hidden.height == 1
    assert hidden.select("siret", "name", "longitude", "latitude", "brand").row(0) == (None,) * 5
    for table in tables.values():
        texts = table.select(pl.col(pl.String)).to_series(0).to_list() if table.width else []
        assert not any("MARTIN" in (text or "") or "DUPONT" in (text or "") for text in texts)
    assert tables["shops"]["name"].str.contains("MARTIN|DUPONT").sum() == 0
    assert "address" not in tables["shops"].columns
    assert report.mended["établissement à diffusion partielle : SIRET, nom et adresse retirés"] == 1
    assert report.mended["nom de personne (précédé d'une civilité) retiré"] == 1


def test_what_is_left_out_is_counted(stock: Path) -> None:
    _, report = _read(stock)
    assert report.rejected["code commune vide"].count == 1
    assert report.mended["commerce fermé avant 2009, hors de la période"] == 1
    assert report.mended["création postérieure à la fermeture : date de création vidée"] == 1
    notes = " ".join(report.notes)
    assert "2 établissements d'une autre activité" in notes
    assert "1 établissements classés en NAF1993" in notes


def test_town_tables_agree_with_the_shops(stock: Path) -> None:
    tables, _ = _read(stock)
    shops, years = tables["shops"], tables["shop_years"]
    last = years.filter(pl.col("year") == 2024).group_by("code").agg(pl.col("stock").sum())
    still = shops.filter("open").group_by("code").agg(stock=pl.len().cast(pl.Int32))
    assert last.sort("code").rows() == still.sort("code").rows()
    turnover = tables["shop_turnover"].filter(pl.col("code") == "12145").row(0, named=True)
    assert (turnover["followed"], turnover["replaced"]) == (1, 1)
    assert set(tables["shop_survival"].columns) == {"code", "group", "cohort", "age", "at_risk", "closed"}


@pytest.mark.parametrize("wrapping", ["zip", "gzip", "parquet"])
def test_every_wrapping_gives_the_same_tables(stock: Path, tmp_path: Path, wrapping: str) -> None:
    path = tmp_path / f"stock.{wrapping}"
    if wrapping == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.write(stock, "StockEtablissement_utf8.csv")
    elif wrapping == "gzip":
        path.write_bytes(gzip.compress(stock.read_bytes()))
    else:
        frame = pl.read_csv(stock, infer_schema=False)
        # The official Parquet has dates and booleans where the CSV has texts.
        frame.with_columns(
            pl.col("dateDebut").str.to_date("%Y-%m-%d"),
            pl.col("dateCreationEtablissement").str.to_date("%Y-%m-%d"),
            pl.col("dateDernierTraitementEtablissement").str.to_datetime("%Y-%m-%dT%H:%M:%S"),
        ).write_parquet(path)
    expected, _ = _read(stock)
    found, _ = _read(path)
    for name, table in expected.items():
        assert found[name].equals(table), name


@pytest.mark.parametrize("size", [700, 1_000, 1_500, 4_000])
def test_the_size_of_blocks_changes_nothing(stock: Path, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    expected, _ = _read(stock)
    monkeypatch.setattr(csvstreams, "BLOCK", size)
    found, report = _read(stock)
    assert report.rows_read == 12
    for name, table in expected.items():
        assert found[name].equals(table), name


def _same(found: tuple[Tables, ReadReport], expected: tuple[Tables, ReadReport]) -> None:
    for name, table in expected[0].items():
        assert found[0][name].equals(table), name
        assert found[0][name].schema == table.schema
    assert found[1].mended == expected[1].mended
    assert found[1].notes == expected[1].notes
    assert {why: part.count for why, part in found[1].rejected.items()} == {
        why: part.count for why, part in expected[1].rejected.items()
    }


@pytest.mark.parametrize("size", [900, 5_000, 1_000_000])
def test_the_sieve_changes_no_result(stock: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    lines = stock.read_text(encoding="utf-8").splitlines()
    dirty = [
        _row(21, naf="62.01Z", sign='BAR, "CHEZ, NOUS"'), _row(22, naf="70.22Z", sign="DEUX\nLIGNES"),
        _row(23, nomenclature="NAP", naf="8.12"), _row(24, nomenclature="NAF2025", naf="47.11D"),
        _row(25, nomenclature="", naf="10.71C"), _row(26, naf=""), _row(27, state="X"), _row(28, start="2015"),
        _row(29, siret="123", naf="62.01Z"), _row(30, naf="1071C", code="1004"), _row(31, sign="DEUX\nLIGNES"),
        _row(32, nomenclature="NAFRev1", naf="52.4A"), _row(33, naf="47.11D", sign='LE "GRAND", PONT'),
    ]  # fmt: skip
    more = _csv(tmp_path / "more.csv", dirty).read_text(encoding="utf-8").partition("\n")[2]
    quoted = '"' + lines[1].replace(",", '","') + '"'
    odd = [lines[6].replace(",DROITE,", ',RUE "HAUTE",'), lines[6] + ",trop", quoted.replace("0000001", "0000041")]
    text = "\n".join([*lines, *odd, lines[6] + "\r", *lines[1:4]]) + "\n" + more
    path = tmp_path / "stock.csv"
    path.write_text(text, encoding="utf-8", newline="")
    expected = _read(path)
    monkeypatch.setattr(csvblocks, "SIEVED_FROM", 0)
    monkeypatch.setattr(csvstreams, "BLOCK", size)
    _same(_read(path), expected)


def test_the_sieve_leaves_out_what_it_is_sure_of() -> None:
    places = {"siret": 0, "state": 1, "start": 2, "naf": 3, "nomenclature": 4}
    sieve = Sieve(places, 6, ",", codes=["10.71C"], schemes=("NAFRev2", "NAP"))
    siret = "99000000100011"
    lines = [
        f"{siret},A,2015-03-01,10.71C,NAFRev2,a",
        f"{siret},A,2015-03-01,62.01Z,NAFRev2,b",
        f'{siret},A,2015-03-01,"62.01Z",NAFRev2,"b, c"',
        f'{siret},A,2015-03-01,"",NAFRev2,kept',
        f"{siret},F,,10.71C,NAP,d",
        f"{siret},F,,62.01Z,,e",
        f"{siret},F,,62.01Z,unknown nomenclature,kept",
        f"{siret},F,2015,62.01Z,NAFRev2,kept",
        f"{siret}1,F,,62.01Z,NAFRev2,kept",
    ]
    text = "\n".join(lines).encode() + b"\n"
    found = sieve(text + b'99,A,"not fini')
    assert found is not None
    assert found.data.decode().splitlines() == [lines[rank] for rank in (0, 3, 6, 7, 8)]
    assert (found.numbers.tolist(), found.rows, found.used) == ([0, 3, 6, 7, 8], 9, len(text))
    assert sieve.left_out == {"NAFRev2": 2, "NAP": 1, None: 1}
    for wrong in (b"1,2,3\n", b"1,2,3,4,5,6,7\n", b'1,2,3,4,5,6"7"\n', b'"1"2,2,3,4,5,6\n', b"\n"):
        assert sieve(wrong) is None
    assert sieve.left_out == {"NAFRev2": 2, "NAP": 1, None: 1}


def test_a_line_end_inside_a_name_survives_a_block_boundary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [_row(rank, sign="LE FOURNIL\nDU PONT, SUITE") for rank in range(1, 6)]
    path = _csv(tmp_path / "stock.csv", rows)
    for size in (300, 900, 1_000_000):
        monkeypatch.setattr(csvstreams, "BLOCK", size)
        tables, report = _read(path)
        assert tables["shops"].height == report.rows_read == 5
        assert set(tables["shops"]["name"]) == {"LE FOURNIL\nDU PONT, SUITE"}


def test_a_quote_inside_a_field_and_a_wrong_line(tmp_path: Path) -> None:
    path = _csv(tmp_path / "stock.csv", [_row(rank) for rank in range(1, 400)])
    lines = path.read_text(encoding="utf-8").splitlines()
    lines[3] = lines[3].replace(",DROITE,", ',DU "PONT",')
    lines[7] += ",trop"
    lines[9] = ""
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    tables, report = _read(path)
    assert report.rejected["nombre de champs différent de l'en-tête"].count == 1
    assert "ligne 8" in report.rejected["nombre de champs différent de l'en-tête"].examples[0]
    assert tables["shops"].height == 397


def test_shifted_columns_are_refused_or_counted(tmp_path: Path) -> None:
    rows = [_row(rank % 100) | {"siret": f"99{rank:07d}00011"} for rank in range(3000)]
    path = _csv(tmp_path / "stock.csv", rows)
    lines = path.read_text(encoding="utf-8").splitlines()
    shift = [",".join(["", *line.split(",")[:-1]]) for line in lines]
    path.write_text("\n".join([lines[0], shift[1], *lines[2:]]) + "\n", encoding="utf-8")
    tables, report = _read(path)
    assert report.rejected["colonnes décalées : SIRET, état ou date illisible"].count == 1
    assert tables["shops"].height == 2999
    path.write_text("\n".join([lines[0], *shift[1:]]) + "\n", encoding="utf-8")
    with pytest.raises(SourceFormatError, match="décalées") as caught:
        _read(path)
    assert "stock.csv" in caught.value.where


def test_missing_columns_are_named(tmp_path: Path) -> None:
    columns = tuple(name for name in COLUMNS if name != "codeCommuneEtablissement")
    path = _csv(tmp_path / "stock.csv", [_row(1)], columns)
    with pytest.raises(SourceFormatError, match="codeCommuneEtablissement"):
        _read(path)


def test_a_file_cut_short_is_an_error(stock: Path, tmp_path: Path) -> None:
    content = stock.read_bytes()
    cut = tmp_path / "cut.csv"
    cut.write_bytes(content[: content.rindex(b"NAFRev2") - 60])
    with pytest.raises(SourceFormatError, match="tronqué"):
        _read(cut)
    packed = tmp_path / "cut.csv.gz"
    packed.write_bytes(gzip.compress(content)[:-40])
    with pytest.raises(ArchiveError):
        _read(packed)
    whole = tmp_path / "whole.csv"
    whole.write_bytes(content.rstrip(b"\n"))
    assert _read(whole)[1].rows_read == 12


def test_a_header_alone_is_an_error(tmp_path: Path) -> None:
    path = _csv(tmp_path / "stock.csv", [])
    with pytest.raises(SourceFormatError, match="aucune ligne"):
        _read(path)


def test_latin_letters_are_read(tmp_path: Path) -> None:
    path = _csv(tmp_path / "stock.csv", [_row(1, sign="CAFÉ DE L'ÉGLISE")])
    path.write_bytes(path.read_text(encoding="utf-8").encode("cp1252"))
    tables, report = _read(path)
    assert tables["shops"]["name"].to_list() == ["CAFÉ DE L'ÉGLISE"]
    assert any("Windows-1252" in note for note in report.notes)


@pytest.mark.mirror
def test_the_sample_of_2019_is_read_and_has_no_shop(mirror: Path) -> None:
    source = get_source("sirene")
    context = ReadContext(source, source.resources[1])
    tables = sirene.read(mirror / "06_sirene/sample_etablissements_OK.csv", context)
    assert context.report.rows_read == 3
    assert tables["shops"].height == 0
    assert any("NAP" in note for note in context.report.notes)
    with pytest.raises(SourceFormatError, match="Aucune ligne"):
        _read(mirror / "06_sirene/sample_etablissements_OK.csv")


def test_coordinates_of_the_geocoded_layout(tmp_path: Path) -> None:
    columns = (*(name for name in COLUMNS if not name.startswith("coordonnee")), "longitude", "latitude")
    row = _row(1) | {"longitude": "3.0782", "latitude": "44.0986"}
    tables, _ = _read(_csv(tmp_path / "geo_siret_12.csv", [row], columns))
    assert tables["shops"].select("longitude", "latitude").row(0) == (3.0782, 44.0986)


def test_history_keeps_the_periods_of_shops(tmp_path: Path) -> None:
    def period(start: str, end: str | None, state: str, naf: str) -> dict[str, str]:
        given = {"siret": "99000000100011", "start": start, "end": end or "", "state": state, "naf": naf,
                 "nomenclature": "NAFRev2"}  # fmt: skip
        return {SHORT[name]: value for name, value in given.items() if value}

    rows = [
        period("2019-01-01", None, "F", "56.30Z"),
        period("2015-07-01", "2018-12-31", "A", "56.30Z"),
        period("2013-01-01", "2015-06-30", "A", "10.71C"),
        period("2010-01-01", "2012-12-31", "A", "10.71C"),
        period("2008-01-01", "2009-12-31", "A", "62.01Z"),
        period("2018-01-01", "2017-01-01", "A", "56.30Z"),
    ]
    path = _csv(tmp_path / "StockEtablissementHistorique_utf8.csv", rows, HISTORY_COLUMNS)
    source = get_source("sirene_historique")
    tables, report = read_resource(path, source, source.resources[0])
    assert report.rejected["période sans début, ou qui finit avant de commencer"].count == 1
    assert tables["shop_periods"].rows() == [
        ("99000000100011", dt.date(2010, 1, 1), dt.date(2015, 6, 30), True, "bakery"),
        ("99000000100011", dt.date(2015, 7, 1), dt.date(2018, 12, 31), True, "cafe"),
        ("99000000100011", dt.date(2019, 1, 1), None, False, "cafe"),
    ]


def test_the_stock_is_not_taken_for_the_history(stock: Path) -> None:
    source = get_source("sirene_historique")
    with pytest.raises(SourceFormatError, match="dateFin"):
        read_resource(stock, source, source.resources[0])
