"""The only module that opens a socket: downloads that resume, retry, and never leave half a file in service."""

from __future__ import annotations

import contextlib
import datetime as dt
import email.utils
import fcntl
import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.parse import urljoin, urlsplit

import httpx
import tenacity

from bourg import __version__
from bourg.errors import SourceUnavailableError, StorageError
from bourg.sources.files import publish, sha256_of, storage_errors, write_atomic
from bourg.sources.model import load_catalogue

USER_AGENT = f"Bourg/{__version__} (observatoire ouvert des petites villes ; logiciel libre ; usage non commercial)"
# data.gouv.fr redirects its stable addresses to these hosts, which the catalogue does not name.
REDIRECT_HOSTS = frozenset({"static.data.gouv.fr", "files.data.gouv.fr", "object.files.data.gouv.fr"})
MAX_REDIRECTS = 5
MAX_RETRY_AFTER_S = 120.0
_RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})
_TIMEOUT = httpx.Timeout(connect=15.0, read=60.0, write=30.0, pool=15.0)

Progress = Callable[[str, int, int | None], None]


@dataclass(frozen=True)
class Policy:
    """Where downloads may go and how hard they try.

    Attributes
    ----------
    hosts
        Allowed host names, for the first request and for each redirect.
    schemes
        Allowed schemes; plain HTTP is for tests on the loopback only.
    max_bytes
        A longer body is refused.
    attempts
        Tries before giving up.
    wait_s
        First wait between two tries, doubled each time, in seconds.
    """

    hosts: frozenset[str]
    schemes: frozenset[str] = frozenset({"https"})
    max_bytes: int = 3 * 1024**3
    attempts: int = 5
    wait_s: float = 1.0


def official_policy() -> Policy:
    """Return the policy of real use: HTTPS, and the hosts of the catalogue."""
    urls = (resource.url for source in load_catalogue().values() for resource in source.resources if resource.url)
    return Policy(frozenset(urlsplit(url).hostname or "" for url in urls) | REDIRECT_HOSTS)


@dataclass(frozen=True)
class Receipt:
    """What a download got.

    Attributes
    ----------
    path
        The complete file.
    sha256, size
        Checksum and length in bytes.
    changed
        False when the server said that the file already here is still the good one.
    """

    path: Path
    sha256: str
    size: int
    changed: bool


class _TransientError(Exception):
    """A failure worth another try, perhaps after a wait asked by the server."""

    def __init__(self, why: str, retry_after: float | None = None) -> None:
        super().__init__(why)
        self.retry_after = retry_after


def _unavailable(url: str, why: str, next_step: str = "") -> SourceUnavailableError:
    return SourceUnavailableError(
        "Le téléchargement a échoué.",
        where=url,
        why=why,
        next_step=next_step or "réessayez plus tard, ou placez le fichier dans un dossier lu avec --mirror.",
    )


def _check_allowed(url: str, policy: Policy) -> None:
    parts = urlsplit(url)
    if parts.scheme not in policy.schemes or (parts.hostname or "") not in policy.hosts or parts.username:
        raise _unavailable(
            url, "cette adresse n'est pas celle d'une source du catalogue en https : elle n'est pas suivie."
        )


def _retry_after(response: httpx.Response) -> float | None:
    value = response.headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,6}", value):
        return min(float(value), MAX_RETRY_AFTER_S)
    moment = email.utils.parsedate_to_datetime(value) if re.search(r"\d{4}", value) else None
    if moment is None:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=dt.UTC)
    return min(max((moment - dt.datetime.now(dt.UTC)).total_seconds(), 0.0), MAX_RETRY_AFTER_S)


def _read_note(path: Path) -> dict[str, str]:
    """Return the JSON note beside a file, empty when there is none or when it is damaged."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(k): str(v) for k, v in content.items()} if isinstance(content, dict) else {}


def sidecar(path: Path) -> Path:
    """Return the path of the note (address, date, checksum, validators) kept beside a downloaded file."""
    return path.with_name(path.name + ".meta.json")


@contextlib.contextmanager
def _locked(part: Path) -> Iterator[IO[bytes]]:
    """Open the partial file for appending; a second download of the same file is refused."""
    with storage_errors(part):
        part.parent.mkdir(parents=True, exist_ok=True)
        # Unbuffered: a full disk is then met at the write, not again when the file is closed.
        stream = part.open("ab", buffering=0)
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StorageError(
                "Ce fichier est déjà en cours de téléchargement par une autre commande.",
                where=str(part),
                next_step="attendez la fin de l'autre commande.",
            ) from error
        yield stream


@dataclass
class _Job:
    """One download: its address, its files, and how to tell how it goes."""

    url: str
    target: Path
    policy: Policy
    label: str
    progress: Progress | None

    @property
    def part(self) -> Path:
        return self.target.with_name(self.target.name + ".part")

    @property
    def part_note(self) -> Path:
        return sidecar(self.part)

    def tell(self, done: int, total: int | None) -> None:
        if self.progress:
            self.progress(self.label, done, total)


def _request_headers(job: _Job, done: int) -> dict[str, str]:
    headers = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity", "Accept-Language": "fr"}
    if done:
        note = _read_note(job.part_note)
        # Without a validator, the rest could be that of another file: start again.
        if note.get("url") == job.url and note.get("validator"):
            return headers | {"Range": f"bytes={done}-", "If-Range": note["validator"]}
        return headers
    if job.target.exists():
        note = _read_note(sidecar(job.target))
        if note.get("etag"):
            headers["If-None-Match"] = note["etag"]
        elif note.get("last_modified"):
            headers["If-Modified-Since"] = note["last_modified"]
    return headers


@contextlib.contextmanager
def _respond(client: httpx.Client, job: _Job, headers: dict[str, str]) -> Iterator[httpx.Response]:
    """Yield the first answer that is not a redirect; each redirect is checked against the policy."""
    url = job.url
    for _ in range(MAX_REDIRECTS + 1):
        _check_allowed(url, job.policy)
        with client.stream("GET", url, headers=headers) as response:
            if response.status_code not in {301, 302, 303, 307, 308}:
                yield response
                return
            url = urljoin(url, response.headers.get("location", ""))
    raise _unavailable(job.url, f"plus de {MAX_REDIRECTS} redirections.")


def _check_status(job: _Job, response: httpx.Response) -> None:
    status = response.status_code
    if status in _RETRIED:
        raise _TransientError(f"le serveur a répondu {status}.", _retry_after(response))
    if status in {404, 410}:
        raise _unavailable(
            job.url,
            f"le fichier n'est plus à cette adresse (réponse {status}).",
            "cherchez la nouvelle adresse sur la page de la source (bourg sources --explain) et signalez-la.",
        )
    if status not in {200, 206}:
        raise _unavailable(job.url, f"le serveur a répondu {status}.")
    if response.headers.get("content-type", "").startswith("text/html"):
        raise _unavailable(job.url, "le serveur a répondu par une page web et non par le fichier.")


def _start(job: _Job, response: httpx.Response, stream: IO[bytes], done: int) -> int:
    """Return where the body starts: after what is here (206), or at zero with an emptied file."""
    if response.status_code == 206:
        match = re.match(r"bytes (\d+)-", response.headers.get("content-range", ""))
        if match is not None and int(match.group(1)) == done:
            return done
    if done:
        with storage_errors(job.part):
            stream.truncate(0)
    if response.status_code == 206:
        raise _TransientError("le serveur a repris à un autre endroit.")
    return 0


def _save_body(job: _Job, response: httpx.Response, stream: IO[bytes], done: int) -> None:
    done = _start(job, response, stream, done)
    length = response.headers.get("content-length", "")
    total = done + int(length) if length.isdigit() else None
    if total is not None and total > job.policy.max_bytes:
        raise _too_long(job)
    validator = response.headers.get("etag", "") or response.headers.get("last-modified", "")
    if validator.startswith("W/"):  # a weak validator does not promise the same bytes
        validator = response.headers.get("last-modified", "")
    write_atomic(job.part_note, json.dumps({"url": job.url, "validator": validator}).encode())
    # No chunk size: httpx would keep back a last incomplete chunk, lost when the connection is cut.
    for block in response.iter_raw():
        done += len(block)
        if done > job.policy.max_bytes:
            raise _too_long(job)
        with storage_errors(job.part):
            rest = memoryview(block)
            while rest:
                rest = rest[stream.write(rest) :]
        job.tell(done, total)
    if total is not None and done != total:
        raise _TransientError(f"la réponse a été coupée ({done} octets sur {total}).")
    if done == 0:
        raise _TransientError("la réponse est vide.")


def _too_long(job: _Job) -> SourceUnavailableError:
    job.part.unlink(missing_ok=True)
    job.part_note.unlink(missing_ok=True)
    return _unavailable(job.url, f"le fichier dépasse la limite de {job.policy.max_bytes // 1024**2} Mo.")


def _attempt(client: httpx.Client, job: _Job) -> bool:
    """Try once; return False when the server said that the file here is still good."""
    with _locked(job.part) as stream:
        done = stream.tell()
        headers = _request_headers(job, done)
        try:
            with _respond(client, job, headers) as response:
                if response.status_code == 304:
                    return False
                if response.status_code == 416:
                    with storage_errors(job.part):
                        stream.truncate(0)
                    raise _TransientError("la reprise a été refusée.")
                _check_status(job, response)
                _save_body(job, response, stream, done)
                etag, modified = response.headers.get("etag", ""), response.headers.get("last-modified", "")
        except httpx.HTTPError as error:
            raise _TransientError(f"la connexion a échoué ({type(error).__name__}).") from error
        publish(job.part, job.target)
    note = {
        "url": job.url,
        "sha256": sha256_of(job.target),
        "octets": job.target.stat().st_size,
        "etag": etag,
        "last_modified": modified,
        "telecharge_le": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
    }
    write_atomic(sidecar(job.target), json.dumps(note, ensure_ascii=False, indent=1).encode())
    return True


def _wait(policy: Policy) -> Callable[[tenacity.RetryCallState], float]:
    backoff = tenacity.wait_exponential(multiplier=policy.wait_s, max=30.0)

    def wait(state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, _TransientError) and error.retry_after is not None:
            return error.retry_after
        return float(backoff(state))

    return wait


def download(
    url: str, target: Path, *, policy: Policy | None = None, label: str = "", progress: Progress | None = None
) -> Receipt:
    """Download a file, resuming what an earlier try left, and put it in service in one step.

    Parameters
    ----------
    url
        Official address.
    target
        Final path. Until the file is complete it is ``target.part``; its note is ``target.meta.json``.
    policy
        Allowed hosts and efforts; :func:`official_policy` by default.
    label, progress
        ``progress(label, bytes_done, bytes_total_or_none)`` is called at each block.

    Raises
    ------
    SourceUnavailableError
        Refused address, missing file, server or network failure after every try, body too long.
    StorageError
        Disk full or read-only, or the same file is being downloaded by another command.
    """
    policy = policy or official_policy()
    _check_allowed(url, policy)
    job = _Job(url, target, policy, label or target.name, progress)
    retrying = tenacity.Retrying(
        stop=tenacity.stop_after_attempt(policy.attempts),
        wait=_wait(policy),
        retry=tenacity.retry_if_exception_type(_TransientError),
        sleep=time.sleep,
        reraise=True,
    )
    try:
        with httpx.Client(timeout=_TIMEOUT, follow_redirects=False) as client:
            changed = retrying(_attempt, client, job)
    except _TransientError as error:
        raise _unavailable(url, f"{error} Après {policy.attempts} essais.") from error
    finally:
        if job.part.exists() and job.part.stat().st_size == 0:
            job.part.unlink()
            job.part_note.unlink(missing_ok=True)
    job.part_note.unlink(missing_ok=True)
    note = _read_note(sidecar(target))
    return Receipt(target, note.get("sha256") or sha256_of(target), target.stat().st_size, changed)
