"""How an indicator is named inside a French sentence: article, gender, number, elision."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from bourg.compare.settings import setting

_FIRST = re.compile(r"[^\W\d_]+", re.UNICODE)
_VOWELS = "aàâäeéèêëiîïoôöuùûüœæyh"


@dataclass(frozen=True)
class Subject:
    """The words that stand for an indicator.

    Attributes
    ----------
    words
        With the article, without a capital: ``la part des 65 ans ou plus``.
    gender
        ``m`` or ``f``.
    plural
        Whether the verb and the adjectives are in the plural.
    counts
        Whether the words already say what is counted, so that the unit would repeat it.
    declared
        ``False`` for the last resort, « la valeur de l'indicateur … ».
    """

    words: str
    gender: Literal["m", "f"]
    plural: bool = False
    counts: bool = False
    declared: bool = True

    @property
    def be(self) -> str:
        """Return ``est`` or ``sont``."""
        return "sont" if self.plural else "est"

    def agree(self, adjective: str) -> str:
        """Return an adjective (« élevé », « faible ») in the gender and the number of the subject."""
        feminine = self.gender == "f" and not adjective.endswith("e")
        return adjective + ("e" if feminine else "") + ("s" if self.plural else "")

    @property
    def capital(self) -> str:
        """Return the words with a capital, to begin a sentence."""
        return self.words[0].upper() + self.words[1:]


def elides(word: str) -> bool:
    """Tell whether « de », « le » or « que » lose their vowel before a word."""
    lowered = word.lower()
    first = _FIRST.match(lowered)
    if first is None or lowered[0] not in _VOWELS:
        return False
    return first.group() not in setting("grammar")["aspirated"]


def with_article(words: str, gender: Literal["m", "f"]) -> str:
    """Return ``la part``, ``le taux``, ``l'indice``."""
    if elides(words):
        return f"l'{words}"
    return f"{'la' if gender == 'f' else 'le'} {words}"


def of_words(words: str) -> str:
    """Return ``d'écrans`` or ``de lieux``."""
    return f"d'{words}" if elides(words) else f"de {words}"


def of_subject(words: str) -> str:
    """Return « de » and a subject with its article, contracted: ``du taux``, ``de la part``, ``des recettes``."""
    for article, contracted in (("le ", "du "), ("les ", "des ")):
        if words.startswith(article):
            return contracted + words.removeprefix(article)
    return f"de {words}"


@cache
def subject_of(indicator: str, label: str) -> Subject:
    """Return the words that stand for an indicator in a sentence.

    Declared words first, then declared patterns of labels, then the first word of the label: a known singular noun
    takes its article, a plural one is counted (« le nombre de … »). Last resort: « la valeur de l'indicateur « … » ».
    """
    content: dict[str, Any] = setting("grammar")
    if declared := content["subjects"].get(indicator):
        return _declared(declared["words"], declared["gender"], plural=declared.get("plural", False))
    for pattern in content["patterns"]:
        if found := re.fullmatch(pattern["match"], label):
            return _declared(found.expand(pattern["words"]), pattern["gender"])
    first = _FIRST.match(label)
    words = _lowered(label, first.group()) if first else label
    noun = first.group().lower() if first else ""
    for gender in ("m", "f"):
        if noun in content["nouns"][gender]:
            return Subject(with_article(words, gender), gender, counts=noun == "nombre")
        if noun in content["plural_nouns"][gender] and noun not in content["count_nouns"]:
            return Subject(f"les {words}", gender, plural=True)
    if first and noun.endswith(("s", "x")):
        return Subject(f"le nombre {of_words(words)}", "m", counts=True)
    return Subject(f"la valeur de l'indicateur « {label} »", "f", declared=False)


def _declared(words: str, gender: Literal["m", "f"], *, plural: bool = False) -> Subject:
    counts = words.startswith("le nombre ")
    return Subject(words, gender, plural, counts, declared=not words.startswith("la valeur de l'indicateur"))


def _lowered(label: str, first: str) -> str:
    """Return a label without its capital, acronyms kept."""
    return label if len(first) > 1 and first.isupper() else label[0].lower() + label[1:]
