"""Make a whole site: pages in several processes, only what changed made again, only what differs written."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import numpy as np

from bourg import __version__
from bourg.errors import ParameterError, StorageError
from bourg.geography.codes import departement_of
from bourg.indicators.parameters import parameter
from bourg.portrait.observatory import Observatory, open_observatory
from bourg.processes import no_main_script
from bourg.settings import Settings
from bourg.site.digests import Nearby
from bourg.site.feeds import sitemaps
from bourg.site.fingerprint import Fingerprints, completed, fingerprints
from bourg.site.folder import SiteFolder
from bourg.site.pages import Pages, method_files
from bourg.site.towns import Scope, departements_of
from bourg.site.work import Batch, Job, Made, Worker, batches, open_worker, run_batch

Progress = Callable[[str, float], None]
# Towns made together: enough to share what they have in common, few enough to keep the processes evenly busy.
_LEAST_BATCH, _MOST_BATCH, _BATCHES_EACH = 24, 240, 4
# Under this number of pages a second process costs more than it saves; a page to mend counts for a fraction of one.
_ALONE, _MENDED = 60, 0.1
_THREADS = "POLARS_MAX_THREADS"
# The pages of methods depend on nothing but the declarations of the indicators.
METHODS = "methode"
# Above this share of the figures, whole pages cost less than mended ones.
_MOST_FIGURES = 0.4


@dataclass(frozen=True)
class SiteReport:
    """What a run did.

    Attributes
    ----------
    towns, made, mended, written, unchanged, deleted
        Communes of the site; communes whose pages were made whole, or mended; files written, left as they were,
        deleted.
    files, size
        Files of the site and their bytes.
    """

    towns: int
    made: int
    mended: int
    written: int
    unchanged: int
    deleted: int
    files: int
    size: int

    def to_dict(self) -> dict[str, int]:
        """Return plain JSON types."""
        return asdict(self)


def generate_site(
    settings: Settings,
    out: Path,
    codes: Sequence[str],
    *,
    address: str = "",
    workers: int | None = None,
    complete: bool = False,
    progress: Progress = lambda _label, _share: None,
) -> SiteReport:
    """Write the site of some communes in a folder; only what changed since the last run is made and written.

    Parameters
    ----------
    settings
        Folders of the installation, which says the snapshot in service.
    out
        Folder of the site: empty, new, or made by an earlier run.
    codes
        Communes of the reference geography.
    address
        Public address of the site, for what needs full addresses (canonical links, site map, feed).
    workers
        Processes; the number of cores by default.
    complete
        Make every page again.
    progress
        Called with a French label and the share done.

    Raises
    ------
    NotASiteError, StorageError
        When the folder is something else, or cannot be written.
    ParameterError
        When the address is not one.
    SnapshotError
        When there is no usable snapshot.
    """
    address = _checked(address)
    folder = SiteFolder(out)
    progress("Ouverture de l’instantané", 0.0)
    observatory = open_observatory(settings)
    chosen = frozenset(codes)
    scope = Scope(chosen, departements_of(observatory, chosen), address)
    progress("Recherche de ce qui a changé", 0.02)
    known = Fingerprints() if complete else Fingerprints.read(folder.manifest.get("empreintes"), folder.arrays())
    moved = folder.manifest.get("instantane") != observatory.snapshot.id
    job = Job(settings, out, scope, dict(folder.files))
    with _Crew(job, observatory, workers or os.cpu_count() or 1) as crew:
        if moved and len(chosen) > _ALONE:
            crew.start()
        keys = fingerprints(observatory, sorted(chosen), scope, known)
        owners: dict[str, list[str]] = folder.manifest.get("pages", {})
        lost = _lost(out, owners, {f"ville/{code}" for code in chosen})
        plan = _plan(observatory, keys, known, moved=moved, lost=lost)
        if plan.size:
            folder.begin()
        work = crew.made(plan)
        state = _State(folder, owners)
        state.write(Pages(observatory, scope).files())
        if keys.common == known.common and METHODS in owners and METHODS not in lost:
            state.keep(METHODS)
        else:
            state.write(method_files(address), METHODS)
        count, done, nearby = plan.size, 0, {}
        for made in work:
            for item in made:
                state.take(item)
                done += 1
                if item.kind == "town" and item.nearby is not None:
                    nearby[item.name] = item.nearby
            label = f"Pages des communes, des départements et des thèmes ({done} sur {count})"
            progress(label, 0.05 + 0.9 * done / count)
    progress("Fin du site", 0.96)
    for owner in (*(f"ville/{code}" for code in keys.codes), *keys.pages):
        state.keep(owner)
    day = observatory.snapshot.manifest["created"][:10]
    state.write(sitemaps(address, list(state.files), day).items())
    keys = completed(observatory, keys, nearby)
    arrays = folder.write_arrays(keys.to_arrays())
    gone = folder.finish(
        {"bourg": __version__, "tableaux": arrays, "instantane": observatory.snapshot.id,
         "fichiers": state.files, "pages": state.owners, "empreintes": keys.to_dict()}
    )  # fmt: skip
    size = sum((out / item).stat().st_size for item in state.files)
    return SiteReport(
        len(chosen), state.made, state.mended, state.written, len(state.files) - state.written, len(gone),
        len(state.files), size,
    )  # fmt: skip


def _lost(out: Path, owners: Mapping[str, Sequence[str]], towns: Collection[str]) -> frozenset[str]:
    """Return the pages of the last run that are no longer whole on the disk, and the towns that it did not make."""
    there = {owner for owner, names in owners.items() if names and all((out / name).is_file() for name in names)}
    return frozenset((set(owners) | set(towns)) - there)


class _State:
    """The files of the site, as they become known."""

    def __init__(self, folder: SiteFolder, past: Mapping[str, list[str]]) -> None:
        self._folder, self._known, self._past = folder, folder.files, past
        self.files: dict[str, str] = {}
        self.owners: dict[str, list[str]] = {}
        self.written = self.made = self.mended = 0

    def write(self, files: Iterable[tuple[str, bytes]], owner: str = "") -> None:
        """Write some files, of a page when they belong to one."""
        for name, content in files:
            self.files[name], new = self._folder.write(name, content)
            if owner:
                self.owners.setdefault(owner, []).append(name)
            self.written += new

    def take(self, item: Made) -> None:
        """Take in what a process made."""
        owner = f"{'ville' if item.kind in ('town', 'mend') else item.kind}/{item.name}"
        self.files.update(item.hashes)
        self.owners[owner] = sorted(item.hashes)
        self.written += item.written
        self.made += item.kind == "town"
        self.mended += item.kind == "mend"

    def keep(self, owner: str) -> None:
        """Keep the files of a page that did not change."""
        if owner not in self.owners:
            self.owners[owner] = self._past[owner]
            self.files |= {name: self._known[name] for name in self._past[owner]}


@dataclass(frozen=True)
class _Plan:
    """What is to be made.

    Attributes
    ----------
    towns, mend, departements, themes
        Towns to make whole, towns to mend, other pages to make.
    changed, traits, beside, nearby
        For each town to mend: its figures that changed, whether what sets it apart and what stands beside it did, what
        it is compared with.
    figures
        Indicators that changed in the towns to mend.
    moved
        Indicators of which a value changed in some commune.
    """

    towns: tuple[str, ...]
    mend: tuple[str, ...] = ()
    changed: tuple[tuple[str, ...], ...] = ()
    traits: tuple[bool, ...] = ()
    beside: tuple[bool, ...] = ()
    departements: tuple[str, ...] = ()
    themes: tuple[str, ...] = ()
    figures: tuple[str, ...] = ()
    moved: tuple[str, ...] = ()
    nearby: Nearby | None = field(default=None, repr=False)

    @property
    def size(self) -> int:
        """Pages to make."""
        return len(self.towns) + len(self.mend) + len(self.departements) + len(self.themes)

    @property
    def weight(self) -> float:
        """About how much work it is, in whole pages."""
        return self.size - (1 - _MENDED) * len(self.mend)

    def batches(self, workers: int) -> list[Batch]:
        """Return the work cut for some processes, the longest first."""
        wanted = workers * _BATCHES_EACH
        found = batches("theme", self.themes, wanted, least=1, most=4)
        left = set(self.departements)
        for batch in batches("town", self.towns, wanted, least=_LEAST_BATCH, most=_MOST_BATCH):
            here = tuple(sorted(left & {departement_of(code) for code in batch.names}))
            left -= set(here)
            found.append(replace(batch, departements=here))
        for batch in batches("mend", self.mend, wanted, least=_LEAST_BATCH, most=_MOST_BATCH):
            start = self.mend.index(batch.names[0])
            part = slice(start, start + len(batch.names))
            near = self.nearby and Nearby(self.nearby.members[part], self.nearby.beside[part])
            found.append(replace(
                batch, nearby=near, changed=self.changed[part], traits=self.traits[part], beside=self.beside[part],
                figures=self.figures, moved=self.moved,
            ))  # fmt: skip
        return found + batches("departement", sorted(left), wanted, least=4, most=16)


def _plan(
    observatory: Observatory, keys: Fingerprints, known: Fingerprints, *, moved: bool, lost: Collection[str]
) -> _Plan:
    """Return what is to be made: what changed, what is lost, and the pages that name a snapshot replaced since."""
    changes = keys.changed(known)
    pages = [name for name, key in keys.pages.items() if known.pages.get(name) != key or name in lost]
    other = keys.common != known.common
    departements, themes = (
        tuple(name.removeprefix(kind) for name in (keys.pages if other else pages) if name.startswith(kind))
        for kind in ("departement/", "theme/")
    )
    whole = [code for code in keys.codes if changes.get(code, ()) is None or f"ville/{code}" in lost]
    rows = sorted({row for found in changes.values() if found for row in found})
    indicators = observatory.matrix.indicators
    if len(rows) > _MOST_FIGURES * len(indicators):
        taken = changes.keys() | set(whole)
        whole, rows = [code for code in keys.codes if code in taken], []
    near, alone = keys.nearby, set[str]()
    if near is not None and near.members.size:
        # Few towns alike: what sets the town apart is told against a large set, of which not every value is known.
        few = (near.members[:, 0] >= 0).sum(axis=1) + 1 < parameter("ranking_min_set")
        alone = set(np.array(keys.codes)[few].tolist())
    taken = set(whole)
    touched = {code: tuple(indicators[row] for row in found) for code, found in changes.items()
               if found and code not in taken}  # fmt: skip
    places = [index for index, code in enumerate(keys.codes) if code not in taken and (moved or code in touched)]
    mend = tuple(keys.codes[index] for index in places)
    apart = [keys.apart(known, code) for code in mend]
    return _Plan(
        tuple(whole), mend, tuple(touched.get(code, ()) for code in mend),
        tuple(traits or code in alone for code, (traits, _) in zip(mend, apart, strict=True)),
        tuple(beside for _, beside in apart), departements, themes,
        tuple(sorted({name for names in touched.values() for name in names})),
        tuple(indicators[row] for row in keys.moved(known)),
        Nearby(near.members[places], near.beside[places]) if near else None,
    )  # fmt: skip


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Start processes whose libraries use one thread: there is a process for each core already."""
    before = os.environ.get(_THREADS)
    os.environ[_THREADS] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_THREADS]
        else:
            os.environ[_THREADS] = before


class _Crew:
    """The processes that make the pages: none when this one is enough.

    Parameters
    ----------
    job
        What they have to know.
    observatory
        The opened snapshot, for this process.
    workers
        Processes at most.
    """

    def __init__(self, job: Job, observatory: Observatory, workers: int) -> None:
        self._job, self._observatory, self._workers = job, observatory, workers
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def start(self) -> None:
        """Start the processes, which open the snapshot while this one looks for what to do."""
        if self._pool is not None or self._workers == 1:
            return
        # A process of its own for each worker, not a copy of this one: the threads of Polars do not survive a copy.
        context = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(
            self._workers, mp_context=context, initializer=open_worker, initargs=(self._job,)
        )
        with no_main_script(), _one_thread():
            # One is started for each task that finds no idle one: all of them have to be while the script is hidden.
            for _ in range(self._workers):
                self._pool.submit(os.getpid)

    def made(self, plan: _Plan) -> Iterator[list[Made]]:
        """Return what is made, batch by batch; the processes work from now on."""
        if plan.weight > _ALONE:
            self.start()
        if self._pool is None:
            worker = Worker(self._job, self._observatory)
            return (worker.run(batch) for batch in plan.batches(1))
        try:
            return self._finished({self._pool.submit(run_batch, batch) for batch in plan.batches(self._workers)})
        except BrokenProcessPool as error:
            raise self._stopped(error) from error

    def _finished(self, waiting: set[Future[list[Made]]]) -> Iterator[list[Made]]:
        try:
            while waiting:
                finished, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for item in finished:
                    yield item.result()
        except BrokenProcessPool as error:
            raise self._stopped(error) from error

    def _stopped(self, error: BrokenProcessPool) -> StorageError:
        return StorageError(
            "Un des processus qui font les pages s’est arrêté.", where=str(self._job.out), why=str(error),
            next_step="libérez de la mémoire, ou relancez avec --processus 1.",
        )  # fmt: skip


def _checked(address: str) -> str:
    if not address:
        return ""
    parts = urlsplit(address)
    if parts.scheme not in {"http", "https"} or not parts.netloc or parts.query or parts.fragment or '"' in address:
        raise ParameterError(
            "L’adresse du site n’est pas une adresse web.", where=address[:120],
            next_step="exemple : --adresse https://observatoire.exemple.fr/",
        )  # fmt: skip
    return address.rstrip("/") + "/"
