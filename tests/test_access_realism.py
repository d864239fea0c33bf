"""Realism of the network: each case is a tiny extract, and the expected behaviour is the documented French one.

Cases are those of the engine comparison (V = Valhalla 3.5.1, O = OSRM 26.10, measured on the same links). Where an
engine does otherwise:

======================================================  =====================================  ========================
case                                                    engines                                Bourg
======================================================  =====================================  ========================
secondary road without limit, outside towns             V 59, O 55 km/h (no French default)    80 km/h limit, 68 driven
``maxspeed=FR:urban``                                   V ignores it (59)                      50 km/h limit
``zone:maxspeed=FR:30`` alone                           V ignores it (35)                      30 km/h limit
limits taken at face value                              V drives at the limit                  85 % of it
``cycleway:left:oneway=-1``                             V detour, O pushes at 5 km/h           ridden at 15 km/h
plain one-way street, bike the wrong way                V refuses                              led by hand, 4 km/h
bike in a pedestrian street                             V refuses                              walking pace (R431-9)
bike on a footway                                       V refuses                              led by hand
steps on foot                                           V and O: no slowdown                   3 km/h
private street on foot, by bike                         V uses it                              closed
trunk road, foot and bike                               V allows                               closed
bollard                                                 own first draft ignored it             closed to cars only
ferry without duration                                  O at 5 km/h                            15 km/h
living street, car                                      V shuns it, O 10 km/h                  15 km/h
cycleway on foot                                        V and O refuse                         allowed
traffic light, bike                                     V none, O 18 s                         6 s
======================================================  =====================================  ========================
"""

from __future__ import annotations

import heapq
from pathlib import Path

import numpy as np
import pytest

from access_world import BLOCK, RESIDENTIAL, World, travel
from bourg.access.network.store import Network

ONEWAY = {"highway": "residential", "oneway": "yes"}
FERRY = {"route": "ferry"}

# name: tags of a 1 km link, mode, km/h along it, km/h against it (None: closed).
LINKS: dict[str, tuple[dict[str, str], str, float | None, float | None]] = {
    "car residential": ({"highway": "residential"}, "car", 30, 30),
    "car 30": ({"highway": "secondary", "maxspeed": "30"}, "car", 25.5, 25.5),
    "car secondary untagged": ({"highway": "secondary"}, "car", 68, 68),
    "car 50": ({"highway": "secondary", "maxspeed": "50"}, "car", 42.5, 42.5),
    "car 80": ({"highway": "secondary", "maxspeed": "80"}, "car", 68, 68),
    "car FR:urban": ({"highway": "secondary", "maxspeed": "FR:urban"}, "car", 42.5, 42.5),
    "car zone 30": ({"highway": "secondary", "zone:maxspeed": "FR:30"}, "car", 25.5, 25.5),
    "car source rural": ({"highway": "secondary", "source:maxspeed": "FR:rural"}, "car", 68, 68),
    "car source urban": ({"highway": "secondary", "source:maxspeed": "FR:urban"}, "car", 42.5, 42.5),
    "car 30 mph": ({"highway": "secondary", "maxspeed": "30 mph"}, "car", 41.038, 41.038),
    "car two limits": ({"highway": "secondary", "maxspeed": "50;30"}, "car", 25.5, 25.5),
    "car limit by direction": (
        {"highway": "secondary", "maxspeed": "80", "maxspeed:backward": "50"},
        "car",
        68,
        42.5,
    ),
    "car signals": ({"highway": "motorway", "maxspeed": "signals"}, "car", 110.5, None),
    "car motorway none": ({"highway": "motorway", "maxspeed": "none"}, "car", 110.5, None),
    "car living street": ({"highway": "living_street"}, "car", 15, 15),
    "car motor_vehicle=no": ({"highway": "residential", "motor_vehicle": "no"}, "car", None, None),
    "bike motor_vehicle=no": ({"highway": "residential", "motor_vehicle": "no"}, "bike", 15, 15),
    "foot access=no foot=yes": ({"highway": "service", "access": "no", "foot": "yes"}, "foot", 5, 5),
    "bike access=no foot=yes": ({"highway": "service", "access": "no", "foot": "yes"}, "bike", None, None),
    "car access=no foot=yes": ({"highway": "service", "access": "no", "foot": "yes"}, "car", None, None),
    "foot private": ({"highway": "service", "access": "private"}, "foot", None, None),
    "bike private": ({"highway": "service", "access": "private"}, "bike", None, None),
    "car private": ({"highway": "service", "access": "private"}, "car", None, None),
    "car customers": ({"highway": "service", "access": "customers"}, "car", 20, 20),
    "car oneway": (ONEWAY, "car", 30, None),
    "car oneway=-1": ({"highway": "residential", "oneway": "-1"}, "car", None, 30),
    "car roundabout": ({"highway": "secondary", "junction": "roundabout"}, "car", 25, None),
    "foot oneway": (ONEWAY, "foot", 5, 5),
    "bike plain oneway": (ONEWAY, "bike", 15, 4),
    "bike roundabout": ({"highway": "secondary", "junction": "roundabout"}, "bike", 15, None),
    "bike oneway:bicycle=no": ({**ONEWAY, "oneway:bicycle": "no"}, "bike", 15, 15),
    "bike cycleway=opposite": ({**ONEWAY, "cycleway": "opposite"}, "bike", 15, 15),
    "bike opposite_lane left": ({**ONEWAY, "cycleway:left": "opposite_lane"}, "bike", 15, 15),
    "bike left:oneway=-1": ({**ONEWAY, "cycleway:left": "lane", "cycleway:left:oneway": "-1"}, "bike", 15, 15),
    "bike zone 30 contraflow": ({**ONEWAY, "zone:maxspeed": "FR:30"}, "bike", 15, 15),
    "bike 30, contraflow forbidden": ({**ONEWAY, "maxspeed": "30", "oneway:bicycle": "yes"}, "bike", 15, 4),
    "bike pedestrian": ({"highway": "pedestrian"}, "bike", 6, 6),
    "bike footway": ({"highway": "footway"}, "bike", 4, 4),
    "bike footway allowed": ({"highway": "footway", "bicycle": "yes"}, "bike", 12, 12),
    "bike steps": ({"highway": "steps"}, "bike", None, None),
    "car pedestrian": ({"highway": "pedestrian"}, "car", None, None),
    "foot steps": ({"highway": "steps"}, "foot", 3, 3),
    "foot trunk": ({"highway": "trunk"}, "foot", None, None),
    "bike trunk": ({"highway": "trunk"}, "bike", None, None),
    "foot motorroad": ({"highway": "primary", "motorroad": "yes"}, "foot", None, None),
    "bike motorroad": ({"highway": "primary", "motorroad": "yes"}, "bike", None, None),
    "car motorroad": ({"highway": "primary", "motorroad": "yes"}, "car", 68, 68),
    "foot cycleway": ({"highway": "cycleway"}, "foot", 5, 5),
    "foot cycleway refused": ({"highway": "cycleway", "foot": "no"}, "foot", None, None),
    "foot ferry": (FERRY, "foot", 15, 15),
    "bike ferry": (FERRY, "bike", 15, 15),
    "bike ferry refused": ({**FERRY, "bicycle": "no"}, "bike", None, None),
    "car ferry untagged": (FERRY, "car", None, None),
    "car ferry": ({**FERRY, "motor_vehicle": "yes"}, "car", 15, 15),
    "car track": ({"highway": "track", "tracktype": "grade4"}, "car", None, None),
    "car firm track": ({"highway": "track", "tracktype": "grade1"}, "car", 15, 15),
    "car unpaved": ({"highway": "unclassified", "surface": "gravel"}, "car", 35, 35),
    "bike path": ({"highway": "path"}, "bike", 10, 10),
    "bike footway for customers": ({"highway": "footway", "access": "customers"}, "bike", 4, 4),
    "bike pedestrian, residents": ({"highway": "pedestrian", "vehicle": "destination"}, "bike", 6, 6),
    "car pedestrian, residents": ({"highway": "pedestrian", "motor_vehicle": "destination"}, "car", 6, 6),
    "car access=yes on a path": ({"highway": "path", "access": "yes"}, "car", None, None),
    "car delivery": ({"highway": "pedestrian", "motor_vehicle": "delivery"}, "car", None, None),
    "foot access=destination": ({"highway": "service", "access": "destination"}, "foot", 5, 5),
    "bike dismount": ({"highway": "path", "bicycle": "dismount"}, "bike", 4, 4),
    "bike bus lane backward": ({**ONEWAY, "bicycle:backward": "yes", "oneway:bicycle": "no"}, "bike", 15, 15),
    "foot bridleway": ({"highway": "bridleway"}, "foot", 5, 5),
    "foot construction": ({"highway": "construction"}, "foot", None, None),
}


@pytest.fixture(scope="module")
def links(tmp_path_factory: pytest.TempPathFactory) -> tuple[World, Network]:
    """Every link of :data:`LINKS`, 3 km apart, in one network."""
    world = World()
    for i, (tags, _, _, _) in enumerate(LINKS.values()):
        world.node(2 * i + 1, 0, 3 * i)
        world.node(2 * i + 2, 1, 3 * i)
        world.way([2 * i + 1, 2 * i + 2], tags)
    return world, world.build(tmp_path_factory.mktemp("links"))


@pytest.mark.parametrize("case", LINKS)
def test_a_link_is_used_as_in_france(links: tuple[World, Network], case: str) -> None:
    world, network = links
    _, mode, along, against = LINKS[case]
    i = list(LINKS).index(case)
    west, east = world.place(2 * i + 1), world.place(2 * i + 2)
    for start, end, expected in ((west, east, along), (east, west, against)):
        seconds = travel(network, mode, start, end)
        if expected is None:
            assert seconds is None
        else:
            length = network_length(network, i)
            assert seconds is not None
            assert length / seconds * 3.6 == pytest.approx(expected, rel=1e-3)


def network_length(network: Network, i: int) -> float:
    segments = network.segments
    return float(segments.length_m[list(segments.osm_way).index(1000 + i)])


@pytest.mark.parametrize(("text", "minutes"), [("00:10", 10), ("10", 10), ("1:05:00", 65), ("PT1H5M", 65), ("soon", 4)])
def test_a_ferry_takes_its_declared_time(tmp_path: Path, text: str, minutes: float) -> None:
    world = World.at((0, 0), (0.4, 0), (1, 0), (0.4, 0.5))
    world.way([1, 2, 3], {**FERRY, "duration": text})
    # A quay in the middle cuts the ferry in two segments: they share the time.
    world.way([2, 4], {"highway": "footway"})
    network = world.build(tmp_path)
    assert travel(network, "foot", world.place(1), world.place(3)) == pytest.approx(minutes * 60, rel=1e-3)
    assert travel(network, "car", world.place(1), world.place(3)) is None


def ring(tags: dict[str, str]) -> World:
    """A street of 1 km from 2 to 3 with these tags, streets 1–2 and 3–4 at its ends, and a way round of 3 km."""
    world = World.at((-1, 0), (0, 0), (1, 0), (2, 0), (0, 1), (1, 1))
    world.way([1, 2], {"highway": "tertiary", "maxspeed": "50"})
    world.way([3, 4], {"highway": "tertiary", "maxspeed": "50"})
    world.way([2, 5, 6, 3], {"highway": "tertiary", "maxspeed": "50"}, ref=77)
    world.way([2, 3], tags, ref=88)
    return world


def uses_shortcut(world: World, network: Network, mode: str, kmh: float) -> bool:
    """Tell whether the trip from 1 to 4 takes the street 2–3: it is 2 km shorter."""
    seconds = travel(network, mode, world.place(1), world.place(4))
    assert seconds is not None
    return seconds < 4 / kmh * 3600


DESTINATION = {"highway": "residential", "motor_vehicle": "destination"}


def test_through_traffic_avoids_a_street_for_residents(tmp_path: Path) -> None:
    world = ring(DESTINATION)
    network = world.build(tmp_path)
    assert not uses_shortcut(world, network, "car", 42.5)
    assert uses_shortcut(world, network, "bike", 15)
    assert uses_shortcut(world, network, "foot", 5)
    # Its residents leave by both ends and come by both ends.
    house = world.between(2, 3, 0.25)
    for other, metres in ((1, 1250), (4, 1750)):
        for start, end in ((house, world.place(other)), (world.place(other), house)):
            seconds = travel(network, "car", start, end)
            assert seconds is not None
            assert seconds < metres / (30 / 3.6) + 10
    assert network.manifest["modes"]["car"]["destination_segments"] == 1


def test_a_trip_inside_a_pocket_stays_inside(tmp_path: Path) -> None:
    world = ring(DESTINATION)
    world.node(7, 0.5, -0.4)
    world.way([3, 7], DESTINATION)
    network = world.build(tmp_path)
    seconds = travel(network, "car", world.between(2, 3), world.place(7))
    assert seconds == pytest.approx((0.5 + (0.5**2 + 0.4**2) ** 0.5) / 30 * 3600, abs=8)


def test_streets_behind_a_pocket_are_reached(tmp_path: Path) -> None:
    world = ring(RESIDENTIAL)
    world.node(8, 0.5, -1)
    world.node(9, 0.5, -1.5)
    world.way([2, 8], DESTINATION)
    world.way([8, 9], RESIDENTIAL)
    network = world.build(tmp_path)
    assert travel(network, "car", world.place(1), world.place(9)) is not None
    assert travel(network, "car", world.place(9), world.place(1)) is not None
    assert network.manifest["modes"]["car"]["enclave_segments"] == 1


def middle(**tags: str) -> World:
    """A street of 1 km with something on its middle."""
    world = World.at((0, 0), (0.5, 0), (1, 0))
    world.node(2, 0.5, 0, **tags)
    world.way([1, 2, 3], RESIDENTIAL)
    return world


def fewest_seconds(edges: dict[tuple[int, int], dict[str, str]], start: tuple[int, int], end: tuple[int, int]) -> float:
    """Return the time by bike from the middle of a street to the middle of another, over (junction, phase).

    Phase 0 is before the first open street, 1 on open streets, 2 after the last one: written for this test only.
    """
    steps: dict[int, list[tuple[int, float, bool]]] = {}
    for (a, b), tags in edges.items():
        own = tags.get("vehicle") == "destination"
        steps.setdefault(a, []).append((b, 200 / 15 * 3.6, own))
        steps.setdefault(b, []).append((a, 200 / (4 if "oneway" in tags else 15) * 3.6, own))

    def cost(a: int, b: int) -> tuple[float, bool]:
        return next((seconds, own) for head, seconds, own in steps[a] if head == b)

    first = [(cost(a, b), b) for a, b in (start, start[::-1])]
    queue = [(seconds / 2, node, 0 if own else 1) for (seconds, own), node in first]
    last = {a: cost(a, b) for a, b in (end, end[::-1])}
    best, done = float("inf"), set()
    heapq.heapify(queue)
    while queue:
        seconds, node, phase = heapq.heappop(queue)
        if (node, phase) in done:
            continue
        done.add((node, phase))
        # Into a street for residents, the trip ends whatever the phase; into an open one, not from an end pocket.
        if node in last and (last[node][1] or phase < 2):
            best = min(best, seconds + last[node][0] / 2)
        for head, more, own in steps[node]:
            nexts = ((0, 2) if phase == 0 else (2,)) if own else (() if phase == 2 else (1,))
            for following in nexts:
                heapq.heappush(queue, (seconds + more, head, following))
    return best


@pytest.mark.parametrize("seed", range(6))
def test_pockets_are_exact_on_random_towns(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    edges, n = {}, 5
    world = World.crossings(n)
    for i in range(n * n):
        for j in ([i + 1] if i % n < n - 1 else []) + ([i + n] if i // n < n - 1 else []):
            # A comb of open streets joins everything; the others are anything.
            comb = j == i + n or i < n
            kind = 0 if comb else int(rng.integers(4))
            tags = RESIDENTIAL | ({}, {"vehicle": "destination"}, {"vehicle": "destination"}, {"oneway": "yes"})[kind]
            edges[i + 1, j + 1] = tags
            world.way([i + 1, j + 1], tags)
    network = world.build(tmp_path)
    streets = list(edges)
    for _ in range(40):
        start, end = (streets[int(k)] for k in rng.choice(len(streets), 2, replace=False))
        seconds = travel(network, "bike", world.between(*start), world.between(*end))
        assert seconds == pytest.approx(fewest_seconds(edges, start, end), abs=0.5), (start, end)


CROSSINGS = {
    "bollard": ({"barrier": "bollard"}, {"car": None, "bike": 0, "foot": 0}),
    "bollard opened by a tag": ({"barrier": "bollard", "motor_vehicle": "yes"}, {"car": 0, "bike": 0, "foot": 0}),
    "gate": ({"barrier": "gate"}, {"car": 60, "bike": 5, "foot": 0}),
    "gate for all": ({"barrier": "gate", "access": "yes"}, {"car": 60, "bike": 5, "foot": 0}),
    "private gate": ({"barrier": "gate", "access": "private"}, {"car": None, "bike": None, "foot": None}),
    "private gate, foot open": (
        {"barrier": "gate", "access": "private", "foot": "yes"},
        {"car": None, "bike": None, "foot": 0},
    ),
    "lift gate": ({"barrier": "lift_gate"}, {"car": 30, "bike": 0, "foot": 0}),
    "stile": ({"barrier": "stile"}, {"car": None, "bike": None, "foot": 5}),
    "unknown barrier": ({"barrier": "yes"}, {"car": None, "bike": 0, "foot": 0}),
    "toll": ({"barrier": "toll_booth"}, {"car": 15, "bike": 0, "foot": 0}),
    "signals": ({"highway": "traffic_signals"}, {"car": 8, "bike": 6, "foot": 0}),
    "signals one way": (
        {"highway": "traffic_signals", "traffic_signals__direction": "backward"},
        {"car": 0, "bike": 0, "foot": 0},
    ),
}


@pytest.mark.parametrize("case", CROSSINGS)
def test_what_stands_on_a_node_stops_or_delays(tmp_path: Path, case: str) -> None:
    tags, expected = CROSSINGS[case]
    world = middle(**tags)
    network = world.build(tmp_path)
    for mode, delay in expected.items():
        seconds = travel(network, mode, world.place(1), world.place(3))
        if delay is None:
            assert seconds is None
            before = travel(network, mode, world.place(1), world.between(1, 2, 0.9))
            after = travel(network, mode, world.between(2, 3, 0.1), world.place(3))
            assert before == pytest.approx(after, rel=1e-3)
        else:
            kmh = {"foot": 5, "bike": 15, "car": 30}[mode]
            assert seconds == pytest.approx(3600 / kmh + delay, abs=0.1)


def test_untagged_main_street_of_a_village_is_limited_to_50(tmp_path: Path) -> None:
    world = World()
    for i in range(6):
        world.node(10 + i, 0.1 * i, 0)
        world.node(20 + i, 0.1 * i, 0.3)
        world.way([10 + i, 20 + i], RESIDENTIAL)
    world.node(30, 4, 0)
    world.way([10, 11, 12, 13, 14, 15, 30], {"highway": "secondary"})
    network = world.build(tmp_path)
    run, lengths = network.mode("car").run_s[:, 0], network.segments.length_m
    main = network.segments.osm_way == 1006
    kmh = lengths[main] / run[main] * 3.6
    assert sorted({round(float(v), 1) for v in kmh}) == [42.5, 68.0]
    assert kmh[lengths[main] > 1000] == pytest.approx(68)


def test_a_pedestrian_square_is_walked_along_its_outline(tmp_path: Path) -> None:
    world = World.at(*BLOCK)
    world.way([1, 2, 3, 4, 1], {"highway": "pedestrian", "area": "yes"})
    network = world.build(tmp_path)
    seconds = travel(network, "foot", world.place(1), world.place(3))
    assert seconds == pytest.approx(200 / 5 * 3.6, rel=0.01)
    assert travel(network, "car", world.place(1), world.place(3)) is None


def test_leaving_a_minor_street_costs_a_yield(tmp_path: Path) -> None:
    world = World.at((-1, 0), (0, 0), (1, 0), (0, -1))
    world.way([1, 2, 3], {"highway": "primary", "maxspeed": "50"})
    world.way([4, 2], {"highway": "residential", "maxspeed": "30"})
    network = world.build(tmp_path)
    ahead = travel(network, "car", world.place(1), world.place(3))
    joining = travel(network, "car", world.place(4), world.place(3))
    assert ahead == pytest.approx(2 / 42.5 * 3600 + 1, abs=0.2)
    assert joining == pytest.approx(1 / 42.5 * 3600 + 1 / 25.5 * 3600 + 4, abs=0.2)
