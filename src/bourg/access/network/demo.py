"""Generated streets around a town, installed as a network: the access page can be tried without any extract."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from bourg.access.network.installed import InstalledNetwork, install_network
from bourg.access.places.population import population_points
from bourg.errors import UnknownTerritoryError
from bourg.settings import Settings
from bourg.sources.demo.streets import write_streets
from bourg.store.cache import writing
from bourg.store.snapshot import Snapshot

DEMO_RADIUS_KM = 15.0
# What the construction of a network says, about: reading, rules, three graphs, facilities.
_STEPS = 7
Progress = Callable[[str, float], None]


def install_demo_streets(
    snapshot: Snapshot,
    settings: Settings,
    code: str,
    progress: Progress | None = None,
    *,
    radius_km: float = DEMO_RADIUS_KM,
) -> InstalledNetwork:
    """Generate streets around a commune and install them as the network ``demonstration-<code>``.

    Nothing of the real streets is in it; whatever is computed on it is a demonstration.

    Parameters
    ----------
    snapshot
        Communes, with their population and the place of their town halls.
    settings
        Installation; the extract goes to ``demo/``, the network to ``networks/``.
    code
        INSEE code of the commune in the middle.
    progress
        Called with a French label and the share done, 0 to 1.
    radius_km
        Communes nearer than this have streets.

    Raises
    ------
    UnknownTerritoryError
        When the commune does not exist, or has no known place.
    """
    say = progress or (lambda _label, _share: None)
    say("Rues de démonstration", 0.02)
    halls = snapshot.table("town_halls").select("code", _x="longitude", _y="latitude").unique("code", keep="first")
    # Both coordinates of one place: the town hall, else the point of the commune.
    placed = pl.col("_x").is_not_null() & pl.col("_y").is_not_null()
    communes = (
        snapshot.table("communes")
        .select("code", "population", "longitude", "latitude")
        .join(halls, on="code", how="left")
        .select(
            "code",
            "population",
            longitude=pl.when(placed).then("_x").otherwise("longitude"),
            latitude=pl.when(placed).then("_y").otherwise("latitude"),
        )
        .collect()
    )
    if communes.drop_nulls(["longitude", "latitude"]).filter(pl.col("code") == code).is_empty():
        raise UnknownTerritoryError(
            "On ne peut pas dessiner de rues autour de cette commune.",
            where=code,
            why="elle n'est pas dans l'instantané, ou sa place n'y est pas connue.",
            next_step="choisissez une autre commune.",
        )
    name = f"demonstration-{code.lower()}"
    folder = settings.demo / "rues"
    path = folder / f"{name}.osm.pbf"
    with writing(path):
        folder.mkdir(parents=True, exist_ok=True)
        homes = population_points(snapshot, code).table
        write_streets(path, communes, code, radius_km=radius_km, homes=homes)
    done = iter(0.2 + 0.75 * step / _STEPS for step in range(_STEPS))
    return install_network([path], settings, name=name, progress=lambda label: say(label, next(done, 0.97)))
