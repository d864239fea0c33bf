"""Basilic: the national export, the renamed PVD extract, counts per commune, and the brief's sample."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from bourg.sources import cells
from bourg.sources.layouts import Table, column, optional
from bourg.sources.reading import ReadContext, Tables
from bourg.sources.report import ReadReport
from bourg.sources.tabular import open_table

# Types of the festival file mixed into the PVD extract: events, never counted with places.
FESTIVAL_TYPES = (
    "Musique",
    "Spectacle vivant",
    "Livre, littérature",
    "Cinéma, audiovisuel",
    "Pluridisciplinaire",
    "Arts visuels, arts numériques",
)
LAYOUTS = {
    "counts": {
        "code": column("code_insee", "code_insee_commune"),
        "n": column("nombre_d_equipements_culturels", pattern=r"nombred?equipements.*|nb(equipements|lieux).*"),
    },
    "extract": {
        "code": column("Code Insee commune"),
        "type": column("Type"),
        "name": column("Nom d'evenement", "Nom d'événement"),
        "postal_code": optional("Code Postal"),
        "latitude": column("Latitude"),
        "longitude": column("Longitude"),
    },
    "national": {
        "code": column("Code_Insee", "code_insee", "Code Insee commune"),
        "type": column("Type_equipement_ou_lieu", "Type équipement ou lieu", "type_equipement_ou_lieu"),
        "name": column("Nom"),
        "detail": optional("Precision_equipement", "Précision équipement"),
        "label": optional("Label_et_appellation", "Label et appellation"),
        "domain": optional("Domaine"),
        "address": optional("Adresse_postale", "Adresse postale", "Adresse"),
        "postal_code": optional("Code_Postal", "Code postal"),
        "point": optional("Coordonnees GPS [lat,lon]", "coordonnees_gps_lat_lon", "Coordonnées GPS", "geo_point_2d"),
        "latitude": optional("Latitude"),
        "longitude": optional("Longitude"),
        "state": optional("Demographie_AP", "Démographie AP"),
        "id_new": optional(
            "Identifiant_deps_a_partir_de_2022", "Identifiant_deps_à_partir__de_2022", "identifiant_deps"
        ),
        "id_old": optional("Identifiant_deps_old", "Identifiant_deps"),
    },
    # The brief's own sample: no INSEE code, to be located by its point.
    "sample": {
        "town": column("commune"),
        "postal_code": column("code postal", "code_postal"),
        "type": column("type"),
        "domain": column("catégorie", "categorie"),
        "latitude": column("latitude"),
        "longitude": column("longitude"),
        "name": optional("nom", "name"),
    },
}
PLACE_COLUMNS = (
    *("place_id", "name", "type", "detail", "label", "domain", "address", "code", "postal_code"),
    *("longitude", "latitude"),
)


def _counts(frame: pl.DataFrame, report: ReadReport) -> Tables:
    frame = cells.mend_codes(frame, report).with_columns(n=cells.integer(pl.col("n")))
    known = frame.filter(pl.col("n").is_not_null())
    report.reject("nombre illisible", frame.height - known.height)
    report.rows_kept += known.height
    return {"culture_counts": known.group_by("code").agg(pl.col("n").sum()).sort("code")}


def _first_code(frame: pl.DataFrame, report: ReadReport) -> pl.DataFrame:
    several = pl.col("code").str.contains(r"[,;/]")
    report.mend(
        "lieu à cheval sur plusieurs communes : première commune gardée", int(frame.select(several.sum()).item())
    )
    return frame.with_columns(code=pl.col("code").str.extract(r"^([^,;/]*)").str.strip_chars())


def _normalise(frame: pl.DataFrame, report: ReadReport) -> pl.DataFrame:
    """Return the columns of ``culture_places`` plus ``row``, codes, points and postal codes mended."""
    for name in ("detail", "label", "domain", "address", "name", "postal_code"):
        if name not in frame.columns:
            frame = frame.with_columns(pl.lit(None, dtype=pl.String).alias(name))
    if "code" in frame.columns:
        frame = cells.mend_codes(_first_code(frame, report), report, drop=False)
    else:
        frame = frame.with_columns(code=pl.lit(None, dtype=pl.String))
        report.note("le fichier n'a pas de code Insee : les lieux sont à situer par leurs coordonnées")
    lost = pl.col("postal_code").str.contains(r"^\d{4}(\.0)?$")
    report.mend("code postal à quatre chiffres : zéro de tête rendu", int(frame.select(lost.sum()).item()))
    frame = frame.with_columns(postal_code=cells.postal_code(pl.col("postal_code")))
    return cells.mend_points(frame, report)


def _with_ids(frame: pl.DataFrame, report: ReadReport) -> pl.DataFrame:
    own = pl.coalesce(*(pl.col(n) for n in ("id_new", "id_old") if n in frame.columns), pl.lit(None, dtype=pl.String))
    frame = frame.with_columns(place_id=pl.coalesce(own, pl.lit("ligne-") + pl.col("row").cast(pl.String)))
    repeat = pl.int_range(pl.len()).over("place_id")
    report.mend("identifiant de lieu répété, complété par un rang", int(frame.select((repeat > 0).sum()).item()))
    suffix = pl.when(repeat > 0).then(pl.lit("-") + (repeat + 1).cast(pl.String)).otherwise(pl.lit(""))
    return frame.with_columns(place_id=pl.col("place_id") + suffix)


def _national(table: Table, frame: pl.DataFrame, report: ReadReport) -> pl.DataFrame:
    closed = pl.col("state").is_not_null() & ~pl.col("state").str.to_lowercase().str.starts_with("actif")
    kept = frame.filter(~closed)
    report.reject("lieu déclaré inactif par le producteur", frame.height - kept.height)
    if "latitude" not in table.columns or "longitude" not in table.columns:
        latitude, longitude = cells.split_point(pl.col("point"))
        broken = pl.col("point").is_not_null() & latitude.is_null()
        report.mend("coordonnées illisibles, vidées", int(kept.select(broken.sum()).item()))
        kept = kept.with_columns(latitude=latitude, longitude=longitude)
    return kept


def read(path: Path, context: ReadContext) -> Tables:
    """Return ``culture_places`` (and ``festivals`` for the PVD extract), or ``culture_counts``.

    Longitude and latitude are degrees (WGS 84); a place without readable INSEE code is kept with a null code.
    """
    report = context.report
    members = ("base-des-lieux*.csv", "*basilic*.csv", "*.csv", "*.parquet", "*.xlsx")
    with open_table(path, LAYOUTS, report, members=members) as table:
        frame = table.read().with_row_index("row", offset=1)
        layout = table.layout
        if layout == "counts":
            return _counts(frame.drop("row"), report)
        if layout == "national":
            frame = _national(table, frame, report)
    if layout == "sample":
        frame = frame.with_columns(address=pl.col("town"))
    untyped = frame.filter(pl.col("type").is_null()).height
    report.reject("lieu sans type", untyped)
    frame = _with_ids(_normalise(frame.filter(pl.col("type").is_not_null()), report), report)
    events = pl.col("type").is_in(FESTIVAL_TYPES) if layout == "extract" else pl.lit(value=False)
    places = frame.filter(~events).select(PLACE_COLUMNS)
    tables: Tables = {"culture_places": places}
    report.rows_kept += frame.height
    if layout == "extract":
        festivals = frame.filter(events)
        report.note(f"{festivals.height} festivals séparés des lieux")
        tables["festivals"] = festivals.select(
            festival_id=pl.lit("pvd-") + pl.col("row").cast(pl.String),
            name="name",
            code="code",
            discipline="type",
            period=pl.lit(None, dtype=pl.String),
            creation_year=pl.lit(None, dtype=pl.Int32),
            longitude="longitude",
            latitude="latitude",
        )
    return tables
