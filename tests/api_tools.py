"""Ask the API without a socket."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace

import httpx
from starlette.applications import Starlette

from bourg.settings import Settings
from bourg.web.api import api_routes
from bourg.web.api.operations import OPERATIONS, Operation
from bourg.web.limits import Rate, TokenBuckets
from bourg.web.middleware import middleware

NO_LIMIT = Rate(0, 0)


class Context:
    """What the routes of the API ask of the server."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings


def with_seconds(seconds: float) -> tuple[Operation, ...]:
    """Return the routes with another cap of time."""
    return tuple(replace(item, seconds=seconds) for item in OPERATIONS)


def api_app(settings: Settings, rate: Rate = NO_LIMIT, seconds: float = 600.0) -> Starlette:
    """Return the API behind the middleware of the server, patient by default: a busy machine is slow, not wrong."""
    routes = api_routes(Context(settings), TokenBuckets(rate), with_seconds(seconds))
    return Starlette(routes=routes, middleware=middleware())


class ApiClient:
    """Ask an application; an exception inside it gives a 500 answer, as on a server."""

    def __init__(self, app: Starlette) -> None:
        self.app = app

    def request(self, method: str, url: str, headers: Mapping[str, str] | None = None) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                return await client.request(method, url, headers=headers)

        return asyncio.run(ask())

    def get(self, url: str, headers: Mapping[str, str] | None = None) -> httpx.Response:
        return self.request("GET", f"/api/v1{url}", headers)
