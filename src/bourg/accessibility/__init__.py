"""The accessibility of Bourg, assessed against the RGAA 4.1.2: criteria, results, automated checks, rates."""

from __future__ import annotations

from bourg.accessibility.assessment import (
    Assessment,
    Rates,
    Side,
    Verdict,
    footer_text,
    load_assessment,
    rates,
    state,
)
from bourg.accessibility.automated import AxeReport, merged, read_axe

__all__ = [
    "Assessment", "AxeReport", "Rates", "Side", "Verdict", "footer_text", "load_assessment", "merged", "rates",
    "read_axe", "state",
]  # fmt: skip
