"""A street network: built from extracts into a folder of arrays, opened by mapping them in memory."""

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

from bourg.access.contraction import Streets, contract
from bourg.access.elevation import slope_factors
from bourg.access.graph import MODES, Graph, Segments, Snapped
from bourg.access.grid import StreetGrid, build_grid
from bourg.access.modes import ModeNetwork, build_mode
from bourg.access.network_errors import ExtractFormatError, NetworkFolderError, NoStreetError
from bourg.access.network_settings import BUILD_VERSION, rule, rules_hash
from bourg.access.osm import EXTENSIONS, read_extract
from bourg.access.raw import Collector, RawStreets
from bourg.access.restrictions import find_turns
from bourg.access.roads_by_commune import read_roads
from bourg.access.rules import judge
from bourg.access.urban import built_up
from bourg.errors import ParameterError, SourceUnavailableError, StorageError

LICENCE = "ODbL 1.0, © les contributeurs d'OpenStreetMap"
_MANIFEST = "manifest.json"
_SEGMENT_ARRAYS = ("a", "b", "length_m", "coords", "first", "osm_way")
_GRAPH_ARRAYS = ("indptr", "heads", "seconds", "segment", "lon", "lat", "base")
_MODE_ARRAYS = ("direction", "layer", "run_s", "flags", "component")
_GRID_ARRAYS = ("keys", "first", "piece", "segment")

Progress = Callable[[str], None]


class Network:
    """One built network, its arrays mapped from the folder that holds them.

    Attributes
    ----------
    folder
        Where it is.
    manifest
        Hash of the extracts and of the rules, counts, source, licence, date, warnings.
    segments
        Pieces of street shared by the modes.
    """

    def __init__(self, folder: Path, manifest: dict[str, Any]) -> None:
        self.folder = folder
        self.manifest = manifest
        self.segments = Segments(**{name: self._array(f"segments_{name}") for name in _SEGMENT_ARRAYS})
        self.profile = self._array("segments_profile")
        self._modes: dict[str, ModeNetwork] = {}
        grid = {name: self._array(f"grid_{name}") for name in _GRID_ARRAYS}
        self._grid = StreetGrid(**grid, step_lon=manifest["grid"]["step_lon"], step_lat=manifest["grid"]["step_lat"])

    @property
    def bbox(self) -> tuple[float, float, float, float]:
        """West, south, east and north of the streets, degrees."""
        west, south, east, north = self.manifest["bbox"]
        return west, south, east, north

    def graph(self, mode: str) -> Graph:
        """Return the directed graph of a mode.

        Raises
        ------
        ParameterError
            When the mode is not ``foot``, ``bike`` or ``car``.
        """
        return self.mode(mode).graph

    def mode(self, mode: str) -> ModeNetwork:
        """Return all that one mode adds to the segments; raises as :meth:`graph`."""
        if mode not in MODES:
            raise ParameterError(
                f"Le mode « {mode} » n'existe pas.", next_step=f"Choisissez parmi : {', '.join(MODES)}."
            )
        if mode not in self._modes:
            graph = Graph(mode, *(self._array(f"{mode}_{name}") for name in _GRAPH_ARRAYS))
            rest = {name: self._array(f"{mode}_{name}") for name in _MODE_ARRAYS}
            self._modes[mode] = ModeNetwork(graph, **rest, counts=self.manifest["modes"][mode])
        return self._modes[mode]

    def snap(self, points: NDArray[np.float64], mode: str, *, limit_m: float | None = None) -> Snapped:
        """Put points on the network of a mode, at the nearest place of a segment that it may use.

        Parameters
        ----------
        points
            Shape ``(n, 2)``: longitude and latitude, degrees.
        mode
            ``foot``, ``bike`` or ``car``.
        limit_m
            Longest straight distance, metres; the parameter ``snapping`` by default.

        Raises
        ------
        SwappedCoordinatesError
            When most points are outside and would be inside with their coordinates exchanged.
        ParameterError
            When the mode, the limit or the shape is wrong.
        """
        # Compiled code is loaded by those who snap, not by those who build.
        from bourg.access.snapping import snap_points  # noqa: PLC0415

        mapped = self.mode(mode)
        return snap_points(self.segments, self._grid, mapped, self.bbox, points=points, limit_m=limit_m)

    def _array(self, name: str) -> NDArray[Any]:
        found: NDArray[Any] = np.load(self.folder / f"{name}.npy", mmap_mode="r")
        return found


def open_network(folder: Path) -> Network:
    """Open a built network.

    Raises
    ------
    NetworkFolderError
        When the folder holds no network, a damaged one, or one of another version.
    """
    folder = Path(folder)
    rebuild = "Construisez-le avec « bourg network build FICHIER »."
    try:
        manifest = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise NetworkFolderError(
            "Ce dossier ne contient pas de réseau.", where=str(folder), next_step=rebuild
        ) from error
    except (OSError, ValueError) as error:
        raise NetworkFolderError(
            "Le réseau est abîmé.", where=str(folder), why=str(error), next_step=rebuild
        ) from error
    if manifest.get("version") != BUILD_VERSION:
        raise NetworkFolderError(
            "Le réseau a été construit par une autre version de Bourg.", where=str(folder), next_step=rebuild
        )
    try:
        return Network(folder, manifest)
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise NetworkFolderError(
            "Le réseau est abîmé.", where=str(folder), why=str(error), next_step=rebuild
        ) from error


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
        arrays = {f"segments_{name}": getattr(streets.segments, name) for name in _SEGMENT_ARRAYS}
        arrays["segments_profile"] = streets.profile
        grid = build_grid(streets.segments, rule("snapping")["cell_m"])
        arrays |= {f"grid_{name}": getattr(grid, name) for name in _GRID_ARRAYS}
        manifest["grid"] = {"step_lon": grid.step_lon, "step_lat": grid.step_lat}
        _save(part, arrays)
        del arrays, grid
        for mode in MODES:
            say(f"Graphe {mode}")
            turns = find_turns(streets, restrictions, mode)
            built = build_mode(streets, rules, mode, turns, slope.get(mode))
            _save(part, {f"{mode}_{name}": getattr(built.graph, name) for name in _GRAPH_ARRAYS})
            _save(part, {f"{mode}_{name}": getattr(built, name) for name in _MODE_ARRAYS})
            manifest["modes"][mode] = built.counts
            del built
        text = json.dumps(manifest, ensure_ascii=False, indent=2, sort_keys=True)
        (part / _MANIFEST).write_text(text + "\n", encoding="utf-8")
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
        if any(target.iterdir()) and not (target / _MANIFEST).is_file():
            raise FileExistsError(f"{target} existe et n'est pas un réseau")
        target.rename(old)
    try:
        part.rename(target)
    except OSError:
        if old.exists():
            old.rename(target)
        raise
    _clear(old)
