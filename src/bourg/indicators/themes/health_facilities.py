"""Health houses and centres, homes for dependent elderly people (FINESS)."""

from __future__ import annotations

import polars as pl

from bourg.geography.levels import LEVELS
from bourg.indicators.helpers import count_by
from bourg.indicators.registry import indicator


def _declare(name: str, kinds: tuple[str, ...], label: str, unit: str, what: str, limits: str) -> None:  # noqa: PLR0917
    @indicator(
        id=f"health.{name}",
        label=label,
        unit=unit,
        theme="health",
        kind="count",
        levels=LEVELS,
        sources=("finess",),
        direction="neutral",
        secrecy=None,
        decimals=0,
        period="vintage",
        formula=f"Nombre d'établissements du répertoire FINESS : {what}.",
        limits=limits + "FINESS suit les autorisations : un établissement autorisé n'est pas toujours ouvert.",
        reference="DREES et Agence du numérique en santé, répertoire FINESS",
    )
    def facilities(health_facilities: pl.LazyFrame, coverage: pl.LazyFrame) -> pl.LazyFrame:
        """Count the establishments of a few categories."""
        return count_by(coverage, "health_facilities", health_facilities.filter(pl.col("kind").is_in(list(kinds))))


_declare(
    "health_houses",
    ("health_house", "health_centre"),
    "Maisons et centres de santé",
    "établissements",
    "maisons de santé (catégorie 603) et centres de santé (124)",
    "Un centre de santé peut être dentaire ou infirmier, sans médecin. ",
)
_declare(
    "care_homes",
    ("care_home",),
    "Établissements d'hébergement pour personnes âgées dépendantes (Ehpad)",
    "établissements",
    "Ehpad (catégorie 500)",
    "Ne dit ni le nombre de places, ni celles qui sont libres, ni les tarifs. ",
)
