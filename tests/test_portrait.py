"""The portrait: what is known is said, what is not known is said too, what is generated is marked."""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

import world
from bourg.build import build
from bourg.compare import comparators as comparators_module
from bourg.errors import MalformedCodeError, SnapshotError, UnknownTerritoryError
from bourg.indicators.registry import load_indicators
from bourg.indicators.theme_labels import THEMES
from bourg.portrait.document import KEY_FIGURES, Portrait, make_portrait
from bourg.portrait.hours import describe_hours
from bourg.portrait.observatory import Observatory, open_observatory
from bourg.settings import Settings
from bourg.store.snapshot import SnapshotStore


@pytest.fixture(scope="session")
def template(shared_tmp: Path, registry: dict[str, pl.DataFrame]) -> Path:
    return world.shared_template(shared_tmp, registry)


@pytest.fixture(scope="module")
def registries_only(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Observatory:
    """The small country with registries alone: no list of towns, no list of places."""
    settings = world.copy_home(template, tmp_path_factory.mktemp("bare") / "home")
    snapshot, _ = build(settings)
    return Observatory(snapshot, settings)


@pytest.fixture(scope="module")
def small(template: Path) -> Observatory:
    settings = Settings(home=template)
    return Observatory(SnapshotStore(settings.snapshots).current(), settings)


# Hours


def slots(*days: tuple[str, str, list[tuple[str, str]]]) -> str:
    return json.dumps([[first, last, [list(slot) for slot in hours]] for first, last, hours in days])


def test_hours_are_said_as_a_person_would() -> None:
    text = slots(("lundi", "vendredi", [("08:00:00", "12:00:00"), ("13:30:00", "17:30:00")]))
    assert describe_hours(text) == ["du lundi au vendredi : 8 h – 12 h, 13 h 30 – 17 h 30"]


def test_a_day_alone_has_no_from_and_to() -> None:
    assert describe_hours(slots(("samedi", "samedi", [("09:05:00", "12:00:00")]))) == ["samedi : 9 h 05 – 12 h"]


def test_days_come_in_the_order_of_the_week() -> None:
    text = slots(("vendredi", "vendredi", [("14:00", "16:00")]), ("lundi", "jeudi", [("00:00", "12:00")]))
    assert describe_hours(text) == ["du lundi au jeudi : 0 h – 12 h", "vendredi : 14 h – 16 h"]


def test_a_day_without_hours_or_with_an_odd_name_is_still_shown() -> None:
    assert describe_hours(slots(("1er samedi du mois", "1er samedi du mois", []), ("mardi", "mardi", []))) == [
        "mardi",
        "1er samedi du mois",
    ]


@pytest.mark.parametrize("text", [None, "", "[]"])
def test_unknown_hours_are_no_line(text: str | None) -> None:
    assert describe_hours(text) == []


def test_hours_of_every_town_hall_of_france_can_be_said(registry: dict[str, pl.DataFrame]) -> None:
    known = registry["town_halls"]["hours"].drop_nulls().unique()
    assert known.len() > 5000
    for text in known:
        for line in describe_hours(text):
            assert "None" not in line
            assert "0 h 00" not in line


# Headline


def test_the_headline_of_a_town_of_the_programme_says_since_when(small: Observatory) -> None:
    code, town = next((code, town) for code, town in sorted(small.pvd.items()) if town["signature_date"])
    portrait = make_portrait(small, code)
    headline = portrait.headline()
    assert headline.startswith(f"{portrait.identity.name}, ")
    assert "Petite Ville de demain depuis le " in headline
    assert str(town["signature_date"].year) in headline
    assert headline.endswith("(liste de démonstration).")
    assert portrait.identity.pvd["beneficiaire"] is True
    assert portrait.identity.pvd["depuis"] == town["signature_date"].isoformat()


def test_a_town_without_date_is_in_the_programme_all_the_same(small: Observatory) -> None:
    portrait = make_portrait(small, min(small.pvd))
    undated = {**portrait.identity.pvd, "depuis": None, "demo": False}
    changed = replace(portrait, identity=replace(portrait.identity, pvd=undated))
    assert changed.headline().endswith(", Petite Ville de demain.")


def test_the_headline_of_another_town_says_that_it_is_out(small: Observatory) -> None:
    code = next(code for code in small.communes["code"] if code not in small.pvd)
    assert (
        "hors du programme Petites Villes de demain (liste de démonstration)." in make_portrait(small, code).headline()
    )


def test_without_a_list_nothing_is_said_of_the_programme(registries_only: Observatory) -> None:
    portrait = make_portrait(registries_only, "04209")
    assert portrait.identity.pvd == {"beneficiaire": None, "depuis": None, "id": None, "demo": False}
    assert "Petite" not in portrait.headline()
    assert portrait.places_by_type is None
    assert portrait.places_demo is False
    assert portrait.snapshot["demonstration"] is False
    assert "◆" not in portrait.to_text()


def test_an_unknown_population_is_said_unknown(small: Observatory) -> None:
    portrait = make_portrait(small, "97608")
    assert portrait.headline().startswith("Dzaoudzi, Mayotte (976) : population inconnue, membre de ")
    assert (portrait.identity.population, portrait.identity.size_class) == (None, None)
    assert portrait.sheets["population.total"].status == "missing"
    assert portrait.sheets["population.total"].value is None
    assert "Population municipale : donnée manquante" in portrait.to_text()
    assert " 0 habitant" not in portrait.to_text()


def test_an_island_without_intercommunality_says_nothing_of_one(small_observatory: Observatory) -> None:
    portrait = make_portrait(small_observatory, "29155")
    assert portrait.identity.epci is None
    assert "membre de" not in portrait.headline()
    assert portrait.to_dict()["commune"]["epci"] is None
    levels = {item.level for sheet in portrait.sheets.values() for item in sheet.elsewhere}
    assert levels == {"departement", "region", "france"}


def test_the_population_of_the_identity_comes_with_its_year(small: Observatory) -> None:
    portrait = make_portrait(small, "04209")
    assert portrait.identity.population_year == 2021
    assert portrait.identity.population == portrait.sheets["population.total"].value


# Sheets


def test_every_indicator_of_a_commune_has_its_sheet_in_the_order_of_themes(small: Observatory) -> None:
    portrait = make_portrait(small, "04209")
    expected = {item.id for item in load_indicators().values() if "commune" in item.declaration.levels}
    assert set(portrait.sheets) == expected
    order = [list(THEMES).index(sheet.theme) for sheet in portrait.sheets.values()]
    assert order == sorted(order)
    assert list(portrait.themes) == [
        label for theme, label in THEMES.items() if theme in {s.theme for s in portrait.sheets.values()}
    ]
    assert [sheet.indicator for sheet in portrait.key_figures] == list(KEY_FIGURES)


def test_a_sheet_has_its_formula_its_source_and_its_limits(small: Observatory) -> None:
    for sheet in make_portrait(small, "04209").sheets.values():
        assert sheet.territory == "Sisteron"
        assert sheet.formula
        assert sheet.limits
        assert sheet.reference
        assert sheet.sources, sheet.indicator
        for source in sheet.sources:
            assert source.title
            assert source.licence


def test_the_json_is_plain_and_says_the_same(small: Observatory) -> None:
    portrait = make_portrait(small, "04209")
    told = json.loads(json.dumps(portrait.to_dict(), ensure_ascii=False, allow_nan=False))
    assert told["phrase"] == portrait.headline()
    by_id = {item["indicator"]: item for item in told["indicateurs"]}
    assert by_id.keys() == portrait.sheets.keys()
    sheet = by_id["population.total"]
    assert (sheet["value"], sheet["status"], sheet["unit"]) == (float(portrait.identity.population), "ok", "habitants")
    assert [item["level"] for item in sheet["elsewhere"]] == ["epci", "departement", "region", "france"]
    assert told["commune"]["petite_ville_de_demain"]["demo"] is True
    assert told["commune"]["classe_de_taille"] == "de 5 000 à 9 999 habitants"
    assert told["instantane"]["id"] == small.snapshot.id


def test_real_and_generated_figures_are_told_apart(small: Observatory) -> None:
    portrait = make_portrait(small, "04209")
    lines = portrait.to_text().splitlines()
    for sheet in portrait.sheets.values():
        shown = [line for line in lines if line.startswith(f"  {sheet.label} : {sheet.text}")]
        assert shown, sheet.label
        assert all((" ◆" in line) == sheet.demo for line in shown), sheet.label
    assert portrait.sheets["housing.vacancy_rate"].demo is False
    assert portrait.sheets["culture.places_count"].demo is True
    assert portrait.places_demo is True
    assert "◆ valeur de démonstration, fabriquée : elle ne dit rien de la commune réelle." in portrait.to_text()


def test_places_by_type_are_those_of_the_table(small: Observatory) -> None:
    portrait = make_portrait(small, "15014")
    assert portrait.places_by_type is not None
    places = small.places.filter(pl.col("code") == "15014")
    assert sum(portrait.places_by_type.values()) == places.height > 0
    counts = list(portrait.places_by_type.values())
    assert counts == sorted(counts, reverse=True)
    assert portrait.sheets["culture.places_count"].value == places.height


def test_the_town_hall_is_given_and_no_name_of_a_person(small: Observatory) -> None:
    portrait = make_portrait(small, "04209")
    assert portrait.identity.town_hall["telephone"] == "04 92 61 00 37"
    assert set(portrait.identity.council) == {"sieges", "femmes", "adjoints"}
    assert "Mairie : " in portrait.to_text()
    columns = set(small.snapshot.table("councils").collect_schema().names())
    assert columns == {"code", "seats", "women", "deputies"}


def test_a_commune_without_town_hall_nor_council_has_a_portrait(
    small: Observatory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Observatory, "town_hall", lambda *_: {})
    monkeypatch.setattr(Observatory, "council", lambda *_: {})
    portrait = make_portrait(small, "04209")
    assert portrait.identity.council == {}
    assert portrait.identity.town_hall["horaires"] == []
    assert "Mairie" not in portrait.to_text()


# Codes


@pytest.mark.parametrize(("code", "expected"), [("04100", "04120"), ("4209", "04209"), ("15027", "15027")])
def test_former_and_mended_codes_lead_to_todays_commune(small: Observatory, code: str, expected: str) -> None:
    assert make_portrait(small, code).identity.code == expected


@pytest.mark.parametrize("code", ["04999", "99999"])
def test_a_code_of_nothing_is_unknown_or_malformed(small: Observatory, code: str) -> None:
    with pytest.raises((UnknownTerritoryError, MalformedCodeError)):
        make_portrait(small, code)


def test_every_commune_of_the_small_country_has_a_portrait(small: Observatory) -> None:
    for code in small.communes["code"][::20]:
        portrait = make_portrait(small, code)
        assert isinstance(portrait, Portrait)
        json.dumps(portrait.to_dict(), allow_nan=False)
        assert portrait.to_text().startswith(portrait.identity.name)


# Opening


def test_the_same_observatory_is_given_until_another_snapshot_is_in_service(template: Path, tmp_path: Path) -> None:
    settings = world.copy_home(template, tmp_path / "home")
    first = open_observatory(settings)
    assert open_observatory(settings) is first
    world.edit(settings.demo / "cc_filosofi_2021_COM.csv", "04001;524;", "04001;523;")
    build(settings, demo=True)
    second = open_observatory(settings)
    assert second is not first
    assert second.snapshot.id != first.snapshot.id
    assert make_portrait(first, "04209").identity.name == "Sisteron"


def test_an_unknown_table_is_an_error(small: Observatory) -> None:
    with pytest.raises(SnapshotError, match="nothing"):
        small.table_info("nothing")
    assert small.covers("nothing", "04209") is False
    assert small.covers("population", "04209") is True
    assert small.covers("iris", "97608") is False


def test_no_snapshot_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(SnapshotError, match="bourg demo"):
        open_observatory(Settings(home=tmp_path))


def test_many_readers_at_once_read_the_same(
    small_observatory: Observatory, small_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server makes portraits in several threads: what is kept for one never breaks another."""
    monkeypatch.setattr(comparators_module, "_KEPT", 2)
    monkeypatch.setattr(comparators_module, "_SORTED_BYTES", 1)
    fresh = Observatory(small_observatory.snapshot, small_settings)
    codes = [code for code in fresh.names if code.startswith(("12", "04", "2A", "48"))][:36]
    alone = [make_portrait(small_observatory, code).to_dict() for code in codes]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(8) as pool:
            together = list(pool.map(lambda code: make_portrait(fresh, code).to_dict(), codes * 2))
    finally:
        sys.setswitchinterval(interval)
    assert together == alone * 2
