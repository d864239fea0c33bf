"""The map of an indicator: classes, colours, territories, state in the address, and the map in a browser."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from playwright.sync_api import expect
from streamlit.testing.v1 import AppTest

from bourg.errors import ParameterError
from bourg.indicators.registry import get_indicator
from bourg.maps.choropleth import Palette, classify, diverging, palette_of, sequential
from bourg.portrait.mesh import CARTES, Cell, available, mesh_of, read_cells, values_csv
from bourg.portrait.observatory import Observatory
from bourg.settings import Settings
from bourg.web.layers import LAYERS
from browser_tools import Watch, link_libraries, running_browser
from dashboard_tools import map_data, serve, sound

VALUES = st.lists(
    st.one_of(st.none(), st.floats(-1e6, 1e6), st.sampled_from([0.0, 1.0, 2.5, -1.0, 0.004]), st.just(float("nan"))),
    max_size=80,
)

# ---- Classes and colours ---------------------------------------------------------------------------------------------


@given(values=VALUES, decimals=st.integers(0, 3), wanted=st.one_of(st.none(), st.integers(1, 7)), change=st.booleans())
def test_every_value_is_in_one_class_and_counts_add_up(
    values: list[float | None], decimals: int, wanted: int | None, *, change: bool
) -> None:
    classes = classify(values, decimals=decimals, wanted=wanted, change=change)
    known = [value for value in values if value is not None and not math.isnan(value)]
    assert len(classes.index) == len(values)
    assert sum(item.count for item in classes.items) == len(known)
    assert Counter(index for index in classes.index if index is not None) == {
        position: item.count for position, item in enumerate(classes.items)
    }
    for value, index in zip(values, classes.index, strict=True):
        if value is None or math.isnan(value):
            assert index is None
            continue
        item = classes.items[index]
        assert item.low <= round(value, decimals) <= item.high
        assert item.sign == ("zero" if value == 0 else "positive" if value > 0 else "negative")
    for before, after in pairwise(classes.items):
        # A bound is in one class only, but for what is rounded to zero and is not a zero.
        assert before.high < after.low or (before.high == after.low == 0 and before.sign != after.sign)
    assert len(palette_of(classes).light) == len(palette_of(classes).dark) == len(classes.items)
    labels = [item.label("%", decimals) for item in classes.items]
    assert len(set(labels)) == len(labels)


def test_ties_stay_together_and_few_values_make_few_classes() -> None:
    classes = classify([1, 1, 1, 1, 1, 1, 2, 3], wanted=4)
    assert [(item.low, item.high, item.count) for item in classes.items] == [(1, 1, 6), (2, 3, 2)]
    assert len(classify([7.0] * 300).items) == 1
    assert classify([None, float("inf")]).items == ()


def test_quantiles_have_the_same_size_when_values_differ() -> None:
    assert [item.count for item in classify(range(1, 101)).items] == [20] * 5


def test_zero_is_a_class_of_its_own_and_what_is_rounded_to_zero_is_not() -> None:
    classes = classify([0, 0, 0.03, 0.02, 1.26], decimals=1, wanted=1)
    assert [item.label("%", 1) for item in classes.items] == ["0\u00a0%", "plus de 0 à 1,3\u00a0%"]
    assert [item.count for item in classes.items] == [2, 3]


def test_changes_go_two_ways_from_zero() -> None:
    classes = classify([-3, -1, 0, 1, 2, 9])
    assert classes.diverging
    assert [item.sign for item in classes.items] == ["negative", "negative", "zero", "positive", "positive"]
    assert not classify([1, 2, 3]).diverging
    assert classify([1, 2, 3], change=True).diverging
    with pytest.raises(ValueError, match="classe"):
        classify([1], wanted=0)


def _luminance(colour: str) -> float:
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: str, other: str) -> float:
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("size", range(2, 6))
def test_sequential_colours_are_ordered_by_lightness_in_both_themes(size: int) -> None:
    palette = sequential(size)
    for colours, way in ((palette.light, -1), (palette.dark, 1)):
        assert all(way * _luminance(a) < way * _luminance(b) for a, b in pairwise(colours))
        assert min(_contrast(a, b) for a, b in pairwise(colours)) > 1.35
    assert _contrast(palette.light[-1], "#ffffff") > 7
    assert _contrast(palette.dark[-1], "#17181b") > 7


def test_diverging_colours_stand_out_away_from_zero() -> None:
    palette = diverging(3, 4, zero=True)
    for colours, ground in ((palette.light, "#ffffff"), (palette.dark, "#17181b")):
        contrasts = [_contrast(colour, ground) for colour in colours]
        assert contrasts[:4] == sorted(contrasts[:4], reverse=True)
        assert contrasts[3:] == sorted(contrasts[3:])
    assert len(set(palette.light)) == len(set(palette.dark)) == 8
    assert sequential(0) == diverging(0, 0) == Palette((), ())


# ---- Territories and values ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("carte", CARTES)
def test_maps_of_a_town_hold_exactly_the_units_of_the_geography(small_observatory: Observatory, carte: str) -> None:
    mesh = mesh_of(small_observatory, "12145", carte)
    communes = small_observatory.communes
    scope, _, unit = carte.partition("-")
    inside = (
        communes if scope == "france" else communes.filter(pl.col(scope) == communes.filter(code="12145")[scope][0])
    )
    assert set(mesh.units) == set(inside[unit or "code"].drop_nulls())
    assert mesh.own in mesh.units
    west, south, east, north = mesh.bounds
    assert west < 3.1 < east
    assert south < 44.1 < north
    assert mesh.undrawn <= set(mesh.units)
    assert all(source.startswith(f"/bourg/contours/{small_observatory.snapshot.id}/") for source in mesh.sources)


def test_a_map_that_a_town_does_not_have_is_told(small_observatory: Observatory) -> None:
    alone = small_observatory.communes.filter(pl.col("epci").is_null())["code"][0]
    assert "epci" not in available(small_observatory, alone)
    with pytest.raises(ParameterError, match="n'existe pas pour cette commune"):
        mesh_of(small_observatory, alone, "epci")
    with pytest.raises(ParameterError):
        mesh_of(small_observatory, "12145", "monde")
    # Mayotte is a region of one department.
    assert "region-departement" not in available(small_observatory, "97611")


def test_values_are_those_of_the_table_and_what_it_lacks_is_missing(small_observatory: Observatory) -> None:
    mesh = mesh_of(small_observatory, "12145", "departement")
    cells = read_cells(small_observatory, "population.total", "commune", [*mesh.units, "99999"])
    table = pl.read_parquet(small_observatory.snapshot.path("values.parquet"))
    rows = table.filter(indicator="population.total", level="commune").filter(pl.col("code").is_in(list(mesh.units)))
    assert {code: (cell.value, cell.status) for code, cell in cells.items() if code != "99999"} == {
        row["code"]: (row["value"], row["status"]) for row in rows.iter_rows(named=True)
    }
    assert cells["99999"] == Cell()
    assert cells["99999"].known is None
    assert read_cells(small_observatory, "population.total", "commune", []) == {}


def test_csv_leaves_an_empty_cell_where_there_is_no_value_and_stops_formulas() -> None:
    declared = get_indicator("income.poverty_rate").declaration
    cells = [("=1+1", "1", Cell(0.0, "demo", "2021")), ("Secrète", "2", Cell(None, "secret")), ("Vide", "3", Cell())]
    text = values_csv(declared, cells).decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text), delimiter=";"))
    assert [row["nom"] for row in rows] == ["'=1+1", "Secrète", "Vide"]
    assert [row["valeur"] for row in rows] == ["0.0", "", ""]
    assert [row["statut"] for row in rows] == ["demo", "secret", "missing"]
    assert [row["demonstration"] for row in rows] == ["oui", "non", "non"]


# ---- Page ------------------------------------------------------------------------------------------------------------

SCRIPT = """
import streamlit as st
from bourg.dashboard import layout
from bourg.dashboard.views.choropleth import render_choropleth

def town():
    st.title("Essai")
    render_choropleth(layout.observatory(), st.query_params.get("commune", "12145"))

if layout.wait_until_ready():
    page = st.Page(town, title="Ville", url_path="ville", default=True)
    layout.remember({"ville": page})
    layout.run(st.navigation([page]))
"""


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch, small_settings: Settings) -> AppTest:
    serve(monkeypatch, small_settings)
    return AppTest.from_string(SCRIPT, default_timeout=60)


def _chosen(app: AppTest) -> dict[str, str]:
    return {item.label: item.value for item in app.selectbox}


def features_of(data: dict[str, object]) -> dict[str, object]:
    """Return the features of the layer of values, wherever they are."""
    held = data["layers"][0]["features"]  # type: ignore[index]
    if "inline" in held:
        return held["inline"]  # type: ignore[no-any-return]
    digest = held["url"].removeprefix("/bourg/couches/").removesuffix(".json")
    return json.loads(LAYERS.get(digest))  # type: ignore[no-any-return]


def test_address_gives_the_map_and_choices_are_written_there(opened: AppTest) -> None:
    opened.query_params["indicateur"] = "housing.vacancy_rate"
    opened.query_params["carte"] = "departement"
    app = sound(opened.run())
    assert _chosen(app) == {"Thème": "housing", "Chiffre": "housing.vacancy_rate", "Territoire": "departement"}
    data = map_data(app)
    assert data["legend"]["title"].startswith("Part des logements vacants (%) — Aveyron")
    counts = [int(re.sub(r"\D", "", item["count"])) for item in data["legend"]["items"]]
    assert sum(counts) == len(features_of(data))
    app.selectbox[2].set_value("epci")
    sound(app.run())
    assert app.query_params["carte"] == "epci"
    assert "Millau Grands Causses" in map_data(app)["legend"]["title"]
    app.selectbox[0].set_value("culture")
    sound(app.run())
    assert app.query_params["indicateur"].startswith("culture.")
    assert "◆" in map_data(app)["legend"]["title"]


def test_nothing_is_written_in_the_address_before_a_choice(opened: AppTest) -> None:
    app = sound(opened.run())
    assert dict(app.query_params) == {}
    assert map_data(app)["layers"][1]["style"] == "outline"


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ({"indicateur": "housing.vacancy_rat", "carte": "departement"}, "n'existe pas"),
        ({"indicateur": "housing.vacancy_rate", "carte": "<b>monde</b>"}, "elle est ignorée"),
    ],
)
def test_wrong_values_of_the_address_are_told_and_the_rest_is_kept(
    opened: AppTest, address: dict[str, str], told: str
) -> None:
    for name, value in address.items():
        opened.query_params[name] = value
    app = sound(opened.run())
    assert [told in item.value for item in app.error] == [True]
    kept = _chosen(app)
    assert kept["Territoire"] == (address["carte"] if address["carte"] in CARTES else "epci")
    assert map_data(app)["layers"]


def test_an_indicator_without_values_at_that_level_says_so(opened: AppTest) -> None:
    opened.query_params["indicateur"] = "income.median"
    opened.query_params["carte"] = "region-departement"
    app = sound(opened.run())
    declared = get_indicator("income.median").declaration
    if "departement" in declared.levels:
        pytest.fail("choisir un autre chiffre : celui-ci existe par département")
    assert "n'est pas calculé par département" in app.info[0].value


# ---- Browser ---------------------------------------------------------------------------------------------------------

SERVER = """
from pathlib import Path
import streamlit as st
from bourg.dashboard.server import app_options

app = st.App(Path(__file__).parent / "page.py", **app_options())
"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory, small_settings: Settings) -> Iterator[str]:
    link_libraries(small_settings)
    folder = tmp_path_factory.mktemp("choropleth")
    (folder / "page.py").write_text(SCRIPT, encoding="utf-8")
    (folder / "serve.py").write_text(SERVER, encoding="utf-8")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", str(folder / "serve.py"), f"--server.port={port}"]
    options = ["--server.headless=true", "--browser.gatherUsageStats=false", "--client.toolbarMode=minimal"]
    environment = {**os.environ, "BOURG_HOME": str(small_settings.home)}
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [*command, *options], cwd=folder, stdout=log, stderr=log, start_new_session=True, env=environment
        )
    url = f"http://localhost:{port}"
    try:
        for _ in range(300):
            time.sleep(0.1)
            try:
                urllib.request.urlopen(f"{url}/_stcore/health", timeout=1).close()
            except OSError:
                continue
            break
        else:
            pytest.fail((folder / "log").read_text())
        yield url
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(20)


@pytest.mark.browser
@pytest.mark.xdist_group("browser")
def test_clicking_a_commune_opens_its_card_and_its_page(address: str) -> None:
    with running_browser() as browser:
        context = browser.new_context(viewport={"width": 1100, "height": 1000}, locale="fr-FR")
        watch = Watch()
        watch.attach(context)
        page = context.new_page()
        page.goto(f"{address}/?commune=12145&indicateur=housing.vacancy_rate&carte=epci")
        page.locator('.layer-map[data-state="ready"]').wait_for(timeout=60_000)
        legend = page.get_by_role("list", name="Légende")
        counts = [int(re.sub(r"\D", "", text)) for text in legend.locator(".count").all_inner_texts()]
        assert sum(counts) == page.locator("path.shape.fill").count()
        expect(page.locator("path.shape.outline")).to_have_count(1)
        page.locator("path.shape.fill").nth(3).click(force=True)
        card = page.get_by_role("dialog")
        expect(card).to_contain_text("Part des logements vacants")
        expect(card).to_contain_text(re.compile(r"\d\s%|manquante|secret"))
        # The same by the keyboard: the list shows the card, Escape closes it and gives the focus back.
        picker = page.get_by_role("combobox", name="Montrer sur la carte")
        picker.select_option(label="Creissels")
        expect(card).to_contain_text("Creissels")
        page.keyboard.press("Escape")
        expect(card).to_have_count(0)
        expect(picker).to_be_focused()
        before = len([url for url in watch.asked if "/bourg/" in url])
        pane = page.locator(".layer-map .leaflet-map-pane")
        pane.evaluate("(node) => { node.dataset.seen = 'yes'; }")
        page.get_by_role("combobox", name="Chiffre").click()
        page.get_by_role("option", name=re.compile("appartements", re.IGNORECASE)).first.click()
        expect(page.locator(".legend-title")).to_contain_text("ppartements")
        # The map is the same one, and the outlines were not asked for again.
        expect(pane).to_have_attribute("data-seen", "yes")
        assert not [url for url in [u for u in watch.asked if "/bourg/" in u][before:] if "contours" in url]
        picker.select_option(label="Creissels")
        page.get_by_role("link", name="Voir la page de la commune").click()
        expect(page).to_have_url(re.compile(r"commune=12084"))
        assert "carte=epci" in page.url
        context.close()
        assert watch.outside(address) == []
        assert watch.unexpected_refusals() == []
        assert watch.complaints == []
