"""Where Bourg keeps its files and which folder of official files it reads."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import platformdirs

# The geography every table is moved to (code officiel géographique of 1 January of that year).
REFERENCE_COG = 2025


@dataclass(frozen=True)
class Settings:
    """Folders of one installation.

    Attributes
    ----------
    home
        Everything Bourg writes: ``raw/`` (downloads), ``demo/`` (generated files), ``networks/``, ``snapshots/``.
        ``BOURG_HOME``, or the user's data folder.
    mirror
        A folder of official files to read before anything else (``BOURG_MIRROR`` or ``--mirror``).
    """

    home: Path
    mirror: Path | None = None

    @property
    def raw(self) -> Path:
        """Files downloaded from their official address, or from a package registry."""
        return self.home / "raw"

    @property
    def demo(self) -> Path:
        """Files made by the generator, in the official formats."""
        return self.home / "demo"

    @property
    def networks(self) -> Path:
        """Street networks built from extracts, one folder each."""
        return self.home / "networks"

    @property
    def snapshots(self) -> Path:
        """Built snapshots, one folder each, and the pointer to the one in service."""
        return self.home / "snapshots"


def load_settings(*, home: Path | None = None, mirror: Path | None = None) -> Settings:
    """Read the settings from arguments first, then from ``BOURG_HOME`` and ``BOURG_MIRROR``."""
    env_home = os.environ.get("BOURG_HOME")
    env_mirror = os.environ.get("BOURG_MIRROR")
    return Settings(
        home=(home or (Path(env_home) if env_home else Path(platformdirs.user_data_dir("bourg", appauthor=False)))),
        mirror=mirror or (Path(env_mirror) if env_mirror else None),
    )
