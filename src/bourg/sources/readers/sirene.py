"""Sirene, StockEtablissement: the shops of each town, open and closed, from the file of every establishment.

Thirty-five million rows are read by blocks and only the establishments whose activity is a type of shop are kept.

Personal data: the file has no name of a person in its columns, but the usual name of a sole trader may be one. Of an
establishment whose holder opposed its diffusion (``P``, formerly ``N``) nothing is kept but the town, the type and the
dates: no SIRET, no name, no place. Of the others only what stands on the shop front is kept (sign, usual name); a
name that opens with a title (« Madame… ») is dropped. The address serves to find successors and is not kept.
"""

from __future__ import annotations

import datetime as dt
import io
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
from pyproj import Transformer

from bourg.commerce.chains import classify, fold_words, large_companies
from bourg.commerce.evolution import replacements, shop_survival, shop_turnover, shop_years
from bourg.commerce.typology import group_of, rules, type_of, typology
from bourg.errors import SourceFormatError
from bourg.geography.codes import COMMUNE_PATTERN, departement_expr
from bourg.sources import cells
from bourg.sources.csvblocks import Blocks, Longs, open_blocks
from bourg.sources.layouts import column, optional
from bourg.sources.readers.sirene_sieve import Sieve
from bourg.sources.reading import ReadContext, Tables
from bourg.sources.report import MAX_EXAMPLES, ReadReport

NAF_REV2 = "NAFRev2"
# Nomenclatures Sirene has known, the one of the typology first.
_SCHEMES = (NAF_REV2, "NAFRev1", "NAF1993", "NAP")
MEMBERS = ("stocketablissement_utf8*.csv", "stocketablissement*.csv", "*.csv")
LAYOUTS = {
    "stock": {
        "siret": column("siret"),
        "diffusion": column("statutDiffusionEtablissement"),
        "created": column("dateCreationEtablissement"),
        "employees": optional("trancheEffectifsEtablissement"),
        "treated": column("dateDernierTraitementEtablissement"),
        "number": optional("numeroVoieEtablissement"),
        "repetition": optional("indiceRepetitionEtablissement"),
        "street_type": optional("typeVoieEtablissement"),
        "street": column("libelleVoieEtablissement"),
        "code": column("codeCommuneEtablissement"),
        "x": optional("coordonneeLambertAbscisseEtablissement"),
        "y": optional("coordonneeLambertOrdonneeEtablissement"),
        "start": column("dateDebut"),
        "state": column("etatAdministratifEtablissement"),
        "sign": column("enseigne1Etablissement"),
        "sign2": optional("enseigne2Etablissement"),
        "usual": column("denominationUsuelleEtablissement"),
        "naf": column("activitePrincipaleEtablissement"),
        "nomenclature": column("nomenclatureActivitePrincipaleEtablissement"),
        "employer": optional("caractereEmployeurEtablissement"),
        # Columns added to the layout of 2019 by the geocoded copies.
        "longitude": optional("longitude"),
        "latitude": optional("latitude"),
    }
}
SCHEMA = {
    "siret": pl.String, "code": pl.String, "type": pl.String, "group": pl.String, "naf": pl.String,
    "open": pl.Boolean, "created": pl.Date, "closed": pl.Date, "employees": pl.String, "employer": pl.Boolean,
    "public": pl.Boolean, "name": pl.String, "chain": pl.String, "evidence": pl.String, "brand": pl.String,
    "wikidata": pl.String, "replaced": pl.Boolean, "longitude": pl.Float64, "latitude": pl.Float64,
    "observed": pl.Date,
}  # fmt: skip
_COORDINATES = ("x", "y", "longitude", "latitude")
# What is kept of a row until the whole file is read.
_TIDY = (
    "siret", "code", "type", "naf", "open", "created", "closed", "treated", "employees", "employer", "public", "name",
    "name_other", "address", *_COORDINATES,
)  # fmt: skip
# Texts of few values, kept as ranks in a sorted list: two bytes a shop instead of sixteen, in the same order.
_LISTED = ("code", "type", "group", "naf", "employees")
_SLICE = 250_000
_MAX_SHIFTED_SHARE = 0.01
_MAX_SHIFTED_FREE = 10
# What Sirene writes for what it does not diffuse, for an unknown bracket and for an unknown creation.
_HIDDEN, _UNKNOWN_BRACKET, _UNKNOWN_DATE = "[ND]", "NN", dt.date(1900, 1, 1)
_TITLE = r"(?i)^\s*(?:m|mr|mme|mlle|monsieur|madame|mademoiselle|dr|docteur|maitre|maître)\.?\s+\S"
# Legal projections of the coordinates by department; Lambert 93 elsewhere.
_EPSG = {"971": 5490, "972": 5490, "973": 2972, "974": 2975, "976": 4471, "977": 5490, "978": 5490}
_LAMBERT_93 = 2154


@dataclass
class Tally:
    """Counts over the blocks of one file: shifted rows, other activities, other nomenclatures."""

    shifted: int = 0
    other: int = 0
    unknown: dict[str, int] = field(default_factory=dict)
    examples: list[str] = field(default_factory=list)


def shop_sieve(blocks: Blocks) -> Sieve | None:
    """Return what leaves out of a text file the rows that :func:`shop_rows` would; a Parquet file needs none."""
    if isinstance(blocks.source, pl.LazyFrame):
        return None
    return Sieve(blocks.places, len(blocks.header), blocks.separator, codes=shop_codes(), schemes=_SCHEMES)


def shop_codes() -> list[str]:
    """Return the NAF rév. 2 codes of shops, with and without their point."""
    return [code for known in typology().by("naf") for code in (known, known.replace(".", ""))]


def shop_rows(frame: pl.DataFrame, tally: Tally, numbers: Longs, met: int, path: Path) -> pl.DataFrame:
    """Return the rows of a block that are shops; shifted rows, old nomenclatures and the rest are counted.

    Parameters
    ----------
    numbers
        Rank of each row in the file, shape (rows,).
    met
        Rows of the file met so far.

    Raises
    ------
    SourceFormatError
        When too many rows have their columns shifted.
    """
    if frame.height == 0:
        return frame
    sound = (
        (pl.col("siret").str.len_bytes() == 14)
        & pl.col("state").is_in(["A", "F"])
        & (pl.col("start").is_null() | (pl.col("start").str.len_bytes() >= 10))
    ).fill_null(value=False)
    wrong = frame.filter(~sound)
    if wrong.height:
        ranks = frame.select(pl.arg_where(~sound)).to_series().head(MAX_EXAMPLES - len(tally.examples))
        tally.examples += [
            f"ligne {number + 2} : siret « {siret} », état « {state} »"
            for number, (siret, state) in zip(
                numbers[ranks.to_numpy()].tolist(), wrong.select("siret", "state").iter_rows(), strict=False
            )
        ]
        tally.shifted += wrong.height
        if tally.shifted > _MAX_SHIFTED_FREE and tally.shifted > met / 2:
            raise too_shifted(path, tally, met)
        frame = frame.filter(sound)
    # Checking the few hundred nomenclature values once by block costs nothing beside one test by row.
    schemes = frame["nomenclature"].value_counts()
    for scheme, count in schemes.iter_rows():
        if scheme is not None and scheme != NAF_REV2:
            tally.unknown[scheme] = tally.unknown.get(scheme, 0) + count
    kept = frame.filter(pl.col("naf").is_in(shop_codes()) & (pl.col("nomenclature") == NAF_REV2).fill_null(value=True))
    tally.other += frame.height - kept.height
    return kept


def too_shifted(path: Path, tally: Tally, rows: int) -> SourceFormatError:
    """Return the error of a file whose values are not under their columns."""
    return SourceFormatError(
        "Les colonnes du fichier sont décalées.",
        where=f"{path.name}, {tally.examples[0]}",
        why=f"{tally.shifted} lignes sur {rows} n'ont pas de SIRET de 14 chiffres ou d'état A ou F.",
        next_step="vérifiez le séparateur et les guillemets du fichier, ou téléchargez-le à nouveau.",
    )


def settle(tally: Tally, sieve: Sieve | None, rows: int, path: Path, report: ReadReport) -> None:
    """Write the counts of a whole file into the report, what the sieve left out included.

    Raises
    ------
    SourceFormatError
        When more than 1 % of the rows are shifted.
    """
    for scheme, count in (sieve.left_out if sieve else {}).items():
        tally.other += count
        if scheme is not None and scheme != NAF_REV2:
            tally.unknown[scheme] = tally.unknown.get(scheme, 0) + count
    if tally.shifted > max(_MAX_SHIFTED_FREE, _MAX_SHIFTED_SHARE * rows):
        raise too_shifted(path, tally, rows)
    report.reject("colonnes décalées : SIRET, état ou date illisible", tally.shifted, tally.examples)
    if tally.other:
        report.note(f"{tally.other} établissements d'une autre activité que le commerce, laissés de côté")
    for scheme, count in sorted(tally.unknown.items()):
        report.note(
            f"{count} établissements classés en {scheme[:20]} et non en NAF rév. 2 : hors de la série, qui commence en "
            "2008"
        )


def _clean_text(name: str) -> pl.Expr:
    text = cells.text(pl.col(name))
    return pl.when(text != _HIDDEN).then(text)


def _dates(frame: pl.DataFrame, report: ReadReport) -> pl.DataFrame:
    def date(name: str) -> pl.Expr:
        return pl.col(name).str.slice(0, 10).str.to_date("%Y-%m-%d", strict=False)

    frame = frame.with_columns(
        created=date("created"), closed=pl.when(pl.col("state") == "F").then(date("start")), treated=date("treated")
    ).with_columns(created=pl.when(pl.col("created") > _UNKNOWN_DATE).then("created"))
    no_end = (pl.col("state") == "F") & pl.col("closed").is_null()
    report.reject("établissement fermé sans date de fermeture", frame.filter(no_end).height)
    frame = frame.filter(~no_end)
    reverse = (pl.col("closed") < pl.col("created")).fill_null(value=False)
    report.mend("création postérieure à la fermeture : date de création vidée", frame.filter(reverse).height)
    return frame.with_columns(created=pl.when(~reverse).then("created"))


def _points(frame: pl.DataFrame, report: ReadReport) -> pl.DataFrame:
    """Return WGS84 degrees of open shops: those of the file (geocoded copies), else its projected coordinates."""
    frame = frame.with_columns(departement=departement_expr(pl.col("code")))
    projected = frame.with_row_index("_row").filter(
        pl.col("open") & pl.col("longitude").is_null() & pl.col("x").is_not_null() & pl.col("y").is_not_null()
    )
    if projected.height:
        parts = []
        epsg = pl.col("departement").replace_strict(_EPSG, default=_LAMBERT_93, return_dtype=pl.Int32)
        for (code,), part in projected.with_columns(epsg=epsg).group_by("epsg", maintain_order=True):
            transformer = Transformer.from_crs(int(str(code)), 4326, always_xy=True)
            longitude, latitude = transformer.transform(part["x"].to_numpy(), part["y"].to_numpy())
            parts.append(part.select("_row", _lon=pl.Series(longitude).round(6), _lat=pl.Series(latitude).round(6)))
        frame = (
            frame.with_row_index("_row")
            .join(pl.concat(parts), on="_row", how="left", maintain_order="left")
            .with_columns(longitude=pl.coalesce("longitude", "_lon"), latitude=pl.coalesce("latitude", "_lat"))
            .drop("_row", "_lon", "_lat")
        )
    return cells.check_points(frame, report, pl.col("longitude").is_not_null())


def _tidy(rows: pl.DataFrame, report: ReadReport) -> pl.DataFrame:
    """Return clean columns; what is not diffused is emptied before anything else looks at it."""
    rows = rows.with_columns(code=_clean_text("code"))
    # Mending costs a lot for codes that are almost always right.
    if not rows["code"].unique().str.contains(COMMUNE_PATTERN).fill_null(value=False).all():
        rows = cells.mend_codes(rows, report)
    rows = _dates(rows, report)
    public = pl.col("diffusion") == "O"
    shown = [pl.when("public").then(_clean_text(name)).alias(name) for name in ("sign", "sign2", "usual")]
    rows = rows.with_columns(public=public.fill_null(value=False)).with_columns(*shown)
    titled = [pl.col(name).str.contains(_TITLE).fill_null(value=False) for name in ("sign", "sign2", "usual")]
    persons = rows.filter(pl.any_horizontal(titled)).height
    report.mend("nom de personne (précédé d'une civilité) retiré", persons)
    rows = rows.with_columns(
        pl.when(~title).then(name).alias(name) for name, title in zip(("sign", "sign2", "usual"), titled, strict=True)
    )
    report.mend(
        "établissement à diffusion partielle : SIRET, nom et adresse retirés", rows.filter(~pl.col("public")).height
    )
    bracket = cells.text(pl.col("employees"))
    return rows.with_columns(
        *_coordinates(rows),
        siret=pl.when("public").then("siret"),
        naf=pl.col("naf").str.replace(r"^(\d{2})(\d{2}[A-Z])$", "$1.$2"),
        type=type_of(pl.col("naf"), "naf"),
        open=pl.col("state") == "A",
        employees=pl.when(bracket != _UNKNOWN_BRACKET).then(bracket),
        employer=(pl.col("employer") == "O"),
        address=_addresses(rows),
        name=pl.coalesce("sign", "usual"),
        name_other=pl.coalesce("sign2", "usual"),
    ).select(list(_TIDY))


def _addresses(rows: pl.DataFrame) -> pl.Series:
    """Return a number equal for equal addresses, null when one is unknown or not public.

    Only told equal or not: eight bytes a shop instead of a text, and no address goes further.
    """
    folded = []
    for name in ("number", "repetition", "street_type", "street"):
        # Words are folded once by value: streets have the same names in every town.
        values = rows.select(pl.col(name).unique(maintain_order=True)).with_columns(
            word=fold_words(_clean_text(name).fill_null(""))
        )
        both = rows.select(name).join(values, on=name, how="left", nulls_equal=True, maintain_order="left")
        folded.append(both["word"].alias(name))
    known = (
        rows["public"]
        & rows.select(_clean_text("street").is_not_null() & _clean_text("number").is_not_null())["street"]
    )
    return pl.select(pl.when(known).then(pl.concat_str(folded, separator="|").hash())).to_series()


def _coordinates(rows: pl.DataFrame) -> list[pl.Expr]:
    """Return the numbers of public coordinates, mended only in blocks where some are not plain numbers."""
    found = []
    for name in _COORDINATES:
        text = _clean_text(name)
        plain = pl.col(name).cast(pl.Float64, strict=False)
        odd = rows.select((plain.is_null() & text.is_not_null()).any()).item()
        value = cells.number(text) if odd else pl.when(plain.is_finite()).then(plain)
        found.append(pl.when("public").then(value).alias(name))
    return found


def _kept(rows: pl.DataFrame, report: ReadReport) -> tuple[bytes, dt.date | None]:
    """Return the rows of the period in compact form, and the last day the register was worked on.

    Polars strings point into the block they were read from: written and read again, they only keep their own bytes.
    """
    tidy = _tidy(rows, report)
    start = dt.date(rules()["first_year"], 1, 1)
    early = (pl.col("closed") < start).fill_null(value=False)
    report.mend(f"commerce fermé avant {start.year}, hors de la période", tidy.filter(early).height)
    buffer = io.BytesIO()
    tidy.filter(~early).drop("treated").write_ipc(buffer, compression="lz4")
    last: dt.date | None = tidy["treated"].max()  # type: ignore[assignment]
    return buffer.getvalue(), last


def _gathered(kept: list[bytes]) -> pl.DataFrame:
    """Put the blocks together, texts of few values as ranks; ``kept`` is emptied on the way."""
    names = [name for name in _LISTED if name in _TIDY]
    values: dict[str, set[str]] = {name: set() for name in names}
    for block in kept:
        for texts in pl.read_ipc(io.BytesIO(block), columns=names):
            values[texts.name].update(texts.drop_nulls().unique())
    kinds = {name: pl.Enum(sorted(found)) for name, found in values.items()}
    parts = []
    while kept:
        parts.append(pl.read_ipc(io.BytesIO(kept.pop(0))).cast(kinds))  # type: ignore[arg-type]
    shops = pl.concat(parts)
    groups = typology().group_of()
    return shops.with_columns(
        group=group_of(pl.col("type").cast(pl.String)).cast(pl.Enum(sorted(set(groups.values()))))
    )


def _plain(table: pl.DataFrame) -> pl.DataFrame:
    return table.with_columns(pl.col(name).cast(pl.String) for name in _LISTED if name in table.columns)


def _finished(shops: pl.DataFrame, report: ReadReport) -> pl.DataFrame:
    """Class the shops and place them, by slices: the columns of a match are many and short-lived."""
    companies = large_companies(shops.select("siret", "open", pl.col("code").cast(pl.String)))
    parts = [pl.DataFrame(schema=SCHEMA)]
    # Sorted through its order, slice by slice: sorting the whole would hold it twice.
    order = shops.select(
        pl.arg_sort_by("code", "type", "siret", "created", nulls_last=True, maintain_order=True)
    ).to_series()
    for start in range(0, shops.height, _SLICE):
        part = _plain(shops[order.slice(start, _SLICE)])
        placed = _points(classify(part, companies), report)
        parts.append(placed.select(pl.col(name).cast(kind) for name, kind in SCHEMA.items()))
    return pl.concat(parts)


def read(path: Path, context: ReadContext) -> Tables:
    """Return ``shops``, ``shop_years``, ``shop_survival`` and ``shop_turnover``.

    ``shops`` has one row per establishment whose activity is a type of shop, open or closed since the start of the
    series (columns: :data:`SCHEMA`); the three others are the counts of ``bourg.commerce.evolution`` by town. The
    activity is the last one known: ``sirene_historique`` tells the former ones.

    Raises
    ------
    SourceFormatError
        Missing columns, shifted columns, truncated file.
    ArchiveError
        Damaged archive.
    """
    report = context.report
    tally = Tally()
    kept: list[bytes] = []
    days: list[dt.date] = []
    with open_blocks(path, LAYOUTS, report, members=MEMBERS) as blocks:
        sieve = blocks.sieve = shop_sieve(blocks)
        for frame, numbers in blocks.frames():
            rows, last = _kept(shop_rows(frame, tally, numbers, blocks.rows, path), report)
            kept.append(rows)
            days += [last] if last else []
        report.rows_read += blocks.rows
    settle(tally, sieve, report.rows_read, path, report)
    shops = _gathered(kept)
    if not days:
        report.note("aucun établissement n'est un commerce dans ce fichier")
    known = pl.col("siret").is_null() | pl.col("siret").is_first_distinct()
    if repeated := shops.select((~known).sum()).item():
        report.reject("établissement répété (même SIRET)", repeated)
        shops = shops.filter(known)
    shops = shops.with_columns(observed=pl.lit(max(days, default=None), dtype=pl.Date))
    report.rows_kept += shops.height
    dated = shops.select("siret", "code", "type", "group", "created", "closed", "open", "observed", "address")
    outcome = replacements(dated)
    successors = outcome.select("siret", "replaced").filter(pl.col("siret").is_not_null())
    shops = shops.drop("address").join(successors, on="siret", how="left", maintain_order="left")
    tables = {
        "shop_years": _plain(shop_years(dated)),
        "shop_survival": _plain(shop_survival(dated)),
        "shop_turnover": _plain(shop_turnover(dated, outcome)),
    }
    del dated, outcome
    return {"shops": _finished(shops, report), **tables}
