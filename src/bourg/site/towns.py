"""The files of towns: page, data and comparison with similar towns, made many at a time."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from bourg.indicators.engine import STATUSES, USABLE
from bourg.indicators.theme_labels import THEMES
from bourg.indicators.values import declaration_of, value_text
from bourg.portrait.charts import Evolution, drawable, evolutions
from bourg.portrait.document import Portrait, make_portraits
from bourg.portrait.locator import Locator
from bourg.portrait.markup import plain
from bourg.portrait.observatory import Observatory
from bourg.portrait.page import TownPage, landmarks, place_words, town_main
from bourg.site.addresses import StaticLinks, static_menu, town_name
from bourg.site.layout import Frame, fragment, whole_page

# Similar towns put beside a town.
_BESIDE = 5


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
    observatory: Observatory, codes: Sequence[str], scope: Scope
) -> Iterator[tuple[Portrait, dict[str, bytes]]]:
    """Make the files of some towns.

    Yields
    ------
    portrait, files
        The portrait, and path inside the site -> content.
    """
    series = evolutions(observatory, codes)
    locator = Locator(observatory)
    links = StaticLinks("../../", scope.codes, scope.departements)
    for portrait in make_portraits(observatory, codes):
        identity = portrait.identity
        page = TownPage(portrait, series[identity.code], locator.svg(identity.code))
        folder = f"ville/{town_name(identity.code, identity.name)}"
        frame = Frame(
            title=town_title(portrait), description=portrait.headline(), assets="../../", home="../../",
            menu=static_menu("../../"), canonical=f"{scope.address}{folder}/" if scope.address else "",
            data="portrait.json", feed="../../nouveautes.atom",
        )  # fmt: skip
        yield (
            portrait,
            {
                f"{folder}/index.html": whole_page(frame, town_main(page, links)).encode(),
                f"{folder}/portrait.json": portrait_json(page),
                f"{folder}/semblables/index.html": compare_page(observatory, portrait, scope).encode(),
            },
        )


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
        "indicateurs": {
            sheet.indicator: {
                "libelle": sheet.label, "unite": sheet.unit, "theme": sheet.theme, "valeur": sheet.value,
                "statut": sheet.status, "periode": sheet.period, "effectif": sheet.n,
                "places": {item.comparator: place_words(item) for item in sheet.comparisons},
                "ailleurs": {
                    item.level: None if item.value is None else round(item.value, sheet.decimals)
                    for item in landmarks(sheet)
                },
                "sources": [source.id for source in sheet.sources],
            }
            for sheet in portrait.sheets.values()
        },
        "series": {item.id: _series(item) for item in drawable(page.series)},
        "villes_semblables": [item.code for item in portrait.similar.neighbours] if portrait.similar else [],
        "sources": {
            name: {"titre": note.title, "producteur": note.producer, "millesime": note.vintage, "licence": note.licence,
                   "page": note.landing_page}
            for name, note in sorted(sources.items())
        },
    }  # fmt: skip
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


def _series(item: Evolution) -> dict[str, Any]:
    points = [[point.year, point.value, point.status] for point in item.points]
    return {"libelle": item.label, "unite": item.unit, "ruptures": [b.year for b in item.breaks], "points": points}


def compare_page(observatory: Observatory, portrait: Portrait, scope: Scope) -> str:
    """Return the page that puts a town beside the most similar ones, indicator by indicator."""
    identity = portrait.identity
    near = portrait.similar.neighbours[:_BESIDE] if portrait.similar else ()
    towns = [(identity.code, identity.name), *((item.code, item.name) for item in near)]
    links = StaticLinks("../../../", scope.codes, scope.departements)
    matrix = observatory.matrix
    columns = [matrix.position(code) for code, _ in towns]
    by_theme: dict[str, list[dict[str, Any]]] = {}
    demo = False
    for sheet in portrait.sheets.values():
        if sheet.status not in USABLE:
            continue
        row = matrix.row(sheet.indicator)
        values, statuses = matrix.values[row, columns].tolist(), matrix.statuses[row, columns].tolist()
        cells = [_cell(sheet.indicator, value, status) for value, status in zip(values, statuses, strict=True)]
        demo |= any(cell.endswith("◆") for cell in cells)
        by_theme.setdefault(sheet.theme, []).append({"label": sheet.label, "cells": cells})
    main = fragment(
        "compare.html.j2", name=identity.name, demo=demo,
        towns=[{"name": name, "address": links.town(code, name)} for code, name in towns],
        themes=[(label, by_theme[theme]) for theme, label in THEMES.items() if theme in by_theme],
    )  # fmt: skip
    folder = f"ville/{town_name(identity.code, identity.name)}/semblables/"
    frame = Frame(
        title=f"{identity.name} et les villes qui lui ressemblent", assets="../../../", home="../../../",
        description=f"Les chiffres de {identity.name} à côté de ceux des villes qui lui ressemblent.",
        menu=static_menu("../../../"), canonical=f"{scope.address}{folder}" if scope.address else "",
    )  # fmt: skip
    return whole_page(frame, main)


def _cell(indicator: str, value: float, index: int) -> str:
    status = STATUSES[index] if index < len(STATUSES) else "missing"
    if status not in USABLE:
        return value_text(indicator, None, status)
    return value_text(indicator, value, status) + (" ◆" if status == "demo" else "")


def usable_text(indicator: str, value: float | None, status: str) -> str:
    """Return the text of a value, with the mark of generated ones."""
    declaration_of(indicator)
    return value_text(indicator, value, status) + (" ◆" if status == "demo" else "")


def departements_of(observatory: Observatory, codes: Collection[str]) -> frozenset[str]:
    """Return the departments of some communes."""
    return frozenset(observatory.commune(code)["departement"] for code in codes)
