"""Local extracts of OpenStreetMap: which there are, what they cover, which one fits a territory."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import osmium

from bourg.access.places.osm_places import extent_of_extract
from bourg.errors import BourgError, SourceFormatError, SourceUnavailableError, StorageError
from bourg.extract.territory import Box, Territory
from bourg.settings import Settings
from bourg.sources.files import write_atomic
from bourg.store.cache import digest

SUFFIXES = (".osm.pbf", ".osm.gz", ".osm", ".osm.bz2")
DOWNLOAD_PAGE = "https://download.geofabrik.de"
WHOLE = 0.999
_XML = (".osm", ".osm.gz")
_HEAD = 4000


class NoExtractError(SourceUnavailableError):
    """No local extract covers the territory."""


@dataclass(frozen=True)
class LocalExtract:
    """An extract on this machine.

    Attributes
    ----------
    path
        Its file.
    size, stamp
        Bytes, and what changes when the file does.
    box
        What it covers; ``None`` for a file without any point.
    declared
        Whether the file says its box; otherwise it is that of its points, perhaps too wide.
    date
        ISO date of the data, ``""`` when the file does not say it.
    """

    path: Path
    size: int
    stamp: str
    box: Box | None
    declared: bool
    date: str

    @property
    def name(self) -> str:
        """Name of the file."""
        return self.path.name


@dataclass(frozen=True)
class Candidate:
    """An extract for a territory, and the share of its surface that it covers, 0 to 1."""

    extract: LocalExtract
    share: float

    @property
    def whole(self) -> bool:
        """Whether all of the territory is inside the box of the extract."""
        return self.share >= WHOLE


def extract_folder(settings: Settings) -> Path:
    """Return the folder where extracts are looked for."""
    return settings.home / "osm"


def work_folder(settings: Settings) -> Path:
    """Return the folder of what was read and asked; it may be deleted at any time."""
    return settings.home / "extraction"


def extract_files(settings: Settings, given: Iterable[Path] = ()) -> list[Path]:
    """Return the files given; without any, those of the folder of extracts, by name.

    Raises
    ------
    SourceFormatError
        When a file given does not exist or does not have the suffix of an extract.
    """
    wanted = list(dict.fromkeys(given))
    for path in wanted:
        if not path.is_file() or not path.name.lower().endswith(SUFFIXES):
            raise SourceFormatError(
                "Le fichier n'existe pas." if not path.is_file() else "Ce fichier n'est pas un extrait OpenStreetMap.",
                where=str(path),
                next_step=f"donnez un fichier {', '.join(SUFFIXES)}.",
            )
    if wanted:
        return wanted
    folder = extract_folder(settings)
    found = sorted(folder.iterdir()) if folder.is_dir() else []
    return [path for path in found if path.is_file() and path.name.lower().endswith(SUFFIXES)]


def stamp_of(path: Path) -> str:
    """Return a text that changes when the file does: path, size, time of change."""
    stat = path.stat()
    return f"{path.resolve()}|{stat.st_size}|{stat.st_mtime_ns}"


def describe_extract(path: Path, settings: Settings) -> LocalExtract:
    """Return what an extract says of itself; a file without a box is read once, and the answer kept.

    Raises
    ------
    SourceFormatError
        When the file is damaged, or is not an extract.
    """
    stamp = stamp_of(path)
    note = work_folder(settings) / "extraits" / f"{digest(stamp)}.json"
    try:
        known: dict[str, Any] = json.loads(note.read_text(encoding="utf-8"))
        box = None if known["box"] is None else tuple(float(side) for side in known["box"])
        declared, date = bool(known["declared"]), str(known["date"])
    except (OSError, ValueError, KeyError, TypeError):
        header = _header(path)
        box, declared, date = extent_of_extract(path), header.box().valid(), _date(path, header)
        content = json.dumps({"box": box, "declared": declared, "date": date, "nom": path.name}, ensure_ascii=False)
        keep(note, content.encode())
    return LocalExtract(path, path.stat().st_size, stamp, box, declared, date)  # type: ignore[arg-type]


def keep(path: Path, content: bytes) -> bool:
    """Write something that can be made again, and tell whether it was written: a folder may refuse, without harm."""
    try:
        write_atomic(path, content)
    except (StorageError, FileNotFoundError, FileExistsError, NotADirectoryError):
        return False
    return True


def _header(path: Path) -> Any:  # noqa: ANN401 - pyosmium is not typed
    try:
        with osmium.io.Reader(str(path)) as reader:
            return reader.header()
    except RuntimeError as error:
        raise SourceFormatError(
            "L'extrait OpenStreetMap ne peut pas être lu.",
            where=path.name,
            why=str(error).split("\n", 1)[0][:300],
            next_step="téléchargez-le à nouveau : il est sans doute coupé ou abîmé.",
        ) from error


def _date(path: Path, header: Any) -> str:  # noqa: ANN401 - pyosmium is not typed
    """Return the date of the data: header of a PBF, attributes at the top of an XML file."""
    for key in ("osmosis_replication_timestamp", "timestamp"):
        if text := header.get(key):
            return str(text)
    if not path.name.lower().endswith(_XML):
        return ""
    opener: Callable[..., Any] = gzip.open if path.name.lower().endswith(".gz") else open
    with opener(path, "rb") as stream:
        head = stream.read(_HEAD).decode("utf-8", "replace").split("<node", maxsplit=1)[0]
    match = re.search(r'(?:osm_base|timestamp)="([^"]{4,40})"', head)
    return match[1] if match else ""


def local_extracts(settings: Settings, given: Iterable[Path] = ()) -> tuple[list[LocalExtract], list[BourgError]]:
    """Return the extracts that read, and the errors of those that do not.

    Raises
    ------
    SourceFormatError
        When a file given does not exist, or is not an extract.
    """
    found: list[LocalExtract] = []
    problems: list[BourgError] = []
    for path in extract_files(settings, given):
        try:
            found.append(describe_extract(path, settings))
        except SourceFormatError as error:
            problems.append(error)
    return found, problems


def candidates(extracts: Iterable[LocalExtract], territory: Territory) -> list[Candidate]:
    """Return the extracts that cover at least a part of a territory, the best first.

    The one that covers more wins; then the one whose file says its box, the most recent, the smallest.
    """
    found = [Candidate(item, territory.covered_by(item.box)) for item in extracts if item.box is not None]

    def order(item: Candidate) -> tuple[object, ...]:
        extract = item.extract
        recent = [-ord(letter) for letter in extract.date[:10]]
        return (-round(item.share, 3), not extract.declared, not recent, recent, extract.size, extract.name)

    return sorted((item for item in found if item.share > 0), key=order)


def best_extract(extracts: Sequence[LocalExtract], territory: Territory, settings: Settings) -> Candidate:
    """Return the extract that covers a territory best.

    Raises
    ------
    NoExtractError
        When none covers any of it: where to get one and where to put it.
    """
    if ranked := candidates(extracts, territory):
        return ranked[0]
    read = ", ".join(item.name for item in extracts[:5])
    raise NoExtractError(
        f"Aucun extrait OpenStreetMap ne couvre {territory.name}.",
        where=str(extract_folder(settings)),
        why=f"extraits lus : {read}." if read else "ce dossier ne contient pas d'extrait.",
        next_step=f"téléchargez celui de la région (.osm.pbf) sur {DOWNLOAD_PAGE}, rubrique Europe puis France, et "
        "placez-le dans ce dossier ; ou donnez-le avec --osm FICHIER.",
    )
