"""Run every benchmark one after the other and write ``docs/performance.md``: figures, date, machine, command.

    python benchmarks/run_all.py [--only build bpe_reader] [--home DIR]

Generated files are made once, in a temporary folder unless ``--home`` is given, and shared. Figures are only worth
something on a machine that does nothing else: the load at the start is written beside them. What the page says after
the figures of a benchmark is kept: it explains them, and whoever runs it again checks that it still holds.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import platform
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "performance.md"


@dataclass(frozen=True)
class Benchmark:
    """A script, the question it answers, the option that gives it shared files, and the folder of these files."""

    name: str
    title: str
    question: str
    option: str = ""
    folder: str = "."

    def command(self, home: Path | None = None) -> list[str]:
        """Return the arguments of Python; without a home, those that a reader types."""
        shared = [self.option, str(home / self.folder)] if home and self.option else []
        return [f"benchmarks/{self.name}.py", *shared]


# In this order: the first one makes the files and the snapshot that the next ones read.
BENCHMARKS = (
    Benchmark(
        "build",
        "Construction du pays entier",
        "Combien de temps et de mémoire pour passer des fichiers officiels à un instantané, et que refait une source "
        "changée ? Objectifs : moins de 60 s et de 4 Go sur deux cœurs.",
        "--home",
    ),
    Benchmark(
        "bpe_reader",
        "Lecture de la base permanente des équipements",
        "Lire 2,7 millions d'équipements et écrire du Parquet : notre lecteur face à pandas, sur le même fichier.",
        "--folder",
        "demo",
    ),
    Benchmark(
        "compare",
        "Comparaison des communes",
        "Communes semblables et rangs de toutes les communes, face aux outils voisins.",
        "--home",
    ),
    Benchmark(
        "sirene",
        "Lecture du stock Sirene",
        "35 millions d'établissements fabriqués dans le dessin officiel : nos tables de commerces face à pandas, sur "
        "une part du même fichier. Objectifs : moins de 5 minutes et de 4 Go sur deux cœurs.",
    ),
    Benchmark(
        "access_build",
        "Construction d'un réseau de rues",
        "Lire un extrait OpenStreetMap et en faire les trois réseaux, face à pyrosm et OSMnx (variable BOURG_PEERS). "
        "Objectif : au moins trois fois moins de mémoire.",
    ),
    Benchmark(
        "access",
        "Temps d'accès",
        "Équipement le plus proche de tous les nœuds, matrices, isochrones, réseau de 5 millions de nœuds, face à "
        "pandana, igraph, Valhalla et OSRM quand ils sont installés (variable BOURG_PEERS).",
    ),
    Benchmark(
        "site",
        "Site statique",
        "Écrire les pages de 1 645 villes, puis ce que refait une source changée. Objectifs : moins de 30 s, de 60 ko "
        "par page compressée, et de 5 s pour une source changée dans un département.",
        "--home",
    ),
    Benchmark(
        "pdf",
        "Portraits en PDF",
        "Mettre en page le portrait de 30 communes de toute taille, face à WeasyPrint sur leur page publique (variable "
        "BOURG_PEERS). Objectif : moins de 500 ms par PDF.",
        "--home",
    ),
    Benchmark(
        "theme_pages",
        "Pages Commerces, Culture et Énergie",
        "Préparer la page d'un thème pour une commune, côté serveur, à partir d'un instantané construit. Objectif : "
        "moins de 300 ms.",
        "--home",
    ),
    Benchmark(
        "extract",
        "Extraction d'OpenStreetMap",
        "Lire un thème dans un extrait (variable BOURG_MIRROR) : temps et mémoire, à côté de GeoPandas et d'une boucle "
        "pyosmium.",
    ),
    Benchmark(
        "server",
        "Serveur sous charge",
        "200 lecteurs des pages publiques et de l'API, puis 50 sessions du tableau de bord, à côté d'une page "
        "Streamlit ordinaire, dans la même exécution. Objectifs : 95 % des pages en moins de 100 ms, 95 % des filtres "
        "en moins de 1 s.",
        "--home",
    ),
    Benchmark(
        "map_page",
        "Carte des lieux culturels",
        "90 000 lieux et les contours : notre carte face à une page folium servie par la même machine. Objectifs : "
        "au plus 0,4 de son temps, moins de 200 ko par le websocket, un filtre en moins de 500 ms.",
    ),
)
# Scripts of the folder that measure nothing.
ASIDE = frozenset({"run_all", "screenshots", "access_peers", "peers"})


def known(folder: Path = HERE) -> None:
    """Check that every script of the folder is run or set aside.

    Raises
    ------
    SystemExit
        When one is forgotten.
    """
    forgotten = {path.stem for path in folder.glob("*.py")} - {item.name for item in BENCHMARKS} - ASIDE
    if forgotten:
        raise SystemExit(f"Bancs de mesure oubliés dans run_all.py : {', '.join(sorted(forgotten))}.")


def machine() -> str:
    """Return what the machine is, without its name."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    load = f"{os.getloadavg()[0]:.1f}".replace(".", ",")
    return (
        f"{os.cpu_count()} cœurs ({platform.machine()}), {memory:.0f} Go de mémoire, {platform.system()}, "
        f"Python {platform.python_version()} ; charge au départ : {load}"
    )


def without_places(text: str, home: Path) -> str:
    """Hide what names this machine: folders and host name."""
    for private in (str(home), str(HERE.parent), tempfile.gettempdir(), str(Path.home()), platform.node()):
        if len(private) > 1:
            text = text.replace(private, "…")
    return text


def comments(page: str) -> dict[str, str]:
    """Return what a page says after the figures of each benchmark, by title."""
    found = {}
    for section in page.split("\n## ")[1:]:
        title, _, body = section.partition("\n")
        _, fence, after = body.partition("\n```text\n")
        kept = after.partition("\n```\n")[2].strip() if fence else ""
        if kept:
            found[title.strip()] = kept
    return found


def measure(benchmark: Benchmark, home: Path) -> tuple[str, bool]:
    """Run one benchmark; return its section of the page and whether it reached its targets."""
    start = time.perf_counter()
    command = [sys.executable, *benchmark.command(home)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=HERE.parent)
    spent = time.perf_counter() - start
    sys.stderr.write(done.stderr)
    print(f"{benchmark.name} : {spent:.0f} s, code {done.returncode}", flush=True)
    measured = done.stdout.strip() and "Traceback" not in done.stderr
    figures = without_places(done.stdout.strip(), home) if measured else "n'a pas pu être mesuré sur cette machine"
    lines = [
        f"## {benchmark.title}", "", benchmark.question, "", f"`python {' '.join(benchmark.command())}`", "",
        "```text", figures, "```",
    ]  # fmt: skip
    return "\n".join(lines), done.returncode == 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=[item.name for item in BENCHMARKS], help="print, write nothing")
    parser.add_argument("--home", type=Path, help="folder of the generated files, kept")
    options = parser.parse_args()
    known()
    told = machine()
    with tempfile.TemporaryDirectory(prefix="bourg-mesure-") as temporary:
        home = (options.home or Path(temporary)).resolve()
        chosen = [item for item in BENCHMARKS if not options.only or item.name in options.only]
        sections = [measure(item, home) for item in chosen]
    if options.only:
        print("\n\n".join(section for section, _ in sections))
    else:
        today = dt.datetime.now(tz=dt.UTC).date().isoformat()
        head = [
            "# Les mesures", "",
            "Page écrite par `make bench` ; chaque banc compare dans la même exécution et imprime ses objectifs.", "",
            f"Le {today}, sur une machine de {told}.",
        ]  # fmt: skip
        kept = comments(PAGE.read_text(encoding="utf-8")) if PAGE.is_file() else {}
        parts = ["\n".join(head)]
        for item, (section, _) in zip(chosen, sections, strict=True):
            parts += [section, *([kept[item.title]] if item.title in kept else [])]
        PAGE.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
        print(f"docs/{PAGE.name}")
    return 0 if all(reached for _, reached in sections) else 1


if __name__ == "__main__":
    sys.exit(main())
