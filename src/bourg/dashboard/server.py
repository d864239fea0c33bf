"""The one server: Streamlit dashboard, map data and exports on one port (DESIGN 2)."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TypedDict

import streamlit as st
from starlette.middleware import Middleware
from starlette.routing import Route

from bourg.dashboard.preparation import prepare
from bourg.geography.search import Match
from bourg.portrait.observatory import open_observatory
from bourg.settings import Settings, load_settings
from bourg.store.snapshot import Snapshot
from bourg.web.middleware import middleware
from bourg.web.routes import routes

SCRIPT = Path(__file__).with_name("main.py")


class ServerContext:
    """What the HTTP routes ask of the application.

    Parameters
    ----------
    settings
        Folders of the installation.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def current_snapshot(self) -> Snapshot:
        """Return the snapshot in service.

        Raises
        ------
        SnapshotError
            When there is none yet.
        """
        return open_observatory(self.settings).snapshot

    def search(self, query: str, limit: int) -> list[Match]:
        """Return the communes that fit a name, a postal code or an INSEE code."""
        return open_observatory(self.settings).index.search(query, limit=limit)


class AppOptions(TypedDict):
    """Arguments of ``st.App``."""

    routes: list[Route]
    middleware: list[Middleware]
    lifespan: Callable[[st.App], contextlib.AbstractAsyncContextManager[None]]


def app_options() -> AppOptions:
    """Return what ``st.App`` needs besides the script: routes, middleware, and the preparation at start."""
    settings = load_settings()

    @contextlib.asynccontextmanager
    async def lifespan(_app: st.App) -> AsyncIterator[None]:
        # The server answers at once: a first start builds the demonstration behind a page that shows the progress.
        threading.Thread(target=prepare, args=(settings,), name="bourg-preparation", daemon=True).start()
        yield

    return {"routes": routes(ServerContext(settings)), "middleware": middleware(), "lifespan": lifespan}
