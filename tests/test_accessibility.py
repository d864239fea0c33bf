"""The assessment of accessibility is whole and honest; axe-core looks at every family of pages.

``BOURG_AXE_OUT=axe.json pytest tests/test_accessibility.py`` keeps what axe-core said for ``bourg accessibility``.
"""

from __future__ import annotations

import csv
import functools
import http.server
import io
import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from playwright.sync_api import Browser, BrowserContext, Page, expect

import bourg.cli.accessibility
from axe_tools import Record, axe_script
from bourg.accessibility import footer_text, load_assessment, merged, rates, read_axe, state
from bourg.accessibility.assessment import SIDES, THEME_SIZES, parse_assessment
from bourg.accessibility.automated import AxeReport, unclaimed
from bourg.accessibility.sheet import COLUMNS, to_csv, to_dict
from bourg.cli.run import main
from bourg.errors import DeclarationError, ParameterError
from bourg.settings import Settings
from bourg.site.accessibility import statement_main
from bourg.site.generate import generate_site
from browser_tools import link_libraries, running_browser, running_server
from site_world import ADDRESS

ROOT = Path(__file__).resolve().parents[1]
DECLARED = ROOT / "src" / "bourg" / "accessibility" / "rgaa.yaml"

# ---- The assessment ---------------------------------------------------------------------------------------------


def test_every_criterion_is_there_once() -> None:
    ids = [item.id for item in load_assessment().criteria()]
    assert len(ids) == len(set(ids)) == sum(THEME_SIZES) == 106
    assert ids[0] == "1.1"
    assert ids[-1] == "13.12"
    text = DECLARED.read_text(encoding="utf-8")
    with pytest.raises(DeclarationError, match=r"13\.12"):
        parse_assessment(re.sub(r'\n      - \{id: "13\.12".*', "", text))
    with pytest.raises(DeclarationError, match="contrôle"):
        parse_assessment(re.sub(r'(id: "13\.7".*?public: )\*no_flash', r"\1{result: conforme}", text))


def test_checks_name_what_exists() -> None:
    """A « conforme » that a test or a rule answers for names one that is really run."""
    script = axe_script()
    for item in load_assessment().criteria():
        for side in SIDES:
            verdict = item.verdict(side)
            for check in verdict.checks:
                kind, _, name = check.partition(":")
                if kind == "axe":
                    assert f'"{name}"' in script, (item.id, side, name)
                if kind == "test":
                    file, _, function = name.partition("::")
                    text = (ROOT / file).read_text(encoding="utf-8")
                    assert re.search(rf"^def {function}\(", text, re.MULTILINE), (item.id, side, check)


def test_rates_are_computed() -> None:
    assessment = load_assessment()
    told = yaml.safe_load(DECLARED.read_text(encoding="utf-8"))
    for side in SIDES:
        results = [item[side]["result"] for theme in told["themes"] for item in theme["criteria"]]
        found = rates(assessment, side)
        assert found.conforme == results.count("conforme")
        assert found.non_teste == results.count("non_teste")
        judged = results.count("conforme") + results.count("non_conforme")
        assert found.rate == pytest.approx(100 * results.count("conforme") / judged)
        assert sum(found.to_dict()[name] for name in ("conforme", "non_conforme", "non_applicable", "non_teste")) == 106
    whole = rates(assessment)
    assert whole.conforme <= min(rates(assessment, side).conforme + 106 for side in SIDES)
    assert whole.non_conforme >= max(rates(assessment, side).non_conforme for side in SIDES)


def _report(rule: str, side: str = "public") -> AxeReport:
    page = {"side": side, "family": "ville", "scheme": "light", "violations": [{"rule": rule, "html": "<p>"}]}
    return AxeReport.model_validate({"axe": "4.14.1", "pages": [page]})


def test_what_axe_finds_changes_the_result() -> None:
    before = load_assessment()
    after = merged(before, _report("color-contrast"))
    changed = [item.id for item, old in zip(after.criteria(), before.criteria(), strict=True) if item != old]
    assert changed == ["3.2"]
    verdict = next(item for item in after.criteria() if item.id == "3.2").public
    assert verdict.result == "non_conforme"
    assert "color-contrast" in verdict.fails
    assert "ville" in verdict.fails
    assert rates(after, "public").non_conforme == rates(before, "public").non_conforme + 1
    assert merged(before, _report("color-contrast", "dashboard")).themes[2].criteria[1].public.result == "conforme"
    assert unclaimed(before, _report("marquee"))["public"] == {"marquee": ["ville"]}
    assert to_dict(before, _report("marquee"))["axe"]["sans_critere"]["public"] == {"marquee": ["ville"]}


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert bourg.cli.accessibility
    file, axe = tmp_path / "rgaa.csv", tmp_path / "axe.json"
    axe.write_text(_report("color-contrast").model_dump_json(), encoding="utf-8")

    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as stop:
            main(["accessibility", *arguments])
        said = capsys.readouterr()
        return int(str(stop.value.code)), said.out, said.err

    code, out, _ = run("--json", "--axe", str(axe), "-o", str(file))
    assert code == 0
    told = json.loads(out)
    assert len(told["criteres"]) == 106
    assert told["axe"]["echecs"]["public"] == {"color-contrast": ["ville"]}
    assert told["taux"]["public"]["non_conforme"] == rates(load_assessment(), "public").non_conforme + 1
    rows = list(csv.DictReader(io.StringIO(file.read_text(encoding="utf-8-sig")), delimiter=";"))
    assert len(rows) == 212
    assert tuple(rows[0]) == COLUMNS
    before = to_csv(load_assessment()).count("color-contrast")
    assert file.read_text(encoding="utf-8-sig").count("color-contrast") == before + 1
    code, out, _ = run()
    assert code == 0
    assert "RGAA 4.1.2" in out
    assert "Tableau de bord" in out
    for content in ("[]", "{", '{"axe": 1}'):
        axe.write_text(content, encoding="utf-8")
        code, _, told = run("--axe", str(axe))
        assert code == 2
        assert "axe-core" in told
    with pytest.raises(ParameterError, match="ne se lit pas"):
        read_axe(tmp_path / "absent.json")


def test_statement_says_every_failure_and_its_way_round(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BOURG_CONTACT", raising=False)
    page = statement_main("/", town="/ville/12145-millau")
    assert "partiellement conforme" in page
    assert "partiellement conforme" in footer_text()
    assert "Défenseur des droits" in page
    assert "BOURG_CONTACT" in page
    for item in load_assessment().criteria():
        failing = sum(item.verdict(side).result == "non_conforme" for side in SIDES)
        assert page.count(f"(critère {item.id}&nbsp;: ") == failing
    monkeypatch.setenv("BOURG_CONTACT", "https://exemple.fr/contact")
    assert 'href="https://exemple.fr/contact"' in statement_main("/")
    assert "BOURG_CONTACT" not in statement_main("/")
    found = rates(load_assessment())
    assert state(type(found)(106, 0, 0, 0)) == "totalement conforme"
    assert state(type(found)(105, 0, 0, 1)) == "partiellement conforme"
    assert state(type(found)(49, 51, 6, 0)) == "non conforme"


# ---- Pages -------------------------------------------------------------------------------------------------------

STATIC = (
    "", "departement/12/", "theme/housing/", "ville/12145-millau/", "ville/12145-millau/semblables/", "methode/",
    "methode/housing/", "404.html", "accessibilite/",
)  # fmt: skip
SERVER = (
    "/ville/12145-millau", "/methode", "/methode/housing", "/ville/99999-nulle-part", "/accessibilite", "/api/v1/",
)  # fmt: skip
DASHBOARD = {
    "/": {"label-content-name-mismatch"},
    "/ville?commune=12145": set(),
    "/comparer": set(),
    "/comparer?commune=12145&commune=12202": set(),
    "/comparer?commune=12145&commune=12202&vue=tableau": set(),
    "/comparer?commune=12145&commune=12202&vue=rangs": set(),
    "/comparer?commune=12145&commune=12202&vue=graphique": set(),
    "/comparer?commune=12145&commune=12202&vue=evolution": set(),
    "/acces?commune=12145": set(),
    "/commerces?commune=12145": {"presentation-role-conflict"},
    "/culture?commune=12145": set(),
    "/energie?commune=12145": set(),
    "/extraire": set(),
    "/sources": set(),
}
# What the dashboard is known to fail, and the criterion that says so in the statement.
KNOWN = {
    "label-content-name-mismatch": "11.9",
    "presentation-role-conflict": "7.1",
}  # fmt: skip


@pytest.fixture(scope="module")
def site(small_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a small static site."""
    folder = tmp_path_factory.mktemp("site")
    generate_site(small_settings, folder / "sous-dossier", ("12145", "12202"), address=ADDRESS, workers=1)

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            return

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/sous-dossier/"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def address(small_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the observatory."""
    link_libraries(small_settings)
    with running_server(small_settings.home, tmp_path_factory.mktemp("server") / "log") as url:
        yield url


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_browser() as launched:
        yield launched


@pytest.fixture(scope="module")
def record() -> Iterator[Record]:
    kept = Record()
    yield kept
    kept.write()


@pytest.fixture(params=["light", "dark"])
def context(browser: Browser, request: pytest.FixtureRequest) -> Iterator[BrowserContext]:
    opened = browser.new_context(color_scheme=request.param, viewport={"width": 1280, "height": 900}, locale="fr-FR")
    yield opened
    opened.close()


def _scheme(page: Page) -> str:
    return "dark" if page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches") else "light"


@pytest.mark.browser
@pytest.mark.xdist_group("browser")
def test_static_pages(context: BrowserContext, site: str, record: Record) -> None:
    page = context.new_page()
    for family in STATIC:
        page.goto(site + family)
        assert record.add(page, "public", f"site/{family}", _scheme(page)) == [], family


@pytest.mark.browser
@pytest.mark.xdist_group("browser")
def test_server_pages(context: BrowserContext, address: str, record: Record) -> None:
    page = context.new_page()
    for family in SERVER:
        page.goto(address + family)
        assert record.add(page, "public", family, _scheme(page)) == [], family


@pytest.mark.browser
@pytest.mark.xdist_group("browser")
def test_dashboard_pages(context: BrowserContext, address: str, record: Record) -> None:
    """Nothing is found but what the statement says."""
    failing = [item for item in load_assessment().criteria() if item.dashboard.result == "non_conforme"]
    assert {(rule, item.id) for item in failing for rule in item.dashboard.rules()} >= set(KNOWN.items())
    page = context.new_page()
    for family, known in DASHBOARD.items():
        page.goto(address + family)
        page.locator("[data-testid=stMain] h1").first.wait_for(timeout=60_000)
        expect(page.locator("[data-testid=stApp]")).to_have_attribute(
            "data-test-script-state", "notRunning", timeout=60_000
        )
        expect(page.get_by_test_id("stException")).to_have_count(0)
        found = {item.partition(" : ")[0] for item in record.add(page, "dashboard", family, _scheme(page))}
        assert found <= known, (family, found - known)


_STRUCTURE = """() => {
  const all = (query) => [...document.querySelectorAll(query)];
  return {
    lang: document.documentElement.lang,
    drawings: all('svg').filter((item) => !(item.getAttribute('role') === 'img' && item.getAttribute('aria-label'))
      && !item.closest('[aria-hidden=true]') && !item.closest('.formes')).map((item) => item.outerHTML.slice(0, 120)),
    heads: all('th').filter((item) => !['col', 'row', 'rowgroup', 'colgroup'].includes(item.scope)).length,
    bare: all('table').filter((item) => !item.querySelector('th')).length,
    fields: all('input, select, textarea').filter((item) => !item.labels?.length).length,
    windows: all('[target]').length, frames: all('iframe, object, embed').length,
    twice: all('[id]').map((item) => item.id).filter((id, rank, ids) => ids.indexOf(id) !== rank),
  };
}"""


@pytest.mark.browser
@pytest.mark.xdist_group("browser")
def test_structure_of_public_pages(browser: Browser, site: str) -> None:
    page = browser.new_page()
    for family in STATIC:
        page.goto(site + family)
        assert page.evaluate(_STRUCTURE) == {
            "lang": "fr", "drawings": [], "heads": 0, "bare": 0, "fields": 0, "windows": 0, "frames": 0, "twice": [],
        }, family  # fmt: skip
    page.close()


# Spaces of WCAG 1.4.12, set without a style in the page: its policy would refuse one.
_SPACED = """() => {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(`* { line-height: 1.5 !important; letter-spacing: .12em !important; }
    * { word-spacing: .16em !important; } p { margin-bottom: 2em !important; }`);
  document.adoptedStyleSheets = [sheet];
}"""
_CUT = """() => [...document.querySelectorAll('main *')].filter((item) => {
  const style = getComputedStyle(item);
  return style.overflowX !== 'visible' && style.overflowX !== 'auto' && style.clipPath === 'none'
    && !(item instanceof SVGElement) && item.scrollWidth > item.clientWidth + 1;
}).map((item) => item.outerHTML.slice(0, 100))"""


@pytest.mark.browser
@pytest.mark.xdist_group("browser")
def test_text_can_be_enlarged_and_spaced(browser: Browser, site: str) -> None:
    """Nothing overflows nor is cut at 320 pixels, with text twice as large, with more space between letters."""
    spaced = next(item.public for item in load_assessment().criteria() if item.id == "10.12")
    assert spaced.result == "conforme"
    page = browser.new_page(viewport={"width": 320, "height": 700})
    for family in STATIC:
        page.set_viewport_size({"width": 320, "height": 700})
        page.goto(site + family)
        assert page.evaluate("document.documentElement.scrollWidth") <= 320, family
        page.evaluate(_SPACED)
        assert page.evaluate("document.documentElement.scrollWidth") <= 320, family
        assert page.evaluate(_CUT) == [], family
        page.set_viewport_size({"width": 1280, "height": 700})
        page.evaluate("document.adoptedStyleSheets = []; document.documentElement.style.fontSize = '200%'")
        assert page.evaluate("parseFloat(getComputedStyle(document.querySelector('main p')).fontSize)") > 25, family
        assert page.evaluate("document.documentElement.scrollWidth") <= 1280, family
        assert page.evaluate(_CUT) == [], family
    page.close()
