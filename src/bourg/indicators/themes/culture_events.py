"""Culture, apart from the list of places: festivals, cinemas, museums with the national label."""

from __future__ import annotations

import polars as pl

from bourg.geography.levels import LEVELS
from bourg.indicators.helpers import count_by, per_population, ratio, with_population
from bourg.indicators.registry import indicator

_FESTIVALS = "Ministère de la Culture (DEPS), liste des festivals en France"
_FESTIVALS_LIMITS = (
    "Un festival est compté dans sa commune principale, quelle que soit sa durée ou sa fréquentation ; la liste vient "
    "de déclarations et de recoupements, elle n'est pas exhaustive. Jamais ajouté aux lieux."
)


@indicator(
    id="culture.festivals_count",
    label="Festivals",
    unit="festivals",
    theme="culture",
    kind="count",
    levels=LEVELS,
    sources=("festivals",),
    direction="neutral",
    secrecy=None,
    decimals=0,
    period="vintage",
    formula="Nombre de festivals dont la commune principale est dans le territoire.",
    limits=_FESTIVALS_LIMITS,
    reference=_FESTIVALS,
)
def festivals_count(festivals: pl.LazyFrame, coverage: pl.LazyFrame) -> pl.LazyFrame:
    """Festivals (events, apart from places)."""
    return count_by(coverage, "festivals", festivals)


@indicator(
    id="culture.festivals_per_1000",
    label="Festivals pour 1 000 habitants",
    unit="festivals pour 1 000 hab.",
    theme="culture",
    kind="ratio",
    levels=LEVELS,
    sources=("festivals", "populations"),
    direction="neutral",
    secrecy=None,
    decimals=2,
    period="vintage",
    formula="1 000 × festivals ÷ population municipale.",
    limits=_FESTIVALS_LIMITS,
    reference=_FESTIVALS,
)
def festivals_per_1000(festivals: pl.LazyFrame, population: pl.LazyFrame, coverage: pl.LazyFrame) -> pl.LazyFrame:
    """Festivals per 1,000 inhabitants."""
    return per_population(count_by(coverage, "festivals", festivals), population)


_CNC = "CNC, données annuelles par établissement cinématographique"
_CINEMA_LIMITS = (
    "Cinémas fixes seulement : un circuit itinérant projette ailleurs que dans sa commune de siège. Ne dit ni les "
    "séances, ni les entrées."
)


def _declare_cinema(column: str, label: str, unit: str, rate_unit: str) -> None:
    @indicator(
        id=f"culture.cinema_{column}",
        label=label,
        unit=unit,
        theme="culture",
        kind="count",
        levels=LEVELS,
        sources=("cinemas_cnc",),
        direction="neutral",
        secrecy=None,
        decimals=0,
        period="year",
        formula=f"{label} des cinémas fixes en activité dans l'année.",
        limits=_CINEMA_LIMITS,
        reference=_CNC,
    )
    def cinema_count(cinemas: pl.LazyFrame, coverage: pl.LazyFrame) -> pl.LazyFrame:
        """Screens or seats of fixed cinemas."""
        return count_by(coverage, "cinemas", cinemas, column)

    @indicator(
        id=f"culture.cinema_{column}_per_1000",
        label=f"{label} pour 1 000 habitants",
        unit=rate_unit,
        theme="culture",
        kind="ratio",
        levels=LEVELS,
        sources=("cinemas_cnc", "populations"),
        direction="neutral",
        secrecy=None,
        decimals=2,
        period="year",
        formula=f"1 000 × {label[0].lower()}{label[1:]} ÷ population municipale de l'année la plus proche.",
        limits=_CINEMA_LIMITS,
        reference=_CNC,
    )
    def cinema_rate(cinemas: pl.LazyFrame, population: pl.LazyFrame, coverage: pl.LazyFrame) -> pl.LazyFrame:
        """Screens or seats of fixed cinemas per 1,000 inhabitants."""
        return per_population(count_by(coverage, "cinemas", cinemas, column), population, same_year=True)


_declare_cinema("screens", "Écrans de cinéma", "écrans", "écrans pour 1 000 hab.")
_declare_cinema("seats", "Fauteuils de cinéma", "fauteuils", "fauteuils pour 1 000 hab.")


@indicator(
    id="culture.museums_count",
    label="Musées de France",
    unit="musées",
    theme="culture",
    kind="count",
    levels=LEVELS,
    sources=("musees",),
    direction="neutral",
    secrecy=None,
    decimals=0,
    period="vintage",
    formula="Nombre de musées ayant l'appellation « musée de France » dans le territoire.",
    limits="Les musées sans l'appellation n'y sont pas ; un musée fermé pour travaux peut y rester.",
    reference="Code du patrimoine, articles L441-1 et suivants ; ministère de la Culture, liste des musées de France",
)
def museums_count(museums: pl.LazyFrame, coverage: pl.LazyFrame) -> pl.LazyFrame:
    """Museums with the label « musée de France »."""
    return count_by(coverage, "museums", museums)


@indicator(
    id="culture.inhabitants_per_screen",
    label="Habitants par écran de cinéma",
    unit="habitants par écran",
    theme="culture",
    kind="ratio",
    levels=LEVELS,
    sources=("cinemas_cnc", "populations"),
    direction="neutral",
    secrecy=None,
    decimals=0,
    period="year",
    formula="Population municipale de l'année la plus proche ÷ écrans des cinémas fixes ; sans écran, sans objet.",
    limits=_CINEMA_LIMITS,
    reference=_CNC,
)
def inhabitants_per_screen(cinemas: pl.LazyFrame, population: pl.LazyFrame, coverage: pl.LazyFrame) -> pl.LazyFrame:
    """Inhabitants per screen; not applicable without a screen."""
    screens = with_population(count_by(coverage, "cinemas", cinemas, "screens"), population, same_year=True)
    return screens.select("code", "n", "period", *ratio(pl.col("pmun"), pl.col("value")))
