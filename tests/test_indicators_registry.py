"""Declarations are checked at import; typologies and parameters are checked at load; the page is up to date."""

from __future__ import annotations

import datetime as dt
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest

from bourg.errors import DeclarationError, ParameterError, UnknownIndicatorError
from bourg.indicators import parameters, registry, typologies
from bourg.indicators.documentation import PARAMETERS, render
from bourg.indicators.parameters import Parameter, parameter, size_classes
from bourg.indicators.registry import get_indicator, indicator, load_indicators
from bourg.indicators.theme_labels import THEMES
from bourg.indicators.typologies import TYPOLOGIES, categorise, load_typology, normalise_label
from bourg.sources.model import load_catalogue

GOOD: dict[str, object] = {
    "id": "population.essai",
    "label": "Essai",
    "unit": "habitants",
    "theme": "population",
    "kind": "count",
    "levels": ("commune",),
    "sources": ("populations",),
    "direction": "neutral",
    "secrecy": None,
    "decimals": 0,
    "period": "year",
    "formula": "Un essai.",
    "limits": "Tout.",
    "reference": "Aucune.",
}


def _function(population: pl.LazyFrame) -> pl.LazyFrame:
    return population


@pytest.fixture(autouse=True)
def _same_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    load_indicators()
    monkeypatch.setattr(registry, "_REGISTRY", dict(registry._REGISTRY))


def test_a_complete_declaration_is_registered() -> None:
    assert indicator(**GOOD)(_function) is _function
    assert get_indicator("population.essai").data_tables == ("population",)


@pytest.mark.parametrize("name", sorted(set(GOOD) - {"id"}))
def test_a_missing_attribute_is_refused_and_named(name: str) -> None:
    attributes = {key: value for key, value in GOOD.items() if key != name}
    with pytest.raises(DeclarationError, match=rf"population\.essai[\s\S]*{name} : attribut manquant"):
        indicator(**attributes)(_function)


def test_an_unknown_attribute_is_refused_and_named() -> None:
    with pytest.raises(DeclarationError, match=r"population\.essai[\s\S]*couleur : attribut inconnu"):
        indicator(**GOOD, couleur="bleu")(_function)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("id", "Population"),
        ("id", "culture.essai"),
        ("direction", "plus"),
        ("levels", ()),
        ("levels", ("quartier",)),
        ("levels", ("commune", "commune")),
        ("decimals", -1),
        ("limits", ""),
        ("fallback", {"culture_places": "culture_counts"}),
        ("fallback", {"population": "licornes"}),
    ],
)
def test_a_malformed_attribute_is_refused(name: str, value: object) -> None:
    with pytest.raises(DeclarationError):
        indicator(**{**GOOD, name: value})(_function)


def test_an_id_is_taken_once() -> None:
    indicator(**GOOD)(_function)
    with pytest.raises(DeclarationError, match="déclaré deux fois"):
        indicator(**GOOD)(_function)


def test_parameters_of_the_function_are_known_tables() -> None:
    def strange(population: pl.LazyFrame, licornes: pl.LazyFrame) -> pl.LazyFrame:
        return population

    def no_data(units: pl.LazyFrame) -> pl.LazyFrame:
        return units

    with pytest.raises(DeclarationError, match="licornes"):
        indicator(**GOOD)(strange)
    with pytest.raises(DeclarationError, match="table connue"):
        indicator(**GOOD)(no_data)


def test_unknown_indicator_proposes_the_closest() -> None:
    with pytest.raises(UnknownIndicatorError, match=r"population\.density") as caught:
        get_indicator("population.densite")
    assert caught.value.http_status == 404


def test_the_first_set_is_there() -> None:
    indicators = load_indicators()
    assert len(indicators) >= 32
    themes = {item.declaration.theme for item in indicators.values()}
    assert themes <= set(THEMES)
    assert list(indicators) == sorted(indicators)


def test_declared_sources_are_in_the_catalogue() -> None:
    catalogue = load_catalogue()
    declared = {source for item in load_indicators().values() for source in item.declaration.sources}
    assert declared <= set(catalogue)


def test_page_of_indicators_is_up_to_date() -> None:
    page = Path(__file__).resolve().parents[1] / "docs" / "indicators.md"
    assert page.read_text(encoding="utf-8") == render(), (
        "lancez : python -m bourg.indicators.documentation > docs/indicators.md"
    )


# Parameters


def test_every_parameter_file_is_documented_and_loads() -> None:
    folder = Path(parameters.__file__).parent / "parameters"
    names = {path.stem for path in folder.glob("*.yaml")} - {"typequ"}
    assert names == set(PARAMETERS)
    assert all(parameters.load_parameter(name).reference for name in names)


def test_parameter_depends_on_the_date(monkeypatch: pytest.MonkeyPatch) -> None:
    declared = Parameter.model_validate(
        {
            "name": "seuil",
            "label": "Seuil",
            "unit": "%",
            "reference": "essai",
            "values": [{"from": dt.date(2022, 1, 1), "value": 8}, {"from": dt.date(2020, 1, 1), "value": 10}],
        }
    )
    monkeypatch.setattr(parameters, "load_parameter", lambda *_: declared)
    assert parameter("seuil", dt.date(2021, 6, 1)) == 10
    assert parameter("seuil", dt.date(2022, 1, 1)) == 8
    assert parameter("seuil") == 8
    with pytest.raises(ParameterError):
        parameter("seuil", dt.date(2019, 12, 31))


@pytest.mark.parametrize("name", ["licorne", "../registry", ""])
def test_unknown_parameter(name: str) -> None:
    with pytest.raises(ParameterError):
        parameter(name)


def test_malformed_parameter_file_is_named() -> None:
    # typequ.yaml is a nomenclature that lives in the same folder: it is no dated parameter.
    with pytest.raises(DeclarationError, match=r"typequ\.yaml"):
        parameter("typequ")


def test_size_classes_cover_every_population_once() -> None:
    classes = size_classes()
    assert classes[0].low == 0
    assert classes[-1].high is None
    for before, after in pairwise(classes):
        assert before.high is not None
        assert after.low == before.high + 1


# Typologies


def _category(label: str | None, typology: str) -> str:
    frame = pl.DataFrame({"type": [label]}, schema={"type": pl.String})
    return str(frame.select(categorise(pl.col("type"), typology)).item())


@pytest.mark.parametrize(
    ("label", "brief", "ministere", "carte"),
    [
        ("Bibliothèque", "vivant", "lecture", "autre_vivant"),
        ("Cinéma", "vivant", "cinema", "autre_vivant"),
        ("Musée", "vivant", "musees", "autre_vivant"),
        ("Théâtre", "vivant", "spectacle_vivant", "spectacle_vivant"),
        ("Scène", "vivant", "spectacle_vivant", "spectacle_vivant"),
        ("Opéra", "vivant", "spectacle_vivant", "spectacle_vivant"),
        ("Centre de création artistique", "vivant", "spectacle_vivant", "spectacle_vivant"),
        ("Librairie", "vivant", "lecture", "autre_vivant"),
        ("Conservatoire", "vivant", "enseignement", "autre_vivant"),
        ("Centre d'art", "vivant", "arts_visuels", "autre_vivant"),
        ("Monument", "patrimoine", "patrimoine", "patrimoine"),
        ("Espace protégé", "patrimoine", "patrimoine", "patrimoine"),
        ("Service d'archives", "patrimoine", "patrimoine", "patrimoine"),
        ("Lieu archéologique", "patrimoine", "patrimoine", "patrimoine"),
        ("Parc et jardin", "patrimoine", "patrimoine", "patrimoine"),
        ("Lieu de mémoire", "patrimoine", "patrimoine", "patrimoine"),
        ("Papeterie et maisons de la presse", "non_classe", "lecture", "autre_vivant"),
        ("Établissement d'enseignement supérieur", "non_classe", "enseignement", "autre_vivant"),
        ("Centre culturel", "non_classe", "pluridisciplinaire", "autre_vivant"),
        ("Guinguette", "non_classe", "non_classe", "non_classe"),
        (None, "non_classe", "non_classe", "non_classe"),
        ("Musique", "festival", "festival", "festival"),
    ],
)
def test_official_types(label: str | None, brief: str, ministere: str, carte: str) -> None:
    assert [_category(label, name) for name in ("brief", "ministere", "carte")] == [brief, ministere, carte]


@pytest.mark.parametrize("label", ["MUSÉES", " musee ", "Musee", "musées"])
def test_variants_of_a_label(label: str) -> None:
    assert _category(label, "ministere") == "musees"


def test_normalisation_is_the_same_in_python_and_polars() -> None:
    labels = [
        "Lieux archéologiques",
        "Services d’archives",
        "ÉTABLISSEMENTS d'enseignement  supérieur",
        "Parcs & jardins",
    ]
    frame = pl.DataFrame({"type": labels}).select(typologies.normalised(pl.col("type")))
    assert frame["type"].to_list() == [normalise_label(label) for label in labels]


def test_unknown_typology() -> None:
    with pytest.raises(ParameterError, match="brief"):
        load_typology("unesco")
    assert load_typology("carte").label_of("non_classe") == "non classé"
    assert {load_typology(name).id for name in TYPOLOGIES} == set(TYPOLOGIES)
