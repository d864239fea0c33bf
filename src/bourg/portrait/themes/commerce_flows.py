"""Openings, closures, survival and replacement of the shops of a town, ready to draw."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import polars as pl

from bourg.commerce.evolution import flows, survival_curve
from bourg.commerce.typology import rules, typology
from bourg.compare.comparators import ComparisonSet
from bourg.errors import ParameterError
from bourg.indicators.values import ValueSheet
from bourg.portrait.observatory import Observatory
from bourg.portrait.themes.commerce_mix import members_known

_RECENT = 40
_FLOW = "commerce.net_change"
_CURVE: dict[str, pl.DataType] = {
    "who": pl.String(), "age": pl.Int32(), "at_risk": pl.Int64(), "closed": pl.Int64(), "survival": pl.Float64()
}  # fmt: skip


@dataclass(frozen=True)
class Flows:
    """What opened and closed in a town.

    Attributes
    ----------
    years
        ``year, opened, closed, net, stock``, one row per whole year, true zeros included.
    types, groups
        ``id, label, opened, closed, net, stock`` over ``window``, in the order of the typology.
    window
        First and last year of the sums by type.
    last_year
        Last whole year of the register.
    survival
        ``who (ville, ensemble), age, at_risk, closed, survival`` in percent; an age followed on too few shops is left
        out.
    compared
        Towns put together in the curve of the set.
    addresses
        ``followed, replaced, occupied, vacant``; ``None`` when the snapshot does not say.
    closures
        The last closures: ``name, type_label, closed, replaced`` (null: too early to say, or unknown address).
    observed
        Last day described.
    """

    years: pl.DataFrame
    types: pl.DataFrame
    groups: pl.DataFrame
    window: tuple[int, int]
    last_year: int
    survival: pl.DataFrame
    compared: int
    addresses: dict[str, int] | None
    closures: pl.DataFrame
    observed: dt.date | None


@lru_cache(maxsize=4)
def _span(path: str) -> tuple[int, int] | None:
    """Return the first and last year of the whole table: a year without row is a zero, not a gap."""
    low, high = pl.scan_parquet(path).select(first=pl.col("year").min(), last=pl.col("year").max()).collect().row(0)
    return None if low is None else (int(low), int(high))


def first_year(since: int | None) -> int:
    """Return the first year shown.

    Raises
    ------
    ParameterError
        When it is before the break of the series, of which the message gives the reason.
    """
    start = rules()["first_year"]
    if since is not None and since < start:
        raise ParameterError(
            f"Aucune évolution des commerces n'est calculée avant {start}.",
            where=str(since),
            why="la nomenclature d'activités a changé le 1er janvier 2008 (NAF rév. 2) : les séries ne se suivent pas.",
            next_step=f"choisissez une année à partir de {start}.",
        )
    return since or start


def hidden(sheets: Mapping[str, ValueSheet], indicator: str) -> bool:
    """Tell whether the table of values keeps a figure to itself: what it is made of is then not shown either."""
    return indicator not in sheets or sheets[indicator].status in {"missing", "secret"}


def make_flows(
    observatory: Observatory,
    sheets: Mapping[str, ValueSheet],
    shops: pl.DataFrame,
    chosen: ComparisonSet,
    *,
    since: int | None = None,
) -> Flows | None:
    """Return what opened and closed in a town; ``None`` where no register describes it.

    Parameters
    ----------
    sheets
        Value sheets of the theme: counts are shown only where the table of values has the rate made of them.
    shops
        Rows of the table ``shops`` of the town.
    chosen
        Towns whose shops, put together, give the second curve of survival.

    Raises
    ------
    ParameterError
        When ``since`` is before the break of the series, or after its last year.
    """
    start = first_year(since)
    snapshot = observatory.snapshot
    if hidden(sheets, _FLOW) or not snapshot.has_table("shop_years"):
        return None
    code = sheets[_FLOW].code
    span = _span(str(snapshot.path("tables/shop_years.parquet")))
    if span is None:
        return None
    if start > span[1]:
        raise ParameterError(
            f"La série des commerces s'arrête en {span[1]}.",
            where=str(since),
            next_step=f"choisissez {span[1]} ou avant.",
        )
    rows = snapshot.table("shop_years").filter(pl.col("code") == code).collect()
    last = span[1]
    window = (max(start, last - rules()["openings_window"] + 1), last)
    by_year = flows(rows.lazy()).collect().drop("code")
    years = (
        pl.DataFrame({"year": range(max(start, span[0]), last + 1)}, schema={"year": pl.Int32})
        .join(by_year, on="year", how="left")
        .with_columns(pl.col("opened", "closed", "net", "stock").fill_null(0))
        .select("year", "opened", "closed", "net", "stock")
    )
    recent = rows.filter(pl.col("year").is_between(*window))
    groups = {kind: item.group for kind, item in typology().types.items()}
    grouped = recent.with_columns(group=pl.col("type").replace_strict(groups, default=None, return_dtype=pl.String))
    addresses = None
    if not hidden(sheets, "commerce.vacancy_proxy") and snapshot.has_table("shop_turnover"):
        found = snapshot.table("shop_turnover").filter(pl.col("code") == code).collect().drop("code")
        names = ("followed", "replaced", "occupied", "vacant")
        addresses = (
            dict(zip(names, found.select(names).row(0), strict=True)) if found.height else dict.fromkeys(names, 0)
        )
    survival, compared = pl.DataFrame(schema=_CURVE), 0
    if not hidden(sheets, "commerce.survival_1") and snapshot.has_table("shop_survival"):
        survival, compared = _survival(observatory, code, chosen)
    return Flows(
        years=years,
        types=_by(recent, "type", last, {key: item.label for key, item in typology().types.items()}),
        groups=_by(grouped, "group", last, dict(typology().groups)),
        window=window,
        last_year=last,
        survival=survival,
        compared=compared,
        addresses=addresses,
        closures=_closures(shops),
        observed=shops["observed"].max() if shops.height else None,  # type: ignore[arg-type]
    )


def _by(rows: pl.DataFrame, key: str, last: int, labels: dict[str, str]) -> pl.DataFrame:
    order = {name: rank for rank, name in enumerate(labels)}
    return (
        rows.group_by(pl.col(key).alias("id"))
        .agg(
            pl.col("opened", "closed").sum().cast(pl.Int64),
            stock=pl.col("stock").filter(pl.col("year") == last).sum().cast(pl.Int64),
        )
        .drop_nulls("id")
        .with_columns(
            label=pl.col("id").replace_strict(labels, default=None, return_dtype=pl.String),
            net=pl.col("opened") - pl.col("closed"),
        )
        .sort(pl.col("id").replace_strict(order, default=len(order), return_dtype=pl.Int64))
        .select("id", "label", "opened", "closed", "net", "stock")
    )


def _survival(observatory: Observatory, code: str, chosen: ComparisonSet) -> tuple[pl.DataFrame, int]:
    """Return the curve of the town and that of the towns compared, put together; short of shops, a curve stops."""
    members = [] if chosen.status != "ok" else _followed(observatory, code, chosen)
    table = observatory.snapshot.table("shop_survival")
    wanted = table.filter(pl.col("code").is_in([code, *members])).select("code", "age", "at_risk", "closed")
    who = pl.when(pl.col("code") == code).then(pl.lit("ville")).otherwise(pl.lit("ensemble"))
    curve = survival_curve(wanted.with_columns(who=who), by=("who",)).collect()
    least = rules()["survival_min"]
    enough = curve.filter((pl.col("at_risk") >= least).cast(pl.Int32).cum_min().over("who", order_by="age") == 1)
    return enough.select(pl.col(name).cast(dtype) for name, dtype in _CURVE.items()).sort(
        pl.col("who") != "ville", "age"
    ), len(members)


def _followed(observatory: Observatory, code: str, chosen: ComparisonSet) -> list[str]:
    codes = observatory.matrix.codes
    known = members_known(observatory, code, "commerce.sirene_count", chosen)
    return [codes[position] for position in known]


def _closures(shops: pl.DataFrame) -> pl.DataFrame:
    schema = {"name": pl.String, "type_label": pl.String, "closed": pl.Date, "replaced": pl.Boolean}
    if not shops.height:
        return pl.DataFrame(schema=schema)
    labels = {key: item.label for key, item in typology().types.items()}
    return (
        shops.filter(pl.col("closed").is_not_null())
        .with_columns(type_label=pl.col("type").replace_strict(labels, default=None, return_dtype=pl.String))
        .sort("closed", "type", "name", "siret", descending=[True, False, False, False], nulls_last=True)
        .head(_RECENT)
        .select(*schema)
    )
