"""Values of the departments and of France, and what the communes of a set look like: read once for a whole site."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import polars as pl

from bourg.indicators.engine import STATUSES, USABLE
from bourg.indicators.units import FRANCE_LABELS
from bourg.indicators.values import declaration_of, value_text
from bourg.portrait.observatory import Observatory
from bourg.text import format_value

MARK = " ◆"


@dataclass(frozen=True)
class Cell:
    """A value as pages show it: ``value`` is ``None`` when it may not be told, ``text`` then says why."""

    value: float | None
    status: str
    period: str
    text: str

    def number(self, indicator: str) -> str:
        """Return the value without its unit, which the head of a column gives once; a share keeps its sign."""
        declared = declaration_of(indicator)
        if self.value is None:
            return self.text
        text = format_value(self.value, "%" if declared.unit == "%" else "", declared.decimals)
        return text + (MARK if self.demo else "")

    @property
    def demo(self) -> bool:
        """Whether the value was generated."""
        return self.status == "demo"


@dataclass(frozen=True)
class Spread:
    """What a set of communes looks like for an indicator and a period."""

    n: int
    period: str
    demo: bool
    minimum: float
    p10: float
    q1: float
    median: float
    q3: float
    p90: float
    maximum: float

    def text(self, indicator: str, number: float) -> str:
        """Return one of the numbers as it is shown, with the mark of generated values."""
        declared = declaration_of(indicator)
        unit = "%" if declared.unit.startswith("%") else ""
        return format_value(number, unit, declared.decimals) + (MARK if self.demo else "")


class Territories:
    """Reads the values of the larger territories of a snapshot.

    Parameters
    ----------
    observatory
        The opened snapshot.
    """

    def __init__(self, observatory: Observatory) -> None:
        self._observatory = observatory
        self._spreads: dict[tuple[str, str], dict[str, Spread]] = {}

    @cached_property
    def _values(self) -> Mapping[tuple[str, str], dict[str, Cell]]:
        table = pl.scan_parquet(self._observatory.snapshot.path("values.parquet"))
        rows = table.filter(pl.col("level").is_in(["departement", "france"])).select(
            "indicator", "level", "code", "value", "status", "period"
        )
        found: dict[tuple[str, str], dict[str, Cell]] = {}
        for indicator, level, code, value, status, period in rows.collect().iter_rows():
            known = value if status in USABLE else None
            text = value_text(indicator, known, status) + (MARK if status == "demo" else "")
            found.setdefault((level, code), {})[indicator] = Cell(known, status, period or "", text)
        return found

    def departement(self, code: str) -> Mapping[str, Cell]:
        """Return the values of a department, by indicator."""
        return self._values.get(("departement", code), {})

    def france(self, indicator: str) -> tuple[str, Cell] | None:
        """Return the widest field of France that has a value, under its name."""
        for code, label in FRANCE_LABELS.items():
            cell = self._values.get(("france", code), {}).get(indicator)
            if cell is not None and cell.value is not None:
                return label, cell
        return None

    def spread(self, comparator: str, set_id: str, indicator: str) -> Spread | None:
        """Return what a set looks like for its most frequent period; ``None`` with too few values."""
        key = (comparator, set_id)
        if key not in self._spreads:
            best: dict[str, Spread] = {}
            for (name, period, demo), (count, figures) in self._observatory.summary(comparator, set_id).items():
                if name not in best or count > best[name].n:
                    best[name] = Spread(count, period, demo, *figures)
            self._spreads[key] = best
        return self._spreads[key].get(indicator)

    def commune(self, indicator: str, code: str) -> Cell:
        """Return the value of a commune."""
        matrix = self._observatory.matrix
        row, column = matrix.row(indicator), matrix.position(code)
        index = int(matrix.statuses[row, column])
        status = STATUSES[index] if index < len(STATUSES) else "missing"
        value = float(matrix.values[row, column]) if status in USABLE else None
        period = matrix.period_demo(row, column)[0]
        return Cell(value, status, period, value_text(indicator, value, status) + (MARK if status == "demo" else ""))

    def communes(self, indicator: str, codes: list[str]) -> Iterator[tuple[str, Cell]]:
        """Yield the value of each of some communes."""
        yield from ((code, self.commune(indicator, code)) for code in codes)
