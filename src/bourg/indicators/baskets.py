"""Baskets of facilities by level of centre (ANCT-INRAE 2020): which types make them, which a place has."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

import polars as pl

from bourg.errors import ParameterError
from bourg.indicators.parameters import parameter

BasketId = Literal["local", "intermediate", "structuring"]
BASKETS: tuple[BasketId, ...] = get_args(BasketId)


@dataclass(frozen=True)
class Basket:
    """A basket: French label of each type -> its successive TYPEQU codes; a basket holds the smaller ones."""

    id: BasketId
    types: dict[str, tuple[str, ...]]

    def codes(self) -> pl.DataFrame:
        """Return ``typequ, basket_type``: a code may stand for two types (a primary school has both classes)."""
        rows = [(code, label) for label, codes in self.types.items() for code in codes]
        return pl.DataFrame(rows, schema={"typequ": pl.String, "basket_type": pl.String}, orient="row")


@dataclass(frozen=True)
class BasketContent:
    """Types of a basket present in a place, absent from it, and unknown to the edition of the BPE."""

    present: tuple[str, ...]
    absent: tuple[str, ...]
    unknown: tuple[str, ...]


def basket(basket_id: str, date: dt.date | None = None) -> Basket:
    """Return a basket as declared on ``date`` (the latest by default), with the types of the smaller baskets.

    Raises
    ------
    ParameterError
        When there is no basket of that id, or none yet on that date.
    """
    declared = parameter("service_baskets", date)
    if basket_id not in BASKETS:
        raise ParameterError(
            f"Le panier « {basket_id[:60]} » n'existe pas.", next_step=f"choisissez parmi : {', '.join(BASKETS)}."
        )
    rank = BASKETS.index(basket_id)
    types = {label: tuple(codes) for level in BASKETS[: rank + 1] for label, codes in declared[level].items()}
    return Basket(BASKETS[rank], types)


def content(chosen: Basket, here: Iterable[str], everywhere: Iterable[str]) -> BasketContent:
    """Tell the types of a basket apart.

    Parameters
    ----------
    here
        TYPEQU codes present in the place.
    everywhere
        TYPEQU codes of the whole edition: a type none of whose codes is there was not surveyed.
    """
    local, national = set(here), set(everywhere) | set(here)
    known = {label: codes for label, codes in chosen.types.items() if national & set(codes)}
    return BasketContent(
        present=tuple(label for label, codes in known.items() if local & set(codes)),
        absent=tuple(label for label, codes in known.items() if not local & set(codes)),
        unknown=tuple(label for label in chosen.types if label not in known),
    )
