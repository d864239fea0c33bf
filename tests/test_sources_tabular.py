"""Tabular reading: every wrapping, encoding, separator and fault met in official files."""

from __future__ import annotations

import codecs
import gzip
import struct
import tracemalloc
import zipfile
from pathlib import Path

import polars as pl
import pytest

from bourg.errors import ArchiveError, SourceFormatError, StorageError
from bourg.sources import archives, cells, sniffing
from bourg.sources.layouts import column, fold, optional
from bourg.sources.report import ReadReport
from bourg.sources.tabular import open_table, read_sheet

LAYOUTS = {"towns": {"code": column("CODGEO", "code_insee"), "name": column("LIBGEO"), "n": optional("Nombre")}}
ROWS = [("01001", "L'Abergement-Clémenciat", "12"), ("2A004", "Ajaccio", "3,5"), ("12145", "Millau", "1 234")]


def read(path: Path, **options: object) -> tuple[pl.DataFrame, ReadReport]:
    report = ReadReport()
    with open_table(path, LAYOUTS, report, **options) as table:  # type: ignore[arg-type]
        return table.read(), report


def text(separator: str = ";", end: str = "\n") -> str:
    lines = [("CODGEO", "LIBGEO", "Nombre"), *ROWS]
    return "".join(
        separator.join(cell if separator not in cell else f'"{cell}"' for cell in line) + end for line in lines
    )


@pytest.mark.parametrize("separator", [";", ",", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_separators_and_line_ends(tmp_path: Path, separator: str, end: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(text(separator, end).encode())
    frame, report = read(path)
    assert frame.rows() == ROWS
    assert report.rows_read == 3
    assert report.rejected == {}


@pytest.mark.parametrize(
    ("encoding", "declared", "note"),
    [
        ("utf-8", None, None),
        ("utf-8-sig", None, None),
        ("cp1252", None, "Windows-1252"),
        ("latin-1", None, "Windows-1252"),
        ("utf-16", None, "UTF-16"),
        ("cp850", "cp850", "CP850"),
    ],
)
def test_encodings(tmp_path: Path, encoding: str, declared: str | None, note: str | None) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(text().encode(encoding))
    frame, report = read(path, encoding=declared)
    assert frame["name"].to_list() == [row[1] for row in ROWS]
    assert any(note in line for line in report.notes) if note else report.notes == []


def test_double_bom_and_late_accent(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(codecs.BOM_UTF8 * 2 + text().encode())
    frame, report = read(path)
    assert frame.rows() == ROWS
    assert any("BOM" in note for note in report.notes)
    # The first byte that is not UTF-8 comes after several megabytes: the guess must not stop at a sample.
    filler = "".join(f"{code:05d};Bourg;1\n" for code in range(1000, 90000))
    path.write_bytes(b"CODGEO;LIBGEO;Nombre\n" + filler.encode() * 3 + "01002;Chézy;2\n".encode("cp1252"))
    frame, report = read(path)
    assert frame["name"][-1] == "Chézy"
    assert frame.height == 3 * 89000 + 1


def test_utf8_split_between_two_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sniffing, "CHUNK", 7)
    path = tmp_path / "a.csv"
    path.write_bytes(text(",").encode())
    assert read(path)[0].rows() == ROWS


def test_header_names_are_matched_without_case_accents_or_punctuation(tmp_path: Path) -> None:
    assert fold("Type équipement_ou-Lieu ") == fold("type_equipement_ou_lieu")
    path = tmp_path / "a.csv"
    path.write_text("Code_INSEE;libgeo;Libellé inconnu\n01001;Bourg;x\n", encoding="utf-8")
    assert read(path)[0].row(0) == ("01001", "Bourg", None)


def test_title_lines_before_the_header(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('"Titre ; avec séparateur";;\nSource : Insee;;\n;;\n' + text(), encoding="utf-8")
    assert read(path)[0].rows() == ROWS


def test_repeated_header_blank_lines_and_excel_cells(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(
        'CODGEO;LIBGEO;Nombre\n="01001";Bourg;1\n\nCODGEO;LIBGEO;Nombre\n"=""2A004""";Ajaccio;2\n\n', encoding="utf-8"
    )
    frame, report = read(path)
    assert frame["code"].to_list() == ["01001", "2A004"]
    assert report.rejected["ligne d'en-tête répétée dans les données"].count == 1


def test_quoted_separators_newlines_and_quotes(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(
        'CODGEO;LIBGEO;Nombre\n01001;"Le ""Bourg""; sur\nl\'eau";1\n01002;Pont 5" large;2\n01003;Pont 6" haut;2\n',
        encoding="utf-8",
    )
    frame, _ = read(path)
    assert frame["name"].to_list() == ['Le "Bourg"; sur\nl\'eau', 'Pont 5" large', 'Pont 6" haut']


def test_missing_column_names_file_columns_and_next_step(tmp_path: Path) -> None:
    path = tmp_path / "communes.csv"
    path.write_text("CODGEO;NOM\n01001;Bourg\n", encoding="utf-8")
    with pytest.raises(SourceFormatError) as caught:
        read(path)
    error = caught.value
    assert "communes.csv" in error.where
    assert "manquent : LIBGEO" in error.why
    assert "trouvées : CODGEO, NOM" in error.why
    assert "bourg sources --explain" in error.next_step


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xef\xbb\xbf", b"\x00\x00"])
def test_empty_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "vide.csv"
    path.write_bytes(content)
    with pytest.raises(SourceFormatError, match=r"vide(?s:.)*vide\.csv"):
        read(path)


@pytest.mark.parametrize("content", ["CODGEO;LIBGEO;Nombre", "CODGEO;LIBGEO;Nombre\n", "CODGEO;LIBGEO;Nombre\n\n\n"])
def test_header_only(tmp_path: Path, content: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(SourceFormatError, match="aucune ligne de données"):
        read(path)


def test_web_page_instead_of_data(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("\n<!DOCTYPE html><html><body>Erreur 503</body></html>", encoding="utf-8")
    with pytest.raises(SourceFormatError, match="page web"):
        read(path)


@pytest.mark.parametrize(
    ("tail", "message"),
    [
        ("01002;Cham", "ligne 5 : 2 champs au lieu de 3"),
        ("01002", "ligne 5 : 1 champs au lieu de 3"),
        ('01002;"Cham', "ligne 5"),
        ('01002;"Cham\n01003;Suite;2\n01004;Fin;3\n', "ligne 5"),
        ('01002;Cham;"1', "ligne 5"),
    ],
)
def test_truncated_file_names_the_line(tmp_path: Path, tail: str, message: str) -> None:
    path = tmp_path / "coupe.csv"
    path.write_text(text() + tail, encoding="utf-8")
    with pytest.raises(SourceFormatError, match=r"tronqué|guillemet") as caught:
        read(path)
    assert "coupe.csv" in caught.value.where
    assert message in caught.value.where


def test_few_ragged_lines_are_counted_with_their_numbers(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(text() + "01002;Un;nom;coupé\n01003;Court\n01004;Bon;4\nSource : Insee\n", encoding="utf-8")
    frame, report = read(path)
    assert frame["code"].to_list() == ["01001", "2A004", "12145", "01004"]
    rejection = report.rejected["nombre de champs différent de l'en-tête"]
    assert rejection.count == 3
    assert rejection.examples[:2] == ["ligne 5 : 4 champs au lieu de 3", "ligne 6 : 2 champs au lieu de 3"]


def test_many_ragged_lines_stop_the_source(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(text() + "01002;Un;nom;coupé\n" * 50 + "01003;Fin;1\n", encoding="utf-8")
    with pytest.raises(SourceFormatError, match="50 lignes sur 54") as caught:
        read(path)
    assert "ligne 5" in caught.value.where


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(SourceFormatError, match="n'existe pas"):
        read(tmp_path / "rien.csv")


def test_compressed_forms(tmp_path: Path) -> None:
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(text().encode("cp1252")))
    assert read(tmp_path / "a.csv.gz")[0].rows() == ROWS
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("dossier/lisez-moi.txt", "x" * 5000)
        archive.writestr("dossier/metadonnees.csv", "a;b\n1;2\n" * 100)
        archive.writestr("dossier/Donnees_COM.csv", text())
    assert read(tmp_path / "a.zip", members=("donnees_*.csv", "*.csv"))[0].rows() == ROWS
    with pytest.raises(ArchiveError, match=r"ne contient pas(?s:.)*\*\.parquet(?s:.)*lisez-moi"):
        read(tmp_path / "a.zip", members=("*.parquet",))
    pl.DataFrame(ROWS, schema=["CODGEO", "LIBGEO", "Nombre"], orient="row").write_parquet(tmp_path / "a.parquet")
    assert read(tmp_path / "a.parquet")[0].rows() == ROWS


def test_numeric_codes_of_a_parquet_become_text(tmp_path: Path) -> None:
    pl.DataFrame({"CODGEO": [1001.0, 12145.0], "LIBGEO": ["a", "b"]}).write_parquet(tmp_path / "a.parquet")
    report = ReadReport()
    frame = cells.mend_codes(read(tmp_path / "a.parquet")[0], report)
    assert frame["code"].to_list() == ["01001", "12145"]
    assert report.mended["code commune écrit comme un nombre décimal"] == 2


def test_workbook_sheet_and_header_row(tmp_path: Path, mirror: Path) -> None:
    raw = read_sheet(mirror / "04_geo/table-appartenance-geo-communes-2024.xlsx", ("zonessupra*",))
    assert raw is not None
    assert raw.row(5) == ("NIVGEO", "CODGEO", "LIBGEO", "NB_COM")
    assert read_sheet(mirror / "04_geo/table-appartenance-geo-communes-2024.xlsx", ("rien",)) is None


@pytest.mark.parametrize("name", ["a.csv.gz", "a.zip", "a.parquet", "a.xlsx"])
def test_truncated_containers(tmp_path: Path, name: str, mirror: Path) -> None:
    path = tmp_path / name
    if name == "a.csv.gz":
        path.write_bytes(gzip.compress(text().encode() * 50))
    elif name == "a.zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("a.csv", text() * 50)
    elif name == "a.parquet":
        pl.DataFrame(ROWS, schema=["CODGEO", "LIBGEO", "Nombre"], orient="row").write_parquet(path)
    else:
        path.write_bytes((mirror / "04_geo/table-appartenance-geo-communes-2024.xlsx").read_bytes())
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 2 // 3])
    with pytest.raises(ArchiveError, match="endommagée ou tronquée") as caught:
        read(path)
    assert name in caught.value.where


def test_corrupted_zip_member(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", text() * 200)
    damaged = bytearray(path.read_bytes())
    damaged[60:70] = b"\xff" * 10
    path.write_bytes(damaged)
    with pytest.raises(ArchiveError, match="endommagée"):
        read(path)


def test_encrypted_zip(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.csv", text())
    raw = bytearray(path.read_bytes())
    # Flag bit 0 of the local header and of the central directory.
    raw[6] |= 1
    raw[raw.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(raw)
    with pytest.raises(ArchiveError, match="mot de passe"):
        read(path)


@pytest.mark.parametrize("kind", ["zip", "gz"])
def test_bomb_is_refused_without_filling_memory(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"bombe.{kind}"
    block = b"0" * (1 << 20)
    if kind == "gz":
        with gzip.open(path, "wb") as stream:
            for _ in range(200):
                stream.write(block)
    else:
        with (
            zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
            archive.open("a.csv", "w", force_zip64=True) as out,
        ):
            for _ in range(200):
                out.write(block)
    tracemalloc.start()
    with pytest.raises(ArchiveError, match="démesuré"):
        read(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 32 * 1024**2


def test_bomb_that_lies_about_its_size(tmp_path: Path) -> None:
    path = tmp_path / "bombe.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", b"0" * (100 << 20))
    raw = bytearray(path.read_bytes())
    central = raw.index(b"PK\x01\x02")
    raw[central + 24 : central + 28] = struct.pack("<I", 1000)
    path.write_bytes(raw)
    with pytest.raises(ArchiveError):
        read(path)


def test_absolute_cap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MAX_UNPACKED_BYTES", 100)
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(text().encode() * 3))
    with pytest.raises(ArchiveError, match="démesuré"):
        read(path)


def test_archives_nested_without_end(tmp_path: Path) -> None:
    content = text().encode()
    for _ in range(3):
        content = gzip.compress(content)
    path = tmp_path / "a.gz"
    path.write_bytes(content)
    with pytest.raises(ArchiveError, match="emboîtées"):
        read(path)


def test_full_disk_while_unpacking(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(text().encode() * 1000))
    with pytest.raises(StorageError, match="plus de place"):
        archives.gunzip(path, Path("/dev/full"))


def test_scratch_copies_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("bourg.sources.tabular._scratch_parent", lambda: str(scratch))
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(text().encode("cp1252")))
    assert read(path)[0].height == 3
    path.write_bytes(gzip.compress(b"x;y\n1;2\n"))
    with pytest.raises(SourceFormatError):
        read(path)
    assert list(scratch.iterdir()) == []


def test_numbers_dates_postal_codes_and_text() -> None:
    column_ = pl.col("raw")
    raw = pl.DataFrame({"raw": ["1 234,5", "1\u202f234", "\u00a012", "-3.0", "s", "", None, "inf", "1e400"]})
    assert raw.select(cells.number(column_))["raw"].to_list() == [
        1234.5,
        1234.0,
        12.0,
        -3.0,
        None,
        None,
        None,
        None,
        None,
    ]
    assert raw.select(cells.integer(column_))["raw"].to_list() == [None, 1234, 12, -3, None, None, None, None, None]
    dates = pl.DataFrame({"raw": ["2021-03-12", "12/03/2021", "12-03-2021", "2021-03-12T00:00:00", "31/02/2021", "x"]})
    assert [str(day) for day in dates.select(cells.date(column_))["raw"]] == ["2021-03-12"] * 4 + ["None"] * 2
    postal = pl.DataFrame({"raw": ["1000", "01000", "12 100", "1000.0", "123456", "CEDEX"]})
    assert postal.select(cells.postal_code(column_))["raw"].to_list() == [
        "01000",
        "01000",
        "12100",
        "01000",
        None,
        None,
    ]
    words = pl.DataFrame({"raw": ["\u00a0 a ", "NA", "nan", " ", "N"]})
    assert words.select(cells.text(column_))["raw"].to_list() == ["a", None, None, None, "N"]


def test_points_out_of_range_swapped_or_unreadable_are_nulled_and_counted() -> None:
    rows = [
        ("48,85", "2,35"),
        ("2.35", "48.85"),
        ("99", "2"),
        ("0", "0"),
        ("NaN", "2"),
        ("MF Mobile", None),
        (None, None),
        ("-21.1", "55.5"),
        ("40.4", "-3.7"),
    ]
    frame = pl.DataFrame(rows, schema={"latitude": pl.String, "longitude": pl.String}, orient="row")
    report = ReadReport()
    mended = cells.mend_points(frame, report)
    assert mended["latitude"].to_list() == [48.85, *[None] * 6, -21.1, None]
    assert mended["longitude"].to_list() == [2.35, *[None] * 6, 55.5, None]
    assert report.mended == {
        "coordonnées illisibles, vidées": 2,
        "latitude et longitude inversées, vidées": 1,
        "coordonnées hors de France, vidées": 3,
    }


def test_codes_without_leading_zero_and_corsican_codes() -> None:
    """The former data set of the brief had 1,949 codes without their zero and no Corsican commune."""
    raw = [f"{n:04d}" for n in range(1001, 1001 + 1949)] + ["2A004", "2b033", "97411", "75056", "99999", "", None]
    report = ReadReport()
    frame = cells.mend_codes(pl.DataFrame({"code": raw}), report)
    assert report.mended["code commune à quatre caractères : zéro de tête rendu"] == 1949
    assert report.rejected["code commune illisible"].count == 2
    assert report.rejected["code commune vide"].count == 1
    assert frame["code"].tail(4).to_list() == ["2A004", "2B033", "97411", "75056"]
    assert frame["code"].str.len_chars().unique().to_list() == [5]


def test_large_file_is_scanned_in_bounded_python_memory(tmp_path: Path) -> None:
    path = tmp_path / "grand.csv"
    block = "".join(f"{code:05d};Commune {code};{code}\n" for code in range(10000, 60000)).encode()
    with path.open("wb") as stream:
        stream.write(b"CODGEO;LIBGEO;Nombre\n")
        for _ in range(20):
            stream.write(block)
    tracemalloc.start()
    with open_table(path, LAYOUTS, ReadReport()) as table:
        counted = table.collect(table.pick_raw().select(pl.len())).item()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert counted == table.rows == 1_000_000
    assert peak < 16 * 1024**2
