"""The document of culture and its HTML, on the small snapshot: counts, shares, deserts, what is missing, texts."""

from __future__ import annotations

import csv
import io
import json
import re
import xml.etree.ElementTree as ET
from html import unescape
from itertools import pairwise

import polars as pl
import pytest
import shapely

from bourg.culture.categories import Breakdown, CategoryCount, TypeCount
from bourg.errors import ParameterError, UnknownTerritoryError
from bourg.portrait.observatory import Observatory
from bourg.portrait.themes import culture_areas
from bourg.portrait.themes.culture import CulturePage, make_culture_page
from bourg.portrait.themes.culture_areas import area_of, culture_base, outline_of
from bourg.portrait.themes.culture_html import (
    categories_table,
    counts_bars,
    densest_table,
    deserts_csv,
    deserts_table,
    festivals_table,
    key_cards,
    kinds_table,
    missing_types,
    plain_cards,
    types_table,
)
from bourg.portrait.themes.culture_svg import colours, describe, slices, sunburst

MILLAU, CORSE, REUNION, MAYOTTE, GUADELOUPE = "12145", "2A004", "97411", "97608", "97105"


@pytest.fixture(scope="module")
def page(small_observatory: Observatory) -> CulturePage:
    return make_culture_page(small_observatory, MILLAU)


@pytest.fixture(scope="module")
def wide(small_observatory: Observatory) -> CulturePage:
    return make_culture_page(small_observatory, MILLAU, territory="epci", typology="ministere")


@pytest.fixture(scope="module")
def empty(small_observatory: Observatory) -> CulturePage:
    base = culture_base(small_observatory)
    bare = base.communes.with_columns(n=pl.Series(base.counts.sum(axis=1))).filter(
        (pl.col("n") == 0) & (pl.col("departement") == "48") & pl.col("epci").is_not_null()
    )
    return make_culture_page(small_observatory, bare["code"][0])


@pytest.fixture
def partial(small_observatory: Observatory, monkeypatch: pytest.MonkeyPatch) -> Observatory:
    """The same snapshot, whose typed list describes Millau only: what a list of some towns gives."""
    other = Observatory(small_observatory.snapshot, small_observatory.settings)
    monkeypatch.setattr(other, "covers", lambda table, code: table != "culture_places" or code == MILLAU)
    return other


def words(html: str) -> str:
    """Return what an HTML fragment says, tags and style taken away."""
    text = re.sub(r"<style>.*?</style>", " ", html, flags=re.DOTALL)
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", text)))


# ---- Figures ---------------------------------------------------------------------------------------------------------


def test_counts_are_those_of_the_published_figures(page: CulturePage, small_observatory: Observatory) -> None:
    made = page.breakdown
    assert made is not None
    numbers = {item.id: item.n for item in made.categories}
    assert made.total == page.sheets["culture.places_count"].value == sum(numbers.values())
    assert numbers["vivant"] == page.sheets["culture.living_count"].value
    assert numbers["patrimoine"] == page.sheets["culture.heritage_count"].value
    assert made.per_1000(made.categories[0]) == pytest.approx(page.sheets["culture.living_per_1000"].value)
    mine = small_observatory.places.filter(pl.col("code") == MILLAU)
    assert {row.kind.id: row.here for row in page.kinds}["bibliotheque"] == mine.filter(type="Bibliothèque").height


@pytest.mark.parametrize("territory", ["epci", "departement", "region"])
def test_a_larger_territory_is_the_sum_of_its_communes(small_observatory: Observatory, territory: str) -> None:
    page = make_culture_page(small_observatory, MILLAU, territory=territory)
    assert page.breakdown is not None
    assert page.breakdown.total == page.sheets["culture.places_count"].value
    ministry = make_culture_page(small_observatory, MILLAU, territory=territory, typology="ministere").breakdown
    assert ministry is not None
    museums = next(item for item in ministry.categories if item.id == "musees")
    assert ministry.per_1000(museums) == pytest.approx(page.sheets["culture.ministry_museums_per_1000"].value)
    assert page.chosen is None
    assert page.ring is page.area


def test_shares_at_home_are_recomputed_from_the_tables(page: CulturePage, small_observatory: Observatory) -> None:
    communes = small_observatory.communes.filter(epci=small_observatory.commune(MILLAU)["epci"])
    having = small_observatory.places.filter(pl.col("type") == "Bibliothèque")["code"].unique()
    here = communes.filter(pl.col("code").is_in(having.implode()))["population"].sum()
    row = next(item for item in page.kinds if item.kind.id == "bibliotheque")
    assert row.served is not None
    assert row.sheet.value == row.served.share == pytest.approx(100 * here / communes["population"].sum())
    assert row.sheet.status == "demo"
    assert [item.level for item in row.sheet.elsewhere] == ["departement", "region", "france"]
    assert row.sheet.formula
    assert row.sheet.limits
    assert {source.id for source in row.sheet.sources} >= {"basilic"}


def test_deserts_follow_their_definition(small_observatory: Observatory) -> None:
    page = make_culture_page(small_observatory, MILLAU, territory="departement", desert="cinema")
    table, limit = page.deserts.table, page.deserts.kind.desert_km
    assert limit == 15
    home = table.filter(status="home")
    cinemas = set(small_observatory.places.filter(type="Cinéma")["code"])
    assert set(home["code"]) == cinemas & set(table["code"])
    assert table.filter(status="near")["distance_km"].max() <= limit
    far = table.filter(status="far")
    assert far["distance_km"].min() > limit
    assert not far.is_empty()
    people = table["population"].sum()
    assert page.desert_sheet.value == pytest.approx(100 * far["population"].sum() / people)
    assert page.deserts.far["population"].to_list() == sorted(far["population"], reverse=True)


def test_density_stays_inside_its_territory(page: CulturePage, small_observatory: Observatory) -> None:
    found = page.density
    assert found is not None
    assert found.area.level == "epci"
    assert found.bandwidth_km == 3
    outline = outline_of(small_observatory, found.area)
    assert outline is not None
    for band in found.bands:
        assert shapely.area(shapely.difference(band.area, outline.buffer(1e-6))) < 1e-8
    assert found.densest["per_km2"].to_list() == sorted(found.densest["per_km2"], reverse=True)
    by_people = make_culture_page(small_observatory, MILLAU, measure="habitants", bandwidth=5).density
    assert by_people is not None
    assert (by_people.unit, by_people.bandwidth_km) == ("lieux pour 1 000 habitants", 5)
    assert by_people.densest["per_1000"].to_list() == sorted(by_people.densest["per_1000"], reverse=True)


def test_comparisons_are_pooled_over_their_communes(page: CulturePage, small_observatory: Observatory) -> None:
    assert page.chosen is not None
    assert [item.kind for item in page.against] == ["set", "epci", "departement", "region", "france"]
    pooled = page.against[0].breakdown
    members = page.chosen.codes(small_observatory.matrix)
    assert MILLAU not in members
    assert pooled.total == small_observatory.places.filter(pl.col("code").is_in(members)).height > 0
    # The small snapshot lists no place in four overseas departments: the country is told without them.
    assert page.against[-1].label == "France métropolitaine"
    other = make_culture_page(small_observatory, MILLAU, comparator="departement")
    assert other.chosen is not None
    assert other.chosen.comparator.id == "departement"
    assert other.against[0].breakdown.total != pooled.total


# ---- Other places, and what is missing -------------------------------------------------------------------------------


def test_a_town_without_any_place_says_so_and_points_to_the_nearest(empty: CulturePage) -> None:
    assert empty.breakdown is not None
    assert empty.breakdown.total == 0
    first = empty.summary()[0]
    assert first.startswith("Aucun lieu culturel n'est recensé")
    assert "Le lieu vivant le plus proche est à" in first
    assert sunburst(empty.breakdown, "Rien") == ""
    assert categories_table(empty) == types_table(empty) == ""
    assert "aucun" in words(kinds_table(empty))


@pytest.mark.parametrize("code", [CORSE, REUNION])
def test_corsica_and_overseas_have_their_page(small_observatory: Observatory, code: str) -> None:
    page = make_culture_page(small_observatory, code)
    assert page.breakdown is not None
    assert page.breakdown.total > 0
    assert page.density is not None
    assert page.density.bands
    west, south, east, north = page.density.box
    for band in page.density.bands:
        a, b, c, d = band.area.bounds
        assert west - 0.01 <= a <= c <= east + 0.01
        assert south - 0.01 <= b <= d <= north + 0.01


def test_an_unknown_population_gives_no_rate(small_observatory: Observatory) -> None:
    page = make_culture_page(small_observatory, MAYOTTE)
    assert page.breakdown is not None
    assert page.breakdown.people is None
    assert page.breakdown.rate is None
    assert "pour 1" not in page.summary()[0]
    assert "inconnu" in words(categories_table(page)) if page.breakdown.total else True


def test_an_overseas_department_without_a_row_is_unknown_not_zero(small_observatory: Observatory) -> None:
    page = make_culture_page(small_observatory, GUADELOUPE)
    assert page.sheets["culture.places_count"].status == "missing"
    assert page.breakdown is None
    assert page.density is None
    assert page.festivals is None
    assert {row.here for row in page.kinds} == {None}
    assert page.desert_sheet.status == "missing"
    assert "ce n'est pas zéro" in page.summary()[0]


def test_a_list_of_some_towns_leaves_the_rest_missing(partial: Observatory) -> None:
    town = make_culture_page(partial, MILLAU)
    assert town.breakdown is not None
    assert (town.described, town.complete) == (1, False)
    assert town.density is None
    assert {row.sheet.status for row in town.kinds} == {"missing"}
    assert {sheet.status for sheet in town.spread} == {"missing"}
    wide = make_culture_page(partial, MILLAU, territory="epci")
    assert wide.breakdown is None
    assert {row.here for row in wide.kinds} == {None}
    assert wide.desert_sheet.status == "missing"
    # A place at hand is known whatever the list says of the others.
    assert set(wide.deserts.table["status"]) <= {"home", "near", "unknown"}
    assert "aucune liste lue n'en dit le genre" in wide.summary()[0]
    assert categories_table(wide) == ""
    assert "inconnu" in words(kinds_table(wide))


def test_choices_that_do_not_exist_are_refused(small_observatory: Observatory) -> None:
    for wrong in ({"territory": "canton"}, {"typology": "x"}, {"desert": "x"}, {"measure": "x"}, {"bandwidth": 4.0}):
        with pytest.raises(ParameterError):
            make_culture_page(small_observatory, MILLAU, **wrong)  # type: ignore[arg-type]
    with pytest.raises(UnknownTerritoryError):
        make_culture_page(small_observatory, "12999")
    alone = small_observatory.communes.filter(pl.col("epci").is_null())["code"][0]
    with pytest.raises(UnknownTerritoryError, match="intercommunalité"):
        make_culture_page(small_observatory, alone, territory="epci")
    assert make_culture_page(small_observatory, alone).ring.level == "departement"


def test_the_document_is_plain_json_and_the_same_twice(page: CulturePage, small_observatory: Observatory) -> None:
    text = json.dumps(page.to_dict(), ensure_ascii=False)
    again = Observatory(small_observatory.snapshot, small_observatory.settings)
    assert json.dumps(make_culture_page(again, MILLAU).to_dict(), ensure_ascii=False) == text
    assert page.sources
    assert "culture.served_bibliotheque" in {sheet.indicator for sheet in page.all_sheets}


# ---- Words -----------------------------------------------------------------------------------------------------------


def test_sentences_are_french_and_marked(page: CulturePage, wide: CulturePage) -> None:
    for sentence in (*page.summary(), *wide.summary()):
        assert sentence.endswith(".")
        assert "None" not in sentence
        assert "nan" not in sentence.split()
    assert all("◆" in sentence for sentence in page.summary())
    assert page.summary()[0].startswith("À Millau, ")
    assert wide.summary()[0].startswith("Dans la Communauté de communes de Millau Grands Causses")
    assert "des événements, comptés à part des lieux" in page.summary()[-1] or "Aucun festival" in page.summary()[-1]


def test_places_of_the_sentences(small_observatory: Observatory) -> None:
    assert area_of(small_observatory, "48131", "commune").where == "au Rozier"
    assert area_of(small_observatory, "04116", "commune").where == "aux Mées"
    assert area_of(small_observatory, MILLAU, "departement").where == "dans l'Aveyron"
    assert area_of(small_observatory, "48131", "departement").where == "dans le département de la Lozère"
    assert area_of(small_observatory, MAYOTTE, "departement").where == "à Mayotte"
    assert area_of(small_observatory, MILLAU, "france").where == "en France métropolitaine"


# ---- HTML and drawing ------------------------------------------------------------------------------------------------


def test_tables_say_what_the_document_holds(page: CulturePage, wide: CulturePage) -> None:
    told = words(categories_table(wide))
    assert wide.breakdown is not None
    for item in wide.breakdown.categories:
        assert item.label in told.lower()
    assert "Aveyron" in told
    assert "◆ démo" in told
    assert "à vol d'oiseau" in words(kinds_table(page))
    assert words(types_table(page)).count("%") == sum(len(item.types) for item in page.breakdown.categories)  # type: ignore[union-attr]
    assert set(missing_types(wide)) <= {item.label for item in wide.breakdown.categories}
    assert "Fiche du chiffre" in words(plain_cards(page.spread))
    assert page.deserts.count("far") == 0 or page.deserts.far["name"][0] in words(deserts_table(page))
    assert page.density is not None
    assert page.density.densest["name"][0] in words(densest_table(page))
    assert "Fiche du chiffre" in words(key_cards(page))
    assert "Aveyron" in words(key_cards(wide))
    if page.festivals is not None:
        assert words(festivals_table(page, page.festivals, {MILLAU: "Millau"})).count("Millau") >= page.festivals.total
    assert "0" in words(counts_bars("Quand ?", "Saison", {"été": 0}, demo=False))


def test_the_file_of_deserts_opens_in_a_spreadsheet(page: CulturePage) -> None:
    text = deserts_csv(page).decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text), delimiter=";"))
    assert {row["code"] for row in rows} == set(page.ring.codes)
    assert {row["statut"] for row in rows} <= {"dans la commune", "sous le seuil", "désert", "inconnu"}
    assert {row["demonstration"] for row in rows} == {"oui"}


def _made(numbers: dict[str, dict[str, int]]) -> Breakdown:
    categories = tuple(
        CategoryCount(name, name, sum(types.values()), tuple(TypeCount(*pair) for pair in types.items()), 0)
        for name, types in numbers.items()
    )
    return Breakdown("brief", sum(item.n for item in categories), categories, 1000, 0)


def test_the_sunburst_is_whole_named_and_escaped() -> None:
    made = _made({"vivant": {"Bibliothèque": 3, "Cinéma <b>": 1}, "patrimoine": {}, "non_classe": {"Autre": 4}})
    pieces = slices(made)
    inner = [piece for piece in pieces if piece.inner < 100]
    outer = [piece for piece in pieces if piece.inner > 100]
    assert [piece.n for piece in inner] == [4, 4]
    for ring in (inner, outer):
        assert ring[0].start == 0
        assert ring[-1].end == pytest.approx(360)
        assert all(one.end == pytest.approx(two.start) for one, two in pairwise(ring))
    drawing = ET.fromstring(sunburst(made, "Lieux & types", demo=True))
    assert drawing.attrib["role"] == "img"
    named = {element.attrib["id"]: element.text for element in drawing if "id" in element.attrib}
    assert named["rosace-titre"] == "Lieux & types"
    assert named["rosace-texte"] == describe(made)
    assert set(drawing.attrib["aria-labelledby"].split()) == set(named)
    assert "cinéma <b> 1" in describe(made)
    assert "◆ démo" in "".join(drawing.itertext())


def test_one_category_is_a_whole_ring() -> None:
    drawing = sunburst(_made({"patrimoine": {"Monument": 2}}), "Un seul")
    assert drawing.count('fill-rule="evenodd"') == 2
    assert sunburst(_made({"patrimoine": {}}), "Rien") == ""


def test_categories_keep_distinct_colours(wide: CulturePage) -> None:
    assert wide.breakdown is not None
    assert len(set(colours(wide.breakdown).values())) == len(wide.breakdown.categories)


def test_white_letters_read_on_every_colour() -> None:
    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    made = _made({"vivant": {"A": 1}, "x": {"B": 1}, "y": {"C": 1}, "z": {"D": 1}, "non_classe": {"E": 1}})
    for piece in slices(made):
        light, dark = sorted((luminance(piece.colour), luminance(piece.ink)), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, piece.label


def test_the_base_is_made_once(small_observatory: Observatory) -> None:
    assert culture_areas.culture_base(small_observatory) is culture_areas.culture_base(small_observatory)
