"""The same shop told by several sources: one row a shop, its sources, and the evidence that made them one.

Pairs are one to one and of one commune. What is doubtful is not merged: it is listed, so that the number of shops can
be read between two bounds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import polars as pl
from scipy.spatial import cKDTree

from bourg.commerce.chains import EVIDENCE, classify, fold_name
from bourg.commerce.osm import SHOP_SCHEMA
from bourg.commerce.typology import PACKAGE, typology
from bourg.indicators.parameters import parameter

SOURCES = {"sirene": "Sirene", "osm": "OpenStreetMap", "banco": "BANCO"}
SAME = {
    "same_object": "même objet d'OpenStreetMap",
    "siret": "même SIRET",
    "name": "noms semblables, à proximité",
    "type": "même type au même endroit, un seul nom connu",
    "name_in_town": "noms semblables, seuls de ce nom dans la commune",
}
DOUBTFUL = "même type au même endroit, sous deux noms"
TABLE_SCHEMA = {
    **SHOP_SCHEMA, "sources": pl.String, "same": pl.String, "distance_m": pl.Float64, "chain": pl.String,
    "evidence": pl.String, "brand": pl.String, "wikidata": pl.String,
}  # fmt: skip
PAIR_SCHEMA = {
    "shop_id": pl.String, "other_id": pl.String, "same": pl.String, "distance_m": pl.Float64,
}  # fmt: skip
_EARTH_M = 6_371_008.8
_LITTLE = frozenset({
    "de", "du", "des", "la", "le", "les", "l", "d", "et", "a", "au", "aux", "en", "sur", "chez", "the", "sarl", "sas",
    "sasu", "eurl", "snc", "sa", "ets", "monsieur", "madame",
})  # fmt: skip
_EVIDENCE_RANK = {name: rank for rank, name in enumerate(EVIDENCE)}


@dataclass(frozen=True)
class ShopTable:
    """Shops of one or several communes, each counted once.

    Attributes
    ----------
    shops
        :data:`TABLE_SCHEMA`: ``sources`` joined by ``+`` (keys of :data:`SOURCES`), ``same`` the evidence of the first
        merge (key of :data:`SAME`, null for a shop of one source), ``chain, evidence, brand, wikidata`` as in
        :func:`bourg.commerce.chains.classify`. The type is that of the first source, other types are kept aside; the
        place is that of the map when it has one.
    merged
        :data:`PAIR_SCHEMA`, one row per pair made one.
    doubtful
        :data:`PAIR_SCHEMA`: pairs left apart that may be one shop.
    """

    shops: pl.DataFrame
    merged: pl.DataFrame
    doubtful: pl.DataFrame

    @property
    def bounds(self) -> tuple[int, int]:
        """Return the fewest and the most shops: all doubtful pairs one, or none."""
        return self.shops.height - self.doubtful["other_id"].n_unique(), self.shops.height


def sirene_rows(shops: pl.DataFrame) -> pl.DataFrame:
    """Return the open shops of the table ``shops`` (Sirene) as rows to be merged, their class kept."""
    rows = shops.filter(pl.col("open")).with_row_index("rank")
    # Shops whose SIRET is not diffused have no id of their own.
    key = pl.coalesce("siret", pl.concat_str(pl.col("code"), pl.lit("/"), pl.col("rank")))
    rows = rows.with_columns(
        pl.concat_str(pl.lit("sirene:"), key).alias("shop_id"), known_brand=pl.col("brand"),
        known_chain=pl.col("chain"), known_evidence=pl.col("evidence"), known_wikidata=pl.col("wikidata"),
    )  # fmt: skip
    return _complete(rows.drop("chain", "evidence", "brand", "wikidata"))


_KNOWN = ("known_chain", "known_evidence", "known_brand", "known_wikidata")


def _complete(rows: pl.DataFrame) -> pl.DataFrame:
    wanted = {**SHOP_SCHEMA, **dict.fromkeys(_KNOWN, pl.String)}
    absent = [pl.lit(None, dtype=dtype).alias(name) for name, dtype in wanted.items() if name not in rows.columns]
    return rows.with_columns(absent).select(pl.col(name).cast(dtype) for name, dtype in wanted.items())


def merge_shops(parts: Mapping[str, pl.DataFrame], companies: pl.Series | None = None) -> ShopTable:
    """Bring the shops of several sources together.

    Parameters
    ----------
    parts
        Source (key of :data:`SOURCES`) -> rows of :data:`bourg.commerce.osm.SHOP_SCHEMA`; the first one gives the type
        of a shop that several describe. :func:`sirene_rows` prepares those of Sirene.
    companies
        SIREN numbers of networks; by default those that the rows themselves show.

    Returns
    -------
    ShopTable
        Sorted by commune, group, type and id.
    """
    merged: list[tuple[Any, ...]] = []
    doubtful: list[tuple[Any, ...]] = []
    kept = _complete(pl.DataFrame(schema=SHOP_SCHEMA)).with_columns(
        sources=pl.lit(None, dtype=pl.String), same=pl.lit(None, dtype=pl.String),
        distance_m=pl.lit(None, dtype=pl.Float64),
    )  # fmt: skip
    for source, rows in parts.items():
        part = (
            _complete(rows)
            .sort("shop_id")
            .with_columns(
                sources=pl.lit(source), same=pl.lit(None, dtype=pl.String), distance_m=pl.lit(None, dtype=pl.Float64)
            )
        )
        part, twice = _without_doubles(part)
        merged += twice
        kept, pairs, unclear = _join(kept, part)
        merged += pairs
        doubtful += unclear
    table = _classed(kept, companies)
    return ShopTable(
        table.select(list(TABLE_SCHEMA)).sort("code", "group", "type", "shop_id", nulls_last=True),
        pl.DataFrame(merged, schema=PAIR_SCHEMA, orient="row"),
        pl.DataFrame(doubtful, schema=PAIR_SCHEMA, orient="row"),
    )


@cache
def _trades() -> frozenset[str]:
    return frozenset(str(parameter("brands", package=PACKAGE)["trade_words"]).split())


def name_words(*names: str | None) -> frozenset[str]:
    """Return the words of names that tell a shop from another of its trade."""
    words = {word for name in names if name for word in fold_name(name).split()}
    return frozenset(word for word in words if word not in _LITTLE and word not in _trades() and len(word) > 1)


def _alike(one: frozenset[str], other: frozenset[str]) -> bool | None:
    """Tell whether two sets of words name one shop; ``None`` when one of them tells nothing."""
    if not one or not other:
        return None
    overlap = parameter("shop_matching", package=PACKAGE)["name_overlap"]
    joined = ["".join(sorted(words)) for words in (one, other)]
    return len(one & other) / min(len(one), len(other)) >= overlap or joined[0] == joined[1]


def _vectors(rows: list[dict[str, Any]]) -> tuple[list[int], np.ndarray[Any, np.dtype[np.float64]]]:
    at = [i for i, row in enumerate(rows) if row["longitude"] is not None and row["latitude"] is not None]
    x = np.radians([rows[i]["longitude"] for i in at])
    y = np.radians([rows[i]["latitude"] for i in at])
    return at, _EARTH_M * np.column_stack([np.cos(y) * np.cos(x), np.cos(y) * np.sin(x), np.sin(y)])


def _near(one: list[dict[str, Any]], two: list[dict[str, Any]], limit: float) -> Iterable[tuple[int, int, float]]:
    left, right = _vectors(one), _vectors(two)
    if not left[0] or not right[0]:
        return []
    found = cKDTree(left[1]).sparse_distance_matrix(cKDTree(right[1]), limit, output_type="coo_matrix")
    cells = zip(found.row.tolist(), found.col.tolist(), found.data.tolist(), strict=True)
    return [(left[0][i], right[0][j], float(distance)) for i, j, distance in cells]


def _listed(table: pl.DataFrame) -> list[dict[str, Any]]:
    rows = list(table.iter_rows(named=True))
    for row in rows:
        row["words"] = name_words(row["name"], row["osm_brand"])
        row["words_other"] = name_words(row["name_other"])
    return rows


def _named(one: dict[str, Any], two: dict[str, Any]) -> bool | None:
    """Tell whether two rows have like names, their second names counted."""
    pairs = [(a, b) for a in (one["words"], one["words_other"]) for b in (two["words"], two["words_other"])]
    told = [alike for alike in (_alike(a, b) for a, b in pairs) if alike is not None]
    return any(told) if told else None


def _close_types(one: dict[str, Any], two: dict[str, Any]) -> bool:
    """Tell whether two rows may be one shop: same group, or a type that one of them also has."""
    types = [{row["type"], *(row["other_types"] or "").split("+")} - {""} for row in (one, two)]
    groups = typology().group_of()
    food = {"food", "craft_food", "supermarkets"}
    kinds = [{groups[kind] for kind in found if kind in groups} for found in types]
    return bool(types[0] & types[1] or kinds[0] & kinds[1] or (kinds[0] & food and kinds[1] & food))


_Candidate = tuple[int, float, int, int, str]


def _candidates(
    ones: list[dict[str, Any]], twos: list[dict[str, Any]]
) -> tuple[list[_Candidate], list[tuple[int, int, float]]]:
    """Return the pairs that may be one shop, best evidence first, and those left doubtful."""
    limits = parameter("shop_matching", package=PACKAGE)
    found: list[_Candidate] = []
    for rank, (column, proof) in enumerate((("osm_ref", "same_object"), ("siret", "siret"))):
        known = {row[column]: i for i, row in enumerate(ones) if row[column]}
        for j, row in enumerate(twos):
            if row[column] in known and _one_town(ones[known[row[column]]], row):
                found.append((rank, 0.0, known[row[column]], j, proof))
    unclear: list[tuple[int, int, float]] = []
    for i, j, distance in _near(ones, twos, max(limits["named_m"], limits["typed_m"])):
        one, two = ones[i], twos[j]
        if not _one_town(one, two) or not _close_types(one, two) or _contradict(one, two):
            continue
        alike = _named(one, two)
        beside = one["type"] == two["type"] and distance <= limits["typed_m"]
        if alike and distance <= limits["named_m"]:
            found.append((2, distance, i, j, "name"))
        elif alike is None and beside:
            found.append((3, distance, i, j, "type"))
        elif alike is False and beside:
            unclear.append((i, j, distance))
    return found + _in_town(ones, twos), unclear


def _join(kept: pl.DataFrame, part: pl.DataFrame) -> tuple[pl.DataFrame, list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    """Give a kept row its double of another source; the rest of the part is added."""
    if not kept.height or not part.height:
        return pl.concat([kept, part]), [], []
    ones, twos = _listed(kept), _listed(part)
    candidates, unclear = _candidates(ones, twos)
    chosen: dict[int, tuple[int, str, float]] = {}
    taken: set[int] = set()
    for _, distance, i, j, proof in sorted(candidates):
        if i not in chosen and j not in taken:
            chosen[i] = (j, proof, distance)
            taken.add(j)
    pairs = [
        (ones[i]["shop_id"], twos[j]["shop_id"], proof, round(distance, 1))
        for i, (j, proof, distance) in sorted(chosen.items())
    ]
    left = [
        (ones[i]["shop_id"], twos[j]["shop_id"], "doubtful", round(distance, 1))
        for i, j, distance in sorted(unclear, key=lambda found: found[2])
        if i not in chosen and j not in taken
    ]
    folded = [_folded(row, twos[chosen[i][0]], *chosen[i][1:]) if i in chosen else row for i, row in enumerate(ones)]
    rest = part.with_row_index("_at").filter(~pl.col("_at").is_in(sorted(taken))).drop("_at")
    table = pl.DataFrame([{name: row[name] for name in kept.columns} for row in folded], schema=kept.schema)
    return pl.concat([table, rest.select(kept.columns)]), pairs, _one_to_one(left)


def _one_to_one(pairs: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Keep the nearest doubtful pair of each shop: one shop may not be doubted away twice."""
    seen: tuple[set[str], set[str]] = (set(), set())
    kept = []
    for pair in pairs:
        if pair[0] not in seen[0] and pair[1] not in seen[1]:
            seen[0].add(pair[0])
            seen[1].add(pair[1])
            kept.append(pair)
    return kept


def _one_town(one: dict[str, Any], two: dict[str, Any]) -> bool:
    return one["code"] is None or two["code"] is None or one["code"] == two["code"]


def _contradict(one: dict[str, Any], two: dict[str, Any]) -> bool:
    """Tell whether two rows have SIRET numbers that differ: two establishments, whatever their names."""
    return bool(one["siret"] and two["siret"] and one["siret"] != two["siret"])


def _in_town(ones: list[dict[str, Any]], twos: list[dict[str, Any]]) -> list[_Candidate]:
    """Return the pairs of like names and one type, one of them without a place, that are alone in their commune."""
    found: list[tuple[int, int]] = []
    for i, one in enumerate(ones):
        if not one["words"]:
            continue
        for j, two in enumerate(twos):
            unplaced = one["longitude"] is None or two["longitude"] is None
            alone = unplaced and one["type"] == two["type"] and one["code"] == two["code"]
            if alone and not _contradict(one, two) and _named(one, two):
                found.append((i, j))
    times = (
        {i: sum(1 for pair in found if pair[0] == i) for i, _ in found},
        {j: sum(1 for pair in found if pair[1] == j) for _, j in found},
    )
    return [(4, 0.0, i, j, "name_in_town") for i, j in found if times[0][i] == times[1][j] == 1]


def _folded(one: dict[str, Any], two: dict[str, Any], proof: str, distance: float) -> dict[str, Any]:
    """Return a kept row completed by its double: the place of the map first, every other type kept."""
    row = dict(one)
    for name in ("code", "name", "siret", "naf", "osm_ref", "osm_brand", "osm_wikidata", "osm_operator"):
        row[name] = one[name] or two[name]
    if one["name"] and two["name"] and two["name"] != one["name"]:
        row["name_other"] = one["name_other"] or two["name"]
    mapped = two["osm_ref"] and not one["osm_ref"] and two["longitude"] is not None
    if mapped or one["longitude"] is None:
        row["longitude"], row["latitude"] = two["longitude"], two["latitude"]
    types = [two["type"], *(one["other_types"] or "").split("+"), *(two["other_types"] or "").split("+")]
    row["other_types"] = "+".join(dict.fromkeys(kind for kind in types if kind and kind != one["type"])) or None
    row["sources"] = f"{one['sources']}+{two['sources']}"
    row["same"] = one["same"] or proof
    row["distance_m"] = one["distance_m"] if one["same"] else round(distance, 1)
    return row


def _without_doubles(part: pl.DataFrame) -> tuple[pl.DataFrame, list[tuple[Any, ...]]]:
    """Drop the shops that one map draws twice (a point and its building): same type, same name, side by side."""
    drawn = _listed(part.filter(pl.col("osm_ref").is_not_null()))
    gone: dict[str, tuple[Any, ...]] = {}
    for i, j, distance in sorted(_near(drawn, drawn, parameter("shop_matching", package=PACKAGE)["twice_m"])):
        one, two = drawn[i], drawn[j]
        same = i < j and one["type"] == two["type"] and one["name"] and two["name"]
        if same and fold_name(one["name"]) == fold_name(two["name"]) and one["shop_id"] not in gone:
            gone.setdefault(two["shop_id"], (one["shop_id"], two["shop_id"], "name", round(distance, 1)))
    return part.filter(~pl.col("shop_id").is_in(sorted(gone))), list(gone.values())


def _classed(table: pl.DataFrame, companies: pl.Series | None) -> pl.DataFrame:
    """Class every shop; what Sirene already proved (a company seen in the whole country) is not lost."""
    classed = classify(table, companies)
    order = pl.col("evidence").replace_strict(_EVIDENCE_RANK, return_dtype=pl.Int32)
    before = pl.col("known_evidence").replace_strict(_EVIDENCE_RANK, default=len(EVIDENCE), return_dtype=pl.Int32)
    older = (before < order).fill_null(value=False)
    return classed.with_columns(
        pl.when(older).then(f"known_{name}").otherwise(name).alias(name) for name in ("chain", "evidence")
    ).with_columns(brand=pl.coalesce("brand", "known_brand"), wikidata=pl.coalesce("wikidata", "known_wikidata"))
