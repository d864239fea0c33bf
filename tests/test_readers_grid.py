"""Squares of 200 m: official layouts, wrappings and faults; squares of the demonstration."""

from __future__ import annotations

import sqlite3
import zipfile
from contextlib import closing
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import shapely
from polars.testing import assert_frame_equal
from pyproj import Transformer

from bourg.errors import ArchiveError, SourceFormatError
from bourg.sources.demo.grid import draw_grid
from bourg.sources.demo.territory import build_territory
from bourg.sources.model import get_source
from bourg.sources.reading import read_resource
from bourg.sources.report import ReadReport

HEADER = "idcar_200m,idcar_1km,idcar_nat,i_est_200,i_est_1km,lcog_geo,ind,men,men_pauv"
MET = (
    f"{HEADER}\n"
    "CRS3035RES200mN2804200E3456800,x,x,1,0,35236,12.5,5,1\n"
    "CRS3035RES200mN2804400E3456800,x,x,0,0,3523656194,40,20,2\n"
    "CRS3035RES200mN2600000E4000000,x,x,0,0,1001,7,3,0\n"
)


def read(path: Path) -> tuple[pl.DataFrame, ReadReport]:
    source = get_source("carreaux_200m")
    tables, report = read_resource(path, source, source.resources[0])
    return tables["population_cells"], report


def written(path: Path, content: str) -> Path:
    path.write_text(content, encoding="utf-8")
    return path


def write_grid(path: Path, squares: pl.DataFrame) -> Path:
    """Write squares of the demonstration as INSEE publishes its own: one CSV per area, in an archive."""
    table = squares.select(
        "area", idcar_200m=pl.format("CRS{}RES200mN{}E{}", "epsg", "north", "east"), lcog_geo="code", ind="ind"
    )
    with zipfile.ZipFile(path, "w") as archive:
        for (area,), part in table.partition_by("area", as_dict=True, include_key=False).items():
            archive.writestr(f"carreaux_200m_{area}.csv", part.write_csv())
    return path


def test_csv_with_squares_on_several_communes(tmp_path: Path) -> None:
    frame, report = read(written(tmp_path / "carreaux_200m_met.csv", MET))
    assert frame.select("cell_id", "code", "n_codes", "inhabitants", "households", "imputed").rows() == [
        ("CRS3035RES200mN2600000E4000000", "01001", 1, 7.0, 3.0, False),
        ("CRS3035RES200mN2804200E3456800", "35236", 1, 12.5, 5.0, True),
        ("CRS3035RES200mN2804400E3456800", "35236", 2, 40.0, 20.0, False),
        ("CRS3035RES200mN2804400E3456800", "56194", 2, 40.0, 20.0, False),
    ]
    assert (report.rows_read, report.rows_kept) == (3, 3)
    assert report.mended["codes communes sans leur zéro de tête"] == 1
    # The middle of the square, not its south-west corner.
    east, north = Transformer.from_crs(4326, 3035, always_xy=True).transform(
        frame["longitude"][1], frame["latitude"][1]
    )
    assert (east, north) == (pytest.approx(3456900, abs=0.01), pytest.approx(2804300, abs=0.01))


def test_faults_are_counted(tmp_path: Path) -> None:
    content = (
        f"{HEADER}\n"
        "CRS3035RES200mN2804200E3456800,x,x,1,0,35236,12.5,5,1\n"
        "CRS3035RES200mN2804200E3456800,x,x,1,0,35236,12.5,5,1\n"
        "N2804E3456,x,x,1,0,35236,3,1,1\n"
        "CRS3035RES200mN2804600E3456800,x,x,1,0,35236,-3,1,1\n"
        "CRS3035RES200mN2804800E3456800,x,x,1,0,35236,abc,1,1\n"
        "CRS3035RES200mN2805000E3456800,x,x,1,0,352,3,1,1\n"
        "CRS3035RES200mN2805200E3456800,x,x,1,0,,3,1,1\n"
    )
    frame, report = read(written(tmp_path / "c.csv", content))
    assert frame["inhabitants"].to_list() == [12.5]
    assert {reason: entry.count for reason, entry in report.rejected.items()} == {
        "identifiant de carreau illisible": 1,
        "nombre d'habitants illisible ou négatif": 2,
        "carreau déjà présent dans le fichier": 1,
        "carreau sans code commune lisible": 2,
    }


def test_layouts_of_2017_and_2015(tmp_path: Path) -> None:
    of_2017 = "Idcar_200m,I_est_200,lcog_geo,Groupe,Ind,Men\nCRS2975RES200mN7650000E340000,0,97411,1,15.0,6.0\n"
    frame, _ = read(written(tmp_path / "r.csv", of_2017))
    (row,) = frame.rows(named=True)
    assert (row["code"], row["inhabitants"]) == ("97411", 15.0)
    assert (row["longitude"], row["latitude"]) == (pytest.approx(55.46, abs=0.02), pytest.approx(-21.25, abs=0.02))
    of_2015 = "IdINSPIRE,I_est_cr,Depcom,Ind,Men\nCRS3035RES200mN2804200E3456800,1,35236,3,2\n"
    assert read(written(tmp_path / "o.csv", of_2015))[0]["imputed"].to_list() == [True]


def test_zip_of_three_territories_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "z.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("carreaux_200m_met.csv", MET)
        archive.writestr("carreaux_200m_reun.csv", f"{HEADER}\nCRS2975RES200mN7650000E340000,x,x,0,0,97411,15,6,1\n")
        archive.writestr("meta.txt", "documentation")
    frame, report = read(path)
    assert frame["code"].to_list() == ["01001", "35236", "35236", "56194", "97411"]
    assert report.rows_read == 4


def test_seven_zip_says_what_to_do(tmp_path: Path) -> None:
    packed = b"7z\xbc\xaf\x27\x1c" + bytes(40)
    alone = tmp_path / "c.7z"
    alone.write_bytes(packed)
    inside = tmp_path / "c.zip"
    with zipfile.ZipFile(inside, "w") as archive:
        archive.writestr("Filosofi2021_carreaux_200m_csv.7z", packed)
    for path in (alone, inside):
        with pytest.raises(ArchiveError, match="décompressez-la"):
            read(path)


def test_geopackage(tmp_path: Path) -> None:
    path = tmp_path / "c.gpkg"
    with closing(sqlite3.connect(path)) as base:
        base.execute("CREATE TABLE gpkg_contents (table_name TEXT)")
        base.execute("INSERT INTO gpkg_contents VALUES ('autre'), ('carreaux_200m_met')")
        base.execute("CREATE TABLE autre (id INTEGER)")
        base.execute(
            "CREATE TABLE carreaux_200m_met (idcar_200m TEXT, i_est_200 INTEGER, lcog_geo TEXT, ind REAL, men REAL)"
        )
        base.execute("INSERT INTO carreaux_200m_met VALUES ('CRS3035RES200mN2804200E3456800', 1, '35236', 12.5, 5)")
        base.commit()
    assert read(path)[0].select("code", "inhabitants", "imputed").rows() == [("35236", 12.5, True)]
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(SourceFormatError, match="GeoPackage"):
        read(path)


def test_missing_column_and_missing_file(tmp_path: Path) -> None:
    with pytest.raises(SourceFormatError, match="ind"):
        read(written(tmp_path / "c.csv", "idcar_200m,lcog_geo\nCRS3035RES200mN2804200E3456800,35236\n"))
    with pytest.raises(SourceFormatError, match="n'existe pas"):
        read(tmp_path / "rien.csv")


def test_squares_of_the_demonstration(tmp_path: Path, registry: dict[str, pl.DataFrame]) -> None:
    outlines = registry["outlines"]
    territory = build_territory(
        registry["communes"], registry["iris"], departements=("48", "55", "974", "976"), outlines=outlines
    )
    squares, again = (draw_grid(territory, registry["iris"], np.random.default_rng(7)) for _ in range(2))
    assert_frame_equal(squares, again)
    assert (squares.select("north", "east") % 200 == 0).to_numpy().all()
    frame, report = read(write_grid(tmp_path / "carreaux.zip", squares))
    assert not report.rejected
    assert frame["cell_id"].n_unique() == frame.height
    # Mayotte is not gridded by INSEE, and its inhabitants are not in this census.
    assert set(frame["code"].str.slice(0, 2)) == {"48", "55", "97"}
    assert not frame["code"].str.starts_with("976").any()
    population = registry["iris"].group_by("code").agg(pl.col("population").sum().alias("known"))
    sums = frame.group_by("code").agg(pl.col("inhabitants").sum(), pl.len()).join(population, on="code")
    assert sums.filter((pl.col("inhabitants") - pl.col("known")).abs() > 0.5).is_empty()
    # Six villages of the Meuse, destroyed in 1916, have no inhabitant.
    nobody = population.filter(pl.col("known") == 0, pl.col("code").str.starts_with("55"))["code"]
    assert len(nobody) == 6
    assert not set(nobody) & set(frame["code"])
    assert sums.filter(code="48095")["len"].item() > 50
    assert (frame["inhabitants"] >= 1).all()
    shapes = dict(zip(outlines["code"], shapely.from_wkb(outlines["wkb"].to_list()), strict=True))
    inside = np.array(
        [
            shapely.contains_xy(shapes[code], x, y)
            for code, x, y in frame.select("code", "longitude", "latitude").iter_rows()
        ]
    )
    # Only a commune too small for any middle keeps a square of its own.
    alone = frame.with_columns(inside=pl.Series(inside)).filter(~pl.col("inside"))
    assert alone.height <= 5
