"""Similar towns: the nearest ones by structure, why, and how firm the list is (ANCHORS D13).

Similar is not a judgement: the features are what a town is made of, never how well it does.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bourg.compare.families import family_of
from bourg.compare.grammar import subject_of
from bourg.compare.matrix import CommuneMatrix, Ints
from bourg.compare.neighbours import NO_FILTER, Filters, FromOne, all_neighbours
from bourg.compare.settings import setting
from bourg.compare.structure import Feature, Structure, structure_of
from bourg.errors import ParameterError, UnknownTerritoryError
from bourg.indicators.parameters import size_classes
from bourg.indicators.values import declaration_of, value_text
from bourg.text import join_words

_MOST = 200


@dataclass(frozen=True)
class Reason:
    """One feature of two towns; ``gap`` is the difference of robust z-scores, neighbour minus town."""

    indicator: str
    label: str
    value: float
    value_text: str
    neighbour_value: float
    neighbour_text: str
    gap: float


@dataclass(frozen=True)
class Neighbour:
    """A similar town.

    Attributes
    ----------
    rank, code, name, distance
        1 is the nearest.
    reasons
        The features with the smallest weighted gaps.
    main_difference
        The feature with the largest weighted gap, ``None`` when all gaps are zero.
    missing
        Features that one of the two towns does not have.
    demo
        Whether one of the features used is generated.
    sentence
        Reasons and main difference in French.
    """

    rank: int
    code: str
    name: str
    distance: float
    reasons: tuple[Reason, ...]
    main_difference: Reason | None
    missing: tuple[str, ...]
    demo: bool
    sentence: str


@dataclass(frozen=True)
class SimilarTowns:
    """The similar towns of one town.

    Attributes
    ----------
    status
        ``ok``; ``not_enough_data``: the town lacks too many features; ``no_candidate``: no town passes the filters.
    message
        French sentence for the other statuses, and what was missing or left out otherwise (may be empty).
    features
        Features used.
    missing
        Features that the town does not have.
    left_out
        Features left out because of the indicator shown.
    stability
        Mean Jaccard index of the list when each feature is dropped, 1 = always the same towns; ``None`` without a list.
    """

    code: str
    status: Literal["ok", "not_enough_data", "no_candidate"]
    message: str
    neighbours: tuple[Neighbour, ...]
    features: tuple[str, ...]
    missing: tuple[str, ...]
    left_out: tuple[str, ...]
    stability: float | None

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return asdict(self)


def label_of(indicator: str) -> str:
    """Return the words of an indicator with its article."""
    return subject_of(indicator, declaration_of(indicator).label).words


def nearest_positions(
    structure: Structure, position: int, k: int, withouts: Iterable[Sequence[str]], filters: Filters = NO_FILTER
) -> list[Ints]:
    """Return the nearest communes of one commune, once for each list of families left out of the distance."""
    search = _search(structure, position, filters)
    every = structure.kept()
    near, _ = search.nearest(every, k)
    return search.nearest_without(every, [set(every) - set(structure.kept(without)) for without in withouts], k, near)


# A portrait asks twice for the distances of the same town. One memory per thread: a search keeps sums of its own.
_LAST = threading.local()


def _search(structure: Structure, position: int, filters: Filters) -> FromOne:
    last: tuple[Structure, int, Filters, FromOne] | None = getattr(_LAST, "search", None)
    if last is not None and last[0] is structure and last[1] == position and last[2] is filters:
        return last[3]
    share = setting("similar_search")["min_weight_share"]
    made = FromOne(structure, position, min_share=share, allowed=_allowed(structure, position, filters))
    _LAST.search = (structure, position, filters, made)
    return made


def _allowed(structure: Structure, position: int, filters: Filters) -> NDArray[np.bool_] | None:
    allowed = filters.allowed(np.array([position]), np.arange(len(structure.codes)))
    return None if allowed is None else allowed[0]


def similar_towns(
    structure: Structure,
    code: str,
    *,
    names: Mapping[str, str] | None = None,
    k: int | None = None,
    outcomes: Iterable[str] = (),
    filters: Filters = NO_FILTER,
    stable: bool = True,
) -> SimilarTowns:
    """Return the towns most similar to one town.

    Parameters
    ----------
    names
        Code -> name of the communes.
    k
        Towns wanted; the declared number (15) by default.
    outcomes
        Indicators about to be shown: features of the same family are left out of the distance.
    filters
        Hard filters (:func:`declared_filters`).
    stable
        Whether to tell how stable the list is, which takes as long as all the rest.

    Raises
    ------
    UnknownTerritoryError
        When the code is unknown.
    ParameterError
        When ``k`` is not between 1 and 200.
    """
    if code not in structure.positions:
        raise UnknownTerritoryError(
            f"La commune « {str(code)[:20]} » n'existe pas dans la géographie de référence.",
            next_step="vérifiez le code, ou cherchez par le nom : bourg communes NOM.",
        )
    rules = setting("similar_search")
    wanted = rules["shown"] if k is None else k
    if not 1 <= wanted <= _MOST:
        raise ParameterError(f"Le nombre de villes semblables doit être compris entre 1 et {_MOST}.", where=str(k))
    row = structure.positions[code]
    kept = structure.kept({family_of(name) for name in outcomes})
    used = tuple(structure.features[index].indicator for index in kept)
    left_out = tuple(item.indicator for item in structure.features if item.indicator not in used)
    missing = tuple(structure.features[i].indicator for i in kept if not structure.known[row, i])
    share = float(structure.weights[[i for i in kept if structure.known[row, i]]].sum())
    if not kept or share < rules["min_weight_share"] * float(structure.weights[kept].sum()):
        words = join_words([label_of(name) for name in missing])
        message = (
            "Trop de données de structure manquent, ou sont nulles, pour trouver des villes semblables : "
            f"{words or 'toutes'}."
        )
        return SimilarTowns(code, "not_enough_data", message, (), used, missing, left_out, None)
    search = _search(structure, row, filters)
    near, found = search.nearest(kept, wanted)
    if near.size == 0:
        message = "Aucune commune ne passe les filtres demandés : élargissez-les."
        return SimilarTowns(code, "no_candidate", message, (), used, missing, left_out, None)
    neighbours = tuple(
        _neighbour(
            structure,
            row,
            int(other),
            kept=kept,
            rank=rank,
            distance=float(distance),
            name=(names or {}).get(structure.codes[int(other)], structure.codes[int(other)]),
        )
        for rank, (other, distance) in enumerate(zip(near, found, strict=True), start=1)
    )
    drops = [(dropped,) for dropped in kept] if stable and len(kept) > 1 else []
    firmness = [jaccard(near, other) for other in search.nearest_without(kept, drops, wanted, near)]
    stability = float(np.mean(firmness)) if firmness else None
    return SimilarTowns(code, "ok", _notes(missing, left_out), neighbours, used, missing, left_out, stability)


def _notes(missing: Sequence[str], left_out: Sequence[str]) -> str:
    notes = []
    if missing:
        notes.append(f"Sans tenir compte de ce qui manque ici : {join_words([label_of(name) for name in missing])}.")
    if left_out:
        notes.append(f"Sans ce qui est comparé : {join_words([label_of(name) for name in left_out])}.")
    return " ".join(notes)


def jaccard(first: Ints, second: Ints) -> float:
    """Return the size of the intersection over the size of the union of two lists; 1 when both are empty."""
    union = np.union1d(first, second).size
    return np.intersect1d(first, second).size / union if union else 1.0


def _neighbour(
    structure: Structure, row: int, other: int, *, kept: list[int], rank: int, distance: float, name: str
) -> Neighbour:
    shared = [index for index in kept if structure.known[row, index] and structure.known[other, index]]
    gaps = {index: float(structure.z[other, index] - structure.z[row, index]) for index in shared}
    weighted = {index: float(structure.weights[index] ** 0.5) * abs(gap) for index, gap in gaps.items()}
    # Equal gaps: the heavier feature says more.
    order = sorted(shared, key=lambda index: (weighted[index], -structure.weights[index], index))
    last = order[-1]
    count = setting("similar_search")["reasons"]
    difference = _reason(structure, row, other, last, gaps[last]) if weighted[last] > 0 else None
    chosen = order[: min(count, len(order) - 1)] if difference and len(order) > 1 else order[:count]
    reasons = tuple(_reason(structure, row, other, index, gaps[index]) for index in chosen)
    missing = tuple(structure.features[index].indicator for index in kept if index not in shared)
    demo = structure.demo is not None and bool(structure.demo[[row, other]][:, shared].any())
    return Neighbour(
        rank, structure.codes[other], name, distance, reasons, difference, missing, demo, _sentence(reasons, difference)
    )


def _reason(structure: Structure, row: int, other: int, index: int, gap: float) -> Reason:
    indicator = structure.features[index].indicator
    here, there = float(structure.raw[row, index]), float(structure.raw[other, index])
    texts = (value_text(indicator, here, "ok"), value_text(indicator, there, "ok"))
    return Reason(indicator, declaration_of(indicator).label, here, texts[0], there, texts[1], gap)


def _sentence(reasons: Sequence[Reason], difference: Reason | None) -> str:
    parts = []
    if reasons:
        parts.append(f"Proche par {join_words([_told(reason) for reason in reasons])}")
    if difference is not None:
        words = f"principale différence : {_told(difference)}"
        parts.append(words if parts else words[0].upper() + words[1:])
    return " ; ".join(parts) + "."


def _told(reason: Reason) -> str:
    return f"{label_of(reason.indicator)} ({reason.neighbour_text} contre {reason.value_text} ici)"


def neighbours_table(
    structure: Structure, k: int | None = None, *, without: Sequence[str] = (), filters: Filters = NO_FILTER
) -> pl.DataFrame:
    """Return the similar towns of every commune, the table to keep in a snapshot.

    Returns
    -------
    DataFrame
        ``code, rank (UInt8), neighbour, distance (Float32)``, sorted by code and rank; communes with too few known
        features have no row.
    """
    rules = setting("similar_search")
    wanted = rules["shown"] if k is None else k
    positions, distances = all_neighbours(
        structure, wanted, min_share=rules["min_weight_share"], without=without, filters=filters
    )
    codes = pl.Series("code", structure.codes, dtype=pl.String)
    rows = np.repeat(np.arange(len(codes)), wanted)
    flat = positions.ravel()
    kept = flat >= 0
    ranks = np.tile(np.arange(1, wanted + 1, dtype=np.uint8), len(codes))
    return pl.DataFrame(
        {"code": codes.gather(rows[kept]), "rank": ranks[kept], "neighbour": codes.gather(flat[kept]),
         "distance": distances.ravel()[kept]}
    )  # fmt: skip


def declared_filters(
    matrix: CommuneMatrix,
    communes: pl.DataFrame,
    *,
    size_gap: int | None = None,
    same_shore: bool = False,
    centrality: pl.DataFrame | None = None,
) -> Filters:
    """Return hard filters for the communes of a matrix.

    Parameters
    ----------
    communes
        ``code, population``.
    size_gap
        Size classes of difference allowed; no such filter by default.
    same_shore
        Keep metropolitan towns with metropolitan ones, and overseas ones together.
    centrality
        ``code, level``: keep the same level; communes without a level are compared with one another.
    """
    ordered = pl.DataFrame({"code": matrix.codes}).join(
        communes.select("code", "population"), on="code", how="left", maintain_order="left"
    )
    ranks: NDArray[np.int16] | None = None
    if size_gap is not None:
        bounds = [item.low for item in size_classes()]
        population = ordered["population"].fill_null(-1).to_numpy()
        ranks = (np.searchsorted(bounds, population, side="right") - 1).astype(np.int16)
    groups: NDArray[np.int16] | None = None
    if same_shore:
        groups = ordered["code"].str.starts_with("97").to_numpy().astype(np.int16)
    if centrality is not None:
        levels = ordered.join(centrality.select("code", "level"), on="code", how="left", maintain_order="left")
        level = levels["level"].cast(pl.String).fill_null("").rank("dense").to_numpy().astype(np.int16)
        groups = level if groups is None else (2 * level + groups).astype(np.int16)
    return Filters(groups, ranks, size_gap or 0)


__all__ = [
    "Feature", "Filters", "Neighbour", "Reason", "SimilarTowns", "Structure", "declared_filters", "jaccard",
    "nearest_positions", "neighbours_table", "similar_towns", "structure_of",
]  # fmt: skip
