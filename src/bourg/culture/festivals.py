"""Festivals of a territory by season and by discipline; events, never counted with places."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import polars as pl

from bourg.culture.kinds import PACKAGE
from bourg.indicators.parameters import parameter
from bourg.indicators.typologies import normalise_label

MONTHS = (
    "janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre", "novembre",
    "décembre",
)  # fmt: skip
SEVERAL, UNDATED = "plusieurs saisons ou variable", "période non renseignée"
UNKNOWN = "discipline non renseignée"


@cache
def _month_keys() -> dict[str, int]:
    return {normalise_label(name): rank for rank, name in enumerate(MONTHS, start=1)}


@cache
def seasons() -> dict[str, str]:
    """Return the seasons of the list, id -> French label (parameter ``festival_seasons``)."""
    declared = parameter("festival_seasons", package=PACKAGE)
    return {name: item["label"] for name, item in declared.items()}


def months_of(period: str | None) -> tuple[int, ...]:
    """Return the months that a period names (« Juillet, Août »), 1 to 12; none for a season."""
    if not period or "(" in period:
        return ()
    words = normalise_label(period).split()
    return tuple(sorted({_month_keys()[word] for word in words if word in _month_keys()}))


def season_of(period: str | None) -> str:
    """Return the French label of the season of a period, one that says « several » or one that says « unknown ».

    >>> season_of("Saison (21 juin - 5 septembre)")
    'saison (21 juin – 5 septembre)'
    """
    if not period or not period.strip():
        return UNDATED
    declared = parameter("festival_seasons", package=PACKAGE)
    title = normalise_label(period.split("(")[0])
    for item in declared.values():
        if title == normalise_label(item["key"]):
            return str(item["label"])
    months = months_of(period)
    found = {item["label"] for item in declared.values() if set(item["months"]) & set(months)}
    return str(found.pop()) if len(found) == 1 else SEVERAL


@dataclass(frozen=True)
class Festivals:
    """Festivals of a territory.

    Attributes
    ----------
    table
        ``name, code, discipline, period, creation_year, season``, by discipline then name.
    seasons, disciplines
        Label -> number: seasons in the order of the year, disciplines from the most frequent.
    months
        Month -> number of festivals that name it; most name a season instead.
    demo
        Whether they are generated.
    """

    table: pl.DataFrame
    seasons: dict[str, int]
    disciplines: dict[str, int]
    months: dict[str, int]
    demo: bool

    @property
    def total(self) -> int:
        """Number of festivals."""
        return self.table.height


def with_seasons(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the table of festivals with the season of each (:func:`season_of`)."""
    told = {period: season_of(period) for period in frame["period"].unique()}
    return frame.with_columns(season=pl.Series([told[period] for period in frame["period"]], dtype=pl.String))


def festivals_of(frame: pl.DataFrame, codes: Iterable[str], *, demo: bool) -> Festivals:
    """Return the festivals of some communes from the table of festivals, its seasons told."""
    named = (
        frame.filter(pl.col("code").is_in(list(codes)))
        .with_columns(pl.col("discipline").fill_null(UNKNOWN))
        .select("name", "code", "discipline", "period", "creation_year", "season")
        .sort("discipline", "name", "code")
    )
    counted = Counter(named["season"])
    order = (*seasons().values(), SEVERAL, UNDATED)
    months = Counter(month for period in named["period"] for month in months_of(period))
    disciplines = sorted(Counter(named["discipline"]).items(), key=lambda pair: (-pair[1], pair[0]))
    return Festivals(
        table=named,
        seasons={name: counted[name] for name in order if name in counted or name in order[:3]},
        disciplines=dict(disciplines),
        months={MONTHS[month - 1]: months[month] for month in sorted(months)},
        demo=demo,
    )
