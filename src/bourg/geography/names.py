"""Names of communes: articles of the COG, and the normal form used to search them."""

from __future__ import annotations

import re

import polars as pl

from bourg.text import unaccented

# INSEE, TNCC (type de nom en clair): article, and the word that joins the name to what precedes.
ARTICLES = {0: "", 1: "", 2: "Le ", 3: "La ", 4: "Les ", 5: "L'", 6: "Aux ", 7: "Las ", 8: "Los "}
_OF = {0: "de ", 1: "d'", 2: "du ", 3: "de La ", 4: "des ", 5: "de L'", 6: "des ", 7: "de Las ", 8: "de Los "}
_IN_DEPARTEMENT = {0: "", 1: "", 2: "le ", 3: "la ", 4: "les ", 5: "l'"}

_ABBREVIATIONS = {
    "st": "saint", "ste": "sainte", "sts": "saints", "stes": "saintes", "s": "sur", "ss": "sous",
    "mt": "mont", "chat": "chateau", "lez": "les",
}  # fmt: skip


def with_article(name: pl.Expr, tncc: pl.Expr) -> pl.Expr:
    """Return the full name, ``L'Abergement-Clémenciat``, from the plain name and its TNCC."""
    return tncc.replace_strict(ARTICLES, default="", return_dtype=pl.String) + name


def of_name(plain_name: str, tncc: int) -> str:
    """Return the name after *de*: ``de Millau``, ``d'Annot``, ``du Poizat``, ``des Mées``."""
    return _OF.get(tncc, "de ") + plain_name


def departement_with_article(name: str, tncc: int) -> str:
    """Return ``l'Aveyron``, ``le Cantal``, ``Mayotte``."""
    return _IN_DEPARTEMENT.get(tncc, "") + name


def normalise_name(text: str) -> str:
    """Return the search form of a name: no accent, no case, words split, ``st`` written ``saint``.

    >>> normalise_name("St-Étienne s/ Loire")
    'saint etienne sur loire'
    """
    words = re.findall(r"[a-z0-9]+", unaccented(text))
    return " ".join(_ABBREVIATIONS.get(word, word) for word in words)
