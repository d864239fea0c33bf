"""Answers of the routes: errors, cached files, compressed bodies."""

from __future__ import annotations

import functools
import gzip
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from bourg.errors import BourgError, SnapshotError
from bourg.maps.files import gz_path

Endpoint = Callable[[Request], Response]

IMMUTABLE = "public, max-age=31536000, immutable"
REVALIDATE = "no-cache"
NO_STORE = "no-store"


def error_response(error: BourgError) -> JSONResponse:
    """Return the answer to a typed error: its own status, its French text, never a stack trace."""
    return JSONResponse(error.to_dict(), status_code=error.http_status, headers={"Cache-Control": NO_STORE})


def answer_errors(endpoint: Endpoint) -> Endpoint:
    """Turn the typed errors of an endpoint into answers; this is the only place that does."""

    @functools.wraps(endpoint)
    def wrapped(request: Request) -> Response:
        try:
            return endpoint(request)
        except BourgError as error:
            return error_response(error)

    return wrapped


def _accepts_gzip(request: Request) -> bool:
    for part in request.headers.get("accept-encoding", "").lower().split(","):
        coding, _, parameters = part.partition(";")
        if coding.strip() in {"gzip", "*"}:
            return parameters.replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return False


@lru_cache(maxsize=32)
def _read(path: Path, _modified: int) -> tuple[bytes, str]:
    """Return the bytes of a file and their tag; ``_modified`` renews the cache when the file changes."""
    content = path.read_bytes()
    return content, hashlib.sha256(content).hexdigest()[:32]


@lru_cache(maxsize=64)
def _compressed(path: Path, modified: int) -> bytes:
    return gzip.compress(_read(path, modified)[0], compresslevel=9, mtime=0)


def _respond(
    request: Request, *, plain: Callable[[], bytes], packed: Callable[[], bytes], tag: str, media: str, cache: str
) -> Response:
    """Choose between 304, the compressed body and the plain one."""
    zipped = _accepts_gzip(request)
    etag = f'"{tag}-gz"' if zipped else f'"{tag}"'
    headers = {"ETag": etag, "Cache-Control": cache, "Vary": "Accept-Encoding"}
    known = {item.strip().removeprefix("W/") for item in request.headers.get("if-none-match", "").split(",")}
    if etag in known or "*" in known:
        return Response(status_code=304, headers=headers)
    if zipped:
        return Response(packed(), media_type=media, headers={**headers, "Content-Encoding": "gzip"})
    return Response(plain(), media_type=media, headers=headers)


def stored_response(request: Request, path: Path, media: str, *, cache: str) -> Response:
    """Answer with a file that :func:`bourg.maps.files.write_gzip` stored.

    Raises
    ------
    SnapshotError
        When the file is missing or damaged.
    """
    stored = gz_path(path)
    try:
        content, tag = _read(stored, stored.stat().st_mtime_ns)
    except OSError as error:
        raise SnapshotError(
            "Ce fichier de la carte est absent de l'instantané.",
            where=stored.name,
            next_step="reconstruisez l'instantané : bourg build.",
        ) from error
    return _respond(
        request, plain=lambda: gzip.decompress(content), packed=lambda: content, tag=tag, media=media, cache=cache
    )


def file_response(request: Request, path: Path, media: str, *, cache: str) -> Response:
    """Answer with a plain file, compressed once and kept."""
    modified = path.stat().st_mtime_ns
    content, tag = _read(path, modified)
    return _respond(
        request, plain=lambda: content, packed=lambda: _compressed(path, modified), tag=tag, media=media, cache=cache
    )


@dataclass(frozen=True)
class Packed:
    """A body kept compressed, an eighth of its size for a page, and the tag of its content."""

    body: bytes
    tag: str


def pack(content: bytes) -> Packed:
    """Compress a body to keep it."""
    return Packed(gzip.compress(content, compresslevel=6, mtime=0), hashlib.sha256(content).hexdigest()[:32])


def packed_response(request: Request, packed: Packed, media: str, *, cache: str) -> Response:
    """Answer with a body kept by :func:`pack`; a client that reads no gzip gets it plain."""
    return _respond(
        request, plain=lambda: gzip.decompress(packed.body), packed=lambda: packed.body, tag=packed.tag, media=media,
        cache=cache,
    )  # fmt: skip


@lru_cache(maxsize=32)
def _packed(content: bytes) -> bytes:
    return gzip.compress(content, compresslevel=6, mtime=0)


def content_response(request: Request, content: bytes, media: str, *, cache: str) -> Response:
    """Answer with bytes made by the application, compressed once and kept."""
    tag = hashlib.sha256(content).hexdigest()[:32]
    return _respond(request, plain=lambda: content, packed=lambda: _packed(content), tag=tag, media=media, cache=cache)
