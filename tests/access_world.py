"""Tiny OpenStreetMap extracts written by hand, and an independent shortest path to judge the networks they give."""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass, field
from pathlib import Path
from xml.sax.saxutils import quoteattr

import numpy as np

from bourg.access.network.build import build_network
from bourg.access.network.store import Network

# One kilometre at the latitude of the test worlds.
LAT = 47.0
KM_LAT = 1000 / (6_371_008.8 * math.pi / 180)
KM_LON = KM_LAT / math.cos(math.radians(LAT))
RESIDENTIAL = {"highway": "residential"}
# Corners of a block of 100 m.
BLOCK = ((0, 0), (0.1, 0), (0.1, 0.1), (0, 0.1))


@dataclass
class World:
    """An extract being written: places in kilometres east and north of 2° E, 47° N."""

    nodes: dict[int, tuple[float, float, dict[str, str]]] = field(default_factory=dict)
    ways: list[tuple[int, list[int], dict[str, str]]] = field(default_factory=list)
    relations: list[tuple[list[tuple[str, int, str]], dict[str, str]]] = field(default_factory=list)

    @classmethod
    def at(cls, *places: tuple[float, float]) -> World:
        """Return a world of nodes without tags, numbered from 1."""
        world = cls()
        for ref, (east, north) in enumerate(places, start=1):
            world.node(ref, east, north)
        return world

    @classmethod
    def crossings(cls, n: int) -> World:
        """Return the nodes of ``n`` by ``n`` crossings, 200 m apart, numbered from 1 row by row."""
        return cls.at(*((0.2 * (i % n), 0.2 * (i // n)) for i in range(n * n)))

    def node(self, ref: int, east: float, north: float, **tags: str) -> int:
        self.nodes[ref] = (2 + east * KM_LON, LAT + north * KM_LAT, _keys(tags))
        return ref

    def way(self, refs: list[int], tags: dict[str, str], ref: int = 0) -> int:
        ref = ref or 1000 + len(self.ways)
        self.ways.append((ref, refs, dict(tags)))
        return ref

    def restriction(self, start: int, via: int, end: int, **tags: str) -> None:
        members = [("way", start, "from"), ("node", via, "via"), ("way", end, "to")]
        self.relations.append((members, {"type": "restriction", **_keys(tags)}))

    def place(self, ref: int) -> tuple[float, float]:
        return self.nodes[ref][:2]

    def between(self, a: int, b: int, part: float = 0.5) -> tuple[float, float]:
        (x0, y0), (x1, y1) = self.place(a), self.place(b)
        return x0 + part * (x1 - x0), y0 + part * (y1 - y0)

    def xml(self) -> str:
        lines = ['<?xml version="1.0" encoding="UTF-8"?>', '<osm version="0.6" generator="test">']
        for ref, (lon, lat, tags) in self.nodes.items():
            lines.append(f'<node id="{ref}" version="1" lon="{lon:.7f}" lat="{lat:.7f}">{_tags(tags)}</node>')
        for ref, refs, tags in self.ways:
            nds = "".join(f'<nd ref="{item}"/>' for item in refs)
            lines.append(f'<way id="{ref}" version="1">{nds}{_tags(tags)}</way>')
        for i, (members, tags) in enumerate(self.relations):
            parts = "".join(f'<member type="{kind}" ref="{ref}" role="{role}"/>' for kind, ref, role in members)
            lines.append(f'<relation id="{i + 1}" version="1">{parts}{_tags(tags)}</relation>')
        return "\n".join([*lines, "</osm>"])

    def build(self, folder: Path, name: str = "monde") -> Network:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{name}.osm"
        path.write_text(self.xml(), encoding="utf-8")
        return build_network([path], folder / f"{name}.network")


def _keys(tags: dict[str, str]) -> dict[str, str]:
    return {key.replace("__", ":"): value for key, value in tags.items()}


def _tags(tags: dict[str, str]) -> str:
    return "".join(f"<tag k={quoteattr(key)} v={quoteattr(value)}/>" for key, value in tags.items())


def travel(network: Network, mode: str, start: tuple[float, float], end: tuple[float, float]) -> float | None:
    """Return the seconds between two places, ``None`` when there is no way; a plain Dijkstra with a heap."""
    snapped = network.snap(np.array([start, end]), mode)
    if (snapped.status != 0).any():
        return None
    graph = network.graph(mode)
    best = math.inf
    if snapped.segment[0] == snapped.segment[1]:
        along = float(snapped.fraction[1]) - float(snapped.fraction[0])
        run = snapped.forward_s[0] if along >= 0 else snapped.backward_s[0]
        best = abs(along) * float(run) if np.isfinite(run) else math.inf
        best += float(snapped.connect_s.sum())
    ends = {
        int(node): float(seconds)
        for node, seconds in zip(snapped.arrivals_node[1], snapped.arrivals_s[1], strict=True)
        if node >= 0
    }
    queue = [
        (float(seconds), int(node))
        for node, seconds in zip(snapped.departures_node[0], snapped.departures_s[0], strict=True)
        if node >= 0
    ]
    heapq.heapify(queue)
    done: set[int] = set()
    while queue:
        seconds, node = heapq.heappop(queue)
        if node in done:
            continue
        done.add(node)
        if node in ends:
            best = min(best, seconds + ends[node])
        for e in range(graph.indptr[node], graph.indptr[node + 1]):
            heapq.heappush(queue, (seconds + float(graph.seconds[e]), int(graph.heads[e])))
    return best if math.isfinite(best) else None


def grid_town(n: int = 6) -> World:
    """A town of ``n`` by ``n`` junctions, 200 m apart, with a bend in every east-west street."""
    world = World.crossings(n)
    for i in range(n):
        for j in range(n):
            world.node(1001 + i * n + j, 0.2 * j + 0.1, 0.2 * i + 0.01)
    for i in range(n):
        row = [ref for j in range(n) for ref in (1 + i * n + j, 1001 + i * n + j)][:-1]
        world.way(row, RESIDENTIAL)
        world.way([1 + k * n + i for k in range(n)], RESIDENTIAL)
    return world


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path
