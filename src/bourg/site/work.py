"""What the processes of a site do: make whole pages, mend those of which a few figures changed, write them."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from bourg.indicators.engine import USABLE
from bourg.portrait.document import KEY_FIGURES, Portrait, SpecificitiesBySet, make_portraits
from bourg.portrait.locator import Locator
from bourg.portrait.observatory import Observatory, open_observatory
from bourg.portrait.page import TownPage, key_figures_section, traits_section
from bourg.portrait.page_figures import figure_item
from bourg.settings import Settings
from bourg.site.addresses import StaticLinks
from bourg.site.departements import DepartementPages
from bourg.site.digests import Nearby
from bourg.site.fingerprint import similar_of
from bourg.site.folder import SiteFolder, digest
from bourg.site.mend import KEY_SECTION, TRAITS_SECTION, MendError, mended, mended_json, stamp_of, stamped
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
    figures
        Indicators that changed in the pages to mend; the key figures are among them when one of them is.
    """

    settings: Settings
    out: Path
    scope: Scope
    past: Mapping[str, str]
    figures: tuple[str, ...] = ()


@dataclass(frozen=True)
class Batch:
    """Pages to make together.

    Attributes
    ----------
    kind, names
        Towns, departments or themes, by code.
    departements
        Departments of the towns to make after them, while their outlines are at hand.
    nearby, changed, traits
        For towns to mend: what each is compared with; its figures that changed, none when only the snapshot that it
        names did; whether what sets it apart changed.
    """

    kind: Kind
    names: tuple[str, ...]
    departements: tuple[str, ...] = ()
    nearby: Nearby | None = None
    changed: tuple[tuple[str, ...], ...] = ()
    traits: tuple[bool, ...] = ()


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
        moved = [code for code, changed in zip(batch.names, batch.changed, strict=True) if changed]
        part, portraits = self._observatory, dict[str, Portrait]()
        if moved:
            part = self._part
            self._part.remember(batch.names, batch.nearby)
            figures = {
                code: _wanted(changed, part)
                for code, changed in zip(batch.names, batch.changed, strict=True)
                if changed
            }
            portraits = {portrait.identity.code: portrait for portrait in make_portraits(part, moved, figures)}
        whole: list[str] = []
        for index, code in enumerate(batch.names):
            try:
                if code in portraits:
                    beside = self._beside(batch, index)
                    yield self._mend(portraits[code], beside, traits=batch.traits[index])
                else:
                    yield self._stamped(code)
            except (MendError, OSError, UnicodeDecodeError):
                # A file that is no longer what was written: the whole page is made again.
                whole.append(code)
        if whole:
            yield from self._towns(Batch("town", tuple(whole)))

    @cached_property
    def _part(self) -> PartialObservatory:
        """The snapshot seen through the figures that changed."""
        return PartialObservatory(self._observatory, self._job.figures)

    @staticmethod
    def _beside(batch: Batch, index: int) -> list[int]:
        if batch.nearby is None:
            return []
        return [place for place in batch.nearby.beside[index].tolist() if place >= 0]

    def _stamped(self, code: str) -> Made:
        """Write the page of a town of which nothing changed but the snapshot that it names."""
        paths = town_paths(code, self._observatory.names[code])
        files = {
            paths.page: stamped(self._read(paths.page), self._stamp),
            paths.data: mended_json(self._read(paths.data), {}, self._snapshot),
        }
        made = self._written("mend", code, files)
        return replace(made, hashes={**made.hashes, paths.beside: self._job.past[paths.beside]})

    def _mend(self, portrait: Portrait, beside: list[int], *, traits: bool) -> Made:
        """Write the page of a town with the figures of ``portrait`` in the place of the old ones."""
        code = portrait.identity.code
        paths = town_paths(code, self._observatory.names[code])
        sections = {}
        if traits:
            apart = SpecificitiesBySet(self._observatory, code, portrait.sets)
            sections[TRAITS_SECTION] = traits_section(replace(portrait, specificities=apart))
        if any(name in portrait.sheets for name in KEY_FIGURES):
            sections[KEY_SECTION] = key_figures_section(portrait)
        known = {name: sheet for name, sheet in portrait.sheets.items() if sheet.status in USABLE}
        items = {name: figure_item(sheet, self._links.method(sheet.theme)) for name, sheet in known.items()}
        figures = {name: sheet_json(sheet) for name, sheet in portrait.sheets.items()}
        matrix = self._observatory.matrix
        columns = [matrix.position(code), *beside]
        lines = {name: compare_line(matrix, columns, sheet) for name, sheet in known.items()}
        return self._written("mend", code, {
            paths.page: stamped(mended(self._read(paths.page), items, sections), self._stamp),
            paths.data: mended_json(self._read(paths.data), figures, self._snapshot),
            paths.beside: mended(self._read(paths.beside), lines, rows=True),
        })  # fmt: skip

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


def _wanted(changed: Sequence[str], part: Observatory) -> frozenset[str]:
    """Return these figures, and all the key figures when one of them is there."""
    wanted = set(changed)
    if wanted & set(KEY_FIGURES):
        wanted |= {name for name in KEY_FIGURES if name in part.matrix.rows}
    return frozenset(wanted)


_HELD: dict[str, Worker] = {}


def open_worker(job: Job) -> None:
    """Prepare a process."""
    # A page leaves no cycle of objects: looking for some among a million live ones took a third of the time.
    gc.disable()
    _HELD["worker"] = Worker(job, open_observatory(job.settings))


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
