"""The comparisons that a build keeps beside the values, in forms that open in milliseconds.

Folder ``comparaisons`` of a snapshot: the matrix of the communes and the space of the similar towns as plain ``.npy``
arrays (memory-mapped when read), their labels in JSON; ``neighbours.parquet``, ``summaries.parquet``,
``profiles.parquet`` and ``profils.json`` at its root.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bourg.compare.matrix import CommuneMatrix
from bourg.compare.profiles import Profile, Profiles, Trait
from bourg.compare.structure import Feature, Structure
from bourg.errors import SnapshotError

if TYPE_CHECKING:
    from bourg.store.snapshot import Snapshot

FOLDER = "comparaisons"
NEIGHBOURS, SUMMARIES, PROFILES, GROUPS = (
    "neighbours.parquet", "summaries.parquet", "profiles.parquet", "profils.json",
)  # fmt: skip
_MATRIX, _STRUCTURE = "matrice.json", "structure.json"


def write_matrix(matrix: CommuneMatrix, folder: Path) -> None:
    """Write the matrix of the communes in the folder of a step."""
    target = _made(folder)
    for name in ("values", "lots", "statuses"):
        np.save(target / f"{name}.npy", getattr(matrix, name))
    _write(target / _MATRIX, {"codes": matrix.codes, "indicators": matrix.indicators, "lots": matrix.lot_keys})


def open_matrix(snapshot: Snapshot) -> CommuneMatrix:
    """Return the matrix of a snapshot; its arrays are read-only views of the files.

    Raises
    ------
    SnapshotError
        When the snapshot was built before comparisons were kept, or when a file is damaged.
    """
    labels = _read(snapshot, _MATRIX)
    lots = tuple(tuple((str(period), bool(demo)) for period, demo in keys) for keys in labels["lots"])
    matrix = CommuneMatrix(
        tuple(labels["codes"]), tuple(labels["indicators"]), _array(snapshot, "values"), _array(snapshot, "lots"),
        _array(snapshot, "statuses"), lots,
    )  # fmt: skip
    shape = (len(matrix.indicators), len(matrix.codes))
    if any(part.shape != shape for part in (matrix.values, matrix.lots, matrix.statuses)) or len(lots) != shape[0]:
        raise _damaged(snapshot, _MATRIX, "ses tableaux n'ont pas la même taille.")
    return matrix


def write_structure(structure: Structure | None, folder: Path) -> None:
    """Write the space of the similar towns; nothing but the fact when no feature has a value."""
    target = _made(folder)
    if structure is None:
        _write(target / _STRUCTURE, {"features": [], "left_out": []})
        return
    demo = structure.demo if structure.demo is not None else np.zeros(structure.z.shape, dtype=np.bool_)
    for name, array in (("raw", structure.raw), ("z", structure.z), ("demo", demo)):
        np.save(target / f"structure_{name}.npy", np.ascontiguousarray(array))
    features = [item.model_dump(mode="json") for item in structure.features]
    _write(target / _STRUCTURE, {"features": features, "left_out": structure.left_out})


def open_structure(snapshot: Snapshot, codes: tuple[str, ...]) -> Structure | None:
    """Return the space of the similar towns of a snapshot, ``None`` when no feature has a value there.

    Raises
    ------
    SnapshotError
        As :func:`open_matrix`.
    """
    labels = _read(snapshot, _STRUCTURE)
    features = tuple(Feature.model_validate(item) for item in labels["features"])
    if not features:
        return None
    raw, z, demo = (_array(snapshot, f"structure_{name}") for name in ("raw", "z", "demo"))
    if any(part.shape != (len(codes), len(features)) for part in (raw, z, demo)):
        raise _damaged(snapshot, _STRUCTURE, "ses tableaux n'ont pas la même taille.")
    return Structure(codes, features, raw, z, tuple(labels["left_out"]), demo)


def write_profiles(profiles: Profiles | None, folder: Path) -> None:
    """Write the types of small towns and the type of every commune; no type when there are too few communes."""
    schema = {"code": pl.String, "profile": pl.UInt8}
    membership = profiles.membership if profiles else pl.DataFrame(schema=schema)
    membership.write_parquet(folder / PROFILES)
    _write(folder / GROUPS, [item.to_dict() for item in profiles.profiles] if profiles else [])


def open_profiles(snapshot: Snapshot) -> Profiles:
    """Return the types of small towns of a snapshot; none when it has too few communes.

    Raises
    ------
    SnapshotError
        When the snapshot was built before comparisons were kept.
    """

    def traits(items: list[dict[str, Any]]) -> tuple[Trait, ...]:
        return tuple(Trait(**item) for item in items)

    groups = tuple(
        Profile(**{**item, "traits": traits(item["traits"]), "medians": traits(item["medians"]),
                   "examples": tuple(item["examples"])})
        for item in snapshot.read_json(GROUPS)
    )  # fmt: skip
    return Profiles(groups, pl.read_parquet(snapshot.path(PROFILES)))


def _made(folder: Path) -> Path:
    target = folder / FOLDER
    target.mkdir(exist_ok=True)
    return target


def _write(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")


def _read(snapshot: Snapshot, name: str) -> dict[str, Any]:
    content: dict[str, Any] = snapshot.read_json(f"{FOLDER}/{name}")
    return content


def _array(snapshot: Snapshot, name: str) -> NDArray[Any]:
    path = snapshot.path(f"{FOLDER}/{name}.npy")
    try:
        # A plain view: the arithmetic of the memmap class is slower.
        return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
    except ValueError as error:
        raise _damaged(snapshot, path.name, str(error)) from error


def _damaged(snapshot: Snapshot, name: str, why: str) -> SnapshotError:
    return SnapshotError(
        "Les comparaisons de l'instantané sont abîmées.", where=f"{snapshot.id} : {name}", why=why,
        next_step="reconstruisez-le : bourg build.",
    )  # fmt: skip
