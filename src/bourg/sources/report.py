"""What a reader read, kept and rejected: nothing is dropped in silence."""

from __future__ import annotations

from dataclasses import dataclass, field

MAX_EXAMPLES = 5


@dataclass
class Rejection:
    """Rows left out for one reason, with a few examples (line number and value)."""

    count: int = 0
    examples: list[str] = field(default_factory=list)


@dataclass
class ReadReport:
    """Counts of one read, listed in the build report.

    Attributes
    ----------
    rows_read, rows_kept
        Rows of the file and rows of the main table it gave.
    rejected
        French reason -> rows left out.
    mended
        French description of a repair -> number of rows repaired (lost leading zeros, decimal commas…).
    notes
        Other French remarks about the file (encoding met, old layout, partial coverage…).
    """

    rows_read: int = 0
    rows_kept: int = 0
    rejected: dict[str, Rejection] = field(default_factory=dict)
    mended: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def reject(self, reason: str, count: int, examples: list[str] | None = None) -> None:
        """Count ``count`` rows left out for ``reason``; nothing happens when ``count`` is zero."""
        if count <= 0:
            return
        entry = self.rejected.setdefault(reason, Rejection())
        entry.count += count
        entry.examples.extend((examples or [])[: MAX_EXAMPLES - len(entry.examples)])

    def mend(self, what: str, count: int) -> None:
        """Count ``count`` rows repaired; nothing happens when ``count`` is zero."""
        if count > 0:
            self.mended[what] = self.mended.get(what, 0) + count

    def note(self, text: str) -> None:
        """Add a remark once."""
        if text not in self.notes:
            self.notes.append(text)

    def to_dict(self) -> dict[str, object]:
        """Return plain JSON types."""
        return {
            "lignes_lues": self.rows_read,
            "lignes_gardees": self.rows_kept,
            "rejets": {k: {"nombre": v.count, "exemples": v.examples} for k, v in self.rejected.items()},
            "reparations": dict(self.mended),
            "remarques": list(self.notes),
        }
