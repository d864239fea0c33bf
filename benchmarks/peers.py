"""Where the peers of a benchmark are installed, and the extract they share: two variables of the environment.

``BOURG_PEERS`` lists Python programs that have them, separated like a PATH (their licences and sizes keep them out of
our own environment); ``BOURG_MIRROR`` is the folder of official files.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

PORTO = Path("08_osm/hors_france/porto_portugal.osm.pbf")


def programs() -> list[str]:
    """Return the Python programs that may have the peers; this one without the variable."""
    return [item for item in os.environ.get("BOURG_PEERS", "").split(os.pathsep) if item] or [sys.executable]


def extract() -> Path | None:
    """Return the largest real extract of the mirror, ``None`` without one."""
    path = Path(os.environ.get("BOURG_MIRROR", "")) / PORTO
    return path if path.is_file() else None
