"""Indicators of access from the time of every point to its nearest facility: quantiles, shares, unserved places.

The tables read here have one row per point, family and mode: ``point_id, inhabitants, family, mode, minutes, status``
and, as the case may be, ``code, longitude, latitude``. ``status`` is ``ok``, ``beyond`` (the limit of the search was
reached), ``unreachable`` (the network does not lead there) or ``unsnapped`` (no street near the point: its time is
unknown, which is neither far nor near).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from bourg.access.places.duplicates import unit_vectors
from bourg.errors import ParameterError
from bourg.indicators.parameters import parameter
from bourg.text import NBSP, format_value

STATUSES = ("ok", "beyond", "unreachable", "unsnapped")
LEVELS = ("code", "epci", "departement", "region")
Floats = NDArray[np.float64]
_COLUMNS = ("point_id", "inhabitants", "family", "mode", "minutes", "status")


def weighted_quantile(minutes: Floats, weights: Floats, share: float) -> float:
    """Return the smallest time within which lives at least a share of the weight; infinite times are allowed.

    Parameters
    ----------
    minutes, weights
        Shape ``(n,)``; weights positive or zero, of positive sum.
    share
        Between 0 (excluded) and 1.

    Returns
    -------
    float
        One of ``minutes``, possibly infinite; NaN without weight.
    """
    total = float(weights.sum())
    if total <= 0:
        return float("nan")
    order = np.argsort(minutes, kind="stable")
    # A share reached to the last bit of rounding is reached.
    reached = np.cumsum(weights[order]) >= share * total * (1 - 1e-12)
    return float(minutes[order][int(np.argmax(reached))])


def join_nearest(points: pl.DataFrame, nearest: pl.DataFrame, *, family: str, mode: str) -> pl.DataFrame:
    """Return the reach table of one family and mode from the points and the times of the engine.

    Parameters
    ----------
    points
        Population points.
    nearest
        ``origin, facility, minutes, status``; ``origin`` is a ``point_id``, or the rank of the point.
    family, mode
        What the times lead to, and how.

    Raises
    ------
    ParameterError
        When a point has no row, or several.
    """
    rows = points
    if nearest.schema["origin"].is_integer():
        rows = rows.with_row_index("origin").cast({"origin": nearest.schema["origin"]})
    else:
        rows = rows.with_columns(origin="point_id")
    joined = rows.join(nearest, on="origin", how="left", maintain_order="left", validate="1:1").drop("origin")
    if joined["status"].null_count():
        raise ParameterError(
            "Des points n'ont pas de temps.", where=f"{joined['status'].null_count()} points",
            next_step="donnez une ligne par point, atteint ou non.",
        )  # fmt: skip
    return joined.with_columns(family=pl.lit(family), mode=pl.lit(mode))


def _checked(reach: pl.DataFrame) -> pl.DataFrame:
    lacking = [name for name in _COLUMNS if name not in reach.columns]
    if lacking:
        raise ParameterError("La table des temps est incomplète.", where=", ".join(lacking))
    strange = reach.filter(~pl.col("status").is_in(STATUSES).fill_null(value=False))
    if strange.height:
        raise ParameterError(
            "Un état de trajet n'existe pas.", where=str(strange["status"][0]), why=f"connus : {', '.join(STATUSES)}."
        )
    timeless = reach.filter((pl.col("status") == "ok") & ~pl.col("minutes").is_finite().fill_null(value=False))
    if timeless.height:
        raise ParameterError("Un trajet possible n'a pas de temps.", where=str(timeless["point_id"][0]))
    return reach


def _grouped(reach: pl.DataFrame, by: Sequence[str]) -> list[tuple[tuple[object, ...], pl.DataFrame]]:
    keys = [*by, "family", "mode"]
    return list(reach.partition_by(keys, as_dict=True, maintain_order=True).items())


def reach_indicators(reach: pl.DataFrame, *, limit_min: float, by: Sequence[str] = ("code",)) -> pl.DataFrame:
    """Return the quantiles of the nearest time and the shares of inhabitants within the thresholds.

    Parameters
    ----------
    reach
        Reach table (head of this module). A point of unknown population (null) is left out.
    limit_min
        Limit of the search, minutes.
    by
        Columns of places, ``()`` for the whole table; see :func:`with_levels`.

    Returns
    -------
    polars.DataFrame
        ``by…, family, mode, inhabitants, unknown`` (inhabitants far from any street, in no share),
        ``median, median_status, p90, p90_status`` (minutes, null unless ``ok``; ``beyond``: more than ``limit_min``;
        ``unreachable``; ``unknown``), ``within_5``… and ``out_of_reach`` (shares from 0 to 1 of those whose time is
        known; null for a threshold above the limit).

    Raises
    ------
    ParameterError
        Missing column, unknown status, time missing where the status is ``ok``.
    """
    rules = parameter("reach", package="bourg.access")
    rows = []
    for key, part in _grouped(_checked(reach).filter(pl.col("inhabitants").is_not_null()), by):
        weights = part["inhabitants"].to_numpy()
        status = part["status"].to_numpy()
        known = status != "unsnapped"
        # Beyond the limit comes after every time found, and what no street leads to after that.
        minutes = np.where(status == "ok", part["minutes"].fill_null(0.0).to_numpy(), np.inf)
        total, unknown = float(weights.sum()), float(weights[~known].sum())
        row: dict[str, object] = dict(zip([*by, "family", "mode"], key, strict=True))
        row |= {"inhabitants": total, "unknown": unknown}
        enough = total > 0 and unknown <= rules["max_unknown_share"] * total and unknown < total
        for name, share in rules["quantiles"].items():
            row |= _quantile(name, minutes[known], weights[known], status[known], share) if enough else {
                name: None, f"{name}_status": "unknown",
            }  # fmt: skip
        base = total - unknown
        for threshold in rules["thresholds"]:
            told = enough and threshold <= limit_min
            row[f"within_{threshold}"] = float(weights[known & (minutes <= threshold)].sum()) / base if told else None
        row["out_of_reach"] = float(weights[known & np.isinf(minutes)].sum()) / base if enough else None
        rows.append(row)
    return pl.DataFrame(rows, schema=_indicator_schema(reach, by, rules))


def _indicator_schema(reach: pl.DataFrame, by: Sequence[str], rules: Mapping[str, object]) -> dict[str, pl.DataType]:
    names: dict[str, pl.DataType] = {name: reach.schema[name] for name in (*by, "family", "mode")}
    names |= {"inhabitants": pl.Float64(), "unknown": pl.Float64()}
    for name in dict(rules["quantiles"]):  # type: ignore[call-overload]
        names |= {name: pl.Float64(), f"{name}_status": pl.String()}
    names |= {f"within_{threshold}": pl.Float64() for threshold in list(rules["thresholds"])}  # type: ignore[call-overload]
    return names | {"out_of_reach": pl.Float64()}


def _quantile(
    name: str, minutes: Floats, weights: Floats, status: NDArray[np.object_], share: float
) -> dict[str, object]:
    value = weighted_quantile(minutes, weights, share)
    if np.isfinite(value):
        return {name: value, f"{name}_status": "ok"}
    # Those beyond the limit live nearer than those that no street leads to.
    order = np.where(status == "ok", 0.0, np.where(status == "beyond", 1.0, 2.0))
    where = weighted_quantile(order, weights, share)
    return {name: None, f"{name}_status": "beyond" if where == 1.0 else "unreachable"}


def minutes_text(minutes: float | None, status: str, limit_min: float) -> str:
    """Return a time as the pages write it: ``12 min``, ``plus de 30 min``, ``inaccessible``, ``inconnu``."""
    if status == "ok" and minutes is not None:
        return f"moins d'1{NBSP}min" if minutes < 1 else format_value(minutes, "min")
    if status == "beyond":
        return f"plus de {format_value(limit_min, 'min')}"
    return "inaccessible par ce réseau" if status == "unreachable" else "inconnu : loin de toute rue"


def share_curve(reach: pl.DataFrame, minutes: Sequence[float], *, by: Sequence[str] = ()) -> pl.DataFrame:
    """Return the share of inhabitants within each time: ``by…, family, mode, minutes, share``.

    The inhabitants whose time is unknown are in no share; without any other the share is null.
    """
    parts = []
    keys = [*by, "family", "mode"]
    rows = _checked(reach).filter(pl.col("inhabitants").is_not_null() & (pl.col("status") != "unsnapped"))
    for limit in minutes:
        near = (pl.col("status") == "ok") & (pl.col("minutes") <= limit)
        within = pl.col("inhabitants").filter(near.fill_null(value=False)).sum()
        total = pl.col("inhabitants").sum()
        parts.append(
            rows.group_by(keys, maintain_order=True).agg(
                minutes=pl.lit(float(limit)), share=pl.when(total > 0).then(within / total)
            )
        )
    return pl.concat(parts).sort(*keys, "minutes") if parts else rows.select(*keys, "minutes").clear()


def quarter_hour(
    reach: pl.DataFrame, *, by: Sequence[str] = ("code",), minutes: float | None = None
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Score the « ville du quart d'heure »: mean share of the declared families that inhabitants reach in time.

    Parameters
    ----------
    reach
        Reach table of the families of the parameter ``quarter_hour``; the other families are left out. A family that
        is not in the table is unknown, not absent: give a row ``unreachable`` to say that there is none.
    by
        Columns of places.
    minutes
        Time allowed, 15 by default.

    Returns
    -------
    tuple
        Per place and mode: ``by…, mode, score`` (0 to 1, null when too few families are known), ``score_low`` (the same
        if the unknown families were nowhere), ``families`` (mean number reached), ``known, declared`` (numbers of
        families), ``unknown_families``; and per point and mode: ``point_id, by…, mode, reached, known``.
    """
    rules = parameter("quarter_hour", package="bourg.access")
    declared, limit = list(rules["families"]), float(rules["minutes"] if minutes is None else minutes)
    rows = _checked(reach).filter(pl.col("family").is_in(declared))
    near = ((pl.col("status") == "ok") & (pl.col("minutes") <= limit)).fill_null(value=False)
    points = (
        rows.filter(pl.col("status") != "unsnapped")
        .group_by("point_id", *by, "mode", maintain_order=True)
        .agg(
            inhabitants=pl.col("inhabitants").first(), reached=near.sum().cast(pl.Int64), known=pl.len().cast(pl.Int64)
        )
    )
    families = rows.group_by(*by, "mode", maintain_order=True).agg(found=pl.col("family").unique().sort())
    people = pl.col("inhabitants").fill_null(0.0)
    share = pl.when(people.sum() > 0).then((people * pl.col("reached") / pl.col("known")).sum() / people.sum())
    mean = pl.when(people.sum() > 0).then((people * pl.col("reached")).sum() / people.sum())
    scored = points.group_by(*by, "mode", maintain_order=True).agg(score=share, families=mean)
    known = pl.col("found").list.len().cast(pl.Int64)
    enough = known >= rules["min_known_share"] * len(declared)
    result = families.join(scored, on=[*by, "mode"], how="left", maintain_order="left").select(
        *by,
        "mode",
        pl.when(enough).then("score").alias("score"),
        # Every declared family counts the same: those that are unknown would only lower the share.
        pl.when(enough).then(pl.col("score") * known / len(declared)).alias("score_low"),
        pl.when(enough).then("families").alias("families"),
        known=known,
        declared=pl.lit(len(declared), dtype=pl.Int64),
        unknown_families=pl.lit(pl.Series([declared])).list.set_difference("found"),
    )
    return result, points.drop("inhabitants")


def unserved_places(
    reach: pl.DataFrame, threshold_min: float, *, places: pl.DataFrame | None = None, by: str = "code"
) -> pl.DataFrame:
    """List the places that a family does not serve in time, the most peopled first.

    Parameters
    ----------
    reach
        Reach table with ``longitude, latitude``.
    threshold_min
        A point farther than this is not served.
    places
        ``name, longitude, latitude`` of hamlets and villages: each point goes to the nearest. Without them points are
        gathered by the column ``by``.
    by
        Column of places.

    Returns
    -------
    polars.DataFrame
        ``family, mode, place, points, inhabitants, unknown_population`` (points whose inhabitants are unknown),
        ``minutes`` (the longest time found, null when none was), ``beyond, unreachable, unsnapped`` (inhabitants by
        status), ``longitude, latitude`` (mean place of the points, weighted by the inhabitants).
    """
    rows = _checked(reach).filter((pl.col("status") != "ok") | (pl.col("minutes") > threshold_min))
    if places is not None and places.height:
        vectors = [unit_vectors(t["longitude"].to_numpy(), t["latitude"].to_numpy()) for t in (places, rows)]
        nearest = cKDTree(vectors[0]).query(vectors[1])[1] if rows.height else np.empty(0, dtype=np.int64)
        rows = rows.with_columns(place=places["name"].gather(pl.Series(nearest, dtype=pl.UInt32)))
    else:
        rows = rows.with_columns(place=pl.col(by))
    people = pl.col("inhabitants").fill_null(0.0)
    weight = pl.when(people.sum() > 0).then(people).otherwise(1.0)
    return (
        rows.group_by("family", "mode", "place", maintain_order=True)
        .agg(
            points=pl.len().cast(pl.Int64),
            inhabitants=people.sum(),
            unknown_population=pl.col("inhabitants").null_count().cast(pl.Int64),
            minutes=pl.col("minutes").filter(pl.col("status") == "ok").max(),
            **{status: people.filter(pl.col("status") == status).sum() for status in STATUSES[1:]},
            longitude=(pl.col("longitude") * weight).sum() / weight.sum(),
            latitude=(pl.col("latitude") * weight).sum() / weight.sum(),
        )
        .sort("family", "mode", "inhabitants", "place", descending=[False, False, True, False])
    )


def with_levels(points: pl.DataFrame, communes: pl.DataFrame) -> pl.DataFrame:
    """Add ``epci, departement, region`` to a table by its ``code``, so that indicators are grouped by any of them.

    A quantile of a larger place is that of its points, never a mean of the quantiles of its communes.
    """
    levels = communes.select("code", *(name for name in LEVELS[1:] if name in communes.columns))
    return points.join(levels, on="code", how="left", maintain_order="left")
