"""Network brands, independents and what cannot be told: names as people write them, traps, bounds."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bourg.commerce.chains import (
    CLASSES,
    EVIDENCE,
    INDEPENDENT,
    NETWORK,
    UNDETERMINED,
    brands,
    classify,
    fold_name,
    shares,
)


def _one(kind: str, name: str | None = None, **more: object) -> dict[str, object]:
    frame = pl.DataFrame({"code": ["12145"], "type": [kind], "name": [name], **{k: [v] for k, v in more.items()}},
                         schema_overrides={"name": pl.String})  # fmt: skip
    return classify(frame).row(0, named=True)


def test_at_least_150_brands_of_known_types() -> None:
    found = brands()
    assert len(found) >= 150
    assert len({brand.name for brand in found}) == len(found)
    assert all(brand.types for brand in found)
    assert all(brand.wikidata is None or brand.wikidata[1:].isdigit() for brand in found)


@pytest.mark.parametrize(
    ("kind", "name", "brand"),
    [
        ("supermarket", "INTERMARCHE", "Intermarché"),
        ("supermarket", "intermarché super millau", "Intermarché"),
        ("supermarket", "E.LECLERC", "E.Leclerc"),
        ("hypermarket", "centre leclerc", "E.Leclerc"),
        ("supermarket", "Carrefour Market Millau", "Carrefour Market"),
        ("supermarket", "CARREFOUR", "Carrefour"),
        ("supermarket", "SUPER-U", "Super U"),
        ("fast_food", "MCDONALD'S", "McDonald's"),
        ("fast_food", "Mac Donald's Millau Sud", "McDonald's"),
        ("clothes", "H & M", "H&M"),
        ("clothes", "okaidi", "Okaïdi"),
        ("bakery", "Boulangerie Marie Blachère", "Marie Blachère"),
        ("bakery", "LA MIE CALINE", "La Mie Câline"),
        ("optician", "Optic 2000", "Optic 2000"),
        ("fuel", "Total Access", "TotalEnergies"),
    ],
)
def test_brands_are_found_whatever_the_case_and_accents(kind: str, name: str, brand: str) -> None:
    row = _one(kind, name)
    assert (row["chain"], row["evidence"], row["brand"]) == (NETWORK, "sign", brand)


@pytest.mark.parametrize(
    "name",
    [
        "boulangerie",
        "BOULANGERIE PÂTISSERIE",
        "Boulangerie de la place",
        "Librairie",
        "LE SALON DE COIFFURE",
        "Garage",
        "magasin",
        "boutique 2",
    ],
)
def test_a_trade_is_not_a_name(name: str) -> None:
    row = _one("bakery", name)
    assert (row["chain"], row["evidence"]) == (UNDETERMINED, "trade_name")


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("bakery", "Le Fournil"),
        ("bakery", "Le fournil de Paul"),
        ("hairdresser", "Paul"),
        ("bakery", "Boulanger Dupré"),
        ("restaurant", "Chez Paul"),
        ("restaurant", "Le Petit Casino"),
        ("books_press", "La Lidlerie"),
        ("clothes", "Quick"),
        ("grocery", "Aldin primeurs"),
    ],
)
def test_names_that_look_like_brands_are_independent(kind: str, name: str) -> None:
    row = _one(kind, name)
    assert (row["chain"], row["evidence"], row["brand"]) == (INDEPENDENT, "own_name", None)


def test_boulanger_is_a_brand_of_appliances_only() -> None:
    assert _one("appliances", "Boulanger")["chain"] == NETWORK
    assert _one("bakery", "Boulanger")["chain"] == UNDETERMINED


def test_evidence_comes_in_order() -> None:
    assert _one("bakery", "Chez Zoé", osm_brand="Marie Blachère")["evidence"] == "osm_brand"
    tagged = _one("bakery", None, osm_wikidata="Q62082410")
    assert (tagged["evidence"], tagged["wikidata"]) == ("osm_brand", "Q62082410")
    assert _one("supermarket", "Chez Zoé", osm_operator="Lidl")["evidence"] == "osm_operator"
    assert _one("bakery", "Chez Zoé", osm_operator="Zoé SARL")["evidence"] == "own_name"
    assert _one("supermarket", "Lidl", naf="47.11D")["evidence"] == "sign"
    assert _one("supermarket", None, naf="47.11D")["evidence"] == "size"
    assert _one("grocery", None, naf="47.11B")["evidence"] == "no_name"
    assert _one("supermarket", "SARL DISTRI", name_other="Intermarché")["brand"] == "Intermarché"


def test_a_company_of_many_shops_in_several_departments_is_a_network() -> None:
    def rows(siren: str, codes: list[str], *, is_open: bool = True) -> list[dict[str, object]]:
        return [
            {"siret": f"{siren}{rank:05d}", "code": code, "type": "clothes", "name": "Zélie", "open": is_open}
            for rank, code in enumerate(codes)
        ]

    many = rows("111111111", ["12145", "12202", "48095", "48095", "97105"])
    one_area = rows("222222222", ["12145"] * 6)
    shut = rows("333333333", ["12145", "48095", "30007", "34172", "11069"], is_open=False)
    told = classify(pl.DataFrame([*many, *one_area, *shut]))
    by_company = told.group_by(pl.col("siret").str.slice(0, 9)).agg(pl.col("evidence").unique()).sort("siret")
    assert by_company["evidence"].to_list() == [["company"], ["own_name"], ["own_name"]]


def test_classes_keep_the_order_and_the_rows() -> None:
    frame = pl.DataFrame(
        {"code": ["12145"] * 3, "type": ["bakery"] * 3, "name": ["Paul", None, "Chez Zoé"], "x": [1, 2, 3]}
    )
    told = classify(frame)
    assert told["x"].to_list() == [1, 2, 3]
    assert told["chain"].to_list() == [NETWORK, UNDETERMINED, INDEPENDENT]
    assert set(told["evidence"]) <= set(EVIDENCE)


def test_bounds_hold_the_share() -> None:
    frame = pl.LazyFrame(
        {"code": ["a"] * 3 + ["b"], "chain": [NETWORK, INDEPENDENT, UNDETERMINED, UNDETERMINED], "n": [2, 6, 2, 3]}
    )
    rows = shares(frame).collect().rows_by_key("code", named=True, unique=True)
    assert (rows["a"]["share"], rows["a"]["low"], rows["a"]["high"]) == (25.0, 20.0, 40.0)
    assert (rows["b"]["share"], rows["b"]["low"], rows["b"]["high"]) == (None, 0.0, 100.0)


@given(st.text(max_size=40), st.sampled_from(["bakery", "supermarket", "clothes"]))
def test_any_text_gives_one_of_the_classes(name: str, kind: str) -> None:
    assert _one(kind, name)["chain"] in CLASSES
    folded = fold_name(name)
    assert fold_name(folded) == folded
    assert folded == folded.strip()
