"""Access times: inhabitants near a facility on foot, by bike and by car, median times, quarter-hour score."""

from __future__ import annotations

from typing import Any

import polars as pl

from bourg.geography.levels import Level
from bourg.indicators import access_variables as names
from bourg.indicators.measures import latest, measured, quotient, together
from bourg.indicators.registry import indicator

_MODES = {"foot": "à pied", "bike": "à vélo", "car": "en voiture"}
# Larger units would add up the communes of the installed extracts only.
_LEVELS: tuple[Level, ...] = ("commune", "epci", "departement")
_SOURCES = ("osm", "carreaux_200m", "bpe", "populations")
_REFERENCE = "Moteur d'accès de Bourg sur le réseau de rues d'OpenStreetMap (paramètres town_indicators et speeds)."
_LIMITS = (
    "Temps de trajet calculé, sans embouteillage, attente ni stationnement ; il ne dit ni les horaires, ni les places "
    "disponibles. Un équipement situé au-delà de l'extrait de carte installé n'est pas compté : près du bord, les "
    "temps sont surestimés. La valeur manque hors des extraits, et là où l'on ne sait pas où vivent les habitants dans "
    "la commune."
)


def _declare_within(entry: dict[str, Any]) -> None:
    mode, family, minutes = entry["mode"], entry["family"], entry["minutes"]

    @indicator(
        id=f"access.{mode}_{family}_{minutes}",
        label=f"Part des habitants à moins de {minutes} min {_MODES[mode]} {entry['words']}",
        unit="%",
        theme="access",
        kind="share",
        levels=_LEVELS,
        sources=_SOURCES,
        direction="higher_is_better",
        secrecy=None,
        decimals=1,
        period="year",
        formula=f"100 × habitants dont le trajet {_MODES[mode]} vers l'équipement le plus proche dure au plus "
        f"{minutes} minutes ÷ habitants dont le temps est connu.",
        limits=_LIMITS,
        reference=_REFERENCE,
    )
    def share(access_times: pl.LazyFrame) -> pl.LazyFrame:
        """Share of the inhabitants within a time."""
        rows = together(access_times, names.within(entry), names.known(mode))
        return quotient(rows, pl.col(names.within(entry)), pl.col(names.known(mode)), 100)


def _declare_median(entry: dict[str, Any]) -> None:
    mode, family = entry["mode"], entry["family"]
    limit = names.declared()["limit_min"]

    @indicator(
        id=f"access.{mode}_{family}_median",
        label=f"Temps médian {_MODES[mode]} jusqu'à {entry['words'].removeprefix('d' + chr(39))}",
        unit="min",
        theme="access",
        kind="amount",
        levels=("commune",),
        sources=_SOURCES,
        direction="lower_is_better",
        secrecy=None,
        decimals=0,
        period="year",
        formula=f"Plus petit temps {_MODES[mode]} en deçà duquel vit la moitié des habitants dont le temps est connu. "
        f"Au-delà de {limit} minutes, ou sans aucun chemin, le temps est dit hors d'atteinte.",
        limits=_LIMITS,
        reference=_REFERENCE,
    )
    def time(access_times: pl.LazyFrame) -> pl.LazyFrame:
        """Median time of the inhabitants."""
        return measured(latest(access_times, names.median(entry)))


def _declare_quarter(mode: str) -> None:
    @indicator(
        id=f"access.quarter_hour_{mode}",
        label=f"Part des équipements du quotidien à un quart d'heure {_MODES[mode]}",
        unit="%",
        theme="access",
        kind="share",
        levels=_LEVELS,
        sources=_SOURCES,
        direction="higher_is_better",
        secrecy=None,
        decimals=1,
        period="year",
        formula=f"Part des familles d'équipements du quotidien (paramètre quarter_hour) qu'un habitant atteint en 15 "
        f"minutes {_MODES[mode]}, en moyenne sur les habitants.",
        limits="Chaque famille compte autant ; une famille dont aucune source ne dit rien n'entre pas dans le score. "
        + _LIMITS,
        reference=_REFERENCE,
    )
    def score(access_times: pl.LazyFrame) -> pl.LazyFrame:
        """Mean share of the daily families reached in a quarter of an hour."""
        rows = together(access_times, names.quarter(mode), names.known(mode))
        return quotient(rows, pl.col(names.quarter(mode)), pl.col(names.known(mode)), 100)


for _entry in names.declared()["within"]:
    _declare_within(_entry)
for _entry in names.declared()["median"]:
    _declare_median(_entry)
for _mode in names.declared()["quarter_hour"]:
    _declare_quarter(_mode)
