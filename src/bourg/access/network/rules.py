"""What the tags of a street mean for each mode: who may use it, in which direction, how fast.

A network has few distinct sets of meaningful tags: each is judged once, here, and applied to the streets by arrays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bourg.access.network import speeds
from bourg.access.network.graph import MODES
from bourg.access.network.settings import rule

Tags = Mapping[str, str]
Permission = Literal["yes", "destination", "pushed", "walk", "no"]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Classes in the order of priority at a junction: the higher number does not yield.
PRIORITY = {
    "motorway": 9,
    "trunk": 8,
    "primary": 7,
    "secondary": 6,
    "tertiary": 5,
    "motorway_link": 5,
    "trunk_link": 5,
    "primary_link": 5,
    "secondary_link": 4,
    "tertiary_link": 4,
    "unclassified": 4,
    "road": 4,
    "residential": 4,
    "living_street": 3,
    "service": 2,
    "track": 1,
}
_TOWN_STREETS = ("residential", "living_street", "pedestrian")
# Tags that change something; the others are not kept.
WAY_KEYS = _words("""
    highway route oneway junction service tracktype surface smoothness area bridge tunnel duration impassable motorroad
    access vehicle motor_vehicle motorcar bicycle foot
    vehicle:forward vehicle:backward motor_vehicle:forward motor_vehicle:backward motorcar:forward motorcar:backward
    bicycle:forward bicycle:backward foot:forward foot:backward access:forward access:backward
    maxspeed maxspeed:forward maxspeed:backward zone:maxspeed maxspeed:type source:maxspeed zone:traffic
    oneway:bicycle oneway:foot cycleway cycleway:left cycleway:right cycleway:both cycleway:left:oneway
    cycleway:right:oneway cycleway:both:oneway ramp:bicycle
""")
NODE_KEYS = _words("""
    barrier highway access vehicle motor_vehicle motorcar bicycle foot locked traffic_signals:direction bollard
""")


@dataclass(frozen=True)
class WayRules:
    """Rules of every distinct set of tags; first axis: the set. Modes are in the order of :data:`MODES`.

    Attributes
    ----------
    kmh
        Shape ``(n, 3, 2, 2)``: speed by mode, direction (0 along the way, 1 against it) and place (0 outside, 1 in a
        built-up area); 0 when refused.
    destination
        Shape ``(n, 3, 2)``: open only to those who start or end there.
    priority
        Shape ``(n,)``: rank at junctions.
    roundabout, flat, town, road
        Shape ``(n,)``: part of a roundabout; slope does not apply (bridge, tunnel, ferry, steps); a street of the kind
        met in towns; a road for cars that makes junctions.
    duration_s
        Shape ``(n,)``: declared time to run the whole way, not a number when none is.
    place
        Shape ``(n,)``: built-up area according to the tags, 1 yes, 0 no, −1 not said.
    """

    kmh: NDArray[np.float32]
    destination: NDArray[np.bool_]
    priority: NDArray[np.int8]
    roundabout: NDArray[np.bool_]
    flat: NDArray[np.bool_]
    town: NDArray[np.bool_]
    road: NDArray[np.bool_]
    duration_s: NDArray[np.float64]
    place: NDArray[np.int8]


def way_class(tags: Tags) -> str:
    """Return the class that decides the rules: the highway, or ``ferry``; empty when it is not a street."""
    if tags.get("route") == "ferry":
        return "ferry"
    return tags.get("highway", "")


def is_street(tags: Tags) -> bool:
    """Tell whether some mode could use the way."""
    kind = way_class(tags)
    if tags.get("area") == "yes" and kind not in ("pedestrian", "footway", "platform"):
        return False
    return kind in rule("access_rules")["ways"]


def permission(tags: Tags, mode: str, direction: str, rules: Mapping[str, Any]) -> Permission:
    """Return what the access tags and the class of a street allow a mode in one direction, one-way aside."""
    if mode == "car" and _impossible_by_car(tags):
        return "no"
    default = _by_class(tags, mode, rules)
    for key in rules["keys"][mode]:
        value = tags.get(f"{key}:{direction}", tags.get(key))
        if value is None or (mode == "foot" and value in rules["foot_ignores"] and key == "access"):
            continue
        meaning = _meaning(value, rules)
        # A general tag never opens a class that the mode cannot use (« access=yes » on a footpath is not for cars).
        opens = meaning in ("open", "destination")
        if not meaning or (opens and key in ("access", "vehicle") and default == "no"):
            continue
        if opens and default in ("walk", "pushed") and key != "bicycle":
            return default
        answers: dict[str, Permission] = {
            "open": "yes",
            "closed": "no",
            "destination": "destination",
            "pushed": "pushed" if mode == "bike" else "yes",
        }
        return answers[meaning]
    return default


def _meaning(value: str, rules: Mapping[str, Any]) -> str:
    """Return ``open``, ``destination``, ``pushed`` or ``closed``; empty for a value that says nothing to us."""
    return next((meaning for meaning, values in rules["values"].items() if value in values), "")


def _by_class(tags: Tags, mode: str, rules: Mapping[str, Any]) -> Permission:
    """Return what is allowed when no access tag speaks."""
    kind = way_class(tags)
    if tags.get("motorroad") == "yes" and mode != "car":
        return "no"
    if kind == "steps" and mode == "bike" and tags.get("ramp:bicycle") == "yes":
        return "pushed"
    found = rules["ways"].get(kind, {}).get(mode, "no")
    if found == "good":
        found = "yes" if _firm(tags) else "no"
    answer: Permission = found
    return answer


def _impossible_by_car(tags: Tags) -> bool:
    return (
        tags.get("area") == "yes"
        or tags.get("service") == "emergency_access"
        or tags.get("impassable") == "yes"
        or tags.get("smoothness") == "impassable"
    )


def _firm(tags: Tags) -> bool:
    return tags.get("tracktype") == "grade1" or tags.get("surface") in ("asphalt", "paved", "concrete", "paving_stones")


def oneway(tags: Tags, mode: str, rules: Mapping[str, Any]) -> int:
    """Return 1 when a mode may only follow the way, −1 only go against it, 0 when both are open."""
    if mode == "foot":
        return _sign(tags.get("oneway:foot", "no"))
    sense = _sign(tags["oneway"]) if "oneway" in tags else 0
    implied = way_class(tags) == "motorway" or tags.get("junction") in ("roundabout", "circular")
    if "oneway" not in tags and implied:
        sense = 1
    if mode != "bike" or sense == 0:
        return sense
    if "oneway:bicycle" in tags:
        return _sign(tags["oneway:bicycle"]) * (sense if tags["oneway:bicycle"] in ("yes", "1", "true") else 1)
    return 0 if _contraflow(tags, rules) else sense


def _sign(value: str) -> int:
    return {"yes": 1, "1": 1, "true": 1, "-1": -1, "reverse": -1}.get(value, 0)


def _contraflow(tags: Tags, rules: Mapping[str, Any]) -> bool:
    """Tell whether bikes may ride against a one-way street."""
    if tags.get("cycleway", "").startswith("opposite"):
        return True
    for side in ("left", "right", "both"):
        if tags.get(f"cycleway:{side}", "").startswith("opposite"):
            return True
        if tags.get(f"cycleway:{side}:oneway") in ("-1", "no"):
            return True
    if tags.get("junction") in ("roundabout", "circular"):
        return False
    if way_class(tags) == "living_street":
        return True
    # Code de la route, R412-28-1: at 30 km/h or less both directions are open unless a sign says otherwise.
    limit = speeds.car_limit_tagged(tags, "forward")
    return limit is not None and limit <= rules["highest_contraflow_kmh"] and speeds.is_slow_road(tags)


def judge(profiles: Sequence[Tags]) -> WayRules:
    """Return the rules of each distinct set of tags."""
    rules = rule("access_rules")
    n = len(profiles)
    kmh = np.zeros((n, 3, 2, 2), dtype=np.float32)
    destination = np.zeros((n, 3, 2), dtype=bool)
    for i, tags in enumerate(profiles):
        for m, mode in enumerate(MODES):
            sense = oneway(tags, mode, rules)
            for d, direction in enumerate(("forward", "backward")):
                allowed = permission(tags, mode, direction, rules)
                if sense == (-1 if d == 0 else 1):
                    allowed = _against_oneway(tags, mode, allowed, rules, direction)
                if allowed == "no":
                    continue
                destination[i, m, d] = allowed == "destination"
                for place in (0, 1):
                    kmh[i, m, d, place] = speeds.speed(tags, mode, allowed, direction, urban=bool(place))
    kinds = [way_class(tags) for tags in profiles]
    return WayRules(
        kmh=kmh,
        destination=destination,
        priority=np.array([PRIORITY.get(kind, 0) for kind in kinds], dtype=np.int8),
        roundabout=np.array([tags.get("junction") in ("roundabout", "circular") for tags in profiles], dtype=bool),
        flat=np.array([_is_flat(tags, kind) for tags, kind in zip(profiles, kinds, strict=True)], dtype=bool),
        town=np.array([kind in _TOWN_STREETS for kind in kinds], dtype=bool),
        road=np.array([PRIORITY.get(kind, 0) >= 3 for kind in kinds], dtype=bool),
        duration_s=np.array([speeds.duration_seconds(tags.get("duration", "")) for tags in profiles], dtype=np.float64),
        place=np.array([speeds.place(tags) for tags in profiles], dtype=np.int8),
    )


def _is_flat(tags: Tags, kind: str) -> bool:
    return kind in ("ferry", "steps") or tags.get("bridge", "no") != "no" or tags.get("tunnel", "no") != "no"


def _against_oneway(tags: Tags, mode: str, allowed: Permission, rules: Mapping[str, Any], direction: str) -> Permission:
    """Lead a bike by hand against a plain one-way street where people may walk; nobody rides or drives there."""
    if mode != "bike" or allowed == "no" or tags.get("junction") in ("roundabout", "circular"):
        return "no"
    return "pushed" if permission(tags, "foot", direction, rules) == "yes" else "no"


@dataclass(frozen=True)
class NodeRules:
    """Rules of a set of tags of a node.

    Attributes
    ----------
    closed, wait_s
        By mode: nobody passes; seconds lost.
    signal
        Traffic light: 0 none, 1 for both directions of the way, 2 along it, 3 against it.
    """

    closed: tuple[bool, bool, bool]
    wait_s: tuple[float, float, float]
    signal: int


def judge_node(tags: Tags) -> NodeRules | None:
    """Return what the tags of a node mean, ``None`` when they change nothing."""
    signal = 0
    if tags.get("highway") == "traffic_signals":
        signal = {"forward": 2, "backward": 3}.get(tags.get("traffic_signals:direction", ""), 1)
    closed, waits = [False] * 3, [0.0] * 3
    if "barrier" in tags:
        rules = rule("access_rules")
        kind = rules["barriers"].get(tags["barrier"], rules["barriers"]["other"])
        for m, mode in enumerate(MODES):
            closed[m] = _barrier_closed(tags, mode, kind, rules)
            waits[m] = 0.0 if closed[m] else float(kind.get(f"{mode}_s", 0))
    if not (signal or any(closed) or any(waits)):
        return None
    return NodeRules((closed[0], closed[1], closed[2]), (waits[0], waits[1], waits[2]), signal)


def _barrier_closed(tags: Tags, mode: str, kind: Mapping[str, Any], rules: Mapping[str, Any]) -> bool:
    if tags.get("locked") == "yes" and mode not in tags:
        return True
    if mode == "car" and tags.get("bollard") in ("removable", "rising") and tags.get("motor_vehicle") is None:
        return True
    for key in rules["keys"][mode]:
        value = tags.get(key)
        if value is None or (mode == "foot" and key == "access" and value in rules["foot_ignores"]):
            continue
        if value in rules["values"]["closed"]:
            return True
        # « access=yes » on a bollard speaks of people: only a precise tag opens it to cars.
        if key == "access" and kind.get(mode) == "no":
            continue
        return False
    return bool(kind.get(mode) == "no")
