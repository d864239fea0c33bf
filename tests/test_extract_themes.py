"""Themes of the extractor: their declarations, what they take from elsewhere, what they never take."""

from __future__ import annotations

import pytest

from bourg.access.places.crosswalk import families
from bourg.commerce.typology import typology
from bourg.errors import DeclarationError, ParameterError
from bourg.extract import themes as module
from bourg.extract.themes import FORBIDDEN_KEYS, columns, make_theme, theme_named, themes

ASKED = {"commerce", "culture", "energie", "sante", "education", "mobilite", "espaces_publics", "tourisme"}


def declared(**changes: object) -> dict[str, object]:
    content: dict[str, object] = {
        "id": "essai", "label": "Essai", "summary": "Pour voir.", "columns": ["operator"], "expected": ["name"],
        "groups": {"a": "Groupe A"}, "categories": [{"id": "banc", "label": "Banc", "osm": [{"amenity": "bench"}]}],
    }  # fmt: skip
    return {**content, **changes}


def test_every_theme_is_declared_in_french_with_distinct_categories() -> None:
    found = themes()
    assert set(found) >= ASKED
    for theme in found.values():
        assert theme.summary.endswith(".")
        labels = [category.label for category in theme.categories.values()]
        assert len(labels) == len(set(labels)), theme.id
        headings = list(theme.headings().values())
        assert len(headings) == len(set(headings)), theme.id
        for category in theme.categories.values():
            assert set(category.expected) <= {*theme.headings(), "address"}, (theme.id, category.label)


def test_what_others_declare_is_taken_from_them_and_not_written_again() -> None:
    pharmacy = themes()["sante"].categories["pharmacie"].family
    assert pharmacy is families()["pharmacie"]
    commerce = themes()["commerce"]
    assert set(commerce.categories) == {*typology().types, "vacant"}
    wanted = {tag for item in typology().types.values() for tag in item.osm}
    taken = {
        f"{key}={value}"
        for category in commerce.categories.values()
        for rule in category.family.osm
        for key, values in rule.tests
        for value in values
    }
    assert taken == wanted


def test_no_column_can_hold_a_person() -> None:
    assert not FORBIDDEN_KEYS & {key for column in columns().values() for key in column.keys}


def test_a_column_of_telephones_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    made = {"phone": {"heading": "telephone", "label": "Téléphone", "keys": ["contact:phone"]}}
    monkeypatch.setattr(module, "parameter", lambda *_, **__: made)
    with pytest.raises(DeclarationError, match="personnelles"):
        columns.__wrapped__()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"inconnu": 1}, "mal déclaré"),
        ({"columns": ["phone"]}, "colonne inconnue"),
        ({"expected": ["beaute"]}, "colonne inconnue"),
        ({"categories": [{"family": "licorne"}]}, "famille inconnue"),
        ({"categories": [{"family": "pharmacie", "osm": [{"a": "b"}]}]}, "famille inconnue"),
        ({"categories": [{"id": "x"}]}, "besoin d'une famille"),
        ({"categories": [{"family": "pharmacie", "group": "b"}]}, "groupe"),
        ({"categories": [{"family": "pharmacie"}, {"family": "pharmacie"}]}, "deux fois"),
    ],
)
def test_a_wrong_declaration_says_what_is_wrong(changes: dict[str, object], said: str) -> None:
    with pytest.raises(DeclarationError, match=said):
        make_theme(declared(**changes))


def test_a_right_declaration_is_taken() -> None:
    theme = make_theme(declared())
    found = theme.classify({"amenity": "bench"})
    assert found is not None
    assert (found[0].label, found[0].group) == ("Banc", "Essai")
    assert theme.classify({"amenity": "bench", "abandoned": "yes"}) is None


@pytest.mark.parametrize(
    ("tags", "main", "others"),
    [
        ({"shop": "bakery;pastry", "amenity": "cafe"}, "bakery", ["cafe"]),
        ({"amenity": "restaurant", "disused:shop": "butcher"}, "restaurant", []),
        ({"disused:shop": "butcher"}, "vacant", []),
        ({"shop": "vacant"}, "vacant", []),
        ({"shop": "licorne"}, "other_shop", []),
        ({"shop": "no"}, None, []),
        ({"shop": "bakery", "disused": "yes"}, None, []),
        ({"amenity": "bench"}, None, []),
    ],
)
def test_shops_follow_the_typology(tags: dict[str, str], main: str | None, others: list[str]) -> None:
    found = themes()["commerce"].classify(tags)
    if main is None:
        assert found is None
    else:
        assert found is not None
        assert found[0].family.id == main
        assert [other.family.id for other in found[1]] == others


def test_the_first_category_wins_and_the_others_are_kept() -> None:
    found = themes()["sante"].classify({"amenity": "hospital", "emergency": "yes"})
    assert found is not None
    assert found[0].family.id == "hopital"
    assert [other.family.id for other in found[1]] == ["urgences"]


def test_the_tag_of_an_object_is_the_one_that_placed_it() -> None:
    sante, commerce = themes()["sante"], themes()["commerce"]
    tags = {"building": "yes", "healthcare": "pharmacy"}
    assert sante.tag_of(sante.categories["pharmacie"], tags) == "healthcare=pharmacy"
    tags = {"amenity": "cafe", "shop": "bakery;pastry"}
    assert commerce.tag_of(commerce.categories["bakery"], tags) == "shop=bakery;pastry"
    assert commerce.tag_of(commerce.categories["vacant"], {"disused:shop": "x"}) == "disused:shop=x"


def test_columns_translate_usual_values_and_leave_the_others() -> None:
    wheelchair, website = columns()["wheelchair"], columns()["website"]
    assert wheelchair.value({"wheelchair": "limited"}) == "limité"
    assert wheelchair.value({"wheelchair": "bof"}) == "bof"
    assert wheelchair.value({"wheelchair": " "}) is None
    assert website.value({"url": "b", "contact:website": "a"}) == "a"


def test_a_theme_is_found_by_id_or_label_and_near_names_are_told() -> None:
    assert theme_named("Énergies renouvelables") is themes()["energie"]
    assert theme_named("espaces publics").id == "espaces_publics"
    with pytest.raises(ParameterError, match="culture"):
        theme_named("cultur")
