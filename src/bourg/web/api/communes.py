"""Operations on communes: list, one, by point, values, portrait, similar towns, comparison."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from typing import Any

import polars as pl

from bourg.errors import UnknownTerritoryError
from bourg.indicators.registry import get_indicator
from bourg.portrait.comparison import MOST_TOWNS, similar_to
from bourg.portrait.document import make_portrait
from bourg.portrait.hours import describe_hours
from bourg.web.api.answers import Document, Table, values_table
from bourg.web.api.data import ApiData
from bourg.web.api.problems import PREFIX, InvalidParameterError

Values = Mapping[str, Any]
Schema = dict[str, pl.DataType | type[pl.DataType]]
_MOST_FOUND = 2_000


def plain(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Return a value that JSON can write: dates as ISO texts, numbers that are not finite as ``None``."""
    match value:
        case dict():
            return {str(key): plain(item) for key, item in value.items()}
        case list() | tuple():
            return [plain(item) for item in value]
        case float():
            return value if math.isfinite(value) else None
        case dt.date():
            return value.isoformat()
        case _:
            return value


def resolve(data: ApiData, values: Values) -> str:
    """Return the code of the commune of the path; the code of a merged commune leads to the one it joined.

    Raises
    ------
    MalformedCodeError, UnknownTerritoryError
        When it names no commune; near codes are proposed.
    """
    return data.observatory.index.get(values["code"]).code


def check_filters(data: ApiData, values: Values) -> pl.Expr:
    """Return the condition of the filters ``departement, region, epci, pvd`` on the table of communes.

    Raises
    ------
    UnknownTerritoryError
        When a territory does not exist.
    """
    condition = pl.lit(value=True)
    for level in ("departement", "region", "epci"):
        if (code := values.get(level)) is None:
            continue
        if data.names.filter(level=level, code=code).is_empty():
            raise UnknownTerritoryError(
                f"Le territoire « {code} » n'existe pas.",
                where=level,
                next_step=f"la liste est donnée par {PREFIX}/territories/{level}.",
            )
        condition &= pl.col(level) == code
    if values.get("pvd") is not None:
        condition &= pl.col("pvd") == values["pvd"]
    return condition


def communes(data: ApiData, values: Values) -> Table:
    """Answer with the communes that fit."""
    frame = data.communes.filter(check_filters(data, values))
    if values["q"] is not None:
        found = data.observatory.index.search(values["q"], limit=_MOST_FOUND)
        rank = {match.code: index for index, match in enumerate(found)}
        order = pl.col("code").replace_strict(list(rank), list(rank.values()), default=None, return_dtype=pl.Int64)
        frame = frame.filter(pl.col("code").is_in(list(rank))).sort(order)
    return Table(frame, data.table_sources("communes", "pvd", "population"), _pvd_demo(data))


def _pvd_demo(data: ApiData) -> bool:
    snapshot = data.observatory.snapshot
    return snapshot.has_table("pvd") and bool(data.observatory.table_info("pvd")["demo"])


def _commune(data: ApiData, code: str) -> Document:
    observatory = data.observatory
    row = observatory.commune(code)
    hall, council = observatory.town_hall(code), observatory.council(code)
    town = observatory.pvd.get(code)
    known = observatory.snapshot.has_table("pvd")
    base = f"{PREFIX}/communes/{code}"
    content = {
        "code": code,
        "name": row["name"],
        "departement": {"code": row["departement"], "name": row["departement_name"]},
        "region": {"code": row["region"], "name": row["region_name"]},
        "epci": {"code": row["epci"], "name": row["epci_name"], "kind": row["epci_kind"]} if row["epci"] else None,
        "postal_codes": list(row["postal_codes"]),
        "population": row["population"],
        "population_year": row["population_year"],
        "area_km2": row["area_km2"],
        "longitude": row["longitude"],
        "latitude": row["latitude"],
        "bbox": None if row["xmin"] is None else [round(row[side], 5) for side in ("xmin", "ymin", "xmax", "ymax")],
        "pvd": {
            "member": town is not None if known else None,
            "since": town["signature_date"] if town else None,
            "demo": _pvd_demo(data),
        },
        "town_hall": {
            "address": hall.get("address"), "phone": hall.get("phone"), "website": hall.get("website"),
            "hours": describe_hours(hall.get("hours")), "longitude": hall.get("longitude"),
            "latitude": hall.get("latitude"),
        },
        "council": {name: council[name] for name in ("seats", "women", "deputies")} if council else None,
        "links": {name: f"{base}/{name}" for name in ("values", "portrait", "similar", "access")},
    }  # fmt: skip
    sources = data.table_sources("communes", "pvd", "population", "town_halls", "councils")
    return Document(plain(content), sources, _pvd_demo(data))


def commune(data: ApiData, values: Values) -> Document:
    """Answer with one commune."""
    return _commune(data, resolve(data, values))


def commune_at(data: ApiData, values: Values) -> Document:
    """Answer with the commune of a point."""
    code = data.shapes.commune_at(values["lon"], values["lat"])
    if code is None:
        raise UnknownTerritoryError(
            f"Aucune commune française n'est dessinée au point {values['lon']:g}, {values['lat']:g}.",
            where="lon, lat",
            why="le point est hors de France, en mer, ou dans une commune dont le contour manque.",
            next_step="vérifiez l'ordre : lon est la longitude (3,08 à Millau), lat la latitude (44,10).",
        )
    return _commune(data, code)


def commune_values(data: ApiData, values: Values) -> Table:
    """Answer with the values of one commune."""
    frame = data.of_commune(resolve(data, values))
    if values["theme"] is not None:
        frame = frame.filter(pl.col("theme") == values["theme"])
    if values["indicator"]:
        wanted = [get_indicator(name).id for name in values["indicator"]]
        frame = frame.filter(pl.col("indicator").is_in(wanted))
    return values_table(frame)


def portrait(data: ApiData, values: Values) -> Document:
    """Answer with the whole portrait document of a commune."""
    code = resolve(data, values)
    made = make_portrait(data.observatory, code)
    sources = sorted({note.id for sheet in made.sheets.values() for note in sheet.sources})
    demo = made.places_demo or any(sheet.demo for sheet in made.sheets.values())
    return Document(plain(made.to_dict()), sources, demo)


def similar(data: ApiData, values: Values) -> Table:
    """Answer with the towns most similar to one town."""
    code = resolve(data, values)
    found = similar_to(data.observatory, code, k=values["k"])
    rows = [
        {
            "rank": item.rank, "code": item.code, "name": item.name, "distance": item.distance, "text": item.sentence,
            "reasons": [reason.indicator for reason in item.reasons],
            "main_difference": item.main_difference.indicator if item.main_difference else None,
            "missing": list(item.missing), "demo": item.demo,
        }
        for item in found.neighbours
    ]  # fmt: skip
    schema: Schema = {
        "rank": pl.Int64, "code": pl.String, "name": pl.String, "distance": pl.Float64, "text": pl.String,
        "reasons": pl.List(pl.String), "main_difference": pl.String, "missing": pl.List(pl.String), "demo": pl.Boolean,
    }  # fmt: skip
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    extra = {
        "commune": code, "status": found.status, "message": found.message or None, "features": list(found.features),
        "stability": plain(found.stability),
    }  # fmt: skip
    sources = {source for name in found.features for source in get_indicator(name).declaration.sources}
    return Table(frame, sorted(sources), bool(frame["demo"].any()), extra)


def compare(data: ApiData, values: Values) -> Table:
    """Answer with the same values of a few communes, side by side."""
    codes = tuple(dict.fromkeys(data.observatory.index.get(code).code for code in values["code"]))
    if len(codes) < 2:
        raise InvalidParameterError(
            f"La comparaison demande de 2 à {MOST_TOWNS} communes différentes.",
            where="code",
            next_step="exemple : code=12145&code=35236",
        )
    frame = data.of_communes(codes)
    if values["theme"] is not None:
        frame = frame.filter(pl.col("theme") == values["theme"])
    return values_table(frame, {"communes": list(codes)})
