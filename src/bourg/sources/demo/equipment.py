"""BPE (Insee): the located file of 2023 and the aggregated file of 2019, in their official layouts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
from pyproj import Transformer

from bourg.sources.demo.counts import Floats, Ints, hurdle_counts, scaled_targets
from bourg.sources.demo.nomenclature import FacilityType, facility_types
from bourg.sources.demo.territory import Territory
from bourg.sources.demo.writing import Progress, append_csv, atomic_file, stream_of
from bourg.sources.demo.zoning import Zoning

BPE23_FILE = "BPE23.csv"
BPE19_FILE = "bpe19_ensemble.csv"

# Dictionary of the variables of the detail file (Insee, BPE 2023).
BPE23_COLUMNS = (
    "AN", "NOMRS", "CNOMRS", "NUMVOIE", "INDREP", "TYPVOIE", "LIBVOIE", "CADR", "CODPOS", "DEPCOM", "DEP", "REG",
    "DOM", "SDOM", "TYPEQU", "SIRET", "STATUT_DIFFUSION", "CANTINE", "INTERNAT", "RPI", "EP", "CL_PGE", "SECT",
    "ACCES_AIRE_PRATIQUE", "ACCES_LIBRE", "ACCES_SANITAIRE", "ACCES_VESTIAIRE", "CAPACITE_D_ACCUEIL",
    "PRES_DOUCHE", "PRES_SANITAIRE", "SAISONNIER", "COUVERT", "ECLAIRE", "CATEGORIE", "MULTIPLEXE", "ACCUEIL",
    "ITINERANCE", "MODE_GESTION", "SSTYPHEB", "TYPE", "CAPACITE", "INDIC_CAPA", "NBEQUIDENT", "INDIC_NBEQUIDENT",
    "NBSALLES", "INDIC_NBSALLES", "NBLIEUX", "INDIC_NBLIEUX", "LAMBERT_X", "LAMBERT_Y", "LONGITUDE", "LATITUDE",
    "QUALITE_XY", "EPSG", "QUALITE_GEOLOC", "TR_DIST_PRECISION", "DCIRIS", "QUALI_IRIS", "IRISEE", "QP2015",
    "QUALI_QP2015", "QVA", "QUALI_QVA", "ZUS", "QUALI_ZUS", "EPCI", "UU2020", "BV2022", "AAV2020", "DENS3", "DENS7",
)  # fmt: skip
BPE19_COLUMNS = ("REG", "DEP", "DEPCOM", "DCIRIS", "AN", "TYPEQU", "NB_EQUIP")

# QUALITE_XY, QUALITE_GEOLOC, TR_DIST_PRECISION and their share; the last one has no coordinates.
_QUALITY = (
    ("B", "11", "< 100", 0.78), ("A", "12", "[100 - 500[", 0.12), ("A", "22", "[100 - 500[", 0.04),
    ("M", "33", ">= 500", 0.05), ("_Z", "_Z", "_Z", 0.01),
)  # fmt: skip
# Projection of LAMBERT_X, LAMBERT_Y by department (others: Lambert 93).
_EPSG = {"971": 5490, "972": 5490, "973": 2972, "974": 2975, "976": 4471}
_LAMBERT_93 = 2154
# Types that follow visitors rather than inhabitants.
_TOURISM = frozenset({"F105", "F118", "F201", "F202", "F203", "F204", "G102", "G103", "G105"})
# Presence grows faster than population, the number of facilities a little slower (fitted on the 2019 file by
# size class): weight = population^1.25, shared beyond the first facility by weight^0.83. Vocation: standard
# deviation of the logarithm of a commune's own attraction.
_PRESENCE, _SPREAD, _VOCATION = 1.25, 0.83, 0.55
_BLOCK = 250_000


def facility_counts(
    territory: Territory, seed: int, year: int, *, factor: float = 1.0
) -> tuple[tuple[FacilityType, ...], Ints]:
    """Return the types of a vintage and the counts, shape (communes asked for, types).

    The random stream belongs to the type, not to the vintage, so that a commune evolves little between two years.
    """
    types = tuple(kind for kind in facility_types() if year in kind.totals)
    counts = np.zeros((territory.selected.size, len(types)), dtype=np.int32)
    # What makes a commune more of a service town than its size, whatever the type.
    vocation = np.exp(_VOCATION * stream_of(seed, "BPE").standard_normal(territory.population.size))
    people = territory.weight(_PRESENCE) * vocation
    visitors = territory.weight(0.35) * (territory.second_homes + 5.0) ** 0.8
    for column, kind in enumerate(types):
        total, present = kind.totals[year]
        rng = stream_of(seed, f"TYPEQU {kind.code}")
        if total == present and present >= 0.99 * people.size:
            counts[:, column] = 1  # a town hall each
            continue
        national = visitors if kind.code in _TOURISM else people
        part = national[territory.selected]
        targets = scaled_targets(total, present, national, part, factor=factor)
        counts[:, column] = hurdle_counts(rng, part, *targets, spread=_SPREAD)
    return types, counts.astype(np.int64)


def _blocks(counts: Ints) -> Iterator[tuple[Ints, Ints]]:
    """Yield (row, column) of every facility, by blocks of whole communes of about 250,000 facilities."""
    sizes = counts.sum(axis=1)
    cuts = np.searchsorted(np.cumsum(sizes), np.arange(_BLOCK, int(sizes.sum()) + _BLOCK, _BLOCK))
    start = 0
    for cut in cuts:
        stop = min(int(cut) + 1, sizes.size)
        if stop <= start:
            continue
        rows, columns = np.nonzero(counts[start:stop])
        repeats = counts[start:stop][rows, columns]
        yield np.repeat(rows + start, repeats), np.repeat(columns, repeats)
        start = stop


def write_bpe23(
    target: Path, territory: Territory, zoning: Zoning, seed: int, *, factor: float, dirty: bool, progress: Progress
) -> Path:
    """Write one row per facility with its coordinates (separator ``;``), block after block.

    Names, addresses and SIRET are empty; ``_Z`` marks the facilities without coordinates (1 %), only if ``dirty``.
    """
    types, counts = facility_counts(territory, seed, 2023, factor=factor)
    rng = stream_of(seed, BPE23_FILE)
    head, tail, epsg = _unit_pieces(territory, zoning)
    empty = ";" * (BPE23_COLUMNS.index("LAMBERT_X") - BPE23_COLUMNS.index("TYPEQU") - 1)
    kinds = pl.Series([f"{kind.domain};{kind.subdomain};{kind.code}{empty}" for kind in types])
    shares = np.array([row[3] for row in _QUALITY]) if dirty else np.array([0.8, 0.12, 0.04, 0.04, 0.0])
    before = pl.Series([row[0] for row in _QUALITY])
    after = pl.Series([f"{row[1]};{row[2]}" for row in _QUALITY])
    transformers = {code: Transformer.from_crs(4326, code, always_xy=True) for code in np.unique(epsg)}
    total, done = int(counts.sum()), 0
    with atomic_file(target / BPE23_FILE) as stream:
        stream.write((";".join(BPE23_COLUMNS) + "\n").encode())
        for rows, columns in _blocks(counts):
            position = territory.selected[rows]
            units = territory.draw_units(rng, position)
            longitude, latitude = territory.locator.draw(rng, position)
            quality = np.searchsorted(np.cumsum(shares), rng.random(rows.size) * shares.sum(), side="right")
            quality = np.minimum(quality, len(_QUALITY) - 1)
            east, north = _project(transformers, epsg[units], longitude, latitude)
            located = pl.Series(quality != len(_QUALITY) - 1)
            frame = pl.DataFrame({
                "head": head.gather(units), "kind": kinds.gather(columns), "x": east, "y": north,
                "longitude": longitude, "latitude": latitude, "before": before.gather(quality),
                "epsg": epsg[units], "after": after.gather(quality), "tail": tail.gather(units),
            })  # fmt: skip
            if dirty:
                where = pl.when(located).then(pl.col("x", "y", "longitude", "latitude"))
                frame = frame.with_columns(where)
            append_csv(stream, frame, quote="never")
            done += rows.size
            progress(BPE23_FILE, done / total)
    return target / BPE23_FILE


def _project(
    transformers: dict[int, Transformer], epsg: Ints, longitude: Floats, latitude: Floats
) -> tuple[Floats, Floats]:
    """Return the legal projection of each territory, metres rounded to 0.1."""
    east, north = np.empty(longitude.size), np.empty(longitude.size)
    for code in np.unique(epsg):
        chosen = epsg == code
        x, y = transformers[int(code)].transform(longitude[chosen], latitude[chosen])
        east[chosen], north[chosen] = x, y
    return np.round(east, 1), np.round(north, 1)


def _unit_pieces(territory: Territory, zoning: Zoning) -> tuple[pl.Series, pl.Series, Ints]:
    """Return the text of the columns that depend on the place alone, and its EPSG code, for every unit.

    Cells are joined beforehand: a row of 71 columns is then written as ten pieces.
    """
    towns = territory.communes.select("departement", "region", "postal", "epci").with_columns(
        bv=zoning.bassin_vie, aav=zoning.aire_attraction, uu=zoning.unite_urbaine
    )
    table = pl.concat([territory.units, towns[territory.units["commune"]]], how="horizontal")
    iris = pl.when(pl.col("iris").is_null()).then("depcom").otherwise(
        pl.format("{}_{}", "depcom", pl.col("iris").str.slice(5))
    )  # fmt: skip
    known = pl.col("iris").is_not_null()
    pieces = table.select(
        head=pl.format("2023;;;;;;;;{};{};{};{}", pl.col("postal").fill_null(""), "depcom", "departement", "region"),
        tail=pl.format(
            "{};{};{};;;;;;;{};{};{};{};;", iris, pl.when(known).then(pl.lit("1")).otherwise(pl.lit("X")),
            pl.when(known).then(pl.lit("1")).otherwise(pl.lit("0")), pl.col("epci").fill_null("ZZZZZZZZZ"),
            "uu", "bv", "aav",
        ),
        epsg=pl.col("departement").replace_strict(_EPSG, default=_LAMBERT_93, return_dtype=pl.Int64),
    )  # fmt: skip
    return pieces["head"], pieces["tail"], pieces["epsg"].to_numpy()


def write_bpe19(target: Path, territory: Territory, seed: int, *, factor: float) -> Path:
    """Write the number of facilities by commune or IRIS and type (separator ``;``), sorted by IRIS and type."""
    types, counts = facility_counts(territory, seed, 2019, factor=factor)
    rng = stream_of(seed, BPE19_FILE)
    units = territory.units.with_columns(
        territory.communes.select("departement", "region")[territory.units["commune"]]
    ).with_columns(
        dciris=pl.when(pl.col("iris").is_null()).then("depcom").otherwise(
            pl.format("{}_{}", "depcom", pl.col("iris").str.slice(5))
        )
    )  # fmt: skip
    codes = pl.Series([kind.code for kind in types])
    with atomic_file(target / BPE19_FILE) as stream:
        stream.write((";".join(BPE19_COLUMNS) + "\n").encode())
        for rows, columns in _blocks(counts):
            keys = territory.draw_units(rng, territory.selected[rows]) * len(types) + columns
            unique, number = np.unique(keys, return_counts=True)
            place = units[unique // len(types)]
            frame = pl.DataFrame({
                "REG": place["region"], "DEP": place["departement"], "DEPCOM": place["depcom"],
                "DCIRIS": place["dciris"], "AN": np.full(unique.size, 2019),
                "TYPEQU": codes.gather(unique % len(types)), "NB_EQUIP": number,
            })  # fmt: skip
            append_csv(stream, frame, quote="never")
    return target / BPE19_FILE
