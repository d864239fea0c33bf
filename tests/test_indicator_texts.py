"""Every French text of every indicator, read by a list of suspicious forms; labels are unique."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from bourg.compare.grammar import of_subject, subject_of
from bourg.compare.specificities import compared_sentence
from bourg.indicators.registry import Declaration, load_indicators
from bourg.sources.model import load_catalogue

DECLARED = {name: item.declaration for name, item in load_indicators().items()}
_VOWEL = r"[aeiouyàâéèêëîïôûœ]"
# Words in h that forbid the elision, and the letters, figures and acronyms read one by one.
_ASPIRATED = r"(?!un(?:e)? (?:à|sur)|onz|oui|ya|yo)"
SUSPICIOUS = {
    "article non contracté": r"\b(?:de|à) les?\b(?! (?:la|leur)\b)",
    "élision oubliée": rf"\b(?:le|la|de|que|ne|se|ce|jusque|lorsque|puisque) {_ASPIRATED}{_VOWEL}",
    "« si il »": r"\bsi ils?\b",
    "espace double": r"\S  +\S",
    "espace avant une virgule ou un point": r"\s[,.](?!\d|\.)",
    "espace oubliée avant un signe double": r"[^\s\u00a0\u202f\d/p][;:?!](?!//)",
    "espace oubliée après une virgule": r",(?=[^\W\d_])",
    "guillemets droits": r'"',
    "guillemets sans espace": r"«[^\s\u00a0\u202f]|[^\s\u00a0\u202f]»",
    "apostrophe double ou accent grave": r"''|`|´",
    "mot répété": r"\b(\w{3,}) \1\b",
    "deux signes de fin": r"[.,;:]{2}(?!\.)|\.\.(?!\.)",
    "points de suspension en trois signes": r"\.\.\.",
    "multiplication ou tiret de clavier": r"\d x \d| - | -\d|\b100 \*",
    "mot français sans accent": r"\b(?:departement|region|donnees|equipement|evolution|periode|etablissement)s?\b",
}


def texts(declared: Declaration) -> dict[str, str]:
    """Return the name of each text a reader sees -> the text."""
    names = ("label", "unit", "formula", "limits", "secrecy", "series_break", "reference")
    return {name: getattr(declared, name) for name in names if getattr(declared, name)}


def sentences(name: str, declared: Declaration) -> dict[str, str]:
    """Return the sentences made from the label: above and below the others, alone, in a complement."""
    subject = subject_of(name, declared.label)
    return {
        "plus élevé": compared_sentence(
            subject, "1", higher=True, passed=46, others=50, among="villes semblables", percent=True
        ),
        "plus faible": compared_sentence(
            subject, "1", higher=False, passed=14, others=14, among="villes semblables", percent=False
        ),
        "complément": f"Carte {of_subject(subject.words)}.",
    }


def suspicious(text: str) -> list[str]:
    # Names of columns and addresses are not French.
    plain = re.sub(r"https?://\S+|\b\w+_\w+\b", "x", text)
    return [f"{name} : « {found.group()} »" for name, rule in SUSPICIOUS.items() if (found := re.search(rule, plain))]


@pytest.mark.parametrize("name", DECLARED)
def test_no_text_of_an_indicator_is_suspicious(name: str) -> None:
    declared = DECLARED[name]
    told = {**texts(declared), **sentences(name, declared)}
    assert {part: found for part, text in told.items() if (found := suspicious(text))} == {}


@pytest.mark.parametrize("name", DECLARED)
def test_long_texts_are_sentences(name: str) -> None:
    declared = DECLARED[name]
    for part in ("formula", "limits", "secrecy", "series_break"):
        text = getattr(declared, part)
        if text:
            assert text[0].isupper() or text[0].isdigit(), f"{part} commence par une minuscule"
            assert text.endswith((".", "!", "?")), f"{part} ne finit pas par un point"
    assert declared.label[0].isupper()
    assert not declared.label.endswith(".")


@pytest.mark.parametrize("source", load_catalogue().values(), ids=lambda source: source.id)
def test_no_caveat_of_a_source_is_suspicious(source) -> None:
    caveats = [*source.caveats, *(text for item in source.resources for text in item.caveats)]
    rules = ("article non contracté", "espace double", "« si il »", "mot répété", "guillemets droits")
    for text in caveats:
        found = [name for name in rules if re.search(SUSPICIOUS[name], text)]
        assert found == [], text


@pytest.mark.parametrize(
    "wrong",
    [
        "le nombre de écrans", "la part de le parc", "il faut que il", "deux  espaces", "un mot , puis", "pas de les",
        "si il y a", 'dit "secret"', "«mot»", "trois...", "la part: 3", "un,deux", "pour pour", "l''eau", "les donnees",
    ],
)  # fmt: skip
def test_the_list_finds_what_it_should(wrong: str) -> None:
    assert suspicious(wrong)


@pytest.mark.parametrize(
    "right",
    ["le nombre d'écrans", "la part du parc", "le 1er janvier", "de 500 à 1 999 habitants", "de onze logements",
     "l'eau… et le reste ; « secret » : 3,5 %", "de haies", "100 × a ÷ b"],
)  # fmt: skip
def test_the_list_leaves_good_french_alone(right: str) -> None:
    assert suspicious(right) == []


def test_labels_are_unique() -> None:
    counts = Counter(declared.label.casefold() for declared in DECLARED.values())
    assert [label for label, count in counts.items() if count > 1] == []
    subjects = Counter(subject_of(name, declared.label).words for name, declared in DECLARED.items())
    assert [words for words, count in subjects.items() if count > 1] == []


def test_labels_of_two_typologies_say_which_one_is_meant() -> None:
    ministry = [declared.label for name, declared in DECLARED.items() if name.startswith("culture.ministry_")]
    assert len(ministry) == 12
    assert all("du ministère" in label or "des domaines du ministère" in label for label in ministry)
    assert not any("ministère" in DECLARED[f"culture.{name}_share"].label for name in ("living", "heritage"))
