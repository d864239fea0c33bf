"""The comparisons kept in a snapshot: matrix of the communes, similar towns, what sets look like, types of towns."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from bourg.compare import stored
from bourg.compare.comparators import Comparators
from bourg.compare.matrix import CommuneMatrix, commune_matrix
from bourg.compare.profiles import Profiles, small_town_profiles
from bourg.compare.ranking import summaries
from bourg.compare.similar import neighbours_table
from bourg.compare.structure import Structure, declared_features, structure_of
from bourg.errors import SnapshotError
from bourg.store.cache import StepCache, code_digest, digest
from bourg.store.tables import Table

_CODE = ("compare", "build/comparisons.py", "indicators/parameters")


def comparisons(
    cache: StepCache, tables: dict[str, Table], keys: dict[str, str], values: Path, steps: dict[str, Path]
) -> list[Path]:
    """Make what changed of the comparisons and return their folders.

    Parameters
    ----------
    values
        Folder of the step that holds ``values.parquet``.
    steps
        Folder of the step of each indicator: similar towns depend on those of the features only, so that a new
        source on another theme leaves them as they are.
    """
    code = code_digest(*_CODE)
    lists = [keys.get(name, "-") for name in ("pvd", "centrality")]
    communes = tables["communes"].frame.select("code", "name", "population", "departement", "region", "epci").collect()
    opened: list[CommuneMatrix] = []

    def matrix() -> CommuneMatrix:
        if not opened:
            opened.append(commune_matrix(pl.scan_parquet(values / "values.parquet"), communes["code"]))
        return opened[0]

    features = [steps[item.indicator].name for item in declared_features() if item.indicator in steps]
    structure_key = digest(code, keys["communes"], *features)
    spaces: list[Structure | None] = []

    def space() -> Structure | None:
        if not spaces:
            spaces.append(_structure(matrix()))
        return spaces[0]

    def make_summaries(folder: Path) -> None:
        sets = Comparators(matrix(), communes, pvd=_codes(tables, "pvd"), centrality=_frame(tables, "centrality"))
        summaries(sets).write_parquet(folder / stored.SUMMARIES, statistics=True)

    def make_structure(folder: Path) -> None:
        stored.write_structure(space(), folder)
        found = space()
        neighbours = neighbours_table(found) if found else pl.DataFrame(schema=_NO_NEIGHBOUR)
        neighbours.write_parquet(folder / stored.NEIGHBOURS, statistics=True, row_group_size=50_000)
        stored.write_profiles(_profiles(found, communes), folder)

    return [
        cache.step("comparaisons-matrice", digest(code, values.name, keys["communes"]),
                   lambda folder: stored.write_matrix(matrix(), folder)),
        cache.step("comparaisons-structure", structure_key, make_structure),
        cache.step("comparaisons-resumes", digest(code, values.name, keys["communes"], *lists), make_summaries),
    ]  # fmt: skip


_NO_NEIGHBOUR = {"code": pl.String, "rank": pl.UInt8, "neighbour": pl.String, "distance": pl.Float32}


def _structure(matrix: CommuneMatrix) -> Structure | None:
    try:
        return structure_of(matrix)
    except SnapshotError:
        # Comparisons by territory and size stay possible; similar towns say that they are not.
        return None


def _profiles(structure: Structure | None, communes: pl.DataFrame) -> Profiles | None:
    if structure is None:
        return None
    sizes = dict(communes.select("code", "population").iter_rows())
    try:
        return small_town_profiles(structure, sizes, dict(communes.select("code", "name").iter_rows()))
    except SnapshotError:
        # Too few communes to be grouped: no type is told.
        return None


def _frame(tables: dict[str, Table], name: str) -> pl.DataFrame | None:
    return tables[name].frame.collect() if name in tables else None


def _codes(tables: dict[str, Table], name: str) -> list[str] | None:
    frame = _frame(tables, name)
    return None if frame is None else frame["code"].to_list()
