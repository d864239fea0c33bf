"""Electricity and gas delivered, by commune, year and sector (open data of the network operators and of the SDES)."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from bourg.errors import SourceFormatError
from bourg.sources import cells, measures
from bourg.sources.jsonrecords import is_json, read_records
from bourg.sources.layouts import Table, column, fold, optional
from bourg.sources.reading import ReadContext, Tables
from bourg.sources.report import MAX_EXAMPLES, ReadReport
from bourg.sources.tabular import open_frame, open_table

# Suffixes of the wide layout of the SDES.
_WIDE = {"a": "FARMING", "i": "INDUSTRY", "t": "SERVICES", "r": "HOMES", "na": "OTHER"}
LAYOUTS = {
    "sectors": {
        "code": column("code_commune", "Code Commune"),
        "year": column("annee", "Année"),
        "network": column("filiere", "Filière"),
        "sector": column("code_grand_secteur", "Code Grand Secteur"),
        "raw": column("conso_mwh", "conso_totale_mwh", "consototale", "Conso totale (MWh)"),
        "sites": column("sites", "nb_sites", "nbsites", "Nb sites"),
        "masked": optional("nombre_mailles_secretisees", "nombre_de_mailles_secretisees"),
    },
    "wide": {
        "code": column("code_commune", "CODE_COMMUNE", "code_geo"),
        "year": column("annee", "ANNEE"),
        "network": column("filiere", "FILIERE"),
        **{f"raw_{suffix}": column(f"conso{suffix}") for suffix in _WIDE},
        **{f"sites_{suffix}": column(f"pdl{suffix}") for suffix in _WIDE},
    },
}
_SECTORS = {
    "residentiel": "HOMES", "tertiaire": "SERVICES", "petitprofessionnel": "SERVICES", "industrie": "INDUSTRY",
    "agriculture": "FARMING", "inconnu": "OTHER",
}  # fmt: skip
SECTORS = ("HOMES", "SERVICES", "INDUSTRY", "FARMING", "OTHER")
NETWORKS = {"electricite": "ELEC", "gaz": "GAS"}
DETAILS = tuple(f"{network}_{sector}" for network in NETWORKS.values() for sector in SECTORS)
# Variables of the table; all of them add up.
VARIABLES = ("HOMES", "ALL", *NETWORKS.values(), *DETAILS)
# A consumption of fewer delivery points would describe a handful of households.
MIN_SITES = 11
MAX_UNREADABLE = 0.2
_KEYS = ("code", "year")


def _status(unknown: pl.Expr, secret: pl.Expr) -> pl.Expr:
    return pl.when(secret).then(pl.lit("secret")).when(unknown).then(pl.lit("missing")).otherwise(pl.lit("ok"))


def _sums(rows: pl.DataFrame, *keys: str) -> pl.DataFrame:
    """Sum the rows of each group: secret when a row is, or when its homes are too few; never a partial sum."""
    unknown = (pl.col("status") == "missing").any()
    secret = (pl.col("status") == "secret").any()
    return rows.group_by(*_KEYS, *keys).agg(
        value=pl.when(~unknown & ~secret).then(pl.col("value").sum()),
        status=_status(unknown, secret),
        few=((pl.col("sites") > 0) & (pl.col("sites") < MIN_SITES)).any(),
    )


def _totals(rows: pl.DataFrame, variable: str) -> pl.DataFrame:
    summed = _sums(rows)
    hidden = pl.col("few") if variable == "HOMES" else pl.lit(value=False)
    return summed.select(
        *_KEYS,
        variable=pl.lit(variable),
        value=pl.when(~hidden).then("value"),
        status=pl.when(hidden).then(pl.lit("secret")).otherwise("status"),
    )


def _completed(sums: pl.DataFrame) -> pl.DataFrame:
    """Add the zeros of the sectors without a delivery point, in the communes, years and networks that are described.

    A commune with electricity and no line of gas has no gas network, in the years when the file speaks of gas at all.
    """
    told = sums.select("year", "network").unique()
    here = sums.select(*_KEYS).unique().join(told, on="year")
    grid = here.join(pl.DataFrame({"sector": SECTORS}), how="cross")
    return grid.join(sums, on=[*_KEYS, "network", "sector"], how="left").with_columns(
        value=pl.when(pl.col("status").is_null()).then(0.0).otherwise("value"),
        status=pl.col("status").fill_null("ok"),
        few=pl.col("few").fill_null(value=False),
    )


def _details(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the sectors of each network and the network itself, so that no difference gives secret homes away.

    Where homes are secret, the smallest other sector is hidden with them; where there is none, the network is.
    """
    cells_ = _completed(_sums(rows, "network", "sector"))
    homes = pl.col("sector") == "HOMES"
    group = [*_KEYS, "network"]
    hidden = homes & pl.col("few")
    other = pl.when(~homes & (pl.col("value") > 0)).then("value")
    cells_ = cells_.sort(*group, "sector").with_columns(
        hidden=hidden, exposed=hidden.any().over(group), least=other.min().over(group), other=other
    )
    partner = pl.col("exposed") & (pl.col("other") == pl.col("least")).fill_null(value=False)
    cells_ = cells_.with_columns(hidden=pl.col("hidden") | partner)
    network = cells_.group_by(group).agg(
        value=pl.when((pl.col("status") == "ok").all()).then(pl.col("value").sum()),
        status=_status((pl.col("status") == "missing").any(), (pl.col("status") == "secret").any()),
        hidden=pl.col("exposed").any() & pl.col("least").first().is_null(),
    )
    both = pl.concat(
        [
            cells_.select(*_KEYS, "value", "status", "hidden", variable=pl.format("{}_{}", "network", "sector")),
            network.select(*_KEYS, "value", "status", "hidden", variable="network"),
        ]
    )
    return both.select(
        *_KEYS,
        "variable",
        value=pl.when(~pl.col("hidden")).then("value"),
        status=pl.when("hidden").then(pl.lit("secret")).otherwise("status"),
    )


def _without_hidden(total: pl.DataFrame, details: pl.DataFrame) -> pl.DataFrame:
    """Hide the total of both networks where one of them is: the other would give it away."""
    networks = details.filter(pl.col("variable").is_in(list(NETWORKS.values())) & (pl.col("status") == "secret"))
    hidden = networks.select(*_KEYS).unique().with_columns(hidden=pl.lit(value=True))
    joined = total.join(hidden, on=list(_KEYS), how="left").with_columns(pl.col("hidden").fill_null(value=False))
    return joined.with_columns(
        value=pl.when(~pl.col("hidden")).then("value"),
        status=pl.when("hidden").then(pl.lit("secret")).otherwise("status"),
    ).drop("hidden")


def _unpivoted(frame: pl.DataFrame) -> pl.DataFrame:
    parts = [
        frame.select(
            "code", "year", "network", sector=pl.lit(sector), raw=f"raw_{suffix}", sites=f"sites_{suffix}",
            masked=pl.lit(None, dtype=pl.String),
        )
        for suffix, sector in _WIDE.items()
    ]  # fmt: skip
    # A commune without any point of a sector has an empty cell there.
    return pl.concat(parts).filter(pl.col("raw").is_not_null() | pl.col("sites").is_not_null())


def _clean(rows: pl.DataFrame, report: ReadReport) -> pl.DataFrame:
    """Return the rows with typed values: masked meshes are secret, a negative consumption is missing."""
    rows = measures.parsed(rows, report)
    negative = rows.filter(pl.col("value") < 0)
    if negative.height:
        shown = negative.select(pl.format("{} en {} : {}", "code", "year", "raw")).to_series().head(MAX_EXAMPLES)
        listed = ", ".join(f"« {text} »" for text in shown)
        report.mend(f"consommation négative, dite manquante ({listed})", negative.height)
    below = (pl.col("value") < 0).fill_null(value=False)
    masked = (cells.integer(pl.col("masked")) > 0).fill_null(value=False)
    return rows.with_columns(
        value=pl.when(~below & ~masked).then("value"),
        status=pl.when(masked).then(pl.lit("secret")).when(below).then(pl.lit("missing")).otherwise("status"),
    )


def _read(table: Table, context: ReadContext) -> pl.DataFrame:
    report = context.report
    frame = cells.mend_codes(table.read(), report)
    names = {text: NETWORKS.get(fold(text)) for text in frame["network"].drop_nulls().unique().to_list()}
    frame = frame.with_columns(
        pl.col("network").replace_strict(names, default=None, return_dtype=pl.String),
        year=cells.integer(pl.col("year")).cast(pl.Int32),
    )
    known = frame.filter(pl.col("network").is_not_null() & pl.col("year").is_not_null())
    unread = frame["year"].null_count()
    if unread > MAX_UNREADABLE * max(frame.height, 1):
        raise SourceFormatError(
            "Les colonnes du fichier sont décalées.",
            where=f"{table.path.name}, colonne annee",
            why=f"{unread} années illisibles sur {frame.height} lignes.",
            next_step="téléchargez à nouveau l'export, sans l'ouvrir dans un tableur.",
        )
    report.reject("année ou énergie illisible", frame.height - known.height)
    if table.layout == "wide":
        known = _unpivoted(known)
    else:
        folded = {text: _SECTORS.get(fold(text), "OTHER") for text in known["sector"].drop_nulls().unique().to_list()}
        named = pl.col("sector").replace_strict(folded, default=None, return_dtype=pl.String)
        known = known.with_columns(sector=named.fill_null("OTHER"))
    return _clean(known.with_columns(sites=cells.integer(pl.col("sites"))), report)


def read(path: Path, context: ReadContext) -> Tables:
    """Return ``energy_use``: MWh delivered by commune and year, for each of :data:`VARIABLES`.

    ``HOMES`` and ``ALL`` add electricity and gas; ``ELEC`` and ``GAS`` are the networks, ``ELEC_HOMES`` and the others
    their sectors. Homes are secret below :data:`MIN_SITES` delivery points, and what would give them away with them.

    Raises
    ------
    SourceFormatError
        Columns missing, or shifted under their titles.
    """
    if is_json(path):
        rows = _read(open_frame(path, read_records(path), LAYOUTS, context.report), context)
    else:
        with open_table(path, LAYOUTS, context.report) as table:
            rows = _read(table, context)
    homes = rows.filter(pl.col("sector") == "HOMES")
    details = _details(rows)
    long = pl.concat([_totals(homes, "HOMES"), _without_hidden(_totals(rows, "ALL"), details), details])
    return {"energy_use": measures.finish(long, context.report, additive=VARIABLES)}
