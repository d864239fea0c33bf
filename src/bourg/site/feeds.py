"""What programs read of a whole site: its news (Atom and JSON Feed), the map of its pages, the file for robots."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from xml.sax.saxutils import escape

from bourg.portrait.observatory import Observatory
from bourg.site.layout import FEED
from bourg.sources.model import load_catalogue
from bourg.text import format_date

JSON_FEED = "nouveautes.json"
SITEMAP = "sitemap.xml"
LOCAL = "http://localhost:8000/"
TITLE = "Bourg, l’observatoire des petites villes"
# The format allows no more addresses in one file.
_MOST = 50_000
_ORIGINS = {"demo": " (données de démonstration)"}


def _stamp(observatory: Observatory) -> str:
    when: str = observatory.snapshot.manifest["created"]
    return when if when.endswith("Z") or "+" in when else f"{when}Z"


def news(observatory: Observatory, address: str, count: str) -> list[dict[str, str]]:
    """Return the news of a site: its snapshot, then each source it read.

    The id of a source holds the hash of what was read: a reader of the feed is told of a source again only when its
    content changed, and the same snapshot always gives the same news.

    Parameters
    ----------
    address
        Address of the site, ending with ``/``.
    count
        French count of its communes.
    """
    manifest = observatory.snapshot.manifest
    day = format_date(manifest["created"][:10])
    entries = [{
        "id": f"{address}#{observatory.snapshot.id}", "title": f"Nouvel instantané du {day} : {count}",
        "link": address, "text": f"Géographie au 1er janvier {manifest['cog']}.",
    }]  # fmt: skip
    catalogue = load_catalogue()
    for item in sorted(observatory.sources(), key=lambda one: (one["id"], one["resource"])):
        known = catalogue.get(item["id"])
        title = known.title if known else item["id"]
        part = "" if item["resource"] in ("national", "", "courant") else f", {item['resource']}"
        vintage = f", millésime {item['vintage']}" if item["vintage"] else ""
        entries.append({
            "id": f"{address}#source-{item['id']}-{item['resource']}-{item['sha256'][:16]}",
            "title": f"Source mise à jour : {title}{_ORIGINS.get(item['origin'], '')}",
            "link": f"{address}methode/", "text": f"{title}{part}{vintage}.",
        })  # fmt: skip
    return entries


def atom(observatory: Observatory, entries: Sequence[dict[str, str]], address: str) -> bytes:
    """Return the news as an Atom feed (RFC 4287)."""
    stamp = _stamp(observatory)
    rows = "".join(
        f"<entry><title>{escape(item['title'])}</title><id>{escape(item['id'])}</id>"
        f'<link href="{escape(item["link"])}"/><updated>{stamp}</updated>'
        f"<summary>{escape(item['text'])}</summary></entry>\n"
        for item in entries
    )
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="fr">\n'
        f"<title>{TITLE}</title><id>{escape(address)}</id>\n"
        f'<link rel="self" href="{escape(address)}{FEED}"/><link href="{escape(address)}"/>\n'
        f"<updated>{stamp}</updated><author><name>Bourg</name></author>\n{rows}</feed>\n"
    ).encode()


def json_feed(observatory: Observatory, entries: Sequence[dict[str, str]], address: str) -> bytes:
    """Return the news as a JSON Feed (version 1.1)."""
    stamp = _stamp(observatory)
    content: dict[str, Any] = {
        "version": "https://jsonfeed.org/version/1.1", "title": TITLE, "home_page_url": address,
        "feed_url": f"{address}{JSON_FEED}", "language": "fr",
        "items": [
            {"id": item["id"], "url": item["link"], "title": item["title"], "content_text": item["text"],
             "date_published": stamp}
            for item in entries
        ],
    }  # fmt: skip
    return json.dumps(content, ensure_ascii=False, indent=1).encode()


def sitemaps(address: str, names: Sequence[str], day: str, most: int = _MOST) -> dict[str, bytes]:
    """Return the map of the site: every page but the error page, in several files under an index when they are many.

    Parameters
    ----------
    address
        Address of the site, ending with ``/``.
    names
        Paths of the files of the site.
    day
        ISO date of the snapshot, which every page was made from.
    most
        Most addresses in one file.
    """
    pages = sorted(name.removesuffix("index.html") for name in names if name.endswith("index.html"))
    base = address or LOCAL
    parts = [pages[start : start + most] for start in range(0, len(pages), most)]
    if len(parts) <= 1:
        return {SITEMAP: _listed("urlset", "url", [base + page for page in pages], day)}
    files = {f"sitemap-{index}.xml": _listed("urlset", "url", [base + page for page in part], day)
             for index, part in enumerate(parts, 1)}  # fmt: skip
    return {SITEMAP: _listed("sitemapindex", "sitemap", [base + name for name in files], day), **files}


def _listed(root: str, item: str, addresses: Sequence[str], day: str) -> bytes:
    rows = "".join(f"<{item}><loc>{escape(one)}</loc><lastmod>{day}</lastmod></{item}>\n" for one in addresses)
    return (
        f'<?xml version="1.0" encoding="utf-8"?>\n<{root} xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n'
        f"{rows}</{root}>\n"
    ).encode()


def robots(address: str) -> bytes:
    """Return the file for robots: everything may be read."""
    return f"User-agent: *\nAllow: /\nSitemap: {address or LOCAL}{SITEMAP}\n".encode()
