"""Peers of ``access.py``, each in the Python that has it: reads arrays, answers the same question, prints JSON.

    PYTHON benchmarks/access_peers.py PEER FOLDER MODE [--extract FILE] [--runs N]

``access.py`` writes the folder and calls this script; nothing of Bourg is imported. A peer that is not installed
answers ``{"absent": …}``. Times of building and of answering are told apart, in seconds of wall clock and of processor.
"""

# Each peer imports its own library.
# ruff: noqa: PLC0415
from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

COSTING = {"foot": "pedestrian", "bike": "bicycle", "car": "auto"}
PROFILES = {"foot": "foot", "bike": "bicycle", "car": "car"}


@contextmanager
def clock(into: dict[str, Any], name: str) -> Iterator[None]:
    """Write the wall clock and the processor time, children included, of what is inside."""

    def now() -> tuple[float, float]:
        usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return time.perf_counter(), sum(usage.ru_utime + usage.ru_stime for usage in usages)

    wall, cpu = now()
    yield
    after = now()
    into[f"{name}_s"], into[f"{name}_cpu_s"] = after[0] - wall, after[1] - cpu


@contextmanager
def quiet() -> Iterator[None]:
    """Send what compiled libraries print to the errors: the output is JSON."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)


def arrays(folder: Path, mode: str) -> dict[str, np.ndarray]:
    return {path.stem.partition("-")[2]: np.load(path) for path in folder.glob(f"{mode}-*.npy")}


def repeated(figures: dict[str, Any], runs: int, work: Callable[[], np.ndarray]) -> np.ndarray:
    """Run some times and write the medians."""
    walls, cpus, result = [], [], np.empty(0)
    for _ in range(runs):
        once: dict[str, float] = {}
        with clock(once, "run"):
            result = work()
        walls.append(once["run_s"])
        cpus.append(once["run_cpu_s"])
    figures["s"], figures["cpu_s"] = statistics.median(walls), statistics.median(cpus)
    return result


def pandana(folder: Path, mode: str, options: argparse.Namespace) -> dict[str, Any]:
    import pandana as peer
    import pandas as pd

    graph = arrays(folder, mode)
    figures: dict[str, Any] = {}
    tails = np.repeat(np.arange(len(graph["lon"])), np.diff(graph["indptr"]))
    # Its points are snapped to nodes by place: a place of its own for each node keeps them where they are.
    x = np.arange(len(graph["lon"]), dtype=float)
    y = np.zeros_like(x)
    weights = pd.DataFrame({"seconds": graph["seconds"].astype(float)})
    with clock(figures, "build"), quiet():
        network = peer.Network(
            pd.Series(x), pd.Series(y), pd.Series(tails), pd.Series(graph["heads"].astype(np.int64)), weights,
            twoway=False,
        )  # fmt: skip
        furthest = float(graph["furthest"])
        network.set_pois("shop", maxdist=furthest, maxitems=1, x_col=pd.Series(x[graph["facilities"]]),
                         y_col=pd.Series(y[graph["facilities"]]))  # fmt: skip

    def work() -> np.ndarray:
        return network.nearest_pois(furthest, "shop", num_pois=1, max_distance=-1)[1].to_numpy()

    with quiet():
        times = repeated(figures, options.runs, work)
    np.save(folder / f"out-pandana-{mode}.npy", times.astype(np.float32))
    return figures


def igraph(folder: Path, mode: str, options: argparse.Namespace) -> dict[str, Any]:
    import igraph as peer

    graph = arrays(folder, mode)
    figures: dict[str, Any] = {}
    n = len(graph["lon"])
    tails = np.repeat(np.arange(n), np.diff(graph["indptr"]))
    with clock(figures, "build"):
        # Towards the shops: every edge turned round, and one more node that leads to all of them.
        a = np.concatenate([graph["heads"], np.full(len(graph["facilities"]), n)])
        b = np.concatenate([tails, graph["facilities"]])
        weights = np.concatenate([graph["seconds"].astype(float), np.zeros(len(graph["facilities"]))]).tolist()
        built = peer.Graph(n + 1, np.stack([a, b], axis=1), directed=True)
    times = repeated(figures, options.runs, lambda: np.array(built.distances(source=n, weights=weights)[0][:n]))
    np.save(folder / f"out-igraph-{mode}.npy", times.astype(np.float32))
    return figures


def valhalla(folder: Path, mode: str, options: argparse.Namespace) -> dict[str, Any]:
    from valhalla import Actor, get_config

    points = arrays(folder, mode)
    figures: dict[str, Any] = {}
    tiles = folder / "valhalla"
    tiles.mkdir(exist_ok=True)
    config_file = folder / "valhalla.json"
    if not config_file.exists():
        # It wants an archive of tiles that exists, even when there is none.
        (folder / "none.tar").touch()
        config = get_config(tile_extract=str(folder / "none.tar"), tile_dir=str(tiles), verbose=False)
        config["mjolnir"]["tile_extract"] = ""
        config["thor"]["source_to_target_algorithm"] = "timedistancematrix"
        for limits in config["service_limits"].values():
            if isinstance(limits, dict) and "max_matrix_location_pairs" in limits:
                limits.update(max_matrix_location_pairs=10**7, max_matrix_distance=10**7)
                limits["max_locations"] = 10**5
        config_file.write_text(json.dumps(config))
        programs = Path(sys.executable).parent
        build = [str(programs / "valhalla_build_tiles"), "-c", str(config_file), options.extract]
        # Its launcher looks for itself in the path.
        path = os.pathsep.join([str(programs), os.environ.get("PATH", "")])
        with clock(figures, "build"):
            subprocess.run(build, check=True, capture_output=True, env={**os.environ, "PATH": path})
    with quiet():
        actor = Actor(str(config_file))
        places = {
            side: [{"lon": float(lon), "lat": float(lat)} for lon, lat in points[name]]
            for side, name in (("sources", "origins"), ("targets", "destinations"))
        }
        question = {**places, "costing": COSTING[mode], "verbose": False}

        def work() -> np.ndarray:
            answer = actor.matrix(question)["sources_to_targets"]["durations"]
            return np.array(answer, dtype=float)

        # Tens of seconds a call: one is enough.
        times = repeated(figures, 1, work)
    np.save(folder / f"out-valhalla-{mode}.npy", times)
    return figures


def osrm(folder: Path, mode: str, options: argparse.Namespace) -> dict[str, Any]:
    import osrm as peer

    points = arrays(folder, mode)
    figures: dict[str, Any] = {}
    home = Path(peer.__file__).parent
    base = folder / f"osrm-{mode}"
    extract = [str(home / "bin" / "osrm-extract"), "-p", str(home / "share" / "profiles" / f"{PROFILES[mode]}.lua")]
    with clock(figures, "build"):
        subprocess.run([*extract, options.extract, "-o", str(base)], check=True, capture_output=True)
        subprocess.run([str(home / "bin" / "osrm-contract"), str(base)], check=True, capture_output=True)
    with quiet():
        engine = peer.OSRM(
            algorithm="CH", storage_config=str(base), use_shared_memory=False, max_locations_distance_table=10_000
        )
        places = np.concatenate([points["origins"], points["destinations"]])
        split = len(points["origins"])
        question = peer.TableParameters(
            coordinates=[(float(lon), float(lat)) for lon, lat in places],
            sources=list(range(split)), destinations=list(range(split, len(places))),
        )  # fmt: skip
        times = repeated(
            figures, options.runs,
            lambda: np.array([[np.nan if v is None else v for v in row] for row in engine.Table(question)["durations"]],
                             dtype=float),
        )  # fmt: skip
    np.save(folder / f"out-osrm-{mode}.npy", times)
    return figures


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("peer", choices=["pandana", "igraph", "valhalla", "osrm"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("mode", choices=sorted(COSTING))
    parser.add_argument("--extract")
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    answer = {"pandana": pandana, "igraph": igraph, "valhalla": valhalla, "osrm": osrm}[options.peer]
    figures: dict[str, Any] = {}
    with contextlib.suppress(ImportError):
        figures = answer(options.folder, options.mode, options)
    print(json.dumps(figures or {"absent": options.peer}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
