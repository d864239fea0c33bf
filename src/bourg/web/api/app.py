"""The API as one ASGI application: routes, caps, cache, conditional requests, problems."""

from __future__ import annotations

import asyncio
import hashlib
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib import resources
from typing import Any

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

import bourg
from bourg.errors import BourgError
from bourg.portrait.observatory import Observatory, open_observatory
from bourg.settings import Settings
from bourg.web.api.answers import Written, coding_of, write
from bourg.web.api.data import ApiData, api_data
from bourg.web.api.formats import choose_format
from bourg.web.api.openapi import openapi_bytes
from bourg.web.api.operations import OPERATIONS, Operation
from bourg.web.api.pages import INDEX_POLICY, index_page
from bourg.web.api.parameters import canonical, read_query
from bourg.web.api.problems import (
    MEDIA,
    PREFIX,
    RefusedMethodError,
    TooManyError,
    TooSlowError,
    UnknownAddressError,
    problem,
)
from bourg.web.context import WebContext
from bourg.web.limits import TokenBuckets, client_key, load_rate

_CACHE = "public, max-age=300, stale-while-revalidate=3600"
_KEPT_BYTES = 96_000_000
_LARGEST_KEPT = 8_000_000
# Light answers take milliseconds; the heavy ones have their own threads, so that they never make the others wait.
_LIGHT, _HEAVY = (4, 300), (2, 12)
_STATIC: Mapping[str, tuple[str, Callable[[], bytes]]] = {
    "/": ("text/html; charset=utf-8", index_page),
    "/openapi.json": ("application/json", openapi_bytes),
}
_ALLOWED = "GET, HEAD, OPTIONS"
_OPEN = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "ETag, Link, Retry-After, X-Total-Count, X-Bourg-Instantane, "
    "X-Bourg-Demonstration, X-Bourg-Sources",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Vary": "Accept, Accept-Encoding",
}


@cache
def _revision() -> str:
    """Return a digest of the code of Bourg: another version may answer otherwise with the same snapshot."""
    digest = hashlib.sha256(bourg.__version__.encode())
    stack = [resources.files("bourg")]
    while stack:
        for entry in sorted(stack.pop().iterdir(), key=lambda item: item.name):
            if entry.is_dir() and entry.name != "__pycache__":
                stack.append(entry)
            elif entry.name.endswith((".py", ".yaml")):
                digest.update(entry.read_bytes())
    return digest.hexdigest()[:16]


@dataclass(frozen=True)
class _Request:
    """A request that was read and checked."""

    operation: Operation
    path: str
    values: Mapping[str, Any]
    form: str
    coding: str

    def key(self, snapshot: str) -> str:
        """Return a text that is the same for the same answer."""
        parts = (snapshot, self.operation.id, self.path, canonical(self.values), self.form, self.coding)
        return "|".join(parts)


class _Answers:
    """Answers already written, the last used kept within a number of bytes."""

    def __init__(self) -> None:
        self._held: OrderedDict[str, Written] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    def get(self, key: str) -> Written | None:
        with self._lock:
            found = self._held.get(key)
            if found is not None:
                self._held.move_to_end(key)
            return found

    def put(self, key: str, written: Written) -> None:
        if len(written.body) > _LARGEST_KEPT:
            return
        with self._lock:
            if (old := self._held.pop(key, None)) is not None:
                self._size -= len(old.body)
            self._held[key] = written
            self._size += len(written.body)
            while self._size > _KEPT_BYTES:
                _, dropped = self._held.popitem(last=False)
                self._size -= len(dropped.body)


class _Pool:
    """Threads with a bounded queue; the same answer is computed once for all who wait for it."""

    def __init__(self, workers: int, most: int, name: str) -> None:
        self._executor = ThreadPoolExecutor(workers, thread_name_prefix=f"bourg-api-{name}")
        self._most = most
        self._pending: dict[str, Future[Written]] = {}
        self._lock = threading.Lock()

    async def run(self, key: str, work: Callable[[], Written], seconds: float) -> Written:
        with self._lock:
            future = self._pending.get(key)
            if future is None:
                if len(self._pending) >= self._most:
                    raise TooManyError("Le serveur a trop de demandes en attente.", wait=2)
                future = self._executor.submit(work)
                self._pending[key] = future
        future.add_done_callback(lambda _: self._forget(key))
        try:
            # The computation goes on when its time is over: its answer will be there for the next try.
            return await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(future)), seconds)
        except TimeoutError:
            raise TooSlowError(
                "Le calcul dépasse le temps permis.",
                wait=5,
                why=f"{seconds:g} s au plus pour cette route.",
                next_step="réessayez dans quelques secondes, ou demandez moins de territoires.",
            ) from None

    def _forget(self, key: str) -> None:
        with self._lock:
            self._pending.pop(key, None)


class Api:
    """The ASGI application of ``/api``.

    Parameters
    ----------
    settings
        Folders of the installation: the snapshot in service is opened there.
    buckets
        Limits of the clients; those of the environment by default.
    operations
        Routes; all of them by default.
    """

    def __init__(
        self, settings: Settings, buckets: TokenBuckets | None = None, operations: Sequence[Operation] = OPERATIONS
    ) -> None:
        self._settings = settings
        self._operations = operations
        self._buckets = TokenBuckets(load_rate()) if buckets is None else buckets
        self._answers = _Answers()
        self._light = _Pool(*_LIGHT, "leger")
        self._heavy = _Pool(*_HEAVY, "lourd")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; every typed error becomes a problem document."""
        path = str(scope["path"])
        try:
            response = await self._respond(scope, path)
        except BourgError as error:
            status, headers, body = problem(error, path)
            if isinstance(error, RefusedMethodError):
                headers["Allow"] = _ALLOWED
            response = Response(body, status, headers={**_OPEN, **headers, "Content-Type": MEDIA})
        if scope["method"] == "HEAD":
            # The length is that of the body of GET.
            response.body = b""
        await response(scope, receive, send)

    async def _respond(self, scope: Scope, path: str) -> Response:
        headers = Headers(scope=scope)
        if scope["method"] == "OPTIONS":
            return Response(status_code=204, headers=_preflight())
        if scope["method"] not in ("GET", "HEAD"):
            raise RefusedMethodError(
                f"Cette adresse ne se lit pas avec {str(scope['method'])[:10]}.", next_step=_ALLOWED
            )
        if path.rstrip("/") in ("/api", PREFIX) and path != f"{PREFIX}/":
            return Response(status_code=308, headers={**_OPEN, "Location": f"{PREFIX}/"})
        if path.startswith(f"{PREFIX}/") and (static := path.removeprefix(PREFIX)) in _STATIC:
            read_query((), scope["query_string"])
            self._take(scope, 1.0)
            return self._send(self._static(static, coding_of(headers.get("accept-encoding", ""))), headers, None)
        request = self._read(scope, path, headers)
        self._take(scope, request.operation.cost)
        observatory = open_observatory(self._settings)
        key = request.key(observatory.snapshot.id)
        tag = None
        if not request.operation.by_content:
            tag = hashlib.sha256(f"{_revision()}|{key}".encode()).hexdigest()[:24]
            if _known(headers, tag):
                # The same question to the same snapshot has the same answer: nothing has to be computed.
                return self._unchanged(tag)
        written = None if request.operation.by_content else self._answers.get(key)
        if written is None:
            pool = self._heavy if request.operation.heavy else self._light
            written = await pool.run(
                key, lambda: self._write(api_data(observatory), request, key), request.operation.seconds
            )
        return self._send(written, headers, tag)

    def _take(self, scope: Scope, cost: float) -> None:
        if wait := self._buckets.take(client_key(scope), cost):
            raise TooManyError(
                "Trop de demandes en peu de temps.",
                wait=wait,
                why=f"{self._buckets.rate.per_minute} par minute ; les calculs longs comptent davantage.",
            )

    def _read(self, scope: Scope, path: str, headers: Headers) -> _Request:
        operation, texts = _route(path, self._operations)
        inside = {item.name: item.read(texts[item.name]) for item in operation.inside}
        query = read_query(operation.parameters, scope["query_string"])
        asked = query.pop("format", None)
        form = choose_format(operation.formats, asked, headers.get("accept", ""))
        values = {**query, **inside}
        return _Request(operation, path, values, form, coding_of(headers.get("accept-encoding", "")))

    def _write(self, data: ApiData, request: _Request, key: str) -> Written:
        operation = request.operation
        answer = operation.handler(data, request.values)
        inside = {item.name for item in operation.inside}
        asked = {name: value for name, value in request.values.items() if name not in inside}
        given = dict(asked)
        if len(operation.formats) > 1 and request.form != operation.formats[0]:
            given["format"] = request.form
        stem = "-".join([operation.id, *(str(request.values[name]) for name in sorted(inside))])
        written = write(
            data, answer, request.form, request.path, given, name=stem, coding=request.coding, rows=operation.rows
        )
        if not operation.by_content:
            self._answers.put(key, written)
        return written

    def _static(self, path: str, coding: str) -> Written:
        key = f"static|{path}|{coding}"
        if (found := self._answers.get(key)) is not None:
            return found
        media, make = _STATIC[path]
        headers = {"Content-Type": media}
        if path == "/":
            headers["Content-Security-Policy"] = INDEX_POLICY
        written = Written(make(), headers).packed(coding)
        self._answers.put(key, written)
        return written

    def _send(self, written: Written, headers: Headers, tag: str | None) -> Response:
        tag = tag or hashlib.sha256(written.body).hexdigest()[:24]
        if _known(headers, tag):
            return self._unchanged(tag)
        told = {**_OPEN, **written.headers, "ETag": f'"{tag}"', "Cache-Control": _CACHE}
        return Response(written.body, headers=told)

    @staticmethod
    def _unchanged(tag: str) -> Response:
        return Response(status_code=304, headers={**_OPEN, "ETag": f'"{tag}"', "Cache-Control": _CACHE})


def _known(headers: Headers, tag: str) -> bool:
    given = {item.strip().removeprefix("W/") for item in headers.get("if-none-match", "").split(",")}
    return f'"{tag}"' in given or "*" in given


def _preflight() -> dict[str, str]:
    return {
        "Access-Control-Allow-Origin": "*",
        "Access-Control-Allow-Methods": _ALLOWED,
        "Access-Control-Allow-Headers": "Accept, If-None-Match",
        "Access-Control-Max-Age": "86400",
        "Allow": _ALLOWED,
    }


def _route(path: str, operations: Sequence[Operation]) -> tuple[Operation, dict[str, str]]:
    rest = path.removeprefix(PREFIX)
    if path.startswith(f"{PREFIX}/"):
        for operation in operations:
            if match := operation.pattern.match(rest):
                return operation, match.groupdict()
    near = get_close_matches(rest[:100], [item.path for item in operations], n=2, cutoff=0.5)
    shown = "".join(letter for letter in path[:100] if letter.isprintable())
    hint = f"vouliez-vous dire {' ou '.join(PREFIX + item for item in near)} ? " if near else ""
    raise UnknownAddressError(
        "Cette adresse n'existe pas.", where=shown, next_step=f"{hint}les routes sont décrites en {PREFIX}/"
    )


def api_routes(
    context: WebContext, buckets: TokenBuckets | None = None, operations: Sequence[Operation] = OPERATIONS
) -> list[Route]:
    """Return the routes of the API, to be given to the server with the others."""
    api = Api(context.settings, buckets, operations)
    everything = Route("/api/{rest:path}", api)
    # The path of the library stops at a line feed: such an address has to get our answer too.
    everything.path_regex = re.compile(r"/api/(?P<rest>.*)\Z", re.DOTALL)
    return [Route("/api", api), everything]


def warm_api(observatory: Observatory) -> None:
    """Make what every answer needs, so that the first reader does not wait for it."""
    data = api_data(observatory)
    _ = (observatory.index, data.communes, data.name_of, data.indicators, _revision(), openapi_bytes())
    data.of_indicator("population.total", "departement")
    data.of_commune("01001")
    data.shapes.commune_at(3.08, 44.1)
