"""Series over the years: what breaks them, what is not known, and how they are drawn; towns side by side as HTML."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bourg.errors import ParameterError, UnknownTerritoryError
from bourg.indicators.themes import economy
from bourg.portrait.chart_specs import NEUTRAL, PALETTE, describe, evolution_spec, not_from_zero
from bourg.portrait.charts import breaks_text, changes, drawable, evolution, landmark, summary, table_rows
from bourg.portrait.observatory import Observatory
from bourg.portrait.series import declared_series
from bourg.portrait.side_by_side import Cell, Row, bars, extremes, lanes, strips, towns_table
from bourg.settings import Settings
from bourg.store.snapshot import Snapshot

HERE, NEAR, FAR, SPLIT = "01001", "01002", "02001", "01003"
MEASURE = {"code": pl.String, "year": pl.Int32, "variable": pl.String, "value": pl.Float64, "status": pl.String}


class Tiny(Observatory):
    """An observatory of a few invented communes, with the tables given to it."""

    def commune(self, code: str) -> dict[str, Any]:
        return self.communes.row(by_predicate=pl.col("code") == code, named=True)

    @property
    def communes(self) -> pl.DataFrame:  # type: ignore[override]
        return self.snapshot.table("communes").collect()


def tiny(folder: Path, tables: dict[str, pl.DataFrame], *, demo: bool = False, population: int = 5000) -> Tiny:
    codes = [HERE, NEAR, FAR, SPLIT, *(f"01{number}" for number in range(100, 140))]
    communes = pl.DataFrame({"code": codes}).with_columns(name="code", population=pl.lit(population))
    (folder / "tables").mkdir()
    move = {"non_deplacees": [{"code": "x", "cibles": [SPLIT, NEAR], "lignes": 1, "motif": ""}]}
    (folder / "report.json").write_text(json.dumps({"passages": {"lovac": {"a/b": move}}}))
    (folder / "coverage.json").write_text(json.dumps({"permits": [HERE]}))
    files: dict[str, Any] = {"report.json": {}, "coverage.json": {}}
    listed = {}
    for name, frame in {"communes": communes, **tables}.items():
        frame.write_parquet(folder / "tables" / f"{name}.parquet")
        files[f"tables/{name}.parquet"] = {}
        listed[name] = {"sources": ["bpe"], "demo": demo, "rows": frame.height, "coverage": None}
    manifest = {"id": "s1", "tables": listed, "sources": [], "files": files}
    return Tiny(Snapshot(folder, manifest), Settings(home=folder))


def measures(*rows: tuple[str, int, str, float | None, str]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=MEASURE, orient="row")


def one(observatory: Observatory, series_id: str, code: str = HERE) -> Any:
    (made,) = evolution(observatory, code, [series_id])
    return made


@pytest.fixture
def equipment(tmp_path: Path) -> Tiny:
    """Six vintages on both sides of the break; « A102 » is counted in one vintage of the first side only."""
    rows = [(HERE, "", year, "A101", n) for year, n in ((2018, 10), (2019, 12), (2020, 15), (2021, 8), (2023, 4))]
    rows += [(HERE, "", 2019, "A102", 90), (NEAR, "", 2022, "A101", 1), (FAR, "", 2024, "A101", 7)]
    schema = {"code": pl.String, "iris": pl.String, "year": pl.Int32, "typequ": pl.String, "n": pl.Int64}
    return tiny(tmp_path, {"equipment": pl.DataFrame(rows, schema=schema, orient="row")})


def test_no_line_nor_index_crosses_the_break_of_the_equipment_base(equipment: Tiny) -> None:
    made = one(equipment, "equipment.total")
    assert [item.year for item in made.breaks] == [2021]
    # 2022: the file describes the department, the commune has none; 2024: the department is not in the file.
    assert [(p.year, p.value, p.status) for p in made.points] == [
        (2018, 10, "ok"), (2019, 12, "ok"), (2020, 15, "ok"), (2021, 8, "ok"), (2022, 0, "ok"), (2023, 4, "ok"),
        (2024, None, "missing"),
    ]  # fmt: skip
    assert [[point.year for point in run] for run in made.runs] == [[2018, 2019, 2020], [2021, 2022, 2023]]
    assert [p.index for p in made.points] == [100, 120, 150, 100, 0, 50, None]
    for index in (False, True):
        spec = evolution_spec([made], index=index)
        lines = [
            layer for layer in spec["layer"] if isinstance(layer["mark"], dict) and layer["mark"]["type"] == "line"
        ]
        (line,) = lines
        assert line["encoding"]["detail"] == {"field": "run"}
        sides: dict[str, set[bool]] = {}
        for row in line["data"]["values"]:
            sides.setdefault(row["run"], set()).add(row["year"] >= 2021)
        assert len(sides) == 2
        assert all(len(found) == 1 for found in sides.values())
        assert {"rule", "text"} <= {layer["mark"]["type"] for layer in spec["layer"]}
    assert summary(made) == "De 2021 à 2023 : 8\xa0équipements, puis 4\xa0équipements (−50,0\xa0%)."
    assert breaks_text([made])[0].startswith("2021, rupture de série : ")
    assert "Rupture de série en 2021." in describe([made])


def test_a_secret_year_is_neither_a_zero_nor_crossed_and_shows_a_cross(tmp_path: Path) -> None:
    values = [(2020, 30.0, "ok"), (2021, None, "secret"), (2022, 20.0, "ok"), (2023, 9.0, "ok"), (2025, 5.0, "ok")]
    rows = [(HERE, year, "VACANT_2Y", value, status) for year, value, status in values]
    town = tiny(tmp_path, {"lovac": measures(*rows, (NEAR, 2020, "VACANT_2Y", 1.0, "ok"))})
    made = one(town, "housing.lovac_vacant_2y")
    by_year = {point.year: point for point in made.points}
    assert (by_year[2021].value, by_year[2021].status, by_year[2021].text) == (None, "secret", "secret statistique")
    assert by_year[2024].text == "année sans fichier lu"
    assert [[point.year for point in run] for run in made.runs] == [[2020], [2022], [2023], [2025]]
    spec = evolution_spec([made])
    crosses = [layer["data"]["values"] for layer in spec["layer"] if layer["mark"].get("text") == "✕"]
    assert [[row["year"] for row in rows] for rows in crosses] == [[2021]]
    assert summary(made) == "Une seule année depuis la rupture de série : 5\xa0logements en 2025."
    # The file describes NEAR together with a commune it was split from: what it says is not NEAR's.
    apart = one(town, "housing.lovac_vacant_2y", NEAR)
    assert apart.points == ()
    assert "séparée" in apart.reason


def test_merged_rows_add_up_when_they_can_and_prices_do_not(tmp_path: Path) -> None:
    sales = [(HERE, 2021, "SALES_HOUSE", 20.0, "ok"), (HERE, 2021, "SALES_HOUSE", 5.0, "ok")]
    prices = [(HERE, 2021, "MEDIAN_M2_HOUSE", 1000.0, "ok"), (HERE, 2021, "MEDIAN_M2_HOUSE", 2000.0, "ok")]
    later = [(HERE, 2023, "SALES_HOUSE", 12.0, "ok"), (HERE, 2023, "MEDIAN_M2_HOUSE", 1500.0, "ok")]
    town = tiny(tmp_path, {"property_prices": measures(*sales, *prices, *later)})
    sold = one(town, "housing.sales_house")
    assert [(p.year, p.value, p.text) for p in sold.points] == [
        (2021, 25, "25\xa0ventes"), (2022, None, "année sans fichier lu"), (2023, 12, "12\xa0ventes"),
    ]  # fmt: skip
    price = one(town, "housing.price_m2_house")
    assert [p.value for p in price.points] == [None, None, 1500]
    assert price.points[0].text == "donnée manquante"
    assert price.reason == "une seule année connue (2023 : 1\u202f500\xa0€ par m²)"
    spec = evolution_spec([sold])
    (bar,) = [layer for layer in spec["layer"] if layer["mark"]["type"] == "bar"]
    assert bar["encoding"]["y"]["scale"]["zero"] is True
    assert not not_from_zero([sold])
    assert [row["value"] for row in bar["data"]["values"]] == [25, 12]


def test_finances_are_divided_by_the_inhabitants_of_the_same_year(tmp_path: Path) -> None:
    rows = [(HERE, 2022, "DEBT", 9000.0, "ok"), (HERE, 2022, "POPULATION", 10.0, "ok"),
            (HERE, 2023, "DEBT", 8000.0, "ok"), (HERE, 2023, "POPULATION", 16.0, "ok"),
            (NEAR, 2022, "DEBT", 9000.0, "ok"), (NEAR, 2022, "POPULATION", 0.0, "ok")]  # fmt: skip
    town = tiny(tmp_path, {"finances": measures(*rows)})
    assert [p.value for p in one(town, "finance.debt").points] == [900, 500]
    assert [p.value for p in one(town, "finance.debt", NEAR).points] == [None, None]


def test_crime_keeps_every_year_and_its_secrets(tmp_path: Path) -> None:
    schema = {"code": pl.String, "year": pl.Int32, "category": pl.String, "n": pl.Int64, "status": pl.String}
    rows = [(HERE, 2020, "vandalism", 7, "ok"), (HERE, 2021, "vandalism", None, "secret"),
            (HERE, 2022, "vandalism", 0, "ok"), (HERE, 2020, "assaults", 3, "ok")]  # fmt: skip
    town = tiny(tmp_path, {"crime": pl.DataFrame(rows, schema=schema, orient="row")})
    assert [(p.year, p.value, p.status) for p in one(town, "safety.vandalism").points] == [
        (2020, 7, "ok"), (2021, None, "secret"), (2022, 0, "ok"),
    ]  # fmt: skip


def test_nothing_to_draw_is_told(tmp_path: Path) -> None:
    seekers = measures((HERE, 2020, "MEAN", 50.0, "ok"), (HERE, 2021, "MEAN", 60.0, "ok"))
    permits = measures((HERE, 2020, "DWELLINGS", 0.0, "ok"), (HERE, 2021, "DWELLINGS", 0.0, "ok"))
    town = tiny(tmp_path, {"job_seekers": seekers, "permits": permits}, population=500, demo=True)
    # The file is about towns: a village in it bears the figures of a namesake.
    assert declared_series()["economy.job_seekers"].smallest == economy._SMALLEST_TOWN
    assert one(town, "economy.job_seekers").reason == "aucune valeur pour cette commune"
    assert one(town, "housing.permits").reason == "zéro chaque année de 2020 à 2021"
    assert {p.status for p in one(town, "housing.permits").points} == {"demo"}
    assert one(town, "housing.permits", NEAR).reason == "aucun fichier lu ne décrit cette commune"
    assert drawable(evolution(town, HERE)) == []
    with pytest.raises(ParameterError, match="planète"):
        evolution(town, HERE, ["planète"])


def test_median_of_a_set_needs_twenty_communes(tmp_path: Path) -> None:
    schema = {"code": pl.String, "name": pl.String, "year": pl.Int32, "pmun": pl.Int64}
    rows = [(HERE, "", 2006, 100), (HERE, "", 2007, 130)]
    others = [f"01{number}" for number in range(100, 121)]
    rows += [row for n, code in enumerate(others) for row in ((code, "", 2006, 100 + n), (code, "", 2007, 110 + 2 * n))]
    table = pl.DataFrame(rows, schema=schema, orient="row")
    observatory = tiny(tmp_path, {"population": table})
    made = one(observatory, "population.total")
    found = landmark(observatory, made, others, "médiane d'essai")
    assert found is not None
    assert found.values == ((2006, 0, 110.0), (2007, 0, 130.0))
    # The eleventh of 21 growing ratios: (110 + 2n) ÷ (100 + n) rises with n.
    assert [(year, part) for year, part, _ in found.indexes] == [(2006, 0), (2007, 0)]
    assert found.indexes[1][2] == pytest.approx(100 * 130 / 110)
    assert landmark(observatory, made, others[:19], "trop peu") is None
    spec = evolution_spec([made], landmark=found)
    dashed = [
        layer for layer in spec["layer"] if layer["mark"].get("color") == NEUTRAL and layer["mark"]["type"] == "line"
    ]
    assert [[row["value"] for row in layer["data"]["values"]] for layer in dashed] == [[110, 130]]
    assert table_rows([made], index=True) == [
        (2006, ["100,0 (100\xa0habitants)"]),
        (2007, ["130,0 (130\xa0habitants)"]),
    ]
    assert changes([made]) == "01001 +30,0\xa0% (2006-2007)"


def test_a_small_change_is_not_a_cliff(equipment: Tiny) -> None:
    made = one(equipment, "equipment.total")
    flat = evolution_spec([made])
    (line,) = [layer for layer in flat["layer"] if layer["mark"]["type"] == "line"]
    assert line["encoding"]["y"]["scale"]["domain"] == [0, 15]
    assert not not_from_zero([made])


def test_series_of_the_snapshot_are_those_of_its_files(
    small_observatory: Observatory, small_snapshot: Snapshot
) -> None:
    table = pl.read_parquet(small_snapshot.folder / "tables" / "population.parquet")
    for code in ("12145", "2A004", "97411"):
        made = one(small_observatory, "population.total", code)
        known = table.filter((pl.col("code") == code) & (pl.col("year") >= 2006)).sort("year")
        assert [(p.year, p.value) for p in made.usable] == list(known.select("year", "pmun").iter_rows())
        assert made.usable
    with pytest.raises(UnknownTerritoryError):
        evolution(small_observatory, "01999")
    for made in evolution(small_observatory, "12145"):
        spec = evolution_spec([made])
        text = json.dumps(spec, ensure_ascii=False)
        assert text.count("http") == 1
        assert spec["$schema"].startswith("https://vega.github.io/")
        assert spec["config"]["locale"]["number"]["decimal"] == ","
        assert spec["width"] == "container"
        assert made.demo is bool(small_snapshot.manifest["tables"][declared_series()[made.id].table]["demo"])


# ---- Colours and HTML ----------------------------------------------------------------------------------------------


def _light(color: str) -> float:
    parts = [int(color[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one_color: str, other: str) -> float:
    high, low = sorted((_light(one_color), _light(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("color", [*PALETTE, NEUTRAL])
def test_colours_stand_out_in_light_and_dark(color: str) -> None:
    assert _contrast(color, "#ffffff") >= 3
    assert _contrast(color, "#17181b") >= 3
    assert len(set(PALETTE)) == len(PALETTE) == 10


def test_extremes_are_told_in_words_and_never_between_real_and_generated() -> None:
    cells = {"a": Cell("1,0", 1.01), "b": Cell("1,0", 0.99), "c": Cell("5", 5.0), "d": Cell("secret statistique", None)}
    assert extremes(cells) == {"a": "▼ min.", "b": "▼ min.", "c": "▲ max."}
    assert extremes({"a": Cell("1", 1.0), "b": Cell("1", 1.0)}) == {}
    assert extremes({"a": Cell("1", 1.0), "b": Cell("2", 2.0, demo=True)}) == {}


@given(st.lists(st.floats(0, 100), min_size=1, max_size=10))
def test_dots_of_a_strip_never_hide_one_another(places: list[float]) -> None:
    found = lanes(places, near=6.5)
    for lane in set(found):
        inside = sorted(place for place, own in zip(places, found, strict=True) if own == lane)
        assert all(after - before >= 6.5 for before, after in pairwise(inside))


def test_texts_are_escaped_and_reasons_shown() -> None:
    towns = {"01001": "<b>Évil</b>", "01002": "L'Île & Cie"}
    row = Row(
        "Taux <x>", {"01001": Cell("secret statistique", None), "01002": Cell("-3,0", -3.0, demo=True)},
        unit="% par an", landmarks=(("Médiane", "2,0", 2.0),),
    )  # fmt: skip
    for content in (towns_table("T", towns, [row], ["Médiane"]), bars(row, towns), strips([row], towns)):
        assert "<b>Évil" not in content
        assert "Taux &lt;x&gt;" in content
        assert "secret statistique" in content
        assert "◆" in content
        assert "2,0" in content
    # A negative bar ends at zero, and the median stands on the other side of it.
    assert "left:0.00%;width:46.80%" in bars(row, towns)
    assert 'left:78.00%" title="Médiane"' in bars(row, towns)
