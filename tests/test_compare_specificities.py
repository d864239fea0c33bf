"""Specificities: effects by hand, one trait per family, sentences with the right agreement for every indicator."""

from __future__ import annotations

import re

import numpy as np
import polars as pl
import pytest

from bourg.compare.comparators import Comparators, ComparisonSet, comparators
from bourg.compare.families import family_of, place_in_family
from bourg.compare.grammar import Subject, elides, of_subject, of_words, subject_of, with_article
from bourg.compare.matrix import commune_matrix
from bourg.compare.settings import load_setting, setting
from bourg.compare.specificities import compared_sentence, robust_effect, specificities
from bourg.errors import ParameterError
from bourg.indicators.parameters import parameter
from bourg.indicators.registry import load_indicators

CODES = [f"{index:05d}" for index in range(1, 42)]
HERE = CODES[-1]


def values(spread: dict[str, list[float | None]], *, status: str = "ok", period: str = "2021") -> pl.DataFrame:
    """Values of the town, last, and of the forty others."""
    rows = [
        (name, "commune", code, period, value, "missing" if value is None else status)
        for name, column in spread.items()
        for code, value in zip(CODES, column, strict=True)
    ]
    return pl.DataFrame(
        rows, schema=["indicator", "level", "code", "period", "value", "status"], orient="row",
        schema_overrides={"value": pl.Float64},
    )  # fmt: skip


def compared(frame: pl.DataFrame, comparator: str = "region", size: int = 40):
    matrix = commune_matrix(frame, CODES)
    chosen = ComparisonSet(
        comparators()[comparator], "x", comparators()[comparator].among, np.arange(40 - size, 40, dtype=np.int64)
    )
    return specificities(matrix, HERE, chosen)


LINE = [float(index) for index in range(40)]


def test_sentence_of_the_brief():
    subject = subject_of("population.share_65_plus", "Part des 65 ans ou plus")
    said = compared_sentence(
        subject, "27,1 %", higher=True, passed=45, others=50, among="villes semblables", percent=True
    )
    assert said == "La part des 65 ans ou plus (27,1 %) est plus élevée que dans 9\u00a0villes semblables sur\u00a010."


@pytest.mark.parametrize(
    ("passed", "others", "percent", "expected"),
    [
        (50, 50, True, "dans chacune des 50 autres villes semblables."),
        (46, 50, True, "dans 9\u00a0villes semblables sur\u00a010."),
        (47, 50, True, "dans plus de 9\u00a0villes semblables sur\u00a010."),
        (49, 50, True, "dans plus de 9\u00a0villes semblables sur\u00a010."),
        (13, 14, False, "dans 13 des 14 autres villes semblables."),
        (14, 14, False, "dans chacune des 14 autres villes semblables."),
    ],
)
def test_shares_are_never_overstated(passed, others, percent, expected):
    subject = Subject("le taux", "m")
    said = compared_sentence(
        subject, "1", higher=False, passed=passed, others=others, among="villes semblables", percent=percent
    )
    assert said == f"Le taux (1) est plus faible que {expected}"


def test_effect_by_hand():
    median, spread, effect = robust_effect(30.0, np.arange(11.0), 6.0)
    assert (median, spread) == (5.0, pytest.approx(1.4826 * 3))
    assert effect == pytest.approx(25 / (1.4826 * 3))
    assert robust_effect(1e9, np.arange(11.0), 6.0)[2] == 6.0
    # Most towns have none: the interquartile range, then the place among the others.
    assert robust_effect(4.0, np.array([0.0] * 6 + [1, 2, 3, 4]), 6.0)[1] > 0
    flat = robust_effect(1.0, np.zeros(99), 6.0)
    assert flat[1] == 0
    assert flat[2] == pytest.approx(2.5758, abs=1e-3)  # the normal quantile of 99.5 %
    assert robust_effect(0.0, np.zeros(99), 6.0)[2] == pytest.approx(0, abs=1e-9)


def test_traits_are_ranked_and_deduplicated():
    answer = compared(
        values(
            {
                "population.share_65_plus": [*LINE, 60.0],
                "population.ageing_index": [*LINE, 90.0],
                "housing.vacancy_rate": [*LINE, 1.0],
                "income.median": [*LINE, 21.0],
                "equipment.total_count": [*LINE, 500.0],
                "equipment.total_per_1000": [*LINE, 20.0],
            }
        )
    )
    assert answer.status == "ok"
    # One age trait, the strongest; the median town of income says nothing; the count gives way to its rate.
    assert [item.indicator for item in answer.traits] == ["population.ageing_index", "housing.vacancy_rate"]
    low = answer.traits[1]
    assert (low.higher, low.n_set, low.n_below, low.n_equal) == (False, 41, 1, 1)
    assert low.share == 38 / 40
    assert low.percentile_strict == pytest.approx(100 / 40)
    assert "est plus faible que dans plus de 9" in low.sentence


def test_demo_values_are_said():
    frame = values({"housing.vacancy_rate": [*LINE, 99.0]}, status="demo")
    trait = compared(frame).traits[0]
    assert trait.demo
    assert trait.sentence.endswith("(valeurs de démonstration).")


def test_real_town_is_not_compared_with_generated_ones():
    frame = values({"housing.vacancy_rate": [*LINE, 99.0]}, status="demo").with_columns(
        status=pl.when(pl.col("code") == HERE).then(pl.lit("ok")).otherwise("status")
    )
    assert compared(frame).status == "none"


def test_ties_extremes_and_tiny_sets():
    assert compared(values({"housing.vacancy_rate": [5.0] * 41})).status == "none"
    ties = compared(values({"housing.vacancy_rate": [0.0] * 35 + [9.0] * 5 + [9.0]}))
    assert ties.traits[0].share == 35 / 40
    tiny = compared(values({"housing.vacancy_rate": [*LINE, 99.0]}), "epci", 4)
    assert tiny.status == "none"
    five = compared(values({"housing.vacancy_rate": [*LINE, 99.0]}), "epci", 5).traits[0]
    assert five.percentile_strict is None
    assert five.sentence.endswith("est plus élevée que dans chacune des 5 autres communes de l'intercommunalité.")
    assert compared(values({"housing.vacancy_rate": [*LINE, 99.0]}), "region", 18).status == "none"


def test_nothing_to_say_is_an_answer():
    nothing = compared(values({"housing.vacancy_rate": [*LINE, None]}))
    assert (nothing.status, nothing.traits) == ("no_value", ())
    assert "Aucune valeur" in nothing.message
    absent = ComparisonSet(comparators()["epci"], "", "communes", np.empty(0, dtype=np.int64), "absent", "Sans EPCI.")
    matrix = commune_matrix(values({"housing.vacancy_rate": [*LINE, 3.0]}), CODES)
    assert specificities(matrix, HERE, absent).message == "Sans EPCI."


def test_evolution_across_a_break_is_blocked():
    spread = {"equipment.change": [*LINE, 99.0], "population.change_annual": [*LINE, 99.0]}
    crossed = compared(values(spread, period="2019-2023"))
    assert [name for name, _ in crossed.blocked] == ["equipment.change"]
    assert [item.indicator for item in crossed.traits] == ["population.change_annual"]
    after = compared(values(spread, period="2021-2023"))
    assert after.blocked == ()
    flagged = next(item for item in after.traits if item.indicator == "equipment.change")
    assert flagged.caution
    assert parameter("bpe_series_break") == 2021
    refused = values(spread).with_columns(
        status=pl.when(pl.col("indicator") == "equipment.change").then(pl.lit("not_applicable")).otherwise("status"),
        value=pl.when(pl.col("indicator") != "equipment.change").then("value"),
    )
    assert [name for name, _ in compared(refused).blocked] == ["equipment.change"]


def test_size_is_not_said_among_towns_chosen_for_it():
    frame = values({"population.density": [*LINE, 99.0]})
    assert compared(frame, "similar").status == "none"
    assert compared(frame, "region").traits[0].family == "density"


@pytest.mark.parametrize("name", sorted(load_indicators()))
def test_every_indicator_has_words_that_agree(name):
    declared = load_indicators()[name].declaration
    subject = subject_of(name, declared.label)
    assert subject.declared, f"déclarez le premier mot de « {declared.label} » dans compare/parameters/grammar.yaml"
    article = re.match(r"les |le |la |l'", subject.words).group().strip()
    if article == "les":
        assert subject.plural
    else:
        assert not subject.plural
        assert article == "l'" or (article == "la") == (subject.gender == "f")
    said = compared_sentence(subject, "1", higher=True, passed=9, others=10, among="communes", percent=True)
    verb = {("m", False): "est plus élevé ", ("f", False): "est plus élevée ", ("m", True): "sont plus élevés ",
            ("f", True): "sont plus élevées "}[subject.gender, subject.plural]  # fmt: skip
    assert verb in said
    assert said[0].isupper()
    words = subject.words
    assert not re.search(r"\b(de|le|la|du) [aeéèêiou]", re.sub(r"«[^»]*»", "", words).lower()), words
    assert "  " not in words
    assert not re.search(r"parce|grâce|à cause|en raison", said)
    assert family_of(name)


@pytest.mark.parametrize(
    ("label", "words", "gender"),
    [
        ("Part des appartements", "la part des appartements", "f"),
        ("Indice de vieillissement", "l'indice de vieillissement", "m"),
        ("Évolution du nombre d'équipements", "l'évolution du nombre d'équipements", "f"),
        ("Habitants par écran", "le nombre d'habitants par écran", "m"),
        ("Halles couvertes", "le nombre de halles couvertes", "m"),
        ("Écrans de cinéma", "le nombre d'écrans de cinéma", "m"),
        ("APL aux médecins", "la valeur de l'indicateur « APL aux médecins »", "f"),
        ("Zigzag", "la valeur de l'indicateur « Zigzag »", "f"),
    ],
)
def test_rules_of_words(label, words, gender):
    subject = subject_of("x.y", label)
    assert (subject.words, subject.gender) == (words, gender)


def test_small_words():
    assert with_article("âge moyen", "m") == "l'âge moyen"
    assert of_words("hôtels") == "d'hôtels"
    assert of_words("hameaux") == "de hameaux"
    assert of_subject("le taux") == "du taux"
    assert of_subject("les recettes") == "des recettes"
    assert of_subject("l'indice") == "de l'indice"
    assert not elides("1 000 habitants")
    plural = Subject("les recettes", "f", plural=True)
    assert (plural.be, plural.agree("élevé"), plural.agree("faible")) == ("sont", "élevées", "faibles")


def test_families():
    assert family_of("population.share_65_plus") == family_of("population.ageing_index") == "age"
    assert family_of("new.thing_count") == family_of("new.thing_per_1000") == "new.thing"
    assert place_in_family("population.total") == 0
    assert family_of("culture.cinema_seats") == family_of("culture.cinema_screens_per_1000")


def test_settings_are_declared():
    assert load_setting("grammar").label
    with pytest.raises(ParameterError, match="n'existe pas"):
        setting("nope")
    with pytest.raises(ParameterError, match="n'existe pas"):
        setting("../grammar")


def test_a_real_town_end_to_end(small_observatory):
    communes = small_observatory.communes
    matrix = commune_matrix(pl.scan_parquet(small_observatory.snapshot.path("values.parquet")), communes["code"])
    sets = Comparators(matrix, communes, pvd=list(small_observatory.pvd) or None)
    answer = specificities(matrix, "12145", sets.of("12145", ["departement"])[0], limit=3)
    assert answer.status == "ok"
    assert len({item.family for item in answer.traits}) == len(answer.traits) == 3
    assert all(item.sentence.endswith(".") and "communes du département" in item.sentence for item in answer.traits)
    assert answer.to_dict()["traits"][0]["indicator"] == answer.traits[0].indicator
