"""Checks of an installation, each with what to do when it fails."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from bourg.errors import BourgError
from bourg.settings import Settings
from bourg.sources.fetch import locate
from bourg.sources.model import load_catalogue
from bourg.store.snapshot import SnapshotStore
from bourg.text import NBSP, format_date, format_number
from bourg.web.assets import libraries_folder

_MIN_FREE_GB = 2.0
_PYTHON = (3, 11)


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
    first = [_python(), _folder(settings), _space(settings), _libraries(settings)]
    return [*first, *_snapshot(settings), _sources(settings)]


def _python() -> Check:
    return Check("Python", sys.version_info >= _PYTHON, platform.python_version())


def _existing(settings: Settings) -> Path:
    folder = settings.home
    while not folder.exists():
        folder = folder.parent
    return folder


def _folder(settings: Settings) -> Check:
    folder = _existing(settings)
    writable = folder.is_dir() and os.access(folder, os.W_OK)
    advice = "" if writable else " : écriture impossible, choisissez un autre dossier avec BOURG_HOME"
    return Check("Dossier de travail", writable, f"{settings.home}{advice}", blocking=True)


def _space(settings: Settings) -> Check:
    free = shutil.disk_usage(_existing(settings)).free / 1e9
    text = f"{format_number(free, 1)}{NBSP}Go libres"
    enough = free >= _MIN_FREE_GB
    return Check("Place sur le disque", enough, text if enough else f"{text} : 2{NBSP}Go sont conseillés")


def _libraries(settings: Settings) -> Check:
    ready = libraries_folder(settings).is_dir()
    detail = "installées" if ready else "absentes : lancez « bourg assets »"
    return Check("Bibliothèques de la carte", ready, detail, blocking=True)


def _snapshot(settings: Settings) -> list[Check]:
    title = "Instantané en service"
    try:
        snapshot = SnapshotStore(settings.snapshots).current()
    except BourgError as error:
        told = " ".join(part for part in (error.what, error.where, error.why, error.next_step) if part)
        return [Check(title, ok=False, detail=told, blocking=True)]
    problems = snapshot.verify()
    detail = f"{snapshot.id} du {format_date(snapshot.manifest['created'][:10])}"
    if problems:
        number = "1 fichier abîmé" if len(problems) == 1 else f"{len(problems)} fichiers abîmés"
        detail += f" : {number} ({problems[0]}) ; relancez « bourg build » ou « bourg demo »"
    demo = "contient des données de démonstration, marquées comme telles"
    nature = demo if snapshot.demo else "données officielles seules"
    return [Check(title, not problems, detail, blocking=True), Check("Nature des données", ok=True, detail=nature)]


def _sources(settings: Settings) -> Check:
    found: list[str] = []
    absent: list[str] = []
    for source in load_catalogue().values():
        origins = {locate(source, resource, settings, demo=False).origin for resource in source.resources}
        (found if origins - {"absent"} else absent).append(source.id)
    detail = f"{len(found)} sources trouvées ({', '.join(found) or 'aucune'})"
    if absent:
        detail += f" ; absentes : {', '.join(absent)} (bourg fetch, ou --mirror)"
    return Check("Fichiers officiels", bool(found), detail)
