"""The demonstration set: official layouts, true geography and population, generated facilities and incomes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import polars as pl

from bourg.errors import ParameterError
from bourg.sources.demo.energy import (
    CONSUMPTION_FILE,
    PRODUCTION_FILE,
    REGISTER_FILE,
    write_consumption,
    write_production,
    write_register,
)
from bourg.sources.demo.equipment import BPE19_FILE, BPE23_FILE, write_bpe19, write_bpe23
from bourg.sources.demo.events import (
    CINEMAS_FILE,
    FESTIVALS_FILE,
    MUSEUMS_FILE,
    write_cinemas,
    write_festivals,
    write_museums,
)
from bourg.sources.demo.people import (
    FILOSOFI_FILE,
    POPULATIONS_FILE,
    PVD_FILE,
    census_communes,
    write_filosofi,
    write_populations,
    write_pvd,
)
from bourg.sources.demo.places import PLACES_FILE, write_places
from bourg.sources.demo.sirene import HISTORY_FILE, SIRENE_FILE, write_history, write_sirene
from bourg.sources.demo.territory import build_territory
from bourg.sources.demo.writing import Progress
from bourg.sources.demo.zoning import MEMBERSHIP_FILE, build_zoning, write_membership

DEFAULT_SEED = 20_250_101
# A small set keeps one BPE facility in ten; everything else is complete for the departments asked for.
_SMALL = 0.1

DEMO_FILES = (
    POPULATIONS_FILE, PVD_FILE, MEMBERSHIP_FILE, FILOSOFI_FILE, PLACES_FILE, CINEMAS_FILE, FESTIVALS_FILE,
    MUSEUMS_FILE, REGISTER_FILE, PRODUCTION_FILE, CONSUMPTION_FILE, SIRENE_FILE, HISTORY_FILE,
    BPE19_FILE, BPE23_FILE,
)  # fmt: skip
# Share of the whole duration at the end of each file, measured on the full set.
_MILESTONES = (0.04, 0.05, 0.06, 0.08, 0.12, 0.13, 0.14, 0.15, 0.16, 0.17, 0.18, 0.21, 0.22, 0.32, 1.0)


def generate(
    target: Path,
    communes: pl.DataFrame,
    iris: pl.DataFrame,
    *,
    scale: Literal["full", "small"] = "full",
    departements: tuple[str, ...] | None = None,
    seed: int = DEFAULT_SEED,
    progress: Callable[[str, float], None] | None = None,
    outlines: pl.DataFrame | None = None,
    epci: pl.DataFrame | None = None,
    former: pl.DataFrame | None = None,
    halls: pl.DataFrame | None = None,
    dirty: bool = True,
) -> list[Path]:
    """Write the demonstration files in ``target``; same arguments, same bytes.

    Populations are true (sums of the 2021 IRIS, arrondissements of Paris, Lyon and Marseille added up; Mayotte is
    absent, unknown is not zero). Everything else is drawn, calibrated on published national totals, and must be
    shown as a demonstration. A department alone receives its share of the national totals.

    Parameters
    ----------
    target
        Folder, created when needed. Each file is written beside its place, then put in service in one step.
    communes, iris
        Registry tables (see the readers of the wheels).
    scale
        ``small`` divides the BPE facilities by ten, for tests.
    departements
        Codes of the departments to write, all of them by default.
    seed
        Seed of every draw; each file has its own stream.
    progress
        Called with a file name and the share done, from 0 to 1.
    outlines
        ``code, wkb`` (EPSG:4326): points then fall inside the communes, not only inside their bounding boxes.
    epci, former
        Names of the EPCI (``code, name``) and of former communes (``code, name``), when they are known.
    halls
        Town halls (``code, longitude, latitude``): shops then stand around them.
    dirty
        Reproduce the faults of the real files (missing coordinates, lost zeros, stray spaces, double BOM).

    Returns
    -------
    list of pathlib.Path
        The files written, in the order of :data:`DEMO_FILES`.

    Raises
    ------
    ParameterError
        Unknown scale or department.
    StorageError
        Disk full or folder that cannot be written; files already in place stay as they were.
    """
    if scale not in {"full", "small"}:
        raise ParameterError(f"L'échelle « {scale} » n'existe pas.", next_step="choisissez full ou small.")
    factor = 1.0 if scale == "full" else _SMALL
    report = _Steps(progress)
    territory = build_territory(communes, iris, departements=departements, outlines=outlines, epci=epci, halls=halls)
    zoning = build_zoning(territory)
    census = census_communes(territory, iris, former)
    steps: tuple[Callable[[], Path], ...] = (
        lambda: write_populations(target, census),
        lambda: write_pvd(target, territory, zoning, seed),
        lambda: write_membership(target, territory, zoning),
        lambda: write_filosofi(target, census, iris, seed),
        lambda: write_places(target, territory, seed, dirty=dirty),
        lambda: write_cinemas(target, territory, seed, dirty=dirty),
        lambda: write_festivals(target, territory, seed, dirty=dirty),
        lambda: write_museums(target, territory, seed, dirty=dirty),
        lambda: write_register(target, territory, seed, dirty=dirty),
        lambda: write_production(target, territory, seed),
        lambda: write_consumption(target, territory, seed),
        lambda: write_sirene(target, territory, zoning, seed, factor=factor),
        lambda: write_history(target, seed),
        lambda: write_bpe19(target, territory, seed, factor=factor),
        lambda: write_bpe23(
            target, territory, zoning, seed, factor=factor, dirty=dirty, progress=report.inside_last
        ),
    )  # fmt: skip
    written = []
    for name, step, milestone in zip(DEMO_FILES, steps, _MILESTONES, strict=True):
        written.append(step())
        report(name, milestone)
    return written


class _Steps:
    """Progress of the whole from the progress of the files."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress

    def __call__(self, name: str, share: float) -> None:
        if self._progress is not None:
            self._progress(name, share)

    def inside_last(self, name: str, share: float) -> None:
        """Report the share done of the last and longest file."""
        start = _MILESTONES[-2]
        self(name, start + (1 - start) * min(share, 0.999))
