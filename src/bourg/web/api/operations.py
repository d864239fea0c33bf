"""The operations of the API: each is declared once, with its parameters, formats, caps and answer."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pydantic import BaseModel

from bourg.geography.codes import parse_commune_code
from bourg.geography.levels import LEVELS
from bourg.indicators.theme_labels import THEMES
from bourg.portrait.comparison import MOST_TOWNS
from bourg.web.api import communes, maps, models, territories
from bourg.web.api.answers import Answer
from bourg.web.api.data import ApiData
from bourg.web.api.formats import MOST_ROWS
from bourg.web.api.parameters import Box, Parameter
from bourg.web.api.problems import PREFIX, InvalidParameterError
from bourg.web.api.shapes import MOST_ZOOM

Handler = Callable[[ApiData, Mapping[str, Any]], Answer]
ROWS = ("json", "csv", "parquet")


@dataclass(frozen=True)
class Operation:
    """One route.

    Attributes
    ----------
    id, path, summary, description, tag
        Identifier and French words; the path has its parameters in braces.
    handler
        Makes the answer.
    model
        Of one row, or of the object.
    inside, query
        Parameters of the path and of the query.
    formats
        The first one is the default.
    paged
        Whether ``page`` and ``size`` are read.
    rows
        Rows of a JSON page when none is asked for.
    heavy
        Computed apart, a few at a time.
    cost
        Tokens taken from the bucket of the client.
    seconds
        Cap of time.
    by_content
        The tag depends on more than the snapshot and the query: it is made from the answer.
    """

    id: str
    path: str
    summary: str
    description: str
    tag: str
    handler: Handler
    model: type[BaseModel] | None
    inside: tuple[Parameter, ...] = ()
    query: tuple[Parameter, ...] = ()
    formats: tuple[str, ...] = ("json",)
    paged: bool = False
    rows: int = 100
    heavy: bool = False
    cost: float = 1.0
    seconds: float = 10.0
    by_content: bool = False

    @cached_property
    def parameters(self) -> tuple[Parameter, ...]:
        """Every parameter of the query, pages and format included."""
        pages = (_PAGE, _SIZE) if self.paged else ()
        several = len(self.formats) > 1
        choice = Parameter(
            "format", "Format de la réponse ; à défaut, celui de l'en-tête Accept.", choices=self.formats
        )
        return (*self.query, *pages, *((choice,) if several else ()))

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Expression that recognises the path."""
        parts = re.split(r"\{(\w+)\}", self.path)
        texts = [f"(?P<{part}>[^/]+?)" if index % 2 else re.escape(part) for index, part in enumerate(parts)]
        return re.compile("".join(texts) + r"\Z", re.DOTALL)


_PAGE = Parameter("page", "Numéro de la page, à partir de 1.", "integer", default=1, minimum=1, maximum=1_000_000)
_SIZE = Parameter(
    "size",
    f"Lignes par page : 1 000 au plus en JSON (100 par défaut pour les longues listes), {MOST_ROWS} dans un fichier.",
    "integer",
    minimum=1,
    maximum=MOST_ROWS,
)
_COMMUNE = Parameter(
    "code", "Code Insee de la commune ; celui d'une commune fusionnée mène à celle qu'elle a rejointe.",
    pattern=r"0[1-9]\d{3}|[1-9]\d{3}|[1-8]\d{4}|9[0-57-8]\d{3}|2[ABab]\d{3}", longest=5, example="12145",
    advice="un code commune Insee a cinq caractères : 01004, 2A004, 97411… ; cherchez-le par le nom : "
    f"{PREFIX}/communes?q=…",
)  # fmt: skip


def _upper(text: str) -> str:
    return text.upper()


_DEPARTEMENT = Parameter(
    "departement", "Code du département.", pattern=r"0[1-9]|[1-8]\d|9[0-5]|2[ABab]|9[78]\d", longest=3, example="12",
    parse=_upper,
)  # fmt: skip
_REGION = Parameter("region", "Code de la région.", pattern=r"\d{2}", longest=2, example="76")
_EPCI = Parameter("epci", "Numéro Siren de l'intercommunalité.", pattern=r"\d{9}", longest=9, example="241200567")
_PVD = Parameter("pvd", "Seulement les Petites Villes de demain (true), ou les autres (false).", "boolean")
_THEME = Parameter("theme", "Thème des indicateurs.", choices=tuple(THEMES))
_INDICATOR = Parameter(
    "indicator", "Identifiant de l'indicateur.", pattern=r"[a-z_]+\.[a-z0-9_]+", longest=80, example="population.total"
)
_LEVEL = Parameter("level", "Niveau géographique.", choices=LEVELS, default="commune", example="departement")


def _with(item: Parameter, **changed: Any) -> Parameter:  # noqa: ANN401 - any attribute
    return Parameter(**{**vars(item), **changed})


def _bbox(text: str) -> Box:
    west, south, east, north = (float(part) for part in text.split(","))
    if not (-180 <= west <= east <= 180 and -90 <= south <= north <= 90):
        raise InvalidParameterError(
            "Le cadre « bbox » sort du monde ou est à l'envers.",
            where="bbox",
            next_step="écrivez ouest,sud,est,nord en degrés, par exemple bbox=2.9,44.0,3.3,44.2",
        )
    return Box(west, south, east, north)


_NUMBER = r"-?\d{1,3}(?:\.\d{1,12})?"
_BBOX = Parameter(
    "bbox", "Cadre : ouest, sud, est, nord, en degrés.", pattern=rf"{_NUMBER}(?:,{_NUMBER}){{3}}", parse=_bbox,
    example="2.9,44.0,3.3,44.2",
)  # fmt: skip
_FILTERS = (_DEPARTEMENT, _REGION, _EPCI, _PVD)
_Q = Parameter("q", "Nom (accents facultatifs), code postal ou code Insee.", longest=100, example="millau")

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "communes", "/communes", "Chercher et lister les communes",
        "Toutes les communes de la géographie de référence, ou celles qui répondent aux filtres. Avec « q », les "
        "meilleures réponses viennent d'abord ; sinon, l'ordre est celui des codes.",
        "Communes", communes.communes, models.CommuneRow, query=(_Q, *_FILTERS), formats=ROWS, paged=True,
    ),
    Operation(
        "commune_at", "/communes/at", "Trouver la commune d'un point",
        "La commune dont le contour contient le point ; sur une limite, celle du plus petit code.",
        "Communes", communes.commune_at, models.Commune,
        query=(
            Parameter("lon", "Longitude, en degrés.", "number", required=True, minimum=-180, maximum=180, example=3.08),
            Parameter("lat", "Latitude, en degrés.", "number", required=True, minimum=-90, maximum=90, example=44.1),
        ),
    ),
    Operation(
        "commune", "/communes/{code}", "Lire l'identité d'une commune",
        "Nom, territoires, population, mairie, conseil municipal, programme Petites Villes de demain.",
        "Communes", communes.commune, models.Commune, inside=(_COMMUNE,),
    ),
    Operation(
        "commune_values", "/communes/{code}/values", "Lire les valeurs d'une commune",
        "Tous les indicateurs de la commune, chacun avec son statut, son texte et ses sources.",
        "Valeurs", communes.commune_values, models.Value, inside=(_COMMUNE,),
        query=(_THEME, _with(_INDICATOR, most=50)), formats=ROWS, paged=True, rows=1_000,
    ),
    Operation(
        "portrait", "/communes/{code}/portrait", "Lire le portrait d'une commune",
        "Le document complet : fiches de valeur, comparaisons, villes semblables, particularités.",
        "Communes", communes.portrait, models.Portrait, inside=(_COMMUNE,), cost=5,
    ),
    Operation(
        "similar", "/communes/{code}/similar", "Trouver les villes semblables",
        "Les communes les plus proches par leur structure, et pourquoi.",
        "Comparaisons", communes.similar, models.Similar, inside=(_COMMUNE,),
        query=(Parameter("k", "Nombre de villes.", "integer", default=20, minimum=1, maximum=100),),
        formats=ROWS, paged=True, cost=2,
    ),
    Operation(
        "access", "/communes/{code}/access", "Lire les temps d'accès d'une commune",
        "Temps des habitants jusqu'à l'équipement le plus proche d'une famille, par les rues d'un réseau installé. "
        "Sans réseau qui couvre la commune : problème « reseau-absent » (404).",
        "Comparaisons", maps.access, models.Access, inside=(_COMMUNE,),
        query=(
            Parameter("mode", "À pied, à vélo ou en voiture.", choices=("foot", "bike", "car"), default="foot"),
            Parameter("to", "Famille d'équipements, par identifiant ou nom français.", required=True, longest=60,
                      example="pharmacie"),
            Parameter("limit", "Plus long trajet étudié, en minutes.", "integer", default=30, minimum=1, maximum=60),
        ),
        heavy=True, cost=20, seconds=20.0, by_content=True,
    ),
    Operation(
        "values", "/values", "Lire un indicateur pour tous les territoires d'un niveau",
        "Les valeurs d'un indicateur, par code ; pour les communes, les filtres de la liste des communes.",
        "Valeurs", territories.indicator_values, models.Value,
        query=(
            _with(_INDICATOR, required=True), _LEVEL, *_FILTERS,
            Parameter("code", "Code de territoire, à répéter.", pattern=r"[0-9A-Za-z]{2,9}", longest=9, most=100,
                      example="12145", parse=_upper),
        ),
        formats=ROWS, paged=True, cost=2,
    ),
    Operation(
        "compare", "/compare", "Comparer des communes",
        f"Les mêmes indicateurs pour 2 à {MOST_TOWNS} communes, côte à côte.",
        "Comparaisons", communes.compare, models.Value,
        query=(_with(_COMMUNE, required=True, most=MOST_TOWNS, parse=parse_commune_code), _THEME),
        formats=ROWS, paged=True, cost=2, rows=1_000,
    ),
    Operation(
        "indicators", "/indicators", "Lister les indicateurs", "Les indicateurs déclarés : formule, unité, limites.",
        "Catalogue", territories.indicators, models.Indicator, query=(_THEME, _with(_LEVEL, default=None)),
        formats=ROWS, paged=True, rows=1_000,
    ),
    Operation(
        "indicator", "/indicators/{id}", "Lire la déclaration d'un indicateur", "Et l'adresse de ses valeurs.",
        "Catalogue", territories.indicator, models.IndicatorDetail, inside=(_with(_INDICATOR, name="id"),),
    ),
    Operation(
        "sources", "/sources", "Lister les sources", "Les sources du catalogue et ce que l'instantané en a lu.",
        "Catalogue", territories.sources, models.Source,
        query=(Parameter("read", "Seulement celles que l'instantané a lues (true), ou les autres.", "boolean"),),
        formats=ROWS, paged=True,
    ),
    Operation(
        "source", "/sources/{id}", "Lire une source", "Sa description, les fichiers lus et leurs sommes de contrôle.",
        "Catalogue", territories.source, models.SourceDetail,
        inside=(
            Parameter("id", "Identifiant de la source.", pattern=r"[a-z][a-z0-9_]*", longest=60, example="basilic"),
        ),
    ),
    Operation(
        "territories", "/territories/{level}", "Lister les territoires d'un niveau",
        "Code, nom, nombre de communes et population.", "Catalogue", territories.territories, models.Territory,
        inside=(_with(_LEVEL, default=None),), formats=ROWS, paged=True, rows=1_000,
    ),
    Operation(
        "places", "/places", "Lister les lieux culturels", "Dans un cadre, une commune ou un département.",
        "Cartes", maps.places, models.Place,
        query=(
            _BBOX, _with(_COMMUNE, name="commune", parse=parse_commune_code), _DEPARTEMENT,
            Parameter("type", "Type de lieu, à répéter.", most=20, example="Cinéma"),
            Parameter("category", "Catégorie, à répéter.", most=5, example="patrimoine"),
        ),
        formats=("geojson", "csv", "parquet"), paged=True, cost=2,
    ),
    Operation(
        "geo", "/geo/{level}.geojson", "Lire des contours avec un indicateur",
        "Contours simplifiés. Ceux des communes se demandent département par département.",
        "Cartes", maps.geo, None,
        inside=(Parameter("level", "Niveau.", choices=("commune", "epci", "departement", "region"),
                          example="departement"),),
        query=(_INDICATOR, _DEPARTEMENT, _REGION), formats=("geojson",), heavy=True, cost=5, seconds=20.0,
    ),
    Operation(
        "tiles", "/tiles/{z}/{x}/{y}.mvt", "Lire une tuile vectorielle",
        "Communes à partir du zoom 7, départements en deçà ; format Mapbox Vector Tile 2, couche « communes » ou "
        "« departements ».",
        "Cartes", maps.tile, None,
        inside=(
            Parameter("z", "Zoom.", "integer", minimum=0, maximum=MOST_ZOOM, example=7),
            Parameter("x", "Colonne.", "integer", minimum=0, maximum=2**MOST_ZOOM - 1, example=65),
            Parameter("y", "Ligne.", "integer", minimum=0, maximum=2**MOST_ZOOM - 1, example=46),
        ),
        query=(_INDICATOR,), formats=("mvt",), cost=0.5,
    ),
)  # fmt: skip
