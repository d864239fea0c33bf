"""Errors of the API: French problem documents (RFC 9457, ``application/problem+json``)."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass

from bourg.access.network.errors import NetworkFolderError
from bourg.errors import (
    BourgError,
    MalformedCodeError,
    ParameterError,
    UnknownIndicatorError,
    UnknownTerritoryError,
)

PREFIX = "/api/v1"
MEDIA = "application/problem+json"
_RETRY_S = 30


@dataclass(frozen=True)
class Kind:
    """One type of problem: name in its address, HTTP status, French title and explanation."""

    slug: str
    status: int
    title: str
    meaning: str


KINDS = {
    kind.slug: kind
    for kind in (
        Kind("parametre-inconnu", 422, "Paramètre inconnu", "L'adresse porte un paramètre que cette route n'a pas."),
        Kind("parametre-manquant", 422, "Paramètre manquant", "La route a besoin d'un paramètre de plus."),
        Kind("parametre-invalide", 422, "Paramètre invalide", "Un paramètre a une valeur qui n'est pas permise."),
        Kind("code-illisible", 422, "Code illisible", "Le texte donné ne peut pas être le code d'un territoire."),
        Kind("adresse-inconnue", 404, "Adresse inconnue", "Aucune route n'a cette adresse."),
        Kind("territoire-inconnu", 404, "Territoire inconnu", "Le code est bien formé, mais ne désigne rien."),
        Kind("indicateur-inconnu", 404, "Indicateur inconnu", "Aucun indicateur n'a cet identifiant."),
        Kind("source-inconnue", 404, "Source inconnue", "Aucune source n'a cet identifiant."),
        Kind("page-inconnue", 404, "Page inconnue", "La liste a moins de pages que le numéro demandé."),
        Kind("sans-donnee", 404, "Sans donnée", "L'instantané en service ne contient pas cette donnée."),
        Kind("reseau-absent", 404, "Réseau de rues absent", "Aucun réseau de rues installé ne couvre la commune."),
        Kind("methode-refusee", 405, "Méthode refusée", "L'API ne se lit qu'avec GET, HEAD et OPTIONS."),
        Kind("format-refuse", 406, "Format refusé", "La route ne sait pas répondre dans le format demandé."),
        Kind("reponse-trop-grosse", 413, "Réponse trop grosse", "Elle dépasserait les lignes ou les octets permis."),
        Kind("adresse-trop-longue", 414, "Adresse trop longue", "L'adresse dépasse la longueur permise."),
        Kind("trop-de-demandes", 429, "Trop de demandes", "Une limite est atteinte : réessayez plus tard."),
        Kind("delai-depasse", 429, "Délai dépassé", "Le calcul dure trop : demandez moins, ou plus tard."),
        Kind("instantane-absent", 503, "Données indisponibles", "Aucun instantané utilisable n'est en service."),
    )
}  # fmt: skip


class ApiError(BourgError):
    """An error that the API itself raises; a subclass may name its type of problem."""

    slug = "parametre-invalide"
    retry_after: int | None = None

    def __init_subclass__(cls, *, slug: str | None = None) -> None:
        super().__init_subclass__()
        cls.slug = slug or cls.slug


class UnknownParameterError(ApiError, ParameterError, slug="parametre-inconnu"):
    """A parameter that the route does not have."""


class MissingParameterError(ApiError, ParameterError, slug="parametre-manquant"):
    """A parameter that the route needs."""


class InvalidParameterError(ApiError, ParameterError):
    """A parameter out of its values."""


class UnknownAddressError(ApiError, LookupError, slug="adresse-inconnue"):
    """An address without a route."""


class UnknownSourceError(ApiError, LookupError, slug="source-inconnue"):
    """A source that the catalogue does not have."""


class UnknownPageError(ApiError, LookupError, slug="page-inconnue"):
    """A page after the last one."""


class NoDataError(ApiError, LookupError, slug="sans-donnee"):
    """Something that the snapshot in service does not hold."""


class MissingNetworkError(ApiError, LookupError, slug="reseau-absent"):
    """No street network covers the commune."""


class RefusedMethodError(ApiError, ValueError, slug="methode-refusee"):
    """Another method than GET, HEAD and OPTIONS."""


class RefusedFormatError(ApiError, ValueError, slug="format-refuse"):
    """A format that the route does not give."""


class TooLargeError(ApiError, ValueError, slug="reponse-trop-grosse"):
    """An answer over the caps of rows or bytes."""


class TooLongError(ApiError, ValueError, slug="adresse-trop-longue"):
    """An address over the cap of length."""


class TooManyError(ApiError, RuntimeError, slug="trop-de-demandes"):
    """More requests than a client, or the server, may have; ``retry_after`` in seconds."""

    def __init__(self, what: str, *, wait: float, why: str = "", next_step: str = "") -> None:
        self.retry_after = max(1, math.ceil(wait))
        super().__init__(what, why=why, next_step=next_step or f"réessayez dans {self.retry_after} s.")


class TooSlowError(TooManyError, slug="delai-depasse"):
    """A computation over its cap of time."""


# The first class that fits gives the type.
_CLASSES: tuple[tuple[type[BourgError], str], ...] = (
    (MalformedCodeError, "code-illisible"),
    (UnknownIndicatorError, "indicateur-inconnu"),
    (UnknownTerritoryError, "territoire-inconnu"),
    (NetworkFolderError, "instantane-absent"),
)


def kind_of(error: BourgError) -> Kind:
    """Return the type of problem of a typed error."""
    if isinstance(error, ApiError):
        return KINDS[error.slug]
    if error.http_status == KINDS["reponse-trop-grosse"].status:
        return KINDS["reponse-trop-grosse"]
    if error.http_status >= 500:
        return KINDS["instantane-absent"]
    return KINDS[next((slug for known, slug in _CLASSES if isinstance(error, known)), "parametre-invalide")]


def problem(error: BourgError, instance: str) -> tuple[int, dict[str, str], bytes]:
    """Return status, headers and body of the answer to a typed error; never a stack trace nor a folder's name.

    Parameters
    ----------
    instance
        Path asked for.
    """
    kind = kind_of(error)
    unavailable = kind.slug == "instantane-absent"
    content = {
        "type": f"{PREFIX}/#{kind.slug}",
        "title": kind.title,
        "status": kind.status,
        "detail": error.what,
        "instance": instance[:200],
        # What a server lacks is told to its keeper (bourg doctor), not its folders to the world.
        "ou": "" if unavailable else error.where,
        "pourquoi": kind.meaning if unavailable or not error.why else error.why,
        "que_faire": error.next_step or f"lisez la description de la route : {PREFIX}/",
    }
    headers = {"Cache-Control": "no-store"}
    retry = error.retry_after if isinstance(error, ApiError) else _RETRY_S if unavailable else None
    if retry is not None:
        headers["Retry-After"] = str(retry)
    return kind.status, headers, json.dumps(content, ensure_ascii=False).encode()
