"""The page of comparison through AppTest, its address, and its files."""

from __future__ import annotations

import csv
import io
import json
from html import unescape
from typing import Any

import polars as pl
import pytest
from streamlit.testing.v1 import AppTest

from bourg.compare.comparators import town_ranks
from bourg.dashboard.state import COMPARE_VIEWS
from bourg.portrait.comparison import ComparedFigure, TownTable, compare_towns
from bourg.portrait.exports import (
    BOM,
    COLUMNS,
    comparison_csv,
    comparison_json,
    file_name,
    machine_number,
    safe_cell,
)
from bourg.portrait.observatory import Observatory
from bourg.portrait.side_rows import ordinal, town_values
from bourg.settings import Settings
from dashboard_tools import buttons, html_of, serve, sound, start, texts

TOWNS = ["12145", "04209", "2A004"]


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, small_settings: Settings) -> None:
    serve(monkeypatch, small_settings)


def shown(app: AppTest) -> list[str]:
    """Return the codes of the towns compared, in order."""
    return [key.removeprefix("comparer-retirer-") for key in buttons(app, "comparer-retirer-")]


def open_page(**address: Any) -> AppTest:
    return start(address, page="comparer")


def press(app: AppTest, key: str) -> AppTest:
    return sound(app.button(key=key).click().run())


# ---- Choosing towns ------------------------------------------------------------------------------------------------


def test_empty_page_says_what_to_do_and_its_examples_work(home: None) -> None:
    app = open_page()
    assert [item.value for item in app.title] == ["Comparer des villes"]
    assert "Choisissez de deux à 10 villes" in texts(app)
    examples = buttons(app, "comparer-exemple-")
    assert examples
    press(app, next(iter(examples)))
    assert len(shown(app)) == 4
    assert app.query_params["commune"] == shown(app)


def test_one_town_is_not_enough_and_a_second_one_is_found_by_name(home: None) -> None:
    app = open_page(commune="12145")
    assert "Il faut au moins deux villes" in texts(app)
    app.text_input(key="comparer-recherche").set_value("Sisteron").run()
    press(app, "comparer-04209")
    assert shown(app) == ["12145", "04209"]
    assert app.text_input(key="comparer-recherche").value == ""
    assert "Il faut au moins deux villes" not in texts(app)
    press(app, "comparer-retirer-12145")
    assert shown(app) == ["04209"]
    press(app, "comparer-annuler")
    assert shown(app) == ["12145", "04209"]
    press(app, "comparer-effacer")
    assert shown(app) == []
    assert "commune" not in app.query_params
    press(app, "comparer-annuler")
    assert shown(app) == ["12145", "04209"]


def test_similar_towns_and_the_epci_are_added_up_to_ten(home: None, small_observatory: Observatory) -> None:
    app = open_page(commune="12145")
    press(app, "comparer-semblables")
    assert len(shown(app)) == 5
    assert shown(app)[0] == "12145"
    press(app, "comparer-epci")
    codes = shown(app)
    assert len(codes) == 10
    assert "La comparaison s'arrête à 10 communes" in texts(app)
    epci = small_observatory.commune("12145")["epci"]
    assert {small_observatory.commune(code)["epci"] for code in codes[5:]} == {epci}
    # No eleventh town can be asked for.
    assert "comparer-recherche" not in {item.key for item in app.text_input}


# ---- Address -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("view", list(COMPARE_VIEWS))
def test_every_view_opens_from_its_address_and_keeps_it(home: None, view: str) -> None:
    address = {"commune": TOWNS, "vue": view, "theme": "housing", "indicateur": "housing.vacancy_rate",
               "comparateur": "departement"}  # fmt: skip
    app = open_page(**address)
    assert [item.value for item in app.error] == []
    assert shown(app) == TOWNS
    assert dict(app.query_params) == address
    sound(app.run())
    assert dict(app.query_params) == address
    content = unescape(html_of(app))
    assert "Millau" in content
    if view in ("tableau", "rangs"):
        assert "Logement" in content
        assert "Part des logements vacants" in content
        assert "Population municipale" not in content
    if view == "graphique":
        assert app.selectbox(key="comparer-indicateur").value == "housing.vacancy_rate"
        assert content.count('class="piste"') == 3


def test_what_is_wrong_in_the_address_is_told_and_the_rest_is_kept(home: None) -> None:
    app = open_page(commune=["12145", "99999", "xx", "04209", "12145"], theme="truc", indicateur="housing.vacancy",
                    vue="danse", comparateur="list")  # fmt: skip
    told = "\n".join(item.value for item in app.error).replace("\\", "")
    for text in ("99999", "xx", "truc", "housing.vacancy_rate", "danse", "« list »"):
        assert text in told, text
    assert len(app.error) == 6
    assert shown(app) == ["12145", "04209"]
    assert app.query_params["commune"] == ["12145", "04209"]
    assert app.query_params["vue"] == "apercu"


def test_more_than_ten_towns_are_cut_and_told(home: None, small_observatory: Observatory) -> None:
    codes = small_observatory.communes.filter(pl.col("departement") == "04")["code"].to_list()[:12]
    app = open_page(commune=codes)
    assert shown(app) == codes[:10]
    (error,) = app.error
    assert codes[10] in error.value
    assert codes[11] in error.value


def test_a_merged_commune_gives_the_one_it_joined(home: None, small_observatory: Observatory) -> None:
    former = small_observatory.snapshot.table("former_communes").filter(pl.col("parent") != pl.col("code")).collect()
    known = set(small_observatory.communes["code"])
    code, parent = next((c, p) for c, p in former.select("code", "parent").iter_rows() if c not in known and p in known)
    app = open_page(commune=[code, "12145"])
    assert shown(app) == [parent, "12145"]


# ---- What the views tell -------------------------------------------------------------------------------------------


def test_the_table_has_the_figures_of_the_comparison_and_marks_generated_ones(
    home: None, small_observatory: Observatory
) -> None:
    table = compare_towns(small_observatory, TOWNS)
    values = town_values(small_observatory, TOWNS)
    generated = values.filter(pl.col("status") == "demo")["indicator"].unique().to_list()
    theme = next(figure.theme for figure in table.figures if figure.indicator in generated)
    app = open_page(commune=TOWNS, vue="tableau", theme=theme)
    content = unescape(html_of(app))
    assert "◆ démo" in content
    assert "Fiche du chiffre" in content
    assert "▲ max." in content
    app = open_page(commune=TOWNS, vue="tableau", theme="population")
    content = unescape(html_of(app))
    for name in table.towns.values():
        assert name in content
    population = next(figure for figure in table.figures if figure.indicator == "population.total")
    for text in population.texts.values():
        assert text.split("\xa0")[0] in content
    assert "◆ démo" not in content


def test_ranks_are_those_of_the_comparison_engine(home: None, small_observatory: Observatory) -> None:
    app = open_page(commune=TOWNS, vue="rangs", theme="population", comparateur="region")
    content = unescape(html_of(app))
    for code in TOWNS:
        sets = small_observatory.comparators.of(code, ["region"])
        (row,) = town_ranks(small_observatory.matrix, code, sets, ["population.total"]).to_dicts()
        assert ordinal(row["rank"], row["n_set"]) in content
    assert ordinal(1, 1234) == "1er\xa0sur\xa01\u202f234"
    # Saying why rather than a rank, when a set is too small.
    app = open_page(commune=["97608", "97601"], vue="rangs", comparateur="departement")
    assert "sans rang" in html_of(app) or "donnée manquante" in html_of(app)


def test_the_evolution_of_towns_has_its_table(home: None) -> None:
    app = open_page(commune=TOWNS, vue="evolution")
    (chart,) = app.get("arrow_vega_lite_chart") or app.get("vega_lite_chart")
    spec = json.loads(chart.proto.spec)
    assert spec["config"]["locale"]["number"]["decimal"] == ","
    content = unescape(html_of(app))
    assert "Les chiffres de ce graphique" in content
    assert "21\u202f711\xa0habitants" in content


# ---- Files ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def table() -> TownTable:
    figure = ComparedFigure(
        indicator="housing.vacancy_rate", label="=Part des logements vacants", theme="housing",
        texts={"01004": "12,5\xa0%", "2A004": "secret statistique"}, values={"01004": 12.5, "2A004": None}, demo=False,
    )  # fmt: skip
    return TownTable({"01004": '-Ambérieu; "en" Bugey', "2A004": "Ajaccio"}, (figure,))


@pytest.fixture
def values() -> pl.DataFrame:
    rows = [("housing.vacancy_rate", "commune", "01004", "2021", 12.5, "demo"),
            ("housing.vacancy_rate", "commune", "2A004", "2021", None, "secret")]  # fmt: skip
    names = ["indicator", "level", "code", "period", "value", "status"]
    return pl.DataFrame(rows, schema=names, orient="row")


def test_csv_is_exact_and_harmless(table: TownTable, values: pl.DataFrame) -> None:
    text = comparison_csv(table, values)
    assert text == (
        BOM + ";".join(COLUMNS) + "\r\n"
        'Logement;housing.vacancy_rate;\'=Part des logements vacants;%;01004;"\'-Ambérieu; ""en"" Bugey";12.5;'
        "12,5\xa0%;demo;2021;oui\r\n"
        "Logement;housing.vacancy_rate;'=Part des logements vacants;%;2A004;Ajaccio;;secret statistique;secret;2021;"
        "non\r\n"
    )
    rows = list(csv.DictReader(io.StringIO(text.removeprefix(BOM)), delimiter=";"))
    assert [row["code_insee"] for row in rows] == ["01004", "2A004"]
    assert float(rows[0]["valeur"]) == 12.5


@pytest.mark.parametrize("text", ["=1+1", "+33", "-5 %", "@cmd", "\tx", "\rx"])
def test_cells_that_a_spreadsheet_would_run_are_texts(text: str) -> None:
    assert safe_cell(text) == f"'{text}"
    assert safe_cell(f"a{text}") == f"a{text}"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (21711.0, "21711"),
        (-2.5, "-2.5"),
        (0.1, "0.1"),
        (0.0, "0"),
        (1e-7, "0.0000001"),
        (1234567.25, "1234567.25"),
    ],
)
def test_numbers_of_the_csv_are_read_by_machines(value: float | None, text: str) -> None:
    assert machine_number(value) == text


def test_json_and_file_names(table: TownTable, values: pl.DataFrame) -> None:
    content = comparison_json(table, values, {"id": "s1", "created": "2026-01-01T00:00:00", "cog": 2025})
    assert json.loads(json.dumps(content)) == content
    assert content["communes"][1] == {"code_insee": "2A004", "nom": "Ajaccio"}
    assert [item["valeur"] for item in content["valeurs"]] == [12.5, None]
    assert [item["demonstration"] for item in content["valeurs"]] == [True, False]
    assert set(content["valeurs"][0]) == set(COLUMNS)
    assert file_name(table, "csv") == "comparaison-amberieu-en-bugey-ajaccio.csv"
    many = TownTable({f"0100{rank}": "Saint-Étienne-de-l'Œuvre" for rank in range(1, 6)}, ())
    assert file_name(many, "json") == "comparaison-5-communes-01001-01002-01003-01004-01005.json"


def test_the_export_of_real_towns_holds_every_figure(small_observatory: Observatory) -> None:
    table = compare_towns(small_observatory, TOWNS)
    values = town_values(small_observatory, TOWNS)
    text = comparison_csv(table, values)
    rows = list(csv.DictReader(io.StringIO(text.removeprefix(BOM)), delimiter=";"))
    assert len(rows) == len(table.figures) * len(TOWNS)
    exact = {(row["indicator"], row["code"]): row for row in values.iter_rows(named=True)}
    for row in rows:
        own = exact[row["indicateur"], row["code_insee"]]
        assert row["statut"] == own["status"]
        assert (float(row["valeur"]) if row["valeur"] else None) == (own["value"] if row["valeur"] else None)
        assert bool(row["valeur"]) == (own["value"] is not None)
        assert (row["demonstration"] == "oui") == (own["status"] == "demo")
