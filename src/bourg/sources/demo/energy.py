"""Energy: register of installations (ODRÉ), production by sector (Enedis), consumption by sector (Agence ORE).

National totals, rounded, of the end of 2024: 25 GW of solar in a million installations, 22.9 GW of wind on land and
1.5 GW at sea, 25.7 GW of hydro, 2.2 GW of bioenergies, 17 GW of thermal, 1 GW of storage; 400 TWh of electricity and
290 TWh of gas delivered to these sectors. Nuclear plants are left out: nobody should meet one in the wrong town.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from bourg.sources.demo.counts import Floats, Ints, hurdle_counts, scaled_targets
from bourg.sources.demo.territory import Territory
from bourg.sources.demo.writing import append_csv, atomic_file, stream_of, write_csv

REGISTER_FILE = "registre-national-installation-production-stockage-electricite-agrege.csv"
PRODUCTION_FILE = "production-electrique-par-filiere-a-la-maille-commune.csv"
CONSUMPTION_FILE = "consommation-annuelle-d-electricite-et-gaz-par-commune.csv"

REGISTER_COLUMNS = (
    "nominstallation", "codeeicresourceobject", "codeiris", "codeinseecommune", "commune", "codeepci", "epci",
    "codedepartement", "departement", "coderegion", "region", "datemiseenservice", "datemiseenservice_date",
    "tensionraccordement", "codefiliere", "filiere", "technologie", "puismaxinstallee", "puismaxrac", "nbgroupes",
    "nbinstallations", "regime", "energieannuelleglissanteinjectee", "gestionnaire",
)  # fmt: skip
SMALL_SOLAR, SMALL_SOLAR_KW = 1_000_000, 5.5


@dataclass(frozen=True)
class _Kind:
    """Sites of one sector: French texts, national number and power, hours a year at full power, spread over towns."""

    code: str
    sector: str
    technology: str
    sites: int
    total_kw: float
    hours: float
    size: float
    first: int
    median_year: int
    noun: str


_KINDS = (
    _Kind("SOLAI", "Solaire", "Photovoltaïque", 30_000, 19.5e6, 1_150, 0.35, 2006, 2019, "Centrale solaire"),
    _Kind("EOLIE", "Eolien", "Eolien terrestre", 2_300, 22.9e6, 2_100, 0.1, 2000, 2014, "Parc éolien"),
    _Kind("HYDLQ", "Hydraulique", "Fil de l'eau", 2_500, 25.7e6, 2_150, 0.15, 1900, 1955, "Centrale hydraulique"),
    _Kind("BIOEN", "Bioénergies", "Moteur à combustion", 1_100, 2.2e6, 4_200, 0.3, 1990, 2014, "Méthanisation"),
    _Kind("THERM", "Thermique non renouvelable", "Cogénération à combustion", 900, 17.0e6, 1_600, 0.8, 1970, 2003,
          "Cogénération"),
    _Kind("STOCK", "Stockage non hydraulique", "Batterie", 150, 1.0e6, 600, 0.4, 2018, 2022, "Batteries"),
)  # fmt: skip
_LAST_YEAR = 2024


def _small_solar(territory: Territory, rng: np.random.Generator) -> pl.DataFrame:
    """Return the sums of roofs by commune: houses with a garden have more of them than large towns."""
    national = territory.weight(0.8, 1.0)
    part = national[territory.selected]
    total, towns = scaled_targets(SMALL_SOLAR, round(0.985 * national.size), national, part)
    counts = hurdle_counts(rng, part, total, towns)
    here = counts > 0
    position, n = territory.selected[here], counts[here]
    power = np.round(n * SMALL_SOLAR_KW * rng.gamma(20, 1 / 20, n.size), 2)
    frame = territory.communes[position].select("code", "name", "epci", "epci_name", "departement", "region")
    return frame.with_columns(
        nominstallation=pl.lit("Agrégation des installations de moins de 36KW"),
        codefiliere=pl.lit("SOLAI"),
        filiere=pl.lit("Solaire"),
        technologie=pl.lit("Photovoltaïque"),
        power=pl.Series(power),
        n=pl.Series(n),
        # Half of what a roof makes is used under it.
        energy=pl.Series(np.round(power * 1_100 * 0.55 * rng.gamma(60, 1 / 60, n.size))),
        day=pl.lit(None, dtype=pl.Date),
        masts=pl.lit(None, dtype=pl.Int64),
        voltage=pl.lit("BT"),
    )


def _sites(territory: Territory, rng: np.random.Generator, kind: _Kind) -> pl.DataFrame:
    national = territory.weight(kind.size, 1.0)
    if kind.sector in {"Eolien", "Hydraulique"}:
        # Whole departments have neither wind nor slope.
        names = territory.communes["departement"]
        lucks = {name: float(rng.gamma(0.7)) + 0.02 for name in sorted(names.unique().to_list())}
        national = national * names.replace_strict(lucks).to_numpy()
    part = national[territory.selected]
    counts = hurdle_counts(rng, part, *scaled_targets(kind.sites, max(kind.sites // 2, 1), national, part))
    position = np.repeat(territory.selected, counts)
    n = position.size
    mean = kind.total_kw / kind.sites
    power = np.maximum(np.round(mean * rng.lognormal(-0.5, 1.0, n)), 36.0)
    years = np.clip(
        np.round(rng.normal(kind.median_year, (_LAST_YEAR - kind.first) / 5, n)), kind.first, _LAST_YEAR
    ).astype(np.int64)
    days = rng.integers(1, 366, n)
    masts = np.maximum(np.round(power / 2_400), 1).astype(np.int64)
    town = territory.communes[position].select("code", "name", "of_name", "epci", "epci_name", "departement", "region")
    hidden = pl.Series(rng.random(n) < (0.35 if kind.sector == "Solaire" else 0.05))
    told = pl.Series(rng.random(n) > 0.01)
    frame = town.with_columns(
        hidden=hidden, told=told, year=pl.Series(years), offset=pl.Series(days), power=pl.Series(power),
        energy=pl.Series(np.round(power * kind.hours * rng.gamma(25, 1 / 25, n))), masts=pl.Series(masts),
    ).with_columns(copy=pl.int_range(pl.len()).over("code") + 1)  # fmt: skip
    return frame.select(
        "code", "name", "epci", "epci_name", "departement", "region",
        nominstallation=pl.when("hidden").then(pl.lit("Confidentiel"))
        .otherwise(pl.format("{} {} ({})", pl.lit(kind.noun), "of_name", "copy")),
        codefiliere=pl.lit(kind.code), filiere=pl.lit(kind.sector), technologie=pl.lit(kind.technology),
        power="power", n=pl.lit(1, dtype=pl.Int64), energy=pl.when("told").then("energy"),
        day=pl.date(pl.col("year"), 1, 1) + pl.duration(days=pl.col("offset") - 1),
        masts=pl.when(pl.lit(kind.sector == "Eolien") & (pl.col("offset") % 10 < 8)).then("masts"),
        voltage=pl.when(pl.col("power") > 250).then(pl.lit("HTA")).otherwise(pl.lit("BT")),
    )  # fmt: skip


def _unplaced(territory: Territory, columns: pl.DataFrame) -> pl.DataFrame:
    """Return one sum by department of the roofs no commune is told for, and a wind farm at sea."""
    rows = territory.communes[territory.selected].select("departement", "region").unique().sort("departement")
    known = rows.with_columns(
        nominstallation=pl.lit("Agrégation des installations de moins de 36KW"), codefiliere=pl.lit("SOLAI"),
        filiere=pl.lit("Solaire"), technologie=pl.lit("Photovoltaïque"), power=pl.lit(38.5),
        n=pl.lit(7, dtype=pl.Int64), energy=pl.lit(23_300.0), voltage=pl.lit("BT"),
    )  # fmt: skip
    sea = pl.DataFrame(
        {"departement": ["44"], "region": ["52"], "nominstallation": ["Parc éolien en mer"], "codefiliere": ["EOLIE"],
         "filiere": ["Eolien"], "technologie": ["Eolien en mer"], "power": [480_000.0], "n": [1],
         "energy": [1.6e9], "voltage": ["HTB"]}
    ).filter(pl.col("departement").is_in(rows["departement"].to_list()))  # fmt: skip
    return pl.concat([columns.clear(), pl.concat([known, sea], how="diagonal")], how="diagonal_relaxed")


def write_register(target: Path, territory: Territory, seed: int, *, dirty: bool) -> Path:
    """Write the register: one line per site, one sum of roofs per commune, lines without a commune, a few faults."""
    rng = stream_of(seed, REGISTER_FILE)
    small = _small_solar(territory, rng)
    parts = [small, *(_sites(territory, rng, kind) for kind in _KINDS)]
    frame = pl.concat([part.select(small.columns) for part in parts])
    frame = pl.concat([frame, _unplaced(territory, small).select(small.columns)], how="vertical_relaxed")
    luck = pl.Series(rng.random(frame.height))
    lost = pl.lit(value=dirty)
    closed = lost & (luck < 0.004) & pl.col("day").is_not_null()
    iso = pl.col("day").dt.to_string("%Y-%m-%d")
    written = frame.select(
        nominstallation="nominstallation",
        codeeicresourceobject=pl.lit(None, dtype=pl.String),
        codeiris=pl.lit(None, dtype=pl.String),
        codeinseecommune=pl.when(lost).then(pl.col("code").str.replace(r"^0", "")).otherwise("code"),
        commune="name", codeepci="epci", epci="epci_name", codedepartement="departement",
        departement=pl.lit(None, dtype=pl.String), coderegion="region", region=pl.lit(None, dtype=pl.String),
        datemiseenservice=pl.col("day").dt.to_string("%d/%m/%Y"), datemiseenservice_date=iso,
        tensionraccordement="voltage", codefiliere="codefiliere", filiere="filiere", technologie="technologie",
        puismaxinstallee="power", puismaxrac="power", nbgroupes="masts", nbinstallations="n",
        regime=pl.when(closed).then(pl.lit("Hors service")).otherwise(pl.lit("En service")),
        energieannuelleglissanteinjectee=pl.when(lost & (luck > 0.9998)).then(-pl.col("energy")).otherwise("energy"),
        gestionnaire=pl.lit("Enedis"),
    )  # fmt: skip
    return write_csv(target / REGISTER_FILE, written.select(REGISTER_COLUMNS))


# --- production on the Enedis grid ---------------------------------------------------------------------------------

_PRODUCED = ("photovoltaique", "eolien", "hydraulique", "bio_energie", "cogeneration", "autres_filieres")
_OF_SECTOR = {"Solaire": 0, "Eolien": 1, "Hydraulique": 2, "Bioénergies": 3, "Thermique non renouvelable": 4}
_YEARS = (2022, 2023)


def write_production(target: Path, territory: Territory, seed: int) -> Path:
    """Write two years of production: small voltages have solar only, whose cell is empty when sites are too few."""
    rng = stream_of(seed, PRODUCTION_FILE)
    # The same draws as the register: both files speak of the same sites.
    twin = stream_of(seed, REGISTER_FILE)
    small = _small_solar(territory, twin).select("code", "filiere", "n", "energy", domain=pl.lit("BT <= 36 kVA"))
    large = pl.concat([_sites(territory, twin, kind) for kind in _KINDS]).filter(pl.col("power") < 12_000)
    large = large.select("code", "filiere", "n", "energy", domain=pl.lit("HTA"))
    rows = pl.concat([small, large]).filter(pl.col("filiere").is_in(list(_OF_SECTOR)))
    grid = rows.group_by("code", "domain").agg(
        *(
            expression
            for sector, rank in _OF_SECTOR.items()
            for expression in (
                pl.col("n").filter(pl.col("filiere") == sector).sum().alias(f"nb_sites_{_PRODUCED[rank]}_enedis"),
                (pl.col("energy").fill_null(0).filter(pl.col("filiere") == sector).sum() / 1000).alias(
                    f"energie_produite_annuelle_{_PRODUCED[rank]}_enedis_mwh"
                ),
            )
        )
    )
    named = territory.communes[territory.selected].select(
        "code", nom_commune="name", code_epci="epci", code_departement="departement", code_region="region"
    )
    # Enedis serves neither Corsica nor overseas; a served commune without a site has its line of zeros.
    served = named.filter(~pl.col("code_departement").str.contains(r"^(2[AB]|97)"))
    grid = served.join(grid, on="code", how="left").with_columns(pl.col("domain").fill_null("BT <= 36 kVA"))
    grid = grid.sort("code", "domain")
    grid = grid.with_columns(pl.col(name).fill_null(0) for name in grid.columns if name.endswith(("_enedis", "_mwh")))
    few = pl.col("nb_sites_photovoltaique_enedis").is_between(1, 9) & (pl.col("domain") != "HTA")
    columns = ("annee", "nom_commune", "code_commune", "code_epci", "code_departement", "code_region",
               "domaine_de_tension")  # fmt: skip
    measures = [f"{kind}_{name}" for name in _PRODUCED
                for kind in ("nb_sites", "energie_produite_annuelle")]  # fmt: skip
    measures = [f"{name}_enedis" + ("_mwh" if name.startswith("energie") else "") for name in measures]
    with atomic_file(target / PRODUCTION_FILE) as stream:
        for rank, year in enumerate(_YEARS):
            moving = pl.Series(rng.gamma(60, 1 / 60, grid.height))
            frame = grid.with_columns(
                (pl.col(name) * moving).round(3) for name in grid.columns if name.endswith("_mwh")
            ).with_columns(
                annee=pl.lit(year), code_commune="code", domaine_de_tension="domain",
                nb_sites_autres_filieres_enedis=pl.lit(0),
                energie_produite_annuelle_autres_filieres_enedis_mwh=pl.lit(0.0),
                nb_sites_photovoltaique_enedis=pl.when(~few).then("nb_sites_photovoltaique_enedis"),
                energie_produite_annuelle_photovoltaique_enedis_mwh=pl.when(~few).then(
                    "energie_produite_annuelle_photovoltaique_enedis_mwh"
                ),
            )  # fmt: skip
            append_csv(stream, frame.select(*columns, *measures), header=rank == 0)
    return target / PRODUCTION_FILE


# --- consumption ---------------------------------------------------------------------------------------------------

# Network, sector, MWh of the country, power of the population it follows, its spread, MWh by delivery point.
_USES = (
    ("Electricité", "RESIDENTIEL", 150e6, 1.0, 0.03, 4.6), ("Electricité", "TERTIAIRE", 130e6, 1.12, 0.4, 26.0),
    ("Electricité", "INDUSTRIE", 112e6, 1.0, 1.4, 400.0), ("Electricité", "AGRICULTURE", 8e6, 0.35, 0.7, 35.0),
    ("Gaz", "RESIDENTIEL", 115e6, 1.1, 0.1, 11.0), ("Gaz", "TERTIAIRE", 60e6, 1.15, 0.5, 110.0),
    ("Gaz", "INDUSTRIE", 115e6, 1.1, 1.6, 6_000.0),
)  # fmt: skip
# One commune in four or so has a gas network; larger ones almost all do.
_GAS_HALF = 1_800.0


def _delivered(rng: np.random.Generator, weight: Floats, total: float, spread: float, part: Ints) -> Floats:
    mixed = weight * rng.lognormal(-spread * spread / 2, spread, weight.size)
    return np.asarray((total * mixed / mixed.sum())[part], dtype=np.float64)


def write_consumption(target: Path, territory: Territory, seed: int) -> Path:
    """Write one year of consumption by sector; a commune without gas has no line of gas."""
    rng = stream_of(seed, CONSUMPTION_FILE)
    people = territory.population
    gas = rng.random(people.size) < people / (people + _GAS_HALF)
    overseas = territory.communes["departement"].str.contains(r"^(97|2[AB])").to_numpy()
    gas &= ~overseas
    town = territory.communes[territory.selected].select(code_commune="code", nom_commune="name")
    with atomic_file(target / CONSUMPTION_FILE) as stream:
        for rank, (network, sector, total, size, spread, each) in enumerate(_USES):
            weight = people**size * (gas if network == "Gaz" else 1.0)
            mwh = np.round(_delivered(rng, weight, total, spread, territory.selected), 3)
            sites = np.maximum(np.round(mwh / each), np.where(mwh > 0, 1, 0)).astype(np.int64)
            frame = town.with_columns(
                annee=pl.lit(_LAST_YEAR), filiere=pl.lit(network), code_grand_secteur=pl.lit(sector),
                nb_sites=pl.Series(sites), conso_totale_mwh=pl.Series(mwh),
            )  # fmt: skip
            served = frame.filter(pl.col("conso_totale_mwh") > 0)
            append_csv(
                stream,
                served.select(
                    "annee", "code_commune", "nom_commune", "filiere", "code_grand_secteur", "nb_sites",
                    "conso_totale_mwh", nombre_mailles_secretisees=pl.lit(0),
                ),
                header=rank == 0,
            )  # fmt: skip
    return target / CONSUMPTION_FILE
