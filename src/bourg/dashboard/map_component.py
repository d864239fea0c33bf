"""The culture map in a Streamlit page: a components v2 element that reads its data by URL.

What travels through the websocket is a skeleton of HTML, a loader of a few lines and the filters: about 3 kB. The
scripts, the places and the outlines come from the routes of :mod:`bourg.web.routes`, cached by the browser.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, TypedDict

import streamlit as st

from bourg.web.assets import assets_version

if TYPE_CHECKING:
    from streamlit.components.v2.types import ComponentRenderer


class CommuneView(TypedDict, total=False):
    """The chosen commune: ``code`` and ``name``; ``bounds`` (west, south, east, north) to frame it.

    ``geometry`` (GeoJSON) may be left out: the map then takes the outline from the file of the department.
    """

    code: str
    name: str
    bounds: Sequence[float]
    geometry: dict[str, Any] | None


# Streamlit takes a one-line text for a file name: these are several lines long on purpose.
_LOADER = """
export default async function (component) {
  const address = new URL(component.data.module, window.location.href).href;
  try {
    const { render } = await import(address);
    return render(component);
  } catch (error) {
    const root = component.parentElement.querySelector('.culture-map');
    root.dataset.state = 'error';
    root.querySelector('[data-part=error]').textContent =
      'La carte n’a pas pu être chargée. Rechargez la page ; si cela continue, lancez « bourg doctor » sur le serveur.';
    console.error(error);
    return () => {};
  }
}
"""

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

_NAME = "bourg_culture_map"
_BASE = "/bourg"


@cache
def _component(assets: str) -> ComponentRenderer:
    """Declare the component once; Streamlit declares it again by itself in a new runtime."""
    return st.components.v2.component(_NAME, html=_SKELETON.format(assets=assets), js=_LOADER, isolate_styles=True)


def _ignore() -> None:
    """Do nothing: Streamlit only reports the events that have a callback."""


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
    assets = f"{_BASE}/assets/{assets_version()}"
    data = {
        "module": f"{assets}/culture_map.js",
        "base": _BASE,
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
    return _component(assets)(
        key=key, data=data, on_chosen_change=on_chosen or _ignore, on_reset_change=on_reset or _ignore
    )
