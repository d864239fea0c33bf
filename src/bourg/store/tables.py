"""From what the readers gave to the tables of a snapshot: one geography, one row per fact, origins kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from bourg.geography.passages import Passages
from bourg.store.locating import Locator, PostalLocator

# Tables whose rows have no code of their own, or may lack one, and are given one by their coordinates.
_LOCATED = frozenset({"museums", "culture_places", "equipment_points", "festivals"})
# Tables whose ``code`` is not a commune are left alone.
_COMMUNE_CODES = frozenset({
    "culture_places", "culture_counts", "cinemas", "festivals", "museums", "equipment", "equipment_points", "income",
    "membership", "population", "pvd",
})  # fmt: skip
# Tables of several vintages keep them all; in these a year comes from one file only.
_VINTAGES = frozenset({"population", "income", "equipment", "equipment_points"})
_BY_YEAR = frozenset({"equipment", "equipment_points"})
# Counts add up when communes merge; anything else does not.
_ADDITIVE_INCOME = ("NBMENFISC", "NBPERSMENFISC", "NBMEN", "NBPERS")
_ROW_GROUP = 20_000
_POPULATION_COLUMNS = ("code", "name", "year", "pmun", "pcap", "ptot")
_KEYS = {
    "population": ("code", "year"),
    "income": ("code", "year", "variable"),
    "equipment": ("code", "iris", "year", "typequ"),
    "culture_counts": ("code",),
    "pvd": ("code",),
    "membership": ("code",),
}


@dataclass(frozen=True)
class Part:
    """One table given by one resource.

    Attributes
    ----------
    source, resource
        Their ids.
    demo
        Whether the file is generated.
    coverage
        As declared: ``france``, ``communes_presentes``, ``departement:33`` or ``departements:01,04``.
    cog
        Vintage of the commune codes.
    frame
        The rows, in the file's own geography.
    vintage
        French text of the vintage.
    """

    source: str
    resource: str
    demo: bool
    coverage: str
    cog: int | None
    frame: pl.DataFrame
    vintage: str = ""


@dataclass
class Table:
    """A table of the snapshot.

    Attributes
    ----------
    frame, rows
        Its rows, lazily (a large table stays in its file), and how many they are.
    path
        Parquet file already written in its final form, ``None`` when the snapshot has still to write it.
    coverage
        Reference communes described; ``None`` for the whole country.
    year_coverage
        The same for each year, in a table of several vintages.
    undivided
        Groups of communes that the files describe together, because they were one commune then.
    moves
        What the geography gate did, by ``source/resource``.
    """

    name: str
    frame: pl.LazyFrame
    rows: int
    sources: tuple[str, ...]
    demo: bool = False
    coverage: frozenset[str] | None = None
    vintage: str = ""
    path: Path | None = None
    year_coverage: dict[int, frozenset[str] | None] = field(default_factory=dict)
    undivided: tuple[tuple[str, ...], ...] = ()
    moves: dict[str, dict[str, object]] = field(default_factory=dict)


@dataclass(frozen=True)
class MergeRules:
    """How tables of other themes are brought together.

    Attributes
    ----------
    commune_codes
        Tables whose ``code`` is a commune, to be moved to the reference geography.
    several
        Tables that several files describe together; of the others the best file is kept.
    combine
        Table -> how the frames of its files become one.
    """

    commune_codes: frozenset[str] = frozenset()
    several: frozenset[str] = frozenset()
    combine: Mapping[str, Callable[[list[pl.DataFrame]], pl.DataFrame]] = field(default_factory=dict)


class TableMaker:
    """Brings parts to the reference geography and merges them.

    Parameters
    ----------
    communes
        Reference communes (``code, departement``…).
    passages
        Correspondence of codes.
    locator
        Commune of a point.
    rules
        Rules of the tables that this module does not know.
    """

    def __init__(
        self, communes: pl.DataFrame, passages: Passages, locator: Locator, rules: MergeRules | None = None
    ) -> None:
        extra = rules or MergeRules()
        self._commune_codes = _COMMUNE_CODES | extra.commune_codes
        self._several = _VINTAGES | extra.several
        self._combine = {**_COMBINE, **extra.combine}
        self._passages = passages
        self._locator = locator
        self._departements = communes.select("code", "departement")
        self._postal = PostalLocator(communes)

    def make(self, name: str, parts: list[Part]) -> Table:
        """Return the table ``name`` from its parts, in the order of the catalogue (the best first).

        Real files come before generated ones, and whole-country files before partial ones. Tables that describe
        several years keep every vintage; the others come from the first part, which later parts only complete.
        """
        ordered = sorted(parts, key=lambda part: (part.demo, part.coverage != "france"))
        several = name in self._several
        # Generated rows never complete real ones.
        same_origin = [part for part in ordered if part.demo == ordered[0].demo]
        chosen = same_origin if several or name == "pvd" else ordered[:1]
        moves: dict[str, dict[str, object]] = {}
        frames: list[pl.DataFrame] = []
        years: dict[int, frozenset[str] | None] = {}
        coverage: frozenset[str] | None = frozenset()
        undivided: set[tuple[str, ...]] = set()
        for rank, part in enumerate(chosen):
            frame, groups, moves[f"{part.source}/{part.resource}"] = self._bring(name, part)
            undivided.update(groups)
            if name in _BY_YEAR:
                # A year is given by the best file that has it: a regional extract never adds to a national file.
                frame = frame.filter(~pl.col("year").is_in(list(years)))
            described = self._coverage(part.coverage, frame) if several or rank == 0 else frozenset()
            if name in _BY_YEAR:
                years.update(dict.fromkeys(frame["year"].unique().to_list(), described))
            coverage = None if coverage is None or described is None else coverage | described
            frames.append(frame)
        combined = self._combine.get(name, _first)(frames)
        return Table(
            name=name,
            frame=combined.lazy(),
            rows=combined.height,
            sources=tuple(dict.fromkeys(part.source for part in chosen)),
            demo=any(part.demo for part in chosen),
            coverage=coverage,
            vintage=chosen[0].vintage,
            year_coverage=years,
            undivided=tuple(sorted(undivided)),
            moves=moves,
        )

    def _bring(self, name: str, part: Part) -> tuple[pl.DataFrame, tuple[tuple[str, ...], ...], dict[str, object]]:
        """Return the rows of a part in the reference geography, the groups it cannot divide, and the report."""
        if name not in self._commune_codes:
            return part.frame, (), {}
        moved, report = self._passages.move(part.frame, cog=part.cog)
        if name not in _LOCATED:
            return moved, report.undivided, report.to_dict()
        # A place is somewhere: its town or its coordinates tell the commune that its code cannot tell.
        unclear = [code for group in report.undivided for code in group]
        known = pl.col("longitude").is_not_null() & pl.col("latitude").is_not_null()
        moved = moved.with_columns(code=pl.when(~(known & pl.col("code").is_in(unclear))).then(pl.col("code")))
        told: dict[str, object] = {}
        if "city" in moved.columns:
            # The town it names comes first: one museum in twelve only has the centre of its postal code as a point,
            # which often lies in the next commune.
            moved, told["situees_par_code_postal"] = self._postal.fill(moved)
        moved, told["situees_par_point"], told["sans_commune"] = self._locator.fill(moved)
        return moved, (), {**told, **report.to_dict()}

    def _coverage(self, declared: str, frame: pl.DataFrame) -> frozenset[str] | None:
        if declared == "france":
            return None
        if declared == "communes_presentes":
            return frozenset(frame["code"].drop_nulls())
        departements = declared.partition(":")[2].split(",")
        return frozenset(self._departements.filter(pl.col("departement").is_in(departements))["code"])


def _first(frames: list[pl.DataFrame]) -> pl.DataFrame:
    return frames[0]


def _population(frames: list[pl.DataFrame]) -> pl.DataFrame:
    """Add merged communes up inside each file, then keep the first file that knows a commune and a year."""
    summed = [
        frame.group_by("code", "year").agg(
            pl.col("name").first(),
            *(
                # A merged commune is known only when all its parts are.
                pl.when(pl.col(column).null_count() == 0).then(pl.col(column).sum()).alias(column)
                for column in ("pmun", "pcap", "ptot")
            ),
        )
        for frame in frames
    ]
    merged = pl.concat(summed, how="vertical_relaxed")
    known = merged.filter(pl.col("pmun").is_not_null())
    first = known.unique(["code", "year"], keep="first", maintain_order=True).sort("code", "year")
    return first.select(_POPULATION_COLUMNS)


def _income(frames: list[pl.DataFrame]) -> pl.DataFrame:
    """Add counts of merged communes up; their medians and rates have no sum, and become missing."""
    keys = ["code", "year", "variable"]
    first = pl.concat(frames, how="vertical_relaxed").unique([*keys, "value", "status"], maintain_order=True)
    alone = first.filter(pl.len().over(keys) == 1)
    several = first.filter(pl.len().over(keys) > 1)
    additive = pl.col("variable").is_in(_ADDITIVE_INCOME)
    usable = additive.first() & (pl.col("status") == "ok").all()
    merged = several.group_by(keys).agg(
        value=pl.when(usable).then(pl.col("value").sum()),
        status=pl.when(usable).then(pl.lit("ok")).otherwise(pl.lit("missing")),
    )
    return pl.concat([alone.select([*keys, "value", "status"]), merged], how="vertical_relaxed").sort(keys)


def _equipment(frames: list[pl.DataFrame]) -> pl.DataFrame:
    """Add counts up where merged communes meet; equal keys have equal hashes, so most rows are left alone."""
    keys = list(_KEYS["equipment"])
    rows = pl.concat(frames, how="vertical_relaxed")
    alike = rows.select(pl.struct(keys).hash()).to_series().is_duplicated()
    if alike.any():
        met = rows.filter(alike).group_by(keys).agg(pl.col("n").sum()).sort(keys)
        rows = pl.concat([rows.filter(~alike), met.select(rows.columns)], how="vertical_relaxed")
    return rows.sort("code", maintain_order=True)


def _concat(frames: list[pl.DataFrame]) -> pl.DataFrame:
    return pl.concat(frames, how="vertical_relaxed")


def _counts(frames: list[pl.DataFrame]) -> pl.DataFrame:
    return frames[0].group_by("code").agg(pl.col("n").sum()).sort("code")


def _pvd(frames: list[pl.DataFrame]) -> pl.DataFrame:
    """Keep the towns of the first list; the others only add what it does not say of them (ids, dates)."""
    base = frames[0].filter(pl.col("code").is_not_null()).unique("code", keep="first", maintain_order=True)
    for other in frames[1:]:
        extra = other.unique("code", keep="first", maintain_order=True).select(
            "code", pl.col("pvd_id").alias("_id"), pl.col("signature_date").alias("_date")
        )
        base = (
            base.join(extra, on="code", how="left")
            .with_columns(
                pl.coalesce("pvd_id", "_id").alias("pvd_id"),
                pl.coalesce("signature_date", "_date").alias("signature_date"),
            )
            .drop("_id", "_date")
        )
    return base.sort("code")


_COMBINE: dict[str, Callable[[list[pl.DataFrame]], pl.DataFrame]] = {
    "population": _population,
    "income": _income,
    "equipment": _equipment,
    "equipment_points": _concat,
    "culture_counts": _counts,
    "pvd": _pvd,
}


def write_table(frame: pl.DataFrame, path: Path) -> None:
    """Write a table as the snapshot keeps it: sorted by code, in small row groups that readers can skip."""
    if "code" in frame.columns:
        frame = frame.sort("code", maintain_order=True, nulls_last=True)
    frame.write_parquet(path, statistics=True, row_group_size=_ROW_GROUP)


def sink_table(frame: pl.LazyFrame, path: Path) -> None:
    """Write a table as :func:`write_table` does, the same bytes, without holding it whole in memory."""
    rows = frame.sort("code", maintain_order=True, nulls_last=True)
    rows.sink_parquet(path, statistics=True, row_group_size=_ROW_GROUP, maintain_order=True)
