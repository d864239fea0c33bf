"""What must be ready before the first page: browser libraries, a snapshot, warm indexes."""

from __future__ import annotations

import gc
import logging
import threading
from dataclasses import dataclass, field

from bourg.errors import BourgError
from bourg.portrait.observatory import open_observatory
from bourg.portrait.themes.culture_areas import culture_base
from bourg.settings import Settings
from bourg.store.snapshot import SnapshotStore
from bourg.web.api import warm_api
from bourg.web.assets import ensure_assets

_LOG = logging.getLogger(__name__)


@dataclass
class State:
    """Progress of the preparation, read by the waiting page.

    Attributes
    ----------
    label, share
        What is under way, in French, and the share done, 0 to 1.
    error
        The error that stopped it, ``None`` while it goes well.
    ready
        Whether pages can be drawn.
    """

    label: str = "Démarrage"
    share: float = 0.0
    error: BourgError | None = None
    ready: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def advance(self, label: str, share: float) -> None:
        """Record the progress."""
        self.label, self.share = label, min(max(share, 0.0), 1.0)


STATE = State()


def prepare(settings: Settings) -> None:
    """Make everything ready once; later calls wait for the first one, and try again after an error.

    Without a snapshot the demonstration is built: it needs the package registries the first time, and nothing else.
    """
    with STATE.lock:
        if STATE.ready:
            return
        STATE.error = None
        try:
            STATE.advance("Bibliothèques de la carte", 0.02)
            ensure_assets(settings)
            if SnapshotStore(settings.snapshots).current_id() is None:
                # Only a first start builds: the others do not wait for these imports.
                from bourg.build import build  # noqa: PLC0415
                from bourg.build.demonstration import ensure_demo  # noqa: PLC0415

                ensure_demo(settings, lambda label, share: STATE.advance(label, 0.05 + 0.4 * share))
                build(settings, demo=True, progress=lambda label, share: STATE.advance(label, 0.45 + 0.5 * share))
            STATE.advance("Chargement des communes", 0.96)
            warm_up(settings)
        except BourgError as error:
            _LOG.warning("%s", error)
            STATE.error = error
            return
        STATE.advance("Prêt", 1.0)
        STATE.ready = True
    settle(settings)


def warm_up(settings: Settings) -> None:
    """Load what the first page uses."""
    observatory = open_observatory(settings)
    _ = len(observatory.index), observatory.places.height, observatory.pvd


def settle(settings: Settings) -> None:
    """Load what comparisons use while the first page is read, then take it all out of the garbage collector.

    Streamlit collects after every script; frozen objects are not walked again (UI.md: with 20 sessions the 95th
    percentile goes from 1,249 to 172 ms).
    """
    try:
        observatory = open_observatory(settings)
        _ = observatory.comparators.structure
        culture_base(observatory)
        warm_api(observatory)
    except BourgError as error:
        # The page that needs them says it too; the others stay usable.
        _LOG.warning("%s", error)
    gc.collect()
    gc.freeze()
