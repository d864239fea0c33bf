"""The demonstration generator: official layouts, national totals, true populations, determinism, atomic writes."""

from __future__ import annotations

import errno
import hashlib
import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import shapely

from bourg.errors import ParameterError, StorageError
from bourg.geography.codes import COMMUNE_PATTERN, departement_expr
from bourg.sources.demo import DEMO_FILES, MOCK_FILE, generate, mock_sample, write_mock_sample
from bourg.sources.demo import writing as demo_writing
from bourg.sources.demo.counts import hurdle_counts, scaled_targets
from bourg.sources.demo.equipment import BPE19_COLUMNS, BPE23_COLUMNS, facility_counts
from bourg.sources.demo.events import CINEMA_COLUMNS, CINEMAS_BY_YEAR, FESTIVAL_COLUMNS, write_cinemas
from bourg.sources.demo.nomenclature import facility_types
from bourg.sources.demo.people import (
    FILOSOFI_COLUMNS,
    POPULATION_COLUMNS,
    census_communes,
    pvd_towns,
    write_filosofi,
)
from bourg.sources.demo.places import BASILIC_COLUMNS, PLACE_TYPES, draw_places
from bourg.sources.demo.territory import Territory, build_territory
from bourg.sources.demo.zoning import MEMBERSHIP_COLUMNS, build_zoning
from bourg.sources.model import load_catalogue

Tables = dict[str, pl.DataFrame]
SMALL = ("04", "12", "2A", "48", "75", "974", "976")


@pytest.fixture(scope="module")
def territory(registry: Tables) -> Territory:
    return build_territory(registry["communes"], registry["iris"], outlines=registry["outlines"], epci=registry["epci"])


def _csv(folder: Path, name: str, separator: str = ";") -> pl.DataFrame:
    return pl.read_csv(folder / name, separator=separator, infer_schema=False)


def _hashes(folder: Path) -> dict[str, str]:
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in DEMO_FILES}


# --- whole set -----------------------------------------------------------------------------------------------------


def test_the_files_are_those_of_the_catalogue() -> None:
    declared = {resource.demo for source in load_catalogue().values() for resource in source.resources}
    assert set(DEMO_FILES) == declared - {None}


def test_same_arguments_same_bytes_and_other_seed_other_bytes(tmp_path: Path, registry: Tables) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        generate(
            tmp_path / name, registry["communes"], registry["iris"], scale="small", departements=("48", "2A"), seed=seed
        )
    first, again, other = (_hashes(tmp_path / name) for name in "abc")
    assert first == again
    assert first["donnees_communes.csv"] == other["donnees_communes.csv"]  # true figures do not depend on the seed
    changed = {name for name in DEMO_FILES if first[name] != other[name]}
    assert changed >= {"BPE23.csv", "cc_filosofi_2021_COM.csv", "base-des-lieux-et-des-equipements-culturels.csv"}


def test_the_small_set_is_small_and_leaves_nothing_unfinished(demo_dir: Path) -> None:
    files = [demo_dir / name for name in DEMO_FILES]
    assert all(path.is_file() for path in files)
    assert sum(path.stat().st_size for path in files) < 12_000_000
    assert not list(demo_dir.glob("*.part"))


def test_progress_rises_to_one(tmp_path: Path, registry: Tables) -> None:
    seen: list[tuple[str, float]] = []
    written = generate(
        tmp_path, registry["communes"], registry["iris"], scale="small", departements=("48",),
        progress=lambda name, share: seen.append((name, share)),
    )  # fmt: skip
    shares = [share for _, share in seen]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert [path.name for path in written] == list(DEMO_FILES)


@pytest.mark.parametrize("departements", [("99",), ("20",), ("4",)])
def test_an_unknown_department_is_refused(tmp_path: Path, registry: Tables, departements: tuple[str, ...]) -> None:
    with pytest.raises(ParameterError, match="n'existe pas"):
        generate(tmp_path, registry["communes"], registry["iris"], departements=departements)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("departements", [("976",), ("75",)])
def test_one_department_alone_is_enough(tmp_path: Path, registry: Tables, departements: tuple[str, ...]) -> None:
    generate(tmp_path, registry["communes"], registry["iris"], scale="small", departements=departements)
    places = _csv(tmp_path, "base-des-lieux-et-des-equipements-culturels.csv")
    assert places.height > 50
    assert set(places["N_Departement"]) == set(departements)


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, registry: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    old = tmp_path / "liste-pvd-com2025.csv"
    old.write_text("ancien")

    def full(*_args: object, **_kwargs: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(demo_writing, "append_csv", full)
    with pytest.raises(StorageError, match="plus de place"):
        generate(tmp_path, registry["communes"], registry["iris"], scale="small", departements=("48",))
    assert old.read_text() == "ancien"
    assert [path.name for path in tmp_path.iterdir()] == [old.name]


# --- layouts -------------------------------------------------------------------------------------------------------


def _header(path: Path) -> tuple[str, ...]:
    with path.open(encoding="utf-8-sig") as stream:
        line = stream.readline().removeprefix("\ufeff").rstrip("\r\n")
    separator = ";" if ";" in line else ","
    return tuple(cell.strip('"') for cell in line.split(separator))


@pytest.mark.mirror
@pytest.mark.parametrize(
    ("demo", "real"),
    [
        ("liste-pvd-com2025.csv", "00_echantillons_saisis/liste-pvd-com2025-20260427.debut.csv"),
        ("donnees_communes.csv", "05_insee/populations_legales_2021.csv"),
        ("cc_filosofi_2021_COM.csv", "05_insee/cc_filosofi_2021_COM.csv"),
        (
            "cinemas_etablissements_annual_data.csv",
            "02_culture/cinemas_etablissements_annual_data_202411191450.csv",
        ),
        ("festivals-global-festivals-pl.csv", "02_culture/festivals-global-festivals-pl.csv"),
        ("bpe19_ensemble.csv", "03_bpe/bpe19_ensemble_extrait_01_04_12_35_48_56_95.csv"),
    ],
)
def test_headers_are_those_of_the_real_files(demo_dir: Path, mirror: Path, demo: str, real: str) -> None:
    assert _header(demo_dir / demo) == _header(mirror / real)


@pytest.mark.mirror
def test_headers_are_those_of_the_real_workbooks(demo_dir: Path, mirror: Path) -> None:
    words = pl.read_excel(mirror / "02_culture" / "Metadonnees_baseDEPS.xlsx", has_header=False)
    official = [row[1] for row in words.rows() if row[0] is not None and str(row[0]).isdigit()]
    assert list(_header(demo_dir / "base-des-lieux-et-des-equipements-culturels.csv")) == official
    book = mirror / "04_geo" / "table-appartenance-geo-communes-2024.xlsx"
    real = pl.read_excel(book, sheet_name="COM", read_options={"header_row": 5, "n_rows": 1}, infer_schema_length=0)
    assert _header(demo_dir / "table-appartenance-geo-communes.csv") == tuple(real.columns)


def test_headers_are_the_declared_ones(demo_dir: Path) -> None:
    expected = {
        "BPE23.csv": BPE23_COLUMNS, "bpe19_ensemble.csv": BPE19_COLUMNS,
        "base-des-lieux-et-des-equipements-culturels.csv": BASILIC_COLUMNS,
        "cinemas_etablissements_annual_data.csv": CINEMA_COLUMNS,
        "festivals-global-festivals-pl.csv": FESTIVAL_COLUMNS, "cc_filosofi_2021_COM.csv": FILOSOFI_COLUMNS,
        "donnees_communes.csv": POPULATION_COLUMNS, "table-appartenance-geo-communes.csv": MEMBERSHIP_COLUMNS,
    }  # fmt: skip
    for name, columns in expected.items():
        assert _header(demo_dir / name) == columns, name
    raw = (demo_dir / "festivals-global-festivals-pl.csv").read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf\xef\xbb\xbfNom du festival;")
    assert raw.count(b"\r\n") == raw.count(b"\n")


def test_every_row_has_every_cell(demo_dir: Path) -> None:
    # Rows of BPE23 are written from joined pieces: a wrong number of separators would shift the columns.
    lines = (demo_dir / "BPE23.csv").read_text().splitlines()
    assert {line.count(";") for line in lines} == {len(BPE23_COLUMNS) - 1}
    bpe = _csv(demo_dir, "BPE23.csv")
    assert bpe["DOM"].is_in(list("ABCDEFG")).all()
    assert (bpe["TYPEQU"].str.slice(0, 2) == bpe["SDOM"]).all()
    assert set(bpe["EPSG"]) == {"2154", "2975", "4471"}


@pytest.mark.mirror
def test_museum_records_have_the_real_keys(demo_dir: Path, mirror: Path) -> None:
    made = json.loads((demo_dir / "liste-et-localisation-des-musees-de-france.json").read_bytes())
    real = json.loads((mirror / "02_culture" / "musees-de-france_2019.json").read_bytes())
    assert {key for record in made for key in record} == {key for record in real for key in record}
    assert {key for record in made for key in record["fields"]} <= {key for record in real for key in record["fields"]}


# --- codes and points ----------------------------------------------------------------------------------------------


def test_codes_stay_text_with_corsica_and_leading_zeros(demo_dir: Path) -> None:
    codes = {
        "base-des-lieux-et-des-equipements-culturels.csv": "Code_Insee", "BPE23.csv": "DEPCOM",
        "bpe19_ensemble.csv": "DEPCOM", "donnees_communes.csv": "COM", "cc_filosofi_2021_COM.csv": "CODGEO",
        "table-appartenance-geo-communes.csv": "CODGEO",
    }  # fmt: skip
    for name, column in codes.items():
        values = _csv(demo_dir, name)[column]
        assert values.str.contains(COMMUNE_PATTERN).all(), name
        assert values.str.starts_with("2A").any(), name
        assert values.str.starts_with("04").any(), name
        found = pl.select(departement_expr(values).unique()).to_series()
        # Mayotte has no census by IRIS: no true population, no income, but places and facilities.
        without = {"976"} if name in {"donnees_communes.csv", "cc_filosofi_2021_COM.csv"} else set()
        assert set(found) == set(SMALL) - without, name


def test_points_fall_inside_the_communes(demo_dir: Path, registry: Tables) -> None:
    places = _csv(demo_dir, "base-des-lieux-et-des-equipements-culturels.csv").filter(
        pl.col("Coordonnees GPS [lat,lon]").is_not_null()
    )
    parts = places["Coordonnees GPS [lat,lon]"].str.split_exact(", ", 1).struct.unnest().cast(pl.Float64)
    bpe = _csv(demo_dir, "BPE23.csv").filter(pl.col("LATITUDE") != "")
    points = pl.concat([
        pl.DataFrame({"code": places["Code_Insee"], "lat": parts["field_0"], "lon": parts["field_1"]}),
        bpe.select(
            pl.when(pl.col("DEP") == "75").then(pl.lit("75056")).otherwise("DEPCOM").alias("code"),
            pl.col("LATITUDE").cast(pl.Float64).alias("lat"), pl.col("LONGITUDE").cast(pl.Float64).alias("lon"),
        ),
    ]).join(registry["outlines"], on="code")  # fmt: skip
    shapes = shapely.from_wkb(points["wkb"].to_list())
    shapely.prepare(shapes)
    inside = shapely.contains_xy(shapes, points["lon"].to_numpy(), points["lat"].to_numpy())
    assert points.height > 15_000
    assert inside.all()


def test_without_outlines_points_stay_in_the_box(registry: Tables) -> None:
    territory = build_territory(registry["communes"], registry["iris"], departements=("12", "976"))
    places = draw_places(territory, np.random.default_rng(3))
    box = territory.locator.box[places["position"].to_numpy()]
    assert (places["longitude"].to_numpy() >= box[:, 0]).all()
    assert (places["longitude"].to_numpy() <= box[:, 2]).all()
    assert (places["latitude"].to_numpy() >= box[:, 1]).all()
    assert (places["latitude"].to_numpy() <= box[:, 3]).all()


def test_districts_belong_to_their_city(demo_dir: Path) -> None:
    places = _csv(demo_dir, "base-des-lieux-et-des-equipements-culturels.csv").filter(pl.col("N_Departement") == "75")
    assert set(places["Code_Insee"]) == {"75056"}
    assert places["Code_Insee_Arrondt"].is_between(pl.lit("75101"), pl.lit("75120")).all()
    bpe = _csv(demo_dir, "BPE23.csv").filter(pl.col("DEP") == "75")
    assert (bpe["DCIRIS"].str.slice(0, 5) == bpe["DEPCOM"]).all()
    cinemas = _csv(demo_dir, "cinemas_etablissements_annual_data.csv")
    assert cinemas["COMMUNE"].str.contains(r"^Paris \d+er? Arrondissement$").any()


# --- national figures ----------------------------------------------------------------------------------------------


def test_places_have_the_national_counts_by_type(territory: Territory) -> None:
    places = draw_places(territory, np.random.default_rng(7))
    counts = dict(places.group_by("kind").len().iter_rows())
    assert {spec.label: counts[rank] for rank, spec in enumerate(PLACE_TYPES)} == {
        spec.label: spec.total for spec in PLACE_TYPES
    }
    assert places.height == 90_000
    assert 21_000 < places["position"].n_unique() < 24_000  # 22,288 communes in the real base
    assert places["name"].is_not_null().all()
    assert places.select("position", "kind", "name").is_duplicated().sum() == 0


@pytest.mark.parametrize(("year", "low", "high"), [(2019, 2_550_000, 2_650_000), (2023, 2_400_000, 2_850_000)])
def test_facilities_have_the_national_counts_by_type(territory: Territory, year: int, low: int, high: int) -> None:
    types, counts = facility_counts(territory, 1, year)
    totals = [kind.totals[year][0] for kind in types if kind.code != "A129"]
    columns = [rank for rank, kind in enumerate(types) if kind.code != "A129"]
    assert counts[:, columns].sum(axis=0).tolist() == totals
    assert low < counts.sum() < high
    if year == 2023:
        halls = counts[:, [kind.code for kind in types].index("A129")]
        assert (halls == 1).all()  # a town hall each, none forgotten, none twice
    pharmacy = counts[:, [kind.code for kind in types].index("D301" if year == 2019 else "D307")]
    large = territory.population > 10_000
    assert (pharmacy[territory.population < 300] > 0).mean() < 0.05
    assert (pharmacy[large] > 0).mean() > 0.97


@pytest.mark.mirror
def test_the_nomenclature_is_calibrated_on_the_real_file(mirror: Path) -> None:
    real = pl.read_csv(mirror / "03_bpe" / "bpe19_ensemble.csv.gz", separator=";", infer_schema=False)
    sums = dict(real.group_by("TYPEQU").agg(pl.col("NB_EQUIP").cast(pl.Int64).sum()).iter_rows())
    kinds = {kind.code: kind for kind in facility_types()}
    assert set(sums) == {code for code, kind in kinds.items() if 2019 in kind.totals}
    for code, total in sums.items():
        assert abs(kinds[code].totals[2019][0] - total) <= 50, code


def test_two_vintages_of_a_commune_resemble_each_other(territory: Territory) -> None:
    tallies = {}
    for year in (2019, 2023):
        types, counts = facility_counts(territory, 1, year)
        tallies[year] = counts[:, [kind.code for kind in types].index("D201")]
    assert ((tallies[2019] > 0) == (tallies[2023] > 0)).mean() > 0.99
    assert np.corrcoef(tallies[2019], tallies[2023])[0, 1] > 0.99


def test_cinemas_of_each_year(tmp_path: Path, territory: Territory) -> None:
    path = write_cinemas(tmp_path, territory, 1, dirty=True)
    rows = pl.read_csv(path, separator=";", infer_schema=False)
    counts = dict(rows.group_by("year").len().iter_rows())
    assert counts == {str(year): number for year, number in CINEMAS_BY_YEAR.items()}
    new, old = rows.filter(pl.col("year") == "2023"), rows.filter(pl.col("year") != "2023")
    assert new.select("DEPCOM", "NAutoC", "NomEtab", "AE").null_count().sum_horizontal().item() == 0
    assert new["CODE COMMUNE"].null_count() == new.height
    assert old["DEPCOM"].null_count() == old.height
    assert 5_500 < new["ECRANS"].cast(pl.Int64).sum() < 7_000  # 6,322 screens in the real file


def test_pvd_are_small_towns_of_every_department(territory: Territory) -> None:
    towns = pvd_towns(territory, build_zoning(territory), 1)
    assert towns.height == 1_645
    assert towns["code"].n_unique() == towns["pvd_id"].n_unique() == 1_645
    assert territory.population[towns["position"].to_numpy()].max() < 20_000
    departements = towns.join(territory.communes, on="code")
    # Paris and the three departments of its ring have no small town that is a centre.
    absent = set(territory.communes["departement"]) - set(departements["departement"])
    assert absent <= {"75", "92", "93", "94"}
    assert towns["pvd_id"].str.contains(r"^pvd-\d\d-(\d\d|2A|2B|97\d)-\d+$").all()
    assert str(towns["signature"].min()) >= "2020-10-01"
    assert str(towns["signature"].max()) <= "2022-12-31"


def test_populations_are_the_true_sums(demo_dir: Path, registry: Tables) -> None:
    table = _csv(demo_dir, "donnees_communes.csv")
    made = dict(table.select("COM", pl.col("PMUN").cast(pl.Int64)).iter_rows())
    iris = registry["iris"]
    assert made["75056"] == iris.filter(pl.col("code").str.starts_with("751"))["population"].sum()
    assert made["12145"] == iris.filter(pl.col("code") == "12145")["population"].sum()
    assert not any(code.startswith(("751", "976")) for code in made)
    assert table["PTOT"].null_count() == table.height  # never made up beside true figures


@pytest.mark.mirror
def test_populations_equal_the_published_ones(demo_dir: Path, mirror: Path) -> None:
    real = pl.read_csv(mirror / "05_insee" / "populations_legales_2021.csv", separator=";", infer_schema=False)
    both = _csv(demo_dir, "donnees_communes.csv").join(real, on="COM", suffix="_real")
    gap = (both["PMUN"].cast(pl.Int64) - both["PMUN_real"].cast(pl.Int64)).abs()
    assert both.height > 700
    assert gap.max() <= 5  # each IRIS is rounded


def test_incomes_are_near_the_national_ones(tmp_path: Path, territory: Territory, registry: Tables) -> None:
    census = census_communes(territory, registry["iris"], registry["former_communes"])
    table = _csv_at(write_filosofi(tmp_path, census, registry["iris"], 1))
    hidden = table.select((pl.all() == "s").mean())
    assert 0.08 < hidden["MED21"].item() < 0.14  # 10 % in the real file
    assert 0.82 < hidden["D121"].item() < 0.87  # 85 %
    assert 0.85 < hidden["TP6021"].item() < 0.91  # 87 %
    shown = table.filter(pl.col("MED21") != "s")
    weight, median = shown["NBPERSMENFISC21"].cast(pl.Int64), shown["MED21"].cast(pl.Int64)
    assert abs((weight * median).sum() / weight.sum() - 23_160) < 150
    full = table.filter(pl.col("D121") != "s").with_columns(
        pl.exclude("CODGEO").str.replace(",", ".").cast(pl.Float64, strict=False)
    )
    parts = full["PACT21"] + full["PPEN21"] + full["PPAT21"] + full["PPSOC21"] + full["PIMPOT21"]
    assert (parts - 100).abs().max() < 0.05
    assert (full["PACT21"] - full["PTSA21"] - full["PCHO21"] - full["PBEN21"]).abs().max() < 0.05
    assert (full["D121"] < full["MED21"]).all()
    assert (full["MED21"] < full["D921"]).all()
    assert {"75056", "75108", "13055", "13203"} <= set(table["CODGEO"])


def _csv_at(path: Path) -> pl.DataFrame:
    return pl.read_csv(path, separator=";", infer_schema=False)


def test_membership_keeps_true_epci_and_known_centres(demo_dir: Path, registry: Tables) -> None:
    table = _csv(demo_dir, "table-appartenance-geo-communes.csv")
    both = table.join(registry["communes"], left_on="CODGEO", right_on="code")
    assert both.height == table.height
    assert (both["EPCI"] == both["epci"].fill_null("ZZZZZZZZZ")).all()
    assert set(table["BV2022"]) <= set(registry["communes"]["code"])
    assert table["ZE2020"].str.contains(r"^\d{4}$").all()
    assert (table["ZE2020"].str.slice(0, 2) == table["REG"]).all()
    assert table["AAV2020"].str.contains(r"^\d{3}$").all()


# --- faults of the real files --------------------------------------------------------------------------------------


def test_dirty_values_are_there_and_can_be_switched_off(tmp_path: Path, registry: Tables) -> None:
    for name, dirty in (("dirty", True), ("clean", False)):
        generate(
            tmp_path / name, registry["communes"], registry["iris"], scale="small", departements=("04", "06", "13"),
            dirty=dirty,
        )  # fmt: skip
    faults = {}
    for name in ("dirty", "clean"):
        places = _csv(tmp_path / name, "base-des-lieux-et-des-equipements-culturels.csv")
        festivals = (tmp_path / name / "festivals-global-festivals-pl.csv").read_bytes()
        museums = json.loads((tmp_path / name / "liste-et-localisation-des-musees-de-france.json").read_bytes())
        faults[name] = (
            places["Code_Postal"].null_count(), int((places["Code_Postal"].str.len_chars() == 4).sum()),
            int((places["Nom"] != places["Nom"].str.strip_chars()).sum()), festivals.count(b"\xef\xbb\xbf") - 1,
            sum("geometry" not in record for record in museums),
            int((_csv(tmp_path / name, "BPE23.csv")["LATITUDE"].fill_null("") == "").sum()),
        )  # fmt: skip
    assert faults["clean"] == (0, 0, 0, 0, 0, 0)
    assert all(count > 0 for count in faults["dirty"])


# --- the law of counts ---------------------------------------------------------------------------------------------


def test_hurdle_counts_are_exact_and_over_dispersed() -> None:
    rng = np.random.default_rng(5)
    weight = rng.lognormal(6.0, 1.2, 4_000)
    counts = hurdle_counts(np.random.default_rng(1), weight, 20_000, 1_500)
    assert counts.sum() == 20_000
    assert (counts > 0).sum() == 1_500
    same = hurdle_counts(np.random.default_rng(1), np.ones(2_000), 20_000, 2_000)
    assert same.var() > 1.5 * same.mean()
    assert hurdle_counts(np.random.default_rng(1), weight, 0, 0).sum() == 0
    assert hurdle_counts(np.random.default_rng(1), weight, 3, 10).sum() == 3


def test_a_part_of_the_country_gets_its_share() -> None:
    weight = np.random.default_rng(5).lognormal(6.0, 1.2, 4_000)
    parts = [scaled_targets(20_000, 1_500, weight, part) for part in np.array_split(weight, 4)]
    assert abs(sum(total for total, _ in parts) - 20_000) <= 2
    assert abs(sum(present for _, present in parts) - 1_500) <= 30
    assert scaled_targets(20_000, 1_500, weight, weight) == (20_000, 1_500)


# --- the sample of the brief ---------------------------------------------------------------------------------------


def test_the_committed_sample_is_the_generated_one(tmp_path: Path, registry: Tables) -> None:
    committed = Path(__file__).resolve().parents[1] / "data" / MOCK_FILE
    made = write_mock_sample(tmp_path, registry["communes"], outlines=registry["outlines"])
    assert made.read_bytes() == committed.read_bytes()
    assert committed.stat().st_size < 200_000


def test_the_sample_has_the_columns_of_the_brief(registry: Tables) -> None:
    sample = mock_sample(registry["communes"], outlines=registry["outlines"])
    assert sample.columns == ["commune", "code postal", "type", "catégorie", "latitude", "longitude"]
    assert sample.height == 1_500
    assert set(sample["catégorie"]) == {"patrimoine", "spectacle vivant", "autre vivant"}
    assert sample["code postal"].str.contains(r"^\d{5}$").all()
    assert sample["code postal"].str.starts_with("0").any()
    assert sample["code postal"].str.starts_with("20").any()
    # Names may be shared; a name and a postal code point to real communes.
    real = registry["communes"].select("name", pl.col("postal_codes").alias("postal")).explode("postal")
    joined = sample.join(real, left_on=["commune", "code postal"], right_on=["name", "postal"], how="anti")
    assert joined.is_empty()
