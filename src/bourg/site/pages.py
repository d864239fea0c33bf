"""The pages of a site that are not about one town: home, departments, themes, method, feed, map of the site."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit
from xml.sax.saxutils import escape

import numpy as np

from bourg.indicators.engine import STATUSES, USABLE
from bourg.indicators.registry import Declaration, load_indicators
from bourg.indicators.theme_labels import THEMES
from bourg.portrait.document import KEY_FIGURES
from bourg.portrait.markup import plain, slug_of
from bourg.portrait.observatory import Observatory
from bourg.site.addresses import static_menu, town_name
from bourg.site.layout import CSS, SCRIPT, Frame, asset, fragment, whole_page
from bourg.site.towns import Scope, usable_text
from bourg.sources.model import load_catalogue
from bourg.text import count_of, format_date, join_words

INDEX = "recherche.json"
FEED = "nouveautes.atom"
_LISTED = 5
_KIND = {
    "count": "nombre", "share": "part", "ratio": "rapport", "change": "évolution", "amount": "montant",
    "index": "indice",
}  # fmt: skip


class Pages:
    """Makes the pages of one site.

    Parameters
    ----------
    observatory
        The opened snapshot.
    scope
        Communes of the site and its address.
    """

    def __init__(self, observatory: Observatory, scope: Scope) -> None:
        self._observatory, self._scope = observatory, scope
        self._towns = [observatory.commune(code) for code in sorted(scope.codes)]
        self._count = count_of(len(self._towns), "commune")

    def files(self) -> Iterator[tuple[str, bytes]]:
        """Yield the path and the content of every such file."""
        yield "index.html", self._home().encode()
        yield INDEX, self._index()
        for name in (CSS, SCRIPT):
            yield asset(name)
        yield from ((f"departement/{code}/index.html", self._departement(code)) for code in self._departements())
        yield "departement/index.html", self._departement_list()
        yield from ((f"theme/{theme}/index.html", self._theme(theme)) for theme in self._themes())
        yield "theme/index.html", self._list("Thèmes", "theme")
        yield from method_files(self._scope.address)
        yield "methode/index.html", self._list("Méthode", "methode")
        yield "404.html", self._missing().encode()
        address = self._scope.address or "http://localhost:8000/"
        yield "robots.txt", f"User-agent: *\nAllow: /\nSitemap: {address}sitemap.xml\n".encode()
        yield FEED, self._feed(address)

    def _departements(self) -> list[str]:
        return sorted(self._scope.departements)

    @staticmethod
    def _themes() -> list[str]:
        used = {item.declaration.theme for item in load_indicators().values()}
        return [theme for theme in THEMES if theme in used]

    def _page(self, name: str, title: str, description: str, main: str, *, script: bool = False) -> str:
        depth = name.count("/")
        root = "../" * depth or "./"
        address = self._scope.address
        frame = Frame(
            title=title, description=description, assets=root, home=root, menu=static_menu(root), script=script,
            canonical=f"{address}{name.removesuffix('index.html')}" if address else "", feed=f"{root}{FEED}",
        )  # fmt: skip
        return whole_page(frame, main)

    def _named(self) -> dict[str, str]:
        return {row["departement"]: row["departement_name"] for row in self._towns}

    def _home(self) -> str:
        manifest = self._observatory.snapshot.manifest
        names = self._named()
        counts: dict[str, int] = {}
        for row in self._towns:
            counts[row["departement"]] = counts.get(row["departement"], 0) + 1
        main = fragment(
            "home.html.j2", count=self._count, demo=self._observatory.snapshot.demo, index=INDEX,
            departements=[
                {"code": code, "name": names[code], "address": f"departement/{code}/",
                 "count": count_of(counts[code], "commune")}
                for code in self._departements()
            ],
            themes=[{"label": THEMES[theme], "address": f"theme/{theme}/"} for theme in self._themes()],
            snapshot=self._observatory.snapshot.id, date=format_date(manifest["created"][:10]),
            cog=str(manifest["cog"]),
        )  # fmt: skip
        title = "Bourg, l’observatoire des petites villes"
        about = f"Portraits chiffrés de {self._count}, d’après les sources officielles : population, logement…"
        return self._page("index.html", title, about, main, script=True)

    def _index(self) -> bytes:
        rows = [
            [row["code"], plain(row["name"]), slug_of(row["name"]), row["departement"], list(row["postal_codes"])]
            for row in self._towns
        ]
        return json.dumps(rows, ensure_ascii=False, separators=(",", ":")).encode()

    def _departement(self, code: str) -> bytes:
        towns = [row for row in self._towns if row["departement"] == code]
        matrix = self._observatory.matrix
        known = load_indicators()
        keys = [name for name in KEY_FIGURES if name in matrix.rows]
        lines = [matrix.row(name) for name in keys]
        rows, demo = [], False
        for row in towns:
            column = matrix.position(row["code"])
            cells = [self._text(name, line, column) for name, line in zip(keys, lines, strict=True)]
            demo |= any(cell.endswith("◆") for cell in cells)
            rows.append(
                {"name": row["name"], "address": f"../../ville/{town_name(row['code'], row['name'])}/", "cells": cells}
            )
        name = towns[0]["departement_name"]
        main = fragment(
            "departement.html.j2", name=name, code=code, region=towns[0]["region_name"], demo=demo, rows=rows,
            count=count_of(len(towns), "commune"), heads=[known[item].declaration.label for item in keys],
        )  # fmt: skip
        about = f"Les communes de ce département : {join_words([row['name'] for row in towns[:8]])}…"
        return self._page(f"departement/{code}/index.html", f"{name} ({code})", about, main).encode()

    def _departement_list(self) -> bytes:
        names = self._named()
        items = [
            {"label": f"{names[code]} ({code})", "address": f"{code}/", "note": ""} for code in self._departements()
        ]
        main = fragment("list.html.j2", title="Départements", intro=f"{self._count} en tout.", items=items, home="../")
        about = "Les communes de ce site, par département."
        return self._page("departement/index.html", "Départements", about, main).encode()

    def _list(self, title: str, folder: str) -> bytes:
        intro = {
            "Thèmes": "Pour chaque indicateur, les valeurs les plus élevées et les plus basses des communes.",
            "Méthode": "Ce que compte chaque indicateur, avec quelle formule, d’après quelles sources, et ce qu’il ne "
            "dit pas.",
        }[title]
        items = [{"label": THEMES[theme], "address": f"{theme}/", "note": ""} for theme in self._themes()]
        main = fragment("list.html.j2", title=title, intro=intro, items=items, home="../")
        return self._page(f"{folder}/index.html", title, intro, main).encode()

    def _text(self, name: str, line: int, column: int) -> str:
        matrix = self._observatory.matrix
        index = int(matrix.statuses[line, column])
        status = STATUSES[index] if index < len(STATUSES) else "missing"
        return usable_text(name, float(matrix.values[line, column]) if status in USABLE else None, status)

    def _theme(self, theme: str) -> bytes:
        matrix = self._observatory.matrix
        towns = {matrix.position(row["code"]): row for row in self._towns}
        columns = np.array(sorted(towns), dtype=np.int64)
        items = []
        for indicator in load_indicators().values():
            declared = indicator.declaration
            if declared.theme != theme or declared.id not in matrix.rows:
                continue
            line = matrix.row(declared.id)
            values = matrix.values[line, columns]
            known = columns[~np.isnan(values)]
            # Equal values: the order of the codes, so that the same snapshot gives the same page.
            order = known[np.lexsort((known, -matrix.values[line, known]))]
            tables = []
            if order.size > 2 * _LISTED and matrix.values[line, order[0]] > matrix.values[line, order[-1]]:
                chosen = [("Les plus élevées", order[:_LISTED]), ("Les plus basses", order[::-1][:_LISTED])]
                tables = [
                    (title, [self._ranked(declared.id, line, int(item), towns[int(item)]) for item in part])
                    for title, part in chosen
                ]
            told = "Chiffre connu pour " + count_of(len(order), "commune") if len(order) else "Aucun chiffre connu"
            items.append({"id": declared.id, "label": declared.label, "known": told, "tables": tables})
        main = fragment("theme.html.j2", label=THEMES[theme], theme=theme, count=self._count, items=items)
        about = f"{THEMES[theme]} : les valeurs extrêmes de chaque indicateur."
        return self._page(f"theme/{theme}/index.html", THEMES[theme], about, main).encode()

    def _ranked(self, name: str, line: int, column: int, row: dict[str, Any]) -> dict[str, str]:
        return {
            "name": row["name"], "departement": row["departement"], "text": self._text(name, line, column),
            "address": f"../../ville/{town_name(row['code'], row['name'])}/",
        }  # fmt: skip

    def _missing(self) -> str:
        message = "L’adresse demandée ne mène à aucune page. La commune a peut-être changé de nom ou fusionné."
        # Served for addresses of any depth: relative ones would not lead to the style sheet.
        root = urlsplit(self._scope.address).path or "/"
        main = fragment("missing.html.j2", message=message, near=[], home=root, title="Cette page n’existe pas")
        frame = Frame(title="Page introuvable", description=message, assets=root, home=root)
        return whole_page(frame, main)

    def _feed(self, address: str) -> bytes:
        manifest = self._observatory.snapshot.manifest
        when = manifest["created"]
        stamp = when if when.endswith("Z") or "+" in when else f"{when}Z"
        title = f"Nouvel instantané du {format_date(when[:10])} : {self._count}"
        sources = join_words(sorted({item["id"] for item in self._observatory.sources()}))
        return (
            '<?xml version="1.0" encoding="utf-8"?>\n<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="fr">\n'
            f"<title>Bourg, l’observatoire des petites villes</title><id>{escape(address)}</id>\n"
            f'<link rel="self" href="{escape(address)}{FEED}"/><link href="{escape(address)}"/>\n'
            f"<updated>{stamp}</updated><author><name>Bourg</name></author>\n"
            f"<entry><title>{escape(title)}</title><id>{escape(address)}#{self._observatory.snapshot.id}</id>"
            f'<link href="{escape(address)}"/><updated>{stamp}</updated>'
            f"<summary>Sources lues : {escape(sources)}.</summary></entry>\n</feed>\n"
        ).encode()


def sitemap(address: str, names: Sequence[str]) -> bytes:
    """Return the map of the site: every page in HTML but the error page."""
    pages = sorted(name.removesuffix("index.html") for name in names if name.endswith("index.html"))
    rows = "".join(f"<url><loc>{escape((address or 'http://localhost:8000/') + page)}</loc></url>\n" for page in pages)
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n'
        f"{rows}</urlset>\n"
    ).encode()


def method_files(address: str = "") -> Iterator[tuple[str, bytes]]:
    """Yield the pages that describe the indicators, theme by theme: they depend on the declarations only."""
    for theme, label in THEMES.items():
        main = method_main(theme, home="../../", parent="../")
        if not main:
            continue
        name = f"methode/{theme}/index.html"
        frame = Frame(
            title=f"Méthode : {label}", description=f"Définitions, formules, sources et limites : {label}.",
            assets="../../", home="../../", menu=static_menu("../../"),
            canonical=f"{address}methode/{theme}/" if address else "",
        )  # fmt: skip
        yield name, whole_page(frame, main).encode()


def method_main(theme: str, *, home: str, parent: str = "") -> str:
    """Return the description of the indicators of a theme; empty when it has none."""
    items = [
        {"id": item.declaration.id, "label": item.declaration.label, "rows": _rows(item.declaration),
         "sources": _sources(item.declaration)}
        for item in load_indicators().values()
        if item.declaration.theme == theme
    ]  # fmt: skip
    return fragment("method.html.j2", label=THEMES[theme], home=home, parent=parent, items=items) if items else ""


def _rows(declared: Declaration) -> list[tuple[str, str]]:
    senses = {"higher_is_better": "plus est mieux", "lower_is_better": "moins est mieux", "neutral": "ni bien ni mal"}
    rows = [
        ("Identifiant", declared.id), ("Unité", declared.unit or "sans unité"), ("Nature", _KIND[declared.kind]),
        ("Sens", senses[declared.direction]), ("Formule", declared.formula),
        ("Ce que ce chiffre ne dit pas", declared.limits), ("Secret", declared.secrecy or ""),
        ("Rupture de série", declared.series_break or ""), ("Référence", declared.reference),
    ]  # fmt: skip
    return [(name, text) for name, text in rows if text]


def _sources(declared: Declaration) -> list[dict[str, str]]:
    catalogue = load_catalogue()
    known = [catalogue[name] for name in declared.sources if name in catalogue]
    return [
        {"title": item.title, "producer": item.producer, "licence": item.licence,
         "page": item.landing_page if item.landing_page.startswith(("https://", "http://")) else ""}
        for item in known
    ]  # fmt: skip
