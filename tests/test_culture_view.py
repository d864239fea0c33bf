"""The page of culture in the dashboard: its address, its choices, its maps, its empty states."""

from __future__ import annotations

import json
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from bourg.dashboard.views.culture_map import band_label, density_layers
from bourg.dashboard.views.culture_state import CultureState
from bourg.portrait.observatory import Observatory
from bourg.portrait.themes.culture import make_culture_page
from bourg.settings import Settings
from dashboard_tools import html_of, serve, sound, start, texts

MILLAU = "12145"


@pytest.fixture(autouse=True)
def _served(monkeypatch: pytest.MonkeyPatch, small_settings: Settings) -> None:
    serve(monkeypatch, small_settings)


def opened(address: dict[str, Any]) -> AppTest:
    return start(address, page="culture")


def components(app: AppTest) -> list[dict[str, Any]]:
    """Return what the drawing and the maps received through the websocket."""
    return [json.loads(item.proto.json) for item in app.get("bidi_component")]


def test_a_town_opens_with_its_sentences_its_drawing_and_its_maps(small_observatory: Observatory) -> None:
    app = opened({"commune": MILLAU})
    page = make_culture_page(small_observatory, MILLAU)
    told = texts(app)
    assert "À Millau" in told
    assert "bourg network build" in told
    drawing, deserts, density = components(app)
    assert drawing["svg"].count("<svg") == 1
    assert "Lieux culturels à Millau" in drawing["svg"]
    assert {layer["id"] for layer in deserts["layers"]} == {"communes", "ville"}
    assert {layer["id"] for layer in density["layers"]} == {"densite", "contour", "ville"}
    assert [item["count"] for item in deserts["legend"]["items"]]
    body = html_of(app)
    assert "Fiche du chiffre" in body
    assert page.density is not None
    assert page.density.densest["name"][0] in body
    # What stands by default is not in the address.
    assert dict(app.query_params) == {"commune": MILLAU}


def test_the_address_restores_every_choice() -> None:
    address = {
        "commune": MILLAU, "territoire": "epci", "typologie": "ministere", "lieu": "cinema", "densite": "habitants",
        "lissage": "5",
    }  # fmt: skip
    app = opened(address)
    assert dict(app.query_params) == address
    assert app.selectbox(key="culture-territoire").value == "epci"
    assert app.selectbox(key="culture-lieu").value == "cinema"
    assert app.selectbox(key="culture-lissage").value == 5.0
    body = html_of(app)
    assert "lecture publique et livre" in body.lower()
    assert "pour 1 000 habitants" in components(app)[-1]["legend"]["title"]


def test_a_choice_is_written_in_the_address() -> None:
    app = opened({"commune": MILLAU})
    app.selectbox(key="culture-territoire").set_value("departement")
    sound(app.run())
    assert app.query_params["territoire"] == "departement"
    app.selectbox(key="culture-lieu").set_value("musee")
    sound(app.run())
    assert app.query_params["lieu"] == "musee"
    assert "un désert est une commune sans musée" in texts(app)
    app.selectbox(key="culture-territoire").set_value("commune")
    sound(app.run())
    assert "territoire" not in app.query_params


def test_a_wrong_address_is_told_and_the_rest_is_kept() -> None:
    app = opened({"commune": MILLAU, "territoire": "canton", "lissage": "4", "lieu": "musee"})
    told = "\n".join(item.value for item in app.error)
    assert "canton" in told
    assert "lissage" in told
    assert dict(app.query_params) == {"commune": MILLAU, "lieu": "musee"}


def test_without_a_town_the_page_says_what_it_does() -> None:
    app = opened({})
    assert "Choisissez une commune" in texts(app)
    assert not components(app)


def test_a_territory_that_a_town_lacks_falls_back_on_the_town(small_observatory: Observatory) -> None:
    communes = small_observatory.communes
    code = communes.filter(communes["epci"].is_null())["code"][0]
    app = opened({"commune": code, "territoire": "epci"})
    assert app.selectbox(key="culture-territoire").value == "commune"
    assert "epci" not in app.selectbox(key="culture-territoire").options


def test_a_place_that_no_list_describes_is_unknown() -> None:
    app = opened({"commune": "97105"})
    told = texts(app)
    assert "ce n'est pas zéro" in told
    assert "jamais à zéro" in told
    # Only the map of deserts: nothing to draw by category, no density.
    assert [item.get("picker") for item in components(app)] == ["communes"]


def test_the_whole_country_has_no_map_and_says_where_to_look() -> None:
    app = opened({"commune": MILLAU, "territoire": "france"})
    assert not [item for item in components(app) if "layers" in item]
    assert "La carte se lit par région" in texts(app)


def test_layers_of_density_number_their_colours(small_observatory: Observatory) -> None:
    found = make_culture_page(small_observatory, MILLAU).density
    assert found is not None
    (filled, outline), palette = density_layers(found)
    assert filled.id == "densite"
    assert outline.style == "outline"
    shapes = filled.source["features"]  # type: ignore[index, call-overload]
    assert [item["properties"]["couleur"] for item in shapes] == list(range(len(found.bands)))
    assert len(palette.light) == len(palette.dark) == len(found.bands)
    assert band_label(found, len(found.bands) - 1).endswith("ou plus")
    assert " à " in band_label(found, 0)


def test_the_state_leaves_defaults_out_of_the_address() -> None:
    assert CultureState().address() == {}
    assert CultureState(commune=MILLAU).address() == {"commune": [MILLAU]}
    assert CultureState(commune=MILLAU, bandwidth=2.0, comparator="pvd").address() == {
        "commune": [MILLAU], "comparer": ["pvd"], "lissage": ["2"],
    }  # fmt: skip
