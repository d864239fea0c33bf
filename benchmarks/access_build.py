"""Reading an extract and building its network: time and peak memory, against pyrosm and OSMnx on the same file.

    python benchmarks/access_build.py FILE.osm.pbf [--tiles 16] [--peers PYTHON] [--runs 3]

Every run is a process of its own, so that the peak is its own. ``--tiles`` also builds a map made of that many shifted
copies of the file (not a real place) for sizes for which no extract is at hand. ``--peers`` is the Python of an
environment with pyrosm and osmnx; a peer that is not installed is said to be absent.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import peers

MEASURE = """
import json, resource, sys, time
start = time.perf_counter()
{work}
usage = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({{"wall": time.perf_counter() - start, "cpu": usage.ru_utime + usage.ru_stime,
    "mb": usage.ru_maxrss / 1024, "size": size}}))
"""
OURS = """
from pathlib import Path
from bourg.access.network.build import build_network
network = build_network([Path(sys.argv[1])], Path(sys.argv[2]) / "network")
size = network.manifest["counts"]["nodes"]
"""
PYROSM = """
import warnings
warnings.simplefilter("ignore")
import pyrosm
nodes, edges = pyrosm.OSM(sys.argv[1]).get_network(network_type="all", nodes=True)
size = len(nodes)
"""
OSMNX = """
import warnings
warnings.simplefilter("ignore")
import osmnx
size = len(osmnx.graph_from_xml(sys.argv[1], retain_all=True))
"""


def measure(python: str, work: str, *arguments: str) -> dict[str, float] | None:
    """Run one build in a process of its own; ``None`` when its library is absent."""
    result = subprocess.run(
        [python, "-c", MEASURE.format(work=work), *arguments], capture_output=True, text=True, check=False
    )
    if result.returncode:
        reason = result.stderr.strip().splitlines()[-1]
        if "ModuleNotFoundError" in reason:
            return None
        raise RuntimeError(reason)
    found: dict[str, float] = json.loads(result.stdout.strip().splitlines()[-1])
    return found


def to_xml(path: Path, folder: Path) -> Path:
    """Write the extract as XML, the only format that OSMnx reads."""
    import osmium  # noqa: PLC0415

    target = folder / "extract.osm"
    with osmium.SimpleWriter(str(target)) as writer:
        for item in osmium.FileProcessor(str(path)):
            writer.add(item)
    return target


def tiled(path: Path, folder: Path, tiles: int) -> Path:
    """Write ``tiles`` copies of the extract side by side, with identifiers of their own."""
    import osmium  # noqa: PLC0415

    target = folder / f"tiles{tiles}.osm.pbf"
    box = osmium.FileProcessor(str(path)).header.box()
    width = box.top_right.lon - box.bottom_left.lon + 0.01
    step = 1 << 34
    with osmium.SimpleWriter(str(target)) as writer:
        for kind in (osmium.osm.NODE, osmium.osm.WAY):
            for tile in range(tiles):
                for item in osmium.FileProcessor(str(path), kind):
                    new = item.id + tile * step
                    if kind == osmium.osm.NODE:
                        place = (item.lon + tile * width, item.lat)
                        writer.add_node(item.replace(id=new, location=place))
                    else:
                        writer.add_way(item.replace(id=new, nodes=[node.ref + tile * step for node in item.nodes]))
    return target


def line(name: str, runs: list[dict[str, float]], base: dict[str, float] | None = None) -> dict[str, float]:
    """Print the medians of some runs, with the ratios to ours; return them."""
    middle = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
    text = f"{name:14} {middle['wall']:7.2f} s  {middle['cpu']:7.2f} s CPU  {middle['mb']:7.0f} MB"
    text += f"  {middle['size']:9.0f} nodes"
    if base:
        text += f"  x{middle['wall'] / base['wall']:.1f} time  x{middle['mb'] / base['mb']:.1f} memory"
    print(text)
    return middle


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, nargs="?", default=peers.extract())
    parser.add_argument("--tiles", type=int, default=0)
    parser.add_argument("--peers", nargs="*", default=peers.programs())
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    if options.file is None:
        print("Aucun extrait : donnez un fichier, ou la variable BOURG_MIRROR.")
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        print(f"{options.file.name}, {options.file.stat().st_size / 1e6:.1f} MB, median of {options.runs}")
        own = [measure(sys.executable, OURS, str(options.file), name) for _ in range(options.runs)]
        base = line("bourg, 3 modes", [run for run in own if run])
        xml = to_xml(options.file, folder)
        for peer, work, path in (("pyrosm", PYROSM, options.file), ("osmnx", OSMNX, xml)):
            asked = (measure(program, work, str(path)) for program in options.peers for _ in range(options.runs))
            runs = [run for run in asked if run]
            if runs:
                line(peer, runs, base)
            else:
                print(f"{peer:14} absent")
        xml.unlink()
        if options.tiles:
            big = tiled(options.file, folder, options.tiles)
            found = measure(sys.executable, OURS, str(big), name)
            if found:
                line(f"{options.tiles} copies", [found])
                print(f"{'':14} {found['mb'] * 1024 * 1024 / found['size']:.0f} bytes a node at the peak")


if __name__ == "__main__":
    main()
