"""Imported footfall series of a town, kept in ``BOURG_HOME/footfall/<code>/``: one folder a file, whole or absent."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from bourg.commerce.footfall import Footfall, ImportAnswer, Refusal
from bourg.errors import ParameterError, StorageError

FOLDER = "footfall"
_SERIES, _ANSWER = "series.parquet", "answer.json"
_CODE = re.compile(r"[0-9][0-9AB][0-9]{3}")
_ID = re.compile(r"[0-9a-f]{12}")


@dataclass(frozen=True)
class StoredSeries:
    """A series kept: its ``id``, the town and the answer of its import."""

    id: str
    code: str
    answer: ImportAnswer


class FootfallStore:
    """The imported series of every town.

    Parameters
    ----------
    home
        ``Settings.home``.
    """

    def __init__(self, home: Path) -> None:
        self._root = home / FOLDER

    def _folder(self, code: str) -> Path:
        # The code becomes a folder name: nothing but a code may.
        if not _CODE.fullmatch(code):
            raise ParameterError("Ce n'est pas un code de commune.", where=code[:40])
        return self._root / code

    def _item(self, code: str, series_id: str) -> Path:
        folder = self._folder(code) / series_id
        if not _ID.fullmatch(series_id) or not (folder / _SERIES).is_file():
            raise ParameterError(
                "Cette série de fréquentation n'existe pas.", where=f"{code}, {series_id[:40]}",
                next_step="la liste des séries de la commune est donnée par bourg footfall --list.",
            )  # fmt: skip
        return folder

    def add(self, code: str, footfall: Footfall) -> StoredSeries:
        """Keep a series; the same content given twice is kept once.

        Raises
        ------
        ParameterError
            When ``code`` is not a commune code.
        StorageError
            When the folder cannot be written; nothing is then changed.
        """
        parent = self._folder(code)
        answer = footfall.answer.to_dict()
        content = hashlib.sha256(json.dumps(answer, sort_keys=True).encode())
        content.update(footfall.series.write_csv().encode())
        series_id = content.hexdigest()[:12]
        target = parent / series_id
        stored = StoredSeries(series_id, code, footfall.answer)
        if target.is_dir():
            return stored
        try:
            parent.mkdir(parents=True, exist_ok=True)
            part = Path(tempfile.mkdtemp(prefix=".part-", dir=parent))
            try:
                footfall.series.write_parquet(part / _SERIES)
                (part / _ANSWER).write_text(json.dumps(answer, ensure_ascii=False, indent=1), encoding="utf-8")
                part.replace(target)
            finally:
                shutil.rmtree(part, ignore_errors=True)
        except OSError as error:
            if target.is_dir():
                return stored
            raise StorageError(
                "La série de fréquentation n'a pas pu être enregistrée.", where=str(parent), why=error.strerror or "",
                next_step="vérifiez la place libre et les droits du dossier.",
            ) from error  # fmt: skip
        return stored

    def listing(self, code: str) -> tuple[StoredSeries, ...]:
        """Return the series of a town, in the order of their file names."""
        folder = self._folder(code)
        items = [path for path in folder.glob("*") if _ID.fullmatch(path.name)] if folder.is_dir() else []
        found = [StoredSeries(path.name, code, _answer_of(path)) for path in items]
        return tuple(sorted(found, key=lambda item: (item.answer.file, item.id)))

    def load(self, code: str, series_id: str) -> Footfall:
        """Return a series.

        Raises
        ------
        ParameterError
            When it does not exist.
        StorageError
            When its files are damaged.
        """
        folder = self._item(code, series_id)
        try:
            series = pl.read_parquet(folder / _SERIES)
        except (OSError, pl.exceptions.PolarsError) as error:
            raise _damaged(folder, error) from error
        return Footfall(series, _answer_of(folder))

    def remove(self, code: str, series_id: str) -> None:
        """Remove a series.

        Raises
        ------
        ParameterError
            When it does not exist.
        StorageError
            When it cannot be removed.
        """
        folder = self._item(code, series_id)
        try:
            # Out of the list at once, whatever happens to its files.
            gone = Path(tempfile.mkdtemp(prefix=".gone-", dir=folder.parent))
            folder.replace(gone / series_id)
            shutil.rmtree(gone)
        except OSError as error:
            raise StorageError(
                "La série n'a pas pu être retirée.", where=str(folder), why=error.strerror or ""
            ) from error


def _damaged(folder: Path, error: Exception) -> StorageError:
    return StorageError(
        "Une série de fréquentation enregistrée est abîmée.", where=str(folder), why=str(error).split("\n", 1)[0][:200],
        next_step="retirez ce dossier et importez à nouveau le fichier.",
    )  # fmt: skip


def _answer_of(folder: Path) -> ImportAnswer:
    try:
        told: dict[str, Any] = json.loads((folder / _ANSWER).read_text(encoding="utf-8"))
        refused = tuple(Refusal(item["reason"], item["count"], tuple(item["examples"])) for item in told["refus"])
        return ImportAnswer(
            told["fichier"], told["fuseau"], told["lignes_lues"], told["lignes_gardees"], refused,
            dict(told["reparations"]), tuple(told["remarques"]),
        )  # fmt: skip
    except (OSError, ValueError, KeyError) as error:
        raise _damaged(folder, error) from error
