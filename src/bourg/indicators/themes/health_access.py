"""Emergency departments and maternity units: distance where a table gives it, presence, deliveries."""

from __future__ import annotations

import polars as pl

from bourg.geography.levels import LEVELS
from bourg.indicators.helpers import count_by
from bourg.indicators.registry import indicator

_SAE = "DREES, statistique annuelle des établissements de santé (SAE), liste des maternités"


@indicator(
    id="health.emergency_distance",
    label="Distance au service d'urgences le plus proche",
    unit="km à vol d'oiseau",
    theme="health",
    kind="amount",
    levels=("commune",),
    sources=("urgences",),
    direction="lower_is_better",
    secrecy=None,
    decimals=1,
    period="vintage",
    formula="Distance à vol d'oiseau entre le centre de la commune et l'établissement autorisé en médecine d'urgence "
    "le plus proche, reprise du fichier.",
    limits="Ni une distance, ni un temps par la route : en montagne le trajet est bien plus long. Le fichier ne couvre "
    "que l'Occitanie et ignore les établissements hors de la région. Un service peut être fermé la nuit.",
    reference="Calcul d'un tiers d'après FINESS (activité « médecine d'urgence »)",
)
def emergency_distance(emergency_distance: pl.LazyFrame) -> pl.LazyFrame:
    """Straight-line distance to the nearest emergency department; unreachable is a status, not a distance."""
    known = pl.col("status") == "ok"
    return emergency_distance.select(
        "code",
        value=pl.when(known).then("distance_km"),
        status=pl.when(~known).then("status"),
    )


@indicator(
    id="health.maternities",
    label="Maternités",
    unit="maternités",
    theme="health",
    kind="count",
    levels=LEVELS,
    sources=("maternites",),
    direction="neutral",
    secrecy=None,
    decimals=0,
    period="year",
    formula="Nombre de maternités dont le site est dans le territoire, dernière année de la liste de la DREES.",
    limits="Zéro ne dit pas si la maternité voisine est proche. Les centres périnatals de proximité, sans "
    "accouchement, ne sont pas comptés.",
    reference=_SAE,
)
def maternities(maternities: pl.LazyFrame, coverage: pl.LazyFrame) -> pl.LazyFrame:
    """Maternity units of the territory."""
    return count_by(coverage, "maternities", maternities)


@indicator(
    id="health.deliveries",
    label="Accouchements dans les maternités du territoire",
    unit="accouchements",
    theme="health",
    kind="count",
    levels=LEVELS,
    sources=("maternites",),
    direction="neutral",
    secrecy=None,
    decimals=0,
    period="year",
    formula="Somme des accouchements de l'année dans les maternités du territoire (DREES).",
    limits="Compté au lieu de la maternité et non au domicile des mères : ce n'est pas le nombre de naissances de la "
    "commune.",
    reference=_SAE,
)
def deliveries(maternities: pl.LazyFrame, coverage: pl.LazyFrame) -> pl.LazyFrame:
    """Deliveries in the maternity units of the territory."""
    return count_by(coverage, "maternities", maternities, "births")


@indicator(
    id="health.apl_gp",
    label="Accessibilité potentielle localisée (APL) aux médecins généralistes",
    unit="consultations par an et par habitant",
    theme="health",
    kind="ratio",
    levels=("commune",),
    sources=("apl",),
    direction="higher_is_better",
    secrecy=None,
    decimals=1,
    period="year",
    formula="Valeur publiée par la DREES, dernière année : consultations accessibles à moins de 20 minutes, par "
    "habitant standardisé selon l'âge.",
    limits="Ni un délai d'attente, ni le droit d'être pris comme patient. Sous 2,5 consultations, un territoire est "
    "dit sous-dense. Deux communes fusionnées depuis n'ont pas de valeur commune.",
    reference="DREES, l'accessibilité potentielle localisée (APL)",
)
def apl_gp(apl: pl.LazyFrame) -> pl.LazyFrame:
    """Potential accessibility published for the commune."""
    return apl.select("code", "value", period=pl.col("year").cast(pl.String))
