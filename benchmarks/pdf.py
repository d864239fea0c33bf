"""Portraits on paper: milliseconds a town, beside WeasyPrint on the page of the same towns.

Run with ``python benchmarks/pdf.py [--home DIR] [--communes 30]``. Without ``--home`` the installation of the user is
read. Towns of every size, evenly taken in the order of the codes, are set once the first ones have warmed the caches:

- ``figures``: the portrait document, its series and its map, from the snapshot;
- ``pages``: what is said, then the pages, by typst, tagged (PDF/UA-1).

WeasyPrint sets the public page of the first of them (tagged too, ``pdf/ua-1``), in a process of its own, when one of
the programs of ``BOURG_PEERS`` has it: another layout, which prints every figure of the page, hence the ratio a page.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import psutil
from pypdf import PdfReader

from bourg.portrait.charts import evolution
from bourg.portrait.document import make_portrait
from bourg.portrait.locator import Locator
from bourg.portrait.observatory import Observatory, open_observatory
from bourg.portrait.page import TownPage
from bourg.portrait.pdf.render import portrait_pdf
from bourg.portrait.social import social_png
from bourg.settings import load_settings
from bourg.site.standalone import standalone_page
from peers import programs

TARGET_MS = 500.0
_WARM = 3
_PEER_TOWNS = 3
_PEER = """
import json, sys, time
from pathlib import Path
import weasyprint
times, sizes, pages = [], [], []
for path in sorted(Path(sys.argv[1]).glob("*.html")):
    text = path.read_text(encoding="utf-8")
    start, used = time.perf_counter(), time.process_time()
    drawn = weasyprint.HTML(string=text).render(pdf_variant="pdf/ua-1")
    made = drawn.write_pdf(pdf_variant="pdf/ua-1")
    times.append((1000 * (time.perf_counter() - start), 1000 * (time.process_time() - used)))
    sizes.append(len(made))
    pages.append(len(drawn.pages))
print(json.dumps({"version": weasyprint.__version__, "times": times, "sizes": sizes, "pages": pages}))
"""
_Times = list[tuple[float, float]]
_T = TypeVar("_T")


def chosen(observatory: Observatory, count: int) -> list[str]:
    """Return towns evenly taken in the order of the codes."""
    codes = observatory.communes["code"].to_list()
    return [codes[index * len(codes) // (count + _WARM)] for index in range(count + _WARM)]


def timed(times: _Times, work: Callable[[], _T]) -> _T:
    """Return what ``work`` returns, and note its milliseconds, on the clock and of the processor."""
    start, used = time.perf_counter(), time.process_time()
    made = work()
    times.append((1000 * (time.perf_counter() - start), 1000 * (time.process_time() - used)))
    return made


def told(name: str, times: _Times) -> str:
    """Return a line: median, 95th percentile and longest on the clock, then the median of the processor."""
    ordered = sorted(clock for clock, _ in times)
    late = ordered[min(len(ordered) - 1, round(0.95 * len(ordered)))]
    used = statistics.median(used for _, used in times)
    return (
        f"{name:<26} médiane {statistics.median(ordered):7.0f} ms  p95 {late:7.0f} ms  max {ordered[-1]:7.0f} ms  "
        f"processeur {used:7.0f} ms"
    )


def peer(folder: Path) -> dict[str, Any] | None:
    """Return what WeasyPrint measured, ``None`` when no program has it."""
    for program in programs():
        done = subprocess.run([program, "-c", _PEER, str(folder)], capture_output=True, text=True, check=False)
        if done.returncode == 0:
            found: dict[str, Any] = json.loads(done.stdout)
            return found
    return None


def beside(found: dict[str, Any], pages: _Times, counts: list[int]) -> str:
    """Return the ratios with WeasyPrint, of processor time: a PDF, and a page of it."""
    theirs = statistics.median(used for _, used in found["times"])
    ours = statistics.median(used for _, used in pages)
    a_page = (theirs / statistics.median(found["pages"])) / (ours / statistics.median(counts))
    return (
        f"typst : {theirs / ours:.0f} fois moins de processeur par PDF, {a_page:.0f} fois moins par page "
        f"({statistics.median(counts):.0f} pages contre {statistics.median(found['pages']):.0f} ; PDF de WeasyPrint : "
        f"{statistics.median(found['sizes']) / 1000:.0f} ko)"
    )


def page_of(observatory: Observatory, locator: Locator, code: str) -> TownPage:
    """Return what the page of a town is made from."""
    return TownPage(make_portrait(observatory, code), evolution(observatory, code), locator.svg(code))


def main() -> int:
    """Measure and print; 1 when the target is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--home", type=Path)
    parser.add_argument("--communes", type=int, default=30)
    options = parser.parse_args()
    observatory = open_observatory(load_settings(home=options.home))
    locator = Locator(observatory)
    figures: _Times = []
    pages: _Times = []
    pictures: _Times = []
    sizes: list[int] = []
    counts: list[int] = []
    towns: list[TownPage] = []
    for code in chosen(observatory, options.communes):
        town = timed(figures, partial(page_of, observatory, locator, code))
        made = timed(pages, partial(portrait_pdf, town, observatory))
        timed(pictures, partial(social_png, town))
        sizes.append(len(made))
        counts.append(len(PdfReader(io.BytesIO(made)).pages))
        towns.append(town)
    figures, pages, pictures = figures[_WARM:], pages[_WARM:], pictures[_WARM:]
    whole = [(a + c, b + d) for (a, b), (c, d) in zip(figures, pages, strict=True)]
    print(f"{len(whole)} communes, {os.cpu_count()} cœurs, après {_WARM} communes de mise en train")
    print(told("chiffres, séries, carte", figures))
    print(told("pages (typst, PDF/UA-1)", pages))
    print(told("PDF, du début à la fin", whole))
    print(told("image sociale 1200×630", pictures))
    memory = psutil.Process().memory_info().rss / 1e6
    print(f"PDF : médiane {statistics.median(sizes) / 1000:.0f} ko ; mémoire du processus {memory:.0f} Mo")
    with tempfile.TemporaryDirectory(prefix="bourg-pdf-") as work:
        for town in towns[_WARM : _WARM + _PEER_TOWNS]:
            path = Path(work) / f"{town.portrait.identity.code}.html"
            path.write_text(standalone_page(town), encoding="utf-8")
        found = peer(Path(work))
    if found is None:
        print("WeasyPrint n'est pas installé (BOURG_PEERS) : pas de comparaison")
    else:
        print(told(f"WeasyPrint {found['version']}, la page", found["times"]))
        print(beside(found, pages[:_PEER_TOWNS], counts[_WARM : _WARM + _PEER_TOWNS]))
    reached = statistics.median(clock for clock, _ in whole) < TARGET_MS
    print(f"Objectif : moins de {TARGET_MS:.0f} ms par PDF : {'oui' if reached else 'non'}")
    return 0 if reached else 1


if __name__ == "__main__":
    raise SystemExit(main())
