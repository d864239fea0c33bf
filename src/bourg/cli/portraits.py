"""The portrait in every form, as bytes, and the file that receives them: written whole, or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bourg.errors import ParameterError, StorageError
from bourg.portrait.comparison import sets_apart
from bourg.portrait.document import Portrait, make_portrait
from bourg.site.addresses import town_name

if TYPE_CHECKING:
    from bourg.compare.specificities import Specificities
    from bourg.portrait.observatory import Observatory
    from bourg.portrait.page import TownPage
    from bourg.portrait.themes.depth import ThemeDepth

_BY_SUFFIX = {".txt": "text", ".json": "json", ".html": "html", ".htm": "html", ".md": "md", ".pdf": "pdf"}
# Forms that have room for a comparison with communes chosen by hand.
_WITH_LIST = ("text", "json", "md")


@dataclass(frozen=True)
class Made:
    """A portrait in one form; ``name`` is ``12145-millau``."""

    name: str
    content: bytes


def format_of(asked: str | None, path: Path | None) -> str:
    """Return the form asked for, else the one of the name of the file, else text."""
    if asked is not None:
        return str(asked)
    return _BY_SUFFIX.get(path.suffix.lower(), "text") if path is not None else "text"


def portrait_content(
    observatory: Observatory, code: str, form: str, *, theme: str | None = None, among: Sequence[str] | None = None
) -> Made:
    """Return the portrait of a commune.

    Parameters
    ----------
    form
        ``text``, ``json``, ``html``, ``md`` or ``pdf``.
    theme
        Figures of one theme only, by id or French name.
    among
        Codes of communes to compare with as well, for the forms that have room for it.

    Raises
    ------
    ParameterError
        When the theme is unknown, or the form has no room for the list.
    DrawingError
        When the PDF could not be set.
    """
    from bourg.indicators.theme_labels import theme_of  # noqa: PLC0415

    if among and form not in _WITH_LIST:
        raise ParameterError(
            f"--parmi ne va pas avec la forme « {form} ».", next_step=f"choisissez --format {', '.join(_WITH_LIST)}."
        )
    portrait = make_portrait(observatory, code)
    chosen = theme_of(theme) if theme is not None else None
    if chosen is not None:
        portrait = portrait.of_theme(chosen)
    name = town_name(portrait.identity.code, portrait.identity.name)
    apart = sets_apart(observatory, portrait.identity.code, "list", codes=among) if among else None
    depth = _depth(observatory, portrait.identity.code, chosen) if form in _WITH_LIST else None
    if form == "json":
        return Made(name, _json(portrait, among, apart, depth))
    if form == "text":
        text = _in_brief(portrait.to_text(), "\n", "\nEN BREF", "  ", depth)
        return Made(name, (text + "\n" + _listed(apart, "PARMI LES COMMUNES CHOISIES", "  ")).encode())
    page = _page(observatory, portrait, chosen)
    if form == "md":
        from bourg.portrait.markdown import portrait_markdown, told  # noqa: PLC0415

        listed = _listed(apart, "## Parmi les communes choisies\n", "- ", told)
        text = _in_brief(portrait_markdown(page), "\n\n## ", "\n## En bref\n", "- ", depth, told)
        return Made(name, (text + listed).encode())
    if form == "html":
        from bourg.site.standalone import standalone_page  # noqa: PLC0415

        return Made(name, standalone_page(page).encode())
    from bourg.portrait.pdf.render import portrait_pdf  # noqa: PLC0415

    return Made(name, portrait_pdf(page, observatory))


def _page(observatory: Observatory, portrait: Portrait, theme: str | None) -> TownPage:
    from bourg.portrait.charts import evolution  # noqa: PLC0415
    from bourg.portrait.locator import Locator  # noqa: PLC0415
    from bourg.portrait.page import TownPage  # noqa: PLC0415

    code = portrait.identity.code
    series = tuple(item for item in evolution(observatory, code) if theme is None or item.theme == theme)
    return TownPage(portrait, series, Locator(observatory).svg(code))


def _depth(observatory: Observatory, code: str, theme: str | None) -> ThemeDepth | None:
    if theme is None:
        return None
    from bourg.portrait.themes.depth import theme_depth  # noqa: PLC0415

    return theme_depth(observatory, code, theme)


def _in_brief(
    text: str, before: str, title: str, bullet: str, depth: ThemeDepth | None, shown: Callable[[str], str] = str
) -> str:
    """Put the sentences of the page of a theme before the figures."""
    if depth is None:
        return text
    head, mark, rest = text.partition(before)
    lines = "\n".join(f"{bullet}{shown(sentence)}" for sentence in depth.sentences)
    return f"{head}\n{title}\n{lines}{mark}{rest}"


def _json(
    portrait: Portrait, among: Sequence[str] | None, apart: Specificities | None, depth: ThemeDepth | None
) -> bytes:
    told = portrait.to_dict()
    if depth is not None:
        told["page_du_theme"] = depth.content
    if apart is not None:
        told["parmi_les_communes_choisies"] = {
            "codes": list(among or ()), "message": apart.message, "phrases": [item.sentence for item in apart.traits],
        }  # fmt: skip
    return (json.dumps(told, ensure_ascii=False, indent=2) + "\n").encode()


def _listed(apart: Specificities | None, title: str, bullet: str, shown: Callable[[str], str] = str) -> str:
    """Return what sets the town apart from communes chosen by hand, empty without them."""
    if apart is None:
        return ""
    lines = [f"{bullet}{shown(item.sentence)}{' ◆' if item.demo else ''}" for item in apart.traits]
    return "\n".join(["", title, *([shown(apart.message)] if apart.message else []), *lines]) + "\n"


def write_file(path: Path, content: bytes) -> Path:
    """Write a file through a neighbour that then takes its name: what was there stays until all is written.

    Raises
    ------
    ParameterError
        When the path is a folder, or its folder does not exist.
    StorageError
        When the disk refuses; nothing is left behind.
    """
    if path.is_dir():
        raise ParameterError(
            "La sortie demandée est un dossier, pas un fichier.", where=str(path),
            next_step="donnez un nom de fichier : -o dossier/portrait.pdf.",
        )  # fmt: skip
    if not path.parent.is_dir():
        raise ParameterError(
            "Le dossier de la sortie n'existe pas.",
            where=str(path.parent),
            next_step="créez-le, ou donnez-en un autre.",
        )
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        try:
            part.write_bytes(content)
            part.replace(path)
        except OSError:
            part.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise StorageError(
            "Le portrait ne peut pas être écrit.", where=str(path), why=error.strerror or str(error),
            next_step="vérifiez les droits et la place libre, ou donnez un autre fichier avec -o.",
        ) from error  # fmt: skip
    return path
