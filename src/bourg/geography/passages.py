"""Move a table from the commune codes of its vintage to the reference geography.

A code that became another (merger) is replaced. Rows of a code that was split since cannot be shared out: they keep a
code of the group, and the group is reported as undivided, so that its communes are missing one by one while the
territories that hold them all stay exact. Codes of nowhere are listed: nothing is dropped in silence (DESIGN 4).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

import polars as pl

from bourg.settings import REFERENCE_COG


@dataclass(frozen=True)
class Unmoved:
    """A code that could not be brought to the reference geography."""

    code: str
    reason: str
    rows: int
    targets: tuple[str, ...] = ()


@dataclass
class MoveReport:
    """What :meth:`Passages.move` did, for the build report."""

    kept: int = 0
    moved: int = 0
    unmoved: list[Unmoved] = field(default_factory=list)

    @property
    def undivided(self) -> tuple[tuple[str, ...], ...]:
        """Groups of reference communes that the table describes together."""
        return tuple(item.targets for item in self.unmoved if item.targets)

    def to_dict(self) -> dict[str, object]:
        """Return plain JSON types."""
        return {
            "lignes_inchangees": self.kept,
            "lignes_deplacees": self.moved,
            "non_deplacees": [
                {"code": item.code, "motif": item.reason, "lignes": item.rows, "cibles": list(item.targets)}
                for item in self.unmoved
            ],
        }


class Passages:
    """The correspondence from any known commune code to the reference communes.

    Parameters
    ----------
    reference
        Codes of the reference geography.
    links
        ``old_code, new_code`` tables, the most authoritative first (official passage table, then COG parents, then
        the registry's former communes). Links whose target is not a reference commune are ignored.
    vintages
        Year -> communes of the COG of that year, for the years known: they tell whether a split came before.
    """

    def __init__(
        self, reference: frozenset[str], links: list[pl.DataFrame], vintages: dict[int, frozenset[str]] | None = None
    ) -> None:
        self.reference = reference
        self._vintages = {**(vintages or {}), REFERENCE_COG: reference}
        self._targets: dict[str, tuple[str, ...]] = {}
        for table in links:
            found: dict[str, set[str]] = defaultdict(set)
            for old, new in table.select("old_code", "new_code").iter_rows():
                if new in reference:
                    found[old].add(new)
            for old, targets in found.items():
                self._targets.setdefault(old, tuple(sorted(targets)))

    def targets(self, code: str) -> tuple[str, ...]:
        """Return the reference communes that the territory of ``code`` went to, empty when it is unknown."""
        if code in self._targets:
            return self._targets[code]
        return (code,) if code in self.reference else ()

    def move(self, frame: pl.DataFrame, *, cog: int | None = None) -> tuple[pl.DataFrame, MoveReport]:
        """Return ``frame`` with its ``code`` in the reference geography, and the report.

        A code that was later split stays as it is, and names the smaller, current commune, when the table already
        knows its other parts or when the COG of its vintage does. Null codes are kept null; rows of unknown codes are
        left out and listed.

        Parameters
        ----------
        frame
            Any table with a ``code`` column.
        cog
            Vintage of the commune codes of the table, when it is known.
        """
        report = MoveReport()
        counts = dict(frame.group_by("code").len().filter(pl.col("code").is_not_null()).iter_rows())
        mapping: dict[str, str] = {}
        for code in sorted(counts):
            targets = self.targets(code)
            if len(targets) > 1 and code in self.reference and self._already_split(code, targets, counts, cog):
                targets = (code,)
            if not targets:
                report.unmoved.append(Unmoved(code, "code inconnu de la géographie de référence", counts[code]))
                continue
            mapping[code] = code if code in targets else targets[0]
            if len(targets) > 1:
                report.unmoved.append(Unmoved(code, "commune scindée depuis", counts[code], targets))
            elif mapping[code] == code:
                report.kept += counts[code]
            else:
                report.moved += counts[code]
        moved = frame.with_columns(pl.col("code").replace_strict(mapping, default=None, return_dtype=pl.String))
        was_null = frame["code"].is_null()
        return moved.filter(pl.col("code").is_not_null() | was_null), report

    def _already_split(self, code: str, targets: tuple[str, ...], counts: dict[str, int], cog: int | None) -> bool:
        others = set(targets) - {code}
        if others & counts.keys():
            return True
        return any(cog is not None and year <= cog and others <= codes for year, codes in self._vintages.items())
