"""Entry point for an installed package, where the repository's ``app.py`` is absent."""

from bourg.dashboard.server import create_app

app = create_app()
