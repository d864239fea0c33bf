"""Installations that produce or store electricity, as the national register publishes them.

Installations of 36 kW and more have a line each; the smaller ones are added up by IRIS (or by commune), without a name.
A line without a commune is kept for its department, its region and the country, never shared out among communes.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from bourg.errors import SourceFormatError
from bourg.geography.codes import departement_expr
from bourg.sources import cells
from bourg.sources.jsonrecords import is_json, read_records
from bourg.sources.layouts import Table, column, fold, optional
from bourg.sources.measures import ABSENT, SECRET
from bourg.sources.reading import ReadContext, Tables
from bourg.sources.report import MAX_EXAMPLES, ReadReport
from bourg.sources.tabular import open_frame, open_table

LAYOUTS = {
    "registre": {
        "code": column("codeinseecommune"),
        "iris": optional("codeiris"),
        "epci": optional("codeepci"),
        "departement": column("codedepartement"),
        "region": optional("coderegion"),
        "city": optional("commune"),
        "sector": column("filiere"),
        "technology": optional("technologie"),
        "power": column("puismaxinstallee"),
        "connected": optional("puismaxrac"),
        "n": column("nbinstallations"),
        "masts": optional("nbgroupes"),
        "commissioned": column("datemiseenservice_date", "datemiseenservice"),
        "energy": column("energieannuelleglissanteinjectee"),
        "regime": column("regime"),
        "name": optional("nominstallation"),
        "operator": optional("gestionnaire"),
        "eic": optional("codeeicresourceobject"),
    },
    "extrait": {
        "code": column("code"),
        "city": optional("commune"),
        "sector": column("filiere"),
        "technology": optional("technologie"),
        "power": column("puissance_kw"),
        "n": column("installations"),
        "commissioned": column("mise_en_service"),
        "energy": column("injection_kwh"),
        "name": optional("nom"),
        "operator": optional("gestionnaire"),
    },
}
SECTORS = {
    "solaire": "solar", "eolien": "wind", "hydraulique": "hydro", "bioenergies": "bio", "geothermie": "geothermal",
    "energiesmarines": "marine", "nucleaire": "nuclear", "thermiquenonrenouvelable": "thermal", "thermique": "thermal",
    "stockagenonhydraulique": "storage", "stockage": "storage", "autre": "other", "autres": "other",
}  # fmt: skip
# Under this power an installation is only published inside a sum.
SMALL_KW = 36
FIRST_YEAR = 1880
# More unreadable sectors or powers than this, and the columns are not what their names say.
MAX_UNREADABLE = 0.2
_IN_SERVICE = "enservice"
_HIDDEN_NAMES = r"(?i)^(confidentiel|agr[ée]gation\b.*|non (communiqu|renseign).*|nc|n/?a|-)$"
_PERSONS = r"(?i)^(m|mr|mme|mlle|monsieur|madame|mademoiselle)\b\.?\s"
_SECRET_CELLS = (*SECRET, "confidentiel", "secret statistique")
_OVERSEAS = r"^9[78]"
_UNPLACED = ("code", "sector", "power_kw", "n", "small", "commissioning_year", "year_injected_kwh", "energy_status")
_COLUMNS = (
    "installation_id", "name", "code", "iris", "departement", "region", "sector", "technology", "power_kw", "n",
    "small", "masts", "commissioning_date", "commissioning_year", "year_injected_kwh", "energy_status",
    "operator", "level",
)  # fmt: skip


def _number(name: str) -> pl.Expr:
    return cells.number(pl.col(name))


def _listed(rows: pl.DataFrame) -> str:
    place = pl.coalesce("city", pl.format("département {}", "departement"), pl.lit("lieu inconnu"))
    shown = rows.select(pl.format("{}, {} de {} kW", place, "sector", pl.col("power").fill_null("?")))
    return ", ".join(f"« {text} »" for text in shown.to_series().head(MAX_EXAMPLES))


def _refuse_shifted(path: Path, frame: pl.DataFrame) -> None:
    """Stop when most cells are not what the header says: a separator inside an unquoted name moves all of them."""
    text = pl.col("power").str.to_lowercase()
    wrong_power = pl.col("power").is_not_null() & _number("power").is_null() & ~text.is_in([*_SECRET_CELLS, *ABSENT])
    bad = frame.select(
        power=wrong_power.mean(), sector=(pl.col("kind").is_null() & pl.col("sector").is_not_null()).mean()
    ).row(0)
    for share, name in zip(bad, ("puismaxinstallee", "filiere"), strict=True):
        if share > MAX_UNREADABLE:
            raise SourceFormatError(
                "Les colonnes du fichier sont décalées.",
                where=f"{path.name}, colonne {name}",
                why=f"{100 * share:.0f} % de ses cellules ne sont pas ce que dit son titre.",
                next_step="téléchargez à nouveau l'export, sans l'ouvrir dans un tableur.",
            )


def _in_service(frame: pl.DataFrame, report: ReadReport) -> pl.DataFrame:
    regime = frame["regime"].drop_nulls().unique().to_list()
    state = pl.col("regime").replace_strict({text: fold(text) for text in regime}, default=None, return_dtype=pl.String)
    out = frame.filter((state != _IN_SERVICE) & pl.col("regime").is_not_null())
    report.reject("installation hors service", out.height, out["regime"].unique().sort().to_list())
    return frame.filter((state == _IN_SERVICE) | pl.col("regime").is_null())


def _without_doubles(frame: pl.DataFrame, report: ReadReport) -> pl.DataFrame:
    """Drop repeated lines of a named site or of one sum; two unnamed sites may be alike and are both kept."""
    keys = [name for name in frame.columns if name != "line"]
    repeated = ~pl.struct(keys).is_first_distinct()
    known = (
        pl.col("name").is_not_null() & ~pl.col("name").str.contains("(?i)^confidentiel$") | pl.col("eic").is_not_null()
    )
    marked = frame.with_columns(_again=repeated, _known=known)
    doubles = marked.filter("_again", "_known")
    report.reject("ligne répétée à l'identique, comptée une fois", doubles.height)
    alike = marked.filter("_again", ~pl.col("_known")).height
    if alike:
        report.note(f"lignes sans nom pareilles à une autre, gardées (deux toitures peuvent se ressembler) : {alike}")
    return marked.filter(~(pl.col("_again") & pl.col("_known"))).drop("_again", "_known")


def _place(frame: pl.DataFrame, report: ReadReport) -> pl.DataFrame:
    """Add the codes of each line, from the finest one given, and the level it can be placed at."""
    # An IRIS code begins with the code of its commune.
    by_iris = pl.col("code").is_null() & pl.col("iris").str.contains(r"^[0-9AB]{9}$")
    frame = frame.with_columns(code=pl.when(by_iris).then(pl.col("iris").str.slice(0, 5)).otherwise("code"))
    frame = cells.mend_codes(frame, report, drop=False)
    short = pl.col("departement").str.to_uppercase().str.replace(r"\.0+$", "").str.replace(r"^(\d)$", "0$1")
    departement = pl.when(short.str.contains(r"^(0[1-9]|[1-8]\d|9[0-5]|2[AB]|97\d)$")).then(short)
    region = pl.col("region").str.replace(r"\.0+$", "").str.zfill(2)
    placed = pl.col("code").is_not_null()
    return frame.with_columns(
        departement=pl.when(placed).then(departement_expr(pl.col("code"))).otherwise(departement),
        region=pl.when(region.str.contains(r"^\d{2}$")).then(region),
    ).with_columns(
        level=pl.when(placed & pl.col("iris").is_not_null())
        .then(pl.lit("iris"))
        .when(placed)
        .then(pl.lit("commune"))
        .when(pl.col("departement").is_not_null())
        .then(pl.lit("departement"))
        .when(pl.col("region").is_not_null())
        .then(pl.lit("region"))
        .otherwise(pl.lit("france"))
    )


def _measure(frame: pl.DataFrame, report: ReadReport) -> pl.DataFrame:
    """Add numbers and dates; impossible ones are emptied and counted."""
    power = pl.coalesce(_number("power"), _number("connected"))
    energy = _number("energy")
    frame = frame.with_columns(
        power_kw=pl.when(power >= 0).then(power),
        n=cells.integer(pl.col("n")),
        masts=cells.integer(pl.col("masts")),
        day=cells.date(pl.col("commissioned")),
        year_injected_kwh=pl.when(energy >= 0).then(energy),
        energy_status=pl.when(pl.col("energy").str.to_lowercase().is_in(_SECRET_CELLS))
        .then(pl.lit("secret"))
        .when((energy >= 0).fill_null(value=False))
        .then(pl.lit("ok"))
        .otherwise(pl.lit("missing")),
    )
    negative = frame.filter(_number("energy") < 0)
    if negative.height:
        report.mend(f"production négative, dite manquante ({_listed(negative)})", negative.height)
    report.mend("puissance absente, illisible ou négative, dite manquante", frame["power_kw"].null_count())
    report.mend("nombre d'installations absent : la ligne en compte une", int((frame["n"].fill_null(0) < 1).sum()))
    possible = pl.col("day").dt.year() >= FIRST_YEAR
    impossible = (pl.col("commissioned").is_not_null() & ~possible.fill_null(value=False)).sum()
    report.mend("date de mise en service illisible, vidée", frame.select(impossible).item())
    number = pl.when(pl.col("n") >= 1).then("n").otherwise(1)
    day = pl.when(possible).then("day")
    return frame.with_columns(n=number, commissioning_date=day, commissioning_year=day.dt.year()).with_columns(
        small=(pl.col("power_kw") / pl.col("n") < SMALL_KW).fill_null(value=False),
        masts=pl.when((pl.col("kind") == "wind") & (pl.col("masts") >= 1) & (pl.col("n") == 1)).then("masts"),
    )


def _named(frame: pl.DataFrame, report: ReadReport) -> pl.DataFrame:
    """Keep the names of sites: never that of a person, nor the words written instead of a name."""
    persons = pl.col("name").str.contains(_PERSONS)
    report.mend("nom de personne, vidé", int(frame.select(persons.sum()).item() or 0))
    shown = ~pl.col("name").str.contains(_HIDDEN_NAMES) & ~persons & ~pl.col("small") & (pl.col("n") == 1)
    identifier = pl.coalesce(pl.col("eic"), pl.format("L{}", pl.col("line").cast(pl.String).str.zfill(6)))
    return frame.with_columns(name=pl.when(shown).then("name"), installation_id=identifier)


def _unplaced(frame: pl.DataFrame) -> Tables:
    """Return the lines without a commune under the codes of the territories they are known to be in."""
    rows = frame.filter(pl.col("code").is_null())
    overseas = pl.col("departement").str.contains(_OVERSEAS) | pl.col("region").is_in(["01", "02", "03", "04", "06"])
    somewhere = pl.col("departement").is_not_null() | pl.col("region").is_not_null()
    mayotte = (pl.col("departement") == "976") | (pl.col("region") == "06")
    fields = pl.concat(
        [
            rows.with_columns(code=pl.lit("FR")),
            rows.filter(somewhere & ~mayotte.fill_null(value=False)).with_columns(code=pl.lit("FRHM")),
            rows.filter(somewhere & ~overseas.fill_null(value=False)).with_columns(code=pl.lit("FRMET")),
        ]
    )
    return {
        "energy_unplaced_departement": rows.filter(pl.col("departement").is_not_null())
        .with_columns(code="departement")
        .select(_UNPLACED),
        "energy_unplaced_region": rows.filter(pl.col("region").is_not_null())
        .with_columns(code="region")
        .select(_UNPLACED),
        "energy_unplaced_france": fields.select(_UNPLACED),
    }


def _read(table: Table, context: ReadContext) -> Tables:
    report = context.report
    frame = table.read().with_row_index("line", offset=2)
    absent = [name for name in LAYOUTS["registre"] if name not in frame.columns]
    frame = frame.with_columns(pl.lit(None, dtype=pl.String).alias(name) for name in absent)
    kinds = {text: SECTORS.get(fold(text)) for text in frame["sector"].drop_nulls().unique().to_list()}
    frame = frame.with_columns(kind=pl.col("sector").replace_strict(kinds, default=None, return_dtype=pl.String))
    _refuse_shifted(table.path, frame)
    strange = frame.filter(pl.col("kind").is_null() & pl.col("sector").is_not_null())
    report.mend("filière inconnue, rangée dans « autre »", strange.height)
    report.reject("filière absente", frame["sector"].null_count())
    frame = frame.filter(pl.col("sector").is_not_null()).with_columns(kind=pl.col("kind").fill_null("other"))
    frame = _without_doubles(_in_service(frame, report), report)
    frame = _named(_measure(_place(frame, report), report), report)
    homeless = frame.filter(pl.col("code").is_null())
    if homeless.height:
        report.mend(
            f"installation sans commune, gardée à son département ou au-dessus ({_listed(homeless)})", homeless.height
        )
    frame = frame.with_columns(sector="kind")
    report.rows_kept += frame.height
    sites = frame.select(_COLUMNS).sort("code", "installation_id", nulls_last=True)
    if table.layout == "extrait":
        # The extract leaves the small installations out: it locates sites, and no total can be made of it.
        report.note("extrait sans les petites installations : il situe des sites et ne donne aucun total")
        return {"energy_sites": sites}
    return {"energy_installations": sites, **_unplaced(frame)}


def read(path: Path, context: ReadContext) -> Tables:
    """Return ``energy_installations`` and the lines without a commune, by territory (``energy_unplaced_…``).

    ``power_kw`` is the installed power, ``year_injected_kwh`` the energy put on the grid over twelve months, with its
    ``energy_status`` (ok, secret, missing); ``level`` is the finest place known. The extract with renamed columns gives
    ``energy_sites`` only, with the same columns.

    Raises
    ------
    SourceFormatError
        Columns missing, or shifted under their titles.
    """
    if is_json(path):
        return _read(open_frame(path, read_records(path), LAYOUTS, context.report), context)
    with open_table(path, LAYOUTS, context.report) as table:
        return _read(table, context)
