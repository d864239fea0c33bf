"""The audit of the dependencies sees what it is meant to see."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def audit() -> ModuleType:
    specification = importlib.util.spec_from_file_location("bourg_audit", ROOT / "tools" / "audit.py")
    assert specification
    assert specification.loader
    module = importlib.util.module_from_spec(specification)
    # Dataclasses look their module up.
    sys.modules["bourg_audit"] = module
    specification.loader.exec_module(module)
    return module


def test_our_locks_are_sound(audit: ModuleType) -> None:
    assert audit.audit(ROOT) == []


@pytest.mark.parametrize(
    "line", ["polars>=2", "polars", "polars @ https://exemple.fr/p.whl", "--index-url https://x.fr"]
)
def test_floating_or_addressed_lines(audit: ModuleType, tmp_path: Path, line: str) -> None:
    lock = tmp_path / "requirements.txt"
    lock.write_text(f"# ours\nclick==8.5.1\n{line}\nClick==8.5.1\n", encoding="utf-8")
    found, problems = audit.read_lock(lock)
    assert found == {"click": "8.5.1"}
    assert len(problems) == 2
    assert "requirements.txt:3" in problems[0]
    assert "locked twice" in problems[1]


def test_advisory(audit: ModuleType) -> None:
    known = [audit.Advisory("jinja2", Version("3.1.6"), "CVE-0")]
    assert audit.check_advisories({"jinja2": "3.1.5"}, known) == ["jinja2 3.1.5 has CVE-0: take 3.1.6 or later"]
    assert audit.check_advisories({"jinja2": "3.1.6", "click": "1.0"}, known) == []
    assert audit.check_advisories({"jinja2": "3.1.10"}, known) == []


def test_installed_differs_or_asks_for_more(audit: ModuleType) -> None:
    problems = audit.check_installed({"httpx": "0.0.1", "nowhere-to-be-found": "1.0"})
    assert any(text.startswith("httpx 0.0.1 is locked, ") for text in problems)
    assert "httpx needs httpcore, which is not locked" in problems
    assert "nowhere-to-be-found 1.0 is locked and not installed" in problems


def test_licences(audit: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    said = {"a": "MIT", "b": "GNU Affero General Public License v3", "c": "", "d": "LGPL-3.0-or-later"}
    monkeypatch.setattr(audit.metadata, "distribution", lambda name: name)
    monkeypatch.setattr(audit, "licence_of", lambda name: said[name])
    problems = audit.check_licences(dict.fromkeys(said, "1"))
    assert [text.split()[0] for text in problems] == ["b", "c", "d"]


def test_browser_libraries(audit: ModuleType, tmp_path: Path) -> None:
    lock = tmp_path / "package-lock.json"
    good = {"version": "1.2.3", "integrity": "sha512-x", "license": "MIT"}
    bad = {"version": "^1.2", "license": "GPL-3.0", "resolved": "https://exemple.fr/x.tgz"}
    lock.write_text(json.dumps({"packages": {"": {}, "node_modules/a": good, "node_modules/b": bad}}), encoding="utf-8")
    problems = audit.check_browser_lock(lock)
    assert len(problems) == 4
    assert all("node_modules/b" in text for text in problems)
