"""Shared fixtures: the mirror of real files, generated files, one small snapshot for the whole session."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pytest
from hypothesis import settings as hypothesis_settings

from bourg.build import build
from bourg.build.demonstration import registry_tables
from bourg.portrait.observatory import Observatory
from bourg.settings import Settings, load_settings
from bourg.sources.demo import generate
from bourg.store.snapshot import Snapshot, SnapshotStore

# A busy machine is slow, not wrong: no example fails for its time.
hypothesis_settings.register_profile("bourg", deadline=None)
hypothesis_settings.load_profile("bourg")

# Mountain and coast, Corsica, Paris, overseas with and without census: small and full of special cases.
DEPARTEMENTS = ("04", "12", "2A", "48", "75", "974", "976")


@contextmanager
def _once(path: Path) -> Iterator[None]:
    """Let one worker at a time in, so that shared folders are made once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session")
def mirror() -> Path:
    """The folder of real official files; tests that need it are skipped without it."""
    candidates = [os.environ.get("BOURG_MIRROR"), str(Path(__file__).resolve().parents[2] / "shared" / "data")]
    for candidate in candidates:
        if candidate and Path(candidate).is_dir():
            return Path(candidate)
    pytest.skip("le miroir des fichiers officiels est absent (BOURG_MIRROR)")


@pytest.fixture(scope="session")
def shared_tmp(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder shared by the workers of this run."""
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base) / "shared"
    shared.mkdir(exist_ok=True)
    return shared


@pytest.fixture(scope="session")
def registry(shared_tmp: Path) -> dict[str, pl.DataFrame]:
    """Tables of the package registries (35,000 real communes), read once and kept as Parquet."""
    folder = shared_tmp / "registry"
    with _once(shared_tmp / "registry.lock"):
        if not folder.is_dir():
            tables = registry_tables(load_settings())
            part = shared_tmp / "registry.part"
            part.mkdir()
            for name, frame in tables.items():
                frame.write_parquet(part / f"{name}.parquet")
            part.rename(folder)
    return {path.stem: pl.read_parquet(path) for path in folder.glob("*.parquet")}


@pytest.fixture(scope="session")
def demo_dir(shared_tmp: Path, registry: dict[str, pl.DataFrame]) -> Path:
    """Generated files in the official formats, for a few departments."""
    folder = shared_tmp / "home" / "demo"
    with _once(shared_tmp / "demo.lock"):
        if not (folder / "done").exists():
            generate(
                folder,
                registry["communes"],
                registry["iris"],
                scale="small",
                departements=DEPARTEMENTS,
                outlines=registry["outlines"],
                epci=registry["epci"],
                former=registry["former_communes"],
                halls=registry["town_halls"],
            )
            (folder / "done").touch()
    return folder


@pytest.fixture(scope="session")
def small_settings(shared_tmp: Path, demo_dir: Path) -> Settings:
    """An installation with a built snapshot: every commune, generated files of a few departments."""
    settings = Settings(home=demo_dir.parent)
    with _once(shared_tmp / "build.lock"):
        if SnapshotStore(settings.snapshots).current_id() is None:
            wheels = load_settings().raw / "wheels"
            settings.raw.mkdir(parents=True, exist_ok=True)
            (settings.raw / "wheels").symlink_to(wheels)
            build(settings, demo=True)
    return settings


@pytest.fixture(scope="session")
def small_snapshot(small_settings: Settings) -> Snapshot:
    """The snapshot of :func:`small_settings`."""
    return SnapshotStore(small_settings.snapshots).current()


@pytest.fixture(scope="session")
def small_observatory(small_snapshot: Snapshot, small_settings: Settings) -> Observatory:
    """The observatory of :func:`small_settings`."""
    return Observatory(small_snapshot, small_settings)
