"""Sirene (Insee): the shops of the Petites Villes de Demain in the layout of StockEtablissement and of its history.

Open shops follow the counts of the generated BPE; closed ones, signs and dates are drawn. No name is that of a person,
and SIRET numbers are of a range that the register does not use.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
from pyproj import Transformer

from bourg.commerce.chains import brands
from bourg.commerce.typology import typology
from bourg.sources.demo.counts import Floats, Ints
from bourg.sources.demo.equipment import facility_counts
from bourg.sources.demo.people import pvd_towns
from bourg.sources.demo.territory import Territory
from bourg.sources.demo.writing import stream_of, write_csv
from bourg.sources.demo.zoning import Zoning

Bools = npt.NDArray[np.bool_]
SIRENE_FILE = "StockEtablissement_extrait_pvd.csv"
HISTORY_FILE = "StockEtablissementHistorique_extrait_pvd.csv"
# File drawing 3.11 of StockEtablissement (Insee, 2024).
COLUMNS = (
    "siren", "nic", "siret", "statutDiffusionEtablissement", "dateCreationEtablissement",
    "trancheEffectifsEtablissement", "anneeEffectifsEtablissement", "activitePrincipaleRegistreMetiersEtablissement",
    "dateDernierTraitementEtablissement", "etablissementSiege", "nombrePeriodesEtablissement",
    "complementAdresseEtablissement", "numeroVoieEtablissement", "indiceRepetitionEtablissement",
    "dernierNumeroVoieEtablissement", "indiceRepetitionDernierNumeroVoieEtablissement", "typeVoieEtablissement",
    "libelleVoieEtablissement", "codePostalEtablissement", "libelleCommuneEtablissement",
    "libelleCommuneEtrangerEtablissement", "distributionSpecialeEtablissement", "codeCommuneEtablissement",
    "codeCedexEtablissement", "libelleCedexEtablissement", "codePaysEtrangerEtablissement",
    "libellePaysEtrangerEtablissement", "identifiantAdresseEtablissement",
    "coordonneeLambertAbscisseEtablissement", "coordonneeLambertOrdonneeEtablissement",
    "complementAdresse2Etablissement", "numeroVoie2Etablissement", "indiceRepetition2Etablissement",
    "typeVoie2Etablissement", "libelleVoie2Etablissement", "codePostal2Etablissement", "libelleCommune2Etablissement",
    "libelleCommuneEtranger2Etablissement", "distributionSpeciale2Etablissement", "codeCommune2Etablissement",
    "codeCedex2Etablissement", "libelleCedex2Etablissement", "codePaysEtranger2Etablissement",
    "libellePaysEtranger2Etablissement", "dateDebut", "etatAdministratifEtablissement", "enseigne1Etablissement",
    "enseigne2Etablissement", "enseigne3Etablissement", "denominationUsuelleEtablissement",
    "activitePrincipaleEtablissement", "nomenclatureActivitePrincipaleEtablissement",
    "caractereEmployeurEtablissement", "activitePrincipaleNAF25Etablissement",
)  # fmt: skip
HISTORY_COLUMNS = (
    "siren", "nic", "siret", "dateFin", "dateDebut", "etatAdministratifEtablissement",
    "changementEtatAdministratifEtablissement", "enseigne1Etablissement", "enseigne2Etablissement",
    "enseigne3Etablissement", "changementEnseigneEtablissement", "denominationUsuelleEtablissement",
    "changementDenominationUsuelleEtablissement", "activitePrincipaleEtablissement",
    "nomenclatureActivitePrincipaleEtablissement", "changementActivitePrincipaleEtablissement",
    "caractereEmployeurEtablissement", "changementCaractereEmployeurEtablissement",
)  # fmt: skip
_YEAR = 2023
_DAY = np.datetime64("2024-12-31")
_CONSTANT = {
    "dateDernierTraitementEtablissement": f"{_DAY}T08:00:00", "etablissementSiege": "true",
    "nombrePeriodesEtablissement": "1", "nomenclatureActivitePrincipaleEtablissement": "NAFRev2",
}  # fmt: skip
_CONSTANT_HISTORY = {
    "nomenclatureActivitePrincipaleEtablissement": "NAFRev2",
    **{name: "false" for name in HISTORY_COLUMNS if name.startswith("changement")},
}  # fmt: skip
# The three numbers begin every line of both files: they are written as one piece.
_KEYS = ",".join(COLUMNS[:3])
_READ_AGAIN = [
    "dateCreationEtablissement", "dateDebut", "etatAdministratifEtablissement",
    "activitePrincipaleEtablissement",
]  # fmt: skip
# Closed establishments for one open: Sirene keeps them for ever.
_CLOSED = 0.9
# Mean life of a shop, days; half of them are closed within five to six years.
_LIFE = 2_900
# Types the BPE counts with another one, and the share of it that they are.
_SPLIT = {"restaurant": (("restaurant", 0.56), ("fast_food", 0.27), ("cafe", 0.17))}
_CHAIN = {"supermarkets": 0.93, "services": 0.55, "automobile": 0.2, "clothing": 0.3, "home": 0.25, "health": 0.25}
_CHAIN_DEFAULT = 0.06
_OWN = ("L'Atelier {}", "Au Coin {}", "Le Comptoir {}", "La Maison {}", "Chez {}", "Les Halles {}", "Côté {}")
_PLACES = ("du Pont", "des Halles", "de la Source", "du Lavoir", "des Tilleuls", "de l'Horloge", "du Vieux Bourg")
_STREETS = ("DE LA REPUBLIQUE", "DU MARCHE", "DE LA MAIRIE", "DE L EGLISE", "DU FAUBOURG", "DES HALLES", "DE LA GARE")
_EPSG = {"971": 5490, "972": 5490, "973": 2972, "974": 2975, "976": 4471}


def write_sirene(target: Path, territory: Territory, zoning: Zoning, seed: int, *, factor: float) -> Path:
    """Write the stock of the shops of the PVD asked for (separator ``,``); other towns are not in the extract.

    Parameters
    ----------
    factor
        Share of the facilities kept, as in the BPE of the same set.
    """
    rng = stream_of(seed, SIRENE_FILE)
    position, kinds = _open_shops(territory, pvd_towns(territory, zoning, seed)["code"], seed, factor)
    gone = rng.random(position.size) < _CLOSED
    position, kinds = np.concatenate([position, position[gone]]), np.concatenate([kinds, kinds[gone]])
    is_open = np.arange(position.size) < gone.size
    table = _rows(territory, position, kinds, is_open, rng)
    return _write(target / SIRENE_FILE, table, COLUMNS, _CONSTANT)


def write_history(target: Path, seed: int) -> Path:
    """Write the periods of the shops of the stock already written in the same folder."""
    stock = pl.read_csv(target / SIRENE_FILE, infer_schema=False, columns=_READ_AGAIN)
    table = _periods(stock, stream_of(seed, HISTORY_FILE))
    return _write(target / HISTORY_FILE, table, HISTORY_COLUMNS, _CONSTANT_HISTORY)


def _write(final: Path, table: pl.DataFrame, columns: tuple[str, ...], constant: Mapping[str, str]) -> Path:
    """Write the columns of the official layout; those the generator leaves out are empty.

    Neighbouring columns of one value are written as one piece: most of the fifty-four are empty.
    """
    pieces: list[pl.Expr] = []
    for varies, group in itertools.groupby((_KEYS, *columns[3:]), key=lambda name: name in table.columns):
        names = list(group)
        if varies:
            pieces += [pl.col(name) for name in names]
        else:
            pieces.append(pl.lit(",".join(constant.get(name, "") for name in names)).alias(",".join(names)))
    return write_csv(final, table.select(pieces), separator=",", quote="never")


def _cell(texts: pl.Series) -> pl.Series:
    """Return texts as they are written in a CSV cell."""
    odd = texts.str.contains('[",]')
    return (
        texts.to_frame("t")
        .select(
            pl.when(odd).then(pl.format('"{}"', pl.col("t").str.replace_all('"', '""', literal=True))).otherwise("t")
        )
        .to_series()
    )


def _numbers(size: int) -> pl.Series:
    """Return SIREN, NIC and SIRET of each shop as they are written."""
    rank = pl.int_range(size).cast(pl.String).str.zfill(7)
    return pl.select(pl.format("99{},00011,99{}00011", rank, rank)).to_series()


def _days(dates: pl.Series) -> pl.Series:
    """Return dates as texts; each day is written once, shops have a few thousand."""
    days = dates.cast(pl.Int32)
    if days.null_count() == days.len():
        return days.cast(pl.String)
    first, last = int(days.min()), int(days.max())  # type: ignore[arg-type]
    texts = pl.Series(np.arange(first, last + 1), dtype=pl.Int32).cast(pl.Date).cast(pl.String)
    return texts.gather(days - first)


def _open_shops(territory: Territory, towns: pl.Series, seed: int, factor: float) -> tuple[Ints, Ints]:
    """Return the commune and the type (rank in the typology) of every open shop, from the counts of the BPE."""
    rng = stream_of(seed, f"{SIRENE_FILE} types")
    types, counts = facility_counts(territory, seed, _YEAR, factor=factor)
    ranks = {kind: rank for rank, kind in enumerate(typology().types)}
    known = typology().by("bpe")
    chosen = territory.communes["code"][territory.selected].is_in(towns.implode()).to_numpy()
    columns = [column for column, kind in enumerate(types) if kind.code in known]
    part = counts[chosen][:, columns]
    rows, places = np.nonzero(part)
    repeats = part[rows, places]
    kinds = np.array([ranks[known[types[column].code]] for column in columns])[np.repeat(places, repeats)]
    for whole, parts in _SPLIT.items():
        members = np.flatnonzero(kinds == ranks[whole])
        shares = np.array([share for _, share in parts])
        kinds[members] = rng.choice([ranks[name] for name, _ in parts], members.size, p=shares)
    return territory.selected[chosen][np.repeat(rows, repeats)], kinds


def _names(kinds: Ints, rng: np.random.Generator) -> pl.Series:
    """Return signs: a brand of the type, a name of the shop's own, its trade, or nothing."""
    found = typology()
    order = list(found.types)
    by_type = {kind: [brand.name for brand in brands() if kind in brand.types] for kind in order}
    draw, pick = rng.random(kinds.size), rng.random(kinds.size)
    own = [form.format(place) for form in _OWN for place in _PLACES]
    words: list[str] = [""]
    chosen = np.zeros(kinds.size, dtype=np.int64)
    for rank in np.unique(kinds):
        kind = found.types[order[rank]]
        members = np.flatnonzero(kinds == rank)
        share = _CHAIN.get(kind.group, _CHAIN_DEFAULT) if by_type[kind.id] else 0.0
        limits = share + (1 - share) * np.array([0.45, 0.6])
        where = np.searchsorted([share, *limits], draw[members], side="right")
        trade = kind.label.split(",")[0].upper()
        for case, values in ((0, by_type[kind.id]), (1, own), (2, [trade])):
            rows = members[where == case]
            if rows.size:
                chosen[rows] = len(words) + (pick[rows] * len(values)).astype(int)
                words += values
    return _cell(pl.Series(words).str.to_uppercase()).gather(chosen)


def _project(territory: Territory, position: Ints, longitude: Floats, latitude: Floats) -> tuple[Floats, Floats]:
    codes = territory.communes["departement"].replace_strict(_EPSG, default=2154, return_dtype=pl.Int64)
    epsg = codes.to_numpy()[position]
    x, y = np.empty(position.size), np.empty(position.size)
    for code in np.unique(epsg):
        rows = epsg == code
        transformer = Transformer.from_crs(4326, int(code), always_xy=True)
        x[rows], y[rows] = transformer.transform(longitude[rows], latitude[rows])
    return x.round(2), y.round(2)


def _rows(territory: Territory, position: Ints, kinds: Ints, is_open: Bools, rng: np.random.Generator) -> pl.DataFrame:
    size = position.size
    longitude, latitude = territory.locator.draw_shops(rng, position)
    x, y = _project(territory, position, longitude, latitude)
    life = rng.exponential(_LIFE, size).astype(int) + 30
    ended = np.where(is_open, 0, rng.integers(1, 16 * 365, size))
    closed = _DAY - ended.astype("timedelta64[D]")
    created = closed - life.astype("timedelta64[D]")
    # Three closed shops in five were followed by one that is open now, at the same address.
    number, street = rng.integers(1, 90, size), rng.integers(0, len(_STREETS), size)
    gone = np.flatnonzero(~is_open)
    heirs = gone[rng.random(gone.size) < 0.6]
    by_town = np.argsort(position[: size - gone.size], kind="stable")
    first = np.searchsorted(position[by_town], position[heirs])
    count = np.searchsorted(position[by_town], position[heirs], side="right") - first
    successor = by_town[first + (rng.random(heirs.size) * count).astype(int)]
    number[heirs], street[heirs] = number[successor], street[successor]
    follows = rng.random(heirs.size) < 0.7
    created[successor[follows]] = closed[heirs[follows]] + rng.integers(10, 600, int(follows.sum())).astype(
        "timedelta64[D]"
    )
    created = np.minimum(created, _DAY - np.timedelta64(5, "D"))
    partial = pl.Series(rng.random(size) < 0.12)
    kind = pl.Series([typology().types[key].naf[0] for key in typology().types])
    town = territory.communes.select("code", "postal", name=_cell(territory.communes["name"].str.to_uppercase()))[
        position
    ]
    start = np.where(is_open, created, closed)
    hidden = pl.when("partial").then(pl.lit("[ND]"))
    frame = pl.DataFrame({
        _KEYS: _numbers(size), "partial": partial,
        "dateCreationEtablissement": _days(pl.Series(created.astype("datetime64[D]"))),
        "dateDebut": _days(pl.Series(start.astype("datetime64[D]"))),
        "etatAdministratifEtablissement": np.where(is_open, "A", "F"),
        "trancheEffectifsEtablissement": rng.choice(["NN", "00", "01", "02"], size, p=[0.5, 0.1, 0.25, 0.15]),
        "numeroVoieEtablissement": pl.Series(number).cast(pl.String),
        "libelleVoieEtablissement": pl.Series(_STREETS).gather(street),
        "codePostalEtablissement": town["postal"], "libelleCommuneEtablissement": town["name"],
        "codeCommuneEtablissement": town["code"],
        "coordonneeLambertAbscisseEtablissement": pl.Series(x).cast(pl.String),
        "coordonneeLambertOrdonneeEtablissement": pl.Series(y).cast(pl.String),
        "enseigne1Etablissement": _names(kinds, rng),
        "activitePrincipaleEtablissement": kind.gather(kinds),
        "caractereEmployeurEtablissement": np.where(rng.random(size) < 0.4, "O", "N"),
    })  # fmt: skip
    masked = (
        "numeroVoieEtablissement", "libelleVoieEtablissement", "coordonneeLambertAbscisseEtablissement",
        "coordonneeLambertOrdonneeEtablissement", "enseigne1Etablissement",
    )  # fmt: skip
    return frame.with_columns(
        *(hidden.otherwise(name).alias(name) for name in masked),
        statutDiffusionEtablissement=pl.when("partial").then(pl.lit("P")).otherwise(pl.lit("O")),
        typeVoieEtablissement=hidden.otherwise(pl.lit("RUE")),
    ).drop("partial")


def _periods(table: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """Return one period of each shop that never closed, two of the others, three when a trade changed."""
    base = table.select(
        created="dateCreationEtablissement", start="dateDebut",
        state="etatAdministratifEtablissement", naf="activitePrincipaleEtablissement",
    ).with_columns(pl.col("created", "start").str.to_date("%Y-%m-%d"))  # fmt: skip
    others = pl.Series([kind.naf[0] for kind in typology().types.values()])
    base = base.with_columns(
        other=others.gather(rng.integers(0, others.len(), base.height)),
        changed=pl.Series(rng.random(base.height) < 0.05),
        life=(pl.when(pl.col("state") == "F").then("start").otherwise(pl.lit(_DAY).cast(pl.Date)) - pl.col("created"))
        .dt.total_days(),
    )  # fmt: skip
    base = base.with_columns(changed=pl.col("changed") & (pl.col("life") > 60))
    day = pl.duration(days=1)
    middle = pl.col("created") + pl.duration(days=pl.col("life") // 2)
    end = pl.when(pl.col("state") == "F").then(pl.col("start") - day)
    first_end = pl.when("changed").then(middle - day).otherwise(end)
    base = base.with_row_index("rank")
    parts = [
        base.select(
            "rank", s="created", e=first_end, st=pl.lit("A"), n=pl.when("changed").then("other").otherwise("naf")
        ),
        base.filter("changed").select("rank", s=middle, e=end, st=pl.lit("A"), n="naf"),
        base.filter(pl.col("state") == "F").select(
            "rank", s="start", e=pl.lit(None, dtype=pl.Date), st=pl.lit("F"), n="naf"
        ),
    ]
    # The stock is in the order of SIRET: its rank sorts faster than the text.
    table = pl.concat(parts).sort("rank", "s", descending=[False, True])
    return table.select(
        _numbers(base.height).gather(table["rank"]).alias(_KEYS),
        _days(table["e"]).alias("dateFin"),
        _days(table["s"]).alias("dateDebut"),
        etatAdministratifEtablissement="st",
        activitePrincipaleEtablissement="n",
    )
