"""Comparison engine against its peers, side by side in one run, on a built snapshot.

Run with ``python benchmarks/compare.py [--home DIR]`` (``BOURG_HOME`` otherwise; ``bourg demo`` builds a snapshot).

- Similar towns of every commune, 15 neighbours: :func:`bourg.compare.neighbours.all_neighbours` against scikit-learn's
  ``NearestNeighbors(algorithm="brute")`` on the same standardised features. scikit-learn is no dependency of the
  project: the comparison is skipped, and said, when it is absent.
- Percentiles of every indicator for five comparators: :func:`bourg.compare.ranking.all_ranks` against
  ``pandas.DataFrame.groupby.rank`` doing the same work on the same wide table (strict and mid ranks, sizes).
- One town: similar towns, sets, ranks and specificities; then the whole portrait of 200 towns, from an opened snapshot.

Each job runs in a process of its own, so that peak memory is that of the job (snapshot loaded included). Processor
time is printed beside wall time: on a shared machine it is the steadier of the two.
"""

from __future__ import annotations

import argparse
import gc
import importlib.util
import multiprocessing
import resource
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from bourg.compare.comparators import Comparators
from bourg.compare.matrix import commune_matrix
from bourg.compare.neighbours import all_neighbours
from bourg.compare.profiles import small_town_profiles
from bourg.compare.ranking import all_ranks, summaries
from bourg.compare.similar import similar_towns
from bourg.compare.specificities import specificities
from bourg.compare.structure import structure_of
from bourg.portrait.document import make_portrait
from bourg.portrait.observatory import Observatory
from bourg.settings import load_settings
from bourg.store.snapshot import SnapshotStore

K = 15
PARTITIONS = ("departement", "region", "epci", "size_class")
# The target of the portrait is for about a hundred indicators: its time grows with their number.
TARGETS = {"neighbours_s": 30, "ranks_s": 60, "portrait_ms": 50}
TOWNS = 200


def load(home: Path | None) -> Comparators:
    snapshot = SnapshotStore(load_settings(home=home).snapshots).current()
    communes = snapshot.table("communes").collect()
    pvd = snapshot.table("pvd").collect()["code"].to_list() if snapshot.has_table("pvd") else None
    matrix = commune_matrix(pl.scan_parquet(snapshot.path("values.parquet")), communes["code"])
    return Comparators(matrix, communes, pvd=pvd, structure=structure_of(matrix))


def ours_neighbours(sets: Comparators) -> dict[str, Any]:
    start = time.perf_counter()
    positions, distances = all_neighbours(sets.structure, K, min_share=0.6)
    return {"s": time.perf_counter() - start, "positions": positions, "distances": distances}


def sklearn_neighbours(sets: Comparators) -> dict[str, Any]:
    from sklearn.neighbors import NearestNeighbors  # noqa: PLC0415 (optional)

    complete = np.flatnonzero(sets.structure.known.all(axis=1))
    points = (sets.structure.z[complete] * np.sqrt(sets.structure.weights)).astype(np.float32)
    start = time.perf_counter()
    model = NearestNeighbors(n_neighbors=K + 1, algorithm="brute", n_jobs=2).fit(points)
    distances, positions = model.kneighbors(points)
    return {
        "s": time.perf_counter() - start,
        "positions": complete[positions],
        "distances": distances,
        "rows": complete,
    }


def ours_ranks(sets: Comparators) -> dict[str, Any]:
    start = time.perf_counter()
    rows = sum(frame.height for _, frame in all_ranks(sets, PARTITIONS))
    return {"s": time.perf_counter() - start, "rows": rows}


def ours_everything(sets: Comparators) -> dict[str, Any]:
    neighbours, _ = all_neighbours(sets.structure, 50, min_share=0.6)
    start = time.perf_counter()
    found = {name: frame.height for name, frame in all_ranks(sets, neighbours=neighbours)}
    ranks = time.perf_counter() - start
    start = time.perf_counter()
    height = summaries(sets).height
    return {"s": ranks, "sets": found, "summaries_s": time.perf_counter() - start, "summaries": height}


def pandas_ranks(sets: Comparators) -> dict[str, Any]:
    import pandas as pd  # noqa: PLC0415 (only here)

    matrix = sets.matrix
    wide = pd.DataFrame(matrix.values.T, columns=list(matrix.indicators))
    groups = {name: sets.partitions[name].to_list() for name in PARTITIONS}
    start = time.perf_counter()
    rows = 0
    for name in PARTITIONS:
        grouped = wide.groupby(pd.Series(groups[name], name=name))
        low, high, size = grouped.rank(method="min"), grouped.rank(method="max"), grouped.transform("count")
        strict, mid = 100 * (low - 1) / (size - 1), 100 * (low + high - 1) / (2 * size)
        shown = (size >= 20).to_numpy()
        strict, mid = strict.where(shown), mid.where(shown)
        rows += int(low.notna().to_numpy().sum())
    return {"s": time.perf_counter() - start, "rows": rows}


def one_town(sets: Comparators) -> dict[str, Any]:
    times: dict[str, list[float]] = {"similar": [], "sets": [], "ranks": [], "specificities": []}
    codes = np.array(sets.matrix.codes)[~np.isnan(sets.matrix.values[sets.matrix.row("population.total")])]
    for code in codes[:: len(codes) // 60].tolist():
        start = time.perf_counter()
        similar_towns(sets.structure, code)
        middle = time.perf_counter()
        chosen = sets.of(code)
        made = time.perf_counter()
        sets.ranks(code, chosen)
        ranked = time.perf_counter()
        specificities(sets.matrix, code, chosen[-1])
        end = time.perf_counter()
        for name, value in zip(times, (middle - start, made - middle, ranked - made, end - ranked), strict=True):
            times[name].append(1000 * value)
    total = [sum(parts) for parts in zip(*times.values(), strict=True)]
    return {
        "ms": {name: statistics.median(values) for name, values in times.items()},
        "total": statistics.median(total),
    }


def portraits(home: Path | None) -> dict[str, Any]:
    """Assemble portraits with their comparisons, similar towns and specificities, from an opened snapshot."""
    settings = load_settings(home=home)
    start = time.perf_counter()
    observatory = Observatory(SnapshotStore(settings.snapshots).current(), settings)
    make_portrait(observatory, observatory.communes["code"][0])
    # As the server does once its first page is ready.
    gc.collect()
    gc.freeze()
    opened = time.perf_counter() - start
    codes = observatory.communes["code"]
    times = []
    for code in codes.gather_every(max(1, len(codes) // TOWNS)).to_list()[:TOWNS]:
        start = time.perf_counter()
        portrait = make_portrait(observatory, code)
        list(portrait.specificities["size_class"].traits)
        times.append(1000 * (time.perf_counter() - start))
    indicators = len(portrait.sheets)
    return {"first_s": opened, "median": statistics.median(times), "p95": float(np.quantile(times, 0.95)),
            "towns": len(times), "indicators": indicators}  # fmt: skip


def profiles(sets: Comparators) -> dict[str, Any]:
    population = dict(zip(sets.matrix.codes, sets.matrix.values[sets.matrix.row("population.total")], strict=True))
    sizes = {code: None if np.isnan(size) else int(size) for code, size in population.items()}
    start = time.perf_counter()
    found = small_town_profiles(sets.structure, sizes)
    return {"s": time.perf_counter() - start, "groups": [item.n_communes for item in found.profiles]}


def _child(job: Callable[[Comparators], dict[str, Any]], home: Path | None, pipe: Any) -> None:  # noqa: ANN401
    sets = load(home)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    start = time.process_time()
    result = job(sets)
    result["cpu_s"] = time.process_time() - start
    result["loaded_MB"], result["peak_MB"] = before, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    pipe.send(result)


def run(job: Callable[[Comparators], dict[str, Any]], home: Path | None) -> dict[str, Any]:
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_child, args=(job, home, there))
    process.start()
    there.close()
    result: dict[str, Any] = here.recv()
    process.join()
    return result


def _line(name: str, result: dict[str, Any], note: str = "") -> None:
    memory = f"peak {result['peak_MB']:6.0f} MB (loaded {result['loaded_MB']:.0f})"
    print(f"{name:44} {result['s']:7.2f} s   {result['cpu_s']:7.2f} s of processor   {memory} {note}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--home", type=Path, default=None)
    home = parser.parse_args().home

    ours = run(ours_neighbours, home)
    _line(f"bourg, {K} similar towns of every commune", ours, f"target < {TARGETS['neighbours_s']} s")
    if importlib.util.find_spec("sklearn") is None:
        print("scikit-learn is not installed: NearestNeighbors is skipped (pip install scikit-learn to compare)")
    else:
        peer = run(sklearn_neighbours, home)
        _line("scikit-learn NearestNeighbors, brute", peer, f"ratio {peer['s'] / ours['s']:.1f}")
        gap = np.abs(peer["distances"][:, 1:] - ours["distances"][peer["rows"]]).max()
        print(f"{'':44} largest difference of distance: {gap:.1e}")
    ranks = run(ours_ranks, home)
    _line(f"bourg, ranks in {len(PARTITIONS)} comparators", ranks, f"{ranks['rows']:,} ranks")
    pandas = run(pandas_ranks, home)
    _line(
        "pandas groupby.rank, the same work", pandas, f"{pandas['rows']:,} ranks, ratio {pandas['s'] / ranks['s']:.1f}"
    )
    every = run(ours_everything, home)
    _line(f"bourg, every comparator ({', '.join(every['sets'])})", every, f"target < {TARGETS['ranks_s']} s")
    print(
        f"{'':44} {sum(every['sets'].values()):,} ranks; "
        f"{every['summaries']:,} summaries in {every['summaries_s']:.2f} s"
    )
    kinds = run(profiles, home)
    _line("bourg, types of small towns", kinds, str(kinds["groups"]))
    town = run(one_town, home)
    parts = ", ".join(f"{name} {value:.1f}" for name, value in town["ms"].items())
    print(f"one town, median of 60: {town['total']:.1f} ms ({parts})")
    whole = portraits(home)
    hundred = 100 * whole["median"] / whole["indicators"]
    print(
        f"portrait of {whole['towns']} towns ({whole['indicators']} indicators, first one {whole['first_s']:.2f} s): "
        f"median {whole['median']:.1f} ms, p95 {whole['p95']:.1f} ms, "
        f"{hundred:.1f} ms for 100 indicators, target < {TARGETS['portrait_ms']} ms"
    )
    reached = (
        ours["s"] < TARGETS["neighbours_s"] and every["s"] < TARGETS["ranks_s"]
        and hundred < TARGETS["portrait_ms"]
    )  # fmt: skip
    print("targets reached" if reached else "a target is missed")
    return 0 if reached else 1


if __name__ == "__main__":
    sys.exit(main())
