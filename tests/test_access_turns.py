"""Turn restrictions: one crossing, random towns against a count by hand, and a street for residents."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from access_world import RESIDENTIAL, World, travel


def cross() -> tuple[World, dict[str, int]]:
    """Four streets of 1 km meeting at 5 (south 1, east 2, north 3, west 4), and a way from north to east of 4 km."""
    world = World.at((0, -1), (1, 0), (0, 1), (-1, 0), (0, 0), (1, 3))
    names = ("south", "east", "north", "west")
    ways = {name: world.way([ref, 5], RESIDENTIAL) for ref, name in enumerate(names, start=1)}
    world.way([3, 6, 2], RESIDENTIAL)
    return world, ways


def turn(world: World, folder: Path, mode: str) -> tuple[bool, bool]:
    """Tell whether one turns from south to east at the crossing, and from west to east."""
    network = world.build(folder)
    kmh = {"foot": 5, "bike": 15, "car": 30}[mode]
    found = []
    for start in (1, 4):
        seconds = travel(network, mode, world.between(start, 5, 0.1), world.between(2, 5, 0.1))
        assert seconds is not None
        found.append(seconds < 2.5 / kmh * 3600)
    return found[0], found[1]


TURNS = {
    "none": ("", "", {"car": True, "bike": True, "foot": True}),
    "no_right_turn": ("no_right_turn", "", {"car": False, "bike": False, "foot": True}),
    "except bicycle": ("no_right_turn", "bicycle", {"car": False, "bike": True, "foot": True}),
    "except motorcar": ("no_right_turn", "motorcar", {"car": True, "bike": False, "foot": True}),
    "only north": ("only_straight_on", "", {"car": False, "bike": False, "foot": True}),
}


@pytest.mark.parametrize("case", TURNS)
def test_turn_restrictions_bind_vehicles(tmp_path: Path, case: str) -> None:
    kind, excepted, expected = TURNS[case]
    for mode, allowed in expected.items():
        world, ways = cross()
        if kind:
            tags = {"restriction": kind} | ({"except": excepted} if excepted else {})
            target = ways["north" if kind.startswith("only") else "east"]
            world.restriction(ways["south"], 5, target, **tags)
        # From the west, nothing is forbidden.
        assert turn(world, tmp_path / mode, mode) == (allowed, True)


@pytest.mark.parametrize("seed", range(6))
def test_turns_are_exact_on_random_towns(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(100 + seed)
    n = 4
    world = World.crossings(n)
    ways: dict[tuple[int, int], int] = {}
    for i in range(1, n * n + 1):
        for j in ([i + 1] if i % n else []) + ([i + n] if i + n <= n * n else []):
            ways[i, j] = ways[j, i] = world.way([i, j], RESIDENTIAL)
    streets = list(ways)
    allowed: dict[tuple[int, int], set[int]] = {(a, b): {d for c, d in streets if c == b} for a, b in streets}
    for k in rng.choice(len(streets), 20, replace=False):
        a, b = streets[int(k)]
        target = int(rng.choice([d for c, d in streets if c == b and d != a]))
        only = bool(rng.integers(2))
        world.restriction(ways[a, b], b, ways[b, target], restriction="only_straight_on" if only else "no_left_turn")
        allowed[a, b] = {target} if only else allowed[a, b] - {target}
    network = world.build(tmp_path)
    assert network.manifest["modes"]["bike"]["turn_restrictions"] == 20
    for _ in range(30):
        start, end = (streets[int(k)] for k in rng.choice(len(streets), 2, replace=False))
        if ways[start] == ways[end]:
            continue
        # Streets take the same time: count them from half a street to half a street.
        reached, front, count = set(), {start, start[::-1]}, 1
        while not front & {end, end[::-1]} and front:
            reached |= front
            front = {(b, d) for a, b in front for d in allowed[a, b]} - reached
            count += 1
        seconds = travel(network, "bike", world.between(*start), world.between(*end))
        if front:
            assert seconds == pytest.approx((count - 1) * 48, abs=0.5), (start, end)
        else:
            assert seconds is None


def test_a_restriction_holds_in_a_street_for_residents(tmp_path: Path) -> None:
    world, ways = cross()
    world.ways[0][2]["motor_vehicle"] = "destination"
    world.restriction(ways["south"], 5, ways["east"], restriction="no_right_turn")
    assert turn(world, tmp_path, "car") == (False, True)
