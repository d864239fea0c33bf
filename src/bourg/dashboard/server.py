"""The one server: Streamlit dashboard, map data and exports on one port (DESIGN 2)."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import streamlit as st

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


def create_app() -> st.App:
    """Return the ASGI application that ``streamlit run app.py`` serves."""
    settings = load_settings()
    context = ServerContext(settings)

    @contextlib.asynccontextmanager
    async def lifespan(_app: st.App) -> AsyncIterator[None]:
        # The server answers at once: a first start builds the demonstration behind a page that shows the progress.
        threading.Thread(target=prepare, args=(settings,), name="bourg-preparation", daemon=True).start()
        yield

    return st.App(SCRIPT, routes=routes(context), middleware=middleware(), lifespan=lifespan)
