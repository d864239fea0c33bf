"""The same place told by several sources: which rows are one facility, and which one is kept."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from bourg.access.places.crosswalk import Family, fold
from bourg.indicators.parameters import parameter

EARTH_RADIUS_M = 6_371_008.8
MERGED_SCHEMA = {"facility_id": pl.String, "kept": pl.String, "family": pl.String, "distance_m": pl.Float64}
# Words that say what a place is, or join others, and not which one it is.
_EMPTY = {
    "de", "du", "des", "la", "le", "les", "l", "d", "et", "a", "au", "aux", "en", "sur", "sous", "saint", "sainte",
    "st", "ste", "municipal", "municipale", "communal", "communale", "intercommunal", "intercommunale", "public",
    "publique", "sarl", "sas", "selarl", "selas", "snc", "eurl", "monsieur", "madame", "grande", "grand", "site",
    "espace", "maison", "bibliotheque", "mediatheque", "ludotheque", "hotel", "ville", "centre", "ch",
    "hospitalier", "clinique", "point", "bureau", "agence", "postale", "cine", "salle", "art", "arts", "ecole",
    "medecin", "docteur", "dr", "cabinet", "laboratoire", "lbm", "residence", "ehpad", "sante", "msp",
    "pluriprofessionnelle", "pluridisciplinaire", "gare", "sncf", "gendarmerie", "nationale", "commissariat",
    "police", "france", "services", "service",
}  # fmt: skip


def unit_vectors(longitude: NDArray[np.float64], latitude: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the points of the Earth in metres from its centre, shape ``(n, 3)``."""
    x, y = np.radians(longitude), np.radians(latitude)
    return EARTH_RADIUS_M * np.column_stack([np.cos(y) * np.cos(x), np.cos(y) * np.sin(x), np.sin(y)])


@cache
def _own_words(family: Family) -> frozenset[str]:
    return frozenset(word for text in (family.label, family.plural) for word in fold(text).split())


def name_words(name: str | None, family: Family) -> frozenset[str]:
    """Return the words of a name that tell the place from others of its family."""
    own = _own_words(family)
    words = fold(name or "").replace(".", " ").replace(",", " ").replace("(", " ").replace(")", " ").split()
    return frozenset(word for word in words if word not in own and word not in _EMPTY and len(word) > 1)


def same_name(one: frozenset[str], other: frozenset[str]) -> bool | None:
    """Tell whether two sets of words name one place; ``None`` when one of them tells nothing."""
    if not one or not other:
        return None
    overlap = parameter("facility_matching", package="bourg.access")["name_overlap"]
    if len(one & other) / min(len(one), len(other)) >= overlap:
        return True
    # « Ciné'Manivel » and « Cinémanivel » are one word for one and two for the other.
    return "".join(sorted(one)) == "".join(sorted(other))


def _near(rows: pl.DataFrame, others: pl.DataFrame, limit_m: float) -> list[tuple[int, int, float]]:
    """Return the pairs of positions nearer than a distance."""
    if limit_m <= 0 or not rows.height or not others.height:
        return []
    trees = [
        cKDTree(unit_vectors(part["longitude"].to_numpy(), part["latitude"].to_numpy())) for part in (rows, others)
    ]
    found = trees[0].sparse_distance_matrix(trees[1], limit_m, output_type="coo_matrix")
    return list(zip(found.row.tolist(), found.col.tolist(), found.data.tolist(), strict=True))


def _same_commune(rows: pl.DataFrame, others: pl.DataFrame) -> list[tuple[int, int, float]]:
    """Return the pairs of one commune of which one is only known by its commune."""
    left = rows.select("code", "place").with_row_index("i")
    right = others.select("code", "place").with_row_index("j")
    pairs = left.join(right, on="code").filter((pl.col("place") == "commune") | (pl.col("place_right") == "commune"))
    return [(i, j, 0.0) for i, j in pairs.select("i", "j").iter_rows()]


def _pairs(rows: pl.DataFrame, others: pl.DataFrame, family: Family) -> list[tuple[int, int, float]]:
    """Return one-to-one pairs of two sources: those of the same name first, then the nearest."""
    known = set(others["source"][0].split("+"))
    foreign = [text for text in rows["source"].unique() if not known & set(text.split("+"))]
    at = rows["source"].is_in(foreign).arg_true()
    if not len(at):
        return []
    left = rows[at.to_numpy()]
    names = left["name"], others["name"]
    words: tuple[dict[int, frozenset[str]], dict[int, frozenset[str]]] = ({}, {})
    candidates = []
    for i, j, distance in {*_near(left, others, family.merge_m), *_same_commune(left, others)}:
        for side, row in enumerate((i, j)):
            if row not in words[side]:
                words[side][row] = name_words(names[side][row], family)
        alike = same_name(words[0][i], words[1][j])
        if alike is not False:
            candidates.append((alike is None, distance, i, j))
    taken: tuple[set[int], set[int]] = (set(), set())
    chosen = []
    for _, distance, i, j in sorted(candidates):
        if i not in taken[0] and j not in taken[1]:
            taken[0].add(i)
            taken[1].add(j)
            chosen.append((int(at[i]), j, distance))
    return chosen


def _within(rows: pl.DataFrame, family: Family) -> list[tuple[int, int, float]]:
    """Return the objects drawn twice on the map: same name, or two sides of one stop; the BPE repeats on purpose."""
    drawn = rows.with_row_index("row").filter(pl.col("source") == "osm")
    at = drawn["row"].to_list()
    words = [name_words(name, family) or frozenset({fold(name or "")} - {""}) for name in drawn["name"]]
    repeated: set[int] = set()
    found = []
    for i, j, distance in sorted(_near(drawn, drawn, family.merge_m)):
        alike = words[i] == words[j] and (bool(words[i]) or family.id == "arret")
        if i < j and alike and i not in repeated and j not in repeated:
            repeated.add(j)
            found.append((at[i], at[j], distance))
    return found


def _ordered(rows: pl.DataFrame) -> pl.DataFrame:
    """Sort rows, the source that places best first; what is generated, or only placed by its commune, comes last."""
    order = {name: rank for rank, name in enumerate(parameter("facility_sources", package="bourg.access"))}
    first = (
        pl.col("source").str.split("+").list.first().replace_strict(order, default=len(order), return_dtype=pl.Int64)
    )
    return rows.with_columns(_rank=first).sort("demo", pl.col("place") == "commune", "_rank", "facility_id")


def _fold(kept: pl.DataFrame, dropped: pl.DataFrame, pairs: Sequence[tuple[int, int, float]]) -> pl.DataFrame:
    """Give a kept row the sources of its double, and its name and commune when it has none."""
    if not pairs:
        return kept
    table = {name: kept[name].to_list() for name in ("name", "code", "source")}
    for i, j, _ in pairs:
        for column in ("name", "code"):
            table[column][i] = table[column][i] or dropped[column][j]
        table["source"][i] = "+".join(dict.fromkeys([*table["source"][i].split("+"), *dropped["source"][j].split("+")]))
    return kept.with_columns(pl.Series(name, values, dtype=pl.String) for name, values in table.items())


def merge_family(rows: pl.DataFrame, family: Family) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Keep one row per place among the rows of one family.

    Parameters
    ----------
    rows
        Facilities of the family, all placed: columns of the facility table.
    family
        Its distance and words.

    Returns
    -------
    tuple
        The rows kept, their ``source`` joined by ``+``, and the pairs merged (:data:`MERGED_SCHEMA`).
    """
    rows = _ordered(rows.unique("facility_id", keep="first", maintain_order=True))
    merged: list[tuple[str, str, str, float]] = []
    twice = _within(rows, family)
    if twice:
        ids = rows["facility_id"].to_list()
        merged += [(ids[j], ids[i], family.id, round(distance, 1)) for i, j, distance in twice]
        doubles = {j for _, j, _ in twice}
        rows = rows.filter(~pl.Series([row in doubles for row in range(rows.height)], dtype=pl.Boolean))
    parts = rows.partition_by("source", "demo", "place", maintain_order=True)
    if not parts:
        return rows.drop("_rank"), pl.DataFrame(schema=MERGED_SCHEMA)
    kept = parts[0]
    for part in parts[1:]:
        pairs = _pairs(kept, part, family)
        before, gone = kept["facility_id"], part["facility_id"]
        merged += [(gone[j], before[i], family.id, round(distance, 1)) for i, j, distance in pairs]
        rest = part.with_row_index("row").filter(~pl.col("row").is_in([j for _, j, _ in pairs])).drop("row")
        kept = pl.concat([_fold(kept, part, pairs), rest])
    return kept.drop("_rank"), pl.DataFrame(merged, schema=MERGED_SCHEMA, orient="row")
