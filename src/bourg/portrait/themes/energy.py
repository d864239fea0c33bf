"""The page of energy of a town, assembled from a snapshot: no Streamlit, no request, nothing drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import polars as pl

from bourg.compare.comparators import comparators
from bourg.energy.bounds import KnownEnergy, coverage_bounds, known_energy
from bourg.energy.masts import wind_farms
from bourg.energy.places import installations_geo
from bourg.energy.sectors import GROUPS, RENEWABLE
from bourg.energy.years import power_years
from bourg.errors import ParameterError, SnapshotError
from bourg.geography.levels import FRANCE_CODE
from bourg.indicators.engine import USABLE
from bourg.indicators.values import Elsewhere, ValueSheet, elsewhere_of, value_sheet
from bourg.portrait.document import make_portrait
from bourg.portrait.observatory import Observatory
from bourg.portrait.strips import COMPARATORS, DEFAULT
from bourg.portrait.themes.energy_data import (
    PRODUCTION,
    last_year,
    place_of,
    regional_series,
    register_of,
    series_of,
    use_of,
)
from bourg.portrait.themes.energy_model import (
    GROUP_LABELS,
    TERRITORIES,
    Balance,
    EnergyPage,
    Mix,
    Place,
    Register,
    SectorLine,
    State,
    sector_label,
    usable,
)
from bourg.portrait.themes.energy_words import balance_sentence, headline, notes_of, power_text

KEY_FIGURES = (
    "energy.power_total", "energy.injected_total", "energy.coverage_rate", "energy.renewable_power_per_inhabitant",
    "energy.renewable_share", "energy.use_elec_per_inhabitant", "energy.small_solar_share",
    "energy.recent_power_share",
)  # fmt: skip
# Shown when the register gives no total.
INSTEAD = (
    "energy.use_elec", "energy.use_elec_homes", "energy.use_elec_services", "energy.use_elec_industry",
    "energy.use_gas", "energy.use_gas_homes",
)  # fmt: skip
COMPARED = (
    "energy.renewable_power_per_inhabitant", "energy.coverage_rate", "energy.renewable_share",
    "energy.use_elec_per_inhabitant", "energy.small_solar_share", "energy.recent_power_share",
    "energy.installations", "energy.power_renewable", "energy.injected_renewable", "energy.use_elec", "energy.use_gas",
)  # fmt: skip
QUOTIENTS = ("energy.quotient_solar", "energy.quotient_wind", "energy.quotient_hydro", "energy.quotient_bio")
Kind = Literal["exact", "least", "between", "none"]


def make_energy_page(
    observatory: Observatory, code: str, *, territory: str = "commune", year: int | None = None,
    comparator: str = DEFAULT,
) -> EnergyPage:  # fmt: skip
    """Assemble the page of energy of a commune, or of a territory that holds it.

    Parameters
    ----------
    observatory
        The opened snapshot.
    code
        INSEE code of the commune; the code of a merged commune gives the commune it joined.
    territory
        ``commune``, ``epci``, ``departement`` or ``region``: what the figures, the map and the lists describe.
    year
        Year of the consumption by sector, the last one known by default; earlier years are known for communes only.
    comparator
        Set of communes of the strips, one of :data:`bourg.portrait.strips.COMPARATORS`.

    Raises
    ------
    MalformedCodeError, UnknownTerritoryError
        When the code is not one of a commune.
    ParameterError
        When the territory, the year or the comparator does not exist.
    SnapshotError
        When the snapshot was built before the theme existed.
    """
    if comparator not in COMPARATORS:
        raise ParameterError(
            f"L'ensemble de comparaison « {comparator[:60]} » n'existe pas.",
            where="comparer",
            next_step=f"choisissez parmi : {', '.join(name for name in COMPARATORS if name in comparators())}.",
        )
    commune = observatory.commune(code)
    place = place_of(observatory, commune["code"], territory)
    own = make_portrait(observatory, commune["code"]).of_theme("energy").sheets
    sheets = own if place.level == "commune" else _larger_sheets(observatory, place, commune)
    if "energy.power_total" not in sheets:
        raise SnapshotError("L'instantané n'a pas d'indicateur d'énergie.", next_step="reconstruisez-le : bourg build.")
    register = register_of(observatory, place, commune["code"])
    sectors = _sectors(sheets, register)
    state = state_of(sheets, register)
    geo = installations_geo(register.sites, observatory.communes.select("code", "longitude", "latitude"))
    use = use_of(observatory, place, sheets, year)
    enedis = observatory.covers(PRODUCTION, commune["code"])
    balance = _balance(place, sheets, register)
    return EnergyPage(
        code=commune["code"],
        name=commune["name"],
        place=place,
        comparator=comparator,
        state=state,
        headline=headline(place, state, sheets, sectors, register),
        notes=notes_of(place, commune["departement"], register, enedis=enedis),
        key_figures=_key_figures(sheets),
        sheets=sheets,
        sectors=sectors,
        balance=balance,
        comparison=tuple(own[name] for name in COMPARED if name in own),
        mixes=_mixes(own, commune),
        quotients=tuple(sheets[name] for name in QUOTIENTS if name in sheets),
        use=use,
        power_years=power_years(register.rows, last_year(observatory)) if register.kind == "register" else None,
        series=series_of(observatory, place, sheets),
        regional=regional_series(observatory, commune["region"], commune["region_name"]),
        register=register,
        points=geo.placed,
        lost=geo.unplaced,
        farms=wind_farms(register.sites).join(
            observatory.communes.select("code", commune="name"), on="code", how="left", maintain_order="left"
        ),
        snapshot_id=observatory.snapshot.id,
        demo=register.demo or any(sheet.demo for sheet in sheets.values()),
    )


def _larger_sheets(observatory: Observatory, place: Place, commune: Mapping[str, Any]) -> dict[str, ValueSheet]:
    """Return the value sheets of a larger territory, with those that hold it beside."""
    held = {level: (commune[level], commune[f"{level}_name"]) for level in TERRITORIES[1:]}
    above = [level for level in TERRITORIES[TERRITORIES.index(place.level) + 1 :] if held[level][0]]
    wanted = [(place.level, place.code), *((level, held[level][0]) for level in above), ("france", FRANCE_CODE)]
    rows: dict[str, dict[str, dict[str, Any]]] = {}
    for row in observatory.values(wanted).filter(pl.col("indicator").str.starts_with("energy.")).iter_rows(named=True):
        rows.setdefault(row["level"], {})[row["indicator"]] = row
    names = {level: held[level][1] for level in above} | {"france": "France"}
    made = {}
    for name, row in sorted(rows.get(place.level, {}).items()):
        elsewhere = [
            elsewhere_of(names[level], rows[level][name]) for level in names if name in rows.get(level, {})
        ]  # fmt: skip
        made[name] = value_sheet(
            row, elsewhere=elsewhere, territory=place.name, sources=observatory.source_notes(row["source_ids"])
        )
    return made


def _key_figures(sheets: Mapping[str, ValueSheet]) -> tuple[ValueSheet, ...]:
    """Return the key figures, those that have a value first; where most have none, the consumption comes instead."""
    given = [sheets[name] for name in KEY_FIGURES if name in sheets]
    if sum(usable(sheet) for sheet in given) < len(given) / 2:
        given += [sheets[name] for name in INSTEAD if usable(sheets.get(name))]
    return tuple(_dated(sheet) for sheet in sorted(given, key=lambda sheet: not usable(sheet)))


def _dated(sheet: ValueSheet) -> ValueSheet:
    """Return a sheet whose period a reader understands: the register is dated by its edition."""
    return replace(sheet, period=f"registre {sheet.period}") if sheet.period == "courant" else sheet


def state_of(sheets: Mapping[str, ValueSheet], register: Register) -> State:
    """Return what is known of the installations of a territory (:class:`EnergyPage`)."""
    total = sheets["energy.power_total"]
    if usable(total):
        count = sheets["energy.installations"]
        storage = sheets["energy.power_storage"]
        if usable(count) and not count.value and not storage.value:
            return "zero"
        return "secret" if sheets["energy.injected_total"].status == "secret" else "ok"
    if register.kind == "register" and usable(sheets["energy.installations"]):
        return "partial"
    return "sites" if register.kind == "sites" else "missing"


def _sectors(sheets: Mapping[str, ValueSheet], register: Register) -> tuple[SectorLine, ...]:
    total = sheets["energy.power_total"]
    lines = []
    for group, label in GROUP_LABELS.items():
        power = sheets[f"energy.power_{group}"]
        share = None
        if group != "storage" and usable(power) and usable(total) and total.value:
            share = (power.value or 0.0) / total.value
        lines.append(
            SectorLine(group, label, power, sheets.get(f"energy.injected_{group}"), share, _details(group, register))
        )
    return tuple(lines)


def _details(group: str, register: Register) -> tuple[str, ...]:
    """Return the sectors inside a group of several: « Thermique non renouvelable : 2,1 MW »."""
    if len(GROUPS[group]) == 1 or register.kind != "register":
        return ()
    rows = register.rows.filter(pl.col("sector").is_in(GROUPS[group]))
    told = []
    for (sector,), part in sorted(rows.group_by("sector"), key=lambda pair: str(pair[0][0])):
        known = part["power_kw"].null_count() == 0
        told.append(f"{sector_label(str(sector))} : {power_text(float(part['power_kw'].sum()) if known else None)}")
    return tuple(told)


def _balance(place: Place, sheets: Mapping[str, ValueSheet], register: Register) -> Balance:
    produced, used = sheets["energy.injected_renewable"], sheets["energy.use_elec"]
    rate = sheets["energy.coverage_rate"]
    energy: KnownEnergy | None = None
    bounds: tuple[float, float | None] | None = None
    if register.kind == "register" and usable(used) and used.value is not None:
        energy = known_energy(register.rows, RENEWABLE)
        bounds = coverage_bounds(energy, used.value)
    kind = _kind(rate, produced, energy, bounds)
    low, high = bounds if bounds is not None and kind != "none" else (None, None)
    if kind in {"exact", "least"}:
        low = rate.value
    told = balance_sentence(place.name, produced, used, rate, kind, energy, bounds)
    return Balance(produced, used, rate, kind, low, rate.value if kind == "exact" else high, told)


def _kind(
    rate: ValueSheet, produced: ValueSheet, energy: KnownEnergy | None, bounds: tuple[float, float | None] | None
) -> Kind:
    if usable(rate):
        return "least" if energy is not None and energy.unknown_n else "exact"
    # What the table of values withholds for another reason than silent installations stays withheld.
    silent = not usable(produced) and energy is not None and energy.unknown_n > 0 and energy.known_mwh > 0
    return "between" if silent and bounds is not None and rate.status in {"missing", "secret"} else "none"


def _mixes(own: Mapping[str, ValueSheet], commune: Mapping[str, Any]) -> tuple[Mix, ...]:
    """Return the power by group of the commune and of the territories that hold it."""
    groups = [group for group in GROUPS if group != "storage"]
    found: dict[str, dict[str, tuple[float | None, str, str]]] = {}
    names = {"commune": commune["name"]}
    for group in ("total", *groups):
        sheet = own[f"energy.power_{group}"]
        found.setdefault("commune", {})[group] = (sheet.value, sheet.status, sheet.text)
        for item in sheet.elsewhere:
            found.setdefault(item.level, {})[group] = (item.value, item.status, item.text)
            names[item.level] = _name(item)
    return tuple(_mix(level, names[level], values, groups) for level, values in found.items())


def _name(item: Elsewhere) -> str:
    return item.name or item.level_label


def _mix(level: str, name: str, values: Mapping[str, tuple[float | None, str, str]], groups: Sequence[str]) -> Mix:
    total, status, text = values["total"]
    lost = [group for group in groups if group not in values or values[group][1] not in USABLE]
    if status not in USABLE or total is None:
        return Mix(level, name, {}, text, demo=False)
    if lost:
        return Mix(level, name, {}, "une filière au moins n'est pas connue", demo=False)
    if not total:
        return Mix(level, name, {}, "aucune installation", demo=status == "demo")
    return Mix(level, name, {group: (values[group][0] or 0.0) / total for group in groups}, "", demo=status == "demo")
