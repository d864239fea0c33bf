"""OpenStreetMap extracts (``.osm.pbf``, ``.osm``, ``.osm.gz``) read through pyosmium."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import osmium
from osmium.osm import NODE, RELATION, WAY, Node, Way

from bourg.access.network.errors import ExtractFormatError
from bourg.access.network.graph import MODES
from bourg.access.network.raw import Collector, Restriction
from bourg.access.network.rules import NODE_KEYS, WAY_KEYS, is_street

EXTENSIONS = (".osm.pbf", ".pbf", ".osm", ".osm.gz", ".osm.bz2")
_REPORT_EVERY = 200_000
# Coordinate of a node that is not in the extract.
_UNKNOWN = 2_147_483_647
_MOTOR = ("motorcar", "motor_vehicle", "vehicle")


def read_extract(path: Path, into: Collector, progress: Callable[[str], None] | None = None) -> None:
    """Add the streets, barriers, signals and turn restrictions of one extract to a collector.

    A way already read from another extract is skipped, so that neighbouring extracts may overlap.

    Raises
    ------
    ExtractFormatError
        When the file is truncated, corrupt, or not what its name says.
    """
    try:
        # Nodes usually come first; an extract written otherwise is read twice, with an index that needs no order.
        if _read(path, into, progress, osmium.index.create_map("flex_mem"), checking=True):
            return
        locations = osmium.index.create_map("sparse_mem_map")
        for _ in _processor(path, NODE, locations).with_filter(_nothing()):
            pass
        _read(path, into, progress, locations, checking=False)
    except (RuntimeError, OSError, UnicodeDecodeError) as error:
        raise ExtractFormatError(
            "L'extrait OpenStreetMap ne se lit pas : il est tronqué, abîmé, ou d'un autre format.",
            where=path.name,
            why=str(error)[:300],
            next_step="Téléchargez-le de nouveau et comparez sa taille et sa somme de contrôle à celles du site.",
        ) from error


def _processor(path: Path, entities: Any, locations: Any) -> osmium.FileProcessor:  # noqa: ANN401 (pyosmium types)
    return osmium.FileProcessor(str(path), entities).with_locations(locations)


def _nothing() -> osmium.filter.KeyFilter:
    return osmium.filter.KeyFilter("bourg:no-such-key")


def _read(
    path: Path,
    into: Collector,
    progress: Callable[[str], None] | None,
    locations: Any,  # noqa: ANN401 (a pyosmium object)
    *,
    checking: bool,
) -> bool:
    """Read once; ``False``, with nothing kept, when ways come before the nodes they need."""
    processor = _processor(path, NODE | WAY | RELATION, locations).with_filter(
        osmium.filter.KeyFilter("highway", "route", "barrier", "restriction", *_MODE_RESTRICTIONS)
    )
    ways_before = len(into.way_id)
    cut_before, turns_before, count = into.cut_ways, len(into.restrictions), 0
    seen_before = set(into.seen)
    for item in processor:
        if isinstance(item, Node):
            tags = {tag.k: tag.v for tag in item.tags if tag.k in NODE_KEYS}
            if "barrier" in tags or tags.get("highway") == "traffic_signals":
                into.node_tags.setdefault(item.id, tags)
        elif isinstance(item, Way):
            _way(item, into)
            count += 1
            if progress and count % _REPORT_EVERY == 0:
                progress(f"{count} voies lues dans {path.name}")
        else:
            _relation(item, into)
    if checking and len(into.way_id) == ways_before and into.cut_ways > cut_before:
        into.cut_ways = cut_before
        into.seen -= into.seen - seen_before
        del into.restrictions[turns_before:]
        return False
    timestamp = _date(path, processor)
    if timestamp:
        into.dates.append(timestamp)
    return True


def _way(way: Any, into: Collector) -> None:  # noqa: ANN401 (a pyosmium object)
    if way.id in into.seen:
        return
    tags = [(tag.k, tag.v) for tag in way.tags if tag.k in WAY_KEYS]
    if not is_street(dict(tags)):
        return
    into.seen.add(way.id)
    profile = into.profile_of(tags)
    # Going through the nodes is slow: once only.
    nodes = list(way.nodes)
    refs, xs, ys = [node.ref for node in nodes], [node.x for node in nodes], [node.y for node in nodes]
    if _UNKNOWN not in xs:
        if len(refs) > 1:
            into.add(way.id, profile, refs, xs, ys)
        return
    into.cut_ways += 1
    begin = 0
    for end in [i for i, x in enumerate(xs) if x == _UNKNOWN] + [len(xs)]:
        if end - begin > 1:
            into.add(way.id, profile, refs[begin:end], xs[begin:end], ys[begin:end])
        begin = end + 1


_MODE_RESTRICTIONS = ("restriction:motorcar", "restriction:motor_vehicle", "restriction:bicycle")


def _relation(relation: Any, into: Collector) -> None:  # noqa: ANN401 (a pyosmium object)
    tags = {tag.k: tag.v for tag in relation.tags}
    if tags.get("type") != "restriction":
        return
    kinds = _restriction_kinds(tags)
    if not kinds:
        return
    members: dict[str, list[tuple[str, int]]] = {}
    for member in relation.members:
        members.setdefault(member.role, []).append((member.type, member.ref))
    via = members.get("via", [])
    from_ways = tuple(sorted(ref for kind, ref in members.get("from", []) if kind == "w"))
    to_ways = tuple(sorted(ref for kind, ref in members.get("to", []) if kind == "w"))
    if len(via) != 1 or via[0][0] != "n" or not from_ways or not to_ways:
        into.unread_restrictions += 1
        return
    for only, modes in kinds:
        into.restrictions.append(Restriction(from_ways, via[0][1], to_ways, only, modes))


def _restriction_kinds(tags: dict[str, str]) -> list[tuple[bool, tuple[str, ...]]]:
    """Return whether the restriction is an « only », and the modes it binds; people on foot ignore them all."""
    excepted = {part.strip() for part in tags.get("except", "").split(";")}
    value: dict[str, str] = {}
    if "restriction" in tags:
        if not excepted & set(_MOTOR):
            value["car"] = tags["restriction"]
        if not excepted & {"bicycle", "vehicle"}:
            value["bike"] = tags["restriction"]
    for key in _MODE_RESTRICTIONS:
        if key in tags:
            value["bike" if key.endswith("bicycle") else "car"] = tags[key]
    found: dict[bool, list[str]] = {}
    for mode in MODES:
        if value.get(mode, "").startswith(("no_", "only_")):
            found.setdefault(value[mode].startswith("only_"), []).append(mode)
    return [(only, tuple(modes)) for only, modes in sorted(found.items())]


def _date(path: Path, processor: Any) -> str:  # noqa: ANN401 (a pyosmium object)
    """Return the date of the data: the header of a PBF, the ``meta`` or ``osm`` element of an XML file."""
    header = processor.header
    for key in ("osmosis_replication_timestamp", "timestamp"):
        if header.get(key):
            return str(header.get(key))
    name = path.name.lower()
    if not name.endswith((".osm", ".osm.gz")):
        return ""
    opener: Callable[..., Any] = gzip.open if name.endswith(".gz") else open
    with opener(path, "rb") as stream:
        head = stream.read(2000).decode("utf-8", "replace")
    for mark in ('osm_base="', 'timestamp="'):
        if mark in head.split("<node", maxsplit=1)[0]:
            return str(head.split(mark, 1)[1].split('"', 1)[0])
    return ""
