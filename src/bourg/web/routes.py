"""HTTP routes under ``/bourg/``: files of the map, exports, town maps, search."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

import polars as pl
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from bourg.errors import ParameterError, UnknownTerritoryError
from bourg.geography.codes import parse_commune_code
from bourg.maps import MAPS_FOLDER
from bourg.maps.choropleth import epci_outlines
from bourg.maps.outlines import DEPARTEMENTS_FILE, commune_geometry, communes_file
from bourg.maps.places import DEMO_NOTICE, PlaceFilter, csv_chunks, geojson_chunks, has_demo, select_places
from bourg.maps.points import NAMES_FILE, POINTS_FILE
from bourg.web.api import api_routes
from bourg.web.assets import asset_path, assets_version, ensure_assets
from bourg.web.context import SnapshotView, WebContext
from bourg.web.layers import LAYERS
from bourg.web.parameters import check_territories, commune_name, read_filter
from bourg.web.public_pages import public_routes
from bourg.web.responses import (
    IMMUTABLE,
    NO_STORE,
    REVALIDATE,
    Endpoint,
    answer_errors,
    content_response,
    file_response,
    stored_response,
)

if TYPE_CHECKING:
    from bourg.maps.town import TownPage

_MEDIA = {".js": "text/javascript", ".css": "text/css", ".txt": "text/plain"}
_SOURCE = "Sources : base des lieux culturels (Basilic), ministère de la Culture ; contours : IGN et Insee."
_MAX_QUERY = 100
_MAX_RESULTS = 20


class UnknownPageError(UnknownTerritoryError):
    """An address that names nothing."""


class _MethodError(ParameterError):
    http_status = 405


def routes(context: WebContext) -> list[Route]:
    """Return the routes to give to ``st.App``; they come before Streamlit's own, and end with a French 404.

    Parameters
    ----------
    context
        Settings, snapshot in service, search.
    """
    handlers = _Handlers(context)
    pairs: list[tuple[str, Endpoint]] = [
        ("/bourg/points/{snapshot}.bin", handlers.points),
        ("/bourg/noms/{snapshot}.txt", handlers.names),
        ("/bourg/contours/{snapshot}/departements.json", handlers.departements),
        ("/bourg/contours/{snapshot}/communes-{departement}.json", handlers.communes),
        ("/bourg/contours/{snapshot}/epci-{region}.json", handlers.epci),
        ("/bourg/couches/{digest}.json", handlers.layer),
        ("/bourg/assets/{name}", handlers.asset),
        ("/bourg/assets/{version}/{name}", handlers.asset),
        ("/bourg/export/lieux.csv", handlers.csv),
        ("/bourg/export/lieux.geojson", handlers.geojson),
        ("/bourg/export/carte-{code}.html", handlers.town_map),
        ("/bourg/recherche", handlers.search),
    ]
    known = [Route(path, answer_errors(endpoint), methods=["GET"]) for path, endpoint in pairs]
    refused = [Route(path, answer_errors(_refuse_method), methods=_OTHER_METHODS) for path, _ in pairs]
    rest = Route("/bourg/{rest:path}", answer_errors(_unknown), methods=["GET", *_OTHER_METHODS])
    return [*public_routes(context), *known, *refused, rest, *api_routes(context)]


_OTHER_METHODS = ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


def _refuse_method(request: Request) -> Response:
    raise _MethodError(f"Cette adresse ne se lit qu'avec GET, pas avec {request.method[:10]}.")


def _unknown(request: Request) -> Response:
    raise UnknownPageError(
        "Cette adresse n'existe pas.", where=request.url.path[:200], next_step="revenez à la page d'accueil : /"
    )


class _Handlers:
    """The endpoints. They are plain functions: Starlette runs them in its threads, away from the event loop."""

    def __init__(self, context: WebContext) -> None:
        self._context = context
        self._epci = lru_cache(maxsize=8)(self._make_epci)

    # -- files of the map -------------------------------------------------------------------------------------------

    def _in_service(self, request: Request) -> SnapshotView:
        """Return the snapshot in service, which has to be the one of the address."""
        snapshot = self._context.current_snapshot()
        asked = request.path_params["snapshot"]
        if asked != snapshot.id:
            raise UnknownPageError(
                "Ces données ne sont plus en service.",
                where=str(asked)[:80],
                why=f"l'instantané en service est {snapshot.id}.",
                next_step="rechargez la page.",
            )
        return snapshot

    def _stored(self, request: Request, name: str, media: str) -> Response:
        """Answer with a file of the map; the address holds the snapshot, so browsers may keep it for ever."""
        snapshot = self._in_service(request)
        return stored_response(request, snapshot.folder / MAPS_FOLDER / name, media, cache=IMMUTABLE)

    def points(self, request: Request) -> Response:
        """Answer with the places as binary columns."""
        return self._stored(request, POINTS_FILE, "application/octet-stream")

    def names(self, request: Request) -> Response:
        """Answer with the names of the places."""
        return self._stored(request, NAMES_FILE, "text/plain")

    def departements(self, request: Request) -> Response:
        """Answer with the outlines of the departments."""
        return self._stored(request, DEPARTEMENTS_FILE, "application/json")

    def communes(self, request: Request) -> Response:
        """Answer with the outlines of the communes of one department."""
        code = str(request.path_params["departement"])
        if not (code.isascii() and code.isalnum() and len(code) <= 3):
            raise ParameterError(f"« {code[:20]} » n'est pas un code de département.", where="departement")
        name = communes_file(code)
        folder = self._context.current_snapshot().folder / MAPS_FOLDER
        if not (folder / f"{name}.gz").is_file():
            raise UnknownTerritoryError(f"Le département « {code} » n'a pas de contour.", where="departement")
        return self._stored(request, name, "application/json")

    def epci(self, request: Request) -> Response:
        """Answer with the outlines of the intercommunalities of one region, or of the country (``FR``)."""
        code = str(request.path_params["region"])
        if not (code.isascii() and code.isalnum() and len(code) == 2):
            raise ParameterError(f"« {code[:20]} » n'est pas un code de région.", where="region")
        snapshot = self._in_service(request)
        content = self._epci(snapshot.id, None if code == "FR" else code)
        return content_response(request, content, "application/json", cache=IMMUTABLE)

    def _make_epci(self, _identifier: str, region: str | None) -> bytes:
        """Make the outlines once for each snapshot and region: 0.3 s, two seconds for the country."""
        snapshot = self._context.current_snapshot()
        communes = snapshot.table("communes").select("code", "epci", "region").collect()
        names = dict(snapshot.table("epci").select("code", "name").collect().iter_rows())
        return epci_outlines(communes, snapshot.table("outlines"), names, region)

    def layer(self, request: Request) -> Response:
        """Answer with a layer made by a page; its address names its content, so browsers may keep it for ever."""
        content = LAYERS.get(str(request.path_params["digest"]))
        return content_response(request, content, "application/json", cache=IMMUTABLE)

    def asset(self, request: Request) -> Response:
        """Answer with a script or a style sheet of the list."""
        path = asset_path(str(request.path_params["name"]), self._context.settings)
        current = request.path_params.get("version") == assets_version()
        return file_response(request, path, _MEDIA[path.suffix], cache=IMMUTABLE if current else REVALIDATE)

    # -- exports ----------------------------------------------------------------------------------------------------

    def _selection(self, request: Request) -> tuple[pl.DataFrame, str]:
        wanted = read_filter(request.query_params)
        snapshot = self._context.current_snapshot()
        communes = snapshot.table("communes")
        check_territories(wanted, communes)
        frame = select_places(snapshot.table("culture_places"), communes, wanted)
        parts = [part for part in ("lieux-culturels", wanted.commune or wanted.departement) if part]
        if bool(frame["demo"].any()):
            parts.append("demonstration")
        return frame, "-".join(parts)

    def csv(self, request: Request) -> Response:
        """Answer with the places asked for, for a spreadsheet."""
        frame, name = self._selection(request)
        return _download(csv_chunks(frame), f"{name}.csv", "text/csv; charset=utf-8")

    def geojson(self, request: Request) -> Response:
        """Answer with the places asked for, for a map."""
        frame, name = self._selection(request)
        return _download(geojson_chunks(frame), f"{name}.geojson", "application/geo+json")

    def town_map(self, request: Request) -> Response:
        """Answer with the standalone map of one town."""
        if request.query_params:
            raise ParameterError("Cette adresse n'accepte pas de paramètre.", next_step="retirez ce qui suit le « ? ».")
        code = parse_commune_code(request.path_params["code"])
        snapshot = self._context.current_snapshot()
        communes = snapshot.table("communes")
        name = commune_name(code, communes)
        shape = commune_geometry(snapshot.folder / MAPS_FOLDER, code)
        places = snapshot.table("culture_places")
        frame = select_places(places, communes, PlaceFilter(commune=code))
        page = _town_page(f"{name} ({code})", frame, snapshot.id, demo=has_demo(places))
        # folium brings pandas: half of the start of the server for an export that few ask for.
        from bourg.maps.town import town_map_html  # noqa: PLC0415

        html = town_map_html(shape, frame, page, ensure_assets(self._context.settings))
        return _download(iter([html.encode()]), f"carte-culture-{code}.html", "text/html; charset=utf-8")

    # -- search -----------------------------------------------------------------------------------------------------

    def search(self, request: Request) -> Response:
        """Answer with the communes that a text names."""
        text = request.query_params.get("q", "").strip()
        if not text or len(text) > _MAX_QUERY:
            raise ParameterError(
                f"La recherche attend un texte de 1 à {_MAX_QUERY} caractères.",
                where="q",
                next_step="exemple : /bourg/recherche?q=millau",
            )
        found = [match.to_dict() for match in self._context.search(text, _MAX_RESULTS)]
        return JSONResponse({"q": text, "resultats": found}, headers={"Cache-Control": NO_STORE})


def _town_page(town: str, frame: pl.DataFrame, snapshot_id: str, *, demo: bool) -> TownPage:
    from bourg.maps.town import TownPage  # noqa: PLC0415

    unlocated = frame["latitude"].is_null().sum()
    summary = f"{frame.height} lieu{'x' if frame.height > 1 else ''} culturel{'s' if frame.height > 1 else ''}"
    summary += f", dont {unlocated} sans coordonnées (dans le tableau seulement)." if unlocated else "."
    source = f"{DEMO_NOTICE} Contours : IGN et Insee." if demo else _SOURCE
    return TownPage(
        title=f"Lieux culturels : {town}",
        summary=summary,
        source=f"{source} Carte faite par Bourg, l'observatoire des petites villes, instantané {snapshot_id}.",
        demo=demo,
    )


def _download(chunks: Iterator[bytes], name: str, media: str) -> StreamingResponse:
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": NO_STORE}
    return StreamingResponse(chunks, media_type=media, headers=headers)
