"""Time and memory to read a theme in an OpenStreetMap extract, beside GeoPandas (GDAL) and a plain pyosmium loop.

Run with ``python benchmarks/extract.py [FILE.osm.pbf] [--theme commerce] [--runs 3]``. Each reader runs in a process of
its own and counts the objects that have a ``shop`` tag, so that the counts can be compared: Bourg also takes the other
tags of the theme, and prints them apart. Wall time is what one waits; processor time is steadier on a shared machine.
GeoPandas reads points, lines and multipolygons; it needs its driver of OpenStreetMap files (pyogrio).
"""

# Each reader imports its own library: its process holds nothing else.
# ruff: noqa: PLC0415
from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

# A town of Brittany, in the mirror of official files (BOURG_MIRROR).
REDON = Path(os.environ.get("BOURG_MIRROR", ".")) / "08_osm" / "redon_35236_20190909.osm.pbf"
READERS = ("bourg", "geopandas", "pyosmium")


def bourg(path: Path, theme: str) -> tuple[int, int]:
    """Return the objects with a shop tag, and all those of the theme."""
    from bourg.extract.engine import read_theme
    from bourg.extract.themes import theme_named

    table = read_theme(path, theme_named(theme))
    shops = table["tag"].str.starts_with("shop=").sum()
    return int(shops), table.height


def geopandas(path: Path, theme: str) -> tuple[int, int]:
    """Return the objects with a shop tag, read by GDAL with a condition."""
    del theme
    import geopandas as gpd

    found = 0
    for layer in ("points", "lines", "multipolygons"):
        has_column = layer == "multipolygons"
        where = "shop IS NOT NULL" if has_column else "other_tags LIKE '%\"shop\"=>%'"
        shapes = gpd.read_file(path, layer=layer, where=where)
        found += len(shapes.representative_point())
    return found, found


def pyosmium(path: Path, theme: str) -> tuple[int, int]:
    """Return the objects with a shop tag, every object going through Python."""
    del theme
    import osmium

    areas, others = set(), set()
    for item in osmium.FileProcessor(str(path)).with_areas():
        if "shop" not in item.tags:
            continue
        if item.is_area():
            areas.add(("w" if item.from_way() else "r", item.orig_id()))
        elif item.is_node() or item.is_way():
            others.add(("n" if item.is_node() else "w", item.id))
    return len(areas | others), len(areas | others)


def measure(reader: str, path: Path, theme: str) -> dict[str, float]:
    """Run a reader in this process and return its figures."""
    wall, own = time.perf_counter(), time.process_time()
    shops, objects = {"bourg": bourg, "geopandas": geopandas, "pyosmium": pyosmium}[reader](path, theme)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "wall": time.perf_counter() - wall, "cpu": time.process_time() - own, "mo": peak, "shops": shops,
        "objects": objects,
    }  # fmt: skip


def main() -> None:
    """Print a line per reader, with the ratio to ours."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=Path, nargs="?", default=REDON, help="extract; Redon of the mirror by default")
    parser.add_argument("--theme", default="commerce")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--one", choices=READERS, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.one:
        print(json.dumps(measure(chosen.one, chosen.path, chosen.theme)))
        return
    print(f"{chosen.path.name}, {chosen.path.stat().st_size / 1e6:.1f} Mo, médiane de {chosen.runs}")
    ours: dict[str, float] = {}
    for reader in READERS:
        command = [sys.executable, __file__, str(chosen.path), "--theme", chosen.theme, "--one", reader]
        runs = [
            json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            for _ in range(chosen.runs)
        ]
        found = {name: statistics.median(run[name] for run in runs) for name in runs[0]}
        ours = ours or found
        print(
            f"{reader:<10} {found['wall']:6.2f} s {found['cpu']:6.2f} s CPU {found['mo']:6.0f} Mo "
            f"{found['shops']:7.0f} shop=* {found['objects']:7.0f} objets   "
            f"x{found['cpu'] / ours['cpu']:.1f} CPU  x{found['mo'] / ours['mo']:.1f} mémoire"
        )


if __name__ == "__main__":
    main()
