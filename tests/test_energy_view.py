"""The page « Énergie » in the dashboard: its address, its sections, its empty states, its wrong parameters."""

from __future__ import annotations

import polars as pl
import pytest
from streamlit.testing.v1 import AppTest

from bourg.settings import Settings
from bourg.store.snapshot import Snapshot
from dashboard_tools import buttons, html_of, map_data, serve, sound, start, texts

TOWN = "12145"
PAGE = "energie"


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch, small_settings: Settings) -> None:
    serve(monkeypatch, small_settings)


@pytest.fixture(scope="module")
def rows(small_snapshot: Snapshot) -> pl.DataFrame:
    return pl.read_parquet(small_snapshot.folder / "tables" / "energy_installations.parquet")


def errors(app: AppTest) -> str:
    return "\n".join(item.value for item in app.error)


def address(app: AppTest) -> dict[str, list[str]]:
    given = {name: app.query_params[name] for name in app.query_params}
    return {name: [value] if isinstance(value, str) else list(value) for name, value in given.items()}


@pytest.mark.usefixtures("served")
def test_the_page_shows_a_town_and_its_territories() -> None:
    app = start({"commune": TOWN}, PAGE)
    assert not errors(app)
    assert "Millau" in texts(app)
    shown = html_of(app)
    for words in ("Par filière, Millau", "Électricité et gaz livrés", "Filières comparées à la région", "démo"):
        assert words in shown
    assert {item.value for item in app.header} >= {"Filières", "Carte", "Éoliennes", "Consommation", "Comparaison"}
    app.button_group(key="energie-territoire").set_value("epci")
    sound(app.run())
    assert address(app) == {"commune": [TOWN], "territoire": ["epci"]}
    assert "Par filière, Communauté de communes de Millau" in html_of(app)


@pytest.mark.usefixtures("served")
def test_the_address_restores_the_territory_and_the_installation(rows: pl.DataFrame) -> None:
    site = rows.filter((pl.col("code") == TOWN) & ~pl.col("small"))["installation_id"].sort()[0]
    app = start({"commune": TOWN, "territoire": "departement", "installation": site}, PAGE)
    assert not errors(app)
    assert address(app) == {"commune": [TOWN], "territoire": ["departement"], "installation": [site]}
    assert 'class="installation"' in html_of(app)
    assert "pas d’adresse" in html_of(app)
    data = map_data(app)
    assert {layer["id"] for layer in data["layers"]} >= {"other"}
    app.button(key="energie-fermer").click()
    sound(app.run())
    assert 'class="installation"' not in html_of(app)


@pytest.mark.usefixtures("served")
def test_wrong_parameters_are_told_and_left_out() -> None:
    app = start(
        {"commune": TOWN, "territoire": "canton", "annee": "1850", "comparer": "lune", "installation": "L999999999"},
        PAGE,
    )
    told = errors(app)
    for words in ("territoire « canton »", "année 1850", "ensemble de comparaison « lune »", "L999999999"):
        assert words in told
    assert "Par filière, Millau" in html_of(app)
    assert "canton" not in str(address(app))
    assert "une année qui ne se lit pas" not in told
    again = start({"commune": "Nulle part", "annee": "deux mille"}, PAGE)
    assert "n'est pas une année" in errors(again)
    assert buttons(again, "energie-exemple-")


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize("code", ["2A004", "97411", "97608", "01053", "75056"])
def test_towns_of_every_kind_have_a_page(code: str) -> None:
    app = start({"commune": code}, PAGE)
    assert not errors(app)
    assert len(app.header) >= 9


@pytest.mark.usefixtures("served")
def test_without_a_town_the_page_says_what_it_does() -> None:
    app = start(page=PAGE)
    assert "Choisissez une commune" in texts(app)
    first = next(iter(buttons(app, "energie-exemple-")))
    app.button(key=first).click()
    sound(app.run())
    assert address(app) == {"commune": [first.removeprefix("energie-exemple-")]}
