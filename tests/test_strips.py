"""Distribution strips: positions, clipping, small sets, and the words that stand for the drawing."""

from __future__ import annotations

import re
from html import unescape
from html.parser import HTMLParser

import pytest

from bourg.indicators.rank_words import Comparison
from bourg.indicators.values import Distribution, ValueSheet, value_sheet
from bourg.portrait import strips
from bourg.portrait.html import counts_table, key_figure_cards, legend, sheet_details, theme_table

ROW = {
    "indicator": "housing.vacancy_rate", "level": "commune", "code": "12145", "period": "2021", "value": 8.0,
    "status": "ok", "n": None, "source_ids": "",
}  # fmt: skip


def spread(comparator: str = "size_class", **changes: object) -> Distribution:
    numbers: dict[str, object] = {
        "comparator": comparator, "label": "Même tranche de taille", "set_label": "de 20 000 à 49 999 habitants",
        "n": 350, "minimum": 0.0, "p10": 4.0, "q1": 6.0, "median": 8.0, "q3": 10.0, "p90": 14.0, "maximum": 60.0,
        "demo": False,
    }  # fmt: skip
    return Distribution(**{**numbers, **changes})


def place(comparator: str = "size_class", **changes: object) -> Comparison:
    numbers: dict[str, object] = {
        "comparator": comparator, "label": "Même tranche de taille", "set_id": "x",
        "set_label": "de 20 000 à 49 999 habitants", "n_set": 351, "n_below": 175, "n_equal": 0,
        "percentile_strict": 50.0, "percentile_mid": 50.0,
        "rank": 176, "demo": False,
        "among": "communes de 20 000 à 49 999 habitants",
    }  # fmt: skip
    return Comparison(**{**numbers, **changes})


def sheet(
    *spreads: Distribution, value: float | None = 8.0, status: str = "ok", places: tuple[Comparison, ...] = ()
) -> ValueSheet:
    row = {**ROW, "value": value, "status": status}
    return value_sheet(row, distributions=spreads, comparisons=places, territory="Millau", sources=())


def marks(content: str, name: str) -> list[tuple[float, ...]]:
    found = re.findall(rf'<[ib] class="{name}" style="left:([\d.]+)%(?:;width:([\d.]+)%)?"', content)
    return [tuple(float(item) for item in items if item) for items in found]


class Balance(HTMLParser):
    """Tags opened and not closed."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.feed(content)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        del attrs
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)


def test_scale_leaves_room_for_a_third_of_the_bars_and_never_passes_the_communes() -> None:
    scale = strips.scale_of([spread()])
    assert (scale.low, scale.high) == pytest.approx((0.5, 17.5))
    near = strips.scale_of([spread(minimum=3.5, maximum=14.5)])
    assert (near.low, near.high) == pytest.approx((3.5, 14.5))
    # Ends are written as they are: 2.7 communes do not make a town of 3 stand outside a scale that ends at « 3 ».
    whole = strips.scale_of([spread(minimum=0.4, p10=0.4, p90=2.1, maximum=9.0)], 0)
    assert (whole.low, whole.high, whole.side(3.0)) == (0.0, 3.0, "")
    both = strips.scale_of([spread(), spread("pvd", p10=10.0, p90=30.0)])
    assert (both.low, both.high) == pytest.approx((0.0, 39.1))
    with pytest.raises(ValueError, match="at least one"):
        strips.scale_of([])


def test_marks_stand_at_their_place_on_one_scale() -> None:
    content = strips.strip(sheet(spread(minimum=0.0, maximum=20.0, p10=0.0, p90=20.0, q1=5.0, q3=15.0)), "size_class")
    assert marks(content, "large10") == [(0.0, 100.0)]
    assert marks(content, "large25") == [(25.0, 50.0)]
    assert marks(content, "mediane") == [(40.0,)]
    assert marks(content, "ville") == [(40.0,)]
    ends = re.findall(r"<span>([^<]+)</span>", content[content.index("echelle") :])
    assert ends == ["0,0", "20,0"]


def test_chosen_set_comes_first_then_similar_towns_and_the_programme_once_each() -> None:
    given = sheet(spread(), spread("similar"), spread("pvd"), spread("region"))
    for chosen, names in (
        ("region", ["Région", "Semblables", "Toutes les PVD"]),
        ("similar", ["Semblables", "Toutes les PVD"]),
        ("pvd", ["Toutes les PVD", "Semblables"]),
    ):
        content = strips.strip(given, chosen)
        assert re.findall(r'<span class="nom">([^<]+)</span>', content) == names
        assert re.findall(r'class="ligne choisi"[^>]*><span class="nom">([^<]+)<', content) == names[:1]
        assert len(marks(content, "ville")) == len(names)


@pytest.mark.parametrize(("value", "side", "arrow"), [(90.0, "droite", "▶"), (-3.0, "gauche", "◀")])
def test_town_outside_the_scale_is_an_arrow_and_its_true_value_in_words(value: float, side: str, arrow: str) -> None:
    given = sheet(spread(), value=value)
    content = strips.strip(given, "size_class")
    assert marks(content, "ville") == []
    assert f'<b class="fleche {side}">{arrow}</b>' in content
    assert f"{arrow} hors échelle : {given.text}" in content


def test_set_under_20_communes_has_no_strip_and_says_why() -> None:
    few = spread("epci", n=19)
    content = strips.strip(sheet(few), "epci")
    assert "bandes" not in content
    assert "Intercommunalité : 19\xa0communes, il en faut 20 pour une bande." in content
    # The others are still drawn beside the reason, and an unknown spread says its number of communes from the rank.
    assert "Région : moins de 20 communes avec ce chiffre, pas de bande." in strips.strip(sheet(few), "region")
    content = strips.strip(sheet(spread("pvd"), places=(place("epci", n_set=15),)), "epci")
    assert re.findall(r'<span class="nom">([^<]+)</span>', content) == ["Toutes les PVD"]
    assert "15\xa0communes, il en faut 20" in content
    assert "bandes" in strips.strip(sheet(spread("epci", n=20)), "epci")
    # A small programme is left out without a word: nobody asked for it.
    assert "PVD" not in strips.strip(sheet(spread(), spread("pvd", n=3)), "size_class")


@pytest.mark.parametrize(
    ("value", "status"), [(None, "missing"), (None, "secret"), (None, "not_applicable"), (None, "unreachable")]
)
def test_figure_without_a_value_has_no_strip(value: float | None, status: str) -> None:
    assert strips.strip(sheet(spread(), value=value, status=status), "size_class") == ""


def test_same_value_everywhere_is_one_mark_in_the_middle() -> None:
    flat = dict.fromkeys(("minimum", "p10", "q1", "median", "q3", "p90", "maximum"), 0.0)
    content = strips.strip(sheet(spread(**flat), value=0.0), "size_class")
    assert marks(content, "ville") == marks(content, "mediane") == [(50.0,)]
    assert re.findall(r"<span>([^<]+)</span>", content[content.index("echelle") :]) == ["0,0"]
    assert "fleche droite" in strips.strip(sheet(spread(**flat), value=0.1), "size_class")


def test_strip_is_read_aloud_as_a_sentence_with_its_numbers() -> None:
    content = strips.strip(sheet(spread(demo=True)), "size_class")
    found = re.search(r'role="img" aria-label="([^"]+)"', content)
    assert found is not None
    assert unescape(found[1]) == (
        "Millau : 8,0\xa0%. Même tranche de taille (valeurs de démonstration) : médiane 8,0\xa0%, la moitié entre "
        "6,0\xa0% et 10,0\xa0%, huit sur dix entre 4,0\xa0% et 14,0\xa0%."
    )
    # The drawing itself is not read a second time.
    assert content.count('aria-hidden="true"') == 2


def test_folded_sheet_holds_every_set_in_a_table() -> None:
    given = sheet(
        spread(), spread("epci", n=12), places=(place(), place("epci", rank=1, n_set=12, set_label="Grands Causses"))
    )
    content = sheet_details(given)
    rows = [
        [unescape(re.sub("<[^>]+>", "", cell)) for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row)]
        for row in re.findall(r"<tr>(.*?)</tr>", content)
    ]
    assert rows[1] == [
        "Même tranche de taille : de 20\u202f000 à 49\u202f999 habitants", "176e sur 351", "4,0", "6,0", "8,0", "10,0",
        "14,0",
    ]  # fmt: skip
    assert rows[2] == [
        "Intercommunalité : Grands Causses", "1er sur 12", "moins de 20 communes : pas de répartition",
    ]  # fmt: skip
    assert len(rows) == 3
    assert strips.sets_table(sheet()) == ""


def test_the_comparator_changes_cards_and_tables_together() -> None:
    given = sheet(
        spread(), spread("similar", median=9.5),
        places=(place(), place("similar", n_set=51, n_below=6, among="villes semblables")),
    )  # fmt: skip
    for content in (key_figure_cards([given], "similar"), theme_table("Logement", [given], "similar")):
        shown = content[content.index("</style>") + 8 :]
        assert "Plus élevé que dans 12\xa0% des 50\xa0autres villes semblables. Médiane : 9,5\xa0%." in shown
        assert "Plus élevé que dans 50\xa0%" not in shown
        assert Balance(shown).wrong == []
    shown = key_figure_cards([given], "region")
    assert "Pas de rang dans cet ensemble." in shown
    # The median of a few communes is not published either.
    few = sheet(spread("epci", n=19), places=(place("epci"),))
    assert "Médiane :" not in key_figure_cards([few], "epci").split("</style>")[1]
    assert "Place (villes semblables)" in theme_table("Logement", [given], "similar")


def test_numbers_are_never_cut_at_the_end_of_a_line() -> None:
    assert strips.unbroken("de 20 000 à 49 999 habitants en 2021") == "de 20\u202f000 à 49\u202f999 habitants en 2021"
    assert strips.unbroken("12 communes de 1 000 000 habitants") == "12 communes de 1\u202f000\u202f000 habitants"
    shown = key_figure_cards([sheet(spread(), places=(place(),))])
    assert re.search(r"\d \d{3}", shown[shown.index("</style>") :]) is None


@pytest.mark.parametrize(("rank", "words"), [(1, "1er"), (2, "2e"), (1234, "1\u202f234e")])
def test_ordinals(rank: int, words: str) -> None:
    assert strips.ordinal(rank) == words


def test_names_are_escaped() -> None:
    named = value_sheet(ROW, distributions=(spread(),), territory='<img src=x onerror="a()">', sources=())
    for content in (strips.strip(named, "size_class"), sheet_details(named)):
        assert "<img" not in content
    assert "<b>" not in counts_table("<b>", {"<b>": 1}, head="<b>").split("</style>")[1]


def test_legend_names_every_mark_of_a_strip() -> None:
    content = legend()
    for name in ("ville", "large10", "large25", "mediane"):
        assert f'class="{name}"' in content
    assert Balance(content[content.index("</style>") + 8 :]).wrong == []
