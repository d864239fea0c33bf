"""Themes of the indicators, in the order of the pages: what a mayor asks about first."""

from bourg.errors import ParameterError
from bourg.geography.names import normalise_name

THEMES = {
    "population": "Population",
    "housing": "Logement",
    "economy": "Économie et emploi",
    "commerce": "Commerces",
    "equipment": "Équipements et services",
    "access": "Temps d'accès",
    "health": "Santé",
    "income": "Revenus",
    "mobility": "Mobilités",
    "finance": "Finances locales",
    "culture": "Culture",
    "energy": "Énergie",
    "environment": "Environnement",
    "safety": "Sécurité",
    "programmes": "Programmes publics",
}


def theme_of(name: str) -> str:
    """Return the id of a theme from its id or its French label, accents and capitals left aside.

    Raises
    ------
    ParameterError
        When no theme has this name.
    """
    by_name = {
        normalise_name(text): theme for theme, label in THEMES.items() for text in (theme, label, label.rstrip("s"))
    }
    found = by_name.get(normalise_name(name))
    if found is None:
        raise ParameterError(
            f"Le thème « {name[:40]} » n'existe pas.", next_step=f"choisissez parmi : {', '.join(THEMES)}."
        )
    return found
