"""The portrait in every form: command line, Markdown, HTML that stands alone, files of the server, social pictures."""

from __future__ import annotations

import asyncio
import io
import json
import os
import re
import threading
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pypdf
import pytest
from markdown_it import MarkdownIt
from PIL import Image
from starlette.applications import Starlette

from bourg.cli.portraits import format_of, portrait_content, write_file
from bourg.cli.run import main
from bourg.errors import ParameterError, StorageError
from bourg.portrait.charts import evolution
from bourg.portrait.document import make_portrait
from bourg.portrait.locator import Locator
from bourg.portrait.markdown import portrait_markdown, told
from bourg.portrait.observatory import Observatory
from bourg.portrait.page import TownPage
from bourg.portrait.social import social_content, social_png
from bourg.settings import Settings
from bourg.site.standalone import standalone_page
from bourg.store.snapshot import Snapshot, SnapshotStore
from bourg.web.portraits import BusyError, PortraitFiles
from bourg.web.public_pages import public_routes

HOSTILE = "a|b *c* _d_ `e` [f](javascript:g) <script>h</script> # i\n## j\u202e & $k$"


@dataclass(frozen=True)
class Context:
    settings: Settings

    def current_snapshot(self) -> Snapshot:
        return SnapshotStore(self.settings.snapshots).current()

    def search(self, query: str, limit: int) -> list[object]:
        raise NotImplementedError


@pytest.fixture(scope="module")
def millau(small_observatory: Observatory) -> TownPage:
    portrait = make_portrait(small_observatory, "12145")
    return TownPage(portrait, evolution(small_observatory, "12145"), Locator(small_observatory).svg("12145"))


@pytest.fixture(scope="module")
def home(small_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The same snapshot in an installation whose cache may be written."""
    made = Settings(home=tmp_path_factory.mktemp("formes"))
    (made.home / "snapshots").symlink_to(small_settings.snapshots)
    return made


@pytest.fixture(scope="module")
def app(home: Settings) -> Starlette:
    return Starlette(routes=list(public_routes(Context(home))))


def ask(app: Starlette, url: str, headers: dict[str, str] | None = None) -> httpx.Response:
    async def asked() -> httpx.Response:
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="https://bourg.test") as client:
            return await client.get(url, headers=headers)

    return asyncio.run(asked())


# Markdown


def test_markdown_has_every_figure_and_every_reason(millau: TownPage) -> None:
    text = portrait_markdown(millau)
    assert text.startswith("# Millau\n")
    for sheet in millau.portrait.sheets.values():
        assert told(sheet.label) in text
    for part in ("## Logement", "## Villes semblables", "## Sources", "## Évolutions", "donnée manquante", "◆"):
        assert part in text
    assert millau.portrait.snapshot["id"] in text
    tables = MarkdownIt("commonmark").enable("table").render(text)
    # Every line of a table became a row: no cell broke it.
    assert tables.count("<tr>") == len(re.findall(r"(?m)^\| (?!---)", text))


def test_markdown_shows_hostile_names_as_they_are(millau: TownPage) -> None:
    portrait = millau.portrait
    sheets = {name: replace(item, label=HOSTILE) for name, item in portrait.sheets.items()}
    changed = replace(portrait, identity=replace(portrait.identity, name=HOSTILE), sheets=sheets)
    text = portrait_markdown(replace(millau, portrait=changed))
    shown = MarkdownIt("commonmark").enable("table").render(text)
    assert "<script" not in shown
    assert 'javascript:g"' not in shown
    assert "<em>" not in shown
    assert "<code>" not in shown
    assert "\u202e" not in text
    assert "<h2>j" not in shown
    wanted = "a|b *c* _d_ `e` [f](javascript:g) &lt;script&gt;h&lt;/script&gt; # i ## j &amp; $k$"
    assert f"<h1>{wanted}</h1>" in shown
    assert f"<td>{wanted}</td>" in shown


# HTML that stands alone


def test_the_page_alone_calls_nothing(millau: TownPage) -> None:
    text = standalone_page(millau)
    assert "<h1>Millau" in text
    assert "<style>" in text
    assert "--ville:" in text
    assert "<script" not in text
    assert 'rel="stylesheet"' not in text
    assert not re.search(r'\b(?:src|href)="(?!#|https?://|data:,)', text)
    assert not re.search(r'<(?:img|iframe|link)[^>]+(?:src|href)="http', text)
    # Links inside the page lead somewhere.
    known = set(re.findall(r'\bid="([^"]+)"', text))
    assert set(re.findall(r'href="#([^"]+)"', text)) <= known


# Command line


def run(arguments: list[str], settings: Settings, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setenv("BOURG_HOME", str(settings.home))
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    return int(stopped.value.code or 0)


@pytest.mark.parametrize(
    ("arguments", "start"),
    [
        (["--format", "text"], "Millau, Aveyron (12)"),
        (["--format", "json"], "{"),
        (["--json"], "{"),
        (["--format", "md"], "# Millau"),
        (["--format", "html"], "<!doctype html>"),
        (["--format", "md", "--theme", "logement"], "# Millau"),
        (["--format", "html", "--theme", "logement"], "<!doctype html>"),
    ],
)
def test_every_form_on_the_standard_output(
    arguments: list[str],
    start: str,
    home: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["portrait", "12145", *arguments], home, monkeypatch) == 0
    text = capsys.readouterr().out
    assert text.startswith(start)
    assert text.endswith("\n")
    if "--theme" in arguments:
        assert "Part des logements vacants" in text
        assert "Lieux de patrimoine" not in text


@pytest.mark.parametrize("theme", ["commerce", "culture", "energie"])
def test_a_theme_with_a_page_is_told_in_brief_first(
    theme: str, home: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["portrait", "12145", "--theme", theme], home, monkeypatch) == 0
    first, title, _ = capsys.readouterr().out.split("\n\n", 2)
    assert first.startswith("Millau, Aveyron (12)")
    assert title.startswith("EN BREF\n  ")
    assert "Millau" in title
    assert len(title.splitlines()) > 2
    assert run(["portrait", "12145", "--theme", theme, "--json"], home, monkeypatch) == 0
    assert "page_du_theme" in capsys.readouterr().out


def test_a_pdf_takes_the_name_of_the_town(
    home: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["portrait", "Millau", "--format", "pdf"], home, monkeypatch) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["portrait-12145-millau.pdf"]
    assert (tmp_path / "portrait-12145-millau.pdf").read_bytes().startswith(b"%PDF-")
    assert "portrait-12145-millau.pdf" in capsys.readouterr().out


@pytest.mark.parametrize(("name", "start"), [("a.html", b"<!doctype"), ("a.md", b"# Millau"), ("a.JSON", b"{")])
def test_the_name_of_the_file_says_the_form(
    name: str, start: bytes, home: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(["portrait", "12145", "-o", str(tmp_path / name)], home, monkeypatch) == 0
    assert (tmp_path / name).read_bytes().startswith(start)
    assert format_of("pdf", tmp_path / name) == "pdf"
    assert format_of(None, None) == "text"


def test_communes_chosen_by_hand(small_observatory: Observatory) -> None:
    codes = small_observatory.communes.filter(small_observatory.communes["departement"] == "12")["code"].to_list()[:30]
    told_json = json.loads(portrait_content(small_observatory, "12145", "json", among=codes).content)
    assert told_json["parmi_les_communes_choisies"]["codes"] == codes
    phrases = told_json["parmi_les_communes_choisies"]["phrases"]
    text = portrait_content(small_observatory, "12145", "text", among=codes).content.decode()
    written = portrait_content(small_observatory, "12145", "md", among=codes).content.decode()
    assert "PARMI LES COMMUNES CHOISIES" in text
    assert "## Parmi les communes choisies" in written
    assert all(phrase in text for phrase in phrases)
    with pytest.raises(ParameterError, match="--parmi"):
        portrait_content(small_observatory, "12145", "pdf", among=codes)


# Files


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(b"avant")
    with pytest.raises(ParameterError, match="dossier"):
        write_file(tmp_path, b"x")
    with pytest.raises(ParameterError, match="n'existe pas"):
        write_file(tmp_path / "rien" / "a.pdf", b"x")

    def refuse(self: Path, target: Path) -> Path:
        raise OSError(28, os.strerror(28), str(self), None, str(target))

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", refuse)
        with pytest.raises(StorageError, match="ne peut pas être écrit"):
            write_file(path, b"x")
    assert [item.name for item in tmp_path.iterdir()] == ["a.pdf"]
    assert path.read_bytes() == b"avant"
    write_file(path, b"apres")
    assert path.read_bytes() == b"apres"


def test_a_refused_file_is_said_in_french(
    home: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["portrait", "12145", "--format", "pdf", "-o", str(tmp_path)], home, monkeypatch) == 2
    assert "est un dossier" in capsys.readouterr().err
    assert run(["portrait", "12145", "--format", "pdf", "--theme", "rien"], home, monkeypatch) == 2
    assert "n'existe pas" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


# Server


def test_pdf_of_a_town_is_kept_and_tagged(app: Starlette, home: Settings) -> None:
    answer = ask(app, "/ville/12145-millau.pdf")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.headers["content-disposition"] == 'inline; filename="portrait-12145-millau.pdf"'
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "set-cookie" not in answer.headers
    assert len(pypdf.PdfReader(io.BytesIO(answer.content)).pages) >= 4
    kept = [path for path in (home.home / "cache" / "portraits").rglob("*") if path.is_file()]
    assert "12145-millau.pdf" in {path.name for path in kept}
    tag = answer.headers["etag"]
    assert ask(app, "/ville/12145-millau.pdf", {"if-none-match": tag}).status_code == 304
    # What is on the disk is what is sent, without being made again.
    place = next(path for path in kept if path.name == "12145-millau.pdf")
    content = place.read_bytes()
    place.write_bytes(b"%PDF-autre")
    assert ask(app, "/ville/12145-millau.pdf").content == b"%PDF-autre"
    place.write_bytes(content)


def test_picture_of_a_town(app: Starlette) -> None:
    answer = ask(app, "/ville/12145-millau.png")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/png"
    with Image.open(io.BytesIO(answer.content)) as image:
        assert image.size == (1200, 630)
        assert len(image.getcolors() or []) > 20
    assert len(answer.content) < 80_000


def test_the_page_leads_to_its_files(app: Starlette) -> None:
    text = ask(app, "/ville/12145-millau").text
    assert '<a href="/ville/12145-millau.pdf" type="application/pdf">' in text
    assert text.index("12145-millau.pdf") < text.index('id="identite"')
    for line in (
        '<meta property="og:image" content="https://bourg.test/ville/12145-millau.png">',
        '<meta property="og:image:width" content="1200">',
        '<meta name="twitter:card" content="summary_large_image">',
        '<link rel="canonical" href="https://bourg.test/ville/12145-millau">',
    ):
        assert line in text
    assert re.search(r'property="og:image:alt" content="Millau', text)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("/ville/12145.pdf", "/ville/12145-millau.pdf"),
        ("/ville/12145-ancien.png", "/ville/12145-millau.png"),
        ("/ville/2a004-x.pdf", "/ville/2A004-ajaccio.pdf"),
    ],
)
def test_former_addresses_of_files(app: Starlette, given: str, wanted: str) -> None:
    answer = ask(app, given)
    assert (answer.status_code, answer.headers["location"]) == (301, wanted)


@pytest.mark.parametrize(
    "address", ["/ville/99999-x.pdf", "/ville/millau.png", "/ville/..%2f..%2fetc.pdf", "/ville/%E2%80%AE.pdf"]
)
def test_unknown_files_are_pages_in_french(app: Starlette, address: str) -> None:
    answer = ask(app, address)
    assert answer.status_code == 404
    assert "<h1>Cette page n’existe pas</h1>" in answer.text


def test_a_portrait_that_takes_too_long_is_refused_then_found(tmp_path: Path) -> None:
    files = PortraitFiles(Settings(home=tmp_path), time_cap=0.0)
    go, made = threading.Event(), []

    def slow() -> bytes:
        go.wait(30)
        made.append(1)
        return b"fait"

    with pytest.raises(BusyError, match="réessayez"):
        files.get("s1", "a.pdf", slow)
    with pytest.raises(BusyError):
        files.get("s1", "a.pdf", slow)
    go.set()
    waiting = PortraitFiles(Settings(home=tmp_path))
    files._pool.shutdown(wait=True)
    assert waiting.get("s1", "a.pdf", slow) == b"fait"
    assert made == [1]


def test_another_snapshot_replaces_the_files(tmp_path: Path) -> None:
    files = PortraitFiles(Settings(home=tmp_path))
    assert files.get("s1", "a.pdf", lambda: b"un") == b"un"
    assert files.get("s1", "a.pdf", lambda: b"autre") == b"un"
    assert files.get("s2", "a.pdf", lambda: b"deux") == b"deux"
    files._pool.shutdown(wait=True)
    assert len(list((tmp_path / "cache" / "portraits").iterdir())) == 1


def test_a_disk_that_refuses_only_costs_time(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("un fichier", encoding="utf-8")
    files = PortraitFiles(Settings(home=tmp_path))
    assert files.get("s1", "a.pdf", lambda: b"un") == b"un"
    assert files.get("s1", "a.pdf", lambda: b"deux") == b"deux"


def test_an_error_reaches_every_reader(tmp_path: Path) -> None:
    def refused() -> bytes:
        raise ParameterError("non")

    files = PortraitFiles(Settings(home=tmp_path))
    for _ in range(2):
        with pytest.raises(ParameterError, match="non"):
            files.get("s1", "a.pdf", refused)
    assert files.get("s1", "a.pdf", lambda: b"oui") == b"oui"


def test_busy_server_says_when_to_come_back(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def late(self: PortraitFiles, snapshot: str, name: str, make: object) -> bytes:
        raise BusyError("Le serveur met ce portrait en page.")

    monkeypatch.setattr(PortraitFiles, "get", late)
    answer = ask(Starlette(routes=list(public_routes(Context(home)))), "/ville/12145-millau.pdf")
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert "met ce portrait en page" in answer.text


# Social pictures


def test_the_picture_is_the_same_each_time_and_holds_any_name(millau: TownPage) -> None:
    assert social_png(millau) == social_png(millau)
    content = social_content(millau)
    assert content["name"] == "Millau"
    assert len(content["figures"]) == 3
    assert not any(item["demo"] for item in content["figures"])
    portrait = millau.portrait
    for name in (HOSTILE, "É" * 90, "Œ", "x" * 400):
        page = replace(millau, portrait=replace(portrait, identity=replace(portrait.identity, name=name)))
        with Image.open(io.BytesIO(social_png(page))) as image:
            assert image.size == (1200, 630)
    bare = TownPage(replace(portrait, sheets={}, identity=replace(portrait.identity, epci=None)))
    with Image.open(io.BytesIO(social_png(bare))) as image:
        assert image.size == (1200, 630)


def test_generated_figures_come_last_in_the_picture(millau: TownPage) -> None:
    keys = {sheet.indicator: sheet for sheet in millau.portrait.key_figures if sheet.demo}
    content = social_content(replace(millau, portrait=replace(millau.portrait, sheets=keys)))
    assert content["demo"] is True
    assert all(item["demo"] for item in content["figures"])
