"""Operations on values by indicator, on territories, and on the catalogue of indicators and sources."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from bourg.geography.levels import LEVEL_LABELS
from bourg.indicators.registry import Declaration, get_indicator, load_indicators
from bourg.indicators.theme_labels import THEMES
from bourg.sources.model import Source, load_catalogue
from bourg.web.api.answers import Document, Table, values_table
from bourg.web.api.communes import Schema, check_filters, plain
from bourg.web.api.data import ApiData
from bourg.web.api.problems import PREFIX, InvalidParameterError, NoDataError, UnknownSourceError

Values = Mapping[str, Any]
_COMMUNE_FILTERS = ("departement", "region", "epci", "pvd")


def indicator_values(data: ApiData, values: Values) -> Table:
    """Answer with the values of one indicator for the territories of one level."""
    declared = get_indicator(values["indicator"]).declaration
    level = values["level"]
    given = [name for name in _COMMUNE_FILTERS if values[name] is not None]
    if level != "commune" and given:
        raise InvalidParameterError(
            f"Le filtre « {given[0]} » choisit des communes : il ne va pas avec level={level}.",
            where=given[0],
            next_step="retirez le filtre, ou demandez level=commune.",
        )
    rows = data.of_indicator(declared.id, level)
    if rows.is_empty():
        levels = ", ".join(f"{name} ({LEVEL_LABELS[name].lower()})" for name in declared.levels)
        raise NoDataError(
            f"L'indicateur « {declared.id} » n'a pas de valeur au niveau « {level} ».",
            where="level",
            next_step=f"niveaux de cet indicateur : {levels}.",
        )
    if given:
        wanted = data.communes.filter(check_filters(data, values))["code"]
        rows = rows.filter(pl.col("code").is_in(wanted.to_list()))
    if values["code"]:
        rows = rows.filter(pl.col("code").is_in(list(values["code"])))
        if rows.is_empty():
            raise NoDataError(
                "Aucun des codes donnés n'est un territoire de ce niveau.",
                where="code",
                next_step=f"la liste est donnée par {PREFIX}/territories/{level}.",
            )
    return values_table(data.described(rows))


def territories(data: ApiData, values: Values) -> Table:
    """Answer with the territories of one level."""
    return Table(data.territories(values["level"]), data.table_sources("communes", "epci", "population"))


# -- indicators -------------------------------------------------------------------------------------------------------

_INDICATOR_SCHEMA: Schema = {
    "id": pl.String, "label": pl.String, "theme": pl.String, "theme_label": pl.String, "unit": pl.String,
    "kind": pl.String, "levels": pl.List(pl.String), "sources": pl.List(pl.String), "direction": pl.String,
    "decimals": pl.Int64, "period": pl.String, "formula": pl.String, "limits": pl.String, "secrecy": pl.String,
    "secrecy_rule": pl.String, "protected_count": pl.String, "series_break": pl.String, "reference": pl.String,
}  # fmt: skip


def _indicator_row(declared: Declaration) -> dict[str, Any]:
    row = declared.model_dump(mode="json", exclude={"fallback"})
    return {**row, "theme_label": THEMES[declared.theme]}


def indicators(_data: ApiData, values: Values) -> Table:
    """Answer with the declared indicators."""
    declared = [item.declaration for item in load_indicators().values()]
    kept = [
        item
        for item in declared
        if values["theme"] in (None, item.theme) and (values["level"] is None or values["level"] in item.levels)
    ]
    frame = pl.DataFrame([_indicator_row(item) for item in kept], schema=_INDICATOR_SCHEMA, orient="row")
    return Table(frame, sorted({source for item in kept for source in item.sources}))


def indicator(_data: ApiData, values: Values) -> Document:
    """Answer with the declaration of one indicator."""
    declared = get_indicator(values["id"]).declaration
    links = {
        "values": f"{PREFIX}/values?indicator={declared.id}",
        "geo": f"{PREFIX}/geo/departement.geojson?indicator={declared.id}",
        "tiles": f"{PREFIX}/tiles/{{z}}/{{x}}/{{y}}.mvt?indicator={declared.id}",
    }
    return Document({**_indicator_row(declared), "links": links}, declared.sources)


# -- sources ----------------------------------------------------------------------------------------------------------

_SOURCE_SCHEMA: Schema = {
    "id": pl.String, "title": pl.String, "producer": pl.String, "licence": pl.String, "rhythm": pl.String,
    "landing_page": pl.String, "grain": pl.String, "cog": pl.Int64, "nature": pl.String, "tables": pl.List(pl.String),
    "caveats": pl.List(pl.String), "read": pl.Boolean, "vintages": pl.List(pl.String), "demo": pl.Boolean,
}  # fmt: skip


def _source_row(data: ApiData, source: Source) -> dict[str, Any]:
    read = data.observatory.sources([source.id])
    row = source.model_dump(mode="json", exclude={"resources", "reader"})
    return {
        **row,
        "read": bool(read),
        "vintages": list(dict.fromkeys(str(item["vintage"]) for item in read)),
        "demo": any(item["origin"] == "demo" for item in read),
    }


def sources(data: ApiData, values: Values) -> Table:
    """Answer with the sources of the catalogue, and what the snapshot read of them."""
    rows = [_source_row(data, item) for item in load_catalogue().values()]
    kept = [row for row in rows if values["read"] in (None, row["read"])]
    frame = pl.DataFrame(kept, schema=_SOURCE_SCHEMA, orient="row")
    return Table(frame, [row["id"] for row in kept], bool(frame["demo"].any()))


def source(data: ApiData, values: Values) -> Document:
    """Answer with one source: its description and the files read."""
    catalogue = load_catalogue()
    if values["id"] not in catalogue:
        raise UnknownSourceError(
            f"La source « {values['id']} » n'existe pas.", where="id", next_step=f"la liste est en {PREFIX}/sources."
        )
    chosen = catalogue[values["id"]]
    row = _source_row(data, chosen)
    fields = ("resource", "vintage", "origin", "file", "sha256")
    row["files"] = [{name: item.get(name) for name in fields} for item in data.observatory.sources([chosen.id])]
    row["resources"] = [
        {"id": item.id, "vintage": item.vintage, "url": item.url, "coverage": item.coverage}
        for item in chosen.resources
    ]
    return Document(plain(row), [chosen.id], row["demo"])
