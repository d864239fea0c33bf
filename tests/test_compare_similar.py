"""Similar towns and profiles: distances by hand, symmetry, missing values, blocks equal to the plain search."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from bourg.compare.families import family_of
from bourg.compare.matrix import commune_matrix
from bourg.compare.neighbours import Filters, all_neighbours
from bourg.compare.profiles import k_means, small_town_profiles
from bourg.compare.settings import setting
from bourg.compare.similar import (
    declared_filters,
    jaccard,
    nearest_positions,
    neighbours_table,
    similar_towns,
)
from bourg.compare.structure import Feature, Structure, declared_features, robust_scale, standardise, structure_of
from bourg.errors import ParameterError, SnapshotError, UnknownTerritoryError
from bourg.indicators.registry import get_indicator, load_indicators

FEATURES = declared_features()


def space(z: np.ndarray, features=FEATURES) -> Structure:
    codes = tuple(f"{index:05d}" for index in range(len(z)))
    return Structure(codes, tuple(features[: z.shape[1]]), np.exp(z), z)


def plain(structure: Structure, row: int, k: int, min_share: float = 0.6) -> list[tuple[int, float]]:
    """The definition, in slow Python."""
    found = []
    for other in range(len(structure.codes)):
        parts = weight = 0.0
        for index, share in enumerate(structure.weights):
            gap = structure.z[row, index] - structure.z[other, index]
            if not np.isnan(gap):
                parts, weight = parts + share * gap * gap, weight + share
        if other != row and weight > 0 and weight >= min_share - 1e-12:
            found.append((other, (parts / weight) ** 0.5))
    return sorted(found, key=lambda item: (round(item[1], 12), item[0]))[:k]


def test_robust_scores_by_hand():
    feature = Feature(indicator="population.total", transform="none", weight=1, winsorise=(0.0, 1.0))
    assert robust_scale(np.array([1.0, 2, 3, 4, 100, np.nan])) == (3.0, pytest.approx(1.4826))
    scores = standardise(np.array([1.0, 2, 3, 4, 100, np.nan]), feature)
    assert scores[:3] == pytest.approx([-2 / 1.4826, -1 / 1.4826, 0])
    assert np.isnan(scores[5])
    cut = standardise(np.arange(101.0), feature.model_copy(update={"winsorise": (0.1, 0.9)}))
    assert cut[0] == cut[10] < cut[11]
    logs = standardise(np.array([0.0, 1, 10, 100]), feature.model_copy(update={"transform": "log"}))
    assert np.isnan(logs[0])
    assert logs[3] - logs[2] == pytest.approx(logs[2] - logs[1])
    assert standardise(np.array([5.0, 5, 5]), feature).tolist() == [0, 0, 0]
    # More than half of the values are equal: the spread does not vanish.
    assert robust_scale(np.array([0.0, 0, 0, 0, 8, 9]))[1] == pytest.approx(6 / 1.349)


def test_distance_by_hand():
    features = [
        Feature(indicator="population.total", transform="none", weight=3, winsorise=(0, 1)),
        Feature(indicator="housing.vacancy_rate", transform="none", weight=1, winsorise=(0, 1)),
    ]
    structure = space(np.array([[0.0, 0.0], [1.0, 2.0], [0.5, np.nan], [np.nan, 0.0]]), features)
    positions, distances = all_neighbours(structure, 3, min_share=0.6)
    # √(0.75 × 1 + 0.25 × 4) and √(0.75 × 0.25 ÷ 0.75); the last shares only a quarter of the weights.
    assert positions[0].tolist() == [2, 1, -1]
    assert distances[0, :2] == pytest.approx([0.5, 1.75**0.5])
    assert positions[3].tolist() == [-1, -1, -1]


@pytest.mark.parametrize("count", [2, 60, 700])
def test_blocks_give_the_plain_search(count):
    generator = np.random.default_rng(count)
    z = np.round(generator.normal(size=(count, 6)) * 2, 1 if count > 100 else 3)
    z[::11] = z[0]  # equal towns: ties
    z[generator.random(z.shape) < 0.01] = np.nan
    structure = space(z)
    positions, distances = all_neighbours(structure, 20, min_share=0.6)
    for row in range(0, count, max(1, count // 40)):
        expected = plain(structure, row, 20)
        size = len(expected)
        assert distances[row, :size] == pytest.approx([item[1] for item in expected], abs=1e-6)
        assert (positions[row, size:] == -1).all()
        assert row not in positions[row]
        near = nearest_positions(structure, row, 20, [()])[0]
        assert near.tolist() == positions[row, :size].tolist()


def test_the_same_twice_and_symmetric():
    z = np.random.default_rng(5).normal(size=(400, 7))
    structure = space(z)
    first, second = (all_neighbours(structure, 399, min_share=0.6) for _ in range(2))
    assert (first[0] == second[0]).all()
    full = np.full((400, 400), np.nan)
    np.put_along_axis(full, first[0].astype(np.int64), first[1].astype(float), axis=1)
    off = ~np.eye(400, dtype=bool)
    assert np.isnan(np.diag(full)).all()
    assert np.allclose(full[off], full.T[off])


def test_ties_go_to_the_smallest_code():
    structure = space(np.zeros((300, 4)))
    positions, distances = all_neighbours(structure, 5, min_share=0.6)
    assert positions[0].tolist() == [1, 2, 3, 4, 5]
    assert positions[299].tolist() == [0, 1, 2, 3, 4]
    assert (distances == 0).all()


def test_filters_keep_the_same_shore_and_near_sizes():
    z = np.random.default_rng(2).normal(size=(300, 4))
    structure = space(z)
    groups = (np.arange(300) % 3 == 0).astype(np.int16)
    ranks = (np.arange(300) % 7 - 1).astype(np.int16)
    filters = Filters(groups, ranks, 1)
    positions, _ = all_neighbours(structure, 10, min_share=0.6, filters=filters)
    for row in range(300):
        near = positions[row][positions[row] >= 0]
        assert (groups[near] == groups[row]).all()
        assert (np.abs(ranks[near] - ranks[row]) <= 1).all()
        assert near.tolist() == nearest_positions(structure, row, 10, [()], filters)[0].tolist()
    assert (positions[0] == -1).all()  # its size is unknown


def town_space() -> Structure:
    """Twelve towns on a line: town 0 is nearest to 1, then 2…; one differs by its vacancy only."""
    z = np.zeros((12, len(FEATURES)))
    z[:, 0] = np.arange(12) / 10
    z[3, 6] = 3.0
    return space(z)


def test_reasons_and_main_difference():
    answer = similar_towns(town_space(), "00000", names={"00003": "Laguiole"}, k=11)
    assert answer.status == "ok"
    assert [item.code for item in answer.neighbours[:2]] == ["00001", "00002"]
    odd = next(item for item in answer.neighbours if item.code == "00003")
    assert odd.name == "Laguiole"
    assert odd.main_difference.indicator == "housing.vacancy_rate"
    assert odd.main_difference.gap == 3.0
    assert len(odd.reasons) == 3
    assert odd.main_difference not in odd.reasons
    assert odd.sentence.startswith("Proche par ")
    assert "principale différence : la part des logements vacants (" in odd.sentence
    assert answer.stability == 1.0
    assert answer.neighbours[0].distance <= answer.neighbours[-1].distance


def test_identical_towns_have_no_main_difference():
    answer = similar_towns(space(np.zeros((4, 5))), "00002", k=2)
    assert [item.code for item in answer.neighbours] == ["00000", "00001"]
    assert answer.neighbours[0].main_difference is None
    assert "différence" not in answer.neighbours[0].sentence
    assert len(answer.neighbours[0].reasons) == 3


def test_stability_falls_when_one_feature_decides():
    z = np.zeros((60, 3))
    z[:, 0] = np.arange(60)
    firm = similar_towns(space(z), "00030", k=5).stability
    # Without the first feature all towns are equal: codes 00000 to 00004 come instead.
    assert firm == pytest.approx((0 + 1 + 1) / 3)
    assert jaccard(np.array([1, 2]), np.array([2, 3])) == pytest.approx(1 / 3)


def test_outcome_is_never_a_feature():
    structure = town_space()
    answer = similar_towns(structure, "00000", outcomes=["population.ageing_index"])
    assert answer.left_out == ("population.share_0_19", "population.share_65_plus")
    assert "Sans ce qui est comparé" in answer.message
    assert not {item.indicator for n in answer.neighbours for item in n.reasons} & set(answer.left_out)
    # A number of households is a size, wherever it is published.
    outcomes = {name for name in load_indicators() if not name.startswith(("population.", "housing."))}
    outcomes.discard("income.tax_households")
    assert not {family_of(name) for name in outcomes} & {feature.family for feature in FEATURES}
    assert all(get_indicator(feature.indicator).declaration.theme in {"population", "housing"} for feature in FEATURES)


def test_missing_features_are_said():
    z = town_space().z
    z[5, 2:4] = np.nan
    z[7, :] = np.nan
    structure = space(z)
    answer = similar_towns(structure, "00005", k=3)
    assert answer.status == "ok"
    assert answer.missing == ("population.share_0_19", "population.share_65_plus")
    assert "la part des 65 ans ou plus" in answer.message
    lost = similar_towns(structure, "00007")
    assert (lost.status, lost.neighbours, lost.stability) == ("not_enough_data", (), None)
    assert "Trop de données" in lost.message
    assert all(item.code != "00007" for item in similar_towns(structure, "00000", k=11).neighbours)
    assert neighbours_table(structure, 4).filter(pl.col("code") == "00007").is_empty()


def test_bad_input():
    structure = town_space()
    with pytest.raises(UnknownTerritoryError, match="12345"):
        similar_towns(structure, "12345")
    with pytest.raises(ParameterError, match="entre 1 et"):
        similar_towns(structure, "00000", k=0)
    nobody = Filters(groups=np.arange(12).astype(np.int16))
    assert similar_towns(structure, "00000", filters=nobody).status == "no_candidate"
    empty = commune_matrix(
        pl.DataFrame(
            schema={
                **dict.fromkeys(("indicator", "level", "code", "period", "status"), pl.String),
                "value": pl.Float64,
            }
        ),
        ["01001"],
    )
    with pytest.raises(SnapshotError, match="structure"):
        structure_of(empty)


def test_declared_filters():
    codes = ["01001", "97411", "2A004"]
    values = pl.DataFrame(
        {"indicator": ["population.total"] * 3, "level": ["commune"] * 3, "code": codes, "period": ["2021"] * 3,
         "value": [1.0, 2.0, 3.0], "status": ["ok"] * 3}
    )  # fmt: skip
    matrix = commune_matrix(values, codes)
    communes = pl.DataFrame({"code": codes, "population": [400, 150_000, None]})
    filters = declared_filters(matrix, communes, size_gap=1, same_shore=True)
    assert matrix.codes == ("01001", "2A004", "97411")
    assert filters.groups.tolist() == [0, 0, 1]
    assert filters.ranks.tolist() == [0, -1, 6]


def test_table_of_neighbours():
    table = neighbours_table(town_space(), 2)
    assert table.schema == {"code": pl.String, "rank": pl.UInt8, "neighbour": pl.String, "distance": pl.Float32}
    assert table.filter(pl.col("code") == "00000")["neighbour"].to_list() == ["00001", "00002"]
    assert table.filter(pl.col("code") == pl.col("neighbour")).is_empty()


def test_k_means_finds_separate_groups_and_repeats():
    generator = np.random.default_rng(9)
    centres = np.array([[0, 0, 0], [12, 0, 0], [24, 12, 0], [36, 0, 12]], dtype=float)
    points = np.concatenate([centre + generator.normal(size=(50, 3)) for centre in centres])
    found, labels = k_means(points, 4, 100)
    assert sorted(np.bincount(labels).tolist()) == [50] * 4
    assert len({tuple(labels[i * 50 : (i + 1) * 50]) for i in range(4)}) == 4
    again = k_means(points, 4, 100)
    assert (again[1] == labels).all()
    assert np.array_equal(again[0], found)


def test_profiles_describe_the_real_communes(small_observatory):
    communes = small_observatory.communes
    matrix = commune_matrix(
        pl.scan_parquet(small_observatory.snapshot.path("values.parquet")), communes["code"],
        [feature.indicator for feature in FEATURES],
    )  # fmt: skip
    structure = structure_of(matrix)
    population = dict(communes.select("code", "population").iter_rows())
    found = small_town_profiles(structure, population, dict(communes.select("code", "name").iter_rows()))
    assert 5 <= len(found.profiles) <= 7
    assert [item.id for item in found.profiles] == list(range(1, len(found.profiles) + 1))
    sizes = [item.medians[0].median for item in found.profiles]
    assert sizes == sorted(sizes)
    assert len({item.title for item in found.profiles}) == len(found.profiles)
    assert sum(item.n_communes for item in found.profiles) == found.membership["profile"].count()
    big = [code for code, size in population.items() if size and size > setting("profile_groups")["max_population"]]
    assert found.membership.filter(pl.col("code").is_in(big))["profile"].null_count() == len(big)
    assert found.of("75056") is None
    for item in found.profiles:
        assert "Par rapport à l'ensemble des communes de moins de 20" in item.description
        for trait in item.traits:
            word = "élevé" if trait.gap > 0 else "faible"
            assert word in item.description
            assert trait.median_text in item.description
    again = small_town_profiles(structure, population)
    assert again.membership.equals(found.membership)
