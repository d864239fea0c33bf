"""A street network built from extracts into a folder, which appears whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bourg.access.network.contraction import Streets, contract
from bourg.access.network.elevation import slope_factors
from bourg.access.network.errors import ExtractFormatError, NoStreetError
from bourg.access.network.graph import MODES
from bourg.access.network.grid import build_grid
from bourg.access.network.modes import build_mode
from bourg.access.network.osm import EXTENSIONS, read_extract
from bourg.access.network.raw import Collector, RawStreets
from bourg.access.network.restrictions import find_turns
from bourg.access.network.roads_by_commune import read_roads
from bourg.access.network.rules import judge
from bourg.access.network.settings import BUILD_VERSION, rule, rules_hash
from bourg.access.network.store import (
    GRAPH_ARRAYS,
    GRID_ARRAYS,
    MANIFEST,
    MODE_ARRAYS,
    SEGMENT_ARRAYS,
    Network,
    open_network,
)
from bourg.access.network.urban import built_up
from bourg.errors import ParameterError, SourceUnavailableError, StorageError

LICENCE = "ODbL 1.0, © les contributeurs d'OpenStreetMap"

Progress = Callable[[str], None]


def build_network(
    paths: Path | Sequence[Path],
    out_folder: Path,
    *,
    elevation: Path | None = None,
    progress: Progress | None = None,
) -> Network:
    """Build the network of one or several extracts, then open it. The folder appears whole or not at all.

    Parameters
    ----------
    paths
        OpenStreetMap extracts (``.osm.pbf``, ``.osm``, ``.osm.gz``), or zips of road GeoJSON by commune.
    out_folder
        Folder to write; a network that is already there is replaced.
    elevation
        Raster of heights (GeoTIFF or ESRI ASCII): slopes then slow walking and cycling.
    progress
        Called with a French sentence at each step.

    Raises
    ------
    SourceUnavailableError
        When a file does not exist.
    ExtractFormatError
        When a file is truncated, corrupt or of an unknown kind.
    NoStreetError
        When nothing in the extracts can be used by anybody.
    ElevationError
        When the raster cannot be read.
    StorageError
        When the folder cannot be written.
    """
    files = [Path(paths)] if isinstance(paths, (str, Path)) else [Path(item) for item in paths]
    say = progress or _silent
    raw = _read(files, say)
    say("Règles et carrefours")
    rules = judge(raw.profiles)
    streets = contract(raw, rules)
    restrictions = raw.restrictions
    raw_facts = {"warnings": list(raw.warnings), "date": raw.date, "ways": len(np.unique(raw.way_id))}
    del raw
    places = np.column_stack([streets.lon, streets.lat])
    urban = built_up(streets.segments, rules, streets.profile, places, rule=rule("speeds")["urban"])
    streets = replace(streets, urban=urban)
    slope, facts = slope_factors(streets, rules, elevation)
    raw_facts["warnings"] += facts.pop("warnings", [])
    manifest = _manifest(files, streets, raw_facts, facts)
    target = Path(out_folder)
    part = target.with_name(f".{target.name}.part{os.getpid()}")
    try:
        _clear(part)
        part.mkdir(parents=True)
        arrays = {f"segments_{name}": getattr(streets.segments, name) for name in SEGMENT_ARRAYS}
        arrays["segments_profile"] = streets.profile
        grid = build_grid(streets.segments, rule("snapping")["cell_m"])
        arrays |= {f"grid_{name}": getattr(grid, name) for name in GRID_ARRAYS}
        manifest["grid"] = {"step_lon": grid.step_lon, "step_lat": grid.step_lat}
        _save(part, arrays)
        del arrays, grid
        for mode in MODES:
            say(f"Graphe {mode}")
            turns = find_turns(streets, restrictions, mode)
            built = build_mode(streets, rules, mode, turns, slope.get(mode))
            _save(part, {f"{mode}_{name}": getattr(built.graph, name) for name in GRAPH_ARRAYS})
            _save(part, {f"{mode}_{name}": getattr(built, name) for name in MODE_ARRAYS})
            manifest["modes"][mode] = built.counts
            del built
        text = json.dumps(manifest, ensure_ascii=False, indent=2, sort_keys=True)
        (part / MANIFEST).write_text(text + "\n", encoding="utf-8")
        _replace(part, target)
    except OSError as error:
        raise StorageError(
            "Le réseau n'a pas pu être écrit ; rien n'a été changé.",
            where=str(target),
            why=str(error),
            next_step="Vérifiez la place libre et les droits d'écriture.",
        ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return open_network(target)


def _silent(_: str) -> None:
    """Say nothing."""


def _read(files: Sequence[Path], say: Progress) -> RawStreets:
    if not files:
        raise ParameterError("Aucun extrait n'est donné.")
    kinds = {_kind(path) for path in files}
    if len(kinds) > 1:
        raise ExtractFormatError(
            "Un réseau se construit d'extraits OpenStreetMap ou de voirie par commune, pas des deux ensemble.",
            where=", ".join(path.name for path in files),
        )
    collector = Collector()
    for path in files:
        if not path.is_file():
            raise SourceUnavailableError("L'extrait n'existe pas.", where=str(path))
        if path.stat().st_size == 0:
            raise ExtractFormatError("L'extrait est vide.", where=path.name)
        say(f"Lecture de {path.name}")
        (read_roads if _kind(path) == "roads" else read_extract)(path, collector, say)
    warnings = []
    if kinds == {"roads"}:
        warnings.append(
            "Voirie par commune : ni interdictions de tourner, ni barrières, ni feux, ni accès privés, ni bacs ; "
            "les ronds-points y sont à double sens."
        )
    raw = collector.finish(warnings)
    if len(raw.way_id) == 0:
        raise NoStreetError(
            "L'extrait ne contient aucune voie utilisable.",
            where=", ".join(path.name for path in files),
            next_step="Choisissez un extrait qui contient les objets « highway » de la commune.",
        )
    return raw


def _kind(path: Path) -> str:
    name = path.name.lower()
    if name.endswith(".zip"):
        return "roads"
    if name.endswith(EXTENSIONS):
        return "osm"
    raise ExtractFormatError(
        "Ce type de fichier n'est pas un extrait connu.",
        where=path.name,
        next_step="Donnez un fichier .osm.pbf, .osm, .osm.gz, ou une archive .zip de voirie GeoJSON par commune.",
    )


def _manifest(
    files: Sequence[Path], streets: Streets, raw: dict[str, Any], elevation: dict[str, Any]
) -> dict[str, Any]:
    coords = streets.segments.coords
    return {
        "version": BUILD_VERSION,
        "sources": [{"name": path.name, "sha256": _sha256(path), "bytes": path.stat().st_size} for path in files],
        "rules_sha256": rules_hash(),
        "licence": LICENCE,
        "osm_date": raw["date"],
        "bbox": [float(v) for v in (*coords.min(axis=0), *coords.max(axis=0))],
        "counts": {
            "ways": raw["ways"],
            "segments": len(streets.segments),
            "nodes": len(streets.lon),
            "vertices": len(coords),
            "urban_segments": int(streets.urban.sum()),
        },
        "elevation": elevation,
        "warnings": raw["warnings"],
        "modes": {},
    }


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _save(folder: Path, arrays: dict[str, NDArray[Any]]) -> None:
    for name, values in arrays.items():
        np.save(folder / f"{name}.npy", values, allow_pickle=False)


def _clear(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)


def _replace(part: Path, target: Path) -> None:
    """Put the new folder in place of the old one; the old one comes back if that fails."""
    old = target.with_name(f".{target.name}.old{os.getpid()}")
    _clear(old)
    if target.exists():
        if any(target.iterdir()) and not (target / MANIFEST).is_file():
            raise FileExistsError(f"{target} existe et n'est pas un réseau")
        target.rename(old)
    try:
        part.rename(target)
    except OSError:
        if old.exists():
            old.rename(target)
        raise
    _clear(old)
