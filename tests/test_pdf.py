"""The portrait on paper: pages, words, tags, fonts, the same bytes twice, and names that try to be more than names."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pypdf
import pytest

from bourg.indicators.engine import USABLE
from bourg.portrait.charts import evolution
from bourg.portrait.document import Portrait, make_portrait
from bourg.portrait.locator import Locator
from bourg.portrait.observatory import Observatory
from bourg.portrait.page import TownPage
from bourg.portrait.pdf import render
from bourg.portrait.pdf.content import pdf_content
from bourg.portrait.pdf.figures import MOST_ROWS, most_telling, rows_a_theme
from bourg.portrait.pdf.maps import epci_map
from bourg.portrait.pdf.render import DrawingError, portrait_pdf, typeset_file
from bourg.settings import Settings

HOSTILE = (
    '#import "a.typ" $x$ \\ @ref <b>Bourg</b> *gras* _it_ `code` [l](u) // c /* d */ ~ --- =1+1 #panic() é\'œ'
    "\u202e\u200f"
)


def page_of(observatory: Observatory, code: str) -> TownPage:
    portrait = make_portrait(observatory, code)
    return TownPage(portrait, evolution(observatory, code), Locator(observatory).svg(code))


def read(content: bytes) -> pypdf.PdfReader:
    return pypdf.PdfReader(io.BytesIO(content), strict=True)


def words(reader: pypdf.PdfReader) -> str:
    return " ".join(" ".join(page.extract_text() for page in reader.pages).split())


@pytest.fixture(scope="module")
def millau(small_observatory: Observatory) -> TownPage:
    return page_of(small_observatory, "12145")


@pytest.fixture(scope="module")
def made(small_observatory: Observatory, millau: TownPage) -> bytes:
    return portrait_pdf(millau, small_observatory)


@pytest.fixture(scope="module")
def reader(made: bytes) -> pypdf.PdfReader:
    return read(made)


def test_the_document_says_what_it_is(reader: pypdf.PdfReader, millau: TownPage) -> None:
    root = reader.trailer["/Root"]
    assert str(root["/Lang"]).startswith("fr")
    assert root["/MarkInfo"]["/Marked"].value is True
    assert root["/ViewerPreferences"]["/DisplayDocTitle"].value is True
    assert reader.metadata is not None
    assert reader.metadata.title == "Millau (Aveyron)\u00a0: portrait de la commune"
    assert b"pdfuaid" in root["/Metadata"].get_data()
    when = render.made_at(millau.portrait.snapshot)
    assert reader.metadata.creation_date == when.replace(microsecond=0)


def test_pages_are_numbered_a4_and_not_too_many(reader: pypdf.PdfReader) -> None:
    count = len(reader.pages)
    assert 4 <= count <= 8
    for number, page in enumerate(reader.pages, 1):
        assert (round(page.mediabox.width), round(page.mediabox.height)) == (595, 842)
        assert f"page {number} sur {count}" in " ".join(page.extract_text().split())


def test_bookmarks_follow_the_sections(reader: pypdf.PdfReader) -> None:
    titles = [item.title for item in reader.outline if not isinstance(item, list)]
    assert titles == [
        "Chiffres clés", "Ce qui la distingue", "Thème par thème", "Évolutions", "Villes semblables", "Méthode",
        "Sources et licences",
    ]  # fmt: skip


def test_words_can_be_read_and_are_french(reader: pypdf.PdfReader, millau: TownPage) -> None:
    text = words(reader)
    portrait = millau.portrait
    assert "Millau" in text
    assert "Aveyron (12) · Occitanie" in text
    for sheet in portrait.key_figures:
        assert sheet.label.replace("'", "’") in text
    assert "−" in text
    assert "« " in text.replace("\u00a0", " ")
    assert "Donnée manquante" in text
    assert "Licence Ouverte" in text
    assert "'" not in text
    assert portrait.snapshot["id"] in text


def test_generated_values_are_marked_on_every_page(reader: pypdf.PdfReader) -> None:
    assert "Données de démonstration." in reader.pages[0].extract_text()
    assert all("◆ valeur de démonstration" in page.extract_text() for page in reader.pages)


def test_without_generated_values_there_is_no_mark(small_observatory: Observatory, millau: TownPage) -> None:
    sheets = {name: item for name, item in millau.portrait.sheets.items() if not item.demo}
    identity = replace(millau.portrait.identity, pvd={**millau.portrait.identity.pvd, "demo": False})
    page = TownPage(replace(millau.portrait, sheets=sheets, identity=identity), (), millau.map_svg)
    content = pdf_content(page, small_observatory)
    assert content["demo"] is False
    first = read(portrait_pdf(page, small_observatory)).pages[0].extract_text()
    assert "◆" not in first
    assert "Données de démonstration" not in first


def tags(node: Any) -> Iterator[Any]:
    node = node.get_object()
    if isinstance(node, list):
        for child in node:
            yield from tags(child)
    elif isinstance(node, dict):
        yield node
        if "/K" in node:
            yield from tags(node["/K"])


def test_every_drawing_has_words_and_every_table_has_heads(reader: pypdf.PdfReader, millau: TownPage) -> None:
    found = [node for node in tags(reader.trailer["/Root"]["/StructTreeRoot"]) if "/S" in node]
    figures = [node for node in found if node["/S"] == "/Figure"]
    alternatives = [str(node.get("/Alt", "")) for node in figures]
    assert len(figures) > 8
    assert all(len(text) > 20 for text in alternatives)
    assert any(text.startswith("Carte de situation") and "Aveyron" in text for text in alternatives)
    assert any("médiane" in text for text in alternatives)
    assert any(text.startswith("Courbe.") and "2021" in text for text in alternatives)
    kinds = {str(node["/S"]) for node in found}
    assert {"/Table", "/TH", "/TD", "/H1", "/H2", "/L"} <= kinds
    assert len(millau.portrait.themes) > 5


def test_fonts_are_inside_and_come_from_the_packages(reader: pypdf.PdfReader) -> None:
    names = set()
    for page in reader.pages:
        for font in page["/Resources"]["/Font"].values():
            (inner,) = font["/DescendantFonts"]
            names.add(str(inner.get_object()["/BaseFont"]).partition("+")[2])
            descriptor = inner.get_object()["/FontDescriptor"]
            assert any(key in descriptor for key in ("/FontFile", "/FontFile2", "/FontFile3"))
            assert "/ToUnicode" in font
    assert names
    assert all(name.startswith("SourceSans3") for name in names)


def test_a_missing_font_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(render, "FONT_PACKAGE", "police_absente")
    render._fonts.cache_clear()
    try:
        with pytest.raises(DrawingError, match="police"):
            typeset_file("portrait.typ", {}, form="pdf", when=render.made_at({"date": "2026-01-01T00:00:00+00:00"}))
    finally:
        render._fonts.cache_clear()


def test_content_that_the_template_does_not_know_is_a_typed_error() -> None:
    with pytest.raises(DrawingError, match="mis en page"):
        typeset_file("portrait.typ", {"title": 1}, form="pdf", when=render.made_at({"date": "2026-01-01"}))


def test_two_processes_write_the_same_bytes(
    small_observatory: Observatory, small_settings: Settings, tmp_path: Path, made: bytes
) -> None:
    again = page_of(Observatory(small_observatory.snapshot, small_settings), "12145")
    assert portrait_pdf(again, small_observatory) == made
    for name, seed in (("a.pdf", "1"), ("b.pdf", "2")):
        environment = {**os.environ, "BOURG_HOME": str(small_settings.home), "PYTHONHASHSEED": seed, "TZ": "Asia/Tokyo"}
        start = "from bourg.cli import main; main()"
        command = [sys.executable, "-c", start, "portrait", "12145", "-o", str(tmp_path / name)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert (tmp_path / name).read_bytes() == made


# Towns that are not like the others: tiny, Corsica, overseas, Paris, an island of its own, one without census.
@pytest.mark.parametrize("code", ["04006", "2A004", "48005", "75056", "97411", "97608", "29155", "51513"])
def test_every_kind_of_town(small_observatory: Observatory, code: str) -> None:
    page = page_of(small_observatory, code)
    made = read(portrait_pdf(page, small_observatory))
    assert 4 <= len(made.pages) <= 8
    text = words(made)
    assert page.portrait.identity.name.replace("'", "’").split("-")[0] in text
    assert "None" not in text
    assert "nan" not in text.split()
    # The cover is one page, whatever the length of the names.
    assert "Chiffres clés" in made.pages[1].extract_text()


def test_a_town_of_which_nothing_is_known(small_observatory: Observatory, millau: TownPage) -> None:
    identity = replace(
        millau.portrait.identity, population=None, population_year=None, area_km2=None, epci=None, town_hall={},
        council={}, size_class=None,
    )  # fmt: skip
    sheets = {
        name: replace(
            item, status="missing", value=None, text="donnée manquante", demo=False, comparisons=(), distributions=()
        )
        for name, item in millau.portrait.sheets.items()
    }
    portrait = replace(millau.portrait, identity=identity, sheets=sheets, similar=None, profile=None)
    text = words(read(portrait_pdf(TownPage(portrait), small_observatory)))
    assert "donnée manquante" in text
    assert "Aucun chiffre n’est connu pour cette commune" in text
    assert "Thèmes dont on ne sait rien ici" in text


def everything_known(portrait: Portrait) -> Portrait:
    donor = next(item for item in portrait.sheets.values() if item.distributions)
    sheets = {
        name: item
        if item.status in USABLE
        else replace(
            item, status="demo", demo=True, value=1234.5, text="1 234,5", period="2019-2023",
            comparisons=donor.comparisons, distributions=donor.distributions,
        )
        for name, item in portrait.sheets.items()
    }  # fmt: skip
    return replace(portrait, sheets=sheets)


def test_eight_pages_at_most_when_everything_is_known(small_observatory: Observatory, millau: TownPage) -> None:
    page = replace(millau, portrait=everything_known(millau.portrait))
    content = pdf_content(page, small_observatory)
    assert sum(len(theme["rows"]) for theme in content["themes"]) <= MOST_ROWS
    assert len(read(portrait_pdf(page, small_observatory)).pages) <= 8


def test_statuses_are_words(small_observatory: Observatory, millau: TownPage) -> None:
    portrait = millau.portrait
    told = {"missing": "donnée manquante", "secret": "secret statistique", "not_applicable": "sans objet",
            "unreachable": "non accessible"}  # fmt: skip
    known = [name for name, item in portrait.sheets.items() if item.theme == "population"]
    sheets = dict(portrait.sheets)
    for name, (status, text) in zip(known, told.items(), strict=False):
        sheets[name] = replace(sheets[name], status=status, value=None, text=text)
    text = words(read(portrait_pdf(replace(millau, portrait=replace(portrait, sheets=sheets)), small_observatory)))
    for status, word in told.items():
        assert f"{word.capitalize()} (" in text, status


def test_names_are_only_names(small_observatory: Observatory, millau: TownPage) -> None:
    portrait = millau.portrait
    sheets = {name: replace(item, label=f"{item.label} {HOSTILE}") for name, item in portrait.sheets.items()}
    first = next(iter(sheets))
    source = replace(portrait.sheets[first].sources[0], title=HOSTILE, landing_page="javascript:alert(1)")
    sheets[first] = replace(sheets[first], sources=(source,))
    identity = replace(
        portrait.identity, name=HOSTILE, epci={"code": "1", "nom": HOSTILE, "nature": "CC"},
        departement={**portrait.identity.departement, "nom": "#d"}, town_hall={"adresse": HOSTILE, "telephone": "=1+1"},
    )  # fmt: skip
    assert portrait.similar is not None
    near = tuple(replace(item, name=HOSTILE, sentence=HOSTILE) for item in portrait.similar.neighbours)
    hostile = replace(portrait, identity=identity, sheets=sheets, similar=replace(portrait.similar, neighbours=near))
    series = tuple(replace(item, label=HOSTILE, name=HOSTILE, note=HOSTILE) for item in millau.series)
    made = read(portrait_pdf(TownPage(hostile, series, millau.map_svg), small_observatory))
    text = words(made)
    for part in (
        '#import "a.typ"',
        "$x$",
        "@ref",
        "<b>Bourg</b>",
        "*gras*",
        "`code`",
        "// c /* d */",
        "#panic()",
        "---",
    ):
        assert part in text, part
    assert "\u202e" not in text
    assert "\u200f" not in text
    links = [
        str(note.get_object().get("/A", {}).get("/URI", "")) for page in made.pages for note in page.get("/Annots", [])
    ]
    assert any(links)
    assert not any("javascript" in link for link in links)
    assert made.metadata is not None
    assert "\u202e" not in str(made.metadata.title)


def test_long_names_stay_inside_the_page(small_observatory: Observatory, millau: TownPage) -> None:
    long = "Saint-" * 12 + "Anticonstitutionnellementanticonstitutionnellementsurmer"
    identity = replace(millau.portrait.identity, name=long, epci={"code": "1", "nom": long * 2, "nature": "CC"})
    made = read(portrait_pdf(replace(millau, portrait=replace(millau.portrait, identity=identity)), small_observatory))
    places: list[float] = []

    def seen(text: str, _: Any, matrix: list[float], *rest: Any) -> None:
        del rest
        if text.strip():
            places.append(matrix[4])

    made.pages[0].extract_text(visitor_text=seen)
    assert places
    assert min(places) >= 0
    assert max(places) < 595
    assert "Chiffres clés" in made.pages[1].extract_text()


def test_rows_are_shared_between_themes() -> None:
    assert rows_a_theme([3, 30, 30], 23) == 10
    assert rows_a_theme([3, 4], 100) == 4
    assert rows_a_theme([], 10) == 0
    assert rows_a_theme([9] * 30, 10) == 1


def test_the_most_telling_figures_keep_their_order(millau: TownPage) -> None:
    sheets = [item for item in millau.portrait.sheets.values() if item.theme == "culture" and item.status in USABLE]
    chosen = most_telling(sheets, 5)
    assert len(chosen) == 5
    assert [item.indicator for item in chosen] == [item.indicator for item in sheets if item in chosen]
    assert {"culture.places_count", "culture.places_per_1000"} <= {item.indicator for item in chosen}
    rates = [item for item in sheets if item not in chosen and item.compared_with("size_class")]
    kept = [item for item in chosen if not item.indicator.startswith("culture.places_")]

    def apart(item: Any) -> float:
        told = item.compared_with("size_class")
        assert told is not None
        return abs(told.percentile_mid - 50)

    assert min(map(apart, kept)) >= max(map(apart, rates))


def test_the_map_of_the_communes_around(small_observatory: Observatory) -> None:
    drawn = epci_map(small_observatory, "12145")
    assert drawn is not None
    row = small_observatory.commune("12145")
    members = small_observatory.communes.filter(small_observatory.communes["epci"] == row["epci"])
    # One outline a commune, and the town twice more for its edge.
    assert drawn["svg"].count("<path") == members.height + 2
    assert "Millau" in drawn["alt"]
    assert drawn["legend"]
    assert epci_map(small_observatory, "29155") is None


def test_a_theme_alone_is_a_portrait_too(small_observatory: Observatory, millau: TownPage) -> None:
    page = TownPage(millau.portrait.of_theme("culture"), (), millau.map_svg)
    content = pdf_content(page, small_observatory)
    assert [theme["label"] for theme in content["themes"]] == ["Culture"]
    assert len(content["keys"]) >= 4
    assert len(read(portrait_pdf(page, small_observatory)).pages) >= 3
