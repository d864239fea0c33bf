"""Backup and restore: what comes back is what was kept, and a bad archive changes nothing."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
from pathlib import Path
from typing import Any

import pytest

from bourg.cli import main
from bourg.errors import ParameterError, SnapshotError
from bourg.settings import Settings
from bourg.store.backup import BackupError, backup, restore
from bourg.store.snapshot import Snapshot, SnapshotStore


@pytest.fixture(scope="module")
def installation(small_snapshot: Snapshot, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    home = tmp_path_factory.mktemp("maison")
    shutil.copytree(small_snapshot.folder, home / "snapshots" / small_snapshot.folder.name)
    (home / "snapshots" / "CURRENT").write_text(f"{small_snapshot.folder.name}\n", encoding="utf-8")
    for name in ("networks/redon/noeuds.bin", "footfall/12145/2026/serie.parquet", "networks/.moitie/a", "cache/b"):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_bytes(name.encode())
    return Settings(home=home)


@pytest.fixture(scope="module")
def archive(installation: Settings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sauvegardes") / "bourg.tar"
    backup(installation, path)
    return path


def test_what_comes_back_is_what_was_kept(installation: Settings, archive: Path, tmp_path: Path) -> None:
    empty = Settings(home=tmp_path / "ailleurs")
    report = restore(empty, archive)
    assert SnapshotStore(empty.snapshots).current().verify() == []
    assert (empty.home / "networks/redon/noeuds.bin").read_bytes() == b"networks/redon/noeuds.bin"
    assert (empty.home / "footfall/12145/2026/serie.parquet").is_file()
    # What comes back by itself, and what a killed command left, are not kept.
    assert not (empty.home / "cache").exists()
    assert not (empty.home / "networks/.moitie").exists()
    assert not list(empty.home.glob(".restauration-*"))
    assert set(report.entries) == {f"snapshots/{report.snapshot}", "networks/redon", "footfall/12145"}
    again = tmp_path / "encore.tar"
    backup(empty, again)
    assert again.read_bytes() == archive.read_bytes()


def test_nothing_is_replaced_without_being_asked(installation: Settings, archive: Path, tmp_path: Path) -> None:
    busy = Settings(home=tmp_path)
    mine = tmp_path / "networks" / "redon" / "noeuds.bin"
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"le mien")
    with pytest.raises(ParameterError, match="networks/redon"):
        restore(busy, archive)
    assert mine.read_bytes() == b"le mien"
    assert SnapshotStore(busy.snapshots).current_id() is None
    restore(busy, archive, replace=True)
    assert mine.read_bytes() == b"networks/redon/noeuds.bin"
    (tmp_path / "snapshots" / "CURRENT").write_text("un-autre\n", encoding="utf-8")
    with pytest.raises(ParameterError, match="déjà"):
        restore(busy, archive)


def rewritten(archive: Path, target: Path, change: Any) -> Path:
    """Copy an archive member by member, each passing through ``change(name, content) -> (name, content) | None``."""
    with tarfile.open(archive) as source, tarfile.open(target, "w") as out:
        for member in source:
            stream = source.extractfile(member)
            assert stream
            kept = change(member.name, stream.read())
            if kept is not None:
                info = tarfile.TarInfo(kept[0])
                info.size = len(kept[1])
                out.addfile(info, io.BytesIO(kept[1]))
    return target


def spoiled(name: str, content: bytes) -> tuple[str, bytes]:
    return (name, content[:-1] + b"?") if name.endswith("noeuds.bin") else (name, content)


def lacking(name: str, content: bytes) -> tuple[str, bytes] | None:
    return None if name.endswith("noeuds.bin") else (name, content)


def other_version(name: str, content: bytes) -> tuple[str, bytes]:
    return (name, content.replace(b'"version": 1', b'"version": 9')) if name == "sauvegarde.json" else (name, content)


def escaping(name: str, content: bytes) -> tuple[str, bytes]:
    if name == "sauvegarde.json":
        described = json.loads(content)
        described["files"]["networks/../../dehors"] = {"size": 1, "sha256": "x"}
        return name, json.dumps(described).encode()
    return name, content


def undescribed(name: str, content: bytes) -> tuple[str, bytes]:
    return ("/etc/passwd", content) if name.endswith("noeuds.bin") else (name, content)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (spoiled, "a changé"), (lacking, "il manque 1 fichiers"), (other_version, "autre version"),
        (escaping, "ne peuvent pas en être"), (undescribed, "n'est pas décrit ainsi"),
        (lambda *_: None, "pas une sauvegarde de Bourg"),
    ],
)  # fmt: skip
def test_bad_archives_change_nothing(archive: Path, tmp_path: Path, change: Any, said: str) -> None:
    bad = rewritten(archive, tmp_path / "mauvaise.tar", change)
    home = tmp_path / "maison"
    with pytest.raises(BackupError, match=said):
        restore(Settings(home=home), bad)
    assert [path for path in home.rglob("*") if path.is_file() and path.name != ".lock"] == []
    assert not (tmp_path / "dehors").exists()


def test_cut_archive_and_other_files(archive: Path, tmp_path: Path) -> None:
    cut = tmp_path / "coupee.tar"
    cut.write_bytes(archive.read_bytes()[: archive.stat().st_size // 2])
    text = tmp_path / "lettre.txt"
    text.write_text("Bonjour", encoding="utf-8")
    for bad in (cut, text):
        with pytest.raises(BackupError, match="rien n'a été changé"):
            restore(Settings(home=tmp_path / "maison"), bad)
    with pytest.raises(ParameterError, match="n'existe pas"):
        restore(Settings(home=tmp_path / "maison"), tmp_path / "absente.tar")


def test_backup_refusals(installation: Settings, tmp_path: Path) -> None:
    with pytest.raises(SnapshotError):
        backup(Settings(home=tmp_path), tmp_path / "a.tar")
    inside = installation.home / "networks" / "redon" / "a.tar"
    with pytest.raises(ParameterError, match="dans ce qu'elle garde"):
        backup(installation, inside)
    assert not inside.exists()


def test_commands(
    installation: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BOURG_HOME", str(installation.home))
    with pytest.raises(SystemExit) as ended:
        main(["backup", str(tmp_path / "a.tar"), "--json"])
    assert ended.value.code == 0
    kept = json.loads(capsys.readouterr().out)
    monkeypatch.setenv("BOURG_HOME", str(tmp_path / "neuve"))
    with pytest.raises(SystemExit) as ended:
        main(["restore", str(tmp_path / "a.tar")])
    assert ended.value.code == 0
    assert kept["snapshot"] in capsys.readouterr().out
