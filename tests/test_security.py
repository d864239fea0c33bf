"""What a hostile request or a hostile name cannot do, on the whole server without its socket.

Requests are given to the application as the server gives them (path decoded once, query and headers as bytes), so that
no client cleans them first.
"""

from __future__ import annotations

import asyncio
import csv
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit
from xml.etree import ElementTree as ET

import polars as pl
import pytest
from starlette.applications import Starlette

from bourg.errors import ParameterError
from bourg.geography.search import Match
from bourg.portrait.locator import Locator
from bourg.portrait.observatory import Observatory, open_observatory
from bourg.settings import Settings
from bourg.site.accessibility import checked_contact, statement_main
from bourg.site.layout import Frame, fragment, whole_page
from bourg.store.snapshot import Snapshot
from bourg.store.spreadsheets import FORMULA
from bourg.web.api.formats import csv_table, geojson_table, json_table
from bourg.web.middleware import middleware
from bourg.web.routes import routes

ROOT = Path(__file__).resolve().parents[1]
HOST = b"bourg.test"
TOWN = "/ville/12145-millau"
_NAMES = (
    '=HYPERLINK("http://evil.example")', "+1+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "＝1+1",
    "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "\u202egnp.exe", "]]></svg><script>1</script>",
)  # fmt: skip


@dataclass
class Answer:
    """What the application sent back."""

    status: int = 0
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""

    def header(self, name: str) -> str:
        return next((value for known, value in self.headers if known == name), "")

    @property
    def text(self) -> str:
        return self.body.decode(errors="replace")


class Server:
    """The routes and the middleware of the server, asked with raw bytes."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.app = Starlette(routes=routes(self), middleware=middleware())

    def current_snapshot(self) -> Snapshot:
        return open_observatory(self.settings).snapshot

    def search(self, query: str, limit: int) -> list[Match]:
        return open_observatory(self.settings).index.search(query, limit=limit)

    def ask(self, target: str, *headers: tuple[bytes, bytes], method: str = "GET", host: bytes = HOST) -> Answer:
        """Send a target as it is written: ``target`` holds one character for each byte of the request line."""
        raw, _, query = target.encode("latin-1").partition(b"?")
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "https",
            "path": unquote(raw.decode("latin-1")), "raw_path": raw, "query_string": query, "root_path": "",
            "headers": [(b"host", host), *headers], "client": ("192.0.2.1", 1234), "server": ("bourg.test", 443),
        }  # fmt: skip
        answer = Answer()

        received = iter([{"type": "http.request", "body": b"", "more_body": False}])

        async def receive() -> dict[str, object]:
            for message in received:
                return message
            # Nothing more comes: the client stays until it has its answer.
            await asyncio.Event().wait()
            return {"type": "http.disconnect"}

        async def send(message: dict) -> None:
            if message["type"] == "http.response.start":
                answer.status = message["status"]
                answer.headers = [(name.decode(), value.decode("latin-1")) for name, value in message["headers"]]
            else:
                answer.body += message.get("body", b"")

        asyncio.run(self.app(scope, receive, send))
        if method == "HEAD":
            answer.body = b""  # as the server does, whatever the application gives
        return answer


@pytest.fixture(scope="module")
def server(small_settings: Settings) -> Iterator[Server]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BOURG_API_RATE", "0")
        yield Server(small_settings)


# ---- Headers ------------------------------------------------------------------------------------------------------

PUBLIC = (
    TOWN,
    "/methode",
    "/methode/housing",
    "/ville/99999-nulle-part",
    "/methode/rien",
    "/ville/12145/x",
    "/api/v1/",
)
DATA = (
    f"{TOWN}/portrait.json", "/api/v1/communes?size=1", "/api/v1/communes?size=0", "/bourg/recherche?q=millau",
    "/bourg/export/lieux.csv?commune=12145", "/bourg/assets/rien.js", "/bourg/nulle-part",
)  # fmt: skip


class _Inline(HTMLParser):
    """Collects what a strict policy refuses: styles and scripts written in the page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "style" or (tag == "script" and not given.get("src")):
            self.found.append(tag)
        self.found += [name for name in given if name == "style" or name.startswith("on")]
        self.found += [f"{name}={value}" for name, value in attrs if (value or "").strip().startswith("javascript:")]


@pytest.mark.parametrize("address", [*PUBLIC, *DATA])
def test_every_answer_carries_its_headers(server: Server, address: str) -> None:
    answer = server.ask(address)
    assert 200 <= answer.status < 500
    assert answer.header("x-content-type-options") == "nosniff"
    policy = answer.header("content-security-policy")
    assert re.search(r"frame-ancestors '(self|none)'", policy)
    assert answer.header("referrer-policy") in {"strict-origin-when-cross-origin", "same-origin", "no-referrer"}
    assert answer.header("set-cookie") == ""
    if address in PUBLIC:
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        # The page of the API carries its own short style, allowed by its hash; nothing else is written in a page.
        expected = ["style"] if address == "/api/v1/" else []
        assert _Inline(answer.text).found == expected


def test_policy_of_a_page_lets_its_own_style_sheet_in(server: Server) -> None:
    text = server.ask(TOWN).text
    address = re.search(r'<link rel="stylesheet" href="([^"]+)"', text)
    assert address
    assert server.ask(address[1]).status == 200
    assert "style-src 'self'" in server.ask(TOWN).header("content-security-policy")


# ---- Files ----------------------------------------------------------------------------------------------------------

FILE_ROUTES = (
    "/bourg/assets/{}", "/bourg/assets/v1/{}", "/bourg/public/{}", "/bourg/points/{}.bin", "/bourg/noms/{}.txt",
    "/bourg/contours/{}/departements.json", "/bourg/contours/x/communes-{}.json", "/bourg/contours/x/epci-{}.json",
    "/bourg/couches/{}.json", "/bourg/export/carte-{}.html", "/ville/{}.pdf", "/ville/{}.png", "/ville/{}",
    "/ville/{}/portrait.json", "/methode/{}", "/api/v1/geo/{}", "/api/v1/sources/{}", "/api/v1/indicators/{}",
    "/api/v1/tiles/{}/0/0.mvt", "/api/v1/communes/{}",
)  # fmt: skip
STEPS = (
    "../../../../etc/passwd", "..%2f..%2f..%2f..%2fetc%2fpasswd", "..%252f..%252f..%252fetc%252fpasswd",
    "%2e%2e/%2e%2e/%2e%2e/etc/passwd", "..%5c..%5c..%5cetc%5cpasswd", "..\\..\\etc\\passwd", "....//....//etc/passwd",
    "%2fetc%2fpasswd", "%00", "12145%00", "leaflet.js%00.css", "..%c0%af..%c0%afetc%c0%afpasswd", "%e2%80%ae",
    "~root", "file:%2f%2f%2fetc%2fpasswd", "con", "a" * 4000,
)  # fmt: skip


@pytest.mark.parametrize("route", FILE_ROUTES)
def test_no_path_leaves_its_folder(server: Server, route: str) -> None:
    home = str(server.settings.home)
    for step in STEPS:
        answer = server.ask(route.format(step))
        assert 400 <= answer.status < 500, (step, answer.status)
        assert "root:" not in answer.text, step
        assert home not in answer.text, step
        assert "Traceback" not in answer.text, step
        if "html" in answer.header("content-type"):
            assert "\u202e" not in answer.text, step
        # What no route of ours takes is answered by Streamlit on the real server.
        assert re.search(r"[éèàê’]|n'|existe|adresse|^Not Found$", answer.text), (step, answer.text[:200])


# ---- Injections in headers ------------------------------------------------------------------------------------------

_CRLF = "%0d%0aSet-Cookie:%20pirate=1%0d%0aX-Pirate:%201"


@pytest.mark.parametrize(
    "target",
    [
        f"/ville/12145{_CRLF}", f"/ville/12145-x{_CRLF}", f"/ville/12145-x{_CRLF}.pdf", f"{TOWN}?a={_CRLF}",
        f"/methode/{_CRLF}", f"/bourg/export/lieux.csv?commune=12145{_CRLF}", f"/bourg/export/carte-12145{_CRLF}.html",
        f"/bourg/recherche?q={_CRLF}", f"/api/v1/communes?q={_CRLF}", f"/api/v1/communes/{_CRLF}", f"/api{_CRLF}",
        "/bourg/recherche?q=\xff\xfe", "/api/v1/communes?q=\xff",
    ],
)  # fmt: skip
def test_no_header_is_injected(server: Server, target: str) -> None:
    answer = server.ask(target)
    assert 200 <= answer.status < 500
    names = {name for name, _ in answer.headers}
    assert not names & {"set-cookie", "x-pirate"}
    assert not [value for _, value in answer.headers if re.search(r"[\r\n\x00]", value)]


PLAIN_HOST = re.compile(r"[A-Za-z0-9.-]+(:\d{1,5})?")
REFUSED_HOSTS = (
    b'evil.example"><script>alert(1)</script>', b"evil.example/x", b"bourg.test\r\nX-Pirate: 1", b"user@evil.example",
    b"evil.example:80:90", b"\xc3\xa9vil.example", b"", b"evil example", b"evil.example\x00", b"evil.example?x=1",
    b"evil.example#x", b"evil.example:port",
)  # fmt: skip
ODD_HOSTS = (b"a'b.example", b"a&b.example", b"a(b).example", b"a,b.example", b"a%0d%0ab.example", b"a;b=c", b"$a!*+~")


def _hosts_of(text: str) -> set[str]:
    links = re.findall(r'(?:rel="canonical" href|og:url" content|og:image" content)="([^"]*)"', text)
    return {urlsplit(link).netloc for link in links if link.startswith(("http:", "https:", "//"))}


@pytest.mark.parametrize("host", REFUSED_HOSTS)
def test_hostile_host_is_never_repeated(server: Server, host: bytes) -> None:
    answer = server.ask(TOWN, host=host)
    assert 200 <= answer.status < 500
    assert all(PLAIN_HOST.fullmatch(name) for name in _hosts_of(answer.text))
    assert "evil" not in answer.text
    assert "x-pirate" not in {name for name, _ in answer.headers}


@pytest.mark.parametrize("host", ODD_HOSTS)
def test_only_plain_hosts_are_repeated(server: Server, host: bytes) -> None:
    """Characters that the standard of addresses allows in a host, and that no host of a site has."""
    answer = server.ask(TOWN, host=host)
    assert 200 <= answer.status < 500
    assert all(PLAIN_HOST.fullmatch(name) for name in _hosts_of(answer.text))


def test_forwarded_host_is_not_believed(server: Server) -> None:
    answer = server.ask(TOWN, (b"x-forwarded-host", b"evil.example"), (b"forwarded", b"host=evil.example"))
    assert answer.status == 200
    assert "evil.example" not in answer.text
    assert _hosts_of(answer.text) == {HOST.decode()}


@pytest.mark.parametrize(
    "target",
    [
        "/ville/12145-x%2f%2fevil.example", "/ville/12145-%5c%5cevil.example", "/ville//evil.example/12145",
        "/ville/12145-@evil.example", "/ville/12145-https:%2f%2fevil.example", "//evil.example/ville/12145-x",
        "/ville/12145-x?next=//evil.example", "/api?next=//evil.example", "/api/v1", "//evil.example/api",
        "/ville/12145-.evil.example", "/ville/12145", "/ville/12145-x.pdf",
    ],
)  # fmt: skip
def test_redirections_stay_here(server: Server, target: str) -> None:
    answer = server.ask(target)
    location = answer.header("location")
    if 300 <= answer.status < 400:
        assert re.match(r"/(?:ville/12145-millau|api/v1/)", location), location
    else:
        assert 400 <= answer.status < 500
        assert location == ""


# ---- Sizes and methods ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "target",
    [
        "/api/v1/communes?size=1000000000000", "/api/v1/communes?page=99999999999999999999", "/api/v1/communes?size=-1",
        "/api/v1/communes?q=" + "a" * 100_000, "/bourg/recherche?q=" + "a" * 100_000,
        "/bourg/recherche?" + "&".join(f"a{i}=1" for i in range(5000)), "/bourg/export/lieux.csv?bbox=" + "1," * 20_000,
        "/bourg/export/lieux.csv?" + "&".join(f"type=t{i}" for i in range(5000)), "/ville/" + "9" * 50_000,
        "/api/v1/values?indicator=" + "x" * 50_000, "/api/v1/" + "x/" * 5000,
    ],
)  # fmt: skip
def test_too_much_is_refused_in_french(server: Server, target: str) -> None:
    answer = server.ask(target)
    assert 400 <= answer.status < 500
    assert len(answer.body) < 20_000
    assert re.search(r"[éèàê]|donnez", answer.text), answer.text[:300]


def test_a_public_page_ignores_a_huge_query(server: Server) -> None:
    assert server.ask(f"{TOWN}?{'a' * 60_000}").body == server.ask(TOWN).body


@pytest.mark.parametrize("target", [TOWN, "/methode", "/api/v1/communes?size=1", "/bourg/recherche?q=millau"])
def test_head_is_get_without_a_body(server: Server, target: str) -> None:
    got, head = server.ask(target), server.ask(target, method="HEAD")
    assert (head.status, head.body) == (got.status, b"")
    kept = ("content-type", "etag", "content-security-policy", "cache-control")
    assert [head.header(name) for name in kept] == [got.header(name) for name in kept]
    assert got.body


@pytest.mark.parametrize("target", [TOWN, "/methode", "/api/v1/communes", "/bourg/recherche?q=millau", "/bourg/rien"])
@pytest.mark.parametrize("method", ["OPTIONS", "POST", "PUT", "DELETE", "TRACE", "PIRATE"])
def test_other_methods_change_nothing(server: Server, target: str, method: str) -> None:
    answer = server.ask(target, method=method)
    assert answer.status in {204, 404, 405} if method == "OPTIONS" else answer.status in {404, 405}
    assert answer.header("set-cookie") == ""
    assert len(answer.body) < 2000
    assert "PIRATE" not in answer.header("allow")


# ---- Hostile names --------------------------------------------------------------------------------------------------


def _cells(content: bytes) -> list[str]:
    text = content.decode("utf-8-sig")
    return [cell for row in csv.reader(io.StringIO(text), delimiter=";") for cell in row]


def test_tables_for_spreadsheets_run_nothing() -> None:
    frame = pl.DataFrame({"name": list(_NAMES), "=1+1": list(_NAMES), "list": [[name] for name in _NAMES]})
    cells = _cells(csv_table(frame))
    assert sum("HYPERLINK" in cell for cell in cells) == 3
    assert [cell for cell in cells if re.match(FORMULA, cell) and not re.fullmatch(r"-?[\d.]+", cell)] == []


def test_every_module_that_writes_a_table_uses_the_same_guard() -> None:
    """A new export that forgets the guard is found here."""
    # Files that Bourg itself reads back, or makes in the formats of the official sources.
    inside = {"sources", "footfall_store.py"}
    # One row for each commune: codes and minutes only.
    apart = {"cli/access.py"}
    for path in sorted((ROOT / "src" / "bourg").rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        written = re.search(r"csv\.(?:writer|DictWriter)\(|\.write_csv\(", text)
        if not written or inside & {*path.parts, path.name} or f"{path.parent.name}/{path.name}" in apart:
            continue
        assert re.search(r"import .*\bsafe_(?:cell|text)\b", text), path


def test_hostile_names_in_data_stay_data() -> None:
    frame = pl.DataFrame({"name": list(_NAMES), "longitude": [3.0] * len(_NAMES), "latitude": [44.0] * len(_NAMES)})
    assert [row["name"] for row in json.loads(json_table(frame, {}))["data"]] == list(_NAMES)
    features = json.loads(geojson_table(frame, {}))["features"]
    assert [item["properties"]["name"] for item in features] == list(_NAMES)


def test_hostile_names_in_pages_are_text() -> None:
    for name in _NAMES:
        items = [{"label": name, "address": "x", "note": name}]
        main = fragment("list.html.j2", title=name, intro=name, items=items, home="/")
        page = whole_page(
            Frame(name, name, "/", "/", (("Accueil", '/"><script>'),), canonical=f"https://x/{quote(name)}"), main
        )
        assert "<script" not in page.lower()
        assert "<img" not in page
        assert "\u202e" not in page
        assert _Inline(page).found == []


def test_hostile_names_in_drawings_are_text(small_observatory: Observatory, monkeypatch: pytest.MonkeyPatch) -> None:
    locator = Locator(small_observatory)
    ET.fromstring(locator.svg("12145"))
    real = small_observatory.commune

    def renamed(code: str) -> dict[str, object]:
        return {**real(code), "name": _NAMES[10], "epci_name": _NAMES[8], "departement_name": _NAMES[9]}

    monkeypatch.setattr(small_observatory, "commune", renamed)
    drawn = Locator(small_observatory).svg("12145")
    assert {item.tag.rsplit("}")[-1] for item in ET.fromstring(drawn).iter()} <= {"svg", "path", "circle", "g", "use"}
    assert "\u202e" not in drawn


def test_contact_of_the_statement_is_only_a_contact() -> None:
    for text in ("javascript:alert(1)", "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "https://"):
        page = statement_main("/", contact=text)
        assert _Inline(page).found == []
        assert "<script" not in page
        assert 'href="javascript' not in page
    assert 'href="mailto:acces@exemple.fr"' in statement_main("/", contact="acces@exemple.fr")
    for text in ("a" * 201, "a\r\nb", "x\u202ey", "x\x00y"):
        with pytest.raises(ParameterError, match="contact"):
            checked_contact(text)
