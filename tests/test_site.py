"""The static site: complete, plain, reproducible."""

from __future__ import annotations

import functools
import gzip
import http.server
import json
import re
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urljoin, urlsplit
from xml.etree import ElementTree as ET

import polars as pl
import pytest

import bourg.cli.site
from axe_tools import violations
from bourg.cli.run import main
from bourg.errors import UnknownTerritoryError
from bourg.indicators.registry import load_indicators
from bourg.maps.choropleth import classify
from bourg.portrait.charts import evolution, evolutions
from bourg.portrait.document import make_portrait, make_portraits
from bourg.portrait.locator import Locator
from bourg.portrait.markup import slug_of, typeset
from bourg.portrait.observatory import Observatory
from bourg.portrait.page import TownPage, town_main
from bourg.settings import Settings
from bourg.site.addresses import StaticLinks
from bourg.site.feeds import sitemaps
from bourg.site.generate import generate_site
from bourg.site.selection import chosen_codes
from bourg.site.shapes import shade
from browser_tools import running_browser
from site_world import ADDRESS, CODES

_VOID = {"meta", "link", "input", "br", "hr", "img"}
_OPTIONAL = {"th", "td", "tr"}


class Reading(HTMLParser):
    """What a browser needs from a page: headings, ids, links, landmarks; refuses tags closed out of order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.headings: list[int] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self._open: list[str] = []
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.add(tag)
        self.attributes |= set(given)
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if name := given.get("id"):
            self.ids.append(name)
        if (link := given.get("href") or given.get("src")) and tag in {"a", "link", "script"}:
            self.links.append(link)
        if tag not in _VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_endtag(self, tag: str) -> None:
        while self._open[-1] != tag and self._open[-1] in _OPTIONAL:
            self._open.pop()
        assert self._open.pop() == tag


@pytest.fixture(scope="module")
def site(small_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("site") / "sous-dossier"
    report = generate_site(small_settings, out, CODES, address=ADDRESS, workers=1)
    assert (report.towns, report.made, report.unchanged) == (6, 6, 0)
    return out


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[str, Reading]:
    names = sorted(str(path.relative_to(site)) for path in site.rglob("*.html"))
    return {name: Reading((site / name).read_text(encoding="utf-8")) for name in names}


def test_pages_are_plain_and_in_order(site: Path, pages: dict[str, Reading]) -> None:
    assert "ville/12145-millau/index.html" in pages
    for name, page in pages.items():
        text = (site / name).read_text(encoding="utf-8")
        assert text.startswith('<!doctype html>\n<html lang="fr">'), name
        assert {"main", "header", "footer"} <= page.tags, name
        # Nothing that a strict content security policy would refuse.
        assert not {"style", "iframe", "object"} & page.tags, name
        assert not {item for item in page.attributes if item == "style" or item.startswith("on")}, name
        assert ("script" in page.tags) == (name == "index.html"), name
        assert page.headings[0] == 1, name
        assert page.headings.count(1) == 1, name
        assert all(after <= before + 1 for before, after in zip(page.headings, page.headings[1:], strict=False)), name
        assert len(page.ids) == len(set(page.ids)), name
        assert "#contenu" in page.links, name
        assert "contenu" in page.ids, name


def test_links_lead_somewhere(site: Path, pages: dict[str, Reading]) -> None:
    outside = 0
    for name, page in pages.items():
        for link in page.links:
            parts = urlsplit(urljoin(f"{ADDRESS}{name}", link))
            if parts.scheme == "data":
                continue
            if parts.netloc != "bourg.exemple":
                outside += 1
                continue
            assert parts.path.startswith("/sous-dossier/"), (name, link)
            target = parts.path.removeprefix("/sous-dossier/")
            target = f"{target}index.html" if not target or target.endswith("/") else target
            assert (site / target).is_file(), (name, link)
            if parts.fragment:
                assert parts.fragment in pages[target].ids, (name, link)
    # The pages of the sources.
    assert outside > 0


def test_nothing_is_asked_from_another_host(site: Path) -> None:
    for path in site.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r'(?:src|data|action)="(?:https?:)?//', text), path
        assert not re.search(r'<link rel="(?:stylesheet|icon|preload)[^>]*href="(?:https?:)?//', text), path
    assert "url(" not in next(site.glob("bourg-*.css")).read_text()


def test_pages_are_small(site: Path) -> None:
    sizes = {path.parent.name: len(gzip.compress(path.read_bytes(), 6)) for path in site.glob("ville/*/index.html")}
    assert len(sizes) == len(CODES)
    assert max(sizes.values()) < 60_000, sizes


def test_town_page_says_what_the_portrait_says(site: Path, small_observatory: Observatory) -> None:
    text = (site / "ville" / "12145-millau" / "index.html").read_text(encoding="utf-8")
    portrait = make_portrait(small_observatory, "12145")
    for sheet in portrait.sheets.values():
        if sheet.status == "ok":
            assert f'id="{sheet.indicator}"' in text
    assert text.count("<svg") > 20
    assert '<svg class="situation"' in text
    assert f'<link rel="canonical" href="{ADDRESS}ville/12145-millau/">' in text
    # French typography: no plain space before a colon, and curly apostrophes.
    body = re.sub(r"<[^>]*>", "\n", text)
    body = body.replace("&nbsp;", "\u00a0")
    assert re.findall(r".{20} [:;%?!»].{10}|« .{10}", body) == []
    assert not re.search(r"\w'\w", body)
    data = json.loads((site / "ville" / "12145-millau" / "portrait.json").read_bytes())
    shown = data["indicateurs"]["population.total"]
    assert shown["valeur"] == portrait.sheets["population.total"].value
    assert set(data["indicateurs"]) == set(portrait.sheets)


def test_other_files(site: Path, small_observatory: Observatory) -> None:
    tree = ET.fromstring((site / "sitemap.xml").read_text(encoding="utf-8"))
    places = {item[0].text or "": item[1].text for item in tree}
    assert f"{ADDRESS}ville/12145-millau/" in places
    assert ADDRESS in places
    assert not any(place.endswith("404.html") for place in places)
    day = small_observatory.snapshot.manifest["created"][:10]
    assert set(places.values()) == {day}
    index = json.loads((site / "recherche.json").read_bytes())
    assert ["12145", "Millau", "millau", "12"] in [row[:4] for row in index]
    assert f"Sitemap: {ADDRESS}sitemap.xml" in (site / "robots.txt").read_text()


def test_feeds(site: Path, small_observatory: Observatory) -> None:
    """The snapshot, then every source by the hash of what was read, the same in both forms."""
    feed = ET.fromstring((site / "nouveautes.atom").read_text(encoding="utf-8"))
    atom = "{http://www.w3.org/2005/Atom}"
    assert feed.tag == f"{atom}feed"
    ids = [entry.findtext(f"{atom}id") for entry in feed.iter(f"{atom}entry")]
    assert len(ids) == len(set(ids)) == 1 + len(small_observatory.sources())
    assert ids[0] == f"{ADDRESS}#{small_observatory.snapshot.id}"
    basilic = next(item for item in small_observatory.sources() if item["id"] == "basilic")
    assert any(basilic["sha256"][:16] in (name or "") for name in ids)
    data = json.loads((site / "nouveautes.json").read_bytes())
    assert data["version"] == "https://jsonfeed.org/version/1.1"
    assert [item["id"] for item in data["items"]] == ids


def test_large_sitemap_is_cut() -> None:
    names = [f"ville/{index}/index.html" for index in range(5)]
    files = sitemaps(ADDRESS, [*names, "404.html"], "2026-01-31", most=2)
    assert sorted(files) == ["sitemap-1.xml", "sitemap-2.xml", "sitemap-3.xml", "sitemap.xml"]
    index = ET.fromstring(files["sitemap.xml"])
    assert [item[0].text for item in index] == [f"{ADDRESS}sitemap-{number}.xml" for number in (1, 2, 3)]
    assert sum(len(ET.fromstring(files[f"sitemap-{number}.xml"])) for number in (1, 2, 3)) == 5


def test_departement_page(site: Path, small_observatory: Observatory) -> None:
    text = (site / "departement" / "12" / "index.html").read_text(encoding="utf-8")
    inside = small_observatory.communes.filter(pl.col("departement") == "12")
    assert text.count('<path id="f12') == inside["xmin"].is_not_null().sum()
    # Two maps of the same outlines, each with a legend that counts every commune.
    assert text.count('<svg class="carte"') == 2
    for legend in re.findall(r'<ul class="teintes">(.*?)</ul>', text):
        counts = [int(count) for count in re.findall(r"(\d+)\u00a0communes?<", legend)]
        assert sum(counts) == inside.height
    data = json.loads((site / "departement" / "12" / "departement.json").read_bytes())
    known = {item["code"]: item["valeurs"] for item in data["communes"]}
    assert set(known) == {"12001", "12145", "12202"}
    sheet = make_portrait(small_observatory, "12145").sheets["population.total"]
    assert known["12145"]["population.total"] == [sheet.value, sheet.status]
    spread = small_observatory.summary("departement", "12")
    medians = {count: figures[3] for (name, *_), (count, figures) in spread.items() if name == "population.total"}
    assert data["indicateurs"]["population.total"]["mediane_des_communes"] == round(medians[max(medians)])


def test_theme_page(site: Path, pages: dict[str, Reading], small_observatory: Observatory) -> None:
    declared = [item.declaration for item in load_indicators().values() if item.declaration.theme == "population"]
    assert {one.id for one in declared} <= set(pages["theme/population/index.html"].ids)
    text = (site / "theme" / "population" / "index.html").read_text(encoding="utf-8")
    # A map of totals would be a map of the population.
    section = text[text.index('<h2 id="population.total">') :]
    assert '<svg class="carte"' not in section[: section.index("</section>")]
    data = json.loads((site / "theme" / "population" / "theme.json").read_bytes())
    density = data["indicateurs"]["population.density"]["departements"]
    rows = small_observatory.values([("departement", "12")]).filter(pl.col("indicator") == "population.density")
    assert density["12"][0] == round(rows["value"][0], 1)


def test_shades_follow_the_classes() -> None:
    one_way = classify([1.0, 2.0, 3.0, 4.0, None], decimals=0)
    assert [shade(one_way, index) for index in one_way.index] == ["q0", "q2", "q2", "q5", "nc"]
    two_ways = classify([-2.0, -1.0, 0.0, 1.0, 2.0], decimals=0, change=True)
    names = [shade(two_ways, index) for index in two_ways.index]
    assert names[0].startswith("b")
    assert names[2] == "z"
    assert names[4] == "h4"


def test_same_snapshot_same_bytes(site: Path, small_settings: Settings, tmp_path: Path) -> None:
    generate_site(small_settings, tmp_path / "autre", CODES, address=ADDRESS, workers=1)
    first = {path.relative_to(site): path.read_bytes() for path in site.rglob("*") if path.is_file()}
    second = {p.relative_to(tmp_path / "autre"): p.read_bytes() for p in (tmp_path / "autre").rglob("*") if p.is_file()}
    assert first == second


def test_processes_make_the_same_files(
    site: Path, small_settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bourg.site.generate._ALONE", 1)
    monkeypatch.setattr("bourg.site.generate._LEAST_BATCH", 2)
    # A script that must not run again in the processes: that of a server, of a notebook, of the tests.
    script = tmp_path / "script.py"
    script.write_text("raise SystemExit(3)")
    monkeypatch.setattr(sys.modules["__main__"], "__file__", str(script), raising=False)
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", None, raising=False)
    generate_site(small_settings, tmp_path / "autre", CODES, address=ADDRESS, workers=2)
    for path in site.rglob("*.html"):
        assert (tmp_path / "autre" / path.relative_to(site)).read_bytes() == path.read_bytes()


def test_many_at_once_is_one_by_one(small_observatory: Observatory) -> None:
    together = list(make_portraits(small_observatory, CODES))
    for code, portrait in zip(CODES, together, strict=True):
        assert portrait.to_dict() == make_portrait(small_observatory, code).to_dict()
    series = evolutions(small_observatory, CODES)
    assert all(series[code] == evolution(small_observatory, code) for code in CODES)


HOSTILE = "\u202e=cmd|'/c'!A1 <script>alert(\"x\")</script>\u200f & « Évil »\x07"


def test_hostile_names(small_observatory: Observatory) -> None:
    portrait = make_portrait(small_observatory, "12145")
    identity = replace(portrait.identity, name=HOSTILE, epci={"code": "1", "nom": HOSTILE, "nature": "CC"})
    hall = {**identity.town_hall, "adresse": HOSTILE, "site": "javascript:alert(1)"}
    page = TownPage(replace(portrait, identity=replace(identity, town_hall=hall)))
    text = town_main(page, StaticLinks("../../", {"12145"}, {"12"}))
    reading = Reading(text)
    assert "script" not in reading.tags
    assert "<script" not in text
    assert "javascript:" not in " ".join(reading.links)
    assert not set(text) & {"\u202e", "\u200f", "\x07"}
    assert "&lt;script&gt;" in text
    assert re.fullmatch(r"[a-z0-9-]+", slug_of(HOSTILE))
    assert slug_of("\u202e") == "commune"


def test_typeset() -> None:
    assert typeset("l'été : 12 345 % « oui » ?") == "l’été\u00a0: 12\u202f345\u00a0% «\u00a0oui\u00a0»\u202f?"


def test_map_without_outline(small_observatory: Observatory) -> None:
    locator = Locator(small_observatory)
    assert 'class="com" d="M' in locator.svg("12145")
    lacking = small_observatory.communes.filter(pl.col("xmin").is_null())["code"].to_list()
    assert [locator.svg(code) for code in lacking[:2]] == [""] * len(lacking[:2])


def test_choice(small_observatory: Observatory) -> None:
    assert len(chosen_codes(small_observatory, departements=["12"])) == 285
    assert chosen_codes(small_observatory, codes=["12145"]) == ["12145"]
    both = chosen_codes(small_observatory, pvd=True, departements=["12"])
    assert set(both) == {code for code in small_observatory.pvd if code.startswith("12")}
    assert both
    with pytest.raises(UnknownTerritoryError, match="département"):
        chosen_codes(small_observatory, departements=["96"])
    with pytest.raises(UnknownTerritoryError):
        chosen_codes(small_observatory, codes=["12999"])


def test_command(
    small_settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bourg.cli.site
    monkeypatch.setenv("BOURG_HOME", str(small_settings.home))
    with pytest.raises(SystemExit) as stop:
        main(["site", str(tmp_path / "site"), "--codes", "12145,12202", "--json"])
    assert stop.value.code == 0
    assert json.loads(capsys.readouterr().out)["towns"] == 2
    with pytest.raises(SystemExit) as stop:
        main(["site", str(tmp_path), "--codes", "12145"])
    assert stop.value.code == 2
    assert "n'est pas vide" in capsys.readouterr().err


@pytest.fixture
def served(site: Path) -> Iterator[str]:
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            return

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(site.parent)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/sous-dossier/"
    server.shutdown()
    thread.join()
    server.server_close()


def test_accessibility_and_search_in_a_browser(served: str) -> None:
    """The checker finds nothing, light and dark; nothing is asked elsewhere; the search leads to a page."""
    families = (
        "", "ville/12145-millau/", "ville/12145-millau/semblables/", "departement/12/", "theme/housing/",
        "methode/housing/", "404.html",
    )  # fmt: skip
    with running_browser() as browser:
        for scheme in ("light", "dark"):
            context = browser.new_context(color_scheme=scheme, viewport={"width": 380, "height": 800})
            asked: list[str] = []
            context.on("request", lambda request, seen=asked: seen.append(request.url))
            page = context.new_page()
            for family in families:
                page.goto(served + family)
                assert violations(page) == [], (family, scheme)
                assert page.evaluate("document.documentElement.scrollWidth") <= 380, family
            assert [url for url in asked if not url.startswith((served, "data:"))] == []
            page.goto(served)
            page.get_by_label("Chercher une commune").fill("milla")
            page.get_by_role("link", name="Millau (12)").click()
            page.wait_for_url("**/ville/12145-millau/")
            page.keyboard.press("Tab")
            assert page.evaluate("document.activeElement.textContent") == "Aller au contenu"
            context.close()
