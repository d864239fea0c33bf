"""Shops of OpenStreetMap, and the same shop told by several sources: counted once, with its evidence."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from xml.sax.saxutils import quoteattr

import polars as pl
import pytest
import shapely

from bourg.cli import main
from bourg.commerce.chains import INDEPENDENT, NETWORK, UNDETERMINED
from bourg.commerce.matching import ShopTable, merge_shops, name_words, sirene_rows
from bourg.commerce.osm import SHOP_SCHEMA, shops_of_extract
from bourg.commerce.town_shops import COLUMNS, town_shops
from bourg.errors import SourceFormatError
from bourg.settings import Settings
from bourg.store.snapshot import Snapshot

TOWN = shapely.box(1.99, 44.99, 2.01, 45.01)
CODE = "12145"
# One thousandth of a degree: 111 m northwards, 79 m eastwards.
TYPES = {
    "node/1": "bakery", "node/2": "supermarket", "node/7": "pharmacy", "node/8": "repair", "node/10": "florist",
}  # fmt: skip
Node = tuple[float, float, dict[str, str]]
NODES: list[Node] = [
    (2.000, 45.000, {"shop": "bakery;pastry", "amenity": "cafe", "name": "Le Pain d'Or"}),
    (2.001, 45.000, {"shop": "supermarket", "name": "Carrefour Market", "brand": "Carrefour Market",
                     "brand:wikidata": "Q2689639"}),
    (2.002, 45.000, {"disused:shop": "clothes", "old_name": "Chez Zoé"}),
    (2.003, 45.000, {"shop": "vacant"}),
    (2.004, 45.000, {"shop": "chaussettes"}),
    (2.005, 45.000, {"amenity": "bench"}),
    (2.006, 45.000, {"amenity": "pharmacy", "name": "Pharmacie", "ref:FR:SIRET": "123 456 789 00011"}),
    (2.007, 45.000, {"craft": "shoemaker", "name": "Au Talon"}),
    (2.050, 45.000, {"shop": "bakery", "name": "Ailleurs"}),
    (2.000, 45.005, {"shop": "florist", "name": "Fleurs du Mail", "disused:shop": "bakery"}),
]  # fmt: skip


def _extract(folder: Path, nodes: list[Node] = NODES, ways: str = "") -> Path:
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', '<osm version="0.6">',
             '<bounds minlat="44.9" minlon="1.9" maxlat="45.1" maxlon="2.1"/>']  # fmt: skip
    for rank, (longitude, latitude, tags) in enumerate(nodes, start=1):
        inner = "".join(f"<tag k={quoteattr(key)} v={quoteattr(value)}/>" for key, value in tags.items())
        lines.append(f'<node id="{rank}" version="1" lon="{longitude}" lat="{latitude}">{inner}</node>')
    path = folder / "ville.osm"
    path.write_text("\n".join([*lines, ways, "</osm>"]), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def extract(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _extract(tmp_path_factory.mktemp("osm"))


def test_shops_of_a_town(extract: Path) -> None:
    found = shops_of_extract(extract, TOWN, code=CODE)
    assert found.shops.schema == pl.Schema(SHOP_SCHEMA)
    types = dict(found.shops.select("osm_ref", "type").iter_rows())
    assert types == TYPES
    first = found.shops.row(0, named=True)
    assert (first["type"], first["group"], first["code"]) == ("bakery", "craft_food", CODE)
    # Two activities: one shop, the other one told.
    assert first["other_types"] == "cafe"
    assert any("compté une fois" in note for note in found.notes)
    assert found.shops.filter(osm_ref="node/7")["siret"].to_list() == ["12345678900011"]


def test_empty_premises_are_apart_and_unknown_trades_are_counted(extract: Path) -> None:
    found = shops_of_extract(extract, TOWN, code=CODE)
    assert found.vacant.select("osm_ref", "former_type", "name").rows() == [
        ("node/3", "clothes", "Chez Zoé"),
        ("node/4", None, None),
    ]
    assert found.unclassified == {"shop=chaussettes": 1}
    assert any("chaussettes" in note for note in found.notes)


def test_an_extract_of_another_place_is_refused_and_a_part_is_told(extract: Path, tmp_path: Path) -> None:
    with pytest.raises(SourceFormatError, match="ne couvre pas"):
        shops_of_extract(extract, shapely.box(5, 45, 5.1, 45.1))
    found = shops_of_extract(extract, shapely.box(1.8, 44.99, 2.01, 45.01))
    assert any("commerces peuvent manquer" in note for note in found.notes)
    with pytest.raises(SourceFormatError):
        shops_of_extract(tmp_path / "absent.osm.pbf", TOWN)
    (tmp_path / "abime.osm.pbf").write_bytes(b"\0\0\0\x0dnot a map")
    with pytest.raises(SourceFormatError):
        shops_of_extract(tmp_path / "abime.osm.pbf", TOWN)


def test_a_real_extract(mirror: Path) -> None:
    found = shops_of_extract(mirror / "08_osm" / "redon_35236_20190909.osm.pbf")
    assert found.shops.height > 150
    assert found.vacant.height > 5
    assert found.shops["type"].null_count() == 0
    assert found.shops.filter(pl.col("osm_brand").is_not_null()).height > 10


# Matching


def _rows(*shops: dict[str, object]) -> pl.DataFrame:
    given = [{"code": CODE, "longitude": 2.0, "latitude": 45.0, "type": "bakery", **shop} for shop in shops]
    return pl.DataFrame([{name: row.get(name) for name in SHOP_SCHEMA} for row in given], schema=SHOP_SCHEMA)


def _pair(sirene: dict[str, object], osm: dict[str, object]) -> ShopTable:
    one = _rows({"shop_id": "sirene:1", "siret": "99999999900011", **sirene})
    two = _rows({"shop_id": "osm:node/1", "osm_ref": "node/1", **osm})
    return merge_shops({"sirene": one, "osm": two}, pl.Series([], dtype=pl.String))


@pytest.mark.parametrize(
    ("sirene", "osm", "proof"),
    [
        ({"name": "X"}, {"siret": "99999999900011", "latitude": 45.4, "name": "Autre"}, "siret"),
        ({"name": "LE PETIT FOURNIL DE ZOE"}, {"name": "Le Petit Fournil de Zoé", "latitude": 45.001}, "name"),
        ({"name": "AUX DELICES"}, {"name": "Aux délices", "type": "pastry_shop", "latitude": 45.001}, None),
        ({"name": "BOULANGERIE"}, {"name": "Au Blé Doré", "latitude": 45.0002}, "type"),
        ({"name": None}, {"name": "Au Blé Doré", "latitude": 45.0002}, "type"),
        ({"name": None}, {"name": "Au Blé Doré", "latitude": 45.001}, None),
        ({"name": "DUPONT"}, {"name": "Durand", "latitude": 45.0002}, None),
        ({"name": "ZOE", "type": "bakery"}, {"name": "Zoé", "type": "clothes", "latitude": 45.0002}, None),
        ({"name": "AU BLE DORE"}, {"name": "Au blé doré", "latitude": 45.01}, None),
        ({"name": "AU BLE DORE", "longitude": None, "latitude": None}, {"name": "Au blé doré"}, "name_in_town"),
        ({"name": None, "longitude": None, "latitude": None}, {"name": "Au blé doré"}, None),
        ({"name": "AU BLE DORE"}, {"name": "Au blé doré", "siret": "88888888800011"}, None),
        ({"name": "AU BLE DORE"}, {"name": "Au blé doré", "code": "12202"}, None),
    ],
)
def test_evidence_of_one_shop(sirene: dict[str, object], osm: dict[str, object], proof: str | None) -> None:
    table = _pair(sirene, osm)
    assert table.shops.height == (2 if proof is None else 1)
    assert table.merged["same"].to_list() == ([] if proof is None else [proof])
    assert sorted(table.shops["sources"]) == (["osm", "sirene"] if proof is None else ["sirene+osm"])


def test_a_merged_shop_keeps_the_best_of_both() -> None:
    table = _pair(
        {"name": "SARL AU BLE DORE", "naf": "10.71C"},
        {"name": "Au Blé Doré", "latitude": 45.0005, "type": "bakery", "other_types": "cafe", "osm_brand": "Paul"},
    )
    shop = table.shops.row(0, named=True)
    assert (shop["type"], shop["other_types"], shop["latitude"]) == ("bakery", "cafe", 45.0005)
    assert (shop["name"], shop["name_other"]) == ("SARL AU BLE DORE", "Au Blé Doré")
    assert (shop["siret"], shop["osm_ref"], shop["same"]) == ("99999999900011", "node/1", "name")
    assert (shop["chain"], shop["evidence"]) == (NETWORK, "osm_brand")
    assert shop["distance_m"] == pytest.approx(55.6, abs=0.2)


def test_two_names_at_one_place_are_doubtful_and_bound_the_count() -> None:
    table = _pair({"name": "DUPONT"}, {"name": "Chez Durand", "latitude": 45.0002})
    assert table.bounds == (1, 2)
    assert table.doubtful.row(0)[:3] == ("sirene:1", "osm:node/1", "doubtful")


def test_pairs_are_one_to_one_and_the_order_of_rows_changes_nothing() -> None:
    places = [{"shop_id": f"sirene:{rank}", "latitude": 45 + rank / 10_000} for rank in range(6)]
    sirene = _rows(*({**place, "name": "Salon", "type": "hairdresser"} for place in places))
    osm = _rows(*({"shop_id": f"osm:node/{rank}", "osm_ref": f"node/{rank}", "name": f"Coiffeur {name}",
                   "latitude": 45 + rank / 10_000, "type": "hairdresser"}
                  for rank, name in enumerate(("Alba", "Brio", "Cyme", "Dune"))))  # fmt: skip
    one = merge_shops({"sirene": sirene, "osm": osm})
    two = merge_shops({"sirene": sirene.reverse(), "osm": osm.sample(fraction=1, shuffle=True, seed=3)})
    assert one.shops.height == 6
    assert one.merged.height == 4
    assert one.shops.equals(two.shops)
    assert one.merged.equals(two.merged)


def test_a_point_and_its_building_are_one_shop_and_two_branches_are_two() -> None:
    osm = _rows(
        {"shop_id": "osm:node/1", "osm_ref": "node/1", "name": "Aldi", "type": "supermarket"},
        {"shop_id": "osm:way/9", "osm_ref": "way/9", "name": "ALDI", "type": "supermarket", "latitude": 45.0003},
        {"shop_id": "osm:node/2", "osm_ref": "node/2", "name": "Aldi", "type": "supermarket", "latitude": 45.02},
    )
    table = merge_shops({"osm": osm})
    assert table.shops["osm_ref"].to_list() == ["node/1", "node/2"]
    assert table.merged.row(0)[:2] == ("osm:node/1", "osm:way/9")


def test_what_sirene_proved_is_kept() -> None:
    stock = pl.DataFrame(
        {
            "siret": ["99999999900011", None, "99999999900029"], "code": [CODE] * 3, "type": ["bakery"] * 3,
            "group": ["craft_food"] * 3, "naf": ["10.71C"] * 3, "open": [True, True, False],
            "name": ["Zed et Fils", None, "Fermée"], "chain": [NETWORK, UNDETERMINED, INDEPENDENT],
            "evidence": ["company", "no_name", "own_name"], "brand": [None] * 3, "wikidata": [None] * 3,
            "longitude": [2.0, None, 2.0], "latitude": [45.0, None, 45.0],
        },
        schema_overrides={"brand": pl.String, "wikidata": pl.String},
    )  # fmt: skip
    table = merge_shops({"sirene": sirene_rows(stock)})
    assert table.shops.height == 2
    assert sorted(table.shops.select("chain", "evidence").iter_rows()) == [
        (NETWORK, "company"),
        (UNDETERMINED, "no_name"),
    ]


@pytest.mark.parametrize(
    ("name", "words"),
    [("BOULANGERIE", set()), ("Boulangerie du Théâtre", {"theatre"}), ("L'Œuf à la Coque", {"oeuf", "coque"}),
     (None, set())],
)  # fmt: skip
def test_words_that_tell_a_shop(name: str | None, words: set[str]) -> None:
    assert name_words(name) == words


# The table of a town and its command


def test_the_table_of_a_town(extract: Path) -> None:
    read = shops_of_extract(extract, TOWN, code=CODE)
    banco = _rows(
        {"shop_id": "banco:node/1", "osm_ref": "node/1", "name": "Le Pain d'Or"},
        {"shop_id": "banco:node/99", "osm_ref": "node/99", "name": "=1+1", "type": "florist", "latitude": 45.009},
    ).drop("naf", "name_other")
    found = town_shops(CODE, osm=read, banco=banco)
    assert found.table.shops.height == read.shops.height + 1
    assert found.sources == {"osm": 5, "banco": 2}
    told = found.to_dict()
    assert told["nombre"] == 6
    assert "indice" in told["locaux_vides_libelle"]
    merged = next(row for row in found.rows() if row["objet_osm"] == "node/1")
    assert (merged["sources"], merged["rapprochement"]) == ("OpenStreetMap + BANCO", "même objet d'OpenStreetMap")
    lines = found.to_csv().splitlines()
    assert lines[0] == ";".join(COLUMNS.values())
    assert len(lines) == 7
    assert "'=1+1" in found.to_csv()
    places = found.to_geojson()["features"]
    assert sum(feature["properties"]["local_vide"] for feature in places) == 2
    assert len(places) == 8


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], small_snapshot: Snapshot,
    small_settings: Settings,
) -> Callable[..., tuple[int, str]]:  # fmt: skip
    def call(*arguments: str) -> tuple[int, str]:
        monkeypatch.setenv("BOURG_HOME", str(small_settings.home))
        monkeypatch.delenv("BOURG_MIRROR", raising=False)
        with pytest.raises(SystemExit) as stopped:
            main(list(arguments))
        return int(stopped.value.code or 0), capsys.readouterr().out

    return call


def test_the_command_never_mixes_generated_and_real_shops(
    run: Callable[..., tuple[int, str]], small_snapshot: Snapshot, tmp_path: Path
) -> None:
    code = small_snapshot.table("shops").filter("open").collect()["code"][0]
    commune = small_snapshot.table("communes").filter(code=code).collect().row(0, named=True)
    x, y = commune["longitude"], commune["latitude"]
    tags = {"shop": "bakery", "name": "Au Blé Doré"}
    path = tmp_path / "ici.osm"
    inner = "".join(f"<tag k={quoteattr(key)} v={quoteattr(value)}/>" for key, value in tags.items())
    box = f'<bounds minlat="{y - 1}" minlon="{x - 1}" maxlat="{y + 1}" maxlon="{x + 1}"/>'
    node = f'<node id="1" version="1" lon="{x}" lat="{y}">{inner}</node>'
    path.write_text(f'<osm version="0.6">{box}{node}</osm>', encoding="utf-8")
    status, out = run("shops", code, "--osm", str(path), "--json")
    told = json.loads(out)
    assert (status, told["nombre"], told["sources"]) == (0, 1, {"osm": 1})
    assert any("générés" in text for text in told["phrases"])
    status, out = run("shops", code, "--json")
    told = json.loads(out)
    assert told["nombre"] > 1
    assert any("◆" in text for text in told["phrases"])
    assert run("shops", code, "--json", "--csv")[0] == 2
    assert run("shops", code, "--osm", str(tmp_path / "absent.osm"))[0] == 4
    assert run("shops", code, "--csv")[1].startswith("Nom;Type;")
    assert json.loads(run("shops", code, "--geojson")[1])["type"] == "FeatureCollection"


def test_the_command_on_footfall(run: Callable[..., tuple[int, str]], small_snapshot: Snapshot, tmp_path: Path) -> None:
    code = small_snapshot.table("communes").collect()["code"][0]
    path = tmp_path / "comptages.csv"
    rows = [f"A;Place;2024-05-{day} {hour:02}:00;60;{hour}" for day in (14, 21) for hour in range(24)]
    path.write_text("\n".join(["compteur;lieu;debut;duree_min;passages", *rows, "A;Place;2024-05-22 00:00;60;-1"]))
    status, out = run("footfall", str(path))
    assert status == 0
    assert "négatif" in out
    assert "Place" in out
    compared = ("--compare", "2024-05-13/2024-05-19", "--avec", "2024-05-20/2024-05-26")
    told = json.loads(run("footfall", str(path), *compared, "--json")[1])
    assert told["comparaison"]["evolution"] == 0
    assert len(told["profil"]) == 168
    kept = json.loads(run("footfall", str(path), "--commune", code, "--json")[1])["serie"]
    assert [item["serie"] for item in json.loads(run("footfall", "--commune", code, "--list", "--json")[1])] == [kept]
    assert run("footfall", "--commune", code, "--remove", kept)[0] == 0
    assert "Aucune série" in run("footfall", "--commune", code, "--list")[1]
    assert json.loads(run("footfall", str(path), "--compteur", "A", "--json")[1])["profil"] is not None
    assert run("footfall", str(path), "--compteur", "B")[0] == 2
    assert run("footfall")[0] == 2
    assert run("footfall", "--list")[0] == 2
    assert run("footfall", str(path), "--compare", "hier/demain", "--avec", "2024-05-20/2024-05-26")[0] == 2
    assert run("footfall", str(path), "--compare", "2024-05-13/2024-05-19")[0] == 2
