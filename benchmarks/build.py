"""Build the whole country at full size from generated files: time, memory, and what a changed source redoes.

    python benchmarks/build.py [--home DIR]

35,000 real communes, 2.7 million facilities, 90,000 places, in the official layouts; every build runs in a process of
its own. Three builds: nothing kept from before, one source changed, nothing changed. Without ``--home`` the files are
generated in a temporary folder first, which is not counted.
"""

# The child imports the package itself: its import time is measured.
# ruff: noqa: PLC0415
from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

TARGETS = {"s": 60.0, "GB": 4.0}
FILOSOFI = "cc_filosofi_2021_COM.csv"
LEAST_ROWS = {"communes": 34_000, "equipment_points": 2_500_000, "culture_places": 90_000}


def child(home: Path) -> None:
    """Build in this process and print the figures as JSON."""
    start = time.perf_counter()
    from bourg.build.builder import Builder
    from bourg.settings import Settings

    phases: dict[str, float] = {}
    last = ["", start]

    def progress(label: str, _share: float) -> None:
        now = time.perf_counter()
        if last[0]:
            phases[str(last[0])] = phases.get(str(last[0]), 0.0) + now - float(last[1])
        last[:] = [label.partition(" : ")[0], now]  # type: ignore[list-item]

    builder = Builder(Settings(home=home), demo=True, progress=progress)
    snapshot = builder.build()
    usage = resource.getrusage(resource.RUSAGE_SELF)
    figures = {
        "s": time.perf_counter() - start,
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "peak_GB": usage.ru_maxrss * 1024 / 1e9,
        "recomputed": builder.report.recomputed,
        "reused": len(builder.report.reused),
        "phases": phases,
        "rows": {name: snapshot.manifest["tables"][name]["rows"] for name in LEAST_ROWS},
        "bytes": sum(entry["size"] for entry in snapshot.manifest["files"].values()),
    }
    print(json.dumps(figures))


def generate_files(home: Path) -> None:
    """Generate the full-size files in ``home``, with the packages already fetched for this user."""
    from bourg.build.demonstration import ensure_demo
    from bourg.build.registries import REGISTRIES, locate_registry
    from bourg.settings import Settings, load_settings
    from bourg.sources.model import get_source

    settings = Settings(home=home)
    wheels = settings.raw / "wheels"
    wheels.mkdir(parents=True, exist_ok=True)
    for name in REGISTRIES:
        source = get_source(name)
        wheel = locate_registry(source, source.resources[0], load_settings())
        if not (wheels / wheel.name).exists():
            shutil.copyfile(wheel, wheels / wheel.name)
    ensure_demo(settings)


def measure(home: Path) -> dict[str, Any]:
    """Build in another process and return its figures."""
    command = [sys.executable, __file__, "--child", "--home", str(home)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    figures: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return figures


def change_income(home: Path) -> None:
    """Change one figure of the income file, as a corrected edition would."""
    path = home / "demo" / FILOSOFI
    head, first, rest = path.read_text(encoding="utf-8").split("\n", 2)
    cells = first.split(";")
    cells[3] = str(int(cells[3]) + 10)
    path.write_text("\n".join([head, ";".join(cells), rest]), encoding="utf-8")


def run(home: Path) -> bool:
    """Measure the three builds, print the table, and tell whether every target is reached."""
    for name in ("cache", "snapshots"):
        shutil.rmtree(home / name, ignore_errors=True)
    results = {"tout": measure(home)}
    change_income(home)
    results["une source changée"] = measure(home)
    results["rien de changé"] = measure(home)

    cold = results["tout"]
    sizes = ", ".join(f"{name} {count:,}".replace(",", " ") for name, count in cold["rows"].items())
    print(f"Lignes : {sizes} ; instantané de {cold['bytes'] / 1e6:.0f} Mo")
    print(f"{'':20}{'s':>8}{'s CPU':>8}{'Go':>8}{'étapes faites':>16}{'reprises':>10}")
    for name, figures in results.items():
        print(
            f"{name:20}{figures['s']:8.1f}{figures['cpu_s']:8.1f}{figures['peak_GB']:8.2f}"
            f"{len(figures['recomputed']):16}{figures['reused']:10}"
        )
    print("Première construction : " + ", ".join(f"{name} {spent:.1f} s" for name, spent in cold["phases"].items()))
    print("Après un changement des revenus, refaites : " + ", ".join(results["une source changée"]["recomputed"]))
    verdict = {
        f"moins de {TARGETS['s']:.0f} s": cold["s"] < TARGETS["s"],
        f"moins de {TARGETS['GB']:.0f} Go": cold["peak_GB"] < TARGETS["GB"],
        "pleine taille": all(cold["rows"][name] >= least for name, least in LEAST_ROWS.items()),
        "le changement ne refait que ce qui en dépend": _only_income(results["une source changée"]["recomputed"]),
        "sans changement, rien n'est refait": results["rien de changé"]["recomputed"] == [],
    }
    print("Objectifs : " + ", ".join(f"{name} : {'oui' if reached else 'NON'}" for name, reached in verdict.items()))
    return all(verdict.values())


def _only_income(recomputed: list[str]) -> bool:
    from bourg.indicators.registry import load_indicators

    readers = {f"values-{item.id}" for item in load_indicators().values() if "income" in item.data_tables}
    # The values of all the communes as one table follow from any change; so do the sets that they are compared in.
    comparisons = {"comparaisons-matrice", "comparaisons-resumes"}
    return set(recomputed) == {"read-filosofi-2021", "table-income", "values", *comparisons, *readers}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--home", type=Path, help="folder of the generated files, kept")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--generate", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child or options.generate:
        (child if options.child else generate_files)(options.home)
        return 0
    with tempfile.TemporaryDirectory(prefix="bourg-mesure-") as temporary:
        home = options.home or Path(temporary)
        # In its own process, so that its memory is not that of the measures.
        subprocess.run([sys.executable, __file__, "--generate", "--home", str(home)], check=True)
        return 0 if run(home) else 1


if __name__ == "__main__":
    sys.exit(main())
