"""Types of small towns: a deterministic k-means on the structure, described by its own medians."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bourg.compare.grammar import subject_of
from bourg.compare.matrix import Floats
from bourg.compare.settings import setting
from bourg.compare.structure import MAD_SCALE, Structure
from bourg.errors import SnapshotError
from bourg.indicators.values import declaration_of, value_text
from bourg.text import count_of, format_number, join_words

_EXAMPLES = 3
_OUTSIDE = -1


@dataclass(frozen=True)
class Trait:
    """One feature of a type; ``gap`` is the difference of medians in robust spreads of all small towns."""

    indicator: str
    label: str
    median: float
    median_text: str
    overall: float
    overall_text: str
    gap: float


@dataclass(frozen=True)
class Profile:
    """A type of small towns.

    Attributes
    ----------
    id
        From 1, the smallest median population first.
    title, description
        French texts made from the medians.
    n_communes
        Communes of the type.
    traits
        Features that set it apart, the largest gap first.
    medians
        Every feature.
    examples
        Codes of the communes nearest to its centre.
    """

    id: int
    title: str
    description: str
    n_communes: int
    traits: tuple[Trait, ...]
    medians: tuple[Trait, ...]
    examples: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return asdict(self)


@dataclass(frozen=True)
class Profiles:
    """The types, and the type of every commune: ``code, profile``, null outside the field or with too little known."""

    profiles: tuple[Profile, ...]
    membership: pl.DataFrame

    def of(self, code: str) -> Profile | None:
        """Return the type of a commune, ``None`` outside the field."""
        found = self._types.get(code)
        return next((item for item in self.profiles if item.id == found), None)

    @cached_property
    def _types(self) -> dict[str, int | None]:
        return dict(self.membership.select("code", "profile").iter_rows())


def small_town_profiles(
    structure: Structure, population: Mapping[str, int | None], names: Mapping[str, str] | None = None
) -> Profiles:
    """Group the communes under the declared population (20,000 inhabitants) into a handful of types.

    Parameters
    ----------
    population
        Code -> municipal population.
    names
        Code -> name, for the examples in the description.

    Raises
    ------
    SnapshotError
        When there are fewer communes than types.
    """
    rules = setting("profile_groups")
    limit = rules["max_population"]
    sizes = np.array([population.get(code) or 0 for code in structure.codes])
    share = (structure.known * structure.weights).sum(axis=1)
    inside = (sizes > 0) & (sizes <= limit) & (share >= setting("similar_search")["min_weight_share"] - 1e-12)
    if np.count_nonzero(inside) < rules["groups"]:
        raise SnapshotError(
            "Trop peu de petites villes ont des données de structure pour les grouper en types.",
            next_step="construisez un instantané avec les populations et les logements : bourg build.",
        )
    z = structure.z[inside]
    middle = np.nanmedian(z, axis=0)
    points = np.where(np.isnan(z), middle, z) * np.sqrt(structure.weights)
    centres, groups = k_means(points, rules["groups"], rules["rounds"])
    order = _by_population(sizes[inside], groups, len(centres))
    group_ids = np.empty(len(centres), dtype=np.int64)
    group_ids[order] = np.arange(1, len(centres) + 1)
    overall, spread = np.nanmedian(structure.raw[inside], axis=0), _spread(z, middle)
    codes = np.array(structure.codes)[inside]
    made = []
    for group in order:
        members = groups == group
        gaps = (np.nanmedian(z[members], axis=0) - middle) / spread
        medians = np.nanmedian(structure.raw[inside][members], axis=0)
        traits = tuple(_trait(structure, i, medians[i], overall[i], gaps[i]) for i in range(len(gaps)))
        far = ((points[members] - centres[group]) ** 2).sum(axis=1)
        examples = tuple(str(code) for code in codes[members][np.lexsort((codes[members], far))][:_EXAMPLES])
        made.append(_profile(int(group_ids[group]), int(members.sum()), traits, examples, names or {}))
    profile = np.full(len(structure.codes), _OUTSIDE, dtype=np.int64)
    profile[inside] = group_ids[groups]
    membership = pl.DataFrame({"code": structure.codes, "profile": profile}).with_columns(
        pl.when(pl.col("profile") != _OUTSIDE).then("profile").cast(pl.UInt8)
    )
    return Profiles(tuple(made), membership)


def k_means(points: Floats, groups: int, rounds: int) -> tuple[Floats, NDArray[np.int64]]:
    """Group points by Lloyd's algorithm from a fixed start.

    The start cuts the points in equal parts along their first principal axis: no random number, so the same points
    give the same groups. A group that empties takes the point farthest from its centre.

    Returns
    -------
    centres, labels
        Shapes ``(groups, features)`` and ``(points,)``.
    """
    centred = points - points.mean(axis=0)
    _, axes = np.linalg.eigh(centred.T @ centred)
    order = np.argsort(centred @ axes[:, -1], kind="stable")
    labels = np.empty(len(points), dtype=np.int64)
    for group, part in enumerate(np.array_split(order, groups)):
        labels[part] = group
    centres = np.array([points[labels == group].mean(axis=0) for group in range(groups)])
    for _ in range(rounds):
        squares = ((points[:, None, :] - centres[None, :, :]) ** 2).sum(axis=2)
        fresh = squares.argmin(axis=1)
        for group in np.setdiff1d(np.arange(groups), fresh):
            fresh[squares[np.arange(len(points)), fresh].argmax()] = group
        if (fresh == labels).all():
            break
        labels = fresh
        centres = np.array([points[labels == group].mean(axis=0) for group in range(groups)])
    return centres, labels


def _by_population(sizes: NDArray[np.int64], groups: NDArray[np.int64], count: int) -> list[int]:
    return sorted(range(count), key=lambda group: (float(np.median(sizes[groups == group])), group))


def _spread(z: Floats, middle: Floats) -> Floats:
    spread = MAD_SCALE * np.nanmedian(np.abs(z - middle), axis=0)
    return np.asarray(np.where(spread > 0, spread, 1.0), dtype=np.float64)


def _trait(structure: Structure, index: int, median: float, overall: float, gap: float) -> Trait:
    name = structure.features[index].indicator
    texts = (value_text(name, float(median), "ok"), value_text(name, float(overall), "ok"))
    label = declaration_of(name).label
    return Trait(name, label, float(median), texts[0], float(overall), texts[1], float(gap))


def _profile(
    number: int, count: int, medians: tuple[Trait, ...], examples: tuple[str, ...], names: Mapping[str, str]
) -> Profile:
    rules = setting("profile_groups")
    ranked = sorted(medians, key=lambda trait: (-abs(trait.gap), trait.indicator))
    traits = tuple(trait for trait in ranked if abs(trait.gap) >= rules["trait"])[: rules["traits"]]
    field = f"communes de moins de {format_number(rules['max_population'] + 1)} habitants"
    if traits:
        title = _title(traits[:2])
        told = join_words([_long(trait) for trait in traits])
        words = f"Par rapport à l'ensemble des {field}, {told}."
    else:
        title = "proche de l'ensemble"
        words = f"Ce type est proche de l'ensemble des {field} sur toutes les caractéristiques de structure."
    known = [names[code] for code in examples if code in names]
    shown = f" Parmi les plus typiques : {join_words(known)}." if known else ""
    description = f"{count_of(count, 'commune')}. {words}{shown}"
    return Profile(number, title[0].upper() + title[1:], description, count, traits, medians, examples)


def _title(traits: tuple[Trait, ...]) -> str:
    """Return « Plus haut : part des appartements ; plus bas : part des moins de 20 ans »."""
    sides = (("plus haut", [t for t in traits if t.gap > 0]), ("plus bas", [t for t in traits if t.gap <= 0]))
    return " ; ".join(f"{words} : {join_words([_bare(t) for t in side])}" for words, side in sides if side)


def _bare(trait: Trait) -> str:
    words = subject_of(trait.indicator, trait.label).words
    article = next((item for item in ("l'", "la ", "le ", "les ") if words.startswith(item)), "")
    return words.removeprefix(article)


def _long(trait: Trait) -> str:
    subject = subject_of(trait.indicator, trait.label)
    adjective = subject.agree("élevé" if trait.gap > 0 else "faible")
    values = f"médiane : {trait.median_text}, contre {trait.overall_text}"
    return f"{subject.words} y {subject.be} plus {adjective} ({values})"
