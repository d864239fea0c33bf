"""Entry point of the brief: ``streamlit run app.py`` serves the dashboard and its data on one port."""

import sys
from pathlib import Path

# A plain ``pip install -r requirements.txt`` does not install the package itself.
sys.path.insert(0, str(Path(__file__).parent / "src"))

from bourg.dashboard.server import create_app  # noqa: E402

app = create_app()
