"""The PDF itself: typst fed with data, its fonts those of pinned packages, its date the one of the snapshot."""

from __future__ import annotations

import datetime as dt
import json
from functools import cache
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import typst

from bourg.errors import BourgError
from bourg.portrait.observatory import Observatory
from bourg.portrait.page import TownPage
from bourg.portrait.pdf.content import pdf_content

FONT_PACKAGE = "fontpkg_source_sans_3"
_TEMPLATES = "bourg.portrait.pdf"


class DrawingError(BourgError, RuntimeError):
    """A portrait that typst could not set, or a font that is not installed."""

    exit_code = 70
    http_status = 503


@cache
def _fonts() -> typst.Fonts:
    """Return the fonts of typst and of the font package: the same everywhere, whatever the system has.

    Raises
    ------
    DrawingError
        When the font package is not installed.
    """
    found = find_spec(FONT_PACKAGE)
    folders = [Path(place) / "files" for place in (found.submodule_search_locations or ())] if found else []
    if not any(folder.is_dir() for folder in folders):
        raise DrawingError(
            "La police des portraits n'est pas installée.", where=FONT_PACKAGE.replace("_", "-"),
            next_step="installez les bibliothèques de Bourg : pip install -r requirements.txt.",
        )  # fmt: skip
    return typst.Fonts(include_system_fonts=False, font_paths=[str(folder) for folder in folders])


@cache
def template(name: str) -> bytes:
    """Return the text of a template of this package."""
    return resources.files(_TEMPLATES).joinpath(name).read_bytes()


def typeset_file(name: str, content: dict[str, Any], *, form: str, when: dt.datetime, ppi: float = 72) -> bytes:
    """Return the file that a template makes of some content.

    The content crosses as JSON: no text of it is ever read as markup. The template reads no file.

    Parameters
    ----------
    name
        Template of this package.
    content
        Plain JSON types.
    form
        ``pdf`` (tagged, PDF/UA-1) or ``png`` (first page).
    when
        Date written in the file.
    ppi
        Pixels per inch of a PNG.

    Raises
    ------
    DrawingError
        When typst refuses, or when the fonts are not installed.
    """
    data = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    try:
        # One compiler a call: it is made in two milliseconds, and threads share nothing but the fonts.
        compiler = typst.Compiler(
            template(name), font_paths=_fonts(), ignore_system_fonts=True, sys_inputs={"data": data}
        )
        made = (
            compiler.compile(format="pdf", pdf_standards=["ua-1"], timestamp=when)
            if form == "pdf"
            else compiler.compile(format="png", ppi=ppi, timestamp=when)
        )
    except typst.TypstError as error:
        raise DrawingError(
            "Le portrait n'a pas pu être mis en page.", where=name, why=error.message,
            next_step="signalez cette commune ; sa page et ses chiffres restent disponibles.",
        ) from error  # fmt: skip
    first = made[0] if isinstance(made, list) else made
    if first is None:
        raise DrawingError("Le portrait est vide.", where=name)
    return first


def made_at(snapshot: dict[str, Any]) -> dt.datetime:
    """Return the date of a snapshot, in universal time: the date of the files made from it."""
    when = dt.datetime.fromisoformat(snapshot["date"])
    return when.replace(tzinfo=dt.UTC) if when.tzinfo is None else when.astimezone(dt.UTC)


def portrait_pdf(page: TownPage, observatory: Observatory) -> bytes:
    """Return the portrait of a town as a tagged PDF of four to eight A4 pages.

    The same snapshot gives the same bytes, in any process and on any machine with the same packages.

    Parameters
    ----------
    page
        The portrait, its series and the map that locates the town.
    observatory
        The opened snapshot.

    Raises
    ------
    DrawingError
        When typst refuses, or when the fonts are not installed.
    """
    content = pdf_content(page, observatory)
    return typeset_file("portrait.typ", content, form="pdf", when=made_at(page.portrait.snapshot))
