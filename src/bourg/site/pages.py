"""The pages of a site that are not about one town, department or theme: home, lists, methods, news."""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.parse import urlsplit

from bourg.indicators.registry import Declaration, load_indicators
from bourg.indicators.theme_labels import THEMES
from bourg.portrait.markup import plain, slug_of
from bourg.portrait.observatory import Observatory
from bourg.site.accessibility import DESCRIPTION, statement_main
from bourg.site.accessibility import TITLE as STATEMENT
from bourg.site.feeds import JSON_FEED, LOCAL, TITLE, atom, json_feed, news, robots
from bourg.site.layout import CSS, FEED, SCRIPT, Frame, asset, fragment, site_page, whole_page
from bourg.site.selection import known_rows
from bourg.site.themes import themes_in_use
from bourg.site.towns import Scope
from bourg.sources.model import load_catalogue
from bourg.text import count_of, format_date

INDEX = "recherche.json"
_KIND = {
    "count": "nombre", "share": "part", "ratio": "rapport", "change": "évolution", "amount": "montant",
    "index": "indice",
}  # fmt: skip


class Pages:
    """Makes these pages for one site.

    Parameters
    ----------
    observatory
        The opened snapshot.
    scope
        Communes of the site and its address.
    """

    def __init__(self, observatory: Observatory, scope: Scope) -> None:
        self._observatory, self._scope = observatory, scope
        self._towns = known_rows(observatory, scope.codes)
        self._count = count_of(len(self._towns), "commune")

    def files(self) -> Iterator[tuple[str, bytes]]:
        """Yield the path and the content of every such file."""
        yield "index.html", self._home().encode()
        yield INDEX, self._index()
        for name in (CSS, SCRIPT):
            yield asset(name)
        yield "departement/index.html", self._departement_list()
        yield "theme/index.html", self._list("Thèmes", "theme")
        yield "methode/index.html", self._list("Méthode", "methode")
        yield "accessibilite/index.html", self._statement().encode()
        yield "404.html", self._missing().encode()
        address = self._scope.address or LOCAL
        yield "robots.txt", robots(self._scope.address)
        entries = news(self._observatory, address, self._count)
        yield FEED, atom(self._observatory, entries, address)
        yield JSON_FEED, json_feed(self._observatory, entries, address)

    def _departements(self) -> list[str]:
        return sorted(self._scope.departements)

    def _page(self, name: str, title: str, description: str, main: str, *, script: bool = False) -> str:
        return site_page(name, title, description, main, self._scope.address, script=script)

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
            themes=[{"label": THEMES[theme], "address": f"theme/{theme}/"} for theme in themes_in_use()],
            snapshot=self._observatory.snapshot.id, date=format_date(manifest["created"][:10]),
            cog=str(manifest["cog"]),
        )  # fmt: skip
        about = f"Portraits chiffrés de {self._count}, d’après les sources officielles : population, logement…"
        return self._page("index.html", TITLE, about, main, script=True)

    def _index(self) -> bytes:
        rows = [
            [row["code"], plain(row["name"]), slug_of(row["name"]), row["departement"], list(row["postal_codes"])]
            for row in self._towns
        ]
        return json.dumps(rows, ensure_ascii=False, separators=(",", ":")).encode()

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
            "Thèmes": "Pour chaque indicateur : sa définition, sa répartition entre les communes du pays, la carte et "
            "le tableau des départements.",
            "Méthode": "Ce que compte chaque indicateur, avec quelle formule, d’après quelles sources, et ce qu’il ne "
            "dit pas.",
        }[title]
        counts: dict[str, int] = {}
        for item in load_indicators().values():
            counts[item.declaration.theme] = counts.get(item.declaration.theme, 0) + 1
        items = [
            {"label": THEMES[theme], "address": f"{theme}/", "note": count_of(counts[theme], "indicateur")}
            for theme in themes_in_use()
        ]
        main = fragment("list.html.j2", title=title, intro=intro, items=items, home="../")
        return self._page(f"{folder}/index.html", title, intro, main).encode()

    def _statement(self) -> str:
        main = statement_main("../", town="ville/12145-millau/")
        return self._page("accessibilite/index.html", STATEMENT, DESCRIPTION, main)

    def _missing(self) -> str:
        message = "L’adresse demandée ne mène à aucune page. La commune a peut-être changé de nom ou fusionné."
        # Served for addresses of any depth: relative ones would not lead to the style sheet.
        root = urlsplit(self._scope.address).path or "/"
        main = fragment("missing.html.j2", message=message, near=[], home=root, title="Cette page n’existe pas")
        frame = Frame(title="Page introuvable", description=message, assets=root, home=root)
        return whole_page(frame, main)


def method_files(address: str = "") -> Iterator[tuple[str, bytes]]:
    """Yield the pages that describe the indicators, theme by theme: they depend on the declarations only."""
    for theme, label in THEMES.items():
        main = method_main(theme, home="../../", parent="../")
        if not main:
            continue
        name = f"methode/{theme}/index.html"
        about = f"Définitions, formules, sources et limites : {label}."
        yield name, site_page(name, f"Méthode : {label}", about, main, address).encode()


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
