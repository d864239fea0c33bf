"""The page « Extraire » and its command: choices, address, files, empty states."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import geopandas as gpd
import pytest
from streamlit.testing.v1 import AppTest
from typer.testing import CliRunner

from bourg.cli import app as cli
from bourg.dashboard.views.extraction_blocks import group_colours
from bourg.errors import BourgError, ParameterError, SourceFormatError
from bourg.extract.territory import Territories
from bourg.extract.themes import themes
from bourg.settings import Settings
from bourg.sources.files import write_atomic
from dashboard_tools import html_of, map_data, serve, sound, start, texts
from extract_world import DATE, TOWN, osm_file, run, territories

__all__ = ["osm_file", "territories"]


@pytest.fixture(scope="module")
def bare(small_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """An installation with the small snapshot and no extract."""
    home = tmp_path_factory.mktemp("extraire")
    (home / "snapshots").symlink_to(small_settings.snapshots)
    return Settings(home=home)


@pytest.fixture(scope="module")
def stocked(small_settings: Settings, osm_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The same with an extract in its folder."""
    home = tmp_path_factory.mktemp("extraire-plein")
    (home / "snapshots").symlink_to(small_settings.snapshots)
    write_atomic(home / "osm" / "petit.osm", osm_file.read_bytes())
    return Settings(home=home)


@pytest.fixture(autouse=True)
def _no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BOURG_OVERPASS", raising=False)
    monkeypatch.delenv("BOURG_MIRROR", raising=False)


def address(app: AppTest) -> dict[str, list[str]]:
    return {name: [value] if isinstance(value, str) else list(value) for name, value in app.query_params.items()}


def errors(app: AppTest) -> str:
    return "\n".join(item.value for item in app.error)


# ---- The page --------------------------------------------------------------------------------------------------------


def test_without_a_town_the_page_says_what_it_does(bare: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    serve(monkeypatch, bare)
    app = start(page="extraire")
    assert "Choisissez une commune et un thème" in texts(app)
    assert list(app.selectbox(key="extraire-theme").options) == [theme.label for theme in themes().values()]


def test_without_extract_the_page_says_where_to_get_one(bare: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    serve(monkeypatch, bare)
    app = start({"commune": TOWN}, page="extraire")
    assert "ne couvre Millau" in texts(app)
    assert "https://download.geofabrik.de" in texts(app)
    assert "BOURG_OVERPASS" in texts(app)
    assert str(bare.home) not in texts(app)


def test_the_page_shows_table_map_and_files(
    stocked: Settings, monkeypatch: pytest.MonkeyPatch, territories: Territories, osm_file: Path
) -> None:
    serve(monkeypatch, stocked)
    app = start({"commune": TOWN, "theme": "commerce"}, page="extraire")
    found = run("commerce", TOWN, osm_file, territories, stocked)
    assert f"{found.table.height}\xa0objets « Commerces et restaurants » dans Millau" in texts(app)
    assert "données du 6 mai 2024" in texts(app)
    content = html_of(app)
    assert "Boulangerie, pâtisserie" in content
    assert "=HYPERLINK" in content
    data = map_data(app)
    drawn = next(layer for layer in data["layers"] if layer["id"] == "objets")
    (source,) = drawn["sources"]
    points = source["inline"]["features"]
    assert {point["properties"]["code"] for point in points} == set(found.table["osm_id"])
    counts = {item["label"]: item["count"] for item in data["legend"]["items"]}
    assert sum(int(count) for count in counts.values()) == found.table.height
    assert "OpenStreetMap" in data["legend"]["note"]
    assert [item.label for item in app.get("download_button")] == [
        "CSV (.csv)", "GeoJSON (.geojson)", "GeoParquet (.parquet)",
    ]  # fmt: skip


def test_the_address_restores_the_choices_and_follows_them(stocked: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    serve(monkeypatch, stocked)
    app = start({"commune": TOWN, "niveau": "departement", "theme": "sante"}, page="extraire")
    assert "dans Aveyron (département 12," in texts(app)
    assert "du territoire seulement" in "\n".join(item.value for item in app.warning)
    sound(app.selectbox(key="extraire-theme").set_value("culture").run())
    assert address(app)["theme"] == ["culture"]
    sound(app.button_group(key="extraire-niveau").set_value("commune").run())
    assert address(app) == {"commune": [TOWN], "niveau": ["commune"], "theme": ["culture"]}


def test_an_address_half_wrong_keeps_the_rest(stocked: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    serve(monkeypatch, stocked)
    wrong = {"commune": TOWN, "niveau": "planete", "theme": "licornes", "source": "../../etc/passwd"}
    app = start(wrong, page="extraire")
    said = errors(app)
    assert "planete" in said
    assert "licornes" in said
    assert "passwd" in said
    assert "« Commerces et restaurants » dans Millau" in texts(app)
    assert "source" not in app.query_params


def test_names_left_out_are_told(stocked: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    serve(monkeypatch, stocked)
    app = start({"commune": TOWN, "theme": "sante"}, page="extraire")
    assert "Le nom de 1\xa0objet n'est pas repris" in texts(app)
    assert "non repris" in html_of(app)
    assert "Jeanne" not in html_of(app) + texts(app) + json.dumps(map_data(app), ensure_ascii=False)


def test_a_damaged_extract_is_told_and_the_others_serve(
    small_settings: Settings, osm_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "snapshots").symlink_to(small_settings.snapshots)
    write_atomic(tmp_path / "osm" / "bon.osm", osm_file.read_bytes())
    write_atomic(tmp_path / "osm" / "abime.osm.pbf", b"rien")
    serve(monkeypatch, Settings(home=tmp_path))
    app = start({"commune": TOWN}, page="extraire")
    assert "abime.osm.pbf" in errors(app)
    assert "dans Millau" in texts(app)


def test_the_server_is_asked_only_by_the_button(bare: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    from bourg.dashboard.views import extraction

    asked: list[str] = []

    def refuse(theme: object, *_: object, **__: object) -> None:
        asked.append(str(theme))
        raise SourceFormatError("Le serveur est en vacances.")

    monkeypatch.setattr(extraction, "ask", refuse)
    monkeypatch.setenv("BOURG_OVERPASS", "https://overpass.example/api/interpreter")
    serve(monkeypatch, bare)
    app = start({"commune": TOWN}, page="extraire")
    assert asked == []
    assert "km²" in texts(app)
    sound(app.button(key="extraire-overpass").click().run())
    assert len(asked) == 1
    assert "en vacances" in errors(app)


def test_a_wrong_setting_is_told_on_the_page(stocked: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOURG_OVERPASS", "http://overpass.example")
    serve(monkeypatch, stocked)
    app = start({"commune": TOWN}, page="extraire")
    assert "adresse d'un serveur Overpass" in errors(app)
    assert "dans Millau" in texts(app)


def test_groups_share_a_colour_beyond_the_palette(osm_file: Path, territories: Territories, stocked: Settings) -> None:
    found = run("commerce", TOWN, osm_file, territories, stocked)
    colours = group_colours(found)
    assert set(colours) == set(found.table["group"])
    assert next(iter(colours)) == "Locaux vides"
    assert sorted(colours.values()) == list(range(len(colours)))


# ---- The command -----------------------------------------------------------------------------------------------------


def command(*arguments: str) -> str:
    """Run the command; a typed error comes out as it is."""
    result = CliRunner().invoke(cli, ["extract", *arguments])
    if isinstance(result.exception, BourgError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_command_writes_the_three_files(
    bare: Settings, osm_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BOURG_HOME", str(bare.home))
    told = command("commerce", "millau", "--osm", str(osm_file), "-o", str(tmp_path / "a.parquet"))
    assert "dans Millau (commune 12145)" in told
    read = gpd.read_parquet(tmp_path / "a.parquet")
    command("commerce", TOWN, "--osm", str(osm_file), "--format", "geojson", "-o", str(tmp_path / "a.txt"))
    content = json.loads((tmp_path / "a.txt").read_text(encoding="utf-8"))
    text = command("commerce", TOWN, "--osm", str(osm_file), "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff")), delimiter=";"))
    names = [row["osm_id"] for row in rows]
    assert names == list(read["osm_id"]) == [feature["id"] for feature in content["features"]]


def test_the_command_counts_lists_and_sums_up(stocked: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOURG_HOME", str(stocked.home))
    assert "Boulangerie, pâtisserie" in command("commerce", TOWN)
    listing = command("--list")
    assert "petit.osm" in listing
    assert "désactivé" in listing
    content = json.loads(command("--list", "--json"))
    assert {item["id"] for item in content["themes"]} == set(themes())
    assert content["extraits"][0]["date"] == DATE
    summed = json.loads(command("sante", TOWN, "--json"))
    assert (summed["objets"], summed["noms_non_repris"]) == (2, 1)
    assert {item["categorie"] for item in summed["categories"]} == {"Pharmacie", "Médecin généraliste"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Il faut un thème"),
        (["commerce"], "Il faut un thème"),
        (["commerce", TOWN, "--bbox", "1,2,3,4"], "Il faut un thème"),
        (["licornes", TOWN], "n'existe pas"),
        (["commerce", TOWN, "-o", "x.docx"], "suffixe"),
        (["commerce", TOWN, "-o", "absent/x.csv"], "dossier"),
        (["commerce", TOWN, "--format", "geoparquet"], "-o FICHIER"),
        (["commerce", TOWN, "--overpass"], "désactivées"),
        (["commerce", TOWN, "--overpass", "--osm", "x.osm"], "pas les deux"),
        (["commerce", TOWN, "--osm", "absent.osm"], "n'existe pas"),
        (["commerce", TOWN], "geofabrik"),
    ],
)
def test_wrong_commands_say_what_to_do(
    bare: Settings, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    monkeypatch.setenv("BOURG_HOME", str(bare.home))
    with pytest.raises(BourgError) as caught:
        command(*arguments)
    assert said in str(caught.value)


def test_the_command_never_asks_a_server_without_its_option(stocked: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOURG_HOME", str(stocked.home))
    monkeypatch.setenv("BOURG_OVERPASS", "https://overpass.example/api/interpreter")
    monkeypatch.setattr("bourg.extract.overpass.download", lambda *_, **__: pytest.fail("demande partie"))
    assert "Millau" in command("commerce", TOWN)
    with pytest.raises(ParameterError, match="trop grand"):
        command("commerce", "12", "--overpass")
