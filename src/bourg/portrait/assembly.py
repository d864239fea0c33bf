"""What the portrait of a town is assembled from: value sheets with their comparisons, and what several towns share."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import polars as pl

from bourg.compare.comparators import SIMILAR, SIZE, ComparisonSet, rank_rows
from bourg.compare.ranking import summary_among
from bourg.geography.levels import FRANCE_CODE
from bourg.indicators.parameters import size_classes
from bourg.indicators.rank_words import Comparison, SetWords, comparison
from bourg.indicators.theme_labels import THEMES
from bourg.indicators.units import FRANCE_LABELS
from bourg.indicators.values import Distribution, Elsewhere, ValueSheet, elsewhere_of, value_sheet
from bourg.portrait.observatory import Observatory

_Shape = dict[tuple[str, str, bool], tuple[int, tuple[float, ...]]]
_Distributions = dict[tuple[str, str, bool], Distribution]


class Shared:
    """What the portraits of some communes have in common.

    Parameters
    ----------
    observatory
        The opened snapshot.
    rows
        Rows of the communes (:meth:`Observatory.commune`).
    figures
        Code of a commune -> indicators to tell; all by default.
    """

    def __init__(
        self,
        observatory: Observatory,
        rows: list[dict[str, Any]],
        figures: Mapping[str, Collection[str]] | None = None,
    ) -> None:
        self.observatory, self.figures = observatory, figures
        territories = {("commune", row["code"]) for row in rows}
        kept = observatory.larger_territories
        for row in rows:
            territories |= {
                (level, code) for level, (code, _) in _larger(row).items() if code and (level, code) not in kept
            }
        if ("france", FRANCE_CODE) not in kept:
            territories |= {("france", code) for code in FRANCE_LABELS}
        self.values: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for value in self._read(rows, sorted(territories)).iter_rows(named=True):
            self.values.setdefault((value["level"], value["code"]), []).append(value)
        self._places: dict[str, dict[str, int]] = {}
        codes = [row["code"] for row in rows if observatory.covers("culture_places", row["code"])]
        if codes:
            here = observatory.places.filter(pl.col("code").is_in(codes))
            counts = here.group_by("code", "type").len().sort(["code", "len", "type"], descending=[False, True, False])
            for code, kind, count in counts.iter_rows():
                self._places.setdefault(code, {})[kind] = count
        self._spreads: dict[tuple[str, str, str], _Distributions] = {}
        self._elsewhere: dict[tuple[str, str], dict[str, Elsewhere]] = {}
        self._kept = kept

    def _read(self, rows: list[dict[str, Any]], territories: list[tuple[str, str]]) -> pl.DataFrame:
        """Return the values of some territories: of the communes and of their EPCI, those to tell only."""
        values = self.observatory.values(territories)
        if self.figures is None:
            return values
        told = {("commune", row["code"], name) for row in rows for name in self.figures[row["code"]]}
        told |= {("epci", row["epci"], name) for row in rows if row["epci"] for name in self.figures[row["code"]]}
        keys = ["level", "code", "indicator"]
        wanted = pl.DataFrame(sorted(told), schema=dict.fromkeys(keys, pl.String), orient="row")
        near = pl.col("level").is_in(["commune", "epci"])
        return pl.concat([values.filter(near).join(wanted, on=keys, how="semi"), values.filter(~near)])

    def places_by_type(self, code: str) -> dict[str, int] | None:
        """Return the places by type; ``None`` where the list does not cover the commune: absent is not zero."""
        return self._places.get(code, {}) if self.observatory.covers("culture_places", code) else None

    def distributions(self, comparator: str, set_id: str, words: SetWords) -> _Distributions:
        """Return what one set looks like (:meth:`Observatory.summary`): the same objects for all its towns."""
        key = (comparator, set_id, words.set_label)
        if key not in self._spreads:
            self._spreads[key] = _distributions(self.observatory.summary(comparator, set_id), comparator, words)
        return self._spreads[key]

    def elsewhere(self, level: str, code: str, name: str) -> dict[str, Elsewhere]:
        """Return the values of a larger territory, by indicator.

        Many tables leave Mayotte or the overseas departments out: the widest field of France that has a value is
        given, under its own name.
        """
        key = (level, code)
        if (known := self._kept.get(key)) is not None:
            return known
        if key not in self._elsewhere:
            rows = self.values.get(key, [])
            if level == "france":
                fields = list(FRANCE_LABELS)
                rows = [value for field in fields for value in self.values.get(("france", field), [])]
                rows.sort(key=lambda value: (value["status"] == "missing", fields.index(value["code"])))
                rows = list({value["indicator"]: value for value in reversed(rows)}.values())
            self._elsewhere[key] = {
                value["indicator"]: elsewhere_of(FRANCE_LABELS[value["code"]] if level == "france" else name, value)
                for value in rows
            }
            # A hundred and twenty territories that every portrait tells again; the EPCI are too many to keep.
            if level != "epci":
                self._kept[key] = self._elsewhere[key]
        return self._elsewhere[key]


def town_sheets(shared: Shared, row: dict[str, Any], sets: tuple[ComparisonSet, ...]) -> dict[str, ValueSheet]:
    """Return the value sheets of a commune by indicator id, in the order of the themes."""
    observatory = shared.observatory
    larger = [shared.elsewhere(level, code, name) for level, (code, name) in _larger(row).items() if code]
    compared, spread = _comparisons(shared, row, sets)
    order = {theme: rank for rank, theme in enumerate(THEMES)}
    sheets = {}
    wanted = None if shared.figures is None else shared.figures[row["code"]]
    for value in shared.values.get(("commune", row["code"]), []):
        name = value["indicator"]
        if wanted is not None and name not in wanted:
            continue
        sheets[name] = value_sheet(
            value,
            comparisons=compared.get(name, ()),
            distributions=spread.get(name, ()),
            elsewhere=[found[name] for found in larger if name in found],
            territory=row["name"],
            sources=observatory.source_notes(value["source_ids"]),
        )
    return dict(sorted(sheets.items(), key=lambda pair: (order[pair[1].theme], pair[0])))


def _comparisons(
    shared: Shared, row: dict[str, Any], sets: tuple[ComparisonSet, ...]
) -> tuple[dict[str, list[Comparison]], dict[str, list[Distribution]]]:
    """Return, by indicator, the place of the town in each of its sets, and what these sets look like."""
    observatory, matrix = shared.observatory, shared.observatory.matrix
    words = {item.comparator.id: _words(row, item) for item in sets}
    names = None if shared.figures is None else sorted(shared.figures[row["code"]])
    compared: dict[str, list[Comparison]] = {}
    spread: dict[str, list[Distribution]] = {}
    shapes = {
        item.comparator.id: _distributions(
            summary_among(matrix, matrix.position(row["code"]), item, names), SIMILAR, words[SIMILAR]
        )
        if item.comparator.id == SIMILAR
        else shared.distributions(item.comparator.id, item.set_id, words[item.comparator.id])
        for item in sets
        if item.status not in ("empty", "absent")
    }
    for rank in rank_rows(matrix, row["code"], sets, names, ordered=observatory.comparators.ordered):
        name, comparator = rank["indicator"], rank["comparator"]
        if (told := comparison(rank, words[comparator])) is not None:
            compared.setdefault(name, []).append(told)
        if found := shapes[comparator].get((name, rank["period"], rank["demo"])):
            spread.setdefault(name, []).append(found)
    return compared, spread


def _distributions(shape: _Shape, comparator: str, words: SetWords) -> _Distributions:
    """Return what a set looks like, as the sheets of its towns show it."""
    return {
        key: Distribution(
            comparator, words.label, words.set_label, count, minimum, p10, q1, median, q3, p90, maximum, key[2]
        )
        for key, (count, (minimum, p10, q1, median, q3, p90, maximum)) in shape.items()
    }


def _larger(row: dict[str, Any]) -> dict[str, tuple[str | None, str]]:
    """Return level -> code and name of the territories that hold a commune, from the nearest to the largest."""
    return {
        "epci": (row["epci"], row["epci_name"]), "departement": (row["departement"], row["departement_name"]),
        "region": (row["region"], row["region_name"]), "france": (FRANCE_CODE, "France"),
    }  # fmt: skip


def _words(row: dict[str, Any], chosen: ComparisonSet) -> SetWords:
    """Return how a set is named: by its territory, its size, or its comparator."""
    name = chosen.comparator.id
    sizes = {item.id: item.label for item in size_classes()}
    named = {"departement": row["departement_name"], "region": row["region_name"], "epci": row["epci_name"]}
    label = sizes.get(chosen.set_id, chosen.set_id) if name == SIZE else named.get(name) or chosen.comparator.label
    return SetWords(chosen.comparator.label, label, chosen.among, chosen.inside)
