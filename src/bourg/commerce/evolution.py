"""Openings, closures, survival and replacement of shops, from their dates in Sirene.

Every function takes the table ``shops`` of the reader: ``code, type, group, created, closed, open, observed`` and,
where an address is needed, ``siret, address``. ``observed`` is the last day the file describes; a shop still open on
that day is censored, never counted as a survivor for ever.
"""

from __future__ import annotations

import datetime as dt

import numpy as np
import numpy.typing as npt
import polars as pl

from bourg.commerce.typology import group_of, rules
from bourg.errors import ParameterError

Ints = npt.NDArray[np.int64]
_PAIRS = 100_000


def complete_years(observed: dt.date, first: int | None = None) -> range:
    """Return the whole calendar years between the start of the NAF rév. 2 series and the day of the file.

    Raises
    ------
    ParameterError
        When ``first`` is before the start of the series: activities before 2008 are in another nomenclature.
    """
    start = rules()["first_year"]
    if first is not None and first < start:
        raise ParameterError(
            f"Aucune évolution des commerces n'est calculée avant {start}.",
            where=str(first),
            why="la nomenclature d'activités a changé le 1er janvier 2008 (NAF rév. 2) : les séries ne se suivent pas.",
            next_step=f"choisissez une année à partir de {start}.",
        )
    last = observed.year if (observed.month, observed.day) == (12, 31) else observed.year - 1
    return range(first or start, last + 1)


def _ranks(shops: pl.DataFrame, column: str, years: range) -> Ints:
    """Return the rank of the year of each date; 0 is « before the first year », the last one « after the last »."""
    year = pl.col(column).dt.year().fill_null(years.start - 1)
    return (
        shops.select((year.clip(years.start - 1, years.stop) - years.start + 1).cast(pl.Int64)).to_series().to_numpy()
    )


def shop_years(shops: pl.DataFrame, *, first: int | None = None) -> pl.DataFrame:
    """Return ``code, type, year, opened, closed, stock`` (open on 31 December).

    A year without shop nor event has no row: it is zero for a town that the file describes. A shop without creation
    date is older than the series: it is in the stock and in no year's openings. Between two years the stock changes by
    ``opened − closed`` exactly.

    Raises
    ------
    ParameterError
        When ``first`` is before the series break of the NAF rév. 2.
    """
    schema = {"code": pl.String, "type": pl.String, "year": pl.Int32, "opened": pl.Int32, "closed": pl.Int32,
              "stock": pl.Int32}  # fmt: skip
    if shops.height == 0:
        return pl.DataFrame(schema=schema)
    years = complete_years(shops["observed"].max(), first)  # type: ignore[arg-type]
    pairs = shops.select("code", "type").unique().sort("code", "type").with_row_index("pair")
    own = shops.select("code", "type", "created", "closed").join(pairs, on=["code", "type"], how="left")
    gone = own.filter(pl.col("closed").is_not_null())
    # Cells (pair, year) as one number: a join on texts over five million shops costs ten times more.
    width = len(years) + 2
    born, ended = (
        np.sort(part["pair"].to_numpy().astype(np.int64) * width + _ranks(part, column, years))
        for part, column in ((own, "created"), (gone, "closed"))
    )
    parts = []
    # By slices of pairs: the whole country in every year at once is a gigabyte.
    for start in range(0, pairs.height, _PAIRS):
        some = pairs.slice(start, _PAIRS)
        opened, closed = (
            _cells(cells, start * width, some.height * width).reshape(some.height, width) for cells in (born, ended)
        )
        stock = np.cumsum(opened - closed, axis=1, dtype=np.int32)
        inside = slice(1, width - 1)
        kept, year = np.nonzero((opened[:, inside] != 0) | (closed[:, inside] != 0) | (stock[:, inside] != 0))
        parts.append(
            some[kept].select(
                "code",
                "type",
                year=pl.Series(year + years.start, dtype=pl.Int32),
                opened=pl.Series(opened[:, inside][kept, year]),
                closed=pl.Series(closed[:, inside][kept, year]),
                stock=pl.Series(stock[:, inside][kept, year]),
            )
        )
    return pl.concat(parts)


def _cells(values: Ints, start: int, size: int) -> npt.NDArray[np.int32]:
    """Count each of ``size`` numbers from ``start`` on among sorted values."""
    low, high = np.searchsorted(values, [start, start + size])
    return np.bincount(values[low:high] - start, minlength=size).astype(np.int32)


def flows(years: pl.LazyFrame, *, by: str = "code") -> pl.LazyFrame:
    """Return ``by, year, opened, closed, net, stock, turnover`` summed over types.

    ``turnover`` is (opened + closed) / 2 in percent of the stock at the start of the year; null when it was empty.
    """
    summed = years.group_by(by, "year").agg(pl.col("opened", "closed", "stock").sum().cast(pl.Int64))
    net = pl.col("opened") - pl.col("closed")
    before = pl.col("stock") - net
    turnover = pl.when(before > 0).then(50 * (pl.col("opened") + pl.col("closed")) / before)
    return summed.with_columns(net=net, turnover=turnover).sort(by, "year")


def _full_years(until: pl.Expr) -> pl.Expr:
    """Return the birthdays passed from ``created`` to a day, that day included; 29 February counts from 1 March."""
    born = pl.col("created")

    def day(date: pl.Expr) -> pl.Expr:
        return date.dt.month().cast(pl.Int32) * 32 + date.dt.day()

    return until.dt.year() - born.dt.year() - (day(until) < day(born)).cast(pl.Int32)


def shop_survival(shops: pl.DataFrame) -> pl.DataFrame:
    """Return the life table ``code, group, cohort, age, at_risk, closed`` of the shops created in the series.

    ``at_risk`` counts the shops that reached ``age`` years and whose whole following year is described by the file;
    ``closed`` those of them that closed in that year. A shop still open is censored at the last day of the file: the
    year it is living is in nobody's risk set (Kaplan and Meier 1958, by whole years). Counts add up over territories.
    """
    limits = rules()
    span = limits["survival_years"]
    known = (
        shops.lazy()
        .select("code", "group", "created", "closed", "observed", cohort=pl.col("created").dt.year())
        .filter((pl.col("cohort") >= limits["first_year"]) & (pl.col("created") <= pl.col("observed")))
    )
    # Lives of the same length are counted together before they are spread over ages.
    lived = _full_years(pl.col("closed")).fill_null(span).clip(0, span)
    lives = (
        known.group_by("code", "group", "cohort", lived=lived, seen=_full_years(pl.col("observed")).clip(0, span))
        .agg(pl.len().cast(pl.Int32).alias("n"))
        .collect(engine="streaming")
    )
    parts = [
        lives.filter((pl.col("lived") >= age) & (pl.col("seen") > age))
        .group_by("code", "group", "cohort")
        .agg(
            age=pl.lit(age, dtype=pl.Int32),
            at_risk=pl.col("n").sum(),
            closed=pl.col("n").filter(pl.col("lived") == age).sum(),
        )
        for age in range(span)
    ]
    return pl.concat(parts).select("code", "group", "cohort", "age", "at_risk", "closed").sort(pl.all())


def survival_curve(table: pl.LazyFrame, *, by: tuple[str, ...] = ("code",)) -> pl.LazyFrame:
    """Return ``by…, age, at_risk, closed, survival``: percent still open at the end of year of age ``age``.

    S(a) = Π_{i ≤ a} (1 − closed_i / at_risk_i), cohorts put together. The curve stops at the first age nobody was
    followed to.
    """
    keys = list(by)
    summed = table.group_by(*keys, "age").agg(pl.col("at_risk", "closed").sum().cast(pl.Int64))
    rate = 1 - pl.col("closed") / pl.col("at_risk")
    return (
        summed.filter(pl.col("at_risk") > 0)
        .sort(*keys, "age")
        .filter(pl.col("age") == pl.int_range(pl.len()).over(keys))
        .with_columns(survival=100 * rate.cum_prod().over(keys))
    )


def _addresses(shops: pl.DataFrame) -> pl.DataFrame:
    """Return the shops of addresses that are one place: shopping centres and business centres say nothing of one."""
    located = shops.lazy().filter(pl.col("address").is_not_null())
    shared = (
        located.group_by("code", "address").agg(pl.col("open").sum()).filter(pl.col("open") > rules()["shared_address"])
    )
    kept = located.join(shared, on=["code", "address"], how="anti", maintain_order="left")
    return kept.collect().with_row_index("_row")


def replacements(shops: pl.DataFrame) -> pl.DataFrame:
    """Say of each closed shop whether another one took its place.

    Parameters
    ----------
    shops
        With ``address``, a value equal for two shops at the same address of one commune; null when unknown.

    Returns
    -------
    DataFrame
        One row per shop closed at a known address: ``siret, code, type, closed, successor_type, successor_created,
        replaced``. ``replaced`` is null when the file ends before the delay and no successor came yet.
    """
    limits = rules()
    known = _addresses(shops)
    delay = f"{limits['replacement_months']}mo"
    gone = known.filter(pl.col("closed").is_not_null())
    early = pl.col("closed").dt.offset_by(f"-{limits['replacement_overlap_days']}d")
    late = pl.col("closed").dt.offset_by(delay)
    candidates = known.filter(pl.col("created").is_not_null()).select(
        "code", "address", successor_row="_row", successor_type="type", successor_created="created"
    )
    matched = (
        # Few columns through the join: an address of a large town may have had dozens of shops.
        gone.select("code", "address", "_row", "created", "closed")
        .join(candidates, on=["code", "address"], how="inner")
        .filter(
            (pl.col("successor_row") != pl.col("_row"))
            & (pl.col("successor_created") > pl.col("created").fill_null(dt.date(1, 1, 1)))
            & pl.col("successor_created").is_between(early, late)
        )
        .sort("_row", "successor_created", "successor_type")
        .unique("_row", keep="first", maintain_order=True)
        .select("_row", "successor_type", "successor_created")
    )
    found = pl.col("successor_type").is_not_null()
    over = late <= pl.col("observed")
    return (
        gone.join(matched, on="_row", how="left", maintain_order="left")
        .with_columns(replaced=pl.when(found).then(pl.lit(value=True)).when(over).then(pl.lit(value=False)))
        .select("siret", "code", "type", "closed", "successor_type", "successor_created", "replaced")
    )


def shop_turnover(shops: pl.DataFrame, outcome: pl.DataFrame | None = None) -> pl.DataFrame:
    """Return replacement and the vacancy proxy by town.

    Parameters
    ----------
    outcome
        The answer of :func:`replacements`, when it is already known.

    Returns
    -------
    DataFrame
        ``code``; ``followed``, ``replaced``: closures of the window whose successor could be looked for, and those
        that had one; ``occupied``, ``vacant``: addresses with an open shop, and addresses whose last shop closed more
        than the delay and less than ``vacancy_years`` ago with no shop since. ``vacant`` is a proxy: the place may
        have become a dwelling or an office (ANCHORS D3).
    """
    limits = rules()
    schema = dict.fromkeys(("followed", "replaced", "occupied", "vacant"), pl.Int32)
    known = _addresses(shops)
    if known.height == 0:
        return pl.DataFrame(schema={"code": pl.String, **schema})
    observed: dt.date = known["observed"].max()  # type: ignore[assignment]
    window = pl.lit(observed).dt.offset_by(f"-{limits['vacancy_years']}y")
    limit = pl.lit(observed).dt.offset_by(f"-{limits['replacement_months']}mo")
    told = replacements(shops) if outcome is None else outcome
    told = told.filter(pl.col("replaced").is_not_null() & (pl.col("closed") >= window))
    # A closure followed for the whole delay only: counting early successors alone would favour replacement.
    told = told.filter(pl.col("closed") <= limit)
    moves = told.group_by("code").agg(followed=pl.len(), replaced=pl.col("replaced").sum())
    places = known.group_by("code", "address").agg(open=pl.col("open").any(), last=pl.col("closed").max())
    empty = ~pl.col("open") & pl.col("last").is_between(window, limit)
    state = places.group_by("code").agg(occupied=pl.col("open").sum(), vacant=empty.sum())
    table = state.join(moves, on="code", how="left").with_columns(pl.col("followed", "replaced").fill_null(0))
    return table.select("code", *(pl.col(name).cast(dtype) for name, dtype in schema.items())).sort("code")


def intervals(periods: pl.DataFrame) -> pl.DataFrame:
    """Return the stays of establishments in a type of shop, from the periods of the history file.

    Parameters
    ----------
    periods
        ``siret, start, end, active, type`` of ``shop_periods``; ``end`` is the last day, null for the current one.

    Returns
    -------
    DataFrame
        ``siret, type, group, created, closed``: one row per uninterrupted stay; ``closed`` is the first day it was no
        longer that shop (closing or another activity), null when it still is. A reopening makes a second stay.
    """
    active = periods.filter("active").sort("siret", "start")
    gap = pl.col("start") != pl.col("end").shift(1).over("siret").dt.offset_by("1d")
    new = (gap | (pl.col("type") != pl.col("type").shift(1).over("siret"))).fill_null(value=True)
    return (
        active.with_columns(stay=new.cast(pl.Int32).cum_sum().over("siret"))
        .group_by("siret", "stay", maintain_order=True)
        .agg(
            pl.col("type").first(),
            created=pl.col("start").first(),
            closed=pl.when(pl.col("end").last().is_not_null()).then(pl.col("end").last().dt.offset_by("1d")),
        )
        .with_columns(group=group_of(pl.col("type")))
        .select("siret", "type", "group", "created", "closed")
    )


def with_history(shops: pl.DataFrame, periods: pl.DataFrame) -> pl.DataFrame:
    """Replace the single life of each shop by its stays in each type, where the history knows it.

    Returns
    -------
    DataFrame
        ``code, type, group, created, closed, open, observed``, ready for :func:`shop_years` and :func:`shop_survival`.
        A shop without history (its SIRET is not published, or it never changed) keeps its own dates.
    """
    columns = ["code", "type", "group", "created", "closed", "open", "observed"]
    stays = intervals(periods).with_columns(open=pl.col("closed").is_null())
    # The first period starts at the creation, unless Sirene knows it only since it has a history.
    placed = shops.select("siret", "code", "observed", born="created").filter(pl.col("siret").is_not_null())
    first = pl.col("created") == pl.col("created").min().over("siret")
    stays = stays.join(placed, on="siret", how="inner").with_columns(
        created=pl.when(first & (pl.col("born") < pl.col("created"))).then("born").otherwise("created")
    )
    alone = shops.filter(pl.col("siret").is_null() | ~pl.col("siret").is_in(stays["siret"].unique().implode()))
    return pl.concat([alone.select(columns), stays.select(columns)]).sort("code", "type", "created")
