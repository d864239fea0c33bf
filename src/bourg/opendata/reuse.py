"""The reuse card of data.gouv.fr: prepared and checked here, sent only when the user asks for it, with their own key.

Fields and closed lists: udata, the software of data.gouv.fr (``udata/core/reuse/constants.py`` and ``api_fields.py``).
A reuse that names no dataset is accepted there and then never shown (issue 2066 of data.gouv.fr): it is refused here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol, cast
from urllib.parse import urlsplit

from bourg.errors import BourgError, ParameterError
from bourg.portrait.observatory import Observatory
from bourg.sources.model import load_catalogue

TYPES = {
    "application": "application", "visualization": "visualisation", "api": "API", "post": "billet",
    "news_article": "article de presse", "paper": "publication", "idea": "idée", "hardware": "objet connecté",
}  # fmt: skip
TOPICS = (
    "society_and_demography", "economy_and_business", "culture_and_recreation", "environment_and_energy", "health",
    "transport_and_mobility", "housing_and_development", "politics_and_public_life", "open_data_tools", "others",
    "food_and_agriculture", "work_and_training", "safety_and_security", "education_and_research", "law_and_justice",
)  # fmt: skip
ENVIRONMENTS = ("www", "demo")
_LONGEST_TITLE = 350
_LONGEST_TEXT = 100_000
_PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".svg")
_PAGE = re.compile(r"https://(?:www\.)?data\.gouv\.fr/(?:fr/)?datasets/([^/?#]+)/?\Z")
_DATASET = re.compile(r"[0-9a-f]{24}|[a-z0-9][a-z0-9_-]{2,}")
_HINT = "la fiche d'un jeu de données : https://www.data.gouv.fr/datasets/…, ou son identifiant"


class SendingError(BourgError, OSError):
    """The card could not be sent: the client is missing, the key is refused, a dataset does not exist."""

    exit_code = 5
    http_status = 503

    __str__ = BourgError.__str__


class _Session(Protocol):
    def get(self, url: str) -> Any: ...  # noqa: ANN401

    def post(self, url: str, *, json: Any) -> Any: ...  # noqa: ANN401


@dataclass(frozen=True)
class ReuseCard:
    """What data.gouv.fr asks of a reuse.

    Attributes
    ----------
    title, description
        French texts; the description is Markdown.
    kind
        A key of :data:`TYPES`.
    topic
        One of :data:`TOPICS`.
    url
        Public address of the reuse.
    datasets
        Identifiers or slugs of the datasets it uses, at least one.
    image
        Public address of a picture, empty for none.
    tags
        Key words.
    """

    title: str
    description: str
    kind: str
    topic: str
    url: str
    datasets: tuple[str, ...]
    image: str = ""
    tags: tuple[str, ...] = ()

    def problems(self) -> list[str]:
        """Return, in French, everything that would make the card useless or refused; empty when it is good."""
        found = []
        if not self.datasets:
            found.append(f"aucun jeu de données n'est lié, la réutilisation ne serait jamais affichée ; donnez {_HINT}")
        found += [f"« {item[:80]} » n'est pas {_HINT}" for item in self.datasets if not _DATASET.fullmatch(item)]
        if not 1 <= len(self.title.strip()) <= _LONGEST_TITLE:
            found.append(f"le titre doit avoir de 1 à {_LONGEST_TITLE} caractères")
        if not 1 <= len(self.description.strip()) <= _LONGEST_TEXT:
            found.append("la description est vide ou trop longue")
        if self.kind not in TYPES:
            found.append(f"le type « {self.kind[:40]} » n'existe pas ; types : {', '.join(TYPES)}")
        if self.topic not in TOPICS:
            found.append(f"le thème « {self.topic[:40]} » n'existe pas ; thèmes : {', '.join(TOPICS)}")
        if not _public(self.url):
            found.append(f"l'adresse « {self.url[:80]} » n'est pas publique (https://…)")
        if self.image and not (_public(self.image) and urlsplit(self.image).path.lower().endswith(_PICTURES)):
            found.append(f"l'image « {self.image[:80]} » n'est pas l'adresse publique d'une image")
        return found

    def checked(self) -> ReuseCard:
        """Return the card itself.

        Raises
        ------
        ParameterError
            When it has problems; the message names them all.
        """
        if problems := self.problems():
            raise ParameterError(
                "La fiche de réutilisation n'est pas bonne : rien n'a été envoyé.", why=" ; ".join(problems) + ".",
                next_step="corrigez ces points, puis relancez sans --envoyer pour relire la fiche.",
            )  # fmt: skip
        return self

    def payload(self, datasets: Sequence[str] | None = None) -> dict[str, Any]:
        """Return the body of ``POST /api/1/reuses/``; ``datasets`` are identifiers, the card's own by default."""
        content: dict[str, Any] = {
            "title": self.title.strip(), "description": self.description.strip(), "type": self.kind,
            "topic": self.topic, "url": self.url, "tags": list(self.tags),
            "datasets": [{"class": "Dataset", "id": item} for item in datasets or self.datasets],
        }  # fmt: skip
        if self.image:
            content["image_url"] = self.image
        return content


def _public(address: str) -> bool:
    parts = urlsplit(address)
    host = parts.hostname or ""
    return parts.scheme == "https" and "." in host and not re.fullmatch(r"[\d.]+", host) and " " not in address


def dataset_of(text: str) -> str:
    """Return the slug or the identifier of a dataset, from itself or from the address of its page."""
    found = _PAGE.match(text.strip())
    return found.group(1) if found else text.strip()


def linked_datasets(observatory: Observatory) -> tuple[str, ...]:
    """Return the datasets of data.gouv.fr that the snapshot really read, from the pages of the catalogue."""
    known = load_catalogue()
    read = sorted({item["id"] for item in observatory.snapshot.manifest["sources"] if item["origin"] != "demo"})
    pages = [known[name].landing_page for name in read if name in known]
    return tuple(dict.fromkeys(dataset_of(page) for page in pages if _PAGE.match(page)))


def send(card: ReuseCard, key: str, environment: str = "demo") -> str:
    """Send the card with the official client, and return the address of the page made.

    Parameters
    ----------
    card
        The card; it is checked first.
    key
        The user's own API key; never kept, never shown.
    environment
        ``demo`` (demo.data.gouv.fr, to try) or ``www``.

    Raises
    ------
    ParameterError
        When the card has problems, the key is empty, or the environment does not exist.
    SendingError
        When the client is not installed, a dataset does not exist, or data.gouv.fr refuses.
    """
    card.checked()
    if environment not in ENVIRONMENTS:
        raise ParameterError(
            f"« {environment[:20]} » n'existe pas.", next_step=f"choisissez {' ou '.join(ENVIRONMENTS)}."
        )
    if not key.strip():
        raise ParameterError(
            "La clé d'API de data.gouv.fr manque.", next_step="donnez-la dans la variable BOURG_DATAGOUV_KEY."
        )
    try:
        library = cast("Any", import_module("datagouv"))
    except ImportError as error:
        raise SendingError(
            "Le client officiel de data.gouv.fr n'est pas installé.", why=str(error),
            next_step="installez-le : pip install datagouv-client.",
        ) from error  # fmt: skip
    try:
        client = library.Client(environment, api_key=key.strip(), verbose=False)
        session: _Session = client.session
        # A slug is followed to its identifier, and a dataset that does not exist stops everything.
        identifiers = [
            str(_content(session.get(f"{client.base_url}/api/1/datasets/{item}/"))["id"]) for item in card.datasets
        ]
        made = _content(session.post(f"{client.base_url}/api/1/reuses/", json=card.payload(identifiers)))
    except (OSError, ValueError, KeyError) as error:
        why = str(error).replace(key.strip(), "***")[:300]
        raise SendingError(
            "data.gouv.fr n'a pas pris la fiche.", where=f"{environment}.data.gouv.fr", why=why or type(error).__name__,
            next_step="vérifiez la clé, les jeux de données liés et la connexion ; rien n'a été changé ici.",
        ) from error  # fmt: skip
    return str(made.get("page") or made.get("uri") or client.base_url)


def _content(answer: Any) -> dict[str, Any]:  # noqa: ANN401 - the client is optional and not typed
    answer.raise_for_status()
    found: dict[str, Any] = answer.json()
    return found
