"""From the tables of the readers to those of the snapshot: one geography, the best file first, nothing added twice."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import polars as pl
import pytest
import shapely

from bourg.build.population import complete_populations, with_latest_population
from bourg.geography.passages import Passages
from bourg.store.locating import Locator, PostalLocator
from bourg.store.tables import Part, Table, TableMaker, write_table

# Four unit squares side by side: A01, A02 and A03 in department 01, B01 in department 2A.
SQUARES = {"01001": 0, "01002": 1, "01003": 2, "2A001": 3}
NAMES = {"01001": "Bourg", "01002": "Saint-Rémy", "01003": "Le Plan", "2A001": "Sant'Andréa"}
POSTAL = {"01001": ["01000", "01100"], "01002": ["01100"], "01003": ["01100"], "2A001": ["20100"]}


@pytest.fixture(scope="module")
def communes() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "code": list(SQUARES),
            "name": list(NAMES.values()),
            "plain_name": [name.removeprefix("Le ") for name in NAMES.values()],
            "departement": ["01", "01", "01", "2A"],
            "postal_codes": list(POSTAL.values()),
            "pmun_2017": [100, 200, None, 400],
        }
    )


@pytest.fixture(scope="module")
def locator() -> Locator:
    boxes = [shapely.box(x, 0, x + 1, 1) for x in SQUARES.values()]
    return Locator(pl.DataFrame({"code": list(SQUARES), "wkb": shapely.to_wkb(boxes).tolist()}))


@pytest.fixture(scope="module")
def maker(communes: pl.DataFrame, locator: Locator) -> TableMaker:
    # 01009 and 01008 joined 01002; 01003 and 01007 were 01003 until they split.
    links = pl.DataFrame(
        {"old_code": ["01009", "01008", "01006", "01006"], "new_code": ["01002", "01002", "01001", "01003"]}
    )
    return TableMaker(communes, Passages(frozenset(SQUARES), [links]), locator)


def part(frame: pl.DataFrame, source: str = "s", resource: str = "r", **options: object) -> Part:
    given = {"demo": False, "coverage": "france", "cog": None, "vintage": "2024", **options}
    return Part(source, resource, frame=frame, **given)  # type: ignore[arg-type]


def rows(table: Table, *columns: str) -> list[tuple[object, ...]]:
    return table.frame.select(columns).collect().rows()


def equipment(counts: list[tuple[str, str | None, int, str, int]]) -> pl.DataFrame:
    schema = {"code": pl.String, "iris": pl.String, "year": pl.Int32, "typequ": pl.String, "n": pl.Int64}
    return pl.DataFrame(counts, schema=schema, orient="row")


# Equipment


def test_counts_of_merged_communes_add_up_and_others_are_untouched(maker: TableMaker) -> None:
    frame = equipment(
        [
            ("01008", None, 2019, "A101", 1),
            ("01009", None, 2019, "A101", 4),
            ("01002", None, 2019, "A101", 2),
            ("01002", "010020001", 2019, "A101", 7),
            ("01001", None, 2019, "A101", 9),
        ]
    )
    table = maker.make("equipment", [part(frame)])
    assert rows(table, "code", "iris", "year", "typequ", "n") == [
        ("01001", None, 2019, "A101", 9),
        ("01002", "010020001", 2019, "A101", 7),
        ("01002", None, 2019, "A101", 7),
    ]
    assert table.rows == 3


def test_a_year_comes_from_one_file_only(maker: TableMaker) -> None:
    national = equipment([("01001", None, 2019, "A101", 1)])
    regional = equipment([("01001", None, 2019, "A101", 5), ("01002", None, 2018, "B203", 3)])
    table = maker.make(
        "equipment", [part(regional, resource="extract", coverage="departements:01"), part(national, resource="all")]
    )
    assert rows(table, "code", "year", "n") == [("01001", 2019, 1), ("01002", 2018, 3)]
    assert table.year_coverage == {2019: None, 2018: frozenset({"01001", "01002", "01003"})}
    assert table.coverage is None


def test_every_row_of_a_large_table_survives_the_merge(maker: TableMaker) -> None:
    counts = [("01001", f"01001{i:04}", 2019, f"A{i % 900 + 100}", i) for i in range(5000)]
    table = maker.make("equipment", [part(equipment(counts))])
    assert table.rows == 5000
    assert table.frame.select(pl.col("n").sum()).collect().item() == sum(range(5000))


# Which file


def test_generated_files_never_complete_real_ones(maker: TableMaker) -> None:
    real = equipment([("01001", None, 2018, "A101", 1)])
    generated = equipment([("01002", None, 2019, "A101", 8)])
    table = maker.make(
        "equipment", [part(generated, demo=True), part(real, coverage="departements:01", resource="extract")]
    )
    assert rows(table, "code", "year", "n") == [("01001", 2018, 1)]
    assert table.demo is False
    assert table.coverage == {"01001", "01002", "01003"}


def test_generated_files_alone_are_marked(maker: TableMaker) -> None:
    table = maker.make("equipment", [part(equipment([("01001", None, 2019, "A101", 8)]), demo=True)])
    assert table.demo is True


def test_a_whole_country_file_comes_before_an_extract(maker: TableMaker) -> None:
    extract = pl.DataFrame({"code": ["01001"], "n": [99]})
    whole = pl.DataFrame({"code": ["01001", "01002"], "n": [3, 4]})
    table = maker.make(
        "culture_counts", [part(extract, coverage="communes_presentes"), part(whole, source="other", vintage="2025")]
    )
    assert rows(table, "code", "n") == [("01001", 3), ("01002", 4)]
    assert (table.sources, table.coverage, table.vintage) == (("other",), None, "2025")


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        ("france", None),
        ("communes_presentes", {"01002"}),
        ("departement:2A", {"2A001"}),
        ("departements:01,2A", set(SQUARES)),
    ],
)
def test_coverage_is_as_declared(maker: TableMaker, declared: str, expected: set[str] | None) -> None:
    table = maker.make("culture_counts", [part(pl.DataFrame({"code": ["01009"], "n": [1]}), coverage=declared)])
    assert table.coverage == (None if expected is None else frozenset(expected))


# Population, income, programmes


def population(counts: list[tuple[str, int, int | None]]) -> pl.DataFrame:
    frame = pl.DataFrame(counts, schema={"code": pl.String, "year": pl.Int32, "pmun": pl.Int64}, orient="row")
    return frame.with_columns(name=pl.lit("x"), pcap=pl.lit(None, pl.Int64), ptot=pl.col("pmun"))


def test_populations_add_up_inside_a_file_and_the_first_file_wins(maker: TableMaker) -> None:
    first = population([("01008", 2021, 10), ("01009", 2021, 20), ("01001", 2021, 5)])
    second = population([("01001", 2021, 999), ("01001", 2013, 4), ("01008", 2013, None), ("01009", 2013, 8)])
    table = maker.make("population", [part(first), part(second, resource="old")])
    # Half a commune in 2013 is not a commune: nothing is told of 01002 that year.
    assert rows(table, "code", "year", "pmun") == [("01001", 2013, 4), ("01001", 2021, 5), ("01002", 2021, 30)]


def test_a_split_commune_keeps_its_rows_and_names_its_group(maker: TableMaker) -> None:
    table = maker.make("population", [part(population([("01006", 2021, 50)]))])
    assert table.undivided == (("01001", "01003"),)
    assert rows(table, "code", "pmun") == [("01001", 50)]


def income(values: list[tuple[str, str, float | None, str]]) -> pl.DataFrame:
    schema = {"code": pl.String, "variable": pl.String, "value": pl.Float64, "status": pl.String}
    return pl.DataFrame(values, schema=schema, orient="row").with_columns(year=pl.lit(2021, pl.Int32))


def test_only_counts_of_merged_communes_add_up(maker: TableMaker) -> None:
    frame = income(
        [
            ("01008", "MED", 20000.0, "ok"),
            ("01009", "MED", 22000.0, "ok"),
            ("01008", "NBMENFISC", 100.0, "ok"),
            ("01009", "NBMENFISC", 50.0, "ok"),
            ("01008", "NBPERS", 10.0, "ok"),
            ("01009", "NBPERS", None, "secret"),
            ("01001", "MED", None, "secret"),
            ("01001", "TP60", 12.5, "ok"),
        ]
    )
    table = maker.make("income", [part(frame)])
    assert rows(table, "code", "variable", "value", "status") == [
        ("01001", "MED", None, "secret"),
        ("01001", "TP60", 12.5, "ok"),
        ("01002", "MED", None, "missing"),
        ("01002", "NBMENFISC", 150.0, "ok"),
        ("01002", "NBPERS", None, "missing"),
    ]


def towns(towns: list[tuple[str, str | None, dt.date | None]]) -> pl.DataFrame:
    schema = {"code": pl.String, "pvd_id": pl.String, "signature_date": pl.Date}
    return pl.DataFrame(towns, schema=schema, orient="row").with_columns(name=pl.lit("x"))


def test_the_first_list_says_who_takes_part_and_the_next_only_add_dates(maker: TableMaker) -> None:
    day = dt.date(2021, 4, 1)
    latest = towns([("01001", None, None), ("01009", "pvd-2", None)])
    older = towns([("01001", "pvd-1", day), ("01008", "other", day), ("2A001", "gone", day)])
    table = maker.make("pvd", [part(latest), part(older, resource="older")])
    assert rows(table, "code", "pvd_id", "signature_date") == [("01001", "pvd-1", day), ("01002", "pvd-2", day)]


# Places


def places(given: list[tuple[str | None, float | None]], towns: list[tuple[str, str]] | None = None) -> pl.DataFrame:
    frame = pl.DataFrame(given, schema={"code": pl.String, "longitude": pl.Float64}, orient="row")
    frame = frame.with_columns(latitude=pl.when(pl.col("longitude").is_not_null()).then(0.5), type=pl.lit("Musée"))
    if towns is None:
        return frame
    return frame.with_columns(
        city=pl.Series([city for city, _ in towns]), postal_code=pl.Series([postal for _, postal in towns])
    )


def test_a_place_without_code_is_where_its_point_is(maker: TableMaker) -> None:
    table = maker.make("culture_places", [part(places([(None, 1.5), ("01009", 0.5), (None, None), (None, 9.0)]))])
    assert [code for (code,) in rows(table, "code")] == ["01002", "01002", None, None]
    told = table.moves["s/r"]
    assert (told["situees_par_point"], told["sans_commune"], told["lignes_deplacees"]) == (1, 2, 1)


def test_a_place_of_a_split_commune_is_where_its_point_is(maker: TableMaker) -> None:
    table = maker.make("culture_places", [part(places([("01006", 2.5), ("01006", 0.5), ("01006", None)]))])
    assert [code for (code,) in rows(table, "code")] == ["01003", "01001", "01001"]
    assert table.undivided == ()


def test_the_town_of_a_museum_comes_before_its_point(maker: TableMaker) -> None:
    frame = places(
        [(None, 0.5), (None, 1.5), (None, None), (None, None)],
        [("SAINT-REMY", "01100"), ("Hameau", "01100"), ("Ajaccio", "20000"), ("BOURG Cedex 3", "01999")],
    )
    table = maker.make("museums", [part(frame)])
    assert [code for (code,) in rows(table, "code")] == ["01002", "01002", None, "01001"]
    told = table.moves["s/r"]
    assert told["situees_par_code_postal"] == 2
    assert (told["situees_par_point"], told["sans_commune"]) == (1, 1)


@pytest.mark.parametrize(
    ("postal", "city", "expected"),
    [
        ("01100", "Saint-Rémy", "01002"),
        ("01100", "ST REMY", "01002"),
        ("01100", "Plan", "01003"),
        ("01100", "Le Plan", "01003"),
        ("01000", "Saint-Rémy", None),
        ("01550", "SAINT-REMY CEDEX", "01002"),
        ("20555", "Sant Andrea Cédex 09", "2A001"),
        ("02100", "Bourg", None),
        ("", "Bourg", None),
        (None, None, None),
        ("01100", "", None),
    ],
)
def test_a_postal_code_and_a_town_name_one_commune_or_none(
    communes: pl.DataFrame, postal: str | None, city: str | None, expected: str | None
) -> None:
    assert PostalLocator(communes).locate(postal, city) == expected


def test_homonyms_of_a_department_are_not_guessed(communes: pl.DataFrame) -> None:
    twice = pl.concat([communes, communes.filter(pl.col("code") == "01002").with_columns(code=pl.lit("01010"))])
    locator = PostalLocator(twice)
    assert locator.locate("01100", "Saint-Rémy") is None
    assert locator.locate("01999", "Saint-Rémy cedex") is None
    assert locator.locate("01999", "Bourg cedex") == "01001"


def test_a_point_on_two_outlines_has_the_first_code(locator: Locator) -> None:
    found = locator.locate(pl.Series([1.0, 2.0, float("nan"), -4.0]), pl.Series([0.5, 0.5, 0.5, 0.5]))
    assert found.to_list() == ["01001", "01002", None, None]


def test_codes_already_known_are_not_located_again(locator: Locator) -> None:
    frame = places([("2A001", 0.5), (None, 0.5)])
    filled, located, unplaced = locator.fill(frame)
    assert filled["code"].to_list() == ["2A001", "01001"]
    assert (located, unplaced) == (1, 0)
    assert locator.fill(filled) == (filled, 0, 0)


# Populations of the registries


def test_official_populations_come_first_and_registries_complete_them(communes: pl.DataFrame) -> None:
    official = population([("01001", 2021, 150), ("01001", 2013, 140)])
    iris = pl.DataFrame({"code": ["01001", "01002", "01002"], "population": [155, 100, 110]})
    table = complete_populations(official, communes, iris)
    assert table.select("code", "year", "pmun").rows() == [
        ("01001", 2013, 140),
        ("01001", 2017, 100),
        ("01001", 2021, 150),
        ("01002", 2017, 200),
        ("01002", 2021, 210),
        ("2A001", 2017, 400),
    ]


def test_without_official_file_the_census_by_iris_is_the_population(communes: pl.DataFrame) -> None:
    iris = pl.DataFrame({"code": ["01001"], "population": [155]})
    table = complete_populations(None, communes, iris)
    assert table.filter(pl.col("year") == 2021).select("code", "pmun").rows() == [("01001", 155)]
    assert "01003" not in table["code"]


def test_the_latest_population_is_kept_with_its_year(communes: pl.DataFrame) -> None:
    populations = complete_populations(None, communes, pl.DataFrame({"code": ["01001"], "population": [155]}))
    latest = with_latest_population(communes, populations, [("01001", "01002")])
    told = latest.select("code", "population", "population_year").rows()
    # 01001 and 01002 were one commune at the census: each has only the registry's own figure.
    assert told == [("01001", 100, 2017), ("01002", 200, 2017), ("01003", None, None), ("2A001", 400, 2017)]


# Files


def test_a_table_is_written_by_code_in_its_own_order(tmp_path: Path) -> None:
    frame = pl.DataFrame({"code": ["02", None, "01", "02"], "n": [1, 2, 3, 4]})
    write_table(frame, tmp_path / "t.parquet")
    assert pl.read_parquet(tmp_path / "t.parquet").rows() == [("01", 3), ("02", 1), ("02", 4), (None, 2)]
    write_table(frame.drop("code"), tmp_path / "u.parquet")
    assert pl.read_parquet(tmp_path / "u.parquet")["n"].to_list() == [1, 2, 3, 4]
