"""What the pages of each town depend on, as one short hash a town: only pages whose hash changed are made again.

The hash covers the numbers that a page shows, as it shows them: among thousands of communes a page gives a share
rounded to one percent and rounded quartiles, so that a figure changed at the other end of the country leaves it as it
is. Small sets and similar towns are covered by all the values of their members: too much, and never too little.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bourg.compare.comparators import CENTRALITY, PVD, SIZE, Comparators
from bourg.compare.matrix import NO_LOT, CommuneMatrix, Ints
from bourg.indicators.registry import load_indicators
from bourg.indicators.units import FRANCE_LABELS
from bourg.indicators.values import declaration_of
from bourg.portrait.observatory import Observatory
from bourg.portrait.page import RANK_UP_TO
from bourg.portrait.series import declared_series, described, undivided
from bourg.site.towns import Scope

# Packages whose code or declarations end up in a page.
_CODE = ("text.py", "compare", "geography", "indicators", "maps", "portrait", "site", "sources/catalogue")
_SUFFIXES = (".py", ".yaml", ".j2", ".css", ".js")
_LARGE = ("region", SIZE, CENTRALITY)
_SMALL = ("departement", "epci")
_FILES = ("comparaisons/structure", "profils.json", "tables/outlines", "cartes/departements", "tables/epci")


@dataclass(frozen=True)
class Fingerprints:
    """The hashes of a site.

    Attributes
    ----------
    common
        Hash of what all pages depend on.
    keys
        Commune -> hash of what its pages depend on, similar towns apart.
    members
        Commune -> communes whose values its comparison with similar towns reads; known once its page is made.
    near
        Commune -> hash of the values of these members.
    """

    common: str = ""
    keys: Mapping[str, str] = field(default_factory=dict)
    members: Mapping[str, str] = field(default_factory=dict)
    near: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, content: Mapping[str, Any] | None) -> Fingerprints:
        """Return what the manifest of a site kept; nothing for a new one."""
        kept = content or {}
        return cls(kept.get("commun", ""), kept.get("communes", {}), kept.get("membres", {}), kept.get("proches", {}))

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return {
            "commun": self.common, "communes": dict(self.keys), "membres": dict(self.members),
            "proches": dict(self.near),
        }  # fmt: skip

    def stale(self, code: str, known: Fingerprints) -> bool:
        """Tell whether the pages of a commune have to be made again, from the hashes of the last run."""
        return (
            self.common != known.common
            or self.keys.get(code) != known.keys.get(code)
            or self.near.get(code, "") != known.near.get(code)
        )


def fingerprints(observatory: Observatory, codes: Sequence[str], scope: Scope, known: Fingerprints) -> Fingerprints:
    """Return the hashes of the towns of a site for the snapshot in service.

    Parameters
    ----------
    known
        Hashes of the last run: they say which similar towns each page reads.
    """
    common = _common(observatory, scope)
    if common != known.common:
        # Everything is made again: what each town depends on is only needed by the next run.
        known = Fingerprints()
    rows = [observatory.commune(code) for code in codes]
    columns = _column_digests(observatory.matrix)
    parts = [
        _values(observatory, rows), _large_sets(observatory, codes), _small_sets(observatory, rows, columns),
        _series(observatory, rows), _identities(observatory, rows),
    ]  # fmt: skip
    keys = {code: _hash(part[code] for part in parts) for code in codes}
    members = {code: known.members[code] for code in codes if code in known.members}
    return Fingerprints(common, keys, members, near_digests(observatory, members, columns))


def near_digests(
    observatory: Observatory, members: Mapping[str, str], columns: NDArray[np.uint64] | None = None
) -> dict[str, str]:
    """Return the hash of the values of the similar towns of some communes."""
    matrix = observatory.matrix
    digests = _column_digests(matrix) if columns is None else columns
    found = {}
    for code, names in members.items():
        here = [matrix.positions.get(name, -1) for name in names.split(",") if name]
        found[code] = _hash([digests[here].tobytes(), str(here.count(-1))])
    return found


def similar_members(observatory: Observatory, code: str, shown: Iterable[str]) -> str:
    """Return the communes that the comparison of a town with similar ones reads, joined by commas."""
    matrix = observatory.matrix
    (chosen,) = observatory.comparators.of(code, ["similar"])
    positions = [chosen.members, *chosen.by_family.values()]
    every = np.unique(np.concatenate(positions)) if positions else np.empty(0, dtype=np.int64)
    return ",".join(sorted({*(matrix.codes[item] for item in every.tolist()), *shown}))


def _hash(parts: Iterable[bytes | str]) -> str:
    made = hashlib.blake2b(digest_size=10)
    for part in parts:
        content = part.encode() if isinstance(part, str) else part
        made.update(len(content).to_bytes(4, "big"))
        made.update(content)
    return made.hexdigest()


@cache
def code_digest() -> str:
    """Return the hash of the code, the declarations and the templates that make the pages."""
    root = resources.files("bourg")
    return _hash(part for name in _CODE for part in _contents(root.joinpath(*name.split("/"))))


def _contents(item: Traversable) -> Iterable[bytes]:
    if item.is_file():
        if item.name.endswith(_SUFFIXES):
            yield item.name.encode()
            yield item.read_bytes()
        return
    for child in sorted(item.iterdir(), key=lambda one: one.name):
        if child.name != "__pycache__":
            yield from _contents(child)


def _common(observatory: Observatory, scope: Scope) -> str:
    manifest = observatory.snapshot.manifest
    files = sorted(f"{name} {entry['sha256']}" for name, entry in manifest["files"].items() if name.startswith(_FILES))
    tables = [f"{name} {entry['demo']} {entry['sources']}" for name, entry in sorted(manifest["tables"].items())]
    vintages = sorted({f"{item['id']} {item['vintage']}" for item in manifest["sources"]})
    sizes = _hash(observatory.comparators.partitions[SIZE].fill_null("").to_list())
    return _hash([
        code_digest(), scope.address, *sorted(scope.codes), *files, *tables, *vintages, str(manifest["cog"]),
        str(observatory.snapshot.demo), repr(sorted(observatory.names.items())), sizes,
        repr([(name, known.years, sorted((year, sorted(kinds)) for year, kinds in known.types.items()))
              for name in declared_series() if observatory.snapshot.has_table(declared_series()[name].table)
              for known in [described(observatory, name)]]),
    ])  # fmt: skip


def _column_digests(matrix: CommuneMatrix) -> NDArray[np.uint64]:
    """Return a hash of everything the matrix knows of each commune."""
    rng = np.random.default_rng(20_250_101)
    count = len(matrix.indicators)
    factors = rng.integers(1, 2**63, size=(3, count), dtype=np.uint64) | np.uint64(1)
    found = np.zeros(len(matrix.codes), dtype=np.uint64)
    for row in range(count):
        bits = np.ascontiguousarray(matrix.values[row]).view(np.uint64).copy()
        bits ^= bits >> np.uint64(31)
        found += (bits * factors[0, row]) ^ (bits >> np.uint64(17))
        found += (matrix.lots[row].astype(np.uint64) + np.uint64(1)) * factors[1, row]
        found += (matrix.statuses[row].astype(np.uint64) + np.uint64(1)) * factors[2, row]
    return found


def _larger(row: Mapping[str, Any]) -> list[tuple[str, str]]:
    levels = [("commune", row["code"]), ("epci", row["epci"]), ("departement", row["departement"])]
    levels += [("region", row["region"]), *(("france", code) for code in FRANCE_LABELS)]
    return [(level, code) for level, code in levels if code]


def _values(observatory: Observatory, rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Hash the values of each commune, and those of the territories that hold it as its page writes them."""
    territories = sorted({pair for row in rows for pair in _larger(row)})
    table = observatory.values(territories)
    known = {item.declaration.id: item.declaration for item in load_indicators().values()}
    counts = [name for name, declared in known.items() if declared.kind == "count"]
    far = pl.col("level").is_in(["region", "france"])
    scale = pl.DataFrame({"indicator": list(known), "scale": [10.0**item.decimals for item in known.values()]})
    shown = (
        table.filter(~(far & pl.col("indicator").is_in(counts)))
        .join(scale, on="indicator", how="left")
        .with_columns(
            value=pl.when(pl.col("level") == "commune").then("value").otherwise(
                (pl.col("value") * pl.col("scale")).round() / pl.col("scale")
            ),
            n=pl.when(pl.col("level") == "commune").then("n"),
        )
        .drop("scale")
    )  # fmt: skip
    content = pl.struct(pl.all().exclude("level", "code")).hash(seed=1)
    hashed = shown.select("level", "code", row=content).group_by("level", "code").agg(pl.col("row").sum(), n=pl.len())
    found = {(level, code): f"{total}/{count}" for level, code, total, count in hashed.iter_rows()}
    return {row["code"]: _hash(found.get(pair, "") for pair in _larger(row)) for row in rows}


def _large_sets(observatory: Observatory, codes: Sequence[str]) -> dict[str, str]:
    """Hash the places of each commune in the large sets, and what these sets look like, rounded as pages show them."""
    matrix, sets = observatory.matrix, observatory.comparators
    columns = np.array([matrix.position(code) for code in codes], dtype=np.int64)
    parts: list[list[str | bytes]] = [[] for _ in codes]
    for name in (*_LARGE, PVD):
        if name not in sets.partitions and not (name == PVD and sets.pvd is not None):
            continue
        for set_id, members in sets.sets_of(name).items():
            here = np.arange(columns.size) if name == PVD else np.flatnonzero(np.isin(columns, members))
            if here.size == 0:
                continue
            shape = _shape(observatory, name, set_id)
            places = _places(matrix, columns[here], members)
            for index, place in zip(here.tolist(), places, strict=True):
                parts[index] += [name, set_id, shape, place]
    return {code: _hash(part) for code, part in zip(codes, parts, strict=True)}


def _shape(observatory: Observatory, comparator: str, set_id: str) -> str:
    found = observatory.summary(comparator, set_id)
    return repr([
        (key, count if count < RANK_UP_TO else "", [round(value, declaration_of(key[0]).decimals) for value in figures])
        for key, (count, figures) in found.items()
    ])  # fmt: skip


def _places(matrix: CommuneMatrix, columns: Ints, members: Ints) -> list[bytes]:
    """Return, for each commune, its shares below (rounded) or its ranks in one set, as bytes."""
    values, counts = matrix.sorted_among(members)
    rows, lots = matrix.lot_rows
    result = np.full((columns.size, rows.size, 4), -1, dtype=np.int32)
    inside = np.isin(columns, members)
    for line, (row, lot) in enumerate(zip(rows.tolist(), lots.tolist(), strict=True)):
        usable = np.flatnonzero(matrix.lots[row, columns] == lot) if lot != NO_LOT else np.empty(0, dtype=np.int64)
        if usable.size == 0:
            continue
        known = values[line, : counts[line]]
        here = matrix.values[row, columns[usable]]
        low = np.searchsorted(known, here, "left")
        equal = np.searchsorted(known, here, "right") - low - inside[usable]
        others = np.maximum(known.size - inside[usable], 1)
        # The sentence gives the number of the others, and tells ties and extremes apart.
        result[usable, line, 0] = known.size
        if known.size < RANK_UP_TO:
            result[usable, line, 1], result[usable, line, 2] = low, equal
        else:
            share, same = 100 * low / others, 100 * equal / others
            edge = (low == 0).astype(np.int32) + 2 * (low + equal == others) + 4 * (equal > 0)
            ends = np.where(share > 99, share * 1e4, np.rint(share))
            result[usable, line, 1] = np.where((share > 0) & (share < 1), -2, ends)
            result[usable, line, 2] = np.where((edge & 3) > 0, np.rint(same * 10), 0)
            result[usable, line, 3] = edge & 3
    return [item.tobytes() for item in result]


def _small_sets(
    observatory: Observatory, rows: Sequence[Mapping[str, Any]], columns: NDArray[np.uint64]
) -> dict[str, str]:
    """Hash every value of the communes of the same department and of the same intercommunality."""
    sets: Comparators = observatory.comparators
    digests = {
        (name, set_id): _hash([columns[members].tobytes()])
        for name in _SMALL
        if name in sets.partitions
        for set_id, members in sets.sets_of(name).items()
    }
    return {row["code"]: _hash(digests.get((name, row[name] or ""), "") for name in _SMALL) for row in rows}


def _series(observatory: Observatory, rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Hash the rows of the tables of series that describe each commune."""
    codes = sorted(row["code"] for row in rows)
    tables = sorted({spec.table for spec in declared_series().values() if observatory.snapshot.has_table(spec.table)})
    parts: dict[str, list[str]] = {code: [] for code in codes}
    for name in tables:
        table = observatory.snapshot.table(name)
        content = pl.struct(pl.all().exclude("code")).hash(seed=1)
        hashed = table.filter(pl.col("code").is_in(codes)).select("code", row=content)
        known = dict(hashed.group_by("code").agg(pl.col("row").sum()).collect().iter_rows())
        apart = undivided(observatory, name)
        for code in codes:
            parts[code].append(f"{name} {known.get(code, '')} {observatory.covers(name, code)} {code in apart}")
    years = {
        name: described(observatory, name).departements
        for name, spec in declared_series().items()
        if spec.absence == "zero" and observatory.snapshot.has_table(spec.table)
    }
    for row in rows:
        here = row["departement"]
        seen = [(name, sorted(year for year, code in pairs if code == here)) for name, pairs in years.items()]
        parts[row["code"]].append(repr(seen))
    return {code: _hash(part) for code, part in parts.items()}


def _identities(observatory: Observatory, rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    codes = [row["code"] for row in rows]
    places: dict[str, list[tuple[str, int]]] = {}
    if observatory.snapshot.has_table("culture_places"):
        here = observatory.places.filter(pl.col("code").is_in(codes))
        for code, kind, count in here.group_by("code", "type").len().sort("code", "type").iter_rows():
            places.setdefault(code, []).append((kind, count))
    return {
        row["code"]: _hash([
            repr(dict(row)), repr(observatory.town_hall(row["code"])), repr(observatory.council(row["code"])),
            repr(observatory.pvd.get(row["code"])), repr(places.get(row["code"])),
            repr(profile.id if (profile := observatory.profiles.of(row["code"])) else None),
        ])
        for row in rows
    }  # fmt: skip


__all__ = ["Fingerprints", "code_digest", "fingerprints", "near_digests", "similar_members"]
