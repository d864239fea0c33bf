"""Objects asked to an Overpass server: only when it is named, one demand at a time, each answer kept.

The answer is an OpenStreetMap file like any other: it is read by the same code as a local extract. The server is asked
through :mod:`bourg.sources.http`, which says who we are, waits as told and tries a few times only.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import math
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from bourg.errors import ParameterError, SourceUnavailableError, StorageError
from bourg.extract.engine import Source
from bourg.extract.files import DOWNLOAD_PAGE, work_folder
from bourg.extract.territory import Box, Territory
from bourg.extract.themes import PACKAGE, Selector, Theme
from bourg.indicators.parameters import parameter
from bourg.settings import Settings
from bourg.sources.files import storage_errors, write_atomic
from bourg.sources.http import Policy, Progress, download, sidecar
from bourg.text import format_number

OVERPASS_VARIABLE = "BOURG_OVERPASS"
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_KEY = re.compile(r"[A-Za-z0-9_:-]{1,80}")
_ENDS = 4096
_REMARK = re.compile(r"<remark>\s*(.*?)\s*</remark>", re.DOTALL)
_DATE = re.compile(r'osm_base="([0-9TZ:.+-]{10,32})"')
_ELSEWHERE = (
    f"réessayez dans quelques minutes, demandez un territoire plus petit, ou téléchargez l'extrait de la région sur "
    f"{DOWNLOAD_PAGE} (rubrique Europe puis France)."
)


class OverpassError(SourceUnavailableError):
    """The server did not answer, refused, or answered by something else than data."""


class OverpassOffError(ParameterError):
    """No server is named: demands are off."""


def limits() -> Mapping[str, Any]:
    """Return the limits of demands (``parameters/overpass_limits.yaml``)."""
    found: Mapping[str, Any] = parameter("overpass_limits", package=PACKAGE)
    return found


def server_address(environment: Mapping[str, str] | None = None) -> str | None:
    """Return the address of the server (``BOURG_OVERPASS``), ``None`` when demands are off.

    Raises
    ------
    ParameterError
        When it is not an ``https`` address without query.
    """
    text = (os.environ if environment is None else environment).get(OVERPASS_VARIABLE, "").strip()
    if not text:
        return None
    parts = urlsplit(text)
    safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    if not safe or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise ParameterError(
            f"Le réglage {OVERPASS_VARIABLE} n'est pas l'adresse d'un serveur Overpass : « {text[:80]} ».",
            next_step="écrivez une adresse https complète, sans « ? » : celle de l'interpréteur (…/api/interpreter).",
        )
    return text


def quoted(text: str) -> str:
    """Return a text as a string of the Overpass language: nothing in it can end the string."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(letter if letter.isprintable() else " " for letter in escaped) + '"'


def _one_of(values: tuple[str, ...], *, lists: bool) -> str:
    """Return a regular expression (POSIX, extended) that takes these values and nothing else."""
    texts = "|".join(re.sub(r"([][\\.^$*+?(){}|])", r"\\\1", value) for value in values)
    return f"(^|;) *({texts}) *(;|$)" if lists else f"^({texts})$"


def _statement(item: Selector) -> str:
    key = quoted(item.key)
    if item.values is None:
        return f"nwr[{key}];"
    if len(item.values) == 1 and not item.lists:
        return f"nwr[{key}={quoted(item.values[0])}];"
    return f"nwr[{key}~{quoted(_one_of(item.values, lists=item.lists))}];"


def query_of(theme: Theme, box: Box) -> str:
    """Return the query of a theme in a box: tags and geometry, no contributor, in the order of the identifiers.

    Raises
    ------
    ParameterError
        When a key is not one of OpenStreetMap.
    """
    wanted = theme.selectors()
    if wrong := [item.key for item in wanted if not _KEY.fullmatch(item.key)]:
        raise ParameterError("Une clé OpenStreetMap du thème est mal écrite.", where=wrong[0][:80])
    declared = limits()
    west, south, east, north = _rounded(box, declared["box_decimals"])
    head = f"[out:xml][timeout:{declared['timeout_s']}][maxsize:{declared['maxsize_bytes']}]"
    area = f"[bbox:{south:.6g},{west:.6g},{north:.6g},{east:.6g}]"
    return f"{head}{area};({''.join(_statement(item) for item in wanted)});(._;>;);out body;"


def _rounded(box: Box, decimals: int) -> Box:
    scale = 10**decimals
    west, south, east, north = box
    return (
        math.floor(west * scale) / scale, math.floor(south * scale) / scale,
        math.ceil(east * scale) / scale, math.ceil(north * scale) / scale,
    )  # fmt: skip


@dataclass(frozen=True)
class Answer:
    """An answer kept on disk: its file, the date of its data, its server."""

    path: Path
    date: str
    host: str

    def source(self) -> Source:
        """Return what is said of it in an extraction; it covers all that was asked."""
        return Source("overpass", self.host, self.date, 1.0)


def _folder(settings: Settings) -> Path:
    return work_folder(settings) / "overpass"


def _paths(theme: Theme, territory: Territory, address: str, settings: Settings) -> tuple[str, Path, Path]:
    query = query_of(theme, territory.bounds)
    name = hashlib.sha256(f"{address}\n{query}".encode()).hexdigest()[:24]
    return query, _folder(settings) / f"{name}.osm", _folder(settings) / f"{name}.json"


def kept_answer(theme: Theme, territory: Territory, address: str, settings: Settings) -> Answer | None:
    """Return the answer already kept for a theme and a territory, ``None`` when the server has to be asked."""
    _, path, note = _paths(theme, territory, address, settings)
    try:
        content = json.loads(note.read_text(encoding="utf-8"))
        return Answer(path, str(content["date"]), str(content["serveur"])) if path.is_file() else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


@contextlib.contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    """Let one demand at a time go to the server, whoever asks on this machine."""
    path = _folder(settings) / ".lock"
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        stream = path.open("ab")
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StorageError(
                "Une autre demande au serveur Overpass est en cours.",
                why="Bourg n'en fait qu'une à la fois.",
                next_step="attendez qu'elle finisse, une minute ou deux, puis recommencez.",
            ) from error
        yield


def policy_of(address: str) -> Policy:
    """Return where a demand may go and how hard it tries."""
    declared, parts = limits(), urlsplit(address)
    return Policy(
        frozenset({parts.hostname or ""}), frozenset({parts.scheme}), max_bytes=declared["answer_bytes"],
        attempts=declared["attempts"], wait_s=declared["wait_s"],
    )  # fmt: skip


def ask(
    theme: Theme,
    territory: Territory,
    settings: Settings,
    *,
    address: str | None = None,
    refresh: bool = False,
    policy: Policy | None = None,
    progress: Progress | None = None,
) -> Answer:
    """Return the answer of the server, the one kept unless ``refresh``.

    Parameters
    ----------
    theme, territory
        What is asked: the box of the territory, which the extraction then cuts along its outline.
    settings
        Where answers are kept.
    address
        Server; that of ``BOURG_OVERPASS`` by default.
    refresh
        Ask again although an answer is kept.
    policy
        Allowed hosts and efforts; :func:`policy_of` by default.
    progress
        Called with a label, bytes received, and their total when known.

    Raises
    ------
    OverpassOffError
        When no server is named.
    ParameterError
        When the territory is too large.
    OverpassError
        When the server does not answer, refuses, or answers by something else than data.
    StorageError
        When another demand is under way, or the disk refuses.
    """
    address = address or server_address()
    if address is None:
        raise OverpassOffError(
            "Les demandes à un serveur Overpass sont désactivées.",
            where=OVERPASS_VARIABLE,
            next_step=f"donnez l'adresse d'un serveur dans {OVERPASS_VARIABLE}, ou un extrait : --osm FICHIER.",
        )
    _check_area(territory)
    if not refresh and (kept := kept_answer(theme, territory, address, settings)) is not None:
        return kept
    query, path, note = _paths(theme, territory, address, settings)
    host = urlsplit(address).hostname or ""
    fresh = path.with_name(f"{path.stem}.recu")
    part = fresh.with_name(f"{fresh.name}.part")
    leftovers = (fresh, sidecar(fresh), part, sidecar(part))
    with _alone(settings):
        for old in leftovers:
            old.unlink(missing_ok=True)
        try:
            # Parentheses, quotes and tildes have to be escaped for proxies that are strict about addresses.
            download(
                f"{address}?data={quote(query, safe='')}", fresh, policy=policy or policy_of(address),
                label=f"Overpass ({host})", progress=progress,
            )  # fmt: skip
            date = _check_answer(fresh, host)
            with storage_errors(path):
                fresh.replace(path)
        except SourceUnavailableError as error:
            if isinstance(error, OverpassError):
                raise
            raise OverpassError(
                "Le serveur Overpass n'a pas répondu.", where=host, why=error.why, next_step=_ELSEWHERE
            ) from error
        finally:
            for old in leftovers:
                old.unlink(missing_ok=True)
        content = {"serveur": host, "date": date, "requete": query}
        write_atomic(note, json.dumps(content, ensure_ascii=False, indent=1).encode())
    return Answer(path, date, host)


def _check_area(territory: Territory) -> None:
    most = limits()["area_km2"]
    if territory.area_km2 > most:
        raise ParameterError(
            "Ce territoire est trop grand pour un serveur Overpass.",
            where=territory.name,
            why=f"la boîte qui l'entoure fait {format_number(territory.area_km2)} km², {format_number(most)} au plus.",
            next_step=f"téléchargez l'extrait de la région sur {DOWNLOAD_PAGE} (rubrique Europe puis France), "
            "ou demandez une commune.",
        )


def _check_answer(path: Path, host: str) -> str:
    """Return the date of the data of an answer.

    A server that gives up in the middle answers 200, with a remark at the end of what it has: it is not an answer.
    """
    with path.open("rb") as stream:
        head = stream.read(_ENDS).decode("utf-8", "replace")
        stream.seek(max(path.stat().st_size - _ENDS, 0))
        tail = stream.read().decode("utf-8", "replace")
    if "<osm" not in head or not tail.rstrip().endswith("</osm>"):
        raise OverpassError(
            "La réponse du serveur Overpass n'est pas un fichier OpenStreetMap complet.",
            where=host,
            next_step=_ELSEWHERE,
        )
    if remark := _REMARK.search(tail):
        raise OverpassError(
            "Le serveur Overpass a abandonné la demande.", where=host, why=remark[1][:300], next_step=_ELSEWHERE
        )
    date = _DATE.search(head)
    return date[1] if date else ""
