"""The page of the API for people: plain HTML, no script, nothing from elsewhere."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from html import escape
from urllib.parse import urlencode

from bourg.text import join_words
from bourg.web.api.formats import FORMATS
from bourg.web.api.operations import OPERATIONS, Operation
from bourg.web.api.problems import KINDS, PREFIX

_STYLE = """
:root{color-scheme:light dark;--text:#1b1b1b;--page:#fff;--soft:#f3f3ef;--line:#767676;--link:#0b4f8a}
@media (prefers-color-scheme:dark){:root{--text:#ececec;--page:#16181a;--soft:#24272a;--line:#8d9296;--link:#8cc4ff}}
body{margin:0 auto;padding:1rem;max-width:62rem;font:1rem/1.55 system-ui,sans-serif;color:var(--text);
background:var(--page)}
a{color:var(--link)}a:focus-visible{outline:3px solid currentColor;outline-offset:2px}
.skip{position:absolute;left:-99rem}.skip:focus{position:static}
h1,h2,h3{line-height:1.25}h3{margin-bottom:.2rem}
code{background:var(--soft);padding:.1rem .3rem;overflow-wrap:anywhere}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%}
th,td{border:1px solid var(--line);padding:.3rem .5rem;text-align:left;vertical-align:top}
"""
INDEX_POLICY = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'; "
    f"style-src 'sha256-{base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()}'"
)
_RULES = (
    "Aucune clé, aucun compte : tout se lit avec GET, de n'importe quel site (CORS).",
    "Une valeur va toujours avec son statut ; manquante, secrète ou sans objet, elle est nulle, jamais zéro.",
    "Une valeur de démonstration porte « demo », et la réponse un avertissement.",
    "Chaque réponse nomme l'instantané, les sources et leurs licences.",
    "Les listes se parcourent avec page et size (ou l'en-tête Link) ; format=csv et format=parquet : des fichiers.",
    "L'en-tête ETag, redonné dans If-None-Match, évite de recharger ce qui n'a pas changé.",
    "Au-delà d'un certain nombre de demandes par minute, le serveur répond 429 et dit quand revenir (Retry-After).",
)


def example(operation: Operation) -> str:
    """Return an address of the operation that answers."""
    path = operation.path
    for item in operation.inside:
        path = path.replace(f"{{{item.name}}}", str(item.example))
    if operation.id == "compare":
        return f"{PREFIX}{path}?code=12145&code=35236"
    chosen = {item.name: item.example for item in operation.query if item.required}
    if operation.id in ("communes", "places"):
        first = operation.query[0]
        chosen = {first.name: first.example}
    return f"{PREFIX}{path}" + (f"?{urlencode(chosen, safe=',')}" if chosen else "")


def _operation(operation: Operation) -> str:
    address = escape(example(operation))
    rows = "".join(
        f"<tr><th scope='row'><code>{escape(item.name)}</code></th><td>{escape(item.description)}"
        f"{' <strong>Obligatoire.</strong>' if item.required or item in operation.inside else ''}"
        f"{' Valeurs : ' + escape(', '.join(item.choices)) + '.' if item.choices else ''}</td></tr>"
        for item in (*operation.inside, *operation.parameters)
    )
    label = escape(f"Paramètres : {operation.summary}", quote=True)
    table = (
        f"<div class='scroll' role='region' tabindex='0' aria-label='{label}'>"
        f"<table><thead><tr><th scope='col'>Paramètre</th><th scope='col'>Sens</th></tr></thead>"
        f"<tbody>{rows}</tbody></table></div>"
        if rows
        else ""
    )
    formats = join_words([FORMATS[form].media for form in operation.formats], "ou")
    return (
        f"<h3 id='{operation.id}'>{escape(operation.summary)}</h3>"
        f"<p><code>{escape(PREFIX + operation.path)}</code></p><p>{escape(operation.description)}</p>{table}"
        f"<p>Réponse : {escape(formats)}. Exemple : <a href='{address}'>{address}</a></p>"
    )


@cache
def index_page() -> bytes:
    """Return the page that presents the API."""
    tags = dict.fromkeys(operation.tag for operation in OPERATIONS)
    parts = [
        f"<section><h2>{escape(tag)}</h2>"
        + "".join(_operation(operation) for operation in OPERATIONS if operation.tag == tag)
        + "</section>"
        for tag in tags
    ]
    problems = "".join(
        f"<tr id='{kind.slug}'><th scope='row'><code>{kind.slug}</code></th><td>{kind.status}</td>"
        f"<td>{escape(kind.title)}. {escape(kind.meaning)}</td></tr>"
        for kind in KINDS.values()
    )
    rules = "".join(f"<li>{escape(rule)}</li>" for rule in _RULES)
    html = (
        "<!doctype html><html lang='fr'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width,initial-scale=1'>"
        "<title>API de Bourg, l'observatoire des petites villes</title>"
        f"<style>{_STYLE}</style></head><body><a class='skip' href='#contenu'>Aller au contenu</a>"
        "<header><p><a href='/'>Bourg, l'observatoire des petites villes</a></p></header>"
        "<main id='contenu'><h1>L'API ouverte de Bourg</h1>"
        "<p>Les données de l'observatoire, pour d'autres outils. La description pour les programmes est en "
        f"<a href='{PREFIX}/openapi.json'>{PREFIX}/openapi.json</a> (OpenAPI 3.1).</p>"
        f"<h2>Ce qu'il faut savoir</h2><ul>{rules}</ul>{''.join(parts)}"
        "<section><h2>Problèmes</h2><p>Une erreur est un document JSON (RFC 9457) : type, title, status, detail, "
        "instance, ou, pourquoi, que_faire.</p>"
        "<div class='scroll' role='region' tabindex='0' aria-label='Types de problèmes'><table>"
        "<thead><tr><th scope='col'>Type</th><th scope='col'>Statut HTTP</th><th scope='col'>Sens</th></tr></thead>"
        f"<tbody>{problems}</tbody></table></div></section></main></body></html>"
    )
    style, end, body = html.partition("</style>")
    # The style has a checksum: only the text gets its no-break spaces.
    for plain, fine in (("« ", "«\u00a0"), (" »", "\u00a0»"), (" : ", "\u00a0: "), (" ; ", "\u202f; ")):
        body = body.replace(plain, fine)
    return f"{style}{end}{body}".encode()
