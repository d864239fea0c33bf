"""The pages of departments: two maps of their communes, what these communes look like, and the towns of the site."""

from __future__ import annotations

import json
from typing import Any

import polars as pl

from bourg.indicators.values import declaration_of, value_text
from bourg.portrait.document import KEY_FIGURES
from bourg.portrait.locator import Locator
from bourg.portrait.markup import plain
from bourg.portrait.observatory import Observatory
from bourg.site.addresses import town_name
from bourg.site.feeds import JSON_FEED
from bourg.site.layout import fragment, site_page
from bourg.site.shapes import Shapes, value_map
from bourg.site.territories import Territories
from bourg.site.towns import Scope
from bourg.text import count_of, join_words, unaccented

# Drawn on the page of every department: how its population moves, and how many dwellings stand empty.
MAPPED = ("population.change_annual", "housing.vacancy_rate")
_NAMED = 8


class DepartementPages:
    """Makes the pages of the departments of one site.

    Parameters
    ----------
    observatory
        The opened snapshot.
    scope
        Communes of the site and its address.
    locator
        Draws the outlines; shared with the pages of the towns.
    """

    def __init__(self, observatory: Observatory, scope: Scope, locator: Locator | None = None) -> None:
        self._observatory, self._scope = observatory, scope
        self._locator = locator or Locator(observatory)
        self._territories = Territories(observatory)
        self._keys = [name for name in KEY_FIGURES if name in observatory.matrix.rows]

    def files(self, code: str) -> dict[str, bytes]:
        """Return the path and the content of the files of a department."""
        inside = self._observatory.communes.filter(pl.col("departement") == code)
        every = inside["code"].to_list()
        towns = [row for row in inside.iter_rows(named=True) if row["code"] in self._scope.codes]
        towns.sort(key=lambda row: (unaccented(row["name"]), row["code"]))
        first = inside.row(0, named=True)
        name = first["departement_name"]
        cells = {row["code"]: {key: self._territories.commune(key, row["code"]) for key in self._keys} for row in towns}
        medians = [self._median(code, key) for key in self._keys]
        maps = self._maps(code, every)
        texts = [cell.text for row in cells.values() for cell in row.values()]
        texts += [text for row in medians for text in row]
        main = fragment(
            "departement.html.j2", name=name, code=code, region=first["region_name"],
            every=count_of(len(every), "commune"), whole=len(every) == len(towns), maps=maps, medians=medians,
            demo=any(text.endswith("◆") for text in texts) or any(item["demo"] for item in maps),
            count=count_of(len(towns), "commune"),
            heads=[(declaration_of(key).label, declaration_of(key).unit) for key in self._keys],
            rows=[
                {"name": row["name"], "address": f"../../ville/{town_name(row['code'], row['name'])}/",
                 "cells": [cell.number(key) for key, cell in cells[row["code"]].items()]}
                for row in towns
            ],
        )  # fmt: skip
        about = f"Les communes de ce département : {join_words([row['name'] for row in towns[:_NAMED]])}…"
        folder = f"departement/{code}/"
        page = site_page(
            f"{folder}index.html", f"{name} ({code})", about, main, self._scope.address, data="departement.json"
        )
        content = {
            "departement": {"code": code, "nom": plain(name), "region": first["region"], "communes": len(every)},
            "nouveautes": f"../../{JSON_FEED}",
            "indicateurs": {key: self._described(code, key) for key in self._keys},
            "communes": [
                {"code": row["code"], "nom": plain(row["name"]),
                 "page": f"ville/{town_name(row['code'], row['name'])}/",
                 "valeurs": {key: [cell.value, cell.status] for key, cell in cells[row["code"]].items()}}
                for row in towns
            ],
        }  # fmt: skip
        data = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
        return {f"{folder}index.html": page.encode(), f"{folder}departement.json": data}

    def _median(self, code: str, key: str) -> tuple[str, ...]:
        """Return the line of an indicator: its label, the department, the middle of its communes, France."""
        declared = declaration_of(key)
        label = f"{declared.label} ({declared.unit})" if declared.unit else declared.label
        whole = self._territories.departement(code).get(key)
        spread = self._territories.spread("departement", code, key)
        france = self._territories.france(key)
        if spread is None:
            middle = half = "trop peu de communes"
        else:
            middle = spread.text(key, spread.median)
            half = f"{spread.text(key, spread.q1)} à {spread.text(key, spread.q3)}"
        far = "–" if declared.kind == "count" else france[1].text if france else value_text(key, None, "missing")
        return label, whole.text if whole else "–", middle, half, far

    def _described(self, code: str, key: str) -> dict[str, Any]:
        declared = declaration_of(key)
        whole, spread = self._territories.departement(code).get(key), self._territories.spread("departement", code, key)
        return {
            "libelle": declared.label, "unite": declared.unit,
            "departement": None if whole is None else [whole.value, whole.status, whole.period],
            "mediane_des_communes": None if spread is None else round(spread.median, declared.decimals),
            "communes_connues": 0 if spread is None else spread.n,
        }  # fmt: skip

    def _maps(self, code: str, every: list[str]) -> list[dict[str, Any]]:
        outlines = self._locator.communes_of(code)
        if outlines is None:
            return []
        width, height, paths = outlines
        shapes = Shapes(width, height, {name: path for name, path in paths.items() if path})
        made: list[dict[str, Any]] = []
        for key in MAPPED:
            if key not in self._observatory.matrix.rows or not shapes.paths:
                continue
            declared = declaration_of(key)
            cells = dict(self._territories.communes(key, every))
            values = {name: cell.value for name, cell in cells.items()}
            if all(value is None for value in values.values()):
                continue
            drawing = value_map(
                shapes, values, label=declared.label, unit=declared.unit, decimals=declared.decimals,
                change=declared.kind == "change", members=("commune", "communes"),
            )  # fmt: skip
            periods = sorted({cell.period for cell in cells.values() if cell.period})
            made.append({
                "label": declared.label, "unit": declared.unit, "period": ", ".join(periods[:2]), "svg": drawing,
                "forms": "" if made else shapes.definitions(), "demo": any(cell.demo for cell in cells.values()),
                "method": f"../../methode/{declared.theme}/#{key}",
            })  # fmt: skip
        return made
