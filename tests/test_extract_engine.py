"""The extractor from a file to a table and to files: categories, places, communes, privacy, coverage, licences."""

from __future__ import annotations

import os
from pathlib import Path

import osmium
import polars as pl
import pytest
import shapely

from bourg.errors import ParameterError, SourceFormatError, UnknownTerritoryError
from bourg.extract import engine
from bourg.extract.engine import Extraction, Source, extract, is_read, objects_of
from bourg.extract.files import LocalExtract, NoExtractError, best_extract, candidates, extract_folder, local_extracts
from bourg.extract.sentences import remarks
from bourg.extract.territory import Territories, box_territory, describe
from bourg.extract.themes import theme_named, themes
from bourg.extract.writers import write
from bourg.settings import Settings
from bourg.store.snapshot import Snapshot
from extract_world import DATE, TOWN, OsmFile, osm_file, run, small_file, territories, town_place

__all__ = ["osm_file", "territories"]


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(home=tmp_path_factory.mktemp("extraction"))


@pytest.fixture(scope="module")
def shops(osm_file: Path, territories: Territories, settings: Settings) -> Extraction:
    return run("commerce", TOWN, osm_file, territories, settings)


@pytest.fixture(scope="module")
def health(osm_file: Path, territories: Territories, settings: Settings) -> Extraction:
    return run("sante", TOWN, osm_file, territories, settings)


def rows(found: Extraction) -> dict[str, dict[str, object]]:
    return {row["osm_id"]: row for row in found.table.iter_rows(named=True)}


# ---- Objects ---------------------------------------------------------------------------------------------------------


def test_objects_have_their_category_place_and_commune(shops: Extraction) -> None:
    found = rows(shops)
    # Node 6 is out of use, node 12 is in another commune.
    assert list(found) == ["node/1", "node/2", "node/8", "node/5", "node/3", "node/4"]
    bakery = found["node/1"]
    assert (bakery["category"], bakery["group"]) == ("Boulangerie, pâtisserie", "Artisans de bouche")
    assert bakery["other_categories"] == "Café, bar"
    assert bakery["tag"] == "shop=bakery;pastry"
    assert (bakery["name"], bakery["wheelchair"], bakery["address"]) == ("Au Bon Pain", "oui", "3 Rue Haute")
    assert (bakery["geometry"], bakery["area_m2"]) == ("point", None)
    assert {(row["code"], row["commune"]) for row in found.values()} == {(TOWN, "Millau")}
    assert found["node/5"]["category"] == "Autre commerce spécialisé"
    assert {found["node/3"]["category"], found["node/4"]["category"]} == {"Local vide"}


def test_completeness_counts_the_expected_columns_that_are_filled(shops: Extraction) -> None:
    found = rows(shops)
    assert shops.theme.categories["bakery"].expected == ("name", "opening_hours", "wheelchair", "website", "address")
    assert found["node/1"]["completeness"] == 100
    assert found["node/2"]["completeness"] == 20
    assert found["node/3"]["completeness"] is None


def test_counts_by_category(shops: Extraction) -> None:
    counts = {row["category"]: row for row in shops.counts().iter_rows(named=True)}
    assert (counts["Local vide"]["count"], counts["Local vide"]["named"]) == (2, 0)
    assert counts["Local vide"]["completeness"] is None
    assert counts["Boulangerie, pâtisserie"]["completeness"] == 100
    assert sum(row["count"] for row in counts.values()) == shops.table.height


def test_names_that_may_be_those_of_a_person_are_left_out(
    health: Extraction, osm_file: Path, territories: Territories, settings: Settings
) -> None:
    doctor = rows(health)["node/7"]
    assert doctor["category"] == "Médecin généraliste"
    assert [doctor[name] for name in ("name", "operator", "website")] == [None, None, None]
    assert doctor["wheelchair"] == "limité"
    assert rows(health)["node/8"]["name"] == "Pharmacie du Pont"
    assert health.withheld == 1
    energy = run("energie", TOWN, osm_file, territories, settings)
    assert [row["operator"] for row in energy.table.filter(pl.col("osm_id") == "node/10").iter_rows(named=True)] == [
        None
    ]
    assert rows(energy)["node/11"]["power"] == "2 MW"


def test_no_file_holds_a_contributor_a_telephone_or_a_mail(shops: Extraction, health: Extraction) -> None:
    for found in (shops, health):
        for form in ("csv", "geojson"):
            content = write(found, form).decode()
            for secret in ("quelqu-un", "0600000000", "moi@exemple", "rappeler", "Jeanne", "changeset"):
                assert secret not in content
        assert b"Jeanne" not in write(found, "geoparquet")


def test_surfaces_and_lines_have_a_point_of_their_own(
    osm_file: Path, territories: Territories, settings: Settings, small_snapshot: Snapshot
) -> None:
    school = rows(run("education", TOWN, osm_file, territories, settings))["way/100"]
    x, y = town_place(small_snapshot)
    shape = [(10, 0), (16, 0), (16, 6), (15, 6), (15, 1), (11, 1), (11, 6), (10, 6)]
    polygon = shapely.Polygon([(x + a * 0.0004, y + b * 0.0004) for a, b in shape])
    assert polygon.contains(shapely.Point(school["longitude"], school["latitude"]))
    assert not polygon.contains(shapely.MultiPoint(shapely.get_coordinates(polygon)).centroid)
    assert school["geometry"] == "surface"
    metres = 111_195.0
    expected = polygon.area * metres**2 * shapely.Point(0, 0).distance(shapely.Point(1, 0))
    assert school["area_m2"] == pytest.approx(expected * 0.717, rel=0.02)
    places = run("espaces_publics", TOWN, osm_file, territories, settings)
    found = rows(places)
    assert found["relation/200"]["geometry"] == "surface"
    assert found["way/101"]["geometry"] == "ligne"
    assert found["way/101"]["longitude"] == pytest.approx(x + 2 * 0.0004, abs=1e-7)
    assert "relation/201" not in found
    assert places.unplaced == 1
    assert any("1\xa0objet de l'extrait a une géométrie" in text for text in remarks(places))


def test_ways_without_their_nodes_are_counted_and_not_placed(
    tmp_path: Path, territories: Territories, small_snapshot: Snapshot, settings: Settings
) -> None:
    made = OsmFile(town_place(small_snapshot))
    made.node(1, 0, 0, amenity="pharmacy", name="P")
    made.way_of(5, [77, 78, 79, 77], amenity="hospital", name="Sans nœuds")
    path = tmp_path / "coupe.osm"
    path.write_text(made.text(), encoding="utf-8")
    found = run("sante", TOWN, path, territories, settings)
    assert list(rows(found)) == ["node/1"]
    assert found.unplaced == 1


# ---- Territories -----------------------------------------------------------------------------------------------------


def test_territories_are_found_by_code_and_by_name(territories: Territories) -> None:
    assert describe(territories.find("Millau")) == "Millau (commune 12145)"
    assert territories.find("12145").communes == {"12145"}
    aveyron = territories.find("12")
    assert (aveyron.level, aveyron.name) == ("departement", "Aveyron")
    assert territories.find("aveyron") == aveyron
    assert territories.find("departement:12") == aveyron
    assert territories.find("2a").code == "2A"
    assert territories.find("4").code == "04"
    group = territories.at("epci", str(territories.containing(TOWN, "epci")))
    assert (
        territories.find(group.code) == territories.find(group.name) == territories.find(f"epci:{group.name}") == group
    )
    assert TOWN in group.communes
    assert group.covered_by(group.bounds) == pytest.approx(1.0)
    assert 0 < group.covered_by(territories.find("12145").bounds) < 1


@pytest.mark.parametrize("text", ["999999999", "00", "licorne-sur-mer", "epci:licorne", "12999", "Saint-Denis"])
def test_unknown_territories_are_told(territories: Territories, text: str) -> None:
    with pytest.raises(UnknownTerritoryError):
        territories.find(text)


def test_larger_territories_and_boxes_take_what_they_hold(
    osm_file: Path, territories: Territories, settings: Settings, small_snapshot: Snapshot
) -> None:
    whole = run("commerce", "12", osm_file, territories, settings)
    assert {"node/1", "node/12"} <= set(rows(whole))
    far = rows(whole)["node/12"]
    assert far["code"] != TOWN
    assert whole.source.share < 1
    x, y = town_place(small_snapshot)
    box = box_territory(f"{x - 0.0003},{y - 0.0001},{x + 0.0006},{y + 0.0001}")
    source = Source("local", osm_file.name, DATE, 1.0)
    theme = theme_named("commerce")
    found = extract(theme, box, osm_file, source, territories=territories, settings=settings)
    assert list(rows(found)) == ["node/1", "node/2"]
    assert rows(found)["node/1"]["code"] == TOWN


@pytest.mark.parametrize("text", ["", "1,2,3", "a,b,c,d", "3,44,2,45", "2,44,3,95", "nan,44,3,45", "2,44,inf,45"])
def test_a_wrong_box_is_refused(text: str) -> None:
    with pytest.raises(ParameterError, match="boîte"):
        box_territory(text)


# ---- Local extracts --------------------------------------------------------------------------------------------------


def test_an_extract_says_its_box_and_date(osm_file: Path, settings: Settings, small_snapshot: Snapshot) -> None:
    ((found,), problems) = local_extracts(settings, [osm_file])
    assert problems == []
    x, y = town_place(small_snapshot)
    assert found.box == pytest.approx((x - 0.3, y - 0.3, x + 0.3, y + 0.3))
    assert (found.declared, found.date) == (True, DATE)


def test_a_file_without_box_takes_that_of_its_points(
    tmp_path: Path, territories: Territories, settings: Settings, small_snapshot: Snapshot
) -> None:
    path = tmp_path / "sans-boite.osm"
    made = small_file(town_place(small_snapshot))
    made.node(13, -600, -600)
    made.node(14, 600, 600)
    path.write_text(made.text(bounds=False), encoding="utf-8")
    found = run("commerce", TOWN, path, territories, settings)
    assert not found.source.declared
    assert any("ne dit pas son emprise" in text for text in remarks(found))


def test_the_best_extract_is_the_one_that_covers_most_then_the_most_recent(territories: Territories) -> None:
    town = territories.find(TOWN)
    west, south, east, north = town.bounds
    half = (west, south, (west + east) / 2, north)
    wide = (west - 1, south - 1, east + 1, north + 1)

    def made(name: str, box: object, date: str, *, declared: bool = True, size: int = 10) -> LocalExtract:
        return LocalExtract(Path(name), size, name, box, declared, date)  # type: ignore[arg-type]

    extracts = [
        made("part", half, "2026-01-01"), made("old", wide, "2020-01-01", size=1), made("new", wide, "2024-01-01"),
        made("guess", wide, "2025-01-01", declared=False), made("dateless", wide, "", size=1),
        made("elsewhere", (50, 50, 51, 51), "2026-01-01"), made("empty", None, ""),
    ]  # fmt: skip
    ranked = candidates(extracts, town)
    assert [item.extract.name for item in ranked] == ["new", "old", "dateless", "guess", "part"]
    assert ranked[0].whole
    assert not ranked[-1].whole
    assert 0.2 < ranked[-1].share < 0.8


def test_no_extract_says_where_to_get_one(territories: Territories, tmp_path: Path, osm_file: Path) -> None:
    settings = Settings(home=tmp_path)
    with pytest.raises(NoExtractError, match="geofabrik") as caught:
        best_extract([], territories.find(TOWN), settings)
    assert str(extract_folder(settings)) in caught.value.where
    extracts, _ = local_extracts(settings, [osm_file])
    with pytest.raises(NoExtractError, match=r"petit\.osm"):
        best_extract(extracts, territories.find("04"), settings)


def test_extracts_of_the_folder_are_listed_and_damaged_ones_told(tmp_path: Path, osm_file: Path) -> None:
    settings = Settings(home=tmp_path)
    assert local_extracts(settings) == ([], [])
    folder = extract_folder(settings)
    folder.mkdir()
    (folder / "b.osm").write_bytes(osm_file.read_bytes())
    (folder / "a.osm.pbf").write_bytes(b"rien de bon")
    (folder / "lisez-moi.txt").write_text("")
    found, problems = local_extracts(settings)
    assert [item.name for item in found] == ["b.osm"]
    assert [problem.where for problem in problems] == ["a.osm.pbf"]
    with pytest.raises(SourceFormatError, match="n'existe pas"):
        local_extracts(settings, [tmp_path / "absent.osm"])
    with pytest.raises(SourceFormatError, match="n'est pas un extrait"):
        local_extracts(settings, [folder / "lisez-moi.txt"])


def test_a_file_is_read_once_until_it_changes(tmp_path: Path, osm_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings, theme = Settings(home=tmp_path / "home"), theme_named("commerce")
    path = tmp_path / "x.osm"
    path.write_bytes(osm_file.read_bytes())
    assert not is_read(path, theme, settings)
    first = objects_of(path, theme, settings)
    assert is_read(path, theme, settings)

    def refuse(*_: object) -> None:
        raise AssertionError("lu deux fois")

    with monkeypatch.context() as patch:
        patch.setattr(engine, "read_objects", refuse)
        assert objects_of(path, theme, settings).equals(first)
    os.utime(path, ns=(0, 0))
    assert not is_read(path, theme, settings)
    assert objects_of(path, theme, settings).equals(first)


def test_a_folder_that_refuses_is_not_an_error(tmp_path: Path, osm_file: Path) -> None:
    (tmp_path / "extraction").write_text("un fichier à la place du dossier")
    table = objects_of(osm_file, theme_named("commerce"), Settings(home=tmp_path))
    assert table.height == 7


def test_a_damaged_file_is_told(tmp_path: Path, osm_file: Path) -> None:
    path = tmp_path / "coupe.osm"
    path.write_bytes(osm_file.read_bytes()[:-400])
    with pytest.raises(SourceFormatError, match="ne peut pas être lu"):
        objects_of(path, theme_named("commerce"), Settings(home=tmp_path))


# ---- Real extracts ---------------------------------------------------------------------------------------------------


@pytest.mark.mirror
def test_counts_of_a_real_town_are_those_of_a_plain_reading(
    mirror: Path, territories: Territories, settings: Settings
) -> None:
    """Every object of some tags, read without any of our code, is in the extraction of a box wider than the file."""
    path = mirror / "08_osm" / "pont-de-veyle_01306_20220311.osm"
    if not path.is_file():
        pytest.skip("extrait absent du miroir")
    wanted = {("amenity", "pharmacy"), ("amenity", "restaurant"), ("amenity", "bank"), ("amenity", "cafe")}
    plain = {
        f"{'node' if item.is_node() else 'way'}/{item.id}"
        for item in osmium.FileProcessor(str(path))
        if not item.is_relation() and any((tag.k, tag.v) in wanted for tag in item.tags)
    }
    source = Source("local", path.name, "", 1.0)
    box = box_territory("4,45,6,47")
    theme = themes()["commerce"]
    found = extract(theme, box, path, source, territories=territories, settings=settings).table
    labels = ["Pharmacie", "Restaurant", "Banque", "Café, bar"]
    kept = found.filter(
        pl.col("category").is_in(labels), pl.col("tag").is_in([f"{key}={value}" for key, value in sorted(wanted)])
    )
    assert set(kept["osm_id"]) == plain
    assert len(plain) > 5
