"""How places are spread over the communes of a territory: who has one at home, and how concentrated they are.

With p_i the share of the inhabitants who live in commune i and l_i its share of the places:
Hoover index = ½ Σ |l_i − p_i| (E. M. Hoover, « The Measurement of Industrial Localization », Review of Economics and
Statistics, 1936): share of the places that would have to move for every commune to have as many per inhabitant.
Gini coefficient = 1 − Σ (P_i − P_(i−1)) (L_i + L_(i−1)), communes in increasing order of places per inhabitant, P and L
cumulated shares of inhabitants and places (C. Gini, Variabilità e mutabilità, 1912; area under the curve of Lorenz).
Both are 0 when places follow inhabitants.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bourg.culture.base import CultureBase, Floats, Ints
from bourg.culture.kinds import Kind


@dataclass(frozen=True)
class Served:
    """One kind of place seen from the communes of a territory.

    Attributes
    ----------
    places
        Number of places of the kind.
    communes, of_communes
        Communes with at least one, and communes of the territory.
    share
        Percent of the inhabitants whose commune has one, ``None`` when unknown.
    median_km
        Distance as the crow flies, from the town hall of its commune, within which half of the inhabitants have one;
        ``None`` when unknown.
    """

    places: int
    communes: int
    of_communes: int
    share: float | None
    median_km: float | None


def served(base: CultureBase, rows: Ints, wanted: Kind) -> Served | None:
    """Return how a kind of place serves the communes ``rows``; ``None`` where the list leaves one of them out."""
    if not len(rows) or not bool(base.covered[rows].all()):
        return None
    counts, people = base.count(wanted)[rows], base.population[rows]
    known = np.isfinite(people)
    total = float(people[known].sum())
    here = float(people[known & (counts > 0)].sum())
    # Communes of unknown population are left out of the share.
    share = 100 * here / total if total else None
    distance = base.nearest(wanted)[0][rows]
    return Served(
        int(counts.sum()), int((counts > 0).sum()), len(rows), share, _weighted_median(distance[known], people[known])
    )


def _weighted_median(values: Floats, weights: Floats) -> float | None:
    """Return the smallest value within which half of the weight stands, ``None`` when that is infinite or unknown."""
    total = weights.sum()
    if not total > 0:
        return None
    order = np.argsort(values, kind="stable")
    rank = int(np.searchsorted(np.cumsum(weights[order]), total / 2, side="left"))
    found = float(values[order][min(rank, len(order) - 1)])
    return found if np.isfinite(found) else None


@dataclass(frozen=True)
class Concentration:
    """Concentration of the places of a territory.

    Attributes
    ----------
    hoover, gini
        Between 0 and 1; ``None`` for one commune, or without place or inhabitant.
    main
        Position of the most peopled commune.
    main_places, main_people
        Its share of the places and of the inhabitants, percent; ``None`` without any place.
    """

    hoover: float | None
    gini: float | None
    main: int
    main_places: float | None
    main_people: float | None


def concentration(base: CultureBase, rows: Ints, counts: Ints) -> Concentration | None:
    """Return how concentrated places are.

    Parameters
    ----------
    base
        The places of the country.
    rows
        Positions of the communes.
    counts
        Places of each of these communes.

    Returns
    -------
    Concentration or None
        ``None`` where the list leaves a commune out or no population is known.
    """
    people = base.population[rows]
    known = np.isfinite(people)
    if not known.any() or not bool(base.covered[rows].all()):
        return None
    kept, people, held = rows[known], people[known], counts[known].astype(np.float64)
    main = int(np.argmax(people))
    total, places = people.sum(), held.sum()
    if not (total > 0 and places > 0):
        return Concentration(None, None, int(kept[main]), None, None)
    shares = (100 * float(held[main] / places), 100 * float(people[main] / total))
    if len(kept) < 2:
        return Concentration(None, None, int(kept[main]), *shares)
    return Concentration(hoover(held, people), gini(held, people), int(kept[main]), *shares)


def hoover(counts: Floats, people: Floats) -> float:
    """Return the Hoover index of counts against inhabitants; both must have a positive sum."""
    return float(np.abs(counts / counts.sum() - people / people.sum()).sum() / 2)


def gini(counts: Floats, people: Floats) -> float:
    """Return the Gini coefficient of counts against inhabitants; both must have a positive sum.

    A commune without inhabitant comes last: its places serve nobody at home.
    """
    rate = np.divide(counts, people, out=np.full(len(counts), np.inf), where=people > 0)
    order = np.argsort(rate, kind="stable")
    steps = people[order] / people.sum()
    curve = np.concatenate([[0.0], np.cumsum(counts[order]) / counts.sum()])
    return float(1 - (steps * (curve[1:] + curve[:-1])).sum())
