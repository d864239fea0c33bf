"""Read what the page of a town shows in Streamlit's AppTest."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from html import unescape
from typing import Any

import polars as pl
from streamlit.testing.v1 import AppTest

from bourg.store.snapshot import Snapshot
from dashboard_tools import html_of, sound

SECTIONS = (
    "Chiffres clés", "Tous les chiffres, par thème", "Villes semblables", "Évolution", "Accès aux équipements",
    "Carte d'un indicateur", "Lieux culturels", "Identité et mairie", "Sources et limites",
)  # fmt: skip
_CARD = re.compile(r'<div class="carte"><h3>(.*?)</h3>(.*?)</details></div>', re.DOTALL)
BIG = re.compile(r'<span class="grand( absent)?">(.*?)</span>')
ROW = re.compile(
    r'<tr class="tete"><th scope="row">(.*?)</th><td class="valeur">(.*?)</td>.*?<code>(.*?)</code>', re.DOTALL
)
NUMBER = re.compile(r"[−+]?\d[\d\u202f\u00a0]*(?:,\d+)?")


def components(app: AppTest) -> list[dict[str, Any]]:
    """Return what every map of the page received."""
    return [json.loads(item.proto.json) for item in app.get("bidi_component")]


def town_map(app: AppTest) -> dict[str, Any]:
    """Return what the map of the cultural places received; the page also has the map of an indicator."""
    (found,) = [data for data in components(app) if "commune" in data]
    return found


def choropleth(app: AppTest) -> dict[str, Any]:
    (found,) = [data for data in components(app) if "layers" in data]
    return found


def piece(app: AppTest, mark: str) -> str:
    """Return the only block of HTML that holds a mark, its style sheet aside."""
    blocks = [re.sub(r"<style>.*?</style>", "", item.proto.body, flags=re.DOTALL) for item in app.get("html")]
    (found,) = [block for block in blocks if mark in block]
    return found


def cards(app: AppTest) -> dict[str, str]:
    """Return the cards of the key figures: title, then the rest."""
    return dict(_CARD.findall(piece(app, '<div class="cartes">')))


def card(app: AppTest, label: str) -> str:
    (found,) = [content for title, content in cards(app).items() if unescape(title.split(" <")[0]) == label]
    return found


def open_themes(app: AppTest, labels: Iterable[str]) -> list[str]:
    """Return the themes whose table was sent."""
    content = unescape(html_of(app))
    return [
        label
        for label in labels
        if f'<caption>{label}</caption><thead><tr><th scope="col">Indicateur</th>' in content
        or f"Aucun chiffre n'est disponible pour le thème « {label} »." in content
    ]


def chosen(app: AppTest) -> tuple[str, str]:
    """Return the set of comparison and the theme chosen on the page."""
    return str(app.selectbox(key="ville-comparer").value), str(app.session_state["ville-theme"])


def go_to(app: AppTest, code: str) -> AppTest:
    """Choose another town with the search box of the page."""
    app.text_input(key="ville-recherche").set_value(code).run()
    return sound(app.button(key=f"ville-{code}").click().run())


def read_values(snapshot: Snapshot) -> pl.DataFrame:
    """Return the values of the communes, read from their file without any of the code under test."""
    return pl.read_parquet(snapshot.folder / "values.parquet").filter(pl.col("level") == "commune")
