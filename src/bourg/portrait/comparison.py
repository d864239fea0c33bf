"""A town beside others: similar towns, what sets it apart, and the same figures for a few towns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import polars as pl

from bourg.compare.comparators import LISTED, ComparisonSet
from bourg.compare.similar import SimilarTowns, similar_towns
from bourg.compare.specificities import Specificities, specificities
from bourg.errors import ParameterError, SnapshotError
from bourg.indicators.engine import USABLE
from bourg.indicators.registry import load_indicators
from bourg.indicators.values import value_text
from bourg.portrait.observatory import Observatory

MOST_TOWNS = 10


@dataclass(frozen=True)
class ComparedFigure:
    """One indicator for several towns: texts by INSEE code, and whether one of the values is generated."""

    indicator: str
    label: str
    theme: str
    texts: dict[str, str]
    values: dict[str, float | None]
    demo: bool


@dataclass(frozen=True)
class TownTable:
    """The same figures for two to ten towns.

    Attributes
    ----------
    towns
        INSEE code -> name, in the order asked for.
    figures
        Indicators that at least one town has, in the order of the themes.
    """

    towns: dict[str, str]
    figures: tuple[ComparedFigure, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return asdict(self)


def similar_to(observatory: Observatory, code: str, *, k: int | None = None) -> SimilarTowns:
    """Return the towns most similar to one town by their structure.

    Raises
    ------
    UnknownTerritoryError
        When the code is unknown.
    SnapshotError
        When the snapshot has none of the features of structure.
    """
    structure = observatory.comparators.structure
    if structure is None:
        raise SnapshotError(
            "Les villes semblables ne se calculent pas : aucune caractéristique de structure n'a de valeur.",
            next_step="construisez un instantané avec les populations et les logements : bourg build.",
        )
    return similar_towns(structure, observatory.index.get(code).code, names=observatory.names, k=k)


def comparison_set(
    observatory: Observatory, code: str, comparator: str, *, codes: Sequence[str] | None = None
) -> ComparisonSet:
    """Return the communes a town is compared with; for the comparator ``list``, those of ``codes``.

    Raises
    ------
    UnknownTerritoryError
        When the code is unknown, or codes of the list: the message names them.
    ParameterError
        When the comparator is unknown, or a list given without ``list``, or the other way round.
    """
    found = observatory.index.get(code).code
    if (comparator == LISTED) != (codes is not None):
        raise ParameterError(
            "Une liste de communes va avec le comparateur « list », et lui seul.",
            next_step="donnez la liste des codes, ou choisissez un autre comparateur.",
        )
    if codes is not None:
        return observatory.comparators.listed(found, codes, resolve=lambda item: observatory.index.get(item).code)
    (chosen,) = observatory.comparators.of(found, [comparator])
    return chosen


def sets_apart(
    observatory: Observatory,
    code: str,
    comparator: str,
    *,
    limit: int | None = None,
    codes: Sequence[str] | None = None,
) -> Specificities:
    """Return what makes a town unlike the communes of one comparator (``similar``, ``departement``, ``pvd``…).

    Parameters
    ----------
    codes
        The hand-picked communes of the comparator ``list``.

    Raises
    ------
    UnknownTerritoryError, ParameterError
        As :func:`comparison_set`.
    """
    chosen = comparison_set(observatory, code, comparator, codes=codes)
    return specificities(observatory.matrix, observatory.index.get(code).code, chosen, limit=limit)


def compare_towns(observatory: Observatory, names: Sequence[str]) -> TownTable:
    """Return the same figures for two to ten towns, given by code or by unambiguous name.

    Raises
    ------
    ParameterError
        When there are fewer than two different towns, or more than ten.
    UnknownTerritoryError
        When a name or a code names no commune; several homonyms are listed.
    """
    towns = {match.code: match.name for match in (observatory.index.resolve(name) for name in names)}
    if not 2 <= len(towns) <= MOST_TOWNS:
        raise ParameterError(
            f"La comparaison demande de 2 à {MOST_TOWNS} communes différentes, {len(towns)} données.",
            next_step="exemple : bourg compare 12145 35236",
        )
    table = observatory.values([("commune", code) for code in towns])
    known = load_indicators()
    rows: dict[str, dict[str, dict[str, Any]]] = {}
    for row in table.filter(pl.col("indicator").is_in(list(known))).iter_rows(named=True):
        rows.setdefault(row["indicator"], {})[row["code"]] = row
    figures = [
        ComparedFigure(
            indicator=name,
            label=known[name].declaration.label,
            theme=known[name].declaration.theme,
            texts={code: value_text(name, by_code[code]["value"], by_code[code]["status"]) for code in towns},
            values={code: by_code[code]["value"] for code in towns},
            demo=any(row["status"] == "demo" for row in by_code.values()),
        )
        for name, by_code in sorted(rows.items(), key=lambda item: (known[item[0]].declaration.theme, item[0]))
        if any(row["status"] in USABLE for row in by_code.values())
    ]
    return TownTable(towns, tuple(figures))
