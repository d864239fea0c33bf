"""Culture, kind by kind: libraries, bookshops, cinemas, museums, theatres and conservatoires, counted and rated."""

from __future__ import annotations

import polars as pl

from bourg.culture.kinds import Kind, kind
from bourg.indicators.basilic import BASILIC, place_count, place_rate
from bourg.indicators.helpers import count_by, per_population
from bourg.indicators.typologies import normalise_label

PER_10000 = 10_000
# Kind of the parameter ``culture_kinds`` -> English name.
NAMES = {
    "bibliotheque": "libraries",
    "librairie": "bookshops",
    "cinema": "cinema_places",
    "musee": "museum_places",
    "theatre": "stages",
    "conservatoire": "conservatoires",
}
_REFERENCE = f"{BASILIC} ; paramètre culture_kinds"
_LIMITS = (
    "Basilic recense des lieux, pas leur activité, leur taille ni leurs horaires ; le recensement porte sur 2020, un "
    "lieu récent peut manquer et un lieu fermé y rester."
)
_OWN_LIMITS = {
    "bibliotheque": " Un point de lecture ouvert deux heures par semaine y compte comme une médiathèque.",
    "librairie": " Les papeteries et maisons de la presse qui vendent des livres n'y sont pas.",
    "cinema": " Un cinéma compte pour un, quel que soit son nombre d'écrans.",
    "musee": " Les musées sans l'appellation « musée de France » y sont inégalement recensés.",
    "theatre": " Les salles des fêtes et salles polyvalentes, où jouent beaucoup de compagnies, n'y sont pas.",
    "conservatoire": " Les écoles de musique associatives n'y sont pas.",
}


def _of_kind(places: pl.LazyFrame, wanted: Kind) -> pl.LazyFrame:
    return places.filter(pl.col("type").is_in([normalise_label(label) for label in wanted.types]))


def _declare(wanted: Kind, name: str) -> None:
    capital = wanted.plural[0].upper() + wanted.plural[1:]
    types = ", ".join(wanted.types)
    limits = _LIMITS + _OWN_LIMITS[wanted.id]

    @place_count(
        id=f"culture.{name}_count",
        label=f"{capital} (Basilic)",
        formula=f"Nombre de lieux de Basilic de type {types} situés dans le territoire.",
        limits=limits,
        reference=_REFERENCE,
    )
    def kind_count(culture_places: pl.LazyFrame, coverage: pl.LazyFrame) -> pl.LazyFrame:
        """Places of one kind."""
        return count_by(coverage, "culture_places", _of_kind(culture_places, wanted))

    @place_rate(
        id=f"culture.{name}_per_10000",
        label=f"{capital} pour 10 000 habitants (Basilic)",
        unit="lieux pour 10 000 hab.",
        formula=f"10 000 × lieux de Basilic de type {types} ÷ population municipale.",
        limits=limits + " Dans une petite commune, un seul lieu donne un taux élevé.",
        reference=_REFERENCE,
    )
    def kind_rate(culture_places: pl.LazyFrame, population: pl.LazyFrame, coverage: pl.LazyFrame) -> pl.LazyFrame:
        """Places of one kind for 10,000 inhabitants."""
        counts = count_by(coverage, "culture_places", _of_kind(culture_places, wanted))
        return per_population(counts, population, PER_10000)


for _id, _name in NAMES.items():
    _declare(kind(_id), _name)
