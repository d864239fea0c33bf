"""Give a commune to places that only carry coordinates: point in polygon, never a join on names."""

from __future__ import annotations

import re

import numpy as np
import polars as pl
import shapely

from bourg.geography.codes import departement_of
from bourg.geography.names import normalise_name

_CEDEX = re.compile(r"\bc[eé]dex\b.*$", re.IGNORECASE)


class Locator:
    """Commune of a point, from the outlines of the reference geography.

    Parameters
    ----------
    outlines
        ``code, wkb`` (EPSG:4326).
    """

    def __init__(self, outlines: pl.DataFrame) -> None:
        self._codes = outlines["code"].to_numpy()
        self._tree = shapely.STRtree(shapely.from_wkb(outlines["wkb"].to_list()))

    def locate(self, longitudes: pl.Series, latitudes: pl.Series) -> pl.Series:
        """Return the commune code of each point; null without coordinates or outside every outline.

        Outlines are simplified, so a point may lie in two of them: the first code in order is kept.
        """
        x = longitudes.cast(pl.Float64).fill_null(float("nan")).to_numpy()
        y = latitudes.cast(pl.Float64).fill_null(float("nan")).to_numpy()
        known = np.flatnonzero(~(np.isnan(x) | np.isnan(y)))
        points, polygons = self._tree.query(shapely.points(x[known], y[known]), predicate="intersects")
        found = np.full(len(x), None, dtype=object)
        # Assign in decreasing order, so that the smallest code is written last.
        order = np.argsort(self._codes[polygons])[::-1]
        found[known[points[order]]] = self._codes[polygons[order]]
        return pl.Series("code", found.tolist(), dtype=pl.String)

    def fill(self, frame: pl.DataFrame) -> tuple[pl.DataFrame, int, int]:
        """Fill the null ``code`` of a table with ``longitude, latitude``.

        Returns
        -------
        tuple
            The table, the rows located here, and the rows still without a commune.
        """
        lacking = frame["code"].is_null()
        if not lacking.any():
            return frame, 0, 0
        subset = frame.filter(lacking)
        located = self.locate(subset["longitude"], subset["latitude"])
        codes = frame["code"].to_list()
        for index, code in zip(np.flatnonzero(lacking.to_numpy()), located, strict=True):
            codes[index] = code
        filled = frame.with_columns(pl.Series("code", codes, dtype=pl.String))
        return filled, int(located.is_not_null().sum()), located.null_count()


class PostalLocator:
    """Commune of a place from its postal code and town, for places without coordinates.

    A postal code serves a few communes: the town's name only chooses among them, and only when one fits. Codes that
    serve no commune (CEDEX) still tell the department: the name then chooses among its communes.

    Parameters
    ----------
    communes
        ``code, name, plain_name, postal_codes``.
    """

    def __init__(self, communes: pl.DataFrame) -> None:
        found: dict[tuple[str, str], set[str]] = {}
        self._served: set[str] = set()
        columns = communes.select("code", "name", "plain_name", "postal_codes")
        for code, name, plain_name, postal_codes in columns.iter_rows():
            self._served.update(postal_codes)
            for key in {normalise_name(name), normalise_name(plain_name)}:
                for area in (*postal_codes, _postal_departement(code)):
                    found.setdefault((area, key), set()).add(code)
        self._codes = {key: codes.pop() for key, codes in found.items() if len(codes) == 1}

    def locate(self, postal_code: str | None, city: str | None) -> str | None:
        """Return the code of the commune, ``None`` when the two texts do not name one and only one."""
        postal = postal_code or ""
        area = postal if postal in self._served else _postal_departement(postal)
        return self._codes.get((area, normalise_name(_CEDEX.sub("", city or ""))))

    def fill(self, frame: pl.DataFrame) -> tuple[pl.DataFrame, int]:
        """Fill the null ``code`` of a table with ``postal_code, city``; return it and the rows filled."""
        rows = frame.select("code", "postal_code", "city").iter_rows()
        codes = [code or self.locate(postal, city) for code, postal, city in rows]
        filled = frame.with_columns(pl.Series("code", codes, dtype=pl.String))
        return filled, frame["code"].null_count() - filled["code"].null_count()


def _postal_departement(code: str) -> str:
    """Return the department as postal codes write it: both parts of Corsica are 20."""
    return departement_of(code).replace("2A", "20").replace("2B", "20")
