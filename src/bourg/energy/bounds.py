"""Bounds of a coverage rate whose production is partly unknown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

# A year of 366 days: no installation can put more on the grid than its power all year long.
MOST_HOURS = 8_784


@dataclass(frozen=True)
class KnownEnergy:
    """What the register tells of the energy of some installations.

    Attributes
    ----------
    known_mwh
        Sum of the energies published, MWh in twelve months.
    unknown_kw
        Power of the installations whose energy is not published; ``None`` when one of these powers is unknown too.
    unknown_n, secret_n
        Installations whose energy is not published, and those of them whose energy is withheld.
    """

    known_mwh: float
    unknown_kw: float | None
    unknown_n: int
    secret_n: int


def known_energy(installations: pl.DataFrame, sectors: Sequence[str]) -> KnownEnergy:
    """Return what is known of the energy of some sectors.

    Parameters
    ----------
    installations
        Rows of ``energy_installations``: ``sector, power_kw, n, year_injected_kwh, energy_status``.
    sectors
        Sectors of the register to keep.
    """
    rows = installations.filter(pl.col("sector").is_in(sectors))
    silent = rows.filter(pl.col("year_injected_kwh").is_null())
    lost = silent["power_kw"].null_count() > 0
    return KnownEnergy(
        known_mwh=float(rows["year_injected_kwh"].sum()) / 1000,
        unknown_kw=None if lost else float(silent["power_kw"].sum()),
        unknown_n=int(silent["n"].sum()),
        secret_n=int(silent.filter(pl.col("energy_status") == "secret")["n"].sum()),
    )


def coverage_bounds(energy: KnownEnergy, used_mwh: float) -> tuple[float, float | None] | None:
    """Return the lowest and the highest coverage rate, in percent, that the published energies allow.

    The lowest counts the published energies only; the highest adds the power of the others at work all year long,
    which no installation reaches. ``None`` as the highest when one of these powers is unknown; ``None`` alone when
    nothing is used.
    """
    if used_mwh <= 0:
        return None
    low = 100 * energy.known_mwh / used_mwh
    if energy.unknown_kw is None:
        return low, None
    return low, low + 100 * energy.unknown_kw * MOST_HOURS / 1000 / used_mwh
