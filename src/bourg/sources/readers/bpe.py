"""Base permanente des équipements: counts by IRIS (2018-2022), one row per facility (2023 on), Melodi, extracts."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import polars as pl

from bourg.errors import SourceFormatError
from bourg.geography.codes import normalise_codes
from bourg.sources import cells
from bourg.sources.layouts import Table, column, optional
from bourg.sources.melodi import MELODI, melodi_communes
from bourg.sources.reading import ReadContext, Tables
from bourg.sources.report import MAX_EXAMPLES, ReadReport
from bourg.sources.tabular import open_table

TYPE_PATTERN = r"^[A-G]\d{3}$"
_CODE = column("DEPCOM", "CODGEO", "Code commune")
_TYPE = column("TYPEQU", "TYPE_EQUIPEMENT")
_YEAR = optional("AN", "ANNEE")
_IRIS = optional("DCIRIS", "IRIS")
_QUALITY = optional("QUALITE_XY", "QUALI_XY")
LAYOUTS = {
    "melodi": {
        **MELODI,
        "typequ": column("FACILITY_TYPE"),
        "measure": optional("BPE_MEASURE"),
        "sdom": optional("FACILITY_SDOM"),
    },
    "ensemble": {
        "code": _CODE,
        "typequ": _TYPE,
        "n": column("NB_EQUIP", "NB_EQUIPEMENT"),
        "iris": _IRIS,
        "an": _YEAR,
    },
    "located": {
        "code": _CODE,
        "typequ": _TYPE,
        "longitude": column("LONGITUDE"),
        "latitude": column("LATITUDE"),
        "iris": _IRIS,
        "an": _YEAR,
        "quality": _QUALITY,
    },
    # Until 2022 the located file only has projected coordinates; its rows are still counted.
    "lambert": {"code": _CODE, "typequ": _TYPE, "x": column("LAMBERT_X"), "iris": _IRIS, "an": _YEAR},
    "points_only": {
        "typequ": _TYPE,
        "longitude": column("LONGITUDE"),
        "latitude": column("LATITUDE"),
        "an": _YEAR,
        "quality": _QUALITY,
    },
}
_KEYS = ("code", "iris", "an", "typequ")


def _default_year(table: Table, context: ReadContext) -> int | None:
    found = re.search(r"\d{4}", context.resource.vintage)
    if found is None and "an" not in table.columns:
        raise SourceFormatError(
            "L'année des équipements est inconnue.",
            where=table.path.name,
            next_step="indiquez le millésime dans le catalogue des sources.",
        )
    return int(found.group()) if found else None


def _with_year(frame: pl.DataFrame, default: int | None) -> pl.DataFrame:
    """Read ``an`` once per distinct text rather than once per row."""
    years = frame.select(pl.col("an").unique()).with_columns(
        year=cells.integer(pl.col("an")).fill_null(default).cast(pl.Int32)
    )
    if years.height == 1:
        return frame.with_columns(pl.lit(years["year"][0], dtype=pl.Int32).alias("year"))
    return frame.join(years, on="an", how="left", nulls_equal=True, maintain_order="left")


def _reject_types(groups: pl.DataFrame, report: ReadReport) -> pl.DataFrame:
    """Leave out the groups whose type is not one of the BPE; ``rows`` counts the lines of the file."""
    known = pl.col("typequ").str.contains(TYPE_PATTERN).fill_null(value=False)
    strangers = groups.filter(~known)
    if strangers.height:
        examples = strangers["typequ"].unique().drop_nulls().sort().head(MAX_EXAMPLES).to_list()
        report.reject("ligne qui n'est pas un équipement de la BPE", int(strangers["rows"].sum()), examples)
    return groups.filter(known)


def _mend(groups: pl.DataFrame, report: ReadReport) -> pl.DataFrame:
    """Mend the codes once per distinct code rather than once per row, and count in lines of the file."""
    codes = groups.group_by("code").agg(pl.col("rows").sum())
    codes = codes.with_columns(mended=normalise_codes(pl.col("code")))
    report.mend(
        "code commune à quatre caractères : zéro de tête rendu",
        int(codes.filter(pl.col("code").str.contains(r"^\d{4}(\.0+)?$"))["rows"].sum()),
    )
    wrong = codes.filter(pl.col("mended").is_null())
    report.reject(
        "code commune illisible ou vide",
        int(wrong["rows"].sum()),
        wrong["code"].drop_nulls().sort().head(MAX_EXAMPLES).to_list(),
    )
    groups = groups.with_columns(raw_code="code")
    if codes.filter(pl.col("mended").eq_missing(pl.col("code"))).height == codes.height and not wrong.height:
        return groups
    joined = groups.join(codes.select("code", "mended"), on="code", how="inner", nulls_equal=True)
    return joined.filter(pl.col("mended").is_not_null()).with_columns(code="mended").drop("mended")


def _iris() -> pl.Expr:
    """Return nine-character IRIS codes; a commune not divided is its own IRIS (0000), an unknown IRIS is null."""
    bare = pl.col("iris").str.replace("_", "", literal=True)
    return (
        pl.when((bare == pl.col("raw_code")) | (bare == pl.col("code")))
        .then(pl.col("code") + pl.lit("0000"))
        .when(bare.str.contains(r"^\d[0-9AB]\d{7}$"))
        .then(bare)
        .alias("iris")
    )


def _grouped(table: Table, amount: pl.Expr) -> pl.DataFrame:
    """Return rows, facilities (``n``) and unreadable counts (``bad``) by code, IRIS, year and type."""
    valid = amount.is_not_null() & (amount >= 0)
    lazy = table.pick_raw().group_by(_KEYS)
    groups = table.collect(
        lazy.agg(
            pl.len().cast(pl.Int64).alias("rows"),
            pl.when(valid).then(amount).sum().alias("n"),
            (~valid).sum().cast(pl.Int64).alias("bad"),
        )
    )
    return table.tidy(groups, _KEYS)


def _counted(lazy: pl.LazyFrame, table: Table) -> pl.DataFrame:
    groups = table.tidy(table.collect(lazy.group_by(_KEYS).agg(pl.len().cast(pl.Int64).alias("rows"))), _KEYS)
    return groups.with_columns(n="rows", bad=pl.lit(0, dtype=pl.Int64))


def _counts(groups: pl.DataFrame, table: Table, context: ReadContext) -> pl.DataFrame:
    """Return ``equipment`` from groups of raw text, everything rejected or mended being counted."""
    report = context.report
    report.rows_read += int(groups["rows"].sum())
    groups = _mend(_reject_types(groups, report), report)
    report.reject("nombre d'équipements illisible", int(groups["bad"].sum()))
    keys = ["code", "iris", "year", "typequ"]
    counts = (
        _with_year(groups, _default_year(table, context))
        .lazy()
        .select("code", _iris(), "year", "typequ", pl.col("n").cast(pl.Int64), rows=pl.col("rows") - pl.col("bad"))
        .filter(pl.col("rows") > 0)
        .sort(keys)
        .collect(engine="streaming")
    )
    report.rows_kept += int(counts["rows"].sum())
    counts = counts.drop("rows")
    # Groups only meet again when codes were mended or IRIS are unknown: a second grouping is rarely needed.
    repeated = pl.all_horizontal(pl.col(key).eq_missing(pl.col(key).shift(1)) for key in keys)
    if counts.height > 1 and counts.select(repeated.slice(1).any()).item():
        counts = counts.group_by(keys).agg(pl.col("n").sum()).sort(keys)
    return counts


def _ensemble(table: Table, context: ReadContext) -> pl.DataFrame:
    groups = _grouped(table, pl.col("n").cast(pl.Int64, strict=False))
    if groups["bad"].sum() > 0:
        # Rare spaces or decimals inside numbers: read again with the tolerant, ten times slower, expression.
        groups = _grouped(table, cells.integer(pl.col("n")))
    return _counts(groups, table, context)


def _placed(table: Table, parse: Callable[[pl.Expr], pl.Expr]) -> tuple[pl.DataFrame, int]:
    """Return one row per line with its coordinates, and how many coordinates ``parse`` could not read."""
    picked = table.pick_raw()
    absent = [name for name in ("code", "iris") if name not in table.fields]
    picked = picked.with_columns(pl.lit(None, dtype=pl.String).alias(name) for name in absent)
    # « _Z » and « _U » are how INSEE writes "not applicable" and "unknown" in text columns.
    given = pl.sum_horizontal(
        (pl.col(name).is_not_null() & ~pl.col(name).str.starts_with("_")).cast(pl.Int8)
        for name in ("longitude", "latitude")
    )
    frame = table.collect(
        picked.select(*_KEYS, parse(pl.col("longitude")), parse(pl.col("latitude")), "quality", given=given)
    )
    frame = table.tidy(frame, [*_KEYS, "quality"])
    read = frame.select(pl.col("longitude").count() + pl.col("latitude").count()).item()
    return frame, int(frame["given"].cast(pl.Int64).sum()) - int(read)


def _located(table: Table, context: ReadContext) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the lines as the file has them (keys only), and one clean row per facility."""
    frame, unread = _placed(table, lambda column: column.cast(pl.Float64, strict=False))
    if unread:
        frame, _ = _placed(table, cells.number)
    keys = frame.select(_KEYS)
    frame = frame.drop("iris").filter(pl.col("typequ").str.contains(TYPE_PATTERN).fill_null(value=False))
    codes = frame.select(pl.col("code").unique()).with_columns(mended=normalise_codes(pl.col("code")))
    if codes.filter(pl.col("mended").eq_missing(pl.col("code"))).height < codes.height:
        frame = frame.join(codes, on="code", how="left", nulls_equal=True, maintain_order="left")
        frame = frame.with_columns(code="mended").drop("mended")
    if "code" in table.columns:
        frame = frame.filter(pl.col("code").is_not_null())
    frame = cells.check_points(_with_year(frame, _default_year(table, context)), context.report, pl.col("given") > 0)
    return keys, frame.select("code", "year", "typequ", "longitude", "latitude", "quality")


def _melodi(table: Table, context: ReadContext) -> pl.DataFrame:
    report = context.report
    # Totals by domain and sub-domain (_T) and other measures would count each facility several times.
    lazy = table.pick().filter(pl.col("level").str.to_uppercase() == "COM")
    facilities = pl.col("measure").is_null() | (pl.col("measure").str.to_uppercase() == "FACILITIES")
    lazy = lazy.filter(facilities & pl.col("typequ").str.contains(TYPE_PATTERN))
    frame = table.collect(lazy)
    report.rows_read += table.rows or frame.height
    report.note("totaux, autres niveaux et autres mesures laissés de côté")
    frame = melodi_communes(frame, report)
    counted = frame.filter(pl.col("status") == "ok")
    report.reject("nombre d'équipements secret ou absent", frame.height - counted.height)
    report.rows_kept += counted.height
    return counted.select(
        "code",
        pl.lit(None, dtype=pl.String).alias("iris"),
        "year",
        "typequ",
        pl.col("number").round().cast(pl.Int64).alias("n"),
    ).sort("code", "year", "typequ")


def read(path: Path, context: ReadContext) -> Tables:
    """Return ``equipment`` (code × IRIS × type × year counts) and, for located files, ``equipment_points``.

    A file without commune code (reduced extracts) gives points only, with a null code.

    Raises
    ------
    SourceFormatError
        Unknown layout or truncated file.
    """
    report = context.report
    members = ("bpe*.csv", "ds_bpe*_data.csv", "*ensemble*.csv", "*.csv", "*.parquet")
    tables: Tables = {}
    with open_table(path, LAYOUTS, report, members=members) as table:
        if table.layout == "melodi":
            tables["equipment"] = _melodi(table, context)
        elif table.layout == "ensemble":
            tables["equipment"] = _ensemble(table, context)
        elif table.layout == "lambert":
            tables["equipment"] = _counts(_counted(table.pick_raw(), table), table, context)
            report.note("coordonnées projetées (Lambert) : les équipements sont comptés mais pas placés")
        else:
            keys, points = _located(table, context)
            groups = _counted(keys.lazy(), table)
            if table.layout == "located":
                tables["equipment"] = _counts(groups, table, context)
            else:
                report.rows_read += keys.height
                _reject_types(groups, report)
                report.rows_kept += points.height
                report.note("le fichier n'a pas de code commune : équipements à situer par leurs coordonnées")
            tables["equipment_points"] = points
    return tables
