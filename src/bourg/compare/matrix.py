"""The values of every commune as one array, the form in which sets are compared."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bourg.errors import SnapshotError, UnknownIndicatorError, UnknownTerritoryError
from bourg.indicators.engine import STATUSES, USABLE

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
NO_LOT = 255
_ABSENT = len(STATUSES)


@dataclass(frozen=True)
class CommuneMatrix:
    """Values of the reference communes, one row per indicator and one column per commune.

    Attributes
    ----------
    codes
        Commune codes, sorted.
    indicators
        Indicator ids, sorted.
    values
        Shape ``(indicators, communes)``, NaN where nothing is usable.
    lots
        Same shape: index in ``lot_keys`` of the period and of the demo mark of each value, 255 where nothing is
        usable. Only values of the same lot are ever compared.
    statuses
        Same shape: index in :data:`bourg.indicators.engine.STATUSES`; the index after the last one when the table
        has no row.
    lot_keys
        For each indicator, ``(period, demo)`` of its lots.
    """

    codes: tuple[str, ...]
    indicators: tuple[str, ...]
    values: Floats
    lots: NDArray[np.uint8]
    statuses: NDArray[np.uint8]
    lot_keys: tuple[tuple[tuple[str, bool], ...], ...]

    def only(self, rows: Ints) -> CommuneMatrix:
        """Return the matrix of some indicators, given by their rows in increasing order."""
        numbers = rows.tolist()
        return CommuneMatrix(
            self.codes, tuple(self.indicators[row] for row in numbers), self.values[rows], self.lots[rows],
            self.statuses[rows], tuple(self.lot_keys[row] for row in numbers),
        )  # fmt: skip

    @cached_property
    def positions(self) -> dict[str, int]:
        """Column of each code."""
        return {code: index for index, code in enumerate(self.codes)}

    @cached_property
    def rows(self) -> dict[str, int]:
        """Row of each indicator."""
        return {name: index for index, name in enumerate(self.indicators)}

    @cached_property
    def several_lots(self) -> Ints:
        """Rows of the indicators that have values of more than one lot."""
        return np.flatnonzero([len(keys) > 1 for keys in self.lot_keys])

    @cached_property
    def lot_rows(self) -> tuple[Ints, NDArray[np.uint8]]:
        """Row and lot of every lot of every indicator: what is comparable, line by line."""
        pairs = [(row, lot) for row, keys in enumerate(self.lot_keys) for lot in range(len(keys))]
        rows, lots = zip(*pairs, strict=True) if pairs else ((), ())
        return np.array(rows, dtype=np.int64), np.array(lots, dtype=np.uint8)

    @cached_property
    def first_line(self) -> Ints:
        """For each indicator, the line of its first lot in :attr:`lot_rows`."""
        sizes = [len(keys) for keys in self.lot_keys]
        return np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64) if sizes else np.empty(0, dtype=np.int64)

    def sorted_among(self, members: Ints) -> tuple[Floats, Ints]:
        """Return the values of some communes in increasing order, one line per lot (:attr:`lot_rows`), and counts.

        Returns
        -------
        values, counts
            Shapes ``(lots, members)``, NaN last, and ``(lots,)``.
        """
        rows, lots = self.lot_rows
        values = self.values[rows[:, None], members]
        mixed = np.flatnonzero(np.isin(rows, self.several_lots))
        if mixed.size:
            strangers = self.lots[rows[mixed][:, None], members] != lots[mixed][:, None]
            values[mixed] = np.where(strangers, np.nan, values[mixed])
        values.sort(axis=1)
        return values, np.count_nonzero(~np.isnan(values), axis=1).astype(np.int64)

    def position(self, code: str) -> int:
        """Return the column of a commune.

        Raises
        ------
        UnknownTerritoryError
            When the code is not in the reference geography; the message names it.
        """
        if code not in self.positions:
            raise UnknownTerritoryError(
                f"La commune « {str(code)[:20]} » n'existe pas dans la géographie de référence.",
                next_step="vérifiez le code, ou cherchez par le nom : bourg communes NOM.",
            )
        return self.positions[code]

    def row(self, indicator: str) -> int:
        """Return the row of an indicator.

        Raises
        ------
        UnknownIndicatorError
            When the matrix has no such indicator.
        """
        if indicator not in self.rows:
            raise UnknownIndicatorError(
                f"L'indicateur « {str(indicator)[:60]} » n'a pas de valeur pour les communes.",
                next_step="la liste est donnée par : bourg indicators.",
            )
        return self.rows[indicator]

    def status(self, row: int, column: int) -> str:
        """Return the status of a value; a row that the table does not have is ``missing``."""
        index = int(self.statuses[row, column])
        return "missing" if index == _ABSENT else STATUSES[index]

    def period_demo(self, row: int, column: int) -> tuple[str, bool]:
        """Return the period and the demo mark of a usable value, ``("", False)`` when there is none."""
        lot = int(self.lots[row, column])
        return ("", False) if lot == NO_LOT else self.lot_keys[row][lot]


def commune_matrix(
    values: pl.DataFrame | pl.LazyFrame, codes: Iterable[str], indicators: Sequence[str] | None = None
) -> CommuneMatrix:
    """Return the matrix of a long table of values.

    Parameters
    ----------
    values
        ``indicator, level, code, period, value, status`` at least; other levels than the commune are left out.
    codes
        The reference communes; rows of other codes are left out.
    indicators
        Indicators to keep; all by default.

    Raises
    ------
    SnapshotError
        When two rows give the same indicator of the same commune, or a status is unknown.
    """
    ordered = sorted(codes)
    rows = values.lazy().filter(pl.col("level") == "commune")
    if indicators is not None:
        rows = rows.filter(pl.col("indicator").is_in(list(indicators)))
    names = (
        sorted(rows.select("indicator").unique().collect()["indicator"]) if indicators is None else sorted(indicators)
    )
    usable = pl.col("status").is_in(USABLE) & pl.col("value").is_finite().fill_null(value=False)
    # Codes become numbers while the file is read: the texts of a whole country never stand in memory together.
    known = (
        rows.select(
            row=pl.col("indicator").cast(pl.Enum(names)).to_physical().cast(pl.Int64),
            column=pl.col("code").cast(pl.Enum(ordered), strict=False).to_physical().cast(pl.Int64),
            period=pl.col("period").fill_null("").cast(pl.Categorical),
            status=pl.col("status").cast(pl.Categorical),
            demo=pl.col("status") == "demo",
            value=pl.when(usable).then("value"),
        )
        .filter(pl.col("column").is_not_null())
        .collect(engine="streaming")
    )
    if unknown := sorted(set(known["status"].unique().cast(pl.String)) - set(STATUSES)):
        raise SnapshotError(f"La table des valeurs a un statut inconnu : {', '.join(map(str, unknown))}.")
    keys = (
        known.filter(pl.col("value").is_not_null())
        .select("row", "period", "demo")
        .unique()
        .with_columns(text=pl.col("period").cast(pl.String))
        .sort("row", "text", "demo")
        .with_columns(lot=pl.int_range(pl.len()).over("row").cast(pl.UInt8))
    )
    known = known.join(keys.drop("text"), on=["row", "period", "demo"], how="left", maintain_order="left")
    shape = (len(names), len(ordered))
    flat = known["row"].to_numpy() * max(shape[1], 1) + known["column"].to_numpy()
    statuses = np.full(shape, _ABSENT, dtype=np.uint8)
    statuses.ravel()[flat] = known["status"].cast(pl.Enum(STATUSES)).to_physical().cast(pl.UInt8).to_numpy()
    if np.count_nonzero(statuses != _ABSENT) != known.height:
        raise SnapshotError(
            "La table des valeurs donne deux fois le même indicateur d'une commune.",
            next_step="relancez la construction : bourg build.",
        )
    array = np.full(shape, np.nan)
    array.ravel()[flat] = known["value"].fill_null(float("nan")).to_numpy()
    lots = np.full(shape, NO_LOT, dtype=np.uint8)
    lots.ravel()[flat] = known["lot"].fill_null(NO_LOT).to_numpy()
    lots[np.isnan(array)] = NO_LOT
    by_row = dict(keys.group_by("row", maintain_order=True).agg(pl.struct("text", "demo")).iter_rows())
    lot_keys = tuple(
        tuple((item["text"], item["demo"]) for item in by_row.get(index, ())) for index in range(len(names))
    )
    return CommuneMatrix(tuple(ordered), tuple(names), array, lots, statuses, lot_keys)
