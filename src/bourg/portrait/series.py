"""The series of the snapshot: which tables give several years of one fact, and how their rows are read.

Tables of a snapshot are already in the reference geography. What a file describes together (a commune split since) is
missing for each part; a year whose file leaves a department out is missing there, and never a zero.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

import polars as pl

from bourg.indicators.parameters import parameter
from bourg.indicators.tables import TABLES, select_columns
from bourg.indicators.themes.housing_social import LOVAC_SERIES
from bourg.portrait.observatory import Observatory

# Same floor as the indicators of bourg.indicators.themes.economy: smaller communes carry the figures of a namesake.
_SMALLEST_TOWN = 3000


@dataclass(frozen=True)
class Break:
    """A change of what is counted.

    Attributes
    ----------
    year
        First year of the new series.
    label
        French sentence.
    cuts
        Whether values before and after cannot be compared: no line and no index then goes from one to the other.
    """

    year: int
    label: str
    cuts: bool = True


@dataclass(frozen=True)
class SeriesSpec:
    """A fact that the snapshot may know for several years.

    Attributes
    ----------
    id, label, theme, unit, decimals
        As for an indicator.
    table
        Table of the snapshot.
    where
        Column -> value of the rows kept (``{"variable": "MEAN"}``).
    column
        Column of the value.
    per
        Variable of the same table that divides the value.
    annual
        Whether a year is expected between the first and the last: a year without file is then shown as missing.
    mark
        ``bar`` for what happens within a year, ``line`` for a level.
    absence
        What no row means in a year that describes the commune.
    breaks
        Changes of what is counted.
    note
        French sentence on how to read it.
    smallest
        Population under which the file has no true value.
    since
        First year kept.
    """

    id: str
    label: str
    theme: str
    unit: str
    table: str
    where: Mapping[str, str] = field(default_factory=dict)
    column: str = "value"
    per: str | None = None
    decimals: int = 0
    annual: bool = True
    mark: Literal["line", "bar"] = "line"
    absence: Literal["zero", "missing"] = "missing"
    breaks: tuple[Break, ...] = ()
    note: str = ""
    smallest: int = 0
    since: int = 0


_MUNICIPAL = 2006
_CENSUS = (
    Break(1962, "Population sans doubles comptes à partir de 1962, population totale avant.", cuts=False),
    Break(_MUNICIPAL, "Population municipale à partir de 2006 : recensement annuel tournant.", cuts=False),
)
_LOVAC = (
    Break(LOVAC_SERIES[0], "Fin de la taxe d'habitation des résidences principales (édition 2023)."),
    Break(LOVAC_SERIES[1], "Données prises avant la chaîne de traitement fiscale (édition 2025)."),
)
_MERGED = "Communes d'aujourd'hui : une commune fusionnée est la somme de ses anciennes communes."
_DVF_NOTE = "Les biens vendus changent d'une année à l'autre ; aucun prix n'est donné sous 11 ventes."
_SEEKERS_NOTE = "Inscrits à France Travail : ce n'est pas un taux de chômage."
_BPE = "À partir de 2021, le répertoire Sirus remplace Sirene : les unités cessées sortent du champ."
_CRIME_NOTE = "Faits enregistrés par la police et la gendarmerie, au lieu où ils ont été commis."
_CRIMES = {
    "burglaries": "Cambriolages de logement", "vandalism": "Destructions et dégradations volontaires",
    "thefts_from_vehicles": "Vols dans les véhicules", "assaults": "Coups et blessures volontaires",
}  # fmt: skip
_FINANCES = {
    "DRF": "Dépenses de fonctionnement", "RRF": "Recettes de fonctionnement", "EQUIPMENT": "Dépenses d'équipement",
    "DEBT": "Dette au 31 décembre", "GROSS": "Épargne brute",
}  # fmt: skip


def _measure(
    name: str, label: str, unit: str, table: str, variable: str, *, mark: Literal["line", "bar"] = "line",
    note: str = "", breaks: tuple[Break, ...] = (), smallest: int = 0,
) -> SeriesSpec:  # fmt: skip
    theme = name.partition(".")[0]
    return SeriesSpec(
        name, label, theme, unit, table, {"variable": variable}, mark=mark, note=note, breaks=breaks, smallest=smallest
    )


@lru_cache(maxsize=1)
def declared_series() -> dict[str, SeriesSpec]:
    """Return the declared series by id, in the order of the pages."""
    first_new = int(parameter("bpe_series_break"))
    made = [
        SeriesSpec(
            "population.total", "Population municipale", "population", "habitants", "population", column="pmun",
            since=_MUNICIPAL, note=_MERGED,
        ),
        SeriesSpec(
            "population.long", "Population depuis le XIXe siècle", "population", "habitants", "population",
            column="pmun", annual=False, breaks=_CENSUS, note=_MERGED,
        ),
        SeriesSpec(
            "equipment.total", "Équipements et services (types suivis sans interruption)", "equipment", "équipements",
            "equipment", column="n", absence="zero", breaks=(Break(first_new, _BPE),),
            note="Seuls comptent les types présents dans tous les millésimes d'un même côté de la rupture de série.",
        ),
        _measure("economy.job_seekers", "Demandeurs d'emploi (moyenne annuelle)", "personnes", "job_seekers", "MEAN",
                 note=_SEEKERS_NOTE, smallest=_SMALLEST_TOWN),
        _measure("economy.job_seekers_q4", "Demandeurs d'emploi au 4e trimestre", "personnes", "job_seekers", "Q4",
                 note=_SEEKERS_NOTE + " Nombres arrondis à 5 près."),
        _measure("housing.lovac_vacant", "Logements privés vacants (LOVAC)", "logements", "lovac", "VACANT",
                 breaks=_LOVAC),
        _measure("housing.lovac_vacant_2y", "Logements privés vacants depuis plus de deux ans (LOVAC)", "logements",
                 "lovac", "VACANT_2Y", breaks=_LOVAC),
        _measure("housing.permits", "Logements autorisés (permis de construire)", "logements", "permits", "DWELLINGS",
                 mark="bar"),
        _measure("housing.price_m2_house", "Prix médian des maisons au m²", "€ par m²", "property_prices",
                 "MEDIAN_M2_HOUSE", note=_DVF_NOTE),
        _measure("housing.price_m2_flat", "Prix médian des appartements au m²", "€ par m²", "property_prices",
                 "MEDIAN_M2_FLAT", note=_DVF_NOTE),
        _measure("housing.sales_house", "Ventes de maisons", "ventes", "property_prices", "SALES_HOUSE", mark="bar"),
        SeriesSpec("housing.social", "Logements sociaux", "housing", "logements", "social_housing", column="n",
                   absence="zero"),
        _measure("income.median", "Revenu disponible médian par unité de consommation", "€ par an", "income", "MED",
                 note="Euros courants : l'inflation n'est pas retirée."),
        SeriesSpec("culture.cinema_screens", "Écrans de cinéma (hors circuits itinérants)", "culture", "écrans",
                   "cinemas", column="screens", absence="zero"),
        SeriesSpec("health.births", "Accouchements dans les maternités de la commune", "health", "accouchements",
                   "maternities", column="births", absence="zero", mark="bar",
                   note="Au lieu de la maternité, et non au domicile des mères."),
        *(
            SeriesSpec(f"safety.{name}", label, "safety", "faits", "crime", {"category": name}, column="n", mark="bar",
                       note=_CRIME_NOTE)
            for name, label in _CRIMES.items()
        ),
        *(
            SeriesSpec(f"finance.{name.lower()}", f"{label} par habitant", "finance", "€ par habitant", "finances",
                       {"variable": name}, per="POPULATION", note="Euros courants : l'inflation n'est pas retirée.")
            for name, label in _FINANCES.items()
        ),
    ]  # fmt: skip
    return {spec.id: spec for spec in made}


def undivided(observatory: Observatory, table: str) -> frozenset[str]:
    """Return the communes that a file of the table describes together with others (they were one then)."""
    return _undivided(observatory).get(table, frozenset())


@lru_cache(maxsize=4)
def _undivided(observatory: Observatory) -> dict[str, frozenset[str]]:
    moves: dict[str, dict[str, dict[str, list[dict[str, list[str]]]]]] = observatory.snapshot.read_json("report.json")[
        "passages"
    ]
    return {
        table: frozenset(
            code for move in by_file.values() for item in move.get("non_deplacees", ()) for code in item["cibles"]
        )
        for table, by_file in moves.items()
    }


def departement_of(code: pl.Expr) -> pl.Expr:
    """Return the department at the head of a commune code."""
    return pl.when(code.str.starts_with("97")).then(code.str.slice(0, 3)).otherwise(code.str.slice(0, 2))


@dataclass(frozen=True)
class Described:
    """What the table of a series describes.

    Attributes
    ----------
    years
        Years with at least one row, sorted.
    departements
        ``(year, department)`` with at least one row.
    types
        Equipment only: types to count, by first year of the part between two breaks.
    """

    years: tuple[int, ...]
    departements: frozenset[tuple[int, str]]
    types: Mapping[int, frozenset[str]] = field(default_factory=dict)


@lru_cache(maxsize=64)
def described(observatory: Observatory, series_id: str) -> Described:
    """Return what the table of a series describes: one pass over the table, kept in memory."""
    spec = declared_series()[series_id]
    rows = _selected(observatory, spec)
    found = rows.select("year", departement=departement_of(pl.col("code"))).unique().drop_nulls().collect()
    years = tuple(sorted(found["year"].unique().to_list()))
    types: dict[int, frozenset[str]] = {}
    if spec.table == "equipment":
        by_year: dict[int, set[str]] = {}
        for year, kind in rows.select("year", "typequ").unique().collect().iter_rows():
            by_year.setdefault(year, set()).add(kind)
        for year in years:
            start = part_start(spec, year)
            kinds = frozenset(by_year[year])
            types[start] = types[start] & kinds if start in types else kinds
    return Described(years, frozenset(found.iter_rows()), types)


def part_start(spec: SeriesSpec, year: int) -> int:
    """Return the first year of the part of the series that holds ``year``: parts end at the breaks that cut."""
    return max((item.year for item in spec.breaks if item.cuts and item.year <= year), default=0)


def _selected(observatory: Observatory, spec: SeriesSpec) -> pl.LazyFrame:
    rows = observatory.snapshot.table(spec.table).filter(pl.col("year") >= spec.since)
    return rows.filter([pl.col(name) == value for name, value in spec.where.items()]) if spec.where else rows


def read_series(observatory: Observatory, spec: SeriesSpec, codes: Collection[str]) -> pl.DataFrame:
    """Return ``code, year, value, status`` of the rows of some communes, one row per commune and year.

    Rows of one commune in one year (a merger) are brought together as the indicators do it: counts add up, prices do
    not, and one secret part makes the whole secret. Communes described together are left out.

    Raises
    ------
    SnapshotError
        When the snapshot has no such table, or an older form of it.
    """
    wanted = sorted(set(codes) - undivided(observatory, spec.table))
    if spec.smallest:
        big = observatory.communes.filter(pl.col("population") >= spec.smallest)["code"]
        wanted = sorted(set(wanted) & set(big))
    rows = observatory.snapshot.table(spec.table)
    mine = rows.filter(pl.col("code").is_in(wanted) & (pl.col("year") >= spec.since))
    if spec.table == "equipment":
        found = _equipment(mine, spec, described(observatory, spec.id))
    elif spec.table == "crime":
        found = _crime(mine.filter(pl.col("category") == spec.where["category"]))
    elif spec.table in ("population", "income"):
        found = _direct(mine, spec)
    else:
        found = _prepared(mine, spec)
    made = found.select(
        "code", pl.col("year").cast(pl.Int32), pl.col("value").cast(pl.Float64), pl.col("status").cast(pl.String)
    )
    lost = pl.col("value").is_null() | ~pl.col("value").is_finite()
    status = pl.when(pl.col("status").is_in(["secret", "not_applicable"])).then("status")
    good = pl.when(lost).then(pl.lit("missing")).otherwise(pl.coalesce("status", pl.lit("ok")))
    return (
        made.with_columns(status=pl.coalesce(status, good))
        .with_columns(value=pl.when(pl.col("status").is_in(["ok", "estimated"])).then("value"))
        .sort("code", "year")
        .collect()
    )


def _equipment(rows: pl.LazyFrame, spec: SeriesSpec, known: Described) -> pl.LazyFrame:
    kept: Sequence[pl.Expr] = [
        (pl.col("year") == year) & pl.col("typequ").is_in(sorted(known.types[part_start(spec, year)]))
        for year in known.years
    ]
    counted = rows.filter(pl.any_horizontal(kept)) if kept else rows.clear()
    return counted.group_by("code", "year").agg(value=pl.col("n").sum(), status=pl.lit(None, pl.String).first())


def _crime(rows: pl.LazyFrame) -> pl.LazyFrame:
    secret = (pl.col("status") == "secret").any()
    whole = pl.col("n").null_count() == 0
    return rows.group_by("code", "year").agg(
        value=pl.when(whole & ~secret).then(pl.col("n").sum()), status=pl.when(secret).then(pl.lit("secret"))
    )


def _direct(rows: pl.LazyFrame, spec: SeriesSpec) -> pl.LazyFrame:
    kept = rows.filter([pl.col(name) == value for name, value in spec.where.items()]) if spec.where else rows
    status = pl.col("status") if "status" in rows.collect_schema().names() else pl.lit(None, pl.String)
    return kept.select("code", "year", value=spec.column, status=status)


def _prepared(rows: pl.LazyFrame, spec: SeriesSpec) -> pl.LazyFrame:
    merged = TABLES[spec.table].prepare(select_columns(spec.table, rows))
    if "variable" not in merged.collect_schema().names():
        return merged.select("code", "year", value=spec.column, status=pl.lit(None, pl.String))
    chosen = merged.filter(pl.col("variable") == spec.where["variable"]).select("code", "year", "value", "status")
    if spec.per is None:
        return chosen
    whole = merged.filter(pl.col("variable") == spec.per).select("code", "year", whole="value")
    divided = pl.when(pl.col("whole") > 0).then(pl.col("value") / pl.col("whole"))
    return chosen.join(whole, on=["code", "year"], how="left").with_columns(value=divided)
