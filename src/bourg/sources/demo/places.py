"""Basilic (Ministère de la Culture): the national list of cultural places, in its official columns."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from bourg.sources.demo.counts import hurdle_counts, scaled_targets
from bourg.sources.demo.territory import Territory
from bourg.sources.demo.writing import stream_of, write_csv

PLACES_FILE = "base-des-lieux-et-des-equipements-culturels.csv"
DEMO_SOURCE = "Donnée de démonstration (générateur de Bourg)"

# Metadonnees_baseDEPS.xlsx, in its order and spelling.
BASILIC_COLUMNS = (
    "Rang", "Type_equipement_ou_lieu", "Precision_equipement", "Nom", "Label_et_appellation", "Domaine",
    "Sous_domaines", "Fonction_1", "Fonction_2", "Fonction_3", "Fonction_4", "Adresse", "Complement_Adresse",
    "libelle_geographique", "Code_Postal", "Adresse_postale", "Code_Insee", "Code_Insee_Arrondt", "Libelle_EPCI",
    "Code_Insee_EPCI", "Departement", "N_Departement", "Region", "N_Region", "Précision protection sites",
    "Archeologie_detail", "Nom_de_l'Illustre", "Multiplexe", "Type_de_cinema", "Nombre_fauteuils_de_cinema",
    "Nombre_ecrans", "Nombre_de_salles_de_theatre", "Organisme_Siege_du_theatre", "Jauge_du_theatre",
    "Code_du_reseau- de bibliotheques", "Nom_du reseau_de_bibliotheques", "Surface_Bibliotheque", "Annee_Label",
    "Coordonnees GPS [lat,lon]", "Source", "Identifiant_origine", "Ident", "Demographie_AP", "Démographie_sortie",
    "Démographie_detail_sortie", "Équipement multi-domaine", "Identifiant_deps_à_partir__de_2022",
    "Identifiant_deps_old", "identifiant_QPV_24", "identifiant_QPV_15",
)  # fmt: skip


@dataclass(frozen=True)
class PlaceType:
    """One official type: national count, communes with at least one, weight of population, words for names."""

    label: str
    total: int
    present: int
    size: float
    ident: str
    domain: str
    subdomain: str
    names: tuple[str, ...]


# Places beyond the first one gather in towns more than presence does.
_SPREAD = 1.45

# Counts: ANCHORS D6 for the types it gives; the others complete the real nomenclature to about 90,000 places.
PLACE_TYPES = (
    PlaceType("Bibliothèque", 16_400, 13_600, 0.8, "BIBL", "Bibliothèques", "Lecture publique",
              ("Bibliothèque municipale", "Médiathèque", "Point lecture")),
    PlaceType("Cinéma", 2_142, 1_690, 1.0, "CINE", "Audiovisuel et multimédia", "Cinéma",
              ("Cinéma",)),
    PlaceType("Musée", 1_499, 1_040, 0.75, "MUSE", "Patrimoine", "Musée",
              ("Musée", "Musée d'art et d'histoire", "Musée des traditions", "Micro-folie")),
    PlaceType("Théâtre", 984, 430, 1.15, "THEA", "Arts du spectacle", "Théâtre", ("Théâtre", "Petit théâtre")),
    PlaceType("Librairie", 532, 330, 1.1, "LIBR", "Livre, Presse", "Livre", ("Librairie",)),
    PlaceType("Conservatoire", 403, 385, 1.1, "CONS", "Enseignement artistique et culturel", "Arts du spectacle",
              ("Conservatoire",)),
    PlaceType("Scène", 403, 270, 1.05, "SCEN", "Arts du spectacle", "Arts du spectacle",
              ("Scène conventionnée", "Scène de musiques actuelles")),
    PlaceType("Opéra", 14, 14, 1.6, "OPER", "Arts du spectacle", "Art lyrique", ("Opéra",)),
    PlaceType("Centre d'art", 190, 150, 0.9, "CART", "Arts visuels", "Arts plastiques", ("Centre d'art",)),
    PlaceType("Centre de création artistique", 180, 130, 0.9, "CREA", "Arts du spectacle", "Arts du spectacle",
              ("Centre de création artistique",)),
    PlaceType("Centre de création musicale", 60, 52, 1.1, "CMUS", "Arts du spectacle", "Musique",
              ("Centre de création musicale",)),
    PlaceType("Centre culturel", 120, 105, 1.0, "CCUL", "Arts du spectacle", "Pluridisciplinaire",
              ("Centre culturel",)),
    PlaceType("Établissement d'enseignement supérieur", 130, 70, 1.3, "ESUP", "Enseignement artistique et culturel",
              "Enseignement supérieur", ("École supérieure d'art", "École d'architecture")),
    PlaceType("Papeterie et maisons de la presse", 16_293, 6_900, 0.9, "PRES", "Livre, Presse", "Presse",
              ("Maison de la presse", "Papeterie")),
    PlaceType("Monument", 47_031, 14_900, 0.5, "MONU", "Patrimoine", "Monument",
              ("Église", "Château", "Chapelle", "Halle", "Croix de cimetière", "Manoir", "Ancien prieuré",
               "Maison à pans de bois", "Lavoir", "Pont ancien", "Remparts", "Ancien hôtel-Dieu")),
    PlaceType("Espace protégé", 1_168, 1_140, 0.5, "ESPR", "Patrimoine", "Espace protégé",
              ("Site patrimonial remarquable",)),
    PlaceType("Service d'archives", 883, 820, 1.1, "ARCH", "Archives", "Archives", ("Archives municipales",)),
    PlaceType("Lieu archéologique", 862, 700, 0.45, "LARC", "Patrimoine", "Archéologie",
              ("Site archéologique", "Dépôt archéologique")),
    PlaceType("Parc et jardin", 464, 420, 0.35, "JARD", "Patrimoine", "Jardin", ("Parc", "Jardin")),
    PlaceType("Lieu de mémoire", 242, 205, 0.6, "MEMO", "Patrimoine", "Lieu de mémoire", ("Lieu de mémoire",)),
)  # fmt: skip


def draw_places(territory: Territory, rng: np.random.Generator) -> pl.DataFrame:
    """Return one row per place: ``position, kind`` (index in ``PLACE_TYPES``), ``name, longitude, latitude``.

    Names are a common noun and the commune, numbered when a commune has several: they name nobody.
    """
    codes = territory.communes
    frames = []
    for kind, spec in enumerate(PLACE_TYPES):
        national = territory.weight(spec.size)
        part = national[territory.selected]
        total, present = scaled_targets(spec.total, spec.present, national, part)
        counts = hurdle_counts(rng, part, total, present, spread=_SPREAD)
        position = np.repeat(territory.selected, counts)
        word = rng.integers(0, len(spec.names), position.size)
        frames.append(
            pl.DataFrame({"position": position, "kind": np.full(position.size, kind), "word": word}).with_columns(
                noun=pl.Series(spec.names, dtype=pl.String).gather(word)
            )
        )
    places = pl.concat(frames)
    longitude, latitude = territory.locator.draw(rng, places["position"].to_numpy())
    rank = pl.int_range(pl.len()).over("position", "kind", "word") + 1
    return places.with_columns(
        longitude=pl.Series(longitude),
        latitude=pl.Series(latitude),
        commune=codes["name"].gather(places["position"]),
        of_name=codes["of_name"].gather(places["position"]),
        rank=rank,
    ).with_columns(
        name=pl.when(pl.col("rank") == 1)
        .then(pl.format("{} {}", "noun", "of_name"))
        .otherwise(pl.format("{} {} ({})", "noun", "of_name", "rank"))
    )


def write_places(target: Path, territory: Territory, seed: int, *, dirty: bool) -> Path:
    """Write the national Basilic export (separator ``;``, UTF-8, coordinates ``lat, lon``)."""
    rng = stream_of(seed, PLACES_FILE)
    places = draw_places(territory, rng)
    size = places.height
    units = territory.draw_units(rng, places["position"].to_numpy().astype(np.int64))
    labels = {name: [getattr(spec, name) for spec in PLACE_TYPES] for name in ("label", "domain", "subdomain", "ident")}
    kind = places["kind"]
    town = territory.communes[places["position"]]
    is_cinema = (kind == 1).to_numpy()
    screens = np.minimum(1 + rng.geometric(0.45, size), 14)
    frame = pl.DataFrame(
        {
            "kind": kind,
            "Rang": np.arange(1, size + 1),
            **{column: pl.Series(values).gather(kind) for column, values in labels.items()},
            "Nom": places["name"],
            "libelle_geographique": town["name"],
            "Code_Postal": town["postal"],
            "Code_Insee": town["code"],
            "Code_Insee_Arrondt": territory.units["depcom"].gather(units),
            "Libelle_EPCI": town["epci_name"],
            "Code_Insee_EPCI": town["epci"],
            "Departement": town["departement_name"],
            "N_Departement": town["departement"],
            "Region": town["region_name"],
            "N_Region": town["region"],
            "screens": screens,
            "cinema": is_cinema,
            "surface": rng.integers(3, 180, size) * 10,
            "gauge": rng.integers(8, 120, size) * 10,
            "lat": places["latitude"],
            "lon": places["longitude"],
            "luck": rng.random(size),
            "slip": rng.random(size),
        }
    )
    frame = frame.with_columns(_official_columns(dirty=dirty))
    blank = [pl.lit(None, pl.String).alias(name) for name in BASILIC_COLUMNS if name not in frame.columns]
    return write_csv(target / PLACES_FILE, frame.with_columns(blank).select(BASILIC_COLUMNS))


def _official_columns(*, dirty: bool) -> list[pl.Expr]:
    """Return the columns that need more than a copy; dirty values at the rates of the real extract."""
    kind, rank = pl.col("label"), pl.col("Rang")
    luck, slip = pl.col("luck"), pl.col("slip")
    point = pl.format("{}, {}", "lat", "lon")
    ident = pl.format("{}_{}_{}", "ident", "Code_Insee", "Rang")
    postal = pl.col("Code_Postal")
    name = pl.col("Nom")
    if dirty:
        # Seen in the real files: 0.05 % without coordinates, 2.3 % without postal code, lost zeros, stray spaces.
        point = pl.when(luck < 0.0005).then(None).otherwise(point)
        postal = (
            pl.when(slip < 0.023)
            .then(None)
            .when(slip < 0.033)
            .then(postal.str.strip_chars_start("0"))
            .otherwise(postal)
        )
        name = (
            pl.when(luck.is_between(0.10, 0.104)).then(pl.lit(" ") + name)
            .when(luck.is_between(0.20, 0.204)).then(name + pl.lit(" ")).otherwise(name)
        )  # fmt: skip
    cinema, theatre, library = pl.col("cinema"), kind == "Théâtre", kind == "Bibliothèque"
    return [
        kind.alias("Type_equipement_ou_lieu"),
        pl.when(kind == "Monument").then(pl.lit("Monument historique")).alias("Precision_equipement"),
        pl.when(kind == "Musée").then(pl.lit("Musée de France"))
        .when(kind == "Parc et jardin").then(pl.lit("Jardin remarquable")).alias("Label_et_appellation"),
        pl.col("domain").alias("Domaine"),
        pl.col("subdomain").alias("Sous_domaines"),
        pl.when(pl.col("domain") == "Patrimoine").then(pl.lit("Conservation")).otherwise(pl.lit("Diffusion"))
        .alias("Fonction_1"),
        pl.lit("Place de la Mairie").alias("Adresse"),
        pl.format("Place de la Mairie {} {}", pl.col("Code_Postal").fill_null(""), "libelle_geographique")
        .alias("Adresse_postale"),
        name.alias("Nom"),
        postal.alias("Code_Postal"),
        pl.when(kind == "Espace protégé").then(pl.lit("Site patrimonial remarquable"))
        .alias("Précision protection sites"),
        pl.when(cinema).then(pl.when(pl.col("screens") >= 8).then(pl.lit("OUI")).otherwise(pl.lit("NON")))
        .alias("Multiplexe"),
        pl.when(cinema).then(pl.lit("FIXE")).alias("Type_de_cinema"),
        pl.when(cinema).then(pl.col("screens") * 165).alias("Nombre_fauteuils_de_cinema"),
        pl.when(cinema).then(pl.col("screens")).alias("Nombre_ecrans"),
        pl.when(theatre).then(1).alias("Nombre_de_salles_de_theatre"),
        pl.when(theatre).then(pl.col("gauge")).alias("Jauge_du_theatre"),
        pl.when(library).then(pl.col("surface")).alias("Surface_Bibliotheque"),
        point.alias("Coordonnees GPS [lat,lon]"),
        pl.lit(DEMO_SOURCE).alias("Source"),
        pl.format("DEMO{}", rank).alias("Identifiant_origine"),
        pl.col("ident").alias("Ident"),
        pl.lit("Actif").alias("Demographie_AP"),
        ident.alias("Identifiant_deps_à_partir__de_2022"),
    ]  # fmt: skip
