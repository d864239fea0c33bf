"""Middleware of the whole server: French shell, security headers, French answers under ``/bourg/``."""

from __future__ import annotations

from functools import cache

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bourg.web.assets import assets_version, own_assets

_SECURITY = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "Content-Security-Policy": "frame-ancestors 'self'",
    "X-Frame-Options": "SAMEORIGIN",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(self)",
}
# The page that Streamlit ships is in English; these are the parts of it that a user or a screen reader meets.
_SHELL = (
    (b'<html lang="en">', b'<html lang="fr">'),
    (b"<title>Streamlit</title>", b"<title>Bourg, l'observatoire des petites villes</title>"),
    (
        b"You need to enable JavaScript to run this app.",
        b"Cette page a besoin de JavaScript. Activez-le dans votre navigateur.",
    ),
)
_MAX_SHELL = 200_000


class SecurityHeaders:
    """Add the security headers to every answer that does not set its own."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _SECURITY.items():
                    headers.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, send_with_headers)


class FrenchShell:
    """Declare the language of Streamlit's page: French (WCAG 3.1.1).

    The page is asked for without compression, because its text has to be rewritten; it weighs 8 kB. The
    scripts of the map are announced in it, which gains a third of a second on the first page. Every other
    answer goes through untouched.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["method"] not in {"GET", "HEAD"} or not _may_be_shell(scope):
            await self.app(scope, receive, send)
            return
        plain = [(name, value) for name, value in scope["headers"] if name != b"accept-encoding"]
        start: Message | None = None
        body = bytearray()

        async def send_rewritten(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                kind = Headers(raw=message["headers"]).get("content-type", "")
                if message["status"] == 200 and kind.startswith("text/html"):
                    start = message
                    return
            if start is None:
                await send(message)
                return
            body.extend(message.get("body", b""))
            if message.get("more_body", False) and len(body) < _MAX_SHELL:
                return
            held, start = start, None
            content = bytes(body)
            for old, new in (*_SHELL, (b"</head>", _preloads() + b"</head>")):
                content = content.replace(old, new, 1)
            headers = MutableHeaders(scope=held)
            if scope["method"] == "HEAD" or message.get("more_body", False):
                del headers["content-length"]
            else:
                headers["content-length"] = str(len(content))
            await send(held)
            await send({**message, "body": content})

        await self.app({**scope, "headers": plain}, receive, send_rewritten)


@cache
def _preloads() -> bytes:
    """Return the links that make the browser fetch the scripts of the map while Streamlit's own are starting."""
    base = f"/bourg/assets/{assets_version()}"
    modules = [name for name in own_assets() if name.endswith(".js")]
    links = [f'<link rel="modulepreload" href="{base}/{name}">' for name in modules]
    links += [f'<link rel="preload" as="script" href="{base}/{name}">' for name in ("leaflet.js", "supercluster.js")]
    links += [f'<link rel="preload" as="style" href="{base}/{name}">' for name in ("leaflet.css", "culture_map.css")]
    return "".join(links).encode()


def _may_be_shell(scope: Scope) -> bool:
    """Tell whether the path can answer with Streamlit's page: no extension, and not a service path."""
    path = str(scope["path"])
    last = path.rsplit("/", 1)[-1]
    services = ("/bourg/", "/api/", "/_stcore/", "/media/", "/ville/", "/methode", "/accessibilite")
    return ("." not in last or last == "index.html") and not path.startswith(services)


def middleware() -> list[Middleware]:
    """Return the middleware to give to ``st.App``."""
    return [Middleware(SecurityHeaders), Middleware(FrenchShell)]
