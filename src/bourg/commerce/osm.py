"""Shops of an OpenStreetMap extract: open ones with their types and brands, and empty premises apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import shapely
from osmium.filter import KeyFilter
from shapely.geometry.base import BaseGeometry

from bourg.access.places.osm_places import OsmObject, extent_of_extract, read_objects
from bourg.commerce.typology import group_of, osm_types, typology, vacant_tag
from bourg.errors import SourceFormatError
from bourg.text import NBSP, count_of, format_number

SHOP_SCHEMA = {
    "shop_id": pl.String, "code": pl.String, "type": pl.String, "group": pl.String, "other_types": pl.String,
    "name": pl.String, "name_other": pl.String, "siret": pl.String, "naf": pl.String, "osm_ref": pl.String,
    "osm_brand": pl.String, "osm_wikidata": pl.String, "osm_operator": pl.String, "longitude": pl.Float64,
    "latitude": pl.Float64,
}  # fmt: skip
VACANT_SCHEMA = {
    "osm_ref": pl.String, "former_type": pl.String, "name": pl.String, "longitude": pl.Float64, "latitude": pl.Float64,
}  # fmt: skip
VACANT_LABEL = "Locaux dits vides ou fermés par OpenStreetMap (indice de vacance, relevé par des volontaires)"
_FORMER = "disused:shop"
_SIRET = "ref:FR:SIRET"
_SIRET_DIGITS = 14
_MAX_TOLD = 8
# Under this share of the commune, the extract is told to be partial.
_WHOLE = 0.99


@dataclass(frozen=True)
class OsmShops:
    """Shops of an extract.

    Attributes
    ----------
    shops
        One row per open shop of the typology (:data:`SHOP_SCHEMA`); ``other_types`` joins with ``+`` the other
        activities of a shop counted once; ``longitude, latitude`` are null when the extract lacks the geometry.
    vacant
        Premises said to be empty or disused (:data:`VACANT_SCHEMA`): a proxy of vacancy, never a survey.
    unclassified
        ``key=value`` tags that are no type of our typology -> objects.
    notes
        French remarks.
    """

    shops: pl.DataFrame
    vacant: pl.DataFrame
    unclassified: Mapping[str, int]
    notes: tuple[str, ...]


def shops_of_extract(path: Path, outline: BaseGeometry | None = None, *, code: str | None = None) -> OsmShops:
    """Read the shops of an extract.

    Parameters
    ----------
    path
        ``.osm.pbf``, ``.osm`` or ``.osm.gz``.
    outline
        Commune, EPSG:4326: shops outside it are left out; those without geometry too, and counted.
    code
        Written in the column ``code``.

    Raises
    ------
    SourceFormatError
        When the file is missing, damaged, not an extract, or of another place.
    """
    notes = [] if outline is None else _covered(path, outline)
    # Amenities are many (benches, car parks): the typology decides once they are read.
    objects = read_objects(path, KeyFilter(*typology().osm_keys, _FORMER))
    kept, no_place = _within(objects, outline)
    rows, vacant, unknown = [], [], Counter[str]()
    several = 0
    for item in kept:
        main, others = osm_types(item.tags)
        if main is None:
            if vacant_tag(item.tags):
                vacant.append(_vacant(item))
            elif "shop" in item.tags:
                unknown[f"shop={item.tags['shop'][:40]}"] += 1
            continue
        several += bool(others)
        rows.append(_row(item, main, others, code))
    shops = pl.DataFrame(rows, schema=SHOP_SCHEMA, orient="row").with_columns(group=group_of(pl.col("type")))
    if several:
        told = count_of(several, "commerce a plusieurs activités", "commerces ont plusieurs activités")
        notes.append(f"{told}{NBSP}: compté une fois, dans la première, les autres étant gardées")
    if no_place:
        notes.append(f"{count_of(no_place, 'commerce')} sans géométrie dans l'extrait, laissé de côté")
    if unknown:
        most = ", ".join(f"{tag} ({count})" for tag, count in unknown.most_common(_MAX_TOLD))
        notes.append(f"{count_of(unknown.total(), 'objet')} d'un métier hors de la typologie{NBSP}: {most}")
    return OsmShops(
        shops, pl.DataFrame(vacant, schema=VACANT_SCHEMA, orient="row"), dict(sorted(unknown.items())), tuple(notes)
    )


def _covered(path: Path, outline: BaseGeometry) -> list[str]:
    """Return a remark when the extract holds a part of the commune only.

    Raises
    ------
    SourceFormatError
        When it holds nothing of it: no shop would not mean that there is none.
    """
    box = extent_of_extract(path)
    common = shapely.box(*box).intersection(outline).area / outline.area if box else 0.0
    if common == 0:
        raise SourceFormatError(
            "L'extrait OpenStreetMap ne couvre pas la commune.", where=path.name,
            next_step="donnez un extrait qui la contient (département ou région).",
        )  # fmt: skip
    share = f"{format_number(100 * common)}{NBSP}%"
    return [] if common >= _WHOLE else [f"l'extrait couvre {share} de la commune{NBSP}: des commerces peuvent manquer"]


def _within(objects: list[OsmObject], outline: BaseGeometry | None) -> tuple[list[OsmObject], int]:
    """Return the objects placed inside the outline, and how many shops have no place."""
    placed = [item for item in objects if item.longitude is not None]
    lost = [item for item in objects if item.longitude is None and osm_types(item.tags)[0] is not None]
    if outline is None:
        return objects, len(lost)
    shapely.prepare(outline)
    inside = shapely.intersects_xy(
        outline, np.array([item.longitude for item in placed]), np.array([item.latitude for item in placed])
    )
    return [item for item, near in zip(placed, inside, strict=True) if near], len(lost)


def _row(item: OsmObject, main: str, others: tuple[str, ...], code: str | None) -> tuple[object, ...]:
    tags = item.tags
    digits = "".join(tags.get(_SIRET, "").split())
    return (
        f"osm:{item.ref}", code, main, None, "+".join(others) or None, tags.get("name"), tags.get("official_name"),
        digits if len(digits) == _SIRET_DIGITS and digits.isdigit() else None, None, item.ref, tags.get("brand"),
        tags.get("brand:wikidata"), tags.get("operator") or tags.get("network"), item.longitude, item.latitude,
    )  # fmt: skip


def _vacant(item: OsmObject) -> tuple[object, ...]:
    former = osm_types({"shop": item.tags[_FORMER]})[0] if _FORMER in item.tags else None
    return (item.ref, former, item.tags.get("name") or item.tags.get("old_name"), item.longitude, item.latitude)
