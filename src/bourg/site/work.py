"""What the processes of a site do: make whole pages, mend those of which a few figures changed, write them."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from bourg.indicators.engine import USABLE
from bourg.indicators.registry import load_indicators
from bourg.indicators.values import declaration_of
from bourg.portrait.document import KEY_FIGURES, Portrait, SpecificitiesBySet, make_portraits
from bourg.portrait.locator import Locator
from bourg.portrait.observatory import Observatory, open_observatory
from bourg.portrait.page import TownPage, key_figure, traits_section
from bourg.portrait.page_figures import figure_item
from bourg.settings import Settings
from bourg.site.addresses import StaticLinks
from bourg.site.departements import DepartementPages
from bourg.site.digests import Nearby
from bourg.site.fingerprint import similar_of
from bourg.site.folder import SiteFolder, digest
from bourg.site.mend import TRAITS_SECTION, MendError, mended, mended_json, stamp_of, stamped
from bourg.site.part import DirectObservatory, PartialObservatory
from bourg.site.themes import ThemePages
from bourg.site.towns import BESIDE, Scope, compare_line, sheet_json, town_files, town_links, town_page, town_paths

Kind = Literal["town", "mend", "departement", "theme"]


@dataclass(frozen=True)
class Job:
    """What every process has to know.

    Attributes
    ----------
    settings, out, scope
        Installation, folder of the site, communes of the site.
    past
        Hashes of the files of the last run, by path.
    """

    settings: Settings
    out: Path
    scope: Scope
    past: Mapping[str, str]


@dataclass(frozen=True)
class Batch:
    """Pages to make together.

    Attributes
    ----------
    kind, names
        Towns, departments or themes, by code.
    departements
        Departments of the towns to make after them, while their outlines are at hand.
    nearby, changed, traits, beside
        For towns to mend: what each is compared with; its figures that changed, none when only the snapshot that it
        names did; whether what sets it apart changed, and what stands beside it.
    figures
        All the figures that changed in towns to mend.
    moved
        Indicators of which a value changed in some commune.
    """

    kind: Kind
    names: tuple[str, ...]
    departements: tuple[str, ...] = ()
    nearby: Nearby | None = None
    changed: tuple[tuple[str, ...], ...] = ()
    traits: tuple[bool, ...] = ()
    beside: tuple[bool, ...] = ()
    figures: tuple[str, ...] = ()
    moved: tuple[str, ...] = ()


@dataclass(frozen=True)
class Made:
    """What was made for one town, department or theme: hash of each file, files written, similar towns of a town."""

    kind: Kind
    name: str
    hashes: Mapping[str, str] = field(default_factory=dict)
    written: int = 0
    nearby: Nearby | None = None


class Worker:
    """Does the work of one process.

    Parameters
    ----------
    job
        What to know.
    observatory
        The opened snapshot.
    """

    def __init__(self, job: Job, observatory: Observatory) -> None:
        self._job, self._observatory = job, DirectObservatory.over(observatory)
        self._folder = SiteFolder.opened(job.out, dict(job.past))
        self._locator = Locator(observatory)
        self._parts: dict[tuple[str, ...], PartialObservatory] = {}

    def run(self, batch: Batch) -> list[Made]:
        """Make the pages of a batch and write those that changed."""
        actions: dict[Kind, Callable[[Batch], Iterator[Made]]] = {
            "town": self._towns, "mend": self._mended, "departement": self._departements, "theme": self._themes,
        }  # fmt: skip
        made = list(actions[batch.kind](batch))
        if batch.departements:
            made += self._departements(Batch("departement", batch.departements))
        return made

    def _written(self, kind: Kind, name: str, files: Mapping[str, bytes], nearby: Nearby | None = None) -> Made:
        hashes, written = {}, 0
        for path, content in files.items():
            hashes[path], new = self._folder.write(path, content)
            written += new
        return Made(kind, name, hashes, written, nearby)

    def _towns(self, batch: Batch) -> Iterator[Made]:
        for portrait, files in town_files(self._observatory, batch.names, self._job.scope, self._locator):
            code = portrait.identity.code
            shown = [item.code for item in portrait.similar.neighbours] if portrait.similar else []
            yield self._written("town", code, files, similar_of(self._observatory, code, shown, BESIDE))

    @cached_property
    def _departement_pages(self) -> DepartementPages:
        return DepartementPages(self._observatory, self._job.scope, self._locator)

    @cached_property
    def _theme_pages(self) -> ThemePages:
        return ThemePages(self._observatory, self._job.scope)

    def _departements(self, batch: Batch) -> Iterator[Made]:
        for code in batch.names:
            yield self._written("departement", code, self._departement_pages.files(code))

    def _themes(self, batch: Batch) -> Iterator[Made]:
        for theme in batch.names:
            yield self._written("theme", theme, self._theme_pages.files(theme))

    def _mended(self, batch: Batch) -> Iterator[Made]:
        todo = zip(batch.names, batch.changed, batch.traits, strict=True)
        figures = {code: frozenset(changed) for code, changed, traits in todo if changed or traits}
        portraits: dict[str, Portrait] = {}
        if figures:
            part = self._part(batch.figures)
            part.remember(batch.names, batch.nearby)
            portraits = {made.identity.code: made for made in make_portraits(part, list(figures), figures)}
        whole: list[str] = []
        for index, code in enumerate(batch.names):
            try:
                yield self._mend(batch, index, portraits.get(code))
            except (MendError, OSError, UnicodeDecodeError):
                # A file that is no longer what was written: the whole page is made again.
                whole.append(code)
        if whole:
            yield from self._towns(Batch("town", tuple(whole)))

    def _part(self, figures: tuple[str, ...]) -> PartialObservatory:
        """Return the snapshot seen through the figures that changed."""
        if figures not in self._parts:
            self._parts = {figures: PartialObservatory(self._observatory, figures)}
        return self._parts[figures]

    def _mend(self, batch: Batch, index: int, portrait: Portrait | None) -> Made:
        """Write the page of a town with the figures of ``portrait`` in the place of the old ones.

        Without portrait nothing changed but the snapshot that the page names.
        """
        code = batch.names[index]
        paths = town_paths(code, self._observatory.names[code])
        page, data = self._read(paths.page), self._read(paths.data)
        sheets = portrait.sheets if portrait else {}
        if portrait is not None:
            sections = {}
            if batch.traits[index]:
                apart = SpecificitiesBySet(self._observatory, code, portrait.sets)
                sections[TRAITS_SECTION] = traits_section(replace(portrait, specificities=apart))
            known = {name: sheet for name, sheet in sheets.items() if sheet.status in USABLE}
            page = mended(page, {
                "figure": {name: figure_item(sheet, self._links.method(sheet.theme)) for name, sheet in known.items()},
                "key": {name: key_figure(known[name]) for name in KEY_FIGURES if name in known},
            }, sections)  # fmt: skip
        files = {
            paths.page: stamped(page, self._stamp),
            paths.data: mended_json(data, {name: sheet_json(sheet) for name, sheet in sheets.items()}, self._snapshot),
        }
        if batch.beside[index]:
            files[paths.beside] = mended(self._read(paths.beside), {"line": self._lines(batch, index)})
        made = self._written("mend", code, files)
        return replace(made, hashes={paths.beside: self._job.past[paths.beside], **made.hashes})

    def _lines(self, batch: Batch, index: int) -> dict[str, str]:
        """Return the lines of the comparison with similar towns in which a value may have changed."""
        matrix = self._observatory.matrix
        here = matrix.position(batch.names[index])
        near = batch.nearby.beside[index].tolist() if batch.nearby else []
        columns = [here, *(place for place in near if place >= 0)]
        rows = {name: matrix.row(name) for name in batch.moved}
        return {
            name: compare_line(matrix, columns, declaration_of(name))
            for name, row in rows.items()
            if matrix.status(row, here) in USABLE
        }

    @cached_property
    def _links(self) -> StaticLinks:
        """Addresses as seen from the page of a town."""
        return town_links(self._job.scope)

    @cached_property
    def _snapshot(self) -> dict[str, Any]:
        """What the data of a town says of the snapshot in service."""
        return next(self._any_portrait).snapshot

    @property
    def _any_portrait(self) -> Iterator[Portrait]:
        """The portrait of one of the towns, without figure."""
        return make_portraits(PartialObservatory(self._observatory, ()), sorted(self._job.scope.codes)[:1])

    @cached_property
    def _stamp(self) -> bytes:
        """The words by which pages name the snapshot in service."""
        return stamp_of(town_page(TownPage(next(self._any_portrait)), self._job.scope).encode())

    def _read(self, path: str) -> bytes:
        content = (self._job.out / path).read_bytes()
        if digest(content) != self._job.past.get(path):
            raise MendError(path)
        return content


_HELD: dict[str, Worker] = {}


def open_worker(job: Job) -> None:
    """Prepare a process."""
    # A page leaves no cycle of objects: looking for some among a million live ones took a third of the time.
    gc.disable()
    observatory = open_observatory(job.settings)
    _HELD["worker"] = Worker(job, observatory)
    # Read while the first process still looks for what changed.
    load_indicators()
    observatory.comparators  # noqa: B018 - read for its effect


def run_batch(batch: Batch) -> list[Made]:
    """Do the work of a batch in a prepared process."""
    made = _HELD["worker"].run(batch)
    gc.collect()
    gc.freeze()
    return made


def batches(kind: Kind, names: Sequence[str], wanted: int, *, least: int, most: int) -> list[Batch]:
    """Return names cut in about as many batches as wanted, of a size between two bounds.

    Enough together to share what they have in common, not so many that a process ends long after the others.
    """
    size = min(max(len(names) // wanted, least), most)
    return [Batch(kind, tuple(names[start : start + size])) for start in range(0, len(names), size)]
