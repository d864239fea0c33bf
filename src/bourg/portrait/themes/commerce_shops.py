"""The shops of a town one by one: class, evidence of the class, place; and their file for a spreadsheet."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass

import polars as pl

from bourg.commerce.centre import INSIDE, OUTSIDE, PLACES
from bourg.commerce.chains import CLASSES, EVIDENCE, INDEPENDENT, NETWORK, UNDETERMINED
from bourg.commerce.typology import typology
from bourg.portrait.exports import BOM, machine_number
from bourg.store.snapshot import Snapshot
from bourg.store.spreadsheets import safe_cell

COLUMNS = (
    "siret", "nom", "type", "groupe", "naf", "classe", "preuve", "enseigne", "ouvert_le", "dans_le_centre",
    "longitude", "latitude", "code_insee", "demonstration",
)  # fmt: skip
# Columns of the table of the page, with their French headings.
SHOWN = {
    "name": "Nom", "type_label": "Type", "class_label": "Classe", "evidence_label": "Preuve de la classe",
    "brand": "Enseigne", "place_label": "Place", "siret": "SIRET",
}  # fmt: skip
# What this section reads of the table ``shops``: the shape of an empty answer.
SCHEMA: dict[str, pl.DataType] = {
    **dict.fromkeys(("siret", "code", "type", "group", "naf"), pl.String()), "open": pl.Boolean(),
    "created": pl.Date(), "closed": pl.Date(), **dict.fromkeys(("name", "chain", "evidence", "brand"), pl.String()),
    "replaced": pl.Boolean(), "longitude": pl.Float64(), "latitude": pl.Float64(), "observed": pl.Date(),
}  # fmt: skip
LOCATED = "position connue"


@dataclass(frozen=True)
class ClassRow:
    """Shops of one group (or of the whole town) by class: network brands, independents, undetermined."""

    group: str
    label: str
    network: int
    independent: int
    undetermined: int

    @property
    def n(self) -> int:
        """Return all the shops of the row."""
        return self.network + self.independent + self.undetermined

    @property
    def low(self) -> float | None:
        """Return the least share of network brands (percent): every undetermined shop would be independent."""
        return 100 * self.network / self.n if self.n else None

    @property
    def high(self) -> float | None:
        """Return the greatest share of network brands (percent): no undetermined shop would be independent."""
        return 100 * (self.network + self.undetermined) / self.n if self.n else None


def read_shops(snapshot: Snapshot, code: str) -> pl.DataFrame:
    """Return the shops of a town, open and closed, as the snapshot keeps them; no row when it has no such table."""
    if not snapshot.has_table("shops"):
        return pl.DataFrame(schema=SCHEMA)
    return snapshot.table("shops").filter(pl.col("code") == code).select(*SCHEMA).collect()


def labelled(shops: pl.DataFrame, *, centre: bool) -> pl.DataFrame:
    """Return open shops with their French labels, by type and name.

    Parameters
    ----------
    shops
        The open shops of a town with ``place`` (:class:`bourg.commerce.centre.Centre`).
    centre
        Whether the town has a centre: without one, no shop is told outside it.

    Returns
    -------
    DataFrame
        The columns given and ``type_label, group_label, class_label, evidence_label, place_label``.
    """
    groups, types = typology().groups, typology().types
    order = {kind: rank for rank, kind in enumerate(types)}
    places = PLACES if centre else {**PLACES, OUTSIDE: LOCATED}
    text = pl.String()
    return shops.with_columns(
        type_label=pl.col("type").replace_strict(
            {key: item.label for key, item in types.items()}, default=None, return_dtype=text
        ),
        group_label=pl.col("group").replace_strict(dict(groups), default=None, return_dtype=text),
        class_label=pl.col("chain").replace_strict(CLASSES, default=None, return_dtype=text),
        evidence_label=pl.col("evidence").replace_strict(EVIDENCE, default=None, return_dtype=text),
        place_label=pl.col("place").replace_strict(dict(places), default=None, return_dtype=text),
    ).sort(
        pl.col("type").replace_strict(order, default=len(order), return_dtype=pl.Int64),
        pl.col("name").str.to_lowercase(),
        "siret",
        "created",
        nulls_last=True,
    )


def class_rows(opened: pl.DataFrame) -> tuple[ClassRow, tuple[ClassRow, ...]]:
    """Return the classes of all the shops, and those of each group that has one, in the order of the typology."""
    counts = {(group, chain): n for group, chain, n in opened.group_by("group", "chain").len().iter_rows()}

    def row(group: str, label: str, keys: list[str]) -> ClassRow:
        of = [sum(counts.get((key, chain), 0) for key in keys) for chain in (NETWORK, INDEPENDENT, UNDETERMINED)]
        return ClassRow(group, label, *of)

    groups = typology().groups
    whole = row("", "Tous les commerces", list(groups))
    return whole, tuple(made for key, label in groups.items() if (made := row(key, label, [key])).n)


def evidence_rows(opened: pl.DataFrame) -> tuple[tuple[str, str, int], ...]:
    """Return ``(class label, evidence label, shops)`` in the order of the evidence; evidence without shop left out."""
    counts = {(chain, proof): n for chain, proof, n in opened.group_by("chain", "evidence").len().iter_rows()}
    rows = ((chain, proof) for chain in CLASSES for proof in EVIDENCE if (chain, proof) in counts)
    return tuple((CLASSES[chain], EVIDENCE[proof], counts[chain, proof]) for chain, proof in rows)


def _inside(place: str, *, centre: bool) -> str:
    """Return « oui » or « non »; nothing for a shop that is neither, or without a centre."""
    return {INSIDE: "oui", OUTSIDE: "non"}.get(place, "") if centre else ""


def shops_csv(opened: pl.DataFrame, *, centre: bool, demo: bool) -> str:
    """Return open shops (:func:`labelled`) as CSV, columns :data:`COLUMNS`: UTF-8 with a mark, semicolons.

    Dates are ISO, numbers have a decimal point; no cell is ever run as a formula.
    """
    stream = io.StringIO()
    stream.write(BOM)
    writer = csv.writer(stream, delimiter=";", lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for row in opened.iter_rows(named=True):
        writer.writerow([
            row["siret"] or "", safe_cell(row["name"] or ""), row["type_label"], row["group_label"], row["naf"] or "",
            row["class_label"], row["evidence_label"], safe_cell(row["brand"] or ""),
            row["created"].isoformat() if row["created"] else "",
            _inside(row["place"], centre=centre),
            machine_number(row["longitude"]), machine_number(row["latitude"]), row["code"], "oui" if demo else "non",
        ])  # fmt: skip
    return stream.getvalue()
