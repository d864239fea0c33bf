"""Mobility: stations and taxis of the base permanente des équipements, car-pool places of the national base."""

from __future__ import annotations

import polars as pl

from bourg.geography.codes import departement_expr
from bourg.geography.levels import LEVELS, Level
from bourg.indicators.helpers import count_by, per_population
from bourg.indicators.registry import indicator

_STATIONS = ["E107", "E108", "E109"]
_TAXIS = ["E101"]
_BPE = "Insee, base permanente des équipements (BPE)"
# The base is filled by volunteers, department by department: larger units would mix described and undescribed ones.
_CARPOOL_LEVELS: tuple[Level, ...] = ("commune", "departement")
_CARPOOL_LIMITS = (
    "Base collaborative : un lieu que personne n'a déclaré n'y est pas. Un département qui n'a déclaré aucun lieu est "
    "« manquant », jamais à zéro. Ne dit ni l'usage, ni les places libres."
)


@indicator(
    id="mobility.stations",
    label="Gares de voyageurs",
    unit="gares",
    theme="mobility",
    kind="count",
    levels=LEVELS,
    sources=("bpe",),
    direction="neutral",
    secrecy=None,
    decimals=0,
    period="year",
    formula="Nombre de gares de voyageurs d'intérêt national, régional ou local (codes E107, E108, E109 de la BPE).",
    limits="Une gare ne dit ni le nombre de trains, ni les destinations. Une gare dont le nom porte celui de la "
    "commune peut être sur la commune voisine. Ni métro, ni tramway, ni autocar.",
    reference=_BPE,
)
def stations(equipment: pl.LazyFrame, coverage: pl.LazyFrame) -> pl.LazyFrame:
    """Railway stations."""
    chosen = equipment.filter(pl.col("typequ").is_in(_STATIONS))
    counts = count_by(coverage, "equipment", chosen)
    # Editions before 2017 have no station at all: an absence there is not a zero.
    return counts.join(chosen.select("year").unique(), on="year", how="semi")


@indicator(
    id="mobility.taxis_per_10000",
    label="Taxis et VTC pour 10 000 habitants",
    unit="entreprises pour 10 000 hab.",
    theme="mobility",
    kind="ratio",
    levels=LEVELS,
    sources=("bpe", "populations"),
    direction="neutral",
    secrecy=None,
    decimals=1,
    period="year",
    formula="10 000 × entreprises de taxis et de VTC (code E101 de la BPE) ÷ population municipale de l'année la plus "
    "proche.",
    limits="Compte des entreprises déclarées à une adresse, non des véhicules ; beaucoup travaillent ailleurs. Le "
    "champ a été élargi aux VTC : ne pas comparer les années.",
    reference=_BPE,
)
def taxis(equipment: pl.LazyFrame, population: pl.LazyFrame, coverage: pl.LazyFrame) -> pl.LazyFrame:
    """Taxi companies per 10,000 inhabitants."""
    chosen = equipment.filter(pl.col("typequ").is_in(_TAXIS))
    counts = count_by(coverage, "equipment", chosen).join(chosen.select("year").unique(), on="year", how="semi")
    return per_population(counts, population, 10_000, same_year=True)


def _described(carpool_places: pl.LazyFrame, coverage: pl.LazyFrame) -> pl.LazyFrame:
    """Count car-pool places in the departments that declared at least one place of any kind."""
    departement = departement_expr(pl.col("code"))
    declared = carpool_places.select(departement.alias("departement")).unique()
    counts = count_by(coverage, "carpool_places", carpool_places).with_columns(departement=departement)
    return counts.join(declared, on="departement", how="semi").drop("departement")


@indicator(
    id="mobility.carpool_places",
    label="Aires et parkings de covoiturage",
    unit="lieux",
    theme="mobility",
    kind="count",
    levels=_CARPOOL_LEVELS,
    sources=("covoiturage",),
    direction="neutral",
    secrecy=None,
    decimals=0,
    period="vintage",
    formula="Nombre de lieux de covoiturage ouverts de la base nationale, hors arrêts d'auto-stop organisé.",
    limits=_CARPOOL_LIMITS,
    reference="transport.data.gouv.fr, base nationale des lieux de covoiturage (BNLC)",
)
def carpool_count(carpool_places: pl.LazyFrame, coverage: pl.LazyFrame) -> pl.LazyFrame:
    """Open car-pool places."""
    return _described(carpool_places, coverage)


@indicator(
    id="mobility.carpool_places_per_10000",
    label="Aires et parkings de covoiturage pour 10 000 habitants",
    unit="lieux pour 10 000 hab.",
    theme="mobility",
    kind="ratio",
    levels=_CARPOOL_LEVELS,
    sources=("covoiturage", "populations"),
    direction="neutral",
    secrecy=None,
    decimals=1,
    period="vintage",
    formula="10 000 × lieux de covoiturage ouverts (hors auto-stop) ÷ population municipale.",
    limits=_CARPOOL_LIMITS + " Une aire au bord d'une autoroute sert bien au-delà de sa commune.",
    reference="transport.data.gouv.fr, base nationale des lieux de covoiturage (BNLC)",
)
def carpool_rate(carpool_places: pl.LazyFrame, population: pl.LazyFrame, coverage: pl.LazyFrame) -> pl.LazyFrame:
    """Open car-pool places per 10,000 inhabitants."""
    return per_population(_described(carpool_places, coverage), population, 10_000)
