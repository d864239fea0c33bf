"""Themes of the indicators, in the order of the pages: what a mayor asks about first."""

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
