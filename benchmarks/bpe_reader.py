"""Read a full-size located BPE file and write Parquet: Bourg's reader against pandas, on the same file, same run.

    python benchmarks/bpe_reader.py [--file BPE23.csv] [--folder DIR]

Without ``--file`` the full demonstration set is generated first (2.7 million facilities in the official layout).
Each contender runs in its own process; wall time, CPU time and peak resident memory are those of the process,
imports included.
"""

# Each contender imports its own library in its own process.
# ruff: noqa: PLC0415
from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

KEYS = ["DEPCOM", "DCIRIS", "AN", "TYPEQU"]
POINTS = ["DEPCOM", "AN", "TYPEQU", "LONGITUDE", "LATITUDE", "QUALITE_XY"]


def run_bourg(path: Path, out: Path) -> int:
    """Bourg's reader: every check, report and repair included."""
    from bourg.sources.model import get_source
    from bourg.sources.reading import read_resource

    source = get_source("bpe")
    declared = next(item for item in source.resources if item.id == "2023")
    tables, report = read_resource(path, source, declared)
    for name, frame in tables.items():
        frame.write_parquet(out / f"{name}.parquet")
    return report.rows_read


def run_pandas(path: Path, out: Path, columns: list[str] | None) -> int:
    """Read the usual way: text columns read as text, one groupby, two Parquet files, no check."""
    import pandas as pd

    text = dict.fromkeys(["DEPCOM", "DCIRIS", "TYPEQU", "DEP", "REG", "CODPOS", "QUALITE_XY"], "str")
    frame = pd.read_csv(path, sep=";", dtype=text, usecols=columns, low_memory=False)
    counts = frame.groupby(KEYS, dropna=False).size().rename("n").reset_index()
    counts.to_parquet(out / "equipment.parquet")
    frame[POINTS].to_parquet(out / "equipment_points.parquet")
    return len(frame)


CONTENDERS = {
    "bourg": run_bourg,
    "pandas": lambda path, out: run_pandas(path, out, None),
    "pandas-usecols": lambda path, out: run_pandas(path, out, sorted({*KEYS, *POINTS})),
}


def child(name: str, path: Path) -> None:
    """Run one contender and print its figures as JSON."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        rows = CONTENDERS[name](path, Path(folder))
        wall = time.perf_counter() - start
    usage = resource.getrusage(resource.RUSAGE_SELF)
    figures = {
        "name": name,
        "rows": rows,
        "wall_s": wall,
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "peak_mb": usage.ru_maxrss / 1024,
    }
    print(json.dumps(figures))


def generated(folder: Path) -> Path:
    """Return the full-size demonstration file, generated when the folder does not have it."""
    target = folder / "BPE23.csv"
    if not target.exists():
        from bourg.build.demonstration import registry_tables
        from bourg.settings import load_settings
        from bourg.sources.demo import generate

        tables = registry_tables(load_settings())
        generate(folder, tables["communes"], tables["iris"], outlines=tables["outlines"])
    return target


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--file", type=Path)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--child", choices=list(CONTENDERS))
    options = parser.parse_args()
    if options.child:
        child(options.child, options.file)
        return
    with tempfile.TemporaryDirectory() as temporary:
        path = options.file or generated(options.folder or Path(temporary))
        results = []
        for name in CONTENDERS:
            command = [sys.executable, __file__, "--child", name, "--file", str(path)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            results.append(json.loads(done.stdout.strip().splitlines()[-1]))
        print(f"{path.name} : {path.stat().st_size / 1e6:.0f} Mo, {results[0]['rows']} lignes")
    ours = results[0]
    print(f"{'':16}{'s':>8}{'s CPU':>8}{'lignes/s':>12}{'Mo':>8}{'temps':>9}{'mémoire':>9}")
    for each in results:
        print(
            f"{each['name']:16}{each['wall_s']:8.2f}{each['cpu_s']:8.2f}{each['rows'] / each['wall_s']:12,.0f}"
            f"{each['peak_mb']:8.0f}{each['wall_s'] / ours['wall_s']:8.1f}×{each['peak_mb'] / ours['peak_mb']:8.1f}×"
        )


if __name__ == "__main__":
    main()
