"""The shops of one town from every source at hand, each counted once: table, CSV and GeoJSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from bourg.commerce.chains import CLASSES, EVIDENCE
from bourg.commerce.matching import DOUBTFUL, SAME, SOURCES, ShopTable, merge_shops, sirene_rows
from bourg.commerce.osm import VACANT_LABEL, VACANT_SCHEMA, OsmShops
from bourg.commerce.typology import typology
from bourg.store.spreadsheets import safe_cell
from bourg.text import NBSP, count_of, format_number, join_words

COLUMNS = {
    "nom": "Nom", "type": "Type", "groupe": "Groupe", "autres_activites": "Autres activités", "classe": "Classe",
    "preuve": "Preuve de la classe", "enseigne": "Enseigne", "wikidata": "Wikidata", "sources": "Sources",
    "rapprochement": "Preuve du rapprochement", "distance_m": "Distance des sources (m)", "siret": "SIRET",
    "objet_osm": "Objet OpenStreetMap", "longitude": "Longitude", "latitude": "Latitude",
}  # fmt: skip
ATTRIBUTION = {
    "sirene": "Insee, base Sirene (Licence Ouverte 2.0)",
    "osm": "© les contributeurs d'OpenStreetMap (ODbL 1.0)",
    "banco": "BANCO, d'après OpenStreetMap (ODbL 1.0)",
}


@dataclass(frozen=True)
class TownShops:
    """The shops of a town.

    Attributes
    ----------
    code
        Insee code.
    table
        Shops, merged pairs and doubtful ones.
    vacant
        Premises that OpenStreetMap says empty: a proxy, apart.
    sources
        Sources read -> rows given.
    notes
        French remarks: what was left aside, and why.
    """

    code: str
    table: ShopTable
    vacant: pl.DataFrame
    sources: Mapping[str, int]
    notes: tuple[str, ...]

    def sentences(self) -> list[str]:
        """Return French sentences: the count, its bounds, the sources, the empty premises."""
        low, high = self.table.bounds
        told = [SOURCES[name] for name in self.sources]
        lines = [
            f"{count_of(high, 'commerce')}, d'après {join_words(told)}." if told else "Aucune source de commerces."
        ]
        if self.table.merged.height:
            pairs = count_of(self.table.merged.height, "rapprochement", "rapprochements")
            lines.append(f"{pairs}{NBSP}: un commerce dit par deux sources n'est compté qu'une fois.")
        if low < high:
            doubt = count_of(high - low, "rapprochement douteux", "rapprochements douteux")
            lines.append(
                f"{doubt} ({DOUBTFUL}){NBSP}: il y a de {format_number(low)} à {format_number(high)} commerces."
            )
        if self.vacant.height:
            lines.append(f"{VACANT_LABEL}{NBSP}: {format_number(self.vacant.height)}.")
        return [*lines, *(f"{note[:1].upper()}{note[1:]}." for note in self.notes)]

    def rows(self) -> list[dict[str, Any]]:
        """Return one dict per shop, keys of :data:`COLUMNS`, in French words."""
        return [_row(shop) for shop in self.table.shops.iter_rows(named=True)]

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        low, high = self.table.bounds
        return {
            "code": self.code, "phrases": self.sentences(), "sources": dict(self.sources),
            "attribution": [ATTRIBUTION[name] for name in self.sources], "nombre": high, "nombre_au_moins": low,
            "commerces": self.rows(), "rapprochements": self.table.merged.to_dicts(),
            "douteux": self.table.doubtful.to_dicts(), "locaux_vides": self.vacant.to_dicts(),
            "locaux_vides_libelle": VACANT_LABEL,
        }  # fmt: skip

    def to_csv(self) -> str:
        """Return the table: semicolons, French headers, point decimals; no cell is run as a formula."""
        rows = [{label: _safe(row[key]) for key, label in COLUMNS.items()} for row in self.rows()]
        schema = {
            label: pl.Float64 if key in {"longitude", "latitude", "distance_m"} else pl.String
            for key, label in COLUMNS.items()
        }
        return pl.DataFrame(rows, schema=schema, orient="row").write_csv(separator=";")

    def to_geojson(self) -> dict[str, Any]:
        """Return the shops that have a place, and the empty premises marked ``local_vide``."""
        features = [_feature(row, local_vide=False) for row in self.rows() if row["longitude"] is not None]
        for item in self.vacant.iter_rows(named=True):
            if item["longitude"] is not None:
                row = {
                    "nom": item["name"], "type": _label(item["former_type"]), "objet_osm": item["osm_ref"],
                    "longitude": item["longitude"], "latitude": item["latitude"],
                }  # fmt: skip
                features.append(_feature(row, local_vide=True))
        return {
            "type": "FeatureCollection", "attribution": [ATTRIBUTION[name] for name in self.sources],
            "remarques": self.sentences(), "features": features,
        }  # fmt: skip


def town_shops(
    code: str,
    *,
    sirene: pl.DataFrame | None = None,
    osm: OsmShops | None = None,
    banco: pl.DataFrame | None = None,
    companies: pl.Series | None = None,
    notes: Sequence[str] = (),
) -> TownShops:
    """Bring the sources of one town together.

    Parameters
    ----------
    code
        Insee code.
    sirene
        Rows of the table ``shops`` of the town; closed shops are left out.
    osm
        Answer of :func:`bourg.commerce.osm.shops_of_extract` for the town.
    banco
        Rows of the table ``open_shops`` of the town.
    companies
        SIREN numbers of networks in the whole country.
    notes
        French remarks to keep with the table.
    """
    parts: dict[str, pl.DataFrame] = {}
    if sirene is not None:
        parts["sirene"] = sirene_rows(sirene)
    if osm is not None:
        parts["osm"] = osm.shops
    if banco is not None:
        parts["banco"] = banco
    table = merge_shops(parts, companies)
    vacant = osm.vacant if osm is not None else pl.DataFrame(schema=VACANT_SCHEMA)
    told = (*notes, *(osm.notes if osm is not None else ()))
    return TownShops(code, table, vacant, {name: rows.height for name, rows in parts.items()}, told)


def _label(kind: str | None) -> str:
    return typology().label(kind) if kind else ""


def _row(shop: dict[str, Any]) -> dict[str, Any]:
    return {
        "nom": shop["name"], "type": _label(shop["type"]), "groupe": _label(shop["group"]),
        "autres_activites": ", ".join(_label(kind) for kind in (shop["other_types"] or "").split("+") if kind) or None,
        "classe": CLASSES[shop["chain"]], "preuve": EVIDENCE[shop["evidence"]], "enseigne": shop["brand"],
        "wikidata": shop["wikidata"], "sources": " + ".join(SOURCES[name] for name in shop["sources"].split("+")),
        "rapprochement": SAME[shop["same"]] if shop["same"] else None, "distance_m": shop["distance_m"],
        "siret": shop["siret"], "objet_osm": shop["osm_ref"], "longitude": shop["longitude"],
        "latitude": shop["latitude"],
    }  # fmt: skip


def _safe(value: Any) -> Any:  # noqa: ANN401 - a cell
    return safe_cell(value) if isinstance(value, str) else value


def _feature(row: dict[str, Any], **more: object) -> dict[str, Any]:
    place = {"type": "Point", "coordinates": [row["longitude"], row["latitude"]]}
    properties = {key: value for key, value in row.items() if key not in {"longitude", "latitude"}}
    return {"type": "Feature", "geometry": place, "properties": properties | more}
