"""The parameters of the rule that draws the centre of a town, their bounds and their sentence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from bourg.commerce.typology import PACKAGE
from bourg.errors import ParameterError
from bourg.indicators.parameters import parameter
from bourg.text import NBSP, count_of, format_number


@dataclass(frozen=True)
class CentreRule:
    """Parameters of the rule; see ``parameters/centre_rule.yaml``.

    Attributes
    ----------
    start_m
        Distance from the town hall in which the centre starts, metres.
    link_m
        Distance between two neighbours, metres.
    dense_shops
        Other shops within ``link_m`` that a shop needs to extend the centre.
    edge_m
        Margin of the outline around the shops kept, metres; at most ``link_m``.
    min_shops
        Shops under which there is no centre.
    far_m
        A shop farther than this outside the commune is misplaced, metres.

    Raises
    ------
    ParameterError
        When a value is out of its bounds.
    """

    start_m: float
    link_m: float
    dense_shops: int
    edge_m: float
    min_shops: int
    far_m: float

    def __post_init__(self) -> None:
        """Check the bounds of every value."""
        for item in fields(self):
            low, high = BOUNDS[item.name]
            value = getattr(self, item.name)
            if not low <= value <= high:
                raise ParameterError(
                    f"La règle du centre n'accepte pas cette valeur : {format_number(value, 1)}.",
                    where=f"{LABELS[item.name]} ({item.name})",
                    next_step=f"choisissez de {format_number(low)} à {format_number(high)}.",
                )
        if self.edge_m > self.link_m:
            raise ParameterError(
                "La marge du tracé ne peut pas dépasser la distance entre voisins.", where="edge_m, link_m",
                next_step="diminuez edge_m ou augmentez link_m.",
            )  # fmt: skip

    def sentence(self) -> str:
        """Return the rule in one French sentence."""

        def metres(value: float) -> str:
            return f"{format_number(value)}{NBSP}m"

        others = count_of(self.dense_shops, "autre", "autres")
        return (
            f"Le centre part des commerces situés à moins de {metres(self.start_m)} de la mairie et s'étend de proche "
            f"en proche par les commerces qui en ont au moins {others} à moins de {metres(self.link_m)} ; son tracé "
            f"passe à {metres(self.edge_m)} des commerces retenus. Il faut au moins "
            f"{count_of(self.min_shops, 'commerce')}."
        )


BOUNDS: Mapping[str, tuple[float, float]] = {
    "start_m": (50, 2000), "link_m": (20, 500), "dense_shops": (1, 20), "edge_m": (5, 200), "min_shops": (2, 100),
    "far_m": (0, 10_000),
}  # fmt: skip
LABELS: Mapping[str, str] = {
    "start_m": "distance à la mairie où le centre commence",
    "link_m": "distance entre deux commerces voisins",
    "dense_shops": "commerces voisins nécessaires pour prolonger le centre",
    "edge_m": "marge du tracé autour des commerces",
    "min_shops": "commerces nécessaires pour qu'il y ait un centre",
    "far_m": "distance hors de la commune où une position est fausse",
}


def default_rule() -> CentreRule:
    """Return the declared rule (``parameters/centre_rule.yaml``)."""
    return CentreRule(**parameter("centre_rule", package=PACKAGE))
