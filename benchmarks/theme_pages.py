"""Time of the documents of the theme pages (shops, culture, energy) from a built snapshot, server side.

Run with ``python benchmarks/theme_pages.py [--home DIR] [--towns 30]`` (``BOURG_HOME`` otherwise; ``bourg demo`` builds
a snapshot). Towns are taken at even steps of the list of the programme, or of all communes without one. What the server
reads once for every page (matrix of the values, index of the communes) is read before, and its time printed apart: the
server does it at its start. The first document of each theme, which fills its own caches, is printed apart too. Wall
time is what a visitor waits; processor time is steadier on a shared machine. A theme whose document is not installed is
skipped, and said.
"""

from __future__ import annotations

import argparse
import importlib
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from bourg.portrait.document import make_portrait
from bourg.portrait.observatory import Observatory
from bourg.settings import load_settings
from bourg.store.snapshot import SnapshotStore

THEMES = {"commerces": "commerce", "culture": "culture", "énergie": "energy"}
TARGET_MS = 300


def maker(module: str) -> Callable[[Observatory, str], object] | None:
    """Return ``make_<module>_page``, ``None`` when the theme is not installed."""
    try:
        found = importlib.import_module(f"bourg.portrait.themes.{module}")
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("bourg.portrait.themes"):
            raise
        return None
    make: Callable[[Observatory, str], object] | None = getattr(found, f"make_{module}_page", None)
    return make


def clock(run: Callable[[], object]) -> tuple[float, float]:
    """Return wall and processor milliseconds."""
    wall, own = time.perf_counter(), time.process_time()
    run()
    return 1000 * (time.perf_counter() - wall), 1000 * (time.process_time() - own)


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value under which a share of the values lies, the nearest one above."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def main() -> None:
    """Time each theme over the same towns and print medians and 95th percentiles."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, default=None)
    parser.add_argument("--towns", type=int, default=30)
    chosen = parser.parse_args()
    settings = load_settings(home=chosen.home) if chosen.home else load_settings()
    observatory = Observatory(SnapshotStore(settings.snapshots).current(), settings)
    codes = list(observatory.pvd) or observatory.communes["code"].to_list()
    towns = codes[:: max(1, len(codes) // chosen.towns)][: chosen.towns]
    wall, _ = clock(lambda: make_portrait(observatory, towns[0]))
    print(f"{len(towns)} communes, instantané {observatory.snapshot.id} ; lectures communes : {wall:.0f} ms")
    print(
        f"{'thème':<12}{'premier':>10}{'médiane':>10}{'p95':>10}{'processeur':>12}{'p95':>8}   "
        f"(ms, objectif {TARGET_MS})"
    )
    for label, module in THEMES.items():
        make = maker(module)
        if make is None:
            print(f"{label:<12}absent, laissé de côté")
            continue
        times = [clock(lambda make=make, code=code: make(observatory, code)) for code in towns]  # type: ignore[misc]
        walls, owns = [item[0] for item in times[1:]], [item[1] for item in times[1:]]
        print(
            f"{label:<12}{times[0][0]:>10.0f}{statistics.median(walls):>10.0f}{percentile(walls, 0.95):>10.0f}"
            f"{statistics.median(owns):>12.0f}{percentile(owns, 0.95):>8.0f}"
        )


if __name__ == "__main__":
    main()
