"""Access engine against its peers, same graph, same points, same run.

    python benchmarks/access.py [--extract FILE.osm.pbf] [--peers PYTHON ...] [--nodes 5000000] [--runs 5]

- Nearest of 1,000 facilities for every node of the network: ``pandana.nearest_pois`` (its preprocessing is not counted)
  and igraph (one more node that leads to all facilities; its building is not counted), on the arrays of our graph.
- 2,000 x 200 matrix, from coordinates, snapping counted: Valhalla (one call, ``timedistancematrix``) and OSRM
  (contraction hierarchies; building and answer are told apart); differences of times on trips of 5 to 30 minutes.
- Trips of 30 minutes on foot from one place, isochrones, and a made graph of the size of the country.

Peers are not dependencies of the project: each ``--peers`` is a Python that has some of them (``pip install pandana
igraph pyvalhalla-weekly``; ``osrm-bindings`` wants Python 3.12). A peer that is not found is skipped, and said. Without
``--extract``, the Porto extract of the mirror (``BOURG_MIRROR``) is used, and without mirror a made town, on which the
engines that read OSM cannot answer. Processor time is printed beside wall time: on a shared machine it is the steadier.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

import peers
from bourg.access.network.build import build_network
from bourg.access.network.graph import MODES
from bourg.access.network.synthetic import grid_network, national_graph
from bourg.access.travel.isochrones import isochrones
from bourg.access.travel.points import NetworkLike
from bourg.access.travel.search import Search
from bourg.access.travel.times import matrix, nearest_nodes

PEERS = Path(__file__).with_name("access_peers.py")
FACILITIES, ORIGINS, DESTINATIONS = 1_000, 2_000, 200
TARGETS = {
    "pandana": 20.0, "igraph": 1.0, "valhalla": 8.0, "osrm": 1.0, "foot_ms": 0.5, "us_per_node": 1.0, "GB": 4.0,
    "isochrone_ms": 150.0,
}  # fmt: skip


def timed(work: Callable[[], Any], runs: int) -> tuple[float, float, Any]:
    """Return the median wall and processor seconds of some runs, and the last result; a first run is not counted."""
    result = work()
    walls, cpus = [], []
    for _ in range(runs):
        wall, cpu = time.perf_counter(), time.process_time()
        result = work()
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    return statistics.median(walls), statistics.median(cpus), result


class Verdicts:
    """What was reached, told once at the end."""

    def __init__(self) -> None:
        self.reached: dict[str, bool] = {}

    def ratio(self, peer: str, question: str, ratio: float) -> str:
        """Keep whether the ratio is that wanted of the peer, and return it as text."""
        self.reached[f"{question} : {peer} x{TARGETS[peer]:g}"] = ratio >= TARGETS[peer]
        return f"{peer} / bourg = {ratio:.1f}"

    def under(self, name: str, label: str, value: float) -> None:
        """Keep whether a value is under its target."""
        kept = self.reached.get(label, True)
        self.reached[label] = kept and value < TARGETS[name]


def ask(peer: str, folder: Path, mode: str, options: argparse.Namespace, extract: Path | None) -> dict[str, Any]:
    """Ask a peer through the first Python that has it."""
    if peer in ("valhalla", "osrm") and extract is None:
        return {"absent": peer}
    for python in options.peers:
        command = [python, str(PEERS), peer, str(folder), mode, "--runs", str(options.runs)]
        if extract is not None:
            command += ["--extract", str(extract)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            print(f"  {peer} a échoué ({mode}) : {done.stderr.strip().splitlines()[-1:]}")
            return {"absent": peer}
        figures: dict[str, Any] = json.loads(done.stdout)
        if "absent" not in figures:
            return figures
    return {"absent": peer}


def all_nodes(network: NetworkLike, folder: Path, options: argparse.Namespace, verdicts: Verdicts) -> None:
    print(f"\nPlus proche de {FACILITIES} équipements pour tous les nœuds (s d'horloge, s de processeur)")
    for mode in MODES:
        graph = network.graph(mode)
        facilities = np.random.default_rng(0).choice(graph.n_nodes, FACILITIES, replace=False).astype(np.int32)
        none = np.zeros(FACILITIES, dtype=np.float32)
        reverse = graph.reverse
        wall, cpu, (times, _) = timed(lambda: nearest_nodes(reverse, facilities, none), max(options.runs, 9))  # noqa: B023
        furthest = np.float64(times[np.isfinite(times)].max() * 1.01)
        for name in ("indptr", "heads", "seconds", "lon", "lat"):
            np.save(folder / f"{mode}-{name}.npy", getattr(graph, name))
        np.save(folder / f"{mode}-facilities.npy", facilities)
        np.save(folder / f"{mode}-furthest.npy", furthest)
        print(
            f"  {mode:5} {graph.n_nodes} nœuds  bourg {wall:.4f} ({cpu:.4f}), {wall / graph.n_nodes * 1e6:.2f} µs/nœud"
        )
        for peer in ("pandana", "igraph"):
            figures = ask(peer, folder, mode, options, None)
            if "absent" in figures:
                print(f"        {peer} : absent, sauté")
                continue
            told = np.load(folder / f"out-{peer}-{mode}.npy")
            both = np.isfinite(times) & np.isfinite(told) & (told >= 0)
            gap = np.abs(times[both] - told[both]).max()
            ratio = verdicts.ratio(peer, f"nearest {mode}", figures["cpu_s"] / cpu)
            print(
                f"        {peer} {figures['s']:.3f} ({figures['cpu_s']:.3f}) après {figures['build_s']:.1f} s "
                f"de préparation ; {ratio} ; écart maximal {gap:.3f} s sur {both.sum()} nœuds"
            )


def pairs(
    network: NetworkLike, folder: Path, options: argparse.Namespace, extract: Path | None, verdicts: Verdicts
) -> None:
    print(f"\nMatrice {ORIGINS} x {DESTINATIONS} depuis des coordonnées (s d'horloge, s de processeur)")
    for mode in MODES:
        graph = network.graph(mode)
        nodes = np.random.default_rng(1).choice(graph.n_nodes, ORIGINS + DESTINATIONS, replace=False)
        where = np.stack([graph.lon[nodes], graph.lat[nodes]], axis=1)
        np.save(folder / f"{mode}-origins.npy", where[:ORIGINS])
        np.save(folder / f"{mode}-destinations.npy", where[ORIGINS:])
        starts, ends = where[:ORIGINS], where[ORIGINS:]
        runs = min(options.runs, 3)
        wall, cpu, table = timed(lambda: matrix(network, starts, ends, mode, limit_min=float("inf")), runs)  # noqa: B023
        print(f"  {mode:5} bourg {wall:.2f} ({cpu:.2f}), {table.height / ORIGINS / DESTINATIONS:.1%} de couples joints")
        for peer in ("valhalla", "osrm"):
            if peer == "osrm" and mode not in options.osrm_modes:
                continue
            figures = ask(peer, folder, mode, options, extract)
            if "absent" in figures:
                print(f"        {peer} : absent, sauté")
                continue
            built = figures.get("build_cpu_s", 0.0)
            spent = figures["cpu_s"] + (built if peer == "osrm" else 0.0)
            ratio = verdicts.ratio(peer, f"matrice {mode}", spent / cpu)
            print(
                f"        {peer} {figures['s']:.2f} ({figures['cpu_s']:.2f})"
                f"{f', construction {built:.1f} s de processeur' if built else ''} ; {ratio}"
                f"{' (construction et réponse)' if peer == 'osrm' else ''}"
            )
            print(f"        {differences(table, np.load(folder / f'out-{peer}-{mode}.npy'))}")


def differences(table: pl.DataFrame, told: np.ndarray) -> str:
    """Tell how the times of a peer differ on trips of 5 to 30 minutes, before and after one factor for the mode."""
    short = table.filter(pl.col("minutes").is_between(5, 30))
    minutes = short["minutes"].to_numpy()
    other = told[short["origin"].to_numpy(), short["destination"].to_numpy()] / 60
    known = np.isfinite(other) & (other > 0)
    if not known.any():
        return "aucun trajet de 5 à 30 min en commun"
    ratio = other[known] / minutes[known]
    factor = float(np.median(ratio))
    gap, scaled = np.abs(ratio - 1), np.abs(ratio / factor - 1)
    return (
        f"{known.sum()} trajets de 5 à 30 min ({(~known).sum()} sans réponse) : rapport médian {factor:.3f}, "
        f"écart médian {np.median(gap):.1%}, p95 {np.quantile(gap, 0.95):.1%} ; "
        f"à un facteur près {np.median(scaled):.1%}, p95 {np.quantile(scaled, 0.95):.1%}"
    )


def short_trips(network: NetworkLike, options: argparse.Namespace, verdicts: Verdicts) -> None:
    graph = network.graph("foot")
    print(f"\nDepuis un lieu, 30 min à pied ({graph.n_nodes} nœuds)")
    verdicts.under("foot_ms", "30 min à pied en moins de 0,5 ms", one_to_many(Search(graph), options.runs))
    print("\nIsochrones 5/10/15/20/30 min d'un point (ms d'horloge, ms de processeur)")
    west, south, east, north = network.bbox
    middle = np.array([[(west + east) / 2, (south + north) / 2]])
    for mode in MODES:
        wall, cpu, found = timed(lambda: isochrones(network, middle, mode), max(options.runs, 5))  # noqa: B023
        areas = ", ".join(f"{area:.1f}" for area in found[0].area_km2)
        print(f"  {mode:5} {wall * 1e3:.0f} ({cpu * 1e3:.0f}) ; {areas} km², grille de {found[0].cell_m:.0f} m")
        verdicts.under("isochrone_ms", "isochrone en moins de 150 ms de processeur", cpu * 1e3)


def one_to_many(search: Search, runs: int, sources: int = 300) -> float:
    """Print and return the processor time of one search, milliseconds."""
    nodes = np.random.default_rng(2).choice(search.n_nodes, sources, replace=False).astype(np.int32)
    none = np.zeros(1, dtype=np.float32)

    def work() -> int:
        return sum(len(search.within(nodes[i : i + 1], none, 1800.0)[0]) for i in range(sources))

    wall, cpu, reached = timed(work, runs)
    print(
        f"  {wall / sources * 1e3:.3f} ms ({cpu / sources * 1e3:.3f}) par lieu, {reached / sources:.0f} nœuds atteints"
    )
    return cpu / sources * 1e3


def national(n_nodes: int, runs: int) -> None:
    """Measure in this process a graph of the size of the country, and print the figures as JSON last."""
    start = time.perf_counter()
    graph = national_graph(n_nodes)
    made = time.perf_counter() - start
    facilities = np.random.default_rng(3).choice(graph.n_nodes, 20_000, replace=False).astype(np.int32)
    none = np.zeros(len(facilities), dtype=np.float32)
    start = time.perf_counter()
    reverse = graph.reverse
    turned = time.perf_counter() - start
    wall, cpu, (times, _) = timed(lambda: nearest_nodes(reverse, facilities, none), min(runs, 3))
    print(
        f"\nGraphe fait de toutes pièces : {graph.n_nodes} nœuds, {len(graph.heads)} arcs (fait en {made:.1f} s, "
        f"retourné en {turned:.1f} s)\n"
        f"  plus proche de 20 000 équipements : {wall:.2f} s ({cpu:.2f}), "
        f"{np.isfinite(times).mean():.1%} des nœuds atteints"
    )
    spent = one_to_many(Search(graph), min(runs, 3))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    print(json.dumps({"us": cpu / graph.n_nodes * 1e6, "GB": peak, "foot_ms": spent}))


def country(options: argparse.Namespace, verdicts: Verdicts) -> None:
    command = [sys.executable, __file__, "--national", "--nodes", str(options.nodes), "--runs", str(options.runs)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    *told, last = done.stdout.splitlines()
    figures = json.loads(last)
    print("\n".join(told))
    print(f"  {figures['us']:.2f} µs de processeur par nœud, mémoire de pointe {figures['GB']:.2f} Go")
    verdicts.under("us_per_node", "1 µs par nœud", figures["us"])
    verdicts.under("GB", f"{options.nodes} nœuds dans 4 Go", figures["GB"])
    verdicts.under("foot_ms", "30 min à pied en moins de 0,5 ms", figures["foot_ms"])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--extract", type=Path, help="OSM extract; Porto of the mirror by default")
    parser.add_argument("--peers", nargs="*", default=peers.programs(), help="Python programs that have the peers")
    parser.add_argument("--osrm-modes", nargs="*", default=["car"], choices=MODES, help="a minute of building each")
    parser.add_argument("--nodes", type=int, default=5_000_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--national", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.national:
        national(options.nodes, options.runs)
        return 0
    verdicts = Verdicts()
    extract = options.extract or peers.extract()
    with tempfile.TemporaryDirectory(prefix="bourg-mesure-") as temporary:
        folder = Path(temporary)
        if extract is not None and extract.exists():
            start = time.perf_counter()
            network: NetworkLike = build_network([extract], folder / "network")
            print(f"Réseau : {extract.name}, construit en {time.perf_counter() - start:.1f} s")
        else:
            extract = None
            network = grid_network(276, 276, dropped=0.25, one_way=0.1, jitter=0.3)
            print("Réseau : ville faite de toutes pièces (pas d'extrait OSM : ni --extract ni BOURG_MIRROR)")
        all_nodes(network, folder, options, verdicts)
        pairs(network, folder, options, extract, verdicts)
        short_trips(network, options, verdicts)
    country(options, verdicts)
    print("\nObjectifs : " + ", ".join(f"{name} : {'oui' if ok else 'NON'}" for name, ok in verdicts.reached.items()))
    return 0 if all(verdicts.reached.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
