"""Entry point for an installed package, where the repository's ``app.py`` is absent."""

import streamlit as st

from bourg.dashboard.server import SCRIPT, app_options

app = st.App(SCRIPT, **app_options())
