"""Geo-DVF: sales of one dwelling, told as the median price per m² of a commune and year; sales under 11 are secret."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from bourg.sources import cells, measures
from bourg.sources.layouts import Table, column, optional
from bourg.sources.reading import ReadContext, Tables
from bourg.sources.tabular import open_table

# Below this number of sales a price says more about one transaction than about a town.
MIN_SALES = 11
LAYOUTS = {
    "mutations": {
        "mutation": column("id_mutation"),
        "date": column("date_mutation"),
        "nature": column("nature_mutation"),
        "price": column("valeur_fonciere"),
        "code": column("code_commune"),
        "parcel": column("id_parcelle"),
        "lot": optional("lot1_numero"),
        "volume": optional("numero_volume"),
        "type": column("code_type_local"),
        "surface": column("surface_reelle_bati"),
        "rooms": optional("nombre_pieces_principales"),
    },
    "means": {
        "code": column("INSEE_COM"),
        "year": column("annee"),
        "sales": column("nb_mutations", "nbmutations"),
        "mean_m2": column("Prixm2Moyen"),
    },
}
_HOUSE, _FLAT, _PREMISES = "1", "2", "4"
_DWELLING = ("mutation", "code", "parcel", "lot", "volume", "type", "surface", "rooms")


def _sales(table: Table) -> pl.DataFrame:
    """Return one row per sale of exactly one dwelling: code, year, type, price per m²."""
    report = table.report
    frame = table.read().with_columns(
        pl.col("type").str.replace(r"\.0+$", ""), year=cells.date(pl.col("date")).dt.year().cast(pl.Int32)
    )
    report.reject("date de mutation illisible", frame["year"].null_count())
    sold = frame.filter((pl.col("nature") == "Vente") & pl.col("year").is_not_null())
    report.note(
        f"{frame.height - sold.height} lignes d'échanges, d'adjudications ou de ventes sur plan, laissées de côté"
    )
    # Land of several natures repeats the building on one line each; a mutation may be spread over several towns.
    built = sold.filter(pl.col("type").is_in([_HOUSE, _FLAT, _PREMISES])).unique(_DWELLING, maintain_order=True)
    single = built.filter(pl.len().over("mutation") == 1).filter(pl.col("type") != _PREMISES)
    report.note(f"{built.height - single.height} locaux vendus à plusieurs ou professionnels, laissés de côté")
    priced = single.with_columns(cells.number(pl.col("price")), cells.number(pl.col("surface")))
    usable = priced.filter((pl.col("price") > 1) & (pl.col("surface") > 0))
    report.reject("logement vendu sans prix ou sans surface", priced.height - usable.height)
    return usable.with_columns(price_m2=pl.col("price") / pl.col("surface"))


def _medians(table: Table) -> pl.DataFrame:
    sales = cells.mend_codes(_sales(table), table.report)
    parts = []
    for kind, name in ((_HOUSE, "HOUSE"), (_FLAT, "FLAT")):
        grouped = (
            sales.filter(pl.col("type") == kind)
            .group_by("code", "year")
            .agg(n=pl.len(), median=pl.col("price_m2").median())
        )
        few = pl.col("n") < MIN_SALES
        parts += [
            grouped.select("code", "year", variable=pl.lit(f"SALES_{name}"), value=pl.col("n"), status=pl.lit("ok")),
            grouped.select(
                "code",
                "year",
                variable=pl.lit(f"MEDIAN_M2_{name}"),
                value=pl.when(~few).then("median"),
                status=pl.when(few).then(pl.lit("secret")).otherwise(pl.lit("ok")),
            ),
        ]
    return pl.concat([part.with_columns(pl.col("value").cast(pl.Float64)) for part in parts])


def _means(table: Table) -> pl.DataFrame:
    frame = table.read().with_columns(
        cells.integer(pl.col("year")), cells.number(pl.col("sales")), cells.number(pl.col("mean_m2"))
    )
    few = pl.col("sales") < MIN_SALES
    absent = pl.col("mean_m2").is_null() | pl.col("sales").is_null()
    return pl.concat(
        [
            frame.select(
                "code",
                "year",
                variable=pl.lit("SALES"),
                value="sales",
                status=pl.when(pl.col("sales").is_null()).then(pl.lit("missing")).otherwise(pl.lit("ok")),
            ),
            frame.select(
                "code",
                "year",
                variable=pl.lit("MEAN_M2"),
                value=pl.when(~few).then("mean_m2"),
                status=pl.when(few).then(pl.lit("secret")).when(absent).then(pl.lit("missing")).otherwise(pl.lit("ok")),
            ),
        ]
    )


def read(path: Path, context: ReadContext) -> Tables:
    """Return ``property_prices`` or ``mean_prices``: sales (numbers) and prices (euros per m²) by commune and year.

    A sale counts when it is a plain sale of one house or one flat, with its outbuildings; ``MEDIAN_M2_*`` and
    ``MEAN_M2`` are secret below :data:`MIN_SALES` sales. Only these figures leave the reader: no transaction is kept.
    """
    with open_table(path, LAYOUTS, context.report) as table:
        if table.layout == "mutations":
            return {"property_prices": measures.finish(_medians(table), context.report)}
        return {"mean_prices": measures.finish(_means(table), context.report)}
