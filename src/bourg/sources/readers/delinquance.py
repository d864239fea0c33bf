"""SSMSI: crimes and offences recorded by the police and the gendarmerie, by commune, year and category.

A commune whose numbers are too small is not published (``ndiff``): its row then carries the average of the unpublished
communes of its department, which is no figure of the commune and is never read.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from bourg.sources import cells
from bourg.sources.layouts import column, fold, optional
from bourg.sources.reading import ReadContext, Tables
from bourg.sources.tabular import open_table

_CODE = column("CODGEO_2024", "CODGEO", pattern=r"codgeo20\d{2}")
LAYOUTS = {
    "depuis 2024": {
        "code": _CODE,
        "year": column("annee"),
        "label": column("indicateur", "classe"),
        "unit": optional("unite_de_compte", "unité.de.compte"),
        "n": column("nombre", "faits"),
        "rate": optional("taux_pour_mille", "tauxpourmille"),
        "published": column("est_diffuse", "valeur.publiée"),
        "population": optional("insee_pop", "POP"),
        "dwellings": optional("insee_log", "LOG"),
    },
}
# A category and its parts are never kept together: the difference would tell a part that is not published.
CATEGORIES = {
    "cambriolages de logement": "burglaries",
    "coups et blessures volontaires": "assaults",
    "violences sexuelles": "sexual_violence",
    "vols violents sans arme": "robberies",
    "vols sans violence contre des personnes": "thefts",
    "vols de vehicules": "vehicle_thefts",
    "vols de vehicule": "vehicle_thefts",
    "vols dans les vehicules": "thefts_from_vehicles",
    "destructions et degradations volontaires": "vandalism",
    "usage de stupefiants": "drug_use",
    "escroqueries": "frauds",
    "escroqueries et fraudes aux moyens de paiement": "frauds",
}
_CATEGORY = {fold(label): category for label, category in CATEGORIES.items()}


def read(path: Path, context: ReadContext) -> Tables:
    """Return ``crime``: code, year, category, label, unit, n, rate, population, dwellings, status.

    ``status`` is ``ok``, ``secret`` (not published) or ``missing``; ``n`` is null unless ok, and a published zero is a
    zero. ``rate`` is the published rate per 1,000 (dwellings for burglaries), ``population`` and ``dwellings`` are the
    rounded denominators of the producer for that year.
    """
    report = context.report
    with open_table(path, LAYOUTS, report, members=("*com*.csv", "*.csv", "*.parquet")) as table:
        frame = cells.mend_codes(table.read(), report)
    labels = frame["label"].drop_nulls().unique().to_list()
    category = {label: _CATEGORY.get(fold(label)) for label in labels}
    others = sorted(label for label, name in category.items() if name is None)
    if others:
        report.note(f"catégories laissées de côté : {', '.join(others)}")
    year = cells.integer(pl.col("year"))
    flag = pl.col("published").str.to_lowercase()
    secret = flag.is_in(["ndiff", "nd", "non diffusé"]).fill_null(value=False)
    shown = flag.is_in(["diff", "d", "diffusé"]).fill_null(value=False)
    number = cells.integer(pl.col("n"))
    frame = frame.with_columns(
        # Until 2023 years were written with two digits.
        year=pl.when(year < 100).then(year + 2000).otherwise(year).cast(pl.Int32),
        category=pl.col("label").replace_strict(category, default=None, return_dtype=pl.String),
        n=pl.when(shown & (number >= 0)).then(number),
        rate=pl.when(shown).then(cells.number(pl.col("rate"))),
        population=cells.integer(pl.col("population")),
        dwellings=cells.integer(pl.col("dwellings")),
        secret=secret,
    )
    kept = frame.filter(pl.col("category").is_not_null() | pl.col("label").is_null())
    dated = kept.filter(pl.col("year").is_not_null() & pl.col("label").is_not_null())
    report.reject("année ou indicateur absent", kept.height - dated.height)
    unread = dated.filter(pl.col("n").is_null() & ~pl.col("secret"))
    report.mend("nombre publié mais illisible, manquant", unread.height)
    result = dated.select(
        "code",
        "year",
        "category",
        "label",
        "unit",
        "n",
        "rate",
        "population",
        "dwellings",
        status=pl.when("secret")
        .then(pl.lit("secret"))
        .when(pl.col("n").is_null())
        .then(pl.lit("missing"))
        .otherwise(pl.lit("ok")),
    )
    unique = result.unique(["code", "year", "label"], keep="first", maintain_order=True)
    report.reject("commune, année et indicateur déjà lus", result.height - unique.height)
    report.rows_kept += unique.height
    return {"crime": unique.sort("code", "year", "label")}
