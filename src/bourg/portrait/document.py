"""The portrait of a town: one object, shown by the dashboard, the command line and JSON."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import polars as pl

from bourg.geography.levels import FRANCE_CODE
from bourg.geography.names import departement_with_article
from bourg.indicators.parameters import size_classes
from bourg.indicators.units import FRANCE_LABELS
from bourg.indicators.values import ValueSheet, value_sheet
from bourg.portrait.hours import describe_hours
from bourg.portrait.observatory import Observatory
from bourg.text import format_date, format_number

THEMES = {
    "population": "Population",
    "housing": "Logement",
    "income": "Revenus",
    "economy": "Économie et emploi",
    "culture": "Culture",
    "equipment": "Équipements et services",
    "health": "Santé",
    "mobility": "Mobilités",
    "environment": "Environnement et énergie",
    "safety": "Sécurité",
    "finance": "Finances locales",
    "programmes": "Programmes publics",
}
# Shown first, on the town page and in text: what a mayor asks before anything else.
KEY_FIGURES = (
    "population.total", "population.change_annual", "population.share_65_plus", "housing.vacancy_rate", "income.median",
    "culture.places_count", "culture.places_per_1000", "equipment.total_per_1000",
)  # fmt: skip
_COUNCIL = {"sieges": "seats", "femmes": "women", "adjoints": "deputies"}


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
    size_class
        French words of the size class, ``None`` when the population is unknown.
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
    places_demo
        Whether these places are generated.
    snapshot
        Id, date, geography and whether the snapshot holds generated values.
    """

    identity: Identity
    sheets: dict[str, ValueSheet]
    places_by_type: dict[str, int] | None
    snapshot: dict[str, Any] = field(default_factory=dict)
    places_demo: bool = False

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
            # « Communauté de communes… » takes an article; a name of its own is introduced.
            named = identity.epci["nom"]
            link = "de la " if named.startswith(("Communauté", "Métropole")) else "de l'intercommunalité "
            parts.append(f"membre {link}{named}")
        pvd = identity.pvd
        mark = " (liste de démonstration)" if pvd["demo"] else ""
        if pvd["beneficiaire"]:
            since = f" depuis le {format_date(pvd['depuis'])}" if pvd["depuis"] else ""
            parts.append(f"Petite Ville de demain{since}{mark}")
        elif pvd["beneficiaire"] is False:
            parts.append(f"hors du programme Petites Villes de demain{mark}")
        return ", ".join(parts) + "."

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        identity = self.identity
        return {
            "commune": {
                "code": identity.code, "nom": identity.name, "departement": identity.departement,
                "region": identity.region, "epci": identity.epci, "codes_postaux": identity.postal_codes,
                "population": identity.population, "population_annee": identity.population_year,
                "superficie_km2": identity.area_km2,
                "classe_de_taille": identity.size_class, "petite_ville_de_demain": identity.pvd,
                "mairie": identity.town_hall, "conseil_municipal": identity.council,
            },
            "phrase": self.headline(),
            "indicateurs": [sheet.to_dict() for sheet in self.sheets.values()],
            "lieux_culturels_par_type": self.places_by_type,
            "lieux_culturels_demonstration": self.places_demo,
            "instantane": self.snapshot,
        }  # fmt: skip

    def to_text(self) -> str:
        """Return the portrait as plain text, figures aligned by theme."""
        lines = [self.headline(), ""]
        hall = self.identity.town_hall
        if hall.get("adresse"):
            address = hall["adresse"].replace("\n", ", ")
            lines.append("Mairie : " + " · ".join(filter(None, (address, hall["telephone"]))))
            lines += [f"    {line}" for line in hall["horaires"]]
        for label, sheets in self.themes.items():
            lines += ["", label.upper()]
            lines += [_line(sheet) for sheet in sheets]
        if self.snapshot["demonstration"]:
            lines += ["", "◆ valeur de démonstration, fabriquée : elle ne dit rien de la commune réelle."]
        made = f"Instantané {self.snapshot['id']} du {format_date(self.snapshot['date'][:10])}."
        lines += ["", f"{made} Détail d'un chiffre : bourg indicators --explain ID"]
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
        places_by_type=_places_by_type(observatory, row["code"]),
        snapshot={
            "id": observatory.snapshot.id, "date": manifest["created"], "cog": manifest["cog"],
            "demonstration": observatory.snapshot.demo,
        },
        places_demo=bool(manifest["tables"].get("culture_places", {}).get("demo")),
    )  # fmt: skip


def _sheets(observatory: Observatory, row: dict[str, Any]) -> dict[str, ValueSheet]:
    """Return the value sheets of a commune by indicator id, in the order of the themes."""
    larger = {
        "epci": (row["epci"], row["epci_name"]), "departement": (row["departement"], row["departement_name"]),
        "region": (row["region"], row["region_name"]), "france": (FRANCE_CODE, "France"),
    }  # fmt: skip
    territories = [("commune", row["code"]), *((level, code) for level, (code, _) in larger.items() if code)]
    territories += [("france", code) for code in FRANCE_LABELS if code != FRANCE_CODE]
    values = observatory.values(territories).to_dicts()
    ranks = observatory.ranks(row["code"]).to_dicts()
    vintages: dict[str, str] = {}
    for item in observatory.sources():
        vintages.setdefault(item["id"], item["vintage"])
    order = list(THEMES)
    elsewhere = _elsewhere(values, {level: name for level, (_, name) in larger.items()})
    sheets = {
        value["indicator"]: value_sheet(
            value,
            ranks=[rank for rank in ranks if rank["indicator"] == value["indicator"]],
            elsewhere=elsewhere.get(value["indicator"], []),
            territory=row["name"],
            vintages=vintages,
        )
        for value in values
        if value["level"] == "commune"
    }
    return dict(sorted(sheets.items(), key=lambda pair: (order.index(pair[1].theme), pair[0])))


def _elsewhere(values: list[dict[str, Any]], names: dict[str, str]) -> dict[str, list[tuple[str, dict[str, Any]]]]:
    """Return, by indicator, the values of the larger territories, from the nearest to the largest.

    Many tables leave Mayotte or the overseas departments out: the widest field of France that has a value is given,
    under its own name.
    """
    fields = list(FRANCE_LABELS)
    found: dict[str, list[tuple[str, dict[str, Any]]]] = {}
    for level, unit in names.items():
        rows = [value for value in values if value["level"] == level]
        if level == "france":
            rows.sort(key=lambda value: (value["status"] == "missing", fields.index(value["code"])))
            rows = list({value["indicator"]: value for value in reversed(rows)}.values())
        for value in rows:
            name = FRANCE_LABELS[value["code"]] if level == "france" else unit
            found.setdefault(value["indicator"], []).append((name, value))
    return found


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
            "horaires": describe_hours(hall.get("hours")), "longitude": hall.get("longitude"),
            "latitude": hall.get("latitude"),
        },
        council={name: council[column] for name, column in _COUNCIL.items()} if council else {},
        size_class=_size_class(row["population"]),
    )  # fmt: skip


def _size_class(population: int | None) -> str | None:
    if population is None:
        return None
    return next((item.label for item in reversed(size_classes()) if population >= item.low), None)


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


def _places_by_type(observatory: Observatory, code: str) -> dict[str, int] | None:
    """Return the places by type; ``None`` where the list does not cover the commune: absent is not zero."""
    if not observatory.covers("culture_places", code):
        return None
    here = observatory.places.filter(pl.col("code") == code)
    counts = here.group_by("type").len().sort(["len", "type"], descending=[True, False])
    return dict(counts.iter_rows())
