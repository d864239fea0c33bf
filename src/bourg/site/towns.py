"""The files of towns: page, data and comparison with similar towns, made many at a time."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from bourg.compare.matrix import CommuneMatrix
from bourg.indicators.engine import STATUSES, USABLE
from bourg.indicators.registry import Declaration
from bourg.indicators.theme_labels import THEMES
from bourg.indicators.values import ValueSheet, declaration_of, value_text
from bourg.portrait.charts import Evolution, drawable, evolutions
from bourg.portrait.document import Portrait, make_portraits
from bourg.portrait.locator import Locator
from bourg.portrait.markup import plain, shown
from bourg.portrait.observatory import Observatory
from bourg.portrait.page import TownPage, town_main
from bourg.portrait.page_figures import landmarks, place_words
from bourg.site.addresses import StaticLinks, static_menu, town_name
from bourg.site.layout import Frame, fragment, whole_page
from bourg.site.selection import known_rows
from bourg.text import NBSP, format_number

# Similar towns put beside a town.
BESIDE = 5


@dataclass(frozen=True)
class Scope:
    """What every page of a site has to know of it.

    Attributes
    ----------
    codes, departements
        Communes and departments that have a page.
    address
        Address of the site, ending with ``/``; empty when it is not known.
    """

    codes: frozenset[str]
    departements: frozenset[str]
    address: str = ""


def town_title(portrait: Portrait) -> str:
    """Return « Millau (Aveyron) : portrait »."""
    return f"{portrait.identity.name} ({portrait.identity.departement['nom']}) : portrait de la commune"


def town_files(
    observatory: Observatory, codes: Sequence[str], scope: Scope, locator: Locator | None = None
) -> Iterator[tuple[Portrait, dict[str, bytes]]]:
    """Make the files of some towns.

    Yields
    ------
    portrait, files
        The portrait, and path inside the site -> content.
    """
    series = evolutions(observatory, codes)
    drawn = locator or Locator(observatory)
    for portrait in make_portraits(observatory, codes, stable=False):
        identity = portrait.identity
        page = TownPage(portrait, series[identity.code], drawn.svg(identity.code))
        names = town_paths(identity.code, identity.name)
        near = portrait.similar.neighbours[:BESIDE] if portrait.similar else ()
        towns = [(item.code, item.name) for item in near]
        yield (
            portrait,
            {
                names.page: town_page(page, scope).encode(),
                names.data: portrait_json(page),
                names.beside: compare_page(observatory, portrait, towns, scope).encode(),
            },
        )


@dataclass(frozen=True)
class TownPaths:
    """Where the files of a town are inside a site: its page, its data, its comparison with similar towns."""

    folder: str
    page: str
    data: str
    beside: str


def town_paths(code: str, name: str) -> TownPaths:
    """Return the paths of the files of a town."""
    folder = f"ville/{town_name(code, name)}"
    return TownPaths(folder, f"{folder}/index.html", f"{folder}/portrait.json", f"{folder}/semblables/index.html")


def town_links(scope: Scope) -> StaticLinks:
    """Return the addresses of the other pages, as seen from the page of a town."""
    return StaticLinks("../../", scope.codes, scope.departements)


def town_page(page: TownPage, scope: Scope) -> str:
    """Return the page of a town in the static site."""
    identity = page.portrait.identity
    links = town_links(scope)
    folder = town_paths(identity.code, identity.name).folder
    frame = Frame(
        title=town_title(page.portrait), description=page.portrait.headline(), assets="../../", home="../../",
        menu=static_menu("../../"), canonical=f"{scope.address}{folder}/" if scope.address else "",
        data="portrait.json", feed="../../nouveautes.atom",
    )  # fmt: skip
    return whole_page(frame, town_main(page, links))


def portrait_json(page: TownPage) -> bytes:
    """Return the figures of a page for programs: values, statuses, places, sources and series, no sentence."""
    portrait = page.portrait
    identity = portrait.identity
    sources = {source.id: source for sheet in portrait.sheets.values() for source in sheet.sources}
    content = {
        "commune": {
            "code": identity.code, "nom": plain(identity.name), "departement": identity.departement["code"],
            "region": identity.region["code"], "epci": identity.epci["code"] if identity.epci else None,
            "codes_postaux": identity.postal_codes, "population": identity.population,
            "petite_ville_de_demain": identity.pvd["beneficiaire"],
        },
        "instantane": portrait.snapshot,
        "indicateurs": {sheet.indicator: sheet_json(sheet) for sheet in portrait.sheets.values()},
        "series": {item.id: _series(item) for item in drawable(page.series)},
        "villes_semblables": [item.code for item in portrait.similar.neighbours] if portrait.similar else [],
        "sources": {
            name: {"titre": note.title, "producteur": note.producer, "millesime": note.vintage, "licence": note.licence,
                   "page": note.landing_page}
            for name, note in sorted(sources.items())
        },
    }  # fmt: skip
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


def sheet_json(sheet: ValueSheet) -> dict[str, Any]:
    """Return the entry of a figure in the data of a town."""
    return {
        "libelle": sheet.label, "unite": sheet.unit, "theme": sheet.theme, "valeur": sheet.value,
        "statut": sheet.status, "periode": sheet.period, "effectif": sheet.n,
        "places": {item.comparator: place_words(item) for item in sheet.comparisons},
        "ailleurs": {
            item.level: None if item.value is None else round(item.value, sheet.decimals) for item in landmarks(sheet)
        },
        "sources": [source.id for source in sheet.sources],
    }  # fmt: skip


def _series(item: Evolution) -> dict[str, Any]:
    points = [[point.year, point.value, point.status] for point in item.points]
    return {"libelle": item.label, "unite": item.unit, "ruptures": [b.year for b in item.breaks], "points": points}


def compare_page(observatory: Observatory, portrait: Portrait, near: Sequence[tuple[str, str]], scope: Scope) -> str:
    """Return the page that puts a town beside the most similar ones, indicator by indicator.

    Parameters
    ----------
    near
        Code and name of these towns.
    """
    identity = portrait.identity
    towns = [(identity.code, identity.name), *near]
    links = StaticLinks("../../../", scope.codes, scope.departements)
    matrix = observatory.matrix
    columns = [matrix.position(code) for code, _ in towns]
    by_theme: dict[str, list[str]] = {}
    for sheet in portrait.sheets.values():
        if sheet.status not in USABLE:
            continue
        declared = declaration_of(sheet.indicator)
        by_theme.setdefault(sheet.theme, []).append(compare_line(matrix, columns, declared))
    main = fragment(
        "compare.html.j2", name=identity.name, demo=observatory.snapshot.demo,
        towns=[{"name": name, "address": links.town(code, name)} for code, name in towns],
        themes=[(label, "".join(by_theme[theme])) for theme, label in THEMES.items() if theme in by_theme],
    )  # fmt: skip
    folder = f"ville/{town_name(identity.code, identity.name)}/semblables/"
    frame = Frame(
        title=f"{identity.name} et les villes qui lui ressemblent", assets="../../../", home="../../../",
        description=f"Les chiffres de {identity.name} à côté de ceux des villes qui lui ressemblent.",
        menu=static_menu("../../../"), canonical=f"{scope.address}{folder}" if scope.address else "",
    )  # fmt: skip
    return whole_page(frame, main)


def compare_line(matrix: CommuneMatrix, columns: Sequence[int], declared: Declaration) -> str:
    """Return the line of a figure in the page of similar towns.

    Written here: a template takes three times as long for the nine hundred cells of a page.

    Parameters
    ----------
    columns
        Columns of the town, then of the towns beside it.
    """
    number = matrix.row(declared.id)
    values, statuses = matrix.values[number, columns].tolist(), matrix.statuses[number, columns].tolist()
    decimals, sign = declared.decimals, _CELL_UNITS.get(declared.unit, "")
    cells = [
        # The unit stands once, beside the label; a share keeps its sign.
        f"{format_number(value, decimals)}{sign}{_MARKS[status]}"
        if _MARKS[status] is not None
        else shown(value_text(declared.id, None, STATUSES[status] if status < len(STATUSES) else "missing"))
        for value, status in zip(values, statuses, strict=True)
    ]
    return f"{_line_head(declared.id, declared.label, declared.unit)}{'</td><td>'.join(cells)}</td></tr>\n"


# What follows a usable value, by index of its status; None for the others, and after the last status.
_MARKS = (*((" ◆" if status == "demo" else "") if status in USABLE else None for status in STATUSES), None)
_CELL_UNITS = {"%": f"{NBSP}%"}


@lru_cache(maxsize=1024)
def _line_head(indicator: str, label: str, unit: str) -> str:
    small = f" <small>({shown(unit)})</small>" if unit not in ("", "%") else ""
    return f'<tr id="{indicator}"><th scope="row">{shown(label)}{small}</th><td>'


def departements_of(observatory: Observatory, codes: Collection[str]) -> frozenset[str]:
    """Return the departments of some communes of the reference geography."""
    return frozenset(row["departement"] for row in known_rows(observatory, codes))
