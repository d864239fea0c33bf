"""The typology of shops: one crosswalk, no code twice, and the rule for a shop with two activities."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bourg.commerce.diversity import composition, diversity
from bourg.commerce.typology import group_of, osm_types, type_of, typology, vacant_tag
from bourg.indicators.parameters import parameter
from bourg.sources.demo.nomenclature import facility_types
from bourg.sources.model import get_source
from bourg.sources.reading import read_resource


def test_every_group_has_a_type_and_every_type_a_way_to_be_found() -> None:
    found = typology()
    assert {kind.group for kind in found.types.values()} == set(found.groups)
    assert all(kind.naf for kind in found.types.values())
    assert found.label("bakery") == "Boulangerie, pâtisserie"
    assert found.label("craft_food") == "Artisans de bouche"


def test_types_of_the_bpe_are_in_its_nomenclature() -> None:
    known = {kind.code for kind in facility_types()}
    assert set(typology().by("bpe")) <= known
    # Every shop of domain B is in the typology: a new code of the BPE must be classed.
    assert {code for code in known if code.startswith("B")} <= set(typology().by("bpe"))


@pytest.mark.mirror
def test_naf_codes_are_those_of_the_official_nomenclature(mirror: Path) -> None:
    source = get_source("naf")
    tables, report = read_resource(mirror / "06_sirene/int_courts_naf_rev_2.xls", source, source.resources[0])
    labels = tables["naf_labels"]
    assert report.rows_read == 1728
    assert labels["level"].value_counts().filter(pl.col("level") == "sous_classe")["count"].item() == 732
    codes = set(labels["naf"])
    assert set(typology().by("naf")) | set(typology().excluded) <= codes
    # The whole of retail trade is either a type or excluded with its reason.
    retail = {code for code in codes if code.startswith("47.") and len(code) == 6}
    assert retail == {c for c in set(typology().by("naf")) | set(typology().excluded) if c.startswith("47.")}


def test_naf_is_read_with_or_without_its_point() -> None:
    frame = pl.DataFrame({"naf": ["10.71C", "1071C", "47.91A", None]})
    told = frame.select(kind=type_of(pl.col("naf"), "naf")).with_columns(group=group_of(pl.col("kind")))
    assert told.rows() == [("bakery", "craft_food"), ("bakery", "craft_food"), (None, None), (None, None)]


@pytest.mark.parametrize(
    ("tags", "main", "others"),
    [
        ({"shop": "bakery"}, "bakery", ()),
        ({"shop": "bakery;pastry"}, "bakery", ()),
        ({"shop": "newsagent;tobacco"}, "books_press", ("tobacco",)),
        ({"amenity": "cafe", "shop": "Bakery"}, "bakery", ("cafe",)),
        ({"amenity": "bar;restaurant"}, "cafe", ("restaurant",)),
        ({"disused:shop": "bakery"}, None, ()),
        ({"shop": "yes"}, None, ()),
        ({}, None, ()),
    ],
)
def test_a_shop_with_two_activities_counts_once(
    tags: dict[str, str], main: str | None, others: tuple[str, ...]
) -> None:
    assert osm_types(tags) == (main, others)


def test_empty_shops_of_osm() -> None:
    assert vacant_tag({"disused:shop": "bakery"})
    assert vacant_tag({"shop": "vacant"})
    assert not vacant_tag({"shop": "bakery"})


def test_osm_keys_table_covers_the_three_themes() -> None:
    themes = parameter("osm_keys", package="bourg.commerce")
    assert set(themes) == {"commerce", "culture", "energie"}
    keys = {row["key"] for row in themes["commerce"]}
    assert {"shop", "amenity", "craft", "brand", "brand:wikidata", "disused:shop"} <= keys
    assert all(set(row) == {"key", "values", "meaning"} for rows in themes.values() for row in rows)


def _counts(**numbers: int) -> pl.LazyFrame:
    return pl.LazyFrame({"code": ["a"] * len(numbers), "type": list(numbers), "n": list(numbers.values())})


def test_diversity_by_hand() -> None:
    row = diversity(_counts(x=2, y=1, z=1, none=0), m=2).collect().row(0, named=True)
    assert row["shops"] == 4
    assert row["types"] == 3
    assert row["shannon"] == pytest.approx(1.0397207708)
    assert row["effective"] == pytest.approx(2.8284271247)
    assert row["evenness"] == pytest.approx(0.9463946304)
    assert row["simpson"] == pytest.approx(0.625)
    # Of the six pairs of four shops one is of a single type: 2 − 1/6 types on average.
    assert row["rarefied"] == pytest.approx(2 - 1 / 6)


def test_too_few_shops_have_no_rarefied_number() -> None:
    row = diversity(_counts(x=2, y=1), m=4).collect().row(0, named=True)
    assert row["rarefied"] is None
    assert diversity(_counts(x=0), m=2).collect().height == 0


@given(st.lists(st.integers(1, 400), min_size=1, max_size=20), st.integers(1, 20))
def test_diversity_laws(numbers: list[int], m: int) -> None:
    row = diversity(_counts(**{f"t{i}": n for i, n in enumerate(numbers)}), m=m).collect().row(0, named=True)
    size, types = sum(numbers), len(numbers)
    assert 1 - 1e-9 <= row["effective"] <= types + 1e-9
    assert -1e-12 <= row["simpson"] <= 1 - 1 / types + 1e-12
    if size >= m:
        assert 1 - 1e-9 <= row["rarefied"] <= min(types, m) + 1e-9
    if size == m:
        assert row["rarefied"] == pytest.approx(types)


def test_composition_sums_to_one_hundred() -> None:
    frame = pl.LazyFrame({"code": ["a", "a", "b"], "group": ["food", "care", "food"], "n": [3, 1, 2]})
    told = composition(frame).collect()
    assert told.rows() == [("a", "care", 1, 4, 25.0), ("a", "food", 3, 4, 75.0), ("b", "food", 2, 2, 100.0)]
