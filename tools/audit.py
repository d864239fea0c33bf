"""Audit of the dependencies, without network: ``python tools/audit.py`` (part of ``make lint``).

Checks the locks as they are written and the packages as they are installed:

- every line is ``name==version``: nothing floats, nothing names an address;
- what is installed is what the lock says, and whatever a locked package asks for is locked too;
- licences are those we accept: no copyleft that would bind whoever serves the observatory;
- no locked version has a known advisory (``tools/advisories.yaml``);
- every browser library has an exact version and an integrity hash.
"""

from __future__ import annotations

import datetime as dt
import json
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[1]
LOCKS = ("requirements.txt", "requirements-dev.txt")
BROWSER_LOCKS = ("src/bourg/web/package-lock.json", "tests/axe/package-lock.json")
_LINE = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)==([A-Za-z0-9.!+]+)\Z")
_REFUSED = re.compile(
    r"\b(AGPL|Affero|LGPL|GPL|GNU (General|Lesser)|SSPL|BUSL|Commons Clause|Proprietary)", re.IGNORECASE
)
_LONG = 200


@dataclass(frozen=True)
class Advisory:
    """A defect known to the public: versions before ``fixed`` have it."""

    package: str
    fixed: Version
    id: str


def read_lock(path: Path) -> tuple[dict[str, str], list[str]]:
    """Return the locked versions by canonical name, and what is wrong with the lines."""
    found: dict[str, str] = {}
    problems = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        text = line.strip()
        if not text or text.startswith(("#", "-r ")):
            continue
        match = _LINE.match(text)
        if match is None:
            problems.append(f"{path.name}:{number}: {text[:80]!r} is not an exact version")
            continue
        name = canonicalize_name(match.group(1))
        if name in found:
            problems.append(f"{path.name}:{number}: {name} is locked twice")
        found[name] = match.group(2)
    return found, problems


def read_advisories(path: Path) -> tuple[list[Advisory], int]:
    """Return the advisories on Python packages, and the days since the list was checked when it has grown old."""
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    listed = [
        Advisory(canonicalize_name(item["package"]), Version(str(item["fixed"])), item["id"])
        for item in content["python"]
    ]
    age = (dt.datetime.now(dt.UTC).date() - content["checked"]).days
    return listed, age if age > content["stale_after_days"] else 0


def check_advisories(locked: Mapping[str, str], advisories: Iterable[Advisory]) -> list[str]:
    """Return the locked versions that an advisory names."""
    return [
        f"{item.package} {locked[item.package]} has {item.id}: take {item.fixed} or later"
        for item in advisories
        if item.package in locked and Version(locked[item.package]) < item.fixed
    ]


def check_installed(locked: Mapping[str, str]) -> list[str]:
    """Return what differs between the lock and the packages of this environment, and what they ask for in vain."""
    problems = []
    for name, version in locked.items():
        try:
            found = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            problems.append(f"{name} {version} is locked and not installed")
            continue
        if found.version != version:
            problems.append(f"{name} {version} is locked, {found.version} is installed")
        for text in found.requires or ():
            need = Requirement(text)
            wanted = canonicalize_name(need.name)
            if need.marker and not need.marker.evaluate({"extra": ""}):
                continue
            if wanted not in locked:
                problems.append(f"{name} needs {wanted}, which is not locked")
            elif not need.specifier.contains(locked[wanted], prereleases=True):
                problems.append(f"{name} needs {need.specifier} of {wanted}, {locked[wanted]} is locked")
    return problems


def licence_of(found: metadata.Distribution) -> str:
    """Return the licence a package declares: expression, classifiers, then a short text."""
    texts = found.metadata
    named = [item for item in texts.get_all("Classifier") or () if item.startswith("License")]
    classified = "; ".join(item.split("::")[-1].strip() for item in named)
    expression, short = ("; ".join(texts.get_all(name) or ()) for name in ("License-Expression", "License"))
    return (expression or classified or short.strip())[:_LONG]


def check_licences(locked: Mapping[str, str]) -> list[str]:
    """Return the packages whose licence is unknown, or is not one we accept."""
    problems = []
    for name in locked:
        try:
            licence = licence_of(metadata.distribution(name))
        except metadata.PackageNotFoundError:
            continue
        if not licence:
            problems.append(f"{name} declares no licence")
        elif _REFUSED.search(licence):
            problems.append(f"{name} has a licence we do not accept: {licence}")
    return problems


def check_browser_lock(path: Path) -> list[str]:
    """Return the browser libraries without an exact version or an integrity hash, or tied to an address."""
    problems = []
    for name, entry in json.loads(path.read_text(encoding="utf-8"))["packages"].items():
        if not name:
            continue
        where = f"{path.parent.name}/{path.name}: {name}"
        if not re.fullmatch(r"\d+\.\d+\.\d+(-[\w.]+)?", entry.get("version", "")):
            problems.append(f"{where} has no exact version")
        if not entry.get("integrity", "").startswith("sha512-"):
            problems.append(f"{where} has no integrity hash")
        if "resolved" in entry:
            problems.append(f"{where} names the address it came from")
        if _REFUSED.search(str(entry.get("license", ""))):
            problems.append(f"{where} has a licence we do not accept: {entry['license']}")
    return problems


def audit(root: Path) -> list[str]:
    """Return every problem of the locks of a checkout."""
    problems: list[str] = []
    locked: dict[str, str] = {}
    for name in LOCKS:
        found, wrong = read_lock(root / name)
        problems += wrong
        problems += [f"{name}: {package} is locked in another file too" for package in found if package in locked]
        locked |= found
    advisories, _ = read_advisories(root / "tools" / "advisories.yaml")
    problems += check_advisories(locked, advisories)
    problems += check_installed(locked)
    problems += check_licences(locked)
    for name in BROWSER_LOCKS:
        problems += check_browser_lock(root / name)
    return problems


def main() -> int:
    """Print the problems; 1 when there are some."""
    problems = audit(ROOT)
    for problem in problems:
        print(problem, file=sys.stderr)
    advisories, age = read_advisories(ROOT / "tools" / "advisories.yaml")
    if age:
        print(f"The list of advisories was checked {age} days ago: run « make audit » with a network.", file=sys.stderr)
    if not problems:
        print(f"Dependencies: exact, complete, accepted licences, none of {len(advisories)} known advisories.")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
