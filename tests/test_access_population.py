"""Inhabitants as points: each method, its refusals, and sums equal to the population of the commune."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
import shapely

from bourg.access.places.addresses import read_addresses
from bourg.access.places.osm_places import dwellings_of_extract
from bourg.access.places.population import population_points
from bourg.errors import ParameterError, SourceFormatError, UnknownTerritoryError
from bourg.store.snapshot import Snapshot

# Three communes of 0.02 degree side by side; the second shares a square with the first.
CODES = ("01001", "01002", "01003")
SHAPES = [shapely.box(2.0 + 0.02 * i, 48.0, 2.02 + 0.02 * i, 48.02) for i in range(3)]
NO_CELLS = "carreaux de 200 m (Insee) : l'instantané n'en a pas"


def snapshot(
    folder: Path, *, demo: bool = False, population: tuple[int | None, ...] = (100, 50, 0), **tables: pl.DataFrame
) -> Snapshot:
    """Write a snapshot of the three communes, with the tables given."""
    inside = [shape.centroid for shape in SHAPES]
    bounds = [shape.bounds for shape in SHAPES]
    communes = pl.DataFrame({
        "code": CODES, "longitude": [p.x for p in inside], "latitude": [p.y for p in inside],
        "xmin": [b[0] for b in bounds], "ymin": [b[1] for b in bounds], "xmax": [b[2] for b in bounds],
        "ymax": [b[3] for b in bounds], "population": pl.Series(population, dtype=pl.Int64),
    })  # fmt: skip
    # The town hall of the second commune has lost the sign of its longitude.
    halls = pl.DataFrame({"code": CODES, "longitude": [2.001, -2.03, None], "latitude": [48.001, 48.01, None]})
    outlines = pl.DataFrame({"code": CODES, "wkb": shapely.to_wkb(SHAPES).tolist()})
    every = {"communes": communes, "outlines": outlines, "town_halls": halls, **tables}
    (folder / "tables").mkdir()
    for name, frame in every.items():
        frame.write_parquet(folder / "tables" / f"{name}.parquet")
    manifest = {
        "id": "essai",
        "files": {f"tables/{name}.parquet": {} for name in every},
        "tables": {name: {"demo": demo and name == "population_cells"} for name in every},
        "sources": [],
    }
    return Snapshot(folder, manifest)


def squares(*rows: tuple[str, str, int, float, float, float]) -> pl.DataFrame:
    schema = {
        "cell_id": pl.String, "code": pl.String, "n_codes": pl.Int32, "inhabitants": pl.Float64,
        "longitude": pl.Float64, "latitude": pl.Float64,
    }  # fmt: skip
    return pl.DataFrame(rows, schema=schema, orient="row")


CELLS = squares(
    ("c1", "01001", 1, 30.0, 2.005, 48.01),
    ("c2", "01001", 1, 10.0, 2.010, 48.01),
    # On the border at 2.02: three quarters of its width are in the second commune.
    ("c3", "01001", 2, 40.0, 2.02 + 0.5 * 100 / (111_195 * 0.66913), 48.0),
    ("c3", "01002", 2, 40.0, 2.02 + 0.5 * 100 / (111_195 * 0.66913), 48.0),
)


def sums(table: pl.DataFrame) -> dict[str, float]:
    return dict(table.group_by("code").agg(pl.col("inhabitants").sum()).sort("code").iter_rows())


def test_squares_are_shared_and_scaled_to_the_population(tmp_path: Path) -> None:
    made = population_points(snapshot(tmp_path, population_cells=CELLS), CODES)
    assert sums(made.table) == pytest.approx({"01001": 100.0, "01002": 50.0, "01003": 0.0})
    first = dict(made.table.filter(code="01001").select("point_id", "inhabitants").iter_rows())
    # Half the square is north of the border of both communes: an eighth of its 40 people here, three eighths there.
    assert first == pytest.approx({"c1": 100 * 30 / 45, "c2": 100 * 10 / 45, "c3_01001": 100 * 5 / 45}, rel=1e-3)
    assert made.table.filter(code="01002")["point_id"].to_list() == ["c3_01002"]
    # The third commune has no square and nobody: its town hall stands for it.
    assert made.methods.select("code", "method", "points", "demo").rows() == [
        ("01001", "carreaux_200m", 3, False), ("01002", "carreaux_200m", 1, False), ("01003", "commune", 1, False),
    ]  # fmt: skip
    assert made.sentence() == (
        "150\u00a0habitants dans 2\u00a0communes : carreaux de 200 m (Insee), 4\u00a0points ; "
        "0\u00a0habitant dans 1\u00a0commune : un seul point, la mairie, 1\u00a0point."
    )


def test_town_hall_is_the_last_resort(tmp_path: Path) -> None:
    made = population_points(snapshot(tmp_path), list(CODES))
    assert made.table.select("code", "longitude", "inhabitants", "method").rows() == [
        ("01001", 2.001, 100.0, "commune"),
        ("01002", pytest.approx(2.03), 50.0, "commune"),
        ("01003", pytest.approx(2.05), 0.0, "commune"),
    ]
    assert set(made.methods["refused"]) == {NO_CELLS}


def test_unknown_population_is_not_zero(tmp_path: Path) -> None:
    made = population_points(snapshot(tmp_path, population=(None, 50, 0), population_cells=CELLS), "01001")
    assert made.table["inhabitants"].to_list() == [None, None, None]
    assert made.methods["inhabitants"].to_list() == [None]
    assert made.sentence().startswith("Population inconnue : carreaux")


def test_a_square_of_two_communes_that_merged_counts_once(tmp_path: Path) -> None:
    twice = CELLS.with_columns(code=pl.lit("01001"))
    made = population_points(snapshot(tmp_path, population_cells=twice), "01001")
    assert made.table["point_id"].to_list() == ["c1", "c2", "c3_01001"]
    assert made.table["inhabitants"].sum() == pytest.approx(100)


def test_squares_without_people_are_refused(tmp_path: Path) -> None:
    empty = squares(("c1", "01001", 1, 0.0, 2.005, 48.01))
    made = population_points(snapshot(tmp_path, population_cells=empty), "01001")
    assert made.methods.select("method", "refused").row(0) == (
        "commune", "carreaux de 200 m (Insee) : aucun habitant n'y est compté",
    )  # fmt: skip


def addresses_csv(folder: Path, n: int) -> Path:
    path = folder / "adresses-01.csv"
    lines = [f"01001_{i};{i};rue des Lilas;{2.001 + 0.001 * i};48.005" for i in range(n)]
    path.write_text("id;numero;nom_voie;lon;lat\n" + "\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_addresses_weigh_the_same_and_must_be_enough(tmp_path: Path) -> None:
    built = snapshot(tmp_path)
    made = population_points(built, "01001", addresses=addresses_csv(tmp_path, 5))
    assert made.table["inhabitants"].to_list() == [20.0] * 5
    assert set(made.table["method"]) == {"adresses"}
    few = population_points(built, "01001", addresses=addresses_csv(tmp_path, 2))
    assert "2\u00a0points pour 100 habitants, trop peu" in few.methods["refused"][0]
    assert few.methods["method"].to_list() == ["commune"]


def test_addresses_of_a_geojson(tmp_path: Path) -> None:
    features = [{"type": "Feature", "properties": {}, "geometry": {"type": "Point", "coordinates": [2.001, 48.001]}}]
    path = tmp_path / "a.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}), encoding="utf-8")
    assert read_addresses(path).rows() == [("adresse-1", 2.001, 48.001, 1.0)]
    for content in ('{"type": "FeatureCollection"}', '{"features": [{"geometry": null}]}'):
        path.write_text(content, encoding="utf-8")
        with pytest.raises(SourceFormatError, match="GeoJSON"):
            read_addresses(path)
    path.write_text(json.dumps({"features": []}), encoding="utf-8")
    with pytest.raises(SourceFormatError, match="aucun point"):
        read_addresses(path)
    with pytest.raises(SourceFormatError, match="n'existe pas"):
        read_addresses(tmp_path / "rien.csv")


def write_extract(path: Path, homes: list[tuple[float, float]], corner: tuple[float, float]) -> Path:
    """Write an extract of square houses of 0.0002 degree, which covers from the corner to 2.02, 48.02."""
    nodes, ways = [], []
    for rank, (x, y) in enumerate(homes):
        refs = []
        for k, (dx, dy) in enumerate([(0, 0), (2e-4, 0), (2e-4, 2e-4), (0, 2e-4)]):
            identifier = 4 * rank + k + 1
            nodes.append(f'<node id="{identifier}" lat="{y + dy:.7f}" lon="{x + dx:.7f}"/>')
            refs.append(f'<nd ref="{identifier}"/>')
        ways.append(f'<way id="{rank + 1}">{"".join(refs)}{refs[0]}<tag k="building" v="house"/></way>')
    bounds = f'<bounds minlon="{corner[0]}" minlat="{corner[1]}" maxlon="2.02" maxlat="48.02"/>'
    path.write_text(f'<osm version="0.6">{bounds}{"".join(nodes)}{"".join(ways)}</osm>', encoding="utf-8")
    return path


def test_buildings_need_an_extract_that_covers_the_commune(tmp_path: Path) -> None:
    built = snapshot(tmp_path)
    homes = [(2.002 + 0.002 * i, 48.004) for i in range(6)]
    whole = write_extract(tmp_path / "whole.osm", homes, (2.0, 48.0))
    made = population_points(built, ["01001", "01002"], extract=whole)
    assert made.table.filter(code="01001")["inhabitants"].to_list() == pytest.approx([100 / 6] * 6)
    assert made.methods.select("code", "method").rows() == [("01001", "batiments"), ("01002", "commune")]
    assert "ne couvre que 0 % de la commune" in made.methods["refused"][1]
    read = population_points(built, "01001", dwellings=(dwellings_of_extract(whole), (2.0, 48.0, 2.02, 48.02)))
    assert read.table.equals(made.table.filter(code="01001"))
    half = write_extract(tmp_path / "half.osm", homes, (2.0, 48.01))
    refused = population_points(built, "01001", extract=half).methods
    assert refused["method"].to_list() == ["commune"]
    assert "ne couvre que 50 % de la commune" in refused["refused"][0]


IRIS = pl.DataFrame({
    "iris": ["010010101", "010010102", "010020000"], "code": ["01001", "01001", "01002"], "population": [90, 30, 50],
})  # fmt: skip


def test_iris_need_all_their_points(tmp_path: Path) -> None:
    built = snapshot(tmp_path, iris=IRIS)
    points = pl.DataFrame({"iris": IRIS["iris"][:2], "longitude": [2.004, 2.016], "latitude": [48.01, 48.01]})
    made = population_points(built, ["01001", "01002"], iris_points=points, generate=False)
    assert made.table.select("point_id", "inhabitants", "method").rows() == [
        ("010010101", 75.0, "iris"), ("010010102", 25.0, "iris"), ("01002", 50.0, "commune"),
    ]  # fmt: skip
    assert "un IRIS n'a pas de point" in made.methods["refused"][1]


def test_generated_squares_come_just_before_the_town_hall(tmp_path: Path) -> None:
    built = snapshot(tmp_path, demo=True, population_cells=CELLS)
    plain = population_points(built, "01001")
    assert (plain.methods["method"][0], plain.methods["demo"][0]) == ("carreaux_200m", True)
    assert "générés pour la démonstration" in plain.sentence()
    told = population_points(built, "01001", addresses=addresses_csv(tmp_path, 5))
    assert (told.methods["method"][0], told.methods["demo"][0]) == ("adresses", False)
    real = snapshot(_folder(tmp_path / "real"), population_cells=CELLS)
    assert (
        population_points(real, "01001", addresses=addresses_csv(tmp_path, 5)).methods["method"][0] == "carreaux_200m"
    )
    forced = population_points(real, "01001", addresses=addresses_csv(tmp_path, 5), order=["adresses", "carreaux_200m"])
    assert forced.methods["method"][0] == "adresses"


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


def test_bad_arguments(tmp_path: Path) -> None:
    built = snapshot(tmp_path)
    with pytest.raises(UnknownTerritoryError, match="99999"):
        population_points(built, ["01001", "99999"])
    with pytest.raises(ParameterError, match="magie"):
        population_points(built, "01001", order=["magie"])


@pytest.mark.mirror
def test_squares_are_drawn_where_no_source_tells_and_marked(small_snapshot: Snapshot) -> None:
    made = population_points(small_snapshot, ["12145", "2A004"])
    known = dict(small_snapshot.table("communes").select("code", "population").collect().iter_rows())
    assert made.methods["method"].to_list() == ["carreaux_200m"] * 2
    assert made.table["demo"].all()
    for code in ("12145", "2A004"):
        here = made.table.filter(pl.col("code") == code)
        outline = small_snapshot.table("outlines").filter(pl.col("code") == code).collect()["wkb"][0]
        assert here.height > 100
        assert here["inhabitants"].sum() == pytest.approx(known[code], rel=1e-12)
        assert (
            shapely.contains_xy(shapely.from_wkb(outline), *here.select("longitude", "latitude").to_numpy().T).mean()
            > 0.99
        )
    again = population_points(small_snapshot, ["2A004"])
    assert again.table.equals(made.table.filter(pl.col("code") == "2A004"))
    # INSEE does not grid Guadeloupe: its inhabitants stay at the town hall.
    assert population_points(small_snapshot, "97105").methods["method"].to_list() == ["commune"]


def test_real_towns(small_snapshot: Snapshot, mirror: Path) -> None:
    village = mirror / "08_osm" / "pont-de-veyle_01306_20220311.osm.pbf"
    made = population_points(small_snapshot, "01306", extract=village, order=["batiments"])
    known = dict(small_snapshot.table("communes").select("code", "population").collect().iter_rows())
    assert made.methods.select("method", "inhabitants").row(0) == ("batiments", known["01306"])
    assert made.table.height > 500
    assert made.table["inhabitants"].sum() == pytest.approx(known["01306"], rel=1e-12)
    # This extract of Redon only has the middle of the town.
    part = mirror / "08_osm" / "redon_35236_20190909.osm.pbf"
    redon = population_points(small_snapshot, "35236", extract=part, order=["batiments"])
    assert redon.methods["method"].to_list() == ["commune"]
    assert "ne couvre que 4 % de la commune" in redon.methods["refused"][0]
