"""The reader of the yearly production of regions: both layouts, what is empty, impossible, repeated or shifted."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from bourg.errors import SourceFormatError
from bourg.sources.model import get_source
from bourg.sources.readers.production_regionale import SECTORS
from bourg.sources.reading import Tables, read_resource
from bourg.sources.report import ReadReport

NAMES = ("nucléaire", "thermique", "hydraulique", "éolienne", "solaire", "bioénergies")
HEADER = ";".join(
    ["Année", "Code INSEE région", "Région", *(f"Production {name} (GWh)" for name in NAMES), "Géo-shape région"]
)


def read(path: Path) -> tuple[Tables, ReadReport]:
    source = get_source("production_regionale")
    return read_resource(path, source, source.resources[0])


def csv(tmp_path: Path, *lines: str, header: str = HEADER) -> tuple[pl.DataFrame, ReadReport]:
    path = tmp_path / "regions.csv"
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    tables, report = read(path)
    return tables["energy_production_region"], report


def by_key(table: pl.DataFrame) -> dict[tuple[str, int, str], tuple[float | None, str]]:
    return {(code, year, sector): (mwh, status) for code, year, sector, mwh, status in table.iter_rows()}


def test_gigawatt_hours_become_megawatt_hours_and_an_empty_cell_is_not_zero(tmp_path: Path) -> None:
    table, report = csv(
        tmp_path, "2023;76;Occitanie;14000,5;500;9000;4000;4500;300;{}", "2023;1;Guadeloupe;;0;1;2;3;4;{}"
    )
    rows = by_key(table)
    assert set(table["sector"]) == set(SECTORS)
    assert rows["76", 2023, "nuclear"] == (14_000_500.0, "ok")
    assert rows["76", 2023, "wind"] == (4_000_000.0, "ok")
    assert rows["01", 2023, "nuclear"] == (None, "missing")
    assert rows["01", 2023, "thermal"] == (0.0, "ok")
    assert report.rows_kept == 2


def test_impossible_repeated_and_contradictory_lines_are_counted(tmp_path: Path) -> None:
    same = "2022;76;Occitanie;1;2;3;4;5;6;{}"
    table, report = csv(
        tmp_path, same, same, "2022;11;Île-de-France;1;2;-3;4;5;6;{}", "2022;99;Nulle part;1;2;3;4;5;6;{}",
        "2021;53;Bretagne;1;2;3;4;5;6;{}", "2021;53;Bretagne;1;2;3;4;5;7;{}",
    )  # fmt: skip
    rows = by_key(table)
    assert rows["11", 2022, "hydro"] == (None, "missing")
    assert any("« région 11 en 2022 : -3 »" in what for what in report.mended)
    assert report.rejected["région inconnue"].examples == ["99"]
    assert report.rejected["ligne répétée à l'identique, comptée une fois"].count == 1
    assert {rows["53", 2021, sector] for sector in SECTORS} == {(None, "missing")}
    assert report.mended["lignes contradictoires d'une même région, dites manquantes"] == 2


def test_the_names_of_the_interface_are_read_too(tmp_path: Path) -> None:
    record = {"annee": "2023", "code_insee_region": "76", "region": "Occitanie", "production_nucleaire_gwh": None,
              "production_thermique_gwh": 1.5, "production_hydraulique_gwh": 2, "production_eolienne_gwh": 3,
              "production_solaire_gwh": 4, "production_bioenergies_gwh": 5}  # fmt: skip
    path = tmp_path / "regions.json"
    path.write_text(json.dumps([record]), encoding="utf-8")
    rows = by_key(read(path)[0]["energy_production_region"])
    assert rows["76", 2023, "thermal"] == (1500.0, "ok")
    assert rows["76", 2023, "nuclear"] == (None, "missing")


def test_shifted_or_renamed_columns_stop_the_source(tmp_path: Path) -> None:
    with pytest.raises(SourceFormatError, match="décalées"):
        csv(tmp_path, "Occitanie;2023;76;1;2;3;4;5;6;{}")
    with pytest.raises(SourceFormatError, match="Il manque une colonne"):
        csv(tmp_path, "2023;76;Occitanie;1;2;3;4;5;6;{}", header=HEADER.replace("solaire", "soleil"))
