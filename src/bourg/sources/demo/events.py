"""Festivals (Ministère de la Culture), cinemas (CNC) and musées de France, in their official layouts."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import polars as pl

from bourg.sources.demo.counts import hurdle_counts, scaled_targets
from bourg.sources.demo.territory import Territory, district_names
from bourg.sources.demo.writing import append_csv, atomic_file, stream_of, write_csv

FESTIVALS_FILE = "festivals-global-festivals-pl.csv"
CINEMAS_FILE = "cinemas_etablissements_annual_data.csv"
MUSEUMS_FILE = "liste-et-localisation-des-musees-de-france.json"

FESTIVAL_COLUMNS = (
    "Nom du festival", "Envergure territoriale", "Région principale de déroulement",
    "Département principal de déroulement", "Commune principale de déroulement", "Code postal",
    "Code Insee commune", "Code Insee EPCI", "Libellé EPCI", "Numéro de voie", "Type de voie", "Nom de la voie",
    "Adresse postale", "Complément d'adresse", "Site internet du festival", "Adresse e-mail",
    "Décennie de création du festival", "Année de création du festival", "Discipline dominante",
    "Sous-catégorie spectacle vivant", "Sous-catégorie musique", "Sous-catégorie Musique CNM",
    "Sous-catégorie cinéma et audiovisuel", "Sous-catégorie arts visuels et arts numériques",
    "Sous-catégorie livre et littérature", "Période principale de déroulement du festival", "Identifiant Agence A",
    "Identifiant", "Géocodage xy", "Identifiant CNM",
)  # fmt: skip
# Discipline, share of the 7,283 festivals of the real list, noun of the generated name.
_DISCIPLINES = (
    ("Musique", 3229, "Festival de musique"), ("Spectacle vivant", 1634, "Festival de spectacle vivant"),
    ("Livre, littérature", 892, "Salon du livre"), ("Cinéma, audiovisuel", 684, "Festival de cinéma"),
    ("Pluridisciplinaire", 462, "Festival pluridisciplinaire"),
    ("Arts visuels, arts numériques", 382, "Festival d'arts visuels"),
)  # fmt: skip
_PERIODS = (
    ("Saison (21 juin - 5 septembre)", 2703), ("Avant-saison (1er janvier - 20 juin)", 2498),
    ("Après-saison (6 septembre - 31 décembre)", 2022), (None, 60),
)  # fmt: skip
FESTIVALS, FESTIVAL_TOWNS = 7_283, 2_960

CINEMA_COLUMNS = (
    "id", "year", "3D", "AE", "ART ET ESSAI", "CODE COMMUNE", "COMMUNE", "DEPCOM", "ECRANS", "ECRANS 3D",
    "FAUTEUILS", "GENRE", "NAutoC", "NOM ETABLISSEMENT", "NomEtab", "N°AUTO",
)  # fmt: skip
# Establishments of each year in the real file, newest year first as there.
CINEMAS_BY_YEAR = {
    2023: 2056, 2022: 2061, 2021: 2028, 2020: 2041, 2019: 2045, 2018: 2040, 2017: 2046, 2016: 2044, 2015: 2033,
    2014: 2020, 2013: 2027, 2012: 2035, 2011: 2034, 2010: 2050, 2009: 2073, 2008: 2071, 2007: 2056, 2006: 2065,
    2005: 2079, 2004: 2100, 2003: 2128,
}  # fmt: skip
_CINEMA_STOCK, _CINEMA_TOWNS = 2_400, 1_850
_GENRES = (("FIXE", 0.940), ("ITINERANT", 0.056), ("PLEIN AIR", 0.002), ("MIXTE", 0.002))
# Real file: seats written as floats in these years.
_FLOAT_SEATS = (2005, 2007, 2010, 2016, 2019)
_ART_LETTERS = (("NON", 0.45), ("E", 0.30), ("C", 0.11), ("D", 0.085), ("A", 0.043), ("B", 0.012))

# As for places: the second festival or cinema is rather in a large town.
_SPREAD = 1.4

MUSEUMS, MUSEUM_TOWNS = 1_253, 890


def _choose(rng: np.random.Generator, options: tuple[tuple[str | None, float], ...], size: int) -> pl.Series:
    shares = np.array([share for _, share in options], dtype=np.float64)
    picks = rng.choice(len(options), size=size, p=shares / shares.sum())
    return pl.Series([value for value, _ in options], dtype=pl.String).gather(picks)


def _positions(territory: Territory, rng: np.random.Generator, total: int, towns: int, *, size: float) -> np.ndarray:
    national = territory.weight(size, 1.2)
    part = national[territory.selected]
    counts = hurdle_counts(rng, part, *scaled_targets(total, towns, national, part), spread=_SPREAD)
    return np.repeat(territory.selected, counts)


def write_festivals(target: Path, territory: Territory, seed: int, *, dirty: bool) -> Path:
    """Write the list of festivals: double BOM, CRLF, separator ``;``, as the real export.

    Dirty values of the real list: INSEE and postal codes without their leading zero, a few rows whose commune is
    ``0`` or ``#N/A``, missing coordinates.
    """
    rng = stream_of(seed, FESTIVALS_FILE)
    position = _positions(territory, rng, FESTIVALS, FESTIVAL_TOWNS, size=0.75)
    rng.shuffle(position)
    size = position.size
    longitude, latitude = territory.locator.draw(rng, position)
    town = territory.communes[position]
    discipline = _choose(rng, tuple((name, count) for name, count, _ in _DISCIPLINES), size)
    nouns = {name: noun for name, _, noun in _DISCIPLINES}
    years = 2023 - np.minimum((rng.gamma(1.6, 9.0, size)).astype(np.int64), 65)
    frame = pl.DataFrame(
        {
            "rank": np.arange(1, size + 1), "noun": discipline.replace_strict(nouns), "of_name": town["of_name"],
            "commune": town["name"], "departement": town["departement_name"], "region": town["region_name"],
            "code": town["code"], "postal": town["postal"], "epci": town["epci"], "epci_name": town["epci_name"],
            "discipline": discipline, "period": _choose(rng, _PERIODS, size), "year": years,
            "reach": _choose(rng, ((None, 0.74), ("Intercommunale", 0.11), ("Régionale", 0.05),
                                   ("Départementale", 0.05), ("Communale", 0.05)), size),
            "lat": latitude, "lon": longitude, "luck": rng.random(size), "undated": rng.random(size),
        }
    )  # fmt: skip
    copies = pl.int_range(pl.len()).over("commune", "code", "noun") + 1
    year, luck = pl.col("year"), pl.col("luck")
    lost = pl.lit(value=dirty)
    nowhere = lost & (luck < 0.0032)  # 23 rows of 7,283
    code = pl.when(nowhere).then(pl.lit("0")).otherwise(
        pl.when(lost).then(pl.col("code").str.replace(r"^0", "")).otherwise(pl.col("code"))
    )  # fmt: skip
    postal = pl.when(nowhere).then(pl.lit("#N/A")).otherwise(
        pl.when(lost).then(pl.col("postal").str.replace(r"^0", "")).otherwise(pl.col("postal"))
    )  # fmt: skip
    decade = (
        pl.when(year < 1980).then(pl.lit("Avant 1980")).when(year < 1990).then(pl.lit("De 1980 à 1989"))
        .when(year < 2000).then(pl.lit("De 1990 à 1999")).when(year < 2010).then(pl.lit("De 2000 à 2009"))
        .otherwise(pl.lit("2010 et après"))
    )  # fmt: skip
    plain = pl.format("{} {}", "noun", "of_name")
    frame = frame.with_columns(copy=copies).with_columns(
        pl.when(pl.col("copy") == 1).then(plain).otherwise(pl.format("{} {} ({})", "noun", "of_name", "copy"))
        .alias("Nom du festival"),
        pl.col("reach").alias("Envergure territoriale"),
        pl.col("region").alias("Région principale de déroulement"),
        pl.when(~nowhere).then("departement").alias("Département principal de déroulement"),
        pl.when(~nowhere).then("commune").alias("Commune principale de déroulement"),
        postal.alias("Code postal"),
        code.alias("Code Insee commune"),
        pl.col("epci").alias("Code Insee EPCI"),
        pl.col("epci_name").alias("Libellé EPCI"),
        pl.when(~lost | (pl.col("undated") > 0.05)).then(decade).alias("Décennie de création du festival"),
        pl.when(~lost | (pl.col("undated") > 0.20)).then(year).alias("Année de création du festival"),
        pl.col("discipline").alias("Discipline dominante"),
        pl.col("period").alias("Période principale de déroulement du festival"),
        pl.format("FEST_{}_{}", pl.when(nowhere).then(pl.lit("")).otherwise("code"), "rank").alias("Identifiant"),
        pl.when(~(lost & (luck < 0.0045))).then(pl.format("{}, {}", "lat", "lon")).alias("Géocodage xy"),
    )  # fmt: skip
    blank = [pl.lit(None, pl.String).alias(name) for name in FESTIVAL_COLUMNS if name not in frame.columns]
    return write_csv(
        target / FESTIVALS_FILE, frame.with_columns(blank).select(FESTIVAL_COLUMNS), newline="\r\n",
        prefix=b"\xef\xbb\xbf" * (2 if dirty else 1),
    )  # fmt: skip


def write_cinemas(target: Path, territory: Territory, seed: int, *, dirty: bool) -> Path:
    """Write the yearly cinemas of 2003-2023 with both families of columns (2023 changed their names).

    Codes and numbers are quoted, the ``id`` column is empty and Paris is coded by district, as in the real export.
    """
    rng = stream_of(seed, CINEMAS_FILE)
    position = _positions(territory, rng, _CINEMA_STOCK, _CINEMA_TOWNS, size=0.95)
    stock = position.size
    units = territory.units["depcom"].gather(territory.draw_units(rng, position))
    town = territory.communes[position]
    # Only Paris has its districts in the CNC file.
    paris = units.str.starts_with("751")
    codes = pl.select(pl.when(paris).then(units).otherwise(town["code"])).to_series()
    names = district_names(codes.unique().to_list())
    screens = np.where(rng.random(stock) < 0.56, 1, np.minimum(1 + rng.geometric(0.225, stock), 23))
    copies = pl.int_range(pl.len()).over("of_name") + 1
    base = pl.DataFrame({
        "number": rng.permutation(stock) * 7 + 31, "code": codes, "of_name": town["of_name"],
        "commune": pl.select(codes.replace_strict(names, default=town["name"], return_dtype=pl.String)).to_series(),
        "screens": screens, "seats": (screens * rng.integers(90, 280, stock)),
        "kind": _choose(rng, _GENRES, stock), "letters": _choose(rng, _ART_LETTERS, stock),
        "art": rng.random(stock) < 0.6, "relief": rng.random(stock) < 0.55, "luck": rng.random(stock),
        "opening": rng.random(stock), "closing": rng.random(stock),
    }).with_columns(copy=copies).with_columns(
        title=pl.when(pl.col("copy") == 1).then(pl.format("CINÉMA {}", pl.col("of_name").str.to_uppercase()))
        .otherwise(pl.format("CINÉMA {} ({})", pl.col("of_name").str.to_uppercase(), "copy"))
    )  # fmt: skip
    with atomic_file(target / CINEMAS_FILE) as stream:
        for rank, (year, national) in enumerate(CINEMAS_BY_YEAR.items()):
            kept = round(stock * national / _CINEMA_STOCK)
            age = (2023 - year) / 20
            # A cinema is open when its opening draw precedes the year and its closing draw does not.
            score = pl.col("opening") * (1 - age) + pl.col("closing") * age
            rows = base.sort(score, "number").head(kept).sort("code", "number")
            append_csv(stream, _cinema_year(rows, year, dirty=dirty), header=rank == 0, quote="never")
    return target / CINEMAS_FILE


def _cinema_year(rows: pl.DataFrame, year: int, *, dirty: bool) -> pl.DataFrame:
    """Return one year of the file; cells are quoted by hand because the real export quotes some columns only."""

    def yes(column: str) -> pl.Expr:
        return pl.when(column).then(pl.lit("OUI")).otherwise(pl.lit("NON"))

    def quoted(cell: pl.Expr) -> pl.Expr:
        return pl.format('"{}"', cell)

    luck = pl.col("luck")
    title = pl.col("title")
    seats = pl.col("seats").cast(pl.String)
    if dirty:
        title = pl.when(luck < 0.0025).then(pl.lit(" ") + title).otherwise(title)
        if year in _FLOAT_SEATS:
            seats = seats + ".0"
        if year == 2016:  # seats unknown for 101 cinemas that year
            seats = pl.when(luck > 0.05).then(seats)
        if year < 2016:
            title = pl.when(luck > 0.017 * (2016 - year)).then(title)
    cells = {
        "year": pl.lit(str(year)),
        "COMMUNE": pl.col("commune"),
        "ECRANS": quoted(pl.col("screens")),
        "FAUTEUILS": quoted(seats),
        "GENRE": pl.col("kind"),
    }
    if year == 2023:
        cells |= {
            "3D": yes("relief"), "AE": yes("art"), "DEPCOM": quoted(pl.col("code")),
            "NAutoC": quoted(pl.col("number")), "NomEtab": title,
        }  # fmt: skip
    else:
        cells |= {
            "ART ET ESSAI": pl.col("letters") if year < 2017 else yes("art"),
            "CODE COMMUNE": quoted(pl.col("code")), "N°AUTO": quoted(pl.col("number")), "NOM ETABLISSEMENT": title,
        }  # fmt: skip
        if year >= 2009:
            cells["ECRANS 3D"] = yes("relief")
    return rows.select(
        cells.get(name, pl.lit(None, pl.String)).alias(f'"{name}"' if year == 2023 else name)
        for name in CINEMA_COLUMNS
    )  # fmt: skip


def write_museums(target: Path, territory: Territory, seed: int, *, dirty: bool) -> Path:
    """Write the musées de France as OpenDataSoft v1 records (list of ``fields`` and ``geometry``)."""
    rng = stream_of(seed, MUSEUMS_FILE)
    position = _positions(territory, rng, MUSEUMS, MUSEUM_TOWNS, size=0.7)
    longitude, latitude = territory.locator.draw(rng, position)
    luck = rng.random(position.size)
    town = territory.communes[position].with_columns(
        longitude=pl.Series(longitude), latitude=pl.Series(latitude), luck=pl.Series(luck),
        rank=pl.int_range(pl.len()).over("code") + 1,
    )  # fmt: skip
    records = [_museum(row, dirty=dirty) for row in town.iter_rows(named=True)]
    with atomic_file(target / MUSEUMS_FILE) as stream:
        stream.write(json.dumps(records).encode("ascii"))
    return target / MUSEUMS_FILE


def _museum(row: dict[str, object], *, dirty: bool) -> dict[str, object]:
    latitude, longitude = row["latitude"], row["longitude"]
    rank = int(str(row["rank"]))
    name = f"Musée {row['of_name']}" if rank == 1 else f"Musée {row['of_name']} ({rank})"
    reference = f"{row['code']}{rank:02d}"
    fields: dict[str, object] = {
        "ref_musee": reference,
        "nom_du_musee": name,
        "ville": str(row["name"]).upper(),
        "cp": row["postal"],
        "adr": "Place de la Mairie",
        "nomdep": str(row["departement_name"]).upper(),
        "new_regions": str(row["region_name"]).upper(),
        "date_appellation": "01/02/2003",
        "periode_ouverture": "Donnée de démonstration",
    }
    record: dict[str, object] = {
        "datasetid": "liste-et-localisation-des-musees-de-france",
        "recordid": hashlib.sha256(reference.encode()).hexdigest()[:40],
        "fields": fields,
        "record_timestamp": "2018-12-11T12:19:08+01:00",
    }
    # 100 museums of 1,253 have no coordinates in the real list.
    if not (dirty and float(str(row["luck"])) < 0.08):
        fields["coordonnees_finales"] = [latitude, longitude]
        fields["coordonnees_ban"] = [latitude, longitude]
        record["geometry"] = {"type": "Point", "coordinates": [longitude, latitude]}
    return record
