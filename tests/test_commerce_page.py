"""The page of shops: its document against the tables of the snapshot, its sentences, its address, its files."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from html import unescape
from typing import Any

import numpy as np
import polars as pl
import pytest
import shapely
from streamlit.testing.v1 import AppTest

from bourg.commerce.centre import CentreRule, Perimeter
from bourg.commerce.chains import INDEPENDENT, NETWORK
from bourg.commerce.typology import rules, typology
from bourg.dashboard.views.commerce_map import PALETTE, SHOPS, map_bounds, map_layers
from bourg.errors import ParameterError
from bourg.indicators.engine import USABLE
from bourg.portrait.document import make_portrait
from bourg.portrait.exports import BOM
from bourg.portrait.observatory import Observatory
from bourg.portrait.themes.commerce import CommercePage, make_commerce_page
from bourg.portrait.themes.commerce_charts import flows_spec, survival_spec
from bourg.portrait.themes.commerce_html import class_bar, difference_lists, mix_table, years_table
from bourg.portrait.themes.commerce_mix import COUNTED, OFTEN, counts_by_type, kinds_of
from bourg.portrait.themes.commerce_shops import COLUMNS, shops_csv
from bourg.portrait.themes.commerce_words import named, none_of
from bourg.settings import Settings
from dashboard_tools import html_of, map_data, serve, sound, start, texts

# The generated places of shops are loose: a wide rule still draws a centre.
WIDE = CentreRule(1500, 500, 1, 200, 2, 1000)


@pytest.fixture(scope="module")
def town(small_observatory: Observatory) -> str:
    """The town of the register with the most shops."""
    shops = small_observatory.snapshot.table("shops").filter("open").group_by("code").len().collect()
    return str(shops.sort("len", "code", descending=[True, False])["code"][0])


@pytest.fixture(scope="module")
def page(small_observatory: Observatory, town: str) -> CommercePage:
    return make_commerce_page(small_observatory, town, comparator="size_class", centre_rule=WIDE)


@pytest.fixture(scope="module")
def bare(small_observatory: Observatory) -> CommercePage:
    """A town that the register leaves out and the BPE describes."""
    known = set(small_observatory.snapshot.table("shops").select("code").unique().collect()["code"])
    sheet = small_observatory.matrix.row("commerce.count")
    matrix = small_observatory.matrix
    code = next(
        code
        for code in matrix.codes
        if code not in known
        and not small_observatory.covers("shops", code)
        and matrix.values[sheet, matrix.position(code)] > 20
    )
    return make_commerce_page(small_observatory, code)


@pytest.fixture(scope="module")
def empty(small_observatory: Observatory) -> CommercePage:
    """A commune whose count of shops is a true zero."""
    matrix = small_observatory.matrix
    zero = np.flatnonzero(matrix.values[matrix.row("commerce.count")] == 0)[0]
    return make_commerce_page(small_observatory, matrix.codes[zero])


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, small_settings: Settings) -> None:
    serve(monkeypatch, small_settings)


def raw_shops(observatory: Observatory, code: str) -> pl.DataFrame:
    path = observatory.snapshot.folder / "tables" / "shops.parquet"
    return pl.read_parquet(path).filter(pl.col("code") == code)


# ---- Composition -----------------------------------------------------------------------------------------------------


def test_counts_are_those_of_the_values_table(page: CommercePage, bare: CommercePage, empty: CommercePage) -> None:
    for item in (page, bare, empty):
        assert item.mix is not None
        assert item.mix.total == item.sheets[COUNTED[item.mix.register]].value
        assert sum(row.n for row in item.mix.groups) == item.mix.total
        assert item.mix.demo
    assert (page.mix.register, bare.mix.register) == ("sirene", "bpe")
    shares = [row.share for row in page.mix.groups]
    assert sum(shares) == pytest.approx(100)
    assert sum(row.set_share for row in bare.mix.groups) == pytest.approx(100)


def test_shares_of_the_bpe_are_those_of_the_indicators(bare: CommercePage) -> None:
    for row in bare.mix.groups:
        sheet = bare.sheets.get(f"commerce.share_{row.id}")
        if sheet is not None:
            assert row.share == pytest.approx(sheet.value)


def test_means_of_the_set_match_the_raw_rows(small_observatory: Observatory, bare: CommercePage) -> None:
    matrix, mix = small_observatory.matrix, bare.mix
    row, here = matrix.row("commerce.count"), matrix.position(bare.code)
    members = [
        int(position)
        for position in bare.chosen.members_for("commerce.count")
        if not np.isnan(matrix.values[row, position]) and matrix.lots[row, position] == matrix.lots[row, here]
    ]
    assert mix.compared == len(members)
    year = int(bare.sheets["commerce.count"].period)
    codes = [matrix.codes[position] for position in members]
    table = pl.read_parquet(small_observatory.snapshot.folder / "tables" / "equipment.parquet")
    bakeries = typology().types["bakery"].bpe
    rows = table.filter(pl.col("code").is_in(codes) & (pl.col("year") == year) & pl.col("typequ").is_in(list(bakeries)))
    found = next(item for item in mix.types if item.id == "bakery")
    assert found.set_mean == pytest.approx(rows["n"].sum() / len(codes))
    assert found.present == rows.filter(pl.col("n") > 0)["code"].n_unique()


def test_what_lacks_is_frequent_there_and_absent_here(
    small_observatory: Observatory, bare: CommercePage, page: CommercePage
) -> None:
    for item in (bare, page):
        mix = item.mix
        absent = [row for row in mix.types if row.n == 0 and row.present > OFTEN * mix.compared and named(row.id)]
        assert len(mix.lacking) == len(mix.lacking_names) == len(absent)
        for row in absent:
            (told,) = [text for text in mix.lacking if f" {named(row.id)} (" in text]
            assert str(row.present) in told.replace("\u202f", "")
            assert told.endswith(f"ici, {none_of(row.id)}.")
        counts = counts_by_type(small_observatory, mix.register, item.sheets[COUNTED[mix.register]].period)
        own = counts[small_observatory.matrix.position(item.code)]
        assert all(own[kinds_of(mix.register).index(row.id)] == 0 for row in absent)
    assert any(item.mix.lacking or item.mix.rare for item in (bare, page))


def test_zero_missing_and_few_are_told_apart(small_observatory: Observatory, empty: CommercePage) -> None:
    assert "zéro compté" in empty.summary()[0]
    assert not empty.places
    missing = next(
        code
        for code in small_observatory.matrix.codes
        if small_observatory.index.get(code).code == code
        and np.isnan(small_observatory.matrix.values[small_observatory.matrix.row("commerce.count")][
            small_observatory.matrix.position(code)
        ])
    )  # fmt: skip
    unknown = make_commerce_page(small_observatory, missing)
    assert unknown.mix is None
    assert not unknown.registered
    assert "manquante" in unknown.nothing
    assert unknown.summary() == ()


def test_too_small_a_set_gives_no_comparison(small_observatory: Observatory, town: str) -> None:
    alone = make_commerce_page(small_observatory, town, comparator="epci")
    assert alone.mix.compared < 20
    assert "il en faut 20" in alone.mix.message
    assert alone.mix.lacking == alone.mix.rare == ()
    assert all(row.set_share is None for row in alone.mix.types)
    assert "il en faut 20" in unescape(difference_lists(alone.mix))
    with pytest.raises(ParameterError, match="comparateur"):
        make_commerce_page(small_observatory, town, comparator="voisins")


def test_the_table_bears_its_figures_and_escapes(bare: CommercePage) -> None:
    made = mix_table(bare.mix, 'Ville <b>"x"', groups=True)
    assert "<b>" not in made
    assert made.count("<tr>") == 1 + sum(1 for row in bare.mix.groups if row.n or row.set_mean)
    assert 'class="barres" aria-hidden' in made


# ---- Brands, list, centre --------------------------------------------------------------------------------------------


def test_classes_and_bounds_are_those_of_the_indicators(small_observatory: Observatory, page: CommercePage) -> None:
    shops = raw_shops(small_observatory, page.code).filter("open")
    assert page.classes.network == shops.filter(pl.col("chain") == NETWORK).height
    assert page.classes.independent == shops.filter(pl.col("chain") == INDEPENDENT).height
    assert page.classes.n == shops.height == sum(row.n for row in page.classes_by_group)
    assert page.classes.low == pytest.approx(page.sheets["commerce.chain_share_low"].value)
    assert page.classes.high == pytest.approx(page.sheets["commerce.chain_share_high"].value)
    assert sum(n for _, _, n in page.evidence) == shops.height
    bar = unescape(class_bar(page.classes))
    assert all(label in bar for label in ("Enseigne de réseau", "Indéterminé", "Indépendant"))


def test_every_shop_is_inside_outside_or_unplaced(small_observatory: Observatory, page: CommercePage) -> None:
    assert page.has_centre
    centre = page.centre
    assert centre.inside + centre.outside + centre.unplaced == page.shops.height
    assert page.mix.centre_total == centre.inside
    shops = raw_shops(small_observatory, page.code).filter("open").drop_nulls("longitude")
    inside = shapely.covers(centre.polygon, shapely.points(shops["longitude"], shops["latitude"]))
    assert int(inside.sum()) == centre.inside
    assert [item.shops for item in page.places] == [page.shops.height, centre.inside, centre.outside]


def test_a_declared_perimeter_replaces_the_rule(small_observatory: Observatory, page: CommercePage) -> None:
    declared = Perimeter(page.outline, "ORT de la ville")
    whole = make_commerce_page(small_observatory, page.code, declared=declared)
    assert whole.centre.origin == "declared"
    assert "ORT de la ville" in whole.centre.sentence
    assert whole.centre.outside == 0 < whole.centre.inside
    strict = make_commerce_page(small_observatory, page.code, centre_rule=CentreRule(50, 20, 20, 5, 100, 1000))
    assert (strict.has_centre, strict.mix.centre_total) == (False, None)
    assert strict.centre.reason in strict.summary()


def test_csv_is_safe_complete_and_says_what_is_generated(page: CommercePage) -> None:
    spoiled = page.shops.with_columns(
        name=pl.when(pl.int_range(pl.len()) == 0).then(pl.lit('=HYPERLINK("x")')).otherwise("name")
    )
    text = shops_csv(spoiled, centre=True, demo=True)
    assert text.startswith(BOM)
    rows = list(csv.DictReader(io.StringIO(text.removeprefix(BOM)), delimiter=";"))
    assert tuple(rows[0]) == COLUMNS
    assert len(rows) == page.shops.height
    assert rows[0]["nom"] == '\'=HYPERLINK("x")'
    assert {row["demonstration"] for row in rows} == {"oui"}
    assert sum(row["dans_le_centre"] == "oui" for row in rows) == page.centre.inside
    assert {row["dans_le_centre"] for row in rows if not row["longitude"]} <= {""}
    without = csv.DictReader(io.StringIO(shops_csv(page.shops, centre=False, demo=True)[1:]), delimiter=";")
    assert {row["dans_le_centre"] for row in without} == {""}


def test_map_shows_each_placed_shop_once_with_its_group(page: CommercePage) -> None:
    layers, legend = map_layers(page, ())
    assert [layer.id for layer in layers] == ["commune", "centre", "mairie", SHOPS]
    (points,) = [layer.source["features"] for layer in layers if layer.id == SHOPS]
    assert len(points) == page.centre.inside + page.centre.outside
    counted = [int(item.count.replace("\u202f", "")) for item in legend.items if item.count]
    assert sum(counted) == len(points)
    assert len(PALETTE.light) == len(PALETTE.dark) == len(typology().groups) + 2
    some, _ = map_layers(page, ("food",))
    (fewer,) = [layer.source["features"] for layer in some if layer.id == SHOPS]
    colour = list(typology().groups).index("food")
    assert {item["properties"]["couleur"] for item in fewer} == {colour}
    assert all("◆" in item["properties"]["texte"] for item in fewer)
    west, south, east, north = map_bounds(page)
    assert shapely.box(west, south, east, north).contains(page.centre.polygon)


# ---- Evolution -------------------------------------------------------------------------------------------------------


def test_flows_add_up_and_years_without_event_are_zeros(small_observatory: Observatory, page: CommercePage) -> None:
    years = page.flows.years
    assert years["year"].to_list() == list(range(rules()["first_year"], page.flows.last_year + 1))
    assert years["net"].to_list() == (years["opened"] - years["closed"]).to_list()
    assert years["stock"].diff().drop_nulls().to_list() == years["net"].to_list()[1:]
    assert years["stock"][-1] == page.shops.filter(pl.col("created").is_not_null()).height
    first, last = page.flows.window
    inside = years.filter(pl.col("year").is_between(first, last))
    for column in ("opened", "closed"):
        assert page.flows.groups[column].sum() == page.flows.types[column].sum() == inside[column].sum()
    path = small_observatory.snapshot.folder / "tables" / "shop_years.parquet"
    raw = pl.read_parquet(path).filter(pl.col("code") == page.code)
    assert raw["opened"].sum() == years["opened"].sum()


def test_survival_is_that_of_the_indicators(page: CommercePage) -> None:
    for age in (1, 3, 5):
        sheet = page.sheets[f"commerce.survival_{age}"]
        point = page.flows.survival.filter((pl.col("who") == "ville") & (pl.col("age") == age - 1))
        if sheet.status in USABLE:
            assert point["survival"][0] == pytest.approx(sheet.value)
    assert page.flows.survival["at_risk"].min() >= rules()["survival_min"]


def test_a_year_before_the_break_is_refused_with_its_reason(small_observatory: Observatory, town: str) -> None:
    with pytest.raises(ParameterError, match="2009") as refused:
        make_commerce_page(small_observatory, town, since=2005)
    assert "nomenclature" in refused.value.why
    with pytest.raises(ParameterError, match="s'arrête"):
        make_commerce_page(small_observatory, town, since=2099)
    later = make_commerce_page(small_observatory, town, since=2015)
    assert later.flows.years["year"][0] == 2015


def test_what_the_values_table_hides_is_not_counted_again(small_observatory: Observatory, page: CommercePage) -> None:
    portrait = make_portrait(small_observatory, page.code)

    def without(*names: str) -> CommercePage:
        sheets = {
            name: replace(sheet, status="secret", value=None) if name in names else sheet
            for name, sheet in portrait.sheets.items()
        }
        return make_commerce_page(small_observatory, page.code, portrait=replace(portrait, sheets=sheets))

    no_list = without("commerce.chain_share_low")
    assert (no_list.registered, no_list.shops.height, no_list.classes.n, no_list.flows) == (False, 0, 0, None)
    assert without("commerce.net_change").flows is None
    fewer = without("commerce.survival_1", "commerce.vacancy_proxy").flows
    assert (fewer.survival.height, fewer.addresses) == (0, None)
    assert without("commerce.sirene_count").mix.register == "bpe"


def test_charts_have_their_table_and_name_no_address(page: CommercePage) -> None:
    for spec in (flows_spec(page.flows, page.name), survival_spec(page.flows, page.name, page.set_label)):
        text = json.dumps({**spec, "$schema": ""}, ensure_ascii=False)
        assert "http" not in text
        assert "tableau" in spec["description"]
    drawn = flows_spec(page.flows, page.name)["layer"][0]["data"]["values"]
    assert sum(row["n"] for row in drawn if row["n"] > 0) == page.flows.years["opened"].sum()
    assert years_table(page.flows, demo=True).count('<th scope="row">') == page.flows.years.height


def test_the_document_is_plain_json_and_the_same_twice(small_observatory: Observatory, page: CommercePage) -> None:
    again = make_commerce_page(small_observatory, page.code, comparator="size_class", centre_rule=WIDE)
    first, second = (json.dumps(item.to_dict(), ensure_ascii=False) for item in (page, again))
    assert first == second
    told = page.summary()
    assert all(text.endswith(".") and "None" not in text for text in (*told, *page.diversity()))
    assert not any(word in " ".join(told) for word in (" car ", "parce que", "à cause", "grâce"))


# ---- Page and address ------------------------------------------------------------------------------------------------


def open_page(**address: Any) -> AppTest:
    return start(address, page="commerces")


def given(app: AppTest) -> dict[str, list[str]]:
    """Return the address, which AppTest gives as texts or as lists."""
    return {name: [value] if isinstance(value, str) else list(value) for name, value in dict(app.query_params).items()}


def test_page_shows_the_town_its_centre_and_its_list(home: None, town: str, page: CommercePage) -> None:
    app = open_page(commune=town, comparer="size_class", regle="1500,500,1,200,2")
    shown = unescape(html_of(app))
    assert not app.error
    assert [item.value for item in app.title] == ["Commerces"]
    assert page.summary()[0].replace("\u202f", " ") in shown.replace("\u202f", " ")
    assert "dont la position est connue" in shown
    assert "30 sur" in shown
    layers = {item["id"] for item in map_data(app)["layers"]}
    assert layers == {"commune", "centre", "mairie", SHOPS}
    assert "Aucun comptage n'est importé" in texts(app)
    app.text_input(key="commerces-cherche").set_value("boulangerie").run()
    bakeries = page.shops.filter(pl.col("type") == "bakery").height
    named_so = page.shops.filter(
        pl.col("name").fill_null("").str.to_lowercase().str.contains("boulangerie") | (pl.col("type") == "bakery")
    ).height
    assert bakeries <= named_so
    assert f"**{named_so}\u00a0commerces**" in texts(sound(app))


def test_rule_is_moved_undone_and_reset(home: None, town: str) -> None:
    app = open_page(commune=town)
    app.slider(key="commerces-regle-start_m").set_value(1000).run()
    assert given(sound(app))["regle"] == ["1000,100,3,40,8"]
    assert "1\u202f000\u00a0m de la mairie" in texts(app)
    app.button(key="commerces-annuler").click().run()
    assert "regle" not in sound(app).query_params
    app.slider(key="commerces-regle-min_shops").set_value(2).run()
    app.button(key="commerces-remettre").click().run()
    assert "regle" not in sound(app).query_params
    app.slider(key="commerces-regle-link_m").set_value(20).run()
    assert "marge du tracé" in app.error[0].value


def test_wrong_address_is_told_and_the_rest_is_kept(home: None, town: str) -> None:
    app = open_page(commune=town, comparer="voisins", source="xx", depuis="1999", regle="1,2", groupe="fleurs")
    problems = "\n".join(item.value for item in app.error)
    for word in ("voisins", "xx", "2009", "règle du centre", "fleurs"):
        assert word in problems
    assert given(app) == {"commune": [town]}


def test_a_town_without_register_says_it_once(home: None, bare: CommercePage, empty: CommercePage) -> None:
    app = open_page(commune=bare.code)
    assert texts(app).count("Sirene ne décrit pas cette commune") == 1
    assert "Rupture en 2021" in texts(app) or "2021" in texts(app)
    assert not app.get("bidi_component")
    zero = open_page(commune=empty.code)
    assert "c'est un zéro" in texts(zero)
    welcome = open_page()
    assert "Choisissez une commune" in texts(welcome)
