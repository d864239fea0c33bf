"""Streets as a reader gives them: lines over shared nodes, with their distinct sets of meaningful tags."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Tags = Mapping[str, str]
# OSM writes coordinates with seven decimals.
UNITS_PER_DEGREE = 10_000_000


@dataclass(frozen=True)
class Restriction:
    """A turn restriction at a node: from one of the ways to one of the ways; ``only`` when it is the sole way out."""

    from_ways: tuple[int, ...]
    via: int
    to_ways: tuple[int, ...]
    only: bool
    modes: tuple[str, ...]


@dataclass(frozen=True)
class RawStreets:
    """Lines read from extracts.

    Attributes
    ----------
    way_id, profile
        Shape ``(n_ways,)``: OSM identifier and set of tags. A way cut at the edge of the extract gives several lines.
    first, nodes
        Nodes of line ``i`` are ``nodes[first[i]:first[i + 1]]``, indices into the node arrays.
    node_id, x, y
        Shape ``(n_nodes,)``: identifier of nodes, longitude and latitude in 1e-7 degrees.
    profiles
        Distinct sets of tags of ways.
    tagged, node_profiles
        Nodes with meaningful tags: index, and their tags.
    restrictions
        Turn restrictions whose point is a node of the extract.
    warnings
        French sentences on what the extract lacks.
    date
        Date of the data as the file says it; empty when it does not.
    """

    way_id: NDArray[np.int64]
    profile: NDArray[np.int32]
    first: NDArray[np.int64]
    nodes: NDArray[np.int32]
    node_id: NDArray[np.int64]
    x: NDArray[np.int32]
    y: NDArray[np.int32]
    profiles: list[dict[str, str]]
    tagged: list[tuple[int, dict[str, str]]]
    restrictions: list[Restriction]
    warnings: list[str]
    date: str


def _not_repeated(refs: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Leave out nodes written twice in a row."""
    keep = np.ones(len(refs), dtype=bool)
    keep[1:] = refs[1:] != refs[:-1]
    keep[np.cumsum(lengths) - lengths] = True
    return keep


@dataclass
class Collector:
    """Lines being read, kept in compact arrays: a way costs a few bytes a node."""

    way_id: array[int] = field(default_factory=lambda: array("q"))
    profile: array[int] = field(default_factory=lambda: array("i"))
    length: array[int] = field(default_factory=lambda: array("i"))
    refs: array[int] = field(default_factory=lambda: array("q"))
    x: array[int] = field(default_factory=lambda: array("i"))
    y: array[int] = field(default_factory=lambda: array("i"))
    known: dict[tuple[tuple[str, str], ...], int] = field(default_factory=dict)
    seen: set[int] = field(default_factory=set)
    node_tags: dict[int, dict[str, str]] = field(default_factory=dict)
    restrictions: list[Restriction] = field(default_factory=list)
    cut_ways: int = 0
    unread_restrictions: int = 0
    dates: list[str] = field(default_factory=list)

    def profile_of(self, tags: Iterable[tuple[str, str]]) -> int:
        """Return the number of a set of tags."""
        return self.known.setdefault(tuple(sorted(tags)), len(self.known))

    def add(self, way: int, profile: int, refs: list[int], x: list[int], y: list[int]) -> None:
        """Keep a line of at least two nodes."""
        self.way_id.append(way)
        self.profile.append(profile)
        self.length.append(len(refs))
        self.refs.extend(refs)
        self.x.extend(x)
        self.y.extend(y)

    def finish(self, warnings: list[str]) -> RawStreets:
        """Sort the nodes by identifier, and the sets of tags in alphabetical order: the same whatever the format."""
        refs = np.frombuffer(self.refs, dtype=np.int64) if self.refs else np.zeros(0, dtype=np.int64)
        lengths = np.asarray(self.length, dtype=np.int64)
        keep = _not_repeated(refs, lengths)
        refs = refs[keep]
        lengths = np.bincount(np.repeat(np.arange(len(lengths)), lengths)[keep], minlength=len(lengths))
        order = np.argsort(refs, kind="stable")
        refs = refs[order]
        new = np.ones(len(refs), dtype=bool)
        new[1:] = refs[1:] != refs[:-1]
        node_id, place = refs[new], order[new]
        del refs
        nodes = np.empty(len(order), dtype=np.int32)
        nodes[order] = np.cumsum(new, dtype=np.int32) - 1
        del order, new
        x = np.asarray(self.x, dtype=np.int32)[keep][place]
        y = np.asarray(self.y, dtype=np.int32)[keep][place]
        first = np.zeros(len(lengths) + 1, dtype=np.int64)
        np.cumsum(lengths, out=first[1:])
        sets = sorted(self.known)
        renumber = np.zeros(max(len(sets), 1), dtype=np.int32)
        for number, tags in enumerate(sets):
            renumber[self.known[tags]] = number
        tagged = []
        for ref in sorted(self.node_tags):
            at = int(np.searchsorted(node_id, ref))
            if at < len(node_id) and node_id[at] == ref:
                tagged.append((at, self.node_tags[ref]))
        if self.cut_ways:
            warnings.append(f"{self.cut_ways} voies coupées au bord de l'extrait : il leur manque des nœuds.")
        if self.unread_restrictions:
            warnings.append(
                f"{self.unread_restrictions} interdictions de tourner non appliquées : elles passent par une voie, "
                "dépendent de l'heure ou sont incomplètes."
            )
        return RawStreets(
            way_id=np.asarray(self.way_id, dtype=np.int64),
            profile=renumber[np.asarray(self.profile, dtype=np.int32)],
            first=first,
            nodes=nodes,
            node_id=node_id,
            x=x,
            y=y,
            profiles=[dict(tags) for tags in sets],
            tagged=tagged,
            restrictions=sorted(self.restrictions, key=lambda item: (item.via, item.from_ways, item.to_ways)),
            warnings=warnings,
            date=max(self.dates, default=""),
        )
