"""What the maps share as components v2: a skeleton of HTML, and a loader that fetches their module by URL."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import streamlit as st

from bourg.web.assets import assets_version

if TYPE_CHECKING:
    from streamlit.components.v2.types import ComponentRenderer

# Every address that a page reads from this server is under it.
BASE = "/bourg"
# Streamlit takes a one-line text for a file name: this is several lines long on purpose.
_LOADER = """
export default async function (component) {
  const address = new URL(component.data.module, window.location.href).href;
  try {
    const { render } = await import(address);
    return render(component);
  } catch (error) {
    const root = component.parentElement.querySelector('[data-state]');
    root.dataset.state = 'error';
    root.querySelector('[data-part=error]').textContent =
      'La carte n’a pas pu être chargée. Rechargez la page ; si cela continue, lancez « bourg doctor » sur le serveur.';
    console.error(error);
    return () => {};
  }
}
"""


@cache
def _declared(name: str, skeleton: str, assets: str) -> ComponentRenderer:
    """Declare a component once; Streamlit declares it again by itself in a new runtime."""
    html = skeleton.format(assets=assets)
    return st.components.v2.component(f"bourg_{name}", html=html, js=_LOADER, isolate_styles=True)


def _ignore() -> None:
    """Do nothing: Streamlit only reports the events that have a callback."""


def show_component(
    name: str,
    skeleton: str,
    *,
    key: str,
    data: Mapping[str, Any],
    events: Mapping[str, Callable[[], None] | None],
) -> Any:  # noqa: ANN401 - Streamlit gives its result no public type
    """Show a component of the page.

    Parameters
    ----------
    name
        Name of its module among the assets, without ``.js``.
    skeleton
        Several lines of HTML with ``{assets}`` where the address of the assets goes, an element with ``data-state``
        and, in it, one with ``data-part=error``.
    key
        Identifies it between runs, and in ``st.session_state``.
    data
        What its module reads, besides ``module`` and ``base``.
    events
        What it reports, and what is called before the run that an event causes.

    Returns
    -------
    ComponentResult
        One attribute per event.
    """
    assets = f"{BASE}/assets/{assets_version()}"
    callbacks: dict[str, Any] = {f"on_{event}_change": callback or _ignore for event, callback in events.items()}
    sent = {"module": f"{assets}/{name}.js", "base": BASE, **data}
    return _declared(name, skeleton, assets)(key=key, data=sent, **callbacks)
