"""Territories: which commune belongs to which unit of each level, and what a table covers of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

from bourg.errors import SnapshotError
from bourg.geography.codes import departement_expr
from bourg.geography.levels import FRANCE_CODE, LEVELS, Level
from bourg.indicators.parameters import parameter
from bourg.indicators.tables import TABLES, TableInput, TableSpec, select_columns, strict_sum

# Insee publishes several fields for the country: most tables leave Mayotte out, and a partial sum is no France.
FRANCE_WITHOUT_MAYOTTE = "FRHM"
FRANCE_METROPOLITAN = "FRMET"
FRANCE_LABELS = {
    FRANCE_CODE: "France",
    FRANCE_WITHOUT_MAYOTTE: "France hors Mayotte",
    FRANCE_METROPOLITAN: "France métropolitaine",
}


@dataclass(frozen=True)
class Units:
    """The reference communes and their memberships.

    Attributes
    ----------
    communes
        ``code, name, departement, region, epci, area_km2``, sorted by code.
    frame
        One row per unit of every level: ``level, code, name, population, area_km2, n_communes``. ``population`` is
        the latest municipal population, null when one commune lacks it.
    """

    communes: pl.DataFrame
    frame: pl.DataFrame

    def of(self, level: Level) -> pl.DataFrame:
        """Return the units of one level, sorted by code."""
        return self.frame.filter(pl.col("level") == level)

    def mapping(self, level: Level) -> pl.DataFrame:
        """Return ``code`` (commune), ``unit``: a commune may be in several units (the fields of France) or none."""
        return _mapping(self.communes, level)


def _mapping(communes: pl.DataFrame, level: Level) -> pl.DataFrame:
    if level == "commune":
        return communes.select("code", unit="code")
    if level == "france":
        overseas = departement_expr(pl.col("code"))
        fields = [
            communes.select("code", unit=pl.lit(FRANCE_CODE)),
            communes.filter(overseas != "976").select("code", unit=pl.lit(FRANCE_WITHOUT_MAYOTTE)),
            communes.filter(~overseas.str.starts_with("97")).select("code", unit=pl.lit(FRANCE_METROPOLITAN)),
        ]
        return pl.concat(fields)
    return communes.select("code", unit=level).filter(pl.col("unit").is_not_null())


def build_units(communes: TableInput, population: TableInput | None) -> Units:
    """Return the territories of the reference geography.

    Raises
    ------
    SnapshotError
        When the table of communes is empty or lists a commune twice.
    """
    table = select_columns("communes", communes.frame).sort("code").collect()
    if table.is_empty() or table["code"].n_unique() != table.height:
        raise SnapshotError(
            "La table des communes est vide ou contient des doublons.", next_step="relancez : bourg build."
        )
    spec = TABLES["population"]
    latest = pl.LazyFrame(schema={"code": pl.String, "pmun": pl.Int64, **dict.fromkeys(spec.keys, pl.Int32)})
    undivided: tuple[tuple[str, ...], ...] = ()
    if population is not None:
        latest = spec.prepare(select_columns("population", population.frame)).filter("latest").collect().lazy()
        undivided = population.undivided
    # A commune split since the outlines were drawn has none of its own: the outline of its group stands on another.
    outlined = table.lazy().select("code", "area_km2").filter(pl.col("area_km2").is_not_null())
    groups = (*undivided, *communes.undivided)
    parts = []
    for level in LEVELS:
        mapping = _mapping(table, level)
        populations = lift(latest, spec, mapping, undivided).select(unit="code", population="pmun").collect()
        areas = lift(outlined, TABLES["communes"], mapping, groups).select("area_km2", unit="code").collect()
        parts.append(_level_units(table, level, mapping, populations.join(areas, on="unit", how="full", coalesce=True)))
    return Units(table, pl.concat(parts))


def _level_units(communes: pl.DataFrame, level: Level, mapping: pl.DataFrame, measures: pl.DataFrame) -> pl.DataFrame:
    grouped = (
        mapping.group_by("unit").agg(pl.len().cast(pl.Int64).alias("n_communes")).join(measures, on="unit", how="left")
    )
    if level == "commune":
        names = communes.select(unit="code", name="name")
    else:
        names = pl.DataFrame({"unit": list(FRANCE_LABELS), "name": list(FRANCE_LABELS.values())})
    return (
        grouped.join(names, on="unit", how="left")
        .select(
            level=pl.lit(level),
            code="unit",
            name="name",
            population="population",
            area_km2="area_km2",
            n_communes="n_communes",
        )
        .sort("code")
    )


def commune_coverage(name: str, table: TableInput, prepared: pl.DataFrame, communes: pl.DataFrame) -> pl.DataFrame:
    """Return the communes a table of places describes: ``code, table, year, role``.

    ``role`` is ``latest`` (the year shown), ``start`` (first year of the same series in the window of evolutions),
    ``before_break`` (the last year of the former series, never compared) or ``other``. Tables without a year have a
    null year and the role ``latest``.

    An overseas department without a single row in a national file is not described by it: several producers (CNC
    among them) publish metropolitan France only, and its communes must be missing, not at zero.
    """
    spec = TABLES[name]
    years: list[int | None] = prepared["year"].unique().sort().to_list() if spec.yearly else [None]
    covered = {year: _codes(communes, table.covered(year), prepared, year) for year in years}
    roles = _roles(spec, {year: codes.len() for year, codes in covered.items() if year is not None})
    schema = {"code": pl.String, "table": pl.String, "year": pl.Int32, "role": pl.String}
    parts = [
        pl.DataFrame({"code": codes}).select(
            "code",
            table=pl.lit(name),
            year=pl.lit(year, dtype=pl.Int32),
            role=pl.lit("latest" if year is None else roles[year]),
        )
        for year, codes in covered.items()
    ]
    return pl.concat([pl.DataFrame(schema=schema), *parts])


def _codes(
    communes: pl.DataFrame, coverage: frozenset[str] | None, prepared: pl.DataFrame, year: int | None
) -> pl.Series:
    codes = communes["code"]
    if coverage is not None:
        return codes.filter(codes.is_in(list(coverage)))
    rows = prepared if year is None else prepared.filter(pl.col("year") == year)
    seen = rows.select(departement_expr(pl.col("code")).unique()).to_series()
    departement = communes.select(departement_expr(pl.col("code"))).to_series()
    return codes.filter(~departement.str.starts_with("97") | departement.is_in(seen.to_list()))


def _roles(spec: TableSpec, sizes: dict[int, int]) -> dict[int, str]:
    """Tell the years apart; the year shown is the last one known about as widely as the best one."""
    if not sizes:
        return {}
    wide = parameter("population_year_min_share") * max(sizes.values())
    latest = max(year for year, size in sizes.items() if size >= wide)
    span = parameter("population_change_window")
    first_new = parameter(spec.series_break) if spec.series_break else None
    roles = dict.fromkeys(sizes, "other")
    earlier = [year for year in sorted(sizes) if latest - span <= year < latest and sizes[year] > 0]
    same = [year for year in earlier if first_new is None or (year >= first_new) == (latest >= first_new)]
    if same:
        roles[same[0]] = "start"
    elif earlier:
        roles[earlier[-1]] = "before_break"
    roles[latest] = "latest"
    return roles


def _together(undivided: Iterable[tuple[str, ...]]) -> dict[str, str]:
    """Return commune -> one commune of its group, for the communes that a table describes as one."""
    found: dict[str, str] = {}
    for group in undivided:
        chosen = min(found.get(code, code) for code in group)
        joined = {found[code] for code in group if code in found}
        found = {code: chosen if first in joined else first for code, first in found.items()}
        found.update(dict.fromkeys(group, chosen))
    return found


def lift(
    prepared: pl.LazyFrame, spec: TableSpec, mapping: pl.DataFrame, undivided: Iterable[tuple[str, ...]] = ()
) -> pl.LazyFrame:
    """Sum a prepared table from communes to larger units.

    Measures of a unit are kept only when every commune of it has them; an income that is secret in one commune is
    secret in the unit. Places are summed as they are: what is covered is told by the coverage.

    Parameters
    ----------
    prepared
        One row per commune and key.
    mapping
        ``code, unit``.
    undivided
        Groups of communes whose measures stand on one of them: a row for one is a row for all.
    """
    members = mapping.with_columns(described=pl.col("code").replace(_together(undivided)))
    moved = prepared.join(members.lazy(), on="code", how="inner").drop("code").rename({"unit": "code"})
    sums = [strict_sum(column) for column in spec.sums]
    if "status" in prepared.collect_schema():
        secret = (pl.col("status") == "secret").any()
        sums.append(
            pl.when(secret).then(pl.lit("secret")).otherwise(pl.col("status").drop_nulls().first()).alias("status")
        )
    keys = ["code", *spec.keys]
    if spec.absence == "zero":
        return moved.group_by(keys).agg(*sums)
    grouped = moved.group_by(keys).agg(*sums, pl.col("described").n_unique().alias("n_present"))
    needed = members.group_by("unit").agg(pl.col("described").n_unique().alias("n_needed"))
    complete = grouped.join(needed.lazy(), left_on="code", right_on="unit", how="inner")
    return complete.filter(pl.col("n_present") == pl.col("n_needed")).drop("n_present", "n_needed")


def lift_coverage(coverage: pl.DataFrame, mapping: pl.DataFrame, sizes: pl.DataFrame) -> pl.DataFrame:
    """Return the units whose communes are all covered, as :func:`commune_coverage` does for communes."""
    return (
        coverage.join(mapping, on="code", how="inner")
        .group_by("unit", "table", "year", "role")
        .len("n_covered")
        .join(sizes, on="unit", how="inner")
        .filter(pl.col("n_covered") == pl.col("n_communes"))
        .select("table", "year", "role", code="unit")
        .select("code", "table", "year", "role")
    )
