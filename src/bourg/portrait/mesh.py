"""What a map of values is made of: a territory cut into units, and the value of each unit."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from bourg.errors import ParameterError
from bourg.geography.codes import departement_of
from bourg.indicators.engine import USABLE
from bourg.indicators.registry import Declaration
from bourg.portrait.observatory import Observatory
from bourg.store.spreadsheets import safe_cell

CARTES = {
    "epci": "Intercommunalité, par commune",
    "departement": "Département, par commune",
    "region-epci": "Région, par intercommunalité",
    "region-departement": "Région, par département",
    "france-epci": "France, par intercommunalité",
    "france-departement": "France, par département",
}
UNIT_WORDS = {
    "commune": ("commune", "communes"),
    "epci": ("intercommunalité", "intercommunalités"),
    "departement": ("département", "départements"),
}


@dataclass(frozen=True)
class Mesh:
    """What a map is made of.

    Attributes
    ----------
    level
        Level of the units: ``commune``, ``epci`` or ``departement``.
    title
        French name of the territory.
    units
        Code to name.
    undrawn
        Codes of the units without outline.
    sources
        Addresses of the outlines.
    bounds
        West, south, east, north.
    own
        Code of the unit of the town.
    """

    level: str
    title: str
    units: Mapping[str, str]
    undrawn: frozenset[str]
    sources: tuple[str, ...]
    bounds: tuple[float, float, float, float]
    own: str | None


@dataclass(frozen=True)
class Cell:
    """Value of one unit; without row in the table of values it is ``missing``."""

    value: float | None = None
    status: str = "missing"
    period: str = ""

    @property
    def known(self) -> float | None:
        """The value when it may be shown."""
        return self.value if self.status in USABLE else None


def available(observatory: Observatory, code: str) -> list[str]:
    """Return the maps of :data:`CARTES` that make sense for a town, in order."""
    row = observatory.commune(code)
    several = observatory.departements.filter(pl.col("region") == row["region"]).height > 1
    left_out = set() if row["epci"] else {"epci"}
    return [name for name in CARTES if name not in left_out | (set() if several else {"region-departement"})]


def mesh_of(observatory: Observatory, code: str, carte: str) -> Mesh:
    """Return the units of a map of :data:`CARTES` around a town.

    Raises
    ------
    UnknownTerritoryError
        When the code names no commune.
    ParameterError
        When this map does not exist for the town, or nothing of it has an outline.
    """
    if carte not in available(observatory, code):
        raise ParameterError(
            f"La carte « {carte[:40]} » n'existe pas pour cette commune.",
            where="?carte=",
            next_step=f"choisissez parmi : {', '.join(available(observatory, code))}.",
        )
    row = observatory.commune(code)
    scope, _, unit = carte.partition("-")
    level = unit or "commune"
    communes = observatory.communes
    title = row[f"{scope}_name"] if scope != "france" else "France"
    inside = communes if scope == "france" else communes.filter(pl.col(scope) == row[scope])
    if level == "epci":
        # An intercommunality that crosses the limit of the region is drawn whole.
        inside = communes.filter(pl.col("epci").is_in(inside["epci"].drop_nulls().unique().to_list()))
    column = "code" if level == "commune" else level
    name = "name" if level == "commune" else f"{level}_name"
    units = inside.group_by(column).agg(pl.first(name), drawn=pl.col("xmin").is_not_null().any()).sort(name, column)
    # Overseas departments are reached from the list: framing them with the mainland would show the oceans.
    framed = inside.filter(~pl.col("code").str.starts_with("97")) if scope == "france" else inside
    sides = framed.select(pl.min("xmin", "ymin"), pl.max("xmax", "ymax")).row(0)
    if sides[0] is None:
        raise ParameterError(f"Aucun contour ne permet de dessiner : {title}.", where="?carte=")
    base = f"/bourg/contours/{observatory.snapshot.id}"
    files = {
        "commune": [f"communes-{departement}" for departement in sorted(set(map(departement_of, inside["code"])))],
        "epci": [f"epci-{row['region'] if scope == 'region' else 'FR'}"],
        "departement": ["departements"],
    }[level]
    drawn = dict(units.select(column, "drawn").iter_rows())
    return Mesh(
        level=level,
        title=title,
        units=dict(units.select(column, name).iter_rows()),
        undrawn=frozenset(unit for unit, has in drawn.items() if not has),
        sources=tuple(f"{base}/{file}.json" for file in files),
        bounds=sides,
        own=row[column],
    )


def read_cells(observatory: Observatory, indicator: str, level: str, codes: Sequence[str]) -> dict[str, Cell]:
    """Return the value of one indicator for every unit: one filtered scan of the table of values."""
    table = pl.scan_parquet(observatory.snapshot.path("values.parquet"))
    wanted = (pl.col("indicator") == indicator) & (pl.col("level") == level)
    if codes:
        # The bounds let the scan skip the parts of the file that hold other communes.
        wanted &= pl.col("code").is_between(pl.lit(min(codes)), pl.lit(max(codes)))
    wanted &= pl.col("code").is_in(list(codes))
    rows = table.filter(wanted).select("code", "value", "status", "period").collect()
    found = {code: Cell(value, status, period or "") for code, value, status, period in rows.iter_rows()}
    return {code: found.get(code, Cell()) for code in codes}


def values_csv(declared: Declaration, rows: Sequence[tuple[str, str, Cell]]) -> bytes:
    """Return the table for a spreadsheet: UTF-8 with its mark, ``;``, an empty cell where there is no value."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=";", lineterminator="\r\n")
    writer.writerow(["code", "nom", "indicateur", "libelle", "valeur", "unite", "statut", "periode", "demonstration"])
    fixed = (declared.id, declared.label)
    writer.writerows(
        [
            safe_cell(code), safe_cell(name), *fixed, "" if cell.known is None else repr(cell.known), declared.unit,
            cell.status, cell.period, "oui" if cell.status == "demo" else "non",
        ]
        for name, code, cell in rows
    )  # fmt: skip
    return b"\xef\xbb\xbf" + buffer.getvalue().encode()
