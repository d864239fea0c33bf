"""The access page: its address, its figures against the engine, its changes, its empty states, its files."""

from __future__ import annotations

import csv
import io
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import shapely
from pyproj import Transformer
from streamlit.testing.v1 import AppTest

from bourg.access.network.demo import install_demo_streets
from bourg.access.network.installed import installed_networks
from bourg.access.places.crosswalk import family
from bourg.access.places.population import Population
from bourg.access.places.sectors import with_sectors
from bourg.access.study import Reach, TownAccess, open_town_access
from bourg.access.travel.points import place
from bourg.access.travel.reach import join_nearest, reach_indicators, share_curve
from bourg.access.travel.times import nearest
from bourg.dashboard.views.acces_data import Desk, difference, minute_curve, people_shapes
from bourg.dashboard.views.acces_map import PALETTE, isochrone_sentence, map_bounds, map_layers
from bourg.dashboard.views.acces_state import MOST_CHANGES, AccessState
from bourg.errors import UnknownTerritoryError
from bourg.portrait.access_files import COLUMNS, curve_spec, unserved_csv
from bourg.portrait.access_html import QuarterCard, people_text, quarter_cards, share_text, unserved_table, why_text
from bourg.portrait.observatory import Observatory
from bourg.settings import Settings
from dashboard_tools import buttons, html_of, map_data, serve, sound, start, texts

TOWN = "12145"
# Every town has one, in every data set.
FAMILY = "mairie"


@pytest.fixture(scope="module")
def bare(small_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """An installation with the small snapshot and no network, which may be written to."""
    home = tmp_path_factory.mktemp("acces")
    (home / "snapshots").symlink_to(small_settings.snapshots)
    return Settings(home=home)


@pytest.fixture(scope="module")
def streets(
    bare: Settings, small_observatory: Observatory, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Settings, list[float]]:
    """An installation with generated streets around the town, and the progress that was told."""
    home = tmp_path_factory.mktemp("acces-rues")
    (home / "snapshots").symlink_to(bare.snapshots)
    settings = Settings(home=home)
    told: list[float] = []
    install_demo_streets(small_observatory.snapshot, settings, TOWN, lambda _label, share: told.append(share))
    return settings, told


def scattered(centre: tuple[float, float], count: int = 120) -> Population:
    """Return inhabitants around a place, drawn once and for all."""
    rng = np.random.default_rng(4)
    table = pl.DataFrame({
        "point_id": [f"p{number}" for number in range(count)],
        "longitude": centre[0] + rng.normal(0, 0.012, count), "latitude": centre[1] + rng.normal(0, 0.009, count),
        "inhabitants": rng.integers(1, 60, count).astype(np.float64), "method": ["adresses"] * count,
        "code": [TOWN] * count, "demo": [False] * count,
    })  # fmt: skip
    return Population(table, pl.DataFrame({
        "code": [TOWN], "method": ["adresses"], "points": [count], "inhabitants": [int(table["inhabitants"].sum())],
        "demo": [False], "refused": [None],
    }))  # fmt: skip


@pytest.fixture(scope="module")
def desk(streets: tuple[Settings, list[float]], small_observatory: Observatory) -> Desk:
    settings, _ = streets
    access = open_town_access(small_observatory.snapshot, settings, TOWN, name="Millau")
    made = Desk(small_observatory, access)
    centre = made.centre
    # The small snapshot has no squares: one point would make every share 0 or 1.
    access.__dict__["population"] = scattered(centre)
    return made


def ids(desk: Desk) -> list[str]:
    return desk.access.facilities_of(family(FAMILY))["facility_id"].to_list()


def near_hall(desk: Desk, east: float = 0.004) -> tuple[float, float]:
    return round(desk.centre[0] + east, 5), round(desk.centre[1], 5)


# ---- Demonstration streets -------------------------------------------------------------------------------------------


def test_demo_streets_are_marked_told_and_the_same_twice(
    streets: tuple[Settings, list[float]], small_observatory: Observatory
) -> None:
    settings, told = streets
    (network,) = installed_networks(settings)
    assert (network.name, network.demo) == (f"demonstration-{TOWN}", True)
    assert told == sorted(told)
    assert 0 <= told[0] < told[-1] <= 1
    again = install_demo_streets(small_observatory.snapshot, settings, TOWN)
    assert again.network.manifest["counts"] == network.network.manifest["counts"]
    assert again.network.bbox == network.network.bbox
    hall = small_observatory.snapshot.table("town_halls").filter(pl.col("code") == TOWN).collect()
    assert network.covers(hall.select("longitude", "latitude").to_numpy()) == 1.0
    with pytest.raises(UnknownTerritoryError, match="rues"):
        install_demo_streets(small_observatory.snapshot, settings, "99999")


# ---- What is computed ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["foot", "bike", "car"])
def test_changes_give_what_a_new_study_would(desk: Desk, mode: str) -> None:
    closed, opened = tuple(ids(desk)[:1]), (near_hall(desk), near_hall(desk, -0.006))
    got = desk.answers(FAMILY, closed, opened).reaches[mode].table
    study = desk.access
    facilities = study.facilities_of(family(FAMILY), closed=closed, opened=[(x, y, FAMILY) for x, y in sorted(opened)])
    points = study.population.table
    found = nearest(study.installed.network, place(study.installed.network, points, mode),
                    place(study.installed.network, facilities, mode), mode, limit_min=30)  # fmt: skip
    wanted = join_nearest(points, found, family=FAMILY, mode=mode)
    assert got.equals(wanted)


def test_curve_is_that_of_the_engine(desk: Desk) -> None:
    for reach in desk.answers(FAMILY, (), (near_hall(desk),)).reaches.values():
        wanted = share_curve(reach.table, [float(minute) for minute in range(1, 31)])
        got = minute_curve(reach)
        assert got["minutes"].to_list() == wanted["minutes"].to_list()
        assert got["share"].to_list() == pytest.approx(wanted["share"].to_list(), abs=1e-12)
        nobody = Reach(**{**reach.__dict__, "table": reach.table.with_columns(status=pl.lit("unsnapped"))})
        assert minute_curve(nobody)["share"].null_count() == 30


def test_difference_counts_those_who_cross_the_threshold(desk: Desk) -> None:
    before = desk.answers(FAMILY).reaches["foot"]
    after = desk.answers(FAMILY, (), (near_hall(desk, 0.012),)).reaches["foot"]
    found = difference(before, after, 10)
    lost = gained = 0.0
    for was, would in zip(before.table.iter_rows(named=True), after.table.iter_rows(named=True), strict=True):
        near = [row["status"] == "ok" and row["minutes"] <= 10 for row in (was, would)]
        lost += was["inhabitants"] if near == [True, False] else 0
        gained += was["inhabitants"] if near == [False, True] else 0
    assert (found.lost, found.gained) == (lost, gained)
    assert lost == 0
    assert gained > 0
    back = difference(after, before, 10)
    assert (back.lost, back.gained) == (gained, 0)


def test_unserved_inhabitants_add_up_and_places_are_sectors(desk: Desk) -> None:
    reach = desk.answers(FAMILY, (), (near_hall(desk),)).reaches["foot"]
    table = desk.unserved(reach, 10)
    far = [row["inhabitants"] for row in reach.table.iter_rows(named=True)
           if row["status"] != "ok" or row["minutes"] > 10]  # fmt: skip
    assert table["inhabitants"].sum() == pytest.approx(sum(far))
    assert table["inhabitants"].to_list() == sorted(table["inhabitants"], reverse=True)
    assert all(" de la mairie" in name for name in table["place"])


def test_sectors_name_direction_and_distance() -> None:
    north = 1 / 111.195
    points = pl.DataFrame(
        {"longitude": [2.0, 2.0, 2.0, 1.9], "latitude": [47.0, 47 + 1.5 * north, 47 - 12 * north, 47.0]}
    )
    assert with_sectors(points, (2.0, 47.0))["place"].to_list() == [
        "Centre, à moins de 500 m de la mairie", "Au nord, de 1 à 2 km de la mairie",
        "Au sud, à plus de 10 km de la mairie", "À l'ouest, de 5 à 10 km de la mairie",
    ]  # fmt: skip


def test_squares_are_drawn_where_their_identifier_says() -> None:
    to_metres = Transformer.from_crs(4326, 3035, always_xy=True)
    table = pl.DataFrame({
        "point_id": ["CRS3035RES200mN2804200E3456800", "CRS3035RES200mN2804200E3457000_35236"],
        "longitude": [0.0, 0.0], "latitude": [0.0, 0.0], "method": ["carreaux_200m"] * 2,
    })  # fmt: skip
    kind, shapes = people_shapes(table)
    assert kind == "polygons"
    for shape, (east, north) in zip(shapes["features"], [(3456800, 2804200), (3457000, 2804200)], strict=True):
        x, y = to_metres.transform(*np.array(shape["geometry"]["coordinates"][0]).T)
        assert shapely.Polygon(np.column_stack([x, y])).area == pytest.approx(40_000, rel=0.002)
        assert (x.min(), y.min()) == (pytest.approx(east, abs=0.2), pytest.approx(north, abs=0.2))
    assert people_shapes(table.with_columns(method=pl.lit("adresses")))[0] == "points"


# ---- Map -------------------------------------------------------------------------------------------------------------


def test_map_tells_every_point_and_every_change(desk: Desk) -> None:
    closed, opened = tuple(ids(desk)[:1]), (near_hall(desk),)
    state = AccessState(TOWN, FAMILY, "foot", 10, closed, opened, start=near_hall(desk))
    before, after = desk.answers(FAMILY), desk.answers(FAMILY, closed, opened)
    found = desk.isochrone(near_hall(desk), "foot")
    layers, legend = map_layers(desk, state, before, after, found)
    by_id = {layer.id: layer for layer in layers}
    people = by_id["habitants"].features
    assert people is not None
    for row in after.reaches["foot"].table.iter_rows(named=True):
        feature = people[row["point_id"]]
        if row["status"] == "ok":
            bounds = [0, 5, 10, 15, 20, 30]
            assert bounds[feature.colour] <= row["minutes"] <= bounds[feature.colour + 1]
            assert feature.pattern is None
        else:
            assert feature.colour is None
            assert feature.pattern in {"not_applicable", "unreachable", "missing"}
    areas = [shapely.geometry.shape(item["geometry"]) for item in by_id["isochrone"].source["features"]]
    assert [item["properties"]["code"] for item in by_id["isochrone"].source["features"]] == ["15", "10", "5"]
    assert areas[0].covers(areas[1])
    assert areas[1].covers(areas[2])
    marks = {item["properties"]["code"]: item["properties"] for item in by_id["equipements"].source["features"]}
    assert set(marks) == set(before.facilities["facility_id"])
    assert marks[closed[0]]["motif"] == "secret"
    assert by_id["projets"].source["features"][0]["geometry"]["coordinates"] == list(opened[0])
    assert {item.colour for item in legend.items if item.colour is not None} <= set(range(len(PALETTE.light)))
    assert len(PALETTE.light) == len(PALETTE.dark)
    assert legend.title.endswith("◆")
    west, south, east, north = map_bounds(desk, found)
    assert shapely.box(west, south, east, north).covers(areas[0])


def test_isochrone_sentence_counts_the_inhabitants_inside(desk: Desk) -> None:
    found = desk.isochrone(near_hall(desk), "foot")
    table = desk.access.population.table
    inside = [
        sum(people for x, y, people in table.select("longitude", "latitude", "inhabitants").iter_rows()
            if area.contains(shapely.Point(x, y)))
        for area in found.polygons
    ]  # fmt: skip
    assert desk.inside(found) == inside
    assert people_text(inside[-1]) in isochrone_sentence(desk, found, "foot")
    away = desk.isochrone((desk.centre[0], desk.centre[1] + 3), "foot")
    assert "trop loin de toute rue" in isochrone_sentence(desk, away, "foot")


# ---- Texts and files -------------------------------------------------------------------------------------------------


def test_shares_and_people_do_not_round_to_all_or_nobody() -> None:
    assert [share_text(share) for share in (0.0, 0.004, 0.5, 0.996, 1.0, None)] == [
        "0\u00a0%", "moins de 1\u00a0%", "50\u00a0%", "plus de 99\u00a0%", "100\u00a0%", "inconnue",
    ]  # fmt: skip
    assert people_text(0.4) == "moins d'un habitant"
    assert people_text(0) == "0\u00a0habitant"


UNSERVED = {
    "family": "pharmacie", "mode": "foot", "place": "=<b>Le Bourg</b>", "points": 2, "inhabitants": 30.0,
    "unknown_population": 0, "minutes": 21.4, "beyond": 10.0, "unreachable": 0.0, "unsnapped": 5.0,
    "longitude": 3.1, "latitude": 44.1,
}  # fmt: skip


def test_places_are_escaped_and_their_csv_is_safe() -> None:
    table = pl.DataFrame([UNSERVED])
    assert "&lt;b&gt;" in unserved_table(table, 30, demo=True)
    assert "jusqu'à 22\u00a0min" in unescape(unserved_table(table, 30, demo=True))
    assert "<b>Le" not in unserved_table(table, 30, demo=True)
    text = unserved_csv(table, threshold=15, limit=30, demo=True)
    (row,) = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")), delimiter=";")
    assert tuple(row) == COLUMNS
    assert row["lieu"] == "'=<b>Le Bourg</b>"
    assert (row["habitants"], row["minutes_max"], row["seuil_min"], row["demonstration"]) == ("30", "21.4", "15", "oui")
    assert "temps inconnu" in row["pourquoi"]
    assert why_text({**UNSERVED, "inhabitants": 10.0, "unsnapped": 0.0}, 30) == "à plus de 30\u00a0min"


def test_curve_draws_three_modes_told_by_dash_and_name(desk: Desk) -> None:
    answers = desk.answers(FAMILY, (), (near_hall(desk),))
    spec = curve_spec(answers.curves, "mairie", 15)
    names = [
        row["name"] for layer in spec["layer"] if layer["mark"]["type"] == "text" for row in layer["data"]["values"]
    ]
    places = [
        row["percent"] for layer in spec["layer"] if layer["mark"]["type"] == "text" for row in layer["data"]["values"]
    ]
    assert sorted(names) == ["pied", "voiture", "vélo"]
    assert min(abs(a - b) for a in places for b in places if a != b) >= 8 - 1e-9
    lines = [layer for layer in spec["layer"] if layer["mark"]["type"] == "line"]
    dashes = lines[0]["encoding"]["strokeDash"]["scale"]["range"]
    assert len({str(dash) for dash in dashes}) == 3
    shown = {(row["mode"], row["minutes"]): row["percent"] for row in lines[0]["data"]["values"]}
    for mode, reach in answers.reaches.items():
        assert shown[mode, 15.0] == pytest.approx(100 * reach.summary["within_15"], abs=0.005)
    assert share_text(answers.reaches["foot"].summary["within_15"]) in spec["description"]


def test_quarter_hour_tells_near_far_and_unknown(desk: Desk) -> None:
    card = QuarterCard("foot", 0.5, 1.0, 4, ["parc", "arret"], {"ecole": 0.9, "pharmacie": 0.1})
    told = quarter_cards([card], demo=True)
    assert "50\u00a0%" in told
    assert "Atteintes par la moitié des habitants ou plus :</b> école" in told
    assert "Par moins de la moitié :</b> pharmacie" in told
    assert "parc ou jardin public" in told
    assert "1,0 des 2 familles" in told
    found = desk.quarter()["foot"]
    reach = reach_indicators(desk.access.quarter_hour("foot"), limit_min=15, by=())
    assert found.shares == dict(reach.select("family", "within_15").iter_rows())
    assert not set(found.shares) & set(found.unknown)
    assert found.declared == len(found.shares) + len(found.unknown)
    mean = np.mean(list(found.shares.values()))
    assert found.score == (pytest.approx(mean, abs=1e-9) if 2 * len(found.shares) >= found.declared else None)


# ---- Page ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, streets: tuple[Settings, list[float]]) -> None:
    serve(monkeypatch, streets[0])


def open_page(**address: Any) -> AppTest:
    return start(address, page="acces")


def asked(app: AppTest) -> dict[str, list[str]]:
    """Return the address; AppTest gives a text for a single value."""
    values = {name: app.query_params[name] for name in app.query_params}
    return {name: [value] if isinstance(value, str) else list(value) for name, value in values.items()}


def press(app: AppTest, key: str) -> AppTest:
    return sound(app.button(key=key).click().run())


def test_without_a_town_it_says_what_to_do_and_its_examples_work(home: None) -> None:
    app = open_page()
    assert "Choisissez une commune" in texts(app)
    assert buttons(app, "acces-exemple-")[f"acces-exemple-{TOWN}"].startswith("Millau")
    press(app, f"acces-exemple-{TOWN}")
    assert asked(app)["commune"] == [TOWN]
    assert "Famille par famille" in html_of(app)


def test_without_a_network_generated_streets_are_offered_and_marked(
    monkeypatch: pytest.MonkeyPatch, bare: Settings
) -> None:
    serve(monkeypatch, bare)
    app = open_page(commune="04209", vers="mairie")
    assert "Aucun réseau de rues installé ne couvre Sisteron" in app.error[0].value
    assert "bourg network build" in app.error[0].value
    press(app, "acces-demo")
    assert [item.name for item in installed_networks(bare)] == ["demonstration-04209"]
    assert [item.value for item in app.error] == []
    assert "◆ démo" in html_of(app)
    assert asked(app)["vers"] == ["mairie"]


def test_address_is_kept_and_its_mistakes_are_told(home: None) -> None:
    address = {"commune": [TOWN], "vers": ["boulangerie"], "mode": ["bike"], "seuil": ["10"]}
    app = open_page(**address)
    assert [item.value for item in app.error] == []
    assert asked(app) == address
    sound(app.run())
    assert asked(app) == address
    wrong = open_page(commune=TOWN, vers="boulangeri", mode="avion", seuil="12", ferme="rien", ouvre=["x", "9.5,41.2"],
                      depuis="3,95")  # fmt: skip
    told = "\n".join(item.value for item in wrong.error)
    for part in ("boulangeri", "avion", "« 12 »", "?ferme=rien", "« x »", "hors du réseau", "« 3,95 »"):
        assert part in told
    assert asked(wrong)["commune"] == [TOWN]
    assert "ouvre" not in wrong.query_params
    many = open_page(commune=TOWN, vers=FAMILY, ouvre=[f"3.{number:05d},44.1" for number in range(7800, 7815)])
    assert f"Au plus {MOST_CHANGES}" in "\n".join(item.value for item in many.error)


def test_changes_are_computed_undone_and_shared(home: None, desk: Desk) -> None:
    point = near_hall(desk)
    app = open_page(commune=TOWN, vers=FAMILY, ouvre=f"{point[0]:.5f},{point[1]:.5f}")
    assert "Avant et après" in html_of(app)
    assert [layer["id"] for layer in map_data(app)["layers"]].count("projets") == 1
    closed = ids(desk)[:1]
    sound(app.multiselect(key="acces-fermes").set_value(closed).run())
    assert asked(app)["ferme"] == closed
    press(app, "acces-annuler")
    assert "ferme" not in app.query_params
    assert asked(app)["ouvre"] == [f"{point[0]:.5f},{point[1]:.5f}"]
    press(app, "acces-remettre")
    assert "ouvre" not in app.query_params
    assert "Avant et après" not in html_of(app)
    press(app, "acces-annuler")
    assert asked(app)["ouvre"] == [f"{point[0]:.5f},{point[1]:.5f}"]


def test_a_family_without_facility_is_told_and_not_measured(home: None, desk: Desk) -> None:
    empty = [name for name, (_, total) in desk.counts.items() if not total]
    assert empty
    app = open_page(commune=TOWN, vers=empty[0])
    assert "Ce n'est pas la preuve qu'il n'y en a pas" in texts(app)
    assert "Temps médian" not in html_of(app)
    point = near_hall(desk)
    app = open_page(commune=TOWN, vers=empty[0], ouvre=f"{point[0]:.5f},{point[1]:.5f}")
    content = unescape(html_of(app))
    assert "Temps médian" in content
    assert "aucun équipement connu" in content


# ---- Section of the page of a town -----------------------------------------------------------------------------------


def _section() -> None:
    from bourg.dashboard import layout
    from bourg.dashboard.views.acces_town import render_access

    render_access(layout.observatory(), "12145")


def test_section_of_a_town_with_and_without_streets(
    monkeypatch: pytest.MonkeyPatch, streets: tuple[Settings, list[float]], small_settings: Settings, tmp_path: Path
) -> None:
    serve(monkeypatch, streets[0])
    app = sound(AppTest.from_function(_section, default_timeout=60).run())
    content = unescape(html_of(app))
    assert "médecin généraliste" in content
    assert "à vélo" in content
    assert "◆" in content
    (tmp_path / "snapshots").symlink_to(small_settings.snapshots)
    serve(monkeypatch, Settings(home=tmp_path))
    app = sound(AppTest.from_function(_section, default_timeout=60).run())
    assert html_of(app) == ""
    assert f"/acces?commune={TOWN}" in texts(app)


def test_a_study_is_the_town_access_of_the_engine(desk: Desk) -> None:
    assert isinstance(desk.access, TownAccess)
    assert desk.access.demo
