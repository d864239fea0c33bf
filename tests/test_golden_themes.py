"""Golden figures of every theme: what is published for the towns, against the official files read raw.

Nothing here uses a reader of the project: ``csv``, ``json`` and arithmetic, so that a shared mistake cannot hide.
"""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from pathlib import Path
from statistics import median

import pytest

import golden_tools
from golden_tools import MISSING, NOT_APPLICABLE, SECRET, TOWNS, VAL_D_OISE, Row, exact, grouped, number, of_town, rows

pytestmark = [pytest.mark.mirror, pytest.mark.xdist_group("golden")]
census, former, snapshot, values = golden_tools.census, golden_tools.former, golden_tools.snapshot, golden_tools.values


# Housing


@pytest.fixture(scope="module")
def lovac(mirror: Path) -> dict[str, list[Row]]:
    return grouped(mirror / "10_dvf_dpe" / "lovac_communes_2025_plus2ans.csv", "CODGEO_25")


@pytest.mark.parametrize("code", TOWNS)
def test_long_vacancy_is_that_of_lovac(values, lovac, former, code: str) -> None:
    cells = [row["pp_vacant_plus_2ans_25"] for row in of_town(lovac, former[code])]
    published = values["housing.lovac_vacant_2y", "commune", code]
    if "s" in cells:
        assert published == SECRET
    else:
        assert published == exact(sum(map(int, cells)) if cells else None)


@pytest.mark.parametrize("code", VAL_D_OISE)
def test_vacancy_of_the_recent_edition_is_that_of_lovac(values, mirror: Path, code: str) -> None:
    (row,) = grouped(mirror / "10_dvf_dpe" / "lovac_communes_2026_95.csv", "CODGEO_26")[code]
    expected = SECRET if row["pp_vacant_26"] == "s" else exact(int(row["pp_vacant_26"]))
    assert values["housing.lovac_vacant", "commune", code] == expected
    whole, part = row["ff_pp_total_25"], row["pp_vacant_25"]
    expected = SECRET if "s" in {whole, part} else exact(100 * int(part) / int(whole))
    assert values["housing.lovac_vacancy_rate", "commune", code] == expected


@pytest.fixture(scope="module")
def social(mirror: Path) -> dict[str, list[Row]]:
    table = grouped(mirror / "13_logement_social" / "rpls_2024_communes_effectifs.csv", "DEPCOM_ARM", ",")
    # Districts of the three cities are part of their commune.
    for code in list(table):
        city = next((city for prefix, city in golden_tools.DISTRICTS.items() if code.startswith(prefix)), None)
        if city and city != code:
            table.setdefault(city, []).extend(table.pop(code))
    return table


@pytest.mark.parametrize("code", [*TOWNS, "13055", "69123", "75056"])
def test_social_dwellings_are_those_of_rpls(values, social, former, code: str) -> None:
    found = of_town(social, {code, *former[code]})
    dwellings = [int(row["nb_ls"]) for row in found]
    # The register lists every commune that has at least one: an absence is a zero.
    assert values["housing.social_dwellings", "commune", code] == exact(sum(dwellings))
    published = values["housing.social_vacancy_rate", "commune", code]
    if any(0 < count < 11 for count in dwellings):
        assert published == SECRET
    elif not found:
        assert published == MISSING
    else:
        vacant = sum(int(row["nb_vacants"]) for row in found)
        assert published == exact(100 * vacant / (vacant + sum(int(row["nb_loues"]) for row in found)))


@pytest.mark.parametrize("code", TOWNS)
def test_rates_of_social_housing_are_those_of_rpls(values, mirror: Path, former, code: str) -> None:
    found = [
        row
        for row in rows(mirror / "13_logement_social" / "rpls_2024_communes_taux.csv", ",")
        if row["DEPCOM_ARM"] in {code, *former[code]}
    ]
    published = values["housing.social_mobility_rate", "commune", code]
    if len(found) == 1:
        (row,) = found
        assert values["housing.social_density", "commune", code] == exact(
            float(row["densite"]) if row["densite"] else None
        )
        few = 0 < int(row["nb_ls"]) < 11
        assert published == (SECRET if few else exact(float(row["tx_mob"]) if row["tx_mob"] else None))
    else:
        # No social housing, or two rates of towns that have merged: there is none for the whole.
        assert published[0] is None


@pytest.mark.parametrize("code", ["95018", "95250", "95351", "95063", "95355"])
def test_sru_rate_is_that_of_the_inventory(values, mirror: Path, code: str) -> None:
    found = grouped(mirror / "13_logement_social" / "sru_95.csv", "Code_INSEE_commune").get(code, [])
    published = values["housing.sru_rate", "commune", code]
    gap = values["housing.sru_gap", "commune", code]
    if not found:
        assert (published, gap) == (MISSING, MISSING)
    elif found[0]["Commune_sru_au_01_01_2025"] == "0":
        assert published == NOT_APPLICABLE
    else:
        rate, target = (number(found[0][name]) for name in ("Taux_SRU_au_01_01_2024", "Taux_cible_commune_2023_2025"))
        assert published == exact(rate)
        assert gap == exact(rate - target)


@pytest.mark.parametrize("code", VAL_D_OISE)
@pytest.mark.parametrize(("name", "indicator"), [("appartements", "rent_flat"), ("maisons", "rent_house")])
def test_rents_are_those_of_the_map(values, mirror: Path, name: str, indicator: str, code: str) -> None:
    with (mirror / "10_dvf_dpe" / f"loyers_{name}_95.csv").open(encoding="cp1252", newline="") as stream:
        found = [row["loypredm2"] for row in csv.DictReader(stream, delimiter=";") if row["INSEE_C"] == code]
    value, status = values[f"housing.{indicator}", "commune", code]
    assert (value, status) == (exact(number(found[0]))[0], "estimated")


@pytest.fixture(scope="module")
def sales(mirror: Path) -> dict[tuple[str, str], list[float]]:
    """``(commune, type) -> prices per m²`` of 2025, recomputed from the mutations one by one."""
    mutations: dict[str, dict[tuple[str, ...], Row]] = defaultdict(dict)
    identity = ("id_parcelle", "lot1_numero", "numero_volume", "code_type_local", "surface_reelle_bati",
                "nombre_pieces_principales", "code_commune")  # fmt: skip
    for row in rows(mirror / "10_dvf_dpe" / "dvf_95_2025.csv.gz", ","):
        if row["nature_mutation"] == "Vente" and row["code_type_local"] in {"1", "2", "4"}:
            mutations[row["id_mutation"]][tuple(row[name] for name in identity)] = row
    prices: dict[tuple[str, str], list[float]] = defaultdict(list)
    for premises in mutations.values():
        (sold, *others) = premises.values()
        if others or sold["code_type_local"] == "4" or not sold["valeur_fonciere"] or not sold["surface_reelle_bati"]:
            continue
        price, surface = float(sold["valeur_fonciere"]), float(sold["surface_reelle_bati"])
        if price > 1 and surface > 0:
            prices[sold["code_commune"], sold["code_type_local"]].append(price / surface)
    return dict(prices)


@pytest.mark.parametrize("code", VAL_D_OISE)
def test_prices_are_the_medians_of_the_sales(values, sales, code: str) -> None:
    for kind, name in (("1", "house"), ("2", "flat")):
        prices = sales.get((code, kind), [])
        published = values[f"housing.price_m2_{name}", "commune", code]
        if not prices:
            assert published == MISSING
        else:
            assert values[f"housing.sales_{name}s", "commune", code] == exact(len(prices))
            assert published == (SECRET if len(prices) < 11 else exact(median(prices)))


@pytest.fixture(scope="module")
def means(mirror: Path) -> dict[str, list[Row]]:
    return grouped(mirror / "10_dvf_dpe" / "indicateurs_immobiliers_communes_2024.csv", "INSEE_COM", ",")


@pytest.mark.parametrize("code", TOWNS)
def test_mean_prices_are_those_published(values, means, former, code: str) -> None:
    found = of_town(means, former[code])
    published = values["housing.price_m2_mean", "commune", code]
    assert values["housing.sales", "commune", code] == exact(
        sum(int(row["nb_mutations"]) for row in found) if found else None
    )
    if not found:
        assert published == MISSING
    elif any(int(row["nb_mutations"]) < 11 for row in found):
        assert published == SECRET
    elif len(found) == 1:
        assert published == exact(float(found[0]["Prixm2Moyen"]))
    else:
        assert published == MISSING


@pytest.mark.parametrize("code", VAL_D_OISE)
def test_permits_are_those_of_sitadel(values, mirror: Path, code: str) -> None:
    found = grouped(
        mirror / "10_dvf_dpe" / "sitadel_95.csv",
        "COMM",
        keep=lambda row: (row["ANNEE"], row["TYPE_LGT"]) == ("2025", "Tous Logements"),
    )
    assert values["housing.authorised", "commune", code] == exact(int(found[code][0]["LOG_AUT"]))


@pytest.mark.parametrize("code", VAL_D_OISE)
def test_owners_are_those_of_the_census(values, mirror: Path, code: str) -> None:
    (row,) = grouped(mirror / "05_insee" / "rp2023_statut_occupation_95.csv", "Code géographique", ",")[code]
    cells = {name: number(cell) for name, cell in row.items() if "pièce" in name and cell}
    owners = sum(value for name, value in cells.items() if "Propriétaire" in name)
    assert values["housing.owners_share", "commune", code] == exact(100 * owners / sum(cells.values()))


# Economy


@pytest.fixture(scope="module")
def seekers(mirror: Path) -> dict[str, list[Row]]:
    path = mirror / "12_emploi" / "demandeurs_emploi_communes_mensuel.csv"
    return grouped(path, "codgeo", ",", keep=lambda row: row["YEAR"].endswith("_2024"))


@pytest.mark.parametrize("code", TOWNS)
def test_job_seekers_are_the_mean_of_the_twelve_months(values, seekers, former, code: str) -> None:
    found = of_town(seekers, former[code])
    months = {row["YEAR"]: int(row["Demandeurs_Emploi"]) for row in found}
    # Towns that have merged since have two rows a month under one code: nothing tells which is which.
    known = len(found) == len(months) == 12
    mean = int(sum(months.values()) / 12 + 0.5) if known else None
    assert values["economy.job_seekers", "commune", code] == exact(mean)
    assert known is (code in seekers and code not in {"69149", "93066"})


@pytest.mark.parametrize("code", VAL_D_OISE)
def test_work_in_the_commune_is_that_of_the_census(values, mirror: Path, code: str) -> None:
    profile = json.loads((mirror / "12_emploi" / "domicile-travail_profils_95.json").read_text("utf-8"))[code]
    share = 100 * profile["local"] / profile["residents"]
    assert values["economy.work_in_commune_share", "commune", code] == exact(share)
    modes = {item["label"]: item["value"] for item in profile["transport"]}
    car = 100 * modes["Voiture, camion, fourgonnette"] / profile["residents"]
    assert values["mobility.work_by_car_share", "commune", code] == exact(car)
    first = max(item["value"] for item in profile["destinations"] if item["code"] != code)
    assert values["economy.first_destination_share", "commune", code] == exact(100 * first / profile["residents"])
    concentration = 100 * profile["workers"] / profile["residents"]
    assert values["economy.job_concentration", "commune", code] == exact(concentration)


# Local finance


def test_accounts_are_those_of_the_ofgl(values, mirror: Path) -> None:
    path = mirror / "09_finances" / "ofgl-base-communes-consolidee.test.csv"
    last = [row for row in rows(path) if row["Exercice"] == "2023"]
    amounts = {row["Agrégat"]: float(row["Montant"]) for row in last}
    (people,) = {int(row["Population totale"]) for row in last}
    for indicator, aggregate in (
        ("operating_spending", "Dépenses de fonctionnement"),
        ("operating_revenue", "Recettes de fonctionnement"),
        ("equipment_spending", "Dépenses d'équipement"),
        ("debt", "Encours de dette"),
        ("gross_savings", "Epargne brute"),
        ("local_taxes", "Impôts locaux"),
        ("state_grant", "Dotation globale de fonctionnement"),
    ):
        assert values[f"finance.{indicator}", "commune", "31135"] == exact(amounts[aggregate] / people)
    years = amounts["Encours de dette"] / amounts["Epargne brute"]
    assert values["finance.debt_years", "commune", "31135"] == exact(years)
    assert values["finance.debt", "commune", "12145"] == MISSING


@pytest.fixture(scope="module")
def taxes(mirror: Path) -> dict[str, list[Row]]:
    return grouped(mirror / "09_finances" / "taxes_thlv_communes.csv", "code_commune")


@pytest.mark.parametrize("code", TOWNS)
def test_taxes_on_vacancy_are_those_of_the_dgfip(values, taxes, former, code: str) -> None:
    found = of_town(taxes, former[code])
    kinds = [row["type_taxe"] for row in found]
    for kind in ("TLV", "THLV"):
        # Two merged towns under the same tax are one town under it.
        assert values[f"finance.{kind.lower()}_communes", "commune", code] == exact(
            float(kind in kinds) if kinds else None
        )
    if len(found) == 1:
        published = values["finance.thlv_rate", "commune", code]
        rate = found[0]["taux"]
        expected = exact(100 * float(rate)) if rate else MISSING
        assert published == (expected if kinds == ["THLV"] else NOT_APPLICABLE)
