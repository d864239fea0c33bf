"""Files of the extractor: CSV, GeoJSON and GeoParquet are sound, safe, dated and licensed."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import geopandas as gpd
import pyarrow.parquet as pq
import pytest

from bourg.extract.engine import Extraction
from bourg.extract.sentences import remarks, share_text, summary
from bourg.extract.territory import Territories
from bourg.extract.writers import FORMATS, file_name, headings, to_csv, to_geojson, write
from bourg.settings import Settings
from extract_world import DATE, TOWN, osm_file, run, territories

__all__ = ["osm_file", "territories"]


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(home=tmp_path_factory.mktemp("fichiers"))


@pytest.fixture(scope="module")
def shops(osm_file: Path, territories: Territories, settings: Settings) -> Extraction:
    return run("commerce", TOWN, osm_file, territories, settings)


def test_csv_is_safe_dated_and_licensed(shops: Extraction) -> None:
    text = to_csv(shops)
    assert text.startswith("\ufeffosm_id;geometrie;groupe;categorie;")
    read = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff")), delimiter=";"))
    assert len(read) == shops.table.height
    trap = next(row for row in read if row["osm_id"] == "node/2")
    assert trap["nom"].startswith("'=HYPERLINK")
    assert trap["code_insee"] == TOWN
    assert {row["licence"] for row in read} == {"Licence ODbL 1.0 (opendatacommons.org/licenses/odbl)"}
    assert {row["date_donnees"] for row in read} == {DATE}
    assert {row["attribution"] for row in read} == {"© les contributeurs d'OpenStreetMap"}
    assert not any(cell.startswith(("=", "+", "@")) for row in read for cell in row.values())


def test_geojson_has_its_notes_beside_the_features(shops: Extraction) -> None:
    content = json.loads(write(shops, "geojson"))
    assert content == to_geojson(shops)
    assert (content["date_donnees"], content["objets"]) == (DATE, len(content["features"]))
    assert content["licence_url"].startswith("https://opendatacommons.org/")
    first = content["features"][0]
    assert first["id"] == first["properties"]["osm_id"] == "node/1"
    assert first["geometry"]["type"] == "Point"
    assert "surface_m2" not in first["properties"]


def test_geoparquet_is_read_by_geopandas(shops: Extraction, tmp_path: Path) -> None:
    path = tmp_path / file_name(shops, "geoparquet")
    path.write_bytes(write(shops, "geoparquet"))
    assert path.name == "osm-commerce-millau-12145.parquet"
    read = gpd.read_parquet(path)
    assert read.crs == "OGC:CRS84"
    assert list(read["osm_id"]) == list(shops.table["osm_id"])
    assert list(read.geometry.x) == list(shops.table["longitude"])
    assert read["completude_pct"].iloc[0] == 100
    metadata = pq.read_metadata(path).metadata
    geo = json.loads(metadata[b"geo"])
    assert (geo["version"], geo["primary_column"]) == ("1.1.0", "geometry")
    column = geo["columns"]["geometry"]
    assert (column["encoding"], column["geometry_types"]) == ("WKB", ["Point"])
    assert column["bbox"] == pytest.approx(list(read.total_bounds))
    assert column["covering"]["bbox"]["ymax"] == ["bbox", "ymax"]
    west, south, _, _ = read.total_bounds
    near = gpd.read_parquet(path, bbox=(west - 1e-5, south - 1e-5, west + 1e-5, south + 1e-5))
    assert list(near["osm_id"]) == ["node/1"]
    told = json.loads(metadata[b"bourg"])
    assert (told["date_donnees"], told["licence"][:13]) == (DATE, "Licence ODbL ")


def test_an_empty_extraction_is_still_a_sound_file(
    osm_file: Path, territories: Territories, settings: Settings, tmp_path: Path
) -> None:
    found = run("tourisme", TOWN, osm_file, territories, settings)
    assert summary(found).startswith("Aucun objet « Tourisme » dans Millau")
    assert any("pas la preuve" in text for text in remarks(found))
    path = tmp_path / "vide.parquet"
    path.write_bytes(write(found, "geoparquet"))
    read = gpd.read_parquet(path)
    assert len(read) == 0
    assert set(headings(found).values()) <= set(read.columns)
    assert json.loads(write(found, "geojson"))["features"] == []
    assert to_csv(found).count("\r\n") == 1


def test_same_extraction_same_bytes(
    osm_file: Path, territories: Territories, shops: Extraction, tmp_path: Path
) -> None:
    again = run("commerce", TOWN, osm_file, territories, Settings(home=tmp_path))
    assert again is not shops
    for form in FORMATS:
        assert write(again, form) == write(shops, form)


def test_shares_never_say_all_for_a_part() -> None:
    assert [share_text(value) for value in (1.0, 0.9985, 0.5, 0.043, 0.0001)] == [
        "100\xa0%", "99,9\xa0%", "50\xa0%", "4,3\xa0%", "moins de 0,1\xa0%",
    ]  # fmt: skip
