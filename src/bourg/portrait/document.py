"""The portrait of a town: one object, shown by the dashboard, the command line and JSON."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import polars as pl

from bourg.geography.names import departement_with_article
from bourg.geography.levels import FRANCE_CODE
from bourg.indicators.values import ValueSheet, value_sheet
from bourg.portrait.hours import describe_hours
from bourg.portrait.observatory import Observatory
from bourg.text import format_date, format_number

THEMES = {
    "population": "Population",
    "housing": "Logement",
    "income": "Revenus",
    "culture": "Culture",
    "equipment": "Équipements et services",
    "programmes": "Programmes publics",
}
# Shown first, on the town page and in text: what a mayor asks before anything else.
KEY_FIGURES = (
    "population.total", "population.change_annual", "population.share_65_plus", "housing.vacancy_rate", "income.median",
    "culture.places_count", "culture.places_per_1000", "equipment.total_per_1000",
)  # fmt: skip


@dataclass(frozen=True)
class Identity:
    """Who the town is.

    Attributes
    ----------
    pvd
        ``{"beneficiaire": bool | None, "depuis": ISO date | None, "id": …, "demo": bool}``; ``beneficiaire`` is
        ``None`` when no list was read.
    town_hall
        Address, phone, website, hours (French lines) and position.
    council
        Seats, women and deputies of the municipal council: counts, never names.
    """

    code: str
    name: str
    departement: dict[str, str]
    region: dict[str, str]
    epci: dict[str, str] | None
    postal_codes: list[str]
    population: int | None
    population_year: int | None
    area_km2: float | None
    pvd: dict[str, Any]
    town_hall: dict[str, Any]
    council: dict[str, Any]
    size_class: str | None = None


@dataclass(frozen=True)
class Portrait:
    """The portrait document.

    Attributes
    ----------
    identity
        Identity of the town.
    sheets
        Value sheets of every indicator, by id, in the order of the themes.
    places_by_type
        Type of cultural place -> number, the most frequent first; ``None`` when no list covers the town.
    snapshot
        Id, date, geography and whether the snapshot holds generated values.
    """

    identity: Identity
    sheets: dict[str, ValueSheet]
    places_by_type: dict[str, int] | None
    snapshot: dict[str, Any] = field(default_factory=dict)

    @property
    def key_figures(self) -> list[ValueSheet]:
        """Sheets of the key figures."""
        return [self.sheets[name] for name in KEY_FIGURES if name in self.sheets]

    @property
    def themes(self) -> dict[str, list[ValueSheet]]:
        """Sheets by French theme."""
        grouped: dict[str, list[ValueSheet]] = {}
        for theme, label in THEMES.items():
            if sheets := [sheet for sheet in self.sheets.values() if sheet.theme == theme]:
                grouped[label] = sheets
        return grouped

    def headline(self) -> str:
        """Return the first sentence: what the town is, where, how big."""
        identity = self.identity
        where = f"{identity.departement['nom']} ({identity.departement['code']})"
        people = (
            f"{format_number(identity.population)} habitants en {identity.population_year}"
            if identity.population is not None
            else "population inconnue"
        )
        parts = [f"{identity.name}, {where} : {people}"]
        if identity.epci:
            parts.append(f"membre de {identity.epci['nom']}")
        pvd = identity.pvd
        if pvd["beneficiaire"]:
            since = f" depuis le {format_date(pvd['depuis'])}" if pvd["depuis"] else ""
            parts.append(f"Petite Ville de demain{since}{' (liste de démonstration)' if pvd['demo'] else ''}")
        elif pvd["beneficiaire"] is False:
            parts.append(f"hors du programme Petites Villes de demain{' (liste de démonstration)' if pvd['demo'] else ''}")
        return ", ".join(parts) + "."

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        identity = self.identity
        return {
            "commune": {
                "code": identity.code, "nom": identity.name, "departement": identity.departement, "region": identity.region,
                "epci": identity.epci, "codes_postaux": identity.postal_codes, "population": identity.population,
                "population_annee": identity.population_year, "superficie_km2": identity.area_km2,
                "classe_de_taille": identity.size_class, "petite_ville_de_demain": identity.pvd,
                "mairie": identity.town_hall, "conseil_municipal": identity.council,
            },
            "phrase": self.headline(),
            "indicateurs": [sheet.to_dict() for sheet in self.sheets.values()],
            "lieux_culturels_par_type": self.places_by_type,
            "instantane": self.snapshot,
        }  # fmt: skip

    def to_text(self) -> str:
        """Return the portrait as plain text, figures aligned by theme."""
        lines = [self.headline(), ""]
        hall = self.identity.town_hall
        if hall.get("adresse"):
            lines.append("Mairie : " + hall["adresse"].replace("\n", ", ") + (f" · {hall['telephone']}" if hall["telephone"] else ""))
            lines += [f"    {line}" for line in hall["horaires"]]
        for label, sheets in self.themes.items():
            lines += ["", label.upper()]
            lines += [_line(sheet) for sheet in sheets]
        if self.snapshot["demonstration"]:
            lines += ["", "◆ valeur de démonstration, fabriquée : elle ne dit rien de la commune réelle."]
        lines += ["", f"Instantané {self.snapshot['id']} du {format_date(self.snapshot['date'][:10])}. Détail d'un chiffre : bourg indicators --explain ID"]
        return "\n".join(lines)


def _line(sheet: ValueSheet) -> str:
    mark = " ◆" if sheet.demo else ""
    compared = f" — {sheet.comparisons[0].sentence}" if sheet.comparisons else ""
    period = f" ({sheet.period})" if sheet.period else ""
    return f"  {sheet.label} : {sheet.text}{mark}{period}{compared}"


def make_portrait(observatory: Observatory, code: str) -> Portrait:
    """Assemble the portrait of a commune.

    Parameters
    ----------
    observatory
        The opened snapshot.
    code
        INSEE code; the code of a merged commune gives the commune it joined.

    Raises
    ------
    MalformedCodeError, UnknownTerritoryError
        When the code is not one of a commune.
    """
    row = observatory.commune(code)
    manifest = observatory.snapshot.manifest
    sheets = _sheets(observatory, row)
    return Portrait(
        identity=_identity(observatory, row),
        sheets=sheets,
        places_by_type=_places_by_type(observatory, row["code"], sheets),
        snapshot={
            "id": observatory.snapshot.id, "date": manifest["created"], "cog": manifest["cog"],
            "demonstration": observatory.snapshot.demo,
        },
    )  # fmt: skip


def _sheets(observatory: Observatory, row: dict[str, Any]) -> dict[str, ValueSheet]:
    """Return the value sheets of a commune by indicator id, in the order of the themes."""
    larger = {
        "epci": (row["epci"], row["epci_name"]), "departement": (row["departement"], row["departement_name"]),
        "region": (row["region"], row["region_name"]), "france": (FRANCE_CODE, "France"),
    }  # fmt: skip
    territories = {level: code for level, (code, _) in larger.items() if code}
    values = observatory.values({"commune": row["code"], **territories}).to_dicts()
    ranks = observatory.ranks(row["code"]).to_dicts()
    vintages: dict[str, str] = {}
    for item in observatory.sources():
        vintages.setdefault(item["id"], item["vintage"])
    order = list(THEMES)
    elsewhere = [(larger[level][1], value) for level in larger for value in values if value["level"] == level]
    sheets = {
        value["indicator"]: value_sheet(
            value,
            ranks=[rank for rank in ranks if rank["indicator"] == value["indicator"]],
            elsewhere=[(name, other) for name, other in elsewhere if other["indicator"] == value["indicator"]],
            territory=row["name"],
            vintages=vintages,
        )
        for value in values
        if value["level"] == "commune"
    }
    return dict(sorted(sheets.items(), key=lambda pair: (order.index(pair[1].theme), pair[0])))


def _identity(observatory: Observatory, row: dict[str, Any]) -> Identity:
    code = row["code"]
    hall = observatory.town_hall(code)
    council = observatory.council(code)
    return Identity(
        code=code,
        name=row["name"],
        departement={
            "code": row["departement"], "nom": row["departement_name"],
            "avec_article": departement_with_article(row["departement_name"], row["departement_tncc"]),
        },
        region={"code": row["region"], "nom": row["region_name"]},
        epci={"code": row["epci"], "nom": row["epci_name"], "nature": row["epci_kind"]} if row["epci"] else None,
        postal_codes=list(row["postal_codes"]),
        population=row["population"],
        population_year=row["population_year"],
        area_km2=row["area_km2"],
        pvd=_pvd(observatory, code),
        town_hall={
            "adresse": hall.get("address"), "telephone": hall.get("phone"), "site": hall.get("website"),
            "horaires": describe_hours(hall.get("hours")), "longitude": hall.get("longitude"), "latitude": hall.get("latitude"),
        },
        council={"sieges": council["seats"], "femmes": council["women"], "adjoints": council["deputies"]} if council else {},
    )  # fmt: skip


def _pvd(observatory: Observatory, code: str) -> dict[str, Any]:
    if not observatory.snapshot.has_table("pvd"):
        return {"beneficiaire": None, "depuis": None, "id": None, "demo": False}
    town = observatory.pvd.get(code)
    date = town["signature_date"] if town else None
    return {
        "beneficiaire": town is not None,
        "depuis": date.isoformat() if date else None,
        "id": town["pvd_id"] if town else None,
        "demo": bool(observatory.table_info("pvd")["demo"]),
    }


def _places_by_type(observatory: Observatory, code: str, sheets: dict[str, ValueSheet]) -> dict[str, int] | None:
    """Return the places by type; ``None`` where the list does not cover the commune: absent is not zero."""
    count = sheets.get("culture.types_count")
    if count is None or count.value is None:
        return None
    here = observatory.places.filter(pl.col("code") == code)
    counts = here.group_by("type").len().sort(["len", "type"], descending=[True, False])
    return dict(counts.iter_rows())
