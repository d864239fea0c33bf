"""The culture map in a Streamlit page: a components v2 element that reads its data by URL.

What travels through the websocket is a skeleton of HTML, a loader of a few lines and the filters: about 3 kB. The
scripts, the places and the outlines come from the routes of :mod:`bourg.web.routes`, cached by the browser.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, TypedDict

from bourg.dashboard.browser_component import show_component


class CommuneView(TypedDict, total=False):
    """The chosen commune: ``code`` and ``name``; ``bounds`` (west, south, east, north) to frame it.

    ``geometry`` (GeoJSON) may be left out: the map then takes the outline from the file of the department.
    """

    code: str
    name: str
    bounds: Sequence[float]
    geometry: dict[str, Any] | None


# Several lines: Streamlit takes a one-line text for a file name.
_SKELETON = """
<link rel="stylesheet" href="{assets}/leaflet.css">
<link rel="stylesheet" href="{assets}/culture_map.css">
<section class="culture-map" data-state="loading" aria-label="Carte culturelle et liste des lieux" aria-busy="true">
  <div class="toolbar">
    <div data-part="legend"></div>
    <select data-part="views" aria-label="Aller à une partie de la France"></select>
  </div>
  <p class="demo-banner" data-part="demo" hidden>
    <strong>Données de démonstration.</strong> Les lieux marqués « démonstration » sont générés : ils n’existent pas.
  </p>
  <div class="frame">
    <div class="map" data-part="map" style="height:560px"></div>
    <div class="empty" data-part="empty" role="status" hidden></div>
    <div class="overlay loading" role="status">Chargement de la carte…</div>
    <div class="overlay error" data-part="error" role="alert"></div>
  </div>
  <div class="after">
    <p class="statistics" data-part="statistics" aria-live="polite"></p>
    <p class="small" data-part="unlocated"></p>
    <p class="small" data-part="note" role="status"></p>
    <div class="columns">
      <div>
        <h2>Types de lieux dans la zone visible</h2>
        <ul class="bars" data-part="bars"></ul>
        <h2 style="margin-top:1rem">Télécharger</h2>
        <ul class="exports" data-part="exports"></ul>
      </div>
      <div>
        <h2>Liste des lieux visibles</h2>
        <div data-part="table"></div>
      </div>
    </div>
  </div>
</section>
"""


def culture_map(
    *,
    snapshot_id: str,
    types: Sequence[str] | None = None,
    categories: Sequence[str] | None = None,
    commune: CommuneView | None = None,
    theme: Literal["light", "dark", "auto"] = "auto",
    height: int = 560,
    key: str = "culture_map",
    attribution: str | None = None,
    deep_link: bool = True,
    demo_banner: bool = True,
    panels: bool = True,
    controls: bool = True,
    on_chosen: Callable[[], None] | None = None,
    on_reset: Callable[[], None] | None = None,
) -> Any:  # noqa: ANN401 - Streamlit gives its result no public type
    """Show the culture map; filters and commune change it in place, without loading anything again.

    Parameters
    ----------
    snapshot_id
        Snapshot whose points are drawn: part of the addresses, so that browsers may keep them.
    types, categories
        Labels to keep; ``None`` keeps all, an empty list keeps nothing.
    commune
        Highlighted, and framed when it changes. At first the view written in the address (``lat``, ``lon``, ``z``)
        comes before the commune.
    theme
        ``auto`` follows Streamlit's theme, and its changes.
    height
        Height of the map in pixels; the figures and the table come below.
    key
        Identifies the map between runs, and in ``st.session_state``.
    attribution
        Source named under the map and in the details of a place; ``None`` takes those of the points file.
    deep_link
        Read the first view in the address bar, and write it there 0.8 s after the last move. No message goes to the
        server.
    demo_banner
        Say above the map that places are generated, when some are. Each of them is marked anyway.
    panels
        Show the bars, the downloads and the list below the map; without them only its figures remain.
    controls
        The page has filters, and the map its list of places to go to; ``False`` for the map of one town, without both.
    on_chosen, on_reset
        Called before the run that a click caused.

    Returns
    -------
    ComponentResult
        ``chosen``: the commune code asked for by « Voir la fiche de la commune », during one run; ``reset``: true
        during the run that follows « Retirer les filtres ».
    """
    data = {
        "snapshot": snapshot_id,
        "types": None if types is None else sorted(types),
        "categories": None if categories is None else sorted(categories),
        "commune": None if commune is None else dict(commune),
        "theme": theme,
        "height": height,
        "attribution": attribution,
        "deep_link": deep_link,
        "demo_banner": demo_banner,
        "panels": panels,
        "controls": controls,
    }
    events = {"chosen": on_chosen, "reset": on_reset}
    return show_component("culture_map", _SKELETON, key=key, data=data, events=events)
