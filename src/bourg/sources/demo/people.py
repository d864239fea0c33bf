"""Populations légales (true figures), the PVD list and Filosofi, in their official layouts."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import polars as pl

from bourg.geography.codes import departement_expr
from bourg.sources.demo.counts import Floats
from bourg.sources.demo.labels import DEPARTEMENTS, REGIONS
from bourg.sources.demo.territory import Territory, city_of
from bourg.sources.demo.writing import stream_of, write_csv
from bourg.sources.demo.zoning import Zoning

POPULATIONS_FILE = "donnees_communes.csv"
PVD_FILE = "liste-pvd-com2025.csv"
FILOSOFI_FILE = "cc_filosofi_2021_COM.csv"

POPULATION_COLUMNS = (
    "REG", "Région", "DEP", "CODARR", "CODCAN", "CODCOM", "COM", "Commune", "PMUN", "PCAP", "PTOT",
)  # fmt: skip
PVD_COLUMNS = ("insee_com", "lib_com", "id_pvd", "date_signature")
PVD_TOWNS = 1_645
_PVD_RANGE = (1_200.0, 20_000.0)
_FIRST_SIGNATURE, _SIGNATURE_DAYS = dt.date(2020, 10, 1), 821  # to 2022-12-31

FILOSOFI_COLUMNS = (
    "CODGEO", "NBMENFISC21", "NBPERSMENFISC21", "MED21", "PIMP21", "TP6021", "TP60AGE121", "TP60AGE221",
    "TP60AGE321", "TP60AGE421", "TP60AGE521", "TP60AGE621", "TP60TOL121", "TP60TOL221", "PACT21", "PTSA21",
    "PCHO21", "PBEN21", "PPEN21", "PPAT21", "PPSOC21", "PPFAM21", "PPMINI21", "PPLOGT21", "PIMPOT21", "D121",
    "D921", "RD21",
)  # fmt: skip
# Filosofi 2021, France: median standard of living (euros a year), poverty rate at 60 % (%).
_MEDIAN, _POVERTY = 23_160.0, 14.9
# Fiscal households from which a value is published (the real file, fitted on its shares of ``s``).
_MIN_HOUSEHOLDS, _MIN_PERSONS = 50, 100
_DISTRIBUTION_HOUSEHOLDS, _DISTRIBUTION_PERSONS = 1_000, 2_000
_POVERTY_HOUSEHOLDS = {
    "TP6021": 1_180, "TP60AGE121": 11_500, "TP60AGE221": 3_900, "TP60AGE321": 3_300, "TP60AGE421": 4_300,
    "TP60AGE521": 5_200, "TP60AGE621": 14_500, "TP60TOL121": 2_500, "TP60TOL221": 1_550,
}  # fmt: skip


def census_communes(territory: Territory, iris: pl.DataFrame, former: pl.DataFrame | None) -> pl.DataFrame:
    """Return every commune of the census file (its own COG), with its name where it is known.

    Columns ``code, name, departement, region, population, main_residences, age_0_19, age_65_plus``, and ``kept``:
    whether its department was asked for.
    """
    names = territory.communes.select("code", "name", "region")
    if former is not None:
        old = former.unique("code", keep="first").join(names, on="code", how="anti").select("code", "name")
        names = pl.concat([names, old.with_columns(region=pl.lit(None, pl.String))])
    regions = territory.communes.select("departement", "region").unique("departement")
    kept = territory.communes["departement"].gather(territory.selected).unique()
    columns = ["population", "main_residences", "age_0_19", "age_65_plus"]
    return (
        iris.group_by(city_of(pl.col("code")).alias("code"))
        .agg(pl.col(columns).sum().cast(pl.Int64))
        .with_columns(departement=departement_expr(pl.col("code")))
        .with_columns(kept=pl.col("departement").is_in(kept.implode()))
        .join(names.select("code", "name"), on="code", how="left")
        .join(regions, on="departement", how="left")
        .with_columns(name=pl.coalesce("name", pl.format("Ancienne commune {}", "code")))
        .sort("code")
    )


def write_populations(target: Path, census: pl.DataFrame) -> Path:
    """Write the populations légales 2021 (separator ``;``, CRLF): PMUN is the true sum of the IRIS.

    PCAP and PTOT stay empty: no registry gives them, and this file holds true figures only.
    """
    blank = pl.lit(None, pl.String)
    frame = census.filter("kept").select(
        pl.col("region").alias("REG"),
        pl.col("region").replace_strict(REGIONS, default=None, return_dtype=pl.String).alias("Région"),
        pl.col("departement").alias("DEP"), blank.alias("CODARR"), blank.alias("CODCAN"),
        pl.col("code").str.slice(-3).alias("CODCOM"), pl.col("code").alias("COM"), pl.col("name").alias("Commune"),
        pl.col("population").alias("PMUN"), blank.alias("PCAP"), blank.alias("PTOT"),
    )  # fmt: skip
    return write_csv(target / POPULATIONS_FILE, frame.select(POPULATION_COLUMNS), newline="\r\n")


def pvd_towns(territory: Territory, zoning: Zoning, seed: int) -> pl.DataFrame:
    """Return the demonstration PVD of the whole country: ``position, code, name, pvd_id, signature``.

    1,645 towns under 20,000 inhabitants, centres of a living area first, at least one in every department that
    has a candidate, in proportion to the candidates of each department.
    """
    low, high = _PVD_RANGE
    size = territory.population
    centre = np.zeros(size.size, dtype=bool)
    centre[zoning.basin_centres] = True
    table = territory.communes.with_row_index("position").with_columns(
        score=pl.Series(size * territory.centrality * np.where(centre, 3.0, 1.0)),
        centre=pl.Series(centre), size=pl.Series(size),
    ).filter(pl.col("size").is_between(low, high, closed="left"))  # fmt: skip
    quotas = _quotas(table)
    rank = pl.col("score").rank("ordinal", descending=True).over("departement")
    chosen = (
        table.sort("code").with_columns(rank=rank).join(quotas, on="departement")
        .filter(pl.col("rank") <= pl.col("quota")).sort("code")
    )  # fmt: skip
    days = stream_of(seed, PVD_FILE).integers(0, _SIGNATURE_DAYS + 1, chosen.height)
    number = pl.int_range(pl.len()).over("departement") + 1
    return (
        chosen.with_columns(
            pvd_id=pl.format("pvd-{}-{}-{}", "region", "departement", number),
            days=pl.Series(days),
        )
        .with_columns(
            signature=pl.lit(_FIRST_SIGNATURE) + pl.duration(days="days"),
        )
        .select("position", "code", "name", "pvd_id", "signature")
    )


def _quotas(candidates: pl.DataFrame) -> pl.DataFrame:
    """Return the number of towns by department: largest remainders of the living-area centres, one at least."""
    by = candidates.group_by("departement").agg(
        available=pl.len(), weight=pl.col("centre").sum() + 0.15 * pl.len()
    ).sort("departement")  # fmt: skip
    available, weight = by["available"].to_numpy(), by["weight"].to_numpy()
    total = min(PVD_TOWNS, int(available.sum()))
    quota = np.minimum(np.maximum(1, np.floor(weight / weight.sum() * total)), available).astype(np.int64)
    while quota.sum() < total:
        deficit = np.where(quota < available, weight / weight.sum() * total - quota, -np.inf)
        quota[int(np.argmax(deficit))] += 1
    while quota.sum() > total:
        surplus = np.where(quota > 1, quota - weight / weight.sum() * total, -np.inf)
        quota[int(np.argmax(surplus))] -= 1
    return by.select("departement").with_columns(quota=pl.Series(quota))


def write_pvd(target: Path, territory: Territory, zoning: Zoning, seed: int) -> Path:
    """Write the PVD list in its four official columns (separator ``,``, every cell quoted)."""
    kept = pl.Series(territory.selected).implode()
    towns = pvd_towns(territory, zoning, seed).filter(pl.col("position").cast(pl.Int64).is_in(kept))
    frame = towns.select(
        pl.col("code").alias("insee_com"), pl.col("name").alias("lib_com"), pl.col("pvd_id").alias("id_pvd"),
        pl.col("signature").cast(pl.String).alias("date_signature"),
    )  # fmt: skip
    return write_csv(target / PVD_FILE, frame.select(PVD_COLUMNS), separator=",", quote="always")


def write_filosofi(target: Path, census: pl.DataFrame, iris: pl.DataFrame, seed: int) -> Path:
    """Write Filosofi 2021 by commune: 28 columns, decimal commas, ``s`` under the thresholds of secrecy.

    Incomes are drawn for the whole country around its median and poverty rate, so that a department alone keeps its
    level; households and persons come from the census.
    Municipal districts of Paris, Lyon and Marseille have their own row besides the city, as in the real file.
    """
    districts = (
        iris.filter(city_of(pl.col("code")) != pl.col("code"))
        .group_by("code")
        .agg(pl.col("population", "main_residences", "age_0_19", "age_65_plus").sum())
        .with_columns(departement=departement_expr(pl.col("code")))
        .join(census.select("departement", "kept").unique(), on="departement")
    )
    columns = ["code", "departement", "population", "main_residences", "age_0_19", "age_65_plus", "kept"]
    base = pl.concat([census.select(columns), districts.select(columns)], how="vertical_relaxed").sort("code")
    persons = np.round(base["population"].to_numpy() * 0.965)
    households = np.round(base["main_residences"].to_numpy() * 0.975)
    values = _incomes(base, persons, seed)
    noise = np.exp(0.25 * stream_of(seed, f"{FILOSOFI_FILE} secret").standard_normal(base.height))
    secret = (households < _MIN_HOUSEHOLDS) | (persons < _MIN_PERSONS)
    detail = secret | ((households < _DISTRIBUTION_HOUSEHOLDS) & (persons < _DISTRIBUTION_PERSONS))
    frame = {"CODGEO": base["code"]}
    for name in FILOSOFI_COLUMNS[1:]:
        if name in {"NBMENFISC21", "NBPERSMENFISC21", "MED21"}:
            hidden = secret
        elif name in _POVERTY_HOUSEHOLDS:
            hidden = detail | (households * noise < _POVERTY_HOUSEHOLDS[name])
        else:
            hidden = detail
        series = {"NBMENFISC21": households, "NBPERSMENFISC21": persons}.get(name)
        frame[name] = _cells(name, values[name] if series is None else series, hidden)
    return write_csv(target / FILOSOFI_FILE, pl.DataFrame(frame).filter(base["kept"]).select(FILOSOFI_COLUMNS))


def _cells(name: str, values: Floats, hidden: np.ndarray) -> pl.Series:
    """Return the text of a column: euros and numbers whole, rates with one decimal and a comma."""
    if name in {"NBMENFISC21", "NBPERSMENFISC21", "MED21", "D121", "D921"}:
        text = pl.Series(values).cast(pl.Int64).cast(pl.String)
    else:
        tenths = pl.Series(np.round(values * 10)).cast(pl.Int64)
        sign = pl.select(pl.when(tenths < 0).then(pl.lit("-")).otherwise(pl.lit(""))).to_series()
        text = sign + (tenths.abs() // 10).cast(pl.String) + "," + (tenths.abs() % 10).cast(pl.String)
    return pl.select(pl.when(pl.Series(hidden)).then(pl.lit("s")).otherwise(text)).to_series()


def _incomes(base: pl.DataFrame, persons: Floats, seed: int) -> dict[str, Floats]:
    """Draw the income variables of each commune, all coherent with one another.

    The parts of disposable income add up to 100: activity + pensions + property + social benefits + taxes.
    """
    rng = stream_of(seed, FILOSOFI_FILE)
    size = base.height
    local = rng.standard_normal(size)
    shocks = dict(zip(DEPARTEMENTS, rng.standard_normal(len(DEPARTEMENTS)) * 0.035, strict=True))
    departement = base["departement"]
    tilt = departement.replace_strict(shocks, return_dtype=pl.Float64).to_numpy()
    tilt = tilt + np.where(departement.is_in(["75", "77", "78", "91", "92", "94", "95"]), 0.10, 0.0)
    tilt = tilt - np.where(departement.str.len_chars() == 3, 0.27, 0.0)
    old = base["age_65_plus"].to_numpy() / np.maximum(base["population"].to_numpy(), 1)
    young = base["age_0_19"].to_numpy() / np.maximum(base["population"].to_numpy(), 1)
    level = tilt + 0.085 * local - 0.35 * (old - 0.22)
    median = np.exp(level)
    median *= _MEDIAN / np.average(median, weights=persons + 1e-9)
    town = np.log10(np.maximum(persons, 50.0)) - 3.0
    poverty = np.exp(-2.6 * (np.log(median / _MEDIAN)) + 0.32 * town + 0.18 * rng.standard_normal(size))
    for _ in range(6):  # clipping moves the mean a little: set it again
        poverty = np.clip(poverty * _POVERTY / np.average(poverty, weights=persons + 1e-9), 4.0, 60.0)
    # Real means of 2021: D1 0.60 of the median, D9/D1 3.0 where one person in seven is poor.
    ratio = 2.3 + 0.045 * poverty + 0.1 * rng.standard_normal(size).clip(-2, 2)
    first = np.round(median * np.maximum(0.70 - 0.007 * poverty, 0.33), -1)
    ninth = np.round(first * ratio, -1)
    age = {f"TP60AGE{number}21": factor for number, factor in enumerate((1.45, 1.20, 1.15, 1.05, 0.75, 0.55), 1)}
    rates = {name: np.clip(np.round(poverty * factor * (1 + 0.08 * rng.standard_normal(size))), 2, 75)
             for name, factor in age.items()}  # fmt: skip
    unemployed = np.round(1.6 + 0.085 * poverty, 1)
    own = np.round(3.5 + rng.gamma(2.0, 1.0, size), 1)
    family, minimum, housing = (np.round(base_rate + slope * poverty, 1)
                                for base_rate, slope in ((1.3, 0.035), (0.4, 0.14), (0.1, 0.085)))  # fmt: skip
    social = np.round(family + minimum + housing, 1)
    pensions = np.round(np.clip(12 + 75 * old - 10 * (young - 0.23), 6, 55), 1)
    property_ = np.round(np.clip(9.0 * (median / _MEDIAN) ** 1.6 + rng.standard_normal(size), 2, 40), 1)
    taxes = -np.round(np.clip(15.5 * (median / _MEDIAN) ** 1.3, 6, 38), 1)
    activity = np.round(100 - pensions - property_ - social - taxes, 1)
    return {
        "MED21": np.round(median, -1), "PIMP21": np.round(np.clip(52 * (median / _MEDIAN) ** 1.2, 15, 85)),
        "TP6021": np.round(poverty), **rates,
        "TP60TOL121": np.clip(np.round(poverty * 0.35), 1, 40), "TP60TOL221": np.clip(np.round(poverty * 1.7), 3, 80),
        "PACT21": activity, "PTSA21": np.round(activity - unemployed - own, 1), "PCHO21": unemployed, "PBEN21": own,
        "PPEN21": pensions, "PPAT21": property_, "PPSOC21": social, "PPFAM21": family, "PPMINI21": minimum,
        "PPLOGT21": housing, "PIMPOT21": taxes, "D121": first, "D921": ninth, "RD21": np.round(ninth / first, 1),
    }  # fmt: skip
