"""Networks of an installation, the study of a town, the commands and the table of the build."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from pyproj import Transformer

import world
from bourg.access.network.installed import (
    InstalledNetwork,
    NoNetworkError,
    install_network,
    installed_networks,
    network_for,
    remove_network,
)
from bourg.access.places.population import population_points
from bourg.access.study import TownAccess, open_town_access
from bourg.access.territory import territory_catchment, territory_times
from bourg.access.travel.catchments import Variant
from bourg.build import build
from bourg.cli import main
from bourg.errors import ParameterError, SourceUnavailableError
from bourg.settings import Settings
from bourg.sources.demo.streets import write_streets
from bourg.store.snapshot import Snapshot, SnapshotStore

FORCALQUIER = "04088"


def centres(snapshot: Snapshot) -> pl.DataFrame:
    return snapshot.table("communes").select("code", "population", "longitude", "latitude").collect()


@pytest.fixture(scope="module")
def streets(small_snapshot: Snapshot, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rues")
    homes = population_points(small_snapshot, FORCALQUIER).table
    path = folder / "demonstration-04088.osm.pbf"
    return write_streets(path, centres(small_snapshot), FORCALQUIER, radius_km=12, homes=homes)


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(home=tmp_path_factory.mktemp("maison"))


@pytest.fixture(scope="module")
def installed(streets: Path, installation: Settings) -> InstalledNetwork:
    return install_network([streets], installation)


@pytest.fixture(scope="module")
def study(small_snapshot: Snapshot, installed: InstalledNetwork) -> TownAccess:
    return TownAccess(small_snapshot, installed, FORCALQUIER)


def test_generated_streets_are_the_same_twice_and_belong_to_the_town(
    small_snapshot: Snapshot, streets: Path, tmp_path: Path
) -> None:
    homes = population_points(small_snapshot, FORCALQUIER).table
    again = write_streets(tmp_path / streets.name, centres(small_snapshot), FORCALQUIER, radius_km=12, homes=homes)
    assert again.read_bytes() == streets.read_bytes()
    other = write_streets(tmp_path / "autre.osm.pbf", centres(small_snapshot), "04209", radius_km=12)
    assert other.read_bytes() != streets.read_bytes()
    with pytest.raises(ValueError, match="99999"):
        write_streets(tmp_path / "rien.osm.pbf", centres(small_snapshot), "99999")
    assert not (tmp_path / "rien.osm.pbf").exists()


def test_an_installed_network_is_found_by_the_place(installed: InstalledNetwork, installation: Settings) -> None:
    assert installed.demo
    assert installed.name == "demonstration-04088"
    assert [item.name for item in installed_networks(installation)] == ["demonstration-04088"]
    here, elsewhere = np.array([[5.78, 43.96]]), np.array([[2.35, 48.85]])
    assert network_for(installation, here, where="Forcalquier").name == installed.name
    with pytest.raises(NoNetworkError, match="Paris") as caught:
        network_for(installation, elsewhere, where="Paris")
    assert "bourg network build" in caught.value.next_step


def test_a_network_that_cannot_be_built_leaves_the_one_in_place(
    installed: InstalledNetwork, installation: Settings, tmp_path: Path
) -> None:
    before = sorted(path.name for path in installed.folder.iterdir())
    broken = tmp_path / "demonstration-04088.osm.pbf"
    broken.write_bytes(b"\x00\x00\x00\x0d\x0a\x09OSMHeader")
    with pytest.raises(Exception) as caught:  # noqa: PT011 - any typed error
        install_network([broken], installation)
    assert "Bourg" in {base.__name__[:5] for base in type(caught.value).__mro__}
    with pytest.raises(SourceUnavailableError):
        install_network([tmp_path / "absent.osm.pbf"], installation)
    assert sorted(path.name for path in installed.folder.iterdir()) == before
    assert not [path for path in installation.networks.iterdir() if path.name.startswith(".")]


def test_an_unknown_network_is_not_removed(installation: Settings, installed: InstalledNetwork) -> None:
    with pytest.raises(NoNetworkError, match="nulle-part"):
        remove_network(installation, "nulle-part")
    assert installed.folder.is_dir()


def test_the_study_of_a_town_adds_up(study: TownAccess, small_snapshot: Snapshot) -> None:
    known = dict(small_snapshot.table("communes").select("code", "population").collect().iter_rows())
    assert study.demo
    reach = study.reach("foot", "mairie")
    assert reach.table["inhabitants"].sum() == pytest.approx(known[FORCALQUIER], rel=1e-9)
    assert set(reach.table["status"]) <= {"ok", "beyond", "unreachable", "unsnapped"}
    assert (
        reach.table.filter(pl.col("status") != "ok")["minutes"].null_count()
        == reach.table.filter(pl.col("status") != "ok").height
    )
    shares = [reach.summary[f"within_{minutes}"] for minutes in (5, 10, 15, 20, 30)]
    assert shares == sorted(shares)
    faster = study.reach("bike", "mairie").summary
    assert faster["within_15"] >= reach.summary["within_15"]
    curves = study.curves("mairie", limit_min=20)
    assert set(curves["mode"]) == {"foot", "bike", "car"}
    for mode in ("foot", "bike", "car"):
        assert curves.filter(pl.col("mode") == mode)["share"].is_sorted()


def test_what_if_a_facility_closes_or_opens(study: TownAccess) -> None:
    now = study.reach("foot", "mairie")
    every = study.facilities.of("mairie")["facility_id"].to_list()
    none = study.reach("foot", "mairie", closed=every)
    assert none.facilities == 0
    assert none.summary["median"] is None
    assert none.summary["within_15"] is None
    assert "inconnu" in none.sentence()
    crowd = now.table.filter(pl.col("status") != "unsnapped").sort("inhabitants").row(-1, named=True)
    opened = study.reach("foot", "mairie", opened=[(crowd["longitude"], crowd["latitude"], "mairie")])
    after = opened.table.filter(pl.col("point_id") == crowd["point_id"])["minutes"][0]
    assert after < 1
    assert opened.summary["within_15"] >= now.summary["within_15"]
    with pytest.raises(ParameterError, match="fermer"):
        study.reach("foot", "mairie", closed=["nulle-part"])


@pytest.mark.parametrize(
    ("mode", "family", "limit"), [("train", "mairie", 30), ("foot", "licorne", 30), ("foot", "mairie", 0)]
)
def test_bad_questions_are_refused(study: TownAccess, mode: str, family: str, limit: float) -> None:
    with pytest.raises(ParameterError):
        study.reach(mode, family, limit_min=limit)


def test_unserved_people_are_those_beyond_the_threshold(study: TownAccess) -> None:
    reach = study.reach("foot", "pharmacie")
    far = reach.table.filter((pl.col("status") != "ok") | (pl.col("minutes") > 15))
    told = study.unserved(reach, 15)
    assert told["inhabitants"].sum() == pytest.approx(far["inhabitants"].sum(), rel=1e-9)
    assert told["place"].null_count() == 0


def test_isochrones_of_a_point_are_nested(study: TownAccess) -> None:
    crowd = study.population.table.sort("inhabitants").row(-1, named=True)
    found = study.isochrone(crowd["longitude"], crowd["latitude"], "foot", (5, 10, 15))
    assert found.status == "ok"
    small, middle, large = found.polygons
    assert small.is_valid
    assert middle.buffer(1e-9).contains(small)
    assert large.buffer(1e-9).contains(middle)


def test_json_and_geojson_tell_the_same(study: TownAccess) -> None:
    reach = study.reach("bike", "ecole")
    told = json.loads(json.dumps(study.to_dict(reach)))
    assert told["demonstration"] is True
    assert told["reseau"]["licence"].startswith("ODbL")
    features = json.loads(json.dumps(study.to_geojson(reach)))["features"]
    assert sum(item["properties"]["type"] == "habitants" for item in features) == reach.table.height
    assert sum(item["properties"]["type"] == "equipement" for item in features) == reach.facilities


@pytest.mark.mirror
def test_redon_on_its_real_streets(
    small_snapshot: Snapshot, mirror: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    home = tmp_path / "maison"
    home.mkdir()
    (home / "snapshots").symlink_to(small_snapshot.folder.parent)
    monkeypatch.setenv("BOURG_HOME", str(home))
    monkeypatch.delenv("BOURG_MIRROR", raising=False)
    extract = mirror / "08_osm" / "redon_35236_20190909.osm.pbf"
    for arguments in (
        ["network", "build", str(extract)], ["network", "list"],
        ["access", "35236", "--mode", "foot", "--to", "pharmacie"],
        ["access", "Redon", "--mode", "foot", "--to", "pharmacie", "--geojson"],
        ["access", "35236", "--mode", "foot", "--to", "pharmacie", "--json"],
    ):  # fmt: skip
        with pytest.raises(SystemExit) as stop:
            main(arguments)
        assert stop.value.code == 0
        out = capsys.readouterr().out
    told = json.loads(out)
    assert told["reseau"]["date"] == "2019-09-09"
    assert told["reseau"]["demonstration"] is False
    assert {item["source"] for item in told["equipements"]} >= {"osm"}
    assert 0.2 < told["population"]["part_hors_reseau"] < 0.9
    assert told["resume"]["median_status"] == "ok"
    study = open_town_access(small_snapshot, Settings(home=home), "35236", name="Redon")
    assert study.installed.name == "redon-35236-20190909"
    for arguments, code in ((["access", "12145", "--to", "pharmacie"], 3), (["access", "35236", "--to", "licorne"], 2)):
        with pytest.raises(SystemExit) as stop:
            main(arguments)
        assert stop.value.code == code
        assert "Que faire" in capsys.readouterr().err


@pytest.mark.mirror
def test_a_build_with_a_network_publishes_access_times(
    shared_tmp: Path, registry: dict[str, pl.DataFrame], tmp_path: Path, mirror: Path
) -> None:
    settings = world.copy_home(world.shared_template(shared_tmp, registry), tmp_path / "home")
    install_network([mirror / "08_osm" / "osm_roads_by_commune_04_202107.zip"], settings)
    # Generated squares are for trying: nothing is published from them.
    build(settings, demo=True)
    snapshot = SnapshotStore(settings.snapshots).current()
    times = snapshot.table("access_times").collect()
    assert times.is_empty()
    cells = squares_of_forcalquier(snapshot)
    mirrored = tmp_path / "miroir" / "05_insee"
    mirrored.mkdir(parents=True)
    cells.write_csv(mirrored / "carreaux_200m_met.csv")
    build(Settings(home=settings.home, mirror=tmp_path / "miroir"), demo=True)
    snapshot = SnapshotStore(settings.snapshots).current()
    times = snapshot.table("access_times").collect()
    assert set(times["code"]) == {FORCALQUIER}
    values = pl.read_parquet(snapshot.path("values.parquet")).filter(pl.col("indicator").str.starts_with("access."))
    here = {row["indicator"]: row for row in values.filter(code=FORCALQUIER, level="commune").iter_rows(named=True)}
    assert 0 <= here["access.foot_pharmacie_15"]["value"] <= 100
    assert here["access.foot_pharmacie_15"]["period"] == "2021"
    assert values.filter(code="04209", level="commune", indicator="access.foot_pharmacie_15")["status"][0] == "missing"


def squares_of_forcalquier(snapshot: Snapshot) -> pl.DataFrame:
    """Squares in the official layout, as INSEE would give them."""
    points = population_points(snapshot, FORCALQUIER).table
    east, north = Transformer.from_crs(4326, 3035, always_xy=True).transform(
        points["longitude"].to_numpy(), points["latitude"].to_numpy()
    )
    names = [f"CRS3035RES200mN{int(y) // 200 * 200}E{int(x) // 200 * 200}" for x, y in zip(east, north, strict=True)]
    return pl.DataFrame({
        "idcar_200m": names, "idcar_1km": names, "idcar_nat": names, "i_est_200": 0, "i_est_1km": 0,
        "lcog_geo": FORCALQUIER, "ind": points["inhabitants"].round(1), "men": 20,
    }).unique("idcar_200m", keep="first", maintain_order=True)  # fmt: skip


def test_departments_are_computed_apart_and_agree_with_the_town(
    small_snapshot: Snapshot, study: TownAccess, installed: InstalledNetwork
) -> None:
    found = territory_times(small_snapshot, installed, ["04"], "bike", "mairie", workers=1)
    here = found.communes.filter(code=FORCALQUIER).row(0, named=True)
    alone = study.reach("bike", "mairie")
    assert here["median"] == pytest.approx(alone.summary["median"], abs=1e-4)
    assert here["within_15"] == pytest.approx(alone.summary["within_15"], abs=1e-9)
    assert here["demo"]
    assert found.facilities == alone.facilities
    with pytest.raises(ParameterError, match="99"):
        territory_times(small_snapshot, installed, ["99"], "bike", "mairie")
    with pytest.raises(ParameterError, match="emprise"):
        territory_times(small_snapshot, installed, ["75"], "bike", "mairie")


@pytest.mark.parametrize("variant", ["2sfca", "e2sfca", "3sfca", "apl"])
def test_the_offer_shared_out_is_the_offer(
    small_snapshot: Snapshot, installed: InstalledNetwork, variant: Variant
) -> None:
    rows, made = territory_catchment(small_snapshot, installed, ["04"], "car", "mairie", variant=variant)
    served = made.supplies.filter(pl.col("status") == "ok")["supply"].sum()
    assert (rows["score"] * rows["inhabitants"]).sum() / 10_000 == pytest.approx(served, rel=1e-9)
    assert (rows["low"] <= rows["score"] + 1e-9).all()
    assert (rows["score"] <= rows["high"] + 1e-9).all()
    assert ("estimation de type APL" in made.label) == (variant == "apl")
