"""Snapshots: published in one step or not at all, checked when opened, kept three at a time, the same twice."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

import world
from bourg.build import build
from bourg.doctor import examine
from bourg.errors import SnapshotError, StorageError
from bourg.settings import Settings
from bourg.store.cache import SEAL, Checksums, StepCache, digest, link_or_copy, writing
from bourg.store.snapshot import Snapshot, SnapshotStore

MANIFEST = {"bourg": "0", "cog": 2025, "created": "2026-01-01T00:00:00+00:00", "sources": [], "tables": {}}

# A build that kills itself with no chance to clean: inside the Nth Parquet file, half written; while files are put in
# the new snapshot; when the pointer is about to change.
KILLED = """
import os, signal, sys
from pathlib import Path
import polars as pl
from bourg.build import build, builder
from bourg.settings import Settings
from bourg.store import snapshot

moment, count = sys.argv[2], 0
write, link, atomic = pl.DataFrame.write_parquet, builder.link_or_copy, snapshot.write_atomic

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def write_parquet(self, file, **options):
    global count
    count += 1
    write(self, file, **options)
    if moment == f"parquet-{count}":
        os.truncate(file, os.path.getsize(file) // 2)
        die()

def link_or_copy(source, target):
    global count
    count += 1
    if moment == "publication" and target.name == "values.parquet":
        die()
    link(source, target)

def write_atomic(final, content):
    if moment == "pointer" and final.name == "CURRENT":
        final.with_name("CURRENT.part").write_bytes(content[:3])
        die()
    atomic(final, content)

pl.DataFrame.write_parquet, builder.link_or_copy, snapshot.write_atomic = write_parquet, link_or_copy, write_atomic
build(Settings(home=Path(sys.argv[1])), demo=True)
"""

LIMITED = """
import resource, sys
limit = int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
from bourg.cli import main
main(["build", "--demo", *sys.argv[2:]])
"""

HOLDING = """
import sys, time
from pathlib import Path
from bourg.store.snapshot import SnapshotStore
with SnapshotStore(Path(sys.argv[1])).lock():
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture(scope="session")
def template(shared_tmp: Path, registry: dict[str, pl.DataFrame]) -> Path:
    return world.shared_template(shared_tmp, registry)


@pytest.fixture
def home(template: Path, tmp_path: Path) -> Settings:
    return world.copy_home(template, tmp_path / "home")


def run(code: str, *arguments: str, home: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("BOURG_")}
    if home is not None:
        environment["BOURG_HOME"] = str(home)
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=environment)


def leftovers(settings: Settings) -> list[str]:
    places = (settings.snapshots, settings.home / "cache")
    return sorted(path.name for place in places for path in place.glob(".part-*"))


def part(store: SnapshotStore, name: str, content: str = "contenu") -> Snapshot:
    """Publish a snapshot of one file."""
    with store.part() as folder:
        (folder / "page.txt").write_text(content, encoding="utf-8")
        return store.publish(folder, {**MANIFEST, "id": name})


# Kills


# With one source changed, the first Parquet files are those of its reading, of its table, then of its indicators.
@pytest.mark.parametrize("moment", ["parquet-1", "parquet-2", "parquet-10", "publication", "pointer"])
def test_a_killed_build_leaves_the_last_snapshot_in_service(home: Settings, moment: str) -> None:
    settings = home
    build(settings, demo=True)
    store = SnapshotStore(settings.snapshots)
    before = store.current().id
    world.edit(settings.demo / "cc_filosofi_2021_COM.csv", "04001;524;", "04001;525;")

    done = run(KILLED, str(settings.home), moment)
    assert done.returncode == -signal.SIGKILL, done.stderr
    if moment != "pointer":
        assert leftovers(settings), "the build was killed in the middle of nothing"
    assert store.current().id == before
    assert store.current().verify() == []

    after, report = build(settings, demo=True)
    assert after.id != before
    assert after.verify() == []
    assert store.current().id == after.id
    # What was finished before the kill is not made again.
    assert ("read-filosofi-2021" in report.recomputed) is (moment == "parquet-1")
    assert leftovers(settings) == []
    assert report.failures == []


def test_a_build_killed_from_outside_at_any_time_is_taken_up_again(template: Path, tmp_path: Path) -> None:
    settings = world.copy_home(template, tmp_path / "home", cache=False)
    store = SnapshotStore(settings.snapshots)
    before = store.current().id
    world.edit(settings.demo / "cc_filosofi_2021_COM.csv", "04001;524;", "04001;526;")
    code = "import sys; from pathlib import Path; from bourg.build import build; from bourg.settings import Settings\n"
    code += "build(Settings(home=Path(sys.argv[1])), demo=True)"
    for _ in range(3):
        process = subprocess.Popen([sys.executable, "-c", code, str(settings.home)])
        deadline = time.monotonic() + 60
        while not leftovers(settings) and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.002)
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait(timeout=30) == -signal.SIGKILL
        assert store.current().id == before
        assert store.current().verify() == []
        for path in (settings.home / "cache").glob(".part-*"):
            shutil.rmtree(path)
    after, _ = build(settings, demo=True)
    assert after.id != before
    assert after.verify() == []


# Full disk


@pytest.mark.parametrize("limit", [512, 20_000, 60_000])
def test_a_full_disk_changes_nothing_and_says_so_in_french(template: Path, tmp_path: Path, limit: int) -> None:
    settings = world.copy_home(template, tmp_path / "home", cache=False)
    store = SnapshotStore(settings.snapshots)
    before = store.current().id
    world.edit(settings.demo / "cc_filosofi_2021_COM.csv", "04001;524;", "04001;527;")
    # The generated files are there already: only the build writes.
    done = run(LIMITED.replace('"build", "--demo"', '"build"'), str(limit), home=settings.home)
    assert done.returncode == 6, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert "Le fichier n'a pas pu être écrit." in done.stderr
    assert "il n'y a plus de place sur le disque" in done.stderr
    assert "Que faire : libérez de la place" in done.stderr
    assert leftovers(settings) == []
    assert store.current().id == before
    assert store.current().verify() == []


def test_a_full_disk_is_told_in_json_too(template: Path, tmp_path: Path) -> None:
    settings = world.copy_home(template, tmp_path / "home", cache=False)
    done = run(LIMITED.replace('"build", "--demo"', '"build"'), "20000", "--json", home=settings.home)
    assert done.returncode == 6
    assert json.loads(done.stdout)["erreur"] == "StorageError"


@pytest.mark.parametrize("number", [27, 28, 122])
def test_disk_errors_of_polars_are_said_like_those_of_python(tmp_path: Path, number: int) -> None:
    for error in (OSError(number, os.strerror(number)), pl.exceptions.ComputeError(f"write (os error {number})")):
        with pytest.raises(StorageError) as caught, writing(tmp_path / "x.parquet"):
            raise error
        assert caught.value.exit_code == 6
        assert "place" in str(caught.value) or "quota" in str(caught.value)


def test_other_errors_are_not_taken_for_a_full_disk(tmp_path: Path) -> None:
    with pytest.raises(pl.exceptions.ComputeError), writing(tmp_path / "x.parquet"):
        raise pl.exceptions.ComputeError("a column of another type")


# Lock


def test_one_build_at_a_time_and_a_killed_one_frees_the_folder(home: Settings) -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLDING, str(home.snapshots)], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(StorageError) as caught:
            build(home, demo=True)
        assert "déjà en cours" in str(caught.value)
        assert str(home.snapshots) in str(caught.value)
        refused = run("from bourg.cli import main; main(['build'])", home=home.home)
        assert (refused.returncode, "déjà en cours" in refused.stderr) == (6, True)
    finally:
        os.kill(holder.pid, signal.SIGKILL)
        holder.communicate(timeout=30)
    snapshot, _ = build(home, demo=True)
    assert snapshot.verify() == []


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(StorageError) as caught, SnapshotStore(tmp_path / "file" / "snapshots").lock():
        pass
    assert str(tmp_path / "file") in str(caught.value)
    assert "BOURG_HOME" in str(caught.value)


# Damage


def _truncate(folder: Path) -> str:
    path = folder / "tables" / "communes.parquet"
    path.unlink()  # the cache shares the file: a copy is damaged, not the original
    path.write_bytes(b"PAR1")
    return "tables/communes.parquet"


def _remove(folder: Path) -> str:
    (folder / "values.parquet").unlink()
    return "values.parquet"


def _cut_manifest(folder: Path) -> str:
    path = folder / "manifest.json"
    path.write_text(path.read_text(encoding="utf-8")[:200], encoding="utf-8")
    return "illisible"


def _other_json(folder: Path) -> str:
    (folder / "manifest.json").write_text("[1, 2]", encoding="utf-8")
    return "illisible"


def _poor_manifest(folder: Path) -> str:
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    del manifest["sources"]
    path.write_text(json.dumps(manifest), encoding="utf-8")
    return "sources"


def _odd_files(folder: Path) -> str:
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    manifest["files"] = ["values.parquet"]
    path.write_text(json.dumps(manifest), encoding="utf-8")
    return "abîmé"


def _other_version(folder: Path) -> str:
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**manifest, "schema": 99}), encoding="utf-8")
    return "format 99"


DAMAGES = [_truncate, _remove, _cut_manifest, _other_json, _poor_manifest, _odd_files, _other_version]


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_damaged_snapshot_is_refused_named_and_replaced(home: Settings, damage: Callable[[Path], str]) -> None:
    store = SnapshotStore(home.snapshots)
    named = damage(store.current().folder)
    with pytest.raises(SnapshotError) as caught:
        store.current()
    assert named in str(caught.value)
    assert "bourg build" in caught.value.next_step
    check = next(item for item in examine(home) if item.title == "Instantané en service")
    assert (check.ok, check.blocking) == (False, True)
    assert named in check.detail

    mended, _ = build(home, demo=True)
    assert store.current().folder == mended.folder
    assert mended.verify() == []


def test_bytes_changed_in_place_are_found_and_do_not_come_back_through_the_cache(home: Settings) -> None:
    shutil.rmtree(home.snapshots)
    build(home, demo=True)
    store = SnapshotStore(home.snapshots)
    snapshot = store.current()
    path = snapshot.folder / "values.parquet"
    assert path.stat().st_nlink > 1, "the snapshot shares the files of the cache"
    with path.open("r+b") as stream:
        stream.seek(1000)
        stream.write(b"\x00" * 64)
    assert store.current().verify() == ["values.parquet : contenu modifié depuis la construction"]
    check = next(item for item in examine(home) if item.title == "Instantané en service")
    assert not check.ok
    assert "1 fichier abîmé (values.parquet" in check.detail

    mended, report = build(home, demo=True)
    assert report.recomputed == ["values"]
    assert mended.verify() == []
    assert mended.folder != snapshot.folder
    assert pl.read_parquet(mended.path("values.parquet")).height > 1000


@pytest.mark.parametrize("pointer", [b"", b"\xff\xfe\x00", b"../../etc\n", b"absent\n"])
def test_a_damaged_pointer_is_an_error_that_can_be_acted_upon(home: Settings, pointer: bytes) -> None:
    (home.snapshots / "CURRENT").write_bytes(pointer)
    with pytest.raises(SnapshotError) as caught:
        SnapshotStore(home.snapshots).current()
    assert "bourg" in caught.value.next_step
    snapshot, _ = build(home, demo=True)
    assert SnapshotStore(home.snapshots).current().id == snapshot.id


def test_no_snapshot_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(SnapshotError, match="bourg demo"):
        SnapshotStore(tmp_path).current()


def test_an_unknown_file_of_a_snapshot_is_an_error(tmp_path: Path) -> None:
    snapshot = part(SnapshotStore(tmp_path), "s1")
    with pytest.raises(SnapshotError, match="ranks"):
        snapshot.path("ranks.parquet")


# Same content, same bytes


def test_equal_content_gives_the_same_id_and_the_same_bytes(template: Path, tmp_path: Path) -> None:
    first = SnapshotStore(Settings(home=template).snapshots).current()
    settings = world.copy_home(template, tmp_path / "home", cache=False)
    shutil.rmtree(settings.snapshots)
    second, report = build(settings, demo=True)
    assert report.reused == []
    assert second.id == first.id
    ours, theirs = first.manifest["files"], second.manifest["files"]
    assert [name for name in ours if ours[name] != theirs.get(name)] == []
    assert ours.keys() == theirs.keys()
    left_out = {"created"}
    assert {k: v for k, v in first.manifest.items() if k not in left_out} == {
        k: v for k, v in second.manifest.items() if k not in left_out
    }


def test_a_snapshot_can_be_read_by_another_account(template: Path) -> None:
    folder = SnapshotStore(Settings(home=template).snapshots).current().folder
    assert folder.stat().st_mode & 0o055 == 0o055


# Three snapshots kept


def test_the_last_three_snapshots_are_kept(tmp_path: Path) -> None:
    store = SnapshotStore(tmp_path)
    for name in ("s1", "s2", "s3", "s4"):
        part(store, name)
        time.sleep(0.01)
    assert sorted(path.name for path in tmp_path.glob("s*")) == ["s2", "s3", "s4"]
    assert store.current().id == "s4"


def test_a_snapshot_back_in_service_counts_as_the_last(tmp_path: Path) -> None:
    store = SnapshotStore(tmp_path)
    for name in ("s1", "s2", "s3", "s1", "s4", "s5"):
        part(store, name)
        time.sleep(0.01)
    assert sorted(path.name for path in tmp_path.glob("s*")) == ["s1", "s4", "s5"]


def test_equal_content_published_again_keeps_the_folder(tmp_path: Path) -> None:
    store = SnapshotStore(tmp_path)
    first = part(store, "s1")
    assert part(store, "s1").folder == first.folder
    assert list(tmp_path.glob(".part-*")) == []


def test_a_damaged_folder_never_takes_the_place_of_a_sound_one(tmp_path: Path) -> None:
    store = SnapshotStore(tmp_path)
    first = part(store, "s1")
    (first.folder / "manifest.json").write_text("{")
    second = part(store, "s1")
    assert (second.folder.name, second.id) == ("s1-2", "s1")
    assert store.current().folder == second.folder
    assert part(store, "s1").folder == second.folder


def test_a_part_that_is_not_published_is_gone(tmp_path: Path) -> None:
    store = SnapshotStore(tmp_path)
    with store.part() as folder:
        (folder / "half").write_text("x")
    assert list(tmp_path.iterdir()) == []


# Cache of steps


def _write(text: str) -> Callable[[Path], None]:
    return lambda folder: (folder / "result.txt").write_text(text) and None


def test_a_step_is_made_once_for_a_key(tmp_path: Path) -> None:
    cache = StepCache(tmp_path)
    folder = cache.step("read", "k1", _write("one"))
    assert cache.step("read", "k1", _write("two")) == folder
    assert (folder / "result.txt").read_text() == "one"
    assert (cache.made, cache.reused) == (["read"], ["read"])
    assert cache.step("read", "k2", _write("two")) != folder


@pytest.mark.parametrize("what", ["changed", "lost", "added", "unsealed"])
def test_a_step_that_is_not_as_it_was_made_is_made_again(tmp_path: Path, what: str) -> None:
    folder = StepCache(tmp_path).step("read", "k", _write("one"))
    if what == "changed":
        (folder / "result.txt").write_text("eno")
    elif what == "lost":
        (folder / "result.txt").unlink()
    elif what == "added":
        (folder / "stray.txt").write_text("x")
    else:
        (folder / SEAL).unlink()
    cache = StepCache(tmp_path)
    assert not cache.has("read", "k")
    again = cache.step("read", "k", _write("one"))
    assert cache.made == ["read"]
    assert sorted(path.name for path in again.iterdir()) == [SEAL, "result.txt"]
    assert (again / "result.txt").read_text() == "one"


def test_a_step_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        (folder / "half.txt").write_text("x")
        raise ZeroDivisionError

    cache = StepCache(tmp_path)
    with pytest.raises(ZeroDivisionError):
        cache.step("read", "k", fail)
    assert list(tmp_path.iterdir()) == []
    assert cache.made == []


def test_prune_keeps_what_was_used(tmp_path: Path) -> None:
    old = StepCache(tmp_path)
    old.step("read", "old", _write("one"))
    kept = old.step("read", "kept", _write("two"))
    (tmp_path / "checksums.json").write_text("{}")
    cache = StepCache(tmp_path)
    cache.step("read", "kept", _write("two"))
    cache.prune([tmp_path / "checksums.json"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checksums.json", kept.name]


def test_digest_tells_parts_apart() -> None:
    assert digest("ab", "c") != digest("a", "bc")
    assert digest("a", 1) == digest("a", "1")


def test_checksums_are_kept_and_seen_again(tmp_path: Path) -> None:
    file = tmp_path / "data.csv"
    file.write_text("a;b\n")
    sums = Checksums(tmp_path / "cache" / "checksums.json")
    first = sums.of(file)
    sums.save()
    known = json.loads((tmp_path / "cache" / "checksums.json").read_text())
    assert list(known.values()) == [first]
    file.write_text("a;c\n")
    os.utime(file, ns=(1, 1))
    assert Checksums(tmp_path / "cache" / "checksums.json").of(file) != first


def test_damaged_checksums_are_only_made_again(tmp_path: Path) -> None:
    (tmp_path / "checksums.json").write_text("{")
    file = tmp_path / "data.csv"
    file.write_text("a")
    assert len(Checksums(tmp_path / "checksums.json").of(file)) == 64


def test_files_are_copied_where_they_cannot_be_linked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_text("x")
    link_or_copy(tmp_path / "a", tmp_path / "linked" / "a")
    assert (tmp_path / "a").stat().st_nlink == 2

    def refuse(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    link_or_copy(tmp_path / "a", tmp_path / "copied" / "a")
    assert (tmp_path / "copied" / "a").read_text() == "x"
    assert (tmp_path / "a").stat().st_nlink == 2
