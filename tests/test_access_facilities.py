"""The facility table: crosswalk, OpenStreetMap objects, places that cannot be, duplicates, what-if."""

from __future__ import annotations

import random
from importlib import resources
from pathlib import Path

import polars as pl
import pytest
import shapely
import yaml

from bourg.access.places import facilities as fa
from bourg.access.places.crosswalk import Family, families, families_of_tags, family, groups, osm_tags
from bourg.access.places.duplicates import merge_family, name_words, same_name
from bourg.access.places.osm_places import INCOMPLETE, dwellings_of_extract, named_places_of_extract
from bourg.errors import ParameterError, SourceFormatError
from bourg.store.snapshot import Snapshot

# A village around 2.00 E, 48.00 N. The school is a ring: its point must be on the ring, not in the court.
OSM = """<?xml version="1.0"?>
<osm version="0.6">
 <node id="1" lat="48.0010" lon="2.0010"><tag k="amenity" v="pharmacy"/><tag k="name" v="Pharmacie du Lavoir"/></node>
 <node id="2" lat="48.0011" lon="2.0012"><tag k="disused:shop" v="bakery"/></node>
 <node id="3" lat="48.0011" lon="2.0013"><tag k="shop" v="bakery"/><tag k="disused" v="yes"/></node>
 <node id="4" lat="48.0020" lon="2.0020"><tag k="amenity" v="bank"/><tag k="name" v="Caisse"/></node>
 <node id="5" lat="48.0030" lon="2.0030"><tag k="highway" v="bus_stop"/><tag k="name" v="Église"/></node>
 <node id="6" lat="48.0031" lon="2.0030"><tag k="highway" v="bus_stop"/><tag k="name" v="Église"/></node>
 <node id="7" lat="48.0060" lon="2.0060"><tag k="place" v="hamlet"/><tag k="name" v="La Lande"/></node>
 <node id="10" lat="48.0000" lon="2.0000"/><node id="11" lat="48.0000" lon="2.0004"/>
 <node id="12" lat="48.0004" lon="2.0004"/><node id="13" lat="48.0004" lon="2.0000"/>
 <node id="20" lat="48.0100" lon="2.0100"/><node id="21" lat="48.0100" lon="2.0140"/>
 <node id="22" lat="48.0140" lon="2.0140"/><node id="23" lat="48.0140" lon="2.0100"/>
 <node id="24" lat="48.0105" lon="2.0105"/><node id="25" lat="48.0105" lon="2.0135"/>
 <node id="26" lat="48.0135" lon="2.0135"/><node id="27" lat="48.0135" lon="2.0105"/>
 <node id="30" lat="48.0200" lon="2.0200"/><node id="31" lat="48.0200" lon="2.0210"/>
 <way id="100"><nd ref="10"/><nd ref="11"/><nd ref="12"/><nd ref="13"/><nd ref="10"/>
  <tag k="building" v="yes"/><tag k="amenity" v="library"/><tag k="name" v="Médiathèque Prévert"/></way>
 <way id="101"><nd ref="20"/><nd ref="21"/><nd ref="22"/><nd ref="23"/><nd ref="20"/></way>
 <way id="102"><nd ref="24"/><nd ref="25"/><nd ref="26"/><nd ref="27"/><nd ref="24"/></way>
 <way id="103"><nd ref="30"/><nd ref="31"/><tag k="public_transport" v="platform"/><tag k="bus" v="yes"/></way>
 <way id="104"><nd ref="900"/><nd ref="901"/><nd ref="902"/><nd ref="900"/><tag k="amenity" v="cinema"/></way>
 <way id="105"><nd ref="10"/><nd ref="11"/><nd ref="12"/><nd ref="10"/><tag k="building" v="apartments"/>
  <tag k="building:levels" v="4"/></way>
 <way id="106"><nd ref="20"/><nd ref="21"/><nd ref="22"/><nd ref="20"/><tag k="building" v="yes"/></way>
 <relation id="500"><member type="way" ref="101" role="outer"/><member type="way" ref="102" role="inner"/>
  <tag k="type" v="multipolygon"/><tag k="amenity" v="school"/><tag k="name" v="École des Tilleuls"/></relation>
 <relation id="501"><member type="node" ref="5" role=""/><tag k="type" v="public_transport"/>
  <tag k="public_transport" v="platform"/><tag k="bus" v="yes"/></relation>
</osm>
"""


@pytest.fixture(name="village")
def _village(tmp_path: Path) -> Path:
    path = tmp_path / "village.osm"
    path.write_text(OSM, encoding="utf-8")
    return path


def rows(*given: dict[str, object]) -> pl.DataFrame:
    defaults = {
        "kind": "essai", "name": None, "code": None, "longitude": 2.0, "latitude": 48.0, "source": "bpe", "demo": False,
        "place": "point", "family": "pharmacie",
    }  # fmt: skip
    full = [{"facility_id": f"f{rank}", **defaults, **item} for rank, item in enumerate(given)]
    return pl.DataFrame(full, schema=fa.SCHEMA)


# Crosswalk


def test_crosswalk_is_sound() -> None:
    declared = families()
    assert {item.group for item in declared.values()} == set(groups())
    codes = yaml.safe_load(resources.files("bourg.indicators").joinpath("parameters", "typequ.yaml").read_text("utf-8"))
    # D265, D276… are the names that a later dictionary gave to the same professions.
    later = {"D265", "D281", "D277", "D278", "D279"}
    unknown = {code for item in declared.values() for code in item.bpe} - set(codes["types"]) - later
    assert not unknown
    for item in declared.values():
        assert item.bpe or item.basilic or item.tables or item.osm
        assert item.plural != item.label
        for rule in item.osm:
            # A file is filtered on the first test: it must be plain texts.
            assert all(value and not value.startswith("~") and value != "*" for value in rule.tests[0][1])
    assert ("amenity", "pharmacy") in osm_tags()


@pytest.mark.parametrize(
    ("text", "expected"),
    [("pharmacie", "pharmacie"), ("Pharmacies", "pharmacie"), ("médecin généraliste", "medecin_generaliste"),
     ("ECOLE MATERNELLE OU ELEMENTAIRE", "ecole"), ("station service", "station_service")],
)  # fmt: skip
def test_families_are_named_as_people_write(text: str, expected: str) -> None:
    assert family(text).id == expected


def test_unknown_family_suggests() -> None:
    with pytest.raises(ParameterError, match="pharmacie") as error:
        family("farmacie")
    assert "choisissez parmi" in str(error.value)


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({"amenity": "school", "name": "École élémentaire Lucie-Aubrac"}, ["ecole"]),
        ({"amenity": "school", "name": "Collège Beaumont"}, ["college"]),
        ({"amenity": "school", "school:FR": "lycée", "name": "École des métiers"}, ["lycee"]),
        ({"amenity": "school", "name": "Lycée et collège Notre-Dame"}, ["college", "lycee"]),
        ({"amenity": "school"}, []),
        ({"amenity": "doctors", "healthcare:speciality": "cardiology"}, []),
        ({"amenity": "doctors"}, ["medecin_generaliste"]),
        ({"amenity": "hospital", "emergency": "yes"}, ["hopital", "urgences"]),
        ({"amenity": "pharmacy", "abandoned": "yes"}, []),
        ({"disused:amenity": "pharmacy"}, []),
        ({"railway": "station", "station": "subway"}, []),
        ({"office": "employment_agency", "name": "Pôle Emploi Redon"}, ["france_travail"]),
        ({"office": "employment_agency", "name": "Manpower"}, []),
        ({"leisure": "garden"}, []),
    ],
)
def test_tags_to_families(tags: dict[str, str], expected: list[str]) -> None:
    assert [item.id for item in families_of_tags(tags)] == expected


# OpenStreetMap


def test_nodes_ways_and_multipolygons_become_a_point_on_the_object(village: Path) -> None:
    made = fa.facilities_from_osm(village)
    found = {row["facility_id"]: row for row in made.table.rows(named=True)}
    assert set(found) == {
        "osm:node/1", "osm:node/4", "osm:node/5", "osm:way/100", "osm:way/103", "osm:relation/500",
    }  # fmt: skip
    assert (found["osm:way/100"]["family"], found["osm:way/100"]["longitude"]) == (
        "bibliotheque",
        pytest.approx(2.0002),
    )
    assert found["osm:way/103"]["longitude"] == pytest.approx(2.0205)
    school = found["osm:relation/500"]
    court = shapely.box(2.0105, 48.0105, 2.0135, 48.0135)
    assert shapely.box(2.01, 48.01, 2.014, 48.014).contains(shapely.Point(school["longitude"], school["latitude"]))
    assert not court.contains(shapely.Point(school["longitude"], school["latitude"]))
    # The other side of the road is the same stop; a cinema whose nodes are elsewhere is listed.
    assert made.merged.select("facility_id", "kept").rows() == [("osm:node/6", "osm:node/5")]
    assert made.rejected.select("facility_id", "family", "reason", "action").rows() == [
        ("osm:way/104", "cinema", INCOMPLETE, "écarté")
    ]
    assert fa.facilities_from_osm(village, ["pharmacies"]).table["name"].to_list() == ["Pharmacie du Lavoir"]


def test_ids_do_not_depend_on_the_families_asked_for(village: Path) -> None:
    whole = fa.facilities_from_osm(village).of("bibliothèque")
    assert fa.facilities_from_osm(village, ["bibliotheque"]).table.equals(whole)


def test_objects_in_any_order(village: Path, tmp_path: Path) -> None:
    lines = OSM.replace(">\n  <tag", "><tag").replace(">\n <way", ">\n<way").split("\n")
    ways = [line for line in lines if line.lstrip().startswith("<way")]
    shuffled = ways.copy()
    random.Random(3).shuffle(shuffled)
    assert shuffled != ways
    order = iter(shuffled)
    content = "\n".join(next(order) if line in ways else line for line in lines)
    path = tmp_path / "unsorted.osm"
    path.write_text(content, encoding="utf-8")
    assert fa.facilities_from_osm(path).table.equals(fa.facilities_from_osm(village).table)


def test_damaged_and_missing_extracts(village: Path, tmp_path: Path, mirror: Path) -> None:
    whole = (mirror / "08_osm" / "redon_35236_20190909.osm.pbf").read_bytes()
    for name, content in (("cut.osm.pbf", whole[: len(whole) // 2]), ("text.osm.pbf", b"ceci n'est pas un extrait"),
                          ("cut.osm", village.read_bytes()[:900])):  # fmt: skip
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(SourceFormatError, match="ne peut pas être lu"):
            fa.facilities_from_osm(path)
    with pytest.raises(SourceFormatError, match="n'existe pas"):
        fa.facilities_from_osm(tmp_path / "rien.osm.pbf")


def test_dwellings_and_hamlets(village: Path) -> None:
    homes = dwellings_of_extract(village)
    # The library is no home, the big building without use is a shed; flats count their four levels.
    assert homes["point_id"].to_list() == ["osm:way/105"]
    side = 0.0004 * 111_195
    assert homes["weight"].item() == pytest.approx(4 * side * side * 0.669 / 2, rel=2e-3)
    assert named_places_of_extract(village).rows() == [("La Lande", 2.006, 48.006)]


# Places that cannot be


@pytest.fixture(name="land")
def _land() -> fa.Land:
    shapes = [shapely.box(2.0, 48.0, 2.1, 48.1), shapely.box(2.1, 48.0, 2.2, 48.1)]
    communes = pl.DataFrame({
        "code": ["01001", "01002"], "longitude": [2.05, 2.15], "latitude": [48.05, 48.05],
        "xmin": [2.0, 2.1], "ymin": [48.0, 48.0], "xmax": [2.1, 2.2], "ymax": [48.1, 48.1],
    })  # fmt: skip
    return fa.Land(communes, pl.DataFrame({"code": communes["code"], "wkb": shapely.to_wkb(shapes).tolist()}))


def test_impossible_places_are_listed_with_their_reason(land: fa.Land) -> None:
    made = fa.make_facilities(
        rows(
            {"facility_id": "bonne", "longitude": 2.02, "latitude": 48.02},
            {"facility_id": "plage", "longitude": 1.996, "latitude": 48.05},
            {"facility_id": "mer", "longitude": 1.9, "latitude": 48.05},
            {"facility_id": "nulle", "longitude": 0.0, "latitude": 0.0},
            {"facility_id": "inverse", "longitude": 48.02, "latitude": 2.02},
            {"facility_id": "ailleurs", "longitude": -73.6, "latitude": 45.5},
            {"facility_id": "vide", "longitude": None, "latitude": None},
            {"facility_id": "voisine", "longitude": 2.02, "latitude": 48.03, "code": "01002"},
        ),
        land,
    )
    assert dict(made.table.select("facility_id", "code").iter_rows()) == {
        "bonne": "01001", "plage": None, "voisine": "01002",
    }  # fmt: skip
    assert dict(made.rejected.select("facility_id", "reason").iter_rows()) == {
        "mer": fa.AT_SEA, "nulle": fa.NULL_ISLAND, "inverse": fa.SWAPPED, "ailleurs": fa.ABROAD, "vide": fa.NO_POINT,
        "voisine": fa.FAR,
    }  # fmt: skip
    # A facility whose commune is known is put there and not lost.
    assert made.table.filter(facility_id="voisine").select("longitude", "latitude", "place").row(0) == (
        2.15,
        48.05,
        "commune",
    )
    assert dict(made.rejected.select("facility_id", "action").iter_rows())["voisine"] == fa.MOVED


def test_without_communes_the_sea_cannot_be_told() -> None:
    made = fa.make_facilities(rows({"longitude": -4.0, "latitude": 46.0}))
    assert made.table.height == 1
    assert fa.make_facilities(rows()).table.is_empty()


# Duplicates


def merged(*given: dict[str, object], name: str = "pharmacie") -> tuple[list[tuple[str, ...]], int]:
    kept, pairs = merge_family(rows(*({"family": name, **item} for item in given)), family(name))
    return sorted(kept.select("facility_id", "source").iter_rows()), pairs.height


def test_one_place_told_by_two_sources_is_one_facility() -> None:
    # 0.001 degree of latitude is 111 m, and a pharmacy is looked for within 120 m.
    told = [
        {"facility_id": "b", "latitude": 48.001},
        {"facility_id": "o", "source": "osm", "name": "Pharmacie du Lavoir"},
    ]
    assert merged(*told) == ([("o", "osm+bpe")], 1)
    assert merged(told[0] | {"latitude": 48.002}, told[1])[1] == 0
    # Other names are other places; a longer name of the same words is not.
    named = {"facility_id": "n", "source": "finess", "latitude": 48.0002}
    assert merged(named | {"name": "Pharmacie Martin"}, told[1])[1] == 0
    assert merged(named | {"name": "SELARL PHARMACIE DU LAVOIR"}, told[1]) == ([("n", "finess+osm")], 1)


def test_merging_is_one_to_one_and_never_inside_the_bpe() -> None:
    three = [{"facility_id": f"b{i}", "family": "medecin_generaliste"} for i in range(3)]
    two = [{"facility_id": f"o{i}", "family": "medecin_generaliste", "source": "osm"} for i in range(2)]
    kept, pairs = merged(*three, *two, name="medecin_generaliste")
    assert (len(kept), pairs) == (3, 2)
    assert merged(*three, name="medecin_generaliste") == ([("b0", "bpe"), ("b1", "bpe"), ("b2", "bpe")], 0)


def test_same_name_is_preferred_to_nearest() -> None:
    near = {"facility_id": "x", "source": "osm", "latitude": 48.0001}
    far = {"facility_id": "y", "source": "osm", "latitude": 48.0008, "name": "Pharmacie du Lavoir"}
    one = {"facility_id": "f", "source": "finess", "name": "PHARMACIE DU LAVOIR"}
    assert merged(one, near, far)[0] == [("f", "finess+osm"), ("x", "osm")]


def test_place_known_by_its_commune_gives_way_to_a_point() -> None:
    point = {"facility_id": "p", "source": "basilic", "name": "Ciné Manivel", "code": "35236", "latitude": 48.02}
    town = {"facility_id": "c", "source": "cinemas", "name": "CINE'MANIVEL", "code": "35236", "place": "commune"}
    assert merged(town, point, name="cinema") == ([("p", "basilic+cinemas")], 1)
    assert merged(town | {"name": "L'ÉTOILE"}, point, name="cinema")[1] == 0
    # What is generated never gives its place to what is real.
    assert merged(point | {"demo": True}, town, name="cinema")[0][0][0] == "c"


def test_names() -> None:
    library: Family = family("bibliotheque")
    assert name_words("Bibliothèque municipale de Saint-Just", library) == {"just"}
    assert same_name(frozenset({"cinemanivel"}), frozenset({"manivel"})) is False
    assert same_name(frozenset(), frozenset({"just"})) is None


# What if


def test_what_if_closes_and_opens() -> None:
    table = rows({"facility_id": "a"}, {"facility_id": "b"})
    changed = fa.with_changes(table, closed=["a"], opened=[(2.01, 48.01, "pharmacies")])
    assert changed.select("facility_id", "family", "source", "longitude").rows() == [
        ("b", "pharmacie", "bpe", 2.0), ("projet:pharmacie:2.010000,48.010000", "pharmacie", "projet", 2.01),
    ]  # fmt: skip
    assert changed.schema == table.schema
    assert fa.with_changes(table).equals(table)
    with pytest.raises(ParameterError, match="fermer"):
        fa.with_changes(table, closed=["z"])
    with pytest.raises(ParameterError, match="Terre"):
        fa.with_changes(table, opened=[(2.0, 148.0, "pharmacie")])
    with pytest.raises(ParameterError, match="n'existe pas"):
        fa.with_changes(table, opened=[(2.0, 48.0, "château")])


# Snapshot and real extract


def test_facilities_of_a_snapshot(small_snapshot: Snapshot) -> None:
    made = fa.facilities_from_snapshot(small_snapshot)
    table = made.table
    assert table.schema == fa.SCHEMA
    assert table["facility_id"].is_unique().all()
    assert table.select(pl.all_horizontal(pl.col("longitude", "latitude").is_finite()).all()).item()
    # Generated tables give generated facilities; town halls are real.
    assert set(table.filter(source="town_halls")["demo"]) == {False}
    assert set(table.filter(source="bpe")["demo"]) == {True}
    assert table.filter(family="mairie")["code"].n_unique() > 34_000
    communes = dict(small_snapshot.table("communes").select("code", "ymax").collect().iter_rows())
    assert "48095" in communes
    # A town hall that lost the sign of its longitude is listed, and stands in its commune.
    moved = made.rejected.filter(action=fa.MOVED, family="mairie")
    assert moved.height > 100
    assert set(moved["facility_id"]) & set(table["facility_id"])
    box = (3.4, 44.4, 3.6, 44.6)
    local = fa.facilities_from_snapshot(small_snapshot, ["pharmacie", "mairie"], box).table
    assert set(local["family"]) <= {"pharmacie", "mairie"}
    assert local["longitude"].is_between(3.4, 3.6).all()
    inside = table.filter(
        pl.col("longitude").is_between(3.4, 3.6), pl.col("latitude").is_between(44.4, 44.6), family="mairie"
    )
    assert local.filter(family="mairie").height == inside.height > 5


@pytest.mark.mirror
def test_facilities_of_redon(small_snapshot: Snapshot, mirror: Path) -> None:
    box = (-2.2, 47.6, -2.0, 47.7)
    land = fa.Land.of(small_snapshot, box)
    found = fa.facilities_from_osm(mirror / "08_osm" / "redon_35236_20190909.osm.pbf", land=land)
    assert sorted(found.of("pharmacie")["name"]) == [
        "Pharmacie Centrale", "Pharmacie Chaillou", "Pharmacie Montagut", "Pharmacie du Port",
    ]  # fmt: skip
    counts = dict(found.table["family"].value_counts().iter_rows())
    assert {name: counts[name] for name in ("boulangerie", "bibliotheque", "gare", "lycee", "france_travail")} == {
        "boulangerie": 4, "bibliotheque": 1, "gare": 1, "lycee": 2, "france_travail": 1,
    }  # fmt: skip
    # The extract goes past the Vilaine, to Saint-Nicolas-de-Redon.
    assert set(found.table["code"]) == {"35236", "44185"}
    gz = fa.facilities_from_osm(mirror / "08_osm" / "redon_35236_20190909.osm.gz", land=land)
    assert gz.table.select("facility_id").equals(found.table.select("facility_id"))
    both = fa.merge_facilities(fa.facilities_from_snapshot(small_snapshot, None, box), found)
    hall = both.of("mairie").filter(code="35236")
    assert hall["source"].to_list() == ["town_halls+osm"]


def test_facilities_that_are_only_counted_are_at_the_town_hall(tmp_path: Path) -> None:
    shapes = [shapely.box(2.0, 48.0, 2.1, 48.1), shapely.box(2.1, 48.0, 2.2, 48.1)]
    codes = ["01001", "01002"]
    tables = {
        "communes": pl.DataFrame({
            "code": codes, "longitude": [2.05, 2.15], "latitude": [48.05, 48.05], "xmin": [2.0, 2.1],
            "ymin": [48.0, 48.0], "xmax": [2.1, 2.2], "ymax": [48.1, 48.1],
        }),
        "outlines": pl.DataFrame({"code": codes, "wkb": shapely.to_wkb(shapes).tolist()}),
        "town_halls": pl.DataFrame({"code": codes, "longitude": [2.06, 2.16], "latitude": [48.06, 48.06]}),
        "equipment": pl.DataFrame({
            "code": ["01001", "01001", "01001", "01002"], "iris": ["a", "b", "a", None],
            "year": [2019, 2019, 2018, 2019], "typequ": ["D301"] * 4, "n": [1, 1, 9, 4],
        }),
        "equipment_points": pl.DataFrame({
            "code": ["01002"], "year": [2023], "typequ": ["D307"], "longitude": [2.12], "latitude": [48.02],
            "quality": pl.Series([None], dtype=pl.String),
        }),
    }  # fmt: skip
    (tmp_path / "tables").mkdir()
    for name, frame in tables.items():
        frame.write_parquet(tmp_path / "tables" / f"{name}.parquet")
    files: dict[str, dict[str, int]] = {f"tables/{name}.parquet": {} for name in tables}
    snapshot = Snapshot(tmp_path, {"files": files, "tables": {name: {"demo": False} for name in tables}})
    without = fa.facilities_from_snapshot(snapshot, ["pharmacie"])
    assert without.table.select("facility_id", "longitude", "place").rows() == [("bpe:D307:01002:1", 2.12, "point")]
    counted = fa.facilities_from_snapshot(snapshot, ["pharmacie"], counts=True)
    # The latest year of a commune, and only where the BPE places nothing.
    assert counted.table.select("facility_id", "longitude", "place").rows() == [
        ("bpe:D301:01001:1", 2.06, "commune"),
        ("bpe:D301:01001:2", 2.06, "commune"),
        ("bpe:D307:01002:1", 2.12, "point"),
    ]
