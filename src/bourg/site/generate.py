"""Make a whole site: towns in several processes, the other pages meanwhile, only what changed written."""

from __future__ import annotations

import gc
import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bourg import __version__
from bourg.errors import ParameterError, StorageError
from bourg.portrait.observatory import Observatory, open_observatory
from bourg.processes import no_main_script
from bourg.settings import Settings
from bourg.site.fingerprint import Fingerprints, fingerprints, near_digests, similar_members
from bourg.site.folder import SiteFolder
from bourg.site.pages import Pages, sitemap
from bourg.site.towns import Scope, departements_of, town_files

Progress = Callable[[str, float], None]
# Towns made together: enough to share what they have in common, few enough to keep the processes evenly busy.
_LEAST_BATCH, _MOST_BATCH, _BATCHES_EACH = 24, 240, 4
# Under this number of pages a second process costs more than it saves.
_ALONE = 60


@dataclass(frozen=True)
class SiteReport:
    """What a run did.

    Attributes
    ----------
    towns, made, written, unchanged, deleted
        Communes of the site; communes whose pages were made; files written, left as they were, deleted.
    files, size
        Files of the site and their bytes.
    """

    towns: int
    made: int
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
    known = Fingerprints.read(folder.manifest.get("empreintes"))
    keys = fingerprints(observatory, sorted(chosen), scope, known)
    past = folder.files
    of_town: dict[str, list[str]] = folder.manifest.get("communes", {})
    stale = [
        code for code in sorted(chosen) if complete or keys.stale(code, known) or not _there(out, of_town.get(code, []))
    ]
    files = {name: past[name] for code in chosen - set(stale) for name in of_town[code]}
    towns = {code: of_town[code] for code in chosen - set(stale)}
    written = 0
    if stale:
        folder.begin()
    for name, content in Pages(observatory, scope).files():
        key, new = folder.write(name, content)
        files[name], written = key, written + new
    done, members = 0, {code: keys.members[code] for code in chosen - set(stale)}
    for made in _made(_Job(settings, out, scope, past), observatory, stale, workers or os.cpu_count() or 1):
        for code, hashes, count, near in made:
            files.update(hashes)
            towns[code], members[code] = sorted(hashes), near
            written, done = written + count, done + 1
        progress(f"Pages des communes ({done} sur {len(stale)})", 0.05 + 0.93 * done / max(len(stale), 1))
    name = "sitemap.xml"
    files[name], mapped = folder.write(name, sitemap(address, list(files)))
    written += mapped
    keys = replace(keys, members=members, near=near_digests(observatory, members))
    gone = folder.finish(
        {"bourg": __version__, "instantane": observatory.snapshot.id, "fichiers": files, "communes": towns,
         "empreintes": keys.to_dict()}
    )  # fmt: skip
    size = sum((out / item).stat().st_size for item in files)
    return SiteReport(len(chosen), len(stale), written, len(files) - written, len(gone), len(files), size)


def _there(out: Path, names: Sequence[str]) -> bool:
    return bool(names) and all((out / name).is_file() for name in names)


_Made = list[tuple[str, dict[str, str], int, str]]
_HELD: dict[str, Any] = {}


@dataclass(frozen=True)
class _Job:
    """What every process has to know: ``past`` holds the hashes of the files of the last run."""

    settings: Settings
    out: Path
    scope: Scope
    past: dict[str, str]


def _made(job: _Job, observatory: Observatory, codes: Sequence[str], workers: int) -> Iterator[_Made]:
    """Make the pages of the towns, batch by batch, in this process or in several."""
    size = min(max(len(codes) // (workers * _BATCHES_EACH), _LEAST_BATCH), _MOST_BATCH)
    batches = [codes[start : start + size] for start in range(0, len(codes), size)]
    if workers == 1 or len(codes) <= _ALONE:
        for batch in batches:
            yield _write(job, observatory, batch)
        return
    # A process of its own for each worker, not a copy of this one: the threads of Polars do not survive a copy.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        min(workers, len(batches)), mp_context=context, initializer=_open, initargs=(job,)
    ) as pool:
        with no_main_script():
            waiting: set[Future[_Made]] = {pool.submit(_work, list(batch)) for batch in batches}
        try:
            while waiting:
                finished, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for item in finished:
                    yield item.result()
        except BrokenProcessPool as error:
            raise StorageError(
                "Un des processus qui font les pages s’est arrêté.", where=str(job.out), why=str(error),
                next_step="libérez de la mémoire, ou relancez avec --processus 1.",
            ) from error  # fmt: skip
        finally:
            for item in waiting:
                item.cancel()


def _open(job: _Job) -> None:
    # A page leaves no cycle of objects: looking for some among a million live ones took a third of the time.
    gc.disable()
    _HELD.update(job=job, observatory=open_observatory(job.settings))


def _work(codes: list[str]) -> _Made:
    made = _write(_HELD["job"], _HELD["observatory"], codes)
    gc.collect()
    gc.freeze()
    return made


def _write(job: _Job, observatory: Observatory, codes: Sequence[str]) -> _Made:
    folder = SiteFolder.opened(job.out, job.past)
    made: _Made = []
    for portrait, files in town_files(observatory, codes, job.scope):
        hashes, written = {}, 0
        for name, content in files.items():
            hashes[name], new = folder.write(name, content)
            written += new
        code = portrait.identity.code
        shown = [item.code for item in portrait.similar.neighbours] if portrait.similar else []
        made.append((code, hashes, written, similar_members(observatory, code, shown)))
    return made


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
