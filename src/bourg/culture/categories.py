"""Places of a territory by category and type, in one of the named typologies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bourg.culture.base import CultureBase, Ints
from bourg.indicators.typologies import UNCLASSIFIED, Typology, load_typology


@dataclass(frozen=True)
class TypeCount:
    """Places of one official type."""

    label: str
    n: int


@dataclass(frozen=True)
class CategoryCount:
    """Places of one category.

    Attributes
    ----------
    id, label
        Category of the typology; « non classé » gathers the types that it does not know.
    n
        Number of places.
    types
        Its types that have a place, the most frequent first.
    peopled
        Places in the communes of known population.
    """

    id: str
    label: str
    n: int
    types: tuple[TypeCount, ...]
    peopled: int


@dataclass(frozen=True)
class Breakdown:
    """Places of one territory by category.

    Attributes
    ----------
    typology
        Name of the typology.
    total
        Number of places, unclassified included.
    categories
        In the order of the typology, those without any place included; « non classé » last.
    people
        Inhabitants of the communes whose population is known, ``None`` when it is of none.
    unpeopled
        Communes of unknown population: their places are left out of the rates.
    """

    typology: str
    total: int
    categories: tuple[CategoryCount, ...]
    people: int | None
    unpeopled: int

    def per_1000(self, category: CategoryCount) -> float | None:
        """Return the places of a category for 1,000 inhabitants; nothing is divided by zero."""
        return 1000 * category.peopled / self.people if self.people else None

    @property
    def rate(self) -> float | None:
        """Places of every category for 1,000 inhabitants."""
        return 1000 * sum(item.peopled for item in self.categories) / self.people if self.people else None

    def share(self, n: int) -> float | None:
        """Return a number of places in percent of the total; without any place there is no share."""
        return 100 * n / self.total if self.total else None


def breakdown(base: CultureBase, rows: Ints, typology: str) -> Breakdown | None:
    """Return the places of some communes by category.

    Parameters
    ----------
    base
        The places of the country.
    rows
        Positions of the communes.
    typology
        ``brief``, ``ministere`` or ``carte``.

    Returns
    -------
    Breakdown or None
        ``None`` where the typed list does not describe every commune: a partial count is not a count.

    Raises
    ------
    ParameterError
        When there is no such typology.
    """
    names = load_typology(typology)
    if not len(rows) or not bool(base.covered[rows].all()):
        return None
    known = np.isfinite(base.population[rows])
    counts, peopled = base.counts[rows].sum(axis=0), base.counts[rows[known]].sum(axis=0)
    groups: dict[str, list[TypeCount]] = {name: [] for name in (*names.categories, UNCLASSIFIED)}
    rated = dict.fromkeys(groups, 0)
    for label, category, n, m in zip(
        base.types, base.categories(typology), counts.tolist(), peopled.tolist(), strict=True
    ):
        rated[category] += m
        if n:
            groups[category].append(TypeCount(label, n))
    made = [
        CategoryCount(
            name, _label(names, name), sum(item.n for item in types),
            tuple(sorted(types, key=lambda item: (-item.n, item.label))), rated[name],
        )
        for name, types in groups.items()
    ]  # fmt: skip
    people = int(base.population[rows[known]].sum()) if known.any() else None
    return Breakdown(typology, int(counts.sum()), tuple(made), people, int((~known).sum()))


def _label(names: Typology, category: str) -> str:
    # The brief has two families: what is in neither is best told by them.
    if names.id == "brief" and category == UNCLASSIFIED:
        return "ni vivants ni patrimoine"
    return names.label_of(category)
