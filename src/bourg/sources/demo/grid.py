"""Squares of 200 m (INSEE gridded data) of the demonstration: true populations, generated places."""

from __future__ import annotations

import zlib

import numpy as np
import polars as pl
import shapely
from pyproj import Transformer

from bourg.sources.demo.counts import Floats, Ints
from bourg.sources.demo.territory import Territory, build_territory, city_of
from bourg.sources.demo.writing import stream_of

# Name of the draws: that of the official archive.
_STREAM = "Filosofi2021_carreaux_200m_csv.zip"
# The three files of the official archive and their reference systems; INSEE grids no other overseas department.
AREAS = {"met": 3035, "mart": 5490, "reun": 2975}
_SIDE = 200
_INHABITANTS_PER_CELL = 30.0
_DRAWS = 2  # points drawn for each square wanted: they gather, as homes do


def _area_of(departement: pl.Expr) -> pl.Expr:
    return (
        pl.when(departement == "972")
        .then(pl.lit("mart"))
        .when(departement == "974")
        .then(pl.lit("reun"))
        .when(departement.str.len_chars() == 2)
        .then(pl.lit("met"))
    )


def _squares(territory: Territory, position: Ints, longitude: Floats, latitude: Floats, epsg: int) -> pl.DataFrame:
    """Return the square of each point, ``position, north, east``, where its middle is in the commune too."""
    to_grid = Transformer.from_crs(4326, epsg, always_xy=True)
    east, north = to_grid.transform(longitude, latitude)
    frame = pl.DataFrame({
        "position": position,
        "north": np.floor(north / _SIDE).astype(np.int64) * _SIDE,
        "east": np.floor(east / _SIDE).astype(np.int64) * _SIDE,
    })  # fmt: skip
    cells = frame.group_by("position", "north", "east").len("draws").sort("position", "north", "east")
    x, y = to_grid.transform(
        cells["east"].to_numpy() + _SIDE / 2, cells["north"].to_numpy() + _SIDE / 2, direction="INVERSE"
    )
    shapes = territory.locator.shapes
    inside = np.ones(cells.height, dtype=bool)
    if shapes is not None:
        here = shapes[cells["position"].to_numpy()]
        inside = shapely.is_missing(here) | shapely.contains_xy(here, x, y)
    return cells.filter(pl.Series(inside))


def _shared(cells: pl.DataFrame, population: Floats) -> pl.DataFrame:
    """Give every square its whole inhabitants: at least one each, the sum being the population of the commune."""
    cells = cells.with_columns(total=pl.Series(population[cells["position"].to_numpy()].round().astype(np.int64)))
    # A commune never has more squares than inhabitants; the emptiest leave.
    rank = pl.col("weight").rank("ordinal", descending=True).over("position")
    cells = cells.filter(rank <= pl.col("total")).with_columns(rest=pl.col("total") - pl.len().over("position"))
    exact = pl.col("weight") / pl.col("weight").sum().over("position") * pl.col("rest")
    cells = cells.with_columns(base=exact.floor().cast(pl.Int64), part=exact - exact.floor())
    left = pl.col("rest") - pl.col("base").sum().over("position")
    turn = pl.col("part").rank("ordinal", descending=True).over("position")
    return cells.with_columns(ind=1 + pl.col("base") + (turn <= left).cast(pl.Int64))


def _census(territory: Territory, iris: pl.DataFrame) -> Floats:
    """Return the true population of every commune, 0 where nobody lives or the census is unknown."""
    known = iris.group_by(city_of(pl.col("code")).alias("code")).agg(pl.col("population").sum())
    joined = territory.communes.select("code").join(known, on="code", how="left", maintain_order="left")
    return joined["population"].fill_null(0).cast(pl.Float64).to_numpy()


def draw_grid(territory: Territory, iris: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """Return the squares of the communes asked for: ``area, epsg, north, east, code, ind``.

    Every square has its middle in its commune (the commune's own inner point for one too small), belongs to one
    commune, and the squares of a commune add up to its population. Communes without inhabitants have none, nor have
    the departments that INSEE does not grid.
    """
    population = _census(territory, iris)
    table = territory.table.with_columns(area=_area_of(pl.col("departement")))
    parts = []
    for area, epsg in AREAS.items():
        positions = table.filter(area=area)["position"].to_numpy().astype(np.int64)
        positions = positions[population[positions] > 0]
        if not positions.size:
            continue
        wanted = np.maximum(1, population[positions] / _INHABITANTS_PER_CELL)
        where = np.repeat(positions, np.ceil(_DRAWS * wanted).astype(np.int64))
        cells = _squares(territory, where, *territory.locator.draw(rng, where), epsg)
        bare = np.setdiff1d(positions, cells["position"].to_numpy())
        locator = territory.locator
        to_grid = Transformer.from_crs(4326, epsg, always_xy=True)
        east, north = to_grid.transform(locator.longitude[bare], locator.latitude[bare])
        forced = pl.DataFrame({
            "position": bare,
            "north": np.floor(np.asarray(north) / _SIDE).astype(np.int64) * _SIDE,
            "east": np.floor(np.asarray(east) / _SIDE).astype(np.int64) * _SIDE,
            "draws": np.ones(bare.size, dtype=np.uint32),
        }).cast(cells.schema)  # fmt: skip
        both = pl.concat([forced, cells]).unique(["north", "east"], keep="first", maintain_order=True)
        weight = both["draws"].to_numpy() * rng.standard_gamma(2.0, both.height)
        shared = _shared(both.with_columns(weight=pl.Series(weight)), population)
        parts.append(shared.with_columns(area=pl.lit(area), epsg=pl.lit(epsg)))
    empty = pl.DataFrame(schema={"position": pl.Int64, "north": pl.Int64, "east": pl.Int64, "ind": pl.Int64})
    if not parts:
        return empty.with_columns(area=pl.lit(""), epsg=pl.lit(0), code=pl.lit("")).drop("position")
    codes = territory.communes.select("code").with_row_index("position").cast({"position": pl.Int64})
    return (
        pl.concat(parts)
        .join(codes, on="position", maintain_order="left")
        .select("area", "epsg", "north", "east", "code", "ind")
        .sort("epsg", "north", "east")
    )


def squares_of(communes: pl.DataFrame, iris: pl.DataFrame, outlines: pl.DataFrame, code: str) -> pl.DataFrame:
    """Return generated squares of one commune: ``longitude, latitude`` (their middle), ``ind``.

    Parameters
    ----------
    communes, iris, outlines
        Tables of a snapshot, of that commune at least; the squares add up to the population of ``iris``.
    code
        The commune. Nothing comes where it has no inhabitants, or where INSEE does not grid.
    """
    here = communes.filter(pl.col("code") == code).drop("population", strict=False)
    parts = iris.filter(pl.col("code") == code)
    if here.is_empty() or not (parts["population"].sum() or 0) > 0:
        return pl.DataFrame(schema={"longitude": pl.Float64, "latitude": pl.Float64, "ind": pl.Int64})
    territory = build_territory(here, parts, outlines=outlines.filter(pl.col("code") == code))
    cells = draw_grid(territory, parts, stream_of(zlib.crc32(code.encode()), _STREAM))
    if cells.is_empty():
        return pl.DataFrame(schema={"longitude": pl.Float64, "latitude": pl.Float64, "ind": pl.Int64})
    middle = Transformer.from_crs(int(cells["epsg"][0]), 4326, always_xy=True).transform(
        cells["east"].to_numpy() + _SIDE / 2, cells["north"].to_numpy() + _SIDE / 2
    )
    return cells.select(pl.Series("longitude", middle[0]), pl.Series("latitude", middle[1]), "ind")
