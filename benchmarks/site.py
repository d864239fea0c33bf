# ruff: noqa: A005 - run as a script, never imported
"""The static site: pages a second, bytes a page, and what a change in one department costs.

Run with ``python benchmarks/site.py [--home DIR] [--communes pvd|all|12|N] [--indicateurs N]``. Without ``--home`` the
installation of the user is read; a number of communes draws that many at random, and tells how long the whole country
would take. A hundred indicators are kept, those known in most communes, or as many as said; 0 keeps all. Three runs
in one temporary folder:

- ``complete``: every page of the towns, from nothing;
- ``unchanged``: the same snapshot again;
- ``one department``: a snapshot in which one source gives other values to the communes of one department; the mended
  pages are compared, byte for byte, with pages made from nothing (a sample of the towns).

Times are those of the clock and those of the processors: a busy machine lengthens the first ones only.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import random
import resource
import shutil
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

from bourg.compare.matrix import commune_matrix
from bourg.compare.ranking import summaries
from bourg.compare.stored import SUMMARIES, write_matrix
from bourg.portrait.observatory import Observatory, open_observatory
from bourg.settings import Settings, load_settings
from bourg.site.generate import SiteReport, generate_site
from bourg.site.selection import chosen_codes
from bourg.site.towns import Scope, departements_of, town_files
from bourg.store.snapshot import SnapshotStore

_COUNTRY, _COMPARED, _WEIGHED = 34_875, 40, 2000


def cpu() -> float:
    """Return the seconds of processor used by this process and those it waited for."""
    uses = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(item.ru_utime + item.ru_stime for item in uses)


def run(settings: Settings, out: Path, codes: list[str]) -> tuple[SiteReport, float, float]:
    """Return the report of a run, its time and its processor time."""
    start, used = time.perf_counter(), cpu()
    report = generate_site(settings, out, codes, address="https://bourg.exemple/")
    return report, time.perf_counter() - start, cpu() - used


def figures(out: Path) -> tuple[float, float]:
    """Return the figures of a page that have a value, and all of them, on average."""
    known, told = [], []
    for path in sorted(out.glob("ville/*/portrait.json"))[:200]:
        sheets = json.loads(path.read_bytes())["indicateurs"].values()
        told.append(len(sheets))
        known.append(sum(sheet["valeur"] is not None for sheet in sheets))
    return statistics.mean(known), statistics.mean(told)


def same_pages(settings: Settings, out: Path, codes: list[str]) -> str:
    """Compare some town pages of a site with those of a site of the same communes made from nothing."""
    some = random.Random(2).sample(codes, min(_COMPARED, len(codes)))
    observatory = open_observatory(settings)
    scope = Scope(frozenset(codes), departements_of(observatory, codes), "https://bourg.exemple/")
    same = total = 0
    for _, files in town_files(observatory, sorted(some), scope):
        total += len(files)
        same += sum((out / name).read_bytes() == content for name, content in files.items())
    return f"{same} fichiers sur {total}"


def other_snapshot(observatory: Observatory, home: Path, name: str, values: pl.DataFrame) -> Settings:
    """Publish in ``home`` a snapshot that has other values, and what is computed from them."""
    store = SnapshotStore(home / "snapshots")
    store.root.mkdir(parents=True)
    old = observatory.snapshot
    with store.part() as part:
        shutil.copytree(old.folder, part, dirs_exist_ok=True, ignore=shutil.ignore_patterns("manifest.json"))
        values.write_parquet(part / "values.parquet")
        matrix = commune_matrix(values, observatory.matrix.codes)
        write_matrix(matrix, part)
        comparators = Observatory(old, observatory.settings).comparators
        comparators.matrix = matrix
        summaries(comparators).write_parquet(part / SUMMARIES)
        store.publish(part, {**old.manifest, "id": name})
    return Settings(home=home)


def changed_snapshot(observatory: Observatory, home: Path, departement: str, source: str) -> Settings:
    """Publish a snapshot in ``home`` where a source gives 5 % more to the communes of a department."""
    inside = observatory.communes.filter(pl.col("departement") == departement)["code"].to_list()
    here = pl.col("code").is_in(inside) & (pl.col("level") == "commune")
    here &= pl.col("source_ids").str.split(",").list.contains(source)
    values = pl.read_parquet(observatory.snapshot.path("values.parquet"))
    values = values.with_columns(value=pl.when(here).then((pl.col("value") * 1.05).round(2)).otherwise("value"))
    return other_snapshot(observatory, home, "s0000000000000001", values)


def fewer_indicators(observatory: Observatory, home: Path, count: int) -> Settings:
    """Publish a snapshot in ``home`` with the indicators that are known in most communes, and no other."""
    matrix = observatory.matrix
    known = np.count_nonzero(~np.isnan(matrix.values), axis=1)
    names = [matrix.indicators[row] for row in np.argsort(-known, kind="stable")[:count]]
    values = pl.scan_parquet(observatory.snapshot.path("values.parquet"))
    return other_snapshot(
        observatory, home, "s0000000000000002", values.filter(pl.col("indicator").is_in(names)).collect()
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path)
    parser.add_argument("--communes", default="pvd")
    parser.add_argument("--indicateurs", type=int, default=100, help="0 : tous")
    parser.add_argument("--departement", default="12")
    parser.add_argument("--source", default="basilic")
    options = parser.parse_args()
    settings = load_settings(home=options.home)
    observatory = open_observatory(settings)
    drawn = int(options.communes) if len(options.communes) > 3 and options.communes.isdigit() else 0
    choice = {"pvd": {"pvd": True}, "all": {}}.get(options.communes, {"departements": [options.communes]})
    codes = chosen_codes(observatory, **({} if drawn else choice))
    codes = sorted(random.Random(1).sample(codes, drawn)) if drawn else codes
    print(f"{len(codes)} communes, {os.cpu_count()} cœurs, charge {os.getloadavg()[0]:.1f} au départ")
    with tempfile.TemporaryDirectory(prefix="bourg-site-") as work:
        out = Path(work) / "site"
        if options.indicateurs:
            settings = fewer_indicators(observatory, Path(work) / "fewer", options.indicateurs)
            observatory = open_observatory(settings)
        report, wall, used = run(settings, out, codes)
        pages = sorted(out.glob("ville/*/index.html"))
        some = pages if len(pages) <= _WEIGHED else random.Random(3).sample(pages, _WEIGHED)
        sizes = [len(gzip.compress(path.read_bytes(), 6)) / 1000 for path in some]
        whole = len(codes) > _COUNTRY / 2
        told = f"{wall / 60:.1f} min, cible 15 min" if whole else "cible 30 s"
        print(f"complet : {wall:.1f} s ({used:.1f} s de processeur), {len(codes) / wall:.0f} communes/s, {told}")
        print(f"fichiers : {report.files}, {report.size / 1e6:.0f} Mo")
        known, given = figures(out)
        print(f"par page : {given:.0f} indicateurs, dont {known:.0f} avec une valeur")
        if drawn:
            share = _COUNTRY / len(codes) / 60
            free = share * used / (os.cpu_count() or 1)
            print(
                f"pays entier, par règle de trois : {share * wall:.0f} min, {free:.0f} min les cœurs libres, "
                "cible 15 min"
            )
        print(
            f"page compressée : médiane {statistics.median(sizes):.1f} ko, plus lourde {max(sizes):.1f} ko, cible 60 ko"
        )
        report, wall, used = run(settings, out, codes)
        print(f"rien de changé : {wall:.1f} s ({used:.1f} s de processeur), {report.written} fichiers écrits")
        other = changed_snapshot(observatory, Path(work) / "home", options.departement, options.source)
        report, wall, used = run(other, out, codes)
        print(
            f"{options.source} changé dans le {options.departement} : {wall:.1f} s ({used:.1f} s de processeur), "
            f"{report.made} communes refaites, {report.mended} retouchées, {report.written} fichiers écrits, cible 5 s"
        )
        print(f"pages retouchées égales aux pages entières : {same_pages(other, out, codes)}")


if __name__ == "__main__":
    main()
