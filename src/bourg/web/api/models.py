"""What the answers hold, as models: they make the schemas of the OpenAPI document, which tests check answers with."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Status = Annotated[
    Literal["ok", "missing", "secret", "not_applicable", "unreachable", "estimated", "demo"],
    Field(
        description="Statut de la valeur. « missing » (manquante), « secret », « not_applicable » (sans objet) et "
        "« unreachable » (non accessible) vont avec une valeur nulle, qui n'est jamais un zéro."
    ),
]
Level = Literal["commune", "epci", "departement", "region", "france"]
_Demo = Annotated[bool, Field(description="La valeur est fabriquée (démonstration) : elle ne dit rien du réel.")]
_Code = Annotated[str, Field(description="Code Insee de cinq caractères.")]
_Degrees = Annotated[float | None, Field(description="En degrés (WGS 84).")]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SnapshotInfo(_Model):
    """Instantané qui a servi à répondre."""

    id: str
    date: str
    cog: int = Field(description="Millésime du code officiel géographique.")
    bourg: str = Field(description="Version de Bourg qui l'a construit.")
    demo: bool = Field(description="L'instantané contient des sources de démonstration.")


class SourceNote(_Model):
    """Source d'une réponse."""

    id: str
    title: str
    producer: str
    vintage: str
    licence: str
    landing_page: str


class Meta(BaseModel):
    """Ce qui accompagne toute réponse : instantané, sources, licences, démonstration, pages."""

    model_config = ConfigDict(extra="allow")

    snapshot: SnapshotInfo
    demo: bool = Field(description="La réponse contient au moins une valeur de démonstration.")
    notice: str | None
    licence: list[str] = Field(description="Licences des sources de la réponse.")
    sources: list[SourceNote]


class PagedMeta(Meta):
    """Le même, avec les pages."""

    total: int
    page: int
    size: int
    pages: int
    links: dict[str, str]


class CommuneRow(_Model):
    """Commune d'une liste."""

    code: _Code
    name: str
    departement: str
    departement_name: str | None
    region: str
    region_name: str | None
    epci: str | None
    epci_name: str | None
    population: int | None
    population_year: int | None
    area_km2: float | None
    longitude: _Degrees
    latitude: _Degrees
    postal_codes: list[str]
    pvd: bool | None = Field(description="Petite Ville de demain ; nul quand aucune liste n'a été lue.")


class Named(_Model):
    """Territoire nommé."""

    code: str
    name: str | None


class Epci(Named):
    """Intercommunalité."""

    kind: str | None


class Pvd(_Model):
    """Programme Petites Villes de demain."""

    member: bool | None
    since: str | None
    demo: _Demo


class TownHall(_Model):
    """Mairie."""

    address: str | None
    phone: str | None
    website: str | None
    hours: list[str]
    longitude: _Degrees
    latitude: _Degrees


class Council(_Model):
    """Conseil municipal : des nombres, jamais de noms."""

    seats: int | None
    women: int | None
    deputies: int | None


class Commune(_Model):
    """Identité d'une commune."""

    code: _Code
    name: str
    departement: Named
    region: Named
    epci: Epci | None
    postal_codes: list[str]
    population: int | None
    population_year: int | None
    area_km2: float | None
    longitude: _Degrees
    latitude: _Degrees
    bbox: list[float] | None
    pvd: Pvd
    town_hall: TownHall
    council: Council | None
    links: dict[str, str]


class Value(_Model):
    """Valeur d'un indicateur pour un territoire."""

    indicator: str
    label: str
    theme: str
    unit: str
    level: Level
    code: str
    name: str | None
    period: str | None
    value: float | None
    text: str = Field(description="Texte français de la valeur, ou la raison de son absence.")
    status: Status
    demo: _Demo
    n: int | None = Field(description="Effectif qui fonde la valeur, quand il est connu et peut être dit.")
    source_ids: list[str] | None


class Similar(_Model):
    """Ville semblable par sa structure."""

    rank: int
    code: _Code
    name: str
    distance: float
    text: str
    reasons: list[str]
    main_difference: str | None
    missing: list[str]
    demo: _Demo


class Territory(_Model):
    """Territoire d'un niveau."""

    level: Level
    code: str
    name: str | None
    communes: int
    population: int | None = Field(description="Nulle quand une commune du territoire n'a pas de population connue.")


class Indicator(_Model):
    """Indicateur déclaré."""

    id: str
    label: str
    theme: str
    theme_label: str
    unit: str
    kind: str
    levels: list[Level]
    sources: list[str]
    direction: str
    decimals: int
    period: str
    formula: str
    limits: str = Field(description="Ce que ce chiffre ne dit pas.")
    secrecy: str | None
    secrecy_rule: str | None = Field(description="Règle de secret appliquée aux valeurs.")
    protected_count: str | None = Field(description="Dénombrement dont les cellules secrètes sont protégées.")
    series_break: str | None
    reference: str


class IndicatorDetail(Indicator):
    """Indicateur, avec les adresses de ses valeurs."""

    links: dict[str, str]


class Source(_Model):
    """Source du catalogue."""

    id: str
    title: str
    producer: str
    licence: str
    rhythm: str
    landing_page: str
    grain: str
    cog: int | None
    nature: str
    tables: list[str]
    caveats: list[str]
    read: bool = Field(description="L'instantané en service a lu cette source.")
    vintages: list[str]
    demo: bool


class SourceFile(_Model):
    """Fichier lu."""

    resource: str | None
    vintage: str | None
    origin: str | None
    file: str | None
    sha256: str | None


class SourceResource(_Model):
    """Ressource déclarée."""

    id: str
    vintage: str
    url: str | None
    coverage: str


class SourceDetail(Source):
    """Source, ses fichiers lus et ses ressources."""

    files: list[SourceFile]
    resources: list[SourceResource]


class Place(_Model):
    """Lieu culturel."""

    place_id: str | None
    name: str | None
    type: str | None
    category: str | None
    detail: str | None
    label: str | None
    address: str | None
    postal_code: str | None
    code: str | None
    commune: str | None
    demo: _Demo


class Portrait(BaseModel):
    """Portrait complet d'une commune : le document dont toutes les faces de Bourg sont tirées."""

    model_config = ConfigDict(extra="allow")

    commune: dict[str, Any]
    phrase: str
    indicateurs: list[dict[str, Any]]


class Access(BaseModel):
    """Temps d'accès des habitants d'une commune à une famille d'équipements."""

    model_config = ConfigDict(extra="allow")

    commune: str
    mode: Literal["foot", "bike", "car"]
    famille: dict[str, str]
    limite_min: float
    phrase: str
    resume: dict[str, Any]
    demonstration: bool


class Problem(_Model):
    """Problème (RFC 9457) : ce qui ne va pas, où, pourquoi, et que faire."""

    type: str = Field(description="Adresse de la description de ce type de problème.")
    title: str
    status: int
    detail: str
    instance: str
    ou: str
    pourquoi: str
    que_faire: str
