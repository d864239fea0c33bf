"""The street networks of an installation: built once from extracts, then found by the place one asks about."""

from __future__ import annotations

import datetime as dt
import json
import re
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bourg.access.network.build import build_network
from bourg.access.network.errors import NetworkFolderError
from bourg.access.network.graph import SNAP_OK
from bourg.access.network.store import Network, open_network
from bourg.access.places.facilities import Facilities, facilities_from_osm, facilities_from_snapshot, merge_facilities
from bourg.access.places.osm_places import dwellings_of_extract, named_places_of_extract
from bourg.access.places.population import Population, population_points
from bourg.errors import BourgError, ParameterError
from bourg.settings import Settings
from bourg.store.cache import writing
from bourg.store.snapshot import Snapshot
from bourg.text import unaccented

_FACILITIES, _REJECTED, _MERGED = "facilities.parquet", "facilities_rejected.parquet", "facilities_merged.parquet"
_DWELLINGS, _HAMLETS = "dwellings.parquet", "hamlets.parquet"
# A facility this far from the last street may still be put on it.
_EDGE_DEGREES = 0.02
_DEMO_MARK = "demonstration"
_INSTALLED = "installed.json"
Progress = Callable[[str], None]


class NoNetworkError(BourgError, LookupError):
    """No installed network covers the place asked about."""

    exit_code = 3
    http_status = 404


@dataclass(frozen=True)
class InstalledNetwork:
    """A network of the installation, with what its extracts say of facilities and dwellings.

    Attributes
    ----------
    name
        Name of its folder.
    folder
        Where it is.
    demo
        Whether its streets are generated.
    date
        ISO date of the streets: that of the extract, else the one its file name tells, else that of the file.
    """

    name: str
    folder: Path
    demo: bool
    date: str

    @cached_property
    def network(self) -> Network:
        """The opened network."""
        return open_network(self.folder)

    @cached_property
    def facilities(self) -> Facilities:
        """Facilities of the extracts."""
        return Facilities(*(pl.read_parquet(self.folder / name) for name in (_FACILITIES, _REJECTED, _MERGED)))

    @cached_property
    def dwellings(self) -> pl.DataFrame:
        """Dwellings of the extracts, weighted by their floor area."""
        return pl.read_parquet(self.folder / _DWELLINGS)

    @cached_property
    def hamlets(self) -> pl.DataFrame:
        """Named places of the extracts: ``name, longitude, latitude``."""
        return pl.read_parquet(self.folder / _HAMLETS)

    def facilities_of(self, snapshot: Snapshot, names: Iterable[str] | None = None) -> Facilities:
        """Return the facilities of a snapshot and of the extracts, on the streets or near their edge.

        Parameters
        ----------
        snapshot
            An opened snapshot; those that it only counts in a commune are put at its town hall.
        names
            Families, by id or French label; all by default.

        Raises
        ------
        ParameterError
            When a family does not exist.
        """
        west, south, east, north = self.network.bbox
        around = west - _EDGE_DEGREES, south - _EDGE_DEGREES, east + _EDGE_DEGREES, north + _EDGE_DEGREES
        return merge_facilities(facilities_from_snapshot(snapshot, names, around, counts=True), self.facilities)

    def inhabitants_of(self, snapshot: Snapshot, codes: str | Sequence[str], *, generate: bool = True) -> Population:
        """Place the inhabitants of communes, with the help of the dwellings of the extracts.

        Parameters and errors are those of :func:`bourg.access.places.population.population_points`.
        """
        dwellings = (self.dwellings, self.network.bbox)
        return population_points(snapshot, codes, dwellings=dwellings, generate=generate)

    def covers(self, points: NDArray[np.float64]) -> float:
        """Return the share of points (longitude, latitude; shape ``(n, 2)``) near a street, on foot.

        The box of a department holds towns of its neighbours: only streets tell what is covered.
        """
        west, south, east, north = self.network.bbox
        x, y = points.T
        inside = (x >= west) & (x <= east) & (y >= south) & (y <= north)
        if not inside.any():
            return 0.0
        return float((self.network.snap(points[inside], "foot").status == SNAP_OK).sum() / len(points))


def install_network(
    paths: Sequence[Path],
    settings: Settings,
    *,
    name: str | None = None,
    elevation: Path | None = None,
    progress: Progress | None = None,
) -> InstalledNetwork:
    """Build the network of some extracts in the installation; one of the same name is replaced.

    Parameters
    ----------
    paths
        Extracts; see :func:`bourg.access.network.build.build_network`, whose errors are raised.
    name
        Name of the network; the first file's by default.
    elevation
        Raster of heights.
    progress
        Called with a French sentence at each step.
    """
    chosen = _name(name or paths[0].name)
    target = settings.networks / chosen
    say = progress or (lambda _text: None)
    with writing(target):
        settings.networks.mkdir(parents=True, exist_ok=True)
        # Beside its place, under a name that nobody lists: it appears with its facilities or not at all.
        part = settings.networks / f".{chosen}.install"
        shutil.rmtree(part, ignore_errors=True)
        try:
            built = build_network(list(paths), part, elevation=elevation, progress=progress)
            say("Équipements et habitations de l'extrait")
            _write_places([path for path in paths if _is_osm(path)], part)
            facts = {
                "demo": all(path.name.startswith(_DEMO_MARK) for path in paths),
                "date": _date(str(built.manifest["osm_date"]), paths),
            }
            (part / _INSTALLED).write_text(json.dumps(facts), encoding="utf-8")
            shutil.rmtree(target, ignore_errors=True)
            part.rename(target)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    _opened.cache_clear()
    return _opened(target)


def _name(text: str) -> str:
    stem = re.sub(r"\.(osm|pbf|gz|zip|geojson)\b", "", unaccented(text))
    chosen = re.sub(r"[^a-z0-9]+", "-", stem).strip("-")[:80]
    if not chosen:
        raise ParameterError(
            "Le nom du réseau n'a ni lettre ni chiffre.", where=text[:80], next_step="donnez un nom avec --nom."
        )
    return chosen


def _date(told: str, paths: Sequence[Path]) -> str:
    if told:
        return told[:10]
    for path in paths:
        named = re.search(r"(?<!\d)(20[0-3]\d)-?(0[1-9]|1[0-2])?-?(0[1-9]|[12]\d|3[01])?(?!\d)", path.name)
        if named:
            return "-".join(part for part in named.groups() if part)
    latest = max(path.stat().st_mtime for path in paths)
    return dt.datetime.fromtimestamp(latest, tz=dt.UTC).date().isoformat()


def _is_osm(path: Path) -> bool:
    return not path.name.lower().endswith(".zip")


def _write_places(extracts: Sequence[Path], folder: Path) -> None:
    found = merge_facilities(*(facilities_from_osm(path) for path in extracts))
    found.table.write_parquet(folder / _FACILITIES)
    found.rejected.write_parquet(folder / _REJECTED)
    found.merged.write_parquet(folder / _MERGED)
    schema = {"point_id": pl.String, "longitude": pl.Float64, "latitude": pl.Float64, "weight": pl.Float64}
    dwellings = [dwellings_of_extract(path) for path in extracts]
    table = pl.concat(dwellings).unique(maintain_order=True) if dwellings else pl.DataFrame(schema=schema)
    table.write_parquet(folder / _DWELLINGS)
    names = [named_places_of_extract(path) for path in extracts]
    places = {"name": pl.String, "longitude": pl.Float64, "latitude": pl.Float64}
    hamlets = pl.concat([pl.DataFrame(schema=places), *names]).unique(maintain_order=True)
    hamlets.write_parquet(folder / _HAMLETS)


@lru_cache(maxsize=8)
def _opened(folder: Path) -> InstalledNetwork:
    try:
        facts = json.loads((folder / _INSTALLED).read_text(encoding="utf-8"))
        return InstalledNetwork(folder.name, folder, demo=bool(facts["demo"]), date=str(facts["date"]))
    except (OSError, ValueError, KeyError) as error:
        raise NetworkFolderError(
            "Le réseau est abîmé.", where=str(folder), why=str(error),
            next_step="reconstruisez-le avec « bourg network build FICHIER ».",
        ) from error  # fmt: skip


def installed_networks(settings: Settings) -> list[InstalledNetwork]:
    """Return the networks of the installation, by name; a damaged one, or of another version, is left out."""
    found = []
    for folder in sorted(settings.networks.glob("*/manifest.json")):
        if folder.parent.name.startswith("."):
            continue
        try:
            network = _opened(folder.parent)
            _ = network.network
        except NetworkFolderError:
            continue
        found.append(network)
    return found


def network_for(settings: Settings, points: NDArray[np.float64], *, where: str) -> InstalledNetwork:
    """Return the network that covers a place best: real before generated, then most points, then the widest.

    Parameters
    ----------
    points
        Longitude and latitude, shape ``(n, 2)``.
    where
        Name of the place, for the error.

    Raises
    ------
    NoNetworkError
        When no network covers any of the points.
    """

    def merit(item: InstalledNetwork) -> tuple[bool, float, float]:
        west, south, east, north = item.network.bbox
        return not item.demo, round(item.covers(points), 2), (east - west) * (north - south)

    best = max((item for item in installed_networks(settings) if item.covers(points) > 0), key=merit, default=None)
    if best is None:
        raise NoNetworkError(
            f"Aucun réseau de rues installé ne couvre {where}.",
            why="les temps d'accès se calculent sur un extrait OpenStreetMap, qui n'est pas livré avec Bourg.",
            next_step="téléchargez l'extrait de la région (.osm.pbf), puis : bourg network build FICHIER.",
        )
    return best


def network_named(settings: Settings, name: str | None) -> InstalledNetwork:
    """Return the network of a name; without one, the only network installed.

    Raises
    ------
    NoNetworkError
        When there is none of that name, or several to choose from.
    """
    known = {item.name: item for item in installed_networks(settings)}
    if name is None and len(known) == 1:
        return next(iter(known.values()))
    if name is None or name not in known:
        raise NoNetworkError(
            f"Aucun réseau ne s'appelle « {name[:60]} »." if name else "Il faut choisir un réseau.",
            next_step=f"réseaux installés : {', '.join(known) or 'aucun (bourg network build FICHIER)'}.",
        )
    return known[name]


def remove_network(settings: Settings, name: str) -> None:
    """Remove a network of the installation.

    Raises
    ------
    NoNetworkError
        When there is none of that name.
    """
    shutil.rmtree(network_named(settings, name).folder)
    _opened.cache_clear()
