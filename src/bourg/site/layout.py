"""The frame of every public page: head, header, footer, style sheet; the same for the static site and the server."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from bourg.accessibility import footer_text
from bourg.portrait.markup import plain, typeset
from bourg.site.addresses import static_menu

CSS, SCRIPT = "bourg.css", "recherche.js"
FEED = "nouveautes.atom"
_DESCRIPTION = 200


@cache
def asset(name: str) -> tuple[str, bytes]:
    """Return the name, which holds a hash of the content, and the content of a file of the site."""
    content = resources.files("bourg.site").joinpath("assets", name).read_bytes()
    stem, _, suffix = name.rpartition(".")
    return f"{stem}-{hashlib.sha256(content).hexdigest()[:12]}.{suffix}", content


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("bourg.site"), autoescape=True, undefined=StrictUndefined, trim_blocks=False,
        auto_reload=False,
        finalize=lambda value: typeset(value) if type(value) is str else value,
    )  # fmt: skip


def fragment(template: str, **values: Any) -> str:  # noqa: ANN401 - what templates are given
    """Return a template filled with values, every text of theirs escaped and set in French type."""
    return _environment().get_template(template).render(**values)


@dataclass(frozen=True)
class Frame:
    """What surrounds the content of a page.

    Attributes
    ----------
    title, description
        Of the page, plain text.
    assets
        What comes before the names of the style sheet and of the script: ``../../``, ``/bourg/public/``.
    home
        Address of the first page.
    menu
        ``(label, address)`` of the main navigation.
    canonical, image
        Full addresses; empty when the address of the site is not known.
    data, feed
        Addresses of the same content for programs; empty when there is none.
    script
        Whether the page has the search.
    """

    title: str
    description: str
    assets: str
    home: str
    menu: Sequence[tuple[str, str]] = field(default_factory=tuple)
    canonical: str = ""
    image: str = ""
    data: str = ""
    feed: str = ""
    script: bool = False

    @property
    def statement(self) -> str:
        """Address of the statement of accessibility: a route or a page; none for a lone page."""
        if self.assets.startswith("/bourg/"):
            return "/accessibilite"
        return f"{self.home}accessibilite/" if self.assets and self.assets == self.home else ""


def whole_page(frame: Frame, main: str) -> str:
    """Return a complete page; ``main`` is HTML already escaped."""
    description = plain(frame.description)
    if len(description) > _DESCRIPTION:
        description = description[: _DESCRIPTION - 1].rsplit(" ", 1)[0] + "…"
    # Addresses are not French texts: Markup keeps them as they are, escaped.
    escape = Markup.escape
    return _environment().get_template("base.html.j2").render(
        title=frame.title, description=description, css=escape(frame.assets + asset(CSS)[0]),
        home=escape(frame.home), statement=escape(frame.statement), statement_text=footer_text(),
        menu=[(label, escape(address)) for label, address in frame.menu],
        canonical=escape(frame.canonical), image=escape(frame.image), data=escape(frame.data), feed=escape(frame.feed),
        script=escape(frame.assets + asset(SCRIPT)[0]) if frame.script else "", main=Markup(main),  # noqa: S704
    )  # fmt: skip


def site_page(
    name: str, title: str, description: str, main: str, address: str, *, data: str = "", script: bool = False
) -> str:
    """Return a page of the static site, every address of which is relative to it.

    Parameters
    ----------
    name
        Path inside the site: ``departement/12/index.html``.
    address
        Public address of the site, ending with ``/``; empty when it is not known.
    data
        Address of the same content for programs, from the page.
    """
    root = "../" * name.count("/") or "./"
    frame = Frame(
        title=title, description=description, assets=root, home=root, menu=static_menu(root), script=script, data=data,
        canonical=f"{address}{name.removesuffix('index.html')}" if address else "", feed=f"{root}{FEED}",
    )  # fmt: skip
    return whole_page(frame, main)
