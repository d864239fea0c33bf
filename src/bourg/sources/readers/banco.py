"""BANCO, the open base of shops drawn from OpenStreetMap: one row per shop, types as values of tags.

Telephone, e-mail and social pages are not read: they may be those of a person.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from bourg.commerce.typology import group_of, osm_types, typology
from bourg.sources import cells
from bourg.sources.layouts import column, optional
from bourg.sources.reading import ReadContext, Tables
from bourg.sources.tabular import open_table

LAYOUTS = {
    "banco": {
        "osm_id": column("osm_id"),
        "type": column("type"),
        "longitude": column("X", "lon", "longitude"),
        "latitude": column("Y", "lat", "latitude"),
        "name": column("name"),
        "code": column("com_insee"),
        "brand": optional("brand"),
        "operator": optional("operator"),
        "wikidata": optional("wikidata", "brand_wikidata"),
        "siret": optional("siret"),
        "updated": optional("last_update"),
    }
}
MEMBERS = ("*data.csv", "*.csv")
SCHEMA = {
    "shop_id": pl.String, "code": pl.String, "type": pl.String, "group": pl.String, "other_types": pl.String,
    "name": pl.String, "siret": pl.String, "osm_ref": pl.String, "osm_brand": pl.String, "osm_wikidata": pl.String,
    "osm_operator": pl.String, "longitude": pl.Float64, "latitude": pl.Float64, "updated": pl.Date,
}  # fmt: skip
_KINDS = {"n": "node", "w": "way", "r": "relation"}
# The file writes the value alone; the key that is tried first is the one shops have first.
_KEYS = ("shop", "amenity", "craft", "office", "healthcare")
_MAX_TOLD = 8


def read(path: Path, context: ReadContext) -> Tables:
    """Return ``open_shops``: one row per shop of the typology (columns: :data:`SCHEMA`).

    Several activities (``bakery;cafe``) make one shop, the first known one being its type; ``osm_ref`` is written
    ``node/1``, as in :mod:`bourg.commerce.osm`.

    Raises
    ------
    SourceFormatError
        Missing columns, shifted columns, truncated file.
    ArchiveError
        Damaged archive.
    """
    report = context.report
    with open_table(path, LAYOUTS, report, members=MEMBERS) as table:
        frame = table.read()
    frame = cells.mend_points(cells.mend_codes(frame, report), report)
    frame = frame.with_columns(osm_ref=_reference(pl.col("osm_id")))
    unknown = frame.filter(pl.col("osm_ref").is_null())
    report.reject("identifiant OpenStreetMap illisible", unknown.height, unknown["osm_id"].head(5).to_list())
    frame = frame.filter(pl.col("osm_ref").is_not_null())
    told = {str(text): _types(str(text)) for text in frame["type"].drop_nulls().unique().to_list()}
    kinds = pl.DataFrame(
        [(text, main, "+".join(others) or None) for text, (main, others) in sorted(told.items())],
        schema={"type": pl.String, "main": pl.String, "other_types": pl.String}, orient="row",
    )  # fmt: skip
    frame = frame.join(kinds, on="type", how="left", maintain_order="left")
    strange = frame.filter(pl.col("main").is_null())
    if strange.height:
        most = strange["type"].fill_null("vide").value_counts().sort("count", "type", descending=[True, False])
        texts = ", ".join(f"{kind} ({count})" for kind, count in most.head(_MAX_TOLD).iter_rows())
        report.note(f"{strange.height} lieux hors de la typologie des commerces, laissés de côté : {texts}")
    frame = frame.filter(pl.col("main").is_not_null())
    several = frame.filter(pl.col("other_types").is_not_null()).height
    report.mend("commerce à plusieurs activités, compté dans la première", several)
    digits = pl.col("siret").str.replace_all(r"\s", "")
    wrong = digits.is_not_null() & ~digits.str.contains(r"^\d{14}$")
    report.mend("SIRET qui n'a pas 14 chiffres, vidé", int(frame.select(wrong.sum()).item()))
    frame = frame.with_columns(siret=pl.when(~wrong).then(digits))
    unique = frame.unique("osm_ref", keep="first", maintain_order=True)
    report.reject("commerce répété (même objet d'OpenStreetMap)", frame.height - unique.height)
    report.rows_kept += unique.height
    result = unique.select(
        "code", "name", "siret", "osm_ref", "longitude", "latitude", "other_types",
        shop_id=pl.concat_str(pl.lit("banco:"), pl.col("osm_ref")),
        type="main",
        group=group_of(pl.col("main")),
        osm_brand="brand",
        osm_wikidata=pl.when(pl.col("wikidata").str.contains(r"^Q\d+$")).then("wikidata"),
        osm_operator="operator",
        updated=cells.date(pl.col("updated")),
    )  # fmt: skip
    return {"open_shops": result.select(list(SCHEMA)).cast(SCHEMA).sort("code", "osm_ref")}  # type: ignore[arg-type]


def _reference(text: pl.Expr) -> pl.Expr:
    """Return ``node/1`` from ``node/1``, ``n1``, ``N1`` or a bare number (a node)."""
    folded = text.str.to_lowercase().str.strip_chars()
    parts = folded.str.extract_groups(r"^(n|w|r)?(?:ode|ay|elation)?/?(\d+)$")
    kind = parts.struct.field("1").fill_null("n").replace_strict(_KINDS, default=None, return_dtype=pl.String)
    return kind + "/" + parts.struct.field("2")


def _types(text: str) -> tuple[str | None, tuple[str, ...]]:
    """Return the main type and the others of a list of values, or of ``key=value`` texts."""
    known = typology().by("osm")
    kinds: list[str] = []
    for value in (part.strip().lower() for part in text.split(";")):
        tag = value if "=" in value else next((f"{key}={value}" for key in _KEYS if f"{key}={value}" in known), "")
        key, _, name = tag.partition("=")
        main, _ = osm_types({key: name})
        if main is not None:
            kinds.append(main)
    distinct = tuple(dict.fromkeys(kinds))
    return (distinct[0], distinct[1:]) if distinct else (None, ())
