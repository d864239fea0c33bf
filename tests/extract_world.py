"""A small OpenStreetMap file around a real commune, written by hand, with every trap the extractor knows."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from bourg.extract.engine import Extraction, extract, local_source
from bourg.extract.files import best_extract, local_extracts
from bourg.extract.territory import Territories
from bourg.extract.themes import theme_named
from bourg.portrait.observatory import Observatory
from bourg.settings import Settings
from bourg.store.snapshot import Snapshot

TOWN = "12145"
DATE = "2024-05-06T07:08:09Z"
_META = 'version="3" user="quelqu-un" uid="42" changeset="7" timestamp="2024-01-01T00:00:00Z"'
_STEP = 0.0004


def town_place(snapshot: Snapshot) -> tuple[float, float]:
    """Return longitude and latitude of the town hall."""
    communes = snapshot.table("communes").filter(pl.col("code") == TOWN).collect()
    row = communes.row(0, named=True)
    return float(row["longitude"]), float(row["latitude"])


class OsmFile:
    """An OpenStreetMap XML file under construction; places are steps of about 40 m from a centre."""

    def __init__(self, centre: tuple[float, float]) -> None:
        self.centre = centre
        self.nodes: list[str] = []
        self.ways: list[str] = []
        self.relations: list[str] = []
        self._next = 1000

    def node(self, number: int, column: float, row: float, **tags: str) -> None:
        x, y = self.centre[0] + column * _STEP, self.centre[1] + row * _STEP
        self.nodes.append(f'<node id="{number}" lat="{y:.7f}" lon="{x:.7f}" {_META}>{_tags(tags)}</node>')

    def way(self, number: int, corners: list[tuple[float, float]], *, closed: bool, **tags: str) -> None:
        refs = []
        for column, row in corners:
            self._next += 1
            self.node(self._next, column, row)
            refs.append(self._next)
        self.way_of(number, [*refs, refs[0]] if closed else refs, **tags)

    def way_of(self, number: int, refs: list[int], **tags: str) -> None:
        inside = "".join(f'<nd ref="{ref}"/>' for ref in refs)
        self.ways.append(f'<way id="{number}" {_META}>{inside}{_tags(tags)}</way>')

    def relation(self, number: int, ways: list[int], **tags: str) -> None:
        inside = "".join(f'<member type="way" ref="{ref}" role="outer"/>' for ref in ways)
        self.relations.append(f'<relation id="{number}" {_META}>{inside}{_tags(tags)}</relation>')

    def text(self, *, bounds: bool = True, remark: str = "") -> str:
        x, y = self.centre
        box = f'<bounds minlat="{y - 0.3}" minlon="{x - 0.3}" maxlat="{y + 0.3}" maxlon="{x + 0.3}"/>' if bounds else ""
        nodes = sorted(self.nodes, key=lambda line: int(line.split('"')[1]))
        tail = f"<remark> {remark} </remark>" if remark else ""
        content = "\n".join([box, *nodes, *self.ways, *self.relations, tail])
        head = '<?xml version="1.0" encoding="UTF-8"?>\n<osm version="0.6">\n'
        return f'{head}<meta osm_base="{DATE}"/>\n{content}\n</osm>\n'


def _tags(tags: dict[str, str]) -> str:
    def clean(text: str) -> str:
        return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")

    return "".join(f'<tag k="{key.replace("__", ":")}" v="{clean(value)}"/>' for key, value in tags.items())


def small_file(centre: tuple[float, float]) -> OsmFile:
    """Return the file of the tests: what is in it is told beside each line."""
    made = OsmFile(centre)
    made.node(
        1, 0, 0, shop="bakery;pastry", amenity="cafe", name="Au Bon Pain", opening_hours="Mo-Sa 07:00-19:00",
        wheelchair="yes", website="https://exemple.fr", addr__housenumber="3", addr__street="Rue Haute",
        phone="0600000000", contact__email="moi@exemple.fr", note="rappeler Paul",
    )  # fmt: skip
    made.node(2, 1, 0, shop="clothes", name='=HYPERLINK("http://mal.example")')
    made.node(3, 2, 0, shop="vacant")
    made.node(4, 3, 0, disused__shop="butcher")
    made.node(5, 4, 0, shop="licorne", name="Chez Licorne")
    made.node(6, 5, 0, amenity="restaurant", disused="yes", name="Fermé")
    made.node(7, 0, 1, amenity="doctors", name="Dr Jeanne Exemple", operator="Jeanne Exemple", wheelchair="limited",
              website="https://jeanne-exemple.fr")  # fmt: skip
    made.node(8, 1, 1, amenity="pharmacy", name="Pharmacie du Pont")
    made.node(9, 2, 1, amenity="bench")
    made.node(10, 3, 1, power="generator", generator__source="solar", location="roof", operator="Paul Exemple",
              name="Chez Paul")  # fmt: skip
    made.node(11, 4, 1, power="generator", generator__source="wind", generator__output__electricity="2 MW")
    # Far away: in the box of the file, not in the commune.
    made.node(12, -500, 0, shop="bakery", name="Ailleurs")
    # A school as a U: the centre of its corners is outside of it.
    shape = [(10.0, 0.0), (16.0, 0.0), (16.0, 6.0), (15.0, 6.0), (15.0, 1.0), (11.0, 1.0), (11.0, 6.0), (10.0, 6.0)]
    made.way(100, shape, closed=True, amenity="school", name="École des Tilleuls")
    made.way(101, [(0, 10), (4, 10)], closed=False, highway="pedestrian", name="Rue du Marché")
    # A park of two ways, as a multipolygon.
    for number, row in ((901, 12), (902, 12), (903, 14), (904, 14)):
        made.node(number, {901: 0, 902: 4, 903: 4, 904: 0}[number], row)
    made.way_of(102, [901, 902, 903])
    made.way_of(103, [903, 904, 901])
    made.relation(200, [102, 103], type="multipolygon", leisure="park", name="Parc de la Victoire")
    # A park whose way is not in the file: it has no place.
    made.relation(201, [999_999], type="multipolygon", leisure="park", name="Parc perdu")
    return made


@pytest.fixture(scope="session")
def osm_file(small_snapshot: Snapshot, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small file on disk."""
    path = tmp_path_factory.mktemp("osm") / "petit.osm"
    path.write_text(small_file(town_place(small_snapshot)).text(), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def territories(small_observatory: Observatory) -> Territories:
    """The territories of the small snapshot."""
    return Territories(small_observatory.snapshot, small_observatory.index)


def run(theme: str, place: str, path: Path, territories: Territories, settings: Settings) -> Extraction:
    """Return an extraction of a file."""
    territory = territories.find(place)
    extracts, problems = local_extracts(settings, [path])
    assert problems == []
    best = best_extract(extracts, territory, settings)
    source = local_source(best.extract, best.share)
    return extract(theme_named(theme), territory, best.extract.path, source, territories=territories, settings=settings)
