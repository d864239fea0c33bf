"""Energy used: electricity and gas delivered to homes and to all uses, per inhabitant."""

from __future__ import annotations

import polars as pl

from bourg.indicators.helpers import latest_population
from bourg.indicators.measures import latest, quotient
from bourg.indicators.registry import indicator

_REFERENCE = "Agence ORE, consommation annuelle d'électricité et de gaz par commune et par secteur d'activité"
_LIMITS = (
    "Énergies livrées par un réseau : ni fioul, ni bois, ni chaleur. Non corrigée du climat. La population est celle "
    "de la dernière année connue. Le miroir ne décrit que le Val-d'Oise, ailleurs la valeur manque."
)


def _declare(name: str, variable: str, label: str, *, formula: str, limits: str, secrecy: str | None) -> None:
    @indicator(
        id=f"environment.{name}",
        label=label,
        unit="MWh par habitant",
        theme="environment",
        kind="ratio",
        levels=("commune", "departement"),
        sources=("consommation_energie", "populations"),
        direction="neutral",
        secrecy=secrecy,
        decimals=1,
        period="year",
        formula=formula,
        limits=limits + _LIMITS,
        reference=_REFERENCE,
    )
    def per_inhabitant(energy_use: pl.LazyFrame, population: pl.LazyFrame) -> pl.LazyFrame:
        """MWh per inhabitant, last year."""
        people = latest_population(population).select("code", "pmun")
        rows = latest(energy_use, variable).join(people, on="code", how="left")
        return quotient(rows, pl.col("value"), pl.col("pmun"))


_declare(
    "home_energy_per_inhabitant",
    "HOMES",
    "Consommation d'électricité et de gaz des logements par habitant",
    formula="Électricité et gaz livrés au secteur résidentiel (MWh de l'année) ÷ population municipale.",
    limits="Une commune de résidences secondaires consomme sans habitants ; sans réseau de gaz, elle se chauffe au "
    "fioul ou au bois, qui ne sont pas comptés. ",
    secrecy="Sous 11 points de livraison, la consommation décrirait quelques ménages : elle est « secrète ».",
)
_declare(
    "energy_per_inhabitant",
    "ALL",
    "Consommation d'électricité et de gaz par habitant, tous usages",
    formula="Électricité et gaz livrés à tous les secteurs (MWh de l'année) ÷ population municipale.",
    limits="Une seule usine peut faire l'essentiel du total. ",
    secrecy=None,
)
