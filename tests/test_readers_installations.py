"""Readers of energy: the register of installations, the production by sector, the consumption in both layouts."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import polars as pl
import pytest

from bourg.errors import SourceFormatError
from bourg.sources.model import get_source
from bourg.sources.readers.production_energie import SECTORS
from bourg.sources.reading import Tables, read_resource
from bourg.sources.report import ReadReport

REGISTER = (
    "nominstallation;codeiris;codeinseecommune;commune;codeepci;codedepartement;coderegion;datemiseenservice;filiere;"
    "technologie;puismaxinstallee;puismaxrac;nbgroupes;nbinstallations;regime;energieannuelleglissanteinjectee;"
    "gestionnaire"
)
FARM = "Parc des Faux;;48095;Mende;;48;76;12/03/2015;Eolien;Eolien terrestre;12000;;6;1;En service;24000000;Enedis"
ROOFS = (
    "Agrégation des installations de moins de 36KW;010040101;;;;1;84;;Solaire;Photovoltaïque;512,5;;;100;En service;"
    "300000;Enedis"
)


def read(source_id: str, path: Path, resource_id: str = "") -> tuple[Tables, ReadReport]:
    source = get_source(source_id)
    chosen = [item for item in source.resources if item.id == resource_id] or [source.resources[0]]
    return read_resource(path, source, chosen[0])


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def register(tmp_path: Path, *lines: str) -> tuple[Tables, ReadReport]:
    return read("registre_installations", write(tmp_path / "registre.csv", REGISTER, *lines))


def test_a_line_of_the_register_is_read_with_its_units_and_its_dates(tmp_path: Path) -> None:
    tables, _ = register(tmp_path, FARM, ROOFS)
    farm, roofs = tables["energy_installations"].sort("code", descending=True).to_dicts()
    assert (farm["code"], farm["sector"], farm["power_kw"], farm["year_injected_kwh"]) == (
        "48095", "wind", 12_000.0, 24_000_000.0,
    )  # fmt: skip
    assert (farm["name"], farm["masts"], farm["commissioning_date"]) == ("Parc des Faux", 6, dt.date(2015, 3, 12))
    # The commune of a sum is that of its IRIS; a sum has neither name nor date.
    assert (roofs["code"], roofs["iris"], roofs["level"], roofs["departement"]) == ("01004", "010040101", "iris", "01")
    assert (roofs["name"], roofs["n"], roofs["small"], roofs["power_kw"]) == (None, 100, True, 512.5)
    assert roofs["commissioning_date"] is None
    assert all(tables[f"energy_unplaced_{level}"].is_empty() for level in ("departement", "region", "france"))


def test_the_three_exports_say_the_same(tmp_path: Path) -> None:
    header = REGISTER.split(";")
    named = [dict(zip(header, line.split(";"), strict=True)) for line in (FARM, ROOFS.replace("512,5", "512.5"))]
    records = [{key: text or None for key, text in row.items()} for row in named]
    upper = {"codeinseecommune": "codeINSEECommune", "puismaxinstallee": "puisMaxInstallee"}
    (tmp_path / "r.json").write_text(json.dumps(records), encoding="utf-8")
    (tmp_path / "ods.json").write_text(json.dumps({"total_count": 2, "results": records}), encoding="utf-8")
    typed = pl.DataFrame(records, schema=header).with_columns(
        pl.col("puismaxinstallee", "nbinstallations", "energieannuelleglissanteinjectee").cast(pl.Float64),
        pl.col("datemiseenservice").str.to_datetime("%d/%m/%Y"),
    )
    typed.rename(upper).write_parquet(tmp_path / "r.parquet")
    expected = register(tmp_path, FARM, ROOFS)[0]["energy_installations"]
    for name in ("r.json", "ods.json", "r.parquet"):
        assert read("registre_installations", tmp_path / name)[0]["energy_installations"].equals(expected), name


def test_both_forms_of_dates_and_the_impossible_ones(tmp_path: Path) -> None:
    lines = [FARM.replace("12/03/2015", day) for day in ("2015-03-12", "01/01/1800", "bientôt")]
    lines = [line.replace("Faux", str(rank)) for rank, line in enumerate(lines)]
    tables, report = register(tmp_path, *lines)
    assert tables["energy_installations"]["commissioning_date"].to_list() == [dt.date(2015, 3, 12), None, None]
    assert report.mended["date de mise en service illisible, vidée"] == 2


def test_a_site_without_commune_is_kept_at_its_department_and_above(tmp_path: Path) -> None:
    lines = [
        FARM.replace(";48095;Mende;", ";;;"),
        FARM.replace(";48095;Mende;;48;76;", ";;;;;76;").replace("Faux", "Nord"),
        FARM.replace(";48095;Mende;;48;76;", ";;;;;;").replace("Faux", "Sud"),
        FARM.replace(";48095;Mende;;48;76;", ";;;;976;06;").replace("Faux", "Lagon"),
    ]
    tables, report = register(tmp_path, *lines)
    assert sorted(tables["energy_installations"]["level"]) == ["departement", "departement", "france", "region"]
    assert sorted(tables["energy_unplaced_departement"]["code"]) == ["48", "976"]
    assert sorted(tables["energy_unplaced_region"]["code"]) == ["06", "76", "76"]
    # One site could be anywhere in the country: it counts in no field smaller than the whole.
    counts = tables["energy_unplaced_france"].group_by("code").len()
    assert dict(counts.iter_rows()) == {"FR": 4, "FRHM": 2, "FRMET": 2}
    (told,) = [what for what in report.mended if "sans commune" in what]
    assert report.mended[told] == 4
    assert "département 48, Eolien de 12000 kW" in told


def test_negative_energy_is_missing_and_listed_and_masked_energy_is_secret(tmp_path: Path) -> None:
    lines = [
        FARM.replace("24000000", "-12"),
        FARM.replace("24000000", "Confidentiel").replace("Faux", "A"),
        FARM.replace("24000000", "").replace("Faux", "B"),
        FARM.replace("24000000", "0").replace("Faux", "C"),
    ]
    tables, report = register(tmp_path, *lines)
    told = tables["energy_installations"].sort("name").select("name", "year_injected_kwh", "energy_status").rows()
    assert told == [
        ("Parc des A", None, "secret"), ("Parc des B", None, "missing"), ("Parc des C", 0.0, "ok"),
        ("Parc des Faux", None, "missing"),
    ]  # fmt: skip
    (reason,) = [what for what in report.mended if what.startswith("production négative")]
    assert "Mende, Eolien de 12000 kW" in reason
    assert report.mended[reason] == 1


def test_doubles_closed_sites_and_unknown_sectors_are_counted(tmp_path: Path) -> None:
    unnamed = FARM.replace("Parc des Faux", "Confidentiel")
    closed = FARM.replace("En service", "Hors service").replace("Faux", "Clos")
    strange = FARM.replace(";Eolien;", ";Fusion;").replace("Faux", "Soleil")
    tables, report = register(tmp_path, FARM, FARM, unnamed, unnamed, ROOFS, ROOFS, closed, strange)
    frame = tables["energy_installations"]
    assert frame.height == 5
    assert report.rejected["ligne répétée à l'identique, comptée une fois"].count == 2
    assert report.rejected["installation hors service"].examples == ["Hors service"]
    assert frame.filter(pl.col("name") == "Parc des Soleil")["sector"].to_list() == ["other"]
    assert report.mended["filière inconnue, rangée dans « autre »"] == 1
    assert any("deux toitures" in note for note in report.notes)


def test_the_name_of_a_person_is_never_kept(tmp_path: Path) -> None:
    names = ("M. Untel", "MADAME UNTEL", "Mairie de Mende", "Confidentiel")
    tables, report = register(tmp_path, *(FARM.replace("Parc des Faux", name) for name in names))
    assert tables["energy_installations"]["name"].drop_nulls().to_list() == ["Mairie de Mende"]
    assert report.mended["nom de personne, vidé"] == 2


def test_power_falls_back_on_the_power_connected_and_never_on_zero(tmp_path: Path) -> None:
    lines = [FARM.replace(";12000;;", ";;11500;"), FARM.replace(";12000;;", ";;;").replace("Faux", "Nord")]
    tables, report = register(tmp_path, *lines)
    assert tables["energy_installations"].sort("name")["power_kw"].to_list() == [11_500.0, None]
    assert report.mended["puissance absente, illisible ou négative, dite manquante"] == 1


def test_shifted_columns_and_missing_columns_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceFormatError, match="Il manque une colonne"):
        read("registre_installations", write(tmp_path / "a.csv", REGISTER.replace(";filiere", ";x"), FARM))
    # An unquoted separator in the operator's place: as many fields as titles, but not the right ones.
    moved = FARM.replace("Parc des Faux;;", "Parc; des Faux;;").removesuffix(";Enedis")
    with pytest.raises(SourceFormatError, match="décalées"):
        register(tmp_path, *[moved.replace("Faux", str(rank)) for rank in range(20)])


@pytest.mark.mirror
def test_the_extract_of_the_mirror_gives_sites_and_no_total(mirror: Path) -> None:
    path = mirror / "07_energie" / "odre_registre_production_95.json"
    raw = json.loads(path.read_text("utf-8"))
    tables, _ = read("registre_installations", path, "95")
    assert set(tables) == {"energy_sites"}
    frame = tables["energy_sites"]
    assert frame["power_kw"].sum() == pytest.approx(sum(row["puissance_kw"] for row in raw))
    assert frame["year_injected_kwh"].sum() == sum(row["injection_kwh"] for row in raw)
    hidden = sum(row["nom"] == "Confidentiel" for row in raw)
    assert frame["name"].null_count() == hidden > 0
    assert frame["power_kw"].min() >= 36


# Production


def _header(**names: str) -> str:
    columns = ["Année", "Nom commune", "Code commune", "Domaine de tension"]
    for name in ("Photovoltaïque", "Eolien", "Hydraulique", "Bio Energie", "Cogénération", "Autres filières"):
        columns += [f"Nb sites {name} Enedis", f"Energie produite annuelle {name} Enedis (MWh)"]
    return ";".join(names.get(column, column) for column in columns)


def _line(year: object, code: str, domain: str, *cells: object) -> str:
    return ";".join(map(str, (year, "X", code, domain, *cells, *[0] * (12 - len(cells)))))


def test_production_adds_voltages_up_and_an_empty_cell_is_secret(tmp_path: Path) -> None:
    lines = [
        _header(),
        _line(2023, "48095", "BT <= 36 kVA", 12, "60,5"),
        _line(2023, "48095", "HTA", 1, 300.25, 1, 24000),
        _line(2023, "1004", "BT <= 36 kVA", "", ""),
        _line(2023, "12145", "HTA", 0, 0, 2, -5),
        _line(2022, "12145", "HTA", 0, 0, 2, 9),
        _line(2022, "12145", "HTA", 0, 0, 2, 9),
    ]
    tables, report = read("production_electrique", write(tmp_path / "p.csv", *lines))
    frame = tables["energy_production"]
    rows = {(r["code"], r["year"], r["sector"]): (r["mwh"], r["n"], r["status"]) for r in frame.to_dicts()}
    assert rows["48095", 2023, "solar"] == (360.75, 13, "ok")
    assert rows["48095", 2023, "wind"] == (24_000.0, 1, "ok")
    assert rows["01004", 2023, "solar"] == (None, None, "secret")
    assert rows["01004", 2023, "hydro"] == (0.0, 0, "ok")
    assert rows["12145", 2023, "wind"] == (None, None, "missing")
    assert rows["12145", 2022, "wind"] == (9.0, 2, "ok")
    assert report.rejected["ligne répétée à l'identique, comptée une fois"].count == 1
    assert any("« 12145 en 2023 : -5 »" in what for what in report.mended)
    assert set(frame["sector"]) == set(SECTORS)


def test_an_empty_cell_of_a_column_without_zeros_is_missing(tmp_path: Path) -> None:
    lines = [_header(), _line(2023, "48095", "HTA", 1, 5), _line(2023, "12145", "HTA", "", "")]
    frame = read("production_electrique", write(tmp_path / "p.csv", *lines))[0]["energy_production"]
    assert frame.filter(pl.col("code") == "12145", pl.col("sector") == "solar")["status"].to_list() == ["missing"]


def test_contradictory_lines_and_shifted_years(tmp_path: Path) -> None:
    lines = [_header(), _line(2023, "48095", "HTA", 1, 5), _line(2023, "48095", "HTA", 1, 6)]
    tables, report = read("production_electrique", write(tmp_path / "p.csv", *lines))
    assert set(tables["energy_production"]["status"]) == {"missing"}
    assert report.mended["lignes contradictoires d'une même commune, dites manquantes"] == 2
    with pytest.raises(SourceFormatError, match="décalées"):
        read("production_electrique", write(tmp_path / "q.csv", _header(), _line("HTA", "48095", "2023", 1, 5)))
    renamed = _header(**{"Energie produite annuelle Eolien Enedis (MWh)": "vent"})
    with pytest.raises(SourceFormatError, match="Il manque une colonne"):
        read("production_electrique", write(tmp_path / "r.csv", renamed, _line(2023, "48095", "HTA", 1, 5)))


# Consumption


def _told(tables: Tables, code: str) -> dict[str, tuple[float | None, str]]:
    rows = tables["energy_use"].filter(pl.col("code") == code)
    return {row["variable"]: (row["value"], row["status"]) for row in rows.to_dicts()}


def test_sectors_of_the_layout_of_the_operators(tmp_path: Path) -> None:
    header = (
        "annee;code_commune;nom_commune;filiere;code_grand_secteur;nb_sites;conso_totale_mwh;nombre_mailles_secretisees"
    )
    lines = [
        "2024;12145;X;Electricité;RESIDENTIEL;900;4000,5;0", "2024;12145;X;Electricité;TERTIAIRE;50;2500;0",
        "2024;12145;X;Gaz;RESIDENTIEL;400;5000;0", "2024;12202;X;Electricité;RESIDENTIEL;100;400;0",
        "2024;12202;X;Electricité;INDUSTRIE;2;70;1", "2024;12300;X;Electricité;AGRICULTURE;2;-7;0",
    ]  # fmt: skip
    tables, report = read("consommation_energie", write(tmp_path / "c.csv", header, *lines))
    first = _told(tables, "12145")
    assert first["ELEC"] == (6500.5, "ok")
    assert first["ELEC_SERVICES"] == (2500.0, "ok")
    assert first["ELEC_INDUSTRY"] == (0.0, "ok")
    assert first["ALL"] == (11_500.5, "ok")
    second = _told(tables, "12202")
    # Masked meshes: neither the sector nor its totals; no gas network is a true zero.
    assert second["ELEC_INDUSTRY"] == second["ELEC"] == second["ALL"] == (None, "secret")
    assert second["GAS"] == (0.0, "ok")
    assert _told(tables, "12300")["ELEC_FARMING"] == (None, "missing")
    assert any(what.startswith("consommation négative") for what in report.mended)


def test_homes_are_not_given_away_by_a_difference(tmp_path: Path) -> None:
    header = "annee;code_commune;filiere;code_grand_secteur;nb_sites;conso_totale_mwh"
    lines = [
        "2024;12145;Electricité;RESIDENTIEL;5;20", "2024;12145;Electricité;TERTIAIRE;3;30",
        "2024;12145;Electricité;INDUSTRIE;1;900", "2024;12202;Electricité;RESIDENTIEL;5;20",
    ]  # fmt: skip
    tables, _ = read("consommation_energie", write(tmp_path / "c.csv", header, *lines))
    partner = _told(tables, "12145")
    assert partner["ELEC_HOMES"] == partner["ELEC_SERVICES"] == (None, "secret")
    assert (partner["ELEC_INDUSTRY"], partner["ELEC"]) == ((900.0, "ok"), (950.0, "ok"))
    alone = _told(tables, "12202")
    assert alone["ELEC_HOMES"] == alone["ELEC"] == alone["ALL"] == (None, "secret")


def test_the_wide_layout_of_the_statistical_service(tmp_path: Path) -> None:
    header = "OPERATEUR;ANNEE;FILIERE;CODE_COMMUNE;CONSOA;PDLA;CONSOI;PDLI;CONSOT;PDLT;CONSOR;PDLR;CONSONA;PDLNA"
    lines = ["Enedis;2023;Electricité;12145;10;2;200;3;300;40;4000;900;;", "GRDF;2023;Gaz;12145;;;50;1;;;700;80;1;1"]
    told = _told(read("consommation_energie", write(tmp_path / "s.csv", header, *lines))[0], "12145")
    assert told["ELEC"] == (4510.0, "ok")
    assert told["GAS_HOMES"] == (700.0, "ok")
    assert told["HOMES"] == (4700.0, "ok")
    assert told["ELEC_OTHER"] == (0.0, "ok")
