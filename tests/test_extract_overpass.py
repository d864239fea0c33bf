"""Demands to an Overpass server, played by a local one: off by default, escaped, capped, kept, polite."""

from __future__ import annotations

import fcntl
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import shapely
from typer.testing import CliRunner

from bourg.cli import app as cli
from bourg.errors import ParameterError, StorageError
from bourg.extract import overpass
from bourg.extract.engine import extract
from bourg.extract.overpass import (
    Answer,
    OverpassError,
    OverpassOffError,
    ask,
    kept_answer,
    limits,
    policy_of,
    query_of,
    quoted,
    server_address,
)
from bourg.extract.territory import Territories, Territory
from bourg.extract.themes import Theme, make_theme, theme_named, themes
from bourg.settings import Settings
from bourg.sources.http import USER_AGENT, Policy
from bourg.store.snapshot import Snapshot
from extract_world import DATE, TOWN, small_file, territories, town_place

__all__ = ["territories"]
POLICY = Policy(frozenset({"127.0.0.1"}), frozenset({"http"}), max_bytes=10**7, attempts=3, wait_s=0.0)
PLACE = Territory("commune", "00000", "Essai", (3.0, 44.0, 3.1, 44.1), shapely.box(3.0, 44.0, 3.1, 44.1), frozenset())


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server = self.server
        assert isinstance(server, _Server)
        server.seen.append((self.path, dict(self.headers)))
        status, headers, body = server.answers.pop(0) if len(server.answers) > 1 else server.answers[0]
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    answers: list[tuple[int, dict[str, str], bytes]]
    seen: list[tuple[str, dict[str, str]]]

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/api/interpreter"

    def queries(self) -> list[str]:
        return [parse_qs(urlsplit(path).query)["data"][0] for path, _ in self.seen]


@pytest.fixture
def server() -> Iterator[_Server]:
    with _Server(("127.0.0.1", 0), _Handler) as made:
        made.answers, made.seen = [], []
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield made
        made.shutdown()
        thread.join()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home")


@pytest.fixture
def shops() -> Theme:
    return theme_named("commerce")


def good() -> bytes:
    return small_file((3.05, 44.05)).text(bounds=False).encode()


def kept_files(settings: Settings) -> list[str]:
    folder = settings.home / "extraction" / "overpass"
    return sorted(path.suffix for path in folder.iterdir() if path.name != ".lock") if folder.is_dir() else []


# ---- The query -------------------------------------------------------------------------------------------------------


def test_the_query_of_a_theme_says_its_limits_and_asks_for_no_contributor() -> None:
    declared = limits()
    text = query_of(theme_named("energie"), (3.00004, 44.0, 3.1, 44.10001))
    assert text == (
        f"[out:xml][timeout:{declared['timeout_s']}][maxsize:{declared['maxsize_bytes']}][bbox:44,3,44.101,3.1];"
        '(nwr["man_made"="wind_turbine"];nwr["power"~"^(generator|plant)$"];);(._;>;);out body;'
    )
    for theme in themes().values():
        made = query_of(theme, PLACE.bounds)
        assert "meta" not in made
        assert made.count('"') % 2 == 0
    assert 'nwr["shop"];' in query_of(theme_named("commerce"), PLACE.bounds)


HOSTILE = ('a"];out meta;("', "a\\", 'a\\"', "a\nb];out;", "a|b.*", "(^$)", "é'; {{bbox}}")


def strings_of(query: str) -> list[str]:
    """Read the strings of a query as the Overpass language does: a backslash takes the next letter."""
    found, current, inside, letters = [], "", False, iter(query)
    for letter in letters:
        if inside and letter == "\\":
            current += next(letters)
        elif letter == '"':
            if inside:
                found.append(current)
            inside, current = not inside, ""
        elif inside:
            current += letter
    assert not inside
    return found


@pytest.mark.parametrize("value", HOSTILE)
def test_nothing_in_a_value_leaves_its_string(value: str) -> None:
    assert strings_of(quoted(value)) == [value.replace("\n", " ")]
    rules = [{"amenity": [value, "bench"]}, {"shop": value}]
    theme = make_theme({
        "id": "x", "label": "X", "summary": "X.", "columns": [], "expected": [],
        "categories": [{"id": "c", "label": "C", "osm": rules}],
    })  # fmt: skip
    query = query_of(theme, PLACE.bounds)
    amenity, pattern, shop, exact = strings_of(query)
    assert (amenity, shop, exact) == ("amenity", "shop", value.replace("\n", " "))
    assert pattern.startswith("^(")
    assert pattern.endswith(")$")
    outside = query.replace(quoted(value), "").replace(quoted(pattern), "")
    assert outside.count(";out ") == 1


def test_a_value_is_not_read_as_an_expression() -> None:
    import re

    for value in HOSTILE:
        pattern = overpass._one_of((value, "bench"), lists=False)
        assert re.fullmatch(pattern, value)
        assert not re.fullmatch(pattern, value + "x")
    listed = overpass._one_of(("cafe",), lists=True)
    assert re.search(listed, "bar; cafe")
    assert not re.search(listed, "cafeteria")


def test_a_key_that_is_not_one_is_refused() -> None:
    theme = make_theme({
        "id": "x", "label": "X", "summary": "X.", "columns": [], "expected": [],
        "categories": [{"id": "c", "label": "C", "osm": [{'a"];out meta;["': "b"}]}],
    })  # fmt: skip
    with pytest.raises(ParameterError, match="clé"):
        query_of(theme, PLACE.bounds)


# ---- Off by default, address -----------------------------------------------------------------------------------------


def test_demands_are_off_by_default(settings: Settings, shops: Theme, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BOURG_OVERPASS", raising=False)
    assert server_address() is None
    with pytest.raises(OverpassOffError, match="BOURG_OVERPASS"):
        ask(shops, PLACE, settings)
    assert not settings.home.exists()


@pytest.mark.parametrize(
    "text",
    ["overpass.example", "http://overpass.example/api", "ftp://x.example", "https://u@x.example/api",
     "https://x.example/api?data=", "https://x.example/api#f", "https://"],
)  # fmt: skip
def test_a_wrong_address_is_refused(text: str) -> None:
    with pytest.raises(ParameterError, match="BOURG_OVERPASS"):
        server_address({"BOURG_OVERPASS": text})


def test_a_right_address_is_the_only_one_asked() -> None:
    address = server_address({"BOURG_OVERPASS": " https://overpass.example/api/interpreter "})
    assert address == "https://overpass.example/api/interpreter"
    policy = policy_of(address)
    assert (policy.hosts, policy.schemes) == (frozenset({"overpass.example"}), frozenset({"https"}))
    assert policy.attempts <= 3
    assert policy.max_bytes == limits()["answer_bytes"]


# ---- Answers ---------------------------------------------------------------------------------------------------------


def test_an_answer_is_kept_and_read_like_an_extract(
    server: _Server, settings: Settings, shops: Theme, territories: Territories, small_snapshot: Snapshot
) -> None:
    server.answers = [(200, {}, small_file(town_place(small_snapshot)).text(bounds=False).encode())]
    town = territories.find(TOWN)
    assert kept_answer(shops, town, server.address, settings) is None
    answer = ask(shops, town, settings, address=server.address, policy=POLICY)
    assert (answer.date, answer.host) == (DATE, "127.0.0.1")
    assert server.queries() == [query_of(shops, town.bounds)]
    assert server.seen[0][1]["User-Agent"] == USER_AGENT
    found = extract(shops, town, answer.path, answer.source(), territories=territories, settings=settings)
    assert set(found.table["osm_id"]) == {"node/1", "node/2", "node/3", "node/4", "node/5", "node/8"}
    assert (found.source.kind, found.source.share) == ("overpass", 1.0)
    # Kept: the second time nothing goes out.
    assert ask(shops, town, settings, address=server.address, policy=POLICY) == answer
    assert kept_answer(shops, town, server.address, settings) == answer
    assert len(server.seen) == 1
    ask(shops, town, settings, address=server.address, policy=POLICY, refresh=True)
    assert len(server.seen) == 2
    ask(theme_named("sante"), town, settings, address=server.address, policy=POLICY)
    assert len(server.seen) == 3


def test_the_command_asks_the_server_named_by_the_setting(
    server: _Server, small_settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_snapshot: Snapshot
) -> None:
    (tmp_path / "snapshots").symlink_to(small_settings.snapshots)
    monkeypatch.setenv("BOURG_HOME", str(tmp_path))
    monkeypatch.setenv("BOURG_OVERPASS", server.address)
    server.answers = [(200, {}, small_file(town_place(small_snapshot)).text(bounds=False).encode())]
    for _ in range(2):
        result = CliRunner().invoke(cli, ["extract", "commerce", TOWN, "--overpass", "--json"])
        assert result.exit_code == 0, result.output
        told = json.loads(result.stdout)
        assert (told["source"], told["fichier_source"], told["objets"]) == ("serveur Overpass", "127.0.0.1", 6)
        assert told["date_donnees"] == DATE
    assert len(server.seen) == 1


def test_the_server_is_waited_for_as_it_asks(server: _Server, settings: Settings, shops: Theme) -> None:
    busy = (429, {"Retry-After": "0"}, b"")
    server.answers = [busy, (504, {"Retry-After": "0"}, b""), (200, {}, good())]
    assert ask(shops, PLACE, settings, address=server.address, policy=POLICY).date == DATE
    assert len(server.seen) == 3


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ((429, {"Retry-After": "0"}, b""), ("429", 3)),
        ((504, {"Retry-After": "0"}, b""), ("504", 3)),
        ((400, {}, b"line 1: parse error"), ("400", 1)),
        ((200, {"Content-Type": "text/html"}, b"<html>"), ("page web", 1)),
        ((302, {"Location": "https://ailleurs.example/"}, b""), ("n'est pas suivie", 1)),
    ],
)
def test_a_server_that_does_not_answer_is_told(
    server: _Server, settings: Settings, shops: Theme, answer: tuple[int, dict[str, str], bytes], why: tuple[str, int]
) -> None:
    server.answers = [answer]
    with pytest.raises(OverpassError) as caught:
        ask(shops, PLACE, settings, address=server.address, policy=POLICY)
    assert why[0] in caught.value.why
    assert "geofabrik" in caught.value.next_step
    assert caught.value.where == "127.0.0.1"
    assert len(server.seen) == why[1]
    assert kept_files(settings) == []


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (small_file((3.05, 44.05)).text(remark="runtime error: Query timed out").encode(), "abandonné"),
        (good()[:-200], "complet"),
        (b'{"elements": []}', "complet"),
    ],
)
def test_an_answer_that_is_not_one_is_not_kept(
    server: _Server, settings: Settings, shops: Theme, body: bytes, what: str
) -> None:
    server.answers = [(200, {}, body)]
    with pytest.raises(OverpassError, match=what):
        ask(shops, PLACE, settings, address=server.address, policy=POLICY)
    assert kept_files(settings) == []
    server.answers = [(200, {}, good())]
    assert ask(shops, PLACE, settings, address=server.address, policy=POLICY).date == DATE
    assert kept_files(settings) == [".json", ".osm"]


def test_a_failed_renewal_leaves_the_answer_kept(server: _Server, settings: Settings, shops: Theme) -> None:
    server.answers = [(200, {}, good())]
    first = ask(shops, PLACE, settings, address=server.address, policy=POLICY)
    before = first.path.read_bytes()
    server.answers = [(503, {"Retry-After": "0"}, b"")]
    with pytest.raises(OverpassError):
        ask(shops, PLACE, settings, address=server.address, policy=POLICY, refresh=True)
    assert kept_answer(shops, PLACE, server.address, settings) == first
    assert first.path.read_bytes() == before


def test_an_answer_too_long_is_refused(server: _Server, settings: Settings, shops: Theme) -> None:
    server.answers = [(200, {}, good())]
    small = Policy(POLICY.hosts, POLICY.schemes, max_bytes=100, attempts=1)
    with pytest.raises(OverpassError):
        ask(shops, PLACE, settings, address=server.address, policy=small)
    assert kept_files(settings) == []


def test_a_territory_too_large_is_refused_before_any_demand(
    server: _Server, settings: Settings, shops: Theme, territories: Territories
) -> None:
    with pytest.raises(ParameterError, match="trop grand") as caught:
        ask(shops, territories.find("12"), settings, address=server.address, policy=POLICY)
    assert "geofabrik" in caught.value.next_step
    assert server.seen == []


def test_one_demand_at_a_time(server: _Server, settings: Settings, shops: Theme) -> None:
    folder = settings.home / "extraction" / "overpass"
    folder.mkdir(parents=True)
    with (folder / ".lock").open("ab") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(StorageError, match="en cours"):
            ask(shops, PLACE, settings, address=server.address, policy=POLICY)
    assert server.seen == []


def test_a_damaged_note_means_asking_again(server: _Server, settings: Settings, shops: Theme) -> None:
    server.answers = [(200, {}, good())]
    answer = ask(shops, PLACE, settings, address=server.address, policy=POLICY)
    note = answer.path.with_suffix(".json")
    assert json.loads(note.read_text(encoding="utf-8"))["requete"] == query_of(shops, PLACE.bounds)
    note.write_text("{", encoding="utf-8")
    assert kept_answer(shops, PLACE, server.address, settings) is None
    assert isinstance(ask(shops, PLACE, settings, address=server.address, policy=POLICY), Answer)
    assert len(server.seen) == 2
