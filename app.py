"""Entry point of the brief: ``streamlit run app.py`` serves the dashboard and its data on one port."""

import sys
from pathlib import Path

import streamlit as st

# A plain ``pip install -r requirements.txt`` does not install the package itself.
sys.path.insert(0, str(Path(__file__).parent / "src"))

from bourg.dashboard.server import SCRIPT, app_options

# Streamlit reads this file without running it, and looks for a call to st.App written out.
app = st.App(SCRIPT, **app_options())
