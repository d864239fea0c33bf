"""The folder of a site: what is refused, what is made again after a change and what is left as it is."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from bourg.compare.matrix import commune_matrix
from bourg.compare.ranking import summaries
from bourg.compare.stored import SUMMARIES, write_matrix
from bourg.errors import ParameterError, StorageError
from bourg.portrait.observatory import Observatory, open_observatory
from bourg.settings import Settings
from bourg.site.digests import written
from bourg.site.fingerprint import Fingerprints, fingerprints
from bourg.site.folder import ARRAYS, MANIFEST, NotASiteError, SiteFolder
from bourg.site.generate import generate_site
from bourg.site.mend import MendError, mended, mended_json
from bourg.site.towns import Scope, departements_of
from bourg.store.snapshot import Snapshot, SnapshotStore
from bourg.text import format_number
from site_world import ADDRESS, CODES


def test_only_what_is_needed_is_written(small_settings: Settings, tmp_path: Path) -> None:
    out = tmp_path / "site"
    generate_site(small_settings, out, CODES[:3], workers=1)
    page = out / "ville" / "12145-millau" / "index.html"
    before = page.stat().st_mtime_ns
    again = generate_site(small_settings, out, CODES[:3], workers=1)
    assert (again.made, again.written) == (0, 0)
    assert page.stat().st_mtime_ns == before
    page.unlink()
    mended = generate_site(small_settings, out, CODES[:3], workers=1)
    assert (mended.made, mended.written) == (1, 1)
    assert page.is_file()
    fewer = generate_site(small_settings, out, CODES[:1], workers=1)
    assert fewer.deleted >= 6
    assert not (out / "ville" / "12202-rodez").exists()
    assert not list(out.rglob("*.part"))


def test_killed_run_trusts_no_file(small_settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "site"
    generate_site(small_settings, out, CODES[:2], workers=1)
    page = out / "ville" / "12145-millau" / "index.html"
    content = page.read_bytes()

    def killed(*_: object) -> bytes:
        # Same size, other content: what a run on another snapshot may leave behind.
        page.write_bytes(content.replace(b"Millau", b"Rodez "))
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("bourg.site.towns.portrait_json", killed)
        with pytest.raises(KeyboardInterrupt):
            generate_site(small_settings, out, CODES[:2], workers=1, complete=True)
    generate_site(small_settings, out, CODES[:2], workers=1)
    assert page.read_bytes() == content


@pytest.fixture(scope="module")
def changed(small_snapshot: Snapshot, small_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """An installation whose snapshot has other cultural places and another population in a few communes of Aveyron."""
    home = tmp_path_factory.mktemp("autre")
    store = SnapshotStore(home / "snapshots")
    store.root.mkdir(parents=True)
    old = Observatory(small_snapshot, small_settings)
    with store.part() as part:
        skipped = shutil.ignore_patterns("manifest.json")
        shutil.copytree(small_snapshot.folder, part, dirs_exist_ok=True, ignore=skipped)
        values = pl.read_parquet(small_snapshot.path("values.parquet"))
        here = (pl.col("level") == "commune") & pl.col("value").is_not_null() & (
            (pl.col("code").str.starts_with("12") & pl.col("indicator").str.starts_with("culture.places"))
            | ((pl.col("code") == "12202") & (pl.col("indicator") == "population.density"))
        )  # fmt: skip
        values = values.with_columns(value=pl.when(here).then(pl.col("value") * 2 + 1).otherwise("value"))
        values.write_parquet(part / "values.parquet")
        matrix = commune_matrix(values, old.matrix.codes)
        write_matrix(matrix, part)
        sets = old.comparators
        sets.matrix = matrix
        summaries(sets).write_parquet(part / SUMMARIES)
        manifest = {**small_snapshot.manifest, "id": "s0000000000000002", "created": "2026-12-24T00:00:00+00:00"}
        store.publish(part, manifest)
    return Settings(home=home)


def test_mended_pages_are_whole_pages(small_settings: Settings, changed: Settings, tmp_path: Path) -> None:
    """Pages mended after a change are, byte for byte, those made from nothing."""
    out = tmp_path / "site"
    generate_site(small_settings, out, CODES, address=ADDRESS, workers=1)
    mended = generate_site(changed, out, CODES, address=ADDRESS, workers=1)
    assert mended.mended >= 4
    assert mended.made <= 2
    generate_site(changed, tmp_path / "neuf", CODES, address=ADDRESS, workers=1)
    first, second = _contents(out), _contents(tmp_path / "neuf")
    wrong = [name for name in first if first[name] != second.get(name)]
    assert not wrong, wrong
    assert set(first) == set(second)
    assert "s0000000000000002 du 24 décembre 2026" in (out / "ville/12145-millau/index.html").read_text()
    again = generate_site(changed, out, CODES, address=ADDRESS, workers=1)
    assert (again.made, again.mended, again.written) == (0, 0, 0)


def test_page_changed_by_hand_is_made_again(small_settings: Settings, changed: Settings, tmp_path: Path) -> None:
    out = tmp_path / "site"
    generate_site(small_settings, out, CODES[:2], workers=1)
    page = out / "ville" / "12145-millau" / "index.html"
    page.write_text(page.read_text(encoding="utf-8").replace("Millau", "Milhau"), encoding="utf-8")
    generate_site(changed, out, CODES[:2], workers=1)
    assert "Milhau" not in page.read_text(encoding="utf-8")
    (out / ARRAYS).write_bytes(b"PK\x03\x04")
    assert generate_site(changed, out, CODES[:2], workers=1).made == 2


def _contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_fingerprint_follows_a_value(
    small_observatory: Observatory, small_settings: Settings, changed: Settings, tmp_path: Path
) -> None:
    """A change reaches the town itself and those compared with it, and the frame of no page."""
    scope = Scope(frozenset(CODES), departements_of(small_observatory, CODES))
    codes = sorted(CODES)
    generate_site(small_settings, tmp_path / "site", codes, workers=1)
    folder = SiteFolder(tmp_path / "site")
    known = Fingerprints.read(folder.manifest["empreintes"], folder.arrays())
    same = fingerprints(small_observatory, codes, scope, known)
    assert same.changed(known) == {}
    after = fingerprints(open_observatory(changed), codes, scope, known)
    assert (after.common, after.frames) == (known.common, known.frames)
    found = after.changed(known)
    names = small_observatory.matrix.indicators
    assert all(rows for rows in found.values())
    assert {names[row] for row in found["12202"] or []} >= {"population.density", "culture.places_count"}
    assert {names[row].partition(".")[0] for rows in found.values() for row in rows or []} == {"culture", "population"}
    assert after.pages["departement/12"] != known.pages["departement/12"]
    assert after.pages["departement/2A"] == known.pages["departement/2A"]
    moved = fingerprints(small_observatory, codes, replace(scope, address=ADDRESS), known)
    assert moved.changed(known) == dict.fromkeys(codes)


@pytest.mark.parametrize(
    ("page", "names", "sections"),
    [
        (b"", ["a.b"], []),
        (b'<li id="a.b">1</details></li></ul>', ["a.b", "a.c"], []),
        (b'<li id="a.b">1</ul>', ["a.b"], []),
        (b'<li id="a.b">1</details></li></ul>', [], ["distingue"]),
    ],
)
def test_page_that_cannot_be_mended(page: bytes, names: list[str], sections: list[str]) -> None:
    fresh = {name: f'<li id="{name}">2</details></li>' for name in names}
    with pytest.raises(MendError):
        mended(page, {"figure": fresh}, {name: f'<section aria-labelledby="{name}">x</section>' for name in sections})


def test_mending_replaces_what_it_is_told() -> None:
    items = {name: f'<li id="{name}">{number}</details></li>' for name, number in (("a.b", 1), ("a.c", 2), ("d", 3))}
    section = '<section aria-labelledby="distingue">old</section>'
    page = f"{section}<ul>{items['a.b']}{items['a.c']}</ul><p>end</p><ul>{items['d']}</ul>".encode()
    expected = page.replace(b">2<", b">5<").replace(b">3<", b">6<").replace(b"old", b"new")
    fresh = {name: items[name].replace(old, new) for name, old, new in (("d", "3", "6"), ("a.c", "2", "5"))}
    assert mended(page, {"figure": fresh}, {"distingue": section.replace("old", "new")}) == expected
    lines = b'<tbody><tr id="a.b"><td>1</td></tr>\n<tr id="d"><td>3</td></tr>\n</tbody>'
    row = {"d": '<tr id="d"><td>\u202f6</td></tr>\n'}
    assert mended(lines, {"line": row}) == lines.replace(b">3<", ">\u202f6<".encode())
    data = '{"instantane":{"id":"x"},"indicateurs":{"a.b":{"v":1},"a.c":{"v":"}%s"}}}' % ("é" * 5000)
    made = mended_json(data.encode(), {"a.c": {"v": None}}, {"id": "y"})
    assert json.loads(made) == {"instantane": {"id": "y"}, "indicateurs": {"a.b": {"v": 1}, "a.c": {"v": None}}}
    with pytest.raises(MendError):
        mended_json(data.encode(), {"a.d": {}}, {"id": "y"})
    with pytest.raises(MendError):
        mended_json(data.encode()[:-3], {"a.c": {"v": None}}, {"id": "y"})


def test_folder_that_is_not_a_site(small_settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "lettre.txt").write_text("à garder")
    with pytest.raises(NotASiteError, match="n'est pas vide"):
        generate_site(small_settings, tmp_path, CODES[:1])
    assert [path.name for path in tmp_path.iterdir()] == ["lettre.txt"]
    with pytest.raises(NotASiteError, match="un fichier"):
        generate_site(small_settings, tmp_path / "lettre.txt", CODES[:1])
    with pytest.raises(StorageError, match="ne peut pas être écrit"):
        generate_site(small_settings, tmp_path / "lettre.txt" / "site", CODES[:1])


@pytest.mark.parametrize("content", ["{", "[]", '{"version": 99, "fichiers": {}}', '{"version": 1}'])
def test_damaged_manifest(small_settings: Settings, tmp_path: Path, content: str) -> None:
    (tmp_path / MANIFEST).write_text(content)
    with pytest.raises(NotASiteError):
        generate_site(small_settings, tmp_path, CODES[:1])


def test_manifest_never_leads_outside(small_settings: Settings, tmp_path: Path) -> None:
    precious = tmp_path / "precieux.txt"
    precious.write_text("x")
    out = tmp_path / "site"
    out.mkdir()
    (out / MANIFEST).write_text('{"version": 1, "fichiers": {"../precieux.txt": "0"}}')
    generate_site(small_settings, out, CODES[:1], workers=1)
    assert precious.is_file()


@pytest.mark.parametrize("address", ["exemple.fr", "ftp://a/", "https://a/?b", 'https://a/"x'])
def test_bad_address(small_settings: Settings, tmp_path: Path, address: str) -> None:
    with pytest.raises(ParameterError, match="adresse"):
        generate_site(small_settings, tmp_path / "site", CODES[:1], address=address)


def test_numbers_told_apart_are_those_written_apart() -> None:
    """Numbers that have the same digest are written the same, whatever their last decimals."""
    draw = np.random.default_rng(7)
    values = np.concatenate([draw.normal(50, 40, 4000).round(3), draw.integers(-400, 400, 2000) / 8, [0.0, -0.0]])
    for decimals in (0, 1, 2):
        told: dict[float, set[str]] = {}
        for value, key in zip(values.tolist(), written(values, 10.0**decimals).tolist(), strict=True):
            told.setdefault(key, set()).add(format_number(value, decimals))
        assert all(len(texts) == 1 for texts in told.values())
        assert len(told) <= 1.2 * len(set().union(*told.values())) + 100


def test_replaced_file_stays_whole_for_who_reads_it(tmp_path: Path) -> None:
    """Files that are replaced are deleted together, at the end, and nothing of the work is left."""
    folder = SiteFolder(tmp_path / "site")
    for turn in range(3):
        folder.write("ville/a.html", f"page {turn}".encode())
        if turn == 0:
            reader = (tmp_path / "site/ville/a.html").open()
    folder.finish({"fichiers": {"ville/a.html": ""}})
    with reader:
        assert reader.read() == "page 0"
    assert (tmp_path / "site/ville/a.html").read_text() == "page 2"
    assert sorted(path.name for path in (tmp_path / "site").iterdir()) == [MANIFEST, "ville"]
