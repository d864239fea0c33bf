"""Tables of services, health, mobility, safety and programmes: importing this module adds them to ``TABLES``."""

from __future__ import annotations

import polars as pl

from bourg.indicators.parameters import parameter
from bourg.indicators.tables import TABLES, TableSpec, strict_sum

# Producers put open ends to a list: only these say that a place is of use to people who share a car.
HITCHHIKING = "Auto-stop"
_CRIME_MEASURES = ("n", "population", "dwellings")
ENERGY_LABELS = ("A", "B", "C", "D", "E", "F", "G")


def _programmes(frame: pl.LazyFrame) -> pl.LazyFrame:
    """Count a commune once by programme; ``signed`` tells the programmes whose convention is signed."""
    signed = (pl.col("status") == "signed").fill_null(value=False)
    return frame.group_by("code", "programme").agg(
        pl.col("vintage").drop_nulls().first(), signed=signed.any().cast(pl.Int64), n=pl.lit(1, dtype=pl.Int64).first()
    )


def _operations(frame: pl.LazyFrame) -> pl.LazyFrame:
    """Count distinct housing operations of a commune: merged communes may share one."""
    current = (pl.col("status") == "current").fill_null(value=False)
    return frame.group_by("code").agg(
        n=pl.col("operation_id").n_unique().cast(pl.Int64),
        current=pl.col("operation_id").filter(current).n_unique().cast(pl.Int64),
    )


def _rows(frame: pl.LazyFrame) -> pl.LazyFrame:
    return frame.group_by("code").agg(pl.len().cast(pl.Int64).alias("n"))


def _france_services(frame: pl.LazyFrame) -> pl.LazyFrame:
    """Count structures once each in a commune, the itinerant ones apart."""
    itinerant = pl.col("itinerant").fill_null(value=False)
    places = frame.group_by("code", "place_id").agg(itinerant=itinerant.all())
    return places.group_by("code").agg(n=pl.len().cast(pl.Int64), itinerant=pl.col("itinerant").sum().cast(pl.Int64))


def _carpool(frame: pl.LazyFrame) -> pl.LazyFrame:
    """Count open places; hitch-hiking stops apart, because one network of them outnumbers all car parks."""
    usable = pl.col("open").fill_null(value=True)
    hitchhiking = (pl.col("kind") == HITCHHIKING).fill_null(value=False)
    return frame.group_by("code").agg(
        n=(usable & ~hitchhiking).sum().cast(pl.Int64), stops=(usable & hitchhiking).sum().cast(pl.Int64)
    )


def _emergency(frame: pl.LazyFrame) -> pl.LazyFrame:
    """Keep one distance by commune; the centres of merged communes have no common distance."""
    several = pl.len() > 1
    return frame.group_by("code").agg(
        distance_km=pl.when(~several).then(pl.col("distance_km").first()),
        status=pl.when(several).then(pl.lit("missing")).otherwise(pl.col("status").first()),
    )


def _apl(frame: pl.LazyFrame) -> pl.LazyFrame:
    """Keep the latest year; a published ratio of two merged communes has no sum."""
    latest = frame.filter(pl.col("year") == pl.col("year").max())
    return latest.group_by("code", "year").agg(value=pl.when(pl.len() == 1).then(pl.col("value").first()))


def _maternities(frame: pl.LazyFrame) -> pl.LazyFrame:
    return frame.group_by("code", "year").agg(pl.len().cast(pl.Int64).alias("n"), strict_sum("births"))


def _crime(frame: pl.LazyFrame) -> pl.LazyFrame:
    """Keep the latest year; parts of a merged commune add up, and one secret part makes the whole secret."""
    secret = (pl.col("status") == "secret").any()
    return (
        frame.filter(pl.col("year") == pl.col("year").max())
        .group_by("code", "year", "category")
        .agg(
            *(strict_sum(name) for name in _CRIME_MEASURES),
            # The producer divides by unrounded dwellings: its own rate is kept, and has no sum.
            rate=pl.when(pl.len() == 1).then(pl.col("rate").first()),
            status=pl.when(secret).then(pl.lit("secret")),
        )
    )


def _facilities(frame: pl.LazyFrame) -> pl.LazyFrame:
    return frame.group_by("code", "kind").agg(pl.col("facility_id").n_unique().cast(pl.Int64).alias("n"))


def _energy(frame: pl.LazyFrame) -> pl.LazyFrame:
    """Sum the diagnoses, and those of the communes under the floor: a total must not give one of them away."""
    total = pl.sum_horizontal(ENERGY_LABELS)
    summed = frame.group_by("code").agg(strict_sum(name) for name in ENERGY_LABELS)
    return summed.select(
        "code",
        n=total,
        poor=pl.col("F") + pl.col("G"),
        hidden=pl.when(total < parameter("energy_floor")).then(total).otherwise(0),
    )


SPECS: dict[str, TableSpec] = {
    "programmes": TableSpec(
        {"code": pl.String(), "programme": pl.String(), "status": pl.String(), "vintage": pl.String()},
        "zero",
        ("programme", "vintage"),
        ("n", "signed"),
        _programmes,
    ),
    "housing_operations": TableSpec(
        {"code": pl.String(), "operation_id": pl.String(), "status": pl.String()},
        "zero",
        (),
        ("n", "current"),
        _operations,
    ),
    "france_services": TableSpec(
        {"code": pl.String(), "place_id": pl.String(), "itinerant": pl.Boolean()},
        "zero",
        (),
        ("n", "itinerant"),
        _france_services,
    ),
    "carpool_places": TableSpec(
        {"code": pl.String(), "kind": pl.String(), "open": pl.Boolean()}, "zero", (), ("n", "stops"), _carpool
    ),
    "emergency_distance": TableSpec(
        {"code": pl.String(), "distance_km": pl.Float64(), "status": pl.String()}, "missing", (), (), _emergency
    ),
    "apl": TableSpec({"code": pl.String(), "year": pl.Int32(), "value": pl.Float64()}, "missing", ("year",), (), _apl),
    "maternities": TableSpec(
        {"code": pl.String(), "year": pl.Int32(), "births": pl.Int64()},
        "zero",
        ("year",),
        ("n", "births"),
        _maternities,
    ),
    "crime": TableSpec(
        {
            "code": pl.String(),
            "year": pl.Int32(),
            "category": pl.String(),
            "n": pl.Int64(),
            "rate": pl.Float64(),
            "population": pl.Int64(),
            "dwellings": pl.Int64(),
            "status": pl.String(),
        },
        "missing",
        ("year", "category"),
        _CRIME_MEASURES,
        _crime,
    ),
    "health_facilities": TableSpec(
        {"code": pl.String(), "facility_id": pl.String(), "kind": pl.String()}, "zero", ("kind",), ("n",), _facilities
    ),
    "dwelling_energy": TableSpec(
        {"code": pl.String(), **{name: pl.Int64() for name in ENERGY_LABELS}},
        "zero",
        (),
        ("n", "poor", "hidden"),
        _energy,
    ),
}

TABLES.update(SPECS)
