"""Public pages on the server: the page of any town as plain HTML, beside the dashboard, made from the snapshot."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Callable
from functools import lru_cache
from http import HTTPStatus
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from bourg.errors import BourgError, MalformedCodeError, UnknownTerritoryError
from bourg.geography.search import Match
from bourg.indicators.theme_labels import THEMES
from bourg.portrait.charts import evolution
from bourg.portrait.document import make_portrait
from bourg.portrait.locator import Locator
from bourg.portrait.observatory import Observatory, open_observatory
from bourg.portrait.page import TownPage, town_main
from bourg.portrait.pdf.render import portrait_pdf
from bourg.portrait.social import social_png
from bourg.site.accessibility import DESCRIPTION, TITLE, statement_main
from bourg.site.addresses import ServerLinks, town_name
from bourg.site.layout import CSS, Frame, asset, fragment, whole_page
from bourg.site.pages import method_main
from bourg.site.towns import portrait_json, town_title
from bourg.web.context import WebContext
from bourg.web.portraits import PortraitFiles
from bourg.web.responses import IMMUTABLE, NO_STORE, REVALIDATE, Packed, content_response, pack, packed_response

_ASSETS = "/bourg/public/"
_HTML = "text/html; charset=utf-8"
_SLUG = re.compile(r"([0-9A-Za-z]{4,5})(?:-(.*))?", re.DOTALL)
_ORIGIN = re.compile(r"https?://[A-Za-z0-9](?:[A-Za-z0-9.-]{0,250}[A-Za-z0-9])?(?::\d{1,5})?")
_NEAR = 6
# Pages kept in memory, compressed: about 70 kB each.
_KEPT = 1024
_MENU = (("Tableau de bord", "/"), ("Méthode", "/methode"))
POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'self'"
)
# No cookie is ever set here; the middleware adds what it adds to every answer.
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "X-Frame-Options": "SAMEORIGIN",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cross-Origin-Opener-Policy": "same-origin",
}

_LATER = {"Retry-After": "10"}

_Handler = Callable[[Request], Response]


def public_routes(context: WebContext) -> list[Route]:
    """Return the routes of the public pages; none of them takes a path of the dashboard (``/ville?commune=…``)."""
    pages = _Pages(context)
    pairs: list[tuple[str, _Handler]] = [
        ("/ville/{town}.pdf", pages.pdf),
        ("/ville/{town}.png", pages.picture),
        ("/ville/{town}", pages.town),
        ("/ville/{town}/portrait.json", pages.data),
        ("/methode", pages.methods),
        ("/methode/{theme}", pages.method),
        ("/accessibilite", pages.accessibility),
        (_ASSETS + "{name}", pages.style),
    ]
    # What follows a town is a page that does not exist, and not the shell of the dashboard.
    pairs += [("/ville/{town}/{rest:path}", pages.unknown), ("/methode/{theme}/{rest:path}", pages.unknown)]
    return [Route(path, _answered(handler), methods=["GET", "HEAD"]) for path, handler in pairs]


def origin_of(request: Request) -> str:
    """Return where readers find this server, for canonical links and previews: ``BOURG_ADDRESS``, or what they asked.

    A name that is not one (what a forged header may hold) gives an empty text: pages then name no absolute address.
    """
    declared = os.environ.get("BOURG_ADDRESS", "").rstrip("/")
    if declared:
        return declared if _ORIGIN.fullmatch(declared) else ""
    asked = f"{request.url.scheme}://{request.url.netloc}"
    return asked if _ORIGIN.fullmatch(asked) else ""


def _answered(handler: _Handler) -> _Handler:
    """Add the headers, and turn typed errors into pages in French."""

    @functools.wraps(handler)
    def wrapped(request: Request) -> Response:
        try:
            response = handler(request)
        except BourgError as error:
            response = _error_page(error)
        response.headers.update(HEADERS)
        return response

    return wrapped


class _NotFoundError(UnknownTerritoryError):
    """An address without a page, with the towns it may have meant."""

    def __init__(self, what: str, near: list[Match]) -> None:
        super().__init__(what)
        self.near = near


def _error_page(error: BourgError) -> Response:
    status = HTTPStatus(error.http_status)
    near = error.near if isinstance(error, _NotFoundError) else []
    links = ServerLinks()
    items = [{"label": item.label, "address": links.town(item.code, item.name)} for item in near]
    message = " ".join(part for part in (error.what, error.why, error.next_step) if part)
    main = fragment("missing.html.j2", message=message, near=items, home="/", title=_error_title(status))
    page = whole_page(Frame(_error_title(status), message, _ASSETS, "/", _MENU), main)
    headers = {"Cache-Control": NO_STORE, **(_LATER if status == HTTPStatus.SERVICE_UNAVAILABLE else {})}
    return Response(page, status_code=status, media_type=_HTML, headers=headers)


def _error_title(status: HTTPStatus) -> str:
    if status == HTTPStatus.NOT_FOUND:
        return "Cette page n’existe pas"
    return "Le site est momentanément indisponible" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "Demande refusée"


class _Pages:
    """The endpoints: plain functions, which Starlette runs in its threads."""

    def __init__(self, context: WebContext) -> None:
        self._context = context
        self._made = lru_cache(maxsize=_KEPT)(self._make)
        self._figures = lru_cache(maxsize=_KEPT)(self._make_figures)
        self._locator = lru_cache(maxsize=2)(Locator)
        self._files = PortraitFiles(context.settings)

    def _observatory(self) -> Observatory:
        return open_observatory(self._context.settings)

    def town(self, request: Request) -> Response:
        """Answer with the page of a town, or lead to its present address."""
        match = self._asked(request, "")
        if isinstance(match, Response):
            return match
        content = self._made(self._observatory().snapshot.id, match.code, origin_of(request))
        return packed_response(request, content, _HTML, cache=REVALIDATE)

    def data(self, request: Request) -> Response:
        """Answer with the figures of the page."""
        match = self._asked(request, "/portrait.json")
        if isinstance(match, Response):
            return match
        content = self._figures(self._observatory().snapshot.id, match.code)
        return packed_response(request, content, "application/json", cache=REVALIDATE)

    def pdf(self, request: Request) -> Response:
        """Answer with the portrait on paper."""
        match = self._asked(request, ".pdf")
        if isinstance(match, Response):
            return match
        observatory = self._observatory()
        name = f"{town_name(match.code, match.name)}.pdf"
        content = self._files.get(
            observatory.snapshot.id, name, lambda: portrait_pdf(self._page(observatory, match.code), observatory)
        )
        response = content_response(request, content, "application/pdf", cache=REVALIDATE)
        response.headers["Content-Disposition"] = f'inline; filename="portrait-{name}"'
        return response

    def picture(self, request: Request) -> Response:
        """Answer with the picture that other sites show beside a link to the town."""
        match = self._asked(request, ".png")
        if isinstance(match, Response):
            return match
        observatory = self._observatory()
        content = self._files.get(
            observatory.snapshot.id, f"{town_name(match.code, match.name)}.png",
            lambda: social_png(self._page(observatory, match.code)),
        )  # fmt: skip
        return content_response(request, content, "image/png", cache=REVALIDATE)

    def _page(self, observatory: Observatory, code: str) -> TownPage:
        portrait = make_portrait(observatory, code)
        return TownPage(portrait, evolution(observatory, code), self._locator(observatory).svg(code))

    def _asked(self, request: Request, rest: str) -> Match | Response:
        """Return the town of the address, or a redirection to its address of today (301)."""
        given = str(request.path_params["town"])
        index = self._observatory().index
        parts = _SLUG.fullmatch(given)
        try:
            match = index.get(parts[1] if parts else given)
        except (MalformedCodeError, UnknownTerritoryError) as error:
            words = (parts[2] or parts[1]) if parts else given
            near = index.search(re.sub(r"[^\w]+", " ", words), limit=_NEAR) or index.search(given[:5], limit=_NEAR)
            raise _NotFoundError("Aucune commune n’a cette adresse.", near) from error
        name = town_name(match.code, match.name)
        if given == name:
            return match
        return RedirectResponse(f"/ville/{quote(name)}{rest}", status_code=HTTPStatus.MOVED_PERMANENTLY)

    def _make_figures(self, _snapshot: str, code: str) -> Packed:
        return pack(portrait_json(self._page(self._observatory(), code)))

    def _make(self, _snapshot: str, code: str, origin: str) -> Packed:
        observatory = self._observatory()
        page = self._page(observatory, code)
        portrait, links = page.portrait, ServerLinks()
        address = links.town(code, portrait.identity.name)
        main = _with_files(town_main(page, links), address)
        frame = Frame(
            title=town_title(portrait), description=portrait.headline(), assets=_ASSETS, home="/", menu=_MENU,
            canonical=f"{origin}{address}" if origin else "", image=f"{origin}{address}.png" if origin else "",
            data=links.data(code, portrait.identity.name),
        )  # fmt: skip
        return pack(whole_page(frame, main).encode())

    def methods(self, request: Request) -> Response:
        """Answer with the list of the pages of method."""
        items = [{"label": THEMES[theme], "address": f"/methode/{theme}", "note": ""} for theme in _themes()]
        intro = "Ce que compte chaque indicateur, avec quelle formule, d’après quelles sources, et ce qu’il ne dit pas."
        main = fragment("list.html.j2", title="Méthode", intro=intro, items=items, home="/")
        page = whole_page(Frame("Méthode", intro, _ASSETS, "/", _MENU), main)
        return content_response(request, page.encode(), _HTML, cache=REVALIDATE)

    def method(self, request: Request) -> Response:
        """Answer with the indicators of a theme."""
        theme = str(request.path_params["theme"])
        if theme not in _themes():
            raise _NotFoundError(f"Aucun thème ne s’appelle « {theme[:40]} ».", [])
        main = method_main(theme, home="/", parent="/methode")
        title = f"Méthode : {THEMES[theme]}"
        page = whole_page(Frame(title, f"{title}, définitions et sources.", _ASSETS, "/", _MENU), main)
        return content_response(request, page.encode(), _HTML, cache=REVALIDATE)

    def accessibility(self, request: Request) -> Response:
        """Answer with the statement of accessibility."""
        main = statement_main("/", town="/ville/12145-millau")
        page = whole_page(Frame(TITLE, DESCRIPTION, _ASSETS, "/", _MENU), main)
        return content_response(request, page.encode(), _HTML, cache=REVALIDATE)

    def style(self, request: Request) -> Response:
        """Answer with the style sheet; its name holds its hash, so browsers may keep it for ever."""
        name, content = asset(CSS)
        if request.path_params["name"] != name:
            raise _NotFoundError("Ce fichier n’existe pas.", [])
        return content_response(request, content, "text/css; charset=utf-8", cache=IMMUTABLE)

    def unknown(self, request: Request) -> Response:
        """Refuse an address that names nothing."""
        raise _NotFoundError(f"Aucune page à l’adresse « {request.url.path[:120]} ».", [])


def _with_files(main: str, address: str) -> str:
    """Return the page of a town with a link to its portrait on paper, under its first sentence."""
    before, mark, after = main.partition('<section class="carte-identite"')
    link = f'<p><a href="{address}.pdf" type="application/pdf">Télécharger le portrait (PDF)</a></p>'
    return f"{before}{link}{mark}{after}"


@lru_cache(maxsize=1)
def _themes() -> tuple[str, ...]:
    return tuple(theme for theme in THEMES if method_main(theme, home="/"))
