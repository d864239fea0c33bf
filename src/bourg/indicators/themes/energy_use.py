"""Electricity and gas delivered by sector, and the yearly production on the Enedis grid."""

from __future__ import annotations

import polars as pl

from bourg.geography.levels import LEVELS
from bourg.indicators.helpers import latest_population
from bourg.indicators.measures import latest, measured, quotient
from bourg.indicators.registry import indicator

_REFERENCE = "Agence ORE et SDES, consommation annuelle d'électricité et de gaz par commune et par secteur d'activité"
_LIMITS = "Énergie livrée par le réseau, non corrigée du climat ; un seul site peut faire l'essentiel du total."
_SECRECY = (
    "Sous 11 points de livraison résidentiels, la consommation des logements est « secrète », et avec elle le plus "
    "petit autre secteur, ou le total, qui la donnerait par différence."
)
# Network, words of its sectors.
_NETWORKS = {"ELEC": ("elec", "électricité"), "GAS": ("gas", "gaz")}
_SECTORS = {
    "HOMES": ("homes", "des logements"), "SERVICES": ("services", "des commerces et services"),
    "INDUSTRY": ("industry", "de l'industrie"), "FARMING": ("farming", "de l'agriculture"),
}  # fmt: skip


def _of(words: str) -> str:
    return f"d'{words}" if words[0] in "aeéiou" else f"de {words}"


def _declare_use(name: str, variable: str, label: str, what: str) -> None:
    @indicator(
        id=f"energy.{name}",
        label=label,
        unit="MWh par an",
        theme="energy",
        kind="amount",
        levels=LEVELS,
        sources=("consommation_energie",),
        direction="neutral",
        secrecy=_SECRECY,
        decimals=0,
        period="year",
        formula=f"Somme des consommations {what} de l'année.",
        limits="Une commune sans réseau de gaz en consomme zéro. " + _LIMITS,
        reference=_REFERENCE,
    )
    def use(energy_use: pl.LazyFrame) -> pl.LazyFrame:
        """MWh delivered, last year."""
        return measured(latest(energy_use, variable))


for _variable, (_id, _network) in _NETWORKS.items():
    _words = f"Consommation {_of(_network)}"
    _declare_use(f"use_{_id}", _variable, _words, f"{_of(_network)} de tous les secteurs")
    for _sector, (_part, _whose) in _SECTORS.items():
        if (_variable, _sector) != ("GAS", "FARMING"):
            _declare_use(
                f"use_{_id}_{_part}", f"{_variable}_{_sector}", f"{_words} {_whose}", f"{_of(_network)} {_whose}"
            )


@indicator(
    id="energy.use_elec_per_inhabitant",
    label="Consommation d'électricité par habitant",
    unit="MWh par habitant",
    theme="energy",
    kind="ratio",
    levels=LEVELS,
    sources=("consommation_energie", "populations"),
    direction="neutral",
    secrecy=_SECRECY,
    decimals=1,
    period="year",
    formula="Électricité livrée à tous les secteurs (MWh de l'année) ÷ population municipale.",
    limits="La population est celle de la dernière année connue. " + _LIMITS,
    reference=_REFERENCE,
)
def use_elec_per_inhabitant(energy_use: pl.LazyFrame, population: pl.LazyFrame) -> pl.LazyFrame:
    """MWh of electricity per inhabitant, last year."""
    people = latest_population(population).select("code", "pmun")
    return quotient(latest(energy_use, "ELEC").join(people, on="code", how="left"), pl.col("value"), pl.col("pmun"))


def _declare_production(sector: str, name: str) -> None:
    @indicator(
        id=f"energy.enedis_{sector}",
        label=f"Production {name} sur le réseau d'Enedis",
        unit="MWh par an",
        theme="energy",
        kind="amount",
        levels=("commune",),
        sources=("production_electrique",),
        direction="neutral",
        secrecy="Une cellule que le fichier laisse vide, alors qu'il écrit ses zéros, est un chiffre « secret ».",
        decimals=0,
        period="year",
        formula=f"Somme des énergies annuelles produites ({name}), tous domaines de tension.",
        limits="Réseau d'Enedis seulement : une commune servie par un autre distributeur n'est pas décrite, et les "
        "grandes centrales raccordées au réseau de transport n'y sont pas.",
        reference="Enedis, production électrique annuelle par filière à la maille commune",
    )
    def produced(energy_production: pl.LazyFrame) -> pl.LazyFrame:
        """MWh of the last year."""
        rows = energy_production.filter(pl.col("latest") & (pl.col("sector") == sector))
        return rows.select("code", "status", value="mwh", period=pl.col("year").cast(pl.String))


for _sector_id, _name in (
    ("solar", "solaire"),
    ("wind", "éolienne"),
    ("hydro", "hydraulique"),
    ("bio", "des bioénergies"),
):
    _declare_production(_sector_id, _name)
