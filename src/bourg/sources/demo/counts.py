"""The law of facility counts: many communes have none, a few have many."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# Over-dispersion of the facilities beyond the first one (shape of the gamma mixing law, lower is wilder).
GAMMA_SHAPE = 2.5


def hurdle_counts(rng: np.random.Generator, weight: Floats, total: int, present: int, *, spread: float = 1.0) -> Ints:
    """Share ``total`` facilities among communes, exactly ``present`` of them having at least one.

    A hurdle model (Mullahy 1986): presence is a weighted sample without replacement (exponential keys of
    Efraimidis and Spirakis 2006), and the facilities left are multinomial with gamma-mixed weights among the
    communes present, that is over-dispersed.

    Parameters
    ----------
    rng
        Random stream.
    weight
        Attraction of each commune, positive, shape (n,).
    total
        Facilities to place.
    present
        Communes with at least one, cut to ``min(n, total)``.
    spread
        Power of the weight that shares the facilities beyond the first ones.

    Returns
    -------
    numpy.ndarray
        Counts, shape (n,), whose sum is ``total``.
    """
    size = weight.size
    counts = np.zeros(size, dtype=np.int64)
    present = min(size, total, max(present, 1))
    keys = rng.standard_exponential(size) / weight
    mixed = weight**spread * rng.standard_gamma(GAMMA_SHAPE, size)
    if total <= 0 or present == 0:
        return counts
    chosen = np.arange(size) if present == size else np.sort(np.argpartition(keys, present - 1)[:present])
    counts[chosen] = 1
    if total > present:
        counts[chosen] += rng.multinomial(total - present, mixed[chosen] / mixed[chosen].sum())
    return counts


def scaled_targets(
    total: int, present: int, national: Floats, selected: Floats, *, factor: float = 1.0
) -> tuple[int, int]:
    """Return (facilities, communes present) of a part of the country.

    Facilities follow the part's share of the national weight; presence saturates: a commune holds at least one
    with probability 1 - exp(-k w), k set by the national figure of communes present.
    """
    if national.size == selected.size and factor == 1.0:
        return total, present
    share = float(selected.sum() / national.sum())
    part = round(total * share * factor)
    k = _saturation(national, present)
    found = round(float((1 - np.exp(-k * selected)).sum()) * factor)
    return part, max(min(found, part, selected.size), 1 if part else 0)


def _saturation(weight: Floats, present: int) -> float:
    """Solve sum(1 - exp(-k w)) = present by bisection on log k."""
    target = min(present, weight.size - 0.5)
    mean = float(weight.mean())
    low, high = 1e-8 / mean, 1e8 / mean
    values, repeats = _compressed(weight)
    for _ in range(60):
        middle = float(np.sqrt(low * high))
        if float((repeats * (1 - np.exp(-middle * values))).sum()) < target:
            low = middle
        else:
            high = middle
    return float(np.sqrt(low * high))


def _compressed(weight: Floats, bins: int = 200) -> tuple[Floats, Floats]:
    """Return a short weighted list that stands for ``weight`` (equal-size groups of the sorted values)."""
    groups = np.array_split(np.sort(weight), min(bins, weight.size))
    return np.array([group.mean() for group in groups]), np.array([float(group.size) for group in groups])
