"""The catalogue of what is published, in DCAT-AP 3: data.gouv.fr and data.europa.eu harvest it.

Profile: DCAT-AP 3.0 (SEMIC, https://semiceu.github.io/DCAT-AP/releases/3.0.0/), with the vocabularies of the
Publications Office of the European Union (themes, languages, frequencies, file types, countries).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Literal

from rdflib import Graph, URIRef
from rdflib import Literal as Text
from rdflib.namespace import DCAT, DCTERMS, FOAF, PROV, RDF, XSD, Namespace

from bourg.errors import ParameterError
from bourg.opendata.package import DESCRIPTOR, LICENCES, available
from bourg.opendata.resources import Published
from bourg.portrait.observatory import Observatory
from bourg.sources.model import load_catalogue

VCARD = Namespace("http://www.w3.org/2006/vcard/ns#")
DCATAP = Namespace("http://data.europa.eu/r5r/")
_EU = "http://publications.europa.eu/resource/authority"
_FRENCH = URIRef(f"{_EU}/language/FRA")
_FRANCE = URIRef(f"{_EU}/country/FRA")
_ADDRESS = re.compile(r"https?://[^\s/?#<>\"'\\]+(?:/[^\s?#<>\"'\\]*)?\Z")
_MAIL = re.compile(r"[^\s@<>\"']+@[^\s@<>\"']+\.[^\s@<>\"']+\Z")
Syntax = Literal["turtle", "json-ld"]
MEDIA: dict[Syntax, str] = {"turtle": "text/turtle", "json-ld": "application/ld+json"}
_TITLE = "Bourg, l'observatoire ouvert des petites villes"


@dataclass(frozen=True)
class Publisher:
    """Who publishes, as the catalogue says it.

    Attributes
    ----------
    name
        Name of the body: a commune, an agency, an association.
    address
        Public address of the installation, without the last slash.
    contact
        Mail address for questions on the data; a service's, not a person's. Empty for none.
    """

    name: str
    address: str
    contact: str = ""

    def checked(self) -> Publisher:
        """Return the publisher with a tidy address.

        Raises
        ------
        ParameterError
            When the name is empty, or the address or the mail is not one.
        """
        if not self.name.strip():
            raise ParameterError("Le nom de l'éditeur est vide.", next_step="donnez-le : --editeur « Ville de … ».")
        if not _ADDRESS.match(self.address):
            raise ParameterError(
                f"« {self.address[:80]} » n'est pas une adresse publique.",
                next_step="donnez l'adresse où les données sont en ligne : --adresse https://….",
            )
        if self.contact and not _MAIL.match(self.contact):
            raise ParameterError(
                f"« {self.contact[:80]} » n'est pas une adresse électronique.",
                next_step="donnez celle d'un service, ou aucune.",
            )
        return Publisher(self.name.strip(), self.address.rstrip("/"), self.contact)


def catalogue(observatory: Observatory, publisher: Publisher, syntax: Syntax = "turtle") -> bytes:
    """Return the DCAT-AP catalogue: every resource of the data package, the API, and where the figures come from.

    Parameters
    ----------
    observatory
        The snapshot published.
    publisher
        Who publishes it, and where.
    syntax
        ``turtle`` or ``json-ld``.

    Raises
    ------
    ParameterError
        When the publisher is not well described.
    """
    who = publisher.checked()
    graph = Graph()
    for prefix, space in {"dcat": DCAT, "dct": DCTERMS, "foaf": FOAF, "vcard": VCARD, "prov": PROV}.items():
        graph.bind(prefix, space)
    root = URIRef(f"{who.address}/catalogue")
    agent = _agent(graph, who)
    _titled(graph, root, DCAT.Catalog, _TITLE, "Jeux de données publiés par l'observatoire.")
    day = Text(observatory.snapshot.manifest["created"][:10], datatype=XSD.date)
    graph.add((root, DCTERMS.publisher, agent))
    graph.add((root, DCTERMS.modified, day))
    graph.add((root, DCTERMS.license, URIRef(LICENCES[0]["path"])))
    graph.add((root, FOAF.homepage, URIRef(who.address)))
    graph.add((root, DCTERMS.spatial, _FRANCE))
    sources = _sources(observatory)
    service = _service(graph, who, agent)
    graph.add((root, DCAT.service, service))
    for item in available(observatory.snapshot):
        dataset = _dataset(graph, who, item, demo=observatory.snapshot.demo)
        graph.add((root, DCAT.dataset, dataset))
        graph.add((dataset, DCTERMS.publisher, agent))
        graph.add((dataset, DCTERMS.modified, day))
        if who.contact:
            graph.add((dataset, DCAT.contactPoint, _contact(graph, who)))
        if item.name in ("values", "communes"):
            graph.add((service, DCAT.servesDataset, dataset))
            for page in sources:
                graph.add((dataset, DCTERMS.source, URIRef(page)))
    return _serialised(graph, syntax)


def _titled(graph: Graph, node: URIRef, kind: URIRef, title: str, description: str) -> None:
    graph.add((node, RDF.type, kind))
    graph.add((node, DCTERMS.title, Text(title, lang="fr")))
    graph.add((node, DCTERMS.description, Text(description.strip(), lang="fr")))
    graph.add((node, DCTERMS.language, _FRENCH))


def _agent(graph: Graph, who: Publisher) -> URIRef:
    agent = URIRef(f"{who.address}/#editeur")
    graph.add((agent, RDF.type, FOAF.Agent))
    graph.add((agent, FOAF.name, Text(who.name, lang="fr")))
    graph.add((agent, FOAF.homepage, URIRef(who.address)))
    return agent


def _contact(graph: Graph, who: Publisher) -> URIRef:
    contact = URIRef(f"{who.address}/#contact")
    graph.add((contact, RDF.type, VCARD.Organization))
    graph.add((contact, VCARD.fn, Text(who.name)))
    graph.add((contact, VCARD.hasEmail, URIRef(f"mailto:{who.contact}")))
    return contact


def _service(graph: Graph, who: Publisher, agent: URIRef) -> URIRef:
    service = URIRef(f"{who.address}/api/v1/")
    _titled(graph, service, DCAT.DataService, "API de l'observatoire", "Valeurs, indicateurs, sources et contours.")
    graph.add((service, DCAT.endpointURL, service))
    graph.add((service, DCAT.endpointDescription, URIRef(f"{who.address}/api/v1/openapi.json")))
    graph.add((service, DCTERMS.publisher, agent))
    graph.add((service, DCTERMS.license, URIRef(LICENCES[0]["path"])))
    return service


def _dataset(graph: Graph, who: Publisher, item: Published, *, demo: bool) -> URIRef:
    node = URIRef(f"{who.address}/catalogue#{item.name}")
    text = item.description.strip()
    if demo:
        text += " Une partie des valeurs est fabriquée pour la démonstration ; leur statut le dit."
    _titled(graph, node, DCAT.Dataset, item.title, text)
    graph.add((node, DCTERMS.identifier, Text(item.name)))
    graph.add((node, DCTERMS.spatial, _FRANCE))
    graph.add((node, DCTERMS.accrualPeriodicity, URIRef(f"{_EU}/frequency/IRREG")))
    graph.add((node, DCTERMS.accessRights, URIRef(f"{_EU}/access-right/PUBLIC")))
    for theme in item.themes:
        graph.add((node, DCAT.theme, URIRef(f"{_EU}/data-theme/{theme}")))
    for word in ("communes", "petites villes", item.title.lower()):
        graph.add((node, DCAT.keyword, Text(word, lang="fr")))
    parquet = item.geometry or item.file is not None
    name = f"{item.name}.{'parquet' if parquet else 'csv'}"
    media = "application/vnd.apache.parquet" if parquet else "text/csv"
    address = URIRef(f"{who.address}/donnees/data/{name}")
    graph.add((node, DCAT.distribution, address))
    graph.add((address, RDF.type, DCAT.Distribution))
    graph.add((address, DCTERMS.title, Text(f"{item.title} ({name})", lang="fr")))
    graph.add((address, DCAT.accessURL, address))
    graph.add((address, DCAT.downloadURL, address))
    graph.add((address, DCAT.mediaType, URIRef(f"https://www.iana.org/assignments/media-types/{media}")))
    graph.add((address, DCTERMS["format"], URIRef(f"{_EU}/file-type/{'PARQUET' if parquet else 'CSV'}")))
    graph.add((address, DCTERMS.license, URIRef(LICENCES[0]["path"])))
    graph.add((address, DCATAP.availability, URIRef(f"{_EU}/planned-availability/STABLE")))
    graph.add((address, DCTERMS.conformsTo, URIRef(f"{who.address}/donnees/{DESCRIPTOR}")))
    return node


def _sources(observatory: Observatory) -> list[str]:
    known = load_catalogue()
    read = {item["id"] for item in observatory.snapshot.manifest["sources"] if item["origin"] != "demo"}
    return sorted({known[name].landing_page for name in read if name in known})


def _serialised(graph: Graph, syntax: Syntax) -> bytes:
    if syntax == "turtle":
        return graph.serialize(format="turtle").encode()
    content = json.loads(graph.serialize(format="json-ld", auto_compact=True))
    # The order of a set is not kept from one process to the next.
    return (json.dumps(_ordered(content), ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode()


def _ordered(content: Any) -> Any:  # noqa: ANN401 - JSON
    if isinstance(content, dict):
        return {name: _ordered(value) for name, value in content.items()}
    if isinstance(content, list):
        return sorted((_ordered(value) for value in content), key=lambda value: json.dumps(value, sort_keys=True))
    return content
