"""How much of a population a network serves: on it, too far from any street, or outside the extract."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bourg.access.network.graph import SNAP_OK, SNAP_OUTSIDE, SNAP_TOO_FAR, Snapped
from bourg.access.network.store import Network
from bourg.errors import ParameterError
from bourg.text import format_number


@dataclass(frozen=True)
class Coverage:
    """Inhabitants by situation: on the network, too far from a street that the mode may use, outside the extract."""

    mode: str
    on_network: float
    too_far: float
    outside: float

    @property
    def total(self) -> float:
        """All inhabitants."""
        return self.on_network + self.too_far + self.outside

    @property
    def share(self) -> float | None:
        """Percentage of the inhabitants that are on the network, ``None`` when there is no inhabitant."""
        return 100 * self.on_network / self.total if self.total > 0 else None

    @property
    def complete(self) -> bool:
        """Whether nobody is left out."""
        return self.too_far == 0 and self.outside == 0

    def sentence(self) -> str:
        """Return what is left out, in French; empty when nobody is."""
        parts = []
        for people, words in ((self.outside, "hors de l'extrait"), (self.too_far, "trop loin de toute voie")):
            if people > 0:
                share = format_number(100 * people / self.total, 1)
                parts.append(f"{share} % de la population {words} ({format_number(people, 0)} habitants)")
        return " ; ".join(parts)


def coverage(
    network: Network,
    points: NDArray[np.float64],
    inhabitants: NDArray[np.float64],
    mode: str,
    *,
    limit_m: float | None = None,
    snapped: Snapped | None = None,
) -> Coverage:
    """Return how many inhabitants are on the network of a mode.

    Parameters
    ----------
    network
        A built network.
    points
        Shape ``(n, 2)``: longitude and latitude of the population points, degrees.
    inhabitants
        Shape ``(n,)``, not negative.
    mode
        ``foot``, ``bike`` or ``car``.
    limit_m
        Longest distance to a street, metres; the parameter ``snapping`` by default.
    snapped
        The points already put on the network, to save doing it again.

    Raises
    ------
    ParameterError
        When the numbers of points and of inhabitants differ, or inhabitants are negative or unknown; also as
        :meth:`Network.snap`.
    """
    people = np.asarray(inhabitants, dtype=np.float64)
    if len(people) != len(points):
        raise ParameterError("Il faut un nombre d'habitants par point.", where=f"{len(people)} pour {len(points)}")
    if not (people >= 0).all():
        raise ParameterError("Un nombre d'habitants est négatif ou inconnu.")
    found = network.snap(points, mode, limit_m=limit_m) if snapped is None else snapped
    sums = [float(people[found.status == status].sum()) for status in (SNAP_OK, SNAP_TOO_FAR, SNAP_OUTSIDE)]
    return Coverage(mode, *sums)
