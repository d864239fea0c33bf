"""A drawing in a Streamlit page: ``st.html`` takes SVG away, an image would neither follow the theme nor be read."""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING

import streamlit as st

if TYPE_CHECKING:
    from streamlit.components.v2.types import ComponentRenderer

_NAME = "bourg_inline_svg"
_HTML = """
<div class="dessin">
</div>
"""
# The drawing is ours, made on this server, every text of it escaped.
_SCRIPT = """
export default function (component) {
  const root = component.parentElement.querySelector('.dessin');
  if (root.dataset.version !== component.data.version) {
    root.innerHTML = component.data.svg;
    root.dataset.version = component.data.version;
  }
  return () => {};
}
"""


@cache
def _component() -> ComponentRenderer:
    return st.components.v2.component(_NAME, html=_HTML, js=_SCRIPT, isolate_styles=True)


def inline_svg(svg: str, *, key: str) -> None:
    """Show a drawing with its own style.

    Parameters
    ----------
    svg
        Style and SVG, texts escaped by their maker.
    key
        Identifies the drawing between runs.
    """
    _component()(key=key, data={"svg": svg, "version": sha256(svg.encode()).hexdigest()[:16]})
