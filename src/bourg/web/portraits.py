"""Portraits as files on the server: made in a few threads under a time cap, kept on disk for one snapshot."""

from __future__ import annotations

import hashlib
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from importlib.metadata import version
from pathlib import Path
from tempfile import NamedTemporaryFile

from bourg.errors import BourgError
from bourg.portrait.pdf.render import template
from bourg.settings import Settings
from bourg.site.fingerprint import code_digest

FOLDER = "portraits"
# Seconds a reader waits before an honest refusal: a portrait takes a fifth of a second.
TIME_CAP = 10.0
_WORKERS = 2
# Files kept for one snapshot: about 500 MB at most.
_KEPT = 2000


class BusyError(BourgError, TimeoutError):
    """A portrait that is not ready in time."""

    exit_code = 75
    http_status = 503

    __str__ = BourgError.__str__


class PortraitFiles:
    """Makes each file once, whoever asks for it, and keeps it until another snapshot is in service.

    Parameters
    ----------
    settings
        The installation; files go to ``<home>/cache/portraits``, which a build empties.
    time_cap
        Seconds that a reader waits.
    """

    def __init__(self, settings: Settings, time_cap: float = TIME_CAP) -> None:
        self._root = settings.home / "cache" / FOLDER
        self._cap = time_cap
        self._lock = threading.Lock()
        self._running: dict[Path, Future[bytes]] = {}
        self._pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix="portrait")

    def get(self, snapshot: str, name: str, make: Callable[[], bytes]) -> bytes:
        """Return a file, made by ``make`` when it is not kept.

        Parameters
        ----------
        snapshot
            Identifier of the snapshot in service.
        name
            Name of the file, of plain letters, figures, hyphens and a dot.

        Raises
        ------
        BusyError
            When it is not made in time; the work goes on, and a later call finds it done.
        """
        path = self._root / f"{snapshot}-{_stamp()}" / name
        try:
            return path.read_bytes()
        except OSError:
            # Not made yet, or the disk refuses: it is made again, never refused for that.
            future = self._started(path, make)
        try:
            return future.result(self._cap)
        except TimeoutError as error:
            raise BusyError(
                "Le serveur met ce portrait en page.", where=name,
                why=f"il n'est pas prêt en {self._cap:.0f} secondes.",
                next_step="réessayez dans quelques secondes ; la page de la commune, elle, est déjà là.",
            ) from error  # fmt: skip

    def _started(self, path: Path, make: Callable[[], bytes]) -> Future[bytes]:
        with self._lock:
            running = self._running.get(path)
            if running is None:
                running = self._running[path] = self._pool.submit(self._made, path, make)
            return running

    def _made(self, path: Path, make: Callable[[], bytes]) -> bytes:
        try:
            content = make()
            self._keep(path, content)
            return content
        finally:
            with self._lock:
                self._running.pop(path, None)

    def _keep(self, path: Path, content: bytes) -> None:
        """Write a file, whole or not at all; a disk that refuses only costs the next reader some time."""
        try:
            if not path.parent.is_dir():
                # Another snapshot, or another version of Bourg: what was kept serves no one any more.
                shutil.rmtree(self._root, ignore_errors=True)
                path.parent.mkdir(parents=True, exist_ok=True)
            elif sum(1 for _ in path.parent.iterdir()) >= _KEPT:
                return
            with NamedTemporaryFile(dir=path.parent, prefix=".part-", delete=False) as part:
                part.write(content)
            Path(part.name).replace(path)
        except OSError:
            return


@cache
def _stamp() -> str:
    """Return what changes when the pages would be set otherwise by the same snapshot."""
    templates = hashlib.sha256(template("portrait.typ") + template("social.typ")).hexdigest()
    return f"{code_digest()[:12]}-{templates[:12]}-{version('typst')}"
