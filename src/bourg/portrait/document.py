"""The portrait of a town: one object, shown by the dashboard, the command line and JSON."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from bourg.compare.comparators import SIMILAR, SIZE, ComparisonSet
from bourg.compare.profiles import Profile
from bourg.compare.similar import SimilarTowns, similar_towns
from bourg.compare.specificities import Specificities, specificities
from bourg.geography.names import departement_with_article
from bourg.indicators.parameters import size_classes
from bourg.indicators.theme_labels import THEMES
from bourg.indicators.values import ValueSheet
from bourg.portrait.assembly import Shared, town_sheets
from bourg.portrait.hours import describe_hours
from bourg.portrait.observatory import Observatory
from bourg.text import count_of, format_date

# Shown first, on the town page and in text: what a mayor asks before anything else.
KEY_FIGURES = (
    "population.total", "population.change_annual", "population.share_65_plus", "housing.vacancy_rate", "income.median",
    "culture.places_count", "culture.places_per_1000", "equipment.total_per_1000",
)  # fmt: skip
# The comparator of texts, where there is room for one.
DEFAULT_COMPARATOR = SIZE
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


class SpecificitiesBySet(Mapping[str, Specificities]):
    """What makes the town unlike the communes of each comparator, worked out when it is asked for."""

    def __init__(self, observatory: Observatory, code: str, sets: tuple[ComparisonSet, ...]) -> None:
        self._observatory, self._code = observatory, code
        self._sets = {item.comparator.id: item for item in sets}
        self._made: dict[str, Specificities] = {}

    def __getitem__(self, comparator: str) -> Specificities:
        """Return those of one comparator; ``KeyError`` when it is not declared."""
        if comparator not in self._made:
            chosen = self._sets[comparator]
            self._made[comparator] = specificities(self._observatory.matrix, self._code, chosen)
        return self._made[comparator]

    def __iter__(self) -> Iterator[str]:
        """Run over the comparators."""
        return iter(self._sets)

    def __len__(self) -> int:
        """Return the number of comparators."""
        return len(self._sets)


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
    similar
        The towns most similar by structure, with the reasons; ``None`` when the snapshot has no feature of structure.
    profile
        The type of small towns it belongs to; ``None`` outside the field.
    sets
        The communes it is compared with, one per comparator, those that say why they are empty included.
    specificities
        Comparator -> what makes the town unlike these communes.
    """

    identity: Identity
    sheets: dict[str, ValueSheet]
    places_by_type: dict[str, int] | None
    snapshot: dict[str, Any] = field(default_factory=dict)
    places_demo: bool = False
    similar: SimilarTowns | None = None
    profile: Profile | None = None
    sets: tuple[ComparisonSet, ...] = ()
    specificities: Mapping[str, Specificities] = field(default_factory=dict)

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

    def of_theme(self, theme: str) -> Portrait:
        """Return the portrait with the figures of one theme only (an id of ``THEMES``)."""
        return replace(self, sheets={name: item for name, item in self.sheets.items() if item.theme == theme})

    def headline(self) -> str:
        """Return the first sentence: what the town is, where, how big."""
        identity = self.identity
        where = f"{identity.departement['nom']} ({identity.departement['code']})"
        people = (
            f"{count_of(identity.population, 'habitant')} en {identity.population_year}"
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
            "comparateurs": [
                {"id": item.comparator.id, "nom": item.comparator.label, "ensemble": item.set_id, "statut": item.status,
                 "communes": int(item.members.size), "message": item.message}
                for item in self.sets
            ],
            "villes_semblables": self.similar.to_dict() if self.similar else None,
            "type": self.profile.to_dict() if self.profile else None,
            "particularites": {
                name: self.specificities[name].to_dict()
                for name in (DEFAULT_COMPARATOR, SIMILAR) if name in self.specificities
            },
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
    told = sheet.compared_with(DEFAULT_COMPARATOR)
    compared = f" — {told.sentence}" if told else ""
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
    SnapshotError
        When the snapshot was built before comparisons were kept in it.
    """
    (made,) = make_portraits(observatory, [code])
    return made


def make_portraits(
    observatory: Observatory,
    codes: Iterable[str],
    figures: Mapping[str, Collection[str]] | None = None,
    *,
    stable: bool = True,
) -> Iterator[Portrait]:
    """Assemble the portraits of several communes, one after the other, in the order given.

    What they share is read once: the table of values, the larger territories, the sets they are compared with.

    Parameters
    ----------
    figures
        Code -> indicators that the portrait has to tell; all by default.
    stable
        Whether to tell how stable the lists of similar towns are.

    Raises
    ------
    MalformedCodeError, UnknownTerritoryError, SnapshotError
        As :func:`make_portrait`, before the first portrait.
    """
    rows = [observatory.commune(code) for code in codes]
    shared = Shared(observatory, rows, figures)
    for row in rows:
        yield _portrait(shared, row, stable=stable)


def _portrait(shared: Shared, row: dict[str, Any], *, stable: bool) -> Portrait:
    observatory = shared.observatory
    manifest = observatory.snapshot.manifest
    sets = observatory.comparators.of(row["code"])
    structure = observatory.comparators.structure
    sheets = town_sheets(shared, row, sets)
    return Portrait(
        identity=_identity(observatory, row),
        sheets=sheets,
        places_by_type=shared.places_by_type(row["code"]),
        snapshot={
            "id": observatory.snapshot.id, "date": manifest["created"], "cog": manifest["cog"],
            "demonstration": observatory.snapshot.demo,
        },
        places_demo=bool(manifest["tables"].get("culture_places", {}).get("demo")),
        similar=similar_towns(structure, row["code"], names=observatory.names, stable=stable) if structure else None,
        profile=observatory.profiles.of(row["code"]),
        sets=sets,
        specificities=SpecificitiesBySet(observatory, row["code"], sets),
    )  # fmt: skip


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
