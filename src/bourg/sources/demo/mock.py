"""The sample of the brief, ``data/mock_cultural_data.csv``: a small list of places, read like a source."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from bourg.sources.demo.generator import DEFAULT_SEED
from bourg.sources.demo.points import locator_of
from bourg.sources.demo.writing import stream_of, write_csv

MOCK_FILE = "mock_cultural_data.csv"
MOCK_COLUMNS = ("commune", "code postal", "type", "catégorie", "latitude", "longitude")
HERITAGE, PERFORMING, OTHER_LIVING = "patrimoine", "spectacle vivant", "autre vivant"

_CATEGORIES = {
    "Monument": HERITAGE, "Espace protégé": HERITAGE, "Lieu archéologique": HERITAGE, "Parc et jardin": HERITAGE,
    "Service d'archives": HERITAGE, "Théâtre": PERFORMING, "Scène": PERFORMING,
    "Conservatoire": PERFORMING, "Bibliothèque": OTHER_LIVING, "Cinéma": OTHER_LIVING, "Musée": OTHER_LIVING,
    "Librairie": OTHER_LIVING,
}  # fmt: skip
# Parts of a hundred, so that each category of the sample can be seen and filtered.
_SHARES = {
    "Monument": 34, "Bibliothèque": 20, "Cinéma": 9, "Théâtre": 8, "Musée": 8, "Scène": 4, "Conservatoire": 4,
    "Librairie": 4, "Service d'archives": 3, "Espace protégé": 2, "Lieu archéologique": 2, "Parc et jardin": 2,
}  # fmt: skip
_SIZES = (2_000, 20_000)


def mock_sample(
    communes: pl.DataFrame,
    *,
    outlines: pl.DataFrame | None = None,
    rows: int = 1_500,
    towns: int = 300,
    seed: int = DEFAULT_SEED,
) -> pl.DataFrame:
    """Return the sample: places of ``towns`` real towns of 2,000 to 20,000 inhabitants, in the brief's columns.

    Parameters
    ----------
    communes
        Registry communes (``code, name, departement, pmun_2017, postal_codes, longitude, …``).
    outlines
        ``code, wkb``; points then fall inside the communes.
    rows, towns
        Places and towns; every department that has such towns gives at least one when ``towns`` allows it.
    seed
        Seed of the draws.

    Returns
    -------
    polars.DataFrame
        ``commune, code postal, type, catégorie, latitude, longitude``, sorted by commune code and type; the name is
        never a key: two towns of the same name differ by their postal code.
    """
    rng = stream_of(seed, MOCK_FILE)
    low, high = _SIZES
    eligible = communes.filter(
        pl.col("pmun_2017").is_between(low, high) & pl.col("longitude").is_not_null()
        & (pl.col("postal_codes").list.len() > 0)
    ).sort("code")  # fmt: skip
    order = rng.permutation(eligible.height)
    shuffled = eligible[order]
    # One town of each department first, then the others in drawn order.
    turn = pl.int_range(pl.len()).over("departement")
    rank = pl.int_range(pl.len())
    chosen = shuffled.with_columns(turn=pl.min_horizontal(turn, 1), rank=rank).sort("turn", "rank").head(towns)
    chosen = chosen.sort("code")
    locator = locator_of(chosen, outlines)
    position = np.sort(rng.integers(0, chosen.height, rows))
    names = list(_SHARES)
    shares = np.array([_SHARES[name] for name in names], dtype=np.float64)
    kind = rng.choice(len(names), size=rows, p=shares / shares.sum())
    longitude, latitude = locator.draw(rng, position)
    town = chosen[position]
    frame = pl.DataFrame({
        "code": town["code"], "commune": town["name"], "code postal": town["postal_codes"].list.first(),
        "type": pl.Series(names).gather(kind), "latitude": latitude, "longitude": longitude,
    })  # fmt: skip
    frame = frame.with_columns(pl.col("type").replace_strict(_CATEGORIES).alias("catégorie"))
    return frame.sort("code", "type", "latitude", "longitude").select(MOCK_COLUMNS)


def write_mock_sample(target: Path, communes: pl.DataFrame, *, outlines: pl.DataFrame | None = None) -> Path:
    """Write ``mock_cultural_data.csv`` in the folder ``target`` (comma, UTF-8).

    Raises
    ------
    StorageError
        Disk full or folder that cannot be written.
    """
    return write_csv(target / MOCK_FILE, mock_sample(communes, outlines=outlines), separator=",")
