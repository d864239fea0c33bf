"""Checks of an installation, each with what to do when it fails."""

from __future__ import annotations

import os
import platform
import shutil
from dataclasses import asdict, dataclass

from bourg.errors import BourgError
from bourg.settings import Settings
from bourg.sources.fetch import locate
from bourg.sources.model import load_catalogue
from bourg.store.snapshot import SnapshotStore
from bourg.web.assets import libraries_folder

_MIN_FREE_GB = 2.0


@dataclass(frozen=True)
class Check:
    """One verification: its French title, whether it passed, a detail, and whether it stops the observatory."""

    title: str
    ok: bool
    detail: str
    blocking: bool = False

    def to_dict(self) -> dict[str, object]:
        """Return plain JSON types."""
        return asdict(self)


def examine(settings: Settings) -> list[Check]:
    """Return every check, in the order a reader would mend them."""
    return [_python(), _folder(settings), _space(settings), _libraries(settings), *_snapshot(settings), _sources(settings)]


def _python() -> Check:
    return Check("Python", platform.python_version_tuple() >= ("3", "11"), platform.python_version())


def _folder(settings: Settings) -> Check:
    existing = settings.home
    while not existing.exists():
        existing = existing.parent
    writable = os.access(existing, os.W_OK)
    advice = "" if writable else " : écriture impossible, choisissez un autre dossier avec BOURG_HOME"
    return Check("Dossier de travail", writable, f"{settings.home}{advice}", blocking=True)


def _space(settings: Settings) -> Check:
    existing = settings.home
    while not existing.exists():
        existing = existing.parent
    free = shutil.disk_usage(existing).free / 1e9
    text = f"{free:.1f} Go libres".replace(".", ",")
    return Check("Place sur le disque", free >= _MIN_FREE_GB, text if free >= _MIN_FREE_GB else f"{text} : 2 Go sont conseillés")


def _libraries(settings: Settings) -> Check:
    ready = libraries_folder(settings).is_dir()
    return Check("Bibliothèques de la carte", ready, "installées" if ready else "absentes : lancez « bourg assets »", blocking=True)


def _snapshot(settings: Settings) -> list[Check]:
    title = "Instantané en service"
    try:
        snapshot = SnapshotStore(settings.snapshots).current()
    except BourgError as error:
        return [Check(title, ok=False, detail=f"{error.what} {error.next_step}", blocking=True)]
    problems = snapshot.verify()
    detail = f"{snapshot.id} du {snapshot.manifest['created'][:10]}"
    if problems:
        detail += f" : {len(problems)} fichiers abîmés ({problems[0]}) ; relancez « bourg build » ou « bourg demo »"
    nature = "contient des données de démonstration, marquées comme telles" if snapshot.demo else "données officielles seules"
    return [Check(title, not problems, detail, blocking=True), Check("Nature des données", ok=True, detail=nature)]


def _sources(settings: Settings) -> Check:
    found, absent = [], []
    for source in load_catalogue().values():
        origins = {locate(source, resource, settings, demo=False).origin for resource in source.resources}
        (found if origins - {"absent"} else absent).append(source.id)
    detail = f"{len(found)} sources trouvées ({', '.join(found) or 'aucune'})"
    if absent:
        detail += f" ; absentes : {', '.join(absent)} (bourg fetch, ou --mirror)"
    return Check("Fichiers officiels", bool(found), detail)
