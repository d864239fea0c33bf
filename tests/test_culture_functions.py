"""Spread, deserts, density, categories and festivals of culture, on a small country written by hand."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Transformer

from bourg.culture.base import CultureBase, chord_to_km, make_base, unit_vectors
from bourg.culture.categories import breakdown
from bourg.culture.density import bands, breaks_of, density_rules, kernel_density, project, rate_surface, unproject
from bourg.culture.deserts import FAR, HOME, NEAR, UNKNOWN, desert_share, find_deserts, share_known
from bourg.culture.festivals import SEVERAL, UNDATED, festivals_of, months_of, season_of, seasons, with_seasons
from bourg.culture.kinds import kind, kinds
from bourg.culture.spread import concentration, gini, hoover, served
from bourg.errors import ParameterError
from bourg.indicators.typologies import load_typology

# One degree of latitude is 111.2 km: 0.1° apart, the town halls are 11.1 km from one another.
COMMUNES = [
    # code, population, longitude, latitude
    ("01001", 8000, 3.0, 44.0),
    ("01002", 1500, 3.0, 44.1),
    ("01003", 400, 3.0, 44.2),
    ("01004", 100, 3.0, 44.5),
    ("01005", None, 3.0, 44.05),
    ("01006", 50, None, None),
]
PLACES = [
    ("p1", "Bibliothèque", "01001", 3.0, 44.0),
    ("p2", "bibliothèques", "01002", None, None),
    ("p3", "Cinéma", "01001", 3.0, 44.01),
    ("p4", "Monument", "01003", 3.0, 44.2),
    ("p5", "Papeterie et maisons de la presse", "01001", 3.0, 44.0),
    ("p6", "Festival", "01001", 3.0, 44.0),
    ("p7", "Musée", "01005", 3.0, 44.05),
]
ALL = np.arange(len(COMMUNES), dtype=np.int64)


def world(covered: frozenset[str] | None = None) -> CultureBase:
    """The small country, its typed list whole or partial."""
    columns = ["code", "population", "longitude", "latitude"]
    communes = pl.DataFrame(COMMUNES, schema=columns, orient="row").with_columns(
        name=pl.col("code"), departement=pl.lit("01"), region=pl.lit("84"), epci=pl.lit("2"), area_km2=pl.lit(10.0)
    )
    places = pl.DataFrame(PLACES, schema=["place_id", "type", "code", "longitude", "latitude"], orient="row")
    listed = places.with_columns(name=pl.col("type"))
    return make_base(communes, listed, covered=covered, demo=False)


@pytest.fixture(scope="module")
def base() -> CultureBase:
    return world()


def test_distances_are_those_of_the_sphere() -> None:
    one, other = (
        unit_vectors(np.array([2.3522]), np.array([48.8566])),
        unit_vectors(np.array([5.3698]), np.array([43.2965])),
    )
    # Paris to Marseille, haversine with the same radius.
    lat1, lat2, dlon = math.radians(48.8566), math.radians(43.2965), math.radians(5.3698 - 2.3522)
    half = math.sin((lat2 - lat1) / 2) ** 2 + math.cos(lat1) * math.cos(lat2) * math.sin(dlon / 2) ** 2
    expected = 2 * 6371.0088 * math.asin(math.sqrt(half))
    assert chord_to_km(np.linalg.norm(one - other, axis=1))[0] == pytest.approx(expected, rel=1e-9)
    assert chord_to_km(np.array([np.inf]))[0] == np.inf


def test_spellings_are_one_type_and_festivals_are_not_places(base: CultureBase) -> None:
    assert base.types == ("Bibliothèque", "Cinéma", "Monument", "Musée", "Papeterie et maisons de la presse")
    assert base.count(kind("bibliotheque")).tolist() == [1, 1, 0, 0, 0, 0]
    assert int(base.counts.sum()) == 6
    assert base.count(kind("vivant")).sum() == 4
    assert base.count(kind("patrimoine")).tolist() == [0, 0, 1, 0, 0, 0]


def test_a_place_without_coordinates_stands_at_its_town_hall(base: CultureBase) -> None:
    distance, place = base.nearest(kind("bibliotheque"))
    assert distance[1] == pytest.approx(0)
    assert base.places["place_id"][int(place[1])] == "p2"
    assert distance[2] == pytest.approx(0.1 * 111.195, abs=0.01)
    assert math.isinf(distance[5])
    assert place[5] == -1


def test_no_place_of_a_kind_is_infinitely_far(base: CultureBase) -> None:
    distance, place = base.nearest(kind("conservatoire"))
    assert np.isinf(distance).all()
    assert (place == -1).all()


def test_share_of_inhabitants_who_have_one_at_home(base: CultureBase) -> None:
    rows = ALL[:4]
    found = served(base, rows, kind("bibliotheque"))
    assert found is not None
    assert (found.places, found.communes, found.of_communes) == (2, 2, 4)
    assert found.share == pytest.approx(100 * 9500 / 10000)
    assert found.median_km == pytest.approx(0)
    assert served(world(frozenset({"01001"})), rows, kind("bibliotheque")) is None


def test_concentration_is_zero_when_places_follow_inhabitants() -> None:
    people = np.array([100.0, 200.0, 700.0])
    assert hoover(people / 100, people) == pytest.approx(0)
    assert gini(people / 100, people) == pytest.approx(0)
    # All the places where nobody lives.
    assert hoover(np.array([5.0, 0.0]), np.array([0.0, 10.0])) == pytest.approx(1)
    assert gini(np.array([5.0, 0.0]), np.array([0.0, 10.0])) == pytest.approx(1)
    # Half of the inhabitants have every place: by hand, ½ for both.
    assert hoover(np.array([4.0, 0.0]), np.array([50.0, 50.0])) == pytest.approx(0.5)
    assert gini(np.array([4.0, 0.0]), np.array([50.0, 50.0])) == pytest.approx(0.5)


@given(
    st.lists(st.tuples(st.integers(0, 50), st.integers(1, 10_000)), min_size=2, max_size=12).filter(
        lambda pairs: sum(count for count, _ in pairs) > 0
    )
)
def test_concentration_stays_between_zero_and_one_and_gini_is_at_least_hoover(pairs: list[tuple[int, int]]) -> None:
    counts, people = (np.array(values, dtype=np.float64) for values in zip(*pairs, strict=True))
    low, high = hoover(counts, people), gini(counts, people)
    assert -1e-9 <= low <= high + 1e-9
    assert high <= 1 + 1e-9


def test_concentration_of_a_territory(base: CultureBase) -> None:
    living = base.count(kind("vivant"))
    found = concentration(base, ALL[:4], living[:4])
    assert found is not None
    assert found.main == 0
    assert found.main_people == pytest.approx(80)
    assert found.main_places == pytest.approx(100 * 2 / 3)
    nothing = concentration(base, ALL[3:4], living[3:4])
    assert nothing is not None
    assert (nothing.hoover, nothing.gini, nothing.main_places) == (None, None, None)
    assert concentration(world(frozenset({"01001"})), ALL[:2], living[:2]) is None


def test_deserts_tell_home_near_far_and_unknown(base: CultureBase) -> None:
    found = find_deserts(base, ALL, kind("vivant"))
    told = dict(found.table.select("code", "status").iter_rows())
    assert told == {
        "01001": HOME, "01002": HOME, "01003": FAR, "01004": FAR, "01005": HOME, "01006": UNKNOWN,
    }  # fmt: skip
    assert found.far["code"].to_list() == ["01003", "01004"]
    assert found.people(FAR) == 500
    assert found.share == pytest.approx(100 * 500 / 10000)
    assert desert_share(base, ALL, kind("vivant")) == pytest.approx(found.share)
    row = found.table.filter(pl.col("code") == "01003").row(0, named=True)
    assert row["nearest_commune"] == "01002"
    assert row["distance_km"] == pytest.approx(11.12, abs=0.01)


def test_what_the_list_leaves_out_is_unknown_never_a_desert() -> None:
    # 01002 is not described: its neighbour 01003, 11 km away, is beyond the distance and stays known; 01002 does not.
    partial = world(frozenset({"01001", "01003", "01004"}))
    cinema = find_deserts(partial, ALL[:4], kind("cinema"))
    told = dict(cinema.table.select("code", "status").iter_rows())
    assert told["01001"] == HOME
    assert told["01002"] == NEAR
    # Its own commune is described, but 01002 is nearer than 15 km and not described.
    assert told["01003"] == UNKNOWN
    assert told["01004"] == FAR
    assert cinema.table.filter(pl.col("code") == "01002")["places"].to_list() == [None]


def test_a_share_needs_almost_everybody_to_be_known() -> None:
    assert share_known(5, 100, 0) == pytest.approx(5)
    assert share_known(5, 99, 1) == pytest.approx(100 * 5 / 99)
    assert share_known(5, 90, 10) is None
    assert share_known(0, 0, 0) is None


def test_categories_of_both_typologies(base: CultureBase) -> None:
    brief = breakdown(base, ALL[:5], "brief")
    assert brief is not None
    assert {item.id: item.n for item in brief.categories} == {"vivant": 4, "patrimoine": 1, "non_classe": 1}
    assert brief.categories[-1].label == "ni vivants ni patrimoine"
    assert brief.total == sum(item.n for item in brief.categories) == 6
    # 01005 has no known population: its museum is counted, and left out of the rates.
    assert (brief.people, brief.unpeopled) == (10_000, 1)
    assert brief.per_1000(brief.categories[0]) == pytest.approx(0.3)
    ministry = breakdown(base, ALL[:5], "ministere")
    assert ministry is not None
    assert {item.id: item.n for item in ministry.categories if item.n} == {
        "patrimoine": 1, "musees": 1, "lecture": 3, "cinema": 1,
    }  # fmt: skip
    assert list(load_typology("ministere").categories) == [item.id for item in ministry.categories[:-1]]
    assert breakdown(world(frozenset({"01001"})), ALL[:2], "brief") is None
    with pytest.raises(ParameterError):
        breakdown(base, ALL, "autre")


def test_density_holds_every_place_and_is_the_gaussian() -> None:
    lon, lat = np.array([3.0]), np.array([44.0])
    surface = kernel_density(lon, lat, np.ones(1), (2.4, 43.6, 3.6, 44.4), 3.0)
    step = surface.x[1] - surface.x[0]
    assert surface.z.sum() * step**2 == pytest.approx(1, abs=0.01)
    # At the place: 1 / (2πh²); at h from it, that times exp(-½). Sharing points among cells widens the bell a little.
    peak = 1 / (2 * math.pi * 9)
    assert surface.at(lon, lat)[0] == pytest.approx(peak, rel=0.03)
    assert surface.at(np.array([3.0]), np.array([44.0 + 3 / 111.2]))[0] == pytest.approx(
        peak * math.exp(-0.5), rel=0.06
    )
    assert np.isnan(surface.at(np.array([9.0]), np.array([44.0]))[0])
    with pytest.raises(ValueError, match="bandwidth"):
        kernel_density(lon, lat, np.ones(1), (2.4, 43.6, 3.6, 44.4), 0)


def test_the_projection_is_that_of_proj() -> None:
    centre = (2.5, 44.0)
    lon, lat = np.array([2.5, -1.0, 6.3, 3.0]), np.array([44.0, 42.1, 46.9, 44.0])
    proj = Transformer.from_crs("EPSG:4326", "+proj=laea +lat_0=44 +lon_0=2.5 +R=6371008.8 +units=km", always_xy=True)
    x, y = project(centre, lon, lat)
    assert np.allclose(np.array([x, y]), np.array(proj.transform(lon, lat)), atol=1e-9)
    assert np.allclose(np.array(unproject(centre, x, y)), np.array([lon, lat]), atol=1e-12)


def test_places_outside_the_box_count_too() -> None:
    box = (2.9, 43.95, 3.0, 44.05)
    inside = kernel_density(np.array([2.99]), np.array([44.0]), np.ones(1), box, 3.0)
    both = kernel_density(np.array([2.99, 3.01]), np.array([44.0, 44.0]), np.ones(2), box, 3.0)
    assert both.z.max() > 1.5 * inside.z.max()


def test_a_rate_is_given_only_where_people_live() -> None:
    box = (2.8, 43.8, 3.2, 44.2)
    places = kernel_density(np.array([3.0]), np.array([44.0]), np.ones(1), box, 3.0)
    people = kernel_density(np.array([3.0]), np.array([44.0]), np.array([2000.0]), box, 3.0)
    rate = rate_surface(places, people)
    known = np.isfinite(rate.z)
    assert np.allclose(rate.z[known], 0.5)
    assert known.any()
    assert not known.all()
    assert (people.z[known] >= density_rules()["least_people"]).all()


def test_contours_are_disjoint_and_cut_to_the_territory() -> None:
    box = (2.8, 43.8, 3.2, 44.2)
    surface = kernel_density(np.array([3.0, 3.05]), np.array([44.0, 44.02]), np.ones(2), box, 3.0)
    clip = shapely.box(2.95, 43.9, 3.2, 44.1)
    breaks = breaks_of(float(surface.z.max()), 6)
    found = bands(surface, breaks, clip)
    assert [band.low for band in found] == sorted(band.low for band in found)
    assert found[-1].high is None
    for index, band in enumerate(found):
        assert band.area.is_valid
        assert shapely.area(shapely.difference(band.area, clip.buffer(1e-6))) < 1e-9
        for other in found[index + 1 :]:
            assert shapely.area(shapely.intersection(band.area, other.area)) < 1e-6
    assert bands(surface, []) == []


def test_bounds_are_round_and_under_the_largest_value() -> None:
    assert breaks_of(0.37, 6) == [0.005, 0.01, 0.02, 0.05, 0.1, 0.2]
    assert breaks_of(1.0, 3) == [0.1, 0.2, 0.5]
    assert breaks_of(0.0, 6) == []


def test_seasons_and_months_of_festivals() -> None:
    summer = seasons()["saison"]
    assert season_of("Saison (21 juin - 5 septembre)") == summer
    assert season_of("saison (21 juin - 5 septembre)") == summer
    assert season_of("Juillet, Août") == summer
    assert season_of("Janvier, Octobre") == SEVERAL
    assert season_of("Variable selon les années") == SEVERAL
    assert season_of(None) == UNDATED
    assert season_of("  ") == UNDATED
    assert months_of("Août, Juillet") == (7, 8)
    assert months_of("Saison (21 juin - 5 septembre)") == ()


def test_festivals_of_some_communes() -> None:
    frame = pl.DataFrame(
        [
            ("A", "01001", "Musique", "Saison (21 juin - 5 septembre)", 2001),
            ("B", "01001", "Musique", "Octobre", None),
            ("C", "01002", None, None, None),
            ("D", "01003", "Musique", None, None),
            ("E", None, "Musique", None, None),
        ],
        schema=["name", "code", "discipline", "period", "creation_year"],
        orient="row",
    )
    found = festivals_of(with_seasons(frame), ["01001", "01002"], demo=False)
    assert found.total == 3
    assert found.disciplines == {"Musique": 2, "discipline non renseignée": 1}
    assert sum(found.seasons.values()) == 3
    assert found.months == {"octobre": 1}
    nothing = festivals_of(with_seasons(frame), ["01009"], demo=False)
    assert nothing.total == 0
    assert list(nothing.seasons) == list(seasons().values())


def test_kinds_are_declared() -> None:
    assert next(iter(kinds())) == "vivant"
    assert kind("vivant").types == load_typology("brief").categories["vivant"].types
    assert all(item.desert_km > 0 for item in kinds().values())
    with pytest.raises(ParameterError):
        kind("patinoire")


def test_a_country_without_any_list_is_unknown_everywhere() -> None:
    known = world()
    nothing = make_base(known.communes.drop("covered"), known.places.clear(), covered=frozenset(), demo=False)
    assert nothing.types == ()
    assert breakdown(nothing, ALL, "brief") is None
    assert served(nothing, ALL, kind("bibliotheque")) is None
    assert set(find_deserts(nothing, ALL, kind("vivant")).table["status"]) == {UNKNOWN}
    assert find_deserts(nothing, ALL, kind("vivant")).share is None
