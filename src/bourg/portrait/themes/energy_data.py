"""What the page of energy reads: territory, lines of the register, yearly series, consumption by sector."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from bourg.errors import ParameterError
from bourg.indicators.engine import USABLE
from bourg.indicators.values import ValueSheet, value_text
from bourg.portrait.charts import BASE, Evolution, Point
from bourg.portrait.observatory import Observatory
from bourg.portrait.series import Break
from bourg.portrait.themes.energy_model import TERRITORIES, TERRITORY_LABELS, Place, Register, Use, UseLine
from bourg.sources.model import load_catalogue
from bourg.text import format_value

INSTALLATIONS, SITES = "energy_installations", "energy_sites"
PRODUCTION, USE, REGIONAL = "energy_production", "energy_use", "energy_production_region"
NETWORKS = {"ELEC": "Électricité", "GAS": "Gaz"}
USE_SECTORS = {
    "HOMES": "Logements", "SERVICES": "Commerces et services", "INDUSTRY": "Industrie", "FARMING": "Agriculture",
    "OTHER": "Secteur non précisé",
}  # fmt: skip
_IDS = {"HOMES": "homes", "SERVICES": "services", "INDUSTRY": "industry", "FARMING": "farming"}
# Caveat of the source: delivery points changed sector; totals of a network are not concerned.
_SECTOR_BREAK = Break(2022, "Des points de livraison ont changé de secteur avant 2022.")
_PRODUCED = {
    "solar": "solaire", "wind": "éolienne", "hydro": "hydraulique", "bio": "des bioénergies",
    "cogeneration": "des cogénérations", "other": "des autres filières",
}  # fmt: skip
_REGIONAL = {
    "solar": "solaire", "wind": "éolienne", "hydro": "hydraulique", "bio": "des bioénergies",
    "thermal": "thermique à combustible fossile", "nuclear": "nucléaire",
}  # fmt: skip
_NO_FILE = "année sans fichier lu"


def place_of(observatory: Observatory, code: str, level: str) -> Place:
    """Return the territory of a level that holds a commune.

    Raises
    ------
    ParameterError
        When the level is unknown, or when the commune is in no such territory.
    """
    row = observatory.commune(code)
    if level not in TERRITORIES:
        raise ParameterError(
            f"Le territoire « {level[:60]} » n'existe pas.",
            where="territoire",
            next_step=f"choisissez parmi : {', '.join(TERRITORIES)}.",
        )
    held, name = (row["code"], row["name"]) if level == "commune" else (row[level], row[f"{level}_name"])
    if held is None:
        raise ParameterError(
            f"{row['name']} n'est dans aucun territoire de ce niveau : {TERRITORY_LABELS[level].lower()}.",
            where="territoire",
            next_step="choisissez commune, departement ou region.",
        )
    column = "code" if level == "commune" else level
    communes = observatory.communes.filter(pl.col(column) == held)
    sides = communes.select(pl.min("xmin"), pl.min("ymin"), pl.max("xmax"), pl.max("ymax")).row(0)
    bounds = None if None in sides else sides
    return Place(level, held, name, tuple(communes["code"]), bounds)


def register_of(observatory: Observatory, place: Place, code: str) -> Register:
    """Return the lines of the register for a territory: the whole register where it speaks, else an extract of it."""
    table = next((name for name in (INSTALLATIONS, SITES) if _covers(observatory, name, place)), None)
    if table is None:
        known = next((name for name in (INSTALLATIONS, SITES) if observatory.snapshot.has_table(name)), None)
        none = _empty() if known is None else observatory.snapshot.table(known).collect().clear()
        return Register("none", none, none, none, none, demo=False, source="")
    rows = observatory.snapshot.table(table)
    small = pl.col("small").fill_null(value=False)
    # Few lines have no commune: they are read with those of the territory, then told apart.
    read = rows.filter(pl.col("code").is_in(list(place.communes)) | pl.col("code").is_null()).collect()
    placed = read.filter(pl.col("code").is_not_null())
    lost = read.filter(pl.col("code").is_null())
    departements = observatory.communes.filter(pl.col("code").is_in(list(place.communes)))["departement"].unique()
    counted = lost.clear()
    if place.level == "departement":
        counted = lost.filter(pl.col("departement") == place.code)
    elif place.level == "region":
        counted = lost.filter((pl.col("region") == place.code) | pl.col("departement").is_in(departements.to_list()))
    info = observatory.table_info(table)
    return Register(
        "register" if table == INSTALLATIONS else "sites",
        sites=placed.filter(~small),
        small=placed.filter(small),
        unplaced=counted,
        near=lost.filter(pl.col("departement") == observatory.commune(code)["departement"]),
        demo=bool(info["demo"]),
        source=source_text(observatory, info["sources"]),
    )


def _empty() -> pl.DataFrame:
    columns = {
        "installation_id": pl.String, "name": pl.String, "code": pl.String, "iris": pl.String,
        "departement": pl.String, "region": pl.String, "sector": pl.String, "technology": pl.String,
        "power_kw": pl.Float64, "n": pl.Int64, "small": pl.Boolean, "masts": pl.Int64,
        "commissioning_date": pl.Date, "commissioning_year": pl.Int32, "year_injected_kwh": pl.Float64,
        "energy_status": pl.String, "operator": pl.String, "level": pl.String,
    }  # fmt: skip
    return pl.DataFrame(schema=columns)


def _covers(observatory: Observatory, table: str, place: Place) -> bool:
    return any(observatory.covers(table, code) for code in place.communes)


def source_text(observatory: Observatory, ids: Sequence[str]) -> str:
    """Return « Registre national… (RTE, courant) » for the sources of a table."""
    notes = observatory.source_notes(",".join(ids))
    return " ; ".join(f"{note.title} ({', '.join(filter(None, (note.producer, note.vintage)))})" for note in notes)


def last_year(observatory: Observatory) -> int | None:
    """Return the last year of commissioning of the whole register."""
    name = next((name for name in (INSTALLATIONS, SITES) if observatory.snapshot.has_table(name)), None)
    if name is None:
        return None
    year = observatory.snapshot.table(name).select(pl.col("commissioning_year").max()).collect().item()
    return None if year is None else int(year)


# ---- Consumption -----------------------------------------------------------------------------------------------------


def use_of(observatory: Observatory, place: Place, sheets: Mapping[str, ValueSheet], year: int | None) -> Use:
    """Return the consumption by network and sector.

    The last year comes from the table of values; earlier years are read for a commune only, from the table of the
    source, whose secrets are those of the file: larger territories have no value there.

    Raises
    ------
    ParameterError
        When the year is not one of those known.
    """
    latest = _year(sheets.get("energy.use_elec"))
    rows = _use_rows(observatory, place) if place.level == "commune" else {}
    told = {key[0] for key in rows} | ({latest} if latest else set())
    years = sorted(told, reverse=True)
    if year is not None and year not in years:
        raise ParameterError(
            f"L'année {year} n'est pas connue pour la consommation d'énergie de {place.name}.",
            where="annee",
            next_step=f"choisissez parmi : {', '.join(str(item) for item in years) or 'aucune année connue'}.",
        )
    chosen = year or (latest if latest in years else next(iter(years), None))
    given = sheets if chosen == latest else {}
    demo = observatory.snapshot.has_table(USE) and bool(observatory.table_info(USE)["demo"])
    lines: list[UseLine] = []
    for network, label in NETWORKS.items():
        whole = _use_line(network, "", label, given, rows.get((chosen or 0, network)), demo=demo)
        if whole is None:
            continue
        lines.append(whole)
        if whole.value == 0:
            # No network, or nothing delivered: its sectors are zero too.
            continue
        for sector, name in USE_SECTORS.items():
            line = _use_line(network, sector, name, given, rows.get((chosen or 0, f"{network}_{sector}")), demo=demo)
            # An unknown sector that used nothing tells nothing.
            if line is not None and not (sector == "OTHER" and line.value == 0):
                lines.append(_with_share(line, whole))
    note = ""
    if chosen is not None and chosen < _SECTOR_BREAK.year:
        note = f"{_SECTOR_BREAK.label} La part des secteurs de {chosen} ne se compare pas à celle des années suivantes."
    return Use(chosen, tuple(years), tuple(lines), note)


def _year(sheet: ValueSheet | None) -> int | None:
    return int(sheet.period) if sheet is not None and sheet.period.isdigit() else None


def _use_rows(observatory: Observatory, place: Place) -> dict[tuple[int, str], dict[str, Any]]:
    if not observatory.snapshot.has_table(USE):
        return {}
    rows = observatory.snapshot.table(USE).filter(pl.col("code") == place.code).collect()
    # Two rows of one commune are a merger: this page leaves the sum to the table of values.
    alone = rows.filter(pl.len().over("year", "variable") == 1)
    return {(row["year"], row["variable"]): row for row in alone.iter_rows(named=True)}


def _use_line(
    network: str, sector: str, label: str, sheets: Mapping[str, ValueSheet], row: Mapping[str, Any] | None, *,
    demo: bool,
) -> UseLine | None:  # fmt: skip
    """Return a line from its sheet, which wins, or from the row of the source; ``None`` without any."""
    name = f"energy.use_{network.lower()}" + (f"_{_IDS[sector]}" if sector in _IDS else "")
    sheet = sheets.get(name) if sector in {"", *_IDS} else None
    if sheet is not None:
        value = sheet.value if sheet.status in USABLE else None
        return UseLine(network, sector, label, value, sheet.text, sheet.status, sheet.demo, None, sheet)
    if row is None:
        return None
    status = row["status"] or "ok"
    value = row["value"] if status in {"ok", "estimated"} else None
    text = value_text("energy.use_elec", value, status if value is not None or status != "ok" else "missing")
    return UseLine(network, sector, label, value, text, status, demo and value is not None, None, None)


def _with_share(line: UseLine, whole: UseLine) -> UseLine:
    if line.value is None or not whole.value:
        return line
    return UseLine(
        line.network, line.sector, line.label, line.value, line.text, line.status, line.demo,
        line.value / whole.value, line.sheet,
    )  # fmt: skip


# ---- Series ----------------------------------------------------------------------------------------------------------


def series_of(observatory: Observatory, place: Place, sheets: Mapping[str, ValueSheet]) -> tuple[Evolution, ...]:
    """Return the yearly series of a commune: production on the Enedis grid by sector, consumption by network.

    Where the table of values hides a year, the series hides it too.
    """
    if place.level != "commune":
        return ()
    made = []
    if observatory.snapshot.has_table(PRODUCTION):
        rows = observatory.snapshot.table(PRODUCTION).filter(pl.col("code") == place.code).collect()
        for sector, label in _PRODUCED.items():
            told = [(row["year"], row["mwh"], row["status"]) for row in _once(rows, sector, "sector")]
            made.append(_evolution(
                observatory, place, f"energy.enedis_{sector}", f"Production {label}, réseau d'Enedis", PRODUCTION,
                told, sheets.get(f"energy.enedis_{sector}"), mark="bar",
            ))  # fmt: skip
    if observatory.snapshot.has_table(USE):
        rows = observatory.snapshot.table(USE).filter(pl.col("code") == place.code).collect()
        variables = {"ELEC": "Consommation d'électricité", "GAS": "Consommation de gaz"}
        variables |= {f"ELEC_{key}": f"Électricité : {name.lower()}" for key, name in USE_SECTORS.items()
                      if key in _IDS}  # fmt: skip
        for variable, label in variables.items():
            told = [(row["year"], row["value"], row["status"]) for row in _once(rows, variable, "variable")]
            network, _, sector = variable.partition("_")
            name = f"energy.use_{network.lower()}" + (f"_{_IDS[sector]}" if sector else "")
            made.append(_evolution(
                observatory, place, name, label, USE, told, sheets.get(name),
                breaks=(_SECTOR_BREAK,) if sector else (),
            ))  # fmt: skip
    return tuple(made)


def _once(rows: pl.DataFrame, wanted: str, column: str) -> list[dict[str, Any]]:
    chosen = rows.filter((pl.col(column) == wanted) & (pl.len().over("year", column) == 1)).sort("year")
    return chosen.to_dicts()


def regional_series(observatory: Observatory, region: str, name: str) -> tuple[Evolution, ...]:
    """Return the yearly production of a region by sector, when the snapshot has it."""
    if not observatory.snapshot.has_table(REGIONAL):
        return ()
    rows = observatory.snapshot.table(REGIONAL).filter(pl.col("code") == region).collect()
    place = Place("region", region, name, (), None)
    made = []
    for sector, label in _REGIONAL.items():
        told = [(row["year"], row["mwh"], row["status"]) for row in _once(rows, sector, "sector")]
        made.append(_evolution(observatory, place, f"energy.region_{sector}", f"Production {label}", REGIONAL, told))
    return tuple(made)


def _evolution(  # noqa: PLR0917 - one series, told whole
    observatory: Observatory, place: Place, name: str, label: str, table: str,
    told: Sequence[tuple[int, float | None, str | None]], sheet: ValueSheet | None = None, *, mark: str = "line",
    breaks: tuple[Break, ...] = (),
) -> Evolution:  # fmt: skip
    info = observatory.table_info(table)
    demo = bool(info["demo"])
    catalogue = load_catalogue()
    titles = tuple(catalogue[item].title for item in info["sources"] if item in catalogue)
    points = _points(told, sheet, breaks, demo=demo)
    shown = tuple(item for item in breaks if points and points[0].year < item.year <= points[-1].year)
    return Evolution(
        name, label, "energy", "MWh", 0, mark, place.code, place.name, points, shown, titles, demo=demo,
        reason=_reason(points),
    )  # fmt: skip


def _points(
    told: Sequence[tuple[int, float | None, str | None]], sheet: ValueSheet | None, breaks: Sequence[Break], *,
    demo: bool,
) -> tuple[Point, ...]:  # fmt: skip
    by_year = {year: (value, status or "ok") for year, value, status in told}
    if not by_year:
        return ()
    points, bases = [], dict[int, float]()
    for year in range(min(by_year), max(by_year) + 1):
        value, status = by_year.get(year, (None, "missing"))
        if sheet is not None and sheet.period == str(year) and sheet.status not in USABLE:
            value, status = None, sheet.status
        part = sum(item.cuts and item.year <= year for item in breaks)
        if value is None:
            status = "missing" if status in {"ok", "estimated"} else status
            text = value_text("energy.use_elec", None, status) if year in by_year else _NO_FILE
            points.append(Point(year, None, status, text, part))
            continue
        base = bases.setdefault(part, value)
        index = BASE * value / base if base > 0 else None
        points.append(Point(year, value, "demo" if demo else status, format_value(value, "MWh"), part, index))
    return tuple(points)


def _reason(points: Sequence[Point]) -> str:
    known = [point for point in points if point.value is not None]
    if not known:
        if any(point.status == "secret" for point in points):
            return "secret statistique toutes les années"
        return "aucun fichier lu ne décrit ce territoire"
    if all(point.value == 0 for point in known):
        return f"zéro chaque année connue ({', '.join(str(point.year) for point in known)})"
    if len(known) == 1:
        return f"une seule année connue ({known[0].year} : {known[0].text})"
    return ""
