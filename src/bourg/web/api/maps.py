"""Operations that draw: places, outlines with an indicator, vector tiles; and travel times."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import polars as pl

from bourg.access.places.crosswalk import family
from bourg.errors import UnknownTerritoryError
from bourg.indicators.registry import get_indicator
from bourg.maps.places import PlaceFilter, select_places
from bourg.web.api.answers import Document, Raw, Table
from bourg.web.api.communes import plain, resolve
from bourg.web.api.data import ApiData
from bourg.web.api.mvt import encode_layer
from bourg.web.api.problems import (
    PREFIX,
    InvalidParameterError,
    MissingNetworkError,
    MissingParameterError,
    NoDataError,
    UnknownAddressError,
)
from bourg.web.api.shapes import MOST_ZOOM
from bourg.web.parameters import check_territories

if TYPE_CHECKING:
    from bourg.access.study import TownAccess

Values = Mapping[str, Any]
_PLACE_FIELDS = (
    "place_id", "name", "type", "category", "detail", "label", "address", "postal_code", "code", "commune", "longitude",
    "latitude", "demo",
)  # fmt: skip


def places(data: ApiData, values: Values) -> Table:
    """Answer with the cultural places of a box, a commune or a department."""
    if all(values[name] is None for name in ("bbox", "commune", "departement")):
        raise MissingParameterError(
            "Dites où chercher les lieux.",
            where="bbox, commune ou departement",
            next_step="exemple : bbox=2.9,44.0,3.3,44.2 ou departement=12",
        )
    snapshot = data.observatory.snapshot
    if not snapshot.has_table("culture_places"):
        raise NoDataError(
            "Aucune liste de lieux culturels n'a été lue.", next_step=f"voyez {PREFIX}/sources : source « basilic »."
        )
    wanted = PlaceFilter(
        commune=values["commune"], departement=values["departement"], types=values["type"],
        categories=values["category"], bbox=values["bbox"].sides if values["bbox"] else None,
    )  # fmt: skip
    communes = snapshot.table("communes")
    check_territories(wanted, communes)
    frame = select_places(snapshot.table("culture_places"), communes, wanted).select(_PLACE_FIELDS)
    return Table(frame, data.table_sources("culture_places"), bool(frame["demo"].any()))


# -- outlines ---------------------------------------------------------------------------------------------------------


def _features(data: ApiData, values: Values) -> list[dict[str, Any]]:
    level, departement, region = values["level"], values["departement"], values["region"]
    if departement is not None and level != "commune":
        raise InvalidParameterError(
            f"« departement » choisit des communes : il ne va pas avec {level}.geojson.", where="departement",
            next_step=f"retirez-le, ou demandez {PREFIX}/geo/commune.geojson?departement={departement}",
        )  # fmt: skip
    if region is not None and level != "epci":
        raise InvalidParameterError(
            f"« region » choisit des intercommunalités : il ne va pas avec {level}.geojson.", where="region",
            next_step=f"retirez-le, ou demandez {PREFIX}/geo/epci.geojson?region={region}",
        )  # fmt: skip
    match level:
        case "commune":
            if departement is None:
                raise MissingParameterError(
                    "Les contours des communes se demandent département par département.",
                    where="departement",
                    why="35 000 contours ne tiennent pas dans une réponse.",
                    next_step="exemple : departement=12 ; pour tout le pays, prenez les tuiles (tiles).",
                )
            if data.names.filter(level="departement", code=departement).is_empty():
                raise UnknownTerritoryError(
                    f"Le département « {departement} » n'existe pas.", where="departement",
                    next_step=f"la liste est donnée par {PREFIX}/territories/departement.",
                )  # fmt: skip
            return data.shapes.communes_of(departement)
        case "epci":
            return data.shapes.epci(region)
        case "departement":
            return data.shapes.departements()
        case _:
            return data.shapes.regions()


def _known(data: ApiData, indicator: str, level: str, codes: list[str]) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """Return the described values of some territories by code, and the sources of the indicator there."""
    rows = data.of_indicator(indicator, level).filter(pl.col("code").is_in(codes))
    described = data.described(rows)
    sources = described["source_ids"].explode(empty_as_null=True, keep_nulls=True).drop_nulls().unique().sort()
    return {row["code"]: row for row in described.iter_rows(named=True)}, sources.to_list()


def _joined(indicator: str, row: Mapping[str, Any] | None, *, text: bool = True) -> dict[str, Any]:
    """Return the properties of a feature: the value and, always, its status."""
    if row is None:
        # The indicator is not declared at this level, or the commune has left the geography since it was drawn.
        empty: dict[str, Any] = {"indicator": indicator, "value": None, "status": "not_applicable", "demo": False}
        return {**empty, "period": None, "text": None} if text else empty
    fields = ("indicator", "value", "status", "demo", "period", *(("text",) if text else ()))
    return {name: row[name] for name in fields}


def geo(data: ApiData, values: Values) -> Document:
    """Answer with the outlines of a level, an indicator joined to them."""
    features = _features(data, values)
    outlines = data.table_sources("outlines")
    known: dict[str, dict[str, Any]] = {}
    sources: list[str] = []
    if values["indicator"] is not None:
        name = get_indicator(values["indicator"]).id
        codes = [item["properties"]["code"] for item in features]
        known, sources = _known(data, name, values["level"], codes)
        for item in features:
            item["properties"] |= _joined(name, known.get(item["properties"]["code"]))
    for item in features:
        item["id"] = item["properties"]["code"]
        item["properties"]["name"] = item["properties"].pop("nom")
        item["properties"]["anchor"] = item["properties"].pop("ancre")
    demo = any(row["demo"] for row in known.values())
    content = {"type": "FeatureCollection", "features": features}
    return Document(content, [*outlines, *sources], demo, geojson=True)


def tile(data: ApiData, values: Values) -> Raw:
    """Answer with a vector tile of the communes (departments at small scale)."""
    z, x, y = values["z"], values["x"], values["y"]
    if not (x < 2**z and y < 2**z):
        raise UnknownAddressError(
            f"La tuile {z}/{x}/{y} n'existe pas.",
            where="z, x, y",
            why=f"au zoom {z}, x et y vont de 0 à {2**z - 1} ; le zoom va de 0 à {MOST_ZOOM}.",
        )
    shapes = data.shapes.tile(z, x, y)
    level = "commune" if shapes.layer == "communes" else "departement"
    names = data.name_of
    described: list[dict[str, Any]] = [{"code": code, "name": names.get((level, code), code)} for code in shapes.codes]
    sources = list(data.table_sources("outlines"))
    demo = False
    if values["indicator"] is not None:
        name = get_indicator(values["indicator"]).id
        known, read = _known(data, name, level, list(shapes.codes))
        sources += read
        demo = any(row["demo"] for row in known.values())
        described = [item | _joined(name, known.get(item["code"]), text=False) for item in described]
    return Raw(encode_layer(shapes.layer, shapes.shapes, described), sources, demo)


# -- access -----------------------------------------------------------------------------------------------------------


def _networks(data: ApiData) -> tuple[tuple[str, int], ...]:
    """Return what changes when a network is installed, made again or removed."""
    manifests = sorted(data.settings.networks.glob("*/manifest.json"))
    return tuple((path.parent.name, path.stat().st_mtime_ns) for path in manifests)


def _town(data: ApiData, code: str) -> TownAccess:
    # The compiled kernels take a second and 100 MB: they come with the first question on travel times.
    from bourg.access.network.installed import NoNetworkError  # noqa: PLC0415
    from bourg.access.study import open_town_access  # noqa: PLC0415

    name = data.name_of[("commune", code)]
    try:
        return data.kept_town(
            (code, _networks(data)),
            lambda: open_town_access(data.observatory.snapshot, data.settings, code, name=name),
        )
    except NoNetworkError as error:
        raise MissingNetworkError(error.what, where=error.where, why=error.why, next_step=error.next_step) from error


def access(data: ApiData, values: Values) -> Document:
    """Answer with the times from the inhabitants of a commune to the nearest facility of one family."""
    wanted = family(values["to"])
    town = _town(data, resolve(data, values))
    reach = town.reach(values["mode"], wanted.id, limit_min=float(values["limit"]))
    sources = sorted(
        {*town.facilities_of(reach.family)["source"].unique().to_list(), *data.table_sources("population")}
    )
    licence = str(town.installed.network.manifest["licence"])
    return Document(plain(town.to_dict(reach)), sources, town.demo, {"network_licence": licence})
