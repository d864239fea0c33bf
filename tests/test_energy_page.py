"""The page of energy: figures against the snapshot, what it says of what is not known, its map, its fragments."""

from __future__ import annotations

import copy
import datetime as dt
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from bourg.energy.bounds import MOST_HOURS, KnownEnergy, coverage_bounds, known_energy
from bourg.energy.sectors import RENEWABLE
from bourg.energy.years import power_years
from bourg.errors import ParameterError, UnknownTerritoryError
from bourg.portrait.observatory import Observatory
from bourg.portrait.themes import energy_html as html
from bourg.portrait.themes import energy_lists as lists
from bourg.portrait.themes.energy import make_energy_page, state_of
from bourg.portrait.themes.energy_data import regional_series
from bourg.portrait.themes.energy_map import MOST_SITES, PALETTE, energy_map, installation_lines, territory_outline
from bourg.portrait.themes.energy_markup import COLOURS, STYLE
from bourg.portrait.themes.energy_model import TERRITORIES, EnergyPage, usable
from bourg.portrait.themes.energy_words import balance_sentence, energy_text, headline, percent_text, power_text
from bourg.sources.model import get_source
from bourg.sources.reading import read_resource
from bourg.store.snapshot import Snapshot

TOWN = "12145"
Make = Callable[..., EnergyPage]


@pytest.fixture(scope="module")
def make(small_observatory: Observatory) -> Make:
    """Return the pages asked for, each made once."""
    made: dict[tuple[str, str], EnergyPage] = {}

    def page(code: str, territory: str = "commune") -> EnergyPage:
        if (code, territory) not in made:
            made[code, territory] = make_energy_page(small_observatory, code, territory=territory)
        return made[code, territory]

    return page


@pytest.fixture(scope="module")
def values(small_snapshot: Snapshot) -> pl.DataFrame:
    table = pl.read_parquet(small_snapshot.folder / "values.parquet")
    return table.filter(pl.col("indicator").str.starts_with("energy."))


@pytest.fixture(scope="module")
def rows(small_snapshot: Snapshot) -> pl.DataFrame:
    return pl.read_parquet(small_snapshot.folder / "tables" / "energy_installations.parquet")


def value_of(values: pl.DataFrame, indicator: str, code: str, level: str = "commune") -> float | None:
    found = values.filter(
        pl.col("indicator") == f"energy.{indicator}", pl.col("code") == code, pl.col("level") == level
    )
    return found["value"].item()


def first_code(values: pl.DataFrame, indicator: str, wanted: pl.Expr) -> str:
    chosen = values.filter((pl.col("indicator") == f"energy.{indicator}") & (pl.col("level") == "commune") & wanted)
    return str(chosen["code"].sort()[0])


def fragments(page: EnergyPage, names: dict[str, str]) -> dict[str, str]:
    return {
        "figures": html.figure_cards(page), "sectors": html.sectors_block(page),
        "balance": html.balance_block(page.balance), "comparison": html.comparison_block(page),
        "quotients": html.quotients_block(page), "years": html.years_block(page), "use": html.use_block(page),
        "farms": lists.farms_block(page), "sites": lists.sites_block(page, names), "apart": lists.apart_block(page),
        "sources": lists.sources_block(page), "absent": html.absent_figures(page) or "-",
    }  # fmt: skip


def installation(**given: object) -> dict[str, object]:
    base = {"sector": "solar", "power_kw": 100.0, "n": 1, "year_injected_kwh": 1e5, "energy_status": "ok",
            "commissioning_date": None}  # fmt: skip
    return {**base, **given}


# ---- Pure functions --------------------------------------------------------------------------------------------------


def test_bounds_count_what_is_published_then_the_rest_at_full_power() -> None:
    table = pl.DataFrame([
        installation(), installation(n=3, year_injected_kwh=None, energy_status="secret", power_kw=50.0),
        installation(sector="thermal", year_injected_kwh=9e9),
    ])  # fmt: skip
    energy = known_energy(table, RENEWABLE)
    assert energy == KnownEnergy(known_mwh=100.0, unknown_kw=50.0, unknown_n=3, secret_n=3)
    assert coverage_bounds(energy, 1000.0) == pytest.approx((10.0, 10.0 + 50 * MOST_HOURS / 1000 / 10))
    assert coverage_bounds(energy, 0.0) is None
    types = {"power_kw": pl.Float64, "year_injected_kwh": pl.Float64}
    lost = pl.DataFrame([installation(power_kw=None, year_injected_kwh=None)], schema_overrides=types)
    assert coverage_bounds(known_energy(lost, RENEWABLE), 1000.0) == (0.0, None)


def test_years_go_on_to_the_last_one_and_hold_what_came_before() -> None:
    table = pl.DataFrame([
        installation(sector="hydro", commissioning_date=dt.date(1950, 1, 1)),
        installation(commissioning_date=dt.date(2020, 1, 1)), installation(n=9),
    ], schema_overrides={"commissioning_date": pl.Date})  # fmt: skip
    found = power_years(table, 2024)
    assert found is not None
    assert (found.years[0], found.years[-1], found.before) == (2005, 2024, True)
    assert (found.cumulated["hydro"][0], found.cumulated["solar"][0], found.cumulated["solar"][-1]) == (100, 0, 100)
    assert (found.added[0], found.added[15], found.totals()[-1]) == (100, 100, 200)
    assert (found.undated_kw, found.undated_n) == (100, 9)
    unknown = table.with_columns(power_kw=pl.when(pl.col("sector") == "solar").then(None).otherwise("power_kw"))
    told = power_years(unknown, 2024)
    assert told is not None
    assert (told.cumulated["solar"][-1], told.totals()[-1], told.totals()[0]) == (None, None, 100)
    assert power_years(table.filter(pl.col("commissioning_date").is_null())) is None


def test_texts_never_round_something_to_all_or_nothing() -> None:
    assert [percent_text(value) for value in (0, 0.04, 50, 99.97, 100)] == [
        "0\u00a0%", "moins de 0,1\u00a0%", "50\u00a0%", "plus de 99,9\u00a0%", "100\u00a0%",
    ]  # fmt: skip
    assert (power_text(0.4), power_text(4921), power_text(None)) == ("0,4\u00a0kW", "4,9\u00a0MW", "puissance inconnue")
    assert (energy_text(9_999), energy_text(1.5e6)) == ("9\u202f999\u00a0MWh", "1,5\u00a0TWh")


# ---- Figures ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("territory", TERRITORIES)
def test_figures_are_those_of_the_table_of_values(
    make: Make, values: pl.DataFrame, small_observatory: Observatory, territory: str
) -> None:
    page = make(TOWN, territory)
    row = small_observatory.commune(TOWN)
    code = TOWN if territory == "commune" else row[territory]
    assert (page.place.level, page.place.code) == (territory, code)
    for sheet in (*page.key_figures, *(line.power for line in page.sectors)):
        assert sheet.value == value_of(values, sheet.indicator.removeprefix("energy."), code, territory)
        assert sheet.sources
        assert sheet.limits
    production = [line for line in page.sectors if line.share is not None]
    assert sum(line.share or 0 for line in production) == pytest.approx(1)
    assert sum(line.power.value or 0 for line in production) == pytest.approx(page.sheets["energy.power_total"].value)
    assert page.demo
    assert "◆" in page.headline[0]


def test_a_commune_has_ranks_and_the_territories_that_hold_it_beside(make: Make) -> None:
    page = make(TOWN)
    assert any(sheet.distributions for sheet in page.key_figures)
    rate = next(sheet for sheet in page.comparison if sheet.indicator == "energy.coverage_rate")
    assert [item.level for item in rate.elsewhere] == ["epci", "departement", "region", "france"]
    assert [mix.level for mix in page.mixes] == ["commune", "epci", "departement", "region", "france"]
    for mix in page.mixes:
        assert sum(mix.shares.values()) == pytest.approx(1) if mix.shares else mix.reason


def test_the_balance_says_what_it_does_not_count(make: Make, values: pl.DataFrame, rows: pl.DataFrame) -> None:
    exact = make(TOWN).balance
    assert exact.kind == "exact"
    assert exact.low == exact.high == value_of(values, "coverage_rate", TOWN)
    silent = rows.filter(pl.col("year_injected_kwh").is_null() & (pl.col("level") == "commune"))
    lost = values.filter(
        pl.col("code").is_in(silent["code"].to_list()),
        pl.col("indicator") == "energy.coverage_rate", pl.col("level") == "commune", pl.col("value").is_null(),
    )["code"].sort()  # fmt: skip
    page = make(lost[0])
    here = rows.filter((pl.col("code") == page.code) & pl.col("sector").is_in(RENEWABLE))
    used = value_of(values, "use_elec", page.code)
    assert used
    assert page.balance.kind == "between"
    assert page.balance.low == pytest.approx(here["year_injected_kwh"].sum() / 10 / used)
    assert page.balance.high is not None
    assert page.balance.high > page.balance.low
    assert "n'est pas donné" in page.balance.sentence
    assert "Hachures" in html.balance_block(page.balance)


def test_a_secret_consumption_withholds_the_rate(make: Make) -> None:
    page = make(TOWN)
    balance = page.balance
    hidden = replace(balance.used, value=None, text="secret statistique", status="secret", status_label="secrète")
    rate = replace(balance.rate, value=None, text="secret statistique", status="secret", status_label="secrète")
    told = balance_sentence("Millau", balance.produced, hidden, rate, "none", None, None)
    assert "la consommation d'électricité est secrète" in told
    assert "pas un zéro" in told
    assert not re.search(r"\d", told)
    sheets = {
        **page.sheets,
        "energy.injected_total": replace(page.sheets["energy.injected_total"], value=None, status="secret"),
    }
    assert "secrète" in headline(page.place, "secret", sheets, page.sectors, page.register)[-1]


def test_uses_keep_the_secrets_of_the_table_of_values(make: Make, values: pl.DataFrame) -> None:
    code = first_code(values, "use_elec_homes", pl.col("status") == "secret")
    lines = {(line.network, line.sector): line for line in make(code).use.lines}
    assert (lines["ELEC", "HOMES"].value, lines["ELEC", "HOMES"].status) == (None, "secret")
    assert "Secret" in html.use_block(make(code))
    # Nor does a series tell the year that the table hides.
    homes = next(item for item in make(code).series if item.id == "energy.use_elec_homes")
    assert [point.value for point in homes.points] == [None]
    shown = make(TOWN).use
    whole = next(line for line in shown.lines if (line.network, line.sector) == ("ELEC", ""))
    assert whole.value == value_of(values, "use_elec", TOWN)
    parts = [line.share for line in shown.lines if line.network == "ELEC" and line.sector]
    assert sum(part or 0 for part in parts) == pytest.approx(1)


# ---- Empty states ----------------------------------------------------------------------------------------------------


def test_a_commune_without_installation_is_a_known_zero(make: Make, values: pl.DataFrame) -> None:
    page = make(first_code(values, "power_total", pl.col("value") == 0))
    assert page.state == "zero"
    assert "zéro connu" in page.headline[0]
    assert page.points.is_empty()
    assert "zéro connu" in html.sectors_block(page)


def test_a_total_that_too_many_silent_powers_forbid_is_told(make: Make) -> None:
    page = make(TOWN)
    total = replace(page.sheets["energy.power_total"], value=None, status="missing", demo=False)
    sheets = {**page.sheets, "energy.power_total": total}
    assert state_of(page.sheets, page.register) == "ok"
    assert state_of(sheets, page.register) == "partial"
    (told,) = headline(page.place, "partial", sheets, page.sectors, page.register)
    assert "n'est pas publiée" in told
    assert "pas un zéro" in told


def test_a_commune_that_no_file_describes_is_missing(
    small_snapshot: Snapshot, small_observatory: Observatory, tmp_path: Path
) -> None:
    snapshot = _other_register(small_snapshot, tmp_path, None)
    page = make_energy_page(Observatory(snapshot, small_observatory.settings), TOWN)
    assert (page.state, page.register.kind, page.balance.kind) == ("missing", "none", "none")
    assert "pas un zéro" in page.headline[0]
    assert page.power_years is None
    assert not page.use.lines or all(line.value is None for line in page.use.lines)
    for name, content in fragments(page, small_observatory.names).items():
        assert content or name in {"apart", "sources"}


@pytest.mark.parametrize(("code", "operator"), [("2A004", "en Corse"), ("97411", "outre-mer"), ("97608", "Mayotte")])
def test_other_grids_are_told(make: Make, code: str, operator: str) -> None:
    page = make(code)
    assert "non interconnectée" in page.notes[0]
    assert operator in page.notes[0]
    enedis = [item for item in page.series if item.id.startswith("energy.enedis")]
    assert {item.reason for item in enedis} == {"aucun fichier lu ne décrit ce territoire"}


@pytest.mark.mirror
def test_an_extract_locates_sites_and_gives_no_total(
    small_snapshot: Snapshot, small_observatory: Observatory, mirror: Path, tmp_path: Path
) -> None:
    source = get_source("registre_installations")
    extract = next(item for item in source.resources if item.id == "95")
    tables, _ = read_resource(mirror / extract.mirror[0], source, extract)
    sites = tables["energy_sites"]
    snapshot = _other_register(small_snapshot, tmp_path, sites)
    code = sites.group_by("code").len().sort("len", "code", descending=[True, False])["code"][0]
    page = make_energy_page(Observatory(snapshot, small_observatory.settings), code)
    assert page.state == "sites"
    assert page.points.height == sites.filter(pl.col("code") == code).height
    assert "aucun total" in page.headline[0]
    assert page.balance.kind == "none"
    assert page.power_years is None
    assert "inconnus" in lists.apart_block(page)


def _other_register(small: Snapshot, folder: Path, sites: pl.DataFrame | None) -> Snapshot:
    """Return the small snapshot with an extract of sites, or nothing, in the place of the tables of energy."""
    manifest = copy.deepcopy(small.manifest)
    for name in list(manifest["files"]):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if name not in {"values.parquet", "coverage.json"}:
            target.symlink_to(small.folder / name)
    for name in [item for item in manifest["tables"] if item.startswith("energy_")]:
        del manifest["tables"][name], manifest["files"][f"tables/{name}.parquet"]
    coverage = small.read_json("coverage.json")
    if sites is not None:
        sites.write_parquet(folder / "tables" / "energy_sites.parquet")
        manifest["files"]["tables/energy_sites.parquet"] = {"size": 0, "sha256": ""}
        manifest["tables"]["energy_sites"] = {"sources": ["registre_installations"], "demo": False}
        coverage["energy_sites"] = sorted(set(sites["code"].drop_nulls()))
    values = pl.read_parquet(small.folder / "values.parquet")
    energy = pl.col("indicator").str.starts_with("energy.")
    values.with_columns(
        value=pl.when(~energy).then("value"), status=pl.when(energy).then(pl.lit("missing")).otherwise("status")
    ).write_parquet(folder / "values.parquet")
    (folder / "coverage.json").write_text(json.dumps(coverage), encoding="utf-8")
    return Snapshot(folder, manifest)


def test_wrong_choices_are_typed_errors(small_observatory: Observatory) -> None:
    with pytest.raises(UnknownTerritoryError):
        make_energy_page(small_observatory, "12999")
    for wrong, words in (
        ({"territory": "canton"}, "territoire"),
        ({"year": 1850}, "année"),
        ({"comparator": "x"}, "ensemble"),
    ):
        with pytest.raises(ParameterError, match=words):
            make_energy_page(small_observatory, TOWN, **wrong)  # type: ignore[arg-type]


# ---- Register, map and lists -----------------------------------------------------------------------------------------


def windy(rows: pl.DataFrame) -> str:
    farms = rows.filter((pl.col("sector") == "wind") & (pl.col("masts") > 1) & (pl.col("year_injected_kwh") > 0))
    return str(farms["code"].drop_nulls().sort()[0])


def test_wind_farms_have_the_published_production_and_masts_an_estimate(make: Make, rows: pl.DataFrame) -> None:
    page = make(windy(rows))
    published = rows.filter((pl.col("code") == page.code) & (pl.col("sector") == "wind"))
    assert page.farms["year_injected_kwh"].sort().to_list() == published["year_injected_kwh"].sort().to_list()
    farm = page.farms.filter(pl.col("mast_kwh").is_not_null()).row(0, named=True)
    assert farm["mast_kwh"] * farm["masts"] == pytest.approx(farm["year_injected_kwh"])
    assert "Part d’un mât (estimation)" in lists.farms_block(page)
    lines = dict(installation_lines(page, farm["installation_id"], {page.code: page.name}) or [])
    assert lines["Injecté en douze mois"] == energy_text(farm["year_injected_kwh"] / 1000)
    assert "estimation" in lines["Production d'un mât"]
    assert "pas d'adresse" in lines["Sur la carte"]
    assert installation_lines(page, "nulle-part", {}) is None


@pytest.mark.parametrize("territory", TERRITORIES)
def test_every_line_is_on_the_map_or_listed_apart(
    make: Make, rows: pl.DataFrame, small_observatory: Observatory, territory: str
) -> None:
    page = make(TOWN, territory)
    register = page.register
    here = rows.filter(pl.col("code").is_in(list(page.place.communes)))
    assert page.points.height + page.lost.height == here.filter(~pl.col("small")).height
    assert register.small["n"].sum() == here.filter("small")["n"].sum()
    assert not page.points["small"].any()
    count = page.sheets["energy.installations"].value
    storage = register.rows.filter(pl.col("sector") == "storage")["n"].sum()
    assert register.rows["n"].sum() - storage == count
    # A commune does not count the lines without a commune, its department does.
    assert register.unplaced.is_empty() == (territory in {"commune", "epci"})
    drawn = energy_map(page, small_observatory.names)
    features = [item for layer in drawn.layers for item in layer.geojson["features"]]
    assert drawn.by_commune == (page.points.height > MOST_SITES)
    expected = page.points["code"].n_unique() if drawn.by_commune else page.points.height
    assert len(features) == expected
    assert len({item["properties"]["code"] for item in features}) == expected
    assert all(0 <= item["properties"]["couleur"] < len(PALETTE.light) for item in features)
    assert "adresse" in drawn.note


def test_sites_of_a_commune_stand_apart_and_near_its_centre(make: Make, rows: pl.DataFrame) -> None:
    several = rows.filter(~pl.col("small")).group_by("code").len().filter(pl.col("len") > 3).drop_nulls()["code"].sort()
    page = make(several[0])
    points = [
        item["geometry"]["coordinates"] for layer in energy_map(page, {}).layers for item in layer.geojson["features"]
    ]
    assert len(set(map(tuple, points))) == len(points)
    centre = page.points.select("longitude", "latitude").row(0)
    assert max(abs(y - centre[1]) for _, y in points) < 0.05
    assert energy_map(page, {}) == energy_map(page, {})


def test_the_outline_is_that_of_the_territory(small_observatory: Observatory, make: Make) -> None:
    shape = territory_outline(small_observatory, make(TOWN, "epci").place)
    assert shape is not None
    assert shape["geometry"]["type"] in {"Polygon", "MultiPolygon"}
    assert territory_outline(small_observatory, make(TOWN, "region").place) is None


def test_the_csv_has_every_site_with_its_status(make: Make, small_observatory: Observatory) -> None:
    page = make(TOWN, "departement")
    table = pl.read_csv(lists.sites_csv(page, small_observatory.names).encode(), infer_schema=False)
    assert table.height == page.points.height + page.lost.height
    assert set(table["demonstration"]) == {"oui"}
    assert set(table["statut_injecte"]) <= {"ok", "secret", "missing"}


def test_the_build_report_lists_installations_without_commune_and_negative_productions(
    small_snapshot: Snapshot, rows: pl.DataFrame
) -> None:
    report = next(
        item for item in small_snapshot.read_json("report.json")["sources"]
        if (item["source"], item["ressource"]) == ("registre_installations", "national")
    )  # fmt: skip
    mended = report["reparations"]
    homeless = next(what for what in mended if what.startswith("installation sans commune"))
    assert mended[homeless] == rows["code"].null_count()
    assert "« département" in homeless
    assert rows.filter(pl.col("year_injected_kwh") < 0).is_empty()
    negative = [what for what in mended if what.startswith("production négative, dite manquante")]
    assert all("kW »" in what for what in negative)


# ---- Fragments -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("territory", TERRITORIES)
def test_fragments_are_plain_and_whole(make: Make, small_observatory: Observatory, territory: str) -> None:
    made = fragments(make(TOWN, territory), small_observatory.names)
    for name, content in made.items():
        assert content, name
        body = re.sub(r"<details>.*?</details>", "", content, flags=re.DOTALL)
        assert " style=" not in body, name
        assert "<script" not in content, name
        for tag in ("table", "details", "div", "tr", "td", "th", "p", "span"):
            assert len(re.findall(rf"<{tag}[ >]", content)) == content.count(f"</{tag}>"), (name, tag)
    # Only some departments of the region have a consumption in this snapshot: its balance is withheld.
    drawings = (
        ("sectors", "comparison", "years") if territory == "region" else ("sectors", "balance", "comparison", "years")
    )
    for drawing in drawings:
        assert 'role="img"' in made[drawing]
        assert "<table" in made[drawing]


def test_names_are_escaped(make: Make) -> None:
    page = make(TOWN)
    hostile = replace(page, place=replace(page.place, name='<script>alert("x")</script>'))
    for content in fragments(hostile, {TOWN: "<b>"}).values():
        assert "<script" not in content
        assert "<b>" not in content


def test_the_page_is_the_same_twice_and_travels_as_json(small_observatory: Observatory, make: Make) -> None:
    again = make_energy_page(small_observatory, TOWN)
    assert again.to_dict() == make(TOWN).to_dict()
    content = again.to_dict()
    assert content["commune"] == {"code": TOWN, "nom": "Millau"}
    assert len(content["installations"]) == again.points.height
    text = again.to_text()
    assert "◆ valeur de démonstration" in text
    assert all(usable(sheet) or sheet.text in text for sheet in again.comparison)


def _luminance(colour: str) -> float:
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: str, other: str) -> float:
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_colours_stand_out_on_both_backgrounds() -> None:
    for colour in COLOURS.values():
        assert min(_contrast(colour, "#ffffff"), _contrast(colour, "#17181b")) >= 3
    assert all(_contrast(colour, "#ffffff") >= 3 for colour in PALETTE.light)
    assert all(_contrast(colour, "#17181b") >= 3 for colour in PALETTE.dark)
    assert len(PALETTE.light) == len(PALETTE.dark) == len(COLOURS)
    assert "url(" not in STYLE


# ---- Regional series -------------------------------------------------------------------------------------------------


def test_the_series_of_a_region_are_read_when_the_snapshot_has_them(
    tmp_path: Path, small_observatory: Observatory
) -> None:
    assert regional_series(small_observatory, "76", "Occitanie") == ()
    (tmp_path / "tables").mkdir()
    rows: list[dict[str, Any]] = [
        {"code": "76", "year": 2021, "sector": "solar", "mwh": 3e6, "status": "ok"},
        {"code": "76", "year": 2023, "sector": "solar", "mwh": 4.5e6, "status": "ok"},
        {"code": "76", "year": 2023, "sector": "nuclear", "mwh": None, "status": "missing"},
        {"code": "11", "year": 2023, "sector": "solar", "mwh": 1.0, "status": "ok"},
    ]
    pl.DataFrame(rows).write_parquet(tmp_path / "tables" / "energy_production_region.parquet")
    manifest = {
        "files": {"tables/energy_production_region.parquet": {}},
        "tables": {"energy_production_region": {"sources": ["production_regionale"], "demo": False}},
    }
    observatory = Observatory(Snapshot(tmp_path, manifest), small_observatory.settings)
    series = {item.id: item for item in regional_series(observatory, "76", "Occitanie")}
    solar = series["energy.region_solar"]
    assert [(point.year, point.value, point.status) for point in solar.points] == [
        (2021, 3e6, "ok"), (2022, None, "missing"), (2023, 4.5e6, "ok"),
    ]  # fmt: skip
    assert [len(run) for run in solar.runs] == [1, 1]
    assert series["energy.region_nuclear"].reason
    assert solar.sources == ("Production régionale annuelle d'électricité par filière",)
