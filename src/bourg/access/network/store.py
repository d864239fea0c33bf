"""A built street network: a folder of arrays and its manifest, opened by mapping the arrays in memory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bourg.access.network.errors import NetworkFolderError
from bourg.access.network.graph import MODES, Graph, Segments, Snapped
from bourg.access.network.grid import StreetGrid
from bourg.access.network.modes import ModeNetwork
from bourg.access.network.settings import BUILD_VERSION
from bourg.errors import ParameterError

# Names of the files of the folder, for who writes it and who opens it.
MANIFEST = "manifest.json"
SEGMENT_ARRAYS = ("a", "b", "length_m", "coords", "first", "osm_way")
GRAPH_ARRAYS = ("indptr", "heads", "seconds", "segment", "lon", "lat", "base")
MODE_ARRAYS = ("direction", "layer", "run_s", "flags", "component")
GRID_ARRAYS = ("keys", "first", "piece", "segment")


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
        self.segments = Segments(**{name: self._array(f"segments_{name}") for name in SEGMENT_ARRAYS})
        self.profile = self._array("segments_profile")
        self._modes: dict[str, ModeNetwork] = {}
        grid = {name: self._array(f"grid_{name}") for name in GRID_ARRAYS}
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
            graph = Graph(mode, *(self._array(f"{mode}_{name}") for name in GRAPH_ARRAYS))
            rest = {name: self._array(f"{mode}_{name}") for name in MODE_ARRAYS}
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
        from bourg.access.network.snapping import snap_points  # noqa: PLC0415

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
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
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
